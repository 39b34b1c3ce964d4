"""DEC on all 70,000 MNIST digits: how far the plain method goes, and how far with augmentation.

Xie et al. (2016) report ACC .843 for DEC; Guo et al. (2018) .985 for DEC with augmentation (500 epochs of each stage).
The start is chosen among 20 runs of a balanced k-means, which assumes digits of about equal frequency: for the plain
DEC by its loss, for the augmented one by how few digits change their cluster when they are shifted and rotated. No
label is seen.
"""

from dclib.autoencoder import Autoencoder
from dclib.dec import DEC
from experiments.runner import Configuration

SEEDS = range(5)


def configurations() -> dict[str, Configuration]:
    return {
        "plain": Configuration("mnist", "all", Autoencoder(epochs=30), DEC(init="balanced", epochs=15)),
        "augmented": Configuration(
            "mnist", "all", Autoencoder(epochs=40, augment=True), DEC(init="stable", epochs=10, augment=True)
        ),
    }
