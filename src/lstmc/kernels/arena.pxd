# arena.pxd -- taking workspaces and giving them back, for the other modules.
from cpython.ref cimport PyObject

cdef enum:
    CLASSES = 240       # sizes up to 2^63

cdef class Block:
    cdef readonly object memory
    cdef readonly Py_ssize_t nbytes
    cdef char *p
    cdef PyObject *below        # of the same size, in the store; a reference

cdef class Store:
    cdef PyObject *top[CLASSES]
    cdef readonly Py_ssize_t limit, held
    cdef public int busy
    cpdef take(self, Py_ssize_t nbytes)
    cpdef give(self, list blocks)
    cdef int put(self, Block block) noexcept

cdef char *block(list keep, Py_ssize_t nbytes) except NULL
cdef void give_back(list blocks) noexcept
