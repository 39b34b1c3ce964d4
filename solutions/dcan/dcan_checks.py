"""Checks of the assignment *DCAN*: each says at once whether a task is solved and, if not, what looks wrong.

When your work is graded, the same checks run in the teacher's process, and more questions of their kind.
"""

import math

import torch
from torch.nn.functional import logsigmoid

from dclib.classroom.exercises import (
    Mistake,
    Tasks,
    close,
    compare_gradients,
    compare_number,
    fresh_generator,
    name_mistake,
    parts_of,
    rounded,
    same_number,
    single_number,
    tensor_of_shape,
    told_apart,
    with_gradients,
)

TASKS = Tasks("draw", "discriminator_loss", "encoder_loss", "divergences", "play", "told_and_not", "mended_training")

# You are to write DCAN yourself: while your work is graded these cannot be imported.
FORBIDDEN = ("dclib.dcan", "dclib.gaussian_divergence")


def working(*names):
    """Functions for the cells that show them at work: the notebook's, or dclib's until these pass."""
    versions = {
        "draw": _drawn,
        "discriminator_loss": _judging,
        "encoder_loss": _fooling,
        "divergences": _measures,
        "play": _game,
        "told_and_not": _both,
        "mended_training": lambda *arguments: _training(*arguments),
    }
    return TASKS.working({name: versions[name] for name in names})


# --- what the checks share ---


def _drawn(means, deviations, clusters, noise, spread):
    from dclib.dcan import draw

    return draw(means, deviations, clusters, spread * noise)


def _judging(drawn, encoded, positive):
    from dclib.dcan import discriminator_loss

    return discriminator_loss(drawn, encoded, positive)


def _fooling(encoded, saturating):
    s = encoded.detach().clone().requires_grad_()
    loss = logsigmoid(-s).mean() if saturating else -logsigmoid(s).mean()
    return loss.detach(), torch.autograd.grad(loss, s)[0]


def _history(values, n):
    if not isinstance(values, list) or any(isinstance(value, torch.Tensor) for value in values):
        raise Mistake("The history is a list of plain numbers: `float(loss)` makes one.")
    if len(values) != n:
        raise Mistake(f"With {n} rounds the history has {n} entries; yours has {len(values)}.")
    return [single_number(value, "an entry of the history") for value in values]


def _agree(found, losses):
    return all(map(same_number, found, losses))


def _farthest(found, right):
    """The place in which two tensors differ most, NaN more than all; and both numbers, with enough digits to differ."""
    apart = (found.double() - right.double()).abs().nan_to_num(nan=math.inf, posinf=math.inf)
    at = int(apart.argmax())
    place = [int(i) for i in torch.unravel_index(torch.tensor(at), right.shape)]
    return place, told_apart(float(right.flatten()[at]), float(found.flatten()[at]))


def _integral(values, step):
    return float(step * values.sum())


def _kl(first, second, step):
    return _integral(torch.xlogy(first, first) - torch.xlogy(first, second), step)


def _share_of(part, whole):
    return torch.where(whole > 0, part / whole, torch.full_like(whole, 0.5))


def _measures(a, b, step):
    both = a + b
    jsd = (_kl(a, both, step) + _kl(b, both, step)) / 2 + _integral(both, step) / 2 * math.log(2)
    value = torch.xlogy(a, _share_of(a, both)) + torch.xlogy(b, _share_of(b, both))
    return _kl(a, b, step), jsd, _share_of(a, both), _integral(value, step)


def _phi(points):
    return torch.cat([points.new_ones(len(points), 1), points, points.square()], 1)


def _game(z, clusters, weights, noise, spread, rate_judge, rate_codes, other="", keep=""):
    """The game by autograd; `other` names a mistake in it, `keep` one in the history."""
    losses, d, k = [], z.shape[1], len(weights)
    scale = 1 if other == "sum" else len(z)
    rows = torch.zeros_like(clusters) if other == "not told" else clusters
    spread = {"no spread": 1.0, "half": 0.5, "root": spread**0.5, "square": spread**2}.get(other, spread)
    if other == "rates":
        rate_judge, rate_codes = rate_codes, rate_judge

    def follow():
        groups = [z[clusters == number] for number in range(k)]
        widths = [g.std(0) if other == "n - 1" else g.var(0, correction=0).sqrt() for g in groups]
        if other == "one width":
            widths = [g.std(correction=0).expand(d) for g in groups]
        means = torch.stack([g.mean(0) for g in groups])
        return means, torch.stack([w.square() if other == "variance" else w for w in widths])

    where = start = follow()
    for epsilon in noise:
        where = where if other == "never follow" else follow()
        where = start[0] if other == "centres stay" else where[0], start[1] if other == "widths stay" else where[1]
        drawn = _drawn(*where, clusters, noise[0] if other == "one table" else epsilon, spread)
        leaf = weights.clone().requires_grad_()
        logits = [(_phi(points) * leaf[rows]).sum(1) for points in ((z, drawn) if other == "swapped" else (drawn, z))]
        loss, half = _judging(*logits, 1.0), -logsigmoid(logits[0]).mean()
        target = {"target .9": _judging(*logits, 0.9), "draws only": half, "codes only": loss - half}.get(other, loss)
        fooling = -logsigmoid(logits[1]).mean()
        kept = {"J": -loss, "encoder": fooling, "half": loss / 2, "sum": len(z) * loss, ".9": _judging(*logits, 0.9)}
        losses.append(kept.get(keep, loss).item())
        slope = torch.autograd.grad(target, leaf)[0] * len(z) / scale
        if other == "mean of each cluster":
            slope = slope * len(z) / torch.bincount(clusters, minlength=k)[:, None]
        before, weights = weights, weights + (1 if other == "judge uphill" else -1) * rate_judge * slope
        if other == "judge at rest":
            weights = before
        if keep == "after":
            losses[-1] = float(_judging(*((_phi(points) * weights[rows]).sum(1) for points in (drawn, z)), 1.0))
        surface = before if other == "old weights" else weights
        s, own = (_phi(z) * surface[rows]).sum(1), surface[rows]
        s = (_phi(z) * before[rows]).sum(1) if other == "old push" else s
        at = drawn if other == "at the draws" else z.square() if other == "square of z" else z
        hill = own[:, 1 : d + 1] + (0 if other == "flat" else 1 if other == "no 2" else 2) * own[:, d + 1 :] * at
        if other == "halves":
            hill = own[:, d + 1 :] + 2 * own[:, 1 : d + 1] * z
        push = torch.sigmoid(s if other == "saturating" else -s)[:, None] * hill
        push = {"flee": -push, "codes at rest": 0 * push, "codes by the mean": push / len(z)}.get(other, push)
        push = hill if other == "no weight" else push * torch.sigmoid(s)[:, None] if other == "slope of D" else push
        z = z + rate_codes * push
    return z, weights, losses


def _both(a, b, shares, step):
    told = [float(share) * _measures(p, q, step)[3] for share, p, q in zip(shares, a, b)]
    mixed = [(shares[:, None] * half).sum(0) for half in (a, b)]
    return math.fsum(told), _measures(*mixed, step)[3]


def _training(z, clusters, means, deviations, noise, rate_judge=0.5, rate_codes=0.05, how="right", keep=""):
    """Task 7 by autograd, or with `how` a mistake in it, with `keep` one in the history."""
    z, weights = z.clone(), torch.zeros(len(means), 1 + 2 * z.shape[1], dtype=z.dtype)
    losses = []
    rate_judge, rate_codes = {
        "default rates": (0.5, 0.05), "rates": (rate_codes, rate_judge), "uphill": (rate_judge, -rate_codes)
    }.get(how, (rate_judge, rate_codes))  # fmt: skip
    for epsilon in noise:
        drawn = _drawn(means, deviations, clusters, epsilon, 1.0 if how == "full width" else 0.5)
        leaves = z.clone().requires_grad_(), weights.clone().requires_grad_()
        s, t = ((_phi(points) * leaves[1][clusters]).sum(1) for points in (drawn, leaves[0]))
        judging, fooling = _judging(s, t, 1.0), -logsigmoid(t).mean()
        if keep != "after":
            losses.append((judging.item(), fooling.item()))
        parts = {
            "draws only": (-logsigmoid(s).mean(), fooling),
            "codes alone": (-logsigmoid(-t).mean(), fooling),
            "broken": (judging + fooling, judging + fooling),
            "codes only": (judging + fooling, fooling),
            "weights only": (judging, judging + fooling),
            "judging for both": (judging, judging),
            "fooling for both": (fooling, fooling),
            "exchanged": (fooling, judging),
            "difference": (judging - fooling, fooling - judging),
            "one difference for both": (judging - fooling, judging - fooling),
            "saturating": (judging, logsigmoid(-t).mean()),
        }
        for_weights, for_z = parts.get(how, (judging, fooling))
        slope = torch.autograd.grad(for_weights, leaves[1], retain_graph=True)[0]
        weights = weights - rate_judge * slope
        if how == "in turns":
            for_z = -logsigmoid((_phi(leaves[0]) * weights[clusters]).sum(1)).mean()
        pull = torch.autograd.grad(for_z, leaves[0])[0]
        z = z - rate_codes * {"codes at rest": 0, "codes by the mean": 1}.get(how, len(z)) * pull
        if keep == "after":
            s, t = ((_phi(points) * weights[clusters]).sum(1) for points in (drawn, z))
            losses.append((float(_judging(s, t, 1.0)), float(-logsigmoid(t).mean())))
    return z, weights, losses


def _log1p_exp(s):
    return torch.logaddexp(s, torch.zeros_like(s))


# --- task 1 ---


def draw(function):
    """Check task 1."""
    TASKS.check(function, _check_draw)


def _check_draw(function):
    generator = fresh_generator()
    means, noise = 4 * torch.randn(4, 3, generator=generator), torch.randn(30, 3, generator=generator)
    sigma = 0.3 + 1.5 * torch.rand(4, 3, generator=generator)
    c = torch.randint(4, (30,), generator=generator)
    for spread in (0.4, 3.0):  # no two mistakes are alike: 1/ρ is neither another ρ here nor ½
        expected = _drawn(means, sigma, c, noise, spread)
        answer = function(means.clone(), sigma.clone(), c.clone(), noise.clone(), spread)
        found = tensor_of_shape(answer, (30, 3), "the draws (here n = 30, d = 3)")
        if close(found, expected):
            continue
        at, width = means[c], sigma[c]
        name_mistake(
            found,
            [
                (at + spread * width.square() * noise, "You took the variance for the width: σ, not its square."),
                (at + spread * width.sqrt() * noise, "You took the root of σ: it is a standard deviation already."),
                (at + math.sqrt(spread) * width * noise, "ρ is a share of the standard deviation: no root of it."),
                (at + spread**2 * width * noise, "ρ is a share of the standard deviation: no square of it."),
                (at + width * noise, "Your ρ has no effect: it makes the draws narrower."),
                (at + spread * noise, "All clusters have the same width: σ of the sample's cluster is missing."),
                (at + spread * sigma.mean() * noise, "All clusters have the same width: take σ of its cluster."),
                (spread * (at + width * noise), "The spread narrows the noise; the centre stays where it is."),
                (spread * width * noise, "The centre is missing: the draws are around μ of the cluster."),
                (at, "There is no noise in your draws: these are the centres."),
                (at - spread * width * noise, "The sign: ε is added."),
                (at + (spread * width).square() * noise, "No square: ρσ is the standard deviation of the draws."),
                (at + (spread * width).sqrt() * noise, "No root: ρσ is the standard deviation of the draws."),
                (at + width * noise / spread, "Your ρ widens the draws: multiply by it."),
                (at + spread / width * noise, "You divide by σ: narrow clusters have narrow draws, so multiply by it."),
                (at + (spread + width) * noise, "ρ is a share of σ: the two are multiplied, not added."),
                (at + 0.5 * width * noise, "Your ρ is always ½: it is the argument `spread`."),
                (at + spread * width.mean(1, keepdim=True) * noise, "Each axis has its own σ: no mean over them."),
                (at + spread * sigma.mean(0) * noise, "All clusters have the same widths: take σ of its cluster."),
                (at + spread * sigma[0] * noise, "All draws have the width of cluster 0: take σ of its cluster."),
                (means[0] + spread * width * noise, "All draws have the centre of cluster 0: take μ of its cluster."),
                (means.mean(0) + spread * width * noise, "All draws have one centre, the mean: take μ of its cluster."),
                (at + spread * width * noise.abs(), "Your draws lie on one side of the centre: ε keeps its sign."),
                (at + spread * width * noise[:, :1], "Each axis has its own ε: yours has one a sample."),
            ],
        )  # fmt: skip
        elsewhere = torch.stack([mu + spread * s * noise for mu, s in zip(means, sigma)])  # (k, n, d)
        if (elsewhere - found).abs().amax(2).amin(0).max() < 1e-3:
            raise Mistake(
                "Your draws come from some cluster of the mixture: each is to come from the *assigned* one, c."
            )
        if not close(found, function(means.clone(), sigma.clone(), c.clone(), noise.clone(), spread)):
            raise Mistake("The same arguments give other draws each time: take the ε that are given to you.")
        (i, _), _ = _farthest(found, expected)
        some = " Other rows are right: row i belongs to the cluster clusters[i]." * bool(
            ((found - expected).abs().amax(1) < 1e-3).any()
        )
        raise Mistake(
            f"Row {i}: for the centre {rounded(at[i])}, σ = {rounded(width[i])}, ε = {rounded(noise[i])} and "
            f"ρ = {spread} the draw is {rounded(expected[i])}; yours is {rounded(found[i])}.{some}"
        )


# --- task 2 ---


def discriminator_loss(function):
    """Check task 2."""
    TASKS.check(function, _check_discriminator_loss)


def _named_losses(s, t, positive):
    """Values of the discriminator's loss with a mistake in it, and what to say."""
    yes, no, low = _log1p_exp(-s), _log1p_exp(s), _log1p_exp(t)
    each = positive * yes + (1 - positive) * no
    of_draws, of_codes, right = each.mean(), low.mean(), _judging(s, t, positive)
    squares = (positive - s.sigmoid()).square().mean() + t.sigmoid().square().mean()
    soft = (positive * low + (1 - positive) * _log1p_exp(-t)).mean()
    return [
        (-right, "The sign is wrong: the logarithms of D are below 0, the loss is above."),
        (_judging(t, s, positive), "You exchanged draws and codes: D near 1 says *draw*."),
        (of_draws, "The codes' half is missing."),
        (of_codes, "The draws' half is missing."),
        (positive * yes.mean() + (1 - positive) * of_codes, "t does not weigh the two halves: t and 1 − t both belong "
         "to the draws, and the codes' half is whole."),
        (of_draws + _log1p_exp(-t).mean(), "Codes have target 0 here: −log(1 − D). (Target 1 is the encoder's.)"),
        (of_draws - of_codes, "The codes' half is added: −log(1 − D) is above 0."),
        (each.sum() + low.sum(), "Yours is a sum over the samples: each half is a mean."),
        (each.sum() + of_codes, "The draws' half is a sum: it is a mean."),
        (of_draws + low.sum(), "The codes' half is a sum: it is a mean."),
        ((each.sum() + low.sum()) / len(s), "You divide both halves by the number of draws: each has its own mean."),
        ((each.sum() + low.sum()) / len(t), "You divide both halves by the number of codes: each has its own mean."),
        (torch.cat([each, low]).mean(), "You took one mean over draws and codes together: each half has its own."),
        (right / 2, "You took the mean of the two halves: they are added."),
        (_judging(s, t, 1.0), "Your t has no effect: it is the target of the draws."),
        (_judging(s, t, 0.9), "Your t is always .9: it is the argument `positive`."),
        (positive * yes.mean() + of_codes, "The part with 1 − t is missing: (1 − t) log(1 − D) of the draws."),
        ((positive * no + (1 - positive) * yes).mean() + of_codes, "For draws t belongs to log D, 1 − t to the other."),
        ((positive * yes - (1 - positive) * no).mean() + of_codes, "Both parts of the draws' half have the same sign."),
        (of_draws + soft, "Only the draws' target is t: codes have 0."),
        (yes.mean() + soft, "You gave t to the codes: it is the target of the draws, codes have 0."),
        (_judging(s.sigmoid(), t.sigmoid(), positive), "You applied the sigmoid twice: the arguments are logits."),
        (right / math.log(2), "Your logarithm has base 2: it is the natural one."),
        (right / math.log(10), "Your logarithm has base 10: it is the natural one."),
        (squares, "That is a squared difference from the targets: (3) is the cross-entropy."),
    ]  # fmt: skip


def _check_discriminator_loss(function):
    generator = fresh_generator()
    s, t = 1 + 1.5 * torch.randn(12, generator=generator), 1.5 * torch.randn(20, generator=generator) - 0.5
    values, hints = [], []
    for positive in (1.0, 0.8):
        answer = function(s.clone(), t.clone(), positive)
        values.append(single_number(answer, "The loss"))
        if math.isnan(values[-1]):
            raise Mistake("The loss is NaN. The arguments are logits, not the D themselves: a logit can be below 0.")
        hints.append(_named_losses(s, t, positive))
    right = [float(_judging(s, t, positive)) for positive in (1.0, 0.8)]
    if not _agree(values, right):
        # One that fits with both targets says more than one that fits with one.
        for (one, hint), (other, _) in zip(*hints):
            if _agree(values, (one, other)):
                raise Mistake(hint)
        for positive, value, loss, named in zip((1.0, 0.8), values, right, hints):
            compare_number(value, loss, named, "For random logits and t = {} the loss is {}; yours is {}.".format(
                positive, *told_apart(loss, value, 4)))  # fmt: skip
    compare_gradients(
        function, _judging, (s, t, 0.8), {0: "draws' logits", 1: "codes' logits"}, "compute all of it from the logits"
    )
    s, t = torch.tensor([-200.0, 200.0, 0.0]), torch.tensor([200.0, -200.0, 1.0])
    value, right = single_number(function(s, t, 0.9), "The loss"), float(_judging(s, t, 0.9))
    if not same_number(value, right):
        raise Mistake(
            f"For logits of ±200 the loss is {right:.2f}; yours is {value:.2f}. There a sigmoid is 0 or 1, and "
            "the logarithm of 0 is lost (or was cut off): compute log D from the logit."
        )
    slopes = with_gradients(function, (s, t, 0.9), [0, 1])[1]
    if not all(slope is not None and slope.isfinite().all() for slope in slopes):
        raise Mistake(
            "For logits of ±200 the number is right, its gradient is infinite or NaN: the half that is not chosen (by "
            "`where`, say) passes its infinity on. Compute log D from the logit."
        )


# --- task 3 ---


def encoder_loss(function):
    """Check task 3."""
    TASKS.check(function, _check_encoder_loss)


def _check_encoder_loss(function):
    generator = fresh_generator()
    for s in (2 * torch.randn(15, generator=generator), torch.tensor([-150.0, 150.0, -1.0, 25.0])):
        n, large = len(s), float(s.abs().max()) > 100
        d = torch.sigmoid(s)
        for saturating, name in ((True, "saturating"), (False, "non-saturating")):
            answer = parts_of(function(s.clone(), saturating), 2, "two things, the loss and its slopes")
            value, slopes = (
                single_number(answer[0], "The loss"),
                tensor_of_shape(answer[1], (n,), f"the slopes (here n = {n})"),
            )
            right, expected = _fooling(s, saturating)
            right, other = float(right), float(_fooling(s, not saturating)[0])
            if not same_number(value, right) or not close(slopes, expected):
                lost = large and not same_number(value, right)
                lost |= large and close(slopes[s.abs() < 20], expected[s.abs() < 20])
                if lost and not same_number(value, n * right):
                    raise Mistake(
                        f"For the logits {rounded(s)} your {name} loss is {value:.3g} (right: {right:.3g}), "
                        f"and the slopes are {rounded(slopes)} (right: {rounded(expected)}). A sigmoid is rounded "
                        "to 0 or 1 there, and its logarithm is lost: compute log D from the logit."
                    )
                compare_number(value, right, [
                    (other, f"Asked for the *{name}* loss you return the other one: which of the two has log D?"),
                    (-right, f"The sign of the {name} loss is wrong: see (4)."),
                    (-other, f"For the {name} loss you have the other logarithm: log D or log(1 − D)? "
                             "−log(1 − D) is the *discriminator's*."),
                    (n * right, f"The {name} loss is a mean over the codes; yours is a sum."),
                    (n / (n - 1) * right, f"The {name} loss is divided by n, the number of codes; yours by n − 1."),
                    (right / 2, f"The {name} loss is halved: (4) has no half."),
                    (right / math.log(2), f"The logarithm of the {name} loss has base 2: it is the natural one."),
                    (right / math.log(10), f"The logarithm of the {name} loss has base 10: it is the natural one."),
                ], "For random logits the {} loss is {}; yours is {}.".format(
                    name, *told_apart(right, value, 4)))  # fmt: skip
                by_d = -1 / (1 - d) if saturating else -1 / d
                name_mistake(slopes, [
                    (n * expected, f"The 1/n is missing in the slopes of the {name} loss: the loss is a mean."),
                    (-expected, f"The sign of the slopes of the {name} loss is wrong: it falls as the logit grows."),
                    (_fooling(s, not saturating)[1], f"Asked for the {name} loss you return the slopes of the other "
                     "one: d/ds log D = 1 − D, and d/ds log(1 − D) = −D."),
                    (expected / 2, f"The slopes of the {name} loss are halved: there is no half."),
                    (n / (n - 1) * expected, f"The slopes of the {name} loss have 1/n; yours 1/(n − 1)."),
                    (by_d / n, f"For the {name} loss that is the derivative by D: the factor D(1 − D) is missing."),
                    (-d * (1 - d) / n, "D(1 − D) is the derivative of D itself: there is a logarithm in front of it."),
                    (by_d * (d * (1 - d)) ** 2 / n, "You have the factor D(1 − D) twice."),
                ])  # fmt: skip
                (i,), numbers = _farthest(slopes, expected)
                raise Mistake(
                    f"For the logit {float(s[i]):.3f}, with n = {n}, the slope of the {name} loss is {numbers[0]}; "
                    f"yours is {numbers[1]}."
                )


# --- task 4 ---


def divergences(function):
    """Check task 4."""
    TASKS.check(function, _check_divergences)


def _densities(generator):
    grid = 0.25 * torch.arange(40).double()
    made = []
    for mean in (3.5, 6.0):
        width = 0.7 + float(torch.rand(1, generator=generator))
        density = (-((grid - mean) ** 2) / 2 / width**2).exp()
        made.append(density / density.sum() / 0.25)
    return made


def _two(name, right, value):
    return "For two random bells {} is {}; yours is {}.".format(name, *told_apart(right, single_number(value, name), 4))


def _check_divergences(function):
    a, b = _densities(fresh_generator())
    step = 0.25
    four = "four things: KL, JSD, the best D, its J"
    found = parts_of(function(a.clone(), b.clone(), step), 4, four)
    kl, jsd, best, value = _measures(a, b, step)
    back = _kl(b, a, step)
    compare_number(single_number(found[0], "KL"), kl, [
        (back, "That is KL(b‖a), the wrong way: in KL(a‖b) the weights before the logarithm are a."),
        (-kl, "The sign of KL is wrong: it is log(a/b), and KL is never below 0."),
        (kl / step, "The step of the grid is missing: an integral is the step times the sum."),
        (kl / step / 40, "An integral is the step times the *sum* over the grid, no mean."),
        (-back, "You have b log(a/b): the weights before the logarithm are a."),
        (-_integral(torch.xlogy(a, b), step), "That is the cross entropy, −∫ a log b: the part a log a is missing."),
        (kl / math.log(2), "Your logarithm has base 2: it is the natural one."),
        (kl + back, "That is KL(a‖b) + KL(b‖a): KL(a‖b) alone was asked for."),
        (step * kl, "The step of the grid is in your KL twice."),
        (jsd, "Your KL is the JSD: the order is KL, JSD, D*, J."),
        (_integral((torch.xlogy(a, a) - torch.xlogy(a, b)).abs(), step), "No absolute values: a log(a/b) may be below "
         "0 in places."),
    ], _two("KL", kl, found[0]))  # fmt: skip
    m = (a + b) / 2
    compare_number(single_number(found[1], "JSD"), jsd, [
        ((kl + back) / 2, "That is the mean of KL(a‖b) and KL(b‖a): in JSD both are compared with their mixture m."),
        (kl + back, "That is KL(a‖b) + KL(b‖a): in JSD both are compared with their mixture m."),
        (2 * jsd, "The halves before the two KL are missing: yours is twice the JSD."),
        ((_kl(m, a, step) + _kl(m, b, step)) / 2, "Yours is KL of m from a and b: JSD has KL(a‖m) and KL(b‖m)."),
        ((_kl(a, a + b, step) + _kl(b, a + b, step)) / 2, "The mixture is (a + b)/2, a density: the half is missing."),
        (jsd / math.log(2), "Your logarithm has base 2: it is the natural one."),
        (math.sqrt(jsd), "That is the root of JSD (a distance): no root here."),
        (_kl(a, m, step), "You have the first half only, KL(a‖m): KL(b‖m) belongs to it."),
        (jsd / step, "The step of the grid is missing in JSD: an integral is the step times the sum."),
        (jsd / step / 40, "The integrals of JSD are the step times the *sum* over the grid, no mean."),
        (step * jsd, "The step of the grid is in your JSD twice."),
        (_kl(a, m, step) / 2 + _kl(b, m, step), "Both KL of the JSD have a half: yours only KL(a‖m)."),
        (_kl(a, m, step) + _kl(b, m, step) / 2, "Both KL of the JSD have a half: yours only KL(b‖m)."),
    ], _two("JSD", jsd, found[1]))  # fmt: skip
    d = tensor_of_shape(found[2], (40,), "the best D (one value for each point of the grid)")
    if not close(d, best):
        name_mistake(d, [
            (1 - best, "Your D is b/(a + b): D near 1 says *draw*, so a stands above the line."),
            (a / b, "Your D is a/b: it must lie between 0 and 1, a/(a + b)."),
            ((a.log() - b.log()), "That is the best *logit*, log a − log b: D is its sigmoid."),
            ((a > b).double(), "Your D is hard: it says how sure one can be, a/(a + b)."),
            (a / m, "Your D is twice the best one: a/(a + b), not a/m."),
        ])  # fmt: skip
        (i,), numbers = _farthest(d, best)
        raise Mistake(
            f"Where a = {float(a[i]):.3g} and b = {float(b[i]):.3g}, D* is {numbers[0]}; yours is {numbers[1]}."
        )
    compare_number(single_number(found[3], "J"), value, [
        (-value, "The sign of J: it is what the discriminator *maximises*, and below 0."),
        (value / step, "The step of the grid is missing in J: an integral is the step times the sum."),
        (value / step / 40, "An integral is the step times the *sum* over the grid, no mean, in J, too."),
        (step * value, "The step of the grid is in your J twice."),
        (value / math.log(2), "The logarithm in your J has base 2: it is the natural one."),
        (value / 2, "J is the sum of its two parts, without a half."),
        (2 * jsd - math.log(2), "Lemma 2 has − 2 log 2; yours − log 2. Compute J by its own integral."),
        (2 * jsd + 2 * math.log(2), "Lemma 2 has *minus* 2 log 2. Compute J by its own integral."),
        (jsd - 2 * math.log(2), "Lemma 2 has *2* JSD − 2 log 2. Compute J by its own integral."),
        (_integral(torch.xlogy(b, 1 - best), step), "The draws' part of J is missing: a log D."),
        (_integral(torch.xlogy(a, best) - torch.xlogy(b, 1 - best), step), "The two parts of J are added."),
        (_integral(torch.xlogy(a, best) + torch.xlogy(a, 1 - best), step), "For codes J has the density b."),
        (2 * jsd, "Your J is 2 JSD: lemma 2 has − 2 log 2 as well. Compute J by its own integral."),
        (_integral(torch.xlogy(a, best), step), "The codes' part of J is missing: b log(1 − D)."),
        (_integral(torch.xlogy(a, best) + torch.xlogy(b, best), step), "For codes J has log(1 − D), not log D."),
        (_integral(torch.xlogy(b, best) + torch.xlogy(a, 1 - best), step), "In J a belongs to log D, b to log(1 − D)."),
    ], _two("J", value, found[3]))  # fmt: skip
    a, b = (torch.tensor(v).double() for v in ([2.0, 2.0, 0.0, 0.0], [0.0, 2.0, 2.0, 0.0]))
    kl, jsd, best, value = _measures(a, b, step)
    found = parts_of(function(a.clone(), b.clone(), step), 4, four)
    about = f"For a = {a.tolist()}, b = {b.tolist()}, with the step {step}, "
    number = single_number(found[0], "KL")
    if number != math.inf:
        nan = " (0 · ∞ and ∞ − ∞ are NaN: `torch.xlogy` knows better.)" if math.isnan(number) else ""
        raise Mistake(f"{about}KL is infinite, since b is 0 where a is not; yours is {number:.4f}.{nan}")
    if not same_number(single_number(found[1], "JSD"), jsd):
        raise Mistake(f"{about}JSD is {jsd:.4f}; yours is {float(found[1]):.4f}. 0 · log 0 counts as 0.")
    if not close(tensor_of_shape(found[2], (4,), "the best D"), best):
        raise Mistake(f"{about}D* is {best.tolist()}, ½ where both are 0; yours is {found[2].tolist()}.")
    if not same_number(single_number(found[3], "J"), value):
        raise Mistake(f"{about}J is {value:.4f}; yours is {float(found[3]):.4f}. 0 · log 0 counts as 0.")
    a = torch.tensor([3.0, 1.0, 1e-30, 1e-15], dtype=torch.float64)
    b = torch.tensor([1e-30, 1.0, 3.0, 3e-15], dtype=torch.float64)
    _, _, best, value = _measures(a, b, step)
    found = parts_of(function(a.clone(), b.clone(), step), 4, four)
    d, number = tensor_of_shape(found[2], (4,), "the best D"), single_number(found[3], "J")
    if not close(d, best):
        raise Mistake(
            f"For a = {a.tolist()} and b = {b.tolist()} D* is {rounded(best)}; yours is {rounded(d)}. Did you add "
            "something small, lest you divide by 0? Densities can be as small themselves: ask where a + b is 0."
        )
    if not same_number(number, value):
        raise Mistake(
            f"For a = {a.tolist()} and b = {b.tolist()} J is {value:.4f}; yours is {number:.4f}. Where D* is "
            "rounded to 1, 1 − D* is rounded to 0 and its logarithm is lost: 1 − D* is b/(a + b)."
        )


# --- task 5 ---


def play(function):
    """Check task 5."""
    # What is lent has no graph behind it here, either: it has none when work is graded.
    lend = {"draw": _drawn, "discriminator_loss": lambda *given: _judging(*given).detach(), "encoder_loss": _fooling}
    TASKS.check(function, _check_play, lend=lend)


_PLAYED = {
    "never follow": "Your clusters stay where they were: centres and widths follow the codes in every round.",
    "centres stay": "Your centres stay where they were: they follow the codes in every round, as the widths do.",
    "widths stay": "Your widths stay what they were: they follow the codes in every round, as the centres do.",
    "one table": "You used the first table of noise in all rounds: round t has table t.",
    "variance": "You took variances for σ: the draws' width is the standard deviation.",
    "n - 1": "Your σ is divided by the number less one (PyTorch's default): `correction=0`.",
    "one width": "Your σ is one number for all axes: each axis has its own.",
    "no spread": "Your draws have the full width of the cluster: ρ is missing.",
    "half": "Your ρ is always ½: it is the argument `spread`.",
    "root": "ρ is a share of the standard deviation: no root of it.",
    "square": "ρ is a share of the standard deviation: no square of it.",
    "rates": "You exchanged the two rates: η_D moves the discriminator, η_z the codes.",
    "swapped": "You exchanged draws and codes in the discriminator's step.",
    "draws only": "Your discriminator learns from draws only: the codes' part of (6), −D(z) φ(z), is missing.",
    "codes only": "Your discriminator learns from codes only: the draws' part of (6), (1 − D(z*)) φ(z*), is missing.",
    "target .9": "Your discriminator has the target .9 for draws: here t = 1.",
    "judge uphill": "Your discriminator goes uphill on its loss: it learns to be wrong.",
    "judge at rest": "Your discriminator did not move.",
    "sum": "The discriminator's step (6) has 1/n: L_D is a mean.",
    "mean of each cluster": "The step (6) is divided by n, the number of all, not by the cluster's size.",
    "not told": "Your discriminator is not told the cluster: each code meets the row of its own.",
    "old weights": "Your codes climb the old surface: first the discriminator moves, then the codes.",
    "old push": "The factor 1 − D of your codes is that of the old discriminator: it has moved before them.",
    "saturating": "Your codes are pushed with D, the saturating loss: log D has 1 − D.",
    "slope of D": "Your codes climb D, not log D: the factor is 1 − D, without another D.",
    "no weight": "Your codes climb the logit s: the factor 1 − D of log D is missing.",
    "at the draws": "The slope of s is taken at the draws: the codes move, so take it at z.",
    "flat": "The slope of s lacks the squares: the derivative of u z² is 2 u z.",
    "square of z": "The derivative of u z² is 2 u z; yours has z² in it.",
    "halves": "You exchanged w and u: a row of weights is θ₀, then d of w, then d of u.",
    "no 2": "The derivative of u z² is 2 u z: the 2 is missing.",
    "flee": "Your codes go down: they flee from where draws are. They climb log D.",
    "codes at rest": "Your codes did not move.",
    "codes by the mean": "Each code moves by its own slope, not by 1/n of it.",
}
_KEPT = {
    "after": "yours is that after it",
    "J": "yours is J, with the other sign",
    "encoder": "yours is the encoder's loss",
    "half": "yours is half of it",
    "sum": "yours is n times that, a sum",
    ".9": "yours has the target .9 for draws",
}


def _check_play(function):
    generator = fresh_generator()
    n, k, d = 15, 3, 2
    c = torch.tensor([0] * 7 + [1] * 5 + [2] * 3)[torch.randperm(n, generator=generator)]
    z = torch.randn(n, d, generator=generator) + 0.5 * c[:, None]
    weights = 0.4 * torch.randn(k, 1 + 2 * d, generator=generator)
    noise, rest = torch.randn(4, n, d, generator=generator), (0.6, 0.8, 0.3)
    given = z, c, weights, noise, *rest

    def ask(n_rounds):
        answer = function(z.clone(), c.clone(), weights.clone(), noise[:n_rounds].clone(), *rest)
        found = parts_of(answer, 3, "three things, `z, weights, history`")
        new_z = tensor_of_shape(found[0], (n, d), "z (first of the three results)")
        new_weights = tensor_of_shape(found[1], (k, 1 + 2 * d), "the weights (second of the three results)")
        return new_z, new_weights, _history(found[2], n_rounds)

    try:
        found = ask(len(noise))
    except RuntimeError as error:
        if "does not require grad" in str(error):
            raise Mistake(
                "No gradient flows through your loss. Is a part cut off (detached, or a plain number)? What is lent to "
                "you of earlier tasks are numbers, without a graph behind them: use formulas of your own."
            ) from None
        raise
    right = _game(*given)
    if close(found[0], right[0]) and close(found[1], right[1]):
        if not _agree(found[2], right[2]):
            named = [text for keep, text in _KEPT.items() if _agree(found[2], _game(*given, keep=keep)[2])]
            raise Mistake(
                f"The history is L_D *before* the discriminator's step, {rounded(right[2])}; "
                f"{named[0] if named else f'yours is {rounded(found[2])}'}."
            )
        return
    for other, hint in _PLAYED.items():
        wrong = _game(*given, other)
        if close(found[0], wrong[0]) and close(found[1], wrong[1]):
            raise Mistake(hint)
    for n_rounds in range(1, len(noise) + 1):  # the first round in which something is wrong
        expected, mine = _game(*given[:3], noise[:n_rounds], *rest), ask(n_rounds)
        after = f"After {n_rounds} round{'s' * (n_rounds > 1)}"
        for place, name, more in (
            (1, "weights", "" if close(mine[0], expected[0]) else " (The codes are not right, either.)"),
            (0, "codes", " The weights are right." if close(mine[1], expected[1]) else ""),
        ):
            if not close(mine[place], expected[place]):
                (i, j), numbers = _farthest(mine[place], expected[place])
                raise Mistake(f"{after} the number in row {i}, column {j} of the {name} is {numbers[0]}; yours is "
                              f"{numbers[1]}.{more}")  # fmt: skip
    raise Mistake("Twice the same question, two answers: take the ε that are given to you.")


# --- task 6 ---


def told_and_not(function):
    """Check task 6."""
    TASKS.check(function, _check_told_and_not, lend={"divergences": _measures})


def _check_told_and_not(function):
    generator, step = fresh_generator(), 0.4
    shares = torch.tensor([0.6, 0.3, 0.1]).double()
    while True:
        a, b = torch.rand(2, 3, 20, generator=generator).double() ** 4 + 1e-3
        a, b = (part / part.sum(1, keepdim=True) / step for part in (a, b))
        each = torch.tensor([_measures(p, q, step)[3] for p, q in zip(a, b)]).double()
        if each.argsort()[1] == 0:  # the largest cluster has neither the best J nor the worst
            break
    told, mixed = _both(a, b, shares, step)
    answer = parts_of(function(a.clone(), b.clone(), shares.clone(), step), 2, "two numbers, J told and J not told")
    values = [single_number(value, name) for value, name in zip(answer, ("J told", "J not told"))]
    if same_number(values[0], mixed) and same_number(values[1], told):
        raise Mistake("You exchanged the two results: J told comes first.")
    compare_number(values[0], told, [
        (each.mean(), "J told is a mean with the *shares*: small clusters count less."),
        (each.sum(), "J told is a mean with the shares; yours is a sum over the clusters."),
        (mixed, "Your J told is that of the mixtures: told, there is a best J in each cluster."),
        (each.max(), "J told is the mean over all clusters, not the best of them."),
        ((told + 2 * math.log(2)) / 2, "Yours is the JSD: J is 2 JSD − 2 log 2, the fourth result of task 4."),
        (-told, "The sign of J told."),
        (each @ shares.square(), "The shares are in your J told twice."),
        (told / len(shares), "The shares sum to 1: do not divide J told by the number of clusters."),
        (each.min(), "J told is the mean over all clusters, not the worst of them."),
        (each[shares.argmax()], "Your J told is that of the largest cluster: it is the mean over all."),
        (math.fsum(float(w) * _measures(p, q, step)[0] for w, p, q in zip(shares, a, b)), "Yours is the KL: J is the "
         "fourth result of task 4."),
    ], "For three random clusters J told is {}; yours is {}.".format(
        *told_apart(told, values[0], 4)))  # fmt: skip
    equal = torch.full_like(shares, 1 / 3)
    compare_number(values[1], mixed, [
        (_both(a, b, equal, step)[1], "The mixtures have the shares as weights: yours has all clusters equal."),
        (told, "Your J not told is J told: not told, there is one discriminator for the mixtures."),
        (_measures(a.sum(0), b.sum(0), step)[3], "Your mixtures are plain sums, so they are no densities."),
        (_measures(shares @ a, b.mean(0), step)[3], "Both mixtures have the shares as weights, also the codes'."),
        (_measures(a[0], b[0], step)[3], "Your J not told is that of one cluster: mix them all."),
        (_measures(a[0], b[1], step)[3], "Your J not told compares two clusters: mix them all."),
        ((mixed + 2 * math.log(2)) / 2, "Yours is the JSD: J is 2 JSD − 2 log 2, the fourth result of task 4."),
        (-mixed, "The sign of J not told."),
        (_measures(a.mean(0), shares @ b, step)[3], "Both mixtures have the shares as weights, also the draws'."),
        (_measures(shares @ a, shares @ b, step)[0], "Yours is the KL: J is the fourth result of task 4."),
    ], "For three random clusters J not told is {}; yours is {}.".format(
        *told_apart(mixed, values[1], 4)))  # fmt: skip


# --- task 7 ---


def mended_training(function):
    """Check task 7."""
    TASKS.check(function, _check_mended_training)


def _check_mended_training(function):
    generator = fresh_generator()
    n, k, d = 18, 3, 2
    c, z = torch.arange(n) % k, torch.randn(n, d, generator=generator)
    means, sigma = 1.5 * torch.randn(k, d, generator=generator), 0.3 + torch.rand(k, d, generator=generator)
    noise, rates = torch.randn(6, n, d, generator=generator), (0.6, 0.1)
    given = (z, c, means, sigma, noise)
    found = parts_of(function(*(part.clone() for part in given), *rates), 3, "three things, `z, weights, history`")
    new_z = tensor_of_shape(found[0], (n, d), "z (first of the three results)")
    new_weights = tensor_of_shape(found[1], (k, 1 + 2 * d), "the weights (second of the three results)")

    def path(**mistake):
        return _training(*given, *rates, **mistake)

    right = path()
    if close(new_z, right[0]) and close(new_weights, right[1]):
        pairs = found[2] if isinstance(found[2], list) else []
        if len(pairs) != len(noise) or any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in pairs):
            raise Mistake("The path is right; the history is a list of pairs, one a round, as it was.")
        values = [[single_number(value, "A loss in the history") for value in pair] for pair in pairs]

        def agrees(losses):
            return all(map(_agree, values, losses))

        if not agrees(right[2]):
            yours = f"yours begins with {rounded(values[0])}"
            yours = "yours are those after it" if agrees(path(keep="after")[2]) else yours
            yours = "you exchanged the two" if agrees([pair[::-1] for pair in right[2]]) else yours
            raise Mistake(
                "The path is right; the history is the pair of losses before each step, as it was, the discriminator's "
                f"first: it begins with {rounded(right[2][0])}; {yours}."
            )
        return
    for how, hint in _MENDED.items():
        wrong = path(how=how)
        if close(new_z, wrong[0]) and close(new_weights, wrong[1]):
            raise Mistake(hint)
    name, mine, expected = ("codes", new_z, right[0])
    if close(new_z, right[0]):
        name, mine, expected = "weights", new_weights, right[1]
    (i, j), numbers = _farthest(mine, expected)
    raise Mistake(
        f"After {len(noise)} rounds the number in row {i}, column {j} of the {name} is {numbers[0]}; yours is "
        f"{numbers[1]}. Mend the mistake, and leave the rest as it is."
    )


_MENDED = {
    "broken": "That is still the broken one. Whose loss is in whose gradient?",
    "codes only": "Half mended: the codes are right; the weights still follow the encoder's loss, too.",
    "weights only": "Half mended: the weights are right; the codes still follow the discriminator's loss, too.",
    "judging for both": "Now both minimise the discriminator's loss: the codes learn to be found out.",
    "fooling for both": "Now both minimise the encoder's loss: the discriminator learns to call codes draws.",
    "exchanged": "You exchanged the two: each player follows its *own* loss.",
    "difference": "You subtracted the losses: so each also flees the other's. Each has its own only.",
    "one difference for both": "Still one loss for both, now a difference: each player follows its *own* loss.",
    "saturating": "You gave the codes the saturating loss; the mistake is elsewhere, and −log D was right.",
    "draws only": "Your discriminator learns from draws only: its loss has the codes in it, too.",
    "codes alone": "Your discriminator learns from codes only: its loss has the draws in it, too.",
    "in turns": "Your codes climb the new surface: here both move at once, from where they were before the round.",
    "codes at rest": "Your codes do not move: z is cut off from its own loss, too.",
    "codes by the mean": "Each code moved by its own slope, n times that of the mean: leave `len(z)` there.",
    "default rates": "Your rates are always .5 and .05: they are the arguments `rate_judge` and `rate_codes`.",
    "rates": "You exchanged the two rates: they were right.",
    "uphill": "Your codes climb their loss: they descend it, and −log D with it.",
    "full width": "The draws had half of the cluster's width: leave the 0.5 there.",
}
