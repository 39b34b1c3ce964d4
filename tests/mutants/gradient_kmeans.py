"""Answers to the assignment Gradient k-means: right ones written differently, and the mistakes that students make.

RIGHT[task][name] is code, WRONG[task][name] is (code, a part of what the student is told about it).
"""

RIGHT = {
    "hard_gradient": {
        "autograd": """
def hard_gradient(x, centers):
    leaf = centers.clone().requires_grad_()
    loss = torch.cdist(x[:, None], leaf[None]).square().flatten(1).min(1).values.mean() / 2
    nearest = (x[:, None] - leaf).square().sum(2).min(1).values.mean() / 2
    nearest.backward()
    return nearest.item(), leaf.grad
""",
        "loop over the centers": """
def hard_gradient(x, centers):
    d = torch.stack([(x - c).pow(2).sum(1) for c in centers], 1)
    labels = d.argmin(1)
    rows = [(c - x[labels == k]).sum(0) / len(x) for k, c in enumerate(centers)]
    return d.min(1).values.sum() / (2 * len(x)), torch.stack(rows)
""",
        "index_add": """
def hard_gradient(x, centers):
    d, labels = ((x[:, None] - centers) ** 2).sum(2).min(1)
    gradient = torch.zeros_like(centers).index_add_(0, labels, centers[labels] - x)
    return d.mean() / 2, gradient / len(x)
""",
        "NumPy": """
def hard_gradient(x, centers):
    import numpy as np

    x, centers = x.numpy(), centers.numpy()
    squares = ((x[:, None] - centers) ** 2).sum(2)
    labels, gradient = squares.argmin(1), np.zeros_like(centers)
    np.add.at(gradient, labels, centers[labels] - x)
    return np.mean(squares.min(1)) / 2, torch.from_numpy(gradient / len(x))
""",
    },
    "forgetting_step": {
        "weighted mean": """
def forgetting_step(batch, centers, counts, memory):
    labels = torch.cdist(batch, centers).argmin(1)
    new, fresh = centers.clone(), memory * counts
    for k in range(len(centers)):
        mine = batch[labels == k]
        if len(mine):
            new[k] = (memory * counts[k] * centers[k] + mine.sum(0)) / (memory * counts[k] + len(mine))
            fresh[k] += len(mine)
    return new, fresh
""",
        "index_add": """
def forgetting_step(batch, centers, counts, memory):
    labels = ((batch[:, None] - centers) ** 2).sum(2).min(1).indices
    fresh = counts * memory + torch.bincount(labels, minlength=len(centers))
    pull = torch.zeros_like(centers).index_add_(0, labels, batch - centers[labels])
    return centers + torch.where(fresh[:, None] > 0, pull / fresh[:, None], torch.zeros_like(pull)), fresh
""",
        "one sample after another, the labels of the start": """
def forgetting_step(batch, centers, counts, memory):
    new, n = centers.clone(), memory * counts
    for sample in batch:
        k = int(((centers - sample) ** 2).sum(1).argmin())
        n[k] += 1
        new[k] += (sample - new[k]) / n[k]
    return new, n
""",
    },
    "soft_assignment": {
        "largest exponent taken off": """
def soft_assignment(x, centers, temperature):
    logits = -((x[:, None] - centers) ** 2).sum(2) / temperature
    e = (logits - logits.max(1, keepdim=True).values).exp()
    return e / e.sum(1, keepdim=True)
""",
        "expanded, log_softmax": """
def soft_assignment(x, centers, temperature):
    part = x @ centers.T - centers.square().sum(1) / 2
    return torch.log_softmax(2 * part / temperature, 1).exp()
""",
        "without the squares of the samples": """
def soft_assignment(x, centers, temperature):
    return torch.softmax((2 * x @ centers.T - (centers**2).sum(1)) / temperature, 1)
""",
    },
    "free_energy": {
        "autograd": """
def free_energy(x, centers, temperature):
    leaf = centers.clone().requires_grad_()
    d = ((x[:, None] - leaf) ** 2).sum(2)
    loss = -temperature / 2 * torch.logsumexp(-d / temperature, 1).mean()
    return loss.item(), torch.autograd.grad(loss, leaf)[0]
""",
        "nearest taken off": """
def free_energy(x, centers, temperature):
    d = ((x[:, None] - centers) ** 2).sum(2)
    least = d.min(1, keepdim=True).values
    e = torch.exp((least - d) / temperature)
    loss = (least[:, 0] - temperature * e.sum(1).log()).sum() / 2 / len(x)
    q = e / e.sum(1, keepdim=True)
    return loss, torch.stack([(q[:, k, None] * (centers[k] - x)).mean(0) for k in range(len(centers))])
""",
        "with the other task": """
def free_energy(x, centers, temperature):
    q = soft_assignment(x, centers, temperature)
    d = ((x[:, None] - centers) ** 2).sum(2)
    loss = (torch.xlogy(q, q).sum(1) * temperature + (q * d).sum(1)).mean() / 2
    return float(loss), (q[:, :, None] * (centers - x[:, None])).mean(0)
""",
    },
    "anneal": {
        "gradient step": """
def anneal(x, centers, temperatures):
    history = []
    for t in temperatures:
        loss, gradient = free_energy(x, centers, t)
        history.append(float(loss))
        weight = soft_assignment(x, centers, t).sum(0)
        centers = centers - gradient * torch.where(weight > 0, len(x) / weight, torch.zeros_like(weight))[:, None]
    return centers, history
""",
        "center by center": """
def anneal(x, centers, temperatures):
    centers, history = centers.clone(), []
    for t in temperatures:
        history += [float(free_energy(x, centers, t)[0])]
        q = soft_assignment(x, centers, t)
        for k in range(len(centers)):
            if q[:, k].sum() > 0:
                centers[k] = (q[:, k, None] * x).sum(0) / q[:, k].sum()
    return centers, history
""",
        "without the other tasks": """
def anneal(x, centers, temperatures):
    history = []
    for t in temperatures:
        logits = -((x[:, None] - centers) ** 2).sum(2) / t
        history.append((-t / 2 * logits.logsumexp(1).mean()).item())
        q = logits.softmax(1)
        new = (q / q.sum(0)).T @ x
        centers = torch.where(new.isnan(), centers, new)
    return centers, history
""",
        "NumPy's numbers": """
def anneal(x, centers, temperatures):
    history = []
    for t in temperatures:
        history.append(torch.as_tensor(free_energy(x, centers, t)[0]).float().numpy()[()])
        q = soft_assignment(x, centers, t)
        weight = q.sum(0)[:, None]
        centers = torch.where(weight > 0, q.T @ x / weight, centers)
    return centers, history
""",
    },
    "mended_descent": {
        "zero afterwards": """
def mended_descent(x, centers, learning_rate=0.5, n_steps=60):
    centers = centers.clone().requires_grad_()
    history = []
    for _ in range(n_steps):
        loss = (x[:, None] - centers).square().sum(dim=2).min(dim=1).values.mean() / 2
        loss.backward()
        with torch.no_grad():
            centers -= learning_rate * centers.grad
            centers.grad.zero_()
        history.append(loss.item())
    return centers.detach(), history
""",
        "an optimizer": """
def mended_descent(x, centers, learning_rate=0.5, n_steps=60):
    centers = torch.nn.Parameter(centers.clone())
    optimizer, history = torch.optim.SGD([centers], lr=learning_rate), []
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss = (x[:, None] - centers).square().sum(dim=2).min(dim=1).values.mean() / 2
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return centers.detach(), history
""",
        "torch.autograd.grad": """
def mended_descent(x, centers, learning_rate=0.5, n_steps=60):
    history = []
    for _ in range(n_steps):
        centers = centers.detach().requires_grad_()
        loss = (x[:, None] - centers).square().sum(dim=2).min(dim=1).values.mean() / 2
        history.append(float(loss.detach()))
        centers = centers - learning_rate * torch.autograd.grad(loss, centers)[0]
    return centers.detach(), history
""",
        "NumPy's numbers": """
def mended_descent(x, centers, learning_rate=0.5, n_steps=60):
    history = []
    for _ in range(n_steps):
        centers = centers.detach().requires_grad_()
        loss = (x[:, None] - centers).square().sum(dim=2).min(dim=1).values.mean() / 2
        history.append(loss.detach().numpy()[()])
        centers = centers - learning_rate * torch.autograd.grad(loss, centers)[0]
    return centers.detach(), history
""",
    },
}

_HARD = """
def hard_gradient(x, centers):
    d, labels = ((x[:, None] - centers) ** 2).sum(2).min(1)
    own = torch.nn.functional.one_hot(labels, len(centers)).to(x.dtype)
    loss, gradient = d.mean() / 2, (own.sum(0)[:, None] * centers - own.T @ x) / len(x)
"""
_FORGET = """
def forgetting_step(batch, centers, counts, memory):
    labels = ((batch[:, None] - centers) ** 2).sum(2).argmin(1)
    own = torch.nn.functional.one_hot(labels, len(centers)).to(batch.dtype)
    m = own.sum(0)
    pull = own.T @ batch - m[:, None] * centers
    fresh = memory * counts + m
    safe = fresh.clamp(min=1e-9)[:, None]
"""
_SOFT = """
def soft_assignment(x, centers, temperature):
    d = ((x[:, None] - centers) ** 2).sum(2)
"""
_ENERGY = """
def free_energy(x, centers, temperature):
    d = ((x[:, None] - centers) ** 2).sum(2)
    q = torch.softmax(-d / temperature, 1)
    loss = -temperature / 2 * torch.logsumexp(-d / temperature, 1).mean()
    gradient = (q.sum(0)[:, None] * centers - q.T @ x) / len(x)
"""
_ANNEAL = """
def anneal(x, centers, temperatures):
    history = []
    for t in {order}:
        {before}
        q = soft_assignment(x, centers, t)
        weight = q.sum(0)[:, None]
        centers = torch.where(weight > 0, q.T @ x / weight, centers)
        {after}
    return centers, history
"""
_KEEP = "history.append(float(free_energy(x, centers, t)[0]))"


def _anneal(order="temperatures", before=_KEEP, after="pass"):
    return _ANNEAL.format(order=order, before=before, after=after)


def _descent(first="", each="", step="learning_rate * centers.grad", keep="loss.item()", steps="n_steps"):
    return f"""
def mended_descent(x, centers, learning_rate=0.5, n_steps=60):
    centers = centers.clone().requires_grad_()
    history = []
    {first or "pass"}
    for t in range({steps}):
        {each or "pass"}
        loss = (x[:, None] - centers).square().sum(dim=2).min(dim=1).values.mean() / 2
        loss.backward()
        with torch.no_grad():
            centers -= {step}
        history.append({keep})
    return centers.detach(), history
"""


WRONG = {
    "hard_gradient": {
        "the way down": (_HARD + "    return loss, -gradient\n", "The sign is the wrong way round"),
        "gradient of a sum": (_HARD + "    return loss, gradient * len(x)\n", "that of a sum over the samples"),
        "twice": (_HARD + "    return loss, gradient * 2\n", "twice too large"),
        "mean of the cluster": (
            _HARD
            + "    return loss, centers - own.T @ x / own.sum(0)[:, None].clamp(min=1) * (own.sum(0)[:, None] > 0) "
            "- centers * (own.sum(0)[:, None] == 0)\n",
            "You divided by the size of the cluster",
        ),
        "NaN for an empty cluster": (
            _HARD + "    return loss, (centers - own.T @ x / own.sum(0)[:, None]) * own.sum(0)[:, None] / len(x)\n",
            "There is NaN in your gradient",
        ),
        "all samples pull all centers": (
            _HARD + "    return loss, (centers - x[:, None]).mean(0)\n",
            "only its nearest counts",
        ),
        "loss without the half": (_HARD + "    return 2 * loss, gradient\n", "The ½ is missing"),
        "loss as a sum": (_HARD + "    return loss * len(x), gradient\n", "Your loss is a sum over the samples"),
        "loss of Euclidean distances": (
            _HARD + "    return d.sqrt().mean() / 2, gradient\n",
            "Your distances are Euclidean",
        ),
        "loss of each sample": (_HARD + "    return d / 2, gradient\n", "is a single number"),
        "labels detached from the loss of all": (
            _HARD + "    return ((x[:, None] - centers) ** 2).sum(2).mean() / 2, gradient\n",
            "Your loss has all centres in it",
        ),
        "exchanged": (_HARD + "    return gradient, loss\n", "is a single number"),
        "only three features": (
            _HARD + "    gradient[:, 3:] = 0\n    return loss, gradient\n",
            "your gradient is wrong",
        ),
        "one sample for each center": (
            """
def hard_gradient(x, centers):
    d, labels = ((x[:, None] - centers) ** 2).sum(2).min(1)
    gradient = torch.zeros_like(centers)
    gradient[labels] += (centers[labels] - x) / len(x)
    return d.mean() / 2, gradient
""",
            "Each centre feels only one of its samples",
        ),
        "half": (_HARD + "    return loss, gradient / 2\n", "is half of what it is"),
        "over the centers": (_HARD + "    return loss, gradient * len(x) / len(centers)\n", "by the number of centres"),
        "a loss for each cluster": (
            _HARD + "    return torch.stack([d[labels == k].mean() for k in labels.unique()]).mean() / 2, gradient\n",
            "You took a mean for each cluster",
        ),
        "farthest": (_HARD.replace(".min(1)", ".max(1)") + "    return loss, gradient\n", "the farthest centre"),
    },
    "forgetting_step": {
        "no memory": (
            _FORGET + "    fresh = counts + m\n    return centers + pull / fresh[:, None].clamp(min=1e-9), fresh\n",
            "Your counts do not forget",
        ),
        "new samples forgotten, too": (
            _FORGET
            + "    fresh = memory * (counts + m)\n    return centers + pull / fresh[:, None].clamp(min=1e-9), fresh\n",
            "You forgot the new samples, too",
        ),
        "old counts in the step": (
            _FORGET + "    return centers + pull / counts[:, None].clamp(min=1e-9), fresh\n",
            "You divided by the old counts",
        ),
        "mean of the batch": (
            _FORGET
            + "    return torch.where(m[:, None] > 0, centers + pull / m[:, None].clamp(min=1), centers), fresh\n",
            "are the means of this batch",
        ),
        "size of the batch": (
            _FORGET + "    return centers + pull / len(batch), fresh\n",
            "You divided by the size of the batch",
        ),
        "the wrong way": (_FORGET + "    return centers - pull / safe, fresh\n", "move away from their samples"),
        "mean difference": (
            _FORGET + "    return centers + pull / m[:, None].clamp(min=1) / safe, fresh\n",
            "You moved by the *mean*",
        ),
        "step without memory": (
            _FORGET + "    return centers + pull / (counts + m)[:, None].clamp(min=1e-9), fresh\n",
            "but your step does not",
        ),
        "old center with full weight": (
            _FORGET + "    new = (counts[:, None] * centers + own.T @ batch) / safe\n"
            "    return torch.where(m[:, None] > 0, new, centers), fresh\n",
            "has its full weight",
        ),
        "empty cluster fades to the origin": (
            _FORGET
            + "    return (memory * counts[:, None] * centers + own.T @ batch) / (counts + m)[:, None], fresh\n",
            "A centre to which no sample of the batch is nearest moved",
        ),
        "all samples counted": (
            _FORGET + "    return centers + pull / safe, memory * counts + len(batch)\n",
            "Each centre counts only the samples",
        ),
        "counts at rest": (_FORGET + "    return centers + pull / safe, counts\n", "Your counts did not change"),
        "written into its arguments": (
            _FORGET + "    counts *= memory\n    counts += m\n    return centers + pull / safe, counts\n",
            "changed its argument `counts`",
        ),
        "NaN at a count of 0": (
            _FORGET + "    return centers + pull / fresh[:, None], fresh\n",
            "that has never seen a sample",
        ),
        "moving average": (
            _FORGET + "    mean = torch.where(m[:, None] > 0, own.T @ batch / m.clamp(min=1)[:, None], centers)\n"
            "    return memory * centers + (1 - memory) * mean, fresh\n",
            "(1 − γ) · mean of the batch",
        ),
        "memory in the step": (
            _FORGET + "    return centers + memory * pull / safe, fresh\n",
            "There is a γ in your step",
        ),
        "memory squared": (
            _FORGET + "    fresh = memory**2 * counts + m\n    return centers + pull / fresh[:, None], fresh\n",
            "γ counts twice",
        ),
        "labels on the way": (
            """
def forgetting_step(batch, centers, counts, memory):
    new, n = centers.clone(), memory * counts
    for sample in batch:
        k = int(((new - sample) ** 2).sum(1).argmin())
        n[k] += 1
        new[k] += (sample - new[k]) / n[k]
    return new, n
""",
            "come from the centres *before* the step",
        ),
        "whole counts": (_FORGET + "    return centers + pull / safe, fresh.long()\n", "Your counts are whole numbers"),
    },
    "soft_assignment": {
        "without the minus": (_SOFT + "    return torch.softmax(d / temperature, 1)\n", "the minus sign is missing"),
        "over the samples": (_SOFT + "    return torch.softmax(-d / temperature, 0)\n", "Your columns sum to 1"),
        "times the temperature": (_SOFT + "    return torch.softmax(-d * temperature, 1)\n", "divide by it"),
        "Euclidean": (_SOFT + "    return torch.softmax(-d.sqrt() / temperature, 1)\n", "Your distances are Euclidean"),
        "no temperature": (_SOFT + "    return torch.softmax(-d, 1)\n", "The temperature has no effect"),
        "with a half": (_SOFT + "    return torch.softmax(-d / temperature / 2, 1)\n", "There is a ½ in your exponent"),
        "not normalised": (_SOFT + "    return torch.exp(-d / temperature)\n", "Your rows do not sum to 1"),
        "hard": (
            _SOFT + "    return torch.nn.functional.one_hot(d.argmin(1), len(centers)).float()\n",
            "Yours is the hard assignment",
        ),
        "0/0 at low temperatures": (
            _SOFT + "    e = torch.exp(-d / temperature)\n    return e / e.sum(1, keepdim=True)\n",
            "0/0",
        ),
        "something tiny below the line": (
            _SOFT + "    e = torch.exp(-d / temperature)\n    return e / (e.sum(1, keepdim=True) + 1e-12)\n",
            "rows that do not sum to 1",
        ),
        "transposed": (_SOFT + "    return torch.softmax(-d / temperature, 1).T\n", "must have shape (40, 4)"),
        "Gaussian": (_SOFT + "    return torch.softmax(-d / (2 * temperature**2), 1)\n", "that of a Gaussian"),
        "logarithms": (_SOFT + "    return torch.log_softmax(-d / temperature, 1)\n", "These are logarithms"),
        "all together": (
            _SOFT + "    q = torch.exp(-d / temperature)\n    return q / q.sum()\n",
            "All of your q together sum to 1",
        ),
    },
    "free_energy": {
        "weights of the lesson": (
            _ENERGY + "    w = q * (1 + ((q * d).sum(1, keepdim=True) - d) / temperature)\n"
            "    return loss, (w.sum(0)[:, None] * centers - w.T @ x) / len(x)\n",
            "weights w of the lesson's soft loss",
        ),
        "loss of the lesson": (
            _ENERGY + "    return (q * d).sum(1).mean() / 2, gradient\n",
            "That is the soft loss of the lesson",
        ),
        "the way down": (_ENERGY + "    return loss, -gradient\n", "The sign of your gradient"),
        "sign of the loss": (_ENERGY + "    return -loss, gradient\n", "The sign of your loss"),
        "twice the gradient": (_ENERGY + "    return loss, 2 * gradient\n", "twice too large"),
        "loss without the half": (_ENERGY + "    return 2 * loss, gradient\n", "The ½ is missing"),
        "loss without T": (
            _ENERGY + "    return loss / temperature, gradient\n",
            "The factor T before the logarithm is missing",
        ),
        "1/T left": (_ENERGY + "    return loss, gradient / temperature\n", "A factor 1/T is left"),
        "weighted mean": (
            _ENERGY + "    return loss, gradient * len(x) / q.sum(0)[:, None]\n",
            "You divided by the sum of q",
        ),
        "gradient of a sum": (_ENERGY + "    return loss, gradient * len(x)\n", "that of a sum over the samples"),
        "hard gradient": (
            _ENERGY + "    q = torch.nn.functional.one_hot(d.argmin(1), len(centers)).to(x.dtype)\n"
            "    return loss, (q.sum(0)[:, None] * centers - q.T @ x) / len(x)\n",
            "That is the hard gradient",
        ),
        "log of a sum of exp": (
            _ENERGY + "    return -temperature / 2 * torch.exp(-d / temperature).sum(1).log().mean(), gradient\n",
            "its logarithm −∞",
        ),
        "over the samples": (
            _ENERGY + "    return -temperature / 2 * torch.logsumexp(-d / temperature, 0).mean(), gradient\n",
            "over the centres, not over the samples",
        ),
        "loss only": (_ENERGY + "    return loss\n", "Return two things"),
        "mean of the exponentials": (
            _ENERGY + "    return loss + temperature / 2 * torch.tensor(float(len(centers))).log(), gradient\n",
            "stands a mean over the centres",
        ),
        "half in the exponent": (
            _ENERGY + "    return -temperature * torch.logsumexp(-d / 2 / temperature, 1).mean(), gradient\n",
            "½ in your exponent instead of before the logarithm",
        ),
        "entropy with a plus": (
            _ENERGY + "    return (q * (d - temperature * q.log())).sum(1).mean() / 2, gradient\n",
            "The entropy has the wrong sign",
        ),
        "half the gradient": (_ENERGY + "    return loss, gradient / 2\n", "Your gradient is half of what it is"),
        "q over the samples": (
            _ENERGY + "    q = torch.softmax(-d / temperature, 0)\n"
            "    return loss, (q.sum(0)[:, None] * centers - q.T @ x) / len(x)\n",
            "the columns of q sum to 1",
        ),
    },
    "anneal": {
        "in the wrong order": (_anneal("temperatures[::-1]"), "from the last to the first"),
        "sorted": (_anneal("sorted(temperatures)"), "from the last to the first"),
        "the last temperature": (
            _anneal("temperatures[-1:] * len(temperatures)"),
            "the last temperature in every step",
        ),
        "the first temperature": (
            _anneal("temperatures[:1] * len(temperatures)"),
            "the first temperature in every step",
        ),
        "a plain gradient step": (
            _anneal(before=_KEEP + "; old = centers", after="centers = old - free_energy(x, old, t)[1]"),
            "a gradient step of size 1",
        ),
        "hard means": (
            """
def anneal(x, centers, temperatures):
    history = []
    for t in temperatures:
        history.append(float(free_energy(x, centers, t)[0]))
        labels = ((x[:, None] - centers) ** 2).sum(2).argmin(1)
        members = [x[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.mean(0) if len(m) else c for m, c in zip(members, centers)])
    return centers, history
""",
            "the means of the nearest samples",
        ),
        "one step": (_anneal("temperatures[:1]"), "Only one step was made"),
        "last step missing": (_anneal("temperatures[:-1]"), "The last step is missing"),
        "loss after the step": (_anneal(before="pass", after=_KEEP), "the loss *after* each step"),
        "history of tensors": (
            _anneal(before="history.append(free_energy(x, centers, t)[0])"),
            "The history must hold plain numbers",
        ),
        "hard loss in the history": (
            _anneal(before="history.append(float(((x[:, None] - centers) ** 2).sum(2).min(1).values.mean() / 2))"),
            "Your history has the hard loss (1)",
        ),
        "NaN for a lost center": (
            """
def anneal(x, centers, temperatures):
    history = []
    for t in temperatures:
        history.append(float(free_energy(x, centers, t)[0]))
        q = soft_assignment(x, centers, t)
        centers = q.T @ x / q.sum(0)[:, None]
    return centers, history
""",
            "it must stay where it is",
        ),
        "writes into the start": (
            """
def anneal(x, centers, temperatures):
    history = []
    for t in temperatures:
        history.append(float(free_energy(x, centers, t)[0]))
        q = soft_assignment(x, centers, t)
        weight = q.sum(0)[:, None]
        centers.copy_(torch.where(weight > 0, q.T @ x / weight, centers))
    return centers, history
""",
            "changed its argument `centers`",
        ),
        "stops when nothing moves much": (
            _anneal(after="if len(history) > 4 and abs(history[-1] - history[-2]) < 0.5: break"),
            "with other temperatures",
        ),
        "q of the step before": (
            """
def anneal(x, centers, temperatures):
    history, q = [], soft_assignment(x, centers, temperatures[0])
    for t in temperatures:
        history.append(float(free_energy(x, centers, t)[0]))
        weight = q.sum(0)[:, None]
        centers = torch.where(weight > 0, q.T @ x / weight, centers)
        q = soft_assignment(x, centers, t)
    return centers, history
""",
            "Your q is that of the step before",
        ),
        "one center after another": (
            """
def anneal(x, centers, temperatures):
    centers, history = centers.clone(), []
    for t in temperatures:
        history.append(float(free_energy(x, centers, t)[0]))
        for k in range(len(centers)):
            q = soft_assignment(x, centers, t)[:, k]
            centers[k] = q @ x / q.sum() if q.sum() > 0 else centers[k]
    return centers, history
""",
            "You moved the centres one after another",
        ),
        "over n": (
            _anneal().replace("q.T @ x / weight", "q.T @ x / len(x)"),
            "You divided by n",
        ),
        "soft loss in the history": (
            _anneal(
                before="history.append(float((soft_assignment(x, centers, t) * torch.cdist(x, centers)**2).sum() / "
                "2 / len(x)))"
            ),
            "the soft loss of the lesson",
        ),
    },
    "mended_descent": {
        "not mended": (_descent(), "That is still the broken one"),
        "emptied once": (_descent(first="centers.grad = None"), "That is still the broken one"),
        "a smaller rate": (
            _descent(each="centers.grad = None", step="learning_rate / 2 * centers.grad"),
            "Your step is half of the learning rate",
        ),
        "the best is kept": (
            _descent().replace("return centers.detach(), history", "return centers.detach(), sorted(history)[::-1]"),
            "That is still the broken one",
        ),
        "emptied before the step": (
            """
def mended_descent(x, centers, learning_rate=0.5, n_steps=60):
    centers = centers.clone().requires_grad_()
    history = []
    for _ in range(n_steps):
        loss = (x[:, None] - centers).square().sum(dim=2).min(dim=1).values.mean() / 2
        loss.backward()
        centers.grad.zero_()
        with torch.no_grad():
            centers -= learning_rate * centers.grad
        history.append(loss.item())
    return centers.detach(), history
""",
            "Your centres did not move",
        ),
        "Lloyd instead": (
            """
def mended_descent(x, centers, learning_rate=0.5, n_steps=60):
    history = []
    for _ in range(n_steps):
        nearest = (x[:, None] - centers).square().sum(dim=2).min(dim=1)
        history.append(nearest.values.mean().item() / 2)
        members = [x[nearest.indices == k] for k in range(len(centers))]
        centers = torch.stack([m.mean(0) if len(m) else c for m, c in zip(members, centers)])
    return centers, history
""",
            "not as gradient descent with the rate",
        ),
        "a rate that falls": (
            _descent(each="centers.grad = None", step="learning_rate / (t + 1) * centers.grad"),
            "not as gradient descent with the rate",
        ),
        "loss after the step": (
            _descent(
                each="centers.grad = None",
                keep="float((x[:, None] - centers.detach()).square().sum(dim=2).min(dim=1).values.mean()) / 2",
            ),
            "the history is not the loss before each",
        ),
        "sixty steps always": (_descent(each="centers.grad = None", steps="60"), "your history has 60 entries"),
        "the way up": (
            _descent(each="centers.grad = None", step="-learning_rate * centers.grad"),
            "Your loss still goes up",
        ),
        "the rate of the check": (
            _descent(each="centers.grad = None", step="0.8 * centers.grad"),
            "the step uses `learning_rate`",
        ),
        "the steps of the check": (_descent(each="centers.grad = None", steps="12"), "with 4 it makes 12 steps"),
        "without the half": (
            _descent(each="centers.grad = None").replace(".mean() / 2", ".mean()"),
            "The ½ is missing in your loss",
        ),
    },
}
