"""A noise slider on an image: what several networks make of it, in pictures and decibels, as recorded frames."""

from __future__ import annotations

import base64
import functools
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from dclib.classroom import plots
from dclib.classroom.demos.demo import Demo
from dclib.classroom.demos.point_canvas import sprite_of
from dclib.data import load
from dclib.dcra import DCRA
from dclib.kmeans import KMeans
from dclib.latent import LatentClustering
from dclib.metrics import psnr
from dclib.pretrained import load_or_train, split

SIGMAS = tuple(round(0.1 * level, 1) for level in range(11))
CODE = """\
import numpy as np

from dclib import DCRA, KMeans, LatentClustering, load
from dclib.metrics import psnr
from dclib.pretrained import load_or_train, split

data = load("mnist5k")
seen, unseen = split(len(data.x))
x, x_new = data.x[seen], data.x[unseen]
plain, denoising = (load_or_train(f"mnist5k-{kind}-0")[0] for kind in ("small", "denoising"))
options = {"epochs": 10, "batch_size": 128, "learning_rate": 1e-3, "random_state": 0}
methods = {
    "plain": LatentClustering(plain, KMeans(10, n_init=5, random_state=0)).fit(x),
    "denoising": LatentClustering(denoising, KMeans(10, n_init=5, random_state=0)).fit(x),
    "DCRA": DCRA(10, autoencoder=denoising, noise=0.5, **options).fit(x),
}
sigma = 0.5
noisy = x_new + np.float32(sigma) * np.random.default_rng(0).standard_normal(x_new.shape, dtype=np.float32)
print(f"noisy: {psnr(x_new, noisy):.1f} dB")
for name, method in methods.items():
    stays = np.mean(method.predict(noisy) == method.predict(x_new))
    print(f"{name}: {psnr(x_new, method.autoencoder_.reconstruct(noisy)):.1f} dB, {stays:.2f} stay in their cluster")
"""


class NoiseSlider(Demo):
    """Noise on an image by a slider; each method's reconstruction, its decibels, and whether the cluster stays.

    images (n, 1, h, w): few, they are all recorded, each with `draws` draws of the noise. names (n,): what to call
    them. methods: {name: fitted clusterer with `autoencoder_` and `predict`}, three at most, the networks of lesson 09
    without them. Decibels are those of values before they are clipped for the screen.
    """

    script = "noise_slider"
    title = "Noise on an image, and three networks' answers"

    def __init__(self, images=None, names=None, methods: Mapping | None = None, *, draws: int = 2, level: int = 5):
        if images is None or names is None or methods is None:
            images, names, methods = _first_networks()
        clean = np.asarray(images, dtype=np.float32)
        if len(clean) != len(names) or not 1 <= len(methods) <= 3:
            raise ValueError(f"There are {len(clean)} images, {len(names)} names and {len(methods)} methods (1 to 3).")
        if not 0 <= level < len(SIGMAS):
            raise ValueError(f"level={level!r} is no place on the slider: give 0 to {len(SIGMAS) - 1}.")
        noise = np.random.default_rng(0).standard_normal((draws, 1, *clean.shape), dtype=np.float32)
        noisy = clean + np.array(SIGMAS, np.float32)[:, None, None, None, None] * noise  # (draws, levels, n, c, h, w)
        flat = noisy.reshape(-1, *clean.shape[1:])
        rows = [noisy] + [m.autoencoder_.reconstruct(flat).reshape(noisy.shape) for m in methods.values()]
        answers = np.stack(rows, 2)  # (draws, levels, rows, n, c, h, w)
        stays = [m.predict(flat).reshape(noisy.shape[:3]) == m.predict(clean) for m in methods.values()]
        frames = np.concatenate([clean, answers.reshape(-1, *clean.shape[1:])])
        png, tile = sprite_of(frames)
        super().__init__(
            names=list(map(str, names)),
            methods=list(methods),
            sigmas=list(SIGMAS),
            draws=draws,
            level=level,
            sprite="data:image/png;base64," + base64.b64encode(png).decode(),
            tile=list(tile),
            # [draw][level][row][image]: row 0 is the noisy image, then one for each method
            decibels=[
                [[[_decibels(a, b) for a, b in zip(clean, row)] for row in at] for at in draw] for draw in answers
            ],
            stays=np.stack(stays, 2).astype(int).tolist(),  # [draw][level][method][image]
            code=CODE,
        )

    def still(self) -> tuple[Figure, str]:
        s = self.settings
        curves = np.array(s["decibels"])[:, 1:].mean((0, 3)).T  # (rows, levels) without the clean input
        fig, ax = plots.figure(width=8.5, height=4.2)
        shades = [plots.GRAY, *(plots.text_color(k) for k in range(3))]  # as on the page
        with plots.style():
            for k, (name, curve) in enumerate(zip(["noisy image", *s["methods"]], curves)):
                ax.plot(s["sigmas"][1:], curve, color=shades[k], marker=plots.marker(k), markersize=8, label=name)
            ax.set(xlabel="σ of the noise", ylabel="PSNR in dB")
            ax.legend(loc="lower left")
        return fig, (
            f"PSNR of noisy images and of the answers of {', '.join(s['methods'])} against the noise: the noisy "
            "image falls steadily, from above the networks to far below them."
        )


def _decibels(x, x_hat) -> float:
    """PSNR, at most 99: that of an image with itself is infinite, and JSON has no such number."""
    return round(min(psnr(x, x_hat), 99.0), 1)


@functools.cache
def _first_networks():
    """Six unseen digits and three methods, as CODE has them."""
    data = load("mnist5k")
    seen, unseen = split(len(data.x))
    x, y_new = data.x[seen], np.asarray(data.y)[unseen]
    plain, denoising = (load_or_train(f"mnist5k-{kind}-0")[0] for kind in ("small", "denoising"))
    options = {"epochs": 10, "batch_size": 128, "learning_rate": 1e-3, "random_state": 0}
    methods = {
        "plain": LatentClustering(plain, KMeans(10, n_init=5, random_state=0)).fit(x),
        "denoising": LatentClustering(denoising, KMeans(10, n_init=5, random_state=0)).fit(x),
        "DCRA": DCRA(10, autoencoder=denoising, noise=0.5, n_init=5, **options).fit(x),
    }
    digits = (0, 2, 4, 5, 7, 8)
    chosen = [np.flatnonzero(y_new == digit)[1] for digit in digits]
    return data.x[unseen][chosen], digits, methods
