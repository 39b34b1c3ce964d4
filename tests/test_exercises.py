"""The assignments: exercises/ is what solutions/ make, checks name mistakes, the judge tells right answers from wrong.

Every folder of solutions/ is a unit and is tested here. Its tasks are the solution cells of its notebook, each with the
test cell that follows; tests/mutants/<unit>.py holds right and wrong answers to them. Here the judge asks processes
without a notebook around them; tests/test_grading.py sends whole notebooks through nbgrader.
"""

import ast
import importlib.util
import linecache
import math
import os
import re
import sys
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from student_process import answering, end_processes

from dclib.classroom import exercises

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import judge  # noqa: E402
import kill_matrix  # noqa: E402
import make_exercises  # noqa: E402

UNITS = make_exercises.units()
SEED = int(os.environ.get("DCLIB_TEST_SEED", "1"))  # of the judge's questions; a check must stand any
MARKS = ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "MARK SCHEME")


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


class Source:
    """A unit's source notebook: its answers, and the judge's tests of them."""

    def __init__(self, name):
        self.path = ROOT / "solutions" / name / f"{name}.ipynb"
        self.notebook = nbformat.read(self.path, 4)
        self.judge = judge.Unit(self.path)
        self.answers = {c.metadata.nbgrader.grade_id: c.source for c in self.notebook.cells if role(c) == "solve"}
        self.tests = {c.metadata.nbgrader.grade_id: c.source for c in self.notebook.cells if role(c) == "test"}

    def verdicts(self, answers, tasks, seed=SEED):
        """What the judge says about these tasks, when a student's process has these answers."""
        verdicts, passed = {}, set(self.answers) - set(tasks)
        for task in tasks:
            connection = answering(*answers.values(), names=self.judge.imports)
            verdicts[task] = self.judge.judge(f"check_{task}", connection, seed, passed)
            if verdicts[task].passed:
                passed.add(task)
        end_processes()
        return verdicts

    def verdict(self, task, answer):
        """When the other tasks have the source's answers."""
        return self.verdicts({**self.answers, task: answer}, [task])[task]


def is_import(line):
    return line.startswith(("import ", "from "))


@cache
def unit(name):
    return Source(name)


@cache
def answers(name):
    path = ROOT / "tests" / "mutants" / f"{name}.py"
    assert path.exists(), f"{path.name} is missing: the unit {name} needs right and wrong answers to test its tests"
    return load_file(path)


@pytest.fixture(autouse=True)
def _grading(monkeypatch):
    """Checks raise, as when nbgrader runs them."""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")


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
    # A debugging task gives most lines of its solution away on purpose, in a cell that is nobody's.
    given = {line.strip() for c in unit(name).notebook.cells if not role(c) for line in c.source.split("\n")}
    lines = {line.strip() for line in hidden.split("\n")} - given
    lines = {line for line in lines if len(line) > 20 and not is_import(line)}
    assert len(lines) > 10
    for path in (generated / name).rglob("*"):
        if path.suffix == ".npz":  # pictures; test_leaderboard.py looks that no label is among them
            continue
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
    assert list(u.tests) == [f"check_{task}" for task in u.answers]
    for task, answer in u.answers.items():
        assert answer.count("### BEGIN SOLUTION") == answer.count("### END SOLUTION") == 1, task
        source = u.tests[f"check_{task}"]
        assert source.startswith(f"check.{task}({task})\n### BEGIN HIDDEN TESTS\n"), (
            "first the check that students have"
        )
        assert source.endswith("\n### END HIDDEN TESTS")
    for cell in u.notebook.cells:
        if role(cell) == "test":
            assert cell.metadata.nbgrader.locked and cell.metadata.nbgrader.points > 0
    points = sum(c.metadata.get("nbgrader", {}).get("points", 0) for c in u.notebook.cells)
    assert f"**Points:** {points:g}." in u.notebook.cells[0].source


@pytest.mark.parametrize("name", UNITS)
def test_hidden_tests_say_nothing_that_they_ask(name):
    """Their messages are plain texts: feedback may be given before the deadline. And they draw what they ask afresh."""
    for test, source in unit(name).tests.items():
        hidden = ast.parse(source.split("### BEGIN HIDDEN TESTS")[1])
        texts = {
            target.id
            for node in ast.walk(hidden)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        names = ("require", "require_number")
        calls = [n for n in ast.walk(hidden) if isinstance(n, ast.Call) and getattr(n.func, "id", "") in names]
        assert calls, f"{test} requires nothing"
        for call in calls:
            message = call.args[1]
            plain = isinstance(message, ast.Constant) or isinstance(message, ast.Name) and message.id in texts
            assert plain, f"{test}, line {call.lineno}: a message that is put together could quote what was asked"
        assert not [n for n in ast.walk(hidden) if isinstance(n, ast.Raise | ast.Assert)], f"{test}: use require"
        assert "fresh_generator()" in source and "manual_seed(0)" not in source


@pytest.mark.parametrize("name", UNITS)
def test_run_all_survives_the_untouched_exercise(name, generated, monkeypatch, capsys):
    """Every cell of the exercise runs to its end; each task says that it is not solved; later cells borrow dclib's."""
    import matplotlib

    monkeypatch.delenv("NBGRADER_EXECUTION")
    matplotlib.use("agg")
    n_tasks = len(unit(name).answers)  # to read a unit makes its checks known
    sys.modules.pop(f"{name}_checks", None)
    names = {"__name__": "__main__"}
    for cell in nbformat.read(generated / name / f"{name}.ipynb", 4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, f"<{cell.id}>", "exec"), names)
    printed = capsys.readouterr().out
    assert printed.count("not solved yet.") == n_tasks
    assert ": passed" not in printed and "not right" not in printed
    whose = "a simple version of" if name == "capstone" else "dclib's"
    assert f"This cell works with {whose} " in printed


# --- the judge tells right from wrong ---


@pytest.mark.parametrize("name", UNITS)
def test_there_are_enough_answers(name):
    u = unit(name)
    assert set(answers(name).RIGHT) == set(answers(name).WRONG) == set(u.answers)
    for task in u.answers:
        assert len(answers(name).RIGHT[task]) >= 2, f"{task}: at least two right answers written differently"
        assert len(answers(name).WRONG[task]) >= 5, f"{task}: at least five wrong answers"


@pytest.mark.parametrize("name", UNITS)
def test_the_solutions_pass(name):
    u = unit(name)
    verdicts = u.verdicts(u.answers, list(u.answers))
    assert all(verdict.passed for verdict in verdicts.values()), verdicts


@pytest.mark.parametrize(("name", "task", "title"), cases("RIGHT"))
def test_right_answers_pass(name, task, title):
    verdict = unit(name).verdict(task, answers(name).RIGHT[task][title])
    assert verdict.passed, verdict


@pytest.mark.parametrize(("name", "task", "title"), cases("WRONG"))
def test_wrong_answers_fail_and_are_told_why(name, task, title):
    code, says = answers(name).WRONG[task][title]
    verdict = unit(name).verdict(task, code)
    assert not verdict.passed
    assert says in verdict.feedback, verdict


@pytest.mark.parametrize("name", UNITS)
def test_an_unsolved_task_costs_that_task_only(name):
    u = unit(name)
    for unsolved in u.answers:
        stub = re.sub(
            r"### BEGIN SOLUTION.*### END SOLUTION", "raise NotImplementedError()", u.answers[unsolved], flags=re.S
        )
        verdicts = u.verdicts({**u.answers, unsolved: stub}, list(u.answers))
        assert {task for task, verdict in verdicts.items() if not verdict.passed} == {unsolved}
        assert "not solved yet" in verdicts[unsolved].feedback


@pytest.mark.parametrize("name", UNITS)
def test_one_mistake_costs_one_task(name):
    u = unit(name)
    for wrong, entries in answers(name).WRONG.items():
        code, _ = next(iter(entries.values()))
        verdicts = u.verdicts({**u.answers, wrong: code}, list(u.answers))
        assert {task for task, verdict in verdicts.items() if not verdict.passed} == {wrong}


@pytest.mark.parametrize(
    ("name", "task", "calls"),
    [("autoencoders", "mended_train", "training_step"), ("autoencoded_kmeans", "mended_joint", "joint_step")],
)
def test_a_mended_loop_may_call_the_task_of_one_step(name, task, calls):
    """A hint compares the two. So it gets a working version if the student's own is wrong."""
    u = unit(name)
    code, _ = next(iter(answers(name).WRONG[calls].values()))
    mine = {**u.answers, calls: code, task: answers(name).RIGHT[task]["task 3 in a loop"]}
    verdicts = u.verdicts(mine, [calls, task])
    assert not verdicts[calls].passed and verdicts[task].passed, verdicts


def test_the_feedback_names_the_tasks_that_were_lent_and_no_others():
    u, wrong = unit("kmeans"), answers("kmeans").WRONG
    lloyd, update = (next(iter(wrong[task].values()))[0] for task in ("lloyd", "update"))
    assert "working version" not in u.verdict("lloyd", lloyd).feedback
    verdicts = u.verdicts({**u.answers, "update": update, "lloyd": lloyd}, ["update", "lloyd"])
    assert "(Checked with a working version of update: your own" in verdicts["lloyd"].feedback


PARTLY = """
def _partly(function):
    def call(*arguments, **options):
        answer = function(*arguments, **options)
        return (*answer[:-1], None) if isinstance(answer, tuple) else answer
    return call
{task} = _partly({task})
"""


@pytest.mark.parametrize("name", UNITS)
def test_a_part_that_is_none_is_no_missing_return(name):
    u = unit(name)
    told = []
    for task, answer in u.answers.items():
        if re.search(r"return [^#\n]*, ", answer) and f"def {task}(" in answer:
            verdict = u.verdict(task, answer + PARTLY.format(task=task))
            told += [] if verdict.passed else [(task, verdict.feedback)]
    assert told, "no task returns several things"
    for task, feedback in told:
        assert "returned None" not in feedback and "None" in feedback, f"{task}: {feedback}"


NUMPY = """
def _in_numpy(function):
    import numpy
    def same(value):
        if isinstance(value, list | tuple):
            return type(value)(map(same, value))
        return numpy.float64(value) if type(value) is float else value
    return lambda *arguments, **options: same(function(*arguments, **options))
{task} = _in_numpy({task})
"""


@pytest.mark.parametrize("name", UNITS)
def test_floats_of_numpy_are_as_good(name):
    """As they are for the check in the notebook: np.float64 is a float."""
    u = unit(name)
    wrapped = {
        task: answer + NUMPY.format(task=task)
        for task, answer in u.answers.items()
        if re.search(r"(one|two|three|four) numbers?\b|: number|floats?\b|history", answer)
    }
    verdicts = u.verdicts({**u.answers, **wrapped}, list(wrapped))
    assert verdicts and all(verdict.passed for verdict in verdicts.values()), verdicts


def test_wrong_votes_are_told_apart():
    check = load_file(ROOT / "solutions" / "judging" / "judging_checks.py")
    texts = {}
    for value, text in [(4 / 14, "right"), *check._VOTE_HINTS]:
        texts.setdefault(round(value, 9), set()).add(text)
    assert len(texts) == 1 + len(check._VOTE_HINTS) and all(len(same) == 1 for same in texts.values())


@pytest.mark.parametrize("name", UNITS)
def test_faked_checks_earn_nothing(name):
    """The check replaced in the student's notebook by one that always passes."""
    u = unit(name)
    for task in u.answers:
        fake = f"def {task}(*args, **options):\n    pass\nclass check:\n    {task} = staticmethod(lambda f: None)\n"
        assert not u.verdict(task, fake).passed, task


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


def test_a_function_may_not_write_into_its_arguments():
    for given in (torch.ones(3), np.ones(3)):
        tasks, names, _ = make_tasks("def double(x):\n    x *= 2\n    return x")
        with pytest.raises(AssertionError, match="Your function changed its argument `x`: work on a copy"):
            tasks.check(names["double"], lambda function, given=given: function(given))


def test_an_endless_loop_ends(monkeypatch):
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


def test_later_cells_work_with_what_has_passed_and_with_versions_of_the_rest(monkeypatch, capsys):
    monkeypatch.delenv("NBGRADER_EXECUTION")
    tasks, names, examine = make_tasks(
        "def double(x):\n    raise NotImplementedError()\ndef later(x):\n    return double(x)"
    )
    versions = {"double": lambda x: 2 * x, "later": lambda x: -1}
    tasks.check(names["double"], examine)
    tasks.check(names["later"], examine, lend=versions)
    capsys.readouterr()
    use = tasks.working(versions)
    assert capsys.readouterr().out == "This cell works with dclib's double: your own has not passed its check yet.\n"
    assert use.double(3) == use.later(3) == 6
    assert tasks.working({"later": len}).later.__wrapped__ is names["later"] and capsys.readouterr().out == ""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert tasks.working(versions) is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "returned None"),
        ([1.0], "The loss must be a number; yours is a list"),
        ("1", "yours is a str"),
        (1j, "yours is a complex"),
        (torch.tensor([1j]), "yours is a complex"),
        (torch.ones(2, 3), r"The loss is a single number; yours has shape \(2, 3\)"),
        (np.ones(0), r"yours has shape \(0,\)"),
    ],
)
def test_what_is_no_single_number_is_named(value, says):
    with pytest.raises(exercises.Mistake, match=says):
        exercises.single_number(value, "the loss")


def test_a_number_may_stand_in_a_tensor_or_an_array():
    for value in (2, 2.0, torch.tensor(2), torch.tensor([[2.0]], requires_grad=True), np.array([2]), np.float32(2)):
        number = exercises.single_number(value, "the loss")
        assert number == 2 and type(number) is float
    assert math.isnan(exercises.single_number(torch.tensor(torch.nan), "the loss"))


def test_a_number_that_a_hidden_test_asks_for_is_not_quoted():
    assert exercises.require_number(np.float32(0.5), "It is no number.") == 0.5
    for value in (None, "SECRET", torch.ones(2), type("SECRET", (), {})()):
        with pytest.raises(exercises.Mistake) as raised:
            exercises.require_number(value, "It is no number.")
        assert str(raised.value) == "It is no number."


def test_parts_are_a_tuple_of_as_many_as_were_asked_for():
    assert exercises.parts_of((1, 2), 2, "two things, `a, b`") == (1, 2)
    in_order, a_list = "in this order", "with commas and without brackets: yours is a list"
    three, tensor = f"{in_order}: yours are 3\\.", f"{in_order}: yours is one Tensor\\."
    for answer, says in (((1, 2, 3), three), (torch.ones(2), tensor), ([1, 2, 3], three), ([1, 2], a_list)):
        with pytest.raises(exercises.Mistake, match=f"Return two things, `a, b`, {says}"):
            exercises.parts_of(answer, 2, "two things, `a, b`")
    with pytest.raises(exercises.Mistake, match="returned None"):
        exercises.parts_of(None, 2, "two things")


@pytest.mark.parametrize(
    ("answer", "what", "says"),
    [
        ((1, None), "two things, `a, b`", "You return None for `b`: where"),
        ((None, None), "two things, `a, b`", "You return None for `a`: where"),
        (((1, None), 2), "two things, `a, b`", "You return None inside `a`: where"),
        ((1, [0.5, None]), "two things, `a, b`", "You return None inside `b`: where"),
        ((1, None), "two things, the loss and its slopes", "None for the second of two things, the loss and its"),
        ((None, 1), "two things, the codes of x and those of `new`", "None for the first of two things, the codes"),
    ],
)
def test_a_part_that_is_none_is_named(answer, what, says):
    with pytest.raises(exercises.Mistake, match=says):
        exercises.parts_of(answer, 2, what)


def test_a_wrong_number_gets_the_hint_of_the_first_value_that_it_is():
    hints = [(4.0, "twice"), (torch.tensor(4.0), "squared"), (1.0, "half")]
    exercises.compare_number(2.00001, 2.0, hints, "other")
    for value, says in ((4.00001, "twice"), (1.0, "half"), (3.0, "other"), (2.01, "other"), (math.nan, "other")):
        with pytest.raises(exercises.Mistake, match=says):
            exercises.compare_number(value, 2.0, hints, "other")
    exercises.name_mistake(torch.ones(2), [(torch.zeros(2), "zero"), (torch.ones(3), "longer")])
    with pytest.raises(exercises.Mistake, match="zero"):
        exercises.name_mistake(torch.zeros(2), [(torch.ones(2), "one"), (torch.zeros(2), "zero")])


def test_two_numbers_in_a_message_differ():
    assert exercises.told_apart(0.5, 0.25) == ("0.500", "0.250")
    assert exercises.told_apart(0.19712, 0.19714) == ("0.19712", "0.19714")
    assert exercises.told_apart(1.0, 1.0) == ("1.000000000000000",) * 2


def test_numbers_in_a_message_are_one_row():
    assert exercises.rounded(torch.tensor([[0.12345], [2.0]])) == exercises.rounded([0.12345, 2]) == [0.123, 2.0]


def test_a_row_of_the_kill_matrix_replaces_that_of_its_task_only():
    page = "before\n\n<!-- kill matrix: other -->\n| `b` | 9 |\n<!-- end of other -->\n"
    tasks = ["a", "b", "c"]
    for task, points in (("c", 3), ("a", 1), ("c", 4)):
        new = kill_matrix.row(task, points, [("fine", True, True), ("bad", False, False), ("worse", False, True)])
        page = kill_matrix.with_row(page, "unit", tasks, task, new)
    assert page.startswith("before\n\n<!-- kill matrix: other -->\n| `b` | 9 |\n<!-- end of other -->\n")
    assert page.count("kill matrix: unit") == page.count("end of unit") == 1
    assert [line for line in page.splitlines() if "bad" in line] == [
        "| `a` | 1 | 1 of 1 | 1 of 2 | bad · worse |",
        "| `c` | 4 | 1 of 1 | 1 of 2 | bad · worse |",
    ]
