# weights.pxd -- packed weights of one layer and direction, and the workspaces of a call.
from lstmc.kernels.core cimport lstmc_kernels


cdef struct Operands:
    Py_ssize_t I, H, P, R, panels
    char *w                              # [p][I+R][4][NU]
    char *bias                           # [p][4][NU]
    char *hr                             # projection forward: columns, K=H, N=P
    char *u_cols                         # backward: columns of W_hh, K=4H, N=R
    char *w_cols                         # backward: columns of W_ih, K=4H, N=I
    char *hr_cols                        # backward: columns of W_hr, K=P, N=H


cdef class Weights:
    cdef readonly Py_ssize_t itemsize
    cdef readonly bint train
    cdef const lstmc_kernels *k
    cdef Operands o
    cdef object _keep                    # arrays behind the pointers

    cdef char *columns(self, list keep, char *w, Py_ssize_t ks, Py_ssize_t ns, Py_ssize_t K, Py_ssize_t N,
                       Py_ssize_t G) except NULL


cdef char *block(list keep, Py_ssize_t nbytes) except NULL


cdef inline Py_ssize_t round_up(Py_ssize_t n, Py_ssize_t to) noexcept nogil:
    return (n + to - 1) // to * to


cdef inline Py_ssize_t row_stride(Py_ssize_t n, Py_ssize_t nu, Py_ssize_t itemsize) noexcept nogil:
    """Whole blocks, and never a multiple of 1 KiB: rows of a tile must not fall into the same cache sets."""
    n = round_up(max(n, 1), nu)
    return n + nu if n * itemsize % 1024 == 0 else n
