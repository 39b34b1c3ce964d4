"""Checks of the assignment *K-means*: each says at once whether a task is solved and, if not, what looks wrong.

When your work is graded, the same checks run in the teacher's process, and more questions of their kind.
"""

import math

import torch

from dclib.classroom.exercises import Mistake, Tasks, close, kind, many_calls, parts_of, single_number, tensor_of_shape

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
    if close(D.double().square(), expected):
        raise Mistake("Your distances look like Euclidean distances: the loss needs squared ones.")
    if close(D, expected / 2):
        raise Mistake("You took the mean over the features (here d = 2): a squared distance is their sum.")
    if close(D, torch.tensor([[0.0, 3.0], [7.0, 4.0], [2.0, 3.0]])):
        raise Mistake("These are sums of absolute differences: square the differences before you sum.")
    if close(D, torch.tensor([[0.0, 9.0], [49.0, 16.0], [4.0, 1.0]])):
        raise Mistake("You summed before you squared: (a + b)² is not a² + b².")
    if close(D, -expected):
        raise Mistake("Your distances are negative: the sign is the wrong way round.")
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
    hints = {
        11.0 / 4: "Your loss is a mean over the samples: equation (1) is a sum.",
        0.0 + 1 + 1 + 3: "Your loss sums Euclidean distances: equation (1) has squared ones.",
        530.0: "Your loss sums the distances to all centres: each sample pays only for its own.",
        0.0 + 1 + 1 + 81: "Your loss squares the squared distances once more.",
        324.0: "Your loss sums the largest distances: each sample pays for its nearest centre.",
    }
    if not math.isclose(loss, loss_expected, rel_tol=1e-4):
        for value, hint in hints.items():
            if math.isclose(loss, value, rel_tol=1e-4):
                raise Mistake(hint)
        raise Mistake(f"The labels are right, and the loss here is 0 + 1 + 1 + 9 = 11; yours is {loss:g}.")


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

    means, sizes = update(X, labels, len(centers), torch.ones(len(X)))
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
        if not isinstance(value, float | int):
            raise Mistake(f"The history must hold plain numbers; yours holds a {kind(value)}: `float(loss)` makes one.")
    if not history:
        raise Mistake("The history is empty: append the loss of each assignment step.")
    return answer


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

    centers, labels, history = run(max_iter=4)
    if not 4 <= len(history) <= 5:
        raise Mistake(f"With max_iter=4 your history has {len(history)} entries: at most max_iter iterations, please.")
    if not torch.equal(labels, _lent_assign(X, centers)[0]):
        raise Mistake(
            "When max_iter ends the loop, here after 4 iterations, some of your labels are not the nearest of the "
            "centres that you return: these have moved since you assigned."
        )


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
        except (IndexError, RuntimeError) as error:
            if "non-zero size" in str(error):
                raise Mistake(
                    "A cluster is empty here, and the median of nothing is an error: let its centre stay where it is."
                ) from None
            raise
        return _three_results(answer, len(X), start.shape)

    # The first sample is 3 + 3 = 6 away from the first centre and 5 + 0 = 5 from the second.
    corner = [[0.0, 0.0], [3.0, 3.0], [5.0, 0.0]]
    _, _, history = run(corner, [[3.0, 3.0], [5.0, 0.0]], max_iter=1)
    hints = {
        18.0: "Your loss still sums squares: equation (6) has absolute differences.",
        18.0**0.5: "Your distances are still Euclidean: equation (6) sums the absolute differences of the features.",
        6.0: "You assign by Euclidean distances and sum absolute differences: both steps must use the same distance.",
        5.0 / 3: "Your loss is a mean over the samples: equation (6) is a sum.",
        2.5: "You took the mean over the features (here d = 2): equation (6) sums over them.",
    }
    if not math.isclose(history[0], 5.0, rel_tol=1e-4):
        for value, hint in hints.items():
            if math.isclose(history[0], value, rel_tol=1e-4):
                raise Mistake(hint)
        raise Mistake(
            f"For the samples {corner} and the centres [3, 3] and [5, 0] the first loss is 5 + 0 + 0 = 5: the first "
            f"sample is 6 away from the one and 5 from the other. Yours is {history[0]:g}."
        )

    X = [[0.0, 0.0], [1.0, 0.0], [5.0, 1.0], [0.0, 10.0], [1.0, 11.0], [2.0, 30.0]]
    far = [500.0, 500.0]
    for start in ([[0.0, 1.0], [1.0, 9.0]], [[0.0, 1.0], [1.0, 9.0], far]):
        centers, labels, history = run(X, start)
        expected = torch.tensor([[1.0, 0.0], [1.0, 11.0], far][: len(start)])
        if centers.is_floating_point() and centers.isnan().any():
            raise Mistake("A cluster is empty here, and its centre became NaN: let it stay where it is.")
        if len(history) == 1:
            raise Mistake("Your loop ended after one iteration: go on until no label changes.")
        if any(b > a * (1 + 1e-5) for a, b in zip(history, history[1:])):
            if close(centers[:2], torch.tensor([[2.0, 1 / 3], [1.0, 17.0]])):
                raise Mistake(
                    "Your centres are the means of their clusters, and the loss goes up: the mean is best for squares. "
                    "Which point has the smallest sum of absolute differences?"
                )
            raise Mistake("Your loss goes up: is your update the best answer to absolute differences?")
        if close(centers[:2], torch.tensor([[2.0, 1 / 3], [1.0, 17.0]])):
            raise Mistake(
                "Your centres are the means of their clusters: the mean is best for squares. Which point has the "
                "smallest sum of absolute differences?"
            )
        if len(start) == 3 and not close(centers[2], expected[2]):
            raise Mistake("No sample chose the third centre, and it moved. Let it stay where it is.")
        if not close(centers, expected):
            raise Mistake(
                f"The first cluster holds {X[:3]}: the point with the smallest sum of absolute differences, feature by "
                f"feature, is [1, 0]; yours is {_rounded(centers[0])}."
            )
        if labels.tolist() != [0, 0, 0, 1, 1, 1]:
            raise Mistake("The first three samples belong to the first centre, the others to the second; yours differ.")
        if not math.isclose(history[0], 34, rel_tol=1e-4) or not math.isclose(history[-1], 28, rel_tol=1e-4):
            raise Mistake(
                f"The loss falls from 34, that of the given centres, to 28, that of the returned ones; "
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
    steps = [[0.0], [1.0], [2.0], [3.0], [4.0], [20.0], [21.0]]
    centers, labels, history = run(steps, [[0.0], [1.0]], max_iter=1)
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
        answer = function(X.clone(), torch.tensor(start))
        centers, labels, history = _three_results(answer, 7, (len(start), 1))
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
