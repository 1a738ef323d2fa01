"""The loop over time, layers and directions: one text for all cells.

A cell says in a `Cell` what one step of it is; nothing here knows which cell it walks through.

Rows that live: `lengths` makes sequence b live at step t when t < lengths[b], and `mask` says it for each step
(gaps and padding on the left included). Every step *selects* the live rows and computes only those, so that a
NaN in padding or in another sequence has no way in; a multiplication by a 0/1 mask would let it through. A row
that is not live keeps its state and its y is 0, which makes both directions one loop: the backward one visits
the valid steps from the last to the first, wherever they are.

Layer k > 0 reads the outputs of all directions of the layer below it, forward features first.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import arguments
from .dropout import Masks


class Cell(NamedTuple):
    """What the loop needs to know of a cell; `state` is a tuple of parts, h first, `w` the weights by part.

    widths    of the parts of the state
    gates     G
    shapes    I -> {part: shape of that parameter}
    masks     names of the masks that it takes (see `dropout.Masks`)
    step_fwd  (x (B,I), state, w, Masks) -> state, saved;  saved.gates (B,G,H) and saved.pre (B,G,H) are for taps
    step_bwd  (dstate, saved, w) -> dx (B,I), dstate before the step, {part: gradient summed over B}
    """

    widths: tuple
    gates: int
    shapes: Callable
    masks: tuple
    step_fwd: Callable
    step_bwd: Callable


class Taps(NamedTuple):
    """What happened inside one layer and direction; 0 at steps that were not taken.

    c (T,B,H) is the cell state after each step (None for cells that have none), gates (T,B,G,H) what came out
    of the activations, pre (T,B,G,H) what went into them before any clip.
    """

    c: np.ndarray | None
    gates: np.ndarray
    pre: np.ndarray


class Tape(NamedTuple):
    """What a forward leaves for its backward; the lists but `names` have one entry per (layer, direction)."""

    cell: Cell
    names: list
    suffixes: list
    weights: list
    steps: list
    taps: list | None
    shape: tuple
    directions: int


class Grads(NamedTuple):
    """dx (T,B,I), dhx with the structure of the state, dparams keyed like params."""

    dx: np.ndarray
    dhx: tuple | np.ndarray
    dparams: dict


def direction_fwd(cell, x, state, w, live, masks, reverse=False):
    """One layer in one direction: x (T,B,I), state of (B,.) -> y (T,B,R), state, steps.

    `steps` lists (t, live rows, saved, state after the step) in the order in which the steps were taken.
    """
    T, B, _ = x.shape
    state = [s.copy() for s in state]
    y = np.zeros((T, B, cell.widths[0]))
    steps = []
    for t in reversed(range(T)) if reverse else range(T):
        rows = np.flatnonzero(live[t])
        new, saved = cell.step_fwd(x[t, rows], tuple(s[rows] for s in state), w, masks.at(t, rows))
        for s, part in zip(state, new, strict=True):
            s[rows] = part
        y[t, rows] = new[0]
        steps.append((t, rows, saved, new))
    return y, state, steps


def direction_bwd(cell, dy, dstate, w, steps):
    """The transpose of `direction_fwd`: dx (T,B,I), dstate before the first step, {part: gradient}.

    The direction is not asked for: walking `steps` from its end undoes either one.
    """
    dstate = [ds.copy() for ds in dstate]
    dx = np.zeros(dy.shape[:2] + w["weight_ih"].shape[1:])
    dw = {part: np.zeros_like(array) for part, array in w.items()}
    for t, rows, saved, _ in reversed(steps):
        dh, *others = (ds[rows] for ds in dstate)
        dx[t, rows], old, dstep = cell.step_bwd((dh + dy[t, rows], *others), saved, w)
        for ds, part in zip(dstate, old, strict=True):
            ds[rows] = part
        for part, total in dw.items():
            total += dstep[part]
    return dx, dstate, dw


def forward(cell, x, params, hx, *, num_layers, bidirectional, lengths, mask, masks, taps):
    """All layers and directions: y (T,B,D*R), state with the structure of hx, Tape."""
    x = arguments.sequence(x)
    (T, B, I), D, R = x.shape, 2 if bidirectional else 1, cell.widths[0]
    suffixes = [f"l{k}{r}" for k in range(num_layers) for r in ("", "_reverse")[:D]]
    inputs = [D * R if n >= D else I for n in range(len(suffixes))]
    live = arguments.live_steps(lengths, mask, T, B)
    w = [arguments.weights(params, s, cell.shapes(i)) for s, i in zip(suffixes, inputs, strict=True)]
    arguments.only("params", params, [f"{part}_{s}" for s, found in zip(suffixes, w, strict=True) for part in found])
    m = [_masks(cell, masks or {}, s, T, B, i) for s, i in zip(suffixes, inputs, strict=True)]
    arguments.only("masks", masks or {}, [f"{kind}_{s}" for s in suffixes for kind in cell.masks])
    state = arguments.state("hx", hx, [(len(suffixes), B, width) for width in cell.widths])

    tape = Tape(cell, list(params), suffixes, w, [], [] if taps else None, x.shape, D)
    y = x
    for first in range(0, len(suffixes), D):
        outputs = []
        for n in range(first, first + D):
            y_d, new, steps = direction_fwd(cell, y, [s[n] for s in state], w[n], live, m[n], reverse=n > first)
            for s, part in zip(state, new, strict=True):
                s[n] = part
            outputs.append(y_d)
            tape.steps.append(steps)
            if taps:
                tape.taps.append(_taps(cell, steps, T, B))
        y = np.concatenate(outputs, axis=2)
    return y, _structure(state), tape


def backward(tape, dy=None, dstate=None):
    """The transpose of `forward`: dy (T,B,D*R) and dstate with the structure of hx, zeros if absent -> Grads.

    What `dy` holds at a step that was not taken is not read, and `dx` is 0 there. A tape serves any number of times.
    """
    cell, (T, B, _), D = tape.cell, tape.shape, tape.directions
    LD, R = len(tape.suffixes), cell.widths[0]
    dstate = arguments.state("dstate", dstate, [(LD, B, width) for width in cell.widths])
    dy = np.zeros((T, B, D * R)) if dy is None else arguments.float64("dy", dy, (T, B, D * R))
    dparams = {}
    for first in reversed(range(0, LD, D)):
        dx = np.zeros((T, B, tape.weights[first]["weight_ih"].shape[1]))
        for n in range(first, first + D):
            dy_d = dy[:, :, (n - first) * R : (n - first + 1) * R]
            dx_d, new, dw = direction_bwd(cell, dy_d, [ds[n] for ds in dstate], tape.weights[n], tape.steps[n])
            dx += dx_d
            for ds, part in zip(dstate, new, strict=True):
                ds[n] = part
            dparams.update({f"{part}_{tape.suffixes[n]}": g for part, g in dw.items()})
        dy = dx
    return Grads(dy, _structure(dstate), {name: dparams[name] for name in tape.names})


def _structure(state):
    """A state as callers see it: the tuple of its parts, or its one part."""
    return state if len(state) > 1 else state[0]


def _masks(cell, given, suffix, T, B, I):
    """The Masks of one layer and direction out of the caller's dict."""
    R, H = cell.widths[0], cell.widths[-1]
    shapes = {"input": (B, I), "recurrent": (cell.gates, B, R), "zoneout_h": (T, B, R), "zoneout_c": (T, B, H)}
    names = {kind: f"{kind}_{suffix}" for kind in cell.masks}
    return Masks(**{kind: arguments.float64(name, given[name], shapes[kind])
                    for kind, name in names.items() if name in given})


def _taps(cell, steps, T, B):
    H = cell.widths[-1]
    taps = Taps(np.zeros((T, B, H)) if len(cell.widths) > 1 else None, *np.zeros((2, T, B, cell.gates, H)))
    for t, rows, saved, state in steps:
        if taps.c is not None:
            taps.c[t, rows] = state[1]
        taps.gates[t, rows] = saved.gates
        taps.pre[t, rows] = saved.pre
    return taps
