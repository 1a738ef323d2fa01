"""Keras' layers on NumPy arrays, for `lstmc.Sequential`.

Reading order: `base.py` (what a layer is), `core.py`, `recurrent.py`, `activations.py`.
"""

from lstmc import names
from lstmc.layers.base import Layer
from lstmc.layers.core import Activation, Dense, Dropout, Flatten, Input, Masking
from lstmc.layers.recurrent import LSTM, Bidirectional

__all__ = ["LSTM", "Activation", "Bidirectional", "Dense", "Dropout", "Flatten", "Input", "Layer", "Masking"]

CLASSES = {c.__name__: c for c in (LSTM, Activation, Bidirectional, Dense, Dropout, Flatten, Input, Masking)}


def from_config(kind, config):
    """The layer that `type(layer).__name__` and `layer.get_config()` describe."""
    if not isinstance(kind, str) or kind not in CLASSES:
        raise ValueError(f"layer: expected one of {', '.join(CLASSES)}, received {kind!r}")
    cls = CLASSES[kind]
    return cls.from_config(config) if hasattr(cls, "from_config") else cls(**config)


__getattr__, __dir__ = names.face(__name__, [*__all__, "from_config"])
