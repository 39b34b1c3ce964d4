"""The assignments: exercises/ is what solutions/ make, checks name mistakes, tests tell right answers from wrong ones.

Every folder of solutions/ is a unit and is tested here. Its tasks are the solution cells of its notebook, each with the
test cells that follow; tests/mutants/<unit>.py holds right and wrong answers to them. The cells run in this process;
tests/test_grading.py sends whole notebooks through nbgrader.
"""

import contextlib
import importlib.util
import io
import linecache
import re
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import make_exercises  # noqa: E402

UNITS = make_exercises.units()
MARKS = ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
SOLUTION = re.compile(r"### BEGIN SOLUTION.*### END SOLUTION", re.S)
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS\n?", re.S)


def files(folder):
    return sorted(
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and not {".ipynb_checkpoints", "__pycache__"} & set(p.parts)
    )


def load_file(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def role(cell):
    """ "solve", "test" or None for an ordinary cell."""
    meta = cell.metadata.get("nbgrader", {})
    if cell.cell_type != "code" or not meta:
        return None
    return "test" if meta["grade"] and not meta["solution"] else "solve"


class Unit:
    """A unit's source notebook, cut into set-up cells and tasks."""

    def __init__(self, name):
        self.name = name
        self.folder = ROOT / "solutions" / name
        self.path = self.folder / f"{name}.ipynb"
        self.notebook = nbformat.read(self.path, 4)
        self.answers = {}  # task: the source's own answer
        self.tests = {}  # task: sources of its test cells
        setup = []
        for cell in self.notebook.cells:
            if role(cell) == "solve":
                task = cell.metadata.nbgrader.grade_id
                self.answers[task], self.tests[task] = cell.source, []
            elif role(cell) == "test":
                self.tests[task].append(cell.source)
            elif cell.cell_type == "code" and not self.answers:
                setup.append(cell.source)
        self.setup = "\n".join(line for source in setup for line in source.split("\n") if is_import(line))

    def run(self, answers, tasks, *, hidden=True):
        """Run the test cells of `tasks` with these answers; {task: [error or None for each cell]}."""
        names = {"__name__": "__main__"}
        sys.modules.pop(f"{self.name}_checks", None)  # which tasks have passed is kept there
        exec(self.setup, names)
        results = {}
        for task, answer in answers.items():
            exec(compile(answer, f"<{task}>", "exec"), names)
            if task not in tasks:
                continue
            results[task] = []
            for source in self.tests[task]:
                source = source if hidden else HIDDEN.sub("", source)
                try:
                    with contextlib.redirect_stdout(io.StringIO()):
                        exec(compile(source, f"<tests of {task}>", "exec"), names)
                    results[task].append(None)
                except Exception as error:
                    results[task].append(error)
        return results

    def failed(self, task, answer, **options):
        """The errors of this task's test cells, when the other tasks have the source's answers."""
        return self.run({**self.answers, task: answer}, [task], **options)[task]


def is_import(line):
    return line.startswith(("import ", "from "))


@cache
def unit(name):
    return Unit(name)


@cache
def answers(name):
    path = ROOT / "tests" / "mutants" / f"{name}.py"
    assert path.exists(), f"{path.name} is missing: the unit {name} needs right and wrong answers to test its tests"
    return load_file(path)


@pytest.fixture(autouse=True)
def grading(monkeypatch, request):
    """Checks raise, as when nbgrader runs them; the unit's helper files can be imported, as from its folder."""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    for name in UNITS:
        monkeypatch.syspath_prepend(str(ROOT / "solutions" / name))


def cases(kind):
    return [
        pytest.param(name, task, title, id=f"{name}-{task}-{title.replace(' ', '_')}")
        for name in UNITS
        for task, entries in getattr(answers(name), kind).items()
        for title in entries
    ]


# --- exercises/ ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release") / "exercises"
    make_exercises.generate(folder)
    return folder


def test_exercises_are_generated_from_solutions(generated):
    assert files(generated) == files(ROOT / "exercises")
    for name in files(generated):
        same = (generated / name).read_bytes() == (ROOT / "exercises" / name).read_bytes()
        assert same, f"exercises/{name} is not what solutions/ make: run `make exercises`"


@pytest.mark.parametrize("name", UNITS)
def test_sources_are_in_normal_form(name):
    path = unit(name).path
    assert path.read_text(encoding="utf-8") == make_exercises.normal_form(path), "run `make exercises`"


@pytest.mark.parametrize("name", UNITS)
def test_no_solution_leaks(name, generated):
    """No mark, no line of a solution or of a hidden test, in any file that students get."""
    hidden = "\n".join(
        "\n".join(re.findall(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", cell.source, re.S))
        for cell in unit(name).notebook.cells
    )
    lines = {line.strip() for line in hidden.split("\n") if len(line.strip()) > 20 and not is_import(line.strip())}
    assert len(lines) > 10
    for path in (generated / name).rglob("*"):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            text = "\n".join(cell.source for cell in nbformat.reads(text, 4).cells)
        assert not [mark for mark in MARKS if mark in text], path.name
        assert not lines & {line.strip() for line in text.split("\n")}, path.name


@pytest.mark.parametrize("name", UNITS)
def test_cells_are_marked_for_nbgrader(name):
    """Every solution is cut out and tested; ids are unique; test cells are locked and worth points."""
    u = unit(name)
    ids = [c.metadata.nbgrader.grade_id for c in u.notebook.cells if "nbgrader" in c.metadata]
    assert len(ids) == len(set(ids))
    for task, answer in u.answers.items():
        assert answer.count("### BEGIN SOLUTION") == answer.count("### END SOLUTION") == 1, task
        assert any("BEGIN HIDDEN TESTS" in source for source in u.tests[task]), f"{task} has no hidden test"
        assert any(HIDDEN.sub("", source).strip() for source in u.tests[task]), f"{task} has no visible check"
    for cell in u.notebook.cells:
        if role(cell) == "test":
            meta = cell.metadata.nbgrader
            assert meta.locked and meta.points > 0
            last = cell.source.strip().split("\n")[-1]
            assert last == "### END HIDDEN TESTS", f"{meta.grade_id}: without a hidden test it can be faked"


@pytest.mark.parametrize("name", UNITS)
def test_run_all_survives_the_untouched_exercise(name, generated, monkeypatch, capsys):
    """Every cell of the exercise runs to its end, and each task says that it is not solved."""
    import matplotlib

    monkeypatch.delenv("NBGRADER_EXECUTION")
    matplotlib.use("agg")
    sys.modules.pop(f"{name}_checks", None)
    names = {"__name__": "__main__"}
    for cell in nbformat.read(generated / name / f"{name}.ipynb", 4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, f"<{cell.id}>", "exec"), names)
    printed = capsys.readouterr().out
    assert printed.count("not solved yet.") == len(unit(name).answers)
    assert ": passed" not in printed and "not right" not in printed


# --- the tests of a unit tell right from wrong -----------------------------------------------------------------------


@pytest.mark.parametrize("name", UNITS)
def test_there_are_enough_answers(name):
    u = unit(name)
    assert set(answers(name).RIGHT) == set(answers(name).WRONG) == set(u.answers)
    for task in u.answers:
        assert len(answers(name).RIGHT[task]) >= 2, f"{task}: at least two right answers written differently"
        assert len(answers(name).WRONG[task]) >= 4, f"{task}: at least four wrong answers"


@pytest.mark.parametrize("name", UNITS)
def test_the_solutions_pass(name):
    u = unit(name)
    results = u.run(u.answers, list(u.answers))
    assert results == {task: [None] * len(sources) for task, sources in u.tests.items()}


@pytest.mark.parametrize(("name", "task", "title"), cases("RIGHT"))
def test_right_answers_pass(name, task, title):
    errors = unit(name).failed(task, answers(name).RIGHT[task][title])
    assert not any(errors), errors


@pytest.mark.parametrize(("name", "task", "title"), cases("WRONG"))
def test_wrong_answers_fail_and_the_check_says_why(name, task, title):
    code, says = answers(name).WRONG[task][title]
    visible = [str(error) for error in unit(name).failed(task, code, hidden=False) if error]
    if says is None:
        assert not visible, f"the check does find it: note what it says. {visible}"
        assert any(unit(name).failed(task, code)), "no test finds this mistake"
    else:
        assert len(visible) == 1 and says in visible[0], visible


@pytest.mark.parametrize("name", UNITS)
def test_an_unsolved_task_fails_its_tests_only(name):
    """With one task unsolved its own tests fail, all of them, and those of the other tasks pass."""
    u = unit(name)
    for unsolved in u.answers:
        stub = re.sub(
            r"### BEGIN SOLUTION.*### END SOLUTION", "raise NotImplementedError()", u.answers[unsolved], flags=re.S
        )
        results = u.run({**u.answers, unsolved: stub}, list(u.answers))
        for task, errors in results.items():
            if task == unsolved:
                assert all(errors), f"{task} unsolved: {errors}"
            else:
                assert not any(errors), f"{unsolved} unsolved, {task}: {errors}"


@pytest.mark.parametrize("name", UNITS)
def test_one_mistake_costs_one_task(name):
    """A wrong answer to one task does not fail the tests of the others."""
    u = unit(name)
    for wrong, entries in answers(name).WRONG.items():
        code = next(code for code, says in entries.values() if says)
        results = u.run({**u.answers, wrong: code}, list(u.answers))
        for task, errors in results.items():
            assert any(errors) == (task == wrong), f"{wrong} wrong, {task}: {errors}"


@pytest.mark.parametrize("name", UNITS)
def test_faked_checks_earn_nothing(name):
    """The visible check replaced by one that always passes: the hidden part of its cell still fails."""
    u = unit(name)
    for task in u.answers:
        fake = (
            f"def {task}(*args, **options):\n    pass\nclass check:\n    {task} = staticmethod(lambda function: None)\n"
        )
        assert all(u.failed(task, fake)), task


# --- dclib.classroom.exercises, which all checks share ----------------------------------------------------------


def make_tasks(source):
    from dclib.classroom.exercises import Mistake, Tasks

    names = {}
    exec(compile(source, "<cell>", "exec"), names)
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(True), "<cell>")  # as IPython does for cells

    def examine(function):
        if function(1) != 2:
            raise Mistake("it is not 2.")

    return Tasks("double", "later"), names, examine


def test_checks_print_for_students(monkeypatch, capsys):
    monkeypatch.delenv("NBGRADER_EXECUTION")
    tasks, names, examine = make_tasks("""
def double(x):
    return x
def stub(x):
    raise NotImplementedError()
def crash(x):
    y = [1]
    return y[x]
""")
    for function, says in (
        ("double", "Task 1, double: not right yet.\nit is not 2."),
        ("stub", "Task 1, double: not solved yet."),
        ("crash", "It stopped with IndexError: list index out of range\n  in crash, line 8 of its cell: return y[x]"),
    ):
        names[function].__name__ = "double"
        tasks.check(names[function], examine)
        assert says in capsys.readouterr().out
        assert not tasks.passed("double")
        assert "waits for double" in capsys.readouterr().out
    names["double"] = lambda x: 2 * x
    names["double"].__name__ = "double"
    tasks.check(names["double"], examine)
    assert capsys.readouterr().out == "Task 1, double: passed.\n"
    assert tasks.passed("double") and not tasks.passed()


def test_checks_raise_while_grading():
    tasks, names, examine = make_tasks("def double(x):\n    return x")
    with pytest.raises(AssertionError, match="it is not 2"):
        tasks.check(names["double"], examine)


def test_an_endless_loop_ends(monkeypatch):
    from dclib.classroom import exercises

    monkeypatch.setattr(exercises, "TIME_LIMIT", 0.2)
    tasks, names, examine = make_tasks("""
def double(x):
    while True:
        try:
            x += 1
        except Exception:
            pass
""")
    with pytest.raises(AssertionError, match="a loop that does not end"):
        tasks.check(names["double"], examine)


def test_lent_functions_are_given_back():
    tasks, names, examine = make_tasks("def double(x):\n    return 0\ndef later(x):\n    return double(x)")
    own = names["double"]
    tasks.check(names["later"], examine, lend={"double": lambda x: 2 * x, "absent": len})
    assert names["double"] is own and "absent" not in names
    with pytest.raises(AssertionError, match="not 2"):
        tasks.check(names["later"], examine)
