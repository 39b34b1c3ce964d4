"""K-means by gradient: the gradients by hand and by autograd, Lloyd and MiniBatchKMeans as special cases, revival."""

import math
import warnings

import numpy as np
import pytest
import torch
from interruption import StopAfter
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning

from dclib import gradient_kmeans
from dclib.data import load
from dclib.engine.callbacks import Checkpoint, EarlyStopping, Scores
from dclib.gradient_kmeans import GradientKMeans, _Descent, hard_gradient, optimizers, soft_gradient, soft_loss
from dclib.kmeans import KMeans, assign, kmeans_plus_plus, lloyd, squared_distances


@pytest.fixture(scope="module")
def digits():
    return load("digits").x.reshape(1797, -1)


def blobs(n=600, k=6, d=5, seed=0):
    return make_blobs(n, d, centers=k, cluster_std=2.0, random_state=seed)[0]


def points(n=40, k=4, d=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    draw = torch.randn(n + k, d, generator=generator, dtype=torch.float64).to(dtype)
    return draw[:n], draw[n:].clone().requires_grad_()


def hard_loss(x, centers):
    return squared_distances(x, centers).min(1).values.mean() / 2


# --- losses and gradients ---------------------------------------------------------------------------------------------


def test_hard_gradient_by_hand():
    """Center 0 has the samples 1 and 3, center 1 the sample 8, center 2 none; the mean over three samples."""
    x, centers = torch.tensor([[1.0], [3.0], [8.0]]), torch.tensor([[0.0], [9.0], [50.0]])
    labels, distances = assign(x, centers)
    assert labels.tolist() == [0, 0, 1] and distances.tolist() == [1, 9, 1]
    assert hard_loss(x, centers).item() == pytest.approx((1 + 9 + 1) / 2 / 3)
    assert hard_gradient(x, centers, labels).flatten().tolist() == pytest.approx([-4 / 3, 1 / 3, 0])


def test_soft_loss_and_gradient_by_hand():
    """Squared distances 1 and 4; at temperature 3 / log 2 the farther center weighs half of the nearer."""
    x, centers, temperature = torch.zeros(1, 1), torch.tensor([[1.0], [-2.0]]), 3 / math.log(2)
    distances = squared_distances(x, centers)
    assert soft_loss(distances, temperature).item() == pytest.approx((2 / 3 * 1 + 1 / 3 * 4) / 2)
    # q (1 + (2 − d) / temperature) times the distance from the sample
    near, far = 2 / 3 * (1 + math.log(2) / 3), 1 / 3 * (1 - 2 * math.log(2) / 3)
    gradient = soft_gradient(x, centers, distances, temperature)
    assert gradient.flatten().tolist() == pytest.approx([near * 1, far * -2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_closed_forms_are_what_autograd_finds(dtype):
    x, centers = points(200, 7, 5, dtype)
    exact = {"rtol": 1e-10, "atol": 1e-12} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-6}
    (auto,) = torch.autograd.grad(hard_loss(x, centers), centers)
    torch.testing.assert_close(hard_gradient(x, centers.detach(), assign(x, centers.detach())[0]), auto, **exact)
    for temperature in (0.1, 1.0, 30.0):
        distances = squared_distances(x, centers)
        (auto,) = torch.autograd.grad(soft_loss(distances, temperature), centers)
        torch.testing.assert_close(soft_gradient(x, centers, distances, temperature), auto, **exact)


def test_the_losses_pass_gradcheck():
    x, centers = points()
    x.requires_grad_()
    assert torch.autograd.gradcheck(hard_loss, (x, centers))
    assert torch.autograd.gradcheck(lambda x, centers: soft_loss(squared_distances(x, centers), 0.7), (x, centers))


def test_losses_are_means_over_samples_and_sums_over_features():
    x, centers = points()
    centers = centers.detach()
    for loss in (hard_loss, lambda x, centers: soft_loss(squared_distances(x, centers), 2.0)):
        assert loss(torch.cat([x, x]), centers).item() == pytest.approx(loss(x, centers).item())
    twice = hard_loss(torch.cat([x, x], 1), torch.cat([centers, centers], 1)).item()
    assert twice == pytest.approx(2 * hard_loss(x, centers).item())
    # Twice the features are twice the distances: at twice the temperature the weights stay.
    twice = soft_loss(squared_distances(torch.cat([x, x], 1), torch.cat([centers, centers], 1)), 4.0).item()
    assert twice == pytest.approx(2 * soft_loss(squared_distances(x, centers), 2.0).item())


def test_cold_is_hard_and_hot_is_the_mean_of_all():
    x, centers = points()
    centers = centers.detach()
    distances = squared_distances(x, centers)
    labels = assign(x, centers)[0]
    assert soft_loss(distances, 1e-6).item() == pytest.approx(hard_loss(x, centers).item())
    torch.testing.assert_close(soft_gradient(x, centers, distances, 1e-6), hard_gradient(x, centers, labels))
    assert soft_loss(distances, 1e9).item() == pytest.approx(distances.mean().item() / 2)


# --- the running mean: Lloyd, MacQueen, MiniBatchKMeans ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_full_batches_with_the_running_mean_are_lloyd(digits, dtype):
    # The pixels have 17 values: a little noise keeps samples from lying exactly between two centers.
    x = (digits + 0.01 * np.random.default_rng(0).standard_normal(digits.shape)).astype(dtype)
    start = x[:: len(x) // 10][:10]
    for epochs in (1, 2, 7):
        ours = GradientKMeans(10, optimizer="mean", init=start, batch_size=len(x), epochs=epochs, tol=0).fit(x)
        centers, _, losses = lloyd(torch.from_numpy(x), torch.from_numpy(start), max_iter=epochs)
        np.testing.assert_allclose(ours.cluster_centers_, centers, atol=1e-4 if dtype == np.float32 else 1e-12)
        np.testing.assert_allclose(ours.history_["loss"], np.array(losses[:-1]) / 2 / len(x), rtol=1e-4)
        assert ours.inertia_ == pytest.approx(losses[-1], rel=1e-5)


def test_partial_fit_equals_scikit_learn(digits):
    """Each center is the mean of all samples that it ever had, and of its start not a trace."""
    start = digits[:8].astype(np.float64)
    ours = GradientKMeans(8, init=start)
    theirs = MiniBatchKMeans(8, init=start, n_init=1, reassignment_ratio=0)
    for batch in np.array_split(digits.astype(np.float64), 12):
        ours.partial_fit(batch)
        theirs.partial_fit(batch)
        np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, atol=1e-12)
        assert np.array_equal(ours.labels_, ours.predict(batch))
    assert ours.n_steps_ == 12


def test_the_running_mean_reaches_back_one_epoch(digits):
    """n_k after m batches of b: each batch keeps 1 − b/n of the earlier ones, so that their sum tends to n."""
    n, b = 1700, 100
    model = GradientKMeans(10, batch_size=b, epochs=3, tol=0, random_state=0).fit(digits[:n])
    assert model.n_steps_ == 51
    assert model.optimizer_state_["counts"].sum() == pytest.approx(n * (1 - (1 - b / n) ** 51), rel=1e-5)


@pytest.mark.parametrize(("optimizer", "temperature"), [("mean", 0.0), ("adam", 0.0), ("sgd", 1.0)])
def test_a_step_talks_to_the_other_processes_once(optimizer, temperature):
    x, centers = points()
    talks = []

    def total(means):
        talks.append(means)
        return means.clone()

    alone, together = (_Descent(centers.detach().clone(), optimizer, 0.1, temperature) for _ in range(2))
    alone.step(x, len(x), math.inf), together.step(x, len(x), math.inf, total)
    assert [len(means) for means in talks] == [4 * 3 + 4]
    assert torch.equal(alone.centers, together.centers) and torch.equal(alone.counts, together.counts)
    assert not torch.equal(alone.centers, centers)


def test_a_single_sample_moves_its_center_by_one_nth():
    model = GradientKMeans(2, init=np.array([[0.0], [10.0]]))
    for x, centers in [(1.0, [1.0, 10.0]), (2.0, [1.5, 10.0]), (3.0, [2.0, 10.0]), (8.0, [2.0, 8.0])]:
        model.partial_fit([[x], [x]] if model.__dict__.get("n_steps_", 0) == 0 else [[x]])
        if x == 1.0:  # the first call needs two samples: it counts twice
            assert model.cluster_centers_.flatten().tolist() == pytest.approx([1.0, 10.0])
            model.optimizer_state_["counts"][:] = [1, 0]
        assert model.cluster_centers_.flatten().tolist() == pytest.approx(centers)


# --- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"batch_size": 1024},
        {"optimizer": "adam"},
        {"optimizer": "sgd", "learning_rate": 1.0},
        {"temperature": 0.1},
    ],
    ids=str,
)
def test_it_ends_about_where_lloyd_does(digits, parameters):
    start = digits[kmeans_plus_plus(torch.from_numpy(digits), 10, torch.Generator().manual_seed(0))]
    model = GradientKMeans(10, init=start, epochs=30, tol=0, random_state=0, **parameters).fit(digits)
    assert model.inertia_ < 1.03 * KMeans(10, init=start).fit(digits).inertia_
    assert model.history_["loss"][-1] < model.history_["loss"][0]
    assert model.inertia_ == pytest.approx(np.square(digits - model.cluster_centers_[model.labels_]).sum(), rel=1e-4)
    assert np.array_equal(model.labels_, model.predict(digits))


def test_starts(digits):
    """k-means++ starts below random ones; both are samples, drawn anew from each seed."""
    starts = {init: [] for init in ("random", "k-means++")}
    for init, losses in starts.items():
        for seed in range(8):
            model = GradientKMeans(10, init=init, random_state=seed)
            centers, near = model._start(digits, seed)
            assert all((digits == center).all(1).any() for center in centers)
            assert np.abs(near - digits.mean(axis=0)).max() < 0.05
            losses.append(float(assign(torch.from_numpy(digits), torch.from_numpy(centers))[1].mean()))
        assert len(set(losses)) == 8
    assert np.mean(starts["k-means++"]) < 0.95 * np.mean(starts["random"])


def test_a_start_of_ones_own(digits):
    def init(x, n_clusters, random_state):
        return x[random_state.choice(len(x), n_clusters, replace=False)]

    a, b = (GradientKMeans(10, init=init, epochs=2, random_state=seed).fit(digits) for seed in (0, 0))
    assert np.array_equal(a.cluster_centers_, b.cluster_centers_)
    start, _ = a._start(digits, 5)
    assert all((digits == center).all(1).any() for center in start)
    assert not np.array_equal(start, a._start(digits, 6)[0])
    first = GradientKMeans(10, init=init, random_state=0).partial_fit(digits[:50])
    assert first.cluster_centers_.shape == (10, 64)


def test_integers_keep_their_digits():
    x = np.repeat(2**24 + np.array([[0], [1], [5], [6]]), 5, axis=0)
    model = GradientKMeans(4, init=x[::5], epochs=2, random_state=0).fit(x)
    assert model.cluster_centers_[:, 0] - 2**24 == pytest.approx([0, 1, 5, 6])
    assert GradientKMeans(4).partial_fit(x.astype(np.uint8)).cluster_centers_.dtype == np.float32


@pytest.mark.parametrize("name", optimizers())
def test_every_torch_optimizer_lowers_the_loss_and_goes_on_after_loading(digits, name, tmp_path):
    model = GradientKMeans(10, optimizer=name, init=digits[:10], epochs=5, tol=0, random_state=0)
    model.fit(digits)
    assert model.history_["loss"][-1] < model.history_["loss"][0]
    model.save(tmp_path / "model")
    loaded = GradientKMeans.load(tmp_path / "model")
    for batch in (digits[:200], digits[200:400]):
        model.partial_fit(batch)
        loaded.partial_fit(batch)
    assert np.array_equal(model.cluster_centers_, loaded.cluster_centers_)
    fresh = GradientKMeans(10, optimizer=name, init=model.cluster_centers_).partial_fit(digits[:200])
    model.partial_fit(digits[:200])
    remembers = name not in ("sgd", "asgd")  # without momentum a step of theirs depends on the gradient alone
    assert np.allclose(model.cluster_centers_, fresh.cluster_centers_, atol=1e-7) != remembers


def test_another_optimizer_starts_with_its_own_memory(digits):
    model = GradientKMeans(10, optimizer="adam", epochs=2, random_state=0).fit(digits)
    model.set_params(optimizer="rmsprop").partial_fit(digits[:100])
    assert model.optimizer_state_["optimizer"] == "rmsprop"
    assert "square_avg" in model.optimizer_state_["moments"]


def test_auto_is_the_running_mean_or_adam(digits):
    x = digits[:300]
    for temperature, name in ((0.0, "mean"), (0.5, "adam")):
        options = {"n_clusters": 3, "temperature": temperature, "epochs": 2, "random_state": 0}
        a, b = (GradientKMeans(optimizer=optimizer, **options).fit(x) for optimizer in ("auto", name))
        assert np.array_equal(a.cluster_centers_, b.cluster_centers_)
        assert a.optimizer_state_["optimizer"] == name


def test_history_reports_what_the_batches_saw(digits):
    """With full batches that is the E-step of each epoch."""
    start = digits[:5]
    model = GradientKMeans(5, init=start, batch_size=len(digits), epochs=3, tol=0).fit(digits)
    labels = [
        assign(torch.from_numpy(digits), lloyd(torch.from_numpy(digits), torch.from_numpy(start), max_iter=i)[0])[0]
        if i
        else assign(torch.from_numpy(digits), torch.from_numpy(start))[0]
        for i in range(3)
    ]
    assert list(model.history_.rows[0]) == ["epoch", "loss", "changed", "smallest_share", "revived"]
    changed = [float((a != b).float().mean()) for a, b in zip(labels, labels[1:])]
    assert model.history_["changed"] == pytest.approx([1.0, *changed], abs=2e-3)
    shares = [float(torch.bincount(a, minlength=5).min()) / len(digits) for a in labels]
    assert model.history_["smallest_share"] == pytest.approx(shares, abs=2e-3)
    assert model.history_["revived"] == [0, 0, 0]


def test_it_ends_when_an_epoch_lowers_the_loss_by_a_share_of_tol_or_less(digits, monkeypatch):
    options = {"n_clusters": 10, "epochs": 40, "random_state": 0}
    losses = np.array(GradientKMeans(tol=0, **options).fit(digits).history_["loss"])
    falls = 1 - losses[1:] / losses[:-1]
    for tol in (0.05, 0.003):
        model = GradientKMeans(tol=tol, **options).fit(digits)
        assert len(losses) == 40 > len(model.history_) == 2 + np.argmax(falls <= tol)
        assert model.history_["loss"] == losses[: len(model.history_)].tolist()
    # The step throws center 1 from 1 to −1: in the second epoch the loss rises, but a center is revived, too.
    monkeypatch.setattr(gradient_kmeans, "_ROUND", 1)
    options = {"optimizer": "sgd", "learning_rate": 10, "epochs": 3, "tol": 0.5, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GradientKMeans(2, init=[[0.0], [1.0]], **options).fit(np.array([[0.0], [0.6]]))
    assert model.history_["loss"][:2] == pytest.approx([0.04, 0.09])
    assert model.history_["revived"][:2] == [0, 1] and len(model.history_) == 3


def test_small_steps_of_an_optimizer_do_not_count_as_the_end():
    """Two steps an epoch lower the loss by less than tol each time, and yet lead all the way."""
    x = blobs(400)
    soft = GradientKMeans(6, temperature=1, epochs=400, random_state=0).fit(x)
    assert soft.inertia_ < 1.03 * KMeans(6, random_state=0).fit(x).inertia_
    # Rounds of 50 epochs, 100 steps each: it ends with one of them.
    losses = np.array(GradientKMeans(6, temperature=1, epochs=400, tol=0, random_state=0).fit(x).history_["loss"])
    rounds = losses.reshape(8, 50).sum(1)
    falls = 1 - rounds[1:] / rounds[:-1]
    assert 8 * 50 > len(soft.history_) == 50 * (2 + np.argmax(falls <= soft.tol))
    with pytest.warns(ConvergenceWarning, match="takes 40 steps in all"):
        GradientKMeans(6, temperature=1, random_state=0).fit(x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_stays(digits, dtype):
    x = digits[:300].astype(dtype)
    for parameters in ({}, {"optimizer": "adam"}, {"temperature": 1.0}):
        model = GradientKMeans(3, epochs=2, **parameters).fit(x)
        assert model.cluster_centers_.dtype == model.transform(x).dtype == dtype
        other = np.float64 if dtype == np.float32 else np.float32
        assert model.partial_fit(x.astype(other)).cluster_centers_.dtype == dtype


def test_float64_is_more_precise_than_float32():
    """A step of 1e-9 of the data's size is lost in float32."""
    x = np.array([[0.0], [1.0]]) + 1e-9
    assert GradientKMeans(2, init=np.array([[0.0], [1.0]]), epochs=1).fit(x).cluster_centers_[0, 0] == pytest.approx(
        1e-9, rel=1e-3
    )


def test_float32_survives_far_from_the_origin():
    x = blobs()
    near = GradientKMeans(6, init=x[:6], random_state=0).fit(x)
    far = GradientKMeans(6, init=x[:6] + 1e4, random_state=0).fit((x + 1e4).astype(np.float32))
    assert np.mean(near.labels_ == far.labels_) > 0.99


# --- revival ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["mean", "adam"])
def test_unused_centers_are_revived(optimizer):
    x = blobs(600, 6, 2)
    start = np.vstack([x[:2], np.full((4, 2), 1e3)])
    options = {"optimizer": optimizer, "learning_rate": 0.05, "init": start, "epochs": 40, "tol": 0, "random_state": 0}
    with pytest.warns(ConvergenceWarning, match="Only 2 of 6 clusters have points.*revive=True"):
        dead = GradientKMeans(6, revive=False, **options).fit(x)
    assert dead.history_["revived"] == [0] * 40 and dead.history_["smallest_share"] == [0] * 40
    np.testing.assert_allclose(dead.cluster_centers_[2:], 1e3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        alive = GradientKMeans(6, **options).fit(x)
    assert alive.history_["revived"][0] == 4 and alive.history_["smallest_share"][-1] > 0.02
    assert len(np.unique(alive.labels_)) == 6
    assert alive.inertia_ < 0.6 * dead.inertia_


def test_a_center_that_has_samples_is_never_revived(digits):
    """Small shares are not unused: every batch has its clusters, some of them rarely."""
    model = GradientKMeans(2, init=digits[:2], epochs=5, tol=0, batch_size=32).fit(digits)
    assert model.history_["revived"] == [0] * 5
    x = np.concatenate([blobs(500, 1), np.full((1, 5), 1e3)])  # one sample far away has a center of its own
    model = GradientKMeans(2, init=np.stack([x[0], x[-1]]), epochs=5, tol=0, batch_size=50).fit(x)
    assert model.history_["revived"] == [0] * 5
    np.testing.assert_allclose(model.cluster_centers_[1], 1e3)


def test_revival_draws_by_squared_distance_and_forgets():
    x = torch.tensor([[0.0], [1.0], [-3.0]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    far = 0
    for _ in range(400):
        descent = _Descent(torch.tensor([[0.0], [99.0]], dtype=torch.float64), "adam", 0.1, 0.0)
        descent.step(x, 3, math.inf)
        descent.centers.data[0] = 0
        moments = descent._moments()
        moments["exp_avg"][:] = moments["exp_avg_sq"][:] = descent.counts[:] = descent.idle[:] = 1
        assert descent.revive(torch.tensor([1]), x, generator) == 1
        assert descent.centers[0] == 0 and descent.centers[1] in (1, -3)
        for memory in (moments["exp_avg"], moments["exp_avg_sq"], descent.counts, descent.idle):
            assert memory.flatten().tolist() == [1, 0]
        far += descent.centers[1].item() == -3
    assert far / 400 == pytest.approx(0.9, abs=0.05)


def test_revival_never_takes_a_sample_twice_and_stops_when_all_have_a_center():
    x = torch.tensor([[0.0], [1.0], [2.0]])
    descent = _Descent(torch.tensor([[0.0], [99.0], [98.0], [97.0]]), "mean", 0.1, 0.0)
    assert descent.revive(torch.tensor([1, 2, 3]), x, torch.Generator().manual_seed(0)) == 2
    assert sorted(descent.centers.flatten().tolist()) == [0, 1, 2, 97]


def test_partial_fit_revives_after_a_hundred_samples_a_cluster():
    x = blobs(50, 2, 2)
    start = np.vstack([x[:1], np.full((1, 2), 1e3)])
    model = GradientKMeans(2, init=start, random_state=0)
    for _ in range(3):
        model.partial_fit(x)
        assert np.array_equal(model.cluster_centers_[1], start[1])
    model.partial_fit(x)  # 200 samples
    assert len(np.unique(model.labels_)) == 2
    assert (np.abs(x - model.cluster_centers_[1]).max(1) < 1e-9).any()
    stays = GradientKMeans(2, init=start, revive=False)
    for _ in range(9):
        stays.partial_fit(x)
    np.testing.assert_allclose(stays.cluster_centers_[1], start[1])


def test_fewer_distinct_samples_than_clusters_warn_and_stay_finite():
    x = np.repeat(np.array([[0.0, 0.0], [1.0, 1.0]]), 10, axis=0)
    with pytest.warns(ConvergenceWarning, match="Only 2 of 5"):
        model = GradientKMeans(5, random_state=0).fit(x)
    assert np.isfinite(model.cluster_centers_).all()
    assert model.inertia_ == pytest.approx(0, abs=1e-12)


# --- the contract -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{}, {"optimizer": "adam"}, {"temperature": 0.2}], ids=str)
def test_an_interrupted_training_ends_the_same(digits, tmp_path, parameters):
    # Centers that start far away, so that some are revived before and after the interruption.
    start = np.vstack([digits[:5], digits[:5] + np.arange(1, 6)[:, None]])
    options = {"init": start, "epochs": 6, "tol": 0, "batch_size": 100, "random_state": 0, **parameters}
    whole = GradientKMeans(10, **options).fit(digits)
    assert sum(whole.history_["revived"]) > 0
    with pytest.raises(KeyboardInterrupt):
        GradientKMeans(10, **options, callbacks=[StopAfter(1), Checkpoint(tmp_path / "c")]).fit(digits)
    resumed = GradientKMeans(10, **options, callbacks=[Checkpoint(tmp_path / "c")]).fit(digits)
    assert np.array_equal(whole.cluster_centers_, resumed.cluster_centers_)
    assert whole.history_.rows == resumed.history_.rows


def test_an_interruption_before_the_last_epoch_does_not_delay_the_end(digits, tmp_path):
    options = {"n_clusters": 10, "random_state": 0}
    whole = GradientKMeans(**options).fit(digits)
    last = len(whole.history_)
    assert 2 < last < 20  # ended by tol
    with pytest.raises(KeyboardInterrupt):
        GradientKMeans(**options, callbacks=[StopAfter(last - 1), Checkpoint(tmp_path / "c")]).fit(digits)
    resumed = GradientKMeans(**options, callbacks=[Checkpoint(tmp_path / "c")]).fit(digits)
    assert resumed.history_.rows == whole.history_.rows
    assert np.array_equal(whole.cluster_centers_, resumed.cluster_centers_)


def test_a_finished_training_without_a_seed_is_loaded_as_it_was(tmp_path):
    """Each fit looks at another sample for where the data are, and what is stored counts from there."""
    x = np.random.default_rng(0).normal(size=(20_000, 3))
    options = {"epochs": 2, "tol": 0, "callbacks": [Checkpoint(tmp_path / "c")]}
    first, again = GradientKMeans(4, **options).fit(x), GradientKMeans(4, **options).fit(x)
    assert np.array_equal(first.cluster_centers_, again.cluster_centers_)


def test_callbacks_see_the_centers_of_each_epoch(digits):
    y = load("digits").y
    options = {"epochs": 4, "tol": 0, "random_state": 0}
    plain = GradientKMeans(10, **options).fit(digits)
    watched = GradientKMeans(10, **options, callbacks=[Scores(digits, y)]).fit(digits)
    assert np.array_equal(plain.cluster_centers_, watched.cluster_centers_)
    assert len(watched.history_["acc"]) == 4 and watched.history_["acc"][-1] > 0.5
    early = GradientKMeans(10, epochs=200, tol=0, random_state=0, callbacks=[EarlyStopping(patience=2)]).fit(digits)
    assert len(early.history_) < 100
    assert early.n_steps_ == len(early.history_) * math.ceil(1797 / 256)


def test_partial_fit_goes_on_from_fit(digits):
    model = GradientKMeans(10, epochs=5, tol=0, random_state=0).fit(digits)
    before = model.cluster_centers_
    model.partial_fit(digits[:100])
    moved = np.abs(model.cluster_centers_ - before).max()
    assert 0 < moved < 0.3
    assert model.n_steps_ == 5 * 8 + 1
    assert len(model.labels_) == 100


def test_images_can_be_streamed():
    images = load("digits").x
    a, b = GradientKMeans(5, random_state=0), GradientKMeans(5, random_state=0)
    for i in range(0, 600, 100):
        a.partial_fit(images[i : i + 100])
        b.partial_fit(torch.from_numpy(images[i : i + 100]))
    assert a.image_shape_ == (1, 8, 8)
    assert np.array_equal(a.predict(images), b.predict(images))
    with pytest.raises(ValueError, match="images of shape"):
        a.partial_fit(np.zeros((10, 1, 4, 16)))


@pytest.mark.parametrize(
    ("parameters", "x", "message"),
    [
        ({"n_clusters": 0}, blobs(), "n_clusters=0 must be an integer of at least 1"),
        ({"n_clusters": 601}, blobs(), "n_clusters=601, but X has n_samples=600"),
        ({"temperature": -1}, blobs(), "temperature=-1 must be a number of at least 0"),
        ({"optimizer": "newton"}, blobs(), "optimizer='newton' is not known: choose one of 'auto', 'mean'.*'sgd'"),
        ({"optimizer": "lbfgs"}, blobs(), "optimizer='lbfgs' is not known"),
        ({"optimizer": "mean", "temperature": 1.0}, blobs(), 'set temperature=0, or optimizer="adam"'),
        ({"learning_rate": 0}, blobs(), "learning_rate=0"),
        ({"tol": -0.1}, blobs(), "tol=-0.1"),
        ({"epochs": 0}, blobs(), "epochs=0"),
        ({"batch_size": 1.5}, blobs(), "batch_size=1.5 must be an integer"),
        (
            {"init": "plus"},
            blobs(),
            "init='plus' is not known: choose one of 'k-means\\+\\+', 'random', or give an array of centers",
        ),
        ({"n_clusters": 6, "init": np.zeros((5, 5))}, blobs(), r"init has shape \(5, 5\).*\(6, 5\)"),
        ({"device": "quantum"}, blobs(), "device='quantum' is not known"),
        ({"callbacks": "bar"}, blobs(), "callbacks='bar' must be a list"),
        ({}, np.full((20, 2), np.nan), "NaN"),
        ({}, np.zeros((0, 2)), "0 sample"),
    ],
)
def test_bad_input_is_named(parameters, x, message):
    with pytest.raises(ValueError, match=message):
        GradientKMeans(**parameters).fit(x)
    if "epochs" not in parameters and "callbacks" not in parameters:
        with pytest.raises(ValueError, match=message):
            GradientKMeans(**parameters).partial_fit(x)


def test_a_learning_rate_that_blows_up_names_the_epoch(digits):
    with pytest.raises(FloatingPointError, match="not finite in epoch"):
        GradientKMeans(2, optimizer="sgd", learning_rate=1e6, epochs=50, random_state=0).fit(digits)
