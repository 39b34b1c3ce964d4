"""What the tests share: markers for what a machine may lack. Skipped tests print their reason (-rs, pyproject.toml)."""

import gc
import os
import shutil
import subprocess
from functools import cache

import pytest

CI = os.environ.get("CI", "").lower() not in ("", "0", "false")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def missing(reason):
    """Skip with the reason; where CI is set nothing may be missing, so fail."""
    if CI:
        pytest.fail(f"{reason} (CI is set: skipping is not allowed)", pytrace=False)
    pytest.skip(reason)


@cache
def data_places():
    """{name: (place or None, remedy)} of all data sets, as `python -m dclib` shows them."""
    from dclib.data import status

    return {name: (place, remedy) for name, place, remedy in status()}


@cache
def sandbox_problem():
    """None if bubblewrap can make a sandbox here, else why not."""
    if not shutil.which("bwrap"):
        return "bwrap is not installed (Debian, Ubuntu: apt-get install bubblewrap)"
    test = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "true"]
    run = subprocess.run(test, capture_output=True, text=True)
    return None if run.returncode == 0 else f"bwrap cannot make a sandbox here: {run.stderr.strip()}"


def browser_path():
    """The Chromium to test with, or None. `DCLIB_BROWSER` names another one."""
    return os.environ.get("DCLIB_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)


# Files that take long, the longest first: whoever comes to them last lets the other job wait (Makefile, PARALLEL).
LONG_FILES = (
    "dcan", "estimators", "processes", "demos", "data", "devices", "autoencoder", "benchmarks", "training", "dec",
    "bad_input", "dcra", "autoencoded_kmeans", "deep_clusterer", "self_labelling", "features",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    places = {f"test_{name}.py": place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish():
    """What is imported stays: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item):
    for mark in item.iter_markers("full_data"):
        if not mark.args:
            pytest.fail('name the data sets: @pytest.mark.full_data("mnist")', pytrace=False)
        for name in mark.args:
            place, remedy = data_places()[name]
            if place is None:
                pytest.skip(f"{name} is not at hand: {remedy}")
    if item.get_closest_marker("sandbox") and (problem := sandbox_problem()):
        missing(problem)
    if item.get_closest_marker("browser") and browser_path() is None:
        missing("no Chromium found (Debian: apt-get install chromium; or DCLIB_BROWSER=/path/to/chrome)")


@pytest.fixture(scope="session")
def digits():
    """1,797 real digits, 8 × 8 pixels."""
    from dclib.data import load

    return load("digits")


@pytest.fixture(scope="session")
def autoencoder(digits):
    """A small one, trained on them. Nothing may change it."""
    from dclib.autoencoder import Autoencoder

    options = {"epochs": 80, "batch_size": 128, "precision": "32-true", "random_state": 0}
    return Autoencoder(10, hidden=(128, 64), **options).fit(digits.x)


@pytest.fixture(scope="session")
def chromium_path():
    """The browser's program; only for tests with the marker `browser`."""
    return browser_path()
