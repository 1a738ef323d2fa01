"""Modules of `lstmc.nn` as ONNX: x, the initial state and lengths in, y and the final state out; all but x can be left out."""

import numpy as np

from lstmc.interchange.onnx_export import cells
from lstmc.interchange.onnx_export.builder import ALL, started
from lstmc.training import files

DOC = ("x -> y and the final state. Inputs that have a default may be left out: the initial state, which is 0 then and may have a batch of 1, and "
       "lengths (of sequences; all steps).")


def module_to_onnx(m, path, opset):
    """Write a module; see `Module.to_onnx`."""
    path, b = started(m.dtype, path, opset)
    cells.check(m, type(m).__name__)
    x = given = b.input("x", m.dtype, ["batch", "time", m.input_size] if m.batch_first else ["time", "batch", m.input_size])
    x = b.transpose(x, 1, 0, 2) if m.batch_first else x
    batch = b.size(given, 0 if m.batch_first else 1)
    D, H, L = m.num_directions, m.hidden_size, m.num_layers
    initial = [b.input(f"{part}_0", m.dtype, [L * D, f"batch of {part}_0", H], np.zeros((L * D, 1, H))) for part in m._parts]
    initial = [cells.repeated(b, s, batch) for s in initial]
    lengths = b.input("lengths", np.int32, ["batch of lengths"], [ALL])
    steps = b.cast(b.size(x, 0), np.int32)
    lengths = b.op("Expand", b.op("Min", lengths, steps), batch)
    final = []
    for layer in range(L):
        state = initial if L == 1 else [b.slice(s, layer * D, layer * D + D, 0) for s in initial]
        Y, after = cells.node(b, m, layer, x, lengths, state, f"l{layer}")
        final.append(after)
        x = cells.joined(b, Y, D, H)
    y = b.transpose(x, 1, 0, 2) if m.batch_first else x
    b.output("y", y, ["batch", "time", D * H] if m.batch_first else ["time", "batch", D * H])
    for part, layers in zip(m._parts, zip(*final, strict=True), strict=True):
        b.output(f"{part}_n", layers[0] if L == 1 else b.op("Concat", *layers, axis=0), [L * D, "batch", H])
    files.write(path, b.bytes(type(m).__name__, DOC))
