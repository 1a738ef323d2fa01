"""A graph under construction: nodes, constants, inputs and outputs by name; and the file that it becomes.

Only operators are used that the oldest opset has in the same form, so the opset decides the number in the file and, where an operator has changed, which
of its two forms is written.
"""

import numpy as np

from lstmc._version import __version__
from lstmc.nn import checks
from lstmc.training import files

OPSETS = (14, 22)               # oldest and newest
MOST = 2**31 - 2**16            # bytes of a protobuf message, less what is not weights
ALL = 2**31 - 1                 # as a length: all steps


def package():
    """The onnx package."""
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError(f'to_onnx needs the package onnx: pip install "lstmc[onnx]" ({error})') from error
    return onnx


class Builder:
    """A graph of one dtype of floats.

    Values are names. Parameters: dtype and opset.
    """

    def __init__(self, dtype, opset):
        self.onnx, self.dtype, self.opset = package(), np.dtype(dtype), opset
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.known, self.taken = {}, set()

    # Names ---------------------------------------------------------------------------------------------------

    def name(self, wanted):
        """A name that nothing has yet."""
        found, n = wanted, 0
        while found in self.taken:
            n += 1
            found = f"{wanted}_{n}"
        self.taken.add(found)
        return found

    # Values --------------------------------------------------------------------------------------------------

    def constant(self, value, dtype=None, name=None):
        """A constant; one of the same values that has no name of its own is there once."""
        a = np.asarray(value, self.dtype if dtype is None else dtype, order="C")
        key = (a.dtype.str, a.shape, a.tobytes()) if name is None else None
        if key is None or key not in self.known:
            found = self.name(name or "constant")
            self.initializers.append(self.onnx.numpy_helper.from_array(a, found))
            if key is None:
                return found
            self.known[key] = found
        return self.known[key]

    def ints(self, *values):
        """A constant row of int64."""
        return self.constant(values, np.int64)

    def input(self, name, dtype, shape, default=None):
        """A graph's input; with a default, which is a constant of the same name, it can be left out."""
        name = self.name(name)
        self.inputs.append(self.info(name, dtype, shape))
        if default is not None:
            self.initializers.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(default, dtype), name))
        return name

    def output(self, name, value, shape, dtype=None):
        """Make a value an output of this name."""
        self.op("Identity", value, name=name)
        self.outputs.append(self.info(self.nodes[-1].output[0], dtype or self.dtype, shape))

    def info(self, name, dtype, shape):
        return self.onnx.helper.make_tensor_value_info(name, self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)

    def op(self, kind, *inputs, outputs=1, name=None, **attributes):
        """What a new node gives: a name, or a list of them if there are several outputs."""
        found = [self.name(name or f"{kind.lower()}{len(self.nodes)}") for _ in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, found, name=f"{kind}_{len(self.nodes)}", **attributes))
        return found[0] if outputs == 1 else found

    # Operators whose form depends on the opset, and small compounds ---------------------------------------------

    def reduce(self, kind, x, axes, keepdims=True):
        """ReduceSum, ReduceMean or ReduceMax: axes became an input in opset 13 and 18."""
        if self.opset >= (13 if kind == "ReduceSum" else 18):
            return self.op(kind, x, self.ints(*axes), keepdims=int(keepdims))
        return self.op(kind, x, axes=list(axes), keepdims=int(keepdims))

    def cast(self, x, dtype=None):
        return self.op("Cast", x, to=self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype if dtype is None else dtype)))

    def unsqueeze(self, x, *axes):
        return self.op("Unsqueeze", x, self.ints(*axes))

    def squeeze(self, x, *axes):
        return self.op("Squeeze", x, self.ints(*axes))

    def reshape(self, x, *shape):
        """0 is the size that there is."""
        return self.op("Reshape", x, self.ints(*shape))

    def transpose(self, x, *perm):
        return self.op("Transpose", x, perm=list(perm))

    def slice(self, x, start, end, axis, step=1):
        return self.op("Slice", x, self.ints(start), self.ints(end), self.ints(axis), self.ints(step))

    def reverse(self, x, axis):
        """x from its last to its first along an axis."""
        return self.slice(x, -1, np.iinfo(np.int64).min, axis, -1)

    def size(self, x, axis):
        """(1,): a size of x."""
        return self.slice(self.op("Shape", x), axis, axis + 1, 0)

    # The file --------------------------------------------------------------------------------------------------

    def bytes(self, name, doc):
        """The checked model."""
        onnx = self.onnx
        graph = onnx.helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.initializers)
        size = sum(t.ByteSize() for t in self.initializers)
        if size > MOST:
            raise ValueError(f"model: expected weights of at most {MOST} bytes, which one ONNX file can hold, received {size}")
        opset = onnx.helper.make_opsetid("", self.opset)
        model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=onnx.helper.find_min_ir_version_for([opset]), producer_name="lstmc",
                                       producer_version=__version__, doc_string=doc)
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString(deterministic=True)


def started(dtype, path, opset):
    """(path as a Path, a new Builder): the arguments that every export has, checked."""
    path = files.path_of(path)
    if path.suffix != ".onnx":
        raise ValueError(f"path: expected a name that ends in .onnx, received {path.name!r}")
    return path, Builder(dtype, checks.integer(opset, "opset", *OPSETS))
