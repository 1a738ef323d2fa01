"""A call whose batches processes share: what `distribute=` asks for is around all of it, so that no process waits for one that failed."""

import functools


def sharing(method):
    """A method of a model that takes `distribute` by name: lstmc.distributed.Pieces, lstmc.distributed.MPI, or None."""
    @functools.wraps(method)
    def shared(self, *arguments, **named):
        distribute = named.get("distribute")
        if distribute is None:
            return method(self, *arguments, **named)
        if not hasattr(distribute, "shares"):
            raise TypeError(f"distribute: expected lstmc.distributed.Pieces or lstmc.distributed.MPI, received {type(distribute).__name__}")
        with distribute.shares(self):
            return method(self, *arguments, **named)

    return shared
