"""The products of a step forward, and z = bias + W x of several steps in one go, for threads with few rows.

A product of few rows waits for weights or for its own chains, and W x, unlike U h, needs no step before it: the rows of many
steps together fill the register tiles. Each thread has a buffer for its own rows and groups; plan.pyx says for how many steps.
"""

from libc.string cimport memset

from lstmc.kernels.cells cimport across, slots_of_h
from lstmc.kernels.core cimport LSTMC_SLOTS, balanced, dense, lstmc_walk
from lstmc.kernels.schedule cimport Rows, n_active, x_at
from lstmc.kernels.tape cimport mask_of, slot_at
from lstmc.kernels.team cimport end_row, first_row
from lstmc.kernels.weights cimport Operands


cdef void set_products(const Forward *f, lstmc_walk *a, const void **xrow) noexcept nogil:
    """Start at the bias; W x, then U h: one product where both feed the same slots, else two. The rows of h are to be set."""
    cdef const Operands *w = f.r.w
    cdef Py_ssize_t panel_row = LSTMC_SLOTS * f.r.nu
    a.start, a.start_rs, a.start_gs = w.bias, 0, panel_row
    a.blocks = w.blocks
    a.product[0].a[0] = dense(NULL, 0, f.r.x.stride[2], w.I)
    a.product[0].a[0].rows = xrow
    a.product[0].b = w.w
    if w.u == NULL:
        a.n_products, a.product[0].n_operands, a.product[0].K = 1, 2, w.I + w.R
        a.product[0].a[1] = dense(NULL, f.r.ldh, 1, w.R)
    else:
        a.n_products, a.product[0].n_operands, a.product[0].K = 2, 1, w.I
        a.product[1].a[0] = dense(NULL, f.r.ldh, 1, w.R)
        a.product[1].b, a.product[1].n_operands, a.product[1].K = w.u, 1, w.R
    if not across(w.cell):
        a.product[0].slot, a.product[0].slots = w.cell.x_slot, w.cell.x_slots
        a.product[1].slot, a.product[1].slots = w.cell.h_slot, w.cell.h_slots
    if f.r.mask != NULL and not w.cell.first:
        set_dropped(f, a)


cdef void set_dropped(const Forward *f, lstmc_walk *a) noexcept nogil:
    """The same with masks on h: a product for each slot that U feeds, whose rows are h times the slot's mask."""
    cdef const Operands *w = f.r.w
    cdef Py_ssize_t i, each = f.r.s.B * f.r.ldh * f.r.es
    a.n_products, a.product[0].n_operands, a.product[0].K = 1 + w.cell.h_slots, 1, w.I
    a.product[0].b = w.dropped.w
    for i in range(w.cell.h_slots):
        a.product[1 + i].a[0] = dense(f.masked + i * each, f.r.ldh, 1, w.R)
        a.product[1 + i].b, a.product[1 + i].n_operands, a.product[1 + i].K = w.dropped.u[i], 1, w.R
        if not across(w.cell):
            a.product[1 + i].slot, a.product[1 + i].slots = w.cell.h_slot + i, 1


cdef void mask_h(const Forward *f, const char *h, Py_ssize_t j, Py_ssize_t rows) noexcept nogil:
    """h of sorted rows j .. j+rows-1 times the mask of each slot; h: where row 0 would be."""
    cdef Py_ssize_t i, at, ld = f.r.ldh
    for i in range(slots_of_h(f.r.w.cell)):
        at = (i * f.r.s.B + j) * ld * f.r.es
        f.r.k.multiply(f.masked + at, h + j * ld * f.r.es, f.r.mask + at, rows * ld)


cdef void walk_slots(const Forward *f, const lstmc_walk *first) noexcept nogil:
    """The first of two stages with masks on h: a walk for each slot, whose rows are h times its mask, from W x on. The rows that it
    leaves for the second are made of its first slot."""
    cdef const Operands *w = f.r.w
    cdef lstmc_walk a = first[0]
    cdef Py_ssize_t slot, at
    a.blocks, a.q1 = w.panels, (w.panels + LSTMC_SLOTS - 1) // LSTMC_SLOTS
    for slot in range(w.cell.first):
        at = slot_at(&f.r, slot) * f.r.es
        a.start, a.step.gates = <const char *>first.start + at, <char *>first.step.gates + at
        a.product[1].a[0].a, a.product[1].b = f.masked + slot * f.r.s.B * f.r.ldh * f.r.es, w.dropped.u[slot]
        a.step.h = NULL if slot else first.step.h
        f.r.k.walk(&a)


cdef void set_then(const Forward *f, lstmc_walk *a, const lstmc_walk *first) noexcept nogil:
    """The second of two stages: like the first, with its own weights; the rows that the first leaves are to be set."""
    cdef const Operands *w = f.r.w
    a[0] = first[0]
    a.start, a.blocks = w.then.bias, w.then.blocks
    a.q0, a.q1 = 0, w.then.groups
    a.product[0].b, a.product[1].b = w.then.w, w.then.u


cdef void fill_z(const Forward *f, Py_ssize_t i, Py_ssize_t q0, Py_ssize_t q1, Py_ssize_t t0) noexcept nogil:
    """z of thread i's rows and groups for steps t0 .. t0 + z_steps - 1; a thread's rows are consecutive."""
    cdef lstmc_walk a
    cdef const Rows *s = &f.r.s
    cdef Py_ssize_t j0 = first_row(&f.team, i), j1, t, j, n = 0
    cdef const void **zx = f.zx + i * f.z_rows
    memset(&a, 0, sizeof(a))
    set_products(f, &a, zx)
    for t in range(t0, min(t0 + f.z_steps, s.T)):
        f.z_first[i * f.z_steps + t - t0] = n
        j1 = min(end_row(&f.team, i), n_active(s, t))
        for j in range(j0, j1):
            zx[n] = x_at(&f.r.x, s, t, j, f.r.reverse)
            n += 1
    a.tiles = f.z_tiles + i * f.z_rows
    a.n_tiles = balanced(f.z_tiles + i * f.z_rows, 0, n, f.r.k.mr)
    a.q0, a.q1 = q0, q1
    a.k1 = f.r.w.I
    a.begins = a.ends = True
    a.blocks_out = f.z + i * f.z_rows * z_blocks(f) * f.r.nu * f.r.es
    a.out_rs, a.out_gs = f.z_rs, f.z_gs
    f.r.k.walk(&a)
    if f.r.w.cell.first:
        set_then(f, &a, &a)
        a.blocks_out = <char *>a.blocks_out + f.r.w.blocks * f.r.nu * f.r.es
        f.r.k.walk(&a)


cdef const void *z_of(const Forward *f, Py_ssize_t i, Py_ssize_t step, Py_ssize_t row) noexcept nogil:
    """z in thread i's buffer, `step` steps after the first it was filled for: where row 0 would be if `row` is its first."""
    cdef Py_ssize_t first = (f.z_first[i * f.z_steps + step] - row) * f.z_rs
    return f.z + (i * f.z_rows * z_blocks(f) * f.r.nu + first) * f.r.es
