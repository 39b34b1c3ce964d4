"""Neighbours against brute force, both terms by hand and against autograd; what neighbours teach, and how it fails."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from torch._subclasses.fake_tensor import FakeTensorMode

from dclib.augmentation import RandomShiftRotate
from dclib.engine.callbacks import Callback, Checkpoint
from dclib.latent import LatentClustering
from dclib.metrics import clustering_accuracy
from dclib.neighbor_clustering import NeighborClustering, mean_entropy, nearest_neighbors, neighbor_loss
from dclib.networks import ConvClassifier, DenseClassifier

# --- neighbours -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 300, 2**22])
def test_neighbors_are_those_of_all_distances_whatever_the_blocks(block):
    z = 1e3 + torch.randn(301, 4, generator=torch.Generator().manual_seed(0))
    distances = torch.cdist(z.double(), z.double()).fill_diagonal_(torch.inf)
    found = nearest_neighbors(z, 5, block=block)
    assert torch.equal(found, distances.topk(5, largest=False).indices)
    assert torch.equal(nearest_neighbors(z, 5, slice(100, 207), block=block), found[100:207])


def test_neighbors_on_a_line_by_hand():
    z = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert nearest_neighbors(z, 3).tolist() == [[1, 2, 3], [0, 2, 3], [1, 0, 3], [2, 1, 0]]


def test_a_sample_is_not_its_own_neighbor_but_its_double_is():
    z = torch.randn(20, 3).repeat(2, 1)
    assert nearest_neighbors(z, 1).flatten().tolist() == [*range(20, 40), *range(20)]


def test_memory_of_neighbors_is_bounded(monkeypatch):
    """No array of more than about `block` numbers is made, however many rows there are."""
    sizes, topk = [], torch.Tensor.topk
    monkeypatch.setattr(
        torch.Tensor, "topk", lambda self, *a, **k: (sizes.append(self.numel()), topk(self, *a, **k))[1]
    )
    nearest_neighbors(torch.randn(2000, 2), 3, block=2**12)
    assert max(sizes) <= 2**12 and sum(sizes) >= 2000**2


# --- the two terms ----------------------------------------------------------------------------------------------------


def test_neighbor_loss_by_hand():
    """⟨(1/2, 1/2), (1/4, 3/4)⟩ = 1/2 and ⟨(1, 0), (1/2, 1/2)⟩ = 1/2: log 2. Mean over the batch."""
    p, q = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    assert neighbor_loss(p.log(), q.log()) == pytest.approx(np.log(2))
    assert neighbor_loss(p.log().repeat(3, 1), q.log().repeat(3, 1)) == pytest.approx(np.log(2))
    assert neighbor_loss(torch.tensor([[0.25, 0.75]]).log(), torch.tensor([[0.5, 0.5]]).log()) == pytest.approx(
        np.log(2)
    )
    assert neighbor_loss(torch.eye(2).log(), torch.eye(2).log()) == 0


def test_neighbor_loss_survives_certainty():
    """Logits of ±200: probabilities underflow, their logarithms do not."""
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = neighbor_loss(logits.log_softmax(1), (-logits).log_softmax(1))
    loss.backward()
    assert loss.item() == pytest.approx(400 - np.log(2), rel=1e-5) and torch.isfinite(logits.grad).all()


def test_mean_entropy_by_hand_is_that_of_the_mean_not_the_mean_of_entropies():
    certain = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # each of entropy 0, together of log 2
    assert mean_entropy(certain) == pytest.approx(np.log(2))
    assert mean_entropy(certain[:1].repeat(5, 1)) == 0
    p = torch.tensor([[0.5, 0.5], [1.0, 0.0]])  # mean (3/4, 1/4)
    assert mean_entropy(p) == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))


def test_gradients_are_those_of_the_printed_formulas():
    generator = torch.Generator().manual_seed(0)
    logits = [torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    p, q = (values.softmax(1) for values in logits)
    mean = p.mean(0)
    printed = -(p * q).sum(1).log().mean() - 2 * -(mean * mean.log()).sum()
    ours = neighbor_loss(*(values.log_softmax(1) for values in logits)) - 2 * mean_entropy(logits[0].softmax(1))
    assert ours.item() == pytest.approx(printed.item())
    for want, found in zip(torch.autograd.grad(printed, logits), torch.autograd.grad(ours, logits)):
        torch.testing.assert_close(found, want)


def test_the_entropy_of_shares_is_that_of_the_whole_in_value_and_gradient():
    logits = torch.randn(8, 3, dtype=torch.float64, requires_grad=True)
    whole = mean_entropy(logits.softmax(1))
    p = logits.softmax(1)
    parts = [mean_entropy(part, p.mean(0)) for part in p.chunk(2)]
    assert sum(parts).item() / 2 == pytest.approx(whole.item())
    (want,), (found,) = torch.autograd.grad(whole, logits), torch.autograd.grad(sum(parts) / 2, logits)
    torch.testing.assert_close(found, want)


# --- the method -------------------------------------------------------------------------------------------------------


def rings(n=200, seed=0):
    """Two rings, one inside the other: k-means cuts them in halves; neighbours stay on their ring."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, 2 * n), np.repeat([0.5, 2.0], n) + 0.05 * rng.standard_normal(2 * n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), np.repeat([0, 1], n)


OPTIONS = {"batch_size": 64, "learning_rate": 1e-2, "epochs": 20, "random_state": 0}


def test_neighbors_correct_a_start_that_is_partly_wrong():
    """A quarter of the labels is wrong: cross-entropy alone learns a blur, the neighbours put it right."""
    x, y = rings()
    start = np.where(np.random.default_rng(1).random(len(y)) < 0.25, 1 - y, y)
    model = NeighborClustering(2, init=start, hidden=(64,), **OPTIONS).fit(x)
    assert clustering_accuracy(y, start) < 0.8
    assert np.array_equal(model.start_labels_, start)
    assert clustering_accuracy(y, model.labels_) > 0.97
    assert np.array_equal(model.labels_, model.predict(x))


def test_a_start_that_is_all_wrong_stays_wrong():
    """Its failure: k-means cuts both rings in two, and each half is as good a cluster for neighbours as a ring."""
    x, y = rings()
    model = NeighborClustering(2, hidden=(64,), **OPTIONS).fit(x)
    assert clustering_accuracy(y, model.start_labels_) < 0.6
    assert clustering_accuracy(y, model.labels_) < 0.7


def test_without_the_entropy_one_cluster_takes_all():
    x, _ = rings()
    balanced = NeighborClustering(2, hidden=(64,), **OPTIONS).fit(x)
    assert balanced.history_["smallest_share"][-1] > 0.4
    with pytest.warns(ConvergenceWarning, match="clusters have samples|One cluster owns"):
        alone = NeighborClustering(2, hidden=(64,), entropy_weight=0.0, start_epochs=0, **OPTIONS).fit(x)
    assert alone.history_["entropy"][-1] < balanced.history_["entropy"][-1] / 2


def test_neighbors_are_looked_for_among_the_codes_of_the_autoencoder(digits, autoencoder):
    model = NeighborClustering(10, autoencoder=autoencoder, epochs=6, batch_size=64, random_state=0).fit(digits.x)
    z = autoencoder.transform(digits.x)
    assert np.array_equal(model.neighbors_, nearest_neighbors(torch.from_numpy(z), 20).numpy())
    on_pixels = nearest_neighbors(torch.from_numpy(digits.x.reshape(-1, 64)), 20).numpy()
    assert not np.array_equal(model.neighbors_, on_pixels)


def test_better_than_its_start_on_real_digits(digits):
    """Rows of pixels: k-means .72 to .80, its neighbours' clusters at least .02 better."""
    for seed in range(2):
        model = NeighborClustering(10, batch_size=128, epochs=15, random_state=seed).fit(digits.x)
        start = clustering_accuracy(digits.y, model.start_labels_)
        assert clustering_accuracy(digits.y, model.labels_) > start + 0.02


def test_on_codes_behind_an_autoencoder(digits, autoencoder):
    model = LatentClustering(autoencoder, NeighborClustering(10, epochs=5, random_state=0)).fit(digits.x)
    assert np.array_equal(model.predict(digits.x), model.labels_)
    assert np.array_equal(
        model.predict_proba(digits.x), model.clusterer_.predict_proba(autoencoder.transform(digits.x))
    )
    np.testing.assert_allclose(model.predict_proba(digits.x).sum(1), 1, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*clusters have samples")
def test_sample_and_neighbor_are_moved_each_by_itself(digits, monkeypatch):
    """Two draws a sample; in the epochs of the start, which has no neighbour, one."""
    drawn, draw = [], RandomShiftRotate.draw
    monkeypatch.setattr(RandomShiftRotate, "draw", lambda self, n, *a: (drawn.append(n), draw(self, n, *a))[1])
    options = {"network": "conv", "hidden": (2, 4), "augment": True, "batch_size": 50, "random_state": 0}
    for epochs, count in ((1, 200), (2, 600)):
        drawn.clear()
        NeighborClustering(10, n_init=1, start_epochs=1, epochs=epochs, **options).fit(digits.x[:200])
        assert sum(drawn) == count


def test_an_interrupted_training_goes_on_and_ends_the_same(digits, tmp_path):
    x = digits.x[:500]
    options = {"n_clusters": 10, "batch_size": 64, "epochs": 8, "random_state": 0}
    whole = NeighborClustering(**options).fit(x)

    class Interrupt(Callback):
        def on_epoch_end(self, run):
            if run.epoch == 6:  # after the start
                raise KeyboardInterrupt

    checkpoint = Checkpoint(tmp_path / "n.ckpt")
    with pytest.raises(KeyboardInterrupt):
        NeighborClustering(**options, callbacks=[Interrupt(), checkpoint]).fit(x)
    again = NeighborClustering(**options, callbacks=[checkpoint]).fit(x)
    assert np.array_equal(again.predict_proba(x), whole.predict_proba(x))
    assert again.history_["loss"] == whole.history_["loss"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_neighbors": 60}, "n_neighbors=60, but X has n_samples=60: a sample has at most 59"),
        ({"n_neighbors": 0}, "n_neighbors=0 must be"),
        ({"entropy_weight": -1.0}, "entropy_weight=-1.0 must be"),
        ({"start_epochs": -1}, "start_epochs=-1 must be"),
        ({"label_smoothing": 1.5}, "label_smoothing=1.5 must be"),
        ({"init": np.zeros(59, int)}, r"init has shape \(59,\).*one label a sample"),
        ({"init": np.full(60, 0.5)}, "type float64"),
        ({"init": np.full(60, 3)}, "labels from 3 to 3: with n_clusters=3 they run from 0 to 2"),
        ({"init": "k-means++"}, "init='k-means\\+\\+' is not known"),
        ({"network": "conv", "hidden": (2,) * 6}, "at least 32 pixels a side"),
    ],
)
def test_bad_parameters(parameters, message, digits):
    model = NeighborClustering(**{"n_clusters": 3, "n_neighbors": 5, "batch_size": 16} | parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(digits.x[:60])


@pytest.mark.parametrize("kind", [DenseClassifier, ConvClassifier])
def test_all_tensors_are_on_the_device_of_the_samples(kind):
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda"):
        network = kind((1, 8, 8), 3)
        log_p, log_q = network(torch.rand(10, 1, 8, 8)).log_softmax(1).chunk(2)
        loss = neighbor_loss(log_p, log_q) - mean_entropy(log_p.exp()) + nearest_neighbors(torch.rand(20, 2), 3).sum()
    assert loss.device.type == "cuda"
