"""PyTorch's recurrent layers on NumPy arrays, with explicit tapes instead of autograd.

Reading order: `recurrent.py` (what all share), `passes.py` (the loops over layers), `lstm.py`, `gru.py`, `rnn.py` (what each adds),
`variants.py` (settings of cells), `module.py` (a caller's arrays and back), `checks.py` (what a call accepts), `params.py` (weights),
`session.py` (streaming).
"""

from lstmc import names
from lstmc.nn.gru import GRU
from lstmc.nn.lstm import LSTM
from lstmc.nn.rnn import RNN
from lstmc.nn.session import Session, step_many
from lstmc.nn.tape import Gradients

__all__ = ["GRU", "LSTM", "RNN", "Gradients", "Session", "step_many"]

__getattr__, __dir__ = names.face(__name__, __all__)
