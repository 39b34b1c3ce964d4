"""What tests of the demonstrations share: the page's side of a canvas."""

import numpy as np


def numbers(packed, columns=2):
    return np.frombuffer(packed, "<f4").reshape(-1, columns) if columns > 1 else np.frombuffer(packed, "<f4")


def click(canvas, **message):
    """What the page sends."""
    canvas._handle_custom_msg(message, [])
