"""Calls whose batches processes share: what `distribute=` asks for is around all of the call, so that no process waits for one that failed."""

import contextlib

from lstmc.received import whole_kind


def check(distribute):
    """Raise TypeError unless this says how to share; a class does not."""
    if isinstance(distribute, type) or not hasattr(distribute, "shares"):
        raise TypeError(f"distribute: expected lstmc.distributed.Pieces(...) or lstmc.distributed.MPI(...), received {whole_kind(distribute)}")


def sharing(model, named):
    """The context of a call with these named arguments: that of lstmc.distributed.Pieces or lstmc.distributed.MPI, if one is there."""
    distribute = named.get("distribute")
    if distribute is None:
        return contextlib.nullcontext()
    check(distribute)
    return distribute.shares(model)
