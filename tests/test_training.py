"""The training loop: going on after kill -9, a loss that is not finite, and in which precision it computes."""

import importlib
import inspect
import multiprocessing
import signal
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from interruption import SMALL, StopAfter, weights

import dclib
from dclib.autoencoder import Autoencoder
from dclib.data import load
from dclib.dec import DEC
from dclib.engine.callbacks import Callback, Checkpoint, Evaluate
from dclib.engine.saving import SavedEstimator
from dclib.engine.training import Batch


@pytest.fixture(scope="module")
def images():
    return load("digits").x[:300]


def test_each_epoch_has_all_rows_in_an_order_and_with_random_numbers_of_its_own(images, monkeypatch):
    rows, noise, original = [], [], Batch.randn

    def randn(self, *shape):
        rows.append(self.rows)
        noise.append(original(self, *shape))
        return noise[-1]

    monkeypatch.setattr(Batch, "randn", randn)
    Autoencoder(**SMALL | {"epochs": 3}, noise=0.1).fit(images)
    orders, noise = torch.cat(rows).reshape(3, -1), torch.cat(noise).reshape(3, -1)
    assert torch.equal(orders.sort(1).values, torch.arange(len(images)).repeat(3, 1))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert (orders[i] == orders[j]).float().mean() < 0.1
        assert torch.corrcoef(torch.stack([noise[i], noise[j]]))[0, 1].abs() < 0.05


@pytest.mark.parametrize("parameters", [{}, {"augment": True}, {"noise": 0.3}], ids=str)
def test_an_interrupted_autoencoder_ends_with_the_same_weights(images, tmp_path, parameters):
    path = tmp_path / "ae.ckpt"
    whole = Autoencoder(**SMALL, **parameters).fit(images)
    with pytest.raises(KeyboardInterrupt):
        Autoencoder(**SMALL, **parameters, callbacks=[StopAfter(2), Checkpoint(path)]).fit(images)
    seen = []
    resumed = Autoencoder(
        **SMALL, **parameters, callbacks=[Evaluate(lambda e: seen.append(len(e.history_)) or {}), Checkpoint(path)]
    ).fit(images)
    assert seen == [3, 4, 5, 6]
    assert torch.equal(weights(whole), weights(resumed))
    assert whole.history_.rows == resumed.history_.rows
    assert [p.name for p in tmp_path.iterdir()] == ["ae.ckpt"]


@pytest.mark.parametrize("parameters", [{}, {"reconstruction_weight": 1.0}, {"augment": True}], ids=str)
def test_an_interrupted_dec_ends_with_the_same_weights_centers_and_labels(images, tmp_path, parameters):
    autoencoder = Autoencoder(**SMALL).fit(images)
    options = {
        "n_clusters": 4, "autoencoder": autoencoder, "epochs": 6, "batch_size": 64, "update_interval": 2, "tol": 0,
        "random_state": 0, **parameters,
    }  # fmt: skip
    whole = DEC(**options).fit(images)
    with pytest.raises(KeyboardInterrupt):
        DEC(**options, callbacks=[StopAfter(3), Checkpoint(tmp_path / "c")]).fit(images)
    resumed = DEC(**options, callbacks=[Checkpoint(tmp_path / "c")]).fit(images)
    assert torch.equal(weights(whole), weights(resumed))
    assert np.array_equal(whole.cluster_centers_, resumed.cluster_centers_)
    assert np.array_equal(whole.labels_, resumed.labels_)
    assert whole.history_.rows == resumed.history_.rows


def train_and_save(directory, waits, module, name):
    """What a process does that may be killed: each epoch leaves a file; if it `waits`, the third one is long."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")

    def slow(estimator):
        epoch = len(estimator.history_)
        (directory / f"epoch{epoch}").touch()
        if waits and epoch == 3:
            time.sleep(120)
        return {}

    x = load("digits").x[:300]
    options = {"epochs": 6, "batch_size": 64, "random_state": 0}
    method = getattr(importlib.import_module(module), name)
    if method is Autoencoder:
        options |= {"latent_dim": 3, "hidden": (16,)}
    elif "autoencoder" in method._get_param_names():
        options |= {"n_clusters": 4, "autoencoder": Autoencoder(3, hidden=(16,), **options).fit(x)}
    if "tol" in method._get_param_names():
        options["tol"] = 0  # all six epochs
    model = method(**options)
    model.set_params(callbacks=[Evaluate(slow), Checkpoint(directory / "training.ckpt")]).fit(x)
    model.save(directory / "model.safetensors")


def trained_by_epochs():
    """Every estimator of the library that trains in epochs, as (module, name)."""
    found = []
    for file in sorted(Path(dclib.__path__[0]).glob("[a-z]*.py")):
        module = importlib.import_module(f"dclib.{file.stem}")
        for name, cls in vars(module).items():
            if inspect.isclass(cls) and issubclass(cls, SavedEstimator) and cls.__module__ == module.__name__:
                if "epochs" in cls._get_param_names():
                    found.append((module.__name__, name))
    return found


@pytest.fixture(scope="module")
def processes():
    """Fresh processes that have imported everything already."""
    context = multiprocessing.get_context("forkserver")
    mine = sorted({module for module, _ in trained_by_epochs()})
    context.set_forkserver_preload(["pytest", "torch", "lightning_fabric", "sklearn.cluster", "dclib.data", *mine])
    return context


@pytest.mark.parametrize(("module", "name"), trained_by_epochs(), ids=lambda value: value.rpartition(".")[2])
def test_killed_minus_nine_in_the_middle_of_an_epoch(module, name, tmp_path, processes):
    """A real process, killed between two checkpoints; then the same command again ends where it would have ended."""
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    broken.mkdir()
    whole.mkdir()
    process = processes.Process(target=train_and_save, args=(broken, True, module, name))
    process.start()
    end = time.monotonic() + 120
    while not (broken / "epoch3").exists():
        assert process.is_alive() and time.monotonic() < end
        time.sleep(0.02)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (broken / "model.safetensors").exists()
    for epoch in (1, 2, 3):
        (broken / f"epoch{epoch}").unlink()
    for directory in (broken, whole):
        process = processes.Process(target=train_and_save, args=(directory, False, module, name))
        process.start()
        process.join()
        assert process.exitcode == 0
    assert not (broken / "epoch1").exists()  # it did not start from the beginning
    method = getattr(importlib.import_module(module), name)
    resumed, expected = (method.load(directory / "model.safetensors") for directory in (broken, whole))
    x = load("digits").x[:300]
    answer = "transform" if hasattr(method, "transform") else "predict_proba"
    assert np.array_equal(getattr(resumed, answer)(x), getattr(expected, answer)(x))
    assert resumed.history_.rows == expected.history_.rows and len(resumed.history_) == 6
    if hasattr(resumed, "predict"):
        assert np.array_equal(resumed.labels_, expected.labels_)


def test_a_loss_that_is_not_finite_names_the_epoch_and_leaves_the_estimator_as_it_was(images):
    model = Autoencoder(**SMALL).fit(images)
    before, rows = weights(model), list(model.history_.rows)
    with pytest.raises(FloatingPointError, match=r"not finite in epoch \d.*learning_rate"):
        model.set_params(learning_rate=1e30).fit(images)
    assert torch.equal(weights(model), before)
    assert model.history_.rows == rows and len(rows) == SMALL["epochs"]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_losses_centers_and_results_are_float32_in_any_precision(images, precision):
    autoencoder = Autoencoder(**SMALL, precision=precision).fit(images)
    model = DEC(4, autoencoder=autoencoder, epochs=2, precision=precision, random_state=0).fit(images)
    assert model.cluster_centers_.dtype == model.transform(images).dtype == np.float32
    assert all(p.dtype == torch.float32 for p in model.autoencoder_.network_.parameters())


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_bf16_reaches_every_product_of_the_networks(images, weight, monkeypatch):
    """In mixed precision all linear layers, in the steps and in the passes over all rows, compute in bfloat16."""
    autoencoder = Autoencoder(**SMALL, precision="32-true").fit(images)
    seen = []
    linear = torch.nn.functional.linear

    def spy(*args, **kwargs):
        result = linear(*args, **kwargs)
        seen.append(result.dtype)
        return result

    def stop(run):
        monkeypatch.setattr(torch.nn.functional, "linear", linear)  # what follows training is in float32

    callback = Callback()
    callback.on_fit_start = lambda run: monkeypatch.setattr(torch.nn.functional, "linear", spy)
    callback.on_fit_end = stop
    options = {"epochs": 1, "reconstruction_weight": weight, "random_state": 0, "callbacks": [callback]}
    DEC(4, autoencoder=autoencoder, precision="bf16-mixed", **options).fit(images)
    assert seen and set(seen) == {torch.bfloat16}
    seen.clear()
    Autoencoder(**SMALL, precision="bf16-mixed", callbacks=[callback]).fit(images)
    assert seen and set(seen) == {torch.bfloat16}


def test_training_is_silent_by_default(images, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Autoencoder(**SMALL | {"epochs": 10}).fit(images)
    assert capfd.readouterr() == ("", "")
