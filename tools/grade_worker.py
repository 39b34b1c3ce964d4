"""Grades submissions one after the other; `grade.py` starts one for each job and gives it work, line by line.

In:  {"unit": …, "student": …, "seed": null or a number}
Out: {"problem": "" or why it could not be graded}

A submission is graded when its record is there: it is written last, after nbgrader has put the points into the grade
book.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import signal
import sys
from pathlib import Path

from filelock import FileLock


def main() -> int:
    root = Path(sys.argv[1])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: when grade.py is killed, so is this
        resource.setrlimit(resource.RLIMIT_DATA, (8 * 2**30, 8 * 2**30))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what nbgrader prints goes to the log

    from nbgrader.apps import NbGraderApp

    app = NbGraderApp()
    app.initialize(["--log-level=INFO"])
    import grading_guards
    from grade import fingerprint, record_path, write_whole
    from nbgrader.apps.api import NbGraderAPI

    api = NbGraderAPI(app.coursedir, parent=app)
    lock = grading_guards.database_lock = FileLock(root / "grading" / "gradebook.lock")
    for line in sys.stdin:
        task = json.loads(line)
        unit, student, seed = task["unit"], task["student"], task["seed"]
        os.environ.pop("DCLIB_GRADE_SEED", None)
        if seed is not None:
            os.environ["DCLIB_GRADE_SEED"] = str(seed)
        record, of = record_path(root, unit, student), fingerprint(root, unit, student)
        record.unlink(missing_ok=True)
        with lock:
            result = api.autograde(unit, student)
        print(result.get("log", ""), result.get("error", ""), file=sys.stderr, flush=True)
        problem = "" if result["success"] else reason(result.get("log", "") + result.get("error", ""))
        if not problem:
            write_whole(record, json.dumps({"fingerprint": of, **grading_guards.last_record}, indent=1))
        print(json.dumps({"problem": problem}), file=answers, flush=True)
    return 0


def reason(log: str) -> str:
    """The error that a log ends with."""
    errors = [e for e in re.findall(r"^\s*([\w.]+(?:Error|Exception)\b.*)$", log, re.M) if "NbGraderException" not in e]
    return errors[-1].strip() if errors else "see grading/grade.log"


if __name__ == "__main__":
    sys.exit(main())
