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
    compare_gradients,
    compare_number,
    kind,
    many_calls,
    name_mistake,
    parts_of,
    rounded,
    same_number,
    single_number,
    tensor_of_shape,
    told_apart,
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
    x = torch.linspace(0.2, 0.7, 96).view(2, 3, 4, 4)
    y = x.clone()
    y[0] += 0.4
    y[1] += 0.02
    mse = 0.0802

    def decibels(error, peak=1.0):
        return 10 * math.log10(peak**2 / error)

    db = decibels(mse)
    value = single_number(function(x, y), "The PSNR")
    measured = "The R of (1) is the largest *possible* difference, `value_range`; yours is measured on these images."
    hints = [
        (10 * math.log(1 / mse), "You took the natural logarithm: decibels have the one to base 10."),
        (10 * math.log2(1 / mse), "You took the logarithm to base 2: decibels have the one to base 10."),
        (-db, "Your sign is wrong: a small error has a large PSNR."),
        (2 * db, "You have 20 log(1/MSE): 20 belongs to the *root* of the error, 10 to the MSE."),
        (db / 2, "You took the root of the error, with 10 before the logarithm: that halves the decibels."),
        (db / 10, "The factor 10 is missing."),
        (decibels(mse * 96), "You summed the squared errors: (1) has their mean over all values."),
        (decibels(mse * 48), "You summed over the values of an image: (1) has the mean over all values."),
        (decibels(mse * 3), "You summed over the channels: (1) has the mean over all values."),
        (
            (decibels(0.4**2) + decibels(0.02**2)) / 2,
            "You averaged the decibels of the images: (1) takes the mean of the errors first. The two differ.",
        ),
        (decibels(0.4**2), "That is the PSNR of the first image, or of the largest error: (1) has the mean over all."),
        (decibels(0.21), "You took the mean absolute error: square the differences."),
        (decibels(0.21**2), "You squared the mean: first square the differences, then take the mean."),
        (decibels(mse, 255), "Without a third argument the range is 1, as in the signature: yours takes 255."),
        (decibels(mse, float(x.max())), measured),
        (decibels(mse, float(y.max())), measured),
        (decibels(mse, float(x.max() - x.min())), measured),
        (decibels(mse, float(x.square().mean().sqrt())), measured),
    ]
    right, yours = told_apart(db, value)
    compare_number(
        value,
        db,
        hints,
        f"Of two images one differs by 0.4 everywhere, the other by 0.02: the mean squared error is {mse}, the PSNR "
        f"{right} dB; yours is {yours}.",
    )
    value = single_number(function(x, y, 2.0), "The PSNR")
    hints = [
        (db, "Yours does not use `value_range`: 255 for bytes makes the same error smaller."),
        (10 * math.log10(2 / mse), "The range is not squared: the error is, so the range must be, too."),
        (decibels(mse, 0.5), "Your R² is under the line: the larger the range, the smaller is the same error."),
    ]
    right, yours = told_apart(decibels(mse, 2), value)
    otherwise = f"With value_range=2 the PSNR of the same two images is {right} dB; yours is {yours}."
    compare_number(value, decibels(mse, 2), hints, otherwise)
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

    def other(image=_same, up_to_code=torch.relu, code=_same, inner=_same, on=torch.relu, output=_same, bias=(1,) * 4):
        """The codes and the reconstructions, with something else at one of the places."""
        (W1, b1), (W2, b2), (W3, b3), (W4, b4) = [(W, b * factor) for (W, b), factor in zip(encoder + decoder, bias)]
        z = code(up_to_code(image(x.flatten(1)) @ W1.T + b1) @ W2.T + b2)
        return z, output(on(inner(z) @ W3.T + b3) @ W4.T + b4).view(x.shape)

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
    if not close(z, z_expected):
        (W1, b1), (W2, b2) = encoder
        hints = [
            (other(code=torch.relu)[0], "There is a ReLU at the code: the last layer of the encoder is linear, codes "
             "may be negative."),
            (other(code=torch.tanh)[0], "There is a tanh at the code: the last layer of the encoder is linear."),
            (other(code=torch.sigmoid)[0], "There is a sigmoid at the code: the last layer of the encoder is linear."),
            (other(up_to_code=_same)[0], "There is no ReLU between the layers: without one, two layers are no more "
             "than one."),
            *[(other(up_to_code=function)[0], f"Between the layers you have a {name}: this task has a ReLU.")
              for name, function in OTHER_ACTIVATIONS.items()],
            (other(bias=(0, 0, 1, 1))[0], "The biases are missing: a layer is W h + b."),
            (other(image=torch.relu)[0], "There is a ReLU on the image: it stands between two layers only, not before "
             "the first."),
            ((torch.relu(x.flatten(1) @ W1.T) + b1) @ W2.T + b2, "Your ReLU comes before the bias is added: a layer "
             "is W h + b, and the ReLU takes the whole of it."),
        ]  # fmt: skip
        name_mistake(z, hints)
        raise Mistake(f"The codes of the three images here are {rounded(z_expected)}; yours are {rounded(z)}.")
    if not close(x_hat, expected):
        linear = "the reconstruction is linear."
        hints = [
            (other(output=torch.relu)[1], f"There is a ReLU at the end of the decoder: {linear}"),
            (other(output=torch.sigmoid)[1], f"There is a sigmoid at the end of the decoder: {linear}"),
            (other(output=torch.tanh)[1], f"There is a tanh at the end of the decoder: {linear}"),
            (expected.clamp(0, 1), "You clipped the reconstruction to [0, 1]: here it is linear."),
            (other(on=_same)[1], "The codes are right, but the decoder has no ReLU between its layers."),
            *[(other(on=function)[1], f"Between the layers of the decoder you have a {name}: this task has a ReLU.")
              for name, function in OTHER_ACTIVATIONS.items()],
            (other(inner=torch.relu)[1], "The codes are right, but the decoder gets them through a ReLU: before its "
             "first layer there is none."),
            (other(bias=(1, 1, 0, 0))[1], "The codes are right, but the biases of the decoder are missing."),
            (other(bias=(1, 1, 1, 0))[1], "The codes are right, but the bias of the decoder's last layer is missing."),
        ]  # fmt: skip
        name_mistake(x_hat, hints)
        raise Mistake(
            f"The codes are right. The reconstructions are {rounded(expected)}; yours are {rounded(x_hat)}. Between "
            "the layers of the decoder stands a ReLU, after its last none."
        )
    # Layers that change nothing, one down and two up: only the ReLU between the two is left.
    x = torch.arange(-12.0, 12.0).view(2, 2, 2, 3)
    nothing = [(torch.eye(12), torch.zeros(12))]
    z, x_hat = parts_of(function(x, nothing, 2 * nothing), 2, "two things, `z, x_hat`")
    z = tensor_of_shape(z, (2, 12), "the codes (here n = 2, m = 12)").detach()
    x_hat = tensor_of_shape(x_hat, tuple(x.shape), "the reconstruction").detach()
    if not close(z, x.flatten(1)):
        raise Mistake("With a single layer in the encoder your codes are wrong: after the last layer comes no ReLU.")
    if not close(x_hat, x.relu()):
        if close(x_hat.flatten(1).sort().values, x.relu().flatten(1).sort().values):
            raise Mistake("The values of your reconstruction are right, but stand in other places of the image.")
        raise Mistake(
            "With one layer in the encoder and two in the decoder your reconstruction is wrong: the numbers may differ."
        )


def _same(h):
    return h


OTHER_ACTIVATIONS = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "leaky ReLU": torch.nn.functional.leaky_relu,
    "GELU": torch.nn.functional.gelu,
}


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
    given, rate = [part.clone() for part in (*encoder, *decoder)], 0.3

    def slopes_of(goal, layers=(encoder, decoder)):
        network = _small_network(*layers)
        loss = (network(x.double()) - goal).square().mean()
        return float(loss.detach()), torch.autograd.grad(loss, list(network.parameters()))

    try:
        answer = function(x, target, encoder, decoder, rate)
    except TypeError as error:
        if "NoneType" not in str(error):
            raise
        raise Mistake(
            "A gradient is None: the loss does not depend on all four tensors that you differentiate by. Is there a "
            f"`detach` too many on the way? (Python says: {error})"
        ) from None
    if any(not torch.equal(a, b) for a, b in zip(given, (*encoder, *decoder))):
        raise Mistake("Your function changed the layers that it was given: work on copies, `part.clone()`.")
    answer = parts_of(answer, 3, "three things, `encoder, decoder, loss`")
    new = _new_layers(answer, (encoder, decoder))
    if isinstance(answer[2], torch.Tensor):
        raise Mistake("The loss must be a plain number; yours is a Tensor: `float(loss)` makes one.")
    value = single_number(answer[2], "the loss")
    loss, slopes = slopes_of(target)
    _compare_loss_of_step(value, loss, new, x, target, given, slopes_of)

    def same(factor=lambda i: 1.0, slopes=slopes):
        return all(close(part, old - rate * factor(i) * s) for i, (part, old, s) in enumerate(zip(new, given, slopes)))

    if not same():
        ways = {
            "Nothing has changed: subtract the learning rate times the gradient.": lambda i: 0.0,
            "You went uphill: *subtract* the gradient.": lambda i: -1.0,
            "The learning rate is missing: you subtracted the gradient itself.": lambda i: 1 / rate,
            "The learning rate counts twice: it is not squared.": lambda i: rate,
            "Only the decoder has changed: the gradient goes on through the code into the encoder.": (
                lambda i: float(i > 1)
            ),
            "Only the encoder has changed.": lambda i: float(i < 2),
            "The biases have not changed: they are trained, too.": lambda i: float(i % 2 == 0),
            "Your gradient is half of what it is: the derivative of a square has a factor 2.": lambda i: 0.5,
            "You made two steps, or took the gradient twice.": lambda i: 2.0,
            "The loss is right, but the gradient is that of a sum over all values.": lambda i: 24.0,
            "The loss is right, but the gradient is that of a sum over the pixels.": lambda i: 6.0,
            "The loss is right, but the gradient is that of a sum over the images.": lambda i: 4.0,
            "The gradients of the biases are means over the images: they are sums, as those of the matrices are.": (
                lambda i: 0.25 if i % 2 else 1.0
            ),
        }
        for hint, factor in ways.items():
            if same(factor):
                raise Mistake(hint)
        _name_wrong_gradient(new, x, target, given, rate, slopes, slopes_of)
    answer = parts_of(function(x, target, encoder, decoder, 0.1), 3, "three things, `encoder, decoder, loss`")
    again = _new_layers(answer, (encoder, decoder))
    if not all(close(part, old - 0.1 * s) for part, old, s in zip(again, given, slopes)):
        if all(close(part, old) for part, old in zip(again, new)):
            raise Mistake("Your steps do not use `learning_rate`: with 0.3 and with 0.1 the new layers are the same.")
        raise Mistake("With the learning rate 0.3 your step is right, with 0.1 it is not 0.1 times the gradient.")


def _compare_loss_of_step(value, loss, new, x, target, given, slopes_of):
    W1, b1, W2, b2 = given

    def other(code=torch.tanh, output=_same, first=b1, second=b2):
        return float((output(code(x @ W1.T + first) @ W2.T + second) - target).square().mean())

    hints = [
        (slopes_of(x)[0], "Your loss compares with the input `x`: compare with `target`, which may be another."),
        (loss * 6, "Your loss is a sum over the pixels: (4) is the mean over pixels and images."),
        (loss * 24, "Your loss is a sum: (4) is the mean over pixels and images."),
        (loss * 4, "Your loss is a sum over the images: (4) is the mean over pixels and images."),
        (loss / 2, "Your loss is half of (4)."),
        (math.sqrt(loss), "Your loss is the root of (4)."),
        (float((torch.tanh(x @ W1.T + b1) @ W2.T + b2 - target).abs().mean()),
         "Your loss is that of absolute differences: (4) has squares."),
        (other(code=_same), "Your network has no tanh at the code."),
        (other(code=torch.relu), "At the code of your network is a ReLU: that of (3) is a tanh."),
        (other(code=torch.sigmoid), "At the code of your network is a sigmoid: that of (3) is a tanh."),
        (other(output=torch.tanh), "Your reconstruction goes through a tanh: in (3) only the code does."),
        (other(output=torch.sigmoid), "Your reconstruction goes through a sigmoid: in (3) it is linear."),
        (other(first=0), "The bias of the encoder is missing in your network."),
        (other(second=0), "The bias of the decoder is missing in your network."),
        (other(first=0, second=0), "The biases are missing in your network."),
        (slopes_of(target, (new[:2], new[2:]))[0], "Your loss is that after the step: return the one before it."),
    ]  # fmt: skip
    right, yours = told_apart(loss, value, 4)
    compare_number(value, loss, hints, f"The loss here is {right}, before the step; yours is {yours}.")


def _name_wrong_gradient(new, x, target, given, rate, slopes, slopes_of):
    """The loss is right, the step is not."""
    if all(close(part, old - rate * s) for part, old, s in zip(new, given, slopes_of(x)[1])):
        raise Mistake("The loss is right, but the gradient is that of a loss with the input `x` as target.")
    names = ("the encoder's W", "the encoder's b", "the decoder's W", "the decoder's b")
    right = [old - rate * s for old, s in zip(given, slopes)]
    wrong = [name for name, part, other in zip(names, new, right) if not close(part, other)]
    W1, b1, W2, b2 = (part.double() for part in given)
    X = x.double()
    z = torch.tanh(X @ W1.T + b1)
    out = 2 * (z @ W2.T + b2 - target) / x.numel()

    def encoder(back, weights=W2):
        inner = (out @ weights) * back
        return inner.T @ X, inner.sum(0)

    if all("encoder" in name for name in wrong):
        hints = [
            (encoder(1 - z**2, right[2]), "The new encoder is computed with the *new* W of the decoder: take all four "
             "gradients at the old layers, then change them."),
            (encoder(1 - z), "The new decoder is right. The derivative of tanh is 1 − z²; yours has no square."),
            (encoder(z * (1 - z)), "The new decoder is right. You have the derivative of a sigmoid, z (1 − z): that "
             "of tanh is 1 − z²."),
            (encoder(1 - z.tanh() ** 2), "The new decoder is right. In 1 − z² the z is the code itself: you took "
             "tanh of it once more."),
            (encoder(1 + 0 * z), "The new decoder is right, the new encoder is not: through tanh, backwards, stands "
             "1 − z²."),
            (encoder(z**2 - 1), "The new decoder is right, the encoder goes uphill: through tanh, backwards, stands "
             "1 − z², not z² − 1."),
        ]  # fmt: skip
        for others, hint in hints:
            if all(close(part, old - rate * other) for part, old, other in zip(new, given, others)):
                raise Mistake(hint)
    for i, size in ((1, "encoder"), (3, "decoder")):
        if len(wrong) == 1 and close(new[i], given[i] - rate * slopes[i] / len(x)):
            raise Mistake(f"The gradient of the {size}'s bias is a mean over the images: it is a sum, as that of W is.")
    if all("decoder" in name for name in wrong):
        after = slopes_of(target, (new[:2], given[2:]))[1]
        if all(close(part, old - rate * s) for part, old, s in zip(new[2:], given[2:], after[2:])):
            raise Mistake(
                "The new decoder is computed with the *new* encoder: take all four gradients at the old layers, then "
                "change them."
            )
    steps = [torch.cat([part.flatten() for part in parts]).double() for parts in (
        [old - part for old, part in zip(given, new)], [rate * s for s in slopes])]  # fmt: skip
    factor = float(steps[0] @ steps[1] / steps[1].square().sum())
    if close(steps[0], factor * steps[1]):
        raise Mistake(
            f"The loss is right, but each of your steps is {factor:.3g} times as long as learning rate times gradient."
        )
    i = names.index(wrong[0])
    row, other = new[i].flatten(), right[i].flatten()
    far = int((row - other).abs().nan_to_num(math.inf).argmax())
    a, b = told_apart(float(other[far]), float(row[far]))
    raise Mistake(
        f"The loss is right, but not the new layers: old minus learning rate times gradient. Wrong: "
        f"{', '.join(wrong)}. In {wrong[0]} one number should go from {float(given[i].flatten()[far]):.3f} to {a}; "
        f"yours goes to {b}."
    )


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
    for side in ((8, 8), (7, 5), (6, 10)):
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
        if not close(z, z_expected):
            _name_wrong_code(z, z_expected, x, encoder, decoder)
        if not close(x_hat, expected):
            _name_wrong_image(x_hat, expected, x, encoder, decoder)


def _other_conv(x, encoder, decoder, image=_same, between=None, code=_same, inner=_same, on=None, output=_same):
    """The code and the reconstruction by dclib's layers, with something else at one of the places."""
    network = _conv_network(tuple(x.shape[1:]), tuple(len(b) for _, b in encoder))

    def through(h, layers, weights, activation):
        weights = iter(weights)
        for module in layers:
            if isinstance(module, torch.nn.ReLU):
                h = (activation or module)(h)
            else:
                h = torch.func.functional_call(module, dict(zip(("weight", "bias"), next(weights))), (h,))
        return h

    z = code(through(image(x), network.encoder, encoder, between))
    return z, output(through(inner(z), network.decoder, decoder, on))


def _no_bias(layers):
    return [(W, 0 * b) for W, b in layers]


def _name_wrong_code(z, right, x, encoder, decoder):
    def other(layers=encoder, **change):
        return _other_conv(x, layers, decoder, **change)[0]

    hints = [
        (other(code=torch.relu), "There is a ReLU at the code: it is linear, as in task 2."),
        (other(code=torch.tanh), "There is a tanh at the code: it is linear, as in task 2."),
        (other(code=torch.sigmoid), "There is a sigmoid at the code: it is linear, as in task 2."),
        (other(between=_same), "There is no ReLU between the layers of the encoder."),
        *[
            (other(between=function), f"Between the layers of the encoder you have a {name}: this task has a ReLU.")
            for name, function in OTHER_ACTIVATIONS.items()
        ],
        (other(image=torch.relu), "There is a ReLU on the image: it stands between two layers only."),
        (other(_no_bias(encoder)), "The biases of the encoder are missing."),
    ]
    name_mistake(z, hints)
    raise Mistake(
        "The shape of your code is right, its values are not: stride 2, padding 1 (with zeros), the bias, and a ReLU "
        f"between the layers. {_one_of(z, right)}"
    )


def _name_wrong_image(x_hat, right, x, encoder, decoder):
    def other(layers=decoder, **change):
        return _other_conv(x, encoder, layers, **change)[1]

    linear = "the reconstruction is linear."
    hints = [
        (other(output=torch.relu), f"There is a ReLU at the end of the decoder: {linear}"),
        (other(output=torch.sigmoid), f"There is a sigmoid at the end of the decoder: {linear}"),
        (other(output=torch.tanh), f"There is a tanh at the end of the decoder: {linear}"),
        (other(on=_same), "The code is right, but there is no ReLU between the layers of the decoder."),
        *[
            (other(on=function), f"Between the layers of the decoder you have a {name}: this task has a ReLU.")
            for name, function in OTHER_ACTIVATIONS.items()
        ],
        (other(inner=torch.relu), "The code is right, but the decoder gets it through a ReLU: before its first layer "
         "there is none."),
        (other(_no_bias(decoder)), "The code is right, but the biases of the decoder are missing."),
        (other([(W.flip(2, 3), b) for W, b in decoder]), "The code is right, but the kernels of the decoder are "
         "upside down: a transposed convolution paints them as they are."),
    ]  # fmt: skip
    name_mistake(x_hat, hints)
    if close(x_hat[..., :-1, :-1], right[..., :-1, :-1]):
        raise Mistake(
            f"For an image of {x.shape[2]} × {x.shape[3]} pixels only the last row or column of the reconstruction is "
            "wrong. Does *each* layer of the decoder make the size that its own layer of the encoder was given? To cut "
            "at the very end, or to fill with zeros, is not the same."
        )
    raise Mistake(
        "The code is right and so is the size of the reconstruction, but not its values: transposed convolutions of "
        "stride 2 and padding 1, the bias, a ReLU between the layers, none before the first and none after the last. "
        f"{_one_of(x_hat, right)}"
    )


def _one_of(value, right):
    """One of the wrong values, the farthest from the right one, for a message."""
    far = int((value - right).abs().nan_to_num(math.inf).argmax())
    a, b = told_apart(float(right.flatten()[far]), float(value.flatten()[far]))
    return f"One of them is {a}; yours is {b}."


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

    x = torch.rand(400, 3, 4, 4, generator=torch.Generator().manual_seed(7))
    sigma = 0.4
    (first, target), (again, _), (other, _) = ((a.float(), b.float()) for a, b in run(x, sigma, 0, 0, 1))
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
    large = 2.0
    ((on_dark, _),) = run(torch.zeros_like(x), large, 3)
    if not on_dark.any():
        raise Mistake(
            "A black image gets no noise: the noise is added to the image, not multiplied with it or with its spread."
        )
    if any((first == end).double().mean() > 0.01 for end in (first.min(), first.max())):
        raise Mistake("You clipped the input to [0, 1], or at one end of it: the noise may go beyond.")
    noise = first - x
    if noise.flatten(1).std(1).max() < 1e-3:
        raise Mistake("All pixels of an image have the same noise: draw it for each value.")
    for dim, alike in enumerate(("All images", "All channels of an image", "All rows", "All columns")):
        if noise.diff(dim=dim).abs().max() < 1e-3:
            raise Mistake(f"{alike} have the same noise: draw it for each value of each image.")
    share = float((first.flatten() - first.mean()) @ (x.flatten() - x.mean()) / (x - x.mean()).square().sum())
    if abs(share - 1) > 0.06:
        raise Mistake(
            f"Your input is {share:.2f} times the image, plus noise: the noise is added to the image, which stays as "
            "it is."
        )
    if abs(float(noise.mean())) > 0.03:
        raise Mistake(
            f"Your noise has the mean {float(noise.mean()):.2f}: it must be 0. `torch.rand` draws from 0 to 1, "
            "`torch.randn` "
            "around 0."
        )
    uniform = "You drew uniform numbers: the noise is Gaussian (`torch.randn`)."
    hints = [
        (math.sqrt(sigma), "sigma is the standard deviation: do not take its root."),
        (sigma**2, "sigma is the standard deviation: it is not squared."),
        (1.0, "The noise does not know sigma: multiply by it."),
        (sigma / math.sqrt(12), uniform),
        (2 * sigma / math.sqrt(12), uniform),
        (sigma / 2, "Your noise has half of the standard deviation sigma."),
    ]
    spread = float(noise.std())
    if abs(spread - sigma) > 0.02:
        name_mistake(spread, hints, lambda a, b: abs(a - b) < 0.012)
        raise Mistake(f"Your noise has the standard deviation {spread:.2f}, not {sigma}.")
    within = float((noise.abs() < sigma).double().mean())
    if abs(within - 0.683) > 0.03:
        raise Mistake(
            f"{within:.0%} of your noise lies within one standard deviation; of Gaussian noise 68 % does. Is it "
            "`torch.randn`?"
        )
    spread = float(on_dark.std())
    if abs(spread - large) > 0.1:
        raise Mistake(
            f"With sigma = {sigma} your noise is right, with sigma = {large} its standard deviation is {spread:.2f}. "
            "Is sigma used, and nothing clipped?"
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
    different = len(patches[..., 0].flatten(1).unique(dim=0))
    if different < 9:  # 15 pairs are possible; with 60 images hardly one of them is missing
        raise Mistake(
            f"In 60 images only {different} of the 15 possible pairs of patches are hidden: the patches of an image "
            "are chosen one by one, not next to each other or in a fixed pattern."
        )
    for share, right in ((0.4, 2), (0.6, 4)):
        _, hidden = run(x[:4], 2, share, 0)[0]
        n_hidden = int(hidden[0].sum()) / 4
        if n_hidden != right:
            raise Mistake(
                f"6 patches with share={share} make {6 * share:g}, and `round` makes that {right}; yours hides "
                f"{n_hidden:g}."
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
    x = torch.tensor([[[[1.0, 5, 2, 2]], [[2, 0, 1, 3]]], [[[3, 1, 2, 0]], [[4, 2, 5, 1]]]])  # (2, 2, 1, 4)
    apart = torch.tensor([[[[1.0, 3, 0, 2]], [[1, -2, 1, 0]]], [[[0, 1, 2, -1]], [[3, 0, 1, 3]]]])
    x_hat, hidden = x - apart, torch.tensor([[[[False, True, False, False]]], [[[True, True, True, True]]]])
    there = hidden.expand_as(x)
    squares = apart[there].square()
    total, expected = float(squares.sum()), 3.8
    try:
        answer = function(x_hat, x, hidden)
    except IndexError as error:
        if "shape of the mask" not in str(error):
            raise
        raise Mistake(
            "The mask has one channel, the images have two: used as an index it does not fit. It holds for all "
            f"channels: `hidden.expand_as(x)`. (PyTorch says: {error})"
        ) from None
    value = single_number(answer, "The loss")
    hints = [
        (float(apart.square().mean()), "Your loss runs over all pixels: only the hidden ones count."),
        (total / 16, "You divided by the number of all values: divide by the number of hidden ones."),
        (total / 5, "You divided by the number of True entries of the mask: each holds for all channels of the "
         "image."),
        (float(apart[~there].square().mean()), "Your loss runs over the visible pixels: to copy these is no "
         "achievement."),
        (total, "Your loss is a sum: divide by the number of hidden values."),
        ((13 / 2 + 25 / 8) / 2, "You took a mean for each image and then their mean: (5) is one mean over all hidden "
         "values."),
        (float(apart[there].abs().mean()), "You took absolute differences: square them."),
        (math.sqrt(expected), "You took the root: (5) has none."),
        (total / 2, "You divided by the number of images: divide by the number of hidden values."),
        (total / 4, "You divided by the number of pixels of an image: divide by the number of hidden values."),
        (total / 8, "You divided by the number of values of an image: divide by the number of hidden values."),
        (total / 3, "You divided by the number of visible pixels: divide by the number of hidden values."),
        (total / 6, "You divided by the number of visible values: divide by the number of hidden values."),
        (expected / 2, "Your loss is half of (5)."),
        (float(apart[there].mean()), "Your differences are not squared."),
        (float(apart[there].sum()) ** 2 / 10, "You summed before you squared: square each difference."),
        (float(apart[:, :1][hidden].square().mean()), "Only the first channel counts in yours: the mask holds for all "
         "channels."),
        (float(apart.mean(1, keepdim=True)[hidden].square().mean()), "You took the mean over the channels before the "
         "square: square each difference first."),
        (float((x_hat * hidden - x).square().mean()), "You blanked the reconstruction and compared it with the whole "
         "image: only the hidden pixels count."),
    ]  # fmt: skip
    compare_number(
        value,
        expected,
        hints,
        f"The squared differences at hidden values are {', '.join(f'{s:g}' for s in squares.tolist())}: the loss is "
        "{}; yours is {}.".format(*told_apart(expected, value)),
    )
    compare_gradients(
        function,
        lambda x_hat, x, hidden: (x - x_hat)[hidden.expand_as(x)].square().mean(),
        (x_hat, x, hidden),
        {0: "reconstructions"},
        "every hidden value counts, and nothing else",
    )
    x, x_hat = torch.tensor([[[[1.0, 5.0]]]]), torch.tensor([[[[0.0, 2.0]]]])
    for hidden, right in ((torch.tensor([[[[False, True]]]]), 9.0), (torch.tensor([[[[True, True]]]]), 5.0)):
        value = single_number(function(x_hat, x, hidden), "The loss")
        if not same_number(value, right):
            raise Mistake(
                "For an image of one channel and two pixels (1, 5), the reconstruction (0, 2) and the mask "
                f"{hidden.flatten().tolist()} the loss is {right:g}; yours is {value:g}."
            )


# --- task 8 ---


def mended_train(function):
    """Check task 8."""
    TASKS.check(function, _mended_train, lend={"training_step": _step_of_torch})


def _step_of_torch(x, target, encoder, decoder, learning_rate):
    network = _small_network(encoder, decoder).to(x.dtype)
    loss = torch.nn.functional.mse_loss(network(x), target)
    loss.backward()
    torch.optim.SGD(network.parameters(), learning_rate).step()
    W1, b1, W2, b2 = (part.detach() for part in network.parameters())
    return (W1, b1), (W2, b2), loss.item()


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
    new = _new_layers(answer, (encoder, decoder))
    history = _plain_numbers(answer[2], 30)
    parts, right = _descend(x, given, 0.5, 30)
    if not same_number(history[0], right[0]):
        if same_number(history[0], right[1]):
            raise Mistake("Your history holds the loss after each step: the broken function's is that before it.")
        raise Mistake(f"The first loss must be that of the given layers, {right[0]:.4f}; yours is {history[0]:.4f}.")
    if history[1] == history[0]:
        raise Mistake("After the first step the loss is what it was: the weights do not move.")
    if not same_number(history[1], right[1]):
        raise Mistake(
            "The first step was right in the broken function, and is not any more: it is learning rate × gradient. "
            "The second loss is {} instead of {}.".format(*told_apart(history[1], right[1]))
        )
    if not same_number(history[2], right[2]):
        yours, third = told_apart(history[2], right[2], 5)
        remember = [bits for bits in range(1, 16) if same_number(_descend(x, given, 0.5, 3, bits)[1][2], history[2])]
        raise Mistake(
            f"The second step is still not learning rate × gradient: the third loss is {yours} instead of {third}. "
            + (
                "Which of the four tensors remember the first step's gradient?"
                if remember
                else "The learning rate must stay what it is, and no step may remember another one (momentum, a mean)."
            )
        )
    if any(abs(a - b) > 1e-3 * b for a, b in zip(history, right)):
        raise Mistake("The first steps are right, later ones are not: the gradients must begin anew in every step.")
    if any(not torch.allclose(a.double(), b, atol=1e-3) for a, b in zip(new, parts)):
        raise Mistake("The losses are right, but what you return are not the layers after the last step.")
    answer = parts_of(function(x, encoder, decoder, 0.1, n_steps=3), 3, "three things, `encoder, decoder, history`")
    history, right = _plain_numbers(answer[2], 3), _descend(x, given, 0.1, 3)[1]
    if not all(same_number(a, b) for a, b in zip(history, right)):
        raise Mistake(
            f"With the learning rate 0.5 all is right, with 0.1 the losses are {rounded(history)} instead of "
            f"{rounded(right)}: the step uses `learning_rate`."
        )


def _plain_numbers(history, n):
    if not isinstance(history, list) or any(isinstance(value, torch.Tensor) for value in history):
        raise Mistake("The history must be a list of plain numbers.")
    if len(history) != n:
        raise Mistake(f"With n_steps={n} the history has {n} losses; yours has {len(history)}.")
    return [single_number(value, "an entry of the history") for value in history]


def _descend(x, parts, rate, n_steps, remembering=0):
    """The four parts after gradient descent, and the losses. `remembering`: which parts' gradients add up, as bits."""
    parts = [part.double() for part in parts]
    sums, losses = [torch.zeros_like(part) for part in parts], []
    for _ in range(n_steps):
        network = _small_network(parts[:2], parts[2:])
        loss = torch.nn.functional.mse_loss(network(x.double()), x.double())
        losses.append(loss.item())
        slopes = torch.autograd.grad(loss, list(network.parameters()))
        sums = [total * (remembering >> i & 1) + slope for i, (total, slope) in enumerate(zip(sums, slopes))]
        parts = [part - rate * total for part, total in zip(parts, sums)]
    return parts, losses
