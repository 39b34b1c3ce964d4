"""The works: what dclib does, beside the library that a user would pick instead.

Each function returns rows of results.json. `quick` replaces MNIST by 500 small digits, and epochs by one: it shows
that a work runs, and its seconds mean nothing.
"""

from __future__ import annotations

import importlib
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.cluster
import sklearn.mixture
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

from benchmarks.harness import Contender, Row, contest, interleaved, make_row
from dclib.autoencoder import Autoencoder
from dclib.data import Dataset, load
from dclib.dec import DEC
from dclib.gmm import GaussianMixture
from dclib.gradient_kmeans import GradientKMeans
from dclib.kmeans import KMeans, assign, kmeans_plus_plus, lloyd
from dclib.metrics import scores
from dclib.networks import DenseAutoencoder

ROOT = Path(__file__).parents[1]
FAISS = ("faiss", "faiss-cpu")
CLUSTPY = ("clustpy", "clustpy")
SKLEARNEX = ("sklearnex", "scikit-learn-intelex")
SUPERKMEANS = ("superkmeans", "superkmeans")
TORCHGMM = ("torchgmm", "torchgmm")
# Of the network of DEC, 784-500-500-2000-10, the default here and in ClustPy.
HIDDEN = (500, 500, 2000)


def digits(quick: bool, n: int | None = None) -> Dataset:
    return load("digits", n=500) if quick else load("mnist", n=n)


def as_rows(data: Dataset) -> np.ndarray:
    return data.x.reshape(len(data), -1)


def size(x: np.ndarray) -> str:
    return f"{len(x):,} × {x[0].size:,}"


# --- k-means and mixtures ---------------------------------------------------------------------------------------------


def inertia(x: np.ndarray, centers: np.ndarray) -> float:
    """Sum of the squared distances to the nearest center, in float64."""
    c = torch.from_numpy(np.asarray(centers, dtype=np.float64))
    return sum(
        float(torch.cdist(torch.from_numpy(block).double(), c).min(1).values.square().sum())
        for block in np.array_split(x, -(-len(x) // 4096))
    )


def codes(quick: bool) -> np.ndarray:
    """Ten numbers an image, as an encoder gives them: here the leading principal components, float64."""
    return PCA(10, random_state=0).fit_transform(as_rows(digits(quick)).astype(np.float64))


def kmeans(k: int, quick: bool, of_codes: bool = False) -> list[Row]:
    name = f"kmeans_codes_k{k}" if of_codes else f"kmeans_k{k}"
    x = codes(quick).astype(np.float32) if of_codes else as_rows(digits(quick))
    k = min(k, len(x) // 5)
    start = x[kmeans_plus_plus(torch.from_numpy(x), k, torch.Generator().manual_seed(0)).numpy()]
    n_iter = 20

    def ours(x, seed, tol=1e-4, max_iter=300):
        return KMeans(k, init=start, n_init=1, tol=tol, max_iter=max_iter).fit(x).cluster_centers_

    def without_bounds(x, seed):
        """The E- and M-steps as the lesson derives them."""
        mean = x.mean(0)
        tol = 1e-4 * float(x.var(0).mean())
        centers = lloyd(torch.from_numpy(x - mean), torch.from_numpy(start - mean), None, 300, tol, bounds="none")[0]
        return centers.numpy() + mean

    def theirs(algorithm, x, seed, tol=1e-4, max_iter=300, library="sklearn.cluster"):
        cls = importlib.import_module(library).KMeans
        estimator = cls(k, init=start, n_init=1, tol=tol, max_iter=max_iter, algorithm=algorithm)
        return estimator.fit(x).cluster_centers_

    def faiss_kmeans(x, seed):
        import faiss

        faiss.omp_set_num_threads(torch.get_num_threads())
        # By default it takes 256 rows a center: here all, as the others do.
        estimator = faiss.Kmeans(x.shape[1], k, niter=n_iter, min_points_per_centroid=1, max_points_per_centroid=len(x))
        estimator.train(x, init_centroids=start)
        return estimator.centroids

    def superkmeans(x, seed):
        from superkmeans import SuperKMeans

        # By default it takes a sample of the rows and may end early: here all rows, all iterations, as the others.
        estimator = SuperKMeans(
            k, x.shape[1], hierarchical=False, iters=n_iter, sampling_fraction=1.0, max_points_per_cluster=10**9,
            early_termination=False, n_threads=torch.get_num_threads(), seed=seed,
        )  # fmt: skip
        return estimator.train(np.ascontiguousarray(x))

    def against(contenders, what):
        return contest(
            name,
            f"k-means, {size(x)}{' codes' * of_codes}, k = {k}, {what}",
            x,
            contenders,
            measure="inertia, low is good",
            quality=lambda centers, seed: inertia(x, centers),
            higher_is_better=False,
            tolerance=1e-5,
            repetitions=1 if quick else 2 if name in ("kmeans_k100", "kmeans_k1000") else 3,  # these take minutes
        )

    bounded = {"tol": 0, "max_iter": n_iter}
    to_the_end = [
        Contender("dclib", ours),
        Contender("scikit-learn lloyd", partial(theirs, "lloyd")),
        Contender("scikit-learn elkan", partial(theirs, "elkan")),
        Contender("scikit-learn-intelex", partial(theirs, "lloyd", library="sklearnex.cluster"), needs=SKLEARNEX),
    ]
    few = [Contender("dclib", partial(ours, **bounded)), Contender("faiss", faiss_kmeans, needs=FAISS)]
    if not of_codes:
        to_the_end.append(Contender("dclib without bounds, all distances", without_bounds))
    if name == "kmeans_k1000":  # to the end it would take minutes
        few += [Contender(c.name, partial(c.run, **bounded), needs=c.needs) for c in to_the_end[1:4]]
        few.append(Contender("superkmeans, from its own start", superkmeans, needs=SUPERKMEANS))
        return against(few, f"same start, {n_iter} iterations")
    return [
        *against(to_the_end, "same start, same tolerance"),
        *against(few, f"same start, {n_iter} iterations"),
    ]


def mixture_score(x: np.ndarray, weights, means, covariances) -> float:
    """Mean log-likelihood of the rows of x."""
    parts = [np.log(w) + multivariate_normal(m, c).logpdf(x) for w, m, c in zip(weights, means, covariances)]
    return float(logsumexp(parts, axis=0).mean())


def gmm(quick: bool) -> list[Row]:
    x, k = codes(quick), 10
    centers = KMeans(k, n_init=1, random_state=0).fit(x).cluster_centers_
    # dclib makes the first mixture of the samples nearest to these centers. The same for scikit-learn:
    labels = assign(torch.from_numpy(x), torch.from_numpy(centers))[0].numpy()
    clusters = [x[labels == j] for j in range(k)]
    start = {
        "weights_init": np.array([len(c) / len(x) for c in clusters]),
        "means_init": np.stack([c.mean(axis=0) for c in clusters]),
        "precisions_init": np.stack([np.linalg.inv(np.cov(c.T, bias=True) + 1e-6 * np.eye(10)) for c in clusters]),
    }
    options = {"covariance_type": "full", "n_init": 1, "tol": 1e-4, "max_iter": 200, "reg_covar": 1e-6}

    def ours(x, seed):
        mixture = GaussianMixture(k, init=centers, **options).fit(x)
        return mixture.weights_, mixture.means_, mixture.covariances_

    def theirs(x, seed):
        mixture = sklearn.mixture.GaussianMixture(k, **start, **options).fit(x)
        return mixture.weights_, mixture.means_, mixture.covariances_

    def torchgmm(x, seed):
        from torchgmm.bayes import GaussianMixture as Peer

        logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.ERROR)  # its lines about devices
        quiet = dict.fromkeys(
            ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
        )  # fmt: skip
        peer = Peer(
            k, covariance_type="full", init_means=torch.from_numpy(centers).float(), convergence_tolerance=1e-4,
            covariance_regularization=1e-6, trainer_params={"max_epochs": 200, "accelerator": "cpu", **quiet},
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Lightning's, about having no optimizer
            model = peer.fit(torch.from_numpy(x).float()).model_
        weights = model.component_probs.double()
        return (weights / weights.sum()).numpy(), model.means.double().numpy(), model.covariances.double().numpy()

    return contest(
        "gmm",
        f"Gaussian mixture, full covariances, {size(x)}, k = {k}, same start, same tolerance",
        x,
        [
            Contender("dclib", ours),
            Contender("scikit-learn", theirs),
            Contender("torchgmm, from the same means, in float32", torchgmm, needs=TORCHGMM),
        ],
        measure="mean log-likelihood",
        quality=lambda mixture, seed: mixture_score(x, *mixture),
        higher_is_better=True,
        tolerance=1e-5,
        repetitions=1 if quick else 3,
    )


def gradient_kmeans(quick: bool) -> list[Row]:
    data = digits(quick)
    x, k = as_rows(data), 100
    return contest(
        "gradient_kmeans",
        f"gradient k-means, {size(x)}, k = {k}",
        x,
        [
            Contender("dclib", lambda x, seed: GradientKMeans(k, random_state=seed).fit(x).labels_),
            Contender(
                "scikit-learn MiniBatchKMeans",
                lambda x, seed: sklearn.cluster.MiniBatchKMeans(k, random_state=seed).fit(x).labels_,
            ),
        ],
        measure="V-measure",
        quality=lambda labels, seed: scores(data.y, labels)["v_measure"],
        higher_is_better=True,
        repetitions=1 if quick else 3,
    )


# --- networks ---------------------------------------------------------------------------------------------------------


def clustpy_network(d: int, seed: int):
    from clustpy.deep.neural_networks import FeedforwardAutoencoder

    return FeedforwardAutoencoder([d, *HIDDEN, 10], random_state=seed)


def plain_loop(images: np.ndarray, seed: int, epochs: int):
    """Our network and schedule as one would train it by hand: DataLoader, float32."""
    torch.manual_seed(seed)
    network = DenseAutoencoder(images.shape[1:])
    dataset = torch.utils.data.TensorDataset(torch.from_numpy(images))
    batches = torch.utils.data.DataLoader(dataset, batch_size=256, shuffle=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, epochs=epochs, steps_per_epoch=len(batches))
    for _ in range(epochs):
        for (x,) in batches:
            loss = torch.nn.functional.mse_loss(network(x)[1], x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network


def autoencoder(quick: bool) -> list[Row]:
    images = digits(quick).x
    d = images[0].size
    # Ours as many as reach the error of ClustPy's 10. Its network, too, has leaky ReLUs.
    ours_epochs, their_epochs, few = (1, 1, 1) if quick else (7, 10, 2)

    def ours(x, seed, **options):
        return Autoencoder(**options, random_state=seed).fit(x).network_

    def clustpy(x, seed):
        network = clustpy_network(d, seed)
        return network.fit(n_epochs=their_epochs, batch_size=256, optimizer_params={"lr": 1e-3}, data=x.reshape(-1, d))

    def error(network, seed):
        """Mean squared error over all training images and pixels."""
        flat = not isinstance(network, DenseAutoencoder)
        with torch.no_grad():
            total = 0.0
            for x in torch.from_numpy(images.reshape(-1, d) if flat else images).split(8192):
                total += float((network.decode(network.encode(x)) - x).square().sum())
        return total / images.size

    def against(peer, epochs, tolerance, **options):
        return contest(
            "autoencoder",
            f"autoencoder {d}-500-500-2000-10, {len(images):,} images, {epochs} epochs",
            images,
            [Contender("dclib", partial(ours, epochs=epochs, **options)), peer],
            measure="training error, low is good",
            quality=error,
            higher_is_better=False,
            tolerance=tolerance,
            repetitions=1 if quick else 2,
        )

    loop = Contender("the same in a plain loop with a DataLoader", partial(plain_loop, epochs=few))
    return [
        *against(
            Contender(f"ClustPy, {their_epochs} epochs", clustpy, needs=CLUSTPY),
            ours_epochs,
            tolerance=0.0,
            activation="leaky_relu",
            learning_rate=3e-3,
        ),
        *against(loop, few, tolerance=0.05),
    ]


def dec(quick: bool) -> list[Row]:
    data = digits(quick, n=20_000)
    d = data.x[0].size
    # (autoencoder, DEC): ours as few as reach ClustPy's ACC.
    ours_epochs, their_epochs = ((1, 1), (1, 1)) if quick else ((10, 5), (20, 10))

    def ours(x, seed):
        start = Autoencoder(epochs=ours_epochs[0], random_state=seed).fit(x)
        model = DEC(10, autoencoder=start, init="gmm", n_init=2, epochs=ours_epochs[1], random_state=seed)
        return [model.fit(x).labels_]

    def clustpy(x, seed):
        from clustpy.deep import DEC as ClustpyDEC

        model = ClustpyDEC(
            10,
            pretrain_epochs=their_epochs[0],
            clustering_epochs=their_epochs[1],
            pretrain_optimizer_params={"lr": 1e-3},
            clustering_optimizer_params={"lr": 1e-4},
            random_state=seed,
        ).fit(x.reshape(-1, d))
        return [model.labels_, model.dec_labels_]

    return contest(
        "dec",
        f"DEC from nothing, {len(data):,} images, {ours_epochs[0]} + {ours_epochs[1]} epochs",
        data.x,
        [
            Contender("dclib", ours),
            Contender(f"ClustPy, {their_epochs[0]} + {their_epochs[1]} epochs", clustpy, needs=CLUSTPY),
        ],
        measure="ACC, median of the seeds",
        # ClustPy offers two labelings: the better one counts.
        quality=lambda labelings, seed: max(scores(data.y, labels)["acc"] for labels in labelings),
        higher_is_better=True,
        repetitions=1 if quick else 2,
    )


def mnist98(quick: bool) -> list[Row]:
    """From nothing to ACC .98: an experiment of 5 seeds, too long for here. Its seconds are read from its files."""
    files = sorted((ROOT / "experiments" / "results" / "mnist_dec").glob("augmented-seed*.json"))
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    if not runs:
        return []
    accuracies = [run["scores"]["acc"] for run in runs]
    row = make_row(
        "mnist98",
        f"augmented DEC from nothing, {runs[0]['n']:,} images; from the files of `python -m experiments mnist_dec`, "
        f"{runs[0]['threads']} thread{'s' if runs[0]['threads'] > 1 else ''}",
        "nobody",
        (statistics.median(run["seconds"] for run in runs), statistics.median(accuracies)),
        (None, None),
        measure=f"ACC, median of {len(runs)} seeds (lowest {min(accuracies):.3f})",
        repetitions=len(runs),
    )
    versions = ", ".join(f"{name} {version}" for name, version in runs[0]["versions"].items())
    return [row | {"machine": f"{runs[0]['machine']}, {runs[0]['precision']}; {versions}"}]


def multiply_adds(d: int) -> int:
    """Of one sample's way through the autoencoder."""
    return 2 * sum(i * o for i, o in pairwise([d, *HIDDEN, 10]))


def gemm(quick: bool) -> list[Row]:
    """Which share of the rate of large matrix products does the training of an autoencoder reach?"""
    images = digits(quick, n=35_000).x
    n = 256 if quick else 2048
    rows = []
    bf16, float32 = ("bf16-mixed", torch.bfloat16), ("32-true", torch.float32)
    for (precision, dtype), batch_size in ((bf16, 256), (bf16, 2048), (float32, 256)):
        a, b = (torch.randn(n, n, dtype=dtype) for _ in range(2))

        def multiply(seed, a=a, b=b):
            for _ in range(1 if quick else 20):
                a @ b

        def train(seed, precision=precision, batch_size=batch_size):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch: only its time is of interest
                Autoencoder(epochs=1, batch_size=batch_size, precision=precision, random_state=seed).fit(images)

        train(0)
        multiply(0)
        found = interleaved({"train": train, "multiply": multiply}, 1 if quick else 3)
        seconds = {name: statistics.median(s for s, _ in runs) for name, runs in found.items()}
        # Forward, gradient of the weights, gradient of the inputs: three products, two operations a multiply-add.
        train_rate = 2 * 3 * multiply_adds(images[0].size) * len(images) / seconds["train"] / 1e9
        rate = 2 * n**3 * (1 if quick else 20) / seconds["multiply"] / 1e9
        rows.append(
            make_row(
                "gemm",
                f"autoencoder's training in {precision}, batches of {batch_size}: seconds for 10¹² operations",
                f"matrix product {n}³",
                (1e3 / train_rate, train_rate),
                (1e3 / rate, rate),
                measure="10⁹ operations a second",
                repetitions=1 if quick else 3,
            )
        )
    return rows


# --- import, growth, memory -------------------------------------------------------------------------------------------


def imports(quick: bool) -> list[Row]:
    """What dclib's algorithms add to imports that their user has anyway, each in a fresh process."""
    modules = sorted(path.stem for path in (ROOT / "dclib").glob("*.py") if not path.stem.startswith("__"))
    modules = [f"dclib.{name}" for name in modules]

    def run(names: list[str]) -> Callable[[int], Any]:
        command = [sys.executable, "-c", f"import {', '.join(names)}"]
        return lambda seed: subprocess.run(command, check=True, cwd=ROOT)

    plus_sklearn = ["torch", "sklearn.cluster"]
    pairs = {
        "import of torch and dclib": (["torch", "dclib"], ["torch"]),
        f"import of torch and {len(modules)} modules of dclib": (["torch", *modules], ["torch"]),
        f"import of torch, scikit-learn and {len(modules)} modules of dclib": ([*plus_sklearn, *modules], plus_sklearn),
    }
    if quick:
        pairs = dict(list(pairs.items())[:1])
    runs = {", ".join(names): run(names) for pair in pairs.values() for names in pair}
    if not quick:
        interleaved(runs, 1)  # now the files are in the cache of the file system
    found = interleaved(runs, 1 if quick else 3)
    seconds = {name: statistics.median(s for s, _ in timed) for name, timed in found.items()}
    rows = []
    for what, pair in pairs.items():
        ours, theirs = (seconds[", ".join(names)] for names in pair)
        peer = f"import of {' and '.join(pair[1])}"
        rows.append(
            make_row(
                "import",
                what,
                peer,
                (ours, ours - theirs),
                (theirs, None),
                measure="seconds on top",
                repetitions=1 if quick else 3,
                ratio=None,  # nobody's race
            )
        )
    return rows


def growth(quick: bool) -> list[Row]:
    """How seconds grow with the number of rows, and the peak of memory: each algorithm in a process of its own."""
    images = digits(quick).x
    works: dict[str, np.ndarray] = {}
    if not quick:
        works |= dict.fromkeys(("KMeans", "GradientKMeans", "Autoencoder", "DEC"), images)
        works["GaussianMixture"] = PCA(50, random_state=0).fit_transform(images.reshape(len(images), -1))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "x.npy")
        for name, x in works.items():
            np.save(file, x)
            rows.append(_growth(name, file, [len(x) // 4, len(x)], quick))
        n = 4000 if quick else 1_000_000
        rng = np.random.default_rng(0)
        blobs = 0.2 * rng.standard_normal((10, 64), dtype=np.float32)[rng.integers(10, size=n)]
        np.save(file, blobs + rng.standard_normal((n, 64), dtype=np.float32))
        rows.append(_growth("KMeans", file, [n // 4, n], quick))
    return rows


def _growth(name: str, file: Path, sizes: list[int], quick: bool) -> Row:
    repetitions = 3 if not quick and name in ("KMeans", "GaussianMixture") else 1  # the others take minutes
    command = [sys.executable, "-m", "benchmarks.growth", name, str(file), str(repetitions), *map(str, sizes)]
    found = json.loads(subprocess.run(command, check=True, cwd=ROOT, text=True, stdout=subprocess.PIPE).stdout)
    small, large = sizes
    seconds = {n: statistics.median(found["seconds"][str(n)]) for n in sizes}
    exponent = float(np.log(seconds[large] / seconds[small]) / np.log(large / small))
    x = np.load(file, mmap_mode="r")
    return make_row(
        "growth",
        f"{name}, {size(x)}; peak of memory {found['peak'] / x.nbytes:.1f} × the data",
        f"{small:,} rows",
        (seconds[large], exponent),
        (seconds[small], None),
        measure="exponent of the growth (1: in proportion)",
        repetitions=repetitions,
        ratio=None,
        memory_ratio=round(found["peak"] / x.nbytes, 2),
    )


WORKS: dict[str, Callable[[bool], list[Row]]] = {
    "kmeans_k10": partial(kmeans, 10),
    "kmeans_k100": partial(kmeans, 100),
    "kmeans_k1000": partial(kmeans, 1000),
    "kmeans_codes_k10": partial(kmeans, 10, of_codes=True),
    "kmeans_codes_k100": partial(kmeans, 100, of_codes=True),
    "gmm": gmm,
    "gradient_kmeans": gradient_kmeans,
    "autoencoder": autoencoder,
    "dec": dec,
    "mnist98": mnist98,
    "gemm": gemm,
    "import": imports,
    "growth": growth,
}
