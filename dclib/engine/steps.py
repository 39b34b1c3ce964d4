"""What the ways to do the steps of Lloyd's algorithm share: labels, and the sums of the clusters that follow them."""

from __future__ import annotations

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

    def totals(self) -> tuple[Tensor, Tensor]:
        """For the M-step: weighted sums of the clusters (k, d) and their weights (k,)."""
        weights = self.sums.new_zeros(len(self.sums))
        for block in row_blocks(len(self.x), self.x.shape[1], self.sums.device):
            # By blocks: one by one a sum of float32 stays at 2^24.
            weights += cluster_weights(self.labels[block], len(weights), self.weight[block].to(weights.dtype))
        return self.sums, weights

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
            self.first = False
            return changed
        for block in row_blocks(len(rows), d):
            part, new = rows[block], labels[block]
            x, weight = self.x[part], self.weight[part]
            self.sums += cluster_sums(x, new, k, weight) - cluster_sums(x, self.labels[part], k, weight)
        self.labels[rows] = labels
        return len(rows)


def nonzero(which: Tensor) -> Tensor:
    """Where `which` (n,) is true -> (m,)."""
    if which.device.type != "cpu":
        return which.nonzero()[:, 0]
    return torch.from_numpy(np.flatnonzero(which.numpy()))  # takes a fifth of the time where little is true
