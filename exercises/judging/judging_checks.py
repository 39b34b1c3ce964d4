"""Checks of the assignment *Judging a clustering*: each says at once whether a task is solved, else what looks wrong.

When your work is graded, the same checks run in the teacher's process, and more questions of their kind.
"""

import math
from functools import partial
from itertools import permutations

import numpy as np

from dclib.classroom.exercises import (
    Mistake,
    Tasks,
    fresh_generator,
    kind,
    name_mistake,
    parts_of,
    single_number,
    told_apart,
)

TASKS = Tasks(
    "contingency", "accuracy", "v_measure", "pair_counts", "adjusted_rand", "vote_accuracy", "mended_accuracy"
)
passed = TASKS.passed

# You are to write the scores yourself: while your work is graded these cannot be imported.
FORBIDDEN = ("dclib.metrics", "sklearn.metrics")


def working():
    """The functions for the cells that show them at work: the notebook's, or dclib's until these pass."""
    return TASKS.working(
        {
            "contingency": _contingency_of,
            "accuracy": _accuracy_of,
            "v_measure": _v_of,
            "pair_counts": _pairs_of,
            "adjusted_rand": _ari_of,
        }
    )


def contest():
    """Five groups have clustered the 1,797 digits: {group: (labels, the scores that they claim)}, and the classes."""
    from dclib import KMeans, load
    from dclib.metrics import clustering_accuracy, purity, scores

    digits = load("digits")
    pixels, y = digits.x.reshape(len(digits), -1), digits.y
    starts = [KMeans(10, init="random", n_init=1, random_state=seed).fit(pixels) for seed in range(20)]
    found = {
        "A": starts[1].labels_,
        "B": KMeans(100, n_init=1, random_state=0).fit(pixels).labels_,
        "C": np.random.default_rng(0).integers(600, size=len(y)),
        "D": max(starts, key=lambda model: clustering_accuracy(y, model.labels_)).labels_,
        "E": np.zeros(len(y), dtype=int),
    }
    claims = {name: {key: scores(y, labels)[key] for key in ("acc", "nmi", "ari")} for name, labels in found.items()}
    claims["B"]["acc"] = purity(y, found["B"])
    return y, {name: (found[name], claims[name]) for name in found}, [model.labels_ for model in starts]


# --- what the checks share ---


def _rng():
    return np.random.default_rng(fresh_generator().initial_seed())


def _samples(table):
    """Classes and clusters of samples that have this table."""
    rows, columns = np.indices(table.shape)
    return np.repeat(rows.ravel(), table.ravel()), np.repeat(columns.ravel(), table.ravel())


def _contingency_of(y, labels):
    from dclib.metrics import contingency

    return contingency(y, labels)


def _accuracy_of(table):
    from dclib.metrics import clustering_accuracy

    return clustering_accuracy(*_samples(np.asarray(table)))


def _v_of(table):
    from sklearn.metrics import homogeneity_completeness_v_measure

    return homogeneity_completeness_v_measure(*_samples(np.asarray(table)))


def _pairs_of(table):
    from sklearn.metrics.cluster import pair_confusion_matrix

    (apart, by_cluster), (by_class, both) = pair_confusion_matrix(*_samples(np.asarray(table))) // 2
    return int(both), int(by_class), int(by_cluster), int(apart)


def _ari_of(together, by_class, by_cluster, apart):
    """Equation (4) of the assignment, with the rule for 0/0."""
    s, s_a, s_b = together, together + by_class, together + by_cluster
    e, best = s_a * s_b / (together + by_class + by_cluster + apart), (s_a + s_b) / 2
    return 1.0 if best == e else (s - e) / (best - e)


def _number(value, name):
    number = single_number(value, name)
    if math.isnan(number):
        raise Mistake(
            f"{name} is NaN. Where did you compute 0/0, or 0 · log 0? The first needs a rule, the second counts as 0."
        )
    return number


def _numbers(value, what, names, table, why):
    """The numbers that were returned for a table; `why(name)` says what to do about one that is NaN."""
    value = parts_of(tuple(value) if isinstance(value, list) else value, len(names), what)
    numbers = [single_number(one, name) for one, name in zip(value, names)]
    for number, name in zip(numbers, names):
        if math.isnan(number):
            raise Mistake(f"For the table {_text(table)} {name} is NaN: {why(name)}")
    return numbers


def _same(a, b):
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6)


_told = partial(name_mistake, same=_same)


def _differ(right, value, decimals=3):
    return "{}; yours is {}".format(*told_apart(right, value, decimals))


def _text(table):
    return str(np.asarray(table).tolist())


# --- task 1 ---


def contingency(function):
    """Check task 1."""
    TASKS.check(function, _contingency)


def _contingency(function):
    y = np.array([0, 0, 0, 1, 1, 5, 5, 5, 5])
    labels = np.array([10, 10, 2, 2, 2, -3, -3, -3, 10])  # another order as text, and without the sign
    expected = np.array([[0, 1, 2], [0, 2, 0], [3, 0, 1]])
    table = function(y, labels)
    if table is None:
        raise Mistake("Your function returned None: is the `return` missing?")
    if not isinstance(table, np.ndarray):
        raise Mistake(f"The table must be a NumPy array; yours is a {kind(table)}.")
    if table.ndim == 2 and (table.shape[0] == 6 or table.shape[1] > 9):
        raise Mistake(
            f"Your table has shape {table.shape}: you took the names for places. Here three classes occur, 0, 1 and 5, "
            "and three clusters, −3, 2 and 10: three rows and three columns."
        )
    if table.shape != (3, 3):
        raise Mistake(f"Here are 3 classes and 3 clusters, so the table has shape (3, 3); yours has {table.shape}.")
    if np.allclose(table, expected.T):
        raise Mistake("Rows are the classes, columns the clusters: yours is transposed.")
    if np.allclose(table, expected / 9):
        raise Mistake("Yours are shares: the table holds the numbers of samples.")
    if np.array_equal(table, (expected > 0).astype(table.dtype)):
        raise Mistake(
            "Every count is 0 or 1. `table[rows, columns] += 1` adds once for each *different* place, however often it "
            "occurs: look up np.add.at, or np.bincount."
        )
    orders = [list(order) for order in permutations(range(3)) if order != (0, 1, 2)]
    if any(np.array_equal(table, other) for order in orders for other in (expected[order], expected[:, order])):
        raise Mistake(
            "Rows and columns must be in ascending order of the names: −3, 2, 10. Not in that of appearance, nor of "
            "the names as text or without their sign."
        )
    for i, k in zip(*np.nonzero(table != expected)):
        raise Mistake(
            f"Of the class {np.unique(y)[i]} {expected[i, k]} samples are in cluster {np.unique(labels)[k]}; "
            f"your table says {table[i, k]:g}. (y = {y.tolist()}, labels = {labels.tolist()})"
        )
    if not np.issubdtype(table.dtype, np.integer):
        raise Mistake(
            f"Your counts are right but of type {table.dtype}: start from zeros of whole numbers (`dtype=int`)."
        )
    rng = _rng()
    y, labels = rng.choice([-5, 0, 9, 30], size=60), rng.choice([-12, -3, 2, 7, 10, 11, 100], size=60)
    table, expected = function(y, labels), _contingency_of(y, labels)
    if not isinstance(table, np.ndarray) or table.shape != expected.shape:
        raise Mistake("There may be more clusters than classes, or fewer: then the table is not square.")
    if not np.array_equal(table, expected):
        raise Mistake("On random classes and clusters some of your counts are wrong.")


# --- task 2 ---


def accuracy(function):
    """Check task 2."""
    TASKS.check(function, _accuracy)


def _greedy(table):
    table, total = table.astype(float), 0.0
    n = table.sum()
    for _ in range(min(table.shape)):
        i, k = np.unravel_index(table.argmax(), table.shape)
        total += table[i, k]
        table[i], table[:, k] = -1, -1
    return total / n


def _accuracy_hints(table, best):
    n, side = table.sum(), min(table.shape)
    vote = (
        "That is the purity: you let two clusters stand for the same class. In the ACC the match is one-to-one, so a "
        "class that has its cluster is taken."
    )
    return [
        (table.max(axis=0).sum() / n, vote),
        (
            table.max(axis=1).sum() / n,
            "You gave each class its largest cluster, and one cluster to several classes: the match is one-to-one.",
        ),
        (
            np.trace(table) / n,
            "You compared names, cluster 0 with the first class and so on. The names of clusters mean nothing: "
            "look for the best match.",
        ),
        (
            _greedy(table),
            "You took the largest count first and never came back: greedy. The best match may leave it out.",
        ),
        (best * n, "That is the number of samples that are right: divide by the number of all samples."),
        (best * n / len(table), "You divided by the number of classes: divide by the number of all samples."),
        (
            _accuracy_of(table[:side, :side]) * table[:side, :side].sum() / n,
            "You cut the table to a square before you matched. A class may find its partner in any column.",
        ),
    ]


def _accuracy(function):
    rng = _rng()
    for shape in ((4, 4), (3, 6), (6, 3), (10, 12)):
        table = _telling_table(rng, shape)
        _compare_accuracy(_number(function(table), "The accuracy"), table)
    _compare_accuracy(_number(function(np.array([[6, 4], [5, 0]])), "The accuracy"), np.array([[6, 4], [5, 0]]))


def _telling_table(rng, shape, more=lambda table: []):
    """A random table on which the usual mistakes give other numbers than the best match does, and than each other."""
    while True:
        table = rng.integers(0, 12, size=shape)
        best = _accuracy_of(table)
        hints = _accuracy_hints(table, best)
        wrong = [_worst(table), *(value for value, _ in hints[: -1 if shape[0] == shape[1] else None]), *more(table)]
        values = {round(float(value), 6) for value in [best, *wrong]}
        if table.any(0).all() and table.any(1).all() and len(values) == 1 + len(wrong):
            return table


def _worst(table):
    from scipy.optimize import linear_sum_assignment

    return table[linear_sum_assignment(table)].sum() / table.sum()


def _compare_accuracy(value, table):
    best = _accuracy_of(table)
    if _same(value, best):
        return
    from scipy.optimize import linear_sum_assignment

    hints = [
        (_worst(table), "That is the *worst* match: `linear_sum_assignment` makes a cost small unless told otherwise.")
    ]
    hints += _accuracy_hints(table, best)
    chosen = linear_sum_assignment(-table)
    kept = table[:, chosen[1]].sum() if table.shape[1] > table.shape[0] else table[chosen[0]].sum()
    hints.append(
        (
            best * table.sum() / kept,
            "You left out the samples of clusters, or classes, without a partner: they count as wrong, not as absent.",
        )
    )
    _told(value, hints)
    raise Mistake(f"For the table {_text(table)} the best match has the accuracy {_differ(best, value)}.")


# --- task 3 ---


def v_measure(function):
    """Check task 3."""
    TASKS.check(function, _v_measure)


def _entropy(counts):
    from scipy.stats import entropy

    return float(entropy(np.asarray(counts)))


def _v_measure(function):
    def run(table):
        """Homogeneity, completeness and V of a table."""
        names = "the homogeneity", "the completeness", "V"
        reasons = dict(zip(names, (
            (len(table) == 1, "with a single class H(y) is 0, and I/H(y) is 0/0. By the rule it is 1."),
            (table.shape[1] == 1, "with a single cluster H(c) is 0, and I/H(c) is 0/0. By the rule it is 1."),
            (1 in table.shape, "where hom and com are both 0 equation (3) says 0/0, and V is 0."),
        )))  # fmt: skip
        zero = "it has a count of 0, and 0 · log 0 counts as 0."
        otherwise = zero if 0 in table else "where did you compute 0/0?"

        def why(name):
            fits, reason = reasons[name]
            return reason if fits else otherwise

        what = "three numbers, `homogeneity, completeness, V`"
        return _numbers(_quiet(function, table), what, names, table, why)

    rng = _rng()
    for shape in ((3, 4), (5, 2), (4, 8)):
        table = rng.integers(1, 20, size=shape)
        table[0, 1] = 0
        _compare_v(run(table), table)
    one_class, one_cluster = np.array([[3, 4]]), np.array([[3], [4]])
    h, c, v = run(one_cluster)
    if not (_same(h, 0) and _same(c, 1) and _same(v, 0)):
        raise Mistake(
            f"With a single cluster ({_text(one_cluster)}) nothing is known of the class: homogeneity 0. No class is "
            f"torn apart: completeness 1, by the rule for 0/0. V is 0. Yours are {h:.2f}, {c:.2f}, {v:.2f}."
        )
    h, c, v = run(one_class)
    if not (_same(h, 1) and _same(c, 0) and _same(v, 0)):
        raise Mistake(
            f"With a single class ({_text(one_class)}) homogeneity is 1, by the rule for 0/0, completeness and V 0; "
            f"yours are {h:.2f}, {c:.2f}, {v:.2f}."
        )
    h, c, v = run(np.array([[0, 5], [3, 0]]))
    if not (_same(h, 1) and _same(c, 1) and _same(v, 1)):
        raise Mistake("For the perfect table [[0, 5], [3, 0]] all three are 1.")
    one_each = np.array([[7]])
    if not all(_same(number, 1) for number in run(one_each)):
        raise Mistake(
            f"With a single class and a single cluster ({_text(one_each)}) both rules for 0/0 hold: homogeneity and "
            "completeness are 1, and so is V."
        )


def _quiet(function, table):
    """A division by zero shows in the result; NumPy need not warn of it, too."""
    with np.errstate(all="ignore"):
        try:
            return function(table)
        except ZeroDivisionError:
            raise Mistake(
                "You divide by zero: with a single class H(y) is 0, with a single cluster H(c). The score is 1 then."
            ) from None


def _compare_v(found, table):
    h, c, v = _v_of(table)
    if all(map(_same, found, (h, c, v))):
        return
    a, b = table.sum(axis=1), table.sum(axis=0)
    if _same(found[0], c) and _same(found[1], h) and not _same(h, c):
        raise Mistake("Homogeneity and completeness are exchanged: homogeneity divides by H(y), completeness by H(c).")
    h_y, h_c = _entropy(a), _entropy(b)
    unweighted = np.mean([_entropy(column) for column in table.T])
    mutual = h_y + h_c - _entropy(table.ravel())
    _told(
        found[0],
        [
            (1 - unweighted / h_y, "In H(y | c) each cluster counts by its share b_k/n: yours is the plain mean."),
            (1 - h, "That is H(y | c)/H(y), what is still unknown: homogeneity is the rest, I/H(y)."),
            (mutual, "That is the mutual information I: divide it by the entropy of the classes."),
            (
                1 - sum(_entropy(column) for column in table.T) / h_y,
                "In H(y | c) each cluster counts by its share b_k/n: yours is a plain sum.",
            ),
            (mutual / _entropy(table.ravel()), "You divided I by the entropy of both together, H(y, c): take H(y)."),
        ],
    )
    if not _same(found[0], h):
        raise Mistake(f"For the table {_text(table)} the homogeneity is {_differ(h, found[0])}.{_nearly(h, found[0])}")
    if not _same(found[1], c):
        raise Mistake(f"For the table {_text(table)} the completeness is {_differ(c, found[1])}.{_nearly(c, found[1])}")
    _told(
        found[2],
        [
            ((h + c) / 2, "V is the *harmonic* mean of the two: yours is the arithmetic one."),
            (math.sqrt(h * c), "V is the *harmonic* mean of the two: yours is the geometric one."),
            (h * c / (h + c), "The harmonic mean is *twice* the product over the sum."),
            (min(h, c), "V is the harmonic mean of the two: yours is the smaller one."),
            (h * c, "V is the harmonic mean of the two: yours is the product."),
        ],
    )
    raise Mistake(f"For the table {_text(table)} V is {_differ(v, found[2])}.{_nearly(v, found[2])}")


def _nearly(right, value):
    if abs(right - value) > 1e-3:
        return ""
    return " Did you add something tiny inside a logarithm or below a line? Leave the zeros out instead."


# --- task 4 ---


def pair_counts(function):
    """Check task 4."""
    TASKS.check(function, _pair_counts)


def _pair_counts(function):
    names = ("N11", "N10", "N01", "N00")

    def run(table):
        why = "where did you compute 0/0? Counts of pairs need no division but that by 2."
        return _numbers(function(table), "four numbers, `N11, N10, N01, N00`", names, table, lambda name: why)

    rng = _rng()
    for table in (np.array([[2, 1], [0, 2]]), rng.integers(0, 9, size=(3, 5)), rng.integers(1, 9, size=(4, 2))):
        expected, n = _pairs_of(table), int(table.sum())
        found = run(table)
        both, by_class, by_cluster, apart = expected
        if np.allclose(found, expected):
            continue
        if np.allclose(found, [both, by_cluster, by_class, apart]):
            raise Mistake("N10 and N01 are exchanged: N10 are together by *class* and apart by cluster.")
        if np.allclose(found, np.array(expected) * 2):
            raise Mistake("You counted every pair twice, as (i, j) and as (j, i).")
        if np.allclose(found, [2 * both + n, 2 * by_class, 2 * by_cluster, 2 * apart]):
            raise Mistake(
                "Your N11 comes from squares of the counts: these also hold each sample paired with itself, and every "
                "pair twice. m samples make m(m − 1)/2 pairs."
            )
        if np.allclose(found, [both, by_class + both, by_cluster + both, apart]) or np.allclose(
            found[:3], [both, by_class + both, by_cluster + both]
        ):
            raise Mistake(
                "Your N10 and N01 still hold the pairs that are together in both: those belong to N11 only. "
                "Together by class are N11 + N10."
            )
        if not np.isclose(sum(found), n * (n - 1) / 2):
            raise Mistake(
                f"Every pair belongs to exactly one of the four: with n = {n} samples they must sum to "
                f"{n * (n - 1) // 2}; yours sum to {sum(found):g}."
            )
        for name, value, right in zip(names, found, expected):
            if not _same(value, right):
                raise Mistake(f"For the table {_text(table)} {name} is {right}; yours is {value:g}.")
    large = np.array([[50_000, 10_000], [0, 70_000]], dtype=np.int64)  # 50,000 squared outgrows 32 bits
    if not np.allclose(run(large), _pairs_of_large(large), rtol=1e-9):
        raise Mistake("With 130,000 samples your counts are wrong: did they outgrow their type?")


def _pairs_of_large(table):
    # In Python's whole numbers, which do not overflow: pairs of cells, or a cell with itself, make pairs of samples.
    cells = [(i, k, int(m)) for (i, k), m in np.ndenumerate(table)]
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for at, (i, k, m) in enumerate(cells):
        counts[True, True] += m * (m - 1) // 2
        for j, q, other in cells[at + 1 :]:
            counts[i == j, k == q] += m * other
    return list(counts.values())


# --- task 5 ---


def adjusted_rand(function):
    """Check task 5."""
    TASKS.check(function, _adjusted_rand)


def _adjusted_rand(function):
    rng = _rng()
    for _ in range(4):
        both, by_class, by_cluster, apart = counts = tuple(int(m) for m in rng.integers(5, 400, size=4))
        value, right = _number(_call(function, counts), "The index"), _ari_of(*counts)
        if _same(value, right):
            continue
        n, s_a, s_b = sum(counts), both + by_class, both + by_cluster
        expected = s_a * s_b / n
        _told(
            value,
            [
                ((both + apart) / n, "That is the plain Rand index, the share of pairs on which both agree: it is not "
                 "corrected for chance."),
                (both / (both + by_class + by_cluster), "That is the Jaccard index of the pairs: it is not corrected."),
                (both / math.sqrt(s_a * s_b), "That is the Fowlkes-Mallows index: it is not corrected."),
                ((both - expected) / (max(s_a, s_b) - expected), "You took the larger of S_a and S_b for the best: the "
                 "ARI takes their mean."),
                ((both - expected) / (min(s_a, s_b) - expected), "You took the smaller of S_a and S_b for the best: "
                 "the ARI takes their mean."),
                ((both - expected) / ((s_a + s_b) / 2), "Chance must be taken from the best value, too: (S − E) over "
                 "(best − E)."),
                (right / 2, "Yours is half of it: a factor 2 is lost."),
                (right * 2, "Yours is twice of it: is the best value the *mean* of S_a and S_b?"),
                ((both - s_a * s_b) / ((s_a + s_b) / 2 - s_a * s_b), "E is S_a S_b over the number of all pairs: the "
                 "division is missing."),
            ],
        )  # fmt: skip
        raise Mistake(f"For N11, N10, N01, N00 = {counts} the index is {_differ(right, value, 4)}.")
    for counts, right, why in (
        ((10, 0, 0, 0), 1.0, "all samples in one class and in one cluster: both agree on everything"),
        ((0, 0, 0, 15), 1.0, "each sample alone, in both: both agree on everything"),
        ((0, 10, 0, 0), 0.0, "one class, each sample alone in its cluster: no better than chance"),
        ((0, 5, 5, 5), _ari_of(0, 5, 5, 5), "worse than chance: the index is below 0 then"),
    ):
        value = _number(_call(function, counts), "The index")
        if not _same(value, right):
            raise Mistake(f"For N11, N10, N01, N00 = {counts} the index is {right:.4g} ({why}); yours is {value:.4g}.")


def _call(function, counts):
    with np.errstate(all="ignore"):
        try:
            return function(*counts)
        except ZeroDivisionError:
            raise Mistake(
                f"You divide by zero for N11, N10, N01, N00 = {counts}. When N10 and N01 are both 0 the two agree on "
                "every pair: the index is 1."
            ) from None


# --- task 6 ---


def vote_accuracy(function):
    """Check task 6."""
    TASKS.check(function, _vote_accuracy)


_KNOWN = ([8, 3, 5, 4, 5, 5, 5, 4, 3, 5, 4], [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 4])
_REST = ([3, 4, 3, 8, 5, 4, 4, 5, 8, 3, 4, 8, 5, 4], [0, 0, 0, 1, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4])
# The votes: 0 -> 3 (a tie of three), 1 -> 5, 2 -> 5, 4 -> 4; nobody knows 3. Right: 1 0 1, 0, 1 0 0, 0 0 0 0 0, 0 1.
_ONLY_KNOWN = "You let the samples vote on which you are scored, but their classes are not known. Only y_known votes."
_ABSENT = "You left out the samples of a cluster where nobody has voted: they count as wrong, not as absent."
_GUESSED = "Samples of a cluster where nobody has voted turned out right in yours: they count as wrong."
_TIE = "Where two classes have equally many votes the smaller class wins, whichever came first."
_IN_IT = "A cluster takes the class with the most samples *in it*: do not divide by the size of the class first."
# A test looks that these values differ wherever the texts do.
_VOTE_HINTS = [
    (8 / 14, _ONLY_KNOWN),
    (7 / 14, _ONLY_KNOWN),
    (12 / 25, _ONLY_KNOWN),
    (6 / 11, "You scored the known samples: they have voted already. Score the others."),
    (10 / 25, "You scored the known samples, too: they have voted already. Score the others only."),
    (4 / 9, _ABSENT),
    (5 / 14, _GUESSED),
    (6 / 14, _GUESSED),
    (3 / 14, "Each cluster has its smallest class in yours: take the one with the most votes."),
    (2 / 14, _TIE),
    (1 / 14, "You matched one cluster to one class: here several clusters may vote for the same class (5)."),
    (4.0, "That is the number of samples that are right: return their share."),
]


def _vote_accuracy(function):
    def run(known, rest):
        try:
            return _number(function(*map(np.array, known), *map(np.array, rest)), "The accuracy")
        except (KeyError, IndexError, ValueError) as error:
            why = (
                "Is it a negative name? Clusters may have any whole number as their name: a name is no place."
                if min(known[1]) < 0
                else "Is it the cluster of `labels` that has no sample among the known ones? Nobody has voted there: "
                "its samples count as wrong."
            )
            raise Mistake(f"It stopped with {type(error).__name__}: {error}. {why}") from None

    common = ([0] * 5 + [1] * 3 + [0] * 20, [0] * 8 + list(range(1, 21))), ([0, 0, 0, 1], [0, 0, 0, 0])
    if _same(run(*common), 0.25):
        raise Mistake(_IN_IT)
    value = run(_KNOWN, _REST)
    _told(value, _VOTE_HINTS)
    if not _same(value, 4 / 14):
        raise Mistake(
            f"With the known classes {_KNOWN[0]} in the clusters {_KNOWN[1]} the votes are 0 → 3 (a tie of three: the "
            f"smallest class), 1 → 5, 2 → 5, 4 → 4. Of {_REST[0]} in {_REST[1]} 4 of 14 are right: the share is "
            f"{_differ(4 / 14, value)}."
        )
    if not _same(run(*common), 0.75):
        raise Mistake("A cluster takes the class with the most votes, however many there are elsewhere.")
    if not _same(run(([2, 1], [0, 0]), ([2, 2, 1], [0, 0, 0])), 1 / 3):
        raise Mistake(_TIE)
    if not _same(run(([1, 1], [0, 0]), ([0, 1, 1], [5, 0, 5])), 1 / 3):
        raise Mistake(_GUESSED)
    if not _same(run(([1, 2, 3], [-2, -1, 2]), ([1, 2, 3, 2, 2], [-2, -1, 2, -1, 2])), 4 / 5):
        raise Mistake(
            "Clusters may have negative names: −2 and −1 are two more clusters here. As places in an array they are "
            "the last but one and the last, which belong to others."
        )


# --- task 7 ---


def mended_accuracy(function):
    """Check task 7."""
    TASKS.check(function, _mended_accuracy)


def _in_the_wrong_direction(table):
    """What the broken function gives, and one that turns the match round without looking at the classes."""
    from scipy.optimize import linear_sum_assignment

    y, labels = _samples(table)
    partners = linear_sum_assignment(table, maximize=True)[1]
    if table.shape[1] > len(partners):
        return []
    unmended = np.mean(partners[labels] == y)
    return [unmended] if len(partners) == len(table) else [unmended, np.mean(np.argsort(partners)[labels] == y)]


def _mended_accuracy(function):
    rng = _rng()
    for title, shape in (
        ("as many clusters as classes", (5, 5)),
        ("fewer clusters", (6, 4)),
        ("more clusters", (4, 7)),
    ):
        table = _telling_table(rng, shape, _in_the_wrong_direction)
        y, labels = _samples(table)
        order = rng.permutation(len(y))
        y, labels, best = y[order], labels[order], _accuracy_of(table)
        try:
            value = _number(function(y, labels, table), "The accuracy")
        except (IndexError, ValueError) as error:
            raise Mistake(
                f"With {title} it stopped with {type(error).__name__}: {error}. Every *cluster* needs an entry in your "
                "translation, also one without a class, which no sample of it can be right about."
            ) from None
        if _same(value, best):
            continue
        from scipy.optimize import linear_sum_assignment

        rows, partners = linear_sum_assignment(table, maximize=True)
        hints = _accuracy_hints(table, best)
        name = np.zeros(table.shape[1], dtype=int)
        name[partners] = rows
        read_wrongly = (
            "That is still the broken one: is `partners[i]` the class of cluster i, or the cluster of class i?",
            "You turned the match round as if every class had a cluster: `partners[j]` belongs to class `classes[j]`.",
        )
        hints += list(zip(_in_the_wrong_direction(table), read_wrongly))
        hints += [
            (
                np.mean(name[labels] == y),
                "You gave the clusters that are left over the class 0, and some of their samples turned out right. A "
                "cluster without a class has no right samples.",
            ),
            (
                best * len(y) / max(table[:, partners].sum(), 1),
                "You left out the samples of the clusters that have no class: they count as wrong, not as absent.",
            ),
            (_worst(table), "That is the *worst* match."),
        ]
        _told(value, hints)
        raise Mistake(f"With {title}, for the table {_text(table)}, the accuracy is {_differ(best, value)}.")
