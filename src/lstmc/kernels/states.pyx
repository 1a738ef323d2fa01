"""Between the faces' states, (D, B, features) with rows in the caller's order, and the kernels' rows and blocks; and what of the faces' arrays no
step writes."""

from libc.string cimport memcpy, memset

from lstmc.kernels.core cimport Span
from lstmc.kernels.schedule cimport Rows, seq
from lstmc.kernels.cells cimport round_up


cdef void copy_blocks(char *dst, Py_ssize_t ds, const char *src, Py_ssize_t ss, Py_ssize_t n, Py_ssize_t nu,
                      Py_ssize_t es) noexcept nogil:
    """n values between a row (unit stride) and blocks of nu; ds, ss: bytes from block to block."""
    cdef Py_ssize_t p
    for p in range(round_up(n, nu) // nu):
        memcpy(dst + p * ds, src + p * ss, min(nu, n - p * nu) * es)


cdef void load_state(StateRows to, const Rows *s, Py_ssize_t j0, Py_ssize_t j1, const Span *h0, const Span *c0) noexcept nogil:
    """Initial states (p NULL: zeros) of sorted rows j0 .. j1-1, padding of c zeroed."""
    cdef Py_ssize_t j, p, nu = to.nu, es = to.es
    for j in range(j0, j1):
        if h0.p == NULL:
            memset(to.h + j * to.ld * es, 0, to.R * es)
        else:
            memcpy(to.h + j * to.ld * es, h0.p + seq(s, j) * h0.stride[0] * es, to.R * es)
        if to.c == NULL:
            continue
        for p in range(round_up(to.H, nu) // nu):
            memset(to.c + (p * to.c_ps + j * nu) * es, 0, nu * es)
        if c0.p != NULL:
            copy_blocks(to.c + j * nu * es, to.c_ps * es, c0.p + seq(s, j) * c0.stride[0] * es, nu * es, to.H, nu, es)


cdef Span direction(Span a, Py_ssize_t d) noexcept nogil:
    """(B, features) of direction d of a span of (D, B, features)."""
    if a.p != NULL:
        a.p += d * a.stride[0] * a.itemsize
    a.stride[0], a.stride[1] = a.stride[1], a.stride[2]
    return a


cdef void clear_rest(const Span *a, const Rows *s, Py_ssize_t part, Py_ssize_t parts, Py_ssize_t width) noexcept nogil:
    """0 into the first `width` features of an array (T, B, features) where no step writes, once the last chunk of time has come: part `part` of
    so many, times one after the other, because rows of one time lie near each other."""
    cdef Py_ssize_t j, t, k, time
    cdef char *row
    if not s.ragged or s.packed or a.p == NULL or s.begin + s.T < s.whole:
        return
    for t in range(s.length * part // parts, s.length * (part + 1) // parts):
        for j in range(s.active[t] if t < s.whole else 0, s.B):
            time = t if s.when == NULL else s.when[seq(s, j) * s.when_ld + t]
            row = a.p + (time * a.stride[0] + seq(s, j) * a.stride[1]) * a.itemsize
            if a.stride[2] == 1:
                memset(row, 0, width * a.itemsize)
                continue
            for k in range(width):
                memset(row + k * a.stride[2] * a.itemsize, 0, a.itemsize)
