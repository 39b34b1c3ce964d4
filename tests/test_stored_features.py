"""dclib.stored_features: the features on file are those of the images of `load("cifar5k")`."""

import numpy as np
import pytest

from dclib import stored_features
from dclib.data import DatasetUnavailable, load
from dclib.metrics import clustering_accuracy
from dclib.stored_features import imagenet_names, joint_features, load_features, to_bytes, to_unit


def test_the_files_are_small_and_whole():
    assert sum(path.stat().st_size for path in stored_features.FOLDER.iterdir()) < 3e6
    stored = load_features()
    assert stored.z.shape == (5000, 64) and stored.untrained.shape == (5000, 32) and stored.imagenet.shape == (5000,)
    assert stored.z.dtype == np.float32 and 0 <= stored.imagenet.min() and stored.imagenet.max() < 1000
    # Principal components: centred, uncorrelated, the largest first; the axes are orthonormal.
    variances = stored.z.var(0)
    assert np.abs(stored.z.mean(0)).max() < 0.02 * np.sqrt(variances.max())
    assert (np.diff(variances) < 0.01 * variances[:-1]).all()
    correlations = np.corrcoef(stored.z.T) - np.eye(64)
    assert np.abs(correlations).max() < 0.02
    assert np.allclose(stored.components @ stored.components.T, np.eye(64), atol=2e-3)
    assert 0.4 < stored.kept < 0.95


def test_they_know_the_classes():
    """Class means from half of the images name the other half: far better with the trained network."""
    stored, y = load_features(), np.asarray(load("cifar5k").y)
    half = np.arange(5000) % 2 == 0

    def accuracy(z):
        means = np.stack([z[half & (y == k)].mean(0) for k in range(10)])
        return np.mean(np.square(z[~half][:, None] - means).sum(2).argmin(1) == y[~half])

    assert accuracy(stored.z) > 0.7 > 0.45 > accuracy(stored.untrained) > 0.15
    assert clustering_accuracy(y, stored.imagenet % 10) < 0.5  # no class of ours stands in the number itself


def test_names_are_imagenets():
    words, stored, y = imagenet_names(), load_features(), np.asarray(load("cifar5k").y)
    assert len(words) == 1000
    frogs = [words[i] for i in stored.imagenet[y == 6]]
    by_chance = 500 * sum("frog" in word for word in words) / 1000
    assert sum("frog" in word for word in frogs) > 10 * by_chance
    assert sum("frog" in words[i] for i in stored.imagenet[y == 8]) <= 2 * by_chance  # ships


def test_features_computed_now_are_those_on_file():
    x, stored = load("cifar5k").x[100:104], load_features()
    try:
        joint = joint_features(x, cache=False)
    except DatasetUnavailable as error:
        pytest.skip(f"the weights are not installed: {error}")
    assert joint.shape == (4, 2560) and np.allclose(np.linalg.norm(joint, axis=1), 1, atol=1e-5)
    assert np.allclose(np.linalg.norm(joint[:, :1280], axis=1), np.sqrt(0.5), atol=1e-5)  # half from each network
    assert np.abs(stored.transform(joint) - stored.z[100:104]).max() < 0.3 * stored.z.std(0).min()


def test_bytes_keep_a_hundredth_of_a_spread():
    z = np.random.default_rng(0).normal(size=(400, 5)) * [1, 10, 0.1, 3, 1e-4]
    small, step = to_bytes(z)
    assert small.dtype == np.int8
    assert (np.abs(small * step - z).max(0) <= 0.51 * step).all() and (step < 0.05 * z.std(0)).all()
    assert np.allclose(np.linalg.norm(to_unit(z), axis=1), 1)
