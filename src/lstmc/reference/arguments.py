"""What the functions of this package accept: every check of a caller's arguments, and float64 copies of them."""

import numpy as np


def float64(name, array, shape=None):
    """A float64 copy: exact or a TypeError, so that a complex or object array cannot slip through."""
    try:
        array = np.asarray(array).astype(np.float64, casting="safe")
    except TypeError as error:
        raise TypeError(f"{name} must be a real array that float64 holds exactly: {error}") from None
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return array


def sequence(x):
    """x (T,B,I)."""
    x = float64("x", x)
    if x.ndim != 3:
        raise ValueError(f"x must have shape (T, B, I), got {x.shape}")
    return x


def live_steps(lengths, mask, T, B):
    """(T,B) booleans: which steps of which sequence are taken."""
    if mask is not None:
        if lengths is not None:
            raise ValueError("mask excludes lengths: give one of them")
        mask = np.array(mask)
        if mask.dtype != np.bool_:
            raise TypeError(f"mask must be booleans, got dtype {mask.dtype}")
        if mask.shape != (T, B):
            raise ValueError(f"mask must have shape {(T, B)}, got {mask.shape}")
        return mask
    if lengths is None:
        return np.ones((T, B), bool)
    lengths = np.array(lengths)
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"lengths must be integers, got dtype {lengths.dtype}")
    if lengths.shape != (B,) or np.any(lengths < 0) or np.any(lengths > T):
        raise ValueError(f"lengths must have shape ({B},) and lie in 0..{T}, got {lengths.tolist()}")
    return np.arange(T)[:, None] < lengths


def state(name, parts, shapes):
    """Own copies of a state's parts as a tuple, zeros for None. A state of one part is an array by itself."""
    if parts is None:
        return tuple(np.zeros(shape) for shape in shapes)
    if len(shapes) == 1:
        return (float64(name, parts, shapes[0]),)
    if not isinstance(parts, (tuple, list)) or len(parts) != len(shapes):
        raise TypeError(f"{name} must be a tuple of {len(shapes)} arrays")
    return tuple(float64(f"{name}[{n}]", parts[n], shape) for n, shape in enumerate(shapes))


def weights(given, suffix, shapes):
    """One layer and direction of `given`, by part; the two biases may be absent together.

    Shapes are checked, since NumPy would broadcast some wrong ones.
    """
    biased = any(f"{part}_{suffix}" in given for part in shapes if part.startswith("bias"))
    found = {}
    for part, shape in shapes.items():
        name = f"{part}_{suffix}"
        if part.startswith("bias") and not biased:
            continue
        if name not in given:
            raise ValueError(f"params lacks {name} {shape}")
        found[part] = float64(name, given[name], shape)
    return found


def only(what, given, known):
    """Refuses names that the cell does not have."""
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"{what} has {', '.join(unknown)}, which this cell does not have")


def clip_of(clip):
    """The bound of a clip; infinity for None."""
    if clip is None:
        return np.inf
    if not clip > 0:
        raise ValueError(f"clip must be None or positive, got {clip!r}")
    return float(clip)


def probability(name, p):
    """A number in [0, 1]."""
    if not 0 <= p <= 1:
        raise ValueError(f"{name} must lie in 0..1, got {p!r}")
    return float(p)


def choice(name, value, allowed):
    """One of a few values; False and 0 are not the same."""
    if not any(value is v or (isinstance(v, str) and value == v) for v in allowed):
        raise ValueError(f"{name} must be one of {allowed}, got {value!r}")
    return value
