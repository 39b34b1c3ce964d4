"""DCAN in the plane: a discriminator's surface while it trains, and the codes that follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from dclib.classroom import plots
from dclib.classroom.demos.demo import Demo
from dclib.dcan import discriminator_loss, draw, encoder_loss
from dclib.engine.device import seeded
from dclib.gaussian_clusters import move_clusters
from dclib.gmm import Mixture
from dclib.kmeans import assign
from dclib.networks import Discriminator

VIEW = (-2.6, 2.6, -2.3, 2.3)
HIDDEN = 16  # as in discriminator_surface.js


def gallery() -> list[dict[str, Any]]:
    """Scenes: codes of about unit variance, first means, the rules of the game, and what to look for."""
    rng = np.random.default_rng(3)

    def cloud(n, mean, deviations):
        return rng.normal(size=(n, 2)) * deviations + mean

    three = [cloud(40, (-1.2, 0.7), 0.42), cloud(40, (1.2, 0.8), 0.42), cloud(40, (0.1, -1.1), 0.42)]
    near = [cloud(60, (-0.75, 0), (0.5, 0.8)), cloud(60, (0.75, 0), (0.5, 0.8))]
    turn = rng.uniform(0, 2 * np.pi, 110)
    ring = [np.stack([np.cos(turn), np.sin(turn)], 1) * rng.normal(1.4, 0.08, (110, 1))]
    centers = [[-1.2, 0.7], [1.2, 0.8], [0.1, -1.1]]
    told = {"told": True, "saturating": False, "spread": 0.5, "steps": 3}
    sets: list[tuple[str, list[np.ndarray], list, dict, str]] = [
        (
            "three clusters",
            three,
            centers,
            told,
            "Draws (rings) are half as wide as the codes. Which codes move more in 20 rounds, outer or inner ones?",
        ),
        (
            "a ring",
            ring,
            [[0.0, 0.0]],
            told | {"spread": 1.0, "steps": 10},
            "Draws and codes have the same mean and the same widths. Does the discriminator find a difference?",
        ),
        (
            "it knows everything",
            three,
            centers,
            told | {"spread": 0.0, "steps": 30, "saturating": True},
            "30 steps a round, and a loss that saturates. Look at the push, then let the codes descend −log D.",
        ),
        (
            "not told the cluster",
            near,
            [[-0.75, 0.0], [0.75, 0.0]],
            told | {"told": False},
            "One surface for all. Tell it the cluster, then compare its surface for blue and for orange.",
        ),
    ]
    return [
        {"title": title, "points": np.concatenate(parts).round(3).tolist(), "means": means, **rules, "notice": notice}
        for title, parts, means, rules, notice in sets
    ]


class DiscriminatorSurface(Demo):
    """A discriminator learns to tell draws from codes, and each code climbs its surface, round by round.

    The page's codes are free: no encoder moves many at once, and no decoder holds them. dataset: the number of the
    scene to begin with. Codes are placed by clicking, and dragged.
    """

    script = "discriminator_surface"
    title = "A discriminator's surface, and the codes that follow"

    def __init__(self, dataset: int = 0):
        scenes = gallery()
        if not 0 <= dataset < len(scenes):
            raise ValueError(f"dataset={dataset}: the gallery has the numbers 0 to {len(scenes) - 1}.")
        super().__init__(gallery=scenes, dataset=dataset, view=list(VIEW))

    def still(self) -> tuple[Figure, str]:
        scene = self.settings["gallery"][self.settings["dataset"]]
        fig, axes = plots.figure(1, 3, width=13, height=4.2, sharey=True)
        for ax, (rounds, z, clusters, drawn, judge) in zip(axes, _played(scene, (0, 20, 40)), strict=True):
            with plots.style():
                _picture(ax, z, clusters, drawn, judge)
                if rounds == 0:
                    begun, first = z, clusters
                    ax.set_title("before the first step\n")
                else:
                    outer, inner = quarters(begun, first.means, z)
                    ax.set_title(f"after {rounds} rounds, moved:\nouter codes {outer:.2f}, inner {inner:.2f}")
        alt = (
            f"The scene “{scene['title']}” three times: codes, draws from their clusters and the discriminator's "
            "surface behind them, before the first step and after 20 and 40 rounds; with how far the outer and the "
            "inner quarter of the codes have moved."
        )
        return fig, alt


def _played(scene, moments, rate=0.02, pace=0.06):
    """The game as the page plays it -> (rounds, codes, clusters, draws, discriminator) at each of these moments."""
    z, means = torch.tensor(scene["points"]), torch.tensor(scene["means"], dtype=torch.float64)
    with seeded(1):
        judge = Discriminator(2, len(means) if scene["told"] else 0, hidden=(HIDDEN, HIDDEN))
    optimizer = torch.optim.Adam(judge.parameters(), rate, betas=(0.5, 0.99))
    generator = torch.Generator().manual_seed(0)

    def fresh_draws():
        noise = scene["spread"] * torch.randn(z.shape, generator=generator)
        return draw(clusters.means.float(), clusters.factors.float(), labels, noise)

    clusters = Mixture(torch.ones(len(means)) / len(means), means, torch.ones_like(means))
    for rounds in range(moments[-1] + 1):
        clusters = move_clusters(z, clusters, "k-means")
        labels = assign(z, clusters.means.float())[0]
        if rounds in moments:
            yield rounds, z, clusters, fresh_draws(), judge
        for _ in range(scene["steps"]):
            optimizer.zero_grad()
            discriminator_loss(judge.logits(fresh_draws(), labels), judge.logits(z, labels)).backward()
            optimizer.step()
        z.requires_grad_()
        logits = judge.logits(z, labels)
        loss = -torch.nn.functional.softplus(logits).mean() if scene["saturating"] else encoder_loss(logits)
        z = (z - pace * len(z) * torch.autograd.grad(loss, z)[0]).detach()


def quarters(start, means, z) -> tuple[float, float]:
    """How far the outer and the inner quarter of the codes have moved on average since the start.

    Outer and inner: farthest from, and nearest to, their centre at the start. (n, 2), (k, 2), (n, 2)
    """
    distances, _ = torch.cdist(start.double(), means.double()).min(1)
    moved = (z - start).norm(dim=1)[distances.argsort()]
    some = max(1, len(z) // 4)
    return moved[-some:].mean().item(), moved[:some].mean().item()


def _picture(ax, z, clusters, drawn, judge) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    x, y = (torch.linspace(low, high, 80) for low, high in (VIEW[:2], VIEW[2:]))
    grid = torch.cartesian_prod(x, y)
    with torch.no_grad():
        d = judge.logits(grid, assign(grid, clusters.means.float())[0]).sigmoid().reshape(80, 80).T
    colors = LinearSegmentedColormap.from_list("judge", ["#96b9d7", "#ffffff", "#f5be5a"])
    ax.contourf(x, y, d, levels=np.linspace(0, 1, 11), cmap=colors)
    labels = assign(z, clusters.means.float())[0]
    for c in range(len(clusters.means)):
        of = (labels == c).numpy()
        ax.scatter(
            *z.numpy()[of].T, s=44, color=plots.text_color(c), marker=plots.marker(c), edgecolors="white", lw=0.5
        )
    ax.scatter(*drawn.numpy().T, s=32, facecolors="none", edgecolors="black", linewidths=0.8)
    ax.set(xlim=VIEW[:2], ylim=VIEW[2:], xticks=[-2, 0, 2], yticks=[-2, 0, 2])
