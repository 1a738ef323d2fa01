"""z = bias + W x of several steps in one go, for threads with few rows.

A product of few rows waits for weights or for its own chains, and W x, unlike U h, needs no step before it: the rows of many
steps together fill the register tiles. Each thread has a buffer for its own rows and panels; plan.pyx says for how many steps.
"""

from libc.string cimport memset

from lstmc.kernels.core cimport LSTMC_GATES, balanced, lstmc_lstm_fwd, lstmc_tile
from lstmc.kernels.schedule cimport Rows, n_active, x_at
from lstmc.kernels.weights cimport Operands


cdef void fill_z(const Forward *f, Py_ssize_t i, Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t t0) noexcept nogil:
    """z of thread i's rows and panels for steps t0 .. t0 + z_steps - 1; a thread's rows are consecutive here."""
    cdef lstmc_lstm_fwd a
    cdef const Rows *s = &f.s
    cdef const Operands *w = f.w
    cdef Py_ssize_t j0 = f.crew.tiles[f.crew.first[i]].row, j1, t, j, n = 0
    cdef lstmc_tile *last = f.crew.tiles + f.crew.first[i + 1] - 1
    cdef const void **zx = f.zx + i * f.z_rows
    memset(&a, 0, sizeof(a))
    for t in range(t0, min(t0 + f.z_steps, s.T)):
        f.z_first[i * f.z_steps + t - t0] = n
        j1 = min(last.row + last.mr, n_active(s, t))
        for j in range(j0, j1):
            zx[n] = x_at(&f.x, s, t, j, f.reverse)
            n += 1
    a.tiles = f.z_tiles + i * f.z_rows
    a.n_tiles = balanced(f.z_tiles + i * f.z_rows, 0, n, f.k.mr)
    a.p0, a.p1 = p0, p1
    a.I, a.R, a.H = w.I, w.R, w.H
    a.x, a.xs = zx, f.x.stride[2]
    a.w, a.bias = w.w, w.bias
    a.z = f.z + i * f.z_rows * w.panels * LSTMC_GATES * f.nu * f.es
    a.z_ps = f.z_rows * LSTMC_GATES * f.nu
    f.k.lstm_gates_x(&a)


cdef const void *z_of(const Forward *f, Py_ssize_t i, Py_ssize_t step, Py_ssize_t row) noexcept nogil:
    """z in thread i's buffer, `step` steps after the first it was filled for: where row 0 would be if `row` is its first."""
    cdef Py_ssize_t first = i * f.z_rows * f.w.panels + f.z_first[i * f.z_steps + step]
    return f.z + (first - row) * LSTMC_GATES * f.nu * f.es
