"""K-means by gradient descent, with hard or soft assignments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from torch import Tensor

from dclib.engine.device import device_for, draw_seed, epoch_generator, make_fabric
from dclib.engine.rows import Rows, cluster_sums, cluster_weights
from dclib.engine.training import Batch, train
from dclib.engine.validation import (
    all_or_nothing,
    check_choice,
    check_n_clusters,
    check_number,
    check_x,
    given_centers,
    warn,
)
from dclib.kmeans import KMeans, assign, kmeans_plus_plus, squared_distances

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# Rows that stand for all where a sample is enough.
_SAMPLE = 3000
# An optimizer's steps are small: whether they still help shows in so many of them.
_ROUND = 100


def hard_gradient(x: Tensor, centers: Tensor, labels: Tensor) -> Tensor:
    """Gradient of the mean of ½‖x_i − μ_c(i)‖² by the centers, for x (n, d), centers (k, d), labels (n,) -> (k, d).

    1/n Σ_{i: c(i) = k} (μ_k − x_i) (Bottou and Bengio 1995; Samplawski, equation 9, which prints its negative). It
    needs the clusters' sums alone: autograd would multiply an (n, k) array, nearly all zeros, with x.
    """
    weight = torch.ones_like(x[:, 0])
    sums = cluster_sums(x, labels, len(centers), weight)
    return (cluster_weights(labels, len(centers), weight)[:, None] * centers - sums) / len(x)


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


_Total = Callable[[Tensor], Tensor]


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
    def step(self, x: Tensor, size: int, memory: float, total: _Total | None = None) -> tuple[Tensor, Tensor]:
        """One step on x (b, d) -> loss (a mean over x), nearest centers (b,).

        size: of the whole batch, of which x may be a share; total: makes means over the whole batch of means over x.
        memory: how many samples back the running mean reaches.
        """
        distances = squared_distances(x, self.centers)
        nearest, labels = distances.min(1)
        if self.temperature:
            loss = soft_loss(distances, self.temperature)
            gradient = soft_gradient(x, self.centers, distances, self.temperature)
        else:
            loss = nearest.mean() / 2
            gradient = hard_gradient(x, self.centers, labels)
        shares = cluster_weights(labels, len(self.centers), torch.ones_like(x[:, 0])) / len(x)
        if total:  # both in one talk with the other processes
            packed = total(torch.cat([gradient.flatten(), shares]))
            gradient, shares = packed[: gradient.numel()].view_as(gradient), packed[gradient.numel() :]
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


class _Watch:
    """What the batches saw on their way: the report of an epoch without another pass over the data."""

    def __init__(self, n_rows: int, n_clusters: int, epochs_of_a_round: int, device: torch.device):
        self.n_clusters, self.epochs_of_a_round = n_clusters, epochs_of_a_round
        self.labels = torch.full((n_rows,), -1, device=device)  # each sample's center when its batch came by
        self.previous = self.labels.clone()  # one epoch before
        self.loss = torch.zeros((), device=device)  # of this epoch; then summed over those of a round, and the last one
        self.round, self.last_round = torch.zeros(()), torch.tensor(math.inf)

    def see(self, batch: Batch, loss: Tensor, labels: Tensor) -> None:
        self.labels[batch.rows] = labels
        self.loss.add_(loss * (batch.weight * batch.size / len(self.labels)))

    def report(self, fabric: Fabric) -> dict[str, float]:
        """Columns of the history for the epoch that ends; the next one begins."""
        if fabric.world_size > 1:
            self.labels.copy_(fabric.all_reduce(self.labels, reduce_op="max"))  # type: ignore[arg-type]
        changed = float((self.labels != self.previous).float().mean())
        counts = torch.bincount(self.labels, minlength=self.n_clusters)
        self.previous.copy_(self.labels)
        self.labels.fill_(-1)
        self.round.add_(_mean_of_all(fabric, self.loss).cpu())
        self.loss.zero_()
        return {"changed": changed, "smallest_share": float(counts.min()) / len(self.labels)}

    def ended(self, epoch: int, tol: float) -> bool:
        """Whether a round of epochs ends, and it lowered the loss by a share of `tol` or less."""
        if epoch % self.epochs_of_a_round:
            return False
        ended = tol > 0 and bool(self.round >= (1 - tol) * self.last_round)
        self.last_round.copy_(self.round)
        self.round.zero_()
        return ended


def _mean_of_all(fabric: Fabric, mean: Tensor) -> Tensor:
    """The mean over the processes."""
    return mean if fabric.world_size == 1 else fabric.all_reduce(mean, reduce_op="mean")  # type: ignore[return-value]


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
    init : "k-means++" (on a sample of the rows), "random" (k different samples), an array (k, d) of centers, such as
        Samplawski's start np.eye(k, d), or a function init(X, n_clusters, random_state), as in `KMeans`.
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
        """Cluster X, (n, d) or images (n, c, h, w); `y` is ignored.

        Raises ValueError for bad input or parameters, FloatingPointError when the loss is no longer finite. Warns
        (ConvergenceWarning) of empty clusters, and of fewer than 100 steps of a torch optimizer.
        """
        rows = check_x(self, X, reset=True)
        check_n_clusters(self.n_clusters, len(rows))
        self._check_parameters()
        fabric = make_fabric(device_for(self.device, rows.dtype), "32-true")
        seed = fabric.broadcast(draw_seed(self.random_state))
        start, shift = fabric.broadcast(self._start(rows, seed))
        offset = torch.from_numpy(shift).to(fabric.device)
        data = Rows(rows, rows.shape[1:], fabric.device, rows.dtype)
        descent = self._descent(start - shift, fabric.device)
        n_steps = -(-len(rows) // self.batch_size)  # of an epoch
        self._warn_of_few_steps(descent, self.epochs * n_steps)
        watch = _Watch(len(rows), self.n_clusters, -(-_ROUND // n_steps) if descent.optimizer else 1, fabric.device)

        def step(batch: Batch) -> dict[str, Tensor]:
            # A batch is a copy of its rows. With their mean near the origin float32 survives the expanded square.
            x = batch.x.sub_(offset)
            total = (lambda means: _mean_of_all(fabric, means * batch.weight)) if fabric.world_size > 1 else None
            loss, labels = descent.step(x, batch.size, len(rows), total)
            watch.see(batch, loss, labels)
            return {"loss": loss}

        def end_of_epoch() -> dict[str, float]:
            epoch = len(self.history_) + 1
            report = watch.report(fabric)
            report["revived"] = self._revive(descent, data, offset, epoch_generator(seed + 1, epoch, fabric.device))
            report["stop"] = watch.ended(epoch, self.tol) and not report["revived"]
            return report

        started = False

        def refresh() -> dict[str, float]:
            nonlocal started
            report = end_of_epoch() if started else {}
            started = True
            self.cluster_centers_ = descent.centers.detach().cpu().numpy() + offset.cpu().numpy()
            return report

        state = {"centers": descent.centers, "counts": descent.counts, "idle": descent.idle, "previous": watch.previous}
        # Without an int as random_state a resumed training has drawn another sample, and so another offset.
        state |= {"offset": offset, "round": watch.round, "last_round": watch.last_round}
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
        device = device_for(self.device, rows.dtype)
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

    def _revive(self, descent: _Descent, data: Rows, offset: Tensor, generator: torch.Generator) -> int:
        """Revive the centers that had no sample for an epoch -> how many."""
        unused = torch.nonzero(descent.idle >= len(data)).flatten()
        if not (self.revive and len(unused)):
            return 0
        sample = torch.randperm(len(data), generator=generator, device=generator.device)[:_SAMPLE]
        return descent.revive(unused, data[sample] - offset, generator)

    def _warn_of_few_steps(self, descent: _Descent, n_steps: int) -> None:
        if descent.optimizer and n_steps < _ROUND:
            warn(
                f"GradientKMeans takes {n_steps} steps in all, in which the centers hardly leave their "
                "start: lower batch_size or raise epochs, or learning_rate.",
                ConvergenceWarning,
            )

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

    def _start(self, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Centers (k, d), and the mean of a sample of the rows (d,): about where the data are."""
        generator = torch.Generator().manual_seed(seed)
        sample = rows[torch.randperm(len(rows), generator=generator)[: max(_SAMPLE, self.n_clusters)].numpy()]
        shift = sample.mean(axis=0)
        if not isinstance(self.init, str):
            return given_centers(self.init, rows, self.n_clusters, check_random_state(seed)), shift
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
