"""EM for Gaussian mixtures, half step by half step, with a way back."""

from __future__ import annotations

import warnings

import numpy as np
from matplotlib.figure import Figure
from sklearn.exceptions import ConvergenceWarning

from dclib.classroom import plots
from dclib.classroom.demos.demo import Demo
from dclib.gmm import GaussianMixture

VIEW = (-10.0, 10.0, -8.0, 8.0)


def gallery() -> list[dict]:
    """The data sets to choose from: points (n, 2), the rows that start as means, what to ask for, what to look for."""
    rng = np.random.default_rng(4)

    def cloud(n, mean, matrix):
        return rng.normal(size=(n, 2)) @ np.array(matrix).T + mean

    ring = rng.uniform(0, 2 * np.pi, 60)
    sets = [
        (
            "three shapes",
            [
                cloud(70, (-5, 2), np.eye(2)),
                cloud(50, (-2.4, -3), 0.7 * np.eye(2)),
                cloud(70, (3.5, 1), [[2.6, 0], [2.2, 0.5]]),
            ],
            [24, 145, 188],
            "full",
            "Two means start in the long cloud. Watch which of them leaves, and what happens to the long cloud's tip.",
        ),
        (
            "two long clouds",
            [cloud(80, (0, 1.8), np.diag([3.6, 0.45])), cloud(80, (0, -1.8), np.diag([3.6, 0.45]))],
            [126, 23],
            "full",
            "The start cuts across. Watch the ellipses turn. Then take covariance spherical: can circles turn?",
        ),
        (
            "large and small",
            [cloud(150, (-2, 0), 2.1 * np.eye(2)), cloud(20, (5.5, 0), 0.35 * np.eye(2))],
            [2, 160],
            "full",
            "The small cloud needs its own size. Compare tied, where both have one shape.",
        ),
        (
            "one on top of the other",
            [cloud(90, (0, 0), np.diag([5.0, 0.6])), cloud(90, (0, 0), np.diag([0.6, 3.2]))],
            [102, 105],
            "full",
            "Both clouds have the same mean. No border of k-means can part them.",
        ),
        (
            "a lonely point",
            [cloud(70, (-3, 0), 1.3 * np.eye(2)), cloud(70, (2, 1), 1.3 * np.eye(2)), np.array([[8.0, -6.5]])],
            [0, 75, 140],
            "full",
            "One Gaussian starts on the point at the lower right. Take covariance tied: is it safe there?",
        ),
        (
            "a ring",
            [np.stack([4.5 * np.cos(ring), 4.5 * np.sin(ring)], 1) + rng.normal(size=(60, 2)) * 0.25],
            [0, 10, 20, 30, 40],
            "full",
            "A ring is no Gaussian. EM does its best with five pieces; the likelihood still never falls.",
        ),
    ]
    return [
        {
            "title": title,
            "points": np.concatenate(parts).round(2).tolist(),
            "start": start,
            "k": len(start),
            "kind": kind,
            "notice": notice,
        }
        for title, parts, start, kind, notice in sets
    ]


class EMStepper(Demo):
    """EM half step by half step: responsibilities as colours, Gaussians as ellipses, the likelihood as a curve.

    dataset: the number of the gallery's data set to begin with. Points are placed by clicking, means dragged.
    """

    script = "em_stepper"
    title = "EM for a mixture of Gaussians"

    def __init__(self, dataset: int = 0):
        sets = gallery()
        if not 0 <= dataset < len(sets):
            raise ValueError(f"dataset={dataset}: the gallery has the numbers 0 to {len(sets) - 1}.")
        super().__init__(gallery=sets, dataset=dataset, view=list(VIEW))

    def still(self) -> tuple[Figure, str]:
        shown = self.settings["gallery"][self.settings["dataset"]]
        x = np.array(shown["points"])
        fig, axes = plots.figure(1, 3, width=12, height=4.1, sharey=True)
        for ax, n_iter in zip(axes, (1, 3, 500), strict=True):
            options = {"covariance_type": shown["kind"], "tol": 1e-6, "max_iter": n_iter}
            model = GaussianMixture(shown["k"], init=x[shown["start"]], **options)
            with warnings.catch_warnings():  # one iteration is not meant to converge
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(x)
            plots.mixture(x, model, ax=ax, title=f"after {model.n_iter_} iteration{'s' * (model.n_iter_ > 1)}")
            with plots.style():
                ax.set_aspect("equal", adjustable="box")
                ax.set(xlabel="", ylabel="", xlim=VIEW[:2], ylim=VIEW[2:], xticks=[-10, 0, 10], yticks=[-5, 0, 5])
        alt = (
            f"EM on the data set “{shown['title']}”: points and the ellipses of {shown['k']} Gaussians after one and "
            "three iterations and at the end."
        )
        return fig, alt
