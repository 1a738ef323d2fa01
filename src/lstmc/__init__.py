"""lstmc: recurrent networks on CPUs.

`lstmc.nn` is PyTorch's layers on NumPy arrays; `lstmc.layers` and `lstmc.Sequential` are Keras's model.
Importing the package starts no thread and needs NumPy alone.
"""

import importlib

from lstmc._version import __version__
from lstmc.errors import FormatError
from lstmc.runtime import build_info, get_num_threads, set_num_threads, threads

__all__ = ["FormatError", "Sequential", "__version__", "build_info", "get_num_threads", "load", "set_num_threads", "threads"]

# Imported at first use, so that `import lstmc` stays quick.
_MODULES = {"callbacks", "datasets", "initializers", "layers", "losses", "metrics", "nn", "optimizers", "reference", "training"}
_NAMES = {"Sequential": "training", "load": "training"}


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"lstmc.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"lstmc.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'lstmc' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES, *_NAMES})
