"""What estimators without epochs show of their starts: progress, scores, an early end; what an interruption leaves."""

import copy
import functools

import numpy as np
import pytest
import torch
import tqdm.auto

from dclib.balanced_kmeans import BalancedKMeans
from dclib.data import load
from dclib.engine.callbacks import Callback, Checkpoint, EarlyStopping, Evaluate, Progress, Scores
from dclib.engine.starts import best_start
from dclib.gmm import GaussianMixture
from dclib.kmeans import KMeans

DIGITS = load("digits")
X, Y = DIGITS.x.reshape(1797, -1)[:600], DIGITS.y[:600]
ESTIMATORS = {
    "KMeans": KMeans(5, init="random", n_init=6, random_state=0),
    "BalancedKMeans": BalancedKMeans(5, n_init=6, random_state=0),
    "GaussianMixture": GaussianMixture(
        5, covariance_type="diag", init="random", reg_covar=1e-2, n_init=6, random_state=0
    ),
}


def make(name, **parameters):
    return copy.deepcopy(ESTIMATORS[name]).set_params(**parameters)


class Watch(Callback):
    """Keeps what it is shown."""

    def __init__(self):
        self.iterations, self.labels = [], []

    def on_iteration(self, run, report):
        self.iterations.append((run.epoch, report["iteration"], report["loss"]))

    def on_epoch_end(self, run):
        self.labels.append(run.estimator.predict(X))


@pytest.mark.parametrize("name", ESTIMATORS)
class TestStarts:
    def test_a_bar_counts_the_starts_and_shows_the_iterations(self, name, capsys):
        make(name, callbacks=[Progress()]).fit(X)
        shown = capsys.readouterr().err
        assert f"{name}: 100%" in shown and "6/6" in shown and "start" in shown and "loss=" in shown
        make(name).fit(X)
        assert not capsys.readouterr().err

    def test_one_start_shows_its_iterations(self, name, capsys, monkeypatch):
        monkeypatch.setattr(tqdm.auto, "tqdm", functools.partial(tqdm.auto.tqdm, mininterval=0))
        make(name, n_init=1, callbacks=[Progress()]).fit(X)
        assert "iteration=2" in capsys.readouterr().err

    def test_history_has_a_row_a_start_and_the_best_is_kept(self, name):
        watch = Watch()
        model = make(name, callbacks=[watch]).fit(X)
        plain = make(name).fit(X)
        assert np.array_equal(model.labels_, plain.labels_) and model.history_.rows == plain.history_.rows
        history = model.history_
        assert history["start"] == [1, 2, 3, 4, 5, 6] and len(set(history["loss"])) > 1
        loss = -model.lower_bound_ if name == "GaussianMixture" else model.inertia_
        assert loss == pytest.approx(min(history["loss"]), rel=1e-5)
        best = int(np.argmin(history["loss"]))
        assert history["iterations"][best] == model.n_iter_
        for start in range(1, 7):
            assert [i for s, i, _ in watch.iterations if s == start] == list(
                range(1, int(history["iterations"][start - 1]) + 1)
            )
        # Each start's own clustering is there when the callbacks are called.
        assert np.array_equal(watch.labels[best], model.labels_)
        assert any(not np.array_equal(labels, model.labels_) for labels in watch.labels)

    def test_scores_of_each_start(self, name):
        model = make(name, callbacks=[Progress(), Scores(X, Y)]).fit(X)
        assert len(model.history_["acc"]) == 6 and len(set(model.history_["acc"])) > 1

    def test_an_early_end(self, name):
        model = make(name, n_init=50, callbacks=[EarlyStopping(patience=3, min_delta=0)]).fit(X)
        losses = model.history_["loss"]
        assert len(losses) < 50 and min(losses[:-3]) <= min(losses[-3:])

    def test_an_interruption_leaves_the_best_so_far(self, name):
        def stop(estimator):
            if len(estimator.history_) == 4:
                raise KeyboardInterrupt
            return {}

        model = make(name, callbacks=[Evaluate(stop)])
        with pytest.raises(KeyboardInterrupt):
            model.fit(X)
        four = make(name, n_init=4).fit(X)
        assert np.array_equal(model.predict(X), four.labels_)

    def test_no_checkpoint(self, name, tmp_path):
        with pytest.raises(ValueError, match=f"{name} has no epochs"):
            make(name, callbacks=[Checkpoint(tmp_path / "c")]).fit(X)
        assert not list(tmp_path.iterdir())

    def test_an_init_of_ones_own(self, name):
        """Called for each start with the rows, k and a random state that `random_state` seeds."""
        seen = []

        def init(x, n_clusters, random_state):
            assert isinstance(random_state, np.random.RandomState)
            seen.append(x[random_state.choice(len(x), n_clusters, replace=False)])
            return seen[-1]

        model = make(name, init=init).fit(DIGITS.x[:600])
        assert len(seen) == 6 == len(model.history_) and seen[0].shape == (5, 64)
        assert all(any((row == x).all() for x in X) for row in seen[0])  # as they came, not centered
        assert len({start.tobytes() for start in seen}) == 6
        best = int(np.argmin(model.history_["loss"]))
        given = make(name, init=seen[best]).fit(X)
        assert np.array_equal(given.labels_, model.labels_)
        first = seen[0]
        make(name, init=init).fit(X)
        assert np.array_equal(first, seen[6])
        with pytest.raises(ValueError, match=r"init has shape \(4, 64\): give finite centers, \(k, d\) = \(5, 64\)"):
            make(name, init=lambda x, n_clusters, random_state: x[:4]).fit(X)

    @pytest.mark.parametrize(
        ("given", "kept"), [("uint8", "float32"), ("int16", "float32"), ("int32", "float64"), ("int64", "float64")]
    )
    def test_integers_keep_their_digits(self, name, given, kept):
        x = np.round(100 * X).astype(given)
        for form in (x, torch.from_numpy(x)):
            model = make(name, n_init=1).fit(form)
            assert (model.means_ if name == "GaussianMixture" else model.cluster_centers_).dtype == kept


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_start_without_a_finite_loss_gives_way_to_a_later_one(bad):
    losses = iter([bad, 3.0, 2.0, bad])
    estimator = KMeans(2)
    found = best_start(estimator, "abcd", 4, lambda start, report: (next(losses), start), lambda found: None)
    assert found == "c" and estimator.history_["loss"][1:3] == [3.0, 2.0]


def test_no_start_with_a_finite_loss_is_an_error_with_advice():
    with pytest.raises(FloatingPointError, match="KMeans: no start ended with a finite loss.*Scale X"):
        best_start(KMeans(2), "ab", 2, lambda start, report: (np.nan, start), lambda found: None)


def test_a_callback_that_refuses_the_start_ends_those_that_began():
    ended = []

    class First(Callback):
        def on_fit_end(self, run):
            ended.append(self)

    class Refuses(First):
        def on_fit_start(self, run):
            raise ValueError("not here")

    first, last = First(), First()
    with pytest.raises(ValueError, match="not here"):
        KMeans(2, callbacks=[first, Refuses(), last]).fit(X[:50])
    assert ended == [first]


def test_integers_that_float32_does_not_tell_apart():
    """2^24 and 2^24 + 1 are one number in float32."""
    x = np.repeat(2**24 + np.array([[0], [1], [5], [6]]), 5, axis=0)
    for estimator in (KMeans(4, random_state=0), BalancedKMeans(4, random_state=0)):
        assert sorted(estimator.fit(x).cluster_centers_[:, 0] - 2**24) == pytest.approx([0, 1, 5, 6])


def test_how_many_starts_auto_is():
    for init, n in (("k-means++", 1), ("random", 10), (lambda x, k, random_state: x[:k], 10), (X[:5], 1)):
        for cls in (KMeans, BalancedKMeans):
            assert len(cls(5, init=init, n_init="auto", random_state=0).fit(X[:100]).history_) == n
    with pytest.raises(ValueError, match="n_init='many' must be an integer"):
        KMeans(5, n_init="many").fit(X)
