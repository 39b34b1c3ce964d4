"""Lesson 08: the sliders that sharpen the target p change the picture and the words. The lesson's own cells."""

import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

LESSON = Path(__file__).resolve().parents[2] / "notebooks" / "08_dec.ipynb"


def test_sliders_sharpen_the_target(lab, lessons_copy):
    sources = {c["id"]: "".join(c["source"]) for c in json.loads(LESSON.read_text(encoding="utf-8"))["cells"]}
    code = ["import numpy as np", sources["widget"], sources["widget-numbers"]]
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    cells = [new_code_cell(c) for c in code]
    nbformat.write(new_notebook(cells=cells, metadata=metadata), lessons_copy / "small_08.ipynb")
    lab.run("small_08.ipynb")
    widget = lab.widget("power of q")
    picture, words = widget.locator("img"), widget.get_by_text("DEC's target")
    assert words.count() == 1  # the lesson's next cell ends at DEC's own setting
    for number in range(3):  # power, frequency, degrees of freedom
        handle = widget.locator(".noUi-handle").nth(number)

        def press(handle=handle):
            handle.focus()
            lab.page.keyboard.press("ArrowRight")

        lab.changes(picture, press)
    words.wait_for(state="detached")
    lab.screenshot("lesson_08_sharpen")
    lab.check()
