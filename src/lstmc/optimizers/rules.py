"""The optimizers: Keras' arguments and defaults, and the numbers that a rule of csrc/train.h makes Keras' equations of."""

import math
import sys

from lstmc.nn import checks
from lstmc.optimizers.base import Optimizer


class SGD(Optimizer):
    """w -= learning_rate g, with momentum or Nesterov momentum if given.

    Parameters
    ----------
    learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name
        See `Optimizer`.
    momentum : float
        From 0 to below 1: v = momentum v - learning_rate g, w += v.
    nesterov : bool
        Whether w += momentum v - learning_rate g instead.
    """

    rule = "sgd"

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=None, clipnorm=None, clipvalue=None,
                 global_clipnorm=None, **arguments):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **arguments)
        self.momentum = checks.probability(momentum, "momentum")
        self.nesterov = checks.flag(nesterov, "nesterov")
        self.places = ("m",) if self.momentum else ()

    def numbers(self, rate, decay, t):
        return {"lr": rate, "momentum": self.momentum, "nesterov": self.nesterov, "decay": decay}

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


class RMSprop(Optimizer):
    """w -= learning_rate g / sqrt(v + epsilon), v the running mean of g^2, or with `centered` the variance of g.

    Running means keep `rho` of themselves in a step; `momentum` is that of the steps.
    """

    rule = "rmsprop"

    def __init__(self, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, weight_decay=None,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, **arguments):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **arguments)
        self.rho = checks.probability(rho, "rho")
        self.momentum = checks.probability(momentum, "momentum")
        self.epsilon = checks.at_least_0(epsilon, "epsilon")
        self.centered = checks.flag(centered, "centered")
        self.places = ("v", "m" if self.momentum else None, "a" if self.centered else None)

    def numbers(self, rate, decay, t):
        return {"lr": rate, "beta2": self.rho, "gain": 1 - self.rho, "eps": self.epsilon, "momentum": self.momentum, "decay": decay}

    def get_config(self):
        return {**super().get_config(), "rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}


class Adagrad(Optimizer):
    """w -= learning_rate g / sqrt(v + epsilon), v the sum of g^2 so far and initial_accumulator_value."""

    rule = "rmsprop"
    places = ("v",)

    def __init__(self, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7, weight_decay=None, clipnorm=None, clipvalue=None,
                 global_clipnorm=None, **arguments):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **arguments)
        self.initial_accumulator_value = self.initial = checks.at_least_0(initial_accumulator_value, "initial_accumulator_value")
        self.epsilon = checks.at_least_0(epsilon, "epsilon")

    def numbers(self, rate, decay, t):
        return {"lr": rate, "beta2": 1.0, "gain": 1.0, "eps": self.epsilon, "decay": decay}

    def get_config(self):
        return {**super().get_config(), "initial_accumulator_value": self.initial_accumulator_value, "epsilon": self.epsilon}


class Adadelta(Optimizer):
    """w -= learning_rate x, x = g sqrt(d + epsilon) / sqrt(v + epsilon), v and d the running means of g^2 and x^2, which keep `rho` of themselves in a step."""

    rule = "adadelta"
    places = ("v", "d")

    def __init__(self, learning_rate=0.001, rho=0.95, epsilon=1e-7, weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None,
                 **arguments):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **arguments)
        self.rho = checks.probability(rho, "rho")
        self.epsilon = checks.at_least_0(epsilon, "epsilon")

    def numbers(self, rate, decay, t):
        return {"lr": rate, "beta2": self.rho, "gain": 1 - self.rho, "eps": self.epsilon, "decay": decay}

    def get_config(self):
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}


class Moments(Optimizer):
    """Base of what keeps running means of the gradient, by beta_1, and of its square or size, by beta_2."""

    places = ("m", "v")

    def __init__(self, learning_rate, beta_1, beta_2, epsilon, weight_decay, clipnorm, clipvalue, global_clipnorm, **arguments):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **arguments)
        self.beta_1 = checks.probability(beta_1, "beta_1")
        self.beta_2 = checks.probability(beta_2, "beta_2")
        self.epsilon = checks.at_least_0(epsilon, "epsilon")

    def moments(self, rate, decay, correction=1.0):
        """`numbers` where the rule's rate holds a correction: Keras decays by the plain one."""
        return {"lr": rate * correction, "beta1": self.beta_1, "beta2": self.beta_2, "eps": self.epsilon, "decay": decay / correction}

    def get_config(self):
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class Adam(Moments):
    """w -= a m / (sqrt(v) + epsilon), a = learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t); with amsgrad, v is the largest so far."""

    rule = "adam"

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, weight_decay=None,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, **arguments):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, clipnorm, clipvalue, global_clipnorm, **arguments)
        self.amsgrad = checks.flag(amsgrad, "amsgrad")
        if self.amsgrad:
            self.places = ("m", "v", "h")

    def numbers(self, rate, decay, t):
        return self.moments(rate, decay, math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t))

    def get_config(self):
        return {**super().get_config(), "amsgrad": self.amsgrad}


class AdamW(Adam):
    """Adam with weight decay by default (Loshchilov and Hutter 2019)."""

    def __init__(self, learning_rate=0.001, weight_decay=0.004, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, **arguments):
        if weight_decay is None:
            raise ValueError("weight_decay: expected a number, received None; use Adam")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, clipnorm, clipvalue, global_clipnorm,
                         **arguments)


class Nadam(Moments):
    """Adam with Nesterov momentum, whose momentum beta_1 (1 - 0.96^t / 2) warms up (Dozat 2015); arguments as of `Adam`."""

    rule = "nadam"

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=None, clipnorm=None, clipvalue=None,
                 global_clipnorm=None, **arguments):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, clipnorm, clipvalue, global_clipnorm, **arguments)
        self._product = 0, self.beta_1, 1.0

    def warmed(self, t):
        """The momentum of step t."""
        return self.beta_1 * (1 - 0.5 * 0.96**t)

    def product(self, t):
        """Of the momentums of steps 1 to t; the last one is kept, and makes no difference."""
        known, beta, product = self._product
        if known > t or beta != self.beta_1:
            known, product = 0, 1.0
        while known < t and product:
            known += 1
            product *= self.warmed(known)
            if product < sys.float_info.min:        # which multiplied by 0.9 might stay as it is for ever
                product = 0.0
        self._product = t, self.beta_1, product
        return product

    def numbers(self, rate, decay, t):
        now, then, product = self.warmed(t), self.warmed(t + 1), self.product(t)
        return {**self.moments(rate, decay), "of_m": then / (1 - product * then), "of_g": (1 - now) / (1 - product), "of_v": 1 - self.beta_2**t}


class Adamax(Moments):
    """w -= a m / (v + epsilon), a = learning_rate / (1 - beta_1^t), v the largest size of g, which beta_2 shrinks."""

    rule = "adamax"

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=None, clipnorm=None, clipvalue=None,
                 global_clipnorm=None, **arguments):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, clipnorm, clipvalue, global_clipnorm, **arguments)

    def numbers(self, rate, decay, t):
        return self.moments(rate, decay, 1 / (1 - self.beta_1**t))


class Lion(Optimizer):
    """w -= learning_rate sign(beta_1 m + (1 - beta_1) g), m the running mean of g by beta_2 (Chen et al. 2023).

    Every gradient counts by its sign, however small: those below the smallest normal number too, as in Keras on PyTorch; JAX takes them for 0.
    A gradient that is 0 but for rounding moves its weight by learning_rate, one way or the other.
    """

    rule = "lion"
    places = ("m",)

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.99, weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None,
                 **arguments):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **arguments)
        self.beta_1 = checks.probability(beta_1, "beta_1")
        self.beta_2 = checks.probability(beta_2, "beta_2")
        if not self.beta_1:
            raise ValueError("beta_1: expected above 0, received 0.0")

    def numbers(self, rate, decay, t):
        return {"lr": rate, "beta1": self.beta_1, "beta2": self.beta_2, "decay": decay}

    def get_config(self):
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}
