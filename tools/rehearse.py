"""Rehearse grading a class: python tools/rehearse.py UNIT [--students=200] [--jobs=2] [--kill]  (`make rehearsal`).

Makes up a class in a copy of the course (right answers, the wrong ones of tests/mutants/<unit>.py, blank, hostile and
broken submissions), grades it with tools/grade.py, and compares each student's points with what they must be. --kill
ends the run with SIGKILL when half of the class is graded and starts it again. Prints seconds and points.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from judge import Unit
from kill_matrix import answers_of

ROOT = Path(__file__).resolve().parents[1]

# Answers the kernel's messages itself, and every test as it is paid for.
FORGER = """
_send = get_ipython().kernel.session.send
def send(stream, kind, content=None, *arguments, **options):
    if kind == "error":
        kind, content = "stream", {"name": "stdout", "text": "passed"}
    return _send(stream, kind, content, *arguments, **options)
get_ipython().kernel.session.send = send
"""


def make_class(course: Path, unit: Unit, size: int) -> dict[str, dict[str, float] | None]:
    """Write `size` submissions -> {student: points of each automatic task, None where no notebook can be read}."""
    most = {test.removeprefix("check_"): points for test, points in unit.points.items()}
    none = dict.fromkeys(most, 0.0)
    module = answers_of(unit.name)
    wrong = [(task, code) for task, entries in module.WRONG.items() for code, _ in entries.values()]
    right = [(task, code) for task, entries in module.RIGHT.items() for code in entries.values()]
    kinds = itertools.cycle(
        ["right", "wrong", "right", "wrong", "blank", "wrong", "hostile", "right", "wrong", "broken"]
    )
    rights, wrongs = itertools.cycle(right), itertools.cycle(wrong)
    expected: dict[str, dict[str, float] | None] = {}
    for number, kind in zip(range(size), kinds):
        student = f"{number:03d}-{kind}"
        place = course / "grading" / "submitted" / student / unit.name / f"{unit.name}.ipynb"
        place.parent.mkdir(parents=True)
        if kind == "broken":
            place.write_text('{"cells": [')
            expected[student] = None
            continue
        source = "exercises" if kind in ("blank", "hostile") else "solutions"
        notebook = nbformat.read(ROOT / source / unit.name / f"{unit.name}.ipynb", as_version=4)
        expected[student] = none if kind in ("blank", "hostile") else most
        if kind in ("right", "wrong"):
            task, code = next(rights if kind == "right" else wrongs)
            for cell in notebook.cells:
                if cell.metadata.get("nbgrader", {}).get("grade_id") == task:
                    cell.source = code
            if kind == "wrong":
                expected[student] = {**most, task: 0.0}
        if kind == "hostile":
            notebook.cells.insert(1, nbformat.v4.new_code_cell(FORGER))
        nbformat.write(notebook, place)
    return expected


def grade(course: Path, jobs: int, kill_after: int | None) -> None:
    command = [sys.executable, "tools/grade.py", f"--jobs={jobs}"]
    process = subprocess.Popen(command, cwd=course, text=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if kill_after and f"({kill_after} of " in line:
            process.send_signal(signal.SIGKILL)
            print(f"killed after {kill_after} submissions")
    process.wait()


def points(course: Path) -> dict[str, dict[str, float] | None]:
    found: dict[str, dict[str, float] | None] = {}
    with (course / "grading" / "points.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if "could not be graded" in row["remark"]:
                found[row["student"]] = None
            elif row["remark"] != "to grade":
                entry = found.setdefault(row["student"], {})
                assert entry is not None
                entry[row["task"]] = float(row["points"])
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("unit")
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kill", action="store_true")
    options = parser.parse_args(arguments)
    unit = Unit(ROOT / "solutions" / options.unit / f"{options.unit}.ipynb")
    with tempfile.TemporaryDirectory(prefix="dcl-class-") as name:
        course = Path(name)
        for part in ("tools", "solutions"):
            shutil.copytree(ROOT / part, course / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "nbgrader_config.py", course)
        expected = make_class(course, unit, options.students)
        begin = time.monotonic()
        if options.kill:
            grade(course, options.jobs, max(1, options.students // 2))
        grade(course, options.jobs, None)
        seconds = time.monotonic() - begin
        found = points(course)
        wrongly = {
            student: (found.get(student), want)
            for student, want in expected.items()
            if (found.get(student) if want is None else {t: (found.get(student) or {}).get(t) for t in want}) != want
        }
        print(f"{options.students} submissions, {options.jobs} at a time: {seconds:.0f} s by the clock")
        print(f"points as they must be: {len(expected) - len(wrongly)} of {len(expected)}")
        for student, (got, want) in wrongly.items():
            print(f"  {student}: {got} and not {want}")
    return 1 if wrongly else 0


if __name__ == "__main__":
    sys.exit(main())
