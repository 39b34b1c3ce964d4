"""A student's process without a notebook around it: a fork of the tests' own that runs code and answers the judge."""

import contextlib
import linecache
import os
import signal
import socket
import sys
import warnings
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import answerer  # noqa: E402
from line import Line  # noqa: E402


def answering(*sources, names=None):
    """A connection to a process that has run these sources and answers calls of their functions."""

    def run(connection):
        warnings.simplefilter("default")  # a warning is an error of the course, not of a student
        names_there = {"__name__": "__main__", "torch": torch, **(names or {})}
        for number, source in enumerate(sources):
            name = f"<answer {number}>"
            linecache.cache[name] = (len(source), None, source.splitlines(True), name)  # as IPython does for cells
            exec(compile(source, name, "exec"), names_there)
        answerer.serve(Line(connection, generators=True), names_there)

    return process(run)


_started: list[int] = []


def end_processes():
    """End all processes of this module; in the sandbox nothing survives the notebook."""
    while _started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(_started[-1], signal.SIGKILL)
        os.waitpid(_started.pop(), 0)


def process(run):
    """A connection to a process that runs `run(its end of the connection)`."""
    ours, theirs = socket.socketpair()
    _started.append(os.fork())
    if _started[-1] == 0:
        with contextlib.suppress(BaseException):
            ours.close()
            with open(os.devnull, "r+b") as null:
                for descriptor in (0, 1, 2):
                    os.dup2(null.fileno(), descriptor)
            run(theirs)
        os._exit(0)
    theirs.close()
    return ours
