"""The autoencoder as a scikit-learn transformer: vanilla, denoising or augmented."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from dclib.augmentation import RandomShiftRotate
from dclib.engine.callbacks import History, check_callbacks
from dclib.engine.device import draw_seed, make_fabric, seeded
from dclib.engine.rows import Rows, map_network
from dclib.engine.saving import SavedEstimator
from dclib.engine.training import Batch, adam, descend, train
from dclib.engine.validation import (
    all_or_nothing,
    check_choice,
    check_layers,
    check_number,
    check_x,
    warn,
    warn_of_magnitude,
    warn_of_spread,
)
from dclib.networks import BatchNormAutoencoder, ConvAutoencoder, DenseAutoencoder, ShallowAutoencoder

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_NETWORKS = {
    "dense": DenseAutoencoder,
    "conv": ConvAutoencoder,
    "conv-bn": BatchNormAutoencoder,
    "shallow": ShallowAutoencoder,
}


def reconstruction_loss(reconstruction: Tensor, target: Tensor, where: Tensor | None = None) -> Tensor:
    """Squared error, mean over the features and mean over the batch: the same for any batch size and image size.

    where: a mask that broadcasts to both; the mean is then over the values that it marks.
    """
    error = (reconstruction - target).square()
    return error.mean() if where is None else error[where.expand_as(error)].mean()


def share_buffers(network: nn.Module, fabric: Fabric) -> None:
    """Give all processes the first one's buffers: each took the statistics of batch normalisation from its own rows."""
    if fabric.world_size > 1:
        for buffer in network.buffers():
            buffer.copy_(fabric.broadcast(buffer.cpu()))


def augmenter(augment, image_shape) -> RandomShiftRotate | None:
    """The augmentation that the parameter `augment` asks for: False, True or a RandomShiftRotate; it needs images."""
    if not isinstance(augment, (bool, np.bool_, RandomShiftRotate)):
        raise ValueError(
            f"augment={augment!r} must be False, True or a RandomShiftRotate(max_shift=…, max_rotation=…)."
        )
    if isinstance(augment, (bool, np.bool_)) and not augment:
        return None
    if image_shape is None:
        raise ValueError("augment shifts and rotates images: pass X as (n, c, h, w), or set augment=False.")
    # A 14th of the smaller side: 2 of MNIST's 28 pixels.
    return augment if isinstance(augment, RandomShiftRotate) else RandomShiftRotate(min(image_shape[1:]) / 14)


def check_training(estimator, n_samples: int) -> None:
    """Check the parameters that all deep methods share, and warn of a training too short to learn anything."""
    check_loop(estimator)
    warn_of_few_steps(estimator, n_samples)


def check_loop(estimator) -> None:
    """Check the parameters of the training loop."""
    for name in ("epochs", "batch_size"):
        check_number(name, getattr(estimator, name), 1, integer=True)
    check_number("learning_rate", estimator.learning_rate, 0, open_low=True)
    check_callbacks(estimator.callbacks)


def warn_of_few_steps(estimator, n_samples: int) -> None:
    """Warn of a training on so many samples that is too short to learn anything."""
    n_steps = estimator.epochs * -(-n_samples // estimator.batch_size)
    if n_steps < 50:
        warn(
            f"{type(estimator).__name__} takes {n_steps} step{'s' * (n_steps != 1)} in all, in which it hardly leaves "
            "its start: lower batch_size or raise epochs.",
            ConvergenceWarning,
        )


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SavedEstimator):
    """Learns a latent code of `latent_dim` numbers from which X can be reconstructed.

    Minimises the mean squared error (over features and samples) between the reconstruction and its target: the input
    itself; the clean input where `noise` corrupts it (denoising, Vincent et al. 2010); with `augment`, the shifted and
    rotated image, which is then input and target alike (Guo et al. 2018, DEC-DA, equation 3). Adam with a one-cycle
    learning rate.

    Parameters
    ----------
    latent_dim : size of the code; with a module of your own, its code size.
    network : "dense", "conv" (for images), "conv-bn" (for images in [0, 1]: 4 × 4 convolutions with batch
        normalisation, sigmoid output), "shallow" (one layer, whose activations are the code) or an `nn.Module` with
        `encode` and `decode` (copied, then trained).
    hidden : sizes of the hidden layers, or channels; None is (500, 500, 2000) for "dense", (32, 64, 128) for "conv",
        (40, 80, 160, 320) for "conv-bn".
    activation : of the hidden layers: "relu", "sigmoid", "tanh", …, or a pair (encoder, decoder).
    latent_activation : of the code; None leaves it linear, "sigmoid" confines it to a box.
    noise : standard deviation of the Gaussian noise added to the input, in the units of X.
    augment : False, True (shifts by up to a 14th of the smaller side, rotations by up to 10°) or a `RandomShiftRotate`;
        needs images.
    epochs, batch_size, learning_rate : the learning rate is the peak of the one-cycle schedule.
    callbacks : list of `dclib.engine.callbacks.Callback`.
    device : "auto", "cpu", "cuda", "cuda:1", "mps". precision : "auto", "32-true" or "bf16-mixed".
    random_state : None, int or RandomState; the same int gives the same result on the same machine and thread count.

    Attributes
    ----------
    network_ : the trained `nn.Module` on the CPU, history_ : epoch, loss, image_shape_ : (c, h, w) or None,
    magnitude_ : largest absolute value of X.
    """

    def __init__(
        self,
        latent_dim=10,
        *,
        network="dense",
        hidden=None,
        activation="relu",
        latent_activation=None,
        noise=0.0,
        augment=False,
        epochs=30,
        batch_size=256,
        learning_rate=1e-3,
        callbacks=None,
        device="auto",
        precision="auto",
        random_state=None,
    ):
        self.latent_dim = latent_dim
        self.network = network
        self.hidden = hidden
        self.activation = activation
        self.latent_activation = latent_activation
        self.noise = noise
        self.augment = augment
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.callbacks = callbacks
        self.device = device
        self.precision = precision
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X, y=None):
        """Train on X, (n, d) or images (n, c, h, w); `y` is ignored.

        Raises ValueError for bad input or parameters, FloatingPointError when the loss is no longer finite. Warns
        (ConvergenceWarning) of fewer than 50 steps.
        """
        rows, fabric, seed = self._initialize(X)
        check_training(self, len(rows))
        augment = augmenter(self.augment, self.image_shape_)
        data = Rows(rows, self._input_shape, fabric.device)
        optimizer = adam([self.network_.to(fabric.device)], self.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, epochs=self.epochs, steps_per_epoch=-(-len(data) // self.batch_size)
        )
        network, optimizer = fabric.setup(self.network_, optimizer)

        def step(batch: Batch) -> dict[str, Tensor]:
            noisy = batch.x + self.noise * batch.randn(*batch.x.shape[1:]) if self.noise else batch.x
            loss = reconstruction_loss(network(noisy)[1], batch.x)
            descend(fabric, optimizer, loss, batch)
            schedule.step()
            return {"loss": loss}

        self.network_.train()
        state = {"network": network, "optimizer": optimizer, "schedule": schedule}
        train(self, step, data, fabric=fabric, state=state, seed=seed, augment=augment, replay=self.network_)
        share_buffers(self.network_, fabric)
        self.network_.eval().cpu()
        return self

    def _initialize(self, X) -> tuple[np.ndarray, Fabric, int]:
        """Check X and the parameters and make an untrained `network_` -> rows (n, d), fabric, seed."""
        rows = check_x(self, X, reset=True)
        check_number("latent_dim", self.latent_dim, 1, integer=True)
        check_number("noise", self.noise, 0)
        augmenter(self.augment, self.image_shape_)
        warn_of_spread(rows)
        fabric = make_fabric(self.device, self.precision)
        seed = fabric.broadcast(draw_seed(self.random_state))
        with seeded(seed):
            self.network_ = self._build_network()
            if isinstance(self.network, nn.Module):
                self._check_code(torch.from_numpy(np.array(rows[:1], np.float32)).view(1, *self._input_shape))
        self.history_ = History()
        return rows, fabric, seed

    @property
    def _input_shape(self) -> tuple[int, ...]:
        return self.image_shape_ or (self.n_features_in_,)

    def _build_network(self) -> nn.Module:
        if isinstance(self.network, nn.Module):
            return copy.deepcopy(self.network)
        check_choice("network", self.network, _NETWORKS)
        check_layers("hidden", self.hidden)
        options: dict[str, Any] = {} if self.hidden is None else {"hidden": tuple(self.hidden)}
        options |= {"activation": self.activation, "latent_activation": self.latent_activation}
        return _NETWORKS[self.network](self._input_shape, self.latent_dim, **options)

    def _check_code(self, x: Tensor) -> None:
        """Raise ValueError unless a network of the user's own makes codes of `latent_dim` numbers of x (1, …)."""
        network: Any = copy.deepcopy(self.network_).cpu().eval()  # whatever the look does to it, training does not see
        with torch.no_grad():
            shape = tuple(network.encode(x).shape)
        if shape != (1, self.latent_dim):
            raise ValueError(
                f"latent_dim={self.latent_dim}, but the network of your own makes a code of shape {shape[1:]} of each "
                "sample: set latent_dim to the size of its code."
            )

    def _map(self, name: str, x: np.ndarray | Rows, shape: tuple[int, ...]) -> np.ndarray:
        """The network's method `name` on all rows, in float32; on `Rows` where they are on the device already."""
        return map_network(self.network_, getattr(self.network_, name), x, shape, self.device)

    def transform(self, X) -> np.ndarray:
        """Latent codes (n, latent_dim), computed in float32."""
        return self._map("encode", check_x(self, X, reset=False), self._input_shape)

    def inverse_transform(self, Z) -> np.ndarray:
        """Decode latent codes (n, latent_dim) -> (n, d) or images (n, c, h, w), as X was."""
        check_is_fitted(self)
        codes = np.asarray(Z, dtype=np.float32)
        if codes.ndim != 2 or codes.shape[1] != self._n_features_out:
            raise ValueError(f"Z has shape {codes.shape}: give codes of shape (n, {self._n_features_out}).")
        return self._map("decode", codes, codes.shape[1:])

    def reconstruct(self, X) -> np.ndarray:
        """X through encoder and decoder, in the shape that `inverse_transform` gives."""
        return self.inverse_transform(self.transform(X))

    def score_samples(self, X) -> np.ndarray:
        """Minus the mean squared reconstruction error of each sample (n,): low where X is unlike the training data."""
        rows = check_x(self, X, reset=False)
        return -np.square(self.reconstruct(X).reshape(len(rows), -1) - rows).mean(axis=1)

    def score(self, X, y=None) -> float:
        """Minus the mean squared reconstruction error: higher is better, as scikit-learn's searches want it."""
        return float(self.score_samples(X).mean())

    @property
    def _n_features_out(self) -> int:
        return self.latent_dim

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]  # networks compute in float32
        return tags


def copy_autoencoder(given, input_shape: tuple[int, ...], magnitude: float, seed: int) -> Autoencoder:
    """What another method trains or uses instead of the user's autoencoder, which stays untouched.

    A fitted one, in scikit-learn's `FrozenEstimator` or not, is copied with its network; an unfitted one is cloned and
    gets `seed` where it has none of its own. Raises ValueError for something else, or where it was fitted on samples of
    another shape; warns where it was fitted on much smaller values than those of up to `magnitude`.
    """
    if isinstance(given, FrozenEstimator):
        given = given.estimator
    if not isinstance(given, Autoencoder):
        raise ValueError(
            f"autoencoder must be a dclib Autoencoder or None, not {type(given).__name__} (a saved one: "
            "Autoencoder.load(path))."
        )
    if not hasattr(given, "network_"):
        fresh = clone(given)
        return fresh if fresh.random_state is not None else fresh.set_params(random_state=seed)
    if given._input_shape != input_shape:
        raise ValueError(
            f"The autoencoder was fitted on samples of shape {given._input_shape}, but X holds samples of shape "
            f"{input_shape}: fit it on data of this kind, or pass an unfitted one."
        )
    warn_of_magnitude(given, magnitude)
    fitted = copy.copy(given)
    fitted.network_ = copy.deepcopy(given.network_)
    return fitted
