"""Packed weights: from PyTorch's matrices to the panels and columns that the kernels read."""

from cython.parallel cimport prange
from libc.string cimport memcpy, memset

from lstmc.kernels.arena cimport block, give_back
from lstmc.kernels.cells cimport across, blocks_of, cell_number, groups_of, merged, round_up, slots_of_h
from lstmc.kernels.core cimport LSTMC_SLOTS, Span, columns_of, lstmc_cell, lstmc_columns, lstmc_kernels, lstmc_matrix, lstmc_norm, span, span_or_null, table
from lstmc.kernels.plan cimport threads_for


import numpy as np

# Operations that packing one value is worth, by which the cost model measures.
cdef enum: PACK_WORK = 16


def in_blocks(matrix, slots, wide):
    """The rows (slots*H, K) of some slots, with rows of zeros up to `wide` after those of each."""
    H = len(matrix) // slots
    if H == wide:
        return matrix
    padded = np.zeros((slots, wide, matrix.shape[1]), matrix.dtype)
    padded[:, :H] = matrix.reshape(slots, H, -1)
    return padded.reshape(slots * wide, -1)


cdef Span rows_from(Span a, Py_ssize_t row) noexcept:
    """The rows of a matrix from this one on; its shape stays."""
    a.p += row * a.stride[0] * a.itemsize
    return a


cdef class Weights:
    """Packed weights of one layer and direction, immutable after construction.

    Parameters are the cell's name and arrays in PyTorch's shapes with contiguous rows: w_ih (G*H, I), w_hh (G*H, R), biases
    (G*H,) or None, w_hr (P, H) or None, peephole (3, H) of i, f, o or (4, H) of i, f, g, o or None, and for layer normalisation
    norm_ih and norm_hh, both (4*H,) or (2, 4*H), and norm_c (2, H). With train, the operands of backward are packed
    too; with dropped, those of recurrent dropout.
    """

    def __cinit__(self, str cell, w_ih, w_hh, b_ih=None, b_hh=None, w_hr=None, peephole=None, norm_ih=None, norm_hh=None, norm_c=None,
                  bint train=False, bint dropped=False):
        cdef Span wi = span(w_ih), wh = span(w_hh), b1 = span_or_null(b_ih), b2 = span_or_null(b_hh)
        cdef const lstmc_kernels *k = table(wi.itemsize)
        cdef const lstmc_cell *c = &k.cells[cell_number(cell)]
        cdef Py_ssize_t es = wi.itemsize, nu = k.nu
        cdef list keep = []
        cdef Operands *o = &self.o
        memset(o, 0, sizeof(Operands))
        self.k, self.itemsize, self.train, self._keep = k, es, train, keep
        o.cell, o.I, o.R = c, wi.shape[1], wh.shape[1]
        o.H = wi.shape[0] // c.gates
        o.P = 0 if w_hr is None else o.R
        o.panels = round_up(o.H, nu) // nu
        o.blocks = o.panels if across(c) else o.panels * LSTMC_SLOTS
        o.groups = groups_of(o.blocks)
        if c.first:
            self.pack_stages(keep, w_ih, w_hh, b1.p, b2.p, train)
            if dropped:
                self.pack_dropped(keep, wh)
            return
        o.bias = block(keep, o.blocks * nu * es)
        if norm_c is None:
            k.pack_bias(o.bias, c, b1.p, b2.p, o.H)
        else:
            k.pack_bias(o.bias, c, NULL, NULL, o.H)
            self.pack_norm(keep, b_ih, b_hh, norm_ih, norm_hh, norm_c)
        if across(c):
            o.w = self.columns(keep, wi, True, o.I, o.H, NULL, 0)
            o.u = self.columns(keep, wh, True, o.R, o.H, NULL, 0)
        elif merged(c):
            o.w = block(keep, o.panels * (o.I + o.R) * c.x_slots * nu * es)
            self.panels_of(o.w, wi, c.x_gate, c.x_slots, 0, o.I + o.R)
            self.panels_of(o.w, wh, c.h_gate, c.h_slots, o.I, o.I + o.R)
        else:
            o.w = block(keep, o.panels * o.I * c.x_slots * nu * es)
            o.u = block(keep, o.panels * o.R * c.h_slots * nu * es)
            self.panels_of(o.w, wi, c.x_gate, c.x_slots, 0, o.I)
            self.panels_of(o.u, wh, c.h_gate, c.h_slots, 0, o.R)
        if peephole is not None:
            self.pack_peephole(keep, peephole)
        if o.P:
            o.hr = self.columns(keep, span(w_hr), True, o.H, o.P, NULL, 0)
        if train:
            o.u_cols = self.columns(keep, wh, False, c.h_slots * o.H, o.R, c.h_gate, c.h_slots)
            o.w_cols = self.columns(keep, wi, False, c.x_slots * o.H, o.I, c.x_gate, c.x_slots)
            if o.P:
                o.hr_cols = self.columns(keep, span(w_hr), False, o.P, o.H, NULL, 0)
        if dropped:
            self.pack_dropped(keep, wh)

    cdef int pack_dropped(self, list keep, Span w_hh) except -1:
        """The operands of recurrent dropout."""
        cdef Operands *o = &self.o
        cdef const lstmc_cell *c = o.cell
        cdef Py_ssize_t i
        for i in range(slots_of_h(c)):
            o.dropped.u_cols[i] = self.columns(keep, w_hh, False, o.H, o.R, &c.h_gate[i], 1)
            if c.first:
                o.dropped.u[i] = self.columns(keep, rows_from(w_hh, c.h_gate[i] * o.H), True, o.R, o.H, NULL, 0)
        return 0

    cdef int panels_of(self, char *dst, Span w, const int *gate, int gates, Py_ssize_t at, Py_ssize_t K) except -1:
        """A matrix as values `at` .. of K in panels of these gates."""
        cdef lstmc_matrix m
        cdef Py_ssize_t nu = self.k.nu, p, threads
        m.w, m.rs, m.H, m.K = w.p, w.stride[0], self.o.H, w.shape[1]
        m.gate, m.G, m.k_stride, m.panel_stride = gate, gates, gates * nu, K * gates * nu
        m.panels = dst + at * gates * nu * self.itemsize
        threads = threads_for(<double>PACK_WORK * m.K * gates * self.o.panels * nu, self.o.panels)
        if threads == 1:
            self.k.pack_panels(&m, 0, self.o.panels)
        else:
            for p in prange(self.o.panels, nogil=True, schedule="static", num_threads=threads):
                self.k.pack_panels(&m, p, p + 1)
        return 0

    cdef char *columns(self, list keep, Span w, bint transposed, Py_ssize_t K, Py_ssize_t N, const int *gate, int gates) except NULL:
        """B[k][n], k in the order of these gates (0: as it is), from a matrix that has k by rows, or by columns if transposed."""
        cdef Py_ssize_t nu = self.k.nu, q_all = groups_of(blocks_of(N, nu)), q
        cdef Py_ssize_t threads = threads_for(<double>PACK_WORK * K * N, q_all)
        cdef char *dst = block(keep, K * round_up(N, nu) * self.itemsize)
        cdef lstmc_columns B = columns_of(w, transposed)
        B.K, B.N, B.gate, B.G = K, N, gate, gates
        if threads == 1:
            self.k.pack_columns(dst, &B, 0, q_all)
        else:
            for q in prange(q_all, nogil=True, schedule="static", num_threads=threads):
                self.k.pack_columns(dst, &B, q, q + 1)
        return dst

    cdef int pack_stages(self, list keep, object w_ih, object w_hh, char *b_ih, char *b_hh, bint train) except -1:
        """A cell of two stages: slots in PyTorch's order, each in whole blocks, those of a stage one after the other."""
        cdef Operands *o = &self.o
        cdef const lstmc_cell *c = o.cell
        cdef lstmc_cell one = c[0]
        cdef Py_ssize_t es = self.itemsize, nu = self.k.nu, first = c.first, slot, H = o.H
        one.slots = one.x_slots = one.h_slots = 1
        o.blocks, o.then.blocks = first * o.panels, (c.slots - first) * o.panels
        o.groups, o.then.groups = groups_of(o.blocks), groups_of(o.then.blocks)
        o.bias = block(keep, c.slots * o.panels * nu * es)
        o.then.bias = o.bias + o.blocks * nu * es
        for slot in range(c.slots):
            one.x_gate[0] = one.h_gate[0] = <int>slot
            self.k.pack_bias(o.bias + slot * o.panels * nu * es, &one, b_ih, b_hh, H)
        w, u = in_blocks(w_ih[:first * H], first, o.panels * nu), in_blocks(w_hh[:first * H], first, o.panels * nu)
        o.w, o.u = self.columns(keep, span(w), True, o.I, o.blocks * nu, NULL, 0), self.columns(keep, span(u), True, o.R, o.blocks * nu, NULL, 0)
        w, u = in_blocks(w_ih[first * H:], c.slots - first, o.panels * nu), in_blocks(w_hh[first * H:], c.slots - first, o.panels * nu)
        o.then.w = self.columns(keep, span(w), True, o.I, o.then.blocks * nu, NULL, 0)
        o.then.u = self.columns(keep, span(u), True, o.R, o.then.blocks * nu, NULL, 0)
        if train:
            o.w_cols = self.columns(keep, span(w_ih), False, c.slots * H, o.I, NULL, 0)
            o.u_cols = self.columns(keep, span(w_hh), False, first * H, o.R, NULL, 0)
            o.then.u_cols = self.columns(keep, rows_from(span(w_hh), first * H), False, (c.slots - first) * H, o.R, NULL, 0)
        return 0

    cdef int pack_peephole(self, list keep, object peephole) except -1:
        """Rows i, f, o or i, f, g, o by panels and slots; a slot without one has zeros."""
        cdef Span s = span(peephole)
        cdef Py_ssize_t nu = self.k.nu, es = self.itemsize, r, u, slot
        cdef Operands *o = &self.o
        o.peephole = block(keep, o.panels * LSTMC_SLOTS * nu * es)
        memset(o.peephole, 0, o.panels * LSTMC_SLOTS * nu * es)
        for r in range(s.shape[0]):
            slot = 3 if r == s.shape[0] - 1 else r
            for u in range(o.H):
                if es == 4:
                    (<float *>o.peephole)[(u // nu * LSTMC_SLOTS + slot) * nu + u % nu] = (<float *>s.p)[r * s.stride[0] + u * s.stride[1]]
                else:
                    (<double *>o.peephole)[(u // nu * LSTMC_SLOTS + slot) * nu + u % nu] = (<double *>s.p)[r * s.stride[0] + u * s.stride[1]]

    cdef int pack_norm(self, list keep, object b_ih, object b_hh, object norm_ih, object norm_hh, object norm_c) except -1:
        """Gammas; betas of the products join the biases, which the sums of normalised products begin with."""
        cdef lstmc_norm *m = <lstmc_norm *>block(keep, sizeof(lstmc_norm))
        bias = np.zeros(4 * self.o.H, norm_c.dtype)
        if b_ih is not None:
            bias += b_ih + b_hh
        if norm_ih.ndim == 2:
            bias += norm_ih[1] + norm_hh[1]
            norm_ih, norm_hh = norm_ih[0], norm_hh[0]
        memset(m, 0, sizeof(lstmc_norm))
        m.bias, m.gamma_x, m.gamma_h = self.slots_of(keep, bias), self.slots_of(keep, norm_ih), self.slots_of(keep, norm_hh)
        m.gamma_c, m.beta_c = self.units_of(keep, norm_c[0]), self.units_of(keep, norm_c[1])
        self.o.norm = m
        return 0

    cdef char *slots_of(self, list keep, object values) except NULL:
        """Values of all gates by panels and slots."""
        cdef char *to = block(keep, self.o.blocks * self.k.nu * self.itemsize)
        self.k.pack_bias(to, self.o.cell, span(values).p, NULL, self.o.H)
        return to

    cdef char *units_of(self, list keep, object values) except NULL:
        """Values of all units by panels."""
        cdef Py_ssize_t size = self.o.panels * self.k.nu * self.itemsize
        cdef char *to = block(keep, size)
        memset(to, 0, size)
        memcpy(to, span(values).p, self.o.H * self.itemsize)
        return to

    def __dealloc__(self):
        give_back(self._keep)
