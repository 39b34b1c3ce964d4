"""Gradient k-means: what one point does to the centres, hard or soft."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from dclib.classroom import plots
from dclib.classroom.demos.demo import Demo
from dclib.gradient_kmeans import soft_gradient
from dclib.kmeans import squared_distances

VIEW = (-6.0, 6.0, -4.8, 4.8)
TEMPERATURES = (0, 0.1, 0.3, 1, 2, 4, 8, 16, 32, 64)  # as in soft_pull.js
GALLERY = (
    {
        "title": "two centres",
        "centers": [[-2.0, 0.0], [2.0, 0.0]],
        "point": [-0.5, 1.0],
        "notice": "Drag the point slowly from left to right, at temperature 0, then at 4, then at 64.",
    },
    {
        "title": "a tie",
        "centers": [[-2.0, 0.0], [2.0, 0.0]],
        "point": [0.0, 2.0],
        "notice": "Hard: one of two equals takes all. Soft: take some steps, and see that both come.",
    },
    {
        "title": "one centre on the other",
        "centers": [[1.5, -1.0], [1.5, -1.0]],
        "point": [-2.0, 1.0],
        "notice": "Two centres in the same place get the same pull for ever, unless the assignment is hard.",
    },
    {
        "title": "a far centre",
        "centers": [[-2.0, 0.0], [0.5, 0.0], [4.0, -2.5]],
        "point": [-1.0, 1.0],
        "notice": "At which temperature does the green centre feel anything? Which way does it go?",
    },
)


class SoftPull(Demo):
    """Drag a point past the centres: its weights q, and the pull w on each centre, with a temperature to set.

    dataset: the number of the scene to begin with; temperature: one of TEMPERATURES, 0 is the hard assignment.
    """

    script = "soft_pull"
    title = "Gradient k-means: the pull of one point"

    def __init__(self, dataset: int = 0, temperature: float = 4):
        if not 0 <= dataset < len(GALLERY):
            raise ValueError(f"dataset={dataset}: the gallery has the numbers 0 to {len(GALLERY) - 1}.")
        if temperature not in TEMPERATURES:
            raise ValueError(f"temperature={temperature}: take one of {', '.join(map(str, TEMPERATURES))}.")
        level = TEMPERATURES.index(temperature)
        super().__init__(gallery=list(GALLERY), dataset=dataset, level=level, view=list(VIEW))

    def still(self) -> tuple[Figure, str]:
        scene = self.settings["gallery"][self.settings["dataset"]]
        centers, x = torch.tensor(scene["centers"]).double(), torch.tensor([scene["point"]]).double()
        fig, axes = plots.figure(1, 3, width=12, height=3.6, sharey=True)
        for ax, temperature in zip(axes, (0.1, 4, 64), strict=True):
            pull = -soft_gradient(x, centers, squared_distances(x, centers), temperature).numpy()
            plots.cross(ax, centers)
            ax.scatter(*x[0].tolist(), s=160, color="black", zorder=5)
            for k, (at, way) in enumerate(zip(centers.numpy(), pull, strict=True)):
                if np.hypot(*way) > 0.4:  # the cross hides a shorter one
                    arrow = {"arrowstyle": "-|>", "lw": 4, "color": plots.text_color(k), "mutation_scale": 22}
                    ax.annotate("", xy=at + way, xytext=at, arrowprops=arrow)
            with plots.style():
                ax.set_title(f"temperature {temperature:g}")
                ax.set(xlim=VIEW[:2], ylim=(-2.5, 2.5), xticks=[-5, 0, 5], yticks=[-2, 0, 2])
        return fig, (
            "A point and the centres of k-means, with an arrow for the pull on each centre, at a low, a middle and a "
            "high temperature: at the low one only the nearest centre is pulled, at the high one all are."
        )
