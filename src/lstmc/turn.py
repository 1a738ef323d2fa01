"""One thread at a time in what trains or measures a model, or writes its weights: who finds another's call in it raises, before anything is touched.

A model has a turn, and so has every layer: models that share layers may be measured at once, but not trained.
"""

import contextlib
import functools
import os
import threading

from lstmc.locks import Lock

_taking = Lock()        # held while turns are taken: of two threads that want the same ones, one gets all


class Turn:
    """Whose turn it is. The thread that has it may come again, from a callback; copies begin with nobody's."""

    __slots__ = ("_lock", "_process")

    def __init__(self):
        self._renew()

    def __reduce__(self):
        return Turn, ()

    def _renew(self):
        self._lock, self._process = threading.RLock(), os.getpid()

    def take(self):
        """The lock of this process, which is held now, or None if another thread holds it. Whoever held it in a parent does not exist here."""
        if self._process != os.getpid():
            self._renew()
        return self._lock if self._lock.acquire(blocking=False) else None


@contextlib.contextmanager
def taken(what, turns):
    """`with taken("fit", turns):` all of them are this thread's; RuntimeError if one is another's."""
    held = []
    try:
        with _taking.now:
            for turn in turns:
                lock = turn.take()
                if lock is None:
                    raise RuntimeError(f"{what}: expected a model that one thread at a time trains or evaluates, received one in another thread's call")
                held.append(lock)
        yield
    finally:
        for lock in held:
            lock.release()


def in_turn(method=None, *, writing=None, around=None):
    """A method of something that has `turns`, for one thread at a time.

    writing(self) gives the layers whose weights it changes, around(self, named arguments) a context for the call, if there are any.
    """
    if method is None:
        return functools.partial(in_turn, writing=writing, around=around)

    @functools.wraps(method)
    def one(self, *arguments, **named):
        turns = self.turns if writing is None else [*self.turns, *(t for layer in writing(self) for t in layer.turns)]
        with taken(method.__name__, turns), around(self, named) if around else contextlib.nullcontext():
            return method(self, *arguments, **named)

    return one
