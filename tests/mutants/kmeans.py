"""Answers to the assignment K-means: right ones written differently, and the mistakes that students make.

RIGHT[task][name] is code, WRONG[task][name] is (code, a part of what the student is told about it).
"""

RIGHT = {
    "squared_distances": {
        "loops": """
def squared_distances(X, centers):
    D = torch.zeros(len(X), len(centers))
    for i in range(len(X)):
        for k in range(len(centers)):
            D[i, k] = ((X[i] - centers[k]) ** 2).sum()
    return D
""",
        "expanded": """
def squared_distances(X, centers):
    D = (X ** 2).sum(1, keepdim=True) - 2 * X @ centers.T + (centers ** 2).sum(1)
    return D.clamp(min=0)
""",
        "cdist": """
def squared_distances(X, centers):
    return torch.cdist(X, centers) ** 2
""",
        "numpy inside": """
import numpy as np

def squared_distances(X, centers):
    difference = X.numpy()[:, np.newaxis] - centers.numpy()
    return torch.from_numpy(np.einsum("nkd,nkd->nk", difference, difference))
""",
        "a column for each center": """
def squared_distances(X, centers):
    return torch.stack([(X - c).pow(2).sum(1) for c in centers]).T
""",
    },
    "assign": {
        "argmin and min": """
def assign(X, centers):
    D = squared_distances(X, centers)
    return torch.argmin(D, dim=1), D.min(dim=1)[0].sum().item()
""",
        "loop": """
def assign(X, centers):
    D = squared_distances(X, centers)
    labels, loss = [], 0.0
    for row in D:
        labels.append(int(row.argmin()))
        loss += row[labels[-1]]
    return torch.tensor(labels), loss
""",
        "by its own distances": """
def assign(X, centers):
    nearest = torch.cdist(X, centers).min(dim=1)
    return nearest.indices, (nearest.values ** 2).sum()
""",
        "gather": """
def assign(X, centers):
    D = squared_distances(X, centers)
    labels = D.sort(dim=1).indices[:, 0]
    return labels, D.gather(1, labels[:, None]).sum()
""",
        "NumPy's loss": """
def assign(X, centers):
    distances, labels = squared_distances(X, centers).min(dim=1)
    return labels, distances.numpy().sum()
""",
    },
    "update": {
        "one-hot product": """
def update(X, labels, centers):
    one_hot = torch.nn.functional.one_hot(labels, len(centers)).to(X.dtype)
    n = one_hot.sum(0)[:, None]
    return torch.where(n > 0, one_hot.T @ X / n.clamp(min=1), centers)
""",
        "index_add": """
def update(X, labels, centers):
    sums = torch.zeros_like(centers).index_add_(0, labels, X)
    n = torch.bincount(labels, minlength=len(centers))
    new = centers.clone()
    new[n > 0] = sums[n > 0] / n[n > 0, None]
    return new
""",
        "list": """
def update(X, labels, centers):
    return torch.stack([X[labels == k].mean(0) if (labels == k).any() else centers[k] for k in range(len(centers))])
""",
        "numpy inside": """
import numpy as np

def update(X, labels, centers):
    new = centers.numpy().copy()
    for k in np.unique(labels.numpy()):
        new[k] = np.mean(X.numpy()[labels.numpy() == k], axis=0)
    return torch.from_numpy(new)
""",
        "in double precision": """
def update(X, labels, centers):
    own = (labels[:, None] == torch.arange(len(centers))).double()
    n = own.sum(0)[:, None]
    return torch.where(n > 0, own.T @ X.double() / n, centers.double())
""",
    },
    "kmeans_plus_plus": {
        "cumulative sum": """
def kmeans_plus_plus(X, n_clusters, generator):
    centers = X[torch.randint(0, len(X), (1,), generator=generator)]
    while len(centers) < n_clusters:
        D = squared_distances(X, centers).min(1)[0]
        edges = torch.cumsum(D / D.sum(), dim=0)
        u = torch.rand(1, generator=generator)
        row = torch.searchsorted(edges, u, right=True).clamp(max=len(X) - 1)
        centers = torch.cat([centers, X[row]])
    return centers
""",
        "kept nearest distances": """
def kmeans_plus_plus(X, n_clusters, generator):
    centers = torch.empty(n_clusters, X.shape[1])
    nearest = torch.ones(len(X))
    for k in range(n_clusters):
        centers[k] = X[torch.multinomial(nearest, 1, generator=generator)]
        new = squared_distances(X, centers[k : k + 1])[:, 0]
        nearest = new if k == 0 else torch.minimum(nearest, new)
    return centers
""",
        "first by permutation": """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = torch.randperm(len(X), generator=generator)[:1].tolist()
    for _ in range(1, n_clusters):
        p = torch.stack([((X - X[r]) ** 2).sum(1) for r in rows]).min(0).values
        rows += torch.multinomial(p / p.sum(), 1, generator=generator).tolist()
    return X[rows]
""",
        "NumPy's choice": """
def kmeans_plus_plus(X, n_clusters, generator):
    import numpy as np

    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    rows = [rng.integers(len(X))]
    for _ in range(n_clusters - 1):
        squares = squared_distances(X, X[rows]).min(dim=1).values.double().numpy()
        rows.append(rng.choice(len(X), p=squares / squares.sum()))
    return X[rows]
""",
    },
    "lloyd": {
        "centers at rest": """
def lloyd(X, centers, max_iter=100):
    history = []
    for _ in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(float(loss))
        new = update(X, labels, centers)
        if torch.allclose(new, centers):
            break
        centers = new
    return centers, assign(X, centers)[0], history
""",
        "last loss appended": """
def lloyd(X, centers, max_iter=100):
    old, history = None, []
    for t in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(loss.item())
        if old is not None and (labels == old).all():
            break
        old, centers = labels, update(X, labels, centers)
    labels, loss = assign(X, centers)
    history.append(loss.item())
    return centers, labels, history
""",
        "while the loss falls": """
def lloyd(X, centers, max_iter=100):
    labels, loss = assign(X, centers)
    history = [float(loss)]
    while len(history) < max_iter:
        centers = update(X, labels, centers)
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if not history[-1] < history[-2]:
            break
    return centers, labels, history
""",
        "without the other tasks": """
def lloyd(X, centers, max_iter=100):
    history, before = [], None
    for _ in range(max_iter):
        D = torch.cdist(X, centers) ** 2
        labels = D.argmin(1)
        history.append(sum(D[range(len(X)), labels].tolist()))
        if before is not None and torch.equal(before, labels):
            return centers, labels, history
        before = labels
        centers = torch.stack([X[labels == k].mean(0) if k in labels else centers[k] for k in range(len(centers))])
    return centers, (torch.cdist(X, centers)).argmin(1), history
""",
        "NumPy's numbers": """
def lloyd(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        labels, loss = assign(X, centers)
        history.append(__import__('numpy').float32(loss))
        if before is not None and torch.equal(labels, before):
            return centers, labels, history
        centers = update(X, labels, centers)
    return centers, assign(X, centers)[0], history
""",
        "in double precision": """
def lloyd(X, centers, max_iter=100):
    X, centers = X.double(), centers.double()
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels, before):
            return centers, labels, history
        centers = update(X, labels, centers)
    return centers, assign(X, centers)[0], history
""",
    },
    "kmedians": {
        "mean of the two middle ones": """
def kmedians(X, centers, max_iter=100):
    import numpy as np

    before, history, points = None, [], X.numpy()
    for _ in range(max_iter):
        D = (X[:, None] - centers).abs().sum(2)
        labels = D.argmin(1)
        history.append(D.min(1).values.sum().item())
        if before is not None and torch.equal(labels, before):
            return centers, labels, history
        before, centers = labels, centers.clone()
        for k in labels.unique().tolist():
            centers[k] = torch.from_numpy(np.median(points[labels.numpy() == k], axis=0))
    return centers, (X[:, None] - centers).abs().sum(2).argmin(1), history
""",
        "sorted, the upper middle one": """
def kmedians(X, centers, max_iter=100):
    def nearest(centers):
        return torch.stack([(X - c).abs().sum(1) for c in centers], dim=1).min(1)

    distances, labels = nearest(centers)
    history = [float(distances.sum())]
    while len(history) < max_iter:
        new = []
        for k, center in enumerate(centers):
            members = X[labels == k].sort(dim=0).values
            new.append(members[len(members) // 2] if len(members) else center)
        centers = torch.stack(new)
        distances, labels = nearest(centers)
        history.append(float(distances.sum()))
        if history[-1] == history[-2]:
            break
    return centers, labels, history
""",
        "NumPy's numbers": """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(distances.sum().numpy()[()])
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.quantile(0.5, dim=0) if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
    },
    "mended_lloyd": {
        "loop over the centers": """
def mended_lloyd(X, centers, max_iter=30):
    history = []
    for _ in range(max_iter):
        table = ((X[:, None] - centers[None]) ** 2).sum(dim=2)
        labels = table.argmin(dim=1)
        history.append(float(table.min(dim=1).values.sum()))
        new = centers.clone()
        for k in range(len(centers)):
            if (labels == k).any():
                new[k] = X[labels == k].mean(dim=0)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
        "sums and counts": """
def mended_lloyd(X, centers, max_iter=30):
    history = []
    for _ in range(max_iter):
        D = torch.cdist(X, centers) ** 2
        labels = D.argmin(1)
        history.append(D.min(1).values.sum().item())
        counts = torch.bincount(labels, minlength=len(centers))[:, None]
        sums = torch.zeros_like(centers).index_add_(0, labels, X)
        new = torch.where(counts > 0, sums / counts.clamp(min=1), centers)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
        "NumPy's numbers": """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    for _ in range(max_iter):
        sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(distances.sum().numpy()[()])
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 0, sums / counts, centers)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
        "in double precision": """
def mended_lloyd(X, centers, max_iter=60):
    X, centers, history = X.double(), centers.double(), []
    for _ in range(max_iter):
        sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1).double()
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 0, sums / counts, centers)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
    },
}

WRONG = {
    "squared_distances": {
        "euclidean": (
            """
def squared_distances(X, centers):
    return torch.cdist(X, centers)
""",
            "look like Euclidean distances",
        ),
        "transposed": (
            """
def squared_distances(X, centers):
    return ((centers[:, None] - X[None]) ** 2).sum(2)
""",
            "Row i must be a sample, column k a centre",
        ),
        "mean over features": (
            """
def squared_distances(X, centers):
    return ((X[:, None] - centers) ** 2).mean(2)
""",
            "mean over the features",
        ),
        "absolute differences": (
            """
def squared_distances(X, centers):
    return (X[:, None] - centers).abs().sum(2)
""",
            "absolute differences",
        ),
        "not summed": (
            """
def squared_distances(X, centers):
    return (X[:, None] - centers) ** 2
""",
            "something is left to sum over",
        ),
        "summed over the centers": (
            """
def squared_distances(X, centers):
    return ((X[:, None] - centers) ** 2).sum(2).sum(1)
""",
            "one number for each sample",
        ),
        "summed before squared": (
            """
def squared_distances(X, centers):
    return (X[:, None] - centers).sum(2) ** 2
""",
            "summed before you squared",
        ),
        "no broadcasting": (
            """
def squared_distances(X, centers):
    return ((X - centers) ** 2).sum(1)
""",
            "Every sample must meet every centre",
        ),
        "expanded without the 2": (
            """
def squared_distances(X, centers):
    return ((X**2).sum(1, keepdim=True) - X @ centers.T + (centers**2).sum(1)).clamp(min=0)
""",
            "The 2 in the middle of the expanded square",
        ),
        "expanded, rounding below zero": (
            """
def squared_distances(X, centers):
    return (X**2).sum(1, keepdim=True) - 2 * X @ centers.T + (centers**2).sum(1)
""",
            "That is rounding",
        ),
        "not returned": (
            """
def squared_distances(X, centers):
    D = ((X[:, None] - centers) ** 2).sum(2)
""",
            "is the `return` missing",
        ),
        "numpy array": (
            """
def squared_distances(X, centers):
    return ((X[:, None] - centers) ** 2).sum(2).numpy()
""",
            "must be a torch tensor",
        ),
        "squeezed": (
            """
def squared_distances(X, centers):
    return ((X[:, None] - centers) ** 2).sum(2).squeeze()
""",
            "With a single sample",
        ),
        "only for two features": (
            """
def squared_distances(X, centers):
    D = 0
    for j in range(min(2, X.shape[1])):
        D = D + (X[:, j, None] - centers[:, j]) ** 2
    return D
""",
            "some of your distances are wrong",
        ),
        "only the visible example": (
            """
def squared_distances(X, centers):
    if len(X) == 60:
        return torch.zeros(60, 60)
    return torch.tensor([[0.0, 9.0], [25.0, 16.0], [2.0, 5.0]])[: len(X), : len(centers)]
""",
            "has not the shape (n, k)",
        ),
        "expanded, plus": (
            """
def squared_distances(X, centers):
    return (X**2).sum(1, keepdim=True) + 2 * X @ centers.T + (centers**2).sum(1)
""",
            "has the wrong sign: − 2 x · μ",
        ),
        "expanded, without the centers": (
            """
def squared_distances(X, centers):
    return (X**2).sum(1, keepdim=True) - 2 * X @ centers.T
""",
            "The term ‖μ‖² of the expanded square is missing",
        ),
    },
    "assign": {
        "farthest": (
            """
def assign(X, centers):
    D = squared_distances(X, centers)
    return D.argmax(1), D.min(1).values.sum()
""",
            "the farthest centre",
        ),
        "minimum over the samples": (
            """
def assign(X, centers):
    D = squared_distances(X, centers)
    return D.argmin(0), D.min(0).values.sum()
""",
            "one label for each centre",
        ),
        "mean loss": (
            """
def assign(X, centers):
    d, labels = squared_distances(X, centers).min(1)
    return labels, d.mean()
""",
            "mean over the samples",
        ),
        "loss over all centers": (
            """
def assign(X, centers):
    D = squared_distances(X, centers)
    return D.argmin(1), D.sum()
""",
            "pays only for its own",
        ),
        "loss of Euclidean distances": (
            """
def assign(X, centers):
    d, labels = squared_distances(X, centers).min(1)
    return labels, d.sqrt().sum()
""",
            "sums Euclidean distances",
        ),
        "squared twice": (
            """
def assign(X, centers):
    d, labels = squared_distances(X, centers).min(1)
    return labels, (d**2).sum()
""",
            "squared distances once more",
        ),
        "loss of each sample": (
            """
def assign(X, centers):
    d, labels = squared_distances(X, centers).min(1)
    return labels, d
""",
            "is a single number",
        ),
        "labels only": (
            """
def assign(X, centers):
    return squared_distances(X, centers).argmin(1)
""",
            "Return two things",
        ),
        "exchanged": (
            """
def assign(X, centers):
    d, labels = squared_distances(X, centers).min(1)
    return d.sum(), labels
""",
            "look exchanged",
        ),
        "distances as labels": (
            """
def assign(X, centers):
    d, labels = squared_distances(X, centers).min(1)
    return d, d.sum()
""",
            "*place* of the smallest one",
        ),
        "float labels": (
            """
def assign(X, centers):
    d, labels = squared_distances(X, centers).min(1)
    return labels.float(), d.sum()
""",
            "whole numbers",
        ),
        "one-hot labels": (
            """
def assign(X, centers):
    d, labels = squared_distances(X, centers).min(1)
    return torch.nn.functional.one_hot(labels, len(centers)), d.sum()
""",
            "the *number* of the nearest centre",
        ),
        "labels from 1": (
            """
def assign(X, centers):
    d, labels = squared_distances(X, centers).min(1)
    return labels + 1, d.sum()
""",
            "start at 1",
        ),
        "keepdim": (
            """
def assign(X, centers):
    D = squared_distances(X, centers)
    return D.argmin(1, keepdim=True), D.min(1).values.sum()
""",
            "shape (n, 1)",
        ),
        "only three centers": (
            """
def assign(X, centers):
    d, labels = squared_distances(X, centers[:3]).min(1)
    return labels, d.sum()
""",
            "some labels are not those of the nearest centre",
        ),
        "half": (
            """
def assign(X, centers):
    distances, labels = squared_distances(X, centers).min(dim=1)
    return labels, distances.sum() / 2
""",
            "Your loss is half of it",
        ),
        "sum of the clusters' means": (
            """
def assign(X, centers):
    distances, labels = squared_distances(X, centers).min(dim=1)
    return labels, sum(distances[labels == k].mean() for k in labels.unique())
""",
            "Your loss sums the means of the clusters",
        ),
    },
    "update": {
        "NaN for an empty cluster": (
            """
def update(X, labels, centers):
    return torch.stack([X[labels == k].mean(0) for k in range(len(centers))])
""",
            "An empty cluster gave NaN",
        ),
        "empty cluster to the origin": (
            """
def update(X, labels, centers):
    one_hot = torch.nn.functional.one_hot(labels, len(centers)).float()
    return one_hot.T @ X / one_hot.sum(0).clamp(min=1)[:, None]
""",
            "to the origin",
        ),
        "empty cluster to the mean of all": (
            """
def update(X, labels, centers):
    return torch.stack([X[labels == k].mean(0) if k in labels else X.mean(0) for k in range(len(centers))])
""",
            "Let it stay where it is",
        ),
        "empty cluster lost": (
            """
def update(X, labels, centers):
    return torch.stack([X[labels == k].mean(0) for k in labels.unique()])
""",
            "it got lost",
        ),
        "k from the labels": (
            """
def update(X, labels, centers):
    new = centers[: labels.max() + 1].clone()
    for k in labels.unique():
        new[k] = X[labels == k].mean(0)
    return new
""",
            "it got lost",
        ),
        "writes into its argument": (
            """
def update(X, labels, centers):
    for k in range(len(centers)):
        if (labels == k).any():
            centers[k] = X[labels == k].mean(0)
    return centers
""",
            "changed its argument `centers`",
        ),
        "sum": (
            """
def update(X, labels, centers):
    return torch.stack([X[labels == k].sum(0) if k in labels else centers[k] for k in range(len(centers))])
""",
            "These are sums",
        ),
        "divided by all samples": (
            """
def update(X, labels, centers):
    return torch.stack(
        [X[labels == k].sum(0) / len(X) if k in labels else centers[k] for k in range(len(centers))])
""",
            "number of all samples",
        ),
        "mean over the features": (
            """
def update(X, labels, centers):
    return torch.stack([X[labels == k].mean() if k in labels else centers[k, 0] for k in range(len(centers))])
""",
            "mean over the samples, not over the features",
        ),
        "half of the way": (
            """
def update(X, labels, centers):
    return torch.stack(
        [(X[labels == k].mean(0) + centers[k]) / 2 if k in labels else centers[k] for k in range(len(centers))])
""",
            "half of the way",
        ),
        "median": (
            """
def update(X, labels, centers):
    return torch.stack(
        [X[labels == k].median(0).values if k in labels else centers[k] for k in range(len(centers))])
""",
            "their mean is",
        ),
        "mean over dimension 1": (
            """
def update(X, labels, centers):
    new = centers.clone()
    for k in range(len(centers)):
        if (labels == k).any():
            new[k] = X[labels == k].mean(1)
    return new
""",
            "over the samples, not over the features",
        ),
        "return inside the loop": (
            """
def update(X, labels, centers):
    new = centers.clone()
    for k in range(len(centers)):
        if (labels == k).any():
            new[k] = X[labels == k].mean(0)
        return new
""",
            "is the `return` inside the loop",
        ),
        "centers at rest": (
            """
def update(X, labels, centers):
    return centers.clone()
""",
            "did not move",
        ),
        "only the first three": (
            """
def update(X, labels, centers):
    new = centers.clone()
    for k in range(3):
        if (labels == k).any():
            new[k] = X[labels == k].mean(0)
    return new
""",
            "some centres are not the mean of their cluster",
        ),
        "a cluster of one sample": (
            """
def update(X, labels, centers):
    new = centers.clone()
    for k in range(len(centers)):
        mine = X[labels == k]
        if len(mine) > 1:
            new[k] = mine.mean(dim=0)
    return new
""",
            "Centre 0 did not move, although its cluster has samples",
        ),
        "labels that occur": (
            """
def update(X, labels, centers):
    new = centers.clone()
    for i, k in enumerate(labels.unique()):
        new[i] = X[labels == k].mean(dim=0)
    return new
""",
            "Centre 1 got the mean of cluster 2",
        ),
        "one mean for all features": (
            """
def update(X, labels, centers):
    new = centers.clone()
    for k in range(len(centers)):
        mine = X[labels == k]
        if len(mine) > 0:
            new[k] = mine.mean()
    return new
""",
            "Your mean is one number for all features",
        ),
        "with the old center": (
            """
def update(X, labels, centers):
    new = centers.clone()
    for k in range(len(centers)):
        mine = X[labels == k]
        if len(mine) > 0:
            new[k] = (mine.sum(0) + centers[k]) / (len(mine) + 1)
    return new
""",
            "The old centre counts as a sample",
        ),
    },
    "kmeans_plus_plus": {
        "equal probabilities": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    return X[torch.randperm(len(X), generator=generator)[:n_clusters]]
""",
            "equal probabilities",
        ),
        "with replacement": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    return X[torch.randint(len(X), (n_clusters,), generator=generator)]
""",
            "the same sample twice",
        ),
        "distances instead of squares": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [int(torch.randint(len(X), (1,), generator=generator))]
    while len(rows) < n_clusters:
        d = squared_distances(X, X[rows]).min(1).values.sqrt()
        rows.append(int(torch.multinomial(d, 1, generator=generator)))
    return X[rows]
""",
            "use the squared ones",
        ),
        "squared twice": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [int(torch.randint(len(X), (1,), generator=generator))]
    while len(rows) < n_clusters:
        d = squared_distances(X, X[rows]).min(1).values ** 2
        rows.append(int(torch.multinomial(d, 1, generator=generator)))
    return X[rows]
""",
            "fourth powers",
        ),
        "farthest": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [int(torch.randint(len(X), (1,), generator=generator))]
    while len(rows) < n_clusters:
        rows.append(int(squared_distances(X, X[rows]).min(1).values.argmax()))
    return X[rows]
""",
            "the farthest sample always wins",
        ),
        "first sample first": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [0]
    while len(rows) < n_clusters:
        d = squared_distances(X, X[rows]).min(1).values
        rows.append(int(torch.multinomial(d, 1, generator=generator)))
    return X[rows]
""",
            "any sample with equal probability",
        ),
        "distance to the last center": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [int(torch.randint(len(X), (1,), generator=generator))]
    while len(rows) < n_clusters:
        d = squared_distances(X, X[rows[-1:]])[:, 0]
        rows.append(int(torch.multinomial(d, 1, generator=generator)))
    return X[rows]
""",
            "the *nearest* of the centres so far",
        ),
        "distance to the farthest center": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [int(torch.randint(len(X), (1,), generator=generator))]
    while len(rows) < n_clusters:
        d = squared_distances(X, X[rows]).max(1).values
        rows.append(int(torch.multinomial(d, 1, generator=generator)))
    return X[rows]
""",
            "the *nearest* of the centres so far",
        ),
        "sum of the distances": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [int(torch.randint(len(X), (1,), generator=generator))]
    while len(rows) < n_clusters:
        d = squared_distances(X, X[rows]).sum(1)
        rows.append(int(torch.multinomial(d, 1, generator=generator)))
    return X[rows]
""",
            "the *nearest* of the centres so far",
        ),
        "global random numbers": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [int(torch.randint(len(X), (1,)))]
    while len(rows) < n_clusters:
        rows.append(int(torch.multinomial(squared_distances(X, X[rows]).min(1).values, 1)))
    return X[rows]
""",
            "draw all random numbers from `generator`",
        ),
        "its own seed": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    generator = torch.Generator().manual_seed(42)
    rows = [int(torch.randint(len(X), (1,), generator=generator))]
    while len(rows) < n_clusters:
        d = squared_distances(X, X[rows]).min(1).values
        rows.append(int(torch.multinomial(d, 1, generator=generator)))
    return X[rows]
""",
            "the same for every seed",
        ),
        "row numbers": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [int(torch.randint(len(X), (1,), generator=generator))]
    while len(rows) < n_clusters:
        d = squared_distances(X, X[rows]).min(1).values
        rows.append(int(torch.multinomial(d, 1, generator=generator)))
    return torch.tensor(rows)
""",
            "the row numbers",
        ),
        "not samples": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    low, high = X.min(0).values, X.max(0).values
    return low + (high - low) * torch.rand(n_clusters, X.shape[1], generator=generator)
""",
            "is not one of the samples",
        ),
        "one center too many": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [int(torch.randint(len(X), (1,), generator=generator))]
    for _ in range(n_clusters):
        d = squared_distances(X, X[rows]).min(1).values
        rows.append(int(torch.multinomial(d, 1, generator=generator)))
    return X[rows]
""",
            "must have shape (4, 2)",
        ),
        "equal probabilities from the third on": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [int(torch.randint(len(X), (1,), generator=generator))]
    while len(rows) < n_clusters:
        d = squared_distances(X, X[rows]).min(1).values
        d = d if len(rows) == 1 else (d > 0).float()
        rows.append(int(torch.multinomial(d, 1, generator=generator)))
    return X[rows]
""",
            "nor equal chances",
        ),
        "all from the first": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    first = int(torch.randint(len(X), (1,), generator=generator))
    squares = squared_distances(X, X[[first]])[:, 0]
    return X[[first, *torch.multinomial(squares, n_clusters - 1, generator=generator).tolist()]]
""",
            "You measure from the first centre only",
        ),
        "from the last, none twice": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [int(torch.randint(len(X), (1,), generator=generator))]
    for _ in range(n_clusters - 1):
        squares = squared_distances(X, X[rows[-1:]])[:, 0]
        squares[rows] = 0
        rows.append(int(torch.multinomial(squares, 1, generator=generator)))
    return X[rows]
""",
            "You measure from the last centre only",
        ),
        "the sum, none twice": (
            """
def kmeans_plus_plus(X, n_clusters, generator):
    rows = [int(torch.randint(len(X), (1,), generator=generator))]
    for _ in range(n_clusters - 1):
        squares = squared_distances(X, X[rows]).sum(dim=1)
        squares[rows] = 0
        rows.append(int(torch.multinomial(squares, 1, generator=generator)))
    return X[rows]
""",
            "no mean, no sum",
        ),
    },
    "lloyd": {
        "never stops": (
            """
def lloyd(X, centers, max_iter=100):
    history = []
    for _ in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(float(loss))
        centers = update(X, labels, centers)
    return centers, assign(X, centers)[0], history
""",
            "all of max_iter = 100",
        ),
        "one iteration": (
            """
def lloyd(X, centers, max_iter=100):
    labels, loss = assign(X, centers)
    return update(X, labels, centers), labels, [float(loss)]
""",
            "ended after one iteration",
        ),
        "stops when any label stays": (
            """
def lloyd(X, centers, max_iter=100):
    before, history = None, []
    for _ in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and (labels == before).any():
            break
        before, centers = labels, update(X, labels, centers)
    return centers, labels, history
""",
            "ended too early",
        ),
        "labels one step behind": (
            """
def lloyd(X, centers, max_iter=100):
    before, history = None, []
    for _ in range(min(max_iter, 4)):
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels, before):
            break
        before, centers = labels, update(X, labels, centers)
    return centers, labels, history
""",
            "from different steps",
        ),
        "labels one step behind at max_iter": (
            """
def lloyd(X, centers, max_iter=100):
    before, history = None, []
    for _ in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels, before):
            break
        before, centers = labels, update(X, labels, centers)
    return centers, labels, history
""",
            "When max_iter ends the loop",
        ),
        "mean loss": (
            """
def lloyd(X, centers, max_iter=100):
    before, history = None, []
    for _ in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(float(loss) / len(X))
        if before is not None and torch.equal(labels, before):
            break
        before, centers = labels, update(X, labels, centers)
    return centers, assign(X, centers)[0], history
""",
            "means over the samples",
        ),
        "tensors in the history": (
            """
def lloyd(X, centers, max_iter=100):
    before, history = None, []
    for _ in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(torch.as_tensor(loss))
        if before is not None and torch.equal(labels, before):
            break
        before, centers = labels, update(X, labels, centers)
    return centers, assign(X, centers)[0], history
""",
            "must hold plain numbers",
        ),
        "oversteps": (
            """
def lloyd(X, centers, max_iter=100):
    before, history = None, []
    for _ in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels, before):
            break
        before, centers = labels, centers + 2.5 * (update(X, labels, centers) - centers)
    return centers, assign(X, centers)[0], history
""",
            "Your loss went up in iteration",
        ),
        "new random centers each time": (
            """
def lloyd(X, centers, max_iter=100):
    history, generator = [], torch.Generator().manual_seed(0)
    for _ in range(min(max_iter, 10)):
        labels, loss = assign(X, centers)
        history.append(float(loss))
        update(X, labels, centers)
        centers = X[torch.randint(len(X), (len(centers),), generator=generator)]
    return centers, assign(X, centers)[0], history
""",
            "Your loss went up in iteration",
        ),
        "centers never updated": (
            """
def lloyd(X, centers, max_iter=100):
    before, history = None, []
    for _ in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels, before):
            break
        before = labels
        update(X, labels, centers)
    return centers, labels, history
""",
            "ended too early",
        ),
        "its own start": (
            """
def lloyd(X, centers, max_iter=100):
    centers = X[:: len(X) // len(centers)][: len(centers)]
    before, history = None, []
    for _ in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels, before):
            break
        before, centers = labels, update(X, labels, centers)
    return centers, assign(X, centers)[0], history
""",
            "the loss of the centres that were given",
        ),
        "loss after the update": (
            """
def lloyd(X, centers, max_iter=100):
    before, history = None, []
    for _ in range(max_iter):
        labels, _ = assign(X, centers)
        if before is not None and torch.equal(labels, before):
            break
        before, centers = labels, update(X, labels, centers)
        history.append(float(assign(X, centers)[1]))
    return centers, assign(X, centers)[0], history
""",
            "the loss of the centres that were given",
        ),
        "changes the start": (
            """
def lloyd(X, centers, max_iter=100):
    before, history = None, []
    for _ in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels, before):
            break
        before = labels
        centers[:] = update(X, labels, centers)
    return centers, assign(X, centers)[0], history
""",
            "changed its argument `centers`",
        ),
        "max_iter ignored": (
            """
def lloyd(X, centers, max_iter=100):
    before, history = None, []
    while True:
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels, before):
            break
        before, centers = labels, update(X, labels, centers)
    return centers, labels, history
""",
            "With max_iter=4",
        ),
        "order of the results": (
            """
def lloyd(X, centers, max_iter=100):
    before, history = None, []
    for _ in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels, before):
            break
        before, centers = labels, update(X, labels, centers)
    return assign(X, centers)[0], centers, history
""",
            "first of the three results",
        ),
        "an empty cluster removed": (
            """
def lloyd(X, centers, max_iter=100):
    before, history = None, []
    for _ in range(max_iter):
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels, before):
            break
        before, centers = labels, update(X, labels, centers)[labels.unique()]
    return centers, assign(X, centers)[0], history
""",
            "here k = 3, d = 1) must have shape (3, 1); yours has (2, 1)",
        ),
        "a tolerance": (
            """
def lloyd(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and history[-2] - history[-1] < 1e-3 * history[-1]:
            return centers, labels, history
        centers = update(X, labels, centers)
    return centers, assign(X, centers)[0], history
""",
            "stop when no label changes, and not by the loss",
        ),
        "the sizes of the clusters": (
            """
def lloyd(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels.bincount(), before.bincount()):
            return centers, labels, history
        centers = update(X, labels, centers)
    return centers, assign(X, centers)[0], history
""",
            "compare the labels themselves",
        ),
        "stops before it appends": (
            """
def lloyd(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        labels, loss = assign(X, centers)
        if before is not None and torch.equal(labels, before):
            return centers, labels, history
        history.append(float(loss))
        centers = update(X, labels, centers)
    return centers, assign(X, centers)[0], history
""",
            "append before you stop",
        ),
        "two updates an iteration": (
            """
def lloyd(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels, before):
            return centers, labels, history
        for _ in range(2):
            centers = update(X, assign(X, centers)[0], centers)
    return centers, assign(X, centers)[0], history
""",
            "One iteration is one assignment and one update",
        ),
        "one iteration more": (
            """
def lloyd(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter + 1):
        before = labels
        labels, loss = assign(X, centers)
        history.append(float(loss))
        if before is not None and torch.equal(labels, before):
            return centers, labels, history
        centers = update(X, labels, centers)
    return centers, assign(X, centers)[0], history
""",
            "are where 5 lead",
        ),
    },
    "kmedians": {
        "means": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.mean(dim=0) if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "the mean is best for squares",
        ),
        "squared distances": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = (torch.cdist(X, centers) ** 2).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.median(dim=0).values if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "still sums squares",
        ),
        "Euclidean distances": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.median(dim=0).values if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "still Euclidean",
        ),
        "Euclidean assignment": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        labels = torch.cdist(X, centers).argmin(dim=1)
        history.append(float((X - centers[labels]).abs().sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.median(dim=0).values if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "both steps must use the same distance",
        ),
        "mean loss": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.mean()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.median(dim=0).values if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "mean over the samples",
        ),
        "median of nothing": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.median(dim=0).values for m in members])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "the median of nothing is an error",
        ),
        "NaN for an empty cluster": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        nan = float("nan")
        centers = torch.stack([m.median(dim=0).values if len(m) else c * nan for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "became NaN",
        ),
        "empty cluster to the origin": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.median(dim=0).values if len(m) else 0 * c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "and it moved",
        ),
        "one median for all features": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.median().expand(X.shape[1]) if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "goes up",
        ),
        "largest instead of middle": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.max(dim=0).values if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "is your update the best answer",
        ),
        "one iteration": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.sum()))
        break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.median(dim=0).values if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "ended after one iteration",
        ),
        "labels one step behind": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.median(dim=0).values if len(m) else c for m, c in zip(members, centers)])
    return centers, labels, history
""",
            "these have moved since you assigned",
        ),
        "a member with the smallest sum": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        best = [torch.cdist(m, m, p=1).sum(1).argmin() if len(m) else 0 for m in members]
        centers = torch.stack([m[b] if len(m) else c for m, b, c in zip(members, best, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "are [1, 1] and [1, 11]; yours are [1.0, 0.0]",
        ),
        "the middle row": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m[len(m) // 2] if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "Your loss goes up",
        ),
        "one iteration more": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter + 1):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.median(dim=0).values if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "the second moves once",
        ),
        "values and places": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=1).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.median(dim=0) if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=1).argmin(dim=1), history
""",
            "take its `.values`",
        ),
        "the largest difference": (
            """
def kmedians(X, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        before = labels
        distances, labels = torch.cdist(X, centers, p=float('inf')).min(dim=1)
        history.append(float(distances.sum()))
        if before is not None and torch.equal(labels, before):
            break
        members = [X[labels == k] for k in range(len(centers))]
        centers = torch.stack([m.median(dim=0).values if len(m) else c for m, c in zip(members, centers)])
    return centers, torch.cdist(X, centers, p=float('inf')).argmin(dim=1), history
""",
            "the largest difference of a feature",
        ),
    },
    "mended_lloyd": {
        "not mended": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
    for _ in range(max_iter):
        pass
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 0, sums / counts, centers)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
            "Lloyd's takes 3",
        ),
        "only the sums begin anew": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
    for _ in range(max_iter):
        sums = torch.zeros_like(centers)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 0, sums / counts, centers)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
            "both of them",
        ),
        "only the counts begin anew": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
    for _ in range(max_iter):
        counts = torch.zeros(len(centers), 1)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 0, sums / counts, centers)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
            "both of them",
        ),
        "NaN for an empty cluster": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
    for _ in range(max_iter):
        sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = sums / counts
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
            "became NaN",
        ),
        "empty cluster to the origin": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
    for _ in range(max_iter):
        sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = sums / counts.clamp(min=1)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
            "let it stay where it is",
        ),
        "one iteration": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
    for _ in range(max_iter):
        sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 0, sums / counts, centers)
        return new, labels, history
        centers = new
    return centers, labels, history
""",
            "ended after one iteration",
        ),
        "half of the way": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
    for _ in range(max_iter):
        sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = (torch.where(counts > 0, sums / counts, centers) + centers) / 2
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
            "Lloyd's takes 3",
        ),
        "stopped by max_iter": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
    for _ in range(max_iter):
        if len(history) == 3:
            break
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 0, sums / counts, centers)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
            "Their means are 1.5 and 11",
        ),
        "an empty cluster gets a sample": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
    for _ in range(max_iter):
        sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 0, sums / counts, X[-1])
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
            "let it stay where it is",
        ),
        "labels from 1": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    for _ in range(max_iter):
        sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 0, sums / counts, centers)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels + 1, history
""",
            "The labels here are 0, 0, 0, 0, 1, 1, 1",
        ),
        "labels of nothing": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    for _ in range(max_iter):
        sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 0, sums / counts, centers)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, 0 * labels, history
""",
            "The labels here are 0, 0, 0, 0, 1, 1, 1",
        ),
        "labels as fractions": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    for _ in range(max_iter):
        sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 0, sums / counts, centers)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels.float(), history
""",
            "Labels are whole numbers",
        ),
        "sixty iterations": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    for _ in range(60):
        sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 0, sums / counts, centers)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
            "With max_iter=2 the broken loop makes two",
        ),
        "a cluster of one sample": (
            """
def mended_lloyd(X, centers, max_iter=60):
    history = []
    for _ in range(max_iter):
        sums, counts = torch.zeros_like(centers), torch.zeros(len(centers), 1)
        distances, labels = torch.cdist(X, centers).square().min(dim=1)
        history.append(float(distances.sum()))
        sums.index_add_(0, labels, X)
        counts += torch.bincount(labels, minlength=len(centers))[:, None]
        new = torch.where(counts > 1, sums / counts, centers)
        if torch.equal(new, centers):
            break
        centers = new
    return centers, labels, history
""",
            "A cluster holds a single sample",
        ),
    },
}
