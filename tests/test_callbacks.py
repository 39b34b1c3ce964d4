"""Callbacks: what they see and show, when they stop; checkpoints that belong to another training or are damaged."""

import functools
import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from interruption import SMALL, StopAfter, weights
from sklearn.base import clone

from dclib.augmentation import RandomShiftRotate
from dclib.autoencoder import Autoencoder
from dclib.data import load
from dclib.dec import DEC
from dclib.engine.callbacks import Checkpoint, EarlyStopping, Evaluate, History, Progress, Run, Scores
from dclib.gradient_kmeans import GradientKMeans
from dclib.metrics import clustering_accuracy
from dclib.self_labelling import SelfLabelling


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


def test_a_fitted_estimator_with_scores_can_be_pickled_and_a_clone_shares_their_data(images):
    scores = Scores(images, load("digits").y[:300])
    model = GradientKMeans(10, epochs=2, callbacks=[scores], random_state=0).fit(images)
    again = pickle.loads(pickle.dumps(model))
    assert again.fit(images).history_["acc"] == model.history_["acc"]
    (copied,) = clone(model).get_params()["callbacks"]
    assert copied.X is images


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


class Falling:
    """A history whose `column` falls, or not, every so many epochs, as `EarlyStopping` sees it."""

    def __init__(self, values, every=1, column="mine"):
        self.rows = [{"epoch": e, "loss": 1.0} for e in range(1, every * len(values) + 1)]
        for row, value in zip(self.rows[every - 1 :: every], values, strict=True):
            row[column] = value

    def stops_at(self, callback):
        """The epoch after which it ends training, or None."""
        for epoch in range(1, len(self.rows) + 1):
            history = History(self.rows[:epoch])
            run = Run(None, None, {}, None, len(self.rows), 0, epoch=epoch, history=history)
            callback.on_epoch_end(run)
            if run.stop:
                return epoch
        return None


def test_early_stopping_counts_the_epochs_that_have_the_column():
    stop = EarlyStopping("mine", patience=3)
    assert Falling([5, 4, 3, 3, 3, 3, 3], every=2).stops_at(stop) == 12
    assert Falling([5, 4, 3, 2, 1], every=3).stops_at(stop) is None
    assert Falling([np.nan, 5, 4, 3, 2, 1, 0.5]).stops_at(stop) is None  # a start without a loss, then better ones
    assert Falling([np.nan] * 5).stops_at(stop) == 3
    with pytest.raises(ValueError, match=r"monitor='mime'\): the history has the columns epoch, loss, mine\.$"):
        Falling([5, 4, 3, 3]).stops_at(EarlyStopping("mime", patience=3))
    seen = Falling([5, 4, 3, 3])
    seen.rows[2:] = []  # epochs 1 and 2 of four
    assert seen.stops_at(EarlyStopping("mine", patience=3)) is None


@pytest.mark.parametrize("bad", [{"patience": 0}, {"patience": 1.5}, {"min_delta": -0.1}, {"min_delta": np.nan}])
def test_early_stopping_checks_its_numbers(bad):
    ((name, _),) = bad.items()
    with pytest.raises(ValueError, match=f"{name}=.* must be"):
        EarlyStopping(**bad)


def test_scores_that_cannot_be_leave_no_bar_open(images):
    """The bar begins first: it is ended, and the estimator can still be copied."""
    model = Autoencoder(**SMALL, callbacks=[Progress(), Scores(images, np.zeros(len(images)))])
    with pytest.raises(ValueError, match="Scores needs clusters"):
        model.fit(images)
    assert not hasattr(model.callbacks[0], "bar") and clone(model).epochs == 6


def identity(estimator):
    """The fingerprint of a training of it, as a dictionary."""
    data = SimpleNamespace(tensor=torch.zeros(3, 2))
    return json.loads(Checkpoint._identify(Run(estimator, None, {}, data, 1, 0)))


def test_the_fingerprint_of_ordinary_parameters_is_their_repr():
    """Of files on disk, too, which a change here would make worthless."""
    inner = DEC(4, autoencoder=Autoencoder(3, hidden=(16, 8), augment=RandomShiftRotate(0.5, 10)), tol=0, callbacks=[])
    for estimator in (
        Autoencoder(3, hidden=(16,), activation=("relu", "tanh"), noise=0.1, random_state=0),
        DEC(4, autoencoder=Autoencoder(3, random_state=np.int64(7)), init="gmm"),
        SelfLabelling(inner, share=0.5),
        GradientKMeans(3, init=[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]),
        GradientKMeans(3, init=np.eye(3, 2)),
    ):
        skipped = ("callbacks", "device", "autoencoder")
        params = estimator.get_params().items()
        want = {k: repr(v) for k, v in params if k == "clusterer__autoencoder" or k.split("__")[-1] not in skipped}
        want |= {"class": type(estimator).__name__, "data": "941e0c502c87478811f1b6a130227018"}
        found = identity(estimator)
        assert {k: v for k, v in found.items() if not k.startswith("the numbers of ")} == want


def test_the_fingerprint_has_no_addresses():
    """Two of each, as in two processes."""

    def estimator():
        def init(x, n_clusters, random_state):
            return x[:n_clusters]

        inner = Autoencoder(3, callbacks=[Progress()], random_state=np.random.RandomState(0))
        teacher = DEC(4, autoencoder=inner, callbacks=[Progress()], random_state=np.random.RandomState(0))
        ours = SelfLabelling(teacher, random_state=np.random.RandomState(0))
        return [ours, GradientKMeans(3, init=init), GradientKMeans(3, init=functools.partial(init, random_state=0))]

    for one, other in zip(estimator(), estimator(), strict=True):
        assert identity(one) == identity(other) and " at 0x" not in json.dumps(identity(one))
        callbacks = getattr(one, "clusterer", one).callbacks
        assert callbacks is None or len(callbacks) == 1  # left as it was
    assert identity(estimator()[1]) != identity(estimator()[2])


def test_the_fingerprint_tells_long_arrays_apart(images, tmp_path):
    """NumPy writes out only the ends of more than 1,000 entries, and eight digits."""
    long = np.zeros(2000, int)
    other = long.copy()
    other[1000] = 1
    assert repr(long) == repr(other)
    assert identity(GradientKMeans(3, init=long)) != identity(GradientKMeans(3, init=other))
    assert identity(GradientKMeans(3, init=long)) == identity(GradientKMeans(3, init=long.copy()))
    # A file from before the digests: its training goes on.
    options = {"init": images[:3].reshape(3, -1).astype(float), "epochs": 1, "tol": 0, "random_state": 0}
    path = tmp_path / "c"
    first = GradientKMeans(3, **options, callbacks=[Checkpoint(path)]).fit(images)
    saved = torch.load(path, weights_only=False)
    fingerprint = json.loads(saved["fingerprint"])
    del fingerprint["the numbers of init"]
    torch.save(saved | {"fingerprint": json.dumps(fingerprint)}, path)
    again = GradientKMeans(3, **options, callbacks=[Checkpoint(path), Evaluate(lambda e: 1 / 0)]).fit(images)
    assert np.array_equal(again.cluster_centers_, first.cluster_centers_)
    with pytest.raises(ValueError, match="it differs in init"):
        GradientKMeans(3, **options | {"init": "random"}, callbacks=[Checkpoint(path)]).fit(images)


def test_a_random_state_goes_on_from_a_checkpoint(images, tmp_path):
    def fit(*callbacks):
        return Autoencoder(**SMALL | {"random_state": np.random.RandomState(3)}, callbacks=callbacks).fit(images)

    with pytest.raises(KeyboardInterrupt):
        fit(StopAfter(2), Checkpoint(tmp_path / "c"))
    assert torch.equal(weights(fit(Checkpoint(tmp_path / "c"))), weights(fit()))


def test_history():
    history = History([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "acc": 0.5}])
    assert history["loss"] == [2.0, 1.0]
    assert np.isnan(history["acc"][0])
    assert history.to_frame().shape == (2, 3)
    with pytest.raises(KeyError, match="columns"):
        history["missing"]
    assert json.dumps(history.rows)
    assert repr(history) == "History(2 rows; last: epoch=2, loss=1, acc=0.5)"  # of epochs or starts
