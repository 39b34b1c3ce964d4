"""Checks of the assignment *K-means*: each says at once whether a task is solved and, if not, what looks wrong.

When your work is graded, the same checks run in the teacher's process, and more questions of their kind.
"""

import math

import torch

from dclib.classroom.exercises import (
    Mistake,
    Tasks,
    close,
    compare_number,
    kind,
    many_calls,
    name_mistake,
    parts_of,
    same_number,
    single_number,
    tensor_of_shape,
    told_apart,
)

TASKS = Tasks("squared_distances", "assign", "update", "kmeans_plus_plus", "lloyd", "kmedians", "mended_lloyd")

# You are to write k-means yourself: while your work is graded these cannot be imported.
FORBIDDEN = (
    "dclib.kmeans",
    "dclib.balanced_kmeans",
    "dclib.gradient_kmeans",
    "dclib.engine.elkan",
    "sklearn.cluster",
    "scipy.cluster.vq",
    "mlxtend.cluster",
)


def _distances(X, centers):
    from dclib.kmeans import squared_distances

    return squared_distances(X, centers)


# --- task 1 ---


def squared_distances(function):
    """Check task 1."""
    TASKS.check(function, _squared_distances)


def _squared_distances(function):
    X = torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.0, 1.0]])
    centers = torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    expected = torch.tensor([[0.0, 9.0], [25.0, 16.0], [2.0, 5.0]])
    try:
        D = function(X, centers)
    except RuntimeError as error:
        if "must match the size" in str(error):
            raise Mistake(
                "`X` has n rows and `centers` has k rows, so PyTorch cannot subtract one from the other as they are. "
                "Every sample must meet every centre: look up broadcasting. Where would a dimension of size 1 help?"
            ) from None
        raise
    if isinstance(D, torch.Tensor):
        if D.shape == (2, 3):
            raise Mistake("Row i must be a sample, column k a centre: yours is transposed, (k, n) instead of (n, k).")
        if D.ndim == 3:
            raise Mistake(
                f"Yours has shape {tuple(D.shape)}: one number for each feature. "
                "A distance is one number for each pair: something is left to sum over."
            )
        if D.shape == (3,):
            raise Mistake("Yours has one number for each sample. Each sample has k distances, one to each centre.")
    D = tensor_of_shape(D, (3, 2), "the table of distances (here n = 3 samples, k = 2 centres)")
    inner, x, c = X @ centers.T, X.square().sum(1, keepdim=True), centers.square().sum(1)
    name_mistake(
        D,
        [
            (expected.sqrt(), "Your distances look like Euclidean distances: the loss needs squared ones."),
            (expected / 2, "You have half of it. Did you take the mean over the features (here d = 2)? A squared "
             "distance is their sum, without a ½."),
            (expected.square(), "You squared once more: a squared distance is the sum of the squares."),
            (torch.tensor([[0.0, 3.0], [7.0, 4.0], [2.0, 3.0]]), "These are sums of absolute differences: square the "
             "differences before you sum."),
            (torch.tensor([[0.0, 9.0], [49.0, 16.0], [4.0, 1.0]]), "You summed before you squared: (a + b)² is not "
             "a² + "
             "b²."),
            (-expected, "Your distances are negative: the sign is the wrong way round."),
            (inner, "These are products of samples and centres: a distance is that of their difference."),
            (x + 2 * inner + c, "The term in the middle of the expanded square has the wrong sign: − 2 x · μ."),
            (x - 2 * inner, "The term ‖μ‖² of the expanded square is missing."),
            ((x - 2 * inner).clamp(min=0), "The term ‖μ‖² of the expanded square is missing."),
            (c - 2 * inner, "The term ‖x‖² of the expanded square is missing."),
            ((c - 2 * inner).clamp(min=0), "The term ‖x‖² of the expanded square is missing."),
            (x - inner + c, "The 2 in the middle of the expanded square is missing: − 2 x · μ."),
            (x + c, "The term in the middle of the expanded square is missing: − 2 x · μ."),
            ((X[:, None] - centers).square().amax(2), "You took the largest of the features' squares: sum over them."),
        ],
    )  # fmt: skip
    for i, k in (~((D - expected).abs() <= 1e-3)).nonzero().tolist():  # NaN is not <= either
        raise Mistake(
            f"For the sample {X[i].tolist()} and the centre {centers[k].tolist()} "
            f"the squared distance is {expected[i, k]:g}; yours is {D[i, k]:g}."
        )
    if function(X[:1], centers).shape != (1, 2) or function(X[:, :1], centers[:, :1]).shape != (3, 2):
        raise Mistake("With a single sample, or a single feature, the table must still have shape (n, k).")

    points = 100 + torch.randn(60, 40, generator=torch.Generator().manual_seed(0))
    D = tensor_of_shape(function(points, points), (60, 60), "the table of distances of 60 points to themselves")
    if (D < 0).any():
        raise Mistake(
            f"For points far from the origin some of your distances are negative, down to {D.min():.2g}. That is "
            "rounding: large terms cancel. A squared distance is never below 0, so clip it there."
        )


# --- task 2 ---


def assign(function):
    """Check task 2."""
    TASKS.check(function, _assign, lend={"squared_distances": _distances})


def _assign(function):
    X = torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0], [0.0, 4.0]])
    centers = torch.tensor([[8.0, 0.0], [0.0, 0.0], [0.0, 7.0]])
    # The squared distances: 64 0 49 | 49 1 50 | 1 81 130 | 80 16 9
    expected, loss_expected = torch.tensor([1, 1, 0, 2]), 11.0
    labels, loss = parts_of(function(X, centers), 2, "two things, `labels, loss`")
    if isinstance(labels, float) or (isinstance(labels, torch.Tensor) and labels.ndim == 0):
        raise Mistake("Return the labels first and the loss second; yours look exchanged.")
    if isinstance(labels, torch.Tensor):
        if labels.shape == (3,):
            raise Mistake(
                "You have one label for each centre. Each *sample* needs one: "
                "look for the minimum along the other dimension."
            )
        if labels.shape == (4, 1):
            raise Mistake("Your labels have shape (n, 1); they must have shape (n,).")
        if labels.shape == (4, 3):
            raise Mistake("Your labels have one column for each centre; a label is the *number* of the nearest centre.")
    labels = tensor_of_shape(labels, (4,), "the labels (here n = 4 samples)")
    if close(labels, torch.tensor([0, 2, 2, 0])):
        raise Mistake("You chose the farthest centre of each sample: the nearest one has the smallest distance.")
    if labels.dtype != torch.int64:
        if close(labels, torch.tensor([0, 1, 1, 9])):
            raise Mistake("These are the smallest distances. A label is the *place* of the smallest one, 0 to k − 1.")
        raise Mistake(
            f"Labels are whole numbers (torch.int64), so that they can be used as an index; yours are {labels.dtype}."
        )
    if close(labels, expected + 1):
        raise Mistake("Your labels start at 1: the first centre has number 0.")
    for i in (labels != expected).nonzero().flatten().tolist():
        raise Mistake(
            f"Of the centres {centers.tolist()} the nearest to {X[i].tolist()} has number {expected[i]}; "
            f"you chose {labels[i]}."
        )
    loss = single_number(loss, "the loss")
    hints = [
        (11.0 / 4, "Your loss is a mean over the samples: equation (1) is a sum."),
        (11.0 / 2, "Your loss is half of it: equation (1) has no ½, and sums over the features, too (here d = 2)."),
        (11.0 / 3, "You divided by the number of centres: equation (1) is a sum."),
        (0.0 + 1 + 1 + 3, "Your loss sums Euclidean distances: equation (1) has squared ones."),
        (530.0, "Your loss sums the distances to all centres: each sample pays only for its own."),
        (0.0 + 1 + 1 + 81, "Your loss squares the squared distances once more."),
        (324.0, "Your loss sums the largest distances: each sample pays for its nearest centre."),
        (0.5 + 1 + 9, "Your loss sums the means of the clusters: equation (1) sums over all samples."),
        (
            1.0 + 0 + 9,
            "Your loss sums the smallest distance of each *centre*: each sample pays for its nearest centre.",
        ),
        (9.0, "Your loss is the largest of the distances: equation (1) is their sum."),
        (math.sqrt(11), "You took the root of the loss: equation (1) has none."),
    ]
    otherwise = f"The labels are right, and the loss here is 0 + 1 + 1 + 9 = 11; yours is {told_apart(11, loss)[1]}."
    compare_number(loss, loss_expected, hints, otherwise)


def _rounded(row):
    return [round(value, 2) for value in row.tolist()]


# --- task 3 ---


def update(function):
    """Check task 3."""
    TASKS.check(function, _update)


def _update(function):
    X = torch.tensor([[0.0, 0.0], [2.0, 0.0], [10.0, 9.0], [12.0, 15.0], [5.0, 6.0]])
    centers = torch.tensor([[1.0, 1.0], [7.0, -7.0], [8.0, 9.0]])

    over_features = "A centre has d features, as a sample has: take the mean over the samples, not over the features."

    def run(labels):
        try:
            return function(X.clone(), torch.tensor(labels), centers.clone())
        except RuntimeError as error:
            if "must match the existing size" in str(error) or "stack expects each tensor" in str(error):
                raise Mistake(f"{over_features} (PyTorch says: {str(error).splitlines()[0]})") from None
            raise

    def compare(new, expected, labels, empty):
        if isinstance(new, torch.Tensor) and new.shape == (2, 2):
            raise Mistake(
                f"You returned 2 centres instead of 3: cluster {empty} has no sample, and it got lost. "
                "k is the number of rows of `centers`, whatever the labels are."
            )
        if isinstance(new, torch.Tensor) and new.shape in ((3,), (3, 1)):
            raise Mistake(over_features)
        new = tensor_of_shape(new, (3, 2), "the new centres (here k = 3, d = 2)")
        if new[empty].isnan().any():
            raise Mistake(
                f"An empty cluster gave NaN: cluster {empty} has no sample here, and the mean of nothing is 0/0. "
                "Let its centre stay where it is."
            )
        if not close(new[empty], centers[empty]):
            for k in (k for k in range(3) if k != empty and close(new[empty], expected[k])):
                raise Mistake(
                    f"Centre {empty} got the mean of cluster {k}: the number of a cluster is its label. Do you "
                    f"count the "
                    f"labels that occur, or begin to count at 1? Cluster {empty} has no sample here."
                )
            where = "to the origin" if not new[empty].any() else f"to {_rounded(new[empty])}"
            raise Mistake(
                f"Cluster {empty} has no sample here, and its centre moved {where}. Let it stay where it is, "
                f"at {centers[empty].tolist()}."
            )
        if new.is_floating_point() and new.isnan().any():
            raise Mistake("There is NaN in a centre that has samples: what do you divide by?")
        if close(new, centers):
            raise Mistake("Your centres did not move at all.")
        sizes = torch.bincount(torch.tensor(labels), minlength=3)[:, None]
        filled = [k for k in range(3) if k != empty]
        if close(new[filled], (expected * sizes)[filled]):
            raise Mistake("These are sums: divide each by the number of samples in its cluster.")
        if close(new[filled], (expected * sizes)[filled] / 5):
            raise Mistake("You divided by the number of all samples: divide by the number of samples in the cluster.")
        if close(new[filled], (expected + centers)[filled] / 2):
            raise Mistake("Your centres go half of the way: the new centre is the mean itself.")
        mine = [X[torch.tensor(labels) == k] for k in range(3)]
        if close(new[filled], ((expected * sizes + centers) / (sizes + 1))[filled]):
            raise Mistake("The old centre counts as a sample in your means: take those of the samples alone.")
        if close(new[filled], (expected * sizes / (sizes + 1))[filled]):
            raise Mistake("You divided by n_k + 1: the mean divides by n_k.")
        if close(new[filled], (expected * sizes / (sizes - 1).clamp(min=1))[filled]):
            raise Mistake("You divided by n_k − 1: the mean divides by n_k.")
        if all(close(new[k], mine[k].mean().expand(2)) for k in filled):
            raise Mistake("Your mean is one number for all features: take it over the samples alone, dim=0.")
        for k in range(3):
            if k != empty and close(new[k], centers[k]):
                raise Mistake(
                    f"Centre {k} did not move, although its cluster has samples. Does your loop come to it, "
                    "or is the `return` inside the loop?"
                )
            if not close(new[k], expected[k]):
                raise Mistake(
                    f"Cluster {k} holds {X[torch.tensor(labels) == k].tolist()}: their mean is {expected[k].tolist()}; "
                    f"yours is {_rounded(new[k])}."
                )

    first = [0, 0, 2, 2, 2]
    compare(run(first), torch.tensor([[1.0, 0.0], [7.0, -7.0], [9.0, 10.0]]), first, empty=1)
    last = [0, 0, 1, 1, 1]
    compare(run(last), torch.tensor([[1.0, 0.0], [9.0, 10.0], [8.0, 9.0]]), last, empty=2)
    alone = [1, 1, 2, 2, 1]
    compare(run(alone), torch.tensor([[1.0, 1.0], [7 / 3, 2.0], [11.0, 12.0]]), alone, empty=0)
    single = [0, 2, 2, 2, 2]
    compare(run(single), torch.tensor([[0.0, 0.0], [7.0, -7.0], [7.25, 7.5]]), single, empty=1)


# --- task 4 ---


def kmeans_plus_plus(function):
    """Check task 4."""
    TASKS.check(function, _kmeans_plus_plus, lend={"squared_distances": _distances})


def _kmeans_plus_plus(function):
    def run(X, k, seeds):
        return many_calls(function, [(X.clone(), k, torch.Generator().manual_seed(seed)) for seed in seeds])

    X = torch.tensor([[0.0, 0.0], [1.0, 5.0], [4.0, 4.0], [9.0, 1.0], [2.0, 8.0], [7.0, 7.0]])
    (centers,) = run(X, 4, [0])
    if isinstance(centers, torch.Tensor) and centers.ndim == 1:
        raise Mistake("You returned the row numbers of the chosen samples: return the samples themselves, X[rows].")
    centers = tensor_of_shape(centers, (4, 2), "the centres (here k = 4, d = 2)")
    for center in centers:
        if not (X == center).all(1).any():
            raise Mistake(f"The centre {_rounded(center)} is not one of the samples: k-means++ starts from samples.")
    runs, again = run(X, 4, range(20)), run(X, 4, range(20))
    if not all(torch.equal(a, b) for a, b in zip(runs, again)):
        raise Mistake(
            "Two calls with generators of the same seed gave different centres: "
            "draw all random numbers from `generator`."
        )
    if all(torch.equal(a, runs[0]) for a in runs):
        raise Mistake(
            "The centres are the same for every seed: draw them from `generator`, and do not seed anything yourself."
        )

    # Three samples on a line, at 0, 1 and 3. From 0, the squares are 1 and 9, so the second centre is 1 with p = 1/10.
    line = torch.tensor([[0.0], [1.0], [3.0]])
    pairs = [tuple(centers.flatten().tolist()) for centers in run(line, 2, range(1000))]
    firsts = [sum(a == x for a, _ in pairs) / len(pairs) for x in (0.0, 1.0, 3.0)]
    if max(firsts) > 0.42:
        raise Mistake(
            f"The first centre should be any sample with equal probability. Of 1000 runs on the samples 0, 1, 3, "
            f"{max(firsts):.0%} began with the same one."
        )
    if any(a == b for a, b in pairs):
        raise Mistake(
            "Sometimes you drew the same sample twice. A sample that is a centre has distance 0 to its nearest centre, "
            "so its probability is 0."
        )
    start = [b for a, b in pairs if a == 0.0]
    p = sum(b == 1.0 for b in start) / len(start)
    if abs(p - 0.1) > 0.075:
        hints = {
            0.5: "that is what equal probabilities give: far samples must be more likely.",
            0.25: "that is what distances give, 1 and 3: use the squared ones.",
            0.0: "the farthest sample always wins: draw at random, with these probabilities.",
            0.9: "near samples are more likely than far ones: it must be the other way round.",
            0.75: "near samples are more likely than far ones: it must be the other way round.",
        }
        near = min(hints, key=lambda value: abs(value - p))
        why = hints[near] if abs(near - p) < 0.06 else "what are your probabilities?"
        if p < 0.025 and p > 0:
            why = "that is what fourth powers give: task 1 has squared the distances already."
        raise Mistake(
            f"With the samples 0, 1, 3 and first centre 0, the squared distances are 1 and 9, so 1 should come next in "
            f"10% of the runs. In yours it is {p:.0%}: {why}"
        )

    for centers in run(X, 6, range(100)):
        if len(centers.unique(dim=0)) < 6:
            raise Mistake(
                "With k = n = 6 every sample must be chosen, but yours drew some twice. What counts is the distance to "
                "the *nearest* of the centres so far (not to the last one, not to all): it is 0 for a centre itself."
            )
    # Four samples on a line. After 0 and 11, in any order, the nearest squares are 4 for 2 and 1 for 10.
    line = torch.tensor([[0.0], [2.0], [10.0], [11.0]])
    triples = [tuple(centers.flatten().tolist()) for centers in run(line, 3, range(1000))]
    share = {}
    for pair in ((0.0, 11.0), (11.0, 0.0)):
        thirds = [c for a, b, c in triples if (a, b) == pair]
        share[pair] = sum(c == 2.0 for c in thirds), len(thirds)
    p = sum(twos for twos, _ in share.values()) / max(sum(n for _, n in share.values()), 1)
    if abs(p - 0.8) > 0.15:
        after_0, after_11 = (twos / max(n, 1) for twos, n in share.values())
        why = (
            "What counts is the distance to the *nearest* of them: no mean, no sum, not the largest, nor equal chances."
        )
        if after_0 < 0.25 and after_11 > 0.75:
            why = "You measure from the first centre only: what counts is the nearest of *all* centres so far."
        if after_0 > 0.75 and after_11 < 0.25:
            why = "You measure from the last centre only: what counts is the nearest of *all* centres so far."
        raise Mistake(
            "With the samples 0, 2, 10, 11 and the centres 0 and 11 the squared distances to the nearest centre are 4 "
            f"and 1, so the third is 2 in 80% of the runs. In yours it is {p:.0%}. {why}"
        )
    before = torch.get_rng_state()
    run(X, 4, [0])
    if not torch.equal(before, torch.get_rng_state()):
        raise Mistake("Your function used PyTorch's global random numbers: draw all of them from `generator`.")


# --- task 5 ---


def _lent_assign(X, centers):
    from dclib.kmeans import assign, lloyd

    loss = lloyd(X, centers, max_iter=1)[2][0]  # that of the centres it is given
    return assign(X, centers)[0], torch.tensor(loss)


def _lent_update(X, labels, centers):
    from dclib.kmeans import update

    means, sizes = update(X, labels, len(centers), torch.ones(len(X), dtype=X.dtype))
    return torch.where(sizes[:, None] > 0, means, centers)


def _three_results(answer, n, shape):
    """`centers, labels, history` of a loop over n samples, if they are of the right kind."""
    k, d = shape
    centers, labels, history = parts_of(answer, 3, "three things, `centers, labels, history`")
    tensor_of_shape(centers, (k, d), f"the centres (first of the three results; here k = {k}, d = {d})")
    tensor_of_shape(labels, (n,), f"the labels (second of the three results; here n = {n})")
    if not isinstance(history, list):
        raise Mistake(f"The history is a list of numbers; yours is a {kind(history)}.")
    for value in history:
        if isinstance(value, torch.Tensor):
            raise Mistake("The history must hold plain numbers; yours holds a Tensor: `float(loss)` makes one.")
    if not history:
        raise Mistake("The history is empty: append the loss of each assignment step.")
    if labels.dtype != torch.int64:
        raise Mistake(f"Labels are whole numbers (torch.int64); yours are {labels.dtype}.")
    return centers.float(), labels, [single_number(value, "an entry of the history") for value in history]


def lloyd(function):
    """Check task 5."""
    TASKS.check(
        function,
        _lloyd,
        lend={"squared_distances": _distances, "assign": _lent_assign, "update": _lent_update},
    )


def _lloyd(function):
    X = torch.tensor([10.0, 5.0]) * torch.rand(120, 2, generator=torch.Generator().manual_seed(10))
    start = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]])  # all in one corner: far to go

    def run(**options):
        answer = function(X.clone(), start.clone(), **options)
        return _three_results(answer, len(X), start.shape)

    centers, labels, history = run(max_iter=100)
    first = float(_lent_assign(X, start)[1])
    nearest, loss = _lent_assign(X, centers)
    rises = [t for t in range(1, len(history)) if history[t] > history[t - 1] * (1 + 1e-5)]
    if math.isclose(history[0], first / len(X), rel_tol=1e-3):
        raise Mistake("Your history holds means over the samples: the loss (1) is a sum.")
    if rises:
        t = rises[0]
        raise Mistake(
            f"Your loss went up in iteration {t + 1}, from {history[t - 1]:.1f} to {history[t]:.1f}. Neither step of "
            "Lloyd's algorithm can raise it: does each step work with the newest centres and labels?"
        )
    if len(history) == 1:
        raise Mistake("Your loop ended after one iteration: go on until no label changes.")
    if not math.isclose(history[0], first, rel_tol=1e-3):
        raise Mistake(
            f"The first entry of the history must be the loss of the centres that were given, here {first:.1f}; "
            f"yours is {history[0]:.1f}. Do you start from these centres, and assign before you update?"
        )
    if len(history) >= 100:
        raise Mistake(
            "Your loop ran for all of max_iter = 100 iterations, although the labels stop changing long before: "
            "when is it done?"
        )
    if not torch.equal(labels, nearest):
        raise Mistake(
            f"{(labels != nearest).sum()} of your labels are not the nearest of the centres that you return: "
            "labels and centres are from different steps."
        )
    if not close(centers, _lent_update(X, labels, centers)):
        raise Mistake("Your loop ended too early: the centres are not yet the means of their clusters.")
    if not math.isclose(history[-1], float(loss), rel_tol=1e-3):
        raise Mistake(
            f"The last entry of the history, {history[-1]:.1f}, is not the loss of what you return, {float(loss):.1f}."
        )
    if len(history) > 3 and history[-1] == history[-4]:
        raise Mistake("Your loop went on although nothing changed any more: stop when no label changes.")

    _small_runs(function)
    centers, labels, history = run(max_iter=4)
    if not 4 <= len(history) <= 5:
        raise Mistake(f"With max_iter=4 your history has {len(history)} entries: at most max_iter iterations, please.")
    places = [start]
    for _ in range(6):
        places.append(_lent_update(X, _lent_assign(X, places[-1])[0], places[-1]))
    if not close(centers, places[4]) and not close(centers, places[3]):
        moves = [m for m, place in enumerate(places) if close(centers, place)]
        raise Mistake(
            "With max_iter=4 there are four iterations, and after them the centres are where four updates lead. Yours "
            + (f"are where {moves[0]} lead." if moves else f"are at {[_rounded(row) for row in centers]}.")
        )
    if not torch.equal(labels, _lent_assign(X, centers)[0]):
        raise Mistake(
            "When max_iter ends the loop, here after 4 iterations, some of your labels are not the nearest of the "
            "centres that you return: these have moved since you assigned."
        )


def _small_runs(function):
    """Runs on a few samples, of which all losses are known."""
    line = [[0.0], [1.0], [2.0], [10.0], [11.0]]
    plane = [[9.0, 2.0], [7.0, 1.0], [9.0, 0.0], [8.0, 9.0], [5.0, 7.0], [7.0, 4.0]]
    heavy = [*line, [5000.0], [7000.0]]
    for samples, given, ends, losses, early in (
        (line, line[:2], [[1.0], [10.5]], [182.0, 46.0, 2.5], ""),
        (plane, plane[:2], [[8.0, 1.75], [6.5, 8.0]], [102.0, 66.0, 38.75, 19.25],
         "In the second iteration labels change, but the sizes of the clusters do not: compare the labels themselves."),
        (line, [*line[:2], [500.0]], [[1.0], [10.5], [500.0]], [182.0, 46.0, 2.5],
         "No sample chooses the third centre: it stays where it is."),
        (heavy, [*line[:2], [6000.0]], [[1.0], [10.5], [6000.0]], [2000182.0, 2000046.0, 2000002.5],
         "The samples 5000 and 7000 make nearly all of the loss, so it falls by little when the other labels change: "
         "stop when no label changes, and not by the loss."),
    ):  # fmt: skip
        X, start, expected = (torch.tensor(rows) for rows in (samples, given, ends))
        centers, labels, history = _three_results(function(X, start), len(X), expected.shape)
        told = f"For the samples {samples} and the centres {given} the losses are {losses}; yours are {history}."
        if not close(centers, expected):
            raise Mistake(
                f"For the samples {samples} and the centres {given} your loop ends at {centers.tolist()} instead of "
                f"{ends}. {early}"
            )
        right = [*losses, losses[-1]]  # the last one may be there twice
        if len(history) == len(losses) - 1 and all(same_number(a, b) for a, b in zip(history, losses)):
            raise Mistake(
                f"{told} Every assignment puts its loss into the history, also the last: append before you stop."
            )
        if len(history) < len(losses) or not all(math.isclose(a, b, rel_tol=1e-5) for a, b in zip(history, right)):
            raise Mistake(f"{told} One iteration is one assignment and one update.")


def working():
    """K-means for the cells that show it at work: the notebook's functions, or dclib's until these pass."""

    def _plus_plus(X, n_clusters, generator):
        from dclib.kmeans import kmeans_plus_plus

        return X[kmeans_plus_plus(X, n_clusters, generator)]

    def _loop(X, centers, max_iter=100):
        from dclib.kmeans import lloyd

        centers, labels, history = lloyd(X, centers, max_iter=max_iter)[:3]
        return centers, labels, history

    return TASKS.working(
        {
            "squared_distances": _distances,
            "assign": _lent_assign,
            "update": _lent_update,
            "kmeans_plus_plus": _plus_plus,
            "lloyd": _loop,
        }
    )


# --- task 6 ---


def kmedians(function):
    """Check task 6."""
    TASKS.check(function, _kmedians)


def _kmedians(function):
    def run(X, start, **options):
        X, start = torch.tensor(X), torch.tensor(start)
        try:
            answer = function(X, start, **options)
        except TypeError as error:
            if "return_types.median" not in str(error):
                raise
            raise Mistake("`.median(dim=0)` returns two things, values and places: take its `.values`.") from None
        except (IndexError, RuntimeError) as error:
            if "stack expects each tensor" in str(error):
                raise Mistake(
                    "A centre has d features, as a sample has: take the median over the samples, dim=0. (PyTorch says: "
                    f"{str(error).splitlines()[0]})"
                ) from None
            if "non-zero size" in str(error):
                raise Mistake(
                    "A cluster is empty here, and the median of nothing is an error: let its centre stay where it is."
                ) from None
            raise
        return _three_results(answer, len(X), start.shape)

    # The first sample is 3 + 3 = 6 away from the first centre and 5 + 0 = 5 from the second.
    corner = [[0.0, 0.0], [3.0, 3.0], [5.0, 0.0]]
    _, _, history = run(corner, [[3.0, 3.0], [5.0, 0.0]], max_iter=1)
    hints = [
        (18.0, "Your loss still sums squares: equation (6) has absolute differences."),
        (18.0**0.5, "Your distances are still Euclidean: equation (6) sums the absolute differences of the features."),
        (6.0, "You assign by Euclidean distances and sum absolute differences: both steps must use the same distance."),
        (5.0 / 3, "Your loss is a mean over the samples: equation (6) is a sum."),
        (2.5, "You took the mean over the features (here d = 2): equation (6) sums over them."),
        (3.0, "Your distances are the largest difference of a feature: equation (6) sums over them."),
        (25.0, "You squared the sums of absolute differences: equation (6) has no squares."),
        (21.0, "Your loss sums the distances to all centres: each sample pays only for its own."),
        (16.0, "Your loss sums the largest distances: each sample pays for its nearest centre."),
        (0.0, "Your first loss is that after the update: it is the loss of the centres that were given."),
    ]
    compare_number(
        history[0],
        5.0,
        hints,
        f"For the samples {corner} and the centres [3, 3] and [5, 0] the first loss is 5 + 0 + 0 = 5: the first "
        f"sample is 6 away from the one and 5 from the other. Yours is {told_apart(5, history[0])[1]}.",
    )

    X = [[5.0, 1.0], [0.0, 3.0], [1.0, 0.0], [0.0, 10.0], [2.0, 30.0], [1.0, 11.0]]  # in no order; (1, 1) is no sample
    far = [500.0, 500.0]
    means = torch.tensor([[2.0, 4 / 3], [1.0, 17.0]])
    for start in ([[0.0, 1.0], [1.0, 9.0]], [[0.0, 1.0], [1.0, 9.0], far]):
        centers, labels, history = run(X, start)
        expected = torch.tensor([[1.0, 1.0], [1.0, 11.0], far][: len(start)])
        if centers.isnan().any():
            raise Mistake("A cluster is empty here, and its centre became NaN: let it stay where it is.")
        if len(history) == 1:
            raise Mistake("Your loop ended after one iteration: go on until no label changes.")
        if any(b > a * (1 + 1e-5) for a, b in zip(history, history[1:])):
            if close(centers[:2], means):
                raise Mistake(
                    "Your centres are the means of their clusters, and the loss goes up: the mean is best for squares. "
                    "Which point has the smallest sum of absolute differences?"
                )
            raise Mistake("Your loss goes up: is your update the best answer to absolute differences?")
        if close(centers[:2], means):
            raise Mistake(
                "Your centres are the means of their clusters: the mean is best for squares. Which point has the "
                "smallest sum of absolute differences?"
            )
        if len(start) == 3 and not close(centers[2], expected[2]):
            raise Mistake("No sample chose the third centre, and it moved. Let it stay where it is.")
        if not close(centers, expected):
            raise Mistake(
                f"The first cluster holds {X[:3]}, the second {X[3:]}: the points with the smallest sum of absolute "
                f"differences, feature by feature, are [1, 1] and [1, 11]; yours are {_rounded(centers[0])} and "
                f"{_rounded(centers[1])}."
            )
        if labels.tolist() != [0, 0, 0, 1, 1, 1]:
            raise Mistake("The first three samples belong to the first centre, the others to the second; yours differ.")
        if not math.isclose(history[0], 35, rel_tol=1e-4) or not math.isclose(history[-1], 30, rel_tol=1e-4):
            raise Mistake(
                f"The loss falls from 35, that of the given centres, to 30, that of the returned ones; "
                f"yours from {history[0]:g} to {history[-1]:g}."
            )
        if len(history) > 4:
            raise Mistake("Your loop went on although nothing changed any more: stop when no label changes.")

    line = [[0.0], [1.0], [2.0], [3.0], [100.0]]
    centers, labels, history = run(line, [[0.0], [90.0]])
    if not (1 <= centers[0, 0] <= 2 and centers[1, 0] == 100 and math.isclose(history[-1], 4, rel_tol=1e-4)):
        raise Mistake(
            "For the samples 0, 1, 2, 3, 100 and the centres 0 and 90 the loss must end at 4, with one centre from "
            f"1 to 2 and one at 100; yours ends at {history[-1]:g}, with {_rounded(centers.flatten())}."
        )
    steps = [[0.0], [1.0], [2.0], [5.0], [6.0], [20.0], [21.0], [22.0]]
    centers, labels, history = run(steps, [[0.0], [1.0]], max_iter=1)
    if len(history) > 2:
        raise Mistake(f"With max_iter=1 your history has {len(history)} entries: at most max_iter iterations, please.")
    if centers[0] != 0 or centers[1] not in (1, 6):
        raise Mistake(
            "With max_iter=1, the samples 0, 1, 2, 5, 6, 20, 21, 22 and the centres 0 and 1 the first centre stays at "
            "0 and the second moves once, to the median of the others, 6; yours are at "
            f"{_rounded(centers.flatten())}."
        )
    table = (torch.tensor(steps) - centers.flatten()).abs()
    if not close(table.gather(1, labels[:, None])[:, 0], table.min(1).values):
        raise Mistake(
            "When max_iter ends the loop, here after 1 iteration, some of your labels are not the nearest of the "
            "centres that you return: these have moved since you assigned."
        )


# --- task 7 ---


def mended_lloyd(function):
    """Check task 7."""
    TASKS.check(function, _mended_lloyd)


def _mended_lloyd(function):
    X = torch.tensor([[0.0], [1.0], [2.0], [3.0], [10.0], [11.0], [12.0]])
    far = [500.0]
    for start in ([[0.0], [1.0]], [[0.0], [1.0], far]):
        centers, labels, history = _three_results(function(X.clone(), torch.tensor(start)), 7, (len(start), 1))
        if centers.isnan().any():
            raise Mistake("The centre of an empty cluster became NaN, the mean of nothing: let it stay where it is.")
        if len(start) == 3 and not close(centers[2], torch.tensor(far)):
            raise Mistake(
                f"No sample chooses the third centre, {far}. It moved to {_rounded(centers[2])}: "
                "let it stay where it is."
            )
        if any(b > a * (1 + 1e-5) for a, b in zip(history, history[1:])):
            raise Mistake("Now the loss goes up: sums and counts must belong to the same iteration, both of them.")
        if len(history) == 1:
            raise Mistake("Your loop ended after one iteration: the broken one went on until no centre moved.")
        if len(history) > 20:
            raise Mistake(
                f"On the samples 0, 1, 2, 3, 10, 11, 12 your loop takes {len(history)} iterations, Lloyd's takes 3. "
                "How many samples do your counts hold in the second iteration?"
            )
        means = torch.tensor([[1.5], [11.0], far][: len(start)])
        if not close(centers, means):
            raise Mistake(
                f"Of the samples 0, 1, 2, 3, 10, 11, 12 the first cluster holds 0, 1, 2, 3 and the second 10, 11, 12. "
                f"Their means are 1.5 and 11; your centres end at {_rounded(centers.flatten()[:2])}."
            )
        if not close(torch.tensor(history), torch.tensor([307.0, 76.75, 7.0])):
            raise Mistake(f"The losses here are 307, 76.75 and 7; your history is {[round(v, 2) for v in history]}.")
        if labels.tolist() != [0, 0, 0, 0, 1, 1, 1]:
            raise Mistake(
                f"The labels here are 0, 0, 0, 0, 1, 1, 1, as in the broken loop; yours are {labels.tolist()}."
            )
    _, _, history = _three_results(function(X.clone(), torch.tensor([[0.0], [1.0]]), max_iter=2), 7, (2, 1))
    if len(history) != 2:
        raise Mistake(f"With max_iter=2 the broken loop makes two iterations; your history has {len(history)} entries.")
    alone = torch.cat([X, torch.tensor([[100.0]])])
    centers, _, _ = _three_results(function(alone, torch.tensor([[0.0], [1.0], [90.0]])), 8, (3, 1))
    if not close(centers[2], torch.tensor([100.0])):
        raise Mistake(
            "A cluster holds a single sample, 100: that is its mean. Its centre began at 90 and ends at "
            f"{float(centers[2]):g}."
        )
