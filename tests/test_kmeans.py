"""Lloyd's algorithm against scikit-learn, by hand, and where it goes wrong in other libraries."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning

from dclib.data import load
from dclib.engine.processes import ALONE
from dclib.engine.steps import PlainSteps
from dclib.kmeans import KMeans, _refill, assign, kmeans_plus_plus, lloyd, squared_distances, update

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def digits():
    return load("digits").x.reshape(1797, -1)


def blobs(n=600, k=6, d=5, seed=0):
    return make_blobs(n, d, centers=k, cluster_std=2.0, random_state=seed)[0]


def test_squared_distances_by_hand():
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    centers = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    assert squared_distances(x, centers).tolist() == [[0, 9, 16], [25, 16, 9]]


def test_distances_survive_the_expansion_in_float32():
    """Points at distance 1e-3 from their center and 10 from the origin: the expansion must not go below zero."""
    x = 10 + 1e-3 * torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    assert (squared_distances(x, x[:5]) >= 0).all()


def test_centering_rescues_float32_far_from_the_origin():
    x = blobs() + 1e4
    exact = KMeans(6, init=x[:6], random_state=0).fit(x)
    rounded = KMeans(6, init=x[:6], random_state=0).fit(x.astype(np.float32))
    assert rounded.cluster_centers_.dtype == np.float32
    assert np.mean(exact.labels_ == rounded.labels_) > 0.99


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [2, 10, 60])
def test_equals_scikit_learn_from_the_same_start(digits, k, dtype):
    rng = np.random.default_rng(k)
    # The pixels have 17 values: a little noise keeps samples from lying exactly between two centers.
    x = (digits + 0.01 * rng.standard_normal(digits.shape)).astype(dtype)
    start = x[rng.choice(len(x), k, replace=False)]
    ours = KMeans(k, init=start, tol=0).fit(x)
    theirs = SklearnKMeans(k, init=start, n_init=1, tol=0, algorithm="lloyd").fit(x)
    assert ours.cluster_centers_.dtype == dtype
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-5)
    assert np.array_equal(ours.labels_, theirs.labels_)
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, atol=1e-4)


def test_sample_weights_equal_repeated_samples():
    x = blobs(100, 3)
    weight = np.random.default_rng(0).integers(0, 4, len(x))
    weighted = KMeans(3, init=x[:3], tol=0).fit(x, sample_weight=weight)
    repeated = KMeans(3, init=x[:3], tol=0).fit(np.repeat(x, weight, axis=0))
    np.testing.assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_)
    assert weighted.inertia_ == pytest.approx(repeated.inertia_)


def test_loss_never_rises_and_ends_at_the_inertia(digits):
    model = KMeans(10, n_init=1, random_state=0).fit(digits)
    assert np.all(np.diff(model.inertia_history_) <= 1e-6 * model.inertia_)
    assert len(model.inertia_history_) == model.n_iter_ + 1
    own = np.square(digits - model.cluster_centers_[model.labels_]).sum()
    assert model.inertia_ == pytest.approx(own, rel=1e-5)
    assert -model.score(digits) == pytest.approx(own, rel=1e-5)


def test_labels_are_the_prediction_even_when_stopped_early(digits):
    model = KMeans(10, max_iter=2, n_init=1, random_state=0).fit(digits)
    assert np.array_equal(model.labels_, model.predict(digits))
    assert np.array_equal(model.labels_, model.transform(digits).argmin(axis=1))


def test_empty_clusters_are_refilled():
    """Two of the three starts are far from all points: plain Lloyd would end with one cluster."""
    x = np.array([[0.0], [0.1], [5.0], [5.1], [9.0], [9.1]])
    model = KMeans(3, init=np.array([[4.0], [1e3], [2e3]])).fit(x)
    assert sorted(np.bincount(model.labels_).tolist()) == [2, 2, 2]
    assert model.inertia_ == pytest.approx(3 * 2 * 0.05**2)


def test_a_refilled_cluster_takes_no_other_s_only_point():
    """The farthest point, 60, is all that cluster 1 has: cluster 2 gets the next one, of a cluster with others left."""
    x, centers = torch.tensor([[0.0], [1.0], [9.0], [60.0]]), torch.tensor([[0.0], [100.0], [1e6]])
    labels, distances = assign(x, centers)
    assert labels.tolist() == [0, 0, 0, 1] and distances.argmax() == 3
    assert _refill(x, labels, distances, 3, torch.ones(4), ALONE).tolist() == [0, 0, 2, 1]
    # Two empty ones: the second takes what the first has left, and the last point of each cluster stays.
    labels, distances = assign(x, torch.tensor([[0.0], [100.0], [1e6], [2e6]]))
    assert _refill(x, labels, distances, 4, torch.ones(4), ALONE).tolist() == [0, 3, 2, 1]
    # Points without weight are no points: of the three in cluster 0 only one counts, and it stays.
    labels, distances = assign(x, centers)
    assert _refill(x, labels, distances, 3, torch.tensor([1.0, 0.0, 0.0, 1.0]), ALONE).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("tol", [0, 1e-4, 1e-2])
@pytest.mark.parametrize("max_iter", [1, 3, 300])
def test_iterations_are_counted_as_scikit_learn_counts_them(digits, tol, max_iter):
    """Also the one that finds nothing to change; from the same starts."""
    x = digits + 0.01 * np.random.default_rng(0).standard_normal(digits.shape)
    for start in (x[:10], x[100:150], x[300:302]):
        options = {"init": start, "tol": tol, "max_iter": max_iter}
        ours = KMeans(len(start), **options).fit(x)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            theirs = SklearnKMeans(len(start), n_init=1, algorithm="lloyd", **options).fit(x)
        assert ours.n_iter_ == theirs.n_iter_ == len(ours.inertia_history_) - 1


def test_fewer_distinct_points_than_clusters_warn_and_stay_finite():
    x = np.repeat(np.array([[0.0, 0.0], [1.0, 1.0]]), 10, axis=0)
    with pytest.warns(ConvergenceWarning, match="Only 2 of 5.*; ask for fewer clusters"):
        model = KMeans(5, random_state=0).fit(x)
    assert np.isfinite(model.cluster_centers_).all()
    assert model.inertia_ < 1e-12  # rounding


@pytest.mark.parametrize("k", [1, 3, 40])
def test_steps_that_go_on_from_the_last_are_those_from_nothing(k):
    """Labels and sums, which change by the samples that move, against `assign` and `update` in every iteration."""
    generator = torch.Generator().manual_seed(k)
    x = torch.randn(3000, 5, generator=generator, dtype=torch.float64)
    weight = torch.randint(0, 3, (3000,), generator=generator).double()
    steps, centers, moves = PlainSteps(x, weight, k), x[:k].clone(), []
    for _ in range(8):
        loss, moved = steps.assign(centers)
        labels, distances = assign(x, centers)
        assert torch.equal(steps.labels, labels)
        assert loss.item() == pytest.approx(float(weight @ distances))
        means, weights = update(x, labels, k, weight)
        sums, totals = steps.totals()
        assert torch.equal(totals, weights)
        assert torch.allclose(sums, means * weights[:, None], atol=1e-9)
        moves.append(int(moved))
        centers = means
    assert moves[0] == 3000  # all have a label now
    assert (moves[1:] == [0] * 7) if k == 1 else 0 < moves[-1] < moves[1] < 3000
    steps.reassign(labels.flip(0))
    assert torch.allclose(steps.totals()[0], update(x, labels.flip(0), k, weight)[0] * steps.totals()[1][:, None])


def test_more_samples_than_float32_can_count_one_by_one():
    n = 2**24 + 1000
    x = torch.ones(n, 1)
    _, weights = update(x, torch.zeros(n, dtype=torch.long), 1, torch.ones(n))
    assert weights.item() == pytest.approx(n, rel=1e-6, abs=0)
    steps = PlainSteps(x, torch.ones(n), 1)
    steps.assign(torch.zeros(1, 1))
    assert steps.totals()[1].item() == pytest.approx(n, rel=1e-6, abs=0)


def test_plus_plus_never_picks_a_point_twice_and_beats_random_starts():
    x = torch.from_numpy(blobs(2000, 30, 2, seed=1))
    generator = torch.Generator().manual_seed(0)
    greedy, random = [], []
    for _ in range(10):
        chosen = kmeans_plus_plus(x, 30, generator)
        assert len(chosen.unique()) == 30
        greedy.append(assign(x, x[chosen])[1].sum())
        random.append(assign(x, x[torch.randperm(len(x), generator=generator)[:30]])[1].sum())
    assert max(greedy) < min(random)


def test_plus_plus_draws_in_proportion_to_the_squared_distance():
    """From the heavy 0, the points at 1 and 3 of the weights 9 and 1 are drawn as 9 · 1² to 1 · 3², as often as each
    other. Of two draws the better one is taken, the point at 1: three times in four."""
    x, weight = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([1e6, 9.0, 1.0])
    generator = torch.Generator().manual_seed(0)
    second = [int(kmeans_plus_plus(x, 2, generator, weight)[1]) for _ in range(1000)]
    assert second.count(1) / 1000 == pytest.approx(0.75, abs=0.05)


def test_plus_plus_never_draws_a_point_without_weight():
    x, generator = torch.tensor([[0.0], [1.0], [3.0]]), torch.Generator().manual_seed(0)
    for _ in range(20):
        chosen = kmeans_plus_plus(x, 2, generator, torch.tensor([1.0, 1.0, 0.0]))
        assert sorted(chosen.tolist()) == [0, 1]


def test_update_by_hand():
    x = torch.tensor([[1.0], [2.0], [6.0]])
    centers, weights = update(x, torch.tensor([0, 0, 2]), 3, torch.tensor([1.0, 3.0, 2.0]))
    assert centers.tolist() == [[1.75], [0.0], [6.0]]
    assert weights.tolist() == [4.0, 0.0, 2.0]


def test_lloyd_leaves_its_arguments_alone():
    x = torch.from_numpy(blobs())
    start = x[:6].clone()
    lloyd(x, start)
    assert torch.equal(start, x[:6])


def test_images_and_tensors_are_samples_too():
    images = load("digits").x[:200]
    a = KMeans(5, random_state=0).fit(images)
    b = KMeans(5, random_state=0).fit(torch.from_numpy(images.reshape(200, -1)))
    assert a.image_shape_ == (1, 8, 8) and b.image_shape_ is None
    assert np.array_equal(a.labels_, b.labels_)
    assert np.array_equal(a.predict(images.reshape(200, -1)), a.labels_)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_tensors_of_16_bits_become_float32(dtype):
    x = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    a, b = (KMeans(3, random_state=0).fit(samples) for samples in (x, x.float()))
    assert a.cluster_centers_.dtype == np.float32
    assert np.array_equal(a.cluster_centers_, b.cluster_centers_)


def test_small_feature_maps_are_no_images_with_the_channels_last():
    x = np.random.default_rng(0).random((9, 64, 4, 4), np.float32)
    assert KMeans(2, n_init=1, random_state=0).fit(x).image_shape_ == (64, 4, 4)
    assert KMeans(2, n_init=1, random_state=0).fit(x[:, :, :1, :1]).image_shape_ == (64, 1, 1)
    for shape in ((9, 8, 8, 1), (9, 32, 24, 3), (9, 5, 6, 4)):
        with pytest.raises(ValueError, match="channels last"):
            KMeans(2).fit(np.zeros(shape))


def test_the_score_is_unweighted(digits):
    model = KMeans(5, n_init=1, random_state=0).fit(digits, sample_weight=np.full(len(digits), 2.0))
    assert model.score(digits) == pytest.approx(-model.inertia_ / 2, rel=1e-5)


def test_same_seed_same_result_and_no_global_seed(digits):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    a, b = (KMeans(10, random_state=3).fit(digits).labels_ for _ in range(2))
    assert np.array_equal(a, b)
    assert torch.equal(before, torch.get_rng_state())


def test_more_starts_never_end_worse(digits):
    one, ten = (KMeans(10, n_init=n, random_state=0).fit(digits).inertia_ for n in (1, 10))
    assert ten <= one


@pytest.mark.parametrize(
    ("parameters", "x", "message"),
    [
        ({"n_clusters": 0}, blobs(), "n_clusters=0 must be an integer of at least 1"),
        ({"n_clusters": 2.5}, blobs(), "must be an integer"),
        ({"n_clusters": 601}, blobs(), "n_clusters=601, but X has n_samples=600"),
        ({"init": "plus"}, blobs(), "init='plus' is not known"),
        ({"n_clusters": 6, "init": np.zeros((5, 5))}, blobs(), r"init has shape \(5, 5\)"),
        ({"n_init": 0}, blobs(), "n_init=0"),
        ({"tol": -1}, blobs(), "tol=-1"),
        ({"max_iter": 0}, blobs(), "max_iter=0"),
        ({}, np.full((20, 2), np.nan), "NaN"),
        ({}, np.full((20, 2), np.inf), "infinity"),
        ({}, np.zeros((20, 8, 8)), r"X has 3 axes.*X\[:, None\]"),
        ({}, np.zeros((0, 2)), "0 sample"),
        ({}, np.zeros(20), "1D array"),
    ],
)
def test_bad_input_is_named(parameters, x, message):
    with pytest.raises(ValueError, match=message):
        KMeans(**parameters).fit(x)


def test_negative_and_all_zero_weights_are_refused():
    with pytest.raises(ValueError, match="[Nn]egative"):
        KMeans(2).fit(blobs(), sample_weight=-np.ones(600))
    with pytest.raises(ValueError, match="zero"):
        KMeans(2).fit(blobs(), sample_weight=np.zeros(600))


def test_images_for_a_model_of_rows_are_refused():
    x = np.random.default_rng(0).random((20, 3, 5, 5))
    with pytest.raises(ValueError, match=r"shape \(3, 5, 5\), but .* fitted on rows of 75 values: pass such rows"):
        KMeans(2, n_init=1, random_state=0).fit(x.reshape(20, 75)).predict(x)


def test_predict_refuses_another_number_of_features():
    model = KMeans(2, random_state=0).fit(blobs())
    with pytest.raises(ValueError, match="4 features"):
        model.predict(blobs()[:, :4])
    with pytest.raises(ValueError, match="fitted on rows of 5 values"):
        model.predict(np.zeros((3, 1, 5, 1)))


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit of a process is Linux's RLIMIT_DATA")
def test_a_memmap_may_be_larger_than_the_memory(tmp_path):
    """200 MB on disk, 100 MB to take: rows are read and centered block by block."""
    n, d = 200_000, 256
    x = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(n, d))
    generator = np.random.default_rng(0)
    for start in range(0, n, 10_000):
        labels = np.arange(start, start + 10_000) % 5
        x[start : start + 10_000] = labels[:, None] + generator.random((10_000, d), dtype=np.float32)
    x.flush()
    script = r"""
import re, resource, sys
import numpy as np
from dclib.kmeans import KMeans

x = np.memmap(sys.argv[1], dtype=np.float32, mode="r", shape=(200_000, 256))
model = KMeans(5, n_init=1, random_state=0).fit(x[:2000])  # all that is imported
used = 1024 * int(re.search(r"VmData:\s*(\d+)", open("/proc/self/status").read())[1])
resource.setrlimit(resource.RLIMIT_DATA, (used + 100 * 2**20,) * 2)
try:
    x + 1
except MemoryError:
    print("a copy does not fit")
images = x.reshape(-1, 1, 16, 16)
labels = model.fit(images).predict(images)
assert np.array_equal(labels, model.labels_) and np.array_equal(labels[:-5], labels[5:])
assert sorted(labels[:5]) == [0, 1, 2, 3, 4]
assert model.transform(x).argmin(1).tolist() == labels.tolist()
assert np.isclose(-model.score(x), model.inertia_)
print(model.inertia_)
"""
    run = subprocess.run([sys.executable, "-c", script, tmp_path / "x"], text=True, capture_output=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    copy, inertia = run.stdout.splitlines()
    assert copy == "a copy does not fit"
    assert float(inertia) == pytest.approx(n * d / 12, rel=1e-2)  # of numbers between 0 and 1 the variance is 1/12


def test_a_memmap_gives_the_labels_of_an_array(tmp_path):
    x = (blobs(3000) + 1e4).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    array = KMeans(6, random_state=0).fit(x)
    memmap = KMeans(6, random_state=0).fit(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert np.array_equal(array.labels_, memmap.labels_)
    np.testing.assert_allclose(array.cluster_centers_, memmap.cluster_centers_)
