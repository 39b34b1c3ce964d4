"""Hamerly's bound: the steps of Lloyd's algorithm with the distances of the samples whose cluster is in doubt."""

from __future__ import annotations

import torch
from torch import Tensor

from dclib.engine.rows import Shifted, row_blocks
from dclib.engine.steps import PlainSteps, argmin, nonzero, partial_distances

# While more than this share of the labels changes in a step, the centers move so far that nearly all are in doubt.
_RESTLESS = 0.1


class HamerlySteps(PlainSteps):
    """E- and M-step of Lloyd's algorithm on x (n, d) for few features and many clusters (Hamerly 2010).

    Kept is, for each sample, one number: the gap between the distances to the second nearest center and to its own. If
    its own center moves by δ and no other one by more than Δ, the gap shrinks by δ + Δ at most (triangle inequality).
    While something of it is left, the sample keeps its center; else all its distances are computed.

    Labels and sums are those of `kmeans.assign` and `kmeans.update`, up to ties within rounding.
    """

    def __init__(self, x: Tensor | Shifted, weight: Tensor, n_clusters: int):
        super().__init__(x, weight, n_clusters)
        # A gap is kept with what the gaps of its cluster had lost until then: it holds while it is above all they lose.
        self.gap = torch.full_like(self.norms, -torch.inf)
        self.lost = torch.zeros(n_clusters, dtype=x.dtype)
        self.centers, self.restless = torch.empty(0), True

    def assign(self, centers: Tensor) -> Tensor:
        """E-step: updates `labels` -> loss and number of labels that changed (2,), float64."""
        if self.restless:
            found = super().assign(centers).double()
            self.restless = bool(found[1] > _RESTLESS * len(self.x))
        else:
            moved = (centers - self.centers).norm(dim=1)
            farthest, of = moved.topk(min(2, len(moved)))
            others = torch.full_like(moved, farthest[0]).index_fill_(0, of[:1], float(farthest[-1]))
            self.lost += moved + others
            rows = nonzero(self.gap <= self.lost.index_select(0, self.labels))
            blocks = row_blocks(len(rows), max(2 * len(centers), self.x.shape[1]))
            compared = [self._compare(rows[block], centers) for block in blocks]
            changed = self._move(*map(torch.cat, zip(*compared))) if compared else 0
            found = torch.stack([self.loss(centers), torch.tensor(changed, dtype=torch.float64)])
        self.centers = centers
        return found

    def reassign(self, labels: Tensor) -> None:
        """Take these labels (n,) instead, whether a center is near or not."""
        self.gap[labels != self.labels] = -torch.inf
        super().reassign(labels)

    def _compare(self, rows: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
        """All distances of these rows (b,): renews their gaps -> those that change their label, and to which."""
        norms, labels = self.norms.index_select(0, rows), self.labels.index_select(0, rows)
        distances = partial_distances(self.x.index_select(0, rows), centers).T  # (k, b)
        nearest = distances.amin(0)
        changed = nonzero(distances.gather(0, labels[None])[0] > nearest)
        new = argmin(distances.T[changed])
        labels[changed] = new
        second = distances.scatter_(0, labels[None], torch.inf).amin(0)
        first, second = ((partial + norms).clamp_(min=0).sqrt_() for partial in (nearest, second))
        self.gap.index_copy_(0, rows, second - first + self.lost.index_select(0, labels))
        return rows[changed], new
