"""Lesson 02's table of counts, clicked and typed into in a real JupyterLab."""

import pytest


@pytest.fixture
def table(lab):
    """The widget, after the cells down to it have run; the measurements below it are not needed here."""
    lab.open("02_judging_a_clustering.ipynb")
    lab.page.get_by_role("heading", name="What does chance score").click()  # in the first cell below the widget
    lab.menu("Run", "Run All Above Selected Cell")
    lab.page.get_by_role("button", name="Split a cluster").wait_for()
    yield lab.widget("Split a cluster")
    lab.check()


def counts(widget):
    values = widget.locator("input[type=number]").evaluate_all("boxes => boxes.map(box => +box.value)")
    return [values[row : row + 6] for row in range(0, 18, 6)]


def score(widget, name):
    return float(widget.locator("img.dclib-picture").get_attribute("alt").split(f"{name} ")[1][:4])


def test_the_table_of_counts(lab, table):
    picture = table.locator("img.dclib-picture")
    lab.screenshot("02_judge_table")
    assert counts(table) == [[4, 0, 4, 0, 0, 0], [0, 5, 0, 1, 0, 0], [1, 1, 0, 4, 0, 0]]
    assert (score(table, "ACC"), score(table, "purity")) == (0.65, 0.85)

    def click(name):
        lab.changes(picture, lambda: table.get_by_role("button", name=name).click())

    click("Split a cluster")
    assert sum(any(column) for column in zip(*counts(table))) == 5
    assert [sum(row) for row in counts(table)] == [8, 6, 6]
    assert score(table, "purity") >= 0.85

    before = {name: score(table, name) for name in ("ACC", "purity", "V = NMI", "ARI")}
    click("Rename clusters")
    assert {name: score(table, name) for name in before} == before  # the picture changed, no score did
    lab.screenshot("02_judge_table_split_and_renamed")

    # Purity, which is what ACC with the bug gives, is fooled by split classes; ACC is not.
    lab.changes(picture, lambda: table.locator("select").select_option(label="every class split in two"))
    assert (score(table, "ACC"), score(table, "purity")) == (0.55, 1.0)
    table.get_by_text("No class is left for cluster 3, 4, 5: 9 wrong.").wait_for()

    # Type 0 for what is left over: now every sample is right.
    boxes = table.locator("input[type=number]")
    for row, column in ((0, 3), (1, 4), (2, 5)):
        box = boxes.nth(6 * row + column)

        def empty(box=box):
            box.fill("0")
            box.press("Tab")

        lab.changes(picture, empty)
    assert score(table, "ACC") == 1.0
    lab.screenshot("02_judge_table_typed")
