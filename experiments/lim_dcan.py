"""DCAN on all 70,000 MNIST digits, from plain and from augmented autoencoders, and on the news of Reuters-21578.

Lim reports ACC on MNIST from pixels "on par or better than DEC" (the number is lost in our text) and .7867 on
Reuters-10k, where k-means has .6018. That subset is cut from another collection, RCV1; Reuters-21578 with its four
largest topics is what is free to download.

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
        return Configuration("mnist", "all", autoencoder or Autoencoder(epochs=30), DCAN(epochs=6, **options))

    mixture = {"init": "gmm", "n_init": 5, "clustering": "gmm"}
    reuters = Autoencoder(epochs=60, batch_size=128)
    return {
        "kmeans": mnist(augment=True),
        "gmm": mnist(**mixture),
        "augmented-gmm": mnist(Autoencoder(epochs=40, augment=True), augment=True, **mixture),
        "unconditional": mnist(augment=True, conditional=False),
        "no-anchor": mnist(augment=True, reconstruction_weight=0.0),
        "reuters": Configuration("reuters21578", "all", reuters, DCAN(4, epochs=30), options={"n_topics": 4}),
    }
