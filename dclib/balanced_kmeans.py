"""K-means with clusters of equal size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dclib.engine.device import device_for
from dclib.engine.processes import everyone
from dclib.engine.rows import as_tensor, row_blocks
from dclib.engine.starts import best_start
from dclib.engine.validation import all_or_nothing, check_n_clusters, check_number, check_x
from dclib.kmeans import KMeans, squared_distances, update

# Temperatures in units of the variance: of the search for the centers, and of the offsets at which it ends.
_SEARCH = (0.2, 0.1, 0.05, 0.02)
_FINAL = (0.01, 0.003, 0.001)
# Rows that are enough for the search, since the plan has a number for every row and cluster.
_SAMPLE = 20_000


def transport_plan(costs: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Shares of the rows in the clusters (n, k) that cost least, for costs (n, k) -> plan, scale (k,), shift (k,).

    Rows of the plan sum to one, columns to n / k, about: Sinkhorn's alternation (Cuturi 2013, "Sinkhorn distances"),
    from this scale and shift. Least is Σ plan · costs − entropy; so the plan is exp(shift − costs) · scale, each row
    divided by its sum. The shift is 0 unless a cluster is too far from all rows.
    """
    costs, start = costs - shift, scale
    kernel = torch.exp(costs.min(1, keepdim=True).values - costs)  # (n, k), largest entry of a row is 1
    for _ in range(30):  # alternately make the rows sum to one and the columns to n / k
        scale = len(costs) / len(scale) / ((1 / (kernel @ scale)) @ kernel)
    if scale.log().isfinite().all():
        plan = kernel * scale
        plan /= plan.sum(1, keepdim=True)
        return plan, scale, shift
    return _transport_plan_of_logarithms(costs, start.log(), shift)


def _transport_plan_of_logarithms(costs: Tensor, log_scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`transport_plan` where a cluster is so far from every row that its column of the kernel underflows to 0.

    Only there: it takes two exponentials of (n, k) numbers in each round where the kernel takes one in all, and would
    change the last digits of all other results. Its scale is left as a logarithm, the shift.
    """
    for _ in range(30):
        rows = torch.logsumexp(log_scale - costs, 1, keepdim=True)
        log_scale = math.log(len(costs) / len(log_scale)) - torch.logsumexp(-costs - rows, 0)
    return (log_scale - costs).softmax(1), torch.ones_like(log_scale), log_scale + shift


def balanced_kmeans(z: Tensor, centers: Tensor, temperatures: Sequence[float] = _SEARCH) -> tuple[Tensor, float]:
    """K-means with clusters of equal size, from these centers -> centers (k, d), loss (mean over the rows). z: (n, d)

    The assignment is a `transport_plan` between samples and clusters with equal cluster shares. Its entropy falls with
    the temperature, in units of the variance of z; from a high one the end depends little on the start. In float64, so
    for z on an Apple GPU, which lacks it, on the CPU.
    """
    device = z.device
    if device.type == "mps":
        z, centers = z.cpu(), centers.cpu()
    z, centers = z.double(), centers.double()
    scale, shift = torch.ones_like(centers[:, 0]), torch.zeros_like(centers[:, 0])
    variance = z.var(0, correction=0).sum() + torch.finfo(z.dtype).tiny
    for temperature in temperatures:
        for _ in range(12):
            costs = squared_distances(z, centers) / (temperature * variance)
            plan, scale, shift = transport_plan(costs, scale, shift)
            centers = plan.T @ z / plan.sum(0)[:, None]
    loss = float((plan * squared_distances(z, centers)).sum() / len(z))
    return centers.float().to(device), loss


def balanced_start(x: Tensor, n_clusters: int, generator: torch.Generator) -> tuple[Tensor, float]:
    """`balanced_kmeans` of x (n, d) from random samples -> centers (k, d), loss."""
    return balanced_kmeans(x, x[torch.randperm(len(x), generator=generator)[:n_clusters].to(x.device)])


def equal_offsets(distances: Tensor, variance: Tensor) -> Tensor:
    """Offsets b (k,) with which the smallest of d_ik − b_k gives each cluster about n / k rows. d (n, k): squared.

    As the temperature T falls, a transport plan becomes the assignment to the smallest of d_ik − T (log scale_k +
    shift_k). These are cells of a power diagram: no assignment with the same sizes has a lower sum of squared distances
    (Aurenhammer, Hoffmann and Aronov 1998, "Minkowski-type theorems and least-squares clustering").
    """
    offsets = torch.zeros_like(distances[0])
    for temperature in _FINAL:
        scale, shift = torch.ones_like(offsets), torch.zeros_like(offsets)
        for _ in range(10):
            plan, scale, shift = transport_plan((distances - offsets) / (temperature * variance), scale, shift)
            if (plan.mean(0) * len(offsets) - 1).abs().max() < 0.01:
                break
        offsets = offsets + temperature * variance * (scale.log() + shift)
    return offsets - offsets.mean()


class _Balanced(NamedTuple):
    centers: Tensor
    offsets: Tensor
    losses: list[float]


class BalancedKMeans(KMeans):
    """K-means whose clusters have about equal sizes: where classes are known to be equally frequent.

    Minimises Σ_i ‖x_i − μ_{c(i)}‖² with n / k samples in each cluster. `balanced_kmeans` finds the centers, on at most
    20,000 of the samples, softly and ever less so; then offsets b that make the clusters equal (`equal_offsets`) and
    the means of the clusters take turns until no label changes. A sample belongs to the cluster with the smallest
    ‖x − μ_k‖² − b_k, a new one too: new samples need not come in equal shares. Sizes are equal within a few percent,
    unless samples repeat. It works with an array of n · k float64 numbers. Keeps float32 and float64.

    What is not listed here is as in `dclib.kmeans.KMeans`.

    Parameters
    ----------
    init : as in `KMeans`, but "random" unless you say so: the end depends little on it.
    n_init : starts; the one with the lowest loss is kept.
    max_iter : most iterations of one start, after the search for its centers.

    Attributes
    ----------
    cluster_centers_ (k, d), offsets_ (k,) : b, with mean 0; high where a cluster has to reach out for its share,
    labels_ (n,), inertia_ : the loss, n_iter_ : iterations of the best start, inertia_history_ : its loss in each of
    them, and at the end, history_ : of each start, the loss and the iterations, image_shape_ : (c, h, w) or None.
    """

    def __init__(
        self, n_clusters=10, *, init="random", n_init=5, max_iter=20, callbacks=None, device="auto", random_state=None
    ):
        self.n_clusters, self.init, self.n_init, self.max_iter = n_clusters, init, n_init, max_iter
        self.callbacks, self.device, self.random_state = callbacks, device, random_state

    @all_or_nothing
    def fit(self, X, y=None):
        """Cluster X, (n, d) or images (n, c, h, w); `y` is ignored. Raises ValueError for bad input."""
        rows = check_x(self, X, reset=True)
        check_n_clusters(self.n_clusters, len(rows))
        check_number("max_iter", self.max_iter, 1, integer=True)
        n_starts = self._n_starts()
        device = device_for(self.device, np.float64)  # the precision of transport plans
        mean = torch.from_numpy(rows.mean(axis=0)).double().to(device)
        x = as_tensor(rows).to(device).double() - mean
        seed = everyone().seed(self.random_state)  # several processes do the same
        sample = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:_SAMPLE].to(device)]

        def search(start: Tensor, report: Callable[[float], None]) -> tuple[float, _Balanced]:
            found = self._alternate(x, balanced_kmeans(sample, start)[0].double(), report)
            return found.losses[-1], found

        def publish(found: _Balanced) -> None:
            self.cluster_centers_ = (found.centers + mean).cpu().numpy().astype(rows.dtype)
            self.offsets_ = found.offsets.cpu().numpy().astype(rows.dtype)

        found = best_start(self, self._starts(n_starts, seed, rows, x, mean), n_starts, search, publish)
        labels, distances = self._nearest(rows)  # as `predict` does: the two agree to the last tie
        self.labels_, self.inertia_ = labels.numpy(), float(distances.sum())
        self.n_iter_, self.inertia_history_ = len(found.losses) - 1, [*found.losses[:-1], self.inertia_]
        self._warn_of_empty_clusters()
        return self

    def _alternate(self, x: Tensor, centers: Tensor, report: Callable[[float], None]) -> _Balanced:
        """Equal clusters and their means in turns, from these centers (k, d), for x (n, d)."""
        variance = x.var(0, correction=0).sum() + torch.finfo(x.dtype).tiny
        labels, weight = torch.full((len(x),), -1, device=x.device), torch.ones_like(x[:, 0])
        losses: list[float] = []
        while True:
            distances = squared_distances(x, centers)
            offsets = equal_offsets(distances, variance)
            previous, labels = labels, (distances - offsets).argmin(1)
            losses.append(float(distances.gather(1, labels[:, None]).sum()))
            if len(losses) > self.max_iter:
                return _Balanced(centers, offsets, losses)
            report(losses[-1])
            if torch.equal(labels, previous):
                return _Balanced(centers, offsets, [*losses, losses[-1]])
            means, sizes = update(x, labels, len(centers), weight)
            centers = torch.where(sizes[:, None] > 0, means, centers)

    def _nearest(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Labels (n,) by squared distance less offset, and squared distances to those centers (n,)."""
        x, centers = self._centered(rows)
        offsets = torch.from_numpy(self.offsets_).to(x.dtype).to(x.device)
        labels = torch.empty(len(x), dtype=torch.long, device=x.device)
        nearest = torch.empty(len(x), dtype=x.dtype, device=x.device)
        for block in row_blocks(len(x), max(x.shape[1], len(centers)), x.device):
            distances = squared_distances(x[block], centers)
            labels[block] = (distances - offsets).argmin(1)
            nearest[block] = distances.gather(1, labels[block, None])[:, 0]
        return labels.cpu(), nearest.cpu()
