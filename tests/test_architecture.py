"""dclib has three shelves: classroom → subjects → engine → metrics and data. A module imports only from below."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "dclib"

# From the ground up, in the order of the course. The training loop scores with metrics.
FLOORS = (
    # data and metrics
    ("data.sources",),
    ("data", "metrics"),
    # the engine: what carries the methods, and no lesson derives
    ("engine",),
    ("engine.device", "engine.validation"),
    ("engine.rows", "engine.graphs"),
    ("engine.processes", "engine.callbacks", "engine.steps"),
    ("engine.saving", "engine.training", "engine.starts", "engine.elkan", "engine.hamerly"),
    # the subjects, one a file
    ("kmeans", "networks", "augmentation", "features"),
    ("gradient_kmeans", "balanced_kmeans", "autoencoder", "stored_features"),
    ("gmm",),
    ("latent", "deep_clusterer", "pretrained"),
    ("autoencoded_kmeans", "dec", "dcra", "gaussian_clusters", "network_clusterer"),
    ("dcan", "gaussian_divergence", "neighbor_clustering", "self_labelling"),
    # the classroom: what shows them
    ("classroom", "classroom.plots", "classroom.exercises"),
    ("classroom.demos.demo", "classroom.demos.picture", "classroom.demos.point_canvas"),
    ("classroom.demos.live_plot", "classroom.demos.lloyd_stepper", "classroom.demos.judge_table")
    + ("classroom.demos.dec_stepper", "classroom.demos.em_stepper", "classroom.demos.soft_pull")
    + (
        "classroom.demos.latent_explorer",
        "classroom.demos.discriminator_surface",
        "classroom.demos.noise_slider",
        "classroom.demos.claim_explorer",
        "classroom.demos.collapse_player",
        "classroom.demos.cost_calculator",
        "classroom.demos.contact_sheet",
    ),
    ("classroom.demos",),
)
LEVEL = {module: level for level, modules in enumerate(FLOORS) for module in modules}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(name for path in PACKAGE.rglob("*.py") if (name := name_of(path)) and path.stem != "__main__")


def imports(source: str, package: str = "dclib") -> set[str]:
    """The modules of dclib that this source imports anywhere, also inside functions; `package` is the one it is in."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            start = ".".join([*parents, *([node.module] if node.module else [])])
            names = [f"{start}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")[1:] if name.startswith("dclib.") else []
            known = [".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in LEVEL]
            found |= set(known[:1]) or ({parts[0]} if parts else set())
    return found


def test_imports_are_found_in_all_their_forms():
    source = """
import dclib.data as d, os
from dclib import metrics, by_profile
from dclib.engine import training
from dclib.data.sources import WEIGHTS
from ..networks import x
from . import device
def f():
    from .rows import Rows
"""
    assert imports(source, "dclib.engine") == {
        "data", "metrics", "by_profile", "engine.training", "data.sources", "networks", "engine.device", "engine.rows",
    }  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_from_below(module):
    assert module in LEVEL, f"{module} has no floor yet: give it one in FLOORS"
    path = PACKAGE / module.replace(".", "/")
    package = path.is_dir()
    source = (path / "__init__.py" if package else path.with_suffix(".py")).read_text(encoding="utf-8")
    if package and (stub := path / "__init__.pyi").exists():  # its names are imported lazily
        source = stub.read_text(encoding="utf-8")
    inside = f"dclib.{module}" if package else f"dclib.{module}".rpartition(".")[0]
    used = imports(source, inside) - {"__version__", "by_profile"}
    own_sources = {"data.sources"} if module == "data" else set()
    too_high = {name for name in used - own_sources if LEVEL[name] >= LEVEL[module]}
    assert not too_high, f"dclib.{module} imports from its own floor or above: {sorted(too_high)}"


@pytest.fixture(scope="module")
def loaded():
    """What stands in sys.modules of one fresh interpreter after each of these imports, as top-level packages."""
    algorithms = ", ".join(f"dclib.{m}" for m in MODULES if not m.startswith("classroom"))
    steps = ["import dclib; dir(dclib)", "from dclib import scores", "from dclib import KMeans", f"import {algorithms}"]
    code = "import sys\n" + "".join(f"{step}\nprint(*sys.modules)\n" for step in steps)
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    names = [{name.partition(".")[0] for name in line.split()} for line in run.stdout.splitlines()]
    return dict(zip(("dclib", "scores", "KMeans", "algorithms"), names, strict=True))


def test_import_dclib_is_light(loaded):
    heavy = {"torch", "numpy", "sklearn", "matplotlib", "lightning_fabric", "pandas", "ipywidgets"}
    assert not loaded["dclib"] & heavy


def test_a_name_brings_only_what_it_needs(loaded):
    assert not loaded["scores"] & {"torch", "lightning_fabric", "matplotlib"}
    assert "torch" in loaded["KMeans"]


def test_algorithms_do_not_load_pictures_or_lightning(loaded):
    """Only the classroom draws, and Lightning is loaded by the first training: an import stays quick."""
    assert not loaded["algorithms"] & {
        "matplotlib",
        "seaborn",
        "lightning_fabric",
        "lightning",
        "ipywidgets",
        "IPython",
    }


def test_the_names_at_the_door():
    """All estimators, and what the README's example takes; a wrong name says so."""
    import dclib
    from dclib.engine.saving import SavedEstimator

    names = dir(dclib)
    assert {"load", "scores", "Progress", "Scores", "Checkpoint", "EarlyStopping", "by_profile"} <= set(names)
    assert {"Evaluate", "RandomShiftRotate"} <= set(names)  # which error messages and parameters name
    for name in names:
        assert getattr(dclib, name) is not None
    found = SavedEstimator.__subclasses__()
    for cls in found:  # grows on the way
        found += cls.__subclasses__()
    public = {cls.__name__ for cls in found if cls.__module__.startswith("dclib.") and not cls.__name__.startswith("_")}
    bases = {"DeepClusterer", "GaussianClusterer", "NetworkClusterer"}
    assert public - set(names) == bases, "an estimator without its name in dclib/__init__.pyi"
    with pytest.raises(AttributeError, match="KMean"):
        dclib.KMean  # noqa: B018


def test_the_version_is_the_installed_one():
    from importlib.metadata import version

    import dclib

    assert dclib.__version__ == version("dclib")
