from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, mutual_info_score, v_measure_score

from dclib.metrics import (
    adjusted_mutual_information,
    clustering_accuracy,
    contingency,
    match_labels,
    psnr,
    purity,
    rand_index,
    scores,
)

# Two classes of five, three clusters: by hand, cluster 0 holds 4 + 1, cluster 1 holds 1 + 2, cluster 2 holds 0 + 2.
Y = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
LABELS = np.array([0, 0, 0, 0, 1, 0, 1, 1, 2, 2])


def brute_force_accuracy(y, labels):
    """The best of all one-to-one matches, tried one by one; None pads the shorter side."""
    classes, clusters = list(np.unique(y)), list(np.unique(labels))
    classes += [None] * (len(clusters) - len(classes))
    return max(
        np.mean([dict(zip(clusters, order, strict=False))[label] == c for c, label in zip(y, labels, strict=True)])
        for order in permutations(classes, len(clusters))
    )


def test_contingency_counts_classes_by_clusters():
    table = contingency(Y, LABELS)
    assert table.tolist() == [[4, 1, 0], [1, 2, 2]]
    assert table.dtype.kind == "i"


def test_contingency_is_in_the_order_of_the_sorted_names():
    assert contingency(["b", "a", "b"], [7, -1, -1]).tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize(("n_classes", "n_clusters"), [(1, 1), (4, 4), (5, 5), (3, 5), (5, 3), (1, 4), (4, 1)])
@pytest.mark.parametrize("seed", range(5))
def test_accuracy_is_the_best_of_all_one_to_one_matches(n_classes, n_clusters, seed):
    rng = np.random.default_rng(seed)
    y, labels = rng.integers(n_classes, size=40), rng.integers(n_clusters, size=40)
    labels = np.where(rng.random(40) < 0.5, y % n_clusters, labels)  # half signal, half noise
    assert clustering_accuracy(y, labels) == pytest.approx(brute_force_accuracy(y, labels))


def test_accuracy_by_hand_leaves_the_third_cluster_without_a_class():
    # cluster 0 is class 0 (4 right); cluster 1 or 2 is class 1 (2 right), never both: 6 of 10. Many-to-one would say 8.
    assert clustering_accuracy(Y, LABELS) == pytest.approx(0.6)
    assert purity(Y, LABELS) == pytest.approx(0.8)


def test_accuracy_needs_the_best_match_overall_not_the_greedy_one():
    y = np.repeat([0, 1], [10, 5])
    labels = np.concatenate([np.repeat([0, 1], [6, 4]), np.repeat([0, 1], [5, 0])])  # [[6, 4], [5, 0]]
    assert clustering_accuracy(y, labels) == pytest.approx(9 / 15)  # the greedy match of the largest cell first: 6


def test_fewer_clusters_than_classes_count_the_classes_left_over_as_wrong():
    assert clustering_accuracy([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 1, 1]) == pytest.approx(4 / 6)
    assert clustering_accuracy(np.arange(10), np.zeros(10, int)) == pytest.approx(0.1)


def test_a_cluster_for_every_sample_is_pure_and_nearly_all_wrong():
    everyone = np.arange(10)
    assert purity(Y, everyone) == 1.0
    assert clustering_accuracy(Y, everyone) == pytest.approx(0.2)
    assert scores(Y, everyone)["ari"] == pytest.approx(0.0)


def test_splitting_a_cluster_never_lowers_purity():
    rng = np.random.default_rng(0)
    y, labels = rng.integers(5, size=300), rng.integers(4, size=300)
    for _ in range(20):
        finer = 2 * labels + rng.integers(2, size=300)
        assert purity(y, finer) >= purity(y, labels)
        labels = finer % 37


def test_scores_by_hand():
    s = scores(Y, LABELS)
    assert list(s) == ["acc", "nmi", "ari", "v_measure", "purity"]
    assert all(type(value) is float for value in s.values())
    # pairs: cells 6 + 0 + 0 + 0 + 1 + 1 = 8; rows 10 + 10 = 20; columns 10 + 3 + 1 = 14; all 45
    expected = 20 * 14 / 45
    assert s["ari"] == pytest.approx((8 - expected) / ((20 + 14) / 2 - expected))
    table = np.array([[4, 1, 0], [1, 2, 2]]) / 10
    h_y, h_l = (-sum(p * np.log(p) for p in table.sum(axis)) for axis in (1, 0))
    joint = table[table > 0]
    mutual = h_y + h_l + (joint * np.log(joint)).sum()
    assert s["nmi"] == pytest.approx(mutual / ((h_y + h_l) / 2))  # arithmetic mean
    assert s["v_measure"] == pytest.approx(2 * (mutual / h_y) * (mutual / h_l) / (mutual / h_y + mutual / h_l))


def test_rand_index_is_the_share_of_pairs_that_agree():
    pairs = [(i, j) for i in range(10) for j in range(i)]
    agree = [(Y[i] == Y[j]) == (LABELS[i] == LABELS[j]) for i, j in pairs]
    assert rand_index(Y, LABELS) == pytest.approx(np.mean(agree))
    assert rand_index(Y, 1 - Y) == 1.0


def test_rand_index_is_high_by_chance_and_ari_is_not():
    rng = np.random.default_rng(0)
    y, labels = np.repeat(np.arange(10), 200), rng.integers(10, size=2000)
    assert rand_index(y, labels) == pytest.approx(0.82, abs=0.002)  # 1 − 2 · .1 · .9
    assert scores(y, labels)["ari"] == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize("average", ["arithmetic", "geometric", "min", "max"])
def test_ami_is_what_exceeds_chance(average):
    """Chance, E[I], by brute force: the mean mutual information over all orders of the labels of six samples."""
    y, labels = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    chance = np.mean([mutual_info_score(y, order) for order in permutations(labels)])
    h_y, h_l = np.log(2), np.log(3)
    mean = {"arithmetic": (h_y + h_l) / 2, "geometric": (h_y * h_l) ** 0.5, "min": h_y, "max": h_l}[average]
    want = (mutual_info_score(y, labels) - chance) / (mean - chance)
    assert adjusted_mutual_information(y, labels, average=average) == pytest.approx(want)


def test_ami_defaults_to_the_arithmetic_mean_and_names_another():
    assert adjusted_mutual_information(Y, LABELS) == adjusted_mutual_information(Y, LABELS, average="arithmetic")
    assert adjusted_mutual_information(Y, np.arange(10)) == pytest.approx(0, abs=1e-9)  # where V is far above 0
    with pytest.raises(ValueError, match="average='mean' is not known: choose one of 'arithmetic'"):
        adjusted_mutual_information(Y, LABELS, average="mean")


@pytest.mark.parametrize("seed", range(3))
def test_renaming_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    y, labels = rng.integers(6, size=200), rng.integers(8, size=200)
    before = scores(y, labels)
    words = np.array(["zero", "one", "two", "three", "four", "five"])
    ids = rng.permutation(np.array([-1, 3, 5, 1000, 17, 42, 2**40, 8]))
    for new_y, new_labels in [
        (words[y], labels),
        (y, ids[labels]),
        (list(words[y]), list(ids[labels])),
        (y + 0.0, labels),
    ]:
        assert scores(new_y, new_labels) == pytest.approx(before, rel=1e-12)


def test_perfect_and_useless_clusterings():
    assert scores(Y, 1 - Y) == pytest.approx({"acc": 1, "nmi": 1, "ari": 1, "v_measure": 1, "purity": 1})
    one = scores(Y, np.zeros(10, int))
    assert one == pytest.approx({"acc": 0.5, "nmi": 0, "ari": 0, "v_measure": 0, "purity": 0.5})


def test_names_as_objects_booleans_and_tensors():
    import torch

    as_objects = np.array(["a", "b"], dtype=object)[Y]
    as_tensor = torch.from_numpy(LABELS)
    assert scores(as_objects, as_tensor) == pytest.approx(scores(Y, LABELS))
    assert clustering_accuracy(Y.astype(bool), Y) == 1.0


def test_agrees_with_scikit_learn_on_original_names():
    rng = np.random.default_rng(1)
    y, labels = rng.integers(4, size=500), rng.integers(9, size=500)
    s = scores(y, labels)
    assert s["ari"] == pytest.approx(adjusted_rand_score(y, labels))
    assert s["v_measure"] == pytest.approx(v_measure_score(y, labels)) == s["nmi"]


def test_match_labels_gives_the_accuracy_and_the_class_names():
    rng = np.random.default_rng(2)
    y = rng.integers(5, size=300) + 10
    labels = np.where(rng.random(300) < 0.7, 14 - y, rng.integers(5, size=300))
    matched = match_labels(y, labels)
    assert set(matched) <= set(y)
    assert np.mean(matched == y) == clustering_accuracy(y, labels)


def test_match_labels_names_left_over_clusters_as_no_class():
    matched = match_labels(Y, np.array([5, 5, 5, 5, 9, 5, 9, 9, 9, 7]))
    assert matched.tolist() == [0, 0, 0, 0, 1, 0, 1, 1, 1, 2]
    words = match_labels(np.array(["cat", "dog"])[Y], LABELS)
    assert np.mean(words == np.array(["cat", "dog"])[Y]) == pytest.approx(0.6)
    assert set(words) == {"cat", "dog", "unmatched 1"}
    assert match_labels(np.array([0, 255, 255], np.uint8), [0, 1, 2]).tolist() == [0, 255, 256]  # no byte is left


@pytest.mark.parametrize(
    "function",
    [adjusted_mutual_information, clustering_accuracy, contingency, match_labels, purity, rand_index, scores],
)
@pytest.mark.parametrize(
    ("y", "labels", "message"),
    [
        ([0, 1, 1], [0, 1], "y has 3 entries and labels has 2"),
        ([], [], "y is empty"),
        ([0.0, np.nan], [0, 1], "y holds NaN"),
        ([0, 1], [0.0, np.inf], "labels holds NaN"),
        ([0, 1], [0.5, 0.5], "labels holds fractions"),
        ([0, 1], np.eye(2), r"labels must be a vector .* \(2, 2\).*argmax"),
        ([0, 1], 3, "labels must be a vector"),
        (np.array(["a", None], dtype=object), [0, 1], "y must hold only integers or only strings"),
        ([0, 1], np.array(["a", 1], dtype=object), "labels must hold only integers or only strings"),
        ([0, 1], [1j, 0], "labels must hold integers or strings"),
    ],
)
def test_bad_labels_are_refused(function, y, labels, message):
    with pytest.raises(ValueError, match=message):
        function(y, labels)


def test_psnr_by_hand():
    x = np.zeros((2, 1, 4, 4), np.float32)
    assert psnr(x, x + 0.1) == pytest.approx(20.0, abs=1e-5)  # mean squared error 0.01
    assert psnr(x, x) == float("inf")
    # half of the pixels off by 0.2: mean squared error 0.02 over all of them, not a mean of two PSNRs
    half = x.copy()
    half[0] = 0.2
    assert psnr(x, half) == pytest.approx(10 * np.log10(1 / 0.02), abs=1e-5)


def test_psnr_scales_with_the_data_range():
    rng = np.random.default_rng(0)
    x, noisy = rng.random((8, 8)), rng.random((8, 8))
    assert psnr(255 * x, 255 * noisy, data_range=255) == pytest.approx(psnr(x, noisy))


def test_psnr_of_bytes_does_not_wrap_around():
    assert psnr(np.array([0], np.uint8), np.array([255], np.uint8), data_range=255) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("x", "x_hat", "options", "message"),
    [
        (np.zeros((2, 2)), np.zeros(4), {}, "differ in shape"),
        (np.zeros(0), np.zeros(0), {}, "empty"),
        (np.zeros(2), np.array([0, np.nan]), {}, "NaN"),
        (np.zeros(2), np.zeros(2), {"data_range": 0}, "data_range"),
    ],
)
def test_psnr_refuses_bad_input(x, x_hat, options, message):
    with pytest.raises(ValueError, match=message):
        psnr(x, x_hat, **options)
