"""Keras' layers on NumPy arrays, for `lstmc.Sequential`.

Reading order: `base.py` (what a layer is), `symbolic.py`, `casts.py`,
`core.py`, `activations.py`, `shapes.py`, `embedding.py` and `rows.py`, `time_distributed.py`;
`around.py` (weights and states around a module of `lstmc.nn`), `masks.py`, `recurrent.py`, `bidirectional.py`.
"""

from lstmc import names
from lstmc.layers.base import Layer
from lstmc.layers.bidirectional import Bidirectional
from lstmc.layers.core import Activation, Dense, Dropout, Flatten, Input, InputLayer, Masking, SpatialDropout1D
from lstmc.layers.embedding import Embedding
from lstmc.layers.recurrent import GRU, LSTM, SimpleRNN
from lstmc.layers.shapes import GlobalAveragePooling1D, GlobalMaxPooling1D, RepeatVector, Reshape
from lstmc.layers.time_distributed import TimeDistributed

_ALL = (LSTM, GRU, SimpleRNN, Activation, Bidirectional, Dense, Dropout, Embedding, Flatten, GlobalAveragePooling1D, GlobalMaxPooling1D, InputLayer,
        Masking, RepeatVector, Reshape, SpatialDropout1D, TimeDistributed)
CLASSES = {c.__name__: c for c in _ALL}
__all__ = [*CLASSES, "Input", "Layer", "from_config"]
EARLIER = {"Input": "InputLayer"}      # names of classes in early files


def from_config(kind, config):
    """The layer that `type(layer).__name__` and `layer.get_config()` describe."""
    kind = EARLIER.get(kind, kind) if isinstance(kind, str) else kind
    if not isinstance(kind, str) or kind not in CLASSES:
        raise ValueError(f"layer: expected one of {', '.join(CLASSES)}, received {kind!r}")
    cls = CLASSES[kind]
    return cls.from_config(config) if hasattr(cls, "from_config") else cls(**config)


__getattr__, __dir__ = names.face(__name__, __all__)
