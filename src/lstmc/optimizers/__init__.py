"""Optimizers with Keras' arguments, defaults and equations, on kernels whose bits do not depend on threads."""

from lstmc import names, received
from lstmc.optimizers import schedules
from lstmc.optimizers.base import Optimizer
from lstmc.optimizers.rules import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Lion, Nadam, RMSprop

CLASSES = {c.__name__: c for c in (SGD, RMSprop, Adam, AdamW, Adagrad, Nadam, Adamax, Adadelta, Lion)}
_BY_NAME = {name.lower(): c for name, c in CLASSES.items()}


def get(identifier):
    """An Optimizer from an `identifier`: its name or an Optimizer."""
    if isinstance(identifier, Optimizer):
        return identifier
    if not isinstance(identifier, str) or identifier.lower() not in _BY_NAME:
        raise ValueError(f"optimizer: expected one of {', '.join(_BY_NAME)}, or an lstmc.optimizers object; "
                         f"received {received.kind(identifier) if isinstance(identifier, type) else repr(identifier)}")
    return _BY_NAME[identifier.lower()]()


__all__ = [*CLASSES, "Optimizer", "get", "schedules"]

__getattr__, __dir__ = names.face(__name__, __all__)
