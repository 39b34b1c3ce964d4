"""All live demonstrations on one page: python tools/demo.py opens it in the browser, --page FILE writes it to a file.

The first way serves them with Voilà, in large type for a projector, also those that need a kernel. The file is complete
in itself: it runs from a memory stick, without a kernel and without a network. What else is given goes to Voilà, for
example --no-browser or --port=8899.
"""

import argparse
import inspect
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from dclib.classroom import demos
from dclib.classroom.demos.demo import Demo, page

ROOT = Path(__file__).resolve().parents[1]
IMPORTED = re.compile(r"^from dclib\.classroom\.demos import (.+)$", re.M)
STYLE = "<style>.dclib-demo, .dclib-caption, .jp-RenderedHTMLCommon { font-size: 24px !important; }</style>"
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def demonstrations() -> Iterator[tuple[str, type]]:
    """(title of the lesson, class) of all that need no arguments, in the order of the lessons, each once."""
    seen = set()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
        title = cells[0].partition("\n")[0].lstrip("# ")
        for name in ", ".join(found for cell in cells for found in IMPORTED.findall(cell)).split(", "):
            kind = getattr(demos, name.strip()) if name else None
            if inspect.isclass(kind) and kind not in seen and not needed(kind):
                seen.add(kind)
                yield title, kind


def needed(kind: type) -> list[str]:
    """The arguments that it cannot do without."""
    parameters = inspect.signature(kind).parameters.values()
    kinds = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL
    return [p.name for p in parameters if p.default is p.empty and p.kind not in kinds]


def notebook() -> nbformat.NotebookNode:
    cells = [new_markdown_cell(STYLE)]
    for title, kind in demonstrations():
        name = kind.__name__
        cells += [
            new_markdown_cell(f"## {title}"),
            new_code_cell(f"from dclib.classroom.demos import {name}\n\n{name}()"),
        ]
    return new_notebook(cells=cells, metadata=KERNEL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page to this file instead")
    arguments, others = parser.parse_known_args()
    if arguments.page:
        print(f"{arguments.page}: drawing the demonstrations' pictures takes up to a minute …", flush=True)
        found = [(title.partition(" ")[0], kind) for title, kind in demonstrations() if issubclass(kind, Demo)]
        text = page((kind() for _, kind in found), lessons=[number for number, _ in found])
        arguments.page.write_text(text, encoding="utf-8")
        print(f"{arguments.page}: {len(text.encode()) / 1e6:.1f} MB; open it in a browser")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "demonstrations.ipynb"
        nbformat.write(notebook(), path)
        try:
            return subprocess.call([sys.executable, "-m", "voila", str(path), *others])
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
