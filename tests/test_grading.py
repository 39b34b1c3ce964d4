"""The whole way from solutions/ to points, in a copy of the course: nbgrader, the sandbox and the guards.

All submissions are graded in one run. Every unit: the source gets all points, the untouched exercise none. The unit
kmeans: what students do by mistake or on purpose.
"""

import csv
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from make_exercises import units  # noqa: E402

UNITS = units()
TASKS = ("squared_distances", "assign", "update", "kmeans_plus_plus", "lloyd")
MOST = {"squared_distances": 3, "assign": 3, "update": 4, "kmeans_plus_plus": 4, "lloyd": 4}
TIMEOUT = 45  # seconds per cell; one submission here waits for it

# Each attempt prints OPEN and what it reached. None of this may be possible in the sandbox.
PEEK = """
import glob, os, socket, subprocess
def attempt(name, action):
    try:
        result = action()
    except Exception as error:
        print("shut", name, type(error).__name__)
    else:
        print("OPEN" if result else "shut", name, result)
root = {root!r}
def holds(path):
    return "HIDDEN TESTS" in open(path, errors="ignore").read()
attempt("this notebook", lambda: holds("kmeans.ipynb"))
attempt("notebooks here", lambda: glob.glob("**/*.ipynb", recursive=True))
attempt("course folder", lambda: [n for n in os.listdir(root) if n not in ("grading",)])
attempt("grading folder", lambda: [p for p in glob.glob(root + "/grading/**", recursive=True) if os.path.isfile(p)
                                   and not p.startswith(os.getcwd())])
attempt("solutions", lambda: holds(root + "/solutions/kmeans/kmeans.ipynb"))
attempt("the checkout's solutions", lambda: holds({checkout!r} + "/solutions/kmeans/kmeans.ipynb"))
attempt("the checkout's history", lambda: os.listdir({checkout!r} + "/.git"))
attempt("the checkout's tests", lambda: os.listdir({checkout!r} + "/tests"))
attempt("passwords", lambda: open("/etc/shadow").read())
attempt("files at home", lambda: [n for n in os.listdir({home!r}) if os.path.isfile({home!r} + "/" + n)])
attempt("write outside", lambda: open({outside!r}, "w").write("x") and os.path.exists({outside!r}) and False)
attempt("write into dclib", lambda: open(__import__("dclib").__file__, "a"))
attempt("network", lambda: socket.create_connection(("127.0.0.1", {port}), timeout=2))
attempt("other processes", lambda: [p for p in os.listdir("/proc") if p.isdigit() and
                                    b"nbgrader" in open("/proc/" + p + "/cmdline", "rb").read()])
attempt("secrets in the environment", lambda: os.environ.get("DCLIB_TEST_SECRET"))
"""

PATCHES = """
import numpy, torch, sys, os
os.environ.pop("NBGRADER_EXECUTION", None)
numpy.testing.assert_allclose = numpy.testing.assert_array_equal = lambda *args, **options: None
torch.testing.assert_close = lambda *args, **options: None
torch.equal = torch.allclose = lambda *args, **options: True
class check:
    squared_distances = assign = update = kmeans_plus_plus = lloyd = passed = staticmethod(lambda *args: False)
"""

NO_ASSERTS = """
import ast
class DropAsserts(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
get_ipython().ast_transformers.append(DropAsserts())
class check:
    squared_distances = assign = update = kmeans_plus_plus = lloyd = passed = staticmethod(lambda *args: False)
"""

EMPTY_TESTS = """
def empty(lines):
    return [] if any("HIDDEN TESTS" in line for line in lines) else lines
get_ipython().input_transformers_post.append(empty)
"""


def mutants():
    spec = importlib.util.spec_from_file_location("kmeans_answers", ROOT / "tests" / "mutants" / "kmeans.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Submission:
    """The released exercise of kmeans, filled in."""

    def __init__(self, course):
        self.notebook = nbformat.read(course / "exercises" / "kmeans" / "kmeans.ipynb", 4)

    def place(self, grade_id):
        (found,) = [
            i for i, c in enumerate(self.notebook.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
        ]
        return found

    def solve(self, answers):
        for task, code in answers.items():
            self.notebook.cells[self.place(task)].source = code
        return self

    def cell(self, source):
        """An ordinary cell before the first task."""
        self.notebook.cells.insert(self.place(TASKS[0]), nbformat.v4.new_code_cell(source))
        return self

    def delete(self, *grade_ids):
        for grade_id in grade_ids:
            del self.notebook.cells[self.place(grade_id)]
        return self

    def copy_cell(self, grade_id):
        cell = nbformat.from_dict(json.loads(json.dumps(self.notebook.cells[self.place(grade_id)])))
        cell.id = f"copy-{grade_id.replace('_', '-')}"
        self.notebook.cells.insert(self.place(grade_id) + 1, cell)
        return self

    def write(self, path):
        path.parent.mkdir(parents=True)
        nbformat.write(self.notebook, path)


def environment(**more):
    return {**os.environ, "DCLIB_SANDBOX": "1", "DCLIB_GRADE_TIMEOUT": str(TIMEOUT), "OMP_NUM_THREADS": "1", **more}


def grade(course, *arguments, **more):
    command = [sys.executable, "tools/grade.py", *arguments]
    return subprocess.run(command, cwd=course, env=environment(**more), text=True, capture_output=True)


def copy_course(folder):
    for name in ("nbgrader_config.py", "tools", "solutions", "exercises"):
        source = ROOT / name
        ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(source, folder / name, ignore=ignore) if source.is_dir() else shutil.copy(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The course with all submissions, graded once; course.run is what the command printed."""
    course = copy_course(tmp_path_factory.mktemp("course"))
    submitted = course / "grading" / "submitted"
    for unit in UNITS:
        for student, source in (("source", "solutions"), ("blank", "exercises")):
            place = submitted / student / unit
            place.mkdir(parents=True)
            shutil.copy(course / source / unit / f"{unit}.ipynb", place)

    answers = mutants()
    right = {task: next(iter(codes.values())) for task, codes in answers.RIGHT.items()}
    noisy = {
        task: code.replace("):\n", '):\n    warnings.warn("careful")\n    sys.stderr.write("12%")\n', 1)
        for task, code in right.items()
    }
    nothing = {task: f"def {task}(*args, **options):\n    pass" for task in TASKS}

    def hand_in(student):
        return submitted / student / "kmeans" / "kmeans.ipynb"

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        peek = PEEK.format(
            root=str(course),
            checkout=str(ROOT),
            home=str(Path.home()),
            outside=str(course.parent / "written"),
            port=listening.getsockname()[1],
        )
        Submission(course).cell("import sys, warnings").solve(noisy).cell(peek).write(hand_in("right"))
        Submission(course).solve({**right, "update": answers.WRONG["update"]["NaN for an empty cluster"][0]}).delete(
            "check_squared_distances", "hidden_squared_distances"
        ).copy_cell("check_assign").copy_cell("hidden_lloyd").write(hand_in("careless"))
        Submission(course).solve(
            {
                **right,
                "squared_distances": "def squared_distances(X, centers):\n    return torch.ones(2**34).byte()",
                "lloyd": "def lloyd(X, centers, max_iter=100):\n    while True:\n        pass",
            }
        ).write(hand_in("greedy"))
        Submission(course).solve({**right, "update": "import os\ndef update(*args):\n    os._exit(0)"}).write(
            hand_in("exits")
        )
        Submission(course).solve(nothing).cell(PATCHES).write(hand_in("patches"))
        Submission(course).solve(nothing).cell(NO_ASSERTS).write(hand_in("no-asserts"))
        Submission(course).solve(nothing).cell(EMPTY_TESTS).write(hand_in("empties-tests"))
        hand_in("broken").parent.mkdir(parents=True)
        hand_in("broken").write_text("this is no notebook")
        (submitted / "misnamed" / "kmeans").mkdir(parents=True)
        shutil.copy(hand_in("right"), submitted / "misnamed" / "kmeans" / "kmeans (1).ipynb")
        run = grade(course, DCLIB_TEST_SECRET="secret")
    return course, run


def points(course, student, unit="kmeans"):
    with (course / "grading" / "points.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["student"] == student and row["unit"] == unit]
    return {row["task"]: row for row in rows}


def graded(course, student):
    return nbformat.read(course / "grading" / "autograded" / student / "kmeans" / "kmeans.ipynb", 4)


@pytest.mark.sandbox
@pytest.mark.parametrize("unit", UNITS)
def test_the_source_gets_all_points_and_the_untouched_exercise_none(course, unit):
    course, run = course
    source, blank = points(course, "source", unit), points(course, "blank", unit)
    assert source and source.keys() == blank.keys(), run.stdout + run.stderr
    for task, row in source.items():
        if row["remark"] != "to grade":
            assert float(row["points"]) == float(row["most"]) > 0, task
        assert float(blank[task]["points"]) == 0, task
    assert any(row["remark"] == "" for row in source.values())


ALL, NONE = MOST, dict.fromkeys(TASKS, 0)


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("student", "expected"),
    [
        pytest.param("right", ALL, id="right answers that print to stderr and look around"),
        pytest.param("careless", {**ALL, "update": 0}, id="a wrong answer, deleted tests, copied tests"),
        pytest.param(
            "greedy", {**ALL, "squared_distances": 0, "lloyd": 0}, id="64 GiB in task 1, an endless loop in task 5"
        ),
        pytest.param("exits", {**ALL, "update": 0, "kmeans_plus_plus": 0, "lloyd": 0}, id="os._exit in task 3"),
        pytest.param("patches", NONE, id="asserts and checks patched"),
        pytest.param("no-asserts", NONE, id="asserts cut out by an AST transformer"),
        pytest.param("empties-tests", NONE, id="test cells emptied by an input transformer"),
    ],
)
def test_points(course, student, expected):
    course, run = course
    rows = points(course, student)
    assert rows, run.stdout + run.stderr
    assert {task: float(rows[task]["points"]) for task in TASKS} == expected
    assert {task: float(rows[task]["most"]) for task in TASKS} == MOST


@pytest.mark.sandbox
def test_the_sandbox_is_shut(course):
    course, _ = course
    (text,) = [
        output.text
        for cell in graded(course, "right").cells
        if cell.cell_type == "code" and "def attempt" in cell.source
        for output in cell.outputs
        if output.output_type == "stream"
    ]
    assert len(text.splitlines()) == PEEK.count("\nattempt("), text
    assert "OPEN" not in text, text
    assert not (course.parent / "written").exists()


@pytest.mark.sandbox
def test_what_the_teacher_reads(course):
    """The table has everyone; what could not be graded is named, and the exit status says so."""
    course, run = course
    assert run.returncode == 1
    table = run.stdout[run.stdout.index("\nkmeans\n") :]
    assert re.search(r"^student +squared_distances +assign +update +kmeans_plus_plus +lloyd +answer +sum$", table, re.M)
    assert re.search(r"^\(most\) +3 +3 +4 +4 +4 +2 +20$", table, re.M)
    assert re.search(r"^careless +3 +3 +0 +4 +4 +0 +14$", table, re.M)
    assert re.search(r"^source +3 +3 +4 +4 +4 +to grade +18$", table, re.M)
    assert re.search(r"^broken +could not be graded: .*does not appear to be JSON", table, re.M)
    assert "could not be graded" in points(course, "broken")["update"]["remark"]
    assert "expected kmeans.ipynb, found kmeans (1).ipynb" in run.stderr
    assert not points(course, "misnamed")


@pytest.mark.sandbox
def test_reasons_are_in_the_graded_notebooks(course):
    """A teacher, and a student in the feedback, can read why a task got no points."""
    course, _ = course

    def error(student, grade_id):
        (cell,) = [
            c for c in graded(course, student).cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
        ]
        return " ".join(f"{o.ename} {o.evalue}" for o in cell.outputs if o.output_type == "error")

    assert "An empty cluster gave NaN" in error("careless", "check_update")
    endless = error("greedy", "check_lloyd")  # the check's own limit is in processor time: a busy machine takes longer
    assert "a loop that does not end" in endless or "CellTimeoutError" in endless
    assert "can't allocate memory" in error("greedy", "check_squared_distances")
    assert "the kernel died" in error("exits", "check_lloyd")
    assert "the test tools were changed" in error("patches", "hidden_update") + error("no-asserts", "hidden_update")
    assert "did not run to its end" in error("empties-tests", "hidden_update")


@pytest.mark.sandbox
def test_a_second_run_grades_only_what_is_new(course):
    course, first = course
    assert "kmeans: right" in first.stdout
    shutil.rmtree(course / "grading" / "submitted" / "broken")
    shutil.rmtree(course / "grading" / "submitted" / "misnamed")
    run = grade(course)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "kmeans: " not in run.stdout
    assert re.search(r"^careless +3 +3 +0 +4 +4 +0 +14$", run.stdout, re.M)


@pytest.mark.sandbox
def test_feedback_shows_the_check_and_not_the_hidden_tests(course):
    course, _ = course
    command = [sys.executable, "-m", "nbgrader", "generate_feedback", "kmeans", "--student=careless"]
    run = subprocess.run(command, cwd=course, env=environment(), text=True, capture_output=True)
    assert run.returncode == 0, run.stderr
    page = (course / "grading" / "feedback" / "careless" / "kmeans" / "kmeans.html").read_text(encoding="utf-8")
    assert "An empty cluster gave NaN" in page
    assert "HIDDEN TESTS" not in page and "_ref_assign" not in page


# --- without a sandbox -----------------------------------------------------------------------------------------------


def test_a_kernel_that_cannot_be_interrupted_fails_only_what_is_left(tmp_path):
    from grading_guards import GuardedExecute

    def test_cell(name, source):
        meta = {"schema_version": 3, "grade_id": name, "grade": True, "solution": False, "locked": True, "points": 1}
        return nbformat.v4.new_code_cell(source, metadata={"nbgrader": {**meta, "task": False}})

    deaf = """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("import numpy.testing, torch"),
            test_cell("before", "assert 1 + 1 == 2"),
            test_cell("deaf", deaf),
            test_cell("after", "assert 1 + 1 == 2"),
        ]
    )
    execute = GuardedExecute(timeout=5, iopub_timeout=2, kernel_name="python3")
    notebook, _ = execute.preprocess(notebook, {"metadata": {"path": str(tmp_path)}})
    _, before, *others = notebook.cells
    assert before.source == "assert 1 + 1 == 2" and not before.outputs
    for cell in others:
        assert [output.evalue for output in cell.outputs] == [
            "this cell or an earlier one took too long, and ignored that it was interrupted"
        ]


def test_nothing_to_grade(tmp_path):
    run = grade(copy_course(tmp_path))
    assert run.returncode == 0
    assert run.stdout.startswith("Nothing to grade. Put each student's notebook at grading/submitted/")


def test_without_bubblewrap_nothing_runs(tmp_path):
    course = copy_course(tmp_path)
    place = course / "grading" / "submitted" / "someone" / "kmeans"
    place.mkdir(parents=True)
    shutil.copy(course / "exercises" / "kmeans" / "kmeans.ipynb", place)
    run = grade(course, PATH=os.path.dirname(sys.executable))
    assert run.returncode == 2
    assert "bwrap) is not installed" in run.stderr and "DCLIB_SANDBOX=0" in run.stderr
    assert not (course / "grading" / "autograded").exists()


def test_an_unknown_unit_is_refused(tmp_path):
    run = grade(copy_course(tmp_path), "kmenas")
    assert run.returncode == 2
    assert "no unit kmenas" in run.stderr and "kmeans" in run.stderr
