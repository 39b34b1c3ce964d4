"""What the checks of all assignments share: to run a student's function, say what is wrong, and go on.

In the student's notebook a check prints and never stops *Run All*, also where a task is unsolved. While nbgrader grades
or validates (it sets NBGRADER_EXECUTION) the same check raises instead, so that the test cell fails. When it grades,
the check runs in the teacher's process, and the function that it is given asks the student's process for answers.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import re
import secrets
import signal
import threading
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

NOTHING = "Your function returned None: is the `return` missing?"
ORDINALS = ("first", "second", "third", "fourth", "fifth")
TOO_LONG = "is there a loop that does not end, or one that tries too many cases?"
TIME_LIMIT = 20.0  # seconds of processor time for one check; those of the course take well below one


class Mistake(Exception):
    """What is wrong with an answer, in the student's terms."""


class CheckFailed(AssertionError):
    """A check that failed while nbgrader runs it; its text is for the student."""


class TimeIsUp(BaseException):
    """Not an Exception, so that a student's `except Exception` inside an endless loop does not swallow it."""


def is_grading() -> bool:
    """True while nbgrader runs the notebook."""
    return bool(os.environ.get("NBGRADER_EXECUTION"))


class Tasks:
    """The tasks of one unit and which of them have passed their check.

    Parameters
    ----------
    names : the function that each task asks for, in order: task 1 is the first.
    """

    def __init__(self, *names: str):
        self.names = names
        self._passed: dict[str, Callable] = {}

    def check(self, function: Callable, examine: Callable[[Callable], None], lend: dict[str, Callable] | None = None):
        """Run `examine(function)`; print that the task passed, or what is wrong. Raises CheckFailed while grading.

        `lend` holds working versions of earlier tasks' functions. Those that have not passed their own check are
        replaced by the lent ones while this check runs, so that one mistake is reported once.
        A function that writes into its arguments is told so.
        """
        name = function.__name__
        if name not in self.names:
            raise ValueError(f"{name} is not one of {self.names}: give the function that the task asks for.")
        title = f"Task {self.names.index(name) + 1}, {name}"
        passed: Collection[str] = getattr(function, "passed", ()) if is_grading() else self._passed
        lent = {other: version for other, version in (lend or {}).items() if other not in passed}
        self._passed.pop(name, None)
        try:
            with replaced(function, lent), one_thread(), time_limit(TIME_LIMIT):
                examine(function if hasattr(function, "lending") else _Watched(function))
        except Mistake as mistake:
            problem = f"not right yet.\n{mistake}"
        except TimeIsUp:
            problem = f"not right yet.\nIt did not finish in time: {TOO_LONG}"
        except Exception as error:
            problem = "not solved yet." if _is_stub(error) else f"not right yet.\n{_explain(error, function)}"
        else:
            problem = ""
            self._passed[name] = function
        message = f"{title}: {problem or 'passed.'}"
        if lent and problem != "not solved yet.":
            version = "a working version" if len(lent) == 1 else "working versions"
            message += f"\n(Checked with {version} of {_listed(lent)}: your own has not passed its check.)"
        if not is_grading():
            print(message)
        elif problem:
            raise CheckFailed(message)

    def passed(self, *names: str) -> bool:
        """True if these tasks (without arguments: all) have passed; else print which ones the cell waits for.

        Also False while grading: what follows is for the student to look at.
        """
        if is_grading():
            return False
        waiting = [name for name in names or self.names if name not in self._passed]
        if waiting:
            print(f"This cell waits for {_listed(waiting)}. When the check says passed, run this cell again.")
        return not waiting

    def working(self, versions: dict[str, Callable], whose: str = "dclib's") -> SimpleNamespace | None:
        """The functions of these tasks, for a cell that shows them at work; None while grading.

        They are the notebook's own if they have passed their check, else the given versions, and a line says so.
        """
        if is_grading():
            return None
        lent = {name: version for name, version in versions.items() if name not in self._passed}
        if lent:
            print(f"This cell works with {whose} {_listed(lent)}: your own has not passed its check yet.")

        def own(function: Callable) -> Callable:
            @wraps(function)
            def call(*arguments, **options):
                with replaced(function, lent):  # it may call a task that has not passed
                    return function(*arguments, **options)

            return call

        return SimpleNamespace(**{name: lent.get(name) or own(self._passed[name]) for name in versions})


@contextmanager
def replaced(function: Callable, versions: dict[str, Callable]) -> Iterator[None]:
    """While this lasts, `function` finds `versions` under their names, instead of the notebook's own."""
    if hasattr(function, "lending"):  # it is in the student's process
        with function.lending(versions):
            yield
        return
    names = function.__globals__
    missing = object()
    before = {name: names.get(name, missing) for name in versions}
    names.update(versions)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is missing:
                names.pop(name, None)
            else:
                names[name] = value


class _Watched:
    """A function that may not write into its arguments."""

    def __init__(self, function: Callable):
        self._function = function
        self.__name__, self.__globals__ = function.__name__, function.__globals__

    def __call__(self, *arguments, **options):
        before = [
            a.clone() if isinstance(a, Tensor) else a.copy() if isinstance(a, np.ndarray) else None for a in arguments
        ]
        result = self._function(*arguments, **options)
        for copy, given, name in zip(before, arguments, inspect.signature(self._function).parameters):
            equal: Callable = torch.equal if isinstance(copy, Tensor) else np.array_equal
            if copy is not None and not equal(copy, given):
                raise Mistake(changed_argument(name))
        return result


def many_calls(function: Callable, calls: list) -> list:
    """[function(*arguments) for arguments in calls], in one question to the student's process while grading."""
    many = getattr(function, "many", None)
    return many(calls) if many else [function(*arguments) for arguments in calls]


def with_gradients(function: Callable, arguments: tuple, by: list[int]) -> tuple[Any, list[Tensor | None]]:
    """function(*arguments), and the gradients of the sum of what it returns by the arguments whose numbers `by` lists.

    None where no gradient flows. While grading the student's process computes both.
    """
    remote = getattr(function, "with_gradients", None)
    if remote:
        return remote(arguments, by)
    arguments = tuple(a.detach().clone().requires_grad_() if i in by else a for i, a in enumerate(arguments))
    answer = function(*arguments)
    if not isinstance(answer, Tensor) or not answer.requires_grad:
        return answer, [None] * len(by)
    return answer, list(torch.autograd.grad(answer.sum(), [arguments[i] for i in by], allow_unused=True))


def changed_argument(name: str) -> str:
    """What to say to a function that wrote into an argument."""
    return f"Your function changed its argument `{name}`: work on a copy of it."


# --- for the tests that run when work is graded ---

_questions: str | None = None  # set while grading: the same text draws the same numbers


@contextmanager
def judging(questions: str) -> Iterator[None]:
    """While this lasts `fresh_generator` draws from `questions`, the seed of a grading, so that it can be repeated."""
    global _questions
    before, _questions = _questions, questions
    try:
        yield
    finally:
        _questions = before


def fresh_generator() -> torch.Generator:
    """A source of random numbers, new for each grading; outside of one, new at each call."""
    text = _questions if _questions is not None else secrets.token_hex(8)
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big"))


def require_number(value: object, message: str) -> float:
    """`value` as a float if it is what `single_number` takes; else Mistake(message), which must not quote it."""
    try:
        return single_number(value, "it")
    except Mistake:
        raise Mistake(message) from None


def require(condition: object, message: str) -> None:
    """Mistake(message) unless the condition holds. In a hidden test the message must not quote what was asked."""
    if not condition:
        raise Mistake(message)


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch with one thread: for a handful of samples more threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeIsUp in the code inside after so many seconds of processor time, so that a busy machine does no harm.

    No limit on Windows or outside the main thread.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None):
        raise TimeIsUp

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def tensor_of_shape(value: object, shape: tuple[int, ...], name: str) -> Tensor:
    """`value` if it is a tensor of this shape; else Mistake. `name` says what it is: "the distances"."""
    if value is None:
        raise Mistake(NOTHING)
    if not isinstance(value, Tensor):
        raise Mistake(f"{_capital(name)} must be a torch tensor; yours is a {kind(value)}.")
    if tuple(value.shape) != shape:
        raise Mistake(f"{_capital(name)} must have shape {shape}; yours has {tuple(value.shape)}.")
    return value


def single_number(value: object, name: str) -> float:
    """`value` as a float if it is one number, also in a tensor or array; else Mistake. `name` says what: "the loss"."""
    if value is None:
        raise Mistake(NOTHING)
    if isinstance(value, Tensor | np.ndarray | np.generic):
        if math.prod(value.shape) != 1:
            raise Mistake(f"{_capital(name)} is a single number; yours has shape {tuple(value.shape)}.")
        value = value.item()
    if not isinstance(value, float | int | np.floating):
        raise Mistake(f"{_capital(name)} must be a number; yours is a {kind(value)}.")
    return float(value)


def parts_of(answer: object, n: int, what: str) -> tuple:
    """`answer` if it is a tuple of n things, none of them None; else Mistake.

    `what` lists them: "two things, `centers, labels`".
    """
    if answer is None:
        raise Mistake(NOTHING)
    if isinstance(answer, list) and len(answer) == n:
        raise Mistake(f"Return {what}, with commas and without brackets: yours is a list.")
    if not isinstance(answer, tuple) or len(answer) != n:
        raise Mistake(f"Return {what}, in this order{_instead(answer)}.")
    refuse_none(answer, what)
    return answer


def _instead(answer: object) -> str:
    """What was returned instead of several things: their number, or what kind of thing."""
    return f": yours are {len(answer)}" if isinstance(answer, tuple | list) else f": yours is one {kind(answer)}"


def refuse_none(parts: Iterable, what: str) -> None:
    """Mistake if one of the parts that were returned is None, or holds None. `what` lists them, as for `parts_of`.

    A function that comes so far has its `return`; what is missing is a value.
    """
    parts = list(parts)
    names = [name.strip() for listed in re.findall("`(.*?)`", what) for name in listed.split(",")]
    for place, part in enumerate(parts):
        whole = part is None
        if whole or _holds_none(part):
            name = f"`{names[place]}`" if len(names) == len(parts) else f"the {ORDINALS[place]} of {what}"
            raise Mistake(f"You return None {'for' if whole else 'inside'} {name}: where do you compute it?")


def _holds_none(value: object) -> bool:
    return isinstance(value, list | tuple) and any(part is None or _holds_none(part) for part in value)


def kind(value: object) -> str:
    """The name of a value's type, also where the value itself stayed in the student's process."""
    return getattr(value, "kind", None) or type(value).__name__


def close(a: Tensor, b: Tensor) -> bool:
    """Same shape and nearly the same numbers, whatever the type."""
    return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-4)


def same_number(a: Any, b: Any) -> bool:
    """Nearly the same number: within 1e-4 of it, or 1e-5 apart."""
    return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-5)


def name_mistake(value: Any, hints: Iterable[tuple[Any, str]], same: Callable[[Any, Any], bool] = close) -> None:
    """Mistake with the hint of the first wrong value that this one is the same as; nothing if there is none."""
    for wrong, hint in hints:
        if same(value, wrong):
            raise Mistake(hint)


def compare_number(value: float, right: Any, hints: Iterable[tuple[Any, str]], otherwise: str) -> None:
    """Mistake unless the number is the right one: the hint whose wrong value it is, or `otherwise`."""
    if not same_number(value, right):
        name_mistake(value, hints, same_number)
        raise Mistake(otherwise)


def compare_gradients(function: Callable, right: Callable, arguments: tuple, names: dict[int, str], hint: str) -> None:
    """Mistake unless a loss has the gradients of `right`, whose value it has.

    names: {number of an argument: what it is, in the plural, "codes"}, for those that gradients must reach.
    hint: what to do where a gradient flows and is another.
    """
    (answer, slopes), (_, expected) = (with_gradients(loss, arguments, list(names)) for loss in (function, right))
    if not isinstance(answer, Tensor):
        raise Mistake("Return the loss as a tensor: gradients must flow through it, so do not make it a plain number.")
    if all(slope is None for slope in slopes):
        raise Mistake(
            f"The number is right, but no gradient flows to the {_listed(names.values())}: do not detach, and make no "
            "new tensor of a plain number."
        )
    for name, slope in zip(names.values(), slopes):
        if slope is None:
            raise Mistake(f"The number is right, but no gradient flows to the {name}: do not detach them.")
    for name, slope, wanted in zip(names.values(), slopes, expected):
        if not close(slope, wanted):  # type: ignore[arg-type]
            raise Mistake(
                f"The number is right, its gradient by the {name} is not: {hint}. It is {rounded(wanted)}; "
                f"yours {rounded(slope)}."
            )


def told_apart(right: float, value: float, decimals: int = 3) -> tuple[str, str]:
    """Two different numbers for a message, with at least so many decimals and as many as show the difference."""
    while f"{right:.{decimals}f}" == f"{value:.{decimals}f}" and decimals < 15:
        decimals += 1
    return f"{right:.{decimals}f}", f"{value:.{decimals}f}"


def rounded(values: Any) -> list[float]:
    """Numbers for a message: a list, or a tensor of any shape, as one row with three decimals."""
    flat = values.flatten() if hasattr(values, "flatten") else values
    return [round(float(value), 3) for value in flat]


def _is_stub(error: Exception) -> bool:
    # PyTorch raises NotImplementedError too ("... not implemented for 'Long'"), with a text.
    return isinstance(error, NotImplementedError) and not error.args


def _explain(error: Exception, function: Callable) -> str:
    """The error and the line of the student's notebook where it happened."""
    text = f"It stopped with {type(error).__name__}: {error}"
    if where := getattr(error, "where", ""):  # told by the student's process
        return f"{text}\n  {where}"
    names = getattr(function, "__globals__", {})
    own = [f for f in names.values() if getattr(f, "__globals__", None) is names]
    cells = {f.__code__.co_filename for f in own if hasattr(f, "__code__")}
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in cells]
    if frames:
        text += f"\n  in {frames[-1].name}, line {frames[-1].lineno} of its cell: {frames[-1].line}"
    return text


def _listed(names) -> str:
    names = list(names)
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
