# update.pxd -- what `train.apply` does inside: arrays that are lent and checked, one thread's part of a step.
from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyObject_GetBuffer
from libc.string cimport memcmp

from lstmc.kernels.core cimport lstmc_kernels, lstmc_update


cdef enum: SLOTS = 3


# One weight array of a step: n elements, of which the gradient's rows (numbers.buf not NULL) have `width` each.
cdef struct Job:
    const lstmc_kernels *k
    Py_buffer w, g, numbers
    Py_buffer slots[SLOTS]      # buf is NULL where an option does not want one
    Py_ssize_t n, width, rows
    double scale
    bint only_rows              # a gradient of 0 changes nothing


cdef inline str described(object array):
    if not hasattr(array, "strides"):
        return type(array).__name__
    return f"{array.dtype} of shape {array.shape}, strides {array.strides}{'' if array.flags.writeable else ', read-only'}"


cdef inline int lend(Py_buffer *view, object array, bint writable, str name, Py_ssize_t i, const Py_buffer *like) except -1:
    """The memory of a float array, which must be of the dtype and shape of `like` unless that is NULL. Whoever lends gives back."""
    try:
        PyObject_GetBuffer(array, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
    except TypeError:
        raise TypeError(f"{name}[{i}]: expected an array, received {described(array)}") from None
    except (BufferError, ValueError):
        raise ValueError(f"{name}[{i}]: expected a C-contiguous{' and writable' if writable else ''} array, received {described(array)}") from None
    if view.format[0] not in (b"f", b"d") or view.format[1] or (like != NULL and view.itemsize != like.itemsize):
        raise TypeError(f"{name}[{i}]: expected float{'32 or float64' if like == NULL else 8 * like.itemsize} of this machine's byte order, received "
                        f"{described(array)}")
    if like != NULL and (view.ndim != like.ndim or memcmp(view.shape, like.shape, view.ndim * sizeof(Py_ssize_t))):
        raise ValueError(f"{name}[{i}]: expected the shape of its weight, {tuple([like.shape[j] for j in range(like.ndim)])}, received "
                         f"{described(array)}")
    return 0


cdef inline int lend_rows(Job *job, object rows, Py_ssize_t i) except -1:
    """The memory of a gradient that is 0 but in a few rows: their numbers, each once and in ascending order, their values, the table's shape."""
    cdef const long long *number
    cdef Py_ssize_t j, least = 0
    lend(&job.g, rows[1], False, "values of grads", i, NULL)
    PyObject_GetBuffer(rows[0], &job.numbers, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
    if job.numbers.ndim != 1 or job.numbers.itemsize != sizeof(long long) or job.numbers.format[0] not in (b"l", b"q") or job.numbers.format[1]:
        raise TypeError(f"numbers of grads[{i}]: expected a row of int64, received {described(rows[0])}")
    job.rows, job.width = job.numbers.shape[0], job.w.len // job.w.itemsize // max(job.w.shape[0], 1) if job.w.ndim else 0
    if job.g.itemsize != job.w.itemsize or job.g.len != job.rows * job.width * job.g.itemsize or job.w.ndim != 2:
        raise ValueError(f"values of grads[{i}]: expected {job.rows} rows of {job.width} elements of {job.w.itemsize} bytes, received "
                         f"{described(rows[1])}")
    number = <const long long *>job.numbers.buf
    for j in range(job.rows):
        if not least <= number[j] < job.w.shape[0]:
            raise ValueError(f"numbers of grads[{i}]: expected ascending ones from 0 to {job.w.shape[0] - 1}, received {number[j]} at place {j}")
        least = number[j] + 1
    return 0


cdef inline void share(const Job *jobs, Py_ssize_t count, int rule, Py_ssize_t n0, Py_ssize_t n1, const lstmc_update *u) noexcept nogil:
    """Elements n0 .. n1-1 of all weights one after the other."""
    cdef lstmc_update own = u[0]
    cdef Py_ssize_t i
    for i in range(count):
        if n0 < jobs[i].n and n1 > 0:
            own.scale = jobs[i].scale
            if jobs[i].numbers.buf == NULL:
                part(&jobs[i], rule, max(n0, 0), min(n1, jobs[i].n), <const char *>jobs[i].g.buf + max(n0, 0) * jobs[i].w.itemsize, &own)
            else:
                by_rows(&jobs[i], rule, max(n0, 0), min(n1, jobs[i].n), &own)
        n0 -= jobs[i].n
        n1 -= jobs[i].n


cdef inline void by_rows(const Job *job, int rule, Py_ssize_t n0, Py_ssize_t n1, const lstmc_update *u) noexcept nogil:
    """Elements n0 .. n1-1 of a table, some rows of which have a gradient."""
    cdef const long long *number = <const long long *>job.numbers.buf
    cdef Py_ssize_t width = job.width, j = 0, last = job.rows, middle, end
    while j < last:                     # the first row with a gradient that ends after n0
        middle = (j + last) // 2
        if (number[middle] + 1) * width > n0:
            last = middle
        else:
            j = middle + 1
    while n0 < n1:
        if j == job.rows or number[j] * width > n0:
            end = n1 if j == job.rows else min(n1, <Py_ssize_t>number[j] * width)
            if not job.only_rows:
                part(job, rule, n0, end, NULL, u)
        else:
            last = j
            while last + 1 < job.rows and number[last + 1] == number[last] + 1:
                last += 1
            end = min(n1, <Py_ssize_t>(number[last] + 1) * width)
            part(job, rule, n0, end, <const char *>job.g.buf + ((j - number[j]) * width + n0) * job.g.itemsize, u)
            j = last + 1
        n0 = end


cdef inline void part(const Job *job, int rule, Py_ssize_t n0, Py_ssize_t n1, const char *g, const lstmc_update *u) noexcept nogil:
    """Elements n0 .. n1-1 of one weight, with the gradient from its element n0 on."""
    cdef Py_ssize_t at = n0 * job.w.itemsize
    job.k.rules[rule](<char *>job.w.buf + at, g, moved(job.slots[0].buf, at), moved(job.slots[1].buf, at), moved(job.slots[2].buf, at), n1 - n0, u)


cdef inline void *moved(void *p, Py_ssize_t at) noexcept nogil:
    return NULL if p == NULL else <char *>p + at
