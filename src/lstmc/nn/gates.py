"""Modules from the weights of any source, told in which order their gates are stacked: what `from_gates` of LSTM, GRU and RNN does."""

from itertools import product

import numpy as np

from lstmc import layouts
from lstmc.nn import checks

WAYS = ("", "_reverse")


def from_gates(cls, W, R, b, order, transposed, projection, settings):
    """A module of cls; the arguments are those of `Recurrent.from_gates`."""
    word, row = layouts.order(order, cls.cell), layouts.LAYOUTS.get(order)
    turn = row is not None and row.transposed if transposed is None else checks.flag(transposed, "transposed")
    if projection is not None and cls.cell != "lstm":
        raise ValueError(f"projection: expected None, since {cls.__name__} has none, received {type(projection).__name__}")
    given = {"W": W, "R": R, "projection": projection, "b": b}
    given = {name: by_place(a, name, turn and name != "b") for name, a in given.items() if a is not None or name in "WR"}
    places = given["W"].keys()
    for name, found in given.items():
        if found.keys() != places:
            raise ValueError(f"{name}: expected layers and directions as W has them, {count(places)}, received {count(found)}")
    L, D = max(places)[0] + 1, max(places)[1] + 1
    H, P = given["R"][0, 0].shape[0] // len(word), given["projection"][0, 0].shape[0] if "projection" in given else 0
    I, GH, R = given["W"][0, 0].shape[1], len(word) * H, P or H
    letter = "P" if P else "H"
    for layer, d in places:
        inputs = (I, "I") if layer == 0 else (R * D, f"D*{letter}")
        for name, shape, letters in (("W", (GH, inputs[0]), ("G*H", inputs[1])), ("R", (GH, R), ("G*H", letter)), ("projection", (P, H), ("P", "H"))):
            if name in given and given[name][layer, d].shape != shape:
                there = given[name][layer, d].shape
                shape, letters, there = (shape[::-1], letters[::-1], there[::-1]) if turn else (shape, letters, there)
                raise ValueError(f"{name}[{layer}][{d}]: expected shape ({', '.join(letters)}) = {checks.shape_text(shape)} with G*H = {len(word)}*{H}, "
                                 f"received {checks.shape_text(there)}")

    params = {}
    for layer, d in places:
        s = f"l{layer}{WAYS[d]}"
        for name, kind in (("W", "weight_ih"), ("R", "weight_hh")):
            params[f"{kind}_{s}"] = layouts.reordered(given[name][layer, d].T, cls.cell, word, "pytorch").T
        if "b" in given:
            params |= biases(given["b"][layer, d], GH, f"b[{layer}][{d}]", s, lambda a: layouts.reordered(a, cls.cell, word, "pytorch"))
        if P:
            params[f"weight_hr_{s}"] = given["projection"][layer, d]
    dtype = "float64" if any(a.dtype.itemsize > 4 for a in params.values()) else "float32"
    m = cls._blank(I, H, L, bias=b is not None, bidirectional=D == 2, **{"proj_size": P} if projection is not None else {}, **{"dtype": dtype, **settings})
    m.load_state_dict(params, strict=False)
    return m


def by_place(value, name, turn):
    """(layer, direction) -> array, turned if it is the transpose: value is an array, a list of one per layer, or a list of lists of one per direction."""
    layers = value if isinstance(value, (list, tuple)) else [value]
    ways = [w if isinstance(w, (list, tuple)) else [w] for w in layers]
    if not ways or {len(w) for w in ways} not in ({1}, {2}):
        raise ValueError(f"{name}: expected an array, a list of one per layer, or a list of lists of one per direction, received a list of "
                         f"{', '.join(str(len(w)) for w in ways) or 'none'}")
    found = {}
    for layer, d in product(range(len(ways)), range(len(ways[0]))):
        place, a = f"{name}[{layer}][{d}]", ways[layer][d]
        if not hasattr(a, "dtype"):
            raise TypeError(f"{place}: expected an array, received {type(a).__name__}")
        a = checks.plain(a, place)
        if a.dtype.kind != "f" or a.dtype.itemsize > 8:
            raise TypeError(f"{place}: expected float32 or float64, received {a.dtype}")
        if a.ndim != 2 and not (name == "b" and a.ndim == 1):
            raise ValueError(f"{place}: expected {'one or ' * (name == 'b')}two axes, received shape {checks.shape_text(a.shape)}")
        found[layer, d] = a.T if turn else a
    return found


def biases(b, GH, place, suffix, turned):
    """PyTorch's two biases by name; one alone is that of x, beside zeros."""
    if b.shape not in ((GH,), (2, GH), (2 * GH,)):
        raise ValueError(f"{place}: expected shape ({GH},) of one bias, (2, {GH}) or ({2 * GH},) of that of x and that of h, received "
                         f"{checks.shape_text(b.shape)}")
    if b.size == GH:
        return {f"bias_ih_{suffix}": turned(b), f"bias_hh_{suffix}": np.zeros_like(b)}
    x, h = b.reshape(2, GH)
    return {f"bias_ih_{suffix}": turned(x), f"bias_hh_{suffix}": turned(h)}


def count(places):
    """Of layers and directions, in words."""
    return f"{max(places)[0] + 1} x {max(places)[1] + 1}"
