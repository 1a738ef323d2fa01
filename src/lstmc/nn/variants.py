"""The settings of a cell beyond its plain equations: what is accepted, what is refused and why, and how kernels are told.

What each setting means is stated as an equation at the head of `lstmc/reference/lstm.py` and `gru.py`.
"""

from lstmc.kernels.options import FUNCTIONS, Options
from lstmc.nn import checks

PEEPHOLE_ROWS = {False: 0, True: 3, "all": 4}


def activation(value, name):
    """(name, alpha, beta) from a name, (name, alpha) or (name, alpha, beta)."""
    parts = (value,) if isinstance(value, str) else value
    if not isinstance(parts, (tuple, list)) or not 1 <= len(parts) <= 3 or not isinstance(parts[0], str) or parts[0] not in FUNCTIONS:
        raise ValueError(f"{name}: expected one of {', '.join(FUNCTIONS)}, alone or as (name, alpha, beta), received {value!r}")
    function, *given = parts
    alpha, beta = (checks.number(p, f"{name}: {letter}") for p, letter in zip([*given, *FUNCTIONS[function][1:][len(given):]],
                                                                       ("alpha", "beta"), strict=True))
    if function in ("leaky_relu", "elu") and alpha < 0:
        raise ValueError(f"{name}: {function} with alpha {alpha} is not supported: its slope does not follow from its value")
    if function == "scaled_tanh" and alpha == 0:
        raise ValueError(f"{name}: scaled_tanh with alpha 0 is the constant 0")
    return function, alpha, beta


def activations(value, n):
    if not isinstance(value, (tuple, list)) or len(value) != n:
        raise ValueError(f"activations: expected {n} of them, received {value!r}")
    return tuple(activation(a, f"activations[{i}]") for i, a in enumerate(value))


def clip(value):
    if value is None:
        return None
    value = checks.number(value, "clip")
    if value <= 0:
        raise ValueError(f"clip: expected a number above 0, or None, received {value}")
    return value


def zoneout(value, parts):
    """A probability for each part of the state, from one for all or a pair."""
    if isinstance(value, (tuple, list)):
        if len(value) != parts:
            raise ValueError(f"zoneout: expected a number{' or a pair (h, c)' * (parts > 1)}, received {value!r}")
        return tuple(checks.probability(p, f"zoneout[{i}]") for i, p in enumerate(value))
    return (checks.probability(value, "zoneout"),) * parts


def gates_off(value, coupled):
    """A sorted tuple out of i, f, o."""
    try:
        found = tuple(sorted(set(value)))
    except TypeError:
        raise TypeError(f"gates_off: expected some of 'i', 'f', 'o', received {value!r}") from None
    if not set(found) <= {"i", "f", "o"}:
        raise ValueError(f"gates_off: expected some of 'i', 'f', 'o', received {value!r}")
    if coupled and set(found) & {"i", "f"}:
        raise ValueError(f"gates_off: expected neither 'i' nor 'f' with coupled=True, where f is 1 - i, received {value!r}")
    return found


def peephole(value):
    if not isinstance(value, (bool, str)) or value not in PEEPHOLE_ROWS:
        raise ValueError(f"peephole: expected False, True or 'all', received {value!r}")
    return value


def layer_norm(value):
    if value is not None and (not isinstance(value, str) or value not in ("haste", "tfa")):
        raise ValueError(f"layer_norm: expected None, 'haste' or 'tfa', received {value!r}")
    return value


def lstm_options(m):
    """The kernels' options of an nn.LSTM."""
    plain = (m.clip is None and not m.coupled and not m.gates_off and not m.peephole and not any(m.zoneout)
             and not m.layer_norm and [a[0] for a in m.activations] == ["sigmoid", "tanh", "tanh"])
    return Options(plain, m.activations, m.clip, m.coupled, m.gates_off, m.zoneout, m.recurrent_dropout, m.layer_norm)


def gru_options(m):
    """Those of an nn.GRU."""
    plain = m.clip is None and not any(m.zoneout) and [a[0] for a in m.activations] == ["sigmoid", "tanh"]
    return Options(plain, m.activations, m.clip, zoneout=(*m.zoneout, 0.0), recurrent_dropout=m.recurrent_dropout)


def rnn_options(m):
    """Those of an nn.RNN."""
    plain = m.clip is None and m.nonlinearity == "tanh"
    return Options(plain, (activation(m.nonlinearity, "nonlinearity"),), m.clip, recurrent_dropout=m.recurrent_dropout)
