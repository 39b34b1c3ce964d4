"""The verdicts on the papers' claims (`experiments.claims`), computed from the files in `results/`.

The rule. Ours are the numbers of all seeds on file. Of several readings of a claim the one counts whose mean is nearest
to the printed number, or the highest where there is a bound or a rival: this favours the paper, and a claim that is not
reached was not reached by any of them.

* A number is *confirmed* where it lies between our lowest and our highest run or within the tolerance of them (.02 of
  a score unless the claim says otherwise), *exceeded* where all runs are above that, *not reached* where all are below.
* A bound ("above 20 dB") is *confirmed* where the mean of our runs is above it; "better than k-means" where all our
  runs are above the mean of k-means; "on par" where our mean is, or is lower by no more than the tolerance. Else *not
  reached*.
* A number *cannot be as printed* where our runs confirm it for another score than the paper's formula, and give
  another value by that formula.
* Without a run on file a claim *waits for* what it names, or is *not run yet*; where a training is unfinished, what is
  claimed of its end is *not run to the end*, and what is claimed of an epoch that it has passed is judged.
"""

from __future__ import annotations

import importlib
import json
import math
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.runner import result_path

Key = str | Callable[[dict], float]


@dataclass(frozen=True)
class Claim:
    """What a paper says, where, and which of our runs say it again.

    printed: the claim as the paper has it. value: its number, or None for a comparison with `rival`.
    runs: its readings, "experiment/configuration" each. key: where in a result the number stands, "scores.acc" or
    "history.v_measure.max", or a function of the result; rival, rival_key: the same for what it is compared with.
    relation: "number", "above", "better" or "on par". printed_key: the score by the formula that the paper prints.
    reason: by hand, why the verdict is what it is; headline: shown in the README.
    """

    paper: str
    where: str
    what: str
    printed: str
    value: float | None = None
    runs: Sequence[str] = ()
    key: Key = "scores.acc"
    rival: Sequence[str] = ()
    rival_key: Key | None = None
    relation: str = "number"
    tolerance: float = 0.02
    printed_key: Key | None = None
    printed_runs: Sequence[str] = ()
    waits_for: str = ""
    reason: str = ""
    headline: bool = False


def number(result: dict, key: Key) -> float:
    """The number of a result: "scores.acc", "history.loss.last", "history.acc.max", or what the function returns.

    NaN, which a function returns where a training is not that far yet, counts as no run.
    """
    if callable(key):
        return float(key(result))
    value: Any = result
    for part in key.split("."):
        if isinstance(value, list):
            known = [entry for entry in value if entry is not None]
            value = {"last": known[-1], "max": max(known), "min": min(known), "first": known[0]}[part]
        else:
            value = value[part]
    return float(value)


def files_of(run: str) -> list[Path]:
    """The result files on file of "experiment/configuration", seed by seed."""
    experiment, configuration = run.split("/")
    module = importlib.import_module(f"experiments.{experiment}")
    n_seeds = module.configurations()[configuration].n_seeds
    paths = [result_path(experiment, configuration, seed) for seed in module.SEEDS[:n_seeds]]
    return [path for path in paths if path.exists()]


def results(run: str) -> list[dict]:
    return [json.loads(path.read_text()) for path in files_of(run)]


def numbers(runs: Sequence[str], key: Key, printed: float = math.inf) -> tuple[str, list[float]]:
    """The reading whose mean is nearest to the printed number (infinity: the highest); ("", []) if none is on file."""
    found = []
    for run in runs:
        usable = [result for result in results(run) if callable(key) or "unfinished" not in result]
        found.append((run, [n for n in (number(result, key) for result in usable) if not math.isnan(n)]))

    def distance(pair: tuple[str, list[float]]) -> float:
        mean = statistics.fmean(pair[1])
        return -mean if printed == math.inf else abs(mean - printed)

    return min((pair for pair in found if pair[1]), key=distance, default=("", []))


@dataclass(frozen=True)
class Verdict:
    """A claim with our numbers: `run` names the reading that counts, `others` are the numbers it is compared with."""

    claim: Claim
    run: str
    ours: list[float]
    others: list[float]
    by_formula: list[float]
    unfinished: str = ""  # how far a training on file is

    @property
    def verdict(self) -> str:
        claim, ours = self.claim, self.ours
        if not ours or (claim.rival and not self.others):
            if any("unfinished" in result for run in claim.runs for result in results(run)):
                return "not run to the end"
            return f"waits for {claim.waits_for}" if claim.waits_for else "not run yet"
        if claim.relation != "number":
            bound = statistics.fmean(self.others) if claim.value is None else claim.value
            mean, slack = statistics.fmean(ours), claim.tolerance if claim.relation == "on par" else 0.0
            held = min(ours) > bound if claim.relation == "better" else mean >= bound - slack
            return "confirmed" if held else "not reached"
        assert claim.value is not None
        if self.by_formula and _covers(ours, claim) and not _covers(self.by_formula, claim):
            return "cannot be as printed"
        if _covers(ours, claim):
            return "confirmed"
        return "exceeded" if min(ours) > claim.value else "not reached"

    def row(self) -> str:
        """The claim as a row of a table in Markdown."""
        claim = self.claim
        ours = _shown(self.ours)
        if self.by_formula:
            ours += f"; by the printed formula {_shown(self.by_formula)}"
        if claim.rival and self.ours:
            ours += f"; against {_shown(self.others)}"
        if len(claim.runs) > 1 and self.run:
            ours += f" `{self.run.split('/')[1]}`"
        if self.unfinished:
            ours += f" (after {self.unfinished})"
        place = f"{claim.where}: " if claim.where else ""
        return f"| {place}{claim.what} | {claim.printed} | {ours} | **{self.verdict}** | {claim.reason} |"

    def short_row(self) -> str:
        """The claim as a row of the table of all papers."""
        claim, ours = self.claim, _shown(self.ours, short=True)
        if claim.rival and self.ours:
            ours += f" against {_shown(self.others, short=True)}"
        if self.unfinished:
            ours += f" (after {self.unfinished})"
        source = claim.where if claim.paper.startswith("Beyond") else claim.paper
        return f"| {source} | {claim.what} | {claim.printed} | {ours} | **{self.verdict}** |"


def _covers(values: list[float], claim: Claim) -> bool:
    """Whether the claimed number lies between the lowest and the highest value, or within the tolerance of them."""
    assert claim.value is not None
    return min(values) - claim.tolerance <= claim.value <= max(values) + claim.tolerance


def score(value: float, digits: int = 3, sign: bool = False) -> str:
    """A number as the pages write it: ".541", "−.016", "20.2"; with its sign if asked for, "+.003"; 0 has none."""
    value = round(value, digits) + 0.0  # no minus sign before zero
    shown = f"{value:{'+' if sign and value else ''}.{digits}f}".replace("-", "−")
    return re.sub(r"^([+−]?)0\.", r"\1.", shown)


def _shown(values: list[float], short: bool = False) -> str:
    if not values:
        return "–"
    digits = 1 if max(map(abs, values)) >= 2 else 3

    def text(value: float) -> str:
        return score(value, digits) if digits == 3 else f"{value:.{digits}f}".replace("-", "−")

    if len(values) == 1:
        return text(values[0]) if short else f"{text(values[0])} (1 seed)"
    deviation = statistics.stdev(values)
    if short:
        return f"{text(statistics.fmean(values))} ± {text(deviation)}"
    spread = f"{text(min(values))} to {text(max(values))}, {len(values)} seeds"
    return f"{text(statistics.fmean(values))} ± {text(deviation)} ({spread})"


def judge(claim: Claim) -> Verdict:
    printed = math.inf if claim.value is None or claim.relation != "number" else claim.value
    run, ours = numbers(claim.runs, claim.key, printed)
    others = numbers(claim.rival, claim.rival_key or claim.key)[1]
    by_formula = numbers(claim.printed_runs or [run], claim.printed_key)[1] if claim.printed_key and run else []
    unfinished = {result["unfinished"] for result in results(run) if "unfinished" in result} if run else set()
    return Verdict(claim, run, ours, others, by_formula, ", ".join(sorted(unfinished)))


# K-means on the data themselves, to stand beside a claim: (data set, score, clusters) -> where it is on file.
_KMEANS = {
    ("mnist", "ACC", 10): ("nguyen_kmeans/lloyd", "scores.acc"),
    ("mnist", "V", 10): ("bhattarai_latent/pixels-kmeans", "scores.v_measure"),
    ("mnist", "V", 100): ("samplawski_kmeans/minibatch-100", "scores.v_measure"),
    ("mnist", "ARI", 100): ("samplawski_kmeans/minibatch-100", "scores.ari"),
    ("cifar10", "V", 10): ("bhattarai_latent/cifar-pixels-kmeans", "scores.v_measure"),
    ("reuters21578", "ACC", 4): ("lim_reuters/kmeans", "scores.acc"),
}
# ACC of one cluster for all: of MNIST's 60,000 training images 6,742 are ones.
_ONE_CLUSTER = {"mnist": 6742 / 60000, "fashion_mnist": 0.1, "cifar10": 0.1}


def _score(claim: Claim) -> str:
    """Which score a claim is about: "ACC", "V", "ARI", "AMI", "dB", or "" where it is another number."""
    key = claim.key if isinstance(claim.key, str) else ""
    names = {"v_measure": "V", "ari": "ARI", "ami_max": "AMI", "psnr": "dB", "acc": "ACC"}
    words = re.split(r"\W", claim.printed) + re.split(r"\W", claim.what)
    by_key = [name for part, name in names.items() if re.search(rf"(^|[. _]){part}($|\.)", key)]
    return next(iter(by_key), next((name for name in ("ACC", "V", "dB") if name in words), ""))


def _readings(runs: Sequence[str], key: Key) -> list[dict]:
    """The readings of a claim that are on file: name, seeds, and a number a seed."""
    found = []
    for run in runs:
        usable = [result for result in results(run) if callable(key) or "unfinished" not in result]
        pairs = [(result["seed"], number(result, key)) for result in usable]
        pairs = [(seed, round(value, 6)) for seed, value in pairs if not math.isnan(value)]
        if pairs:
            name = run.split("/")[1]
            found.append({"name": name, "seeds": [seed for seed, _ in pairs], "values": [v for _, v in pairs]})
    return found


def exhibit(claim: Claim) -> dict:
    """A claim, its verdict and all that it rests on, as plain data: what `ClaimExplorer` shows."""
    found, score, beside = judge(claim), _score(claim), []
    first = next((result for run in claim.runs for result in results(run)), None)
    if first and score in ("ACC", "V", "ARI"):
        dataset = first["dataset"]
        n_clusters = first["parameters"].get("clusterer", {}).get("n_clusters", 10)
        if score != "ACC":
            beside.append(["chance", 0.0])
        elif dataset in _ONE_CLUSTER:
            beside.append(["one cluster", round(_ONE_CLUSTER[dataset], 4)])
        if (dataset, score, n_clusters) in _KMEANS:
            run, key = _KMEANS[dataset, score, n_clusters]
            if values := numbers([run], key)[1]:
                beside.append(["k-means", round(statistics.fmean(values), 4)])
    return {
        "paper": claim.paper,
        "what": f"{claim.where}: {claim.what}" if claim.where else claim.what,
        "printed": claim.printed,
        "value": claim.value,
        "relation": claim.relation,
        "tolerance": claim.tolerance,
        "score": score,
        "readings": _readings(claim.runs, claim.key),
        "compared": bool(claim.rival),
        "rivals": _readings(claim.rival, claim.rival_key or claim.key),
        "formula": [round(value, 6) for value in found.by_formula],
        "beside": beside,
        "unfinished": found.unfinished,
        "reason": claim.reason,
        "headline": claim.headline,
        "verdict": found.verdict,
    }


def exhibits() -> list[dict]:
    """All claims that have a verdict, as `exhibit` gives them."""
    from experiments.claims import CLAIMS

    shown = [exhibit(claim) for claim in CLAIMS]
    return [one for one in shown if one["readings"] and (one["rivals"] or not one["compared"])]


HEAD = "| claim | printed | ours: mean ± standard deviation | verdict | why |\n|---|---|---|---|---|"
SHORT_HEAD = "| paper | claim | printed | ours | verdict |\n|---|---|---|---|---|"


def table(paper: str = "") -> str:
    """All claims of a paper with the reasons, or without a paper the headlines of all, as a table in Markdown."""
    from experiments.claims import CLAIMS

    if paper:
        return "\n".join([HEAD, *(judge(claim).row() for claim in CLAIMS if claim.paper == paper)])
    return "\n".join([SHORT_HEAD, *(judge(claim).short_row() for claim in CLAIMS if claim.headline)])
