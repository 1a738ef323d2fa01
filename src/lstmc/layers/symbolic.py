"""Layers called on shapes instead of arrays: the symbolic tensors and calls of which `lstmc.Model` makes a graph.

`Input` gives the first tensor; a layer called on tensors is built, and gives tensors that remember the call.
"""

import weakref

from lstmc.nn import checks

_calls = weakref.WeakKeyDictionary()        # layer -> references to its calls, in their order; apart from the layer, so that no copy has them


class SymbolicTensor:
    """What a call will give once there are arrays.

    Attributes
    ----------
    shape : tuple
        With the batch axis; None where a size is free.
    dtype : dtype
    name : str
        Of the layer that gives it.
    """

    __slots__ = ("call", "dtype", "index", "shape")

    def __init__(self, shape, dtype, call, index):
        self.shape, self.dtype, self.call, self.index = tuple(shape), dtype, call, index

    @property
    def name(self):
        return self.call.layer.name

    @property
    def ndim(self):
        """Number of axes, the batch's included."""
        return len(self.shape)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(f"{self!r} stands for arrays to come and has no values: make an lstmc.Model of inputs and outputs, and give arrays to fit or predict")

    def __repr__(self):
        return f"<SymbolicTensor shape={checks.shape_text(self.shape)}, from {self.name}>"


class Call:
    """One use of a layer: the tensors it takes, initial states apart, and gives."""

    __slots__ = ("__weakref__", "inputs", "layer", "outputs", "states")

    def __init__(self, layer, inputs, states, shapes):
        self.layer, self.inputs, self.states = layer, list(inputs), list(states)
        self.outputs = [SymbolicTensor(shape, layer.dtype, self, i) for i, shape in enumerate(shapes)]
        _calls[layer] = [call for call in _calls.get(layer, ()) if call() is not None] + [weakref.ref(self)]


def first_call(layer):
    """The first call of a layer of which there still are tensors; AttributeError if there is none."""
    found = next((call for reference in _calls.get(layer, ()) if (call := reference()) is not None), None)
    if found is None:
        raise AttributeError(f"{layer.name} has no input and output yet: it was not called on symbolic tensors; model.build() does so with the layers of a "
                             "Sequential")
    return found


def is_symbolic(x):
    """Whether x is a symbolic tensor, or a list or dict that begins with one."""
    x = list(x.values()) if isinstance(x, dict) else x
    return isinstance(x, SymbolicTensor) or (isinstance(x, (list, tuple)) and bool(x) and isinstance(x[0], SymbolicTensor))


def apply(layer, x, states=(), draw=True):
    """The tensor, or the list of tensors, that a layer gives for x (a list, if it merges), building it first if need be, as `Layer.build` says."""
    inputs = list(x) if layer.merges and isinstance(x, (list, tuple)) else [x]
    for t in (*inputs, *states):
        if not isinstance(t, SymbolicTensor):
            raise TypeError(f"{layer.name}: expected symbolic tensors alone, which Input and layers give, received {type(t).__name__} among them")
    shape = [t.shape for t in inputs] if layer.merges else inputs[0].shape
    layer.check_shape(shape)
    layer.build(shape, draw=draw)
    if states:
        layer.check_states([t.shape for t in states])
    found = layer.compute_output_shape(shape)
    several = isinstance(found[0], tuple)
    outputs = Call(layer, inputs, states, found if several else [found]).outputs
    return outputs if several else outputs[0]
