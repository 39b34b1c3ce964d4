"""The base of the joint methods: take or train the autoencoder, start the centers, train, label, sound the alarms."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from dclib.autoencoder import Autoencoder, augmenter, check_training, copy_autoencoder, share_buffers
from dclib.balanced_kmeans import balanced_start
from dclib.engine.callbacks import Progress
from dclib.engine.device import draw_seed, make_fabric
from dclib.engine.rows import Rows, map_rows
from dclib.engine.saving import SavedEstimator
from dclib.engine.training import adam, sgd
from dclib.engine.validation import all_or_nothing, check_choice, check_n_clusters, check_number, check_x, warn
from dclib.gmm import GaussianMixture
from dclib.kmeans import assign, kmeans_plus_plus, lloyd

INITS = ("k-means", "balanced", "gmm")
OPTIMIZERS = ("adam", "sgd")


def start_centers(z: Tensor, n_clusters: int, init: str, n_init: int, generator: torch.Generator) -> Tensor:
    """Centers in the latent space to start from -> (k, d). z: (n, d)"""
    if init == "k-means":
        starts = (z[kmeans_plus_plus(z, n_clusters, generator)] for _ in range(n_init))
        return min((lloyd(z, start) for start in starts), key=lambda run: run[2][-1])[0]
    if init == "balanced":
        # A sample of the rows is enough for k means, and the transport plan is dense.
        z = z[torch.randperm(len(z), generator=generator)[:20_000].to(z.device)]
        return min((balanced_start(z, n_clusters, generator) for _ in range(n_init)), key=lambda run: run[1])[0]
    # EM takes all rows: the small differences between samples of them may lead it to other maxima.
    seed = int(torch.randint(2**31, (1,), generator=generator))
    # A floor under the variances, in the units of z: codes may lie in a subspace.
    floor = 1e-4 * float(z.var(0, correction=0).mean()) + 1e-12
    mixture = GaussianMixture(
        n_clusters, init="balanced", n_init=n_init, reg_covar=floor, tol=1e-4, max_iter=1000, device=z.device,
        random_state=seed,
    )  # fmt: skip
    return torch.from_numpy(mixture.fit(z.cpu().numpy()).means_).to(z.device)


def encode_all(network, data: Rows, fabric) -> Tensor:
    """Codes (n, d) of all rows, in evaluation mode: batch normalisation uses its running statistics."""
    share_buffers(network, fabric)
    training = network.training
    network.eval()
    try:
        return map_rows(network.encode, data, fabric)
    finally:
        network.train(training)


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
        with the same `batch_size` and `augment`. (`sklearn.base.clone`, and so every search and cross-validation, makes
        an unfitted copy, as of every estimator: `sklearn.frozen.FrozenEstimator(autoencoder)` keeps a fitted one.) To
        train a fitted model further, start another one from its `autoencoder_`.
    init : start of the centers, chosen among `n_init` runs without any label. "k-means": the lowest loss. "balanced":
        k-means with clusters of equal size, the lowest loss; assumes classes of about equal size, as DEC's target
        does too. "gmm": from each of these balanced partitions EM fits a Gaussian mixture with full covariances; the
        centers are the means of the one with the highest likelihood.
    n_init : number of these runs.
    optimizer : "adam" or "sgd" with `momentum`, which takes a learning rate of about 0.01, a hundred times Adam's.
    epochs, batch_size, callbacks, device, precision, random_state : as in `Autoencoder`; learning_rate is constant.

    Attributes
    ----------
    labels_ (n,), cluster_centers_ (k, latent_dim), autoencoder_, start_labels_ (n,) : labels before training,
    history_ : epoch, loss and its parts (see below), changed (share of samples), smallest_share (of a cluster),
    latent_variance (sum over dimensions), image_shape_ : (c, h, w) or None, magnitude_ : largest absolute value of X.

    Parts of the loss: `DEC` kl; `DCRA`, `AutoencodedKMeans` reconstruction, kmeans; `DCAN` encoder, discriminator;
    `GaussianDivergence` divergence.
    """

    _inits: tuple[str, ...] = INITS

    @all_or_nothing
    def fit(self, X, y=None):
        """Cluster X, (n, d) or images (n, c, h, w); `y` is ignored.

        Raises ValueError for bad input or parameters, FloatingPointError when the loss is no longer finite. Warns
        (ConvergenceWarning) of fewer than 50 steps and of a collapse: the latent variance gone, clusters empty, or one
        that owns over 95 % of the samples.
        """
        rows = check_x(self, X, reset=True)
        check_n_clusters(self.n_clusters, len(rows))
        check_choice("init", self.init, self._inits)
        check_number("n_init", self.n_init, 1, integer=True)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_number("momentum", self.momentum, 0, 1)
        self._check_parameters()
        check_training(self, len(rows))
        augmenter(getattr(self, "augment", False), self.image_shape_)
        fabric = make_fabric(self.device, self.precision)
        seed = fabric.broadcast(draw_seed(self.random_state))
        self.autoencoder_ = self._start_autoencoder(rows.reshape(len(rows), *self._input_shape), seed)
        network: Any = self.autoencoder_.network_.to(fabric.device)
        data = Rows(rows, self._input_shape, fabric.device)
        z = encode_all(network, data, fabric)
        generator = torch.Generator().manual_seed(seed)
        # One process starts for all: on unlike machines they might differ in a digit.
        start: Any = self._start_centers(z, generator).cpu() if fabric.is_global_zero else None
        start = fabric.broadcast(start).to(fabric.device)
        centers = torch.nn.Parameter(start.contiguous())
        self._publish(centers)
        self.start_labels_ = assign(z, centers.detach())[0].cpu().numpy()
        start_variance = float(z.var(0, correction=0).sum())
        self._resident = rows, data  # the scores of an epoch need no second copy of X on the device
        try:
            network.train()
            self._train(data, network, centers, fabric, seed)
            self._publish(centers)
            z_end = self._encode(rows)
        finally:
            del self._resident
        network.eval().cpu()
        self.labels_ = self._nearest(z_end)
        self._warn_of_collapse(z_end, start_variance)
        return self

    def _check_parameters(self) -> None:
        """What a subclass has to check before training."""

    def _train(self, data: Rows, network, centers: torch.nn.Parameter, fabric, seed: int) -> None:
        raise NotImplementedError

    def _make_optimizer(self, modules, learning_rate: float, betas=(0.9, 0.999)) -> torch.optim.Optimizer:
        """What `optimizer` asks for, over all parameters of the modules; betas are Adam's."""
        if self.optimizer == "sgd":
            return sgd(modules, learning_rate, self.momentum)
        return adam(modules, learning_rate, betas)

    @property
    def _input_shape(self) -> tuple[int, ...]:
        return self.image_shape_ or (self.n_features_in_,)

    def _start_autoencoder(self, x: np.ndarray, seed: int) -> Autoencoder:
        """A copy of the fitted autoencoder that the user gave, or a newly trained one."""
        given = self.autoencoder
        if given is None:
            progress = [Progress()] if any(isinstance(c, Progress) for c in self.callbacks or ()) else None
            options = {name: getattr(self, name) for name in ("batch_size", "device", "precision")}
            given = self._default_autoencoder(callbacks=progress, **options)
        autoencoder = copy_autoencoder(given, self._input_shape, self.magnitude_, seed)
        return autoencoder if hasattr(autoencoder, "network_") else self._train_autoencoder(autoencoder, x)

    def _default_autoencoder(self, **options) -> Autoencoder:
        return Autoencoder(augment=getattr(self, "augment", False), **options)

    def _train_autoencoder(self, autoencoder: Autoencoder, x: np.ndarray) -> Autoencoder:
        return autoencoder.fit(x)

    def _start_centers(self, z: Tensor, generator: torch.Generator) -> Tensor:
        return start_centers(z, self.n_clusters, self.init, self.n_init, generator)

    def _publish(self, centers: Tensor) -> None:
        """Show the present centers to callbacks and users."""
        self.cluster_centers_ = centers.detach().cpu().numpy().copy()

    def _warn_of_collapse(self, z: np.ndarray, start_variance: float) -> None:
        variance = float(z.var(axis=0).sum())
        shares = np.bincount(self.labels_, minlength=self.n_clusters) / len(z)
        problems = []
        if variance <= 1e-4 * start_variance:
            problems.append(f"the latent variance fell from {start_variance:.3g} to {variance:.3g}")
        if self.n_clusters > 1 and shares.max() > 0.95:
            problems.append(f"one cluster owns {shares.max():.1%} of the samples")
        elif (shares == 0).any():
            problems.append(f"{(shares == 0).sum()} of {self.n_clusters} clusters are empty")
        if problems and (distinct := len(np.unique(z, axis=0))) < self.n_clusters:
            problems.append(f"there are only {distinct} different codes (does X repeat a few samples?)")
        if problems:
            warn(
                f"{type(self).__name__} collapsed: {', and '.join(problems)}. Train the autoencoder longer, lower "
                "learning_rate, or look at history_ for the epoch in which it happened.",
                ConvergenceWarning,
            )

    def transform(self, X) -> np.ndarray:
        """Latent codes (n, latent_dim)."""
        return self._encode(check_x(self, X, reset=False))

    def _encode(self, rows: np.ndarray) -> np.ndarray:
        x: np.ndarray | Rows = rows
        if hasattr(self, "_resident"):  # during fit
            known, data = self._resident
            x = data if rows.__array_interface__ == known.__array_interface__ else rows  # the same memory
        return self.autoencoder_._map("encode", x, self._input_shape)

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
