"""Send all known answers of a unit through the real grader: python tools/kill_matrix.py [UNIT …] (`make kill-matrix`).

For each right and wrong answer of tests/mutants/<unit>.py a notebook is made, the unit's solution with this one answer,
and graded like a student's: nbgrader, sandbox, judge. A wrong answer must lose the points of its task, be told what is
meant for it, and cost nothing else; a right one must keep them all. The table goes to solutions/README.md. Ends with
status 1 if an answer is not judged as it must be.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import sys
import tempfile
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


def run(unit: str, jobs: int) -> tuple[list[tuple[str, str, bool, bool]], dict[str, float]]:
    """[(task, title, is right, judged as it must be)] of all answers, graded in a copy of the course."""
    with tempfile.TemporaryDirectory(prefix="dcl-matrix-") as name:
        course = Path(name)
        for part in ("tools", "solutions"):
            shutil.copytree(ROOT / part, course / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "nbgrader_config.py", course)
        (course / "grading").mkdir()
        entries = submissions(unit)
        for student, (task, _, code, _) in entries.items():
            notebook = nbformat.read(course / "solutions" / unit / f"{unit}.ipynb", as_version=4)
            for cell in notebook.cells:
                if cell.metadata.get("nbgrader", {}).get("grade_id") == task:
                    cell.source = code
            place = course / "grading" / "submitted" / student / unit
            place.mkdir(parents=True)
            nbformat.write(notebook, place / f"{unit}.ipynb")
        log = course / "grading" / "grade.log"
        log.touch()
        prepare(course, unit, log)
        problems = grade_all(course, [(unit, student) for student in entries], log, jobs, None)
        results, most = read_results(course, {unit: list(entries)}, problems)
        rows = []
        for result in results:
            task, title, _, says = entries[result.student]
            record = read_record(course, unit, result.student)
            good = judged_as_it_must_be(result.points, most[unit], record, task, says)
            rows.append((task, title, says is None, good))
            if not good:
                print(
                    f"WRONGLY JUDGED  {task}: {title}: {result.problem or record.get('tests', {}).get(f'check_{task}')}"
                )
        return rows, most[unit]


def table(unit: str, rows: list[tuple[str, str, bool, bool]], most: dict[str, float]) -> str:
    """One line a task: how many right answers kept its points, how many wrong ones lost them, and which."""
    lines = [
        f"| task of `{unit}` | points | right answers keep them | wrong answers lose them, told why | which |",
        "|---|---|---|---|---|",
    ]
    for task in dict.fromkeys(row[0] for row in rows):
        right = [good for t, _, is_right, good in rows if t == task and is_right]
        wrong = [good for t, _, is_right, good in rows if t == task and not is_right]
        which = " · ".join(title for t, title, is_right, _ in rows if t == task and not is_right)
        kept, lost = f"{sum(right)} of {len(right)}", f"{sum(wrong)} of {len(wrong)}"
        lines.append(f"| `{task}` | {most[task]:g} | {kept} | {lost} | {which} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("units", nargs="*", metavar="UNIT", help="these units only")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    bad = 0
    for unit in options.units or units():
        rows, most = run(unit, options.jobs)
        bad += sum(not good for *_, good in rows)
        page = ROOT / "solutions" / "README.md"
        begin, end = f"<!-- kill matrix: {unit} -->", f"<!-- end of {unit} -->"
        text = page.read_text(encoding="utf-8")
        if begin not in text:
            text = text.rstrip() + f"\n\n{begin}\n{end}\n"
        new = f"{begin}\n{table(unit, rows, most)}\n{end}"
        text = re.sub(re.escape(begin) + r".*?" + re.escape(end), lambda _: new, text, flags=re.S)  # noqa: B023
        page.write_text(text, encoding="utf-8")
        print(table(unit, rows, most))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
