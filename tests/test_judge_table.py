"""JudgeTable: its real callbacks, and that its picture and words follow the counts."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from dclib.classroom import plots
from dclib.classroom.demos.judge_table import JudgeTable
from dclib.metrics import scores

TABLE = [[4, 0, 4, 0], [0, 5, 0, 1], [1, 1, 0, 4]]


@pytest.fixture
def widget():
    return JudgeTable(
        TABLE, class_names=["A", "B", "C"], examples={"one": [[7], [7], [6]], "split": [[4, 3], [4, 3], [2, 1]]}
    )


def samples(table):
    rows, columns = np.indices(table.shape)
    return np.repeat(rows.ravel(), table.ravel()), np.repeat(columns.ravel(), table.ravel())


def test_it_starts_with_the_scores_of_the_given_table(widget):
    assert widget.table[:, :4].tolist() == TABLE
    assert widget.table[:, 4:].sum() == 0
    expected = scores(*samples(np.array(TABLE)))
    assert {name: widget.scores[name] for name in ("acc", "purity", "v_measure", "ari")} == pytest.approx(
        {name: expected[name] for name in ("acc", "purity", "v_measure", "ari")}
    )
    h, c = widget.scores["homogeneity"], widget.scores["completeness"]
    assert 2 * h * c / (h + c) == pytest.approx(widget.scores["v_measure"])
    assert bytes(widget.image.value).startswith(b"\x89PNG")


def test_typing_a_count_changes_scores_picture_and_words(widget):
    picture = bytes(widget.image.value)
    assert "No class is left for cluster 2: 4 wrong." in widget.message.value
    assert "ACC 0.65" in widget.image.alt
    widget.cells[0][2].value = 0  # the left-over half of class A goes
    assert widget.scores["acc"] == pytest.approx(13 / 16)
    assert "ACC 0.81" in widget.image.alt
    assert bytes(widget.image.value) != picture
    assert "No class is left" not in widget.message.value


def test_split_keeps_the_classes_and_never_lowers_purity(widget):
    for _ in range(2):
        before, purity = widget.table, widget.scores["purity"]
        widget.buttons["Split a cluster"].click()
        assert widget.table.sum(axis=1).tolist() == before.sum(axis=1).tolist()
        assert widget.table.any(axis=0).sum() == before.any(axis=0).sum() + 1
        assert widget.scores["purity"] >= purity - 1e-12
    full = widget.table
    widget.buttons["Split a cluster"].click()  # no column is empty: nothing happens
    assert (widget.table == full).all()


def test_merge_joins_two_clusters_until_one_is_left(widget):
    for left in (3, 2, 1, 1):
        widget.buttons["Merge two clusters"].click()
        assert widget.table.any(axis=0).sum() == left
    assert widget.table.sum(axis=1).tolist() == [8, 6, 6]
    assert widget.scores["completeness"] == 1
    assert "No cluster is left for B, C: 12 wrong." in widget.message.value


def test_renaming_moves_the_columns_and_no_score(widget):
    before, values = widget.table, dict(widget.scores)
    while (widget.table == before).all():
        widget.buttons["Rename clusters"].click()
    assert sorted(map(tuple, widget.table.T)) == sorted(map(tuple, before.T))
    assert widget.scores == pytest.approx(values)


def test_shuffling_keeps_all_sizes(widget):
    before = widget.table
    while (widget.table == before).all():
        widget.buttons["Shuffle labels"].click()
    for axis in (0, 1):
        assert widget.table.sum(axis=axis).tolist() == before.sum(axis=axis).tolist()


def test_chance_is_near_zero_for_ari_only():
    w = JudgeTable([[10, 2, 3, 5], [4, 8, 4, 4], [3, 3, 7, 7]])
    assert abs(w.chance["ari"]) < 0.03
    for name in ("acc", "purity", "homogeneity", "completeness", "v_measure"):
        assert w.chance[name] > 0.02
    once = dict(w.chance)
    w.set_table(w.table)
    assert w.chance == once  # the ticks do not tremble


def test_examples_are_one_move_and_can_be_gone_back_to(widget):
    drawn = []
    widget.image.observe(drawn.append, "value")
    widget.example.value = "one"
    assert len(drawn) == 1
    assert widget.table.sum(axis=0).tolist() == [20, 0, 0, 0, 0, 0]
    widget.cells[1][3].value = 9
    widget.again.click()
    assert widget.table.sum(axis=0).tolist() == [20, 0, 0, 0, 0, 0]


def test_an_empty_table_says_so_and_recovers(widget):
    widget.set_table(np.zeros((3, 2), int))
    assert "empty" in widget.message.value
    widget.cells[1][1].value = 3
    assert widget.scores["acc"] == 1
    assert "empty" not in widget.message.value


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[1.5, 2], [0, 1]], "whole numbers"),
        ([[1, -2], [0, 1]], "at least 0"),
        ([1, 2], "whole numbers"),
        ([[1] * 7, [1] * 7], "at most 6 clusters"),
    ],
)
def test_bad_tables_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        JudgeTable(table)


def test_examples_must_have_the_same_classes():
    with pytest.raises(ValueError, match="3 classes"):
        JudgeTable(TABLE, examples={"two": [[1, 2], [3, 4]]})


def test_frame_match_frames_what_acc_counts():
    table = np.array([[6, 4, 0], [5, 0, 0], [0, 0, 0]])
    ax = plots.contingency(table)
    plots.frame_match(ax, table)
    frames = [p for p in ax.patches if isinstance(p, Rectangle)]
    centers = {(round(p.get_y() + p.get_height() / 2), round(p.get_x() + p.get_width() / 2)) for p in frames}
    assert centers == {(0, 1), (1, 0)}  # not the greedy 6, and nothing around an empty cell
