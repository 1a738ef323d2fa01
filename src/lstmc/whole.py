"""Weights are read whole: who copies or saves them while another thread trains waits for the end of its step, which changes one after another.

A step begins when nobody reads what it changes, so that one step after the other cannot keep a reader waiting. What changes weights, or reads them,
says so by the turns of its model and layers (`lstmc.turn`); others do not meet. Between steps, in callbacks, nobody is kept waiting.
"""

import threading

from lstmc.locks import Renewed


class Meetings(Renewed):
    """The changes and reads of this process that are under way, as (thread, turns) pairs; none in a forked child."""

    def renew(self):
        self.met, self.changing, self.reading = threading.Condition(), [], []


_meetings = Meetings()


class _Held:
    """`with` it, this thread changes or reads what has these turns, and no other thread does what forbids that."""

    __slots__ = ("_entered", "_turns")

    def __init__(self, turns):
        self._turns, self._entered = frozenset(turns), []

    def _free(self, others, thread):
        return all(other == thread or self._turns.isdisjoint(turns) for other, turns in others)

    def _leave(self):
        met, entries, entry = self._entered.pop()
        with met:
            entries.remove(entry)
            if entries is not _meetings.changing or _meetings.reading:
                met.notify_all()


class Changing(_Held):
    """A step: begins when no other thread reads."""

    __slots__ = ()

    def __enter__(self):
        m, thread = _meetings, threading.get_ident()
        met, entry = m.met, (thread, self._turns)
        with met:
            if m.reading:
                met.wait_for(lambda: self._free(m.reading, thread))
            m.changing.append(entry)
        self._entered.append((met, m.changing, entry))

    def __exit__(self, *error):
        self._leave()


class Reading(_Held):
    """A read: no step begins from now on, and it waits for those under way."""

    __slots__ = ()

    def __enter__(self):
        m, thread = _meetings, threading.get_ident()
        met, entry = m.met, (thread, self._turns)
        with met:
            m.reading.append(entry)
            self._entered.append((met, m.reading, entry))
            try:
                met.wait_for(lambda: self._free(m.changing, thread))
            except BaseException:       # Ctrl-C
                self._leave()
                raise

    def __exit__(self, *error):
        self._leave()


def turns_of(*owners):
    """The turns of a model and of layers."""
    return [turn for owner in owners for turn in owner.turns]
