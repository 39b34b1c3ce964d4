"""Clusters of equal size: the assignment against an exact one, sizes, new samples, and where equal sizes cannot be."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning

from dclib.balanced_kmeans import BalancedKMeans, _transport_plan_of_logarithms, equal_offsets, transport_plan
from dclib.data import load
from dclib.kmeans import KMeans, squared_distances


@pytest.fixture(scope="module")
def digits():
    return load("digits").x.reshape(1797, -1)


def sizes(model):
    return np.bincount(model.labels_, minlength=model.n_clusters)


def test_a_transport_plan_by_hand():
    """Four rows, of which three are nearer to the first cluster, by the same amount: half of each pair must go over."""
    costs = torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    plan, scale, shift = transport_plan(costs, torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))
    assert not shift.any()
    torch.testing.assert_close(plan.sum(0), torch.tensor([2.0, 2.0], dtype=torch.float64))
    torch.testing.assert_close(plan.sum(1), torch.ones(4, dtype=torch.float64))
    want = torch.exp(-costs) * scale
    torch.testing.assert_close(plan, want / want.sum(1, keepdim=True))


def test_a_transport_plan_from_the_kernel_keeps_its_last_digits(digits):
    """Where no column of the kernel underflows: stored results start from it. The logarithms give the same plan."""
    x = torch.from_numpy(digits[:200]).double()
    costs = squared_distances(x, x[:5]) / x.var(0).sum()
    kernel, want = torch.exp(costs.min(1, keepdim=True).values - costs), torch.ones(5, dtype=torch.float64)
    start = torch.zeros_like(want)
    by_logarithms, ones, log_scale = _transport_plan_of_logarithms(costs, start, start)
    for _ in range(30):
        want = 200 / 5 / ((1 / (kernel @ want)) @ kernel)
    plan, scale, shift = transport_plan(costs, torch.ones_like(want), start)
    assert torch.equal(scale, want) and not shift.any()
    assert torch.equal(plan, kernel * want / (kernel * want).sum(1, keepdim=True))
    torch.testing.assert_close(by_logarithms, plan)
    torch.testing.assert_close(log_scale - log_scale.mean(), want.log() - want.log().mean())
    assert torch.equal(ones, torch.ones_like(want))


def test_offsets_by_hand():
    """Points 0 … 5, centers at 0 and 1: the border must lie between 2 and 3, where b_0 − b_1 is 3 and 5."""
    x = torch.arange(6.0, dtype=torch.float64)[:, None]
    offsets = equal_offsets(squared_distances(x, torch.tensor([[0.0], [1.0]], dtype=torch.float64)), x.var())
    assert 3 < offsets[0] - offsets[1] < 5
    assert offsets.sum() == pytest.approx(0, abs=1e-9)


def test_a_cluster_far_from_all_rows_gets_its_share():
    """Its column of the kernel is 0. What it costs more in all rows changes the cluster's factor, not the plan."""
    x = torch.arange(6.0, dtype=torch.float64)[:, None]
    near = squared_distances(x, torch.tensor([[0.0], [1.0]], dtype=torch.float64))
    more = torch.tensor([0.0, 5000.0], dtype=torch.float64)
    found = []
    for costs in (near, near + more):
        scale, shift = torch.ones_like(more), torch.zeros_like(more)
        for _ in range(5):  # each goes on from the one before
            plan, scale, shift = transport_plan(costs, scale, shift)
        found.append((plan, scale.log() + shift))
    (want, near_factor), (plan, far_factor) = found
    torch.testing.assert_close(plan, want)
    torch.testing.assert_close((far_factor - near_factor).diff(), more[1:])
    torch.testing.assert_close(plan.sum(0), torch.full_like(more, 3))
    offsets = equal_offsets(near + more, x.var())
    assert 5000 - 5 < offsets[1] - offsets[0] < 5000 - 3  # as in the test above


def test_a_start_far_from_all_rows():
    x = np.random.default_rng(0).random((20, 2))
    model = BalancedKMeans(2, init=[[0, 0], [10, 10]]).fit(x)
    assert sizes(model).tolist() == [10, 10]
    assert model.inertia_ < 1.2 * BalancedKMeans(2, random_state=0).fit(x).inertia_


@pytest.mark.parametrize("seed", range(3))
def test_offsets_give_the_best_assignment_with_equal_sizes(seed):
    """Against the Hungarian method, in which each center has n / k places: it costs 3 · n² numbers, offsets k."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(120, 2, generator=generator, dtype=torch.float64)
    distances = squared_distances(x, x[:4] + 1)  # off to one side, so that nearest centers give unequal sizes
    assert (distances.argmin(1).bincount(minlength=4) - 30).abs().max() > 8
    labels = (distances - equal_offsets(distances, x.var(0).sum())).argmin(1)
    places = np.repeat(np.arange(4), 30)
    rows, columns = linear_sum_assignment(distances.numpy()[:, places])
    best = distances.numpy()[rows, places[columns]].sum()
    assert (labels.bincount(minlength=4) - 30).abs().max() <= 1
    # One sample more or less in a cluster is worth about as much as the offsets differ.
    assert float(distances.gather(1, labels[:, None]).sum()) == pytest.approx(best, rel=0.02)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [2, 10, 40])
def test_sizes_are_equal_and_labels_are_the_prediction(digits, k, dtype):
    x = digits.astype(dtype)
    model = BalancedKMeans(k, n_init=2, random_state=0).fit(x)
    assert np.abs(sizes(model) - len(x) / k).max() <= max(2, 0.03 * len(x) / k)
    assert sizes(KMeans(k, random_state=0).fit(x)).max() > 1.1 * len(x) / k  # which equal sizes are not by themselves
    assert np.array_equal(model.labels_, model.predict(x))
    assert model.cluster_centers_.dtype == model.offsets_.dtype == model.transform(x).dtype == dtype
    means = np.stack([x[model.labels_ == j].mean(0) for j in range(k)])
    np.testing.assert_allclose(model.cluster_centers_, means, atol=0.05)
    own = np.square(x - model.cluster_centers_[model.labels_]).sum()
    assert model.inertia_ == pytest.approx(own, rel=1e-5) == -model.score(x)


def test_new_samples_keep_the_borders_not_the_shares(digits):
    """A tenth of the samples at a time gives the same labels: what another sample is, changes nothing."""
    model = BalancedKMeans(10, n_init=1, random_state=0).fit(digits)
    pieces = np.concatenate([model.predict(part) for part in np.array_split(digits, 10)])
    assert np.array_equal(pieces, model.labels_)
    one = digits[model.labels_ == 3]
    assert (model.predict(one) == 3).all()


def test_classes_of_equal_size_are_found_where_k_means_cuts_one():
    """A wide group beside two narrow ones: Lloyd's algorithm shares out the wide one."""
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [rng.normal(0, 1.2, (300, 2)), rng.normal((5, 0), 0.2, (300, 2)), rng.normal((6, 0), 0.2, (300, 2))]
    )
    model = BalancedKMeans(3, random_state=0).fit(x)
    for group in np.split(model.labels_, 3):
        assert np.bincount(group).max() >= 0.97 * 300
    assert sizes(KMeans(3, random_state=0).fit(x)).min() < 200


def test_far_from_the_origin_and_images(digits):
    a = BalancedKMeans(5, n_init=1, random_state=0).fit(digits)
    b = BalancedKMeans(5, n_init=1, random_state=0).fit(digits + 1000)
    assert np.mean(a.labels_ == b.labels_) > 0.99
    images = BalancedKMeans(5, n_init=1, random_state=0).fit(load("digits").x)
    assert images.image_shape_ == (1, 8, 8) and np.array_equal(a.labels_, images.labels_)


def test_samples_that_cannot_be_written_to(digits):
    """PyTorch warns of them, as of a memmap, which pytest makes an error."""
    x = digits[:60].copy()
    model = BalancedKMeans(3, n_init=1, random_state=0).fit(x)
    x.flags.writeable = False
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # else once a process
    try:
        again = BalancedKMeans(3, n_init=1, random_state=0).fit(x)
    finally:
        torch.set_warn_always(always)
    assert np.array_equal(model.labels_, again.labels_)


def test_starts_and_their_losses(digits):
    model = BalancedKMeans(10, n_init=4, random_state=0).fit(digits)
    assert model.history_["start"] == [1, 2, 3, 4]
    assert model.inertia_ == pytest.approx(min(model.history_["loss"]), rel=1e-5)
    assert model.n_iter_ == len(model.inertia_history_) - 1
    assert model.n_iter_ == model.history_["iterations"][int(np.argmin(model.history_["loss"]))]
    given = BalancedKMeans(10, init=digits[:10], max_iter=1).fit(digits)
    assert len(given.history_) == 1 and given.n_iter_ == 1
    # The search forgets its start: given centers that all lie at one place are as good as samples.
    crowd = make_blobs(10, 64, centers=1, cluster_std=0.01, random_state=0)[0] / 100
    assert BalancedKMeans(10, init=crowd).fit(digits).inertia_ < 1.05 * model.inertia_


def test_fewer_distinct_points_than_clusters_warn_and_stay_finite():
    x = np.repeat(np.array([[0.0, 0.0], [1.0, 1.0]]), 10, axis=0)
    with pytest.warns(ConvergenceWarning, match="of 5 clusters have points"):
        model = BalancedKMeans(5, random_state=0).fit(x)
    assert np.isfinite(model.cluster_centers_).all() and np.isfinite(model.offsets_).all()
    assert np.array_equal(model.labels_, model.predict(x))
    with pytest.warns(ConvergenceWarning):
        constant = BalancedKMeans(3, random_state=0).fit(np.ones((9, 2)))
    assert np.isfinite(constant.cluster_centers_).all()


def test_bad_parameters_are_named(digits):
    for parameters, message in (({"init": "plus"}, "'plus' is not known"), ({"max_iter": 0}, "max_iter=0 must be")):
        with pytest.raises(ValueError, match=message):
            BalancedKMeans(**parameters).fit(digits)
