"""PyTorch's recurrent layers on NumPy arrays, with explicit tapes instead of autograd.

Reading order: `lstm.py` (the layer), `module.py` (what every layer has), `checks.py` (what a call accepts), `params.py`
(weights), `session.py` (streaming).
"""

from lstmc.nn.lstm import LSTM
from lstmc.nn.session import Session, step_many
from lstmc.nn.tape import Gradients

__all__ = ["LSTM", "Gradients", "Session", "step_many"]
