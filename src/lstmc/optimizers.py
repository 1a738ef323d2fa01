"""Optimizers with Keras' arguments, defaults and equations, on kernels whose bits do not depend on threads.

The order within a step is Keras': clip the gradients, decay the weights, update. The equations of the updates
are in csrc/k_train.h.
"""

import math
from typing import ClassVar

import numpy as np

from lstmc import names
from lstmc.kernels import train
from lstmc.layers.base import refuse
from lstmc.layers.rows import Rows
from lstmc.nn import checks

CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")


def positive(value, name, zero=False):
    """value as a float above 0, or at least 0."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected a number, received {type(value).__name__}")
    if not (value >= 0 if zero else value > 0) or math.isinf(value):
        raise ValueError(f"{name}: expected {'at least' if zero else 'above'} 0 and finite, received {value}")
    return float(value)


class Optimizer:
    """Base class: clipping, weight decay, slots. A subclass gives `update` and names its slots.

    Parameters
    ----------
    learning_rate : float
        May be changed between steps.
    weight_decay : float, optional
        Every weight loses learning_rate * weight_decay of itself per step.
    clipnorm : float, optional
        Largest norm of the gradient of one weight array.
    global_clipnorm : float, optional
        Largest norm of all gradients together.
    clipvalue : float, optional
        Largest absolute value of a gradient. At most one of the three clips.
    """

    slots = ()
    unsupported: ClassVar = {
        "use_ema": (False, "average the weights in a callback"),
        "ema_momentum": (0.99, "average the weights in a callback"),
        "ema_overwrite_frequency": (None, "average the weights in a callback"),
        "loss_scale_factor": (None, "gradients are float32 or float64 and need no scaling"),
        "gradient_accumulation_steps": (None, "use a larger batch_size"),
        "amsgrad": (False, "use Adam without it"),
        "centered": (False, "use RMSprop without it"),
        "name": (None, "one model has one optimizer"),
    }

    def __init__(self, learning_rate, weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None, **arguments):
        refuse(type(self).__name__, arguments, self.unsupported)
        self.learning_rate = learning_rate
        self.weight_decay = None if weight_decay is None else positive(weight_decay, "weight_decay", zero=True)
        self.clipnorm, self.global_clipnorm, self.clipvalue = (
            None if v is None else positive(v, n) for n, v in zip(CLIPS, (clipnorm, global_clipnorm, clipvalue), strict=True)
        )
        given = [n for n in CLIPS if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"expected at most one of {', '.join(CLIPS)}, received {' and '.join(given)}")
        self.iterations = 0
        self.state = []     # for each weight, its slots by name

    @property
    def learning_rate(self):
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        if callable(value):
            raise TypeError("learning_rate: expected a number; change it between epochs in a callback instead of a schedule")
        self._learning_rate = positive(value, "learning_rate", zero=True)

    def build(self, weights):
        """Create the slots for these weights."""
        self.state = [{name: np.zeros_like(w) for name in self.slots} for w in weights]

    def apply(self, grads, weights):
        """One step: update `weights` in place.

        Parameters
        ----------
        grads, weights : lists of C-contiguous arrays, pairwise of one shape and dtype
            Always the same weights in the same order. A gradient may be `lstmc.layers.rows.Rows`.
        """
        if not self.state and weights:
            self.build(weights)
        if len(self.state) != len(weights) or len(grads) != len(weights):
            raise ValueError(f"expected {len(self.state)} weights and gradients, as in the first step; "
                             f"received {len(weights)} and {len(grads)}")
        self.iterations += 1
        for w, (g, scale), slots in zip(weights, self.clipped(grads), self.state, strict=True):
            if not isinstance(g, Rows):
                self.update(w, g, scale, **slots)
            elif slots or self.weight_decay or math.isnan(scale):       # which change rows that are not in the batch, too
                self.update(w, g.dense(), scale, **slots)
            else:
                some = w[g.numbers]
                self.update(some, g.values, scale)
                w[g.numbers] = some

    def clipped(self, grads):
        """(gradient, factor) pairs: clipping by a norm is a factor for the update kernel."""
        arrays = [g.values if isinstance(g, Rows) else g for g in grads]
        if self.clipvalue is not None:
            cut = [np.clip(a, -self.clipvalue, self.clipvalue).astype(a.dtype, copy=False) for a in arrays]
            return [(g._replace(values=a) if isinstance(g, Rows) else a, 1.0) for g, a in zip(grads, cut, strict=True)]
        if self.clipnorm is not None:
            return [(g, self.clipnorm / fmax(math.sqrt(train.sumsq(a)), self.clipnorm)) for g, a in zip(grads, arrays, strict=True)]
        if self.global_clipnorm is not None:
            norm = math.sqrt(sum(train.sumsq(a) for a in arrays))
            # As in Keras, a gradient that is not finite makes every update NaN instead of hiding behind a factor of 0.
            scale = self.global_clipnorm / fmax(norm, self.global_clipnorm) if math.isfinite(norm) else math.nan
            return [(g, scale) for g in grads]
        return [(g, 1.0) for g in grads]

    def update(self, w, g, scale, **slots):
        """Step one weight array with gradient scale * g."""
        raise NotImplementedError

    def get_config(self):
        """Constructor arguments that rebuild the optimizer."""
        return {"learning_rate": self.learning_rate, "weight_decay": self.weight_decay, **{n: getattr(self, n) for n in CLIPS}}


def fmax(a, b):
    """The larger, or NaN if a is NaN."""
    return b if a < b else a


class SGD(Optimizer):
    """w -= learning_rate g, with momentum or Nesterov momentum if given."""

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=None, clipnorm=None, clipvalue=None,
                 global_clipnorm=None, **arguments):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **arguments)
        self.momentum = checks.probability(momentum, "momentum")
        self.nesterov = checks.flag(nesterov, "nesterov")
        self.slots = ("m",) if self.momentum else ()

    def update(self, w, g, scale, m=None):
        train.sgd(w, g, m, self.learning_rate, self.momentum, self.nesterov, self.weight_decay or 0.0, scale)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


class RMSprop(Optimizer):
    """w -= learning_rate g / sqrt(v + epsilon), v the running mean of g^2."""

    def __init__(self, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, weight_decay=None,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, **arguments):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, centered=centered, **arguments)
        self.rho = checks.probability(rho, "rho")
        self.momentum = checks.probability(momentum, "momentum")
        self.epsilon = positive(epsilon, "epsilon", zero=True)
        self.slots = ("v", "m") if self.momentum else ("v",)

    def update(self, w, g, scale, v, m=None):
        train.rmsprop(w, g, m, v, self.learning_rate, self.rho, self.epsilon, self.momentum, self.weight_decay or 0.0, scale)

    def get_config(self):
        return {**super().get_config(), "rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon}


class Adam(Optimizer):
    """w -= a m / (sqrt(v) + epsilon), a = learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t)."""

    slots = ("m", "v")

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, weight_decay=None,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, **arguments):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, amsgrad=amsgrad, **arguments)
        self.beta_1 = checks.probability(beta_1, "beta_1")
        self.beta_2 = checks.probability(beta_2, "beta_2")
        self.epsilon = positive(epsilon, "epsilon", zero=True)

    def update(self, w, g, scale, m, v):
        t = self.iterations
        correction = math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        # The kernel multiplies decay by the corrected rate; Keras decays by the plain one.
        train.adam(w, g, m, v, self.learning_rate * correction, self.beta_1, self.beta_2, self.epsilon,
                   (self.weight_decay or 0.0) / correction, scale)

    def get_config(self):
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class AdamW(Adam):
    """Adam with weight decay by default (Loshchilov and Hutter 2019)."""

    def __init__(self, learning_rate=0.001, weight_decay=0.004, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, **arguments):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, clipnorm, clipvalue, global_clipnorm,
                         **arguments)


CLASSES = {c.__name__: c for c in (SGD, RMSprop, Adam, AdamW)}
_BY_NAME = {name.lower(): c for name, c in CLASSES.items()}


def get(identifier):
    """An Optimizer from its name or an Optimizer."""
    if isinstance(identifier, Optimizer):
        return identifier
    if not isinstance(identifier, str) or identifier.lower() not in _BY_NAME:
        raise ValueError(f"optimizer: expected one of {', '.join(_BY_NAME)}, or an lstmc.optimizers object; "
                         f"received {identifier!r}")
    return _BY_NAME[identifier.lower()]()


__all__ = [*CLASSES, "Optimizer", "get"]

__getattr__, __dir__ = names.face(__name__, __all__)
