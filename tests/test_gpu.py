"""python -m benchmarks gpu: what it says without a GPU, and its trials on the CPU, in small."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_training import trained_by_epochs

from benchmarks import __main__ as command
from benchmarks import gpu
from dclib.autoencoder import Autoencoder
from dclib.gradient_kmeans import GradientKMeans
from dclib.networks import DenseAutoencoder


class Machine:
    """PyTorch on a machine with GPUs, as far as the trials ask; what they train is trained on the CPU."""

    def __init__(self, gpus=1):
        self.modes = ["default"]
        self.cuda = SimpleNamespace(
            device_count=lambda: gpus,
            get_device_capability=lambda device: (9, 0),
            get_device_name=lambda device: "A GPU",
            get_device_properties=lambda device: SimpleNamespace(total_memory=80 * 2**30),
            set_sync_debug_mode=self.modes.append,
        )

    def __getattr__(self, name):
        return getattr(torch, name)


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(gpu, "torch", machine)
    monkeypatch.setattr(gpu, "resolve_device", lambda device: torch.device("cuda", 0))
    monkeypatch.setattr(gpu, "methods", lambda quick: few())
    return machine


SMALL = {"epochs": 2, "batch_size": 50, "random_state": 0}


def few(network="dense"):
    return {"Autoencoder": Autoencoder(network=network, hidden=(8,), **SMALL), "k-means": GradientKMeans(**SMALL)}


def run_command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.main()
    return ended.value.code


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run_command(monkeypatch, "gpu") == 0
    assert "no GPU here" in capsys.readouterr().out


def test_it_comes_alone(monkeypatch, capsys):
    assert run_command(monkeypatch, "gpu", "kmeans_k10") == 2
    assert "gpu comes alone" in capsys.readouterr().err


def test_every_trial_runs(machine, monkeypatch, capsys):
    assert run_command(monkeypatch, "gpu", "--quick") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 × A GPU, capability 9.0, 80 GiB; torch ")
    assert lines[-1] == "nothing wrong"
    assert not [line for line in lines if line.startswith("WRONG")]
    for start in (
        "ok    steps that wait: Autoencoder, data on the GPU: none",
        "ok    steps that wait: k-means, data in main memory: none",
        "ok    the same twice: Autoencoder: every bit",
        "ok    the same after an interruption: k-means: every bit",
        "      precision that is taken by default: ",
        "ok    precision, batches of 50: bf16-mixed: ",
        "ok    CUDA graphs: on (DCLIB_CUDA_GRAPHS=1): ",
        "ok    CUDA graphs, DEC with its start: on (DCLIB_CUDA_GRAPHS=1): ",
        "ok    data: in main memory: ",
        "      augmented DEC from nothing: ACC 0.",
        "      several GPUs: this machine has one: not tried",
    ):
        assert any(line.startswith(start) for line in lines), start
    assert machine.modes.count("error") > 20 and machine.modes[-1] == "default"


@pytest.mark.filterwarnings("ignore:(NeighborClustering|SelfLabelling). Only .* clusters have samples")  # of 150 digits
def test_all_that_trains_in_steps_is_tried():
    names = {type(method).__name__ for method in gpu.methods(quick=False).values()}
    assert names == {name for _, name in trained_by_epochs()}
    for name, method in gpu.methods(quick=True).items():
        assert len(gpu.numbers_of(method.fit(gpu.sizes(quick=True).data.x[:150]))) > 100, name


class Disturbed(DenseAutoencoder):
    """Does what `disturb` says on the way."""

    disturb = staticmethod(lambda: 0.0)

    def forward(self, x):
        return super().forward(x + self.disturb())


@pytest.fixture
def disturbed(machine, monkeypatch):
    def by(disturb):
        monkeypatch.setattr(Disturbed, "disturb", staticmethod(disturb))
        monkeypatch.setattr(gpu, "methods", lambda quick: few(Disturbed((1, 8, 8), 10, hidden=(8,))))

    return by


def test_a_step_that_waits_is_found(machine, disturbed, capsys):
    def wait():
        if machine.modes[-1] == "error":
            raise RuntimeError("called a synchronizing CUDA operation")
        return 0.0

    disturbed(wait)
    found = list(gpu.waits(gpu.sizes(quick=True)))
    assert [finding.fine for finding in found] == [False, True] * 2
    assert found[0].seen == "called a synchronizing CUDA operation"


def test_a_training_that_differs_is_found(disturbed):
    generator = torch.Generator()
    disturbed(lambda: 0.01 * torch.rand(1, generator=generator))
    found = list(gpu.determinism(gpu.sizes(quick=True)))
    assert [finding.fine for finding in found] == [False, False, True, True]
    assert found[0].seen.startswith("largest difference")


def test_a_way_that_ends_elsewhere_is_found():
    size = gpu.sizes(quick=True)
    ways = {
        "as usual": lambda model: model.fit(size.data.x),
        "longer": lambda m: m.set_params(epochs=40).fit(size.data.x),
    }
    assert [finding.fine for finding in gpu.compare(size, "ways", ways)] == [True, False]


def test_a_trial_that_fails_does_not_stop_the_others(monkeypatch, capsys):
    def fail(size):
        raise ValueError("no such thing")

    monkeypatch.setattr(gpu, "CHECKS", (fail, lambda size: [gpu.Finding("the next", "ran", fine=True)]))
    assert gpu.report(None) == 1
    assert capsys.readouterr().out == "WRONG fail: ValueError: no such thing\nok    the next: ran\n"


def test_two_gpus_are_compared_with_one(monkeypatch):
    """Each process trains the same model; the first one writes what it measured."""
    monkeypatch.setattr(gpu, "torch", Machine(gpus=2))
    calls = []

    def run(call, check):
        calls.append(call[call.index("--nproc-per-node") + 1])
        assert check and call[call.index("-m", 3) :][:2] == ["-m", "benchmarks.gpu"]
        gpu.train_once(call[call.index("benchmarks.gpu") + 1], quick="--quick" in call)

    monkeypatch.setattr(gpu.subprocess, "run", run)
    (found,) = gpu.several(gpu.sizes(quick=True))
    assert calls == ["1", "2"] and found.fine
    assert found.what.startswith("2 GPUs") and "times as fast as one" in found.seen


def test_only_the_first_process_writes(monkeypatch, tmp_path):
    monkeypatch.setenv("RANK", "1")
    gpu.train_once(str(tmp_path / "out"), quick=True)
    assert not (tmp_path / "out").exists()
    monkeypatch.setenv("RANK", "0")
    gpu.train_once(str(tmp_path / "out"), quick=True)
    assert np.isfinite(list(json.loads((tmp_path / "out").read_text()).values())).all()
