"""The figures that the lessons share: plain arrays in, matplotlib out.

A drawing function takes `ax=` and returns the axes; one that fills a whole figure returns the figure. `show(…, alt=…)`
puts either on the page. Nothing here touches matplotlib's settings on import: call `use_style()`, or `with style():`.
"""

from __future__ import annotations

import base64
import html
import io
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

# Ten colours that stay apart for readers with any of the three colour-vision deficiencies (CIEDE2000 difference of
# at least 12 under the simulation of Machado et al. 2009; tests/test_plots.py measures it).
# The first three are Okabe and Ito's.
COLORS = (
    "#0072b2",  # blue
    "#e69f00",  # orange
    "#009e73",  # green
    "#aa3377",  # purple
    "#88ccee",  # sky
    "#bd1f01",  # red
    "#000000",  # black
    "#bbbbbb",  # gray
    "#440154",  # indigo
    "#661100",  # brown
)
# A second sign beside the colour. `dclib.classroom.demos.point_canvas.PointCanvas` draws the same shapes.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "p", "h")
GRAY = "#666666"  # for what is not a cluster: grid, notes, points without a label

STYLE: Any = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 15,  # readable from the last row: 21 px at 100 px per inch
    "axes.titlesize": 16,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 15,
    "xtick.labelsize": 13,
    "ytick.labelsize": 13,
    "legend.fontsize": 13,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "lines.linewidth": 2.5,
    "image.interpolation": "nearest",
    "image.cmap": "gray",
    "axes.prop_cycle": cycler(color=COLORS),
}


def color(index: int) -> str:
    """The colour of cluster or class `index`; after ten they repeat with the next marker."""
    return COLORS[int(index) % len(COLORS)]


def marker(index: int) -> str:
    """The marker of cluster or class `index`: ten, then the same ten moved on by one, so that 100 pairs differ."""
    return MARKERS[(int(index) + int(index) // len(COLORS)) % len(MARKERS)]


def style() -> AbstractContextManager:
    """Context in which figures have the lessons' style."""
    return mpl.rc_context(STYLE)


def use_style() -> None:
    """The lessons' style from here on."""
    mpl.rcParams.update(STYLE)


def figure(rows: int = 1, columns: int = 1, *, width: float = 9.0, height: float = 4.5, **options) -> Any:
    """(figure, axes) of that size in inches, in the lessons' style. pyplot does not know it: nothing is shown twice.

    `options` go to `Figure.subplots` (sharex, width_ratios, …).
    """
    with style():
        fig = Figure(figsize=(width, height))
        return fig, fig.subplots(rows, columns, **options)


def _axes(ax: Axes | None, width: float = 8.0, height: float = 5.0) -> Axes:
    return ax if ax is not None else figure(width=width, height=height)[1]


# --- to the page ------------------------------------------------------------------------------------------------------


def to_png(fig: Figure, dpi: int = 100) -> bytes:
    """The figure as PNG, without the library's version in it, so that the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with style():
        fig.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


class Picture:
    """A PNG with alternative text, as HTML: JupyterLab and nbconvert's lab template drop `alt` from PNG outputs."""

    def __init__(self, png: bytes, alt: str, width: int):
        if not alt.strip():
            raise ValueError("alt is empty: say in a sentence what the figure shows, for readers who cannot see it.")
        self.png, self.alt, self.width = png, " ".join(alt.split()), width

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode()
        alt = html.escape(self.alt)
        size = f'width="{self.width}" style="max-width:100%;height:auto"'
        return f'<img alt="{alt}" {size} src="data:image/png;base64,{data}">'

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"


def show(what: Figure | Axes, *, alt: str, dpi: int = 150) -> None:
    """Put a figure (or the figure of these axes) on the page as a picture with the alternative text `alt`.

    100 pixels of the page are an inch of the figure; `dpi` above 100 keeps it sharp on a fine screen. ValueError if
    `alt` is empty. Write it without numbers that come from training: stored outputs are compared word for word.
    """
    from IPython.display import display

    fig = what.get_figure() if isinstance(what, Axes) else what
    if not isinstance(fig, Figure):
        raise ValueError(f"show takes a matplotlib Figure or Axes, not {type(what).__name__}.")
    display(Picture(to_png(fig, dpi), alt, round(fig.get_figwidth() * 100)))
    if "matplotlib.pyplot" in sys.modules:  # its figure would be shown again at the end of the cell
        import matplotlib.pyplot as plt

        plt.close(fig)


# --- labels in the picture --------------------------------------------------------------------------------------------


def label(ax: Axes, x: float, y: float, text: str, **options):
    """Text at a point of the data, with a white edge, so that it can be read on top of points."""
    given: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "fontweight": "bold",
        "fontsize": 15,
        "zorder": 6,
    } | options
    edge = [patheffects.withStroke(linewidth=4, foreground="white")]
    return ax.text(x, y, text, path_effects=edge, **given)


def _spread(values: np.ndarray, gap: float) -> np.ndarray:
    """The values moved apart until neighbours differ by `gap`, keeping their order and middle."""
    order = np.argsort(values, kind="stable")
    moved = values[order].astype(float)
    for _ in range(200):
        short = gap - np.diff(moved)
        if (short <= 1e-9 * gap).all():
            break
        push = np.maximum(short, 0) / 2
        moved[:-1] -= push
        moved[1:] += push
    result = np.empty_like(moved)
    result[order] = moved
    return result


# --- points -----------------------------------------------------------------------------------------------------------


def clusters(
    x,
    labels=None,
    centers=None,
    *,
    ax: Axes | None = None,
    names: Sequence[str] | None = None,
    paths=None,
    size: float | None = None,
    title: str = "",
) -> Axes:
    """Points x (n, 2), coloured by labels (n,), with their centers (k, 2) as crosses.

    names: written at the cluster's center (median of its points where there are no centers). paths: (steps, k, 2), the
    way that each center went, with a ring at its start. size: area of a point in square points; by default smaller the
    more points there are.
    Equal scales on both axes, since k-means judges by distance. Raises ValueError unless x has two columns.
    """
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"x has shape {x.shape}: a scatter plot needs points (n, 2).")
    size = size or float(np.clip(20_000 / max(len(x), 1), 4, 60))
    ax = _axes(ax)
    with style():
        if labels is None:
            ax.scatter(x[:, 0], x[:, 1], s=size, color=GRAY, alpha=0.5, linewidths=0)
        else:
            named: list[np.ndarray] = []
            labels, gap = np.asarray(labels), 0.06 * np.ptp(x, axis=0).max()
            for k in np.unique(labels):
                own = x[labels == k]
                ax.scatter(own[:, 0], own[:, 1], s=size, color=color(k), marker=marker(k), alpha=0.6, linewidths=0)
                if names is not None:
                    at = np.asarray(centers)[k] if centers is not None else np.median(own, axis=0)
                    while centers is None and any(np.abs(at - other).max() < gap for other in named):
                        at = at + [0, gap]  # above the name that is there already
                    named.append(at)
                    label(ax, at[0], at[1], names[k], color=text_color(k))
        if paths is not None:
            for k, path in enumerate(np.asarray(paths).transpose(1, 0, 2)):
                ax.plot(*path.T, color="white", linewidth=4.5, zorder=4)
                ax.plot(
                    *path.T,
                    color=text_color(k),
                    linewidth=2,
                    marker=".",
                    markersize=7,
                    markevery=slice(1, None),
                    zorder=4.5,
                )
                for line, edge in ((4, "white"), (2, text_color(k))):  # the start: a ring, above another's cross
                    ax.scatter(
                        path[0, 0], path[0, 1], s=60, facecolors="none", edgecolors=edge, linewidths=line, zorder=6
                    )
        if centers is not None:
            cross(ax, centers)
        ax.set_aspect("equal", adjustable="datalim")
        ax.set(xlabel="$x_1$", ylabel="$x_2$", title=title)
    return ax


def cross(ax: Axes, centers, size: float = 220) -> None:
    """Centers (k, 2) as crosses with a white edge."""
    centers = np.asarray(centers)
    for k, at in enumerate(centers):
        ax.scatter(at[0], at[1], s=size, marker="X", color=text_color(k), edgecolors="white", linewidths=2, zorder=5)


def border(ax: Axes, a, b) -> None:
    """The line halfway between two centers a, b (2,): on which side of it a point lies decides its cluster."""
    a, b = np.asarray(a), np.asarray(b)
    middle, along = (a + b) / 2, np.array([b[1] - a[1], a[0] - b[0]])
    # A second point close by: both lie among the points, and the limits of the axes stay what the points need.
    ax.axline(middle, middle + along / 100, color="black", linestyle="--", linewidth=2.5)


def lloyd_run(x, labels, losses, path) -> Figure:
    """One run of Lloyd's algorithm on points x (n, 2): how the centers moved, and the loss after each half step.

    labels (n,), losses: one after each assignment and each update in turn, path (steps, k, 2) of the centers.
    """
    fig, (left, right) = figure(1, 2, width=11, height=4.6, width_ratios=[1.3, 1])
    clusters(x, labels, path[-1], paths=path, ax=left, title="The centres move from ○ to ×")
    half, thousands = np.arange(1, len(losses) + 1), np.asarray(losses) / 1000
    with style():
        right.plot(half, thousands, color=GRAY)
        right.plot(half[::2], thousands[::2], "o", markersize=9, label="points assigned")
        right.plot(half[1::2], thousands[1::2], "s", markersize=9, label="centres moved")
        right.set(xlabel="half step", ylabel="loss, in thousands", ylim=(0, None), title="The loss")
        right.legend()
    return fig


def embedding(
    z,
    y=None,
    *,
    ax: Axes | None = None,
    names: Sequence[str] | None = None,
    size: float | None = None,
    title: str = "",
    axis_names: tuple[str, str] = ("", ""),
) -> Axes:
    """A 2-D embedding z (n, 2) coloured by class y (n,), with the class's name at the median of its points.

    The axes carry no ticks unless `axis_names` are given: the coordinates of t-SNE or of a latent space have no unit.
    """
    if y is not None:
        classes = int(np.max(y)) + 1
        names = names if names is not None else [str(k) for k in range(classes)]
    ax = clusters(z, y, ax=ax, names=names, size=size, title=title)
    ax.set(xlabel=axis_names[0], ylabel=axis_names[1])
    if not any(axis_names):
        ax.set(xticks=[], yticks=[])
    return ax


def text_color(index: int) -> str:
    """The colour of cluster or class `index`, dark enough for text on white."""
    return to_hex(_dark(color(index)))


def _dark(value: str) -> tuple[float, float, float]:
    """The colour, darkened until text in it can be read on white (contrast of at least 4.5)."""
    rgb = np.array(to_rgb(value))
    while 1.05 / (_luminance(rgb) + 0.05) < 4.5:
        rgb = rgb * 0.92
    return float(rgb[0]), float(rgb[1]), float(rgb[2])


def _luminance(rgb) -> float:
    """Relative luminance of an sRGB colour in [0, 1] (WCAG 2)."""
    rgb = np.asarray(rgb, dtype=float)[:3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# --- soft clusters ----------------------------------------------------------------------------------------------------


def mixed_colors(weights) -> np.ndarray:
    """The clusters' colours, mixed by weights (n, k) whose rows sum to one -> RGB (n, 3)."""
    weights = np.asarray(weights, dtype=float)
    return (weights @ np.array([to_rgb(color(k)) for k in range(weights.shape[1])])).clip(0, 1)


def responsibilities(ax: Axes, x, weights, size: float | None = None) -> Axes:
    """Points x (n, 2) in the clusters' colours mixed by responsibilities (n, k), with the marker of the largest."""
    x, weights = np.asarray(x), np.asarray(weights)
    shades, best = mixed_colors(weights), weights.argmax(1)
    size = size or float(np.clip(20_000 / max(len(x), 1), 6, 40))
    with style():
        for k in np.unique(best):
            own = best == k
            ax.scatter(x[own, 0], x[own, 1], s=size, c=shades[own], marker=marker(k), linewidths=0, alpha=0.8)
    return ax


def ellipse(ax: Axes, mean, covariance, index: int, deviations: Sequence[float] = (1, 2), **options) -> None:
    """The ellipses (x − μ)ᵀ Σ⁻¹ (x − μ) = deviations² of a Gaussian in the plane, in the colour of cluster `index`."""
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = np.linalg.cholesky(np.asarray(covariance, dtype=float)) @ np.stack([np.cos(angle), np.sin(angle)])
    given: dict[str, Any] = {"color": text_color(index), "linewidth": 2.5, "zorder": 4} | options
    with style():
        for radius in deviations:
            ax.plot(*(np.asarray(mean)[:, None] + radius * circle), **given)
        ax.scatter(
            mean[0], mean[1], s=160, marker="X", color=given["color"], edgecolors="white", linewidths=2, zorder=5
        )


def mixture(x, model, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Points x (n, 2), coloured by the responsibilities of a fitted mixture, its ellipses at one and two deviations.

    model: dclib's GaussianMixture or scikit-learn's.
    """
    ax = responsibilities(_axes(ax), x, model.predict_proba(x))
    means, found = np.asarray(model.means_), np.asarray(model.covariances_)
    matrices: dict[str, Any] = {
        "full": lambda: found,
        "tied": lambda: [found] * len(means),
        "diag": lambda: [np.diag(row) for row in found],
        "spherical": lambda: [value * np.eye(2) for value in found],
    }
    for index, (mean, covariance) in enumerate(zip(means, matrices[model.covariance_type](), strict=True)):
        ellipse(ax, mean, covariance, index)
    with style():
        ax.set_aspect("equal", adjustable="datalim")
        ax.set(xlabel="$x_1$", ylabel="$x_2$")
        ax.set_title(title)
    return ax


def loop(ax: Axes, there: str, back: str) -> None:
    """Two arrows for the space between two panels of a schematic drawing, there and back, with what each carries."""
    with style():
        ax.set_axis_off()
        ax.set(xlim=(0, 1), ylim=(0, 1))
        for height, text, start, end in ((0.68, there, 0.03, 0.97), (0.28, back, 0.97, 0.03)):
            arrow = {"arrowstyle": "-|>", "lw": 5, "color": GRAY, "mutation_scale": 30}
            ax.annotate("", xy=(end, height), xytext=(start, height), arrowprops=arrow)
            ax.text(0.5, height + 0.05, text, ha="center", va="bottom", fontsize=15)


def step(ax: Axes, text: str) -> None:
    """One arrow for the space between two panels of a schematic drawing, with what it stands for."""
    with style():
        ax.set_axis_off()
        ax.set(xlim=(0, 1), ylim=(0, 1))
        arrow = {"arrowstyle": "-|>", "lw": 5, "color": GRAY, "mutation_scale": 30}
        ax.annotate("", xy=(0.97, 0.42), xytext=(0.03, 0.42), arrowprops=arrow)
        ax.text(0.5, 0.5, text, ha="center", va="bottom", fontsize=13)


# --- curves and tables ------------------------------------------------------------------------------------------------


def loss_curve(
    losses: Sequence[float] | Mapping[str, Sequence[float]],
    *,
    ax: Axes | None = None,
    first: int = 1,
    xlabel: str = "epoch",
    ylabel: str = "loss",
    title: str = "",
    log: bool = False,
) -> Axes:
    """One curve, or several by name, each named at its right end. `first` is the number of the first value's epoch.

    Values that are NaN (not measured in that epoch) are left out of the line.
    """
    curves = losses if isinstance(losses, Mapping) else {"": losses}
    ax = _axes(ax, height=4.0)
    ends = []
    with style():
        for k, (name, values) in enumerate(curves.items()):
            y = np.asarray(values, dtype=float)
            steps, known = np.arange(first, first + len(y)), np.isfinite(y)
            sign = marker(k) if known.sum() <= 40 else ""
            ax.plot(steps[known], y[known], color=color(k), marker=sign, markersize=7)
            if name and known.any():
                ends.append((name, steps[known][-1], y[known][-1], color(k)))
        if log:
            ax.set_yscale("log")
        ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if ends:
            _name_ends(ax, ends)
    return ax


def _name_ends(ax: Axes, ends: list[tuple[str, float, float, str]]) -> None:
    """Each curve's name to the right of its last point, moved apart where they would overlap."""
    to_axes = ax.transData + ax.transAxes.inverted()
    ax.autoscale_view()
    heights = np.array([to_axes.transform((x, y))[1] for _, x, y, _ in ends])
    for (name, _, _, shade), height in zip(ends, _spread(heights, 0.09), strict=True):
        ax.text(1.02, height, name, color=_dark(shade), transform=ax.transAxes, va="center", fontweight="bold")


def heat_map(
    table,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    xlabel: str = "cluster",
    ylabel: str = "class",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A table of counts or shares, such as `metrics.contingency(y, labels)` (classes, clusters), with its values.

    Colour runs from white (zero) to blue (largest), zeros are not written.
    """
    table = np.asarray(table)
    n_rows, n_columns = table.shape
    ax = _axes(ax, width=1.6 + 0.75 * n_columns, height=1.4 + 0.55 * n_rows)
    with style():
        cmap = mpl.colors.LinearSegmentedColormap.from_list("white_to_blue", ["#ffffff", COLORS[0], "#00304d"])
        largest = max(float(table.max()), 1e-12)
        ax.imshow(table, cmap=cmap, vmin=0, vmax=largest, aspect="auto")
        whole = np.issubdtype(table.dtype, np.integer)
        for (i, j), value in np.ndenumerate(table):
            if value:
                shade = "white" if _luminance(cmap(value / largest)) < 0.3 else "black"
                text = f"{value}" if whole else f"{value:.2f}"
                ax.text(j, i, text, ha="center", va="center", color=shade, fontsize=13)
        ax.set_xticks(range(n_columns), columns if columns is not None else [str(j) for j in range(n_columns)])
        ax.set_yticks(range(n_rows), rows if rows is not None else [str(i) for i in range(n_rows)])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    return ax


def contingency(table, **options) -> Axes:
    """`heat_map` of classes (rows) against clusters (columns)."""
    return heat_map(table, **options)


def frame_match(ax: Axes, table) -> None:
    """Frame the cells of a drawn table (n_classes, n_clusters) that the one-to-one match of ACC counts as right.

    A match on an empty cell counts nothing and gets no frame.
    """
    from scipy.optimize import linear_sum_assignment  # slow to import: a third of a second at the start of a notebook

    table = np.asarray(table)
    for i, k in zip(*linear_sum_assignment(table, maximize=True), strict=True):
        if table[i, k]:
            ax.add_patch(Rectangle((k - 0.45, i - 0.42), 0.9, 0.84, fill=False, linewidth=4, edgecolor=COLORS[1]))


# --- pictures ---------------------------------------------------------------------------------------------------------


def pictures(images) -> np.ndarray:
    """Images as matplotlib draws them: (n, h, w) for one channel, (n, h, w, 3) for colour, values clipped to [0, 1].

    Takes (n, c, h, w) with c = 1 or 3, (n, h, w), or rows (n, h·h) of square images; ValueError for other shapes.
    """
    images = np.asarray(images, dtype=np.float32)
    if images.ndim == 2 and math.isqrt(images.shape[1]) ** 2 == images.shape[1]:
        side = math.isqrt(images.shape[1])
        images = images.reshape(-1, side, side)
    if images.ndim == 4 and images.shape[1] in (1, 3):
        images = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)
    elif images.ndim != 3:
        raise ValueError(f"images have shape {images.shape}: pass (n, 1 or 3, h, w), (n, h, w) or square rows.")
    return images.clip(0, 1)


def image_grid(images, titles: Sequence[str] | None = None, *, columns=10, size=0.9, title="") -> Figure:
    """Images in rows of `columns`, `size` inches each, with an optional title over each one."""
    images = pictures(images)
    if not len(images):
        raise ValueError("There is no image to show.")
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    extra = 0.32 if titles is not None else 0.05
    with style():
        fig = Figure(figsize=(max(columns * size, 3), rows * (size + extra) + (0.45 if title else 0)))
        axes = fig.subplots(rows, columns, squeeze=False)
        for i, ax in enumerate(axes.flat):
            ax.set_axis_off()
            if i < len(images):
                ax.imshow(images[i], vmin=0, vmax=1)
                if titles is not None:
                    ax.set_title(titles[i], fontsize=13, fontweight="normal", loc="center", pad=3)
        if title:
            fig.suptitle(title, fontsize=16, fontweight="bold", x=0.01, ha="left")
    return fig


def reconstructions(images, reconstructed, *, noisy=None, names: Sequence[str] | None = None, size=0.9) -> Figure:
    """Rows of images, one above the other: the original, with `noisy` what the network saw, and its reconstruction.

    reconstructed: one array like `images`, or a list of them (one row each); names: one for each row.
    """
    several = isinstance(reconstructed, (list, tuple))
    outputs = list(reconstructed) if several else [reconstructed]
    seen = [] if noisy is None else [noisy]
    rows = [pictures(r) for r in (images, *seen, *outputs)]
    if len({len(r) for r in rows}) != 1:
        raise ValueError(f"The rows hold {[len(r) for r in rows]} images: each needs the same number.")
    if names is None:
        names = ["original", *(["noisy"] * len(seen))]
        names += [f"output {i}" for i in range(1, len(outputs) + 1)] if several else ["output"]
    if len(names) != len(rows):
        raise ValueError(f"There are {len(rows)} rows and {len(names)} names.")
    with style():
        fig = Figure(figsize=(len(rows[0]) * size + 1.7, len(rows) * size + 0.1))
        axes = fig.subplots(len(rows), len(rows[0]), squeeze=False)
        for row, name, line in zip(rows, names, axes, strict=True):
            for image, ax in zip(row, line, strict=True):
                ax.imshow(image, vmin=0, vmax=1)
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
            line[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
    return fig
