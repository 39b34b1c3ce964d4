"""Rehearse grading a class: python tools/rehearse.py UNIT [--students=200] [--jobs=2] [--kills=2]  (`make rehearsal`).

Makes up a class in a copy of the course (right answers, the wrong ones of tests/mutants/<unit>.py, blank, hostile and
broken submissions), grades it with tools/grade.py, and compares each student's points with what they must be. The run
is ended --kills times by SIGKILL, spread evenly over the class, and started again; nobody may be graded twice. Prints
what came out; --write also puts it into solutions/README.md.

--speed grades the class with one job, then with two, without kills: the points must be equal. The ratio of the seconds
means something only on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from pathlib import Path

import nbformat
from judge import Unit
from kill_matrix import answers_of
from nbgrader.api import Gradebook

ROOT = Path(__file__).resolve().parents[1]

# Cells at the top of an exercise that is not solved.
HOSTILE_CELLS = [
    # Answers the kernel's messages itself, and every test as it is paid for.
    """
_send = get_ipython().kernel.session.send
def send(stream, kind, content=None, *arguments, **options):
    if kind == "error":
        kind, content = "stream", {"name": "stdout", "text": "passed"}
    return _send(stream, kind, content, *arguments, **options)
get_ipython().kernel.session.send = send
""",
    # Ends its process, by which all later cells would be lost.
    "import os\nos._exit(0)",
    # Nothing is ever unequal, and no check fails.
    """
import numpy, torch, sys
torch.equal = torch.allclose = numpy.allclose = lambda *arguments, **options: True
for name, module in list(sys.modules.items()):
    if name.endswith("_checks"):
        module.TASKS.check = lambda *arguments, **options: None
""",
    # Floods outputs and disk, leaves processes and threads behind.
    """
import os, threading
print("x" * 10**7)
if os.fork() == 0:
    while True:
        pass
threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
open("flood", "wb").write(bytes(10**8))
""",
]
# Bodies of all its functions.
HOSTILE_BODIES = [
    "return type('Equal', (), {'__eq__': lambda *_: True, '__getattr__': lambda self, _: self})()",
    "raise SystemExit",
    "return 'x' * 10**9",
    "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
    "return [float('nan')] * len(arguments[0])",
    """import sys
    frame = sys._getframe()
    while frame:
        for name, value in [*frame.f_locals.items(), *frame.f_globals.items()]:
            if "expected" in name or "_ref_" in name:
                return value
        frame = frame.f_back""",
]


def broken_texts(notebook: nbformat.NotebookNode) -> list[str]:
    """Files from which nothing can be graded."""
    text = nbformat.writes(notebook)
    bare = nbformat.from_dict(notebook)
    bare.cells = [cell for cell in notebook.cells if "nbgrader" not in cell.metadata]
    return [text[: len(text) // 2], "", "[1, 2]", "My answers are in the mail.", nbformat.writes(bare)]


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
    attacks = itertools.cycle([*((cell, None) for cell in HOSTILE_CELLS), *((None, body) for body in HOSTILE_BODIES)])
    texts = itertools.cycle(broken_texts(read("exercises", unit.name)))
    expected: dict[str, dict[str, float] | None] = {}
    for number, kind in zip(range(size), kinds):
        student = f"{number:03d}-{kind}"
        place = course / "grading" / "submitted" / student / unit.name / f"{unit.name}.ipynb"
        place.parent.mkdir(parents=True)
        if kind == "broken":
            place.write_text(next(texts), encoding="utf-8")
            expected[student] = None
            continue
        notebook = read("exercises" if kind in ("blank", "hostile") else "solutions", unit.name)
        cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
        expected[student] = none if kind in ("blank", "hostile") else most
        if kind in ("right", "wrong"):
            task, code = next(rights if kind == "right" else wrongs)
            cells[task].source = code
            if kind == "wrong":
                expected[student] = {**most, task: 0.0}
        if kind == "hostile":
            cell, body = next(attacks)
            if cell:
                notebook.cells.insert(1, nbformat.v4.new_code_cell(cell))
            else:
                for task in most:
                    cells[task].source = f"def {task}(*arguments, **options):\n    {body}"
        nbformat.write(notebook, place)
    return expected


def read(folder: str, unit: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / folder / unit / f"{unit}.ipynb", as_version=4)


def grade(course: Path, *options: str, kill_after: int | None = None) -> list[str]:
    """Run tools/grade.py -> the students that it says it has graded. Ended by SIGKILL after so many of them."""
    command = [sys.executable, "tools/grade.py", *options]
    finished = []
    with subprocess.Popen(command, cwd=course, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.match(r"  \w+: (\S+) \((\d+) of \d+\)$", line):
                finished.append(found[1])
                if len(finished) == kill_after:
                    process.kill()
    return finished


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


def students_in_the_book(course: Path, unit: str) -> list[str]:
    with Gradebook(f"sqlite:///{course}/grading/gradebook.db", "dclib") as book:
        return [submission.student.id for submission in book.assignment_submissions(unit)]


def rehearse(course: Path, unit: Unit, size: int, jobs: int, kills: int, write: bool) -> bool:
    expected = make_class(course, unit, size)
    begin, used = time.monotonic(), processor_time()
    finished: list[str] = []
    for _ in range(kills):
        finished += grade(course, f"--jobs={jobs}", kill_after=max(1, size // (kills + 1)))
        print(f"killed when {len(set(finished))} of {size} were graded", flush=True)
    finished += grade(course, f"--jobs={jobs}")
    seconds = time.monotonic() - begin
    found = points(course)
    wrongly = {
        student: (found.get(student), want)
        for student, want in expected.items()
        if (found.get(student) if want is None else {t: (found.get(student) or {}).get(t) for t in want}) != want
    }
    # What cannot be graded has no record, and is tried again by each run.
    readable = [student for student, want in expected.items() if want is not None]
    twice = [student for student in readable if finished.count(student) > 1]
    booked = students_in_the_book(course, unit.name)
    once = sum(booked.count(student) == 1 for student in readable)
    kinds = Counter(student.split("-")[1] for student in expected)
    result = (
        f"{size} submissions of `{unit.name}` ({', '.join(f'{n} {kind}' for kind, n in kinds.items())}), {jobs} at a "
        f"time, ended by `kill -9` {kills} times and started again: points as they must be for "
        f"{size - len(wrongly)} of {size}, graded twice {len(twice)}, in the grade book exactly once {once} of the "
        f"{len(readable)} that can be read. By the clock {seconds / size:.1f} s a submission, processor time "
        f"{(processor_time() - used) / size:.1f} s."
    )
    print(result)
    for student, (got, want) in wrongly.items():
        print(f"  {student}: {got} and not {want}")
    if write:
        page = ROOT / "solutions" / "README.md"
        head, mark, rest = page.read_text(encoding="utf-8").partition("<!-- rehearsal -->\n")
        rest = rest[rest.index("<!-- end of rehearsal -->") :]
        page.write_text(head + mark + textwrap.fill(result, 120) + "\n" + rest, encoding="utf-8")
    return not wrongly and not twice and once == len(readable)


def processor_time() -> float:
    """Of the processes that were started and have ended (by themselves: who is killed reports nothing)."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def speed(course: Path, unit: Unit, size: int) -> bool:
    """The same class and the same questions, one job against two."""
    make_class(course, unit, size)
    seconds, tables = [], []
    for jobs in (1, 2):
        begin = time.monotonic()
        grade(course, f"--jobs={jobs}", "--seed=1")
        seconds.append(time.monotonic() - begin)
        tables.append((course / "grading" / "points.csv").read_text(encoding="utf-8"))
        print(
            f"{jobs} at a time: {seconds[-1]:.0f} s by the clock, {seconds[-1] / size:.1f} s a submission", flush=True
        )
    print(f"two jobs: {seconds[0] / seconds[1]:.2f} times as fast as one; points equal: {tables[0] == tables[1]}")
    return tables[0] == tables[1]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("unit")
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="put the result into solutions/README.md")
    parser.add_argument("--speed", action="store_true", help="compare one job with two")
    options = parser.parse_args(arguments)
    unit = Unit(ROOT / "solutions" / options.unit / f"{options.unit}.ipynb")
    with tempfile.TemporaryDirectory(prefix="dcl-class-") as name:
        course = Path(name)
        for part in ("tools", "solutions"):
            shutil.copytree(ROOT / part, course / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "nbgrader_config.py", course)
        if options.speed:
            return 0 if speed(course, unit, options.students) else 1
        return 0 if rehearse(course, unit, options.students, options.jobs, options.kills, options.write) else 1


if __name__ == "__main__":
    sys.exit(main())
