"""Random shifts, rotations, scales and shears move what they should by as much as they should."""

import numpy as np
import pytest
import scipy.ndimage
import torch

from dclib.augmentation import RandomShiftRotate, random_patches


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


def moved_by(augment, **draws):
    """One draw for each of the six movements, in [-1, 1], all else zero -> (6, 1)"""
    names = ("turn", "x", "y", "scale_x", "scale_y", "shear")
    return lambda images: augment.move(images, torch.tensor([[draws.get(name, 0.0)] for name in names]))


def test_scale_is_a_factor_of_each_axis():
    """A spot 5 rows and 8 columns from the middle; 1 + 0.25 along x, 1 − 0.25 · 0.8 along y."""
    augment = RandomShiftRotate(0, 0, max_scale=0.25)
    moved = moved_by(augment, scale_x=1.0, scale_y=-0.8)(spot(row=15, column=23))
    np.testing.assert_allclose(centre_of_mass(moved)[0] - [10, 15], [5 * 0.8, 8 * 1.25], atol=0.15)


def test_shear_moves_rows_sideways_in_proportion_to_their_distance_from_the_middle():
    augment = RandomShiftRotate(0, 0, max_shear=0.5)
    for row, sideways in ((10, 0), (14, 2), (4, -3)):
        moved = moved_by(augment, shear=1.0)(spot(row=row))
        np.testing.assert_allclose(centre_of_mass(moved)[0] - [10, 15], [row - 10, sideways], atol=0.1)


def test_all_at_once_first_scale_then_shear_then_turn():
    augment = RandomShiftRotate(0, 90, max_scale=0.5, max_shear=0.5)
    moved = moved_by(augment, turn=1.0, scale_x=0.5, scale_y=0.5, shear=1.0)(spot(row=14, column=19))
    x, y = 4 * 1.25, 4 * 1.25  # to the right and down
    x += 0.5 * y
    # A turn by 90° takes (x, y) to (y, −x); the other order of the three would end elsewhere.
    np.testing.assert_allclose(centre_of_mass(moved)[0] - [10, 15], [-x, y], atol=0.1)


def test_without_scale_and_shear_the_draws_are_those_of_before():
    """Three an image: a training with shifts and rotations alone stays what it was."""
    device = torch.device("cpu")
    plain, more = (a.draw(7, None, device) for a in (RandomShiftRotate(), RandomShiftRotate(max_shear=0.1)))
    assert plain.shape == (3, 7) and more.shape == (6, 7)
    images = torch.rand(7, 1, 12, 16)
    same = RandomShiftRotate(max_scale=0.3, max_shear=0.3).move(images, torch.cat([plain, torch.zeros(3, 7)]))
    torch.testing.assert_close(same, RandomShiftRotate().move(images, plain))


def test_each_image_moves_on_its_own_and_the_generator_decides():
    images = spot().expand(3, -1, -1, -1)
    a, b = (RandomShiftRotate()(images, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(a, b)
    assert not torch.equal(a[0], a[1])


@pytest.mark.parametrize("sizes", [(-1, 0), (0, -5), (float("nan"), 0), (0, 0, -0.1), (0, 0, 0, -0.1)])
def test_negative_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="must not be negative"):
        RandomShiftRotate(*sizes)


def test_an_image_cannot_shrink_to_nothing():
    with pytest.raises(ValueError, match="max_scale=1.0 must be below 1"):
        RandomShiftRotate(max_scale=1.0)


@pytest.mark.parametrize(("size", "share"), [(2, 0.5), (3, 1 / 3), (1, 0.125), (2, 0.0), (6, 1.0)])
def test_patches_are_whole_equally_many_and_drawn_for_each_image(size, share):
    images = torch.rand(300, 2, 6, 12)
    _, _, h, w = images.shape
    mask = random_patches(images, size, share, torch.Generator().manual_seed(0))
    blocks = mask.view(300, h // size, size, w // size, size).transpose(2, 3).flatten(3)
    assert mask.shape == (300, 1, h, w) and (blocks == blocks[..., :1]).all()
    counts = blocks[..., 0].flatten(1).sum(1)
    assert (counts == round(share * (h // size) * (w // size))).all()
    if 0 < share < 1:
        often = blocks[..., 0].float().mean(0)
        assert (often - share).abs().max() < 0.15 and len(mask.flatten(1).unique(dim=0)) > 5


def test_patches_must_fit_the_image():
    with pytest.raises(ValueError, match="size=3 must divide"):
        random_patches(torch.rand(2, 1, 6, 8), 3, 0.5)
    with pytest.raises(ValueError, match="share=2 must be from 0 to 1"):
        random_patches(torch.rand(2, 1, 6, 8), 2, 2)
