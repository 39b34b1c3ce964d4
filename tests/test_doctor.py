"""`python -m dclib`: what it finds, and that it still speaks where packages are missing or too old."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dclib
from dclib import __main__ as doctor

ROOT = Path(__file__).resolve().parents[1]


def run_doctor(*arguments, python=(), cwd=ROOT, **env):
    command = [sys.executable, *python, "-m", "dclib", *arguments]
    return subprocess.run(command, cwd=cwd, env={**os.environ, **env}, text=True, capture_output=True)


@pytest.fixture
def unset(monkeypatch):
    for name in ("DCLIB_PROFILE", "DCLIB_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("unset")
def test_a_working_machine(monkeypatch, capsys):
    """The verdict and nothing to scroll; with --all everything that was looked at stands before it."""
    run = run_doctor()
    assert run.returncode == 0, run.stdout + run.stderr
    monkeypatch.chdir(ROOT)
    assert doctor.main(["--all"]) == 0  # in this process: another one takes seconds
    short, long = run.stdout, capsys.readouterr().out
    for text in (short, long):
        assert "The course can run on this machine.\nPython 3." in text
    assert "python -m dclib --all" in short
    assert len(short.splitlines()) <= 10
    verdict, _, rest = short.partition("\n\nEverything")
    assert rest and long.endswith("\n\n" + verdict.rstrip() + "\n")
    for what in ("torch", "scikit-learn", "device", "precision", "threads", "mnist5k", "reuters10k"):
        assert re.search(rf"^ +{what} +\S", long, re.M), f"{what} is not reported"
        assert not re.search(rf"^ +{what} +\S", short, re.M), f"{what} is not folded"


def test_no_packages_at_all():
    """With -S Python sees no installed package, as after a fresh clone: the doctor runs all the same."""
    run = run_doctor(python=["-S"])
    assert run.returncode == 1
    assert "The course cannot run" in run.stdout
    assert "torch is missing" in run.stdout
    assert run.stdout.count("Remedy: run `make lab`") == 2  # what cannot run without, what is worth mending
    assert "Traceback" not in run.stdout + run.stderr


def test_a_name_of_dclib_without_packages_points_to_the_doctor():
    command = [sys.executable, "-S", "-c", "from dclib import DEC"]
    run = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert "ImportError: dclib.DEC: lazy_loader is not installed. `python -m dclib` says" in run.stderr


def test_only_torch_is_broken(tmp_path):
    """A torch whose library cannot be loaded raises OSError, not ImportError."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libtorch.so: cannot open')")
    run = run_doctor(PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}", cwd=tmp_path)
    assert run.returncode == 1
    assert "libtorch.so: cannot open" in run.stdout
    assert "Traceback" not in run.stderr


def test_a_package_is_too_old(monkeypatch):
    real = doctor.metadata.version
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "1.9.1+cpu" if name == "torch" else real(name))
    report = doctor.examine([doctor.check_packages])
    assert not report.ok
    assert "torch 1.9.1+cpu is too old" in repr(report)


def test_a_missing_extra_is_not_fatal(monkeypatch):
    real = doctor.metadata.version

    def version(name):
        if name == "nbgrader":
            raise doctor.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    report = doctor.examine([doctor.check_packages])
    assert report.ok
    assert "nbgrader is missing (only for the extra 'teach')" in repr(report)


def test_python_is_too_old(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 18))
    report = doctor.examine([doctor.check_python])
    assert not report.ok
    assert "too old" in repr(report)
    assert "PYTHON=python3.10" in repr(report)


@pytest.mark.parametrize(
    ("variable", "value", "ok"), [("DCLIB_PROFILE", "slow", False), ("DCLIB_DATA", "no/folder", True)]
)
def test_settings(monkeypatch, variable, value, ok):
    monkeypatch.setenv(variable, value)
    report = doctor.examine([doctor.check_settings])
    assert report.ok == ok
    assert value in repr(report)
    assert "Remedy" in repr(report)


def test_a_notebook_shows_the_problems_and_folds_the_rest():
    """Problems with one remedy stand together; what is printed cannot be taken for HTML."""
    report = doctor.Report()
    report.section("Packages")
    report.line("torch", "<broken>")
    report.problem("torch <broken>", "install & look", fatal=True)
    report.problem("numpy too old", "install & look", fatal=True)
    report.problem("slow", "buy another", fatal=False)
    html = report._repr_html_()
    shown, folded = html.split("<details>")
    assert "The course cannot run on this machine." in shown
    assert "torch &lt;broken&gt;" in shown and shown.count("install &amp; look") == 1 and "buy another" in shown
    assert "Packages\n  torch" in folded and "&lt;broken&gt;" in folded
    assert "<broken>" not in html and folded.endswith("</details>")
    assert repr(report).count("Remedy") == 2 and "Packages" not in repr(report)
    assert "can run" in doctor.Report()._repr_html_()


def test_requirements_are_those_of_pyproject():
    found = {package: (oldest, extra) for package, oldest, extra in doctor.requirements()}
    assert found["torch"] == ("2.6", "")
    assert found["nbgrader"][1] == "teach"
    assert found["nbval"][1] == "test"


def test_requirements_of_a_package_without_its_source(monkeypatch):
    """Installed from a wheel there is no pyproject.toml: the package's metadata say the same."""
    from_source = doctor.requirements()
    monkeypatch.setattr(doctor.Path, "exists", lambda self: False)
    assert sorted(doctor.requirements()) == sorted(from_source)


@pytest.mark.parametrize(("text", "want"), [("2.14.1+cpu", (2, 14, 1)), ("9.20", (9, 20)), ("2.6.0rc1", (2, 6, 0))])
def test_numbers(text, want):
    assert doctor.numbers(text)[: len(want)] == want


@pytest.mark.usefixtures("unset")
def test_by_profile(monkeypatch):
    assert dclib.by_profile(fast=1, full=2) == 1
    monkeypatch.setenv("DCLIB_PROFILE", "full")
    assert dclib.by_profile(fast=1, full=2) == 2
    monkeypatch.setenv("DCLIB_PROFILE", "Full")
    with pytest.raises(ValueError, match="set it to fast or full"):
        dclib.by_profile(fast=1, full=2)
