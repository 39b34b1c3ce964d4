"""Shares of several processes; two, started by torchrun and talking over gloo, find what one does."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from dclib.data import load
from dclib.engine.processes import Alone

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


class Pretended(Alone):
    """One of three processes; what the other two add is known beforehand."""

    size = 3

    def __init__(self, rank):
        self.rank = rank


def test_shares_are_about_equal_and_cover_all():
    shares = [Pretended(rank).share(10) for rank in range(3)]
    assert [row for share in shares for row in range(10)[share]] == list(range(10))
    assert {len(range(10)[share]) for share in shares} == {3, 4}


def test_parts_of_several_processes_add_up():
    """`sum` of a pretended process is its own part: the parts of all three must add up to the whole."""
    everyone = [Pretended(rank) for rank in range(3)]
    assert sum(p.gather(torch.tensor(p.rank + 5)) for p in everyone).tolist() == [5, 6, 7]
    assert sum(p.pick(torch.tensor([p.rank + 5.0]), 1) for p in everyone).tolist() == [6]
    rows = torch.arange(10)
    assert torch.equal(sum(p.concatenate(rows[p.share(10)], 10) for p in everyone), rows)


def test_alone_everything_is_complete():
    alone, x = Alone(), torch.arange(8.0).view(4, 2)
    assert alone.share(4) == slice(0, 4)
    assert alone.take(x, torch.tensor([2, 2, 0])).tolist() == [[4, 5], [4, 5], [0, 1]]
    assert torch.equal(alone.concatenate(x, 4), x)


def test_numbers_are_gathered_where_they_are():
    assert Alone().gather(torch.empty((), device="meta")).device.type == "meta"  # an empty cluster on a GPU


# --- real ones -------------------------------------------------------------------------------------------------------


SCRIPTS = {}  # name: (what each process does with `arrays`, what it is given); it leaves arrays in `results`

# Python, PyTorch and Fabric take seconds to start: all scripts run in one go. All on the CPU, wherever the tests run:
# one GPU would be too few for two processes.
MAIN = """
import os, sys
import numpy as np
import torch
torch._C._mps_is_available = lambda: False
for name in sys.argv[1:]:
    path = os.path.join(sys.path[0], name)
    space = {"os": os, "np": np, "arrays": np.load(path + ".npz"), "results": {}, "path": path}
    with open(path + ".py") as file:
        exec(compile(file.read(), file.name, "exec"), space)
    np.savez(f"{path}-{os.environ.get('RANK', 'one')}.npz", **space["results"])
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """{name of a script: (what one process found alone, what each of two found)}"""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "main.py").write_text(MAIN)
    for name, (script, arrays) in SCRIPTS.items():
        (folder / f"{name}.py").write_text(script)
        np.savez(folder / f"{name}.npz", **arrays)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    for launcher in ([], TORCHRUN):
        command = [sys.executable, *launcher, folder / "main.py", *SCRIPTS]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1200, env=environment)
        assert done.returncode == 0, done.stderr
    return {
        name: (one, two)
        for name in SCRIPTS
        for one, *two in [[dict(np.load(folder / f"{name}-{rank}.npz")) for rank in ("one", 0, 1)]]
    }


GENERATOR = np.random.default_rng(0)
MEANS = 4 * GENERATOR.standard_normal((8, 80))
WIDE = MEANS[GENERATOR.integers(0, 8, 1001)] + GENERATOR.standard_normal((1001, 80))
FAR = WIDE[:8].copy()
FAR[3:] += 1e3
WEIGHT = GENERATOR.integers(0, 3, len(WIDE))
DIGITS = load("digits").x

SCRIPTS["kmeans"] = (
    """
import sys
from dclib.kmeans import KMeans
if "RANK" not in os.environ:
    assert "lightning_fabric" not in sys.modules
for name in ("wide", "narrow"):
    x = arrays[name]
    for case, parameters in {
        "drawn": {"n_init": 3, "random_state": 0},
        "random": {"n_init": 3, "random_state": 0, "init": "random"},
        "unseeded": {"n_init": 1},
        "refilled": {"init": arrays["far"][:, : x.shape[1]]},
    }.items():
        model = KMeans(8, **parameters).fit(x, sample_weight=arrays["weight"])
        assert np.array_equal(model.labels_, model.predict(x))
        results |= {f"{name} {case} labels": model.labels_, f"{name} {case} centers": model.cluster_centers_}
        results[f"{name} {case} history"] = model.inertia_history_
    if "RANK" in os.environ:
        try:
            KMeans(1).fit(x[:1])
        except ValueError as error:
            assert "X has 1 samples for 2 processes" in str(error)
        else:
            raise AssertionError("one sample was shared by two processes")
    model = KMeans(5, n_init=1, random_state=0).fit(x + 1e4)
    results[f"{name} shifted labels"] = model.labels_
if "RANK" not in os.environ:
    assert "lightning_fabric" not in sys.modules
""",
    {"wide": WIDE, "narrow": WIDE[:, :10], "far": FAR, "weight": WEIGHT},
)


def test_kmeans(found):
    """Draws, empty clusters, weights and labels; wide and narrow data, that is, with Elkan's bounds and without."""
    one, two = found["kmeans"]
    assert len(one) == 26
    for name in one:
        assert np.array_equal(two[0][name], two[1][name])
        if "unseeded" not in name:
            np.testing.assert_allclose(two[0][name], one[name], rtol=1e-9)
    assert len(np.unique(one["wide refilled labels"])) == len(np.unique(one["narrow refilled labels"])) == 8


SCRIPTS["few"] = (
    """
import warnings
from dclib.kmeans import KMeans
warnings.simplefilter("ignore")
model = KMeans(5, random_state=0).fit(arrays["x"])
results = {"labels": model.labels_, "centers": model.cluster_centers_, "inertia": model.inertia_}
""",
    {"x": np.repeat(np.eye(2), 10, axis=0)},
)


def test_kmeans_of_fewer_distinct_points_than_clusters(found):
    one, two = found["few"]
    for result in (one, *two):
        assert result["inertia"] < 1e-12  # rounding
        assert len(np.unique(result["labels"])) == 2


SCRIPTS["unseeded"] = (
    """
from dclib import Autoencoder, BalancedKMeans, GaussianMixture, KMeans, LatentClustering
x, options = arrays["x"], {"n_init": 1}
autoencoder = Autoencoder(2, hidden=(8,), epochs=1, random_state=0).fit(x)
init = lambda x, k, random_state: x[random_state.choice(len(x), k)]
for model in (
    KMeans(9, init="random", **options), BalancedKMeans(9, **options), GaussianMixture(9, init="random", **options),
    LatentClustering(autoencoder, GaussianMixture(9, init="random", **options)),
    LatentClustering(autoencoder, KMeans(9, init=init, **options)),
):
    model.fit(x)
    results[f"{len(results)} labels"] = model.labels_
    again = model.fit(x).labels_
    results[f"{len(results)} differs"] = not np.array_equal(results[f"{len(results) - 1} labels"], again)
""",
    {"x": np.random.default_rng(0).standard_normal((400, 3))},
)


def test_without_a_seed_all_processes_have_one_model(found):
    """Each would draw a seed of its own; starts, balanced clusters and what clusters a latent space are the same."""
    one, two = found["unseeded"]
    assert len(one) == 10
    for name in one:
        assert np.array_equal(two[0][name], two[1][name]), name
        if name.endswith("differs"):  # else it would have had a seed
            assert one[name] and two[0][name]


START = WIDE[:8, :10] * np.array([1, 1, 1, 1, 1, 50, 50, 50])[:, None]

SCRIPTS["gradient"] = (
    """
from dclib.gradient_kmeans import GradientKMeans
x = arrays["x"]
for name, options in {
    "mean": {}, "sgd": {"optimizer": "sgd", "learning_rate": 1.0}, "soft": {"temperature": 2.0, "optimizer": "sgd"},
}.items():
    options |= {"init": arrays["start"], "batch_size": 101, "epochs": 3, "tol": 0, "random_state": 0}
    model = GradientKMeans(8, **options).fit(x)
    results |= {f"{name} centers": model.cluster_centers_, f"{name} labels": model.labels_}
    for column in ("loss", "changed", "smallest_share", "revived"):
        results[f"{name} {column}"] = model.history_[column]
""",
    {"x": WIDE[:, :10], "start": START},
)


def test_gradient_kmeans(found):
    """Batches that do not divide by two, centers that start far away and are revived, both kinds of steps."""
    one, two = found["gradient"]
    assert len(one) == 18
    assert one["mean revived"].sum() > 0
    for name in one:
        assert np.array_equal(two[0][name], two[1][name])
        np.testing.assert_allclose(two[0][name], one[name], rtol=1e-9, atol=1e-12)


SCRIPTS["dec"] = (
    """
from dclib.autoencoder import Autoencoder
from dclib.dec import DEC
from dclib.engine.callbacks import Checkpoint
x = arrays["x"]
options = {"epochs": 3, "batch_size": 100, "random_state": 0, "precision": "32-true"}
for name, more in {"plain": {}, "noise": {"noise": 0.3}, "augment": {"augment": True}}.items():
    checkpoint = f"{path}-{os.environ.get('WORLD_SIZE', 1)}-{name}.ckpt"
    autoencoder = Autoencoder(5, hidden=(32,), callbacks=[Checkpoint(checkpoint)], **options, **more).fit(x)
    results |= {f"{name} codes": autoencoder.transform(x), f"{name} loss": autoencoder.history_["loss"]}
    autoencoder.fit(x)  # from the checkpoint
    results[f"{name} codes again"] = autoencoder.transform(x)
for name, more in {
    "dec": {}, "mixture dec": {"init": "gmm"}, "idec": {"reconstruction_weight": 1.0},
    "augmented dec": {"augment": True},
}.items():
    model = DEC(10, autoencoder=autoencoder, n_init=2, update_interval=2, tol=0, **options, **more).fit(x)
    results |= {f"{name} codes": model.transform(x), f"{name} centers": model.cluster_centers_}
    results |= {f"{name} labels": model.labels_, f"{name} history": model.history_.to_frame().to_numpy()}
""",
    {"x": DIGITS[:601]},
)


def test_autoencoder_and_dec(found):
    """Noise, augmentation, p of all shares inside an epoch, a last batch smaller than the number of processes, and a
    training that is taken up again from the checkpoint that one process wrote."""
    one, two = found["dec"]
    assert len(one) == 25
    for result in two:
        for name in one:
            np.testing.assert_allclose(result[name], one[name], atol=2e-5, err_msg=name)


SCRIPTS["neighbors"] = (
    """
from dclib.gmm import GaussianMixture
from dclib.neighbor_clustering import NeighborClustering
from dclib.self_labelling import SelfLabelling
x = arrays["x"]
options = {"epochs": 6, "batch_size": 32, "precision": "32-true", "random_state": 0}
neighbors = NeighborClustering(4, n_init=2, hidden=(16,), start_epochs=2, **options)
models = {
    "neighbors": neighbors,
    "self": SelfLabelling(GaussianMixture(4, covariance_type="diag", reg_covar=1e-2), hidden=(16,), **options),
    "conv": neighbors.__class__(4, n_init=2, network="conv", hidden=(4, 8), augment=True, start_epochs=2, **options),
}
for name, model in models.items():
    results |= {f"{name} p": model.fit(x).predict_proba(x), f"{name} loss": model.history_["loss"]}
results["neighbors of all"] = neighbors.neighbors_
""",
    {"x": DIGITS[:301]},
)


def test_neighbors_and_self_labelling(found):
    """Neighbours of all shares, the entropy of the whole batch; a last batch that splits unevenly; and convolutions,
    whose batch normalisation takes each share for itself: one model in both processes, if not the one of one.
    """
    one, (first, second) = found["neighbors"]
    assert len(one) == 7
    for name in one:
        np.testing.assert_allclose(first[name], second[name], atol=1e-6, err_msg=name)
        if "conv" not in name:
            np.testing.assert_allclose(first[name], one[name], atol=2e-4, err_msg=name)


JOINT = {
    "autoencoded_kmeans": """
autoencoder = Autoencoder(6, network="shallow", activation="tanh", noise=0.1, **options).fit(x)
models = {
    name: AutoencodedKMeans(4, autoencoder=autoencoder, n_init=2, noise=0.1, **options, **more)
    for name, more in {"default": {}, "identity": {"init": "identity"}}.items()
}
""",
    "dcra": """
autoencoder = Autoencoder(3, hidden=(16,), noise=0.1, **options).fit(x)
models = {
    name: DCRA(4, autoencoder=autoencoder, n_init=2, noise=0.1, **options, **more)
    for name, more in {"default": {}, "encoder alone": {"reconstruction_share": 0.0}}.items()
}
""",
    "dcan": """
autoencoder = Autoencoder(3, hidden=(16,), **options | {"epochs": 4, "batch_size": 64}).fit(x)
models = {
    name: DCAN(4, autoencoder=autoencoder, n_init=2, **options | {"epochs": 4}, **more)
    for name, more in {
        "default": {}, "mixture": {"clustering": "gmm", "update_interval": 3},
        "alone": {"reconstruction_weight": 0, "conditional": False}, "buffer": {"buffer_size": 64},
    }.items()
}
models["closed form"] = GaussianDivergence(4, autoencoder=autoencoder, n_init=2, **options | {"epochs": 4})
""",
}
BEFORE = """
from dclib.autoencoded_kmeans import AutoencodedKMeans
from dclib.autoencoder import Autoencoder
from dclib.dcan import DCAN
from dclib.dcra import DCRA
from dclib.gaussian_divergence import GaussianDivergence
x = arrays["x"]
options = {"epochs": 6, "batch_size": 32, "precision": "32-true", "random_state": 0}
"""
AFTER = """
for name, model in models.items():
    results |= {f"{name} codes": model.fit(x).transform(x), f"{name} labels": model.labels_}
    results[f"{name} centers"] = model.cluster_centers_
"""
SCRIPTS |= {method: (BEFORE + script + AFTER, {"x": DIGITS[:301]}) for method, script in JOINT.items()}


@pytest.mark.parametrize("method", JOINT)
def test_joint_methods(found, method):
    """Noise, draws, codes and centers of all shares; also with a last batch that splits unevenly."""
    one, (first, second) = found[method]
    assert len(one) == (15 if method == "dcan" else 6)
    for name in one:
        assert np.array_equal(first[name], second[name])
        if name.endswith("labels"):
            assert np.mean(first[name] == one[name]) > 0.99
        else:
            np.testing.assert_allclose(first[name], one[name], atol=2e-3 * np.abs(one[name]).max())


SCRIPTS["stop"] = (
    """
from dclib.autoencoder import Autoencoder
from dclib.engine.callbacks import Callback, Checkpoint

class StopOf(Callback):
    def __init__(self, rank):
        self.rank = rank

    def on_epoch_end(self, run):
        run.stop |= run.epoch == 2 and run.fabric.global_rank == self.rank

for rank in (0, 1):
    checkpoint = f"{path}-{os.environ.get('WORLD_SIZE', 1)}-{rank}.ckpt"
    options = {"epochs": 5, "batch_size": 32, "precision": "32-true", "random_state": 0}
    model = Autoencoder(2, hidden=(8,), callbacks=[StopOf(rank), Checkpoint(checkpoint, every=9)], **options)
    results[f"epochs of {rank}"] = len(model.fit(arrays["x"]).history_)
""",
    {"x": DIGITS[:200]},
)


def test_all_processes_stop_when_the_first_one_does(found):
    """What makes a process stop may differ in the last digit on unlike machines. None waits for those that stopped."""
    _, two = found["stop"]
    for result in two:
        assert result["epochs of 0"] == 2 and result["epochs of 1"] == 5


SCRIPTS["batch normalisation"] = (
    """
from dclib.autoencoder import Autoencoder
from dclib.dec import DEC
x = arrays["x"]
options = {"epochs": 3, "batch_size": 40, "precision": "32-true", "random_state": 0}
autoencoder = Autoencoder(3, network="conv-bn", hidden=(4, 6, 8, 8), **options).fit(x)
model = DEC(4, autoencoder=autoencoder, n_init=2, tol=0, **options).fit(x)
for name, fitted in {"autoencoder": autoencoder, "dec": model.autoencoder_}.items():
    results |= {f"{name} {key}": value.numpy() for key, value in fitted.network_.state_dict().items()}
""",
    {"x": np.kron(DIGITS[:201], np.ones((2, 2), np.float32))},
)


def test_batch_normalisation(found):
    """Each process normalises by its own rows, so the model is not that of one process; but all have the same."""
    _, (first, second) = found["batch normalisation"]
    assert any("running_var" in name for name in first)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
