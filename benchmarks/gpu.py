"""The first day with a GPU: what could not be tried without one, in one command. python -m benchmarks gpu

Does anything wait for the GPU inside a step of training? Is a training the same twice, and after an interruption? What
do bfloat16, CUDA graphs, data in main memory and a second GPU change? How many seconds does MNIST take to .98? It takes
the data set MNIST and writes no file. Exit status 1 if something was found that should not be.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from sklearn.base import clone

from benchmarks.harness import interleaved
from dclib.autoencoded_kmeans import AutoencodedKMeans
from dclib.autoencoder import Autoencoder
from dclib.data import Dataset, load
from dclib.dcan import DCAN
from dclib.dcra import DCRA
from dclib.dec import DEC
from dclib.engine import rows, training
from dclib.engine.callbacks import Callback, Checkpoint
from dclib.engine.device import resolve_device, resolve_precision
from dclib.gaussian_divergence import GaussianDivergence
from dclib.gmm import GaussianMixture
from dclib.gradient_kmeans import GradientKMeans
from dclib.metrics import clustering_accuracy
from dclib.neighbor_clustering import NeighborClustering
from dclib.self_labelling import SelfLabelling
from experiments import mnist_dec

# What a GPU changes in the last digits grows in training: losses that differ by more than this share are not the same.
_TOLERANCE = 0.05


@dataclass
class Finding:
    """One line: what was asked, what was seen; `fine` is None where it is only a measurement."""

    what: str
    seen: str
    fine: bool | None = None


@dataclass
class Sizes:
    """How large the trials are: `quick` ones show that all runs."""

    data: Dataset
    epochs: int = 3
    repetitions: int = 3
    small: int = 5_000  # rows, where speed does not matter
    quick: bool = False


def sizes(quick: bool) -> Sizes:
    if quick:
        return Sizes(load("digits", n=300), epochs=2, repetitions=1, small=150, quick=True)
    return Sizes(load("mnist", split="all"))


# --- what a step waits for --------------------------------------------------------------------------------------------


@contextmanager
def inside_steps(guard: Callable[[], AbstractContextManager]) -> Iterator[None]:
    """In this context each step of training, and the making of its batch, runs inside `guard()`.

    Not the first batch of an epoch: it brings the order of the rows, for which the GPU may be waited for.
    """
    real = training._train_epoch

    def train_epoch(step, batches, fabric):
        def guarded_step(batch):
            with guard():
                return step(batch)

        def guarded(iterator):
            yield next(iterator)
            while True:
                with guard():
                    batch = next(iterator, None)
                if batch is None:
                    return
                yield batch

        return real(guarded_step, guarded(iter(batches)), fabric)

    with mock.patch.object(training, "_train_epoch", train_epoch):
        yield


@contextmanager
def no_waiting() -> Iterator[None]:
    """PyTorch raises RuntimeError where the CPU would wait for the GPU."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@contextmanager
def data_in_main_memory() -> Iterator[None]:
    """In this context no data fit on the GPU."""
    with mock.patch.object(rows, "free_memory", return_value=0):
        yield


def methods(quick: bool) -> dict[str, Any]:
    """Every method that trains in steps, and the ways in which its batches come."""
    start: dict[str, Any] = {"epochs": 2, "batch_size": 50 if quick else 256, "random_state": 0}
    joint = {"n_clusters": 10, "init": "balanced", "n_init": 1, **start}
    hidden = {"hidden": (16,)} if quick else {}
    dense = Autoencoder(**start, **hidden)
    return {
        "Autoencoder": dense,
        "Autoencoder, noise": Autoencoder(noise=0.3, **start, **hidden),
        "Autoencoder, conv, augmented": Autoencoder(network="conv", augment=True, **start),
        "DEC, augmented": DEC(autoencoder=dense, augment=True, update_interval=3, **joint),
        "IDEC": DEC(autoencoder=dense, reconstruction_weight=1.0, **joint),
        "AutoencodedKMeans": AutoencodedKMeans(autoencoder=dense, **joint),
        "DCRA": DCRA(autoencoder=dense, **joint),
        "DCAN": DCAN(autoencoder=dense, **joint),
        "GaussianDivergence": GaussianDivergence(autoencoder=dense, **joint),
        "NeighborClustering": NeighborClustering(autoencoder=dense, start_epochs=1, **joint, **hidden),
        "SelfLabelling": SelfLabelling(
            GaussianMixture(covariance_type="diag", reg_covar=1e-3, n_init=1), **start, **hidden
        ),
        "GradientKMeans": GradientKMeans(**start),
        "GradientKMeans, soft": GradientKMeans(temperature=1.0, **start),
    }


def waits(size: Sizes) -> Iterator[Finding]:
    x = size.data.x[: size.small]
    for place in ("on the GPU", "in main memory"):
        for name, method in methods(size.quick).items():
            try:
                with inside_steps(no_waiting):
                    if place == "on the GPU":
                        clone(method).fit(x)
                    else:
                        with data_in_main_memory():
                            clone(method).fit(x)
            except RuntimeError as error:
                yield Finding(f"steps that wait: {name}, data {place}", str(error).splitlines()[0], fine=False)
            else:
                yield Finding(f"steps that wait: {name}, data {place}", "none", fine=True)


# --- the same twice ---------------------------------------------------------------------------------------------------


class _Interruption(Callback):
    """In the second epoch, before its checkpoint."""

    def on_epoch_end(self, run) -> None:
        if run.epoch == 2:
            raise KeyboardInterrupt


def numbers_of(model) -> np.ndarray:
    """All that training changed, in one row."""
    network = getattr(getattr(model, "autoencoder_", model), "network_", None)
    parts = [] if network is None else [p.detach().numpy().ravel() for p in network.parameters()]
    return np.concatenate([*parts, np.ravel(getattr(model, "cluster_centers_", []))])


def determinism(size: Sizes) -> Iterator[Finding]:
    x = size.data.x[: size.small]
    for name, method in methods(size.quick).items():
        first, again = (numbers_of(clone(method).fit(x)) for _ in range(2))
        with tempfile.TemporaryDirectory() as folder:
            keep = Checkpoint(Path(folder) / "training.ckpt")
            with contextlib.suppress(KeyboardInterrupt):
                clone(method).set_params(callbacks=[keep, _Interruption()]).fit(x)
            resumed = numbers_of(clone(method).set_params(callbacks=[keep]).fit(x))
        for what, other in (("the same twice", again), ("the same after an interruption", resumed)):
            worst = float(np.abs(first - other).max())
            seen = "every bit" if worst == 0 else f"largest difference {worst:.2g}"
            yield Finding(f"{what}: {name}", seen, fine=worst == 0)


# --- speed ------------------------------------------------------------------------------------------------------------


def small_if_quick(size: Sizes, model: Any) -> Any:
    """The model, in quick trials with small batches and a small network of its own."""
    options = {"batch_size": 50} | ({"hidden": (16,)} if isinstance(model, Autoencoder) else {})
    return model.set_params(**options) if size.quick else model


def compare(size: Sizes, what: str, ways: dict[str, Callable[[Any], Any]], model: Any = None) -> Iterator[Finding]:
    """The same training in several ways, in turns: images a second, and whether the losses end near the first one's."""
    model = small_if_quick(size, model or Autoencoder(epochs=size.epochs))

    def run(way: Callable[[Any], Any]) -> Callable[[int], float]:
        return lambda seed: way(copy.deepcopy(model).set_params(random_state=seed)).history_["loss"][-1]

    for way in ways.values():
        run(way)(0)  # whatever a first call loads is loaded now
    found = interleaved({name: run(way) for name, way in ways.items()}, size.repetitions)
    images = len(size.data.x) * size.epochs
    expected = statistics.median(loss for _, loss in next(iter(found.values())))
    for name, runs in found.items():
        seconds, loss = statistics.median(s for s, _ in runs), statistics.median(loss for _, loss in runs)
        fine = abs(loss - expected) <= _TOLERANCE * expected
        yield Finding(f"{what}: {name}", f"{images / seconds:,.0f} images a second, loss {loss:.4g}", fine)


def precisions(size: Sizes) -> Iterator[Finding]:
    def way(precision: str, batch_size: int) -> Callable[[Autoencoder], Autoencoder]:
        return lambda model: model.set_params(precision=precision, batch_size=batch_size).fit(size.data.x)

    yield Finding("precision that is taken by default", resolve_precision("auto"))
    for batch_size in (50,) if size.quick else (256, 2048):
        ways = {precision: way(precision, batch_size) for precision in ("32-true", "bf16-mixed")}
        yield from compare(size, f"precision, batches of {batch_size}", ways)


def graphs(size: Sizes) -> Iterator[Finding]:
    def way(switch: str) -> Callable[[Any], Any]:
        def fit(model: Any) -> Any:
            with mock.patch.dict(os.environ, DCLIB_CUDA_GRAPHS=switch):
                return model.fit(size.data.x)

        return fit

    ways = {"off": way("0"), "on (DCLIB_CUDA_GRAPHS=1)": way("1")}
    yield from compare(size, "CUDA graphs", ways)
    start = small_if_quick(size, Autoencoder(epochs=size.epochs, random_state=0)).fit(size.data.x)
    dec = DEC(autoencoder=start, n_init=1, epochs=size.epochs, tol=0)
    yield from compare(size, "CUDA graphs, DEC with its start", ways, dec)


def host_data(size: Sizes) -> Iterator[Finding]:
    def in_main_memory(model: Autoencoder) -> Autoencoder:
        with data_in_main_memory():
            return model.fit(size.data.x)

    yield from compare(size, "data", {"on the GPU": lambda m: m.fit(size.data.x), "in main memory": in_main_memory})


def mnist(size: Sizes) -> Iterator[Finding]:
    """The recipe of `python -m experiments mnist_dec`, augmented, from nothing to labels."""
    recipe = mnist_dec.configurations()["augmented"]
    if size.quick:
        recipe.autoencoder.set_params(hidden=(16,), epochs=2, batch_size=50)
        recipe.clusterer.set_params(epochs=2, batch_size=50, n_init=1)
    started = time.perf_counter()
    autoencoder = recipe.autoencoder.set_params(random_state=0).fit(size.data.x)
    trained = time.perf_counter()
    model = recipe.clusterer.set_params(autoencoder=autoencoder, random_state=0).fit(size.data.x)
    ended = time.perf_counter()
    acc = clustering_accuracy(size.data.y, model.labels_)
    seen = (
        f"ACC {acc:.4f} in {ended - started:.1f} s ({trained - started:.1f} s autoencoder, {ended - trained:.1f} s DEC)"
    )
    yield Finding("augmented DEC from nothing", seen, None if size.quick else acc >= 0.97)


def train_once(out: str, quick: bool) -> None:
    """What each process of `several` does: the first one writes seconds and loss to `out`."""
    size = sizes(quick)
    x = size.data.x
    options: dict[str, Any] = {"epochs": size.epochs, "batch_size": 50 if quick else 2048, "random_state": 0}
    Autoencoder(**options | {"epochs": 1}).fit(x[: size.small])  # whatever a first call loads is loaded now
    started = time.perf_counter()
    model = Autoencoder(**options).fit(x)
    seconds = time.perf_counter() - started
    if int(os.environ.get("RANK", 0)) == 0:
        Path(out).write_text(json.dumps({"seconds": seconds, "loss": model.history_["loss"][-1]}), encoding="utf-8")


def several(size: Sizes) -> Iterator[Finding]:
    counts = [1, torch.cuda.device_count()]
    if counts[1] < 2:
        yield Finding("several GPUs", "this machine has one: not tried")
        return
    found = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            out = str(Path(folder) / "found.json")
            call = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
            call += ["-m", "benchmarks.gpu", out, *(["--quick"] if size.quick else [])]
            subprocess.run(call, check=True)
            found[count] = json.loads(Path(out).read_text(encoding="utf-8"))
    one, all_ = (found[count] for count in counts)
    seen = f"{one['seconds'] / all_['seconds']:.2f} times as fast as one, loss {all_['loss']:.4g} for {one['loss']:.4g}"
    yield Finding(
        f"{counts[1]} GPUs, batches of 2048", seen, abs(all_["loss"] - one["loss"]) <= _TOLERANCE * one["loss"]
    )


# --- the report -------------------------------------------------------------------------------------------------------

CHECKS = (waits, determinism, precisions, graphs, host_data, mnist, several)


def describe() -> str:
    device, version = resolve_device("auto"), torch.backends.cudnn.version()
    major, minor = torch.cuda.get_device_capability(device)
    memory = torch.cuda.get_device_properties(device).total_memory / 2**30
    return (
        f"{torch.cuda.device_count()} × {torch.cuda.get_device_name(device)}, capability {major}.{minor}, "
        f"{memory:.0f} GiB; torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {version}"
    )


def report(size: Sizes) -> int:
    """Prints what each check finds -> how many findings should not be. A check that fails is a finding, too."""
    wrong = 0
    for check in CHECKS:
        try:
            for finding in check(size):
                wrong += finding.fine is False
                _print(finding)
        except Exception as error:  # the other checks may still say something
            wrong += 1
            _print(Finding(check.__name__, f"{type(error).__name__}: {error}", fine=False))
    return wrong


def _print(finding: Finding) -> None:
    mark = {True: "ok    ", False: "WRONG ", None: "      "}[finding.fine]
    print(f"{mark}{finding.what}: {finding.seen}", flush=True)


def main(quick: bool = False) -> int:
    """-> exit status"""
    if resolve_device("auto").type != "cuda":
        print("no GPU here: this command tries on one (CUDA) what could not be tried without.")
        return 0
    print(describe(), flush=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # trainings so short that nothing is learned
        wrong = report(sizes(quick))
    print(f"{wrong} wrong" if wrong else "nothing wrong")
    return int(wrong > 0)


if __name__ == "__main__":  # one of several processes
    train_once(sys.argv[1], "--quick" in sys.argv)
