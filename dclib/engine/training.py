"""The one training loop.

A method hands `train` a function `step(batch)` that does one optimizer step on this batch and returns its losses. The
random numbers of an epoch depend on the seed and the epoch alone, so that a training taken up again at an epoch goes on
as if it had never stopped, and several processes (started by torchrun) train the model that one would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from dclib.engine.callbacks import Callback, Checkpoint, History, Progress, Run, check_callbacks
from dclib.engine.device import deterministic_convolutions, epoch_generator
from dclib.engine.graphs import graphed
from dclib.engine.rows import Rows

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# Images moved at once by the augmentation: more would fall out of the processor's cache.
_MOVED = 2048


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


class Augmentation(Protocol):
    """What moves the images of a batch: random numbers are drawn in one call, used in another, on any device."""

    def draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        """The random numbers (m, n) that n images need."""

    def move(self, images: Tensor, draws: Tensor) -> Tensor:
        """The images (n, c, h, w), each moved by its column of draws (m, n)."""


def descend(fabric: Fabric, optimizer, loss: Tensor, batch: Batch) -> None:
    """One step of the optimizer down the gradient of `loss`, a mean over the batch's rows."""
    optimizer.zero_grad()
    fabric.backward(loss * batch.weight if batch.weight != 1 else loss)
    optimizer.step()


def adam(
    modules: Iterable[nn.Module | nn.Parameter],
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
) -> torch.optim.Adam:
    """Adam, or AdamW with `weight_decay`, in PyTorch's fused form: one pass over all the weights a step."""
    parameters = _parameters(modules)
    fused = parameters[0].device.type in ("cpu", "cuda")
    if weight_decay:
        return torch.optim.AdamW(parameters, lr=learning_rate, betas=betas, weight_decay=weight_decay, fused=fused)
    return torch.optim.Adam(parameters, lr=learning_rate, betas=betas, fused=fused)


def sgd(modules: Iterable[nn.Module | nn.Parameter], learning_rate: float, momentum: float) -> torch.optim.SGD:
    """Stochastic gradient descent over all parameters: v ← momentum · v + gradient, weights −= learning_rate · v."""
    parameters = _parameters(modules)
    return torch.optim.SGD(
        parameters, lr=learning_rate, momentum=momentum, fused=parameters[0].device.type in ("cpu", "cuda")
    )


def _parameters(modules: Iterable[nn.Module | nn.Parameter]) -> list[nn.Parameter]:
    return [p for m in modules for p in (m.parameters() if isinstance(m, nn.Module) else [m])]


@deterministic_convolutions()
def train(
    estimator,
    step: Callable[[Batch], dict[str, Tensor]],
    data: Rows,
    *,
    fabric: Fabric,
    state: dict[str, Any],
    seed: int,
    refresh: Callable[[], dict[str, float]] | None = None,
    augment: Augmentation | None = None,
    replay: nn.Module | None = None,
) -> History:
    """Train for `estimator.epochs` in batches of `estimator.batch_size`; `estimator.history_` grows as it goes.

    step(batch): one optimizer step -> losses (means over the batch's rows).
    state: what a checkpoint must hold (modules, optimizers, schedulers, tensors that change from epoch to epoch).
    refresh(): called before the first epoch and after every epoch, for what a method computes on all rows; returns
    columns for the history. A true "stop" among them ends the training.
    augment: moves the images of every batch.
    replay: the network that `step` sends each batch through, which a GPU may take as a graph (`dclib.engine.graphs`).
    The estimator's `callbacks` run in order, but Progress and then Checkpoint come last: they show and hold what the
    others added.
    Raises FloatingPointError when a loss is no longer finite, naming the epoch.
    """
    callbacks = check_callbacks(estimator.callbacks)
    callbacks.sort(key=lambda callback: 2 * isinstance(callback, Checkpoint) + isinstance(callback, Progress))
    run = Run(estimator, fabric, state, data, estimator.epochs, seed)
    estimator.history_ = run.history
    shape = min(estimator.batch_size, len(data)), *data.tensor.shape[1:]
    started: list[Callback] = []
    try:
        for callback in reversed(callbacks):  # a checkpoint first: the others see where training starts
            callback.on_fit_start(run)
            started.insert(0, callback)
        with graphed(replay, shape, fabric):
            if refresh:
                refresh()
            while run.epoch < run.epochs and not run.stop:
                run.epoch += 1
                losses = _train_epoch(step, _batches(run, estimator.batch_size, augment), fabric)
                if not all(map(math.isfinite, losses.values())):
                    raise FloatingPointError(
                        f"{type(estimator).__name__}: the loss is not finite in epoch {run.epoch} ({losses}). "
                        "Lower learning_rate, or scale X: images to [0, 1], other features to unit variance."
                    )
                notes = refresh() if refresh else {}
                # Processes on unlike machines may round to different sides of a threshold: all do as the first one.
                run.stop = fabric.broadcast(bool(notes.pop("stop", False)))
                run.history.rows.append({"epoch": run.epoch, **losses, **notes})
                for callback in callbacks:
                    callback.on_epoch_end(run)
                    run.stop = fabric.broadcast(run.stop)
    finally:
        for callback in started:
            callback.on_fit_end(run)
    return run.history


def _batches(run: Run, batch_size: int, augment: Augmentation | None) -> Iterator[Batch]:
    """All rows once, in random order, as this process's shares of the batches."""
    data, device = run.data, run.fabric.device
    generator = epoch_generator(run.seed, run.epoch, device)
    # The order from the CPU's generator: unlike GPUs draw unlike long sequences from the same seed, but all processes
    # must visit the same rows. It is copied to the device once an epoch.
    cpu = generator if device.type == "cpu" else epoch_generator(run.seed, run.epoch, torch.device("cpu"))
    order = torch.randperm(len(data), generator=cpu)
    numbers = order.to(device)
    places = numbers if data.at_hand else order  # where the rows are
    n_shares, rank = run.fabric.world_size, run.fabric.global_rank
    # Several batches at once: moving many images in one call costs much less than moving few in many.
    block_size = batch_size * max(1, _MOVED // batch_size)
    for block in range(0, len(data), block_size):
        block_end = min(block + block_size, len(data))
        draws = augment.draw(block_end - block, generator, device) if augment else None
        shares = []
        for batch in range(block, block_end, batch_size):
            size = min(batch_size, block_end - batch)
            # A last batch smaller than the number of processes is taken whole by each of them.
            start, end = (rank * size // n_shares, (rank + 1) * size // n_shares) if size >= n_shares else (0, size)
            shares.append((size, start, slice(batch + start, batch + end)))
        x = None
        if augment and draws is not None:
            mine = torch.cat([places[share] for *_, share in shares])
            moves = torch.cat([draws[:, share.start - block : share.stop - block] for *_, share in shares], 1)
            x = augment.move(data[mine], moves)
        at = 0
        for size, start, share in shares:
            part = slice(at, at + share.stop - share.start)
            at = part.stop
            weight = n_shares * (share.stop - share.start) / size if size >= n_shares else 1.0
            yield Batch(numbers[share], data[places[share]] if x is None else x[part], size, start, weight, generator)


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
