"""The line between the student's process and the judge: what crosses it, and what an attack on it gains: nothing.

The names of the tests say what each attack tries. Here the student's process is a fork without a sandbox; what only the
sandbox stops is tried in test_grading.py.
"""

import json
import os
import pickle
import resource
import struct
import time

import nbformat
import numpy as np
import pytest
import torch
from student_process import answering, end_processes, process

from judge import Limits, Unit  # isort: skip  (student_process makes tools/ known)
from line import HEAD, MAX_DATA, MAX_TEXT, Foreign, Line, LineError, encode, pack  # isort: skip

LIMITS = Limits(call=0.4, test=4.0)
RIGHT = "def double(x):\n    return 2 * x"
CELLS = {
    "check_double": """
from dclib.classroom.exercises import close, fresh_generator, require
x = torch.randn(5, generator=fresh_generator())
answer = double(x)
require(isinstance(answer, torch.Tensor) and close(answer, 2 * x), "It is not twice x.")
require(close(double(x), 2 * x), "The second time it is not twice x.")
""",
    "check_quadruple": """
from dclib.classroom.exercises import close, fresh_generator, replaced, require
x = torch.randn(5, generator=fresh_generator())
with replaced(quadruple, {"double": lambda x: 2 * x}):
    require(close(quadruple(x), 4 * x), "It is not four times x.")
""",
    "check_number": """
from dclib.classroom.exercises import require
require(number == 7 and type(number) is int, "The number is not seven.")
""",
}
SOLUTIONS = [RIGHT, "def quadruple(x):\n    return double(double(x))", "number = 7"]


@pytest.fixture(scope="module")
def unit(tmp_path_factory):
    """A unit of three tasks: double(x), quadruple(x), which calls it, and a variable `number`."""
    folder = tmp_path_factory.mktemp("probe")
    cells = [nbformat.v4.new_code_cell("import torch")]
    for solution, (name, test) in zip(SOLUTIONS, CELLS.items()):
        meta = {"schema_version": 3, "locked": False, "task": False}
        cells += [
            nbformat.v4.new_code_cell(
                solution, metadata={"nbgrader": {**meta, "grade_id": name[6:], "grade": False, "solution": True}}
            ),
            nbformat.v4.new_code_cell(
                test, metadata={"nbgrader": {**meta, "grade_id": name, "grade": True, "solution": False, "points": 1}}
            ),
        ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "probe.ipynb")
    return Unit(folder / "probe.ipynb")


@pytest.fixture(autouse=True)
def _no_process_stays():
    yield
    end_processes()


def judge(unit, *sources, test="check_double", **options):
    return unit.judge(test, answering(*sources), 0, limits=LIMITS, **options)


# --- what crosses ---


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 3, -(2**62), 0.1, "text", [], [1, [2.5, "a"]], (1, (2,)), {"a": [1], "b": None}),
        *(np.arange(6).reshape(2, 3), np.zeros((0, 4), np.float32), np.array(True), np.array([1, 2], np.uint8)),
        *(np.float64(0.1), np.float32(0.1), np.int64(-3), np.uint8(7), np.True_, [np.float64(2.5), (np.int32(1),)]),
        *(torch.rand(3, 2), torch.arange(4), torch.tensor(2.5), torch.rand(4, 3).T, torch.zeros(0, 2)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_plain_data_cross_unchanged(value):
    def echo(connection):
        line = Line(connection)
        text, decoder = line.receive()
        text, data = encode(decoder.decode(text["value"]))
        line.send({"value": text}, data)

    line = Line(process(echo))
    text, data = encode(value)
    line.send({"value": text}, data, time.monotonic() + 10)
    reply, decoder = line.receive(time.monotonic() + 10)
    back = decoder.decode(reply["value"])
    assert type(back) is type(value)
    if isinstance(value, torch.Tensor):
        assert back.dtype == value.dtype and torch.equal(back, value)
    elif isinstance(value, np.ndarray):
        assert back.dtype == value.dtype and np.array_equal(back, value)
    else:
        assert back == value and repr(back) == repr(value)  # in a list, too, np.float64 stays one


class Always(list):
    def __eq__(self, other):
        return True


@pytest.mark.parametrize(
    "value",
    [
        *(Always(), object(), print, lambda: 1, Exception("x"), 2**70, 1j, {1: 2}, {1, 2}, b"bytes", iter([])),
        *(np.array(["a", None], object), np.array([1j]), torch.nn.Linear(1, 1), type("str", (str,), {})("a")),
    ],
    ids=lambda v: type(v).__name__,
)
def test_of_anything_else_only_the_name_of_its_type_crosses(value):
    text, data = encode([value])
    assert list(text["list"][0]) == ["foreign"] and not data


def test_a_right_answer_passes_and_a_wrong_one_gets_its_message(unit):
    assert judge(unit, RIGHT).passed
    verdict = judge(unit, "def double(x):\n    return 3 * x")
    assert not verdict.passed and verdict.feedback == "It is not twice x."


def test_the_same_seed_asks_the_same_questions_and_another_seed_others(unit):
    code = "def double(x):\n    print(x.tolist())"
    texts = [unit.judge("check_double", answering(code), seed, limits=LIMITS).details for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_a_function_that_is_lent_works_in_the_students_process_until_its_own_has_passed(unit):
    own = "def double(x):\n    return 5 * x"
    assert judge(unit, own, SOLUTIONS[1], test="check_quadruple").passed
    assert not judge(unit, own, SOLUTIONS[1], test="check_quadruple", passed={"double"}).passed
    assert judge(unit, RIGHT, SOLUTIONS[1], test="check_quadruple", passed={"double"}).passed


def test_a_variable_crosses(unit):
    assert judge(unit, "number = 7", test="check_number").passed
    for code in ("number = 8", "number = 7.0", "number = None", "pass"):
        assert not judge(unit, code, test="check_number").passed, code


def test_a_missing_function_and_a_missing_process_fail(unit):
    assert "does not define" in judge(unit, "pass").feedback
    assert "was not there" in unit.judge("check_double", None, 0).feedback


def test_a_changed_argument_is_named_and_the_judges_own_stays(unit):
    verdict = judge(unit, "def double(x):\n    return x.mul_(2)")
    assert "changed its argument `x`" in verdict.feedback
    # The expected value is computed after the call: from the judge's x, not from what the function made of its copy.
    verdict = judge(unit, "def double(x):\n    x.zero_()\n    return x.clone()")
    assert not verdict.passed


# --- what the student reads ---


@pytest.mark.parametrize(
    "code",
    [
        "def double(x):\n    print('SECRET', x.tolist())\n    raise ValueError(f'SECRET {x.tolist()}')",
        "def double(x):\n    raise type('SECRET' + str(x.tolist()), (Exception,), {})",
        "def double(x):\n    raise AssertionError(f'SECRET {x.tolist()}')",
        "def double(x):\n    raise NotImplementedError(f'SECRET {x.tolist()}')",
        "def double(x):\n    return type('SECRET' + str(x.tolist()), (), {})()",
        "def double(x):\n    return f'SECRET {x.tolist()}'",
    ],
    ids=["text of an error", "name of an error", "assertion", "stub", "name of a type", "result"],
)
def test_feedback_does_not_quote_a_hidden_input(unit, code):
    verdict = judge(unit, code)
    assert not verdict.passed and verdict.feedback
    assert "SECRET" not in verdict.feedback
    json.dumps(verdict.feedback).encode()


def test_the_teacher_reads_what_was_printed_and_raised(unit):
    verdict = judge(unit, "def double(x):\n    print('so far')\n    return [1][3]")
    assert "stopped with IndexError" in verdict.feedback
    for text in ("so far", "list index out of range", "in double, line 3 of its cell: return [1][3]"):
        assert text in verdict.details


def test_text_that_no_file_can_hold_is_made_plain(unit):
    verdict = judge(unit, "def double(x):\n    raise ValueError('\\ud800 \\x1b[31m \\x00' + 10**6 * 'a')")
    assert len(verdict.details) < 1000 and "\x1b" not in verdict.details and "\x00" not in verdict.details
    verdict.details.encode()


# --- attacks by a function ---

EQUAL = """
class Equal(torch.Tensor):
    def __eq__(self, other): return torch.ones(5, dtype=torch.bool)
    def double(self): return self
    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        return True
def double(x):
    return torch.zeros(5).as_subclass(Equal)
"""
DEAF = """
def double(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""
BY_A_FUNCTION = {
    "a huge answer": "def double(x):\n    return torch.zeros(2**25)",
    "an answer of too many values": "def double(x):\n    return [0] * 10**6",
    "an answer nested without end": "def double(x):\n    a = []\n    a.append(a)\n    return a",
    "an endless loop": "def double(x):\n    while True:\n        pass",
    "an endless loop that catches everything": DEAF,
    "it sleeps": "import time\ndef double(x):\n    time.sleep(1000)",
    "NaN": "def double(x):\n    return x * float('nan')",
    "infinity": "def double(x):\n    return x + float('inf')",
    "a tensor that equals everything": EQUAL,
    "an object that equals everything": "class A:\n    __eq__ = lambda *a: True\ndef double(x):\n    return A()",
    "the function itself": "def double(x):\n    return double",
    "None": "def double(x):\n    pass",
    "another shape that broadcasts": "def double(x):\n    return (2 * x)[None].repeat(3, 1)",
    "right once, then wrong for the same input": """
calls = []
def double(x):
    calls.append(x)
    return 2 * x / len(calls)""",
    "a clock in the answer": "import time\ndef double(x):\n    return 2 * x + time.time() % 7 + 1",
    "patched comparisons": """
torch.allclose = torch.equal = torch.Tensor.__eq__ = lambda *a, **o: True
def double(x):
    return x""",
    "a patched check": """
import dclib.classroom.exercises as e
e.require = e.close = lambda *a: True
def double(x):
    return x""",
    "an error of the checks themselves": """
from dclib.classroom.exercises import CheckFailed
def double(x):
    raise CheckFailed("passed")""",
    "SystemExit": "def double(x):\n    raise SystemExit(0)",
    "KeyboardInterrupt": "def double(x):\n    raise KeyboardInterrupt",
    "os._exit": "import os\ndef double(x):\n    os._exit(0)",
    "the process kills itself": "import os\ndef double(x):\n    os.kill(os.getpid(), 9)",
    "a thread that goes on": """
import threading, time
def double(x):
    threading.Thread(target=time.sleep, args=(99,)).start()""",
    "a child that goes on": """
import os, time
def double(x):
    if os.fork() == 0:
        time.sleep(6)
        os._exit(0)""",
    "closed descriptors": "import os\ndef double(x):\n    os.closerange(0, 100)\n    return 2 * x",
    "its own answer to the judge, from inside the call": """
import gc, json
from line import Line, encode
def double(x):
    for line in [o for o in gc.get_objects() if isinstance(o, Line)]:
        line.send({"id": 0, "value": {"list": [None]}, "printed": "", "changed": []}, [])
    return x""",
}


@pytest.mark.parametrize("code", BY_A_FUNCTION.values(), ids=BY_A_FUNCTION)
def test_a_function_gains_nothing_by(unit, code):
    begin = time.monotonic()
    verdict = judge(unit, code)
    assert not verdict.passed and verdict.feedback
    assert time.monotonic() - begin < 30  # on a busy machine; by itself at most LIMITS.test and a little


# --- attacks on the line ---


def frame(text, data=b"", head=None):
    body = text if isinstance(text, bytes) else json.dumps(text).encode()
    return (head or HEAD.pack(len(body), len(data))) + body + data


def request_of(connection):
    connection.setblocking(False)
    return Line(connection).receive()[0]


def nested(levels):
    return {"list": [nested(levels - 1)]} if levels else 1


def answer(request, value=None, **more):
    return {"id": request["id"], "value": {"list": [value]}, "printed": "", "changed": [], **more}


def reply(make):
    """An attack that reads the question and sends what `make` makes of it."""

    def run(connection):
        request = request_of(connection)
        connection.setblocking(True)
        connection.sendall(make(request))
        time.sleep(20)

    return run


def before_the_question(connection):
    connection.sendall(frame({"id": 1, "value": {"list": [1]}, "printed": "", "changed": []}))
    time.sleep(20)


def twice(connection):
    request, decoder = Line(connection).receive()
    (value,) = (2 * a for (a,) in decoder.decode(request["args"]))
    text, data = encode([value])
    connection.setblocking(True)
    connection.sendall(2 * pack({"id": request["id"], "value": text, "printed": "", "changed": []}, data))
    time.sleep(20)


def drop_by_drop(connection):
    request_of(connection)
    connection.setblocking(True)
    while True:
        connection.sendall(b"\0")
        time.sleep(0.05)


def without_end(connection):
    request_of(connection)
    connection.setblocking(True)
    while True:
        connection.sendall(b"\1" * 65536)


def asks_without_end(connection):
    request = request_of(connection)
    connection.setblocking(True)
    while True:
        connection.sendall(frame({"id": request["id"], "ask": "double", "args": {"list": []}, "options": {"dict": {}}}))
        connection.recv(2**16)


def hangs_up(connection):
    request = request_of(connection)
    connection.setblocking(True)
    connection.sendall(frame(answer(request, 1))[:-5])


class Payload:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def array(dtype, shape, data=b""):
    return lambda request: frame(answer(request, {"tensor": [dtype, shape]}), data)


LENT = {"ask": "double", "args": {"list": []}, "options": {"dict": {}}}
ON_THE_LINE = {
    "an answer before the question": before_the_question,
    "two answers": twice,
    "an answer drop by drop": drop_by_drop,
    "bytes without end": without_end,
    "half an answer": hangs_up,
    "questions back without end": asks_without_end,
    "the number of another question": reply(lambda r: frame({**answer(r, 1), "id": r["id"] + 1})),
    "no number": reply(lambda r: frame({"value": None})),
    "a frame that claims 4 GiB": reply(lambda r: HEAD.pack(2**32 - 1, 2**32 - 1)),
    "a frame one byte too large": reply(lambda r: HEAD.pack(2, MAX_DATA + 1) + b"{}"),
    "a text one byte too large": reply(lambda r: HEAD.pack(MAX_TEXT + 1, 0)),
    "a pickle that makes a folder": reply(lambda r: frame(pickle.dumps(Payload()))),
    "code as a value": reply(lambda r: frame(answer(r, "__import__('os').mkdir('ran')"))),
    "code as an object": reply(lambda r: frame(answer(r, {"py/reduce": ["os.mkdir", "ran"]}))),
    "code as the name of an error": reply(
        lambda r: frame({**answer(r), "error": {"type": "exec('1/0')", "message": "", "where": ""}})
    ),
    "an error that ends processes": reply(
        lambda r: frame({**answer(r), "error": {"type": "SystemExit", "message": "", "where": ""}})
    ),
    "an error that no text can make": reply(
        lambda r: frame({**answer(r), "error": {"type": "UnicodeDecodeError", "message": "a", "where": ""}})
    ),
    "an error without its parts": reply(lambda r: frame({**answer(r), "error": ["ValueError"]})),
    "not JSON": reply(lambda r: frame(b"{'a': 1}")),
    "not UTF-8": reply(lambda r: frame(b"\xff\xfe{}")),
    "a list for a frame": reply(lambda r: frame([1, 2])),
    "brackets in brackets": reply(lambda r: frame(b'{"id":' + 10**5 * b"[" + 10**5 * b"]" + b"}")),
    "a number of a million digits": reply(lambda r: frame(b'{"id":' + 10**6 * b"9" + b"}")),
    "too many values": reply(lambda r: frame(answer(r, {"list": 200_000 * [1]}))),
    "lists in lists": reply(lambda r: frame(answer(r, nested(50)))),
    "an array without its bytes": reply(array("float32", [5])),
    "an array of 2^62 rows": reply(array("float32", [2**62, 4])),
    "an array of 2^62 empty rows": reply(array("float32", [2**62, 0])),
    "an array of negative size": reply(array("float32", [-5, -4], bytes(80))),
    "an array of objects": reply(array("O", [1], bytes(8))),
    "an array of text": reply(array("U5", [1], bytes(20))),
    "a shape that is not numbers": reply(array("float32", ["5"], bytes(20))),
    "sixty-five dimensions": reply(array("float32", [1] * 65, bytes(4))),
    "five numbers as one": reply(lambda r: frame(answer(r, {"scalar": ["float32", [5]]}), bytes(20))),
    "one number of objects": reply(lambda r: frame(answer(r, {"scalar": ["O", []]}), bytes(8))),
    "truth values of seven": reply(array("bool", [5], 5 * b"\7")),
    "a random generator": reply(lambda r: frame(answer(r, {"generator": 1}))),
    "a changed argument that is none": reply(lambda r: frame({**answer(r, 1), "changed": [-1, 10**18, "x"]})),
    "printed without end": reply(lambda r: frame({**answer(r, 1), "printed": 10**6 * "a"})),
    "results for calls that were not made": reply(lambda r: frame({**answer(r), "value": {"list": [1, 2, 3]}})),
    "no list of results": reply(lambda r: frame({**answer(r), "value": 5})),
    "a function that is not lent": reply(lambda r: frame({"id": r["id"], **LENT, "ask": "exec"})),
    "large arguments for a lent function": reply(
        lambda r: frame({"id": r["id"], **LENT, "args": {"list": [{"tensor": ["uint8", [10**6]]}]}}, bytes(10**6))
    ),
    "arguments that are none for a lent function": reply(lambda r: frame({"id": r["id"], **LENT, "options": None})),
}


@pytest.mark.parametrize("attack", ON_THE_LINE.values(), ids=ON_THE_LINE)
def test_the_line_is_not_forced_by(unit, attack, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    for test in ("check_double", "check_quadruple"):
        connection = process(attack)
        verdict = unit.judge(test, connection, 0, limits=LIMITS)
        assert not verdict.passed and verdict.feedback
        verdict.details.encode()
    assert time.monotonic() - begin < 30
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 400 * 1024  # kB
    assert not list(tmp_path.iterdir())


def test_what_breaks_the_rules_is_noted_and_an_honest_mistake_is_not(unit):
    for attack in (
        before_the_question,
        twice,
        ON_THE_LINE["five numbers as one"],
        ON_THE_LINE["not JSON"],
        ON_THE_LINE["a function that is not lent"],
    ):
        assert unit.judge("check_double", process(attack), 0, limits=LIMITS).suspicious
    for code in ("def double(x):\n    return 3 * x", BY_A_FUNCTION["os._exit"], BY_A_FUNCTION["a huge answer"]):
        assert not judge(unit, code).suspicious


def test_a_test_cannot_pass_over_an_answer_that_never_came(unit):
    """Not even one that catches all errors."""
    unit.tests["careless"] = compile("try:\n    double(1)\nexcept Exception:\n    pass", "<careless>", "exec")
    assert judge(unit, RIGHT, test="careless").passed
    assert not judge(unit, BY_A_FUNCTION["os._exit"], test="careless").passed


GRADIENT = """
from dclib.classroom.exercises import close, require, with_gradients
x = torch.arange(5.0)
answer, (slope, none) = with_gradients(double, (x, torch.ones(5)), [0, 1])
require(close(answer, 2 * x), "It is not twice x.")
require(none is None and slope is not None and close(slope, torch.full((5,), 2.0)), "The gradient is not two.")
"""


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("2 * x", ""),
        ("3 * x", "It is not twice x."),
        ("2 * x.detach()", "The gradient is not two."),
        ("x.detach() + x", "The gradient is not two."),
        ("(2 * x).tolist()", "not of the kind"),
        ("2 * torch.from_numpy(x.numpy())", "RuntimeError"),
        ("x.mul_(2)", "RuntimeError"),
    ],
)
def test_gradients_are_computed_where_the_function_is(unit, body, says):
    unit.tests["gradient"] = compile(GRADIENT, "<gradient>", "exec")
    verdict = judge(unit, f"def double(x, other):\n    return {body}", test="gradient")
    assert verdict.passed == (not says) and says in verdict.feedback and not verdict.suspicious


@pytest.mark.parametrize(
    "value",
    [
        *(None, 5, {"tuple": [None, {"list": []}]}, {"tuple": [None, {"list": [None, 5]}]}),
        {"tuple": [None, {"list": [{"tensor": ["float32", [4]]}, None]}]},
    ],
)
def test_gradients_that_are_none_break_the_rules(unit, value):
    unit.tests["gradient"] = compile(GRADIENT, "<gradient>", "exec")
    attack = reply(lambda request: frame(answer(request, value), bytes(16)))
    verdict = unit.judge("gradient", process(attack), 0, limits=LIMITS)
    assert not verdict.passed and verdict.suspicious


def test_foreign_values_are_described_not_built(unit):
    def run(connection):
        request = request_of(connection)
        connection.setblocking(True)
        connection.sendall(frame(answer(request, {"foreign": "Thing"})))

    verdict = unit.judge("check_double", process(run), 0, limits=LIMITS)
    assert verdict.feedback == "It is not twice x."
    assert Foreign("Thing").kind == "Thing"


def test_frames_too_large_to_read_are_not_sent():
    with pytest.raises(LineError, match="too large"):
        pack({}, [bytes(MAX_DATA + 1)])
    assert struct.calcsize(">II") == HEAD.size
