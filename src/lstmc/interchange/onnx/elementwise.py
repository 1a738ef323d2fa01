"""Operators that compute an element from elements: arithmetic, comparisons, activations, softmax. exp, log, tanh and sigmoid are the kernels'."""

import numpy as np

from lstmc.interchange.onnx import tensors
from lstmc.interchange.onnx.node import operator
from lstmc.layers import activations, elementary


def divide(a, b):
    """Of whole numbers the quotient without its fraction, rounded towards 0."""
    if a.dtype.kind == "f":
        return a / b
    return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)


def power(a, b):
    """a to the power of b, of a's type; whole powers of a square and a root are IEEE's operations, whatever the NumPy in use."""
    if b.size == 1 and a.dtype.kind == "f" and b.reshape(()) in (2, 0.5):
        return np.broadcast_to(a * a if b.reshape(()) == 2 else np.sqrt(a), np.broadcast_shapes(a.shape, b.shape))
    return np.power(a, b).astype(a.dtype)


PAIRS = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": divide, "Equal": np.equal, "Less": np.less, "Greater": np.greater,
         "LessOrEqual": np.less_equal, "GreaterOrEqual": np.greater_equal, "And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor}
SINGLE = {"Neg": np.negative, "Abs": np.abs, "Sqrt": np.sqrt, "Floor": np.floor, "Ceil": np.ceil, "Not": np.logical_not, "Sign": np.sign,
          "Reciprocal": lambda x: 1 / x, "IsNaN": np.isnan}
# Activations whose formula and constants are those of ONNX; they take floats alone.
FLOATS = {"Sigmoid": elementary.sigmoid, "Tanh": elementary.tanh, "Exp": elementary.exp, "Log": elementary.log, "Erf": elementary.erf,
          "Softplus": activations.softplus, "Softsign": lambda x: x / (1 + np.abs(x)), "Mish": activations.get("mish").forward,
          "HardSwish": activations.get("hard_silu").forward}


def floating(x):
    """x, which must be of floats that the kernels have."""
    if x.dtype.char not in "fd":
        raise ValueError(f"expected float32 or float64, received {x.dtype}")
    return x


@operator(*PAIRS, least=2)
def pair(node):
    function = PAIRS[node.op]

    def run(a, b):
        if a.dtype != b.dtype:
            raise ValueError(f"expected two arrays of one type, received {a.dtype} and {b.dtype}")
        node.together(a, b)
        return function(a, b)

    return run


@operator("Pow", least=2)
def raised(node):
    def run(a, b):
        node.together(a, b)
        return power(a, b)

    return run


@operator("Min", "Max", "Sum", least=1, most=-1)
def several(node):
    function = {"Min": np.minimum, "Max": np.maximum, "Sum": np.add}[node.op]

    def run(*arrays):
        node.together(*arrays)
        found = arrays[0]
        for a in arrays[1:]:
            found = function(found, a)
        return found

    return run


@operator("Where", least=3)
def where(node):
    def run(condition, a, b):
        node.together(condition, a, b)
        return np.where(condition, a, b)

    return run


@operator(*SINGLE)
def single(node):
    return SINGLE[node.op]


@operator(*FLOATS)
def of_floats(node):
    function = FLOATS[node.op]
    return lambda x: function(floating(x))


@operator("Relu")
def relu(node):
    return lambda x: np.maximum(x, x.dtype.type(0))


@operator("LeakyRelu", "Elu", "HardSigmoid", "ThresholdedRelu", "Selu", "Celu")
def with_constants(node):
    alpha = node.float("alpha", {"LeakyRelu": 0.01, "HardSigmoid": 0.2, "Selu": 1.6732632423543772}.get(node.op, 1.0))
    beta, gamma = node.float("beta", 0.5), node.float("gamma", 1.0507009873554805)
    function = {
        "LeakyRelu": lambda x, t: np.where(x < 0, x * t(alpha), x),
        "Elu": lambda x, t: activations.elu(x, alpha),
        "Celu": lambda x, t: activations.celu(x, alpha),
        "HardSigmoid": lambda x, t: np.clip(x * t(alpha) + t(beta), t(0), t(1)),
        "ThresholdedRelu": lambda x, t: np.where(x > t(alpha), x, t(0)),
        "Selu": lambda x, t: t(gamma) * activations.elu(x, alpha),
    }[node.op]
    return lambda x: function(floating(x), x.dtype.type)


@operator("Gelu")
def gelu(node):
    approximate = node.text("approximate", "none", ("none", "tanh")) == "tanh"
    return lambda x: activations.gelu(floating(x), approximate)


@operator("Clip", least=1, most=3)
def clip(node):
    low, high = node.float("min"), node.float("max")

    def run(x, least=low, most=high):
        x = x if least is None else np.maximum(x, np.asarray(least, x.dtype))
        return x if most is None else np.minimum(x, np.asarray(most, x.dtype))

    return run


@operator("Softmax", "LogSoftmax")
def softmax(node):
    """Along an axis; before opset 13 along all axes from one on, as if they were one."""
    axis = node.int("axis", -1 if node.opset >= 13 else 1)
    function = activations.get("softmax" if node.op == "Softmax" else "log_softmax").forward

    def run(x):
        floating(x)
        if node.opset < 13:
            at = axis + x.ndim if axis < 0 else axis
            return function(x.reshape(int(np.prod(x.shape[:at])), -1)).reshape(x.shape)
        if axis in (-1, x.ndim - 1) and x.ndim:
            return function(x)
        return np.moveaxis(function(np.moveaxis(x, axis, -1)), -1, axis)

    return run


@operator("Cast", "CastLike", least=1, most=2)
def cast(node):
    if node.op == "CastLike":
        return lambda x, like: x.astype(like.dtype, copy=False)
    dtype = tensors.dtype_of(node.int("to", 0), f"{node.where}: attribute 'to'")
    return lambda x: x.astype(dtype, copy=False)


@operator("DequantizeLinear", least=2, most=3)
def dequantized(node):
    """(x - zero_point) scale, with one scale or one for each index of an axis."""
    axis, blocks = node.int("axis", 1), node.int("block_size", 0)
    if blocks:
        raise ValueError(f"attribute 'block_size': expected none, received {blocks}")

    def run(x, scale, zero=None):
        node.together(x)
        shape = [1] * x.ndim
        if scale.ndim:
            shape[axis] = scale.size
        y = x.astype(scale.dtype)
        if zero is not None:
            y = (x.astype(np.int64) - zero.reshape(shape).astype(np.int64)).astype(scale.dtype)
        return y * scale.reshape(shape)

    return run
