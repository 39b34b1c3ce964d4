"""Checks of the assignment *Gaussian mixtures*: each says at once whether a task is solved and what looks wrong.

When your work is graded, the same checks run in the teacher's process, and more questions of their kind.
"""

import math

import numpy as np
import torch

from dclib.classroom.exercises import (
    Mistake,
    Tasks,
    close,
    kind,
    name_mistake,
    parts_of,
    rounded,
    same_number,
    single_number,
    tensor_of_shape,
)

TASKS = Tasks("log_joint", "e_step", "m_step", "bound", "em", "tied_em", "bic", "mended_em")

# You are to write EM yourself: while your work is graded these cannot be imported.
FORBIDDEN = ("dclib.gmm", "sklearn.mixture")


def _tensor(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def _farthest(found, expected):
    """The place, one number for each dimension, where the two are farthest apart; NaN is farther than all."""
    apart = (found.double() - expected.double()).abs().nan_to_num(nan=math.inf, posinf=math.inf)
    return [int(place) for place in np.unravel_index(int(apart.argmax()), apart.shape)]


# --- dclib's versions, for tasks that have not passed ---


def _mixture(weights, means, covariances):
    from dclib.gmm import Mixture

    return Mixture(weights, means, torch.linalg.cholesky(covariances))


def _log_joint_of_dclib(X, weights, means, covariances):
    from dclib.gmm import log_joint

    return log_joint(X, _mixture(weights, means, covariances))


def _model(weights, means, covariances, shape="full"):
    from dclib.gmm import GaussianMixture

    model = GaussianMixture(len(weights), covariance_type=shape)
    model.weights_, model.means_ = weights.numpy(), means.numpy()
    model.cholesky_ = torch.linalg.cholesky(covariances).numpy()
    model.n_features_in_, model.image_shape_ = means.shape[1], None
    return model


def _e_step_of_dclib(X, weights, means, covariances):
    model = _model(weights, means, covariances)
    return torch.from_numpy(model.predict_proba(X.numpy())), torch.from_numpy(model.score_samples(X.numpy()))


def _m_step_of_dclib(X, r, reg=1e-6):
    from dclib.gmm import em_step

    k, d = r.shape[1], X.shape[1]
    start = _mixture(torch.full((k,), 1 / k).double(), X.mean(0).expand(k, d), torch.eye(d).double().expand(k, d, d))
    found = em_step(X, start, "full", reg, r)[0]
    return found.weights, found.means, found.factors @ found.factors.mT


def _em_of_dclib(X, weights, means, covariances, tol=1e-6, max_iter=200):
    return _run(X, _mixture(weights, means, covariances), "full", tol, max_iter)


def _tied_em_of_dclib(X, weights, means, covariance, tol=1e-6, max_iter=200):
    start = _mixture(weights, means, covariance.expand(len(weights), -1, -1))
    weights, means, covariances, history = _run(X, start, "tied", tol, max_iter)
    return weights, means, covariances[0], history


def _run(X, start, shape, tol, max_iter):
    from dclib.gmm import expectation_maximization

    found, history, _ = expectation_maximization(X, start, shape, tol=tol, max_iter=max_iter)
    return found.weights, found.means, found.factors @ found.factors.mT, history


def _bic_of_dclib(log_likelihood, n, k, d, shape):
    covariances = torch.eye(d).double() if shape == "tied" else torch.eye(d).double().expand(k, d, d)
    model = _model(torch.full((k,), 1 / k).double(), torch.zeros(k, d).double(), covariances, shape)
    model.score = lambda X: log_likelihood
    return model.bic(range(n))


LENT = {
    "log_joint": _log_joint_of_dclib,
    "e_step": _e_step_of_dclib,
    "m_step": _m_step_of_dclib,
    "em": _em_of_dclib,
    "tied_em": _tied_em_of_dclib,
    "bic": _bic_of_dclib,
}


def _lend(*names):
    return {name: LENT[name] for name in names}


def working(*names):
    """EM for the cells that show it at work: the notebook's functions of these names, or dclib's until these pass."""
    return TASKS.working(_lend(*(names or LENT)))


# --- task 1 ---


def log_joint(function):
    """Check task 1."""
    TASKS.check(function, _log_joint)


def _log_joint(function):
    X = _tensor([2.0, 0.0], [0.0, 1.0], [1.0, 1.0])
    weights, means = _tensor(0.25, 0.75), _tensor([0.0, 0.0], [2.0, 1.0])
    covariances = _tensor([[1.0, 0.5], [0.5, 1.0]], [[4.0, 0.0], [0.0, 9.0]])
    # The squared distances (x - μ)ᵀ Σ⁻¹ (x - μ), the determinants, and the same distances with Σ and with A for Σ⁻¹
    squares = _tensor([16 / 3, 1 / 9], [4 / 3, 1.0], [4 / 3, 1 / 4])
    determinants = _tensor(0.75, 36.0)
    pi, half = math.log(2 * math.pi), determinants.log() / 2
    expected = weights.log() - squares / 2 - half - pi
    J = function(X, weights, means, covariances)
    if isinstance(J, torch.Tensor):
        if J.shape == (2, 3):
            raise Mistake(
                "Row i must be a sample, column k a component: yours is transposed, (k, n) instead of (n, k)."
            )
        if J.ndim == 3:
            raise Mistake(
                f"Yours has shape {tuple(J.shape)}. The quadratic form is one number for each sample and component: "
                "something is left to sum over."
            )
    J = tensor_of_shape(J, (3, 2), "the table of log densities (here n = 3, k = 2)").double()
    apart = X[:, None] - means
    other = {
        "Your numbers are densities, not their logarithms: take the logarithm on paper, and compute its terms.": (
            expected.exp()
        ),
        "The log weight log π_k is missing: this is the density of each component, not the joint one.": (
            expected - weights.log()
        ),
        "You added the weight itself: in the logarithm of a product stands log π_k.": expected
        - weights.log()
        + weights,
        "The ½ before the quadratic form is missing.": expected - squares / 2,
        "The quadratic form has the wrong sign: a sample far from the mean is less likely.": expected + squares,
        "The ½ before log |Σ| is missing (or you halved nothing: with Σ = A Aᵀ, log |A| is ½ log |Σ| already).": (
            expected - half
        ),
        "You halved log |A|: with Σ = A Aᵀ the determinant of Σ is |A| squared, so log |A| is ½ log |Σ| already.": (
            expected + half / 2
        ),
        "The term with the determinant of Σ is missing: without it wide components look as dense as narrow ones.": (
            expected + half
        ),
        "log |Σ| has the wrong sign: a wide component is less dense.": expected + 2 * half,
        "The term with 2π is missing.": expected + pi,
        "The term with 2π does not know the number of features: it is d/2 · log 2π, here with d = 2.": expected
        + pi / 2,
        "The quadratic form has Σ where Σ⁻¹ belongs: a large variance must make a distance small.": (
            expected + squares / 2 - torch.einsum("nki,kij,nkj->nk", apart, covariances, apart) / 2
        ),
        "You took Euclidean distances: the covariance is missing in the quadratic form.": (
            expected + squares / 2 - apart.square().sum(2) / 2
        ),
        "The distance is not squared: the quadratic form is ‖A⁻¹(x − μ)‖².": expected
        + squares / 2
        - squares.sqrt() / 2,
        "You use only the diagonal of Σ: features that go together are lost.": (
            expected + squares / 2 - (apart.square() / covariances.diagonal(dim1=1, dim2=2)).sum(2) / 2
        ),
    }
    if not close(J, expected):
        name_mistake(J, ((values, hint) for hint, values in other.items()))
        i, k = _farthest(J, expected)
        raise Mistake(
            f"For the sample {X[i].tolist()}, the weight {weights[k]:g}, the mean {means[k].tolist()} and the "
            f"covariance {covariances[k].tolist()} the quadratic form is {squares[i, k]:.4f}, the determinant "
            f"{determinants[k]:g}, and equation (2) gives {expected[i, k]:.4f}; yours is {J[i, k]:.4f}."
        )

    d = 500
    X, means = torch.ones(1, d).double(), torch.zeros(2, d).double()
    covariances = torch.stack([0.01 * torch.eye(d), 100 * torch.eye(d)]).double()
    J = tensor_of_shape(function(X, _tensor(0.5, 0.5), means, covariances), (1, 2), "the table (here n = 1, k = 2)")
    value = [math.log(0.5) - d / 2 * (1 / v + math.log(v) + math.log(2 * math.pi)) for v in (0.01, 100)]
    if not close(J[0], _tensor(*value)):
        constant = math.log(2 * math.pi) * (d / 2 - 1)
        if torch.allclose(J[0].double(), _tensor(*value) + constant, rtol=1e-6):
            raise Mistake(f"Your term with 2π is right for d = 2 only: it is d/2 · log 2π, here with d = {d}.")
        text = (
            f"In {d} dimensions, with covariances of 0.01 and of 100 times the identity, the log densities are "
            f"{value[0]:.1f} and {value[1]:.1f}; yours are {', '.join(f'{v:.1f}' for v in J[0].tolist())}."
        )
        if not J.isfinite().all():
            text += (
                f" A density of e^{value[0]:.0f} is 0 for the computer, and so is a determinant of 0.01^{d}: compute "
                "neither, only their logarithms."
            )
        raise Mistake(text)
    X, one = _tensor([2.0]), torch.ones(2, 1, 1).double()
    J = tensor_of_shape(
        function(X, _tensor(0.0, 1.0), _tensor([0.0], [2.0]), one), (1, 2), "the table (here n = 1, k = 2)"
    )
    if J[0, 0] != -math.inf or not close(J[:, 1], _tensor(-math.log(2 * math.pi) / 2)):
        raise Mistake(
            f"With the weights 0 and 1 the first column must be −∞ and the second not; yours: {J[0].tolist()}."
        )


# --- task 2 ---


def e_step(function):
    """Check task 2."""
    TASKS.check(function, _e_step, lend=_lend("log_joint"))


def _e_step(function):
    # On a line, all variances 1. Three components on one feature: an answer that takes two, or k = d, is found.
    means, covariances = _tensor([1.0], [-1.0], [0.0]), torch.ones(3, 1, 1).double()

    def run(samples, weights):
        answer = function(_tensor(*samples)[:, None], _tensor(*weights), means, covariances)
        r, log_p = parts_of(answer, 2, "two things, `r, log_p`")
        if isinstance(r, torch.Tensor) and r.ndim == 1 and isinstance(log_p, torch.Tensor) and log_p.ndim == 2:
            raise Mistake("Return the responsibilities first and log p second; yours look exchanged.")
        r = tensor_of_shape(r, (len(samples), 3), "the responsibilities (here k = 3)").double()
        if isinstance(log_p, float) or isinstance(log_p, torch.Tensor | np.ndarray | np.generic) and log_p.ndim == 0:
            raise Mistake(
                "log p is one number for each *sample*, of shape (n,): yours is a single one, a sum or a mean."
            )
        if isinstance(log_p, torch.Tensor) and log_p.shape == (len(samples), 1):
            raise Mistake("Your log p has shape (n, 1); it must have shape (n,).")
        return r, tensor_of_shape(log_p, (len(samples),), "log p").double()

    X, pi = [0.0, 0.5, -1.0], [0.3, 0.5, 0.2]
    joint = _log_joint_of_dclib(_tensor(*X)[:, None], _tensor(*pi), means, covariances).double()
    density = joint.exp()
    expected, log_p_expected = density / density.sum(1, keepdim=True), density.sum(1).log()
    r, log_p = run(X, pi)
    hints = {
        "These are the joint densities: divide each row by its sum.": density,
        "You divided by the sum over the *samples*: each row, a sample, must sum to 1.": density / density.sum(0),
        "You subtracted the largest entry of each row and did not add it again: log Σ exp(a) = m + log Σ exp(a − m). "
        "Without m neither log p nor r = exp(joint − log p) is right.": expected * density.amax(1, keepdim=True),
        "You subtracted the largest entry of each row above the line only: divide exp(a − m) by the sum of the same "
        "exp(a − m).": expected / density.amax(1, keepdim=True),
        "These are logarithms of responsibilities: take `exp` at the end.": expected.log(),
        "The weights count twice: log_joint has log π_k in it already.": _rows(density * _tensor(*pi)),
        "The weights are missing: a rare component must get less.": _rows(density / _tensor(*pi)),
        "You made the decision hard: a responsibility is a share, not 0 or 1.": (
            torch.nn.functional.one_hot(density.argmax(1), 3).double()
        ),
        "You took `softmax` of densities: it wants their logarithms.": density.softmax(1),
    }
    if not close(r, expected):
        name_mistake(r, ((values, hint) for hint, values in hints.items()))
        i, _ = _farthest(r, expected)
        raise Mistake(
            f"For the sample {X[i]:g} the joint densities are {_listed(density[i])}, so the responsibilities are "
            f"{_listed(expected[i])}; yours are {_listed(r[i])}."
        )
    hints = {
        "Your second result is p(x): return its logarithm.": density.sum(1),
        "Your log p is the sum of the logarithms: the densities are summed first, then comes the logarithm.": joint.sum(
            1
        ),
        "Your log p is the largest of the terms only: the others belong to the sum as well.": joint.max(1).values,
        "In log p you subtracted the largest entry of each row and did not add it again: log Σ exp(a) = m + log Σ "
        "exp(a − m).": log_p_expected - joint.max(1).values,
        "Your log p has the wrong sign.": -log_p_expected,
        "You took the mean over the components: p(x) is the *sum*, the weights are in it already.": (
            log_p_expected - math.log(3)
        ),
    }
    if not close(log_p, log_p_expected):
        name_mistake(log_p, ((values, hint) for hint, values in hints.items()))
        (i,) = _farthest(log_p, log_p_expected)
        raise Mistake(
            f"For the sample {X[i]:g} the joint densities are {_listed(density[i])}, so log p = "
            f"{log_p_expected[i]:.4f}; yours is {log_p[i]:.4f}."
        )
    r, log_p = run([100.0, -80.0], pi)
    far = _tensor(math.log(pi[0]) - 99**2 / 2, math.log(pi[1]) - 79**2 / 2) - math.log(2 * math.pi) / 2
    if not close(r, torch.eye(3).double()[:2]) or not close(log_p, far):
        raise Mistake(
            f"For the samples 100 and −80, far from all means, the responsibilities are (1, 0, 0) and (0, 1, 0), and "
            f"log p is {far[0]:.1f} and {far[1]:.1f}; yours are {_listed(r[0])} and {_listed(r[1])}, and "
            f"{_listed(log_p)}. The densities there are 0 for the computer: 0/0 is NaN, log 0 is −∞. Subtract the "
            "largest "
            "entry of a row before `exp`."
        )
    r, log_p = run([2.0], [0.0, 1.0, 0.0])
    if not close(r, _tensor([0.0, 1.0, 0.0])):
        raise Mistake(f"With the weights 0, 1 and 0 the responsibilities are (0, 1, 0); yours are {_listed(r[0])}.")


def _rows(values):
    return values / values.sum(1, keepdim=True)


def _listed(values):
    return "(" + ", ".join(f"{v:.4g}" for v in values.tolist()) + ")"


# --- task 3 ---


def m_step(function):
    """Check task 3."""
    TASKS.check(function, _m_step)


def _m_step(function):
    # Three components of two features, so that an answer that takes one number for the other is found.
    X = _tensor([0.0, 0.0], [2.0, 0.0], [4.0, 4.0], [8.0, 4.0], [8.0, 0.0], [0.0, 8.0])
    r = _tensor([1.0, 0, 0], [1.0, 0, 0], [0.5, 0.5, 0], [0, 1.0, 0], [0, 0.5, 0.5], [0, 0, 1.0])
    n = r.sum(0)
    weights, means = _tensor(2.5, 2.0, 1.5) / 6, _tensor([1.6, 0.8], [7.0, 3.0], [8 / 3, 16 / 3])
    scatter = torch.stack([sum(p * torch.outer(x - m, x - m) for p, x in zip(r[:, k], X)) for k, m in enumerate(means)])
    reg = 0.25

    answer = parts_of(function(X, r, reg=reg), 3, "three things, `weights, means, covariances`")
    w = tensor_of_shape(answer[0], (3,), "the weights (here k = 3)").double()
    m = tensor_of_shape(answer[1], (3, 2), "the means (here k = 3, d = 2)").double()
    C = tensor_of_shape(answer[2], (3, 2, 2), "the covariances (here k = 3, d = 2)").double()
    ridge = reg * torch.eye(2).double()
    hard = torch.nn.functional.one_hot(r.argmax(1), 3).double()
    _same(
        w,
        weights,
        {
            "Your weights are counts: divide by the number of samples, so that they sum to 1.": n,
            "Your weights are all equal: n_k is the sum of column k of r.": torch.full((3,), 1 / 3).double(),
            "Your weights come from the squares of r: n_k is the sum of r itself.": r.square().mean(0),
            "You counted each sample for its largest responsibility only: it counts for each component by its share.": (
                hard.mean(0)
            ),
        },
        "weight",
        "weights",
    )
    _same(
        m,
        means,
        {
            "Your means are sums: divide row k by n_k.": means * n[:, None],
            "You divided by the number of all samples: the mean of component k is divided by n_k.": means
            * n[:, None]
            / 6,
            "You counted each sample for its largest responsibility only: it counts for each component by its share.": (
                hard.T @ X / hard.sum(0)[:, None]
            ),
            "These are means of all samples: r is missing, by which a sample counts for a component.": (
                X.mean(0).expand(3, 2)
            ),
            "In your means the responsibilities are squared: each sample counts by its share itself.": (
                r.square().T @ X / n[:, None]
            ),
            "In your means the responsibilities are squared, above and below: a sample counts by its share itself.": (
                r.square().T @ X / r.square().sum(0)[:, None]
            ),
        },
        "mean",
        "means",
    )
    # A mistake in the scatter and one in the ridge may come together: then both are named.
    around, around_all, share = X - means[:, None], X - X.mean(0), r.T[:, :, None]
    right, each = scatter / n[:, None, None], n[:, None, None]
    squared = (share * around).mT @ (share * around)
    squared_hint = "The responsibilities are in the covariance twice (squared): put them on one of the two factors."
    scatters = {
        "": right,
        "Your covariances are sums: divide by n_k.": scatter,
        "You divided by the number of all samples: the covariance of component k is divided by n_k.": scatter / 6,
        "You divided by n_k − 1: maximum likelihood divides by n_k.": scatter / (each - 1),
        "These are means of xxᵀ: subtract the mean from each sample first.": (share * X).mT @ X / each,
        "You measured from the mean of all samples: each component has its own, the one you have just computed.": (
            (share * around_all).mT @ around_all / each
        ),
        "The responsibilities are missing in the covariance: each sample counts by its share.": (
            around.mT @ around / each
        ),
        squared_hint: squared / each,
        f"{squared_hint} And n_k below is the sum of r itself.": squared / share.square().sum(1, keepdim=True),
        "Only the diagonal is right: a full covariance also says which features go together.": (
            right.diagonal(dim1=1, dim2=2).diag_embed()
        ),
    }
    ridges = {
        "": ridge,
        "ε is missing on the diagonal: add `reg` times the identity.": 0 * ridge,
        "You added `reg` to all entries: it belongs on the diagonal only.": reg + 0 * ridge,
        "You subtracted `reg` on the diagonal: add it.": -ridge,
    }
    hints = {f"{a} {b}".strip(): S + R for b, R in ridges.items() for a, S in scatters.items() if a or b}
    _same(C, right + ridge, hints, "covariance", "covariances")


def _same(value, expected, hints, one, many):
    if close(value, expected):
        return
    if value.isnan().any():
        raise Mistake(f"There is NaN in the {many}: what do you divide by?")
    name_mistake(value, ((wrong, hint) for hint, wrong in hints.items()))
    k = next(k for k in range(len(expected)) if not close(value[k], expected[k]))
    right, yours = (str((10000 * part[k]).round().div(10000).tolist()) for part in (expected, value))
    raise Mistake(
        "For the samples (0, 0), (2, 0), (4, 4), (8, 4), (8, 0), (0, 8) with the responsibilities (1, 0, 0), "
        f"(1, 0, 0), (½, ½, 0), (0, 1, 0), (0, ½, ½), (0, 0, 1) and reg = 0.25 the {one} of component {k} is {right}; "
        f"yours is {yours}."
    )


# --- task 4 ---


def bound(function):
    """Check task 4."""
    TASKS.check(function, _bound, lend=_lend("log_joint"))


def _bound(function):
    X = _tensor([0.0], [1.0], [3.0])
    mixture = _tensor(0.4, 0.6), _tensor([0.0], [2.0]), torch.ones(2, 1, 1).double()
    joint = _log_joint_of_dclib(X, *mixture).double()
    r = _tensor([0.9, 0.1], [0.5, 0.5], [0.2, 0.8])
    energy, entropy = float((r * joint).sum()), -float((r * r.log()).sum())
    expected = (energy + entropy) / 3
    B = single_number(function(X, r, *mixture), "the bound")
    hints = [
        (expected * 3, "Your bound is a sum over the samples: (5) is a mean, divided by n."),
        (expected / 2, "You took the mean over all entries of the table: sum over k, then the mean over i."),
        (energy / 3, "The entropy is missing: the − log r of (5)."),
        ((energy - entropy) / 3, "The entropy has the wrong sign: minus log r, so that the bound becomes larger."),
        (entropy / 3, "The joint density is missing: only the entropy is left."),
        (
            float(joint.logsumexp(1).mean()),
            "This is the log-likelihood itself, which does not depend on r. The bound does: it takes the mean of "
            "logarithms, not the logarithm of a mean.",
        ),
        (-expected, "Your bound has the wrong sign."),
    ]
    if not math.isclose(B, expected, rel_tol=1e-4):
        name_mistake(B, hints, same_number)
        raise Mistake(
            f"Here Σ r log(joint) = {energy:.4f} and −Σ r log r = {entropy:.4f}, so the bound of the three samples is "
            f"{expected:.4f}; yours is {B:.4f}."
        )
    r = _tensor([1.0, 0.0], [0.5, 0.5], [0.0, 1.0])
    expected = float(joint[0, 0] + joint[1].mean() + math.log(2) + joint[2, 1]) / 3
    B = single_number(function(X, r, *mixture), "the bound")
    if math.isnan(B):
        raise Mistake("A responsibility of 0 makes your bound NaN: 0 · log 0 is 0 here. Leave these entries out.")
    if not math.isclose(B, expected, rel_tol=1e-4):
        raise Mistake(
            f"With the responsibilities (1, 0), (½, ½), (0, 1) the bound is {expected:.4f}; yours is {B:.4f}. A "
            "responsibility of 0 contributes exactly 0."
        )
    none = _tensor(1.0, 0.0), *mixture[1:]
    B = single_number(function(X, _tensor(*[[1.0, 0.0]] * 3), *none), "the bound")
    if not math.isfinite(B):
        raise Mistake(
            "With the weights 1 and 0, and no sample for the second component, the bound is finite; yours is "
            f"{B}. There the log density is −∞ and r is 0: 0 · ∞ is NaN too."
        )


# --- tasks 5 and 6 ---


def em(function):
    """Check task 5."""
    TASKS.check(function, _em, lend=_lend("log_joint", "e_step", "m_step"))


def _em(function):
    _examine_loop(function, _em_of_dclib, torch.eye(2).double().repeat(3, 1, 1))


def tied_em(function):
    """Check task 6."""
    TASKS.check(function, _tied_em, lend=_lend("log_joint", "e_step", "m_step"))


def _tied_em(function):
    start = torch.eye(2).double()
    groups = (
        _tensor([0.0, 0.0], [1.0, 0.0]),
        _tensor([10.0, 0.0], [10.0, 1.0], [10.0, 2.0], [10.0, 3.0]),
        _tensor([0.0, 30.0], [3.0, 30.0], [0.0, 33.0], [3.0, 33.0]),
    )
    X, centers = torch.cat(groups), torch.stack([group[0] for group in groups])
    _, _, C, _ = _four_results(function(X, torch.full((3,), 1 / 3).double(), centers, start, max_iter=1), 3, 2, (2, 2))
    own = torch.stack([torch.cov(group.T, correction=0) for group in groups])
    weighted, ridge = _tensor([0.95, 0.0], [0.0, 1.4]), 1e-6 * torch.eye(2).double()
    hints = {
        "Your covariance is the plain mean of the components': one that has more samples counts more.": own.mean(0),
        "Your covariance is the sum of the components': divide, since all responsibilities together sum to n.": own.sum(
            0
        ),
        "You measured from the mean of all samples: in (6) each sample is measured from its component's mean.": (
            torch.cov(X.T, correction=0)
        ),
        "Your covariance is a sum: divide by n, the sum of all responsibilities.": 10 * weighted,
        "You divided by n · K: all responsibilities together sum to n.": weighted / 3,
        "You took the covariance of one component: all components share the one that fits all of them.": own[0],
        "You took the covariance of the last component: all components share the one that fits all of them.": own[2],
        "You kept only the variance of all features together: the shape is a full d × d matrix.": (
            weighted.trace() / 2 * torch.eye(2).double()
        ),
        "The covariance did not change: maximise (6).": start,
    }
    if not close(C.double(), weighted + ridge):
        name_mistake(C, ((values, hint) for hint, values in hints.items()))
        raise Mistake(
            "The samples (0, 0) and (1, 0) belong to the first mean, (10, 0), (10, 1), (10, 2) and (10, 3) to the "
            "second, (0, 30), (3, 30), (0, 33) and (3, 33) to the third. Around their means the squares are "
            "0.5 + 0 + 9 in the first and 0 + 5 + 9 in the second feature, and there are ten samples, so Σ is "
            f"{weighted.tolist()}; yours is {[[round(v, 4) for v in row] for row in C.tolist()]}."
        )
    _examine_loop(function, _tied_em_of_dclib, start)


def _four_results(answer, k, d, shape):
    matrices = "covariances" if len(shape) == 3 else "covariance"
    parts_of(answer, 4, f"four things, `weights, means, {matrices}, history`")
    tensor_of_shape(answer[0], (k,), f"the weights (here k = {k})")
    tensor_of_shape(answer[1], (k, d), f"the means (here k = {k}, d = {d})")
    if len(shape) == 2 and isinstance(answer[2], torch.Tensor) and answer[2].shape == (k, d, d):
        raise Mistake("You return a covariance for each component: a tied mixture has a single one, of shape (d, d).")
    tensor_of_shape(answer[2], shape, f"the {matrices}")
    if not isinstance(answer[3], list):
        raise Mistake(f"The history is a list of numbers; yours is a {kind(answer[3])}.")
    for value in answer[3]:
        if isinstance(value, torch.Tensor):
            raise Mistake(f"The history must hold plain numbers; yours holds a {kind(value)}: `float(…)` makes one.")
    if not answer[3]:
        raise Mistake("The history is empty: append the mean log-likelihood of each E-step.")
    return *answer[:3], [single_number(value, "an entry of the history") for value in answer[3]]


def _examine_loop(function, reference, first):
    g = torch.Generator().manual_seed(5)
    X = torch.randn(90, 2, generator=g).double() * _tensor(1.0, 0.8)
    X[40:] += _tensor(3.0, 1.0)
    X[70:] += _tensor(-2.0, 3.0)
    start = torch.full((3,), 1 / 3).double(), _tensor([-2.0, 0.0], [0.0, 0.5], [0.0, 6.0]), first

    def run(**options):
        return _four_results(
            function(X.clone(), *(part.clone() for part in start), **options), 3, 2, tuple(first.shape)
        )

    def likelihood(found):
        covariances = found[2].double() if first.ndim == 3 else found[2].double().expand(3, 2, 2)
        return float(_log_joint_of_dclib(X, found[0].double(), found[1].double(), covariances).logsumexp(1).mean())

    found = run(max_iter=1)
    values, given = found[3], likelihood(start)
    if math.isclose(values[0], given * len(X), rel_tol=1e-4):
        raise Mistake("Your history holds sums over the samples: it must be their mean.")
    if math.isclose(values[0], -given, rel_tol=1e-4):
        raise Mistake("Your history holds minus the log-likelihood: keep the log-likelihood, which rises.")
    if len(values) > 2:
        raise Mistake(f"With max_iter=1 your history has {len(values)} entries: does your loop obey max_iter?")
    one = reference(X, *start, max_iter=1)
    if not math.isclose(values[0], given, rel_tol=1e-4):
        if math.isclose(values[0], likelihood(one), rel_tol=1e-3):
            raise Mistake(
                "The first entry of your history belongs to the parameters *after* the M-step: E-step first, then the "
                "history, then the M-step."
            )
        raise Mistake(
            f"The first entry of the history must be the mean log-likelihood of the parameters that you were given, "
            f"here {given:.4f}; yours is {values[0]:.4f}. Do you start from these?"
        )
    for name, mine, before in zip(("weights", "means", "covariances"), found, start):
        if close(mine, before):
            raise Mistake(
                f"After one iteration the {name} are still those that you were given: the M-step moves them all."
            )
    _same_parameters(found, one, 1, "One iteration is one E-step and one M-step.")
    three = run(tol=-1.0, max_iter=3)
    if len(three[3]) > 1:
        question = "Do the newest parameters go into the next E-step, and its responsibilities into the M-step?"
        _same_parameters(three, reference(X, *start, tol=-1.0, max_iter=3), 3, question)
    found = run(tol=1e-4, max_iter=100)
    values = found[3]
    if len(values) == 1:
        raise Mistake("Your loop ended after one iteration: go on while the log-likelihood rises by tol or more.")
    falls = [t for t in range(1, len(values)) if values[t] < values[t - 1] - 1e-6]
    if falls:
        t = falls[0]
        raise Mistake(
            f"Your history falls in iteration {t + 1}, from {values[t - 1]:.4f} to {values[t]:.4f}: EM cannot do that. "
            "Does each step work with the newest parameters and responsibilities?"
        )
    if len(values) >= 100:
        raise Mistake(
            "Your loop ran for all of max_iter = 100 iterations, although the log-likelihood rests long before: "
            "stop when it has risen by less than tol."
        )
    if abs(values[-1] - values[-2]) >= 1e-4 and abs(likelihood(found) - values[-1]) >= 1e-4:
        raise Mistake(
            f"Your loop ended although the log-likelihood had just risen from {values[-2]:.4f} to {values[-1]:.4f}: go "
            "on until it rises by less than tol, here 0.0001."
        )
    if likelihood(found) < values[-1] - 1e-6:
        raise Mistake(
            "What you return is less likely than your history says: return the parameters of the last M-step."
        )
    # One tol that every rise is below, and one between the second rise and the third.
    known = reference(X, *start, tol=-1.0, max_iter=30)[3]
    rises = [b - a for a, b in zip(known, known[1:])]
    for tol, n in ((1e9, 2), ((rises[1] + rises[2]) / 2, 4)):
        found = run(tol=tol, max_iter=30)
        count = len(found[3])
        # The value of what is returned may follow. It does not in a loop that is late by one iteration.
        if count == n or count == n + 1 and abs(found[3][-1] - likelihood(found)) < 1e-4:
            continue
        if count == n + 1:
            raise Mistake(
                f"With tol = {tol:.3g} your loop ends one iteration late: compare the last two entries of the history."
            )
        if tol > 1:
            raise Mistake(
                f"With tol = 1e9 any rise is less than tol, so that {n} iterations must do; your history has {count} "
                "entries. Does your loop compare with the `tol` that it is given?"
            )
        if count == next((t + 2 for t, rise in enumerate(rises) if len(X) * rise < tol), 30):
            raise Mistake("You compare the rise of a *sum* over the samples with tol: it is that of their mean.")
        raise Mistake(
            f"The mean log-likelihood rises by {', '.join(f'{rise:.4f}' for rise in rises[:4])}, … With tol = "
            f"{tol:.4f} the history has {n} entries; yours has {count}. Compare history[-1] − history[-2] with `tol`."
        )


# --- task 7 ---


def bic(function):
    """Check task 7."""
    TASKS.check(function, _bic)


def _bic(function):
    n, k, d, value = 200, 5, 4, -2.0
    free, price, total = {"full": 74, "tied": 34}, math.log(n), -2 * n * value
    expected = {shape: total + P * price for shape, P in free.items()}
    answers = {shape: single_number(function(value, n, k, d, shape), "BIC") for shape in free}
    # Two numbers for each mistake, full and tied: with K full covariances K·d numbers are the means or all diagonals.
    counts = [
        ((75, 35), "You count K weights: they sum to 1, so the last one follows from the others."),
        ((70, 30), "The weights are missing: K − 1 of them are free."),
        ((71, 31), "You count a single weight: K − 1 of them are free."),
        ((54, 14), "The means are missing: K of them, with d numbers each."),
        ((59, 19), "You count one number for each mean: K means have K · d numbers."),
        ((58, 18), "You count a single mean: K means have K · d numbers."),
        ((54, 30), "The diagonal counts, too: a symmetric matrix has d (d + 1)/2 free numbers."),
        ((44, 28), "You count only the diagonals of the covariances."),
        (
            (104, 40),
            "You count d² numbers a covariance: it is symmetric, so half of what is off the diagonal is not free.",
        ),
        ((34, 34), "The full shape has a covariance for each component; you count one."),
        ((74, 74), "Yours gives the same for both shapes: a tied mixture has one covariance, a full one has K."),
        ((74, 25), "For the tied shape you count a single number: it is one d × d covariance."),
    ]
    sums = [
        (-2 * value, price, "You took the mean log-likelihood: (7) has the sum over all samples, n times as much."),
        (total / 2, price, "The 2 before the log-likelihood is missing."),
        (-total, price, "The log-likelihood has the wrong sign: a likely model must have a low BIC."),
        (total, -price, "The price has the wrong sign: each free number makes BIC larger."),
        (-total, -price, "Your BIC is upside down: lower is better in (7)."),
        (total, 2, "The price of a free number is log n, not 2: that is another criterion (AIC)."),
        (total, math.log10(n), "You took the logarithm to base 10: (7) has the natural one."),
        (total, n, "The price of a free number is log n, not n."),
        (total, price / 2, "The price of a free number is log n: yours is half of it."),
        (total, math.log(k), "The price of a free number is the log of the number of *samples*."),
    ]
    hints = [([total + P * price for P in pair], hint) for pair, hint in counts]
    hints += [([first + P * each for P in free.values()], hint) for first, each, hint in sums]

    def same(mine, theirs):
        return all(math.isclose(a, b, rel_tol=1e-5) for a, b in zip(mine, theirs))

    if not same(answers.values(), expected.values()):
        name_mistake(answers.values(), hints, same)
    for shape, answer in answers.items():
        if not math.isclose(answer, expected[shape], rel_tol=1e-5):
            raise Mistake(
                f"For {k} components in {d} dimensions, {shape}, P = {free[shape]}, and BIC is {expected[shape]:.2f} "
                f"for a mean log-likelihood of −2 on {n} samples; yours is {answer:.2f}, as if P were "
                f"{(answer - total) / price:.2f}."
            )


# --- task 8 ---


def mended_em(function):
    """Check task 8."""
    TASKS.check(function, _mended_em)


def _mended_em(function):
    g = torch.Generator().manual_seed(2)
    noise = torch.randn(300, 2, generator=g).double()
    X = torch.cat([noise[:240], noise[240:] * _tensor(3.0, 0.6) + _tensor(2.0, 1.0)])
    start = _tensor(0.8, 0.2), _tensor([0.0, 0.0], [2.0, 1.0]), torch.stack([torch.eye(2), torch.eye(2)]).double()
    start[2][1] = _tensor([9.0, 0.0], [0.0, 0.36])
    answer = function(X, *start, n_iter=20)
    weights, _, _, history = _four_results(answer, 2, 2, (2, 2, 2))
    if len(history) != 20:
        raise Mistake(
            f"With n_iter=20 the history has 20 entries, as in the function that you mend; yours has {len(history)}."
        )
    joint, half = _log_joint_of_dclib(X, *start), _tensor(0.0, math.log(3.24) / 2)
    hints = {
        "The first entry of your history is the one of the broken function: the densities are still wrong.": joint
        + half / 2,
        "Now the determinant is missing altogether: (2) has ½ log |Σ|.": joint + half,
        "Now the determinant counts too much: ½ log |Σ| is log |A|, once.": joint - half,
        "The determinant has the wrong sign now: wide components are less dense.": joint + 2 * half,
    }
    expected = float(joint.logsumexp(1).mean())
    if not math.isclose(history[0], expected, rel_tol=1e-6):
        values = ((float(wrong.logsumexp(1).mean()), hint) for hint, wrong in hints.items())
        name_mistake(history[0], values, lambda a, b: math.isclose(a, b, rel_tol=1e-6))
        raise Mistake(
            f"The log-likelihood of the parameters that you are given is {expected:.5f}; the first entry of your "
            f"history is {history[0]:.5f}. Compare your joint with that of task 1."
        )
    falls = [t for t in range(1, 20) if history[t] < history[t - 1] - 1e-7]
    if falls:
        raise Mistake(
            f"The first entry of your history is right, but it falls in iteration {falls[0] + 1}: are the "
            "responsibilities of the same densities?"
        )
    one = _four_results(function(X, *start, n_iter=1), 2, 2, (2, 2, 2))
    for n_iter, mine in ((1, one), (20, answer)):
        _same_parameters(
            mine, _em_of_dclib(X, *start, tol=-1.0, max_iter=n_iter), n_iter, "Change as little as possible."
        )


def _same_parameters(mine, theirs, n_iter, question):
    for name, a, b in zip(("weights", "means", "covariances"), mine, theirs):
        if not torch.allclose(a.double(), b.double(), rtol=1e-3, atol=1e-3):
            raise Mistake(
                f"After {n_iter} iteration{'s' if n_iter > 1 else ''} the {name} are {rounded(b)}; yours are "
                f"{rounded(a)}. {question}"
            )
