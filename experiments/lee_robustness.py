"""Lee's thesis: does training with noise make a clustering robust? ACC against the corruption of the images.

MNIST, 20,000 training images, and at the end 5,000 test images, whose clusters are predicted clean and corrupted:
Gaussian noise of several σ, half of the pixels masked, shifts by up to two pixels. One dense network, trained without
noise and with σ = .3, with k-means on its codes or as DCRA. A method is robust where its curve is flat, not where it is
high. Noise of σ = .3 is what the denoising methods were trained with; the other corruptions are new to them.
"dcra-without-pull" is the control of "dcra": as many epochs with the same noise, with λ = 1.

"augmented-mixture": a robust autoencoder that clusters far better, on all 70,000 images (so its test images are not
held out): trained on shifted and rotated images (Guo et al. 2018), a Gaussian mixture on its codes. It was found with
`mnist_dec` and `lim_dcan`, on these digits.
"""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from dclib.augmentation import RandomShiftRotate
from dclib.autoencoder import Autoencoder
from dclib.data import Dataset, load
from dclib.dcra import DCRA
from dclib.gmm import GaussianMixture
from dclib.kmeans import KMeans
from dclib.latent import LatentClustering
from experiments.runner import Configuration

SEEDS = range(3)
NOISES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
N_CORRUPTED = 5000


def corruptions(x: np.ndarray) -> dict[str, np.ndarray]:
    """Images (n, c, h, w) by the name of what was done to them; the same for every method."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(x.shape, dtype=np.float32)
    found = {f"noise {sigma}": x + np.float32(sigma) * noise for sigma in NOISES}
    shift = RandomShiftRotate(2.0, 0.0)
    moved = shift(torch.from_numpy(x), torch.Generator().manual_seed(0)).numpy()
    return found | {"half masked": x * (rng.random(x.shape) < 0.5), "shifted": moved}


def names_of(y: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """The class that each of k clusters is called, one to one, so that the accuracy is highest (k,)."""
    counts = np.zeros((k, k), int)
    np.add.at(counts, (labels, y), 1)
    return linear_sum_assignment(-counts)[1]


def accuracies(method, data: Dataset) -> dict[str, float]:
    """ACC of the test images for each corruption. Clusters are named once, by the clean images: a cluster that noise
    fills with other digits keeps its name, as it would for a user.
    """
    test = load("mnist", split="test", n=N_CORRUPTED)
    y = np.asarray(test.y)
    names = names_of(y, method.predict(test.x), 10)
    return {f"acc {what}": float(np.mean(names[method.predict(x)] == y)) for what, x in corruptions(test.x).items()}


def configurations() -> dict[str, Configuration]:
    def on_codes(noise):
        clusterer = LatentClustering(clusterer=KMeans(10, n_init=20))
        return Configuration("mnist", "train", Autoencoder(noise=noise), clusterer, 20_000, measure=accuracies)

    def dcra(noise, **options):
        method = DCRA(noise=noise, **options)
        return Configuration("mnist", "train", Autoencoder(noise=noise), method, 20_000, measure=accuracies)

    mixture = LatentClustering(clusterer=GaussianMixture(10, init="balanced", n_init=5))
    augmented = Autoencoder(epochs=40, augment=True)
    return {
        "autoencoder": on_codes(0.0),
        "denoising-autoencoder": on_codes(0.3),
        "dcra-without-noise": dcra(0.0),
        "dcra": dcra(0.3),
        "dcra-without-pull": dcra(0.3, reconstruction_share=1.0),
        "augmented-mixture": Configuration("mnist", "all", augmented, mixture, measure=accuracies),
    }
