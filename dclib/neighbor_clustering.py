"""Neighbours teach: samples that are nearest neighbours should get the same cluster (Van Gansbeke et al. 2020)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dclib.autoencoder import augmenter, check_training, copy_autoencoder
from dclib.deep_clusterer import INITS, start_centers
from dclib.engine.device import draw_seed, make_fabric
from dclib.engine.rows import Rows, map_rows
from dclib.engine.training import Batch, adam, descend, train
from dclib.engine.validation import all_or_nothing, check_choice, check_labels, check_n_clusters, check_number, check_x
from dclib.kmeans import assign
from dclib.network_clusterer import NetworkClusterer, average_buffers, dropout_draws


@torch.no_grad()
def nearest_neighbors(z: Tensor, n_neighbors: int, share: slice = slice(None), block: int = 2**22) -> Tensor:
    """The other rows that are nearest to each row, exactly, by their numbers, the nearest first.

    z (n, d) -> (n, n_neighbors), or those of a share of the rows. About `block` distances are in memory at once.
    """
    z = z - z.mean(0)  # float32 survives the expanded square near the origin
    norms, (first, end, _) = z.square().sum(1), share.indices(len(z))
    found = torch.empty(end - first, n_neighbors, dtype=torch.long, device=z.device)
    width = min(len(z), max(block // 256, n_neighbors))  # so many others at once
    buffer = z.new_empty(max(block // width, 1), width)
    for start in range(first, end, len(buffer)):
        rows, out = z[start : min(start + len(buffer), end)], found[start - first :][: len(buffer)]
        nearest, numbers = z.new_empty(len(rows), 0), out[:, :0]
        for other in range(0, len(z), width):
            others = z[other : other + width]
            # ‖z_j‖² − 2 z_i·z_j: without ‖z_i‖² the order is the same.
            distances = buffer[: len(rows), : len(others)].copy_(norms[other : other + width])
            distances.addmm_(rows, others.T, alpha=-2)
            distances.diagonal(start - other).fill_(torch.inf)  # not itself; empty where the two blocks do not meet
            values, at = distances.topk(min(n_neighbors, len(others)), largest=False)
            nearest, numbers = torch.cat([nearest, values], 1), torch.cat([numbers, other + at], 1)
            nearest, at = nearest.topk(min(n_neighbors, nearest.shape[1]), largest=False)
            numbers = numbers.gather(1, at)
        out.copy_(numbers)
    return found


def neighbor_loss(log_p: Tensor, log_p_neighbor: Tensor) -> Tensor:
    """−log⟨p_i, p_j⟩, mean over the batch: ⟨p_i, p_j⟩ is the probability that the two get the same cluster.

    First term of SCAN's loss (equation 2). Logarithms of probabilities, both (n, k) -> scalar
    """
    return -(log_p + log_p_neighbor).logsumexp(1).mean()


def mean_entropy(p: Tensor, whole_mean: Tensor | None = None) -> Tensor:
    """−Σ_k p̄_k log p̄_k, p̄ the mean over the batch, in nats: log k where all clusters are equally frequent.

    Second term of SCAN's loss (equation 2). Where p is the share of a batch, `whole_mean` (k,) is p̄ of the whole one;
    the mean of the values over the shares, and that of the gradients, are then those of the whole. p (n, k) -> scalar
    """
    mean = p.mean(0)
    # d(p̄ log p̄) = (log p̄ + 1) dp̄, and the ones add up to nothing, since p̄ always sums to one.
    log = (mean if whole_mean is None else whole_mean).detach().clamp(min=1e-12).log()
    return -(mean * log).sum()


class NeighborClustering(NetworkClusterer):
    """Trains a network that gives each sample a cluster, with its nearest neighbours as the only teachers.

    Loss: −log⟨p_i, p_j⟩ − entropy_weight · entropy of the mean p over the batch, where p_i = softmax(network(x_i)) and
    j is drawn from the nearest neighbours of i; the first term is a mean over the batch, the second the entropy of such
    a mean. (Van Gansbeke et al. 2020, "SCAN: Learning to classify images without labels".) The second keeps all
    clusters in use: it assumes classes of about equal size. Training starts with cross-entropy towards the labels of
    k-means: without this the end depends on the network's random weights.

    Parameters
    ----------
    n_clusters : number of clusters k.
    autoencoder : an `Autoencoder`, fitted (used as it is, and left untouched) or not (trained on X first): neighbours
        and the start are looked for among its codes, the network sees X. None looks for them in X itself. (For a
        network on the codes: `LatentClustering(autoencoder, NeighborClustering())`.)
    init : the start, "k-means", "balanced" or "gmm" (the best of `n_init`, as in `dclib.deep_clusterer.DeepClusterer`),
        or an array of labels (n,), integers from 0 to k − 1. Where classes are about equally frequent, which the loss
        assumes in any case, "balanced" is worth a try.
    n_neighbors : of each sample, from which one is drawn whenever the sample comes by.
    network : "dense", or "conv" for images. hidden : sizes of its hidden layers, () for none; or channels of the
        convolutions; None is (256,) for "dense", (24, 48, 96) for "conv".
    augment : False, True or a `RandomShiftRotate`, as in `Autoencoder`: the sample and its neighbour are moved, each by
        itself.
    entropy_weight : weight λ of the entropy.
    start_epochs : the first of the `epochs`, which learn the start's labels, smoothed by `label_smoothing`.
    learning_rate : of Adam, constant.
    epochs, batch_size, callbacks, device, precision, random_state : as in `Autoencoder`.

    Attributes
    ----------
    labels_ (n,), network_ : samples -> logits (n, k), start_labels_ (n,), neighbors_ (n, n_neighbors) : row numbers,
    history_ : loss (cross-entropy in the first epochs), entropy (of the mean p over a batch, in nats), changed (share
    of samples), smallest_share (of a cluster), confidence (mean of the largest probability),
    image_shape_ : (c, h, w) or None.
    """

    def __init__(
        self, n_clusters=10, *, autoencoder=None, init="k-means", n_init=20, n_neighbors=20, network="dense",
        hidden=None, augment=False, entropy_weight=2.0, start_epochs=5, label_smoothing=0.2, epochs=25,
        batch_size=512, learning_rate=1e-3, callbacks=None, device="auto", precision="auto", random_state=None,
    ):  # fmt: skip
        self.n_clusters, self.autoencoder, self.init, self.n_init = n_clusters, autoencoder, init, n_init
        self.n_neighbors, self.network, self.hidden, self.augment = n_neighbors, network, hidden, augment
        self.entropy_weight, self.start_epochs, self.label_smoothing = entropy_weight, start_epochs, label_smoothing
        self.epochs, self.batch_size, self.learning_rate, self.callbacks = epochs, batch_size, learning_rate, callbacks
        self.device, self.precision, self.random_state = device, precision, random_state

    @all_or_nothing
    def fit(self, X, y=None):
        """Cluster X, (n, d) or images (n, c, h, w); `y` is ignored.

        Raises ValueError for bad input or parameters, FloatingPointError when the loss is no longer finite. Warns
        (ConvergenceWarning) of fewer than 50 steps, of empty clusters, or of one that owns over 95 % of the samples.
        """
        rows = check_x(self, X, reset=True)
        check_n_clusters(self.n_clusters, len(rows))
        check_training(self, len(rows))
        self._check_parameters(len(rows))
        augment = augmenter(self.augment, self.image_shape_)
        fabric = make_fabric(self.device, self.precision)
        seed = fabric.broadcast(draw_seed(self.random_state))
        network = self._start_network(self.network, self.n_clusters, self.hidden, rows, seed).to(fabric.device)
        data = Rows(rows, self._input_shape, fabric.device)
        z = self._codes(rows, seed).to(fabric.device)
        labels, neighbors = self._start(z, seed, fabric)
        self.start_labels_, self.neighbors_ = labels.cpu().numpy(), neighbors.cpu().numpy()
        model, optimizer = fabric.setup(network, adam([network], self.learning_rate))
        previous = torch.full((len(data),), -1, device=fabric.device)

        def refresh() -> dict[str, float]:
            average_buffers(network, fabric)
            network.eval()
            with fabric.autocast():
                p = map_rows(network, data, fabric).softmax(1)
            network.train()
            confidence, found = p.max(1)
            report = {
                "changed": float((found != previous).float().mean()),
                "smallest_share": float(torch.bincount(found, minlength=self.n_clusters).min()) / len(data),
                "confidence": float(confidence.mean()),
            }
            previous.copy_(found)
            return report

        def whole_mean(p: Tensor, batch: Batch) -> Tensor | None:
            if fabric.world_size == 1:
                return None
            return fabric.all_reduce(p.detach().mean(0) * batch.weight, reduce_op="mean")  # type: ignore[return-value]

        def step(batch: Batch) -> dict[str, Tensor]:
            if len(self.history_) < self.start_epochs:
                logits = model(batch.x, dropout_draws(network, batch))
                p = logits.softmax(1)
                entropy = mean_entropy(p, whole_mean(p, batch))
                loss = F.cross_entropy(logits, labels[batch.rows], label_smoothing=self.label_smoothing)
            else:
                drawn = neighbors[batch.rows, (batch.rand() * self.n_neighbors).long()]
                other = data[drawn]
                if augment:
                    moves = augment.draw(batch.size, batch.generator, other.device)
                    other = augment.move(other, moves[:, batch.start : batch.start + len(other)])
                draws = dropout_draws(network, batch, n_views=2)
                log_p, log_p_neighbor = model(torch.cat([batch.x, other]), draws).log_softmax(1).chunk(2)
                p = log_p.exp()
                entropy = mean_entropy(p, whole_mean(p, batch))
                loss = neighbor_loss(log_p, log_p_neighbor) - self.entropy_weight * entropy
            descend(fabric, optimizer, loss, batch)
            return {"loss": loss, "entropy": entropy}

        state = {"network": network, "optimizer": optimizer, "labels": labels, "neighbors": neighbors}
        train(self, step, data, fabric=fabric, state=state, seed=seed, refresh=refresh, augment=augment)
        self._finish(rows, self.n_clusters)
        return self

    def _check_parameters(self, n_samples: int) -> None:
        check_number("n_init", self.n_init, 1, integer=True)
        check_number("n_neighbors", self.n_neighbors, 1, integer=True)
        if self.n_neighbors >= n_samples:
            raise ValueError(
                f"n_neighbors={self.n_neighbors}, but X has n_samples={n_samples}: a sample has at most "
                f"{n_samples - 1} neighbours; ask for fewer."
            )
        check_number("entropy_weight", self.entropy_weight, 0)
        check_number("start_epochs", self.start_epochs, 0, integer=True)
        check_number("label_smoothing", self.label_smoothing, 0, 1)
        if isinstance(self.init, str) or self.init is None:
            check_choice("init", self.init, INITS, "labels (n,)")
        else:
            check_labels("init", self.init, n_samples, self.n_clusters)

    def _codes(self, rows: np.ndarray, seed: int) -> Tensor:
        """Where neighbours and the start are looked for (n, d)."""
        if self.autoencoder is None:
            return torch.from_numpy(np.array(rows, dtype=np.float32))
        autoencoder = copy_autoencoder(self.autoencoder, self._input_shape, self.magnitude_, seed)
        if not hasattr(autoencoder, "network_"):
            autoencoder.fit(rows.reshape(len(rows), *self._input_shape))
        return torch.from_numpy(autoencoder._map("encode", rows, self._input_shape))

    def _start(self, z: Tensor, seed: int, fabric) -> tuple[Tensor, Tensor]:
        """Labels (n,) to start from, and the nearest neighbours (n, n_neighbors)."""
        if isinstance(self.init, str):
            generator = torch.Generator().manual_seed(seed)
            shifted = z - z.mean(0)
            centers = start_centers(shifted, self.n_clusters, self.init, self.n_init, generator)
            labels = fabric.broadcast(assign(shifted, centers)[0].cpu()).to(z.device)
        else:
            labels = torch.from_numpy(check_labels("init", self.init, len(z), self.n_clusters)).to(z.device)
        rank, size = fabric.global_rank, fabric.world_size
        share = slice(len(z) * rank // size, len(z) * (rank + 1) // size)
        neighbors = torch.zeros(len(z), self.n_neighbors, dtype=torch.long, device=z.device)
        neighbors[share] = nearest_neighbors(z, self.n_neighbors, share)
        return labels, neighbors if size == 1 else fabric.all_reduce(neighbors, reduce_op="sum")
