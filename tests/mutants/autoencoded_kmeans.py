"""Answers to the assignment Autoencoded k-means: right ones written differently, and the mistakes that students make.

RIGHT[task][name] is code, WRONG[task][name] is (code, a part of what the student is told about it).
"""


def changed(source, *pairs):
    for old, new in pairs:
        assert old in source, old
        source = source.replace(old, new)
    return source


# One template a task, in which a mistake changes a line.

LOSS = """
def kmeans_loss(h, centers):
    table = ((h[:, None] - centers) ** 2).sum(2)
    return table.min(1).values.mean() / 2
"""
PULLS = """
def pulls(h, centers):
    nearest = torch.cdist(h, centers).argmin(1)
    by_codes = (h - centers[nearest]) / len(h)
    by_centers = torch.zeros_like(centers)
    for k in range(len(centers)):
        by_centers[k] = (centers[k] - h[nearest == k]).sum(0) / len(h)
    return by_codes, by_centers
"""
STEP = """
def joint_step(x, target, encoder, decoder, centers, weight, learning_rate):
    W1, b1, W2, b2, mu = parts = [part.clone().requires_grad_() for part in (*encoder, *decoder, centers)]
    h = torch.tanh(x @ W1.T + b1)
    first = ((h @ W2.T + b2 - target) ** 2).mean()
    nearest = torch.cdist(h.detach(), mu.detach()).argmin(1)
    second = ((h - mu[nearest]) ** 2).sum(1).mean() / 2
    (first + weight * second).backward()
    V1, a1, V2, a2, nu = [(part - learning_rate * part.grad).detach() for part in parts]
    return (V1, a1), (V2, a2), nu, (float(first.detach()), float(second.detach()))
"""
ALARM = """
def alarm(h, centers):
    labels = torch.cdist(h, centers).argmin(1)
    spread = ((h - h.mean(0)) ** 2).sum() / len(h)
    sizes = [int((labels == k).sum()) for k in range(len(centers))]
    return spread.item(), sum(size > 0 for size in sizes), max(sizes) / len(h)
"""
SHARE = """
def share_loss(h, centers):
    nearest = torch.cdist(h.detach(), centers.detach()).argmin(1)
    within = ((h - centers[nearest]) ** 2).sum()
    total = ((h - h.mean(0)) ** 2).sum()
    return within / total
"""
MENDED = """
def mended_joint(x, encoder, decoder, centers, weight, learning_rate, n_steps=100):
    W1, b1, W2, b2, mu = parts = [part.clone().requires_grad_() for part in (*encoder, *decoder, centers)]
    optimizer = torch.optim.SGD(parts, lr=learning_rate)
    history = []
    for _ in range(n_steps):
        h = torch.tanh(F.linear(x, W1, b1))
        reconstruction = (F.linear(h, W2, b2) - x).square().mean()
        nearest = torch.cdist(h.detach(), mu.detach()).argmin(dim=1)
        clustering = (h - mu[nearest]).square().sum(dim=1).mean() / 2
        history.append((reconstruction.item(), clustering.item()))
        optimizer.zero_grad()
        (reconstruction + weight * clustering).backward()
        optimizer.step()
    W1, b1, W2, b2, mu = (part.detach() for part in parts)
    return (W1, b1), (W2, b2), mu, history
"""

RIGHT = {
    "kmeans_loss": {
        "a table": LOSS,
        "cdist": """
def kmeans_loss(h, centers):
    return 0.5 * (torch.cdist(h, centers) ** 2).amin(dim=1).sum() / h.shape[0]
""",
    },
    "pulls": {
        "a loop": PULLS,
        "one-hot": """
def pulls(h, centers):
    chosen = F.one_hot(torch.cdist(h, centers).argmin(1), len(centers)).float()
    away = h - chosen @ centers
    return away / len(h), -chosen.T @ away / len(h)
""",
        "in double precision": """
def pulls(h, centers):
    h, centers = h.double(), centers.double()
    chosen = torch.eye(len(centers)).double()[torch.cdist(h, centers).argmin(1)]
    by_centers = (chosen.sum(0)[:, None] * centers - chosen.T @ h) / len(h)
    return (h - chosen @ centers) / len(h), by_centers
""",
    },
    "joint_step": {
        "backward": STEP,
        "an optimizer": """
def joint_step(x, target, encoder, decoder, centers, weight, learning_rate):
    parts = [torch.nn.Parameter(part.clone()) for part in (*encoder, *decoder, centers)]
    optimizer = torch.optim.SGD(parts, lr=learning_rate)
    h = F.linear(x, *parts[:2]).tanh()
    terms = F.mse_loss(F.linear(h, *parts[2:4]), target), torch.cdist(h, parts[4]).square().amin(1).mean() / 2
    (terms[0] + weight * terms[1]).backward()
    optimizer.step()
    new = [part.detach() for part in parts]
    return new[:2], new[2:4], new[4], [term.item() for term in terms]
""",
        "NumPy's numbers": changed(
            STEP,
            ("float(first.detach())", "first.detach().numpy()[()]"),
            ("float(second.detach())", "second.detach().numpy()[()]"),
        ),
        "in double precision": changed(
            STEP, ("part.clone().requires_grad_()", "part.double().requires_grad_()"), ("x @ W1", "x.double() @ W1")
        ),
    },
    "alarm": {
        "sizes in a list": ALARM,
        "variance": """
def alarm(h, centers):
    labels = torch.cdist(h, centers).argmin(1)
    used, sizes = labels.unique(return_counts=True)
    return float(h.var(0, correction=0).sum()), len(used), sizes.max().item() / len(labels)
""",
        "NumPy": """
def alarm(h, centers):
    import numpy as np

    h, centers = h.numpy(), centers.numpy()
    labels = ((h[:, None] - centers) ** 2).sum(2).argmin(1)
    sizes = np.bincount(labels, minlength=len(centers))
    return np.var(h, axis=0).sum(), np.sum(sizes > 0), sizes.max() / len(h)
""",
    },
    "share_loss": {
        "two sums": SHARE,
        "two means": """
def share_loss(h, centers):
    within = ((h[:, None] - centers) ** 2).sum(2).min(1).values.mean()
    return within / h.var(0, correction=0).sum()
""",
        "the mean as a constant": changed(SHARE, ("h.mean(0)", "h.mean(0).detach()")),  # its derivative there is 0
    },
    "mended_joint": {
        "the choice alone": MENDED,
        "minimum of a table": changed(
            MENDED,
            ("        nearest = torch.cdist(h.detach(), mu.detach()).argmin(dim=1)\n", ""),
            (
                "(h - mu[nearest]).square().sum(dim=1).mean() / 2",
                "(h[:, None] - mu).square().sum(dim=2).amin(dim=1).mean() / 2",
            ),
        ),
        "task 3 in a loop": """
def mended_joint(x, encoder, decoder, centers, weight, learning_rate, n_steps=100):
    history = []
    for _ in range(n_steps):
        encoder, decoder, centers, terms = joint_step(x, x, encoder, decoder, centers, weight, learning_rate)
        history.append(terms)
    return encoder, decoder, centers, history
""",
        "NumPy's numbers": changed(
            MENDED,
            ("reconstruction.item()", "reconstruction.detach().numpy()[()]"),
            ("clustering.item()", "clustering.detach().numpy()[()]"),
        ),
    },
}

WRONG = {
    "kmeans_loss": {
        "no half": (changed(LOSS, (" / 2", "")), "The ½ is missing"),
        "sum": (changed(LOSS, (".mean()", ".sum()")), "sum over the codes: (1) has their mean"),
        "mean over the units": (changed(LOSS, (".sum(2)", ".mean(2)")), "the mean over the numbers of a code"),
        "all centres": (changed(LOSS, (".min(1).values.mean()", ".sum(1).mean()")), "You summed over all centres"),
        "farthest": (changed(LOSS, (".min(1)", ".max(1)")), "the farthest centre"),
        "nearest code": (changed(LOSS, (".min(1)", ".min(0)")), "the nearest code of each centre"),
        "Euclidean": (changed(LOSS, ("table.min", "table.sqrt().min")), "Your distances are Euclidean"),
        "a plain number": (
            changed(LOSS, ("return table.min(1).values.mean() / 2", "return float(table.min(1).values.mean() / 2)")),
            "gradients must flow",
        ),
        "no gradient": (
            changed(LOSS, ("h[:, None]", "h.detach()[:, None]"), ("- centers", "- centers.detach()")),
            "make no new tensor of a plain number",
        ),
        "codes detached": (changed(LOSS, ("h[:, None]", "h.detach()[:, None]")), "no gradient flows to the codes"),
        "centres detached": (changed(LOSS, ("- centers", "- centers.detach()")), "no gradient flows to the centres"),
        "a new tensor": (
            changed(
                LOSS,
                ("return table.min(1).values.mean() / 2", "return torch.tensor(float(table.min(1).values.mean() / 2))"),
            ),
            "make no new tensor of a plain number",
        ),
        "three centres": (changed(LOSS, ("- centers)", "- centers[:3])")), "your loss is wrong"),
        "a mean for each cluster": (
            """
def kmeans_loss(h, centers):
    squares, nearest = ((h[:, None] - centers) ** 2).sum(2).min(1)
    return torch.stack([squares[nearest == k].mean() for k in nearest.unique()]).mean() / 2
""",
            "a mean for each cluster",
        ),
        "absolute": (changed(LOSS, ("(h[:, None] - centers) ** 2", "(h[:, None] - centers).abs()")), "are absolute"),
        "squared after the sum": (
            changed(LOSS, ("((h[:, None] - centers) ** 2).sum(2)", "(h[:, None] - centers).sum(2) ** 2")),
            "You summed before you squared",
        ),
        "the number of centres": (
            changed(LOSS, (".values.mean()", ".values.sum() / len(centers)")),
            "by the number of centres",
        ),
    },
    "pulls": {
        "wrong sign": (
            changed(PULLS, ("return by_codes, by_centers", "return -by_codes, -by_centers")),
            "by the codes has the wrong sign",
        ),
        "not divided": (
            changed(PULLS, ("(h - centers[nearest]) / len(h)", "h - centers[nearest]")),
            "is not divided by n",
        ),
        "twice": (
            changed(PULLS, ("return by_codes, by_centers", "return 2 * by_codes, 2 * by_centers")),
            "is twice what it is",
        ),
        "pushed together": (
            changed(PULLS, ("(centers[k] - h[nearest == k])", "(h[nearest == k] - centers[k])")),
            "by the centres has the wrong sign",
        ),
        "mean of the cluster": (
            changed(
                PULLS,
                (
                    "by_centers[k] = (centers[k] - h[nearest == k]).sum(0) / len(h)",
                    "mine = h[nearest == k]\n        by_centers[k] = (centers[k] - mine).sum(0) / max(len(mine), 1)",
                ),
            ),
            "by the number of codes in the cluster",
        ),
        "all codes": (changed(PULLS, ("h[nearest == k]", "h")), "every centre is pulled by all codes"),
        "NaN for an empty cluster": (
            changed(PULLS, (".sum(0) / len(h)", ".mean(0)")),
            "There is NaN in a gradient",
        ),
        "only the codes": (changed(PULLS, ("return by_codes, by_centers", "return by_codes")), "Return two things"),
        "three centres": (
            changed(PULLS, ("range(len(centers))", "range(min(len(centers), 3))")),
            "your gradient by the centres is wrong",
        ),
        "twice for the centres": (
            changed(PULLS, ("by_centers[k] = (", "by_centers[k] = 2 * (")),
            "by the centres is twice what it is",
        ),
        "one code for each centre": (
            """
def pulls(h, centers):
    nearest = torch.cdist(h, centers).argmin(1)
    by_codes = (h - centers[nearest]) / len(h)
    by_centers = torch.zeros_like(centers)
    by_centers[nearest] -= by_codes
    return by_codes, by_centers
""",
            "Each centre feels only one of its codes",
        ),
        "exchanged": (
            changed(PULLS, ("by_codes, by_centers\n", "by_centers, by_codes\n")),
            "Your results are exchanged",
        ),
        "the size of the cluster": (
            changed(
                PULLS, ("centers[nearest]) / len(h)", "centers[nearest]) / torch.bincount(nearest)[nearest, None]")
            ),
            "by the codes you divided by the size of the cluster",
        ),
        "in place": (
            changed(PULLS, ("torch.zeros_like(centers)", "centers")),
            "changed its argument `centers`",
        ),
    },
    "joint_step": {
        "the input as target": (changed(STEP, ("- target", "- x")), "compare with `target`"),
        "sum over the pixels": (
            changed(
                STEP,
                (
                    "first = ((h @ W2.T + b2 - target) ** 2).mean()",
                    "first = ((h @ W2.T + b2 - target) ** 2).sum(1).mean()",
                ),
            ),
            "a sum over the pixels",
        ),
        "mean over the units": (
            changed(STEP, ("(h - mu[nearest]) ** 2).sum(1)", "(h - mu[nearest]) ** 2).mean(1)")),
            "the mean over the numbers of a code",
        ),
        "no half": (changed(STEP, (".sum(1).mean() / 2", ".sum(1).mean()")), "The ½ is missing"),
        "terms exchanged": (
            changed(
                STEP,
                ("(float(first.detach()), float(second.detach()))", "(float(second.detach()), float(first.detach()))"),
            ),
            "Your terms are exchanged",
        ),
        "λ in the term": (changed(STEP, ("float(second.detach())", "weight * float(second.detach())")), "without λ"),
        "λ on the reconstruction": (
            changed(STEP, ("first + weight * second", "weight * first + second")),
            "λ is on the reconstruction",
        ),
        "no λ": (changed(STEP, ("first + weight * second", "first + second")), "λ is missing in the step"),
        "centres kept": (changed(STEP, ("nu, (float", "centers, (float")), "The centres have not moved"),
        "codes detached": (
            changed(STEP, ("(h - mu[nearest])", "(h.detach() - mu[nearest])")),
            "The clustering term does not reach the encoder",
        ),
        "centres detached": (
            changed(
                STEP,
                ("(h - mu[nearest])", "(h - mu.detach()[nearest])"),
                ("part.grad)", "(0 if part.grad is None else part.grad))"),
            ),
            "The centres have not moved",
        ),
        "uphill": (changed(STEP, ("part - learning", "part + learning")), "You went uphill"),
        "no learning rate": (changed(STEP, ("learning_rate * part", "part")), "The learning rate is missing"),
        "in place": (
            changed(
                STEP,
                ("    V1, a1,", "    with torch.no_grad():\n        centers -= learning_rate * mu.grad\n    V1, a1,"),
            ),
            "changed its argument `centers`",
        ),
        "weights above two": (
            changed(STEP, ("first + weight", "first + min(weight, 2)")),
            "your new centres are not those of one step",
        ),
        "no λ for the centres": (
            changed(
                STEP,
                ("    return (V1", "    nu = mu.detach() - learning_rate * mu.grad / (weight or 1)\n    return (V1"),
            ),
            "λ is missing in the step of the centres",
        ),
        "means of the codes": (
            changed(
                STEP,
                (
                    "    return (V1",
                    "    mine = [h[nearest == k].detach() for k in range(len(mu))]\n"
                    "    nu = torch.stack([m.mean(0) if len(m) else c for m, c in zip(mine, centers)])\n    return (V1",
                ),
            ),
            "Your centres jump to the means",
        ),
        "a mixture of the losses": (
            changed(STEP, ("(first + weight * second)", "((1 - weight) * first + weight * second)")),
            "(1 − λ)",
        ),
        "the reconstruction detached": (
            changed(STEP, ("((h @ W2.T", "((h.detach() @ W2.T")),
            "The reconstruction does not reach the encoder",
        ),
        "a rate of its own": (changed(STEP, ("learning_rate * part", "0.5 * part")), "`learning_rate` has no effect"),
        "a weight of its own": (changed(STEP, ("weight * second", "0.75 * second")), "λ has no effect on your step"),
        "no tanh": (changed(STEP, ("torch.tanh", "")), "Your network has no tanh"),
    },
    "alarm": {
        "n − 1": (changed(ALARM, ("/ len(h)\n    sizes", "/ (len(h) - 1)\n    sizes")), "You divided by n − 1"),
        "sum": (changed(ALARM, (".sum() / len(h)\n    sizes", ".sum()\n    sizes")), "Your spread is a sum"),
        "mean over the units": (
            changed(ALARM, (".sum() / len(h)\n    sizes", ".mean()\n    sizes")),
            "the mean over the numbers of a code",
        ),
        "from the origin": (changed(ALARM, ("(h - h.mean(0))", "h")), "You measured from the origin"),
        "from the centres": (
            changed(ALARM, ("h - h.mean(0)", "h - centers[labels]")),
            "You measured from the nearest centres",
        ),
        "all centres": (changed(ALARM, ("sum(size > 0 for size in sizes)", "len(centers)")), "You count all centres"),
        "the empty ones": (changed(ALARM, ("size > 0", "size == 0")), "the centres without a code"),
        "a size": (changed(ALARM, ("max(sizes) / len(h)", "max(sizes)")), "The largest share is a share"),
        "the first cluster": (changed(ALARM, ("max(sizes)", "sizes[2]")), "the share is 0.6; yours is 0.4"),
        "tensors": (changed(ALARM, ("spread.item()", "spread")), "All three are plain numbers"),
        "two units": (
            changed(ALARM, ("(h - h.mean(0)) ** 2", "(h[:, :2] - h[:, :2].mean(0)) ** 2")),
            "your spread is wrong",
        ),
        "more than one code": (changed(ALARM, ("size > 0", "size > 1")), "two are in use; you count 1"),
        "the highest number": (
            changed(ALARM, ("sum(size > 0 for size in sizes)", "int(labels.max()) + 1")),
            "You count all centres",
        ),
        "the cluster of number 0": (
            changed(ALARM, ("max(sizes)", "sizes[0]")),
            "the largest share is 0.75; yours is 0.25",
        ),
        "one mean for all": (changed(ALARM, ("h.mean(0)", "h.mean()")), "Your mean is one number"),
        "exchanged": (
            ALARM.replace(
                "sum(size > 0 for size in sizes), max(sizes) / len(h)", "max(sizes) / len(h), sum(map(bool, sizes))"
            ),
            "second and third results are exchanged",
        ),
    },
    "share_loss": {
        "explained": (changed(SHARE, ("within / total", "1 - within / total")), "share that *is* explained"),
        "exchanged": (changed(SHARE, ("within / total", "total / within")), "are exchanged"),
        "from the origin": (changed(SHARE, ("(h - h.mean(0))", "h")), "measured from the origin"),
        "mean over sum": (changed(SHARE, ("[nearest]) ** 2).sum()", "[nearest]) ** 2).mean()")), "A mean over a sum"),
        "sum over mean": (
            changed(SHARE, ("h.mean(0)) ** 2).sum()", "h.mean(0)) ** 2).sum(1).mean()")),
            "A sum over a mean",
        ),
        "half": (changed(SHARE, ("within / total", "within / 2 / total")), "a ½ in the numerator only"),
        "root": (changed(SHARE, ("within / total", "(within / total).sqrt()")), "You took the root"),
        "a plain number": (changed(SHARE, ("within / total", "float(within / total)")), "gradients must flow"),
        "the whole spread detached": (
            changed(SHARE, ("within / total", "within / total.detach()")),
            "its gradient by the codes is not",
        ),
        "the codes within detached": (
            changed(SHARE, ("within / total", "within.detach() / total")),
            "no gradient flows to the centres",
        ),
        "a small number below": (
            changed(SHARE, ("within / total", "within / (total + 1e-4)")),
            "a thousandth as large",
        ),
        "three centres": (
            changed(SHARE, ("    nearest", "    centers = centers[:3]\n    nearest")),
            "your loss is wrong",
        ),
        "n − 1": (changed(SHARE, ("within / total", "within / len(h) / h.var(0).sum()")), "divides by n − 1"),
        "a ratio for each code": (
            changed(
                SHARE,
                ("within / total", "(((h - centers[nearest]) ** 2).sum(1) / ((h - h.mean(0)) ** 2).sum(1)).mean()"),
            ),
            "You divided for each code",
        ),
        "what is explained below": (changed(SHARE, ("/ total", "/ (total - within)")), "what the centres explain"),
    },
    "mended_joint": {
        "not mended": (
            changed(MENDED, ("        nearest", "        h = h.detach()\n        nearest")),
            "still the same to the last digit",
        ),
        "detached in the term": (
            changed(MENDED, ("(h - mu[nearest])", "(h.detach() - mu[nearest])")),
            "still the same to the last digit",
        ),
        "under no_grad": (
            changed(
                MENDED,
                (
                    "h = torch.tanh(F.linear(x, W1, b1))\n        reconstruction = (F.linear(h, W2, b2) - x)",
                    "with torch.no_grad():\n            h = torch.tanh(F.linear(x, W1, b1))\n"
                    "        reconstruction = (F.linear(torch.tanh(F.linear(x, W1, b1)), W2, b2) - x)",
                ),
            ),
            "still the same to the last digit",
        ),
        "centres detached": (
            changed(MENDED, ("(h - mu[nearest])", "(h - mu.detach()[nearest])")),
            "change only what is wrong",
        ),
        "λ on both": (
            changed(MENDED, ("(reconstruction + weight * clustering)", "(weight * (reconstruction + clustering))")),
            "change only what is wrong",
        ),
        "no λ": (changed(MENDED, ("weight * clustering", "clustering")), "λ has no effect at all"),
        "no zero_grad": (changed(MENDED, ("        optimizer.zero_grad()\n", "")), "change only what is wrong"),
        "the start returned": (
            changed(MENDED, ("return (W1, b1), (W2, b2), mu, history", "return encoder, decoder, centers, history")),
            "what you return are not the layers and centres after the last step",
        ),
        "ten steps": (changed(MENDED, ("range(n_steps)", "range(10)")), "the history has 12 pairs"),
        "a rate of its own": (changed(MENDED, ("lr=learning_rate", "lr=0.3")), "`learning_rate` has no effect"),
        "λ in the history": (changed(MENDED, ("clustering.item()", "weight * clustering.item()")), "have λ in them"),
        "exchanged in the history": (
            changed(
                MENDED, ("(reconstruction.item(), clustering.item())", "(clustering.item(), reconstruction.item())")
            ),
            "Your pairs are exchanged",
        ),
    },
}
