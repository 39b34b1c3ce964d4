"""Checks of the assignment *DEC*: each says at once whether a task is solved and, if not, what looks wrong.

When your work is graded, the same checks run in the teacher's process, and more questions of their kind.
"""

import math

import torch

from dclib.classroom.exercises import (
    Mistake,
    Tasks,
    close,
    fresh_generator,
    name_mistake,
    parts_of,
    rounded,
    same_number,
    single_number,
    tensor_of_shape,
)

TASKS = Tasks("soft_assignment", "target", "divergence", "pull", "refine", "mended_training")

# You are to write DEC yourself: while your work is graded this cannot be imported.
FORBIDDEN = ("dclib.dec",)


def working(*names):
    """Functions for the cells that show them at work: the notebook's, or dclib's until these pass."""
    versions = {"soft_assignment": _q, "target": _p, "divergence": _kl, "pull": _pull, "refine": _refine}
    return TASKS.working({name: versions[name] for name in names})


# --- what the checks share ---


def _q(z, centers, alpha):
    from dclib.dec import soft_assignment

    return soft_assignment(z, centers, alpha)


def _p(q):
    from dclib.dec import target_distribution

    return target_distribution(q)


def _kl(p, q):
    from dclib.dec import kl_divergence

    return kl_divergence(p, q)


def _pull(z, centers, p, alpha):
    leaves = z.clone().requires_grad_(), centers.clone().requires_grad_()
    distances = (leaves[0][:, None] - leaves[1]).square().sum(2)
    log_q = (-(alpha + 1) / 2 * torch.log1p(distances / alpha)).log_softmax(1)
    slopes = torch.autograd.grad(-(p * log_q).sum(), leaves)
    return -slopes[0], -slopes[1]


def _refine(z, centers, alpha, rate, n_steps, interval, renew=(), loss=_kl, after=False):
    """The last three are mistakes: when the target is renewed, what goes into the history, and that after the step."""
    losses = []
    for number in range(n_steps):
        q = _q(z, centers, alpha)
        if number in renew if renew else number % interval == 0:
            p = _p(q)
        of_z, of_centers = _pull(z, centers, p, alpha)
        z, centers = z + rate * of_z, centers + rate / len(z) * of_centers
        losses.append(float(loss(p, _q(z, centers, alpha) if after else q)))
    return z, centers, losses


def _data(n=30, k=4, d=3):
    generator = fresh_generator()
    z = torch.randn(n, d, generator=generator) + 2 * torch.randint(3, (n, 1), generator=generator)
    return z, z[torch.randperm(n, generator=generator)[:k]] + 0.3


def _shares(n=30, k=4):
    """Some q with clusters of different size, and a p."""
    generator = fresh_generator()
    q = torch.softmax(2 * torch.randn(n, k, generator=generator) + torch.arange(k) / 2, 1)
    return q, torch.softmax(2 * torch.randn(n, k, generator=generator), 1)


def _losses(history, n):
    if not isinstance(history, list) or any(isinstance(value, torch.Tensor) for value in history):
        raise Mistake("The history is a list of plain numbers: `float(loss)` makes one.")
    if len(history) != n:
        raise Mistake(f"With {n} steps the history has {n} entries; yours has {len(history)}.")
    return [single_number(value, "an entry of the history") for value in history]


def _farthest(found, expected):
    """The row in which the two are farthest apart; NaN is farther than all."""
    apart = (found.double() - expected.double()).abs().nan_to_num(nan=math.inf, posinf=math.inf)
    return int(apart.amax(1).argmax())


def _exactly(row):
    """A row for a message, with enough digits to show what `close` tells apart."""
    return [float(f"{value:.5g}") for value in row.tolist()]


# --- task 1 ---


def soft_assignment(function):
    """Check task 1."""
    TASKS.check(function, _soft_assignment)


def _soft_assignment(function):
    z, centers = _data()
    table = (z[:, None] - centers).square().sum(2)
    for alpha in (4.0, 7.0):  # at 4 no two mistakes give the same: −(α + 1)/2 is no whole number, nor rounded to −1
        expected = _q(z, centers, alpha)
        q = tensor_of_shape(function(z.clone(), centers.clone(), alpha), (30, 4), "q (here n = 30, k = 4)")
        if close(q, expected):
            continue
        power = -(alpha + 1) / 2
        kernel = (1 + table / alpha) ** power
        name_mistake(
            q,
            [
                (kernel, "Your rows do not sum to 1: divide each by its sum."),
                (kernel / kernel.sum(0), "Your columns sum to 1: each *sample* is shared out, so each row must."),
                (torch.softmax(-table / alpha, 1), "That is a Gaussian kernel: DEC takes Student's t."),
                (torch.softmax(-table, 1), "That is a Gaussian kernel: DEC takes Student's t."),
                (
                    torch.softmax(power * torch.log1p(table.sqrt() / alpha), 1),
                    "Your distances are Euclidean: in (1) stands the squared one.",
                ),
                (torch.softmax(-torch.log1p(table), 1), "Your α has no effect: it is below d and in the exponent."),
                (torch.softmax(-torch.log1p(table / alpha), 1), "The exponent is −(α + 1)/2; yours is −1."),
                (torch.softmax(power * torch.log1p(table), 1), "The d is to be divided by α."),
                (torch.softmax(-(alpha + 1) * torch.log1p(table / alpha), 1), "The exponent is −(α + 1)/2: the half."),
                (torch.softmax(-power * torch.log1p(table / alpha), 1), "Far centres have a large q: the sign."),
                (
                    torch.softmax(-((alpha + 1) // 2) * torch.log1p(table / alpha), 1),
                    "Your exponent is a whole number, also where −(α + 1)/2 is none: `//` rounds, `/` does not.",
                ),
                (
                    torch.softmax((-(alpha + 1) // 2) * torch.log1p(table / alpha), 1),
                    "Your exponent is a whole number, also where −(α + 1)/2 is none: `//` rounds, `/` does not.",
                ),
                (torch.softmax(kernel, 1), "The kernel is no exponent: divide it by its sum."),
            ],
        )  # fmt: skip
        i = _farthest(q, expected)
        raise Mistake(
            f"For squared distances {_exactly(table[i])} and α = {alpha} the row is {_exactly(expected[i])}; "
            f"yours is {_exactly(q[i])}."
        )


# --- task 2 ---


def target(function):
    """Check task 2."""
    TASKS.check(function, _target)


def _target(function):
    q = _shares()[0]
    expected = _p(q)
    p = tensor_of_shape(function(q.clone()), (30, 4), "p (here n = 30, k = 4)")
    if close(p, expected):
        return
    sharp, f = q.square(), q.sum(0)
    name_mistake(
        p,
        [
            (q, "Your p is q: square it before you divide by f."),
            (sharp / f, "Your rows do not sum to 1: divide each by its sum."),
            (sharp, "Yours is q²: f sums over the samples, dim=0, and then each row is divided by its own sum."),
            (
                sharp / sharp.sum(1, keepdim=True),
                "You did not divide by f, the size of the clusters, or took the sum of each row for it, which is 1: f "
                "sums over the samples, dim=0.",
            ),
            ((q / f) / (q / f).sum(1, keepdim=True), "The square is missing: yours does not sharpen."),
            ((sharp / f) / (sharp / f).sum(0), "Your columns sum to 1: each *sample* is shared out, so each row must."),
            (
                (sharp / sharp.sum(0)) / (sharp / sharp.sum(0)).sum(1, keepdim=True),
                "f_k sums q, not its square.",
            ),
            ((q / f).square() / (q / f).square().sum(1, keepdim=True), "You divided by the square of f: f itself."),
            ((sharp * f) / (sharp * f).sum(1, keepdim=True), "You multiplied by f: so large clusters grow."),
            (
                torch.nn.functional.one_hot(q.argmax(1), 4).to(q.dtype),
                "Your p is hard: the square sharpens, it does not decide.",
            ),
        ],
    )  # fmt: skip
    i = _farthest(p, expected)
    raise Mistake(
        f"For the row {_exactly(q[i])} and the sizes {_exactly(f)} p is {_exactly(expected[i])}; yours is "
        f"{_exactly(p[i])}."
    )


# --- task 3 ---


def divergence(function):
    """Check task 3."""
    TASKS.check(function, _divergence)


def _divergence(function):
    q, p = _shares()
    n, k = q.shape
    right, value = float(_kl(p, q)), single_number(function(p.clone(), q.clone()), "The divergence")
    if math.isnan(value):
        raise Mistake("The divergence is NaN.")
    swapped = float(_kl(q, p))
    hints = [
        (swapped, "That is KL(Q‖P), the wrong way: in KL(P‖Q) the weights before the logarithm are p."),
        (n * right, "Yours is a sum over the samples: equation (3) is their mean."),
        (right / k, "You took the mean over the clusters, too: they are summed."),
        (
            right * n / k,
            "You exchanged the two dimensions: yours is a mean over the clusters and a sum over the samples. Sum over "
            "the clusters, dim=1, and take the mean over the samples.",
        ),
        (right / math.log(2), "Your logarithm has base 2: the ln of equation (3) is the natural one, `torch.log`."),
        (right / math.log(10), "Your logarithm has base 10: the ln of equation (3) is the natural one, `torch.log`."),
        (-right, "The sign is wrong: it is log(p/q), and KL is never below 0."),
        (float(-(p * q.log()).sum(1).mean()), "That is the cross entropy, −Σ p log q: p log p is missing."),
        (float((p - q).square().sum(1).mean()), "That is a squared difference, no divergence."),
        (-swapped, "You have q log(p/q): the weights before the logarithm are p."),
    ]
    if not same_number(value, right):
        name_mistake(value, hints, same_number)
        _on_paper(function, [[1.0, 0.0]], [[0.5, 0.5]], "1 · ln(1/0.5) + 0 = ln 2")
        _on_paper(function, [[0.5, 0.5], [0.8, 0.2]], [[0.5, 0.5], [0.5, 0.5]],
                  "(0 + 0.8 · ln 1.6 + 0.2 · ln 0.4)/2")  # fmt: skip
        raise Mistake(f"For {n} rows of p and q, drawn at random, the divergence is {right:.4f}; yours is {value:.4f}.")
    p, q = torch.tensor([[1.0, 0.0], [0.5, 0.5]]), torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    value = single_number(function(p, q), "The divergence")
    if not same_number(value, math.log(2) / 2):
        raise Mistake(f"Where p is 0 its term 0 · log 0 counts as 0: for p = {p.tolist()} and q = 0.5 everywhere the "
                      f"divergence is {math.log(2) / 2:.4f}; yours is {value:.4f}.")  # fmt: skip


def _rows(table):
    return [rounded(row) for row in table]


def _on_paper(function, p, q, terms):
    """An example that can be computed by hand, for an answer whose mistake has no name here."""
    p, q = torch.tensor(p), torch.tensor(q)
    right, value = float(_kl(p, q)), single_number(function(p.clone(), q.clone()), "The divergence")
    if not math.isnan(value) and not same_number(value, right):  # NaN: another example has no p of 0
        raise Mistake(f"For p = {_rows(p)} and q = {_rows(q)} the divergence is {terms} = {right:.4f}; yours is "
                      f"{value:.4f}.")  # fmt: skip


# --- task 4 ---


def pull(function):
    """Check task 4."""
    TASKS.check(function, _check_pull, lend={"soft_assignment": _q})


def _check_pull(function):
    z, centers = _data()
    p = _shares()[1]
    for alpha in (4.0, 6.0):  # no two mistakes give the same: at 1 the half of α + 1 is 1, at 3 it is 2
        right = _pull(z, centers, p, alpha)
        found = parts_of(
            function(z.clone(), centers.clone(), p.clone(), alpha), 2, "two things, the pulls on z and on the centres"
        )
        q = _q(z, centers, alpha)
        difference = z.unsqueeze(1) - centers
        near = 1 / (alpha + difference.square().sum(2))
        for name, axis, value, expected in (("z", 1, found[0], right[0]), ("the centres", 0, found[1], right[1])):
            value = tensor_of_shape(value, tuple(expected.shape), f"the pull on {name}")
            if close(value, expected):
                continue
            sign = -1 if axis else 1

            def shaped(weights, factor=alpha + 1, axis=axis, sign=sign, difference=difference):
                return sign * factor * (weights[:, :, None] * difference).sum(axis)

            name_mistake(
                value,
                [
                    (-expected, f"The sign of the pull on {name} is wrong: where p > q, both come together."),
                    (expected / len(z), f"The pull on {name} is that of a mean: (4) is for the *sum*."),
                    (shaped((p - q) / alpha), f"The pull on {name} misses the factor 1/(1 + d/α)."),
                    (shaped(p * near), f"The pull on {name} has p where p − q must stand."),
                    (shaped((p - q) * near, 1), f"The factor (α + 1) is missing in the pull on {name}."),
                    (
                        shaped((p - q) * near, (alpha + 1) / 2),
                        f"Your pull on {name} is half of it: the derivative of d by z is 2 (z − μ).",
                    ),
                    (shaped((p - q) * near, 2), f"Your factor in the pull on {name} is 2: it is α + 1."),
                    (
                        shaped((p - q) / (1 + near.reciprocal() - alpha), 2),
                        f"Your pull on {name} is that of the lesson, for α = 1.",
                    ),
                    (shaped((p - q) * near, 2 * (alpha + 1)), f"Your pull on {name} is twice too large."),
                    (shaped((p - q) * near * alpha), f"Your pull on {name} is α times too large."),
                    (shaped((p - q) / (1 + near.reciprocal() - alpha)), f"In the pull on {name} divide d by α."),
                ],
            )  # fmt: skip
            i = _farthest(value, expected)
            raise Mistake(
                f"For α = {alpha} row {i} of the pull on {name} is {_exactly(expected[i])}; yours is "
                f"{_exactly(value[i])}."
            )


# --- task 5 ---


def refine(function):
    """Check task 5."""
    TASKS.check(
        function,
        _check_refine,
        lend={"soft_assignment": _q, "target": _p, "divergence": _kl, "pull": _pull},
    )


def _check_refine(function):
    z, centers = _data()
    alpha, rate, n_steps, interval = 2.0, 0.3, 7, 3
    arguments = (alpha, rate, n_steps, interval)
    right = _refine(z, centers, *arguments)
    found = parts_of(function(z.clone(), centers.clone(), *arguments), 3, "three things, `z, centers, history`")
    new_z = tensor_of_shape(found[0], tuple(z.shape), "z (first of the three results)")
    new_centers = tensor_of_shape(found[1], tuple(centers.shape), "the centres (second of the three results)")
    history = _losses(found[2], n_steps)
    if close(new_z, right[0]) and close(new_centers, right[1]):
        _examine_history(history, right[2], lambda **mistake: _refine(z, centers, *arguments, **mistake)[2])
        return
    always, never = (_refine(z, centers, alpha, rate, n_steps, other) for other in (1, n_steps))
    early, late, later = (_refine(z, centers, *arguments, renew=steps) for steps in ((0, 2, 5), (0, 1, 4), (0, 4)))
    when = "Renew the target at t = 0, interval, 2 · interval and so on: here at 0, 3 and 6, and not"

    def variant(order):
        a, c = z, centers
        for number in range(n_steps):
            q = _q(a, c, alpha)
            if number % interval == 0:
                p = _p(q)
            of_a, of_c = _pull(a, c, p, alpha)
            if order == "one after the other":
                a = a + rate * of_a
                c = c + rate / len(z) * _pull(a, c, p, alpha)[1]
            elif order == "sum":
                a, c = a + rate * of_a, c + rate * of_c
            elif order == "mean":
                a, c = a + rate / len(z) * of_a, c + rate / len(z) * of_c
            elif order == "z only":
                a = a + rate * of_a
            elif order == "centers only":
                c = c + rate / len(z) * of_c
            else:
                a, c = a - rate * of_a, c - rate / len(z) * of_c
        return a, c

    hints = [
        (
            always[:2],
            "Your target moves in every step: renew it every `interval` steps only.",
        ),
        (never[:2], "Your target is that of the start: renew it every `interval` steps."),
        (early[:2], f"{when} at 2 and 5."),
        (late[:2], f"{when} at 1 and 4."),
        (later[:2], f"{when} at 4."),
        (variant("sum"), "The centres move by the *mean* pull of the samples: divide by n."),
        (variant("mean"), "Each sample moves by its own pull, not by 1/n of it."),
        (variant("z only"), "Your centres did not move: both move."),
        (variant("centers only"), "Your samples did not move: both move."),
        (variant("one after the other"), "Both pulls come from z and centres as they are before the step."),
        (variant("away"), "You move against the pull."),
    ]
    name_mistake((new_z, new_centers), hints, lambda a, b: close(a[0], b[0]) and close(a[1], b[1]))
    i, k = _farthest(new_z, right[0]), _farthest(new_centers, right[1])
    raise Mistake(
        f"After {n_steps} steps sample {i} is at {_exactly(right[0][i])} and centre {k} at {_exactly(right[1][k])}; "
        f"yours are at {_exactly(new_z[i])} and {_exactly(new_centers[k])}."
    )


def _examine_history(history, right, with_mistake):
    def same(mine, theirs):
        return all(same_number(a, b) for a, b in zip(mine, theirs))

    if same(history, right):
        return
    hints = [
        (with_mistake(after=True), "The history is the divergence *before* each step: yours is that after it."),
        (
            with_mistake(loss=lambda p, q: _kl(q, p)),
            "Your history has the divergence the wrong way round: KL(P‖Q), not KL(Q‖P).",
        ),
        (
            with_mistake(loss=lambda p, q: _kl(_p(q), q)),
            "Your history takes a new target in each step: its p is that of the pull, which stands still in between.",
        ),
        (with_mistake(loss=lambda p, q: len(q) * _kl(p, q)), "Your history holds sums over the samples: take means."),
    ]
    name_mistake(history, hints, same)
    raise Mistake(f"The history is the divergence *before* each step, {rounded(right)}; yours is {rounded(history)}.")


# --- task 6 ---


def mended_training(function):
    """Check task 6."""
    TASKS.check(function, _mended_training)


def _by_autograd(z, centers, rate, n_steps, how):
    from dclib.dec import kl_divergence, soft_assignment, target_distribution

    z, centers = z.clone().requires_grad_(), centers.clone().requires_grad_()
    losses = []
    for number in range(n_steps):
        q = soft_assignment(z, centers)
        if how == "once" and number:
            pass
        else:
            p = target_distribution(q)
            p = p if how == "through" else p.detach()
        loss = kl_divergence(q, p) if how == "swapped" else kl_divergence(p, q)
        losses.append(loss.item())
        of_z, of_centers = torch.autograd.grad(loss, (z, centers))
        with torch.no_grad():
            z -= rate * len(z) * of_z
            centers -= rate * of_centers
    return z.detach(), centers.detach(), losses


def _mended_training(function):
    z, centers = _data()
    rate, n_steps = 0.4, 6
    found = parts_of(function(z.clone(), centers.clone(), rate, n_steps), 3, "three things, `z, centers, history`")
    new_z = tensor_of_shape(found[0], tuple(z.shape), "z (first of the three results)")
    new_centers = tensor_of_shape(found[1], tuple(centers.shape), "the centres (second of the three results)")
    history = _losses(found[2], n_steps)

    def is_path(how):
        path = _by_autograd(z, centers, rate, n_steps, how)
        return close(new_z, path[0]) and close(new_centers, path[1])

    if is_path("right"):
        losses = _by_autograd(z, centers, rate, n_steps, "right")[2]
        if not all(same_number(a, b) for a, b in zip(history, losses)):
            raise Mistake(f"The path is right; the history is the loss before each step, {rounded(losses[:3])} …")
        return
    if is_path("through"):
        raise Mistake("That is still the broken one. In DEC p is a *target*: does anything pull it towards q here?")
    if is_path("swapped"):
        raise Mistake("You exchanged p and q in the divergence: its direction was right.")
    if is_path("once"):
        raise Mistake("Your target is that of the start: it is computed anew in each step, but it is not learned.")
    if close(new_z, z):
        raise Mistake("Your samples did not move: the *target* must be cut from the graph, not q.")
    expected = _by_autograd(z, centers, rate, n_steps, "right")[0]
    i = _farthest(new_z, expected)
    raise Mistake(
        f"After {n_steps} steps sample {i} should be at {_exactly(expected[i])}; yours is at {_exactly(new_z[i])}. "
        "Mend the mistake, and leave the rest as it is."
    )
