"""Answers to the assignment DCRA: right ones written differently, and the mistakes that students make.

RIGHT[task][name] is code, WRONG[task][name] is (code, a part of what the student is told about it).
"""


def _loss(
    noisy="x + sigma * epsilon",
    seen="noisy",
    clustered="z",
    target="x",
    l1="(x_hat - target).square().sum(1).mean()",
    l2="(z - goal).square().sum(1).mean()",
    total="share * l1 + (1 - share) * l2",
    result="loss, l1, l2",
):
    return f"""
def dcra_loss(x, epsilon, sigma, encoder, decoder, goal, share):
    n, d = x.shape
    noisy = {noisy}
    z = check.through({seen}, encoder)
    x_hat, target = check.through(z, decoder), {target}
    l1 = {l1}
    z = {clustered}
    l2 = {l2}
    loss = {total}
    return {result}
"""


def _refresh(
    stop="if labels is not None and torch.equal(new, labels): return centers, new", empty="centers[k]", more=""
):
    return f"""
def refresh(z, centers):
    labels = None
    for t in range(100):
        new = torch.cdist(z, centers).argmin(1)
        {stop}
        labels, old = new, centers
        rows = []
        for k in range(len(centers)):
            own = z[labels == k]
            rows.append(own.mean(0) if len(own) else {empty})
        centers = torch.stack(rows)
        {more or "pass"}
    return centers, new
"""


def _slopes(one="2 * share / n * (x_hat - x)", two="2 * (1 - share) / n * (z - goal)", result="one, two"):
    return f"""
def slopes(x, x_hat, z, goal, share):
    n, d, m = *x.shape, z.shape[1]
    one, two = {one}, {two}
    return {result}
"""


def _train(
    begin="pass",
    clusters="through(x, encoder)",
    update="centers, labels = refresh({clusters}.detach(), centers)",
    noisy="x[rows] + sigma * epsilon[rows]",
    seen="noisy",
    target="x[rows]",
    share="share",
    batches="torch.arange(len(x)).split(batch_size)",
    moved="zip(parts, changes)",
    sign="-",
    last="centers, labels = refresh(through(x, encoder).detach(), centers)",
    keep="history.append(loss.item())",
    after="pass",
):
    update = update.replace("{clusters}", clusters)
    return f"""
def train(x, noise, sigma, encoder, decoder, centers, share, rate, batch_size):
    through = check.through
    parts = [p.clone().requires_grad_() for layer in encoder + decoder for p in layer]
    n_parts, n_encoder = len(parts), 2 * len(encoder)
    layers = [(parts[i], parts[i + 1]) for i in range(0, n_parts, 2)]
    encoder, decoder, history = layers[: len(encoder)], layers[len(encoder) :], []
    weight = {share}
    epsilon = noise[0]
    {begin}
    for epsilon in noise:
        {update}
        for rows in {batches}:
            noisy = {noisy}
            z = through({seen}, encoder)
            x_hat = through(z, decoder)
            l1 = (x_hat - {target}).square().sum(1).mean()
            l2 = (z - centers[labels[rows]]).square().sum(1).mean()
            loss = weight * l1 + (1 - weight) * l2
            {keep}
            changes = torch.autograd.grad(loss, parts)
            with torch.no_grad():
                for p, change in {moved}:
                    p.copy_(p {sign} rate * change)
            {after}
    {last}
    cut = lambda layers: [(W.detach(), b.detach()) for W, b in layers]
    return cut(encoder), cut(decoder), centers, labels, history
"""


def _convert(body, result="p / (p + q), p + q"):
    return f"""
def convert(weight, d, m, first, second, on):
    p, q = (weight, 1 - weight) if on == "L1" else (1 - weight, weight)
    {body}
    return {result}
"""


_MEANS = 'p, q = p / (d if first == "mean" else 1), q / (m if second == "mean" else 1)'


def _decibels(
    mse="float((a - b).square().mean())", db="-10 * math.log10(e) if e else math.inf", pairs=None, gain="v - u"
):
    one, two = pairs or ("x, x_noisy", "x, x_hat")
    return f"""
def decibels(x, x_noisy, x_hat):
    def psnr(a, b):
        e = {mse}
        return {db}
    u, v = psnr({one}), psnr({two})
    return u, v, {gain}
"""


def _mean_loss(
    noise="level ** 2 * torch.ones_like(x)",
    mask="x ** 2 * level / (1 - level)",
    one="part(B @ A, x, B @ A)",
    two="part(A, goal, A)",
    size="(M ** 2).sum(0)",
    average=".mean()",
    total="share * one + (1 - share) * two",
    scale="1",
):
    return f"""
def mean_loss(x, A, B, goal, share, corruption, level):
    v = {noise} if corruption == "noise" else {mask}
    scale = {scale}
    def part(N, aim, M):
        return ((scale * x @ N.T - aim).square().sum(1) + v @ {size}){average}
    one, two = {one}, {two}
    return {total}
"""


def _mended(error="z @ B.T - x", noisy="x + sigma * epsilon", on_A="batch", keep="share * l1 + (1 - share) * l2"):
    return f"""
def mended_training(x, noise, sigma, A, B, goal, share, rate):
    history = []
    for epsilon in noise:
        batch = {noisy}
        z = batch @ A.T
        error, pull = {error}, z - goal
        l1, l2 = error.square().sum(dim=1).mean(), pull.square().sum(dim=1).mean()
        history.append(float({keep}))
        on_z = share * error @ B + (1 - share) * pull
        A, B = A - rate * 2 / len(x) * on_z.T @ {on_A}, B - rate * 2 / len(x) * share * error.T @ z
    return A, B, history
"""


RIGHT = {
    "dcra_loss": {
        "norms": _loss(l1="((x_hat - x).norm(dim=1) ** 2).sum() / n", l2="(z - goal).norm(dim=1).pow(2).mean()"),
        "plain numbers": _loss(l1="float(((x - x_hat) ** 2).sum()) / n", l2="((goal - z) ** 2).sum().item() / n"),
        "mean squared error times the size": _loss(
            l1="d * torch.nn.functional.mse_loss(x_hat, x)",
            l2="z.shape[1] * torch.nn.functional.mse_loss(z, goal)",
        ),
    },
    "refresh": {
        "until the centers stay": _refresh(
            stop="pass", more="if torch.equal(old, centers): return centers, torch.cdist(z, centers).argmin(1)"
        ),
        "sums by index_add_": """
def refresh(z, centers):
    before = torch.full((len(z),), -1)
    while True:
        labels = ((z[:, None, :] - centers[None]) ** 2).sum(-1).argmin(-1)
        if (labels == before).all():
            return centers, labels
        before = labels
        counts = torch.bincount(labels, minlength=len(centers))
        sums = torch.zeros_like(centers).index_add_(0, labels, z)
        some = counts > 0
        centers = centers.clone()
        centers[some] = sums[some] / counts[some, None]
""",
    },
    "slopes": {
        "autograd": """
def slopes(x, x_hat, z, goal, share):
    a, b = x_hat.clone().requires_grad_(), z.clone().requires_grad_()
    loss = share * (x - a).square().sum(1).mean() + (1 - share) * (b - goal).square().sum(1).mean()
    return torch.autograd.grad(loss, (a, b))
""",
        "from the other side": _slopes("-(x - x_hat) * share * 2 / n", "(goal - z) * (share - 1) * 2 / n"),
    },
    "train": {
        "the whole loss by autograd": _train(),
        "numbers of NumPy, single precision": _train(keep="history.append(loss.detach().numpy()[()])"),
        "slices": _train(batches="[slice(i, i + batch_size) for i in range(0, len(x), batch_size)]"),
        "backward from both ends": """
def train(x, noise, sigma, encoder, decoder, centers, share, rate, batch_size):
    encoder = [(W.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()) for W, b in encoder]
    decoder = [(W.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()) for W, b in decoder]
    sgd = torch.optim.SGD([p for layer in encoder + decoder for p in layer], lr=rate)
    losses = []
    for epoch in range(len(noise)):
        with torch.no_grad():
            centers, labels = refresh(check.through(x, encoder), centers)
        for i in range(0, len(x), batch_size):
            clean, aim = x[i : i + batch_size], centers[labels[i : i + batch_size]]
            epsilon = noise[epoch, i : i + batch_size]
            with torch.no_grad():
                losses.append(float(dcra_loss(clean, epsilon, sigma, encoder, decoder, aim, share)[0]))
            z = check.through(clean + sigma * epsilon, encoder)
            drawn = check.through(z, decoder)
            sgd.zero_grad()
            torch.autograd.backward([drawn, z], list(slopes(clean, drawn.detach(), z.detach(), aim, share)))
            sgd.step()
    encoder = [(W.detach(), b.detach()) for W, b in encoder]
    decoder = [(W.detach(), b.detach()) for W, b in decoder]
    return encoder, decoder, *refresh(check.through(x, encoder), centers), losses
""",
    },
    "convert": {
        "by the ratio": _convert(_MEANS + "\n    ratio = p / q\n    share = ratio / (1 + ratio)", "share, p / share"),
        "from the letters": """
def convert(weight, d, m, first, second, on):
    a = {"mean": d, "sum": 1}[first]
    b = {"mean": m, "sum": 1}[second]
    w = weight if on == "L1" else 1 - weight
    return w * b / (w * b + (1 - w) * a), w / a + (1 - w) / b
""",
    },
    "decibels": {
        "twenty times the log of the root": _decibels(db="-20 * math.log10(math.sqrt(e)) if e > 0 else float('inf')"),
        "in torch": """
def decibels(x, x_noisy, x_hat):
    u, v = ((-10 * torch.log10(((x - y) ** 2).mean())).item() for y in (x_noisy, x_hat))
    return u, v, v - u
""",
        "left in tensors": """
def decibels(x, x_noisy, x_hat):
    u, v = (-10 * torch.log10(((x - y) ** 2).mean()) for y in (x_noisy, x_hat))
    return u, v, v - u
""",
    },
    "mean_loss": {
        "with a product of matrices": """
def mean_loss(x, A, B, goal, share, corruption, level):
    v = x * 0 + level * level if corruption == "noise" else x * x * (1 / (1 - level) - 1)
    M = B @ A
    l1 = (M @ x.T - x.T).pow(2).sum() + (v @ (M * M).T).sum()
    l2 = (A @ x.T - goal.T).pow(2).sum() + (v @ (A * A).T).sum()
    return float(share * l1 + (1 - share) * l2) / len(x)
""",
        "one image after the other": """
def mean_loss(x, A, B, goal, share, corruption, level):
    total = 0.0
    for image, aim in zip(x, goal):
        v = torch.full_like(image, level ** 2) if corruption == "noise" else image ** 2 * level / (1 - level)
        M = B @ A
        l1 = (M @ image - image).square().sum() + torch.einsum("j,kj,kj->", v, M, M)
        l2 = (A @ image - aim).square().sum() + torch.einsum("j,kj,kj->", v, A, A)
        total += (share * l1 + (1 - share) * l2).item() / len(x)
    return total
""",
    },
    "mended_training": {
        "x in its place": _mended(),
        "numbers of NumPy, single precision": _mended().replace(
            "float(share * l1 + (1 - share) * l2)", "(share * l1 + (1 - share) * l2).numpy()[()]"
        ),
        "autograd": """
def mended_training(x, noise, sigma, A, B, goal, share, rate):
    A, B, history = A.clone().requires_grad_(), B.clone().requires_grad_(), []
    for epsilon in noise:
        z = (x + sigma * epsilon) @ A.T
        l1, l2 = (z @ B.T - x).square().sum(1).mean(), (z - goal).square().sum(1).mean()
        loss = share * l1 + (1 - share) * l2
        history.append(loss.item())
        on_A, on_B = torch.autograd.grad(loss, (A, B))
        with torch.no_grad():
            A -= rate * on_A
            B -= rate * on_B
    return A.detach(), B.detach(), history
""",
    },
}

WRONG = {
    "dcra_loss": {
        "noise on the target": (_loss(target="noisy"), "Noise on the target"),
        "clean input": (_loss(seen="x"), "The network has seen the clean images"),
        "input and target exchanged": (_loss(seen="x", target="noisy"), "You exchanged input and target"),
        "clean codes to the centers": (_loss(clustered="check.through(x, encoder)"), "the codes of the *noisy* images"),
        "clipped": (_loss(noisy="(x + sigma * epsilon).clamp(0, 1)"), "You clipped the noisy images"),
        "root of sigma": (_loss(noisy="x + sigma ** 0.5 * epsilon"), "σ is the standard deviation"),
        "noise of deviation 1": (_loss(noisy="x + epsilon"), "not multiplied by σ"),
        "mean over the pixels": (_loss(l1="(x_hat - target).square().mean()"), "a mean over the pixels"),
        "mean over the code": (_loss(l2="(z - goal).square().mean()"), "a mean over the numbers of a code"),
        "sum over the images": (_loss(l1="(x_hat - target).square().sum()"), "Your L1 is a sum over the images"),
        "square forgotten": (_loss(l1="(x_hat - target).norm(dim=1).mean()"), "The square is forgotten: L1"),
        "square of the distance forgotten": (_loss(l2="(z - goal).norm(dim=1).mean()"), "The square is forgotten: L2"),
        "absolute differences": (_loss(l1="(x_hat - target).abs().sum(1).mean()"), "The square is forgotten"),
        "lambda on the wrong term": (_loss(total="(1 - share) * l1 + share * l2"), "λ is on the wrong term"),
        "no lambda": (_loss(total="l1 + l2"), "λ is missing"),
        "lambda on the clusters only": (_loss(total="l1 + share * l2"), "yours is L1 + λ L2"),
        "lambda on both": (_loss(total="share * (l1 + l2)"), "You have λ on both terms"),
        "noise subtracted": (_loss(noisy="x - sigma * epsilon"), "The noise is added"),
        "noise of its own": (_loss(noisy="x + sigma * torch.randn(x.shape)"), "Twice the same question"),
        "terms with their weights": (_loss(result="loss, share * l1, (1 - share) * l2"), "Return L1 without its λ"),
        "a ReLU after the encoder": (
            _loss().replace("z = check.through(noisy, encoder)", "z = check.through(noisy, encoder).relu()"),
            "no ReLU after the last layer of the encoder",
        ),
        "decoded from the center": (
            _loss().replace("check.through(z, decoder)", "check.through(goal, decoder)"),
            "You draw from the centre",
        ),
        "another order": (_loss(result="l1, l2, loss"), "in another order"),
        "lambda on the reconstruction twice": (_loss(total="l1 + (1 - share) * l2"), "yours is L1 + (1 − λ) L2"),
        "square of the mean": (_loss(l1="(x_hat - x).norm(dim=1).mean() ** 2"), "the mean of squares"),
        "NaN": (_loss(l2="torch.tensor(math.nan)"), "L2 is NaN"),
        "terms exchanged": (_loss(result="loss, l2, l1"), "You exchanged L1 and L2"),
        "the loss alone": (_loss(result="loss"), "Return three numbers"),
        "one loss for each image": (_loss(l1="(x_hat - target).square().sum(1)"), "is a single number"),
    },
    "refresh": {
        "NaN for no codes": (_refresh(empty="own.mean(0)"), "There is NaN in a centre"),
        "no codes to the mean of all": (_refresh(empty="z.mean(0)"), "has moved to the mean of all"),
        "no codes to the origin": (_refresh(empty="torch.zeros_like(z[0])"), "has moved to the origin"),
        "no codes, no center": (
            """
def refresh(z, centers):
    old = None
    while True:
        labels = torch.cdist(z, centers).argmin(1)
        if old is not None and torch.equal(labels, old):
            return centers, labels
        old = labels
        centers = torch.stack([z[labels == k].mean(0) for k in labels.unique()])
""",
            "A centre is lost",
        ),
        "one iteration": (_refresh(more="return centers, torch.cdist(z, centers).argmin(1)"), "You did one iteration"),
        "two iterations": (
            _refresh(more="if t == 1: return centers, torch.cdist(z, centers).argmin(1)"),
            "You stopped too early",
        ),
        "ten iterations": (
            _refresh(stop="pass", more="if t == 9: return centers, torch.cdist(z, centers).argmin(1)"),
            "You stopped too early, after 10 of",
        ),
        "stop when the sizes stay": (
            _refresh(
                stop="sizes = new.bincount(minlength=len(centers)).tolist()\n"
                "        if labels is not None and sizes == last: return centers, new\n"
                "        last = sizes"
            ),
            "both clusters keep their size",
        ),
        "stop when the centers hardly move": (
            _refresh(
                stop="pass",
                more="if (old - centers).abs().max() < 1e-2: return centers, torch.cdist(z, centers).argmin(1)",
            ),
            "here all distances are small",
        ),
        "one center after the other": (
            """
def refresh(z, centers):
    centers = centers.clone()
    for k in list(range(len(centers))) * 50:
        own = z[torch.cdist(z, centers).argmin(1) == k]
        if len(own):
            centers[k] = own.mean(0)
    return centers, torch.cdist(z, centers).argmin(1)
""",
            "first all labels, then all means",
        ),
        "absolute differences": (
            _refresh().replace("cdist(z, centers)", "cdist(z, centers, p=1)"),
            "You took absolute differences",
        ),
        "median": (_refresh().replace("own.mean(0)", "own.median(0).values"), "not the median"),
        "sum": (_refresh().replace("own.mean(0)", "own.sum(0)"), "On random codes centre"),
        "no codes to a code": (_refresh(empty="z[0]"), "has moved to one of the codes"),
        "labels from 1": (
            _refresh(stop="if labels is not None and torch.equal(new, labels): return centers, new + 1"),
            "nearest centres, from 0",
        ),
        "stops when any label stays": (
            _refresh(stop="if labels is not None and (new == labels).any(): return centers, new"),
            "You did one iteration",
        ),
        "centers never updated": (
            "def refresh(z, centers):\n    return centers, torch.cdist(z, centers).argmin(1)\n",
            "Your centres are those of the start",
        ),
        "float labels": (
            _refresh(stop="if labels is not None and torch.equal(new, labels): return centers, new.float()"),
            "must be whole numbers",
        ),
        "exchanged": (
            _refresh(stop="if labels is not None and torch.equal(new, labels): return new, centers"),
            "must have shape",
        ),
        "farthest": (
            "def refresh(z, centers):\n    for t in range(20):\n        labels = torch.cdist(z, centers).argmax(1)\n"
            "        centers = torch.stack([z[labels == k].mean(0) if (labels == k).any() else centers[k] "
            "for k in range(len(centers))])\n    return centers, labels\n",
            "On random codes centre",
        ),
    },
    "slopes": {
        "downhill": (_slopes("2 * share / n * (x - x_hat)"), "The sign of the gradient by the drawings"),
        "codes downhill": (_slopes(two="2 * (1 - share) / n * (goal - z)"), "The sign of the gradient by the codes"),
        "no 2": (_slopes("share / n * (x_hat - x)"), "The 2 of the square's derivative is missing"),
        "not divided by n": (_slopes("2 * share * (x_hat - x)"), "n times too large"),
        "no 2, not divided by n": (_slopes(two="(1 - share) * (z - goal)"), "and the 1/n are missing"),
        "means over the pixels": (_slopes("2 * share / n / d * (x_hat - x)"), "that of a mean over the row"),
        "no lambda": (_slopes("2 / n * (x_hat - x)"), "λ has no effect"),
        "lambda on the wrong term": (
            _slopes("2 * (1 - share) / n * (x_hat - x)", "2 * share / n * (z - goal)"),
            "λ is on the wrong term",
        ),
        "gradient of the norm": (
            _slopes(two="(1 - share) / n * torch.nn.functional.normalize(z - goal)"),
            "The square is forgotten",
        ),
        "twice": (_slopes("4 * share / n * (x_hat - x)"), "twice too large"),
        "divided by d": (_slopes("2 * share / d * (x_hat - x)"), "divided by the length of a row"),
        "less one": (_slopes("2 * share / (n - 1) * (x_hat - x)"), "divided by n − 1"),
        "no goal": (_slopes(two="2 * (1 - share) / n * z"), "with v = z − μ"),
        "one only": (_slopes(result="one"), "Return two things"),
        "exchanged": (_slopes(result="two, one"), "must have shape"),
    },
    "train": {
        "noise on the target": (_train(target="noisy"), "Noise on the target"),
        "clean input": (_train(seen="x[rows]"), "The network has seen the clean images"),
        "clusters of noisy codes": (
            _train(clusters="through(x + sigma * epsilon, encoder)"),
            "Your clusters come from noisy codes",
        ),
        "centers never updated": (
            _train(
                begin="labels = torch.cdist(through(x, encoder), centers).argmin(1)",
                update="labels = torch.cdist(through(x, encoder), centers).argmin(1)",
                last="labels = torch.cdist(through(x, encoder), centers).argmin(1)",
            ),
            "never updated, only the labels",
        ),
        "clusters and centers of the start": (
            _train(begin="found, labels = refresh(through(x, encoder).detach(), centers)", update="pass", last="pass"),
            "Your centres are never updated",
        ),
        "refreshed once": (
            _train(
                begin="centers, labels = refresh(through(x, encoder).detach(), centers)", update="pass", last="pass"
            ),
            "Your centres are those of the first epoch",
        ),
        "not refreshed at the end": (_train(last="pass"), "renewed once more"),
        "the same noise in each epoch": (
            _train(noisy="x[rows] + sigma * noise[0][rows]"),
            "the first table of noise in all epochs",
        ),
        "lambda on the wrong term": (_train(share="1 - share"), "λ is on the wrong term"),
        "clipped": (_train(noisy="(x[rows] + sigma * epsilon[rows]).clamp(0, 1)"), "You clipped the noisy images"),
        "refreshed from the first centers": (
            _train(
                begin="first = centers",
                update="centers, labels = refresh({clusters}.detach(), first)",
                last="centers, labels = refresh(through(x, encoder).detach(), first)",
            ),
            "always begins at the centres given",
        ),
        "refreshed before each batch": (
            _train(
                noisy="x[rows] + sigma * epsilon[rows]; "
                "centers, labels = refresh(through(x, encoder).detach(), centers)"
            ),
            "You refresh before each batch",
        ),
        "the first rows of the noise": (
            _train(noisy="x[rows] + sigma * epsilon[: len(rows)]"),
            "the first rows of the noise",
        ),
        "no sigma": (_train(noisy="x[rows] + epsilon[rows]"), "not multiplied by σ"),
        "the rest left out": (
            _train(batches="[r for r in torch.arange(len(x)).split(batch_size) if len(r) == batch_size]"),
            "You left out the last batch",
        ),
        "shuffled": (_train(batches="torch.randperm(len(x)).split(batch_size)"), "Twice the same question"),
        "biases at rest": (_train(moved="list(zip(parts, changes))[::2]"), "Your biases did not move"),
        "means over all": (_train().replace(".sum(1).mean()", ".sum() / len(x)"), "means over the *batch*"),
        "detached before it is decoded": (
            _train().replace("through(z, decoder)", "through(z.detach(), decoder)"),
            "The gradient of L1 does not reach your encoder",
        ),
        "a goal with a graph": (
            _train(clusters="through(x, encoder)", update="centers, labels = refresh({clusters}, centers)").replace(
                "def train", "def refresh(z, centers):\n    return check._refresh(z, centers)\n\n\ndef train"
            ),
            "The goal is a constant",
        ),
        "loss after the step": (
            _train(
                keep="pass",
                after="args = x[rows], epsilon[rows], sigma, encoder, decoder, centers[labels[rows]], share; "
                "history.append(float(dcra_loss(*args)[0]))",
            ),
            "yours is that after it",
        ),
        "all images in one step": (_train(batches="[torch.arange(len(x))]"), "an epoch has a step for each batch"),
        "encoder only": (_train(moved="list(zip(parts, changes))[:n_encoder]"), "Your decoder did not move"),
        "decoder only": (_train(moved="list(zip(parts, changes))[n_encoder:]"), "Your encoder did not move"),
        "uphill": (_train(sign="+"), "went uphill"),
        "reconstruction alone in the history": (_train(keep="history.append(l1.item())"), "yours is L1 alone"),
        "a history of epochs": (
            _train(keep="pass", update="centers, labels = refresh({clusters}.detach(), centers); history.append(0.0)"),
            "The history has one loss a step",
        ),
        "changes its layers": (
            _train().replace("p.clone().requires_grad_()", "p.requires_grad_()"),
            "changed",
        ),
    },
    "convert": {
        "the ratio": (_convert(_MEANS, "p / q, p + q"), "That is the ratio"),
        "the other share": (_convert(_MEANS, "q / (p + q), p + q"), "That is the share of L2"),
        "means forgotten": (_convert("pass"), "takes no notice of the means"),
        "multiplied": (
            _convert('p, q = p * (d if first == "mean" else 1), q * (m if second == "mean" else 1)'),
            "You multiplied by d or m",
        ),
        "d and m exchanged": (
            _convert('p, q = p / (m if first == "mean" else 1), q / (d if second == "mean" else 1)'),
            "You exchanged d and m",
        ),
        "weight always on L1": (
            _convert("p, q = weight, 1 - weight\n    " + _MEANS),
            "as the weight of the other loss",
        ),
        "exchanged after dividing": (
            """
def convert(weight, d, m, first, second, on):
    p = weight / (d if first == "mean" else 1)
    q = (1 - weight) / (m if second == "mean" else 1)
    if on == "L2":
        p, q = q, p
    return p / (p + q), p + q
""",
            "after you had divided them",
        ),
        "results exchanged": (_convert(_MEANS, "p + q, p / (p + q)"), "You exchanged the two results"),
        "not divided by the sum": (_convert(_MEANS, "p, p + q"), "divide it by the sum of both"),
        "m forgotten": (_convert('p = p / (d if first == "mean" else 1)'), "there L2 is divided by m"),
        "factor 1": (_convert(_MEANS, "p / (p + q), 1.0"), "not as large as ours"),
        "factor upside down": (_convert(_MEANS, "p / (p + q), 1 / (p + q)"), "upside down"),
        "factor of L1 only": (_convert(_MEANS, "p / (p + q), p"), "the number before L1 alone"),
        "the share alone": (_convert(_MEANS, "p / (p + q)"), "Return two numbers"),
    },
    "decibels": {
        "noisy against drawn": (_decibels(pairs=("x, x_noisy", "x_noisy, x_hat")), "The PSNR of the wrong pair"),
        "input against drawn": (_decibels(pairs=("x_noisy, x_hat", "x, x_hat")), "The PSNR of the wrong pair"),
        "natural logarithm": (_decibels(db="-10 * math.log(e) if e else math.inf"), "to the base 10"),
        "summed over the pixels": (
            _decibels(mse="float((a - b).square().flatten(1).sum(1).mean())"),
            "the mean over *all* values",
        ),
        "mean of the PSNRs": (
            _decibels(
                mse="(a - b).square().flatten(1).mean(1)",
                db="float((-10 * torch.log10(e)).mean())",
            ),
            "the mean of the PSNRs of single images",
        ),
        "absolute differences": (_decibels(mse="float((a - b).abs().mean())"), "The square is forgotten"),
        "20 log of the error": (_decibels(db="-20 * math.log10(e) if e else math.inf"), "Twice too large"),
        "no sign": (_decibels(db="10 * math.log10(e) if e else math.inf"), "a small error is a high PSNR"),
        "root": (_decibels(db="-10 * math.log10(e**0.5) if e else math.inf"), "not its root"),
        "largest value above": (
            _decibels(db="10 * math.log10(float(a.max()) ** 2 / e) if e else math.inf"),
            "the largest value of x above the error",
        ),
        "variance": (_decibels(mse="float((a - b).var())"), "You took the mean of the error off"),
        "base 2": (_decibels(db="-10 * math.log2(e) if e else math.inf"), "to the base 2"),
        "pairs exchanged": (_decibels(pairs=("x, x_hat", "x, x_noisy")), "You exchanged `before` and `after`"),
        "clipped": (_decibels(mse="float((a.clamp(0, 1) - b.clamp(0, 1)).square().mean())"), "You clipped"),
        "before minus after": (_decibels(gain="u - v"), "The gain is after − before"),
        "ratio": (_decibels(gain="v / u"), "by their difference"),
        "error for equal images": (_decibels(db="-10 * math.log10(e)"), "It stopped with ValueError"),
        "a small number added": (_decibels(db="-10 * math.log10(e + 1e-12)"), "Where x̃ equals x"),
    },
    "mean_loss": {
        "no penalty": (_mean_loss(noise="0 * x", mask="0 * x"), "noise averages out of x̃, not of a square"),
        "no penalty on the codes": (_mean_loss(two="part(A, goal, 0 * A)"), "The noise is missing in L2"),
        "no penalty on the drawings": (_mean_loss(one="part(B @ A, x, 0 * B @ A)"), "The noise is missing in L1"),
        "penalty of A on both": (_mean_loss(one="part(B @ A, x, A)"), "In L1 stands the noise after both"),
        "sigma not squared": (_mean_loss(noise="level * torch.ones_like(x)"), "the variance is σ²"),
        "noise times x": (_mean_loss(noise="(level * x) ** 2"), "The noise does not depend on x"),
        "weights not squared": (_mean_loss(size="M.sum(0)"), "The square is forgotten"),
        "absolute weights": (_mean_loss(size="M.abs().sum(0)"), "The square is forgotten"),
        "sum over the images": (_mean_loss(average=".sum()"), "Yours is a sum over the images"),
        "lambda on the wrong term": (_mean_loss(total="(1 - share) * one + share * two"), "λ is on the wrong term"),
        "mask not rescaled": (
            _mean_loss(mask="x ** 2 * level * (1 - level)", scale='1 if corruption == "noise" else 1 - level'),
            "You left out the division",
        ),
        "variance of the bare mask": (_mean_loss(mask="x ** 2 * level * (1 - level)"), "before the division by 1 − r"),
        "mask without x": (_mean_loss(mask="level / (1 - level) * torch.ones_like(x)"), "depends on the pixel"),
        "mask as noise": (_mean_loss(mask="level ** 2 * torch.ones_like(x)"), "A mask is no noise"),
        "second moment": (_mean_loss(mask="x ** 2 / (1 - level)"), "not its variance"),
        "kept instead of dropped": (_mean_loss(mask="x ** 2 * (1 - level) / level"), "the share that is *dropped*"),
        "square of the sum": (_mean_loss(size="M.sum(0) ** 2"), "Σ M², not (Σ M)²"),
        "wrong index": (_mean_loss(one="part(B @ A, x, (B @ A).T)"), "over the wrong index"),
        "penalty of BA on both": (_mean_loss(two="part(A, goal, B @ A)"), "its M is A"),
        "noisy target": (_mean_loss(one="part(B @ A, x, torch.eye(x.shape[1]) - B @ A)"), "not of I − BA"),
        "no lambda": (_mean_loss(total="one + two"), "λ is missing"),
        "halved": (_mean_loss(total="(share * one + (1 - share) * two) / 2"), "Your loss is halved"),
        "no goal": (_mean_loss(two="part(A, 0 * goal, A)"), "The centres are missing in L2"),
        "mask for noise": (_mean_loss(noise="x ** 2 * level / (1 - level)"), "the variance of the mask"),
        "1 − r twice": (_mean_loss(mask="x ** 2 * level / (1 - level) ** 2"), "1 − r stands once below"),
        "one for each image": (_mean_loss(average=""), "is a single number"),
    },
    "mended_training": {
        "not mended": (_mended(error="z @ B.T - batch"), "That is still the broken one"),
        "no noise at all": (_mended(noisy="x"), "Now there is no noise at all"),
        "clean input, noisy target": (
            _mended(noisy="x", error="z @ B.T - (x + sigma * epsilon)"),
            "You exchanged input and target",
        ),
        "clean in the gradient": (_mended(on_A="x"), "Mend the mistake"),
        "clean in the gradient only": (_mended(error="z @ B.T - batch", on_A="x"), "Mend the mistake"),
        "fresh noise on the target": (
            _mended(error="z @ B.T - (x + sigma * torch.randn(x.shape))"),
            "Twice the same question",
        ),
        "a history of L1": (_mended(keep="l1"), "yours is L1 alone"),
        "the target half noisy": (_mended(error="z @ B.T - (x + batch) / 2"), "Your target is half noisy"),
        "no 2": (_mended().replace("rate * 2 / len(x)", "rate / len(x)"), "The 2 of the square's derivative was right"),
        "one after the other": (
            _mended().replace(
                "A, B = A - rate * 2 / len(x) * on_z.T @ batch, B - rate * 2 / len(x) * share * error.T @ z",
                "A = A - rate * 2 / len(x) * on_z.T @ batch\n        z = batch @ A.T\n"
                "        B = B - rate * 2 / len(x) * share * (z @ B.T - x).T @ z",
            ),
            "both move at once",
        ),
        "history against the noisy images": (
            _mended(keep="share * (z @ B.T - batch).square().sum(1).mean() + (1 - share) * l2"),
            "yours compares with the noisy images",
        ),
        "energy of the noise taken off": (
            _mended(error="z @ B.T - batch", keep="share * (l1 - sigma**2 * x.shape[1]) + (1 - share) * l2"),
            "That is still the broken one",
        ),
    },
}
