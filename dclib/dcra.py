"""DCRA, deep clustering with a robust autoencoder (Lee, Wang and Rizzo)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dclib.autoencoder import Autoencoder
from dclib.deep_clusterer import DeepClusterer, Monitor, encode_all
from dclib.engine.training import Batch, descend, train
from dclib.engine.validation import check_number
from dclib.kmeans import lloyd, update


def squared_error(reconstruction: Tensor, target: Tensor) -> Tensor:
    """L1 = 1/n Σ ‖x_i − x̂_i‖²: sum over the features, mean over the batch. Both (n, *input_shape) -> scalar"""
    return (reconstruction - target).square().flatten(1).sum(1).mean()


def kmeans_loss(z: Tensor, centers: Tensor) -> Tensor:
    """L2 = 1/n Σ ‖z_i − o_i‖², o_i the center of sample i: sum over the latent dimensions, mean over the batch.

    Printed with x_i for z_i; but the centers are means of codes (algorithm 2), so only codes compare with them.
    z, centers (n, d) -> scalar
    """
    return (z - centers).square().sum(1).mean()


def settle(z: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """Lloyd's algorithm from these centers to its end (at most 300 iterations) -> centers (k, d), labels (n,).

    From its end it stays there.
    `lloyd` takes its means from sums that go on from step to step, whose last digits depend on the way: these are made
    anew, so that a training that is taken up again starts from the same numbers.
    """
    ended, labels, _ = lloyd(z, centers)
    means, counts = update(z, labels, len(centers), torch.ones_like(z[:, 0]))
    return torch.where(counts[:, None] > 0, means, ended), labels


class DCRA(DeepClusterer):
    """Reconstructs the clean sample from a noisy one while it draws the noisy sample's code to a center.

    Loss, with x̄ = x + noise, codes z = g(x̄) and reconstructions x̂ = f(z): L = λ L1 + (1 − λ) L2,
    L1 = 1/n Σ ‖x_i − x̂_i‖² and L2 = 1/n Σ ‖z_i − o_i‖², both sums over dimensions and means over samples.
    Before the first epoch and after each, algorithm 2 runs on the codes of all clean samples, until nothing changes (at
    most 300 iterations): each sample gets the nearest center, each center becomes the mean of its codes. In between,
    centers and assignments stay, and the optimizer trains the network: a sample's noisy code goes to the center of its
    clean one.

    With `noise=0` it is ABC (Song et al. 2013; Lim's equation 2), except that the clusters take as many iterations of
    Lloyd's algorithm as they need, where ABC takes one (`dclib.gaussian_divergence` has it with one).

    How we read the paper: L2 is printed with x where only z can be meant. The table's dim_h = 40, "the size of hidden
    layers", does not say of which layers, and the size of the code is not printed. The table has the entries of public
    code of Wasserstein autoencoders: so 40 is probably the first width of convolutions that double it from layer to
    layer, with a code of 20 numbers, `Autoencoder(20, network="conv-bn", noise=1.0)`. This is an inference; network and
    code are left to the `autoencoder`. Its sigma = 1.0 is called variance; for 1.0 this is the standard deviation, too.

    What is not listed here is as in `dclib.deep_clusterer.DeepClusterer`.

    Parameters
    ----------
    autoencoder : None trains a default one with the same `noise`. One of your own should be trained with it, too.
    init : "k-means" or "balanced".
    reconstruction_share : λ in [0, 1]; the paper prints 0.01. Where L1 is a mean over F features, as the code of others
        has it, the same balance takes F times as large a ratio λ / (1 − λ).
    noise : standard deviation of the Gaussian noise, in the units of X; the paper's 1.0 buries pixels in [0, 1].
    """

    _inits = ("k-means", "balanced")

    def __init__(
        self, n_clusters=10, *, autoencoder=None, init="k-means", n_init=20, reconstruction_share=0.5, noise=0.3,
        epochs=25, batch_size=256, learning_rate=2e-4, optimizer="adam", momentum=0.9, callbacks=None, device="auto",
        precision="auto", random_state=None,
    ):  # fmt: skip
        self.n_clusters, self.autoencoder, self.init, self.n_init = n_clusters, autoencoder, init, n_init
        self.reconstruction_share, self.noise, self.epochs = reconstruction_share, noise, epochs
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self.optimizer, self.momentum, self.callbacks = optimizer, momentum, callbacks
        self.device, self.precision, self.random_state = device, precision, random_state

    def _check_parameters(self) -> None:
        check_number("reconstruction_share", self.reconstruction_share, 0, 1)
        check_number("noise", self.noise, 0)

    def _default_autoencoder(self, **options) -> Autoencoder:
        return Autoencoder(noise=self.noise, **options)

    def _train(self, data, network, centers, fabric, seed) -> None:
        model, optimizer = fabric.setup(network, self._make_optimizer([network], self.learning_rate))
        monitor = Monitor(self.n_clusters)
        assigned = torch.empty(len(data), dtype=torch.long, device=fabric.device)

        def refresh() -> dict[str, float]:
            z = encode_all(network, data, fabric)
            # One process runs it for all. By way of the CPU: a pickled CUDA tensor would come back on the first GPU.
            found: Any = [t.cpu() for t in settle(z, centers.detach())] if fabric.is_global_zero else None
            means, labels = fabric.broadcast(found)
            centers.data.copy_(means)
            assigned.copy_(labels)
            self._publish(centers)
            return monitor(z, assigned.clone())

        def step(batch: Batch) -> dict[str, Tensor]:
            noisy = batch.x + self.noise * batch.randn(*batch.x.shape[1:])
            z, reconstruction = model(noisy)
            l1 = squared_error(reconstruction, batch.x)
            l2 = kmeans_loss(z, centers.detach()[assigned[batch.rows]])
            loss = self.reconstruction_share * l1 + (1 - self.reconstruction_share) * l2
            descend(fabric, optimizer, loss, batch)
            return {"loss": loss, "reconstruction": l1, "kmeans": l2}

        # The assignments follow from network and centers: Lloyd's algorithm stays where it has ended.
        state = {"network": network, "centers": centers, "optimizer": optimizer}
        train(self, step, data, fabric=fabric, state=state, seed=seed, refresh=refresh, replay=network)
