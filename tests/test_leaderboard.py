"""The capstone's leaderboard: what a submission is asked, what it gets for it, and that nobody stops the run.

Here the student's process is a fork without a sandbox; test_grading.py runs the board on submitted notebooks.
"""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from student_process import ROOT, answering, end_processes

sys.path.insert(0, str(ROOT / "solutions" / "capstone"))

import held_out
import leaderboard

BY_MEANS = """
def cluster(x, new, seed):
    from dclib import KMeans
    model = KMeans(4, n_init=1, random_state=seed).fit(x.reshape(len(x), -1))
    return model.labels_, model.predict(new.reshape(len(new), -1))
"""
HOSTILE = {
    "not solved": "def cluster(x, new, seed):\n    raise NotImplementedError()",
    "does not define": "pass",
    "no answer within": "def cluster(x, new, seed):\n    while True:\n        pass",
    "process ended": "import os\ndef cluster(x, new, seed):\n    os._exit(0)",
    "stopped with IndexError": "def cluster(x, new, seed):\n    return [][0]",
    "Return two things": "def cluster(x, new, seed):\n    return np.zeros(len(x), int)",
    "whole numbers": "def cluster(x, new, seed):\n    return np.full(len(x), np.nan), np.full(len(new), np.nan)",
    "one label for each": "def cluster(x, new, seed):\n    return np.zeros((9, len(x)), int), np.zeros(len(new), int)",
    "no picture of x has": "def cluster(x, new, seed):\n    return np.zeros(len(x), int), np.arange(len(new))",
    "stopped with Exception": "def cluster(x, new, seed):\n    return np.zeros(2**25), 0",
    "must be an array": "def cluster(x, new, seed):\n    return cluster, cluster",
}


@pytest.fixture(autouse=True)
def _no_process_stays():
    yield
    end_processes()


@pytest.fixture(scope="module")
def questions():
    return [held_out.draw(3, number, 80, 40) for number in range(2)]


def ask(code, questions, seconds=0.5):
    connections = [answering(code, names={"np": np}) for _ in questions]
    return leaderboard.ask_all(connections, questions, seconds)


def test_draws_are_repeatable_and_differ_and_hold_out_what_is_scored():
    first, again, other = held_out.draw(1, 0), held_out.draw(1, 0), held_out.draw(1, 1)
    assert np.array_equal(first.x, again.x) and np.array_equal(first.y_new, again.y_new)
    assert not np.array_equal(first.x, other.x)
    assert first.x.shape == (700, 1, 16, 16) and first.new.shape == (300, 1, 16, 16)
    assert first.x.dtype == np.float32 and 0 <= first.x.min() < first.x.max() <= 1
    for number in range(20):
        found = held_out.draw(2, number, 300, 200)
        counts = np.unique(np.r_[found.y, found.y_new], return_counts=True)[1]
        assert 4 <= len(counts) <= 7 and counts.min() >= 0.04 * 500 and counts.max() > 1.2 * counts.min()


def test_no_picture_is_both_learned_from_and_scored():
    """The few that are equal are equal in the source, too."""
    found = held_out.draw(4, 0)
    rows = [tuple(picture.ravel().tolist()) for picture in np.concatenate([found.x, found.new])]
    assert len(set(rows)) > 0.98 * len(rows)


def test_what_students_get_has_no_labels():
    for folder in ("solutions", "exercises"):
        with np.load(ROOT / folder / "capstone" / "clothes.npz", allow_pickle=False) as file:
            assert file.files == ["x"] and file["x"].shape == (1000, 16, 16)
    assert not list((ROOT / "exercises").rglob("HELD_OUT*"))


def test_a_right_answer_is_scored_on_the_held_out_pictures(questions):
    from sklearn.metrics import adjusted_rand_score

    from dclib import KMeans

    rows, suspicious = ask(BY_MEANS, questions, seconds=10)
    assert not suspicious and [row["reason"] for row in rows] == ["", ""]
    for row, question in zip(rows, questions):
        model = KMeans(4, n_init=1, random_state=question.seed).fit(question.x.reshape(80, -1))
        expected = adjusted_rand_score(question.y_new, model.predict(question.new.reshape(40, -1)))
        assert row["ari"] == pytest.approx(expected, abs=1e-4)
        assert row["k"] == 4 and row["true_k"] == len(set(question.y_new.tolist())) and row["seconds"] > 0


@pytest.mark.parametrize(("says", "code"), HOSTILE.items(), ids=HOSTILE)
def test_a_bad_answer_counts_as_0_and_says_why(questions, says, code):
    rows, _ = ask(code, questions[:1], 0.5 if says == "no answer within" else 10)  # the machine may be busy
    assert rows[0]["ari"] == rows[0]["nmi"] == rows[0]["acc"] == 0
    assert says in rows[0]["reason"] and len(rows[0]["reason"]) <= 160


def test_after_a_draw_that_took_too_long_the_others_are_not_asked(questions):
    rows, _ = ask(HOSTILE["no answer within"], questions)
    assert [row["reason"] for row in rows] == ["no answer within 0.5 seconds", "not asked any more"]


def test_baselines_random_and_one_cluster_are_at_chance(questions):
    found = leaderboard.baselines(questions)
    for row in found["(one cluster)"]["draws"]:
        assert row["ari"] == 0 and row["k"] == 1
    assert all(abs(row["ari"]) < 0.15 for row in found["(random, told k)"]["draws"])
    told = found["(k-means, told k)"]["draws"]
    assert all(row["k"] == row["true_k"] for row in told) and np.mean([row["ari"] for row in told]) > 0.2


def record(*aris, reason="", remarks=()):
    draws = [{"ari": a, "nmi": a, "acc": a, "k": 3, "true_k": 5, "seconds": 1.0, "reason": ""} for a in aris]
    return {"draws": draws, "reason": reason, "remarks": list(remarks)}


def test_the_best_mean_comes_first_and_baselines_have_no_place():
    broken = record(0.9, 0.0)
    broken["draws"][1]["reason"] = "a | b"
    rows = leaderboard.table(
        {"low": record(0.1, 0.3), "dead": record(reason="is no notebook"), "(told)": record(0.4), "mixed": broken}
    )
    assert [row[1] for row in rows] == ["mixed", "(told)", "low", "dead"]
    assert [row[0] for row in rows] == ["1", "", "2", "3"]
    assert rows[0][2:4] == ["0.450", "0.000"] and rows[2][2:4] == ["0.200", "0.100"]
    assert rows[0][6] == "3(5) 3(5)" and rows[0][-1] == "1 of 2 draws: a | b" and rows[3][-1] == "is no notebook"
    page = leaderboard.as_markdown(rows, leaderboard.Settings(0, 2))
    assert "a \\| b" in page and page.count("\n|") == len(rows) + 1


def test_records_are_used_again_until_something_changes(tmp_path):
    place = tmp_path / "grading" / "submitted" / "ada" / "capstone" / "capstone.ipynb"
    place.parent.mkdir(parents=True)
    place.write_text("{}")
    (tmp_path / "solutions" / "capstone").mkdir(parents=True)
    settings = leaderboard.Settings(1, 2)
    assert leaderboard.read_record(tmp_path, "ada", settings) is None
    now = leaderboard.state(tmp_path, "ada", settings)
    leaderboard.write_whole(tmp_path / "grading" / "leaderboard" / "ada.json", json.dumps({"state": now, **record(1)}))
    assert leaderboard.read_record(tmp_path, "ada", settings)["draws"]
    assert leaderboard.read_record(tmp_path, "ada", leaderboard.Settings(2, 2)) is None
    place.write_text("{ }")
    assert leaderboard.read_record(tmp_path, "ada", settings) is None


# --- a run that is killed ---

WAITS = f"""
import os, time
def wait():
    open("WAITING", "a").close()
    for _ in range(600):
        if os.path.exists("GO"):
            return
        time.sleep(0.05)
{BY_MEANS.replace("from dclib", "wait(); from dclib")}"""
CLASS = {"ada": BY_MEANS, "bo": WAITS, "cy": HOSTILE["process ended"], "dee": BY_MEANS.replace("(4", "(6")}


class Forked:
    """As subprocess.Popen of tools/leaderboard.py, but a fork: it need not import everything once more."""

    def __init__(self, command, **_):
        self.root, self.status = Path(command[1]).parents[1], None
        self.pid = os.fork()
        if self.pid == 0:
            board(self.root, command[2:])
        with (self.root / "workers").open("a") as file:
            file.write(f"{command[3]} {self.pid}\n")

    def wait(self, timeout=60):
        end = time.monotonic() + timeout
        while self.status is None and time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
            time.sleep(0.01)
        return self.status


def board(course, options):
    """`make leaderboard`, and the end of this process."""
    status = 1
    try:
        os.setsid()
        os.closerange(3, 500)  # such as the lock of the process that started this one
        sys.stdout = sys.stderr = open(course / "out", "a", buffering=1)
        os.chdir(course)
        status = leaderboard.main(options, course)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def start(course, *options):
    pid = os.fork()
    if pid == 0:
        board(course, ["--draws=1", "--seconds=20", "--jobs=1", *options])
    return pid


def make_course(course):
    for student, code in CLASS.items():
        place = course / "grading" / "submitted" / student / "capstone" / "capstone.ipynb"
        place.parent.mkdir(parents=True)
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), place)
    (course / "solutions" / "capstone").mkdir(parents=True)
    return course


def final_board(course):
    """All columns but the seconds."""
    with (course / "grading" / "leaderboard.csv").open(encoding="utf-8") as file:
        return [row[:7] + row[8:] for row in csv.reader(file)]


def runs_of(course):
    return [line.split()[0] for line in (course / "workers").read_text().splitlines()]


def is_alive(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the workers outlive a run that is killed")
def test_a_run_that_is_killed_and_started_again_ends_with_the_same_board(tmp_path, monkeypatch):
    @contextlib.contextmanager
    def copies(root, cells, count):  # of a student's process, without a sandbox
        yield [answering(*(cell.source for cell in cells), names={"np": np}) for _ in range(count)]

    monkeypatch.setattr(leaderboard, "_copies", copies)
    monkeypatch.setattr(
        leaderboard, "subprocess", SimpleNamespace(Popen=Forked, TimeoutExpired=subprocess.TimeoutExpired)
    )
    monkeypatch.setenv("DCLIB_SANDBOX", "0")
    killed, other = make_course(tmp_path / "killed"), make_course(tmp_path / "other")

    run = start(killed)
    end = time.monotonic() + 20
    while not (killed / "WAITING").exists():
        assert time.monotonic() < end, (killed / "out").read_text()
        time.sleep(0.02)
    os.kill(run, signal.SIGKILL)
    os.waitpid(run, 0)
    records = killed / "grading" / "leaderboard"
    first = (records / "ada.json").read_bytes()
    key = (records / "key").read_text()
    assert runs_of(killed) == ["ada", "bo"] and not (records / "bo.json").exists()
    assert not (killed / "grading" / "leaderboard.csv").exists()
    worker = int((killed / "workers").read_text().split()[-1])
    while is_alive(worker):  # it must not write a record beside that of the next run
        assert time.monotonic() < end
        time.sleep(0.02)
    (records / "dee.json").write_text('{"state": "')  # as a disk that was full leaves it

    (killed / "GO").touch()
    assert os.waitpid(start(killed), 0)[1] == 0, (killed / "out").read_text()
    assert runs_of(killed) == ["ada", "bo", "bo", "cy", "dee"]
    assert (records / "ada.json").read_bytes() == first and (records / "key").read_text() == key

    (other / "GO").touch()
    assert os.waitpid(start(other, f"--key={key}"), 0)[1] == 0, (other / "out").read_text()
    rows = final_board(killed)
    assert rows == final_board(other)
    assert {row[1] for row in rows[1:] if row[0]} == set(CLASS)
    assert os.waitpid(start(killed), 0)[1] == 0 and len(runs_of(killed)) == 5 and final_board(killed) == rows
