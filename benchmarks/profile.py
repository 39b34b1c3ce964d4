"""Where the time goes, operation by operation: python -m benchmarks.profile autoencoder | kmeans | import"""

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
from dclib.kmeans import kmeans_plus_plus, lloyd


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


def kmeans(quick: bool) -> str:
    """Ten iterations of Lloyd's algorithm without bounds, k = 100."""
    x = torch.from_numpy(as_rows(digits(quick)))
    start = x[kmeans_plus_plus(x, 100, torch.Generator().manual_seed(0))]
    return operations(lambda: lloyd(x, start, max_iter=10, bounds=False))


def imports(quick: bool) -> str:
    """Seconds until each package is there, with what it imports; later ones find what earlier ones brought along."""
    names = ["torch", "sklearn.base", "sklearn.cluster", "dclib.dec", "dclib.dcan"]
    command = [sys.executable, "-X", "importtime", "-c", f"import {', '.join(names)}"]
    log = subprocess.run(command, check=True, cwd=ROOT, text=True, stderr=subprocess.PIPE).stderr
    # The log's lines: microseconds of the module alone | with all that it imports | its name.
    found = {name: int(time) / 1e6 for time, name in re.findall(r"\| +(\d+) \| +(\S+)$", log, re.M)}
    return "\n".join(f"{name:20}{found[name]:8.2f} s" for name in names)


PROFILES = {"autoencoder": autoencoder, "kmeans": kmeans, "import": imports}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("work", choices=PROFILES)
    parser.add_argument("--quick", action="store_true", help="on 500 small digits, to see that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # so few passes: of course they did not converge
    print(PROFILES[options.work](options.quick))


if __name__ == "__main__":
    main()
