"""Clusters that are Gaussians and follow an encoder, as DCAN and its closed forms have them (Lim, section 2.1)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dclib.deep_clusterer import DeepClusterer, encode_all
from dclib.engine.rows import Rows
from dclib.engine.training import Batch
from dclib.engine.validation import check_choice, check_number
from dclib.gmm import GaussianMixture, Mixture, em_step, log_joint
from dclib.kmeans import assign

CLUSTERINGS = ("k-means", "gmm")
# Added to the clusters' variances, as a share of the codes' mean variance: clusters that get narrower come to rest.
_FLOOR = 0.02


def move_clusters(z: Tensor, clusters: Mixture, clustering: str) -> Mixture:
    """One iteration of k-means or EM on the codes z (n, d). A cluster without samples stays where it is.

    For k-means, too, a cluster has a width: the standard deviations of its codes along the axes.
    """
    if clustering == "gmm":
        return em_step(z, clusters, "full", _floor(z))[0]
    return em_step(z, clusters, "diag", _floor(z), assign(z, clusters.means.float())[0])[0]


def _floor(z: Tensor) -> float:
    # What equal codes differ by in float32 is no width either.
    return _FLOOR * float(z.var(0, correction=0).mean()) + 1e-6 * float(z.square().mean()) + 1e-12


class Clusters:
    """The clusters during training: they follow the encoder by `method.clustering`, one iteration at a time.

    On the codes of all samples, every `method.update_interval` steps and after each epoch; or, where the method has a
    `buffer_size`, at every step on the newest codes, as each was when its batch came.
    """

    means: Tensor  # (k, d), float32 on the device: the parameter `centers`
    factors: Tensor  # standard deviations (k, d) or lower triangles (k, d, d)
    labels: Tensor  # of all samples (n,)

    def __init__(self, method: GaussianClusterer, data: Rows, network, centers: torch.nn.Parameter, fabric, seed: int):
        self.method, self.data, self.network, self.means, self.fabric = method, data, network, centers, fabric
        centers.requires_grad_(False)  # they follow the codes, no gradient
        z = self._encode()
        self.mixture = method._start_clusters(z, centers)
        self.steps = torch.tensor(0)  # since the clusters moved
        self.buffer = None
        if method.buffer_size is not None:
            some = torch.randperm(len(z), generator=torch.Generator().manual_seed(seed))[: method.buffer_size]
            self.buffer = z.cpu()[some]

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must hold."""
        buffer = {} if self.buffer is None else {"buffer": self.buffer}
        return {"steps": self.steps, **self.mixture._asdict(), **buffer}

    def of(self, batch: Batch, z: Tensor) -> Tensor:
        """The clusters (b,) of a batch with the codes z (b, d), after they have moved if it is time."""
        if self.buffer is not None:
            self.buffer.copy_(torch.cat([self.buffer, self._all_of(batch, z).cpu()])[-len(self.buffer) :])
            self._move(self.buffer)
            return self._nearest(z)
        if self.steps == self.method.update_interval:
            self.follow()
        self.steps.add_(1)
        return self.labels[batch.rows]

    def follow(self) -> Tensor:
        """Follow the encoder -> the codes z (n, d) of all samples. (A buffer has been followed all the time.)"""
        z = self._encode()
        if self.steps > 0:  # not before the first step, nor where a checkpoint is taken up
            self._move(z)
            self.steps.zero_()
        else:
            self._show(z)
        self.labels = self._nearest(z)
        return z

    def _move(self, z: Tensor) -> None:
        for old, new in zip(self.mixture, move_clusters(z.cpu(), self.mixture, self.method.clustering)):
            old.copy_(new)
        self._show(z)

    def _show(self, z: Tensor) -> None:
        self.method._publish_clusters(self.mixture)
        self.means.copy_(self.mixture.means)
        self.factors = self.mixture.factors.to(self.means)
        self.shift, self.scale = z.mean(0).to(self.means), z.var(0, correction=0).mean().sqrt().to(self.means) + 1e-12

    def standardized(self, z: Tensor) -> Tensor:
        """Codes of about zero mean and unit variance."""
        return (z - self.shift) / self.scale

    def _encode(self) -> Tensor:
        with self.fabric.autocast():
            return encode_all(self.network, self.data, self.fabric)

    def _nearest(self, z: Tensor) -> Tensor:
        return torch.from_numpy(self.method._nearest(z.cpu().numpy())).to(z.device)

    def _all_of(self, batch: Batch, z: Tensor) -> Tensor:
        """The codes of the whole batch, of which z is this process's share."""
        if len(z) == batch.size:
            return z
        whole = z.new_zeros(batch.size, z.shape[1])
        whole[batch.start : batch.start + len(z)] = z
        return self.fabric.all_reduce(whole, reduce_op="sum")


class GaussianClusterer(DeepClusterer):
    """Base of the joint methods whose clusters are Gaussians.

    What is not listed here is as in `dclib.deep_clusterer.DeepClusterer`.

    Parameters
    ----------
    clustering : "k-means" (a cluster's standard deviations along the axes) or "gmm" (full covariances).
    update_interval : steps between two updates of the clusters on the codes of all samples inside an epoch; one is made
        after each in any case. An update is one iteration of k-means or EM.
    buffer_size : None, or as many of the newest codes as the clusters are updated on, then at every step. The paper
        asks for at least 600. (These updates run on the CPU: a GPU waits for them.)

    Attributes
    ----------
    weights_ (k,) : shares of the clusters, factors_ : their standard deviations (k, d), or for "gmm" lower triangles
    (k, d, d) of the covariances A Aᵀ.
    """

    def _check_parameters(self) -> None:
        check_choice("clustering", self.clustering, CLUSTERINGS)
        check_number("reconstruction_weight", self.reconstruction_weight, 0)
        check_number("update_interval", self.update_interval, 1, integer=True)
        if self.buffer_size is not None:
            check_number("buffer_size", self.buffer_size, self.n_clusters, integer=True)

    def _start_clusters(self, z: Tensor, centers: Tensor) -> Mixture:
        """The clusters around the centers that training starts from: as they are, or the mixture that EM finds."""
        if self.clustering == "gmm":
            # From given means nothing is drawn; with a seed, NumPy's global generator is left alone, too.
            start = GaussianMixture(
                self.n_clusters, init=centers.cpu().numpy(), reg_covar=_floor(z), device=z.device, random_state=0
            )
            start.fit(z.cpu().numpy())
            values = (start.weights_, start.means_, start.cholesky_)
            clusters = Mixture(*(torch.from_numpy(value).double() for value in values))
        else:
            unit = torch.ones(centers.shape, dtype=torch.float64)
            clusters = Mixture(unit[:, 0] / len(unit), centers.cpu().double(), unit)
            clusters = move_clusters(z.cpu(), clusters, self.clustering)
        self._publish_clusters(clusters)
        self.start_labels_ = self._nearest(z.cpu().numpy())
        return clusters

    def _publish_clusters(self, clusters: Mixture) -> None:
        self._publish(clusters.means.float())
        self.weights_, self.factors_ = (value.float().numpy() for value in (clusters.weights, clusters.factors))

    def _nearest(self, z: np.ndarray) -> np.ndarray:
        if self.clustering == "k-means":
            return super()._nearest(z)
        values = (self.weights_, self.cluster_centers_, self.factors_)
        mixture = Mixture(*(torch.from_numpy(value).double() for value in values))
        return log_joint(torch.from_numpy(z), mixture).argmax(1).numpy()

    def predict(self, X) -> np.ndarray:
        """Cluster of each sample (n,): that of the nearest center, or the mixture's most probable component."""
        return super().predict(X)
