"""Lloyd's algorithm in half steps, on points that are placed by clicking."""

from __future__ import annotations

import re
from collections.abc import Callable

import ipywidgets as W
import numpy as np
from matplotlib.figure import Figure

from dclib.classroom import plots
from dclib.classroom.demos.picture import Picture
from dclib.classroom.demos.point_canvas import PointCanvas


def blobs(n: int = 60, random_state: int = 0) -> np.ndarray:
    """Points (n, 2) in four round groups of unequal spread, inside the box [0, 10] × [0, 8]."""
    generator = np.random.default_rng(random_state)
    middles = np.array([[2.0, 2.0], [2.6, 5.8], [7.4, 2.4], [7.6, 6.0]])
    spread = np.array([0.5, 0.6, 0.9, 0.45])
    group = np.arange(n) % len(middles)
    points = middles[group] + spread[group, None] * generator.standard_normal((n, 2))
    return points.clip([0.2, 0.2], [9.8, 7.8])


class LloydStepper(W.VBox):
    """Lloyd's algorithm in half steps, on points that are placed by clicking.

    Click on an empty place: a point. Drag a center: another start. The buttons assign the points, move the centers, do
    both until nothing changes, draw a new start, or take all points away. It shows what just happened, the loss after
    each half step, and the final loss of each start so far.

    points (n, 2) in the box [0, 10] × [0, 8], `blobs()` by default. State to read: points, centers, labels, losses
    (after each half step), finals (the loss at which each start got stuck, in order), stuck.
    """

    def __init__(self, points=None, n_clusters: int = 4, random_state: int = 0):
        self.points = np.asarray(blobs() if points is None else points, dtype=float).reshape(-1, 2)
        self._generator = np.random.default_rng(random_state)
        self.centers: np.ndarray | None = None
        self.labels: np.ndarray | None = None
        self.losses: list[float] = []
        self.finals: list[float] = []
        self.stuck, self._assign_next, self._quiet = False, True, False
        self.canvas = PointCanvas(
            view=[0, 10, 0, 8],
            width=480,
            height=390,
            radius=6.0,
            on_place=self.place,
            on_drag=self.drag,
            description="Points and cluster centers. Click to place a point, drag a center to move it. "
            "By keyboard: arrows move a cross-hair, Enter places a point.",
        )
        self.curve = Picture(alt="The loss after each half step")
        self.says = W.HTML()
        self.k_slider = W.IntSlider(n_clusters, min=2, max=8, description="clusters k")
        self.assign_button = self._button(
            "Assign points", self.assign, "primary", "Each point joins its nearest center"
        )
        self.update_button = self._button(
            "Move centers", self.update, "primary", "Each center moves to its points' mean"
        )
        self.run_button = self._button("Run until stuck", self.run, "success", "Both steps until no point changes")
        self.start_button = self._button("New start", self.new_start, "warning", "k of the points become the centers")
        self.clear_button = self._button("Clear points", self.clear, "", "Take all points away")
        self.k_slider.observe(lambda _: self._new_data(), "value")
        wrap = W.Layout(flex_flow="row wrap")
        super().__init__(
            [
                W.HBox([self.assign_button, self.update_button, self.run_button], layout=wrap),
                W.HBox([self.start_button, self.clear_button, self.k_slider], layout=wrap),
                self.says,
                W.HBox([self.canvas, self.curve], layout=W.Layout(flex_flow="row wrap", align_items="flex-start")),
            ]
        )
        self.new_start()

    @staticmethod
    def _button(text: str, action: Callable[[], None], look: str, tip: str) -> W.Button:
        button = W.Button(description=text, button_style=look, tooltip=tip, layout=W.Layout(width="150px"))
        button.on_click(lambda _: action())
        return button

    # what the student can do

    def place(self, x: float, y: float) -> None:
        """Add a point. The centers stay, the losses start anew: it is another data set."""
        self.points = np.vstack([self.points, [x, y]])
        if self.centers is None:
            self._new_data()
        else:
            self.finals.clear()
            self._begin(self.centers, f"Point {len(self.points)} placed. Assign the points.")

    def drag(self, index: int, x: float, y: float) -> None:
        """Move a center by hand: another start."""
        if self.centers is not None:
            centers = self.centers.copy()
            centers[index] = x, y
            self._begin(centers, "You moved a center. That is a new start: assign the points.")

    def new_start(self) -> None:
        """k different points become the centers."""
        k = self.k_slider.value
        if len(self.points) < k:
            missing = k - len(self.points)
            return self._begin(None, f"Place {missing} more point{'s' * (missing > 1)}: {k} centers need {k} points.")
        chosen = self._generator.permutation(len(self.points))[:k]
        self._begin(self.points[chosen], f"{k} of the points are the first centers. Which points will join which?")

    def clear(self) -> None:
        self.points = np.empty((0, 2))
        self._new_data()

    def assign(self) -> None:
        """Half step 1: every point joins its nearest center."""
        if self.centers is None or self.stuck or not self._assign_next:
            return
        nearest = self._squared_distances().argmin(1)
        changed = len(nearest) if self.labels is None else int((nearest != self.labels).sum())
        self.labels, self._assign_next = nearest, False
        self.losses.append(self._loss())
        self.stuck = changed == 0
        if self.stuck:
            self.finals.append(self.losses[-1])
            text = "<b>Stuck:</b> no point changed its cluster, so no center will move again."
        else:
            text = f"{changed} {'point' if changed == 1 else 'points'} changed cluster. Now move the centers."
        self._show(text)

    def update(self) -> None:
        """Half step 2: every center moves to the mean of its points; one without points stays where it is."""
        if self.labels is None or self.centers is None or self.stuck or self._assign_next:
            return
        empty = 0
        for k in range(len(self.centers)):
            own = self.points[self.labels == k]
            empty += not len(own)
            if len(own):
                self.centers[k] = own.mean(0)
        self._trail.append(self.centers.copy())
        self._assign_next = True
        self.losses.append(self._loss())
        note = f" {empty} of them own no point and stay where they are." if empty else ""
        self._show(f"The centers moved to the means of their points.{note} Assign again?")

    def run(self) -> None:
        """Both half steps until no point changes its cluster."""
        while self.centers is not None and not self.stuck:
            self._quiet = True  # one picture at the end
            (self.assign if self._assign_next else self.update)()
            self._quiet = False
        if self.stuck:
            self._show(self._last_text)

    # how it works

    def _new_data(self) -> None:
        self.finals.clear()
        self.new_start()

    def _begin(self, centers: np.ndarray | None, text: str) -> None:
        self.centers = None if centers is None else centers.copy()
        self.labels, self.losses = None, []
        self.stuck, self._assign_next = False, True
        self._trail = [] if centers is None else [centers.copy()]
        self._show(text)

    def _squared_distances(self) -> np.ndarray:
        return ((self.points[:, None] - self.centers) ** 2).sum(2)

    def _loss(self) -> float:
        return float(self._squared_distances()[np.arange(len(self.points)), self.labels].sum())

    def _show(self, text: str) -> None:
        self._last_text = text
        if self._quiet:
            return
        ready = self.centers is not None and not self.stuck
        self.assign_button.disabled = not (ready and self._assign_next)
        self.update_button.disabled = not (ready and not self._assign_next)
        self.run_button.disabled = not ready
        trails = np.array(self._trail) if len(self._trail) > 1 else None
        self.canvas.put(self.points, self.labels, self.centers, trails)
        loss = f" Loss: <b>{self.losses[-1]:.2f}</b>." if self.losses else ""
        starts = ""
        if self.finals:
            best, last = min(self.finals), self.finals[-1]
            starts = f"<br>Starts so far: {len(self.finals)}; lowest final loss <b>{best:.2f}</b>, last {last:.2f}."
        self.says.value = f'<div style="font-size:17px;line-height:1.5">{text}{loss}{starts}</div>'
        self.canvas.status = re.sub("<[^>]*>", "", f"{text}{loss}{starts.replace('<br>', ' ')}")
        self.curve.draw(self._curve())

    def _curve(self) -> Figure:
        with plots.style():
            fig, (top, bottom) = plots.figure(2, 1, width=3.5, height=3.9)
            steps = np.arange(1, len(self.losses) + 1)
            high, end = max(self.losses, default=0) or 1.0, max(self.finals, default=0) or 1.0
            if len(steps):
                top.plot(steps, self.losses, color=plots.GRAY, zorder=1)
                for k, name in enumerate(("points assigned", "centers moved")):
                    top.plot(steps[k::2], self.losses[k::2], "os"[k], color=plots.color(k), markersize=8, label=name)
                top.legend(fontsize=12, handletextpad=0.1)
            top.set(
                xlabel="half step",
                ylabel="loss",
                xlim=(0.5, max(6.5, len(steps) + 0.5)),
                ylim=(-0.05 * high, 1.1 * high),
            )
            starts = np.arange(1, len(self.finals) + 1)
            bottom.plot(starts, self.finals, "D", color=plots.color(2), markersize=9)
            bottom.set(
                xlabel="start",
                ylabel="final loss",
                xlim=(0.5, max(6.5, len(starts) + 0.5)),
                ylim=(-0.05 * end, 1.1 * end),
            )
            for ax in (top, bottom):
                ax.xaxis.set_major_locator(plots.MaxNLocator(integer=True, nbins=8))
            if not self.finals:
                bottom.set_yticks([])
        return fig

    def __repr__(self) -> str:
        return f"LloydStepper({len(self.points)} points)"
