# ctc.pxd -- a batch of CTC: what a sequence costs, and one thread's part; `train.ctc` is the call, csrc/ctc.h the equations.
from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.string cimport memset

from lstmc.kernels.core cimport Span, lstmc_ctc, lstmc_kernels


# What a state and a class of a frame cost, in operations of the cost model; without gradients, half.
cdef enum:
    STATE_FLOPS = 1600
    CLASS_FLOPS = 400


# A batch: x and dx (B, T, C), of which dx.p is NULL without gradients
cdef struct Sequences:
    const lstmc_kernels *k
    Span x, dx
    const int64_t *labels
    const int64_t *lengths
    const int64_t *frames
    Py_ssize_t L, blank, ld, lds
    double *loss


cdef inline double work_of(const Sequences *a, Py_ssize_t b) noexcept nogil:
    return <double>a.frames[b] * (STATE_FLOPS * (2 * a.lengths[b] + 1) + CLASS_FLOPS * a.ld) * (1 if a.dx.p != NULL else 0.5)


cdef inline void widen(double *to, const Sequences *a, Py_ssize_t b) noexcept nogil:
    """The frames of a sequence, each filled with -infinity up to whole blocks."""
    cdef Py_ssize_t t, c, at
    for t in range(a.frames[b]):
        at = b * a.x.stride[0] + t * a.x.stride[1]
        for c in range(a.x.shape[2]):
            to[c] = (<float *>a.x.p)[at] if a.x.itemsize == 4 else (<double *>a.x.p)[at]
            at += a.x.stride[2]
        for c in range(a.x.shape[2], a.ld):
            to[c] = -INFINITY
        to += a.ld


cdef inline void narrow(const double *rows, const Sequences *a, Py_ssize_t b) noexcept nogil:
    """The gradient of a sequence; frames beyond its length have none."""
    cdef Py_ssize_t t, c, at
    cdef double value
    for t in range(a.dx.shape[1]):
        at = b * a.dx.stride[0] + t * a.dx.stride[1]
        for c in range(a.dx.shape[2]):
            value = rows[t * a.ld + c] if t < a.frames[b] else 0
            if a.dx.itemsize == 4:
                (<float *>a.dx.p)[at] = <float>value
            else:
                (<double *>a.dx.p)[at] = value
            at += a.dx.stride[2]


cdef inline void some(const Sequences *a, Py_ssize_t b0, Py_ssize_t b1, double *work) noexcept nogil:
    """Sequences b0 .. b1-1, one thread's part."""
    cdef lstmc_ctc s
    cdef Py_ssize_t b
    memset(&s, 0, sizeof(s))
    s.n_classes, s.blank, s.ld, s.lds, s.gradient = a.x.shape[2], a.blank, a.ld, a.lds, a.dx.p != NULL
    s.rows, s.work = work, work + a.x.shape[1] * a.ld
    for b in range(b0, b1):
        s.n_frames, s.n_labels, s.labels = a.frames[b], a.lengths[b], a.labels + b * a.L
        widen(s.rows, a, b)
        a.loss[b] = a.k.ctc(&s)
        if s.gradient:
            narrow(s.rows, a, b)
