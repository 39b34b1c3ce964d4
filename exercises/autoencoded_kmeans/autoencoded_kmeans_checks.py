"""Checks of the assignment *Autoencoded k-means*: each says at once whether a task is solved and what looks wrong.

When your work is graded, the same checks run in the teacher's process, and more questions of their kind.
"""

import math

import torch

from dclib.classroom.exercises import (
    Mistake,
    Tasks,
    close,
    compare_gradients,
    compare_number,
    kind,
    parts_of,
    rounded,
    same_number,
    single_number,
    tensor_of_shape,
    told_apart,
)

TASKS = Tasks("kmeans_loss", "pulls", "joint_step", "alarm", "share_loss", "mended_joint")

# You are to write these yourself: while your work is graded the modules cannot be imported.
FORBIDDEN = (
    "dclib.autoencoded_kmeans",
    "dclib.autoencoder",
    "dclib.dcan",
    "dclib.dcra",
    "dclib.dec",
    "dclib.deep_clusterer",
    "dclib.gradient_kmeans",
)


# --- dclib's versions, for tasks that have not passed ---


def _kmeans_loss_of_dclib(h, centers):
    from dclib.autoencoded_kmeans import kmeans_loss

    return kmeans_loss(h, centers)


def _alarm_of_dclib(h, centers):
    import numpy as np

    from dclib.deep_clusterer import Monitor
    from dclib.kmeans import assign

    labels = assign(h, centers)[0]
    sizes = np.unique(labels, return_counts=True)[1]
    return Monitor(len(centers))(h, labels)["latent_variance"], len(sizes), float(sizes.max() / len(h))


def _share_loss_of_dclib(h, centers):
    return _kmeans_loss_of_dclib(h, centers) / _kmeans_loss_of_dclib(h, h.mean(dim=0, keepdim=True))


LENT = {"kmeans_loss": _kmeans_loss_of_dclib, "alarm": _alarm_of_dclib, "share_loss": _share_loss_of_dclib}


def working(*names):
    """Losses for the cells that show the training at work: the notebook's functions, or dclib's until these pass."""
    return TASKS.working({name: LENT[name] for name in names})


def _tensor(*rows):
    return torch.tensor(rows)


# --- task 1 ---


def kmeans_loss(function):
    """Check task 1."""
    TASKS.check(function, _kmeans_loss)


def _codes():
    """Five codes and three centres, new at each call: a function that writes into them spoils no later check."""
    codes = _tensor([0.0, 1.0], [3.0, 4.0], [1.0, 0.0], [6.0, 0.0], [-1.0, 2.0])
    return codes, _tensor([0.0, 0.0], [2.0, 9.0], [3.0, 0.0])


# The squared distances: 1 68 10 | 25 26 16 | 1 82 4 | 36 97 9 | 5 58 20; the nearest centres: 0 2 0 2 0


def _table(h, centers):
    return (h[:, None] - centers).square().sum(2)


def _kmeans_loss(function):
    h, centers = _codes()
    table = _table(h, centers)
    answer = function(*_codes())
    value = single_number(answer, "The loss")
    right = 3.2
    hints = [
        (2 * right, "The ½ is missing."),
        (5 * right, "Your loss is a sum over the codes: (1) has their mean."),
        (10 * right, "Your loss is a sum over the codes, without the ½: (1) has the mean of the halves."),
        (right / 2, "Your loss is half of (1). You took the mean over the numbers of a code, where (1) sums over "
         "them, or "
         "the ½ twice."),
        (right / 3, "You divided by the number of all pairs: each code pays for its nearest centre only."),
        (5 * right / 3, "You divided by the number of centres: (1) is a mean over the codes."),
        (float(table.sum(1).mean() / 2), "You summed over all centres: each code pays for its nearest one only."),
        (float(table.mean() / 2), "You took the mean over all centres: each code pays for its nearest one only."),
        (float(table.min(1).values.sqrt().mean() / 2), "Your distances are Euclidean: (1) has squared ones."),
        (float((h[:, None] - centers).abs().sum(2).min(1).values.mean() / 2), "Your differences are absolute: (1) has "
         "squared ones."),
        (float((h[:, None] - centers).sum(2).square().min(1).values.mean() / 2), "You summed before you squared: "
         "square "
         "each difference."),
        (float(table.max(1).values.mean() / 2), "You took the farthest centre of each code."),
        (float(table.min(0).values.mean() / 2), "You took the nearest code of each centre: it is the nearest centre of "
         "each code."),
        (float(table.min(0).values.sum() / 10), "You took the nearest code of each centre: it is the nearest centre of "
         "each code."),
        (float(table.min(1).values.square().mean() / 2), "You squared the squared distances once more."),
        ((7 / 3 + 25 / 2) / 4, "You took a mean for each cluster, and then their mean: (1) is one mean over all "
         "codes."),
        ((7 / 3 + 25 / 2) / 2, "You took a mean for each cluster, and their sum: (1) is one mean over all codes."),
        (float(table.min() / 2), "You took the smallest number of the whole table: each code has its nearest centre."),
        (math.sqrt(right), "You took the root: (1) has none."),
    ]  # fmt: skip
    compare_number(
        value,
        right,
        hints,
        "The squared distances to the nearest centres are 1, 16, 1, 9, 5: the loss is {}; yours is {}.".format(
            *told_apart(right, value)
        ),
    )
    _flows(function, lambda h, centers: _table(h, centers).min(1).values.mean() / 2)


def _flows(function, right):
    hint = "detach nothing but the choice of the nearest centre"
    compare_gradients(function, right, _codes(), {0: "codes", 1: "centres"}, hint)


# --- task 2 ---


def pulls(function):
    """Check task 2."""
    TASKS.check(function, _pulls)


def _pulls(function):
    h, centers = _codes()
    own = _tensor([0.0, 1.0], [0.0, 4.0], [1.0, 0.0], [3.0, 0.0], [-1.0, 2.0])  # h minus its centre
    nearest, sizes = torch.tensor([0, 2, 0, 2, 0]), torch.tensor([3, 0, 2])
    by_codes, by_centers = own / 5, _tensor([0.0, -0.6], [0.0, 0.0], [-0.6, -0.8])
    answer = parts_of(function(*_codes()), 2, "two things, `by_codes, by_centers`")
    if [tuple(part.shape) for part in answer if isinstance(part, torch.Tensor)] == [(3, 2), (5, 2)]:
        raise Mistake("Your results are exchanged: the gradient by the codes comes first.")
    a = tensor_of_shape(answer[0], (5, 2), "the gradient by the codes (here n = 5)").detach()
    b = tensor_of_shape(answer[1], (3, 2), "the gradient by the centres (here K = 3)").detach()
    if close(a, own / sizes[nearest][:, None]):
        raise Mistake("In your gradient by the codes you divided by the size of the cluster: (1) is a mean over all.")
    if close(a, (h[:, None] - centers).sum(1) / 5):
        raise Mistake("In yours every code is pulled by all centres: it feels only its nearest.")
    _force(a, by_codes, "by the codes")
    if a.isnan().any() or b.isnan().any():
        raise Mistake("There is NaN in a gradient: a centre without codes feels no force, 0.")
    if close(b, torch.stack([-(h - c).sum(0) / 5 for c in centers])):
        raise Mistake("In yours every centre is pulled by all codes: it feels those only whose nearest centre it is.")
    if close(b, 5 * by_centers / sizes.clamp(min=1)[:, None]):
        raise Mistake(
            "You divided by the number of codes in the cluster: (1) is a mean over all codes, so a large cluster pulls "
            "its centre harder."
        )
    if not close(b[1], by_centers[1]):
        raise Mistake(f"No code is nearest to the second centre: it feels no force, (0, 0); yours is {rounded(b[1])}.")
    if all(any(close(b[k], -by_codes[i]) for i in range(5) if nearest[i] == k) for k in (0, 2)):
        raise Mistake(
            "Each centre feels only one of its codes in yours: `gradient[nearest] -= …` keeps one value for each row, "
            "however many there are. `index_add_` adds them all."
        )
    _force(b, by_centers, "by the centres")


def _force(value, right, name):
    if close(value, right):
        return
    hints = {
        -1.0: "has the wrong sign: the gradient points uphill, away from what attracts.",
        5.0: "is not divided by n: the loss is a mean over the codes.",
        2.0: "is twice what it is: the ½ of the loss and the 2 of the square cancel.",
        0.5: "is half of what it is: the ½ of the loss and the 2 of the square cancel, and the numbers of a code are "
        "summed.",
        5 / 3: "is divided by the number of centres: the loss is a mean over the codes.",
        10.0: "is not divided by n, and twice what it is: the ½ of the loss and the 2 of the square cancel.",
        -5.0: "has the wrong sign, and is not divided by n.",
        -2.0: "has the wrong sign, and is twice what it is.",
    }
    for factor, hint in hints.items():
        if close(value, factor * right):
            raise Mistake(f"Your gradient {name} {hint}")
    h, centers = _codes()
    raise Mistake(f"For the codes {h.tolist()} and the centres {centers.tolist()} the gradient {name} is "
                  f"{[rounded(row) for row in right]}; yours is {[rounded(row) for row in value]}.")  # fmt: skip


# --- tasks 3 and 6 ---


def _start(seed):
    g = torch.Generator().manual_seed(seed)
    encoder = torch.randn(3, 5, generator=g) / 2, torch.randn(3, generator=g) / 2
    decoder = torch.randn(5, 3, generator=g) / 2, torch.randn(5, generator=g) / 2
    return torch.rand(8, 5, generator=g), encoder, decoder, torch.randn(4, 3, generator=g) / 3


def _terms(x, target, parts):
    from dclib.autoencoded_kmeans import kmeans_loss
    from dclib.autoencoder import reconstruction_loss

    W1, b1, W2, b2, centers = parts
    h = torch.tanh(x @ W1.T + b1)
    return reconstruction_loss(h @ W2.T + b2, target), kmeans_loss(h, centers)


def _gradients(x, target, given, factors, detach=False):
    """Gradients of factors[0] · reconstruction + factors[1] · clustering by the five parts."""
    parts = [part.clone().requires_grad_() for part in given]
    first, second = _terms(x, target, parts)
    if detach:
        second = _terms(x, target, [*(part.detach() for part in parts[:4]), parts[4]])[1]
    found = torch.autograd.grad(factors[0] * first + factors[1] * second, parts, allow_unused=True)
    return [torch.zeros_like(part) if g is None else g for part, g in zip(parts, found)]


def _five(answer, given, last):
    answer = parts_of(answer, 4, f"four things, `encoder, decoder, centers, {last}`")
    new = []
    for layer, name in zip(answer[:2], ("encoder", "decoder")):
        if not isinstance(layer, list | tuple) or len(layer) != 2:
            raise Mistake(f"The new {name} must be a layer, a pair (W, b); yours is a {kind(layer)}.")
        new += layer
    names = "the encoder's W", "the encoder's b", "the decoder's W", "the decoder's b", "the centres"
    return [
        tensor_of_shape(part, tuple(old.shape), name).detach().to(old.dtype)
        for part, old, name in zip([*new, answer[2]], given, names)
    ]


def joint_step(function):
    """Check task 3."""
    TASKS.check(function, _joint_step)


def _joint_step(function):
    x, encoder, decoder, centers = _start(3)
    target = torch.rand(8, 5, generator=torch.Generator().manual_seed(4))
    given, weight, rate = [part.clone() for part in (*encoder, *decoder, centers)], 0.75, 0.5
    answer = function(x, target, encoder, decoder, centers, weight, rate)
    if any(not torch.equal(a, b) for a, b in zip(given, (*encoder, *decoder, centers))):
        raise Mistake("Your function changed what it was given: work on copies, `part.clone()`.")
    new = _five(answer, given, "terms")
    terms = _two_numbers(answer[3], "The fourth result is the pair of floats (reconstruction, clustering).")
    first, second = (float(v) for v in _terms(x, target, given))
    _compare_terms(terms, first, second, x, target, given, new, weight)
    right = _gradients(x, target, given, (1, weight))

    def after(slopes, factors=(1, 1, 1, 1, 1)):
        return all(close(part, old - rate * f * s) for part, old, s, f in zip(new, given, slopes, factors))

    if not after(right):
        _name_wrong_step(after, x, target, given, new, weight, rate, right)
    other_weight, other_rate = 2.0, 0.1
    again = _five(function(x, target, encoder, decoder, centers, other_weight, other_rate), given, "terms")
    for w, r, what in (
        (other_weight, other_rate, ""),
        (weight, other_rate, "λ has no effect on your step: it is that of another `weight`."),
        (other_weight, rate, "`learning_rate` has no effect on your step: it is that of another one."),
        (weight, rate, "Neither `weight` nor `learning_rate` has an effect on your step."),
    ):
        slopes = _gradients(x, target, given, (1, w))
        if all(close(part, old - r * slope) for part, old, slope in zip(again, given, slopes)):
            if what:
                raise Mistake(what)
            return
    raise Mistake(
        f"With λ = {weight} and the learning rate {rate} your step is right, with {other_weight} and {other_rate} "
        f"it is "
        "not."
    )


def _two_numbers(pair, message):
    if not isinstance(pair, list | tuple) or len(pair) != 2 or any(isinstance(v, torch.Tensor) for v in pair):
        raise Mistake(message)
    return [single_number(value, "each of the two terms") for value in pair]


def _compare_terms(terms, first, second, x, target, given, new, weight):
    W1, b1, W2, b2, mu = given
    afterwards = [float(v) for v in _terms(x, target, new)]

    def other(code):
        h = code(x @ W1.T + b1)
        return float((h @ W2.T + b2 - target).square().mean()), float(_table(h, mu).min(1).values.mean() / 2)

    h = torch.tanh(x @ W1.T + b1)
    compare_number(
        terms[0], first,
        [
            (float(_terms(x, x, given)[0]), "Your reconstruction is compared with `x`: compare with `target`, which "
             "may "
             "be another."),
            (5 * first, "Your reconstruction term is a sum over the pixels: (1) has the mean over pixels and images."),
            (40 * first, "Your reconstruction term is a sum: (1) has the mean over pixels and images."),
            (first / 2, "Your reconstruction term is half of that in (1)."),
            (weight * first, "λ is on the reconstruction: it belongs to the clustering, and the terms come without."),
            (second, "Your terms are exchanged: reconstruction first, clustering second."),
            (first + weight * second, "Your first term is the whole loss: return the two terms one by one, without λ."),
            (afterwards[0], "Your reconstruction is that after the step: return the one before it."),
            (other(lambda a: a)[0], "Your network has no tanh at the code."),
            (other(torch.relu)[0], "At the code of your network is a ReLU: the model has a tanh."),
            (other(torch.sigmoid)[0], "At the code of your network is a sigmoid: the model has a tanh."),
            (float(_terms(target, target, given)[0]), "You reconstruct from `target`: the network sees `x`."),
        ],
        "The reconstruction term here is {}, before the step; yours is {}.".format(*told_apart(first, terms[0], 4)),
    )  # fmt: skip
    compare_number(
        terms[1], second,
        [
            (weight * second, "Return the clustering term without λ."),
            (2 * second, "The ½ is missing in the clustering term."),
            (second / 3, "You took the mean over the numbers of a code: the clustering term sums over them."),
            (8 * second, "Your clustering term is a sum over the images: (1) has their mean."),
            (afterwards[1], "Your clustering term is that after the step: return the one before it."),
            (float(_terms(target, target, given)[1]), "You cluster the codes of `target`: the codes are those of `x`."),
            (float(_table(h, mu).max(1).values.mean() / 2), "You took the farthest centre of each code."),
            (float(_table(h, mu).sum(1).mean() / 2), "You summed over all centres: each code pays for its nearest "
             "one."),
        ],
        "The clustering term here is {}, before the step; yours is {}.".format(*told_apart(second, terms[1], 4)),
    )  # fmt: skip


def _name_wrong_step(after, x, target, given, new, weight, rate, right):
    """The terms are right, the step is not."""
    all_five = [1] * 5

    def by(first, second, **options):
        return _gradients(x, target, given, (first, second), **options)

    ways = {
        "Nothing has changed: subtract the learning rate times the gradient.": (right, [0] * 5),
        "You went uphill: *subtract* the gradient.": (right, [-1] * 5),
        "The learning rate is missing.": (right, [1 / rate] * 5),
        "The centres have not moved: they are trained, too.": (right, [1, 1, 1, 1, 0]),
        "Only the centres have moved: the network is trained, too.": (right, [0, 0, 0, 0, 1]),
        "The encoder has not moved.": (right, [0, 0, 1, 1, 1]),
        "The decoder has not moved.": (right, [1, 1, 0, 0, 1]),
        "The biases have not moved.": (right, [1, 0, 1, 0, 1]),
        "λ is missing in the step.": (by(1, 1), all_five),
        "λ counts twice in your step.": (by(1, weight**2), all_five),
        "λ is on the reconstruction: it belongs to the clustering term.": (by(weight, 1), all_five),
        "λ is on both terms.": (by(weight, weight), all_five),
        "Your step is that of (1 − λ) · reconstruction + λ · clustering: in (1) the reconstruction has no factor.": (
            by(1 - weight, weight), all_five
        ),
        "λ is missing in the step of the centres.": (right, [1, 1, 1, 1, 1 / weight]),
        "λ is missing in the step of the encoder.": (by(1, 1)[:2] + right[2:], all_five),
        "The clustering term does not reach the encoder: do you detach h for more than the choice of the nearest?": (
            by(1, weight, detach=True), all_five
        ),
        "The reconstruction does not reach the encoder: do you detach h for more than the choice of the nearest?": (
            by(0, weight)[:2] + right[2:], all_five
        ),
        "The clustering term is missing in the step.": (by(1, 0), all_five),
        "The reconstruction is missing in the step.": (by(0, weight), all_five),
        "Both terms are right, but the step is that of a reconstruction of `x`.": (
            _gradients(x, x, given, (1, weight)), all_five
        ),
        "Your step is half as long: the loss is the sum of the terms, not their mean.": (right, [0.5] * 5),
    }  # fmt: skip
    for hint, (slopes, factors) in ways.items():
        if after(slopes, factors):
            raise Mistake(hint)
    h, mu = torch.tanh(x @ given[0].T + given[1]), given[4]
    nearest = _table(h, mu).argmin(1)
    sizes = torch.bincount(nearest, minlength=len(mu))[:, None]
    means = torch.where(sizes > 0, torch.zeros_like(mu).index_add(0, nearest, h) / sizes.clamp(min=1), mu)
    moved = _gradients(x, target, [*new[:4], mu], (1, weight))[4]
    if all(close(part, old - rate * slope) for part, old, slope in zip(new[:4], given, right)):
        if close(new[4], means):
            raise Mistake("Your centres jump to the means of their codes: here they take a gradient step, too.")
        if close(new[4], mu - rate * moved):
            raise Mistake(
                "Your centres step after the network has: take all gradients at the old tensors, in one step."
            )
        if close(new[4], mu - rate * right[4] * len(x) / sizes.clamp(min=1)):
            raise Mistake(
                "The step of your centres is divided by the size of the cluster: (1) is a mean over all codes."
            )
    names = "the encoder's W", "the encoder's b", "the decoder's W", "the decoder's b", "the centres"
    wrong = [i for i in range(5) if not close(new[i], given[i] - rate * right[i])]
    steps = torch.cat([(old - part).flatten() for old, part in zip(given, new)])
    expected = torch.cat([(rate * slope).flatten() for slope in right])
    factor = float(steps @ expected / expected.square().sum())
    if close(steps, factor * expected):
        raise Mistake(
            f"The terms are right, but each of your steps is {factor:.3g} times as long as learning rate times "
            f"gradient."
        )
    i = wrong[0]
    goal = (given[i] - rate * right[i]).flatten()
    far = int((new[i].flatten() - goal).abs().nan_to_num(math.inf).argmax())
    a, b = told_apart(float(goal[far]), float(new[i].flatten()[far]))
    raise Mistake(
        "The terms are right, but not all of the new tensors are the old ones minus learning rate times gradient. "
        f"Wrong: {', '.join(names[i] for i in wrong)}. In {names[i]} one number should go from "
        f"{float(given[i].flatten()[far]):.3f} to {a}; yours goes to {b}."
    )


# --- task 4 ---


def alarm(function):
    """Check task 4."""
    TASKS.check(function, _alarm)


def _alarm(function):
    what = "three things, `spread, in_use, largest`"

    def run(h, centers):
        answer = parts_of(function(h, centers), 3, what)
        for value in answer:
            if isinstance(value, torch.Tensor):
                raise Mistake("All three are plain numbers; among yours is a Tensor: `float(…)` or `int(…)`.")
        return [single_number(value, f"`{name}`") for value, name in zip(answer, ("spread", "in_use", "largest"))]

    h, centers = _codes()
    spread, in_use, largest = run(*_codes())
    # The mean code is (1.8, 1.4), the squares around it sum to 30.8 and 11.2
    n_minus_1 = "You divided by n − 1: the spread divides by n."
    compare_number(
        spread, 8.4,
        [
            (42 / 4, n_minus_1),
            (42.0, "Your spread is a sum over the codes: divide by n."),
            (42 / 10, "You took the mean over the numbers of a code: the spread sums over them."),
            (42 / 8, n_minus_1 + " And it sums over the numbers of a code."),
            (68 / 5, "You measured from the origin: the spread is measured from the mean of the codes."),
            (32 / 5, "You measured from the nearest centres: the spread is measured from the mean of all codes."),
            (math.sqrt(8.4), "You took the root: the spread has none."),
            (30.8 / 5, "Only the first number of the codes is in your spread: sum over all."),
            (float((h - centers.mean(0)).square().sum(1).mean()), "You measured from the mean of the *centres*: the "
             "spread is measured from the mean of the codes."),
            (float((h - h.mean()).square().sum(1).mean()), "Your mean is one number: it is a code, h.mean(dim=0)."),
            (float((h - h.mean(1, keepdim=True)).square().sum(1).mean()), "You measured each code from the mean of its "
             "own numbers: it is the mean of all codes, dim=0."),
            (float((centers - centers.mean(0)).square().sum(1).mean()), "That is the spread of the centres."),
            (float((h - h.mean(0)).norm(dim=1).mean()), "Your distances are Euclidean: the spread has squared ones."),
            (float((h - h.mean(0)).abs().sum(1).mean()), "Your differences are absolute: the spread has squared ones."),
        ],
        "The codes {} have the spread {}; yours is {}.".format(h.tolist(), *told_apart(8.4, spread)),
    )  # fmt: skip
    if same_number(in_use, 0.6) and largest == 2:
        raise Mistake("Your second and third results are exchanged: `spread, in_use, largest`.")
    if in_use == 3 and same_number(largest, 0.2):
        raise Mistake("You took the nearest code of each centre: it is the nearest centre of each code.")
    if in_use == 3:
        raise Mistake("You count all centres: the second one is nearest to no code, so two are in use.")
    if in_use == 1:
        raise Mistake("You count the centres without a code: count those that have one.")
    if in_use != 2:
        raise Mistake(f"Of the three centres two are the nearest of a code; you count {in_use:g}.")
    if largest == 3:
        raise Mistake("The largest share is a share: divide the size of the largest cluster by n.")
    if largest == 1:
        raise Mistake(
            "You divided the size of the largest cluster by the number of centres: its share is that of all n."
        )
    if not same_number(largest, 0.6):
        raise Mistake(f"Three of five codes are in the largest cluster: the share is 0.6; yours is {largest:g}.")
    _, in_use, largest = run(h[[1, 3, 1, 0]], centers)
    if in_use != 2:
        raise Mistake(
            f"Of four codes three are in the third cluster and one is in the first: two are in use; you count "
            f"{in_use:g}."
        )
    if not same_number(largest, 0.75):
        raise Mistake(f"With three of four codes in the third cluster the largest share is 0.75; yours is {largest:g}.")


# --- task 5 ---


def share_loss(function):
    """Check task 5."""
    TASKS.check(function, _share_loss)


def _share_loss(function):
    h, centers = _codes()
    near, around = _table(h, centers).min(1).values, (h - h.mean(0)).square().sum(1)
    apart = (h - centers[_table(h, centers).argmin(1)]).square().sum(0)
    answer = function(*_codes())
    value = single_number(answer, "The loss")
    right = 32 / 42
    compare_number(
        value, right,
        [
            (1 - right, "This is the share that *is* explained: a loss is the rest."),
            (1 / right, "Numerator and denominator are exchanged."),
            (32 / 68, "Your denominator is measured from the origin: measure from the mean of the codes."),
            (32 / 10 / 42, "A mean over a sum: take sums in both places, or means in both."),
            (32 / 5 / 42, "A mean over a sum: take sums in both places, or means in both."),
            (32 * 5 / 42, "A sum over a mean: take sums in both places, or means in both."),
            (32 * 10 / 42, "A sum over a mean: take sums in both places, or means in both."),
            (right * 4 / 5, "A mean over n above the line, one over n − 1 below: `var` divides by n − 1, unless "
             "told not "
             "to."),
            (right / 2, "There is a ½ in the numerator only."),
            (right * 2, "There is a ½ in the denominator only."),
            (math.sqrt(right), "You took the root: (3) has squared distances."),
            (float(near.sqrt().sum() / around.sqrt().sum()), "Your distances are Euclidean: (3) has squared ones."),
            (float(_table(h, centers).sum() / 42), "You summed over all centres: each code pays for its nearest one "
             "only."),
            (float(_table(h, centers).max(1).values.sum() / 42), "You took the farthest centre of each code."),
            (float(_table(h, centers).min(0).values.sum() / 42), "You took the nearest code of each centre: it is the "
             "nearest centre of each code."),
            (float(32 / (h - centers.mean(0)).square().sum()), "Your denominator is measured from the mean of the "
             "*centres*: it is that of the codes."),
            (float(32 / (h - h.mean()).square().sum()), "Your mean is one number: it is a code, h.mean(dim=0)."),
            (float((near / around).mean()), "You divided for each code and took the mean: (3) is one sum over "
             "another."),
            (float((apart / (h - h.mean(0)).square().sum(0)).mean()), "You divided for each number of the code and "
             "took "
             "the mean: (3) is one sum over another."),
            (32 / (42 - 32), "Your denominator is what the centres explain: it is the whole spread of the codes."),
            (32 / math.sqrt(42), "There is a root in the denominator: (3) has none."),
        ],
        "The distances to the nearest centres sum to 32, those to the mean to 42: the loss is {}; yours is "
        "{}.".format(*told_apart(right, value, 4)),
    )  # fmt: skip
    value = single_number(function(0.001 * h, 0.001 * centers), "The loss")
    if not math.isclose(value, right, rel_tol=1e-3):
        raise Mistake(
            "With all codes and centres a thousandth as large the loss must be the same, {}; yours is {}. Did you add "
            "something tiny below the line?".format(*told_apart(right, value, 4))
        )
    _flows(function, _share_loss_by_table)


def _share_loss_by_table(h, centers):
    return _table(h, centers).min(1).values.sum() / _table(h, h.mean(0)[None]).sum()


# --- task 6 ---


def mended_joint(function):
    """Check task 6."""
    TASKS.check(function, _mended_joint, lend={"joint_step": _step_of_torch})


def _step_of_torch(x, target, encoder, decoder, centers, weight, learning_rate):
    given = [*encoder, *decoder, centers]
    terms = tuple(float(v) for v in _terms(x, target, given))
    slopes = _gradients(x, target, given, (1, weight))
    new = [old - learning_rate * slope for old, slope in zip(given, slopes)]
    return tuple(new[:2]), tuple(new[2:4]), new[4], terms


def _mended_joint(function):
    x, encoder, decoder, centers = _start(5)
    given = [part.clone() for part in (*encoder, *decoder, centers)]

    def run(weight, rate=0.3, n_steps=12):
        answer = function(x, encoder, decoder, centers, weight, rate, n_steps=n_steps)
        if any(not torch.equal(a, b) for a, b in zip(given, (*encoder, *decoder, centers))):
            raise Mistake("Your function changed what it was given: work on copies, as the broken one does.")
        new, history = _five(answer, given, "history"), answer[3]
        message = "The history must be a list of pairs of floats, as in the broken function."
        if not isinstance(history, list):
            raise Mistake(message)
        if len(history) != n_steps:
            raise Mistake(f"With n_steps={n_steps} the history has {n_steps} pairs; yours has {len(history)}.")
        return new, [_two_numbers(pair, message) for pair in history]

    (_, without), (new, history) = run(0.0), run(2.0)
    if without == history:
        raise Mistake("With λ = 0 and λ = 2 all losses are the same: λ has no effect at all. Is `weight` in your loss?")
    if without[-1][0] == history[-1][0]:
        raise Mistake(
            "With λ = 0 and λ = 2 the last reconstruction is still the same to the last digit: the clustering term "
            "does not "
            "reach the encoder. Which line cuts the codes off from it?"
        )
    parts, right = _descend(x, given, 2.0)
    exchanged = [list(pair[::-1]) for pair in right]
    for hint, other in (
        ("Your pairs are exchanged: reconstruction first, clustering second.", exchanged),
        ("Your second losses have λ in them: the broken function's are the terms without.",
         [(a, 2.0 * b) for a, b in right]),
    ):  # fmt: skip
        if _alike(history, other):
            raise Mistake(hint)
    if _alike(history[:-1], right[1:]):
        raise Mistake("Your history holds the losses after each step: the broken function's are those before it.")
    for step, (pair, other) in enumerate(zip(history, right)):
        if not _alike([pair], [other]):
            raise Mistake(
                f"λ reaches the network now, but loss number {step + 1} is {pair[0]:.4f}, {pair[1]:.4f} instead of "
                f"{other[0]:.4f}, {other[1]:.4f}: change only what is wrong."
            )
    if any(not torch.allclose(a.double(), b.double(), atol=1e-3) for a, b in zip(new, parts)):
        raise Mistake("The losses are right, but what you return are not the layers and centres after the last step.")
    _, history = run(0.5, 0.1, 3)
    if not _alike(history, _descend(x, given, 0.5, 0.1, 3)[1]):
        what = (
            "`learning_rate` has no effect" if _alike(history, _descend(x, given, 0.5, 0.3, 3)[1]) else "they are wrong"
        )
        raise Mistake(
            f"With λ = 2 and the learning rate 0.3 your losses are right, with 0.5 and 0.1 {what}: "
            f"{[rounded(pair) for pair in history]}."
        )


def _alike(history, other):
    return all(
        math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-5) for pair, two in zip(history, other) for a, b in zip(pair, two)
    )


def _descend(x, given, weight, rate=0.3, n_steps=12):
    parts, history = given, []
    for _ in range(n_steps):
        history.append(tuple(float(v) for v in _terms(x, x, parts)))
        parts = [part - rate * slope for part, slope in zip(parts, _gradients(x, x, parts, (1, weight)))]
    return parts, history
