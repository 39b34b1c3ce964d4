"""The capstone's pictures: what students get without labels, and what submissions are scored on with them.

    python tools/held_out.py    write both files anew, from load("fashion_mnist")

Both are made once and committed. solutions/HELD_OUT.npz is the teacher's: 500 pictures of each of ten classes, from the
test images, and the classes of the students' sample. solutions/capstone/clothes.npz is the students' sample, from the
training images. The classes have no names there, and how many of them are in the sample is not said.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
HELD_OUT = ROOT / "solutions" / "HELD_OUT.npz"
SAMPLE = ROOT / "solutions" / "capstone" / "clothes.npz"
N_CLASSES, PER_CLASS = 10, 500
N, M = 700, 300  # pictures of a draw to learn from, and to label


@dataclass(frozen=True, eq=False)
class Draw:
    """One question to a submission: pictures x (n, 1, 16, 16) to learn from, pictures `new` (m, 1, 16, 16) to label.

    The classes y and y_new stay with the teacher.
    """

    x: np.ndarray
    new: np.ndarray
    y: np.ndarray
    y_new: np.ndarray
    seed: int  # what the submission is to seed its random numbers with

    @property
    def n_classes(self) -> int:
        return len(np.unique(self.y_new))


@cache
def pool() -> tuple[np.ndarray, np.ndarray]:
    """The held-out pictures, float32 in [0, 1] (5,000, 1, 16, 16), and their classes."""
    with np.load(HELD_OUT, allow_pickle=False) as file:
        return file["x"][:, None].astype(np.float32) / 255, file["y"].astype(np.int64)


def classes_and_counts(rng: np.random.Generator, size: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Four to seven of the classes, and how many pictures of each: unequal, 5 % at least, `most` at most."""
    n_classes = int(rng.integers(4, 8))
    classes = rng.choice(N_CLASSES, n_classes, replace=False)
    while True:
        shares = 0.05 + (1 - 0.05 * n_classes) * rng.dirichlet(np.full(n_classes, 3.0))
        counts = np.diff(np.round(np.cumsum(shares) * size).astype(int), prepend=0)
        if counts.max() <= most:
            return classes, counts


def draw(key: int, number: int, n: int = N, m: int = M) -> Draw:
    """The draw `number` of those that `key` gives: other classes, in other shares, of the held-out pictures."""
    rng = np.random.default_rng([key, number])
    x, y = pool()
    classes, counts = classes_and_counts(rng, n + m, PER_CLASS)
    rows = np.concatenate(
        [rng.choice(np.flatnonzero(y == c), count, replace=False) for c, count in zip(classes, counts)]
    )
    rows = rng.permutation(rows)
    old, new = rows[:n], rows[n:]
    return Draw(x[old], x[new], y[old], y[new], seed=number)


def make() -> None:
    """Write both files."""
    from dclib import load

    rng = np.random.default_rng(20)
    x, y = _small("fashion_mnist", "train", load)
    classes, counts = classes_and_counts(rng, 1000, 1000)
    rows = rng.permutation(
        np.concatenate([rng.choice(np.flatnonzero(y == c), count, replace=False) for c, count in zip(classes, counts)])
    )
    np.savez_compressed(SAMPLE, x=x[rows])
    sample_y = y[rows]
    x, y = _small("fashion_mnist", "test", load)
    rows = np.concatenate([rng.choice(np.flatnonzero(y == c), PER_CLASS, replace=False) for c in range(N_CLASSES)])
    np.savez_compressed(HELD_OUT, x=x[rows], y=y[rows].astype(np.uint8), sample_y=sample_y.astype(np.uint8))
    print(f"{SAMPLE.relative_to(ROOT)}: {len(sample_y)} pictures, of each class {np.bincount(sample_y).tolist()}")
    print(f"{HELD_OUT.relative_to(ROOT)}: {len(rows)} pictures")


def _small(name, split, load):
    """28 x 28 pixels with a margin of two on each side, then the mean of each 2 x 2: 16 x 16, uint8."""
    data = load(name, split)
    wide = np.pad(255 * data.x[:, 0], ((0, 0), (2, 2), (2, 2)))
    return wide.reshape(-1, 16, 2, 16, 2).mean((2, 4)).round().astype(np.uint8), data.y


if __name__ == "__main__":
    make()
