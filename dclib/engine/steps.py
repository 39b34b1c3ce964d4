"""What the ways to do the steps of Lloyd's algorithm share: labels, and the sums of the clusters that follow them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from dclib.engine.rows import Shifted, cluster_sums, cluster_weights, row_blocks, squared_norms


class LloydSteps:
    """E- and M-step of Lloyd's algorithm on x (n, d) with sample weights (n,). A subclass has the E-step:

    assign(centers): updates `labels` (n,) by way of `_move` -> loss and number of labels that changed (2,).
    """

    def __init__(self, x: Tensor | Shifted, weight: Tensor, n_clusters: int):
        self.x, self.weight, self.norms = x, weight, squared_norms(x)
        self.labels = torch.zeros(len(x), dtype=torch.long, device=x.device)  # of no meaning before the first step
        # On the CPU sums go on from step to step, so in float64; elsewhere they are made anew.
        self.first, self.goes_on = True, x.device.type == "cpu"
        dtype = torch.float64 if self.goes_on else x.dtype
        self.sums = torch.zeros(n_clusters, x.shape[1], dtype=dtype, device=x.device)
        # So do weights, where they are whole numbers: of others something is left when a cluster has lost its last one.
        self.whole = self.goes_on and bool((weight == weight.round()).all())
        self.weights = self.sums.new_zeros(n_clusters)

    @cached_property
    def square(self) -> Tensor:
        """Σ w ‖x‖², float64."""
        return self.weight.double() @ self.norms.double()

    def totals(self) -> tuple[Tensor, Tensor]:
        """For the M-step: weighted sums of the clusters (k, d) and their weights (k,)."""
        if not self.whole:
            self.weights = self._weights()
        return self.sums, self.weights

    def loss(self, centers: Tensor) -> Tensor:
        """Σ w ‖x − μ‖² = Σ w ‖x‖² − Σ_k (2 μ_k · S_k − W_k ‖μ_k‖²), with the clusters' sums S and weights W."""
        (sums, weights), centers = self.totals(), centers.double()
        return self.square - (centers * (2 * sums - weights[:, None] * centers)).sum()

    def _weights(self) -> Tensor:
        weights = self.sums.new_zeros(len(self.sums))
        for block in row_blocks(len(self.x), self.x.shape[1], self.sums.device):
            # By blocks: one by one a sum of float32 stays at 2^24.
            weights += cluster_weights(self.labels[block], len(weights), self.weight[block].to(weights.dtype))
        return weights

    def reassign(self, labels: Tensor) -> None:
        """Take these labels (n,) instead, whether a center is near or not."""
        rows = nonzero(labels != self.labels)
        self._move(rows, labels[rows])

    def _move(self, rows: Tensor, labels: Tensor) -> int:
        """Give these rows (m,) these labels (m,), other ones than theirs -> how many labels changed."""
        (n, d), k = self.x.shape, len(self.sums)
        if self.first or 2 * len(rows) > n or not self.goes_on:  # adding all is less work
            changed = n if self.first else len(rows)
            self.labels[rows] = labels
            self.sums.zero_()
            for block in row_blocks(n, d, self.sums.device):
                self.sums += cluster_sums(self.x[block], self.labels[block], k, self.weight[block])
            if self.whole:
                self.weights = self._weights()
            self.first = False
            return changed
        for block in row_blocks(len(rows), d):
            part, new = rows[block], labels[block]
            x, weight, old = (values.index_select(0, part) for values in (self.x, self.weight, self.labels))
            self.sums += cluster_sums(x, new, k, weight) - cluster_sums(x, old, k, weight)
            if self.whole:
                weight = weight.double()
                self.weights += cluster_weights(new, k, weight) - cluster_weights(old, k, weight)
        self.labels.index_copy_(0, rows, labels)
        return len(rows)


class PlainSteps(LloydSteps):
    """E- and M-step as they are derived, with all distances. Labels and sums are those of `assign` and `update`; a
    sample that is as near to another center keeps its own.
    """

    def assign(self, centers: Tensor) -> Tensor:
        """E-step: updates `labels` (n,) -> loss and number of labels that changed (2,)."""
        least, labels, moved, new = torch.empty_like(self.norms), self.labels, [], []
        # Distances are read several times: blocks that leave room for them in the cache.
        k, blocks = len(centers), row_blocks(len(self.x), max(2 * len(centers), self.x.shape[1]), centers.device)
        # One table for all of them: taken from the system anew, its memory may cost more than the product in it.
        table = least.new_empty(k * blocks[0].stop)
        for block in blocks:
            distances = table[: k * (block.stop - block.start)].view(k, -1)  # (k, b): minima of columns are fast
            partial_distances(self.x[block], centers, out=distances)
            nearest = torch.amin(distances, 0, out=least[block])
            own = distances.gather(0, labels[None, block])[0]
            # The least distance costs much less than its place, which few samples need: those that have a nearer one.
            rows = nonzero(own > nearest)
            moved.append(rows + block.start)
            new.append(argmin(distances.T[rows]))
        n_moved = self._move(torch.cat(moved), torch.cat(new))
        loss = self.weight @ least.add_(self.norms).clamp_(min=0)
        return torch.stack([loss, torch.tensor(n_moved, dtype=loss.dtype, device=loss.device)])


def partial_distances(x: Tensor, centers: Tensor, out: Tensor | None = None) -> Tensor:
    """−2 x·μ + ‖μ‖² (n, k): the argmin over k does not need ‖x‖². out: memory for its transpose (k, n)."""
    # The product with the few columns last takes up to a third longer, and seven times as long with two features.
    return torch.addmm(centers.square().sum(1, keepdim=True), centers, x.T, alpha=-2, out=out).T


def argmin(distances: Tensor) -> Tensor:
    """The place of the least number in each row of distances (n, k) -> (n,)."""
    if distances.device.type != "cpu":
        return distances.argmin(1)
    return torch.from_numpy(distances.detach().numpy().argmin(1))  # NumPy takes a third of the time for 100 centers


def nonzero(which: Tensor) -> Tensor:
    """Where `which` (n,) is true -> (m,)."""
    if which.device.type != "cpu":
        return which.nonzero()[:, 0]
    return torch.from_numpy(np.flatnonzero(which.numpy()))  # takes a fifth of the time where little is true
