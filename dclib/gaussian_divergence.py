"""A divergence between two Gaussians, in closed form, as the clustering loss: what DCAN is compared with (Lim).

The appendix of the paper goes from the Euclidean distance (ABC, Song et al. 2013) to the Kullback-Leibler divergence of
two Gaussians (KLD) to the Jensen-Shannon divergence, which has no closed form and takes a discriminator (`dclib.dcan`).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from dclib.autoencoder import reconstruction_loss
from dclib.deep_clusterer import Monitor
from dclib.engine.training import Batch, descend, train
from dclib.engine.validation import check_choice
from dclib.gaussian_clusters import Clusters, GaussianClusterer
from dclib.networks import ClusteringModel

DIVERGENCES = ("euclidean", "kl")


def gaussian_kl(mean: Tensor, factors: Tensor, other_mean: Tensor, other_factors: Tensor) -> Tensor:
    """KL(N(m, A Aᵀ) ‖ N(μ, B Bᵀ)) = ½ (‖B⁻¹(m − μ)‖² + ‖B⁻¹A‖² − d) + log |B| − log |A| of n pairs of Gaussians (n,).

    Means (n, d); factors: standard deviations (n, d), or lower triangles (n, d, d). The norm of a matrix is Frobenius'.
    Equations 3 to 6 of the paper: of the mixture only the component that the sample is assigned to.
    """
    way = mean - other_mean
    if factors.ndim == 2:
        way, ratio = way / other_factors, factors / other_factors
        return (way.square() + ratio.square() - 1).sum(1) / 2 - ratio.log().sum(1)
    both = torch.linalg.solve_triangular(other_factors, torch.cat([way[:, :, None], factors], 2), upper=False)
    logs = (other_factors.diagonal(dim1=1, dim2=2) / factors.diagonal(dim1=1, dim2=2)).log().sum(1)
    return (both.square().sum((1, 2)) - way.shape[1]) / 2 + logs


def euclidean(z: Tensor, centers: Tensor) -> Tensor:
    """½ ‖z_i − μ_i‖² of n codes and the centers of their clusters (n,), the sum over the latent dimensions.

    Equation 2 (ABC), and the divergence above where both variances are one (Lemma 1). z, centers (n, d)
    """
    return (z - centers).square().sum(1) / 2


class GaussianDivergence(GaussianClusterer):
    """Draws the Gaussian of each sample to that of its cluster by their divergence, in closed form.

    Loss: mean over samples of the divergence + reconstruction_weight · mean squared reconstruction error. The encoder
    and nothing else is trained; the clusters follow it, one iteration of k-means or EM after each epoch or, with a
    `buffer_size`, at every step: all as in `DCAN`, whose discriminator the divergence replaces.

    "euclidean" is ABC (Song et al. 2013): ½ ‖z − μ_c‖², c the cluster of the sample. `DCRA(noise=0)` is ABC too, but
    with ‖z − μ_c‖², a decoder that learns, and clusters that move until nothing changes, not by one iteration.

    "kl" is KLD: KL(N(z, Σ) ‖ N(μ_c, Σ_c)). A plain encoder gives the mean z of its Gaussian and no Σ, and no other term
    of the loss depends on Σ; so it gets its best value, Σ_c, which leaves half the squared Mahalanobis distance to the
    center. (Lim's earlier paper on this loss has a variational autoencoder, whose encoder learns Σ.)

    Either loss falls while the codes gather at their centers, and the clusters follow: it is the decoder (as it was at
    the start) that keeps the codes from shrinking. "euclidean" is in squared units of the codes, "kl" has none.

    What is not listed here is as in `dclib.gaussian_clusters.GaussianClusterer` and in
    `dclib.deep_clusterer.DeepClusterer`.

    Parameters
    ----------
    divergence : "euclidean" or "kl".
    reconstruction_weight : of the mean squared error (over features and samples). The default is for "kl" and images in
        [0, 1]; "euclidean" takes about 10 where the codes have a variance of about 1 in each dimension.
    """

    def __init__(
        self, n_clusters=10, *, autoencoder=None, init="k-means", n_init=20, clustering="k-means", divergence="kl",
        reconstruction_weight=1000.0, update_interval=1000, buffer_size=None, epochs=10, batch_size=256,
        learning_rate=1e-4, optimizer="adam", momentum=0.9, callbacks=None, device="auto", precision="auto",
        random_state=None,
    ):  # fmt: skip
        self.n_clusters, self.autoencoder, self.init, self.n_init = n_clusters, autoencoder, init, n_init
        self.clustering, self.divergence, self.reconstruction_weight = clustering, divergence, reconstruction_weight
        self.update_interval, self.buffer_size = update_interval, buffer_size
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.optimizer, self.momentum, self.callbacks = optimizer, momentum, callbacks
        self.device, self.precision, self.random_state = device, precision, random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice("divergence", self.divergence, DIVERGENCES)

    def _train(self, data, network, centers, fabric, seed) -> None:
        anchor = copy.deepcopy(network).eval().requires_grad_(False)  # its decoder stays as it is
        clusters, monitor = Clusters(self, data, network, centers, fabric, seed), Monitor(self.n_clusters)
        joint = ClusteringModel(network, centers, decode=False)
        encoder, optimizer = fabric.setup(joint, self._make_optimizer([network], self.learning_rate))

        def refresh() -> dict[str, float]:
            z = clusters.follow()
            return monitor(z, clusters.labels)

        def step(batch: Batch) -> dict[str, Tensor]:
            z = encoder(batch.x)[0]
            c = clusters.of(batch, z.detach())
            means, factors = clusters.means[c], clusters.factors[c]
            if self.divergence == "euclidean":
                loss = divergence = euclidean(z, means).mean()
            else:
                loss = divergence = gaussian_kl(z, factors, means, factors).mean()
            if self.reconstruction_weight:
                with fabric.autocast():
                    error = reconstruction_loss(anchor.decode(z).float(), batch.x)
                loss = divergence + self.reconstruction_weight * error
            descend(fabric, optimizer, loss, batch)
            return {"loss": loss, "divergence": divergence}

        state = {"encoder": encoder, "optimizer": optimizer, **clusters.state()}
        train(self, step, data, fabric=fabric, state=state, seed=seed, refresh=refresh, replay=joint)
