"""Workspaces that live between calls: fresh memory costs a page fault per 4 KiB, more than the arithmetic of a small call.

`take` gives a byte array that starts on a cache line; `give` returns it for later use. The store is bounded,
shared by all threads under a lock, and what is not returned is simply garbage collected.

`give` is also called by destructors, which the garbage collector may run at any allocation, inside this module
too: so it never waits for the lock. What it cannot put away itself waits in `_returned` for whoever comes next.
"""

import os
import threading
from collections import deque

import numpy as np

ALIGN = 64
LIMIT = 256 * 2**20     # bytes kept for reuse

_lock = threading.Lock()
_free = {}              # size class -> list of arrays
_held = 0
_returned = deque()     # given back, not yet in _free


def _size_class(nbytes):
    """The smallest of 2^k * {1, 1.25, 1.5, 1.75} that holds nbytes."""
    if nbytes <= 4096:
        return 4096
    step = 1 << (nbytes.bit_length() - 3)
    return -(-nbytes // step) * step


def take(nbytes):
    """A writable uint8 array of at least nbytes, uninitialised, aligned to a cache line."""
    global _held
    size = _size_class(nbytes)
    with _lock:
        _put_away()
        stack = _free.get(size)
        if stack:
            _held -= size
            return stack.pop()
    raw = np.empty(size + ALIGN, np.uint8)
    start = -raw.__array_interface__["data"][0] % ALIGN
    return raw[start:start + size]


def give(*arrays):
    """Hand arrays from `take` back; the caller must not touch them again. None is ignored."""
    _returned.extend(arrays)
    if _lock.acquire(blocking=False):
        try:
            _put_away()
        finally:
            _lock.release()


def _put_away():
    """Move what was returned to the store, as far as it may grow; the caller holds the lock."""
    global _held
    while _returned:
        a = _returned.popleft()
        if a is not None and _held + a.size <= LIMIT:
            _free.setdefault(a.size, []).append(a)
            _held += a.size


def clear():
    """Forget all stored workspaces."""
    global _held
    with _lock:
        _returned.clear()
        _free.clear()
        _held = 0


def _in_child():
    """A fork may come while another thread holds the lock, and that thread does not exist in the child."""
    global _lock, _held
    _lock, _held = threading.Lock(), 0
    _returned.clear()
    _free.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
