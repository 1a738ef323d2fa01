"""A recurrent node -> modules of lstmc.nn: its attributes, its weights in ONNX's layout, and the order of its directions."""

import numpy as np

from lstmc import layouts, nn
from lstmc.errors import FormatError
from lstmc.interchange.onnx.directions import Directions

DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
# Of each operator: the module, its name in layouts, activations of a direction by default, and inputs.
CELLS = {"LSTM": (nn.LSTM, "lstm", ("Sigmoid", "Tanh", "Tanh"), ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")),
         "GRU": (nn.GRU, "gru", ("Sigmoid", "Tanh"), ("X", "W", "R", "B", "sequence_lens", "initial_h")),
         "RNN": (nn.RNN, "rnn", ("Tanh",), ("X", "W", "R", "B", "sequence_lens", "initial_h"))}
# ONNX's name in lower case -> ours, and how many of alpha and beta it takes.
FUNCTIONS = {"sigmoid": ("sigmoid", 0), "tanh": ("tanh", 0), "relu": ("relu", 0), "softsign": ("softsign", 0), "softplus": ("softplus", 0),
             "affine": ("affine", 2), "leakyrelu": ("leaky_relu", 1), "thresholdedrelu": ("thresholded_relu", 1), "scaledtanh": ("scaled_tanh", 2),
             "hardsigmoid": ("hard_sigmoid", 2), "elu": ("elu", 1)}
DEFAULTS = {"affine": (1.0, 0.0), "leaky_relu": (0.01,), "thresholded_relu": (1.0,), "scaled_tanh": (1.0, 1.0), "hard_sigmoid": (0.2, 0.5), "elu": (1.0,)}
ATTRIBUTES = ("direction", "hidden_size", "layout", "activations", "activation_alpha", "activation_beta")
MORE = {"LSTM": ("clip", "input_forget"), "GRU": ("clip", "linear_before_reset"), "RNN": ("clip",)}
WEIGHTS = ("W", "R", "B", "P")


class Settings:
    """The attributes of a recurrent node, checked.

    reverse: for each direction whether it runs from the end. activations: for each direction. layout: 0 or 1. variant: arguments of nn.
    """

    def __init__(self, node):
        self.node = node
        self.module, self.cell, names, self.inputs = CELLS[node.op]
        self.direction = node.text("direction", "forward", tuple(DIRECTIONS))
        self.reverse = DIRECTIONS[self.direction]
        self.layout = node.int("layout", 0, 0, 1)
        self.hidden_size = node.int("hidden_size", None, 1)
        self.activations = activations_of(node, list(names), len(self.reverse))
        self.variant = {}
        for name in node.attributes.keys() - {*ATTRIBUTES, *MORE[node.op]}:
            raise FormatError(f"{node.where}: attribute {name[:40]!r} is not supported")
        if "clip" in node.attributes:
            self.variant["clip"] = node.float("clip")
        if node.op == "LSTM" and node.int("input_forget", 0, 0, 1):
            self.variant["coupled"] = True
        if node.op == "GRU":
            self.variant["reset_after"] = bool(node.int("linear_before_reset", 0, 0, 1))

    def named(self, arrays):
        """Inputs by ONNX's names, of those that are there."""
        return {name: a for name, a in zip(self.inputs, arrays, strict=False) if a is not None}


def activations_of(node, names, directions):
    """[((name, alpha, beta), ...) of each direction]; alpha and beta are consumed by the functions that have them."""
    given = node.texts("activations") or names * directions
    if len(given) != len(names) * directions:
        raise FormatError(f"{node.where}: attribute 'activations': expected {len(names) * directions} of them, received {given[:12]}")
    rest, found = [node.floats("activation_alpha"), node.floats("activation_beta")], []
    for name in given:
        function, count = FUNCTIONS.get(name.lower(), (None, 0))
        if function is None:
            raise FormatError(f"{node.where}: attribute 'activations': expected one of {', '.join(FUNCTIONS)}, received {name[:40]!r}")
        found.append((function, *[some.pop(0) if some else default for some, default in zip(rest[:count], DEFAULTS.get(function, ()), strict=True)]))
    return [tuple(found[i:i + len(names)]) for i in range(0, len(found), len(names))]


def directions_of(settings, weights, batch_first=False, initial=None, lengths=None):
    """Directions from a node's settings and its weights, a dict of W, R and where there are B and P."""
    where = settings.node.where
    W, R = weights["W"], weights["R"]
    if W.dtype not in (np.float32, np.float64):
        raise FormatError(f"{where}: W: expected float32 or float64, received {W.dtype}")
    D, G = len(settings.reverse), layouts.count(settings.cell)
    H = settings.hidden_size or (R.shape[2] if R.ndim == 3 else 0)
    I = W.shape[2] if W.ndim == 3 else 0
    shapes = {"W": (D, G * H, I), "R": (D, G * H, H), "B": (D, 2 * G * H), "P": (D, 3 * H)}
    for name, a in weights.items():
        if a.shape != shapes[name] or a.dtype != W.dtype or not a.size:
            raise FormatError(f"{where}: {name}: expected {W.dtype} of shape {shapes[name]} for {settings.direction} and hidden_size {H}, "
                              f"received {a.dtype} of shape {a.shape}")
    alike = D == 2 and settings.activations[0] == settings.activations[1]
    parts = [(list(range(D)), settings.reverse[0])] if D == 1 or alike else [([d], settings.reverse[d]) for d in range(D)]
    made = []
    for which, reverse in parts:
        try:
            m = settings.module._blank(I, H, bias="B" in weights, batch_first=batch_first, bidirectional=len(which) == 2, dtype=W.dtype, seed=0,
                                       **arguments(settings, which[0], weights))
        except ValueError as error:
            raise FormatError(f"{where}: {error}") from None
        m.load_state_dict({name + suffix: a for d, suffix in zip(which, ("", "_reverse"), strict=False) for name, a in
                           parameters(settings.cell, {name: a[d] for name, a in weights.items()}).items()})
        made.append((m, reverse))
    return Directions(made, initial, lengths)


def arguments(settings, d, weights):
    """What the module of direction d takes beyond its sizes; an RNN's plain function by its name."""
    found = settings.activations[d]
    functions = {"activations": found} if settings.cell != "rnn" else {"nonlinearity": found[0][0] if len(found[0]) == 1 else found[0]}
    return functions | settings.variant | ({"peephole": True} if "P" in weights else {})


def parameters(cell, weights):
    """One direction's weights in ONNX's layout, under the names of nn."""
    found = {"weight_ih_l0": layouts.matrix_in(weights["W"], cell, "onnx"), "weight_hh_l0": layouts.matrix_in(weights["R"], cell, "onnx")}
    if "B" in weights:
        found["bias_ih_l0"], found["bias_hh_l0"] = layouts.biases_in(weights["B"], cell, "onnx")
    if "P" in weights:
        orders = layouts.LAYOUTS["onnx"].peephole, layouts.LAYOUTS["pytorch"].peephole
        found["peephole_l0"] = layouts.blocks(weights["P"], *orders).reshape(3, -1)
    return found


def stored(settings, constant):
    """(initial state in the axes of nn or None, lengths or None) of a node that has them as constants; a state of zeros is none."""
    state = {name: constant[name] for name in ("initial_h", "initial_c") if name in constant}
    if any(a.ndim != 3 for a in state.values()):
        raise FormatError(f"{settings.node.where}: initial state: expected three axes, received {[a.shape for a in state.values()]}")
    state = {name: a.swapaxes(0, 1) if settings.layout else a for name, a in state.items()}
    if not any(a.any() for a in state.values()):
        return None, constant.get("sequence_lens")
    if settings.cell != "lstm":
        return state["initial_h"], constant.get("sequence_lens")
    zeros = np.zeros_like(next(iter(state.values())))
    return tuple(state.get(name, zeros) for name in ("initial_h", "initial_c")), constant.get("sequence_lens")


# In a graph -------------------------------------------------------------------------------------------------

class Runner:
    """What computes Y, Y_h (and Y_c) from a node's inputs.

    module: of `lstmc.nn`, or Directions, with weights that are constant and packed once; None if a run has them. arguments: of such a module of
    `lstmc.nn` beyond its sizes, None if it is none.
    """

    def __init__(self, node):
        self.settings = settings = Settings(node)
        constant = settings.named(node.constants)
        weights = {name: a for name, a in constant.items() if name in WEIGHTS}
        self.module = self.arguments = None
        if weights.keys() >= settings.named([name or None for name in node.inputs]).keys() & set(WEIGHTS):
            found = directions_of(settings, weights)
            self.module = found.modules[0] if found.plain else found
            self.arguments = arguments(settings, 0, weights) if found.plain else None

    def __call__(self, *arrays):
        settings = self.settings
        given = dict(zip(settings.inputs, arrays, strict=False))
        module = self.module or directions_of(settings, {name: a for name, a in given.items() if name in WEIGHTS and a is not None})
        x, h, c = (a.swapaxes(0, 1) if settings.layout and a is not None and a.ndim == 3 else a
                   for a in (given["X"], given.get("initial_h"), given.get("initial_c")))
        y, found = sequences(module, x, given.get("sequence_lens"), h, c)
        y = y.reshape(*x.shape[:2], len(settings.reverse), module.hidden_size)
        if settings.layout:
            return y.swapaxes(0, 1), *(s.swapaxes(0, 1) for s in found)
        return y.transpose(0, 2, 1, 3), *found


def sequences(module, x, lengths=None, h=None, c=None):
    """y (T, B, D*H) and the parts of the state (D, B, H) of a module on x (T, B, I); of a module that is batch_first (B, T, D*H) and (B, T, I)."""
    if x.ndim != 3:
        raise ValueError(f"X: expected three axes, received shape {x.shape}")
    state = h
    if len(module._parts) > 1 and not (h is None and c is None):
        state = np.zeros_like(c) if h is None else h, np.zeros_like(h) if c is None else c
    if lengths is not None:
        T, B = x.shape[:2][::-1 if module.batch_first else 1]
        if T and lengths.shape == (B,) and lengths.dtype.kind in "iu" and (lengths == T).all():
            lengths = None              # which is the same with less to look at
    y, found = module(x, state, lengths)
    found = found if isinstance(found, tuple) else (found,)
    if lengths is not None and (lengths == 0).any():        # the state of a sequence without steps is 0 in onnxruntime, whatever it was before
        found = tuple(np.where((lengths == 0)[:, None], s.dtype.type(0), s) for s in found)
    return y, found
