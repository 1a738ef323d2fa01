"""Weights are read whole: who copies or saves them while another thread trains waits for the end of its step, which changes one after another.

A step begins when nobody reads what it changes, so that one step after the other cannot keep a reader waiting. What changes weights, or reads them,
says so by the turns of its model and layers (`lstmc.turn`); others do not meet. Between steps, in callbacks, nobody is kept waiting.
"""

import threading
import time
import weakref

from lstmc.locks import Lock, Renewed

PAUSE = 5e-4        # seconds between two looks of who waits: nobody needs to wake it, so nobody whom Ctrl-C ends can forget to

_meeting = Lock()


class Meetings(Renewed):
    """Who changes and who reads in this process, as weak references, for who is gone holds nothing; none in a forked child."""

    def renew(self):
        self.changing, self.reading = [], []


_meetings = Meetings()


class _Held:
    """`with` it, this thread changes or reads what has these turns, and no other thread does what forbids that."""

    __slots__ = ("__weakref__", "_entered", "_entry", "_thread", "_turns")

    def __init__(self, turns):
        self._turns, self._entered, self._thread, self._entry = frozenset(turns), [], threading.get_ident(), weakref.ref(self)

    def _free(self, others):
        """Whether no other thread among them has what this one wants."""
        for other in (reference() for reference in others):
            if other is not None and other._thread != self._thread and not self._turns.isdisjoint(other._turns):
                return False
        return True

    def _enter(self, entries):
        self._thread = threading.get_ident()
        self._entered.append(entries)
        entries.append(self._entry)

    def _leave(self):
        entries = self._entered.pop()
        with _meeting.now:
            entries.remove(self._entry)
            if entries:
                entries[:] = [other for other in entries if other() is not None]

    def __exit__(self, *error):
        self._leave()


class Changing(_Held):
    """A step: begins when no other thread reads."""

    __slots__ = ()

    def __enter__(self):
        while True:
            with _meeting.now:
                if not _meetings.reading or self._free(_meetings.reading):
                    self._enter(_meetings.changing)
                    return
            time.sleep(PAUSE)


class Reading(_Held):
    """A read: no step begins from now on, and it waits for those under way."""

    __slots__ = ()

    def __enter__(self):
        with _meeting.now:
            self._enter(_meetings.reading)
        try:
            while True:
                with _meeting.now:
                    if self._free(_meetings.changing):
                        return
                time.sleep(PAUSE)
        except BaseException:       # Ctrl-C
            self._leave()
            raise


def turns_of(*owners):
    """The turns of a model and of layers."""
    return [turn for owner in owners for turn in owner.turns]
