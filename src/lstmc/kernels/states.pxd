# states.pxd -- loading and storing h and c; clearing.
from lstmc.kernels.core cimport Span
from lstmc.kernels.schedule cimport Rows

# Where the states of sorted rows are: h in rows, c, NULL without, in blocks.
cdef struct StateRows:
    char *h
    Py_ssize_t ld
    char *c
    Py_ssize_t c_ps
    Py_ssize_t R, H, nu, es


cdef void copy_blocks(char *dst, Py_ssize_t ds, const char *src, Py_ssize_t ss, Py_ssize_t n, Py_ssize_t nu,
                      Py_ssize_t es) noexcept nogil
cdef void load_state(StateRows to, const Rows *s, Py_ssize_t j0, Py_ssize_t j1, const Span *h0, const Span *c0) noexcept nogil
cdef Span direction(Span a, Py_ssize_t d) noexcept nogil
cdef void clear_rest(const Span *a, const Rows *s, Py_ssize_t part, Py_ssize_t parts, Py_ssize_t width) noexcept nogil
