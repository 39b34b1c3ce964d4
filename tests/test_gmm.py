"""EM against scikit-learn and against its equations written out; where it breaks: far data, flat, empty components."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture

from dclib import gmm
from dclib.data import load
from dclib.engine.rows import Shifted
from dclib.gmm import COVARIANCE_TYPES, GaussianMixture, Mixture, em_step, log_joint
from dclib.kmeans import KMeans
from dclib.metrics import clustering_accuracy

D = 3


def skewed(n=900, k=4, d=D, seed=0, spread=6.0):
    """Samples of k Gaussians of different shapes and weights, and the component of each."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(k, n, p=np.arange(1, k + 1) / np.arange(1, k + 1).sum())
    shapes, means = rng.standard_normal((k, d, d)) + 1.5 * np.eye(d), spread * rng.standard_normal((k, d))
    return np.einsum("nij,nj->ni", shapes[labels], rng.standard_normal((n, d))) + means[labels], labels


def naive_m_step(x, r, covariance_type, reg_covar=1e-6):
    """Weights, means and covariances as scikit-learn shapes them, straight from the equations, in two passes."""
    counts = r.sum(0)
    means = r.T @ x / counts[:, None]
    scatter = np.stack([(r[:, j, None] * (x - m)).T @ (x - m) / counts[j] for j, m in enumerate(means)])
    ridge = reg_covar * np.eye(x.shape[1])
    covariances = {
        "full": scatter + ridge,
        "tied": np.einsum("k,kij->ij", counts / len(x), scatter) + ridge,
        "diag": np.stack([np.diag(s) for s in scatter]) + reg_covar,
        "spherical": np.array([np.diag(s).mean() for s in scatter]) + reg_covar,
    }[covariance_type]
    return counts / len(x), means, covariances


def naive_densities(x, means, covariances, covariance_type):
    """N(x_i | μ_k, Σ_k) (n, k) by scipy."""
    shapes = {
        "full": lambda k: covariances[k],
        "tied": lambda k: covariances,
        "diag": lambda k: np.diag(covariances[k]),
        "spherical": lambda k: covariances[k] * np.eye(x.shape[1]),
    }[covariance_type]
    return np.stack([multivariate_normal(m, shapes(k)).pdf(x) for k, m in enumerate(means)], axis=1)


def precisions(covariances, covariance_type):
    return np.linalg.inv(covariances) if covariance_type in ("full", "tied") else 1 / covariances


def fitted(x, covariance_type="full", k=4, **options):
    options = {"init": x[:k], "max_iter": 500, "tol": 1e-6} | options
    return GaussianMixture(k, covariance_type=covariance_type, **options).fit(x)


def test_a_density_by_hand():
    """A standard normal at 0 and a normal with deviation 2 at 2 from its mean, weights ¼ and ¾."""
    mixture = Mixture(torch.tensor([0.25, 0.75]), torch.tensor([[0.0], [2.0]]), torch.tensor([[[1.0]], [[2.0]]]))
    mixture = Mixture(*(part.double() for part in mixture))
    want = [0.25 / np.sqrt(2 * np.pi), 0.75 / (2 * np.sqrt(2 * np.pi)) * np.exp(-0.5)]
    joint = log_joint(torch.zeros(1, 1, dtype=torch.float64), mixture)
    assert joint.exp().tolist() == [pytest.approx(want)]


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_equals_scikit_learn_from_the_same_start(covariance_type):
    x, _ = skewed()
    nearest = np.argmin(((x[:, None] - x[:4]) ** 2).sum(2), axis=1)
    weights, means, covariances = naive_m_step(x, np.eye(4)[nearest], covariance_type)
    for max_iter in (1, 3, 500):
        theirs = SklearnMixture(
            4,
            covariance_type=covariance_type,
            weights_init=weights,
            means_init=means,
            precisions_init=precisions(covariances, covariance_type),
            max_iter=max_iter,
            tol=1e-6,
        )
        ours = GaussianMixture(4, covariance_type=covariance_type, init=x[:4], max_iter=max_iter, tol=1e-6)
        if max_iter < 500:
            with pytest.warns(ConvergenceWarning):
                theirs.fit(x)
            with pytest.warns(ConvergenceWarning, match="raise max_iter"):
                ours.fit(x)
        else:
            theirs.fit(x), ours.fit(x)
        assert ours.n_iter_ == theirs.n_iter_ and ours.converged_ == theirs.converged_
        for name in ("weights_", "means_", "covariances_"):
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-6, atol=1e-6)
        assert ours.lower_bounds_[-2] == pytest.approx(theirs.lower_bound_, abs=1e-6)
        new = skewed(seed=1)[0]
        np.testing.assert_allclose(ours.predict_proba(new), theirs.predict_proba(new), atol=1e-6)
        np.testing.assert_allclose(ours.score_samples(new), theirs.score_samples(new), rtol=1e-6)
        assert np.array_equal(ours.predict(new), theirs.predict(new))
        for name in ("score", "bic", "aic"):
            assert getattr(ours, name)(new) == pytest.approx(getattr(theirs, name)(new), rel=1e-6)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_step_equals_its_equations_over_many_blocks(covariance_type, dtype):
    """From means that are far off, so that the step goes a long way; more samples than one block has."""
    x, _ = skewed(20_000, seed=2)
    rng = np.random.default_rng(0)
    weights, means, deviations = np.array([0.1, 0.2, 0.3, 0.4]), 20 + rng.standard_normal((4, D)), np.full((4, D), 5.0)
    start = Mixture(*map(torch.from_numpy, (weights, means, deviations)))
    if covariance_type in ("full", "tied"):
        start = start._replace(factors=start.factors.diag_embed())
    joint = weights * naive_densities(x, means, deviations**2, "diag")
    r = joint / joint.sum(1, keepdims=True)
    want = naive_m_step(x, r, covariance_type)
    got, bound = em_step(torch.from_numpy(x).to(dtype), start, covariance_type, 1e-6)
    covariances = got.factors @ got.factors.mT if got.factors.ndim == 3 else got.factors.square()
    if covariance_type in ("tied", "spherical"):
        covariances = covariances[0] if covariance_type == "tied" else covariances[:, 0]
    tolerance = 1e-9 if dtype == torch.float64 else 1e-4
    assert bound == pytest.approx(np.log(joint.sum(1)).mean(), rel=tolerance)
    for mine, theirs in zip((got.weights, got.means, covariances), want):
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_a_step_from_given_responsibilities_is_the_m_step_alone(covariance_type):
    x, _ = skewed(2000)
    r = np.random.default_rng(1).dirichlet(np.ones(4), 2000)
    start = Mixture(torch.full((4,), 0.25).double(), torch.zeros(4, D).double(), torch.eye(D).double().expand(4, D, D))
    got, _ = em_step(torch.from_numpy(x), start, covariance_type, 1e-6, torch.from_numpy(r))
    weights, means, covariances = naive_m_step(x, r, covariance_type)
    for mine, theirs in zip((got.weights, got.means, got.factors @ got.factors.mT), (weights, means, covariances)):
        np.testing.assert_allclose(mine, np.broadcast_to(theirs, mine.shape), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_the_likelihood_never_falls(covariance_type):
    for seed in range(3):
        x, _ = skewed(seed=seed, spread=1.0)  # they overlap: EM takes long
        with pytest.warns(ConvergenceWarning, match="max_iter=60"):
            model = fitted(x, covariance_type, init="random", n_init=1, tol=0, max_iter=60, random_state=seed)
        assert len(model.lower_bounds_) == 61 == model.n_iter_ + 1
        assert np.all(np.diff(model.lower_bounds_) >= -1e-9)
        assert model.lower_bounds_[-1] > model.lower_bounds_[0] + 0.01
        assert model.lower_bound_ == pytest.approx(model.score(x), abs=1e-9)


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_float32_survives_data_far_from_the_origin(covariance_type):
    """Deviations of 1 at 10,000: as E[x²] − μ² the variances would be off by 10."""
    x = (skewed(4000)[0] + 1e4).astype(np.float32)
    rounded, exact = fitted(x, covariance_type), fitted(x.astype(np.float64), covariance_type)
    assert {getattr(rounded, name).dtype for name in ("weights_", "means_", "covariances_")} == {np.dtype(np.float32)}
    assert rounded.predict_proba(x).dtype == rounded.score_samples(x).dtype == np.float32
    np.testing.assert_allclose(rounded.covariances_, exact.covariances_, rtol=0.01, atol=0.01)
    assert np.mean(rounded.predict(x) == exact.labels_) > 0.999


def test_no_array_of_samples_times_components_times_features(monkeypatch):
    sizes = []

    def whiten(*arguments):
        y = original(*arguments)
        sizes.append(y.numel())
        return y

    original = gmm.whiten
    monkeypatch.setattr(gmm, "whiten", whiten)
    x, _ = skewed(50_000, 4, 10)
    GaussianMixture(4, n_init=1, max_iter=3, tol=1e3).fit(x)
    assert max(sizes) < 50_000 * 4 * 10 / 8


@pytest.mark.parametrize("init", ["k-means", "balanced", "random"])
def test_a_memmap_is_read_in_blocks_and_gives_the_same_mixture(init, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", (skewed(4000)[0] + 100).astype(np.float32))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    options = {"n_components": 4, "init": init, "n_init": 2, "random_state": 0}
    array = GaussianMixture(**options).fit(np.array(x))
    copies = []
    original = Shifted.__init__
    monkeypatch.setattr(Shifted, "__init__", lambda self, *a: (copies.append(0), original(self, *a))[1])
    memmap = GaussianMixture(**options).fit(x)
    assert len(copies) == 2  # for fit and for labels_
    np.testing.assert_allclose(memmap.covariances_, array.covariances_, rtol=1e-3, atol=1e-4)
    assert np.array_equal(memmap.labels_, array.labels_) and np.array_equal(memmap.predict(x), array.labels_)


def test_shapes_that_k_means_cannot_see():
    """Long, thin clusters side by side; from the start that k-means gives EM does not find them either."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 1000)
    x = rng.standard_normal((1000, 2)) * [6.0, 0.3] + np.stack([np.zeros(1000), 2.0 * y], axis=1)
    model = GaussianMixture(2, init="random", n_init=10, random_state=0).fit(x)
    assert clustering_accuracy(y, model.labels_) > 0.98
    assert clustering_accuracy(y, KMeans(2, random_state=0).fit_predict(x)) < 0.7
    assert np.array_equal(model.labels_, model.predict(x))
    assert np.array_equal(model.labels_, model.predict_proba(x).argmax(1))


def test_the_best_of_several_starts_is_kept():
    x, _ = make_blobs(500, 2, centers=8, cluster_std=0.5, random_state=3)
    options = {"init": "random", "tol": 1e-6, "max_iter": 500}
    single = []
    for seed in range(12):
        single.append(GaussianMixture(8, n_init=1, random_state=seed, **options).fit(x).lower_bound_)
    several = GaussianMixture(8, n_init=12, random_state=0, **options).fit(x)
    assert np.std(single) > 0.01
    assert several.lower_bound_ > np.median(single)
    assert several.lower_bound_ == several.lower_bounds_[-1]


def test_bic_finds_the_number_of_components():
    x = load("gaussians").x.astype(np.float64)
    bic = [GaussianMixture(k, n_init=3, random_state=0).fit(x).bic(x) for k in range(1, 6)]
    assert int(np.argmin(bic)) + 1 == 3


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_samples_have_the_moments_of_the_mixture(covariance_type):
    x, _ = skewed(2000, 2, seed=4)
    model = fitted(x, covariance_type, k=2, random_state=0)
    drawn, labels = model.sample(40_000)
    assert drawn.shape == (40_000, D) and drawn.dtype == x.dtype and labels.shape == (40_000,)
    weights, means, covariances = naive_m_step(drawn, np.eye(2)[labels], covariance_type)
    np.testing.assert_allclose(weights, model.weights_, atol=0.02)
    np.testing.assert_allclose(means, model.means_, atol=0.1)
    np.testing.assert_allclose(covariances, model.covariances_, atol=0.05 * np.abs(model.covariances_).max())
    again, _ = model.sample(40_000)
    assert np.array_equal(drawn, again)


def test_samples_of_images_are_images():
    x = load("digits").x[:200]
    model = GaussianMixture(3, covariance_type="diag", reg_covar=1e-3, random_state=0).fit(x)
    assert model.sample(5)[0].shape == (5, 1, 8, 8) and model.sample(5)[0].dtype == np.float32


def test_far_outliers_have_probabilities_that_sum_to_one():
    model = fitted(skewed()[0].astype(np.float32))
    far = np.array([[1e4, 0, 0], [-1e4, 1e4, 3e3]], dtype=np.float32)
    with pytest.warns(UserWarning, match=r"values of up to 1e\+04"):
        probabilities = model.predict_proba(far)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    with pytest.warns(UserWarning, match=r"values of up to 1e\+04"):
        assert np.isfinite(model.score_samples(far)).all()


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_flat_component_is_an_error_that_names_the_way_out(covariance_type, dtype):
    x = np.repeat(np.array([[0.5, 1, 2], [4, 5, 6.5]]), 20, axis=0).astype(dtype)
    whose = "The common covariance" if covariance_type == "tied" else r"covariance of component \d"
    with pytest.raises(ValueError, match=rf"{whose} is singular.*Raise reg_covar"):
        fitted(x, covariance_type, k=2, init=x[[0, -1]], reg_covar=0)
    model = fitted(x, covariance_type, k=2, init=x[[0, -1]], reg_covar=1e-3)
    np.testing.assert_allclose(sorted(model.means_[:, 0]), [0.5, 4])
    assert np.isfinite(model.score_samples(x)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_feature_that_follows_from_others_is_a_flat_component(dtype):
    """From the first step on: the factorisation alone fails only where rounding makes a pivot negative."""
    for seed in range(10):
        x = skewed(seed=seed)[0].astype(dtype)
        x = np.column_stack([x, x[:, 0] + 2 * x[:, 1]])
        for covariance_type in ("full", "tied"):
            with pytest.raises(ValueError, match="singular.*features that are constant or follow from others"):
                fitted(x, covariance_type, reg_covar=0, max_iter=1)
    assert fitted(x, reg_covar=1e-3).converged_


def test_components_without_samples_are_reported_and_stay_finite():
    x = np.repeat(np.array([[0.0, 0.0], [1.0, 1.0]]), 10, axis=0)
    with pytest.warns(ConvergenceWarning, match="3 of 5 components have no samples"):
        model = GaussianMixture(5, random_state=0).fit(x)
    assert len(np.unique(model.labels_)) == 2
    assert np.isfinite(model.means_).all() and np.isfinite(model.covariances_).all()
    assert np.isfinite(model.score_samples(x)).all()
    with pytest.warns(ConvergenceWarning, match="a mean far from all of them"):
        fitted(skewed(200, 2)[0], k=3, init=np.array([[0.0] * 3, [1.0] * 3, [1e3] * 3]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components=0 must be an integer of at least 1"),
        ({"n_components": 901}, "n_components=901, but X has n_samples=900: ask for fewer"),
        ({"covariance_type": "round"}, "'round' is not known: choose one of 'full', 'tied', 'diag', 'spherical'"),
        (
            {"init": "kmeans"},
            "init='kmeans' is not known: choose one of 'k-means', 'balanced', 'random', or give an array of means",
        ),
        ({"init": np.zeros((4, 2))}, r"init has shape \(4, 2\): give finite centers, .* = \(4, 3\)"),
        ({"init": np.full((4, 3), np.nan)}, "give finite centers"),
        ({"n_init": 0}, "n_init=0 must be"),
        ({"max_iter": 0.5}, "max_iter=0.5 must be an integer"),
        ({"tol": -1}, "tol=-1 must be a number of at least 0"),
        ({"reg_covar": -1e-3}, "reg_covar=-0.001 must be a number of at least 0"),
    ],
)
def test_bad_parameters_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(**({"n_components": 4} | options)).fit(skewed()[0])


def test_sample_takes_a_number():
    with pytest.raises(ValueError, match="n_samples=0 must be"):
        fitted(skewed()[0]).sample(0)
