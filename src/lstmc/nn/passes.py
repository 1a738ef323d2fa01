"""The forward and the backward pass of a module: the loops over layers and chunks of time, around the kernels' calls.

`m` is a `Recurrent`: its parameters and arguments are in recurrent.py, the checks of what a call was given in module.py. What a layer
leaves for backward is a `Layer` of the tape.
"""

from typing import NamedTuple

import numpy as np

from lstmc.kernels.backward import backward, block_steps_of, weight_gradients
from lstmc.kernels.cells import gate_count
from lstmc.kernels.forward import forward
from lstmc.kernels.random import Purpose
from lstmc.nn.dropout import keep_mask
from lstmc.nn.tape import Layer, Tape


class Work(NamedTuple):
    """What all chunks of time of a layer have in common."""

    weights: list
    schedule: object
    options: object
    threads: int | None


def parts_of(state, part):
    """Some layers and directions of a state, which may be None or have parts that are."""
    return None if state is None else tuple([None if s is None else s[part] for s in state])


def forward_pass(m, call, train, threads, result=None, wanted=(False, False), every=None, shown=True, parts=None):
    """y, None unless `shown`, the final state, a tuple of (L*D, B, ·), all or its first parts, the tape if `train`, and c_t and gates if `wanted`, of
    a checked call; result: y as (T, B, D*R), if not a new array."""
    if train and call.state is not None:        # backward may need it again, and it is the caller's
        call = call._replace(state=tuple(s.copy() for s in call.state))
    D, L, schedule = m.num_directions, m.num_layers, call.schedule
    width, rows = D * m.output_size, call.x.shape[:-1]
    weights = m._weights(train).weights
    final = m._new_state(schedule.sequences, None, parts)
    tape, draw = (Tape(m, call, weights, (*rows, width)), m._draw()) if train else (None, None)
    below, taps, dropping = call.x, (), train and (m.dropout or m.input_dropout)
    for layer in range(L):
        last, options = layer == L - 1, m._options_of(layer, draw)
        dropped = tapes = chunks = None
        if dropping:
            below, dropped = drop(m, below, layer, schedule, draw, threads)
        y = result if last else None
        if y is None and (shown or not last):
            y = m._output(rows, width, last and m.batch_first and call.batched)
        state, ends, some = call.state, final, weights
        if L > 1:
            part = slice(layer * D, (layer + 1) * D)
            state, ends, some = parts_of(state, part), parts_of(ends, part), some[part]
        if train and every:
            chunks = forward_chunks(m, Work(some, schedule, options, threads), below, y, state, ends, every)
        else:
            tapes = forward(some, schedule, below, y, state, ends, options, train or (last and any(wanted)), threads)
        if train:
            tape.layers.append(Layer(below, tapes, chunks, options, dropped))
        elif tapes:
            taps = read_taps(m, tapes, call, wanted)
        below = y
    return m._outside(below, call) if shown else None, final, tape, taps


def last_of(m, x):
    """h (D, B, R) of a module of one layer after whole sequences x (B, T, I), from zeros: nothing else of what a pass gives."""
    h = np.empty((m.num_directions, len(x), m.output_size), m.dtype)
    forward(m._weights(False).weights, None, x, None, None, (h,), m._options_of())
    return h


def drop(m, below, layer, schedule, draw, threads):
    """The input of a layer after dropout, and the mask, None if there is none."""
    steps, B, width = (schedule.steps, schedule.sequences, below.shape[1]) if schedule.packed else below.shape
    mask = None
    if m.dropout and layer:
        mask = keep_mask(m.dropout, (steps, B, width), m.dtype, *draw, layer, threads=threads)
    if m.input_dropout:
        fixed = keep_mask(m.input_dropout, (1, B, width), m.dtype, *draw, 2 * layer, Purpose.INPUT, threads)
        mask = fixed if mask is None else mask * fixed
    if mask is None:
        return below, None
    if schedule.packed:
        mask = np.broadcast_to(mask, (steps, B, width))[np.arange(B) < schedule.batch_sizes[:, None]]
    with np.errstate(all="ignore"):         # what is past the end of a sequence may be anything, and is not read
        return below * mask, mask


def forward_chunks(m, work, x, y, state, final, every):
    """Forward chunk by chunk of time, keeping the state before each."""
    weights, schedule, options, threads = work
    step = block_steps_of(weights, schedule)
    size, T, chunks = -(-every // step) * step, schedule.steps, []
    for t0 in range(0, max(T, 1), size):
        chunks.append((t0, min(t0 + size, T), state))
        after = final if t0 + size >= T else m._new_state(schedule.sequences, len(weights))
        forward(weights, schedule, x, y, state, after, options, False, threads, (t0, t0 + size))
        state = after
    return chunks


def read_taps(m, tapes, call, wanted):
    """c_t and gates of the last layer, as wanted."""
    T, B, _ = call.x.shape
    D, H, G = m.num_directions, m.hidden_size, gate_count(m.cell)
    cells = np.zeros((T, B, D * H), m.dtype) if wanted[0] else None
    gates = np.zeros((T, B, D * G, H), m.dtype) if wanted[1] else None
    for d, tape in enumerate(tapes):
        tape.taps(None if cells is None else cells[:, :, d * H:(d + 1) * H], None if gates is None else gates[:, :, d * G:(d + 1) * G])
        tape.release()
    return tuple(m._outside(a, call) for a in (cells, gates) if a is not None)


def backward_pass(m, tape, dy, dfinal, grads, need_dx, threads, need_state=True):
    """The gradients of x and of the initial state, as a tuple of (L*D, B, ·), of a checked call of `backward`; uses the tape up, unless something
    is raised.

    grads: name -> array to be written, of the parameters whose gradients are wanted. Without need_dx and need_state layers below all of
    those are left out; without need_state None is returned of the state.
    """
    tape.take()
    try:
        call, shape, names, without = tape.call, tape.y_shape, m._names(), grads.keys().isdisjoint
        D, L, lowest = m.num_directions, m.num_layers, 0
        dinitial = m._new_state(call.schedule.sequences) if need_state else None
        while lowest < L - 1 and not (need_dx or need_state) and all(map(without, names[lowest])):
            lowest += 1
        for layer in range(L - 1, lowest - 1, -1):      # each with what the one above leaves of dy
            kept, below, wanted = tape.layers[layer], None, not all(map(without, names[layer]))
            if layer > lowest or need_dx:
                batch_major = not layer and m.batch_first and call.batched
                below = m._output(shape[:-1], shape[-1] if layer else m.input_size, batch_major)
            after, before = dfinal, dinitial
            if L > 1:
                part = slice(layer * D, (layer + 1) * D)
                after, before = parts_of(after, part), parts_of(before, part)
            if kept.tapes is not None:
                sums = backward(kept.tapes, dy, after, below, before, None, threads, wanted=wanted)
            else:
                work = Work(tape.weights[layer * D:(layer + 1) * D], call.schedule, kept.options, threads)
                sums = backward_chunks(m, work, kept, dy, after, below, before, wanted)
            if wanted:
                weight_gradients(sums, grads, names[layer], threads)
            if below is not None and kept.mask is not None:
                below *= kept.mask
            dy = below
        dx = None if below is None else m._outside(below, call)
    except BaseException:
        renew(m, tape)
        raise
    tape.layers.clear()
    return dx, dinitial


def backward_chunks(m, work, layer, dy, dfinal, dx, dinitial, wanted):
    """Backward of one layer chunk by chunk of time from the last, whose states were not all kept; the sums of weight gradients, if wanted."""
    weights, schedule, options, threads = work
    found, B = [], schedule.sequences
    for d in range(len(weights)):       # a chunk of the reverse direction is at other times
        one = slice(d, d + 1)
        after, sums = parts_of(dfinal, one), None
        for t0, t1, state in reversed(layer.chunks):
            tapes = forward(weights[one], schedule, layer.below, None, parts_of(state, one), m._new_state(B, 1), options, True, threads,
                            (t0, t1), d)
            before = parts_of(dinitial, one) if t0 == 0 else m._new_state(B, 1)
            sums = backward(tapes, dy, after, dx, before, sums, threads, d, wanted=wanted)
            after = before
        found += sums
    return found


def renew(m, tape):
    """Make a tape usable after a backward that did not come to its end: its kernel tapes may be used up, and are made again."""
    D, T = m.num_directions, tape.call.schedule.steps
    for n, layer in enumerate(tape.layers):
        if layer.tapes is not None:
            tape.layers[n] = layer._replace(tapes=None, chunks=[(0, T, parts_of(tape.call.state, slice(n * D, (n + 1) * D)))])
    tape.give_back()
