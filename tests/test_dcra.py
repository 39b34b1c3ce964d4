"""L1, L2 and their balance by hand and against autograd; what DCRA does to a clustering and to noise; devices."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import v_measure_score

from dclib.autoencoder import Autoencoder
from dclib.dcra import DCRA, kmeans_loss, settle, squared_error
from dclib.engine.callbacks import Checkpoint, Evaluate
from dclib.engine.training import Batch
from dclib.networks import BatchNormAutoencoder

NOISE = 0.2


def start(digits, noise):
    options = {"epochs": 40, "batch_size": 128, "precision": "32-true", "random_state": 0}
    return Autoencoder(10, hidden=(128, 64), noise=noise, **options).fit(digits.x)


@pytest.fixture(scope="module")
def autoencoder(digits):
    return start(digits, NOISE)


@pytest.mark.parametrize("d", [3, 64])  # without and with bounds
def test_lloyds_algorithm_stays_where_it_ended_to_the_last_bit(d):
    """What a training that is taken up again rests on; sums that go on from step to step would round elsewhere."""
    for seed in range(5):
        z = torch.randn(3000, d, generator=torch.Generator().manual_seed(seed))
        centers, labels = settle(z, z[:12])
        again = settle(z, centers)
        assert torch.equal(again[0], centers) and torch.equal(again[1], labels)


def noisy(x, seed=0):
    return x + NOISE * np.random.default_rng(seed).standard_normal(x.shape).astype(np.float32)


def fit(digits, autoencoder, **options):
    defaults = {
        "noise": NOISE, "epochs": 20, "batch_size": 64, "learning_rate": 1e-3, "precision": "32-true",
        "random_state": 0,
    }  # fmt: skip
    return DCRA(autoencoder=autoencoder, **defaults | options).fit(digits.x)


@pytest.fixture(scope="module")
def trained(digits, autoencoder):
    """Reconstruction and clustering share the loss equally. Nothing may change it."""
    return fit(digits, autoencoder, reconstruction_share=0.5)


# --- the equations ----------------------------------------------------------------------------------------------------


def test_the_losses_by_hand():
    """Differences (1, 2) and (0, 3): squared norms 5 and 9, their mean 7, for images as for codes."""
    a, b = torch.tensor([[1.0, 2.0], [4.0, 4.0]]), torch.tensor([[0.0, 0.0], [4.0, 1.0]])
    assert kmeans_loss(a, b) == 7
    assert squared_error(a.view(2, 1, 2, 1), b.view(2, 1, 2, 1)) == 7


@pytest.mark.parametrize("loss", [squared_error, kmeans_loss])
def test_the_losses_are_sums_over_dimensions_and_means_over_the_batch(loss):
    a, b = torch.rand(2, 6, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss(a.repeat(3, 1), b.repeat(3, 1)), loss(a, b))
    torch.testing.assert_close(loss(a.repeat(1, 2), b.repeat(1, 2)), 2 * loss(a, b))


@pytest.mark.parametrize("loss", [squared_error, kmeans_loss])
def test_the_gradients(loss):
    a, b = torch.rand(2, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(loss, (a.requires_grad_(), b.requires_grad_()))


@pytest.mark.parametrize("share", [0.01, 0.7])
def test_one_step_on_all_samples_has_the_losses_of_the_start(digits, autoencoder, share):
    """λ L1 + (1 − λ) L2 with the noisy input, the clean target and the center of the *clean* code."""
    x, drawn = digits.x, []
    model = DCRA(
        autoencoder=autoencoder, noise=NOISE, reconstruction_share=share, n_init=1, epochs=1, batch_size=len(x),
        precision="32-true", random_state=0,
    )  # fmt: skip
    order = torch.Tensor()
    original = Batch.randn

    def randn(self, *shape):
        nonlocal order
        order = self.rows
        drawn.append(original(self, *shape))
        return drawn[-1]

    starts = []
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        patch.setattr(Batch, "randn", randn)
        patch.setattr(DCRA, "_publish", lambda self, c: starts.append(c.detach().clone().numpy()))
        patch.setattr(DCRA, "_nearest", lambda self, z: np.zeros(len(z), int))
        row = model.fit(x).history_.rows[0]
    (noise,) = drawn
    assert noise.std() == pytest.approx(1, abs=0.01) and noise.shape == x.shape
    clean = x[order.numpy()]
    corrupted = clean + NOISE * noise.numpy()
    centers = starts[1]  # after the refresh before the first epoch
    own = np.square(autoencoder.transform(clean)[:, None] - centers).sum(2).argmin(1)
    l1 = np.square(autoencoder.reconstruct(corrupted) - clean).sum((1, 2, 3)).mean()
    l2 = np.square(autoencoder.transform(corrupted) - centers[own]).sum(1).mean()
    assert row["reconstruction"] == pytest.approx(l1, rel=1e-4)
    assert row["kmeans"] == pytest.approx(l2, rel=1e-4)
    assert row["loss"] == pytest.approx(share * l1 + (1 - share) * l2, rel=1e-4)


# --- the method -------------------------------------------------------------------------------------------------------


def test_dcra_improves_the_clustering_it_starts_from(digits, autoencoder, trained):
    for model in (trained, fit(digits, autoencoder, random_state=1)):
        start, end = (v_measure_score(digits.y, labels) for labels in (model.start_labels_, model.labels_))
        assert end > start + 0.01


def test_centers_are_the_means_of_their_codes(digits, autoencoder):
    """Algorithm 2, until nothing changes: each code has the nearest center, each center is the mean of its codes."""
    model = fit(digits, autoencoder, epochs=5)
    z = model.transform(digits.x)
    assert np.array_equal(np.square(z[:, None] - model.cluster_centers_).sum(2).argmin(1), model.labels_)
    means = np.stack([z[model.labels_ == k].mean(0) for k in range(10)])
    np.testing.assert_allclose(model.cluster_centers_, means, rtol=1e-4, atol=1e-4)


def test_the_share_balances_reconstruction_and_clustering(digits, autoencoder, trained):
    """The smaller λ, the tighter the clusters and the worse the reconstruction."""
    tight, errors = [], []
    low, high = (fit(digits, autoencoder, reconstruction_share=share) for share in (0.01, 1.0))
    for model in (low, trained, high):
        z = model.transform(digits.x)
        tight.append(np.square(z - model.cluster_centers_[model.labels_]).sum(1).mean() / z.var(0).sum())
        errors.append(-model.autoencoder_.score_samples(noisy(digits.x)).mean())
    assert tight[0] < 0.9 * tight[1] < 0.9 * 0.9 * tight[2]
    assert errors[0] > errors[1] > errors[2]


def test_noise_in_training_makes_labels_robust(digits, trained):
    """Trained with noise, more labels stay what they are when noise comes to samples."""
    models = fit(digits, start(digits, 0.0), noise=0.0), trained
    without, kept = (np.mean(model.predict(noisy(digits.x)) == model.labels_) for model in models)
    assert kept > without + 0.02


def test_denoising_with_the_clean_target(digits, trained):
    """What comes out of a noisy digit is nearer to the clean digit than the noisy one is."""
    test = noisy(digits.x, seed=1)
    restored = trained.autoencoder_.reconstruct(test)
    assert np.square(restored - digits.x).mean() < 0.7 * np.square(test - digits.x).mean()


def test_a_collapse_is_reported():
    """A network whose code hardly depends on its input: one cluster ends with nearly all samples."""
    x = np.vstack([np.random.default_rng(0).normal(0, 0.01, (400, 4)), np.full((4, 4), 50.0)])
    dull = Autoencoder(2, hidden=(4,), epochs=1, random_state=0).fit(x)
    with pytest.warns(ConvergenceWarning, match="DCRA collapsed.*one cluster owns 99"):
        DCRA(2, autoencoder=dull, epochs=30, random_state=0).fit(x)


def test_without_reconstruction_the_decoder_is_forgotten(digits, autoencoder):
    """λ = 0 trains the encoder alone: the decoder stays as it was, and its input moves away under it."""
    model = fit(digits, autoencoder, reconstruction_share=0.0)
    before, after = (m.network_.decoder.state_dict() for m in (autoencoder, model.autoencoder_))
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert model.autoencoder_.score_samples(digits.x).mean() < 2 * autoencoder.score_samples(digits.x).mean()


def test_the_default_autoencoder_has_the_same_noise():
    assert DCRA(noise=0.7)._default_autoencoder(callbacks=None).noise == 0.7


def test_the_papers_table_as_we_read_it(digits):
    """dim_h = 40 as the first width of the convolutions; on 8 × 8 digits with a layer less, in a few steps."""
    network = Autoencoder(20, network="conv-bn", hidden=(40, 80, 160), noise=1.0, epochs=1)
    model = DCRA(autoencoder=network, reconstruction_share=0.01, noise=1.0, epochs=3, batch_size=64, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(digits.x[:150])
    assert isinstance(model.autoencoder_.network_, BatchNormAutoencoder)
    assert model.transform(digits.x[:9]).shape == (9, 20)


def test_the_history_has_the_parts_of_the_loss_and_the_alarms(digits, autoencoder):
    model = fit(digits, autoencoder, epochs=3)
    assert set(model.history_.rows[0]) == {
        "epoch", "loss", "reconstruction", "kmeans", "changed", "smallest_share", "latent_variance",
    }  # fmt: skip
    assert np.array_equal(model.labels_, model.predict(digits.x))


def test_an_interrupted_training_ends_the_same(digits, autoencoder, tmp_path):
    def stop(estimator):
        if len(estimator.history_) == 4:
            raise KeyboardInterrupt
        return {}

    whole = fit(digits, autoencoder, epochs=8)
    with pytest.raises(KeyboardInterrupt):
        fit(digits, autoencoder, epochs=8, callbacks=[Checkpoint(tmp_path / "c"), Evaluate(stop)])
    resumed = fit(digits, autoencoder, epochs=8, callbacks=[Checkpoint(tmp_path / "c")])
    assert np.array_equal(whole.transform(digits.x), resumed.transform(digits.x))
    assert np.array_equal(whole.cluster_centers_, resumed.cluster_centers_)
    assert whole.history_.rows == resumed.history_.rows


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clusters": 2000}, "n_clusters=2000, but X has n_samples=1797"),
        ({"reconstruction_share": 1.1}, "reconstruction_share=1.1 must be a number of at least 0 and at most 1"),
        ({"reconstruction_share": -0.01}, "reconstruction_share=-0.01"),
        ({"noise": -1.0}, "noise=-1.0"),
        ({"init": "identity"}, "init='identity' is not known: choose one of 'k-means', 'balanced'"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"autoencoder": "ae.pt"}, "autoencoder must be a dclib Autoencoder or None, not str"),
    ],
)
def test_bad_parameters_are_named(digits, autoencoder, parameters, message):
    with pytest.raises(ValueError, match=message):
        DCRA(**{"autoencoder": autoencoder, **parameters}).fit(digits.x)
