"""The contract that all estimators share (scikit-learn's own checks, saving, what fit must not do)."""

import inspect
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from dclib import (
    autoencoded_kmeans,
    autoencoder,
    balanced_kmeans,
    dcan,
    dcra,
    dec,
    gaussian_divergence,
    gmm,
    gradient_kmeans,
    kmeans,
    latent,
    neighbor_clustering,
    self_labelling,
)
from dclib.autoencoded_kmeans import AutoencodedKMeans
from dclib.autoencoder import Autoencoder
from dclib.balanced_kmeans import BalancedKMeans
from dclib.data import load
from dclib.dcan import DCAN
from dclib.dcra import DCRA
from dclib.dec import DEC
from dclib.engine.saving import SavedEstimator
from dclib.gaussian_divergence import GaussianDivergence
from dclib.gmm import GaussianMixture
from dclib.gradient_kmeans import GradientKMeans
from dclib.kmeans import KMeans
from dclib.latent import LatentClustering
from dclib.neighbor_clustering import NeighborClustering
from dclib.self_labelling import SelfLabelling

FEW = {"batch_size": 16, "learning_rate": 0.02}  # enough steps for few samples
# So small and trained so shortly, this one gives all samples to one cluster now and then, and says so.
# On scikit-learn's made samples, trained so shortly.
pytestmark = pytest.mark.filterwarnings(
    "ignore:AutoencodedKMeans collapsed", "ignore:(NeighborClustering|SelfLabelling). Only .* clusters have samples"
)
SMALL = {"latent_dim": 2, "hidden": (8,), "epochs": 2, "batch_size": 32}


def estimators():
    """One small instance of every estimator."""
    return [
        KMeans(3, n_init=2),
        GradientKMeans(3, batch_size=32, epochs=5),
        BalancedKMeans(3, n_init=1),
        GaussianMixture(3, covariance_type="diag", reg_covar=1e-3, n_init=1),
        Autoencoder(**SMALL),
        LatentClustering(Autoencoder(**SMALL), KMeans(3, n_init=2)),
        DEC(3, autoencoder=Autoencoder(**SMALL), n_init=2, epochs=2, batch_size=32),
        AutoencodedKMeans(3, autoencoder=Autoencoder(**SMALL), n_init=2, epochs=2, batch_size=32),
        DCAN(3, autoencoder=Autoencoder(**SMALL), n_init=2, epochs=2, batch_size=32),
        DCRA(3, autoencoder=Autoencoder(**SMALL), n_init=2, epochs=2, batch_size=32),
        GaussianDivergence(3, autoencoder=Autoencoder(**SMALL), n_init=2, epochs=2, batch_size=32),
        NeighborClustering(3, n_init=2, n_neighbors=2, hidden=(8,), start_epochs=8, epochs=12, **FEW),
        SelfLabelling(GaussianMixture(3, covariance_type="diag", reg_covar=1e-3, n_init=1), hidden=(8,), **FEW),
    ]


def expected_failures(estimator):
    if not isinstance(estimator, KMeans):
        return {}
    reason = "the starts are random draws of samples: other, shuffled samples give other starts, as in scikit-learn"
    return {"check_sample_weight_equivalence_on_dense_data": reason}


@parametrize_with_checks(estimators(), expected_failed_checks=expected_failures)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", estimators(), ids=lambda e: type(e).__name__)
def test_a_notebook_shows_it_without_a_warning(estimator):
    """scikit-learn reads the docstring for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert type(estimator).__name__ in estimator._repr_html_()


def test_every_estimator_is_tested_here():
    modules = (
        kmeans, gradient_kmeans, balanced_kmeans, gmm, autoencoder, latent, dec, autoencoded_kmeans, dcan, dcra,
        gaussian_divergence, neighbor_clustering, self_labelling,
    )  # fmt: skip
    found = {
        cls
        for module in modules
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, SavedEstimator) and cls.__module__ == module.__name__
    }
    assert found == {type(estimator) for estimator in estimators()}


def output(fitted, x):
    """What a fitted estimator makes of samples: their codes, or, of a mixture, their probabilities."""
    return fitted.transform(x) if hasattr(fitted, "transform") else fitted.predict_proba(x)


@pytest.fixture(scope="module")
def images():
    return load("digits").x[:300]


@pytest.fixture(scope="module")
def fitted(images):
    """fitted(estimator): a copy that is fitted with random_state=0, once for all tests. Nothing may change it."""
    models = {}

    def fit(estimator):
        if type(estimator) not in models:
            before = images.copy()
            models[type(estimator)] = clone(estimator).set_params(random_state=0).fit(images)
            assert np.array_equal(before, images), "fit has changed X"
        return models[type(estimator)]

    return fit


@pytest.mark.parametrize("estimator", estimators(), ids=lambda e: type(e).__name__)
class TestContract:
    def test_saved_and_loaded_it_predicts_the_same(self, estimator, fitted, images, tmp_path):
        model = fitted(estimator)
        model.save(tmp_path / "model.safetensors")
        loaded = type(estimator).load(tmp_path / "model.safetensors")
        assert np.array_equal(output(model, images), output(loaded, images))
        for name in ("predict", "predict_proba", "reconstruct"):
            if hasattr(model, name):
                assert np.array_equal(getattr(model, name)(images), getattr(loaded, name)(images))
        assert repr(model) == repr(loaded)
        assert loaded.image_shape_ == (1, 8, 8)
        if hasattr(model, "history_"):
            assert loaded.history_.rows == model.history_.rows
        assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
        (tmp_path / "any").touch()
        assert (tmp_path / "model.safetensors").stat().st_mode == (
            tmp_path / "any"
        ).stat().st_mode  # others may read it, too

    def test_unfitted_damaged_and_foreign_files_are_named_and_none_holds_a_pickle(self, estimator, fitted, tmp_path):
        with pytest.raises(ValueError, match="not fitted"):
            clone(estimator).save(tmp_path / "x")
        with pytest.raises(FileNotFoundError, match="no saved model"):
            type(estimator).load(tmp_path / "x")
        path = tmp_path / "model"
        fitted(estimator).save(path)
        with pytest.raises((pickle.UnpicklingError, ValueError)), open(path, "rb") as file:
            pickle.load(file)
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(ValueError, match="damaged"):
            type(estimator).load(path)

    def test_the_same_seed_gives_the_same_result_whatever_y_is(self, estimator, fitted, images):
        """It touches no global state, never looks at y, and another seed gives another result."""
        expected = output(fitted(estimator), images)
        torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        again = clone(estimator).set_params(random_state=0).fit(images, object())
        assert np.array_equal(expected, output(again, images))
        assert torch.equal(torch_before, torch.get_rng_state())
        assert np.array_equal(numpy_before, np.random.get_state()[1])  # noqa: NPY002
        assert not np.array_equal(expected, output(clone(estimator).set_params(random_state=8).fit(images), images))

    def test_images_rows_and_tensors_are_one(self, estimator, fitted, images):
        model = fitted(estimator)
        z = output(model, images)
        assert np.array_equal(z, output(model, torch.from_numpy(images)))
        assert np.array_equal(z, output(model, images.reshape(len(images), -1)))
        with pytest.raises(ValueError, match="images of shape"):
            output(model, images.reshape(-1, 1, 4, 16))

    def test_data_frames_pass_without_a_warning(self, estimator, images):
        frame = pd.DataFrame(images.reshape(len(images), -1)).add_prefix("pixel")
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = clone(estimator).set_params(random_state=0).fit(frame)
            assert output(fitted, frame).shape[0] == len(frame)
            if hasattr(fitted, "predict"):
                assert np.array_equal(fitted.predict(frame), fitted.labels_)

    def test_a_seed_from_a_random_state_object(self, estimator, images):
        a = clone(estimator).set_params(random_state=np.random.RandomState(5)).fit(images)
        b = clone(estimator).set_params(random_state=np.random.RandomState(5)).fit(images)
        assert np.array_equal(output(a, images), output(b, images))


def test_loading_with_the_wrong_class_names_the_right_one(images, tmp_path):
    KMeans(3).fit(images).save(tmp_path / "k")
    with pytest.raises(ValueError, match="holds a KMeans, not a DEC: use KMeans.load"):
        DEC.load(tmp_path / "k")


def test_a_random_state_is_saved_as_none(images, tmp_path):
    inner = Autoencoder(2, hidden=(4,), epochs=1, random_state=np.random.RandomState(1))
    for model in (KMeans(3, n_init=1), DEC(3, autoencoder=inner, epochs=1)):
        model.set_params(random_state=np.random.RandomState(0)).fit(images).save(tmp_path / "m")
        loaded = type(model).load(tmp_path / "m")
        assert np.array_equal(loaded.predict(images), model.labels_)
        assert loaded.random_state is None and loaded.get_params().get("autoencoder__random_state") is None
        assert isinstance(model.random_state, np.random.RandomState)


def test_a_network_of_ones_own_is_refused_with_a_way_out(images, tmp_path):
    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(64, 64)

        def encode(self, x):
            return self.layer(x.flatten(1))

        def decode(self, z):
            return z.view(-1, 1, 8, 8)

        def forward(self, x):
            z = self.encode(x)
            return z, self.decode(z)

    own = Autoencoder(64, network=Own(), epochs=1).fit(images)
    assert own.transform(images).shape == (300, 64)
    with pytest.raises(ValueError, match="no safe form on disk.*save_model"):
        own.save(tmp_path / "x")
    assert not list(tmp_path.iterdir())
