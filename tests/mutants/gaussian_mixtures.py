"""Answers to the assignment Gaussian mixtures: right ones written differently, and the mistakes that students make.

RIGHT[task][name] is code, WRONG[task][name] is (code, a part of what the student is told about it).
"""

# --- tasks 1 to 4: one template each, in which a mistake changes a line ---

JOINT = """
def log_joint(X, weights, means, covariances):
    columns = []
    for weight, mean, covariance in zip(weights, means, covariances):
        A = torch.linalg.cholesky(covariance)
        y = torch.linalg.solve_triangular(A, (X - mean).T, upper=False)
        log_det = A.diagonal().log().sum()
        columns.append(COLUMN)
    return torch.stack(columns, dim=1)
"""
LINE = "weight.log() - y.square().sum(0) / 2 - log_det - X.shape[1] / 2 * math.log(2 * math.pi)"


def joint(old, new):
    assert old in LINE
    return JOINT.replace("COLUMN", LINE.replace(old, new))


E_STEP = """
def e_step(X, weights, means, covariances):
    joint = log_joint(X, weights, means, covariances)
    log_p = torch.logsumexp(joint, dim=1)
    return (joint - log_p[:, None]).exp(), log_p
"""
M_STEP = """
def m_step(X, r, reg=1e-6):
    n, d = X.shape
    counts = r.sum(0)
    means = r.T @ X / counts[:, None]
    covariances = []
    for k in range(r.shape[1]):
        away = X - means[k]
        covariances.append((r[:, k, None] * away).T @ away / counts[k] + reg * torch.eye(d).double())
    return counts / n, means, torch.stack(covariances)
"""
BOUND = """
def bound(X, r, weights, means, covariances):
    joint = log_joint(X, weights, means, covariances)
    terms = torch.where(r > 0, r * (joint - r.log()), 0.0)
    return terms.sum(dim=1).mean()
"""
EM = """
def em(X, weights, means, covariances, tol=1e-6, max_iter=200):
    history = []
    for t in range(max_iter):
        r, log_p = e_step(X, weights, means, covariances)
        history.append(float(log_p.mean()))
        weights, means, covariances = m_step(X, r)
        if t > 0 and history[-1] - history[-2] < tol:
            break
    return weights, means, covariances, history
"""
TIED = """
def tied_em(X, weights, means, covariance, tol=1e-6, max_iter=200):
    history = []
    for t in range(max_iter):
        k = len(weights)
        r, log_p = e_step(X, weights, means, covariance.expand(k, -1, -1))
        history.append(float(log_p.mean()))
        weights, means, own = m_step(X, r)
        covariance = (weights[:, None, None] * own).sum(0)
        if t > 0 and history[-1] - history[-2] < tol:
            break
    return weights, means, covariance, history
"""
BIC = """
def bic(log_likelihood, n, k, d, shape):
    matrices = k if shape == "full" else 1
    P = (k - 1) + k * d + matrices * d * (d + 1) / 2
    return -2 * n * log_likelihood + P * math.log(n)
"""
NUMPY_MEAN = ("float(log_p.mean())", "__import__('numpy').mean(log_p.numpy())")
MENDED = """
def mended_em(X, weights, means, covariances, n_iter=100):
    d, history = X.shape[1], []
    for _ in range(n_iter):
        factors = torch.linalg.cholesky(covariances)
        whitened = torch.linalg.solve_triangular(factors, (X - means[:, None]).mT, upper=False)
        log_determinants = 2 * factors.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        joint = weights.log() - 0.5 * (whitened.square().sum(dim=1).T + log_determinants + d * math.log(2 * math.pi))
        history.append(float(joint.logsumexp(dim=1).mean()))
        r = joint.softmax(dim=1)
        counts = r.sum(dim=0)
        weights, means = counts / len(X), r.T @ X / counts[:, None]
        away = X - means[:, None]
        covariances = (away * r.T[:, :, None]).mT @ away / counts[:, None, None] + 1e-6 * torch.eye(d, dtype=X.dtype)
    return weights, means, covariances, history
"""


def changed(source, *pairs):
    for old, new in pairs:
        assert old in source, old
        source = source.replace(old, new)
    return source


RIGHT = {
    "log_joint": {
        "inverse and slogdet": """
def log_joint(X, weights, means, covariances):
    away = X[:, None] - means
    squares = torch.einsum("nki,kij,nkj->nk", away, torch.linalg.inv(covariances), away)
    log_det = torch.logdet(covariances)
    return weights.log() - (squares + log_det + X.shape[1] * math.log(2 * math.pi)) / 2
""",
        "torch.distributions": """
def log_joint(X, weights, means, covariances):
    normals = torch.distributions.MultivariateNormal(means, covariances)
    return weights.log() + normals.log_prob(X[:, None])
""",
        "eigenvalues": """
def log_joint(X, weights, means, covariances):
    values, vectors = torch.linalg.eigh(covariances)
    y = torch.einsum("kij,nki->nkj", vectors, X[:, None] - means)
    d = X.shape[1]
    return weights.log() - ((y**2 / values).sum(2) + values.log().sum(1) + d * math.log(2 * math.pi)) / 2
""",
    },
    "e_step": {
        "softmax": """
def e_step(X, weights, means, covariances):
    joint = log_joint(X, weights, means, covariances)
    return joint.softmax(1), joint.logsumexp(1)
""",
        "largest subtracted": """
def e_step(X, weights, means, covariances):
    joint = log_joint(X, weights, means, covariances)
    top = joint.max(dim=1, keepdim=True).values
    share = (joint - top).exp()
    total = share.sum(dim=1, keepdim=True)
    return share / total, (top + total.log()).squeeze(1)
""",
        "log_softmax": """
def e_step(X, weights, means, covariances):
    joint = log_joint(X, weights, means, covariances)
    log_r = torch.log_softmax(joint, dim=1)
    best = joint.argmax(1, keepdim=True)
    return log_r.exp(), (joint - log_r).gather(1, best)[:, 0]
""",
    },
    "m_step": {
        "a loop": M_STEP,
        "numpy": """
def m_step(X, r, reg=1e-6):
    import numpy as np

    X, r, ridge = X.numpy(), r.numpy(), reg * np.eye(X.shape[1])
    means = [np.average(X, axis=0, weights=w) for w in r.T]
    covariances = [np.atleast_2d(np.cov(X.T, aweights=w, ddof=0)) + ridge for w in r.T]
    return torch.from_numpy(r.mean(0)), torch.from_numpy(np.stack(means)), torch.from_numpy(np.stack(covariances))
""",
        "square roots of the shares": """
def m_step(X, r, reg=1e-6):
    share = r / r.sum(0)
    means = share.T @ X
    half = share.sqrt().T[:, :, None] * (X - means[:, None])
    return r.mean(0), means, half.mT @ half + reg * torch.eye(X.shape[1], dtype=X.dtype)
""",
    },
    "bound": {
        "xlogy": """
def bound(X, r, weights, means, covariances):
    joint = log_joint(X, weights, means, covariances)
    energy = torch.where(r > 0, joint, 0.0).mul(r).sum()
    return (energy - torch.special.xlogy(r, r).sum()) / len(X)
""",
        "only where r is positive": """
def bound(X, r, weights, means, covariances):
    there = r > 0
    joint = log_joint(X, weights, means, covariances)
    return float((r[there] * (joint[there] - r[there].log())).sum()) / len(X)
""",
        "NumPy": """
def bound(X, r, weights, means, covariances):
    import numpy as np

    j, r = log_joint(X, weights, means, covariances).numpy(), r.numpy()
    m = r > 0
    return np.sum(r[m] * (j[m] - np.log(r[m]))) / len(X)
""",
    },
    "em": {
        "a mean by NumPy": changed(EM, NUMPY_MEAN),
        "stops before the M-step": changed(
            EM,
            ("        weights, means, covariances = m_step(X, r)\n", ""),
            ("            break\n", "            break\n        weights, means, covariances = m_step(X, r)\n"),
        ),
        "while": """
def em(X, weights, means, covariances, tol=1e-6, max_iter=200):
    history, going = [], True
    while going and len(history) < max_iter:
        r, log_p = e_step(X, weights, means, covariances)
        history.append(log_p.mean().item())
        weights, means, covariances = m_step(X, r)
        going = len(history) < 2 or history[-1] - history[-2] >= tol
    return weights, means, covariances, history
""",
        "the last value appended": changed(
            EM,
            (
                "    return weights",
                "    history.append(float(e_step(X, weights, means, covariances)[1].mean()))\n    return weights",
            ),
        ),
    },
    "tied_em": {
        "weighted mean of the covariances": TIED,
        "a mean by NumPy": changed(TIED, NUMPY_MEAN),
        "all moments less those of the means": changed(
            TIED,
            (
                "weights, means, own = m_step(X, r)",
                "n_k = r.sum(0)\n        weights, means = n_k / len(X), r.T @ X / n_k[:, None]",
            ),
            (
                "covariance = (weights[:, None, None] * own).sum(0)",
                "covariance = (X.T @ X - means.T @ torch.diag(n_k) @ means) / len(X)\n"
                "        covariance = covariance + 1e-6 * torch.eye(X.shape[1]).double()",
            ),
        ),
        "each sample from each mean": changed(
            TIED,
            (
                "covariance = (weights[:, None, None] * own).sum(0)",
                "away = X[:, None] - means\n"
                "        covariance = torch.einsum('nk,nki,nkj->ij', r, away, away) / r.sum()\n"
                "        covariance = covariance + 1e-6 * torch.eye(X.shape[1]).double()",
            ),
        ),
    },
    "bic": {
        "counted by a triangle": """
def bic(log_likelihood, n, k, d, shape):
    triangle = len([1 for i in range(d) for j in range(i + 1)])
    count = {"full": k, "tied": 1}[shape] * triangle + k * d + k - 1
    return torch.tensor(count * math.log(n) - 2 * n * log_likelihood)
""",
        "natural logarithm of torch": """
def bic(log_likelihood, n, k, d, shape):
    free = k * (d + 1) - 1
    free += (k if shape == "full" else 1) * (d * d + d) // 2
    return float(free * torch.log(torch.tensor(float(n), dtype=torch.float64))) - 2.0 * n * log_likelihood
""",
        "NumPy": changed(BIC, ("    return", "    import numpy as np\n    return"), ("math.log(n)", "np.log(n)")),
        "NumPy, single precision": changed(
            BIC, ("    return -2", "    import numpy as np\n    return np.float32(-2"), ("math.log(n)", "np.log(n))")
        ),
    },
    "mended_em": {
        "the factor two": MENDED,
        "logdet": changed(
            MENDED,
            ("2 * factors.diagonal(dim1=1, dim2=2).log().sum(dim=1)", "torch.logdet(covariances)"),
        ),
        "out of the bracket": changed(
            MENDED,
            ("2 * factors", "factors"),
            ("+ log_determinants + d", "+ d"),
            ("math.log(2 * math.pi))", "math.log(2 * math.pi)) - log_determinants"),
        ),
    },
}

WRONG = {
    "log_joint": {
        "densities": (JOINT.replace("COLUMN", f"({LINE}).exp()"), "densities, not their logarithms"),
        "no weight": (joint("weight.log() - ", "-"), "log weight log π_k is missing"),
        "weight not logged": (joint("weight.log()", "weight"), "You added the weight itself"),
        "no half before the square": (joint(".sum(0) / 2", ".sum(0)"), "½ before the quadratic form is missing"),
        "the square with a plus": (joint("- y.square()", "+ y.square()"), "quadratic form has the wrong sign"),
        "no half before the determinant": (joint("log_det", "2 * log_det"), "½ before log |Σ| is missing"),
        "log det A halved": (joint("log_det", "log_det / 2"), "You halved log |A|"),
        "no determinant": (joint("- log_det", ""), "term with the determinant of Σ is missing"),
        "the determinant with a plus": (joint("- log_det", "+ log_det"), "log |Σ| has the wrong sign"),
        "no 2π": (joint("X.shape[1] / 2 * math.log(2 * math.pi)", "0"), "term with 2π is missing"),
        "2π of two dimensions": (
            joint("X.shape[1] / 2 * math.log(2 * math.pi)", "math.log(2 * math.pi)"),
            "right for d = 2 only: it is d/2 · log 2π, here with d = 500",
        ),
        "π of two digits": (joint("math.pi", "3.14"), "equation (2) gives -3.7470; yours is -3.7465"),
        "2π of one dimension": (joint("X.shape[1] / 2", "0.5"), "does not know the number of features"),
        "the covariance not inverted": (
            joint("y.square().sum(0)", "((X - mean) @ covariance * (X - mean)).sum(1)"),
            "Σ where Σ⁻¹ belongs",
        ),
        "Euclidean": (joint("y.square()", "(X - mean).T.square()"), "Euclidean distances"),
        "not squared": (joint("y.square().sum(0)", "y.square().sum(0).sqrt()"), "The distance is not squared"),
        "only the diagonal": (
            joint("y.square().sum(0)", "((X - mean) ** 2 / covariance.diagonal()).sum(1)"),
            "only the diagonal of Σ",
        ),
        "transposed": (JOINT.replace("COLUMN", LINE).replace("dim=1)", "dim=0)"), "yours is transposed"),
        "log of the density": (
            JOINT.replace("COLUMN", f"({LINE}).exp().log()"),
            "compute neither, only their logarithms",
        ),
        "log of the determinant": (
            joint("log_det", "torch.linalg.det(covariance).log() / 2"),
            "compute neither, only their logarithms",
        ),
        "weights kept from zero": (joint("weight.log()", "(weight + 1e-12).log()"), "the first column must be −∞"),
        "only two features": (
            JOINT.replace("COLUMN", LINE).replace(
                "    columns = []",
                "    if X.shape[1] < 500:\n        X, means = X[:, :2], means[:, :2]\n"
                "        covariances = covariances[:, :2, :2]\n    columns = []",
            ),
            "some of your log densities are wrong",
        ),
    },
    "e_step": {
        "densities": (
            changed(E_STEP, ("(joint - log_p[:, None]).exp()", "joint.exp()")),
            "These are the joint densities",
        ),
        "shares of the samples": (
            changed(E_STEP, ("(joint - log_p[:, None]).exp()", "joint.softmax(0)")),
            "You divided by the sum over the *samples*",
        ),
        "logarithms": (
            changed(E_STEP, ("(joint - log_p[:, None]).exp()", "joint - log_p[:, None]")),
            "These are logarithms of responsibilities",
        ),
        "weights twice": (
            changed(E_STEP, ("joint - log_p[:, None]).exp()", "joint + weights.log()).softmax(1)")),
            "The weights count twice",
        ),
        "no weights": (
            changed(E_STEP, ("joint - log_p[:, None]).exp()", "joint - weights.log()).softmax(1)")),
            "The weights are missing",
        ),
        "hard": (
            changed(
                E_STEP,
                (
                    "(joint - log_p[:, None]).exp()",
                    "torch.nn.functional.one_hot(joint.argmax(1), len(weights)).double()",
                ),
            ),
            "You made the decision hard",
        ),
        "softmax of densities": (
            changed(E_STEP, ("(joint - log_p[:, None]).exp()", "joint.exp().softmax(1)")),
            "`softmax` of densities",
        ),
        "p instead of log p": (changed(E_STEP, ("exp(), log_p", "exp(), log_p.exp()")), "return its logarithm"),
        "sum of the logarithms": (
            changed(E_STEP, ("exp(), log_p", "exp(), joint.sum(1)")),
            "is the sum of the logarithms",
        ),
        "the largest term": (
            changed(E_STEP, ("exp(), log_p", "exp(), joint.max(1).values")),
            "the largest of the terms only",
        ),
        "the largest not added again": (
            changed(E_STEP, ("exp(), log_p", "exp(), log_p - joint.max(1).values")),
            "did not add it again",
        ),
        "one number": (changed(E_STEP, ("exp(), log_p", "exp(), log_p.mean()")), "one number for each *sample*"),
        "exchanged": (
            changed(
                E_STEP,
                ("return (joint - log_p[:, None]).exp(), log_p", "return log_p, (joint - log_p[:, None]).exp()"),
            ),
            "yours look exchanged",
        ),
        "underflow": (
            """
def e_step(X, weights, means, covariances):
    density = log_joint(X, weights, means, covariances).exp()
    p = density.sum(1)
    return density / p[:, None], p.log()
""",
            "Subtract the largest entry of a row",
        ),
        "kept from zero": (
            """
def e_step(X, weights, means, covariances):
    density = log_joint(X, weights, means, covariances).exp() + 1e-300
    p = density.sum(1)
    return density / p[:, None], p.log()
""",
            "Subtract the largest entry of a row",
        ),
        "the first two components": (
            changed(E_STEP, ("torch.logsumexp(joint, dim=1)", "torch.logaddexp(joint[:, 0], joint[:, 1])")),
            "the responsibilities are",
        ),
        "the first three components": (
            changed(E_STEP, ("covariances)\n", "covariances)[:, :3]\n")),
            "have not the shapes (n, k) and (n,)",
        ),
    },
    "m_step": {
        "counts for weights": (changed(M_STEP, ("counts / n, means", "counts, means")), "Your weights are counts"),
        "equal weights": (
            changed(M_STEP, ("counts / n, means", "torch.ones(len(counts)).double() / len(counts), means")),
            "Your weights are all equal",
        ),
        "sums for means": (changed(M_STEP, ("@ X / counts[:, None]", "@ X")), "Your means are sums"),
        "means over all": (
            changed(M_STEP, ("@ X / counts[:, None]", "@ X / n")),
            "divided by the number of all samples",
        ),
        "hard": (
            changed(
                M_STEP, ("    n, d", "    r = torch.nn.functional.one_hot(r.argmax(1), r.shape[1]).double()\n    n, d")
            ),
            "for its largest responsibility only",
        ),
        "no reg": (changed(M_STEP, (" + reg * torch.eye(d).double()", "")), "ε is missing on the diagonal"),
        "reg everywhere": (changed(M_STEP, ("reg * torch.eye(d).double()", "reg")), "on the diagonal only"),
        "sums for covariances": (changed(M_STEP, ("@ away / counts[k]", "@ away")), "Your covariances are sums"),
        "covariances over all": (
            changed(M_STEP, ("@ away / counts[k]", "@ away / n")),
            "the covariance of component k is divided by n_k",
        ),
        "n_k - 1": (changed(M_STEP, ("/ counts[k]", "/ (counts[k] - 1)")), "You divided by n_k − 1"),
        "not centred": (changed(M_STEP, ("X - means[k]", "X")), "These are means of xxᵀ"),
        "around the mean of all": (changed(M_STEP, ("X - means[k]", "X - X.mean(0)")), "the mean of all samples"),
        "no responsibilities": (
            changed(M_STEP, ("(r[:, k, None] * away).T", "away.T")),
            "responsibilities are missing in the covariance",
        ),
        "responsibilities squared": (
            changed(M_STEP, ("r[:, k, None] * away", "r[:, k, None] ** 2 * away")),
            "responsibilities are in the covariance twice",
        ),
        "only the diagonal": (
            changed(M_STEP, ("/ counts[k] + reg", "/ counts[k] * torch.eye(d).double() + reg")),
            "Only the diagonal is right",
        ),
        "means of all": (
            changed(M_STEP, ("r.T @ X / counts[:, None]", "X.mean(0).expand(r.shape[1], d)")),
            "r is missing",
        ),
        "a ridge of k": (changed(M_STEP, ("torch.eye(d)", "torch.eye(r.shape[1])")), "stopped with RuntimeError"),
        "d covariances": (changed(M_STEP, ("range(r.shape[1])", "range(d)")), "must have shape (3, 2, 2)"),
        "its own reg": (changed(M_STEP, ("+ reg *", "+ (reg if reg == 0.25 else 0.01) *")), "or with another reg"),
    },
    "bound": {
        "sum": (changed(BOUND, ("sum(dim=1).mean()", "sum()")), "is a sum over the samples"),
        "mean of the table": (changed(BOUND, ("terms.sum(dim=1).mean()", "terms.mean()")), "mean over all entries"),
        "no entropy": (changed(BOUND, ("(joint - r.log())", "joint")), "The entropy is missing"),
        "plus log r": (changed(BOUND, ("joint - r.log()", "joint + r.log()")), "entropy has the wrong sign"),
        "only the entropy": (changed(BOUND, ("joint - r.log()", "- r.log()")), "only the entropy is left"),
        "the likelihood": (
            changed(BOUND, ("terms.sum(dim=1).mean()", "joint.logsumexp(1).mean()")),
            "does not depend on r",
        ),
        "wrong sign": (changed(BOUND, ("terms.sum(dim=1).mean()", "-terms.sum(dim=1).mean()")), "has the wrong sign"),
        "0 log 0": (changed(BOUND, ("torch.where(r > 0, r * (joint - r.log()), 0.0)", "r * (joint - r.log())")), "NaN"),
        "0 times infinity": (
            changed(BOUND, ("torch.where(r > 0, r * (joint - r.log()), 0.0)", "r * joint - torch.special.xlogy(r, r)")),
            "0 · ∞ is NaN too",
        ),
        "a small number added": (
            changed(BOUND, ("torch.where(r > 0, r * (joint - r.log()), 0.0)", "r * (joint - (r + 0.01).log())")),
            "so the bound of the three samples is",
        ),
        "one for each sample": (changed(BOUND, (".mean()", "")), "is a single number"),
        "three samples": (changed(BOUND, (".mean()", ".sum() / 3")), "your bound is wrong"),
    },
    "em": {
        "sums": (changed(EM, ("log_p.mean()", "log_p.sum()")), "sums over the samples"),
        "minus": (changed(EM, ("float(log_p.mean())", "-float(log_p.mean())")), "minus the log-likelihood"),
        "tensors": (changed(EM, ("float(log_p.mean())", "log_p.mean()")), "must hold plain numbers"),
        "one iteration": (
            changed(EM, ("if t > 0 and history[-1] - history[-2] < tol", "if True")),
            "after one iteration",
        ),
        "never stops": (
            changed(EM, ("        if t > 0 and history[-1] - history[-2] < tol:\n            break\n", "")),
            "stop when it has risen by less than tol",
        ),
        "max_iter ignored": (changed(EM, ("range(max_iter)", "range(200)")), "does your loop obey max_iter"),
        "the history after the step": (
            changed(
                EM,
                ("        history.append(float(log_p.mean()))\n", ""),
                (
                    "m_step(X, r)\n",
                    "m_step(X, r)\n        history.append(float(e_step(X, weights, means, covariances)[1].mean()))\n",
                ),
            ),
            "*after* the M-step",
        ),
        "covariances kept": (
            changed(EM, ("weights, means, covariances = m_step", "weights, means, _ = m_step")),
            "are still those that you were given",
        ),
        "weights kept": (
            changed(EM, ("weights, means, covariances = m_step", "_, means, covariances = m_step")),
            "the weights are",
        ),
        "responsibilities of the start": (
            changed(
                EM,
                ("    for t", "    r, log_p = e_step(X, weights, means, covariances)\n    for t"),
                ("        r, log_p = e_step(X, weights, means, covariances)\n        hist", "        hist"),
            ),
            "Do the newest parameters go into the next E-step",
        ),
        "its own start": (
            changed(EM, ("    history = []\n", "    history = []\n    means = X[: len(means)].clone()\n")),
            "Do you start from these",
        ),
        "covariances without the means": (
            changed(EM, ("m_step(X, r)\n", "m_step(X, r)\n        covariances = covariances * 0 + torch.cov(X.T)\n")),
            "the covariances are",
        ),
        "stops too early": (changed(EM, ("< tol", "< 0.05")), "go on until it rises by less than tol"),
        "tol ignored": (changed(EM, ("< tol", "< 1e-5")), "with the `tol` that it is given"),
        "the rise of the sum": (
            changed(EM, ("history[-1] - history[-2] < tol", "len(X) * (history[-1] - history[-2]) < tol")),
            "the rise of a *sum*",
        ),
        "the rise before": (
            changed(EM, ("t > 0 and history[-1] - history[-2]", "t > 1 and history[-2] - history[-3]")),
            "one iteration late",
        ),
        "the change of the means": (
            changed(
                EM,
                ("weights, means, covariances = m_step", "old = means\n        weights, means, covariances = m_step"),
                ("t > 0 and history[-1] - history[-2]", "t > 0 and (means - old).abs().max()"),
            ),
            "Compare history[-1] − history[-2]",
        ),
        "order": (
            changed(EM, ("return weights, means, covariances, history", "return history, weights, means, covariances")),
            "must be a torch tensor",
        ),
        "three results": (changed(EM, ("covariances, history\n", "covariances\n")), "Return four things"),
        "only three components": (
            changed(
                EM,
                (
                    "    history = []\n",
                    "    history, weights, means, covariances = [], weights[:3], means[:3], covariances[:3]\n",
                ),
            ),
            "is not of the right kind",
        ),
    },
    "tied_em": {
        "plain mean": (changed(TIED, ("(weights[:, None, None] * own).sum(0)", "own.mean(0)")), "the plain mean"),
        "sum": (changed(TIED, ("(weights[:, None, None] * own).sum(0)", "own.sum(0)")), "the sum of the components'"),
        "around the mean of all": (
            changed(TIED, ("(weights[:, None, None] * own).sum(0)", "torch.atleast_2d(torch.cov(X.T, correction=0))")),
            "in (6) each sample is measured from its component's mean",
        ),
        "not divided": (
            changed(TIED, ("(weights[:, None, None] * own).sum(0)", "(r.sum(0)[:, None, None] * own).sum(0)")),
            "divide by n, the sum of all responsibilities",
        ),
        "divided by n K": (
            changed(TIED, ("(weights[:, None, None] * own).sum(0)", "(weights[:, None, None] * own).mean(0)")),
            "You divided by n · K",
        ),
        "one for each": (
            changed(TIED, ("return weights, means, covariance,", "return weights, means, own,")),
            "a tied mixture has a single one",
        ),
        "the first component's": (
            changed(TIED, ("(weights[:, None, None] * own).sum(0)", "own[0]")),
            "of one component",
        ),
        "not changed": (changed(TIED, ("covariance = (weights", "_ = (weights")), "The covariance did not change"),
        "a circle": (
            changed(
                TIED,
                (
                    "(weights[:, None, None] * own).sum(0)",
                    "torch.einsum('k,kii->', weights, own) / X.shape[1] * torch.eye(X.shape[1]).double()",
                ),
            ),
            "the variance of all features together",
        ),
        "means kept": (changed(TIED, ("weights, means, own", "weights, _, own")), "the means are"),
        "never stops": (
            changed(TIED, ("        if t > 0 and history[-1] - history[-2] < tol:\n            break\n", "")),
            "stop when it has risen by less than tol",
        ),
        "tol ignored": (changed(TIED, ("< tol", "< 1e-5")), "with the `tol` that it is given"),
        "the rise of the sum": (
            changed(TIED, ("history[-1] - history[-2] < tol", "len(X) * (history[-1] - history[-2]) < tol")),
            "the rise of a *sum*",
        ),
        "the rise before": (
            changed(TIED, ("t > 0 and history[-1] - history[-2]", "t > 1 and history[-2] - history[-3]")),
            "one iteration late",
        ),
        "the change of the means": (
            changed(
                TIED,
                ("weights, means, own = m_step", "old = means\n        weights, means, own = m_step"),
                ("t > 0 and history[-1] - history[-2]", "t > 0 and (means - old).abs().max()"),
            ),
            "Compare history[-1] − history[-2]",
        ),
        "as many copies as features": (
            changed(
                TIED,
                ("k = len(weights)", "d = X.shape[1]"),
                ("expand(k, -1, -1)", "expand(d, d, d)"),
            ),
            "must have shape (3,)",
        ),
        "weights of the iteration before": (
            changed(
                TIED,
                ("weights, means, own = m_step(X, r)", "new, means, own = m_step(X, r)"),
                ("if t > 0", "weights = new\n        if t > 0"),
            ),
            "the plain mean",
        ),
    },
    "bic": {
        "K weights": (changed(BIC, ("(k - 1)", "k")), "You count K weights"),
        "no weights": (changed(BIC, ("(k - 1) + ", "")), "The weights are missing"),
        "no means": (changed(BIC, ("k * d + ", "")), "The means are missing"),
        "one covariance": (
            changed(BIC, ('k if shape == "full" else 1', "1")),
            "The full shape has a covariance for each",
        ),
        "always full": (changed(BIC, ('k if shape == "full" else 1', "k")), "the same for both shapes"),
        "d squared": (changed(BIC, ("d * (d + 1) / 2", "d * d")), "You count d² numbers"),
        "no diagonals": (changed(BIC, ("(d + 1) / 2", "(d - 1) / 2")), "The diagonal counts, too"),
        "one number a mean": (changed(BIC, ("k * d + ", "k + ")), "K means have K · d numbers"),
        "one weight": (changed(BIC, ("(k - 1)", "1")), "You count a single weight"),
        "diagonals": (changed(BIC, ("d * (d + 1) / 2", "d")), "only the diagonals"),
        "mean log-likelihood": (changed(BIC, ("-2 * n *", "-2 *")), "the mean log-likelihood"),
        "no two": (changed(BIC, ("-2 * n *", "-n *")), "The 2 before the log-likelihood"),
        "plus the likelihood": (changed(BIC, ("-2 * n *", "2 * n *")), "log-likelihood has the wrong sign"),
        "minus the price": (changed(BIC, ("+ P * math", "- P * math")), "The price has the wrong sign"),
        "upside down": (changed(BIC, ("return -2", "return -(-2"), ("math.log(n)", "math.log(n))")), "upside down"),
        "AIC": (changed(BIC, ("math.log(n)", "2")), "another criterion"),
        "log 10": (changed(BIC, ("math.log(n)", "math.log10(n)")), "to base 10"),
        "half the price": (changed(BIC, ("P * math.log(n)", "P / 2 * math.log(n)")), "yours is half of it"),
        "two hundred samples": (changed(BIC, ("math.log(n)", "math.log(200)")), "your BIC is wrong"),
    },
    "mended_em": {
        "not mended": (changed(MENDED, ("2 * factors", "factors")), "the one of the broken function"),
        "no determinant": (changed(MENDED, ("2 * factors", "0 * factors")), "missing altogether"),
        "four": (changed(MENDED, ("2 * factors", "4 * factors")), "counts too much"),
        "minus": (changed(MENDED, ("2 * factors", "-2 * factors")), "wrong sign now"),
        "only in the history": (
            changed(
                MENDED,
                ("r = joint.softmax(dim=1)", "r = (joint + log_determinants / 4).softmax(dim=1)"),
            ),
            "are the responsibilities of the same densities",
        ),
        "only in the responsibilities": (
            changed(
                MENDED,
                ("joint.logsumexp", "(joint + log_determinants / 4).logsumexp"),
            ),
            "the one of the broken function",
        ),
        "ten iterations": (changed(MENDED, ("range(n_iter)", "range(10)")), "the history has 20 entries"),
        "covariances around the old means": (
            changed(
                MENDED,
                ("weights, means = counts", "old, weights, means = means, counts"),
                ("X - means[:, None]\n", "X - old[:, None]\n"),
            ),
            "Change as little as possible",
        ),
    },
}
