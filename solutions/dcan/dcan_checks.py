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
    compare_number,
    fresh_generator,
    is_grading,
    name_mistake,
    parts_of,
    rounded,
    same_number,
    single_number,
    tensor_of_shape,
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


def _game(z, clusters, weights, noise, spread, rate_judge, rate_codes, other=""):
    """The game by autograd; `other` names a mistake."""
    losses, d, k = [], z.shape[1], len(weights)
    scale = 1 if other == "sum" else len(z)
    rows = torch.zeros_like(clusters) if other == "not told" else clusters

    def follow():
        groups = [z[clusters == number] for number in range(k)]
        widths = [g.std(0) if other == "n - 1" else g.var(0, correction=0).sqrt() for g in groups]
        means = torch.stack([g.mean(0) for g in groups])
        return means, torch.stack([w.square() if other == "variance" else w for w in widths])

    where = follow()
    for epsilon in noise:
        where = where if other == "never follow" else follow()
        drawn = _drawn(*where, clusters, epsilon, 1.0 if other == "no spread" else spread)
        leaf = weights.clone().requires_grad_()
        logits = [(_phi(points) * leaf[rows]).sum(1) for points in ((z, drawn) if other == "swapped" else (drawn, z))]
        loss = _judging(*logits, 1.0)
        losses.append(loss.item())
        slope = torch.autograd.grad(loss, leaf)[0] * len(z) / scale
        if other == "mean of each cluster":
            slope = slope * len(z) / torch.bincount(clusters, minlength=k)[:, None]
        before, weights = weights, weights + (1 if other == "judge uphill" else -1) * rate_judge * slope
        if other == "judge at rest":
            weights = before
        surface = before if other == "old weights" else weights
        s, own = (_phi(z) * surface[rows]).sum(1), surface[rows]
        hill = own[:, 1 : d + 1] + (0 if other == "flat" else 1 if other == "no 2" else 2) * own[:, d + 1 :] * z
        push = torch.sigmoid(s if other == "saturating" else -s)[:, None] * hill
        push = {"flee": -push, "codes at rest": 0 * push, "codes by the mean": push / len(z)}.get(other, push)
        push = hill if other == "no weight" else push
        z = z + rate_codes * push
    return z, weights, losses


def _both(a, b, shares, step):
    told = [float(share) * _measures(p, q, step)[3] for share, p, q in zip(shares, a, b)]
    mixed = [(shares[:, None] * half).sum(0) for half in (a, b)]
    return math.fsum(told), _measures(*mixed, step)[3]


def _training(z, clusters, means, deviations, noise, rate_judge=0.5, rate_codes=0.05, how="right"):
    z, weights = z.clone(), torch.zeros(len(means), 1 + 2 * z.shape[1], dtype=z.dtype)
    losses = []
    for epsilon in noise:
        drawn = _drawn(means, deviations, clusters, epsilon, 0.5)
        leaves = z.clone().requires_grad_(), weights.clone().requires_grad_()
        s, t = ((_phi(points) * leaves[1][clusters]).sum(1) for points in (drawn, leaves[0]))
        judging, fooling = _judging(s, t, 1.0), -logsigmoid(t).mean()
        losses.append((judging.item(), fooling.item()))
        parts = {
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
        z = z - rate_codes * (0 if how == "codes at rest" else len(z)) * pull
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
    for spread in (0.4, 1.0):
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
            ],
        )  # fmt: skip
        elsewhere = torch.stack([mu + spread * s * noise for mu, s in zip(means, sigma)])  # (k, n, d)
        if (elsewhere - found).abs().amax(2).amin(0).max() < 1e-3:
            raise Mistake(
                "Your draws come from some cluster of the mixture: each is to come from the *assigned* one, c."
            )
        centers = (found - spread * width * noise - at).abs().amax(1)
        if centers.min() < 1e-3:
            raise Mistake("Some draws have the right centre and others not: row i belongs to the cluster clusters[i].")
        if not close(found, function(means.clone(), sigma.clone(), c.clone(), noise.clone(), spread)):
            raise Mistake("The same arguments give other draws each time: take the ε that are given to you.")
        raise Mistake(
            f"For the centre {rounded(at[0])}, σ = {rounded(width[0])}, ε = {rounded(noise[0])} and ρ = {spread} "
            f"the draw is {rounded(expected[0])}; yours is {rounded(found[0])}."
        )


# --- task 2 ---


def discriminator_loss(function):
    """Check task 2."""
    TASKS.check(function, _check_discriminator_loss)


def _check_discriminator_loss(function):
    generator = fresh_generator()
    s, t = 1 + 1.5 * torch.randn(12, generator=generator), 1.5 * torch.randn(20, generator=generator) - 0.5
    for positive in (1.0, 0.8):
        answer = function(s.clone(), t.clone(), positive)
        value, right = single_number(answer, "The loss"), float(_judging(s, t, positive))
        if math.isnan(value):
            raise Mistake("The loss is NaN. The arguments are logits, not the D themselves: a logit can be below 0.")
        yes, no = _log1p_exp(-s), _log1p_exp(s)
        of_draws, of_codes = (positive * yes + (1 - positive) * no).mean(), _log1p_exp(t).mean()
        all_of = torch.cat([positive * yes + (1 - positive) * no, _log1p_exp(t)])
        squares = (positive - s.sigmoid()).square().mean() + t.sigmoid().square().mean()
        hints = [
            (-right, "The sign is wrong: the logarithms of D are below 0, the loss is above."),
            (float(_judging(t, s, positive)), "You exchanged draws and codes: D near 1 says *draw*."),
            (of_draws, "The codes' half is missing."),
            (of_codes, "The draws' half is missing."),
            (of_draws + _log1p_exp(-t).mean(), "Codes have target 0 here: −log(1 − D). (Target 1 is the encoder's.)"),
            (all_of.sum(), "Yours is a sum over the samples: each half is a mean."),
            (all_of.mean(), "You took one mean over draws and codes together: each half has its own."),
            ((of_draws + of_codes) / 2, "You took the mean of the two halves: they are added."),
            (_judging(s, t, 1.0), "Your t has no effect: it is the target of the draws."),
            (positive * yes.mean() + of_codes, "The part with 1 − t is missing: (1 − t) log(1 − D) of the draws."),
            (_judging(s, t, positive) + (1 - positive) * (_log1p_exp(-t) - _log1p_exp(t)).mean(),
             "Only the draws' target is t: codes have 0."),
            (_judging(s.sigmoid(), t.sigmoid(), positive), "You applied the sigmoid twice: the arguments are logits."),
            (squares, "That is a squared difference from the targets: (3) is the cross-entropy."),
        ]  # fmt: skip
        compare_number(
            value, right, hints, f"For random logits and t = {positive} the loss is {right:.4f}; yours is {value:.4f}."
        )
    if not isinstance(answer, torch.Tensor):
        raise Mistake("Return the loss as a tensor: gradients must flow through it, so do not make it a plain number.")
    s, t = torch.tensor([-200.0, 200.0, 0.0]), torch.tensor([200.0, -200.0, 1.0])
    value, right = single_number(function(s, t, 0.9), "The loss"), float(_judging(s, t, 0.9))
    if not same_number(value, right):
        raise Mistake(
            f"For logits of ±200 the loss is {right:.2f}; yours is {value:.2f}. There a sigmoid is 0 or 1, and "
            "the logarithm of 0 is lost (or was cut off): compute log D from the logit."
        )
    if not is_grading():
        s, t = s.requires_grad_(), t.requires_grad_()
        loss = function(s, t, 1.0)
        if not loss.requires_grad or not all(bool(g.isfinite().all()) for g in torch.autograd.grad(loss, (s, t))):
            raise Mistake(
                "The number is right, but no gradient flows to the logits: do not detach, and make no new tensor."
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
                if large:
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
                ], f"For random logits the {name} loss is {right:.4f}; yours is {value:.4f}.")  # fmt: skip
                by_d = -1 / (1 - d) if saturating else -1 / d
                name_mistake(slopes, [
                    (n * expected, f"The 1/n is missing in the slopes of the {name} loss: the loss is a mean."),
                    (-expected, f"The sign of the slopes of the {name} loss is wrong: it falls as the logit grows."),
                    (_fooling(s, not saturating)[1], f"The slopes of the two losses are exchanged (asked for the "
                                                     f"{name} one): d/ds log D = 1 − D."),
                    (by_d / n, f"For the {name} loss that is the derivative by D: the factor D(1 − D) is missing."),
                    (-d * (1 - d) / n, "D(1 − D) is the derivative of D itself: there is a logarithm in front of it."),
                    (by_d * (d * (1 - d)) ** 2 / n, "You have the factor D(1 − D) twice."),
                ])  # fmt: skip
                raise Mistake(
                    f"For the logits {rounded(s[:3])} … (n = {n}) the slopes of the {name} loss begin "
                    f"{rounded(expected[:3])}; yours {rounded(slopes[:3])}."
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
    ], f"For two random bells KL is {kl:.4f}; yours is {single_number(found[0], 'KL'):.4f}.")  # fmt: skip
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
    ], f"For two random bells JSD is {jsd:.4f}; yours is {single_number(found[1], 'JSD'):.4f}.")  # fmt: skip
    d = tensor_of_shape(found[2], (40,), "the best D (one value for each point of the grid)")
    if not close(d, best):
        name_mistake(d, [
            (1 - best, "Your D is b/(a + b): D near 1 says *draw*, so a stands above the line."),
            (a / b, "Your D is a/b: it must lie between 0 and 1, a/(a + b)."),
            ((a.log() - b.log()), "That is the best *logit*, log a − log b: D is its sigmoid."),
            ((a > b).double(), "Your D is hard: it says how sure one can be, a/(a + b)."),
            (a / m, "Your D is twice the best one: a/(a + b), not a/m."),
        ])  # fmt: skip
        raise Mistake(f"At the first points of the grid D* is {rounded(best[:3])}; yours is {rounded(d[:3])}.")
    compare_number(single_number(found[3], "J"), value, [
        (-value, "The sign of J: it is what the discriminator *maximises*, and below 0."),
        (value / step, "The step of the grid is missing in J: an integral is the step times the sum."),
        (value / 2, "J is the sum of its two parts, without a half."),
        (2 * jsd, "Your J is 2 JSD: lemma 2 has − 2 log 2 as well. Compute J by its own integral."),
        (_integral(torch.xlogy(a, best), step), "The codes' part of J is missing: b log(1 − D)."),
        (_integral(torch.xlogy(a, best) + torch.xlogy(b, best), step), "For codes J has log(1 − D), not log D."),
        (_integral(torch.xlogy(b, best) + torch.xlogy(a, 1 - best), step), "In J a belongs to log D, b to log(1 − D)."),
    ], f"For two random bells J is {value:.4f}; yours is {single_number(found[3], 'J'):.4f}.")  # fmt: skip
    a, b = (torch.tensor(v).double() for v in ([2.0, 2.0, 0.0, 0.0], [0.0, 2.0, 2.0, 0.0]))
    kl, jsd, best, value = _measures(a, b, step)
    found = parts_of(function(a.clone(), b.clone(), step), 4, four)
    about = f"For a = {a.tolist()}, b = {b.tolist()}, with the step {step}, "
    if not math.isinf(single_number(found[0], "KL")):
        raise Mistake(
            f"{about}KL is infinite, since b is 0 where a is not; yours is {single_number(found[0], 'KL'):.4f}."
        )
    if not same_number(single_number(found[1], "JSD"), jsd):
        raise Mistake(f"{about}JSD is {jsd:.4f}; yours is {float(found[1]):.4f}. 0 · log 0 counts as 0.")
    if not close(tensor_of_shape(found[2], (4,), "the best D"), best):
        raise Mistake(f"{about}D* is {best.tolist()}, ½ where both are 0; yours is {found[2].tolist()}.")
    if not same_number(single_number(found[3], "J"), value):
        raise Mistake(f"{about}J is {value:.4f}; yours is {float(found[3]):.4f}. 0 · log 0 counts as 0.")
    a = torch.tensor([3.0, 1.0, 1e-30]).double()
    b, value = a.flip(0), _measures(a, a.flip(0), step)[3]
    number = single_number(parts_of(function(a, b, step), 4, four)[3], "J")
    if not same_number(number, value):
        raise Mistake(
            f"For a = {a.tolist()} and b the other way round J is {value:.4f}; yours is {number:.4f}. Where D* is "
            "rounded to 1, 1 − D* is rounded to 0 and its logarithm is lost: 1 − D* is b/(a + b)."
        )


# --- task 5 ---


def play(function):
    """Check task 5."""
    TASKS.check(function, _check_play, lend={"draw": _drawn, "discriminator_loss": _judging, "encoder_loss": _fooling})


def _check_play(function):
    generator = fresh_generator()
    n, k, d = 15, 3, 2
    c = torch.tensor([0] * 7 + [1] * 5 + [2] * 3)[torch.randperm(n, generator=generator)]
    z = torch.randn(n, d, generator=generator) + 0.5 * c[:, None]
    weights = 0.4 * torch.randn(k, 1 + 2 * d, generator=generator)
    noise, rest = torch.randn(4, n, d, generator=generator), (0.6, 0.8, 0.3)
    found = parts_of(function(z.clone(), c.clone(), weights.clone(), noise.clone(), *rest), 3, "z, weights, history")
    new_z = tensor_of_shape(found[0], (n, d), "z (first of the three results)")
    new_weights = tensor_of_shape(found[1], (k, 1 + 2 * d), "the weights (second of the three results)")
    history = found[2]
    if not isinstance(history, list) or any(not isinstance(value, float | int) for value in history):
        raise Mistake("The history is a list of plain numbers: `float(loss)` makes one.")
    if len(history) != len(noise):
        raise Mistake(f"With {len(noise)} rounds the history has {len(noise)} entries; yours has {len(history)}.")
    right = _game(z, c, weights, noise, *rest)
    if close(new_z, right[0]) and close(new_weights, right[1]):
        if not all(same_number(a, b) for a, b in zip(history, right[2])):
            raise Mistake(
                f"The history is L_D *before* the discriminator's step: {rounded(right[2])}, not {rounded(history)}."
            )
        return
    hints = {
        "never follow": "Your clusters stay where they were: centres and widths follow the codes in every round.",
        "variance": "You took variances for σ: the draws' width is the standard deviation.",
        "n - 1": "Your σ is divided by the number less one (PyTorch's default): `correction=0`.",
        "no spread": "Your draws have the full width of the cluster: ρ is missing.",
        "swapped": "You exchanged draws and codes in the discriminator's step.",
        "judge uphill": "Your discriminator goes uphill on its loss: it learns to be wrong.",
        "judge at rest": "Your discriminator did not move.",
        "sum": "The discriminator's step (6) has 1/n: L_D is a mean.",
        "mean of each cluster": "The step (6) is divided by n, the number of all, not by the cluster's size.",
        "not told": "Your discriminator is not told the cluster: each code meets the row of its own.",
        "old weights": "Your codes climb the old surface: first the discriminator moves, then the codes.",
        "saturating": "Your codes are pushed with D, the saturating loss: log D has 1 − D.",
        "no weight": "Your codes climb the logit s: the factor 1 − D of log D is missing.",
        "flat": "The slope of s lacks the squares: the derivative of u z² is 2 u z.",
        "no 2": "The derivative of u z² is 2 u z: the 2 is missing.",
        "flee": "Your codes go down: they flee from where draws are. They climb log D.",
        "codes at rest": "Your codes did not move.",
        "codes by the mean": "Each code moves by its own slope, not by 1/n of it.",
    }
    for other, hint in hints.items():
        wrong = _game(z, c, weights, noise, *rest, other)
        if close(new_z, wrong[0]) and close(new_weights, wrong[1]):
            raise Mistake(hint)
    once = _game(z, c, weights, noise[:1], *rest)
    mine = function(z.clone(), c.clone(), weights.clone(), noise[:1].clone(), *rest)
    raise Mistake(
        f"After one round the first row of weights is {rounded(once[1][0])} and code 0 at {rounded(once[0][0])}; "
        f"yours {rounded(mine[1][0])} and {rounded(mine[0][0])}."
    )


# --- task 6 ---


def told_and_not(function):
    """Check task 6."""
    TASKS.check(function, _check_told_and_not, lend={"divergences": _measures})


def _check_told_and_not(function):
    generator = fresh_generator()
    a, b = torch.rand(2, 3, 20, generator=generator).double() ** 4 + 1e-3
    step = 0.5
    a, b = (part / part.sum(1, keepdim=True) / step for part in (a, b))
    shares = torch.tensor([0.6, 0.3, 0.1]).double()
    told, mixed = _both(a, b, shares, step)
    answer = parts_of(function(a.clone(), b.clone(), shares.clone(), step), 2, "two numbers, J told and J not told")
    values = [single_number(value, name) for value, name in zip(answer, ("J told", "J not told"))]
    each = torch.tensor([_measures(p, q, step)[3] for p, q in zip(a, b)]).double()
    if same_number(values[0], mixed) and same_number(values[1], told):
        raise Mistake("You exchanged the two results: J told comes first.")
    compare_number(values[0], told, [
        (each.mean(), "J told is a mean with the *shares*: small clusters count less."),
        (each.sum(), "J told is a mean with the shares; yours is a sum over the clusters."),
        (mixed, "Your J told is that of the mixtures: told, there is a best J in each cluster."),
        (each.max(), "J told is the mean over all clusters, not the best of them."),
        ((told + 2 * math.log(2)) / 2, "Yours is the JSD: J is 2 JSD − 2 log 2, the fourth result of task 4."),
        (-told, "The sign of J told."),
    ], f"For three random clusters J told is {told:.4f}; yours is {values[0]:.4f}.")  # fmt: skip
    equal = torch.full_like(shares, 1 / 3)
    compare_number(values[1], mixed, [
        (_both(a, b, equal, step)[1], "The mixtures have the shares as weights: yours has all clusters equal."),
        (told, "Your J not told is J told: not told, there is one discriminator for the mixtures."),
        (_measures(a.sum(0), b.sum(0), step)[3], "Your mixtures are plain sums, so they are no densities."),
        (_measures(shares @ a, b.mean(0), step)[3], "Both mixtures have the shares as weights, also the codes'."),
        (_measures(a[0], b[0], step)[3], "Your J not told is that of one cluster: mix them all."),
        (_measures(a[0], b[1], step)[3], "Your J not told compares two clusters: mix them all."),
        ((mixed + 2 * math.log(2)) / 2, "Yours is the JSD: J is 2 JSD − 2 log 2, the fourth result of task 4."),
    ], f"For three random clusters J not told is {mixed:.4f}; yours is {values[1]:.4f}.")  # fmt: skip


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

    def is_path(how):
        path = _training(*given, *rates, how)
        return close(new_z, path[0]) and close(new_weights, path[1])

    if is_path("right"):
        losses = _training(*given, *rates)[2]
        pairs = found[2] if isinstance(found[2], list) else []
        if len(pairs) != len(losses) or any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in pairs):
            raise Mistake("The path is right; the history is a list of pairs, one a round, as it was.")
        if not all(
            same_number(single_number(v, "A loss"), w)
            for pair, other in zip(pairs, losses)
            for v, w in zip(pair, other)
        ):
            raise Mistake("The path is right; the history is the pair of losses before each step, as it was.")
        return
    hints = {
        "broken": "That is still the broken one. Whose loss is in whose gradient?",
        "codes only": "Half mended: the codes are right; the weights still follow the encoder's loss, too.",
        "weights only": "Half mended: the weights are right; the codes still follow the discriminator's loss, too.",
        "judging for both": "Now both minimise the discriminator's loss: the codes learn to be found out.",
        "fooling for both": "Now both minimise the encoder's loss: the discriminator learns to call codes draws.",
        "exchanged": "You exchanged the two: each player follows its *own* loss.",
        "difference": "You subtracted the losses: so each also flees the other's. Each has its own only.",
        "one difference for both": "Still one loss for both, now a difference: each player follows its *own* loss.",
        "saturating": "You gave the codes the saturating loss; the mistake is elsewhere, and −log D was right.",
        "in turns": "Your codes climb the new surface: here both move at once, from where they were before the round.",
        "codes at rest": "Your codes do not move: z is cut off from its own loss, too.",
    }
    for how, hint in hints.items():
        if is_path(how):
            raise Mistake(hint)
    expected = _training(*given, *rates)
    raise Mistake(
        f"After {len(noise)} rounds code 0 should be at {rounded(expected[0][0])}; yours is at {rounded(new_z[0])}. "
        "Mend the mistake, and leave the rest as it is."
    )
