"""q, p and KL by hand and against autograd; what DEC does to a clustering; starts, alarms, devices."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from dclib.augmentation import RandomShiftRotate
from dclib.autoencoder import Autoencoder
from dclib.balanced_kmeans import balanced_kmeans
from dclib.dec import DEC, kl_divergence, soft_assignment, target_distribution
from dclib.deep_clusterer import Monitor, start_centers
from dclib.engine.callbacks import Progress
from dclib.kmeans import assign
from dclib.metrics import clustering_accuracy

# --- the equations ----------------------------------------------------------------------------------------------------


def test_soft_assignment_by_hand():
    """Distances 0 and 1 from the centers with one degree of freedom: kernels 1 and 1/2, so q = 2/3, 1/3."""
    z, centers = torch.tensor([[0.0], [0.5], [3.0]]), torch.tensor([[0.0], [1.0]])
    q = soft_assignment(z, centers)
    torch.testing.assert_close(q, torch.tensor([[2 / 3, 1 / 3], [1 / 2, 1 / 2], [1 / 3, 2 / 3]]))


def test_alpha_is_used_as_printed():
    """(1 + d²/α)^(−(α+1)/2) with α = 3 and d² = 3: kernel 2^−2."""
    q = soft_assignment(torch.tensor([[0.0]]), torch.tensor([[0.0], [3.0**0.5]]), alpha=3.0)
    torch.testing.assert_close(q, torch.tensor([[0.8, 0.2]]))


def test_target_distribution_by_hand():
    """f = (.5, 1.5). First row: .25/.5 = .5 and .25/1.5 = 1/6, so p = 3/4, 1/4."""
    p = target_distribution(torch.tensor([[0.5, 0.5], [0.0, 1.0]]))
    torch.testing.assert_close(p, torch.tensor([[0.75, 0.25], [0.0, 1.0]]))
    # Without the square 3/4, 1/4 would be the same. f = (1, 1), then .64 and .04, so p = 16/17, 1/17.
    p = target_distribution(torch.tensor([[0.8, 0.2], [0.2, 0.8]]))
    torch.testing.assert_close(p, torch.tensor([[16.0, 1.0], [1.0, 16.0]]) / 17)


def test_target_of_the_whole_is_not_that_of_its_batches():
    q = torch.rand(20, 3, generator=torch.Generator().manual_seed(0)).softmax(1)
    whole, batches = target_distribution(q), torch.cat([target_distribution(q[:10]), target_distribution(q[10:])])
    assert not torch.allclose(whole, batches, atol=1e-4)


def test_kl_by_hand_is_a_sum_over_clusters_and_a_mean_over_samples():
    p, q = torch.tensor([[0.75, 0.25], [0.0, 1.0]]), torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    want = (0.75 * np.log(1.5) + 0.25 * np.log(0.5) + np.log(2)) / 2
    assert kl_divergence(p, q) == pytest.approx(want)
    assert kl_divergence(p.repeat(3, 1), q.repeat(3, 1)) == pytest.approx(want)  # a larger batch: the same
    assert kl_divergence(q, q) == 0


def test_gradients_with_respect_to_codes_and_centers():
    generator = torch.Generator().manual_seed(0)
    z, centers = (torch.randn(n, 2, generator=generator, dtype=torch.float64, requires_grad=True) for n in (6, 3))
    p = target_distribution(soft_assignment(z, centers)).detach()
    assert torch.autograd.gradcheck(lambda z, m: kl_divergence(p, soft_assignment(z, m)), (z, centers))
    # Equation 4 of the paper, for the sum over samples: (α+1)/α Σ_j (1 + d²/α)^−1 (p − q) (z − μ)
    loss = kl_divergence(p, soft_assignment(z, centers)) * len(z)
    (gradient,) = torch.autograd.grad(loss, z)
    difference = z[:, None] - centers[None]
    kernel = 1 / (1 + difference.square().sum(2))
    want = 2 * (kernel * (p - soft_assignment(z, centers)))[:, :, None] * difference
    torch.testing.assert_close(gradient, want.sum(1))


def test_far_away_points_stay_finite():
    z = torch.tensor([[1e6, 0.0], [0.0, 0.0]], requires_grad=True)
    q = soft_assignment(z, torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    loss = kl_divergence(target_distribution(q).detach(), q)
    loss.backward()
    assert torch.isfinite(q).all() and torch.isfinite(loss) and torch.isfinite(z.grad).all()


def test_a_large_alpha_far_from_all_codes_stays_finite():
    """q of the far center underflows for all codes: a column of zeros, whose f is zero, too."""
    z = torch.tensor([[0.0, 0.0], [1.0, 0.0]], requires_grad=True)
    centers = torch.tensor([[0.0, 0.0], [1.0, 0.0], [30.0, 0.0]], requires_grad=True)
    q = soft_assignment(z, centers, alpha=100.0)
    assert (q[:, 2] == 0).all()
    p = target_distribution(q.detach())
    torch.testing.assert_close(p[:, :2], target_distribution(q[:, :2].detach()))  # as if it were not there
    assert (p[:, 2] == 0).all()
    loss = kl_divergence(p, q)
    loss.backward()
    torch.testing.assert_close(loss, kl_divergence(p[:, :2], q[:, :2]))
    assert loss > 0 and torch.isfinite(z.grad).all() and z.grad.any() and torch.isfinite(centers.grad).all()


def test_kl_is_finite_where_q_underflowed_after_p_was_computed():
    p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = kl_divergence(p, q)
    loss.backward()
    assert torch.isfinite(loss) and loss > 10 and torch.isfinite(q.grad).all()


@pytest.mark.parametrize("alpha", [0.5, 3.0, 20.0])
def test_the_formula_at_other_alphas(alpha):
    generator = torch.Generator().manual_seed(0)
    z, centers = (torch.randn(n, 4, generator=generator, dtype=torch.float64) for n in (20, 5))
    kernel = (1 + torch.cdist(z, centers).square() / alpha) ** (-(alpha + 1) / 2)
    q = kernel / kernel.sum(1, keepdim=True)
    torch.testing.assert_close(soft_assignment(z, centers, alpha), q)
    weight = q**2 / q.sum(0)
    p = weight / weight.sum(1, keepdim=True)
    torch.testing.assert_close(target_distribution(q), p)
    torch.testing.assert_close(kl_divergence(p, q), (p * (p / q).log()).sum(1).mean())


# --- the method -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_dec_improves_the_clustering_it_starts_from(digits, autoencoder, weight):
    options = {"batch_size": 128, "tol": 0, "precision": "32-true", "epochs": 30, "reconstruction_weight": weight}
    for seed in range(2):
        model = DEC(autoencoder=autoencoder, random_state=seed, **options).fit(digits.x)
        start, end = (clustering_accuracy(digits.y, labels) for labels in (model.start_labels_, model.labels_))
        assert end > start + 0.01


@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_one_step_on_all_samples_has_the_loss_of_the_start(digits, autoencoder, weight):
    """KL(P‖Q), not KL(Q‖P), and the weighted mean squared error, at the centers that k-means found."""
    options = {"n_init": 1, "epochs": 1, "batch_size": len(digits.x), "precision": "32-true", "random_state": 0}
    with pytest.warns(ConvergenceWarning, match="1 step"):
        model = DEC(autoencoder=autoencoder, reconstruction_weight=weight, **options).fit(digits.x)
    z = torch.from_numpy(autoencoder.transform(digits.x))
    labels = model.start_labels_
    centers = torch.stack([z[labels == k].mean(0) for k in range(10)])
    q = soft_assignment(z, centers)
    p = target_distribution(q)
    forward, backward = kl_divergence(p, q).item(), kl_divergence(q, p).item()
    assert abs(forward - backward) > 0.01 * forward
    row = model.history_.rows[0]
    assert row["kl"] == pytest.approx(forward, rel=1e-3)
    error = np.mean((autoencoder.reconstruct(digits.x) - digits.x) ** 2)
    assert row["loss"] == pytest.approx(forward + weight * error, rel=1e-3)


def test_augmentation_makes_the_labels_of_moved_images_agree(digits, autoencoder):
    """p comes from the clean images and q from moved ones, so that both learn to say the same."""
    move = RandomShiftRotate(1.0, 10)
    moved = move(torch.from_numpy(digits.x), torch.Generator().manual_seed(0))
    plain, augmented = (
        DEC(autoencoder=autoencoder, augment=a, epochs=15, learning_rate=1e-3, tol=0, random_state=0).fit(digits.x)
        for a in (False, move)
    )
    agreement = [np.mean(model.predict(moved) == model.labels_) for model in (plain, augmented)]
    assert agreement[1] > agreement[0] + 0.05


def test_training_sharpens_q(digits, autoencoder):
    def confidence(epochs):
        model = DEC(autoencoder=autoencoder, epochs=epochs, learning_rate=1e-3, tol=0, random_state=0).fit(digits.x)
        return model.predict_proba(digits.x).max(1).mean()

    assert confidence(20) > 1.2 * confidence(1)


def test_labels_probabilities_and_predictions_agree_on_new_data_too(digits, autoencoder):
    model = DEC(autoencoder=autoencoder, epochs=2, random_state=0).fit(digits.x[:1000])
    assert np.array_equal(model.labels_, model.predict(digits.x[:1000]))
    q = model.predict_proba(digits.x[1000:])
    assert np.array_equal(q.argmax(1), model.predict(digits.x[1000:]))
    np.testing.assert_allclose(q.sum(1), 1, atol=1e-5)
    z = torch.from_numpy(model.transform(digits.x[1000:]))
    np.testing.assert_allclose(q, soft_assignment(z, torch.from_numpy(model.cluster_centers_)), atol=1e-6)


def test_a_fitted_autoencoder_is_the_start_and_stays_untouched(digits, autoencoder):
    before = autoencoder.transform(digits.x)
    rows = list(autoencoder.history_.rows)
    model = DEC(autoencoder=autoencoder, epochs=2, random_state=0).fit(digits.x)
    assert np.array_equal(before, autoencoder.transform(digits.x))
    assert autoencoder.history_.rows == rows
    assert not np.array_equal(before, model.transform(digits.x))


def test_an_unfitted_autoencoder_is_trained_on_a_copy(digits):
    given = Autoencoder(5, hidden=(32,), epochs=1)
    model = DEC(autoencoder=given, epochs=1, random_state=0).fit(digits.x)
    assert not hasattr(given, "network_")
    assert given.get_params()["random_state"] is None
    assert model.transform(digits.x).shape == (1797, 5)


def test_without_reconstruction_the_decoder_is_left_alone(digits, autoencoder):
    def decoder(model):
        return torch.cat([p.flatten() for p in model.network_.decoder.parameters()])

    plain, idec = (
        DEC(autoencoder=autoencoder, epochs=2, reconstruction_weight=w, random_state=0).fit(digits.x) for w in (0, 1)
    )
    assert torch.equal(decoder(autoencoder), decoder(plain.autoencoder_))
    assert not torch.equal(decoder(autoencoder), decoder(idec.autoencoder_))


def test_reconstruction_keeps_the_code_decodable(digits, autoencoder):
    def error(weight):
        options = {"epochs": 15, "learning_rate": 1e-3, "tol": 0, "reconstruction_weight": weight}
        model = DEC(autoencoder=autoencoder, random_state=0, **options).fit(digits.x)
        return -model.autoencoder_.score_samples(digits.x).mean()

    assert error(10.0) < 0.85 * error(0.0)


def test_training_stops_when_labels_stop_changing(digits, autoencoder):
    options = {"autoencoder": autoencoder, "epochs": 30, "random_state": 0}
    early = DEC(tol=0.5, update_interval=8, **options).fit(digits.x)  # 8 steps are an epoch
    assert len(early.history_) == 1 and early.history_["changed"][0] <= 0.5
    assert len(DEC(tol=0.5, update_interval=20, **options).fit(digits.x).history_) == 3  # after 24 steps
    assert len(DEC(tol=0.0, **options).fit(digits.x).history_) == 30


def test_the_target_is_renewed_inside_the_epoch(digits, autoencoder):
    often, seldom = (
        DEC(autoencoder=autoencoder, epochs=2, update_interval=n, tol=0, random_state=0).fit(digits.x)
        for n in (1, 1000)
    )
    assert not np.array_equal(often.cluster_centers_, seldom.cluster_centers_)


# --- starts -----------------------------------------------------------------------------------------------------------


def unequal_line():
    """Three groups on a line, the middle one far from the others; k-means with luck finds them."""
    generator = torch.Generator().manual_seed(0)
    parts = [
        torch.randn(n, 2, generator=generator) * s + m
        for n, s, m in ((300, 1.0, 0.0), (300, 0.2, 6.0), (300, 0.2, 7.0))
    ]
    return torch.cat(parts), np.repeat([0, 1, 2], 300)


def test_the_balanced_start_forgets_a_bad_start():
    """All three centers begin in one group; Lloyd's algorithm cuts that group, the balanced k-means finds the three."""
    z, y = unequal_line()
    bad = z[:3]
    balanced, _ = balanced_kmeans(z, bad)
    assert clustering_accuracy(y, assign(z, balanced)[0].numpy()) > 0.99


def test_the_balanced_start_has_equal_shares_and_a_loss_that_ranks():
    z, _ = unequal_line()
    centers, loss = balanced_kmeans(z, z[::300])
    shares = torch.bincount(assign(z, centers)[0], minlength=3) / len(z)
    assert shares.min() > 0.32
    own = float(assign(z, centers)[1].mean())
    assert loss == pytest.approx(own, rel=0.1)


@pytest.mark.parametrize("init", ["k-means", "balanced", "gmm"])
def test_starts_are_reproducible(init):
    z, _ = unequal_line()
    a, b = (start_centers(z, 3, init, 2, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(a, b) and a.dtype == torch.float32


def test_the_gmm_start_finds_clusters_of_unequal_size():
    """A group with three times as many samples: equal shares cut it, and EM mends that from the same start."""
    z = torch.randn(800, 2, generator=torch.Generator().manual_seed(0))
    z[600:] += torch.tensor([9.0, 0.0])
    for init, close in (("balanced", False), ("gmm", True)):
        right = float(start_centers(z, 2, init, 3, torch.Generator().manual_seed(0))[:, 0].max())
        assert (abs(right - 9) < 0.3) == close


@pytest.mark.filterwarnings("ignore:.*components have no samples")
@pytest.mark.parametrize("init", ["balanced", "gmm"])
def test_the_equal_starts_take_constant_and_few_data(init):
    assert torch.isfinite(start_centers(torch.zeros(5, 2), 3, init, 2, torch.Generator())).all()
    assert torch.isfinite(start_centers(torch.rand(4, 3), 3, init, 2, torch.Generator())).all()


# --- alarms -----------------------------------------------------------------------------------------------------------


def test_monitor_by_hand():
    monitor = Monitor(3)
    z = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0]])
    first = monitor(z, torch.tensor([0, 0, 1, 2]))
    assert first == {"changed": 1.0, "smallest_share": 0.25, "latent_variance": 5.0}
    assert monitor(z, torch.tensor([0, 1, 1, 1]))["changed"] == 0.5
    assert monitor(z, torch.tensor([0, 1, 1, 1]))["smallest_share"] == 0.0


def test_a_collapse_is_reported():
    """A network whose code hardly depends on its input: one cluster ends with nearly all samples."""
    x = np.vstack([np.random.default_rng(0).normal(0, 0.01, (400, 4)), np.full((4, 4), 50.0)])
    dull = Autoencoder(2, hidden=(4,), epochs=1, random_state=0).fit(x)
    with pytest.warns(ConvergenceWarning, match="DEC collapsed.*one cluster owns 99"):
        DEC(2, autoencoder=dull, epochs=1, random_state=0).fit(x)


# --- bad input --------------------------------------------------------------------------------------------------------


def test_so_few_steps_that_nothing_moves_are_reported(autoencoder, digits):
    with pytest.warns(ConvergenceWarning, match="takes 8 steps in all"):
        DEC(autoencoder=autoencoder, epochs=1, n_init=1, random_state=0).fit(digits.x)


def test_the_default_autoencoder_has_the_augmentation_and_batches_of_dec():
    model = DEC(augment=True, batch_size=32, callbacks=[Progress()])
    model.image_shape_, model.n_features_in_, model.magnitude_ = (1, 8, 8), 64, 1.0
    seen = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Autoencoder, "fit", lambda self, x: seen.update(self.get_params()) or self)
        model._start_autoencoder(np.zeros((5, 1, 8, 8)), 3)
    assert seen["augment"] is True and seen["random_state"] == 3 and seen["batch_size"] == 32
    assert [type(callback) for callback in seen["callbacks"]] == [Progress]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clusters": 0}, "n_clusters=0"),
        ({"n_clusters": 2000}, "n_clusters=2000, but X has n_samples=1797"),
        ({"alpha": 0}, "alpha=0"),
        ({"reconstruction_weight": -1}, "reconstruction_weight=-1"),
        ({"update_interval": 0}, "update_interval=0"),
        ({"tol": 1.5}, "tol=1.5"),
        ({"init": "random"}, "init='random' is not known"),
        ({"n_init": 0}, "n_init=0"),
        ({"augment": 1.5}, "augment=1.5"),
        ({"epochs": 0}, "epochs=0"),
        ({"learning_rate": -1e-3}, "learning_rate"),
        ({"autoencoder": "ae.pt"}, "autoencoder must be a dclib Autoencoder or None, not str"),
        ({"device": "cuda:99"}, "device='cuda:99'"),
    ],
)
def test_bad_parameters_are_named(digits, autoencoder, parameters, message):
    with pytest.raises(ValueError, match=message):
        DEC(**{"autoencoder": autoencoder, **parameters}).fit(digits.x)


def test_an_autoencoder_of_another_shape_is_named(autoencoder):
    with pytest.raises(ValueError, match=r"fitted on samples of shape \(1, 8, 8\), but X holds .*\(5,\)"):
        DEC(autoencoder=autoencoder).fit(np.random.default_rng(0).random((50, 5)))
