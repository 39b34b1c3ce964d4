"""What happened in each epoch, and what else should happen then: progress, scores, early stop, checkpoints."""

from __future__ import annotations

import copy
import functools
import hashlib
import inspect
import json
import math
import os
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from torch import Tensor

from dclib import metrics
from dclib.engine.rows import BLOCK
from dclib.engine.validation import check_number

if TYPE_CHECKING:
    import pandas as pd


class History:
    """What happened in each epoch (or start): `rows` is a list of dicts, `history["loss"]` a column, `to_frame()` a
    DataFrame."""

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
        return f"History({len(self.rows)} rows{'; last: ' + last if last else ''})"

    def to_frame(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(self.rows)


@dataclass
class Run:
    """One call of `train`, as the callbacks see it. `row` is this epoch's row of the history; `stop = True` ends it.

    What has no epochs, but several starts, runs over those (`dclib.engine.starts`): `unit` is then "start".
    """

    estimator: Any
    fabric: Any  # a Fabric; None in k-means that runs in one process
    state: dict[str, Any]
    data: Any  # Rows; None without epochs
    epochs: int
    seed: int
    epoch: int = 0
    history: History = field(default_factory=History)
    stop: bool = False
    unit: str = "epoch"

    @property
    def row(self) -> dict[str, float]:
        return self.history.rows[-1]


class Callback:
    """Does nothing; a subclass overrides what it needs."""

    def on_fit_start(self, run: Run) -> None: ...

    def on_iteration(self, run: Run, report: dict[str, float]) -> None:
        """Inside a start, where there are no epochs: the number of the iteration and the loss."""

    def on_epoch_end(self, run: Run) -> None: ...

    def on_fit_end(self, run: Run) -> None: ...


class Progress(Callback):
    """A progress bar over the epochs, or the starts, in the notebook and in the terminal."""

    def on_fit_start(self, run: Run) -> None:
        from tqdm.auto import tqdm

        name, silent = type(run.estimator).__name__, run.fabric is not None and not run.fabric.is_global_zero
        # (miniters: an iteration, which moves the bar by nothing, shows its loss all the same)
        self.bar = tqdm(total=run.epochs, initial=run.epoch, desc=name, unit=run.unit, disable=silent, miniters=0)

    def on_iteration(self, run: Run, report: dict[str, float]) -> None:
        self._show(report, 0)

    def on_epoch_end(self, run: Run) -> None:
        self._show({k: v for k, v in run.row.items() if k != run.unit}, 1)

    def _show(self, values: dict[str, float], step: int) -> None:
        self.bar.set_postfix({k: f"{v:.4g}" for k, v in values.items()}, refresh=False)
        self.bar.update(step)

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
        if np.ndim(y) != 1 or len(X) != len(y):
            raise ValueError(
                f"Scores(X, y): {len(X)} samples, but labels of shape {np.shape(y)}. Give one label a sample."
            )
        super().__init__(self._scores, every)
        self.X, self.y = X, y

    def _scores(self, estimator) -> dict[str, float]:
        return metrics.scores(self.y, estimator.predict(self.X))

    def __deepcopy__(self, memo) -> Scores:
        return self  # keeps nothing of a training: a clone of the estimator needs no second copy of X

    def on_fit_start(self, run: Run) -> None:
        if not hasattr(run.estimator, "predict"):
            name = type(run.estimator).__name__
            raise ValueError(f"Scores needs clusters, which {name} has not: use Evaluate with a function of your own.")


class EarlyStopping(Callback):
    """Ends training when `monitor` has not fallen by a share of `min_delta` for `patience` epochs.

    monitor : a column of the history that falls while training goes well, a loss. Of one that is not there in every
        epoch, as from `Evaluate(every=2)`, only the epochs that have it count.
    """

    def __init__(self, monitor: str = "loss", patience: int = 5, min_delta: float = 1e-3):
        check_number("patience", patience, 1, integer=True)
        check_number("min_delta", min_delta, 0)
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta

    def on_epoch_end(self, run: Run) -> None:
        rows = run.history.rows  # from the history, so that a resumed training stops where it would have
        values = [row[self.monitor] for row in rows if self.monitor in row]
        # Another callback may add it every few epochs; but not after the last one.
        if not values and (run.stop or len(rows) >= min(self.patience, run.epochs)):
            raise ValueError(
                f"EarlyStopping(monitor={self.monitor!r}): the history has the columns {', '.join(run.row)}."
            )
        best, since = math.inf, 0
        for value in values:
            if value < (best - self.min_delta * abs(best) if best < math.inf else best):
                best, since = value, 0
            else:
                since += 1
        run.stop |= since >= self.patience


class Checkpoint(Callback):
    """Writes the state of training to `path` after every epoch; a later fit with the same `path` goes on from there.

    The file appears whole or not at all: an interruption at any moment (kill -9, power) costs at most `every` epochs,
    and the training ends with the weights that it would have had, on the same machine and thread count. (On a GPU, too,
    as far as PyTorch's documentation goes: training takes cuDNN's deterministic convolutions. `python -m benchmarks
    gpu` tries it.) Raises ValueError where the file belongs to another training (other parameters, data or starting
    autoencoder). A finished training is loaded, not repeated: delete the file to train anew with `random_state=None`. A
    path is for one training: in cross-validation or a search, where each fold is another, leave the callback out.

    every : epochs between two writings, each of which waits for the disk: more where an epoch takes a second, as on a
        GPU.
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
        for key in [key for key in mine if key.startswith(_NUMBERS) and key not in theirs]:
            del mine[key]  # a file from before there were these keys
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
        given = {k: v for k, v in run.estimator.get_params().items() if k.split("__")[-1] not in skipped}
        given.pop("autoencoder", None)  # its parameters are there one by one
        params = {k: repr(_lasting(v)) for k, v in given.items()}
        # NumPy writes out the ends of a long array only, and eight digits of a number.
        params |= {_NUMBERS + k: _digest_of_array(v) for k, v in given.items() if isinstance(v, (np.ndarray, Tensor))}
        params |= {"class": type(run.estimator).__name__, "data": _digest([run.data.tensor])}
        start: Any = getattr(run.estimator, "autoencoder", None)
        if hasattr(start, "network_"):
            params["the weights of the autoencoder it starts from"] = _digest(start.network_.parameters())
        return json.dumps(params)


_NUMBERS = "the numbers of "  # begins the fingerprint's keys for arrays


class _Name:
    """Its repr is this name."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return self.name


def _lasting(value) -> Any:
    """A parameter, whose repr is to be the same in another process: names instead of what has an address in memory.

    A RandomState is only named, since a checkpoint has the seed that was drawn from it; the callbacks of an estimator
    that is a parameter are left out.
    """
    if isinstance(value, BaseEstimator):
        plain = copy.copy(value)
        for name, parameter in value.get_params(deep=False).items():
            setattr(plain, name, None if name == "callbacks" and parameter else _lasting(parameter))
        return plain
    if type(value) in (list, tuple):
        return type(value)(map(_lasting, value))
    if isinstance(value, dict):
        return {key: _lasting(one) for key, one in value.items()}
    if isinstance(value, functools.partial):
        return _lasting([value.func, value.args, value.keywords])
    if inspect.isroutine(value):
        return _Name(value.__qualname__)
    if isinstance(value, np.random.RandomState) or type(value).__repr__ is object.__repr__:
        return _Name(type(value).__qualname__)
    return value


def _digest_of_array(array: np.ndarray | Tensor) -> str:
    return hashlib.blake2b(repr(array.tolist()).encode(), digest_size=16).hexdigest()


def _digest(tensors: Iterable[Tensor]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        for block in tensor.detach().split(BLOCK) if tensor.ndim else [tensor.detach()]:
            digest.update(block.cpu().contiguous().numpy().data)
    return digest.hexdigest()


def check_callbacks(callbacks) -> list[Callback]:
    """A copy of the list; None is an empty one. Raises ValueError for anything that is no list of callbacks."""
    given = [] if callbacks is None else callbacks
    if not isinstance(given, (list, tuple)) or not all(isinstance(callback, Callback) for callback in given):
        raise ValueError(f"callbacks={callbacks!r} must be a list of callbacks, such as [Progress()].")
    return list(given)
