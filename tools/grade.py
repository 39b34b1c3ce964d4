"""Grade the students' notebooks in grading/submitted/<student>/<unit>/<unit>.ipynb: `make grade`.

Runs nbgrader with the students' code in the sandbox (solutions/README.md says what that stops), several submissions at
a time, prints the points per student and task, and writes them to grading/points.csv. What has been graded is not run
again, unless the submission or the unit has changed or --force is given; a run that was ended half-way goes on.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout
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
    seed: int | None = None  # of the questions that were asked
    flags: list[str] = field(default_factory=list)  # what a person should look at


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
            elif student.is_symlink() or place.is_symlink() or (place / f"{place.name}.ipynb").is_symlink():
                complaints.append(f"{name}: {place.name}.ipynb is a link, or lies behind one. Copy the file itself.")
            elif not (place / f"{place.name}.ipynb").is_file():
                others = ", ".join(p.name for p in sorted(place.glob("*.ipynb"))) or "no notebook"
                complaints.append(f"{name}: expected {place.name}.ipynb, found {others}. Rename it.")
            else:
                found.setdefault(place.name, []).append(student.name)
    return found, complaints


def database(root: Path) -> str:
    """The address of the grade book, as nbgrader_config.py has it."""
    return os.environ.get("DCLIB_GRADEBOOK") or f"sqlite:///{root}/grading/gradebook.db?timeout=60"


def record_path(root: Path, unit: str, student: str) -> Path:
    """Where it is kept how a submission was graded: the seed, the verdicts, and of which files."""
    return root / "grading" / "records" / student / f"{unit}.json"


def fingerprint(root: Path, unit: str, student: str) -> str:
    """Changes when the submission changes, or any file of the unit."""
    digest = hashlib.sha256()
    sources = sorted(p for p in (root / "solutions" / unit).iterdir() if p.is_file())
    for path in [root / "grading" / "submitted" / student / unit / f"{unit}.ipynb", *sources]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write a file at once: it is there with all its text, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def read_record(root: Path, unit: str, student: str) -> dict:
    path = record_path(root, unit, student)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def is_graded(root: Path, unit: str, student: str) -> bool:
    """True if what was graded is this submission, with this state of the unit."""
    graded = root / "grading" / "autograded" / student / unit / f"{unit}.ipynb"
    record = read_record(root, unit, student)
    return graded.exists() and record.get("fingerprint") == fingerprint(root, unit, student)


def is_booked(root: Path, graded: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these (unit, student) are in the grade book: records outlive one that was deleted."""
    from nbgrader.api import Gradebook, MissingEntry

    address = database(root)
    file = Path(address.removeprefix("sqlite:///").partition("?")[0])
    if not graded or (address.startswith("sqlite:///") and not file.exists()):
        return set()
    booked = set()
    with Gradebook(address, "dclib") as book:
        for unit, student in graded:
            try:
                if book.find_submission_notebook(unit, unit, student).grades:
                    booked.add((unit, student))
            except MissingEntry:
                continue
    return booked


def prepare(root: Path, unit: str, log: Path) -> None:
    """Tell the grade book what the unit's cells are."""
    release = root / "grading" / "release"  # exercises/ is committed, and written by `make exercises` only
    option = f"--CourseDirectory.release_directory={release}"
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", unit, "--force", option]
    with log.open("a", encoding="utf-8") as file:
        if subprocess.run(command, cwd=root, stdout=file, stderr=subprocess.STDOUT).returncode != 0:
            raise SystemExit(f"nbgrader does not accept solutions/{unit}: see {log}")


def grade_all(root: Path, due: list[tuple[str, str]], log: Path, jobs: int, seed: int | None) -> dict:
    """Grade these (unit, student) in `jobs` processes -> {(unit, student): why it could not be graded}."""
    work: queue.SimpleQueue = queue.SimpleQueue()
    for item in due:
        work.put(item)
    problems: dict[tuple[str, str], str] = {}
    done = 0

    def start() -> subprocess.Popen:
        command = [sys.executable, str(root / "tools" / "grade_worker.py"), str(root)]
        with log.open("a", encoding="utf-8") as file:
            pipe = subprocess.PIPE
            return subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, stderr=file, text=True)

    def feed() -> None:
        nonlocal done
        worker = None
        while True:
            try:
                unit, student = work.get_nowait()
            except queue.Empty:
                break
            worker = worker or start()
            assert worker.stdin and worker.stdout
            try:
                worker.stdin.write(json.dumps({"unit": unit, "student": student, "seed": seed}) + "\n")
                worker.stdin.flush()
                answer = worker.stdout.readline()
            except BrokenPipeError:
                answer = ""
            if answer:
                problem = json.loads(answer)["problem"]
            else:  # the next submissions get a new process
                problem = f"the process that graded it ended ({worker.wait()}): see grading/grade.log"
                worker = None
            done += 1
            if problem:
                problems[unit, student] = problem
                shutil.rmtree(root / "grading" / "autograded" / student / unit, ignore_errors=True)
            print(f"  {unit}: {student} ({done} of {len(due)})", flush=True)
        if worker and worker.stdin:
            worker.stdin.close()
            worker.wait()

    threads = [threading.Thread(target=feed) for _ in range(min(jobs, len(due)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems


def task_of(grade_id: str) -> str:
    """check_update is the test cell of the task update."""
    return grade_id.removeprefix("check_")


def read_results(
    root: Path, found: dict[str, list[str]], reasons: dict[tuple[str, str], str]
) -> tuple[list[Result], dict[str, dict[str, float]]]:
    """The points in the grade book of these students, and {unit: {task: most points}}."""
    from nbgrader.api import Gradebook, MissingEntry

    results: list[Result] = []
    most: dict[str, dict[str, float]] = {}
    with Gradebook(database(root), "dclib") as book:
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
                record = read_record(root, unit, student)
                result.seed, result.flags = record.get("seed"), record.get("flags", [])
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
        notes: list[str] = []
        rows = [["(most)", *(f"{value:g}" for value in maximum.values()), f"{sum(maximum.values()):g}"]]
        for result in (r for r in results if r.unit == unit):
            if result.problem:
                rows.append([result.student, result.problem])
                continue
            values = [result.points.get(task) for task in maximum]
            total = f"{sum(value or 0 for value in values):g}"
            rows.append([result.student, *(WAITING if v is None else f"{v:g}" for v in values), total])
            if result.flags:
                notes.append(f"{result.student}: look at it, it {', it '.join(dict.fromkeys(result.flags))}.")
        widths = [max(len(row[i]) for row in [header, *rows] if len(row) == len(header)) for i in range(len(header))]
        widths[0] = max(widths[0], *(len(row[0]) for row in rows))
        lines = []
        for row in [header, *rows]:
            cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])] if len(row) > 2 else row[1:]
            lines.append("  ".join([row[0].ljust(widths[0]), *cells]))
        blocks.append("\n".join([f"\n{unit}", *lines, *notes]))
    return "\n".join(blocks)


def write_csv(path: Path, results: list[Result], most: dict[str, dict[str, float]]) -> None:
    """One row per student, unit and task; points are empty where a person has to grade."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["student", "unit", "task", "points", "most", "remark", "seed"])
        for result in results:
            for task, maximum in most[result.unit].items():
                points = result.points.get(task)
                remark = result.problem or (WAITING if points is None else "; ".join(result.flags))
                shown = "" if points is None else points
                writer.writerow([result.student, result.unit, task, shown, maximum, remark, result.seed])


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("units", nargs="*", metavar="UNIT", help="grade these units only")
    parser.add_argument("--force", action="store_true", help="run everything again")
    parser.add_argument("--student", action="append", default=[], help="grade this student only (may be repeated)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="submissions at a time (default: cores)")
    parser.add_argument("--seed", type=int, help="ask the questions of this seed (points.csv has it) once more")
    parser.add_argument("--timeout", type=int, help="the measure of all limits by the clock, in seconds (default 60)")
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

    try:
        with FileLock(root / "grading" / "grade.lock", timeout=0):
            log = root / "grading" / "grade.log"
            with log.open("a", encoding="utf-8") as file:
                file.write(f"\n--- {datetime.now():%Y-%m-%d %H:%M:%S}\n")
            again = options.force or options.seed is not None
            handed_in = [(unit, student) for unit, students in found.items() for student in students]
            done = set() if again else is_booked(root, [item for item in handed_in if is_graded(root, *item)])
            due = [item for item in handed_in if item not in done]
            if strangers := set(options.student) - {student for _, student in handed_in}:
                complaints.append(f"--student={', '.join(sorted(strangers))}: nothing is handed in by that name.")
                print(complaints[-1], file=sys.stderr)
            if options.student:
                due = [(unit, student) for unit, student in due if student in options.student]
            for unit in dict.fromkeys(unit for unit, _ in due):
                prepare(root, unit, log)
            problems = grade_all(root, due, log, max(1, options.jobs), options.seed)
    except Timeout:
        print("Another `make grade` is running in this folder.", file=sys.stderr)
        return 2
    results, most = read_results(root, found, problems)
    print(show(results, most))
    write_csv(root / "grading" / "points.csv", results, most)
    print("\nPoints: grading/points.csv. What nbgrader said: grading/grade.log. How to read written answers and give")
    print("feedback: solutions/README.md.")
    return 1 if complaints or any(result.problem for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
