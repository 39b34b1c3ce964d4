"""Run notebooks from a fresh kernel and store their outputs: python tools/store_outputs.py notebooks/01_kmeans.ipynb …

On one machine a second run writes the same bytes: execution times, the Python version, random widget ids and the
seconds in progress bars are left out or replaced. Of a demonstration its page is stored, which needs no kernel and no
network, not its widget. A notebook with an error is not written; the error names the cell.
Lessons run at their small size. --profile full runs those that have a larger one (DCLIB_PROFILE=full, full data sets,
no limit of time), prints their minutes and leaves the stored outputs alone: the run notebook goes to build/full, also
when a cell fails. --demos runs nothing: it puts today's scripts into the stored demonstrations.
"""

import argparse
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parents[1]
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
FOLDED = {"source_hidden": True}  # plotting code that a reader may leave closed; JupyterLab keeps it under "jupyter"
LARGER_SET = re.compile(r"by_profile\([^()]*\bfull=[\"'](\w+)[\"']\)")  # by_profile(fast="mnist5k", full="mnist")
SESSION_KEYS = "collapsed ExecuteTime execution jp-MarkdownHeadingCollapsed jupyter scrolled trusted".split()
# What differs from run to run inside texts: the time in tqdm's bars, and the file name of a cell in warnings.
NOISE = (
    (re.compile(r"\[\d+:\d\d(:\d\d)?(<|&lt;)[^\]]*\]"), "[]"),  # [00:03<00:01, 9.8it/s]
    # From the start of a word only: else each character of a picture in base64 is tried as one, which takes minutes.
    (re.compile(r"(?<![^\s\"'])[^\s\"']*ipykernel_\d+[/\\]+\d+\.py"), "CELL"),
)


class NotebookFailed(Exception):
    """A cell raised, took too long, or killed the kernel."""


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook as nbformat 4.5. A cell without an id gets one that depends on its text and place only."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    if raw.get("nbformat") != 4:
        raise NotebookFailed(f"{path}: nbformat {raw.get('nbformat')}, expected 4; open and save it in JupyterLab")
    raw["nbformat_minor"] = max(5, raw["nbformat_minor"])
    for number, cell in enumerate(raw["cells"]):
        if not cell.get("id"):
            cell["id"] = hashlib.sha256(f"{number} {''.join(cell['source'])}".encode()).hexdigest()[:8]
    notebook = nbformat.reads(json.dumps(raw), as_version=4)
    nbformat.validate(notebook)
    return notebook


def run(notebook: nbformat.NotebookNode, path: Path, timeout: int | None, say: bool = False) -> None:
    """Execute all cells in the notebook's own folder; `timeout` in seconds per cell, None: no limit.

    say: print each cell that took more than half a minute.
    """
    begun = 0.0

    def start(**_: object) -> None:
        nonlocal begun
        begun = time.perf_counter()

    def end(cell_index: int, **_: object) -> None:
        if say and (seconds := time.perf_counter() - begun) > 30:
            print(f"        cell {cell_index} of {len(notebook.cells)}, from 0: {seconds / 60:.1f} minutes", flush=True)

    for cell in notebook.cells:  # what is there after an error is of this run
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=start,
        on_cell_executed=end,
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        count = sum(c.cell_type == "code" and c.execution_count is not None for c in notebook.cells)
        raise NotebookFailed(f"{path}: code cell {count} failed; the file is unchanged\n{error}") from None


def quiet(text: str) -> str:
    for pattern, replacement in NOISE:
        text = pattern.sub(replacement, text)
    return text


def normalise(notebook: nbformat.NotebookNode) -> str:
    """The notebook's text without what differs from run to run."""
    for cell in notebook.cells:
        folded = cell.metadata.get("jupyter", {}).get("source_hidden")
        for key in SESSION_KEYS:
            cell.metadata.pop(key, None)
        if folded:
            cell.metadata.jupyter = nbformat.NotebookNode(FOLDED)
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):  # a demonstration's own page needs no stored widget
                output.data.pop(VIEW, None)
            if "text" in output:
                output["text"] = quiet(output["text"])
            for kind, value in output.get("data", {}).items():
                if kind.startswith("text/"):
                    output["data"][kind] = quiet(value)
    state = notebook.metadata.pop("widgets", {}).get(STATE, {}).get("state", {})
    notebook.metadata = nbformat.NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})

    # Model ids are random: number them in the order in which the cells' outputs reach them. Others were never shown.
    queue = [
        o.data[VIEW]["model_id"] for c in notebook.cells for o in c.get("outputs", []) if VIEW in o.get("data", {})
    ]
    shown: list[str] = []
    while queue:
        model = queue.pop(0)
        if model in state and model not in shown:
            shown.append(model)
            queue += re.findall("IPY_MODEL_([0-9a-f]{32})", json.dumps(state[model], sort_keys=True))
    if shown:
        kept = {model: json.loads(quiet(json.dumps(state[model]))) for model in shown}
        notebook.metadata.widgets = {STATE: {"state": kept, "version_major": 2, "version_minor": 0}}
    text = nbformat.writes(notebook)
    for number, model in enumerate(shown):
        text = text.replace(model, f"{number:032x}")
    # Once more through nbformat: keys are sorted, and the new ids sort in another order than the old ones.
    return nbformat.writes(nbformat.reads(text, as_version=4)) + "\n"


def store(path: Path, timeout: int) -> None:
    """Run one notebook and replace the file in one step."""
    notebook = read(path)
    run(notebook, path, timeout)
    text = normalise(notebook)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False) as file:
        file.write(text)
    os.chmod(file.name, path.stat().st_mode)
    os.replace(file.name, path)


def run_at_full_size(path: Path, timeout: int | None, folder: Path) -> str:
    """Run one notebook with DCLIB_PROFILE=full, as far as it goes, and write it to `folder` -> what happened."""
    from dclib.data import NAMES, DatasetUnavailable, load

    notebook = read(path)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    if "by_profile(" not in code:
        return f"skipped {path}  (it has one size: its stored outputs are those of both profiles)"
    for name in set(LARGER_SET.findall(code)) & set(NAMES):
        try:
            load(name)  # now, and not after an hour
        except DatasetUnavailable as error:
            raise NotebookFailed(f"{path}: its full size needs the data set {name}\n{error}") from None
    begin, target = (time.perf_counter(), os.times()), folder / path.name
    try:
        run(notebook, path, timeout, say=True)
    finally:
        folder.mkdir(parents=True, exist_ok=True)
        target.write_text(normalise(notebook), encoding="utf-8")
    seconds, now = time.perf_counter() - begin[0], os.times()
    busy = now.children_user + now.children_system - begin[1].children_user - begin[1].children_system
    return f"ran     {path}  ({seconds / 60:.1f} minutes, {busy / 60:.1f} of them on a processor; see {target})"


def refresh_demos(path: Path) -> int:
    """Put today's scripts into the stored demonstrations of a notebook -> how many were not today's."""
    from dclib.classroom.demos.demo import refreshed

    notebook, changed = read(path), 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            old = output.get("data", {}).get("text/html", "")
            if "data-demo=" in old and (new := refreshed(old)) != old:
                output["data"]["text/html"], changed = new, changed + 1
    if changed:
        path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return changed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--profile", choices=["fast", "full"], default="fast", help="the size (default %(default)s)")
    parser.add_argument("--timeout", type=int, help="seconds per cell (default 1200; without limit at full size)")
    parser.add_argument("--demos", action="store_true", help="run nothing, renew the demonstrations' scripts")
    options = parser.parse_args(arguments)
    if options.demos:
        for path in options.notebooks:
            print(f"{refresh_demos(path)} demonstrations renewed in {path}")
        return 0
    os.environ["DCLIB_PROFILE"] = options.profile
    failed = 0
    for path in options.notebooks:
        begin = time.perf_counter()
        try:
            if options.profile == "full":
                print(run_at_full_size(path, options.timeout, ROOT / "build" / "full"), flush=True)
                continue
            store(path, options.timeout or 1200)
        except (NotebookFailed, OSError, ValueError, nbformat.ValidationError) as error:
            failed += 1
            print(f"FAILED  {error}", file=sys.stderr)
        else:
            print(f"stored  {path}  ({time.perf_counter() - begin:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
