"""What a forward call leaves for backward, and how backward reads it."""

from lstmc.kernels.core cimport LSTMC_GATES, lstmc_runs
from lstmc.kernels.lstm_fwd cimport Forward
from lstmc.kernels.plan cimport Load
from lstmc.kernels.schedule cimport Rows

from lstmc.kernels import arena


cdef class Tape:
    """What one backward of one layer and direction reads: x, the gates, c and h of every step, and the weights used."""

    def release(self):
        """Return the workspaces; the tape is of no further use."""
        if not self.spent:
            self.spent = True
            arena.give(*self.keep)
            self.keep = []

    def __dealloc__(self):
        if self.keep is not None:
            arena.give(*self.keep)


cdef Load load_of(const Forward *f, const Rows *s, Py_ssize_t D, Py_ssize_t bands, Py_ssize_t parts) noexcept nogil:
    """What the cost model needs to know of a call for rows s, of which f is a strand."""
    cdef Load load
    load.T, load.B, load.D, load.bands, load.pairs, load.ragged = s.T, s.B, D, bands, s.N, s.ragged
    load.I, load.R, load.H, load.P = f.w.I, f.w.R, f.w.H, f.w.P
    load.parts, load.itemsize, load.mr = parts, f.es, f.k.mr
    return load


cdef lstmc_runs gate_rows(const Forward *f) noexcept nogil:
    """How rows of gates, or of their gradients, are read as an operand; `a` is to be set."""
    cdef lstmc_runs a
    cdef Py_ssize_t panel_row = LSTMC_GATES * f.nu, rest = f.w.H % f.nu
    a.a = NULL
    a.row_stride, a.k_stride = panel_row, 1
    a.n_full, a.full_len, a.full_stride = f.w.H // f.nu, panel_row, f.gates_ps
    a.n_tail, a.tail_len, a.tail_stride = (LSTMC_GATES if rest else 0), rest, f.nu
    return a
