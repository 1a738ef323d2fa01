"""One thread at a time in what trains or measures a model, or writes its weights: who finds another's call in it raises, before anything is touched.

A model has a turn, and so has every layer: models that share layers may be measured at once, but not trained.
"""

import contextlib
import functools
import os
import threading
import weakref

from lstmc.locks import Lock

_taking = Lock()        # held while turns are taken: of two threads that want the same ones, one gets all


class Call:
    """A call under way. Its frame alone has it, so it is gone when that is, also where Ctrl-C came between any two lines."""

    __slots__ = ("__weakref__", "process", "thread")

    def __init__(self):
        self.process, self.thread = os.getpid(), threading.get_ident()


def nobody():
    """In place of a reference to a call."""


class Turn:
    """Whose turn it is. The thread that has it may come again, from a callback; copies begin with nobody's."""

    __slots__ = ("_call",)

    def __init__(self):
        self._call = nobody

    def __reduce__(self):
        return Turn, ()

    def take(self, call):
        """Whether it is this call's, or its thread's already. Whoever had it in a parent does not exist here."""
        other = self._call()
        if other is None or other.process != call.process:
            self._call = weakref.ref(call)
            return True
        return other.thread == call.thread

    def leave(self, call):
        """Nobody's again, if it was this call's."""
        if self._call() is call:
            self._call = nobody


@contextlib.contextmanager
def taken(what, turns):
    """`with taken("fit", turns):` all of them are this thread's; RuntimeError if one is another's."""
    call = Call()
    try:
        with _taking.now:
            for turn in turns:
                if not turn.take(call):
                    raise RuntimeError(f"{what}: expected a model that one thread at a time trains or evaluates, received one in another thread's call")
        yield
    finally:
        for turn in turns:
            turn.leave(call)


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
