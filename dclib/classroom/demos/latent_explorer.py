"""The latent space of an autoencoder, with the images behind the points."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from dclib.classroom import plots
from dclib.classroom.demos.demo import Demo
from dclib.classroom.demos.point_canvas import sprite_of
from dclib.data import load
from dclib.gmm import GaussianMixture
from dclib.kmeans import KMeans
from dclib.metrics import match_labels
from dclib.pretrained import load_or_train, split

CODE = """\
from dclib import GaussianMixture, KMeans, load
from dclib.pretrained import load_or_train, split

data = load("mnist5k")
seen, unseen = split(len(data.x))
autoencoder, how = load_or_train("mnist5k-dense-0")
codes = autoencoder.transform(data.x[seen])
kmeans = KMeans(10, n_init=5, random_state=0).fit(codes)
mixture = GaussianMixture(10, n_init=5, random_state=0).fit(codes)
"""


class LatentExplorer(Demo):
    """Hover a code to see its image, lasso many to see them together; colour by class or by a clustering.

    codes (n, d): those of more than two dimensions are shown along their first two principal components. images: as
    `plots.pictures` takes them. labels: {name: (n,)}, the classes first; clusters are renamed to match the classes.
    At most `max_points` are shown. Without arguments: the first network of lesson 06. Raises ValueError for lengths
    that differ.
    """

    script = "latent_explorer"
    title = "The latent space, with its images"

    def __init__(self, codes=None, images=None, labels: Mapping | None = None, *, names=None, max_points: int = 700):
        if codes is None or images is None or labels is None:
            codes, images, labels = _first_network()
        codes, images = np.asarray(codes, dtype=float), np.asarray(images)
        kinds = {name: np.asarray(values) for name, values in labels.items()}
        lengths = {"codes": len(codes), "images": len(images), **{name: len(v) for name, v in kinds.items()}}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"Each point needs one of each, but there are {lengths}.")
        classes = next(iter(kinds.values()))
        kinds = {name: v if v is classes else match_labels(classes, v) for name, v in kinds.items()}
        plane = codes if codes.shape[1] == 2 else PCA(2, random_state=0).fit_transform(codes)
        kept = np.sort(np.random.default_rng(0).permutation(len(plane))[:max_points])
        plane = plane[kept]
        low, high = plane.min(0), plane.max(0)
        margin = 0.05 * (high - low)
        png, tile = sprite_of(images[kept])
        super().__init__(
            points=plane.round(2).tolist(),
            labels={name: values[kept].astype(int).tolist() for name, values in kinds.items()},
            names=[str(k) for k in range(int(classes.max()) + 1)] if names is None else list(map(str, names)),
            sprite="data:image/png;base64," + base64.b64encode(png).decode(),
            tile=list(tile),
            view=[float(v) for v in np.stack([low - margin, high + margin], 1).ravel()],
            code=CODE,
        )

    def still(self) -> tuple[Figure, str]:
        points, kinds, names = np.array(self.settings["points"]), self.settings["labels"], self.settings["names"]
        names = names + [str(k) for k in range(len(names), 1 + max(map(max, kinds.values())))]  # more clusters
        fig, axes = plots.figure(1, len(kinds), width=12, height=4.2)
        for ax, (name, values) in zip(np.atleast_1d(axes), kinds.items(), strict=True):
            plots.embedding(points, np.array(values), ax=ax, names=names, size=34, title=f"by {name}")
            for k, own in zip(np.unique(values), ax.collections, strict=True):  # sky and gray are pale on white
                own.set(alpha=0.8, edgecolor=plots.text_color(k), linewidth=0.8)
        return fig, f"Codes of {len(points)} images in the plane, coloured by {', then by '.join(kinds)}."


def _first_network():
    """Codes, images and labels of the images that the first network of lesson 06 was trained on."""
    data = load("mnist5k")
    seen, _ = split(len(data.x))
    codes = load_or_train("mnist5k-dense-0")[0].transform(data.x[seen])
    return codes, data.x[seen], {
        "digit": np.asarray(data.y)[seen],
        "k-means": KMeans(10, n_init=5, random_state=0).fit(codes).labels_,
        "mixture": GaussianMixture(10, n_init=5, random_state=0).fit(codes).labels_,
    }  # fmt: skip
