"""TargetSharpener: its equations against DEC's and autograd, and its real callbacks."""

import numpy as np
import pytest
import torch

from dclib.classroom.demos.target_sharpener import TargetSharpener, pull, sharpened
from dclib.dec import kl_divergence, soft_assignment, target_distribution


@pytest.fixture
def random_case():
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in (20, 4))


def test_power_two_and_frequency_one_is_the_target_of_dec(random_case):
    q = soft_assignment(*random_case)
    np.testing.assert_allclose(sharpened(q), target_distribution(q), rtol=1e-12)


def test_power_and_frequency_do_one_thing_each():
    q = np.array([[0.6, 0.4], [0.9, 0.1]])  # f = (1.5, 0.5)
    np.testing.assert_allclose(sharpened(q, 1, 0), q)
    np.testing.assert_allclose(sharpened(q, 3, 0)[0], np.array([0.216, 0.064]) / 0.28)
    np.testing.assert_allclose(sharpened(q, 1, 1)[0], [0.4 / 1.2, 0.8 / 1.2])


@pytest.mark.parametrize("alpha", [1.0, 3.5])
def test_pull_is_the_negative_gradient(random_case, alpha):
    z, centers = random_case
    z.requires_grad_()
    q = soft_assignment(z, centers, alpha)
    p = torch.from_numpy(sharpened(q.detach(), 3.0, 0.5))
    (len(z) * kl_divergence(p, q)).backward()  # kl_divergence is a mean over the samples
    found = pull(z.detach(), centers, p.numpy(), q.detach().numpy(), alpha)
    np.testing.assert_allclose(found, -z.grad.numpy(), atol=1e-12)


def test_each_slider_changes_p_the_picture_and_the_words():
    widget = TargetSharpener()
    for slider, value in ((widget.power, 4.0), (widget.frequency, 0.0), (widget.alpha, 5.0)):
        p, picture, words, alt = widget.p, widget.image.value, widget.says.value, widget.image.alt
        slider.value = value
        assert np.abs(widget.p - p).max() > 0.01
        assert widget.image.value != picture
        assert widget.image.value.startswith(b"\x89PNG")
        assert widget.says.value != words
        assert widget.image.alt != alt
        assert f"A: q {widget.q[0].round(2).tolist()}" in widget.image.alt


def test_words_name_the_setting_of_dec():
    widget = TargetSharpener()
    assert "DEC's target" in widget.says.value
    widget.power.value = 1.0
    assert "DEC's target" not in widget.says.value
    widget.frequency.value = 0.0
    assert "KL(P‖Q) = 0.000" in widget.says.value
    np.testing.assert_allclose(widget.arrows, 0, atol=1e-12)


def test_point_b_goes_to_the_small_cluster_only_by_the_frequency():
    widget = TargetSharpener()
    assert widget.q[1].argmax() == 0
    assert widget.p[1].argmax() == 1
    widget.frequency.value = 0.0
    assert widget.p[1].argmax() == 0


def test_own_points_and_centers():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [4.0, 0.0]])
    widget = TargetSharpener(points, [[0.0, 0.0], [4.0, 0.0]], named=[1])
    np.testing.assert_allclose(widget.q[1], np.array([1 / 2, 1 / 10]) / 0.6)
    assert widget.arrows[1, 0] < 0  # towards its center
    assert len(widget.p) == 3
