"""Models: `Sequential` and `Model`, their training loop and their files.

Reading order: `calls.py` and `graph.py` (layers as one function), `consistency.py`, `network.py` (weights, inputs), `measured.py` (losses, metrics),
`step.py` and `compiled.py` (compile, one batch), `trainer.py` and `fitting.py` (fit, evaluate, predict), `data.py`, `ragged.py` and `batches.py` (what
arrays are accepted, in which order), `collected.py`, `progress.py`, `summary.py`, `model.py`, `model_layer.py`, `sequential.py`, `architecture.py`,
`saving.py`, `reading.py`, `files.py`, `backup.py`.
"""

from lstmc.seeds import set_random_seed
from lstmc.training.model import Model
from lstmc.training.reading import load
from lstmc.training.sequential import Sequential

__all__ = ["Model", "Sequential", "load", "set_random_seed"]
