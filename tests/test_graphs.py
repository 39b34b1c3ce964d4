"""CUDA graphs, as far as they can be tried without a GPU: which networks and batches are replayed, and that it ends."""

import numpy as np
import pytest
import torch
from pretend_device import pretend

from dclib.autoencoder import Autoencoder

SMALL = {"hidden": (8,), "epochs": 2, "batch_size": 50, "precision": "32-true", "random_state": 0}


@pytest.fixture
def captured(monkeypatch):
    """Puts a stand-in in place of the capture, which does as PyTorch does: it replays for one shape in training."""
    seen = []

    def capture(network, samples):
        shape, eager = samples[0].shape, network.forward
        assert network.training and samples[0].is_cuda
        assert not (torch.is_autocast_enabled("cpu") and torch.is_autocast_cache_enabled())  # PyTorch refuses it

        def replay(x):
            assert x.shape == shape, "a graph has one shape"
            seen.append(len(x))
            return eager(x)

        network.forward = replay

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", capture)
    return seen


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_batches_of_one_shape_are_replayed_and_the_result_is_the_same(digits, captured, monkeypatch, precision):
    x, found = digits.x[:120], []  # batches of 50, 50 and 20
    for switch in ("0", "1"):
        monkeypatch.setenv("DCLIB_CUDA_GRAPHS", switch)
        with pretend("cuda"):
            model = Autoencoder(2, **SMALL | {"precision": precision}).fit(x)
        assert captured == ([50] * 4 if switch == "1" else [])
        assert "forward" not in vars(model.network_)  # it can be copied and pickled
        found.append(model.transform(x))
    assert np.array_equal(*found)


def test_one_small_batch(digits, captured, monkeypatch):
    monkeypatch.setenv("DCLIB_CUDA_GRAPHS", "1")
    with pretend("cuda"):
        Autoencoder(2, **SMALL).fit(digits.x[:40])
    assert captured == [40, 40]


@pytest.mark.parametrize(("device", "network"), [("cpu", "dense"), ("cuda", "conv-bn")])
def test_what_is_not_replayed(digits, captured, monkeypatch, device, network):
    monkeypatch.setenv("DCLIB_CUDA_GRAPHS", "1")
    options = SMALL | {"network": network, "hidden": (2, 3) if network == "conv-bn" else (8,), "device": device}
    with pretend("cuda"):
        Autoencoder(2, **options).fit(digits.x[:120])
    assert captured == []


def test_a_training_that_fails_leaves_the_network_as_it_was(digits, captured, monkeypatch):
    monkeypatch.setenv("DCLIB_CUDA_GRAPHS", "1")
    model = Autoencoder(2, **SMALL)
    with pretend("cuda"):
        model.fit(digits.x[:120])
        with pytest.raises(FloatingPointError):
            model.set_params(learning_rate=1e30).fit(digits.x[:120])
    assert "forward" not in vars(model.network_)
