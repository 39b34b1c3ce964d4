"""Devices and precisions by name, also on described machines; seeds that leave the global generators alone."""

import pytest
import torch

from dclib.engine import device
from dclib.engine.device import (
    deterministic_convolutions,
    epoch_generator,
    free_memory,
    resolve_device,
    resolve_precision,
    seeded,
)


def test_epochs_have_their_own_random_numbers():
    cpu = torch.device("cpu")
    draws = [torch.rand(4, generator=epoch_generator(s, e, cpu)).tolist() for s in (0, 1) for e in (1, 2)]
    assert len({tuple(d) for d in draws}) == 4
    assert draws[0] == torch.rand(4, generator=epoch_generator(0, 1, cpu)).tolist()


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "tpu", 3.5, None])
def test_unknown_devices_are_named(device):
    with pytest.raises(ValueError, match="device="):
        resolve_device(device)


def test_precision(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(device, "cpu_bf16", lambda: "AMX")
    assert resolve_precision("auto", cpu) == "bf16-mixed"
    monkeypatch.setattr(device, "cpu_bf16", lambda: None)
    assert resolve_precision("auto", cpu) == "32-true"
    assert resolve_precision("bf16-mixed", cpu) == "bf16-mixed"
    with pytest.raises(ValueError, match="precision='half' is not known"):
        resolve_precision("half", cpu)


@pytest.fixture
def machine(monkeypatch):
    """Describes a machine: its GPUs, and the processes that torchrun started on it, of which this one has `rank`."""

    def describe(gpus=0, mps=False, processes=1, rank=0, capability=(9, 0)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        if processes > 1:
            about = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
            for name, value in {**about, "LOCAL_RANK": rank}.items():
                monkeypatch.setenv(name, str(value))

    return describe


@pytest.mark.parametrize(
    ("about", "device", "found"),
    [
        ({}, "auto", "cpu"),
        ({"gpus": 2}, "auto", "cuda:0"),
        ({"gpus": 2}, "cuda:1", "cuda:1"),
        ({"mps": True}, "auto", "mps"),
        ({"gpus": 2, "processes": 2, "rank": 1}, "auto", "cuda:1"),
        ({"gpus": 2, "processes": 2, "rank": 1}, "cuda", "cuda:1"),
        ({"gpus": 2, "processes": 2, "rank": 1}, "cuda:1", "cuda:1"),
        ({"gpus": 1, "processes": 2, "rank": 1}, "cpu", "cpu"),
        ({"mps": True, "processes": 2, "rank": 1}, "auto", "cpu"),
    ],
)
def test_the_device_of_a_process(machine, about, device, found):
    machine(**about)
    assert resolve_device(device) == torch.device(found)


@pytest.mark.parametrize(
    ("about", "device", "message"),
    [
        ({"gpus": 1, "processes": 2, "rank": 1}, "auto", "2 processes on this machine, which has 1 GPU: start one for"),
        ({"gpus": 1, "processes": 2, "rank": 1}, "cuda", 'or train with device="cpu"'),
        ({"gpus": 2, "processes": 2, "rank": 0}, "cuda:1", "each takes the GPU of its own number"),
        ({"mps": True, "processes": 2}, "mps", "several processes cannot share Apple's GPU"),
        ({"gpus": 1}, "cuda:1", "not on this machine"),
    ],
)
def test_a_device_that_a_process_cannot_have_is_named(machine, about, device, message):
    machine(**about)
    with pytest.raises(ValueError, match=message):
        resolve_device(device)


@pytest.mark.parametrize(
    ("capability", "precision"),
    [((7, 0), "32-true"), ((7, 5), "32-true"), ((8, 0), "bf16-mixed"), ((9, 0), "bf16-mixed")],
)
def test_gpus_that_only_emulate_bfloat16_compute_in_float32(machine, capability, precision):
    machine(gpus=1, capability=capability)
    assert resolve_precision("auto") == precision


def test_what_pytorch_holds_in_reserve_is_free(monkeypatch):
    """1,000 bytes free for all, 800 reserved by PyTorch, 500 of them in use."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (1000, 10**12))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device=None: 800)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device=None: 500)
    assert free_memory(torch.device("cuda", 0)) == 1300


def test_seeds_touch_no_generator_of_the_users(monkeypatch):
    def fail(*_):
        raise AssertionError("a GPU's global generator was seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", fail)
    monkeypatch.setattr(torch.mps, "manual_seed", fail)
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), seeded(3):
        raise ZeroDivisionError
    assert torch.equal(before, torch.get_rng_state())
    with seeded(3):
        first = torch.rand(2)
    assert torch.equal(before, torch.get_rng_state())
    with seeded(3):
        assert torch.equal(first, torch.rand(2))
    assert torch.equal(first, torch.rand(2, generator=torch.Generator().manual_seed(3)))


def test_convolutions_are_deterministic_in_training_and_the_users_setting_comes_back(digits, monkeypatch):
    from dclib.autoencoder import Autoencoder
    from dclib.engine.callbacks import Evaluate

    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "benchmark", True)
    seen = []
    look = Evaluate(lambda estimator: seen.append((cudnn.deterministic, cudnn.benchmark)) or {})
    options = {"hidden": (8,), "epochs": 2, "batch_size": 64, "random_state": 0}
    Autoencoder(2, **options, callbacks=[look]).fit(digits.x[:200])
    assert seen == [(True, False)] * 2
    with pytest.raises(FloatingPointError):
        Autoencoder(2, **options, learning_rate=1e30).fit(digits.x[:200])
    assert (cudnn.deterministic, cudnn.benchmark) == (False, True)
    with pytest.raises(ZeroDivisionError), deterministic_convolutions():
        raise ZeroDivisionError
    assert (cudnn.deterministic, cudnn.benchmark) == (False, True)
