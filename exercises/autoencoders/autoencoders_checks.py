"""Checks of the assignment *Autoencoders*: each says at once whether a task is solved and what looks wrong.

When your work is graded, the same checks run in the teacher's process, and more questions of their kind.
"""

import math
from functools import cache

import torch

from dclib.classroom.exercises import (
    Mistake,
    Tasks,
    close,
    kind,
    many_calls,
    parts_of,
    rounded,
    single_number,
    tensor_of_shape,
)

TASKS = Tasks(
    "psnr", "dense", "training_step", "conv", "denoising_pair", "mask_patches", "masked_loss", "mended_train"
)  # fmt: skip

# You are to write these yourself: while your work is graded the modules cannot be imported.
FORBIDDEN = (
    "dclib.autoencoder",
    "dclib.networks",
    "dclib.augmentation",
    "dclib.metrics",
    "skimage.metrics",
    "skimage.util",
)


# --- dclib's versions, for tasks that have not passed ---


def _psnr_of_dclib(x, x_hat, value_range=1.0):
    from dclib.metrics import psnr

    return psnr(x, x_hat, data_range=value_range)


def _with_weights(network, x, encoder, decoder):
    """dclib's network with these weights in the place of its own; gradients flow to them."""
    parts = [part for layer in [*encoder, *decoder] for part in layer]
    return torch.func.functional_call(network, dict(zip(dict(network.named_parameters()), parts, strict=True)), (x,))


@cache
def _dense_network(shape, sizes):
    from dclib.networks import DenseAutoencoder

    return DenseAutoencoder(shape, sizes[-1], sizes[:-1])


def _dense_of_dclib(x, encoder, decoder):
    network = _dense_network(tuple(x.shape[1:]), tuple(len(b) for _, b in encoder))
    return _with_weights(network, x, encoder, decoder)


@cache
def _conv_network(shape, channels):
    from dclib import networks

    down, up, _ = networks._strided(shape, channels, [3] * len(channels))
    network = networks._Autoencoder()
    network.encoder, network.decoder = _between(down), _between(up[::-1])
    return network


def _between(layers):
    return torch.nn.Sequential(*[part for layer in layers for part in (layer, torch.nn.ReLU())][:-1])


def _conv_of_dclib(x, encoder, decoder):
    network = _conv_network(tuple(x.shape[1:]), tuple(len(b) for _, b in encoder))
    return _with_weights(network, x, encoder, decoder)


def _denoising_pair_of_skimage(x, sigma, generator):
    from skimage.util import random_noise

    seed = int(torch.randint(2**31, (1,), generator=generator))
    return torch.from_numpy(random_noise(x.numpy(), var=sigma**2, clip=False, rng=seed)).float(), x


def _mask_patches_of_dclib(x, size, share, generator):
    from dclib.augmentation import random_patches

    hidden = random_patches(x, size, share, generator)
    return x * ~hidden, hidden


def _masked_loss_of_dclib(x_hat, x, hidden):
    from dclib.autoencoder import reconstruction_loss

    return reconstruction_loss(x_hat, x, hidden)


LENT = {
    "psnr": _psnr_of_dclib,
    "dense": _dense_of_dclib,
    "conv": _conv_of_dclib,
    "denoising_pair": _denoising_pair_of_skimage,
    "mask_patches": _mask_patches_of_dclib,
    "masked_loss": _masked_loss_of_dclib,
}


def working(*names):
    """Networks for the cells that show them at work: the notebook's functions, or dclib's until these pass."""
    return TASKS.working({name: LENT[name] for name in names or LENT})


# --- task 1 ---


def psnr(function):
    """Check task 1."""
    TASKS.check(function, _psnr)


def _psnr(function):
    x = torch.zeros(2, 3, 4, 4)
    y = x.clone()
    y[0], y[1] = 0.4, 0.02
    mse, db = 0.0802, 10 * math.log10(1 / 0.0802)
    value = single_number(function(x, y), "The PSNR")
    hints = {
        10 * math.log(1 / mse): "You took the natural logarithm: decibels have the one to base 10.",
        -db: "Your sign is wrong: a small error has a large PSNR.",
        20 * math.log10(1 / mse): "You have 20 log(1/MSE): 20 belongs to the *root* of the error, 10 to the MSE.",
        db / 2: "You took the root of the error, with 10 before the logarithm: that halves the decibels.",
        db / 10: "The factor 10 is missing.",
        10 * math.log10(1 / (mse * 96)): "You summed the squared errors: (1) has their mean over all values.",
        10 * math.log10(1 / (mse * 48)): "You summed over the values of an image: (1) has the mean over all values.",
        (20 * math.log10(1 / 0.4) + 20 * math.log10(1 / 0.02)) / 2: (
            "You averaged the decibels of the images: (1) takes the mean of the errors first. The two differ."
        ),
        10 * math.log10(1 / 0.21): "You took the mean absolute error: square the differences.",
        10 * math.log10(1 / 0.21**2): "You squared the mean: first square the differences, then take the mean.",
    }
    if not math.isclose(value, db, rel_tol=1e-4):
        for wrong, hint in hints.items():
            if math.isclose(value, wrong, rel_tol=1e-4):
                raise Mistake(hint)
        raise Mistake(
            f"Of two images one differs by 0.4 everywhere, the other by 0.02: the mean squared error is {mse}, the "
            "PSNR "
            f"{db:.3f} dB; yours is {value:.3f}."
        )
    value = single_number(function(x, y, 2.0), "The PSNR")
    right = 10 * math.log10(4 / mse)
    if math.isclose(value, db, rel_tol=1e-4):
        raise Mistake("Yours does not use `value_range`: 255 for bytes makes the same error smaller.")
    if math.isclose(value, 10 * math.log10(2 / mse), rel_tol=1e-4):
        raise Mistake("The range is not squared: the error is, so the range must be, too.")
    if not math.isclose(value, right, rel_tol=1e-4):
        raise Mistake(f"With value_range=2 the PSNR of the same two images is {right:.3f} dB; yours is {value:.3f}.")
    try:
        value = single_number(function(x, x), "The PSNR")
    except (ZeroDivisionError, ValueError):
        raise Mistake("For equal images the error is 0, and your function stops: return math.inf.") from None
    if value != math.inf:
        raise Mistake(f"For equal images the PSNR is infinite, math.inf; yours is {value:g}.")


# --- task 2 ---


def _layers(*layers):
    return [(torch.tensor(W), torch.tensor(b)) for W, b in layers]


def dense(function):
    """Check task 2."""
    TASKS.check(function, _dense)


def _dense(function):
    x = torch.tensor([[[[1.0, -2.0]]], [[[0.5, 3.0]]], [[[-1.0, 0.0]]]])  # (3, 1, 1, 2)
    encoder = _layers(([[1.0, 1.0], [-1.0, 2.0], [0.5, 0.0]], [0.5, 0.0, -1.0]), ([[1.0, -2.0, 1.0]], [-0.5]))
    decoder = _layers(([[2.0], [-1.0]], [1.0, 0.5]), ([[1.0, -1.0], [0.5, 2.0]], [-0.2, 0.3]))

    def other(latent=False, output=False, hidden=True, activation=torch.relu, bias=True, decode=None):
        (W1, b1), (W2, b2) = encoder
        (W3, b3), (W4, b4) = decoder
        b1, b2, b3, b4 = (b if bias else 0 * b for b in (b1, b2, b3, b4))
        act = activation if hidden else torch.nn.Identity()
        z = act(x.flatten(1) @ W1.T + b1) @ W2.T + b2
        z = torch.relu(z) if latent else z
        x_hat = act(z @ W3.T + b3) @ W4.T + b4
        return z, (torch.relu(x_hat) if output else x_hat).view(x.shape)

    z_expected, expected = other()
    try:
        answer = function(x, encoder, decoder)
    except RuntimeError as error:
        if "mat1 and mat2 shapes" in str(error) or "size of tensor" in str(error):
            raise Mistake(
                "Two shapes do not fit. The image must be flat before the first layer, `x.flatten(1)`, and W has the "
                f"shape (outputs, inputs): a layer is h @ W.T + b. (PyTorch says: {str(error).splitlines()[0]})"
            ) from None
        raise
    z, x_hat = parts_of(answer, 2, "two things, `z, x_hat`")
    z = tensor_of_shape(z, (3, 1), "the codes (here n = 3, m = 1)").detach()
    if isinstance(x_hat, torch.Tensor) and x_hat.shape == (3, 2):
        raise Mistake("Your reconstruction is still flat: give it the shape of the images, `.reshape(x.shape)`.")
    x_hat = tensor_of_shape(x_hat, (3, 1, 1, 2), "the reconstruction").detach()
    hints = {
        "There is a ReLU at the code: the last layer of the encoder is linear, codes may be negative.": {
            "latent": True
        },
        "There is no ReLU between the layers: without one, two layers are no more than one.": {"hidden": False},
        "Between the layers you have a tanh: this task has a ReLU.": {"activation": torch.tanh},
        "Between the layers you have a sigmoid: this task has a ReLU.": {"activation": torch.sigmoid},
        "The biases are missing: a layer is W h + b.": {"bias": False},
        "There is a ReLU at the end of the decoder: the reconstruction is linear.": {"output": True},
    }
    if close(z, z_expected) and close(x_hat, expected):
        return
    for hint, options in hints.items():
        if close(z, other(**options)[0]) and close(x_hat, other(**options)[1]):
            raise Mistake(hint)
    if close(z, other(latent=True)[0]):
        raise Mistake("There is a ReLU at the code: the last layer of the encoder is linear, codes may be negative.")
    if not close(z, z_expected):
        raise Mistake(f"The codes of the three images here are {rounded(z_expected)}; yours are {rounded(z)}.")
    if close(x_hat, other(hidden=False)[1]) or close(x_hat, _no_relu(z, decoder).view(x.shape)):
        raise Mistake("The codes are right, but the decoder has no ReLU between its layers.")
    raise Mistake(
        f"The codes are right. The reconstruction of the first image is {rounded(expected[0])}; yours is "
        f"{rounded(x_hat[0])}. Between the layers of the decoder stands a ReLU, after its last none."
    )


def _no_relu(h, layers):
    for W, b in layers:
        h = h @ W.T + b
    return h


# --- task 3 ---


def _small_network(encoder, decoder):
    """The network (3) with these layers, in float64."""
    (W1, b1), (W2, b2) = encoder, decoder
    network = torch.nn.Sequential(
        torch.nn.Linear(*W1.T.shape), torch.nn.Tanh(), torch.nn.Linear(*W2.T.shape)
    ).double()  # fmt: skip
    network.load_state_dict({"0.weight": W1, "0.bias": b1, "2.weight": W2, "2.bias": b2})
    return network


def _new_layers(answer, given):
    """The four new tensors of `encoder, decoder, …`, if they are of the right kind."""
    new = []
    for layer, old, name in zip(answer, given, ("encoder", "decoder")):
        if not isinstance(layer, list | tuple) or len(layer) != 2:
            raise Mistake(f"The new {name} must be a layer, a pair (W, b); yours is a {kind(layer)}.")
        for part, before, letter in zip(layer, old, ("W", "b")):
            new.append(tensor_of_shape(part, tuple(before.shape), f"the {name}'s new {letter}").detach())
    return new


def training_step(function):
    """Check task 3."""
    TASKS.check(function, _training_step)


def _training_step(function):
    g = torch.Generator().manual_seed(5)
    x, target = torch.rand(4, 6, generator=g), torch.rand(4, 6, generator=g)
    encoder = torch.randn(3, 6, generator=g) / 2, torch.randn(3, generator=g) / 2
    decoder = torch.randn(6, 3, generator=g) / 2, torch.randn(6, generator=g) / 2
    given, rate = [part.clone() for part in (*encoder, *decoder)], 0.25

    def slopes_of(goal, reduce=torch.mean):
        network = _small_network(encoder, decoder)
        loss = reduce((network(x.double()) - goal).square())
        return float(loss.detach()), torch.autograd.grad(loss, list(network.parameters()))

    answer = function(x, target, encoder, decoder, rate)
    if any(not torch.equal(a, b) for a, b in zip(given, (*encoder, *decoder))):
        raise Mistake("Your function changed the layers that it was given: work on copies, `part.clone()`.")
    answer = parts_of(answer, 3, "three things, `encoder, decoder, loss`")
    new = _new_layers(answer, (encoder, decoder))
    if not isinstance(answer[2], float):
        raise Mistake(f"The loss must be a plain number; yours is a {kind(answer[2])}: `float(loss)` makes one.")
    loss, slopes = slopes_of(target)
    hints = {
        slopes_of(x)[0]: "Your loss compares with the input `x`: compare with `target`, which may be another.",
        loss * 6: "Your loss is a sum over the pixels: (4) is the mean over pixels and images.",
        loss * 24: "Your loss is a sum: (4) is the mean over pixels and images.",
        loss * 4: "Your loss is a sum over the images: (4) is the mean over pixels and images.",
        loss / 2: "Your loss is half of (4).",
        math.sqrt(loss): "Your loss is the root of (4).",
    }
    if not math.isclose(answer[2], loss, rel_tol=1e-4):
        for value, hint in hints.items():
            if math.isclose(answer[2], value, rel_tol=1e-4):
                raise Mistake(hint)
        raise Mistake(f"The loss here is {loss:.4f}, before the step; yours is {answer[2]:.4f}.")

    def same(factor=lambda i: 1.0, slopes=slopes):
        return all(close(part, old - rate * factor(i) * s) for i, (part, old, s) in enumerate(zip(new, given, slopes)))

    if same():
        return
    ways = {
        "Nothing has changed: subtract the learning rate times the gradient.": lambda i: 0.0,
        "You went uphill: *subtract* the gradient.": lambda i: -1.0,
        "The learning rate is missing: you subtracted the gradient itself.": lambda i: 1 / rate,
        "Only the decoder has changed: the gradient goes on through the code into the encoder.": lambda i: float(i > 1),
        "Only the encoder has changed.": lambda i: float(i < 2),
        "The biases have not changed: they are trained, too.": lambda i: float(i % 2 == 0),
        "Your gradient is half of what it is: the derivative of a square has a factor 2.": lambda i: 0.5,
        "You made two steps, or took the gradient twice.": lambda i: 2.0,
        "The loss is right, but the gradient is that of a sum over all values.": lambda i: 24.0,
        "The loss is right, but the gradient is that of a sum over the pixels.": lambda i: 6.0,
    }
    for hint, factor in ways.items():
        if same(factor):
            raise Mistake(hint)
    if same(slopes=slopes_of(x)[1]):
        raise Mistake("The loss is right, but the gradient is that of a loss with the input `x` as target.")
    if close(new[2], given[2] - rate * slopes[2]) and close(new[3], given[3] - rate * slopes[3]):
        raise Mistake(
            "The loss and the new decoder are right, the new encoder is not: through tanh, backwards, stands 1 − z²."
        )
    raise Mistake("The loss is right, but the new layers are not the old ones minus learning rate times gradient.")


# --- task 4 ---


def conv(function):
    """Check task 4."""
    TASKS.check(function, _conv)


def _conv(function):
    g = torch.Generator().manual_seed(6)

    def draw(channels):
        return [
            (torch.randn(b, a, 3, 3, generator=g) / 3, torch.randn(b, generator=g))
            for a, b in zip(channels, channels[1:])
        ]

    def up(layers):  # (inputs, outputs, 3, 3) of the way back
        return [(torch.randn(W.shape, generator=g) / 3, torch.randn(W.shape[1], generator=g)) for W, _ in layers[::-1]]

    encoder = draw([1, 3, 2])
    decoder = up(encoder)
    for side in ((8, 8), (7, 5)):
        x = torch.randn(2, 1, *side, generator=g)
        z_expected, expected = _conv_of_dclib(x, encoder, decoder)
        try:
            answer = function(x, encoder, decoder)
        except RuntimeError as error:
            if "output padding must be smaller" in str(error) or "negative output_padding" in str(error):
                raise Mistake(
                    f"For an image of {side[0]} × {side[1]} pixels an output padding is not 0 or 1. Is the stride 2 "
                    "and the padding 1 in all layers? Does each layer of the decoder undo the size of its own layer "
                    "of the encoder, the last one first?"
                ) from None
            if "expected input" in str(error) or "to have" in str(error):
                raise Mistake(
                    "The channels do not fit: a convolution has kernels (outputs, inputs, 3, 3), a transposed one "
                    "(inputs, "
                    f"outputs, 3, 3). (PyTorch says: {str(error).splitlines()[0][:150]})"
                ) from None
            raise
        z, x_hat = parts_of(answer, 2, "two things, `z, x_hat`")
        if isinstance(z, torch.Tensor) and z.ndim == 2:
            raise Mistake("Your code is flat: in this network it stays a stack of small maps, (n, channels, h, w).")
        if isinstance(z, torch.Tensor) and z.shape[2:] == side:
            raise Mistake("Your code has as many pixels as the image: the stride is 2.")
        z = tensor_of_shape(z, tuple(z_expected.shape), "the code").detach()
        if isinstance(x_hat, torch.Tensor) and x_hat.shape[2:] != side:
            raise Mistake(
                f"An image of {side[0]} × {side[1]} pixels came back with {' × '.join(map(str, x_hat.shape[2:]))}. A "
                "transposed "
                "convolution of stride 2 makes 2s − 1 + p pixels of s: choose p, 0 or 1, for each side and each layer."
            )
        x_hat = tensor_of_shape(x_hat, tuple(x.shape), "the reconstruction").detach()
        if close(z, z_expected.relu()) and not close(z, z_expected):
            raise Mistake("There is a ReLU at the code: it is linear, as in task 2.")
        if not close(z, z_expected):
            plain = torch.nn.Sequential(
                *[m for m in _conv_network(tuple(x.shape[1:]), (3, 2)).encoder if not _is_relu(m)]
            )
            parts = dict(zip(dict(plain.named_parameters()), [part for layer in encoder for part in layer]))
            if close(z, torch.func.functional_call(plain, parts, (x,))):
                raise Mistake("There is no ReLU between the layers of the encoder.")
            raise Mistake(
                "The shape of your code is right, its values are not: stride 2, padding 1, the bias, and a ReLU "
                "between "
                "the layers."
            )
        if close(x_hat, expected.relu()) and not close(x_hat, expected):
            raise Mistake("There is a ReLU at the end of the decoder: the reconstruction is linear.")
        if not close(x_hat, expected):
            raise Mistake(
                "The code is right and so is the size of the reconstruction, but not its values: transposed "
                "convolutions of "
                "stride 2 and padding 1, the bias, a ReLU between the layers, none before the first and none after "
                "the last."
            )


def _is_relu(module):
    return isinstance(module, torch.nn.ReLU)


# --- task 5 ---


def denoising_pair(function):
    """Check task 5."""
    TASKS.check(function, _denoising_pair)


def _denoising_pair(function):
    def run(x, sigma, *seeds):
        calls = [(x.clone(), sigma, torch.Generator().manual_seed(seed)) for seed in seeds]
        pairs = [parts_of(answer, 2, "two things, `input, target`") for answer in many_calls(function, calls)]
        for pair in pairs:
            for part, name in zip(pair, ("the input", "the target")):
                tensor_of_shape(part, tuple(x.shape), name)
        return pairs

    x = torch.rand(400, 1, 6, 6, generator=torch.Generator().manual_seed(7))
    sigma = 0.5
    (first, target), (again, _), (other, _) = run(x, sigma, 0, 0, 1)
    if close(first, x) and not close(target, x):
        raise Mistake("The noise is on the target, and the input is clean: it must be the other way round.")
    if close(first, x):
        raise Mistake("There is no noise on the input.")
    if close(target, first):
        raise Mistake(
            "The noise is on the target, too: nothing rewards removing it then. The target is the clean image."
        )
    if not close(target, x):
        raise Mistake("The target is not the clean image.")
    if not torch.equal(first, again):
        raise Mistake("Two calls with generators of the same seed gave different noise: draw it from `generator`.")
    if torch.equal(first, other):
        raise Mistake(
            "The noise is the same for every seed: draw it from `generator`, and do not seed anything yourself."
        )
    noise = (first - x).flatten(1)
    if first.min() >= 0 and first.max() <= 1:
        raise Mistake("You clipped the input to [0, 1]: the noise may go beyond.")
    if noise.std(0).max() < 1e-3:
        raise Mistake("All images have the same noise: draw it for each image.")
    if noise.std(1).max() < 1e-3:
        raise Mistake("All pixels of an image have the same noise: draw it for each value.")
    spread = float(noise.std())
    dark = torch.zeros_like(x)
    ((on_dark, _),) = run(dark, sigma, 3)
    if on_dark.std() < 0.01:
        raise Mistake("A black image gets no noise: the noise is added to the image, not multiplied with it.")
    hints = {
        math.sqrt(sigma): "sigma is the standard deviation: do not take its root.",
        sigma**2: "sigma is the standard deviation: it is not squared.",
        1.0: "The noise does not know sigma: multiply by it.",
        sigma
        / math.sqrt(
            12
        ): "You drew uniform numbers from 0 to sigma: the noise is Gaussian, with mean 0 (`torch.randn`).",
        2 * sigma / math.sqrt(12): "You drew uniform numbers: the noise is Gaussian (`torch.randn`).",
    }
    if abs(float(noise.mean())) > 0.03:
        raise Mistake(
            f"Your noise has the mean {float(noise.mean()):.2f}: it must be 0. `torch.rand` draws from 0 to 1, "
            "`torch.randn` "
            "around 0."
        )
    if abs(spread - sigma) > 0.03:
        for value, hint in hints.items():
            if abs(spread - value) < 0.03:
                raise Mistake(hint)
        raise Mistake(f"Your noise has the standard deviation {spread:.2f}, not {sigma}.")
    within = float((noise.abs() < sigma).double().mean())
    if abs(within - 0.683) > 0.03:
        raise Mistake(
            f"{within:.0%} of your noise lies within one standard deviation; of Gaussian noise 68 % does. Is it "
            "`torch.randn`?"
        )
    before = torch.get_rng_state()
    run(x[:2], sigma, 0)
    if not torch.equal(before, torch.get_rng_state()):
        raise Mistake("Your function used PyTorch's global random numbers: draw all of them from `generator`.")


# --- task 6 ---


def mask_patches(function):
    """Check task 6."""
    TASKS.check(function, _mask_patches)


def _mask_patches(function):
    def run(x, size, share, *seeds):
        calls = [(x.clone(), size, share, torch.Generator().manual_seed(seed)) for seed in seeds]
        found = [parts_of(answer, 2, "two things, `masked, hidden`") for answer in many_calls(function, calls)]
        n, _, h, w = x.shape
        for masked, hidden in found:
            tensor_of_shape(masked, tuple(x.shape), "the masked images")
            if isinstance(hidden, torch.Tensor) and hidden.shape == x.shape and x.shape[1] > 1:
                raise Mistake(
                    "Your mask has a channel for each of the image's: it has one, (n, 1, h, w), for all of them."
                )
            tensor_of_shape(hidden, (n, 1, h, w), "the mask")
            if hidden.dtype != torch.bool:
                raise Mistake(f"The mask must hold truth values (torch.bool); yours holds {hidden.dtype}.")
        return found

    x = 0.1 + torch.rand(60, 2, 4, 6, generator=torch.Generator().manual_seed(8))  # 2 × 3 patches of 2 × 2
    (masked, hidden), (_, again), (_, other) = run(x, 2, 1 / 3, 0, 0, 1)
    patches = hidden[:, 0].view(60, 2, 2, 3, 2).transpose(2, 3).flatten(3)  # (n, 2, 3, 4)
    if not (patches == patches[..., :1]).all():
        raise Mistake("In some patches only a part of the pixels is hidden: hide whole patches of size × size pixels.")
    counts = patches[..., 0].flatten(1).sum(1)
    if close(masked, torch.where(hidden, x, torch.zeros_like(x))):
        raise Mistake("Your mask is upside down: it must be True where pixels are *hidden* (0 in the image).")
    if (counts == 4).all():
        raise Mistake("You hide two thirds instead of one: `share` is the share that is hidden, not what remains.")
    if len(counts.unique()) > 1:
        raise Mistake(
            f"Of 6 patches with share=1/3 two must be hidden in *each* image; yours hides from {int(counts.min())} to "
            f"{int(counts.max())}. Choose so many of them, do not toss a coin for each."
        )
    if (counts != 2).any():
        raise Mistake(f"Of 6 patches with share=1/3 two must be hidden; yours hides {int(counts[0])}.")
    if not torch.equal(hidden, again):
        raise Mistake("Two calls with generators of the same seed gave different masks: draw from `generator`.")
    if (hidden == hidden[:1]).all():
        raise Mistake("All images have the same patches hidden: choose for each image.")
    if torch.equal(hidden, other):
        raise Mistake(
            "The mask is the same for every seed: draw it from `generator`, and do not seed anything yourself."
        )
    if not close(masked, x * ~hidden):
        if (masked[:, 1:] == x[:, 1:]).all():
            raise Mistake("Only the first channel has holes: a hidden pixel is 0 in all channels.")
        if (masked[hidden.expand_as(x)] != 0).any():
            raise Mistake("What is hidden must be 0 in the image.")
        raise Mistake("Visible pixels have changed: they must stay as they are.")
    often = patches[..., 0].double().mean(0)
    if often.max() > 0.6 or often.min() < 0.1:
        raise Mistake(
            f"Some patches are hidden in {float(often.max()):.0%} of the images, some in {float(often.min()):.0%}: "
            "all must have "
            "the same chance, here a third."
        )
    _, hidden = run(torch.ones(3, 1, 6, 6), 3, 0.5, 0)[0]
    if not (hidden.flatten(1).sum(1) == 18).all():
        raise Mistake("Of 4 patches of 3 × 3 pixels with share=0.5 two must be hidden: 18 pixels of an image.")
    before = torch.get_rng_state()
    run(x[:2], 2, 0.5, 0)
    if not torch.equal(before, torch.get_rng_state()):
        raise Mistake("Your function used PyTorch's global random numbers: draw all of them from `generator`.")


# --- task 7 ---


def masked_loss(function):
    """Check task 7."""
    TASKS.check(function, _masked_loss)


def _masked_loss(function):
    x = torch.tensor([[[[1.0, 5.0]], [[2.0, 0.0]]], [[[3.0, 1.0]], [[4.0, 2.0]]]])  # (2, 2, 1, 2)
    x_hat = torch.tensor([[[[0.0, 2.0]], [[2.0, 2.0]]], [[[3.0, 0.0]], [[1.0, 2.0]]]])
    hidden = torch.tensor([[[[False, True]]], [[[True, True]]]])
    # The squares: 1 9 | 0 4 and 0 1 | 9 0; hidden are 9, 4, 0, 1, 9, 0
    expected = 23 / 6
    answer = function(x_hat, x, hidden)
    value = single_number(answer, "The loss")
    hints = {
        24 / 8: "Your loss runs over all pixels: only the hidden ones count.",
        23 / 8: "You divided by the number of all values: divide by the number of hidden ones.",
        23 / 3: "You divided by the number of True entries of the mask: each holds for all channels of the image.",
        1 / 2: "Your loss runs over the visible pixels: to copy these is no achievement.",
        23.0: "Your loss is a sum: divide by the number of hidden values.",
        (13 / 2 + 10 / 4)
        / 2: "You took a mean for each image and then their mean: (4) is one mean over all hidden values.",
        9 / 6: "You took absolute differences: square them.",
        math.sqrt(23 / 6): "You took the root: (4) has none.",
        23 / 2: "You divided by the number of images: divide by the number of hidden values.",
    }
    if not math.isclose(value, expected, rel_tol=1e-4):
        for wrong, hint in hints.items():
            if math.isclose(value, wrong, rel_tol=1e-4):
                raise Mistake(hint)
        raise Mistake(
            f"The squared differences at hidden values are 9, 4, 0, 1, 9, 0: the loss is {expected:.3f}; yours is "
            f"{value:.3f}."
        )
    if not isinstance(answer, torch.Tensor):
        raise Mistake("Return the loss as a tensor: gradients must flow through it, so do not make it a plain number.")


# --- task 8 ---


def mended_train(function):
    """Check task 8."""
    TASKS.check(function, _mended_train)


def _mended_train(function):
    g = torch.Generator().manual_seed(9)
    x = torch.rand(12, 5, generator=g)
    encoder = torch.randn(3, 5, generator=g) / 2, torch.randn(3, generator=g) / 2
    decoder = torch.randn(5, 3, generator=g) / 2, torch.randn(5, generator=g) / 2
    given = [part.clone() for part in (*encoder, *decoder)]
    answer = function(x, encoder, decoder, 0.5, n_steps=30)
    if any(not torch.equal(a, b) for a, b in zip(given, (*encoder, *decoder))):
        raise Mistake("Your function changed the layers that it was given: work on copies, as the broken one does.")
    answer = parts_of(answer, 3, "three things, `encoder, decoder, history`, as the broken function does")
    new, history = _new_layers(answer, (encoder, decoder)), answer[2]
    if not isinstance(history, list) or not all(isinstance(value, float) for value in history):
        raise Mistake("The history must be a list of plain numbers.")
    if len(history) != 30:
        raise Mistake(f"With n_steps=30 the history has 30 losses; yours has {len(history)}.")
    network, right = _small_network(encoder, decoder), []
    for _ in range(30):
        loss = torch.nn.functional.mse_loss(network(x.double()), x.double())
        right.append(loss.item())
        slopes = torch.autograd.grad(loss, list(network.parameters()))
        with torch.no_grad():
            for part, slope in zip(network.parameters(), slopes):
                part -= 0.5 * slope
    if not math.isclose(history[0], right[0], rel_tol=1e-4):
        raise Mistake(f"The first loss must be that of the given layers, {right[0]:.4f}; yours is {history[0]:.4f}.")
    if history[1] == history[0]:
        raise Mistake("After the first step the loss is what it was: the weights do not move.")
    if not math.isclose(history[1], right[1], rel_tol=1e-4):
        raise Mistake(
            "The first step was right in the broken function, and is not any more: it is learning rate × gradient."
        )
    if not math.isclose(history[2], right[2], rel_tol=1e-4):
        raise Mistake(
            f"The second step is still not learning rate × gradient: the third loss is {history[2]:.5f} instead of "
            f"{right[2]:.5f}. Which of the four tensors remember the first step's gradient?"
        )
    if any(abs(a - b) > 1e-3 * b for a, b in zip(history, right)):
        raise Mistake("The first steps are right, later ones are not: the gradients must begin anew in every step.")
    if any(not torch.allclose(a.double(), b, atol=1e-3) for a, b in zip(new, network.parameters())):
        raise Mistake("The losses are right, but what you return are not the layers after the last step.")
