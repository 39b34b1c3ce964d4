"""Points that can be hovered; the page's half is `point_canvas.js`."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from PIL import Image

from dclib.classroom import plots

_CSS = """
.dclib-points { position: relative; max-width: 100%; width: fit-content; }
.dclib-points canvas { touch-action: none; }
.dclib-points > canvas { display: block; max-width: 100%; }
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


def sprite_of(images) -> tuple[bytes, tuple[int, int]]:
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
    """Points that show their picture on hover. Drawn by the page, without the kernel.

    points (n, 2), labels (n,) with −1 for none. images: as `plots.pictures` takes them, one a point. From the keyboard:
    Tab to the picture, arrows (with Shift: faster) move a cross-hair, Escape leaves.
    """

    _esm = Path(__file__).with_name("point_canvas.js")
    _css = _CSS

    points = traitlets.Bytes().tag(sync=True)
    labels = traitlets.Bytes().tag(sync=True)
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
    description = traitlets.Unicode("Scatter plot").tag(sync=True)

    def __init__(
        self,
        points=None,
        labels=None,
        *,
        images=None,
        view: Sequence[float] | None = None,
        **options,
    ):
        super().__init__(**options)
        points = self._plane(points)
        self.view = list(map(float, view)) if view is not None else self._view_of(points)
        if images is not None:
            if len(images) != len(points):
                raise ValueError(f"{len(points)} points and {len(images)} images: each point needs one image.")
            self.sprite, tile = sprite_of(images)
            self.tile = list(tile)
        self.put(points, labels)

    def put(self, points=None, labels=None) -> None:
        """Show these points and labels in place of the present ones. What is left out vanishes."""
        points = self._plane(points)
        if labels is not None and len(labels) != len(points):
            raise ValueError(f"{len(points)} points and {len(labels)} labels: each point needs one.")
        with self.hold_sync():
            self.points = _pack(points)
            self.labels = _pack(labels if labels is not None else [])

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
