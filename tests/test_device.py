"""Which device, which precision, whose random numbers; machines with GPUs are described to the code, not needed."""

import numpy as np
import pytest
import torch

from dclib.engine.device import deterministic_convolutions, free_memory, resolve_device, resolve_precision, seeded
from dclib.engine.rows import Rows, map_rows


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


@pytest.fixture
def memory(monkeypatch):
    """Describes the memory of a GPU: free for all, and held by PyTorch with nothing in it."""

    def describe(free, idle):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (free, 10**12))
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device=None: idle + 500)
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device=None: 500)

    return describe


def test_what_pytorch_holds_in_reserve_is_free(memory):
    memory(free=1000, idle=300)
    assert free_memory(torch.device("cuda", 0)) == 1300


def test_data_go_to_the_gpu_where_they_take_less_than_half_of_it(memory, monkeypatch):
    sent = []
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device, **_: sent.append(device) or self)
    x, cuda = np.zeros((10, 4), np.float32), torch.device("cuda", 0)  # 160 bytes
    for free, idle, goes in ((300, 0, False), (321, 0, True), (100, 200, False), (100, 221, True)):
        sent.clear()
        memory(free, idle)
        Rows(x, (4,), cuda)
        assert sent == [cuda] * goes


def test_a_memmap_is_not_read_whole_for_a_device_that_shares_the_memory(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.arange(40, dtype=np.float32).reshape(10, 4))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 10**9)
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 0)
    sent = []
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device, **_: sent.append(tuple(self.shape)) or self)
    rows = Rows(x, (4,), torch.device("mps"))
    assert sent == [] and not rows.at_hand
    Rows(np.array(x), (4,), torch.device("mps"))
    assert sent == [(10, 4)]


def test_results_are_collected_in_main_memory_if_asked(digits):
    rows = Rows(digits.x[:5000], (1, 8, 8), torch.device("cpu"))
    doubled = map_rows(lambda x: 2 * x, rows, to_cpu=True)
    assert np.array_equal(doubled.numpy(), 2 * digits.x)


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
