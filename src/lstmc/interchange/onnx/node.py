"""A node as operators see it: attributes by name and type, which inputs are constant, and the largest array that it may make.

`operator` puts a function into the table of what is supported: it is given a Node once, and returns what computes the node's outputs
from its inputs, for every run.
"""

import math

import numpy as np

from lstmc.errors import FormatError
from lstmc.interchange.onnx import tensors

LIMIT = 2**28               # values of an array that an operator makes, in a run
RECURRENT = {"LSTM": (3, 8, 3), "GRU": (3, 6, 2), "RNN": (3, 6, 2)}     # least number of inputs, most, number of outputs at most
OPERATORS = {}              # op_type -> (function, least number of inputs, most, number of outputs at most)

# Number of a type in AttributeProto -> name, field.
KINDS = {1: ("float", "f"), 2: ("int", "i"), 3: ("string", "s"), 4: ("tensor", "t"), 5: ("graph", "g"), 6: ("floats", "floats"), 7: ("ints", "ints"),
         8: ("strings", "strings")}


class TooLarge(ValueError):
    """An array that is larger than an operator may make."""


def operator(*names, least=1, most=None, outputs=1):
    """Decorator: the function is that of these operators, of so many inputs and outputs; most: as `least` if None, any number if -1."""
    def put(function):
        for name in names:
            OPERATORS[name] = function, least, least if most is None else most, outputs
        return function

    return put


class Node:
    """A node of a graph.

    proto: its NodeProto. op: its operator. opset: the version of the operators. constants: for each input its value or None.
    limit: values of an array that it may make now.
    """

    def __init__(self, proto, opset, constants, folder):
        self.op, self.opset, self.constants, self.folder, self.limit = proto.op_type, opset, constants, folder, LIMIT
        self.name, self.inputs, self.outputs = proto.name, list(proto.input), list(proto.output)
        self.where = f"node {self.name!r} ({self.op})" if self.name else f"node of output {next(filter(None, self.outputs), '')!r} ({self.op})"
        self.attributes = {}
        for a in proto.attribute:
            if a.name in self.attributes:
                raise FormatError(f"{self.where}: expected every attribute once, received {a.name!r} twice")
            self.attributes[a.name] = a

    @property
    def key(self):
        """What to call it: its name, or its first output's."""
        return self.name or next(filter(None, self.outputs), "")

    def check(self):
        """Raise unless the operator is supported and has the inputs and outputs that it can have."""
        if self.op in RECURRENT:
            least, most, outputs = RECURRENT[self.op]
        elif self.op in OPERATORS:
            _, least, most, outputs = OPERATORS[self.op]
        else:
            way = "from_keras and from_torch take the model it was" if self.op in ("Loop", "Scan") else \
                "from_onnx(..., partial=True) gives the recurrent nodes alone"
            raise FormatError(f"{self.where}: the operator {self.op} is not supported; {way}")
        if len(self.inputs) < least or not all(self.inputs[:least if most >= 0 else None]) or (most >= 0 and len(self.inputs) > most):
            span = f"{least}" if most == least else f"{least} or more" if most < 0 else f"{least} to {most}"
            raise FormatError(f"{self.where}: expected {span} inputs, received {self.inputs[:20]}")
        if len(self.outputs) > outputs:
            raise FormatError(f"{self.where}: expected at most {outputs} outputs, received {len(self.outputs)}")

    # Attributes --------------------------------------------------------------------------------------------

    def attribute(self, name, kind, default=None):
        """The value of an attribute of a kind, or the default."""
        a = self.attributes.get(name)
        if a is None:
            return default
        found, field = KINDS.get(a.type, (a.type, None))
        if a.ref_attr_name or found != kind:
            raise FormatError(f"{self.where}: attribute {name!r}: expected a value of type {kind}, received type {found}")
        return getattr(a, field)

    def int(self, name, default=None, low=-2**31, high=2**31):
        value = self.attribute(name, "int", default)
        if value is not None and not low <= value <= high:
            raise FormatError(f"{self.where}: attribute {name!r}: expected a number from {low} to {high}, received {value}")
        return value

    def ints(self, name, default=None):
        value = self.attribute(name, "ints", default)
        return value if value is None else list(value)

    def float(self, name, default=None):
        value = self.attribute(name, "float", default)
        return value if value is None else self.finite([value], name)[0]

    def floats(self, name, default=()):
        return self.finite(self.attribute(name, "floats", default), name)

    def finite(self, values, name):
        if not all(map(math.isfinite, values)):
            raise FormatError(f"{self.where}: attribute {name!r}: expected finite numbers, received {next(v for v in values if not math.isfinite(v))}")
        return [float(v) for v in values]

    def text(self, name, default, allowed):
        value = self.attribute(name, "string", default)
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if value not in allowed:
            raise FormatError(f"{self.where}: attribute {name!r}: expected one of {', '.join(allowed)}, received {value[:40]!r}")
        return value

    def texts(self, name):
        return [value.decode("utf-8", "replace") for value in self.attribute(name, "strings", ())]

    def tensor(self, name, default=None):
        value = self.attribute(name, "tensor")
        return default if value is None else tensors.array(value, f"{self.where}: attribute {name!r}", self.folder)

    # Inputs and sizes --------------------------------------------------------------------------------------

    def stored(self, first):
        """Whether all inputs from `first` on that are there are constant, so that what they say can be read once."""
        return all(value is not None for name, value in zip(self.inputs[first:], self.constants[first:], strict=True) if name)

    def constant(self, i):
        """The value of an input that must be there and be constant already."""
        value = self.constants[i] if i < len(self.constants) else None
        if value is None:
            raise FormatError(f"{self.where}: expected a constant as input {i}, received {self.inputs[i:i + 1]}")
        return value

    def limited(self, shape):
        """A shape of an array to be made, if it is not too large."""
        shape = tuple(map(int, shape))
        if min(shape, default=0) < 0:
            raise ValueError(f"expected sizes of at least 0, received {shape}")
        if math.prod(shape) > self.limit:
            raise TooLarge(f"an array of shape {shape}, more than {self.limit} values")
        return shape

    def together(self, *arrays):
        """Raise if the shape to which arrays are broadcast is too large."""
        if len(arrays) > 3 or np.broadcast(*arrays).size > self.limit:          # of few it is quicker
            self.limited(np.broadcast_shapes(*[a.shape for a in arrays]))
