"""Plain networks with `encode` and `decode`; linear latent layer, linear output, no normalisation layers.

The latent layer is linear because the clusters need room in all directions: a ReLU there pins the codes to the positive
orthant and a sigmoid to a box. `config` holds what the constructor was given, so that a saved network can be rebuilt.
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
    """d-500-500-2000-latent_dim and back: the network of DEC (Xie et al. 2016, section 3).

    input_shape: (d,) or (c, h, w); images are flattened and reshaped inside. hidden: sizes of the encoder's hidden
    layers; the decoder mirrors them. activation: a name, or a pair (encoder, decoder).
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        latent_dim: int = 10,
        hidden: Sequence[int] = (500, 500, 2000),
        activation="relu",
    ):
        super().__init__()
        self.config = {
            "input_shape": tuple(input_shape),
            "latent_dim": latent_dim,
            "hidden": tuple(hidden),
            "activation": activation,
        }
        encoder_activation, decoder_activation = _activations(activation)
        sizes = [math.prod(input_shape), *hidden, latent_dim]
        self.encoder = nn.Sequential(nn.Flatten(), _mlp(sizes, encoder_activation))
        self.decoder = nn.Sequential(_mlp(sizes[::-1], decoder_activation), nn.Unflatten(1, tuple(input_shape)))


class ShallowAutoencoder(_Autoencoder):
    """h = f(W1 x + b1), x' = W2 h + b2: one hidden layer, whose activations f are the code (Samplawski, equation 2).

    With a bounded f (tanh) the code lives in a box. Weights start by Glorot and Bengio's rule, biases at zero. hidden
    has to be (). activation: a name, or a pair of which the first counts: the output is linear.
    """

    def __init__(self, input_shape: Sequence[int], latent_dim: int, hidden: Sequence[int] = (), activation="tanh"):
        super().__init__()
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


class ConvAutoencoder(_Autoencoder):
    """Three convolutions of stride 2 (32, 64, 128 channels), then a dense latent layer, and the mirror image of this:
    the network of DCEC (Guo et al. 2017, "Deep clustering with convolutional autoencoders", section 3).

    input_shape: (c, h, w), any size of at least 8 pixels and any number of channels.
    """

    def __init__(
        self, input_shape: Sequence[int], latent_dim: int = 10, hidden: Sequence[int] = (32, 64, 128), activation="relu"
    ):
        super().__init__()
        if len(input_shape) != 3 or min(input_shape[1:]) < 2 ** len(hidden):
            raise ValueError(
                f"The convolutional network takes images (c, h, w) of at least {2 ** len(hidden)} pixels a side, not "
                f'{tuple(input_shape)}: use network="dense" or larger images.'
            )
        self.config = {
            "input_shape": tuple(input_shape),
            "latent_dim": latent_dim,
            "hidden": tuple(hidden),
            "activation": activation,
        }
        encoder_activation, decoder_activation = _activations(activation)
        channels, sizes = [input_shape[0], *hidden], [tuple(input_shape[1:])]
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for i, (c_in, c_out) in enumerate(pairwise(channels)):
            kernel = 3 if i == len(hidden) - 1 else 5
            h, w = sizes[-1]
            sizes.append(((h + 1) // 2, (w + 1) // 2))
            down += [nn.Conv2d(c_in, c_out, kernel, stride=2, padding=kernel // 2), encoder_activation()]
            # A stride-2 convolution maps sizes 2m - 1 and 2m to m; output_padding says which of the two to return to.
            odd = (1 - h % 2, 1 - w % 2)
            back = nn.ConvTranspose2d(c_out, c_in, kernel, stride=2, padding=kernel // 2, output_padding=odd)
            up = [decoder_activation(), back, *up]
        last = (channels[-1], *sizes[-1])
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(math.prod(last), latent_dim))
        self.decoder = nn.Sequential(nn.Linear(latent_dim, math.prod(last)), nn.Unflatten(1, last), *up)


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

    def __init__(self, input_shape: Sequence[int], n_clusters: int, hidden: Sequence[int] = (256,)):
        super().__init__()
        self.config = {"input_shape": tuple(input_shape), "n_clusters": n_clusters, "hidden": tuple(hidden)}
        self.layers = nn.Sequential(nn.Flatten(), _mlp([math.prod(input_shape), *hidden, n_clusters], nn.ReLU))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class ConvClassifier(nn.Module):
    """A small convolutional network: images (n, c, h, w) -> logits of the clusters (n, n_clusters).

    For each number of channels in `hidden` two 3 × 3 convolutions with batch normalisation and ReLU; between these
    pairs the pixels are halved (maximum of 2 × 2), after the last averaged; then dropout and a linear layer.
    """

    def __init__(
        self, input_shape: Sequence[int], n_clusters: int, hidden: Sequence[int] = (24, 48, 96), dropout: float = 0.3
    ):
        super().__init__()
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
                # A small momentum: the running means, with which `eval` normalises, shall be those of many batches.
                layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after, momentum=0.05)]
                layers += [nn.ReLU()]
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(hidden[-1], n_clusters)]
        self.layers = nn.Sequential(*layers, *head)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
