"""Elkan's and Hamerly's bounds find what the plain steps find, with a part of the distances."""

import warnings

import numpy as np
import pytest
import torch

from dclib.data import load
from dclib.engine.elkan import ElkanSteps
from dclib.engine.hamerly import HamerlySteps
from dclib.engine.rows import Shifted
from dclib.engine.steps import PlainSteps
from dclib.kmeans import assign, lloyd, squared_distances, update


@pytest.fixture(scope="module")
def digits():
    """With a little noise: the pixels have 17 values, and a sample exactly between two centers may go either way."""
    x = torch.from_numpy(load("digits").x.reshape(1797, -1)).double()
    return x - x.mean(0) + 1e-2 * torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0))


def start(x, k, seed=0):
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:k]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("k", [1, 2, 10, 80])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("bounds", ["elkan", "hamerly"])
def test_lloyd_with_bounds_equals_the_plain_path(digits, bounds, k, dtype, weighted):
    x = digits.to(dtype)
    weight = torch.rand(len(x), generator=torch.Generator().manual_seed(1)).to(dtype) if weighted else None
    centers, labels, losses = lloyd(x, start(x, k), weight, bounds="none")
    ours, found, history = lloyd(x, start(x, k), weight, bounds=bounds)
    assert torch.equal(found, labels)
    assert history == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(ours, centers)


@pytest.mark.parametrize("cls", [ElkanSteps, HamerlySteps])
@pytest.mark.parametrize("whole", [False, True])
def test_bounds_hold_however_the_centers_move(digits, cls, whole):
    """Random steps of all sizes: labels stay the nearest centers, and no bound is on the wrong side."""
    generator, k = torch.Generator().manual_seed(2), 12
    weight = torch.rand(len(digits), generator=generator, dtype=torch.float64)
    weight = (10 * weight).round() if whole else weight
    steps, centers = cls(digits, weight, k), start(digits, k)
    previous = torch.full((len(digits),), -1)
    for _ in range(30):
        loss, changed = steps.assign(centers).tolist()
        labels, distances = assign(digits, centers)
        assert torch.equal(steps.labels, labels)
        assert loss == pytest.approx(float(weight @ distances))
        assert changed == (labels != previous).sum()
        previous = labels
        means, weights = update(digits, labels, k, weight)
        sums, found = steps.totals()
        torch.testing.assert_close(found, weights)
        torch.testing.assert_close(sums, means * weights[:, None])
        true = squared_distances(digits, centers).sqrt()
        if cls is ElkanSteps:
            assert (steps.upper + steps.drift[labels] >= distances.sqrt() - 1e-9).all()
            others = (steps.lower - steps.drift).scatter(1, labels[:, None], 0)
            assert (others <= true + 1e-9).all()
        else:
            second = true.scatter(1, labels[:, None], torch.inf).amin(1)
            assert (steps.gap - steps.lost[labels] <= second - distances.sqrt() + 1e-9).all()
        move = torch.randn(centers.shape, generator=generator, dtype=torch.float64)
        centers = centers + move * 10 ** (-3 * float(torch.rand((), generator=generator)) - 0.5)


def test_most_distances_are_spared(digits, monkeypatch):
    """Without this the class would be of no use: after 30 iterations, less than a third of the distances."""
    computed, pairwise, full = [], ElkanSteps._distances, ElkanSteps._compare_all

    def count_pairs(self, x, norms, rows, k):
        computed.append(len(rows))
        return pairwise(self, x, norms, rows, k)

    def count_block(self, block):
        computed.append((block.stop - block.start) * len(self.centers))
        return full(self, block)

    monkeypatch.setattr(ElkanSteps, "_distances", count_pairs)
    monkeypatch.setattr(ElkanSteps, "_compare_all", count_block)
    losses = lloyd(digits, start(digits, 20), max_iter=30, bounds="elkan")[2]
    assert len(losses) > 20
    assert sum(computed) < len(losses) * len(digits) * 20 / 3


def test_few_samples_are_in_doubt(monkeypatch):
    """Of Hamerly's bound: once the centers move little, less than a third of the samples, of whom one in a hundred
    changes its cluster.
    """
    x = torch.randn(4000, 5, generator=torch.Generator().manual_seed(0))
    compared, original = [], HamerlySteps._compare

    def count(self, rows, centers):
        compared.append(len(rows))
        return original(self, rows, centers)

    monkeypatch.setattr(HamerlySteps, "_compare", count)
    losses = lloyd(x, start(x, 20), max_iter=60, bounds="hamerly")[2]
    assert len(losses) > 40 and compared[0] == len(x)  # before that, plain steps
    assert len(compared) > 20 and np.mean(compared[len(compared) // 2 :]) < len(x) / 3


@pytest.mark.parametrize(("k", "fewer"), [(2, False), (400, True)])
def test_with_many_clusters_full_passes_wait(digits, k, fewer, monkeypatch):
    """A full pass beyond the second comes only when what was computed one by one has cost as much as it does."""
    full, spent, original = [], [], ElkanSteps._compare_all

    def note(self, block):
        if block.start == 0:
            full.append(self.n_steps)
        return original(self, block)

    def count(self, x, norms, rows, k):
        spent.append((self.n_steps, 25 * len(rows) / len(digits) / len(self.centers)))
        return pairwise(self, x, norms, rows, k)

    pairwise = ElkanSteps._distances
    monkeypatch.setattr(ElkanSteps, "_compare_all", note)
    monkeypatch.setattr(ElkanSteps, "_distances", count)
    steps, centers, generator = (
        ElkanSteps(digits, torch.ones_like(digits[:, 0]), k),
        start(digits, k),
        torch.Generator(),
    )
    for _ in range(17):
        steps.assign(centers)
        assert torch.equal(steps.labels, assign(digits, centers)[0])
        centers = centers + 0.01 * torch.randn(centers.shape, generator=generator, dtype=torch.float64)
    assert full[:2] == [0, 1] and set(full) <= {0, 1, 2, 4, 8, 16}
    for last, now in zip(full[1:], full[2:]):
        assert sum(cost for step, cost in spent if last < step < now) >= 1
    assert (len(full) < 5) == fewer


def test_bounds_are_kept_where_they_pay_and_fit(monkeypatch):
    """Elkan's for wide rows, but no more numbers than twice the data; Hamerly's for many clusters."""
    made = []
    for cls in (ElkanSteps, HamerlySteps, PlainSteps):
        monkeypatch.setattr(
            cls, "__init__", lambda self, *a, cls=cls, init=cls.__init__: (made.append(cls), init(self, *a))[1]
        )
    for d, k, cls in ((64, 128, ElkanSteps), (64, 129, HamerlySteps), (63, 2, PlainSteps), (2, 20, HamerlySteps)):
        x = torch.randn(200, d, generator=torch.Generator().manual_seed(0))
        made.clear()
        lloyd(x, x[:k], max_iter=1)
        assert made[0] is cls


def test_empty_clusters_are_refilled_and_bounds_hold_afterwards(digits):
    far = start(digits, 12)
    far[7:] += 1e3
    plain = lloyd(digits, far, bounds="none")
    assert len(plain[1].unique()) == 12
    for bounds in ("elkan", "hamerly"):
        bounded = lloyd(digits, far, bounds=bounds)
        assert torch.equal(plain[1], bounded[1])
        assert bounded[2] == pytest.approx(plain[2])


def test_samples_that_are_put_elsewhere_are_in_doubt(digits):
    """As `lloyd` does to refill a cluster: even where no center moves, each goes back to its nearest."""
    centers = start(digits, 6)
    for cls in (ElkanSteps, HamerlySteps):
        steps = cls(digits, torch.ones_like(digits[:, 0]), 6)
        for _ in range(3):
            steps.assign(centers)
        right = steps.labels.clone()
        steps.reassign(torch.where(torch.arange(len(digits)) % 7 == 0, 0, right))
        steps.assign(centers)
        assert torch.equal(steps.labels, right)


@pytest.mark.parametrize("cls", [ElkanSteps, HamerlySteps])
def test_a_cluster_of_samples_without_weight_is_empty(digits, cls):
    """Weights are summed anew: what is left of many additions and subtractions is not zero."""
    weight = torch.full((len(digits),), 0.1, dtype=torch.float64)
    steps, centers = cls(digits, weight, 5), start(digits, 5)
    steps.assign(centers)
    gone = centers.clone()
    gone[3] += 1e3
    steps.assign(gone)
    assert steps.totals()[1].tolist()[3] == 0


def test_shifted_rows_are_rows_too(digits):
    far = digits + 100
    plain = lloyd(digits, start(digits, 9), bounds="none")
    for bounds in ("elkan", "hamerly"):
        shifted = lloyd(Shifted(far, far.new_full((64,), 100.0)), start(digits, 9), bounds=bounds)
        assert torch.equal(plain[1], shifted[1])


def test_no_warning_reaches_the_user(digits):
    """PyTorch calls its sparse matrices a beta, once a process; `set_warn_always` makes that every time."""
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            lloyd(digits, start(digits, 5), bounds="elkan")
    finally:
        torch.set_warn_always(False)


def test_the_start_is_left_alone(digits):
    centers = start(digits, 6)
    before = centers.clone()
    lloyd(digits, centers, bounds="elkan")
    assert torch.equal(before, centers)
    assert np.isfinite(before.numpy()).all()
