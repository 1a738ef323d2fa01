"""Models: `Sequential`, its training loop and its files.

Reading order: `stack.py` (layers as one function), `step.py` (compile, one batch), `trainer.py` (fit, evaluate,
predict), `data.py` (what arrays are accepted, batches, weights), `progress.py`, `model.py`, `saving.py`.
"""

from lstmc.seeds import set_random_seed
from lstmc.training.model import Sequential
from lstmc.training.saving import load

__all__ = ["Sequential", "load", "set_random_seed"]
