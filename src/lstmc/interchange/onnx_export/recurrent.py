"""Layers around a module of `lstmc.nn` as nodes: Keras' order of steps, masks, states and outputs around ONNX's.

Beside what they return, layers have their first state as an input with a default, and their final one as an output: `b.states`.
"""

import numpy as np

from lstmc.interchange.onnx_export import cells
from lstmc.interchange.onnx_export.values import Value


def run(b, layer, x, states, optional):
    """(y (B, T, D*H) of the steps that count, the mask of what was run, initial and final state as parts of (D, B, H))."""
    m, name, mask = layer.module, x.name, x.mask
    cells.check(m, layer.name)
    if layer.go_backwards:
        name, mask = b.reverse(name, 1), None if mask is None else mask.reversed()
    if mask is not None:
        name = mask.together(name)
    D, H, parts, size = m.num_directions, m.hidden_size, len(m._parts), b.size(name, 0)
    if states:
        initial = [b.op("Concat", *(b.unsqueeze(s.name, 0) for s in states[p::parts]), axis=0) for p in range(parts)]
    else:
        zeros = np.zeros((D, 1, H), b.dtype)
        initial = [b.input(f"{layer.name}_{part}_0", b.dtype, [D, f"batch of {layer.name}_{part}_0", H], zeros) if optional else b.constant(zeros)
                   for part in m._parts]
        initial = [cells.repeated(b, s, size) for s in initial]
    Y, final = cells.node(b, m, 0, b.transpose(name, 1, 0, 2), "" if mask is None else mask.lengths, initial, layer.name)
    if optional:
        b.states += [(f"{layer.name}_{part}_n", s, [D, "batch", H]) for part, s in zip(m._parts, final, strict=True)]
    return b.transpose(cells.joined(b, Y, D, H), 1, 0, 2), mask, initial, final


def direction(b, state, d, D):
    """(B, H) of a part (D, B, H)."""
    return b.squeeze(state if D == 1 else b.slice(state, d, d + 1, 0), 0)


def given(b, layer, x, outputs, final):
    """The outputs as `Value`s, and after them the states if the layer returns them."""
    mask = x.mask if layer.return_sequences else None
    found = [Value(y, x.shape, mask) for y in outputs]
    if layer.return_state:
        D = layer.module.num_directions
        found += [Value(direction(b, part, d, D), x.shape) for d in range(D) for part in final]
    return tuple(found)


def recurrent(b, layer, x, states=(), optional=True):
    """LSTM, GRU, SimpleRNN."""
    y, mask, initial, final = run(b, layer, x, states, optional)
    if not layer.return_sequences:
        y = direction(b, final[0], 0, 1)
    elif mask is not None:
        y = mask.zeroed(y) if layer.zero_output_for_mask else mask.held(y, direction(b, initial[0], 0, 1))
    found = given(b, layer, x, [y], final)
    return found if len(found) > 1 else found[0]


def bidirectional(b, layer, x, states=(), optional=True):
    """Both directions of one of these, merged."""
    y, mask, _, final = run(b, layer, x, states, optional)
    H = layer.layer.units
    if layer.return_sequences:
        y = y if mask is None else mask.zeroed(y)
        parts = [y] if layer.merge_mode == "concat" else [b.slice(y, 0, H, 2), b.slice(y, H, 2 * H, 2)]
    else:
        parts = [direction(b, final[0], d, 2) for d in range(2)]
    found = given(b, layer, x, merged(b, layer.merge_mode, parts), final)
    return found if len(found) > 1 else found[0]


def merged(b, mode, parts):
    """The outputs of two directions; of whole sequences to concatenate there is one part, which is that."""
    if mode is None or len(parts) == 1:
        return parts
    if mode == "concat":
        return [b.op("Concat", *parts, axis=-1)]
    y = b.op("Mul" if mode == "mul" else "Add", *parts)
    return [b.op("Div", y, b.constant(2)) if mode == "ave" else y]
