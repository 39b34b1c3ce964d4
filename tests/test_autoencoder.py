"""What the autoencoder learns, against PCA and by hand; the scale of its loss; bad input."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

from dclib.augmentation import RandomShiftRotate
from dclib.autoencoder import Autoencoder, augmenter, reconstruction_loss
from dclib.data import load
from dclib.engine.callbacks import Progress, Scores
from dclib.metrics import psnr

ROOT = Path(__file__).resolve().parents[1]
SMALL = {"latent_dim": 3, "hidden": (16,), "epochs": 3, "batch_size": 64, "random_state": 0}
WIDER = {"latent_dim": 10, "hidden": (128, 64), "precision": "32-true", "random_state": 0}


@pytest.fixture(scope="module")
def images():
    return load("digits").x[:500]


def test_the_loss_by_hand_is_a_mean_over_features_and_batch():
    target, reconstruction = torch.zeros(2, 3), torch.tensor([[1.0, 0, 0], [0, 0, 2]])
    assert reconstruction_loss(reconstruction, target) == pytest.approx(5 / 6)
    wider = reconstruction_loss(reconstruction.repeat(1, 4), target.repeat(1, 4))
    longer = reconstruction_loss(reconstruction.repeat(4, 1), target.repeat(4, 1))
    assert wider == longer == reconstruction_loss(reconstruction, target)


def test_the_loss_where_a_mask_marks_is_the_mean_over_what_it_marks():
    target, reconstruction = torch.zeros(2, 2, 1, 2), torch.tensor([[[[1.0, 2]], [[3, 4]]], [[[5, 6]], [[7, 8]]]])
    where = torch.tensor([[[[True, False]]], [[[True, True]]]])
    assert reconstruction_loss(reconstruction, target, where) == pytest.approx((1 + 9 + 25 + 36 + 49 + 64) / 6)


def test_the_loss_gradient():
    x = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r: reconstruction_loss(r, torch.ones(4, 3, dtype=torch.float64)), x)


def test_a_linear_autoencoder_reconstructs_as_well_as_pca(images):
    x = images.reshape(len(images), -1)
    x = x - x.mean(0)
    linear = Autoencoder(
        5, hidden=(), epochs=400, batch_size=100, learning_rate=1e-2, precision="32-true", random_state=0
    )
    error = -linear.fit(x).score_samples(x).mean()
    pca = PCA(5).fit(x)
    best = np.square(pca.inverse_transform(pca.transform(x)) - x).mean()
    assert best <= error * (1 + 1e-5)
    assert error < 1.02 * best


@pytest.mark.parametrize("network", ["dense", "conv"])
def test_training_lowers_the_error_on_images_it_never_saw(images, network):
    train, test = images[:400], images[400:]
    options = {"network": network, "batch_size": 32, "precision": "32-true", "random_state": 0}
    short, long = (-Autoencoder(8, epochs=n, **options).fit(train).score_samples(test).mean() for n in (1, 30))
    mean_image = np.square(test - train.mean(0)).mean()
    assert long < 0.6 * mean_image
    assert long < short


def test_denoising_removes_noise_that_the_vanilla_autoencoder_keeps(images):
    noisy = images + 0.4 * np.random.default_rng(0).standard_normal(images.shape).astype(np.float32)
    options = {**WIDER, "epochs": 100, "batch_size": 50}
    vanilla, denoising = (
        psnr(Autoencoder(noise=noise, **options).fit(images).reconstruct(noisy), images) for noise in (0.0, 0.4)
    )
    assert denoising > vanilla + 1
    assert denoising > psnr(noisy, images) + 5


def test_augmentation_teaches_shifted_images(images):
    shifted = np.roll(images, 1, axis=3)
    options = {**WIDER, "epochs": 60, "batch_size": 50}
    plain, augmented = (
        -Autoencoder(augment=augment, **options).fit(images).score_samples(shifted).mean()
        for augment in (False, RandomShiftRotate(1.5, 5))
    )
    assert augmented < 0.8 * plain


def test_shapes_in_and_out(images):
    model = Autoencoder(**SMALL).fit(images)
    assert model.transform(images).shape == (500, 3)
    assert model.reconstruct(images[:7]).shape == (7, 1, 8, 8)
    assert model.score_samples(images).shape == (500,)
    assert list(model.get_feature_names_out()) == ["autoencoder0", "autoencoder1", "autoencoder2"]
    rows = Autoencoder(**SMALL).fit(images.reshape(500, -1))
    assert rows.inverse_transform(np.zeros((2, 3))).shape == (2, 64)


def test_transform_is_the_encoder_in_float32(images):
    model = Autoencoder(**SMALL).fit(images)
    with torch.no_grad():
        z, reconstruction = model.network_(torch.from_numpy(images))
    np.testing.assert_allclose(model.transform(images), z, atol=1e-5)
    np.testing.assert_allclose(model.reconstruct(images), reconstruction, atol=1e-5)


def test_a_network_given_is_copied(images):
    from dclib.networks import ConvAutoencoder

    given = ConvAutoencoder((1, 8, 8), 4)
    before = [p.clone() for p in given.parameters()]
    model = Autoencoder(4, network=given, epochs=1, random_state=0).fit(images)
    assert all(torch.equal(a, b) for a, b in zip(before, given.parameters()))
    assert model.transform(images).shape == (500, 4)


def test_a_network_given_must_have_codes_of_latent_dim(images):
    """Said before training, by the code of one sample; the look itself leaves no trace."""
    from dclib.networks import BatchNormAutoencoder

    seen = []

    class Spy(BatchNormAutoencoder):
        def encode(self, x):
            seen.append((len(x), self.training, torch.is_grad_enabled()))
            torch.rand(1)  # as dropout of one's own would
            return super().encode(x)

    given = Spy((1, 8, 8), 4, hidden=(3, 5))
    with pytest.raises(ValueError, match=r"latent_dim=10, but the network of your own makes a code of shape \(4,\)"):
        Autoencoder(10, network=given, epochs=1).fit(images)
    assert seen == [(1, False, False)]
    model, state = Autoencoder(4, network=given, random_state=0), torch.get_rng_state()
    model._initialize(images)
    assert len(seen) == 2 and torch.equal(state, torch.get_rng_state())
    assert model.network_.training and all(
        torch.equal(a, b) for a, b in zip(given.state_dict().values(), model.network_.state_dict().values())
    )


@pytest.mark.parametrize(
    ("parameters", "flat", "message"),
    [
        ({"latent_dim": 0}, False, "latent_dim=0"),
        ({"noise": -0.1}, False, "noise=-0.1"),
        ({"epochs": 0}, False, "epochs=0"),
        ({"epochs": 1.5}, False, "epochs=1.5 must be an integer"),
        ({"batch_size": 0}, False, "batch_size=0"),
        ({"learning_rate": 0}, False, "learning_rate=0"),
        ({"hidden": 64}, False, "hidden=64 must be a tuple"),
        ({"hidden": (0,)}, False, r"hidden=\(0,\) must be"),
        ({"callbacks": Progress()}, False, "must be a list of callbacks"),
        ({"callbacks": [Progress]}, False, "must be a list of callbacks"),
        ({"callbacks": [Scores(np.zeros((2, 1)), [0, 1])]}, False, "use Evaluate"),
        ({"network": "transformer"}, False, "network='transformer' is not known"),
        ({"activation": "swoosh"}, False, "activation='swoosh' is not known"),
        ({"augment": "yes"}, False, "augment='yes' must be"),
        ({"augment": True}, True, "pass X as"),
        ({"network": "conv", "hidden": None}, True, "takes images"),
        ({"device": "gpu"}, False, "device='gpu'"),
        ({"precision": "half"}, False, "precision='half'"),
    ],
)
def test_bad_parameters_are_named(images, parameters, flat, message):
    with pytest.raises(ValueError, match=message):
        Autoencoder(**{**SMALL, **parameters}).fit(images.reshape(500, -1) if flat else images)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((20, 4), np.nan), "NaN"),
        (np.full((20, 4), np.inf), "infinity"),
        (np.zeros((0, 4)), "0 sample"),
        (np.zeros((20, 8, 8)), "X has 3 axes"),
        (np.zeros((20, 8, 8, 1)), r"channels last.*X.transpose\(0, 3, 1, 2\)"),
        (load("digits"), "pass its samples, data.x"),
        (np.array([["a", "b"]] * 5), "X holds text, 'a'|dtype|numeric"),
    ],
)
def test_bad_data_is_named(x, message):
    with pytest.raises(ValueError, match=message):
        Autoencoder(**SMALL).fit(x)


def test_unscaled_data_are_warned_of(images):
    with pytest.warns(UserWarning, match="standard deviation of .* scale images"):
        Autoencoder(**SMALL).fit(images * 255)


def test_so_few_steps_that_nothing_is_learned_are_reported(images):
    with pytest.warns(ConvergenceWarning, match="Autoencoder takes 6 steps in all"):
        Autoencoder(**SMALL | {"epochs": 3, "batch_size": 256}).fit(images[:500])


def test_true_shifts_by_a_share_of_the_image():
    assert augmenter(True, (1, 28, 28)) == RandomShiftRotate(2, 10)
    assert augmenter(True, (3, 14, 21)) == RandomShiftRotate(1, 10)


def test_codes_of_the_wrong_width_are_refused(images):
    with pytest.raises(ValueError, match=r"give codes of shape \(n, 3\)"):
        Autoencoder(**SMALL).fit(images).inverse_transform(np.zeros((2, 4)))


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit of a process is Linux's RLIMIT_DATA")
def test_it_fits_a_memmap_larger_than_the_memory_it_may_take(tmp_path):
    """The limit counts what the process allocates, not what it maps from the file, which is twice as large."""
    n, d = 200_000, 256
    x = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(n, d))
    for start in range(0, n, 10_000):
        x[start : start + 10_000] = np.random.default_rng(start).random((10_000, 1), dtype=np.float32)
    x.flush()
    script = r"""
import re, resource, sys
import numpy as np
from dclib.autoencoder import Autoencoder

x = np.memmap(sys.argv[1], dtype=np.float32, mode="r", shape=(200_000, 256))
model = Autoencoder(2, hidden=(8,), epochs=1, batch_size=1024, random_state=0).fit(x[:5000])  # all that is imported
used = 1024 * int(re.search(r"VmData:\s*(\d+)", open("/proc/self/status").read())[1])
resource.setrlimit(resource.RLIMIT_DATA, (used + x.nbytes // 2,) * 2)
z = model.fit(x).transform(x)
assert z.shape == (200_000, 2)
print(model.history_["loss"])
try:
    x + 1
except MemoryError:
    print("and a copy of x does not fit")
"""
    run = subprocess.run([sys.executable, "-c", script, tmp_path / "x"], text=True, capture_output=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert "and a copy of x does not fit" in run.stdout


def test_score_is_higher_for_what_it_has_learned(images):
    model = Autoencoder(5, hidden=(50,), epochs=10, batch_size=32, learning_rate=0.01, random_state=0).fit(images)
    assert model.score(images) == pytest.approx(model.score_samples(images).mean())
    assert model.score(images) > model.score(1 - images)
