"""Device, precision and processes (by Lightning Fabric), and seeds that leave the global generators alone."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils import check_random_state

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PRECISIONS = ("auto", "32-true", "bf16-mixed")


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """The device for "auto" (the first CUDA device, else Apple's mps, else the CPU) or for a name such as "cuda:1".

    Among several processes on one machine, each takes the CUDA device with its own number; without CUDA they take the
    CPU, since processes cannot share Apple's GPU.
    Raises ValueError for a device that this machine lacks, or that this process cannot have beside the others.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return _own_cuda() if n_processes() > 1 else torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() and n_processes() == 1 else "cpu")
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
    if n_processes() > 1 and resolved.type == "mps":
        raise ValueError(
            'device="mps": several processes cannot share Apple\'s GPU. Use "auto" or "cpu", or start one.'
        )
    if n_processes() > 1 and resolved.type == "cuda":
        own = _own_cuda()
        if resolved.index not in (None, own.index):
            raise ValueError(
                f'device={device!r}: of several processes each takes the GPU of its own number. Use "auto" or "cuda".'
            )
        return own
    return resolved


def device_for(device: str | torch.device, dtype) -> torch.device:
    """As `resolve_device`, for numbers of this dtype: float64, which Apple's GPUs do not have, goes to the CPU."""
    resolved = resolve_device(device)
    return torch.device("cpu") if resolved.type == "mps" and dtype == np.float64 else resolved


def _own_cuda() -> torch.device:
    """This process's GPU among several processes; ValueError if there are fewer GPUs than processes."""
    rank, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if rank >= count:
        raise ValueError(
            f"torchrun started {os.environ['LOCAL_WORLD_SIZE']} processes on this machine, which has {count} "
            f'GPU{"s" * (count != 1)}: start one for each GPU (--nproc_per_node=gpu), or train with device="cpu".'
        )
    return torch.device("cuda", rank)


def free_memory(device: torch.device) -> int:
    """Bytes that new tensors may take on a GPU. What PyTorch holds in reserve there for later ones counts as free."""
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    reserve = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + reserve


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
    if device.type == "cuda":
        # Not torch.cuda.is_bf16_supported, which is true for older GPUs, too: they emulate it, slower than float32.
        fast = torch.cuda.get_device_capability(device)[0] >= 8
    else:
        fast = device.type == "cpu" and cpu_bf16() is not None
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
        # Both where each process can have a GPU, since one script may train on the GPUs and cluster on the CPU.
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.device_count() >= devices else "gloo"
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


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Context in which the CPU's global generator starts from `seed`; its state is put back at the end.

    (torch.manual_seed would also seed the generators of all GPUs.)
    """
    state = torch.default_generator.get_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.default_generator.set_state(state)


@contextmanager
def deterministic_convolutions() -> Iterator[None]:
    """Context in which cuDNN computes the gradients of convolutions by algorithms that give the same sums each time."""
    before = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before


def epoch_generator(seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """A generator on this device for one epoch, whose numbers depend on the seed and the epoch alone."""
    mixed = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator(device=device).manual_seed(mixed)
