"""The experiments: what a result file holds, going on after an interruption; the README shows what is on file."""

import dataclasses
import importlib
import json
import math
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from dclib.autoencoder import Autoencoder
from dclib.data import Dataset, load
from dclib.dcan import DCAN
from dclib.dec import DEC
from dclib.engine.callbacks import Checkpoint
from dclib.kmeans import KMeans
from dclib.metrics import clustering_accuracy
from experiments import __main__ as command
from experiments import claims, figures, findings, runner
from experiments.claims import CLAIMS, PAPERS
from experiments.lim_divergences import Untrained, shrink
from experiments.runner import Configuration, run
from experiments.verdicts import Claim, files_of, judge, number, score

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


def test_an_unfinished_result_is_written_from_the_checkpoint_and_the_training_goes_on(here, monkeypatch):
    whole = run("trial", "whole", small(), 0)
    with pytest.raises(ValueError, match="no checkpoint"):
        run("trial", "cut", small(), 0, unfinished=True)

    class Cut(Checkpoint):
        def on_epoch_end(self, run):
            super().on_epoch_end(run)
            if isinstance(run.estimator, DEC) and run.epoch == 2:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runner, "Checkpoint", Cut)
        with pytest.raises(KeyboardInterrupt):
            run("trial", "cut", small(), 0)
    part = run("trial", "cut", small(), 0, unfinished=True)
    assert part["unfinished"] == "2 of 3 epochs" and part["history"]["loss"] == whole["history"]["loss"][:2]
    assert part["scores"]["acc"] == pytest.approx(whole["history"]["acc"][1], abs=1e-4)
    again = run("trial", "cut", small(), 0)
    assert "unfinished" not in again and again["history"]["loss"] == whole["history"]["loss"]
    assert again["scores"] == whole["scores"] == run("trial", "cut", small(), 0, unfinished=True)["scores"]


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
    for count, (autoencoder, n, seed) in enumerate(((3, 900, 0), (3, None, 1), (4, None, 0)), start=2):
        configuration = small()
        configuration.n = n
        configuration.autoencoder.set_params(latent_dim=autoencoder)
        run("trial", f"number {count}", configuration, seed)
        assert len(list((here / "checkpoints" / "autoencoders").glob("*.ckpt"))) == count


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
        assert "<!-- verdicts: " in text or "<!-- headlines -->" in text
        assert text == command.renewed(text), "renew the tables: python -m experiments --pages"


@pytest.mark.filterwarnings(
    "ignore:Only .* clusters have points", "ignore:X has a feature with a standard deviation", "ignore:DCAN collapsed"
)
@pytest.mark.parametrize(
    ("experiment", "configuration", "shape", "n_classes"),
    [
        ("samplawski_kmeans", "emnist-author", (1, 28, 28), 26),
        ("samplawski_kmeans", "emnist-minibatch-100", (1, 28, 28), 26),
        ("lim_reuters", "reuters10k-dcan", (2000,), 4),
        ("lim_features", "mnist-resnet18-dcan", (1, 28, 28), 10),
        ("lim_features", "cifar-resnet50-abc", (3, 32, 32), 10),
    ],
)
def test_what_waits_for_data_or_weights_runs_on_made_ones(
    here, monkeypatch, experiment, configuration, shape, n_classes
):
    """One epoch on few random samples, with features that a stand-in for the backbone gives."""
    draw = np.random.default_rng(0)
    x, y = draw.random((600, *shape), dtype=np.float32), draw.integers(0, n_classes, 600)
    names = [str(k) for k in range(n_classes)]

    def made(name, split, **options):
        return Dataset(name, x, y, names, "made")

    class Backbone:
        def __init__(self, name, size):
            self.name, self.size = name, size

        def transform(self, x):
            return x.reshape(len(x), -1)[:, :100] ** 2

    module = importlib.import_module(f"experiments.{experiment}")
    monkeypatch.setattr(runner, "load", made)
    monkeypatch.setattr("experiments.lim_features.PretrainedFeatures", Backbone)
    chosen = module.configurations()[configuration]
    for estimator in (chosen.autoencoder, chosen.clusterer):
        if estimator is not None and "epochs" in estimator.get_params(deep=False):
            estimator.set_params(epochs=1)
    result = run(experiment, configuration, chosen, 0)
    assert result["n"] == 600 and 0 <= result["scores"]["v_measure"] < 1
    assert result["parameters"]["clusterer"]["n_clusters"] == (260 if n_classes == 26 else n_classes)


# --- verdicts ---------------------------------------------------------------------------------------------------------


def claim(value=None, **options):
    return Claim("paper", "table 1", "ACC", str(value), value, **{"runs": ["trial/a"]} | options)


@pytest.fixture
def on_file(here, monkeypatch):
    """on_file(configuration, [values]): results of an experiment "trial" with these ACC, one a seed."""
    module = types.ModuleType("experiments.trial")
    configurations: dict[str, Configuration] = {}
    module.SEEDS, module.configurations = range(5), lambda: configurations
    monkeypatch.setitem(sys.modules, "experiments.trial", module)

    def write(configuration, values, **further):
        configurations[configuration] = Configuration("digits", "all", None, None)
        for seed, value in enumerate(values):
            path = runner.result_path("trial", configuration, seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"seed": seed, "scores": {"acc": value}} | further))

    return write


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.55, "confirmed"), (0.62, "confirmed"), (0.63, "not reached"), (0.48, "confirmed"), (0.47, "exceeded")],
)
def test_a_number_is_confirmed_within_our_runs_or_near_them(on_file, value, verdict):
    on_file("a", [0.6, 0.5, 0.57])
    assert judge(claim(value)).verdict == verdict


def test_bounds_and_comparisons(on_file):
    on_file("a", [0.6, 0.5])
    on_file("b", [0.54, 0.56])
    on_file("c", [])
    assert judge(claim(0.54, relation="above")).verdict == "confirmed"
    assert judge(claim(0.56, relation="above")).verdict == "not reached"
    # The means are equal, but one of our runs is below the rival's.
    assert judge(claim(rival=["trial/b"], relation="better")).verdict == "not reached"
    assert judge(claim(rival=["trial/b"], relation="on par")).verdict == "confirmed"
    assert judge(claim(rival=["trial/b"], relation="on par", runs=["trial/c"])).verdict == "not run yet"
    on_file("c", [0.52])
    assert judge(claim(rival=["trial/b"], relation="on par", runs=["trial/c"])).verdict == "not reached"
    assert judge(claim(rival=["trial/c"], relation="better", runs=["trial/b"])).verdict == "confirmed"


def test_the_reading_nearest_to_the_number_counts(on_file):
    for name, values in (("a", [0.9, 0.9]), ("b", [0.6, 0.5]), ("c", [])):
        on_file(name, values)
    runs = ["trial/a", "trial/b", "trial/c"]
    assert judge(claim(0.58, runs=runs)).run == "trial/b" and judge(claim(0.8, runs=runs)).run == "trial/a"
    assert judge(claim(0.58, runs=runs, relation="above")).run == "trial/a"


def test_what_no_run_tells(on_file):
    on_file("a", [])
    assert judge(claim(0.5)).verdict == "not run yet"
    assert judge(claim(0.5, waits_for="a GPU")).verdict == "waits for a GPU"
    assert judge(claim(0.5, waits_for="a GPU", runs=[])).verdict == "waits for a GPU"
    with pytest.raises(KeyError, match="no such"):
        judge(claim(0.5, runs=["trial/no such"]))


def test_of_an_unfinished_training_only_what_it_has_passed_is_judged(on_file):
    on_file("a", [0.5], unfinished="2 of 3 epochs", history={"acc": [0.2, 0.5]})
    assert judge(claim(0.5)).verdict == "not run to the end" and judge(claim(0.5)).ours == []
    passed = judge(claim(0.2, key=lambda result: result["history"]["acc"][0]))
    assert passed.verdict == "confirmed" and "(after 2 of 3 epochs)" in passed.row()
    assert judge(claim(0.2, key=lambda result: math.nan)).verdict == "not run to the end"


def test_a_number_by_another_formula_than_printed(on_file):
    on_file("a", [0.34], measured={"rand": 0.9})
    assert judge(claim(0.34, printed_key="measured.rand")).verdict == "cannot be as printed"
    assert judge(claim(0.9, printed_key="measured.rand")).verdict == "not reached"
    on_file("a", [0.34], measured={"rand": 0.35})
    assert judge(claim(0.34, printed_key="measured.rand")).verdict == "confirmed"


def test_numbers_are_found_in_a_result():
    result = {"scores": {"acc": 0.5}, "history": {"acc": [0.1, None, 0.7, 0.6]}, "measured": {"noise 50 v": 3}}
    found = [number(result, f"history.acc.{part}") for part in ("first", "max", "min", "last")]
    assert found == [0.1, 0.7, 0.1, 0.6]
    assert number(result, "measured.noise 50 v") == 3 and number(result, lambda result: len(result)) == 3


def test_numbers_in_sentences(on_file):
    assert [score(value) for value in (0.5412, -0.0164, 1.0, -0.0001)] == [".541", "−.016", "1.000", ".000"]
    assert [score(value, sign=True) for value in (0.0031, -0.0004, -0.062)] == ["+.003", ".000", "−.062"]
    assert score(20.24, 1) == "20.2" and score(0.0, 0) == "0"
    on_file("a", [0.6, 0.5, 0.57], start={"acc": 0.55})
    on_file("b", [0.7])
    on_file("c", [])
    assert findings.mean("trial/a") == ".557" and findings.span("trial/a", digits=2) == ".50 to .60"
    assert findings.span(["trial/a", "trial/b"]) == ".500 to .700" and findings.span("trial/b") == ".700"
    assert findings.span("trial/a", findings.gain, sign=True) == "−.050 to +.050"
    assert findings.mean("trial/c") == findings.span("trial/c") == "–"
    assert [findings.seeds(f"trial/{name}") for name in "abc"] == ["three seeds", "one seed", "no seeds"]
    assert findings.listed("abc") == "a, b and c" and findings.listed("a") == "a"
    on_file("d", [0.5, 0.6])
    assert findings.ahead("trial/a", "trial/d") == "one of two seeds"
    assert findings.ahead("trial/b", "trial/a") == "its one seed"


def test_claims_are_made_without_any_run(here):
    """Whoever empties `results/` to run all again can still start: nothing is read that has to be there."""
    made = [*claims._nguyen(), *claims._bhattarai(), *claims._samplawski(), *claims._lee(), *claims._lim()]
    assert len([*made, *claims._beyond()]) == len(CLAIMS)


def test_verdicts_on_the_pages_agree_with_the_files():
    """Mean, lowest and highest of every row, computed here from the files, stand in the page's row, and the verdict."""
    text = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "**" in line]
    assert len(rows) == len(CLAIMS)
    n_numbers = 0
    for row in rows:
        place, printed, ours, *_ = (cell.strip() for cell in row.strip("|").split(" | "))
        (found,) = [c for c in CLAIMS if f"{c.where}: {c.what}" == place and c.printed == printed]
        values = judge(found).ours
        assert (ours == "–") == (not values)
        if values:
            shown = [float(text.replace("−", "-")) for text in re.findall(r"−?\d*\.\d+", ours)]
            expected = [
                sum(values) / len(values),
                *([np.std(values, ddof=1), min(values), max(values)] if values[1:] else []),
            ]
            np.testing.assert_allclose(shown[: len(expected)], expected, atol=0.051 if max(values) >= 2 else 0.00051)
            n_numbers += 1
    assert n_numbers > 20


def test_every_experiment_has_a_claim_and_every_claim_a_configuration():
    used = set()
    for each in CLAIMS:
        for name in (*each.runs, *each.rival):
            files_of(name)  # raises KeyError for a configuration that is not there
            used.add(name.split("/")[0])
        assert each.runs or each.waits_for or judge(each).verdict == "not run yet"
        assert each.paper in PAPERS
    assert used == set(command.names()), "say in experiments/claims.py what the experiment is to show"
    assert sum(each.headline for each in CLAIMS) <= 15


# --- figures ----------------------------------------------------------------------------------------------------------


def test_figures_are_those_of_the_results_on_file():
    index = json.loads(figures.INDEX.read_text())
    pictures = {path.stem: path for path in figures.FIGURES.glob("*.png")}
    assert set(index) == set(pictures) and len(index) >= 5
    assert sum(path.stat().st_size for path in pictures.values()) <= 3_000_000
    page = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
    for name, entry in index.items():
        assert len(entry["alt"]) > 40 and f"![{entry['alt']}](figures/{name}.png)" in page
        stale = entry["files"] != figures.digests(entry["runs"])
        assert not stale, f"{name}: the results have changed, draw it again: python -m experiments figures"


def test_a_figure_without_its_runs_is_not_drawn(tmp_path, monkeypatch):
    def missing(sources):
        sources.some("nguyen_kmeans/toy")
        raise figures.NotOnFile("trial/a")

    def drawn(sources):
        fig, ax = figures.figure()
        ax.plot(figures.curves(sources.some("nguyen_kmeans/soft"), "acc")[0])
        return fig, "A line that rises, then stays."

    monkeypatch.setattr(figures, "FIGURES", tmp_path)
    monkeypatch.setattr(figures, "INDEX", tmp_path / "figures.json")
    monkeypatch.setattr(
        figures, "DRAWINGS", [figures.Drawing("Nguyen", "one", missing), figures.Drawing("Nguyen", "two", drawn)]
    )
    (tmp_path / "one.png").write_bytes(b"old")
    report = figures.draw_all()
    assert "one: not drawn, trial/a is not on file" in report and not (tmp_path / "one.png").exists()
    assert (tmp_path / "two.png").read_bytes()[:4] == b"\x89PNG"
    assert figures.gallery("Nguyen") == "![A line that rises, then stays.](figures/two.png)"
    assert "No run" in figures.gallery("Lim")
    entry = json.loads((tmp_path / "figures.json").read_text())["two"]
    assert set(entry["files"]) == {f"results/nguyen_kmeans/soft-seed{seed}.json" for seed in range(10)}
    # Nothing has changed: it is not drawn again, unless it is asked for or its results change.
    (tmp_path / "two.png").write_bytes(b"mine")
    figures.draw_all()
    assert (tmp_path / "two.png").read_bytes() == b"mine"
    monkeypatch.setattr(figures, "digests", lambda runs: {"results/nguyen_kmeans/soft-seed0.json": "changed"})
    figures.draw_all()
    assert (tmp_path / "two.png").read_bytes()[:4] == b"\x89PNG"


def test_lims_small_images_are_means_of_four_pixels():
    x = np.arange(32, dtype=np.float32).reshape(2, 1, 4, 4)
    assert shrink(x).tolist() == [[[[2.5, 4.5], [10.5, 12.5]]], [[[18.5, 20.5], [26.5, 28.5]]]]


@pytest.mark.filterwarnings("ignore:DCAN collapsed")  # that is what came of the paper as printed
def test_from_scratch_is_from_random_weights(here):
    """The autoencoder is the one that training would begin with; DCAN trains a copy, and says where k-means began."""
    x = load("digits").x[:200]
    untrained = Untrained(3, hidden=(16,), random_state=0).fit(x)
    torch.manual_seed(1)
    assert np.array_equal(untrained.transform(x), Untrained(3, hidden=(16,), random_state=0).fit(x).transform(x))
    assert not len(untrained.history_) and not untrained.network_.training
    method = DCAN(reconstruction_weight=0.0, optimizer="sgd", learning_rate=0.01, epochs=8, batch_size=64, n_init=2)
    result = run("trial", "scratch", Configuration("digits", "all", Untrained(3, hidden=(16,)), method, n=200), 0)
    assert result["start"]["acc"] > 0.2 and result["parameters"]["clusterer"]["optimizer"] == "sgd"
    assert "autoencoder_loss" not in result
