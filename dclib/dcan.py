"""DCAN: deep clustering with a discriminator in place of a divergence (Lim)."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from dclib.autoencoder import reconstruction_loss
from dclib.deep_clusterer import Monitor
from dclib.engine.device import seeded
from dclib.engine.rows import Rows
from dclib.engine.training import Batch, descend, train
from dclib.engine.validation import check_number
from dclib.gaussian_clusters import Clusters, GaussianClusterer
from dclib.networks import ClusteringModel, Discriminator

_POSITIVE = 0.9  # the draws' target: a discriminator that is never sure goes on teaching (Salimans et al. 2016)
_BETAS = (0.5, 0.99)  # of Adam: less momentum, since each network's aim moves with the other (Radford et al. 2016)


def draw(means: Tensor, factors: Tensor, clusters: Tensor, noise: Tensor) -> Tensor:
    """μ_c + A_c ε: one draw from each sample's cluster, ε standard normal. clusters (n,), noise (n, d) -> (n, d)

    means (k, d); factors: standard deviations (k, d), or lower triangles (k, d, d) with the covariances A Aᵀ.
    """
    spread = factors[clusters]
    spread = spread * noise if spread.ndim == 2 else torch.einsum("nij,nj->ni", spread, noise)
    return means[clusters] + spread


def discriminator_loss(drawn: Tensor, encoded: Tensor, positive: float = 1.0) -> Tensor:
    """−E[log D(drawn)] − E[log(1 − D(encoded))] from logits (n,): what the discriminator minimises. Means over samples.

    The cross-entropy with target 1 for draws and 0 for codes; below 1, `positive` is the draws' target. With target 1,
    the least value over all discriminators is 2 log 2 − 2 JSD(draws, codes), between 0 and 2 log 2 (Lemma 2).
    """
    draws = positive * softplus(-drawn) + (1 - positive) * softplus(drawn)
    return draws.mean() + softplus(encoded).mean()


def encoder_loss(encoded: Tensor) -> Tensor:
    """−E[log D(encoded)] from logits (n,), mean over samples: the cross-entropy with the *other* target, 1, for codes.

    This "non-saturating" form has the same optimum as minimising E[log(1 − D(encoded))], but still a slope where the
    discriminator is sure (Goodfellow et al. 2014, section 3).
    """
    return softplus(-encoded).mean()


class _Game:
    """Equation (1), played in turns: the `discriminator_step`, the `encoder_step`; and the `clusters` follow."""

    def __init__(self, method: DCAN, data: Rows, network, centers: torch.nn.Parameter, fabric, seed: int):
        self.method, self.fabric = method, fabric
        with seeded(seed):
            self.discriminator = Discriminator(centers.shape[1], method.n_clusters if method.conditional else 0)
        self.discriminator.to(fabric.device)
        optimizer = method._make_optimizer([self.discriminator], method.discriminator_learning_rate, _BETAS)
        self.judge, self.judge_optimizer = fabric.setup(self.discriminator, optimizer)
        self.anchor = copy.deepcopy(network).eval().requires_grad_(False)  # its decoder stays as it is
        self.clusters = Clusters(method, data, network, centers, fabric, seed)
        self.joint = ClusteringModel(network, centers, decode=False)
        optimizer = method._make_optimizer([network], method.learning_rate, _BETAS)
        n_steps = method.epochs * -(-len(data) // method.batch_size)
        self.schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, n_steps)
        self.encoder, self.optimizer = fabric.setup(self.joint, optimizer)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        z = self.encoder(batch.x)[0]
        c = self.clusters.of(batch, z.detach())
        judging = self.discriminator_step(z.detach(), c, batch)
        loss, fooling = self.encoder_step(z, c, batch)
        return {"loss": loss, "encoder": fooling, "discriminator": judging}

    def discriminator_step(self, z: Tensor, c: Tensor, batch: Batch) -> Tensor:
        """The discriminator learns to tell draws from the clusters c (b,), positive, from the codes z (b, d)."""
        noise = self.method.spread * batch.randn(z.shape[1])
        drawn = draw(self.clusters.means, self.clusters.factors, c, noise)
        logits, slopes = self.judge(self.clusters.standardized(torch.cat([drawn, z])), c.repeat(2))
        loss = discriminator_loss(logits[: len(z)], logits[len(z) :], _POSITIVE)
        descend(self.fabric, self.judge_optimizer, loss + self.method.gradient_penalty / 2 * slopes.mean(), batch)
        return loss

    def encoder_step(self, z: Tensor, c: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The encoder learns to be taken for a draw, with codes that can be decoded -> its loss, the game's part."""
        # Past Fabric's wrapper and with frozen weights: this step is the encoder's alone, in all processes.
        self.discriminator.requires_grad_(False)
        with self.fabric.autocast():
            loss = fooling = encoder_loss(self.discriminator.logits(self.clusters.standardized(z), c).float())
            if self.method.reconstruction_weight:
                error = reconstruction_loss(self.anchor.decode(z).float(), batch.x)
                loss = fooling + self.method.reconstruction_weight * error
        descend(self.fabric, self.optimizer, loss, batch)
        self.discriminator.requires_grad_(True)
        self.schedule.step()
        return loss, fooling

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        return {
            "encoder": self.encoder, "optimizer": self.optimizer, "schedule": self.schedule,
            "discriminator": self.judge, "judge_optimizer": self.judge_optimizer, **self.clusters.state(),
        }  # fmt: skip


class DCAN(GaussianClusterer):
    """Makes the codes of a cluster look like draws from a Gaussian at its center, which a discriminator judges.

    Each sample x has its cluster c, from k-means or a Gaussian mixture in the latent space. The discriminator D learns
    to tell draws z* ~ N(μ_c, spread² Σ_c), positive, from the codes z = f(x), negative; the encoder f learns to be
    taken for a draw. Equation (1) of the paper, as its appendix explains it (equation 10, Lemma 2):

        min over f, max over D:  E[log D(z*)] + E[log(1 − D(z))]  =  2 JSD − 2 log 2  at the best D.

    The encoder's loss: −E[log D(z)] + reconstruction_weight · mean squared reconstruction error, means over samples.
    The clusters follow the encoder: after each epoch one iteration of k-means or EM (the paper's "clustering iteration"
    of one) on the codes of all samples; or, with `buffer_size=600`, at every step of the discriminator on the newest
    codes, as the paper says ("at least 600 points"). With a `spread` below 1, a cluster that its codes have filled gets
    narrower each time, and samples between two clusters have to choose.

    The text that we have of the paper lost its formulas, activations, layer sizes, batch size and learning rates. We
    read equation (1) as the binary cross-entropy, for both networks: in the discriminator's step with target 0.9 for
    draws (one-sided label smoothing, Salimans et al. 2016) and 0 for codes, in the encoder's step with target 1 for
    codes; the discriminator as two tanh layers with a sigmoid output, which here is inside the loss. Where
    the paper says nothing, we chose: to start from an autoencoder; to keep the codes decodable by its decoder, as it
    is (`reconstruction_weight=0`: without); to tell the discriminator the cluster (`conditional=False`: one that
    does not know it can only ask that all codes together look like the mixture, wherever each sample belongs); a
    penalty on its slope (`gradient_penalty=0`: without).

    What is not listed here is as in `dclib.gaussian_clusters.GaussianClusterer` and in
    `dclib.deep_clusterer.DeepClusterer`.

    Parameters
    ----------
    conditional : whether the discriminator is told the cluster.
    spread : standard deviation of the draws, as a share of their cluster's; the paper's draws have 1. With 0 each is
        its cluster's center.
    reconstruction_weight : of the mean squared error; keeps the codes decodable.
    gradient_penalty : half of it times the mean of ‖∇ logit‖² over draws and codes, in units of the codes' width, is
        added to the discriminator's loss. Without it, the slope grows without end where it can tell the two for sure
        (few samples that it knows by heart, narrow clusters), and drives the codes astray (Mescheder et al. 2018).
        Raise it for one or two thousand samples.
    learning_rate : the encoder's at the start; it falls linearly to zero, so that the game comes to rest.
    discriminator_learning_rate : constant. Both players have the same kind of `optimizer`, Adam with the betas (0.5,
        0.99); the paper's is gradient ascent with momentum, "sgd", at learning rates that are lost.
    """

    def __init__(
        self, n_clusters=10, *, autoencoder=None, init="k-means", n_init=20, clustering="k-means", conditional=True,
        spread=0.5, reconstruction_weight=1.0, gradient_penalty=0.1, update_interval=1000, buffer_size=None, epochs=10,
        batch_size=256, learning_rate=1e-4, discriminator_learning_rate=1e-3, optimizer="adam", momentum=0.9,
        callbacks=None, device="auto", precision="auto", random_state=None,
    ):  # fmt: skip
        self.n_clusters, self.autoencoder, self.init, self.n_init = n_clusters, autoencoder, init, n_init
        self.clustering, self.conditional, self.spread = clustering, conditional, spread
        self.reconstruction_weight, self.gradient_penalty = reconstruction_weight, gradient_penalty
        self.update_interval, self.buffer_size = update_interval, buffer_size
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.discriminator_learning_rate = discriminator_learning_rate
        self.optimizer, self.momentum, self.callbacks = optimizer, momentum, callbacks
        self.device, self.precision, self.random_state = device, precision, random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not isinstance(self.conditional, (bool, np.bool_)):
            raise ValueError(f"conditional={self.conditional!r} must be True or False.")
        check_number("spread", self.spread, 0)
        check_number("gradient_penalty", self.gradient_penalty, 0)
        check_number("discriminator_learning_rate", self.discriminator_learning_rate, 0, open_low=True)

    def _train(self, data, network, centers, fabric, seed) -> None:
        game, monitor = _Game(self, data, network, centers, fabric, seed), Monitor(self.n_clusters)

        def refresh() -> dict[str, float]:
            z = game.clusters.follow()
            return monitor(z, game.clusters.labels)

        state = game.state()
        train(self, game.step, data, fabric=fabric, state=state, seed=seed, refresh=refresh, replay=game.joint)
