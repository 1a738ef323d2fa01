"""One repr for everything that arguments make: layers, optimizers, losses, metrics, initializers, callbacks. It is the call that makes the object anew.

    LSTM(units=64, return_sequences=True, name='lstm')
    <LSTM(units=64, return_sequences=True, name='lstm'): 17,664 weights>        once it has weights
"""

import inspect
import re
from reprlib import Repr

_short = Repr()
_short.maxstring = _short.maxother = 60
STANDS_FOR_NONE = {"dtype": "float32", "activation": "linear"}


def constructed(self):
    """'Kind(argument=value, ...)': the arguments that are not at their defaults, in the order of the signature; for use as `__repr__`."""
    made = f"{type(self).__name__}({', '.join(f'{name}={text}' for name, text in _differing(self))})"
    built = getattr(self, "built", False) is True and getattr(self, "variables", None)
    return f"<{made}: {self.count_params():,} weights>" if built else made


def _differing(self):
    values = _values(self)
    for name, default in arguments_of(type(self)).items():
        if name not in values or (name == "seed" and getattr(self, "built", False)):      # built, it may have been drawn
            continue
        value = values[name]
        if isinstance(value, (dict, list)):     # what JSON makes of it
            value = vars(self).get(name, vars(self).get(f"_{name}", value))
        text = value.__name__ if callable(value) and hasattr(value, "__name__") else _nested(value) or _short.repr(value)
        if name == "name":
            own = not hasattr(self, "built") and _same(value, default_name(type(self).__name__))        # layers always say theirs
        else:
            own = default is None and _same(value, STANDS_FOR_NONE.get(name))
        if not (own or _is_initial(text, default) or _same(value, default)):
            yield name, text
    for name, value in vars(self).items():
        if name.startswith("on_") and callable(value):      # the hooks of a LambdaCallback
            yield name, getattr(value, "__name__", type(value).__name__)


def _values(self):
    """name -> value of what may be an argument."""
    try:
        return self.get_config()
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return vars(self)


def arguments_of(cls):
    """name -> default of the arguments of a class, those that it passes on to the classes above included."""
    found = {}
    for c in cls.__mro__[:-1]:
        if "__init__" not in vars(c):
            continue
        parameters = inspect.signature(c.__init__).parameters.values()
        for p in list(parameters)[1:]:
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                found.setdefault(p.name, p.default)
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
    return found | ({"name": found.pop("name")} if "name" in found else {})


def _nested(value):
    """The repr of an object that has this one, whole; '' for others."""
    return repr(value) if type(value).__repr__ is constructed else ""


def _is_initial(text, name):
    """Whether 'GlorotUniform()' is the initializer that 'glorot_uniform' stands for."""
    from lstmc import initializers
    return text.endswith("()") and isinstance(name, str) and name in initializers._BY_NAME and repr(initializers.get(name)) == text


def default_name(kind):
    """'SpatialDropout1D' -> 'spatial_dropout1d', 'SimpleRNN' -> 'simple_rnn', 'LSTM' -> 'lstm', as in Keras."""
    return re.sub(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", kind).lower()


def _same(a, b):
    try:
        return (type(a) is not bool and bool(a == b)) or a is b
    except ValueError:      # arrays
        return False


def text_name(name, thing):
    """name, or a thing's default name if it is None."""
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name: expected a string, received {type(name).__name__}")
    return name or default_name(type(thing).__name__)
