"""One algorithm at several sizes, in a process of its own: python -m benchmarks.growth NAME X.npy REPETITIONS N …

Prints JSON: the seconds of each size, and how far the peak of memory rose above that of a first fit to 500 rows.
Each algorithm does the same work for a row at every size: a fixed number of passes.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable

import numpy as np

from benchmarks.harness import interleaved
from dclib.autoencoder import Autoencoder
from dclib.dec import DEC
from dclib.gmm import GaussianMixture
from dclib.gradient_kmeans import GradientKMeans
from dclib.kmeans import KMeans
from experiments.runner import peak_memory


def fit(name: str, x: np.ndarray) -> None:
    rows = x.reshape(len(x), -1)
    match name:
        case "KMeans":
            KMeans(10, n_init=1, max_iter=20, tol=0, random_state=0).fit(rows)
        case "GradientKMeans":
            GradientKMeans(10, epochs=3, tol=0, random_state=0).fit(rows)
        case "GaussianMixture":
            GaussianMixture(10, init=rows[:10], max_iter=20, tol=0, reg_covar=1e-3).fit(rows)
        case "Autoencoder":
            Autoencoder(epochs=1, random_state=0).fit(x)
        case "DEC":
            start = Autoencoder(epochs=1, random_state=0)
            DEC(10, autoencoder=start, init="balanced", n_init=1, epochs=1, random_state=0).fit(x)
        case _:
            raise ValueError(f"{name!r} is not known here.")


def main() -> None:
    name, file, repetitions, *sizes = sys.argv[1:]
    warnings.simplefilter("ignore")  # so few passes: of course they did not converge
    # Libraries load what they need with the first fit: it is not the data's.
    fit(name, np.random.default_rng(0).random((500, *np.load(file, mmap_mode="r").shape[1:]), dtype=np.float32))
    before = peak_memory()
    x = np.load(file)

    def run(size: str) -> Callable[[int], None]:
        return lambda seed: fit(name, x[: int(size)])

    found = interleaved({size: run(size) for size in sizes}, int(repetitions))
    seconds = {size: [s for s, _ in runs] for size, runs in found.items()}
    print(json.dumps({"seconds": seconds, "peak": peak_memory() - before}))


if __name__ == "__main__":
    main()
