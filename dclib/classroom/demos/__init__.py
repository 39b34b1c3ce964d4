"""The live demonstrations of the lessons, one a file; `__init__.pyi` lists the names to import from here.

All of them draw into widgets (an image, a canvas), never into an `Output` area, so that a stored notebook keeps a
meaning and can be checked. A `Demo` computes in the page and needs no kernel.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
