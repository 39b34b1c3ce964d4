"""Grade the students' notebooks in grading/submitted/<student>/<unit>/<unit>.ipynb: `make grade`.

Runs nbgrader in the sandbox (solutions/README.md says what that stops), prints the points per student and task, and
writes them to grading/points.csv. What has been graded is not run again, unless the submission or the unit is newer or
--force is given.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from make_exercises import units

ROOT = Path(__file__).resolve().parents[1]
WAITING = "to grade"  # a written answer that a person has to read


@dataclass
class Result:
    """One student's points in one unit; a task without a number is waiting for a person."""

    student: str
    unit: str
    points: dict[str, float | None] = field(default_factory=dict)
    problem: str = ""


def sandbox_problem(root: Path) -> str | None:
    """Why the sandbox does not work on this machine, or None."""
    if not shutil.which("bwrap"):
        return "bubblewrap (bwrap) is not installed. Debian, Ubuntu: apt-get install bubblewrap."
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")
    run = subprocess.run(
        [str(root / "tools" / "sandbox_kernel.sh"), "--check"],
        env={**os.environ, "PATH": path, "DCLIB_COURSE_ROOT": str(root)},
        capture_output=True,
        text=True,
    )
    return None if run.returncode == 0 else f"bubblewrap cannot make a sandbox here: {run.stderr.strip()}"


def submissions(root: Path, known: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """{unit: students} found in grading/submitted/, and complaints about what is in the wrong place."""
    found: dict[str, list[str]] = {}
    complaints = []
    folder = root / "grading" / "submitted"
    for student in sorted(p for p in folder.glob("*") if p.is_dir() and not p.name.startswith(".")):
        for place in sorted(p for p in student.iterdir() if not p.name.startswith(".")):
            name = f"grading/submitted/{student.name}/{place.name}"
            if not place.is_dir() or place.name not in known:
                complaints.append(f"{name}: expected a folder with the name of a unit ({', '.join(known)}).")
            elif not (place / f"{place.name}.ipynb").is_file():
                others = ", ".join(p.name for p in sorted(place.glob("*.ipynb"))) or "no notebook"
                complaints.append(f"{name}: expected {place.name}.ipynb, found {others}. Rename it.")
            else:
                found.setdefault(place.name, []).append(student.name)
    return found, complaints


def is_graded(root: Path, unit: str, student: str) -> bool:
    """True if the graded notebook is newer than the submission and than every file of the unit."""
    graded = root / "grading" / "autograded" / student / unit / f"{unit}.ipynb"
    sources = [root / "grading" / "submitted" / student / unit / f"{unit}.ipynb"]
    sources += [p for p in (root / "solutions" / unit).glob("*") if p.is_file()]
    return graded.exists() and all(graded.stat().st_mtime > p.stat().st_mtime for p in sources)


def nbgrader(root: Path, log: Path, *arguments: str, on_line: Callable[[str], None] = lambda line: None) -> int:
    """Run nbgrader, its output appended to `log` and given to `on_line` as it comes -> exit status."""
    command = [sys.executable, "-m", "nbgrader", *arguments]
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            on_line(line)
        return process.wait()


def grade_unit(root: Path, unit: str, students: list[str], log: Path) -> dict[str, str]:
    """Run nbgrader's autograder once for these students, who have no graded folder yet -> {student: its error}."""
    release = root / "grading" / "release"  # exercises/ is committed, and written by `make exercises` only
    option = f"--CourseDirectory.release_directory={release}"
    if nbgrader(root, log, "generate_assignment", unit, "--force", option) != 0:
        raise SystemExit(f"nbgrader does not accept solutions/{unit}: see {log}")
    pattern = re.compile(r"Autograding .*[/\\]autograded[/\\]([^/\\]+)[/\\]" + re.escape(unit))

    failed = re.compile(r"There was an error processing assignment: .*[/\\]([^/\\]+)[/\\]" + re.escape(unit))
    reasons: dict[str, str] = {}
    student = ""  # whose traceback is being read

    def read(line: str) -> None:
        nonlocal student
        if (match := pattern.search(line)) and match[1] in students:
            print(f"  {unit}: {match[1]} ({students.index(match[1]) + 1} of {len(students)})", flush=True)
        if match := failed.search(line):
            student = match[1]
        elif line.startswith("[") and "Traceback" not in line:
            student = ""
        elif student and (match := re.match(r"\s*[\w.]+(?:Error|Exception)\b.*", line)):
            reasons[student] = match[0].strip()

    nbgrader(root, log, "autograde", unit, on_line=read)
    return reasons


def task_of(grade_id: str) -> str:
    """check_update and hidden_update are the two test cells of the task update."""
    return re.sub(r"^(check|hidden)_", "", grade_id)


def read_results(
    root: Path, found: dict[str, list[str]], reasons: dict[tuple[str, str], str]
) -> tuple[list[Result], dict[str, dict[str, float]]]:
    """The points in the grade book of these students, and {unit: {task: most points}}."""
    from nbgrader.api import Gradebook, MissingEntry

    results: list[Result] = []
    most: dict[str, dict[str, float]] = {}
    with Gradebook(f"sqlite:///{root}/grading/gradebook.db", "dclib") as book:
        for unit, students in found.items():
            maximum = most.setdefault(unit, {})
            for cell in book.find_notebook(unit, unit).grade_cells:
                task = task_of(cell.name)
                maximum[task] = maximum.get(task, 0) + cell.max_score
            for student in students:
                result = Result(student, unit)
                results.append(result)
                if not (root / "grading" / "autograded" / student / unit / f"{unit}.ipynb").exists():
                    result.problem = f"could not be graded: {reasons.get((unit, student), 'see grading/grade.log')}"
                    continue
                try:
                    grades = book.find_submission_notebook(unit, unit, student).grades
                except MissingEntry:
                    result.problem = "is not in the grade book"
                    continue
                for grade in grades:
                    task = task_of(grade.name)
                    if grade.needs_manual_grade and grade.manual_score is None and grade.auto_score is None:
                        result.points[task] = None
                    elif result.points.get(task, 0.0) is not None:
                        result.points[task] = (result.points.get(task) or 0.0) + grade.score
    return results, most


def show(results: list[Result], most: dict[str, dict[str, float]]) -> str:
    """The table of each unit, for people."""
    blocks = []
    for unit, maximum in most.items():
        header = ["student", *maximum, "sum"]
        rows = [["(most)", *(f"{value:g}" for value in maximum.values()), f"{sum(maximum.values()):g}"]]
        for result in (r for r in results if r.unit == unit):
            if result.problem:
                rows.append([result.student, result.problem])
                continue
            values = [result.points.get(task) for task in maximum]
            total = f"{sum(value or 0 for value in values):g}"
            rows.append([result.student, *(WAITING if v is None else f"{v:g}" for v in values), total])
        widths = [max(len(row[i]) for row in [header, *rows] if len(row) == len(header)) for i in range(len(header))]
        widths[0] = max(widths[0], *(len(row[0]) for row in rows))
        lines = []
        for row in [header, *rows]:
            cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])] if len(row) > 2 else row[1:]
            lines.append("  ".join([row[0].ljust(widths[0]), *cells]))
        blocks.append("\n".join([f"\n{unit}", *lines]))
    return "\n".join(blocks)


def write_csv(path: Path, results: list[Result], most: dict[str, dict[str, float]]) -> None:
    """One row per student, unit and task; points are empty where a person has to grade."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["student", "unit", "task", "points", "most", "remark"])
        for result in results:
            for task, maximum in most[result.unit].items():
                points = result.points.get(task)
                remark = result.problem or (WAITING if points is None else "")
                writer.writerow([result.student, result.unit, task, "" if points is None else points, maximum, remark])


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("units", nargs="*", metavar="UNIT", help="grade these units only")
    parser.add_argument("--force", action="store_true", help="run everything again")
    parser.add_argument("--timeout", type=int, help="seconds a cell may take (default 60)")
    options = parser.parse_args(arguments)

    known = units(root)
    if unknown := sorted(set(options.units) - set(known)):
        print(f"There is no unit {', '.join(unknown)} in solutions/. Units: {', '.join(known)}.", file=sys.stderr)
        return 2
    (root / "grading" / "submitted").mkdir(parents=True, exist_ok=True)
    found, complaints = submissions(root, known)
    if options.units:
        found = {unit: students for unit, students in found.items() if unit in options.units}
    for complaint in complaints:
        print(f"Not graded: {complaint}", file=sys.stderr)
    if not found:
        print(
            "Nothing to grade. Put each student's notebook at grading/submitted/<student>/<unit>/<unit>.ipynb, "
            f"for example grading/submitted/student1/{known[0]}/{known[0]}.ipynb, and call this again."
        )
        return 1 if complaints else 0

    if os.environ.get("DCLIB_SANDBOX", "1") == "1":
        if problem := sandbox_problem(root):
            print(
                f"{problem}\nWithout it the students' code would run with all your rights. Grade on Linux, in a "
                "virtual machine or a container, or, if you trust every submission: DCLIB_SANDBOX=0 make grade.",
                file=sys.stderr,
            )
            return 2
    else:
        print("DCLIB_SANDBOX=0: the students' code runs with all your rights.", file=sys.stderr)
    if options.timeout:
        os.environ["DCLIB_GRADE_TIMEOUT"] = str(options.timeout)

    log = root / "grading" / "grade.log"
    with log.open("a", encoding="utf-8") as file:
        file.write(f"\n--- {datetime.now():%Y-%m-%d %H:%M:%S}\n")
    reasons: dict[tuple[str, str], str] = {}
    for unit, students in found.items():
        due = [s for s in students if options.force or not is_graded(root, unit, s)]
        for student in due:  # nbgrader skips students who have this folder
            shutil.rmtree(root / "grading" / "autograded" / student / unit, ignore_errors=True)
        if due:
            reasons |= {(unit, student): why for student, why in grade_unit(root, unit, due, log).items()}
    results, most = read_results(root, found, reasons)
    print(show(results, most))
    write_csv(root / "grading" / "points.csv", results, most)
    print("\nPoints: grading/points.csv. What nbgrader said: grading/grade.log. How to read written answers and give")
    print("feedback: solutions/README.md.")
    return 1 if complaints or any(result.problem for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
