"""How long a lesson takes: python tools/minutes.py notebooks/*.ipynb prints the minutes, --write puts them in.

Minutes = words / 120 + displayed formulas + lines of code / 20 + 2 a question or prediction + 8 a demonstration,
rounded to 5. Words are those of the text cells without formulas and code; folded cells are not read; a demonstration is
a class of dclib.classroom.demos that a cell imports; predictions are the numbered ones, else the places that say
"Predict". The first cell says them as "<number> minutes".
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

STATED = re.compile(r"\b(\d+)( minutes)\b")


class Counts(NamedTuple):
    """What a lesson holds."""

    words: int
    formulas: int
    lines: int
    questions: int
    demonstrations: int

    @property
    def minutes(self) -> int:
        exact = self.words / 120 + self.formulas + self.lines / 20 + 2 * self.questions + 8 * self.demonstrations
        return max(5, 5 * int(exact / 5 + 0.5))


def source(cell: dict) -> str:
    return "".join(cell["source"])


def is_folded(cell: dict) -> bool:
    return bool(cell["metadata"].get("jupyter", {}).get("source_hidden"))


def words_of(text: str) -> int:
    """Words without formulas, code, links' addresses and HTML tags."""
    for pattern in (r"\$\$.*?\$\$", r"\$[^$]*\$", r"```.*?```", r"<[^>]*>", r"\]\([^)]*\)"):
        text = re.sub(pattern, " ", text, flags=re.S)
    return len(re.findall(r"[^\W_][\w'’.-]*", text))


def count(notebook: dict) -> Counts:
    """What stands in a lesson (its parsed JSON)."""
    texts = [source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    code = [source(cell) for cell in notebook["cells"] if cell["cell_type"] == "code" and not is_folded(cell)]
    whole = "\n".join(texts)
    predictions = sum(len(re.findall(r"^\d+\. ", t, re.M)) for t in texts if re.search(r"\*\*Predict", t))
    predictions = predictions or len(re.findall(r"\*\*Predict", whole))
    quiz = whole.partition("## Quiz")[2].count("<details>")
    names = re.findall(r"from dclib\.classroom\.demos import ([\w, ]+)", "\n".join(code))
    shown = [name for line in names for name in line.replace(" ", "").split(",") if name[0].isupper()]
    lines = sum(bool(line.strip()) for cell in code for line in cell.splitlines())
    return Counts(
        sum(map(words_of, texts)),
        len(re.findall(r"\$\$.+?\$\$", whole, re.S)),
        lines,
        predictions + quiz,
        len(set(shown)),
    )


def stated(notebook: dict) -> int | None:
    """The minutes that the first cell says."""
    found = STATED.search(source(notebook["cells"][0]))
    return int(found[1]) if found else None


def write(path: Path, minutes: int) -> None:
    """Put the minutes into the first cell; ValueError if it says none."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    first = source(notebook["cells"][0])
    if not STATED.search(first):
        raise ValueError(f'{path}: the first cell says no minutes; write "**Time:** 60 minutes" there.')
    text = STATED.sub(lambda found: f"{minutes}{found[2]}", first, count=1)
    notebook["cells"][0]["source"] = text.splitlines(keepends=True)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--write", action="store_true", help="put the minutes into the lesson's first cell")
    options = parser.parse_args(arguments)
    for path in options.notebooks:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        counts = count(notebook)
        details = ", ".join(f"{value} {name}" for name, value in counts._asdict().items())
        print(f"{path}: {counts.minutes} minutes (it says {stated(notebook)}): {details}")
        if options.write:
            write(path, counts.minutes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
