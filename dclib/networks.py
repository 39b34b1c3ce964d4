"""Networks: autoencoders with `encode` and `decode`, a discriminator, two classifiers.

The autoencoders have a linear output and no normalisation layers, but for `BatchNormAutoencoder`. Their latent layer is
linear, but for `ShallowAutoencoder`, because the clusters need room in all directions: a ReLU there pins the codes to
the positive orthant and a sigmoid to a box (`latent_activation` does it all the same, for those who want to see it).
`config` holds what the constructor was given, so that a saved network can be rebuilt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


def _activations(names: str | Sequence[str]) -> tuple[type[nn.Module], type[nn.Module]]:
    """(encoder's, decoder's) activation from one name or a pair of names."""
    pair = (names, names) if isinstance(names, str) else tuple(names)
    if len(pair) != 2 or not all(name in ACTIVATIONS for name in pair):
        raise ValueError(
            f"activation={names!r} is not known: give one of {', '.join(ACTIVATIONS)}, or a pair (encoder, decoder)."
        )
    return ACTIVATIONS[pair[0]], ACTIVATIONS[pair[1]]


def _latent(name: str | None) -> list[nn.Module]:
    """The activation of the latent layer, as a layer; None: it stays linear."""
    if name is None:
        return []
    if name not in ACTIVATIONS:
        raise ValueError(f"latent_activation={name!r} is not known: give None or one of {', '.join(ACTIVATIONS)}.")
    return [ACTIVATIONS[name]()]


def _mlp(sizes: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    """Linear layers of these sizes with the activation between them, not after the last."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), activation()]
    return nn.Sequential(*layers[:-1])


class _Autoencoder(nn.Module):
    encoder: nn.Module
    decoder: nn.Module

    def encode(self, x: Tensor) -> Tensor:
        """(n, *input_shape) -> (n, latent_dim)"""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """(n, latent_dim) -> (n, *input_shape)"""
        return self.decoder(z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, *input_shape) -> latent (n, latent_dim), reconstruction (n, *input_shape)"""
        z = self.encode(x)
        return z, self.decode(z)


class ClusteringModel(nn.Module):
    """An autoencoder, or its encoder alone (`decode=False`), and cluster centers (k, latent_dim) as one module.

    What a joint method trains: through its `forward`, precision and several processes reach all parameters.
    """

    def __init__(self, network: nn.Module, centers: nn.Parameter, decode: bool):
        super().__init__()
        self.network, self.centers, self.decode = network, centers, decode

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """x (n, *input_shape) -> codes (n, latent_dim), reconstruction or None, centers (k, latent_dim)"""
        network: Any = self.network
        z = network.encode(x)
        # The centers pass through: PyTorch averages only the gradients of what it sees in the result.
        return z, network.decode(z) if self.decode else None, self.centers.clone()


class DenseAutoencoder(_Autoencoder):
    """d-500-500-2000-latent_dim and back: the network of DEC (Xie et al. 2016, section 4.3).

    input_shape: (d,) or (c, h, w); images are flattened and reshaped inside. hidden: sizes of the encoder's hidden
    layers; the decoder mirrors them. activation: a name, or a pair (encoder, decoder). latent_activation: None or a
    name.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        latent_dim: int = 10,
        hidden: Sequence[int] = (500, 500, 2000),
        activation="relu",
        latent_activation: str | None = None,
    ):
        super().__init__()
        self.config = {
            "input_shape": tuple(input_shape),
            "latent_dim": latent_dim,
            "hidden": tuple(hidden),
            "activation": activation,
            "latent_activation": latent_activation,
        }
        encoder_activation, decoder_activation = _activations(activation)
        sizes = [math.prod(input_shape), *hidden, latent_dim]
        self.encoder = nn.Sequential(nn.Flatten(), _mlp(sizes, encoder_activation), *_latent(latent_activation))
        self.decoder = nn.Sequential(_mlp(sizes[::-1], decoder_activation), nn.Unflatten(1, tuple(input_shape)))


class ShallowAutoencoder(_Autoencoder):
    """h = f(W1 x + b1), x' = W2 h + b2: one hidden layer, whose activations f are the code (Samplawski, equation 2).

    With a bounded f (tanh) the code lives in a box. Weights start by Glorot and Bengio's rule, biases at zero. hidden
    has to be (). activation: a name, or a pair of which the first counts: the output is linear.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        latent_dim: int,
        hidden: Sequence[int] = (),
        activation="tanh",
        latent_activation: None = None,
    ):
        super().__init__()
        if latent_activation is not None:
            raise ValueError(
                f"latent_activation={latent_activation!r}, but the code of a shallow network has its `activation`."
            )
        if len(hidden):
            raise ValueError(
                f'hidden={tuple(hidden)}, but a shallow network has no layer beside its code: use "dense".'
            )
        self.config = {"input_shape": tuple(input_shape), "latent_dim": latent_dim, "activation": activation}
        n_features = math.prod(input_shape)
        encoder, decoder = nn.Linear(n_features, latent_dim), nn.Linear(latent_dim, n_features)
        for layer in (encoder, decoder):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.encoder = nn.Sequential(nn.Flatten(), encoder, _activations(activation)[0]())
        self.decoder = nn.Sequential(decoder, nn.Unflatten(1, tuple(input_shape)))


def _strided(
    input_shape: Sequence[int], channels: Sequence[int], kernels: Sequence[int]
) -> tuple[list[nn.Conv2d], list[nn.ConvTranspose2d], tuple[int, int, int]]:
    """Convolutions of stride 2, the transposed ones that undo them (in the same order), and the shape (c, h, w) of the
    smallest maps. Of h pixels an odd kernel makes (h + 1) // 2, an even one h // 2."""
    if len(input_shape) != 3 or min(input_shape[1:]) < 2 ** len(channels):
        raise ValueError(
            f"The convolutional network takes images (c, h, w) of at least {2 ** len(channels)} pixels a side, not "
            f'{tuple(input_shape)}: use network="dense" or larger images.'
        )
    down, up = [], []
    c, h, w = input_shape
    for c_out, kernel in zip(channels, kernels):
        padding = (kernel - 1) // 2
        down.append(nn.Conv2d(c, c_out, kernel, stride=2, padding=padding))
        small_h, small_w = ((pixels + 2 * padding - kernel) // 2 + 1 for pixels in (h, w))
        # Two sizes shrink to the same one: output_padding says which of them to return to.
        missing = (h - 2 * small_h + 2 + 2 * padding - kernel, w - 2 * small_w + 2 + 2 * padding - kernel)
        up.append(nn.ConvTranspose2d(c_out, c, kernel, stride=2, padding=padding, output_padding=missing))
        c, h, w = c_out, small_h, small_w
    return down, up, (c, h, w)


class ConvAutoencoder(_Autoencoder):
    """Three convolutions of stride 2 (32, 64, 128 channels), then a dense latent layer, and the mirror image of this:
    the network of DCEC (Guo et al. 2017, "Deep clustering with convolutional autoencoders", section 3).

    input_shape: (c, h, w), any size of at least 8 pixels and any number of channels. The last kernel is 3 × 3, the
    others 5 × 5. latent_activation: None or a name.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        latent_dim: int = 10,
        hidden: Sequence[int] = (32, 64, 128),
        activation="relu",
        latent_activation: str | None = None,
    ):
        super().__init__()
        self.config = {
            "input_shape": tuple(input_shape),
            "latent_dim": latent_dim,
            "hidden": tuple(hidden),
            "activation": activation,
            "latent_activation": latent_activation,
        }
        encoder_activation, decoder_activation = _activations(activation)
        down, up, last = _strided(input_shape, hidden, [5] * (len(hidden) - 1) + [3])
        encoder = [layer for convolution in down for layer in (convolution, encoder_activation())]
        decoder = [layer for convolution in up[::-1] for layer in (decoder_activation(), convolution)]
        code = nn.Linear(math.prod(last), latent_dim)
        self.encoder = nn.Sequential(*encoder, nn.Flatten(), code, *_latent(latent_activation))
        self.decoder = nn.Sequential(nn.Linear(latent_dim, math.prod(last)), nn.Unflatten(1, last), *decoder)


def _check_convolutions(hidden: Sequence[int]) -> None:
    if len(hidden) == 0:
        raise ValueError(f"hidden={hidden!r}: a convolutional network needs one layer or more.")


class _BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that takes a batch with one value a channel, too: by the running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x[:, 0].numel() == 1:
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        return super().forward(x)


class BatchNormAutoencoder(_Autoencoder):
    """4 × 4 convolutions of stride 2 (40, 80, 160, 320 channels) with batch normalisation between them, a dense latent
    layer, the mirror image of this, and a sigmoid at the output: X has to lie in [0, 1].

    The convolutions of DCGAN (Radford et al. 2016, section 3), as Wasserstein autoencoders have them; with `dim_h` = 40
    and a code of 20 probably the network of Lee's DCRA, whose table has the entries of such code. As in DCGAN the first
    convolution and the last one are not normalised.

    input_shape: (c, h, w) of at least 16 pixels a side; hidden: channels, each layer halves the image.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        latent_dim: int = 20,
        hidden: Sequence[int] = (40, 80, 160, 320),
        activation="relu",
        latent_activation: str | None = None,
    ):
        super().__init__()
        _check_convolutions(hidden)
        self.config = {
            "input_shape": tuple(input_shape),
            "latent_dim": latent_dim,
            "hidden": tuple(hidden),
            "activation": activation,
            "latent_activation": latent_activation,
        }
        encoder_activation, decoder_activation = _activations(activation)
        down, up, last = _strided(input_shape, hidden, [4] * len(hidden))
        encoder: list[nn.Module] = [down[0], encoder_activation()]
        for smaller in down[1:]:
            encoder += [smaller, _BatchNorm(smaller.out_channels), encoder_activation()]
        decoder: list[nn.Module] = [decoder_activation()]
        for larger in up[:0:-1]:
            decoder += [larger, _BatchNorm(larger.out_channels), decoder_activation()]
        code = nn.Linear(math.prod(last), latent_dim)
        self.encoder = nn.Sequential(*encoder, nn.Flatten(), code, *_latent(latent_activation))
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, math.prod(last)), nn.Unflatten(1, last), *decoder, up[0], nn.Sigmoid()
        )


class Discriminator(nn.Module):
    """Tells codes that were drawn from a cluster from codes of samples: two tanh layers on the code and, with
    `n_clusters` above 0, on the number of its cluster (one-hot, times 3 so that it weighs as much as the code).
    """

    def __init__(self, latent_dim: int, n_clusters: int = 0, hidden: Sequence[int] = (256, 256)):
        super().__init__()
        self.n_clusters = n_clusters
        self.layers = _mlp([latent_dim + n_clusters, *hidden, 1], nn.Tanh)

    def logits(self, z: Tensor, clusters: Tensor) -> Tensor:
        """codes (n, latent_dim) of about unit variance, their clusters (n,) -> logits of "drawn" (n,)"""
        if self.n_clusters:
            z = torch.cat([z, 3.0 * nn.functional.one_hot(clusters, self.n_clusters)], 1)
        return self.layers(z).squeeze(1)

    def forward(self, z: Tensor, clusters: Tensor) -> tuple[Tensor, Tensor]:
        """As `logits` -> logits (n,), squared slopes ‖∂ logit / ∂z‖² (n,)"""
        z = z.detach().requires_grad_()
        logits = self.logits(z, clusters)
        # In forward, since Fabric and DistributedDataParallel allow no gradient of a module's result but the loss's.
        (slopes,) = torch.autograd.grad(logits.sum(), z, create_graph=True)
        return logits, slopes.square().sum(1)


class DenseClassifier(nn.Module):
    """Linear layers with ReLU between them: samples (n, *input_shape) -> logits of the clusters (n, n_clusters).

    hidden: sizes of the layers in between; () is one linear layer.
    """

    n_draws = 0  # nothing is dropped

    def __init__(self, input_shape: Sequence[int], n_clusters: int, hidden: Sequence[int] = (256,)):
        super().__init__()
        self.config = {"input_shape": tuple(input_shape), "n_clusters": n_clusters, "hidden": tuple(hidden)}
        self.layers = nn.Sequential(nn.Flatten(), _mlp([math.prod(input_shape), *hidden, n_clusters], nn.ReLU))

    def forward(self, x: Tensor, draws: Tensor | None = None) -> Tensor:
        return self.layers(x)


class ConvClassifier(nn.Module):
    """A small convolutional network: images (n, c, h, w) -> logits of the clusters (n, n_clusters).

    For each number of channels in `hidden` two 3 × 3 convolutions with batch normalisation and ReLU; between these
    pairs the pixels are halved (maximum of 2 × 2), after the last averaged; then dropout and a linear layer. What is
    dropped is decided by uniform numbers that `forward` is given, so that it depends on the training's seed alone.
    """

    def __init__(
        self, input_shape: Sequence[int], n_clusters: int, hidden: Sequence[int] = (24, 48, 96), dropout: float = 0.3
    ):
        super().__init__()
        _check_convolutions(hidden)
        if len(input_shape) != 3 or min(input_shape[1:]) < 2 ** (len(hidden) - 1):
            raise ValueError(
                f"The convolutional network takes images (c, h, w) of at least {2 ** (len(hidden) - 1)} pixels a side, "
                f'not {tuple(input_shape)}: use network="dense" or larger images.'
            )
        self.config = {
            "input_shape": tuple(input_shape),
            "n_clusters": n_clusters,
            "hidden": tuple(hidden),
            "dropout": dropout,
        }
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise([input_shape[0], *hidden])):
            layers += [nn.MaxPool2d(2)] if i else []
            for channels in (before, after):
                # A small momentum: the running means, with which `eval` normalises, should be those of many batches.
                layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), _BatchNorm(after, momentum=0.05)]
                layers += [nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(hidden[-1], n_clusters)
        self.dropout, self.n_draws = dropout, hidden[-1]

    def forward(self, x: Tensor, draws: Tensor | None = None) -> Tensor:
        """x (n, c, h, w), in training with uniform draws (n, n_draws): features are dropped where they are small."""
        features = self.layers(x)  # (n, n_draws)
        if draws is not None:
            features = features * (draws >= self.dropout) / (1 - self.dropout)
        return self.head(features)
