"""Answers to the assignment DCAN: right ones written differently, and the mistakes that students make.

RIGHT[task][name] is code, WRONG[task][name] is (code, a part of what the student is told about it).
"""


def _draw(line):
    return f"def draw(means, deviations, clusters, noise, spread):\n    return {line}\n"


def _judge(*lines):
    return "def discriminator_loss(drawn, encoded, positive):\n" + "".join(f"    {line}\n" for line in lines)


_D_OF_BOTH = "d, e = torch.sigmoid(drawn), torch.sigmoid(encoded)"


def _fool(saturating, otherwise, before="pass"):
    return f"""
def encoder_loss(encoded, saturating):
    s, n = encoded, len(encoded)
    d = torch.sigmoid(s)
    {before}
    if saturating:
        return {saturating}
    return {otherwise}
"""


_SATURATING = "-F.softplus(s).mean(), -d / n"
_OTHER = "F.softplus(-s).mean(), -torch.sigmoid(-s) / n"


def _measure(kl="kl(a, b)", jsd="(kl(a, m) + kl(b, m)) / 2", best="best", value=None, body=None, before="pass"):
    value = value or "float(step * (torch.xlogy(a, best) + torch.xlogy(b, less)).sum())"
    body = body or "float(step * (torch.xlogy(f, f) - torch.xlogy(f, g)).sum())"
    return f"""
def divergences(a, b, step):
    def kl(f, g):
        return {body}
    m = (a + b) / 2
    best = torch.where(a + b > 0, a / (a + b), 0.5)
    less = torch.where(a + b > 0, b / (a + b), 0.5)
    {before}
    return {kl}, {jsd}, {best}, {value}
"""


def _play(
    centers="mean(dim=0)",
    widths="std(dim=0, correction=0)",
    follow="True",
    spread="spread",
    loss="discriminator_loss(s, t, 1.0)",
    rows="torch.sigmoid(-s)[:, None] * up - torch.sigmoid(t)[:, None] * low",
    step="weights = weights + rate_judge / n * total",
    own="weights[clusters]",
    push="torch.sigmoid(-(low * own).sum(1))[:, None]",
    hill="own[:, 1 : d + 1] + 2 * own[:, d + 1 :] * z",
    move="z = z + rate_codes * push * hill",
    keep="history.append(float(loss))",
    late="pass",
    start="pass",
    of="clusters",
):
    return f"""
def play(z, clusters, weights, noise, spread, rate_judge, rate_codes):
    (n, d), history = z.shape, []
    {start}
    phi = lambda v: torch.cat([torch.ones(len(v), 1, dtype=v.dtype), v, v**2], 1)
    for t, epsilon in enumerate(noise):
        if {follow}:
            means = torch.stack([z[clusters == k].{centers} for k in range(len(weights))])
            deviations = torch.stack([z[clusters == k].{widths} for k in range(len(weights))])
        up, low = phi(draw(means, deviations, clusters, epsilon, {spread})), phi(z)
        s, t = (up * weights[{of}]).sum(1), (low * weights[{of}]).sum(1)
        loss = {loss}
        {keep}
        rows = {rows}
        total = torch.zeros_like(weights).index_add_(0, {of}, rows)
        old = weights
        {step}
        own = {own}
        push = {push}
        hill = {hill}
        {move}
        {late}
    return z, weights, history
"""


def _told(told, mixed):
    return f"""
def told_and_not(a, b, shares, step):
    told = {told}
    mixed = {mixed}
    return told, mixed
"""


_TOLD = "sum(float(s) * divergences(p, q, step)[3] for s, p, q in zip(shares, a, b))"
_MIXED = "divergences(shares @ a, shares @ b, step)[3]"


def _training(
    gradients, points="z", after="pass", keep="history.append((judging.item(), fooling.item()))", first="pass"
):
    body = "\n".join(f"        {line}" for line in gradients)
    return f"""
def mended_training(z, clusters, means, deviations, noise, rate_judge=0.5, rate_codes=0.05):
    z = z.clone().requires_grad_()
    weights = z.new_zeros(len(means), 1 + 2 * z.shape[1]).requires_grad_()
    history = []

    def logits(points):
        phi = torch.cat([torch.ones_like(points[:, :1]), points, points**2], dim=1)
        return (phi * weights[clusters]).sum(dim=1)

    for epsilon in noise:
        {first}
        drawn = means[clusters] + 0.5 * deviations[clusters] * epsilon
        judging = F.softplus(-logits(drawn)).mean() + F.softplus(logits({points})).mean()
        fooling = F.softplus(-logits(z)).mean()
        {keep}
{body}
        with torch.no_grad():
            weights -= rate_judge * on_weights
            z -= rate_codes * len(z) * on_z
        {after}
    return z.detach(), weights.detach(), history
"""


_AFTER = "history.append(float(discriminator_loss((up * own).sum(1), (low * own).sum(1), 1.0)))"
_OWN = [
    "on_weights, = torch.autograd.grad(judging, weights, retain_graph=True)",
    "on_z, = torch.autograd.grad(fooling, z)",
]
_SUM = ["on_weights, on_z = torch.autograd.grad(judging + fooling, (weights, z))"]


def _grads(for_weights, for_z):
    return [
        f"on_weights, = torch.autograd.grad({for_weights}, weights, retain_graph=True)",
        f"on_z, = torch.autograd.grad({for_z}, z)",
    ]


RIGHT = {
    "draw": {
        "index_select and addcmul": """
def draw(means, deviations, clusters, noise, spread):
    at, width = means.index_select(0, clusters), deviations.index_select(0, clusters)
    return torch.addcmul(at, width, noise, value=spread)
""",
        "one-hot products": """
def draw(means, deviations, clusters, noise, spread):
    one = F.one_hot(clusters, len(means)).to(means.dtype)
    return one @ means + (one @ deviations) * (noise * spread)
""",
        "row by row": """
def draw(means, deviations, clusters, noise, spread):
    return torch.stack([means[c] + spread * deviations[c] * noise[i] for i, c in enumerate(clusters.tolist())])
""",
    },
    "discriminator_loss": {
        "binary cross-entropy of PyTorch": _judge(
            "bce = F.binary_cross_entropy_with_logits",
            "return bce(drawn, torch.full_like(drawn, positive)) + bce(encoded, torch.zeros_like(encoded))",
        ),
        "logsigmoid": _judge(
            "up = positive * F.logsigmoid(drawn) + (1 - positive) * F.logsigmoid(-drawn)",
            "return -up.sum() / len(up) - F.logsigmoid(-encoded).sum() / len(encoded)",
        ),
        "softplus once": _judge("return (F.softplus(drawn) - positive * drawn).mean() + F.softplus(encoded).mean()"),
    },
    "encoder_loss": {
        "logsigmoid, numbers": _fool(
            "(F.logsigmoid(s) - s).mean().item(), -d.div(n)", "-F.logsigmoid(s).mean().item(), (d - 1) / n"
        ),
        "autograd": """
def encoder_loss(encoded, saturating):
    s = encoded.clone().requires_grad_()
    loss = F.logsigmoid(-s).mean() if saturating else F.softplus(-s).mean()
    loss.backward()
    return loss.detach(), s.grad
""",
        "in NumPy's single precision": """
def encoder_loss(encoded, saturating):
    s = encoded.clone().requires_grad_()
    loss = F.logsigmoid(-s).mean() if saturating else F.softplus(-s).mean()
    loss.backward()
    return loss.detach().numpy()[()], s.grad
""",
    },
    "divergences": {
        "where the densities are": """
def divergences(a, b, step):
    def kl(f, g):
        some = f > 0
        return step * (f[some] * (f[some] / g[some]).log()).sum().item()
    m, best = 0.5 * (a + b), torch.full_like(a, 0.5)
    best[m > 0] = a[m > 0] / (a + b)[m > 0]
    value = 0.0
    for f in (a, b):
        some = f > 0
        value += step * (f[some] * (f[some] / (a + b)[some]).log()).sum().item()
    return kl(a, b), 0.5 * kl(a, m) + 0.5 * kl(b, m), best, value
""",
        "NumPy": """
def divergences(a, b, step):
    import numpy as np
    p, q = a.numpy(), b.numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = lambda f, g: np.where(f > 0, f * (np.log(f) - np.log(g)), 0.0).sum() * step
        best = np.nan_to_num(p / (p + q), nan=0.5)
        jsd = terms(p, (p + q) / 2) / 2 + terms(q, (p + q) / 2) / 2
        return terms(p, q), jsd, torch.from_numpy(best), terms(p, p + q) + terms(q, p + q)
""",
    },
    "play": {
        "without the other tasks, by autograd": """
def play(z, clusters, weights, noise, spread, rate_judge, rate_codes):
    history = []
    one_hot = F.one_hot(clusters, len(weights)).to(z.dtype)
    counts = one_hot.sum(0)[:, None]
    def logits(v, w):
        return (torch.cat([torch.ones_like(v[:, :1]), v, v * v], 1) * (one_hot @ w)).sum(1)
    for e in noise:
        means = one_hot.T @ z / counts
        deviations = (one_hot.T @ (z - one_hot @ means).square() / counts).sqrt()
        drawn = one_hot @ means + spread * (one_hot @ deviations) * e
        w = weights.clone().requires_grad_()
        loss = F.softplus(-logits(drawn, w)).mean() + F.softplus(logits(z, w)).mean()
        history.append(loss.item())
        weights = weights - rate_judge * torch.autograd.grad(loss, w)[0]
        v = z.clone().requires_grad_()
        z = z - rate_codes * torch.autograd.grad(F.softplus(-logits(v, weights)).sum(), v)[0]
    return z, weights, history
""",
        "numbers of NumPy, single precision": _play(keep="history.append(torch.tensor(float(loss)).numpy()[()])"),
        "slopes of the third task": _play(
            push="(-n * encoder_loss((low * own).sum(1), False)[1])[:, None]",
        ),
        "cluster by cluster": """
def play(z, clusters, weights, noise, spread, rate_judge, rate_codes):
    z, weights, history = z.clone(), weights.clone(), []
    n, d = z.shape
    features = lambda v: torch.cat([v.new_ones(len(v), 1), v, v**2], 1)
    for e in noise:
        loss = 0.0
        for k in range(len(weights)):
            mine = clusters == k
            own = z[mine]
            drawn = own.mean(0) + spread * own.var(0, unbiased=False).sqrt() * e[mine]
            up, low = features(drawn), features(own)
            s, t = up @ weights[k], low @ weights[k]
            loss += (F.softplus(-s).sum() + F.softplus(t).sum()).item() / n
            weights[k] += rate_judge / n * (torch.sigmoid(-s) @ up - torch.sigmoid(t) @ low)
            push = torch.sigmoid(-(low @ weights[k]))[:, None]
            z[mine] = own + rate_codes * push * (weights[k, 1 : d + 1] + 2 * weights[k, d + 1 :] * own)
        history.append(loss)
    return z, weights, history
""",
    },
    "told_and_not": {
        "by the JSD": """
def told_and_not(a, b, shares, step):
    value = lambda p, q: 2 * divergences(p, q, step)[1] - 2 * math.log(2)
    told = torch.tensor([value(p, q) for p, q in zip(a, b)]).to(shares.dtype) @ shares
    return float(told), value((shares[:, None] * a).sum(0), (shares[:, None] * b).sum(0))
""",
        "one grid for all, weighted": """
def told_and_not(a, b, shares, step):
    joint = [(shares[:, None] * part).flatten() for part in (a, b)]
    told = divergences(joint[0], joint[1], step)[3]
    return told, divergences(torch.einsum("k,kg->g", shares, a), torch.einsum("k,kg->g", shares, b), step)[3]
""",
    },
    "mended_training": {
        "detached where it does not belong": _training(
            [
                "on_weights, = torch.autograd.grad(judging, weights)",
                "on_z, = torch.autograd.grad(fooling, z)",
            ],
            points="z.detach()",
        ),
        "numbers of NumPy, single precision": _training(
            _OWN, keep="history.append((judging.detach().numpy()[()], fooling.detach().numpy()[()]))"
        ),
        "fooling first": _training(
            [
                "on_z, = torch.autograd.grad(fooling, z, retain_graph=True)",
                "on_weights, = torch.autograd.grad(judging, weights)",
            ]
        ),
        "by hand": """
def mended_training(z, clusters, means, deviations, noise, rate_judge=0.5, rate_codes=0.05):
    n, d = z.shape
    weights, history = torch.zeros(len(means), 1 + 2 * d, dtype=z.dtype), []
    for epsilon in noise:
        up, low = (torch.cat([torch.ones_like(v[:, :1]), v, v**2], 1)
                   for v in (means[clusters] + 0.5 * deviations[clusters] * epsilon, z))
        own = weights[clusters]
        s, t = (up * own).sum(1), (low * own).sum(1)
        history.append(((F.softplus(-s) + F.softplus(t)).mean().item(), F.softplus(-t).mean().item()))
        rows = torch.sigmoid(-s)[:, None] * up - torch.sigmoid(t)[:, None] * low
        z = z + rate_codes * torch.sigmoid(-t)[:, None] * (own[:, 1 : d + 1] + 2 * own[:, d + 1 :] * z)
        weights = weights + rate_judge / n * torch.zeros_like(weights).index_add(0, clusters, rows)
    return z, weights, history
""",
    },
}

WRONG = {
    "draw": {
        "variance for the width": (
            _draw("means[clusters] + spread * deviations[clusters] ** 2 * noise"), "You took the variance",
        ),
        "root of the deviation": (
            _draw("means[clusters] + spread * deviations[clusters].sqrt() * noise"), "You took the root of σ",
        ),
        "spread as a variance": (
            _draw("means[clusters] + spread ** 0.5 * deviations[clusters] * noise"), "no root of it",
        ),
        "spread squared": (_draw("means[clusters] + spread ** 2 * deviations[clusters] * noise"), "no square"),
        "no spread": (_draw("means[clusters] + deviations[clusters] * noise"), "Your ρ has no effect"),
        "no width": (_draw("means[clusters] + spread * noise"), "σ of the sample's cluster is missing"),
        "one width for all": (
            _draw("means[clusters] + spread * deviations.mean() * noise"), "All clusters have the same width",
        ),
        "center narrowed, too": (
            _draw("spread * (means[clusters] + deviations[clusters] * noise)"), "the centre stays where it is",
        ),
        "no center": (_draw("spread * deviations[clusters] * noise"), "The centre is missing"),
        "centers only": (_draw("means[clusters] + 0 * noise"), "There is no noise"),
        "any cluster of the mixture": (
            "def draw(means, deviations, clusters, noise, spread):\n"
            "    c = torch.randint(len(means), clusters.shape)\n"
            "    return means[c] + spread * deviations[c] * noise\n",
            "each is to come from the *assigned* one",
        ),
        "clusters in another order": (
            "def draw(means, deviations, clusters, noise, spread):\n"
            "    c = clusters.sort().values\n"
            "    return means[c] + spread * deviations[c] * noise\n",
            "each is to come from the *assigned* one",
        ),
        "noise of its own": (
            _draw("means[clusters] + spread * deviations[clusters] * torch.randn(noise.shape)"),
            "take the ε that are given to you",
        ),
        "the width of cluster 0": (
            _draw("means[clusters] + spread * deviations[0] * noise"), "have the width of cluster 0",
        ),
        "the center of cluster 0": (
            _draw("means[0] + spread * deviations[clusters] * noise"), "have the centre of cluster 0",
        ),
        "one side": (_draw("means[clusters] + spread * deviations[clusters] * noise.abs()"), "ε keeps its sign"),
        "always half": (_draw("means[clusters] + 0.5 * deviations[clusters] * noise"), "Your ρ is always ½"),
        "spread of 1 at most": (
            _draw("means[clusters] + min(spread, 1.0) * deviations[clusters] * noise"), "Your ρ has no effect",
        ),
        "another row's noise": (
            _draw("means[clusters] + spread * deviations[clusters] * noise.flip(0)"), "Row ",
        ),
        "a table for each cluster": (
            _draw("means[:, None] + spread * deviations[:, None] * noise"), "must have shape (30, 3)",
        ),
    },
    "discriminator_loss": {
        "real and fake exchanged": (
            _judge("return F.softplus(drawn).mean() + F.softplus(-encoded).mean()"), "D near 1 says *draw*",
        ),
        "arguments exchanged": (
            _judge(
                "of = positive * F.softplus(-encoded) + (1 - positive) * F.softplus(encoded)",
                "return of.mean() + F.softplus(drawn).mean()",
            ),
            "You exchanged draws and codes",
        ),
        "the objective itself": (
            _judge("return F.logsigmoid(drawn).mean() + F.logsigmoid(-encoded).mean()"), "The sign is wrong",
        ),
        "draws only": (
            _judge("return (positive * F.softplus(-drawn) + (1 - positive) * F.softplus(drawn)).mean()"),
            "The codes' half is missing",
        ),
        "no gradient": (
            _judge(
                "of = positive * F.softplus(-drawn) + (1 - positive) * F.softplus(drawn)",
                "return (of.mean() + F.softplus(encoded).mean()).detach()",
            ),
            "make no new tensor of a plain number",
        ),
        "codes detached": (
            _judge(
                "of = positive * F.softplus(-drawn) + (1 - positive) * F.softplus(drawn)",
                "return of.mean() + F.softplus(encoded.detach()).mean()",
            ),
            "no gradient flows to the codes' logits",
        ),
        "infinity in the half that is not chosen": (
            _judge(
                "up = lambda s: torch.where(s > 0, torch.log1p(torch.exp(-s)), torch.log1p(torch.exp(s)) - s)",
                "return (positive * up(drawn) + (1 - positive) * up(-drawn)).mean() + up(-encoded).mean()",
            ),
            "is infinite or NaN",
        ),
        "target 1 for codes": (
            _judge("return F.softplus(-drawn).mean() + F.softplus(-encoded).mean()"), "Codes have target 0 here",
        ),
        "sum": (
            _judge("return F.softplus(-drawn).sum() + F.softplus(encoded).sum()"), "Yours is a sum over the samples",
        ),
        "one mean for both": (
            _judge("return torch.cat([F.softplus(-drawn), F.softplus(encoded)]).mean()"), "one mean over draws",
        ),
        "half of the sum": (
            _judge("return (F.softplus(-drawn).mean() + F.softplus(encoded).mean()) / 2"), "the mean of the two halves",
        ),
        "always target 1": (
            _judge("return F.softplus(-drawn).mean() + F.softplus(encoded).mean()"), "Your t has no effect",
        ),
        "the rest of the target forgotten": (
            _judge("return positive * F.softplus(-drawn).mean() + F.softplus(encoded).mean()"),
            "The part with 1 − t is missing",
        ),
        "both targets softened": (
            _judge(
                "f = F.softplus",
                "up = positive * f(-drawn) + (1 - positive) * f(drawn)",
                "return up.mean() + (positive * f(encoded) + (1 - positive) * f(-encoded)).mean()",
            ),
            "Only the draws' target is t",
        ),
        "t weighs the halves": (
            _judge("return positive * F.softplus(-drawn).mean() + (1 - positive) * F.softplus(encoded).mean()"),
            "t does not weigh the two halves",
        ),
        "always .9": (
            _judge("return (0.9 * F.softplus(-drawn) + 0.1 * F.softplus(drawn)).mean() + F.softplus(encoded).mean()"),
            "Your t is always .9",
        ),
        "t for the codes": (
            _judge(
                "f, t = F.softplus, positive",
                "return f(-drawn).mean() + (t * f(encoded) + (1 - t) * f(-encoded)).mean()",
            ),
            "You gave t to the codes",
        ),
        "t and 1 − t exchanged": (
            _judge(
                "f, t = F.softplus, positive",
                "return ((1 - t) * f(-drawn) + t * f(drawn)).mean() + f(encoded).mean()",
            ),
            "For draws t belongs to log D",
        ),
        "one number of samples": (
            _judge(
                "f, t = F.softplus, positive",
                "return ((t * f(-drawn) + (1 - t) * f(drawn)).sum() + f(encoded).sum()) / len(drawn)",
            ),
            "by the number of draws",
        ),
        "base 2": (
            _judge(
                "f, t = F.softplus, positive",
                "return ((t * f(-drawn) + (1 - t) * f(drawn)).mean() + f(encoded).mean()) / math.log(2)",
            ),
            "has base 2",
        ),
        "log of a rounded sigmoid": (
            _judge(
                _D_OF_BOTH,
                "up = positive * d.log() + (1 - positive) * (1 - d).log()",
                "return -up.mean() - (1 - e).log().mean()",
            ),
            "For logits of ±200",
        ),
        "log cut off": (
            _judge(
                _D_OF_BOTH,
                "log = lambda v: v.clamp(1e-8).log()",
                "return -(positive * log(d) + (1 - positive) * log(1 - d)).mean() - log(1 - e).mean()",
            ),
            "For logits of ±200",
        ),
        "logits taken for probabilities": (
            _judge("return -drawn.log().mean() - (1 - encoded).log().mean()"), "The arguments are logits",
        ),
        "sigmoid twice": (
            _judge("f = F.softplus", "return f(-drawn.sigmoid()).mean() + f(encoded.sigmoid()).mean()"),
            "You applied the sigmoid twice",
        ),
        "squares": (
            _judge(_D_OF_BOTH, "return (d - positive).square().mean() + e.square().mean()"), "a squared difference",
        ),
        "a plain number": (
            _judge(
                "up = positive * F.softplus(-drawn) + (1 - positive) * F.softplus(drawn)",
                "return float(up.mean() + F.softplus(encoded).mean())",
            ),
            "Return the loss as a tensor",
        ),
        "one for each sample": (
            _judge("return F.softplus(-drawn).mean() + F.softplus(encoded)"), "is a single number",
        ),
    },
    "encoder_loss": {
        "exchanged": (_fool(_OTHER, _SATURATING), "you return the other one"),
        "always non-saturating": (_fool(_OTHER, _OTHER), "you return the other one"),
        "the discriminator's": (
            _fool("F.softplus(s).mean(), d / n", _OTHER), "The sign of the saturating loss is wrong",
        ),
        "target 0 kept": (_fool(_SATURATING, "F.softplus(s).mean(), d / n"), "is the *discriminator's*"),
        "sum": (_fool("-F.softplus(s).sum(), -d", "F.softplus(-s).sum(), d - 1"), "yours is a sum"),
        "slopes of a sum": (_fool("-F.softplus(s).mean(), -d", "F.softplus(-s).mean(), d - 1"), "The 1/n is missing"),
        "pushes for slopes": (
            _fool("-F.softplus(s).mean(), d / n", "F.softplus(-s).mean(), (1 - d) / n"), "The sign of the slopes",
        ),
        "slopes exchanged": (
            _fool("-F.softplus(s).mean(), (d - 1) / n", "F.softplus(-s).mean(), -d / n"), "the slopes of the other one",
        ),
        "by D": (
            _fool("-F.softplus(s).mean(), -1 / (1 - d) / n", "F.softplus(-s).mean(), -1 / d / n"), "derivative by D",
        ),
        "without the logarithm": (
            _fool("-F.softplus(s).mean(), -d * (1 - d) / n", "F.softplus(-s).mean(), -d * (1 - d) / n"),
            "a logarithm in front of it",
        ),
        "log of a rounded sigmoid": (
            """
def encoder_loss(encoded, saturating):
    s = encoded.clone().requires_grad_()
    d = torch.sigmoid(s)
    loss = (1 - d).log().mean() if saturating else -d.log().mean()
    return loss.detach(), torch.autograd.grad(loss, s)[0]
""",
            "A sigmoid is rounded",
        ),
        "slopes of one loss for both": (
            _fool("-F.softplus(s).mean(), (d - 1) / n", _OTHER), "d/ds log(1 − D) = −D",
        ),
        "fifteen codes": (
            _fool("-F.softplus(s).mean(), -d / 15", "F.softplus(-s).mean(), -torch.sigmoid(-s) / 15"),
            "with n = 4, the slope",
        ),
        "half": (
            _fool("-F.softplus(s).mean(), -d / n / 2", "F.softplus(-s).mean(), -torch.sigmoid(-s) / n / 2"),
            "are halved",
        ),
        "base 2": (
            _fool("-F.softplus(s).mean() / math.log(2), -d / n", _OTHER), "has base 2",
        ),
        "loss only": (_fool("-F.softplus(s).mean()", "F.softplus(-s).mean()"), "two things, the loss and its slopes"),
    },
    "divergences": {
        "the wrong way": (_measure(kl="kl(b, a)"), "That is KL(b‖a)"),
        "negative KL": (_measure(kl="-kl(a, b)"), "The sign of KL is wrong"),
        "no step": (
            _measure(body="float((torch.xlogy(f, f) - torch.xlogy(f, g)).sum())"), "The step of the grid is missing",
        ),
        "mean for sum": (_measure(body="float((torch.xlogy(f, f) - torch.xlogy(f, g)).mean())"), "no mean"),
        "cross entropy": (_measure(kl="float(-step * torch.xlogy(a, b).sum())"), "That is the cross entropy"),
        "log of 0": (
            _measure(body="float(step * (f * (f / g).log()).sum())"), "KL is infinite",
        ),
        "log kept from 0": (
            _measure(body="float(step * (f * ((f + 1e-12) / (g + 1e-12)).log()).sum())"), "KL is infinite",
        ),
        "NaN thrown away": (
            _measure(body="float(step * torch.nan_to_num(f * (f / g).log(), posinf=0.0).sum())"), "KL is infinite",
        ),
        "mean of both KL": (_measure(jsd="(kl(a, b) + kl(b, a)) / 2"), "compared with their mixture m"),
        "JSD twice": (_measure(jsd="kl(a, m) + kl(b, m)"), "yours is twice the JSD"),
        "JSD from the mixture": (_measure(jsd="(kl(m, a) + kl(m, b)) / 2"), "Yours is KL of m from a and b"),
        "mixture is a sum": (_measure(jsd="(kl(a, a + b) + kl(b, a + b)) / 2"), "the half is missing"),
        "base 2": (_measure(jsd="(kl(a, m) + kl(b, m)) / 2 / math.log(2)"), "has base 2"),
        "codes positive": (_measure(best="1 - best"), "Your D is b/(a + b)"),
        "ratio": (_measure(best="a / b"), "Your D is a/b"),
        "hard": (_measure(best="(a > b).double()"), "Your D is hard"),
        "nothing where nobody looks": (_measure(best="a / (a + b)"), "½ where both are 0"),
        "something small": (_measure(best="(a + 1e-9) / (a + b + 2e-9)"), "Densities can be as small themselves"),
        "KL both ways": (_measure(kl="kl(a, b) + kl(b, a)"), "KL(a‖b) alone was asked for"),
        "half of one": (_measure(jsd="kl(a, m) / 2 + kl(b, m)"), "yours only KL(a‖m)"),
        "NaN": (_measure(body="float(step * (f * (f.log() - g.log())).sum())"), "`torch.xlogy` knows better"),
        "J in base 2": (
            _measure(value="float(step * (torch.xlogy(a, best) + torch.xlogy(b, less)).sum()) / math.log(2)"),
            "in your J has base 2",
        ),
        "J of lemma 2, once log 2": (_measure(value="kl(a, m) + kl(b, m) - math.log(2)"), "yours − log 2"),
        "J of the codes": (_measure(value="float(step * torch.xlogy(b, less).sum())"), "draws' part of J is missing"),
        "J subtracted": (
            _measure(value="float(step * (torch.xlogy(a, best) - torch.xlogy(b, less)).sum())"),
            "The two parts of J are added",
        ),
        "J with the other sign": (
            _measure(value="-float(step * (torch.xlogy(a, best) + torch.xlogy(b, less)).sum())"), "The sign of J",
        ),
        "J without the constant": (_measure(value="kl(a, m) + kl(b, m)"), "lemma 2 has − 2 log 2 as well"),
        "J of the draws": (_measure(value="float(step * torch.xlogy(a, best).sum())"), "codes' part of J is missing"),
        "log D for both": (
            _measure(value="float(step * (torch.xlogy(a, best) + torch.xlogy(b, best)).sum())"), "not log D",
        ),
        "log of a rounded 1 − D": (
            _measure(value="float(step * (torch.xlogy(a, best) + torch.xlogy(b, 1 - best)).sum())"), "1 − D* is b",
        ),
    },
    "play": {
        "clusters stay": (_play(follow="len(history) == 0"), "Your clusters stay where they were"),
        "centers stay": (
            _play(start="first = torch.stack([z[clusters == k].mean(dim=0) for k in range(len(weights))])")
            .replace("draw(means,", "draw(first,"),
            "Your centres stay where they were",
        ),
        "widths stay": (
            _play(start="first = torch.stack([z[clusters == k].std(0, correction=0) for k in range(len(weights))])")
            .replace("draw(means, deviations,", "draw(means, first,"),
            "Your widths stay what they were",
        ),
        "one table of noise": (_play().replace("clusters, epsilon,", "clusters, noise[0],"), "the first table"),
        "always half": (_play(spread="0.5"), "Your ρ is always ½"),
        "codes only": (_play(rows="-torch.sigmoid(t)[:, None] * low"), "learns from codes only"),
        "push of the old discriminator": (_play(push="torch.sigmoid(-t)[:, None]"), "that of the old discriminator"),
        "w and u exchanged": (_play(hill="own[:, d + 1 :] + 2 * own[:, 1 : d + 1] * z"), "You exchanged w and u"),
        "target .9": (
            _play(rows="(0.9 - torch.sigmoid(s))[:, None] * up - torch.sigmoid(t)[:, None] * low"), "here t = 1",
        ),
        "no factors": (_play(rows="up - low"), "After 1 round the number in row"),
        "slope one place early": (_play(hill="own[:, :d] + 2 * own[:, d : 2 * d] * z"), "The weights are right."),
        "J in the history": (_play(keep="history.append(-float(loss))"), "yours is J"),
        "variance for the width": (_play(widths="var(dim=0, correction=0)"), "You took variances for σ"),
        "one less": (_play(widths="std(dim=0)"), "correction=0"),
        "full width": (_play(spread="1.0"), "ρ is missing"),
        "real and fake exchanged": (
            _play(
                loss="discriminator_loss(t, s, 1.0)",
                rows="torch.sigmoid(-t)[:, None] * low - torch.sigmoid(s)[:, None] * up",
            ),
            "You exchanged draws and codes",
        ),
        "discriminator uphill": (_play(step="weights = weights - rate_judge / n * total"), "uphill on its loss"),
        "discriminator at rest": (_play(step="pass"), "Your discriminator did not move"),
        "sum for mean": (_play(step="weights = weights + rate_judge * total"), "has 1/n"),
        "mean of each cluster": (
            _play(step="weights = weights + rate_judge * total / torch.bincount(clusters)[:, None]"),
            "not by the cluster's size",
        ),
        "not told": (_play(of="(0 * clusters)", own="weights[0 * clusters]"), "is not told the cluster"),
        "old surface": (_play(own="old[clusters]"), "climb the old surface"),
        "saturating": (_play(push="torch.sigmoid((low * own).sum(1))[:, None]"), "the saturating loss"),
        "climbs the logit": (_play(push="1.0"), "the factor 1 − D of log D is missing"),
        "slope without the squares": (_play(hill="own[:, 1 : d + 1]"), "lacks the squares"),
        "slope without the 2": (_play(hill="own[:, 1 : d + 1] + own[:, d + 1 :] * z"), "the 2 is missing"),
        "codes flee": (_play(move="z = z - rate_codes * push * hill"), "they flee"),
        "codes at rest": (_play(move="pass"), "Your codes did not move"),
        "codes by the mean": (_play(move="z = z + rate_codes / n * push * hill"), "not by 1/n of it"),
        "loss after the step": (
            _play(keep="pass", late=_AFTER),
            "yours is that after it",
        ),
        "history of tensors": (_play(keep="history.append(torch.as_tensor(loss))"), "a list of plain numbers"),
        "written into its arguments": (_play(move="z += rate_codes * push * hill"), "changed its argument"),
    },
    "told_and_not": {
        "exchanged": (_told(_MIXED, _TOLD), "You exchanged the two results"),
        "all clusters equal": (
            _told("sum(divergences(p, q, step)[3] for p, q in zip(a, b)) / len(a)", _MIXED), "a mean with the *shares*",
        ),
        "sum over the clusters": (
            _told("sum(divergences(p, q, step)[3] for p, q in zip(a, b))", _MIXED), "yours is a sum over the clusters",
        ),
        "told is not told": (_told(_MIXED, _MIXED), "Your J told is that of the mixtures"),
        "the best cluster": (
            _told("max(divergences(p, q, step)[3] for p, q in zip(a, b))", _MIXED), "not the best of them",
        ),
        "JSD": (_told(_TOLD.replace("[3]", "[1]"), _MIXED.replace("[3]", "[1]")), "Yours is the JSD"),
        "JSD of the mixtures": (_told(_TOLD, _MIXED.replace("[3]", "[1]")), "Yours is the JSD"),
        "mixtures without shares": (_told(_TOLD, "divergences(a.mean(0), b.mean(0), step)[3]"), "all clusters equal"),
        "mixtures as sums": (_told(_TOLD, "divergences(a.sum(0), b.sum(0), step)[3]"), "plain sums"),
        "codes without shares": (_told(_TOLD, "divergences(shares @ a, b.mean(0), step)[3]"), "also the codes'"),
        "not told is told": (_told(_TOLD, "told"), "Your J not told is J told"),
        "one cluster": (_told(_TOLD, "divergences(a[0], b[0], step)[3]"), "that of one cluster"),
        "shares twice": (
            _told("sum(float(s) ** 2 * divergences(p, q, step)[3] for s, p, q in zip(shares, a, b))", _MIXED),
            "The shares are in your J told twice",
        ),
        "largest cluster": (
            _told("divergences(a[shares.argmax()], b[shares.argmax()], step)[3]", _MIXED), "of the largest cluster",
        ),
        "a step of its own": (_told(_TOLD.replace("step", "0.5"), _MIXED.replace("step", "0.5")), "J told is"),
        "all four results": (
            _told("[divergences(p, q, step) for p, q in zip(a, b)]", "divergences(shares @ a, shares @ b, step)"),
            "must be a number",
        ),
    },
    "mended_training": {
        "not mended": (_training(_SUM), "That is still the broken one"),
        "codes only": (_training(_grads("judging + fooling", "fooling")), "the weights still follow the encoder's"),
        "detached, and still one sum": (_training(_SUM, points="z.detach()"), "the weights still follow the encoder's"),
        "weights only": (_training(_grads("judging", "judging + fooling")), "codes still follow"),
        "gradients that pile up": (
            _training(
                ["judging.backward(retain_graph=True)", "fooling.backward(inputs=[z])"]
                + ["on_weights, on_z = weights.grad, z.grad"],
                after="weights.grad = z.grad = None",
            ),
            "codes still follow",
        ),
        "one loss for both": (_training(_grads("judging", "judging")), "the codes learn to be found out"),
        "the encoder's for both": (_training(_grads("fooling", "fooling")), "learns to call codes draws"),
        "exchanged": (_training(_grads("fooling", "judging")), "You exchanged the two"),
        "difference": (_training(_grads("judging - fooling", "fooling - judging")), "You subtracted the losses"),
        "saturating": (_training(_grads("judging", "-F.softplus(logits(z)).mean()")), "the saturating loss"),
        "in turns": (
            _training(
                [
                    "on_weights, = torch.autograd.grad(judging, weights)",
                    "with torch.no_grad(): weights -= rate_judge * on_weights",
                    "on_z, = torch.autograd.grad(F.softplus(-logits(z)).mean(), z)",
                    "on_weights = 0 * on_weights",
                ]
            ),
            "here both move at once",
        ),
        "its own rates": (
            _training(_OWN).replace("rate_judge * on", "0.5 * on").replace("rate_codes *", "0.05 *"),
            "they are the arguments `rate_judge`",
        ),
        "codes by the mean": (
            _training(_OWN).replace("rate_codes * len(z) *", "rate_codes *"), "leave `len(z)` there",
        ),
        "full width": (_training(_OWN).replace("0.5 * deviations", "deviations"), "half of the cluster's width"),
        "draws only": (_training(_grads("F.softplus(-logits(drawn)).mean()", "fooling")), "learns from draws only"),
        "losses after the step": (
            _training(
                _OWN,
                keep="pass",
                after="s, t = logits(drawn), logits(z); "
                "history.append((float(F.softplus(-s).mean() + F.softplus(t).mean()), float(F.softplus(-t).mean())))",
            ),
            "yours are those after it",
        ),
        "codes cut off": (
            _training([_OWN[0], "on_z = torch.zeros_like(z)"]), "Your codes do not move",
        ),
        "clusters that follow": (
            _training(
                _OWN,
                first="means = torch.stack([z.detach()[clusters == k].mean(dim=0) for k in range(len(means))])",
            ),
            "Mend the mistake",
        ),
        "history of the encoder": (
            _training(_OWN, keep="history.append((fooling.item(), judging.item()))"), "you exchanged the two",
        ),
    },
}  # fmt: skip
