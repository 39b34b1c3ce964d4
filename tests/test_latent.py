"""Any autoencoder with any clusterer: what each of the two gets, what the whole can do, what is refused."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import DBSCAN, AgglomerativeClustering
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture as SklearnMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dclib.autoencoder import Autoencoder
from dclib.engine.callbacks import Evaluate
from dclib.gmm import GaussianMixture
from dclib.gradient_kmeans import GradientKMeans
from dclib.kmeans import KMeans
from dclib.latent import LatentClustering
from dclib.metrics import scores


def test_codes_cluster_better_than_pixels(digits, autoencoder):
    """With the mixture, too: Bhattarai, table 2."""
    pixels = KMeans(10, random_state=0).fit_predict(digits.x.reshape(len(digits), -1))
    mixture = GaussianMixture(10, reg_covar=1e-4, n_init=10, random_state=0)
    found = LatentClustering(autoencoder, mixture).fit(digits.x).labels_
    assert scores(digits.y, found)["v_measure"] > scores(digits.y, pixels)["v_measure"] + 0.03


@pytest.mark.parametrize(
    "clusterer",
    [
        KMeans(5, n_init=2),
        GradientKMeans(5, epochs=3),
        GaussianMixture(5, reg_covar=1e-4, n_init=1),
        SklearnKMeans(5),
        SklearnMixture(5),
        make_pipeline(StandardScaler(), SklearnKMeans(5)),
    ],
    ids=lambda clusterer: f"{type(clusterer).__module__.split('.')[0]}-{type(clusterer).__name__}",
)
def test_it_is_the_clusterer_on_the_codes(digits, autoencoder, clusterer):
    train, new = digits.x[:1000], digits.x[1000:]
    model = LatentClustering(autoencoder, clusterer, random_state=3).fit(train)
    seed = {name: value for name, value in model.clusterer_.get_params().items() if name.endswith("random_state")}
    assert seed and all(isinstance(value, int) for value in seed.values())
    alone = clone(clusterer).set_params(**seed)
    codes = autoencoder.transform(train)
    assert np.array_equal(model.labels_, alone.fit_predict(codes))
    assert np.array_equal(model.transform(train), codes)
    assert np.array_equal(model.predict(new), alone.predict(autoencoder.transform(new)))
    for name in ("predict_proba", "score_samples"):
        assert hasattr(model, name) == hasattr(alone, name)
        if hasattr(alone, name):
            assert np.array_equal(getattr(model, name)(new), getattr(alone, name)(autoencoder.transform(new)))
    assert not hasattr(clusterer, "labels_")  # a copy was fitted


def test_clusterers_that_label_only_their_own_samples(digits, autoencoder):
    model = LatentClustering(autoencoder, AgglomerativeClustering(10)).fit(digits.x)
    assert scores(digits.y, model.labels_)["v_measure"] > 0.5
    assert np.array_equal(model.labels_, AgglomerativeClustering(10).fit_predict(autoencoder.transform(digits.x)))
    model._encode = None  # it refuses before it encodes
    with pytest.raises(ValueError, match="AgglomerativeClustering labels only the samples that it was fitted to"):
        model.predict(digits.x)


def test_a_clusterer_with_fit_and_predict_only(digits, autoencoder):
    class Halves(BaseEstimator):
        def fit(self, z):
            self.middle_ = np.median(z[:, 0])
            return self

        def predict(self, z):
            return (z[:, 0] > self.middle_).astype(int)

    model = LatentClustering(autoencoder, Halves()).fit(digits.x)
    assert np.bincount(model.labels_).tolist() == [899, 898]


def test_a_fitted_autoencoder_is_used_and_left_untouched(digits, autoencoder):
    before, rows = autoencoder.transform(digits.x), list(autoencoder.history_.rows)
    model = LatentClustering(autoencoder, KMeans(10)).fit(digits.x)
    assert model.autoencoder is autoencoder and model.autoencoder_ is not autoencoder
    model.autoencoder_.fit(digits.x[:200])
    assert np.array_equal(before, autoencoder.transform(digits.x)) and autoencoder.history_.rows == rows


def test_an_unfitted_autoencoder_is_trained_on_a_copy(digits):
    given = Autoencoder(4, hidden=(16,), epochs=2)
    model = LatentClustering(given, KMeans(10), random_state=0).fit(digits.x)
    assert not hasattr(given, "network_") and given.random_state is None
    assert model.transform(digits.x).shape == (1797, 4) and len(model.autoencoder_.history_) == 2


def test_seeds_are_passed_to_what_has_none(digits):
    autoencoder, clusterer = Autoencoder(3, hidden=(8,), epochs=1), GaussianMixture(3, reg_covar=1e-3)
    model = LatentClustering(autoencoder, clusterer, random_state=0).fit(digits.x)
    assert model.autoencoder_.random_state is not None and model.clusterer_.random_state is not None
    own = LatentClustering(
        clone(autoencoder).set_params(random_state=5), clone(clusterer).set_params(random_state=6), random_state=0
    ).fit(digits.x)
    assert own.autoencoder_.random_state == 5 and own.clusterer_.random_state == 6


def test_a_mixture_is_saved_and_loaded_where_its_module_was_never_imported(digits, autoencoder, tmp_path):
    model = LatentClustering(autoencoder, GaussianMixture(10, reg_covar=1e-4, n_init=1), random_state=0).fit(digits.x)
    model.save(tmp_path / "model")
    loaded = LatentClustering.load(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(digits.x), model.predict_proba(digits.x))
    code = (
        f"from dclib.latent import LatentClustering as L; print(L.load({str(tmp_path / 'model')!r}).clusterer_.n_init)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


def test_a_clusterer_of_others_is_not_saved(digits, autoencoder, tmp_path):
    model = LatentClustering(autoencoder, DBSCAN(eps=3)).fit(digits.x)
    with pytest.raises(ValueError, match=r"^DBSCAN has no safe form on disk.*autoencoder_\.save"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clusterer": StandardScaler()}, r"clusterer=StandardScaler\(\) cannot cluster: give an estimator with"),
        ({"clusterer": "k-means"}, "clusterer='k-means' cannot cluster"),
        ({"clusterer": KMeans}, "cannot cluster"),
        ({"autoencoder": StandardScaler()}, "autoencoder must be a dclib Autoencoder or None, not StandardScaler"),
        ({"clusterer": KMeans(5000)}, "n_clusters=5000, but X has n_samples=1797"),
    ],
)
def test_wrong_estimators_are_named(digits, autoencoder, options, message):
    with pytest.raises(ValueError, match=message):
        LatentClustering(**({"autoencoder": autoencoder} | options)).fit(digits.x)


def test_too_many_clusters_are_refused_before_an_autoencoder_is_trained(digits):
    def trained(model):
        pytest.fail("the autoencoder was trained")

    watched = Autoencoder(epochs=1, hidden=(8,), callbacks=[Evaluate(trained)])
    with pytest.raises(ValueError, match="n_components=5000, but X has n_samples=1797"):
        LatentClustering(watched, GaussianMixture(5000)).fit(digits.x)


def test_a_frozen_autoencoder_stays_fitted_in_a_search(digits, autoencoder, tmp_path):
    search = GridSearchCV(
        LatentClustering(FrozenEstimator(autoencoder), KMeans(5, n_init=1, random_state=0)),
        {"clusterer__n_clusters": [5, 10]},
        scoring="adjusted_rand_score",
        cv=2,
    ).fit(digits.x, digits.y)
    assert search.best_params_ == {"clusterer__n_clusters": 10}
    best = search.best_estimator_
    assert np.array_equal(best.transform(digits.x), autoencoder.transform(digits.x))
    best.save(tmp_path / "best")
    again = LatentClustering.load(tmp_path / "best")
    assert np.array_equal(again.predict(digits.x), best.predict(digits.x))
    assert np.array_equal(clone(again).fit(digits.x).labels_, best.labels_)


def test_other_samples_than_the_autoencoder_knows(digits, autoencoder):
    with pytest.raises(
        ValueError, match=r"fitted on samples of shape \(1, 8, 8\), but X holds samples of shape \(7,\)"
    ):
        LatentClustering(autoencoder, KMeans(3)).fit(np.zeros((50, 7)))
