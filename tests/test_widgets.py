"""dclib.widgets without a browser: the real callbacks, called as the page calls them. In a browser: tests/browser."""

import copy
import io

import ipywidgets as W
import numpy as np
import pytest
from PIL import Image

from dclib.classroom import plots
from dclib.classroom.demos.live_plot import LivePlot
from dclib.classroom.demos.lloyd_stepper import LloydStepper
from dclib.classroom.demos.picture import Picture, slider_figure
from dclib.classroom.demos.point_canvas import HoverDigits, PointCanvas
from dclib.engine.callbacks import History


def numbers(packed, columns=2):
    return np.frombuffer(packed, "<f4").reshape(-1, columns) if columns > 1 else np.frombuffer(packed, "<f4")


def click(canvas, **message):
    """What the page sends."""
    canvas._handle_custom_msg(message, [])


# --- slider_figure ----------------------------------------------------------------------------------------------------


def draw_bar(n):
    fig, ax = plots.figure(width=3, height=2)
    ax.bar([0], [n])
    ax.set_ylim(0, 10)
    return fig


def test_slider_figure_redraws():
    slider = W.IntSlider(3, min=1, max=9)
    box = slider_figure(draw_bar, alt=lambda n: f"a bar of height {n}", n=slider)
    image = box.children[-1]
    assert image.value.startswith(b"\x89PNG") and image.alt == "a bar of height 3"
    before = image.value
    slider.value = 8
    assert image.value != before and image.alt == "a bar of height 8"
    slider.value = 3
    assert image.value == before


def test_slider_figure_plays_the_named_slider():
    slider = W.IntSlider(3, min=1, max=9, step=2)
    box = slider_figure(draw_bar, play="n", interval=200, n=slider)
    button = box.children[0].children[0]
    assert isinstance(button, W.Play)
    assert (button.value, button.min, button.max, button.step, button.interval) == (3, 1, 9, 2, 200)


def test_slider_figure_wrong_play():
    with pytest.raises(ValueError, match="none of the controls"):
        slider_figure(draw_bar, play="m", n=W.IntSlider(3))
    with pytest.raises(ValueError, match="IntSlider"):
        slider_figure(draw_bar, play="n", n=W.FloatSlider(3))


def test_an_error_in_draw_is_not_hidden():
    def draw(n):
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        slider_figure(draw, n=W.IntSlider(3))


# --- LivePlot ---------------------------------------------------------------------------------------------------------


class FakeRun:
    def __init__(self):
        self.history, self.epoch = History([]), 0

    def end_epoch(self, callback, **row):
        self.epoch += 1
        self.history.rows.append({"epoch": self.epoch, **row})
        callback.on_epoch_end(self)


def test_live_plot_draws_each_epoch(monkeypatch):
    displayed = []
    monkeypatch.setattr("IPython.display.display", displayed.append)
    live, run = LivePlot(("loss", "acc")), FakeRun()
    live.on_fit_start(run)
    assert displayed == [live.image]
    pictures = []
    for epoch, loss in enumerate([3.0, 2.0, 1.5]):
        run.end_epoch(live, loss=loss, **({"acc": 0.5} if epoch == 2 else {}))
        pictures.append(live.image.value)
    widths = [Image.open(io.BytesIO(p)).width for p in pictures]
    assert len(set(pictures)) == 3
    assert widths[2] == 2 * widths[0]  # a second panel as soon as there is an acc
    live.on_fit_end(run)
    assert live.image.value == pictures[-1]


def test_live_plot_every_second_epoch_and_at_the_end(monkeypatch):
    monkeypatch.setattr("IPython.display.display", lambda _: None)
    live, run = LivePlot("loss", every=2), FakeRun()
    live.on_fit_start(run)
    run.end_epoch(live, loss=3.0)
    assert not live.image.value
    run.end_epoch(live, loss=2.0)
    second = live.image.value
    assert second
    run.end_epoch(live, loss=1.0)
    assert live.image.value == second
    live.on_fit_end(run)
    assert live.image.value != second


def test_live_plot_survives_clone():
    live = LivePlot()
    assert copy.deepcopy(live) is live  # scikit-learn's clone copies parameters


# --- PointCanvas and HoverDigits --------------------------------------------------------------------------------------


def test_canvas_holds_what_it_is_given():
    canvas = PointCanvas([[0, 1], [2, 3]], [1, -1], [[5, 6]])
    assert numbers(canvas.points).tolist() == [[0, 1], [2, 3]]
    assert numbers(canvas.labels, 1).tolist() == [1, -1]
    assert numbers(canvas.centers).tolist() == [[5, 6]]
    canvas.put([[7, 8]])
    assert numbers(canvas.points).tolist() == [[7, 8]] and not canvas.labels and not canvas.centers


def test_canvas_view_holds_all_points_at_one_scale():
    canvas = PointCanvas([[0, 0], [10, 1]], width=500, height=400)
    x0, x1, y0, y1 = canvas.view
    assert x0 < 0 and x1 > 10 and y0 < 0 and y1 > 1
    assert (x1 - x0) / 500 == pytest.approx((y1 - y0) / 400)
    same = PointCanvas([[3, 3], [3, 3]]).view  # no extent at all
    assert same[0] < 3 < same[1] and same[2] < 3 < same[3]


def test_canvas_calls_back():
    got = []
    canvas = PointCanvas(on_place=lambda x, y: got.append((x, y)), on_drag=lambda k, x, y: got.append((k, x, y)))
    assert canvas.placing
    click(canvas, kind="place", x=1.5, y=2)
    click(canvas, kind="drag", index=1, x=3, y=4)
    click(canvas, kind="something else")
    assert got == [(1.5, 2.0), (1, 3.0, 4.0)]
    assert not PointCanvas().placing


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
    assert not canvas.placing


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


def test_short_texts_instead_of_bytes():
    assert repr(HoverDigits(np.zeros((3, 2)), np.zeros((3, 8, 8)))).startswith("HoverDigits('")
    assert repr(LloydStepper()) == "LloydStepper(60 points)"
    assert repr(Picture(alt="a cat")) == "Picture('a cat')"


# --- LloydStepper -----------------------------------------------------------------------------------------------------

SQUARE = np.array([[1.0, 1], [1, 2], [9, 6], [9, 7]])  # two pairs


def stepper(points=SQUARE, k=2, centers=None):
    box = LloydStepper(points, n_clusters=k)
    for i, (x, y) in enumerate(centers if centers is not None else []):
        click(box.canvas, kind="drag", index=i, x=x, y=y)
    return box


def test_half_steps_by_hand():
    box = stepper(centers=[[1, 1], [9, 7]])
    box.assign_button.click()
    assert box.labels.tolist() == [0, 0, 1, 1]
    assert box.losses == [2.0]  # 0 + 1 + 1 + 0
    box.update_button.click()
    assert box.centers.tolist() == [[1, 1.5], [9, 6.5]]
    assert box.losses == [2.0, 1.0]
    assert not box.stuck and not box.finals
    box.assign_button.click()
    assert box.stuck and box.losses == [2.0, 1.0, 1.0] and box.finals == [1.0]
    assert "no point changed" in box.says.value and "1.00" in box.says.value
    assert numbers(box.canvas.centers).tolist() == [[1, 1.5], [9, 6.5]]
    assert numbers(box.canvas.trails).tolist() == [[1, 1], [9, 7], [1, 1.5], [9, 6.5]]


def test_only_the_next_step_can_be_clicked():
    box = stepper()
    assert not box.assign_button.disabled and box.update_button.disabled and not box.run_button.disabled
    box.assign_button.click()
    assert box.assign_button.disabled and not box.update_button.disabled
    box.assign()  # out of turn: nothing happens
    assert len(box.losses) == 1
    box.run_button.click()
    assert box.stuck
    assert box.assign_button.disabled and box.update_button.disabled and box.run_button.disabled


def test_the_loss_never_rises_and_the_end_is_a_fixed_point():
    for seed in range(5):
        box = LloydStepper(random_state=seed)
        box.run_button.click()
        assert (np.diff(box.losses) <= 1e-9).all()
        distances = np.linalg.norm(box.points[:, None] - box.centers, axis=2)
        assert (distances.argmin(1) == box.labels).all()
        for k in range(4):
            assert np.allclose(box.centers[k], box.points[box.labels == k].mean(0))


def test_starts_end_in_different_optima_and_are_remembered():
    box = LloydStepper()
    box.run_button.click()
    for _ in range(9):
        box.start_button.click()
        assert box.losses == [] and box.labels is None
        box.run_button.click()
    assert len(box.finals) == 10 and max(box.finals) > 2 * min(box.finals)
    assert f"{min(box.finals):.2f}" in box.says.value and "Starts so far: 10" in box.says.value


def test_a_bad_start_by_hand_is_a_local_optimum():
    points = np.array([[1.0, 1], [1, 7], [9, 1], [9, 7]])
    box = stepper(points, centers=[[5, 1], [5, 7]])  # splits the rectangle the wrong way
    box.run_button.click()
    assert box.stuck and box.losses[-1] == 64.0
    for i, (x, y) in enumerate([[1, 4], [9, 4]]):
        click(box.canvas, kind="drag", index=i, x=x, y=y)
    box.run_button.click()
    assert box.losses[-1] == 36.0 and box.finals == [64.0, 36.0]


def test_placing_a_point_starts_anew():
    box = stepper()
    box.run_button.click()
    centers = box.centers.copy()
    click(box.canvas, kind="place", x=5, y=4)
    assert len(box.points) == 5 and box.points[-1].tolist() == [5, 4]
    assert box.losses == [] and box.finals == [] and not box.stuck
    assert (box.centers == centers).all()
    assert len(numbers(box.canvas.points)) == 5
    box.run_button.click()
    assert box.stuck and len(box.labels) == 5


@pytest.mark.filterwarnings("error")
def test_clear_then_place_until_there_are_enough():
    box = stepper(k=3)
    box.clear_button.click()
    assert len(box.points) == 0 and box.centers is None and "Place 3 more points" in box.says.value
    assert box.assign_button.disabled and box.run_button.disabled
    box.run_button.click()  # nothing to do, and no endless loop
    for x in (1, 2):
        click(box.canvas, kind="place", x=x, y=x)
    assert box.centers is None and "Place 1 more point:" in box.says.value
    click(box.canvas, kind="place", x=8, y=8)
    assert sorted(box.centers.tolist()) == [[1, 1], [2, 2], [8, 8]]
    box.run_button.click()
    assert box.stuck and box.losses[-1] == 0


def test_another_number_of_clusters():
    box = LloydStepper()
    box.run_button.click()
    box.k_slider.value = 6
    assert box.centers.shape == (6, 2) and box.finals == [] and box.losses == []


def test_an_empty_cluster_stays_where_it_is():
    box = stepper(SQUARE[:2], centers=[[1, 1], [9, 7]])
    box.assign_button.click()
    box.update_button.click()
    assert box.centers.tolist() == [[1, 1.5], [9, 7]]
    assert "own no point" in box.says.value
    box.run_button.click()
    assert box.stuck


@pytest.mark.filterwarnings("error")  # a warning of matplotlib's would stand in the notebook
def test_the_curve_is_drawn_after_each_step():
    box = LloydStepper()
    seen = {box.curve.value}
    for button in (box.assign_button, box.update_button, box.run_button):
        button.click()
        seen.add(box.curve.value)
    assert len(seen) == 4 and all(value.startswith(b"\x89PNG") for value in seen)
