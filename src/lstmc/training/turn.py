"""One thread at a time in what trains or measures a model: who finds another's call in it raises, before anything is touched."""

import functools
import os
import threading

from lstmc.locks import Lock

_renewing = Lock()


class Turn:
    """Whose turn it is. The thread that has it may come again, from a callback; copies begin with nobody's."""

    def __init__(self):
        self._renew()

    def __reduce__(self):
        return Turn, ()

    def _renew(self):
        self._lock, self._process = threading.RLock(), os.getpid()

    def lock(self):
        """The lock of this process: whoever held it in a parent does not exist here."""
        if self._process != os.getpid():
            with _renewing.now:
                if self._process != os.getpid():
                    self._renew()
        return self._lock


def shares_of(distribute, model):
    """The context in which processes share the batches of a model."""
    if not hasattr(distribute, "shares"):
        raise TypeError(f"distribute: expected lstmc.distributed.Pieces or lstmc.distributed.MPI, received {type(distribute).__name__}")
    return distribute.shares(model)


def in_turn(method):
    """A method of a model that has a `_turn`, for one thread at a time."""
    @functools.wraps(method)
    def one(self, *arguments, **named):
        lock = self._turn.lock()
        if not lock.acquire(blocking=False):
            raise RuntimeError(f"{method.__name__}: expected a model that one thread at a time trains or evaluates, received one in another thread's call")
        try:
            if named.get("distribute") is None:
                return method(self, *arguments, **named)
            with shares_of(named["distribute"], self):      # around all of it: no process waits for one that failed, wherever
                return method(self, *arguments, **named)
        finally:
            lock.release()

    return one
