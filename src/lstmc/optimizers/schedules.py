"""Learning rates that depend on the step, with Keras' arguments, defaults and equations; computed in float64."""

import math
from typing import ClassVar

import numpy as np

from lstmc import names
from lstmc.nn import checks
from lstmc.reprs import constructed


class LearningRateSchedule:
    """Base class: a subclass gives `__call__`, and `get_config` if it is to be rebuilt.

    `fields` names the constructor's arguments, which are kept as attributes, and how each is checked; `name` is for `get_config` alone.
    """

    fields: ClassVar = {}
    __repr__ = constructed

    def __call__(self, step):
        """The learning rate of the step after so many."""
        raise NotImplementedError(f"{type(self).__name__}: expected a class with __call__(self, step)")

    def get_config(self):
        """Constructor arguments that rebuild the schedule; JSON types only."""
        if not self.fields:
            raise NotImplementedError(f"{type(self).__name__}: expected a class with get_config(self)")
        return {name: getattr(self, name) for name in self.fields}

    @classmethod
    def from_config(cls, config):
        """A schedule from `config`, which `get_config` gave."""
        return cls(**config)

    def _keep(self, arguments):
        for name, check in self.fields.items():
            setattr(self, name, check(arguments[name], name))


def _steps(value, name):
    """A number of steps above 0; Keras takes fractions too."""
    found = checks.positive(value, name)
    return int(found) if found == int(found) else found


def _power(base, exponent):
    """base ** exponent, infinite where that is too large."""
    try:
        return base**exponent
    except OverflowError:
        return math.inf


def _numbers(value, name):
    if not isinstance(value, (list, tuple, np.ndarray)) or (isinstance(value, np.ndarray) and value.ndim != 1):
        raise TypeError(f"{name}: expected a list of numbers, received {type(value).__name__}")
    return [checks.number(v, name) for v in value]


def _text(value, name):
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a string, received {type(value).__name__}")
    return value


def _number_or_none(value, name):
    return None if value is None else checks.number(value, name)


class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate * decay_rate ^ (step / decay_steps); with staircase the exponent is rounded down."""

    fields: ClassVar = {"initial_learning_rate": checks.number, "decay_steps": _steps, "decay_rate": checks.at_least_0, "staircase": checks.flag, "name": _text}

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="ExponentialDecay"):
        self._keep(locals())

    def __call__(self, step):
        p = step / self.decay_steps
        return self.initial_learning_rate * _power(self.decay_rate, math.floor(p) if self.staircase else p)


class InverseTimeDecay(LearningRateSchedule):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps); with staircase the quotient is rounded down."""

    fields: ClassVar = {**ExponentialDecay.fields}

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="InverseTimeDecay"):
        self._keep(locals())

    def __call__(self, step):
        p = step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (math.floor(p) if self.staircase else p))


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to step boundaries[0], then values[1] up to boundaries[1], and so on; the last value goes on."""

    fields: ClassVar = {"boundaries": _numbers, "values": _numbers, "name": _text}

    def __init__(self, boundaries, values, name="PiecewiseConstant"):
        self._keep(locals())
        if len(self.boundaries) != len(self.values) - 1:
            raise ValueError(f"boundaries: expected one fewer than the {len(self.values)} values, received {len(self.boundaries)}")
        if any(b <= a for a, b in zip(self.boundaries, self.boundaries[1:], strict=False)):
            raise ValueError(f"boundaries: expected ascending ones, received {self.boundaries}")

    def __call__(self, step):
        return self.values[sum(step > b for b in self.boundaries)]


class PolynomialDecay(LearningRateSchedule):
    """(initial_learning_rate - end_learning_rate) (1 - step / decay_steps) ^ power + end_learning_rate.

    With cycle decay_steps is the next multiple of itself, else the end stays.
    """

    fields: ClassVar = {"initial_learning_rate": checks.number, "decay_steps": _steps, "end_learning_rate": checks.number, "power": checks.at_least_0,
                        "cycle": checks.flag, "name": _text}

    def __init__(self, initial_learning_rate, decay_steps, end_learning_rate=0.0001, power=1.0, cycle=False, name="PolynomialDecay"):
        self._keep(locals())

    def __call__(self, step):
        steps = self.decay_steps
        if self.cycle:
            steps *= math.ceil(step / steps) if step else 1
        p = min(step, steps) / steps
        return (self.initial_learning_rate - self.end_learning_rate) * (1 - p) ** self.power + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine from initial_learning_rate to alpha times it in decay_steps.

    With warmup_target the rate rises to it in a straight line for warmup_steps, and falls from it after that.
    """

    fields: ClassVar = {"initial_learning_rate": checks.number, "decay_steps": _steps, "alpha": checks.number, "name": _text,
                        "warmup_target": _number_or_none, "warmup_steps": checks.at_least_0}

    def __init__(self, initial_learning_rate, decay_steps, alpha=0.0, name="CosineDecay", warmup_target=None, warmup_steps=0):
        self._keep(locals())

    def __call__(self, step):
        start = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return (self.warmup_target - start) * (step / self.warmup_steps) + start
            step, start = step - self.warmup_steps, self.warmup_target
        cosine = 0.5 * (1 + math.cos(math.pi * (min(step, self.decay_steps) / self.decay_steps)))
        return start * ((1 - self.alpha) * cosine + self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine from initial_learning_rate to alpha times it after another (Loshchilov and Hutter 2017).

    The first takes first_decay_steps, each other t_mul times as long as the one before, and is m_mul times as high.
    """

    fields: ClassVar = {"initial_learning_rate": checks.number, "first_decay_steps": _steps, "t_mul": checks.number, "m_mul": checks.at_least_0,
                        "alpha": checks.number, "name": _text}

    def __init__(self, initial_learning_rate, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0, name="SGDRDecay"):
        self._keep(locals())
        if self.t_mul < 1:
            raise ValueError(f"t_mul: expected at least 1, since shorter and shorter periods come to an end; received {t_mul}")

    def __call__(self, step):
        done = step / self.first_decay_steps
        if self.t_mul == 1:
            restart = math.floor(done)
            done -= restart
        else:
            restart = math.floor(math.log(1 - done * (1 - self.t_mul)) / math.log(self.t_mul))
            length = self.t_mul**restart
            done = (done - (1 - length) / (1 - self.t_mul)) / length
        cosine = 0.5 * _power(self.m_mul, restart) * (1 + math.cos(math.pi * done))
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)


CLASSES = {c.__name__: c for c in (ExponentialDecay, PiecewiseConstantDecay, PolynomialDecay, InverseTimeDecay, CosineDecay, CosineDecayRestarts)}


def config_of(schedule):
    """{"class": ..., "config": ...} of one of these schedules."""
    kind = type(schedule)
    if CLASSES.get(kind.__name__) is not kind:
        raise ValueError(f"learning_rate: expected a number or one of {', '.join(CLASSES)}, since settings hold no code; received a {kind.__name__}")
    return {"class": kind.__name__, "config": schedule.get_config()}


def from_config(entry):
    """The schedule that `config_of` described."""
    if not isinstance(entry, dict) or entry.keys() != {"class", "config"} or not isinstance(entry["config"], dict) or entry["class"] not in CLASSES:
        raise ValueError(f"learning_rate: expected the class and config of one of {', '.join(CLASSES)}, received {entry!r}")
    return CLASSES[entry["class"]].from_config(entry["config"])


__all__ = [*CLASSES, "LearningRateSchedule"]

__getattr__, __dir__ = names.face(__name__, __all__)
