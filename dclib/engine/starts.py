"""Several starts, of which the best is kept: what estimators without epochs do, and their callbacks see."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeVar

from dclib.engine.callbacks import Checkpoint, Progress, Run, check_callbacks
from dclib.engine.processes import ALONE, Alone

Start = TypeVar("Start")
Found = TypeVar("Found")


def best_start(
    estimator,
    starts: Iterable[Start],
    n_starts: int,
    search: Callable[[Start, Callable[[float], None]], tuple[float, Found]],
    publish: Callable[[Found], None],
    *,
    margin: float = 0.0,
    everyone: Alone = ALONE,
) -> Found:
    """Search from each of the starts -> what was found with the lowest loss. `estimator.history_` gets a row a start.

    search(start, report) -> loss, what was found; it calls report(loss) in each of its iterations.
    publish(found) lets the estimator predict: with what each start found, when the callbacks are called, at the end
    (also if the user interrupts) with the best.
    margin: a later start is better only if its loss is lower by this share.
    Raises ValueError for a `Checkpoint`, which needs a training with epochs, and FloatingPointError where no start ends
    with a finite loss.
    """
    callbacks = check_callbacks(estimator.callbacks)
    if any(isinstance(callback, Checkpoint) for callback in callbacks):
        name = type(estimator).__name__
        raise ValueError(f"callbacks: {name} has no epochs that a Checkpoint could go on from; save it when fitted.")
    callbacks.sort(key=lambda callback: isinstance(callback, Progress))  # last, to show what the others added
    run = Run(estimator, everyone.fabric, {}, None, n_starts, 0, unit="start")
    estimator.history_ = run.history
    iterations, lowest, best = 0, math.inf, None

    def report(loss: float) -> None:
        nonlocal iterations
        iterations += 1
        for callback in callbacks:
            callback.on_iteration(run, {"iteration": iterations, "loss": loss})

    started = []
    try:
        for callback in callbacks:
            callback.on_fit_start(run)
            started.append(callback)
        for start in starts:
            run.epoch, iterations = run.epoch + 1, 0
            loss, found = search(start, report)
            if best is None or not math.isfinite(lowest) or loss < lowest - margin * abs(lowest):
                lowest, best = loss, found
            publish(found)
            run.history.rows.append({"start": run.epoch, "loss": loss, "iterations": iterations})
            for callback in callbacks:
                callback.on_epoch_end(run)
            if run.stop:
                break
    finally:
        if best is not None:
            publish(best)
        for callback in started:
            callback.on_fit_end(run)
    assert best is not None
    if not math.isfinite(lowest):
        raise FloatingPointError(
            f"{type(estimator).__name__}: no start ended with a finite loss (the last one: {lowest}). Scale X to unit "
            "variance (sklearn.preprocessing.StandardScaler), and centers that you give as `init` with it."
        )
    return best
