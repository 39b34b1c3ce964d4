"""Who is surest by hand; what a new network makes of labels that are partly wrong, and how it fails."""

import numpy as np
import pytest
from sklearn.base import ClusterMixin, clone
from sklearn.cluster import DBSCAN
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture as SklearnMixture

from dclib.augmentation import RandomShiftRotate
from dclib.autoencoder import Autoencoder
from dclib.dec import DEC
from dclib.engine.callbacks import Callback, Checkpoint
from dclib.engine.saving import SavedEstimator
from dclib.gmm import GaussianMixture
from dclib.kmeans import KMeans
from dclib.latent import LatentClustering
from dclib.metrics import clustering_accuracy
from dclib.self_labelling import SelfLabelling, surest


class Teacher(ClusterMixin, SavedEstimator):
    """Says what it is told: probabilities (n, k) of the samples in their order."""

    def __init__(self, p):
        self.p, self.labels_ = p, p.argmax(1)

    def predict_proba(self, X):
        return self.p


def taught(y, confidence, k=10):
    """Labels (n,) with these confidences (n,) as a teacher."""
    p = np.repeat((1 - confidence)[:, None] / (k - 1), k, axis=1)
    p[np.arange(len(y)), y] = confidence
    return Teacher(p)


# --- the surest -------------------------------------------------------------------------------------------------------


def test_the_surest_of_each_cluster_by_hand():
    """Clusters 0 (rows 0, 1, 4), 1 (rows 2, 3) and 2 (none). Half of three is two, half of two is one."""
    p = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.3, 0.7, 0], [0.2, 0.8, 0], [0.7, 0.3, 0]])
    assert surest(p, 0.5).tolist() == [0, 3, 4]
    assert surest(p, 0.01).tolist() == [0, 3]  # never none
    assert surest(p, 1.0).tolist() == [0, 1, 2, 3, 4]


def test_of_each_cluster_not_of_all():
    p = np.array([[0.99, 0.01]] * 8 + [[0.4, 0.6]] * 8)
    assert np.bincount(p[surest(p, 0.5)].argmax(1)).tolist() == [4, 4]


# --- the method -------------------------------------------------------------------------------------------------------

OPTIONS = {"hidden": (64,), "epochs": 15, "batch_size": 64, "random_state": 0}


@pytest.fixture(scope="module")
def partly_wrong(digits):
    """True labels of which a tenth is wrong, and unsure, but for some."""
    rng = np.random.default_rng(0)
    wrong = rng.random(len(digits.y)) < 0.1
    labels = np.where(wrong, (digits.y + rng.integers(1, 10, len(digits.y))) % 10, digits.y)
    return labels, taught(
        labels, np.where(wrong & (rng.random(len(labels)) < 0.8), 0.3, 0.7) + 0.2 * rng.random(len(labels))
    )


def test_it_corrects_single_mistakes(digits, partly_wrong):
    labels, teacher = partly_wrong
    model = SelfLabelling(teacher, **OPTIONS).fit(digits.x)
    assert np.array_equal(model.start_labels_, labels) and clustering_accuracy(digits.y, labels) < 0.92
    assert clustering_accuracy(digits.y, model.labels_) > 0.97
    assert np.array_equal(model.labels_, model.predict(digits.x))
    assert len(model.sure_) < 0.87 * len(digits.x)
    assert np.mean(labels[model.sure_] == digits.y[model.sure_]) > 0.97 > np.mean(labels == digits.y)


def test_who_is_sure_decides_what_is_learned(digits, partly_wrong):
    """With the confidences turned around the mistakes are learned first, and the result is worse."""
    labels, teacher = partly_wrong
    other = taught(labels, 1.2 - teacher.p.max(1))
    good, bad = (SelfLabelling(t, share=0.15, **OPTIONS).fit(digits.x) for t in (teacher, other))
    assert clustering_accuracy(digits.y, good.labels_) > clustering_accuracy(digits.y, bad.labels_) + 0.1


def test_two_classes_in_one_cluster_stay_there(digits):
    """Its failure: what is wrong for a whole cluster is learned as well as anything else."""
    merged = np.where(digits.y == 9, 8, digits.y)
    model = SelfLabelling(taught(merged, np.full(len(merged), 0.9), k=9), **OPTIONS).fit(digits.x)
    assert clustering_accuracy(merged, model.labels_) > 0.95
    assert clustering_accuracy(digits.y, model.labels_) < 0.92


def test_an_overconfident_network_learns_the_mistakes_by_heart(digits, partly_wrong):
    """Its other failure: all samples, sharp labels, many epochs on few samples."""
    labels, teacher = partly_wrong
    wrong = labels != digits.y
    careful = SelfLabelling(teacher, **OPTIONS).fit(digits.x)
    sure = {"share": 1.0, "label_smoothing": 0.0, "hidden": (256, 256), "epochs": 40}
    by_heart = SelfLabelling(teacher, **OPTIONS | sure).fit(digits.x)
    again = [np.mean(model.labels_[wrong] == labels[wrong]) for model in (careful, by_heart)]
    assert again[0] < 0.2 and again[1] > again[0] + 0.15
    assert clustering_accuracy(digits.y, by_heart.labels_) < clustering_accuracy(digits.y, careful.labels_) - 0.005


def test_images_are_moved_and_convolved(digits):
    moves = RandomShiftRotate(0.5, 10, 0.1, 0.1)
    teacher = taught(digits.y, np.full(len(digits.y), 0.9))
    options = {"network": "conv", "hidden": (8, 16), "augment": moves, "epochs": 6, "batch_size": 64}
    model = SelfLabelling(teacher, **options, learning_rate=2e-2, random_state=0).fit(digits.x)
    assert clustering_accuracy(digits.y, model.labels_) > 0.9


def test_a_second_round(digits, partly_wrong):
    once = SelfLabelling(partly_wrong[1], **OPTIONS).fit(digits.x)
    before = once.predict_proba(digits.x)
    twice = SelfLabelling(once, share=0.95, **OPTIONS).fit(digits.x)
    assert np.array_equal(twice.start_labels_, once.labels_)
    assert twice.clusterer_ is once and np.array_equal(once.predict_proba(digits.x), before)
    assert clustering_accuracy(digits.y, twice.labels_) > 0.95


def test_a_fitted_teacher_is_taken_as_it_is_and_another_is_trained(digits):
    x = digits.x[:300]
    mixture = GaussianMixture(3, covariance_type="diag", reg_covar=1e-2, random_state=0)
    fresh = SelfLabelling(mixture, **OPTIONS).fit(x)
    assert not hasattr(mixture, "labels_")
    fitted = SelfLabelling(mixture.fit(x), **OPTIONS).fit(x)
    assert fitted.clusterer_ is mixture and fresh.clusterer_ is not mixture
    assert np.array_equal(fresh.start_labels_, mixture.labels_) and np.array_equal(fresh.labels_, fitted.labels_)


@pytest.fixture(scope="module")
def groups():
    """Samples (100, 2) of two groups that any network tells apart, and their labels."""
    y = np.repeat([0, 1], 50)
    return np.random.default_rng(0).normal(6 * y[:, None] - 3, 1, (100, 2)), y


FAST = {"hidden": (16,), "epochs": 10, "batch_size": 10, "learning_rate": 0.02, "random_state": 0}


@pytest.mark.parametrize("teacher", [SklearnMixture(2, random_state=0), LogisticRegression()])
def test_a_fitted_teacher_of_scikit_learn_has_no_labels_and_is_taken_too(groups, teacher):
    x, y = groups
    teacher = clone(teacher).fit(x, y)
    model = SelfLabelling(teacher, **FAST).fit(x)
    assert model.clusterer_ is teacher and np.array_equal(model.start_labels_, teacher.predict_proba(x).argmax(1))


def test_a_training_on_few_sure_samples_is_short(groups):
    """100 samples would be 100 steps; ten are learned from, which is 10 steps."""
    x, y = groups
    teacher, options = taught(y, np.linspace(0.6, 0.9, 100), k=2), FAST | {"share": 0.1}
    with pytest.warns(ConvergenceWarning, match="SelfLabelling takes 10 steps in all"):
        SelfLabelling(teacher, **options).fit(x)

    class Slow(Teacher):
        def predict_proba(self, X):
            raise AssertionError("asked before the parameters were checked")

    with pytest.raises(ValueError, match="epochs=0 must be"):
        SelfLabelling(Slow(teacher.p), **options | {"epochs": 0}).fit(x)


def test_teachers_with_an_autoencoder(digits):
    autoencoder = Autoencoder(3, hidden=(16,), epochs=3, random_state=0).fit(digits.x)
    for teacher in (DEC(4, autoencoder=autoencoder, epochs=1), LatentClustering(autoencoder, GaussianMixture(4))):
        model = SelfLabelling(teacher.set_params(random_state=0).fit(digits.x), **OPTIONS).fit(digits.x)
        assert np.array_equal(model.start_labels_, teacher.predict_proba(digits.x).argmax(1))


def test_an_interrupted_training_goes_on_and_ends_the_same(digits, partly_wrong, tmp_path):
    options = OPTIONS | {"clusterer": partly_wrong[1], "epochs": 6}
    whole = SelfLabelling(**options).fit(digits.x)

    class Interrupt(Callback):
        def on_epoch_end(self, run):
            if run.epoch == 4:
                raise KeyboardInterrupt

    checkpoint = Checkpoint(tmp_path / "s.ckpt")
    with pytest.raises(KeyboardInterrupt):
        SelfLabelling(**options, callbacks=[Interrupt(), checkpoint]).fit(digits.x)
    again = SelfLabelling(**options, callbacks=[checkpoint]).fit(digits.x)
    assert np.array_equal(again.predict_proba(digits.x), whole.predict_proba(digits.x))
    assert again.history_["loss"] == whole.history_["loss"]


@pytest.mark.parametrize("clusterer", [KMeans(3), DBSCAN(), "DEC", DEC])
def test_a_teacher_has_to_say_how_sure_it_is(clusterer, digits):
    with pytest.raises(ValueError, match=r"does not say how sure it is.*DEC\(\)"):
        SelfLabelling(clusterer).fit(digits.x)


@pytest.mark.parametrize("options", [{"network": "foo"}, {"hidden": (0,)}, {"network": "conv"}])
def test_a_wrong_network_is_refused_before_a_teacher_is_trained(options, digits):
    class Teacher(DEC):
        def fit(self, X, y=None):
            pytest.fail("the teacher was trained")

    rows = digits.x.reshape(len(digits.x), -1)
    with pytest.raises(ValueError, match="network|hidden"):
        SelfLabelling(Teacher(), **options).fit(rows)


@pytest.mark.parametrize("share", [0, 1.1, -0.5, "all"])
def test_share(share, digits):
    with pytest.raises(ValueError, match=f"share={share!r} must be"):
        SelfLabelling(share=share).fit(digits.x)


def test_one_cluster_is_reported(digits):
    with pytest.warns(ConvergenceWarning, match="Only 1 of 10 clusters have samples"):
        SelfLabelling(taught(np.zeros(len(digits.y), int), np.full(len(digits.y), 0.9)), **OPTIONS).fit(digits.x)
