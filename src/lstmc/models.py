"""Keras' namespace of models: `Model`, `Sequential`, and `load_model`, which is `lstmc.load`."""

from lstmc import names
from lstmc.training import Model, Sequential
from lstmc.training import load as load_model

__all__ = ["Model", "Sequential", "load_model"]

__getattr__, __dir__ = names.face(__name__, __all__)
