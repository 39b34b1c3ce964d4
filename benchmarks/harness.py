"""Measuring: contenders take turns on the same data, medians are compared, and a ratio stands beside both scores."""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_info

from dclib.engine.device import cpu_bf16

T = TypeVar("T")
Row = dict[str, Any]

RESULTS = Path(__file__).parent / "results.json"
# Rows of the data that each contender sees once before the clock runs: whatever a first call loads is loaded then.
_WARM_UP = 1000


@dataclass
class Contender:
    """`run(x, seed)` is timed. `needs`: (module, package) of a peer that may not be installed."""

    name: str
    run: Callable[[np.ndarray, int], Any]
    needs: tuple[str, str] | None = None

    @property
    def missing(self) -> str | None:
        """What to do about a peer that is not installed, or None."""
        if self.needs is None or importlib.util.find_spec(self.needs[0]):
            return None
        return f"not installed: pip install {self.needs[1]}"


def interleaved(runs: Mapping[str, Callable[[int], T]], repetitions: int) -> dict[str, list[tuple[float, T]]]:
    """Call each of `runs` with the number of the repetition -> name: [(seconds, what it returned), …].

    They take turns, and another one begins each time: what slows the machine for a while slows all of them.
    """
    found: dict[str, list[tuple[float, T]]] = {name: [] for name in runs}
    names = list(runs)
    for repetition in range(repetitions):
        for name in names[repetition % len(names) :] + names[: repetition % len(names)]:
            gc.collect()  # what the last one left behind is not this one's work
            started = time.perf_counter()
            result = runs[name](repetition)
            found[name].append((time.perf_counter() - started, result))
    return found


def contest(
    work: str,
    what: str,
    x: np.ndarray,
    contenders: list[Contender],
    *,
    measure: str,
    quality: Callable[[Any, int], float],
    higher_is_better: bool,
    tolerance: float = 0.0,
    repetitions: int = 3,
) -> list[Row]:
    """The first contender (ours) against each of the others -> one row for each.

    what: description for the reader; measure: what quality(result, seed) means. It is not timed, and one function
    judges all. tolerance: how much worse (relatively) our median may be and still pass for equal.
    """
    ours, *peers = contenders
    present = [c for c in contenders if not c.missing]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few rows: of course it did not converge
        for contender in present:
            contender.run(x[:_WARM_UP], 0)

    def timed(contender: Contender) -> Callable[[int], Any]:
        return lambda seed: contender.run(x, seed)

    found = interleaved({c.name: timed(c) for c in present}, repetitions)
    medians = {
        name: (
            statistics.median(seconds for seconds, _ in runs),
            statistics.median(quality(result, seed) for seed, (_, result) in enumerate(runs)),
        )
        for name, runs in found.items()
    }
    rows = []
    for peer in peers:
        theirs = medians.get(peer.name, (None, None))
        row = make_row(work, what, peer.name, medians[ours.name], theirs, measure=measure, repetitions=repetitions)
        if peer.missing:
            row["note"] = peer.missing
        elif not at_least_equal(row["quality"], row["peer_quality"], higher_is_better, tolerance):
            row["note"] = "worse score"
        rows.append(row)
    return rows


def at_least_equal(quality: float, peer_quality: float, higher_is_better: bool, tolerance: float) -> bool:
    gain = quality - peer_quality if higher_is_better else peer_quality - quality
    return gain >= -tolerance * abs(peer_quality)


def make_row(
    work: str,
    what: str,
    peer: str,
    ours: tuple[float, float | None],
    theirs: tuple[float | None, float | None],
    *,
    measure: str,
    repetitions: int,
    **more,
) -> Row:
    """One line of results.json; ours and theirs are (seconds, quality), None where there is nothing to state."""
    (seconds, quality), (peer_seconds, peer_quality) = ours, theirs
    return {
        "work": work,
        "what": what,
        "peer": peer,
        "seconds": _short(seconds),
        "peer_seconds": _short(peer_seconds),
        "ratio": None if peer_seconds is None else _short(peer_seconds / seconds),
        "measure": measure,
        "quality": _short(quality),
        "peer_quality": _short(peer_quality),
        "repetitions": repetitions,
        "machine": describe_machine(),
        **more,
    }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


# --- files and tables -------------------------------------------------------------------------------------------------


def read_results(path: Path | None = None) -> list[Row]:
    path = path or RESULTS
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def write_results(rows: list[Row], order: Iterable[str], path: Path | None = None) -> list[Row]:
    """Put these rows in place of what is on file for the same works; returns all rows, works in this order."""
    path = path or RESULTS
    order, measured = list(order), {row["work"] for row in rows}
    rows = [row for row in read_results(path) if row["work"] not in measured and row["work"] in order] + rows
    rows.sort(key=lambda row: order.index(row["work"]))
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    partial.rename(path)
    return rows


def table(rows: list[Row]) -> str:
    """Markdown: what was done, the seconds of both, their ratio, the score of both, and the machine."""
    lines = [
        "| task | against | dclib, s | peer, s | ratio | score | dclib | peer |",
        "|---|---|--:|--:|--:|---|--:|--:|",
    ]
    machines = list(dict.fromkeys(row["machine"] for row in rows))
    for row in rows:
        note = f" ({row['note']})" if row.get("note") else ""
        mark = f" [{machines.index(row['machine']) + 1}]" if len(machines) > 1 else ""
        cells = [
            row["what"] + mark,
            row["peer"] + note,
            _seconds(row["seconds"]),
            _seconds(row["peer_seconds"]),
            "" if row["ratio"] is None else f"**{row['ratio']:.2f}**",
            row["measure"],
            _number(row["quality"]),
            _number(row["peer_quality"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("")
    for number, machine in enumerate(machines, start=1):
        lines.append(f"{f'[{number}] ' if len(machines) > 1 else ''}Machine: {machine}.")
    return "\n".join(lines) + "\n"


def short_table(rows: list[Row]) -> str:
    """Markdown, a line for each task: against whom, and how many times as fast."""
    lines = ["| task | times as fast as |", "|---|---|"]
    races = [row for row in rows if row["ratio"] is not None and row["work"] != "gemm"]  # a share of a rate is no race
    for what in dict.fromkeys(row["what"] for row in races):
        peers = [f"{row['peer']} **{row['ratio']:.2f}**" for row in races if row["what"] == what]
        lines.append(f"| {what} | {'; '.join(peers)} |")
    return "\n".join(lines) + "\n"


def _seconds(value: float | None) -> str:
    """Three digits: 123, 12.3, 1.23, 0.123."""
    return "" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


# --- the machine ------------------------------------------------------------------------------------------------------


def describe_machine() -> str:
    """Processor, cores, bf16 hardware, threads and versions: what one must know to read the seconds; no names."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"Python {platform.python_version()}"]
    peers = ("faiss-cpu", "clustpy", "scikit-learn-intelex", "superkmeans", "torchgmm")
    for package in ("dclib", "torch", "numpy", "scikit-learn", *peers):
        if present := _version(package):
            versions.append(f"{package} {present}")
    bf16 = f"bf16 by {name}" if (name := cpu_bf16()) else "no bf16 hardware"
    kernels = openblas_kernels()
    numpy_blas = f", OpenBLAS with {' and '.join(kernels)} kernels" if kernels else ""
    return (
        f"{_processor()} ({platform.machine()}), {cores} cores, {bf16}, {torch.get_num_threads()} threads"
        f"{numpy_blas}; {', '.join(versions)}"
    )


def openblas_kernels() -> list[str]:
    """The processors for which the loaded copies of OpenBLAS (numpy's, SciPy's, the peers') compute."""
    return sorted({info["architecture"] for info in threadpool_info() if info["internal_api"] == "openblas"})


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    if sys.platform == "darwin":
        sysctl = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(sysctl, text=True, capture_output=True).stdout.strip() or "Apple"
    return platform.processor() or "unknown processor"
