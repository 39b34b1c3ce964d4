"""Deep clustering, from k-means to adversarial nets: the library of the course.

`import dclib` is light; import what you need from its modules, such as `dclib.kmeans` or `dclib.dec`.
"""

import os
from typing import TypeVar

__version__ = "0.1.0"
__all__ = ["__version__", "by_profile"]

T = TypeVar("T")


def by_profile(*, fast: T, full: T) -> T:
    """`fast` or `full`, whichever the environment variable `DCLIB_PROFILE` asks for; without it, `fast`.

    The lessons call it for the sizes of data sets and the numbers of epochs: minutes on a laptop, or the papers' sizes.
    ValueError if `DCLIB_PROFILE` is neither.
    """
    profile = os.environ.get("DCLIB_PROFILE") or "fast"
    if profile not in ("fast", "full"):
        raise ValueError(f"DCLIB_PROFILE is {profile!r}: set it to fast or full, or unset it.")
    return fast if profile == "fast" else full
