"""Checks of the assignment *DCRA*: each says at once whether a task is solved and, if not, what looks wrong.

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
    told_apart,
)

TASKS = Tasks("dcra_loss", "refresh", "slopes", "train", "convert", "decibels", "mean_loss", "mended_training")

# You are to write DCRA and its k-means yourself: while your work is graded these cannot be imported.
FORBIDDEN = (
    "dclib.autoencoded_kmeans",
    "dclib.balanced_kmeans",
    "dclib.dcra",
    "dclib.deep_clusterer",
    "dclib.gradient_kmeans",
    "dclib.kmeans",
    "dclib.metrics",
    "mlxtend.cluster",
    "scipy.cluster.vq",
    "skimage.metrics",
    "sklearn.cluster",
)


def through(x, layers):
    """The network of this assignment: W h + b in each layer, a ReLU between two layers, none after the last.

    x: (n, inputs); layers: list of (W, b), W (outputs, inputs) and b (outputs,) -> (n, outputs of the last)
    """
    for i, (W, b) in enumerate(layers):
        x = torch.nn.functional.linear(x.relu() if i else x, W, b)
    return x


def working(*names):
    """Functions for the cells that show them at work: the notebook's, or dclib's until these pass."""
    versions = {
        "dcra_loss": _loss,
        "refresh": _refresh,
        "slopes": _slopes,
        "train": _train,
        "convert": _convert,
        "decibels": _decibels,
        "mean_loss": _mean_loss,
    }
    return TASKS.working({name: versions[name] for name in names})


def passed(*names):
    """True if these tasks have passed their checks."""
    return TASKS.passed(*names)


# --- dclib's versions, for tasks that have not passed ---


def _loss(x, epsilon, sigma, encoder, decoder, goal, share):
    from dclib.dcra import kmeans_loss, squared_error

    codes = through(x + sigma * epsilon, encoder)
    first, second = squared_error(through(codes, decoder), x), kmeans_loss(codes, goal)
    return share * first + (1 - share) * second, first, second


def _refresh(z, centers):
    from dclib.kmeans import assign, update

    before = None
    while True:
        nearest = assign(z, centers)[0]
        if before is not None and torch.equal(nearest, before):
            return centers, nearest
        found, sizes = update(z, nearest, len(centers), torch.ones_like(z[:, 0]))
        centers, before = torch.where(sizes[:, None] > 0, found, centers), nearest


def _slopes(x, x_hat, z, goal, share):
    leaves = x_hat.detach().clone().requires_grad_(), z.detach().clone().requires_grad_()
    total = share * (leaves[0] - x).square().sum() + (1 - share) * (leaves[1] - goal).square().sum()
    return torch.autograd.grad(total / len(x), leaves)


def _train(x, noise, sigma, encoder, decoder, centers, share, rate, batch_size, how="", keep=""):
    """The training of task 4, or with `how` one of the mistakes in it, with `keep` one in the history."""
    flat = [part.clone().requires_grad_() for layer in (*encoder, *decoder) for part in layer]
    layers = list(zip(flat[::2], flat[1::2]))
    down, up = layers[: len(encoder)], layers[len(encoder) :]
    losses, given = [], centers
    again = how not in ("start only", "never", "labels only", "after")
    weight = {"swapped": 1 - share, "half": 0.5}.get(how, share)
    deviation = {"no sigma": 1.0, "minus": -sigma}.get(how, sigma)

    def lloyd(table, centers):
        seen = x + sigma * table if how == "noisy codes" else x
        return _refresh(through(seen, down).detach(), centers)

    def measured(rows, table):
        clean = x[rows]
        spoilt = clean + deviation * table[rows - rows[0] if how == "first rows" else rows]
        spoilt = spoilt.clamp(0, 1) if how == "clip" else spoilt
        codes = through(clean if how == "clean input" else spoilt, down)
        drawn = through(codes.detach() if how == "L1 without encoder" else codes, up)
        first = (drawn - (spoilt if how == "noisy target" else clean)).square().sum() / len(rows)
        codes = through(clean, down) if how == "clean codes" else codes
        codes = codes.detach() if how == "L2 without encoder" else codes
        goal = centers[labels[rows - rows[0] if how == "first labels" else rows]]
        second = (codes - goal).square().sum() / len(rows)
        first = first / x.shape[1] if how == "mean of pixels" else first
        second = second / codes.shape[1] if how == "mean of code" else second
        return weight * first + (1 - weight) * second, first, second

    labels = _nearest(through(x, down), centers)
    if how in ("start only", "never"):
        found, labels = lloyd(noise[0], centers)
        centers = found if how == "start only" else centers
    for table in noise:
        table = noise[0] if how == "one table" else table
        if how == "labels only":
            labels = _nearest(through(x, down), centers)
        if again:
            centers, labels = lloyd(table, given if how == "first centres" else centers)
        for rows in torch.split(torch.arange(len(x)), len(x) if how == "one batch" else batch_size):
            if how == "no rest" and len(rows) < batch_size:
                continue
            if how == "every batch":
                centers, labels = lloyd(table, centers)
            total, first, second = measured(rows, table)
            kept = {"L1": first, "L2": second, "sum": total * len(rows), "both": first + second}.get(keep, total)
            moved = {"encoder only": flat[: 2 * len(down)], "decoder only": flat[2 * len(down) :], "W": flat[::2]}
            step = rate * len(rows) / len(x) if how == "by n" else -rate if how == "uphill" else rate
            parts = moved.get(how, flat)
            for part, slope in zip(parts, torch.autograd.grad(total, parts, allow_unused=True)):
                part.data.sub_(step * (0 if slope is None else slope))
            losses.append((measured(rows, table)[0] if keep == "after" else kept).item())
        if how == "after":
            centers, labels = lloyd(table, centers)
        if how == "one epoch":
            break
    if how == "labels only":
        labels = _nearest(through(x, down), centers)
    elif again and how != "no last":
        centers, labels = lloyd(noise[-1], given if how == "first centres" else centers)
    pairs = [(W.detach(), b.detach()) for W, b in layers]
    return pairs[: len(encoder)], pairs[len(encoder) :], centers, labels, losses


def _nearest(z, centers):
    return (z[:, None] - centers).square().sum(2).argmin(1)


def _convert(weight, d, m, first, second, on):
    on_first, on_second = (weight, 1 - weight) if on == "L1" else (1 - weight, weight)
    on_first /= {"sum": 1, "mean": d}[first]
    on_second /= {"sum": 1, "mean": m}[second]
    return on_first / (on_first + on_second), on_first + on_second


def _decibels(x, noisy, x_hat):
    from dclib.metrics import psnr

    pair = psnr(x, noisy), psnr(x, x_hat)
    return *pair, pair[1] - pair[0]


def _mean_loss(x, A, B, goal, share, corruption, level):
    spread = level**2 * torch.ones_like(x) if corruption == "noise" else x.square() * level / (1 - level)
    total = 0
    for factor, M, aim in ((share, B @ A, x), (1 - share, A, goal)):
        total = total + factor * ((x @ M.T - aim).square().sum() + (spread @ M.square().T).sum()) / len(x)
    return float(total)


# --- what the checks share ---


def _net(generator, d=12, hidden=9, m=3):
    """Layers of a small network, encoder and decoder."""
    sizes = [d, hidden, m, hidden, d]
    layers = [
        (
            torch.randn(after, before, generator=generator) / before**0.5,
            0.3 * torch.randn(after, generator=generator),
        )
        for before, after in zip(sizes, sizes[1:])
    ]
    return layers[:2], layers[2:]


def _history(values):
    if not isinstance(values, list) or any(isinstance(value, torch.Tensor) for value in values):
        raise Mistake("The history is a list of plain numbers: `loss.item()` is one.")
    return [single_number(value, "an entry of the history") for value in values]


def _agree(history, losses):
    return len(history) == len(losses) and all(map(same_number, history, losses))


def _farthest(found, right):
    """The place in which two tensors differ most, NaN more than all; and both numbers, with enough digits to differ."""
    apart = (found.double() - right.double()).abs().nan_to_num(nan=math.inf, posinf=math.inf)
    at = int(apart.argmax())
    place = [int(i) for i in torch.unravel_index(torch.tensor(at), right.shape)]
    return place, told_apart(float(right.flatten()[at]), float(found.flatten()[at]))


def _near(a, b):
    """As same_number, for numbers that may be small."""
    return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-9)


# --- task 1 ---


def dcra_loss(function):
    """Check task 1."""
    TASKS.check(function, _check_loss)


def _check_loss(function):
    g = fresh_generator()
    n, d, m, share, sigma = 7, 12, 3, 0.2, 0.4
    encoder, decoder = _net(g, d, m=m)
    x, epsilon = torch.rand(n, d, generator=g), torch.randn(n, d, generator=g)
    goal = torch.randn(n, m, generator=g)

    def ask():
        answer = function(x.clone(), epsilon.clone(), sigma, encoder, decoder, goal.clone(), share)
        found = parts_of(answer, 3, "three numbers, `loss, l1, l2`")
        return [single_number(value, name) for value, name in zip(found, ("The loss", "L1", "L2"))]

    loss, l1, l2 = ask()

    def ends(spoilt):
        codes = through(spoilt, encoder)
        return codes, through(codes, decoder)

    spoilt = x + sigma * epsilon
    codes, drawn = ends(spoilt)
    clean_codes, clean_drawn = ends(x)
    clipped_codes, clipped_drawn = ends(spoilt.clamp(0, 1))
    root_codes, root_drawn = ends(x + sigma**0.5 * epsilon)
    square_codes, square_drawn = ends(x + sigma**2 * epsilon)
    once = ends(x + epsilon)
    minus_codes, minus_drawn = ends(x - sigma * epsilon)
    bent_codes, bent_drawn = codes.relu(), through(codes.relu(), decoder)

    def mean(table):
        return float(table.square().sum(1).mean())

    def linear(rows, layers):
        for W, b in layers:
            rows = rows @ W.T + b
        return rows

    right = mean(drawn - x), mean(codes - goal)
    total = share * right[0] + (1 - share) * right[1]
    if same_number(l1, right[1]) and same_number(l2, right[0]):
        raise Mistake("You exchanged L1 and L2: the order is `loss, l1, l2`.")
    if same_number(loss, right[0]) and same_number(l2, total):
        raise Mistake("The three are right, in another order: return `loss, l1, l2`.")
    straight = "Between two layers of a network there is a ReLU: `check.through` puts it there."
    bent = "There is no ReLU after the last layer of the encoder: the code is what `check.through` returns."
    minus = "The noise is added: x̃ = x + σε, not x − σε."
    clean = "The network has seen the clean images: it gets x̃ = x + σε."
    clip = "You clipped the noisy images: values below 0 and above 1 are part of the noise."
    root = "σ is the standard deviation, as it stands: x̃ = x + σε, without a root."
    square = "σ is the standard deviation, not the variance: x̃ = x + σε, without a square."
    no_sigma = "The noise is not multiplied by σ."
    for name, value, table, expected, others in (
        (
            "L1", l1, drawn - x, right[0],
            [
                (mean(drawn - spoilt), "Noise on the target: L1 compares with the clean x, not with x̃."),
                (mean(clean_drawn - x), clean),
                (mean(clean_drawn - spoilt), "You exchanged input and target: x̃ goes in, x is the target."),
                (mean(clipped_drawn - x), clip),
                (mean(root_drawn - x), root),
                (mean(square_drawn - x), square),
                (mean(once[1] - x), no_sigma),
                (mean(minus_drawn - x), minus),
                (mean(bent_drawn - x), bent),
                (mean(drawn.relu() - x), "There is no ReLU after the last layer of the decoder."),
                (mean(bent_drawn.relu() - x), "There is no ReLU after the last layer, neither of encoder nor decoder."),
                (mean(linear(linear(spoilt, encoder), decoder) - x), straight),
                (mean(through(goal, decoder) - x), "You draw from the centre: the decoder gets the code z of x̃."),
                (share * right[0], "Return L1 without its λ: λ belongs into the loss only."),
            ],
        ),
        (
            "L2", l2, codes - goal, right[1],
            [
                (mean(clean_codes - goal), "L2 has the codes of the *noisy* images in it; yours are clean."),
                (mean(clipped_codes - goal), clip),
                (mean(root_codes - goal), root),
                (mean(square_codes - goal), square),
                (mean(once[0] - goal), no_sigma),
                (mean(minus_codes - goal), minus),
                (mean(bent_codes - goal), bent),
                (mean(linear(spoilt, encoder) - goal), straight),
                (mean(codes), "The centres are missing in L2: it compares z with `goal`."),
                ((1 - share) * right[1], "Return L2 without its 1 − λ: it belongs into the loss only."),
            ],
        ),
    ):  # fmt: skip
        what = "pixels" if name == "L1" else "numbers of a code"
        if same_number(value, expected):
            continue
        if math.isnan(value):
            raise Mistake(f"{name} is NaN: on random images it is {expected:.4f}.")
        # Before the hints: a value that noise has made may be near any of them.
        if not same_number(dict(zip(("L1", "L2"), ask()[1:]))[name], value):
            raise Mistake(f"Twice the same question, two different {name}: take the ε that are given to you.")
        name_mistake(
            value,
            [
                *others,
                (n * expected, f"Your {name} is a sum over the images: it is their mean."),
                (expected / table.shape[1], f"Your {name} is a mean over the {what}: they are summed."),
                (n * expected / table.shape[1], f"Your {name} is a mean over the {what}, and a sum over the images."),
                (
                    float(table.norm(dim=1).mean()) ** 2,
                    f"Yours is the square of a mean: {name} is the mean of squares.",
                ),
                (float(table.norm(dim=1).mean()), f"The square is forgotten: {name} has ‖·‖² in it, not ‖·‖."),
                (float(table.abs().sum(1).mean()), f"The square is forgotten: {name} sums absolute differences."),
                (expected / 2, f"Your {name} is halved: (2) has no half."),
            ],
            same_number,
        )
        raise Mistake("On random images {} is {}; yours is {}.".format(name, *told_apart(expected, value, 4)))
    if same_number(loss, total):
        return
    name_mistake(
        loss,
        [
            ((1 - share) * right[0] + share * right[1], "λ is on the wrong term: λ weighs L1, 1 − λ weighs L2."),
            (right[0] + right[1], "λ is missing: the loss is λ L1 + (1 − λ) L2."),
            (right[0] + share * right[1], "The loss is λ L1 + (1 − λ) L2; yours is L1 + λ L2."),
            (share * right[0] + right[1], "The loss is λ L1 + (1 − λ) L2; yours is λ L1 + L2."),
            (share * (right[0] + right[1]), "You have λ on both terms: 1 − λ weighs L2."),
            ((1 - share) * (right[0] + right[1]), "You have 1 − λ on both terms: λ weighs L1."),
            (right[0] + (1 - share) * right[1], "The loss is λ L1 + (1 − λ) L2; yours is L1 + (1 − λ) L2."),
            (share * right[0] - (1 - share) * right[1], "The two terms are added: λ L1 + (1 − λ) L2."),
            (total / 2, "Your loss is halved: λ and 1 − λ sum to 1 already."),
            (0.5 * (right[0] + right[1]), "Your λ is always ½: it is the argument `share`."),
        ],
        same_number,
    )
    numbers = told_apart(total, loss, 4)
    raise Mistake(f"L1 and L2 are right; with λ = {share} the loss is {numbers[0]}, yours is {numbers[1]}.")


# --- task 2 ---


def refresh(function):
    """Check task 2."""
    TASKS.check(function, _check_refresh)


def _rounds(z, centers, n_rounds, empty="keep", power=2, middle="mean"):
    """Centers and labels of each of the first rounds of Lloyd's algorithm; the last three are mistakes."""
    path = []
    for _ in range(n_rounds):
        nearest = (z[:, None] - centers).abs().pow(power).sum(2).argmin(1)
        moved = centers.clone()
        for k in range(len(centers)):
            chosen = z[nearest == k]
            if len(chosen):
                total = chosen.sum(0)
                middles = {"median": chosen.median(0).values, "n": total / len(z)}
                moved[k] = middles.get(middle, total / len(chosen))
            elif empty != "keep":
                moved[k] = {"mean": z.mean(0), "origin": 0 * centers[k], "first": z[0]}[empty]
        path.append((centers, nearest, moved))
        if torch.equal(centers, moved):
            break
        centers = moved
    return path


def _one_by_one(z, centers):
    """Each center moves as soon as its codes are known, before the others are asked: another algorithm."""
    centers = centers.clone()
    for k in list(range(len(centers))) * 30:
        chosen = _nearest(z, centers) == k
        centers[k] = z[chosen].mean(0) if chosen.any() else centers[k]
    return centers


def _slow_codes(g):
    """Codes and centers for which Lloyd's algorithm takes more than ten rounds; the last center stays without codes."""
    while True:
        z = torch.rand(100, 2, generator=g) * torch.tensor([10.0, 4.0])
        start = torch.cat([z[z[:, 0].argsort()[:5]], torch.full((1, 2), 60.0)])
        path = _rounds(z, start, 60)
        lasting = 12 <= len(path) < 60 and (path[-1][1].bincount(minlength=6)[:5] > 0).all()
        if lasting and not close(_one_by_one(z, start), path[-1][0]):
            return z, start, path


# In the second round codes change their cluster, though both clusters keep their size.
_SIX = [[4.0, 3.0], [4.0, 8.0], [4.0, 7.0], [0.0, 1.0], [2.0, 6.0], [2.0, 8.0]]
_TWO = [[4.0, 8.0], [1.0, 8.0]]


def _check_refresh(function):
    z, start, path = _slow_codes(fresh_generator())

    def ask(z, start):
        found = parts_of(function(z.clone(), start.clone()), 2, "two things, `centers, labels`")
        n, k = len(z), len(start)
        if isinstance(found[0], torch.Tensor) and found[0].ndim == 2 and len(found[0]) < k:
            raise Mistake("A centre is lost: a cluster without codes keeps its place among the centres.")
        centers = tensor_of_shape(found[0], (k, 2), f"the centres (first of the two results; here K = {k})")
        labels = tensor_of_shape(found[1], (n,), f"the labels (second of the two results; here n = {n})")
        if labels.is_floating_point():
            raise Mistake("The labels must be whole numbers, as argmin returns them.")
        if centers.isnan().any():
            raise Mistake("There is NaN in a centre: the mean of no codes. A cluster without codes keeps its centre.")
        return centers, labels.long()

    centers, labels = ask(z, start)
    last, nearest, _ = path[-1]
    if not close(centers, last):
        _wrong_centers(centers, z, start, path)
    if not torch.equal(labels, nearest):
        i = int((labels != nearest).int().argmax())
        raise Mistake(
            "The centres are right, the labels are not: they are the numbers of the nearest centres, from 0. The one "
            f"nearest to code {i} is {int(nearest[i])}; your label is {int(labels[i])}."
        )
    z, start = torch.tensor(_SIX), torch.tensor(_TWO)
    last, nearest, _ = _rounds(z, start, 60)[-1]
    for scale, hint in (
        (1.0, "codes still change their cluster where both clusters keep their size. Compare the labels themselves"),
        (0.001, "it is too early: here all distances are small. Compare labels; centres still move by a little"),
    ):
        centers, labels = ask(scale * z, scale * start)
        if not close(centers / scale, last) or not torch.equal(labels, nearest):
            raise Mistake(
                f"For the codes {_SIX} and the centres {_TWO}{'' if scale == 1 else ', all divided by 1000,'} you stop "
                f"with the labels {labels.tolist()}: {hint}. At the end they are {nearest.tolist()}."
            )


def _wrong_centers(centers, z, start, path):
    """Raises Mistake: what is wrong with these."""
    last = path[-1][0]
    for empty, where in (("mean", "to the mean of all"), ("origin", "to the origin"), ("first", "to one of the codes")):
        if close(centers, _rounds(z, start, 60, empty)[-1][0]):
            raise Mistake(f"Your centre without codes has moved {where}: it keeps its place.")
    name_mistake(
        centers,
        [
            (start, "Your centres are those of the start: return the updated ones."),
            (path[0][2], "You did one iteration: go on until nothing changes."),
            *(
                (moved, f"You stopped too early, after {number} of {len(path)} iterations: go on until no code changes "
                 "its cluster.")
                for number, (_, _, moved) in enumerate(path[:-1], 1)
            ),
            (_rounds(z, start, 60, power=1)[-1][0], "You took absolute differences: ‖·‖² in (3) is a sum of squares."),
            (_rounds(z, start, 60, middle="median")[-1][0], "A centre is the mean of its codes, not the median."),
            (_rounds(z, start, 60, middle="n")[-1][0], "The mean of a cluster is over *its* codes, not over all n."),
            (_one_by_one(z, start), "You ask for the nearest centres again before all centres have moved: first all "
             "labels, then all means."),
        ],
    )  # fmt: skip
    (k, _), _ = _farthest(centers, last)
    empty = " It has no codes, so it keeps its place." * (k == len(last) - 1)
    raise Mistake(f"On random codes centre {k} ends at {rounded(last[k])}; yours at {rounded(centers[k])}.{empty}")


# --- task 3 ---


def slopes(function):
    """Check task 3."""
    TASKS.check(function, _check_slopes)


def _check_slopes(function):
    g = fresh_generator()
    n, d, m, share = 7, 8, 3, 0.2
    x, x_hat = torch.rand(n, d, generator=g), torch.randn(n, d, generator=g)
    z, goal = torch.randn(n, m, generator=g), torch.randn(n, m, generator=g)
    found = parts_of(
        function(x.clone(), x_hat.clone(), z.clone(), goal.clone(), share),
        2,
        "two things, the gradient by the drawings and the one by the codes",
    )
    on_drawings, on_codes = _slopes(x, x_hat, z, goal, share)
    for name, value, right, weight, width, grows, alone in (
        ("by the drawings", found[0], on_drawings, share, d, "x̂ leaves x", x_hat),
        ("by the codes", found[1], on_codes, 1 - share, m, "z leaves μ", z),
    ):
        value = tensor_of_shape(value, tuple(right.shape), f"the gradient {name}")
        if close(value, right):
            continue
        unit = right / right.norm(dim=1, keepdim=True)
        name_mistake(
            value,
            [
                (-right, f"The sign of the gradient {name} is wrong: the loss grows as {grows}."),
                (right / 2, f"The 2 of the square's derivative is missing {name}."),
                (n * right, f"The gradient {name} is n times too large: the losses are means over the images."),
                (n * right / 2, f"The 2 of the square's derivative and the 1/n are missing {name}."),
                (2 * right, f"The gradient {name} is twice too large: the derivative of a square has one 2."),
                (n / width * right, f"The gradient {name} is divided by the length of a row: it is 1/n, n = len(x)."),
                (n / (n - 1) * right, f"The gradient {name} is divided by n − 1: a mean is divided by n."),
                (2 * weight / n * alone, f"The difference is forgotten {name}: the derivative of ‖v‖² is 2v, with v = "
                 f"{'x̂ − x' if alone is x_hat else 'z − μ'}."),
                (right / width, f"The gradient {name} is that of a mean over the row: (2) sums there."),
                (right / weight, f"λ has no effect {name}: L is λ L1 + (1 − λ) L2."),
                (right / weight * (1 - weight), f"λ is on the wrong term {name}: λ weighs L1, 1 − λ weighs L2."),
                (weight / n * unit, f"The square is forgotten {name}: that is the gradient of ‖·‖."),
                (2 * weight / n * unit, f"The square is forgotten {name}: your rows have all the same length."),
                (torch.sign(right) * weight / n, f"The square is forgotten {name}: that is the gradient of |·|."),
            ],
            close,
        )  # fmt: skip
        (i, j), numbers = _farthest(value, right)
        raise Mistake(
            f"For random values, λ = {share} and n = {n}, the gradient {name} in row {i}, column {j} is {numbers[0]}; "
            f"yours is {numbers[1]}. There {grows[0]}{'̂' if alone is x_hat else ''} is {float(alone[i, j]):.4f} and "
            f"{'x' if alone is x_hat else 'μ'} is {float((x if alone is x_hat else goal)[i, j]):.4f}."
        )


# --- task 4 ---


def train(function):
    """Check task 4."""
    # What is lent has no graph behind it here, either: it has none when work is graded.
    numbers = {"dcra_loss": lambda *given: tuple(part.detach() for part in _loss(*given))}
    TASKS.check(function, _check_train, lend={**numbers, "refresh": _refresh, "slopes": _slopes})


def _layers(value, like, name):
    if not isinstance(value, list | tuple) or len(value) != len(like):
        raise Mistake(f"The {name} is a list of {len(like)} layers (W, b), as the one that came in.")
    for layer, old in zip(value, like):
        if not isinstance(layer, list | tuple) or len(layer) != 2:
            raise Mistake(f"A layer of the {name} is a pair (W, b).")
        for part, before in zip(layer, old):
            tensor_of_shape(part, tuple(before.shape), f"a part of the {name}")
    return [part.detach() for layer in value for part in layer]


def _parts(trained):
    """All W and b, in one list."""
    return [part for layer in (*trained[0], *trained[1]) for part in layer]


def _training_data(g, n=22, d=12, m=3, k=5, n_epochs=3):
    """Images, noise and the rest for `train`, for which Lloyd's beginning matters; and what is right."""
    while True:
        encoder, decoder = _net(g, d, m=m)
        x, noise = torch.rand(n, d, generator=g), torch.randn(n_epochs, n, d, generator=g)
        centers = through(x, encoder)[torch.randperm(n, generator=g)[:k]] + 0.2
        given = x, noise, 0.6, encoder, decoder, centers, 0.3, 0.05, 8
        right = _train(*given)
        if not all(map(close, _parts(right), _parts(_train(*given, how="first centres")))):
            return given, right


_HOW = {
    "noisy target": "Noise on the target: the drawing is compared with the clean images.",
    "clean input": "The network has seen the clean images: each epoch has its table of noise.",
    "noisy codes": "Your clusters come from noisy codes: Lloyd's algorithm runs on the codes of clean images.",
    "never": "Your centres are never updated: refresh them before each epoch.",
    "labels only": "Your centres are never updated, only the labels: before each epoch Lloyd's algorithm moves both.",
    "start only": "Your centres are those of the first epoch: refresh them before *each* epoch.",
    "first centres": "Your Lloyd's algorithm always begins at the centres given: it goes on from the last ones.",
    "every batch": "You refresh before each batch: clusters and centres stand still during an epoch.",
    "after": "You refresh after the epochs only: the first one needs it before it begins, too.",
    "one table": "You used the first table of noise in all epochs: epoch t has table t.",
    "first rows": "Every batch got the first rows of the noise: image i has row i of the epoch's table.",
    "first labels": "Every batch got the first labels: image i has the centre of its own label.",
    "no sigma": "The noise is not multiplied by σ.",
    "minus": "The noise is added: x̃ = x + σε, not x − σε.",
    "swapped": "λ is on the wrong term: λ weighs L1, 1 − λ weighs L2.",
    "half": "Your λ is always ½: it is the argument `share`.",
    "clip": "You clipped the noisy images: values below 0 and above 1 are part of the noise.",
    "one batch": "You took all images in one step: an epoch has a step for each batch.",
    "no rest": "You left out the last batch, which is smaller: its images count, too.",
    "by n": "The losses are means over the *batch*: divide by its size, not by the number of all images.",
    "mean of pixels": "Your L1 is a mean over the pixels: they are summed.",
    "mean of code": "Your L2 is a mean over the numbers of a code: they are summed.",
    "clean codes": "L2 has the codes of the *noisy* images in it; yours are clean.",
    "L1 without encoder": "The gradient of L1 does not reach your encoder: z is detached before it is decoded.",
    "L2 without encoder": "The gradient of L2 does not reach your encoder: z is detached there.",
    "encoder only": "Your decoder did not move: all layers do.",
    "decoder only": "Your encoder did not move: all layers do.",
    "W": "Your biases did not move: all W and all b do.",
    "uphill": "You went uphill: subtract the rate times the gradient.",
    "one epoch": "You trained for one epoch: there is one for each table in `noise`.",
}
_KEPT = {
    "after": "yours is that after it",
    "L1": "yours is L1 alone",
    "L2": "yours is L2 alone",
    "both": "yours is L1 + L2, without λ",
    "sum": "yours is multiplied by the size of the batch",
}


def _check_train(function):
    (x, noise, *given), right = _training_data(fresh_generator())
    sigma, encoder, decoder, centers, share, rate, batch_size = given
    n, n_epochs = len(x), len(noise)
    before = [part.clone() for part in _parts((encoder, decoder))]

    def ask():
        answer = function(x.clone(), noise.clone(), sigma, encoder, decoder, centers.clone(), share, rate, batch_size)
        found = parts_of(answer, 5, "five things, `encoder, decoder, centers, labels, history`")
        if not all(torch.equal(a, b) for a, b in zip(before, _parts((encoder, decoder)))):
            raise Mistake("Your function changed the layers that it was given: work on copies of them.")
        return found, _layers(found[0], encoder, "encoder") + _layers(found[1], decoder, "decoder")

    try:
        found, flat = ask()
    except RuntimeError as error:
        if "does not require grad" in str(error):
            raise Mistake(
                "No gradient flows through your loss. Is a part cut off (detached, or a plain number)? What is lent to "
                "you of earlier tasks are numbers, without a graph behind them: start from both ends."
            ) from None
        if "backward through the graph a second time" in str(error):
            raise Mistake(
                "The goal is a constant, but yours has a graph behind it (centres of codes that are not detached): "
                "autograd went through it a second time. Encode under `torch.no_grad()`, or detach the codes."
            ) from None
        raise
    new_centers = tensor_of_shape(found[2], tuple(centers.shape), "the centres (third of the five results)").detach()
    labels = tensor_of_shape(found[3], (n,), "the labels (fourth of the five results)")
    history = _history(found[4])

    def agrees(path):
        return all(map(close, flat, _parts(path)))

    if not agrees(right):
        for how, hint in _HOW.items():
            if agrees(_train(x, noise, *given, how=how)):
                raise Mistake(hint)
        if all(map(close, flat, before)):
            raise Mistake("No layer has moved.")
        if any(not part.isfinite().all() for part in flat):
            raise Mistake("There are values in your layers that are not finite: perhaps you went uphill?")
        if not all(map(close, flat, ask()[1])):
            raise Mistake(
                "Twice the same question, two answers: take the images in their order, and the noise that is given."
            )
        _wrong_layers(flat, right, n_epochs)
    if not close(new_centers, right[2]) or not torch.equal(labels.long(), right[3]):
        if close(new_centers, _train(x, noise, *given, how="no last")[2]):
            raise Mistake("The layers are right; after the last epoch the clusters and centres are renewed once more.")
        wrong = [name for name, ok in (("centres", close(new_centers, right[2])),
                                       ("labels", torch.equal(labels.long(), right[3]))) if not ok]  # fmt: skip
        raise Mistake(
            f"The layers are right; the {' and the '.join(wrong)} at the end are not: refresh on clean codes."
        )
    if len(history) != len(right[4]):
        raise Mistake(
            f"The history has one loss a step: {n} images in batches of {batch_size}, {n_epochs} epochs, are "
            f"{len(right[4])} steps; yours has {len(history)} entries."
        )
    if not _agree(history, right[4]):
        named = [text for keep, text in _KEPT.items() if _agree(history, _train(x, noise, *given, keep=keep)[4])]
        raise Mistake(
            f"The history is the loss (2) *before* each step, {rounded(right[4][:3])} …; "
            f"{named[0] if named else f'yours is {rounded(history[:3])} …'}."
        )


def _wrong_layers(flat, right, n_epochs):
    """Raises Mistake: the place where the layers are most wrong."""
    parts, names = _parts(right), []
    for layers, net in zip(right[:2], ("encoder", "decoder")):
        names += [f"{letter} of layer {number} of the {net}" for number in range(len(layers)) for letter in "Wb"]
    worst = max(range(len(parts)), key=lambda i: float((flat[i].double() - parts[i].double()).abs().max()))
    place, numbers = _farthest(flat[worst], parts[worst])
    raise Mistake(
        f"After {n_epochs} epochs the number at {place} in {names[worst]} (layers counted from 0) is {numbers[0]}; "
        f"yours is {numbers[1]}."
    )


# --- task 5 ---


def convert(function):
    """Check task 5."""
    TASKS.check(function, _check_convert)


def _check_convert(function):
    g = fresh_generator()
    d, m = (int(torch.randint(low, high, (), generator=g)) for low, high in ((50, 90), (5, 12)))
    weight = 0.05 + 0.2 * float(torch.rand((), generator=g))
    for first, second in (("mean", "sum"), ("sum", "mean"), ("mean", "mean"), ("sum", "sum")):
        for on in ("L1", "L2"):
            found = parts_of(function(weight, d, m, first, second, on), 2, "two numbers, `share, factor`")
            share, factor = (single_number(v, name) for v, name in zip(found, ("The share", "The factor")))
            right = _convert(weight, d, m, first, second, on)
            case = f"for w = {weight:.3f}, d = {d}, m = {m}, L1 as a {first}, L2 as a {second}, w on {on}"
            ratio = right[0] / (1 - right[0])
            other = _convert(weight, d, m, first, second, "L2" if on == "L1" else "L1")
            upside = _convert(weight, 1 / d, 1 / m, first, second, on)
            mixed = _convert(weight, m, d, first, second, on)
            plain = _convert(weight, 1, 1, first, second, on)
            late = _convert(weight, m, d, second, first, on)  # exchanged after they were divided
            means = " and ".join(
                text
                for text, kind in ((f"L1 is divided by d = {d}", first), (f"L2 is divided by m = {m}", second))
                if kind == "mean"
            )
            if not _near(share, right[0]):
                name_mistake(
                    share,
                    [
                        (ratio, "That is the ratio s/(1 − s): the share is ratio/(1 + ratio)."),
                        (1 / ratio, "That is a ratio, and upside down: the share is ratio/(1 + ratio), with L1 above."),
                        (1 - right[0], "That is the share of L2: s weighs L1."),
                        (right[1], "You exchanged the two results: the share comes first, then the factor."),
                        *([(late[0], "With w on L2 you exchanged the two numbers after you had divided them: d stays "
                            "with L1, m with L2.")] if on == "L2" else []),
                        (other[0], f"You took w as the weight of the other loss, {case}."),
                        (upside[0], "You multiplied by d or m: a mean is the sum *divided* by their number."),
                        (mixed[0], "You exchanged d and m: L1 is over d pixels, L2 over m numbers of a code."),
                        (plain[0], f"Your share takes no notice of the means, {case}: there {means}."),
                        (right[0] * right[1], "That is the number before L1: divide it by the sum of both."),
                    ],
                    _near,
                )  # fmt: skip
                raise Mistake("The share {}, is {}; yours is {}.".format(case, *told_apart(right[0], share, 6)))
            if not _near(factor, right[1]):
                name_mistake(
                    factor,
                    [
                        (1 / right[1], "Your factor is upside down: their loss is the factor times ours."),
                        (1.0, "The share is right, but their loss is not as large as ours: by which factor?"),
                        (right[0] * right[1], "Your factor is the number before L1 alone: it is the sum of both."),
                        (
                            (1 - right[0]) * right[1],
                            "Your factor is the number before L2 alone: it is the sum of both.",
                        ),
                        (right[1] / 2, "Your factor is the mean of both numbers: it is their sum."),
                        (weight, "Your factor is w: it is the sum of the numbers before L1 and L2."),
                    ],
                    _near,
                )
                raise Mistake("The factor {}, is {}; yours is {}.".format(case, *told_apart(right[1], factor, 6)))


# --- task 6 ---


def decibels(function):
    """Check task 6."""
    TASKS.check(function, _check_decibels)


def _check_decibels(function):
    g = fresh_generator()
    x = torch.rand(6, 30, generator=g)
    noisy = x + 0.5 * torch.rand(6, 1, generator=g) * torch.randn(6, 30, generator=g)
    x_hat = x + 0.1 + 0.1 * torch.randn(6, 30, generator=g)
    found = parts_of(function(x.clone(), noisy.clone(), x_hat.clone()), 3, "three numbers, `before, after, gain`")
    before, after, gain = (single_number(value, name) for value, name in zip(found, ("`before`", "`after`", "`gain`")))
    right = _decibels(x, noisy, x_hat)

    def db(a, b):
        return -10 * math.log10(float((a - b).square().mean()))

    def others(a, b):
        error = (a - b).square()
        return [
            (10 * db(a, b) / (10 / math.log(10)), "The logarithm is to the base 10: `math.log10`."),
            (-10 * math.log10(float(error.sum(1).mean())), "The error is the mean over *all* values, pixels too."),
            (float(-10 * error.mean(1).log10().mean()), "Yours is the mean of the PSNRs of single images: take one "
             "mean squared error over all values."),
            (-10 * math.log10(float((a - b).abs().mean())), "The square is forgotten."),
            (2 * db(a, b), "Twice too large: 10 log10 of the *squared* error's inverse."),
            (db(a, b) / 2, "Half of what it should be: (6) has the mean squared error, not its root."),
            (db(a, b) / 10, "The 10 before the logarithm is missing."),
            (db(a, b) / math.log10(2), "Your logarithm is to the base 2: it is to the base 10, `math.log10`."),
            (-10 * math.log10(float(error.sum(0).mean())), "The error is the mean over *all* values, images too."),
            (-10 * math.log10(float(error.sum())), "The error is the *mean* over all values; yours is their sum."),
            (db(a, b) + 20 * math.log10(float(a.max())), "You put the largest value of x above the error: values are "
             "from 0 to 1, and (6) has a 1 there."),
            (db(a, b) + 10 * math.log10(float(a.square().mean())), "That is a ratio to the signal's size: (6) has the "
             "error alone."),
            (-10 * math.log10(float((a - b).var(correction=0))), "You took the mean of the error off: that is its "
             "variance, not the mean of its square."),
            (-10 * math.log10(float((a - b).var())), "You took the mean of the error off: that is its variance, not "
             "the mean of its square."),
            (-db(a, b), "The sign: a small error is a high PSNR."),
            (db(a.clamp(0, 1), b.clamp(0, 1)), "You clipped: compare the values as they are."),
        ]  # fmt: skip

    def apart(a, b):
        return math.isclose(a, b, abs_tol=1e-3)

    if apart(before, right[1]) and apart(after, right[0]):
        raise Mistake("You exchanged `before` and `after`: before is the PSNR of x̃, after that of x̂.")
    for name, value, expected, pair in (
        ("before", before, right[0], (x, noisy)),
        ("after", after, right[1], (x, x_hat)),
    ):
        if apart(value, expected):
            continue
        wrong = "The PSNR of the wrong pair: both compare with the *clean* images."
        name_mistake(value, [(db(noisy, x_hat), wrong), *others(*pair)], apart)
        raise Mistake("On random images {} is {} dB; yours is {}.".format(name, *told_apart(expected, value)))
    if not math.isclose(gain, right[2], abs_tol=2e-3):
        name_mistake(
            gain,
            [
                (-right[2], "The gain is after − before: above 0 where drawing was better than leaving it alone."),
                (right[1] / right[0], "Decibels are compared by their difference, not by their ratio."),
                (right[0] + right[1], "The gain is after − before; yours is their sum."),
                (db(noisy, x_hat), "That is the PSNR of x̂ against x̃: the gain is after − before."),
            ],
            lambda a, b: math.isclose(a, b, abs_tol=2e-3),
        )
        raise Mistake(f"before and after are right; the gain is {right[2]:.3f} dB, yours {gain:.3f}.")
    found = parts_of(function(x.clone(), x.clone(), x_hat.clone()), 3, "three numbers, `before, after, gain`")
    found = [single_number(value, name) for value, name in zip(found, ("`before`", "`after`", "`gain`"))]
    if float(found[0]) != math.inf or float(found[2]) != -math.inf:
        raise Mistake(
            "Where x̃ equals x, before is `math.inf` and the gain `-math.inf`: nothing could be won. Yours are "
            f"{float(found[0]):g} and {float(found[2]):g}."
        )


# --- task 7 ---


def mean_loss(function):
    """Check task 7."""
    TASKS.check(function, _check_mean_loss)


def _check_mean_loss(function):
    g = fresh_generator()
    n, d, m, share = 6, 9, 4, 0.3
    A, B = (torch.randn(shape, generator=g) / 2 for shape in ((m, d), (d, m)))
    x, goal = 0.2 + torch.rand(n, d, generator=g), torch.randn(n, m, generator=g)
    for corruption, level in (("noise", 0.6), ("mask", 0.3)):
        right = _mean_loss(x, A, B, goal, share, corruption, level)

        def ask(corruption=corruption, level=level):
            answer = function(x.clone(), A.clone(), B.clone(), goal.clone(), share, corruption, level)
            return single_number(answer, "The mean loss")

        value = ask()
        if same_number(value, right):
            continue

        def total(variance, on=(1, 1), seen=x, factors=(share, 1 - share), by=None):
            parts = []
            for number, (M, aim) in enumerate(((B @ A, x), (A, goal))):
                size = (by or (lambda number, M: M.square()))(number, M)
                extra = (variance @ size.T).sum()
                parts.append(float((seen @ M.T - aim).square().sum() + on[number] * extra) / n)
            return sum(factor * part for factor, part in zip(factors, parts))

        base = total(torch.zeros_like(x))
        first, second = (total(torch.zeros_like(x), factors=one) for one in ((1, 0), (0, 1)))
        ones = torch.ones_like(x)
        spread = level**2 * ones if corruption == "noise" else x.square() * level / (1 - level)
        hints = [
            (right / 2, "Your loss is halved: λ and 1 − λ sum to 1 already."),
            (total(spread, factors=(1, 1)), "λ is missing: the loss is λ L1 + (1 − λ) L2."),
            (total(spread, factors=(share, share)), "You have λ on both terms: 1 − λ weighs L2."),
            (base + n * (right - base), "The penalty is n times too large: it is a mean over the images, too."),
            (base + (right - base) / n, "The penalty is divided by n once too often: its sum over images has one 1/n."),
            (base + 2 * (right - base), "The penalty is twice too large: (7) has no 2."),
            (base - (right - base), "The penalty is *added* in (7): noise never makes the mean loss smaller."),
            (total(spread, by=lambda number, M: M.sum(0, keepdim=True).square()), "The columns of M are squared first, "
             "then summed over k: Σ M², not (Σ M)²."),
            (total(spread, by=lambda number, M: M.square() / len(M)), "The squares M_kj² are *summed* over k."),
            (total(spread, by=lambda number, M: (B @ A).square()), "In L2 stands the noise of the code: its M is A."),
            (total(spread, by=lambda number, M: (M if number else M.T).square()), "You sum the squares of BA over "
             "the wrong index: v_ij belongs to column j of M."),
            (total(spread, by=lambda number, M: (M if number else M - torch.eye(d)).square()), "The target "
             "is clean: its penalty is that of BA, not of I − BA."),
            (share * first + (1 - share) * float((x @ A.T).square().sum()) / n + right - base, "The centres are "
             "missing in L2: it compares with `goal`."),
            (total(spread, (0, 0)), "That is the loss of the clean images: noise averages out of x̃, not of a square."),
            (total(spread, (1, 0)), "The noise is missing in L2: A sees x̃, too."),
            (total(spread, (0, 1)), "The noise is missing in L1: BA sees x̃."),
            (total(spread, factors=(1 - share, share)), "λ is on the wrong term: λ weighs L1, 1 − λ weighs L2."),
            (n * right, "Yours is a sum over the images: it is their mean."),
            (total(spread, by=lambda number, M: A.square()), "In L1 stands the noise after both, B A; yours is A's."),
            (total(spread, by=lambda number, M: M), "The square is forgotten: M_kj stands squared in (7)."),
            (total(spread, by=lambda number, M: M.abs()), "The square is forgotten: M_kj stands squared in (7)."),
            (n * total(spread, by=lambda number, M: M.square() / n), "The noise is that of one image, not n of them."),
        ]  # fmt: skip
        if corruption == "noise":
            hints += [
                (total(level * ones), "σ is the standard deviation: the variance is σ²."),
                (total(level**2 * x.square()), "The noise does not depend on x: its variance is σ² for each pixel."),
                *(
                    [
                        (
                            total(x.square() * level / (1 - level)),
                            'For "noise" you have the variance of the mask: it is σ².',
                        )
                    ]
                    if level < 1
                    else []
                ),
            ]
        else:
            kept = 1 - level
            hints += [
                (
                    total(x.square() * level * kept, seen=kept * x),
                    "You left out the division of the kept pixels by 1 − r: x̃ has the mean x only with it.",
                ),
                (total(x.square() * level * kept), "r(1 − r)x² is the variance before the division by 1 − r."),
                (total(x.square() * level), "The variance of a pixel is x² r/(1 − r): its mean is x, it is x/(1 − r) "
                 "or 0."),
                (total(level / kept * ones), "The variance of a masked pixel depends on the pixel: x² r/(1 − r)."),
                (total(x.abs() * level / kept), "The variance has x² in it, not x."),
                (total(x.square() * level / kept**2), "In the variance 1 − r stands once below: the mean of x̃² is "
                 "x²/(1 − r), and x² is subtracted."),
                (total((level / kept) ** 0.5 * x.square()), "The variance of a pixel is x² r/(1 − r), without a root."),
                (total(level**2 * x.square()), "The variance of a pixel is x² r/(1 − r), not x² r²."),
                (total(level * kept * ones), "The variance of a masked pixel depends on the pixel: x² r/(1 − r)."),
                (total(x.square().mean() * level / kept * ones), "Each pixel has its own variance, x_ij² r/(1 − r): no "
                 "mean of x²."),
                (total(x.square() * level / kept, seen=kept * x), "The mean of x̃ is x, since what is kept is divided "
                 "by 1 − r: do not shrink x."),
                (total(x.square() / kept), "That is the mean of x̃², not its variance: subtract x²."),
                (total(x.square() * kept / level), "r is the share that is *dropped*: x² r/(1 − r)."),
                (total(level**2 * ones), "A mask is no noise of deviation r: its variance is x² r/(1 − r)."),
            ]  # fmt: skip
        if not math.isnan(value) and not same_number(ask(), value):
            raise Mistake("Twice the same question, two answers: nothing is drawn here, (7) is the exact mean.")
        name_mistake(value, hints, same_number)
        numbers = told_apart(right, value, 4)
        raise Mistake(
            f"For random A and B, corruption {corruption!r} and level {level}, the mean loss is {numbers[0]}; yours is "
            f"{numbers[1]}. (Without corruption: L1 = {first:.4f}, L2 = {second:.4f}, λ = {share}.)"
        )


# --- task 8 ---


def mended_training(function):
    """Check task 8."""
    TASKS.check(function, _check_mended)


def _linear_path(x, noise, sigma, A, B, goal, share, rate, how="", keep=""):
    """The training of task 8 with autograd, or with `how` a mistake in it, with `keep` one in the history."""
    A, B = A.clone().requires_grad_(), B.clone().requires_grad_()
    losses = []

    def measured(table):
        spoilt = x + sigma * (noise[0] if how == "one table" else table)
        seen, aim = (x if how in ("clean", "exchanged") else spoilt), (spoilt if how in ("broken", "exchanged") else x)
        aim = (x + spoilt) / 2 if how == "half" else aim
        codes = seen @ A.T
        parts = (codes @ B.T - aim).square().sum() / len(x), (codes - goal).square().sum() / len(x)
        far = (codes @ B.T - spoilt).square().sum() / len(x)
        weight = 1 - share if how == "swapped" else share
        return weight * parts[0] + (1 - weight) * parts[1], *parts, share * far + (1 - share) * parts[1]

    for table in noise:
        total, first, second, far = measured(table)
        kept = {"L1": first, "L2": second, "both": first + second, "noisy": far}.get(keep, total)
        changes = torch.autograd.grad(total, (A, B))
        step = {"no 2": rate / 2, "sum": rate * len(x), "uphill": -rate}.get(how, rate)
        A.data.sub_(step * changes[0])
        if how == "in turns":
            changes = None, torch.autograd.grad(measured(table)[0], B)[0]
        B.data.sub_(step * changes[1])
        losses.append((measured(table)[0] if keep == "after" else kept).item())
    return A.detach(), B.detach(), losses


_MENDED = {
    "broken": "That is still the broken one. What is each of the two differences a difference from?",
    "clean": "Now there is no noise at all: it must stay on the input.",
    "exchanged": "You exchanged input and target: the noise belongs on the input, the target is clean.",
    "half": "Your target is half noisy: the target is clean.",
    "one table": "You used the first table of noise in all steps: step t has table t.",
    "swapped": "λ is on the wrong term: λ weighs L1, 1 − λ weighs L2. That was right.",
    "no 2": "The 2 of the square's derivative was right: leave it there.",
    "sum": "The division by n was right: leave it there.",
    "uphill": "You go uphill: the steps were right, only the target was not.",
    "in turns": "Your B follows the new A: both move at once, from where they were before the step.",
}


def _check_mended(function):
    g = fresh_generator()
    n, d, m, sigma, share, rate = 15, 8, 3, 0.7, 0.6, 0.02
    x, noise = torch.randn(n, d, generator=g), torch.randn(6, n, d, generator=g)
    A, B = (torch.randn(shape, generator=g) / 3 for shape in ((m, d), (d, m)))
    goal = torch.randn(n, m, generator=g)

    def ask():
        answer = function(x.clone(), noise.clone(), sigma, A.clone(), B.clone(), goal.clone(), share, rate)
        found = parts_of(answer, 3, "three things, `A, B, history`")
        new_A = tensor_of_shape(found[0], (m, d), "A (first of the three results)")
        return new_A, tensor_of_shape(found[1], (d, m), "B (second of the three results)"), _history(found[2])

    def path(**mistake):
        return _linear_path(x, noise, sigma, A, B, goal, share, rate, **mistake)

    new_A, new_B, history = ask()
    right = path()
    if close(new_A, right[0]) and close(new_B, right[1]):
        if len(history) != len(noise):
            raise Mistake(f"A and B are right; with {len(noise)} steps the history has as many; yours {len(history)}.")
        if not _agree(history, right[2]):
            kept = {**_KEPT, "noisy": "yours compares with the noisy images"}
            named = [text for keep, text in kept.items() if _agree(history, path(keep=keep)[2])]
            raise Mistake(
                f"A and B are right; the history is the loss before each step, {rounded(right[2][:3])} …; "
                f"{named[0] if named else f'yours is {rounded(history[:3])} …'}."
            )
        return
    for how, hint in _MENDED.items():
        wrong = path(how=how)
        if close(new_A, wrong[0]) and close(new_B, wrong[1]):
            raise Mistake(hint)
    if close(new_A, A) and close(new_B, B):
        raise Mistake("A and B did not move.")
    if not close(new_A, ask()[0]):
        raise Mistake("Twice the same question, two answers: the noise is given. Mend the mistake, and draw none.")
    name, found, expected = ("B", new_B, right[1]) if close(new_A, right[0]) else ("A", new_A, right[0])
    place, numbers = _farthest(found, expected)
    raise Mistake(
        f"After {len(noise)} steps the number at {place} in {name} is {numbers[0]}; yours is {numbers[1]}. Mend the "
        "mistake, and leave the rest as it is."
    )
