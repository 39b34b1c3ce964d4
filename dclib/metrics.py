"""Scores of a clustering against known classes, and the PSNR of a reconstruction.

Cluster ids are names, not numbers: every score here stays the same when clusters are renamed. Classes `y` and clusters
`labels` are vectors of integers or strings, one entry a sample. A noise label such as -1 is a cluster like any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
    rand_score,
    v_measure_score,
)

__all__ = [
    "adjusted_mutual_information", "clustering_accuracy", "contingency", "match_labels", "psnr", "purity", "rand_index",
    "scores",
]  # fmt: skip


def contingency(y: Any, labels: Any) -> np.ndarray:
    """Count the samples of each class in each cluster.

    Returns an integer array (n_classes, n_clusters); rows and columns are in the order of `np.unique`.
    Raises ValueError when the two are not vectors of integers or strings of one length, or are empty.
    """
    classes, y_codes, clusters, label_codes = _codes(y, labels)
    return _table(len(classes), y_codes, len(clusters), label_codes)


def clustering_accuracy(y: Any, labels: Any) -> float:
    """Share of samples that are right under the best one-to-one match of clusters to classes, in [0, 1].

    ACC = max over matchings m of (1/n) Σ_i 1{y_i = m(label_i)}   (Xie et al., DEC, 2016, equation 10)

    SciPy finds the match, by Jonker and Volgenant's algorithm. No two clusters may stand for the same class. With more
    clusters than classes the clusters left over have no class: all their samples count as wrong. With fewer clusters
    than classes the classes left over have no cluster: all their samples count as wrong. Raises ValueError as
    `contingency`.
    """
    table = contingency(y, labels)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / table.sum())


def match_labels(y: Any, labels: Any) -> np.ndarray:
    """Rename clusters to the classes they match in `clustering_accuracy`, so that a plot can colour both alike.

    Returns (n,): `np.mean(match_labels(y, labels) == y)` is the ACC. A cluster left over gets a name that no class has:
    the integers after the largest class, or "unmatched 1", "unmatched 2", … where classes are strings.
    Raises ValueError as `contingency`.
    """
    classes, y_codes, clusters, label_codes = _codes(y, labels)
    rows, columns = linear_sum_assignment(_table(len(classes), y_codes, len(clusters), label_codes), maximize=True)
    left_over = np.setdiff1d(np.arange(len(clusters)), columns)
    if classes.dtype.kind in "iu":
        new_names = int(classes.max()) + 1 + np.arange(len(left_over))
    else:
        new_names = np.array([f"unmatched {i + 1}" for i in range(len(left_over))], dtype=str)
    names = np.empty(len(clusters), dtype=np.result_type(classes, new_names))
    names[columns] = classes[rows]
    names[left_over] = new_names
    return names[label_codes]


def purity(y: Any, labels: Any) -> float:
    """Share of samples that belong to the commonest class of their cluster, in (0, 1].

    Several clusters may stand for one class, so splitting clusters never lowers it: one cluster a sample scores 1.
    Raises ValueError as `contingency`.
    """
    table = contingency(y, labels)
    return float(table.max(axis=0).sum() / table.sum())


def rand_index(y: Any, labels: Any) -> float:
    """Share of the pairs of samples on which classes and clusters agree: together in both, or apart in both, in [0, 1].

    Unadjusted (Rand 1971): with ten classes, random clusters score about .82, since most pairs are apart in both. The
    `ari` in `scores` is this index, moved and scaled so that chance scores 0. Raises ValueError as `contingency`.
    """
    _, y_codes, _, label_codes = _codes(y, labels)
    return float(rand_score(y_codes, label_codes))


def adjusted_mutual_information(y: Any, labels: Any, *, average: str = "arithmetic") -> float:
    """AMI: the mutual information above what chance gives, over its largest value; 1 is perfect, 0 is chance.

    AMI = (I − E[I]) / (mean(H(y), H(labels)) − E[I]) (Vinh et al. 2010), with the `average` "arithmetic", "geometric",
    "min" or "max" of the two entropies as the mean; the first is today's custom, older tables have the "max". Unlike
    NMI it does not grow with the number of clusters. Raises ValueError as `contingency`, and for another average.
    """
    if average not in (means := ("arithmetic", "geometric", "min", "max")):
        raise ValueError(f"average={average!r} is not known: choose one of {', '.join(map(repr, means))}.")
    _, y_codes, _, label_codes = _codes(y, labels)
    return float(adjusted_mutual_info_score(y_codes, label_codes, average_method=average))


def scores(y: Any, labels: Any) -> dict[str, float]:
    """The usual table: `acc`, `nmi`, `ari`, `v_measure`, `purity`.

    NMI is normalised by the arithmetic mean of the two entropies, so it equals V (homogeneity and completeness
    weighted alike); many older papers divide by the geometric mean, which gives a larger number.
    Raises ValueError as `contingency`.
    """
    _, y_codes, _, label_codes = _codes(y, labels)
    return {
        "acc": clustering_accuracy(y_codes, label_codes),
        "nmi": float(normalized_mutual_info_score(y_codes, label_codes, average_method="arithmetic")),
        "ari": float(adjusted_rand_score(y_codes, label_codes)),
        "v_measure": float(v_measure_score(y_codes, label_codes)),
        "purity": purity(y_codes, label_codes),
    }


def psnr(x: Any, x_hat: Any, *, data_range: float = 1.0) -> float:
    """Peak signal-to-noise ratio in dB: 10 log10(data_range² / MSE); infinite when the two are equal.

    `x` and `x_hat` have one shape, any shape; the mean squared error is taken over all their values. (The mean of the
    PSNRs of single images is another number, never smaller.) `data_range` is the largest minus the smallest possible
    value: 1.0 for the images of `dclib.data`, 255 for bytes.
    Raises ValueError when shapes differ, are empty, values are not finite, or `data_range` is not positive.
    """
    a, b = (np.asarray(value, dtype=np.float64) for value in (x, x_hat))  # float64: bytes must not wrap around
    if a.shape != b.shape:
        raise ValueError(f"x and x_hat differ in shape: {a.shape} and {b.shape}. Compare an image with its own copy.")
    if a.size == 0:
        raise ValueError("x and x_hat are empty: there is nothing to compare.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("x or x_hat holds NaN or infinite values. Look for the step that made them.")
    if not (np.isfinite(data_range) and data_range > 0):
        raise ValueError(f"data_range must be a positive number, not {data_range!r}: 1.0 for images in [0, 1].")
    error = np.mean((a - b) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(data_range**2 / error))


def _table(n_classes: int, y_codes: np.ndarray, n_clusters: int, label_codes: np.ndarray) -> np.ndarray:
    cells = np.bincount(y_codes * n_clusters + label_codes, minlength=n_classes * n_clusters)
    return cells.reshape(n_classes, n_clusters)


def _codes(y: Any, labels: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The names in use and each sample's place among them: (classes, y_codes, clusters, label_codes)."""
    y, labels = _names(y, "y"), _names(labels, "labels")
    if len(y) != len(labels):
        raise ValueError(f"y has {len(y)} entries and labels has {len(labels)}: each sample needs one of each.")
    return *np.unique(y, return_inverse=True), *np.unique(labels, return_inverse=True)


def _names(values: Any, what: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1:
        hint = " Use argmax(axis=1) on probabilities first." if array.ndim == 2 else ""
        raise ValueError(f"{what} must be a vector with one entry a sample, but its shape is {array.shape}.{hint}")
    if len(array) == 0:
        raise ValueError(f"{what} is empty: there is nothing to score.")
    if array.dtype.kind == "O":
        kinds = {str if isinstance(v, str) else int if isinstance(v, (int, np.integer)) else type(v) for v in array}
        if kinds not in ({str}, {int}):
            found = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise ValueError(f"{what} must hold only integers or only strings, but holds: {found}.")
        return array.astype(kinds.pop())
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ValueError(f"{what} holds NaN or infinite values. Remove those samples or name their class.")
        if (array != np.round(array)).any():
            raise ValueError(f"{what} holds fractions, but must hold names: integers or strings.")
        return array.astype(np.int64)
    if array.dtype.kind == "b":
        return array.astype(np.int64)
    if array.dtype.kind not in "iuU":
        raise ValueError(f"{what} must hold integers or strings, not {array.dtype}.")
    return array
