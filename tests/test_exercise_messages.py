"""Wrong answers that were met by working the units through: the visible check finds them, and names what is wrong."""

import importlib.util
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from dclib.classroom import exercises

SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"

FORGET = """
def forgetting_step(batch, centers, counts, memory):
    labels = torch.cdist(batch, centers).argmin(1)
    centers, counts = centers.clone(), counts.clone()
    for k in range(len(centers)):
        mine = batch[labels == k]
        {counts}
        if len(mine):
            centers[k] += (mine - centers[k]).sum(0) / counts[k]
    return centers, counts
"""

LOSS = """
def dcra_loss(x, epsilon, sigma, encoder, decoder, goal, share):
    z = check.through(x + sigma**2 * epsilon, encoder)
    l1 = (x - check.through(z, decoder)).square().sum(1).mean()
    l2 = (z - goal).square().sum(1).mean()
    return share * l1 + (1 - share) * l2, l1, l2
"""

SAMPLED = """
def mean_loss(x, A, B, goal, share, corruption, level):
    total = 0
    for _ in range(50):
        noisy = x + level * torch.randn_like(x)
        z = noisy @ A.T
        total += share * (z @ B.T - x).square().sum(1).mean() + (1 - share) * (z - goal).square().sum(1).mean()
    return total / 50
"""

DIFFERENCE = """
def mended_training(z, clusters, means, deviations, noise, rate_judge=0.5, rate_codes=0.05):
    z, weights, history = z.clone().requires_grad_(), torch.zeros(len(means), 1 + 2 * z.shape[1]).requires_grad_(), []
    for epsilon in noise:
        s, t = ((torch.cat([torch.ones_like(p[:, :1]), p, p**2], 1) * weights[clusters]).sum(1)
                for p in (means[clusters] + 0.5 * deviations[clusters] * epsilon, z))
        judging = F.softplus(-s).mean() + F.softplus(t).mean()
        fooling = F.softplus(-t).mean()
        history.append((judging.item(), fooling.item()))
        on_weights, on_z = torch.autograd.grad(judging - fooling, (weights, z))
        with torch.no_grad():
            weights -= rate_judge * on_weights
            z -= rate_codes * len(z) * on_z
    return z.detach(), weights.detach(), history
"""

CHOOSE = """
def choose_k(ks, strengths, threshold):
    high = {high}
    return {end}
"""
HIGH = "strengths.mean(axis=1) + strengths.std(axis=1, ddof=1) / np.sqrt(strengths.shape[1])"
LARGEST = "max([k for k, value in zip(ks, high) if value >= threshold], default=1)"

MEANS = """
def m_step(X, r, reg=1e-6):
    n, d = r.sum(0), X.shape[1]
    means = r.T @ X / n[:, None]
    away = X - means[:, None]
    half = {weight} * away
    covariances = half.mT @ {other} / {below} {ridge}
    return n / len(X), means, {end}
"""


def m_step(weight="r.T[:, :, None]", other="away", below="n[:, None, None]", ridge="+ reg * torch.eye(d).double()",
           end="covariances"):  # fmt: skip
    return MEANS.format(weight=weight, other=other, below=below, ridge=ridge, end=end)


E_STEP = """
def e_step(X, weights, means, covariances):
    joint = log_joint(X, weights, means, covariances)
    top = joint.max(dim=1, keepdim=True).values
    log_p = (joint - top).exp().sum(dim=1).log()
    return {r}, log_p
"""

KL = "def divergence(p, q):\n    return {}\n"
TERMS = "(torch.xlogy(p, p) - torch.xlogy(p, q))"

V = """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c = entropy(table.sum(1)), entropy(table.sum(0))
    i = h_y + h_c - entropy(table.ravel())
    h, c = {h}, {c}
    return h, c, {v}
"""
RULE_H, RULE_C = "i / h_y if h_y > 0 else 1.0", "i / h_c if h_c > 0 else 1.0"
RULE_V = "2 * h * c / (h + c) if h + c > 0 else 0.0"

# Splits every group at its mean brightness.
HALVED = """
def cluster(x, new, seed):
    from sklearn.cluster import KMeans
    a, b = x.reshape(len(x), -1), new.reshape(len(new), -1)
    k = 8 if len(x) < 150 else 24
    model = KMeans(k, n_init=1, random_state=seed).fit(a)
    return model.labels_, model.predict(b)
"""

MASKED = """
def masked_loss(x_hat, x, hidden):
    loss = (x - x_hat)[hidden.expand_as(x)].square().mean()
    return {}
"""
PULLED = """
def kmeans_loss(h, centers):
    nearest = torch.cdist(h.detach(), centers.detach()).argmin(1)
    return ({}).square().sum() / {}
"""

ANSWERS = [
    ("gradient_kmeans", "forgetting_step", FORGET.format(
        counts="if len(mine): counts[k] = memory * counts[k] + len(mine)"), "fades, too: γ times the old count"),
    ("gradient_kmeans", "forgetting_step", FORGET.format(
        counts="for _ in mine: counts[k] = memory * counts[k] + 1"), "γ counts once for the whole batch"),
    ("gradient_kmeans", "forgetting_step", FORGET.format(
        counts="counts[k] = memory * counts[k] + len(mine)").replace("return centers, counts",
        "return [centers, counts]"), "without brackets: yours is a list"),
    ("autoencoders", "masked_loss", MASKED.format("loss.detach()"), "no gradient flows to the reconstruction"),
    ("autoencoders", "masked_loss", MASKED.format("torch.tensor(loss.item())"), "make no new tensor of a plain number"),
    ("autoencoded_kmeans", "kmeans_loss", PULLED.format("h.detach() - centers[nearest]", "len(h) / 2"),
     "no gradient flows to the codes"),
    ("autoencoded_kmeans", "kmeans_loss", PULLED.format("h - centers.detach()[nearest]", "len(h) / 2"),
     "no gradient flows to the centres"),
    ("autoencoded_kmeans", "share_loss", PULLED.format("h - centers[nearest]",
     "(h - h.mean(0)).square().sum().detach()").replace("kmeans", "share"), "its gradient by the codes is not"),
    ("dcra", "dcra_loss", LOSS, "not the variance"),
    ("dcra", "mean_loss", SAMPLED, "nothing is drawn here"),
    ("dcan", "mended_training", DIFFERENCE, "Still one loss for both, now a difference"),
    ("gaussian_mixtures", "e_step", E_STEP.format(r="(joint - log_p[:, None]).exp()"), "did not add it again"),
    ("gaussian_mixtures", "e_step", E_STEP.format(r="joint.softmax(dim=1)"),
     "In log p you subtracted the largest entry of each row and did not add it again"),
    ("gaussian_mixtures", "e_step", E_STEP.format(r="(joint - top).exp() / joint.exp().sum(dim=1, keepdim=True)"),
     "above the line only"),
    ("gaussian_mixtures", "m_step", m_step(end="None"), "You return None for `covariances`: where"),
    ("gaussian_mixtures", "m_step", m_step(ridge="+ reg"), "You added `reg` to all entries"),
    ("gaussian_mixtures", "m_step", m_step(ridge="- reg * torch.eye(d).double()"), "You subtracted `reg`"),
    ("gaussian_mixtures", "m_step", m_step(other="half"), "in the covariance twice (squared)"),
    ("gaussian_mixtures", "m_step", m_step(other="half", below="r.square().sum(0)[:, None, None]"),
     "And n_k below is the sum of r itself"),
    ("gaussian_mixtures", "m_step", m_step(other="half", ridge="+ reg"),
     "put them on one of the two factors. You added `reg` to all entries"),
    ("gaussian_mixtures", "m_step", m_step().replace("    n, d", "    r = r**2\n    n, d"),
     "Your weights come from the squares of r"),
    ("gaussian_mixtures", "m_step", m_step().replace("means = r.T", "means = r.T**2"),
     "In your means the responsibilities are squared: each"),
    ("gaussian_mixtures", "m_step", m_step().replace("r.T @ X / n[:, None]", "r.T**2 @ X / (r**2).sum(0)[:, None]"),
     "are squared, above and below"),
    ("gaussian_mixtures", "m_step", m_step(below="3"),
     "the covariance of component 0 is [[2.49, 1.92], [1.92, 2.81]]; yours is [["),
    ("dec", "divergence", KL.format(f"{TERMS}.sum(0).mean()"), "You exchanged the two dimensions"),
    ("dec", "divergence", KL.format(f"{TERMS}.sum(1).mean() / np.log(2)"), "has base 2"),
    ("dec", "divergence", KL.format(f"{TERMS}.sum(1).mean() / np.log(10)"), "has base 10"),
    ("dec", "divergence", KL.format(f"{TERMS}.sum(1).mean() + 1"),
     "For p = [[1.0, 0.0]] and q = [[0.5, 0.5]] the divergence is 1 · ln(1/0.5) + 0 = ln 2 = 0.6931; yours is 1.6931"),
    ("dec", "divergence", KL.format("(p * (p / q).log()).sum(1).mean() * 2"),
     "[[0.5, 0.5], [0.8, 0.2]] and q = [[0.5, 0.5], [0.5, 0.5]] the divergence is (0 + 0.8 · ln 1.6 + 0.2 · ln 0.4)/2"),
    ("dec", "divergence", KL.format(f"{TERMS}.sum(1).sum() / min(len(p), 10)"), "For 30 rows of p and q, drawn at"),
    ("judging", "v_measure", V.format(h=RULE_H, c="i / h_c", v=RULE_V),
     "For the table [[3], [4]] the completeness is NaN: with a single cluster H(c) is 0"),
    ("judging", "v_measure", V.format(h="i / h_y", c=RULE_C, v=RULE_V),
     "For the table [[3, 4]] the homogeneity is NaN: with a single class H(y) is 0"),
    ("judging", "v_measure", V.format(h=RULE_H, c="i / h_c if h_c > 0 else 0.0", v="2 * h * c / (h + c)"),
     "For the table [[3], [4]] V is NaN: where hom and com are both 0"),
    ("judging", "v_measure", V.format(h=RULE_H, c=RULE_C, v="None"), "You return None for `V`: where"),
    ("capstone", "choose_k", CHOOSE.format(high=HIGH.replace("strengths.shape[1])", "len(ks))"), end=LARGEST),
     "over the root of the number of *splits*"),
    ("capstone", "choose_k", CHOOSE.format(high="strengths.mean(axis=0)", end=LARGEST), "The splits lie along axis 1"),
    ("capstone", "choose_k", CHOOSE.format(high=HIGH, end="int(np.argmax(high >= threshold))"),
     "you returned a position"),
    ("capstone", "choose_k", CHOOSE.format(high=HIGH, end="17"), "that is none of the ks"),
    ("capstone", "cluster", "def cluster(x, new, seed):\n    return None, None",
     "You return None for the first of two things, the labels of x"),
    ("capstone", "cluster", HALVED, "parts of one group can come again by chance"),
]  # fmt: skip


AUTOGRAD = {
    "train": """
def train(x, noise, sigma, encoder, decoder, centers, share, rate, batch_size):
    parts = [part.clone().requires_grad_() for layer in encoder + decoder for part in layer]
    layers = list(zip(parts[::2], parts[1::2]))
    encoder, decoder, history = layers[: len(encoder)], layers[len(encoder) :], []
    def through(rows):
        for i, (W, b) in enumerate(encoder):
            rows = (rows.relu() if i else rows) @ W.detach().T + b.detach()
        return rows
    for epsilon in noise:
        centers, labels = refresh(through(x), centers)
        for rows in torch.arange(len(x)).split(batch_size):
            loss = dcra_loss(x[rows], epsilon[rows], sigma, encoder, decoder, centers[labels[rows]], share)[0]
            history.append(loss.item())
            changes = torch.autograd.grad(loss, parts)
            with torch.no_grad():
                for part, change in zip(parts, changes):
                    part -= rate * change
    return encoder, decoder, *refresh(through(x), centers), history
""",
    "play": """
def play(z, clusters, weights, noise, spread, rate_judge, rate_codes):
    history = []
    def logits(points, weights):
        return (torch.cat([torch.ones_like(points[:, :1]), points, points**2], 1) * weights[clusters]).sum(1)
    for epsilon in noise:
        groups = [z[clusters == k] for k in range(len(weights))]
        means, widths = torch.stack([g.mean(0) for g in groups]), torch.stack([g.std(0, correction=0) for g in groups])
        leaf = weights.clone().requires_grad_()
        loss = discriminator_loss(
            logits(draw(means, widths, clusters, epsilon, spread), leaf), logits(z, leaf), 1.0
        )
        history.append(loss.item())
        weights = weights - rate_judge * torch.autograd.grad(loss, leaf)[0]
        codes = z.clone().requires_grad_()
        climb = torch.nn.functional.logsigmoid(logits(codes, weights)).sum()
        z = z + rate_codes * torch.autograd.grad(climb, codes)[0]
    return z, weights, history
""",
}


def module(unit):
    spec = importlib.util.spec_from_file_location(f"{unit}_checks", SOLUTIONS / unit / f"{unit}_checks.py")
    found = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(spec.name, found)
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize(("unit", "task", "code", "says"), ANSWERS)
def test_the_check_names_the_mistake(unit, task, code, says, capsys, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    check = module(unit)
    names = {"torch": torch, "np": np, "F": torch.nn.functional, "check": check}  # log_joint is lent
    exec(code, names)
    getattr(check, task)(names[task])
    printed = capsys.readouterr().out
    assert "not right yet" in printed and says in printed, printed


def off(answer, part):
    """The answer with one part of it shifted, to where no mistake that has a name leads."""
    if isinstance(answer, tuple):
        return (*answer[:part], off(answer[part], part), *answer[part + 1 :])
    return [value + 0.37 for value in answer] if isinstance(answer, list) else answer + 0.37


# What is compared with hints: a task's answer, or the parts of it.
COMPARED = {
    "gaussian_mixtures": {"log_joint": [0], "e_step": [0, 1], "m_step": [0, 1, 2], "bound": [0], "tied_em": [2],
                          "bic": [0], "mended_em": [3]},
    "dec": {"soft_assignment": [0], "target": [0], "divergence": [0], "pull": [0, 1], "refine": [0, 2]},
    "dcra": {"dcra_loss": [0, 1, 2], "slopes": [0, 1], "convert": [0, 1], "decibels": [0, 1, 2], "mean_loss": [0]},
    "capstone": {"prediction_strength": [0]},
    "dcan": {"draw": [0], "encoder_loss": [0, 1], "divergences": [0, 1, 3], "told_and_not": [0, 1]},
    "autoencoders": {"psnr": [0], "dense": [0, 1], "training_step": [2], "conv": [0, 1], "masked_loss": [0]},
    "autoencoded_kmeans": {"kmeans_loss": [0], "alarm": [0], "share_loss": [0]},
    "gradient_kmeans": {"hard_gradient": [0, 1], "forgetting_step": [0, 1], "soft_assignment": [0],
                        "free_energy": [0, 1], "anneal": [0]},
    "kmeans": {"squared_distances": [0], "assign": [1]},
}  # fmt: skip
CASES = [(unit, task, part) for unit, tasks in COMPARED.items() for task, parts in tasks.items() for part in parts]


@pytest.mark.parametrize(("unit", "task", "part"), CASES)
def test_two_mistakes_that_are_named_differ(unit, task, part, monkeypatch):
    """Else the first of the two hints is given for both."""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    check = module(unit)
    alike, n_hints = [], 0

    def compare(value, hints, same=exercises.close):
        nonlocal n_hints
        hints = list(hints)
        n_hints += len(hints)
        alike.extend((one, two) for (a, one), (b, two) in combinations(hints, 2) if one != two and same(a, b))

    simple = {
        "dec": ("_q", "_p", "_kl", "_pull", "_refine"),
        "capstone": ("_strength",),
        "dcra": ("_loss", "_slopes", "_convert", "_decibels", "_mean_loss"),
        "dcan": ("_drawn", "_fooling", "_measures", "_both"),
        "gradient_kmeans": ("_hard", "_forget", "_soft", "_energy", "_anneal"),
        "kmeans": ("_distances", "_lent_assign"),
    }
    if unit in simple:
        versions = dict(zip(COMPARED[unit], (getattr(check, name) for name in simple[unit])))
    elif unit != "gaussian_mixtures":
        versions = {**check.LENT, "training_step": getattr(check, "_step_of_torch", None)}
    else:
        em = check.LENT["em"]
        versions = {
            **check.LENT,
            "bound": lambda *_: 0.0,
            "mended_em": lambda *mixture, n_iter: em(*mixture, tol=-1.0, max_iter=n_iter - 1),
        }

    def answer(*arguments, **options):
        return off(versions[task](*arguments, **options), part)

    answer.__name__ = task

    def compare_number(value, right, hints, otherwise):
        compare(value, hints, exercises.same_number)

    for name, function in (("name_mistake", compare), ("compare_number", compare_number)):
        if hasattr(check, name):
            monkeypatch.setattr(check, name, function)
    with exercises.judging("1"):
        getattr(check, task)(answer)
    assert n_hints > 1 and not alike


def test_two_mistakes_in_the_loss_of_the_discriminator_differ():
    """With one of the two targets at least."""
    check, g = module("dcan"), torch.Generator().manual_seed(1)
    s, t = 1 + 1.5 * torch.randn(12, generator=g), 1.5 * torch.randn(20, generator=g) - 0.5
    hints = [
        ((one, other), text)
        for (one, text), (other, _) in zip(check._named_losses(s, t, 1.0), check._named_losses(s, t, 0.8))
    ]
    assert not [(x, y) for (a, x), (b, y) in combinations(hints, 2) if all(map(exercises.same_number, a, b))]


def paths(unit, task):
    """What a training of this unit comes to with each of the mistakes in it that are named, as one vector a mistake."""
    check = module(unit)
    g = torch.Generator().manual_seed(1)
    if task == "train":
        given, right = check._training_data(g)
        ends = {how: check._parts(check._train(*given, how=how)) for how in check._HOW}
    elif unit == "dcra":
        x, noise, goal = (torch.randn(*shape, generator=g) for shape in ((15, 8), (6, 15, 8), (15, 3)))
        A, B = torch.randn(3, 8, generator=g) / 3, torch.randn(8, 3, generator=g) / 3
        ends = {how: check._linear_path(x, noise, 0.7, A, B, goal, 0.6, 0.02, how)[:2] for how in ("", *check._MENDED)}
    else:
        c, z, noise = torch.arange(15) % 3, torch.randn(15, 2, generator=g), torch.randn(4, 15, 2, generator=g)
        means, widths = 1.5 * torch.randn(3, 2, generator=g), 0.3 + torch.rand(3, 2, generator=g)
        weights = 0.4 * torch.randn(3, 5, generator=g)
        if task == "play":
            ends = {how: check._game(z, c, weights, noise, 0.6, 0.8, 0.3, how)[:2] for how in ("", *check._PLAYED)}
        else:
            given = z, c, means, widths, noise, 0.6, 0.1
            ends = {how: check._training(*given, how=how)[:2] for how in ("", *check._MENDED)}
    return {how: torch.cat([part.flatten() for part in parts]) for how, parts in ends.items()}


@pytest.mark.parametrize(
    ("unit", "task"),
    [("dcra", "train"), ("dcra", "mended_training"), ("dcan", "play"), ("dcan", "mended_training")],
)
def test_two_mistakes_in_a_training_differ(unit, task):
    ends = paths(unit, task)
    assert len(ends) > 9
    assert not [(a, b) for a, b in combinations(ends, 2) if exercises.close(ends[a], ends[b])]


def test_a_loss_that_is_lent_has_no_graph_behind_it(capsys, monkeypatch):
    """As when work is graded: who needs its gradient learns it in the notebook."""
    from functools import partial

    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    for unit, task, source in (("dcra", "train", "dcra_loss"), ("dcan", "play", "discriminator_loss")):
        check = module(unit)
        names = {"torch": torch}
        exec(f"def {source}(*given):\n    raise NotImplementedError()\n{AUTOGRAD[task]}", names)
        check.TASKS._passed.clear()
        getattr(check, task)(names[task])
        assert "What is lent to you" in capsys.readouterr().out
        check.TASKS._passed[source] = partial  # its own version has passed, and is not replaced
        names[source] = check._loss if unit == "dcra" else check._judging
        getattr(check, task)(names[task])
        assert f"{task}: passed." in capsys.readouterr().out


def test_a_cell_that_borrows_says_whose(capsys, monkeypatch):
    """dclib has no `cluster` that could be lent."""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    module("capstone").working("cluster")
    assert capsys.readouterr().out.startswith("This cell works with a simple version of cluster: ")
