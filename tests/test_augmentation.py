"""Random shifts and rotations move what they should by as much as they should."""

import numpy as np
import pytest
import scipy.ndimage
import torch

from dclib.augmentation import RandomShiftRotate


def spot(h=21, w=31, row=10, column=15):
    image = torch.zeros(1, 1, h, w)
    image[0, 0, row, column] = 1.0
    return image


def centre_of_mass(images):
    """(n, 2): row and column, in pixels."""
    return np.array([scipy.ndimage.center_of_mass(image[0].numpy()) for image in images])


def test_no_movement_is_the_identity():
    images = torch.rand(5, 3, 12, 16)
    torch.testing.assert_close(RandomShiftRotate(0, 0)(images), images, rtol=0, atol=1e-5)


def test_shifts_are_uniform_in_pixels_along_both_axes_of_an_oblong_image():
    images = spot().expand(4000, -1, -1, -1)
    moved = centre_of_mass(RandomShiftRotate(3, 0)(images, torch.Generator().manual_seed(0))) - [10, 15]
    assert np.abs(moved).max() <= 3 + 1e-4
    np.testing.assert_allclose(moved.min(0), -3, atol=0.05)
    np.testing.assert_allclose(moved.max(0), 3, atol=0.05)
    np.testing.assert_allclose(moved.std(0), 3 / np.sqrt(3), rtol=0.05)


def test_rotations_are_rigid_on_an_oblong_image():
    """A spot 8 pixels from the middle stays 8 pixels away, and turns by at most 30 degrees either way."""
    for row, column in ((10, 23), (2, 15)):
        images = spot(row=row, column=column).expand(2000, -1, -1, -1)
        turned = centre_of_mass(RandomShiftRotate(0, 30)(images, torch.Generator().manual_seed(0))) - [10, 15]
        np.testing.assert_allclose(np.hypot(*turned.T), 8, atol=0.3)
        angle = np.degrees(np.arctan2(turned[:, 0], turned[:, 1]))
        angle -= np.degrees(np.arctan2(row - 10, column - 15))
        assert np.abs(angle).max() <= 31
        assert np.abs(angle).max() >= 28 and np.sign(angle).min() < 0 < np.sign(angle).max()


def test_each_image_moves_on_its_own_and_the_generator_decides():
    images = spot().expand(3, -1, -1, -1)
    a, b = (RandomShiftRotate()(images, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(a, b)
    assert not torch.equal(a[0], a[1])


@pytest.mark.parametrize("sizes", [(-1, 0), (0, -5), (float("nan"), 0)])
def test_negative_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="must not be negative"):
        RandomShiftRotate(*sizes)
