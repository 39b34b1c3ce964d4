"""What both clusterers with a network of classes share: probabilities, alarms, dropout, the network during training."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from dclib.engine.callbacks import Evaluate
from dclib.neighbor_clustering import NeighborClustering
from dclib.network_clusterer import NetworkClusterer, average_buffers
from dclib.networks import ConvClassifier

OPTIONS = {"n_init": 1, "n_neighbors": 5, "batch_size": 50, "learning_rate": 1e-2, "random_state": 0}


@pytest.mark.filterwarnings("ignore:.*clusters have samples")
@pytest.mark.parametrize("network", ["dense", "conv"])
def test_clusters_are_the_most_probable(digits, network):
    x = digits.x[:300]
    model = NeighborClustering(5, network=network, hidden=(8,), start_epochs=6, epochs=10, **OPTIONS).fit(x)
    p = model.predict_proba(x)
    assert p.shape == (300, 5) and p.dtype == np.float32
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    assert np.array_equal(p.argmax(1), model.predict(x)) and np.array_equal(model.predict(x), model.labels_)
    with torch.no_grad():
        np.testing.assert_allclose(model.network_(torch.from_numpy(x)).softmax(1).numpy(), p, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*steps? in all", "ignore:.*clusters have samples")
def test_callbacks_predict_without_dropout_and_training_goes_on_with_it(digits):
    """Predictions in between leave the network as it was: with and without them the training is the same, whatever the
    state of the global generator, which dropout must neither ask nor move.
    """
    x, modes = digits.x[:200], []

    def look(estimator):
        before = estimator.network_.training
        p = [estimator.predict_proba(x) for _ in range(2)]
        modes.append((before, estimator.network_.training, np.array_equal(*p)))
        return {}

    options = {"network": "conv", "hidden": (4, 8), "start_epochs": 6, "epochs": 12} | OPTIONS
    torch.rand(3)
    state = torch.get_rng_state()
    watched = NeighborClustering(3, **options, callbacks=[Evaluate(look)]).fit(x)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    assert set(modes) == {(True, True, True)} and not watched.network_.training
    assert np.array_equal(watched.predict_proba(x), NeighborClustering(3, **options).fit(x).predict_proba(x))


class Constant(NetworkClusterer):
    """Finishes with these shares of its samples in cluster 0, 1, …"""

    def __init__(self, counts, n_clusters):
        self.counts, self.device, self.n_clusters = counts, "cpu", n_clusters

    def finish(self):
        self.image_shape_, self.n_features_in_ = None, self.n_clusters
        self.network_ = torch.nn.Linear(self.n_clusters, self.n_clusters, bias=False)
        torch.nn.init.eye_(self.network_.weight)
        labels = np.repeat(np.arange(len(self.counts)), self.counts)
        self._finish(np.eye(self.n_clusters, dtype=np.float32)[labels], self.n_clusters)
        return self


def test_the_alarms():
    assert Constant((50, 50), 2).finish().labels_.tolist() == [0] * 50 + [1] * 50
    with pytest.warns(ConvergenceWarning, match="Only 2 of 3 clusters have samples"):
        Constant((50, 50), 3).finish()
    with pytest.warns(ConvergenceWarning, match="One cluster owns 96.0% of the samples"):
        Constant((96, 4), 2).finish()
    Constant((100,), 1).finish()  # one of one: no alarm


def test_running_means_of_all_processes_become_one():
    """A stand-in for two processes, of which this one has running means of 0 and variances of 1, the other 2 and 3."""

    class Fabric:
        world_size = 2

        def all_reduce(self, tensor, reduce_op):
            assert reduce_op == "mean"
            return tensor + 1

    network = ConvClassifier((1, 8, 8), 3, hidden=(4,))
    average_buffers(network, Fabric())
    buffers = dict(network.named_buffers())
    assert all((buffer == 1).all() for name, buffer in buffers.items() if name.endswith("mean"))
    assert all((buffer == 2).all() for name, buffer in buffers.items() if name.endswith("var"))
    assert all(buffer == 0 for name, buffer in buffers.items() if name.endswith("tracked"))
