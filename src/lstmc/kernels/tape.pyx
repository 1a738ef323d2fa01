"""What a forward call leaves for backward, and how backward reads it."""

from libc.string cimport memset

from lstmc.kernels.arena cimport give_back
from lstmc.kernels.cells cimport Sizes, across, count, stages_of
from lstmc.kernels.core cimport Span, lstmc_cell, lstmc_operand, span_or_null
from lstmc.kernels.plan cimport Load
from lstmc.kernels.schedule cimport Rows, n_active, row_of, seq, time_of
from lstmc.kernels.states cimport copy_blocks
from lstmc.kernels.weights cimport Operands


cdef class Tape:
    """What one backward of one layer and direction reads: x, the slots and states of every step, and the weights used."""

    def release(self):
        """Return the workspaces; the tape is of no further use."""
        if not self.spent:
            self.spent = True
            give_back(self.keep)
            self.keep = []

    def taps(self, cells, gates):
        """Copy c_t into cells (T, B, H), and the gates in PyTorch's order into gates (T, B, G, H), at live steps; None: not wanted.

        Both have unit feature stride."""
        cdef Span c = span_or_null(cells, True), g = span_or_null(gates, True)
        cdef Py_ssize_t b
        with nogil:
            for b in range(self.bands):
                copy_taps(&self.record[b], &c, &g)

    def __dealloc__(self):
        give_back(self.keep)


cdef void copy_taps(const Record *r, const Span *c, const Span *g) noexcept nogil:
    cdef const lstmc_cell *cell = r.w.cell
    cdef Py_ssize_t t, j, i, time, at, es = r.es
    for t in range(r.s.T):
        for j in range(n_active(&r.s, t)):
            time, at = time_of(&r.s, t, j, r.reverse), state_row(r, t) + j
            if c.p != NULL:
                copy_blocks(c.p + (time * c.stride[0] + seq(&r.s, j) * c.stride[1]) * es, r.nu * es, r.c + at * r.nu * es, r.c_ps * es,
                            r.w.H, r.nu, es)
            for i in range(cell.x_slots if g.p != NULL else 0):
                if cell.first:
                    copy_blocks(g.p + (time * g.stride[0] + seq(&r.s, j) * g.stride[1] + cell.x_gate[i] * g.stride[2]) * es, r.nu * es,
                                r.gates + ((row_of(&r.s, t) + j) * r.gates_rs + i * r.w.panels * r.nu) * es, r.nu * es, r.w.H, r.nu, es)
                elif across(cell):          # its only gate is h
                    copy_blocks(g.p + (time * g.stride[0] + seq(&r.s, j) * g.stride[1]) * es, r.nu * es, r.h + at * r.ldh * es, r.nu * es,
                                r.w.H, r.nu, es)
                else:
                    copy_blocks(g.p + (time * g.stride[0] + seq(&r.s, j) * g.stride[1] + cell.x_gate[i] * g.stride[2]) * es, r.nu * es,
                                r.gates + ((row_of(&r.s, t) + j) * r.gates_rs + (cell.x_slot + i) * r.nu) * es, r.gates_ps * es,
                                r.w.H, r.nu, es)


cdef Load load_of(const Record *r, const Rows *s, Py_ssize_t D, Py_ssize_t bands) noexcept nogil:
    """What the cost model needs to know of a call for rows s, of which r is one job."""
    cdef Load load
    cdef const Operands *w = r.w
    cdef Sizes size = count(w.cell, w.I, w.H, w.R, w.P, w.panels)
    load.T, load.B, load.D, load.bands, load.pairs, load.ragged = s.T, s.B, D, bands, s.N, s.ragged
    load.I, load.H, load.P, load.slots, load.weights, load.recurrent = w.I, w.H, w.P, size.slots, size.weights, size.recurrent
    load.parts, load.itemsize, load.mr = size.parts, r.es, r.k.mr
    load.stages, load.undivided = stages_of(size.staged, w.P, w.norm != NULL), r.mask != NULL
    load.x_apart = w.norm != NULL or r.mask != NULL and size.staged
    return load


cdef lstmc_operand gate_rows(const Record *r, Py_ssize_t slot, Py_ssize_t slots) noexcept nogil:
    """How rows of some slots, or of their gradients, are read as an operand; `a` is to be set to row 0 of slot 0."""
    cdef lstmc_operand a
    cdef Py_ssize_t rest = r.w.H % r.nu
    memset(&a, 0, sizeof(a))
    a.row_stride, a.k_stride = r.gates_rs, 1
    if across(r.w.cell):                    # a dense row for each slot
        a.n_full, a.full_len, a.full_stride = slots, r.w.H, r.w.panels * r.nu
        return a
    a.n_full, a.full_len, a.full_stride = r.w.H // r.nu, slots * r.nu, r.gates_ps
    a.n_tail, a.tail_len, a.tail_stride = (slots if rest else 0), rest, r.nu
    return a
