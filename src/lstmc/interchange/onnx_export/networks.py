"""Models as ONNX: their inputs and outputs by name, and beside them lengths of sequences and states, which can be left out."""

import numpy as np

from lstmc.interchange.onnx_export import layers as exported
from lstmc.interchange.onnx_export.builder import ALL, started
from lstmc.interchange.onnx_export.masks import Mask
from lstmc.interchange.onnx_export.values import Value
from lstmc.layers.around import AroundModule
from lstmc.training import files

DOC = ("Inputs that have a default may be left out: lengths of sequences, all steps if not given, and states of recurrent layers, which are 0 then and "
       "may have a batch of 1. After a model's outputs come the final states.")


def network_to_onnx(model, path, opset):
    """Write a model; see `Model.to_onnx`."""
    model.build()
    path, b = started(model.dtype, path, opset)
    g = model.graph
    for step in g.steps:
        exported.check(step.layer)
        step.layer.check_complete()
    b.states = []
    values = [entered(b, model, n) for n in range(len(g.inputs))] + [None] * (len(g.tensors) - len(g.inputs))
    for layer, inputs, states, outputs, *_ in g.steps:
        x = [values[i] for i in inputs] if layer.merges else values[inputs[0]]
        given = {"states": [values[i] for i in states]} if states else {}
        found = exported.export(b, layer, x, **given)
        for i, y in zip(outputs, found if type(found) is tuple else (found,), strict=True):
            # A mask that a layer does not take ends there, as in the model.
            values[i] = y._replace(shape=g.tensors[i].shape, mask=y.mask if layer.supports_masking else None)
    for name, i in zip(model.output_names, g.kept, strict=True):
        b.output(name, values[i].name, ["batch" if not n else size for n, size in enumerate(values[i].shape)],
                 np.int64 if values[i].whole else None)
    for name, value, shape in b.states:
        b.output(name, value, shape)
    files.write(path, b.bytes(model.name or "model", DOC))


def entered(b, model, n):
    """Input n as a `Value`; sequences of free length have lengths."""
    t = model.graph.inputs[n]
    whole = exported.embeds(model.graph.caster(n))
    alone = len(model.graph.inputs) == 1
    names = {0: "batch", 1: "time" if alone else f"{t.name} time"}
    shape = [size if axis and size is not None else names.get(axis, f"{t.name} axis {axis}") for axis, size in enumerate(t.shape)]
    x = b.input(t.name, np.int64 if whole else b.dtype, shape)
    sequences = len(t.shape) > 1 and t.shape[1] is None and any(isinstance(layer, AroundModule) for layer in model.graph.layers)
    if not sequences:
        return Value(x, t.shape, None, whole)
    name = "lengths" if alone else f"{t.name}_lengths"
    lengths = b.input(name, np.int32, [f"batch of {name}"], [ALL])
    lengths = b.op("Expand", b.op("Min", lengths, b.cast(b.size(x, 1), np.int32)), b.size(x, 0))
    return Value(x, t.shape, Mask(b, x, lengths=lengths), whole)
