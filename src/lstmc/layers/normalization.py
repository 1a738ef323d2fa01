"""LayerNormalization and BatchNormalization, to mean 0 and variance 1 over features, or over the batch; UnitNormalization, to length 1.

The first two compute on a matrix, whose rows are summed by fixed trees of additions.
"""

import math
from typing import ClassVar

import numpy as np

from lstmc import initializers, regularizers
from lstmc.arguments import NO_CONSTRAINT
from lstmc.layers.base import Layer
from lstmc.layers.sums import onto, total
from lstmc.layers.variable import Variable
from lstmc.nn import checks


class _Normalization(Layer):
    """gamma x' + beta, x' normalised.

    Subclasses give `size`, the shape of gamma and beta.
    """

    fixed = Layer.fixed | {"axis", "epsilon", "center", "scale"}
    unsupported: ClassVar = {"beta_constraint": (None, NO_CONSTRAINT), "gamma_constraint": (None, NO_CONSTRAINT)}

    def __init__(self, axis, epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, *, name=None,
                 dtype=None, seed=None, **arguments):
        super().__init__(name, dtype, seed, **arguments)
        self.axis, self.epsilon = axis, checks.at_least_0(epsilon, "epsilon")
        self.center, self.scale = checks.flag(center, "center"), checks.flag(scale, "scale")
        self.beta_initializer = initializers.get(beta_initializer, "beta_initializer")
        self.gamma_initializer = initializers.get(gamma_initializer, "gamma_initializer")
        self.beta_regularizer = regularizers.get(beta_regularizer, "beta_regularizer")
        self.gamma_regularizer = regularizers.get(gamma_regularizer, "gamma_regularizer")

    def places(self, shape):
        """The axes counted from 0, in ascending order."""
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return tuple(sorted({a % len(shape) if -len(shape) <= a < len(shape) else 0 for a in axes}))

    def size(self, shape):
        """The sizes of these axes."""
        return tuple(shape[a] for a in self.places(shape))

    def check_shape(self, shape):
        if len(shape) < 2 or 0 in self.places(shape):
            raise self.wrong_shape(f"(batch, ...) of which axis={self.axis} is not the batch's", shape)
        size = self.size(shape)
        known = self.variables[0].shape if self.built and self.variables else (None,) * len(size)
        if None in size or any(n not in (None, own) for n, own in zip(known, size, strict=True)):
            raise self.wrong_shape(f"with sizes {checks.shape_text(known).replace('None', 'that are fixed')} along axis={self.axis}", shape)

    def weight_shapes(self, input_shape):
        size = self.size(input_shape)
        return {name: size for name, there in (("gamma", self.scale), ("beta", self.center)) if there}

    def create(self, input_shape):
        self.variables = [Variable(name, np.zeros(shape, self.dtype), trainable=not name.startswith("moving_"),
                                   regularizer=getattr(self, f"{name}_regularizer", None)) for name, shape in self.weight_shapes(input_shape).items()]

    def initialize(self, input_shape):
        for i, v in enumerate(self.variables):
            v.set(self.draw(getattr(self, f"{v.name}_initializer"), v.shape, i))

    def weight(self, name):
        """The live array of a weight, flat; None if there is none."""
        return next((v.array.reshape(-1) for v in self.variables if v.name == name), None)

    def rows(self, a):
        """a as a matrix whose columns are the axes."""
        places = self.places(a.shape)
        others = tuple(n for n in range(a.ndim) if n not in places)
        return np.ascontiguousarray(a.transpose(others + places)).reshape(math.prod(a.shape[n] for n in others), math.prod(self.size(a.shape)))

    def unrolled(self, rows, shape):
        """The inverse of `rows`."""
        places = self.places(shape)
        order = tuple(n for n in range(len(shape)) if n not in places) + places
        return np.ascontiguousarray(rows.reshape([shape[n] for n in order]).transpose(np.argsort(order)))

    def scaled(self, x):
        """gamma x + beta, for rows."""
        gamma, beta = self.weight("gamma"), self.weight("beta")
        x = x if gamma is None else x * gamma
        return x if beta is None else x + beta

    def scaled_bwd(self, x, dy):
        """(dx, gradients of gamma and beta as far as there are such) of `scaled`."""
        gamma = self.weight("gamma")
        found = {"gamma": lambda: total(dy * x, 0), "beta": lambda: total(dy, 0)}
        return dy if gamma is None else dy * gamma, [found[v.name]().reshape(v.shape) for v in self.variables if v.name in found]

    def get_config(self):
        weights = ("beta_initializer", "gamma_initializer")
        return {"axis": list(self.axis) if isinstance(self.axis, tuple) else self.axis, "epsilon": self.epsilon, "center": self.center,
                "scale": self.scale, **{name: initializers.config_of(getattr(self, name)) for name in weights},
                **regularizers.configs_of(self, ("beta_regularizer", "gamma_regularizer")), **super().get_config()}


class LayerNormalization(_Normalization):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance over the axes: of every sample, and step, by itself.

    Parameters
    ----------
    axis : int or list of int
        Without the batch's. gamma and beta have their sizes.
    epsilon : float
    center, scale : bool
        Whether there is beta, and gamma.
    beta_initializer, gamma_initializer : str or lstmc.initializers.Initializer
    beta_regularizer, gamma_regularizer : str or lstmc.regularizers.Regularizer, optional
    name, dtype, seed
        See `Layer`.
    """

    unsupported: ClassVar = {**_Normalization.unsupported, "rms_scaling": (False, "it divides by the standard deviation without taking the mean off")}

    def __init__(self, axis=-1, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros", gamma_initializer="ones", beta_regularizer=None,
                 gamma_regularizer=None, **arguments):
        axis = tuple(checks.integer(a, "axis", -16, 16) for a in axis) if isinstance(axis, (tuple, list)) else checks.integer(axis, "axis", -16, 16)
        super().__init__(axis, epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, **arguments)

    def forward(self, x, mask=None, training=False, step=0):
        a, n = self.rows(x), self.dtype.type(max(math.prod(self.size(x.shape)), 1))
        a = a - (total(a, 1) / n)[:, None]
        inverse = (1 / np.sqrt(total(a * a, 1) / n + self.dtype.type(self.epsilon)))[:, None]
        a = a * inverse
        return self.unrolled(self.scaled(a), x.shape), mask, (a, inverse, n) if training else None

    def backward(self, tape, dy, need_dx=True):
        a, inverse, n = tape
        da, grads = self.scaled_bwd(a, self.rows(dy))
        if not need_dx:
            return None, grads
        dx = inverse * (da - (total(da, 1) / n)[:, None] - a * (total(da * a, 1) / n)[:, None])
        return self.unrolled(dx, dy.shape), grads


class BatchNormalization(_Normalization):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance of every feature.

    In training they are those of the batch, of its valid steps if there is a mask, and move the statistics that inference uses:
    moving = momentum moving + (1 - momentum) batch. With trainable=False the statistics are used in training, too, and do not move.

    Parameters
    ----------
    axis : int
        That of the features.
    momentum, epsilon : float
    center, scale : bool
        Whether there is beta, and gamma.
    beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer : str or lstmc.initializers.Initializer
    beta_regularizer, gamma_regularizer : str or lstmc.regularizers.Regularizer, optional
    name, dtype, seed
        See `Layer`.
    """

    fixed = _Normalization.fixed | {"momentum"}
    unsupported: ClassVar = {
        **_Normalization.unsupported,
        "renorm": (False, "use LayerNormalization for small batches"),
        "renorm_clipping": (None, "use LayerNormalization for small batches"),
        "renorm_momentum": (0.99, "use LayerNormalization for small batches"),
        "synchronized": (False, "there is one process"),
    }

    def __init__(self, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros", gamma_initializer="ones",
                 moving_mean_initializer="zeros", moving_variance_initializer="ones", beta_regularizer=None, gamma_regularizer=None, **arguments):
        super().__init__(checks.integer(axis, "axis", -16, 16), epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer,
                         gamma_regularizer, **arguments)
        self.momentum = checks.at_least_0(momentum, "momentum")
        self.moving_mean_initializer = initializers.get(moving_mean_initializer, "moving_mean_initializer")
        self.moving_variance_initializer = initializers.get(moving_variance_initializer, "moving_variance_initializer")

    def weight_shapes(self, input_shape):
        size = self.size(input_shape)
        return {**super().weight_shapes(input_shape), "moving_mean": size, "moving_variance": size}

    def forward(self, x, mask=None, training=False, step=0):
        if mask is not None and mask.ndim != x.ndim - 1:
            raise ValueError(f"{self.name}: mask: expected shape {checks.shape_text(x.shape[:-1])}, received {checks.shape_text(mask.shape)}")
        a, valid, n = self.rows(x), None, None
        of_batch = training and self.trainable
        if not of_batch:
            mean, variance = self.weight("moving_mean"), self.weight("moving_variance")
        else:
            valid, n = self.counted(x, mask)
            mean = total(a if valid is None else np.where(valid, a, 0 * n), 0) / n
        a = a - mean
        if of_batch:
            variance = total(np.square(a if valid is None else np.where(valid, a, 0 * n)), 0) / n
            self.move(mean, variance)
        inverse = 1 / np.sqrt(variance + self.dtype.type(self.epsilon))
        return self.unrolled(self.scaled(a * inverse), x.shape), mask, (a, inverse, valid, n) if training else None

    def counted(self, x, mask):
        """(which values of `rows` count, None for all; their number for every feature, to which Keras adds 1e-7 where there is a mask)."""
        if mask is None:
            return None, self.dtype.type(max(x.size // max(self.size(x.shape)[0], 1), 1))
        valid = self.rows(np.broadcast_to(mask[..., None], x.shape))
        return valid, valid.sum(0).astype(self.dtype) + self.dtype.type(1e-7)

    def move(self, mean, variance):
        """Move the statistics towards those of a batch."""
        kept, new = self.dtype.type(self.momentum), self.dtype.type(1 - self.momentum)
        for name, value in (("moving_mean", mean), ("moving_variance", variance)):
            moving = self.weight(name)
            moving[...] = moving * kept + value * new

    def backward(self, tape, dy, need_dx=True):
        a, inverse, valid, n = tape
        da, grads = self.scaled_bwd(a * inverse, self.rows(dy))
        grads += [None, None]
        if not need_dx:
            return None, grads
        dx = da * inverse
        if n is not None:
            # variance = sum of valid a^2 / n, a = x - mean, mean = sum of valid x / n
            dvariance = total(da * a, 0) * (inverse * inverse * inverse) / -2
            through = a * (2 * dvariance / n)
            through = through if valid is None else np.where(valid, through, 0 * n)
            dmean = -(total(dx, 0) + total(through, 0)) / n
            dx = dx + through + (dmean if valid is None else np.where(valid, dmean, 0 * n))
        return self.unrolled(dx, dy.shape), grads

    def get_config(self):
        more = ("moving_mean_initializer", "moving_variance_initializer")
        return {"momentum": self.momentum, **{name: initializers.config_of(getattr(self, name)) for name in more}, **super().get_config()}


class UnitNormalization(Layer):
    """Values divided by the root of the sum of their squares over some axes, at most multiplied by 1e12.

    Parameters
    ----------
    axis : int or list of int
        Those of a sum; the batch's is 0.
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"axis"}
    MOST = 1e12

    def __init__(self, axis=-1, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        self.axis = [checks.integer(n, "axis", -16, 16) for n in axis] if isinstance(axis, (list, tuple)) else checks.integer(axis, "axis", -16, 16)

    def axes(self, ndim):
        """Those of the sum, from 0 on, of `ndim` axes."""
        return sorted({n % ndim for n in np.atleast_1d(self.axis).tolist()})

    def check_shape(self, shape):
        if not all(-len(shape) <= n < len(shape) for n in np.atleast_1d(self.axis)):
            raise self.wrong_shape(f"with an axis {self.axis}", shape)

    def summed(self, x):
        """The sum of x over the axes, which stay."""
        axes = self.axes(x.ndim)
        return onto(x, tuple(1 if n in axes else size for n, size in enumerate(x.shape)))

    def forward(self, x, mask=None, training=False, step=0):
        squares = self.summed(x * x)
        with np.errstate(divide="ignore"):
            inverse = np.minimum(1 / np.sqrt(squares), self.dtype.type(self.MOST))
        y = x * inverse
        return y, mask, (y, inverse) if training else None

    def backward(self, tape, dy, need_dx=True):
        y, inverse = tape
        along = np.where(inverse < self.dtype.type(self.MOST), self.summed(dy * y), self.dtype.type(0))
        return (dy - y * along) * inverse, []

    def get_config(self):
        return {"axis": self.axis, **self.plain_config()}
