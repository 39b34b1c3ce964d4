"""Lesson 12 reads results to which runs are added: what it checks must stay, what it shows must be today's.

Its checked cells read the first seeds of finished runs, which are never written again. Its tables of verdicts are not
compared by nbval; here they are, as long as no run was added since the page was made.
"""

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from experiments import verdicts

LESSON = Path(__file__).resolve().parents[1] / "notebooks" / "12_the_papers_on_trial.ipynb"
CELLS = {cell["id"]: cell for cell in json.loads(LESSON.read_text(encoding="utf-8"))["cells"]}
TAG = "nbval-ignore-output"
OPEN = [name for name, cell in CELLS.items() if TAG in cell["metadata"].get("tags", [])]
FILES = ("setup", "best-file", "peek", "strict-file", "samplawski-check", "lee-check", "lim-check")


def source(name):
    return "".join(CELLS[name]["source"])


@pytest.fixture
def page(monkeypatch):
    """Runs cells of the lesson by name -> their output: text, then the Markdown and the claims that they display."""
    import IPython.display

    monkeypatch.chdir(LESSON.parent)
    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    namespace = {}

    def run(*names):
        shown.clear()
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            for name in names:
                exec(compile(source(name), name, "exec"), namespace)
        return text.getvalue(), [one.data for one in shown]

    run("setup")
    namespace |= {"CLAIMS": __import__("experiments.claims").claims.CLAIMS, "judge": verdicts.judge}
    exec("from collections import Counter", namespace)
    run.namespace = namespace
    return run


def stored(name):
    """Text and Markdown of the stored outputs of a cell."""
    outputs = CELLS[name]["outputs"]
    text = "".join("".join(o["text"]) for o in outputs if o["output_type"] == "stream")
    return text, ["".join(o["data"]["text/markdown"]) for o in outputs if "text/markdown" in o.get("data", {})]


def test_checked_cells_read_runs_that_stay(page):
    """Every file that they read is on file and finished: an unfinished one is written anew."""
    read, on_file = [], page.namespace["on_file"]

    def noted(name, n_seeds):
        read.append(name)
        return on_file(name, n_seeds)

    page.namespace["on_file"] = noted
    assert not set(FILES) & set(OPEN)
    page.namespace |= {"verdict": lambda *_: "", "strict": lambda *_: ""}  # what they judge is no matter here
    page("best-code", *FILES[1:])
    assert len(set(read)) >= 15
    for name in read:
        assert not any("unfinished" in run for run in on_file(name, 1)), name
    others = {name for name, cell in CELLS.items() if cell["cell_type"] == "code" and "on_file(" in source(name)}
    assert others <= {*FILES, "seeds"}, "a cell that reads files: name it in FILES"
    assert all("unfinished" not in run for name in ("plain", "augmented") for run in on_file(f"mnist_dec/{name}", 5))


def test_the_tables_are_those_of_today(page):
    text, _ = stored("nguyen-trial")
    made_from = int(re.match(r"(\d+) runs on file", text)[1])
    today = len(list(Path("../experiments/results").glob("*/*.json")))
    if made_from != today:
        pytest.skip(f"runs were added ({made_from} → {today}): make outputs NOTEBOOKS=notebooks/{LESSON.name}")
    for name in OPEN:
        if name != "demo":
            assert page(name) == stored(name), f"cell {name}: renew the outputs of {LESSON.name}"
    html = "".join("".join(o["data"].get("text/html", "")) for o in CELLS["demo"]["outputs"])
    state = json.loads(re.search(r"get: \(\) => \((.*)\), on\(\) \{\} \}, el", html)[1])
    assert state["claims"] == verdicts.exhibits()


def test_every_paper_has_its_part(page):
    """Whatever is on file: a table of the main claims, and a verdict in every row."""
    page("nguyen-trial")
    for paper in ("Nguyen", "Bhattarai", "Samplawski", "Lee", "Lim"):
        assert f'trial("{paper}")' in "".join(source(name) for name in OPEN)
        _, (table,) = page(f"{paper.lower()}-trial")
        rows = table.splitlines()[2:]
        assert len(rows) >= 2 and all(row.count("**") == 2 for row in rows)


def test_self_labelling_with_and_without_its_runs(page, monkeypatch):
    runs = [{"seed": k, "scores": {"acc": 0.98 + k / 100}, "start": {"acc": 0.97}} for k in range(2)]
    monkeypatch.setattr(verdicts, "results", lambda run: runs if run == "self_labelling/mnist" else [])
    text, _ = page("self-labelling")
    assert "augmented DEC 0.9700, the network that it taught 0.9900" in text
    assert "seeds on file: 2; better than its teacher: confirmed" in text
    runs.clear()
    assert page("self-labelling")[0].startswith("not on file")
