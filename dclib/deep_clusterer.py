"""The base of the joint methods: take or train the autoencoder, start the centers, train, label, sound the alarms."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from dclib.autoencoder import Autoencoder, augmenter, check_training
from dclib.base import SavedEstimator, check_choice, check_n_clusters, check_number, check_x, draw_seed
from dclib.kmeans import assign, kmeans_plus_plus, lloyd, squared_distances
from dclib.training import Progress, Rows, epoch_generator, make_fabric, map_rows

INITS = ("k-means", "balanced", "stable")


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


def agreement(z: Tensor, moved: Tensor, centers: Tensor) -> float:
    """Share of samples whose code z and whose augmented image's code `moved`, both (n, d), are in the same cluster.

    High where the borders between clusters run through empty space: a border through the middle of a class separates
    images from their own shifted copies. No label is needed, only that a small shift leaves the class as it is.
    """
    return float((assign(z, centers)[0] == assign(moved, centers)[0]).float().mean())


def start_centers(
    z: Tensor, n_clusters: int, init: str, n_init: int, generator: torch.Generator, moved: Tensor | None = None
) -> Tensor:
    """Centers in the latent space to start from -> (k, d). z, moved (only for "stable"): (n, d)"""
    if init == "k-means":
        starts = (z[kmeans_plus_plus(z, n_clusters, generator)] for _ in range(n_init))
        return min((lloyd(z, start) for start in starts), key=lambda run: run[2][-1])[0]
    # A sample of the rows is enough for k means, and the transport plan is dense.
    sample = torch.randperm(len(z), generator=generator)[:20_000].to(z.device)
    z = z[sample]
    if init == "balanced" or moved is None:
        draws = (torch.randperm(len(z), generator=generator)[:n_clusters].to(z.device) for _ in range(n_init))
        return min((balanced_kmeans(z, z[draw]) for draw in draws), key=lambda run: run[1])[0]
    # From a high temperature nearly all runs end in one place, which may be wrong: begin low, to have a choice.
    moved = moved[sample]
    starts = (z[kmeans_plus_plus(z, n_clusters, generator)] for _ in range(n_init))
    runs = (balanced_kmeans(z, start, temperatures=(0.05, 0.02))[0] for start in starts)
    return max(runs, key=lambda centers: agreement(z, moved, centers))


class Monitor:
    """What to watch in each epoch: the share of samples that changed their cluster, and the collapse alarms."""

    def __init__(self, n_clusters: int):
        self.n_clusters = n_clusters
        self.previous: Tensor | None = None

    def __call__(self, z: Tensor, labels: Tensor) -> dict[str, float]:
        """z (n, d), labels (n,) -> changed, smallest_share of a cluster, latent_variance (sum over dimensions)."""
        changed = 1.0 if self.previous is None else float((labels != self.previous).float().mean())
        self.previous = labels
        shares = torch.bincount(labels, minlength=self.n_clusters) / len(labels)
        return {
            "changed": changed,
            "smallest_share": float(shares.min()),
            "latent_variance": float(z.var(0, correction=0).sum()),
        }


class DeepClusterer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, SavedEstimator):
    """Base of the methods that train an encoder and cluster centers together.

    A subclass provides `_train(data, network, centers, fabric, seed)`, which trains the two in place.

    Parameters
    ----------
    n_clusters : number of clusters k.
    autoencoder : an `Autoencoder`, fitted (the starting point; it stays untouched) or not; None trains a default one,
        with the same `augment`. (`sklearn.base.clone` makes an unfitted copy of it, as of every estimator.)
    init : start of the centers, chosen among `n_init` runs without any label. "k-means": the lowest loss. "balanced":
        k-means with clusters of equal size, the lowest loss; assumes classes of about equal size, as DEC's target
        does too. "stable": of these balanced runs the one whose clusters change least under augmentation; assumes
        also that augmentation leaves the class as it is.
    n_init : number of these runs.
    epochs, batch_size, learning_rate, callbacks, device, precision, random_state : as in `Autoencoder`.

    Attributes
    ----------
    labels_ (n,), cluster_centers_ (k, latent_dim), autoencoder_, start_labels_ (n,) : labels before training,
    history_ : losses, changed (share of samples), smallest_share (of a cluster), latent_variance (sum over dimensions).
    """

    _inits: tuple[str, ...] = INITS

    def fit(self, X, y=None):
        """Cluster X, (n, d) or images (n, c, h, w); `y` is ignored. Raises ValueError for bad input or parameters."""
        rows = check_x(self, X, reset=True)
        check_n_clusters(self.n_clusters, len(rows))
        check_training(self)
        check_choice("init", self.init, self._inits)
        check_number("n_init", self.n_init, 1, integer=True)
        self._check_parameters()
        augment: Any = augmenter(getattr(self, "augment", False), self.image_shape_)
        if self.init == "stable" and augment is None:
            raise ValueError('init="stable" compares images with augmented ones: set augment=True, or init="balanced".')
        n_steps = self.epochs * -(-len(rows) // self.batch_size)
        if n_steps < 50:
            warnings.warn(
                f"{type(self).__name__} takes {n_steps} steps in all, in which the clusters hardly leave their start: "
                "lower batch_size or raise epochs (for its autoencoder, too).",
                ConvergenceWarning,
                stacklevel=2,
            )
        fabric = make_fabric(self.device, self.precision)
        seed = fabric.broadcast(draw_seed(self.random_state))
        self.autoencoder_ = self._start_autoencoder(rows.reshape(len(rows), *self._input_shape), seed)
        network: Any = self.autoencoder_.network_.to(fabric.device)
        data = Rows(rows, self._input_shape, fabric.device)
        z = map_rows(network.encode, data, fabric)
        moved = None
        if self.init == "stable":
            draws = epoch_generator(seed, 0, fabric.device)
            moved = map_rows(lambda x: network.encode(augment(x, draws)), data)
        generator = torch.Generator().manual_seed(seed)
        start = self._start_centers(z, generator, moved)
        start = fabric.broadcast(start.cpu()).to(fabric.device)  # processes on unlike machines might differ in a digit
        centers = torch.nn.Parameter(start.contiguous())
        self._publish(centers)
        self.start_labels_ = assign(z, centers.detach())[0].cpu().numpy()
        start_variance = float(z.var(0, correction=0).sum())
        self._train(data, network, centers, fabric, seed)
        self._publish(centers)
        network.eval().cpu()
        self.labels_ = self._nearest(self._encode(rows))
        self._warn_of_collapse(rows, start_variance)
        return self

    def _check_parameters(self) -> None:
        """What a subclass has to check before training."""

    def _train(self, data: Rows, network, centers: torch.nn.Parameter, fabric, seed: int) -> None:
        raise NotImplementedError

    @property
    def _input_shape(self) -> tuple[int, ...]:
        return self.image_shape_ or (self.n_features_in_,)

    def _start_autoencoder(self, x: np.ndarray, seed: int) -> Autoencoder:
        """A copy of the fitted autoencoder that the user gave, or a newly trained one."""
        given = self.autoencoder
        if given is None:
            progress = [Progress()] if any(isinstance(c, Progress) for c in self.callbacks or ()) else None
            given = self._default_autoencoder(callbacks=progress, device=self.device, precision=self.precision)
        if not isinstance(given, Autoencoder):
            raise ValueError(f"autoencoder must be a dclib Autoencoder or None, not {type(given).__name__}.")
        try:
            check_is_fitted(given)
        except NotFittedError:
            fresh = clone(given)
            if fresh.random_state is None:
                fresh.set_params(random_state=seed)
            return self._train_autoencoder(fresh, x)
        if given._input_shape != self._input_shape:
            raise ValueError(
                f"The autoencoder was fitted on samples of shape {given._input_shape}, but X holds samples of shape "
                f"{self._input_shape}: fit it on data of this kind, or pass an unfitted one."
            )
        fitted = copy.copy(given)
        fitted.network_ = copy.deepcopy(given.network_)
        return fitted

    def _default_autoencoder(self, **options) -> Autoencoder:
        return Autoencoder(augment=getattr(self, "augment", False), **options)

    def _train_autoencoder(self, autoencoder: Autoencoder, x: np.ndarray) -> Autoencoder:
        return autoencoder.fit(x)

    def _start_centers(self, z: Tensor, generator: torch.Generator, moved: Tensor | None) -> Tensor:
        return start_centers(z, self.n_clusters, self.init, self.n_init, generator, moved)

    def _publish(self, centers: Tensor) -> None:
        """Show the present centers to callbacks and users."""
        self.cluster_centers_ = centers.detach().cpu().numpy().copy()

    def _warn_of_collapse(self, rows: np.ndarray, start_variance: float) -> None:
        variance = float(self._encode(rows).var(axis=0).sum())
        shares = np.bincount(self.labels_, minlength=self.n_clusters) / len(rows)
        problems = []
        if variance <= 1e-4 * start_variance:
            problems.append(f"the latent variance fell from {start_variance:.3g} to {variance:.3g}")
        if self.n_clusters > 1 and shares.max() > 0.95:
            problems.append(f"one cluster owns {shares.max():.1%} of the samples")
        elif (shares == 0).any():
            problems.append(f"{(shares == 0).sum()} of {self.n_clusters} clusters are empty")
        if problems:
            warnings.warn(
                f"{type(self).__name__} collapsed: {', and '.join(problems)}. Train the autoencoder longer, lower "
                "learning_rate, or look at history_ for the epoch in which it happened.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def transform(self, X) -> np.ndarray:
        """Latent codes (n, latent_dim)."""
        return self._encode(check_x(self, X, reset=False))

    def _encode(self, rows: np.ndarray) -> np.ndarray:
        return self.autoencoder_._map("encode", rows, self._input_shape)

    def _nearest(self, z: np.ndarray) -> np.ndarray:
        return assign(torch.from_numpy(z), torch.from_numpy(self.cluster_centers_))[0].numpy()

    def predict(self, X) -> np.ndarray:
        """Cluster of each sample (n,): the center nearest to its latent code."""
        return self._nearest(self.transform(X))

    @property
    def _n_features_out(self) -> int:
        return self.cluster_centers_.shape[1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]  # networks compute in float32
        return tags
