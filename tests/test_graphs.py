"""CUDA graphs, as far as they can be tried without a GPU: which networks and batches are replayed, that it changes
nothing, and that it ends."""

import numpy as np
import pytest
import torch
from pretend_device import pretend
from sklearn.base import clone
from torch.utils._pytree import tree_leaves

from dclib.autoencoded_kmeans import AutoencodedKMeans
from dclib.autoencoder import Autoencoder
from dclib.dcan import DCAN
from dclib.dcra import DCRA
from dclib.dec import DEC
from dclib.gaussian_divergence import GaussianDivergence

SMALL = {"hidden": (8,), "epochs": 2, "batch_size": 50, "precision": "32-true", "random_state": 0}


@pytest.fixture
def captured(monkeypatch):
    """Puts a stand-in in place of the capture, which does as PyTorch does: it replays for one shape in training."""
    seen = []

    def capture(network, samples, allow_unused_input=False):
        (sample,), eager = samples, network.forward
        parameters = tuple(p for p in network.parameters() if p.requires_grad)
        assert network.training and sample.is_cuda
        assert not (torch.is_autocast_enabled("cpu") and torch.is_autocast_cache_enabled())  # PyTorch refuses it
        first = eager(sample)
        assert all(isinstance(leaf, torch.Tensor) for leaf in tree_leaves(first)), "only tensors can be captured"
        unused = torch.autograd.grad([t.sum() for t in first if t.requires_grad], parameters, allow_unused=True)
        assert allow_unused_input or not any(gradient is None for gradient in unused)
        memory = [t.detach().clone() for t in first]

        class Replay(torch.autograd.Function):
            """One node for all that the network does; its results lie where the next replay writes its own."""

            @staticmethod
            def forward(ctx, x, *_):
                ctx.set_materialize_grads(False)  # the pretended device would not know the zeros made for it
                with torch.enable_grad():
                    ctx.results = eager(x)
                for held, new in zip(memory, ctx.results, strict=True):
                    held.copy_(new.detach())
                return tuple(held.detach() for held in memory)

            @staticmethod
            @torch.autograd.function.once_differentiable
            def backward(ctx, *gradients):
                results, wanted = zip(
                    *(pair for pair in zip(ctx.results, gradients, strict=True) if pair[1] is not None), strict=True
                )
                return None, *torch.autograd.grad(results, parameters, wanted, allow_unused=True)

        def replay(x):
            assert x.shape == sample.shape, "a graph has one shape"
            seen.append(len(x))
            return Replay.apply(x, *parameters)

        network.forward = replay
        return network

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


JOINT = {
    "DEC": DEC(n_init=2),
    "IDEC": DEC(n_init=2, reconstruction_weight=1.0),
    "DCRA": DCRA(noise=0.1, n_init=2),
    "AutoencodedKMeans": AutoencodedKMeans(5),
    "DCAN": DCAN(n_init=2),
    "GaussianDivergence": GaussianDivergence(n_init=2),
}


@pytest.mark.parametrize("name", JOINT)
def test_joint_methods_are_replayed_and_the_result_is_the_same(digits, captured, monkeypatch, name):
    x, found = digits.x[:120], []
    start = Autoencoder(2, **SMALL).fit(x)
    for switch in ("0", "1"):
        monkeypatch.setenv("DCLIB_CUDA_GRAPHS", switch)
        model = clone(JOINT[name]).set_params(epochs=2, batch_size=50, precision="32-true", random_state=0)
        model.set_params(autoencoder=start)
        with pretend("cuda"):
            model.fit(x)
        assert captured == ([50] * 4 if switch == "1" else [])
        found.append((model.transform(x), model.cluster_centers_, model.history_["loss"]))
    for eager, replayed in zip(*found, strict=True):
        assert np.array_equal(eager, replayed)
    assert not np.array_equal(start.transform(x), found[1][0])  # it has trained


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
