"""K-means: Lloyd's algorithm with greedy k-means++ starts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight
from torch import Tensor

from dclib.base import SavedEstimator, check_choice, check_n_clusters, check_number, check_x, make_generator

# Rows of one block: its (rows, k) distances stay in the processor's cache while they are used.
_BLOCK = 4096


def squared_distances(x: Tensor, centers: Tensor) -> Tensor:
    """‖x_i − μ_k‖² for x (n, d) and centers (k, d) -> (n, k).

    Expanded as ‖x‖² − 2 x·μ + ‖μ‖²: one matrix product instead of an (n, k, d) array. The terms nearly cancel for
    points close to a center, so results are clipped at zero; center the data first if its mean is far from the origin.
    """
    return (x.square().sum(1, keepdim=True) + _partial_distances(x, centers)).clamp_(min=0)


def _partial_distances(x: Tensor, centers: Tensor) -> Tensor:
    """−2 x·μ + ‖μ‖² (n, k): the argmin over k does not need ‖x‖²."""
    return torch.addmm(centers.square().sum(1), x, centers.T, alpha=-2)


def _blocks(x: Tensor) -> Iterator[slice]:
    for start in range(0, len(x), _BLOCK):
        yield slice(start, start + _BLOCK)


def assign(x: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """E-step: the nearest center of each row of x (n, d) -> labels (n,), squared distances to it (n,)."""
    labels = torch.empty(len(x), dtype=torch.long, device=x.device)
    distances = torch.empty(len(x), dtype=x.dtype, device=x.device)
    for block in _blocks(x):
        nearest = _partial_distances(x[block], centers).min(1)
        labels[block] = nearest.indices
        distances[block] = nearest.values + x[block].square().sum(1)
    return labels, distances.clamp_(min=0)


def update(x: Tensor, labels: Tensor, n_clusters: int, sample_weight: Tensor) -> tuple[Tensor, Tensor]:
    """M-step: weighted means of the clusters -> centers (k, d), total weights (k,). A mean of nothing is 0.

    The sums are products with the one-hot assignment, which use all threads; adding row by row would not.
    """
    sums = torch.zeros(n_clusters, x.shape[1], dtype=x.dtype, device=x.device)
    for block in _blocks(x):
        weighted = torch.zeros(len(x[block]), n_clusters, dtype=x.dtype, device=x.device)
        weighted.scatter_(1, labels[block, None], sample_weight[block, None])
        sums.addmm_(weighted.T, x[block])
    weights = torch.zeros(n_clusters, dtype=x.dtype, device=x.device).index_add_(0, labels, sample_weight)
    return sums / torch.where(weights > 0, weights, 1)[:, None], weights


def _refill(x: Tensor, labels: Tensor, distances: Tensor, n_clusters: int, sample_weight: Tensor) -> Tensor:
    """Give each empty cluster the point farthest from all centers, taken from a cluster that has others left."""
    labels, distances = labels.clone(), torch.where(sample_weight > 0, distances, -1.0)
    counts = torch.bincount(labels[sample_weight > 0], minlength=n_clusters)
    for empty in torch.nonzero(counts == 0).flatten().tolist():
        far = int(torch.where(counts[labels] > 1, distances, -1.0).argmax())
        if counts[labels[far]] <= 1 or distances[far] <= 0:  # nothing left to give: fewer distinct points than clusters
            break
        counts[labels[far]] -= 1
        counts[empty] += 1
        labels[far] = empty
        # The next empty cluster goes elsewhere: the points around this one have a center now.
        distances = torch.minimum(distances, (x - x[far]).square().sum(1))
    return labels


def kmeans_plus_plus(
    x: Tensor, n_clusters: int, generator: torch.Generator, sample_weight: Tensor | None = None
) -> Tensor:
    """Greedy k-means++ -> indices (k,) of the rows of x (n, d) chosen as centers.

    Each next center is drawn with probability proportional to its squared distance from the centers so far (Arthur and
    Vassilvitskii 2007), the best of 2 + log k draws: the one that lowers the loss most (their section 5).
    """
    weight = torch.ones(len(x), dtype=x.dtype, device=x.device) if sample_weight is None else sample_weight
    n_trials = 2 + int(np.log(n_clusters))

    def draw(mass: Tensor, size: int) -> Tensor:
        # Inverse of the cumulative mass, in float64: torch.multinomial takes at most 2^24 categories.
        cumulative = mass.double().cumsum(0).cpu()
        where = torch.rand(size, generator=generator, dtype=torch.float64) * cumulative[-1]
        return torch.searchsorted(cumulative, where, right=True).clamp_(max=len(mass) - 1).to(x.device)

    chosen = draw(weight, 1)
    closest = squared_distances(x, x[chosen])[:, 0]
    for _ in range(n_clusters - 1):
        mass = closest * weight
        if not mass.any():  # fewer distinct points than clusters: any point is as good as another
            mass = weight
        trials = draw(mass, n_trials)
        distances = torch.minimum(squared_distances(x, x[trials]), closest[:, None])  # (n, n_trials)
        best = (weight @ distances).argmin()
        closest = distances[:, best]
        chosen = torch.cat([chosen, trials[best, None]])
    return chosen


def lloyd(
    x: Tensor, centers: Tensor, sample_weight: Tensor | None = None, max_iter: int = 300, tol: float = 0.0
) -> tuple[Tensor, Tensor, list[float]]:
    """Lloyd's algorithm from these centers -> centers (k, d), labels (n,), loss of each iteration.

    Alternates `assign` and `update` until no label changes, or the squared movement of the centers is at most `tol`; a
    last E-step makes labels and centers agree. Empty clusters are refilled with the point farthest from its center.
    """
    weight = torch.ones(len(x), dtype=x.dtype, device=x.device) if sample_weight is None else sample_weight
    losses: list[float] = []
    previous = None
    for _ in range(max_iter):
        labels, distances = assign(x, centers)
        losses.append(float(weight @ distances))
        if previous is not None and torch.equal(labels, previous):
            return centers, labels, losses
        previous = labels
        moved, weights = update(x, labels, len(centers), weight)
        if not weights.all():
            labels = _refill(x, labels, distances, len(centers), weight)
            moved, weights = update(x, labels, len(centers), weight)
            moved = torch.where(weights[:, None] > 0, moved, centers)
        shift = (moved - centers).square().sum()
        centers = moved
        if shift <= tol:
            break
    labels, distances = assign(x, centers)
    losses.append(float(weight @ distances))
    return centers, labels, losses


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, SavedEstimator):
    """Lloyd's k-means with greedy k-means++, several starts and refilled empty clusters.

    Minimises Σ_i w_i ‖x_i − μ_{c(i)}‖², a sum over samples and features (Lloyd 1982). Keeps float32 and float64.

    Parameters
    ----------
    n_clusters : number of clusters k.
    init : "k-means++", "random" (k different samples) or an array (k, d) of centers.
    n_init : starts; the one with the lowest loss is kept. An array as `init` is one start.
    max_iter : most iterations of one start.
    tol : a start ends when the squared movement of the centers is at most `tol` times the mean feature variance.
    random_state : None, int or RandomState; the same int gives the same result.

    Attributes
    ----------
    cluster_centers_ (k, d), labels_ (n,), inertia_ : the loss, n_iter_ : iterations of the best start,
    inertia_history_ : its loss before each update of the centers, and at the end, image_shape_ : (c, h, w) or None.
    """

    def __init__(self, n_clusters=10, *, init="k-means++", n_init=10, max_iter=300, tol=1e-4, random_state=None):
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X, y=None, sample_weight=None):
        """Cluster X, (n, d) or images (n, c, h, w); `y` is ignored. Raises ValueError for bad input."""
        rows = check_x(self, X, reset=True)
        check_n_clusters(self.n_clusters, len(rows))
        check_number("n_init", self.n_init, 1, integer=True)
        check_number("max_iter", self.max_iter, 1, integer=True)
        check_number("tol", self.tol, 0)
        weight = torch.from_numpy(_check_sample_weight(sample_weight, rows, dtype=rows.dtype, ensure_non_negative=True))
        if not weight.any():
            raise ValueError("All sample weights are zero: at least one must be positive.")
        # With the mean at the origin, float32 survives the expansion of the squared distance.
        mean = rows.mean(axis=0)
        x = torch.from_numpy(rows - mean)
        tol = self.tol * float(x.var(0, correction=0).mean())
        best = None
        for centers in self._starts(x, mean, weight):
            run = lloyd(x, centers, weight, self.max_iter, tol)
            if best is None or run[2][-1] < best[2][-1]:
                best = run
        assert best is not None
        centers, _, losses = best
        self.cluster_centers_ = centers.numpy() + mean
        # Labels by way of `predict`, so that the two agree to the last tie.
        self.labels_ = assign(*self._centered(rows))[0].numpy()
        self.inertia_, self.n_iter_, self.inertia_history_ = losses[-1], len(losses) - 1, losses
        n_found = len(np.unique(self.labels_))
        if n_found < self.n_clusters:
            warnings.warn(
                f"Only {n_found} of {self.n_clusters} clusters have points: X may hold fewer distinct samples.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _starts(self, x: Tensor, mean: np.ndarray, weight: Tensor) -> Iterator[Tensor]:
        if not isinstance(self.init, str):
            centers = np.asarray(self.init, dtype=mean.dtype)
            if centers.shape != (self.n_clusters, x.shape[1]) or not np.isfinite(centers).all():
                shape = (self.n_clusters, x.shape[1])
                raise ValueError(f"init has shape {centers.shape}: give finite centers, (n_clusters, d) = {shape}.")
            yield torch.from_numpy(centers - mean)
            return
        check_choice("init", self.init, ("k-means++", "random"))
        generator = make_generator(self.random_state)
        for _ in range(self.n_init):
            if self.init == "random":
                yield x[torch.randperm(len(x), generator=generator)[: self.n_clusters]]
            else:
                yield x[kmeans_plus_plus(x, self.n_clusters, generator, weight)]

    def predict(self, X) -> np.ndarray:
        """Nearest center of each sample -> (n,)."""
        return assign(*self._centered(check_x(self, X, reset=False)))[0].numpy()

    def transform(self, X) -> np.ndarray:
        """Distances to the centers, in the units of X -> (n, k)."""
        return squared_distances(*self._centered(check_x(self, X, reset=False))).sqrt_().numpy()

    def score(self, X, y=None) -> float:
        """Minus the loss on X: higher is better."""
        return -float(assign(*self._centered(check_x(self, X, reset=False)))[1].sum())

    def _centered(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Rows and centers with the mean of the centers at the origin, in the precision of the rows."""
        mean = self.cluster_centers_.mean(axis=0)
        centers = (self.cluster_centers_ - mean).astype(rows.dtype, copy=False)
        return torch.from_numpy((rows - mean).astype(rows.dtype, copy=False)), torch.from_numpy(centers)

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)
