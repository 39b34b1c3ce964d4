"""How `pytest --nbval notebooks` compares a lesson's new outputs with the stored ones.

Strict nbval wants the same text. Three things are added here:

* Numbers. A cell tag `rtol=0.05` or `atol=0.03` compares decimals within that tolerance; words, whole numbers and how
  many numbers there are must still be the same. Both tags together: the larger of the two counts, as in `math.isclose`.
* Widgets. Of a widget's text form, such as `VBox(children=(IntSlider(value=3), Image(value=b'...')))`, only the outer
  class is compared. The rest holds pictures and the versions of libraries. Of a demonstration its page in HTML is
  compared: store_outputs.py leaves its widget out. What a widget does is tested by its callbacks
  (tests/test_widgets.py, tests/test_demos.py) and in a browser (tests/browser).
* Pictures in HTML. The bytes of `data:image/...;base64,` are not compared, as nbval does not compare PNG outputs.

Lessons are compared at the size at which their outputs were stored: `DCLIB_PROFILE=fast`.
"""

import math
import os
import re

from nbformat import NotebookNode
from nbval.plugin import IPyNbCell

os.environ["DCLIB_PROFILE"] = "fast"  # the kernels inherit it

VIEW = "application/vnd.jupyter.widget-view+json"
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d+|\.\d+|\d+)(?:[eE][-+]?\d+)?(?![\w])")
PICTURE = re.compile(r"(data:image/[\w+.-]+;base64,)[A-Za-z0-9+/=\s]+")


class CloseText(str):
    """A str that equals another one if the words are the same and the numbers are close."""

    rtol = atol = 0.0

    def __new__(cls, text, rtol, atol):
        self = super().__new__(cls, text)
        self.rtol, self.atol = rtol, atol
        return self

    def _close(self, a, b):
        if a == b:
            return True
        if not any(mark in (a + b).lower() for mark in ".e"):
            return False  # whole numbers are counts: exact
        return math.isclose(float(a), float(b), rel_tol=self.rtol, abs_tol=self.atol)

    def __eq__(self, other):
        if not isinstance(other, str):
            return NotImplemented
        if words(self) != words(other):
            return False
        return all(map(self._close, NUMBER.findall(self), NUMBER.findall(other)))

    def __ne__(self, other):
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    __hash__ = str.__hash__


def words(text):
    """The text without its numbers; spaces are squeezed, since a digit more moves a table's columns."""
    return re.sub(r"\s+", " ", NUMBER.sub("#", text)).strip()


def tolerance(tags):
    """{"rtol": ..., "atol": ...} of a cell's tags; ValueError for a tag that looks like one and is none."""
    found = {}
    for tag in tags:
        if tag.startswith(("rtol", "atol")):
            name, equals, value = tag.partition("=")
            if name not in ("rtol", "atol") or not equals:
                raise ValueError(f"cell tag {tag!r}: write rtol=0.05 or atol=0.03")
            found[name] = float(value)
    return found


def without_widget_details(outputs):
    """The outputs, with only the class name left of each widget's text form."""
    result = []
    for output in outputs:
        data = output.get("data", {})
        if VIEW in data and "text/html" in data:
            output = NotebookNode(output, data={kind: value for kind, value in data.items() if kind != VIEW})
        elif VIEW in data and "text/plain" in data:
            output = NotebookNode(output, data={**data, "text/plain": data["text/plain"].partition("(")[0]})
        result.append(output)
    return result


original_sanitize = IPyNbCell.sanitize
original_compare = IPyNbCell.compare_outputs


def sanitize(self, text):
    if not isinstance(text, str):
        return original_sanitize(self, text)
    text = original_sanitize(
        self, PICTURE.sub(r"\1", text)
    )  # pictures first: patterns are slow on a megabyte of base64
    found = tolerance(self.cell.metadata.get("tags", []))
    return CloseText(text, found.get("rtol", 0.0), found.get("atol", 0.0)) if found else text


def compare_outputs(self, test, ref, skip_compare=None):
    return original_compare(self, without_widget_details(test), without_widget_details(ref), skip_compare)


IPyNbCell.sanitize = sanitize
IPyNbCell.compare_outputs = compare_outputs
