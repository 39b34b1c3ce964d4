"""Live demonstrations for the lessons, on ipywidgets and anywidget.

All of them draw into widgets (an image, a canvas), never into an `Output` area, so that a stored notebook keeps a
meaning and can be checked. What happens on hover happens in the page alone; a click or a button calls Python.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as W
import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from PIL import Image
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, homogeneity_completeness_v_measure

from dclib import metrics, plots
from dclib.dec import soft_assignment
from dclib.training import Callback, Run


class Picture(anywidget.AnyWidget):
    """A PNG with alternative text, drawn anew when its `value` changes; ipywidgets' own Image has no `alt`."""

    _esm = """
    function render({ model, el }) {
      const image = document.createElement("img");
      image.className = "dclib-picture";
      function draw() {
        const old = image.src;
        image.alt = model.get("alt");
        image.src = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
        if (old) URL.revokeObjectURL(old);
      }
      model.on("change:value", draw);
      model.on("change:alt", () => { image.alt = model.get("alt"); });
      draw();
      el.append(image);
    }
    export default { render };
    """
    _css = ".dclib-picture { max-width: 100%; height: auto; }"

    value = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)

    def draw(self, fig: Figure, alt: str | None = None) -> None:
        """Show this figure; `alt` stays as it is if it is not given."""
        with self.hold_sync():
            self.value = plots.to_png(fig)
            if alt is not None:
                self.alt = alt

    def __repr__(self) -> str:
        return f"Picture({self.alt!r})"


# --- a figure with controls -------------------------------------------------------------------------------------------


def slider_figure(
    draw: Callable[..., Figure],
    /,
    *,
    alt: str | Callable[..., str] = "",
    play: str | None = None,
    interval: int = 700,
    **controls: W.ValueWidget,
) -> W.VBox:
    """Controls above a picture: draw(**values) returns a matplotlib Figure, anew whenever a control changes.

    alt: what the picture shows, or a function of the values that says so. play: the name of an IntSlider that gets a
    play button, `interval` milliseconds a step. Raises ValueError for a `play` that is no slider of whole numbers.
    """
    image = Picture()

    def values() -> dict[str, Any]:
        return {name: control.value for name, control in controls.items()}

    def update(_=None) -> None:
        image.draw(draw(**values()), alt(**values()) if callable(alt) else alt)

    rows: list[W.Widget] = []
    for name, control in controls.items():
        control.observe(update, "value")
        rows.append(_with_play_button(control, interval) if name == play else control)
    if play is not None and play not in controls:
        raise ValueError(f"play={play!r} is none of the controls: {', '.join(controls)}.")
    update()
    return W.VBox([*rows, image])


def _with_play_button(slider: W.Widget, interval: int) -> W.HBox:
    if not isinstance(slider, W.IntSlider):
        raise ValueError("Only an IntSlider can be played: give `play` the name of one.")
    button = W.Play(value=slider.value, min=slider.min, max=slider.max, step=slider.step, interval=interval)
    button._repeat = button.loop = False
    W.jslink((button, "value"), (slider, "value"))
    return W.HBox([button, slider])


class LivePlot(Callback):
    """Draws columns of the history during `fit`, a panel for each, in the cell that calls `fit`.

    columns: such as ("loss", "acc"); one that is not there (yet) is left out. every: epochs between two pictures.
    """

    def __init__(self, columns: Sequence[str] = ("loss",), every: int = 1):
        if isinstance(columns, str):
            columns = (columns,)
        self.columns, self.every = tuple(columns), every
        self.image = Picture(alt=f"{', '.join(self.columns)} over the epochs")

    def on_fit_start(self, run: Run) -> None:
        from IPython.display import display

        display(self.image)

    def on_epoch_end(self, run: Run) -> None:
        if run.epoch % self.every == 0:
            self._draw(run)

    def on_fit_end(self, run: Run) -> None:
        self._draw(run)

    def _draw(self, run: Run) -> None:
        shown = [c for c in self.columns if any(c in row for row in run.history.rows)]
        if shown:
            fig, axes = plots.figure(1, len(shown), width=5.0 * len(shown), height=3.5, squeeze=False)
            for column, ax in zip(shown, axes[0], strict=True):
                plots.loss_curve(run.history[column], ax=ax, ylabel=column)
            self.image.draw(fig)

    def __deepcopy__(self, memo) -> LivePlot:
        return self  # scikit-learn's clone copies parameters; a widget on a page has no copy


# --- points that can be hovered and clicked ---------------------------------------------------------------------------

_CSS = """
.dclib-points { position: relative; max-width: 100%; width: fit-content; }
.dclib-points canvas { touch-action: none; }
.dclib-points > canvas { display: block; max-width: 100%; cursor: crosshair; }
.dclib-points > canvas:focus-visible { outline: 3px solid #0072b2; outline-offset: 1px; }
.dclib-card { position: absolute; pointer-events: none; padding: 4px 6px; background: white; color: #222222;
  border: 1px solid #555555; border-radius: 4px; font: 15px sans-serif; text-align: center; z-index: 5; }
.dclib-card[hidden] { display: none; }
.dclib-card canvas { display: block; margin: 0 auto 2px; }
.dclib-card canvas[hidden] { display: none; }
.dclib-live { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
"""


def _pack(array) -> bytes:
    return np.ascontiguousarray(array, dtype="<f4").tobytes()


def _sprite(images) -> tuple[bytes, tuple[int, int]]:
    """Images -> one PNG that holds them in rows (16 shades of gray or 256 colours keep it small), a tile's size."""
    tiles = (plots.pictures(images) * 255).round().astype(np.uint8)
    n, h, w = tiles.shape[:3]
    columns = max(1, min(n, 4000 // w))
    rows = math.ceil(n / columns)
    sheet = np.zeros((rows * columns, *tiles.shape[1:]), np.uint8)
    sheet[:n] = tiles
    sheet = sheet.reshape(rows, columns, h, w, -1).swapaxes(1, 2).reshape(rows * h, columns * w, -1)
    if sheet.shape[2] == 1:
        sheet_image = Image.fromarray(sheet[..., 0] // 16, "P")
        sheet_image.putpalette([shade * 17 for shade in range(16) for _ in "rgb"])
    else:
        sheet_image = Image.fromarray(sheet).quantize(256)
    buffer = io.BytesIO()
    sheet_image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue(), (w, h)


class PointCanvas(anywidget.AnyWidget):
    """Points that show their picture on hover and, with `placing`, take clicks. Drawn by the page, without the kernel.

    points (n, 2), labels (n,) with −1 for none, centers (k, 2), trails (steps, k, 2). images: as `plots.pictures`
    takes them, one a point. on_place(x, y) and on_drag(index, x, y) get data coordinates. From the keyboard: Tab to the
    picture, arrows (with Shift: faster) move a cross-hair, Enter places a point, Escape leaves.
    """

    _esm = Path(__file__).with_name("point_canvas.js")
    _css = _CSS

    points = traitlets.Bytes().tag(sync=True)
    labels = traitlets.Bytes().tag(sync=True)
    centers = traitlets.Bytes().tag(sync=True)
    trails = traitlets.Bytes().tag(sync=True)
    view = traitlets.List([0.0, 1.0, 0.0, 1.0]).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    captions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    tags = traitlets.List(traitlets.Dict()).tag(sync=True)
    sprite = traitlets.Bytes().tag(sync=True)
    tile = traitlets.List([1, 1]).tag(sync=True)
    colors = traitlets.List(list(plots.COLORS)).tag(sync=True)
    markers = traitlets.List(list(plots.MARKERS)).tag(sync=True)
    width = traitlets.Int(520).tag(sync=True)
    height = traitlets.Int(420).tag(sync=True)
    radius = traitlets.Float(5.0).tag(sync=True)
    axes = traitlets.Bool(True).tag(sync=True)
    placing = traitlets.Bool(False).tag(sync=True)
    description = traitlets.Unicode("Scatter plot").tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)  # read out by a screen reader when it changes

    def __init__(
        self,
        points=None,
        labels=None,
        centers=None,
        *,
        images=None,
        view: Sequence[float] | None = None,
        on_place: Callable[[float, float], None] | None = None,
        on_drag: Callable[[int, float, float], None] | None = None,
        **options,
    ):
        super().__init__(**options)
        self._on_place, self._on_drag = on_place, on_drag
        self.placing = self.placing or on_place is not None
        points = self._plane(points)
        self.view = list(map(float, view)) if view is not None else self._view_of(points)
        if images is not None:
            if len(images) != len(points):
                raise ValueError(f"{len(points)} points and {len(images)} images: each point needs one image.")
            self.sprite, tile = _sprite(images)
            self.tile = list(tile)
        self.put(points, labels, centers)
        self.on_msg(self._receive)

    def put(self, points=None, labels=None, centers=None, trails=None) -> None:
        """Show these points, labels, centers and trails in place of the present ones. All that is left out vanishes."""
        points = self._plane(points)
        if labels is not None and len(labels) != len(points):
            raise ValueError(f"{len(points)} points and {len(labels)} labels: each point needs one.")
        with self.hold_sync():
            self.points = _pack(points)
            self.labels = _pack(labels if labels is not None else [])
            self.centers = _pack(centers if centers is not None else [])
            self.trails = _pack(trails if trails is not None else [])

    @staticmethod
    def _plane(points) -> np.ndarray:
        points = np.empty((0, 2)) if points is None else np.asarray(points, dtype=float)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"points have shape {points.shape}: the canvas takes (n, 2).")
        return points

    def _view_of(self, points: np.ndarray) -> list[float]:
        """The points' box with a margin, one unit of data the same length on both axes."""
        if not len(points):
            return [0.0, 10.0, 0.0, 10.0 * self.height / self.width]
        low, high = points.min(0), points.max(0)
        middle, unit = (low + high) / 2, max((high - low) / [self.width, self.height]) * 1.08 or 1.0
        half = unit * np.array([self.width, self.height]) / 2
        return [float(v) for v in (middle[0] - half[0], middle[0] + half[0], middle[1] - half[1], middle[1] + half[1])]

    def _receive(self, _widget, message: dict, _buffers) -> None:
        if message.get("kind") == "place" and self._on_place:
            self._on_place(float(message["x"]), float(message["y"]))
        elif message.get("kind") == "drag" and self._on_drag:
            self._on_drag(int(message["index"]), float(message["x"]), float(message["y"]))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.description!r})"


class HoverDigits(PointCanvas):
    """A 2-D embedding z (n, 2): hover a point and see its image.

    y (n,): classes, which give colour, marker and the names at the medians. At most `max_points` are shown, drawn
    without replacement by `random_state`, since their images are part of the page.
    """

    def __init__(
        self,
        z,
        images,
        y=None,
        *,
        names: Sequence[str] | None = None,
        max_points: int = 1500,
        random_state: int = 0,
        **options,
    ):
        z, images = np.asarray(z, dtype=np.float32), np.asarray(images)
        if len(z) != len(images):
            raise ValueError(f"z has {len(z)} points and there are {len(images)} images: each point needs one.")
        if len(z) > max_points:
            kept = np.sort(np.random.default_rng(random_state).permutation(len(z))[:max_points])
            z, images = z[kept], images[kept]
            y = None if y is None else np.asarray(y)[kept]
        if y is not None:
            y = np.asarray(y).astype(int)
            names = [str(k) for k in range(y.max() + 1)] if names is None else [str(name) for name in names]
            middles = {int(k): np.median(z[y == k], axis=0) for k in np.unique(y)}
            options["names"] = names
            options["tags"] = [
                {"x": float(x), "y": float(y_), "text": names[k], "color": plots.text_color(k)}
                for k, (x, y_) in middles.items()
            ]
        options = {"width": 720, "height": 540, "radius": 4.0, "axes": False} | options
        options.setdefault("description", "Points of an embedding. Move over a point to see its image.")
        super().__init__(z, y, images=images, **options)


# --- Lloyd's algorithm, step by step ----------------------------------------------------------------------------------


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


# --- a contingency table to change ------------------------------------------------------------------------------------


class JudgeTable(W.VBox):
    """A contingency table to change: type counts, split, merge, rename or shuffle clusters, and watch every score.

    table: counts (n_classes, n_clusters). examples: {name: table}, more tables to start from. There is room for
    `max_clusters` clusters; an empty column is no cluster. The picture frames the cells that ACC counts as right. Each
    bar has the score's change since the last move, and a tick at the mean score of shuffled labels (`chance`).
    ValueError unless the tables hold counts for the same classes.
    """

    SCORES = {
        "acc": "ACC",
        "purity": "purity",
        "homogeneity": "homogeneity",
        "completeness": "completeness",
        "v_measure": "V = NMI",
        "ari": "ARI",
    }

    def __init__(self, table, class_names=None, examples=None, max_clusters=6):
        self.n_classes, self.max_clusters = len(table), max_clusters
        self.class_names = list(class_names or (f"class {i}" for i in range(self.n_classes)))
        self.examples = {name: self._padded(t) for name, t in {"the table above": table, **(examples or {})}.items()}
        self._rng = np.random.default_rng(0)
        self._quiet = False
        self.scores: dict[str, float] = {}
        self.chance: dict[str, float] = {}

        self.example = W.Dropdown(options=list(self.examples), description="Start from", layout=W.Layout(width="380px"))
        self.again = W.Button(description="Back to it", layout=W.Layout(width="110px"))
        box = W.Layout(width="68px")
        self.cells = [
            [
                W.BoundedIntText(int(n), min=0, max=99, layout=box, tooltip=f"{name}, cluster {k}")
                for k, n in enumerate(row)
            ]
            for name, row in zip(self.class_names, self.examples["the table above"], strict=True)
        ]
        grid: list[W.Widget] = [W.Label(""), *(W.Label(f"cluster {k}", layout=box) for k in range(max_clusters))]
        for name, row in zip(self.class_names, self.cells, strict=True):
            grid += [W.Label(name), *row]
        changes = {
            "Split a cluster": self._split,
            "Merge two clusters": self._merge,
            "Rename clusters": lambda table: table[:, self._rng.permutation(max_clusters)],
            "Shuffle labels": self._shuffled,
        }
        self.buttons = {name: W.Button(description=name, layout=W.Layout(width="150px")) for name in changes}
        for name, change in changes.items():
            self.buttons[name].on_click(lambda _, change=change: self.set_table(change(self.table)))
        self.image = Picture()
        self.message = W.HTML()

        self.example.observe(lambda change: self.set_table(self.examples[change["new"]]), "value")
        self.again.on_click(lambda _: self.set_table(self.examples[self.example.value]))
        for cell in (cell for row in self.cells for cell in row):
            cell.observe(self._update, "value")
        columns = W.Layout(grid_template_columns=f"76px repeat({max_clusters}, 74px)")
        super().__init__(
            [
                W.HBox([self.example, self.again]),
                W.GridBox(grid, layout=columns),
                W.HBox(list(self.buttons.values()), layout=W.Layout(flex_flow="row wrap")),
                self.image,
                self.message,
            ]
        )
        self._update()

    @property
    def table(self) -> np.ndarray:
        """The counts (n_classes, max_clusters) as they stand."""
        return np.array([[cell.value for cell in row] for row in self.cells])

    def set_table(self, table) -> None:
        """Show other counts (n_classes, up to max_clusters), as one move."""
        table = self._padded(table)
        self._quiet = True
        for cell, count in zip((cell for row in self.cells for cell in row), table.ravel(), strict=True):
            cell.value = int(count)
        self._quiet = False
        self._update()

    def _padded(self, table) -> np.ndarray:
        table = np.asarray(table)
        if table.ndim != 2 or table.dtype.kind not in "iu" or table.min(initial=0) < 0:
            raise ValueError("A table must hold counts, whole numbers (n_classes, n_clusters) of at least 0.")
        if len(table) != self.n_classes or table.shape[1] > self.max_clusters:
            room = f"{self.n_classes} classes and at most {self.max_clusters} clusters"
            raise ValueError(f"A table must have {room}, but its shape is {table.shape}.")
        return np.pad(table, ((0, 0), (0, self.max_clusters - table.shape[1])))

    def _split(self, table):
        """Half of the largest cluster, drawn at random, moves to an empty column (if there is one)."""
        empty = np.flatnonzero(table.sum(axis=0) == 0)
        if len(empty):
            largest = table.sum(axis=0).argmax()
            moved = self._rng.multivariate_hypergeometric(table[:, largest], table[:, largest].sum() // 2)
            table[:, empty[0]] += moved
            table[:, largest] -= moved
        return table

    def _merge(self, table):
        """The smallest cluster joins the next smallest."""
        sizes = table.sum(axis=0)
        order = [k for k in np.argsort(sizes, kind="stable") if sizes[k]]
        if len(order) > 1:
            table[:, order[1]] += table[:, order[0]]
            table[:, order[0]] = 0
        return table

    def _shuffled(self, table, rng=None):
        """The same class and cluster sizes, labels dealt out at random."""
        y, labels = _labels_of(table)
        new = np.zeros_like(table)
        np.add.at(new, (y, (rng or self._rng).permutation(labels)), 1)
        return new

    def _measure(self, table) -> dict[str, float]:
        # Not metrics.scores, which computes V twice (as NMI): this runs 31 times for a click.
        y, labels = _labels_of(table)
        homogeneity, completeness, v_measure = map(float, homogeneity_completeness_v_measure(y, labels))
        acc, ari = metrics.clustering_accuracy(y, labels), float(adjusted_rand_score(y, labels))
        values = (acc, metrics.purity(y, labels), homogeneity, completeness, v_measure, ari)
        return dict(zip(self.SCORES, values, strict=True))

    def _update(self, _=None) -> None:
        if self._quiet:
            return
        table = self.table
        if not table.any():
            self._say("The table is empty. Give some class a sample in some cluster.")
            return
        before, self.scores = self.scores, self._measure(table)
        rng = np.random.default_rng(0)
        shuffled = [self._measure(self._shuffled(table, rng)) for _ in range(30)]
        self.chance = {name: float(np.mean([s[name] for s in shuffled])) for name in self.SCORES}
        values = ", ".join(f"{text} {self.scores[name]:.2f}" for name, text in self.SCORES.items())
        self.image.draw(
            self._draw(table, before), alt=f"The counts, the matched cells framed, and a bar a score: {values}"
        )
        self._say(self._in_words(table))

    def _say(self, text: str) -> None:
        self.message.value = f'<div style="font-size:17px;line-height:1.5" aria-live="polite">{text}</div>'

    def _draw(self, table, before) -> Figure:
        fig, (left, right) = plots.figure(1, 2, width=11, height=3.6, width_ratios=[1.15, 1])
        plots.contingency(table, rows=self.class_names, ylabel="", ax=left)
        plots.frame_match(left, table)
        for place, name in enumerate(self.SCORES):
            value, chance = self.scores[name], self.chance[name]
            right.barh(place, value, height=0.6, color=plots.color(1 if name == "acc" else 4))
            right.plot([chance, chance], [place - 0.42, place + 0.42], color="black", linewidth=3)
            move = value - before.get(name, value)
            note = f"{value:.2f}" + (f"  ({move:+.2f})" if abs(move) >= 0.005 else "")
            right.text(max(value, chance, 0) + 0.03, place, note.replace("-", "−"), va="center", fontsize=14)
        right.set_yticks(range(len(self.SCORES)), self.SCORES.values())
        right.invert_yaxis()
        lowest = min(0.0, *self.scores.values(), *self.chance.values())
        right.set(xlim=(lowest - 0.02, 1.5), xticks=[0, 0.5, 1], xlabel="score (black tick: shuffled labels)")
        right.xaxis.set_label_coords(0.36, -0.13)
        return fig

    def _in_words(self, table) -> str:
        used = np.flatnonzero(table.any(axis=0))
        rows, columns = linear_sum_assignment(table[:, used], maximize=True)
        pairs = [(self.class_names[i], used[k]) for i, k in zip(rows, columns, strict=True) if table[i, used[k]]]
        text = "ACC: " + ", ".join(f"cluster {k} stands for {name}" for name, k in pairs) + "."
        alone = np.delete(used, columns)  # clusters for which no class is left
        if len(alone):
            text += f" No class is left for cluster {', '.join(map(str, alone))}: {table[:, alone].sum()} wrong."
        lost = [i for i in range(self.n_classes) if i not in rows and table[i].any()]
        if lost:
            names = ", ".join(self.class_names[i] for i in lost)
            text += f" No cluster is left for {names}: {table[lost].sum()} wrong."
        return text

    def __repr__(self) -> str:
        return f"JudgeTable({self.table.sum()} samples)"


def _labels_of(table) -> tuple[np.ndarray, np.ndarray]:
    """Classes and clusters (n,) of the samples that a contingency table counts."""
    rows, columns = np.indices(table.shape)
    return np.repeat(rows.ravel(), table.ravel()), np.repeat(columns.ravel(), table.ravel())


# --- DEC: what the target p does to the assignment q ------------------------------------------------------------------


def sharpened(q, power: float = 2.0, frequency: float = 1.0) -> np.ndarray:
    """p_ij ∝ q_ij^power / f_j^frequency with f_j = Σ_i q_ij, rows sum to one. (n, k) -> (n, k)

    power=2, frequency=1 is DEC's target (Xie et al. 2016, equation 3); power=1, frequency=0 leaves q as it is.
    """
    q = np.asarray(q, dtype=float)
    weight = q**power / q.sum(axis=0) ** frequency
    return weight / weight.sum(axis=1, keepdims=True)


def pull(z, centers, p, q, alpha: float = 1.0) -> np.ndarray:
    """Where gradient descent moves each code: −∂/∂z_i Σ_j p_ij log(p_ij / q_ij) for fixed p, (n, d).

    = (α+1)/α Σ_j (1 + ‖z_i − μ_j‖²/α)^(−1) (p_ij − q_ij) (μ_j − z_i)   (Xie et al. 2016, equation 4, its sign turned)
    """
    z, centers = np.asarray(z, dtype=float), np.asarray(centers, dtype=float)
    way = centers[None] - z[:, None]  # (n, k, d)
    weight = (np.asarray(p) - q) / (1 + (way**2).sum(2) / alpha)  # (n, k)
    return (alpha + 1) / alpha * (weight[..., None] * way).sum(1)


class TargetSharpener(W.VBox):
    """DEC's target p on points in the plane: sliders for the power of q and for the division by the cluster frequency.

    Left: the points, coloured by their most likely cluster under q, and the pull of KL(P‖Q) on each of them.
    Right: q and p of the points A, B, C, …, their difference, and the share of all samples that each cluster holds.

    points (n, 2), centers (k, 2), by default a large and two small groups; named: the rows shown as A, B, C, …
    State to read: q, p (n, k), arrows (n, 2).
    """

    CENTERS = ((1.0, 1.4), (4.2, 0.9), (3.4, 3.9))
    NAMED = ((1.9, 1.5), (2.5, 1.3), (2.5, 2.8))  # A sure; B a little nearer to the large group; C between all

    def __init__(self, points=None, centers=None, named: Sequence[int] = (0, 1, 2)):
        if points is None:
            generator = np.random.default_rng(3)
            middles = np.repeat(self.CENTERS if centers is None else centers, [22, 6, 6], axis=0)
            points = np.vstack([self.NAMED, middles + 0.5 * generator.standard_normal(middles.shape)])
        self.points = np.asarray(points, dtype=float)
        self.centers = np.asarray(self.CENTERS if centers is None else centers, dtype=float)
        self.named = tuple(named)
        wide = {"style": {"description_width": "150px"}, "layout": W.Layout(width="480px")}
        self.power = W.FloatSlider(2.0, min=0.5, max=6.0, step=0.5, description="power of q", **wide)
        self.frequency = W.FloatSlider(1.0, min=0.0, max=2.0, step=0.25, description="divide by frequency", **wide)
        self.alpha = W.FloatSlider(1.0, min=0.5, max=10.0, step=0.5, description="degrees of freedom α", **wide)
        self.says = W.HTML()
        self.image = Picture()
        super().__init__([self.power, self.frequency, self.alpha, self.says, self.image])
        for slider in (self.power, self.frequency, self.alpha):
            slider.observe(self._update, "value")
        self._update()

    def _update(self, _=None) -> None:
        alpha = self.alpha.value
        z, centers = torch.from_numpy(self.points), torch.from_numpy(self.centers)
        self.q = soft_assignment(z, centers, alpha).numpy()
        self.p = sharpened(self.q, self.power.value, self.frequency.value)
        self.arrows = pull(self.points, self.centers, self.p, self.q, alpha)
        self.says.value = self._in_words()
        rows = zip(self.named, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", strict=False)
        bars = [f"{name}: q {self.q[i].round(2).tolist()}, p {self.p[i].round(2).tolist()}" for i, name in rows]
        self.image.draw(self._draw(), alt=f"The pull on each point, and q and p by cluster. {'; '.join(bars)}.")

    def _in_words(self) -> str:
        sure = [f"{d.max(axis=1).mean():.2f}" for d in (self.q, self.p)]
        large = [f"{d.mean(axis=0).max():.2f}" for d in (self.q, self.p)]
        kl = float((self.p * np.log(self.p / self.q)).sum(axis=1).mean())
        setting = " (DEC's target)" if (self.power.value, self.frequency.value) == (2.0, 1.0) else ""
        return (
            f"p ∝ q<sup>{self.power.value:g}</sup> / f<sup>{self.frequency.value:g}</sup>{setting}. "
            f"Mean of the largest probability: {sure[0]} in q, {sure[1]} in p. "
            f"Share of the largest cluster: {large[0]} in q, {large[1]} in p. KL(P‖Q) = {kl:.3f}."
        )

    def _draw(self) -> Figure:
        fig, (left, right) = plots.figure(1, 2, width=12, height=4.8, width_ratios=[1.1, 1])
        letters = [chr(ord("A") + i) for i in range(len(self.named))]
        rows = list(self.named)
        with plots.style():
            plots.clusters(self.points, self.q.argmax(axis=1), self.centers, ax=left, size=45)
            left.set_title("the pull, doubled")
            arrow = {"angles": "xy", "scale_units": "xy", "scale": 0.5, "width": 0.006, "color": "0.25", "zorder": 4}
            left.quiver(*self.points.T, *self.arrows.T, **arrow)
            for letter, row in zip(letters, rows, strict=True):
                plots.label(left, self.points[row, 0], self.points[row, 1] + 0.28, letter)
            before = np.vstack([self.q[rows], self.q.mean(axis=0)])
            after = np.vstack([self.p[rows], self.p.mean(axis=0)])
            self._bars(right, before, after)
            right.set_xticks(range(len(before)), [*letters, "all\n(share)"])
            right.set(ylim=(0, 1.2), yticks=[0, 0.5, 1], ylabel="probability", title="q outlined, p filled, p − q")
        return fig

    @staticmethod
    def _bars(ax, before, after) -> None:
        """Groups of bars, one group for each row of before and after (m, k)."""
        k = before.shape[1]
        width = 0.85 / k
        for (group, j), q in np.ndenumerate(before):
            p, x = after[group, j], group + (j - (k - 1) / 2) * width
            ax.bar(x, p, width * 0.9, color=plots.color(j))
            ax.bar(x, q, width * 0.9, fill=False, edgecolor="black", linewidth=1.8)
            note = f"{p - q:+.2f}".replace("-", "−")
            ax.text(x, max(p, q) + 0.02, note, ha="center", va="bottom", rotation=90, fontsize=12)

    def __repr__(self) -> str:
        return f"TargetSharpener({len(self.points)} points)"
