"""LivePlot: a picture for each epoch, one panel a column of the history."""

import copy
import io

from PIL import Image

from dclib.classroom.demos.live_plot import LivePlot
from dclib.engine.callbacks import History


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
