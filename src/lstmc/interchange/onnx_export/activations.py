"""Activation functions as operators, of constants in the precision of the graph: ONNX's own attributes are float32."""

import math

from lstmc.layers import activations as ours

HALF = 0.5


def arithmetic(b):
    """(add, sub, mul, div, least, most) of values and numbers."""
    def of(kind):
        return lambda x, y: b.op(kind, *(v if isinstance(v, str) else b.constant(v) for v in (x, y)))

    return [of(kind) for kind in ("Add", "Sub", "Mul", "Div", "Min", "Max")]


def where(b, test, x, y):
    return b.op("Where", test, *(v if isinstance(v, str) else b.constant(v) for v in (x, y)))


def clipped(b, x, low, high):
    _, _, _, _, least, most = arithmetic(b)
    return least(most(x, low), high)


def scaled(b, x, slope, offset, low=0, high=1):
    """slope x + offset, between two bounds."""
    add, _, mul, *_ = arithmetic(b)
    return clipped(b, add(mul(x, slope), offset), low, high)


def relu(b, x, negative_slope=0.0, max_value=None, threshold=0.0):
    _, sub, mul, _, least, most = arithmetic(b)
    if not negative_slope and not threshold:
        y = most(x, 0)
    else:
        below = mul(least(sub(x, threshold), 0), negative_slope) if negative_slope else 0
        y = where(b, b.op("Greater", x, b.constant(threshold)), x, below)
    return y if max_value is None else least(y, max_value)


def elu(b, x, alpha=1.0):
    _, sub, mul, _, least, _ = arithmetic(b)
    return where(b, b.op("Greater", x, b.constant(0)), x, mul(sub(b.op("Exp", least(x, 0)), 1), alpha))


def softplus(b, x):
    add, *_, most = arithmetic(b)
    return add(most(x, 0), b.op("Log", add(b.op("Exp", b.op("Neg", b.op("Abs", x))), 1)))


def gelu(b, x):
    add, _, mul, *_ = arithmetic(b)
    return mul(mul(x, HALF), add(b.op("Erf", mul(x, math.sqrt(HALF))), 1))


def shrunk(b, x, less):
    """0 where abs(x) <= 1/2, else x less something."""
    return where(b, b.op("LessOrEqual", b.op("Abs", x), b.constant(HALF)), 0, less)


def softsign(b, x):
    add, _, _, div, *_ = arithmetic(b)
    return div(x, add(b.op("Abs", x), 1))


def squareplus(b, x):
    add, _, mul, *_ = arithmetic(b)
    return mul(add(x, b.op("Sqrt", add(mul(x, x), 4))), HALF)


def sparse_plus(b, x):
    add, _, mul, *_ = arithmetic(b)
    one = add(x, 1)
    middle = where(b, b.op("Less", x, b.constant(1)), mul(mul(one, one), 0.25), x)
    return where(b, b.op("LessOrEqual", x, b.constant(-1)), 0, middle)


def times(b, x, y):
    return b.op("Mul", x, y)


FUNCTIONS = {
    "linear": lambda b, x: x,
    "relu": relu,
    "sigmoid": lambda b, x: b.op("Sigmoid", x),
    "tanh": lambda b, x: b.op("Tanh", x),
    "softmax": lambda b, x: b.op("Softmax", x, axis=-1),
    "leaky_relu": lambda b, x: relu(b, x, 0.2),
    "elu": elu,
    "hard_sigmoid": lambda b, x: scaled(b, x, 1 / 6, HALF),
    "hard_sigmoid_keras2": lambda b, x: scaled(b, x, 0.2, HALF),
    "softsign": softsign,
    "exponential": lambda b, x: b.op("Exp", x),
    "gelu": gelu,
    "silu": lambda b, x: times(b, x, b.op("Sigmoid", x)),
    "selu": lambda b, x: times(b, elu(b, x, ours.SELU_ALPHA), b.constant(ours.SELU_SCALE)),
    "celu": elu,
    "softplus": softplus,
    "mish": lambda b, x: times(b, x, b.op("Tanh", softplus(b, x))),
    "relu6": lambda b, x: clipped(b, x, 0, 6),
    "hard_tanh": lambda b, x: clipped(b, x, -1, 1),
    "hard_silu": lambda b, x: times(b, x, scaled(b, x, 1 / 6, HALF)),
    "log_sigmoid": lambda b, x: b.op("Neg", softplus(b, b.op("Neg", x))),
    "log_softmax": lambda b, x: b.op("LogSoftmax", x, axis=-1),
    "tanh_shrink": lambda b, x: b.op("Sub", x, b.op("Tanh", x)),
    "hard_shrink": lambda b, x: shrunk(b, x, x),
    "soft_shrink": lambda b, x: shrunk(b, x, b.op("Sub", x, times(b, b.op("Sign", x), b.constant(HALF)))),
    "squareplus": squareplus,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": lambda b, x: scaled(b, x, HALF, HALF),
}


def activation(b, x, function):
    """The value of an `lstmc.layers.activations.Activation`."""
    return FUNCTIONS[function.name](b, x)

