"""Command line of the experiments: python -m experiments [NAME …] [--configurations …] [--seeds …]

`python -m experiments verdicts` prints what came of each of the papers' claims, `python -m experiments figures` draws
the papers' figures from the results on file.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import re

import experiments
from experiments.claims import PAPERS
from experiments.figures import draw_all, gallery
from experiments.findings import findings
from experiments.runner import HERE, SCORES, result_path, run
from experiments.verdicts import table

PAGES = (HERE.parent / "README.md", HERE / "README.md")


def names() -> list[str]:
    modules = (module.name for module in pkgutil.iter_modules(experiments.__path__))
    return sorted(
        name for name in modules if name not in ("__main__", "claims", "figures", "findings", "runner", "verdicts")
    )


def _shown(result: dict) -> dict[str, float]:
    """The numbers of a result that the summary shows, by name."""
    test = {f"test {score}": value for score, value in result.get("test_scores", {}).items()}
    scores = {score: value for score, value in (result["scores"] | test).items() if score.split()[-1] in SCORES}
    start = {f"start {score}": result["start"][score] for score in SCORES[:1] if result.get("start")}
    return start | scores | result.get("measured", {})


def summary(name: str) -> str:
    """Table of what is on file for one experiment: mean, median, lowest and highest score over the seeds."""
    module = importlib.import_module(f"experiments.{name}")
    table = {}
    for configuration, what in module.configurations().items():
        files = [result_path(name, configuration, seed) for seed in module.SEEDS[: what.n_seeds]]
        table[configuration] = len(files), [_shown(json.loads(path.read_text())) for path in files if path.exists()]
    width = max([9, *(len(score) for _, found in table.values() for result in found for score in result)])
    lines = [name, f"  {'configuration':<28} {'seeds':>5}  {'score':<{width}}  mean  median  lowest highest"]
    for configuration, (n_files, found) in table.items():
        for score in found[0] if found else ():
            values = sorted(result[score] for result in found)
            middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
            numbers = f"{sum(values) / len(values):.3f}   {middle:.3f}   {values[0]:.3f}   {values[-1]:.3f}"
            lines.append(f"  {configuration:<28} {len(found):>2}/{n_files:<2}  {score:<{width}} {numbers}")
        if not found:
            lines.append(f"  {configuration:<28}  0/{n_files:<2}  not run yet")
    return "\n".join(lines)


def renewed(text: str) -> str:
    """A page in Markdown with what is on file between its markers.

    `<!-- results: NAME -->` is an experiment's summary, `<!-- findings: PAPER -->` what the runs say in words,
    `<!-- verdicts: PAPER -->` what came of its claims, `<!-- headlines -->` the claims of all papers that the README
    shows, `<!-- figures: PAPER -->` its figures.
    """
    makers = {
        "results": lambda name: f"```\n{summary(name)}\n```",
        "findings": findings,
        "verdicts": table,
        "headlines": table,
        "figures": gallery,
    }

    def block(found: re.Match) -> str:
        return f"{found[1]}{makers[found[2]](found[3] or '')}\n{found[4]}"

    pattern = rf"(<!-- ({'|'.join(makers)})(?:: ([^>]+))? -->\n).*?(<!-- end -->)"
    return re.sub(pattern, block, text, flags=re.S)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__.split("\n")[0])
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"verdicts, figures, or which experiments (default: all): {', '.join(names())}",
    )
    parser.add_argument("--configurations", nargs="+", help="only these configurations")
    parser.add_argument("--seeds", nargs="+", type=int, help="only these seeds")
    parser.add_argument("--summary", action="store_true", help="run nothing, show the table of what is on file")
    parser.add_argument("--pages", action="store_true", help="run nothing, renew what the pages show of the runs")
    parser.add_argument("--redraw", action="store_true", help="figures: also those whose results have not changed")
    parser.add_argument(
        "--unfinished", action="store_true", help="train nothing, write what the checkpoints have reached so far"
    )
    options = parser.parse_args()
    if options.pages:
        for page in PAGES:
            page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
        return
    if options.names == ["verdicts"]:
        for paper in PAPERS:
            print(f"{paper}\n\n{table(paper)}\n")
        return
    if options.names == ["figures"]:
        print(draw_all(options.redraw))
        return
    for name in options.names or names():
        if name not in names():
            parser.error(f"{name!r} is not known: choose from {', '.join(names())}")
        module = importlib.import_module(f"experiments.{name}")
        chosen = options.configurations or list(module.configurations())
        if unknown := set(chosen) - set(module.configurations()):
            parser.error(
                f"{name} has no {', '.join(sorted(unknown))}: choose from {', '.join(module.configurations())}"
            )
        if not options.summary:
            for seed in options.seeds or module.SEEDS:
                for configuration in chosen:
                    n_seeds = module.configurations()[configuration].n_seeds
                    if options.seeds is None and seed not in module.SEEDS[:n_seeds]:
                        continue
                    # A fresh set of estimators for each run: fitting one leaves its parameters behind.
                    result = run(name, configuration, module.configurations()[configuration], seed, options.unfinished)
                    print(f"{configuration} seed {seed}: " + json.dumps(result["scores"]), flush=True)
        print(summary(name))


if __name__ == "__main__":
    main()
