"""The law: every recurrent cell of the package in float64 NumPy, forward and backward.

Kernels are right when they agree with this package, and this package is right because its tests prove it by
central differences, by one step written out in scalars, and by numbers from PyTorch and Keras. It is written
to be read, is never fast, and imports NumPy alone.

Each cell states its equations at the head of its own file: `lstm`, `gru`, `rnn`; so does the loss of Connectionist Temporal
Classification, in `ctc`. What cells share is stated
once: `sequence` (time, layers, directions, which rows live), `activations`, `norms`, `dropout` (the masks of
dropout and zoneout), `arguments` (what is accepted and what is refused).

Letters: T time, B batch, I input features, H hidden units, P projection, L layers, D directions, G gates, and
R = P with a projection, H without one: the width of `h`. A gradient is `d` + name. Sequences are (T,B,.).
Names, shapes and the order of the gates are PyTorch's: LSTM i, f, g, o; GRU r, z, n.
"""

from .activations import activation, sigmoid
from .gru import gru_bwd, gru_fwd
from .lstm import lstm_bwd, lstm_fwd
from .rnn import rnn_bwd, rnn_fwd
from .sequence import Grads, Tape, Taps

__all__ = [
    "Grads",
    "Tape",
    "Taps",
    "activation",
    "gru_bwd",
    "gru_fwd",
    "lstm_bwd",
    "lstm_fwd",
    "rnn_bwd",
    "rnn_fwd",
    "sigmoid",
]
