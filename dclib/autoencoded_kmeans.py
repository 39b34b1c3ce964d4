"""Autoencoded k-means: an autoencoder and the centers of its hidden state, trained as one (Samplawski)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dclib.autoencoder import Autoencoder, reconstruction_loss
from dclib.deep_clusterer import DeepClusterer, Monitor, encode_all
from dclib.engine.training import Batch, descend, train
from dclib.engine.validation import check_number
from dclib.kmeans import assign, squared_distances
from dclib.networks import ClusteringModel


def kmeans_loss(z: Tensor, centers: Tensor, share_ties: bool = False) -> Tensor:
    """½ ‖h_i − c_{h_i}‖², c_{h_i} the center nearest to h_i: sum over the latent dimensions, mean over the batch.

    Second term of equation 10. Its gradient moves h_i and its own center towards each other (equation 9) and leaves the
    other centers alone. Of centers that are equally near, the first one is its own, or all are, with equal shares of
    the gradient (`share_ties`, as TensorFlow's minimum has it). z (n, d), centers (k, d) -> scalar
    """
    if share_ties:
        return squared_distances(z.float(), centers).amin(1).mean() / 2
    nearest, _ = assign(z.detach(), centers.detach())
    return (z - centers[nearest]).square().sum(1).mean() / 2


def pseudo_identity(n_clusters: int, latent_dim: int) -> Tensor:
    """Centers (k, latent_dim) with ones on the diagonal: the paper's start. Beyond k = latent_dim all are zero."""
    return torch.eye(n_clusters, latent_dim)


class AutoencodedKMeans(DeepClusterer):
    """Trains an autoencoder and k-means on its hidden state h at once, both by gradient.

    Loss: 1/N Σ 1/F ‖x_i − x'_i‖² + clustering_weight · 1/N Σ ½ ‖h_i − c_{h_i}‖², that is the mean squared error of the
    reconstruction (over features and samples) and half the squared distance to the nearest center (sum over the latent
    dimensions, mean over samples); equation 10 where clustering_weight is 1. The first term is in squared units of X,
    the second grows with the number and the scale of the hidden units, and shrinking them lowers it while growing
    weights of the decoder keep the first as it is. A strong second term merges the clusters: for many epochs all
    samples are in a few, or in one.

    What is not listed here is as in `dclib.deep_clusterer.DeepClusterer`.

    Parameters
    ----------
    n_clusters : the paper takes 10 times the number of classes; score with V, ARI or AMI then, not with ACC.
    autoencoder : None trains the paper's network, x -> tanh hidden layer -> linear output, with 256 hidden units.
    init : "k-means", "balanced" : trained autoencoder, centers from its codes. "identity", the paper's own start: the
        centers are the pseudo-identity matrix and the network is untrained (a fitted autoencoder is taken as it is).
    noise : standard deviation of Gaussian noise on the input, in the units of X. Above 0 it makes a denoising model:
        input x + noise, target the clean x of the same sample.
    noise_range : (lowest, highest) value that a noisy input is clipped to, as in the paper's section 5.4, where pixels
        stay within (0, 255); None clips nothing, since X need not be pixels.
    clustering_weight : of the k-means term. For tanh units and X in [0, 1] about 0.03 keeps half of the clusters and
        lets the others go; 1, as printed, leaves a handful. For X in other units multiply it by their square.
    share_ties : True lets centers that are equally near to a code share its gradient, False gives it to the first one.
        It matters at the "identity" start: saturated units are as near to one half of the centers as to another.
    """

    _inits = ("k-means", "balanced", "identity")

    def __init__(
        self, n_clusters=100, *, autoencoder=None, init="k-means", n_init=3, noise=0.0, noise_range=None,
        clustering_weight=0.03, share_ties=False, epochs=15, batch_size=100, learning_rate=1e-3, optimizer="adam",
        momentum=0.9, callbacks=None, device="auto", precision="auto", random_state=None,
    ):  # fmt: skip
        self.n_clusters, self.autoencoder, self.init, self.n_init = n_clusters, autoencoder, init, n_init
        self.noise, self.noise_range, self.clustering_weight = noise, noise_range, clustering_weight
        self.share_ties = share_ties
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.optimizer, self.momentum, self.callbacks = optimizer, momentum, callbacks
        self.device, self.precision, self.random_state = device, precision, random_state

    def _check_parameters(self) -> None:
        check_number("noise", self.noise, 0)
        check_number("clustering_weight", self.clustering_weight, 0)
        if self.noise_range is not None:
            low, high = self.noise_range if np.size(self.noise_range) == 2 else (0, 0)
            if not low < high:
                raise ValueError(
                    f"noise_range={self.noise_range!r} must be None or (lowest, highest) value of a noisy input, such "
                    "as (0, 255)."
                )

    def _default_autoencoder(self, **options) -> Autoencoder:
        return Autoencoder(256, network="shallow", activation="tanh", noise=self.noise, **options)

    def _train_autoencoder(self, autoencoder: Autoencoder, x) -> Autoencoder:
        if self.init == "identity":
            autoencoder._initialize(x)
            return autoencoder
        return super()._train_autoencoder(autoencoder, x)

    def _start_centers(self, z, generator) -> Tensor:
        if self.init == "identity":
            return pseudo_identity(self.n_clusters, z.shape[1])
        return super()._start_centers(z, generator)

    def _train(self, data, network, centers, fabric, seed) -> None:
        joint = ClusteringModel(network, centers, decode=True)
        model, optimizer = fabric.setup(joint, self._make_optimizer([joint], self.learning_rate))
        monitor = Monitor(self.n_clusters)

        def refresh() -> dict[str, float]:
            self._publish(centers)
            z = encode_all(network, data, fabric)
            return monitor(z, assign(z, centers.detach())[0])

        def step(batch: Batch) -> dict[str, Tensor]:
            noisy = batch.x + self.noise * batch.randn(*batch.x.shape[1:]) if self.noise else batch.x
            if self.noise and self.noise_range is not None:
                noisy = noisy.clamp(*self.noise_range)
            z, reconstruction, means = model(noisy)
            decoding, clustering = reconstruction_loss(reconstruction, batch.x), kmeans_loss(z, means, self.share_ties)
            loss = decoding + self.clustering_weight * clustering
            descend(fabric, optimizer, loss, batch)
            return {"loss": loss, "reconstruction": decoding, "kmeans": clustering}

        state = {"network": network, "centers": centers, "optimizer": optimizer}
        train(self, step, data, fabric=fabric, state=state, seed=seed, refresh=refresh, replay=joint)
