"""The student's end of the line: runs in the sandbox, answers calls of the student's functions, decides nothing.

At the place of each test cell the notebook's process is copied (`os.fork`): the copy keeps what the student had defined
up to there, and waits. When the notebook has run to its end, the judge calls the functions of the copies. So what a
test does to its copy (an endless loop, `os._exit`, variables that change) reaches neither the notebook nor other tests,
and no output of the notebook can hold what a test has asked.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import linecache
import os
import resource
import signal
import socket
import sys
import traceback
from typing import Any

from line import Line, LineError, encode, pack

MAX_PRINTED = 2000  # characters that come back with an answer
NAMES_OF_ERRORS = {n for n, e in vars(builtins).items() if isinstance(e, type) and issubclass(e, Exception)}


class TimeIsUp(BaseException):
    """Not an Exception: `except Exception` in an endless loop does not swallow it."""


class Printed(io.TextIOBase):
    """Keeps the first characters of what is written."""

    def __init__(self) -> None:
        self.text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text[: MAX_PRINTED - len(self.text)]
        return len(text)


def snapshot(path: str, names: dict[str, Any]) -> None:
    """Copy this process; the copy connects to the socket at `path` and answers calls of the functions in `names`."""
    if os.fork():
        return
    try:
        os.setpgid(0, 0)  # an interrupt of the notebook is not for the copy
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with open(os.devnull, "r+b") as null:
            for descriptor in (0, 1, 2):
                os.dup2(null.fileno(), descriptor)
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        serve(Line(connection, generators=True), names)
    except BaseException:
        pass  # the judge sees that the line is closed
    finally:
        os._exit(0)


def serve(line: Line, names: dict[str, Any]) -> None:
    """Answer calls until the other end hangs up."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # threads do not survive the copying
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if shell:
        from IPython.core.displaypub import CapturingDisplayPublisher

        shell.display_pub = CapturingDisplayPublisher()
    while True:
        request, decoder = line.receive()
        answer = _answer(line, request, decoder, names)
        answer[0]["id"] = request["id"]
        try:
            frame = pack(*answer)
        except LineError as error:
            text = {
                "id": request["id"],
                "error": {"type": "LineError", "message": f"The result is {error}.", "where": ""},
            }
            frame = pack({**text, "printed": "", "changed": []}, [])
        line.send_packed(frame)


def _answer(line: Line, request: dict, decoder: Any, names: dict[str, Any]) -> tuple[dict, list[bytes]]:
    name = request["call"]
    if name not in names:
        return {"missing": name}, []
    if "args" not in request:  # a variable, not a function
        value, data = encode(names[name])
        return {"value": value, "printed": "", "changed": []}, data
    calls, options = decoder.decode(request["args"]), decoder.decode(request["options"])
    before = [[encode(argument) for argument in arguments] for arguments in calls]
    printed = Printed()
    answer: dict = {}
    data = []
    function = names[name]
    lent = {other: _Lent(line, request["id"], other) for other in request["lend"]}
    try:
        with (
            _replaced(getattr(function, "__globals__", names), lent),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            _limit(request["seconds"]),
        ):
            if "by" in request:
                from dclib.classroom.exercises import with_gradients

                results = [with_gradients(function, arguments, request["by"]) for arguments in calls]
            else:
                results = [function(*arguments, **options) for arguments in calls]
        answer["value"], data = encode(results)
    except TimeIsUp:
        answer["error"] = {"type": "TimeIsUp", "message": "", "where": ""}
    except BaseException as error:
        answer["error"] = _described(error)
    answer["changed"] = sorted({i for one, old in zip(calls, before) for i, a in enumerate(one) if encode(a) != old[i]})
    answer["printed"] = printed.text
    return answer, data


def _described(error: BaseException) -> dict[str, str]:
    """The error and the line of the student's notebook where it happened, as text."""
    kind = next((k.__name__ for k in type(error).__mro__ if k.__name__ in NAMES_OF_ERRORS), "Exception")
    where = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "ipykernel_" in frame.filename or frame.filename.startswith("<"):
            line = linecache.getline(frame.filename, frame.lineno or 0).strip()
            where = f"in {frame.name}, line {frame.lineno} of its cell: {line}"
            break
    return {"type": kind, "message": str(error)[:500], "where": where[:200]}


class _Lent:
    """A working version of an earlier task's function: the judge computes it."""

    def __init__(self, line: Line, call: int, name: str):
        self.line, self.call, self.__name__ = line, call, name

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        a, data = encode(list(arguments))
        o, more = encode(options)
        self.line.send({"id": self.call, "ask": self.__name__, "args": a, "options": o}, data + more)
        reply, decoder = self.line.receive()
        if "refused" in reply:
            raise ValueError(f"{self.__name__}: {reply['refused']}")
        return decoder.decode(reply["lent"])


@contextlib.contextmanager
def _replaced(names: dict[str, Any], versions: dict[str, Any]):
    before = {name: names[name] for name in versions if name in names}
    names.update(versions)
    try:
        yield
    finally:
        for name in versions:
            names.pop(name, None)
        names.update(before)


@contextlib.contextmanager
def _limit(seconds: float):
    """TimeIsUp after so many seconds of processor time; some seconds later the process is ended."""

    def stop(number: int, frame: object) -> None:
        raise TimeIsUp

    used = resource.getrusage(resource.RUSAGE_SELF)
    end = int(used.ru_utime + used.ru_stime + seconds) + 3
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (end if hard == resource.RLIM_INFINITY else min(end, hard), hard))
    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
