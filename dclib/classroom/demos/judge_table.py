"""A table of counts to edit, and what each score makes of it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import homogeneity_completeness_v_measure

from dclib import metrics
from dclib.classroom import plots
from dclib.classroom.demos.demo import Demo

CLASSES = ("cat", "dog", "owl")
COLUMNS = 6  # room for so many clusters; an empty column is no cluster
# Twenty samples each; `random` are the sizes of classes whose samples fall into `clusters` clusters by chance.
PRESETS: tuple[dict, ...] = (
    {
        "title": "cats in two",
        "table": [[4, 0, 4, 0], [0, 5, 0, 1], [1, 1, 0, 4]],
        "notice": "The cats fill two clusters. Which scores charge for that, and which do not?",
    },
    {
        "title": "perfect",
        "table": [[7, 0, 0], [0, 7, 0], [0, 0, 6]],
        "notice": "All scores are 1. Move one cat to the dogs (− there, + here): which score falls most?",
    },
    {
        "title": "renamed",
        "table": [[0, 7, 0], [0, 0, 7], [6, 0, 0]],
        "notice": "The perfect table; only the numbers of the clusters are exchanged. Is any score below 1?",
    },
    {
        "title": "split",
        "table": [[4, 0, 0, 3, 0, 0], [0, 4, 0, 0, 3, 0], [0, 0, 3, 0, 0, 3]],
        "notice": "Each class is torn in two. Compare ACC with purity: that is what the classic bug reports as ACC.",
    },
    {
        "title": "merged",
        "table": [[7, 0], [7, 0], [0, 6]],
        "notice": "Two classes share a cluster. Completeness does not mind. Which score says so most clearly?",
    },
    {
        "title": "all in one",
        "table": [[7], [7], [6]],
        "notice": "Nothing was learned. Which scores are above 0 all the same, and where is their tick?",
    },
    {
        "title": "random",
        "random": [7, 7, 6],
        "clusters": 3,
        "notice": "Labels drawn by chance. New seed draws again: which bars stay far above 0?",
    },
    {
        "title": "one large class",
        "table": [[16, 1], [2, 0], [1, 0]],
        "notice": "Most samples are cats, and most are in one cluster. Trust ACC or ARI?",
    },
)
SCORES = {
    "acc": "ACC",
    "purity": "purity",
    "homogeneity": "homogeneity",
    "completeness": "completeness",
    "v_measure": "V = NMI",
    "ari": "ARI",
}


class JudgeTable(Demo):
    """A contingency table to change by + and −, by moves (split, merge, rename, shuffle) and presets; all its scores.

    preset: the number of the table to begin with. Each bar has a tick at the mean score of shuffled labels.
    """

    script = "judge_table"
    title = "A table of counts, and what the scores make of it"

    def __init__(self, preset: int = 0):
        if not 0 <= preset < len(PRESETS):
            raise ValueError(f"preset={preset}: there are the numbers 0 to {len(PRESETS) - 1}.")
        super().__init__(classes=list(CLASSES), columns=COLUMNS, presets=list(PRESETS), preset=preset)

    def still(self) -> tuple[Figure, str]:
        shown = self.settings["presets"][self.settings["preset"]]
        rng = np.random.default_rng(0)
        if "table" in shown:
            table = np.array(shown["table"])
        else:
            table = np.array(
                [rng.multinomial(size, np.full(shown["clusters"], 1 / shown["clusters"])) for size in shown["random"]]
            )
        now = scores_of(table)
        y, labels = samples(table)
        by_chance = [scores_of(metrics.contingency(y, rng.permutation(labels))) for _ in range(100)]
        fig, (left, right) = plots.figure(1, 2, width=11, height=3.6, width_ratios=[1.15, 1])
        plots.contingency(table, rows=list(CLASSES), ylabel="", ax=left)
        plots.frame_match(left, table)
        for place, (name, value) in enumerate(now.items()):
            chance = float(np.mean([scores[name] for scores in by_chance]))
            right.barh(place, value, height=0.6, color=plots.color(1 if name == "acc" else 4))
            right.plot([chance, chance], [place - 0.42, place + 0.42], color="black", linewidth=3)
            right.text(max(value, chance, 0) + 0.03, place, f"{value:.2f}", va="center", fontsize=14)
        right.set_yticks(range(len(now)), SCORES.values())
        right.invert_yaxis()
        right.set(xlim=(-0.05, 1.2), xticks=[0, 0.5, 1], xlabel="score (black tick: shuffled labels)")
        return fig, (
            f"The table “{shown['title']}”, three classes by clusters, with orange frames around the counts that ACC "
            "takes as right, and a bar for each score with a tick at the mean of shuffled labels: "
            + ", ".join(f"{text} {now[name]:.2f}" for name, text in SCORES.items())
            + "."
        )


def samples(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes and clusters (n,) of the samples that a contingency table counts."""
    rows, columns = np.indices(table.shape)
    return np.repeat(rows.ravel(), table.ravel()), np.repeat(columns.ravel(), table.ravel())


def scores_of(table: np.ndarray) -> dict[str, float]:
    """The scores that the page shows, of a table with at least one sample, in its order."""
    y, labels = samples(table)
    found = metrics.scores(y, labels)
    homogeneity, completeness, _ = homogeneity_completeness_v_measure(y, labels)
    found |= {"homogeneity": float(homogeneity), "completeness": float(completeness)}
    return {name: found[name] for name in SCORES}
