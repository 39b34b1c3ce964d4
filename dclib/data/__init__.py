"""Data sets by name: `load("mnist5k")` gives a `Dataset` with float32 `x` and int64 `y`, wherever the files are.

A set that no installed package ships is looked for in the mirror that `$DCLIB_DATA` names, then in the user's cache
(`$DCLIB_CACHE`, else the system's folder for caches), then on the network; failing that, `DatasetUnavailable` says
what to do. Mirror and cache look alike: one file per set, named in the table `dclib.data.sources.SPECS`. The weights of
pretrained networks (`dclib.features`, table `WEIGHTS`) come the same way.

    python -m dclib.data fetch DEST [NAME ...]    fill the folder DEST: a mirror for a room without a network
    python -m dclib.data list                     which sets there are, and where
"""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dclib.data.sources import SPECS, WEIGHTS, Spec, generator

__all__ = ["NAMES", "Dataset", "DatasetUnavailable", "Status", "fetch", "load", "status"]


NAMES = tuple(SPECS)


class DatasetUnavailable(RuntimeError):
    """The data set, or a backbone's weights, is not here and could not be had; the message names the ways out."""


class _Damaged(Exception):
    """A file is not what its name promises: cut short, altered, or something else altogether."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """What `load` returns.

    `x` is float32: images (n, channels, height, width) with values in [0, 1], anything else (n, d). `y` is int64 (n,),
    an index into `target_names`, or None where there are no labels. `source` says, for people, where it all came from.
    """

    name: str
    x: np.ndarray
    y: np.ndarray | None
    target_names: list[str]
    source: str

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        # Without `source`, which may hold a path: lessons store what they print, and it must not differ by machine.
        kind = "images" if self.x.ndim == 4 else "vectors"
        shape = " x ".join(str(side) for side in self.x.shape[1:])
        shown = ", ".join(self.target_names[:10]) + (", ..." if len(self.target_names) > 10 else "")
        labels = "no labels" if self.y is None else f"{len(self.target_names)} classes: {shown}"
        return f"<Dataset {self.name}: {len(self.x):,} {kind} of {shape}, {self.x.dtype}; {labels}>"


def load(
    name: str,
    split: str = "all",
    *,
    n: int | None = None,
    random_state: int | None = 0,
    size: int | tuple[int, int] | None = None,
    n_topics: int | None = None,
) -> Dataset:
    """The data set `name`, one of `NAMES`; `python -m dclib.data list` says what each one is.

    split: "all", or "train" / "test" as its authors divided it (reuters21578: the ModApte split).
    n: only so many samples, drawn at random, in their original order.
    random_state: seed of that draw, and of the points of gaussians; None draws anew each time.
    size: of photos and bsds300, in pixels: an int for squares or (height, width), 128 by default. Each photograph,
        portrait or landscape, is scaled until it just covers `size`, then its middle is cut out. The short side of
        bsds300 is 321: with that, nothing is scaled.
    n_topics: of reuters21578: keep the texts with exactly one of the n most frequent topics, which becomes their label
        (any further topic does not count). Without it, all 21,578 texts and no labels: many texts have several topics
        or none. The vectors do not depend on it.

    Raises ValueError for an unknown name or a wrong option, DatasetUnavailable if the data cannot be had.
    """
    if name not in SPECS:
        close = difflib.get_close_matches(str(name), NAMES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"There is no data set {name!r}.{hint} There are: {', '.join(NAMES)}.")
    spec = SPECS[name]
    if split not in ("all", "train", "test"):
        raise ValueError(f'split is {split!r}: take "all", "train" or "test".')
    if split != "all" and not spec.splits:
        raise ValueError(
            f'{name} has no official split: leave split="all" and divide it yourself, '
            "for example with sklearn.model_selection.train_test_split."
        )
    if random_state is not None and not (isinstance(random_state, Integral) and 0 <= random_state < 2**32):
        raise ValueError(f"random_state is {random_state!r}: take 0 to 2**32 - 1, or None for another draw each time.")
    options: dict[str, Any] = {"random_state": random_state} if "random_state" in spec.options else {}
    for option, value in {"size": size, "n_topics": n_topics}.items():
        if value is not None and option not in spec.options:
            takers = " and ".join(other for other in NAMES if option in SPECS[other].options)
            raise ValueError(f"{option} is an option of {takers}, not of {name}: leave it out.")
        if value is not None:
            options[option] = value

    contents, source = _contents(name)
    raw = spec.build(contents, **options)
    rows = np.arange(len(raw.x))[raw.parts.get(split, slice(None))]
    if n is not None:
        if not isinstance(n, Integral) or not 1 <= n <= len(rows):
            raise ValueError(
                f"n is {n!r}: {name} has {len(rows)} samples here; take 1 to {len(rows)}, or None for all."
            )
        import torch

        rows = rows[np.sort(torch.randperm(len(rows), generator=generator(random_state))[: int(n)].numpy())]
    x = raw.x[rows].astype(np.float32, order="C", copy=False)
    if raw.x.dtype == np.uint8:
        x /= 255
    y = None if raw.y is None else raw.y[rows].astype(np.int64)
    return Dataset(name, x, y, list(raw.target_names), source)


# --- where a file is: the mirror, the cache, the network ------------------------------------------------------------


def _places() -> dict[str, Path]:
    """The folders to look in, in order."""
    mirror, cache = os.environ.get("DCLIB_DATA"), os.environ.get("DCLIB_CACHE")
    if not cache:
        import pooch

        cache = pooch.os_cache("dclib")
    places = {"mirror": mirror, "cache": cache}
    return {place: Path(folder).expanduser() for place, folder in places.items() if folder}


def _specs() -> dict[str, Spec]:
    """All that can have a file."""
    return SPECS | WEIGHTS


def cache_folder() -> Path:
    """The user's folder for what can be had again: `$DCLIB_CACHE`, else the system's. It may not exist yet."""
    return _places()["cache"]


def load_weights(name: str) -> dict[str, Any]:
    """The tensors of a backbone in `dclib.data.sources.WEIGHTS`, by name. Raises DatasetUnavailable."""
    return _contents(name)[0]


def _contents(name: str) -> tuple[Any, str]:
    """What `read` makes of the set's file, and where that is; None and who ships it for a set without a file."""
    spec, places = _specs()[name], _places()
    if not spec.file:
        return None, spec.where
    for place, folder in places.items():
        try:
            return _read(spec, folder / spec.file), f"{place}: {folder / spec.file}"
        except FileNotFoundError:
            continue
        except (_Damaged, OSError) as error:
            if place == "cache":  # `_fetch` looks again, alone, before it removes anything
                continue
            raise DatasetUnavailable(
                f"{folder / spec.file}, in the mirror that DCLIB_DATA names, is refused: {error}. It was left there. "
                f"Replace it with `python -m dclib.data fetch {folder} {name}`, or unset DCLIB_DATA."
            ) from error
    try:
        return _fetch(name, places["cache"]), f"{spec.where}; kept in the cache: {places['cache'] / spec.file}"
    except OSError as error:
        mirror = places.get("mirror")
        looked = f"DCLIB_DATA is {mirror}, which holds no {spec.file}" if mirror else "DCLIB_DATA is not set"
        kind, call = ("data set", "load") if name in SPECS else ("backbone", "PretrainedFeatures")
        raise DatasetUnavailable(
            f"The {kind} {name!r} is not on this machine ({looked}; the cache is {places['cache']}), "
            f"and the download failed ({error}). Three ways out:\n"
            f"1. Set the environment variable DCLIB_DATA to a folder that holds {spec.file}: your course's mirror?\n"
            f"2. On a machine with a network run `python -m dclib.data fetch DEST {name}`, bring DEST here, do 1.\n"
            f'3. Take a {kind} that needs no network: {call}("{spec.instead}").'
        ) from error


def _read(spec: Spec, path: Path) -> Any:
    assert spec.read is not None
    with path.open("rb") as file:
        try:
            return spec.read(file)
        except MemoryError:  # which says nothing about the file
            raise
        except Exception as error:  # zip, gzip, tar, numpy, PIL: each has its own way to say it
            raise _Damaged(f"damaged or not the right file ({type(error).__name__}: {error})") from error


def _fetch(name: str, folder: Path) -> Any:
    """Put the set's file into `folder`, unless a good one is there, and return what `read` makes of it.

    The file is made in a scratch folder beside its place, read and checked there, and only then renamed: nobody ever
    sees half of it. One process at a time; the system frees the lock of a process that was killed, and the next one
    clears away what that one left behind. Raises OSError.
    """
    from filelock import FileLock

    spec = _specs()[name]
    target = folder / spec.file
    folder.mkdir(parents=True, exist_ok=True)
    reasons = []
    with FileLock(folder / f".{name}.lock"):
        try:
            return _read(spec, target)  # there already, or another process was quicker
        except FileNotFoundError:
            pass
        except _Damaged as error:
            target.unlink()
            warnings.warn(f"{target} was {error}: removed.", stacklevel=2)
        for leftover in folder.glob(f".{name}-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for download in spec.downloads:
            with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as scratch, _patience(30):
                part = Path(scratch) / spec.file
                try:
                    download(part)
                    contents = _read(spec, part)
                    part.chmod(0o644)  # a mirror is for others too; pooch's files are for their owner only
                    os.replace(part, target)
                    return contents
                except Exception as error:  # whatever a network, a server or a package can come up with
                    reasons.append(f"{type(error).__name__}: {error}")
    raise OSError("; ".join(reasons))


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Give up on a silent server: a firewall that drops packets must not hang a lesson. urllib has only this switch."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


# --- what there is, and the command line ----------------------------------------------------------------------------


class Status(NamedTuple):
    name: str
    place: str | None  # a path, or who ships it; None: not on this machine
    remedy: str  # what to do about it, or ""


def status() -> list[Status]:
    """Which sets and weights are at hand, and where. Looks only whether files exist: quick, and `load` checks them."""
    rows = []
    for name, spec in _specs().items():
        paths = [folder / spec.file for folder in _places().values()]
        place = next((str(path) for path in paths if path.exists()), None) if spec.file else spec.where
        remedy = f"set DCLIB_DATA to a folder that holds {spec.file}, or fetch it ({spec.megabytes} MB) on a machine "
        remedy += f"with a network: python -m dclib.data fetch DEST {name}"
        rows.append(Status(name, place, "" if place else remedy))
    return rows


def fetch(destination: str | Path, names: Sequence[str] = ()) -> dict[str, str]:
    """Fill the mirror `destination` with these sets and weights, all by default; returns {name: why it failed}.

    Can be run again: a file that is there and whole is kept, a damaged one is replaced. Raises ValueError for a name
    that does not exist or needs no file.
    """
    specs = _specs()
    stored = [name for name in specs if specs[name].file]
    for name in names:
        if name not in stored:
            reason = f"needs no file: {specs[name].where}" if name in specs else "does not exist"
            raise ValueError(f"The data set {name} {reason}. A mirror can hold: {', '.join(stored)}.")
    failed = {}
    for name in names or stored:
        print(f"{name}: {specs[name].what} ({specs[name].megabytes} MB)", flush=True)
        try:
            _fetch(name, Path(destination).expanduser())
        except OSError as error:
            failed[name] = str(error)
        print(f"  {failed[name]}" if name in failed else f"  {Path(destination) / specs[name].file}", flush=True)
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dclib.data", description="The data sets of the course.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="which sets there are, and where")
    filling = commands.add_parser("fetch", help="fill a folder that DCLIB_DATA can name, for a room without a network")
    filling.add_argument("destination", metavar="DEST")
    filling.add_argument("names", metavar="NAME", nargs="*", help="all by default")
    given = parser.parse_args(arguments)
    if given.command == "list":
        for name, place, remedy in status():
            print(f"{name:<15} {_specs()[name].what}\n{'':<15} {place or 'not here: ' + remedy}")
        return 0
    try:
        failed = fetch(given.destination, given.names)
    except ValueError as error:
        parser.error(str(error))
    if failed:
        print(f"\nNot fetched: {', '.join(failed)}. Run the same command again to try only these.", file=sys.stderr)
    return 1 if failed else 0
