"""Checks of the assignment *Gradient k-means*: each says at once whether a task is solved, else what looks wrong.

When your work is graded, the same checks run in the teacher's process, and more questions of their kind.
"""

import math

import torch

from dclib.classroom.exercises import (
    Mistake,
    Tasks,
    close,
    compare_number,
    fresh_generator,
    kind,
    name_mistake,
    parts_of,
    rounded,
    same_number,
    single_number,
    tensor_of_shape,
    told_apart,
)

TASKS = Tasks("hard_gradient", "forgetting_step", "soft_assignment", "free_energy", "anneal", "mended_descent")

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


def working(*names):
    """Functions for the cells that show them at work: the notebook's, or dclib's until these pass."""
    versions = {
        "hard_gradient": _hard,
        "forgetting_step": _forget,
        "soft_assignment": _soft,
        "free_energy": _energy,
        "anneal": _anneal,
    }
    return TASKS.working({name: versions[name] for name in names})


# --- what the checks share ---


def _distances(x, centers):
    from dclib.kmeans import squared_distances

    return squared_distances(x, centers)


def _hard(x, centers):
    from dclib.gradient_kmeans import hard_gradient

    nearest, labels = _distances(x, centers).min(1)
    return nearest.mean() / 2, hard_gradient(x, centers, labels)


def _forget(batch, centers, counts, memory):
    from dclib.gradient_kmeans import _Descent

    descent = _Descent(centers.clone(), "mean", 1.0, 0.0)
    descent.counts.copy_(counts)
    size = len(batch)
    descent.step(batch, size, size / (1 - memory) if memory < 1 else math.inf)
    return descent.centers.detach(), descent.counts


def _soft(x, centers, temperature):
    return torch.distributions.Categorical(logits=-_distances(x, centers) / temperature).probs


def _energy(x, centers, temperature):
    leaf = centers.clone().requires_grad_()
    least = -(x[:, None] - leaf).square().sum(2) / temperature
    value = -temperature * least.logsumexp(1).sum() / (2 * len(x))
    return value.detach(), torch.autograd.grad(value, leaf)[0]


def _anneal(x, centers, temperatures):
    losses = []
    for temperature in temperatures:
        losses.append(float(_energy(x, centers, temperature)[0]))
        shares = _soft(x, centers, temperature)
        means = (shares / shares.sum(0)).T @ x
        centers = torch.where(means.isnan(), centers, means)
    return centers, losses


def _data(n=40, k=4, d=3):
    """Samples and centers, the last of which is nearest to none."""
    generator = fresh_generator()
    x = torch.randn(n, d, generator=generator) + 2 * torch.randint(3, (n, 1), generator=generator)
    centers = x[torch.randperm(n, generator=generator)[:k]] + 0.1
    centers[-1] = 40.0
    return x, centers


def _history(history):
    if not isinstance(history, list):
        raise Mistake(f"The history is a list of numbers; yours is a {kind(history)}.")
    for value in history:
        if isinstance(value, torch.Tensor):
            raise Mistake("The history must hold plain numbers; yours holds a Tensor: `float(loss)` makes one.")
    return [single_number(value, "an entry of the history") for value in history]


def _farthest(found, expected):
    """The row in which the two are farthest apart; NaN is farther than all."""
    return int((found.double() - expected.double()).abs().nan_to_num(nan=math.inf, posinf=math.inf).amax(1).argmax())


def _exactly(row):
    """A row for a message, with enough digits to show what `close` tells apart."""
    return [float(f"{value:.5g}") for value in row.tolist()]


# --- task 1 ---


def hard_gradient(function):
    """Check task 1."""
    TASKS.check(function, _hard_gradient)


def _hard_gradient(function):
    x, centers = _data()
    n, d = x.shape
    expected_loss, expected = _hard(x, centers)
    loss, gradient = parts_of(function(x.clone(), centers.clone()), 2, "two things, `loss, gradient`")
    loss, right = single_number(loss, "The loss"), float(expected_loss)
    table = _distances(x, centers)
    nearest, labels = table.min(1)
    sizes = torch.bincount(labels, minlength=len(centers))[:, None]
    each = torch.stack([nearest[labels == j].mean() for j in labels.unique()])
    apart = (x[:, None] - centers).abs()
    hints = [
        (2 * right, "The ½ is missing in your loss."),
        (right / 2, "There is a ½ too many in your loss."),
        (n * right, "Your loss is a sum over the samples: equation (1) is a mean."),
        (2 * n * right, "Your loss is a sum, and without the ½: equation (1) is half of a mean."),
        (right / d, "You took the mean over the features, too: a squared distance sums over them."),
        (n * right / len(centers), "You divided by the number of centres: equation (1) is a mean over the samples."),
        (float(nearest.sqrt().mean() / 2), "Your distances are Euclidean: equation (1) has squared ones."),
        (float(apart.sum(2).min(1).values.mean() / 2), "Your differences are absolute: equation (1) has squares."),
        (float(table.mean(1).mean() / 2), "Your loss has all centres in it: each sample pays only for its nearest."),
        (float(table.sum(1).mean() / 2), "Your loss has all centres in it: each sample pays only for its nearest."),
        (float(table.max(1).values.mean() / 2), "You took the farthest centre of each sample."),
        (float(table.min(0).values.mean() / 2), "You took the nearest sample of each centre: it is the nearest "
         "centre of "
         "each sample, dim=1."),
        (float(each.mean() / 2), "You took a mean for each cluster, and then their mean: (1) is one mean over all."),
        (float(each.sum() / 2), "You took a mean for each cluster, and their sum: (1) is one mean over all."),
    ]  # fmt: skip
    a, b = told_apart(right, loss, 4)
    compare_number(loss, right, hints, f"On random samples the loss is {a}; yours is {b}.")
    gradient = tensor_of_shape(gradient, tuple(centers.shape), "the gradient (a row for each centre)")
    if gradient.isnan().any():
        raise Mistake(
            "There is NaN in your gradient: one of the centres is nearest to no sample here, and the mean of nothing "
            "is 0/0. No sample depends on that centre, so its gradient is 0."
        )
    if close(gradient, expected):
        return
    euclid = torch.zeros_like(centers).index_add_(0, labels, (centers[labels] - x) / nearest.sqrt()[:, None]) / n
    q = _soft(x, centers, 1.0)
    name_mistake(
        gradient,
        [
            (-expected, "The sign is the wrong way round: yours is the way down, x − μ. The gradient is μ − x."),
            (expected * n, "Your gradient is that of a sum over the samples: the loss is a mean."),
            (expected * 2, "Your gradient is twice too large: the ½ in the loss cancels the 2 of the square."),
            (expected / 2, "Your gradient is half of what it is: the ½ in the loss cancels the 2 of the square."),
            (expected / d, "You divided by the number of features, too: the loss is a mean over the n samples only."),
            (expected * n / len(centers), "You divided by the number of centres: the loss is a mean over the samples."),
            (euclid, "Yours is the gradient of Euclidean distances: the loss has squared ones."),
            ((q.sum(0)[:, None] * centers - q.T @ x) / n, "Yours shares the samples out softly: here only the nearest "
             "centre counts."),
            (sizes * centers / n, "The sum of the samples is missing in your gradient: it is μ − x for each."),
            (centers - expected, "You returned the centres after a step: the gradient alone is asked for."),
            (
                expected * n / sizes.clamp(min=1),
                "You divided by the size of the cluster: that is μ − mean. The loss is a mean over *all* n.",
            ),
            ((centers - x[:, None]).mean(0), "Every sample pulls all centres in yours: only its nearest counts."),
            (torch.zeros_like(expected), "Your gradient is 0 everywhere."),
        ],
    )  # fmt: skip
    single = (centers[labels] - x) / n
    if all(any(close(gradient[k], one) for one in single[labels == k]) for k in labels.unique()):
        raise Mistake(
            "Each centre feels only one of its samples in yours: `gradient[labels] += …` keeps one value for each row, "
            "however many there are. `index_add_` adds them all, and so does a product with the one-hot table."
        )
    for k in range(len(centers)):
        if not close(gradient[k], expected[k]):
            raise Mistake(
                f"A centre with {int(sizes[k])} of {n} samples has the gradient {_exactly(expected[k])}; "
                f"yours is {_exactly(gradient[k])}."
            )


# --- task 2 ---


def forgetting_step(function):
    """Check task 2."""
    TASKS.check(function, _forgetting_step)


def _forgetting_step(function):
    three = torch.tensor([[4.0], [4.9], [5.5]])
    ends, seen = parts_of(
        function(three, torch.tensor([[0.0], [10.0]]), torch.ones(2), 1.0), 2, "two things, `centers, counts`"
    )
    if isinstance(seen, torch.Tensor) and close(seen, torch.tensor([4.0, 1.0])):
        raise Mistake(
            "All labels of a batch come from the centres *before* the step. Of the samples 4, 4.9 and 5.5 the last is "
            "nearer to the centre 10 than to the centre 0; in yours the first two have pulled 0 over to it."
        )
    batch, centers = _data(n=30)
    counts = torch.tensor([40.0, 25.0, 33.0, 12.0])
    labels = _distances(batch, centers).argmin(1)
    m = torch.bincount(labels, minlength=4)
    sums = torch.zeros_like(centers).index_add_(0, labels, batch)
    for memory in (0.8, 1.0):  # at 0.8 first: at 1 mistakes with γ cannot be seen
        expected, expected_counts = _forget(batch, centers, counts, memory)
        new, new_counts = parts_of(
            function(batch.clone(), centers.clone(), counts.clone(), memory), 2, "two things, `centers, counts`"
        )
        new_counts = tensor_of_shape(new_counts, (4,), "the counts (second of the two results; here k = 4)")
        each = counts * memory**m + torch.tensor([sum(memory**i for i in range(n)) for n in m.tolist()])
        name_mistake(
            new_counts.double() + (1e9 if close(new_counts, expected_counts) else 0),
            [
                (counts + m, "Your counts do not forget: γ times the old counts, plus the samples of this batch."),
                (memory * (counts + m), "You forgot the new samples, too: γ multiplies the *old* counts only."),
                (memory * counts + len(batch), "Each centre counts only the samples that are nearest to *it*."),
                (m, "Your counts are those of this batch alone: the old ones are lost, or not added."),
                (counts, "Your counts did not change."),
                (memory**2 * counts + m, "γ counts twice in your counts."),
                ((1 - memory) * counts + m, "You multiply the old counts by 1 − γ: it is γ."),
                (memory * counts + (1 - memory) * m, "The new samples count fully, without 1 − γ: γ n + m."),
                (memory * counts + 1, "Each centre counts *all* samples of the batch that are nearest to it, not one."),
                (expected_counts.floor(), "Your counts are whole numbers: with γ they are fractions, of x's type."),
                (
                    torch.where(m > 0, expected_counts, counts),
                    "The count of a centre without samples in this batch fades, too: γ times the old count.",
                ),
                (
                    torch.where(m > 0, each, memory * counts),
                    "Yours fade with every sample: γ counts once for the whole batch.",
                ),
                (each, "Yours fade with every sample: γ counts once for the whole batch, also without samples."),
            ],
        )
        if not close(new_counts, expected_counts):
            raise Mistake(
                f"With γ = {memory}, the counts {counts.tolist()} and a batch with {m.tolist()} samples the new counts "
                f"are {_exactly(expected_counts)}; yours are {_exactly(new_counts)}."
            )
        new = tensor_of_shape(new, (4, 3), "the centres (first of the two results; here k = 4, d = 3)")
        if new.isnan().any():
            raise Mistake("There is NaN in a centre: what do you divide by? A centre without samples stays.")
        if close(new, expected):
            continue
        if not close(new[3], centers[3]):
            raise Mistake("A centre to which no sample of the batch is nearest moved. Only its count changes: γ times.")
        step = sums - m[:, None] * centers
        means = torch.where(m[:, None] > 0, sums / m[:, None].clamp(min=1), centers)
        heavy = torch.where(m[:, None] > 0, (counts[:, None] * centers + sums) / expected_counts[:, None], centers)
        name_mistake(
            new,
            [
                (centers + step / counts[:, None], "You divided by the old counts: the step is 1 over the *new* ones."),
                (means, "Your centres are the means of this batch: what they have seen before is lost."),
                (centers, "Your centres did not move."),
                (
                    memory * centers + (1 - memory) * means,
                    "Your centres are γ · old + (1 − γ) · mean of the batch: in (2) the counts say how much each "
                    "weighs.",
                ),
                (
                    centers + (1 - memory) * (means - centers),
                    "Your centres are γ · old + (1 − γ) · mean of the batch: in (2) the counts say how much each "
                    "weighs.",
                ),
                (centers + memory * step / expected_counts[:, None], "There is a γ in your step: it is in the counts "
                 "only."),
                (centers + step / len(batch), "You divided by the size of the batch: each centre has its own count."),
                (centers - step / expected_counts[:, None], "Your centres move away from their samples: the sign."),
                (
                    centers + step / m[:, None].clamp(min=1) / expected_counts[:, None],
                    "You moved by the *mean* of the differences: sum them, each new sample has the weight 1.",
                ),
                (
                    centers + step / (counts + m)[:, None],
                    "Your counts forget, but your step does not: divide by the new counts, those with γ in them.",
                ),
                (heavy, "The old centre has its full weight: "
                 "γ times its count."),
            ],
        )  # fmt: skip
        k = _farthest(new, expected)
        raise Mistake(
            f"With γ = {memory}: a centre with the count {counts[k]:g} gets {int(m[k])} samples, and must move from "
            f"{_exactly(centers[k])} to {_exactly(expected[k])}; yours goes to {_exactly(new[k])}."
        )
    ends = tensor_of_shape(ends, (2, 1), "the centres")
    if not close(ends, torch.tensor([[8.9 / 3], [7.75]])):
        raise Mistake(
            "With γ = 1, the centres 0 and 10, the counts 1 and 1 and the batch 4, 4.9, 5.5 the centres move to 2.967 "
            f"and 7.75; yours are at {rounded(ends)}."
        )
    two, start = torch.tensor([[2.0], [4.0]]), torch.tensor([[9.0], [500.0]])
    first, _ = parts_of(function(two, start, torch.zeros(2), 0.5), 2, "two things, `centers, counts`")
    first = tensor_of_shape(first, (2, 1), "the centres")
    if first.isnan().any():
        raise Mistake(
            "There is NaN in a centre that has never seen a sample: its count is 0, and 0/0 is left. Let it stay."
        )
    if not close(first, torch.tensor([[3.0], [500.0]])):
        raise Mistake(
            "With counts of 0 the centres have seen nothing yet: after the samples 2 and 4 the first of the "
            f"centres 9 and 500 is their mean, 3, and the second stays; yours are at {rounded(first)}."
        )


# --- task 3 ---


def soft_assignment(function):
    """Check task 3."""
    TASKS.check(function, _soft_assignment)


_TOO_SMALL = (
    "Your q has NaN, or rows that do not sum to 1. At a low temperature exp(−d/T) is 0 for all centres, and "
    "0/0 is left. `torch.softmax` subtracts the largest exponent first."
)


def _soft_assignment(function):
    x, centers = _data()
    centers[-1] = 3.0
    table = _distances(x, centers)
    for temperature in (4.0, 0.5):
        expected = _soft(x, centers, temperature)
        q = tensor_of_shape(function(x.clone(), centers.clone(), temperature), (40, 4), "q (here n = 40, k = 4)")
        if close(q, expected):
            continue
        if q.isnan().any():
            raise Mistake(_TOO_SMALL)
        name_mistake(
            q,
            [
                (torch.softmax(table / temperature, 1), "Far centres have a large q: the minus sign is missing."),
                (torch.softmax(-table / temperature, 0), "Your columns sum to 1: each *row* must."),
                (torch.softmax(-table * temperature, 1), "You multiplied by the temperature: divide by it."),
                (torch.softmax(-table.sqrt() / temperature, 1), "Your distances are Euclidean: d is squared."),
                (torch.softmax(-table, 1), "The temperature has no effect in yours."),
                (torch.softmax(-table / temperature**2 / 2, 1), "Your exponent is −d/(2T²), that of a Gaussian of "
                 "width "
                 "T: it is −d/T."),
                (torch.softmax(-table / math.sqrt(temperature), 1), "You divided by the root of the temperature."),
                (torch.softmax(-table / x.shape[1] / temperature, 1), "You took the mean over the features: d sums "
                 "over "
                 "them."),
                (torch.softmax(-(x[:, None] - centers).abs().sum(2) / temperature, 1), "Your distances are absolute "
                 "differences: d is squared."),
                (torch.softmax(x @ centers.T / temperature, 1), "These are products of samples and centres: the "
                 "exponent "
                 "has distances."),
                (_rows(1 / (1 + table / temperature)), "That is the kernel 1/(1 + d/T): here it is exp(−d/T)."),
                (expected.log(), "These are logarithms: take `softmax`, not `log_softmax`."),
                (torch.exp(-table / temperature) / torch.exp(-table / temperature).sum(), "All of your q together "
                 "sum to "
                 "1: each *row* must."),
                (torch.softmax(-table / temperature / 2, 1), "There is a ½ in your exponent: it is −d/T."),
                (torch.softmax(-table / temperature**2, 1), "You divided by the square of the temperature."),
                (torch.exp(-table / temperature), "Your rows do not sum to 1: divide each by its sum."),
                (
                    torch.nn.functional.one_hot(table.argmin(1), 4).to(q.dtype),
                    "Yours is the hard assignment: everything to the nearest.",
                ),
            ],
        )  # fmt: skip
        sums = q.sum(1)
        if (q >= 0).all() and sums.max() < 1.001 and sums.min() < 0.99:
            raise Mistake(_TOO_SMALL)
        i = _farthest(q, expected)
        raise Mistake(
            f"For squared distances {_exactly(table[i])} and T = {temperature} the row is {_exactly(expected[i])}; "
            f"yours is {_exactly(q[i])}, with the sum {float(q[i].sum()):.5g}."
        )
    q = tensor_of_shape(function(x.clone() + 100, centers.clone() + 100, 0.001), (40, 4), "q")
    if q.isnan().any() or not close(q.sum(1), torch.ones(40)):
        raise Mistake(_TOO_SMALL)
    two = table.sort(1).values[:, :2]
    clear = two[:, 1] - two[:, 0] > 0.2  # 200 T: the second share is 0 for the computer
    hard = torch.nn.functional.one_hot(table.argmin(1), 4)
    if not close(q[clear], hard[clear]):
        i = _farthest(q[clear], hard[clear])
        raise Mistake(
            f"At T = 0.001 all of a sample goes to its nearest centre. For squared distances "
            f"{rounded(table[clear][i])} "
            f"the row is {hard[clear][i].tolist()}; yours is {rounded(q[clear][i])}. Is an exponent cut off?"
        )


def _rows(values):
    return values / values.sum(1, keepdim=True)


# --- task 4 ---


def free_energy(function):
    """Check task 4."""
    TASKS.check(function, _free_energy, lend={"soft_assignment": _soft})


def _free_energy(function):
    x, centers = _data()
    centers[-1] = 3.0
    n, table = len(x), _distances(x, centers)
    for temperature in (4.0, 1.5):  # not lower: no exp(−d/T) may be 0 before the last question
        right, expected = _energy(x, centers, temperature)
        right = float(right)
        loss, gradient = parts_of(function(x.clone(), centers.clone(), temperature), 2, "two things, `loss, gradient`")
        loss = single_number(loss, "The loss")
        q = _soft(x, centers, temperature)
        log_q = torch.log_softmax(-table / temperature, 1)
        soft, entropy = float((q * table).sum(1).mean() / 2), float(-(q * log_q).sum(1).mean())

        def energy(logits, factor=-temperature / 2):
            return factor * float(logits.logsumexp(1).mean())

        hints = [
            (-right, "The sign of your loss is the wrong way round."),
            (2 * right, "The ½ is missing in your loss."),
            (n * right, "Your loss is a sum over the samples: equation (5) is a mean."),
            (right / temperature, "The factor T before the logarithm is missing in your loss."),
            (right * temperature, "The factor T before the logarithm is squared in your loss."),
            (soft, "That is the soft loss of the lesson, Σ q d: here the loss is (5)."),
            (soft + temperature / 2 * entropy, "The entropy has the wrong sign in your loss: F is soft loss − T/2 · "
             "entropy."),
            (soft - entropy / 2, "The entropy in your loss misses the factor T."),
            (float(table.min(1).values.mean() / 2), "That is the hard loss: the minimum instead of the soft one."),
            (-temperature / 2 * float((-table / temperature).logsumexp(0).mean()), "The sum in the logarithm runs over "
             "the centres, not over the samples."),
            (-temperature / 2 * float((-table / temperature).flatten().logsumexp(0)), "The sum in the logarithm "
             "runs over "
             "the centres alone; the mean over the samples stands before it."),
            (right + temperature / 2 * math.log(len(centers)), "In your logarithm stands a mean over the centres: "
             "it is a "
             "sum."),
            (right / math.log(2), "Your logarithm has base 2: the ln of (5) is the natural one."),
            (energy(table / temperature), "The minus sign in the exponent is missing: it is −d/T."),
            (energy(-table.sqrt() / temperature), "Your distances are Euclidean: d is squared."),
            (energy(-table / temperature / 2), "There is a ½ in your exponent: it is −d/T."),
            (energy(-table / temperature / 2, -temperature), "There is a ½ in your exponent instead of before the "
             "logarithm: that is not the same."),
        ]  # fmt: skip
        a, b = told_apart(right, loss, 4)
        compare_number(loss, right, hints, f"On random samples, T = {temperature}, the loss is {a}; yours is {b}.")
        gradient = tensor_of_shape(gradient, tuple(centers.shape), "the gradient (a row for each centre)")
        if close(gradient, expected):
            continue
        mean = (q * table).sum(1, keepdim=True)
        w = q * (1 + (mean - table) / temperature)
        name_mistake(
            gradient,
            [
                (-expected, "The sign of your gradient is the wrong way round: it has μ − x in it."),
                (2 * expected, "Your gradient is twice too large: the ½ of the loss cancels the 2 of the square."),
                (n * expected, "Your gradient is that of a sum over the samples: the loss is a mean."),
                ((w.sum(0)[:, None] * centers - w.T @ x) / n, "These are the weights w of the lesson's soft loss. Here "
                 "the derivative of log Σ exp is simpler: derive it."),
                (_hard(x, centers)[1], "That is the hard gradient: here a sample pulls all centres, with its q."),
                (expected / 2, "Your gradient is half of what it is: the ½ of the loss cancels the 2 of the square."),
                (expected * n / len(centers), "You divided by the number of centres: the loss is a mean over the "
                 "samples."),
                (_pulled(torch.softmax(-table / temperature, 0), x, centers), "In your gradient the columns of q "
                 "sum to 1: "
                 "each *row* must."),
                (torch.zeros_like(expected), "Your gradient is 0 everywhere."),
                (expected / temperature, "A factor 1/T is left in your gradient: it cancels."),
                (expected * temperature, "A factor T is left in your gradient: it cancels."),
                (expected * n / q.sum(0)[:, None], "You divided by the sum of q: the loss is a mean over n."),
            ],
        )  # fmt: skip
        k = _farthest(gradient, expected)
        raise Mistake(
            f"At T = {temperature} the gradient of centre {k} is {_exactly(expected[k])}; yours is "
            f"{_exactly(gradient[k])}. Compare with autograd."
        )
    loss, gradient = parts_of(function(x.clone(), centers.clone(), 1e-4), 2, "two things, `loss, gradient`")
    hard_loss, hard = _hard(x, centers)
    gradient = tensor_of_shape(gradient, tuple(centers.shape), "the gradient")
    if not (same_number(single_number(loss, "The loss"), float(hard_loss)) and close(gradient, hard)):
        raise Mistake(
            f"At T = 0.0001 loss and gradient are those of the hard assignment, here the loss {float(hard_loss):.4f}; "
            f"yours is {float(loss):.4f}. exp(−d/T) is 0 there, and its logarithm −∞: `torch.logsumexp` avoids that."
        )


def _pulled(q, x, centers):
    return (q.sum(0)[:, None] * centers - q.T @ x) / len(x)


# --- task 5 ---


def anneal(function):
    """Check task 5."""
    TASKS.check(function, _check_anneal, lend={"soft_assignment": _soft, "free_energy": _energy})


def _check_anneal(function):
    x, centers = _data(n=60)
    centers[-1] = 1.0
    temperatures = [6.0, 3.0, 1.0, 0.4]
    new, history = parts_of(
        function(x.clone(), centers.clone(), list(temperatures)), 2, "two things, `centers, history`"
    )
    new = tensor_of_shape(new, tuple(centers.shape), "the centres (first of the two results)")
    expected, losses = _anneal(x, centers, temperatures)
    history = _history(history)

    def variant(step, order=temperatures):
        at = centers
        for temperature in order:
            at = step(at, temperature)
        return at

    def plain(at, temperature):
        return at - _energy(x, at, temperature)[1]

    def shared(q, x, at, below=None):
        below = q.sum(0)[:, None] if below is None else below
        return torch.where(q.sum(0)[:, None] > 0, q.T @ x / below, at)

    def one_by_one(at, temperature):
        for k in range(len(at)):
            at = torch.where(torch.arange(len(at))[:, None] == k, shared(_soft(x, at, temperature), x, at), at)
        return at

    def late():
        at, q = centers, _soft(x, centers, temperatures[0])
        for temperature in temperatures:
            at = shared(q, x, at)
            q = _soft(x, at, temperature)
        return at

    def half(at, temperature):
        return (at + shared(_soft(x, at, temperature), x, at)) / 2

    def over_n(at, temperature):
        return shared(_soft(x, at, temperature), x, at, len(x))

    def hard(at, temperature):
        sizes = torch.bincount(_distances(x, at).argmin(1), minlength=len(at))[:, None]
        return at - _hard(x, at)[1] * len(x) / sizes.clamp(min=1)

    if not close(new, expected):
        soft = [
            _anneal(x, centers, order)[0] for order in (temperatures[::-1], temperatures[-1:] * 4, temperatures[:1] * 4)
        ]
        name_mistake(
            new,
            [
                (soft[0], "You took the temperatures from the last to the first: keep their order."),
                (soft[1], "You took the last temperature in every step."),
                (soft[2], "You took the first temperature in every step."),
                (variant(plain), "That is a gradient step of size 1: a centre must land at its weighted mean, (6)."),
                (variant(half), "Your centres go half of the way: (6) is the new centre itself."),
                (variant(over_n), "You divided by n: below the line of (6) stands the sum of the centre's q."),
                (variant(one_by_one), "You moved the centres one after another: q comes from the centres as they "
                 "are, for "
                 "all of them at once."),
                (late(), "Your q is that of the step before: compute it anew, at this temperature, before the centres "
                 "move."),
                (_anneal(x, centers, [t**2 for t in temperatures])[0], "You squared the temperatures."),
                (_anneal(x, centers, [t for t in temperatures for _ in range(2)])[0], "You made two steps at each "
                 "temperature: one each."),
                (_anneal(x, centers, temperatures[1:])[0], "The first temperature is missing."),
                (variant(hard), "You moved to the means of the nearest samples: in (6) all count, with their q."),
                (_anneal(x, centers, temperatures[:1])[0], "Only one step was made: is `return` inside the loop?"),
                (_anneal(x, centers, temperatures[:-1])[0], "The last step is missing."),
                (centers, "Your centres did not move."),
            ],
        )  # fmt: skip
        k = _farthest(new, expected)
        raise Mistake(
            f"After the temperatures {temperatures} centre {k} is at {_exactly(expected[k])}; yours is at "
            f"{_exactly(new[k])}."
        )
    if len(history) != len(losses):
        raise Mistake(
            f"With {len(losses)} temperatures the history has {len(losses)} entries; yours has {len(history)}."
        )
    if not all(same_number(a, b) for a, b in zip(history, losses)):
        moved = [float(_energy(x, _anneal(x, centers, temperatures[: t + 1])[0], temperatures[t])[0]) for t in range(4)]
        if all(same_number(a, b) for a, b in zip(history, moved)):
            raise Mistake("Your history has the loss *after* each step: put it in before the centres move.")
        places = [_anneal(x, centers, temperatures[:t])[0] for t in range(4)]
        first = [float(_energy(x, at, temperatures[0])[0]) for at in places]
        if all(same_number(a, b) for a, b in zip(history, first)):
            raise Mistake("Your history has the loss at the first temperature: each step has its own.")
        pairs = list(zip(places, temperatures))
        soft = [float((_soft(x, at, t) * _distances(x, at)).sum(1).mean() / 2) for at, t in pairs]
        if all(same_number(a, b) for a, b in zip(history, soft)):
            raise Mistake("Your history has the soft loss of the lesson, Σ q d: here it is the free energy (5).")
        nearest = [float(_hard(x, at)[0]) for at in places]
        if all(same_number(a, b) for a, b in zip(history, nearest)):
            raise Mistake("Your history has the hard loss (1): here it is the free energy (5).")
        raise Mistake(
            f"The history is the loss (5) before each step, at its temperature: {rounded(losses)}; yours is "
            f"{rounded(history)}."
        )
    far = centers.clone()
    far[-1] = 1e4
    new, _ = parts_of(function(x.clone(), far.clone(), [0.01, 0.01]), 2, "two things, `centers, history`")
    new = tensor_of_shape(new, tuple(centers.shape), "the centres (first of the two results)")
    if not close(new[-1], far[-1]):
        raise Mistake(
            f"A centre is so far away that all its q are 0, and the weighted mean is 0/0: it must stay where it is; "
            f"yours went to {rounded(new[-1])}."
        )


# --- task 6 ---


def mended_descent(function):
    """Check task 6."""
    TASKS.check(function, _mended_descent)


def _mended_descent(function):
    x, centers = _data(n=50)
    rate, n_steps = 0.8, 12
    at, expected = centers, []
    path = []
    for _ in range(n_steps):
        loss, gradient = _hard(x, at)
        expected.append(float(loss))
        at = at - rate * gradient
        path.append(at)
    new, history = parts_of(function(x.clone(), centers.clone(), rate, n_steps), 2, "two things, `centers, history`")
    new = tensor_of_shape(new, tuple(centers.shape), "the centres (first of the two results)")
    history = _history(history)
    if close(new, path[-1]) and len(history) == n_steps and all(same_number(a, b) for a, b in zip(history, expected)):
        _other_rate(function)
        return
    broken, speed, losses = centers, torch.zeros_like(centers), []
    for _ in range(n_steps):
        loss, gradient = _hard(x, broken)
        losses.append(float(loss))
        speed = speed + gradient
        broken = broken - rate * speed
    if close(new, broken):
        raise Mistake(
            "That is still the broken one: its path is the same. Print the gradient before each `backward()`: is it "
            "what you think?"
        )
    if len(history) == n_steps and close(new, path[-2]):
        raise Mistake("You return the centres before the last step: they are those after it.")
    if len(history) == n_steps and same_number(history[0], 2 * expected[0]):
        raise Mistake("The ½ is missing in your loss: leave the broken one's loss as it is.")
    for factor, what in ((2, "twice"), (0.5, "half of"), (0.5 / rate, "0.5 instead of"), (1 / rate, "1 instead of")):
        if close(new, _descend(x, centers, factor * rate, n_steps)[0]):
            raise Mistake(f"Your step is {what} the learning rate {rate}: leave it as it is.")
    if close(new, centers):
        raise Mistake("Your centres did not move: is there a gradient left when you make the step?")
    if not history:
        raise Mistake("The history is empty.")
    if any(b > a * (1 + 1e-4) for a, b in zip(history, history[1:])):
        raise Mistake("Your loss still goes up at times: with this rate a clean descent never does.")
    if close(new, path[-1]):
        raise Mistake(
            f"Your centres are right, but the history is not the loss before each of the {n_steps} steps: "
            f"{rounded(expected[:3])} … is expected, yours begins {rounded(history[:3])}."
        )
    if len(history) != n_steps:
        raise Mistake(
            f"With n_steps = {n_steps} there must be {n_steps} steps; your history has {len(history)} entries."
        )
    raise Mistake(
        f"Your loss falls, but not as gradient descent with the rate {rate} does: after {n_steps} steps it should be "
        f"at {expected[-1]:.4f}, yours is at {history[-1]:.4f}. Mend the mistake, and leave the rest as it is."
    )


def _descend(x, at, rate, n_steps):
    losses = []
    for _ in range(n_steps):
        loss, gradient = _hard(x, at)
        losses.append(float(loss))
        at = at - rate * gradient
    return at, losses


def _other_rate(function):
    """With another learning rate and number of steps: both are arguments."""
    x, centers = _data(n=30)
    rate, n_steps = 0.3, 4
    expected, losses = _descend(x, centers, rate, n_steps)
    new, history = parts_of(function(x.clone(), centers.clone(), rate, n_steps), 2, "two things, `centers, history`")
    history = _history(history)
    if len(history) != n_steps:
        raise Mistake(f"With n_steps = 12 your descent is right, with {n_steps} it makes {len(history)} steps.")
    if not close(new, expected) or not all(same_number(a, b) for a, b in zip(history, losses)):
        raise Mistake(
            f"With the learning rate 0.8 your descent is right, with {rate} its losses are {rounded(history)} "
            f"instead of "
            f"{rounded(losses)}: the step uses `learning_rate`."
        )
