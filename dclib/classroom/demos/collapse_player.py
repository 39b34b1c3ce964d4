"""Autoencoded k-means for several weights of its second term, recorded.

`python -m dclib.classroom.demos.collapse_player` trains again and writes collapse_player.json.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import v_measure_score

from dclib.autoencoded_kmeans import AutoencodedKMeans
from dclib.autoencoder import Autoencoder
from dclib.classroom import plots
from dclib.classroom.demos.demo import Demo
from dclib.data import load
from dclib.engine.callbacks import Evaluate

FILE = Path(__file__).with_suffix(".json")
WEIGHTS = (0, 0.03, 0.1, 0.3, 1, 10, 100)
EPOCHS = (0, 1, 2, 4, 8, 16, 30, 60)
SHOWN, IMAGES = slice(0, 200), (0, 11, 22, 33, 44, 55)


def record(weights: Sequence[float] = WEIGHTS, epochs: Sequence[int] = EPOCHS) -> dict[str, Any]:
    """Train on the 8 × 8 digits once for each weight, from one autoencoder; what is seen after each of `epochs`.

    Codes and centers are projected onto the first two principal components of the codes at the start.
    """
    data = load("digits")
    x, y = data.x, np.asarray(data.y)
    settings = {"network": "shallow", "activation": "tanh", "batch_size": 64}
    autoencoder = Autoencoder(16, epochs=60, random_state=0, **settings).fit(x)
    plane = PCA(2, random_state=0).fit(autoencoder.transform(x))

    def flat(codes: np.ndarray) -> list[list[float]]:
        return plane.transform(codes).astype(float).round(3).tolist()  # as float32 they would have twenty digits

    def frame(estimator: AutoencodedKMeans) -> dict[str, Any]:
        encoder = estimator.autoencoder_
        codes, labels, rebuilt = encoder.transform(x), estimator.predict(x), encoder.reconstruct(x)
        shares = np.bincount(labels, minlength=10) / len(x)
        return {
            "codes": flat(codes[SHOWN]),
            "centers": flat(estimator.cluster_centers_),
            "images": as_shades(rebuilt[list(IMAGES)]),
            "variance": round(float(codes.var(0).sum()), 6),
            "shares": shares.round(4).tolist(),
            "error": round(float(np.square(rebuilt - x).mean()), 5),
            "v": round(float(v_measure_score(y, labels)), 4),
        }

    runs = []
    for weight in weights:
        frames: list[dict] = []
        for n_epochs in (1, max(epochs)):  # the first for the state at the start: one epoch of steps of no length
            done: list[int] = []

            def after(estimator, n_epochs=n_epochs, done=done, frames=frames):
                done.append(len(done) + 1)
                if n_epochs == 1 or done[-1] in epochs:
                    frames.append(frame(estimator))
                return {"frames": len(frames)}

            model = AutoencodedKMeans(
                10, autoencoder=autoencoder, clustering_weight=weight, epochs=n_epochs, random_state=0,
                learning_rate=1e-12 if n_epochs == 1 else 1e-3, callbacks=[Evaluate(after)],
            )  # fmt: skip
            with warnings.catch_warnings():  # collapses are what we came for; the first one is too short on purpose
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(x)
        runs.append(frames)
    edge = round(0.6 * float(np.ptp(runs[0][0]["codes"])), 3)
    return {
        "weights": list(weights), "epochs": list(epochs), "runs": runs, "digits": y[SHOWN].tolist(), "side": 8,
        "originals": as_shades(x[list(IMAGES)]), "view": [-edge, edge, -edge, edge],
    }  # fmt: skip


def as_shades(images: np.ndarray) -> list[list[int]]:
    """Images in [0, 1] as rows of 16 shades."""
    return (images.reshape(len(images), -1).clip(0, 1) * 15).round().astype(int).tolist()


class CollapsePlayer(Demo):
    """Recorded trainings of autoencoded k-means: a slider for the weight λ, one for the epoch.

    weight: one of the recorded ones, to begin with; ValueError for others.
    """

    script = "collapse_player"
    title = "Autoencoded k-means: the weight of the second term"

    def __init__(self, weight: float = 1):
        recorded = json.loads(FILE.read_text(encoding="utf-8"))
        if weight not in recorded["weights"]:
            raise ValueError(f"weight={weight}: recorded are {', '.join(map(str, recorded['weights']))}.")
        super().__init__(**recorded, first=recorded["weights"].index(weight))

    def still(self) -> tuple[Figure, str]:
        runs, weights = self.settings["runs"], self.settings["weights"]
        shown = [0, 2, len(weights) - 1]
        low, high, *_ = self.settings["view"]
        fig, axes = plots.figure(1, 3, width=12, height=4.3)
        for ax, run in zip(axes, shown, strict=True):
            end = runs[run][-1]
            plots.clusters(np.array(end["codes"]), np.array(self.settings["digits"]), ax=ax, size=30)
            plots.cross(ax, np.array(end["centers"]), size=90)
            with plots.style():
                ax.set_aspect("equal", adjustable="box")  # so that the limits hold
                ax.set_title(f"λ = {weights[run]}: V {end['v']:.2f}")
                ax.set(xlabel="", ylabel="", xlim=(low, high), ylim=(low, high), xticks=[], yticks=[])
        return fig, (
            "Codes of digits in the plane and the centres after training, on the same axes, for no, a small and a "
            "large weight of the k-means term: the larger the weight, the smaller the cloud of codes."
        )


if __name__ == "__main__":
    FILE.write_text(json.dumps(record(), separators=(",", ":")) + "\n", encoding="utf-8")
