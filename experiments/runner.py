"""Runs one configuration with one seed and writes what it gave to `experiments/results/`.

A run that is interrupted goes on from its last epoch when the same command is given again: its checkpoints lie in
`experiments/checkpoints/`. An autoencoder with the same parameters, data and seed is trained once for all experiments;
its seconds count in each. A result that is on file is never overwritten, unless it is marked "unfinished" (written
from the checkpoint of a training that goes on): delete it to run it anew. What figures draw
(codes of a fixed sample, reconstructions, centers) lies beside it, as half-precision arrays in a file that it names.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from filelock import FileLock
from sklearn.base import BaseEstimator

import dclib
from dclib.data import Dataset, load
from dclib.engine.callbacks import Callback, Checkpoint, Evaluate, Progress, Run, Scores
from dclib.engine.device import n_processes, resolve_device, resolve_precision
from dclib.metrics import scores

HERE = Path(__file__).parent
SCORES = ("acc", "nmi", "ari", "v_measure")
ARRAYS_LIMIT = 200_000  # bytes of the arrays of one run


@dataclass
class Configuration:
    """What to run; the estimators unfitted and without callbacks.

    autoencoder: what `clusterer` starts from, or None for a clusterer that has none (or trains its own).
    clusterer: a deep clusterer or `LatentClustering`, which get the fitted autoencoder, or any other clusterer.
    n: only so many rows, drawn at random with the run's seed. options: of `dclib.data.load`, such as `n_topics`.
    prepare: function of the samples x -> what the estimators see, such as the features of a pretrained network.
    test: score `predict` on the test split, too, in the result's "test_scores"; the autoencoder's loss on it after each
        epoch is in "autoencoder_test_loss". Only where `split` is "train".
    measure: function (fitted clusterer, data) -> further numbers for the result, in "measured".
    evaluate: function (clusterer, data, test data) -> further columns of the history.
    every: score, evaluate and write a checkpoint every so many epochs of the clusterer, and after the last.
    codes_at: after these epochs of the autoencoder, and of the clusterer, keep the codes of a fixed sample.
    keep: function (fitted clusterer, data) -> arrays to keep, such as centers.
    n_seeds: how many of the module's SEEDS it is run with; None is all.
    """

    dataset: str
    split: str
    autoencoder: Any
    clusterer: Any
    n: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[np.ndarray], np.ndarray] | None = None
    test: bool = True
    measure: Callable[[Any, Dataset], dict[str, float]] | None = None
    evaluate: Callable[[Any, Dataset, Dataset | None], dict[str, float]] | None = None
    every: int = 1
    codes_at: Sequence[int] = ()
    keep: Callable[[Any, Dataset], dict[str, np.ndarray]] | None = None
    n_seeds: int | None = None

    def load(self, split: str, **options) -> Dataset:
        data = load(self.dataset, split=split, **self.options, **options)
        return dataclasses.replace(data, x=self.prepare(data.x)) if self.prepare else data


class Stopwatch(Callback):
    """Adds each epoch's seconds to the history; `before` are the seconds that a resumed training had used."""

    before = 0.0

    def on_fit_start(self, run: Run) -> None:
        self.before = sum(run.history["seconds"]) if len(run.history) else 0.0
        self.last = time.perf_counter()

    def on_epoch_end(self, run: Run) -> None:
        run.row["seconds"] = round(time.perf_counter() - self.last, 2)
        self.last = time.perf_counter()


class Snapshots(Callback):
    """Writes the codes of a sample x to `folder` after some epochs: a training that is taken up again has them all."""

    def __init__(self, folder: Path, x: np.ndarray, epochs: Sequence[int]):
        self.folder, self.x, self.epochs = folder, x, epochs

    def on_epoch_end(self, run: Run) -> None:
        if run.epoch in self.epochs:
            self.folder.mkdir(parents=True, exist_ok=True)
            np.save(self.folder / f"epoch_{run.epoch}.npy", run.estimator.transform(self.x).astype(np.float16))

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        found = [(epoch, self.folder / f"epoch_{epoch}.npy") for epoch in self.epochs]
        return {f"{name}_{epoch}": np.load(path) for epoch, path in found if path.exists()}


class Halt(Callback):
    """Lets a training that is taken up from its checkpoint end there. Raises ValueError where there is none."""

    def on_fit_start(self, run: Run) -> None:
        if not run.epoch:
            raise ValueError("There is no checkpoint of this training to write an unfinished result from.")
        run.stop = True


def result_path(experiment: str, name: str, seed: int) -> Path:
    return HERE / "results" / experiment / f"{name}-seed{seed}.json"


def run(experiment: str, name: str, configuration: Configuration, seed: int, unfinished: bool = False) -> dict:
    """Train, score and write the result file; returns its content. A result on file is read, not made again.

    unfinished: train nothing, write what the clusterer's checkpoint has reached; the next run goes on from there.
    """
    path = result_path(experiment, name, seed)
    if path.exists() and "unfinished" not in (result := json.loads(path.read_text())):
        return result
    started = time.perf_counter()
    data = configuration.load(configuration.split, n=configuration.n, random_state=seed)
    held_out = configuration.test and configuration.split == "train"
    test = configuration.load("test") if held_out else None
    method = configuration.clusterer.set_params(random_state=seed)
    watches = [Stopwatch(), Stopwatch()]
    snapshots: list[Snapshots] = []
    autoencoder = configuration.autoencoder
    if autoencoder is not None:
        autoencoder.set_params(random_state=seed)
        callbacks: list[Callback] = [watches[0]]
        if test is not None:
            callbacks.insert(0, Evaluate(lambda model: {"test_loss": -float(model.score_samples(test.x).mean())}))
        if configuration.codes_at:
            folder = autoencoder_path(autoencoder, data.x).with_suffix(".codes")
            snapshots.append(Snapshots(folder, data.x[: _n_kept(configuration, autoencoder)], configuration.codes_at))
            callbacks.append(snapshots[0])
        owner = method if "autoencoder" in method.get_params(deep=False) else method.clusterer
        owner.set_params(autoencoder=_fit_autoencoder(autoencoder, data.x, callbacks))
    inner = getattr(method, "clusterer", None)  # a teacher, or what clusters the codes
    if isinstance(inner, BaseEstimator) and "epochs" in inner.get_params(deep=False):
        inner.set_params(random_state=seed)
        watches.append(Stopwatch())
        inner.set_params(callbacks=[watches[-1], Progress(), Checkpoint(_inner_path(inner, autoencoder, data.x))])
    every = configuration.every
    if "epochs" in method.get_params(deep=False):  # k-means has callbacks, too, but starts instead of epochs
        place = HERE / "checkpoints" / experiment / f"{name}-seed{seed}-clusterer.ckpt"
        callbacks = [Scores(data.x, data.y, every)] if data.y is not None else []
        if configuration.evaluate:
            evaluate = configuration.evaluate
            callbacks.append(Evaluate(lambda method: evaluate(method, data, test), every))
        if configuration.codes_at and hasattr(method, "transform"):
            n_kept = _n_kept(configuration, autoencoder or method.autoencoder)
            snapshots.append(Snapshots(place.with_suffix(".codes"), data.x[:n_kept], configuration.codes_at))
            callbacks.append(snapshots[-1])
        callbacks += [watches[1], Progress(), Checkpoint(place, every)]
        method.set_params(callbacks=[Halt(), *callbacks] if unfinished else callbacks)
    method.fit(data.x)
    seconds = time.perf_counter() - started + sum(watch.before for watch in watches)
    # LatentClustering computes where its autoencoder does; k-means and the mixture on the CPU, as precise as the data.
    computing = method if hasattr(method, "device") else autoencoder
    device = resolve_device(getattr(computing, "device", "cpu"))
    mixed = hasattr(computing, "precision")
    result = {
        "experiment": experiment,
        "configuration": name,
        "method": type(method).__name__,
        "dataset": configuration.dataset,
        "split": configuration.split,
        "n": len(data.x),
        "seed": seed,
        "scores": _scores(data.y, method.labels_),
        "parameters": {"autoencoder": autoencoder and _parameters(autoencoder), "clusterer": _parameters(method)},
        "history": {},
        "seconds": round(seconds, 1),
        "peak_memory_mb": round(peak_memory() / 2**20),
        "device": str(device),
        "precision": resolve_precision(computing.precision, device) if mixed else str(data.x.dtype),
        "threads": torch.get_num_threads(),
        "processes": n_processes(),
        "versions": {"dclib": dclib.__version__, "torch": torch.__version__, "scikit-learn": sklearn.__version__},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}",
        "command": f"python -m experiments {experiment} --configurations {name} --seeds {seed}",
    }
    learner = method if "epochs" in method.get_params(deep=False) else getattr(method, "clusterer_", method)
    if hasattr(learner, "start_labels_"):
        result["start"] = _scores(data.y, learner.start_labels_)
    if "epochs" in learner.get_params(deep=False):
        frame = learner.history_.to_frame()
        result["history"] = {column: _rounded(frame[column]) for column in frame}
        if unfinished and len(frame) < method.epochs:
            result["unfinished"] = f"{len(frame)} of {method.epochs} epochs"
    if hasattr(method, "inertia_history_"):  # of k-means, an entry an iteration: mean squared distance
        result["loss_per_iteration"] = _rounded(np.array(method.inertia_history_) / len(data.x))
    if autoencoder is not None:
        history = autoencoder.history_
        for column in ("loss", "test_loss"):
            if any(column in row for row in history.rows):
                result[f"autoencoder_{column}"] = _rounded(history[column], 6)
    if test is not None and test.y is not None and hasattr(method, "predict"):
        result["test_scores"] = _scores(test.y, method.predict(test.x))
    if configuration.measure:
        result["measured"] = {key: round(float(value), 5) for key, value in configuration.measure(method, data).items()}
    arrays = configuration.keep(method, data) if configuration.keep else {}
    for snapshot in snapshots:
        arrays |= snapshot.arrays("autoencoder_codes" if snapshot is snapshots[0] and autoencoder else "codes")
    if snapshots and data.y is not None:
        arrays |= {"y": np.asarray(data.y[: len(snapshots[0].x)]), "labels": method.labels_[: len(snapshots[0].x)]}
    if int(os.environ.get("RANK", 0)) == 0:  # one of several processes writes
        path.parent.mkdir(parents=True, exist_ok=True)
        if arrays:
            result["arrays"] = _write_arrays(path.with_suffix(".npz"), arrays)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(result, indent=1) + "\n")
        partial.rename(path)
    return result


def autoencoder_path(autoencoder, x: np.ndarray) -> Path:
    """Where the checkpoint of this autoencoder lies, by its parameters, seed and data."""
    digest = hashlib.blake2b(np.ascontiguousarray(x).data, digest_size=8)
    seed = autoencoder.random_state
    digest.update(json.dumps([x.shape, type(autoencoder).__name__, _parameters(autoencoder), seed]).encode())
    return HERE / "checkpoints" / "autoencoders" / f"{digest.hexdigest()}.ckpt"


def _inner_path(inner, autoencoder, x: np.ndarray) -> Path:
    """Where the checkpoint of a clusterer inside another one lies: experiments share the teachers that are equal."""
    about = [type(inner).__name__, _parameters(inner), autoencoder and _parameters(autoencoder), inner.random_state]
    digest = hashlib.blake2b(np.ascontiguousarray(x).data, digest_size=8)
    digest.update(json.dumps(about).encode())
    return HERE / "checkpoints" / "clusterers" / f"{digest.hexdigest()}.ckpt"


def _fit_autoencoder(autoencoder, x: np.ndarray, callbacks: list[Callback]):
    """Train the autoencoder, or load what another experiment trained, or wait for one that is at it right now."""
    path = autoencoder_path(autoencoder, x)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The processes of one training are together in it, and must not wait for one another.
    with FileLock(path.with_suffix(".lock")) if n_processes() == 1 else contextlib.nullcontext():
        return autoencoder.set_params(callbacks=[*callbacks, Progress(), Checkpoint(path)]).fit(x)


def _n_kept(configuration: Configuration, autoencoder) -> int:
    """How many samples' codes are kept: 1,500, or as many as three quarters of the room hold in half precision."""
    n_codes = 2 * len(configuration.codes_at) * getattr(autoencoder, "latent_dim", 10)
    return min(1500, int(0.75 * ARRAYS_LIMIT / (2 * n_codes)))


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> str:
    """Write the arrays, floats in half precision, whole numbers up to 255 as bytes -> the name of the file."""

    def small(array) -> np.ndarray:
        array = np.asarray(array)
        if array.dtype.kind == "f":
            return array.astype(np.float16)
        return array.astype(np.uint8) if array.min() >= 0 and array.max() < 256 else array

    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, allow_pickle=False, **{name: small(array) for name, array in arrays.items()})
    if (size := partial.stat().st_size) > ARRAYS_LIMIT:
        partial.unlink()
        raise ValueError(f"{path.name} would have {size} bytes, at most {ARRAYS_LIMIT} are allowed: keep less.")
    partial.rename(path)
    return path.name


def _rounded(column, digits: int = 5) -> list[float | None]:
    """As JSON takes it, which has no NaN: epochs that were not scored are None."""
    return [None if np.isnan(value) else round(float(value), digits) for value in column]


def _scores(y, labels) -> dict[str, float]:
    return {} if y is None else {key: round(value, 5) for key, value in scores(y, labels).items()}


def _parameters(estimator) -> dict[str, Any]:
    """The estimator's parameters as JSON takes them; estimators among them with their own."""

    def plain(value):
        if isinstance(value, (int, float, str, bool, type(None))):
            return value
        if isinstance(value, BaseEstimator):
            return {"class": type(value).__name__, **_parameters(value)}
        return repr(value)

    skipped = ("autoencoder", "callbacks", "random_state")
    return {key: plain(value) for key, value in estimator.get_params(deep=False).items() if key not in skipped}


def peak_memory() -> int:
    """Most memory that this process ever held at once, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would report the larger parent that this process was forked from
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
