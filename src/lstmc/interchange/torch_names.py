"""Which recurrent layers a set of PyTorch's weights has: found by their names, and what they are by their shapes."""

import re
from typing import NamedTuple

from lstmc.nn.checks import shape_text
from lstmc.nn.params import torch_shapes

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
ONE = r"((?:.*\.)?)(weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)"
NAME = re.compile(ONE + r"(_l(?:0|[1-9]\d{0,3})(?:_reverse)?)?", re.DOTALL)     # without a layer's number: of a cell, as LSTMCell
# Names in place of which a weight is computed: weight normalisation, pruning, other parametrizations.
COMPUTED = re.compile(r"(?:.*\.)?(?:parametrizations\.)?(?:weight|bias)_[ih][hr](?:_l\d+(?:_reverse)?)?(?:_g|_v|_orig|_mask|_bar|\.original\d*)", re.DOTALL)
OF_A_LAYER = re.compile(r"\w+_l\d+(?:_reverse)?")      # as the parameters of variants are named, too
SHOWN = 10      # names in a message


class Sizes(NamedTuple):
    """What the shapes say: kind is the class in lstmc.nn, the others are its arguments."""

    kind: str
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    bidirectional: bool
    proj_size: int


def layers_of(names):
    """prefix -> {name in lstmc.nn: name there} of all recurrent layers, in the order in which they come."""
    found = {}
    for name in names:
        parts = NAME.fullmatch(name)
        if parts:
            found.setdefault(parts[1], {})[parts[2] + (parts[3] or "")] = name
    found = {prefix: ours for prefix, ours in found.items() if any(n.startswith("weight_") for n in ours)}
    if not found:
        raise ValueError(f"expected weights of a recurrent layer, such as weight_hh_l0, received {listed(names)}{computed(names)}")
    return {prefix: {n if "_l" in n else f"{n}_l0": there for n, there in unmixed(prefix, ours).items()} for prefix, ours in found.items()}


def unmixed(prefix, ours):
    """ours, unless it has names of a layer and of a cell."""
    if len({"_l" in n for n in ours}) > 1:
        raise ValueError(f"{prefix or 'obj'}: expected names of a layer, such as weight_hh_l0, or of a cell, such as weight_hh, received both: {listed(ours)}")
    return ours


def chosen(found, prefix):
    """The prefix of the one layer that is meant: that of this prefix, or the only one below it; None is below all."""
    start = start_of(found, prefix)
    if prefix is not None and start in found:
        return start
    below = [p for p in found if p.startswith(start)]
    if len(below) == 1:
        return below[0]
    have = ", ".join(repr(p) for p in list(found)[:SHOWN]) + ", ..." * (len(found) > SHOWN)
    if prefix is None:
        raise ValueError(f"prefix: expected one of {have}, since there are {len(found)} recurrent layers, received None")
    raise ValueError(f"prefix: expected one of {have}, received {prefix!r}{', which several begin with' * (len(below) > 1)}")


def start_of(found, prefix):
    """With what names begin: a prefix, with or without the point at its end."""
    prefix = prefix or ""
    return f"{prefix}." if prefix and not prefix.endswith(".") and any(p.startswith(f"{prefix}.") for p in found) else prefix


def sizes_of(names, shapes, every=()):
    """Sizes of one of `layers_of`; shapes are by the names there. Raises ValueError unless every array that belongs to them is there, and no other.

    every: all names that there are, in which parts of a parametrized weight may be found, and those of a variant that torch has not.
    """
    start, known = start_of_all(names), set(names.values())
    for n in every:
        if n.startswith(start) and n not in known and OF_A_LAYER.fullmatch(n.removeprefix(start)):
            raise ValueError(f"{n}: expected no such array beside {listed(names.values())}: torch's layers have none")
    if "weight_hh_l0" not in names:
        raise ValueError(missing(names, ["weight_hh_l0"], every))
    have = {n: shapes[there] for n, there in names.items()}
    for n, shape in have.items():
        if len(shape) != (2 if n.startswith("weight") else 1):
            raise ValueError(f"{names[n]}: expected {'two axes' if n.startswith('weight') else 'one axis'}, received shape {shape_text(shape)}")
    rows, columns = have["weight_hh_l0"]
    P, H = have.get("weight_hr_l0", (0, columns))
    kind = "LSTM" if P else next((k for k, G in GATES.items() if rows == G * H), None)
    if kind is None or not (rows and columns):
        raise ValueError(f"{names['weight_hh_l0']}: expected shape (4*H, H) of an LSTM, (3*H, H) of a GRU or (H, H) of an RNN, received "
                         f"{shape_text((rows, columns))}")
    I = have.get("weight_ih_l0", (0, 0))[1]
    L, D = 1 + max(int(n.split("_")[2][1:]) for n in names), 2 if any(n.endswith("_reverse") for n in names) else 1
    bias = any(n.startswith("bias") for n in names)
    expected = {}
    for layer in range(L):
        for way in ("", "_reverse")[:D]:
            expected |= torch_shapes(f"l{layer}{way}", GATES[kind], I, H, P, D, bias)
    absent, more = [n for n in expected if n not in names], [n for n in names if n not in expected]
    if absent:
        raise ValueError(missing(names, absent, every))
    if more:
        raise ValueError(f"{names[more[0]]}: expected no such array beside {listed(expected)}, of {kind} layers without projection")
    for n, shape in expected.items():
        if tuple(have[n]) != shape:
            raise ValueError(f"{names[n]}: expected shape {shape_text(shape)} of {kind} layers with hidden_size={H}, received {shape_text(have[n])}")
    if P >= H and P:
        raise ValueError(f"{names['weight_hr_l0']}: expected shape (P, H) with P < H, received {shape_text((P, H))}")
    if I < 1:
        raise ValueError(f"{names['weight_ih_l0']}: expected at least one input, received shape {shape_text(have['weight_ih_l0'])}")
    return Sizes(kind, I, H, L, bias, D == 2, P)


def start_of_all(names):
    """The prefix of a layer."""
    ours, there = next(iter(names.items()))
    return there.removesuffix(ours).removesuffix(ours.removesuffix("_l0"))


def missing(names, absent, every):
    """What is said of arrays that are not there."""
    prefix = start_of_all(names)
    which = f"{', '.join(prefix + n for n in absent[:SHOWN])}{', ...' * (len(absent) > SHOWN)}"
    return (f"expected {which} beside the others, received {listed(names.values())} without {'it' if len(absent) == 1 else 'them'}"
            f"{computed([n for n in every if n.startswith(prefix)])}")


def computed(names):
    """A hint, if there are parts of a weight that a parametrization computes."""
    some = next((n for n in names if COMPUTED.fullmatch(n)), None)
    return "" if some is None else f"; {some!r} is part of a weight that torch computes of others: pass the module instead of its state_dict"


def listed(names):
    """The first names, for a message."""
    names = list(names)
    return (", ".join(repr(n) for n in names[:SHOWN]) or "no names") + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
