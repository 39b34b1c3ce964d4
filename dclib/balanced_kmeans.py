"""K-means with clusters of equal size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dclib.kmeans import squared_distances


def balanced_kmeans(
    z: Tensor, centers: Tensor, temperatures: Sequence[float] = (0.2, 0.1, 0.05, 0.02)
) -> tuple[Tensor, float]:
    """K-means with clusters of equal size, from these centers -> centers (k, d), loss (mean over the rows). z: (n, d)

    The assignment is an entropic transport plan between samples and clusters with equal cluster shares (Cuturi 2013,
    "Sinkhorn distances"). Its entropy falls with the temperature, in units of the variance of z; from a high one the
    end depends little on the start.
    """
    z, centers = z.double(), centers.double()
    n_clusters, scale = len(centers), torch.ones(len(centers), dtype=torch.float64, device=z.device)
    variance = z.var(0, correction=0).sum() + torch.finfo(z.dtype).tiny
    for temperature in temperatures:
        for _ in range(12):
            distances = squared_distances(z, centers) / (temperature * variance)
            kernel = torch.exp(distances.min(1, keepdim=True).values - distances)  # (n, k), largest entry of a row is 1
            for _ in range(30):  # Sinkhorn: alternately make the rows sum to one and the columns to n / k
                scale = len(z) / n_clusters / ((1 / (kernel @ scale)) @ kernel)
            plan = kernel * scale
            plan /= plan.sum(1, keepdim=True)
            centers = plan.T @ z / plan.sum(0)[:, None]
    loss = float((plan * squared_distances(z, centers)).sum() / len(z))
    return centers.float(), loss


def balanced_start(x: Tensor, n_clusters: int, generator: torch.Generator) -> tuple[Tensor, float]:
    """`balanced_kmeans` of x (n, d) from random samples -> centers (k, d), loss."""
    return balanced_kmeans(x, x[torch.randperm(len(x), generator=generator)[:n_clusters].to(x.device)])
