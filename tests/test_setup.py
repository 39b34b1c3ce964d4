"""The files that set the course up agree with each other: pyproject, constraints, environment, citation, licences."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import dclib
from dclib.__main__ import requirements

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
CONSTRAINTS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
# conda's match specification, as far as we use it: a name, or name=version, or name with comparisons.
CONDA_SPEC = re.compile(
    r"[a-z0-9][a-z0-9._-]*(=\d+(\.\d+)*|((>=|<=|==|!=|>|<)\d+(\.\d+)*)(,(>=|<=|==|!=|>|<)\d+(\.\d+)*)*)?"
)


def declared() -> set[str]:
    """All dependencies of pyproject.toml, with those of the extras, as name>=version."""
    return {f"{name}>={oldest}" for name, oldest, _ in requirements()}


def test_pyproject_has_lower_bounds_only():
    """A pinned library does not install beside what a student already has. Exact versions: constraints.txt."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for block in re.findall(r"^(?:dependencies|test|teach|features) = \[(.*?)\]$", text, re.M | re.S):
        for line in re.findall(r'"([^"]+)"', block):
            assert [s.operator for s in Requirement(line).specifier] == [">="], line
            assert line in declared(), f"the doctor does not see {line}"


# --- environment.yml -------------------------------------------------------------------------------------------------


def test_environment_has_the_shape_that_conda_reads():
    assert set(ENVIRONMENT) == {"name", "channels", "dependencies"}
    assert ENVIRONMENT["name"] == "dclib"
    assert ENVIRONMENT["channels"] == ["conda-forge"]
    specs = [d for d in ENVIRONMENT["dependencies"] if isinstance(d, str)]
    assert "pip" in specs
    for spec in specs:
        assert CONDA_SPEC.fullmatch(spec), f"conda does not read {spec!r}"
    (python,) = [s.partition("=")[2] for s in specs if s.startswith("python=")]
    assert Version(python) >= Version("3.10")


@pytest.mark.parametrize("spec", ["numpy=>1.0", "numpy==", "py torch", "numpy>=", "NumPy>=1.0,", "numpy=1.0,<2"])
def test_the_grammar_refuses_what_conda_refuses(spec):
    assert not CONDA_SPEC.fullmatch(spec)


def test_environment_installs_what_pyproject_asks_for():
    (pip,) = [d["pip"] for d in ENVIRONMENT["dependencies"] if isinstance(d, dict)]
    options = {line for line in pip if line.startswith("-")}
    assert options == {"--constraint constraints.txt", "--editable ."}
    assert sorted(set(pip) - options) == sorted(declared())


# --- constraints.txt -------------------------------------------------------------------------------------------------


def test_constraints_are_exact():
    for requirement in CONSTRAINTS:
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", requirement
        assert "+" not in specifier.version, f"{requirement}: a local version is not on the package index"


PYTHONS = ("3.10.0", "3.10.19", "3.11.0", "3.11.2", "3.11.14", "3.12.0", "3.13.0")


@pytest.mark.parametrize("python", PYTHONS)
def test_constraints_hold_on_every_python_that_their_markers_name(python):
    """Else pip finds no version at all, and says that packages conflict."""
    environment = {"python_version": ".".join(python.split(".")[:2]), "python_full_version": python}
    for requirement in CONSTRAINTS:
        assert requirement.marker is not None
        if requirement.marker.evaluate(environment):
            (specifier,) = requirement.specifier
            try:
                installed = importlib.metadata.distribution(requirement.name)
            except importlib.metadata.PackageNotFoundError:  # on another platform than the one that wrote the file
                continue
            needs = SpecifierSet(installed.metadata["Requires-Python"] or "")
            if installed.version == specifier.version:
                assert needs.contains(python), f"{requirement} needs Python {needs}"
    assert any(r.marker.evaluate(environment) for r in CONSTRAINTS) == (python >= "3.11")


def test_constraints_leave_platforms_alone():
    names = {canonicalize_name(r.name) for r in CONSTRAINTS}
    assert len(names) == len(CONSTRAINTS), "a package twice"
    assert not [n for n in names if n == "triton" or n.startswith(("nvidia-", "cuda-"))]


def needed(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """The installed packages that `name` with these extras brings along, itself included."""
    todo, seen = [(name, extras)], set()
    while todo:
        package, wanted = todo.pop()
        package = canonicalize_name(package)
        if (package, wanted) in seen:
            continue
        seen.add((package, wanted))
        for line in importlib.metadata.requires(package) or []:
            r = Requirement(line)
            if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in wanted or {""}):
                todo.append((r.name, frozenset(r.extras)))
    return {package for package, _ in seen}


@pytest.mark.skipif(
    sys.platform != "linux" or sys.version_info < (3, 11),
    reason="constraints.txt is made on Linux, for Python 3.11 and newer",
)
def test_constraints_cover_every_dependency():
    """What an installation brings along on this machine, down to the last package, has an exact version."""
    fixed = {canonicalize_name(r.name) for r in CONSTRAINTS}
    platform = re.compile(r"nvidia-.*|cuda-.*|triton|setuptools|dclib")
    free = {n for n in needed("dclib", frozenset({"", "test", "teach", "features"})) if not platform.fullmatch(n)}
    assert len(free) > 100
    assert free <= fixed, f"not in constraints.txt: {sorted(free - fixed)}"


def test_constraints_satisfy_pyproject():
    fixed = {canonicalize_name(r.name): r.specifier for r in CONSTRAINTS}
    for line in declared():
        r = Requirement(line)
        (exact,) = fixed[canonicalize_name(r.name)]
        assert r.specifier.contains(exact.version), f"{line}, but constraints.txt has {exact.version}"


# --- citation and licences -------------------------------------------------------------------------------------------


def test_citation():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "title", "message", "authors", "version", "license"} <= set(citation)
    assert citation["version"] == dclib.__version__
    assert len(citation["references"]) == 5
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference), reference
        for author in reference["authors"]:
            assert author.get("family-names") or author.get("name"), reference
    names = {a["family-names"] for r in citation["references"] for a in r["authors"]}
    assert {"Nguyen", "Bhattarai", "Samplawski", "Lee", "Lim"} <= names


def test_licences_state_their_scope():
    code, text = ((ROOT / name).read_text(encoding="utf-8") for name in ("LICENSE", "LICENSE-TEXT"))
    assert code.startswith("MIT License")
    assert "LICENSE-TEXT" in code
    assert "CC-BY-4.0" in text
    assert "LICENSE" in text
    for licence in (code, text):
        assert "Scope:" in licence
        assert "the dclib authors" in licence


# --- Makefile --------------------------------------------------------------------------------------------------------


def make(*arguments):
    """Run make; the variables of an outer make (such as PYTHON=) must not reach it."""
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKEOVERRIDES", "PYTHON")}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True)


def test_make_alone_lists_the_targets():
    run = make()
    assert run.returncode == 0, run.stderr
    for target in ("lab", "test", "exercises", "grade", "experiments", "outputs"):
        assert f"make {target} " in run.stdout


def fake_python(folder: Path, version: str, *, venv: bool) -> Path:
    """A stand-in for a Python on which the course cannot be installed."""
    old = "exit 1" if version < "3.10" else "exit 0"
    path = folder / "python-fake"
    path.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *version_info*) {old};; *ensurepip*) exit {0 if venv else 1};;'
        f" --version) echo Python {version};; *) exit 99;; esac\n"
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("version", "venv", "message"),
    [("3.09", True, "needs Python 3.10 or newer"), ("3.11", False, "apt-get install python3-venv")],
)
def test_make_says_why_it_cannot_install(tmp_path, version, venv, message):
    run = make("lab", f"VENV={tmp_path / 'venv'}", f"PYTHON={fake_python(tmp_path, version, venv=venv)}")
    assert run.returncode != 0
    assert message in run.stderr
    assert not (tmp_path / "venv").exists()


def test_make_without_any_python(tmp_path):
    run = make("lab", f"VENV={tmp_path / 'venv'}", "PYTHON=python-that-is-not-there")
    assert run.returncode != 0
    assert "python-that-is-not-there was not found" in run.stderr


def test_make_lab_passes_its_arguments_on(tmp_path):
    """A dry run with an environment newer than pyproject.toml: nothing is installed, JupyterLab starts at once."""
    (tmp_path / "installed").touch()
    run = make("--dry-run", "lab", f"VENV={tmp_path}", "LAB_ARGS=--no-browser --port=8899")
    assert run.returncode == 0, run.stderr
    assert "pip install" not in run.stdout
    assert "notebooks/00_start_here.ipynb" in run.stdout
    assert "--no-browser --port=8899" in run.stdout
