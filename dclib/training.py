"""The one training loop, with device, precision and checkpoints from Lightning Fabric.

A method hands `train` a function `step(batch)` that does one optimizer step on this batch and returns its losses. The
random numbers of an epoch depend on the seed and the epoch alone, so that a training taken up again at an epoch goes on
as if it had never stopped, and several processes (started by torchrun) train the model that one would.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import math
import os
import pickle
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from dclib.augmentation import RandomShiftRotate

if TYPE_CHECKING:
    import pandas as pd
    from lightning_fabric import Fabric

PRECISIONS = ("auto", "32-true", "bf16-mixed")
# Rows in one block where no gradient is needed: larger ones are slower, and take more memory.
_BLOCK = 2048
# Images moved at once by the augmentation: more would fall out of the processor's cache.
_MOVED = 2048


# --- device and precision ---------------------------------------------------------------------------------------------


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """The device for "auto" (the first CUDA device, else Apple's mps, else the CPU) or for a name such as "cuda:1".

    Among several processes on one machine, each takes the CUDA device with its own number.
    Raises ValueError for a device that this machine lacks.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) if n_processes() > 1 else 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f'device={device!r} is not known: use "auto", "cpu", "cuda", "cuda:1" or "mps".') from error
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(
        resolved.type, 0
    )
    if (resolved.index or 0) >= count:
        raise ValueError(
            f'device={device!r} is not on this machine: use "auto" or "cpu" (python -m dclib shows what there is).'
        )
    return resolved


def cpu_bf16() -> str | None:
    """By what the CPU multiplies bfloat16, "AMX" or "AVX-512"; None where it would be slower than float32."""
    checks = {"AMX": "_is_amx_tile_supported", "AVX-512": "_is_avx512_bf16_supported"}
    return next((name for name, check in checks.items() if getattr(torch.cpu, check, bool)()), None)


def resolve_precision(precision: str = "auto", device: torch.device | None = None) -> str:
    """Fabric's name of the precision for "auto": "bf16-mixed" if the hardware multiplies bfloat16, else "32-true"."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r} is not known: choose one of {', '.join(map(repr, PRECISIONS))}.")
    if precision != "auto":
        return precision
    device = device or resolve_device()
    fast = {"cuda": torch.cuda.is_bf16_supported, "cpu": cpu_bf16}.get(device.type, bool)()
    return "bf16-mixed" if fast else "32-true"


def n_processes() -> int:
    """How many processes train together: 1, or what torchrun says."""
    return int(os.environ.get("WORLD_SIZE", 1)) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def make_fabric(device: str | torch.device = "auto", precision: str = "auto") -> Fabric:
    """A Fabric on one device of each process. Modules that it sets up compute in `precision` and return float32.

    In a script started by torchrun, all its processes train together (PyTorch's DistributedDataParallel): each calls
    `fit` with the same X, takes its share of every batch, and ends with the same model.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy

    # Fabric logs the precision of every training at level INFO, which would fill a notebook; the doctor shows it once.
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    resolved = resolve_device(device)
    devices: Any = 1 if resolved.type != "cuda" else [resolved.index or 0]
    strategy: Any = "auto"
    if n_processes() > 1:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"  # k-means runs on the CPU
        # Not every step uses every parameter: without a reconstruction loss the decoder rests.
        strategy = DDPStrategy(process_group_backend=backend, find_unused_parameters=True)
    fabric = Fabric(
        accelerator=resolved.type,
        devices=devices,
        num_nodes=n_processes() // devices if n_processes() > 1 else 1,
        strategy=strategy,
        precision=resolve_precision(precision, resolved),  # type: ignore[arg-type]
    )
    fabric.launch()
    if n_processes() > 1:
        atexit.unregister(_leave)
        atexit.register(_leave)
    return fabric


def _leave() -> None:
    """End the talk with the other processes: its threads may abort a Python that exits while they run."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


class seeded:
    """Context in which torch's global generator starts from `seed`; its state is put back at the end."""

    def __init__(self, seed: int):
        self.seed = seed

    def __enter__(self):
        self._fork = torch.random.fork_rng(devices=[])
        self._fork.__enter__()
        torch.manual_seed(self.seed)

    def __exit__(self, *error):
        self._fork.__exit__(*error)


def epoch_generator(seed: int, epoch: int, device: torch.device) -> torch.Generator:
    mixed = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator(device=device).manual_seed(mixed)


# --- data -------------------------------------------------------------------------------------------------------------


def as_tensor(rows: np.ndarray) -> Tensor:
    """A tensor on the same memory, for reading only: a memmap stays on disk."""
    with warnings.catch_warnings():  # PyTorch warns of arrays that cannot be written to
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(rows)


class Rows:
    """The whole data set as one tensor of `dtype`; `rows[indices]` is a batch on the device, one `index_select`.

    It lives on the device if it takes at most half of the free memory there, else in main memory; a numpy.memmap of
    this dtype stays on disk and is read batch by batch.
    """

    def __init__(self, x: np.ndarray, shape: tuple[int, ...], device: torch.device, dtype=np.float32):
        self.device = device
        self.tensor = as_tensor(np.ascontiguousarray(x, dtype=dtype)).view(-1, *shape)
        if device.type != "cuda" or 2 * self.tensor.nbytes < torch.cuda.mem_get_info(device)[0]:
            self.tensor = self.tensor.to(device)

    def __len__(self) -> int:
        return len(self.tensor)

    def __getitem__(self, indices: Tensor) -> Tensor:
        return self.tensor.index_select(0, indices.to(self.tensor.device)).to(self.device, non_blocking=True)

    def blocks(self, share: slice = slice(None)) -> Iterator[Tensor]:
        for block in self.tensor[share].split(_BLOCK):
            yield block.to(self.device, non_blocking=True)


@torch.no_grad()
def map_rows(function: Callable[[Tensor], Tensor], rows: Rows, fabric: Fabric | None = None) -> Tensor:
    """`function` on all rows, block by block, without gradients -> float32 on the device.

    With the `fabric` of several processes, each computes its share, and all return all rows.
    """
    rank, size = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)
    at, end = len(rows) * rank // size, len(rows) * (rank + 1) // size
    found = None
    for block in rows.blocks(slice(at, end)):
        part = function(block)
        if found is None:  # one array, since many small ones between the large ones of `function` would scatter memory
            found = torch.zeros(len(rows), *part.shape[1:], device=part.device)
        found[at : at + len(part)] = part
        at += len(part)
    assert found is not None
    return found if size == 1 else fabric.all_reduce(found, reduce_op="sum")  # type: ignore[union-attr, return-value]


# --- history and callbacks --------------------------------------------------------------------------------------------


class History:
    """What happened in each epoch: `rows` is a list of dicts, `history["loss"]` a column, `to_frame()` a DataFrame."""

    def __init__(self, rows: Iterable[dict[str, float]] = ()):
        self.rows = list(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, column: str) -> list[float]:
        if self.rows and not any(column in row for row in self.rows):
            raise KeyError(f"{column!r}: the history has the columns {list(self.rows[-1])}")
        return [row.get(column, math.nan) for row in self.rows]

    def __repr__(self) -> str:
        last = ", ".join(f"{k}={v:.4g}" for k, v in self.rows[-1].items()) if self.rows else ""
        return f"History({len(self.rows)} epochs{'; last: ' + last if last else ''})"

    def to_frame(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(self.rows)


@dataclass
class Run:
    """One call of `train`, as the callbacks see it. `row` is this epoch's row of the history; `stop = True` ends it."""

    estimator: Any
    fabric: Fabric
    state: dict[str, Any]
    data: Rows
    epochs: int
    seed: int
    epoch: int = 0
    history: History = field(default_factory=History)
    stop: bool = False

    @property
    def row(self) -> dict[str, float]:
        return self.history.rows[-1]


class Callback:
    """Does nothing; a subclass overrides what it needs."""

    def on_fit_start(self, run: Run) -> None: ...

    def on_epoch_end(self, run: Run) -> None: ...

    def on_fit_end(self, run: Run) -> None: ...


class Progress(Callback):
    """A progress bar over the epochs, in the notebook and in the terminal."""

    def on_fit_start(self, run: Run) -> None:
        from tqdm.auto import tqdm

        name, silent = type(run.estimator).__name__, not run.fabric.is_global_zero
        self.bar = tqdm(total=run.epochs, initial=run.epoch, desc=name, unit="epoch", disable=silent)

    def on_epoch_end(self, run: Run) -> None:
        self.bar.set_postfix({k: f"{v:.4g}" for k, v in run.row.items() if k != "epoch"}, refresh=False)
        self.bar.update()

    def on_fit_end(self, run: Run) -> None:
        self.bar.close()
        del self.bar  # an open bar could be neither copied nor pickled, nor then the estimator that it belongs to


class Evaluate(Callback):
    """Adds what `function(estimator)` returns (a dict of numbers) to the history, every few epochs and at the end."""

    def __init__(self, function: Callable[[Any], dict[str, float]], every: int = 1):
        self.function, self.every = function, every

    def on_epoch_end(self, run: Run) -> None:
        if run.epoch % self.every == 0 or run.epoch == run.epochs or run.stop:
            run.row.update(self.function(run.estimator))


class Scores(Evaluate):
    """Adds ACC, NMI, ARI, V and purity of `estimator.predict(X)` against the labels y; training never sees them."""

    def __init__(self, X, y, every: int = 1):
        from dclib import metrics

        if np.ndim(y) != 1 or len(X) != len(y):
            raise ValueError(
                f"Scores(X, y): {len(X)} samples, but labels of shape {np.shape(y)}. Give one label a sample."
            )
        super().__init__(lambda estimator: metrics.scores(y, estimator.predict(X)), every)

    def on_fit_start(self, run: Run) -> None:
        if not hasattr(run.estimator, "predict"):
            name = type(run.estimator).__name__
            raise ValueError(f"Scores needs clusters, which {name} has not: use Evaluate with a function of your own.")


class EarlyStopping(Callback):
    """Ends training when `monitor` has not fallen by a share of `min_delta` for `patience` epochs."""

    def __init__(self, monitor: str = "loss", patience: int = 5, min_delta: float = 1e-3):
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta

    def on_epoch_end(self, run: Run) -> None:
        if not any(self.monitor in row for row in run.history.rows):
            raise ValueError(
                f"EarlyStopping(monitor={self.monitor!r}): the history has the columns {', '.join(run.row)}. "
                "Scores come before it in the list of callbacks."
            )
        values = run.history[self.monitor]  # from the history, so that a resumed training stops where it would have
        best, since = math.inf, 0
        for value in values:
            if value < best - self.min_delta * abs(best) or best == math.inf:
                best, since = value, 0
            else:
                since += 1
        run.stop |= since >= self.patience


class Checkpoint(Callback):
    """Writes the state of training to `path` after every epoch; a later fit with the same `path` goes on from there.

    The file appears whole or not at all: an interruption at any moment (kill -9, power) costs at most `every` epochs,
    and the training ends with the weights that it would have had. Raises ValueError where the file belongs to another
    training (other parameters, data or starting autoencoder). A finished training is loaded, not repeated.
    """

    def __init__(self, path, every: int = 1):
        self.path, self.every = Path(path), every

    def on_fit_start(self, run: Run) -> None:
        self._fingerprint = self._identify(run)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not run.fabric.broadcast(self.path.exists()):
            return
        try:
            # Of several processes the first one reads and writes: the others may be on machines without this file.
            # (Not Fabric.load, in which each process waits for all.)
            load = run.fabric.strategy.checkpoint_io.load_checkpoint
            saved: Any = run.fabric.broadcast(load(self.path) if run.fabric.is_global_zero else None)
            about = [saved[key] for key in ("fingerprint", "epoch", "history", "seed", "stop")]
        except (EOFError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
            raise ValueError(f"{self.path} is no checkpoint of dclib: choose another path, or delete it.") from error
        fingerprint, run.epoch, history, run.seed, run.stop = about
        mine, theirs = json.loads(self._fingerprint), json.loads(fingerprint)
        if mine["class"] != theirs["class"]:
            raise ValueError(
                f"The checkpoint {self.path} belongs to a training of {theirs['class']}: choose another path."
            )
        if mine != theirs:
            changed = [key for key in mine if mine[key] != theirs.get(key)]
            raise ValueError(
                f"The checkpoint {self.path} belongs to another training (it differs in {', '.join(changed)}): "
                "choose another path, or delete it to start anew."
            )
        for name, value in run.state.items():
            if isinstance(value, Tensor):
                value.data.copy_(saved[name])
            else:
                value.load_state_dict(saved[name])
        run.history.rows[:] = json.loads(history)

    def on_epoch_end(self, run: Run) -> None:
        if run.epoch % self.every and run.epoch != run.epochs and not run.stop:
            return
        about = {"fingerprint": self._fingerprint, "epoch": run.epoch, "seed": run.seed, "stop": run.stop}
        partial = self.path.with_name(self.path.name + ".partial")
        run.fabric.save(partial, {**run.state, **about, "history": json.dumps(run.history.rows)})
        if run.fabric.is_global_zero:
            with open(partial, "rb") as file:
                os.fsync(file.fileno())
            os.replace(partial, self.path)

    @staticmethod
    def _identify(run: Run) -> str:
        """Which training this is: the class, its parameters, the data and a fitted autoencoder to start from."""
        skipped = ("callbacks", "device")
        params = {k: repr(v) for k, v in run.estimator.get_params().items() if k.split("__")[-1] not in skipped}
        params.pop("autoencoder", None)  # its parameters are there one by one
        params |= {"class": type(run.estimator).__name__, "data": _digest([run.data.tensor])}
        start: Any = getattr(run.estimator, "autoencoder", None)
        if hasattr(start, "network_"):
            params["the weights of the autoencoder it starts from"] = _digest(start.network_.parameters())
        return json.dumps(params)


def _digest(tensors: Iterable[Tensor]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        for block in tensor.detach().split(_BLOCK) if tensor.ndim else [tensor.detach()]:
            digest.update(block.cpu().contiguous().numpy().data)
    return digest.hexdigest()


# --- the loop ---------------------------------------------------------------------------------------------------------


@dataclass
class Batch:
    """What a method's step gets: this process's share of a batch."""

    rows: Tensor  # row numbers (b,)
    x: Tensor  # samples (b, *input_shape) on the device, augmented if the method asked for it
    size: int  # of the whole batch, over all processes
    start: int  # where the share begins in it
    weight: float  # of the share's mean, so that the average over the processes is the mean over the whole batch
    generator: torch.Generator

    def randn(self, *shape: int) -> Tensor:
        """Standard normal numbers (b, *shape), the same for these rows whatever the number of processes."""
        draws = torch.randn(self.size, *shape, generator=self.generator, device=self.generator.device)
        return draws[self.start : self.start + len(self.rows)]

    def rand(self, *shape: int) -> Tensor:
        """Uniform numbers (b, *shape) in [0, 1), as in `randn`."""
        draws = torch.rand(self.size, *shape, generator=self.generator, device=self.generator.device)
        return draws[self.start : self.start + len(self.rows)]


def descend(fabric: Fabric, optimizer, loss: Tensor, batch: Batch) -> None:
    """One step of the optimizer down the gradient of `loss`, a mean over the batch's rows."""
    optimizer.zero_grad()
    fabric.backward(loss * batch.weight if batch.weight != 1 else loss)
    optimizer.step()


def check_callbacks(callbacks) -> list[Callback]:
    """A copy of the list; None is an empty one. Raises ValueError for anything that is no list of callbacks."""
    given = [] if callbacks is None else callbacks
    if not isinstance(given, (list, tuple)) or not all(isinstance(callback, Callback) for callback in given):
        raise ValueError(f"callbacks={callbacks!r} must be a list of callbacks, such as [Progress()].")
    return list(given)


def train(
    estimator,
    step: Callable[[Batch], dict[str, Tensor]],
    data: Rows,
    *,
    fabric: Fabric,
    state: dict[str, Any],
    seed: int,
    refresh: Callable[[], dict[str, float]] | None = None,
    augment: RandomShiftRotate | None = None,
) -> History:
    """Train for `estimator.epochs` in batches of `estimator.batch_size`; `estimator.history_` grows as it goes.

    step(batch): one optimizer step -> losses (means over the batch's rows).
    state: what a checkpoint must hold (modules, optimizers, schedulers, tensors that change from epoch to epoch).
    refresh(): called before the first epoch and after every epoch, for what a method computes on all rows; returns
    columns for the history. A true "stop" among them ends the training.
    augment: moves the images of every batch.
    The estimator's `callbacks` run in order, but Progress and then Checkpoint come last: they show and hold what the
    others added.
    Raises FloatingPointError when a loss is no longer finite, naming the epoch.
    """
    callbacks = check_callbacks(estimator.callbacks)
    callbacks.sort(key=lambda callback: 2 * isinstance(callback, Checkpoint) + isinstance(callback, Progress))
    run = Run(estimator, fabric, state, data, estimator.epochs, seed)
    estimator.history_ = run.history
    for callback in reversed(callbacks):  # a checkpoint first: the others see where training starts
        callback.on_fit_start(run)
    try:
        if refresh:
            refresh()
        while run.epoch < run.epochs and not run.stop:
            run.epoch += 1
            generator = epoch_generator(run.seed, run.epoch, fabric.device)
            losses = _train_epoch(step, _batches(data, estimator.batch_size, generator, fabric, augment), fabric)
            if not all(map(math.isfinite, losses.values())):
                raise FloatingPointError(
                    f"{type(estimator).__name__}: the loss is not finite in epoch {run.epoch} ({losses}). "
                    "Lower learning_rate, or scale X: images to [0, 1], other features to unit variance."
                )
            notes = refresh() if refresh else {}
            run.stop = bool(notes.pop("stop", False))
            run.history.rows.append({"epoch": run.epoch, **losses, **notes})
            for callback in callbacks:
                callback.on_epoch_end(run)
    finally:
        for callback in callbacks:
            callback.on_fit_end(run)
    return run.history


def _batches(
    data: Rows, batch_size: int, generator: torch.Generator, fabric: Fabric, augment: RandomShiftRotate | None
) -> Iterator[Batch]:
    """All rows once, in random order, as this process's shares of the batches."""
    order = torch.randperm(len(data), generator=generator, device=generator.device)
    n_shares, rank = fabric.world_size, fabric.global_rank
    # Several batches at once: moving many images in one call costs much less than moving few in many.
    for block in order.split(batch_size * max(1, _MOVED // batch_size)):
        draws = augment.draw(len(block), generator, block.device) if augment else None
        shares = []
        for batch in range(0, len(block), batch_size):
            size = min(batch_size, len(block) - batch)
            # A last batch smaller than the number of processes is taken whole by each of them.
            start, end = (rank * size // n_shares, (rank + 1) * size // n_shares) if size >= n_shares else (0, size)
            shares.append((size, start, torch.arange(batch + start, batch + end, device=block.device)))
        mine = torch.cat([places for *_, places in shares]) if n_shares > 1 else slice(None)
        rows = block[mine]
        x = augment.move(data[rows], draws[:, mine]) if augment and draws is not None else None
        at = 0
        for size, start, places in shares:
            part = slice(at, at + len(places))
            at += len(places)
            weight = n_shares * len(places) / size if size >= n_shares else 1.0
            yield Batch(rows[part], data[rows[part]] if x is None else x[part], size, start, weight, generator)


def _train_epoch(step, batches: Iterable[Batch], fabric: Fabric) -> dict[str, float]:
    """One pass over the batches -> mean losses. Sums stay on the device: one transfer an epoch."""
    totals: dict[str, Tensor] = {}
    n_rows = 0
    for batch in batches:
        for name, loss in step(batch).items():
            totals[name] = totals.get(name, 0.0) + loss.detach() * (batch.weight * batch.size)
        n_rows += batch.size
    if fabric.world_size > 1:
        totals = {name: fabric.all_reduce(total, reduce_op="mean") for name, total in totals.items()}  # type: ignore
    return {name: float(total) / n_rows for name, total in totals.items()}


def adam(
    modules: Iterable[nn.Module | nn.Parameter], learning_rate: float, betas: tuple[float, float] = (0.9, 0.999)
) -> torch.optim.Adam:
    """Adam over all parameters, in PyTorch's fused form: one pass over the weights a step."""
    parameters = [p for m in modules for p in (m.parameters() if isinstance(m, nn.Module) else [m])]
    return torch.optim.Adam(
        parameters, lr=learning_rate, betas=betas, fused=parameters[0].device.type in ("cpu", "cuda")
    )
