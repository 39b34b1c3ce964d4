"""A real JupyterLab on a copy of the lessons, and a real Chromium to look at it. How to use them: see lab_page.py."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from lab_page import LabPage

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
FLAGS = [
    "--no-sandbox",  # root in a container cannot have Chromium's own
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # a container's /dev/shm is small
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {
    # Else a dialog about news lies over the page.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    # Else cells outside the window are not in the page, and a test does not find them.
    "notebook-extension/tracker": {"windowingMode": "none"},
}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("browser")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def server(arguments, answers_at, folder):
    """Start `python -m <arguments>` in a folder; yield its address once it answers; stop it."""
    port = free_port()
    env = {
        **os.environ,
        "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],  # for the kernels
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "IPYTHONDIR": str(folder / "ipython"),
        "DCLIB_PROFILE": "fast",
    }
    log = folder / "server.log"
    with log.open("w") as out:
        command = [sys.executable, "-m", *arguments, f"--port={port}"]
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=out, stderr=subprocess.STDOUT)
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + 240
    try:
        while True:
            try:
                urllib.request.urlopen(address + answers_at, timeout=5).close()
                break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("the server did not start:\n" + log.read_text()[-3000:]) from error
                time.sleep(0.3)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session")
def lessons_copy(tmp_path_factory):
    """The lessons in a folder that the tests may write to."""
    folder = tmp_path_factory.mktemp("jupyter")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, folder)
    return folder


def lab_server(folder):
    """JupyterLab on a folder, as `server`."""
    for name, value in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    arguments = [
        "jupyterlab",
        *("--no-browser", "--allow-root", "--ip=127.0.0.1", "--ServerApp.port_retries=0"),
        *("--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True"),
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.user_settings_dir={folder / 'settings'}",
        f"--LabApp.workspaces_dir={folder / 'workspaces'}",
    ]
    return server(arguments, "/api", folder)


@pytest.fixture(scope="session")
def serve():
    """`with serve(folder) as address:` another JupyterLab."""
    return lab_server


@pytest.fixture(scope="session")
def lab_address(lessons_copy):
    with lab_server(lessons_copy) as address:
        yield address


@pytest.fixture(scope="session")
def chromium(chromium_path):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def lab(chromium, lab_address):
    """A fresh page: `lab.run("01_kmeans.ipynb")` opens a lesson and runs it. Kernels are shut down at the end."""
    context = chromium.new_context(viewport={"width": 1300, "height": 1000})
    lab = LabPage(context.new_page(), lab_address)
    yield lab
    lab.shut_down_kernels()
    context.close()
