"""Random shifts, rotations, scalings and shears of whole batches of images, and patches that are hidden."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class RandomShiftRotate:
    """Moves each image by up to `max_shift` pixels along each axis and turns it by up to `max_rotation` degrees.

    With `max_scale` (below 1) it also makes the image larger or smaller, each axis for itself, by a factor from
    1 − max_scale to 1 + max_scale; with `max_shear` it slants it: rows move sideways by up to so many pixels for each
    pixel that they are from the middle.
    Uniform draws, one per image; bilinear interpolation, zeros beyond the border. Shifts and rotations are the
    augmentation of DEC-DA (Guo et al. 2018, "Deep embedded clustering with data augmentation", section 4).
    """

    max_shift: float = 2.0
    max_rotation: float = 10.0
    max_scale: float = 0.0
    max_shear: float = 0.0

    def __post_init__(self):
        if not (self.max_shift >= 0 and self.max_rotation >= 0 and self.max_scale >= 0 and self.max_shear >= 0):
            raise ValueError(f"{self} has a negative size: the sizes must not be negative.")
        if self.max_scale >= 1:
            raise ValueError(f"max_scale={self.max_scale} must be below 1: an image cannot shrink to nothing.")

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """images (n, c, h, w) -> images of the same shape, each moved."""
        return self.move(images, self.draw(len(images), generator, images.device))

    def draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        """Random numbers for n images (m, n), uniform in [-1, 1): what `move` takes. Without scale and shear m is 3."""
        return 2 * torch.rand(6 if self.max_scale or self.max_shear else 3, n, generator=generator, device=device) - 1

    def move(self, images: Tensor, draws: Tensor) -> Tensor:
        """Turn image i by draws[0, i] · max_rotation, shift it by draws[1:3, i] · max_shift along x and y, scale it by
        1 + draws[3:5, i] · max_scale along x and y, shear it by draws[5, i] · max_shear.
        """
        _, _, h, w = images.shape
        angle = draws[0] * (self.max_rotation * torch.pi / 180)
        cos, sin = angle.cos(), angle.sin()
        # The matrix takes an output position to the input position it is read from, in pixels from the middle.
        matrix = torch.stack([cos, -sin, sin, cos]).view(2, 2, -1)
        if len(draws) > 3:
            scale, shear = 1 + draws[3:5] * self.max_scale, draws[5] * self.max_shear
            # The inverse of: first scale, then shear, then turn.
            matrix = torch.stack([matrix[0] - shear * matrix[1], matrix[1]]) / scale[:, None]
        # grid_sample's coordinates run from -1 to 1 over each axis: a pixel is 2/w wide and 2/h high. The ratios keep
        # oblong images rigid.
        theta = torch.stack(
            [
                torch.stack([matrix[0, 0], matrix[0, 1] * (h / w), draws[1] * (2 * self.max_shift / w)], dim=1),
                torch.stack([matrix[1, 0] * (w / h), matrix[1, 1], draws[2] * (2 * self.max_shift / h)], dim=1),
            ],
            dim=1,
        )  # (n, 2, 3)
        grid = F.affine_grid(theta.to(images.dtype), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, align_corners=False)


def random_patches(images: Tensor, size: int, share: float, generator: torch.Generator | None = None) -> Tensor:
    """A mask (n, 1, h, w) that marks a `share` of the patches of size × size pixels of each image (n, c, h, w).

    Each image has its own draw, of equally many patches. A masking autoencoder reconstructs the marked ones from the
    rest (He et al. 2022, "Masked autoencoders are scalable vision learners"). `size` must divide h and w.
    """
    n, _, h, w = images.shape
    if h % size or w % size:
        raise ValueError(f"size={size} must divide the sides of the images, {h} and {w}.")
    if not 0 <= share <= 1:
        raise ValueError(f"share={share} must be from 0 to 1.")
    rows, columns = h // size, w // size
    order = torch.rand(n, rows * columns, generator=generator, device=images.device).argsort(1).argsort(1)
    marked = (order < round(share * rows * columns)).view(n, 1, rows, columns)
    return marked.repeat_interleave(size, 2).repeat_interleave(size, 3)
