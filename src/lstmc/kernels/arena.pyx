"""Workspaces that live between calls: fresh memory costs a page fault per 4 KiB, more than the arithmetic of a small call.

`block` takes one that starts on a cache line, and `give_back` returns those of a list for later use. The store is bounded, shared by all threads,
and what is not returned is simply garbage collected.

Nobody waits for the store. It runs no code of Python and allocates nothing while it is busy, so where the interpreter has a lock it is never
found busy; elsewhere whoever finds it so takes fresh memory, or lets go of what it would return. Destructors may therefore give back
anywhere, and a fork at any moment leaves a child that needs no lock.
"""

cimport cython
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.string cimport memset

from lstmc.kernels.core cimport Span, span

import os

import numpy as np

cdef extern from *:
    """
    static int lstmc_enter_store(int *busy) { return !__atomic_exchange_n(busy, 1, __ATOMIC_ACQUIRE); }
    static void lstmc_leave_store(int *busy) { __atomic_store_n(busy, 0, __ATOMIC_RELEASE); }
    """
    bint lstmc_enter_store(int *busy) noexcept
    void lstmc_leave_store(int *busy) noexcept

ALIGN = 64
LIMIT = 256 * 2**20     # bytes kept for reuse


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


@cython.no_gc
cdef class Block:
    """A workspace: `memory`, a uint8 array that starts on a cache line."""

    def __cinit__(self, memory):
        cdef Span s = span(memory, True)
        self.memory, self.p, self.nbytes, self.below = memory, s.p, s.shape[0], NULL


cdef class Store:
    """Blocks ready for reuse, at most `limit` bytes. A subclass may make others and take them back in its own way.

    Parameters
    ----------
    limit : int
    """

    def __cinit__(self, Py_ssize_t limit=LIMIT):
        self.limit, self.held, self.busy = limit, 0, 0
        memset(self.top, 0, sizeof(self.top))

    def __dealloc__(self):
        self.clear()

    cpdef take(self, Py_ssize_t nbytes):
        """A block of at least nbytes, uninitialised."""
        cdef Py_ssize_t size, at = size_class(nbytes, &size), start
        cdef PyObject *top = NULL
        cdef Block found
        if lstmc_enter_store(&self.busy):
            top = self.top[at]
            if top != NULL:
                self.top[at] = (<Block>top).below
                self.held -= size
            lstmc_leave_store(&self.busy)
        if top != NULL:
            found = <Block>top
            Py_DECREF(found)            # the store's reference
            found.below = NULL
            return found
        raw = np.empty(size + ALIGN, np.uint8)
        start = -<Py_ssize_t>span(raw).p & (ALIGN - 1)
        return Block(raw[start:start + size])

    cpdef give(self, list blocks):
        """Keep blocks for later, which the caller must not touch again.

        The next who takes such blocks in the same order gets the same ones, so that threads meet memory they have written.
        """
        cdef Py_ssize_t i
        for i in range(len(blocks) - 1, -1, -1):
            self.put(<Block>blocks[i])

    cdef int put(self, Block block) noexcept:
        cdef Py_ssize_t size, at = size_class(block.nbytes, &size)
        if block.nbytes != size or not lstmc_enter_store(&self.busy):       # another store's, perhaps
            return 0
        if self.held + size <= self.limit:
            Py_INCREF(block)
            block.below, self.top[at] = self.top[at], <PyObject *>block
            self.held += size
        lstmc_leave_store(&self.busy)
        return 0

    @property
    def blocks(self):
        """How many blocks are ready."""
        cdef Py_ssize_t i, n = 0
        cdef PyObject *at
        for i in range(CLASSES):
            at = self.top[i]
            while at != NULL:
                n += 1
                at = (<Block>at).below
        return n

    def clear(self):
        """Let go of all blocks."""
        cdef Py_ssize_t i
        cdef PyObject *at
        for i in range(CLASSES):
            while self.top[i] != NULL:
                at = self.top[i]
                self.top[i] = (<Block>at).below
                (<Block>at).below = NULL
                Py_DECREF(<Block>at)
        self.held = 0

    def forget(self):
        """Be empty, whatever a thread that is no more was doing here."""
        memset(self.top, 0, sizeof(self.top))
        self.held = self.busy = 0


cdef Store store = Store()


def current():
    """The store that the kernels use."""
    return store


def use(Store other not None):
    """Let the kernels use another store; returns the one that they used."""
    global store
    cdef Store before = store
    store = other
    return before


cdef char *block(list keep, Py_ssize_t nbytes) except NULL:
    """A workspace that lives as long as `keep`."""
    cdef Block found = store.take(nbytes)
    keep.append(found)
    return found.p


cdef void give_back(list blocks) noexcept:
    """Return the workspaces of a list, which in a destructor may be gone."""
    if blocks is not None:
        store.give(blocks)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: current().forget())
