"""DCRA: does noise make a clustering robust, and what do the paper's numbers give?

Lee et al. report ACC .9506 on MNIST, .9348 on Fashion-MNIST, where "digit 0 is the inlier class and the others are
outliers" (so read, calling everything an outlier already scores .90), and a PSNR above 20 dB on BSDS300. Here ACC is
that of ten clusters against ten classes, on 20,000 images; "start" in a result is the denoising autoencoder + k-means
that DCRA begins with. The configurations called "paper" take λ = .01 and σ = 1.0 as printed; "from-scratch" comes
closest to a training without a trained autoencoder, which the paper does not mention. "mnist-longer" is the control of
"mnist": as many epochs, with λ = 1, that is without the pull to the centers. "mnist-paper-train", "fashion-paper" and
"bsds-unit-paper-share" learn from training images alone and have the losses of the test images after each epoch.

BSDS300: patches of 32 × 32 pixels from the middle 320 × 320 of each photograph, a code of 40 numbers, and at the end
the PSNR of the reconstructed noisy test photographs beside that of the noisy ones. On which scale σ is 1.0 is not
printed: on pixels in [0, 1] (as torchvision's ToTensor gives them), on standardized ones, on bytes: all three are run.
"bsds-baselines" is what costs no training: the mean of blocks of pixels, and a Gaussian filter, each of the size that
has the highest PSNR on the training photographs.

"network-…": 60,000 training images and the test images, probably his network (`BatchNormAutoencoder`, σ = 1.0, 25
epochs), in four readings of λ = .01: where L1 and L2 are means in his code,
the sums of `DCRA` take λ = 2.6e-4 (L2 a mean over 20) or 1.3e-5 (L2 a sum); with the roles of the two swapped .72 or
.11. "network-…-scratch" starts after one epoch of reconstruction instead of 25. In "measured": a digit 0 against the
rest, as he describes his test, beside the score of calling everything an outlier, and what noise does to the codes.
"""

import copy
from collections.abc import Callable, Sequence

import numpy as np
import scipy.ndimage
import torch
from sklearn.base import BaseEstimator

from dclib.autoencoder import Autoencoder
from dclib.data import Dataset, load
from dclib.dcra import DCRA
from dclib.metrics import psnr
from experiments.runner import Configuration

SEEDS = range(3)
PATCH, STRIDE = 32, 8
# Standard deviation of the noise, on pixels in [0, 1], if it is 1.0 on pixels of the named scale.
SCALES = {"unit": 1.0, "standardized": 0.24, "bytes": 1 / 255}
# λ of `DCRA`, whose L1 and L2 are sums, that is his .01 where L1 is a mean over pixels and L2 a mean or a sum.
SHARES = {"mean": 2.6e-4, "sum": 1.3e-5, "swapped-mean": 0.72, "swapped-sum": 0.11}


def patches(x: np.ndarray, stride: int = PATCH) -> np.ndarray:
    """Images (n, c, h, w) -> patches (n · rows · columns, c, PATCH, PATCH), image by image, row by row."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (PATCH, PATCH), axis=(2, 3))[:, :, ::stride, ::stride]
    return np.ascontiguousarray(windows.transpose(0, 2, 3, 1, 4, 5)).reshape(-1, x.shape[1], PATCH, PATCH)


def assemble(tiles: np.ndarray, shape: tuple[int, ...], stride: int = PATCH) -> np.ndarray:
    """The inverse of `patches`, to images of this shape (n, c, h, w): where patches overlap, their mean."""
    n, _, height, width = shape
    total, count = np.zeros(shape, np.float32), np.zeros((height, width), np.float32)
    corners = [(i, j) for i in range(0, height - PATCH + 1, stride) for j in range(0, width - PATCH + 1, stride)]
    tiles = tiles.reshape(n, len(corners), *tiles.shape[1:])
    for at, (i, j) in enumerate(corners):
        total[:, :, i : i + PATCH, j : j + PATCH] += tiles[:, at]
        count[i : i + PATCH, j : j + PATCH] += 1
    return total / count


def restore(autoencoder, images: np.ndarray, stride: int) -> np.ndarray:
    """Images through the autoencoder, patch by patch, in [0, 1]; few images at a time, for the memory's sake."""
    parts = (images[i : i + 4] for i in range(0, len(images), 4))
    done = [assemble(autoencoder.reconstruct(patches(part, stride)), part.shape, stride) for part in parts]
    return np.concatenate(done).clip(0, 1)


def photographs(split: str) -> Configuration:
    return Configuration("bsds300", split, None, None, options={"size": 320})


def restoration(method, data: Dataset) -> dict[str, float]:
    """PSNR in dB of noisy photographs and of their reconstructions, patches side by side or overlapping."""
    found = {"noise": method.noise}
    for split in ("train", "test"):
        clean = photographs(split).load(split).x
        noise = np.random.default_rng(0).standard_normal(clean.shape, dtype=np.float32)
        noisy = clean + np.float32(method.noise) * noise
        found[f"{split}_noisy_psnr"] = psnr(clean, noisy)
        found[f"{split}_clipped_noisy_psnr"] = psnr(clean, noisy.clip(0, 1))
        found[f"{split}_psnr"] = psnr(clean, restore(method.autoencoder_, noisy, PATCH))
        overlapping = restore(method.autoencoder_, noisy, STRIDE)
        found[f"{split}_overlapping_psnr"] = psnr(clean, overlapping)
        found[f"{split}_overlapping_mean_psnr"] = float(np.mean([psnr(a, b) for a, b in zip(clean, overlapping)]))
    return found


def test_losses(method, data: Dataset, test: Dataset | None) -> dict[str, float]:
    """Both parts of DCRA's loss, and the loss, on the test images with the noise of the training."""
    assert test is not None
    noise = np.random.default_rng(0).standard_normal(test.x.shape, dtype=np.float32)
    noisy = test.x + np.float32(method.noise) * noise
    centers = method.cluster_centers_[method.predict(test.x)]
    l1 = float(np.square(method.autoencoder_.reconstruct(noisy) - test.x).sum(axis=(1, 2, 3)).mean())
    l2 = float(np.square(method.transform(noisy) - centers).sum(axis=1).mean())
    share = method.reconstruction_share
    return {"test_reconstruction": l1, "test_kmeans": l2, "test_loss": share * l1 + (1 - share) * l2}


def one_against_rest(method, data: Dataset) -> dict[str, float]:
    """Class 0 is the inlier, the others are outliers: share of the test images called rightly.

    A cluster is called an inlier where more than half of its training images are of class 0 (labels that the paper's
    score must have used in some such way). "all outliers" learns nothing.
    """
    test = load(data.name, split="test")
    inlier, y = np.asarray(data.y) == 0, np.asarray(test.y) == 0
    n_clusters = int(method.labels_.max()) + 1
    share = np.bincount(method.labels_, inlier, n_clusters) / np.bincount(method.labels_, minlength=n_clusters).clip(1)
    return {
        "one_against_rest": float(np.mean((share > 0.5)[method.predict(test.x)] == y)),
        "all_outliers": float(np.mean(~y)),
    }


def _spread(z: np.ndarray) -> float:
    return float(np.square(z - z.mean(axis=0)).sum(axis=1).mean())


def codes_under_noise(method, data: Dataset, n: int = 2560) -> dict[str, float]:
    """How far codes are spread, and how far from their centers, of the same training images clean and noisy.

    At the start the centers come from clean codes, and noisy codes are drawn to them. "batch statistics": the network
    as in training, where batch normalisation takes mean and variance from the batch, not those it has gathered.
    """
    rng = np.random.default_rng(0)
    x = data.x[rng.permutation(len(data.x))[:n]]
    noisy = x + np.float32(method.noise) * rng.standard_normal(x.shape, dtype=np.float32)
    centers = method.cluster_centers_[method.predict(x)]
    training = copy.deepcopy(method.autoencoder_.network_).train()
    device = next(training.parameters()).device
    with torch.no_grad():
        by_batch = [training.encoder(batch.to(device)) for batch in torch.from_numpy(noisy).split(256)]
    codes = {
        "clean": method.transform(x),
        "noisy": method.transform(noisy),
        "noisy, batch statistics": torch.cat(by_batch).float().cpu().numpy(),
    }
    return {
        "start spread clean": _spread(method.autoencoder.transform(x)),
        "start spread noisy": _spread(method.autoencoder.transform(noisy)),
        **{f"spread {name}": _spread(z) for name, z in codes.items()},
        **{f"distance {name}": float(np.square(z - centers).sum(axis=1).mean()) for name, z in codes.items()},
    }


def network_measures(method, data: Dataset) -> dict[str, float]:
    return one_against_rest(method, data) | codes_under_noise(method, data)


def block_means(images: np.ndarray, size: int) -> np.ndarray:
    """Each block of size × size pixels of images (n, c, h, w) by its mean; h and w are multiples of size."""
    n, c, h, w = images.shape
    means = images.reshape(n, c, h // size, size, w // size, size).mean((3, 5))
    return means.repeat(size, 2).repeat(size, 3)


def gaussian_filter(images: np.ndarray, sigma: float) -> np.ndarray:
    """Images (n, c, h, w), each smoothed along its two axes by a Gaussian of this standard deviation in pixels."""
    return scipy.ndimage.gaussian_filter(images, (0, 0, sigma, sigma))


class Untrained(BaseEstimator):
    """Stands where a clusterer does, for what learns nothing."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        self.labels_ = np.zeros(len(X), int)
        return self


def baselines(method, data: Dataset) -> dict[str, float]:
    """PSNR in dB on the test photographs of two filters, whose size is that which is best on the training ones."""
    filters: dict[str, tuple[Callable, Sequence]] = {
        "block means": (block_means, (1, 2, 4, 8, 16)),
        "Gaussian filter": (gaussian_filter, (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)),
    }
    found, clean = {}, {split: photographs(split).load(split).x for split in ("train", "test")}
    for scale in ("unit", "standardized"):
        rng = np.random.default_rng(0)
        noisy = {
            split: x + np.float32(SCALES[scale]) * rng.standard_normal(x.shape, dtype=np.float32)
            for split, x in clean.items()
        }
        for name, (restored, sizes) in filters.items():
            few = slice(0, 20)  # photographs, enough for one number
            best = max(sizes, key=lambda size: psnr(clean["train"][few], restored(noisy["train"][few], size)))
            found[f"{scale} {name} size"] = best
            found[f"{scale} {name} psnr"] = psnr(clean["test"], restored(noisy["test"], best).clip(0, 1))
    return found


def configurations() -> dict[str, Configuration]:
    def network(dataset, share, epochs=25):
        autoencoder = Autoencoder(20, network="conv-bn", noise=1.0, epochs=epochs, learning_rate=2e-4)
        clusterer = DCRA(noise=1.0, reconstruction_share=share)
        return Configuration(dataset, "train", autoencoder, clusterer, measure=network_measures, n_seeds=1)

    def digits(noise, dataset="mnist", epochs=30, split="all", **options):
        autoencoder, evaluate = Autoencoder(noise=noise, epochs=epochs), test_losses if split == "train" else None
        return Configuration(dataset, split, autoencoder, DCRA(noise=noise, **options), 20_000, evaluate=evaluate)

    def bsds(noise, evaluate=None, **options):
        # One hidden layer: on 20,000 patches under this much noise a deeper network learned less in the same time.
        autoencoder = Autoencoder(40, hidden=(500,), noise=noise, epochs=40, learning_rate=3e-3)
        clusterer = DCRA(noise=noise, epochs=10, **options)
        size = {"size": 320}
        measures = {"measure": restoration, "evaluate": evaluate}
        return Configuration("bsds300", "train", autoencoder, clusterer, None, size, patches, **measures)

    return {
        "mnist": digits(0.3),
        "mnist-longer": digits(0.3, reconstruction_share=1.0),
        "mnist-paper-share": digits(0.3, reconstruction_share=0.01),
        "mnist-paper": digits(1.0, reconstruction_share=0.01),
        "mnist-paper-train": digits(1.0, split="train", reconstruction_share=0.01),
        "mnist-paper-from-scratch": digits(1.0, epochs=1, reconstruction_share=0.01),
        "fashion": digits(0.3, "fashion_mnist"),
        "fashion-paper": digits(1.0, "fashion_mnist", split="train", reconstruction_share=0.01),
        **{f"bsds-{scale}": bsds(noise) for scale, noise in SCALES.items()},
        "bsds-unit-paper-share": bsds(1.0, test_losses, reconstruction_share=0.01),
        "bsds-baselines": Configuration("bsds300", "test", None, Untrained(), measure=baselines, n_seeds=1),
        **{f"network-{name}": network("mnist", share) for name, share in SHARES.items()},
        **{f"network-{name}-scratch": network("mnist", share, 1) for name, share in SHARES.items()},
        "fashion-network-mean": network("fashion_mnist", SHARES["mean"]),
    }
