"""LloydStepper: half steps by hand, own points, other starts; its real callbacks. In a browser: tests/browser."""

import numpy as np
import pytest
from page import click, numbers

from dclib.classroom.demos.lloyd_stepper import LloydStepper

SQUARE = np.array([[1.0, 1], [1, 2], [9, 6], [9, 7]])  # two pairs


def stepper(points=SQUARE, k=2, centers=None):
    box = LloydStepper(points, n_clusters=k)
    for i, (x, y) in enumerate(centers if centers is not None else []):
        click(box.canvas, kind="drag", index=i, x=x, y=y)
    return box


def test_half_steps_by_hand():
    box = stepper(centers=[[1, 1], [9, 7]])
    box.assign_button.click()
    assert box.labels.tolist() == [0, 0, 1, 1]
    assert box.losses == [2.0]  # 0 + 1 + 1 + 0
    box.update_button.click()
    assert box.centers.tolist() == [[1, 1.5], [9, 6.5]]
    assert box.losses == [2.0, 1.0]
    assert not box.stuck and not box.finals
    box.assign_button.click()
    assert box.stuck and box.losses == [2.0, 1.0, 1.0] and box.finals == [1.0]
    assert "no point changed" in box.says.value and "1.00" in box.says.value
    assert numbers(box.canvas.centers).tolist() == [[1, 1.5], [9, 6.5]]
    assert numbers(box.canvas.trails).tolist() == [[1, 1], [9, 7], [1, 1.5], [9, 6.5]]


def test_only_the_next_step_can_be_clicked():
    box = stepper()
    assert not box.assign_button.disabled and box.update_button.disabled and not box.run_button.disabled
    box.assign_button.click()
    assert box.assign_button.disabled and not box.update_button.disabled
    box.assign()  # out of turn: nothing happens
    assert len(box.losses) == 1
    box.run_button.click()
    assert box.stuck
    assert box.assign_button.disabled and box.update_button.disabled and box.run_button.disabled


def test_the_loss_never_rises_and_the_end_is_a_fixed_point():
    for seed in range(5):
        box = LloydStepper(random_state=seed)
        box.run_button.click()
        assert (np.diff(box.losses) <= 1e-9).all()
        distances = np.linalg.norm(box.points[:, None] - box.centers, axis=2)
        assert (distances.argmin(1) == box.labels).all()
        for k in range(4):
            assert np.allclose(box.centers[k], box.points[box.labels == k].mean(0))


def test_starts_end_in_different_optima_and_are_remembered():
    box = LloydStepper()
    box.run_button.click()
    for _ in range(9):
        box.start_button.click()
        assert box.losses == [] and box.labels is None
        box.run_button.click()
    assert len(box.finals) == 10 and max(box.finals) > 2 * min(box.finals)
    assert f"{min(box.finals):.2f}" in box.says.value and "Starts so far: 10" in box.says.value


def test_a_bad_start_by_hand_is_a_local_optimum():
    points = np.array([[1.0, 1], [1, 7], [9, 1], [9, 7]])
    box = stepper(points, centers=[[5, 1], [5, 7]])  # splits the rectangle the wrong way
    box.run_button.click()
    assert box.stuck and box.losses[-1] == 64.0
    for i, (x, y) in enumerate([[1, 4], [9, 4]]):
        click(box.canvas, kind="drag", index=i, x=x, y=y)
    box.run_button.click()
    assert box.losses[-1] == 36.0 and box.finals == [64.0, 36.0]


def test_placing_a_point_starts_anew():
    box = stepper()
    box.run_button.click()
    centers = box.centers.copy()
    click(box.canvas, kind="place", x=5, y=4)
    assert len(box.points) == 5 and box.points[-1].tolist() == [5, 4]
    assert box.losses == [] and box.finals == [] and not box.stuck
    assert (box.centers == centers).all()
    assert len(numbers(box.canvas.points)) == 5
    box.run_button.click()
    assert box.stuck and len(box.labels) == 5


@pytest.mark.filterwarnings("error")
def test_clear_then_place_until_there_are_enough():
    box = stepper(k=3)
    box.clear_button.click()
    assert len(box.points) == 0 and box.centers is None and "Place 3 more points" in box.says.value
    assert box.assign_button.disabled and box.run_button.disabled
    box.run_button.click()  # nothing to do, and no endless loop
    for x in (1, 2):
        click(box.canvas, kind="place", x=x, y=x)
    assert box.centers is None and "Place 1 more point:" in box.says.value
    click(box.canvas, kind="place", x=8, y=8)
    assert sorted(box.centers.tolist()) == [[1, 1], [2, 2], [8, 8]]
    box.run_button.click()
    assert box.stuck and box.losses[-1] == 0


def test_another_number_of_clusters():
    box = LloydStepper()
    box.run_button.click()
    box.k_slider.value = 6
    assert box.centers.shape == (6, 2) and box.finals == [] and box.losses == []


def test_an_empty_cluster_stays_where_it_is():
    box = stepper(SQUARE[:2], centers=[[1, 1], [9, 7]])
    box.assign_button.click()
    box.update_button.click()
    assert box.centers.tolist() == [[1, 1.5], [9, 7]]
    assert "own no point" in box.says.value
    box.run_button.click()
    assert box.stuck


@pytest.mark.filterwarnings("error")  # a warning of matplotlib's would stand in the notebook
def test_the_curve_is_drawn_after_each_step():
    box = LloydStepper()
    seen = {box.curve.value}
    for button in (box.assign_button, box.update_button, box.run_button):
        button.click()
        seen.add(box.curve.value)
    assert len(seen) == 4 and all(value.startswith(b"\x89PNG") for value in seen)


def test_a_short_text_instead_of_bytes():
    assert repr(LloydStepper()) == "LloydStepper(60 points)"
