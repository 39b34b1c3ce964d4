"""A published number beside the runs that tried to repeat it, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

from matplotlib.figure import Figure

from dclib.classroom import plots
from dclib.classroom.demos.demo import Demo

# Ten trials of a public implementation (DEC-keras), as its author lists them.
_TRIALS = {"name": "DEC-keras", "seeds": list(range(10)),
           "values": [0.963, 0.962, 0.964, 0.960, 0.896, 0.892, 0.892, 0.883, 0.879, 0.830]}  # fmt: skip
_COMMON = {
    "paper": "Xie et al. 2016",
    "tolerance": 0.02,
    "score": "ACC",
    "readings": [_TRIALS],
    "formula": [],
    "beside": [["one cluster", 0.1125], ["k-means", 0.53]],
    "unfinished": "",
    "headline": True,
    "verdict": "confirmed",
}
PUBLISHED = (
    _COMMON
    | {
        "what": "DEC on MNIST, ACC",
        "printed": ".843",
        "value": 0.843,
        "relation": "number",
        "compared": False,
        "rivals": [],
        "reason": "two groups of runs, and the mean lies between them, where no run is",
    },
    _COMMON
    | {
        "what": "DEC on MNIST, better than k-means on pixels",
        "printed": "(.843 against .53)",
        "value": None,
        "relation": "better",
        "compared": True,
        "rivals": [{"name": "k-means", "seeds": [0], "values": [0.53]}],
        "reason": "",
    },
)


class ClaimExplorer(Demo):
    """Pick a claim: each seed is a point, the paper's number a line, chance and k-means beside it; and the verdict.

    claims: dictionaries as `experiments.verdicts.exhibits` gives them; without, two claims about DEC and ten published
    trials. A slider counts fewer seeds: what would the verdict have been? Raises ValueError where there is no claim.
    """

    script = "claim_explorer"
    title = "The claims and the seeds"

    def __init__(self, claims: Sequence[dict] | None = None):
        shown = list(PUBLISHED if claims is None else claims)
        if not shown:
            raise ValueError("There is no claim to show: pass what experiments.verdicts.exhibits() gives.")
        super().__init__(claims=shown)

    def still(self) -> tuple[Figure, str]:
        shown = [c for c in self.settings["claims"] if c["headline"] and c["score"] in ("ACC", "V", "ARI", "AMI")]
        shown = shown or self.settings["claims"][:1]
        fig, ax = plots.figure(width=12, height=1.4 + 0.66 * len(shown))
        for row, claim in enumerate(shown):
            values = [value for reading in claim["readings"] for value in reading["values"]]
            ax.scatter(values, [row] * len(values), s=110, color=plots.color(0), alpha=0.6, linewidths=0)
            if claim["value"] is not None:
                ax.plot(claim["value"], row, "D", ms=13, mfc="none", mec="black", mew=2.2)
            for rival in claim["rivals"]:
                ax.plot(rival["values"], [row + 0.25] * len(rival["values"]), "|", ms=12, mew=2.5, color=plots.GRAY)
        names = []
        for claim in shown:
            what = claim["what"].partition(": ")[2] or claim["what"]
            score = "" if claim["score"] in what.split() else f", {claim['score']}"
            names.append(fill(f"{claim['paper'].split()[0]}: {what}{score}", 46))
        with plots.style():
            ax.set_yticks(range(len(shown)), names)
            ax.set(ylim=(len(shown) - 0.4, -0.6), xlim=(-0.02, 1.02))
            ax.set_xlabel("score:  ● our runs   ◇ printed   | the rival's runs")
        return fig, (
            "A row for each main claim about ACC, V, ARI or AMI that has runs: our runs as dots, a dot a seed, the "
            "printed number as a diamond, and the runs of a rival as strokes."
        )
