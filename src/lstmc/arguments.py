"""Arguments of Keras that this package does not take: only their defaults pass, and the message says what to do instead."""

import difflib

from lstmc import received
from lstmc.reprs import arguments_of

CHANNELS_LAST = {"data_format": ((None, "channels_last"), "the layout is channels last")}
NO_CONSTRAINT = "change the weights in a callback with set_weights"
RENAMED = {"lr": "learning_rate", "init": "kernel_initializer", "inner_activation": "recurrent_activation", "p": "rate", "return_seq": "return_sequences"}


def refuse(kind, arguments, known, cls=None):
    """Raise for arguments of Keras that are not supported, unless they have Keras' default: name -> (default or several, advice)."""
    for name, value in arguments.items():
        default, instead = known.get(name, (None, None))
        if instead is None:
            meant = [RENAMED[name]] if name in RENAMED else difflib.get_close_matches(name, arguments_of(cls) if cls else ())
            raise TypeError(f"{kind}: unexpected argument {name!r}" + (f"; did you mean {meant[0]}?" if meant else ""))
        defaults = default if isinstance(default, tuple) else (default,)
        if not any(value is d or (isinstance(value, (bool, int, float, str)) and value == d) for d in defaults):
            raise ValueError(f"{kind}: {name}={received.short(value)} is not supported (only {' or '.join(map(repr, defaults))}); {instead}")
