"""Send all known answers through the real grader: python tools/kill_matrix.py [UNIT[/TASK] …] (`make kill-matrix`).

For each right and wrong answer of tests/mutants/<unit>.py a notebook is made, the unit's solution with this one answer,
and graded like a student's: nbgrader, sandbox, judge. A wrong answer must lose the points of its task, be told what is
meant for it, and cost nothing else; a right one must keep them all. Each task's row goes to the table in
solutions/kill_matrix.md as soon as it is finished: after a run that was ended, name the tasks that are left. Ends with
status 1 if an answer is not judged as it must be.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import nbformat
from grade import grade_all, prepare, read_record, read_results
from make_exercises import units

ROOT = Path(__file__).resolve().parents[1]


def answers_of(unit: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"answers_{unit}", ROOT / "tests" / "mutants" / f"{unit}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def submissions(unit: str) -> dict[str, tuple[str, str, str, str | None]]:
    """{student: (task, title, code, what a wrong answer is told, None for a right one)}"""
    module = answers_of(unit)
    found: list[tuple[str, str, str, str | None]] = []
    for task in module.RIGHT:
        found += [(task, title, code, None) for title, code in module.RIGHT[task].items()]
        found += [(task, title, code, says) for title, (code, says) in module.WRONG[task].items()]
    return {f"answer-{number:03d}": entry for number, entry in enumerate(found)}


def judged_as_it_must_be(
    points: dict[str, float | None], most: dict[str, float], record: dict, task: str, says: str | None
) -> bool:
    verdicts = record.get("tests", {})
    others = all(verdicts[test]["passed"] for test in verdicts if test != f"check_{task}")
    verdict = verdicts.get(f"check_{task}", {"passed": None, "feedback": ""})
    if says is None:
        return bool(verdict["passed"] and others and points.get(task) == most[task])
    return bool(verdict["passed"] is False and others and points.get(task) == 0 and says in verdict["feedback"])


def run(unit: str, tasks: list[str], jobs: int) -> Iterator[tuple[str, str, bool]]:
    """(task, its row of the table, was all judged as it must be), task after task, graded in a copy of the course."""
    with tempfile.TemporaryDirectory(prefix="dcl-matrix-") as name:
        course = Path(name)
        for part in ("tools", "solutions"):
            shutil.copytree(ROOT / part, course / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "nbgrader_config.py", course)
        (course / "grading").mkdir()
        entries = submissions(unit)
        log = course / "grading" / "grade.log"
        log.touch()
        prepare(course, unit, log)
        for task in tasks:
            students = [student for student, entry in entries.items() if entry[0] == task]
            for student in students:
                hand_in(course, unit, student, task, entries[student][2])
            problems = grade_all(course, [(unit, student) for student in students], log, jobs, None)
            results, most = read_results(course, {unit: students}, problems)
            judged = []
            for result in results:
                _, title, _, says = entries[result.student]
                record = read_record(course, unit, result.student)
                good = judged_as_it_must_be(result.points, most[unit], record, task, says)
                judged.append((title, says is None, good))
                if not good:
                    why = result.problem or record.get("tests", {}).get(f"check_{task}")
                    print(f"WRONGLY JUDGED  {task}: {title}: {why}")
            yield task, row(task, most[unit][task], judged), all(good for *_, good in judged)


def hand_in(course: Path, unit: str, student: str, task: str, code: str) -> None:
    """The unit's solution, with this code for one task, as a student's notebook."""
    notebook = nbformat.read(course / "solutions" / unit / f"{unit}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == task:
            cell.source = code
    place = course / "grading" / "submitted" / student / unit
    place.mkdir(parents=True)
    nbformat.write(notebook, place / f"{unit}.ipynb")


def row(task: str, points: float, judged: list[tuple[str, bool, bool]]) -> str:
    """A row of the table, from (title, is it right, was it judged so) of each answer."""
    right = [good for _, is_right, good in judged if is_right]
    wrong = [good for _, is_right, good in judged if not is_right]
    which = " · ".join(title for title, is_right, _ in judged if not is_right)
    return f"| `{task}` | {points:g} | {kept(right)} | {kept(wrong)} | {which} |"


def kept(good: list[bool]) -> str:
    return f"{sum(good)} of {len(good)}"


def with_row(text: str, unit: str, tasks: list[str], task: str, new: str) -> str:
    """The teacher's page with this row in the table of the unit, which has the order of `tasks`."""
    begin, end = f"<!-- kill matrix: {unit} -->", f"<!-- end of {unit} -->"
    if begin not in text:
        text = text.rstrip() + f"\n\n{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    table, _, after = rest.partition(end)
    rows = {name: line for line in table.splitlines() for name in tasks if line.startswith(f"| `{name}` |")}
    rows[task] = new
    head = f"| task of `{unit}` | points | right answers keep them | wrong answers lose them, told why | which |"
    lines = [head, "|---|---|---|---|---|", *(rows[name] for name in tasks if name in rows)]
    return f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("units", nargs="*", metavar="UNIT[/TASK]", help="these units, or tasks of units, only")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    all_tasks = {unit: list(answers_of(unit).RIGHT) for unit in units()}
    wanted: dict[str, list[str]] = {}
    for name in options.units or all_tasks:
        unit, _, task = name.partition("/")
        if unit not in all_tasks or (task and task not in all_tasks[unit]):
            parser.error(f"There is no {name}. Units: {', '.join(all_tasks)}.")
        wanted.setdefault(unit, []).extend([task] if task else all_tasks[unit])
    page = ROOT / "solutions" / "kill_matrix.md"
    bad = False
    for unit, tasks in wanted.items():
        for task, new, good in run(unit, tasks, options.jobs):
            text = page.read_text(encoding="utf-8")
            page.write_text(with_row(text, unit, all_tasks[unit], task, new), encoding="utf-8")
            print(new, flush=True)
            bad |= not good
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
