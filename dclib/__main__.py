"""python -m dclib: the doctor. Can the course run on this machine? What is missing is named with its remedy.

`python -m dclib --all` also prints everything that was looked at: versions, hardware, settings, data sets, programs.
Exit status 0 if the lessons can run, 1 if not. Nothing that may be missing is imported before it was looked for, and
the syntax is old on purpose, so that the doctor also speaks where Python is too old or the installation failed.
"""

from __future__ import annotations

import argparse
import html
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
    """What was looked at, in sections of lines, and the problems found, each with its remedy, fatal or not.

    A notebook shows the verdict and the problems, and folds the rest.
    """

    def __init__(self):
        self.sections, self.summary = [], []  # [(title, lines)]; the few words that stand beside the verdict
        self.fatal, self.minor = [], []  # [(what, remedy)]

    @property
    def ok(self) -> bool:
        """Whether the lessons can run."""
        return not self.fatal

    def section(self, title):
        self.sections.append((title, []))

    def line(self, what, text):
        self.note(f"{what:<32} {text}")

    def note(self, text):
        self.sections[-1][1].append(text)

    def problem(self, what, remedy, fatal):
        (self.fatal if fatal else self.minor).append((what, remedy))

    def verdict(self) -> str:
        return f"The course {'can' if self.ok else 'cannot'} run on this machine."

    def problems(self) -> list:
        """[(title, [(problems, their remedy)])]: one remedy often mends several problems."""
        groups = []
        for title, found in (("To be mended first:", self.fatal), ("Worth mending:", self.minor)):
            remedies = dict.fromkeys(remedy for _, remedy in found)
            if found:
                groups.append((title, [([what for what, r in found if r == remedy], remedy) for remedy in remedies]))
        return groups

    def details(self) -> str:
        """All that was looked at."""
        return "\n".join("\n  ".join([title, *lines]) for title, lines in self.sections)

    def __repr__(self) -> str:
        lines = [self.verdict(), ", ".join(self.summary)]
        for title, found in self.problems():
            lines += ["", title]
            for whats, remedy in found:
                lines += [*(f"  - {what}" for what in whats), f"    Remedy: {remedy}"]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        text = f"<p><b>{self.verdict()}</b><br>{html.escape(', '.join(self.summary))}</p>"
        for title, found in self.problems():
            text += f"<p>{title}</p><ul>"
            for whats, remedy in found:
                text += f"<li>{'<br>'.join(map(html.escape, whats))}<br><b>Remedy:</b> {html.escape(remedy)}</li>"
            text += "</ul>"
        what = "Everything that was looked at: versions, hardware, settings, data sets, programs"
        return f"{text}<details><summary>{what}</summary><pre>{html.escape(self.details())}</pre></details>"


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
    report.section("Python")
    report.summary.append(f"Python {platform.python_version()}")
    report.line("version", f"{platform.python_version()} ({platform.system()} {platform.machine()})")
    if sys.version_info < PYTHON:
        wanted = ".".join(map(str, PYTHON))
        remedy = f"install Python {wanted} or newer, then: make lab PYTHON=python{wanted}"
        report.problem(f"Python {platform.python_version()} is too old", remedy, fatal=True)
    report.line("dclib", dclib.__version__)


def check_packages(report: Report) -> None:
    """Versions, without importing anything. What only teachers, tests or one lesson need is not fatal."""
    report.section("Packages")
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
    report.section("Computing")
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
    report.summary += [f"PyTorch {torch.__version__}", f"device {device}", f"precision {precision}"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    report.line("threads", f"{torch.get_num_threads()} of {cores}")
    report.summary.append(f"{torch.get_num_threads()} of {cores} threads")
    if torch.get_num_threads() < cores // 2:
        remedy = "unset OMP_NUM_THREADS, or set it to the number of cores"
        report.problem(f"training uses {torch.get_num_threads()} of {cores} cores", remedy, fatal=False)


def check_settings(report: Report) -> None:
    report.section("Settings")
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
    report.section("Data sets")
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
        report.note("Not needed for the lessons at their small size. To get one:")
        for name, remedy in absent:
            report.note(f"  {name}: {remedy}")


def check_programs(report: Report) -> None:
    report.section("Programs (for teachers and tests)")
    for names, purpose, remedy in PROGRAMS:
        found = next(filter(shutil.which, names), None)
        report.line(names[0], "found" if found else f"missing: {remedy}; for {purpose}")


CHECKS = (check_python, check_packages, check_hardware, check_settings, check_data, check_programs)


def examine(checks=CHECKS) -> Report:
    """Look at this machine."""
    report = Report()
    for check in checks:
        check(report)
    return report


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dclib", description="Can the course run on this machine?")
    parser.add_argument("--all", action="store_true", help="print everything that was looked at")
    options = parser.parse_args(arguments)
    report = examine()
    if options.all:
        print(report.details(), end="\n\n")
    print(report)
    if not options.all:
        print("\nEverything that was looked at: python -m dclib --all")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
