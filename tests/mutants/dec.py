"""Answers to the assignment DEC: right ones written differently, and the mistakes that students make.

RIGHT[task][name] is code, WRONG[task][name] is (code, a part of what the student is told about it).
"""

_SOFT = """
def soft_assignment(z, centers, alpha):
    d = ((z[:, None] - centers) ** 2).sum(2)
"""
_PULL = """
def pull(z, centers, p, alpha):
    difference = z[:, None] - centers
    d = (difference ** 2).sum(2)
    q = soft_assignment(z, centers, alpha)
    w = (alpha + 1) * (p - q) / (alpha + d)
    both = lambda w: (-(w[:, :, None] * difference).sum(1), (w[:, :, None] * difference).sum(0))
"""


def _refine(renew="t % interval == 0", keep="history.append(float(divergence(p, q)))", move=None, after="pass"):
    move = move or "z, centers = z + rate * on_z, centers + rate / len(z) * on_centers"
    return f"""
def refine(z, centers, alpha, rate, n_steps, interval):
    history = []
    for t in range(n_steps):
        q = soft_assignment(z, centers, alpha)
        if {renew}:
            p = target(q)
        {keep}
        on_z, on_centers = pull(z, centers, p, alpha)
        {move}
        {after}
    return z, centers, history
"""


def _training(cut="p = p.detach()", q="q", loss="(p * (p / q).log()).sum(dim=1).mean()", renew="True", before="pass"):
    return f"""
def mended_training(z, centers, rate=0.5, n_steps=60):
    z, centers = z.clone().requires_grad_(), centers.clone().requires_grad_()
    history = []
    for t in range(n_steps):
        kernel = 1 / (1 + (z[:, None] - centers).square().sum(dim=2))
        q = kernel / kernel.sum(dim=1, keepdim=True)
        if {renew}:
            sharp = {q}**2 / {q}.sum(dim=0)
            p = sharp / sharp.sum(dim=1, keepdim=True)
            {cut}
        {before}
        loss = {loss}
        history.append(loss.item())
        on_z, on_centers = torch.autograd.grad(loss, (z, centers))
        with torch.no_grad():
            z -= rate * len(z) * on_z
            centers -= rate * on_centers
    return z.detach(), centers.detach(), history
"""


RIGHT = {
    "soft_assignment": {
        "in the log domain": _SOFT + "    return (-(alpha + 1) / 2 * torch.log1p(d / alpha)).softmax(1)\n",
        "loop over the centers": """
def soft_assignment(z, centers, alpha):
    columns = [(1 + (z - c).pow(2).sum(1) / alpha).pow(-0.5 * (alpha + 1)) for c in centers]
    kernel = torch.stack(columns, 1)
    return (kernel.T / kernel.sum(1)).T
""",
    },
    "target": {
        "in the log domain": """
def target(q):
    return (2 * q.log() - q.sum(0).log()).softmax(1)
""",
        "normalised by columns first": """
def target(q):
    share = q / q.sum(0, keepdim=True)
    weight = q * share
    return (weight.T / weight.sum(1)).T
""",
    },
    "divergence": {
        "kl_div": """
def divergence(p, q):
    return torch.nn.functional.kl_div(q.log(), p, reduction="batchmean")
""",
        "where p is above 0": """
def divergence(p, q):
    some = p > 0
    return (p[some] * (p[some] / q[some]).log()).sum().item() / len(p)
""",
    },
    "pull": {
        "autograd": """
def pull(z, centers, p, alpha):
    a, c = z.clone().requires_grad_(), centers.clone().requires_grad_()
    d = ((a[:, None] - c) ** 2).sum(2)
    log_q = (-(alpha + 1) / 2 * torch.log1p(d / alpha)).log_softmax(1)
    on_z, on_centers = torch.autograd.grad((p * log_q).sum(), (a, c))
    return on_z, on_centers
""",
        "matrix products": """
def pull(z, centers, p, alpha):
    d = torch.stack([(z - c).square().sum(1) for c in centers], 1)
    w = (alpha + 1) * (p - soft_assignment(z, centers, alpha)) / (alpha + d)
    return w @ centers - w.sum(1)[:, None] * z, w.T @ z - w.sum(0)[:, None] * centers
""",
    },
    "refine": {
        "a number by NumPy": _refine(keep="history.append(__import__('numpy').mean(divergence(p, q).numpy()))"),
        "without the other tasks": """
def refine(z, centers, alpha, rate, n_steps, interval):
    history = []
    for t in range(n_steps):
        difference = z[:, None] - centers
        near = 1 + (difference ** 2).sum(2) / alpha
        kernel = near ** (-(alpha + 1) / 2)
        q = kernel / kernel.sum(1, keepdim=True)
        if t % interval == 0:
            p = q ** 2 / q.sum(0)
            p = p / p.sum(1, keepdim=True)
        history.append((p * (p / q).log()).sum(1).mean().item())
        parts = ((alpha + 1) / alpha * (p - q) / near)[:, :, None] * difference
        z, centers = z - rate * parts.sum(1), centers + rate * parts.mean(0)
    return z, centers, history
""",
        "a countdown": """
def refine(z, centers, alpha, rate, n_steps, interval):
    z, centers, history, left = z.clone(), centers.clone(), [], 0
    while len(history) < n_steps:
        q = soft_assignment(z, centers, alpha)
        if left == 0:
            p, left = target(q), interval
        left -= 1
        history += [float(divergence(p, q))]
        on_z, on_centers = pull(z, centers, p, alpha)
        z += rate * on_z
        centers += rate * on_centers / len(z)
    return z, centers, history
""",
    },
    "mended_training": {
        "from a detached q": _training(cut="pass", q="q.detach()"),
        "no_grad": """
def mended_training(z, centers, rate=0.5, n_steps=60):
    z, centers = z.clone().requires_grad_(), centers.clone().requires_grad_()
    history = []
    for _ in range(n_steps):
        kernel = 1 / (1 + (z[:, None] - centers).square().sum(dim=2))
        q = kernel / kernel.sum(dim=1, keepdim=True)
        with torch.no_grad():
            sharp = q**2 / q.sum(dim=0)
            p = sharp / sharp.sum(dim=1, keepdim=True)
        loss = (p * (p / q).log()).sum(dim=1).mean()
        history.append(loss.item())
        on_z, on_centers = torch.autograd.grad(loss, (z, centers))
        with torch.no_grad():
            z -= rate * len(z) * on_z
            centers -= rate * on_centers
    return z.detach(), centers.detach(), history
""",
    },
}

WRONG = {
    "soft_assignment": {
        "not normalised": (_SOFT + "    return (1 + d / alpha) ** (-(alpha + 1) / 2)\n", "Your rows do not sum to 1"),
        "over the samples": (
            _SOFT + "    k = (1 + d / alpha) ** (-(alpha + 1) / 2)\n    return k / k.sum(0)\n",
            "Your columns sum to 1",
        ),
        "Gaussian": (_SOFT + "    return torch.softmax(-d, 1)\n", "DEC takes Student's t"),
        "Euclidean": (
            _SOFT + "    k = (1 + d.sqrt() / alpha) ** (-(alpha + 1) / 2)\n    return k / k.sum(1, keepdim=True)\n",
            "Your distances are Euclidean",
        ),
        "always one degree of freedom": (
            _SOFT + "    k = 1 / (1 + d)\n    return k / k.sum(1, keepdim=True)\n",
            "Your α has no effect",
        ),
        "exponent of one degree": (
            _SOFT + "    k = 1 / (1 + d / alpha)\n    return k / k.sum(1, keepdim=True)\n",
            "yours is −1",
        ),
        "distance not divided": (
            _SOFT + "    k = (1 + d) ** (-(alpha + 1) / 2)\n    return k / k.sum(1, keepdim=True)\n",
            "The d is to be divided by α",
        ),
        "exponent without the half": (
            _SOFT + "    k = (1 + d / alpha) ** (-(alpha + 1))\n    return k / k.sum(1, keepdim=True)\n",
            "the half",
        ),
        "exponent of whole numbers": (
            _SOFT + "    k = (1 + d / alpha) ** (-(alpha + 1) // 2)\n    return k / k.sum(1, keepdim=True)\n",
            "`//` rounds",
        ),
        "far is near": (
            _SOFT + "    k = (1 + d / alpha) ** ((alpha + 1) / 2)\n    return k / k.sum(1, keepdim=True)\n",
            "Far centres have a large q",
        ),
        "softmax of the kernel": (
            _SOFT + "    return torch.softmax((1 + d / alpha) ** (-(alpha + 1) / 2), 1)\n",
            "The kernel is no exponent",
        ),
    },
    "target": {
        "q itself": ("def target(q):\n    return q\n", "Your p is q"),
        "not normalised": ("def target(q):\n    return q**2 / q.sum(0)\n", "Your rows do not sum to 1"),
        "without f": (
            "def target(q):\n    w = q**2\n    return w / w.sum(1, keepdim=True)\n",
            "You did not divide by f",
        ),
        "without the square": (
            "def target(q):\n    w = q / q.sum(0)\n    return w / w.sum(1, keepdim=True)\n",
            "The square is missing",
        ),
        "columns": (
            "def target(q):\n    w = q**2 / q.sum(0)\n    return w / w.sum(0)\n",
            "Your columns sum to 1",
        ),
        "f of the squares": (
            "def target(q):\n    w = q**2 / (q**2).sum(0)\n    return w / w.sum(1, keepdim=True)\n",
            "f_k sums q, not its square",
        ),
        "f squared": (
            "def target(q):\n    w = (q / q.sum(0))**2\n    return w / w.sum(1, keepdim=True)\n",
            "You divided by the square of f",
        ),
        "times f": (
            "def target(q):\n    w = q**2 * q.sum(0)\n    return w / w.sum(1, keepdim=True)\n",
            "You multiplied by f",
        ),
        "hard": (
            "def target(q):\n    return torch.nn.functional.one_hot(q.argmax(1), q.shape[1]).to(q.dtype)\n",
            "Your p is hard",
        ),
        "f of the sample": (
            "def target(q):\n    w = q**2 / q.sum(1, keepdim=True)\n    return w / w.sum(1, keepdim=True)\n",
            "f sums over the samples, dim=0",
        ),
        "f of the sample, not normalised": (
            "def target(q):\n    return q**2 / q.sum(1, keepdim=True)\n",
            "f sums over the samples, dim=0",
        ),
    },
    "divergence": {
        "the wrong way": (
            "def divergence(p, q):\n    return (torch.xlogy(q, q) - torch.xlogy(q, p)).sum(1).mean()\n",
            "That is KL(Q‖P)",
        ),
        "sum": ("def divergence(p, q):\n    return (p * (p / q).log()).sum()\n", "Yours is a sum over the samples"),
        "mean of all": (
            "def divergence(p, q):\n    return (p * (p / q).log()).mean()\n",
            "the mean over the clusters, too",
        ),
        "negative": (
            "def divergence(p, q):\n    return (p * (q / p).log()).sum(1).mean()\n",
            "The sign is wrong",
        ),
        "cross entropy": (
            "def divergence(p, q):\n    return -(p * q.log()).sum(1).mean()\n",
            "That is the cross entropy",
        ),
        "squares": (
            "def divergence(p, q):\n    return ((p - q) ** 2).sum(1).mean()\n",
            "a squared difference",
        ),
        "log of 0": ("def divergence(p, q):\n    return (p * (p / q).log()).sum(1).mean()\n", "counts as 0"),
        "kl_div with its arguments exchanged": (
            "def divergence(p, q):\n    return torch.nn.functional.kl_div(p.log(), q, reduction='batchmean')\n",
            "That is KL(Q‖P)",
        ),
        "one for each sample": (
            "def divergence(p, q):\n    return (p * (p / q).log()).sum(1)\n",
            "is a single number",
        ),
    },
    "pull": {
        "gradient": (_PULL + "    return tuple(-v for v in both(w))\n", "The sign of the pull on z"),
        "centers the same way": (
            _PULL + "    return both(w)[0], -both(w)[1]\n",
            "The sign of the pull on the centres",
        ),
        "mean": (_PULL + "    return both(w / len(z))\n", "is that of a mean"),
        "all pairs alike": (
            _PULL + "    return both((alpha + 1) * (p - q) / alpha)\n",
            "misses the factor 1/(1 + d/α)",
        ),
        "p alone": (_PULL + "    return both((alpha + 1) * p / (alpha + d))\n", "has p where p − q must stand"),
        "factor missing": (_PULL + "    return both((p - q) / (alpha + d))\n", "The factor (α + 1) is missing"),
        "half": (_PULL + "    return both(w / 2)\n", "the derivative of d by z is 2 (z − μ)"),
        "of the lesson": (_PULL + "    return both(2 * (p - q) / (1 + d))\n", "that of the lesson, for α = 1"),
        "factor 2": (_PULL + "    return both(2 * (p - q) / (alpha + d))\n", "it is α + 1"),
        "twice": (_PULL + "    return both(2 * w)\n", "twice too large"),
        "times alpha": (_PULL + "    return both(alpha * w)\n", "α times too large"),
        "distance not divided": (
            _PULL + "    return both((alpha + 1) * (p - q) / (1 + d))\n",
            "divide d by α",
        ),
        "z only": (_PULL + "    return both(w)[0]\n", "two things, the pulls on z"),
    },
    "refine": {
        "target in every step": (_refine(renew="True"), "Your target moves in every step"),
        "target of the start": (_refine(renew="t == 0"), "Your target is that of the start"),
        "target one step early": (_refine(renew="t == 0 or (t + 1) % interval == 0"), "and not at 2 and 5"),
        "target one step late": (_refine(renew="t == 0 or t % interval == 1"), "and not at 1 and 4"),
        "centers by the sum": (
            _refine(move="z, centers = z + rate * on_z, centers + rate * on_centers"),
            "by the *mean* pull",
        ),
        "samples by the mean": (
            _refine(move="z, centers = z + rate / len(z) * on_z, centers + rate / len(z) * on_centers"),
            "not by 1/n of it",
        ),
        "centers at rest": (_refine(move="z = z + rate * on_z"), "Your centres did not move"),
        "samples at rest": (
            _refine(move="centers = centers + rate / len(z) * on_centers"),
            "Your samples did not move",
        ),
        "one after the other": (
            _refine(
                move="z = z + rate * on_z; centers = centers + rate / len(z) * pull(z, centers, p, alpha)[1]",
            ),
            "before the step",
        ),
        "away": (
            _refine(move="z, centers = z - rate * on_z, centers - rate / len(z) * on_centers"),
            "You move against the pull",
        ),
        "loss after the step": (
            _refine(keep="pass", after="history.append(float(divergence(p, soft_assignment(z, centers, alpha))))"),
            "yours is that after it",
        ),
        "the wrong way": (_refine(keep="history.append(float(divergence(q, p)))"), "KL(P‖Q), not KL(Q‖P)"),
        "a target of its own": (
            _refine(keep="history.append(float(divergence(target(q), q)))"),
            "Your history takes a new target in each step",
        ),
        "history of tensors": (_refine(keep="history.append(divergence(p, q))"), "a list of plain numbers"),
        "written into its arguments": (
            _refine(move="z += rate * on_z; centers += rate / len(z) * on_centers"),
            "changed its argument",
        ),
    },
    "mended_training": {
        "not mended": (_training(cut="pass"), "That is still the broken one"),
        "q cut, too": (
            _training(loss="(p * (p / q.detach()).log()).sum(dim=1).mean() + 0 * (z.sum() + centers.sum())"),
            "the *target* must be cut from the graph",
        ),
        "q instead of p": (
            _training(cut="pass", loss="(p * (p / q.detach()).log()).sum(dim=1).mean()"),
            "Mend the mistake",
        ),
        "the other way round": (
            _training(loss="(q * (q / p).log()).sum(dim=1).mean()"),
            "You exchanged p and q",
        ),
        "target of the start": (_training(renew="t == 0"), "Your target is that of the start"),
        "target without the square": (
            _training(before="p = (q / q.sum(0) / (q / q.sum(0)).sum(1, keepdim=True)).detach()"),
            "Mend the mistake",
        ),
        "sum instead of mean": (
            _training(loss="(p * (p / q).log()).sum()"),
            "Mend the mistake",
        ),
    },
}
