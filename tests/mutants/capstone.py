"""Answers to the capstone's functions: right ones written differently, and the mistakes that students make.

RIGHT[task][name] is code, WRONG[task][name] is (code, a part of what the student is told about it).
"""


def _strength(each, end="return float(min(found)) if found else 0.0", among="own", of="predicted", least=1):
    return f"""
def prediction_strength(own, predicted):
    found = []
    for c in np.unique({among}):
        s = np.unique({of}[{among} == c], return_counts=True)[1]
        n = s.sum()
        if n > {least}:
            found.append({each})
    {end}
"""


_PAIRS = "(s * (s - 1)).sum() / (n * (n - 1))"


def _codes(new="(new - x.mean(0)) @ axes.T", of="x - x.mean(0)", x="(x - x.mean(0)) @ axes.T"):
    return f"""
def mended_codes(x, new, d):
    def components(rows):
        return np.linalg.svd(rows - rows.mean(0), full_matrices=False)[2][:d]
    axes = np.linalg.svd({of}, full_matrices=False)[2][:d]
    return {x}, {new}
"""


def _choice(high="m + s / np.sqrt(strengths.shape[1])", ddof=1, end="max(good, default=1)", reach=">="):
    return f"""
def choose_k(ks, strengths, threshold):
    m, s = strengths.mean(axis=1), strengths.std(axis=1, ddof={ddof})
    high = {high}
    good = [k for k, value in zip(ks, high) if value {reach} threshold]
    return {end}
"""


# K-means on pixels, k by the silhouette: quick, and enough for groups that cannot be mistaken.
def _cluster(k="best", fit="a", seed="seed", new="model.predict(b)", end="return model.labels_, labels_new", first=""):
    return f"""
def cluster(x, new, seed):
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    {first}
    a, b = x.reshape(len(x), -1), new.reshape(len(new), -1)
    both = np.concatenate([a, b])
    quality = {{}}
    for k in range(2, 9):
        labels = KMeans(k, n_init=3, random_state={seed}).fit({fit}).labels_
        quality[k] = silhouette_score({fit}, labels)
    best = max(quality, key=quality.get)
    model = KMeans({k}, n_init=3, random_state={seed}).fit({fit})
    labels_new = {new}
    {end}
"""


RIGHT = {
    "prediction_strength": {
        "pairs in a table": """
def prediction_strength(own, predicted):
    same_own = own[:, None] == own
    same_predicted = predicted[:, None] == predicted
    np.fill_diagonal(same_own, False)
    rows = [np.flatnonzero(own == c)[0] for c in np.unique(own) if (own == c).sum() > 1]
    together = same_own & same_predicted
    return min((together[own == own[i]].sum() / same_own[own == own[i]].sum() for i in rows), default=0)
""",
        "NumPy's single precision": _strength(_PAIRS, "return np.float32(min(found, default=0))"),
        "a tensor": _strength(_PAIRS, "return torch.tensor(min(found, default=0.0))"),
        "unordered pairs": """
def prediction_strength(own, predicted):
    from itertools import combinations
    worst = []
    for c in set(own.tolist()):
        pairs = list(combinations(predicted[own == c].tolist(), 2))
        if pairs:
            worst.append(np.mean([p == q for p, q in pairs]))
    return np.min(worst) if worst else 0
""",
    },
    "mended_codes": {
        "PCA": """
def mended_codes(x, new, d):
    from sklearn.decomposition import PCA
    model = PCA(d, svd_solver="full").fit(x)
    return model.transform(x), model.transform(new)
""",
        "eigenvectors of the covariance": """
def mended_codes(x, new, d):
    origin = x.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    axes = vectors[:, ::-1][:, :d]
    return (x - origin) @ axes, (new - origin) @ axes
""",
        "both at once, learned from x": """
def mended_codes(x, new, d):
    from sklearn.decomposition import PCA
    model = PCA(d, svd_solver="full").fit(x)
    z = model.transform(np.concatenate([x, new]))
    return -z[:len(x)], -z[len(x):]
""",
    },
    "choose_k": {
        "from the largest down": """
def choose_k(ks, strengths, threshold):
    n = strengths.shape[1]
    for k, row in reversed(list(zip(ks, strengths))):
        error = np.sqrt(((row - row.mean()) ** 2).sum() / (n - 1) / n)
        if row.mean() + error >= threshold:
            return k
    return 1
""",
        "a tensor": """
def choose_k(ks, strengths, threshold):
    rows = torch.from_numpy(strengths)
    good = torch.tensor(ks)[rows.mean(1) + rows.std(1) / rows.shape[1] ** 0.5 >= threshold]
    return good.max() if len(good) else 1
""",
        "an array of one": """
def choose_k(ks, strengths, threshold):
    high = strengths.mean(1) + strengths.std(1, ddof=1) / np.sqrt(strengths.shape[1])
    return np.array([max(np.where(high >= threshold, ks, 1))])
""",
        "scipy": """
def choose_k(ks, strengths, threshold):
    from scipy.stats import sem
    high = strengths.mean(1) + sem(strengths, axis=1)
    return int(max(np.array(ks)[high >= threshold], default=1))
""",
        "a number of NumPy": """
def choose_k(ks, strengths, threshold):
    high = strengths.mean(1) + strengths.std(1, ddof=1) / np.sqrt(strengths.shape[1])
    good = np.array(ks)[high >= threshold]
    return good.max() if good.size else 1
""",
    },
    "cluster": {
        "k-means, k by the silhouette": _cluster(),
        "lists of numbers": _cluster(end="return [model.labels_.tolist(), labels_new.tolist()]"),
        "agglomerative, new ones by the nearest neighbour, labels from 10": """
def cluster(x, new, seed):
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.metrics import silhouette_score
    a, b = x.reshape(len(x), -1), new.reshape(len(new), -1)
    trials = [AgglomerativeClustering(k).fit_predict(a) for k in range(2, 9)]
    labels = max(trials, key=lambda found: silhouette_score(a, found)) + 10
    nearest = ((b[:, None] - a) ** 2).sum(2).argmin(1)
    return torch.from_numpy(labels), torch.from_numpy(labels[nearest])
""",
        "k by prediction strength, with the other tasks": """
def cluster(x, new, seed):
    from sklearn.cluster import KMeans
    rows, ks = x.reshape(len(x), -1), [2, 3, 4, 5, 6, 7, 8]
    table = np.zeros((len(ks), 4))
    for split in range(4):
        order = np.random.default_rng([seed, split]).permutation(len(x))
        z, z_new = mended_codes(rows[order[::2]], rows[order[1::2]], 8)
        for i, k in enumerate(ks):
            own = KMeans(k, n_init=5, random_state=seed).fit(z_new).labels_
            table[i, split] = prediction_strength(own, KMeans(k, n_init=5, random_state=seed).fit(z).predict(z_new))
    z, z_new = mended_codes(rows, new.reshape(len(new), -1), 8)
    model = KMeans(choose_k(ks, table, 0.9), n_init=5, random_state=seed).fit(z)
    return model.labels_, model.predict(z_new)
""",
    },
}

WRONG = {
    "prediction_strength": {
        "mean over the clusters": (
            _strength(_PAIRS, "return np.mean(found) if found else 0"),
            "that of the *worst* one",
        ),
        "best cluster": (_strength(_PAIRS, "return max(found, default=0)"), "That is the best cluster"),
        "all pairs together": (
            """
def prediction_strength(own, predicted):
    above = below = 0
    for c in np.unique(own):
        s = np.unique(predicted[own == c], return_counts=True)[1]
        above, below = above + (s * (s - 1)).sum(), below + s.sum() * (s.sum() - 1)
    return above / below if below else 0
""",
            "You put the pairs of all clusters together",
        ),
        "exchanged": (_strength(_PAIRS, among="predicted", of="own"), "You exchanged the two"),
        "pairs with itself": (_strength("(s ** 2).sum() / n ** 2"), "as a pair with itself"),
        "half of the pairs": (_strength("(s * (s - 1) / 2).sum() / (n * (n - 1))"), "Half of what it should be"),
        "twice the pairs": (_strength("(s * (s - 1)).sum() / (n * (n - 1) / 2)"), "Twice what it should be"),
        "largest part": (_strength("s.max() / n"), "a purity"),
        "ids compared": (
            "def prediction_strength(own, predicted):\n    return (own == predicted).mean()\n",
            "compare ids",
        ),
        "a cluster of one counts 0": (
            _strength("(s * (s - 1)).sum() / max(n * (n - 1), 1)", least=0),
            "A cluster of one sample has no pairs",
        ),
        "no pairs at all": (_strength(_PAIRS, "return min(found)"), "It stopped with ValueError"),
        "no pairs are perfect": (_strength(_PAIRS, "return min(found, default=1)"), "Where no cluster has a pair"),
        "clusters up to the largest number": (
            """
def prediction_strength(own, predicted):
    found = []
    for c in range(own.max() + 1):
        s = np.bincount(predicted[own == c])
        n = s.sum()
        found.append((s * (s - 1)).sum() / (n * (n - 1)) if n != 1 else 1.0)
    return np.min(found) if np.unique(own, return_counts=True)[1].max() > 1 else 0
""",
            "The strength is NaN",
        ),
        "median": (_strength(_PAIRS, "return np.median(found) if found else 0"), "the median of the clusters"),
        "share of torn pairs": (_strength(_PAIRS, "return 1 - min(found, default=1)"), "pairs that are *torn*"),
        "n squared below": (_strength("(s * (s - 1)).sum() / n ** 2"), "Below the line"),
        "s squared above": (_strength("(s ** 2).sum() / (n * (n - 1))"), "Above the line"),
        "pairs of the largest part": (
            _strength("s.max() * (s.max() - 1) / (n * (n - 1))"),
            "the pairs in the largest part only",
        ),
        "clusters of two left out": (_strength(_PAIRS, least=2), "A cluster of two samples has a pair"),
        "names from 0 on": (
            """
def prediction_strength(own, predicted):
    found = []
    for c in range(own.max() + 1):
        s = np.unique(predicted[own == c], return_counts=True)[1]
        n = s.sum()
        if n > 1:
            found.append((s * (s - 1)).sum() / (n * (n - 1)))
    return min(found, default=0.0)
""",
            "names may be any whole numbers",
        ),
        "a share for each cluster": (_strength(_PAIRS, "return np.array(found)"), "is a single number"),
    },
    "mended_codes": {
        "not mended": (_codes(new="(new - new.mean(0)) @ components(new).T"), "Still the broken one"),
        "the mean of new": (_codes(new="(new - new.mean(0)) @ axes.T"), "`new` has still its own mean"),
        "the axes of new": (_codes(new="(new - x.mean(0)) @ components(new).T"), "Still the broken one"),
        "no mean for new": (_codes(new="new @ axes.T"), "From `new` no mean is subtracted"),
        "axes of both together": (
            """
def mended_codes(x, new, d):
    both = np.concatenate([x, new])
    axes = np.linalg.svd(both - both.mean(0), full_matrices=False)[2][:d]
    return (x - both.mean(0)) @ axes.T, (new - both.mean(0)) @ axes.T
""",
            "from x and `new` together",
        ),
        "scaled": (
            _codes(x="(x - x.mean(0)) / x.std(0) @ axes.T", new="(new - x.mean(0)) / x.std(0) @ axes.T"),
            "The codes of x are not what they were",
        ),
        "uncentred axes": (
            _codes(of="x", x="x @ axes.T", new="new @ axes.T"),
            "The codes of x are not what they were",
        ),
        "on the axes of new": (
            _codes(of="new - new.mean(0)"),
            "now on the axes of `new`",
        ),
        "no mean at all": (_codes(x="x @ axes.T", new="new @ axes.T"), "The axes are right, the origin is not"),
        "the mean of all": (
            _codes(
                x="(x - np.concatenate([x, new]).mean(0)) @ axes.T",
                new="(new - np.concatenate([x, new]).mean(0)) @ axes.T",
            ),
            "The axes are right, the origin is not",
        ),
        "the mean of all for new": (
            _codes(new="(new - np.concatenate([x, new]).mean(0)) @ axes.T"),
            "you subtract the mean of all",
        ),
        "axes of all": (
            _codes(of="np.concatenate([x, new]) - x.mean(0)"),
            "You took the axes from x and `new` together",
        ),
        "last components": (
            _codes().replace("full_matrices=False)[2][:d]\n    return", "full_matrices=False)[2][-d:]\n    return"),
            "You took the *last* components",
        ),
        "the other way": (_codes(new="-(new - x.mean(0)) @ axes.T"), "point the other way"),
        "whitened": (
            """
def mended_codes(x, new, d):
    from sklearn.decomposition import PCA
    model = PCA(d, whiten=True).fit(x)
    return model.transform(x), model.transform(new)
""",
            "divided by their deviations",
        ),
        "twice the mean": (_codes(new="(new - 2 * x.mean(0)) @ axes.T"), "the same mean, the same axes"),
        "all components": (
            """
def mended_codes(x, new, d):
    axes = np.linalg.svd(x - x.mean(0), full_matrices=False)[2]
    return (x - x.mean(0)) @ axes.T, (new - x.mean(0)) @ axes.T
""",
            "must have shape",
        ),
        "only the new codes": (_codes().replace("return (x - x.mean(0)) @ axes.T, ", "return "), "Return two things"),
    },
    "choose_k": {
        "the mean alone": (_choice(high="m"), "you compared the mean alone"),
        "minus the error": (_choice(high="m - s / np.sqrt(strengths.shape[1])"), "took the error away"),
        "plus the deviation": (_choice(high="m + s"), "you added the standard deviation"),
        "n below": (_choice(ddof=0), "`ddof=1`"),
        "the strongest": (
            "def choose_k(ks, strengths, threshold):\n    return ks[int(strengths.mean(axis=1).argmax())]\n",
            "few clusters are always strong",
        ),
        "the smallest": (_choice(end="min(good, default=1)"), "few clusters are always strong"),
        "up to the first that fails": (
            """
def choose_k(ks, strengths, threshold):
    best = 1
    for k, row in zip(ks, strengths):
        if row.mean() + row.std(ddof=1) / len(row) ** 0.5 < threshold:
            break
        best = k
    return best
""",
            "you stopped at the first k",
        ),
        "a position": (
            _choice(end="max([i for i, value in enumerate(high) if value >= threshold], default=1)"),
            "you returned a position",
        ),
        "two errors": (_choice(high="m + 2 * s / np.sqrt(strengths.shape[1])"), "more than one standard error"),
        "the root of one less": (
            _choice(high="m + s / np.sqrt(strengths.shape[1] - 1)"),
            "Only the deviation has R − 1",
        ),
        "its own threshold": (_choice().replace(">= threshold", ">= 0.5"), "does your threshold follow the argument"),
        "the k from its position": (
            _choice(end="ks[0] + max([i for i, value in enumerate(high) if value >= threshold], default=1 - ks[0])"),
            "ks may have gaps",
        ),
        "median": (
            _choice(high="np.median(strengths, axis=1) + s / np.sqrt(strengths.shape[1])"),
            "threshold .5, k is 8",
        ),
        "how many": (_choice(end="len(good) or 1"), "how many ks"),
        "above only": (_choice(reach=">"), "≥, not >"),
        "nothing where none is strong": (_choice(end="max(good) if good else None"), "the answer is 1"),
        "two where none is strong": (_choice(end="max(good, default=2)"), "the answer is 1"),
        "a fraction": (_choice(end="float(max(good, default=1))"), "k is a whole number"),
        "the largest": ("def choose_k(ks, strengths, threshold):\n    return max(ks)\n", "does the threshold have"),
    },
    "cluster": {
        "always three": (_cluster(k="3"), "choose k from x"),
        "always ten": (_cluster(k="10"), "choose k from x"),
        "one cluster": (
            "def cluster(x, new, seed):\n    return np.zeros(len(x), int), np.zeros(len(new), int)\n",
            "choose k from x",
        ),
        "random labels": (
            """
def cluster(x, new, seed):
    rng = np.random.default_rng(seed)
    fixed = (new.sum((1, 2, 3)) * 1000).astype(int) % 3
    return rng.permutation(len(x)) % 3, fixed
""",
            "choose k from x",
        ),
        "new pictures clustered by themselves": (
            _cluster(new="KMeans(best, n_init=3, random_state=seed).fit(b).labels_"),
            "changed with those beside it",
        ),
        "new pictures standardised by themselves": (
            _cluster(new="model.predict((b - b.mean(0)) / (b.std(0) + 1e-6) * a.std(0) + a.mean(0))"),
            "changed with those beside it",
        ),
        "k by the number of pictures": (
            _cluster(k="(2 if len(x) < 150 else 6)"),
            "Other groups that cannot be mistaken, two or four of them",
        ),
        "learned from both": (
            _cluster(fit="both", end="return model.labels_[:len(a)], model.predict(b)"),
            "learn from x alone",
        ),
        "the seed not used": (
            _cluster(seed="None", end="np.random.default_rng().shuffle(labels_new);return model.labels_, labels_new"),
            "hand `seed` to all",
        ),
        "new ones get labels of their own": (
            _cluster(new="model.predict(b) + 100"),
            "a label that no picture of x has",
        ),
        "only the labels of x": (_cluster(end="return model.labels_"), "Return two things"),
        "fractions": (_cluster(end="return model.labels_.astype(float), labels_new"), "must be whole numbers"),
        "shares instead of labels": (
            _cluster(end="return np.eye(best, dtype=int)[model.labels_], labels_new"),
            "one label for each picture",
        ),
        "the model": (_cluster(end="return model, labels_new"), "must be an array of whole numbers"),
        "x is changed": (_cluster(first="x -= x.mean(axis=0)"), "changed its argument `x`"),
        "sorted by brightness": (
            """
def cluster(x, new, seed):
    at = np.quantile(x.mean((1, 2, 3)), [0.25, 0.5, 0.75])
    return np.searchsorted(at, x.mean((1, 2, 3))), np.searchsorted(at, new.mean((1, 2, 3)))
""",
            "choose k from x",
        ),
        "new ones lost": (_cluster(end="return model.labels_, labels_new[:-1]"), "one label for each picture"),
    },
}
