"""Deep clustering, from k-means to adversarial nets: the library of the course.

`from dclib import DEC, load, scores` imports what you ask for and nothing else: `__init__.pyi` lists the names.
The subjects of the course are modules of their own (`dclib.kmeans` … `dclib.dcan`); `dclib.engine` carries them,
`dclib.data` loads the data sets, and `dclib.classroom` has figures and live demonstrations.
"""

import os
from typing import TypeVar

__version__ = "0.1.0"

try:
    import lazy_loader
except ModuleNotFoundError:  # as after a fresh clone: `python -m dclib` runs all the same
    __all__ = []

    def __getattr__(name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(f"dclib.{name}: lazy_loader is not installed. `python -m dclib` says what else is missing.")
else:
    __getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__", "by_profile"]


def __dir__() -> list[str]:
    return sorted(__all__)


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
