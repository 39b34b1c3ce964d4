"""DEC on all 70,000 MNIST digits: how far the plain method goes, and how far with augmentation.

Xie et al. (2016) report ACC .843 for DEC; Guo et al. (2018) .985 for DEC with augmentation (500 epochs of each stage).
Both start from the means of a Gaussian mixture, fitted to the codes by EM from a balanced k-means, which assumes
digits of about equal frequency: the most likely of five. "augmented-balanced" starts from the balanced k-means itself:
what the mixture adds. No label is seen.
"""

from dclib.autoencoder import Autoencoder
from dclib.dec import DEC
from experiments.runner import Configuration

SEEDS = range(5)


def configurations() -> dict[str, Configuration]:
    def augmented(init: str) -> Configuration:
        clusterer = DEC(init=init, n_init=5, epochs=10, augment=True)
        return Configuration("mnist", "all", Autoencoder(epochs=40, augment=True), clusterer)

    return {
        "plain": Configuration("mnist", "all", Autoencoder(epochs=30), DEC(init="gmm", n_init=5, epochs=15)),
        "augmented": augmented("gmm"),
        "augmented-balanced": augmented("balanced"),
    }
