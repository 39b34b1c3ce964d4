"""Equation 10 by hand and against autograd; the paper's start collapses, the warm one does not; denoising."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import v_measure_score

from dclib.autoencoded_kmeans import AutoencodedKMeans, kmeans_loss, pseudo_identity
from dclib.autoencoder import Autoencoder
from dclib.engine.callbacks import Callback, Checkpoint, Evaluate
from dclib.kmeans import assign
from dclib.networks import ShallowAutoencoder


def shallow(latent_dim, **options):
    options = {"epochs": 30, "batch_size": 100, "random_state": 0} | options
    return Autoencoder(latent_dim, network="shallow", activation="tanh", **options)


@pytest.fixture(scope="module")
def autoencoder(digits):
    return shallow(32).fit(digits.x)


# --- the equations ----------------------------------------------------------------------------------------------------


def test_the_kmeans_loss_by_hand():
    """Squared distances to the nearest centers 1, 4 and 0: half of their mean is 5/6."""
    z, centers = torch.tensor([[1.0, 0.0], [3.0, 2.0], [9.0, 9.0]]), torch.tensor([[0.0, 0.0], [3.0, 0.0], [9.0, 9.0]])
    assert kmeans_loss(z, centers) == pytest.approx(5 / 6)


def test_centers_that_are_equally_near_share_the_gradient_or_the_first_one_gets_it():
    """The code (1, 1) is as near to (1, 0) as to (0, 1), and farther from (0, 0)."""
    z = torch.tensor([[1.0, 1.0]])
    for share_ties, expected in ((False, [[0, -1], [0, 0], [0, 0]]), (True, [[0, -0.5], [-0.5, 0], [0, 0]])):
        centers = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], requires_grad=True)
        loss = kmeans_loss(z, centers, share_ties)
        loss.backward()
        assert loss == 0.5
        torch.testing.assert_close(centers.grad, torch.tensor(expected, dtype=torch.float32))


def test_without_ties_both_ways_to_share_train_the_same_model(digits, autoencoder):
    options = {"autoencoder": autoencoder, "epochs": 2, "precision": "32-true", "random_state": 0}
    one, other = (AutoencodedKMeans(20, share_ties=share, **options).fit(digits.x) for share in (False, True))
    np.testing.assert_allclose(one.cluster_centers_, other.cluster_centers_, atol=1e-3)


def test_the_kmeans_loss_is_a_sum_over_dimensions_and_a_mean_over_the_batch():
    z, centers = (torch.randn(n, 3, generator=torch.Generator().manual_seed(n)) for n in (8, 4))
    loss = kmeans_loss(z, centers)
    torch.testing.assert_close(kmeans_loss(z.repeat(5, 1), centers), loss)
    torch.testing.assert_close(kmeans_loss(z.repeat(1, 2), centers.repeat(1, 2)), 2 * loss)
    torch.testing.assert_close(kmeans_loss(3 * z, 3 * centers), 9 * loss)


def test_gradients_with_respect_to_codes_and_centers():
    generator = torch.Generator().manual_seed(0)
    z, centers = (torch.randn(n, 2, generator=generator, dtype=torch.float64, requires_grad=True) for n in (6, 3))
    assert torch.autograd.gradcheck(kmeans_loss, (z, centers))
    # Equation 9 prints the way down: Σ (x_i − c_j) over the samples of center j; here their mean over the batch.
    (gradient,) = torch.autograd.grad(kmeans_loss(z, centers), centers)
    labels = assign(z.detach(), centers.detach())[0]
    for j in range(3):
        torch.testing.assert_close(-gradient[j], (z[labels == j] - centers[j]).sum(0).detach() / len(z))


def test_equation_10_is_what_the_history_shows(digits, autoencoder):
    """One step on the whole data: its losses are those of the start, and their sum has the weight."""
    x = digits.x
    start = AutoencodedKMeans(20, autoencoder=autoencoder, n_init=1, epochs=1, batch_size=len(x), random_state=0)
    captured = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AutoencodedKMeans, "_publish", lambda self, c: captured.setdefault("centers", c.detach().clone()))
        patch.setattr(AutoencodedKMeans, "_nearest", lambda self, z: np.zeros(len(z), int))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            row = start.set_params(clustering_weight=0.25, precision="32-true").fit(x).history_.rows[0]
    decoding = np.square(autoencoder.reconstruct(x) - x).mean()
    z = torch.from_numpy(autoencoder.transform(x))
    clustering = float(torch.cdist(z, captured["centers"]).min(1).values.square().mean() / 2)
    assert row["reconstruction"] == pytest.approx(decoding, rel=1e-4)
    assert row["kmeans"] == pytest.approx(clustering, rel=1e-4)
    assert row["loss"] == pytest.approx(decoding + 0.25 * clustering, rel=1e-4)


def test_the_pseudo_identity():
    assert pseudo_identity(3, 2).tolist() == [[1, 0], [0, 1], [0, 0]]
    assert pseudo_identity(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_the_papers_network_by_hand():
    """h = tanh(W1 x + b1) is the code, x' = W2 h + b2; Glorot's start keeps weights within √(6 / (n_in + n_out))."""
    network = ShallowAutoencoder((1, 4, 4), 5)
    x = torch.rand(3, 1, 4, 4)
    (w1, b1, w2, b2) = network.parameters()
    h = torch.tanh(x.flatten(1) @ w1.T + b1)
    z, reconstruction = network(x)
    torch.testing.assert_close(z, h)
    torch.testing.assert_close(reconstruction.flatten(1), h @ w2.T + b2)
    bound = (6 / 21) ** 0.5
    assert 0.9 * bound < w1.abs().max() <= bound and not b1.any() and not b2.any()
    with pytest.raises(ValueError, match="hidden=.8,., but a shallow network"):
        Autoencoder(2, network="shallow", hidden=(8,)).fit(np.random.default_rng(0).random((20, 4)))


# --- the method -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
def test_the_papers_start_collapses_in_two_dimensions_and_warns(digits, seed):
    """Pixels from 0 to 16, as the paper's from 0 to 255: codes lie far from the origin, where 98 centers wait."""
    network = shallow(2, random_state=seed)
    paper = AutoencodedKMeans(
        100, autoencoder=network, init="identity", clustering_weight=1.0, epochs=40, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="AutoencodedKMeans collapsed: .*one cluster owns"):
        paper.fit(16 * digits.x)
    assert np.bincount(paper.labels_).max() > 0.95 * len(digits.x)
    assert v_measure_score(digits.y, paper.labels_) < 0.05
    assert set(paper.start_labels_) <= {0, 1, 2}  # ones on both axes, and the first of those at the origin


def test_the_warm_start_keeps_its_clusters_and_its_score(digits, autoencoder):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = AutoencodedKMeans(20, autoencoder=autoencoder, epochs=30, random_state=0).fit(digits.x)
    assert len(np.unique(model.labels_)) == 20
    start, end = (v_measure_score(digits.y, labels) for labels in (model.start_labels_, model.labels_))
    assert end > 0.68 and end > start - 0.03


def test_the_clusters_become_tight_for_their_size(digits, autoencoder):
    """What the second term is for: less of the latent variance lies within clusters; without it, as much as before."""

    def within(weight):
        model = AutoencodedKMeans(20, autoencoder=autoencoder, epochs=30, clustering_weight=weight, random_state=0).fit(
            digits.x
        )
        z = model.transform(digits.x)
        return np.square(z - model.cluster_centers_[model.labels_]).sum(1).mean() / z.var(0).sum()

    assert within(0.03) < 0.7 * within(0.0)


def test_identity_takes_an_untrained_network_and_leaves_a_trained_one(digits, autoencoder):
    options = {"init": "identity", "epochs": 3, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        untrained = AutoencodedKMeans(10, autoencoder=shallow(32), **options).fit(digits.x)
        trained = AutoencodedKMeans(10, autoencoder=autoencoder, **options).fit(digits.x)
    assert len(untrained.autoencoder_.history_) == 0 and len(trained.autoencoder_.history_) == 30
    assert untrained.history_["reconstruction"][0] > 2 * trained.history_["reconstruction"][0]


def test_the_default_is_the_papers_network_denoising_like_the_model():
    default = AutoencodedKMeans(noise=0.2)._default_autoencoder(callbacks=None)
    parameters = default.get_params()
    expected = {"latent_dim": 256, "network": "shallow", "activation": "tanh", "noise": 0.2}
    assert {key: parameters[key] for key in expected} == expected


def test_denoising_two_by_two(digits):
    """Trained on clean or noisy, scored on clean or noisy: on noisy digits the denoising model is the better one."""
    x, noise = digits.x, 0.4
    noisy = x + noise * np.random.default_rng(0).standard_normal(x.shape).astype(np.float32)
    v, error = {}, {}
    for sigma in (0.0, noise):
        options = {"epochs": 20, "noise": sigma, "random_state": 0}
        model = AutoencodedKMeans(20, autoencoder=shallow(32, noise=sigma), **options).fit(x)
        for name, samples in (("clean", x), ("noisy", noisy)):
            v[sigma, name] = v_measure_score(digits.y, model.predict(samples))
            # The target is the clean image of the same sample, whatever the input.
            error[sigma, name] = np.square(model.autoencoder_.reconstruct(samples) - x).mean()
    assert v[noise, "noisy"] > v[0.0, "noisy"] + 0.02
    assert error[noise, "noisy"] < 0.8 * error[0.0, "noisy"]
    assert error[0.0, "clean"] < error[noise, "clean"] < error[noise, "noisy"]
    assert v[noise, "clean"] > 0.6 and v[0.0, "clean"] > 0.6


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("noise_range", [(0.0, 1.0), None])
def test_noisy_inputs_stay_within_their_range(digits, noise_range):
    """What the encoder sees in training: noise of any size clipped, and without a range nothing is."""
    seen = []

    class Look(Callback):
        def on_fit_start(self, run):
            run.state["network"].encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))

    options = {"init": "identity", "noise": 50.0, "epochs": 3, "callbacks": [Look()], "random_state": 0}
    AutoencodedKMeans(5, autoencoder=shallow(8), noise_range=noise_range, **options).fit(digits.x)
    lowest, highest = min(x.min() for x in seen), max(x.max() for x in seen)
    if noise_range:
        assert (lowest, highest) == noise_range
    else:
        assert lowest < -100 and highest > 100


def test_labels_predictions_and_codes_agree(digits, autoencoder):
    model = AutoencodedKMeans(20, autoencoder=autoencoder, epochs=5, random_state=0).fit(digits.x[:1000])
    assert np.array_equal(model.labels_, model.predict(digits.x[:1000]))
    z = model.transform(digits.x[1000:])
    assert z.shape == (797, 32) and np.abs(z).max() <= 1
    distances = np.square(z[:, None] - model.cluster_centers_).sum(2)
    assert np.array_equal(distances.argmin(1), model.predict(digits.x[1000:]))
    assert set(model.history_.rows[0]) == {
        "epoch", "loss", "reconstruction", "kmeans", "changed", "smallest_share", "latent_variance",
    }  # fmt: skip


@pytest.mark.parametrize("init", ["k-means", "identity"])
def test_an_interrupted_training_ends_the_same(digits, tmp_path, init):
    x = digits.x[:300]
    options = {
        "n_clusters": 5, "autoencoder": shallow(4, epochs=2), "init": init, "epochs": 10, "batch_size": 50,
        "noise": 0.1, "random_state": 0,
    }  # fmt: skip

    def stop(estimator):
        if len(estimator.history_) == 4:
            raise KeyboardInterrupt
        return {}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        whole = AutoencodedKMeans(**options).fit(x)
        with pytest.raises(KeyboardInterrupt):
            AutoencodedKMeans(**options, callbacks=[Checkpoint(tmp_path / "c"), Evaluate(stop)]).fit(x)
        resumed = AutoencodedKMeans(**options, callbacks=[Checkpoint(tmp_path / "c")]).fit(x)
    assert np.array_equal(whole.transform(x), resumed.transform(x))
    assert np.array_equal(whole.cluster_centers_, resumed.cluster_centers_)
    assert whole.history_.rows == resumed.history_.rows


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clusters": 2000}, "n_clusters=2000, but X has n_samples=1797"),
        ({"noise": -0.1}, "noise=-0.1"),
        ({"clustering_weight": -1}, "clustering_weight=-1"),
        ({"noise_range": (1, 0)}, r"noise_range=\(1, 0\) must be None or \(lowest, highest\)"),
        ({"noise_range": 255}, "noise_range=255 must be None"),
        ({"init": "random"}, "init='random' is not known: choose one of 'k-means', 'balanced', 'identity'"),
        ({"epochs": 0}, "epochs=0"),
        ({"autoencoder": "ae.pt"}, "autoencoder must be a dclib Autoencoder or None, not str"),
    ],
)
def test_bad_parameters_are_named(digits, autoencoder, parameters, message):
    with pytest.raises(ValueError, match=message):
        AutoencodedKMeans(**{"autoencoder": autoencoder, **parameters}).fit(digits.x)
