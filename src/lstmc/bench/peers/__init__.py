"""Other libraries that run LSTMs on CPUs: which are installed, and each set to a number of threads.

A module here has one class or more with `use(threads)`, which imports the library, sets the threads and returns what a
reader must know about it in one line, and is itself a Contender on a case. Libraries are imported nowhere else.
"""

import importlib
from typing import NamedTuple

NAMES = {"torch": "torch.Torch", "onnxruntime": "onnx.OnnxRuntime", "openvino": "onnx.OpenVino", "jax": "jax.Jax", "keras": "keras.Keras"}
QUICK = ("torch", "onnxruntime", "openvino")        # those that need no compilation per case


class Peer(NamedTuple):
    """An installed library: `side(case)` is a Contender."""

    name: str
    about: str
    side: type


def find(names, threads):
    """The peers of these names that can be imported, and why each other cannot.

    Returns
    -------
    list of Peer
    dict
        Name -> reason.
    """
    found, missing = [], {}
    for name in names:
        module, _, cls = NAMES[name].partition(".")
        try:
            side = getattr(importlib.import_module(f"lstmc.bench.peers.{module}"), cls)
            found.append(Peer(name, side.use(threads), side))
        except ImportError as error:
            missing[name] = "not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported: {error}"
    return found, missing
