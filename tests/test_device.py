"""Devices and precisions by name; seeds that leave the global generators alone."""

import pytest
import torch

from dclib.engine import device
from dclib.engine.device import epoch_generator, resolve_device, resolve_precision, seeded


def test_epochs_have_their_own_random_numbers():
    cpu = torch.device("cpu")
    draws = [torch.rand(4, generator=epoch_generator(s, e, cpu)).tolist() for s in (0, 1) for e in (1, 2)]
    assert len({tuple(d) for d in draws}) == 4
    assert draws[0] == torch.rand(4, generator=epoch_generator(0, 1, cpu)).tolist()


def test_seeded_puts_the_global_generator_back():
    before = torch.get_rng_state()
    with seeded(3):
        a = torch.rand(2)
    assert torch.equal(before, torch.get_rng_state())
    with seeded(3):
        assert torch.equal(a, torch.rand(2))


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
