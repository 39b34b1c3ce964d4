"""dclib is built in floors: a module imports only from floors below its own, so there is no circle."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From the ground up. The training loop scores with metrics; base is what all estimators share; exercises is what the
# checks of all assignments share.
FLOORS = (
    {"sources"},
    {"data", "networks", "metrics", "augmentation", "exercises"},
    {"training"},
    {"base", "shares"},
    {"elkan"},
    {"kmeans", "autoencoder", "features", "plots"},
    {"gmm"},
    {"deep_clusterer", "latent"},
    {"dec", "autoencoded_kmeans", "dcra", "dcan"},
    {"widgets"},
)
LEVEL = {module: level for level, modules in enumerate(FLOORS) for module in modules}
MODULES = sorted(p.stem for p in (ROOT / "dclib").glob("*.py") if not p.stem.startswith("__"))


def imports(source: str) -> set[str]:
    """The modules of dclib that this source imports anywhere, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = "dclib" + (f".{node.module}" if node.module else "") if node.level else node.module
            names = [f"{package}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("dclib.")}
    return found


def test_imports_are_found_in_all_their_forms():
    source = """
import dclib.data as d, os
from dclib import metrics, by_profile
from .networks import x
def f():
    from . import training
"""
    assert imports(source) == {"data", "metrics", "by_profile", "networks", "training"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_from_floors_below(module):
    assert module in LEVEL, f"dclib/{module}.py has no floor yet: give it one in FLOORS"
    used = imports((ROOT / "dclib" / f"{module}.py").read_text(encoding="utf-8")) - {"__version__", "by_profile"}
    too_high = {name for name in used if LEVEL[name] >= LEVEL[module]}
    assert not too_high, f"dclib.{module} imports from its own floor or above: {sorted(too_high)}"


def loaded_by(modules: list[str]) -> set[str]:
    """The top-level packages in sys.modules after importing these modules in a fresh interpreter."""
    code = f"import {', '.join(modules)}; import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    return {name.partition(".")[0] for name in run.stdout.split()}


def test_import_dclib_is_light():
    heavy = {"torch", "numpy", "sklearn", "matplotlib", "lightning_fabric", "pandas", "ipywidgets"}
    assert not loaded_by(["dclib"]) & heavy


def test_algorithms_do_not_load_pictures_or_lightning():
    """Only plots and widgets draw, and Lightning is loaded by the first training: an import stays quick."""
    algorithms = [f"dclib.{m}" for m in MODULES if m not in ("plots", "widgets")]
    assert not loaded_by(algorithms) & {
        "matplotlib",
        "seaborn",
        "lightning_fabric",
        "lightning",
        "ipywidgets",
        "IPython",
    }


def test_the_version_is_the_installed_one():
    from importlib.metadata import version

    import dclib

    assert dclib.__version__ == version("dclib")
