"""nbgrader's preprocessors for a class that may hold a cheat. nbgrader_config.py puts them in their places."""

from __future__ import annotations

import ast
import contextlib
import html
import importlib.util
import os
import re
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import bleach
import zmq
import zmq.asyncio
from filelock import BaseFileLock
from judge import Limits, Unit, Verdict
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from traitlets import List

ROOT = Path(os.environ.get("DCLIB_COURSE_ROOT", Path(__file__).resolve().parents[1]))
MAX_OUTPUT = 2**22  # characters of output that a notebook may make; what is more is dropped
MAX_MESSAGE = 2**25  # bytes of one message of the kernel
SHOWN = ("text/plain", "image/png", "image/jpeg")  # kinds of output that are kept
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
MAX_DEATHS = 2  # how often a notebook whose process died is run again, without the cell that it died in

# While a notebook runs nobody needs the grade book; a process that grades beside others lends them the lock.
database_lock: BaseFileLock | None = None
last_record: dict[str, Any] = {}  # of the notebook that was graded last: its seed, its verdicts


class DropDuplicateIds(NbGraderPreprocessor):
    """Of cells with the same grade id, the last one stays a graded cell, the copies become ordinary cells.

    JupyterLab copies the id when a student copies a cell. nbgrader's own DeduplicateIds leaves `nbgrader: {}` in the
    copies, on which the whole run aborts (jupyter/nbgrader#1083).
    """

    def preprocess(self, nb, resources):
        seen = set()
        for cell in reversed(nb.cells):
            meta = cell.metadata.get("nbgrader")
            if meta is None:
                continue
            grade_id = meta.get("grade_id")
            if not grade_id or grade_id in seen:
                self.log.warning("a copy of the graded cell %r becomes an ordinary cell", grade_id)
                del cell.metadata["nbgrader"]
            else:
                seen.add(grade_id)
        return nb, resources


def is_test(cell) -> bool:
    """An automatic test cell."""
    return cell.cell_type == "code" and utils.is_grade(cell) and not utils.is_solution(cell)


@cache
def unit(name: str) -> Unit:
    return Unit(ROOT / "solutions" / name / f"{name}.ipynb")


class JudgedExecute(Execute):
    """The student's cells run in the sandbox. The test cells do not: the judge runs them in the teacher's process.

    First all ordinary cells run; at the place of each test cell the student's process is copied. Then the judge asks
    the copies. The outputs of a test cell, from which nbgrader takes the points, are written here and nowhere else.
    """

    def preprocess(self, nb, resources, km=None):
        name = resources["nbgrader"]["assignment"]
        self.unit, self.flags = unit(name), []
        self.end = time.monotonic() + 10 * self.timeout  # for the whole notebook
        self.timeout_func = lambda cell: max(1, min(max(self.timeout, 120), int(self.end - time.monotonic())))
        seed = int(os.environ.get("DCLIB_GRADE_SEED") or secrets.randbits(48))
        begin = time.monotonic()
        with _without_the_grade_book():
            verdicts = self._run(nb, resources, seed)
        for cell in nb.cells:
            if is_test(cell):
                cell.execution_count = None
                name = cell.metadata.nbgrader.get("grade_id")
                cell.outputs = _outputs(verdicts.get(name, Verdict(False, "This cell is not one of the unit's.")))
        self.flags += _forbidden_names(nb, self.unit.forbidden)
        if any(v.suspicious for v in verdicts.values()):
            self.flags.append("broke the rules of the line")
        last_record.clear()
        last_record.update(seed=seed, flags=self.flags, seconds=round(time.monotonic() - begin, 1))
        last_record["tests"] = {name: {"passed": v.passed, "feedback": v.feedback} for name, v in verdicts.items()}
        return nb, resources

    def _run(self, nb, resources, seed: int) -> dict[str, Verdict]:
        """Run the notebook, and again without the cell in which its process died; then ask the judge."""
        deadly: dict[int, str] = {}
        while True:
            with _folder() as run:
                copies: dict[str, socket.socket] = {}
                try:
                    with self._kernel(nb, resources, run):
                        self._run_cells(deadly, copies, run)
                        return self._judge(nb, copies, seed)
                except (DeadKernelError, CellTimeoutError) as error:
                    dead = isinstance(error, DeadKernelError)
                    deadly[self.cell_index] = "the process ended here" if dead else "this cell could not be interrupted"
                    why = "ended its process" if dead else "could not be interrupted"
                    self.flags.append(f"{why} in cell {self.cell_index}")
                    self.log.warning("the notebook %s", self.flags[-1])
                finally:
                    for connection in copies.values():
                        connection.close()
            if len(deadly) > MAX_DEATHS or time.monotonic() > self.end:
                return {test: self.unit.judge(test, None, seed) for test in self.unit.tests}

    @contextlib.contextmanager
    def _kernel(self, nb, resources, run: str) -> Iterator[None]:
        NotebookClient.__init__(self, nb)
        self.reset_execution_trackers()
        self._check_assign_resources(resources)
        self.shutdown_kernel = "immediate"
        self.output_size, self.cell_index = 0, 0
        manager: Any = self.create_kernel_manager()
        manager.context = zmq.asyncio.Context()
        manager.context.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        manager.context.setsockopt(zmq.LINGER, 0)
        if self.kernel_name == "dclib-sandbox":
            # Sockets in a folder: the kernel has no network, not even the host's loopback.
            manager.transport, manager.connection_file = "ipc", os.path.join(run, "kernel.json")
            os.environ["DCLIB_MASKED"] = os.pathsep.join(_places(self.unit.forbidden))
            os.environ["DCLIB_HELPERS"] = os.pathsep.join(
                p.name for p in (ROOT / "solutions" / self.unit.name).iterdir() if p.is_file() and p.suffix != ".ipynb"
            )
        with self.setup_kernel():
            watchdog = Watchdog(manager.provisioner.pid, run)
            try:
                yield
            finally:
                watchdog.stop()
                if watchdog.reason:
                    self.flags.append(watchdog.reason)

    def _run_cells(self, deadly: dict[int, str], copies: dict[str, socket.socket], run: str) -> None:
        self.wait_for_reply(self.kc.kernel_info())
        for index, cell in enumerate(self.nb.cells):
            if is_test(cell):
                if (test := cell.metadata.nbgrader.get("grade_id")) in self.unit.tests and test not in copies:
                    copies[test] = self._copy(os.path.join(run, f"{len(copies)}.sock"))
                continue
            if cell.cell_type != "code":
                continue
            self.cell_index = index
            if index in deadly or time.monotonic() > self.end:
                why = deadly.get(index, "no time left for this cell")
                cell.outputs = [new_output("error", ename="NotRun", evalue=why, traceback=[f"NotRun: {why}"])]
                continue
            self.execute_cell(cell, index)
            cell.outputs = [o for o in map(_harmless, cell.outputs) if o]

    def process_message(self, msg, cell, cell_index):
        """As NotebookClient's, but what is too much is dropped."""
        self.output_size += sum(len(str(value)) for value in msg["content"].values())
        if self.output_size > MAX_OUTPUT and msg["msg_type"] != "status":
            return None
        return super().process_message(msg, cell, cell_index)

    def _copy(self, path: str) -> socket.socket:
        """Have the student's process copied -> the connection to the copy."""
        tools = str(Path(__file__).resolve().parent)
        code = f"import sys; sys.path.insert(0, {tools!r}); import answerer; sys.path.remove({tools!r})\n"
        code += f"answerer.snapshot({path!r}, names)"
        end = time.monotonic() + 60
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(0.2)
            self.kc.execute(f"exec({code!r}, {{'names': globals()}})", silent=True, store_history=False)
            while True:
                try:
                    return listener.accept()[0]  # whoever it is: all who can connect are the student's
                except TimeoutError:
                    if self.km.provisioner.process.poll() is not None:
                        raise DeadKernelError("Kernel died") from None
                    if time.monotonic() > end:
                        raise CellTimeoutError("the kernel does not answer") from None

    def _judge(self, nb, copies: dict[str, socket.socket], seed: int) -> dict[str, Verdict]:
        verdicts: dict[str, Verdict] = {}
        passed: set[str] = set()
        end = time.monotonic() + 5 * self.timeout  # for all tests
        for test in self.unit.tests:
            limits = Limits(call=min(10.0, self.timeout), test=max(0.1, end - time.monotonic()))
            verdicts[test] = self.unit.judge(test, copies.pop(test, None), seed, passed, limits)
            if verdicts[test].passed:
                passed.add(test.removeprefix("check_"))
        return verdicts


def _outputs(verdict: Verdict) -> list:
    """What a test cell shows: nothing if it passed. The last line of the error is the student's, the others not."""
    if verdict.passed:
        return []
    lines = [verdict.details, verdict.feedback] if verdict.details.strip() else [verdict.feedback]
    return [new_output("error", ename="NotPassed", evalue=verdict.feedback, traceback=lines)]


def _harmless(output):
    """An output without what a browser could run, or None."""
    if output.output_type in ("display_data", "execute_result"):
        output.data = _pictures(output.data)
        output.metadata = {}
        return output if output.data else None
    return output


def _pictures(data) -> dict[str, str]:
    """Plain text, and pictures that are nothing but base64: the page puts them into an attribute as they are."""
    kept = {kind: value for kind, value in data.items() if kind in SHOWN and isinstance(value, str)}
    return {kind: value for kind, value in kept.items() if kind == "text/plain" or BASE64.fullmatch(value)}


class Disarm(NbGraderPreprocessor):
    """Takes from a graded notebook what a browser could run: the teacher's could write grades.

    (The formgrader's pages put HTML in text cells, raw cells and metadata in as they are.) Runs after the points are
    saved, for which nbgrader compares the text of the answers.
    """

    TAGS = frozenset({"a", "b", "blockquote", "br", "code", "details", "em", "i", "li", "ol", "p", "strong", "sub"})
    TAGS |= {"summary", "sup", "ul"}
    SCHEME = re.compile(r"(\]\(\s*<?|\]:\s*<?)([^\s)>]*)")

    def preprocess(self, nb, resources):
        nb.metadata = {"kernelspec": nb.metadata.get("kernelspec", {}), "language_info": {"name": "python"}}
        for cell in nb.cells:
            cell.metadata = {k: v for k, v in cell.metadata.items() if k in ("nbgrader", "deletable", "editable")}
            if cell.get("id") and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(cell.id)):
                cell.id = secrets.token_hex(4)
            if cell.cell_type == "raw":
                cell.cell_type = "markdown"
            if cell.cell_type == "markdown":
                cell.source = self.disarmed(cell.source)
                if attached := cell.get("attachments"):
                    cell.attachments = {name: _pictures(data) for name, data in attached.items() if name.isidentifier()}
        return nb, resources

    def disarmed(self, text: str) -> str:
        text = bleach.clean(text, tags=self.TAGS, attributes={}).replace("&gt;", ">")
        text = re.sub(r"\\(href|html\w+|class|style|cssId|require)\b", r"\\mathrm", text)
        return self.SCHEME.sub(self._link, text)

    @staticmethod
    def _link(match: re.Match) -> str:
        """A link that leads to the web, to a place in the page or to an attached picture; no other scheme."""
        plain = re.sub(r"[\x00-\x20\\]", "", html.unescape(html.unescape(unquote(match[2])))).lower()
        scheme = plain.partition(":")[0] if ":" in plain else ""
        return match[0] if scheme in ("", "http", "https", "mailto", "attachment") else f"{match[1]}removed"


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    """For the sockets of one run. The name is short: that of a Unix socket has at most 107 characters."""
    path = tempfile.mkdtemp(prefix="dcl-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _without_the_grade_book() -> Iterator[None]:
    if database_lock is None:
        yield
        return
    database_lock.release()
    try:
        yield
    finally:
        database_lock.acquire()


# --- what a task forbids ---


@cache
def _places(modules: tuple[str, ...]) -> list[str]:
    """The files and folders of these modules, where they are installed."""
    places = []
    for module in modules:
        with contextlib.suppress(ImportError):
            if (spec := importlib.util.find_spec(module)) and spec.origin:
                origin = Path(spec.origin)
                places.append(str(origin.parent if origin.name == "__init__.py" else origin))
    return places


def _forbidden_names(nb, modules: tuple[str, ...]) -> list[str]:
    """Remarks about a notebook that names what its tasks forbid; a person decides what it means."""
    found = set()
    for cell in nb.cells:
        if cell.cell_type != "code" or is_test(cell):
            continue
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            for node in ast.walk(ast.parse("\n".join(x for x in cell.source.split("\n") if x[:1] not in "%!"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    names = [node.value]
                found |= {m for m in modules for name in names if name == m or name.startswith(m + ".")}
    return [f"names {module}" for module in sorted(found)]


# --- what no limit of the system counts ---


class Watchdog:
    """Ends a sandbox whose processes together are too many or hold too much memory or disk.

    Limits of the system are for one process; those on the number of processes do not bind root.
    """

    PROCESSES = 300
    MEMORY = int(float(os.environ.get("DCLIB_GRADE_MEMORY", "4")) * 1.5 * 2**30)
    DISK = 2**26  # bytes in the folder of the sockets, the only one outside that the sandbox can write to

    def __init__(self, pid: int, run: str):
        self.pid, self.run, self.reason = pid, run, ""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        if os.path.isdir("/proc/self/task"):
            self._thread.start()

    def stop(self) -> None:
        self._end.set()

    def _watch(self) -> None:
        while not self._end.wait(1.0):
            if reason := self._too_much():
                self.reason = reason
                for pid in [self.pid, *_descendants(self.pid)]:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
                return

    def _too_much(self) -> str:
        pids = _descendants(self.pid)
        if len(pids) > self.PROCESSES:
            return "made too many processes"
        if sum(map(_memory, pids)) > self.MEMORY:
            return "used too much memory in all its processes together"
        with contextlib.suppress(OSError):
            if sum(entry.stat(follow_symlinks=False).st_size for entry in os.scandir(self.run)) > self.DISK:
                return "wrote into the folder of the sockets"
        return ""


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    queue = [pid]
    while queue and len(found) < 5000:
        with contextlib.suppress(OSError):
            for task in os.scandir(f"/proc/{queue.pop()}/task"):
                children = [int(child) for child in Path(task.path, "children").read_text().split()]
                found += children
                queue += children
    return found


def _memory(pid: int) -> int:
    """Bytes of a process, its share of what it has in common with others."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


class HideDetails(NbGraderPreprocessor):
    """For the feedback: of a test that failed only the message that was written for the student."""

    # nbconvert sets it for all steps of an export; a step that does not know it warns.
    display_data_priority: List = List().tag(config=True)

    def preprocess(self, nb, resources):
        for cell in nb.cells:
            if is_test(cell):
                for output in cell.outputs:
                    if output.output_type == "error":
                        output.traceback = [output.evalue]
        return nb, resources
