"""The benchmarks: how they measure, what they write, that each work runs. Nothing here depends on how long it takes."""

import json
import platform
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from benchmarks import __main__ as command
from benchmarks import growth, harness, profile, works
from benchmarks.harness import (
    Contender,
    at_least_equal,
    contest,
    interleaved,
    make_row,
    short_table,
    table,
    write_results,
)
from dclib.data import DatasetUnavailable

ROOT = Path(__file__).parents[1]
KEYS = {
    "work", "what", "peer", "seconds", "peer_seconds", "ratio", "measure", "quality", "peer_quality", "repetitions",
    "machine",
}  # fmt: skip
X = np.zeros((3000, 2), dtype=np.float32)


@pytest.fixture
def clock(monkeypatch):
    """A clock that only `clock.work(seconds)` moves."""

    class Clock:
        now = 0.0

        def work(self, seconds):
            self.now += seconds

    fake = Clock()
    monkeypatch.setattr(harness.time, "perf_counter", lambda: fake.now)
    return fake


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results.json")
    return tmp_path / "results.json"


# --- measuring -------------------------------------------------------------------------------------------------------


def test_contenders_take_turns_and_begin_in_turn():
    calls = []
    runs = {name: lambda seed, name=name: calls.append((name, seed)) for name in "abc"}
    found = interleaved(runs, 4)
    assert calls == [(name, seed) for seed, names in enumerate(["abc", "bca", "cab", "abc"]) for name in names]
    assert {name: len(timed) for name, timed in found.items()} == {"a": 4, "b": 4, "c": 4}


def test_interleaved_returns_seconds_and_results(clock):
    def run(seed):
        clock.work([0.5, 2.0][seed])
        return seed * 10

    assert interleaved({"only": run}, 2) == {"only": [(0.5, 0), (2.0, 10)]}


def contenders(clock, ours, theirs, **options):
    """Two that take these seconds, one after the other; the warm-up takes an hour. The result is (name, seed)."""

    def contender(name, seconds):
        def run(x, seed):
            clock.work(3600 if len(x) < len(X) else seconds[seed])
            return name, seed

        return Contender(name, run, **options)

    return [contender("dclib", ours), contender("peer", theirs)]


def test_a_row_holds_medians_and_their_ratio(clock):
    """Neither the warm-up nor the scoring counts, and one outlier moves nothing."""
    score = {"dclib": [0.9, 0.7, 0.8], "peer": [0.1, 0.2, 0.6]}

    def quality(result, seed):
        clock.work(1000)
        assert result[1] == seed
        return score[result[0]][seed]

    (row,) = contest(
        "a", "b", X, contenders(clock, [1, 500, 2], [6, 3, 100]), measure="m", quality=quality, higher_is_better=True
    )
    assert row["seconds"] == 2 and row["peer_seconds"] == 6 and row["ratio"] == 3
    assert row["quality"] == 0.8 and row["peer_quality"] == 0.2
    assert set(row) == KEYS and row["repetitions"] == 3


def test_the_warm_up_sees_few_rows(clock):
    seen = []

    def run(x, seed):
        clock.work(1)
        seen.append(len(x))

    options = {"measure": "m", "quality": lambda result, seed: 0.0, "higher_is_better": True, "repetitions": 1}
    contest("a", "b", X, [Contender("dclib", run), Contender("peer", run)], **options)
    assert seen == [1000, 1000, 3000, 3000]


@pytest.mark.parametrize(
    ("quality", "peer", "higher", "tolerance", "equal"),
    [
        (0.8, 0.8, True, 0, True),
        (0.79, 0.8, True, 0, False),
        (0.79, 0.8, False, 0, True),
        (100.1, 100, False, 1e-2, True),
        (102, 100, False, 1e-2, False),
        (-3.001, -3.0, True, 1e-2, True),
        (-3.1, -3.0, True, 1e-2, False),
    ],
)
def test_at_least_equal(quality, peer, higher, tolerance, equal):
    assert at_least_equal(quality, peer, higher, tolerance) is equal


def test_a_worse_score_is_said(clock):
    def quality(result, seed):
        return {"dclib": 0.7, "peer": 0.8}[result[0]]

    (row,) = contest(
        "a", "b", X, contenders(clock, [1] * 3, [9] * 3), measure="m", quality=quality, higher_is_better=True
    )
    assert row["note"] == "worse score"
    assert "peer (worse score)" in table([row])


def test_a_missing_peer_is_reported_with_the_remedy(clock):
    ours = contenders(clock, [1, 2, 3], [])[0]
    absent = Contender("faiss", lambda x, seed: 1 / 0, needs=("no_such_module_here", "some-package"))
    (row,) = contest("a", "b", X, [ours, absent], measure="m", quality=lambda r, seed: 0.5, higher_is_better=True)
    assert row["seconds"] == 2
    assert row["peer_seconds"] is None and row["ratio"] is None and row["peer_quality"] is None
    assert "faiss (not installed: pip install some-package)" in table([row])


# --- files and tables ------------------------------------------------------------------------------------------------


def row(work, seconds=1.0, **more):
    return {**make_row(work, f"work {work}", "peer", (seconds, 1.0), (2.0, 1.0), measure="m", repetitions=1), **more}


def test_results_of_one_work_replace_its_old_ones(results):
    write_results([row("a"), row("a", 5.0), row("c")], "abc")
    write_results([row("b")], "abc")
    rows = write_results([row("a", 8.0)], "abc")
    assert [(r["work"], r["seconds"]) for r in rows] == [("a", 8.0), ("b", 1.0), ("c", 1.0)]
    assert json.loads(results.read_text()) == rows == harness.read_results()
    assert [path.name for path in results.parent.iterdir()] == ["results.json"]


def test_the_table():
    rows = [
        row("a", 0.012345, machine="A") | {"quality": 123456.7, "peer_quality": 0.98765, "ratio": 162.0},
        row("b", 345.67, machine="A") | {"peer_seconds": None, "ratio": None, "peer_quality": None, "note": "why"},
    ]
    assert table(rows) == (
        "| task | against | dclib, s | peer, s | ratio | score | dclib | peer |\n"
        "|---|---|--:|--:|--:|---|--:|--:|\n"
        "| work a | peer | 0.0123 | 2 | **162.00** | m | 123,457 | 0.9877 |\n"
        "| work b | peer (why) | 346 |  |  | m | 1 |  |\n"
        "\n"
        "Machine: A.\n"
    )


def test_the_short_table_has_a_line_for_each_task():
    rows = [
        row("a", ratio=2.0, peer="one"),
        row("a", ratio=0.5, peer="two"),
        row("b", ratio=None),  # nobody to be compared with
        row("gemm", ratio=0.6),
    ]
    assert short_table(rows) == "| task | times as fast as |\n|---|---|\n| work a | one **2.00**; two **0.50** |\n"


def test_the_table_tells_machines_apart():
    text = table([row("a", machine="A"), row("b", machine="B"), row("c", machine="A")])
    assert "work a [1] |" in text and "work b [2] |" in text and "work c [1] |" in text
    assert text.endswith("\n[1] Machine: A.\n[2] Machine: B.\n")


def test_the_machine_is_described_without_names_or_paths():
    text = harness.describe_machine()
    assert re.search(r"\d+ cores, .*bf16.*, \d+ threads", text)
    assert "torch" in text and "scikit-learn" in text
    assert platform.node() not in text
    assert "/" not in text


def test_the_peak_of_memory_counts_what_was_held_for_a_moment():
    held = np.ones(40_000_000)  # 320 MB here: what the child reports must be its own
    code = (
        "import numpy as np; from experiments.runner import peak_memory; before = peak_memory();"
        "x = np.ones(10_000_000); del x; print(peak_memory() - before)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert 79e6 < int(run.stdout) < 120e6
    assert held.nbytes == 320_000_000


# --- the works -------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", works.WORKS)
def test_each_work_runs_on_tiny_sizes(name):
    rows = works.WORKS[name](True)
    assert rows or name == "mnist98"  # it reads files, which may not be there
    for found in rows:
        assert set(found) >= KEYS and found["work"] == name
        assert found["seconds"] > 0
        assert json.loads(json.dumps(found)) == found
        if name in ("import", "growth"):  # a ratio would look like a race
            assert found["ratio"] is None and found["peer_seconds"] > 0
        elif found["peer_seconds"] is not None:
            assert found["ratio"] == pytest.approx(found["peer_seconds"] / found["seconds"], rel=1e-4)
        elif name != "mnist98":
            assert "not installed" in found["note"]


def test_k_means_and_mixtures_end_equal():
    """Same start, same tolerance: else the seconds of the two do not compare."""
    for found in [*works.kmeans(10, True), *works.kmeans(10, True, of_codes=True), *works.gmm(True)]:
        if found["peer_seconds"] is not None and "from the same means" not in found["peer"]:
            assert found["quality"] == pytest.approx(found["peer_quality"], rel=1e-4), found["peer"]


def test_inertia_and_likelihood_by_hand():
    x = np.array([[0.0, 0.0], [3.0, 4.0], [10.0, 0.0]], dtype=np.float32)
    assert works.inertia(x, np.array([[0.0, 0.0], [10.0, 1.0]])) == pytest.approx(0 + 25 + 1)
    # Two equal components of weight one half are one normal distribution.
    standard = works.mixture_score(x[:1], [0.5, 0.5], np.zeros((2, 2)), np.stack([np.eye(2)] * 2))
    assert standard == pytest.approx(-np.log(2 * np.pi))


def test_mnist98_reads_its_seconds_from_the_experiment(tmp_path, monkeypatch):
    monkeypatch.setattr(works, "ROOT", tmp_path)
    assert works.mnist98(False) == []
    folder = tmp_path / "experiments" / "results" / "mnist_dec"
    folder.mkdir(parents=True)
    for seed, (acc, seconds) in enumerate([(0.98, 300.0), (0.97, 500.0), (0.99, 100.0)]):
        about = {"n": 70_000, "threads": 2, "machine": "m", "precision": "p", "versions": {"torch": "2"}}
        content = {"scores": {"acc": acc}, "seconds": seconds, "seed": seed, **about}
        (folder / f"augmented-seed{seed}.json").write_text(json.dumps(content))
    (found,) = works.mnist98(False)
    assert found["seconds"] == 300 and found["quality"] == 0.98
    assert "lowest 0.970" in found["measure"]
    assert found["machine"] == "m, p; torch 2"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["KMeans", "GradientKMeans", "GaussianMixture", "Autoencoder", "DEC"])
def test_growth_knows_each_algorithm(name):
    growth.fit(name, np.random.default_rng(0).random((60, 8), dtype=np.float32))


def test_growth_refuses_others():
    with pytest.raises(ValueError, match="not known"):
        growth.fit("Nonsense", np.zeros((60, 8), dtype=np.float32))


def test_growth_fits_a_power_of_the_rows(monkeypatch, tmp_path):
    """8 times the seconds for 4 times the rows is an exponent of 1.5; memory is a multiple of the data."""
    file = tmp_path / "x.npy"
    np.save(file, np.zeros((400, 10), dtype=np.float32))
    output = json.dumps({"seconds": {"100": [1.0, 1.0, 9.0], "400": [8.0, 8.0, 8.0]}, "peak": 40_000})
    completed = subprocess.CompletedProcess([], 0, stdout=output)
    monkeypatch.setattr(works.subprocess, "run", lambda *args, **kwargs: completed)
    found = works._growth("KMeans", file, [100, 400], quick=False)
    assert found["quality"] == pytest.approx(1.5)
    assert found["memory_ratio"] == 2.5
    assert found["seconds"] == 8 and found["peer_seconds"] == 1


def test_multiply_adds_of_the_network_that_is_trained():
    """The rate of training is counted by them: every weight is used once for a sample and a pass."""
    sizes = [784, *works.HIDDEN, 10]
    network = works.DenseAutoencoder((1, 28, 28))
    weights = sum(p.numel() for p in network.parameters() if p.ndim == 2)
    assert weights == 2 * sum(i * o for i, o in pairwise(sizes)) == works.multiply_adds(784)


# --- the command -----------------------------------------------------------------------------------------------------


def run_command(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    command.main()


def test_a_run_writes_its_rows_and_prints_the_table(monkeypatch, capsys, results):
    monkeypatch.setattr(command, "WORKS", {"a": lambda quick: [row("a")], "b": lambda quick: [row("b")]})
    run_command(monkeypatch, "b")
    run_command(monkeypatch, "a", "--quick")
    assert "| work a |" in capsys.readouterr().out
    assert [r["work"] for r in json.loads(results.read_text())] == ["b"]
    run_command(monkeypatch)
    assert [r["work"] for r in json.loads(results.read_text())] == ["a", "b"]
    run_command(monkeypatch, "--table")
    assert capsys.readouterr().out.endswith(table(harness.read_results()) + "\n")


def test_an_old_copy_of_openblas_is_reported(monkeypatch, capsys):
    monkeypatch.setattr(command, "WORKS", {"a": lambda quick: [row("a")]})
    copies = [("openblas", "SkylakeX"), ("openblas", "Barcelona"), ("mkl", "Zen"), ("openblas", "SkylakeX")]
    found = [{"internal_api": api, "architecture": architecture} for api, architecture in copies]
    monkeypatch.setattr(harness, "threadpool_info", lambda: found)
    run_command(monkeypatch, "a", "--quick")
    assert "different kernels, Barcelona and SkylakeX" in capsys.readouterr().out
    found[1]["architecture"] = "SkylakeX"
    run_command(monkeypatch, "a", "--quick")
    assert "different kernels" not in capsys.readouterr().out


# Which operations are among the first fifteen hangs on the machine.
@pytest.mark.parametrize(
    ("work", "shown"),
    [
        ("autoencoder", "aten::"),
        ("autoencoder_parts", "+ Adam"),
        ("kmeans", "aten::"),
        ("kmeans_codes_k10", "aten::"),
        ("kmeans_plain", "aten::"),
        ("import", "sklearn.base "),
    ],
)
def test_the_profiles_run(work, shown, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks.profile", work, "--quick"])
    profile.main()
    assert shown in capsys.readouterr().out


def test_unknown_works_are_refused(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run_command(monkeypatch, "nonsense")
    assert "choose from kmeans_k10" in capsys.readouterr().err


def test_without_the_data_it_says_how_to_get_them(monkeypatch, results):
    def unavailable(*args, **kwargs):
        raise DatasetUnavailable("mnist is not here: three ways out")

    monkeypatch.setattr(works, "load", unavailable)
    with pytest.raises(SystemExit, match="three ways out"):
        run_command(monkeypatch, "kmeans_k10")
    assert not results.exists()


def test_the_table_goes_between_the_marks():
    text = "before\n<!-- benchmarks -->\nold\n<!-- end -->\nafter\n<!-- end -->\n"
    assert command.on_page(text, "new\n") == "before\n<!-- benchmarks -->\nnew\n<!-- end -->\nafter\n<!-- end -->\n"
    with pytest.raises(ValueError, match="<!-- benchmarks -->"):
        command.on_page("nothing", "new\n")


@pytest.mark.parametrize("name", command.PAGES)
def test_the_pages_show_what_is_on_file(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    rows = harness.read_results(ROOT / "benchmarks" / "results.json")
    assert command.on_page(text, command.PAGES[name](rows)) == text, "run: python -m benchmarks --pages"


def test_results_on_file():
    path = ROOT / "benchmarks" / "results.json"
    for found in harness.read_results(path):
        assert set(found) >= KEYS and found["work"] in works.WORKS
    if path.exists():
        assert not re.search(r"/(root|home|tmp|work)/", path.read_text(encoding="utf-8"))


# --- the extra -------------------------------------------------------------------------------------------------------


def test_the_extra_has_lower_bounds_and_exact_versions_in_the_constraints():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (block,) = re.findall(r"^bench = \[(.*?)\]$", text, re.M | re.S)
    exact = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    peers = (works.FAISS, works.CLUSTPY, works.SKLEARNEX, works.SUPERKMEANS, works.TORCHGMM)
    packages = {package for _, package in peers}
    requirements = [Requirement(line) for line in re.findall(r'"([^"]+)"', block)]
    assert {r.name for r in requirements} == packages
    for requirement in requirements:
        assert [s.operator for s in requirement.specifier] == [">="]
        (version,) = re.findall(rf"^{requirement.name}==(\S+) ", exact, re.M)
        assert requirement.specifier.contains(version)
