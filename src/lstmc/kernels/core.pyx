"""The one owner of the C core: which tables are in use, how many threads a call gets, raw views of arrays.

The choice of instruction set and the number of threads live here once per process; the other modules cimport them. Nothing here checks shapes: that is Python's part.
"""

from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint64_t
from libc.string cimport memset

import os

from lstmc.kernels import cpus

cdef extern from *:
    """
    #include "compilers.h"
    #if defined(__clang__)
    #define LSTMC_COMPILER "Clang " __clang_version__
    #else
    #define LSTMC_COMPILER "GCC " __VERSION__
    #endif
    #ifdef _OPENMP
    #include <omp.h>
    #define LSTMC_OPENMP 1
    static int lstmc_omp_max(void) { return omp_get_max_threads(); }
    static int lstmc_omp_procs(void) { return omp_get_num_procs(); }
    static int lstmc_omp_nested(void) { return omp_in_parallel(); }
    #else
    #define LSTMC_OPENMP 0
    static int lstmc_omp_max(void) { return 1; }
    static int lstmc_omp_procs(void) { return 1; }
    static int lstmc_omp_nested(void) { return 0; }
    #endif
    /* A forked child has lost the threads of its parent's pool and would wait for them forever. */
    static volatile int lstmc_forked = 0;
    #if !defined(_WIN32)
    #include <pthread.h>
    static void lstmc_in_child(void) { lstmc_forked = 1; }
    static int lstmc_watch_forks(void) { return pthread_atfork(NULL, NULL, lstmc_in_child); }
    #else
    static int lstmc_watch_forks(void) { return 0; }
    #endif
    """
    const char *LSTMC_COMPILER
    int LSTMC_OPENMP
    int lstmc_omp_max() nogil
    int lstmc_omp_procs()
    int lstmc_omp_nested() nogil
    int lstmc_forked
    int lstmc_watch_forks()

cdef extern from "lstmc.h" nogil:
    const char **lstmc_known_isas()
    int lstmc_isa_usable(const char *isa)
    const lstmc_kernels *lstmc_table(const char *isa, int itemsize)

# More threads than this is taken for a mistake ...
MAX_THREADS = 1024
# ... and more of them for each CPU only take memory, so a call starts no more.
THREADS_PER_CPU = 4

cdef const lstmc_kernels *_table32 = NULL
cdef const lstmc_kernels *_table64 = NULL
cdef Py_ssize_t _threads = 0        # 0: not set by the user
cdef str _isa


def known_isas():
    """Names that LSTMC_ISA accepts, best first."""
    cdef const char **names = lstmc_known_isas()
    found = []
    while names[0] != NULL:
        found.append((<bytes>names[0]).decode())
        names += 1
    return found


def usable_isas():
    """Names of the instruction sets that were built and that this CPU and operating system can run, best first."""
    return [name for name in known_isas() if lstmc_isa_usable(name.encode())]


def use_isa(name):
    """Switch the process to one instruction set. For tests; `LSTMC_ISA` is the users' way.

    Raises
    ------
    ValueError
        The name is unknown, was not built, or cannot run here.
    """
    global _table32, _table64, _isa
    if name not in known_isas():
        raise ValueError(f"LSTMC_ISA: expected one of {', '.join(known_isas())}, received {name!r}")
    key = name.encode()
    if not lstmc_isa_usable(key):
        raise ValueError(f"LSTMC_ISA: {name!r} is not usable on this machine or was not built; "
                         f"usable here: {', '.join(usable_isas())}")
    _table32 = lstmc_table(key, 4)
    _table64 = lstmc_table(key, 8)
    _isa = name


def isa():
    """Name of the instruction set in use."""
    return _isa


def tile_rows():
    """Rows of a register tile of the instruction set in use."""
    return _table32.mr


def compiler():
    """The compiler that built the core."""
    return (<bytes>LSTMC_COMPILER).decode().strip()


def has_openmp():
    """Whether the kernels were built with OpenMP."""
    return bool(LSTMC_OPENMP)


def forked():
    """Whether this process was forked after lstmc was imported, in which case it runs on one thread."""
    return bool(lstmc_forked)


cdef const lstmc_kernels *table(Py_ssize_t itemsize) except NULL:
    if itemsize != 4 and itemsize != 8:
        raise TypeError(f"kernels exist for items of 4 and 8 bytes, not {itemsize}")
    return _table32 if itemsize == 4 else _table64


cdef Span span(object array, bint writable=False) except *:
    """Pointer, shape and strides (in elements) of an array of up to four axes. The caller keeps `array` alive."""
    cdef Py_buffer view
    cdef Span s
    cdef int i
    PyObject_GetBuffer(array, &view, PyBUF_STRIDES | (PyBUF_WRITABLE if writable else 0))
    try:
        if view.ndim > 4:
            raise ValueError(f"expected at most 4 axes, received {view.ndim}")
        s.p = <char *>view.buf
        s.itemsize = view.itemsize
        s.ndim = view.ndim
        for i in range(view.ndim):
            s.shape[i] = view.shape[i]
            s.stride[i] = view.strides[i] // view.itemsize
    finally:
        PyBuffer_Release(&view)
    return s


cdef Span span_or_null(object array, bint writable=False) except *:
    """The span of an array, or one whose pointer is NULL for None."""
    cdef Span none
    if array is not None:
        return span(array, writable)
    memset(&none, 0, sizeof(none))
    return none


def fingerprint(array, uint64_t seed=0):
    """64-bit fingerprint of a C-contiguous array's bytes; a write of one value always changes it.

    It means something only in this process and on the instruction set in use.
    """
    cdef Span s = span(array)
    cdef Py_ssize_t n = s.itemsize
    cdef uint64_t value
    cdef int i
    for i in range(s.ndim):
        n *= s.shape[i]
    with nogil:
        value = _table32.fingerprint(s.p, n, seed)
    return value


# Threads -------------------------------------------------------------------------------------------------

cdef Py_ssize_t _cpus = cpus.available_cpus(lstmc_omp_procs())


def available_cpus():
    """CPUs that affinity and control groups left to this process when it imported lstmc."""
    return _cpus



def set_threads(Py_ssize_t n):
    """Threads for all later calls; 0 goes back to the default."""
    global _threads
    _threads = n


def threads_setting():
    """What `set_threads` was last given; 0 for the default."""
    return _threads


cpdef Py_ssize_t max_threads() except -1:
    """Threads that a large call would use now."""
    if not LSTMC_OPENMP or lstmc_forked:
        return 1
    return _threads if _threads > 0 else min(_cpus, <Py_ssize_t>lstmc_omp_max())


cdef Py_ssize_t most_threads() noexcept:
    """Threads that a call ever starts, whatever it is asked for."""
    return max(THREADS_PER_CPU * _cpus, <Py_ssize_t>8)


cdef bint alone() noexcept:
    """Whether the caller can have no threads: it is one of a parallel region already, or there are none."""
    return not LSTMC_OPENMP or lstmc_forked or lstmc_omp_nested()


cdef Py_ssize_t balanced(lstmc_tile *tiles, Py_ssize_t first, Py_ssize_t rows, Py_ssize_t mr) noexcept nogil:
    """Cut rows first .. first+rows-1 into the fewest tiles of at most mr rows, as even as can be; returns their number."""
    cdef Py_ssize_t n = (rows + mr - 1) // mr, i
    for i in range(n):
        tiles[i].row = first + i * rows // n
        tiles[i].mr = first + (i + 1) * rows // n - tiles[i].row
    return n


# Elementary functions, exposed for tests and for measuring their error -------------------------------------

def elementary(str name, src, dst):
    """dst = exp, sigmoid, tanh or log of src: two C-contiguous arrays of the same float type and size."""
    cdef Span s = span(src), d = span(dst, True)
    cdef const lstmc_kernels *k = table(s.itemsize)
    cdef Py_ssize_t n = 1
    cdef int i
    for i in range(s.ndim):
        n *= s.shape[i]
    if name == "exp":
        with nogil:
            k.vexp(d.p, s.p, n)
    elif name == "sigmoid":
        with nogil:
            k.vsigmoid(d.p, s.p, n)
    elif name == "tanh":
        with nogil:
            k.vtanh(d.p, s.p, n)
    elif name == "log":
        with nogil:
            k.vlog(d.p, s.p, n)
    else:
        raise ValueError(f"name: expected exp, sigmoid, tanh or log, received {name!r}")


# Chosen once, at import ----------------------------------------------------------------------------------

def _from_environment():
    text = os.environ.get("LSTMC_NUM_THREADS")
    if text:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_THREADS):
            raise ValueError(f"LSTMC_NUM_THREADS: expected a whole number from 1 to {MAX_THREADS}, received {text!r}")
        set_threads(int(text))
    use_isa(os.environ.get("LSTMC_ISA") or usable_isas()[0])


_from_environment()
lstmc_watch_forks()
