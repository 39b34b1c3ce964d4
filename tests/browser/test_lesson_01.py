"""Lesson 01 in JupyterLab: figures with alternative text; Lloyd's algorithm stepped by mouse and by keyboard."""

import re

import pytest


def says(widget):
    return widget.locator("[aria-live=polite]").first.text_content()


def wait_for(page, canvas, text):
    """Wait until the canvas says that it has drawn `text`, such as "61 points"."""
    arguments = [canvas.element_handle(), text]
    page.wait_for_function("([c, text]) => c.dataset.drawn.includes(text)", arg=arguments, polling=100)


def wait_for_text(page, widget, text):
    arguments = [widget.element_handle(), text]
    page.wait_for_function("([w, text]) => w.innerText.includes(text)", arg=arguments, polling=100)


def at(canvas, x, y, height=390, width=480):
    """Where the point (x, y) of the box [0, 10] × [0, 8] is on the page; margins as in point_canvas.js."""
    box = canvas.bounding_box()
    px, py = 46 + x / 10 * (width - 54), 8 + (8 - y) / 8 * (height - 42)
    return box["x"] + px * box["width"] / width, box["y"] + py * box["height"] / height


@pytest.fixture
def lesson(lab):
    lab.run("01_kmeans.ipynb")
    return lab


def test_figures_and_stepper(lesson):
    page = lesson.page
    figures = page.locator(".jp-OutputArea-output img")
    alts = [figure.get_attribute("alt") for figure in figures.all()]
    assert len(alts) >= 9 and all(alt and len(alt) > 20 and alt != "Image" for alt in alts), alts

    widget = lesson.widget("Assign points")
    canvas, curve = widget.locator(".dclib-points > canvas"), widget.locator("img.dclib-picture")
    button = {name: widget.get_by_role("button", name=name) for name in ("Assign points", "Move centers", "New start")}
    run, clear = (widget.get_by_role("button", name=name) for name in ("Run until stuck", "Clear points"))
    wait_for(page, canvas, "60 points, 4 centers")
    assert button["Move centers"].is_disabled()

    # Half steps: the picture of the points and the curve change, and the text says the loss.
    lesson.changes(canvas, button["Assign points"].click)
    wait_for_text(page, widget, "Now move the centers")
    assert re.search(r"Loss: \d+\.\d\d", says(widget))
    lesson.changes(curve, button["Move centers"].click)
    lesson.screenshot("01_stepping")
    run.click()
    wait_for_text(page, widget, "no point changed its cluster")
    wait_for_text(page, widget, "Starts so far: 1")
    assert run.is_disabled()
    side_by_side = curve.bounding_box()["x"] > canvas.bounding_box()["x"] + 100
    assert side_by_side, "the loss curve does not fit beside the points"
    button["New start"].click()
    wait_for_text(page, widget, "first centers")
    run.click()
    wait_for_text(page, widget, "Starts so far: 2")
    lesson.screenshot("01_stuck")

    # A click places a point; so does Enter at the cross-hair that the arrow keys move.
    canvas.scroll_into_view_if_needed()
    page.mouse.click(*at(canvas, 4.9, 4.1))
    wait_for(page, canvas, "61 points")
    wait_for_text(page, widget, "Point 61 placed")
    canvas.focus()
    for key in ("ArrowUp", "Shift+ArrowLeft", "Enter"):
        page.keyboard.press(key)
    wait_for(page, canvas, "62 points")

    # All points away, three placed by hand: now there are too few for four centers, then enough.
    clear.click()
    wait_for(page, canvas, "0 points, 0 centers")
    for x, y in ((1, 1), (1, 7), (9, 1), (9, 7)):
        page.mouse.click(*at(canvas, x, y))
        page.wait_for_timeout(200)
    wait_for(page, canvas, "4 points, 4 centers")
    run.click()
    wait_for_text(page, widget, "Loss: 0.00")

    # A center is dragged with the mouse: a new start, not a new point.
    page.mouse.move(*at(canvas, 1, 1))
    page.mouse.down()
    page.mouse.move(*at(canvas, 3, 2), steps=4)
    page.mouse.up()
    wait_for_text(page, widget, "You moved a center")
    wait_for(page, canvas, "4 points, 4 centers")
    lesson.screenshot("01_dragged")
    lesson.check()
