"""Device, precision and processes (by Lightning Fabric), and seeds that leave the global generators alone."""

from __future__ import annotations

import atexit
import logging
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils import check_random_state

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PRECISIONS = ("auto", "32-true", "bf16-mixed")


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


def draw_seed(random_state) -> int:
    """A seed for a `torch.Generator` from scikit-learn's `random_state` (None, an int or a RandomState)."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def make_generator(random_state) -> torch.Generator:
    """A generator on the CPU, seeded by `random_state`; torch's global generator is left alone."""
    return torch.Generator().manual_seed(draw_seed(random_state))


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
