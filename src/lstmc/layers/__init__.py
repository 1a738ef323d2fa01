"""Keras' layers on NumPy arrays, for `lstmc.Sequential` and `lstmc.Model`.

Reading order: `base.py` (what a layer is), `variable.py`, `symbolic.py`, `casts.py`, `core.py`; `elementary.py`, `activations.py` and `activation_layers.py`;
`dropout.py`, `noise.py` and `normal.py`, `shapes.py`, `steps.py`, `windows.py`, `sums.py`, `normalization.py`, `embedding.py` and `rows.py`;
`time_distributed.py`; `merging.py`, `joining.py`; `around.py` (weights and states around a module of `lstmc.nn`), `masks.py`,
`recurrent.py`, `bidirectional.py`.
"""

from lstmc import names
from lstmc.layers.activation_layers import ELU, LeakyReLU, PReLU, ReLU, Softmax
from lstmc.layers.base import Layer
from lstmc.layers.bidirectional import Bidirectional
from lstmc.layers.core import Activation, ActivityRegularization, Dense, Flatten, Input, InputLayer, Masking
from lstmc.layers.dropout import Dropout, SpatialDropout1D
from lstmc.layers.embedding import Embedding
from lstmc.layers.joining import Concatenate, Dot, concatenate, dot
from lstmc.layers.merging import Add, Average, Maximum, Minimum, Multiply, Subtract, add, average, maximum, minimum, multiply, subtract
from lstmc.layers.noise import AlphaDropout, GaussianDropout, GaussianNoise
from lstmc.layers.normalization import BatchNormalization, LayerNormalization, UnitNormalization
from lstmc.layers.recurrent import GRU, LSTM, SimpleRNN
from lstmc.layers.shapes import GlobalAveragePooling1D, GlobalMaxPooling1D, Permute, RepeatVector, Reshape
from lstmc.layers.steps import Cropping1D, UpSampling1D, ZeroPadding1D
from lstmc.layers.time_distributed import TimeDistributed
from lstmc.layers.windows import AveragePooling1D, Conv1D, MaxPooling1D

_ALL = (LSTM, GRU, SimpleRNN, Activation, ActivityRegularization, Add, AlphaDropout, Average, AveragePooling1D, BatchNormalization, Bidirectional,
        Concatenate, Conv1D, Cropping1D, Dense, Dot, Dropout, ELU, Embedding, Flatten, GaussianDropout, GaussianNoise, GlobalAveragePooling1D,
        GlobalMaxPooling1D, InputLayer, LayerNormalization, LeakyReLU, Masking, MaxPooling1D, Maximum, Minimum, Multiply, PReLU, Permute, ReLU,
        RepeatVector, Reshape, Softmax, SpatialDropout1D, Subtract, TimeDistributed, UnitNormalization, UpSampling1D, ZeroPadding1D)
CLASSES = {c.__name__: c for c in _ALL}
ALIASES = {"AvgPool1D": AveragePooling1D, "Convolution1D": Conv1D, "GlobalAvgPool1D": GlobalAveragePooling1D, "GlobalMaxPool1D": GlobalMaxPooling1D,
           "MaxPool1D": MaxPooling1D}
globals().update(ALIASES)
__all__ = [*CLASSES, *ALIASES, "Input", "Layer", "add", "average", "concatenate", "dot", "from_config", "maximum", "minimum", "multiply", "subtract"]
EARLIER = {"Input": "InputLayer"}      # names of classes in early files


def from_config(kind, config):
    """The layer that `kind`, its `type(layer).__name__`, and `config`, its `layer.get_config()`, describe."""
    kind = EARLIER.get(kind, kind) if isinstance(kind, str) else kind
    if not isinstance(kind, str) or kind not in CLASSES:
        raise ValueError(f"layer: expected one of {', '.join(CLASSES)}, received {kind!r}")
    return CLASSES[kind].from_config(config)


__getattr__, __dir__ = names.face(__name__, __all__)
