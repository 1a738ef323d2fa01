"""Models: `Sequential` and `Model`, their training loop and their files.

Reading order: `graph.py` (layers as one function), `network.py` (weights, inputs), `step.py` (compile, one batch), `trainer.py` (fit, evaluate,
predict), `data.py`, `ragged.py` and `batches.py` (what arrays are accepted, in which order), `collected.py`, `progress.py`, `summary.py`,
`model.py` (Sequential, Model), `architecture.py`, `saving.py`, `reading.py`, `files.py`.
"""

from lstmc.seeds import set_random_seed
from lstmc.training.model import Model, Sequential
from lstmc.training.reading import load

__all__ = ["Model", "Sequential", "load", "set_random_seed"]
