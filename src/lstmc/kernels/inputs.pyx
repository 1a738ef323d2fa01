"""The products of a step forward, and z = bias + W x of several steps in one go, for threads with few rows.

A product of few rows waits for weights or for its own chains, and W x, unlike U h, needs no step before it: the rows of many
steps together fill the register tiles. Each thread has a buffer for its own rows and groups; plan.pyx says for how many steps.
"""

from libc.string cimport memcpy, memset

from lstmc.kernels.arena cimport block
from lstmc.kernels.cells cimport across, groups_of, row_stride, slots_of_h
from lstmc.kernels.core cimport LSTMC_SLOTS, balanced, dense, lstmc_operand, lstmc_walk
from lstmc.kernels.schedule cimport Rows, n_active, x_at
from lstmc.kernels.tape cimport Record, mask_of, slot_at
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
    if f.masks != NULL:
        a.product[0 if w.u == NULL else 1].a[1 if w.u == NULL else 0] = masked_rows(f)


cdef lstmc_operand masked_rows(const Forward *f) noexcept nogil:
    """Rows of h times the masks of the slots that U feeds, side by side."""
    cdef Py_ssize_t slots = f.r.w.cell.h_slots
    cdef lstmc_operand a = dense(f.masked, f.ldm, slots, f.r.w.R)
    a.apart = slots > 1
    return a


cdef int spread_masks(Forward *f, list scratch) except -1:
    """The masks as one walk of all slots wants them, and room for the rows that it reads."""
    cdef const Record *r = &f.r
    cdef Py_ssize_t slots = r.w.cell.h_slots, es = r.es, i, j, k
    f.ldm = row_stride(slots * r.w.R, r.nu, es)
    f.masks, f.masked = block(scratch, r.s.B * f.ldm * es), block(scratch, r.s.B * f.ldm * es)
    for j in range(r.s.B):
        for i in range(slots):
            for k in range(r.w.R):
                memcpy(f.masks + (j * f.ldm + k * slots + i) * es, mask_of(r, i) + (j * r.ldh + k) * es, es)
    return 0


cdef void mask_h(const Forward *f, const char *h, Py_ssize_t j0, Py_ssize_t j1) noexcept nogil:
    """h of sorted rows j0 .. j1-1 times the mask of each slot; h: where row 0 would be."""
    cdef const Record *r = &f.r
    cdef Py_ssize_t i, j, at, es = r.es, slots = slots_of_h(r.w.cell)
    if f.masks == NULL:
        for i in range(slots):
            at = (i * r.s.B + j0) * r.ldh * es
            r.k.multiply(f.masked + at, h + j0 * r.ldh * es, r.mask + at, (j1 - j0) * r.ldh)
        return
    for j in range(j0, j1):
        if slots == 1:
            r.k.multiply(f.masked + j * f.ldm * es, h + j * r.ldh * es, f.masks + j * f.ldm * es, f.ldm)
        else:
            r.k.multiply_apart(f.masked + j * f.ldm * es, h + j * r.ldh * es, f.masks + j * f.ldm * es, r.w.R, slots)


cdef void walk_slots(const Forward *f, const lstmc_walk *first) noexcept nogil:
    """The first of two stages with masks on h: a walk for each slot, whose rows are h times its mask, from W x on. The rows that it
    leaves for the second are made of its first slot."""
    cdef const Operands *w = f.r.w
    cdef lstmc_walk a = first[0]
    cdef Py_ssize_t slot, at
    a.blocks, a.q1 = w.panels, groups_of(w.panels)
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
    a.product[0].b, a.product[1].b = w.then.w, w.then.u


cdef void fill_z(const Forward *f, const Member *m, Py_ssize_t t0) noexcept nogil:
    """z of a thread's rows and groups for steps t0 .. t0 + z_steps - 1; a thread's rows are consecutive."""
    cdef lstmc_walk a
    cdef const Rows *s = &f.r.s
    cdef Py_ssize_t i = m.i, j0 = first_row(&f.team, i), j1, t, j, n = 0
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
    a.q0, a.q1 = m.stage[0].walk.q0, m.stage[0].walk.q1
    a.k1 = f.r.w.I
    a.begins = a.ends = True
    a.blocks_out = f.z + z_of_whom(f, i) * f.z_rows * z_blocks(f) * f.r.nu * f.r.es
    a.out_rs, a.out_gs = f.z_rs, f.z_gs
    f.r.k.walk(&a)
    if f.r.w.cell.first:
        set_then(f, &a, &a)
        a.q0, a.q1 = m.stage[1].walk.q0, m.stage[1].walk.q1
        a.blocks_out = <char *>a.blocks_out + f.r.w.blocks * f.r.nu * f.r.es
        f.r.k.walk(&a)


cdef const void *z_of(const Forward *f, Py_ssize_t i, Py_ssize_t step, Py_ssize_t stage, Py_ssize_t row) noexcept nogil:
    """z of a stage in thread i's buffer, `step` steps after the first it was filled for: where row 0 would be if `row` is its first."""
    cdef Py_ssize_t first = (f.z_first[i * f.z_steps + step] - row) * f.z_rs + (f.r.w.blocks * f.r.nu if stage else 0)
    return f.z + (z_of_whom(f, i) * f.z_rows * z_blocks(f) * f.r.nu + first) * f.r.es
