"""DEC, deep embedded clustering: a clustering that teaches itself (Xie, Girshick and Farhadi 2016)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dclib.autoencoder import augmenter, reconstruction_loss
from dclib.deep_clusterer import DeepClusterer, Monitor, encode_all
from dclib.engine.training import Batch, descend, train
from dclib.engine.validation import check_number
from dclib.kmeans import squared_distances
from dclib.networks import ClusteringModel


def soft_assignment(z: Tensor, centers: Tensor, alpha: float = 1.0) -> Tensor:
    """q_ij ∝ (1 + ‖z_i − μ_j‖²/α)^(−(α+1)/2), rows sum to one (equation 1). z (n, d), centers (k, d) -> q (n, k)"""
    return torch.log1p(squared_distances(z, centers) / alpha).mul(-(alpha + 1) / 2).softmax(1)


def target_distribution(q: Tensor) -> Tensor:
    """p_ij ∝ q_ij² / f_j, f_j = Σ_i q_ij over the *whole* data set, rows sum to one (equation 3). (n, k) -> (n, k)"""
    # A large alpha lets q underflow: where it is zero for all samples, 0/0 would be.
    weight = q.square() / q.sum(0).clamp(min=torch.finfo(q.dtype).tiny)
    return weight / weight.sum(1, keepdim=True)


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    """KL(P‖Q) = Σ_j p_ij log(p_ij / q_ij): sum over clusters, mean over samples (equation 2). p, q (n, k) -> scalar"""
    q = q.clamp(min=torch.finfo(q.dtype).tiny)  # log and its slope p/q stay finite where q underflowed
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(1).mean()


class DEC(DeepClusterer):
    """Sharpens the soft assignment q of the codes towards its own target p, through the encoder and the centers.

    Loss: KL(P‖Q) + reconstruction_weight · mean squared reconstruction error; p is computed from all samples.

    What is not listed here is as in `dclib.deep_clusterer.DeepClusterer`.

    Parameters
    ----------
    alpha : degrees of freedom of Student's t.
    augment : False, True or a `RandomShiftRotate`: p from the clean images, q from augmented ones (Guo et al. 2018).
    reconstruction_weight : above 0 keeps the decoder in training (IDEC, Guo et al. 2017, whose γ is its inverse).
    update_interval : steps between two computations of p inside an epoch; one is made after every epoch in any case.
    tol : training ends when `update_interval` steps or more changed the cluster of at most this share; 0: never early.
    """

    def __init__(
        self, n_clusters=10, *, autoencoder=None, init="k-means", n_init=20, alpha=1.0, augment=False,
        reconstruction_weight=0.0, update_interval=140, tol=1e-3, epochs=15, batch_size=256, learning_rate=1e-4,
        optimizer="adam", momentum=0.9, callbacks=None, device="auto", precision="auto", random_state=None,
    ):  # fmt: skip
        self.n_clusters, self.autoencoder, self.init, self.n_init = n_clusters, autoencoder, init, n_init
        self.alpha, self.augment, self.reconstruction_weight = alpha, augment, reconstruction_weight
        self.update_interval, self.tol, self.epochs, self.batch_size = update_interval, tol, epochs, batch_size
        self.learning_rate, self.optimizer, self.momentum = learning_rate, optimizer, momentum
        self.callbacks, self.device, self.precision, self.random_state = callbacks, device, precision, random_state

    def _check_parameters(self) -> None:
        check_number("alpha", self.alpha, 0, open_low=True)
        check_number("reconstruction_weight", self.reconstruction_weight, 0)
        check_number("update_interval", self.update_interval, 1, integer=True)
        check_number("tol", self.tol, 0, 1)

    def _train(self, data, network, centers, fabric, seed) -> None:
        augment = augmenter(self.augment, self.image_shape_)
        joint = ClusteringModel(network, centers, decode=self.reconstruction_weight > 0)
        model, optimizer = fabric.setup(joint, self._make_optimizer([joint], self.learning_rate))
        monitor = Monitor(self.n_clusters)
        p, age = torch.empty(0), 0  # the target (n, k) and the steps since it was computed
        # For `tol`: the labels at the last check and the steps since; a small data set has few steps in an epoch.
        checked, steps = torch.full((len(data),), -1, device=fabric.device), torch.tensor(self.update_interval)

        def update_target() -> tuple[Tensor, Tensor]:
            nonlocal p, age
            with fabric.autocast():
                z = encode_all(network, data, fabric)
            q = soft_assignment(z, centers.detach(), self.alpha)
            p, age = target_distribution(q), 0
            return z, q.argmax(1)

        def refresh() -> dict[str, float]:
            self._publish(centers)
            z, labels = update_target()
            report = monitor(z, labels) | {"stop": False}
            if steps >= self.update_interval:
                report["stop"] = float((labels != checked).float().mean()) <= self.tol > 0
                checked.copy_(labels)
                steps.zero_()
            return report

        def step(batch: Batch) -> dict[str, Tensor]:
            nonlocal age
            if age == self.update_interval:
                update_target()
            age += 1
            steps.add_(1)
            z, reconstruction, means = model(batch.x)
            loss = clustering = kl_divergence(p[batch.rows], soft_assignment(z, means, self.alpha))
            if self.reconstruction_weight:
                loss = clustering + self.reconstruction_weight * reconstruction_loss(reconstruction, batch.x)
            descend(fabric, optimizer, loss, batch)
            return {"loss": loss, "kl": clustering}

        state = {"network": network, "centers": centers, "optimizer": optimizer, "checked": checked, "steps": steps}
        train(self, step, data, fabric=fabric, state=state, seed=seed, refresh=refresh, replay=joint, augment=augment)

    def predict_proba(self, X) -> np.ndarray:
        """Soft assignments q (n, k)."""
        z, centers = torch.from_numpy(self.transform(X)), torch.from_numpy(self.cluster_centers_)
        return soft_assignment(z, centers, self.alpha).numpy()
