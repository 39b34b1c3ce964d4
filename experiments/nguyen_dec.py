"""DEC with Nguyen's five encoders on all 70,000 MNIST digits: his tables 2 to 5.

His ACC: d-128-10 with ReLU .63644 (latent 5) and .60617 (latent 10), with a sigmoid encoder .57452; d-512-256-128-64-10
with ReLU .81947, with a sigmoid encoder .11252, which is the share of the commonest digit: one cluster owns all images
(7,877 of 70,000, so all 70,000 it was). Tables 3 and 4 show ACC and loss per epoch, table 5 a t-SNE of the best codes.

"small" is 784-128-10, "deep" 784-512-256-128-64-10. "small-5" is 784-128-5, one reading of "d-128-10, latent 5", and
"small-10-5" the other, 784-128-10-5. "sigmoid" is the activation of the encoder's hidden layers, "sigmoid-code" that of
its code too: the paper does not say which. The decoder has ReLU. "sgd" is the paper's gradient descent with momentum
(learning rate .01, momentum .9: DEC's usual values, the paper names none), "adam" our default. Both start from the same
autoencoder (15 epochs, Adam) and k-means; DEC takes 20 epochs. "deep-sgd-60000" sees the training images alone.
"""

from dclib.autoencoder import Autoencoder
from dclib.dec import DEC
from experiments.runner import Configuration

SEEDS = range(3)
SMALL, DEEP = (128,), (512, 256, 128, 64)
OPTIMIZERS = {"sgd": {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.01}, "adam": {}}


def configurations() -> dict[str, Configuration]:
    def mnist(hidden, latent_dim, optimizer, activation="relu", split="all", **options):
        autoencoder = Autoencoder(latent_dim, hidden=hidden, activation=(activation, "relu"), epochs=15, **options)
        method = DEC(epochs=20, tol=0, **OPTIMIZERS[optimizer])
        return Configuration("mnist", split, autoencoder, method, codes_at=(15, 20))

    found: dict[str, Configuration] = {}
    for name in OPTIMIZERS:
        found |= {
            f"small-5-{name}": mnist(SMALL, 5, name),
            f"small-10-5-{name}": mnist((128, 10), 5, name),
            f"small-10-{name}": mnist(SMALL, 10, name),
            f"small-sigmoid-{name}": mnist(SMALL, 10, name, "sigmoid"),
            f"deep-{name}": mnist(DEEP, 10, name),
            f"deep-sigmoid-{name}": mnist(DEEP, 10, name, "sigmoid"),
            f"deep-sigmoid-code-{name}": mnist(DEEP, 10, name, "sigmoid", latent_activation="sigmoid"),
        }
    return found | {"deep-sgd-60000": mnist(DEEP, 10, "sgd", split="train")}
