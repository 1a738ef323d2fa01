"""Ctrl-C in training: the step under way is made whole before KeyboardInterrupt is raised.

A handler of signals runs between any two instructions of Python and in the middle of long kernels: between the updates of two weights, or after
statistics were kept and before the weights were changed. While a step is made, SIGINT is therefore noted, and handled at its end. A handler
for the whole of `fit` does that, so that a step costs little.
"""

import _signal  # what `signal` wraps in enumerations, which take tens of microseconds: `train_on_batch` asks each time
import sys
import time

SIGINT = int(_signal.SIGINT)
PATIENCE = 1.0      # seconds after which a second Ctrl-C does not wait for the end of the step


class Interrupts:
    """`with interrupts:` for each step, between `install` and `remove`. Elsewhere than in the main thread, which alone gets signals, it does nothing."""

    __slots__ = ("_before", "_inside", "_mine", "_since")

    def __init__(self):
        self._inside, self._since, self._before, self._mine = False, None, None, None

    def install(self):
        """Put a handler before the one of SIGINT, if that is Python's or the caller's own."""
        before = _signal.getsignal(SIGINT)
        if callable(before):
            self._before, self._mine = before, self._handle
            self._put()
        return self

    def _put(self):
        try:
            _signal.signal(SIGINT, self._mine)
        except ValueError:      # not the main thread
            self._mine = None

    def remove(self):
        """Take it away again, unless a callback has installed another one; whether it was there."""
        there = self._mine is not None and _signal.getsignal(SIGINT) is self._mine
        if there:
            _signal.signal(SIGINT, self._before)
        return there

    def __enter__(self):
        self._inside = True

    def __exit__(self, *error):
        self._inside = False
        if self._since is not None:
            self._since = None
            self._before(SIGINT, sys._getframe(1))

    def _handle(self, number, frame):
        now = time.monotonic()
        if self._inside and (self._since is None or now - self._since < PATIENCE):
            self._since = now if self._since is None else self._since
            return
        self._since = None
        there = self.remove()       # what the caller's raises, it raises anywhere: then it is the only one again
        self._before(number, frame)
        if there:
            self._put()
