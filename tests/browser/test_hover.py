"""Hover a point and see its digit: a widget for a teacher's own notebook."""

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

SETUP = """\
from dclib.autoencoder import Autoencoder
from dclib.data import load
data = load("digits")
x_test, y_test = data.x, data.y
dense = Autoencoder(latent_dim=2, hidden=(64,), epochs=7, random_state=0).fit(x_test)
few, last = slice(0, 300), 5
maps = {last: dense.transform(x_test)[few]}
"""
HOVER = """\
from dclib.classroom.demos import HoverDigits
HoverDigits(maps[last], x_test[few], y_test[few])
"""
# The place on the canvas of the point furthest to the right, where no other is in the way.
WHERE = """\
canvas = HoverDigits(maps[last], x_test[few], y_test[few])
z, (x0, x1, y0, y1) = maps[last], canvas.view
i = int(z[:, 0].argmax())
w, h = canvas.width - 8, canvas.height - 8
print(4 + (z[i, 0] - x0) / (x1 - x0) * w, 4 + (y1 - z[i, 1]) / (y1 - y0) * h, y_test[i])
"""


def notebook(folder, name, *code):
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(new_notebook(cells=[new_code_cell(c) for c in code], metadata=metadata), folder / name)
    return name


def test_hover_shows_the_digit(lab, lessons_copy):
    lab.run(notebook(lessons_copy, "hover.ipynb", SETUP, HOVER, WHERE))
    text = lab.page.locator("[data-mime-type='application/vnd.jupyter.stdout']").last.inner_text().split()
    at, digit = {"x": float(text[0]), "y": float(text[1])}, text[2]
    points = lab.page.locator(".dclib-points").first
    card = points.locator(".dclib-card")
    assert card.is_hidden()
    points.locator("canvas").first.hover(position=at)
    card.wait_for(state="visible")
    assert digit in card.inner_text()
    # The card shows the image: not one shade only.
    shades = card.locator("canvas").evaluate(
        "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    )
    assert shades > 3
    lab.screenshot("hover")
    points.locator("canvas").first.hover(position={"x": 6, "y": 6})
    card.wait_for(state="hidden")
    lab.check()
