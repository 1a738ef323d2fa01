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


def block(nbytes):
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


class Guarded:
    """`take` and `give` as the arena has them. `taken`: how many were; `wrong`: what was found when they were given back."""

    def __init__(self):
        self.taken, self.wrong, self.around = 0, [], {}

    def take(self, nbytes):
        array, around = block(nbytes)
        self.around[array.ctypes.data, nbytes] = around
        self.taken += 1
        return array

    def give(self, *arrays):
        for a in arrays:
            around = None if a is None else self.around.pop((a.ctypes.data, len(a)), None)
            for where, bytes_there in zip(("before", "after"), around or (), strict=False):
                if (bytes_there != FILL).any():
                    self.wrong.append(f"{np.count_nonzero(bytes_there != FILL)} bytes {where} a workspace of {len(a)} were written")


def like(a):
    """An array's values in memory that ends, up to a cache line, where forbidden pages begin."""
    copy = block(a.nbytes)[0].view(a.dtype).reshape(a.shape)
    copy[...] = a
    return copy


@contextmanager
def guarded():
    """Calls inside use guarded workspaces, and what NumPy makes without values has NaN. At the end all workspaces must have been given back, and
    nothing been written around them."""
    take, give, make, guard = arena.take, arena.give, np.empty, Guarded()

    def empty(*arguments, **more):
        a = make(*arguments, **more)
        if a.dtype.kind == "f":
            a.fill(np.nan)
        return a

    arena.take, arena.give, np.empty = guard.take, guard.give, empty
    try:
        yield guard
    finally:
        arena.take, np.empty = take, make
        if guard.around:
            gc.collect()
        if not guard.around:
            arena.give = give       # else what is still out would get into the usual store
    assert not guard.around
    assert not guard.wrong, guard.wrong
