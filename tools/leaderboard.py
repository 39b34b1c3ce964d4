"""Score the capstone's submissions on held-out pictures: `make leaderboard`.

Takes grading/submitted/<student>/capstone/capstone.ipynb, runs each in the sandbox up to its function `cluster`, and
asks that for labels of several draws of held-out pictures (tools/held_out.py), each with another seed. The classes stay
here. Prints the table, and writes it to grading/leaderboard.md and .csv. Points do not depend on it.

All submissions get the same draws, which a key decides: it is drawn once and kept in grading/leaderboard/, beside a
record of each submission. What has a record is not run again, unless the submission, the unit, the key or the options
change.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import ctypes
import hashlib
import importlib
import json
import os
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from grade import fingerprint, sandbox_problem, submissions, write_whole
from held_out import HELD_OUT, Draw, draw
from judge import Answers, Limits, NoAnswer
from line import plain_text

from dclib.classroom.exercises import Mistake, TimeIsUp
from dclib.metrics import scores

ROOT = Path(__file__).resolve().parents[1]
UNIT = "capstone"
LARGE = 100_000  # characters of code: a notebook that carries labels or a trained network with it is larger
FAILED = {"ari": 0.0, "nmi": 0.0, "acc": 0.0, "k": 0}


@dataclass
class Settings:
    key: int  # which draws
    draws: int = 5
    seconds: float = 60.0  # of processor time for one draw; by the clock twice as many

    def all_draws(self) -> list[Draw]:
        return [draw(self.key, number) for number in range(self.draws)]


# --- one submission ---


def score(question: Draw, labels_new: np.ndarray, labels: np.ndarray, seconds: float) -> dict[str, Any]:
    """What a draw's labels are worth, on the pictures that were not learned from."""
    found = scores(question.y_new, labels_new)
    return {
        **{name: round(float(found[name]), 4) for name in ("ari", "nmi", "acc")},
        "k": len(np.unique(labels)),
        "true_k": question.n_classes,
        "seconds": round(seconds, 2),
        "reason": "",
    }


def ask(connection: socket.socket, question: Draw, seconds: float) -> tuple[dict[str, Any], bool]:
    """One draw to one copy of a student's process -> its scores or why there are none, and whether it broke the rules.

    Closes the connection.
    """
    read_labels = importlib.import_module("capstone_checks").read_labels  # main() and the tests say where it lies
    answers = Answers(connection, Limits(call=seconds, test=2 * seconds + 5))
    begin = time.monotonic()
    reason = ""
    try:
        results, _ = answers.call("cluster", [[question.x, question.new, question.seed]], {}, {})
        labels, labels_new = read_labels(results[0], len(question.x), len(question.new))
    except TimeIsUp:
        reason = f"no answer within {seconds:g} seconds"
    except (Mistake, NoAnswer) as error:
        reason = str(error)
    except NotImplementedError:
        reason = "not solved"
    except Exception as error:
        reason = f"stopped with {type(error).__name__}: {error}"
    finally:
        answers.close()
    taken = time.monotonic() - begin
    if reason:
        shown = plain_text(reason, 160).replace("\n", " ")
        row = {**FAILED, "true_k": question.n_classes, "seconds": round(taken, 2), "reason": shown}
        return row, answers.suspicious
    return score(question, labels_new, labels, taken), answers.suspicious


def ask_all(
    connections: Sequence[socket.socket], questions: Sequence[Draw], seconds: float
) -> tuple[list[dict[str, Any]], bool]:
    """The rows of all draws. After one that took too long the others are not asked: they would, too."""
    rows: list[dict[str, Any]] = []
    suspicious = False
    for connection, question in zip(connections, questions):
        if rows and rows[-1]["reason"].startswith(("no answer within", "not asked")):
            connection.close()
            row = {**FAILED, "true_k": question.n_classes, "seconds": 0.0, "reason": "not asked any more"}
        else:
            row, broke = ask(connection, question, seconds)
            suspicious |= broke
        rows.append(row)
    return rows, suspicious


def run(root: Path, student: str, settings: Settings) -> dict[str, Any]:
    """Run a submission and ask it -> {"draws": rows, "reason": why there are none, "remarks": what to look at}."""
    import nbformat
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    path = root / "grading" / "submitted" / student / UNIT / f"{UNIT}.ipynb"
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # whatever a file can hold
        return {"draws": [], "reason": f"is no notebook ({type(error).__name__})", "remarks": []}
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    size = sum(len(cell.source) for cell in cells)
    remarks = [f"has {size // 1000} kB of code"] if size > LARGE else []
    try:
        with _copies(root, cells, settings.draws) as connections:
            rows, suspicious = ask_all(connections, settings.all_draws(), settings.seconds)
    except (DeadKernelError, CellTimeoutError) as error:
        how = "ended its process" if isinstance(error, DeadKernelError) else "could not be interrupted"
        return {"draws": [], "reason": f"a cell before `cluster` {how}", "remarks": remarks}
    except Exception as error:
        text = plain_text(f"{type(error).__name__}: {error}", 160).replace("\n", " ")
        return {"draws": [], "reason": f"could not be run: {text}", "remarks": remarks}
    return {"draws": rows, "reason": "", "remarks": remarks + ["broke the rules of the line"] * suspicious}


@contextlib.contextmanager
def _copies(root: Path, cells: list, count: int) -> Iterator[list[socket.socket]]:
    """Run these cells up to the test of `cluster` -> connections to so many copies of the process, each fresh."""
    import grading_guards
    from nbformat.v4 import new_notebook
    from traitlets.config import PyFileConfigLoader

    def grade_id(cell):
        return cell.metadata.get("nbgrader", {}).get("grade_id")

    last = next((i for i, cell in enumerate(cells) if grade_id(cell) == "check_cluster"), len(cells))
    notebook = new_notebook(cells=[cell for cell in cells[:last] if not grading_guards.is_test(cell)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    execute = grading_guards.JudgedExecute(config=PyFileConfigLoader("nbgrader_config.py", str(root)).load_config())
    execute.unit, execute.flags = grading_guards.unit(UNIT), []
    execute.end = time.monotonic() + 10 * execute.timeout
    execute.timeout_func = lambda cell: max(1, min(max(execute.timeout, 120), int(execute.end - time.monotonic())))
    connections: list[socket.socket] = []
    with grading_guards._folder() as sockets, tempfile.TemporaryDirectory(prefix="dcl-board-") as work:
        for file in (root / "solutions" / UNIT).iterdir():
            if file.is_file() and file.suffix != ".ipynb":
                shutil.copy(file, work)
        try:
            with execute._kernel(notebook, {"metadata": {"path": work}}, sockets):
                execute._run_cells({}, {}, sockets)
                for number in range(count):
                    connections.append(execute._copy(os.path.join(sockets, f"{number}.sock")))
                yield connections
        finally:
            for connection in connections:
                connection.close()


# --- all of them ---


def _folder(root: Path) -> Path:
    return root / "grading" / "leaderboard"


def state(root: Path, student: str, settings: Settings) -> str:
    """Changes when the submission changes, the unit, the held-out pictures or the settings."""
    digest = hashlib.sha256(fingerprint(root, UNIT, student).encode())
    digest.update(HELD_OUT.read_bytes() + repr(settings).encode())
    return digest.hexdigest()


def read_record(root: Path, student: str, settings: Settings) -> dict[str, Any] | None:
    """What is on file of a submission, if it is of this state."""
    path = _folder(root) / f"{student}.json"
    with contextlib.suppress(OSError, ValueError):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.get("state") == state(root, student, settings):
            return record
    return None


def run_all(root: Path, due: list[str], settings: Settings, jobs: int) -> dict[str, str]:
    """Run these students' submissions, each in a process of its own -> why one has no record."""
    work: queue.SimpleQueue = queue.SimpleQueue()
    for student in due:
        work.put(student)
    failed: dict[str, str] = {}
    # What a notebook, a start of a kernel and all draws may take, each by its own limit.
    limit = 10 * float(os.environ.get("DCLIB_GRADE_TIMEOUT", "60")) + 180 + settings.draws * (2 * settings.seconds + 10)

    def feed() -> None:
        while True:
            try:
                student = work.get_nowait()
            except queue.Empty:
                return
            command = [sys.executable, str(root / "tools" / "leaderboard.py"), "--one", student]
            command += [f"--key={settings.key}", f"--draws={settings.draws}", f"--seconds={settings.seconds}"]
            with (root / "grading" / "leaderboard.log").open("a", encoding="utf-8") as log:
                process = subprocess.Popen(command, cwd=root, stdout=log, stderr=log, start_new_session=True)
                try:
                    status = process.wait(limit)
                    if status:
                        failed[student] = f"the process that ran it ended ({status}): see grading/leaderboard.log"
                except subprocess.TimeoutExpired:
                    failed[student] = "took too long"
                finally:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            print(f"  {student}", flush=True)

    threads = [threading.Thread(target=feed) for _ in range(min(jobs, len(due)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def baselines(questions: Sequence[Draw]) -> dict[str, dict[str, Any]]:
    """Records of what everybody should beat, and of what was told the number of classes."""
    from dclib import KMeans

    rows: dict[str, list] = {"(k-means, told k)": [], "(random, told k)": [], "(one cluster)": []}
    for question in questions:
        k, x = question.n_classes, question.x.reshape(len(question.x), -1)
        begin = time.monotonic()
        model = KMeans(k, random_state=question.seed).fit(x)
        labels_new = model.predict(question.new.reshape(len(question.new), -1))
        rows["(k-means, told k)"].append(score(question, labels_new, model.labels_, time.monotonic() - begin))
        labels = np.random.default_rng(question.seed).integers(k, size=len(x) + len(question.new))
        rows["(random, told k)"].append(score(question, labels[len(x) :], labels[: len(x)], 0.0))
        one = np.zeros(len(question.new), int)
        rows["(one cluster)"].append(score(question, one, one, 0.0))
    return {name: {"draws": found, "reason": "", "remarks": []} for name, found in rows.items()}


COLUMNS = ("place", "name", "ARI", "lowest", "NMI", "ACC", "clusters (classes)", "seconds", "remark")


def table(records: dict[str, dict[str, Any]]) -> list[list[str]]:
    """The rows of the board, the best mean ARI first; what could not be run comes last."""

    def mean(record, name):
        return float(np.mean([row[name] for row in record["draws"]]))

    def order(item):
        name, record = item
        return (not record["draws"], -mean(record, "ari") if record["draws"] else 0.0, name)

    rows, place = [], 0
    for name, record in sorted(records.items(), key=order):
        baseline = name.startswith("(")
        place += not baseline
        remarks = [record["reason"]] if record["reason"] else []
        reasons = [row["reason"] for row in record["draws"] if row["reason"]]
        if reasons:
            remarks.append(f"{len(reasons)} of {len(record['draws'])} draws: {reasons[0]}")
        remarks += [f"look at it: it {text}" for text in record["remarks"]]
        values = [""] * 6
        if record["draws"]:
            lowest = min(row["ari"] for row in record["draws"])
            values = [*(f"{value:.3f}" for value in (mean(record, "ari"), lowest))]
            values += [f"{mean(record, name):.3f}" for name in ("nmi", "acc")]
            values.append(" ".join(f"{row['k']}({row['true_k']})" for row in record["draws"]))
            values.append(f"{mean(record, 'seconds'):.1f}")
        rows.append(["" if baseline else str(place), name, *values, "; ".join(remarks)])
    return rows


def as_text(rows: list[list[str]]) -> str:
    """For the terminal."""
    widths = [max(len(row[i]) for row in [list(COLUMNS), *rows]) for i in range(len(COLUMNS) - 1)]
    lines = []
    for row in [list(COLUMNS), *rows]:
        cells = [cell.ljust(width) if i == 1 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return "\n".join(lines)


def as_markdown(rows: list[list[str]], settings: Settings) -> str:
    """For a page: what a student wrote is made harmless."""

    def cell(text):
        return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")

    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(map(cell, row))} |" for row in rows]
    note = (
        f"Means over {settings.draws} draws of held-out pictures; lowest: the worst of them, by ARI. A draw without an "
    )
    return "\n".join([*lines, "", note + "answer counts as 0. In brackets: for comparison, without a place.", ""])


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=5, help="how many draws of held-out pictures (5)")
    parser.add_argument("--seconds", type=float, default=60.0, help="processor time for one draw (60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="submissions at a time (default: cores)")
    parser.add_argument("--fresh", action="store_true", help="draw other pictures: everything is run again")
    parser.add_argument("--force", action="store_true", help="run everything again, on the same pictures")
    parser.add_argument("--key", type=int, help="the draws of this key")
    parser.add_argument("--one", metavar="STUDENT", help=argparse.SUPPRESS)  # a worker: run this one, write its record
    options = parser.parse_args(arguments)
    if options.draws < 1 or options.seconds <= 0:
        parser.error("--draws and --seconds must be above 0.")
    sys.path.insert(0, str(root / "solutions" / UNIT))  # capstone_checks
    if options.one:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: when the run is killed, so is this
        settings = Settings(options.key, options.draws, options.seconds)
        now = state(root, options.one, settings)
        record = {"state": now, **run(root, options.one, settings)}
        write_whole(_folder(root) / f"{options.one}.json", json.dumps(record, indent=1))
        return 0

    found, complaints = submissions(root, sorted(p.name for p in (root / "solutions").iterdir() if p.is_dir()))
    for complaint in complaints:
        if f"/{UNIT}" in complaint:
            print(f"Not on the board: {complaint}", file=sys.stderr)
    students = found.get(UNIT, [])
    if os.environ.get("DCLIB_SANDBOX", "1") != "1":
        print("DCLIB_SANDBOX=0: the students' code runs with all your rights.", file=sys.stderr)
    elif students and (problem := sandbox_problem(root)):
        print(f"{problem}\nsolutions/README.md says how to grade without it.", file=sys.stderr)
        return 2
    _folder(root).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / "grading" / "leaderboard.lock", timeout=0):
            settings = Settings(_key(root, options.key, options.fresh), options.draws, options.seconds)
            due = [s for s in students if options.force or read_record(root, s, settings) is None]
            failed = run_all(root, due, settings, max(1, options.jobs))
    except Timeout:
        print("Another `make leaderboard` is running in this folder.", file=sys.stderr)
        return 2
    records = baselines(settings.all_draws())
    for student in students:
        none: dict[str, Any] = {"draws": [], "reason": failed.get(student, "has no record"), "remarks": []}
        records[student] = none if student in failed else read_record(root, student, settings) or none
    rows = table(records)
    print(as_text(rows))
    write_whole(root / "grading" / "leaderboard.md", as_markdown(rows, settings))
    with (root / "grading" / "leaderboard.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    print("\nAlso in grading/leaderboard.md and grading/leaderboard.csv.")
    if not students:
        print(f"No submissions: put them at grading/submitted/<student>/{UNIT}/{UNIT}.ipynb.")
    return 0


def _key(root: Path, given: int | None, fresh: bool) -> int:
    """The key of the draws: the given one, a new one, or that on file."""
    path = _folder(root) / "key"
    if given is None and not fresh and path.exists():
        return int(path.read_text())
    key = secrets.randbits(32) if given is None else given
    write_whole(path, str(key))
    return key


if __name__ == "__main__":
    sys.exit(main())
