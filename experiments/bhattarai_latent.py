"""K-means and Gaussian mixtures on pixels and in the latent space of two autoencoders: Bhattarai's tables 2 and 3.

He reports V, on MNIST's 60,000 training images and its 10,000 test images:

    pixels: k-means .490 / .520, mixture .325 / .507 · dense autoencoder: .748 / .767, .817 / .826
    convolutional autoencoder: .757 / .784, .841 / .887

Autoencoder and clusters are fitted to the training images here; the test images are encoded and predicted. In his
table the test images score higher throughout, so "refitted test" clusters the test images' codes anew: the other way
to read it. No label is seen: of 20 starts the mixture keeps the one with the highest likelihood.

Where the paper is silent: covariances are full, but diagonal on the pixels (784 × 784 numbers for each of ten clusters
otherwise); of the starts on pixels there are 10 for k-means and one for the mixture, which is slow there. "pixels-full"
is a mixture with full covariances on 10,000 images, one start and at most 100 iterations, as scikit-learn's defaults
have it; without a floor of .01 under the variances it would have no inverse, since the border pixels are always 0.

"long" trains the autoencoder for his 50 epochs, with the loss of the test images after each (figures 4 to 7), codes
after 1, 5, 20 and 50 (figures 10 to 14), reconstructions (8 and 9), V against the number of clusters (15);
"sixth" the same on 10,000 images drawn at random.
"cifar" is table 3: CIFAR-10, 35 latent dimensions, 50 epochs. V in his table, train / test:

    pixels: k-means .078 / .084, mixture .081 / .085 · dense autoencoder: .101 / .109, .138 / .150
    convolutional autoencoder: .099 / .105, .157 / .162

"cifar-short" is the same with ten epochs on 20,000 images. (The CIFAR-10 of these runs was a copy in JPEG.)
"""

import numpy as np
from sklearn.base import clone
from sklearn.metrics import v_measure_score

from dclib.autoencoder import Autoencoder
from dclib.data import load
from dclib.gmm import GaussianMixture
from dclib.kmeans import KMeans
from dclib.latent import LatentClustering
from dclib.metrics import psnr, scores
from experiments.runner import Configuration

SEEDS = range(3)
FIGURE_EPOCHS = (1, 5, 20, 50)
N_CLUSTERS = (2, 4, 6, 8, 9, 10, 11, 12, 14, 16, 20, 30)


def measure(method, data) -> dict[str, float]:
    test = load(data.name, split="test")
    in_latent_space = isinstance(method, LatentClustering)
    codes, clusterer = (method.transform(test.x), method.clusterer_) if in_latent_space else (test.x, method)
    refitted = scores(test.y, clone(clusterer).fit_predict(codes))
    measured = {f"refitted test {score}": refitted[score] for score in ("acc", "v_measure")}
    if in_latent_space:
        measured["PSNR (dB)"] = psnr(data.x, method.autoencoder_.reconstruct(data.x))
        measured["test PSNR (dB)"] = psnr(test.x, method.autoencoder_.reconstruct(test.x))
    return measured


def measure_by_k(method, data) -> dict[str, float]:
    """`measure`, and V of mixtures and of k-means with other numbers of clusters, on the training images' codes."""
    codes, found = method.transform(data.x), measure(method, data)
    for k in N_CLUSTERS:
        for name, clusterer in (("gmm", mixture(k, n_init=1)), ("kmeans", KMeans(k, n_init=3))):
            labels = clusterer.set_params(random_state=0).fit_predict(codes)
            found[f"{name} k {k} v_measure"] = v_measure_score(data.y, labels)
    return found


def reconstructions(method, data) -> dict[str, np.ndarray]:
    """The first ten test images and their reconstructions, as bytes."""
    images = load(data.name, split="test").x[:10]
    found = {"images": images, "reconstructions": method.autoencoder_.reconstruct(images)}
    return {name: np.rint(255 * array.clip(0, 1)).astype(np.uint8) for name, array in found.items()}


def mixture(k: int = 10, n_init: int = 20) -> GaussianMixture:
    return GaussianMixture(k, n_init=n_init, reg_covar=1e-4, tol=1e-4, max_iter=500)


def on_pixels(**options) -> GaussianMixture:
    return GaussianMixture(10, n_init=1, reg_covar=1e-2, tol=1e-2, max_iter=100, **options)


def configurations() -> dict[str, Configuration]:
    def clustered(autoencoder, clusterer, dataset="mnist", **options):
        method = clusterer if autoencoder is None else LatentClustering(clusterer=clusterer)
        return Configuration(dataset, "train", autoencoder, method, **{"measure": measure} | options)

    def dense(latent_dim=10, epochs=30, **options):
        return Autoencoder(latent_dim, epochs=epochs, **options)

    def dense_in_colour(latent_dim, epochs):
        # At the default rate its loss stays at .043; one gray an image has .047; here it ends at .029.
        return dense(latent_dim, epochs, learning_rate=2e-4)

    def conv(latent_dim=10, epochs=20):
        # Many small steps: after 12 epochs of 20,000 images the loss is .0105; with the defaults it is .0164.
        return Autoencoder(latent_dim, network="conv", epochs=epochs, batch_size=64, learning_rate=3e-3)

    def kmeans():
        return KMeans(10, n_init=20)

    def cifar(autoencoder, clusterer, n=None):
        options = {"keep": reconstructions} if autoencoder else {}
        return clustered(autoencoder, clusterer, "cifar10", n=n, n_seeds=1, **options)

    drawn = {"codes_at": FIGURE_EPOCHS, "keep": reconstructions, "n_seeds": 1}
    return {
        "pixels-kmeans": clustered(None, KMeans(10)),
        "pixels-gmm": clustered(None, on_pixels(covariance_type="diag")),
        "pixels-full": clustered(None, on_pixels(covariance_type="full"), n=10_000, n_seeds=1),
        "dense-kmeans": clustered(dense(), kmeans()),
        "dense-gmm": clustered(dense(), mixture()),
        "conv-kmeans": clustered(conv(), kmeans()),
        "conv-gmm": clustered(conv(), mixture()),
        "long-dense-kmeans": clustered(dense(epochs=50), kmeans(), **drawn),
        "long-dense-gmm": clustered(dense(epochs=50), mixture(), **drawn, measure=measure_by_k),
        "long-conv-kmeans": clustered(conv(epochs=50), kmeans(), **drawn),
        "long-conv-gmm": clustered(conv(epochs=50), mixture(), **drawn),
        "sixth-dense-gmm": clustered(dense(epochs=50), mixture(), n=10_000, **drawn, measure=measure_by_k),
        "sixth-conv-gmm": clustered(conv(epochs=50), mixture(), n=10_000, **drawn),
        "cifar-pixels-kmeans": cifar(None, KMeans(10)),
        "cifar-pixels-gmm": cifar(None, on_pixels(covariance_type="diag")),
        **{
            f"{series}-{network}-{name}": cifar(make(35, epochs), clusterer, n)
            for series, epochs, n in (("cifar", 50, None), ("cifar-short", 10, 20_000))
            for network, make in (("dense", dense_in_colour), ("conv", conv))
            for name, clusterer in (("kmeans", kmeans()), ("gmm", mixture()))
        },
    }
