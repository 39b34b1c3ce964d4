"""PointCanvas and HoverDigits: what the page is given. In a browser: tests/browser."""

import io

import numpy as np
import pytest
from PIL import Image

from dclib.classroom.demos.point_canvas import HoverDigits, PointCanvas


def numbers(packed, columns=2):
    return np.frombuffer(packed, "<f4").reshape(-1, columns) if columns > 1 else np.frombuffer(packed, "<f4")


def test_canvas_holds_what_it_is_given():
    canvas = PointCanvas([[0, 1], [2, 3]], [1, -1])
    assert numbers(canvas.points).tolist() == [[0, 1], [2, 3]]
    assert numbers(canvas.labels, 1).tolist() == [1, -1]
    canvas.put([[7, 8]])
    assert numbers(canvas.points).tolist() == [[7, 8]] and not canvas.labels


def test_canvas_view_holds_all_points_at_one_scale():
    canvas = PointCanvas([[0, 0], [10, 1]], width=500, height=400)
    x0, x1, y0, y1 = canvas.view
    assert x0 < 0 and x1 > 10 and y0 < 0 and y1 > 1
    assert (x1 - x0) / 500 == pytest.approx((y1 - y0) / 400)
    same = PointCanvas([[3, 3], [3, 3]]).view  # no extent at all
    assert same[0] < 3 < same[1] and same[2] < 3 < same[3]


@pytest.mark.parametrize(
    "options",
    [{"points": np.zeros((3, 3))}, {"points": np.zeros((3, 2)), "labels": [1]}, {"points": [[0, 0]], "images": []}],
)
def test_canvas_wrong_input(options):
    with pytest.raises(ValueError, match="point"):
        PointCanvas(**options)


def tile(canvas, i):
    """Tile i of the sheet of thumbnails, cut out as point_canvas.js does it."""
    w, h = canvas.tile
    sheet = Image.open(io.BytesIO(canvas.sprite)).convert("RGB")
    columns = sheet.width // w
    x, y = (i % columns) * w, (i // columns) * h
    return np.asarray(sheet.crop((x, y, x + w, y + h))) / 255


@pytest.mark.parametrize("channels", [1, 3])
def test_each_point_has_its_own_image(channels):
    images = np.random.default_rng(0).integers(0, 2, size=(700, channels, 6, 9)).astype(float)
    canvas = PointCanvas(np.zeros((700, 2)), images=images)
    assert canvas.tile == [9, 6]
    for i in (0, 1, 443, 444, 445, 699):  # the sheet has 444 in a row
        expected = np.repeat(images[i], 3, axis=0) if channels == 1 else images[i]
        assert np.abs(tile(canvas, i) - expected.transpose(1, 2, 0)).max() < 0.04


def test_gray_images_lose_little():
    images = np.random.default_rng(0).random((50, 8, 8))
    canvas = PointCanvas(np.zeros((50, 2)), images=images)
    assert np.abs(tile(canvas, 17)[..., 0] - images[17]).max() < 0.07  # sixteen shades


def test_hover_digits_names_the_classes():
    z = np.array([[0.0, 0], [2, 0], [1, 0], [9, 9], [9, 7], [9, 8]])
    canvas = HoverDigits(z, np.zeros((6, 8, 8)), [0, 0, 0, 1, 1, 1], names=["zero", "one"])
    assert [(t["text"], t["x"], t["y"]) for t in canvas.tags] == [("zero", 1.0, 0.0), ("one", 9.0, 8.0)]
    assert numbers(canvas.labels, 1).tolist() == [0, 0, 0, 1, 1, 1]


def test_hover_digits_draws_a_sample_that_keeps_points_and_images_together():
    n = 300
    images = np.zeros((n, 8, 8))
    for i in range(n):
        images[i].flat[i % 64] = 1  # the white pixel is a sign of the point
    z = np.stack([np.arange(n) % 64, np.arange(n)], axis=1)
    y = np.arange(n) % 3
    canvas = HoverDigits(z, images, y, max_points=50)
    xy, labels = numbers(canvas.points), numbers(canvas.labels, 1)
    assert len(xy) == len(labels) == 50
    for i in (0, 20, 49):
        assert tile(canvas, i)[..., 0].argmax() == xy[i, 0]
        assert labels[i] == xy[i, 1] % 3
    again = HoverDigits(z, images, y, max_points=50)
    assert again.points == canvas.points


def test_hover_digits_wants_an_image_for_each_point():
    with pytest.raises(ValueError, match="3 points and there are 2 images"):
        HoverDigits(np.zeros((3, 2)), np.zeros((2, 8, 8)))


def test_a_short_text_instead_of_bytes():
    assert repr(HoverDigits(np.zeros((3, 2)), np.zeros((3, 8, 8)))).startswith("HoverDigits('")
