"""Autoencoded k-means on the 60,000 MNIST training images, K = 100: does training both at once help, does it last?

"long-d" is Samplawski's own setting with d hidden units: an untrained network, centers that start as the
pseudo-identity matrix, pixels from 0 to 255, float32, 180,000 steps of batch 100 (300 epochs). His public logs
(d = 256) have V .553 at the best checkpoint, .538 at the last, AMI .507, ARI .415, purity .751 (each at its best; his
AMI is "ami_max" here); with d = 2 one cluster owns all images. Scores are taken every 10 epochs.

The paper names Adam's default learning rate, 1e-3, but the logs are those of 1e-4: with that, our mean loss up to the
end of epochs 1, 2, 3 and 4 is 6918, 6518, 6204 and 5949 (from "loss" in the history of "long-256"), and his log has
6918, 6519, 6205 and 5951 at these steps. So "long" takes 1e-4, and "printed-256" what is printed. In "long" centers
that are equally near to a code share its gradient, as in TensorFlow, his framework: the start is full of ties, since
most units are saturated at ±1, and a code then is as near to half of the centers as to one.
(Where there are fewer units than centers, those that start at zero stay one center for good.)

Noise: normal, of standard deviation σ on pixels from 0 to 255, then clipped to that range, as in the author's code (his
text calls it a variance). "noisy-σ" sees noisy inputs and clean targets; "kmeans-noise-σ" is gradient k-means in his
setting (Adam, learning rate 1), fitted to noisy images, for 50 epochs (his noisy runs end after ten); "seeded-noise-σ"
is gradient k-means with our defaults, among them a k-means++ start, fitted to the same images. "measured" scores a
model's clusters of the training images under each noise: so a model that was trained without noise is tested with it,
and the other way round.

"warm" is our start (trained autoencoder, k-means, pixels in [0, 1], 15 epochs), "slow" the same with a third of the
learning rate, "denoising" with noise; "paper-2" and "paper-256" are the paper's setting for ten epochs in bfloat16.
"""

from functools import partial

import numpy as np
from sklearn.metrics import adjusted_rand_score, v_measure_score

from dclib.autoencoded_kmeans import AutoencodedKMeans
from dclib.autoencoder import Autoencoder
from dclib.gradient_kmeans import GradientKMeans
from experiments.runner import Configuration
from experiments.samplawski_kmeans import ami, bytes_of

SEEDS = range(3)
NOISE = 100 / 255
DIMENSIONS = (2, 64, 128, 200, 256, 300, 400)
SIGMAS = tuple(range(10, 101, 10))
# V in his log with 256 units after so many epochs of 600 steps, and the mean loss of all steps so far.
LOG_V = {10: 0.0, 20: 0.0029, 30: 0.0856, 40: 0.1943, 50: 0.3518, 60: 0.3869, 70: 0.4102, 80: 0.4881, 90: 0.5255}
LOG_V |= {100: 0.5196, 110: 0.5282, 120: 0.5361, 130: 0.5387, 140: 0.5396, 150: 0.5421, 300: 0.5378}
# The highest V of his checkpoints and the last, by hidden units; the highest with denoising, on noisy images, and of
# k-means fitted to noisy images (6,000 steps), by the noise's standard deviation.
LOG_UNITS = {64: (0.415, 0.412), 128: (0.489, 0.467), 200: (0.546, 0.542), 256: (0.553, 0.538), 300: (0.548, 0.538)}
LOG_UNITS |= {400: (0.537, 0.528)}
LOG_DENOISING = dict(zip(SIGMAS, (0.545, 0.543, 0.533, 0.533, 0.531, 0.516, 0.507, 0.488, 0.458, 0.420), strict=True))
LOG_FITTED = {0: 0.533, 50: 0.550, 70: 0.503, 80: 0.168, 90: 0.0, 100: 0.0}
LOG_LOSS = {1: 6917.97, 10: 5111.90, 30: 4116.73, 50: 3482.04, 100: 2581.11}


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


def add_noise(x: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """Pixels from 0 to 255 with normal noise of this standard deviation, clipped to that range."""
    noise = np.random.default_rng(seed).standard_normal(x.shape, dtype=np.float32)
    return (x + np.float32(sigma) * noise).clip(0, 255)


def noisy_bytes(x: np.ndarray, sigma: float) -> np.ndarray:
    return add_noise(bytes_of(x), sigma, seed=1)


def under_noise(method, data) -> dict[str, float]:
    """V of the clusters of the training images under each noise, and AMI, ARI, clusters in use without."""
    found = {**ami(data.y, method.labels_), "clusters_used": len(np.unique(method.labels_))}
    for sigma in SIGMAS:
        found[f"noise {sigma} v_measure"] = v_measure_score(data.y, method.predict(add_noise(data.x, sigma, seed=2)))
    return found


def at_checkpoint(method, data, test) -> dict[str, float]:
    return ami(data.y, method.predict(data.x))


def pictures(method, data) -> dict[str, np.ndarray]:
    """Some images under noise and their reconstructions, and the decoded centers; in units of 255."""
    noisy = np.stack([add_noise(data.x[:8], sigma, seed=2) for sigma in (0, 50, 100)])
    found = {"noisy": noisy}
    if isinstance(method, AutoencodedKMeans):
        rebuilt = [method.autoencoder_.reconstruct(images) for images in noisy]
        centers = method.autoencoder_.inverse_transform(method.cluster_centers_)
        found |= {"reconstructions": np.stack(rebuilt), "decoded_centers": centers[:40]}
    else:
        found |= {"decoded_centers": method.cluster_centers_[:40]}
    return {name: np.rint(array.clip(0, 255)).astype(np.uint8) for name, array in found.items()}


def shallow(latent_dim: int, **options) -> Autoencoder:
    return Autoencoder(latent_dim, network="shallow", activation="tanh", **options)


def configurations() -> dict[str, Configuration]:
    def mnist(autoencoder, clusterer, **options):
        return Configuration("mnist", "train", autoencoder, clusterer, **{"measure": noisy_scores} | options)

    def start(latent_dim):
        method = AutoencodedKMeans(autoencoder=shallow(latent_dim), init="identity", clustering_weight=1.0, epochs=10)
        return mnist(None, method, prepare=bytes_of)

    often = {"evaluate": at_checkpoint, "every": 10, "measure": under_noise, "keep": pictures}

    def long(latent_dim, sigma=0, n_seeds=1, **options):
        method = AutoencodedKMeans(
            autoencoder=shallow(latent_dim),
            init="identity",
            clustering_weight=1.0,
            noise=sigma,
            noise_range=(0, 255) if sigma else None,
            epochs=300,
            precision="32-true",
            **{"learning_rate": 1e-4, "share_ties": True} | options,
        )
        return mnist(None, method, prepare=bytes_of, n_seeds=n_seeds, **often)

    def kmeans(sigma):
        method = GradientKMeans(
            100,
            optimizer="adam",
            learning_rate=1.0,
            init=np.eye(100, 784),
            revive=False,
            tol=0,
            epochs=50,
            batch_size=100,
        )
        prepare = partial(noisy_bytes, sigma=sigma) if sigma else bytes_of
        return mnist(None, method, prepare=prepare, n_seeds=1, **often | {"measure": None, "every": 5})

    def seeded(sigma):
        prepare = partial(noisy_bytes, sigma=sigma)
        return mnist(None, GradientKMeans(100), prepare=prepare, measure=None, keep=pictures, n_seeds=1)

    return {
        "gradient-kmeans": mnist(None, GradientKMeans(100)),
        "paper-2": start(2),
        "paper-256": start(256),
        "warm-64": mnist(shallow(64, epochs=10), AutoencodedKMeans()),
        "warm-256": mnist(shallow(256, epochs=10), AutoencodedKMeans()),
        "slow-256": mnist(shallow(256, epochs=10), AutoencodedKMeans(learning_rate=3e-4)),
        "printed-weight-256": mnist(shallow(256, epochs=10), AutoencodedKMeans(clustering_weight=1.0)),
        "denoising-256": mnist(shallow(256, epochs=10, noise=NOISE), AutoencodedKMeans(noise=NOISE)),
        **{f"long-{d}": long(d, n_seeds=3 if d == 256 else 1) for d in DIMENSIONS},
        "printed-256": long(256, learning_rate=1e-3, share_ties=False),
        **{f"noisy-{sigma}": long(256, sigma) for sigma in SIGMAS},
        **{f"kmeans-noise-{sigma}": kmeans(sigma) for sigma in (0, *SIGMAS)},
        **{f"seeded-noise-{sigma}": seeded(sigma) for sigma in (50, 80, 100)},
    }
