"""K-means: Lloyd's algorithm with greedy k-means++ starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight
from torch import Tensor

from dclib.engine.device import device_for
from dclib.engine.elkan import ElkanSteps
from dclib.engine.hamerly import HamerlySteps
from dclib.engine.processes import ALONE, Alone, everyone
from dclib.engine.rows import Shifted, as_tensor, centered, cluster_sums, cluster_weights, row_blocks, squared_norms
from dclib.engine.saving import SavedEstimator
from dclib.engine.starts import best_start
from dclib.engine.steps import PlainSteps, argmin, partial_distances
from dclib.engine.validation import (
    all_or_nothing,
    check_choice,
    check_n_clusters,
    check_number,
    check_x,
    given_centers,
    warn,
)

# From so many features on, Elkan's bounds cost less than the distances that they spare; but they take the memory of k
# features. From so many clusters on, Hamerly's do.
_WIDE, _MANY = 64, 20


def squared_distances(x: Tensor, centers: Tensor) -> Tensor:
    """‖x_i − μ_k‖² for x (n, d) and centers (k, d) -> (n, k).

    Expanded as ‖x‖² − 2 x·μ + ‖μ‖²: one matrix product instead of an (n, k, d) array. The terms nearly cancel for
    points close to a center, so results are clipped at zero; center the data first if its mean is far from the origin.
    """
    return (x.square().sum(1, keepdim=True) + partial_distances(x, centers)).clamp_(min=0)


def assign(x: Tensor | Shifted, centers: Tensor) -> tuple[Tensor, Tensor]:
    """E-step: the nearest center of each row of x (n, d) -> labels (n,), squared distances to it (n,)."""
    labels = torch.empty(len(x), dtype=torch.long, device=x.device)
    distances = torch.empty(len(x), dtype=x.dtype, device=x.device)
    for block in row_blocks(len(x), max(x.shape[1], len(centers)), x.device):
        rows = x[block]
        found = partial_distances(rows, centers)
        labels[block] = argmin(found)
        distances[block] = found.amin(1) + rows.square().sum(1)
    return labels, distances.clamp_(min=0)


def update(x: Tensor | Shifted, labels: Tensor, n_clusters: int, sample_weight: Tensor) -> tuple[Tensor, Tensor]:
    """M-step: weighted means of the clusters -> centers (k, d), total weights (k,). A mean of nothing is 0."""
    sums, weights = _totals(x, labels, n_clusters, sample_weight)
    return _means(sums, weights), weights


def _totals(x: Tensor | Shifted, labels: Tensor, n_clusters: int, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted sums of the clusters (k, d) and their weights (k,)."""
    sums = torch.zeros(n_clusters, x.shape[1], dtype=x.dtype, device=x.device)
    weights = sums.new_zeros(n_clusters)
    for block in row_blocks(len(x), x.shape[1], x.device):
        sums += cluster_sums(x[block], labels[block], n_clusters, weight[block])
        # By blocks these, too: one by one a sum of float32 stays at 2^24.
        weights += cluster_weights(labels[block], n_clusters, weight[block])
    return sums, weights


def _means(sums: Tensor, weights: Tensor) -> Tensor:
    return sums / torch.where(weights > 0, weights, 1)[:, None]


def _refill(
    x: Tensor | Shifted, labels: Tensor, distances: Tensor, n_clusters: int, weight: Tensor, processes: Alone
) -> Tensor:
    """Give each empty cluster the point farthest from all centers, taken from a cluster that has others left."""
    labels, distances = labels.clone(), torch.where(weight > 0, distances, -1.0)
    counts = processes.sum(torch.bincount(labels[weight > 0], minlength=n_clusters))
    for empty in torch.nonzero(counts == 0).flatten().tolist():
        candidates = torch.where(counts[labels] > 1, distances, -1.0)
        far = int(candidates.argmax())
        farthest = processes.gather(candidates[far])  # of each process
        owner = int(farthest.argmax())
        if farthest[owner] <= 0:  # nothing left to give: fewer distinct points than clusters
            break
        counts[int(processes.pick(labels[far], owner))] -= 1
        counts[empty] += 1
        point = processes.pick(x[far], owner)
        if processes.rank == owner:
            labels[far] = empty
        # The next empty cluster goes elsewhere: the points around this one have a center now.
        for block in row_blocks(len(x), x.shape[1], x.device):
            distances[block] = torch.minimum(distances[block], (x[block] - point).square().sum(1))
    return labels


def kmeans_plus_plus(
    x: Tensor | Shifted,
    n_clusters: int,
    generator: torch.Generator,
    sample_weight: Tensor | None = None,
    processes: Alone = ALONE,
) -> Tensor:
    """Greedy k-means++ -> indices (k,) of the rows of x (n, d) chosen as centers.

    Each next center is drawn with probability proportional to its squared distance from the centers so far (Arthur and
    Vassilvitskii 2007), the best of 2 + log k draws: the one that lowers the loss most (their section 5).
    Where x is the share of one of several processes, indices are those of the rows of all.
    """
    weight = torch.ones(len(x), dtype=x.dtype, device=x.device) if sample_weight is None else sample_weight
    n_trials = 2 + int(np.log(n_clusters))
    norms = squared_norms(x)
    start = int(processes.gather(torch.tensor(len(x)))[: processes.rank].sum())

    def draw(mass: Tensor, size: int) -> Tensor:
        # Inverse of the cumulative mass, in float64: torch.multinomial takes at most 2^24 categories.
        cumulative = mass.cpu().double().cumsum(0)
        ends = processes.gather(cumulative[-1]).cumsum(0)  # where the mass of each process ends
        where = torch.rand(size, generator=generator, dtype=torch.float64) * ends[-1]
        owner = torch.searchsorted(ends, where, right=True).clamp_(max=processes.size - 1)
        where -= ends[processes.rank] - cumulative[-1]
        index = start + torch.searchsorted(cumulative, where, right=True).clamp_(max=len(mass) - 1)
        return processes.sum(torch.where(owner == processes.rank, index, 0)).to(x.device)

    def distances_to(chosen: Tensor) -> Tensor:
        points = processes.take(x, chosen)
        found = torch.empty(len(x), len(points), dtype=x.dtype, device=x.device)
        for block in row_blocks(len(x), x.shape[1], x.device):
            found[block] = norms[block, None] + partial_distances(x[block], points)
        return found.clamp_(min=0)

    chosen = draw(weight, 1)
    closest = distances_to(chosen)[:, 0]
    for _ in range(n_clusters - 1):
        mass = closest * weight
        if not processes.sum(mass.sum()):  # fewer distinct points than clusters: any point is as good as another
            mass = weight
        trials = draw(mass, n_trials)
        distances = torch.minimum(distances_to(trials), closest[:, None])  # (n, n_trials)
        best = processes.sum(weight @ distances).argmin()
        closest = distances[:, best].clone()
        chosen = torch.cat([chosen, trials[best, None]])
    return chosen


def lloyd(
    x: Tensor | Shifted,
    centers: Tensor,
    sample_weight: Tensor | None = None,
    max_iter: int = 300,
    tol: float = 0.0,
    *,
    processes: Alone = ALONE,
    bounds: str | None = None,
    report: Callable[[float], None] = lambda loss: None,
) -> tuple[Tensor, Tensor, list[float]]:
    """Lloyd's algorithm from these centers -> centers (k, d), labels (n,), losses.

    Alternates the E-step (`assign`) and the M-step (`update`) until no label changes, or the squared movement of the
    centers is at most `tol`; a last E-step makes labels and centers agree. Empty clusters are refilled with the point
    farthest from its center. The losses are those before the M-step of each iteration, and the one at the end.

    bounds: how to leave out distances that cannot change a label, "elkan" (`ElkanSteps`), "hamerly" (`HamerlySteps`) or
    "none"; None takes the fastest.
    processes: the processes of which each works on its share x of the rows: they find the same centers.
    report: called with the loss of each iteration.
    """
    n_clusters = len(centers)
    weight = torch.ones(len(x), dtype=x.dtype, device=x.device) if sample_weight is None else sample_weight
    steps = _STEPS[bounds or _fastest(x, n_clusters)](x, weight, n_clusters)
    losses: list[float] = []
    for _ in range(max_iter):
        loss, changed = processes.sum(steps.assign(centers)).tolist()
        losses.append(loss)
        report(loss)
        if not changed:  # an iteration, too, whose M-step leaves the centers where they are
            return centers, steps.labels, [*losses, loss]
        sums, weights = map(processes.sum, steps.totals())
        if not weights.all():
            distances = assign(x, centers)[1]
            steps.reassign(_refill(x, steps.labels, distances, n_clusters, weight, processes))
            sums, weights = map(processes.sum, steps.totals())
        moved = torch.where(weights[:, None] > 0, _means(sums, weights).to(x.dtype), centers)
        shift = processes.pick((moved - centers).square().sum(), 0)
        centers = moved
        if shift <= tol:
            break
    losses.append(float(processes.sum(steps.assign(centers))[0]))
    return centers, steps.labels, losses


_STEPS: dict[str, type[ElkanSteps | PlainSteps]] = {"elkan": ElkanSteps, "hamerly": HamerlySteps, "none": PlainSteps}


def _fastest(x: Tensor | Shifted, n_clusters: int) -> str:
    """The bounds that cost least on x (n, d)."""
    if x.device.type != "cpu":
        return "none"
    if x.shape[1] >= max(_WIDE, n_clusters / 2):
        return "elkan"
    # Rows here and there are slow to read from a disk.
    return "hamerly" if n_clusters >= _MANY and isinstance(x, Tensor) else "none"


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, SavedEstimator):
    """Lloyd's k-means with greedy k-means++, several starts and refilled empty clusters.

    Minimises Σ_i w_i ‖x_i − μ_{c(i)}‖², a sum over samples and features (Lloyd 1982). Keeps float32 and float64.

    Parameters
    ----------
    n_clusters : number of clusters k.
    init : "k-means++", "random" (k different samples), an array (k, d) of centers, or a function
        init(X, n_clusters, random_state) that returns one, with X as rows (n, d).
    n_init : starts; the one with the lowest loss is kept. An array as `init` is one start. "auto" is 1 for "k-means++",
        whose starts differ little, else 10.
    max_iter : most iterations of one start.
    tol : a start ends when the squared movement of the centers is at most `tol` times the mean feature variance.
    callbacks : list, called after each start, such as [Progress()]; none of them may be a `Checkpoint`.
    device : "auto" (a GPU if there is one), "cpu", "cuda", "mps"; float64 is computed on the CPU instead of "mps".
    random_state : None, int or RandomState; the same int gives the same result.

    Attributes
    ----------
    cluster_centers_ (k, d), labels_ (n,), inertia_ : the loss, n_iter_ : iterations of the best start,
    inertia_history_ : its loss before each update of the centers, and at the end, history_ : of each start, the loss
    and the iterations, image_shape_ : (c, h, w) or None.
    """

    def __init__(
        self, n_clusters=10, *, init="k-means++", n_init=10, max_iter=300, tol=1e-4, callbacks=None, device="auto",
        random_state=None,
    ):  # fmt: skip
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X, y=None, sample_weight=None):
        """Cluster X, (n, d) or images (n, c, h, w); `y` is ignored. Raises ValueError for bad input.

        sample_weight : (n,), not negative: w_i of the loss; None: all 1. Warns (ConvergenceWarning) of empty clusters.
        A float32 or float64 `numpy.memmap` in C order may be larger than memory: it is read in blocks.
        In a script started by torchrun, each process gives the same X, works on its share and ends with the same model.
        """
        rows = check_x(self, X, reset=True)
        check_n_clusters(self.n_clusters, len(rows))
        check_number("max_iter", self.max_iter, 1, integer=True)
        check_number("tol", self.tol, 0)
        n_starts = self._n_starts()
        device = device_for(self.device, rows.dtype)
        weight = torch.from_numpy(_check_sample_weight(sample_weight, rows, dtype=rows.dtype, ensure_non_negative=True))
        if not weight.any():
            raise ValueError("All sample weights are zero: at least one must be positive.")
        processes = everyone(device)
        if len(rows) < processes.size:
            raise ValueError(f"X has {len(rows)} samples for {processes.size} processes: start fewer of them.")
        mine = processes.share(len(rows))
        own, weight = rows[mine], weight[mine].to(device)
        # With the mean at the origin, float32 survives the expansion of the squared distance.
        mean = (processes.sum(as_tensor(own).sum(0)) / len(rows)).to(device)
        x = centered(own, mean)
        tol = self.tol * float(processes.sum(squared_norms(x).sum())) / rows.size

        def search(start: Tensor, report: Callable[[float], None]) -> tuple[float, tuple[Tensor, list[float]]]:
            centers, _, losses = lloyd(x, start, weight, self.max_iter, tol, processes=processes, report=report)
            return losses[-1], (centers, losses)

        def publish(found: tuple[Tensor, list[float]]) -> None:
            self.cluster_centers_ = (found[0] + mean).cpu().numpy()

        starts = self._starts(n_starts, processes.seed(self.random_state), rows, x, mean, weight, processes)
        # Not by rounding alone: of starts that end in the same place the first, however many processes there are.
        _, losses = best_start(self, starts, n_starts, search, publish, margin=1e-6, everyone=processes)
        # Labels by way of `predict`, so that the two agree to the last tie.
        labels, distances = self._nearest(own)
        self.labels_ = processes.concatenate(labels, len(rows)).numpy()
        self.inertia_ = float(processes.sum(weight.cpu().double() @ distances.double()))
        self.n_iter_, self.inertia_history_ = len(losses) - 1, [*losses[:-1], self.inertia_]
        self._warn_of_empty_clusters()
        return self

    def _n_starts(self) -> int:
        if isinstance(self.init, str):
            check_choice("init", self.init, ("k-means++", "random"), "centers (k, d)")
        auto = isinstance(self.n_init, str) and self.n_init == "auto"
        if not auto:
            check_number("n_init", self.n_init, 1, integer=True)
        if not (isinstance(self.init, str) or callable(self.init)):
            return 1
        return (1 if self.init == "k-means++" else 10) if auto else self.n_init

    def _starts(
        self, n_starts: int, seed: int, rows: np.ndarray, x: Tensor | Shifted, mean: Tensor,
        weight: Tensor | None = None, processes: Alone = ALONE,
    ) -> Iterator[Tensor]:  # fmt: skip
        """Centers (k, d) to start from, less the mean (d,). x (m, d): the rows of this process, less the mean."""
        generator, random_state = torch.Generator().manual_seed(seed), check_random_state(seed)
        for _ in range(n_starts):
            if not isinstance(self.init, str):
                given = given_centers(self.init, rows, self.n_clusters, random_state)
                yield processes.pick(torch.from_numpy(given), 0).to(mean.device) - mean
            elif self.init == "random":
                yield processes.take(x, torch.randperm(len(rows), generator=generator)[: self.n_clusters])
            else:
                yield processes.take(x, kmeans_plus_plus(x, self.n_clusters, generator, weight, processes))

    def _warn_of_empty_clusters(self) -> None:
        n_found = len(np.unique(self.labels_))
        if n_found < self.n_clusters:
            warn(
                f"Only {n_found} of {self.n_clusters} clusters have points: X may hold fewer distinct samples; "
                "ask for fewer clusters.",
                ConvergenceWarning,
            )

    def predict(self, X) -> np.ndarray:
        """Nearest center of each sample -> (n,)."""
        return self._nearest(check_x(self, X, reset=False))[0].numpy()

    def transform(self, X) -> np.ndarray:
        """Distances to the centers, in the units of X -> (n, k)."""
        x, centers = self._centered(check_x(self, X, reset=False))
        distances = torch.empty(len(x), len(centers), dtype=x.dtype)  # in main memory, as the samples
        for block in row_blocks(len(x), max(x.shape[1], len(centers)), x.device):
            distances[block] = squared_distances(x[block], centers).sqrt_()
        return distances.numpy()

    def score(self, X, y=None) -> float:
        """Minus the sum of squared distances to the assigned centers, unweighted: higher is better."""
        return -float(self._nearest(check_x(self, X, reset=False))[1].sum())

    def _nearest(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Labels (n,) and squared distances to the nearest center (n,), in main memory."""
        labels, distances = assign(*self._centered(rows))
        return labels.cpu(), distances.cpu()

    def _centered(self, rows: np.ndarray) -> tuple[Shifted, Tensor]:
        """Rows and centers with the mean of the centers at the origin, on the device, in the precision of the rows."""
        x, centers, device = (
            as_tensor(rows),
            torch.from_numpy(self.cluster_centers_),
            device_for(self.device, rows.dtype),
        )
        mean = centers.mean(0)
        return Shifted(x, mean.to(x.dtype).to(device)), (centers - mean).to(x.dtype).to(device)

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)
