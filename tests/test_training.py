"""The training loop: resuming after kill -9, random numbers, callbacks, devices and precision."""

import importlib
import inspect
import json
import multiprocessing
import pickle
import signal
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from interruption import StopAfter
from sklearn.base import clone

import dclib
from dclib.autoencoder import Autoencoder
from dclib.data import load
from dclib.dec import DEC
from dclib.engine import device
from dclib.engine.callbacks import Callback, Checkpoint, EarlyStopping, Evaluate, History, Progress, Scores
from dclib.engine.device import epoch_generator, resolve_device, resolve_precision, seeded
from dclib.engine.rows import Rows
from dclib.engine.saving import SavedEstimator

SMALL = {"latent_dim": 3, "hidden": (16,), "epochs": 6, "batch_size": 64, "random_state": 0}


@pytest.fixture(scope="module")
def images():
    return load("digits").x[:300]


def weights(estimator):
    network = getattr(estimator, "autoencoder_", estimator).network_
    return torch.cat([p.detach().flatten() for p in network.parameters()])


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


def train_and_save(directory, seconds, module, name):
    """What a process does that may be killed: each epoch leaves a file and takes its time."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")

    def slow(estimator):
        (directory / f"epoch{len(estimator.history_)}").touch()
        time.sleep(seconds)
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
    """Every estimator of the library with callbacks, as (module, name)."""
    found = []
    for file in sorted(Path(dclib.__path__[0]).glob("[a-z]*.py")):
        module = importlib.import_module(f"dclib.{file.stem}")
        for name, cls in vars(module).items():
            if inspect.isclass(cls) and issubclass(cls, SavedEstimator) and cls.__module__ == module.__name__:
                if "callbacks" in cls._get_param_names():
                    found.append((module.__name__, name))
    return found


@pytest.fixture(scope="module")
def processes():
    """Fresh processes that have imported everything already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "lightning_fabric", "sklearn.cluster", "dclib.data", "dclib.dec"])
    return context


@pytest.mark.parametrize(("module", "name"), trained_by_epochs(), ids=lambda value: value.rpartition(".")[2])
def test_killed_minus_nine_in_the_middle_of_an_epoch(module, name, tmp_path, processes):
    """A real process, killed between two checkpoints; then the same command again ends where it would have ended."""
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    broken.mkdir()
    whole.mkdir()
    process = processes.Process(target=train_and_save, args=(broken, 0.5, module, name))
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
        process = processes.Process(target=train_and_save, args=(directory, 0, module, name))
        process.start()
        process.join()
        assert process.exitcode == 0
    assert not (broken / "epoch1").exists()  # it did not start from the beginning
    method = getattr(importlib.import_module(module), name)
    resumed, expected = (method.load(directory / "model.safetensors") for directory in (broken, whole))
    x = load("digits").x[:300]
    assert np.array_equal(resumed.transform(x), expected.transform(x))
    assert resumed.history_.rows == expected.history_.rows and len(resumed.history_) == 6
    if hasattr(resumed, "predict"):
        assert np.array_equal(resumed.labels_, expected.labels_)


def test_a_finished_training_is_loaded_not_repeated(images, tmp_path):
    first = Autoencoder(**SMALL, callbacks=[Checkpoint(tmp_path / "c")]).fit(images)

    def fail(estimator):
        raise AssertionError("an epoch was run again")

    again = Autoencoder(**SMALL, callbacks=[Evaluate(fail), Checkpoint(tmp_path / "c")]).fit(images)
    assert torch.equal(weights(first), weights(again))
    assert again.history_.rows == first.history_.rows


def test_a_checkpoint_of_another_training_is_refused_and_kept(images, tmp_path):
    path = tmp_path / "c"
    Autoencoder(**SMALL, callbacks=[Checkpoint(path)]).fit(images)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="belongs to another training .*learning_rate"):
        Autoencoder(**SMALL, learning_rate=5e-4, callbacks=[Checkpoint(path)]).fit(images)
    with pytest.raises(ValueError, match="belongs to a training of Autoencoder"):
        DEC(3, autoencoder=Autoencoder(**SMALL), callbacks=[Checkpoint(path)]).fit(images)
    with pytest.raises(ValueError, match="belongs to another training .*data"):
        Autoencoder(**SMALL, callbacks=[Checkpoint(path)]).fit(images[:200])
    assert path.read_bytes() == before


def test_a_checkpoint_from_another_autoencoder_is_refused(images, tmp_path):
    first, second = (Autoencoder(**SMALL).set_params(random_state=seed).fit(images) for seed in (0, 1))
    second.set_params(random_state=0)  # the same parameters, other weights
    options = {"n_clusters": 3, "epochs": 1, "random_state": 0, "callbacks": [Checkpoint(tmp_path / "c")]}
    DEC(autoencoder=first, **options).fit(images)
    with pytest.raises(ValueError, match="it differs in the weights of the autoencoder it starts from"):
        DEC(autoencoder=second, **options).fit(images)


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all"])
def test_a_damaged_checkpoint_is_named(images, tmp_path, content):
    (tmp_path / "c").write_bytes(content)
    with pytest.raises(ValueError, match="no checkpoint of dclib"):
        Autoencoder(**SMALL, callbacks=[Checkpoint(tmp_path / "c")]).fit(images)


def test_scores_do_not_change_the_training(images):
    y = load("digits").y[:300]
    autoencoder = Autoencoder(**SMALL).fit(images)
    options = {"n_clusters": 4, "autoencoder": autoencoder, "epochs": 2, "batch_size": 64, "random_state": 0}
    plain = DEC(**options).fit(images)
    watched = DEC(**options, callbacks=[Scores(images, y)]).fit(images)
    assert torch.equal(weights(plain), weights(watched))
    assert watched.history_["acc"][-1] == pytest.approx(_acc(y, watched.labels_))
    assert set(watched.history_.to_frame()) >= {"epoch", "loss", "acc", "nmi", "ari", "v_measure", "purity"}


def _acc(y, labels):
    from dclib.metrics import clustering_accuracy

    return clustering_accuracy(y, labels)


def test_evaluate_runs_every_so_often_and_at_the_end(images):
    seen = []
    model = Autoencoder(**SMALL, callbacks=[Evaluate(lambda e: seen.append(1) or {"mine": 1.5}, every=4)]).fit(images)
    assert len(seen) == 2  # epochs 4 and 6
    assert np.isnan(model.history_["mine"]).tolist() == [True, True, True, False, True, False]


def test_progress_shows_the_loss(images, capsys):
    Autoencoder(**SMALL, callbacks=[Progress()]).fit(images)
    shown = capsys.readouterr().err
    assert "6/6" in shown and "loss=" in shown


def test_a_fitted_estimator_with_a_progress_bar_can_be_cloned_and_pickled(images):
    model = Autoencoder(**SMALL, callbacks=[Progress()]).fit(images)
    assert clone(model).epochs == 6
    assert np.array_equal(pickle.loads(pickle.dumps(model)).transform(images), model.transform(images))


def test_the_bar_shows_scores_in_whatever_order_the_callbacks_are(images, capsys):
    callbacks = [Progress(), Evaluate(lambda e: {"mine": 1.5})]
    Autoencoder(**SMALL, callbacks=callbacks).fit(images)
    assert "mine=1.5" in capsys.readouterr().err
    assert [type(c) for c in callbacks] == [Progress, Evaluate]  # the user's list stays as it is


@pytest.mark.parametrize("y", [[0, 1], np.zeros((3, 1)), np.zeros((3, 4, 4))])
def test_scores_need_one_label_a_sample(y):
    with pytest.raises(ValueError, match="one label a sample"):
        Scores(np.zeros((3, 4)), y)


def test_early_stopping_waits_for_patience(images):
    """With a threshold that no epoch meets, training ends after the first epoch plus `patience` more."""
    model = Autoencoder(**SMALL, callbacks=[EarlyStopping(patience=2, min_delta=0.99)]).fit(images)
    assert len(model.history_) == 3
    assert len(Autoencoder(**SMALL, callbacks=[EarlyStopping(patience=2, min_delta=0)]).fit(images).history_) == 6


def test_a_loss_that_is_not_finite_names_the_epoch_and_leaves_the_estimator_as_it_was(images):
    model = Autoencoder(**SMALL).fit(images)
    before, rows = weights(model), list(model.history_.rows)
    with pytest.raises(FloatingPointError, match=r"not finite in epoch \d.*learning_rate"):
        model.set_params(learning_rate=1e30).fit(images)
    assert torch.equal(weights(model), before)
    assert model.history_.rows == rows and len(rows) == SMALL["epochs"]


def test_history():
    history = History([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "acc": 0.5}])
    assert history["loss"] == [2.0, 1.0]
    assert np.isnan(history["acc"][0])
    assert history.to_frame().shape == (2, 3)
    with pytest.raises(KeyError, match="columns"):
        history["missing"]
    assert json.dumps(history.rows)


def test_epochs_have_their_own_random_numbers():
    cpu = torch.device("cpu")
    draws = [torch.rand(4, generator=epoch_generator(s, e, cpu)).tolist() for s in (0, 1) for e in (1, 2)]
    assert len({tuple(d) for d in draws}) == 4
    assert draws[0] == torch.rand(4, generator=epoch_generator(0, 1, cpu)).tolist()


def test_seeded_puts_the_global_generator_back():
    before = torch.get_rng_state()
    with seeded(3):
        a = torch.rand(2)
    assert torch.equal(before, torch.get_rng_state())
    with seeded(3):
        assert torch.equal(a, torch.rand(2))


def test_rows_hand_out_batches_without_copying_the_data_first():
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    rows = Rows(x, (1, 2, 1), torch.device("cpu"))
    assert rows[torch.tensor([4, 0])].tolist() == [[[[8], [9]]], [[[0], [1]]]]
    assert rows.tensor.data_ptr() == x.ctypes.data
    assert len(rows) == 6


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "tpu", 3.5, None])
def test_unknown_devices_are_named(device):
    with pytest.raises(ValueError, match="device="):
        resolve_device(device)


def test_precision(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(device, "cpu_bf16", lambda: "AMX")
    assert resolve_precision("auto", cpu) == "bf16-mixed"
    monkeypatch.setattr(device, "cpu_bf16", lambda: None)
    assert resolve_precision("auto", cpu) == "32-true"
    assert resolve_precision("bf16-mixed", cpu) == "bf16-mixed"
    with pytest.raises(ValueError, match="precision='half' is not known"):
        resolve_precision("half", cpu)


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
