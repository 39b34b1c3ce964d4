"""Where the time goes, operation by operation: python -m benchmarks.profile WORK"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import warnings
from collections.abc import Callable

import torch

from benchmarks.works import ROOT, as_rows, digits
from dclib.autoencoder import Autoencoder
from dclib.kmeans import KMeans, kmeans_plus_plus, lloyd


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
    return operations(lambda: lloyd(x, centers, max_iter=10, bounds=False))


def imports(quick: bool) -> str:
    """Seconds until each package is there, with what it imports; later ones find what earlier ones brought along."""
    names = ["torch", "sklearn.base", "sklearn.cluster", "dclib.dec", "dclib.dcan"]
    command = [sys.executable, "-X", "importtime", "-c", f"import {', '.join(names)}"]
    log = subprocess.run(command, check=True, cwd=ROOT, text=True, stderr=subprocess.PIPE).stderr
    # The log's lines: microseconds of the module alone | with all that it imports | its name.
    found = {name: int(time) / 1e6 for time, name in re.findall(r"\| +(\d+) \| +(\S+)$", log, re.M)}
    return "\n".join(f"{name:20}{found[name]:8.2f} s" for name in names)


PROFILES = {"autoencoder": autoencoder, "kmeans": kmeans, "kmeans_plain": kmeans_plain, "import": imports}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("work", choices=PROFILES)
    parser.add_argument("--quick", action="store_true", help="on 500 small digits, to see that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # so few passes: of course they did not converge
    print(PROFILES[options.work](options.quick))


if __name__ == "__main__":
    main()
