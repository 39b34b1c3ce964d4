"""Checks of the capstone: each says at once whether a task is solved and, if not, what looks wrong.

When your work is graded, the same checks run in the teacher's process, and more questions of their kind. The
leaderboard reads what `cluster` returns with `read_labels`, too.
"""

import math
from pathlib import Path

import numpy as np

from dclib.classroom.exercises import (
    Mistake,
    Tasks,
    fresh_generator,
    kind,
    parts_of,
    refuse_none,
    rounded,
    single_number,
)

TASKS = Tasks("prediction_strength", "mended_codes", "choose_k", "cluster")


def clothes():
    """The pictures: (1000, 1, 16, 16), float32 in [0, 1]. There are no labels."""
    with np.load(Path(__file__).with_name("clothes.npz"), allow_pickle=False) as file:
        return file["x"][:, None].astype(np.float32) / 255


def halves(n, seed):
    """Row numbers of two random halves of n samples."""
    order = np.random.default_rng(seed).permutation(n)
    return order[: n // 2], order[n // 2 :]


def working(*names):
    """Functions for the cells that show them at work: the notebook's, or simple ones until these pass."""
    versions = {"prediction_strength": _strength, "mended_codes": _codes, "choose_k": _choice, "cluster": _cluster}
    return TASKS.working({name: versions[name] for name in names}, whose="a simple version of")


# --- what the checks share ---


def _rng():
    return np.random.default_rng(fresh_generator().initial_seed())


def _ari(a, b):
    from sklearn.metrics import adjusted_rand_score

    return adjusted_rand_score(a, b)


# --- task 1 ---


def _table(own, predicted):
    """Counts: a row for each of the half's own clusters, a column for each predicted one."""
    from dclib.metrics import contingency

    return contingency(own, predicted)


def _shares(own, predicted):
    """Of each own cluster that has pairs: the share of its pairs that stay together."""
    table = _table(own, predicted)
    sizes = table.sum(1)
    some = sizes > 1
    return ((table**2).sum(1) - sizes)[some] / (sizes * (sizes - 1))[some]


def _strength(own, predicted):
    return float(min(_shares(own, predicted), default=0.0))


def prediction_strength(function):
    """Check task 1."""
    TASKS.check(function, _prediction_strength)


def _prediction_strength(function):
    rng = _rng()
    # The worst cluster is torn 4 : 5; each mistake below gives another number.
    own = np.repeat([0, 1, 2, 4], [12, 9, 6, 3])
    predicted = rng.permutation(5)[np.repeat([0, 1, 2, 0, 1, 2, 0, 3], [9, 2, 1, 4, 5, 5, 1, 3])]
    order = rng.permutation(30)
    own, predicted = own[order], predicted[order]
    right, value = _strength(own, predicted), single_number(function(own.copy(), predicted.copy()), "The strength")
    table, shares = _table(own, predicted), _shares(own, predicted)
    sizes = table.sum(1)
    pooled = ((table**2).sum(1) - sizes).sum() / (sizes * (sizes - 1)).sum()
    hints = [
        (shares.mean(), "That is the mean over the clusters: the strength is that of the *worst* one."),
        (shares.max(), "That is the best cluster: the strength is that of the worst one."),
        (pooled, "You put the pairs of all clusters together: take the share in each cluster, then the smallest."),
        ((sizes * shares).sum() / sizes.sum(), "A mean over the clusters: the strength is that of the *worst* one."),
        (_strength(predicted, own), "You exchanged the two: the clusters are the half's own, the pairs are judged by "
                                    "`predicted`."),
        (((table**2).sum(1) / sizes**2).min(), "You count each sample as a pair with itself: s (s − 1) pairs, not s²."),
        (right / 2, "Half of what it should be: count pairs (i, j) both ways above and below the line, or neither."),
        (2 * right, "Twice what it should be: count pairs (i, j) both ways above and below the line, or neither."),
        ((table.max(1) / sizes).min(), "That is the largest part of a cluster, a purity: count *pairs*."),
        ((own == predicted).mean(), "You compare ids. Names of clusters mean nothing: ask about pairs."),
    ]  # fmt: skip
    if math.isnan(value):
        raise Mistake("The strength is NaN: does a number that no sample has (here 3) count as a cluster?")
    if not math.isclose(value, right, abs_tol=1e-6):
        for wrong, hint in hints:
            if math.isclose(value, wrong, abs_tol=1e-6):
                raise Mistake(hint)
        raise Mistake(f"For own = {own.tolist()} and predicted = {predicted.tolist()} it is {right:.4f}; yours is "
                      f"{value:.4f}.")  # fmt: skip
    own, predicted = np.array([0, 0, 0, 7]), np.array([1, 1, 0, 0])
    value = single_number(function(own, predicted), "The strength")
    if not math.isclose(value, 1 / 3, abs_tol=1e-6):
        raise Mistake("A cluster of one sample has no pairs: leave it out. For own = [0, 0, 0, 7], "
                      f"predicted = [1, 1, 0, 0] the strength is .333; yours is {value:.3f}.")  # fmt: skip
    value = single_number(function(np.array([0, 1, 2]), np.array([0, 0, 1])), "The strength")
    if value != 0:
        raise Mistake(f"Where no cluster has a pair the strength is 0; yours is {value:.3f}.")


# --- task 2 ---


def _codes(x, new, d):
    mean = x.mean(0)
    values, vectors = np.linalg.eigh((x - mean).T @ (x - mean))
    largest = vectors[:, np.argsort(-values)[:d]]
    return (x - mean) @ largest, (new - mean) @ largest


def mended_codes(function):
    """Check task 2."""
    TASKS.check(function, _mended_codes)


def _pair(answer):
    return parts_of(answer, 2, "two things, the codes of x and the codes of `new`")


def _array(value, shape, name):
    if not isinstance(value, np.ndarray):
        raise Mistake(f"{name} must be a numpy array; yours is a {kind(value)}.")
    if value.shape != shape:
        raise Mistake(f"{name} must have shape {shape}; yours has {value.shape}.")
    return value


def _between(a, b):
    return ((a[:, None] - b) ** 2).sum(2)


def _near(a, b):
    return np.allclose(a, b, rtol=1e-3, atol=1e-4 * max(1.0, np.abs(b).max()))


def _mended_codes(function):
    rng = _rng()
    n, m, p, d = 40, 25, 6, 3
    mix = rng.normal(size=(p, p)) * np.array([4, 3, 2, 1, 0.6, 0.3])
    x, new = rng.normal(size=(n, p)) @ mix + 3, rng.normal(size=(m, p)) @ mix[:, ::-1] + 5
    z, z_new = _pair(function(x.copy(), new.copy(), d))
    z, z_new = _array(z, (n, d), "The codes of x (here d = 3)"), _array(z_new, (m, d), "The codes of `new`")
    right, right_new = _codes(x, new, d)
    if _near(_between(z, z), _between(right, right)) and _near(_between(z_new, z), _between(right_new, right)):
        return
    _, own = _codes(new, new, d)
    axes = np.linalg.lstsq(x - x.mean(0), right, rcond=None)[0]
    both = np.concatenate([x, new])
    together = _codes(both, both, d)[0]
    if _near(_between(z, z), _between(together[:n], together[:n])):
        raise Mistake("You took mean and axes from x and `new` together: then the codes of x change with `new`.")
    if not _near(_between(z, z), _between(right, right)):
        raise Mistake("The codes of x are not what they were: the mistake lies in those of `new`; leave x's alone.")
    if _near(_between(z_new, z_new), _between(own, own)):
        raise Mistake("Still the broken one: `new` has its own axes. One axis, one meaning: those of x are for both.")
    if _near(_between(z_new, z), _between((new - new.mean(0)) @ axes, right)):
        raise Mistake("`new` has still its own mean: subtract that of x from both.")
    if _near(_between(z_new, z), _between(new @ axes, right)):
        raise Mistake("From `new` no mean is subtracted: subtract that of x from both.")
    raise Mistake("The codes of x are right, those of `new` are not: the same mean, the same axes, nothing else.")


# --- task 3 ---


def _choice(ks, strengths, threshold):
    best = 1
    for k, row in zip(ks, np.asarray(strengths)):
        if row.mean() + row.std(ddof=1) / len(row) ** 0.5 >= threshold:
            best = max(best, k)
    return int(best)


def choose_k(function):
    """Check task 3."""
    TASKS.check(function, _choose_k)


# Two rows touch the threshold of .5 by their standard error only; .55 at k = 4 lies below its neighbours.
_KS = [2, 3, 4, 5, 6, 7, 8]
_MEANS = np.array([0.97, 0.80, 0.45, 0.62, 0.49, 0.47, 0.30])
_SPREAD = np.array([0.03, 0.10, 0.02, 0.08, 0.06, 0.06, 0.04])


def _strengths(n_splits=9):
    """Rows with exactly these means and deviations."""
    rows = _rng().normal(size=(len(_KS), n_splits))
    rows = (rows - rows.mean(1, keepdims=True)) / rows.std(1, ddof=1, keepdims=True)
    return _MEANS[:, None] + _SPREAD[:, None] * rows


def _choose_k(function):
    strengths = _strengths()
    value = function(list(_KS), strengths.copy(), 0.5)
    number = single_number(value, "The chosen k")
    if isinstance(value, float) or number != int(number):
        raise Mistake(f"k is a whole number (an int); yours is {value}.")
    table = f"For k = {_KS} with the means {rounded(_MEANS)} and the standard errors {rounded(_SPREAD / 3)}, "
    hints = {
        2: "you took the strongest or the smallest: few clusters are always strong. Take the *largest* k that reaches "
           "the threshold.",
        3: "you stopped at the first k below the threshold: a larger k may reach it again.",
        0: "you returned a position: return the k itself.",
        4: "you returned a position, or the threshold's complement: return the k itself.",
        5: "you compared the mean alone, or took the error away: the mean *plus* its standard error is to reach it.",
        7: "you added the standard deviation: the standard *error* is that over the root of the number of splits.",
        8: "you returned the largest k of all: does the threshold have an effect? Or did you take the mean over the "
           "ks? The splits lie along axis 1.",
    }  # fmt: skip
    if number != 6:
        hint = hints.get(int(number), "that is none of the ks, nor 1.")
        raise Mistake(f"{table}threshold .5, k is 6. Yours is {int(number)}: {hint}")
    flat = np.full((2, 4), 0.25)
    many = np.tile([0.4, 0.6], (2, 18))  # 36 splits: the deviation is 0.101, the standard error 0.017
    for strengths, threshold, expected, hint in [
        (flat, 0.25, 3, "A strength that is exactly the threshold reaches it: ≥, not >."),
        (flat, 0.3, 1, "Where no k reaches the threshold, the answer is 1: there is no sign of clusters."),
        (np.array([[0.44, 0.56], [0.34, 0.46]]), 0.45, 3, "The deviation of few splits has n − 1 below: `ddof=1`."),
        (many, 0.53, 1, "The standard error is the deviation over the root of the number of *splits*, not of ks: here "
         "there are 2 ks and 36 splits."),
    ]:  # fmt: skip
        value = function([2, 3], strengths.copy(), threshold)
        if value is None or single_number(value, "The chosen k") != expected:
            raise Mistake(hint)


# --- task 4 ---


def _cluster(x, new, seed):
    from dclib import KMeans

    model = KMeans(3, random_state=seed).fit(x.reshape(len(x), -1))
    return model.labels_, model.predict(new.reshape(len(new), -1))


def read_labels(answer, n, m):
    """What `cluster` returned for n pictures and m new ones -> two arrays of int64. Mistake if it is no such answer."""
    if answer is None:
        raise Mistake("`cluster` returned None: is the `return` missing?")
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Mistake("Return two things: the labels of x, and the labels of `new`.")
    refuse_none(answer, "two things, the labels of x and the labels of `new`")
    found = []
    for value, size, name in zip(answer, (n, m), ("x", "`new`")):
        if not isinstance(value, list) and not hasattr(value, "shape"):
            raise Mistake(f"The labels of {name} must be an array of whole numbers; yours are a {kind(value)}.")
        try:
            labels = np.asarray(value)
        except (ValueError, TypeError):  # a list of lists of different length
            labels = np.zeros(0, object)
        if labels.dtype.kind not in "iu":
            raise Mistake(f"The labels of {name} must be whole numbers: `.astype(int)` makes them.")
        if labels.shape != (size,):
            raise Mistake(f"There is one label for each picture: for {size} pictures the labels of {name} have shape "
                          f"({size},); yours have {labels.shape}.")  # fmt: skip
        found.append(labels.astype(np.int64))
    if not np.isin(found[1], found[0]).all():
        raise Mistake("A new picture has a label that no picture of x has: new ones go to the clusters found in x.")
    return found[0], found[1]


def clear_groups(sizes, rng):
    """Pictures (n, 1, 16, 16) of as many things as there are sizes, as different as can be; and which is which."""
    rows, columns = np.indices((16, 16))
    groups, shown = [], []
    while len(groups) < len(sizes):
        spots = zip(rng.uniform(3, 12, (4, 2)), rng.uniform(1.5, 3, 4))
        picture = sum(np.exp(-((rows - a) ** 2 + (columns - b) ** 2) / (2 * width**2)) for (a, b), width in spots)
        picture = picture / picture.max()
        if all(((picture - other) ** 2).mean() > 0.05 for other in shown):
            shown.append(picture)
            size = (sizes[len(groups)], 1, 1)
            # Hardly brighter or darker: k-means would halve a group there, and find the halves again in other samples.
            groups.append(picture * rng.uniform(0.97, 1, size) + 0.06 * rng.normal(size=(size[0], 16, 16)))
    order = rng.permutation(sum(sizes))
    x = np.concatenate(groups).clip(0, 1).astype(np.float32)[order][:, None]
    return x, np.repeat(np.arange(len(sizes)), sizes)[order]


def cluster(function):
    """Check task 4."""
    TASKS.check(
        function, _check_cluster, lend={"prediction_strength": _strength, "mended_codes": _codes, "choose_k": _choice}
    )


def _check_cluster(function):
    rng = _rng()
    m, counts, agreement = 30, [], []
    for sizes in ([70, 50], [30] * 6):
        x, y = clear_groups([size + m // len(sizes) for size in sizes], rng)
        labels = read_labels(function(x[m:].copy(), x[:m].copy(), 1), len(x) - m, m)
        counts.append(len(np.unique(labels[0])))
        agreement.append(_ari(np.r_[y[m:], y[:m]], np.r_[labels[0], labels[1]]))
        if len(sizes) == 2:
            again = read_labels(function(x[m:].copy(), x[:m].copy(), 1), len(x) - m, m)
            if not np.array_equal(labels[0], again[0]) or not np.array_equal(labels[1], again[1]):
                raise Mistake("The same pictures and the same seed gave other labels the second time: hand `seed` to "
                              "all that draws random numbers.")  # fmt: skip
        else:
            turned = read_labels(function(x[m:].copy(), x[:m][::-1][:20].copy(), 1), len(x) - m, 20)
            if not np.array_equal(turned[0], labels[0]):
                raise Mistake("The labels of x changed with `new`: learn from x alone.")
            if not np.array_equal(turned[1], labels[1][::-1][:20]):
                raise Mistake("The label of a new picture changed with those beside it: each new picture is labelled "
                              "by what x has taught, as if it were alone.")  # fmt: skip
    if min(agreement) < 0.6:
        if counts[0] == counts[1]:
            raise Mistake(
                f"You find {counts[0]} clusters in two clear groups, and {counts[1]} in six: choose k from x."
            )
        many = " Too many: parts of one group can come again by chance. What do you ask of a cluster?"
        raise Mistake(f"In two clear groups you find {counts[0]} clusters, in six {counts[1]}; the ARI with them, "
                      f"new pictures included, is {agreement[0]:.3f} and {agreement[1]:.3f}. Above .6 is expected: "
                      f"these groups cannot be mistaken.{many if counts[0] > 2 and counts[1] > 6 else ''} "
                      "(`check.clear_groups` makes such pictures, to try.)")  # fmt: skip
