"""Answers to the assignment Autoencoders: right ones written differently, and the mistakes that students make.

RIGHT[task][name] is code, WRONG[task][name] is (code, a part of what the student is told about it).
"""


def changed(source, *pairs):
    for old, new in pairs:
        assert old in source, old
        source = source.replace(old, new)
    return source


# One template a task, in which a mistake changes a line.

PSNR = """
def psnr(x, x_hat, value_range=1.0):
    mse = float(((x - x_hat) ** 2).mean())
    if mse == 0:
        return math.inf
    return 10 * math.log10(value_range**2 / mse)
"""
DENSE = """
def dense(x, encoder, decoder):
    h = x.flatten(1)
    for i, (W, b) in enumerate(encoder):
        h = h @ W.T + b
        if i < len(encoder) - 1:
            h = torch.relu(h)  # encoder
    z = h
    for i, (W, b) in enumerate(decoder):
        h = h @ W.T + b
        if i < len(decoder) - 1:
            h = torch.relu(h)  # decoder
    return z, h.reshape(x.shape)
"""
STEP = """
def training_step(x, target, encoder, decoder, learning_rate):
    W1, b1, W2, b2 = parts = [part.clone().requires_grad_() for part in (*encoder, *decoder)]
    z = torch.tanh(x @ W1.T + b1)
    x_hat = z @ W2.T + b2
    loss = ((x_hat - target) ** 2).mean()
    loss.backward()
    V1, a1, V2, a2 = [(part - learning_rate * part.grad).detach() for part in parts]
    return (V1, a1), (V2, a2), float(loss.detach())
"""
BY_HAND = """
def training_step(x, target, encoder, decoder, learning_rate):
    (W1, b1), (W2, b2) = encoder, decoder
    z = torch.tanh(x @ W1.T + b1)
    error = z @ W2.T + b2 - target
    out = 2 * error / error.numel()
    inner = (out @ W2) * (1 - z**2)
    new_encoder = W1 - learning_rate * inner.T @ x, b1 - learning_rate * inner.sum(0)
    new_decoder = W2 - learning_rate * out.T @ z, b2 - learning_rate * out.sum(0)
    return new_encoder, new_decoder, error.square().mean().item()
"""
CONV = """
def conv(x, encoder, decoder):
    sizes, h = [], x
    for i, (W, b) in enumerate(encoder):
        sizes.append(h.shape[2:])
        h = F.conv2d(h, W, b, stride=2, padding=1)
        if i < len(encoder) - 1:
            h = torch.relu(h)  # encoder
    z = h
    for i, (W, b) in enumerate(decoder):
        height, width = sizes.pop()
        p, q = height - (2 * h.shape[2] - 1), width - (2 * h.shape[3] - 1)
        h = F.conv_transpose2d(h, W, b, stride=2, padding=1, output_padding=(p, q))
        if i < len(decoder) - 1:
            h = torch.relu(h)  # decoder
    return z, h
"""
PAIR = """
def denoising_pair(x, sigma, generator):
    noise = torch.randn(x.shape, generator=generator)
    return x + sigma * noise, x
"""
MASK = """
def mask_patches(x, size, share, generator):
    n, c, h, w = x.shape
    rows, columns = h // size, w // size
    patches = rows * columns
    table = torch.zeros(n, patches, dtype=torch.bool)
    for i in range(n):
        table[i, torch.randperm(patches, generator=generator)[: round(share * patches)]] = True
    hidden = table.view(n, 1, rows, columns).repeat_interleave(size, 2).repeat_interleave(size, 3)
    return x * ~hidden, hidden
"""
LOSS = """
def masked_loss(x_hat, x, hidden):
    hidden = hidden.expand_as(x)
    squares = (x - x_hat) ** 2 * hidden
    return squares.sum() / hidden.sum()
"""
MENDED = """
def mended_train(x, encoder, decoder, learning_rate, n_steps=300):
    (W1, b1), (W2, b2) = encoder, decoder
    network = nn.Sequential(nn.Linear(*W1.T.shape), nn.Tanh(), nn.Linear(*W2.T.shape))
    network.load_state_dict({"0.weight": W1, "0.bias": b1, "2.weight": W2, "2.bias": b2})
    optimizer = torch.optim.SGD(network.parameters(), lr=learning_rate)
    history = []
    for step in range(n_steps):
        optimizer.zero_grad()
        loss = (network(x) - x).square().mean()
        history.append(loss.item())
        loss.backward()
        optimizer.step()
    W1, b1, W2, b2 = (part.detach() for part in network.parameters())
    return (W1, b1), (W2, b2), history
"""

RIGHT = {
    "psnr": {
        "numpy": """
def psnr(x, x_hat, value_range=1.0):
    import numpy as np

    error = np.mean((x.numpy().astype(float) - x_hat.numpy().astype(float)) ** 2)
    return float("inf") if error == 0 else float(20 * np.log10(value_range) - 10 * np.log10(error))
""",
        "torch": """
def psnr(x, x_hat, value_range=1.0):
    return 10 * torch.log10(value_range**2 / F.mse_loss(x_hat, x))
""",
        "NumPy's logarithm": """
def psnr(x, x_hat, value_range=1.0):
    import numpy as np

    mse = np.mean((x.numpy() - x_hat.numpy()) ** 2)
    with np.errstate(divide="ignore"):
        return 10 * np.log10(value_range**2 / mse)
""",
    },
    "dense": {
        "loops": DENSE,
        "a network of modules": """
def dense(x, encoder, decoder):
    def through(h, layers):
        *hidden, (W, b) = layers
        for V, a in hidden:
            h = torch.clamp(F.linear(h, V, a), min=0)
        return F.linear(h, W, b)

    z = through(x.reshape(len(x), -1), encoder)
    return z, through(z, decoder).view_as(x)
""",
        "image by image, in double precision": """
def dense(x, encoder, decoder):
    def through(h, layers):
        for n, (W, b) in enumerate(layers, 1):
            h = W.double() @ h + b
            h = h * (h > 0) if n < len(layers) else h
        return h

    codes = [through(image.double().flatten(), encoder) for image in x]
    images = [through(code, decoder).reshape(x.shape[1:]) for code in codes]
    return torch.stack(codes), torch.stack(images)
""",
    },
    "training_step": {
        "backward": STEP,
        "by hand": BY_HAND,
        "an optimizer": """
def training_step(x, target, encoder, decoder, learning_rate):
    parts = [torch.nn.Parameter(part.clone()) for part in (*encoder, *decoder)]
    optimizer = torch.optim.SGD(parts, lr=learning_rate)
    loss = F.mse_loss(F.linear(F.linear(x, *parts[:2]).tanh(), *parts[2:]), target)
    loss.backward()
    optimizer.step()
    new = [part.detach() for part in parts]
    return new[:2], new[2:], loss.item()
""",
        "NumPy": """
def training_step(x, target, encoder, decoder, learning_rate):
    import numpy as np

    W1, b1, W2, b2 = parts = [part.numpy() for part in (*encoder, *decoder)]
    z = np.tanh(x.numpy() @ W1.T + b1)
    error = z @ W2.T + b2 - target.numpy()
    out = 2 * error / error.size
    inner = out @ W2 * (1 - z * z)
    slopes = inner.T @ x.numpy(), inner.sum(0), out.T @ z, out.sum(0)
    new = [torch.from_numpy(part - learning_rate * slope) for part, slope in zip(parts, slopes)]
    return (new[0], new[1]), (new[2], new[3]), np.mean(error**2)
""",
    },
    "conv": {
        "output paddings on the way": CONV,
        "modules with an output size": """
def conv(x, encoder, decoder):
    sizes = [x.shape[2:]]
    for i, (W, b) in enumerate(encoder):
        if i:
            x = x.relu()
        x = F.conv2d(x, W, b, stride=2, padding=1)
        sizes.append(x.shape[2:])
    z, h = x, x
    for i, (W, b) in enumerate(decoder):
        if i:
            h = h.relu()
        layer = torch.nn.ConvTranspose2d(*W.shape[:2], 3, stride=2, padding=1)
        layer.weight, layer.bias = torch.nn.Parameter(W), torch.nn.Parameter(b)
        h = layer(h, output_size=sizes[-2 - i])
    return z, h.detach()
""",
        "cut to size": """
def conv(x, encoder, decoder):
    sizes, h = [], x
    for i, (W, b) in enumerate(encoder):
        sizes.insert(0, h.shape)
        h = F.conv2d(h if i == 0 else F.relu(h), W, b, 2, 1)
    z = h
    for i, (W, b) in enumerate(decoder):
        h = F.conv_transpose2d(h if i == 0 else F.relu(h), W, b, 2, 1, 1)[:, :, : sizes[i][2], : sizes[i][3]]
    return z, h
""",
        "in double precision": changed(
            CONV,
            ("h = [], x", "h = [], x.double()"),
            ("in enumerate(encoder)", "in enumerate([(W.double(), b.double()) for W, b in encoder])"),
            ("in enumerate(decoder)", "in enumerate([(W.double(), b.double()) for W, b in decoder])"),
        ),
    },
    "denoising_pair": {
        "torch.normal": """
def denoising_pair(x, sigma, generator):
    return torch.normal(x, sigma, generator=generator), x.clone()
""",
        "in place": """
def denoising_pair(x, sigma, generator):
    noisy = x.clone()
    noisy += torch.empty_like(x).normal_(0, sigma, generator=generator)
    return noisy, x
""",
        "NumPy": """
def denoising_pair(x, sigma, generator):
    import numpy as np

    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
    return x + torch.from_numpy(rng.normal(0, sigma, tuple(x.shape))), x
""",
    },
    "mask_patches": {
        "an image after the other": MASK,
        "random order and kron": """
def mask_patches(x, size, share, generator):
    n, _, h, w = x.shape
    patches = (h // size) * (w // size)
    rank = torch.rand(n, patches, generator=generator).argsort(1).argsort(1)
    table = (rank < round(share * patches)).float().view(n, h // size, w // size)
    hidden = torch.kron(table, torch.ones(1, size, size)).bool()[:, None]
    return torch.where(hidden, torch.zeros(()), x), hidden
""",
        "topk and interpolate": """
def mask_patches(x, size, share, generator):
    n, _, h, w = x.shape
    patches = (h // size) * (w // size)
    chosen = torch.rand(n, patches, generator=generator).topk(round(share * patches), dim=1).indices
    table = torch.zeros(n, patches).scatter(1, chosen, 1.0).view(n, 1, h // size, w // size)
    hidden = F.interpolate(table, scale_factor=size, mode="nearest") > 0.5
    masked = x.clone()
    masked[hidden.expand_as(x)] = 0
    return masked, hidden
""",
    },
    "masked_loss": {
        "sum by sum": LOSS,
        "where": """
def masked_loss(x_hat, x, hidden):
    there = hidden.repeat(1, x.shape[1], 1, 1)
    return F.mse_loss(x_hat[there], x[there])
""",
    },
    "mended_train": {
        "zero_grad": MENDED,
        "torch.autograd.grad": """
def mended_train(x, encoder, decoder, learning_rate, n_steps=300):
    weights, history = [*encoder, *decoder], []
    for _ in range(n_steps):
        W1, b1, W2, b2 = weights = [part.detach().clone().requires_grad_() for part in weights]
        loss = (torch.tanh(x @ W1.T + b1) @ W2.T + b2 - x).square().mean()
        history.append(float(loss.detach()))
        weights = [part - learning_rate * g for part, g in zip(weights, torch.autograd.grad(loss, weights))]
    W1, b1, W2, b2 = (part.detach() for part in weights)
    return (W1, b1), (W2, b2), history
""",
        "after the step": changed(
            MENDED,
            ("        optimizer.zero_grad()\n", ""),
            (
                "        optimizer.step()\n",
                "        optimizer.step()\n        for part in network.parameters():\n            part.grad = None\n",
            ),
        ),
        "task 3 in a loop": """
def mended_train(x, encoder, decoder, learning_rate, n_steps=300):
    history = []
    for _ in range(n_steps):
        encoder, decoder, loss = training_step(x, x, encoder, decoder, learning_rate)
        history.append(loss)
    return encoder, decoder, history
""",
        "NumPy's numbers": changed(MENDED, ("loss.item()", "loss.detach().numpy()[()]")),
    },
}

WRONG = {
    "psnr": {
        "natural logarithm": (changed(PSNR, ("log10", "log")), "natural logarithm"),
        "minus": (changed(PSNR, ("return 10", "return -10")), "Your sign is wrong"),
        "twenty": (changed(PSNR, ("10 * math", "20 * math")), "20 belongs to the *root*"),
        "root": (changed(PSNR, ("/ mse)", "/ mse**0.5)")), "You took the root of the error"),
        "bel": (changed(PSNR, ("10 * math", "math")), "The factor 10 is missing"),
        "sum": (changed(PSNR, (".mean()", ".sum()")), "You summed the squared errors"),
        "mean of the images' decibels": (
            """
def psnr(x, x_hat, value_range=1.0):
    mse = ((x - x_hat) ** 2).flatten(1).mean(1)
    return float((10 * torch.log10(value_range**2 / mse)).mean())
""",
            "averaged the decibels",
        ),
        "absolute": (changed(PSNR, ("((x - x_hat) ** 2)", "(x - x_hat).abs()")), "mean absolute error"),
        "mean before the square": (
            changed(PSNR, ("((x - x_hat) ** 2).mean()", "(x - x_hat).mean() ** 2")),
            "squared the mean",
        ),
        "no range": (changed(PSNR, ("value_range**2", "1")), "does not use `value_range`"),
        "range not squared": (changed(PSNR, ("value_range**2", "value_range")), "range is not squared"),
        "division by zero": (changed(PSNR, ("    if mse == 0:\n        return math.inf\n", "")), "your function stops"),
        "a large number for infinity": (changed(PSNR, ("math.inf", "100.0")), "is infinite"),
        "only ranges of 1 and 2": (
            changed(PSNR, ("value_range**2", "min(value_range, 2.0) ** 2")),
            "your PSNR is wrong",
        ),
        "the range of the data": (
            changed(PSNR, ("value_range**2", "float(x.max() - x.min()) ** 2")),
            "yours is measured on these images",
        ),
        "the range of bytes": (changed(PSNR, ("range=1.0", "range=255.0")), "yours takes 255"),
    },
    "dense": {
        "ReLU at the code": (changed(DENSE, ("if i < len(encoder) - 1:", "if True:")), "ReLU at the code"),
        "ReLU at the end": (changed(DENSE, ("if i < len(decoder) - 1:", "if True:")), "ReLU at the end of the decoder"),
        "linear": (changed(DENSE, ("torch.relu(h)", "h")), "no ReLU between the layers"),
        "a linear decoder": (changed(DENSE, ("torch.relu(h)  # decoder", "h")), "the decoder has no ReLU"),
        "tanh": (changed(DENSE, ("torch.relu", "torch.tanh")), "you have a tanh"),
        "sigmoid": (changed(DENSE, ("torch.relu", "torch.sigmoid")), "you have a sigmoid"),
        "no bias": (changed(DENSE, ("@ W.T + b", "@ W.T")), "The biases are missing"),
        "flat": (changed(DENSE, ("h.reshape(x.shape)", "h")), "still flat"),
        "W not transposed": (changed(DENSE, ("@ W.T", "@ W")), "W has the shape"),
        "not flattened": (changed(DENSE, ("x.flatten(1)", "x[:, 0]")), "The codes (here"),
        "exchanged": (changed(DENSE, ("z, h.reshape(x.shape)", "h.reshape(x.shape), z")), "The codes (here"),
        "only the reconstruction": (changed(DENSE, ("return z, ", "return ")), "Return two things"),
        "at most two layers": (
            changed(
                DENSE, ("enumerate(encoder)", "enumerate(encoder[:1] + encoder[-1:] if len(encoder) > 2 else encoder)")
            ),
            "stopped with RuntimeError on other data",
        ),
        "no ReLU after the second": (
            changed(DENSE, ("if i < len(encoder) - 1:", "if i == 0 and len(encoder) > 1:")),
            "your codes or your reconstruction are wrong",
        ),
        "ReLU before the decoder": (
            changed(DENSE, ("    z = h\n", "    z = h\n    h = h.relu()\n")),
            "the decoder gets them through a ReLU",
        ),
        "no bias at the end": (
            changed(DENSE, ("    return z,", "    h = h - b\n    return z,")),
            "last layer is missing",
        ),
        "columns first": (
            changed(DENSE, ("h.reshape(x.shape)", "h.view(*x.shape[:2], *x.shape[:1:-1]).transpose(2, 3)")),
            "stand in other places of the image",
        ),
        "as many layers up as down": (
            changed(DENSE, ("if i < len(decoder) - 1:", "if i < len(encoder) - 1:")),
            "the numbers may differ",
        ),
    },
    "training_step": {
        "the input as target": (changed(STEP, ("- target", "- x")), "compare with `target`"),
        "sum": (changed(STEP, (".mean()", ".sum()")), "Your loss is a sum: (4)"),
        "sum over the pixels": (changed(STEP, (".mean()", ".sum(1).mean()")), "a sum over the pixels"),
        "sum over the images": (changed(STEP, (".mean()", ".mean(1).sum()")), "a sum over the images"),
        "half": (changed(STEP, (".mean()", ".mean() / 2")), "half of (4)"),
        "uphill": (changed(STEP, ("part - learning", "part + learning")), "You went uphill"),
        "no learning rate": (changed(STEP, ("learning_rate * part", "part")), "The learning rate is missing"),
        "only the decoder": (changed(STEP, ("return (V1, a1)", "return encoder")), "Only the decoder has changed"),
        "only the encoder": (changed(STEP, ("(V2, a2)", "decoder")), "Only the encoder has changed"),
        "biases kept": (
            changed(STEP, ("(V1, a1), (V2, a2)", "(V1, encoder[1]), (V2, decoder[1])")),
            "The biases have not changed",
        ),
        "the 2 forgotten": (changed(BY_HAND, ("2 * error", "error")), "the derivative of a square has a factor 2"),
        "the gradient of a sum": (changed(BY_HAND, (" / error.numel()", "")), "a sum over all values"),
        "the gradient of a sum over the pixels": (
            changed(BY_HAND, ("error.numel()", "len(x)")),
            "a sum over the pixels",
        ),
        "the tanh forgotten on the way back": (changed(BY_HAND, (" * (1 - z**2)", "")), "stands 1 − z²"),
        "in place": (
            changed(
                STEP,
                (
                    "    V1, a1,",
                    "    with torch.no_grad():\n        encoder[0].sub_(learning_rate * W1.grad)\n    V1, a1,",
                ),
            ),
            "changed its argument `encoder`",
        ),
        "the loss after the step": (
            changed(
                STEP, ("float(loss.detach())", "float(((torch.tanh(x @ V1.T + a1) @ V2.T + a2 - target) ** 2).mean())")
            ),
            "is that after the step",
        ),
        "a tensor": (changed(STEP, ("float(loss.detach())", "loss.detach()")), "must be a plain number"),
        "no step": (changed(STEP, ("learning_rate * part.grad", "0 * part.grad")), "Nothing has changed"),
        "one small rate": (
            changed(STEP, ("    V1, a1,", "    learning_rate = min(learning_rate, 0.5)\n    V1, a1,")),
            "not those of one step of gradient descent",
        ),
        "through the new decoder": (
            changed(
                BY_HAND,
                ("    inner = (out @ W2)", "    inner = (out @ (W2 - learning_rate * out.T @ z))"),
            ),
            "computed with the *new* W of the decoder",
        ),
        "the square of 1 − z² forgotten": (changed(BY_HAND, ("1 - z**2", "1 - z")), "yours has no square"),
        "the derivative of a sigmoid": (changed(BY_HAND, ("1 - z**2", "z * (1 - z)")), "the derivative of a sigmoid"),
        "means for the biases": (
            changed(BY_HAND, ("inner.sum(0)", "inner.mean(0)"), ("out.sum(0)", "out.mean(0)")),
            "gradients of the biases are means",
        ),
        "a mean for one bias": (
            changed(BY_HAND, ("out.sum(0)", "out.mean(0)")),
            "gradient of the decoder's bias is a mean",
        ),
        "the wrong rate": (changed(STEP, ("learning_rate * part", "0.1 * part")), "0.333 times as long"),
        "the rate of the check": (changed(STEP, ("learning_rate * part", "0.3 * part")), "do not use `learning_rate`"),
        "detached": (changed(STEP, ("x_hat = z @", "x_hat = z.detach() @")), "A gradient is None"),
        "a sigmoid": (changed(STEP, ("torch.tanh", "torch.sigmoid")), "is a sigmoid: that of (3) is a tanh"),
    },
    "conv": {
        "no output padding": (changed(CONV, ("output_padding=(p, q)", "output_padding=0")), "choose p, 0 or 1"),
        "always one": (changed(CONV, ("output_padding=(p, q)", "output_padding=1")), "choose p, 0 or 1"),
        "the first size first": (changed(CONV, ("sizes.pop()", "sizes.pop(0)")), "the last one first"),
        "stride 1": (changed(CONV, ("W, b, stride=2, padding=1)", "W, b, padding=1)")), "Is the stride 2"),
        "no padding": (changed(CONV, ("stride=2, padding=1)", "stride=2)")), "the padding 1 in all layers"),
        "ReLU at the code": (changed(CONV, ("if i < len(encoder) - 1:", "if True:")), "ReLU at the code"),
        "ReLU at the end": (changed(CONV, ("if i < len(decoder) - 1:", "if True:")), "ReLU at the end of the decoder"),
        "no ReLU in the encoder": (
            changed(CONV, ("torch.relu(h)  # encoder", "h")),
            "no ReLU between the layers of the encoder",
        ),
        "no ReLU in the decoder": (
            changed(CONV, ("torch.relu(h)  # decoder", "h")),
            "there is no ReLU between the layers of the decoder",
        ),
        "no bias": (changed(CONV, ("W, b,", "W, None,")), "The biases of the encoder are missing"),
        "flat code": (changed(CONV, ("return z, h", "return z.flatten(1), h")), "Your code is flat"),
        "upsampled": (
            changed(
                CONV,
                (
                    "F.conv_transpose2d(h, W, b, stride=2, padding=1, output_padding=(p, q))",
                    "F.conv2d(F.interpolate(h, size=(height, width)), W.transpose(0, 1), b, padding=1)",
                ),
            ),
            "The code is right and so is the size",
        ),
        "kernels of the other kind": (
            changed(CONV, ("F.conv_transpose2d(h, W, b,", "F.conv_transpose2d(h, W.transpose(0, 1), b,")),
            "The channels do not fit",
        ),
        "square images only": (
            changed(CONV, ("width - (2 * h.shape[3] - 1)", "height - (2 * h.shape[2] - 1)")),
            "choose p, 0 or 1",
        ),
        "two layers only": (
            changed(CONV, ("for i, (W, b) in enumerate(encoder)", "for i, (W, b) in enumerate(encoder[:2])")),
            "on other data than the check's",
        ),
        "cut at the end": (
            changed(CONV, ("=(p, q)", "=1"), ("return z, h", "return z, h[:, :, : x.shape[2], : x.shape[3]]")),
            "only the last row or column",
        ),
        "no bias in the decoder": (
            changed(CONV, ("transpose2d(h, W, b,", "transpose2d(h, W, None,")),
            "biases of the decoder",
        ),
        "ReLU before the decoder": (
            changed(CONV, ("    z = h\n", "    z = h\n    h = h.relu()\n")),
            "the decoder gets it through a ReLU",
        ),
        "upside down": (changed(CONV, ("transpose2d(h, W,", "transpose2d(h, W.flip(2, 3),")), "are upside down"),
    },
    "denoising_pair": {
        "noise on the target": (
            changed(PAIR, ("noise, x", "noise, x + sigma * noise")),
            "The noise is on the target, too",
        ),
        "exchanged": (
            changed(PAIR, ("return x + sigma * noise, x", "return x, x + sigma * noise")),
            "the other way round",
        ),
        "no noise": (changed(PAIR, ("x + sigma * noise", "x")), "There is no noise"),
        "the noise as target": (
            changed(PAIR, ("noise, x", "noise, sigma * noise")),
            "The target is not the clean image",
        ),
        "uniform": (changed(PAIR, ("torch.randn", "torch.rand")), "it must be 0"),
        "uniform around zero": (
            changed(
                PAIR, ("torch.randn(x.shape, generator=generator)", "2 * torch.rand(x.shape, generator=generator) - 1")
            ),
            "You drew uniform numbers",
        ),
        "uniform of the right size": (
            changed(
                PAIR,
                (
                    "torch.randn(x.shape, generator=generator)",
                    "12**0.5 * (torch.rand(x.shape, generator=generator) - 0.5)",
                ),
            ),
            "of Gaussian noise 68 % does",
        ),
        "variance": (changed(PAIR, ("x + sigma", "x + sigma**0.5")), "do not take its root"),
        "squared": (changed(PAIR, ("x + sigma", "x + sigma**2")), "it is not squared"),
        "no sigma": (changed(PAIR, ("sigma * ", "")), "does not know sigma"),
        "clipped": (changed(PAIR, ("x + sigma * noise", "(x + sigma * noise).clamp(0, 1)")), "You clipped the input"),
        "one noise for all images": (changed(PAIR, ("x.shape,", "x.shape[1:],")), "All images have the same noise"),
        "one number for an image": (
            changed(PAIR, ("x.shape,", "(len(x), 1, 1, 1),")),
            "All pixels of an image have the same noise",
        ),
        "times the image": (
            changed(PAIR, ("x + sigma * noise", "x * (1 + 1.7 * sigma * noise)")),
            "is added to the image",
        ),
        "global random numbers": (changed(PAIR, (", generator=generator", "")), "draw it from `generator`"),
        "its own seed": (
            changed(PAIR, ("generator=generator", "generator=torch.Generator().manual_seed(0)")),
            "the same for every seed",
        ),
        "only large noise": (
            changed(PAIR, ("x + sigma", "x + max(sigma, 0.1)")),
            "not mean 0 and standard deviation sigma",
        ),
        "one noise for all channels": (
            changed(PAIR, ("x.shape,", "(len(x), 1, *x.shape[2:]),")),
            "All channels of an image have the same noise",
        ),
        "one noise for a row": (changed(PAIR, ("x.shape,", "(*x.shape[:3], 1),")), "All columns have the same noise"),
        "clipped below": (changed(PAIR, ("x + sigma * noise", "(x + sigma * noise).clamp(min=0)")), "at one end of it"),
        "mixed": (changed(PAIR, ("x + sigma", "(1 - sigma) * x + sigma")), "0.60 times the image, plus noise"),
        "salt and pepper": (
            changed(PAIR, ("x + sigma * noise", "x * (noise > -sigma)")),
            "A black image gets no noise",
        ),
        "noise above 0": (changed(PAIR, ("* noise, x", "* noise.abs(), x")), "Your noise has the mean 0.32"),
        "half": (changed(PAIR, ("+ sigma", "+ sigma / 2")), "half of the standard deviation"),
        "the sigma of the check": (changed(PAIR, ("+ sigma", "+ 0.4")), "Is sigma used, and nothing clipped"),
    },
    "mask_patches": {
        "pixels": (
            """
def mask_patches(x, size, share, generator):
    n, c, h, w = x.shape
    order = torch.rand(n, h * w, generator=generator).argsort(1).argsort(1)
    hidden = (order < round(share * h * w)).view(n, 1, h, w)
    return x * ~hidden, hidden
""",
            "hide whole patches",
        ),
        "upside down": (
            changed(MASK, ("return x * ~hidden, hidden", "return x * ~hidden, ~hidden")),
            "Your mask is upside down",
        ),
        "keeps the share": (
            changed(MASK, ("round(share * patches)", "round((1 - share) * patches)")),
            "the share that is hidden",
        ),
        "a coin for each": (
            """
def mask_patches(x, size, share, generator):
    n, c, h, w = x.shape
    table = torch.rand(n, 1, h // size, w // size, generator=generator) < share
    hidden = table.repeat_interleave(size, 2).repeat_interleave(size, 3)
    return x * ~hidden, hidden
""",
            "do not toss a coin",
        ),
        "the same for all images": (
            changed(MASK, ("    for i in range(n):\n", ""), ("        table[i,", "    table[:,")),
            "All images have the same patches hidden",
        ),
        "always the first": (
            changed(MASK, ("torch.randperm(patches, generator=generator)", "torch.arange(patches)")),
            "All images have the same patches hidden",
        ),
        "global random numbers": (changed(MASK, (", generator=generator)[", ")[")), "draw from `generator`"),
        "its own seed": (
            changed(
                MASK,
                (
                    "    table = torch.zeros",
                    "    generator = torch.Generator().manual_seed(0)\n    table = torch.zeros",
                ),
            ),
            "The mask is the same for every seed",
        ),
        "only the first channel": (
            changed(
                MASK, ("return x * ~hidden, hidden", "x = x.clone()\n    x[:, :1] *= ~hidden\n    return x, hidden")
            ),
            "Only the first channel has holes",
        ),
        "grey holes": (changed(MASK, ("x * ~hidden,", "torch.where(hidden, x.mean(), x),")), "must be 0 in the image"),
        "brightened": (changed(MASK, ("x * ~hidden,", "x * ~hidden / (1 - share),")), "Visible pixels have changed"),
        "a mask of numbers": (changed(MASK, ("hidden, hidden", "hidden, hidden.float()")), "must hold truth values"),
        "a mask for each channel": (
            changed(MASK, ("hidden, hidden", "hidden, hidden.expand(x.shape)")),
            "Your mask has a channel for each",
        ),
        "never the last": (
            changed(MASK, ("torch.randperm(patches,", "torch.randperm(patches - 1,")),
            "all must have the same chance",
        ),
        "patches of two": (changed(MASK, ("    n, c", "    size = 2\n    n, c")), "patches of 3 × 3 pixels"),
        "rounded down": (
            changed(MASK, ("round(share * patches)", "int(share * patches + 1e-9)")),
            "make 3.6, and `round` makes that 4; yours hides 3",
        ),
        "rounded up": (
            changed(MASK, ("round(share * patches)", "math.ceil(share * patches)")),
            "and `round` makes that 2; yours hides 3",
        ),
        "neighbours": (
            changed(
                MASK,
                (
                    "torch.randperm(patches, generator=generator)",
                    "torch.arange(patches).roll(int(torch.randint(patches, (1,), generator=generator)))",
                ),
            ),
            "only 6 of the 15 possible pairs",
        ),
    },
    "masked_loss": {
        "all pixels": (changed(LOSS, (" * hidden\n", "\n"), ("/ hidden.sum()", "/ x.numel()")), "runs over all pixels"),
        "divided by all": (changed(LOSS, ("/ hidden.sum()", "/ x.numel()")), "by the number of all values"),
        "channels forgotten": (
            changed(LOSS, ("    hidden = hidden.expand_as(x)\n", "")),
            "number of True entries of the mask",
        ),
        "visible": (changed(LOSS, ("hidden.expand_as(x)", "~hidden.expand_as(x)")), "runs over the visible pixels"),
        "sum": (changed(LOSS, (" / hidden.sum()", "")), "Your loss is a sum"),
        "a mean for each image": (
            changed(
                LOSS, ("squares.sum() / hidden.sum()", "(squares.flatten(1).sum(1) / hidden.flatten(1).sum(1)).mean()")
            ),
            "a mean for each image",
        ),
        "absolute": (changed(LOSS, ("(x - x_hat) ** 2", "(x - x_hat).abs()")), "absolute differences"),
        "root": (
            changed(LOSS, ("/ hidden.sum()", "/ hidden.sum()) ** 0.5"), ("return ", "return (")),
            "You took the root",
        ),
        "divided by the images": (changed(LOSS, ("/ hidden.sum()", "/ len(x)")), "by the number of images"),
        "a plain number": (
            changed(LOSS, ("return squares.sum() / hidden.sum()", "return float(squares.sum() / hidden.sum())")),
            "gradients must flow",
        ),
        "no gradient": (changed(LOSS, ("(x - x_hat)", "(x - x_hat.detach())")), "make no new tensor of a plain number"),
        "half of the gradient": (
            changed(LOSS, ("(x - x_hat) ** 2", "(x - x_hat) * (x - x_hat.detach())")),
            "its gradient by the recon",
        ),
        "two channels": (
            changed(LOSS, ("/ hidden.sum()", "/ (2 * hidden[:, 0].sum())")),
            "the loss is 9; yours is 4.5",
        ),
        "half": (changed(LOSS, ("hidden.sum()", "hidden.sum() / 2")), "Your loss is half of (5)"),
        "the first channel": (
            "def masked_loss(x_hat, x, hidden):\n    return (x - x_hat)[:, :1][hidden].square().mean()\n",
            "Only the first channel counts",
        ),
        "the mask as it is": (
            "def masked_loss(x_hat, x, hidden):\n    return (x - x_hat)[hidden].square().mean()\n",
            "used as an index it does not fit",
        ),
        "against the whole image": (
            "def masked_loss(x_hat, x, hidden):\n    return F.mse_loss(x_hat * hidden, x)\n",
            "You blanked the reconstruction",
        ),
        "divided by the visible": (
            changed(LOSS, ("/ hidden.sum()", "/ (~hidden).sum()")),
            "the number of visible values",
        ),
    },
    "mended_train": {
        "not mended": (changed(MENDED, ("        optimizer.zero_grad()\n", "")), "remember the first step's gradient"),
        "once before the loop": (
            changed(
                MENDED,
                ("        optimizer.zero_grad()\n", ""),
                ("    history = []", "    optimizer.zero_grad()\n    history = []"),
            ),
            "remember the first step's gradient",
        ),
        "only the first layer": (
            changed(MENDED, ("optimizer.zero_grad()", "network[0].zero_grad()")),
            "remember the first step's gradient",
        ),
        "only the biases": (
            changed(MENDED, ("optimizer.zero_grad()", "network[0].bias.grad = network[2].bias.grad = None")),
            "remember the first step's gradient",
        ),
        "a smaller learning rate": (
            changed(MENDED, ("        optimizer.zero_grad()\n", ""), ("lr=learning_rate", "lr=learning_rate / 10")),
            "and is not any more",
        ),
        "Adam": (
            changed(MENDED, ("optim.SGD", "optim.Adam"), ("        optimizer.zero_grad()\n", "")),
            "and is not any more",
        ),
        "every other step": (
            changed(
                MENDED, ("        optimizer.zero_grad()\n", "        if step % 2:\n            optimizer.zero_grad()\n")
            ),
            "later ones are not",
        ),
        "zeroed before the step": (
            changed(
                MENDED,
                ("        optimizer.zero_grad()\n", ""),
                ("loss.backward()\n", "loss.backward()\n        optimizer.zero_grad()\n"),
            ),
            "the weights do not move",
        ),
        "the given layers returned": (
            changed(MENDED, ("return (W1, b1), (W2, b2),", "return encoder, decoder,")),
            "what you return are not the layers after the last step",
        ),
        "ten steps": (changed(MENDED, ("range(n_steps)", "range(10)")), "the history has 30 losses"),
        "clipped": (
            changed(
                MENDED,
                (
                    "        optimizer.step()",
                    "        nn.utils.clip_grad_norm_(network.parameters(), 0.01)\n        optimizer.step()",
                ),
            ),
            "and is not any more",
        ),
        "momentum": (
            changed(MENDED, ("=learning_rate)", "=learning_rate, momentum=0.9)")),
            "no step may remember another",
        ),
        "a falling rate": (
            changed(
                MENDED,
                (
                    "optimizer.zero_grad()",
                    "optimizer.param_groups[0]['lr'] = learning_rate / (step + 1)\n        optimizer.zero_grad()",
                ),
            ),
            "The learning rate must stay what it is",
        ),
        "the rate of the check": (changed(MENDED, ("lr=learning_rate", "lr=0.5")), "the step uses `learning_rate`"),
        "the loss after the step": (
            changed(
                MENDED,
                ("        history.append(loss.item())\n", ""),
                ("step()\n", "step()\n        history.append(float((network(x) - x).square().mean().detach()))\n"),
            ),
            "the loss after each step",
        ),
    },
}
