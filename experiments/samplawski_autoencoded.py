"""Autoencoded k-means on the 60,000 MNIST training images, K = 100: does training both at once help, does it last?

Samplawski's public logs end at V .538 for 256 hidden units (the best checkpoint has V .553, AMI .507, ARI .415; his
AMI is "ami_max" here), and in a collapse for 2. The start tells: "paper" is his (untrained network, pseudo-identity
centers, pixels 0 to 255), "warm" ours (trained autoencoder, k-means), "slow" the same with a third of the learning
rate. "denoising" sees noisy inputs and clean targets. Every model is also scored on noisy images ("measured"), beside
gradient k-means on the pixels: figure 5, whose noise of 100 on 0 to 255 is a standard deviation in the author's code.
"""

import numpy as np
from sklearn.metrics import adjusted_rand_score, v_measure_score

from dclib.autoencoded_kmeans import AutoencodedKMeans
from dclib.autoencoder import Autoencoder
from dclib.gradient_kmeans import GradientKMeans
from experiments.runner import Configuration
from experiments.samplawski_kmeans import ami, bytes_of

SEEDS = range(3)
NOISE = 100 / 255


def noisy_scores(method, data) -> dict[str, float]:
    """Scores of the clusters of clean and of noisy images, and how many of the K clusters own any clean image."""
    top = data.x.max()  # 1 or 255
    noise = np.random.default_rng(0).standard_normal(data.x.shape, dtype=np.float32)
    noisy = method.predict(data.x + NOISE * top * noise)
    return {
        **ami(data.y, method.labels_),
        "noisy_v_measure": v_measure_score(data.y, noisy),
        "noisy_ari": adjusted_rand_score(data.y, noisy),
        "clusters_used": len(np.unique(method.labels_)),
    }


def shallow(latent_dim: int, **options) -> Autoencoder:
    return Autoencoder(latent_dim, network="shallow", activation="tanh", **options)


def configurations() -> dict[str, Configuration]:
    def mnist(autoencoder, clusterer, **options):
        return Configuration("mnist", "train", autoencoder, clusterer, test=True, measure=noisy_scores, **options)

    def paper(latent_dim):
        start = AutoencodedKMeans(autoencoder=shallow(latent_dim), init="identity", clustering_weight=1.0, epochs=10)
        return mnist(None, start, prepare=bytes_of)

    return {
        "gradient-kmeans": mnist(None, GradientKMeans(100)),
        "paper-2": paper(2),
        "paper-256": paper(256),
        "warm-64": mnist(shallow(64, epochs=10), AutoencodedKMeans()),
        "warm-256": mnist(shallow(256, epochs=10), AutoencodedKMeans()),
        "slow-256": mnist(shallow(256, epochs=10), AutoencodedKMeans(learning_rate=3e-4)),
        "printed-weight-256": mnist(shallow(256, epochs=10), AutoencodedKMeans(clustering_weight=1.0)),
        "denoising-256": mnist(shallow(256, epochs=10, noise=NOISE), AutoencodedKMeans(noise=NOISE)),
    }
