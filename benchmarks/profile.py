"""Where the time goes, operation by operation: python -m benchmarks.profile WORK"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.works import ROOT, as_rows, codes, digits, multiply_adds
from dclib.autoencoder import Autoencoder, reconstruction_loss
from dclib.engine.device import make_fabric
from dclib.engine.training import Batch, adam, descend
from dclib.kmeans import KMeans, kmeans_plus_plus, lloyd
from dclib.networks import DenseAutoencoder


def operations(run: Callable[[], object]) -> str:
    """PyTorch's table of the operations of `run`, which has been called once before."""
    run()
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as profiler:
        run()
    return profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=15, max_name_column_width=45)


def autoencoder(quick: bool) -> str:
    """One epoch over 20,000 digits."""
    images = digits(quick, n=20_000).x
    return operations(lambda: Autoencoder(epochs=1, random_state=0).fit(images))


def bare_step(x: Tensor, parts: int) -> Callable[[], object]:
    """One training step in bfloat16 on the batch x (b, d), without autograd and in memory that is there already.

    parts: 1, the matrix products alone; 2, with all that is done to activations; 3, with weights cast to bfloat16 once
    a step and their gradients to float32; 4, with Adam.
    """
    network = DenseAutoencoder(x.shape[1:])
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    weights = [layer.weight.detach().bfloat16() for layer in layers]
    biases = [layer.bias.detach().bfloat16() for layer in layers]
    slopes = [torch.empty_like(weight) for weight in weights]
    outputs = [torch.empty(len(x), len(weight), dtype=torch.bfloat16) for weight in weights]
    errors = [torch.empty(len(x), weight.shape[1], dtype=torch.bfloat16) for weight in weights]
    bent = [parts > 1 and layer.out_features > 10 for layer in layers[:-1]] + [False]  # by a ReLU: not code and output
    weight_slopes = [torch.zeros_like(layer.weight) for layer in layers]
    bias_slopes = [torch.zeros_like(layer.bias) for layer in layers]
    for layer, weight_slope, bias_slope in zip(layers, weight_slopes, bias_slopes):
        layer.weight.grad, layer.bias.grad = weight_slope, bias_slope
    optimizer = adam([network], 1e-3)

    @torch.no_grad()
    def step():
        if parts > 2:
            torch._foreach_copy_(
                weights + biases, [layer.weight for layer in layers] + [layer.bias for layer in layers]
            )
        inputs = [x.bfloat16()]
        for weight, bias, output, relu in zip(weights, biases, outputs, bent):
            inputs.append(torch.addmm(bias, inputs[-1], weight.T, out=output))
            if relu:
                output.relu_()
        error = outputs[-1]
        if parts > 1:
            difference = outputs[-1] - x
            difference.square().mean()
            error = (difference * (2 / x.numel())).bfloat16()
        for j in range(len(layers) - 1, -1, -1):
            if bent[j]:
                error = torch.ops.aten.threshold_backward(error, outputs[j], 0)
            torch.mm(error.T, inputs[j], out=slopes[j])
            if parts > 1:
                bias_slopes[j].copy_(error.sum(0))
            if parts > 2:
                weight_slopes[j].copy_(slopes[j])
            if j:
                error = torch.mm(error, weights[j], out=errors[j])
        if parts > 3:
            optimizer.step()

    return step


def autoencoder_parts(quick: bool) -> str:
    """One training step in bfloat16 on 256 digits: bare operations, part by part, and dclib's: CPU time, in turns."""
    x = torch.from_numpy(as_rows(digits(quick, n=500))[:256])
    n, turns, steps = (256, 1, 1) if quick else (2048, 5, 10)
    large = [torch.randn(n, n, dtype=torch.bfloat16) for _ in range(2)]
    fabric, network = make_fabric("cpu", "bf16-mixed"), DenseAutoencoder(x.shape[1:])
    model, optimizer = fabric.setup(network, adam([network], 1e-3))
    batch = Batch(torch.arange(len(x)), x, len(x), 0, 1.0, torch.Generator())
    ways: dict[str, Callable[[], object]] = {
        "as many operations in large products": lambda: large[0] @ large[1],
        "the products of a step": bare_step(x, 1),
        "+ activations and loss": bare_step(x, 2),
        "+ casts of weights and gradients": bare_step(x, 3),
        "+ Adam": bare_step(x, 4),
        "dclib": lambda: descend(fabric, optimizer, reconstruction_loss(model(x)[1], x), batch),
    }
    seconds: dict[str, float] = {}
    for turn in range(turns + 1):  # the first to warm up
        for name, way in ways.items():
            begin = time.process_time()
            for _ in range(steps):
                way()
            taken = (time.process_time() - begin) / steps
            seconds[name] = min(taken, seconds.get(name, taken)) if turn > 1 else taken
    # As in the table, for three products a layer (the first needs only two of them).
    seconds["as many operations in large products"] *= 3 * multiply_adds(x[0].numel()) * len(x) / n**3
    whole = seconds["as many operations in large products"]
    return "\n".join(f"{name:40}{s * 1e3:8.2f} ms, rate {whole / s:.2f}" for name, s in seconds.items())


def start(x: torch.Tensor, k: int) -> torch.Tensor:
    return x[kmeans_plus_plus(x, k, torch.Generator().manual_seed(0))]


def kmeans(quick: bool) -> str:
    """KMeans of all digits, k = 10, from given centers to the end."""
    rows = as_rows(digits(quick))
    init = start(torch.from_numpy(rows), 10).numpy()
    return operations(lambda: KMeans(10, init=init).fit(rows))


def kmeans_plain(quick: bool) -> str:
    """Ten iterations of Lloyd's algorithm without bounds, k = 100."""
    x = torch.from_numpy(as_rows(digits(quick)))
    centers = start(x, 100)
    return operations(lambda: lloyd(x, centers, max_iter=10, bounds="none"))


def kmeans_codes(quick: bool, k: int) -> str:
    """KMeans of the codes of all digits, from given centers to the end."""
    rows = codes(quick).astype("float32")
    init = start(torch.from_numpy(rows), k).numpy()
    return operations(lambda: KMeans(k, init=init).fit(rows))


def imports(quick: bool) -> str:
    """Seconds until each package is there, with what it imports; later ones find what earlier ones brought along."""
    names = ["torch", "sklearn.base", "sklearn.cluster", "dclib.dec", "dclib.dcan"]
    command = [sys.executable, "-X", "importtime", "-c", f"import {', '.join(names)}"]
    log = subprocess.run(command, check=True, cwd=ROOT, text=True, stderr=subprocess.PIPE).stderr
    # The log's lines: microseconds of the module alone | with all that it imports | its name.
    found = {name: int(time) / 1e6 for time, name in re.findall(r"\| +(\d+) \| +(\S+)$", log, re.M)}
    return "\n".join(f"{name:20}{found[name]:8.2f} s" for name in names)


PROFILES: dict[str, Callable[[bool], str]] = {
    "autoencoder": autoencoder,
    "autoencoder_parts": autoencoder_parts,
    "kmeans": kmeans,
    "kmeans_codes_k10": partial(kmeans_codes, k=10),
    "kmeans_codes_k100": partial(kmeans_codes, k=100),
    "kmeans_plain": kmeans_plain,
    "import": imports,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("work", choices=PROFILES)
    parser.add_argument("--quick", action="store_true", help="on 500 small digits, to see that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # so few passes: of course they did not converge
    print(PROFILES[options.work](options.quick))


if __name__ == "__main__":
    main()
