"""Every estimator on a pretended GPU (see pretend_device.py): trained, taken up again, and asked."""

import copy
import itertools

import numpy as np
import pytest
import torch
from interruption import StopAfter
from lightning_fabric import Fabric
from pretend_device import pretend
from sklearn.base import clone
from test_estimators import estimators
from torch import nn

from dclib.augmentation import RandomShiftRotate
from dclib.autoencoded_kmeans import AutoencodedKMeans
from dclib.autoencoder import Autoencoder
from dclib.balanced_kmeans import BalancedKMeans
from dclib.data import load
from dclib.dcan import DCAN
from dclib.dcra import DCRA
from dclib.dec import DEC
from dclib.engine import rows as rows_module
from dclib.engine import training
from dclib.engine.callbacks import Checkpoint, EarlyStopping, Scores
from dclib.engine.rows import Rows
from dclib.gaussian_divergence import GaussianDivergence
from dclib.gmm import GaussianMixture
from dclib.gradient_kmeans import GradientKMeans
from dclib.kmeans import KMeans
from dclib.networks import DenseAutoencoder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N, ROOM = 128, 10**12
SMALL = {"epochs": 2, "batch_size": 50, "random_state": 0}
JOINT = {"n_clusters": 3, "n_init": 1, **SMALL}

# What the estimators' defaults leave out. The joint methods get an autoencoder that is fitted already.
CASES = {type(estimator).__name__: estimator for estimator in estimators()} | {
    "refilled": KMeans(3, init=np.vstack([np.zeros((2, 64)), np.full((1, 64), 99)]), random_state=0),
    "random": KMeans(3, init="random", n_init=2),
    "equal, k-means++": BalancedKMeans(3, init="k-means++", n_init=1),
    "full": GaussianMixture(3, n_init=2, reg_covar=1e-2),
    "tied, balanced": GaussianMixture(3, covariance_type="tied", init="balanced", n_init=1, reg_covar=1e-2),
    "spherical, random": GaussianMixture(3, covariance_type="spherical", init="random", n_init=2, reg_covar=1e-2),
    "noise": Autoencoder(2, hidden=(8,), noise=0.3, **SMALL),
    "augment": Autoencoder(2, network="conv", hidden=(2, 3), augment=True, **SMALL),
    "conv-bn": Autoencoder(2, network="conv-bn", hidden=(2, 3), **SMALL),
    "soft, sgd": GradientKMeans(3, temperature=1.0, optimizer="sgd", **SMALL),
    "revived, adam": GradientKMeans(3, optimizer="adam", init=9 * np.eye(3, 64), **SMALL),
    "augmented IDEC": DEC(**JOINT, augment=RandomShiftRotate(1), reconstruction_weight=1.0, update_interval=2),
    "DEC, balanced": DEC(**JOINT, init="balanced"),
    "DEC, mixture, sgd": DEC(**JOINT, init="gmm", optimizer="sgd"),
    "identity": AutoencodedKMeans(**JOINT, init="identity", noise=0.1, autoencoder=Autoencoder(2, network="shallow")),
    "DCRA": DCRA(**JOINT),
    "DCAN, mixture": DCAN(**JOINT, clustering="gmm", conditional=False),
    "closed form, mixture": GaussianDivergence(**JOINT, clustering="gmm"),
}
# Each on both devices; data that do not fit where batches come in another way.
TOO_LARGE = ("KMeans", "GaussianMixture", "Autoencoder", "augment", "soft, sgd", "augmented IDEC", "DCAN, mixture")
RUNS = [(case, kind, ROOM) for case, kind in itertools.product(CASES, ("cuda", "mps"))]
RUNS += [(case, kind, 0) for case, kind in itertools.product(TOO_LARGE, ("cuda", "mps"))]


@pytest.fixture(scope="module")
def images():
    return load("digits").x[:N]


@pytest.fixture(scope="module")
def fitted(images):
    return Autoencoder(2, hidden=(8,), device="cpu", **SMALL).fit(images)


def fresh(case, fitted):
    estimator = clone(CASES[case]).set_params(random_state=0)
    if "autoencoder" in estimator.get_params() and not isinstance(estimator.autoencoder, Autoencoder):
        estimator.set_params(autoencoder=fitted)
    return estimator


@pytest.mark.parametrize(("case", "kind", "room"), RUNS)
def test_an_estimator(case, kind, room, images, fitted, tmp_path):
    """Trained, interrupted, taken up again, asked all that a fitted estimator can be asked, saved and loaded."""
    model = fresh(case, fitted)
    with pretend(kind, room):
        if "epochs" in model.get_params():
            callbacks = [Checkpoint(tmp_path / "c"), EarlyStopping("loss", patience=9)]
            if hasattr(model, "predict"):
                callbacks.append(Scores(images, load("digits").y[:N]))
            with pytest.raises(KeyboardInterrupt):
                model.set_params(callbacks=[*callbacks, StopAfter(1)]).fit(images)
            model.set_params(callbacks=callbacks)
        model.fit(images)
        model.save(tmp_path / "model")
        loaded, answers = type(model).load(tmp_path / "model"), 0
        for name in ("predict", "transform", "predict_proba", "score_samples", "reconstruct"):
            if hasattr(model, name):
                answer = getattr(model, name)(images)
                assert isinstance(answer, np.ndarray) and len(answer) == N
                assert np.array_equal(getattr(loaded, name)(images), answer)
                answers += 1
    assert answers


@pytest.mark.parametrize("kind", ["cuda", "mps"])
@pytest.mark.parametrize("often", [{"buffer_size": 60}, {"update_interval": 2, "clustering": "gmm"}], ids=str)
def test_clusters_that_move_inside_an_epoch_wait_for_the_device_and_do_nothing_worse(often, kind, images, fitted):
    """They move on the CPU: with a buffer at every step, as the documentation says, else in one step of many."""
    model = DCAN(**JOINT, **often, autoencoder=fitted)
    with pytest.raises(AssertionError) as faults, pretend(kind, ROOM):
        model.fit(images)
    for fault in str(faults.value).splitlines():
        assert f"waits for {kind} inside a step in dclib.gaussian_clusters" in fault
    assert np.array_equal(model.labels_, model.predict(images))


@pytest.mark.parametrize("method", [DEC, DCAN])
def test_a_method_on_the_cpu_takes_an_autoencoder_for_any_device(method, images, fitted):
    given = copy.copy(fitted).set_params(device="auto")
    model = method(**JOINT, autoencoder=given, device="cpu")
    with pretend("cuda"):
        model.fit(images)
    assert np.array_equal(model.labels_, method(**JOINT, autoencoder=fitted, device="cpu").fit(images).labels_)


@pytest.mark.parametrize("case", ["DEC", "AutoencodedKMeans", "DCRA", "DCAN", "GaussianDivergence", "conv-bn"])
def test_processes_are_sent_nothing_that_lies_on_a_gpu(case, images, fitted):
    """A pickled CUDA tensor comes back on the first GPU, in all of them."""
    sent, broadcast = [], Fabric.broadcast

    def spy(self, thing, src=0):
        sent.extend(thing if isinstance(thing, (list, tuple)) else [thing])
        return broadcast(self, thing, src)

    with pytest.MonkeyPatch.context() as patch, pretend("cuda", ROOM):
        patch.setattr(Fabric, "broadcast", spy)
        fresh(case, fitted).fit(images)
    assert sent and all(thing.device.type == "cpu" for thing in sent if isinstance(thing, torch.Tensor))
    if case == "DCRA":
        assert sum(isinstance(thing, torch.Tensor) for thing in sent) > 2


def batches_of(model, images):
    """Trains it -> the numbers of the rows, and the rows, as the batches held them."""
    seen, real = [], training._batches

    def note(*args):
        for batch in real(*args):
            seen.append(batch)
            yield batch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_batches", note)
        model.fit(images)
    return torch.cat([batch.rows for batch in seen]), torch.cat([batch.x for batch in seen])


@pytest.mark.parametrize(("kind", "room"), [("cuda", ROOM), ("cuda", 0), ("mps", ROOM), ("mps", 0)])
def test_every_device_visits_the_rows_in_the_order_of_the_cpu(kind, room, images):
    """Two processes on unlike devices must agree on the order, or some rows are never seen."""
    model = Autoencoder(2, hidden=(8,), **SMALL)
    expected, _ = batches_of(model.set_params(device="cpu"), images)
    with pretend(kind, room):
        rows, x = batches_of(model.set_params(device="auto"), images)
    assert rows.tolist() == expected.tolist()
    assert sorted(rows[:N].tolist()) == sorted(rows[N:].tolist()) == list(range(N))
    assert np.array_equal(x.numpy(), images[rows.numpy()])


def test_data_and_networks_are_on_the_device_and_reconstructions_in_main_memory(images):
    seen = []

    class Spy(DenseAutoencoder):
        def decode(self, z):
            seen.append((z.device.type, next(self.parameters()).device.type))
            return super().decode(z)

    model = Autoencoder(2, network=Spy((1, 8, 8), 2, hidden=(8,)), **SMALL)
    rows, init = [], Rows.__init__

    def note(self, *args, **kwargs):
        init(self, *args, **kwargs)
        rows.append(self)

    for room, place in ((ROOM, "cuda"), (0, "cpu")):
        rows.clear()
        with pytest.MonkeyPatch.context() as patch, pretend("cuda", room):
            patch.setattr(Rows, "__init__", note)
            model.fit(images).reconstruct(images)
            assert [data.tensor.device.type for data in rows] == [place] * 3
    assert set(seen) == {("cuda", "cuda")}
    assert all(parameter.device.type == "cpu" for parameter in model.network_.parameters())


# --- the harness itself: each fault, planted once, is found -----------------------------------------------------------


class Faulty(torch.autograd.Function):
    """Takes a tensor on the CPU in its backward pass."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * torch.ones(gradient.shape)


def backward(kind):
    x = torch.ones(3, device=kind, requires_grad=True)
    Faulty.apply(x).sum().backward()


ANYWHERE = {
    "a sum": (lambda kind: torch.zeros(3, device=kind) + torch.ones(3), r"add of a tensor on the CPU \(3,\) and one"),
    "an index": (lambda kind: torch.ones(3)[torch.tensor([0], device=kind)], "index of a tensor on the CPU"),
    "labels": (lambda kind: torch.ones(3, device=kind).index_add_(0, torch.tensor([0]), torch.ones(1, device=kind)),
               "index_add_ of a tensor on the CPU"),
    "the backward pass": (backward, "mul of a tensor on the CPU"),
    "a generator of the CPU": (
        lambda kind: torch.rand(3, device=kind, generator=torch.Generator()), "rand on .* with a generator on the CPU"),
    "a generator of the device": (
        lambda kind: torch.empty(3).exponential_(generator=generator_on(kind)), "exponential_ on the CPU with a gener"),
    "a global generator": (lambda kind: torch.randn(3, device=kind), "randn draws from the global generator of"),
    "another's global generator": (
        lambda kind: nn.functional.dropout(torch.ones(3, device=kind)), "draws from the global generator of"),
    "numpy": (lambda kind: torch.ones(3, device=kind).numpy(), r"\.numpy\(\) of a tensor on"),
    "asarray": (lambda kind: np.asarray(torch.ones(3, device=kind)), r"\.numpy\(\) of a tensor on"),
}  # fmt: skip


def generator_on(kind):
    from dclib.engine.device import epoch_generator

    return epoch_generator(0, 1, torch.device(kind))


@pytest.mark.parametrize("kind", ["cuda", "mps"])
@pytest.mark.parametrize("name", ANYWHERE)
def test_a_fault_is_found(name, kind):
    plant, message = ANYWHERE[name]
    with pytest.raises(AssertionError, match=message), pretend(kind):
        plant(kind)


@pytest.mark.parametrize(
    "plant",
    [
        lambda: torch.zeros(3, dtype=torch.float64, device="mps"),
        lambda: torch.zeros(3, dtype=torch.float64).to("mps"),
        lambda: torch.zeros(3, device="mps").double(),
        lambda: torch.tensor([0.5, 1.0], dtype=torch.float64, device="mps"),
    ],
)
def test_float64_is_found_on_mps_alone(plant):
    with pytest.raises(AssertionError, match="float64 on mps"), pretend("mps"):
        plant()
    with pretend("cuda"):
        torch.zeros(3, device="cuda").double()


WAITS = {
    "item": lambda x: x * x.mean().item(),
    "bool": lambda x: x if x.mean() > 0 else -x,
    "tolist": lambda x: x * x.mean(0).flatten().tolist()[0],
    "nonzero": lambda x: x + len(torch.nonzero(x)),
    "a mask": lambda x: x + x[x > 0].mean(),
    "a copy to the CPU": lambda x: x + x.detach().cpu().to("cuda").mean(),
    "a copy into the CPU": lambda x: (torch.empty(x.shape).copy_(x.detach()), x)[1],
    "numbers on the CPU": lambda x: x[torch.arange(len(x))],
    "not pinned": lambda x: x + torch.ones(8, 8).to("cuda", non_blocking=True),
    "pinned, but waited for": lambda x: x + torch.ones(8, 8).pin_memory().to("cuda"),
    "a new tensor of numbers": lambda x: x * torch.tensor([2.0], device="cuda"),
    "another new tensor": lambda x: x * x.new_tensor([2.0]),
}
FINE = {
    "pinned": lambda x: x + torch.ones(8, 8).pin_memory().to("cuda", non_blocking=True),
    "a number on the CPU": lambda x: x * torch.tensor(2.0),
    "filled": lambda x: x * torch.full((1,), 2.0, device="cuda"),
    "one_hot": lambda x: x + nn.functional.one_hot(torch.zeros(len(x), dtype=torch.long, device="cuda"), 3).sum(),
    "compared": lambda x: torch.where(x > 0, x, 0.0),
}


def autoencoder_with(disturb):
    class Network(DenseAutoencoder):
        def forward(self, x):
            return super().forward(disturb(x))

    return Autoencoder(2, network=Network((1, 8, 8), 2, hidden=(8,)), **SMALL)


@pytest.mark.parametrize("name", WAITS)
def test_what_waits_inside_a_step_is_found(name, images):
    with pytest.raises(AssertionError, match="waits for cuda inside a step"), pretend("cuda"):
        autoencoder_with(WAITS[name]).fit(images)
    with pretend("cuda"):
        WAITS[name](torch.ones(2, 1, 8, 8, device="cuda"))  # outside of one it is no fault


@pytest.mark.parametrize("name", FINE)
def test_what_does_not_wait_is_no_fault(name, images):
    with pretend("cuda"):
        autoencoder_with(FINE[name]).fit(images)


def train_large(images):
    """Training with data that do not fit."""
    with pretend("cuda", room=0):
        Autoencoder(2, hidden=(8,), **SMALL).fit(images)


def test_memory_that_is_not_pinned_is_found(images, monkeypatch):
    monkeypatch.setattr(rows_module, "send", lambda rows, device: rows.to(device))
    with pytest.raises(AssertionError, match=r"not pinned .* dclib\.engine\.rows"):
        train_large(images)


def test_numbers_of_rows_that_are_not_where_the_rows_are_are_found(images, monkeypatch):
    at_hand = property(lambda self: True, lambda self, value: None)
    monkeypatch.setattr(Rows, "at_hand", at_hand, raising=False)
    with pytest.raises(AssertionError, match=r"a copy to the CPU waits for cuda inside a step in dclib\.engine\.rows"):
        train_large(images)


def fail_with_a_fault():
    with pretend("cuda"):
        torch.zeros(3, device="cuda").numpy()
        raise ZeroDivisionError


def test_an_error_inside_is_not_hidden_by_faults():
    with pytest.raises(ZeroDivisionError):
        fail_with_a_fault()


def test_nothing_of_the_pretence_stays():
    from dclib.engine.device import resolve_device

    before = resolve_device("auto")
    with pretend("cuda"):
        assert resolve_device("auto") == torch.device("cuda", 0)
        assert torch.zeros(2, device="cuda").is_cuda
    assert resolve_device("auto") == before
    assert not torch.zeros(2).is_cuda
