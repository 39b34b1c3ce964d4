"""Small autoencoders trained beforehand, so that class time is not training time.

`load_or_train("cifar5k-conv-0")` gives a fitted `Autoencoder` and says in words whether it was loaded. `RECIPES` has
all names: MNIST's 5,000 digits (dense, small, denoising, conv; three seeds), the 5,000 photographs of CIFAR-10 and
all training images of Fashion-MNIST (dense, conv; one seed).

`python -m dclib.pretrained mnist5k-dense-0 …` trains networks again (without names: all) and writes them, in half
precision, to dclib/data/networks, each with its history, and beside it in JSON how it does.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dclib.autoencoder import Autoencoder
from dclib.data import load
from dclib.gmm import GaussianMixture
from dclib.kmeans import KMeans
from dclib.metrics import scores

FOLDER = Path(__file__).parent / "data" / "networks"

_KINDS: dict[str, dict[str, Any]] = {
    "dense": {"hidden": (500, 250), "epochs": 60, "batch_size": 128},
    "small": {"hidden": (256,), "epochs": 60, "batch_size": 128},
    "denoising": {"hidden": (256,), "epochs": 60, "batch_size": 128, "noise": 0.5},
    "conv": {"network": "conv", "epochs": 30, "batch_size": 64, "learning_rate": 3e-3},  # as in bhattarai_latent
}
_COLOUR = {"latent_dim": 35, "random_state": 0}  # the code of Bhattarai's table 3
RECIPES: dict[str, dict[str, Any]] = {
    f"mnist5k-{kind}-{seed}": {**options, "latent_dim": 10, "random_state": seed}
    for kind, options in _KINDS.items()
    for seed in range(3)
} | {
    "fashion_mnist-dense-0": {**_KINDS["dense"], "epochs": 12, "batch_size": 256, "latent_dim": 10, "random_state": 0},
    "fashion_mnist-conv-0": {**_KINDS["conv"], "epochs": 4, "latent_dim": 10, "random_state": 0},
    # 256 units, since each costs 12 kB here; at the default rate the loss stays near that of one gray an image.
    "cifar5k-dense-0": {"hidden": (256, 128), "epochs": 60, "batch_size": 128, "learning_rate": 2e-4, **_COLOUR},
    "cifar5k-conv-0": {**_KINDS["conv"], **_COLOUR},
}


def split(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that the networks were trained on, four fifths, and rows that they never saw."""
    order = np.random.default_rng(0).permutation(n)
    return np.sort(order[: 4 * n // 5]), np.sort(order[4 * n // 5 :])


def images(name: str) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """(x, y) that the network of this name was trained on, without y, and (x, y) that it never saw.

    The training and the test images where the data set's authors divided it (fashion_mnist), else `split`.
    """
    _check(name)
    dataset = name.partition("-")[0]
    if dataset == "fashion_mnist":
        train, test = (load(dataset, split=part) for part in ("train", "test"))
        return (train.x, np.asarray(train.y)), (test.x, np.asarray(test.y))
    data = load(dataset)
    x, y = data.x, np.asarray(data.y)
    seen, unseen = split(len(x))
    return (x[seen], y[seen]), (x[unseen], y[unseen])


def train(name: str) -> Autoencoder:
    """The network of this name, trained anew; ValueError for an unknown one."""
    return Autoencoder(**RECIPES[_check(name)]).fit(images(name)[0][0])


def load_or_train(name: str) -> tuple[Autoencoder, str]:
    """The network from its file or, where there is none, trained now; and which of the two it was, in words."""
    _check(name)
    path = FOLDER / f"{name}.safetensors"
    if path.exists():
        return Autoencoder.load(path), f"loaded; trained by python -m dclib.pretrained {name}"
    return train(name), "trained now"


def _check(name: str) -> str:
    if name not in RECIPES:
        raise ValueError(f"There is no network {name!r}. There are: {', '.join(RECIPES)}.")
    return name


def assess(name: str, autoencoder: Autoencoder) -> dict[str, float]:
    """Mean squared errors, and V of k-means and of a mixture on the codes of the seen images, for seen and unseen."""
    seen, unseen = images(name)
    found = {}
    codes = autoencoder.transform(seen[0])
    clusterers = {"kmeans": KMeans(10, n_init=5, random_state=0), "gmm": GaussianMixture(10, n_init=5, random_state=0)}
    for clusterer in clusterers.values():
        clusterer.fit(codes)
    for part, (x, y) in (("seen", seen), ("unseen", unseen)):
        found[f"{part} error"] = float(np.square(autoencoder.reconstruct(x) - x).mean())
        for kind, clusterer in clusterers.items():
            result = scores(y, clusterer.predict(autoencoder.transform(x)))
            found[f"{part} {kind} v_measure"] = result["v_measure"]
    return {key: round(value, 4) for key, value in found.items()}


def main(names: Sequence[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in names or RECIPES:
        begin = time.perf_counter()
        autoencoder = train(name)
        seconds = round(time.perf_counter() - begin)
        autoencoder.network_.half()
        autoencoder.save(FOLDER / f"{name}.safetensors")
        record = {
            "command": f"python -m dclib.pretrained {name}",
            "parameters": RECIPES[name],
            "seconds": seconds,
            "scores": assess(name, Autoencoder.load(FOLDER / f"{name}.safetensors")),
        }
        (FOLDER / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(name, seconds, "s", record["scores"])


if __name__ == "__main__":
    main(sys.argv[1:])
