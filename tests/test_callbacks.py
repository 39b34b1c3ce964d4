"""Callbacks: what they see and show, when they stop; checkpoints that belong to another training or are damaged."""

import json
import pickle

import numpy as np
import pytest
import torch
from interruption import SMALL, weights
from sklearn.base import clone

from dclib.autoencoder import Autoencoder
from dclib.data import load
from dclib.dec import DEC
from dclib.engine.callbacks import Checkpoint, EarlyStopping, Evaluate, History, Progress, Scores
from dclib.metrics import clustering_accuracy


@pytest.fixture(scope="module")
def images():
    return load("digits").x[:300]


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
    assert watched.history_["acc"][-1] == pytest.approx(clustering_accuracy(y, watched.labels_))
    assert set(watched.history_.to_frame()) >= {"epoch", "loss", "acc", "nmi", "ari", "v_measure", "purity"}


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


def test_history():
    history = History([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "acc": 0.5}])
    assert history["loss"] == [2.0, 1.0]
    assert np.isnan(history["acc"][0])
    assert history.to_frame().shape == (2, 3)
    with pytest.raises(KeyError, match="columns"):
        history["missing"]
    assert json.dumps(history.rows)
