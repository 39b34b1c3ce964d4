"""A table of counts to edit, and what each score makes of it."""

from __future__ import annotations

import ipywidgets as W
import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, homogeneity_completeness_v_measure

from dclib import metrics
from dclib.classroom import plots
from dclib.classroom.demos.picture import Picture


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
