"""A call whose batches processes share: what `distribute=` asks for is around all of it, so that no process waits for one that failed."""

import functools

from lstmc.nn.checks import kind_text


def check(distribute):
    """Raise TypeError unless this says how to share; a class does not."""
    if isinstance(distribute, type) or not hasattr(distribute, "shares"):
        raise TypeError(f"distribute: expected lstmc.distributed.Pieces(...) or lstmc.distributed.MPI(...), received {kind_text(distribute)}")


def sharing(method):
    """A method of a model that takes `distribute` by name: lstmc.distributed.Pieces, lstmc.distributed.MPI, or None."""
    @functools.wraps(method)
    def shared(self, *arguments, **named):
        distribute = named.get("distribute")
        if distribute is None:
            return method(self, *arguments, **named)
        check(distribute)
        with distribute.shares(self):
            return method(self, *arguments, **named)

    return shared
