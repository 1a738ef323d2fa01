"""Activation functions with arguments or weights, as layers: ReLU, LeakyReLU, ELU, PReLU, Softmax."""

from typing import ClassVar

import numpy as np

from lstmc import initializers, regularizers
from lstmc.arguments import NO_CONSTRAINT
from lstmc.layers import activations
from lstmc.layers.base import Layer
from lstmc.layers.sums import onto
from lstmc.layers.variable import Variable
from lstmc.nn import checks
from lstmc.warned import warn


class _OfArguments(Layer):
    """A function of x and of settings that `arguments` names; its gradient is of the same."""

    arguments = ()
    function = gradient = None

    def values(self):
        """The settings by name."""
        return {name: getattr(self, name) for name in self.arguments}

    def forward(self, x, mask=None, training=False, step=0):
        return type(self).function(x, **self.values()), mask, x if training else None

    def backward(self, tape, dy, need_dx=True):
        return type(self).gradient(tape, dy, **self.values()), []

    def get_config(self):
        return {**self.values(), **self.plain_config()}


class ReLU(_OfArguments):
    """x above `threshold`, at most `max_value`; negative_slope (x - threshold) elsewhere.

    Parameters
    ----------
    max_value : float, optional
    negative_slope, threshold : float
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"max_value", "negative_slope", "threshold"}
    arguments = ("max_value", "negative_slope", "threshold")
    function, gradient = activations.relu, activations.relu_bwd

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        self.max_value = None if max_value is None else checks.at_least_0(max_value, "max_value")
        self.negative_slope, self.threshold = checks.at_least_0(negative_slope, "negative_slope"), checks.at_least_0(threshold, "threshold")


class LeakyReLU(_OfArguments):
    """x, or negative_slope x below 0.

    Parameters
    ----------
    negative_slope : float
        `alpha` is its older name.
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"negative_slope"}
    arguments = ("negative_slope",)
    function, gradient = activations.relu, activations.relu_bwd

    def __init__(self, negative_slope=0.3, *, alpha=None, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        if alpha is not None:
            warn("alpha: expected negative_slope, as in Keras 3", DeprecationWarning)
            negative_slope = alpha
        self.negative_slope = checks.at_least_0(negative_slope, "negative_slope")


class ELU(_OfArguments):
    """x, or alpha (exp(x) - 1) below 0.

    Parameters
    ----------
    alpha : float
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"alpha"}
    arguments = ("alpha",)
    function, gradient = activations.elu, activations.elu_bwd

    def __init__(self, alpha=1.0, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        self.alpha = checks.number(alpha, "alpha")


class PReLU(Layer):
    """x, or alpha x below 0, with a weight alpha for every place in a sample.

    Parameters
    ----------
    alpha_initializer : str or lstmc.initializers.Initializer
    alpha_regularizer : str or lstmc.regularizers.Regularizer, optional
    alpha_constraint : None
        Not supported.
    shared_axes : int or tuple of int, optional
        Along which there is one alpha: (1,) shares them between time steps.
    name, dtype, seed
        See `Layer`.
    """

    fixed = Layer.fixed | {"shared_axes"}
    unsupported: ClassVar = {"alpha_constraint": (None, NO_CONSTRAINT)}

    def __init__(self, alpha_initializer="zeros", alpha_regularizer=None, alpha_constraint=None, shared_axes=None, *, name=None, dtype=None,
                 seed=None, **arguments):
        super().__init__(name, dtype, seed, alpha_constraint=alpha_constraint, **arguments)
        self.alpha_initializer = initializers.get(alpha_initializer, "alpha_initializer")
        self.alpha_regularizer = regularizers.get(alpha_regularizer, "alpha_regularizer")
        if shared_axes is not None:
            shared_axes = tuple(checks.integer(n, "shared_axes", 1) for n in (shared_axes if isinstance(shared_axes, (tuple, list)) else (shared_axes,)))
        self.shared_axes = shared_axes

    def alpha_shape(self, shape):
        """The shape of alpha for an input of this shape."""
        return tuple(1 if axis in (self.shared_axes or ()) else n for axis, n in enumerate(shape) if axis)

    def check_shape(self, shape):
        alpha = self.alpha_shape(shape)
        free = None in alpha and not self.built
        if len(shape) < 2 or any(axis >= len(shape) for axis in self.shared_axes or ()) or free or (
                self.built and (len(alpha) != self.weights[0].ndim or any(n not in (None, own) for n, own in zip(alpha, self.weights[0].shape, strict=True)))):
            raise self.wrong_shape("(batch, ...) whose sizes are fixed but along shared_axes, such as (1,) for time", shape)

    def weight_shapes(self, input_shape):
        return {"alpha": self.alpha_shape(input_shape)}

    def create(self, input_shape):
        self.variables = [Variable("alpha", np.zeros(self.alpha_shape(input_shape), self.dtype), regularizer=self.alpha_regularizer)]

    def initialize(self, input_shape):
        self.variables[0].set(self.draw(self.alpha_initializer, self.variables[0].shape, 0))

    def forward(self, x, mask=None, training=False, step=0):
        return np.where(x < 0, self.weights[0] * x, x), mask, x if training else None

    def backward(self, tape, dy, need_dx=True):
        alpha = self.weights[0]
        dalpha = onto(dy * np.minimum(tape, 0), (1, *alpha.shape))[0]
        return np.where(tape < 0, alpha * dy, dy), [np.ascontiguousarray(dalpha)]

    def get_config(self):
        return {"alpha_initializer": initializers.config_of(self.alpha_initializer), **regularizers.configs_of(self, ("alpha_regularizer",)),
                "shared_axes": None if self.shared_axes is None else list(self.shared_axes), **super().get_config()}


class Softmax(Layer):
    """exp(x) / sum exp(x) along an axis.

    Parameters
    ----------
    axis : int
    name, dtype
        See `Layer`.

    Notes
    -----
    A mask of the shape of x says which values count: others are 0. A mask of time steps is passed on.
    """

    fixed = Layer.fixed | {"axis"}

    def __init__(self, axis=-1, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        self.axis = checks.integer(axis, "axis", -16, 16)

    @property
    def activation(self):
        """That of the last axis, by which a loss knows it."""
        return activations.get("softmax") if self.axis == -1 else None

    def check_shape(self, shape):
        if not -len(shape) < self.axis < len(shape) or self.axis == 0:
            raise self.wrong_shape(f"with an axis {self.axis} that is not the batch's", shape)

    def forward(self, x, mask=None, training=False, step=0):
        valid = mask if mask is not None and mask.shape == x.shape else None
        z = x if valid is None else np.where(valid, x, self.dtype.type(-1e9))
        y = self.along(activations.get("softmax").forward, z)
        if valid is not None:
            y = np.where(valid, y, self.dtype.type(0))
        return y, mask, y if training else None

    def backward(self, tape, dy, need_dx=True, preactivation=False):
        """As `Layer.backward`; with preactivation, dy is the gradient of the layer's input."""
        return dy if preactivation else self.along(activations.get("softmax").backward, tape, dy), []

    def along(self, function, *arrays):
        """A function of the last axis of `arrays`, along this one."""
        return np.ascontiguousarray(np.moveaxis(function(*(np.moveaxis(a, self.axis, -1) for a in arrays)), -1, self.axis))

    def get_config(self):
        return {"axis": self.axis, **self.plain_config()}
