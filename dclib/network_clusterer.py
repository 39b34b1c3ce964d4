"""The base of the methods whose clusters are the classes of a network that has no teacher but the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import ClusterMixin
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from dclib.engine.device import seeded
from dclib.engine.rows import map_network
from dclib.engine.saving import SavedEstimator
from dclib.engine.training import Batch
from dclib.engine.validation import check_choice, check_layers, check_x, warn, warn_of_spread
from dclib.networks import ConvClassifier, DenseClassifier

NETWORKS = {"dense": DenseClassifier, "conv": ConvClassifier}


def average_buffers(network: torch.nn.Module, fabric) -> None:
    """Give all processes the mean of their running means: each normalises its batches by its own share of them."""
    for buffer in network.buffers():
        if fabric.world_size > 1 and buffer.is_floating_point():
            buffer.copy_(fabric.all_reduce(buffer, reduce_op="mean"))


def dropout_draws(network: Any, batch: Batch, n_views: int = 1) -> Tensor | None:
    """What the network's dropout takes, for the batch's samples seen `n_views` times; None where nothing is dropped."""
    views = [batch.rand(network.n_draws) for _ in range(n_views if network.n_draws else 0)]
    return torch.cat(views) if views else None


class NetworkClusterer(ClusterMixin, SavedEstimator):
    """A subclass trains `network_`, which gives logits of the clusters (n, k)."""

    image_shape_: tuple[int, int, int] | None
    network_: torch.nn.Module

    def _untrained(self, kind: str, n_clusters: int, hidden, seed: int) -> torch.nn.Module:
        """Raises a ValueError where there is no such network for samples of this shape."""
        check_choice("network", kind, NETWORKS)
        check_layers("hidden", hidden)
        options = {} if hidden is None else {"hidden": tuple(hidden)}
        with seeded(seed):
            return NETWORKS[kind](self._input_shape, n_clusters, **options)

    def _start_network(self, kind: str, n_clusters: int, hidden, rows: np.ndarray, seed: int) -> Any:
        """Sets and returns an untrained `network_` for these rows; the same for the same seed."""
        self.network_ = self._untrained(kind, n_clusters, hidden, seed)
        warn_of_spread(rows)
        # Channels last, as the library's convolutions want them: a fifth to a third faster. `_finish` turns them back.
        return self.network_.to(memory_format=torch.channels_last)

    @property
    def _input_shape(self) -> tuple[int, ...]:
        return self.image_shape_ or (self.n_features_in_,)

    def predict_proba(self, X) -> np.ndarray:
        """Probability of each cluster (n, k), computed in float32."""
        return self._probabilities(check_x(self, X, reset=False))

    def predict(self, X) -> np.ndarray:
        """Cluster of each sample (n,): the most probable one."""
        return self.predict_proba(X).argmax(1)

    def _probabilities(self, rows: np.ndarray) -> np.ndarray:
        def probabilities(x: Tensor) -> Tensor:
            return self.network_(x).softmax(1)

        return map_network(self.network_, probabilities, rows, self._input_shape, self.device)

    def _finish(self, rows: np.ndarray, n_clusters: int) -> None:
        """Labels of the trained network, and the alarms: clusters without samples, one cluster with nearly all."""
        self.network_.eval().cpu().to(memory_format=torch.contiguous_format)
        self.labels_ = self._probabilities(rows).argmax(1)
        shares = np.bincount(self.labels_, minlength=n_clusters) / len(rows)
        if (found := int((shares > 0).sum())) < n_clusters:
            problem = f"Only {found} of {n_clusters} clusters have samples"
        elif n_clusters > 1 and shares.max() > 0.95:
            problem = f"One cluster owns {shares.max():.1%} of the samples"
        else:
            return
        warn(
            f"{type(self).__name__}: {problem}. Does X repeat a few samples? Else look at history_ for the epoch in "
            "which it happened, lower learning_rate, or try another start.",
            ConvergenceWarning,
        )
