"""The experiments: what a result file holds, going on after an interruption; the README shows what is on file."""

import json
import re
from pathlib import Path

import pytest

from dclib.autoencoder import Autoencoder
from dclib.dec import DEC
from experiments import __main__ as command
from experiments import runner
from experiments.runner import Configuration, run

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "experiments" / "results").glob("*/*.json"))
KEYS = {
    "experiment", "configuration", "method", "dataset", "split", "n", "seed", "scores", "start", "parameters",
    "history", "seconds", "peak_memory_mb", "device", "precision", "threads", "versions", "machine", "command",
}  # fmt: skip


def small(epochs=3):
    autoencoder = Autoencoder(3, hidden=(16,), epochs=2)
    return Configuration("digits", "all", autoencoder, DEC(epochs=epochs, n_init=2, tol=0))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "HERE", tmp_path)
    return tmp_path


def test_a_result_is_written_once_and_by_schema(here):
    result = run("trial", "small", small(), 7)
    path = here / "results" / "trial" / "small-seed7.json"
    assert json.loads(path.read_text()) == result
    assert set(result) >= KEYS
    assert result["history"]["epoch"] == [1, 2, 3] and len(result["history"]["acc"]) == 3
    assert result["scores"]["acc"] == pytest.approx(result["history"]["acc"][-1], abs=1e-4)
    before = path.stat().st_mtime_ns
    assert run("trial", "small", small(epochs=9), 7) == result
    assert path.stat().st_mtime_ns == before


def test_an_interrupted_experiment_goes_on_and_ends_the_same(here, monkeypatch):
    whole = run("trial", "whole", small(), 0)

    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runner, "scores", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run("trial", "cut", small(), 0)
    assert not (here / "results" / "trial" / "cut-seed0.json").exists()
    again = run("trial", "cut", small(), 0)
    assert again["scores"] == whole["scores"]
    assert again["history"]["loss"] == whole["history"]["loss"]


def test_unknown_names_are_refused(monkeypatch, capsys):
    for arguments in (["nonsense"], ["mnist_dec", "--configurations", "nonsense"]):
        monkeypatch.setattr("sys.argv", ["experiments", *arguments])
        with pytest.raises(SystemExit):
            command.main()
        assert "choose from" in capsys.readouterr().err


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_results_on_file(path):
    result = json.loads(path.read_text())
    assert set(result) >= KEYS
    assert path.parent.name == result["experiment"] and path.stem == f"{result['configuration']}-seed{result['seed']}"
    assert all(0 <= value <= 1 for value in [*result["scores"].values(), *result["start"].values()])
    assert result["scores"]["acc"] == pytest.approx(result["history"]["acc"][-1], abs=5e-3)
    assert not re.search(r"/(root|home|tmp|work)/", path.read_text())


def test_the_readme_shows_what_is_on_file():
    blocks = re.findall(r"<!-- results: (\w+) -->\n```\n(.*?)```\n<!-- end -->", (ROOT / "README.md").read_text(), re.S)
    assert blocks
    for name, block in blocks:
        assert block == command.summary(name) + "\n", f"paste the output of: python -m experiments {name} --summary"
