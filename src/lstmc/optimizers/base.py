"""What every optimizer has: a learning rate, clipping, weight decay, slots, and one call of a kernel for all weights of a step.

The order within a step is Keras': clip the gradients, decay the weights, update. The equations of the updates
are in csrc/train.h.
"""

import inspect
import math
from typing import ClassVar

import numpy as np

from lstmc.arguments import refuse
from lstmc.kernels import train
from lstmc.nn import checks
from lstmc.optimizers import schedules
from lstmc.reprs import constructed
from lstmc.warned import warn

CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")


class Optimizer:
    """Base class: the learning rate, clipping, weight decay, slots.

    A subclass names its `rule` of csrc/train.h and the slots of that rule, and gives `numbers`; one with an update of its own in Python
    overrides `apply`.

    Parameters
    ----------
    learning_rate : float, lstmc.optimizers.schedules.LearningRateSchedule or callable
        A number may be changed between steps. A schedule is called with `iterations` before each step, any other callable with nothing.
    weight_decay : float, optional
        Every weight loses learning_rate * weight_decay of itself per step.
    clipnorm : float, optional
        Largest norm of the gradient of one weight array.
    global_clipnorm : float, optional
        Largest norm of all gradients together.
    clipvalue : float, optional
        Largest absolute value of a gradient. At most one of the three clips.
    name : str, optional

    Attributes
    ----------
    iterations : int
        Steps so far. State beside it is arrays alone; what else a rule needs follows from it.
    state : list of dict
        For each weight its slots by name.
    """

    rule: ClassVar = None
    # The rule's slots in its order, None for those of an option that is not in use, and what they begin with.
    places: tuple = ()
    initial: float = 0.0
    __repr__ = constructed
    unsupported: ClassVar = {
        "use_ema": (False, "average the weights in a callback"),
        "ema_momentum": (0.99, "average the weights in a callback"),
        "ema_overwrite_frequency": (None, "average the weights in a callback"),
        "loss_scale_factor": (None, "gradients are float32 or float64 and need no scaling"),
        "gradient_accumulation_steps": (None, "use a larger batch_size"),
    }

    def __init__(self, learning_rate, weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None, name=None, **arguments):
        kind = type(self).__name__
        if "lr" in arguments:
            raise TypeError(f"{kind}: lr: expected learning_rate, as Keras calls it; received lr={arguments['lr']!r}")
        if arguments.pop("decay", None) is not None:
            warn("decay: ignored, as in Keras 3; pass learning_rate=lstmc.optimizers.schedules.InverseTimeDecay(...)")
        refuse(kind, arguments, self.unsupported)
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name: expected a string, received {type(name).__name__}")
        self.name = name
        self._learning_rate = None
        self.learning_rate = learning_rate
        self.weight_decay = None if weight_decay is None else checks.at_least_0(weight_decay, "weight_decay")
        self.clipnorm, self.global_clipnorm, self.clipvalue = (
            None if v is None else checks.positive(v, n) for n, v in zip(CLIPS, (clipnorm, global_clipnorm, clipvalue), strict=True)
        )
        given = [n for n in CLIPS if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"expected at most one of {', '.join(CLIPS)}, received {' and '.join(given)}")
        self.iterations = 0
        self.state = []
        self._trained = None

    def __getstate__(self):
        """For copy and pickle: the copy has the state, and trains the first weights that it is given."""
        return {**self.__dict__, "_trained": None}

    def _take(self, trained):
        """Make these (layer, Variable) pairs of a model, whose state is kept, the ones that this optimizer trains; ValueError if it has others.

        A list that was taken stays as it is.
        """
        mine = self._trained
        if mine is trained:
            return
        if mine is not None and (len(mine) != len(trained) or any(a is not b for (_, a), (_, b) in zip(mine, trained, strict=True))):
            raise ValueError(f"optimizer: expected the weights that it has trained before, whose state it keeps, received others: {whose(trained, mine)}. "
                             "An optimizer trains one set of weights: give each model one of its own, and compile with a new one after changing "
                             "what is trainable")
        self._trained = trained

    @property
    def slots(self):
        """Names of the arrays that there are for each weight."""
        return tuple(name for name in self.places if name)

    @property
    def learning_rate(self):
        """The rate of the next step. A number can be set, unless the optimizer has a schedule or a callable."""
        rate = self._learning_rate
        if isinstance(rate, float):
            return rate
        if isinstance(rate, schedules.LearningRateSchedule):
            return checks.number(rate(self.iterations), "learning_rate: what the schedule gives")
        return checks.number(rate(), "learning_rate: what the function gives")

    @learning_rate.setter
    def learning_rate(self, value):
        if isinstance(value, schedules.LearningRateSchedule):
            self._learning_rate = value
        elif callable(value):
            if not takes(value):
                raise TypeError("learning_rate: expected a number, an lstmc.optimizers.schedules.LearningRateSchedule, which is given the step, or a "
                                "function without arguments; received one with arguments")
            self._learning_rate = value
        elif self._learning_rate is not None and not isinstance(self._learning_rate, float):
            raise TypeError("learning_rate: expected none, since this optimizer was made with a schedule or function, which gives it, and not with a "
                            f"number; received {value!r}")
        else:
            self._learning_rate = checks.at_least_0(value, "learning_rate")

    def build(self, weights):
        """Create the slots for these weights."""
        self.state = [{name: np.full_like(w, self.initial) for name in self.slots} for w in weights]

    def apply(self, grads, weights):
        """One step: update `weights` in place. Nothing is written unless all arrays fit.

        Parameters
        ----------
        grads, weights : lists of C-contiguous arrays, pairwise of one shape and dtype
            Always the same weights in the same order. A gradient may be `lstmc.layers.rows.Rows`.
        """
        if self.rule is None:
            raise NotImplementedError(f"{type(self).__name__}: expected its own apply(grads, weights), or a rule of the kernels, received neither")
        if not self.state and weights:
            self.build(weights)
        if len(self.state) != len(weights) or len(grads) != len(weights):
            raise ValueError(f"expected {len(self.state)} weights and gradients, as in the first step; "
                             f"received {len(weights)} and {len(grads)}")
        numbers = {**self.numbers(self.learning_rate, self.weight_decay or 0.0, self.iterations + 1), "clipnorm": self.clipnorm or 0.0,
                   "global_clipnorm": self.global_clipnorm or 0.0, "clipvalue": self.clipvalue or math.inf}
        train.apply(train.RULES[self.rule], list(grads), list(weights), self.state, self.places, numbers)
        self.iterations += 1

    def numbers(self, rate, decay, t):
        """The rule's numbers by name, at step t, which counts from 1; w loses lr * decay of itself."""
        raise NotImplementedError

    def get_config(self):
        """Constructor arguments that rebuild the optimizer; JSON types only."""
        rate = self._learning_rate
        return {"name": self.name, "learning_rate": rate if isinstance(rate, float) else schedules.config_of(rate), "weight_decay": self.weight_decay,
                **{n: getattr(self, n) for n in CLIPS}}

    @classmethod
    def from_config(cls, config):
        """An optimizer from `config`, which `get_config` gave."""
        rate = config.get("learning_rate")
        return cls(**{**config, "learning_rate": schedules.from_config(rate)} if isinstance(rate, dict) else config)


def whose(trained, before):
    """What tells two lists of (layer, Variable) pairs apart, in words."""
    now, then = (", ".join(dict.fromkeys(layer.name for layer, _ in some)) or "none" for some in (trained, before))
    return f"{len(trained)} of {now} instead of {len(before)} of {then}"


def takes(function, *arguments):
    """Whether a function can be called with these arguments, as far as it says."""
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:      # a built-in function that does not say
        return True
    return True
