"""PyTorch's face: `torch.nn` modules that run on lstmc's kernels, forward and backward, in memory that both share.

Reading order: `modules.py` (LSTM, GRU, RNN), `calls.py` (from a call's tensors to a pass and back), `packed.py` (packed sequences), `autograd.py`
(what torch's autograd sees), `engine.py` (modules of `lstmc.nn` on parameters that torch owns), `swapping.py` (accelerate and restore).
"""

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError('lstmc.torch needs PyTorch: pip install "lstmc[torch]"') from error

from lstmc import names
from lstmc.torch.modules import GRU, LSTM, RNN
from lstmc.torch.swapping import Swaps, accelerate, restore

__all__ = ["GRU", "LSTM", "RNN", "Swaps", "accelerate", "restore"]

__getattr__, __dir__ = names.face(__name__, __all__)
