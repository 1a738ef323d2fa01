"""What to do about targets, inputs and parts of other packages that do not fit: the second half of a message, after what was expected and received."""


import numpy as np

from lstmc.warned import warn

NAMES = "labels, y = numpy.unique(y, return_inverse=True) makes numbers of names"


def refuse_text(y, label):
    """Raise TypeError for targets that are text, or lists of it."""
    if y.dtype.kind in "SU" or (y.dtype == object and y.size and isinstance(y.flat[0], (str, bytes))):
        raise TypeError(f"{label}: expected numbers, received dtype {y.dtype}: text; {NAMES}")


def of_targets(loss, y, shape):
    """For targets that a loss refused, against predictions of this shape, None where free; '' if there is nothing to say."""
    y, kind, C = np.asarray(y), type(loss).__name__, shape[-1]
    if y.dtype.kind not in "biuf" or not y.size or not np.isfinite(y).all():
        return ""
    low, high, whole = y.min(), y.max(), bool((y == np.floor(y)).all())
    flat = y.ndim < len(shape) or y.shape[-1] == 1
    if kind == "SparseCategoricalCrossentropy":
        if flat and whole and low == 1 and high == C:
            return "; labels begin with 0: pass y - 1"
        if flat and whole and low >= 0 and high >= C:
            return f"; with these labels the last layer needs {high + 1:.0f} units"
    elif "Crossentropy" in kind:
        if flat and C > 1 and whole and low >= 0:
            return "; sparse_categorical_crossentropy takes integer labels" if kind.startswith("Binary") else ""
        if low == -1 and high == 1:
            return "; pass (y + 1) / 2"
        if flat and whole and low >= 0 and high > 1:
            return f'; {high + 1:.0f} classes need Dense({high + 1:.0f}, activation="softmax") and sparse_categorical_crossentropy'
    if len(shape) == 3 and (y.ndim == 1 or y.shape[1:] == (C,)):
        return "; for one output per sequence, the last recurrent layer needs return_sequences=False"
    return ""


def warn_of_one_softmax(activation, shape, y):
    """A softmax over one value is 1, whatever the value: a mistake, if there are targets of several."""
    if activation == "softmax" and shape[-1] == 1 and isinstance(y, np.ndarray) and y.size and (y != y.flat[0]).any():
        warn('activation="softmax" of one unit is always 1 and learns nothing; "sigmoid" is for two classes')


def of_inputs(shapes, declared):
    """For inputs of shapes that a model of these declared ones refused."""
    for shape, wanted in zip(shapes, declared, strict=True):
        if wanted and len(shape) + 1 == len(wanted):
            if len(shape) != 2 and wanted[-1] == 1 and all(w in (None, n) for n, w in zip(shape[1:], wanted[1:-1], strict=True)):
                return f"; x[{', '.join([':'] * len(shape))}, None] adds the last axis"
            if all(w in (None, n) for n, w in zip(shape, wanted[1:], strict=True)):
                return "; x[None] makes a batch of one sample"
    return ""
