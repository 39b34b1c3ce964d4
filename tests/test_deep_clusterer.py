"""What the joint methods share: the optimizers, with momentum by hand, and trainings that go on where they stopped."""

import copy

import numpy as np
import pytest
import torch
from interruption import StopAfter

from dclib.autoencoded_kmeans import AutoencodedKMeans
from dclib.autoencoder import Autoencoder
from dclib.dcan import DCAN
from dclib.dcra import DCRA
from dclib.dec import DEC, kl_divergence, soft_assignment, target_distribution
from dclib.engine.callbacks import Checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:.*steps in all")  # short on purpose
METHODS = [DEC, AutoencodedKMeans, DCRA, DCAN]


@pytest.fixture(scope="module")
def images(digits):
    return digits.x[:300]


@pytest.fixture(scope="module")
def start(images):
    return Autoencoder(3, hidden=(16,), epochs=10, batch_size=64, random_state=0).fit(images)


def fitted(method, images, start, **options):
    options = {"epochs": 4, "batch_size": 32, "n_init": 2, "learning_rate": 0.01, "random_state": 0} | options
    return method(4, autoencoder=start, **options).fit(images)


def learned(model):
    weights = [p.detach().numpy().ravel() for p in model.autoencoder_.network_.parameters()]
    return np.concatenate([*weights, model.cluster_centers_.ravel()])


# --- optimizers -------------------------------------------------------------------------------------------------------


def test_sgd_with_momentum_by_hand(images, start):
    """Two steps of DEC on all samples at once: v ← .9 v + gradient, weights and centers −= 20 v."""
    x, network = torch.from_numpy(images), copy.deepcopy(start.network_)
    centers = torch.nn.Parameter(network.encode(x)[::80].detach().clone())
    options = {"optimizer": "sgd", "learning_rate": 20.0, "epochs": 2, "batch_size": 300, "precision": "32-true"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DEC, "_start_centers", lambda *_: centers.detach().clone())
        model = fitted(DEC, images, start, tol=0, **options)
    parameters = [*network.encoder.parameters(), centers]
    velocities = [torch.zeros_like(p) for p in parameters]
    for _ in range(2):
        q = soft_assignment(network.encode(x), centers)
        gradients = torch.autograd.grad(kl_divergence(target_distribution(q).detach(), q), parameters)
        with torch.no_grad():
            for parameter, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
                velocity.mul_(0.9).add_(gradient)
                parameter -= 20 * velocity
    np.testing.assert_allclose(model.cluster_centers_, centers.detach(), atol=1e-4)
    np.testing.assert_allclose(model.transform(images), network.encode(x).detach(), atol=1e-4)
    assert np.abs(model.transform(images) - start.transform(images)).max() > 0.05  # it moved by much more


@pytest.mark.parametrize("method", METHODS)
def test_optimizer_and_momentum_reach_the_training(method, images, start):
    found = [
        learned(fitted(method, images, start, epochs=2, **options))
        for options in ({}, {"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.0}, {"momentum": 0.0})
    ]
    assert not np.allclose(found[0], found[1]) and not np.allclose(found[1], found[2])
    assert np.array_equal(found[0], found[3])  # Adam has moments of its own


def test_both_players_of_dcan_have_the_optimizer(images, start):
    built = []
    with pytest.MonkeyPatch.context() as patch:
        original = DCAN._make_optimizer
        patch.setattr(DCAN, "_make_optimizer", lambda *args: built.append(original(*args)) or built[-1])
        fitted(DCAN, images, start, optimizer="sgd", momentum=0.5, discriminator_learning_rate=0.02, epochs=2)
    kinds = {(type(o), o.param_groups[0]["momentum"], o.defaults["lr"]) for o in built}
    assert kinds == {(torch.optim.SGD, 0.5, 0.01), (torch.optim.SGD, 0.5, 0.02)}


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("method", METHODS)
def test_an_interrupted_training_ends_the_same(method, optimizer, images, start, tmp_path):
    """Also with what SGD has gathered in its velocities."""
    options = {"optimizer": optimizer} | ({"tol": 0} if method is DEC else {})
    whole = fitted(method, images, start, **options)
    with pytest.raises(KeyboardInterrupt):
        fitted(method, images, start, callbacks=[StopAfter(2), Checkpoint(tmp_path / "c")], **options)
    resumed = fitted(method, images, start, callbacks=[Checkpoint(tmp_path / "c")], **options)
    assert np.array_equal(learned(whole), learned(resumed))
    assert whole.history_["loss"] == resumed.history_["loss"]


@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_optimizer_is_named(method, images, start):
    with pytest.raises(ValueError, match="optimizer='lion' is not known: choose one of 'adam', 'sgd'"):
        fitted(method, images, start, optimizer="lion")
