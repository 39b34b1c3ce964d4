"""The teacher's end of the line: runs the test cells of a unit, asks the student's process for answers, decides.

The tests are the test cells of solutions/<unit>/<unit>.ipynb, hidden parts included, and nothing else: what stands in a
student's notebook is never run here. In them the names of the unit's tasks are `Remote`s: to call one sends the
arguments over the line and returns what came back, which is data. What a test compares it with does not leave this
process.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import hashlib
import secrets
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

import nbformat
import torch
from line import Line, LineError, LineTimeout, encode, plain_text

from dclib.classroom import exercises
from dclib.classroom.exercises import Mistake, TimeIsUp

MAX_LENT = 20_000  # calls of lent functions while one call of the student's runs
ERRORS = {n: e for n, e in vars(builtins).items() if isinstance(e, type) and issubclass(e, Exception)}


@dataclass
class Limits:
    """How long the student's code may take: seconds of processor time a call, seconds by the clock a test cell.

    By the clock an answer may take six times the former: the machine may be busy.
    """

    call: float = 10.0
    test: float = 300.0


@dataclass
class Verdict:
    """The result of one test cell. `feedback` is for the student, `details` (printed, raised) for the teacher."""

    passed: bool
    feedback: str = ""
    details: str = ""
    suspicious: bool = False  # the answers broke the rules of the line


class NoAnswer(Exception):
    """The student's process is gone, or what it sent is not an answer."""


@dataclass
class Answers:
    """What one copy of the student's process answers. `connection` is None if there is no such process."""

    connection: socket.socket | None
    limits: Limits = field(default_factory=Limits)
    broken: str = ""  # why there will be no more answers
    suspicious: bool = False
    printed: str = ""

    def __post_init__(self) -> None:
        self.line = Line(self.connection) if self.connection else None
        self.end = time.monotonic() + self.limits.test
        if self.line is None:
            self.broken = "The notebook's process was not there to answer."

    def close(self) -> None:
        if self.line:
            self.line.close()

    def value(self, name: str) -> Any:
        """The value of a variable."""
        return self._ask({"call": name}, [], {}, 0)[0]

    def call(
        self, name: str, calls: list, options: dict, lent: dict[str, Callable], by: list[int] | None = None
    ) -> tuple[list, list[int]]:
        """The results of a function called with each of `calls`, and which of its arguments it changed.

        With `by` each result is a pair: what the function returned, and its gradients by these arguments.
        Raises what the function raised, as text in an exception of the same built-in type; TimeIsUp; NoAnswer.
        """
        a, data = encode([list(arguments) for arguments in calls])
        o, more = encode(options)
        request = {"call": name, "args": a, "options": o, "lend": list(lent), "seconds": self.limits.call}
        if by is not None:
            request["by"] = by
        results, changed = self._ask(request, data + more, lent, 2 * sum(map(len, data)) + 4096)
        if not isinstance(results, list) or len(results) != len(calls):
            raise self.refused("not one result for each call")
        return results, changed

    def refused(self, why: str) -> NoAnswer:
        """An answer that breaks the rules: there will be no more."""
        self.broken, self.suspicious = f"The answer did not follow the rules of the grader: {why}.", True
        return NoAnswer(self.broken)

    def _ask(self, request: dict, data: list[bytes], lent: dict[str, Callable], most: int) -> tuple[Any, list[int]]:
        if self.broken or self.line is None:
            raise NoAnswer(self.broken)
        request["id"] = secrets.randbits(62)
        try:
            if not self.line.quiet():
                raise LineError("there was an answer before the question")
            self.line.send(request, data, self._deadline())
            for _ in range(MAX_LENT + 1):
                reply, decoder = self.line.receive(self._deadline())
                if reply.get("id") != request["id"]:
                    raise LineError("the answer is to another question")
                if "ask" not in reply:
                    return self._read(reply, decoder)
                self._lend(reply, decoder, lent, most)
            raise LineError("too many calls of lent functions")
        except LineTimeout:
            self.broken = f"There was no answer in time: {exercises.TOO_LONG}"
            raise TimeIsUp from None
        except LineError as error:
            gone = str(error) == "the other end is gone"
            self.suspicious |= not gone
            ended = "The process ended while your function ran: os._exit, out of memory, or out of processor time."
            self.broken = ended if gone else f"The answer did not follow the rules of the grader: {error}."
            raise NoAnswer(self.broken) from None

    def _read(self, reply: dict, decoder: Any) -> tuple[Any, list[int]]:
        if "missing" in reply:
            raise NoAnswer("The notebook does not define what this task asks for.")
        printed, changed = reply.get("printed"), reply.get("changed")
        if not isinstance(printed, str) or not isinstance(changed, list) or not all(type(i) is int for i in changed):
            raise LineError("an answer without its parts")
        if len(self.printed) < 10_000:
            self.printed += plain_text(printed, 2000)
        if "error" not in reply:
            return decoder.decode(reply.get("value")), changed
        error = reply["error"]
        if not isinstance(error, dict) or not all(isinstance(error.get(k), str) for k in ("type", "message", "where")):
            raise LineError("an error without its parts")
        if error["type"] == "TimeIsUp":
            raise TimeIsUp
        raised = _raised(error["type"], plain_text(error["message"], 500))
        raised.where = plain_text(error["where"], 200)  # type: ignore[attr-defined]
        raise raised

    def _deadline(self) -> float:
        return min(self.end, time.monotonic() + 6 * self.limits.call)

    def _lend(self, asked: dict, decoder: Any, lent: dict[str, Callable], most: int) -> None:
        """Compute an earlier task's function for the student's. Small arguments only: this is the teacher's memory."""
        assert self.line is not None
        if asked["ask"] not in lent:
            raise LineError("a function was asked for that is not lent")
        answer: dict[str, Any] = {}
        data: list[bytes] = []
        try:
            if len(decoder.data) > most:
                raise ValueError("the arguments are too large")
            arguments, options = decoder.decode(asked.get("args")), decoder.decode(asked.get("options"))
            if not isinstance(arguments, list) or not isinstance(options, dict):
                raise LineError("not arguments")
            answer["lent"], data = encode(lent[asked["ask"]](*arguments, **options))
        except LineError:
            raise
        except Exception as error:
            answer = {"refused": f"{type(error).__name__}: {error}"[:300]}
        self.line.send(answer, data, self._deadline())


def _raised(kind: str, message: str) -> Exception:
    try:
        return ERRORS[kind](message) if message else ERRORS[kind]()
    except (KeyError, TypeError):  # not built in; or one that wants more arguments, as UnicodeError does
        return Exception(message)


class Remote:
    """A student's function, as the tests see it."""

    def __init__(self, name: str, parameters: list[str], answers: Answers, passed: Collection[str]):
        self.__name__, self._parameters, self._answers, self.passed = name, parameters, answers, passed
        self._lent: dict[str, Callable] = {}

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.many([arguments], **options)[0]

    def many(self, calls: list, **options: Any) -> list:
        """The results of many calls, sent together: a question and an answer take a while."""
        return self._call(calls, options)

    def with_gradients(self, arguments: tuple, by: list[int]) -> tuple[Any, list[torch.Tensor | None]]:
        """The result, and its gradients by the arguments number `by`, as `exercises.with_gradients` returns them."""
        (result,) = self._call([arguments], {}, by)
        shapes = [arguments[i].shape for i in by]
        slopes = result[1] if isinstance(result, tuple) and len(result) == 2 else None
        if not isinstance(slopes, list) or len(slopes) != len(by):
            raise self._answers.refused("not a result with its gradients")
        if not all(s is None or isinstance(s, torch.Tensor) and s.shape == shape for s, shape in zip(slopes, shapes)):
            raise self._answers.refused("gradients of other shapes than their arguments")
        return result[0], slopes

    def _call(self, calls: list, options: dict, by: list[int] | None = None) -> list:
        results, changed = self._answers.call(self.__name__, calls, options, self._lent, by)
        for i in changed:
            if 0 <= i < len(self._parameters):
                raise Mistake(exercises.changed_argument(self._parameters[i]))
        return results

    @contextlib.contextmanager
    def lending(self, versions: dict[str, Callable]) -> Iterator[None]:
        """While this lasts, the function finds `versions` of those earlier tasks that have not passed."""
        before = self._lent
        self._lent = {name: version for name, version in versions.items() if name not in self.passed}
        try:
            yield
        finally:
            self._lent = before


class Unit:
    """A unit's tests, from its source notebook. Reading it runs its import lines."""

    def __init__(self, path: Path):
        self.name = path.stem
        self.tests: dict[str, CodeType] = {}
        self.texts: dict[str, str] = {}
        self.points: dict[str, float] = {}
        self.parameters: dict[str, list[str] | None] = {}  # None: a variable
        self.imports: dict[str, Any] = {"__name__": "__judge__"}
        if str(path.parent) not in sys.path:
            sys.path.insert(0, str(path.parent))
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type != "code":
                continue
            meta = cell.metadata.get("nbgrader", {})
            if meta.get("solution") and not meta.get("grade"):
                self._read_solution(cell.source)
            elif meta.get("grade") and not meta.get("solution"):
                name = meta["grade_id"]
                self.texts[name] = cell.source
                self.tests[name] = compile(cell.source, f"<tests {name}>", "exec")
                self.points[name] = float(meta["points"])
            elif not self.parameters:
                lines = [line for line in cell.source.split("\n") if line.startswith(("import ", "from "))]
                exec("\n".join(lines), self.imports)
        #: Modules that the unit's tasks forbid; the sandbox puts them out of reach.
        self.forbidden: tuple[str, ...] = getattr(self.imports.get("check"), "FORBIDDEN", ())

    def _read_solution(self, source: str) -> None:
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef):
                self.parameters[node.name] = [a.arg for a in node.args.posonlyargs + node.args.args]
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self.parameters[target.id] = None

    def judge(
        self,
        test: str,
        connection: socket.socket | None,
        seed: int,
        passed: Collection[str] = (),
        limits: Limits | None = None,
    ) -> Verdict:
        """Run one test cell; closes the connection. The same seed asks the same questions.

        `passed`: the functions whose own test has passed. The others are lent to those that call them.
        """
        answers = Answers(connection, limits or Limits())
        code = self.tests[test]
        names = dict(self.imports)
        try:
            with exercises.judging(f"{seed} {test}"):
                for name, parameters in self.parameters.items():
                    if parameters is not None:
                        names[name] = Remote(name, parameters, answers, passed)
                    elif name in code.co_names:
                        names[name] = answers.value(name)
                exec(code, names)
            verdict = Verdict(True)
        except (exercises.CheckFailed, Mistake) as error:  # written for students
            verdict = Verdict(False, str(error))
        except TimeIsUp:
            verdict = Verdict(False, f"No answer within {answers.limits.call:g} seconds: {exercises.TOO_LONG}")
        except NoAnswer as error:
            verdict = Verdict(False, str(error))
        except Exception as error:
            verdict = Verdict(False, _stopped(error), _details(error))
        finally:
            answers.close()
        if answers.broken:  # whatever the test made of it: none may pass over an answer that never came
            verdict = Verdict(False, answers.broken, verdict.details)
        verdict.suspicious = answers.suspicious
        if answers.printed:
            verdict.details += f"\nThe student's code printed:\n{answers.printed}"
        return verdict


def _stopped(error: Exception) -> str:
    """For the student: not the error's own text, which can hold what a hidden test asked."""
    if isinstance(error, NotImplementedError) and not error.args:
        return "Not solved yet."
    if hasattr(error, "where"):
        return f"Your function stopped with {type(error).__name__} on other data than the check's."
    return "What your function returned is not of the kind that the task asks for."


def _details(error: Exception) -> str:
    return f"{type(error).__name__}: {plain_text(error, 500)}\n{getattr(error, 'where', '')}".strip()


def source_hash(folder: Path) -> str:
    """Changes when any file of the unit does."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
