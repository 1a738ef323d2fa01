"""Batches in the order of training: of arrays that are shuffled anew for every pass, and of what a caller gives batch by batch."""

import contextlib
import operator
import queue
import threading
import weakref

import numpy as np

from lstmc import seeds
from lstmc.layers.symbolic import SymbolicTensor
from lstmc.training import ragged
from lstmc.training.interrupts import Interrupts
from lstmc.warned import warn

ARRAYS = (np.ndarray, ragged.Sequences, list, tuple, str, bytes, bytearray, memoryview, dict, set, frozenset, type, SymbolicTensor)
RAN_OUT = ("x ran out of data before the epoch had its steps, and the epoch ends here: an epoch goes on where the one before stopped, "
           "so steps_per_epoch * epochs batches are needed")


def gives_batches(x):
    """Whether x is no array but gives batches: an iterable, or an object with `__getitem__` and `__len__`."""
    if isinstance(x, ARRAYS) or any(hasattr(x, a) for a in ("__array__", "__array_interface__", "__buffer__")):
        return False
    return hasattr(x, "__iter__") or is_indexed(x)


def is_indexed(x):
    """Whether x gives batch n as x[n], n < len(x), in any order, as Keras' PyDataset and Sequence do."""
    return hasattr(x, "__getitem__") and hasattr(x, "__len__") and not hasattr(x, "__next__")


class Stream:
    """Batches of `Data`, pass after pass, each in an order that its number and the seed determine.

    Attributes
    ----------
    passes : int
        Passes begun before the one under way.
    at : int
        Batches of this pass that were given.
    """

    def __init__(self, data, batch_size, seed, passes=0, at=0, take=operator.getitem):
        self.data, self.batch_size, self.seed, self.take = data, batch_size, seed, take
        self.passes, self.at = passes, at
        self.steps = -(-data.size // batch_size)
        self._order = None

    def epoch(self, steps):
        """The batches of an epoch of so many steps, a whole pass if None; with steps, a pass goes on where the epoch before stopped, as in Keras."""
        for _ in range(self.steps - self.at if steps is None else steps):
            if self.at >= self.steps:
                warn(RAN_OUT)
                break
            if self._order is None and self.seed is not None:
                self._order = seeds.generator(self.seed, self.passes).permutation(self.data.size)
            start, n = self.at * self.batch_size, self.batch_size
            self.at += 1
            yield self.take(self.data, slice(start, start + n) if self._order is None else self._order[start:start + n])
        if self.at >= self.steps:
            self.passes, self.at, self._order = self.passes + 1, 0, None

    def resume(self, passes, at):
        """Go on after `at` batches of pass number `passes`."""
        self.passes, self.at = passes, at

    @property
    def begun(self):
        """Passes that were begun."""
        return self.passes + (self.at > 0)

    def close(self):
        """Nothing is held."""


class Given:
    """Batches that a caller gives.

    Parameters
    ----------
    source : iterable, or object with `__getitem__` and `__len__`
        Of (x, y), (x, y, sample_weight), or x alone where no targets are needed. What has both is read by a thread ahead of its use, and
        shuffled by the batch if there is a seed.
    seed : int, optional
    name : str
        Of the argument.
    """

    def __init__(self, source, seed=None, name="x"):
        self.source, self.seed, self.name = source, seed, name
        self.steps = len(source) if hasattr(source, "__len__") else None        # of a pass; None: not known
        self.passes, self.at, self._iterator, self._to_skip = 0, 0, None, 0

    def resume(self, passes, at):
        """Go on after `at` batches of pass number `passes`."""
        self.passes, self.at, self._to_skip = passes, at, at
        if hasattr(self.source, "passes"):
            self.source.passes = passes     # windows of a series have an order of their own for each

    @property
    def begun(self):
        """Passes that were begun."""
        return self.passes + (self.at > 0)

    def epoch(self, steps):
        """The batches of an epoch as (x, y, sample_weight); as `Stream.epoch`."""
        n = 0
        while steps is None or n < steps:
            if self._iterator is None:
                self._iterator = self._one_pass()
                for _ in range(self._to_skip):
                    next(self._iterator, None)
                self._to_skip = 0
            batch = next(self._iterator, self)
            if batch is self:
                if n == 0 and self.at == 0:
                    raise ValueError(f"{self.name}: expected at least one batch in a pass, received none; an iterator gives its batches once, "
                                     "an object with __iter__ as often as needed")
                again = n == 0 and steps is not None       # the pass ended with the epoch before
                self._end_of_pass()
                if again:
                    continue
                if steps is not None:
                    warn(RAN_OUT)
                return
            self.at += 1
            n += 1
            yield self._unpacked(batch)
        if steps is None or (self.steps is not None and self.at >= self.steps):
            self._end_of_pass()

    def _end_of_pass(self):
        self.close()
        self.passes, self.at = self.passes + 1, 0
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()

    def _one_pass(self):
        source = self.source        # by which the thread that reads knows it: self has the iterator, and would never be garbage
        if not is_indexed(source):
            return iter(source)
        n = len(source)
        order = range(n) if self.seed is None else seeds.generator(self.seed, self.passes).permutation(n).tolist()
        return ahead(source[i] for i in order)

    def close(self):
        """Stop reading ahead."""
        if hasattr(self._iterator, "close") and self._iterator is not self.source:
            self._iterator.close()
        self._iterator = None

    def _unpacked(self, batch):
        if not isinstance(batch, (tuple, list)):
            return batch, None, None
        if len(batch) not in (1, 2, 3):
            raise ValueError(f"{self.name}: expected batches (x, y) or (x, y, sample_weight), received one of {len(batch)} parts")
        return (*batch, None, None)[:3]


class Here:
    """What a frame has while it is there."""


def start(thread):
    """Start a thread and meet it. That is done by locks of Python's own, between which Ctrl-C must not come: it waits."""
    interrupts = Interrupts().install()
    try:
        with interrupts:
            thread.start()
    finally:
        interrupts.remove()


def ahead(items, most=2):
    """The items of an iterator, taken by a thread up to `most` ahead of their use; an error comes where its item would have come.

    The thread ends when this generator does, and also where Ctrl-C came between any two of its lines: when its frame is no more. The queues are
    those written in C, of which Ctrl-C leaves no lock taken.
    """
    ready, room, over, here = queue.SimpleQueue(), queue.SimpleQueue(), [], Here()
    there = weakref.ref(here)
    for _ in range(most):
        room.put(None)

    def may_read():
        while not over and there() is not None:
            with contextlib.suppress(queue.Empty):
                room.get(timeout=0.1)
                return not over
        return False

    def read():
        try:
            found = iter(items)
            while may_read():
                ready.put((next(found), None))
        except BaseException as error:      # every error belongs to the caller, and the end
            ready.put((None, error))

    thread = threading.Thread(target=read, name="lstmc reads ahead", daemon=True)
    try:
        start(thread)
        while True:
            try:
                item, error = ready.get(timeout=1)
            except queue.Empty:
                if thread.is_alive():
                    continue
                raise RuntimeError("x: the thread that reads ahead is gone, as in the child of a fork: iterate anew there") from None
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            room.put(None)
            yield item
    finally:
        over.append(True)
        room.put(None)
        if thread.is_alive():
            thread.join()
