"""Checks of the assignment *Autoencoded k-means*: each says at once whether a task is solved and what looks wrong.

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
    parts_of,
    rounded,
    single_number,
    tensor_of_shape,
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


CODES = _tensor([0.0, 1.0], [3.0, 4.0], [1.0, 0.0], [6.0, 0.0])
CENTERS = _tensor([0.0, 0.0], [3.0, 0.0], [2.0, 9.0])
# The squared distances: 1 10 68 | 25 16 26 | 1 4 82 | 36 9 97; the nearest centres: 0 1 0 1


def _kmeans_loss(function):
    answer = function(CODES, CENTERS)
    value = single_number(answer, "The loss")
    hints = {
        27 / 4: "The ½ is missing.",
        27 / 2: "Your loss is a sum over the codes: (1) has their mean.",
        27.0: "Your loss is a sum over the codes, without the ½: (1) has the mean of the halves.",
        27 / 16: "You took the mean over the numbers of a code: (1) sums over them and takes the mean over the codes.",
        27 / 8 / 3: "You divided by the number of all pairs: each code pays for its nearest centre only.",
        375 / 8: "You summed over all centres: each code pays for its nearest one only.",
        (1 + 4 + 1 + 3) / 8: "Your distances are Euclidean: (1) has squared ones.",
        (68 + 26 + 82 + 97) / 8: "You took the farthest centre of each code.",
        (1 + 4 + 26) / 6: "You took the nearest code of each centre: it is the nearest centre of each code.",
        (1 + 4 + 26) / 8: "You took the nearest code of each centre: it is the nearest centre of each code.",
        (1 + 256 + 1 + 81) / 8: "You squared the squared distances once more.",
    }
    compare_number(
        value, 27 / 8, hints.items(),
        f"The squared distances to the nearest centres are 1, 16, 1, 9: the loss is 3.375; yours is {value:.4f}.",
    )  # fmt: skip
    if not isinstance(answer, torch.Tensor):
        raise Mistake("Return the loss as a tensor: gradients must flow through it, so do not make it a plain number.")


# --- task 2 ---


def pulls(function):
    """Check task 2."""
    TASKS.check(function, _pulls)


def _pulls(function):
    own = _tensor([0.0, 1.0], [0.0, 4.0], [1.0, 0.0], [3.0, 0.0])  # h minus its centre
    by_codes, by_centers = own / 4, _tensor([-0.25, -0.25], [-0.75, -1.0], [0.0, 0.0])
    answer = parts_of(function(CODES, CENTERS), 2, "two things, `by_codes, by_centers`")
    a = tensor_of_shape(answer[0], (4, 2), "the gradient by the codes (here n = 4)").detach()
    b = tensor_of_shape(answer[1], (3, 2), "the gradient by the centres (here K = 3)").detach()
    _force(a, by_codes, "by the codes", 4)
    if a.isnan().any() or b.isnan().any():
        raise Mistake("There is NaN in a gradient: a centre without codes feels no force, 0.")
    if close(b, torch.stack([-(CODES - c).sum(0) / 4 for c in CENTERS])):
        raise Mistake("In yours every centre is pulled by all codes: it feels those only whose nearest centre it is.")
    if close(b, _tensor([-0.5, -0.5], [-1.5, -2.0], [0.0, 0.0])):
        raise Mistake(
            "You divided by the number of codes in the cluster: (1) is a mean over all codes, so a large cluster pulls "
            "its centre harder."
        )
    if not close(b[2], by_centers[2]):
        raise Mistake(f"No code is nearest to the third centre: it feels no force, (0, 0); yours is {rounded(b[2])}.")
    _force(b, by_centers, "by the centres", 4)


def _force(value, right, name, n):
    if close(value, right):
        return
    hints = {
        -1.0: "has the wrong sign: the gradient points uphill, away from what attracts.",
        float(n): "is not divided by n: the loss is a mean over the codes.",
        2.0: "is twice what it is: the ½ of the loss and the 2 of the square cancel.",
        0.5: "is half of what it is: the ½ of the loss and the 2 of the square cancel.",
        2.0 * n: "is not divided by n, and twice what it is: the ½ of the loss and the 2 of the square cancel.",
        -float(n): "has the wrong sign, and is not divided by n.",
    }
    for factor, hint in hints.items():
        if close(value, factor * right):
            raise Mistake(f"Your gradient {name} {hint}")
    raise Mistake(f"For the codes {CODES.tolist()} and the centres {CENTERS.tolist()} the gradient {name} is "
                  f"{right.tolist()}; yours is {[rounded(row) for row in value]}.")  # fmt: skip


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
        tensor_of_shape(part, tuple(old.shape), name).detach()
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
    terms = answer[3]
    if not isinstance(terms, list | tuple) or len(terms) != 2 or not all(isinstance(v, float) for v in terms):
        raise Mistake("The fourth result is the pair of floats (reconstruction, clustering).")
    first, second = (float(v) for v in _terms(x, target, given))
    on_input = float(_terms(x, x, given)[0])
    compare_number(
        terms[0], first,
        {
            on_input: "Your reconstruction is compared with `x`: compare with `target`, which may be another.",
            5 * first: "Your reconstruction term is a sum over the pixels: (1) has the mean over pixels and images.",
            40 * first: "Your reconstruction term is a sum: (1) has the mean over pixels and images.",
            first / 2: "Your reconstruction term is half of that in (1).",
            weight * first: "λ is on the reconstruction: it belongs to the clustering, and the terms come without.",
            second: "Your terms are exchanged: reconstruction first, clustering second.",
        }.items(),
        f"The reconstruction term here is {first:.4f}, before the step; yours is {terms[0]:.4f}.",
    )  # fmt: skip
    compare_number(
        terms[1], second,
        {
            weight * second: "Return the clustering term without λ.",
            2 * second: "The ½ is missing in the clustering term.",
            second / 3: "You took the mean over the numbers of a code: the clustering term sums over them.",
            8 * second: "Your clustering term is a sum over the images: (1) has their mean.",
        }.items(),
        f"The clustering term here is {second:.4f}, before the step; yours is {terms[1]:.4f}.",
    )  # fmt: skip

    def after(slopes, factors=(1, 1, 1, 1, 1)):
        return all(close(part, old - rate * f * s) for part, old, s, f in zip(new, given, slopes, factors))

    right = _gradients(x, target, given, (1, weight))
    if after(right):
        return
    ways = {
        "Nothing has changed: subtract the learning rate times the gradient.": (right, [0] * 5),
        "You went uphill: *subtract* the gradient.": (right, [-1] * 5),
        "The learning rate is missing.": (right, [1 / rate] * 5),
        "The centres have not moved: they are trained, too.": (right, [1, 1, 1, 1, 0]),
        "Only the centres have moved: the network is trained, too.": (right, [0, 0, 0, 0, 1]),
        "The encoder has not moved.": (right, [0, 0, 1, 1, 1]),
        "The biases have not moved.": (right, [1, 0, 1, 0, 1]),
        "λ is missing in the step.": (_gradients(x, target, given, (1, 1)), [1] * 5),
        "λ is on the reconstruction: it belongs to the clustering term.": (
            _gradients(x, target, given, (weight, 1)), [1] * 5
        ),
        "λ is on both terms.": (_gradients(x, target, given, (weight, weight)), [1] * 5),
        "The clustering term does not reach the encoder: do you detach h for more than the choice of the nearest?": (
            _gradients(x, target, given, (1, weight), detach=True), [1] * 5
        ),
        "The clustering term is missing in the step.": (_gradients(x, target, given, (1, 0)), [1] * 5),
        "The reconstruction is missing in the step.": (_gradients(x, target, given, (0, weight)), [1] * 5),
        "Both terms are right, but the step is that of a reconstruction of `x`.": (
            _gradients(x, x, given, (1, weight)), [1] * 5
        ),
    }  # fmt: skip
    for hint, (slopes, factors) in ways.items():
        if after(slopes, factors):
            raise Mistake(hint)
    names = "encoder's W", "encoder's b", "decoder's W", "decoder's b", "centres"
    worst = max(range(5), key=lambda i: float((new[i] - given[i] + rate * right[i]).abs().max()))
    raise Mistake(
        f"The terms are right, but the new {names[worst]} are not the old minus learning rate times gradient."
    )


# --- task 4 ---


def alarm(function):
    """Check task 4."""
    TASKS.check(function, _alarm)


def _alarm(function):
    answer = parts_of(function(CODES, CENTERS), 3, "three things, `spread, in_use, largest`")
    for value in answer:
        if not isinstance(value, float | int):
            raise Mistake(f"All three are plain numbers; among yours is a {kind(value)}: `float(…)` or `int(…)`.")
    spread, in_use, largest = answer
    # The mean code is (2.5, 1.25), the squares around it 21 and 10.75
    compare_number(
        spread, 31.75 / 4,
        {
            31.75 / 3: "You divided by n − 1: the spread divides by n.",
            31.75: "Your spread is a sum over the codes: divide by n.",
            31.75 / 8: "You took the mean over the numbers of a code: the spread sums over them.",
            63 / 4: "You measured from the origin: the spread is measured from the mean of the codes.",
            27 / 4: "You measured from the nearest centres: the spread is measured from the mean of all codes.",
            math.sqrt(31.75 / 4): "You took the root: the spread has none.",
            21 / 4 + 0.0: "Only the first number of the codes is in your spread: sum over all.",
        }.items(),
        f"The codes {CODES.tolist()} have the spread 7.9375; yours is {spread:.4f}.",
    )  # fmt: skip
    if in_use == 3:
        raise Mistake("You count all centres: the third one is nearest to no code, so two are in use.")
    if in_use == 1:
        raise Mistake("You count the centres without a code: count those that have one.")
    if in_use != 2:
        raise Mistake(f"Of the three centres two are the nearest of a code; you count {in_use}.")
    if largest == 2:
        raise Mistake("The largest share is a share: divide the size of the largest cluster by n.")
    if not math.isclose(largest, 0.5, rel_tol=1e-4):
        raise Mistake(f"Two of four codes are in the largest cluster: the share is 0.5; yours is {largest:g}.")
    more = torch.cat([CODES, CODES[:1], CODES[:1]])
    largest = function(more, CENTERS)[2]
    if not math.isclose(float(largest), 4 / 6, rel_tol=1e-4):
        raise Mistake(
            f"With four of six codes in the first cluster the largest share is 0.667; yours is {largest:.3f}."
        )


# --- task 5 ---


def share_loss(function):
    """Check task 5."""
    TASKS.check(function, _share_loss)


def _share_loss(function):
    answer = function(CODES, CENTERS)
    value = single_number(answer, "The loss")
    compare_number(
        value, 27 / 31.75,
        {
            1 - 27 / 31.75: "This is the share that *is* explained: a loss is the rest.",
            31.75 / 27: "Numerator and denominator are exchanged.",
            27 / 63: "Your denominator is measured from the origin: measure from the mean of the codes.",
            27 / 8 / 31.75: "A mean over a sum: take sums in both places, or means in both.",
            27 / 4 / 31.75: "A mean over a sum: take sums in both places, or means in both.",
            27 / (31.75 / 4): "A sum over a mean: take sums in both places, or means in both.",
            27 / 2 / 31.75: "There is a ½ in the numerator only.",
            math.sqrt(27 / 31.75): "You took the root: (3) has squared distances.",
            375 / 31.75: "You summed over all centres: each code pays for its nearest one only.",
        }.items(),
        "The distances to the nearest centres sum to 27, those to the mean to 31.75: the loss is 0.8504; yours is "
        f"{value:.4f}.",
    )  # fmt: skip
    if not isinstance(answer, torch.Tensor):
        raise Mistake("Return the loss as a tensor: gradients must flow through it, so do not make it a plain number.")
    value = single_number(function(0.001 * CODES, 0.001 * CENTERS), "The loss")
    if not math.isclose(value, 27 / 31.75, rel_tol=1e-3):
        raise Mistake(
            f"With all codes and centres a thousandth as large the loss must be the same, 0.8504; yours is {value:.4f}."
        )


# --- task 6 ---


def mended_joint(function):
    """Check task 6."""
    TASKS.check(function, _mended_joint)


def _mended_joint(function):
    x, encoder, decoder, centers = _start(5)
    given = [part.clone() for part in (*encoder, *decoder, centers)]
    found = {}
    for weight in (0.0, 2.0):
        answer = function(x, encoder, decoder, centers, weight, 0.3, n_steps=12)
        if any(not torch.equal(a, b) for a, b in zip(given, (*encoder, *decoder, centers))):
            raise Mistake("Your function changed what it was given: work on copies, as the broken one does.")
        new, history = _five(answer, given, "history"), answer[3]
        pairs = isinstance(history, list) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in history)
        if not pairs or not all(isinstance(value, float) for pair in history for value in pair):
            raise Mistake("The history must be a list of pairs of floats, as in the broken function.")
        if len(history) != 12:
            raise Mistake(f"With n_steps=12 the history has 12 pairs; yours has {len(history)}.")
        found[weight] = new, history
    right = _descend(x, given, 2.0)
    if found[0.0][1][-1][0] == found[2.0][1][-1][0]:
        raise Mistake(
            "With λ = 0 and λ = 2 the last reconstruction is still the same to the last digit: the clustering term "
            "does not "
            "reach the encoder. Which line cuts the codes off from it?"
        )
    new, history = found[2.0]
    for step, (pair, other) in enumerate(zip(history, right[1])):
        if any(not math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-5) for a, b in zip(pair, other)):
            raise Mistake(
                f"λ reaches the network now, but loss number {step + 1} is {pair[0]:.4f}, {pair[1]:.4f} instead of "
                f"{other[0]:.4f}, {other[1]:.4f}: change only what is wrong."
            )
    if any(not torch.allclose(a, b, atol=1e-3) for a, b in zip(new, right[0])):
        raise Mistake("The losses are right, but what you return are not the layers and centres after the last step.")


def _descend(x, given, weight):
    parts, history = given, []
    for _ in range(12):
        history.append(tuple(float(v) for v in _terms(x, x, parts)))
        parts = [part - 0.3 * slope for part, slope in zip(parts, _gradients(x, x, parts, (1, weight)))]
    return parts, history
