"""The whole way from solutions/ to points, in a copy of the course: nbgrader, the sandbox and the judge.

All submissions are graded in one go, which is killed half-way and goes on. Every unit: the source gets all points, the
untouched exercise and a hostile one none. The unit kmeans: what students do by mistake or on purpose. Attacks on the
line between the two processes are in test_judge.py.
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
MOST = {
    **{"squared_distances": 2, "assign": 2, "update": 3, "kmeans_plus_plus": 3, "lloyd": 4},
    **{"kmedians": 4, "mended_lloyd": 3},
}
TASKS = tuple(MOST)

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
attempt("course folder", lambda: [n for n in os.listdir(root) if n not in ("grading", "tools")])
attempt("tools", lambda: sorted(os.listdir(root + "/tools")) != ["answerer.py", "line.py"])
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
attempt("a forbidden module", lambda: __import__("sklearn.cluster").cluster.KMeans)
attempt("another forbidden module", lambda: __import__("dclib.kmeans").kmeans.KMeans)
own = ("/dev", "/proc", "/student", "/memfd", "/usr", __import__("sys").prefix)
def descriptors():
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            yield os.readlink(path)
        except OSError:
            pass
attempt("descriptors of the teacher", lambda: [p for p in descriptors() if p[0] == "/" and not p.startswith(own)])
attempt("network", lambda: socket.create_connection(("127.0.0.1", {port}), timeout=2))
attempt("other processes", lambda: [p for p in os.listdir("/proc") if p.isdigit() and
                                    b"nbgrader" in open("/proc/" + p + "/cmdline", "rb").read()])
attempt("secrets in the environment", lambda: os.environ.get("DCLIB_TEST_SECRET"))
"""

# Nothing is solved; the notebook's process is turned into one that says what it likes.
FORGE = """
import re, sys, os, ast
kernel = get_ipython().kernel
_send = kernel.session.send
def send(stream, kind, content=None, *arguments, **options):
    code = kernel.get_parent("shell").get("content", {}).get("code", "")
    secret = re.findall(r"[0-9a-f]{16,}", code)
    if kind == "error":
        kind, content = "stream", {"name": "stdout", "text": "".join(secret) + "\\n"}
    if kind == "execute_reply":
        content = {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": []}
    return _send(stream, kind, content, *arguments, **options)
kernel.session.send = send

class DropAsserts(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
get_ipython().ast_transformers.append(DropAsserts())
get_ipython().input_transformers_post.append(lambda lines: [] if "HIDDEN" in "".join(lines) else lines)

import numpy, torch
os.environ.pop("NBGRADER_EXECUTION", None)
numpy.testing.assert_allclose = numpy.testing.assert_array_equal = lambda *args, **options: None
torch.testing.assert_close = lambda *args, **options: None
torch.equal = torch.allclose = lambda *args, **options: True
class check:
    passed = staticmethod(lambda *args: False)

import tempfile, threading, time
asked = os.path.join(tempfile.gettempdir(), "asked")
def go_on():  # a thread that outlives its cell, and a file that tells it what the functions were asked
    while True:
        time.sleep(0.1)
        if os.path.exists(asked):
            print("LEAKED", open(asked).read())
threading.Thread(target=go_on, daemon=True).start()

from IPython.display import HTML, display
display(HTML("<script>document.title = 'OWNED'</script>"))
"""
# Each function looks for the tests wherever a process can look, and prints what it finds.
LOOK = """
def {task}(*args, **options):
    import gc, glob, os, sys, tempfile
    print("LOOKED")
    open(os.path.join(tempfile.gettempdir(), "asked"), "a").write(repr(args))
    words, frame = ("_expected", "_ref_", "fresh_generator"), sys._getframe()
    while frame:
        names = str([*frame.f_locals, *frame.f_code.co_names])
        if frame.f_code.co_name != "{task}" and any(word in names for word in words):
            print("FOUND a frame", frame)
        for name, value in [*frame.f_locals.items(), *frame.f_globals.items()]:
            if name == "_expected":
                print("FOUND a variable", name)
                return value
        frame = frame.f_back
    for found in gc.get_objects():
        if type(found) is dict and "_expected" in found:
            print("FOUND in gc")
    for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
        try:
            if b"grade_worker" in open(path, "rb").read():
                print("FOUND a process")
        except OSError:
            pass
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            target = os.readlink(path)
        except OSError:
            continue
        if "grading" in target or "solutions" in target:
            print("FOUND a descriptor", target)
    if "{task}" == "{last}":
        os.kill(os.getppid(), 9)
"""


def mutants():
    spec = importlib.util.spec_from_file_location("kmeans_answers", ROOT / "tests" / "mutants" / "kmeans.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Submission:
    """The released exercise of a unit, filled in."""

    def __init__(self, course, unit="kmeans"):
        self.notebook = nbformat.read(course / "exercises" / unit / f"{unit}.ipynb", 4)
        marked = [c.metadata.get("nbgrader", {}) for c in self.notebook.cells]
        self.tasks = [m["grade_id"].removeprefix("check_") for m in marked if m.get("locked") and m["grade"]]

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
        self.notebook.cells.insert(self.place(self.tasks[0]), nbformat.v4.new_code_cell(source))
        return self

    def hostile(self):
        """Nothing is solved; it forges, patches, and looks for the tests."""
        return self.solve({task: LOOK.format(task=task, last=self.tasks[-1]) for task in self.tasks}).cell(FORGE)

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
    return {**os.environ, "DCLIB_SANDBOX": "1", "OMP_NUM_THREADS": "1", **more}


def grade(course, *arguments, **more):
    command = [sys.executable, "tools/grade.py", *arguments]
    return subprocess.run(command, cwd=course, env=environment(**more), text=True, capture_output=True)


def grade_and_kill(course, after, **more):
    """Start to grade, and kill it when the line `after` has been printed."""
    command = [sys.executable, "tools/grade.py", "--jobs=2"]
    with subprocess.Popen(command, cwd=course, env=environment(**more), text=True, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if after in line:
                process.kill()


def copy_course(folder):
    for name in ("nbgrader_config.py", "tools", "solutions", "exercises"):
        source = ROOT / name
        ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(source, folder / name, ignore=ignore) if source.is_dir() else shutil.copy(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The course with all submissions, graded; and what the command printed."""
    course = copy_course(tmp_path_factory.mktemp("course"))
    submitted = course / "grading" / "submitted"
    for unit in UNITS:
        for student, source in (("source", "solutions"), ("blank", "exercises")):
            place = submitted / student / unit
            place.mkdir(parents=True)
            shutil.copy(course / source / unit / f"{unit}.ipynb", place)
        hostile = Submission(course, unit).hostile()
        if unit == "kmeans":
            hostile.cell('from sklearn.cluster import KMeans\nprint("LEAKED" * 10**6)')
        hostile.write(submitted / "hostile" / unit / f"{unit}.ipynb")

    answers = mutants()
    right = {task: next(iter(codes.values())) for task, codes in answers.RIGHT.items()}
    noisy = {
        task: code.replace("):\n", '):\n    warnings.warn("careful")\n    sys.stderr.write("12%")\n', 1)
        for task, code in right.items()
    }

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
        own = Submission(course).cell("import sys, warnings").solve(noisy).cell(peek)
        own.delete("check_squared_distances").copy_cell("check_assign").write(hand_in("right"))
        Submission(course).solve(
            {
                **right,
                "squared_distances": "def squared_distances(X, centers):\n    return torch.ones(2**34).byte()",
                "update": "import os\ndef update(*args):\n    os._exit(0)",
                "lloyd": "def lloyd(X, centers, max_iter=100):\n    while True:\n        pass",
            }
        ).cell("import os\nos._exit(0)").write(hand_in("careless"))
        hand_in("broken").parent.mkdir(parents=True)
        hand_in("broken").write_text("this is no notebook")
        (submitted / "misnamed" / "kmeans").mkdir(parents=True)
        shutil.copy(hand_in("right"), submitted / "misnamed" / "kmeans" / "kmeans (1).ipynb")
        (submitted / "linked" / "kmeans").mkdir(parents=True)
        os.symlink("/etc/passwd", hand_in("linked"))
        grade_and_kill(course, "(2 of ", DCLIB_TEST_SECRET="secret")
        run = grade(course, "--jobs=2", DCLIB_TEST_SECRET="secret")
    return course, run


def points(course, student, unit="kmeans"):
    with (course / "grading" / "points.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["student"] == student and row["unit"] == unit]
    return {row["task"]: row for row in rows}


def graded(course, student):
    return nbformat.read(course / "grading" / "autograded" / student / "kmeans" / "kmeans.ipynb", 4)


@pytest.mark.sandbox
@pytest.mark.parametrize("unit", UNITS)
def test_the_source_gets_all_points_the_untouched_exercise_and_a_hostile_one_none(course, unit):
    course, run = course
    source, blank, hostile = (points(course, student, unit) for student in ("source", "blank", "hostile"))
    assert source and source.keys() == blank.keys() == hostile.keys(), run.stdout + run.stderr
    for task, row in source.items():
        if row["remark"] != "to grade":
            assert float(row["points"]) == float(row["most"]) > 0, task
        assert float(blank[task]["points"]) == 0, task
        if row["remark"] != "to grade":
            assert float(hostile[task]["points"]) == 0, task
    assert any(row["remark"] == "" for row in source.values())


ALL, NONE = MOST, dict.fromkeys(TASKS, 0)
CARELESS = r"^careless +0 +2 +0 +3 +0 +0 +4 +0 +3 +0 +12$"


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("student", "expected"),
    [
        pytest.param("right", ALL, id="right answers that print to stderr, a deleted test, a copied test"),
        pytest.param(
            "careless",
            {**ALL, "squared_distances": 0, "update": 0, "lloyd": 0},
            id="a dead kernel, 64 GiB in task 1, os._exit in task 3, an endless loop in task 5",
        ),
        pytest.param("hostile", NONE, id="forged messages, patches, transformers, a search for the tests"),
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
    (cell,) = [c for c in graded(course, "right").cells if c.cell_type == "code" and "def attempt" in c.source]
    # A kernel that waits in between sends its lines in several parts.
    text = "".join(output.text for output in cell.outputs if output.output_type == "stream")
    assert len(text.splitlines()) == PEEK.count("\nattempt("), text
    assert "OPEN" not in text, text
    assert not (course.parent / "written").exists()


@pytest.mark.sandbox
def test_a_function_finds_no_test_in_frames_memory_processes_or_descriptors(course):
    course, _ = course
    for cell in graded(course, "hostile").cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if grade_id.startswith("check_") and grade_id != "check_mended_lloyd":  # that one ends the notebook's process
            assert "LOOKED" in str(cell.outputs) and "FOUND" not in str(cell.outputs)


@pytest.mark.sandbox
def test_what_a_function_is_asked_reaches_no_output_of_the_notebook(course):
    """A thread of the notebook prints what the functions wrote into a file: the outputs had been taken before."""
    course, _ = course
    outputs = [
        o for c in graded(course, "hostile").cells if c.cell_type == "code" and "go_on" in c.source for o in c.outputs
    ]
    assert "LEAKED" not in str(outputs)


@pytest.mark.sandbox
def test_no_script_of_a_student_is_stored_for_the_teachers_browser(course):
    course, _ = course
    assert "OWNED" not in str([c.get("outputs") for c in graded(course, "hostile").cells])


@pytest.mark.sandbox
def test_what_the_teacher_reads(course):
    """The table has everyone; what could not be graded is named, and the exit status says so."""
    course, run = course
    assert run.returncode == 1
    table = run.stdout[run.stdout.index("\nkmeans\n") :]
    titles = (
        "student squared_distances assign update kmeans_plus_plus lloyd answer kmedians proof mended_lloyd clue sum"
    )
    assert titles.split() == table.splitlines()[2].split()
    assert re.search(r"^\(most\) +2 +2 +3 +3 +4 +5 +4 +2 +3 +2 +30$", table, re.M)
    assert re.search(CARELESS, table, re.M)
    assert re.search(r"^source +2 +2 +3 +3 +4 +to grade +4 +to grade +3 +to grade +21$", table, re.M)
    assert re.search(r"^broken +could not be graded: .*does not appear to be JSON", table, re.M)
    assert "could not be graded" in points(course, "broken")["update"]["remark"]
    assert "careless: look at it, it ended its process in cell" in table
    assert "hostile: look at it, it names sklearn.cluster" in table
    assert "source: look" not in table and "blank: look" not in table
    assert "expected kmeans.ipynb, found kmeans (1).ipynb" in run.stderr
    assert "linked/kmeans: kmeans.ipynb is a link" in run.stderr
    assert not points(course, "misnamed") and not points(course, "linked")


@pytest.mark.sandbox
def test_the_seed_of_each_grading_is_kept_and_differs(course):
    course, _ = course
    seeds = [points(course, student)["update"]["seed"] for student in ("source", "blank", "right", "hostile")]
    assert all(seeds) and len(set(seeds)) == len(seeds)


@pytest.mark.sandbox
def test_a_run_that_was_killed_goes_on_and_grades_nobody_twice(course):
    """The second run did not touch what the first had finished; every submission is in the grade book once."""
    from nbgrader.api import Gradebook

    course, run = course
    due = [(unit, s) for unit in UNITS for s in ("source", "blank", "hostile")]
    due += [("kmeans", "right"), ("kmeans", "careless")]
    finished = [(unit, student) for unit, student in due if f"{unit}: {student} (" in run.stdout]
    assert 0 < len(finished) < len(due), run.stdout
    with Gradebook(f"sqlite:///{course}/grading/gradebook.db", "dclib") as book:
        students = [submission.student.id for submission in book.assignment_submissions("kmeans")]
        for student in ("source", "blank", "right", "careless", "hostile"):
            assert students.count(student) == 1
            grades = book.find_submission_notebook("kmeans", "kmeans", student).grades
            assert len(grades) == len({grade.name for grade in grades}) == 3 + len(TASKS)


@pytest.mark.sandbox
def test_reasons_are_in_the_graded_notebooks(course):
    """A teacher, and a student in the feedback, can read why a task got no points."""
    course, _ = course

    def error(student, grade_id):
        (cell,) = [
            c for c in graded(course, student).cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
        ]
        return " ".join(o.evalue for o in cell.outputs if o.output_type == "error")

    assert "a loop that does not end" in error("careless", "check_lloyd")
    assert "can't allocate memory" in error("careless", "check_squared_distances")
    assert "The process ended while your function ran" in error("careless", "check_update")
    (killer,) = [c for c in graded(course, "careless").cells if c.source == "import os\nos._exit(0)"]
    assert "the process ended here" in str(killer.outputs)


@pytest.mark.sandbox
def test_feedback_shows_the_check_and_not_what_was_asked(course):
    course, _ = course
    for student in ("careless", "hostile"):
        command = [sys.executable, "-m", "nbgrader", "generate_feedback", "kmeans", f"--student={student}"]
        run = subprocess.run(command, cwd=course, env=environment(), text=True, capture_output=True)
        assert run.returncode == 0, run.stderr
        page = (course / "grading" / "feedback" / student / "kmeans" / "kmeans.html").read_text(encoding="utf-8")
        assert "HIDDEN TESTS" not in page and "_ref_assign" not in page and "printed:" not in page
        assert "<script>document.title" not in page  # the source of the cell is there, as text
        assert "not right yet" in page


@pytest.mark.sandbox
def test_a_second_run_grades_only_what_is_new(course):
    course, _ = course
    for student in ("broken", "misnamed", "linked"):
        shutil.rmtree(course / "grading" / "submitted" / student)
    run = grade(course)
    assert run.returncode == 0, run.stdout + run.stderr
    assert not [unit for unit in UNITS if re.search(rf"^ +{unit}: ", run.stdout, re.M)]
    assert re.search(CARELESS, run.stdout, re.M)


@pytest.mark.sandbox
def test_the_leaderboard_has_everyone_and_is_not_stopped(course):
    """The capstone's source is on top; a blank, a hostile and a broken submission get a row and a reason."""
    course, _ = course
    submitted = course / "grading" / "submitted"
    broken = submitted / "broken-board" / "capstone"
    broken.mkdir(parents=True)
    (broken / "capstone.ipynb").write_text("{")
    command = [sys.executable, "tools/leaderboard.py", "--draws=1", "--seconds=20", "--jobs=2", "--key=1"]
    try:
        run, again = (
            subprocess.run(command, cwd=course, env=environment(), text=True, capture_output=True) for _ in range(2)
        )
    finally:
        shutil.rmtree(broken.parent)
    assert run.returncode == again.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^ +1  source ", run.stdout, re.M)
    assert re.search(r"^ +2  blank +0\.000 .*1 of 1 draws: not solved", run.stdout, re.M)
    assert re.search(r"^ +3  hostile +0\.000 .*1 of 1 draws: ", run.stdout, re.M)
    assert re.search(r"^ +4  broken-board +is no notebook", run.stdout, re.M)
    with (course / "grading" / "leaderboard.csv").open(encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert float(rows["source"]["ARI"]) > 0.25 > float(rows["(random, told k)"]["ARI"])
    assert "\n  source\n" in run.stdout and "\n  source\n" not in again.stdout  # its record is used again
    assert again.stdout.count("source") == 1


@pytest.mark.sandbox
def test_what_the_grade_book_lost_is_graded_again_and_one_job_gives_the_points_of_two(course):
    """Deleted, while records and graded notebooks stay. (Changes the course: the last test that uses it.)"""
    course, _ = course
    for place in (course / "grading" / "submitted").glob("*/*"):
        if place.name != "judging":
            shutil.rmtree(place)

    def rows():
        found = {student: points(course, student, "judging") for student in ("source", "blank", "hostile")}
        return {(s, task): (row["points"], row["remark"]) for s, tasks in found.items() for task, row in tasks.items()}

    before = rows()
    assert len(before) > 3 * 6 and "judging: " not in grade(course).stdout
    (course / "grading" / "gradebook.db").unlink()
    run = grade(course, "--jobs=1")
    assert run.returncode == 0 and "(3 of 3)" in run.stdout, run.stdout + run.stderr
    assert rows() == before
    assert "(1 of " not in grade(course).stdout


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


@pytest.mark.sandbox
def test_a_student_who_handed_in_nothing_is_named(course):
    course, _ = course
    run = grade(course, "--student=nobody")
    assert run.returncode == 1
    assert "--student=nobody: nothing is handed in by that name." in run.stderr


def test_an_unknown_unit_is_refused(tmp_path):
    run = grade(copy_course(tmp_path), "kmenas")
    assert run.returncode == 2
    assert "no unit kmenas" in run.stderr and "kmeans" in run.stderr


@pytest.mark.parametrize(
    "text",
    [
        "<script>OWNED</script>",
        "<img src=x onerror=OWNED>",
        "<svg/onload=OWNED>",
        "<details ontoggle=OWNED open>",
        "<a href='javascript:OWNED'>x</a>",
        "[x](javascript:OWNED)",
        "[x]( JaVa\tScript:OWNED)",
        "[x](java&#x0a;script:OWNED)",
        "[x](&#106;avascript:OWNED)",
        "[x](%6aavascript:OWNED)",
        "![x](data:text/html;base64,OWNED)",
        "[x][y]\n\n[y]: javascript:OWNED",
        "<javascript:OWNED>",
        r"$\href{javascript:OWNED}{x}$",
    ],
)
def test_a_text_cannot_run_in_the_teachers_browser(text):
    """Rendered as the formgrader does."""
    from grading_guards import Disarm
    from nbconvert.filters import markdown2html_mistune

    page = markdown2html_mistune(Disarm().disarmed(text))
    tags = re.findall(r"<[^>]*>", page)
    assert not [tag for tag in tags if "OWNED" in tag or re.search(r"script|\bon\w+=|href=.?(java|data)", tag, re.I)], (
        page
    )
    assert r"\href" not in page


def test_harmless_text_stays():
    from grading_guards import Disarm

    text = "> a quote\n\n**bold** $a > b$, [a link](https://example.org), ![a picture](attachment:a.png)\n\n* `x[0]`"
    assert Disarm().disarmed(text) == text
