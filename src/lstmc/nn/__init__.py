"""PyTorch's recurrent layers on NumPy arrays, with explicit tapes instead of autograd.

Reading order: `lstm.py` (the layer), `checks.py` (what a call accepts), `params.py` (weights), `session.py` (streaming).
"""

from lstmc.nn.lstm import LSTM, Gradients
from lstmc.nn.session import Session, step_many

__all__ = ["LSTM", "Gradients", "Session", "step_many"]
