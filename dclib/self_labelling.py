"""Self-labelling: a clustering's surest samples train a new network, which labels them all."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from dclib.autoencoder import augmenter, check_loop, warn_of_few_steps
from dclib.dec import DEC
from dclib.engine.device import draw_seed, make_fabric
from dclib.engine.rows import Rows
from dclib.engine.training import Batch, adam, descend, train
from dclib.engine.validation import all_or_nothing, check_number, check_x
from dclib.network_clusterer import NetworkClusterer, average_buffers, dropout_draws


def surest(p: np.ndarray, share: float) -> np.ndarray:
    """Of each cluster the surest samples, by their probability: at least this share of it. p (n, k) -> numbers (m,)

    Of each cluster, not of all: else the clusters that are hard to tell apart would teach little or nothing.
    """
    labels, confidence = p.argmax(1), p.max(1)
    order = np.lexsort((-confidence, labels))  # cluster by cluster, the surest first
    sizes = np.bincount(labels, minlength=p.shape[1])
    place = np.arange(len(p)) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # of a sample in its cluster
    return np.sort(order[place < np.ceil(share * sizes)[labels[order]]])


class SelfLabelling(NetworkClusterer):
    """Takes a clustering's labels, keeps the surest, and trains a classifier from scratch on them, which relabels all.

    Loss: cross-entropy towards the labels, smoothed by `label_smoothing`, mean over the batch; AdamW with a one-cycle
    learning rate. A network that is small, augmented and new learns what most samples of a cluster have in common
    before it learns the exceptions, so it corrects some of these. It cannot correct what is wrong for a whole cluster:
    two classes in one cluster stay there. (Pseudo-labels, Lee 2013; the last step of SCAN, Van Gansbeke et al. 2020,
    which goes on with the same network and takes a threshold for the share.)

    Parameters
    ----------
    clusterer : an estimator with `predict_proba`, fitted (the teacher as it is, left untouched) or not (fitted on X
        first): `DEC`, `NeighborClustering`, `GaussianMixture`, `LatentClustering` with a mixture, or another
        `SelfLabelling`, for a second round. None is a default `DEC`.
    share : of each cluster, the surest, that are learned from.
    network : "conv" for images, or "dense". hidden : as in `NeighborClustering`.
    augment : False, True or a `RandomShiftRotate`, as in `Autoencoder`; needs images. What is learned from few wrong
        labels depends much on it.
    label_smoothing : this share of each label is divided among all clusters.
    weight_decay : AdamW's.
    epochs, batch_size, learning_rate, callbacks, device, precision, random_state : as in `Autoencoder`.

    Attributes
    ----------
    labels_ (n,), network_ : samples -> logits (n, k), clusterer_ : the fitted teacher, start_labels_ (n,) : its labels,
    sure_ (m,) : row numbers of the samples that were learned from, history_ : loss; agreement: share of the batches'
    samples that got their teacher's label, on their way through training, image_shape_ : (c, h, w) or None.
    """

    def __init__(
        self, clusterer=None, *, share=0.85, network="dense", hidden=None, augment=False, label_smoothing=0.1,
        weight_decay=0.01, epochs=6, batch_size=256, learning_rate=4e-3, callbacks=None, device="auto",
        precision="auto", random_state=None,
    ):  # fmt: skip
        self.clusterer, self.share, self.network, self.hidden = clusterer, share, network, hidden
        self.augment, self.label_smoothing, self.weight_decay = augment, label_smoothing, weight_decay
        self.epochs, self.batch_size, self.learning_rate, self.callbacks = epochs, batch_size, learning_rate, callbacks
        self.device, self.precision, self.random_state = device, precision, random_state

    @all_or_nothing
    def fit(self, X, y=None):
        """Cluster X, (n, d) or images (n, c, h, w); `y` is ignored.

        Raises ValueError for bad input or parameters, FloatingPointError when the loss is no longer finite. Warns
        (ConvergenceWarning) of fewer than 50 steps, of empty clusters, or of one that owns over 95 % of the samples.
        """
        rows = check_x(self, X, reset=True)
        check_loop(self)
        check_number("share", self.share, 0, 1, open_low=True)
        check_number("label_smoothing", self.label_smoothing, 0, 1)
        check_number("weight_decay", self.weight_decay, 0)
        augment = augmenter(self.augment, self.image_shape_)
        self._untrained(self.network, 2, self.hidden, seed=0)  # a mistake shows before the teacher trains for minutes
        fabric = make_fabric(self.device, self.precision)
        seed = fabric.broadcast(draw_seed(self.random_state))
        p = self._teach(rows.reshape(len(rows), *self._input_shape), seed)
        self.start_labels_, self.sure_ = p.argmax(1), surest(p, self.share)
        warn_of_few_steps(self, len(self.sure_))
        network = self._start_network(self.network, p.shape[1], self.hidden, rows, seed).to(fabric.device)
        data = Rows(rows[self.sure_], self._input_shape, fabric.device)
        labels = torch.from_numpy(self.start_labels_[self.sure_]).to(fabric.device)
        optimizer = adam([network], self.learning_rate, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, epochs=self.epochs, steps_per_epoch=-(-len(data) // self.batch_size)
        )
        model, optimizer = fabric.setup(network, optimizer)

        def step(batch: Batch) -> dict[str, Tensor]:
            logits, target = model(batch.x, dropout_draws(network, batch)), labels[batch.rows]
            loss = F.cross_entropy(logits, target, label_smoothing=self.label_smoothing)
            descend(fabric, optimizer, loss, batch)
            schedule.step()
            return {"loss": loss, "agreement": (logits.argmax(1) == target).float().mean()}

        def refresh() -> dict[str, float]:
            average_buffers(network, fabric)
            return {}

        network.train()
        state = {"network": network, "optimizer": optimizer, "schedule": schedule, "labels": labels}
        train(self, step, data, fabric=fabric, state=state, seed=seed, refresh=refresh, augment=augment)
        self._finish(rows, p.shape[1])
        return self

    def _teach(self, x: np.ndarray, seed: int) -> np.ndarray:
        """The teacher's probabilities (n, k) of the samples x (n, …); trains it if it is not fitted."""
        teacher = DEC() if self.clusterer is None else self.clusterer
        if not (isinstance(teacher, BaseEstimator) and hasattr(teacher, "predict_proba")):
            raise ValueError(
                f"clusterer={teacher!r} does not say how sure it is: give an estimator with predict_proba, such as "
                "dclib's DEC(), NeighborClustering() or GaussianMixture()."
            )
        if not _is_fitted(teacher):
            teacher = clone(teacher)
            if teacher.get_params(deep=False).get("random_state", 0) is None:
                teacher.set_params(random_state=seed)
            teacher.fit(x)
        self.clusterer_ = teacher
        return np.asarray(teacher.predict_proba(x))


def _is_fitted(teacher: BaseEstimator) -> bool:
    """Also a mixture or a classifier of scikit-learn, which have no `labels_`, and what has no `fit` to call."""
    if not hasattr(teacher, "fit"):
        return True
    try:
        check_is_fitted(teacher)
    except NotFittedError:
        return False
    return True
