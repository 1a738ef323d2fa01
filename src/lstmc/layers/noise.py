"""Layers of noise in training: GaussianNoise, GaussianDropout, AlphaDropout. As with Dropout, it is a function of seed, step and position."""

import math

from lstmc.layers.base import Layer
from lstmc.layers.dropout import Dropout
from lstmc.layers.normal import quantile
from lstmc.nn import checks
from lstmc.nn.dropout import layer_uniform


class _Noise(Layer):
    """Base of layers that draw normal numbers."""

    def drawn(self, shape, step):
        """Numbers of mean 0 and variance 1 for an input of this shape, in this training step."""
        return quantile(layer_uniform(shape, self.seed, step)).astype(self.dtype)


class GaussianNoise(_Noise):
    """In training, a normal number of its own is added to each value.

    Parameters
    ----------
    stddev : float
        Its standard deviation.
    seed, name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"stddev"}

    def __init__(self, stddev, seed=None, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, seed, **arguments)
        self.stddev = checks.at_least_0(stddev, "stddev")

    def forward(self, x, mask=None, training=False, step=0):
        if training and self.stddev:
            x = x + self.dtype.type(self.stddev) * self.drawn(x.shape, step)
        return x, mask, () if training else None

    def backward(self, tape, dy, need_dx=True):
        return dy, []

    def get_config(self):
        return {"stddev": self.stddev, **super().get_config()}


class GaussianDropout(_Noise):
    """In training, each value is multiplied by a normal number of mean 1 and variance rate / (1 - rate), that of Dropout.

    Parameters
    ----------
    rate : float
    seed, name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"rate"}

    def __init__(self, rate, seed=None, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, seed, **arguments)
        self.rate = checks.probability(rate, "rate")

    def forward(self, x, mask=None, training=False, step=0):
        if not training or not self.rate:
            return x, mask, () if training else None
        scale = 1 + self.dtype.type(math.sqrt(self.rate / (1 - self.rate))) * self.drawn(x.shape, step)
        return x * scale, mask, scale

    def backward(self, tape, dy, need_dx=True):
        return dy if isinstance(tape, tuple) else dy * tape, []

    def get_config(self):
        return {"rate": self.rate, **super().get_config()}


# What selu tends to for small values: its alpha and scale, as Klambauer, Unterthiner, Mayr and Hochreiter (2017) have them.
LEAST = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946


class AlphaDropout(Dropout):
    """Dropout for selu.

    In training, each value becomes the least that selu gives with probability `rate`, and all are scaled and shifted so that mean and variance stay.

    Parameters
    ----------
    rate, noise_shape, seed, name, dtype
        See `Dropout`.
    """

    def forward(self, x, mask=None, training=False, step=0):
        if not training or not self.rate:
            return x, mask, () if training else None
        kept = (self.scale(x.shape, step) != 0).astype(self.dtype)
        a = ((1 - self.rate) * (1 + self.rate * LEAST ** 2)) ** -0.5
        factor = self.dtype.type(a) * kept
        return factor * x + (self.dtype.type(a * LEAST) * (1 - kept) - self.dtype.type(a * LEAST * self.rate)), mask, factor
