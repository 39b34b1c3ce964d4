"""What a training costs: minutes and memory, from counted operations and measured rates."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dclib.autoencoder import reconstruction_loss
from dclib.classroom import plots
from dclib.classroom.demos.demo import Demo
from dclib.engine.device import make_fabric, resolve_device
from dclib.engine.training import adam
from dclib.networks import ConvAutoencoder, DenseAutoencoder

IMAGES = {"28 × 28, gray": (1, 28, 28), "32 × 32, colour": (3, 32, 32), "96 × 96, colour": (3, 96, 96)}
NETWORKS: dict[str, tuple[type[nn.Module], tuple[int, ...], str]] = {
    "dense 500-500-2000-10": (DenseAutoencoder, (500, 500, 2000), "dense"),
    "dense 500-250-10": (DenseAutoencoder, (500, 250), "dense"),
    "convolutional 32-64-128-10": (ConvAutoencoder, (32, 64, 128), "conv"),
}
# What a step moves for each weight, whatever the batch: 12 bytes in the products (read forward and backward, gradient
# written), 28 in Adam (weight, gradient and two moments read; weight and moments written).
BYTES_A_WEIGHT = 40
# Medians of four calls of `measure` on one core of an AMD EPYC with AVX-512 BF16, which other work used, too: for pages
# without a kernel. The memory is assumed.
MEASURED = [
    {"name": f"a busy core, {name}", "dense": dense, "conv": conv, "bandwidth": bandwidth}
    | {"overhead": 0.93, "memory": 16.0}
    for name, dense, conv, bandwidth in (("float32", 39.3, 37.1, 9.1), ("bfloat16", 105.0, 90.0, 8.2))
]
# From the makers' data sheets (tensor cores, without sparsity); that a training reaches a third of the peak in dense
# products and a tenth in convolutions, and takes a millisecond to launch a step's kernels, is assumed, not measured.
SHEETS = [
    {"name": "NVIDIA T4, float32", "peak": 8.1, "bandwidth": 320.0, "memory": 16.0},
    {"name": "NVIDIA A100, bfloat16", "peak": 312.0, "bandwidth": 1555.0, "memory": 40.0},
]
GPUS = [
    {
        "name": sheet["name"],
        "dense": round(1e3 * sheet["peak"] / 3),  # type: ignore[operator]
        "conv": round(1e3 * sheet["peak"] / 10),  # type: ignore[operator]
        "bandwidth": sheet["bandwidth"],
        "overhead": 1.0,
        "memory": sheet["memory"],
    }
    for sheet in SHEETS
]
GALLERY = (
    {
        "title": "70,000 digits",
        "images": "28 × 28, gray", "network": "dense 500-500-2000-10", "n": 70_000, "epochs": 30, "batch": 256,
        "method": "autoencoder",
        "notice": "Move the batch size. Which part shrinks, and where does it stop to matter?",
    },
    {
        "title": "70,000 digits, DEC",
        "images": "28 × 28, gray", "network": "dense 500-500-2000-10", "n": 70_000, "epochs": 15, "batch": 256,
        "method": "DEC",
        "notice": "How large is the share of p? It grows with n and falls with the interval times the batch size.",
    },
    {
        "title": "60,000 in colour",
        "images": "32 × 32, colour", "network": "convolutional 32-64-128-10", "n": 60_000, "epochs": 50, "batch": 256,
        "method": "autoencoder",
        "notice": "Few weights, many operations: the batch size changes little. Compare the memory of a batch.",
    },
    {
        "title": "a million photographs",
        "images": "96 × 96, colour", "network": "convolutional 32-64-128-10", "n": 1_000_000, "epochs": 20,
        "batch": 512, "method": "autoencoder",
        "notice": "The images alone are larger than memory: a memmap reads them batch by batch.",
    },
)  # fmt: skip
PARTS = {  # of the time
    "arithmetic": "arithmetic", "weights": "moving the weights", "launch": "starting the steps", "p": "computing p"
}  # fmt: skip
INTERVAL = 140  # steps between two computations of p in DEC: `update_interval`
CLUSTERS = 10


def count(network: nn.Module, loss: Callable[[], Tensor]) -> dict[str, int]:
    """What `loss()`, a pass of the network, takes: operations forward, and with backward; numbers kept in between.

    Operations are those of the matrix products and convolutions, a multiplication and an addition being two.
    """
    weights = {p.untyped_storage()._cdata for p in network.parameters()}
    kept: dict[int, Tensor] = {}  # by memory: what two layers keep counts once; the weights are there anyway

    def pack(tensor: Tensor) -> Tensor:
        if (place := tensor.untyped_storage()._cdata) not in weights:
            kept[place] = tensor
        return tensor

    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        value = loss()
        forward = counter.get_total_flops()
        value.backward()
    return {
        "forward": int(forward),
        "training": int(counter.get_total_flops()),
        "kept": sum(tensor.numel() for tensor in kept.values()),
    }


def work(network: str, images: str) -> dict[str, Any]:
    """What one image costs in a network of NETWORKS, counted without computing: of the whole, and of the encoder."""
    make, hidden, kind = NETWORKS[network]
    shape = IMAGES[images]
    with torch.device("meta"):  # shapes without numbers
        module, x = make(shape, 10, hidden=hidden), torch.empty(1, *shape)
    found: dict[str, Any] = {"kind": kind, "size": math.prod(shape)}
    for name, part, loss in (
        ("autoencoder", module, lambda: reconstruction_loss(module(x)[1], x)),
        ("DEC", module.encoder, lambda: module.encode(x).square().mean()),  # type: ignore[operator]
    ):
        found[name] = count(module, loss) | {"weights": sum(p.numel() for p in part.parameters())}  # type: ignore
    return found


def refreshes(n: int, epochs: int, batch: int, interval: int) -> int:
    """How often DEC computes p: before the first epoch, after every epoch, and every `interval` steps inside one."""
    return 1 + epochs * (1 + (-(-n // batch) - 1) // interval)


def cost(
    work: dict[str, Any], device: dict[str, Any], method: str, n: int, epochs: int, batch: int, interval: int = INTERVAL
) -> dict[str, float]:
    """Seconds and bytes of a training, by parts: each rate is taken as if the parts waited for each other."""
    part, steps = work[method], epochs * -(-n // batch)
    rate = 1e9 * device[work["kind"]]
    joint = method == "DEC"
    return {
        "arithmetic": epochs * n * part["training"] / rate,
        "weights": steps * BYTES_A_WEIGHT * part["weights"] / (1e9 * device["bandwidth"]),
        "launch": steps * device["overhead"] / 1e3,
        "p": refreshes(n, epochs, batch, interval) * n * part["forward"] / rate if joint else 0.0,
        "model bytes": 16 * part["weights"] + 4 * joint * (work["autoencoder"]["weights"] - part["weights"]),
        "batch bytes": 4 * part["kept"] * min(batch, n),
        "data bytes": 4 * n * work["size"] + 4 * joint * n * CLUSTERS,
    }


def step_seconds(network: nn.Module, x: Tensor, precision: str = "auto", device: str = "auto", steps: int = 8) -> float:
    """Seconds of one training step of the autoencoder on the batch x: the shortest of several, after two to warm up."""
    fabric = make_fabric(device, precision)
    model, optimizer = fabric.setup(network.to(fabric.device), adam([network], 1e-3))
    x, times = x.to(fabric.device), []
    for _ in range(2 + steps):
        begin = time.perf_counter()
        loss = reconstruction_loss(model(x)[1], x)
        optimizer.zero_grad()
        fabric.backward(loss)
        optimizer.step()
        loss.item()  # waits for the device
        times.append(time.perf_counter() - begin)
    return min(times[2:])


def adam_seconds(n_weights: int, device: str = "auto", steps: int = 4) -> float:
    """Seconds that Adam takes to go over this many weights: the shortest of several."""
    weights = nn.Parameter(torch.zeros(n_weights, device=resolve_device(device)))
    weights.grad = torch.ones_like(weights)
    optimizer, times = adam([weights], 1e-3), []
    for _ in range(1 + steps):
        begin = time.perf_counter()
        optimizer.step()
        weights[0].item()
        times.append(time.perf_counter() - begin)
    return min(times[1:])


def measure(device: str = "auto") -> list[dict[str, Any]]:
    """The rates of this machine in both precisions, as the calculator takes them; about four seconds on a CPU.

    A step's seconds grow along a line with the batch. What the line begins with is the start of a step, measured on a
    tiny network, and the moving of the weights; its slope is the arithmetic.
    """
    shape, found = (1, 28, 28), []
    for name, precision in (("float32", "32-true"), ("bfloat16", "bf16-mixed")):
        rates = {"name": f"this machine, {name}", "memory": memory()}
        overhead = step_seconds(DenseAutoencoder((4,), 1, hidden=(4, 4, 4)), torch.rand(1, 4), precision, device)
        rates["overhead"] = 1e3 * overhead
        for title, small, large in (("dense 500-500-2000-10", 16, 512), ("convolutional 32-64-128-10", 8, 64)):
            make, hidden, kind = NETWORKS[title]
            network, part = make(shape, 10, hidden=hidden), work(title, "28 × 28, gray")["autoencoder"]
            first, last = (step_seconds(network, torch.rand(b, *shape), precision, device) for b in (small, large))
            slope = max(last - first, 0.1 * last) / (large - small)  # a GPU may hardly notice the larger batch
            rates[kind] = part["training"] / slope / 1e9
            if kind == "dense":
                begins = max(first - small * slope - overhead, 0.05 * first)
                rates["bandwidth"] = BYTES_A_WEIGHT * part["weights"] / begins / 1e9
        found.append({key: value if key == "name" else float(f"{value:.3g}") for key, value in rates.items()})
    return found


def memory() -> float:
    """10⁹ bytes of the device that `measure` measures; 16 where the system does not tell."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory / 1e9
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):  # Windows
        return 16.0


class CostCalculator(Demo):
    """Images, epochs, network, batch size, method and device -> minutes and memory.

    The first rates are stored ones, of a busy core, until the button measures this machine's, for which a kernel must
    run. Those of the GPUs are computed from data sheets. dataset: the number of the example to begin with.
    """

    script = "cost_calculator"
    title = "What a training costs"

    def __init__(self, dataset: int = 0):
        if not 0 <= dataset < len(GALLERY):
            raise ValueError(f"dataset={dataset}: the gallery has the numbers 0 to {len(GALLERY) - 1}.")
        works = {network: {images: work(network, images) for images in IMAGES} for network in NETWORKS}
        super().__init__(
            gallery=list(GALLERY), dataset=dataset, works=works, devices=[*MEASURED, *GPUS], interval=INTERVAL,
            measured=0,
        )  # fmt: skip
        self.on_msg(self._measure)

    def _measure(self, _, content: Any, buffers: Any) -> None:
        """The button was pressed: put this machine's rates in the place of the stored ones."""
        if content == "measure":
            devices, measured = [*measure(), *GPUS], self.settings["measured"] + 1
            self.settings = self.settings | {"devices": devices, "measured": measured}

    def still(self) -> tuple[Figure, str]:
        scene, devices = self.settings["gallery"][self.settings["dataset"]], self.settings["devices"][:2]
        found = self.settings["works"][scene["network"]][scene["images"]]
        batches = [2**power for power in range(4, 13)]
        fig, axes = plots.figure(1, 2, width=12, height=4.2, sharey=True)
        for ax, device in zip(axes, devices, strict=True):
            given = [cost(found, device, scene["method"], scene["n"], scene["epochs"], batch) for batch in batches]
            floor = [0.0] * len(batches)
            for k, (name, words) in enumerate(PARTS.items()):
                top = [low + parts[name] / 60 for low, parts in zip(floor, given, strict=True)]
                if top != floor:
                    ax.fill_between(batches, floor, top, color=plots.color(k), label=words, linewidth=0)
                floor = top
            with plots.style():
                ax.set_xscale("log", base=2)
                ax.set(xlabel="batch size", title=device["name"])
        with plots.style():
            axes[0].set_ylabel(f"minutes: {scene['n']:,} images,\n{scene['epochs']} epochs")
            axes[0].legend()
        return fig, (
            f"Minutes of a training ({scene['n']:,} images, {scene['epochs']} epochs) over the batch size, in float32 "
            "and in bfloat16, in layers: arithmetic, moving the weights, starting the steps. With a larger batch the "
            "last two fade, and the arithmetic stays."
        )
