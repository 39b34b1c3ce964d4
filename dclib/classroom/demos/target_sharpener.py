"""DEC: what the target p does to the assignment q, and where it pulls the points."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as W
import numpy as np
import torch
from matplotlib.figure import Figure

from dclib.classroom import plots
from dclib.classroom.demos.picture import Picture
from dclib.dec import soft_assignment


def sharpened(q, power: float = 2.0, frequency: float = 1.0) -> np.ndarray:
    """p_ij ∝ q_ij^power / f_j^frequency with f_j = Σ_i q_ij, rows sum to one. (n, k) -> (n, k)

    power=2, frequency=1 is DEC's target (Xie et al. 2016, equation 3); power=1, frequency=0 leaves q as it is.
    """
    q = np.asarray(q, dtype=float)
    weight = q**power / q.sum(axis=0) ** frequency
    return weight / weight.sum(axis=1, keepdims=True)


def pull(z, centers, p, q, alpha: float = 1.0) -> np.ndarray:
    """Where gradient descent moves each code: −∂/∂z_i Σ_j p_ij log(p_ij / q_ij) for fixed p, (n, d).

    = (α+1)/α Σ_j (1 + ‖z_i − μ_j‖²/α)^(−1) (p_ij − q_ij) (μ_j − z_i)   (Xie et al. 2016, equation 4, its sign turned)
    """
    z, centers = np.asarray(z, dtype=float), np.asarray(centers, dtype=float)
    way = centers[None] - z[:, None]  # (n, k, d)
    weight = (np.asarray(p) - q) / (1 + (way**2).sum(2) / alpha)  # (n, k)
    return (alpha + 1) / alpha * (weight[..., None] * way).sum(1)


class TargetSharpener(W.VBox):
    """DEC's target p on points in the plane: sliders for the power of q and for the division by the cluster frequency.

    Left: the points, coloured by their most likely cluster under q, and the pull of KL(P‖Q) on each of them.
    Right: q and p of the points A, B, C, …, their difference, and the share of all samples that each cluster holds.

    points (n, 2), centers (k, 2), by default a large and two small groups; named: the rows shown as A, B, C, …
    State to read: q, p (n, k), arrows (n, 2).
    """

    CENTERS = ((1.0, 1.4), (4.2, 0.9), (3.4, 3.9))
    NAMED = ((1.9, 1.5), (2.5, 1.3), (2.5, 2.8))  # A sure; B a little nearer to the large group; C between all

    def __init__(self, points=None, centers=None, named: Sequence[int] = (0, 1, 2)):
        if points is None:
            generator = np.random.default_rng(3)
            middles = np.repeat(self.CENTERS if centers is None else centers, [22, 6, 6], axis=0)
            points = np.vstack([self.NAMED, middles + 0.5 * generator.standard_normal(middles.shape)])
        self.points = np.asarray(points, dtype=float)
        self.centers = np.asarray(self.CENTERS if centers is None else centers, dtype=float)
        self.named = tuple(named)
        wide = {"style": {"description_width": "150px"}, "layout": W.Layout(width="480px")}
        self.power = W.FloatSlider(2.0, min=0.5, max=6.0, step=0.5, description="power of q", **wide)
        self.frequency = W.FloatSlider(1.0, min=0.0, max=2.0, step=0.25, description="divide by frequency", **wide)
        self.alpha = W.FloatSlider(1.0, min=0.5, max=10.0, step=0.5, description="degrees of freedom α", **wide)
        self.says = W.HTML()
        self.image = Picture()
        super().__init__([self.power, self.frequency, self.alpha, self.says, self.image])
        for slider in (self.power, self.frequency, self.alpha):
            slider.observe(self._update, "value")
        self._update()

    def _update(self, _=None) -> None:
        alpha = self.alpha.value
        z, centers = torch.from_numpy(self.points), torch.from_numpy(self.centers)
        self.q = soft_assignment(z, centers, alpha).numpy()
        self.p = sharpened(self.q, self.power.value, self.frequency.value)
        self.arrows = pull(self.points, self.centers, self.p, self.q, alpha)
        self.says.value = self._in_words()
        rows = zip(self.named, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", strict=False)
        bars = [f"{name}: q {self.q[i].round(2).tolist()}, p {self.p[i].round(2).tolist()}" for i, name in rows]
        self.image.draw(self._draw(), alt=f"The pull on each point, and q and p by cluster. {'; '.join(bars)}.")

    def _in_words(self) -> str:
        sure = [f"{d.max(axis=1).mean():.2f}" for d in (self.q, self.p)]
        large = [f"{d.mean(axis=0).max():.2f}" for d in (self.q, self.p)]
        kl = float((self.p * np.log(self.p / self.q)).sum(axis=1).mean())
        setting = " (DEC's target)" if (self.power.value, self.frequency.value) == (2.0, 1.0) else ""
        return (
            f"p ∝ q<sup>{self.power.value:g}</sup> / f<sup>{self.frequency.value:g}</sup>{setting}. "
            f"Mean of the largest probability: {sure[0]} in q, {sure[1]} in p. "
            f"Share of the largest cluster: {large[0]} in q, {large[1]} in p. KL(P‖Q) = {kl:.3f}."
        )

    def _draw(self) -> Figure:
        fig, (left, right) = plots.figure(1, 2, width=12, height=4.8, width_ratios=[1.1, 1])
        letters = [chr(ord("A") + i) for i in range(len(self.named))]
        rows = list(self.named)
        with plots.style():
            plots.clusters(self.points, self.q.argmax(axis=1), self.centers, ax=left, size=45)
            left.set_title("the pull, doubled")
            arrow = {"angles": "xy", "scale_units": "xy", "scale": 0.5, "width": 0.006, "color": "0.25", "zorder": 4}
            left.quiver(*self.points.T, *self.arrows.T, **arrow)
            for letter, row in zip(letters, rows, strict=True):
                plots.label(left, self.points[row, 0], self.points[row, 1] + 0.28, letter)
            before = np.vstack([self.q[rows], self.q.mean(axis=0)])
            after = np.vstack([self.p[rows], self.p.mean(axis=0)])
            self._bars(right, before, after)
            right.set_xticks(range(len(before)), [*letters, "all\n(share)"])
            right.set(ylim=(0, 1.2), yticks=[0, 0.5, 1], ylabel="probability", title="q outlined, p filled, p − q")
        return fig

    @staticmethod
    def _bars(ax, before, after) -> None:
        """Groups of bars, one group for each row of before and after (m, k)."""
        k = before.shape[1]
        width = 0.85 / k
        for (group, j), q in np.ndenumerate(before):
            p, x = after[group, j], group + (j - (k - 1) / 2) * width
            ax.bar(x, p, width * 0.9, color=plots.color(j))
            ax.bar(x, q, width * 0.9, fill=False, edgecolor="black", linewidth=1.8)
            note = f"{p - q:+.2f}".replace("-", "−")
            ax.text(x, max(p, q) + 0.02, note, ha="center", va="bottom", rotation=90, fontsize=12)

    def __repr__(self) -> str:
        return f"TargetSharpener({len(self.points)} points)"
