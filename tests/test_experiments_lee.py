"""Lee's experiments on tiny data: names of clusters, corruptions, losses, one class against the rest, two filters."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from dclib.autoencoder import Autoencoder
from dclib.data import load
from dclib.dcra import DCRA
from dclib.kmeans import KMeans
from dclib.metrics import clustering_accuracy, psnr
from experiments import lee_dcra, lee_robustness
from experiments.lee_dcra import SHARES, block_means, gaussian_filter, one_against_rest
from experiments.lee_robustness import accuracies, corruptions, names_of


def test_names_are_one_to_one_and_the_best():
    y, labels = np.array([0, 0, 0, 1, 1, 2]), np.array([2, 2, 1, 1, 1, 0])
    names = names_of(y, labels, 3)
    assert names.tolist() == [2, 1, 0]
    assert np.mean(names[labels] == y) == clustering_accuracy(y, labels)


def test_corruptions_are_what_they_are_called():
    x = np.full((50, 1, 16, 16), 0.5, np.float32)
    found = corruptions(x)
    assert np.array_equal(found["noise 0.0"], x)
    assert (found["noise 0.5"] - x).std() == pytest.approx(0.5, rel=0.02)
    assert np.mean(found["half masked"] == 0) == pytest.approx(0.5, abs=0.02)
    assert found["shifted"].shape == x.shape and not np.array_equal(found["shifted"], x)
    assert all(np.array_equal(again, found[name]) for name, again in corruptions(x).items())


@pytest.fixture
def split_digits(monkeypatch):
    data = load("digits")

    def stand_in(name, split, **options):
        return data

    for module in (lee_dcra, lee_robustness):
        monkeypatch.setattr(module, "load", stand_in)
    return data


def test_accuracy_falls_with_the_noise_and_clusters_keep_their_names(split_digits):
    model = KMeans(10, random_state=0).fit(split_digits.x)
    found = accuracies(model, split_digits)
    assert found["acc noise 0.0"] == pytest.approx(clustering_accuracy(split_digits.y, model.labels_))
    assert found["acc noise 0.0"] > found["acc noise 0.5"] > found["acc noise 1.0"] > 0.1


def test_one_class_against_the_rest(split_digits):
    """K-means finds the zeros; a single cluster calls all of them outliers, which is right for nine tenths."""
    good, single = (one_against_rest(KMeans(k, random_state=0).fit(split_digits.x), split_digits) for k in (10, 1))
    share = np.mean(split_digits.y != 0)
    assert good["all_outliers"] == single["all_outliers"] == single["one_against_rest"] == pytest.approx(share)
    assert good["one_against_rest"] > 0.98


def test_losses_of_the_test_images_are_those_of_the_training():
    data = load("digits", n=600)
    x = data.x
    autoencoder = Autoencoder(latent_dim=5, hidden=(50,), epochs=2, random_state=0).fit(x)
    method = DCRA(10, autoencoder=autoencoder, noise=0.0, reconstruction_share=0.25, epochs=1, random_state=0).fit(x)
    found = lee_dcra.test_losses(method, data, data)
    error = np.square(method.autoencoder_.reconstruct(x) - x).mean() * x[0].size
    distances = cdist(method.transform(x), method.cluster_centers_, "sqeuclidean").min(1).mean()
    assert found["test_reconstruction"] == pytest.approx(error, rel=1e-4)
    assert found["test_kmeans"] == pytest.approx(distances, rel=1e-3)
    assert found["test_loss"] == pytest.approx(0.25 * error + 0.75 * distances, rel=1e-3)
    method.noise = 0.5  # as in training, it goes on the input, not on what is to be reconstructed
    assert error < lee_dcra.test_losses(method, data, data)["test_reconstruction"] < error + 0.25 * x[0].size


@pytest.mark.parametrize("network", ["dense", "conv-bn"])
def test_codes_under_noise(network):
    data = load("mnist5k", n=256)
    hidden = {"hidden": (20,)} if network == "dense" else {"hidden": (4, 4)}
    autoencoder = Autoencoder(3, network=network, epochs=1, precision="32-true", random_state=0, **hidden).fit(data.x)
    method = DCRA(5, autoencoder=autoencoder, noise=0.5, epochs=2, precision="32-true", random_state=0).fit(data.x)
    before = method.transform(data.x)
    found = lee_dcra.codes_under_noise(method, data)
    distances = cdist(before, method.cluster_centers_, "sqeuclidean").min(1).mean()
    assert found["distance clean"] == pytest.approx(distances, rel=1e-3)
    assert found["spread clean"] == pytest.approx(before.var(axis=0).sum(), rel=1e-3)
    assert found["start spread clean"] == pytest.approx(autoencoder.transform(data.x).var(axis=0).sum(), rel=1e-3)
    assert found["distance noisy"] > 1.01 * distances
    # Only batch normalisation makes training and test differ.
    same = found["distance noisy, batch statistics"] == pytest.approx(found["distance noisy"], rel=1e-3)
    assert same == (network == "dense")
    assert np.array_equal(method.transform(data.x), before)


def test_block_means_by_hand():
    image = np.arange(16.0).reshape(1, 1, 4, 4)
    expected = np.array([[2.5, 4.5], [10.5, 12.5]]).repeat(2, 0).repeat(2, 1)
    assert np.array_equal(block_means(image, 2)[0, 0], expected)
    assert np.array_equal(block_means(image, 1), image)


def test_filters_take_noise_off():
    """A smooth image, noise of .3: blocks of 4 and a Gaussian of 2 pixels, whose means leave a fraction of it."""
    ramp = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32), (1, 1, 64, 64))
    noisy = ramp + 0.3 * np.random.default_rng(0).standard_normal(ramp.shape, dtype=np.float32)
    before = psnr(ramp, noisy)
    assert psnr(ramp, block_means(noisy, 4)) > before + 8
    assert psnr(ramp, gaussian_filter(noisy, 2.0)) > before + 12
    assert np.allclose(gaussian_filter(np.ones((2, 3, 8, 8)), 2.0), 1)


def test_shares_are_the_printed_weight_in_units_of_sums():
    """.01 on L1, .99 on L2, or the other way round; L1 a mean over 784 pixels, L2 a mean over 20 or a sum."""
    for name, (first, second) in {
        "mean": (0.01 / 784, 0.99 / 20), "sum": (0.01 / 784, 0.99),
        "swapped-mean": (0.99 / 784, 0.01 / 20), "swapped-sum": (0.99 / 784, 0.01),
    }.items():  # fmt: skip
        assert SHARES[name] == pytest.approx(first / (first + second), rel=0.03)
