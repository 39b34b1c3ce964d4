"""Clusters that follow the codes: one iteration by hand, on all samples or on a buffer of the newest codes."""

import numpy as np
import pytest
import torch
from pretend_device import pretend

from dclib import gaussian_clusters, gmm
from dclib.dcan import DCAN
from dclib.engine.training import Batch
from dclib.gaussian_clusters import Clusters, move_clusters
from dclib.gmm import Mixture


def test_the_clusters_take_one_iteration_of_kmeans(autoencoder):
    """By hand, on a line: the centers 0 and 4 own {-1, 1, 1.5} and {3, 5}."""
    z = torch.tensor([[-1.0], [1.0], [1.5], [3.0], [5.0]])
    clusters = Mixture(*(torch.tensor(v, dtype=torch.float64) for v in ([0.5, 0.5], [[0.0], [4.0]], [[1.0], [1.0]])))
    clusters = move_clusters(z, clusters, "k-means")
    floor = 0.02 * float(z.var(correction=0)) + 1e-6 * float(z.square().mean())
    want = [np.std([-1, 1, 1.5]), np.std([3, 5])]
    np.testing.assert_allclose(clusters.means[:, 0], [0.5, 4.0], rtol=1e-6)
    np.testing.assert_allclose(clusters.factors[:, 0], np.sqrt(np.square(want) + floor), rtol=1e-6)
    np.testing.assert_allclose(clusters.weights, [0.6, 0.4], rtol=1e-6)


def test_a_cluster_without_samples_stays_where_it_is():
    z = torch.tensor([[-1.0], [1.0]])
    clusters = Mixture(*(torch.tensor(v, dtype=torch.float64) for v in ([0.5, 0.5], [[0.0], [9.0]], [[1.0], [1.0]])))
    clusters = move_clusters(z, clusters, "k-means")
    assert clusters.means[1] == 9 and torch.isfinite(clusters.factors).all() and clusters.weights[1] < 1e-5


@pytest.fixture
def start_of_a_mixture(digits, autoencoder):
    """Trains so little that the start is most of it."""
    model = DCAN(5, autoencoder=autoencoder, clustering="gmm", epochs=1, n_init=1, random_state=0)
    return lambda **options: model.set_params(**options).fit(digits.x[:200])


def test_the_mixture_is_fitted_on_the_device_that_was_asked_for(start_of_a_mixture, monkeypatch):
    device_for, places = gmm.device_for, []
    monkeypatch.setattr(gmm, "device_for", lambda *args: places.append(device_for(*args)) or places[-1])
    with pretend("cuda"):
        start_of_a_mixture(device="cpu")
    assert {place.type for place in places} == {"cpu"}


def test_the_mixture_leaves_numpys_global_generator_alone(start_of_a_mixture):
    before = np.random.get_state()[1].copy(), np.random.get_state()[2]  # noqa: NPY002
    start_of_a_mixture()
    assert np.array_equal(before[0], np.random.get_state()[1]) and before[1] == np.random.get_state()[2]  # noqa: NPY002


@pytest.fixture
def moves(monkeypatch):
    """The codes of every move, and the batches before it with their codes."""
    found = []
    of = Clusters.of
    monkeypatch.setattr(Clusters, "of", lambda self, b, z: found.append(("batch", z.clone())) or of(self, b, z))
    monkeypatch.setattr(
        gaussian_clusters,
        "move_clusters",
        lambda z, *rest: found.append(("move", z.clone())) or move_clusters(z, *rest),
    )
    return found


def test_a_buffer_holds_the_newest_codes_and_moves_the_clusters_at_every_step(digits, autoencoder, moves):
    """600 codes: at first of random samples, then those of the batches of 256 push them out, oldest first."""
    DCAN(autoencoder=autoencoder, buffer_size=600, epochs=1, n_init=1, random_state=0).fit(digits.x)
    (first, codes), *rest = moves
    assert first == "move" and len(codes) == 1797  # the start has all samples
    assert [what for what, _ in rest] == ["batch", "move"] * 8
    batches, buffers = [z for what, z in rest if what == "batch"], [z for what, z in rest if what == "move"]
    assert all(len(z) == 600 for z in buffers)
    assert (buffers[0][:344, None] == codes[None]).all(2).any(1).all()
    assert len(buffers[0][:344].unique(dim=0)) == 344
    for n in range(8):
        newest = torch.cat([buffers[0][:344], *batches[: n + 1]])[-600:]
        assert torch.equal(buffers[n], newest)


def test_without_a_buffer_the_clusters_move_on_all_samples(digits, autoencoder, moves):
    DCAN(autoencoder=autoencoder, update_interval=3, epochs=1, n_init=1, random_state=0).fit(digits.x)
    expected = ["move"] + ["batch"] * 4 + ["move"] + ["batch"] * 3 + ["move", "batch", "move"]
    assert [what for what, _ in moves] == expected  # after 3 steps, 3 more, and at the end of the epoch
    assert all(len(z) == 1797 for what, z in moves if what == "move")


def test_a_buffer_is_never_larger_than_the_data(digits, autoencoder, moves):
    DCAN(4, autoencoder=autoencoder, buffer_size=600, epochs=1, n_init=1, random_state=0).fit(digits.x[:300])
    assert {len(z) for what, z in moves if what == "move"} == {300}


def test_the_clusters_of_a_batch_are_the_nearest_after_the_move(digits, autoencoder, monkeypatch):
    found = []
    of = Clusters.of

    def spy(self, batch: Batch, z):
        c = of(self, batch, z)
        found.append((z.clone(), self.means.clone(), c))
        return c

    monkeypatch.setattr(Clusters, "of", spy)
    DCAN(autoencoder=autoencoder, buffer_size=300, epochs=1, n_init=1, random_state=0).fit(digits.x)
    for z, means, c in found:
        assert torch.equal(torch.cdist(z, means).argmin(1), c)
    assert not torch.equal(found[0][1], found[-1][1])
