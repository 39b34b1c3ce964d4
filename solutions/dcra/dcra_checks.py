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


def _train(x, noise, sigma, encoder, decoder, centers, share, rate, batch_size, how=""):
    """The training of task 4, or with `how` one of the mistakes in it."""
    flat = [part.clone().requires_grad_() for layer in (*encoder, *decoder) for part in layer]
    layers = list(zip(flat[::2], flat[1::2]))
    down, up = layers[: len(encoder)], layers[len(encoder) :]
    losses, again = [], how not in ("start only", "never")

    def lloyd(table):
        seen = x + sigma * table if how == "noisy codes" else x
        return _refresh(through(seen, down).detach(), centers)

    if not again:
        found, labels = lloyd(noise[0])
        centers = found if how == "start only" else centers
    for table in noise:
        table = noise[0] if how == "one table" else table
        if again:
            centers, labels = lloyd(table)
        sizes = len(x) if how == "one batch" else batch_size
        for rows in torch.split(torch.arange(len(x)), sizes):
            clean, spoilt = x[rows], x[rows] + sigma * table[rows]
            if how == "clip":
                spoilt = spoilt.clamp(0, 1)
            codes = through(clean if how == "clean input" else spoilt, down)
            first = (through(codes, up) - (spoilt if how == "noisy target" else clean)).square().sum() / len(rows)
            second = (codes - centers[labels[rows]]).square().sum() / len(rows)
            weight = 1 - share if how == "swapped" else share
            total = weight * first + (1 - weight) * second
            losses.append(total.item())
            moved = flat[: 2 * len(down)] if how == "encoder only" else flat
            moved = flat[2 * len(down) :] if how == "decoder only" else moved
            step = -rate if how == "uphill" else rate
            for part, slope in zip(moved, torch.autograd.grad(total, moved)):
                part.data.sub_(step * slope)
    if again and how != "no last":
        centers, labels = lloyd(noise[-1])
    pairs = [(W.detach(), b.detach()) for W, b in layers]
    return pairs[: len(encoder)], pairs[len(encoder) :], centers, labels, losses


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
    found = parts_of(
        function(x.clone(), epsilon.clone(), sigma, encoder, decoder, goal.clone(), share),
        3,
        "three numbers, `loss, l1, l2`",
    )
    loss, l1, l2 = (single_number(value, name) for value, name in zip(found, ("The loss", "L1", "L2")))

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

    def mean(table):
        return float(table.square().sum(1).mean())

    right = mean(drawn - x), mean(codes - goal)
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
            ],
        ),
    ):  # fmt: skip
        what = "pixels" if name == "L1" else "numbers of a code"
        if same_number(value, expected):
            continue
        name_mistake(
            value,
            [
                *others,
                (n * expected, f"Your {name} is a sum over the images: it is their mean."),
                (expected / table.shape[1], f"Your {name} is a mean over the {what}: they are summed."),
                (n * expected / table.shape[1], f"Your {name} is a mean over the {what}, and a sum over the images."),
                (float(table.norm(dim=1).mean()), f"The square is forgotten: {name} has ‖·‖² in it, not ‖·‖."),
                (float(table.abs().sum(1).mean()), f"The square is forgotten: {name} sums absolute differences."),
                (expected / 2, f"Your {name} is halved: (2) has no half."),
            ],
            same_number,
        )
        raise Mistake(f"On random images {name} is {expected:.4f}; yours is {value:.4f}.")
    expected = share * right[0] + (1 - share) * right[1]
    if same_number(loss, expected):
        return
    name_mistake(
        loss,
        [
            ((1 - share) * right[0] + share * right[1], "λ is on the wrong term: λ weighs L1, 1 − λ weighs L2."),
            (right[0] + right[1], "λ is missing: the loss is λ L1 + (1 − λ) L2."),
            (right[0] + share * right[1], "The loss is λ L1 + (1 − λ) L2; yours is L1 + λ L2."),
            (share * right[0] + right[1], "The loss is λ L1 + (1 − λ) L2; yours is λ L1 + L2."),
            (share * (right[0] + right[1]), "You have λ on both terms: 1 − λ weighs L2."),
        ],
        same_number,
    )
    raise Mistake(f"L1 and L2 are right; with λ = {share} the loss is {expected:.4f}, yours is {loss:.4f}.")


# --- task 2 ---


def refresh(function):
    """Check task 2."""
    TASKS.check(function, _check_refresh)


def _rounds(z, centers, n_rounds, empty="keep"):
    """Centers and labels of each of the first rounds of Lloyd's algorithm."""
    path = []
    for _ in range(n_rounds):
        nearest = (z[:, None] - centers).square().sum(2).argmin(1)
        moved = centers.clone()
        for k in range(len(centers)):
            chosen = nearest == k
            if chosen.any():
                moved[k] = z[chosen].sum(0) / chosen.sum()
            elif empty != "keep":
                moved[k] = z.mean(0) if empty == "mean" else 0.0
        path.append((centers, nearest, moved))
        centers = moved
    return path


def _slow_codes(g):
    """Codes and centers for which Lloyd's algorithm takes some iterations; the last center stays without codes."""
    while True:
        z = torch.randn(60, 2, generator=g) + 3 * torch.randint(3, (60, 1), generator=g)
        start = torch.cat([z[:3] + 0.1, torch.full((1, 2), 40.0)])
        path = _rounds(z, start, 30)
        lasting = sum(not torch.equal(a[1], b[1]) for a, b in zip(path, path[1:]))
        if 3 <= lasting < 25 and (path[-1][1].bincount(minlength=4)[:3] > 0).all():
            return z, start, path


def _check_refresh(function):
    z, start, path = _slow_codes(fresh_generator())
    found = parts_of(function(z.clone(), start.clone()), 2, "two things, `centers, labels`")
    if isinstance(found[0], torch.Tensor) and len(found[0]) == 3:
        raise Mistake("A centre is lost: a cluster without codes keeps its place among the centres.")
    centers = tensor_of_shape(found[0], (4, 2), "the centres (first of the two results; here K = 4)")
    labels = tensor_of_shape(found[1], (60,), "the labels (second of the two results; here n = 60)")
    if labels.is_floating_point():
        raise Mistake("The labels must be whole numbers, as argmin returns them.")
    if centers.isnan().any():
        raise Mistake("There is NaN in a centre: the mean of no codes. A cluster without codes keeps its centre.")
    last, nearest, _ = path[-1]
    if close(centers, last) and torch.equal(labels.long(), nearest):
        return
    for empty, hint in (
        ("mean", "Your centre without codes has moved to the mean of all: it keeps its place."),
        ("origin", "Your centre without codes has moved to the origin: it keeps its place."),
    ):
        if close(centers, _rounds(z, start, 60, empty)[-1][0]):
            raise Mistake(hint)
    if close(centers, start):
        raise Mistake("Your centres are those of the start: return the updated ones.")
    if close(centers, path[0][2]):
        raise Mistake("You did one iteration: go on until nothing changes.")
    if close(centers, last):
        raise Mistake("The centres are right, the labels are not: they are the numbers of the nearest centres.")
    if any(close(centers, moved) for _, _, moved in path):
        raise Mistake("You stopped too early: go on until no code changes its cluster.")
    raise Mistake(f"On random codes the first centre ends at {rounded(last[0])}; yours at {rounded(centers[0])}.")


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
        "two things, the gradient by the reconstructions and the one by the codes",
    )
    for name, value, right, weight, width in (
        ("by the reconstructions", found[0], _slopes(x, x_hat, z, goal, share)[0], share, d),
        ("by the codes", found[1], _slopes(x, x_hat, z, goal, share)[1], 1 - share, m),
    ):
        value = tensor_of_shape(value, tuple(right.shape), f"the gradient {name}")
        if close(value, right):
            continue
        unit = right / right.norm(dim=1, keepdim=True)
        name_mistake(
            value,
            [
                (-right, f"The sign of the gradient {name} is wrong: it points uphill, away from the goal."),
                (right / 2, f"The 2 of the square's derivative is missing {name}."),
                (n * right, f"The gradient {name} is n times too large: the losses are means over the images."),
                (n * right / 2, f"The 2 of the square's derivative and the 1/n are missing {name}."),
                (right / width, f"The gradient {name} is that of a mean over the row: (2) sums there."),
                (right / weight, f"λ has no effect {name}: L is λ L1 + (1 − λ) L2."),
                (right / weight * (1 - weight), f"λ is on the wrong term {name}: λ weighs L1, 1 − λ weighs L2."),
                (weight / n * unit, f"The square is forgotten {name}: that is the gradient of ‖·‖."),
                (2 * weight / n * unit, f"The square is forgotten {name}: your rows have all the same length."),
                (torch.sign(right) * weight / n, f"The square is forgotten {name}: that is the gradient of |·|."),
            ],
            close,
        )
        raise Mistake(f"For random values the gradient {name} begins {rounded(right[0])}; yours {rounded(value[0])}.")


# --- task 4 ---


def train(function):
    """Check task 4."""
    TASKS.check(function, _check_train, lend={"dcra_loss": _loss, "refresh": _refresh, "slopes": _slopes})


def _layers(value, like, name):
    if not isinstance(value, list | tuple) or len(value) != len(like):
        raise Mistake(f"The {name} is a list of {len(like)} layers (W, b), as the one that came in.")
    for layer, old in zip(value, like):
        if not isinstance(layer, list | tuple) or len(layer) != 2:
            raise Mistake(f"A layer of the {name} is a pair (W, b).")
        for part, before in zip(layer, old):
            tensor_of_shape(part, tuple(before.shape), f"a part of the {name}")
    return [part.detach() for layer in value for part in layer]


def _check_train(function):
    g = fresh_generator()
    n, d, m, k, n_epochs, sigma, share, rate, batch_size = 20, 12, 3, 3, 3, 0.6, 0.3, 0.01, 8
    encoder, decoder = _net(g, d, m=m)
    x, noise = torch.rand(n, d, generator=g), torch.randn(n_epochs, n, d, generator=g)
    codes = through(x, encoder)
    centers = codes[torch.randperm(n, generator=g)[:k]] + 0.2
    given = sigma, encoder, decoder, centers, share, rate, batch_size
    before = [part.clone() for layer in (*encoder, *decoder) for part in layer]
    found = parts_of(
        function(x.clone(), noise.clone(), sigma, encoder, decoder, centers.clone(), share, rate, batch_size),
        5,
        "five things, `encoder, decoder, centers, labels, history`",
    )
    if not all(torch.equal(a, b) for a, b in zip(before, (part for pair in (*encoder, *decoder) for part in pair))):
        raise Mistake("Your function changed the layers that it was given: work on copies of them.")
    flat = _layers(found[0], encoder, "encoder") + _layers(found[1], decoder, "decoder")
    new_centers = tensor_of_shape(found[2], (k, m), "the centres (third of the five results)").detach()
    labels = tensor_of_shape(found[3], (n,), "the labels (fourth of the five results)")
    history = found[4]
    if not isinstance(history, list) or any(not isinstance(value, float | int) for value in history):
        raise Mistake("The history is a list of plain numbers: `loss.item()` is one.")
    right = _train(x, noise, *given)

    def agrees(path, centers_too=True):
        parts = [part for layer in (*path[0], *path[1]) for part in layer]
        return all(map(close, flat, parts)) and (not centers_too or close(new_centers, path[2]))

    if agrees(right) and torch.equal(labels.long(), right[3]):
        if len(history) != len(right[4]):
            raise Mistake(
                f"The history has one loss a step: {n} images in batches of {batch_size}, {n_epochs} epochs, are "
                f"{len(right[4])} steps; yours has {len(history)} entries."
            )
        if not all(map(same_number, history, right[4])):
            raise Mistake(f"The history is the loss (1) *before* each step, {rounded(right[4][:3])} …")
        return
    if agrees(right, False):
        if close(new_centers, _train(x, noise, *given, how="no last")[2]):
            raise Mistake("The layers are right; after the last epoch the clusters and centres are renewed once more.")
        raise Mistake("The layers are right; the centres or the labels at the end are not: refresh on clean codes.")
    for how, hint in (
        ("noisy target", "Noise on the target: the reconstruction is compared with the clean images."),
        ("clean input", "The network has seen the clean images: each epoch has its table of noise."),
        ("noisy codes", "Your clusters come from noisy codes: Lloyd's algorithm runs on the codes of clean images."),
        ("never", "Your centres are never updated: refresh them before each epoch."),
        ("start only", "Your centres are those of the first epoch: refresh them before *each* epoch."),
        ("one table", "You used the first table of noise in all epochs: epoch t has table t."),
        ("swapped", "λ is on the wrong term: λ weighs L1, 1 − λ weighs L2."),
        ("clip", "You clipped the noisy images: values below 0 and above 1 are part of the noise."),
        ("one batch", "You took all images in one step: an epoch has a step for each batch."),
        ("encoder only", "Your decoder did not move: all layers do."),
        ("decoder only", "Your encoder did not move: all layers do."),
        ("uphill", "You went uphill: subtract the rate times the gradient."),
    ):
        if agrees(_train(x, noise, *given, how=how), False):
            raise Mistake(hint)
    if all(map(close, flat, before)):
        raise Mistake("No layer has moved.")
    if any(not part.isfinite().all() for part in flat):
        raise Mistake("There are values in your layers that are not finite: perhaps you went uphill?")
    raise Mistake(
        f"After {n_epochs} epochs the first bias of the encoder begins {rounded(right[0][0][1][:3])}; "
        f"yours begins {rounded(flat[1][:3])}."
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
            if not _near(share, right[0]):
                name_mistake(
                    share,
                    [
                        (ratio, "That is the ratio s/(1 − s): the share is ratio/(1 + ratio)."),
                        (1 - right[0], "That is the share of L2: s weighs L1."),
                        (other[0], f"You took w as the weight of the other loss, {case}."),
                        (upside[0], "You multiplied by d or m: a mean is the sum *divided* by their number."),
                        (mixed[0], "You exchanged d and m: L1 is over d pixels, L2 over m numbers of a code."),
                        (plain[0], "Your share takes no notice of the means: a mean over d is a sum times 1/d."),
                    ],
                    _near,
                )
                raise Mistake(f"The share {case}, is {right[0]:.6f}; yours is {share:.6f}.")
            if not _near(factor, right[1]):
                name_mistake(
                    factor,
                    [
                        (1 / right[1], "Your factor is upside down: their loss is the factor times ours."),
                        (1.0, "The share is right, but their loss is not as large as ours: by which factor?"),
                    ],
                    _near,
                )
                raise Mistake(f"The factor {case}, is {right[1]:.6f}; yours is {factor:.6f}.")


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
            (-db(a, b), "The sign: a small error is a high PSNR."),
            (db(a.clamp(0, 1), b.clamp(0, 1)), "You clipped: compare the values as they are."),
        ]  # fmt: skip

    for name, value, expected, pair in (
        ("before", before, right[0], (x, noisy)),
        ("after", after, right[1], (x, x_hat)),
    ):
        if math.isclose(value, expected, abs_tol=1e-3):
            continue
        wrong = "The PSNR of the wrong pair: both compare with the *clean* images."
        name_mistake(value, [(db(noisy, x_hat), wrong), *others(*pair)], lambda a, b: math.isclose(a, b, abs_tol=1e-3))
        raise Mistake(f"On random images {name} is {expected:.3f} dB; yours is {value:.3f}.")
    if not math.isclose(gain, right[2], abs_tol=2e-3):
        name_mistake(
            gain,
            [
                (-right[2], "The gain is after − before: above 0 where drawing was better than leaving it alone."),
                (right[1] / right[0], "Decibels are compared by their difference, not by their ratio."),
            ],
            lambda a, b: math.isclose(a, b, abs_tol=2e-3),
        )
        raise Mistake(f"before and after are right; the gain is {right[2]:.3f} dB, yours {gain:.3f}.")
    found = parts_of(function(x.clone(), x.clone(), x_hat.clone()), 3, "three numbers, `before, after, gain`")
    if float(found[0]) != math.inf or float(found[2]) != -math.inf:
        raise Mistake("Where x̃ equals x, before is `math.inf` and the gain `-math.inf`: nothing could be won.")


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

        ones = torch.ones_like(x)
        spread = level**2 * ones if corruption == "noise" else x.square() * level / (1 - level)
        hints = [
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
                (total(x.square() / kept), "That is the mean of x̃², not its variance: subtract x²."),
                (total(x.square() * kept / level), "r is the share that is *dropped*: x² r/(1 − r)."),
                (total(level**2 * ones), "A mask is no noise of deviation r: its variance is x² r/(1 − r)."),
            ]  # fmt: skip
        name_mistake(value, hints, same_number)
        if not same_number(ask(), value):
            raise Mistake("Twice the same question, two answers: nothing is drawn here, (7) is the exact mean.")
        raise Mistake(
            f"For random A and B, corruption {corruption!r} and level {level}, the mean loss is {right:.4f}; "
            f"yours is {value:.4f}."
        )


# --- task 8 ---


def mended_training(function):
    """Check task 8."""
    TASKS.check(function, _check_mended)


def _linear_path(x, noise, sigma, A, B, goal, share, rate, how=""):
    """The training of task 8 with autograd, or with `how` a mistake in it."""
    A, B = A.clone().requires_grad_(), B.clone().requires_grad_()
    losses = []
    for table in noise:
        spoilt = x + sigma * table
        seen, aim = (x if how in ("clean", "clean input") else spoilt), (spoilt if how == "broken" else x)
        if how == "exchanged":
            seen, aim = x, spoilt
        codes = seen @ A.T
        total = share * (codes @ B.T - aim).square().sum() + (1 - share) * (codes - goal).square().sum()
        losses.append(total.item() / len(x))
        changes = torch.autograd.grad(total / len(x), (A, B))
        A.data.sub_(rate * changes[0])
        B.data.sub_(rate * changes[1])
    return A.detach(), B.detach(), losses


def _check_mended(function):
    g = fresh_generator()
    n, d, m, sigma, share, rate = 15, 8, 3, 0.7, 0.6, 0.02
    x, noise = torch.randn(n, d, generator=g), torch.randn(6, n, d, generator=g)
    A, B = (torch.randn(shape, generator=g) / 3 for shape in ((m, d), (d, m)))
    goal = torch.randn(n, m, generator=g)
    found = parts_of(
        function(x.clone(), noise.clone(), sigma, A.clone(), B.clone(), goal.clone(), share, rate),
        3,
        "three things, `A, B, history`",
    )
    new_A = tensor_of_shape(found[0], (m, d), "A (first of the three results)")
    new_B = tensor_of_shape(found[1], (d, m), "B (second of the three results)")
    history = found[2]
    if not isinstance(history, list) or any(not isinstance(value, float | int) for value in history):
        raise Mistake("The history is a list of plain numbers: `loss.item()` is one.")

    def is_path(how):
        path = _linear_path(x, noise, sigma, A, B, goal, share, rate, how)
        return close(new_A, path[0]) and close(new_B, path[1])

    right = _linear_path(x, noise, sigma, A, B, goal, share, rate)
    if is_path(""):
        if len(history) != 6 or not all(map(same_number, history, right[2])):
            raise Mistake(f"A and B are right; the history is the loss before each step, {rounded(right[2][:3])} …")
        return
    if is_path("broken"):
        raise Mistake("That is still the broken one. What is each of the two differences a difference from?")
    if is_path("clean"):
        raise Mistake("Now there is no noise at all: it must stay on the input.")
    if is_path("exchanged"):
        raise Mistake("You exchanged input and target: the noise belongs on the input, the target is clean.")
    if close(new_A, A) and close(new_B, B):
        raise Mistake("A and B did not move.")
    raise Mistake(
        f"After 6 steps the first row of A begins {rounded(right[0][0][:3])}; yours begins {rounded(new_A[0][:3])}. "
        "Mend the mistake, and leave the rest as it is."
    )
