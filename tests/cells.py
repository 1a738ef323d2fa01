"""The one list of cells and options, the numbers to run them on, and what the reference makes of these.

Every test of a cell samples `VARIANTS`, the reference and the kernels alike, so that a new option joins all of
them by one line here. Sizes come from `cases`.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from cases import AWKWARD, nonzero, ragged_lengths
from lstmc import reference
from lstmc.kernels.random import Purpose
from lstmc.reference import random as law

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
STATES = {"lstm": ("h", "c"), "gru": ("h",), "rnn": ("h",)}
FORWARD = {"lstm": reference.lstm_fwd, "gru": reference.gru_fwd, "rnn": reference.rnn_fwd}
BACKWARD = {"lstm": reference.lstm_bwd, "gru": reference.gru_bwd, "rnn": reference.rnn_bwd}


@dataclass(frozen=True)
class Variant:
    """A cell with its settings, as nn.LSTM, nn.GRU and nn.RNN take them and, but for those of `DRAWN`, the functions of the reference."""

    cell: str
    settings: dict = field(default_factory=dict)

    @property
    def parts(self):
        return STATES[self.cell]

    def fits(self, case):
        """Whether the reference can have the case's sizes: an LSTM alone has a projection."""
        return case.P == 0 or self.cell == "lstm"


KERAS_SIGMOID = ("hard_sigmoid", 1 / 6, 0.5)
VARIANTS = {
    "lstm": Variant("lstm"),
    "lstm-peephole": Variant("lstm", {"peephole": True}),
    "lstm-peephole-all": Variant("lstm", {"peephole": "all"}),
    "lstm-coupled": Variant("lstm", {"coupled": True}),
    "lstm-coupled-peephole": Variant("lstm", {"coupled": True, "peephole": True}),
    "lstm-clip": Variant("lstm", {"clip": 0.9}),
    "lstm-clip-peephole-coupled": Variant("lstm", {"clip": 0.9, "peephole": "all", "coupled": True}),
    "lstm-no-i": Variant("lstm", {"gates_off": ("i",)}),
    "lstm-no-f": Variant("lstm", {"gates_off": ("f",)}),
    "lstm-no-o": Variant("lstm", {"gates_off": ("o",)}),
    "lstm-no-i-f-o-peephole": Variant("lstm", {"gates_off": ("i", "f", "o"), "peephole": True}),
    "lstm-coupled-no-o-peephole": Variant("lstm", {"coupled": True, "gates_off": ("o",), "peephole": "all"}),
    "lstm-linear-g": Variant("lstm", {"activations": ("sigmoid", "linear", "tanh")}),
    "lstm-linear-h-peephole": Variant("lstm", {"activations": ("sigmoid", "tanh", "linear"), "peephole": True}),
    "lstm-relu": Variant("lstm", {"activations": ("sigmoid", "relu", "relu")}),
    "lstm-keras-hard": Variant("lstm", {"activations": (KERAS_SIGMOID, "tanh", "tanh")}),
    "lstm-onnx-hard": Variant("lstm", {"activations": ("hard_sigmoid", "softsign", "softsign")}),
    "lstm-leaky": Variant("lstm", {"activations": ("sigmoid", ("leaky_relu", 0.2), "leaky_relu")}),
    "lstm-thresholded": Variant("lstm", {"activations": ("sigmoid", ("thresholded_relu", 0.3), "tanh")}),
    "lstm-scaled-tanh": Variant("lstm", {"activations": ("sigmoid", ("scaled_tanh", 1.7159, 2 / 3), ("scaled_tanh", 0.8, 1.2))}),
    "lstm-affine": Variant("lstm", {"activations": (("affine", 0.3, 0.4), "tanh", ("affine", 0.7, -0.1))}),
    "lstm-elu": Variant("lstm", {"activations": ("sigmoid", ("elu", 0.7), "elu")}),
    "lstm-softplus": Variant("lstm", {"activations": ("softsign", "softplus", "tanh")}),
    "lstm-clip-hard-relu": Variant("lstm", {"clip": 1.1, "activations": (KERAS_SIGMOID, "relu", "tanh")}),
    "lstm-haste": Variant("lstm", {"layer_norm": "haste"}),
    "lstm-haste-zoneout": Variant("lstm", {"layer_norm": "haste", "zoneout": (0.2, 0.1)}),
    "lstm-haste-all": Variant("lstm", {"layer_norm": "haste", "peephole": "all", "coupled": True, "clip": 1.2, "zoneout": (0.2, 0.1)}),
    "lstm-haste-off-softplus": Variant("lstm", {"layer_norm": "haste", "peephole": True, "gates_off": ("f",),
                                                "activations": ("softsign", "softplus", "softplus")}),
    "lstm-tfa": Variant("lstm", {"layer_norm": "tfa"}),
    "lstm-tfa-clip-affine": Variant("lstm", {"layer_norm": "tfa", "clip": 1.3, "gates_off": ("i",),
                                             "activations": (("affine", 0.3, 0.4), "tanh", ("affine", 0.7, -0.1))}),
    "lstm-tfa-peephole": Variant("lstm", {"layer_norm": "tfa", "peephole": True}),
    "lstm-tfa-zoneout": Variant("lstm", {"layer_norm": "tfa", "zoneout": (0.1, 0.3)}),
    "lstm-zoneout": Variant("lstm", {"zoneout": (0.2, 0.3)}),
    "lstm-zoneout-h": Variant("lstm", {"zoneout": (0.25, 0.0)}),
    "lstm-zoneout-c-peephole": Variant("lstm", {"zoneout": (0.0, 0.25), "peephole": True}),
    "lstm-dropped": Variant("lstm", {"input_dropout": 0.2, "recurrent_dropout": 0.3}),
    "lstm-haste-dropped": Variant("lstm", {"layer_norm": "haste", "recurrent_dropout": 0.3}),
    "lstm-haste-dropped-all": Variant("lstm", {"layer_norm": "haste", "input_dropout": 0.2, "recurrent_dropout": 0.3, "peephole": "all",
                                               "coupled": True, "clip": 1.2, "zoneout": (0.2, 0.1)}),
    "lstm-tfa-dropped": Variant("lstm", {"layer_norm": "tfa", "recurrent_dropout": 0.3, "peephole": True}),
    "gru": Variant("gru"),
    "gru-before": Variant("gru", {"reset_after": False}),
    "gru-clip": Variant("gru", {"clip": 0.9}),
    "gru-before-clip": Variant("gru", {"reset_after": False, "clip": 0.9}),
    "gru-keras-hard": Variant("gru", {"activations": (KERAS_SIGMOID, "tanh")}),
    "gru-before-hard-relu": Variant("gru", {"reset_after": False, "activations": ("hard_sigmoid", "relu")}),
    "gru-softsign": Variant("gru", {"activations": ("sigmoid", "softsign")}),
    "gru-zoneout": Variant("gru", {"zoneout": 0.2}),
    "gru-before-zoneout-clip": Variant("gru", {"reset_after": False, "zoneout": 0.2, "clip": 1.2}),
    "gru-dropped": Variant("gru", {"input_dropout": 0.2, "recurrent_dropout": 0.3}),
    "gru-before-dropped": Variant("gru", {"reset_after": False, "recurrent_dropout": 0.3}),
    "gru-before-dropped-zoneout-clip": Variant("gru", {"reset_after": False, "input_dropout": 0.2, "recurrent_dropout": 0.3, "zoneout": 0.2, "clip": 1.2}),
    "rnn": Variant("rnn"),
    "rnn-relu": Variant("rnn", {"nonlinearity": "relu"}),
    "rnn-clip": Variant("rnn", {"clip": 0.9}),
    "rnn-clip-relu": Variant("rnn", {"nonlinearity": "relu", "clip": 0.7}),
    "rnn-dropped": Variant("rnn", {"input_dropout": 0.2, "recurrent_dropout": 0.3}),
}
# Settings that a module draws masks from; the reference is given the masks.
DRAWN = ("input_dropout", "recurrent_dropout")


def shapes(case, variant, I):
    """The parameters of one layer and direction that reads I features."""
    G, H, P, R, s = GATES[variant.cell], case.H, case.P, case.R, variant.settings
    found = {"weight_ih": (G * H, I), "weight_hh": (G * H, R)}
    if case.bias:
        found |= {"bias_ih": (G * H,), "bias_hh": (G * H,)}
    if P:
        found["weight_hr"] = (P, H)
    if s.get("peephole"):
        found["peephole"] = (4 if s["peephole"] == "all" else 3, H)
    if s.get("layer_norm"):
        rows = (4 * H,) if s["layer_norm"] == "haste" else (2, 4 * H)
        found |= {"norm_ih": rows, "norm_hh": rows, "norm_c": (2, H)}
    return found


def make(case, variant, seed=0, dtype=np.float64):
    """Random numbers: every element is away from zero, and every pre-activation away from the variant's kinks.

    They are drawn in float64, so that the float32 numbers of a seed are its float64 numbers, rounded.

    Returns
    -------
    dict
        ``params`` (magnitudes up to 1.5 / sqrt(H); 0.8 / sqrt(H) where nothing bounds h), ``x`` (T,B,I), ``h0``
        and for an LSTM ``c0``, ``lengths`` ((B,) int64, or None), ``dy``, ``dh_n`` and for an LSTM ``dc_n``.
    """
    for attempt in range(200):
        numbers = _draw(case, variant, [seed, attempt], np.float64)
        if not kinks(variant) or distance_to_kinks(case, variant, numbers) >= clearance(case, variant):
            return _draw(case, variant, [seed, attempt], dtype)
    raise RuntimeError(f"no numbers away from the kinks of {variant} for {case}")


def _draw(case, variant, seed, dtype):
    T, B, I, L, D, R = case.T, case.B, case.I, case.L, case.D, case.R
    rng = np.random.default_rng([*seed, *(ord(letter) for letter in f"{case.id} {variant.cell}")])
    scale = (0.8 if unbounded(variant) else 1.5) / math.sqrt(case.H)
    params = {}
    for layer, _, suffix in case.suffixes:
        for part, shape in shapes(case, variant, D * R if layer else I).items():
            size = 1.0 if part == "peephole" else 1.5 if part.startswith("norm") else scale
            if part == "weight_ih" and kinks(variant):      # saturated gates would leave c at a kink
                size *= min(1.0, 4 / math.sqrt(shape[1]))
            params[f"{part}_{suffix}"] = nonzero(rng, shape, dtype, size)
    numbers = {"params": params, "x": nonzero(rng, (T, B, I), dtype)}
    widths = {"h": R, "c": case.H}
    numbers |= {f"{s}0": nonzero(rng, (L * D, B, widths[s]), dtype) for s in variant.parts}
    numbers["lengths"] = ragged_lengths(rng, T, B) if case.ragged else None
    numbers["dy"] = nonzero(rng, (T, B, D * R), dtype)
    return numbers | {f"d{s}_n": nonzero(rng, (L * D, B, widths[s]), dtype) for s in variant.parts}


def make_mask(case, seed=0):
    """(T,B) booleans with padding on the left and holes; a row without any step and one with all are among them."""
    rng = np.random.default_rng([seed, case.T, case.B, 2])
    mask = rng.random((case.T, case.B)) < 0.6
    mask[: case.T // 3, ::2] = False
    mask[:, 1:2], mask[:, 2:3] = False, True
    return mask


def make_masks(case, variant, seed=0, p=0.4, dtype=np.float64):
    """Masks of dropout and, for the cells that have it, of zoneout."""
    rng = np.random.default_rng([seed, case.T, case.B, 3])
    G, masks = GATES[variant.cell], {}
    for layer, _, suffix in case.suffixes:
        I = case.D * case.R if layer else case.I
        for kind, shape in {"input": (case.B, I), "recurrent": (G, case.B, case.R)}.items():
            masks[f"{kind}_{suffix}"] = ((rng.random(shape) >= p) / (1 - p)).astype(dtype)
        for kind, width in {"h": case.R, "c": case.H}.items():
            if variant.cell != "rnn" and kind in variant.parts:
                masks[f"zoneout_{kind}_{suffix}"] = (rng.random((case.T, case.B, width)) < p).astype(dtype)
    return masks


def law_masks(case, variant, dtype, step=0, **more):
    """The masks that a module of seed 0 draws at a step, from the law, as the reference takes them. `more`: settings beside the variant's."""
    given, masks = variant.settings | more, {}
    zoneout = given.get("zoneout", 0.0)
    zoneout = zoneout if isinstance(zoneout, tuple) else (zoneout,)
    input_dropout, recurrent_dropout = (given.get(name, 0.0) for name in DRAWN)

    def keep(p, shape, layer, purpose):
        return law.keep_mask(p, shape, dtype, 0, step, layer, purpose)

    for layer, d, suffix in case.suffixes:
        I = case.D * case.R if layer else case.I
        if input_dropout:               # one for both directions
            masks[f"input_{suffix}"] = keep(input_dropout, (1, case.B, I), 2 * layer, Purpose.INPUT)[0]
        if recurrent_dropout:
            masks[f"recurrent_{suffix}"] = np.concatenate([
                keep(recurrent_dropout, (1, case.B, case.R), 2 * layer + d, Purpose.RECURRENT + gate) for gate in range(GATES[variant.cell])])
        if any(zoneout):
            for kind, width, p, purpose in zip("hc", (case.R, case.H), zoneout, (Purpose.ZONEOUT_H, Purpose.ZONEOUT_C), strict=False):
                masks[f"zoneout_{kind}_{suffix}"] = (keep(p, (case.T, case.B, width), 2 * layer + d, purpose) == 0).astype(dtype)
    return masks or None


def settings(case, variant):
    """The keywords of the reference's forward."""
    sizes = {"hidden_size": case.H, "num_layers": case.L, "bidirectional": case.D == 2}
    sizes |= {"proj_size": case.P} if variant.cell == "lstm" else {}
    return sizes | {name: value for name, value in variant.settings.items() if name not in DRAWN}


def state_of(variant, numbers, name="{}0"):
    """The parts of a state out of `numbers`, in the structure that the cell has."""
    parts = tuple(numbers[name.format(s)] for s in variant.parts)
    return parts if len(parts) > 1 else parts[0]


def by_part(variant, state, name):
    """The parts of a state by name, such as "{}_n"."""
    return dict(zip(map(name.format, variant.parts), state if len(variant.parts) > 1 else (state,), strict=True))


def expected(case, variant, numbers, **more):
    """What the reference says: y, h_n, c_n, dx, dh0, dc0 and "d" + every parameter. `more`: mask, masks."""
    y, state, tape = FORWARD[variant.cell](numbers["x"], numbers["params"], state_of(variant, numbers),
                                           lengths=numbers["lengths"], **settings(case, variant), **more)
    g = BACKWARD[variant.cell](tape, numbers["dy"], state_of(variant, numbers, "d{}_n"))
    found = {"y": y, **by_part(variant, state, "{}_n"), "dx": g.dx, **by_part(variant, g.dhx, "d{}0")}
    return found | {f"d{name}": dw for name, dw in g.dparams.items()}


# Kinks ------------------------------------------------------------------------------------------------------


def activations_of(variant):
    """(those of the gates, in their order; that of the cell's output or None)."""
    s = variant.settings
    if variant.cell == "rnn":
        return [s.get("nonlinearity", "tanh")], None
    if variant.cell == "gru":
        f, g = s.get("activations", ("sigmoid", "tanh"))
        return [f, f, g], None
    f, g, h = s.get("activations", ("sigmoid", "tanh", "tanh"))
    return [f, f, g, f], h


def kinks_of(activation):
    """Where the function or its derivative jumps."""
    name, *p = (activation,) if isinstance(activation, str) else activation
    if name == "hard_sigmoid":
        alpha, beta = p or (0.2, 0.5)
        return (-beta / alpha, (1 - beta) / alpha)
    if name == "thresholded_relu":
        return tuple(p) or (1.0,)
    return (0.0,) if name in ("relu", "leaky_relu", "elu") else ()


def kinks(variant):
    """For each gate, and last for the cell's output, the arguments at which something jumps; None if none does."""
    gates, out = activations_of(variant)
    clip = variant.settings.get("clip")
    clips = () if clip is None else (-clip, clip)
    found = [kinks_of(a) + clips for a in gates] + [() if out is None else kinks_of(out)]
    return found if any(found) else None


def unbounded(variant):
    """Whether h can grow from step to step."""
    gates, out = activations_of(variant)
    bounded = {"sigmoid", "tanh", "hard_sigmoid", "softsign", "scaled_tanh"}
    names = [a if isinstance(a, str) else a[0] for a in gates + [out] * (out is not None)]
    return not set(names) <= bounded or "f" in variant.settings.get("gates_off", ())


def distance_to_kinks(case, variant, numbers):
    """The smallest distance of any argument of an activation, at any step, to a kink; in units of the largest one.

    The argument of the cell's output is taken to be c_t: a kink there goes with neither layer_norm nor zoneout.
    """
    *_, tape = FORWARD[variant.cell](numbers["x"], numbers["params"], state_of(variant, numbers),
                                     lengths=numbers["lengths"], taps=True, **settings(case, variant))
    *gates, out = kinks(variant)
    found = [math.inf]
    for taps in tape.taps:
        taken = taps.pre.any((2, 3))
        arguments = [taps.pre[taken][:, k] for k in range(len(gates))] + ([taps.c[taken]] if out else [])
        for values, points in zip(arguments, [*gates, out], strict=False):
            largest = np.max(np.abs(values), initial=1e-30)
            found += [float(np.min(np.abs(values - p), initial=math.inf)) / largest for p in points]
    return min(found)


def clearance(case, variant):
    """As much as a few attempts find at the case's size, and more than a float32 kernel errs."""
    n = case.T * case.B * case.H * case.L * case.D * GATES[variant.cell]
    return max(0.05 / max(n, 50), 1e-5)


def variants_on(cases=AWKWARD, names=VARIANTS):
    """Every (case, name of a variant) that fit together."""
    return [(case, name) for name in names for case in cases if VARIANTS[name].fits(case)]


def name_of(value):
    """For pytest's `ids`, with the pairs of `variants_on`."""
    return getattr(value, "id", str(value))
