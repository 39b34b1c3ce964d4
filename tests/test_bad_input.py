"""What every estimator says to bad input, in one table: the message, and that nothing fitted before is lost.

A row of the table holds for every estimator that takes its parameters or has its method, so that a new estimator,
once it is in test_estimators.py, is tested here too.
"""

import copy
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from test_estimators import SMALL, estimators
from test_features import TINY

from dclib.autoencoder import Autoencoder
from dclib.data import load
from dclib.dec import DEC
from dclib.engine.callbacks import EarlyStopping, Evaluate, Progress, Scores
from dclib.features import BACKBONES, PretrainedFeatures
from dclib.gradient_kmeans import GradientKMeans
from dclib.kmeans import KMeans
from dclib.latent import LatentClustering

DIGITS = load("digits")
IMAGES = DIGITS.x[:60]  # (60, 1, 8, 8), values in [0, 1]
ROWS = IMAGES.reshape(60, 64)

ESTIMATORS = {
    type(e).__name__: e for e in [*estimators(), PretrainedFeatures("tiny", size=32, cache=False, precision="32-true")]
}


@pytest.fixture(autouse=True)
def tiny_backbone(monkeypatch):
    monkeypatch.setitem(BACKBONES, "tiny", TINY)


@dataclass
class Case:
    """Bad samples (made from good ones) or bad parameters, and what `fit` says to them."""

    what: str
    message: str
    x: Callable[[np.ndarray], Any] = lambda images: images
    parameters: dict[str, Any] = field(default_factory=dict)
    but: tuple[str, ...] = ()  # these can use it, or say something else in a case of their own
    only: tuple[str, ...] = ()
    also: str = ""  # a method that says the same

    def concerns(self, name: str) -> bool:
        known = ESTIMATORS[name].get_params(deep=False)
        return set(self.parameters) <= set(known) and name not in self.but and (not self.only or name in self.only)


def changed(value):
    """A copy of the images with one value replaced."""

    def change(images):
        images = images.copy()
        images[7, 0, 3, 3] = value
        return images

    return change


CASES = [
    # --- samples
    Case("NaN", "contains NaN: 1 of 60 rows, the first is row", changed(np.nan), also="transform"),
    Case("infinite", "contains infinity: 1 of 60 rows, the first is row", changed(np.inf), also="transform"),
    Case("minus infinity", "contains infinity: 1 of 60.*look for what made", changed(-np.inf), also="transform"),
    Case("no samples", r"0 sample\(s\)", lambda x: x[:0], also="transform"),
    Case("no features", r"0 feature\(s\)", lambda x: x.reshape(60, 64)[:, :0]),
    Case("one axis", r"got 1D array: X has the shape \(64,\)", lambda x: x[0].ravel(), also="transform"),
    Case("a number", "Expected 2D array, got scalar", lambda x: 3.0, also="transform"),
    Case("nothing", "X is None: pass samples", lambda x: None, also="transform"),
    Case("a name", "X is 'mnist': pass samples.*load", lambda x: "mnist", also="transform"),
    Case("3 axes", r"3 axes.*X\[:, None\]", lambda x: x[:, 0], also="transform"),
    Case("5 axes", "5 axes", lambda x: x[None], also="transform"),
    Case("channels last", "channels last.*transpose", lambda x: x.transpose(0, 2, 3, 1), also="transform"),
    Case("a Dataset", r"data\.x", lambda x: DIGITS, also="transform"),
    Case("texts", "X holds text, 'a'", lambda x: np.array([["a", "b"], ["c", "d"]])),
    Case("a list of texts", "could not convert string|Expected 2D|text", lambda x: ["a text", "and another"]),
    Case("a table with names", "X holds text, 'a'", lambda x: pd.DataFrame({"size": [1.0], "name": ["a"]})),
    Case("complex numbers", "Complex data not supported", lambda x: x.reshape(60, 64) * 1j),
    Case("a sparse matrix", "toarray", lambda x: scipy.sparse.csr_matrix(x.reshape(60, 64)), also="transform"),
    Case("rows of unequal length", "inhomogeneous", lambda x: [[0.0, 1.0], [2.0]]),
    # --- clusters and samples
    Case("one sample", "n_samples=1", lambda x: x[:1], {"n_clusters": 3}),
    Case("one sample", "n_samples=1", lambda x: x[:1], {"n_components": 3}),
    Case("more clusters than samples", "n_clusters=61, but X has n_samples=60", parameters={"n_clusters": 61}),
    Case("more components than samples", "n_components=61, but X has n_samples=60", parameters={"n_components": 61}),
]
for name in ("n_clusters", "n_components"):
    for value in (0, -1, 2.5, "ten", True, None):
        CASES.append(Case(f"{name}={value!r}", f"{name}={value!r} must be an integer", parameters={name: value}))

# Parameters that every estimator which has them checks: (value, message).
NUMBERS = {
    "noise": (-0.1, np.nan, np.inf, "loud"),
    "reconstruction_share": (-0.1, 1.1, np.nan),
    "clustering_weight": (-1.0, np.nan, np.inf),
    "reconstruction_weight": (-1.0, np.nan),
    "alpha": (0, -1.0),
    "n_neighbors": (0, 2.5, None),
    "entropy_weight": (-1.0, np.nan),
    "start_epochs": (-1, 1.5),
    "label_smoothing": (-0.1, 1.1, np.nan),
    "weight_decay": (-0.1, np.nan),
    "share": (0, 1.5, "most"),
    "spread": (-0.5, np.nan),
    "buffer_size": (0, 600.5),
    "temperature": (-1.0, np.nan),
    "learning_rate": (0, -1e-3, np.nan, np.inf, "fast"),
    "discriminator_learning_rate": (0, "fast"),
    "momentum": (-0.1, 1.1, np.nan),
    "epochs": (0, -3, 1.5, None),
    "batch_size": (0, 2.5, "all"),
    "latent_dim": (0, 2.5, None),
    "n_init": (0, 1.5, "all"),
    "max_iter": (0, np.inf),
    "update_interval": (0, 0.5),
    "tol": (-1e-3, np.nan, "low"),
    "reg_covar": (-1e-6, np.nan),
    "size": (16, 64.0),
}
for name, values in NUMBERS.items():
    for value in values:
        message = rf"{name}={value!r} must be an? (integer|number)"
        CASES.append(Case(f"{name}={value!r}", message, parameters={name: value}))

CENTERS = ("KMeans", "GradientKMeans", "BalancedKMeans", "GaussianMixture")  # take an array of centers as `init`
LABELS = ("NeighborClustering",)  # takes an array of labels
CASES += [
    Case("unknown device", "device='warp' is not known", parameters={"device": "warp"}),
    Case("absent device", "device='cuda:99' is not on this machine", parameters={"device": "cuda:99"}),
    Case("device of another type", "device=7 is not", parameters={"device": 7}),
    Case("unknown precision", "precision='half' is not known", parameters={"precision": "half"}),
    Case("a random_state that is none", "cannot be used to seed", parameters={"random_state": "today"}),
    Case("unknown init", "init='forgy' is not known: choose one of", parameters={"init": "forgy"}),
    Case("no init", r"init( has shape \(\)|=None is not known)", parameters={"init": None}),
    Case("init of the wrong shape", r"init has shape \(2, 64\)", parameters={"init": np.zeros((2, 64))}, only=CENTERS),
    Case("init with NaN", "give finite centers", parameters={"init": np.full((3, 64), np.nan)}, only=CENTERS),
    Case("init of texts", "nor an array of numbers", parameters={"init": [["a"] * 64] * 3}, only=CENTERS),
    Case(
        "centers where a name belongs",
        "init .an array of shape.*choose one",
        parameters={"init": np.zeros((3, 2))},
        but=CENTERS + LABELS,
    ),
    Case("unknown covariance", "covariance_type='round' is not known", parameters={"covariance_type": "round"}),
    Case("unknown activation of the code", "latent_activation='x' is not", parameters={"latent_activation": "x"}),
    Case("unknown optimizer", "optimizer='sgdd' is not known", parameters={"optimizer": "sgdd"}),
    Case("a mean of soft clusters", 'optimizer="mean" takes', parameters={"optimizer": "mean", "temperature": 1.0}),
    Case("unknown clustering", "clustering='dbscan' is not known", parameters={"clustering": "dbscan"}),
    Case("callbacks without a list", "callbacks=.*must be a list", parameters={"callbacks": Progress()}),
    Case("callbacks that are none", "callbacks=.*must be a list", parameters={"callbacks": [print]}),
    Case("a callback's class", "callbacks=.*must be a list", parameters={"callbacks": [Progress]}),
    Case(
        "an early stop on an unknown column",
        "monitor='acc'.*the history has the columns (epoch|start), loss",
        parameters={"callbacks": [EarlyStopping("acc")]},
    ),
    Case(
        "KMeans for an autoencoder", "must be .* Autoencoder or None, not KMeans", parameters={"autoencoder": KMeans()}
    ),
    Case("a name for an autoencoder", "autoencoder must be .* not str", parameters={"autoencoder": "conv"}),
    Case("a class for an autoencoder", "autoencoder must be .* not", parameters={"autoencoder": Autoencoder}),
    Case("a bad autoencoder", "latent_dim=0 must be", parameters={"autoencoder": Autoencoder(0)}),
    Case("a name for a clusterer", "cannot cluster|how sure", parameters={"clusterer": "k-means"}),
    Case("labels of the wrong shape", "one label a sample", parameters={"init": np.zeros(59, int)}, only=LABELS),
    Case("labels beyond the clusters", "from 0 to 2", parameters={"init": np.full(60, 3)}, only=LABELS),
    Case("neighbours of too few", "at most 59 neighbours", parameters={"n_neighbors": 60}),
    Case("augment without images", "pass X as", lambda x: x.reshape(60, 64), parameters={"augment": True}),
    Case("augment of another type", "augment='shift' must be", parameters={"augment": "shift"}),
    Case("unknown network", "network='transformer' is not known", parameters={"network": "transformer"}),
    Case("unknown activation", "activation", parameters={"activation": "swoosh"}),
    Case("layers of no width", "hidden", parameters={"hidden": (8, 0)}),
    Case("a network for images on rows", "images", lambda x: x.reshape(60, 64), parameters={"network": "conv"}),
    Case("unknown backbone", "backbone='vgg' is not known", parameters={"backbone": "vgg"}),
    Case("rows for a backbone", "takes images", lambda x: x.reshape(60, 64), only=("PretrainedFeatures",)),
    Case("bytes for a backbone", "Divide bytes by 255", lambda x: x * 255, only=("PretrainedFeatures",)),
]


KNOWN = {parameter for e in ESTIMATORS.values() for parameter in e.get_params(deep=False)}


def table():
    for case in CASES:
        for name in ESTIMATORS:
            if case.concerns(name):
                yield pytest.param(case, name, id=f"{case.what}-{name}")


def output(estimator):
    """What a fitted estimator makes of good images: codes, distances or probabilities, and labels."""
    method = "transform" if hasattr(estimator, "transform") else "predict_proba"
    found = [getattr(estimator, method)(IMAGES)]
    return found + [estimator.predict(IMAGES)] if hasattr(estimator, "predict") else found


@pytest.fixture(scope="module")
def fitted():
    """Every estimator, fitted."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setitem(BACKBONES, "tiny", TINY)
        warnings.simplefilter("ignore")
        return {name: clone(e).fit(IMAGES) for name, e in ESTIMATORS.items()}


BAD = (ValueError, TypeError)  # TypeError is what scikit-learn raises for a sparse matrix
pytestmark = pytest.mark.filterwarnings("ignore:EM did not converge")


def test_the_table_is_long_and_every_estimator_is_in_it():
    assert len(CASES) >= 30 and len({case.what for case in CASES}) >= 30
    concerned = [name for case in CASES for name in ESTIMATORS if case.concerns(name)]
    assert all(concerned.count(name) >= 18 for name in ESTIMATORS)
    assert all(any(case.concerns(name) for name in ESTIMATORS) for case in CASES if case.parameters.keys() <= KNOWN)


@pytest.mark.parametrize(("case", "name"), list(table()))
def test_the_message(case, name):
    estimator = clone(ESTIMATORS[name]).set_params(**case.parameters)
    with pytest.raises(BAD if "sparse" in case.what else ValueError, match=f"(?s){case.message}"):
        estimator.fit(case.x(IMAGES))
    if name != "PretrainedFeatures":  # which needs no fit
        with pytest.raises(NotFittedError):
            output(estimator)


@pytest.mark.parametrize(("case", "name"), list(table()))
def test_a_failed_fit_leaves_what_was_fitted_before(case, name, fitted):
    estimator = copy.deepcopy(fitted[name])
    before, attributes = output(estimator), set(vars(estimator))
    good = estimator.get_params(deep=False)
    estimator.set_params(**case.parameters)
    with pytest.raises(BAD):
        estimator.fit(case.x(IMAGES))
    if case.also:
        method = case.also if hasattr(estimator, case.also) else "predict"
        with pytest.raises(BAD, match=f"(?s){case.message}"):
            getattr(estimator, method)(case.x(IMAGES))
    estimator.set_params(**{key: good[key] for key in case.parameters})
    assert set(vars(estimator)) == attributes
    for old, new in zip(before, output(estimator)):
        assert np.array_equal(old, new)


# --- what goes wrong in the middle of training ------------------------------------------------------------------------

TRAINED = [name for name, e in ESTIMATORS.items() if {"epochs", "callbacks"} <= set(e.get_params(deep=False))]


def break_off(error):
    def function(estimator):
        raise error("enough")

    return [Evaluate(function)]


@pytest.mark.parametrize("name", TRAINED)
def test_a_training_that_fails_leaves_what_was_fitted_before(name, fitted):
    estimator = copy.deepcopy(fitted[name])
    before, labels = output(estimator), getattr(estimator, "labels_", None)
    estimator.set_params(callbacks=break_off(FloatingPointError))
    with pytest.raises(FloatingPointError, match="enough"):
        estimator.fit(IMAGES[:40] / 2)
    assert getattr(estimator, "labels_", None) is labels
    for old, new in zip(before, output(estimator)):
        assert np.array_equal(old, new)


@pytest.mark.parametrize("name", TRAINED)
def test_who_interrupts_a_training_keeps_what_it_has_reached(name):
    estimator = clone(ESTIMATORS[name]).set_params(callbacks=break_off(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(IMAGES)
    assert len(estimator.history_) == 1
    assert all(np.isfinite(found).all() and len(found) == 60 for found in output(estimator))


def test_gaps_in_a_frame_of_whole_numbers_are_counted():
    frame = pd.DataFrame({"a": pd.array([1, None, 3] * 5, dtype="Int64"), "b": range(15)})
    with pytest.raises(ValueError, match="Input X contains NaN: 5 of 15 rows, the first is row 1"):
        KMeans(3).fit(frame)


def test_gaps_in_a_frame_that_is_not_pandas_are_counted():
    class Frame:
        """Polars' `to_numpy`, too, knows no na_value."""

        shape = (15, 2)

        def __array__(self, dtype=None, copy=None):
            return np.array([[1.0, np.nan], [2.0, 3.0], [4.0, 5.0]] * 5, dtype)

        def __len__(self):
            return 15

        def to_numpy(self):
            return np.asarray(self)

    with pytest.raises(ValueError, match="Input X contains NaN: 5 of 15 rows, the first is row 0"):
        KMeans(3).fit(Frame())


def test_a_bad_batch_in_between_does_no_harm():
    stream = GradientKMeans(3, random_state=0)
    for x in (ROWS[:20], ROWS[20:40]):
        stream.partial_fit(x)
    other = copy.deepcopy(stream)
    for bad, message in ((ROWS[:5, :9], "9 features"), (np.full_like(ROWS[:5], np.nan), "NaN"), (ROWS[:0], "0 sample")):
        with pytest.raises(ValueError, match=message):
            stream.partial_fit(bad)
    assert stream.n_steps_ == 2
    assert np.array_equal(stream.partial_fit(ROWS[40:]).cluster_centers_, other.partial_fit(ROWS[40:]).cluster_centers_)


# --- new samples ------------------------------------------------------------------------------------------------------

METHODS = [
    pytest.param(name, method, id=f"{name}.{method}")
    for name, e in ESTIMATORS.items()
    for method in ("predict", "transform", "predict_proba", "score_samples", "score", "reconstruct")
    if hasattr(e, method) or name == "LatentClustering" and method == "predict"
]


@pytest.mark.parametrize(("name", "method"), METHODS)
class TestNewSamples:
    def test_before_fit(self, name, method):
        if name == "PretrainedFeatures":
            assert clone(ESTIMATORS[name]).transform(IMAGES).shape == (60, 6)  # which learns nothing
            return
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(clone(ESTIMATORS[name]), method)(IMAGES)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                lambda x: x.reshape(60, 1, 4, 16),
                r"images of shape \(1, 4, 16\), but this .* fitted on \(1, 8, 8\): pass images of that shape",
            ),
            (lambda x: x.reshape(60, 64)[:, :63], "63 features, but .* is expecting 64"),
            (lambda x: np.repeat(x, 3, axis=1), r"images of shape \(3, 8, 8\)"),
            (lambda x: x.transpose(0, 2, 3, 1), "channels last"),
            (lambda x: x.reshape(60, 64)[0], "Expected 2D array"),
            (changed(np.nan), "NaN"),
        ],
        ids=["other images", "other rows", "colours", "channels last", "one row", "NaN"],
    )
    def test_that_do_not_fit(self, name, method, change, message, fitted):
        with pytest.raises(ValueError, match=message):
            getattr(fitted[name], method)(change(IMAGES))

    @pytest.mark.filterwarnings("ignore:X has values of up to")  # beside the error of PretrainedFeatures
    def test_on_another_scale(self, name, method, fitted):
        """Bytes for a model of images in [0, 1]: a warning, or an error where they cannot mean anything."""
        call = getattr(fitted[name], method)
        if name == "PretrainedFeatures":
            with pytest.raises(ValueError, match="Divide bytes by 255"):
                call(IMAGES * 255)
            return
        with pytest.warns(UserWarning, match=f"values of up to 255, but this {name} was fitted on values of up to 1:"):
            call(IMAGES * 255)
        with pytest.warns(UserWarning, match="values of up to 255"):
            call((IMAGES * 255).astype(np.uint8))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for x in (IMAGES, IMAGES[:1], 1 - IMAGES, IMAGES + np.float32(0.3), 0 * IMAGES, -5 * IMAGES):
                call(x)


def test_no_warning_about_the_size_of_codes():
    """They may be far larger than all that were seen, for an X that is not."""
    model = LatentClustering(Autoencoder(2, hidden=(8,), epochs=1, random_state=0), KMeans(3), random_state=0).fit(
        IMAGES
    )
    with torch.no_grad():
        list(model.autoencoder_.network_.encoder.parameters())[-2].mul_(1000)
    assert abs(model.transform(IMAGES)).max() > 10 * abs(model.clusterer_.cluster_centers_).max()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(IMAGES)


@pytest.mark.parametrize("method", [DEC, LatentClustering])
def test_a_clusterer_of_data_on_another_scale_than_its_autoencoder_was_fitted_on(method):
    autoencoder = Autoencoder(2, hidden=(8,), epochs=1).fit(IMAGES)
    with pytest.warns(UserWarning, match="up to 255, but this Autoencoder was fitted on values of up to 1:") as caught:
        method(autoencoder=autoencoder).fit(IMAGES * 255)
    assert {w.filename for w in caught} == {__file__}, "points into dclib"


def test_the_scale_is_known_after_loading_and_looked_for_in_all_of_the_data(tmp_path):
    KMeans(3).fit(ROWS).save(tmp_path / "k")
    with pytest.warns(UserWarning, match="up to 255"):
        KMeans.load(tmp_path / "k").predict(ROWS * 255)
    x = np.zeros((25_000, 2), np.float32)
    x[12_000:12_004] = 7  # rows are looked at with gaps, none so wide
    assert KMeans(2).fit(x).magnitude_ == 7
    assert KMeans(2).fit(-x).magnitude_ == 7


# --- data that say nothing --------------------------------------------------------------------------------------------


def constant(x):
    return np.full_like(x, 0.5)


def duplicates(x):
    return np.concatenate([x[:1]] * 30 + [x[1:2]] * 30)


SAYS_NOTHING = [name for name, e in ESTIMATORS.items() if hasattr(e, "fit_predict")]


@pytest.mark.parametrize("change", [constant, duplicates])
@pytest.mark.parametrize("name", SAYS_NOTHING)
def test_fewer_distinct_samples_than_clusters(name, change):
    """A ConvergenceWarning that shows to the line of the user, finite results, and equal samples in equal clusters."""
    x, estimator = change(IMAGES), clone(ESTIMATORS[name])
    if "autoencoder" in estimator.get_params(deep=False) and change is duplicates:
        # A network that tells the two apart: two places in the latent space, whatever the method makes of it.
        estimator.set_params(autoencoder=Autoencoder(2, hidden=(8,), epochs=20, batch_size=32, random_state=0))
    with pytest.warns(ConvergenceWarning, match=NOTHING) as caught:
        estimator.fit(x)
    said = [w for w in caught if re.search(NOTHING, str(w.message))]
    assert {w.filename for w in said} == {__file__}, "points into dclib"
    assert all(np.isfinite(found).all() for found in output(estimator))
    assert len(set(estimator.labels_[:30])) == len(set(estimator.labels_[30:])) == 1


NOTHING = r"Only [12] of 3 clusters|collapsed: .*only [12] different codes|components have no samples"


@pytest.mark.parametrize("change", [constant, duplicates, lambda x: x[:1]])
def test_an_autoencoder_learns_even_what_says_nothing(change):
    x = change(IMAGES)
    fitted = Autoencoder(2, hidden=(8,), epochs=5, batch_size=32).fit(x)
    assert np.isfinite(fitted.transform(x)).all() and np.isfinite(fitted.score_samples(x)).all()


# --- estimators in estimators, callbacks ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n, e in ESTIMATORS.items() if "autoencoder" in e.get_params(deep=False)])
def test_an_autoencoder_fitted_on_samples_of_another_shape(name):
    given = Autoencoder(**SMALL, random_state=0).fit(ROWS[:, :32])
    before = given.transform(ROWS[:, :32])
    estimator = clone(ESTIMATORS[name])
    estimator.autoencoder = given  # not a copy, which would not be fitted
    for x, shape in ((IMAGES, r"\(1, 8, 8\)"), (ROWS, r"\(64,\)")):
        with pytest.raises(ValueError, match=rf"fitted on samples of shape \(32,\), but X holds .* {shape}: fit it on"):
            estimator.fit(x)
    assert np.array_equal(given.transform(ROWS[:, :32]), before)


@pytest.mark.parametrize(
    "name", [n for n, e in ESTIMATORS.items() if "autoencoder" in e.get_params() or n == "Autoencoder"]
)
@pytest.mark.filterwarnings("ignore:NeighborClustering. Only")  # trained so shortly
def test_bytes_for_a_network_warn_at_fit(name):
    with pytest.warns(UserWarning, match="standard deviation of .* scale images to"):
        clone(ESTIMATORS[name]).fit(IMAGES * 255)


@pytest.mark.parametrize("y", [DIGITS.y[:59], DIGITS.y[:60, None], 3, None])
def test_scores_wants_one_label_a_sample(y):
    with pytest.raises(ValueError, match=r"Scores\(X, y\): 60 samples, but labels of shape .* one label a sample"):
        Scores(IMAGES, y)


@pytest.mark.parametrize("name", TRAINED)
def test_scores_of_samples_or_labels_that_do_not_fit(name):
    estimator = clone(ESTIMATORS[name]).set_params(callbacks=[Scores(ROWS[:, :9], DIGITS.y[:60])])
    with pytest.raises(ValueError, match="9 features" if hasattr(estimator, "predict") else "Scores needs clusters"):
        estimator.fit(IMAGES)
    labels = np.full(60, np.nan)
    if hasattr(estimator, "predict"):
        with pytest.raises(ValueError, match="y holds NaN"):
            estimator.set_params(callbacks=[Scores(IMAGES, labels)]).fit(IMAGES)


@pytest.mark.parametrize("weights", [np.ones(59), -np.ones(60), np.zeros(60), np.full(60, np.nan), "heavy"])
def test_bad_sample_weights(weights, fitted):
    estimator = copy.deepcopy(fitted["KMeans"])
    with pytest.raises(ValueError, match="weight|NaN|Negative|convert"):
        estimator.fit(IMAGES, sample_weight=weights)
    assert np.array_equal(estimator.predict(IMAGES), fitted["KMeans"].labels_)
