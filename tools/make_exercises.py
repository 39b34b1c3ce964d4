"""Write exercises/ from solutions/: python tools/make_exercises.py  (`make exercises`).

First each solutions/<unit>/<unit>.ipynb is put into its normal form (no outputs, a stable id for every cell, no traces
of the session), so that the same source gives the same bytes everywhere. Then nbgrader cuts the solutions, the hidden
tests and the mark schemes out. solutions/STUDENTS.md becomes exercises/README.md.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from store_outputs import normalise, read

ROOT = Path(__file__).resolve().parents[1]


def units(root: Path = ROOT) -> list[str]:
    """The units: folders of solutions/, in lower case, that hold a notebook of the same name."""
    return sorted(p.parent.name for p in (root / "solutions").glob("*/*.ipynb") if p.stem == p.parent.name)


def normal_form(path: Path) -> str:
    """The text of a source notebook without outputs, counts and what JupyterLab adds in a session."""
    notebook = read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        # Buttons in the toolbar of the cell: nbgrader adds them to the exercises itself.
        for key in ("deletable", "editable"):
            cell.metadata.pop(key, None)
    return normalise(notebook)


def generate(release: Path, root: Path = ROOT) -> None:
    """Cut out the solutions of all units; `release` is replaced."""
    shutil.rmtree(release, ignore_errors=True)
    # A pattern, so that nbgrader starts once for all units; README.md and STUDENTS.md do not match it.
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "[a-z]*", "--no-db", "--log-level=WARN"]
    subprocess.run([*command, f"--CourseDirectory.release_directory={release}"], cwd=root, check=True)
    shutil.copyfile(root / "solutions" / "STUDENTS.md", release / "README.md")
    for path in release.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    for unit in units():
        path = ROOT / "solutions" / unit / f"{unit}.ipynb"
        try:
            text = normal_form(path)
        except (ValueError, nbformat.ValidationError) as error:
            print(f"{path} is not a notebook: {error}", file=sys.stderr)
            return 1
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"normalised  solutions/{unit}/{unit}.ipynb")
    generate(ROOT / "exercises")
    print(f"written     exercises/: {', '.join(units())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
