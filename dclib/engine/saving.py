"""Estimators on disk without pickle: one safetensors file, with JSON in its header."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from dclib.engine.callbacks import History


class SavedEstimator(BaseEstimator):
    """A scikit-learn estimator that can be saved without pickle: one safetensors file with JSON in its header.

    Saved are the constructor's parameters (without callbacks) and every attribute that fitting set (ends in `_`).
    """

    def save(self, path) -> None:
        """Write the fitted estimator to `path`; the file appears whole or not at all.

        A RandomState among the parameters is saved as None: its state after fitting is not the one that fitting began
        with, so a fit of the loaded estimator draws other numbers. Give a seed, an int, where that matters.
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


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "dclib"


def _class(module: str, name: str) -> type:
    """A class that a file names: one of dclib's, and no function, whatever the file says."""
    found = getattr(importlib.import_module(module), name) if _is_ours(module) else None
    if not isinstance(found, type) or not _is_ours(found.__module__):
        raise ValueError(f"This file asks for {module}.{name}, which is no class of dclib: do not trust it.")
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
    if isinstance(value, FrozenEstimator):
        return {"frozen": _pack(value.estimator, where, tensors)}
    if isinstance(value, torch.nn.Module):
        if not hasattr(value, "config"):
            raise ValueError(
                f"A network of your own ({type(value).__name__}) has no safe form on disk: save its weights with "
                "safetensors.torch.save_model(estimator.network_, path)."
            )
        for name, tensor in value.state_dict().items():
            tensors[where + name] = np.ascontiguousarray(tensor.detach().cpu().numpy())
        packed = {"network": type(value).__name__, "module": type(value).__module__}
        return {**packed, "config": _pack(value.config, where, tensors), "at": where}
    if isinstance(value, np.ndarray) and value.dtype != object:
        if value.dtype.kind in "US":
            return {"strings": value.tolist()}
        tensors[where] = np.ascontiguousarray(value)
        return {"array": where}
    if dataclasses.is_dataclass(value) and _is_ours(type(value).__module__):  # an augmentation
        return {"dataclass": type(value).__name__, "module": type(value).__module__, "values": dict(vars(value))}
    if isinstance(value, History):
        return {"history": value.rows}
    if isinstance(value, tuple):
        return {"tuple": [_pack(v, f"{where}{i}.", tensors) for i, v in enumerate(value)]}
    if isinstance(value, list):
        return [_pack(v, f"{where}{i}.", tensors) for i, v in enumerate(value)]
    if isinstance(value, dict):
        return {"dict": {k: _pack(v, f"{where}{k}.", tensors) for k, v in value.items()}}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.random.RandomState):
        return None
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
            if _is_ours(packed.get("module", "")):  # a clusterer inside, whose module may not be loaded yet
                importlib.import_module(packed["module"])
                classes = _saved_classes() | classes
            estimator = classes[name](**{k: _unpack(v, tensors, classes) for k, v in params.items()})
            for key, value in fitted.items():
                setattr(estimator, key, _unpack(value, tensors, classes))
            return estimator
        case {"frozen": estimator}:
            return FrozenEstimator(_unpack(estimator, tensors, classes))
        case {"network": name, "module": module, "config": config, "at": where}:
            network = _class(module, name)(**_unpack(config, tensors, classes))
            weights = {key: torch.from_numpy(tensors[where + key].copy()) for key in network.state_dict()}
            network.load_state_dict(weights)
            return network.eval()
        case {"array": where}:
            return tensors[where]
        case {"strings": values}:
            return np.asarray(values)
        case {"dataclass": name, "module": module, "values": values}:
            return _class(module, name)(**values)
        case {"history": rows}:
            return History(rows)
        case {"tuple": values}:
            return tuple(_unpack(v, tensors, classes) for v in values)
        case {"dict": values}:
            return {k: _unpack(v, tensors, classes) for k, v in values.items()}
    raise ValueError(f"This file was written by another version of dclib: {sorted(packed)} is not known here.")
