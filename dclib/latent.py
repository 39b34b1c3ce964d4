"""Clustering of the latent space: any autoencoder, then any clusterer on its codes (Bhattarai, section 4.4)."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, clone
from sklearn.utils.metaestimators import available_if

from dclib.autoencoder import Autoencoder, copy_autoencoder
from dclib.engine.processes import everyone
from dclib.engine.saving import SavedEstimator
from dclib.engine.validation import all_or_nothing, check_n_clusters, check_x
from dclib.kmeans import KMeans


def _clusterer_has(name: str):
    return available_if(lambda self: hasattr(getattr(self, "clusterer_", self.clusterer), name))


class LatentClustering(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, SavedEstimator):
    """Encodes X, then clusters the codes; the two know nothing of each other (compare `dclib.dec`).

    Parameters
    ----------
    autoencoder : an `Autoencoder`, fitted (used as it is, and left untouched) or not (trained on X first); None is a
        default one. (`sklearn.base.clone` makes an unfitted copy of it, as of every estimator.)
    clusterer : `KMeans`, `GaussianMixture` or any clusterer of scikit-learn, also a Pipeline that ends in one; None is
        a default `KMeans`. A copy of it is fitted to the codes.
    random_state : None, int or RandomState, passed on to the two where they have none of their own.

    Attributes
    ----------
    labels_ (n,), autoencoder_, clusterer_ : the fitted two, image_shape_ : (c, h, w) or None.
    """

    def __init__(self, autoencoder=None, clusterer=None, *, random_state=None):
        self.autoencoder = autoencoder
        self.clusterer = clusterer
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X, y=None):
        """Cluster X, (n, d) or images (n, c, h, w); `y` is ignored. Raises ValueError for bad input or estimators."""
        rows = check_x(self, X, reset=True)
        if not (self.clusterer is None or _is_clusterer(self.clusterer)):
            raise ValueError(
                f"clusterer={self.clusterer!r} cannot cluster: give an estimator with fit_predict, or fit and predict, "
                "such as dclib's GaussianMixture() or scikit-learn's DBSCAN()."
            )
        for name in ("n_clusters", "n_components"):  # before the autoencoder trains for minutes
            if isinstance(wanted := getattr(self.clusterer, name, None), int):
                check_n_clusters(wanted, len(rows), name)
        seed = everyone().seed(self.random_state)
        given = Autoencoder() if self.autoencoder is None else self.autoencoder
        self.autoencoder_ = copy_autoencoder(given, self._input_shape, self.magnitude_, seed)
        if not hasattr(self.autoencoder_, "network_"):
            self.autoencoder_.fit(rows.reshape(len(rows), *self._input_shape))
        self.clusterer_ = KMeans() if self.clusterer is None else clone(self.clusterer)
        parameters = self.clusterer_.get_params().items()
        unset = [name for name, value in parameters if name.split("__")[-1] == "random_state" and value is None]
        self.clusterer_.set_params(**dict.fromkeys(unset, seed))
        z = self._encode(rows)
        if hasattr(self.clusterer_, "fit_predict"):
            self.labels_ = self.clusterer_.fit_predict(z)
        else:
            self.labels_ = self.clusterer_.fit(z).predict(z)
        # New samples are compared with X: a warning about the size of codes would name values that nobody has given.
        if hasattr(self.clusterer_, "magnitude_"):
            del self.clusterer_.magnitude_
        return self

    @property
    def _input_shape(self) -> tuple[int, ...]:
        return self.image_shape_ or (self.n_features_in_,)

    def _encode(self, rows: np.ndarray) -> np.ndarray:
        return self.autoencoder_._map("encode", rows, self._input_shape)

    def transform(self, X) -> np.ndarray:
        """Latent codes (n, latent_dim)."""
        return self._encode(check_x(self, X, reset=False))

    def predict(self, X) -> np.ndarray:
        """Cluster of each sample (n,). Raises ValueError for a clusterer that labels only what it was fitted to."""
        rows = check_x(self, X, reset=False)
        if not hasattr(self.clusterer_, "predict"):
            raise ValueError(
                f"{type(self.clusterer_).__name__} labels only the samples that it was fitted to (labels_): for new "
                "samples take a clusterer with predict, such as KMeans or GaussianMixture."
            )
        return self.clusterer_.predict(self._encode(rows))

    @_clusterer_has("predict_proba")
    def predict_proba(self, X) -> np.ndarray:
        """Probability of each cluster (n, k), where the clusterer has it."""
        return self.clusterer_.predict_proba(self.transform(X))

    @_clusterer_has("score_samples")
    def score_samples(self, X) -> np.ndarray:
        """Log-density of each sample's code (n,), where the clusterer has it."""
        return self.clusterer_.score_samples(self.transform(X))

    def save(self, path) -> None:
        """As every estimator's; raises ValueError for a clusterer that is not dclib's."""
        if not isinstance(self.clusterer, (SavedEstimator, type(None))):
            raise ValueError(
                f"{type(self.clusterer).__name__} has no safe form on disk: save the trained network with "
                "autoencoder_.save, and fit the clusterer again, or take one of dclib's."
            )
        super().save(path)

    @property
    def _n_features_out(self) -> int:
        return self.autoencoder_.latent_dim

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]  # networks compute in float32
        return tags


def _is_clusterer(estimator) -> bool:
    clusters = hasattr(estimator, "fit_predict") or (hasattr(estimator, "fit") and hasattr(estimator, "predict"))
    return isinstance(estimator, BaseEstimator) and clusters
