"""The papers' figures, drawn from the files in `results/`: ours beside theirs (`python -m experiments figures`).

Each goes to `figures/` as a PNG; `figures/figures.json` has its alternative text and the results that it was drawn
from, so that a test can tell when they have changed since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dclib.classroom.plots import GRAY, color, figure, style, to_png
from experiments.claims import BHATTARAI, CLAIMS, LEE, LIM, NGUYEN, SAMPLAWSKI
from experiments.runner import HERE
from experiments.samplawski_autoencoded import DIMENSIONS, LOG_V, SIGMAS
from experiments.verdicts import files_of

FIGURES = HERE / "figures"
INDEX = FIGURES / "figures.json"
DPI = 80


class NotOnFile(Exception):
    """A figure needs a run that is not on file."""


@dataclass
class Sources:
    """Hands a drawing what is on file, and remembers which runs it asked for."""

    runs: set[str] = field(default_factory=set)

    def every(self, run: str) -> list[dict]:
        """The results of "experiment/configuration", seed by seed; [] where none is on file."""
        self.runs.add(run)
        return [json.loads(path.read_text()) for path in files_of(run)]

    def some(self, run: str) -> list[dict]:
        """The same; raises NotOnFile where there is none."""
        if found := self.every(run):
            return found
        raise NotOnFile(run)

    def arrays(self, run: str) -> Any:
        """The arrays beside the first result; raises NotOnFile."""
        self.runs.add(run)
        for path in files_of(run):
            if (arrays := path.with_suffix(".npz")).exists():
                return np.load(arrays)
        raise NotOnFile(run)


@dataclass(frozen=True)
class Drawing:
    paper: str
    name: str
    draw: Callable[[Sources], tuple[Any, str]]


DRAWINGS: list[Drawing] = []


def drawing(paper: str):
    """The decorated function draws a figure of this paper: sources -> figure, alternative text."""

    def register(draw):
        DRAWINGS.append(Drawing(paper, draw.__name__, draw))
        return draw

    return register


def digests(runs: Sequence[str]) -> dict[str, str]:
    """What is on file of these runs, results and arrays: file -> hash."""
    results = [path for run in runs for path in files_of(run)]
    files = [path for result in results for path in (result, result.with_suffix(".npz")) if path.exists()]
    return {
        str(file.relative_to(HERE)): hashlib.blake2b(file.read_bytes(), digest_size=8).hexdigest() for file in files
    }


def draw_all(redraw: bool = False) -> str:
    """Draw the figures whose results have changed (all with `redraw`), forget those that have none -> a report."""
    FIGURES.mkdir(exist_ok=True)
    before = json.loads(INDEX.read_text()) if INDEX.exists() else {}
    index, report = {}, []
    for each in DRAWINGS:
        path, sources, known = FIGURES / f"{each.name}.png", Sources(), before.get(each.name)
        if known and not redraw and path.exists() and digests(known["runs"]) == known["files"]:
            index[each.name] = known
            continue
        try:
            with style():
                fig, alt = each.draw(sources)
        except NotOnFile as missing:
            path.unlink(missing_ok=True)
            report.append(f"{each.name}: not drawn, {missing} is not on file")
            continue
        path.write_bytes(to_png(fig, DPI))
        runs = sorted(sources.runs)
        index[each.name] = {"paper": each.paper, "alt": " ".join(alt.split()), "runs": runs, "files": digests(runs)}
        report.append(f"{each.name}: {path.stat().st_size // 1000} kB")
    INDEX.write_text(json.dumps(index, indent=1) + "\n")
    return "\n".join(report) or "All figures are those of the results on file."


def gallery(paper: str) -> str:
    """The figures of a paper in Markdown, as they are on file."""
    index = json.loads(INDEX.read_text()) if INDEX.exists() else {}
    shown = [f"![{entry['alt']}](figures/{name}.png)" for name, entry in index.items() if entry["paper"] == paper]
    return "\n\n".join(shown) or "No run for a figure is on file yet."


# --- helpers ----------------------------------------------------------------------------------------------------------


def curves(results: list[dict], column: str) -> np.ndarray:
    """A column of the histories (n_seeds, n_epochs); NaN where an epoch was not scored."""
    return np.array([[np.nan if v is None else v for v in result["history"][column]] for result in results])


def band(ax, x, values: np.ndarray, label: str, index: int, **options) -> None:
    """The mean of the seeds as a line, lowest to highest as a band."""
    mean = values.mean(0)
    known = ~np.isnan(mean)
    ax.plot(np.asarray(x)[known], mean[known], color=color(index), label=label, **options)
    if len(values) > 1:
        low, high = values.min(0)[known], values.max(0)[known]
        ax.fill_between(np.asarray(x)[known], low, high, color=color(index), alpha=0.2, lw=0)


def tsne(codes: np.ndarray) -> np.ndarray:
    from sklearn.manifold import TSNE

    return TSNE(random_state=0, init="pca").fit_transform(np.asarray(codes, np.float32))


def scatter_by_class(ax, points: np.ndarray, y: np.ndarray, title: str) -> None:
    """Points (n, 2), a colour a class, each class's number where its points are densest and no number stands yet."""
    for k in np.unique(y):
        ax.scatter(*points[y == k].T, s=4, color=color(k), linewidths=0)
    spots = np.empty((0, 2))
    for k in np.unique(y):
        mine = points[y == k]
        near = np.linalg.norm(mine[:, None] - mine, axis=2) < 0.05 * np.ptp(points)
        free = np.linalg.norm(mine[:, None] - spots, axis=2).min(1, initial=np.inf) > 0.07 * np.ptp(points)
        spot = mine[(near.sum(1) * (free if free.any() else True)).argmax()]
        spots = np.vstack([spots, spot])
        box = {"boxstyle": "circle,pad=.15", "fc": "white", "ec": color(k), "lw": 1.5}
        ax.text(*spot, str(k), ha="center", va="center", fontsize=12, bbox=box)
    ax.set(title=title, xticks=[], yticks=[])


def images(ax, rows: np.ndarray, title: str) -> None:
    """Rows of images (rows, columns, h, w[, 3]) side by side, values 0 to 255."""
    tiled = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    ax.imshow(tiled, vmin=0, vmax=255, cmap="gray")
    ax.set(title=title, xticks=[], yticks=[])


def arrows(ax, results: list[dict], place: float) -> None:
    """From the ACC of a start to that at the end, an arrow a seed, one above the other around `place`.

    Where both are nearly the same, a bar at the end: an arrow's head would lie on the far side of the start.
    """
    for number, result in enumerate(results):
        height = place + 0.22 * (number - (len(results) - 1) / 2)
        start, end = result["start"]["acc"], result["scores"]["acc"]
        if abs(end - start) < 0.01:
            ax.plot([end], [height], "|", color=color(number), ms=13, mew=2.5)
        else:
            arrow = {"arrowstyle": "->", "color": color(number), "lw": 2, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", (end, height), (start, height), arrowprops=arrow)
        ax.plot([start], [height], "o", mfc="white", mec=color(number), ms=7)


# --- Nguyen -----------------------------------------------------------------------------------------------------------


@drawing(NGUYEN)
def nguyen_task_1(sources: Sources):
    results, arrays = sources.some("nguyen_kmeans/toy"), sources.arrays("nguyen_kmeans/toy")
    fig, (left, right) = figure(1, 2, width=10, height=4.2)
    for result in results:
        loss = result["loss_per_iteration"]
        left.plot(range(1, len(loss) + 1), loss, color=color(0), alpha=0.6, marker="o", ms=4, lw=1.5)
    left.set(title="Task 1: loss, ten draws, a start each", xlabel="iteration", ylabel="mean squared distance")
    left.set_ylim(bottom=0)
    for k in range(3):
        right.scatter(*arrays["x"][arrays["labels"] == k].T, s=3, color=color(k), linewidths=0)
    right.scatter(*arrays["centers"].T, marker="X", s=120, color="white", edgecolors="black", zorder=3)
    right.set(title="Clusters and centres, start 0", xlabel="$x_1$", ylabel="$x_2$")
    return fig, (
        "Left: the mean squared distance to the nearest centre against Lloyd's iterations, a falling line for each of "
        "ten draws of the mixture with a random start. Right: the three Gaussians coloured by cluster with the three "
        "centres, of which two share one Gaussian."
    )


@drawing(NGUYEN)
def nguyen_task_2(sources: Sources):
    fig, ax = figure(width=8.5, height=4.6)
    series = [("soft", "soft, temperature 1"), ("hard", "hard, running mean")]
    series += [(f"soft-{t}", f"soft, temperature {t:g}") for t in (0.1, 3.0, 10.0)]
    for index, (name, label) in enumerate(series):
        if results := sources.every(f"nguyen_kmeans/{name}"):
            values, label = curves(results, "acc"), f"{label} ({len(results)} starts)"
            if index < 2:
                band(ax, range(1, values.shape[1] + 1), values, label, index)
            else:  # one band over the other would hide all
                ax.plot(range(1, values.shape[1] + 1), values.mean(0), ls="--", color=color(index), label=label)
    lloyd = np.mean([result["scores"]["acc"] for result in sources.some("nguyen_kmeans/lloyd")])
    ax.axhline(lloyd, color=GRAY, ls="--", lw=1.5)
    ax.text(15.2, lloyd, "Lloyd,\nmean", color=GRAY, va="center", fontsize=12)
    ax.set(
        title="Task 2: accuracy of differentiable k-means on pixels",
        xlabel="epoch",
        ylabel="ACC, mean and range",
        xlim=(0.5, 17),
        ylim=(0.37, 0.62),
    )
    ax.legend(loc="lower right", fontsize=11)
    return fig, (
        "Accuracy against the epoch for hard and soft k-means by gradient on MNIST's pixels: mean over the starts as a "
        "line, lowest to highest as a band; other temperatures as dashed lines, their means alone; a horizontal "
        "line is the mean of Lloyd's algorithm."
    )


ENCODERS = {
    "small-5": "784-128-5, ReLU",
    "small-10": "784-128-10, ReLU",
    "small-sigmoid": "784-128-10, sigmoid",
    "deep": "784-512-256-128-64-10, ReLU",
    "deep-sigmoid": "784-512-256-128-64-10, sigmoid",
    "deep-sigmoid-code": "the same, code too",
}
ENCODER_ACC = (0.63644, 0.60617, 0.57452, 0.81947, 0.11252, 0.11252)


@drawing(NGUYEN)
def nguyen_tables_3_and_4(sources: Sources):
    columns = {
        title: {name: sources.every(f"nguyen_dec/{name}-{optimizer}") for name in ENCODERS}
        for optimizer, title in (("sgd", "SGD with momentum"), ("adam", "Adam"))
    }
    columns = {title: runs for title, runs in columns.items() if any(runs.values())}
    if not columns:
        raise NotOnFile("nguyen_dec/deep-sgd")
    fig, axes = figure(
        2, len(columns), width=2.5 + 4.5 * len(columns), height=9.4, sharex=True, sharey="row", squeeze=False
    )
    for (above, below), (title, runs) in zip(axes.T, columns.items()):
        for index, ((name, results), theirs) in enumerate(zip(runs.items(), ENCODER_ACC)):
            if results:
                for ax, column in ((above, "acc"), (below, "loss")):
                    values = curves(results, column)
                    band(ax, range(1, values.shape[1] + 1), values, ENCODERS[name], index)
                above.plot([20.6], [theirs], marker="<", ms=9, color=color(index), clip_on=False)
        above.set(title=f"{title}: ACC (◂ his)", ylim=(0, 1))
        below.set(title=f"{title}: loss", xlabel="epoch", xticks=range(0, 21, 5))
    axes[1, 0].set_ylim(0, None)
    axes[0, 0].set_ylabel("ACC")
    axes[1, 0].set_ylabel("KL(P‖Q)")
    seeds = {title: sorted({len(results) for results in runs.values() if results}) for title, runs in columns.items()}
    said = "; ".join(f"{title}: {' or '.join(map(str, n))} seed{'s' * (n != [1])} a line" for title, n in seeds.items())
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, fontsize=11, loc="outside lower center", ncols=2, title=said, title_fontsize=11)
    return fig, (
        f"Accuracy (top) and Kullback-Leibler loss (bottom) of DEC against the epoch, by {' and by '.join(columns)}, a "
        "line for each of Nguyen's five encoders, the deep sigmoid one in two readings. Triangles at the right edge of "
        f"the top panels mark his table 2 (one for both readings). {said}."
    )


@drawing(NGUYEN)
def nguyen_table_5(sources: Sources):
    arrays = sources.arrays("nguyen_dec/deep-sgd")
    fig, (left, right) = figure(1, 2, width=11, height=5.4)
    scatter_by_class(left, tsne(arrays["autoencoder_codes_15"]), arrays["y"], "Autoencoder")
    scatter_by_class(right, tsne(arrays["codes_20"]), arrays["y"], "After 20 epochs of DEC")
    return fig, (
        "Two t-SNE maps of the codes of 1,500 digits by the network d-512-256-128-64-10, coloured by digit: of the "
        "autoencoder, where classes touch, and after DEC, where there are islands, several of them with two digits or "
        "more."
    )


# --- Bhattarai --------------------------------------------------------------------------------------------------------

METHODS = {
    "pixels-gmm": "mixture on pixels",
    "pixels-kmeans": "k-means on pixels",
    "dense-kmeans": "dense, k-means",
    "dense-gmm": "dense, mixture",
    "conv-kmeans": "convolutional, k-means",
    "conv-gmm": "convolutional, mixture",
}


@drawing(BHATTARAI)
def bhattarai_tables_2_and_3(sources: Sources):
    his = {
        "MNIST": ((0.325, 0.507), (0.490, 0.520), (0.748, 0.767), (0.817, 0.826), (0.757, 0.784), (0.841, 0.887)),
        "CIFAR-10": ((0.081, 0.085), (0.078, 0.084), (0.101, 0.109), (0.138, 0.150), (0.099, 0.105), (0.157, 0.162)),
    }
    if not any(sources.every(f"bhattarai_latent/cifar-{kind}") for kind in ("pixels-kmeans", "short-dense-gmm")):
        del his["CIFAR-10"]
    fig, axes = figure(1, len(his), width=3 + 4.5 * len(his), height=4.8, sharey=True, squeeze=False)
    for ax, (dataset, numbers) in zip(axes[0], his.items()):
        for place, (name, theirs) in enumerate(zip(METHODS, numbers)):
            if dataset == "MNIST":
                results = list(sources.some(f"bhattarai_latent/{name}"))
                if "pixels" not in name:
                    results += sources.every(f"bhattarai_latent/long-{name}")
            else:
                results = sources.every(f"bhattarai_latent/cifar-{name}")
                if not results and "pixels" not in name:
                    results = sources.every(f"bhattarai_latent/cifar-short-{name}")
            for index, (split, value) in enumerate((("scores", theirs[0]), ("test_scores", theirs[1]))):
                height = place + (index - 0.5) * 0.3
                ax.plot([value], [height], "D", mfc="none", mec=color(index), ms=9)
                anew = split == "test_scores" and "pixels" in name
                ours = [
                    result["measured"]["refitted test v_measure"] if anew else result[split]["v_measure"]
                    for result in results
                ]
                ax.plot(ours, [height] * len(ours), "o", color=color(index), ms=7, alpha=0.8)
        ax.set(title=dataset, xlabel="V", yticks=range(6), yticklabels=METHODS.values(), xlim=(0, None))
        ax.grid(axis="x", color="#dddddd", lw=0.8)
    for index, label in enumerate(("train", "test")):
        axes[0, 0].plot([], [], "o", color=color(index), label=f"ours, {label}")
        axes[0, 0].plot([], [], "D", mfc="none", mec=color(index), label=f"his, {label}")
    axes[0, 0].legend(fontsize=12, loc="upper left")
    return fig, (
        f"V-measure of six methods on {' and '.join(his)}: our runs as dots, a dot a run, Bhattarai's numbers as "
        "diamonds, for training and test images (on pixels these are clustered anew)."
    )


# Autoencoders of 50 epochs on all images; where these are not on file, on a part of them.
LONG = {"dense": "long-dense-gmm", "convolutional": "long-conv-gmm"}
PARTS = {"long-": ("sixth-", "10,000 images"), "cifar-": ("cifar-short-", "20,000 images, ten epochs")}


def longest(sources: Sources, name: str) -> tuple[str, dict, str]:
    """The run of Bhattarai's of this name or, where it is not on file, its shorter part -> name, result, which part."""
    prefix = name.split("-")[0] + "-"
    short, note = PARTS[prefix]
    for candidate, part in ((name, ""), (name.replace(prefix, short, 1), f", {note}")):
        for result in sources.every(f"bhattarai_latent/{candidate}"):
            return f"bhattarai_latent/{candidate}", result, part
    raise NotOnFile(f"bhattarai_latent/{name}")


def those_on_file(sources: Sources, panels: dict[str, str]) -> list[tuple[str, str, dict]]:
    """(run, title, result) of those panels, title -> name, that are on file; raises NotOnFile where none is."""
    found = []
    for title, name in panels.items():
        try:
            run, result, part = longest(sources, name)
        except NotOnFile as missing:
            first = missing
        else:
            found.append((run, title + part, result))
    if not found:
        raise first
    return found


@drawing(BHATTARAI)
def bhattarai_figures_4_to_7(sources: Sources):
    panels = {f"{network}, MNIST": name for network, name in LONG.items()}
    panels |= {"dense, CIFAR-10": "cifar-dense-gmm", "convolutional, CIFAR-10": "cifar-conv-gmm"}
    found = those_on_file(sources, panels)
    fig, axes = figure(1, len(found), width=1 + 4.6 * len(found), height=4.2, squeeze=False)
    for ax, (_, title, result) in zip(axes[0], found):
        for index, (column, label) in enumerate((("autoencoder_loss", "train"), ("autoencoder_test_loss", "test"))):
            loss = result[column]
            ax.plot(range(1, len(loss) + 1), loss, color=color(index), label=label, ls="-" if index == 0 else "--")
        tail = max(result["autoencoder_loss"][len(result["autoencoder_loss"]) // 5 :])
        ax.set(xlabel="epoch", ylim=(0, 1.6 * tail))
        ax.set_title(title.replace(", ", "\n", 1), fontsize=13)
    axes[0, 0].set_ylabel("mean squared error")
    axes[0, 0].legend()
    return fig, (
        "Mean squared reconstruction error against the epoch, training images as a solid and test images as a dashed "
        f"line: {'; '.join(title for _, title, _ in found)}."
    )


@drawing(BHATTARAI)
def bhattarai_figures_8_and_9(sources: Sources):
    found = those_on_file(
        sources,
        {f"{network}, MNIST": name for network, name in LONG.items()}
        | {"dense, CIFAR-10": "cifar-dense-gmm", "convolutional, CIFAR-10": "cifar-conv-gmm"},
    )
    fig, axes = figure(len(found), 1, width=9, height=0.6 + 2.6 * len(found), squeeze=False)
    for ax, (run, title, _) in zip(axes[:, 0], found):
        arrays = sources.arrays(run)
        pair = np.stack([arrays["images"], arrays["reconstructions"]]).transpose(0, 1, 3, 4, 2)
        images(ax, pair[..., 0] if pair.shape[-1] == 1 else pair, f"Test images and reconstructions\n{title}")
    return fig, (
        "Ten test images in a row and their reconstructions in the row below, "
        f"for these autoencoders: {'; '.join(title for _, title, _ in found)}."
    )


@drawing(BHATTARAI)
def bhattarai_figures_10_to_14(sources: Sources):
    run, _, part = longest(sources, LONG["dense"])
    panels = [(f"dense, {epoch} epoch{'s' * (epoch > 1)}", sources.arrays(run), epoch) for epoch in (1, 5, 20, 50)]
    try:
        conv, _, conv_part = longest(sources, LONG["convolutional"])
        panels.append((f"convolutional, 50 epochs{conv_part}", sources.arrays(conv), 50))
    except NotOnFile:
        pass
    columns = (len(panels) + 1) // 2
    fig, axes = figure(2, columns, width=4 * columns, height=8)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, (title, arrays, epoch) in zip(axes.flat, panels):
        scatter_by_class(ax, tsne(arrays[f"autoencoder_codes_{epoch}"]), arrays["y"], title)
    return fig, (
        f"t-SNE maps of the codes of 1,500 digits{part and ', trained on' + part[1:]}, coloured by digit: "
        f"{'; '.join(title for title, *_ in panels)}."
    )


@drawing(BHATTARAI)
def bhattarai_figure_15(sources: Sources):
    _, result, part = longest(sources, LONG["dense"])
    fig, ax = figure(width=8, height=4.4)
    for index, (name, label) in enumerate((("gmm", "mixture"), ("kmeans", "k-means"))):
        found = {int(key.split()[2]): v for key, v in result["measured"].items() if key.startswith(f"{name} k ")}
        ax.plot(list(found), list(found.values()), marker="o", color=color(index), label=label)
    ax.axvline(10, color=GRAY, ls="--", lw=1.5)
    ax.text(10.3, 0.02, "his best: 10", color=GRAY, transform=ax.get_xaxis_transform(), fontsize=12)
    ax.set(title=f"V against the number of clusters{part}", xlabel="number of clusters", ylabel="V")
    ax.legend(loc="lower right")
    return fig, (
        "V-measure against the number of clusters from 2 to 30, for mixtures and for k-means on the codes of the dense "
        f"autoencoder{part}; a dashed line marks 10, where Bhattarai's curve is highest."
    )


# --- Samplawski -------------------------------------------------------------------------------------------------------


def logged(what: str) -> float | None:
    """The number that Samplawski's claim of this name has."""
    return next((claim.value for claim in CLAIMS if claim.paper == SAMPLAWSKI and claim.what == what), None)


@drawing(SAMPLAWSKI)
def samplawski_figure_3(sources: Sources):
    fig, ax = figure(width=9, height=4.8)
    found = False
    for index, what in enumerate(("best checkpoint", "last")):
        his = {2: 0.0} | {d: logged(f"autoencoded k-means, {d} hidden units, {what}") for d in DIMENSIONS[1:]}
        dashed = {"ls": "--", "marker": "D", "mfc": "none", "ms": 7, "lw": 1.5}
        ax.plot(list(his), list(his.values()), color=color(index), label=f"his log, {what}", **dashed)
        for d in DIMENSIONS:
            for name, mark in ((f"long-{d}", "o"), ("printed-256", "^"))[: 2 if d == 256 else 1]:
                for result in sources.every(f"samplawski_autoencoded/{name}"):
                    if "unfinished" in result:
                        continue
                    found = True
                    values = curves([result], "v_measure")[0]
                    value = values[-1] if what == "last" else np.nanmax(values)
                    ax.plot([d], [value], mark, color=color(index), ms=9)
    if not found:
        raise NotOnFile("samplawski_autoencoded/long-256")
    for index, what in enumerate(("best checkpoint", "last")):
        ax.plot([], [], "o", color=color(index), ms=9, label=f"ours, {what}")
    ax.axhline(0.533, color=GRAY, ls=":", lw=1.5)
    ax.text(0, 0.537, "gradient k-means", va="bottom", color=GRAY, fontsize=12)
    ax.set(title="Autoencoded k-means, 180,000 steps", xlabel="hidden units", ylabel="V", ylim=(-0.02, 0.65))
    ax.legend(fontsize=11, loc="lower right")
    return fig, (
        "V-measure against the number of hidden units: Samplawski's log as dashed lines with diamonds, best and last "
        "checkpoint, our runs as dots; a dotted line is gradient k-means on the pixels."
    )


@drawing(SAMPLAWSKI)
def samplawski_over_the_epochs(sources: Sources):
    runs = [(f"{d} hidden units", sources.every(f"samplawski_autoencoded/long-{d}")) for d in DIMENSIONS]
    runs.append(("256, learning rate as printed", sources.every("samplawski_autoencoded/printed-256")))
    runs = [(label, results) for label, results in runs if results]
    if not runs:
        raise NotOnFile("samplawski_autoencoded/long-256")
    fig, ax = figure(width=9, height=4.6)
    for index, (label, results) in enumerate(runs):
        values = curves(results, "v_measure")
        band(ax, range(1, values.shape[1] + 1), values, label, index, marker="o", ms=4)
    ax.plot(list(LOG_V), list(LOG_V.values()), "D--", mfc="none", color=GRAY, lw=1.5, label="256, his log")
    ax.set(title="The paper's start, epoch by epoch", xlabel="epoch (600 steps)", ylabel="V", ylim=(-0.02, 0.65))
    ax.legend(fontsize=12, loc="lower right")
    return fig, (
        "V-measure of autoencoded k-means from the paper's start against the epoch: for several widths with the "
        "learning rate of his log, for 256 units with the printed one, too, which is at zero up to epoch 80, where it "
        "ends; diamonds on a dashed line are his log for 256 units."
    )


@drawing(SAMPLAWSKI)
def samplawski_figure_4(sources: Sources):
    found = [
        (f"samplawski_autoencoded/{run}", f"trained {how}", results[0])
        for run, how in (
            ("noisy-50", "with noise of 50"),
            ("noisy-80", "with noise of 80"),
            ("long-256", "without noise"),
        )
        if (results := sources.every(f"samplawski_autoencoded/{run}"))
    ]
    if not found:
        raise NotOnFile("samplawski_autoencoded/long-256")
    run, how, result = found[0]
    arrays = sources.arrays(run)
    noisy, rebuilt = (arrays[name].reshape(3, 8, 28, 28) for name in ("noisy", "reconstructions"))
    how += f", {result['unfinished']}" if "unfinished" in result else ""
    fig, (left, right) = figure(1, 2, width=11, height=3)
    images(left, noisy, "Noise 0, 50 and 100, clipped")
    images(right, rebuilt, "The same, rebuilt")
    return fig, (
        "Left: eight digits without noise, with normal noise of standard deviation 50 and of 100 on pixels from 0 to "
        f"255, clipped. Right: what the autoencoder with k-means makes of them, {how}."
    )


@drawing(SAMPLAWSKI)
def samplawski_figure_5(sources: Sources):
    fig, ax = figure(width=9.5, height=5)
    his_model = {s: logged(f"denoising autoencoded k-means, noise {s}, on noisy images") for s in SIGMAS}
    his_kmeans = {s: logged(f"gradient k-means fitted to images with noise {s}") for s in (0, *SIGMAS)}
    his_kmeans = {s: value for s, value in his_kmeans.items() if value is not None}
    dashed = {"ls": "--", "lw": 1.5, "marker": "D", "mfc": "none", "ms": 7}
    ax.plot(list(his_model), list(his_model.values()), color=color(0), label="his log, denoising model", **dashed)
    ax.plot(
        list(his_kmeans), list(his_kmeans.values()), color=color(1), label="his log, k-means fitted to noise", **dashed
    )
    fitted = [
        (s, np.nanmax(curves([result], "v_measure")))
        for s in (0, *SIGMAS)
        for result in sources.every(f"samplawski_autoencoded/kmeans-noise-{s}")[:1]
    ]
    trained = [(s, result) for s in SIGMAS for result in sources.every(f"samplawski_autoencoded/noisy-{s}")[:1]]
    if not fitted and not trained:
        raise NotOnFile("samplawski_autoencoded/kmeans-noise-0")
    if fitted:
        ax.plot(*zip(*fitted), color=color(1), marker="o", label="ours, k-means fitted to noise")
    seeded = [(s, sources.every(f"samplawski_autoencoded/seeded-noise-{s}")[:1]) for s in (50, 80, 100)]
    seeded = [(s, results[0]["scores"]["v_measure"]) for s, results in seeded if results]
    if seeded:
        ax.plot(*zip(*seeded), color=color(3), marker="P", label="ours, our settings, k-means++ start")
    if trained:
        on_noise = [(s, result["measured"][f"noise {s} v_measure"]) for s, result in trained]
        on_clean = [(s, result["scores"]["v_measure"]) for s, result in trained]
        ax.plot(*zip(*on_noise), color=color(0), marker="o", label="ours, denoising model on noisy images")
        ax.plot(*zip(*on_clean), color=color(4), marker="s", label="ours, denoising model on clean images")
    for result in sources.every("samplawski_autoencoded/long-256")[:1]:
        if "unfinished" in result:
            continue
        tested = [(0, result["scores"]["v_measure"])]
        tested += [(s, result["measured"][f"noise {s} v_measure"]) for s in SIGMAS]
        ax.plot(*zip(*tested), color=color(2), marker="^", label="ours, trained without noise, on noisy images")
    ax.set(
        title="V under noise", xlabel="standard deviation of the noise, pixels 0 to 255", ylabel="V", ylim=(-0.02, 0.78)
    )
    ax.legend(fontsize=10.5, loc="upper right", ncols=2)
    return fig, (
        "V-measure against the standard deviation of the noise. Samplawski's log as dashed lines with diamonds, for "
        "the denoising model and for k-means fitted to noisy images; ours as solid lines: the "
        "denoising model, which falls as the noise in its training grows, to 0 from noise 50 on; the model that was "
        "trained without noise, which stays close to the log; and k-means, from his start and, in our settings, from a "
        "k-means++ start."
    )


# --- Lee --------------------------------------------------------------------------------------------------------------


@drawing(LEE)
def lee_accuracy(sources: Sources):
    settings = {
        "mnist": "MNIST, our λ and σ",
        "mnist-paper-share": "MNIST, his λ",
        "mnist-paper": "MNIST, his λ and σ",
        "mnist-paper-from-scratch": "MNIST, his λ and σ, after one epoch",
        "network-mean": "MNIST, their probable network, λ on means",
        "network-sum": "the same, λ on a mean and a sum",
        "network-swapped-mean": "the same, λ on L2, means",
        "network-swapped-sum": "the same, λ on L2, mean and sum",
        "network-mean-scratch": "the same, λ on means, after one epoch",
        "fashion": "Fashion-MNIST, our λ and σ",
        "fashion-paper": "Fashion-MNIST, his λ and σ",
        "fashion-network-mean": "Fashion-MNIST, their probable network",
    }
    found = [(name, label, sources.every(f"lee_dcra/{name}")) for name, label in settings.items()]
    found = [(name, label, results) for name, label, results in found if results]
    if not found:
        raise NotOnFile("lee_dcra/mnist")
    fig, ax = figure(width=10, height=1.2 + 0.75 * len(found))
    for place, (name, _, results) in enumerate(found):
        arrows(ax, results, place)
        ax.plot([0.9348 if "fashion" in name else 0.9506], [place], "D", mfc="none", mec=color(5), ms=10)
    ax.set(
        title="DCRA: start ○, end → or |, paper ◇",
        xlabel="ACC",
        xlim=(0.2, 1),
        yticks=range(len(found)),
        yticklabels=[label for _, label, _ in found],
        ylim=(len(found) - 0.5, -0.5),
    )
    return fig, (
        "Accuracy of DCRA: an arrow a seed from the k-means start to the end of training, a row a setting; diamonds "
        "mark the paper's .9506 and .9348, which no arrow comes near. A bar is an end that hardly differs from its "
        "start."
    )


@drawing(LEE)
def lee_losses(sources: Sources):
    names = {"mnist-paper-train": "MNIST", "fashion-paper": "Fashion-MNIST", "bsds-unit-paper-share": "BSDS300"}
    fig, axes = figure(2, 3, width=13, height=7.2, sharex="col")
    for column, (name, title) in zip(axes.T, names.items()):
        results = sources.some(f"lee_dcra/{name}")
        for ax, loss, symbol in zip(column, ("reconstruction", "kmeans"), ("$L_1$", "$L_2$")):
            for index, (prefix, label) in enumerate((("", "train"), ("test_", "test"))):
                values = curves(results, prefix + loss)
                band(ax, range(1, values.shape[1] + 1), values, f"{symbol}, {label}", index, ls=("-", "--")[index])
            ax.set_ylim(0, None)
            ax.legend(fontsize=11)
        column[0].set_title(f"{title}, {len(results)} seed{'s' * (len(results) > 1)}")
        column[1].set_xlabel("epoch")
    axes[0, 0].set_ylabel("reconstruction, sum over pixels")
    axes[1, 0].set_ylabel("squared distance to centre")
    return fig, (
        "Both parts of DCRA's loss, λ and σ as printed, against the epoch on MNIST, Fashion-MNIST and BSDS300: "
        "reconstruction (top) and squared distance to the own centre (bottom), training images solid, test images "
        "dashed."
    )


@drawing(LEE)
def lee_photographs(sources: Sources):
    settings = {"unit": "σ = 1 on [0, 1]", "standardized": "σ = 1 standardized", "bytes": "σ = 1 on 0 to 255"}
    fig, ax = figure(width=9, height=4.2)
    for place, (name, _) in enumerate(settings.items()):
        for result in sources.some(f"lee_dcra/bsds-{name}"):
            measured = result["measured"]
            ax.plot([place - 0.1], [measured["test_clipped_noisy_psnr"]], "s", color=color(1), ms=9)
            ax.plot([place + 0.1], [measured["test_overlapping_psnr"]], "o", color=color(0), ms=9)
    ax.axhline(20, color=GRAY, ls="--", lw=1.5)
    ax.text(1.2, 18, "the paper: above 20 dB", color=GRAY, fontsize=12)
    ax.plot([], [], "s", color=color(1), label="noisy photographs, clipped")
    ax.plot([], [], "o", color=color(0), label="reconstructed")
    ax.set(title="BSDS300: test photographs", ylabel="PSNR in dB", xticks=range(3), xticklabels=settings.values())
    ax.set(xlim=(-0.5, 2.5), ylim=(0, None))
    ax.legend(loc="upper left")
    return fig, (
        "PSNR of the noisy test photographs and of their reconstructions for three scales of the noise: with strong "
        "noise the reconstruction is about 20 dB and far better than its input, with noise too weak to see it is worse."
    )


# --- Lim --------------------------------------------------------------------------------------------------------------


@drawing(LIM)
def lim_starts(sources: Sources):
    settings = {
        "lim_dcan/kmeans": "MNIST, k-means start",
        "lim_dcan/gmm": "MNIST, mixture start",
        "lim_dcan/augmented-kmeans": "augmented, k-means start",
        "lim_dcan/augmented-gmm": "augmented, mixture start",
        "lim_dcan/unconditional": "k-means start, unconditional",
        "lim_dcan/no-anchor": "k-means start, no anchor",
        "lim_reuters/dcan": "Reuters-21578, k-means start",
        "lim_reuters/dcan_gmm": "Reuters-21578, mixture start",
    }
    fig, ax = figure(width=10, height=5.6)
    for place, run in enumerate(settings):
        arrows(ax, sources.some(run), place)
    ax.set(title="DCAN: start ○, end → or |, a row a seed", xlabel="ACC", xlim=(0.5, 1))
    ax.set(yticks=range(len(settings)), yticklabels=settings.values())
    ax.invert_yaxis()
    return fig, (
        "Accuracy of DCAN from its start to its end, an arrow a seed, a row a setting: arrows from a k-means start "
        "point to the right; those from a mixture are short but for one and mostly point to the left. A bar is an end "
        "that hardly differs from its start."
    )
