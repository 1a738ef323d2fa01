"""The state of Keras's optimizers, so that training goes on: the number of steps, and arrays for each weight that is trained, such as momenta.

Keras keeps them in one list: the steps, the learning rate in some versions, then the arrays. From Keras 2.11 on, arrays that belong together follow
each other weight by weight; before, and in the legacy optimizers of Keras 2, kind by kind. Names, where there are such, tell the two apart.
The product of momentums that Nadam has besides follows from the steps. Keras writes it nowhere; in a graph of Keras 2 it is another one, since
each step counts there once for every weight, and training goes on differently.
"""

import re

import numpy as np

from lstmc.nn import checks
from lstmc.training.graph import once
from lstmc.warned import warn

# By class the slots in Keras's order; those of one tuple follow each other weight by weight.
ORDERS = {"SGD": (("m",),), "RMSprop": (("v",), ("m",), ("a",)), "Adagrad": (("v",),), "Adadelta": (("v", "d"),), "Adam": (("m", "v"), ("h",)),
          "AdamW": (("m", "v"), ("h",)), "Nadam": (("m", "v"),), "Adamax": (("m", "v"),), "Lion": (("m",),)}
# Names of arrays that are in the list kind by kind: those of Keras 1, those of the middle of Keras 2, and of its legacy optimizers.
BY_KIND = re.compile(r"Variable(_\d+)?(:0)?$|/(m|v|vhat|moments?|accumulator|delta_accumulator|velocity|velocities|rms)_\d+:0$|"
                     r"/(m|v|vhat|momentum|rms|mg|accumulator|accum_grad|accum_var)(:0)?$")
MOST_STEPS = 2**53


def apply(model, layers, source):
    """Give the optimizer of a compiled model the state that a source has; if it does not fit, leave it anew and warn.

    layers: in the order of Keras.
    """
    if model.optimizer is None:
        return
    try:
        given = source.optimizer()
        if given:
            put(model, layers, given)
    except (AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        warn(f"the optimizer begins anew, since its state does not fit: {error}")


def put(model, layers, given):
    """Take the state from [(name, array)]; nothing is changed unless all of it fits."""
    optimizer, trained = model.optimizer, [v for _, v in model.trained]
    known = {id(v) for v in trained}
    variables = [v for _, v in once((layer, v) for layer in layers for v in layer.trainable_variables) if id(v) in known]
    steps = counted(given[0][1]) if tuple(given[0][1].shape) == () else 0
    arrays = [(name, a) for name, a in given if tuple(a.shape) != ()]
    if not arrays:
        optimizer.iterations = steps
        return
    n, found = len(variables), {}
    together = ORDERS[type(optimizer).__name__]
    if any(BY_KIND.search(name) for name, _ in arrays):
        together = [(slot,) for some in together for slot in some]
    wanted = [(slot, v) for some in together for v in variables for slot in some if slot in optimizer.slots]
    if not wanted or all(tuple(a.shape) == (1,) for _, a in arrays[len(wanted):]):
        arrays = arrays[:len(wanted)]       # but a momentum that is not in use, and a third kind that Adam had without a use
    if n != len(trained) or len(wanted) != len(arrays):
        raise ValueError(f"expected {len(wanted)} arrays, {', '.join(optimizer.slots)} of {n} weights, received {len(arrays)}")
    for (slot, v), (name, a) in zip(wanted, arrays, strict=True):
        if tuple(a.shape) != v.shape:
            raise ValueError(f"{name}: expected shape {checks.shape_text(v.shape)}, as of {v.name}, received {checks.shape_text(a.shape)}")
        found[slot, id(v)] = np.asarray(a.read(), v.array.dtype)
    optimizer.build([v.array for v in trained])
    for v, own in zip(trained, optimizer.state, strict=True):
        for slot, a in own.items():
            a[...] = v.inward(found[slot, id(v)])
    optimizer.iterations = steps


def counted(a):
    """The number of steps, whatever the type that it is kept in."""
    value = np.asarray(a.read()).item()
    if not 0 <= value < MOST_STEPS or value != int(value):
        raise ValueError(f"expected a number of steps, received {value}")
    return int(value)
