"""Random shifts and rotations of whole batches of images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class RandomShiftRotate:
    """Moves each image by up to `max_shift` pixels along each axis and turns it by up to `max_rotation` degrees.

    Uniform draws, one per image; bilinear interpolation, zeros beyond the border. This is the augmentation of DEC-DA
    (Guo et al. 2018, "Deep embedded clustering with data augmentation", section 4).
    """

    max_shift: float = 2.0
    max_rotation: float = 10.0

    def __post_init__(self):
        if not (self.max_shift >= 0 and self.max_rotation >= 0):
            raise ValueError(f"max_shift={self.max_shift} and max_rotation={self.max_rotation} must not be negative.")

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """images (n, c, h, w) -> images of the same shape, each shifted and rotated."""
        return self.move(images, self.draw(len(images), generator, images.device))

    def draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        """Random numbers for n images (3, n), uniform in [-1, 1): what `move` takes."""
        return 2 * torch.rand(3, n, generator=generator, device=device) - 1

    def move(self, images: Tensor, draws: Tensor) -> Tensor:
        """Turn image i by draws[0, i] · max_rotation, shift it by draws[1:, i] · max_shift along x and y."""
        _, _, h, w = images.shape
        angle = draws[0] * (self.max_rotation * torch.pi / 180)
        cos, sin = angle.cos(), angle.sin()
        # grid_sample's coordinates run from -1 to 1 over each axis: a pixel is 2/w wide and 2/h high. The matrix takes
        # an output position to the input position it is read from; the ratios keep oblong images rigid.
        theta = torch.stack(
            [
                torch.stack([cos, -sin * (h / w), draws[1] * (2 * self.max_shift / w)], dim=1),
                torch.stack([sin * (w / h), cos, draws[2] * (2 * self.max_shift / h)], dim=1),
            ],
            dim=1,
        )  # (n, 2, 3)
        grid = F.affine_grid(theta.to(images.dtype), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, align_corners=False)
