"""Workspaces for tests, in place of those of lstmc.kernels.arena: each is exactly as large as it was asked for and full of NaN, ends where
pages begin that may not be touched, begins after others, and is gone when it has been given back.

So a read of what nobody wrote makes a NaN of a result, a read or write far outside or after the end of a workspace's life ends the process, and a
write within a cache line after the end, or within a page before the start, is found when the workspace is given back.
"""

import ctypes
import gc
import mmap
import os
from contextlib import contextmanager

import numpy as np

from lstmc.kernels import arena

LINE = arena.ALIGN
PAGE = mmap.PAGESIZE
FILL = 0xFF                 # a NaN of either dtype; as a size or a pointer, nothing that works


def up(n, unit):
    return -(-n // unit) * unit


def forbid(address, nbytes):
    """Let a touch of these pages end the process, where the system can do that."""
    if os.name == "posix":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(nbytes), 0):
            raise OSError(ctypes.get_errno(), "mprotect")


def memory_of(nbytes):
    """An array of so many bytes before forbidden pages, and all bytes around it that may be touched."""
    room = up(nbytes, LINE)
    pages = up(max(room, 1), PAGE)
    memory = np.frombuffer(mmap.mmap(-1, pages + 2 * PAGE), np.uint8)
    memory[PAGE:PAGE + pages] = FILL
    start = memory.ctypes.data
    forbid(start, PAGE)
    forbid(start + PAGE + pages, PAGE)
    at = PAGE + pages - room
    return memory[at:at + nbytes], (memory[PAGE:at], memory[at + nbytes:PAGE + pages])


class Guarded(arena.Store):
    """A store of such workspaces. `taken`: how many were; `wrong`: what was found when they were given back."""

    def __init__(self):
        self.taken, self.wrong, self.around = 0, [], {}

    def take(self, nbytes):
        array, around = memory_of(nbytes)
        self.around[array.ctypes.data, nbytes] = around
        self.taken += 1
        return arena.Block(array)

    def give(self, blocks):
        for a in (b.memory for b in blocks):
            around = self.around.pop((a.ctypes.data, len(a)), None)
            for where, bytes_there in zip(("before", "after"), around or (), strict=False):
                if (bytes_there != FILL).any():
                    self.wrong.append(f"{np.count_nonzero(bytes_there != FILL)} bytes {where} a workspace of {len(a)} were written")


def like(a):
    """An array's values in memory that ends, up to a cache line, where forbidden pages begin."""
    copy = memory_of(a.nbytes)[0].view(a.dtype).reshape(a.shape)
    copy[...] = a
    return copy


@contextmanager
def guarded():
    """Calls inside use guarded workspaces, and what NumPy makes without values has NaN. At the end all workspaces must have been given back, and
    nothing been written around them."""
    make, guard = np.empty, Guarded()

    def empty(*arguments, **more):
        a = make(*arguments, **more)
        if a.dtype.kind == "f":
            a.fill(np.nan)
        return a

    store, np.empty = arena.use(guard), empty
    try:
        yield guard
        if guard.around:
            gc.collect()
    finally:
        arena.use(store)
        np.empty = make
    assert not guard.around
    assert not guard.wrong, guard.wrong
