"""The experiments: what a result file holds, going on after an interruption; the README shows what is on file."""

import dataclasses
import json
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from dclib.autoencoder import Autoencoder
from dclib.data import load
from dclib.dec import DEC
from dclib.kmeans import KMeans
from dclib.metrics import clustering_accuracy
from experiments import __main__ as command
from experiments import runner
from experiments.runner import Configuration, run

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "experiments" / "results").glob("*/*.json"))
KEYS = {
    "experiment", "configuration", "method", "dataset", "split", "n", "seed", "scores", "parameters",
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


def test_experiments_share_an_autoencoder(here, monkeypatch):
    """The second experiment trains none, and still counts the seconds; other data, seed or parameters: another one."""
    first = run("trial", "first", small(), 0)
    files = list((here / "checkpoints" / "autoencoders").glob("*.ckpt"))
    assert len(files) == 1
    written = files[0].stat().st_mtime_ns
    seen = []
    monkeypatch.setattr(runner.Stopwatch, "on_epoch_end", lambda self, run: seen.append(type(run.estimator).__name__))
    monkeypatch.setattr(
        runner.Stopwatch, "on_fit_start", lambda self, run: setattr(self, "before", 1000.0 * bool(run.history))
    )
    second = run("other", "second", small(), 0)
    assert set(seen) == {"DEC"} and files[0].stat().st_mtime_ns == written
    assert second["scores"] == first["scores"] and second["seconds"] >= 1000
    for number, (autoencoder, n, seed) in enumerate(((3, 900, 0), (3, None, 1), (4, None, 0)), start=2):
        configuration = small()
        configuration.n = n
        configuration.autoencoder.set_params(latent_dim=autoencoder)
        run("trial", f"number {number}", configuration, seed)
        assert len(list((here / "checkpoints" / "autoencoders").glob("*.ckpt"))) == number


def test_a_clusterer_without_an_autoencoder_on_a_subset(here):
    configuration = Configuration(
        "digits",
        "all",
        None,
        KMeans(10),
        n=500,
        prepare=lambda x: x.reshape(len(x), -1)[:, :40],
        measure=lambda method, data: {"features": method.n_features_in_, "rows": len(data)},
    )
    result = run("trial", "pixels", configuration, 3)
    assert result["n"] == 500 and result["measured"] == {"features": 40, "rows": 500}
    assert result["history"] == {} and "start" not in result and "test_scores" not in result
    assert result["parameters"]["autoencoder"] is None and result["parameters"]["clusterer"]["n_clusters"] == 10
    part = load("digits", n=500, random_state=3)
    labels = KMeans(10, random_state=3).fit_predict(part.x.reshape(500, -1)[:, :40])
    assert result["scores"]["acc"] == pytest.approx(clustering_accuracy(part.y, labels), abs=1e-5)


def test_the_test_split_is_predicted_not_fitted(here, monkeypatch):
    """With a stand-in for a data set with an official split."""
    x, y = load("digits").x, load("digits").y
    parts = {"train": slice(0, 1000), "test": slice(1000, None)}

    def split_digits(name, split, **options):
        return dataclasses.replace(load(name), x=x[parts[split]], y=y[parts[split]])

    monkeypatch.setattr(runner, "load", split_digits)
    result = run("trial", "split", Configuration("digits", "train", None, KMeans(10), test=True), 0)
    model = KMeans(10, random_state=0).fit(x[:1000])
    assert result["test_scores"]["acc"] == pytest.approx(
        clustering_accuracy(y[1000:], model.predict(x[1000:])), abs=1e-5
    )


def test_held_out_loss_scores_at_checkpoints_and_arrays(here, monkeypatch):
    """The test images' loss each epoch, scores every second epoch and at the end, codes of a fixed sample on file."""
    x, y = load("digits").x, load("digits").y
    parts = {"train": slice(0, 1000), "test": slice(1000, None)}
    monkeypatch.setattr(
        runner,
        "load",
        lambda name, split, **options: dataclasses.replace(load(name), x=x[parts[split]], y=y[parts[split]]),
    )
    configuration = small(epochs=5)
    configuration.split, configuration.every, configuration.codes_at = "train", 2, (1, 2, 4)
    configuration.evaluate = lambda method, data, test: {"rows": len(data) + len(test) / 1000}
    configuration.keep = lambda method, data: {"centers": method.cluster_centers_}
    result = run("trial", "kept", configuration, 0)
    method, autoencoder = configuration.clusterer, configuration.autoencoder
    error = np.square(autoencoder.reconstruct(x[1000:]) - x[1000:]).mean()
    assert len(result["autoencoder_test_loss"]) == len(result["autoencoder_loss"]) == 2
    assert result["autoencoder_test_loss"][-1] == pytest.approx(error, rel=1e-4)
    assert result["test_scores"]["acc"] == pytest.approx(
        clustering_accuracy(y[1000:], method.predict(x[1000:])), abs=1e-5
    )
    assert result["history"]["rows"] == [None, 1000.797, None, 1000.797, 1000.797]
    assert [value is None for value in result["history"]["acc"]] == [True, False, True, False, False]
    path = here / "results" / "trial" / result["arrays"]
    assert path.name == "kept-seed0.npz" and path.stat().st_size <= runner.ARRAYS_LIMIT
    arrays = np.load(path)
    assert set(arrays) == {
        "centers", "y", "labels", "codes_1", "codes_2", "codes_4", "autoencoder_codes_1", "autoencoder_codes_2",
    }  # fmt: skip
    np.testing.assert_allclose(arrays["centers"], method.cluster_centers_, rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(arrays["autoencoder_codes_2"], autoencoder.transform(x[:1000]), rtol=2e-3, atol=2e-3)
    assert np.array_equal(arrays["y"], y[:1000]) and np.array_equal(arrays["labels"], method.labels_[:1000])


def test_arrays_have_a_limit(here, monkeypatch):
    monkeypatch.setattr(runner, "ARRAYS_LIMIT", 1000)
    configuration = Configuration("digits", "all", None, KMeans(10), keep=lambda method, data: {"x": data.x})
    with pytest.raises(ValueError, match="keep less"):
        run("trial", "large", configuration, 0)
    assert not list((here / "results" / "trial").glob("*"))


def test_the_summary_shows_what_was_found(here, monkeypatch):
    configurations = {
        "clusters": Configuration("digits", "all", None, KMeans(10), measure=lambda method, data: {"loss": 1.25}),
        "not done": Configuration("digits", "all", None, KMeans(5)),
    }
    module = types.ModuleType("experiments.trial")
    module.SEEDS, module.configurations = range(3), lambda: configurations
    monkeypatch.setitem(sys.modules, "experiments.trial", module)
    values = sorted(run("trial", "clusters", configurations["clusters"], seed)["scores"]["acc"] for seed in (0, 2))
    lines = [line.split() for line in command.summary("trial").splitlines()]
    mean = f"{sum(values) / 2:.3f}"
    assert ["clusters", "2/3", "acc", mean, mean, f"{values[0]:.3f}", f"{values[1]:.3f}"] in lines
    assert ["clusters", "2/3", "loss", *["1.250"] * 4] in lines
    assert ["not", "done", "0/3", "not", "run", "yet"] in lines


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
    groups = [result.get(group, {}).values() for group in ("scores", "start", "test_scores")]
    assert all(0 <= value <= 1 for values in groups for value in values)
    if "acc" in result["history"]:
        assert result["scores"]["acc"] == pytest.approx(result["history"]["acc"][-1], abs=5e-3)
    assert not re.search(r"/(root|home|tmp|work)/", path.read_text())


def test_the_pages_show_what_is_on_file():
    for page in command.PAGES:
        text = page.read_text(encoding="utf-8")
        assert "<!-- results: " in text
        assert text == command.with_summaries(text), "renew the tables: python -m experiments --pages"


def test_every_experiment_has_a_table():
    shown = re.findall(r"<!-- results: (\w+) -->", (ROOT / "experiments" / "README.md").read_text(encoding="utf-8"))
    assert sorted(shown) == command.names()
