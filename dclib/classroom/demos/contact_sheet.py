"""Contact sheets: the images of any cluster, sorted by distance to its centre."""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from dclib.classroom import plots
from dclib.classroom.demos.demo import Demo
from dclib.data import load
from dclib.kmeans import KMeans
from dclib.metrics import match_labels
from dclib.neighbor_clustering import NeighborClustering
from dclib.stored_features import load_features

CODE = """\
import numpy as np

from dclib import KMeans, NeighborClustering, load
from dclib.stored_features import load_features

data, z = load("cifar5k"), load_features().z
labels = KMeans(10, random_state=0).fit(z).labels_
neighbours = NeighborClustering(10, hidden=(), batch_size=128, learning_rate=0.01, random_state=0).fit(z)
centers = np.stack([z[labels == k].mean(0) for k in range(10)])
distances = np.linalg.norm(z - centers[labels], axis=1)
"""
COLUMNS = 25  # images in a row of the sprite


class ContactSheet(Demo):
    """Leaf through the clusters; choose an image and change the clustering: the sheet follows the image.

    images: as `plots.pictures` takes them. y (n,): classes, only to say and count them. clusterings: {name: (labels
    (n,), z (n, d))}: the distances are those in z, to the mean of the cluster. names: of the classes. At most
    `max_images` are shown, drawn at random. Without arguments: lesson 11's. Raises ValueError for lengths that differ.
    """

    script = "contact_sheet"
    title = "Contact sheets of clusters"

    def __init__(self, images=None, y=None, clusterings: Mapping | None = None, *, names=None, max_images: int = 1000):
        if images is None or y is None or clusterings is None:
            images, y, clusterings, names = _of_the_lesson()
        images, y = np.asarray(images), np.asarray(y)
        lengths = {"images": len(images), "y": len(y)}
        lengths |= {f"{name}, {part}": len(v) for name, pair in clusterings.items() for part, v in zip("yz", pair)}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"Each image needs one of each, but there are {lengths}.")
        kept = np.sort(np.random.default_rng(0).permutation(len(y))[:max_images])
        kinds = []
        for name, (labels, z) in clusterings.items():
            labels = match_labels(y, np.asarray(labels))  # so that cluster 3 is about the same one everywhere
            distances = distances_to_centers(np.asarray(z), labels)
            kinds.append(
                {"name": name, "labels": labels[kept].tolist(), "distances": distances[kept].round(3).tolist()}
            )
        jpeg, tile = sprite(images[kept])
        super().__init__(
            kinds=kinds,
            y=y[kept].tolist(),
            names=[str(k) for k in range(int(y.max()) + 1)] if names is None else list(map(str, names)),
            sprite="data:image/jpeg;base64," + base64.b64encode(jpeg).decode(),
            tile=list(tile),
            columns=COLUMNS,
            code=CODE,
        )

    def still(self) -> tuple[Figure, str]:
        """The nearest images of five clusters of the second clustering (or the only one)."""
        kind = self.settings["kinds"][min(1, len(self.settings["kinds"]) - 1)]
        labels, distances = np.array(kind["labels"]), np.array(kind["distances"])
        data = base64.b64decode(self.settings["sprite"].partition(",")[2])
        sheet, (w, h) = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), self.settings["tile"]
        clusters = np.unique(labels)[:5]
        fig, axes = plots.figure(len(clusters), 1, width=8, height=0.9 * len(clusters), squeeze=False)
        for ax, k in zip(axes[:, 0], clusters, strict=True):
            rows = np.flatnonzero(labels == k)
            rows = rows[np.argsort(distances[rows], kind="stable")][:10]
            at = [(row // COLUMNS * h, row % COLUMNS * w) for row in rows]
            ax.imshow(np.hstack([sheet[top : top + h, left : left + w] for top, left in at]))
            ax.set_axis_off()
            ax.set_title(f"cluster {k}", fontsize=13)
        return fig, (
            f"Contact sheets of {len(clusters)} clusters of the clustering “{kind['name']}”: of each the images that "
            "are nearest to its centre, in a row."
        )


def distances_to_centers(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of each row of z (n, d) to the mean of its cluster (n,)."""
    z = z.reshape(len(z), -1)
    distances = np.empty(len(z))
    for k in np.unique(labels):
        own = labels == k
        distances[own] = np.linalg.norm(z[own] - z[own].mean(0), axis=1)
    return distances


def sprite(images: np.ndarray) -> tuple[bytes, tuple[int, int]]:
    """Images -> one JPEG that holds them, `COLUMNS` in a row, and the (width, height) of a tile."""
    tiles = (plots.pictures(images) * 255).round().astype(np.uint8)
    if tiles.ndim == 3:
        tiles = tiles[..., None].repeat(3, -1)
    n, h, w = tiles.shape[:3]
    rows = -(-n // COLUMNS)
    sheet = np.zeros((rows * COLUMNS, h, w, 3), np.uint8)
    sheet[:n] = tiles
    sheet = sheet.reshape(rows, COLUMNS, h, w, 3).swapaxes(1, 2).reshape(rows * h, COLUMNS * w, 3)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "JPEG", quality=75, subsampling=0, optimize=True, progressive=True)
    return buffer.getvalue(), (w, h)


@functools.cache
def _of_the_lesson() -> tuple[Any, Any, dict, list[str]]:
    data, z = load("cifar5k"), load_features().z
    pixels = data.x.reshape(len(data.x), -1)
    neighbours = NeighborClustering(
        10, hidden=(), batch_size=128, learning_rate=0.01, n_init=5, epochs=12, random_state=0
    ).fit(z)
    clusterings = {
        "k-means on pixels": (KMeans(10, n_init=1, random_state=0).fit(pixels).labels_, pixels),
        "k-means on features": (neighbours.start_labels_, z),
        "neighbours": (neighbours.labels_, z),
    }
    return data.x, data.y, clusterings, data.target_names
