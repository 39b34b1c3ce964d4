"""DCRA: does noise make a clustering robust, and what do the paper's numbers give?

Lee et al. report ACC .9506 on MNIST, .9348 on Fashion-MNIST, where "digit 0 is the inlier class and the others are
outliers" (so read, calling everything an outlier already scores .90), and a PSNR above 20 dB on BSDS300. Here ACC is
that of ten clusters against ten classes, on 20,000 images; "start" in a result is the denoising autoencoder + k-means
that DCRA begins with. The configurations called "paper" take λ = .01 and σ = 1.0 as printed; "from-scratch" comes
closest to a training without a trained autoencoder, which the paper does not mention.

BSDS300: patches of 32 × 32 pixels from the middle 320 × 320 of each photograph, a code of 40 numbers, and at the end
the PSNR of the reconstructed noisy test photographs beside that of the noisy ones. On which scale σ is 1.0 is not
printed: on pixels in [0, 1] (as torchvision's ToTensor gives them), on standardized ones, on bytes: all three are run.
"""

import numpy as np

from dclib.autoencoder import Autoencoder
from dclib.data import Dataset
from dclib.dcra import DCRA
from dclib.metrics import psnr
from experiments.runner import Configuration

SEEDS = range(3)
PATCH, STRIDE = 32, 8
# Standard deviation of the noise, on pixels in [0, 1], if it is 1.0 on pixels of the named scale.
SCALES = {"unit": 1.0, "standardized": 0.24, "bytes": 1 / 255}


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


def configurations() -> dict[str, Configuration]:
    def digits(noise, dataset="mnist", epochs=30, **options):
        autoencoder = Autoencoder(noise=noise, epochs=epochs)
        return Configuration(dataset, "all", autoencoder, DCRA(noise=noise, **options), n=20_000)

    def bsds(noise, **options):
        # One hidden layer: on 20,000 patches under this much noise a deeper network learned less in the same time.
        autoencoder = Autoencoder(40, hidden=(500,), noise=noise, epochs=40, learning_rate=3e-3)
        clusterer = DCRA(noise=noise, epochs=10, **options)
        size = {"size": 320}
        return Configuration("bsds300", "train", autoencoder, clusterer, None, size, patches, measure=restoration)

    return {
        "mnist": digits(0.3),
        "mnist-paper-share": digits(0.3, reconstruction_share=0.01),
        "mnist-paper": digits(1.0, reconstruction_share=0.01),
        "mnist-paper-from-scratch": digits(1.0, epochs=1, reconstruction_share=0.01),
        "fashion": digits(0.3, "fashion_mnist"),
        "fashion-paper": digits(1.0, "fashion_mnist", reconstruction_share=0.01),
        **{f"bsds-{scale}": bsds(noise) for scale, noise in SCALES.items()},
        "bsds-unit-paper-share": bsds(1.0, reconstruction_share=0.01),
    }
