"""Checks of what a user passes: samples, parameters, starts; and what a failed `fit` leaves behind."""

from __future__ import annotations

import functools
import sys
import warnings

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted, validate_data


def check_x(estimator, x, *, reset: bool) -> np.ndarray:
    """Check samples: (n, d), or images (n, c, h, w); return them as rows (n, d), float32 or float64.

    float32 and float64 stay. Of other numbers, those that float32 holds exactly (bytes of images) become float32, all
    others (integers of 32 and 64 bits) float64: above 2^24, float32 does not tell neighbours apart.

    With `reset`, remembers the number of features, `magnitude_`, and for images `image_shape_` = (c, h, w) (else None).
    Without, raises a ValueError unless the samples fit those of `fit` (rows of c·h·w values pass for images), and warns
    where their values are more than ten times as large: images in 0…255 for a model of images in [0, 1].
    """
    if x is None or isinstance(x, str):
        raise ValueError(f'X is {x!r}: pass samples, such as dclib.data.load("mnist5k").x')
    if hasattr(x, "target_names") and hasattr(x, "x"):
        raise ValueError(f"X is a {type(x).__name__} as `dclib.data.load` returns it: pass its samples, data.x.")
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        small = x.is_floating_point() and x.dtype.itemsize < 4  # NumPy has no bfloat16; float32 holds all of these
        x = (x.float() if small else x).numpy()
    elif isinstance(x, (list, tuple)):
        x = np.asarray(x)
    shape: tuple = getattr(x, "shape", ())
    image_shape = None
    # Not so small maps of many channels, such as a network's features (n, 64, 4, 4).
    if len(shape) == 4 and shape[3] in (1, 3, 4) and min(shape[1:3]) > 4:
        raise ValueError(
            f"X has the shape {tuple(shape)}, which looks like images with the channels last: pass them first, "
            "(n, c, h, w), with X.transpose(0, 3, 1, 2)."
        )
    if len(shape) == 4:
        image_shape, x = tuple(int(s) for s in shape[1:]), np.asarray(x).reshape(shape[0], int(np.prod(shape[1:])))
    elif len(shape) > 2:
        gray = ": for gray images X[:, None]" if len(shape) == 3 else ""
        raise ValueError(f"X has {len(shape)} axes, {tuple(shape)}. Pass rows (n, d), or images (n, c, h, w){gray}.")
    if not reset:
        check_is_fitted(estimator)
        if image_shape is not None and image_shape != estimator.image_shape_:
            fitted, give = estimator.image_shape_, "images of that shape"
            if fitted is None:
                fitted, give = f"rows of {estimator.n_features_in_} values", "such rows"
            raise ValueError(
                f"X holds images of shape {image_shape}, but this {type(estimator).__name__} was fitted on {fitted}: "
                f"pass {give}."
            )
    exact = isinstance(x, np.ndarray) and np.can_cast(x.dtype, np.float32)
    floats = [np.float32, np.float64] if exact else [np.float64, np.float32]
    try:
        rows = validate_data(estimator, x, reset=reset, dtype=floats, order="C")
    except ValueError as error:
        raise ValueError(_to_do(str(error), x)) from error
    magnitude = _magnitude(rows)
    if reset:
        estimator.image_shape_, estimator.magnitude_ = image_shape, magnitude
    else:
        warn_of_magnitude(estimator, magnitude)
    return rows


def _to_do(message: str, x) -> str:
    """scikit-learn's message about samples x, with what to do where it does not say that."""
    if message.startswith("could not convert string to float"):
        text = message.partition(":")[2].strip().removeprefix("np.str_(").removesuffix(")")
        return f"X holds text, {text}: encode it as numbers (sklearn.preprocessing)."
    for kind, is_bad, advice in (
        ("NaN", np.isnan, "fill the gaps (sklearn.impute)"),
        ("infinity", np.isinf, "look for what made them (a division by zero, a logarithm of zero)"),
    ):
        if message.startswith(f"Input X contains {kind}"):
            # Gaps in pandas' integer columns are no numbers; frames of others have no such method.
            values = x.to_numpy(np.float64, na_value=np.nan) if hasattr(x, "isna") else np.asarray(x, np.float64)
            bad = np.flatnonzero(is_bad(values).any(1))
            return (
                f"Input X contains {kind}: {len(bad)} of {len(x)} rows, the first is row {bad[0]}. Leave them out, or "
                f"{advice}."
            )
    if message.startswith("Expected 2D array, got 1D array"):
        return (
            f"Expected 2D array, got 1D array: X has the shape {np.shape(x)}. Reshape your data: X[:, None] if it is "
            "one feature of many samples, X[None] if it is one sample."
        )
    return message


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that called the library, however deep inside it the reason was noticed."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in ("dclib", "sklearn"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def warn_of_magnitude(estimator, magnitude: float) -> None:
    """Warn where the largest absolute value of X is far above that of what the estimator was fitted on."""
    if magnitude > 10 * getattr(estimator, "magnitude_", np.inf) > 0:
        warn(
            f"X has values of up to {magnitude:.3g}, but this {type(estimator).__name__} was fitted on values of up to "
            f"{estimator.magnitude_:.3g}: scale X as then (bytes of images: X / 255).",
        )


def warn_of_spread(rows: np.ndarray) -> None:
    """Warn where a feature spreads too far for a network to learn it."""
    # A sample is enough for a warning, and leaves data on disk where they are.
    if (spread := rows[:: -(-len(rows) // 10_000)].std(axis=0).max()) > 10:
        warn(
            f"X has a feature with a standard deviation of {spread:.3g}, too much for a network to learn well: scale "
            "images to [0, 1], other features to unit variance (sklearn.preprocessing.StandardScaler).",
        )


def _magnitude(rows: np.ndarray) -> float:
    """The largest absolute value, looked for in at most 10,000 of the rows: it is there to tell 255 from 1."""
    some = rows[:: -(-len(rows) // 10_000)]
    return float(max(some.max(), -some.min()))


def all_or_nothing(fit):
    """Decorator of `fit`: if it raises, the estimator is as it was before, and what had been fitted still works.

    Not if the user interrupts it (KeyboardInterrupt): who stops a long training wants what it has reached.
    """

    @functools.wraps(fit)
    def wrapper(self, *args, **kwargs):
        before = vars(self).copy()
        try:
            return fit(self, *args, **kwargs)
        except Exception:
            vars(self).clear()
            vars(self).update(before)
            raise

    return wrapper


def check_choice(name: str, value, choices, array: str = "") -> None:
    """Raise a ValueError that lists the choices, and the `array` allowed beside, unless `value` is one of them."""
    if not isinstance(value, str) or value not in choices:
        also = f", or give an array of {array}" if array else ""
        shown = (
            f" (an array of shape {np.shape(value)})"
            if isinstance(value, (np.ndarray, torch.Tensor))
            else f"={value!r}"
        )
        raise ValueError(f"{name}{shown} is not known: choose one of {', '.join(map(repr, choices))}{also}.")


def check_number(name: str, value, low, high=np.inf, *, integer=False, open_low=False) -> None:
    """Raise a ValueError unless low <= value <= high (low < value with `open_low`) and value is finite."""
    kind: tuple = (int, np.integer) if integer else (int, float, np.integer, np.floating)
    ok = isinstance(value, kind) and not isinstance(value, bool)
    if not (ok and (low < value if open_low else low <= value) and value <= high and value < np.inf):
        what = "an integer" if integer else "a number"
        interval = f"{'above' if open_low else 'of at least'} {low}" + (
            "" if high == np.inf else f" and at most {high}"
        )
        raise ValueError(f"{name}={value!r} must be {what} {interval}.")


def check_layers(name: str, value) -> None:
    """Raise a ValueError unless `value` is a tuple of layer sizes, or None."""
    sizes = value if isinstance(value, (list, tuple, type(None))) else [None]
    if any(not isinstance(size, (int, np.integer)) or size < 1 for size in sizes or ()):
        raise ValueError(f"{name}={value!r} must be a tuple of layer sizes, such as (500, 500, 2000).")


def check_n_clusters(n_clusters, n_samples: int, name: str = "n_clusters") -> None:
    """Raise a ValueError unless there can be so many clusters, or what else the parameter `name` counts."""
    check_number(name, n_clusters, 1, integer=True)
    if n_clusters > n_samples:
        raise ValueError(
            f"{name}={n_clusters}, but X has n_samples={n_samples}: ask for fewer {name.removeprefix('n_')} or give "
            "more samples."
        )


def given_centers(init, rows: np.ndarray, n_clusters: int, random_state: np.random.RandomState) -> np.ndarray:
    """The centers (k, d) that `init` is, an array, or that init(X, n_clusters, random_state) returns; X: rows (n, d).

    A copy in the precision of the rows. Raises ValueError unless they are finite numbers of this shape.
    """
    given = init(rows, n_clusters, random_state=random_state) if callable(init) else init
    shape = (n_clusters, rows.shape[1])
    try:
        centers = np.array(given, dtype=rows.dtype)
    except (TypeError, ValueError):
        raise ValueError(f"init={init!r} is no name that is known here, nor an array of numbers.") from None
    if centers.shape != shape or not np.isfinite(centers).all():
        raise ValueError(f"init has shape {centers.shape}: give finite centers, (k, d) = {shape}.")
    return centers


def check_labels(name: str, labels, n_samples: int, n_clusters: int) -> np.ndarray:
    """The array of labels as int64, unless they are not one integer from 0 to n_clusters − 1 a sample: a ValueError."""
    found = np.asarray(labels)
    if found.shape != (n_samples,) or found.dtype.kind not in "iu":
        raise ValueError(
            f"{name} has shape {found.shape} and type {found.dtype}: give one label a sample, integers ({n_samples},)."
        )
    if found.min() < 0 or found.max() >= n_clusters:
        raise ValueError(
            f"{name} has labels from {found.min()} to {found.max()}: with n_clusters={n_clusters} they run from 0 to "
            f"{n_clusters - 1}."
        )
    return found.astype(np.int64)
