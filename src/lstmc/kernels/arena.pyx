"""Workspaces that live between calls: fresh memory costs a page fault per 4 KiB, more than the arithmetic of a small call.

`take` gives a byte array that starts on a cache line; `give` returns it for later use. The store is bounded,
shared by all threads under a lock, and what is not returned is simply garbage collected.

`give` is also called by destructors, which the garbage collector may run at any allocation, inside this module
too: so it never waits for the lock. What it cannot put away itself waits in `_returned` for whoever comes next.
"""

from lstmc.kernels.core cimport span

import os
import sys
import threading
from collections import deque

import numpy as np

cdef enum:
    CLASSES = 240       # sizes up to 2^63

ALIGN = 64
LIMIT = 256 * 2**20     # bytes kept for reuse

_lock = threading.Lock()
_returned = deque()     # given back, not yet in stacks
cdef list stacks = [[] for _ in range(CLASSES)]
cdef Py_ssize_t held = 0                # bytes in stacks
cdef object ending = sys.is_finalizing  # here because what modules hold is gone when the last destructors run


cdef Py_ssize_t size_class(Py_ssize_t nbytes, Py_ssize_t *size) noexcept:
    """Number of the smallest of the sizes 2^k * {1, 1.25, 1.5, 1.75}, from 4 KiB on, that holds nbytes."""
    cdef Py_ssize_t step = 1024, k = 0, units = 4
    if nbytes > 4 * step:
        while step <= (nbytes - 1) >> 3:
            step *= 2
            k += 1
        units = (nbytes - 1) // step + 1
    size[0] = units * step
    return 4 * k + units - 4


def take(Py_ssize_t nbytes):
    """A writable uint8 array of at least nbytes, uninitialised, aligned to a cache line."""
    global held
    cdef Py_ssize_t size, at = size_class(nbytes, &size), start
    cdef list stack = <list>stacks[at]
    lock = _lock
    lock.acquire()
    try:
        if _returned:
            put_away()
        if stack:
            held -= size
            return stack.pop()
    finally:
        lock.release()
    raw = np.empty(size + ALIGN, np.uint8)
    start = -<Py_ssize_t>span(raw).p & (ALIGN - 1)
    return raw[start:start + size]


def give(*arrays):
    """Hand arrays from `take` back; the caller must not touch them again. None is ignored.

    The next who takes such arrays in the same order gets the same ones, so that threads meet memory they have written.
    """
    lock = _lock
    if not lock.acquire(False):
        _returned.extend(reversed(arrays))
        return
    try:
        for a in reversed(arrays):
            store(a)
        if _returned:
            put_away()
    finally:
        lock.release()


cdef void give_back(list arrays) noexcept:
    """`give` for destructors, whose list may be gone; when the interpreter ends, nobody will want the arrays."""
    if arrays is not None and not ending():
        give(*arrays)


cdef int store(a) except -1:
    """Keep an array for later, if the store may grow and memory does not lack; the caller holds the lock."""
    global held
    cdef Py_ssize_t size
    if a is not None and held + len(a) <= <Py_ssize_t>LIMIT:
        try:
            (<list>stacks[size_class(len(a), &size)]).append(a)
        except MemoryError:
            return 0
        held += size
    return 0


cdef int put_away() except -1:
    """Store what was given back while the lock was taken; the caller holds it now."""
    while _returned:
        store(_returned.popleft())
    return 0


def stored():
    """Workspaces ready for reuse: how many, and their bytes."""
    return sum(map(len, stacks)), held


def clear():
    """Forget all stored workspaces."""
    with _lock:
        empty()


cdef empty():
    global held
    _returned.clear()
    for stack in stacks:
        stack.clear()
    held = 0


def _in_child():
    """A fork may come while another thread holds the lock, and that thread does not exist in the child."""
    global _lock
    _lock = threading.Lock()
    empty()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
