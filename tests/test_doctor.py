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


def run_doctor(*options, cwd=ROOT, **env):
    command = [sys.executable, *options, "-m", "dclib"]
    return subprocess.run(command, cwd=cwd, env={**os.environ, **env}, text=True, capture_output=True)


@pytest.fixture
def unset(monkeypatch):
    for name in ("DCLIB_PROFILE", "DCLIB_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("unset")
def test_a_working_machine():
    run = run_doctor()
    assert run.returncode == 0, run.stdout + run.stderr
    assert "The course can run" in run.stdout
    for what in ("torch", "scikit-learn", "device", "precision", "threads", "mnist5k", "reuters10k"):
        assert re.search(rf"^ +{what} +\S", run.stdout, re.M), f"{what} is not reported"


def test_no_packages_at_all():
    """With -S Python sees no installed package, as after a fresh clone: the doctor runs all the same."""
    run = run_doctor("-S")
    assert run.returncode == 1
    assert "torch is missing" in run.stdout
    assert "Remedy: run `make lab`" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


def test_only_torch_is_broken(tmp_path):
    """A torch whose library cannot be loaded raises OSError, not ImportError."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libtorch.so: cannot open')")
    run = run_doctor(PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}", cwd=tmp_path)
    assert run.returncode == 1
    assert "libtorch.so: cannot open" in run.stdout
    assert "Traceback" not in run.stderr


def check(capsys, *checks):
    """(exit status, what was printed) of some checks."""
    report = doctor.Report()
    for one in checks:
        one(report)
    status = report.conclude()
    return status, capsys.readouterr().out


def test_a_package_is_too_old(monkeypatch, capsys):
    real = doctor.metadata.version
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "1.9.1+cpu" if name == "torch" else real(name))
    status, text = check(capsys, doctor.check_packages)
    assert status == 1
    assert "torch 1.9.1+cpu is too old" in text


def test_a_missing_extra_is_not_fatal(monkeypatch, capsys):
    real = doctor.metadata.version

    def version(name):
        if name == "nbgrader":
            raise doctor.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    status, text = check(capsys, doctor.check_packages)
    assert status == 0
    assert "nbgrader is missing (only for the extra 'teach')" in text


def test_python_is_too_old(monkeypatch, capsys):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 18))
    status, text = check(capsys, doctor.check_python)
    assert status == 1
    assert "too old" in text
    assert "PYTHON=python3.10" in text


@pytest.mark.parametrize(
    ("variable", "value", "status"), [("DCLIB_PROFILE", "slow", 1), ("DCLIB_DATA", "no/folder", 0)]
)
def test_settings(monkeypatch, capsys, variable, value, status):
    monkeypatch.setenv(variable, value)
    found, text = check(capsys, doctor.check_settings)
    assert found == status
    assert value in text
    assert "Remedy" in text


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
