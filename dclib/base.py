"""What all estimators share: checking the input, drawing a seed, saving and loading."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from dclib.augmentation import RandomShiftRotate

_FLOATS = (np.float32, np.float64)


def draw_seed(random_state) -> int:
    """A seed for a `torch.Generator` from scikit-learn's `random_state` (None, an int or a RandomState)."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def make_generator(random_state) -> torch.Generator:
    """A generator on the CPU, seeded by `random_state`; torch's global generator is left alone."""
    return torch.Generator().manual_seed(draw_seed(random_state))


def check_x(estimator, x, *, reset: bool, dtype=_FLOATS) -> np.ndarray:
    """Check samples: (n, d), or images (n, c, h, w); return them as rows (n, d), float32 or float64.

    With `reset`, remembers the number of features, `magnitude_`, and for images `image_shape_` = (c, h, w) (else None).
    Without, raises a ValueError unless the samples fit those of `fit` (rows of c·h·w values pass for images), and warns
    where their values are more than ten times as large: images in 0…255 for a model of images in [0, 1].
    """
    if x is None or isinstance(x, str):
        raise ValueError(f'X is {x!r}: pass samples, such as dclib.data.load("mnist5k").x')
    if hasattr(x, "target_names") and hasattr(x, "x"):
        raise ValueError(f"X is a {type(x).__name__} as `dclib.data.load` returns it: pass its samples, data.x.")
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu().numpy()
    elif isinstance(x, (list, tuple)):
        x = np.asarray(x)
    shape: tuple = getattr(x, "shape", ())
    image_shape = None
    if len(shape) == 4 and shape[3] in (1, 3, 4) and shape[1] > 4:
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
            fitted = estimator.image_shape_ or f"rows of {estimator.n_features_in_} values"
            raise ValueError(
                f"X holds images of shape {image_shape}, but this {type(estimator).__name__} was fitted on {fitted}."
            )
    rows = validate_data(estimator, x, reset=reset, dtype=list(dtype), order="C")
    magnitude = _magnitude(rows)
    if reset:
        estimator.image_shape_, estimator.magnitude_ = image_shape, magnitude
    else:
        warn_of_magnitude(estimator, magnitude)
    return rows


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
        raise ValueError(f"{name}={value!r} is not known: choose one of {', '.join(map(repr, choices))}{also}.")


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


def check_n_clusters(n_clusters, n_samples: int) -> None:
    check_number("n_clusters", n_clusters, 1, integer=True)
    if n_clusters > n_samples:
        raise ValueError(
            f"n_clusters={n_clusters}, but X has n_samples={n_samples}: ask for fewer clusters or give more samples."
        )


def check_centers(init, shape: tuple[int, int], dtype) -> np.ndarray:
    """A copy of the array that was given as `init`, finite numbers of this shape (k, d); else a ValueError."""
    try:
        centers = np.array(init, dtype=dtype)
    except (TypeError, ValueError):
        raise ValueError(f"init={init!r} is no name that is known here, nor an array of numbers.") from None
    if centers.shape != shape or not np.isfinite(centers).all():
        raise ValueError(f"init has shape {centers.shape}: give finite centers, (k, d) = {shape}.")
    return centers


class SavedEstimator(BaseEstimator):
    """A scikit-learn estimator that can be saved without pickle: one safetensors file with JSON in its header.

    Saved are the constructor's parameters (without callbacks) and every attribute that fitting set (ends in `_`).
    """

    def save(self, path) -> None:
        """Write the fitted estimator to `path`; the file appears whole or not at all.

        Raises ValueError where something in it has no safe form (a network class or callable of your own).
        """
        check_is_fitted(self)
        tensors: dict[str, np.ndarray] = {}
        header = json.dumps(_pack(self, "", tensors))
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # of several processes each writes its own
        partial.write_bytes(save(tensors, metadata={"dclib": header}))  # (save_file makes it the owner's alone)
        os.replace(partial, path)

    @classmethod
    def load(cls, path):
        """Read what `save` wrote; raises FileNotFoundError, or ValueError for a file of another kind or class."""
        if not Path(path).is_file():
            raise FileNotFoundError(f"There is no saved model at {path}.")
        try:
            with safe_open(path, framework="numpy") as file:
                header = (file.metadata() or {}).get("dclib")
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except SafetensorError as error:
            raise ValueError(
                f"{path} is damaged or no file of dclib's `save` ({error}). "
                "From a checkpoint one goes on by fitting again with the same Checkpoint callback."
            ) from error
        if header is None:
            raise ValueError(f"{path} is a safetensors file, but was not written by dclib's `save`.")
        packed = json.loads(header)
        if packed["class"] != cls.__name__:
            raise ValueError(f"{path} holds a {packed['class']}, not a {cls.__name__}: use {packed['class']}.load.")
        return _unpack(packed, tensors, {cls.__name__: cls} | _saved_classes())


def _saved_classes() -> dict[str, type]:
    found, queue = {}, [SavedEstimator]
    while queue:
        for sub in queue.pop().__subclasses__():
            found[sub.__name__] = sub
            queue.append(sub)
    return found


def _pack(value, where: str, tensors: dict) -> Any:
    """JSON form of `value`; arrays go to `tensors` under the name `where`."""
    if isinstance(value, SavedEstimator):
        params = {k: v for k, v in value.get_params(deep=False).items() if k != "callbacks"}
        fitted = {k: v for k, v in vars(value).items() if k.endswith("_") and not k.startswith("_")}
        return {
            "class": type(value).__name__,
            "module": type(value).__module__,
            "params": {k: _pack(v, f"{where}{k}.", tensors) for k, v in params.items()},
            "fitted": {k: _pack(v, f"{where}{k}.", tensors) for k, v in fitted.items()},
        }
    if isinstance(value, torch.nn.Module):
        if not hasattr(value, "config"):
            raise ValueError(
                f"A network of your own ({type(value).__name__}) has no safe form on disk: save its weights with "
                "safetensors.torch.save_model(estimator.network_, path)."
            )
        for name, tensor in value.state_dict().items():
            tensors[where + name] = np.ascontiguousarray(tensor.detach().cpu().numpy())
        return {"network": type(value).__name__, "config": _pack(value.config, where, tensors), "at": where}
    if isinstance(value, np.ndarray) and value.dtype != object:
        if value.dtype.kind in "US":
            return {"strings": value.tolist()}
        tensors[where] = np.ascontiguousarray(value)
        return {"array": where}
    if isinstance(value, RandomShiftRotate):
        return {"augment": dataclasses.asdict(value)}
    if hasattr(value, "rows") and hasattr(value, "to_frame"):
        return {"history": value.rows}
    if isinstance(value, tuple):
        return {"tuple": [_pack(v, f"{where}{i}.", tensors) for i, v in enumerate(value)]}
    if isinstance(value, list):
        return [_pack(v, f"{where}{i}.", tensors) for i, v in enumerate(value)]
    if isinstance(value, dict):
        return {"dict": {k: _pack(v, f"{where}{k}.", tensors) for k, v in value.items()}}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"{where.strip('.')} is a {type(value).__name__}, which has no safe form on disk.")


def _unpack(packed, tensors, classes) -> Any:
    if isinstance(packed, list):
        return [_unpack(v, tensors, classes) for v in packed]
    if not isinstance(packed, dict):
        return packed
    match packed:
        case {"class": name, "params": params, "fitted": fitted}:
            if packed.get("module", "").startswith("dclib."):  # a clusterer inside, whose module may not be loaded yet
                importlib.import_module(packed["module"])
                classes = _saved_classes() | classes
            estimator = classes[name](**{k: _unpack(v, tensors, classes) for k, v in params.items()})
            for key, value in fitted.items():
                setattr(estimator, key, _unpack(value, tensors, classes))
            return estimator
        case {"network": name, "config": config, "at": where}:
            from dclib import networks

            network = getattr(networks, name)(**_unpack(config, tensors, classes))
            weights = {key: torch.from_numpy(tensors[where + key].copy()) for key in network.state_dict()}
            network.load_state_dict(weights)
            return network.eval()
        case {"array": where}:
            return tensors[where]
        case {"strings": values}:
            return np.asarray(values)
        case {"augment": values}:
            return RandomShiftRotate(**values)
        case {"history": rows}:
            from dclib.training import History

            return History(rows)
        case {"tuple": values}:
            return tuple(_unpack(v, tensors, classes) for v in values)
        case {"dict": values}:
            return {k: _unpack(v, tensors, classes) for k, v in values.items()}
    raise ValueError(f"This file was written by another version of dclib: {sorted(packed)} is not known here.")
