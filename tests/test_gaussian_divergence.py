"""The divergence of two Gaussians by hand, against torch's and autograd; Lemma 1; ABC and DCRA without noise."""

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from dclib.dcra import DCRA
from dclib.gaussian_clusters import Clusters
from dclib.gaussian_divergence import GaussianDivergence, euclidean, gaussian_kl

OPTIONS = {"batch_size": 64, "n_init": 3, "precision": "32-true", "random_state": 0}


def pairs(full, n=5, d=3):
    """Means and factors of n pairs of Gaussians."""
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    widths = 0.5 + torch.rand(2, n, d, generator=generator, dtype=torch.float64)
    if not full:
        return means[0], widths[0], means[1], widths[1]
    below = torch.randn(2, n, d, d, generator=generator, dtype=torch.float64).tril(-1)
    factors = below + torch.diag_embed(widths)
    return means[0], factors[0], means[1], factors[1]


# --- the equations ----------------------------------------------------------------------------------------------------


def test_by_hand():
    """N(0, 1) and N(3, 2²) on a line: ½ (9/4 + 1/4 − 1) + log 2. The other way: ½ (9 + 4 − 1) − log 2."""
    one, other = (torch.tensor([[0.0]]), torch.tensor([[1.0]])), (torch.tensor([[3.0]]), torch.tensor([[2.0]]))
    assert gaussian_kl(*one, *other) == pytest.approx(0.75 + np.log(2))
    assert gaussian_kl(*other, *one) == pytest.approx(6 - np.log(2))
    assert euclidean(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])) == 2.5


@pytest.mark.parametrize("full", [False, True])
def test_it_is_the_divergence_that_torch_computes(full):
    mean, factors, other, other_factors = pairs(full)
    triangles = (factors, other_factors) if full else map(torch.diag_embed, (factors, other_factors))
    want = kl_divergence(*(MultivariateNormal(m, scale_tril=f) for m, f in zip((mean, other), triangles)))
    torch.testing.assert_close(gaussian_kl(mean, factors, other, other_factors), want)
    torch.testing.assert_close(gaussian_kl(mean, factors, mean, factors), torch.zeros(5).double(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("full", [False, True])
def test_gradients(full):
    assert torch.autograd.gradcheck(gaussian_kl, [value.requires_grad_() for value in pairs(full)])


@pytest.mark.parametrize("full", [False, True])
def test_lemma_1(full):
    """With unit variances the divergence is the Euclidean loss, and so is its slope, z − μ."""
    z, _, center, _ = pairs(False)
    unit = torch.eye(3).double().expand(5, 3, 3) if full else torch.ones(5, 3).double()
    z.requires_grad_()
    torch.testing.assert_close(gaussian_kl(z, unit, center, unit), euclidean(z, center))
    (slope,) = torch.autograd.grad(gaussian_kl(z, unit, center, unit).sum(), z)
    torch.testing.assert_close(slope, (z - center).detach())
    assert not torch.allclose(gaussian_kl(z, 2 * unit, center, unit), euclidean(z, center))


@pytest.mark.parametrize("full", [False, True])
def test_the_best_covariance_of_the_code_is_that_of_its_cluster(full):
    z, factors, center, cluster = pairs(full)
    best = gaussian_kl(z, cluster, center, cluster)
    triangle = cluster if full else torch.diag_embed(cluster)
    mahalanobis = torch.linalg.solve(triangle, (z - center)[:, :, None]).square().sum((1, 2))
    torch.testing.assert_close(best, mahalanobis / 2)
    for other in (factors, 0.9 * cluster, 1.1 * cluster):
        assert (gaussian_kl(z, other, center, cluster) > best).all()


# --- the method -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clustering", ["k-means", "gmm"])
@pytest.mark.parametrize("divergence", ["euclidean", "kl"])
def test_one_step_on_all_samples_has_the_loss_of_the_start(digits, autoencoder, divergence, clustering):
    starts = []
    model = GaussianDivergence(
        autoencoder=autoencoder, divergence=divergence, clustering=clustering, reconstruction_weight=3.0, epochs=1,
        **OPTIONS | {"batch_size": len(digits.x)},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        original = Clusters.of

        def of(self, batch, z):
            c = original(self, batch, z)
            starts.append((z, self.means[c].clone(), self.factors[c].clone()))
            return c

        patch.setattr(Clusters, "of", of)
        row = model.fit(digits.x).history_.rows[0]
    ((z, means, factors),) = starts
    triangles = factors if clustering == "gmm" else torch.diag_embed(factors)
    way = z - means if divergence == "euclidean" else torch.linalg.solve(triangles, (z - means)[:, :, None])
    assert row["divergence"] == pytest.approx(float(way.square().sum()) / 2 / len(z), rel=1e-4)
    error = -autoencoder.score_samples(digits.x).mean()
    assert row["loss"] == pytest.approx(row["divergence"] + 3 * error, rel=1e-4)
    assert starts[0][2].ndim == (3 if clustering == "gmm" else 2)


def test_dcra_without_noise_is_abc(digits, autoencoder):
    """‖z − μ_c‖² for ½ ‖z − μ_c‖² and nothing else: Adam takes the same steps, which go by the sign and not the scale.

    For one epoch: after it DCRA's k-means runs until nothing changes, that of ABC takes one step.
    """
    options = {"autoencoder": autoencoder, "epochs": 1, "learning_rate": 1e-3, **OPTIONS}
    dcra = DCRA(noise=0.0, reconstruction_share=0.0, **options).fit(digits.x)
    abc = GaussianDivergence(divergence="euclidean", reconstruction_weight=0.0, **options).fit(digits.x)
    z, start = abc.transform(digits.x), autoencoder.transform(digits.x)
    np.testing.assert_allclose(dcra.transform(digits.x), z, atol=1e-3 * np.abs(z - start).max())
    assert dcra.history_["kmeans"][0] == pytest.approx(2 * abc.history_["divergence"][0], rel=1e-4)
    kl = GaussianDivergence(divergence="kl", reconstruction_weight=0.0, **options).fit(digits.x)
    assert np.abs(kl.transform(digits.x) - z).max() > 0.1 * np.abs(z - start).max()


def within(model, x):
    """Share of the codes' variance that is inside the clusters."""
    z = model.transform(x)
    centers = np.stack([z[model.labels_ == label].mean(0) for label in range(10)])
    return np.square(z - centers[model.labels_]).sum() / np.square(z - z.mean(0)).sum()


@pytest.mark.parametrize("divergence", ["euclidean", "kl"])
def test_codes_gather_around_their_centers_and_the_decoder_holds_them(digits, autoencoder, divergence):
    options = {"autoencoder": autoencoder, "divergence": divergence, "learning_rate": 1e-3, **OPTIONS}
    free, held = (GaussianDivergence(reconstruction_weight=w, epochs=10, **options).fit(digits.x) for w in (0.0, 1e3))
    z, labels = autoencoder.transform(digits.x), free.start_labels_
    centers = np.stack([z[labels == label].mean(0) for label in range(10)])
    before = np.square(z - centers[labels]).sum() / np.square(z - z.mean(0)).sum()
    assert within(free, digits.x) < 0.6 * before and within(free, digits.x) < 0.8 * within(held, digits.x)
    assert held.autoencoder_.score_samples(digits.x).mean() > 2 * autoencoder.score_samples(digits.x).mean()
    assert free.history_["latent_variance"][-1] < 0.5 * held.history_["latent_variance"][-1]
    weights = [
        torch.cat([p.flatten() for p in a.network_.decoder.parameters()]) for a in (autoencoder, held.autoencoder_)
    ]
    assert torch.equal(*weights)


def test_unknown_divergences_are_named(digits, autoencoder):
    with pytest.raises(ValueError, match="divergence='js' is not known: choose one of 'euclidean', 'kl'"):
        GaussianDivergence(autoencoder=autoencoder, divergence="js").fit(digits.x)
