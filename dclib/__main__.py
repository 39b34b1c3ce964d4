"""python -m dclib: the doctor. Can the course run on this machine? What is missing is named with its remedy.

Exit status 0 if the lessons can run, 1 if not. Nothing that may be missing is imported before it was looked for, and
the syntax is old on purpose, so that the doctor also speaks where Python is too old or the installation failed.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

import dclib

PYTHON = (3, 10)
INSTALL = 'run `make lab`, or: python -m pip install --upgrade --editable ".[test,teach,features]"'
# Programs that are not Python packages, and who needs them.
PROGRAMS = (
    (("bwrap",), "the sandbox in which students' code is graded", "install bubblewrap (Linux only)"),
    (("chromium", "chromium-browser", "google-chrome"), "the tests in a browser", "install chromium"),
)


class Report:
    """Lines as they are printed, and the problems found: (what, remedy), fatal or not."""

    def __init__(self):
        self.fatal, self.minor = [], []

    def line(self, what, text):
        print(f"  {what:<32} {text}")

    def problem(self, what, remedy, fatal):
        (self.fatal if fatal else self.minor).append((what, remedy))

    def conclude(self) -> int:
        for title, found in (("The course cannot run:", self.fatal), ("Worth mending:", self.minor)):
            if found:
                print(f"\n{title}")
            for remedy in dict.fromkeys(remedy for _, remedy in found):  # one remedy often mends several problems
                for what in (w for w, r in found if r == remedy):
                    print(f"  - {what}")
                print(f"    Remedy: {remedy}")
        print("" if self.fatal else "\nThe course can run on this machine.")
        return 1 if self.fatal else 0


def numbers(version: str) -> tuple:
    """The leading numbers of a version: "2.14.1+cpu" -> (2, 14, 1)."""
    return tuple(int(n) for n in re.findall(r"\d+", re.split(r"[^\d.]", version)[0]))


def requirements() -> list:
    """[(package, oldest version, extra or "")] from pyproject.toml; without one, from the installed package.

    Not those of the extra bench: the course never asks for them.
    """
    pyproject = Path(__file__).resolve().parents[1] / "pyproject.toml"
    if pyproject.exists():  # read by hand: tomllib needs Python 3.11
        found = []
        for name, block in re.findall(r"^([\w-]+) = \[(.*?)\]$", pyproject.read_text(encoding="utf-8"), re.M | re.S):
            extra = "" if name == "dependencies" else name
            found += [(*pair, extra) for pair in re.findall(r'"([\w.-]+)>=([\d.]+)["; ]', block)]
    else:
        lines = "\n".join(metadata.requires("dclib") or [])
        found = re.findall(r"^([\w.-]+) ?>=([\d.]+)(?:.*extra == ['\"](\w+)['\"])?", lines, re.M)
    return [one for one in found if one[2] in ("", "test", "teach", "features")]


def short(place) -> str:
    """A path without what is private to the machine: $DCLIB_DATA and ~ instead of the folders."""
    text = str(place)
    for folder, name in ((os.environ.get("DCLIB_DATA"), "$DCLIB_DATA"), (sys.prefix, "$PREFIX"), (Path.home(), "~")):
        if folder and text.startswith(str(folder)):
            return name + text[len(str(folder)) :]
    return text


def check_python(report: Report) -> None:
    print("Python")
    report.line("version", f"{platform.python_version()} ({platform.system()} {platform.machine()})")
    if sys.version_info < PYTHON:
        wanted = ".".join(map(str, PYTHON))
        remedy = f"install Python {wanted} or newer, then: make lab PYTHON=python{wanted}"
        report.problem(f"Python {platform.python_version()} is too old", remedy, fatal=True)
    report.line("dclib", dclib.__version__)


def check_packages(report: Report) -> None:
    """Versions, without importing anything. What only teachers, tests or one lesson need is not fatal."""
    print("Packages")
    for package, oldest, extra in requirements():
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            report.line(package, "missing")
            what = f"{package} is missing" + (f" (only for the extra {extra!r})" if extra else "")
            report.problem(what, INSTALL, fatal=not extra)
            continue
        report.line(package, version)
        if numbers(version) < numbers(oldest):
            report.problem(f"{package} {version} is too old: {oldest} is needed", INSTALL, fatal=not extra)


def check_hardware(report: Report) -> None:
    print("Computing")
    try:
        import torch

        engine = importlib.import_module("dclib.engine.device")
        device = engine.resolve_device("auto")
        precision = engine.resolve_precision("auto", device)
    except Exception as error:  # a broken installation can raise anything, from ImportError to OSError of a library
        report.line("torch", "does not work")
        report.problem(f"torch or dclib.engine does not work: {type(error).__name__}: {error}", INSTALL, fatal=True)
        return
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    report.line("device", f"{device}{name}")
    report.line("precision", precision)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    report.line("threads", f"{torch.get_num_threads()} of {cores}")
    if torch.get_num_threads() < cores // 2:
        remedy = "unset OMP_NUM_THREADS, or set it to the number of cores"
        report.problem(f"training uses {torch.get_num_threads()} of {cores} cores", remedy, fatal=False)


def check_settings(report: Report) -> None:
    print("Settings")
    try:
        report.line("DCLIB_PROFILE", dclib.by_profile(fast="fast", full="full"))
    except ValueError as error:
        report.line("DCLIB_PROFILE", os.environ["DCLIB_PROFILE"])
        report.problem("DCLIB_PROFILE is neither fast nor full", str(error), fatal=True)
    folder = os.environ.get("DCLIB_DATA")
    report.line("DCLIB_DATA", "set" if folder else "not set")
    if folder and not Path(folder).is_dir():
        remedy = f"make it with `python -m dclib.data fetch {folder}`, or unset DCLIB_DATA"
        report.problem(f"DCLIB_DATA names {folder}, which is no folder", remedy, fatal=False)


def check_data(report: Report) -> None:
    """The full-size sets are not needed: the lessons run on what is embedded."""
    print("Data sets")
    try:
        status = importlib.import_module("dclib.data").status()
    except Exception as error:
        report.line("dclib.data", "does not work")
        report.problem(f"dclib.data does not work: {type(error).__name__}: {error}", INSTALL, fatal=True)
        return
    absent = []
    for name, place, remedy in status:
        report.line(name, short(place) if place else "not here")
        if not place:
            absent.append((name, remedy))
    if absent:
        print("  Not needed for the lessons at their small size. To get one:")
        for name, remedy in absent:
            print(f"    {name}: {remedy}")


def check_programs(report: Report) -> None:
    print("Programs (for teachers and tests)")
    for names, purpose, remedy in PROGRAMS:
        found = next(filter(shutil.which, names), None)
        report.line(names[0], "found" if found else f"missing: {remedy}; for {purpose}")


def main() -> int:
    report = Report()
    check_python(report)
    check_packages(report)
    check_hardware(report)
    check_settings(report)
    check_data(report)
    check_programs(report)
    return report.conclude()


if __name__ == "__main__":
    sys.exit(main())
