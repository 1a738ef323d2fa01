"""Keras' layers on NumPy arrays, for `lstmc.Sequential`.

Reading order: `base.py` (what a layer is), `core.py`, `recurrent.py`, `activations.py`.
"""

from lstmc.layers.base import Layer
from lstmc.layers.core import Activation, Dense, Dropout, Flatten, Input, Masking
from lstmc.layers.recurrent import LSTM, Bidirectional

__all__ = ["LSTM", "Activation", "Bidirectional", "Dense", "Dropout", "Flatten", "Input", "Layer", "Masking"]


def from_config(kind, config):
    """The layer that `type(layer).__name__` and `layer.get_config()` describe."""
    if kind not in __all__ or kind == "Layer":
        raise ValueError(f"layer: expected one of {', '.join(n for n in __all__ if n != 'Layer')}, received {kind!r}")
    cls = globals()[kind]
    return cls.from_config(config) if hasattr(cls, "from_config") else cls(**config)
