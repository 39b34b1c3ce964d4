"""Answers to the assignment Judging a clustering: right ones written differently, and the mistakes that students make.

RIGHT[task][name] is code, WRONG[task][name] is (code, a part of what the student is told about it).
"""

RIGHT = {
    "contingency": {
        "masks": """
def contingency(y, labels):
    return np.array([[((y == i) & (labels == k)).sum() for k in np.unique(labels)] for i in np.unique(y)])
""",
        "bincount": """
def contingency(y, labels):
    classes, rows = np.unique(y, return_inverse=True)
    clusters, columns = np.unique(labels, return_inverse=True)
    size = len(classes) * len(clusters)
    return np.bincount(rows * len(clusters) + columns, minlength=size).reshape(len(classes), -1)
""",
        "dictionaries": """
def contingency(y, labels):
    row = {name: place for place, name in enumerate(sorted(set(y.tolist())))}
    column = {name: place for place, name in enumerate(sorted(set(labels.tolist())))}
    table = np.zeros((len(row), len(column)), dtype=np.int32)
    for i, k in zip(y.tolist(), labels.tolist()):
        table[row[i], column[k]] += 1
    return table
""",
        "product of memberships": """
def contingency(y, labels):
    return (y[:, None] == np.unique(y)).T.astype(int) @ (labels[:, None] == np.unique(labels)).astype(int)
""",
    },
    "accuracy": {
        "negative cost": """
def accuracy(table):
    chosen = linear_sum_assignment(-table)
    return float(table[chosen].sum()) / float(table.sum())
""",
        "cost from the largest count, padded to a square": """
def accuracy(table):
    side = max(table.shape)
    square = np.zeros((side, side))
    square[: table.shape[0], : table.shape[1]] = table
    return sum(square[i, k] for i, k in zip(*linear_sum_assignment(square.max() - square))) / table.sum()
""",
        "all matches, remembered": """
from functools import lru_cache

def accuracy(table):
    rows = (table if table.shape[0] <= table.shape[1] else table.T).tolist()

    @lru_cache(None)
    def best(i, used):
        if i == len(rows):
            return 0
        return max(rows[i][k] + best(i + 1, used | (1 << k)) for k in range(len(rows[0])) if not used & (1 << k))

    return best(0, 0) / sum(map(sum, rows))
""",
    },
    "v_measure": {
        "conditional entropies in bits": """
def v_measure(table):
    def entropy(p):
        p = np.asarray(p, dtype=float)
        p = p[p > 0] / p.sum()
        return float(-(p * np.log2(p)).sum())

    n, a, b = table.sum(), table.sum(1), table.sum(0)
    rest_y = sum(b[k] / n * entropy(table[:, k]) for k in range(len(b)))
    rest_c = sum(a[i] / n * entropy(table[i]) for i in range(len(a)))
    h = 1.0 if entropy(a) == 0 else 1 - rest_y / entropy(a)
    c = 1.0 if entropy(b) == 0 else 1 - rest_c / entropy(b)
    return [h, c, 0.0 if h + c == 0 else 2 * h * c / (h + c)]
""",
        "mutual information cell by cell": """
from math import log

def v_measure(table):
    n, a, b = table.sum(), table.sum(1), table.sum(0)
    information = sum(
        m / n * log(m * n / (a[i] * b[k])) for (i, k), m in np.ndenumerate(table) if m > 0
    )
    h_y = -sum(m / n * log(m / n) for m in a)
    h_c = -sum(m / n * log(m / n) for m in b)
    h = information / h_y if len(a) > 1 else 1.0
    c = information / h_c if len(b) > 1 else 1.0
    both = h_y + h_c
    return h, c, (2 * information / both if both > 0 else 1.0)
""",
    },
    "pair_counts": {
        "comb": """
from scipy.special import comb

def pair_counts(table):
    both = comb(table, 2).sum()
    by_class, by_cluster = comb(table.sum(1), 2).sum(), comb(table.sum(0), 2).sum()
    return both, by_class - both, by_cluster - both, comb(table.sum(), 2) - by_class - by_cluster + both
""",
        "squares": """
def pair_counts(table):
    n = int(table.sum())
    cells, rows, columns = ((t.astype(float) ** 2).sum() for t in (table, table.sum(1), table.sum(0)))
    return (cells - n) / 2, (rows - cells) / 2, (columns - cells) / 2, (n**2 - rows - columns + cells) / 2
""",
        "cells with cells": """
def pair_counts(table):
    together = sum(m * (m - 1) // 2 for m in table.ravel().tolist())
    by_class = sum((row.sum() * row - row * row).sum() for row in table) / 2
    by_cluster = sum((row.sum() * row - row * row).sum() for row in table.T) / 2
    n = table.sum()
    return [together, by_class, by_cluster, n * (n - 1) / 2 - together - by_class - by_cluster]
""",
    },
    "adjusted_rand": {
        "as equation (5)": """
def adjusted_rand(n11, n10, n01, n00):
    s_a, s_b = n11 + n10, n11 + n01
    chance = s_a * s_b / (n11 + n10 + n01 + n00)
    if n10 == n01 == 0:
        return 1.0
    return (n11 - chance) / ((s_a + s_b) / 2 - chance)
""",
        "multiplied by 2N": """
def adjusted_rand(n11, n10, n01, n00):
    n, s_a, s_b = float(n11 + n10 + n01 + n00), float(n11 + n10), float(n11 + n01)
    below = n * (s_a + s_b) - 2 * s_a * s_b
    return 1.0 if below == 0 else (2 * n * n11 - 2 * s_a * s_b) / below
""",
    },
    "vote_accuracy": {
        "counters": """
from collections import Counter, defaultdict

def vote_accuracy(y_known, labels_known, y, labels):
    votes = defaultdict(Counter)
    for i, k in zip(y_known, labels_known):
        votes[int(k)][int(i)] += 1
    right = 0
    for i, k in zip(y, labels):
        if votes.get(int(k)):
            most = max(votes[int(k)].values())
            right += int(i) == min(name for name, count in votes[int(k)].items() if count == most)
    return right / len(y)
""",
        "a table of votes": """
def vote_accuracy(y_known, labels_known, y, labels):
    classes, clusters = np.unique(y_known), np.unique(labels_known)
    votes = (y_known[:, None] == classes).T.astype(int) @ (labels_known[:, None] == clusters).astype(int)
    winner = classes[votes.argmax(axis=0)]
    place = np.searchsorted(clusters, labels).clip(max=len(clusters) - 1)
    return float(np.mean((clusters[place] == labels) & (winner[place] == y)))
""",
        "cluster by cluster": """
def vote_accuracy(y_known, labels_known, y, labels):
    right = 0
    for k in np.unique(labels):
        mine = y_known[labels_known == k]
        if len(mine):
            right += (y[labels == k] == np.bincount(mine).argmax()).sum()
    return right / len(y)
""",
    },
    "mended_accuracy": {
        "from the table": """
def mended_accuracy(y, labels, table):
    classes, partners = linear_sum_assignment(table, maximize=True)
    return table[classes, partners].sum() / len(y)
""",
        "dictionary": """
def mended_accuracy(y, labels, table):
    classes, partners = linear_sum_assignment(-table)
    class_of = dict(zip(partners.tolist(), classes.tolist()))
    return sum(class_of.get(k) == i for i, k in zip(y.tolist(), labels.tolist())) / len(y)
""",
        "clusters as rows, padded": """
def mended_accuracy(y, labels, table):
    side = max(table.shape)
    square = np.zeros((side, side))
    square[: table.shape[1], : table.shape[0]] = table.T
    class_of = linear_sum_assignment(square, maximize=True)[1]
    return np.mean(class_of[labels] == y)
""",
    },
}

WRONG = {
    "contingency": {
        "transposed": (
            """
def contingency(y, labels):
    return np.array([[((y == i) & (labels == k)).sum() for i in np.unique(y)] for k in np.unique(labels)])
""",
            "yours is transposed",
        ),
        "every place once": (
            """
def contingency(y, labels):
    classes, rows = np.unique(y, return_inverse=True)
    clusters, columns = np.unique(labels, return_inverse=True)
    table = np.zeros((len(classes), len(clusters)), dtype=int)
    table[rows, columns] += 1
    return table
""",
            "adds once for each *different* place",
        ),
        "names as places": (
            """
def contingency(y, labels):
    table = np.zeros((y.max() + 1, labels.max() + 1), dtype=int)
    np.add.at(table, (y, labels), 1)
    return table
""",
            "you took the names for places",
        ),
        "in order of appearance": (
            """
def contingency(y, labels):
    rows, columns = list(dict.fromkeys(y.tolist())), list(dict.fromkeys(labels.tolist()))
    return np.array([[((y == i) & (labels == k)).sum() for k in columns] for i in rows])
""",
            "ascending order of the names",
        ),
        "shares": (
            """
def contingency(y, labels):
    return np.array([[((y == i) & (labels == k)).mean() for k in np.unique(labels)] for i in np.unique(y)])
""",
            "Yours are shares",
        ),
        "square": (
            """
def contingency(y, labels):
    names = np.unique(y)
    ids = np.unique(labels)[: len(names)]
    return np.array([[((y == i) & (labels == k)).sum() for k in ids] for i in names])
""",
            "then the table is not square",
        ),
        "a list": (
            """
def contingency(y, labels):
    return [[int(((y == i) & (labels == k)).sum()) for k in np.unique(labels)] for i in np.unique(y)]
""",
            "must be a NumPy array",
        ),
        "not returned": (
            """
def contingency(y, labels):
    table = np.array([[((y == i) & (labels == k)).sum() for k in np.unique(labels)] for i in np.unique(y)])
""",
            "is the `return` missing",
        ),
        "places of the wrong vector": (
            """
def contingency(y, labels):
    classes, rows = np.unique(y, return_inverse=True)
    clusters, columns = np.unique(labels, return_inverse=True)
    table = np.zeros((len(classes), len(clusters)), dtype=int)
    np.add.at(table, (rows, rows), 1)
    return table
""",
            "your table says",
        ),
        "seven clusters at most": (
            """
def contingency(y, labels):
    classes, clusters = np.unique(y), np.unique(labels)[:7]
    return np.array([[((y == i) & (labels == k)).sum() for k in clusters] for i in classes])
""",
            "a column for each cluster",
        ),
        "in the order of the names as text": (
            """
def contingency(y, labels):
    rows, columns = (sorted(set(names.tolist()), key=str) for names in (y, labels))
    return np.array([[((y == i) & (labels == k)).sum() for k in columns] for i in rows])
""",
            "nor of the names as text",
        ),
        "in the order of the names without sign": (
            """
def contingency(y, labels):
    rows, columns = (sorted(set(names.tolist()), key=abs) for names in (y, labels))
    return np.array([[((y == i) & (labels == k)).sum() for k in columns] for i in rows])
""",
            "without their sign",
        ),
        "counts that are floats": (
            """
def contingency(y, labels):
    classes, rows = np.unique(y, return_inverse=True)
    clusters, columns = np.unique(labels, return_inverse=True)
    table = np.zeros((len(classes), len(clusters)))
    np.add.at(table, (rows, columns), 1)
    return table
""",
            "start from zeros of whole numbers (`dtype=int`)",
        ),
    },
    "accuracy": {
        "purity": (
            """
def accuracy(table):
    return table.max(axis=0).sum() / table.sum()
""",
            "That is the purity",
        ),
        "largest cluster of each class": (
            """
def accuracy(table):
    return table.max(axis=1).sum() / table.sum()
""",
            "one cluster to several classes",
        ),
        "names compared": (
            """
def accuracy(table):
    return np.trace(table) / table.sum()
""",
            "The names of clusters mean nothing",
        ),
        "greedy": (
            """
def accuracy(table):
    rest, right = table.astype(float), 0
    for _ in range(min(table.shape)):
        i, k = np.unravel_index(rest.argmax(), rest.shape)
        right += rest[i, k]
        rest[i], rest[:, k] = -1, -1
    return right / table.sum()
""",
            "greedy",
        ),
        "worst match": (
            """
def accuracy(table):
    return table[linear_sum_assignment(table)].sum() / table.sum()
""",
            "the *worst* match",
        ),
        "cut to a square": (
            """
def accuracy(table):
    side = min(table.shape)
    square = table[:side, :side]
    return square[linear_sum_assignment(square, maximize=True)].sum() / table.sum()
""",
            "You cut the table to a square",
        ),
        "left over clusters forgotten": (
            """
def accuracy(table):
    rows, columns = linear_sum_assignment(table, maximize=True)
    return table[rows, columns].sum() / table[:, columns].sum()
""",
            "they count as wrong, not as absent",
        ),
        "number instead of share": (
            """
def accuracy(table):
    return table[linear_sum_assignment(table, maximize=True)].sum()
""",
            "divide by the number of all samples",
        ),
        "mean over the classes": (
            """
def accuracy(table):
    return table[linear_sum_assignment(table, maximize=True)].mean()
""",
            "divided by the number of classes",
        ),
        "all cells of chosen rows and columns": (
            """
def accuracy(table):
    rows, columns = linear_sum_assignment(table, maximize=True)
    return table[rows][:, columns].sum() / table.sum()
""",
            "the best match has the accuracy",
        ),
        "right for each sample": (
            """
def accuracy(table):
    return table[linear_sum_assignment(table, maximize=True)] / table.sum()
""",
            "is a single number; yours has shape",
        ),
        "a few classes only": (
            """
def accuracy(table):
    rows, columns = linear_sum_assignment(table, maximize=True)
    if table.shape == (10, 10):
        rows, columns = rows[:9], columns[:9]
    return table[rows, columns].sum() / table.sum()
""",
            "yours is not the accuracy of the best match",
        ),
    },
    "v_measure": {
        "exchanged": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c = entropy(table.sum(0)), entropy(table.sum(1))
    i = h_y + h_c - entropy(table.ravel())
    h, c = i / h_y if h_y else 1.0, i / h_c if h_c else 1.0
    return h, c, 2 * h * c / (h + c) if h + c else 0.0
""",
            "are exchanged",
        ),
        "arithmetic mean": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c = entropy(table.sum(1)), entropy(table.sum(0))
    i = h_y + h_c - entropy(table.ravel())
    h, c = i / h_y if h_y else 1.0, i / h_c if h_c else 1.0
    return h, c, (h + c) / 2
""",
            "yours is the arithmetic one",
        ),
        "geometric mean": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c = entropy(table.sum(1)), entropy(table.sum(0))
    i = h_y + h_c - entropy(table.ravel())
    h, c = i / h_y if h_y else 1.0, i / h_c if h_c else 1.0
    return h, c, np.sqrt(h * c)
""",
            "yours is the geometric one",
        ),
        "without the 2": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c = entropy(table.sum(1)), entropy(table.sum(0))
    i = h_y + h_c - entropy(table.ravel())
    h, c = i / h_y if h_y else 1.0, i / h_c if h_c else 1.0
    return h, c, h * c / (h + c) if h + c else 0.0
""",
            "*twice* the product",
        ),
        "log of zero": (
            """
def v_measure(table):
    def entropy(m):
        p = m / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c = entropy(table.sum(1)), entropy(table.sum(0))
    i = h_y + h_c - entropy(table.ravel())
    h, c = i / h_y if h_y else 1.0, i / h_c if h_c else 1.0
    return h, c, 2 * h * c / (h + c) if h + c else 0.0
""",
            "the homogeneity is NaN: it has a count of 0, and 0 · log 0 counts as 0",
        ),
        "no rule for one cluster": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c = entropy(table.sum(1)), entropy(table.sum(0))
    i = h_y + h_c - entropy(table.ravel())
    return i / h_y, i / h_c, 2 * i / (h_y + h_c)
""",
            "For the table [[3], [4]] the completeness is NaN: with a single cluster H(c) is 0",
        ),
        "zero for one cluster": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c = entropy(table.sum(1)), entropy(table.sum(0))
    i = h_y + h_c - entropy(table.ravel())
    h, c = i / h_y if h_y else 0.0, i / h_c if h_c else 0.0
    return h, c, 2 * h * c / (h + c) if h + c else 0.0
""",
            "completeness 1, by the rule",
        ),
        "clusters not weighted": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c = entropy(table.sum(1)), entropy(table.sum(0))
    h = 1 - np.mean([entropy(column) for column in table.T]) / h_y if h_y else 1.0
    c = 1 - np.mean([entropy(row) for row in table]) / h_c if h_c else 1.0
    return h, c, 2 * h * c / (h + c) if h + c else 0.0
""",
            "yours is the plain mean",
        ),
        "what is still unknown": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c, both = entropy(table.sum(1)), entropy(table.sum(0)), entropy(table.ravel())
    h, c = (both - h_c) / h_y if h_y else 1.0, (both - h_y) / h_c if h_c else 1.0
    return h, c, 2 * h * c / (h + c) if h + c else 0.0
""",
            "what is still unknown",
        ),
        "the mutual information": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    i = entropy(table.sum(1)) + entropy(table.sum(0)) - entropy(table.ravel())
    return i, i, i
""",
            "divide it by the entropy of the classes",
        ),
        "over the joint entropy": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    both = entropy(table.ravel())
    i = entropy(table.sum(1)) + entropy(table.sum(0)) - both
    return i / both, i / both, i / both
""",
            "the entropy of both together",
        ),
        "V only": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c = entropy(table.sum(1)), entropy(table.sum(0))
    return 2 * (h_y + h_c - entropy(table.ravel())) / (h_y + h_c)
""",
            "Return three numbers",
        ),
        "nothing at all for one class": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c = entropy(table.sum(1)), entropy(table.sum(0))
    if h_y == 0:
        return 1.0, 0.0, 0.0
    i = h_y + h_c - entropy(table.ravel())
    h, c = i / h_y, i / h_c if h_c else 1.0
    return h, c, 2 * h * c / (h + c) if h + c else 0.0
""",
            "a single class and a single cluster ([[7]])",
        ),
        "something tiny inside the logarithm": (
            """
def v_measure(table):
    def entropy(m):
        p = m / m.sum()
        return -(p * np.log(p + 1e-6)).sum()
    h_y, h_c = entropy(table.sum(1)), entropy(table.sum(0))
    i = h_y + h_c - entropy(table.ravel())
    h, c = i / h_y if h_y > 1e-5 else 1.0, i / h_c if h_c > 1e-5 else 1.0
    return h, c, 2 * h * c / (h + c) if h + c else 0.0
""",
            "Did you add something tiny inside a logarithm",
        ),
        "an array": (
            """
def v_measure(table):
    def entropy(m):
        p = m[m > 0] / m.sum()
        return -(p * np.log(p)).sum()
    h_y, h_c = entropy(table.sum(1)), entropy(table.sum(0))
    i = h_y + h_c - entropy(table.ravel())
    h, c = i / h_y if h_y else 1.0, i / h_c if h_c else 1.0
    return np.array([h, c, 2 * h * c / (h + c) if h + c else 0.0])
""",
            "in this order: yours is one ndarray",
        ),
    },
    "pair_counts": {
        "exchanged": (
            """
def pair_counts(table):
    pairs = lambda m: (m * (m - 1) / 2).sum()
    s, a, b = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    return s, b - s, a - s, pairs(table.sum()) - a - b + s
""",
            "are exchanged",
        ),
        "ordered pairs": (
            """
def pair_counts(table):
    pairs = lambda m: (m * (m - 1)).sum()
    s, a, b = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    return s, a - s, b - s, pairs(table.sum()) - a - b + s
""",
            "every pair twice",
        ),
        "squares": (
            """
def pair_counts(table):
    pairs = lambda m: (m**2).sum()
    s, a, b = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    return s, a - s, b - s, pairs(table.sum()) - a - b + s
""",
            "each sample paired with itself",
        ),
        "together in both counted again": (
            """
def pair_counts(table):
    pairs = lambda m: (m * (m - 1) / 2).sum()
    s, a, b = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    return s, a, b, pairs(table.sum()) - s - a - b
""",
            "those belong to N11 only",
        ),
        "N00 without what was taken twice": (
            """
def pair_counts(table):
    pairs = lambda m: (m * (m - 1) / 2).sum()
    s, a, b = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    return s, a - s, b - s, pairs(table.sum()) - a - b
""",
            "belongs to exactly one of the four",
        ),
        "all pairs for N00": (
            """
def pair_counts(table):
    pairs = lambda m: (m * (m - 1) / 2).sum()
    s, a, b = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    return s, a - s, b - s, pairs(table.sum())
""",
            "belongs to exactly one of the four",
        ),
        "small numbers": (
            """
def pair_counts(table):
    table = table.astype(np.int32)
    pairs = lambda m: int((m * (m - 1) // 2).sum())
    s, a, b = pairs(table), pairs(table.sum(1, dtype=np.int32)), pairs(table.sum(0, dtype=np.int32))
    n = table.sum(dtype=np.int32)
    return s, a - s, b - s, int(n * (n - np.int32(1)) // 2) - a - b + s
""",
            "did they outgrow their type",
        ),
        "shares": (
            """
def pair_counts(table):
    pairs = lambda m: (m * (m - 1) / 2).sum()
    s, a, b, n = pairs(table), pairs(table.sum(1)), pairs(table.sum(0)), pairs(table.sum())
    return s / n, (a - s) / n, (b - s) / n, (n - a - b + s) / n
""",
            "belongs to exactly one of the four",
        ),
        "a table of two by two": (
            """
def pair_counts(table):
    pairs = lambda m: (m * (m - 1) / 2).sum()
    s, a, b = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    return np.array([[s, a - s], [b - s, pairs(table.sum()) - a - b + s]])
""",
            "Return four numbers",
        ),
        "cells of 32 bits": (
            """
def pair_counts(table):
    cells = table.astype(np.int32)
    pairs = lambda m: int((m * (m - 1) // 2).sum())
    s, a, b = pairs(cells), pairs(table.sum(1)), pairs(table.sum(0))
    return s, a - s, b - s, pairs(table.sum()) - a - b + s
""",
            "did they outgrow their type",
        ),
    },
    "adjusted_rand": {
        "plain Rand index": (
            """
def adjusted_rand(n11, n10, n01, n00):
    return (n11 + n00) / (n11 + n10 + n01 + n00)
""",
            "That is the plain Rand index",
        ),
        "Jaccard": (
            """
def adjusted_rand(n11, n10, n01, n00):
    return n11 / (n11 + n10 + n01) if n11 + n10 + n01 else 1.0
""",
            "Jaccard",
        ),
        "Fowlkes-Mallows": (
            """
def adjusted_rand(n11, n10, n01, n00):
    below = ((n11 + n10) * (n11 + n01)) ** 0.5
    return n11 / below if below else 1.0
""",
            "Fowlkes-Mallows",
        ),
        "larger instead of mean": (
            """
def adjusted_rand(n11, n10, n01, n00):
    a, b, n = n11 + n10, n11 + n01, n11 + n10 + n01 + n00
    below = max(a, b) - a * b / n
    return (n11 - a * b / n) / below if below else 1.0
""",
            "the larger of S_a and S_b",
        ),
        "chance not taken from the best": (
            """
def adjusted_rand(n11, n10, n01, n00):
    a, b, n = n11 + n10, n11 + n01, n11 + n10 + n01 + n00
    return (n11 - a * b / n) / ((a + b) / 2) if a + b else 1.0
""",
            "Chance must be taken from the best value, too",
        ),
        "without the 2": (
            """
def adjusted_rand(n11, n10, n01, n00):
    below = (n11 + n10) * (n10 + n00) + (n11 + n01) * (n01 + n00)
    return (n11 * n00 - n10 * n01) / below if below else 1.0
""",
            "a factor 2 is lost",
        ),
        "no rule for 0/0": (
            """
def adjusted_rand(n11, n10, n01, n00):
    below = (n11 + n10) * (n10 + n00) + (n11 + n01) * (n01 + n00)
    return 2 * (n11 * n00 - n10 * n01) / below
""",
            "You divide by zero",
        ),
        "0 for 0/0": (
            """
def adjusted_rand(n11, n10, n01, n00):
    below = (n11 + n10) * (n10 + n00) + (n11 + n01) * (n01 + n00)
    return 2 * (n11 * n00 - n10 * n01) / below if below else 0.0
""",
            "both agree on everything",
        ),
        "never below zero": (
            """
def adjusted_rand(n11, n10, n01, n00):
    below = (n11 + n10) * (n10 + n00) + (n11 + n01) * (n01 + n00)
    return max(0.0, 2 * (n11 * n00 - n10 * n01) / below) if below else 1.0
""",
            "the index is",
        ),
        "pairs not divided": (
            """
def adjusted_rand(n11, n10, n01, n00):
    a, b = n11 + n10, n11 + n01
    below = (a + b) / 2 - a * b
    return (n11 - a * b) / below if below else 1.0
""",
            "the division is missing",
        ),
    },
    "vote_accuracy": {
        "votes of those who are scored": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    winner = {k: np.bincount(y[labels == k]).argmax() for k in np.unique(labels)}
    return np.mean([winner[k] == i for i, k in zip(y, labels)])
""",
            "their classes are not known",
        ),
        "scored on the known": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    winner = {k: np.bincount(y_known[labels_known == k]).argmax() for k in np.unique(labels_known)}
    return np.mean([winner[k] == i for i, k in zip(y_known, labels_known)])
""",
            "You scored the known samples",
        ),
        "nobody has voted, an error": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    winner = {k: np.bincount(y_known[labels_known == k]).argmax() for k in np.unique(labels_known)}
    return np.mean([winner[k] == i for i, k in zip(y, labels)])
""",
            "Nobody has voted there",
        ),
        "nobody has voted, left out": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    winner = {k: np.bincount(y_known[labels_known == k]).argmax() for k in np.unique(labels_known)}
    return np.mean([winner[k] == i for i, k in zip(y, labels) if k in winner])
""",
            "they count as wrong, not as absent",
        ),
        "nobody has voted, class 0": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    winner = {k: np.bincount(y_known[labels_known == k]).argmax() for k in np.unique(labels_known)}
    return np.mean([winner.get(k, 0) == i for i, k in zip(y, labels)])
""",
            "where nobody has voted turned out right",
        ),
        "nobody has voted, the commonest class": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    winner = {k: np.bincount(y_known[labels_known == k]).argmax() for k in np.unique(labels_known)}
    return np.mean([winner.get(k, np.bincount(y_known).argmax()) == i for i, k in zip(y, labels)])
""",
            "where nobody has voted turned out right",
        ),
        "one-to-one": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    classes, clusters = np.unique(y_known), np.unique(labels_known)
    votes = np.array([[((y_known == i) & (labels_known == k)).sum() for k in clusters] for i in classes])
    rows, columns = linear_sum_assignment(votes, maximize=True)
    winner = dict(zip(clusters[columns].tolist(), classes[rows].tolist()))
    return sum(winner.get(k) == i for i, k in zip(y.tolist(), labels.tolist())) / len(y)
""",
            "several clusters may vote for the same class",
        ),
        "first of the ties": (
            """
from collections import Counter

def vote_accuracy(y_known, labels_known, y, labels):
    votes = {}
    for i, k in zip(y_known.tolist(), labels_known.tolist()):
        votes.setdefault(k, Counter())[i] += 1
    winner = {k: count.most_common(1)[0][0] for k, count in votes.items()}
    return sum(winner.get(k) == i for i, k in zip(y.tolist(), labels.tolist())) / len(y)
""",
            "the smaller class wins",
        ),
        "shares of the classes": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    size = np.bincount(y_known).clip(min=1)
    winner = {}
    for k in np.unique(labels_known).tolist():
        winner[k] = (np.bincount(y_known[labels_known == k], minlength=len(size)) / size).argmax()
    return sum(winner.get(k) == i for i, k in zip(y.tolist(), labels.tolist())) / len(y)
""",
            "do not divide by the size of the class",
        ),
        "the number": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    winner = {k: np.bincount(y_known[labels_known == k]).argmax() for k in np.unique(labels_known).tolist()}
    return sum(winner.get(k) == i for i, k in zip(y.tolist(), labels.tolist()))
""",
            "return their share",
        ),
        "the smallest class of each cluster": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    winner = {k: np.unique(y_known[labels_known == k])[0] for k in np.unique(labels_known).tolist()}
    return sum(winner.get(k) == i for i, k in zip(y.tolist(), labels.tolist())) / len(y)
""",
            "take the one with the most votes",
        ),
        "names of clusters as places": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    winner = np.full(max(labels_known.max(), labels.max()) + 1, -1)
    for k in np.unique(labels_known):
        winner[k] = np.bincount(y_known[labels_known == k]).argmax()
    return np.mean(winner[labels] == y)
""",
            "Clusters may have negative names",
        ),
        "names of clusters counted": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    winner = np.full(100, -1)
    for k in np.bincount(labels_known).nonzero()[0]:
        winner[k] = np.bincount(y_known[labels_known == k]).argmax()
    return np.mean(winner[labels] == y)
""",
            "Is it a negative name",
        ),
        "known and others scored": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    winner = {k: np.bincount(y_known[labels_known == k]).argmax() for k in np.unique(labels_known).tolist()}
    y, labels = np.concatenate([y_known, y]), np.concatenate([labels_known, labels])
    return sum(winner.get(k) == i for i, k in zip(y.tolist(), labels.tolist())) / len(y)
""",
            "You scored the known samples, too",
        ),
        "everybody votes": (
            """
def vote_accuracy(y_known, labels_known, y, labels):
    y_all, labels_all = np.concatenate([y_known, y]), np.concatenate([labels_known, labels])
    winner = {k: np.bincount(y_all[labels_all == k]).argmax() for k in np.unique(labels_all).tolist()}
    return sum(winner[k] == i for i, k in zip(y.tolist(), labels.tolist())) / len(y)
""",
            "Only y_known votes",
        ),
    },
    "mended_accuracy": {
        "not mended": (
            """
def mended_accuracy(y, labels, table):
    classes, partners = linear_sum_assignment(table, maximize=True)
    return np.mean(partners[labels] == y)
""",
            "That is still the broken one",
        ),
        "inverse of a square only": (
            """
def mended_accuracy(y, labels, table):
    classes, partners = linear_sum_assignment(table, maximize=True)
    return np.mean(np.argsort(partners)[labels] == y)
""",
            "You turned the match round as if every class had a cluster",
        ),
        "clusters as rows, none left over": (
            """
def mended_accuracy(y, labels, table):
    clusters, partners = linear_sum_assignment(table.T, maximize=True)
    return np.mean(partners[labels] == y)
""",
            "Every *cluster* needs an entry",
        ),
        "majority": (
            """
def mended_accuracy(y, labels, table):
    return np.mean(table.argmax(axis=0)[labels] == y)
""",
            "That is the purity",
        ),
        "worst match": (
            """
def mended_accuracy(y, labels, table):
    classes, partners = linear_sum_assignment(table)
    class_of = np.full(table.shape[1], -1)
    class_of[partners] = classes
    return np.mean(class_of[labels] == y)
""",
            "the *worst* match",
        ),
        "class 0 for what is left over": (
            """
def mended_accuracy(y, labels, table):
    classes, partners = linear_sum_assignment(table, maximize=True)
    class_of = np.zeros(table.shape[1], dtype=int)
    class_of[partners] = classes
    return np.mean(class_of[labels] == y)
""",
            "left over the class 0",
        ),
        "left over clusters absent": (
            """
def mended_accuracy(y, labels, table):
    classes, partners = linear_sum_assignment(table, maximize=True)
    class_of = np.full(table.shape[1], -1)
    class_of[partners] = classes
    named = class_of[labels]
    return np.mean(named[named >= 0] == y[named >= 0])
""",
            "they count as wrong, not as absent",
        ),
        "names compared": (
            """
def mended_accuracy(y, labels, table):
    return np.mean(labels == y)
""",
            "The names of clusters mean nothing",
        ),
        "greedy": (
            """
def mended_accuracy(y, labels, table):
    rest, class_of = table.astype(float), np.full(table.shape[1], -1)
    for _ in range(min(table.shape)):
        i, k = np.unravel_index(rest.argmax(), rest.shape)
        class_of[k] = i
        rest[i], rest[:, k] = -1, -1
    return np.mean(class_of[labels] == y)
""",
            "greedy",
        ),
    },
}
