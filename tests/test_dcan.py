"""The two losses by hand, against autograd and against a divergence integrated numerically; what DCAN does to a
clustering; resuming, devices, alarms."""

import numpy as np
import pytest
import torch
from interruption import StopAfter
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning

from dclib.autoencoder import Autoencoder
from dclib.dcan import DCAN, discriminator_loss, draw, encoder_loss
from dclib.engine.callbacks import Checkpoint
from dclib.gmm import Mixture, log_joint
from dclib.metrics import clustering_accuracy
from dclib.networks import Discriminator


@pytest.fixture(scope="module")
def autoencoder(digits):
    options = {"epochs": 120, "batch_size": 64, "precision": "32-true", "random_state": 1}
    return Autoencoder(10, hidden=(128, 64), **options).fit(digits.x)


# --- the equations ----------------------------------------------------------------------------------------------------

# Logits of the probabilities 4/5, 1/2 and 1/3.
FOUR_FIFTHS, HALF, THIRD = np.log(4), 0.0, -np.log(2)


def test_losses_by_hand():
    drawn, encoded = torch.tensor([FOUR_FIFTHS, HALF]), torch.tensor([THIRD, HALF])
    want = -(np.log(4 / 5) + np.log(1 / 2)) / 2 - (np.log(2 / 3) + np.log(1 / 2)) / 2
    assert discriminator_loss(drawn, encoded) == pytest.approx(want)
    assert encoder_loss(encoded) == pytest.approx(-(np.log(1 / 3) + np.log(1 / 2)) / 2)


def test_a_softened_target_by_hand():
    """Target 3/4 for a draw that D gives 4/5: −3/4 log 4/5 − 1/4 log 1/5. Codes keep the target 0."""
    loss = discriminator_loss(torch.tensor([FOUR_FIFTHS]), torch.tensor([HALF]), positive=0.75)
    assert loss == pytest.approx(-0.75 * np.log(4 / 5) - 0.25 * np.log(1 / 5) + np.log(2))


def test_losses_are_means_over_samples():
    generator = torch.Generator().manual_seed(0)
    drawn, encoded = torch.randn(2, 5, generator=generator)
    for loss in (
        lambda n: discriminator_loss(drawn.repeat(n), encoded.repeat(n)),
        lambda n: encoder_loss(encoded.repeat(n)),
    ):
        torch.testing.assert_close(loss(1), loss(4))
    # Two means, not one over both: twice the codes weigh what they did.
    torch.testing.assert_close(discriminator_loss(drawn, encoded), discriminator_loss(drawn, encoded.repeat(2)))


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    drawn, encoded = torch.randn(2, 6, generator=generator, dtype=torch.float64).requires_grad_()
    for positive in (1.0, 0.9):
        assert torch.autograd.gradcheck(lambda a, b, t=positive: discriminator_loss(a, b, t), (drawn, encoded))
    assert torch.autograd.gradcheck(encoder_loss, encoded)
    # The encoder's logits get the slope −(1 − D)/n, which is steepest where the discriminator is sure.
    (slope,) = torch.autograd.grad(encoder_loss(encoded), encoded)
    torch.testing.assert_close(slope, -(1 - encoded.sigmoid()).detach() / 6)


def test_far_from_the_border_the_losses_stay_finite():
    far = torch.tensor([-1e4, 1e4], requires_grad=True)
    loss = discriminator_loss(far, far) + encoder_loss(far)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(far.grad).all()
    assert encoder_loss(torch.tensor([-1e4])) == pytest.approx(1e4)  # not saturated: a code that is found out must move


def divergence(p, q, x):
    """Jensen-Shannon divergence of two densities given on a fine grid x, in nats."""
    m = (p + q) / 2
    return np.trapezoid(p * np.log(p / m) + q * np.log(q / m), x) / 2


GRID = np.linspace(-12, 14, 20_001)
ONE, OTHER = norm(0, 1), norm(2, 1.5)
JSD = divergence(ONE.pdf(GRID), OTHER.pdf(GRID), GRID)


def test_the_best_discriminator_reaches_the_divergence():
    """Lemma 2: with D = p/(p + q), that is the logit log p/q, the objective is 2 JSD − 2 log 2."""
    rng = np.random.default_rng(0)
    drawn, encoded = ONE.rvs(200_000, random_state=rng), OTHER.rvs(200_000, random_state=rng)
    best = [torch.from_numpy(ONE.logpdf(z) - OTHER.logpdf(z)) for z in (drawn, encoded)]
    assert -discriminator_loss(*best) == pytest.approx(2 * JSD - 2 * np.log(2), abs=0.005)
    for other in (lambda logit: 0.5 * logit, lambda logit: 2 * logit, lambda logit: logit + 0.5, torch.zeros_like):
        assert discriminator_loss(*map(other, best)) > discriminator_loss(*best) + 0.005


def test_a_trained_discriminator_approaches_the_divergence():
    """Two Gaussians on a line, two clusters that are told apart by their number only: cluster 1 is mirrored."""
    torch.manual_seed(0)
    discriminator = Discriminator(1, 2, hidden=(32, 32))
    optimizer = torch.optim.Adam(discriminator.parameters(), 5e-3)

    def sample(n):
        clusters = torch.randint(2, (n,))
        mirror = 1 - 2 * clusters
        return [(mirror * z)[:, None] for z in (torch.randn(n), 2 + 1.5 * torch.randn(n))], clusters

    def loss(n):
        (drawn, encoded), clusters = sample(n)
        return discriminator_loss(discriminator.logits(drawn, clusters), discriminator.logits(encoded, clusters))

    assert -loss(50_000) < 2 * JSD - 2 * np.log(2) - 0.2  # before training
    for _ in range(400):
        optimizer.zero_grad()
        loss(1000).backward()
        optimizer.step()
    assert -loss(200_000).item() == pytest.approx(2 * JSD - 2 * np.log(2), abs=0.02)


@pytest.mark.parametrize("full", [False, True])
def test_draws_have_the_moments_of_their_cluster(full):
    generator = torch.Generator().manual_seed(0)
    means = torch.tensor([[0.0, 0.0], [5.0, -5.0]])
    factors = torch.tensor([[1.0, 2.0], [0.5, 3.0]])
    if full:
        factors = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[2.0, 0.0], [-1.0, 0.5]]])
    clusters = torch.tensor([0, 1]).repeat(50_000)
    z = draw(means, factors, clusters, torch.randn(100_000, 2, generator=generator))
    for c in range(2):
        covariance = factors[c] @ factors[c].T if full else factors[c].square().diag()
        torch.testing.assert_close(z[clusters == c].mean(0), means[c], atol=0.05, rtol=0)
        torch.testing.assert_close(z[clusters == c].T.cov(), covariance, atol=0.1, rtol=0)
    exact = draw(means, factors, clusters[:2], torch.zeros(2, 2))
    assert torch.equal(exact, means)


# --- the discriminator ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_clusters", [0, 3])
def test_the_discriminator_knows_the_cluster_or_not(n_clusters):
    torch.manual_seed(0)
    discriminator = Discriminator(4, n_clusters, hidden=(8, 8))
    z, clusters = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    logits = discriminator.logits(z, clusters)
    assert logits.shape == (6,)
    assert torch.equal(logits, discriminator.logits(z, clusters.flip(0))) == (n_clusters == 0)
    assert sum(isinstance(m, torch.nn.Tanh) for m in discriminator.modules()) == 2
    assert discriminator.layers[0].in_features == 4 + n_clusters


def test_slopes_are_those_of_finite_differences():
    torch.manual_seed(0)
    discriminator = Discriminator(3, 2, hidden=(8, 8)).double()
    z, clusters = torch.randn(5, 3, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1])
    logits, slopes = discriminator(z, clusters)
    torch.testing.assert_close(logits, discriminator.logits(z, clusters))
    steps = 1e-5 * torch.eye(3, dtype=torch.float64)
    differences = [discriminator.logits(z + h, clusters) - discriminator.logits(z - h, clusters) for h in steps]
    torch.testing.assert_close(slopes, torch.stack(differences).div(2e-5).square().sum(0))
    # The penalty has a gradient of its own, with respect to the weights.
    weight = discriminator.layers[0].weight

    def penalty(w):
        return torch.func.functional_call(discriminator, {"layers.0.weight": w}, (z, clusters))[1].mean()

    assert torch.autograd.gradcheck(penalty, weight)


# --- the method -------------------------------------------------------------------------------------------------------

QUICK = {"epochs": 25, "batch_size": 64, "n_init": 5, "gradient_penalty": 0.5, "precision": "32-true"}
SHORT = QUICK | {"epochs": 12, "learning_rate": 2e-4}  # half the steps, twice as long


@pytest.fixture(scope="module")
def trained(digits, autoencoder):
    """Nothing may change it."""
    return DCAN(autoencoder=autoencoder, random_state=0, **QUICK).fit(digits.x)


def gain(model, y):
    """How much ACC training has added to the start."""
    return clustering_accuracy(y, model.labels_) - clustering_accuracy(y, model.start_labels_)


def test_dcan_improves_the_clustering_it_starts_from(digits, autoencoder, trained):
    others = (DCAN(autoencoder=autoencoder, random_state=seed, **QUICK).fit(digits.x) for seed in (1, 2))
    gains = [gain(model, digits.y) for model in (trained, *others)]
    assert min(gains) > 0 and np.mean(gains) > 0.01


@pytest.mark.parametrize("parameters", [{"conditional": False}, {"reconstruction_weight": 0}], ids=str)
def test_so_it_does_with_a_part_left_out(digits, autoencoder, parameters):
    model = DCAN(autoencoder=autoencoder, random_state=0, **QUICK, **parameters).fit(digits.x)
    assert gain(model, digits.y) > 0.01


def within(model, x):
    """Share of the codes' variance that is inside the clusters."""
    z = model.transform(x)
    centers = np.stack([z[model.labels_ == label].mean(0) for label in range(10)])
    return np.square(z - centers[model.labels_]).sum() / np.square(z - z.mean(0)).sum()


def test_the_narrower_the_draws_the_narrower_the_clusters(digits, autoencoder):
    """Without spread the draws are centers, at which the codes of a cluster gather."""
    options = {"autoencoder": autoencoder, "random_state": 0, **QUICK, "learning_rate": 5e-4}
    models = [DCAN(spread=spread, **options).fit(digits.x) for spread in (0, 0.5, 1.0)]
    assert all(np.isfinite(model.history_["loss"]).all() for model in models)
    point, half, whole = (within(model, digits.x) for model in models)
    assert point < 0.8 * whole and half < 0.8 * whole


def test_the_clusters_follow_the_codes(digits, trained):
    """At the end the centers are the means of the codes, up to the few samples that changed last."""
    model = trained
    z = model.transform(digits.x)
    means = np.stack([z[model.labels_ == label].mean(0) for label in range(10)])
    np.testing.assert_allclose(model.cluster_centers_, means, atol=0.1 * z.std())
    shares = np.bincount(model.labels_) / len(z)
    np.testing.assert_allclose(model.weights_, shares, atol=0.01)
    floor = 0.02 * z.var(0).mean()
    widths = np.stack([np.sqrt(z[model.labels_ == label].var(0) + floor) for label in range(10)])
    np.testing.assert_allclose(model.factors_, widths, rtol=0.15)


def test_with_a_mixture_labels_are_its_most_probable_components(digits, autoencoder, trained):
    model = DCAN(autoencoder=autoencoder, clustering="gmm", random_state=0, **SHORT).fit(digits.x)
    assert model.factors_.shape == (10, 10, 10) and not np.triu(model.factors_, 1).any()
    values = (model.weights_, model.cluster_centers_, model.factors_)
    mixture = Mixture(*(torch.from_numpy(value).double() for value in values))
    labels = log_joint(torch.from_numpy(model.transform(digits.x)), mixture).argmax(1).numpy()
    assert np.array_equal(labels, model.labels_) and np.array_equal(labels, model.predict(digits.x))
    nearest = np.linalg.norm(model.transform(digits.x)[:, None] - model.cluster_centers_, axis=2).argmin(1)
    assert not np.array_equal(nearest, labels)
    assert clustering_accuracy(digits.y, model.labels_) > 0.65
    assert not np.array_equal(trained.start_labels_, model.start_labels_)  # it starts from the mixture's labels


def decoder(estimator):
    return torch.cat([p.flatten() for p in estimator.network_.decoder.parameters()])


def test_the_decoder_stays_as_it_is_and_holds_the_codes(digits, autoencoder):
    before = autoencoder.transform(digits.x)
    errors = []
    options = {"autoencoder": autoencoder, "random_state": 0, **SHORT, "learning_rate": 5e-4}
    for weight in (50.0, 0.0):
        model = DCAN(reconstruction_weight=weight, **options).fit(digits.x)
        assert torch.equal(decoder(autoencoder), decoder(model.autoencoder_))
        errors.append(-model.autoencoder_.score_samples(digits.x).mean())
    assert errors[0] < 0.8 * errors[1]
    assert np.array_equal(before, autoencoder.transform(digits.x))


def test_the_clusters_are_updated_inside_the_epoch_when_asked(digits, autoencoder):
    seldom, often, same = (
        DCAN(autoencoder=autoencoder, epochs=2, update_interval=n, n_init=1, random_state=0).fit(digits.x)
        for n in (100, 3, 8)
    )
    assert not np.array_equal(seldom.cluster_centers_, often.cluster_centers_)
    assert np.array_equal(seldom.cluster_centers_, same.cluster_centers_)  # an epoch has 8 steps


def test_with_a_buffer_dcan_improves_its_start_too(digits, autoencoder):
    model = DCAN(autoencoder=autoencoder, buffer_size=600, random_state=0, **QUICK).fit(digits.x)
    start, end = (clustering_accuracy(digits.y, labels) for labels in (model.start_labels_, model.labels_))
    assert end > start
    assert np.array_equal(model.labels_, model.predict(digits.x))


def test_history_and_predictions(digits, autoencoder):
    model = DCAN(autoencoder=autoencoder, epochs=8, n_init=1, random_state=0).fit(digits.x[:1500])
    columns = {"epoch", "loss", "encoder", "discriminator", "changed", "smallest_share", "latent_variance"}
    assert set(model.history_.to_frame()) == columns
    assert np.array_equal(model.labels_, model.predict(digits.x[:1500]))
    assert model.predict(digits.x[1500:]).shape == (297,)
    # At first it knows nothing; the loss is that of a coin, for targets .9 and 0.
    assert model.history_["discriminator"][0] == pytest.approx(2 * np.log(2), abs=0.1)
    assert model.cluster_centers_.dtype == model.factors_.dtype == model.weights_.dtype == np.float32


# --- resuming ---------------------------------------------------------------------------------------------------------

SMALL = {"latent_dim": 3, "hidden": (16,), "epochs": 4, "batch_size": 64, "random_state": 0}


def everything(model):
    weights = [p.detach().numpy().ravel() for p in model.autoencoder_.network_.parameters()]
    return np.concatenate([*weights, model.cluster_centers_.ravel(), model.factors_.ravel(), model.weights_])


@pytest.mark.parametrize("clustering", ["k-means", "gmm"])
def test_an_interrupted_training_ends_the_same(digits, tmp_path, clustering):
    images = digits.x[:300]
    options = {
        "n_clusters": 4, "autoencoder": Autoencoder(**SMALL).fit(images), "clustering": clustering, "epochs": 6,
        "batch_size": 32, "update_interval": 3, "learning_rate": 1e-3, "random_state": 0,
    }  # fmt: skip
    whole = DCAN(**options).fit(images)
    with pytest.raises(KeyboardInterrupt):
        DCAN(**options, callbacks=[StopAfter(3), Checkpoint(tmp_path / "c")]).fit(images)
    resumed = DCAN(**options, callbacks=[Checkpoint(tmp_path / "c")]).fit(images)
    assert np.array_equal(everything(whole), everything(resumed))
    assert np.array_equal(whole.labels_, resumed.labels_)
    losses = ["loss", "encoder", "discriminator", "smallest_share", "latent_variance"]
    assert whole.history_.to_frame()[losses].equals(resumed.history_.to_frame()[losses])


# --- alarms and bad input ---------------------------------------------------------------------------------------------


def test_a_collapse_is_reported():
    """A network whose code hardly depends on its input: one cluster ends with nearly all samples."""
    x = np.vstack([np.random.default_rng(0).normal(0, 0.01, (400, 4)), np.full((4, 4), 50.0)])
    dull = Autoencoder(2, hidden=(4,), epochs=1, random_state=0).fit(x)
    with pytest.warns(ConvergenceWarning, match="DCAN collapsed.*one cluster owns 99"):
        DCAN(2, autoencoder=dull, epochs=1, learning_rate=1e-6, random_state=0).fit(x)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"clustering": "dbscan"}, "clustering='dbscan' is not known: choose one of 'k-means', 'gmm'"),
        ({"conditional": "no"}, "conditional='no' must be True or False"),
        ({"spread": -0.5}, "spread=-0.5"),
        ({"buffer_size": 9}, "buffer_size=9 must be an integer of at least 10"),
        ({"reconstruction_weight": -1}, "reconstruction_weight=-1"),
        ({"gradient_penalty": -0.5}, "gradient_penalty=-0.5"),
        ({"update_interval": 0}, "update_interval=0"),
        ({"discriminator_learning_rate": 0}, "discriminator_learning_rate=0"),
    ],
)
def test_bad_parameters_are_named(digits, autoencoder, parameters, message):
    with pytest.raises(ValueError, match=message):
        DCAN(**{"autoencoder": autoencoder, **parameters}).fit(digits.x)
