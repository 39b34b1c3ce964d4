"""Shapes, sizes and the parts of the networks."""

import pytest
import torch
from torch import nn

from dclib.networks import (
    ACTIVATIONS,
    BatchNormAutoencoder,
    ConvAutoencoder,
    ConvClassifier,
    DenseAutoencoder,
    DenseClassifier,
    ShallowAutoencoder,
)


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_the_dense_network_is_that_of_dec():
    network = DenseAutoencoder((784,), latent_dim=10)
    layers = [m for m in network.encoder.modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in layers] == [(784, 500), (500, 500), (500, 2000), (2000, 10)]
    assert count(network.encoder) == 784 * 500 + 500 + 500 * 500 + 500 + 500 * 2000 + 2000 + 2000 * 10 + 10
    assert isinstance(list(network.encoder.modules())[-1], nn.Linear)  # no activation on the latent layer


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 8, 8), (2, 17, 30), (3, 64, 48), (1, 9, 8)])
def test_the_convolutional_network_takes_any_size_and_number_of_channels(shape):
    network = ConvAutoencoder(shape, latent_dim=5)
    z, reconstruction = network(torch.rand(4, *shape))
    assert z.shape == (4, 5) and reconstruction.shape == (4, *shape)
    channels = [m.out_channels for m in network.encoder if isinstance(m, nn.Conv2d)]
    assert channels == [32, 64, 128]


@pytest.mark.parametrize("shape", [(7,), (3, 4, 5)])
def test_the_dense_network_gives_back_the_shape_of_its_input(shape):
    z, reconstruction = DenseAutoencoder(shape, 2, hidden=(6,))(torch.rand(3, *shape))
    assert z.shape == (3, 2) and reconstruction.shape == (3, *shape)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_pair_of_activations_goes_to_encoder_and_decoder(name):
    network = DenseAutoencoder((4,), 2, hidden=(6, 6), activation=(name, "tanh"))
    used = [[type(m) for m in part.modules() if type(m) in ACTIVATIONS.values()] for part in network.children()]
    assert used == [[ACTIVATIONS[name]] * 2, [nn.Tanh] * 2]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 16, 16), (2, 17, 30), (1, 31, 19)])
def test_the_network_with_batch_normalisation(shape):
    """4 × 4, stride 2, 40-80-160-320 channels, all but the outermost layers normalised, output in [0, 1]."""
    network = BatchNormAutoencoder(shape)
    z, reconstruction = network(torch.rand(4, *shape))
    assert z.shape == (4, 20) and reconstruction.shape == (4, *shape)
    assert 0 <= reconstruction.min() and reconstruction.max() <= 1
    down = [m for m in network.encoder if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in down] == [40, 80, 160, 320]
    assert {(m.kernel_size, m.stride) for m in down} == {((4, 4), (2, 2))}
    widths = [[m.num_features for m in part if isinstance(m, nn.BatchNorm2d)] for part in network.children()]
    assert widths == [[80, 160, 320], [160, 80, 40]]


def test_batch_normalisation_takes_a_batch_of_one():
    network = BatchNormAutoencoder((1, 16, 16))
    with pytest.raises(ValueError, match="more than 1 value"):
        nn.BatchNorm2d(320)(torch.rand(1, 320, 1, 1))
    assert torch.isfinite(network(torch.rand(1, 1, 16, 16))[1]).all()
    deepest = network.encoder[9]
    assert deepest.num_features == 320 and deepest.num_batches_tracked == 0  # one value has no variance to learn from


@pytest.mark.parametrize("network", [DenseAutoencoder, ConvAutoencoder, BatchNormAutoencoder])
def test_an_activation_of_the_code_comes_last(network):
    linear, sigmoid = (network((1, 16, 16), 3, latent_activation=name).eval() for name in (None, "sigmoid"))
    sigmoid.load_state_dict(linear.state_dict())
    x = torch.rand(5, 1, 16, 16)
    assert isinstance(sigmoid.encoder[-1], nn.Sigmoid) and not isinstance(sigmoid.decoder[0], nn.Sigmoid)
    torch.testing.assert_close(sigmoid.encode(x), linear.encode(x).sigmoid())
    assert sigmoid.config["latent_activation"] == "sigmoid"


def test_unknown_activations_of_the_code_are_named():
    with pytest.raises(ValueError, match="latent_activation='swoosh' is not known: give None or one of relu"):
        DenseAutoencoder((4,), latent_activation="swoosh")
    with pytest.raises(ValueError, match="the code of a shallow network has its `activation`"):
        ShallowAutoencoder((4,), 2, latent_activation="sigmoid")


@pytest.mark.parametrize("activation", ["swoosh", ("relu",), ("relu", "x")])
def test_unknown_activations_are_named(activation):
    with pytest.raises(ValueError, match="is not known: give one of relu"):
        DenseAutoencoder((4,), activation=activation)


@pytest.mark.parametrize("shape", [(4,), (1, 7, 28)])
def test_images_too_small_for_the_convolutions_are_refused(shape):
    with pytest.raises(ValueError, match="at least 8 pixels"):
        ConvAutoencoder(shape)


def test_images_too_small_for_four_layers_are_refused():
    with pytest.raises(ValueError, match="at least 16 pixels"):
        BatchNormAutoencoder((1, 14, 14))


@pytest.mark.parametrize("network", [lambda x: BatchNormAutoencoder(x, 2, ()), lambda x: ConvClassifier(x, 2, ())])
def test_convolutional_networks_without_layers_are_refused(network):
    with pytest.raises(ValueError, match=r"hidden=\(\): a convolutional network needs one layer or more"):
        network((1, 16, 16))


# --- classifiers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7,), (3, 4, 5)])
@pytest.mark.parametrize("hidden", [(), (6,), (6, 5)])
def test_the_dense_classifier_has_linear_layers_of_these_sizes(shape, hidden):
    network = DenseClassifier(shape, 4, hidden)
    sizes = [torch.Size(shape).numel(), *hidden, 4]
    layers = [(m.in_features, m.out_features) for m in network.modules() if isinstance(m, nn.Linear)]
    assert layers == list(zip(sizes, sizes[1:]))
    logits = network(10 * torch.randn(100, *shape, generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (100, 4) and logits.min() < 0  # no activation at the end


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 17, 30), (1, 4, 4)])
def test_the_convolutional_classifier_has_two_convolutions_a_size(shape):
    network = ConvClassifier(shape, 5)
    assert network(torch.rand(4, *shape)).shape == (4, 5)
    channels = [(m.in_channels, m.out_channels) for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert channels == [(shape[0], 24), (24, 24), (24, 48), (48, 48), (48, 96), (96, 96)]
    assert network(torch.rand(1, *shape)).shape == (1, 5)  # a last batch of one, at (4, 4) with one value a channel


def test_the_convolutional_classifier_refuses_images_that_are_too_small():
    for shape in ((1, 3, 8), (64,)):
        with pytest.raises(ValueError, match='at least 4 pixels a side.*network="dense"'):
            ConvClassifier(shape, 5)


def test_dropout_follows_the_draws_it_is_given():
    """A third of the features with draws below .3 goes, the others grow by 1 / .7; without draws nothing is dropped."""
    network = ConvClassifier((1, 8, 8), 5, hidden=(3,)).eval()
    nn.init.ones_(network.head.weight)
    nn.init.zeros_(network.head.bias)
    x = torch.rand(2, 1, 8, 8)
    features = network.layers(x)
    draws = torch.tensor([[0.29, 0.3, 0.9], [0.0, 0.1, 0.2]])
    torch.testing.assert_close(network(x, draws)[0, 0], features[0, 1:].sum() / 0.7)
    assert torch.equal(network(x, draws)[1], torch.zeros(5))
    torch.testing.assert_close(network(x)[:, 0], features.sum(1))
    assert DenseClassifier((4,), 2).n_draws == 0 and network.n_draws == 3


def test_batch_statistics_are_for_training_only():
    network, x = ConvClassifier((1, 8, 8), 5), torch.rand(20, 1, 8, 8)
    assert not torch.allclose(network(x)[:3], network(x[:3]), atol=1e-3)
    network.eval()
    torch.testing.assert_close(network(x)[:3], network(x[:3]))
