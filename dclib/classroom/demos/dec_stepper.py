"""DEC on codes in the plane: what the target p does to the votes q, where it pulls, and what becomes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from dclib.classroom import plots
from dclib.classroom.demos.demo import Demo
from dclib.dec import soft_assignment

VIEW = (-1.0, 6.0, -1.1, 5.2)
RATE, HOLD = 0.1, 5  # as in dec_stepper.js


def _groups(named: Any, middles: Any, sizes: Any, spread: float = 0.5, seed: int = 3) -> list[list[float]]:
    """The codes A, B and C, and after them groups of random ones."""
    at = np.repeat(np.asarray(middles, dtype=float), sizes, axis=0)
    points = np.vstack(
        [np.reshape(named, (-1, 2)), at + spread * np.random.default_rng(seed).standard_normal(at.shape)]
    )
    return points.round(2).tolist()


_CENTERS = [[1.0, 1.4], [4.2, 0.9], [3.4, 3.9]]
_NAMED = [[1.9, 1.5], [2.5, 1.3], [2.5, 2.8]]  # A sure; B a little nearer to the large group; C between all
GALLERY = (
    {
        "title": "one large group, two small",
        "points": _groups(_NAMED, _CENTERS, [22, 6, 6]),
        "centers": _CENTERS,
        "notice": "At the start B votes for the large blue group. Where does p send it? Try “divide by frequency” 0.",
    },
    {
        "title": "a wrong start, groups near",
        "points": _groups([[0.6, 2.0], [3.8, 2.4], [4.3, 1.6]], _CENTERS, [14] * 3, seed=5),
        "centers": [[0.6, 1.0], [2.0, 2.4], [3.9, 2.0]],
        "notice": "At the start the third centre has two groups. Take 30 steps, and 30 more. Is it mended?",
    },
    {
        "title": "a wrong start, groups far",
        "points": _groups([[0.6, 2.0], [4.6, 2.05], [4.5, 1.3]], [[0.5, 2.0], [4.6, 1.2], [4.6, 2.9]], [14] * 3, 0.35),
        "centers": [[0.5, 1.5], [0.5, 2.5], [4.6, 2.05]],
        "notice": "The same, farther apart. Take 30 steps, and 30 more. Then drag a centre to where it is missing.",
    },
    {
        "title": "codes that hardly vary",
        "points": _groups([[2.5, 2.0], [2.6, 2.0], [2.5, 2.1]], [[2.5, 2.0]], [30], 0.08),
        "centers": [[2.45, 2.0], [2.55, 2.0], [2.5, 2.08]],
        "notice": "All votes are nearly equal, and so p is nearly q. There is nothing to teach.",
    },
)


def sharpened(q, power: float = 2.0, frequency: float = 1.0) -> np.ndarray:
    """p_ij ∝ q_ij^power / f_j^frequency with f_j = Σ_i q_ij, rows sum to one. (n, k) -> (n, k)

    power=2, frequency=1 is DEC's target (Xie et al. 2016, equation 3); power=1, frequency=0 leaves q as it is.
    """
    q = np.asarray(q, dtype=float)
    weight = q**power / q.sum(axis=0) ** frequency
    return weight / weight.sum(axis=1, keepdims=True)


def pull(z, centers, p, q, alpha: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Where gradient descent on Σ_i KL(p_i‖q_i) moves each code and each center for fixed p: (n, d), (k, d).

    (α+1)/α Σ (1 + ‖z_i − μ_j‖²/α)^(−1) (p_ij − q_ij) (μ_j − z_i), over j for the code i; minus that, over i, for the
    center j (Xie et al. 2016, equations 4 and 5, their signs turned).
    """
    way = np.asarray(centers, dtype=float)[None] - np.asarray(z, dtype=float)[:, None]  # (n, k, d)
    weight = (alpha + 1) / alpha * (np.asarray(p) - q) / (1 + (way**2).sum(2) / alpha)  # (n, k)
    moves = weight[..., None] * way
    return moves.sum(1), -moves.sum(0)


def played(points, centers, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes and centers after so many steps of the page: p from all codes, renewed every fifth step."""
    z, mu = np.array(points, dtype=float), np.array(centers, dtype=float)
    p = np.empty(0)
    for count in range(n_steps):
        q = soft_assignment(torch.from_numpy(z), torch.from_numpy(mu)).numpy()
        p = sharpened(q) if count % HOLD == 0 else p
        by_z, by_mu = pull(z, mu, p, q)
        z, mu = z + RATE * by_z, mu + RATE * by_mu
    return z, mu


class DECStepper(Demo):
    """Codes in the plane, their votes q and the target p; sliders for its parts, steps that move codes and centres.

    dataset: the number of the scene to begin with.
    """

    script = "dec_stepper"
    title = "DEC: votes, target and pull"

    def __init__(self, dataset: int = 0):
        if not 0 <= dataset < len(GALLERY):
            raise ValueError(f"dataset={dataset}: the gallery has the numbers 0 to {len(GALLERY) - 1}.")
        super().__init__(gallery=list(GALLERY), dataset=dataset, view=list(VIEW))

    def still(self) -> tuple[Figure, str]:
        scene = self.settings["gallery"][self.settings["dataset"]]
        fig, axes = plots.figure(1, 2, width=12, height=4.6)
        for ax, steps in zip(axes, (0, 30), strict=True):
            z, mu = played(scene["points"], scene["centers"], steps)
            q = soft_assignment(torch.from_numpy(z), torch.from_numpy(mu)).numpy()
            plots.clusters(z, q.argmax(1), mu, ax=ax, size=90)
            arrows, _ = pull(z, mu, sharpened(q), q)
            ax.quiver(*z.T, *arrows.T, angles="xy", scale_units="xy", scale=0.5, width=0.009, color="0.25", zorder=4)
            with plots.style():
                ax.set_aspect("equal", adjustable="box")
                ax.set_title(f"after {steps} steps" if steps else "start: the pull, doubled")
                ax.set(xlim=VIEW[:2], ylim=VIEW[2:], xlabel="", ylabel="")
            for letter, at, arrow in zip("ABC", z, arrows, strict=False):  # above, but below where the arrow goes up
                side = -1 if arrow[1] > 0.3 * np.hypot(*arrow) else 1
                plots.label(ax, at[0], at[1] + 0.32 * side, letter)
        return fig, (
            "Codes in the plane in three clusters with their centres, and an arrow for the pull of DEC's loss on each "
            "code; at the start, and after thirty steps, when the clusters are tighter."
        )
