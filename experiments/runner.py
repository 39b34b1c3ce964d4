"""Runs one configuration with one seed and writes what it gave to `experiments/results/`.

A run that is interrupted goes on from its last epoch when the same command is given again: its checkpoints lie in
`experiments/checkpoints/`. A result that is on file is never overwritten: delete it to run it anew.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch

import dclib
from dclib.data import load
from dclib.metrics import scores
from dclib.training import Callback, Checkpoint, Progress, Run, Scores, resolve_device, resolve_precision

HERE = Path(__file__).parent
SCORES = ("acc", "nmi", "ari", "v_measure")


@dataclass
class Configuration:
    """What to run: an autoencoder and a deep clusterer started from it, both unfitted and without callbacks."""

    dataset: str
    split: str
    autoencoder: Any
    clusterer: Any


class Stopwatch(Callback):
    """Adds each epoch's seconds to the history; `before` are the seconds that a resumed training had used."""

    before = 0.0

    def on_fit_start(self, run: Run) -> None:
        self.before = sum(run.history["seconds"]) if len(run.history) else 0.0
        self.last = time.perf_counter()

    def on_epoch_end(self, run: Run) -> None:
        run.row["seconds"] = round(time.perf_counter() - self.last, 2)
        self.last = time.perf_counter()


def result_path(experiment: str, name: str, seed: int) -> Path:
    return HERE / "results" / experiment / f"{name}-seed{seed}.json"


def run(experiment: str, name: str, configuration: Configuration, seed: int) -> dict:
    """Train, score and write the result file; returns its content. A result on file is read, not made again."""
    path = result_path(experiment, name, seed)
    if path.exists():
        return json.loads(path.read_text())
    started = time.perf_counter()
    data = load(configuration.dataset, split=configuration.split)
    checkpoints = HERE / "checkpoints" / experiment
    watches = [Stopwatch(), Stopwatch()]

    def callbacks(watch: Stopwatch, stage: str, *others: Callback) -> list[Callback]:
        return [watch, *others, Progress(), Checkpoint(checkpoints / f"{name}-seed{seed}-{stage}.ckpt")]

    autoencoder = configuration.autoencoder.set_params(
        random_state=seed, callbacks=callbacks(watches[0], "autoencoder")
    ).fit(data.x)
    method = configuration.clusterer.set_params(
        autoencoder=autoencoder,
        random_state=seed,
        callbacks=callbacks(watches[1], "clusterer", Scores(data.x, data.y)),
    ).fit(data.x)
    seconds = time.perf_counter() - started + sum(watch.before for watch in watches)
    frame = method.history_.to_frame()
    device = resolve_device(method.device)
    result = {
        "experiment": experiment,
        "configuration": name,
        "method": type(method).__name__,
        "dataset": configuration.dataset,
        "split": configuration.split,
        "n": len(data.x),
        "seed": seed,
        "scores": {key: round(value, 5) for key, value in scores(data.y, method.labels_).items()},
        "start": {key: round(value, 5) for key, value in scores(data.y, method.start_labels_).items()},
        "parameters": {"autoencoder": _parameters(autoencoder), "clusterer": _parameters(method)},
        "history": {column: np.round(frame[column], 5).tolist() for column in frame},
        "autoencoder_loss": np.round(autoencoder.history_["loss"], 6).tolist(),
        "seconds": round(seconds, 1),
        "peak_memory_mb": _peak_memory_mb(),
        "device": str(device),
        "precision": resolve_precision(method.precision, device),
        "threads": torch.get_num_threads(),
        "versions": {"dclib": dclib.__version__, "torch": torch.__version__, "scikit-learn": sklearn.__version__},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}",
        "command": f"python -m experiments {experiment} --configurations {name} --seeds {seed}",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=1) + "\n")
    partial.rename(path)
    return result


def _parameters(estimator) -> dict[str, Any]:
    skipped = ("autoencoder", "callbacks", "random_state")
    values = {key: value for key, value in estimator.get_params(deep=False).items() if key not in skipped}
    return {
        key: value if isinstance(value, (int, float, str, bool, type(None))) else repr(value)
        for key, value in values.items()
    }


def _peak_memory_mb() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))
