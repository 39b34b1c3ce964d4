"""K-means: Lloyd's algorithm with greedy k-means++ starts, and by gradient descent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight
from torch import Tensor

from dclib.base import (
    SavedEstimator,
    all_or_nothing,
    check_centers,
    check_choice,
    check_n_clusters,
    check_number,
    check_x,
    draw_seed,
    warn,
)
from dclib.elkan import ElkanSteps
from dclib.shares import Alone, Shifted, cluster_sums, everyone, is_memmap, row_blocks, squared_norms
from dclib.training import Batch, Rows, as_tensor, epoch_generator, make_fabric, resolve_device, train

# From so many features on, bounds cost less than the distances that they spare.
_WIDE = 64
# A single process has all rows.
ALONE = Alone()
# Rows that stand for all where a sample is enough.
_SAMPLE = 3000
# An optimizer's steps are small: whether they still help shows in so many of them.
_ROUND = 100


def squared_distances(x: Tensor, centers: Tensor) -> Tensor:
    """‖x_i − μ_k‖² for x (n, d) and centers (k, d) -> (n, k).

    Expanded as ‖x‖² − 2 x·μ + ‖μ‖²: one matrix product instead of an (n, k, d) array. The terms nearly cancel for
    points close to a center, so results are clipped at zero; center the data first if its mean is far from the origin.
    """
    return (x.square().sum(1, keepdim=True) + _partial_distances(x, centers)).clamp_(min=0)


def _partial_distances(x: Tensor, centers: Tensor) -> Tensor:
    """−2 x·μ + ‖μ‖² (n, k): the argmin over k does not need ‖x‖²."""
    # The product with the few columns last takes up to a third longer, and seven times as long with two features.
    return torch.addmm(centers.square().sum(1, keepdim=True), centers, x.T, alpha=-2).T


def assign(x: Tensor | Shifted, centers: Tensor) -> tuple[Tensor, Tensor]:
    """E-step: the nearest center of each row of x (n, d) -> labels (n,), squared distances to it (n,)."""
    labels = torch.empty(len(x), dtype=torch.long, device=x.device)
    distances = torch.empty(len(x), dtype=x.dtype, device=x.device)
    for block in row_blocks(len(x), max(x.shape[1], len(centers))):
        rows = x[block]
        nearest = _partial_distances(rows, centers).min(1)
        labels[block] = nearest.indices
        distances[block] = nearest.values + rows.square().sum(1)
    return labels, distances.clamp_(min=0)


def update(x: Tensor | Shifted, labels: Tensor, n_clusters: int, sample_weight: Tensor) -> tuple[Tensor, Tensor]:
    """M-step: weighted means of the clusters -> centers (k, d), total weights (k,). A mean of nothing is 0."""
    sums, weights = _totals(x, labels, n_clusters, sample_weight)
    return _means(sums, weights), weights


def _totals(x: Tensor | Shifted, labels: Tensor, n_clusters: int, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted sums of the clusters (k, d) and their weights (k,)."""
    sums = torch.zeros(n_clusters, x.shape[1], dtype=x.dtype, device=x.device)
    weights = sums.new_zeros(n_clusters)
    for block in row_blocks(*x.shape):
        sums += cluster_sums(x[block], labels[block], n_clusters, weight[block])
        # By blocks these, too: one by one a sum of float32 stays at 2^24.
        weights += _counts(labels[block], n_clusters, weight[block])
    return sums, weights


def _counts(labels: Tensor, n_clusters: int, weight: Tensor) -> Tensor:
    """Weight of each cluster (k,), in the dtype of weight (n,)."""
    return weight.new_zeros(n_clusters).index_add_(0, labels, weight)


def _means(sums: Tensor, weights: Tensor) -> Tensor:
    return sums / torch.where(weights > 0, weights, 1)[:, None]


def _refill(
    x: Tensor | Shifted, labels: Tensor, distances: Tensor, n_clusters: int, weight: Tensor, everyone: Alone
) -> Tensor:
    """Give each empty cluster the point farthest from all centers, taken from a cluster that has others left."""
    labels, distances = labels.clone(), torch.where(weight > 0, distances, -1.0)
    counts = everyone.sum(torch.bincount(labels[weight > 0], minlength=n_clusters))
    for empty in torch.nonzero(counts == 0).flatten().tolist():
        candidates = torch.where(counts[labels] > 1, distances, -1.0)
        far = int(candidates.argmax())
        farthest = everyone.gather(candidates[far])  # of each process
        owner = int(farthest.argmax())
        if farthest[owner] <= 0:  # nothing left to give: fewer distinct points than clusters
            break
        counts[int(everyone.pick(labels[far], owner))] -= 1
        counts[empty] += 1
        point = everyone.pick(x[far], owner)
        if everyone.rank == owner:
            labels[far] = empty
        # The next empty cluster goes elsewhere: the points around this one have a center now.
        for block in row_blocks(*x.shape):
            distances[block] = torch.minimum(distances[block], (x[block] - point).square().sum(1))
    return labels


def kmeans_plus_plus(
    x: Tensor | Shifted,
    n_clusters: int,
    generator: torch.Generator,
    sample_weight: Tensor | None = None,
    everyone: Alone = ALONE,
) -> Tensor:
    """Greedy k-means++ -> indices (k,) of the rows of x (n, d) chosen as centers.

    Each next center is drawn with probability proportional to its squared distance from the centers so far (Arthur and
    Vassilvitskii 2007), the best of 2 + log k draws: the one that lowers the loss most (their section 5).
    Where x is the share of one of several processes, indices are those of the rows of all.
    """
    weight = torch.ones(len(x), dtype=x.dtype, device=x.device) if sample_weight is None else sample_weight
    n_trials = 2 + int(np.log(n_clusters))
    norms = squared_norms(x)
    start = int(everyone.gather(torch.tensor(len(x)))[: everyone.rank].sum())

    def draw(mass: Tensor, size: int) -> Tensor:
        # Inverse of the cumulative mass, in float64: torch.multinomial takes at most 2^24 categories.
        cumulative = mass.cpu().double().cumsum(0)
        ends = everyone.gather(cumulative[-1]).cumsum(0)  # where the mass of each process ends
        where = torch.rand(size, generator=generator, dtype=torch.float64) * ends[-1]
        owner = torch.searchsorted(ends, where, right=True).clamp_(max=everyone.size - 1)
        where -= ends[everyone.rank] - cumulative[-1]
        index = start + torch.searchsorted(cumulative, where, right=True).clamp_(max=len(mass) - 1)
        return everyone.sum(torch.where(owner == everyone.rank, index, 0)).to(x.device)

    def distances_to(chosen: Tensor) -> Tensor:
        points = everyone.take(x, chosen)
        found = torch.empty(len(x), len(points), dtype=x.dtype, device=x.device)
        for block in row_blocks(*x.shape):
            found[block] = norms[block, None] + _partial_distances(x[block], points)
        return found.clamp_(min=0)

    chosen = draw(weight, 1)
    closest = distances_to(chosen)[:, 0]
    for _ in range(n_clusters - 1):
        mass = closest * weight
        if not everyone.sum(mass.sum()):  # fewer distinct points than clusters: any point is as good as another
            mass = weight
        trials = draw(mass, n_trials)
        distances = torch.minimum(distances_to(trials), closest[:, None])  # (n, n_trials)
        best = everyone.sum(weight @ distances).argmin()
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
    everyone: Alone = ALONE,
    bounds: bool | None = None,
) -> tuple[Tensor, Tensor, list[float]]:
    """Lloyd's algorithm from these centers -> centers (k, d), labels (n,), loss of each iteration.

    Alternates the E-step (`assign`) and the M-step (`update`) until no label changes, or the squared movement of the
    centers is at most `tol`; a last E-step makes labels and centers agree. Empty clusters are refilled with the point
    farthest from its center.

    bounds: whether to leave out the distances that cannot change a label (`ElkanSteps`); None does where it is faster.
    everyone: the processes of which each works on its share x of the rows: they find the same centers.
    """
    n_clusters = len(centers)
    weight = torch.ones(len(x), dtype=x.dtype, device=x.device) if sample_weight is None else sample_weight
    if bounds is None:
        bounds = x.device.type == "cpu" and x.shape[1] >= max(_WIDE, 2 * n_clusters)
    steps = (ElkanSteps if bounds else PlainSteps)(x, weight, n_clusters)
    losses: list[float] = []
    for _ in range(max_iter):
        loss, changed = everyone.sum(steps.assign(centers)).tolist()
        losses.append(loss)
        if not changed:
            return centers, steps.labels, losses
        sums, weights = map(everyone.sum, steps.totals())
        if not weights.all():
            distances = assign(x, centers)[1]
            steps.reassign(_refill(x, steps.labels, distances, n_clusters, weight, everyone))
            sums, weights = map(everyone.sum, steps.totals())
        moved = torch.where(weights[:, None] > 0, _means(sums, weights).to(x.dtype), centers)
        shift = everyone.pick((moved - centers).square().sum(), 0)
        centers = moved
        if shift <= tol:
            break
    losses.append(float(everyone.sum(steps.assign(centers))[0]))
    return centers, steps.labels, losses


class PlainSteps:
    """E- and M-step as they are derived, all distances and all sums, in one pass over the rows of x (n, d)."""

    def __init__(self, x: Tensor | Shifted, weight: Tensor, n_clusters: int):
        self.x, self.weight = x, weight
        self.norms = squared_norms(x)
        self.labels = torch.full((len(x),), -1, device=x.device)
        self.sums = torch.zeros(n_clusters, x.shape[1], dtype=x.dtype, device=x.device)
        self.weights = self.sums.new_zeros(n_clusters)

    def assign(self, centers: Tensor) -> Tensor:
        """E-step: updates `labels` (n,) -> loss and number of labels that changed (2,)."""
        previous, self.labels = self.labels, torch.empty_like(self.labels)
        self.sums.zero_(), self.weights.zero_()
        loss = self.sums.new_zeros(())
        for block in row_blocks(len(self.x), max(centers.shape)):
            rows, weight = self.x[block], self.weight[block]
            nearest = _partial_distances(rows, centers).min(1)
            self.labels[block] = nearest.indices
            self.sums += cluster_sums(rows, nearest.indices, len(centers), weight)  # while the rows are in the cache
            self.weights += _counts(nearest.indices, len(centers), weight)
            loss += weight @ (nearest.values + self.norms[block]).clamp_(min=0)
        return torch.stack([loss, (self.labels != previous).sum().to(loss.dtype)])

    def totals(self) -> tuple[Tensor, Tensor]:
        """For the M-step: weighted sums of the clusters (k, d) and their weights (k,)."""
        return self.sums, self.weights

    def reassign(self, labels: Tensor) -> None:
        """Take these labels (n,) instead, whether a center is near or not."""
        self.labels = labels
        self.sums, self.weights = _totals(self.x, labels, len(self.sums), self.weight)


def balanced_kmeans(
    z: Tensor, centers: Tensor, temperatures: Sequence[float] = (0.2, 0.1, 0.05, 0.02)
) -> tuple[Tensor, float]:
    """K-means with clusters of equal size, from these centers -> centers (k, d), loss (mean over the rows). z: (n, d)

    The assignment is an entropic transport plan between samples and clusters with equal cluster shares (Cuturi 2013,
    "Sinkhorn distances"). Its entropy falls with the temperature, in units of the variance of z; from a high one the
    end depends little on the start.
    """
    z, centers = z.double(), centers.double()
    n_clusters, scale = len(centers), torch.ones(len(centers), dtype=torch.float64, device=z.device)
    variance = z.var(0, correction=0).sum() + torch.finfo(z.dtype).tiny
    for temperature in temperatures:
        for _ in range(12):
            distances = squared_distances(z, centers) / (temperature * variance)
            kernel = torch.exp(distances.min(1, keepdim=True).values - distances)  # (n, k), largest entry of a row is 1
            for _ in range(30):  # Sinkhorn: alternately make the rows sum to one and the columns to n / k
                scale = len(z) / n_clusters / ((1 / (kernel @ scale)) @ kernel)
            plan = kernel * scale
            plan /= plan.sum(1, keepdim=True)
            centers = plan.T @ z / plan.sum(0)[:, None]
    loss = float((plan * squared_distances(z, centers)).sum() / len(z))
    return centers.float(), loss


def balanced_start(x: Tensor, n_clusters: int, generator: torch.Generator) -> tuple[Tensor, float]:
    """`balanced_kmeans` of x (n, d) from random samples -> centers (k, d), loss."""
    return balanced_kmeans(x, x[torch.randperm(len(x), generator=generator)[:n_clusters].to(x.device)])


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, SavedEstimator):
    """Lloyd's k-means with greedy k-means++, several starts and refilled empty clusters.

    Minimises Σ_i w_i ‖x_i − μ_{c(i)}‖², a sum over samples and features (Lloyd 1982). Keeps float32 and float64.

    Parameters
    ----------
    n_clusters : number of clusters k.
    init : "k-means++", "random" (k different samples) or an array (k, d) of centers.
    n_init : starts; the one with the lowest loss is kept. An array as `init` is one start.
    max_iter : most iterations of one start.
    tol : a start ends when the squared movement of the centers is at most `tol` times the mean feature variance.
    random_state : None, int or RandomState; the same int gives the same result.

    Attributes
    ----------
    cluster_centers_ (k, d), labels_ (n,), inertia_ : the loss, n_iter_ : iterations of the best start,
    inertia_history_ : its loss before each update of the centers, and at the end, image_shape_ : (c, h, w) or None.
    """

    def __init__(self, n_clusters=10, *, init="k-means++", n_init=10, max_iter=300, tol=1e-4, random_state=None):
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X, y=None, sample_weight=None):
        """Cluster X, (n, d) or images (n, c, h, w); `y` is ignored. Raises ValueError for bad input.

        A float32 or float64 `numpy.memmap` in C order may be larger than memory: it is read in blocks.
        In a script started by torchrun, each process gives the same X, works on its share and ends with the same model.
        """
        rows = check_x(self, X, reset=True)
        check_n_clusters(self.n_clusters, len(rows))
        check_number("n_init", self.n_init, 1, integer=True)
        check_number("max_iter", self.max_iter, 1, integer=True)
        check_number("tol", self.tol, 0)
        weight = torch.from_numpy(_check_sample_weight(sample_weight, rows, dtype=rows.dtype, ensure_non_negative=True))
        if not weight.any():
            raise ValueError("All sample weights are zero: at least one must be positive.")
        processes = everyone()
        if len(rows) < processes.size:
            raise ValueError(f"X has {len(rows)} samples for {processes.size} processes: start fewer of them.")
        mine = processes.share(len(rows))
        own, weight = as_tensor(rows)[mine], weight[mine]
        # With the mean at the origin, float32 survives the expansion of the squared distance.
        mean = processes.sum(own.sum(0)) / len(rows)
        x = Shifted(own, mean) if is_memmap(rows) else own - mean
        tol = self.tol * float(processes.sum(squared_norms(x).sum())) / rows.size
        best = None
        for centers in self._starts(x, mean, weight, processes):
            run = lloyd(x, centers, weight, self.max_iter, tol, everyone=processes)
            # Not by rounding alone: of starts that end in the same place the first, however many processes there are.
            if best is None or run[2][-1] < (1 - 1e-6) * best[2][-1]:
                best = run
        assert best is not None
        centers, _, losses = best
        self.cluster_centers_ = (centers + mean).numpy()
        # Labels by way of `predict`, so that the two agree to the last tie.
        labels, distances = self._nearest(rows[mine])
        self.labels_ = processes.concatenate(labels, len(rows)).numpy()
        self.inertia_ = float(processes.sum(weight.double() @ distances.double()))
        self.n_iter_, self.inertia_history_ = len(losses) - 1, [*losses[:-1], self.inertia_]
        n_found = len(np.unique(self.labels_))
        if n_found < self.n_clusters:
            warn(
                f"Only {n_found} of {self.n_clusters} clusters have points: X may hold fewer distinct samples.",
                ConvergenceWarning,
            )
        return self

    def _starts(self, x: Tensor | Shifted, mean: Tensor, weight: Tensor, processes: Alone) -> Iterator[Tensor]:
        if not isinstance(self.init, str):
            centers = torch.from_numpy(check_centers(self.init, (self.n_clusters, x.shape[1]), mean.numpy().dtype))
            yield centers - mean
            return
        check_choice("init", self.init, ("k-means++", "random"), "centers (k, d)")
        seed = processes.pick(torch.tensor(draw_seed(self.random_state)), 0)
        generator = torch.Generator().manual_seed(int(seed))
        n = int(processes.sum(torch.tensor(len(x))))
        for _ in range(self.n_init):
            if self.init == "random":
                chosen = torch.randperm(n, generator=generator)[: self.n_clusters]
            else:
                chosen = kmeans_plus_plus(x, self.n_clusters, generator, weight, processes)
            yield processes.take(x, chosen)

    def predict(self, X) -> np.ndarray:
        """Nearest center of each sample -> (n,)."""
        return self._nearest(check_x(self, X, reset=False))[0].numpy()

    def transform(self, X) -> np.ndarray:
        """Distances to the centers, in the units of X -> (n, k)."""
        x, centers = self._centered(check_x(self, X, reset=False))
        distances = torch.empty(len(x), len(centers), dtype=x.dtype)
        for block in row_blocks(len(x), max(x.shape[1], len(centers))):
            distances[block] = squared_distances(x[block], centers).sqrt_()
        return distances.numpy()

    def score(self, X, y=None) -> float:
        """Minus the loss on X: higher is better."""
        return -float(self._nearest(check_x(self, X, reset=False))[1].sum())

    def _nearest(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Labels (n,) and squared distances to the nearest center (n,)."""
        return assign(*self._centered(rows))

    def _centered(self, rows: np.ndarray) -> tuple[Shifted, Tensor]:
        """Rows and centers with the mean of the centers at the origin, in the precision of the rows."""
        x, centers = as_tensor(rows), torch.from_numpy(self.cluster_centers_)
        mean = centers.mean(0)
        return Shifted(x, mean.to(x.dtype)), (centers - mean).to(x.dtype)

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)


# --- by gradient ------------------------------------------------------------------------------------------------------


def hard_gradient(x: Tensor, centers: Tensor, labels: Tensor) -> Tensor:
    """Gradient of the mean of ½‖x_i − μ_c(i)‖² by the centers, for x (n, d), centers (k, d), labels (n,) -> (k, d).

    1/n Σ_{i: c(i) = k} (μ_k − x_i) (Bottou and Bengio 1995; Samplawski, equation 9, which prints its negative). It
    needs the clusters' sums alone: autograd would multiply an (n, k) array, nearly all zeros, with x.
    """
    weight = torch.ones_like(x[:, 0])
    sums = cluster_sums(x, labels, len(centers), weight)
    return (_counts(labels, len(centers), weight)[:, None] * centers - sums) / len(x)


def soft_loss(distances: Tensor, temperature: float) -> Tensor:
    """½ Σ_k q_ik d_ik with q_i = softmax(−d_i / temperature), mean over the samples; squared distances d (n, k) -> ().

    Differentiable k-means (Peng et al. 2018, "k-meansNet"; Fard et al. 2018, "Deep k-means"). The gradient flows
    through q, too. At a temperature far below the distances it is the hard loss, ½ min_k d_ik.
    """
    return (torch.softmax(-distances / temperature, 1) * distances).sum(1).mean() / 2


def soft_gradient(x: Tensor, centers: Tensor, distances: Tensor, temperature: float) -> Tensor:
    """Gradient of `soft_loss` by the centers (k, d); x (n, d), distances (n, k) -> (k, d).

    1/n Σ_i w_ik (μ_k − x_i) with w_ik = q_ik (1 + (Σ_l q_il d_il − d_ik) / temperature): centers farther than the mean
    by more than the temperature are pushed away.
    """
    q = torch.softmax(-distances / temperature, 1)
    mean = (q * distances).sum(1, keepdim=True)
    weights = q * (1 + (mean - distances) / temperature)
    return (weights.sum(0)[:, None] * centers - weights.T @ x) / len(x)


def optimizers() -> dict[str, type[torch.optim.Optimizer]]:
    """The optimizers of torch.optim by name in small letters, but those that need more than a gradient."""
    other = ("Optimizer", "LBFGS", "SparseAdam")
    return {
        name.lower(): cls
        for name, cls in vars(torch.optim).items()
        if isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer) and name not in other
    }


class _Descent:
    """Centers (k, d) that go down a gradient, and what a step has to remember."""

    def __init__(self, centers: Tensor, optimizer: str, learning_rate: float, temperature: float):
        self.centers = torch.nn.Parameter(centers)
        self.counts = torch.zeros_like(centers[:, 0])  # n_k of the running mean
        self.idle = torch.zeros_like(self.counts)  # samples seen since the center was nearest to one of them
        self.temperature, self.name = temperature, optimizer
        kind: Any = optimizers().get(optimizer)  # None for the running mean
        self.optimizer = kind and kind([self.centers], lr=learning_rate)

    @torch.no_grad()
    def step(self, x: Tensor, size: int, memory: float, total=lambda mean: mean) -> tuple[Tensor, Tensor]:
        """One step on x (b, d) -> loss (a mean over x), nearest centers (b,).

        size: of the whole batch, of which x may be a share; total: makes means over the whole batch of means over x.
        memory: how many samples back the running mean reaches.
        """
        distances = squared_distances(x, self.centers)
        nearest, labels = distances.min(1)
        if self.temperature:
            loss = soft_loss(distances, self.temperature)
            gradient = total(soft_gradient(x, self.centers, distances, self.temperature))
        else:
            loss = nearest.mean() / 2
            gradient = total(hard_gradient(x, self.centers, labels))
        shares = total(_counts(labels, len(self.centers), torch.ones_like(x[:, 0])) / len(x))
        self.idle.add_(size).mul_(shares == 0)
        if self.optimizer:
            self.centers.grad = gradient
            self.optimizer.step()
        else:
            self.counts.mul_(1 - size / memory).add_(shares * size)
            self.centers.sub_(gradient * (size / self.counts.clamp(min=1))[:, None])
        return loss, labels

    @torch.no_grad()
    def revive(self, places: Tensor, x: Tensor, generator: torch.Generator) -> int:
        """Move the centers with these numbers (m,) to samples among x, as if they had never moved -> how many it could.

        As in k-means++ a sample is drawn in proportion to its squared distance from its nearest center.
        """
        distances = assign(x, self.centers)[1]
        places = places[: int((distances > 0).sum())]
        # The smallest of exponential numbers with rates d are a draw without replacement, in proportion to d.
        race = torch.empty_like(distances).exponential_(generator=generator) / distances
        self.centers[places] = x[race.topk(len(places), largest=False).indices]
        self.counts[places] = self.idle[places] = 0
        for moment in self._moments().values():
            if moment.shape == self.centers.shape:
                moment[places] = 0
        return len(places)

    def _moments(self) -> dict[str, Tensor]:
        state = self.optimizer.state[self.centers] if self.optimizer else {}
        return {name: value for name, value in state.items() if isinstance(value, Tensor)}

    def save(self) -> dict:
        """What another step needs, as arrays."""
        moments = {name: value.cpu().numpy() for name, value in self._moments().items()}
        return {
            "optimizer": self.name,
            "counts": self.counts.cpu().numpy(),
            "idle": self.idle.cpu().numpy(),
            "moments": moments,
        }

    def load(self, state: dict) -> None:
        """Go on from what `save` returned; the moments of another optimizer are left."""
        self.counts.copy_(torch.from_numpy(state["counts"]))
        self.idle.copy_(torch.from_numpy(state["idle"]))
        if self.optimizer and state["optimizer"] == self.name:
            moments = {name: torch.tensor(value) for name, value in state["moments"].items()}
            self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": {0: moments}})


class GradientKMeans(KMeans):
    """K-means learned by gradient descent on the centers, batch by batch: for large data, streams and lessons.

    Loss: the mean over the samples of ½‖x_i − μ_c(i)‖², a sum over the features (Samplawski, equation 8, divided by n),
    or its soft form, `soft_loss`. So the gradient at a center is its cluster's share of the batch times its distance
    from their mean. Gradients are in closed form (`hard_gradient`, `soft_gradient`).

    Parameters
    ----------
    n_clusters : number of clusters k.
    temperature : 0 is the hard assignment to the nearest center. Above 0 a sample belongs to all centers, with weights
        softmax(−squared distance / temperature).
    optimizer : "mean" is the step 1/n_k of Bottou and Bengio (1995): a center is the running mean of its samples. n_k
        counts those of about one epoch back (in `partial_fit`: all), so that full batches are Lloyd's algorithm. It
        needs no learning rate, and temperature 0. Or a torch optimizer by its name: "sgd", "adam", "rmsprop", …
        "auto" is "mean" at temperature 0, else "adam".
    learning_rate : for torch's optimizers. Adam and its kin move a coordinate by about so much a step, in the units of
        X. For "sgd" try 1: a center is then about the mean of its last `batch_size` samples.
    init : "k-means++" (on a sample of the rows), "random" (k different samples) or an array (k, d) of centers, such as
        Samplawski's start np.eye(k, d).
    revive : after each epoch move centers that were nearest to no sample in it to samples, drawn in proportion to the
        squared distance from their centers (in `partial_fit`: after 100·k samples without one).
    tol : training ends when an epoch lowers the loss by this share or less, and revives no center; 0 is never. The
        default ends about where scikit-learn's MiniBatchKMeans does, 0.001 about a percent lower. With a torch
        optimizer, as many epochs as take 100 steps are compared with as many before.
    epochs, batch_size, callbacks, device, random_state : as in `Autoencoder`. float32 and float64 stay what they are.

    Attributes
    ----------
    cluster_centers_ (k, d), labels_ (n,), inertia_ : sum of squared distances, as in `KMeans`, n_steps_ : steps so far,
    history_ : loss; changed : share of samples with another center than one epoch before; smallest_share : of a
    cluster, all three as the batches saw them on their way; revived : how many centers,
    optimizer_state_ : what `partial_fit` goes on from, image_shape_ : (c, h, w) or None.
    """

    def __init__(
        self, n_clusters=10, *, temperature=0.0, optimizer="auto", learning_rate=0.01, init="k-means++", revive=True,
        epochs=20, tol=0.03, batch_size=256, callbacks=None, device="auto", random_state=None,
    ):  # fmt: skip
        self.n_clusters, self.temperature, self.optimizer = n_clusters, temperature, optimizer
        self.learning_rate, self.init, self.revive, self.epochs = learning_rate, init, revive, epochs
        self.tol, self.batch_size, self.callbacks, self.device = tol, batch_size, callbacks, device
        self.random_state = random_state

    @all_or_nothing
    def fit(self, X, y=None):
        """Cluster X, (n, d) or images (n, c, h, w); `y` is ignored. Raises ValueError for bad input."""
        rows = check_x(self, X, reset=True)
        check_n_clusters(self.n_clusters, len(rows))
        self._check_parameters()
        fabric = make_fabric(self._device(rows.dtype), "32-true")
        seed = fabric.broadcast(draw_seed(self.random_state))
        start, shift = fabric.broadcast(self._start(rows, seed))
        descent = self._descent(start - shift, fabric.device)
        data, offset = Rows(rows, rows.shape[1:], fabric.device, rows.dtype), torch.from_numpy(shift).to(fabric.device)
        n_steps = -(-len(rows) // self.batch_size)  # of an epoch
        n_epochs = -(-_ROUND // n_steps) if descent.optimizer else 1  # of a round
        if descent.optimizer and self.epochs * n_steps < _ROUND:
            warn(
                f"GradientKMeans takes {self.epochs * n_steps} steps in all, in which the centers hardly leave their "
                "start: lower batch_size or raise epochs, or learning_rate.",
                ConvergenceWarning,
            )
        # Each sample's center when its batch came by: an epoch's report without another pass over the data.
        labels = torch.full((len(rows),), -1, device=fabric.device)
        previous, started = labels.clone(), False
        spent = torch.zeros((), device=fabric.device)  # losses of this epoch, of this round, of the last one
        spent_in_round, last = torch.zeros(()), torch.tensor(math.inf)

        def total(mean: Tensor, weight: float) -> Any:
            return mean if fabric.world_size == 1 else fabric.all_reduce(mean * weight, reduce_op="mean")

        def step(batch: Batch) -> dict[str, Tensor]:
            # A batch is a copy of its rows. With their mean near the origin float32 survives the expanded square.
            x = batch.x.sub_(offset)
            weighted = partial(total, weight=batch.weight)
            loss, labels[batch.rows] = descent.step(x, batch.size, len(rows), weighted)
            spent.add_(loss * (batch.weight * batch.size / len(rows)))
            return {"loss": loss}

        def refresh() -> dict[str, float]:
            nonlocal started
            report = end_of_epoch() if started else {}
            started = True
            self.cluster_centers_ = descent.centers.detach().cpu().numpy() + offset.cpu().numpy()
            return report

        def end_of_epoch() -> dict[str, float]:
            if fabric.world_size > 1:
                labels.copy_(fabric.all_reduce(labels, reduce_op="max"))  # type: ignore[arg-type]
            report = {
                "changed": float((labels != previous).float().mean()),
                "smallest_share": float(torch.bincount(labels, minlength=self.n_clusters).min()) / len(rows),
                "revived": 0,
            }
            unused = torch.nonzero(descent.idle >= len(rows)).flatten()
            if self.revive and len(unused):
                draws = epoch_generator(seed + 1, len(self.history_) + 1, fabric.device)
                sample = torch.randperm(len(rows), generator=draws, device=draws.device)[:_SAMPLE]
                report["revived"] = descent.revive(unused, data[sample] - offset, draws)
            previous.copy_(labels)
            labels.fill_(-1)
            spent_in_round.add_(total(spent, weight=1.0).cpu())
            spent.zero_()
            if (len(self.history_) + 1) % n_epochs == 0:
                ended = self.tol > 0 and bool(spent_in_round >= (1 - self.tol) * last)
                report["stop"] = ended and not report["revived"]
                last.copy_(spent_in_round)
                spent_in_round.zero_()
            return report

        state = {"centers": descent.centers, "counts": descent.counts, "idle": descent.idle, "previous": previous}
        # Without an int as random_state a resumed training has drawn another sample, and so another offset.
        state |= {"offset": offset, "spent_in_round": spent_in_round, "last": last}
        if descent.optimizer:
            state["optimizer"] = descent.optimizer
        train(self, step, data, fabric=fabric, state=state, seed=seed, refresh=refresh)
        self.n_steps_ = len(self.history_) * n_steps
        self._keep(descent, offset.cpu().numpy(), rows)
        n_found = len(np.unique(self.labels_))
        if n_found < self.n_clusters:
            warn(
                f"Only {n_found} of {self.n_clusters} clusters have points: X may hold fewer distinct samples, or "
                "centers stayed far from all of them (try revive=True, another init, more epochs).",
                ConvergenceWarning,
            )
        return self

    @all_or_nothing
    def partial_fit(self, X, y=None):
        """One step on X as one batch, for data that arrive in pieces; `y` is ignored. Raises ValueError for bad input.

        The first call draws the start from its X, which needs `n_clusters` samples or more; after `fit` or `load` it
        goes on from there. labels_ and inertia_ are those of this X.
        """
        first = not hasattr(self, "cluster_centers_")
        rows = check_x(self, X, reset=first)
        self._check_parameters()
        seed = draw_seed(self.random_state)
        if first:
            check_n_clusters(self.n_clusters, len(rows))
            self.cluster_centers_, self.n_steps_ = self._start(rows, seed)[0], 0
        rows = rows.astype(self.cluster_centers_.dtype, copy=False)
        device = self._device(rows.dtype)
        shift = self.cluster_centers_.mean(axis=0)
        x = torch.from_numpy(rows - shift).to(device)
        descent = self._descent(self.cluster_centers_ - shift, device)
        if not first:
            descent.load(self.optimizer_state_)
        descent.step(x, len(x), math.inf)
        self.n_steps_ += 1
        unused = torch.nonzero(descent.idle >= 100 * self.n_clusters).flatten()
        if self.revive and len(unused):
            descent.revive(unused, x, epoch_generator(seed, self.n_steps_, device))
        self._keep(descent, shift, rows)
        return self

    def _check_parameters(self) -> None:
        check_number("temperature", self.temperature, 0)
        check_choice("optimizer", self.optimizer, ("auto", "mean", *optimizers()))
        if self.optimizer == "mean" and self.temperature:
            raise ValueError(
                'optimizer="mean" takes the mean of a cluster\'s samples, which the soft assignment has not: set '
                'temperature=0, or optimizer="adam".'
            )
        check_number("learning_rate", self.learning_rate, 0, open_low=True)
        check_number("tol", self.tol, 0)
        for name in ("epochs", "batch_size"):
            check_number(name, getattr(self, name), 1, integer=True)

    def _device(self, dtype) -> torch.device:
        device = resolve_device(self.device)
        if device.type == "mps" and dtype == np.float64:  # which Apple's GPUs do not have
            return torch.device("cpu")
        return device

    def _start(self, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Centers (k, d), and the mean of a sample of the rows (d,): about where the data are."""
        generator = torch.Generator().manual_seed(seed)
        sample = rows[torch.randperm(len(rows), generator=generator)[: max(_SAMPLE, self.n_clusters)].numpy()]
        shift, shape = sample.mean(axis=0), (self.n_clusters, rows.shape[1])
        if not isinstance(self.init, str):
            return check_centers(self.init, shape, rows.dtype), shift
        check_choice("init", self.init, ("k-means++", "random"), "centers (k, d)")
        if self.init == "random":
            return sample[: self.n_clusters], shift
        chosen = kmeans_plus_plus(torch.from_numpy(sample - shift), self.n_clusters, generator)
        return sample[chosen.numpy()], shift

    def _descent(self, centers: np.ndarray, device: torch.device) -> _Descent:
        name = ("adam" if self.temperature else "mean") if self.optimizer == "auto" else self.optimizer
        return _Descent(torch.from_numpy(centers).to(device), name, self.learning_rate, self.temperature)

    def _keep(self, descent: _Descent, shift: np.ndarray, rows: np.ndarray) -> None:
        self.cluster_centers_ = descent.centers.detach().cpu().numpy() + shift
        self.optimizer_state_ = descent.save()
        labels, distances = self._nearest(rows)  # as `predict` does: the two agree to the last tie
        self.labels_, self.inertia_ = labels.numpy(), float(distances.sum())
