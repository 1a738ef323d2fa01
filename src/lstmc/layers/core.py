"""Layers without recurrence: Input and InputLayer, Dense, Activation, Flatten, Masking."""

import math
from typing import ClassVar

import numpy as np

from lstmc import initializers, regularizers
from lstmc.arguments import CHANNELS_LAST, NO_CONSTRAINT
from lstmc.kernels import linear
from lstmc.layers import activations
from lstmc.layers.base import Layer, reshaping
from lstmc.layers.symbolic import Call
from lstmc.layers.variable import Variable
from lstmc.nn import checks


class InputLayer(Layer):
    """The place where arrays come in: their shape, and what `Input` returns a tensor of.

    Parameters
    ----------
    shape, batch_size, dtype, name, batch_shape
        As of `Input`.
    implied : bool
        The shape is that of the first data: other sizes are left to the layers.
    """

    fixed = Layer.fixed | {"shape"}
    unsupported: ClassVar = {
        "sparse": (None, "pass a dense array"),
        "ragged": (None, "give fit a list of arrays, or pad sequences and add Masking"),
        "tensor": (None, "arrays are given to fit and predict"),
        "optional": (False, "every input of a model is needed"),
    }

    def __init__(self, shape=None, batch_size=None, dtype=None, name=None, *, batch_shape=None, implied=False, **arguments):
        any_dtype = dtype is None or (isinstance(dtype, str) and (dtype.startswith(("int", "uint")) or dtype == "bool"))
        super().__init__(name=name, dtype=None if any_dtype else dtype, **arguments)
        if batch_shape is not None:
            if shape is not None or batch_size is not None:
                raise ValueError(f"batch_shape: expected None with shape or batch_size, received {batch_shape!r}")
            if not isinstance(batch_shape, (tuple, list)) or not batch_shape:
                raise ValueError(f"batch_shape: expected a tuple with the batch axis, such as (32, None, 12), received {batch_shape!r}")
            batch_size, *shape = batch_shape
        if not isinstance(shape, (tuple, list)):
            raise ValueError(f"shape: expected a tuple without the batch axis, such as (None, 12), received {shape!r}")
        self.batch_size = None if batch_size is None else checks.integer(batch_size, "batch_size", 1)
        self.shape = tuple(None if n is None else checks.size(n, "shape", 0 if implied else 1) for n in shape)
        self.any_dtype, self.implied, self.turns = any_dtype, implied, ()
        self.tensor = Call(self, (), (), [(self.batch_size, *self.shape)]).outputs[0]

    def check_shape(self, shape):
        if len(shape) != len(self.shape) + 1 or (not self.implied and any(w not in (None, n) and n is not None
                                                    for w, n in zip(self.shape, shape[1:], strict=True))):
            raise self.wrong_shape(checks.shape_text(("batch", *self.shape)).replace("None", "any"), shape,
                                   reshaping(shape, *self.shape) if len(self.shape) == 2 else "")

    def forward(self, x, mask=None, training=False, step=0):
        return x, mask, () if training else None

    def backward(self, tape, dy, need_dx=True):
        return dy, []

    def get_config(self):
        fixed = {} if self.batch_size is None else {"batch_size": self.batch_size}
        return {"shape": list(self.shape), **fixed, "name": self.name, "dtype": None if self.any_dtype else str(self.dtype)}


def Input(shape=None, batch_size=None, dtype=None, name=None, *, batch_shape=None, **arguments):
    """A model's input: the first entry of a `Sequential`, or what the first layers of a `Model` are called on.

    Parameters
    ----------
    shape : tuple
        Without the batch axis; None where a size is free, as the number of steps may be.
    batch_size : int, optional
        For the record: every call may have batches of another size, as long as no layer is stateful.
    dtype : str, optional
        "float32" or "float64": the dtype that all layers must have. Others, such as "int32", say nothing here: what layers need is cast.
    name : str, optional
        By which fit finds it in a dict of inputs.
    batch_shape : tuple, optional
        `(batch_size, *shape)`.

    Returns
    -------
    SymbolicTensor
    """
    return InputLayer(shape, batch_size, dtype, name, batch_shape=batch_shape, **arguments).tensor


class Product(Layer):
    """Base of layers that compute activation(x w + b) of the rows that `_rows` makes of x, with the kernel in rows of its last axis as w."""

    fixed = Layer.fixed | {"use_bias"}
    unsupported: ClassVar = {
        "kernel_constraint": (None, NO_CONSTRAINT),
        "bias_constraint": (None, NO_CONSTRAINT),
        "lora_rank": (None, "train all weights"),
        "lora_alpha": (None, "train all weights"),
        "quantization_config": (None, "use dtype float32 or float64"),
    }

    def __init__(self, activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, name, dtype, seed, **arguments):
        super().__init__(name, dtype, seed, **arguments)
        self.activation = activations.get(activation)
        self.use_bias = checks.flag(use_bias, "use_bias")
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        self.kernel_regularizer = regularizers.get(kernel_regularizer, "kernel_regularizer")
        self.bias_regularizer = regularizers.get(bias_regularizer, "bias_regularizer")

    def _kernel_shape(self, features):
        """That of the kernel, in Keras' layout, for inputs of so many features."""
        raise NotImplementedError

    def _rows(self, x):
        """(M, K), or (B, R, K), of x."""
        raise NotImplementedError

    _rows_bwd = None        # (dz, shape) -> the gradient of x, of this shape, from that of x w + b, where rows are not those of x as it is

    def weight_shapes(self, input_shape):
        kernel = self._kernel_shape(input_shape[-1])
        return {"kernel": kernel, "bias": kernel[-1:]} if self.use_bias else {"kernel": kernel}

    def create(self, input_shape):
        self.variables = [Variable(name, np.zeros(shape, self.dtype), regularizer=getattr(self, f"{name}_regularizer"))
                          for name, shape in self.weight_shapes(input_shape).items()]

    def initialize(self, input_shape):
        for i, (v, initializer) in enumerate(zip(self.variables, (self.kernel_initializer, self.bias_initializer), strict=False)):
            v.set(self.draw(initializer, v.array.shape, i))

    @property
    def _kernel(self):
        return self.variables[0]._array

    def forward(self, x, mask=None, training=False, step=0):
        rows = self._rows(x)
        z = self._product(rows, x.shape)
        y = self.activation.forward(z)
        return y, mask if self.supports_masking else None, (rows, x.shape, self.activation.kept(z, y)) if training else None

    def _value(self, x):
        """What `forward` makes of an array."""
        return self.activation.forward(self._product(self._rows(x), x.shape))

    def _product(self, rows, shape):
        """x w + b."""
        z = np.empty(self.compute_output_shape(shape), self.dtype)
        linear.linear_fwd(rows, in_rows(self._kernel), self.variables[1]._array if self.use_bias else None, in_rows(z))
        return z

    def backward(self, tape, dy, need_dx=True, preactivation=False):
        """As `Layer.backward`; with preactivation, dy is the gradient of x w + b."""
        rows, shape, kept = tape
        dz = dy if preactivation else self.activation.backward(kept, dy)
        grads = [np.empty_like(v._array) for v in self.variables]
        dx = np.empty(shape, self.dtype) if need_dx and self._rows_bwd is None else None
        linear.linear_bwd(rows, in_rows(self._kernel), in_rows(dz), None if dx is None else in_rows(dx), in_rows(grads[0]),
                          grads[1] if self.use_bias else None)
        return self._rows_bwd(dz, shape) if need_dx and dx is None else dx, grads

    def get_config(self):
        return {
            "activation": self.activation.name,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.config_of(self.kernel_initializer),
            "bias_initializer": initializers.config_of(self.bias_initializer),
            **regularizers.configs_of(self, ("kernel_regularizer", "bias_regularizer")),
            **super().get_config(),
        }


class Dense(Product):
    """y = activation(x w + b) on the last axis; kernel (inputs, units), bias (units,).

    Parameters
    ----------
    units : int
    activation : str or function of lstmc.activations, optional
    use_bias : bool
    kernel_initializer, bias_initializer : str or lstmc.initializers.Initializer
    kernel_regularizer, bias_regularizer : str or lstmc.regularizers.Regularizer, optional
    name, dtype, seed
        See `Layer`.
    """

    fixed = Product.fixed | {"units"}

    def __init__(self, units, activation=None, use_bias=True, kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, *, name=None, dtype=None, seed=None, **arguments):
        super().__init__(activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, name, dtype, seed, **arguments)
        self.units = checks.size(units, "units")

    def check_shape(self, shape):
        inputs = self.weights[0].shape[0] if self.built else None
        if len(shape) < 2 or shape[-1] is None or (inputs is not None and shape[-1] != inputs):
            raise self.wrong_shape(f"(batch, ..., {inputs or 'inputs'})", shape)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def _kernel_shape(self, features):
        return (features, self.units)

    def _rows(self, x):
        return in_rows(x)

    def get_config(self):
        return {"units": self.units, **super().get_config()}


def in_rows(a):
    """An array as rows of its last axis."""
    return a if a.ndim == 2 else a.reshape(-1, a.shape[-1])


class Activation(Layer):
    """An activation function as a layer.

    Parameters
    ----------
    activation : str or function of lstmc.activations
        softmax acts on the last axis.
    """

    def __init__(self, activation, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        self.activation = activations.get(activation)

    def forward(self, x, mask=None, training=False, step=0):
        y = self.activation.forward(x)
        return y, mask, self.activation.kept(x, y) if training else None

    def _value(self, x):
        """What `forward` makes of an array."""
        return self.activation.forward(x)

    def backward(self, tape, dy, need_dx=True, preactivation=False):
        """As `Layer.backward`; with preactivation, dy is the gradient of the layer's input."""
        return dy if preactivation else self.activation.backward(tape, dy), []

    def get_config(self):
        return {"activation": self.activation.name, **self.plain_config()}


class ActivityRegularization(Layer):
    """The input as it is; the penalty l1 sum abs(x) + l2 sum x^2, divided by the size of the batch, is part of a model's loss.

    Parameters
    ----------
    l1, l2 : float
    name, dtype
        See `Layer`.
    """

    def __init__(self, l1=0.0, l2=0.0, *, name=None, dtype=None, **arguments):
        if "activity_regularizer" in arguments:
            raise TypeError("activity_regularizer: expected l1 and l2 in its place")
        super().__init__(name, dtype, activity_regularizer=regularizers.L1L2(l1, l2), **arguments)

    def forward(self, x, mask=None, training=False, step=0):
        return x, mask, () if training else None

    def backward(self, tape, dy, need_dx=True):
        return dy, []

    def get_config(self):
        return {**self.activity_regularizer.get_config(), **{k: v for k, v in self.plain_config().items() if k != "activity_regularizer"}}


class Flatten(Layer):
    """(batch, ...) to (batch, everything); data_format is None, for the layout is Keras' channels_last."""

    unsupported: ClassVar = CHANNELS_LAST
    supports_masking = False

    def __init__(self, data_format=None, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, data_format=data_format, **arguments)

    def compute_output_shape(self, input_shape):
        rest = input_shape[1:]
        return (input_shape[0], None if None in rest else math.prod(rest))

    def forward(self, x, mask=None, training=False, step=0):
        return x.reshape(len(x), math.prod(x.shape[1:])), None, x.shape if training else None

    def backward(self, tape, dy, need_dx=True):
        return dy.reshape(tape), []

    def get_config(self):
        return self.plain_config()


class Masking(Layer):
    """Marks the steps whose values all equal `mask_value` as padding, wherever they are, beside those that are padding already; zeroes them."""

    def __init__(self, mask_value=0.0, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        if isinstance(mask_value, (bool, np.bool_)) or not isinstance(mask_value, (int, float, np.integer, np.floating)):
            raise TypeError(f"mask_value: expected a number, received {mask_value!r}")
        self.mask_value = float(mask_value)

    def check_shape(self, shape):
        if len(shape) != 3:
            raise self.wrong_shape("(batch, time, features)", shape)

    def forward(self, x, mask=None, training=False, step=0):
        valid = (x != self.dtype.type(self.mask_value)).any(-1)
        valid = valid if mask is None else valid & mask
        return np.where(valid[:, :, None], x, self.dtype.type(0)), valid, valid if training else None

    def backward(self, tape, dy, need_dx=True):
        return np.where(tape[:, :, None], dy, self.dtype.type(0)), []

    def get_config(self):
        return {"mask_value": self.mask_value, **self.plain_config()}
