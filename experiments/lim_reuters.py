"""DCAN on Reuters-21578: the 7,753 texts with exactly one of its four most frequent topics, TF-IDF of 2,000 words.

Lim reports ACC .7867 against .6018 of k-means, on another set: "Reuters-10k", 10,000 texts of the much larger RCV1 in
four classes ("reuters10k", cut as the DEC paper cuts it, where it can be had). Here: k-means on the TF-IDF vectors, and
DCAN from an autoencoder that is trained on them first ("start" is k-means on its codes). The vectors of length one are
multiplied by √2000, so that a feature has a mean square of one, as in the DEC paper (Xie et al. 2016, section 5.1). The
topics are of unequal size (51, 31, 10 and 8 %).

"dec", "abc" and "kld" begin where "dcan" does, see `lim_divergences`; "paper-draws" is DCAN with draws of the clusters'
full width and clusters that move at every step, on the newest 600 codes.
"""

import numpy as np

from dclib.autoencoder import Autoencoder
from dclib.dcan import DCAN
from dclib.dec import DEC
from dclib.gaussian_divergence import GaussianDivergence
from dclib.kmeans import KMeans
from experiments.runner import Configuration

SEEDS = range(3)


def scale(x: np.ndarray) -> np.ndarray:
    return x * np.float32(x.shape[1] ** 0.5)


def configurations() -> dict[str, Configuration]:
    def on_reuters(autoencoder, method) -> Configuration:
        return Configuration("reuters21578", "all", autoencoder, method, options={"n_topics": 4}, prepare=scale)

    def on_rcv1(autoencoder, method) -> Configuration:
        return Configuration("reuters10k", "all", autoencoder, method, prepare=scale)

    def closed_form(divergence: str, weight: float) -> GaussianDivergence:
        return GaussianDivergence(4, divergence=divergence, reconstruction_weight=weight, epochs=20)

    return {
        "kmeans": on_reuters(None, KMeans(4)),
        "dcan": on_reuters(Autoencoder(epochs=20), DCAN(4, epochs=20)),
        "reuters10k-kmeans": on_rcv1(None, KMeans(4)),
        "reuters10k-dcan": on_rcv1(Autoencoder(epochs=20), DCAN(4, epochs=20)),
        "dcan_gmm": on_reuters(Autoencoder(epochs=20), DCAN(4, clustering="gmm", epochs=20)),
        "dec": on_reuters(Autoencoder(epochs=20), DEC(4, epochs=20, tol=0)),
        "abc": on_reuters(Autoencoder(epochs=20), closed_form("euclidean", 10.0)),
        "kld": on_reuters(Autoencoder(epochs=20), closed_form("kl", 1000.0)),
        "paper-draws": on_reuters(Autoencoder(epochs=20), DCAN(4, spread=1.0, buffer_size=600, epochs=20)),
    }
