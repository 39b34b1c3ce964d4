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
    name_mistake,
    parts_of,
    refuse_none,
    rounded,
    single_number,
    told_apart,
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


# Own clusters: a name and the numbers of samples that the other half's model puts together. The worst is no other's
# smallest or last, and has a negative name; each mistake below gives another number.
_OWN = {-5: [9, 2, 1], -3: [5, 3, 1], 2: [5, 2], 4: [6], 7: [8, 1], 10: [4, 1]}


def _same_strength(a, b):
    return math.isclose(a, b, abs_tol=1e-6)


def _prediction_strength(function):
    rng = _rng()
    sizes = [sum(parts) for parts in _OWN.values()]
    own = np.repeat(list(_OWN), sizes)
    predicted = np.concatenate([np.repeat(rng.permutation(3)[: len(parts)], parts) for parts in _OWN.values()])
    order = rng.permutation(len(own))
    own, predicted = own[order], predicted[order]
    right, value = _strength(own, predicted), single_number(function(own.copy(), predicted.copy()), "The strength")
    if math.isnan(value):
        raise Mistake("The strength is NaN: does a number that no sample has (here 3) count as a cluster?")
    if not _same_strength(value, right):
        _name_strength(value, own, predicted)
        raise Mistake(
            f"Of B's own clusters the samples have these numbers of equal predicted ids: {list(_OWN.values())}. The "
            "strength is {}; yours is {}.".format(*told_apart(right, value, 4))
        )
    for own, predicted, right, hint in (
        ([0, 0, 0, 7], [1, 1, 0, 0], 1 / 3, "A cluster of one sample has no pairs: leave it out"),
        ([0, 0, 1, 1, 1], [0, 1, 2, 2, 2], 0.0, "A cluster of two samples has a pair: it counts"),
        ([0, 1, 2], [0, 0, 1], 0.0, "Where no cluster has a pair the strength is 0"),
    ):
        value = single_number(function(np.array(own), np.array(predicted)), "The strength")
        if not _same_strength(value, right):
            raise Mistake(f"{hint}. For own = {own}, predicted = {predicted} it is {right:.3f}; yours is {value:.3f}.")


def _name_strength(value, own, predicted):
    right, table, shares = _strength(own, predicted), _table(own, predicted), _shares(own, predicted)
    sizes, squares = table.sum(1), (table**2).sum(1)
    largest = table.max(1)
    pooled = (squares - sizes).sum() / (sizes * (sizes - 1)).sum()
    worst = "That is a mean over the clusters: the strength is that of the *worst* one."
    hints = [
        (shares.mean(), worst),
        ((sizes * shares).sum() / sizes.sum(), worst),
        (np.median(shares), "That is the median of the clusters: the strength is that of the worst one."),
        (shares.max(), "That is the best cluster: the strength is that of the worst one."),
        (pooled, "You put the pairs of all clusters together: take the share in each cluster, then the smallest."),
        (min(shares[np.unique(own) >= 0]), "You left clusters out: names may be any whole numbers, also negative ones, "
                                           "and with gaps. `np.unique(own)` has them."),
        (_strength(predicted, own), "You exchanged the two: the clusters are the half's own, the pairs are judged by "
                                    "`predicted`."),
        ((squares / sizes**2).min(), "You count each sample as a pair with itself: s (s − 1) pairs, not s²."),
        ((squares / (sizes * (sizes - 1))).min(), "Above the line a sample is a pair with itself: s (s − 1), not s²."),
        (((squares - sizes) / sizes**2).min(), "Below the line each sample is a pair with itself: n (n − 1), not n²."),
        (right / 2, "Half of what it should be: count pairs (i, j) both ways above and below the line, or neither."),
        (2 * right, "Twice what it should be: count pairs (i, j) both ways above and below the line, or neither."),
        (1 - right, "That is the share of pairs that are *torn* in the worst cluster: count those that stay together."),
        (100 * right, "That is in per cent: the strength is a number from 0 to 1."),
        ((largest / sizes).min(), "That is the largest part of a cluster, a purity: count *pairs*."),
        ((largest * (largest - 1) / (sizes * (sizes - 1))).min(), "You count the pairs in the largest part only: pairs "
         "in the other parts stay together, too."),
        ((own == predicted).mean(), "You compare ids. Names of clusters mean nothing: ask about pairs."),
    ]  # fmt: skip
    name_mistake(value, hints, _same_strength)


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
    origin = x.mean(0)
    axes = np.linalg.lstsq(x - origin, right, rcond=None)[0]
    both = np.concatenate([x, new])
    together, middle = _codes(both, both, d)[0], both.mean(0)

    def lie(a, b):
        """Whether the codes of x lie as these do, however the axes are turned."""
        return _near(_between(a, a), _between(b, b))

    if not lie(z, right):
        alone = "the mistake lies in those of `new`; leave x's alone."
        deviations = x.std(0)
        for other, hint in (
            (together[:n], "You took mean and axes from x and `new` together: then the codes of x change with `new`."),
            (_turned(both - origin, x, d), "You took the axes from x and `new` together: those of x are for both."),
            (_turned(new - new.mean(0), x, d), f"The codes of x are now on the axes of `new`: {alone}"),
            (_turned(x, x, d), "The codes of x are not what they were: subtract the mean before you take the axes."),
            (_turned(x - origin, x, d, last=True), "You took the *last* components: the first ones vary most."),
            (right / right.std(0), f"The codes of x are divided by their deviations: {alone}"),
            (right / right.std(0, ddof=1), f"The codes of x are divided by their deviations: {alone}"),
            (_codes(x / deviations, x, d)[0], f"You divided the columns of x by their deviations: {alone}"),
        ):  # fmt: skip
            if lie(z, other):
                raise Mistake(hint)
        raise Mistake(f"The codes of x are not what they were: {alone}")
    if not _near((z**2).sum(1), (right**2).sum(1)):
        if _near(_between(z_new, z), _between(right_new, right)):
            raise Mistake(
                "The axes are right, the origin is not: from both subtract the mean of x (of each column, of x alone). "
                f"The code of row 0 of x is {np.linalg.norm(right[0]):.3f} long; yours {np.linalg.norm(z[0]):.3f}."
            )
        raise Mistake("The codes of x are not what they were: their origin is the mean of x.")
    if _near(_between(z_new, z), _between(right_new, right)):
        return
    _, own = _codes(new, new, d)
    for other, hint in (
        ((new - new.mean(0)) @ axes, "`new` has still its own mean: subtract that of x from both."),
        (new @ axes, "From `new` no mean is subtracted: subtract that of x from both."),
        ((new - middle) @ axes, "From `new` you subtract the mean of all: subtract that of x from both."),
        (-right_new, "The axes of `new` point the other way: one axis, one direction, for both."),
    ):
        if _near(_between(z_new, z), _between(other, right)):
            raise Mistake(hint)
    if _near(_between(z_new, z_new), _between(own, own)):
        raise Mistake("Still the broken one: `new` has its own axes. One axis, one meaning: those of x are for both.")
    raise Mistake(
        "The codes of x are right, those of `new` are not: the same mean, the same axes, nothing else. The first of "
        f"them are {rounded(np.linalg.norm(right_new[:3], axis=1))} long; yours "
        f"{rounded(np.linalg.norm(z_new[:3], axis=1))}."
    )


def _turned(learned, rows, d, last=False):
    """Codes of rows on the axes of what is learned from, as it stands."""
    vectors = np.linalg.svd(learned, full_matrices=False)[2]
    return rows @ (vectors[-d:] if last else vectors[:d]).T


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


# At .5 k = 8 is right: it reaches .5 with its standard error. Without errors 7 does, with two of them 10, with the
# deviation 12. The strengths at k = 5 lie below those of their neighbours, and there are gaps between the ks.
_KS = [2, 3, 5, 7, 8, 10, 12, 15]
_MEANS = np.array([0.97, 0.80, 0.45, 0.62, 0.49, 0.465, 0.455, 0.30])
_SPREAD = np.array([0.03, 0.10, 0.02, 0.08, 0.06, 0.06, 0.06, 0.04])


def _strengths(n_splits=9):
    """Rows with exactly these means and deviations, whose medians choose another k."""
    rng = _rng()
    while True:
        rows = rng.normal(size=(len(_KS), n_splits))
        rows = (rows - rows.mean(1, keepdims=True)) / rows.std(1, ddof=1, keepdims=True)
        rows = _MEANS[:, None] + _SPREAD[:, None] * rows
        reach = np.median(rows, 1) + _SPREAD / n_splits**0.5 >= 0.5
        if max(np.array(_KS)[reach]) != 8:
            return rows


def whole(value):
    """The whole number that this is, also in an array or a tensor; None if it is none, as 6.0."""
    if hasattr(value, "shape"):
        value = value.reshape(-1).tolist()[0] if math.prod(value.shape) == 1 else None
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _choose_k(function):
    strengths = _strengths()
    value = function(list(_KS), strengths.copy(), 0.5)
    number = single_number(value, "The chosen k")
    if whole(value) is None:
        raise Mistake(f"k is a whole number (an int); yours is {number:g}, a {kind(value)}.")
    table = f"For k = {_KS} with the means {rounded(_MEANS)} and the standard errors {rounded(_SPREAD / 3)}, "
    hints = {
        2: "you took the strongest or the smallest: few clusters are always strong. Take the *largest* k that reaches "
           "the threshold.",
        3: "you stopped at the first k below the threshold, though a larger one reaches it again; or your threshold is "
           "not .5.",
        0: "you returned a position: return the k itself.",
        4: "you returned a position, or how many ks reach the threshold: return the k itself.",
        5: "you returned a position, counted from 1: return the k itself.",
        6: "you computed the k from its position: ks may have gaps, return the k itself.",
        7: "you compared the mean alone, took the error away, or divided the deviation by more than the root of the "
           "number of splits: the mean *plus* its standard error is to reach it.",
        10: "you added more than one standard error, or took another middle than the mean.",
        12: "you added the standard deviation: the standard *error* is that over the root of the number of splits.",
        15: "you returned the largest k of all: does the threshold have an effect? Or did you take the mean over the "
            "ks? The splits lie along axis 1.",
    }  # fmt: skip
    if number != 8:
        hint = hints.get(int(number), "that is none of the ks, nor 1.")
        raise Mistake(f"{table}threshold .5, k is 8. Yours is {int(number)}: {hint}")
    value = function(list(_KS), strengths.copy(), 0.75)
    if value is None or single_number(value, "The chosen k") != 3:
        raise Mistake(f"{table}threshold .75, k is 3. Yours is {value}: does your threshold follow the argument?")
    flat = np.full((2, 4), 0.25)
    many = np.tile([0.4, 0.6], (2, 18))  # 36 splits: the deviation is 0.101, the standard error 0.017
    two = np.array([[0.44, 0.56], [0.34, 0.46]])  # means .5 and .4, standard errors .06
    for strengths, threshold, expected, hint in [
        (flat, 0.25, 3, "A strength that is exactly the threshold reaches it: ≥, not >."),
        (flat, 0.3, 1, "Where no k reaches the threshold, the answer is 1: there is no sign of clusters."),
        (many, 0.53, 1, "The standard error is the deviation over the root of the number of *splits*, not of ks: here "
         "there are 2 ks and 36 splits."),
        (two, 0.45, 3, "The deviation of few splits has n − 1 below: `ddof=1`."),
        (two, 0.47, 2, "Only the deviation has R − 1 below: the standard error is that over the root of R."),
    ]:  # fmt: skip
        value = function([2, 3], strengths.copy(), threshold)
        if value is None or single_number(value, "The chosen k") != expected:
            means, r = rounded(strengths.mean(1)), strengths.shape[1]
            raise Mistake(
                f"{hint} (For the ks 2 and 3, {r} splits, means {means}, standard errors "
                f"{rounded(strengths.std(1, ddof=1) / r**0.5)} and the threshold {threshold}, k is {expected}; yours "
                f"is {value}.)"
            )


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
            same = np.resize(np.flatnonzero(y[:m] == y[0])[::-1], 20)  # other company: one group's pictures, repeated
            turned = read_labels(function(x[m:].copy(), x[:m][same].copy(), 1), len(x) - m, len(same))
            if not np.array_equal(turned[0], labels[0]):
                raise Mistake("The labels of x changed with `new`: learn from x alone.")
            if not np.array_equal(turned[1], labels[1][same]):
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
