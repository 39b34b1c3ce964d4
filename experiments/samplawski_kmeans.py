"""K-means by mini-batches on the 60,000 MNIST training images, K = 100: Samplawski's table 1, on pixels.

He reports V .514 for scikit-learn's MiniBatchKMeans and .533 for gradient k-means, "NMI" .387 and .441, "Rand" .138 and
.338. In his public log "Rand" is ARI, and "NMI" is AMI as scikit-learn computed it then, divided by the larger of the
two entropies ("ami_max"; today "ami" takes their mean). Each number is the highest of 50 checkpoints: the ARI is that
of step 800, when few clusters are in use, and falls to .139 by step 5,000, where V is .527.

"author" is his setting: Adam with learning rate 1 on pixels from 0 to 255, centers that start as the pseudo-identity
matrix, batches of 100, unused centers left alone; "author-revived" moves them. "minibatch-100" has scikit-learn's batch
size of his time, "minibatch" that of today. "mean" is the running mean with its defaults, "mean-long" goes on to the
end.

"emnist" is his second data set, 124,800 letters with K = 260: V .466 for MiniBatchKMeans, .467 for gradient k-means.
"""

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.metrics import adjusted_mutual_info_score, rand_score, v_measure_score

from dclib.gradient_kmeans import GradientKMeans
from experiments.runner import Configuration

SEEDS = range(3)


def ami(y, labels) -> dict[str, float]:
    """Mutual information, adjusted for chance, by the mean of the two entropies and by the larger one; and two as the
    paper prints them: the Rand index without any adjustment (its equation 7), mutual information over the *sum* of the
    entropies (equation 6), which is half of V.
    """
    return {
        "printed_rand": rand_score(y, labels),
        "printed_nmi": v_measure_score(y, labels) / 2,
        "ami": adjusted_mutual_info_score(y, labels),
        "ami_max": adjusted_mutual_info_score(y, labels, average_method="max"),
    }


def measure(method, data) -> dict[str, float]:
    scale = data.x.max() ** 2  # of pixels from 0 to 255 or from 0 to 1
    return {
        **ami(data.y, method.labels_),
        "clusters_used": len(np.unique(method.labels_)),
        "loss": method.inertia_ / 2 / len(data.x) / scale,
    }


def rows(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1)


def bytes_of(x: np.ndarray) -> np.ndarray:
    return rows(x) * np.float32(255)


def configurations() -> dict[str, Configuration]:
    def mnist(clusterer, prepare=rows, dataset="mnist"):
        return Configuration(dataset, "train", None, clusterer, prepare=prepare, measure=measure)

    author = {"optimizer": "adam", "learning_rate": 1.0, "init": np.eye(100, 784), "batch_size": 100, "tol": 0}
    letters = author | {"init": np.eye(260, 784), "revive": False, "epochs": 10}
    return {
        "emnist-minibatch-100": mnist(MiniBatchKMeans(260, batch_size=100), dataset="emnist_letters"),
        "emnist-author": mnist(GradientKMeans(260, **letters), bytes_of, "emnist_letters"),
        "minibatch-100": mnist(MiniBatchKMeans(100, batch_size=100)),
        "minibatch": mnist(MiniBatchKMeans(100)),
        "author": mnist(GradientKMeans(100, epochs=10, revive=False, **author), bytes_of),
        "author-revived": mnist(GradientKMeans(100, epochs=10, **author), bytes_of),
        "mean": mnist(GradientKMeans(100)),
        "mean-long": mnist(GradientKMeans(100, epochs=20, tol=0)),
    }
