"""Every lesson with a live widget: in a real JupyterLab it runs to its end, and the widget answers.

Each lesson's own clicks are tested in test_<lesson>.py beside this file. Here any control that is there must change
the picture (or the drawing) that it belongs to.
"""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VIEW = "application/vnd.jupyter.widget-view+json"
PICTURES = "img.widget-image, canvas, svg"
CONTROLS = ".noUi-handle, button.jupyter-button:not([disabled]), select"


def shows_widgets(path):
    """Whether a stored output of the lesson is a widget other than a progress bar."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    states = notebook["metadata"].get("widgets", {}).values()
    models = {m["model_name"] for state in states for m in state["state"].values()}
    return bool(
        models - {"LayoutModel", "HTMLModel", "HTMLStyleModel", "FloatProgressModel", "ProgressStyleModel", "HBoxModel"}
    )


LESSONS = [path.name for path in sorted((ROOT / "notebooks").glob("*.ipynb")) if shows_widgets(path)]


def test_there_are_lessons_with_widgets():
    """Without stored widget state (tools/store_outputs.py) the test below would have nothing to do."""
    assert LESSONS


@pytest.mark.parametrize("name", LESSONS)
def test_widgets_answer(lab, name):
    lab.run(name)
    live = [w for w in lab.widgets().all() if w.locator(PICTURES).count() and w.locator(CONTROLS).count()]
    for number, widget in enumerate(live):
        lab.changes(widget.locator(PICTURES), lambda widget=widget: use(lab, widget))
        lab.screenshot(f"{name.removesuffix('.ipynb')}_{number}")
    lab.check(name)
    assert live, f"{name} has widgets, but none with a picture and a control"


def use(lab, widget):
    """One step with the first control of a widget."""
    control = widget.locator(CONTROLS).first
    control.scroll_into_view_if_needed()
    if "noUi-handle" in (control.get_attribute("class") or ""):
        value, top = (float(control.get_attribute(f"aria-value{end}")) for end in ("now", "max"))
        lab.press(widget, "ArrowLeft" if value == top else "ArrowRight")
    elif control.evaluate("e => e.tagName") == "SELECT":
        control.select_option(index=1)
    else:
        control.click()
