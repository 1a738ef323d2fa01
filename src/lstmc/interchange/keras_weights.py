"""The weights of Keras' layers as those of the layers here: which is which, by name where there are names, and turned into one layout.

Arrays come in as (name, Array): an Array has a shape before it is read. The layouts are rows of `lstmc.layouts`: that of Keras, which the layers
here have, the separate arrays of Keras 1, and cuDNN's, of CuDNNLSTM and CuDNNGRU.
"""

import re
from typing import NamedTuple

import numpy as np

from lstmc import layers, layouts
from lstmc.layers.recurrent import Recurrent
from lstmc.nn import checks

# Last part of a name -> name here, where it is another one.
ALIASES = {"W": "kernel", "U": "recurrent_kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance", "alphas": "alpha"}
STATISTICS = ("moving_mean", "moving_variance")
WAYS = ("forward", "backward")


class Held(NamedTuple):
    """An array in memory, as `hdf5.Array` is one in a file."""

    array: np.ndarray

    @property
    def shape(self):
        return self.array.shape

    def read(self):
        return self.array


def role(name):
    """What a name says that a weight is: 'lstm_1/lstm_cell/kernel:0' and 'lstm_1_W' are kernels."""
    last = re.sub(r"(?<=[a-z])_\d+$", "", re.sub(r":\d+$", "", name.rsplit("/", 1)[-1]))
    for known in ("recurrent_kernel", "moving_mean", "moving_variance", "running_mean", "running_std"):
        if last.endswith(known):
            return ALIASES.get(known, known)
    if found := re.search(r"(?:^|_)([WUb]_[ifcozrh])$", last):
        return found[1]
    last = last.rsplit("_", 1)[-1]
    return ALIASES.get(last, last)


def way(name):
    """The direction that a name says, or None."""
    return next((w for part in name.split("/") for w in WAYS if part.startswith(f"{w}_")), None)


def arranged(layer, wanted, given):
    """[(shape, arrays, function of these)] of the weights of a layer, whose shapes by name are `wanted`.

    Raises ValueError, before anything is read, where what is given is not that.
    """
    if isinstance(layer, layers.TimeDistributed):
        return arranged(layer.layer, wanted, given)
    if isinstance(layer, layers.Bidirectional):
        by_way = [[pair for pair in given if way(pair[0]) == w] for w in WAYS]
        if sum(map(len, by_way)) != len(given) or len(by_way[0]) != len(by_way[1]):
            by_way = given[:len(given) // 2], given[len(given) // 2:]
        return [found for w, some in zip(WAYS, by_way, strict=True)
                for found in recurrent(layer, layer.layer, {n.partition("/")[2]: s for n, s in wanted.items() if n.startswith(w)}, some, f"{w}/")]
    if isinstance(layer, Recurrent):
        return recurrent(layer, layer, wanted, given, "")
    if isinstance(layer, layers.Embedding):
        given = [("embeddings", a) for _, a in given]
    given = by_role(wanted, given)
    check(layer, wanted, given)
    return [(shape, [a], only) for shape, (_, a) in zip(wanted.values(), given, strict=True)]


def by_role(wanted, given):
    """given in the order of wanted, if the names say which is which; else as it is."""
    found = {role(name): (name, a) for name, a in given}
    return [found[name] for name in wanted] if found.keys() == wanted.keys() else given


def check(layer, wanted, given):
    if [tuple(a.shape) for _, a in given] != [tuple(s) for s in wanted.values()]:
        raise unlike(layer, wanted, given)


def unlike(layer, wanted, given):
    expected = ", ".join(f"{name} {checks.shape_text(shape)}" for name, shape in wanted.items()) or "none"
    received = ", ".join(f"{name} {checks.shape_text(a.shape)}" for name, a in given) or "none"
    return ValueError(f"layer {layer.name!r} ({type(layer).__name__}): expected the weights {expected}, received {received}")


def only(a):
    return a


def recurrent(layer, settings, wanted, given, prefix):
    """`arranged`, of one direction."""
    cell, H = settings.cell, settings.units
    shapes = {prefix + name: shape for name, shape in wanted.items()}
    if separate := of_keras_1(cell, wanted, given):
        return separate
    given = by_role(wanted, given)
    if settings.use_bias and len(given) == 3 and cell != "rnn":
        GH = layouts.count(cell) * H
        bias = tuple(given[2][1].shape)
        # Two biases in one array: cuDNN's, whatever the class.
        if bias == (2 * GH,) and (cell == "lstm" or settings.reset_after):
            as_keras = {"kernel": wanted["kernel"], "recurrent_kernel": wanted["recurrent_kernel"], "bias": (2 * GH,)}
            check(layer, as_keras, given)
            arrays = [a for _, a in given]
            one = cell == "lstm"
            return [(wanted["kernel"], arrays[:1], lambda w: layouts.of_cudnn(w, cell)),
                    (wanted["recurrent_kernel"], arrays[1:2], lambda w: layouts.of_cudnn(w, cell)),
                    (wanted["bias"], arrays[2:], lambda b: b.reshape(2, -1).sum(0) if one else b.reshape(2, -1))]
    check(layer, shapes, given)
    return [(shape, [a], only) for shape, (_, a) in zip(wanted.values(), given, strict=True)]


def of_keras_1(cell, wanted, given):
    """`arranged`, of an array for each gate: W, U, b of one after the other, or by their names; None if these are not such arrays."""
    letters = layouts.LAYOUTS["keras 1"]
    order = getattr(letters, cell).replace("g", "c").replace("n", "h")
    if cell == "rnn" or len(given) != len(order) * len(wanted):
        return None
    names = [f"{kind}_{letter}" for letter in order for kind in "WUb"[:len(wanted)]]
    found = {role(name): a for name, a in given}
    arrays = [found[name] for name in names] if found.keys() == set(names) else [a for _, a in given]
    made = []
    for i, shape in enumerate(wanted.values()):
        some = arrays[i::len(wanted)]
        if any(tuple(a.shape) != (*shape[:-1], shape[-1] // len(order)) for a in some):
            return None
        made.append((shape, some, lambda *gates: layouts.reordered(np.concatenate(gates, -1), cell, "keras 1", "keras")))
    return made


# Which arrays are whose -------------------------------------------------------------------------------------------------


def counts(leaf, wanted):
    """(weights that are trained, others) of a layer in Keras, in whose old files the former come first."""
    n = len(wanted)
    if not leaf.layer.trainable:
        return 0, n
    statistics = sum(name in STATISTICS for name in wanted)
    return n - statistics, statistics


def shared_out(leaves, wanted, given, version):
    """The arrays of a model in a model, which old files have in one list, by layer: a list of lists."""
    gates = {"lstm": 4, "gru": 3}

    def factor(leaf):
        inner = getattr(leaf.layer, "layer", leaf.layer)
        return gates.get(getattr(inner, "cell", None), 1)

    for factors in ([1] * len(leaves), [factor(leaf) for leaf in leaves] if version == 1 else None):
        if factors is None:
            continue
        sizes = [tuple(f * n for n in counts(leaf, w)) for f, leaf, w in zip(factors, leaves, wanted, strict=True)]
        if sum(map(sum, sizes)) == len(given):
            break
    else:
        raise ValueError(f"layer {leaves[0].path[0][1]!r}: expected {sum(map(len, wanted))} weights, received {len(given)}")
    found, at = [[] for _ in leaves], 0
    for part in (0, 1):
        for i, size in enumerate(sizes):
            found[i] += given[at:at + size[part]]
            at += size[part]
    return found
