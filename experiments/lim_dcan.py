"""DCAN on all 70,000 MNIST digits, from plain and from augmented autoencoders.

Lim reports ACC on MNIST from pixels "on par or better than DEC"; the number is lost in the text that we have.

"kmeans" begins with the autoencoder and k-means, "gmm" with a Gaussian mixture in the latent space, fitted by EM from a
balanced k-means; "start" in a result is that clustering. "unconditional" and "no-anchor" are "kmeans" with a
discriminator that is not told the cluster, and without the reconstruction loss. No label is seen.
"""

from dclib.autoencoder import Autoencoder
from dclib.dcan import DCAN
from experiments.runner import Configuration

SEEDS = range(3)


def configurations() -> dict[str, Configuration]:
    def mnist(autoencoder=None, **options):
        return Configuration("mnist", "all", autoencoder or Autoencoder(epochs=30), DCAN(epochs=8, **options))

    mixture = {"init": "gmm", "n_init": 5, "clustering": "gmm"}
    return {
        "kmeans": mnist(),
        "gmm": mnist(**mixture),
        "augmented-kmeans": mnist(Autoencoder(epochs=40, augment=True)),
        "augmented-gmm": mnist(Autoencoder(epochs=40, augment=True), **mixture),
        "unconditional": mnist(conditional=False),
        "no-anchor": mnist(reconstruction_weight=0.0),
    }
