"""Elkan's bounds: the steps of Lloyd's algorithm without most of its distances."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from dclib.engine.rows import Shifted, row_blocks
from dclib.engine.steps import LloydSteps, nonzero

# A distance alone takes about as long as so many of them in one matrix product.
_ALONE = 25


class ElkanSteps(LloydSteps):
    """E- and M-step of Lloyd's algorithm on x (n, d) that compute only the distances that may matter (Elkan 2003).

    Kept are, for each sample, an upper bound on the distance to its own center and lower bounds on those to all others.
    A center that moves by δ changes a distance by at most δ (triangle inequality): bounds that give way by δ still
    hold. While the upper bound is below all lower ones, the sample keeps its center. Else the distance to its own
    center is computed, and then those to the centers whose lower bounds are below it.

    With every move the bounds get looser. So the E-steps 0, 1, 2, 4, 8, … compute all distances: at most log₂(m) full
    passes instead of m. A pass beyond the second waits for the next power of two, until the distances computed one by
    one since the last have cost as much as it does: with many clusters, most bounds hold for long. The sums of the
    clusters change by the samples that changed their cluster.

    Labels and sums are those of `kmeans.assign` and `kmeans.update`, up to ties within rounding.
    """

    def __init__(self, x: Tensor | Shifted, weight: Tensor, n_clusters: int):
        super().__init__(x, weight, n_clusters)
        n, self.n_steps, self.spent = len(x), 0, 0
        # A bound is kept as it was when it was computed, with what its center had drifted until then: added to lower,
        # taken from upper bounds. So taking off the drift of today leaves what the center drifted since.
        self.upper = torch.empty(n, dtype=x.dtype)
        self.lower = torch.empty(n, n_clusters, dtype=x.dtype)  # infinite for the own center
        self.drift = torch.zeros(n_clusters, dtype=x.dtype)
        self.centers = self.squares = torch.empty(0)

    def assign(self, centers: Tensor) -> Tensor:
        """E-step: updates `labels` -> loss and number of labels that changed (2,), float64."""
        power_of_two = self.n_steps & (self.n_steps - 1) == 0
        everything = power_of_two and (self.n_steps < 2 or self.spent >= self.lower.numel())
        self.spent = 0 if everything else self.spent
        self.drift = self.drift.zero_() if everything else self.drift + (centers - self.centers).norm(dim=1)
        self.centers, self.squares = centers, centers.square().sum(1)
        labels = self.labels.clone()
        if everything:
            for block in row_blocks(*self.x.shape):
                labels[block] = self._compare_all(block)
        else:
            # Rows are read where they are, so that only bounds take memory; but shifted rows are copies.
            width = len(centers) if isinstance(self.x, Tensor) else self.x.shape[1]
            for block in row_blocks(len(self.x), width):
                labels[block] = self._compare_some(block)
        rows = nonzero(labels != self.labels)
        changed = self._move(rows, labels[rows])
        self.n_steps += 1
        return torch.stack([self.loss(centers), torch.tensor(changed, dtype=torch.float64)])

    def reassign(self, labels: Tensor) -> None:
        """Take these labels (n,) instead, whether a center is near or not."""
        rows = (labels != self.labels).nonzero()[:, 0]
        self.upper[rows] = torch.inf
        self.lower[rows, self.labels[rows]] = -torch.inf
        self.lower[rows, labels[rows]] = torch.inf
        super().reassign(labels)

    def _compare_all(self, block: slice) -> Tensor:
        """Labels of these rows, with all distances."""
        products = torch.addmm(self.squares[:, None], self.centers, self.x[block].T, alpha=-2).T  # (b, k)
        distances = (products + self.norms[block, None]).clamp_(min=0).sqrt_()
        self.upper[block], labels = distances.min(1)
        self.lower[block] = distances.scatter_(1, labels[:, None], torch.inf)
        return labels

    def _compare_some(self, block: slice) -> Tensor:
        """Labels of these rows, with the distances that the bounds leave open."""
        upper, lower, drift, labels = self.upper[block], self.lower[block], self.drift, self.labels[block]
        bounds = lower - drift
        rows = (upper + drift[labels] >= bounds.amin(1)).nonzero()[:, 0]
        if not len(rows):
            return labels
        x, norms, bounds, old = self.x[block], self.norms[block], bounds[rows], labels[rows]
        own = self._distances(x, norms, rows, old)
        which, k = (bounds < own[:, None]).nonzero(as_tuple=True)
        self.spent += _ALONE * (len(rows) + len(which))
        others = self._distances(x, norms, rows[which], k)
        lower[rows[which], k] = others + drift[k]
        bounds[which, k] = others
        nearest = bounds.amin(1)
        changed = (nearest < own).nonzero()[:, 0]
        new = old.clone()
        new[changed] = bounds[changed].argmin(1)
        upper[rows] = torch.minimum(own, nearest) - drift[new]
        rows, old, new = rows[changed], old[changed], new[changed]
        lower[rows, old] = own[changed] + drift[old]
        lower[rows, new] = torch.inf
        return labels.index_copy(0, rows, new)

    def _distances(self, x: Tensor, norms: Tensor, rows: Tensor, k: Tensor) -> Tensor:
        """Distances of x[rows] to centers[k], pair by pair, rows in rising order (m,) -> (m,)."""
        # The products of pairs are a matrix product "sampled" at a sparse pattern: neither rows nor centers are copied.
        ends = torch.bincount(rows, minlength=len(x)).cumsum(0)
        with warnings.catch_warnings():  # PyTorch calls its sparse matrices a beta
            warnings.simplefilter("ignore", UserWarning)
            pattern = torch.sparse_csr_tensor(
                torch.cat([ends.new_zeros(1), ends]), k, norms.new_zeros(len(k)), (len(x), len(self.centers)),
                check_invariants=False,
            )  # fmt: skip
            products = torch.sparse.sampled_addmm(pattern, x, self.centers.T, beta=0).values()
        return (norms[rows] + self.squares[k] - 2 * products).clamp_(min=0).sqrt_()
