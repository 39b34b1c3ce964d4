"""Lloyd's algorithm, half step by half step, with a way back."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from dclib.classroom import plots
from dclib.classroom.demos.demo import Demo
from dclib.kmeans import assign, update

VIEW = (-10.0, 10.0, -8.0, 8.0)
LOW, HIGH = (-9.6, -7.6), (9.6, 7.6)  # of points: none on the edge of the picture


def gallery() -> list[dict]:
    """The data sets to choose from: points (n, 2), the first centers (k, 2), what to look for."""
    rng = np.random.default_rng(1)

    def cloud(n, mean, spread=1.0):
        return rng.normal(size=(n, 2)) * spread + mean

    angle = rng.uniform(0, 2 * np.pi, 120)
    radius = np.repeat([1.5, 6.0], [40, 80]) + rng.normal(size=120) * 0.25
    sets = [
        (
            "three clouds, a bad start",
            [cloud(40, (-6, -4)), cloud(40, (0, 3)), cloud(40, (7, 4))],
            [[-6.5, -4.5], [-5.5, -3.5], [1.0, 2.0]],
            "start 0: where do two centres share one cloud? Which way would one have to go? Then press New start.",
        ),
        (
            "six groups",
            [cloud(15, (u, v), 0.8) for u in (-6.5, 0, 6.5) for v in (-4, 4)],
            [[-6.5, -4.0], [-6.5, 4.0], [-1.0, -4.0], [1.0, -4.0], [6.5, 4.0], [7.5, 4.0]],
            "press New start and Run in turn, ten times: how many different final losses? Then start from k-means++.",
        ),
        (
            "two long clouds",
            [cloud(50, (0, 2), (3.5, 0.4)), cloud(50, (0, -2), (3.5, 0.4))],
            [[-0.5, 2.0], [0.5, -2.0]],
            "start 0 is right, and it stays. Then drag one centre to each end and run: which loss is lower?",
        ),
        (
            "large and small",
            [cloud(140, (-2, 0), 2.2), cloud(8, (5.5, 0), 0.3)],
            [[-2.0, 0.5], [5.5, 0.0]],
            "start 0 has a centre in the small group. Does it stay there? Where does the border come to rest?",
        ),
        (
            "two rings",
            [np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)],
            [[0.0, 0.0], [6.0, 0.0]],
            "start 0 has a centre in the middle of both rings. A border is a straight line: can it keep them apart?",
        ),
        (
            "no groups at all",
            [np.stack([rng.uniform(-9, 9, 120), rng.uniform(-7, 7, 120)], 1)],
            [[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, -1.0]],
            "k-means finds as many clusters as you ask for, also where there are none.",
        ),
        (
            "a centre too far away",
            [cloud(45, (-4, 2)), cloud(45, (2, -2))],
            [[-4.0, 1.0], [2.0, -1.0], [8.5, 6.5]],
            "start 0: how many points are nearest to the green centre in the corner? Drag it close and try again.",
        ),
    ]
    return [
        {
            "title": title,
            "points": np.concatenate(parts).clip(LOW, HIGH).round(2).tolist(),
            "start": start,
            "notice": notice,
        }
        for title, parts, start, notice in sets
    ]


def played(points, centers, most: int = 100) -> tuple[np.ndarray, list[np.ndarray]]:
    """Lloyd's algorithm as the page plays it: labels (n,), and the centers (k, 2) at the start and after each update.

    A centre without points stays where it is.
    """
    x, weight = torch.tensor(points, dtype=torch.float64), torch.ones(len(points), dtype=torch.float64)
    path, labels = [torch.tensor(centers, dtype=torch.float64)], None
    for _ in range(most):
        new = assign(x, path[-1])[0]
        if labels is not None and torch.equal(new, labels):
            break
        labels = new
        means, counts = update(x, labels, len(path[-1]), weight)
        path.append(torch.where(counts[:, None] > 0, means, path[-1]))
    return new.numpy(), [step.numpy() for step in path]


class LloydStepper(Demo):
    """Lloyd's algorithm half step by half step: the points' clusters, the borders, how the centres move, the loss.

    dataset: the number of the gallery's data set to begin with; seed: 0 is the start that the gallery names, others are
    drawn from the points. Points are placed by clicking; points and centres are dragged.
    """

    script = "lloyd_stepper"
    title = "Lloyd's algorithm for k-means"

    def __init__(self, dataset: int = 0, seed: int = 0):
        sets = gallery()
        if not 0 <= dataset < len(sets):
            raise ValueError(f"dataset={dataset}: the gallery has the numbers 0 to {len(sets) - 1}.")
        if not 0 <= seed <= 30:
            raise ValueError(f"seed={seed}: take one from 0 to 30.")
        super().__init__(gallery=sets, dataset=dataset, seed=seed, view=list(VIEW))

    def still(self) -> tuple[Figure, str]:
        shown = self.settings["gallery"][self.settings["dataset"]]
        x, start = np.array(shown["points"]), np.array(shown["start"])
        fig, axes = plots.figure(1, 3, width=12, height=4.1, sharey=True)
        for ax, most in zip(axes, (0, 1, 100), strict=True):
            labels, path = (None, [start]) if most == 0 else played(x, start, most)
            updates = len(path) - 1
            title = "the start" if not most else f"after {updates} update{'s' * (updates > 1)}"
            plots.clusters(x, labels, path[-1], paths=np.stack(path) if most else None, ax=ax, title=title)
            with plots.style():
                ax.set_aspect("equal", adjustable="box")
                ax.set(xlabel="", ylabel="", xlim=VIEW[:2], ylim=VIEW[2:], xticks=[-10, 0, 10], yticks=[-5, 0, 5])
        alt = (
            f"Lloyd's algorithm on the data set “{shown['title']}”: points and {len(start)} centres at the start, "
            "after one update, and at the end, where no point changes its cluster."
        )
        return fig, alt
