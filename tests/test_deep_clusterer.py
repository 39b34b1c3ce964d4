"""What the joint methods share: the optimizers, with momentum by hand, and trainings that go on where they stopped."""

import copy

import numpy as np
import pytest
import torch
from interruption import StopAfter

from dclib.autoencoded_kmeans import AutoencodedKMeans
from dclib.autoencoder import Autoencoder
from dclib.data import load
from dclib.dcan import DCAN
from dclib.dcra import DCRA
from dclib.dec import DEC, kl_divergence, soft_assignment, target_distribution
from dclib.engine.callbacks import Checkpoint, Scores
from dclib.engine.rows import Rows
from dclib.gaussian_divergence import GaussianDivergence
from dclib.metrics import clustering_accuracy

pytestmark = pytest.mark.filterwarnings("ignore:.*clusters are empty")  # trained so shortly
METHODS = [DEC, AutoencodedKMeans, DCRA, DCAN, GaussianDivergence]


@pytest.fixture(scope="module")
def images(digits):
    return digits.x[:300]


@pytest.fixture(scope="module")
def start(images):
    return Autoencoder(3, hidden=(16,), epochs=10, batch_size=64, random_state=0).fit(images)


def fitted(method, images, start, **options):
    options = {"epochs": 4, "batch_size": 32, "n_init": 2, "learning_rate": 0.01, "random_state": 0} | options
    if method is GaussianDivergence and options.get("optimizer") == "sgd":
        options["learning_rate"] *= 0.01  # its gradients are that much larger: at .01 one code is left
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


@pytest.mark.parametrize("method", [DCAN, GaussianDivergence])
def test_a_buffer_is_taken_up_again(method, images, start, tmp_path):
    options = {"buffer_size": 100, "clustering": "gmm", "learning_rate": 1e-3}
    whole = fitted(method, images, start, **options)
    with pytest.raises(KeyboardInterrupt):
        fitted(method, images, start, callbacks=[StopAfter(2), Checkpoint(tmp_path / "c")], **options)
    resumed = fitted(method, images, start, callbacks=[Checkpoint(tmp_path / "c")], **options)
    assert np.array_equal(learned(whole), learned(resumed))
    assert np.array_equal(whole.factors_, resumed.factors_)


@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_optimizer_is_named(method, images, start):
    with pytest.raises(ValueError, match="optimizer='lion' is not known: choose one of 'adam', 'sgd'"):
        fitted(method, images, start, optimizer="lion")


# --- one copy of the data ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_x_goes_to_the_device_once_and_is_encoded_once_at_the_end(method, images, digits, start):
    """Scores on X itself, also as a tensor on the same memory, take the rows that are there; others come anew."""
    uploads, encoded = [], []
    with pytest.MonkeyPatch.context() as patch:
        init, encode = Rows.__init__, method._encode
        patch.setattr(Rows, "__init__", lambda self, *args: uploads.append(len(args[0])) or init(self, *args))
        patch.setattr(method, "_encode", lambda self, rows: encoded.append(len(rows)) or encode(self, rows))
        options = {"epochs": 3} | ({"tol": 0} if method is DEC else {})
        callbacks = [Scores(images, digits.y[:300]), Scores(torch.from_numpy(images), digits.y[:300], every=3)]
        model = fitted(method, images, start, callbacks=callbacks, **options)
        assert uploads == [300] and encoded == [300] * 5  # three and one scores, and the end
        fitted(method, images, start, callbacks=[Scores(digits.x[:301], digits.y[:301])], **options)
        assert uploads[1:] == [300, 301, 301, 301]
        copied = images.copy()
        fitted(method, images, start, callbacks=[Scores(copied, digits.y[:300])], **options)
        assert len(uploads) == 5 + 4  # equal values elsewhere are not known to be equal
    assert model.history_["acc"][-1] == pytest.approx(clustering_accuracy(digits.y[:300], model.labels_))
    assert not hasattr(model, "_resident")


def test_an_interrupted_training_leaves_no_copy_of_the_data(images, start):
    model = DEC(4, autoencoder=start, epochs=4, n_init=1, callbacks=[StopAfter(1)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(images)
    assert not hasattr(model, "_resident") and model.predict(images).shape == (300,)


# --- batch normalisation ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def normalised():
    """Images of 16 × 16 pixels, and an autoencoder with batch normalisation that was trained on them."""
    images = np.kron(load("digits").x[:200], np.ones((2, 2), np.float32))
    options = {"network": "conv-bn", "hidden": (4, 6, 8, 8), "epochs": 4, "batch_size": 40, "random_state": 0}
    return images, Autoencoder(3, learning_rate=0.01, **options).fit(images)


def statistics(autoencoder):
    return torch.cat([b.flatten().float() for b in autoencoder.network_.buffers()])


@pytest.mark.parametrize("method", METHODS)
def test_steps_normalise_by_their_batch_and_all_else_by_the_running_statistics(method, normalised):
    images, autoencoder = normalised
    before, codes = statistics(autoencoder), torch.from_numpy(autoencoder.transform(images))
    modes, starts = [], []
    with pytest.MonkeyPatch.context() as patch:
        original = method._start_centers
        patch.setattr(method, "_start_centers", lambda self, z, g: starts.append(z.clone()) or original(self, z, g))
        encode = type(autoencoder.network_).encode
        patch.setattr(
            type(autoencoder.network_), "encode",
            lambda self, x: modes.append((self.training, torch.is_grad_enabled())) or encode(self, x),
        )  # fmt: skip
        model = fitted(method, images, autoencoder, batch_size=40, epochs=2)
    torch.testing.assert_close(starts[0], codes)
    assert set(modes) == {(True, True), (False, False)}
    assert torch.equal(before, statistics(autoencoder)) and not torch.equal(before, statistics(model.autoencoder_))
    assert not model.autoencoder_.network_.training
    assert np.array_equal(model.labels_, model.predict(images))
    one_by_one = np.concatenate([model.transform(images[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(one_by_one, model.transform(images[:5]), atol=1e-5)


def test_a_network_with_batch_normalisation_is_saved_with_its_statistics(normalised, tmp_path):
    images, autoencoder = normalised
    autoencoder.save(tmp_path / "a")
    loaded = Autoencoder.load(tmp_path / "a")
    assert np.array_equal(autoencoder.reconstruct(images), loaded.reconstruct(images))
    assert torch.equal(statistics(autoencoder), statistics(loaded))
    assert autoencoder.history_["loss"][-1] < 0.9 * autoencoder.history_["loss"][0]
