"""tools/demo.py: all demonstrations on one page. That it writes one file is tested in test_demos.py."""

import inspect
from pathlib import Path

import nbformat
import pytest

from dclib.classroom import demos
from dclib.classroom.demos.demo import Demo

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def demo(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import demo

    return demo


def test_all_are_found_in_the_order_of_the_lessons(demo):
    found = list(demo.demonstrations())
    titles = [title for title, _ in found]
    assert titles == sorted(titles) and titles[0].startswith("01")
    kinds = [kind for _, kind in found]
    assert len(kinds) == len(set(kinds))
    exported = {getattr(demos, name) for name in demos.__all__}
    assert {k for k in exported if inspect.isclass(k) and issubclass(k, Demo)} - {Demo} <= set(kinds)
    assert kinds[0] is demos.LloydStepper


def test_the_notebook_for_voila_shows_each(demo):
    notebook = demo.notebook()
    nbformat.validate(notebook)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert [source.splitlines()[-1] for source in code] == [f"{k.__name__}()" for _, k in demo.demonstrations()]
