"""What a step of an LSTM with layer normalisation does beside its products; the equations are in csrc/norm.h.

Products end in whole rows, not in cells, since each of them is normalised over all of its values: W x of one or several steps
in the buffer that inputs.pyx fills, U h of one step in a buffer beside it, with recurrent dropout from a product for each slot. Then one function makes the step of them. The tape
has both, normalised; backward turns them into the gradients of W x and U h, which the products and sums read instead of those
of the slots.

What gammas, betas and biases get is summed where it arises, because to write it for every pair and read it again takes a tenth
of the time: by rows over the steps of a block, then over rows, blocks from the last to the first, so no bit depends on threads
or chunks of time.
"""

from cython.parallel cimport prange
from libc.string cimport memset

from lstmc.kernels.arena cimport block
from lstmc.kernels.cells cimport groups_of, row_stride
from lstmc.kernels.core cimport LSTMC_KBLOCK, LSTMC_NORM_SUMS, LSTMC_SLOTS, lstmc_norm, lstmc_outer, lstmc_tile
from lstmc.kernels.inputs cimport z_of_whom
from lstmc.kernels.schedule cimport n_active, row_of
from lstmc.kernels.team cimport cut_rows, end_row, first_row

cdef enum: STATS = 4             # of a row: see lstmc_norm


# Forward -------------------------------------------------------------------------------------------------

cdef int keep_normed(Forward *f, list keep, list scratch) except -1:
    """The workspaces of one job."""
    cdef Record *r = &f.r
    cdef Py_ssize_t row = r.w.blocks * r.nu * r.es
    f.u = block(scratch, f.team.threads * (f.z_rows // max(f.z_steps, 1)) * row)
    if f.train:
        r.normed.x = block(keep, r.w.panels * r.gates_ps * r.es)
        r.normed.h = block(keep, r.w.panels * r.gates_ps * r.es)
        r.normed.stats = block(keep, r.s.N * STATS * r.es)
    return 0


cdef void end_in_sums(lstmc_walk *a, const Operands *w, char *rows, Py_ssize_t nu) noexcept nogil:
    """Let the chains of a step begin at zero, and end in rows of blocks instead of cells."""
    a.start, a.start_rs, a.start_gs = w.bias, 0, LSTMC_SLOTS * nu
    a.finish, a.fused = NULL, NULL
    a.blocks_out, a.out_rs, a.out_gs = rows, w.blocks * nu, LSTMC_SLOTS * nu


cdef char *sums_of_h(const Forward *f, Py_ssize_t i) noexcept nogil:
    """Where U h of row 0 would be for thread i."""
    return f.u + (z_of_whom(f, i) * (f.z_rows // f.z_steps) - first_row(&f.team, i)) * f.r.w.blocks * f.r.nu * f.r.es


cdef void norm_forward(const Forward *f, const Member *member, const void *z, Py_ssize_t t) noexcept nogil:
    """Step t, of which the first walk has ended in U h, for the rows that are this thread's; z: where W x of row 0 would be."""
    cdef const Record *r = &f.r
    cdef const lstmc_walk *a = &member.stage[0].walk
    cdef Py_ssize_t j0 = a.tiles[0].row, j1 = a.tiles[a.n_tiles - 1].row + a.tiles[a.n_tiles - 1].mr
    cdef Py_ssize_t pairs = row_of(&r.s, t)
    cdef lstmc_norm m = r.w.norm[0]
    cut_rows(member, &j0, &j1)
    m.sums_x, m.sums_x_rs, m.sums_h, m.sums_h_rs = z, f.z_rs, a.blocks_out, a.out_rs
    if f.train:
        m.x, m.h = r.normed.x + pairs * r.gates_rs * r.es, r.normed.h + pairs * r.gates_rs * r.es
        m.stats = r.normed.stats + pairs * STATS * r.es
    r.k.norm_fwd(&a.step, &m, j0, j1)


cdef void norm_step(const Operands *w, const lstmc_walk *a, char *sums, Py_ssize_t B, Py_ssize_t nu, Py_ssize_t es,
                    const lstmc_kernels *k) noexcept nogil:
    """A session's step of all B rows; sums: two numbers for each slot of each row."""
    cdef Py_ssize_t rs = w.blocks * nu
    cdef lstmc_norm m = w.norm[0]
    cdef lstmc_walk of_x = a[0], of_h = a[0]
    end_in_sums(&of_x, w, sums, nu)
    end_in_sums(&of_h, w, sums + B * rs * es, nu)
    of_x.k1 = of_h.k0 = w.I
    k.walk(&of_x)
    k.walk(&of_h)
    m.sums_x, m.sums_h, m.sums_x_rs, m.sums_h_rs = sums, sums + B * rs * es, rs, rs
    k.norm_fwd(&a.step, &m, 0, B)


# Backward ------------------------------------------------------------------------------------------------

cdef Py_ssize_t scratch_row(const Record *r) noexcept nogil:
    """Values of a row of scratch: dh, and as many again."""
    return row_stride(2 * r.w.panels * r.nu, r.nu, r.es)


cdef void end_in_rows(lstmc_walk *cell, const Record *r, char *rows) noexcept nogil:
    """Let the chains of dh end in rows instead of cells."""
    cell.finish, cell.out = NULL, NULL
    cell.blocks_out, cell.out_rs, cell.out_gs = rows, scratch_row(r), LSTMC_SLOTS * r.nu


cdef char *take_sums(Record *r, Py_ssize_t steps, list scratch) except NULL:
    """The workspaces of one job, of which dh is returned; steps: of a block, whose sums begin at zero."""
    cdef Py_ssize_t blocks = (r.s.T + steps - 1) // steps
    r.normed.steps, r.normed.sums_ps = steps, blocks * r.s.B * LSTMC_NORM_SUMS * r.nu
    r.normed.sums = block(scratch, r.w.panels * r.normed.sums_ps * r.es)
    memset(r.normed.sums, 0, r.w.panels * r.normed.sums_ps * r.es)
    return block(scratch, r.s.B * scratch_row(r) * r.es)


cdef void norm_backward(const Record *r, const Member *member, Py_ssize_t t, const lstmc_walk *cell) noexcept nogil:
    """Step t for the rows that are this thread's, whose dh is where `cell` ends."""
    cdef Py_ssize_t j0 = first_row(member.team, member.i), j1 = min(end_row(member.team, member.i), n_active(&r.s, t)), pairs = row_of(&r.s, t)
    cdef Py_ssize_t slots = pairs * r.gates_rs * r.es
    cdef lstmc_norm m = r.w.norm[0]
    cut_rows(member, &j0, &j1)
    if j0 >= j1:
        return
    m.x, m.h, m.stats = r.normed.x + slots, r.normed.h + slots, r.normed.stats + pairs * STATS * r.es
    m.sums, m.sums_ps = r.normed.sums + t // r.normed.steps * r.s.B * LSTMC_NORM_SUMS * r.nu * r.es, r.normed.sums_ps
    m.dh, m.ld_dh = cell.blocks_out, cell.out_rs
    r.k.norm_bwd(&cell.step, &m, j0, j1)


cdef void sum_norms(const Record *r, char *total, bint begun, Py_ssize_t threads) noexcept nogil:
    """The sums of all rows, added to `total` [p][LSTMC_NORM_SUMS][NU] if it has begun: blocks of steps from the last to the first, at most
    LSTMC_KBLOCK rows of a block from zero."""
    cdef Py_ssize_t p
    for p in prange(r.w.panels, schedule="static", num_threads=threads):
        sum_panel(r, total, begun, p)


cdef void sum_panel(const Record *r, char *total, bint begun, Py_ssize_t p) noexcept nogil:
    """Those of unit block p: its rows times the constant feature 1."""
    cdef Py_ssize_t rs = LSTMC_NORM_SUMS * r.nu, b = (r.s.T + r.normed.steps - 1) // r.normed.steps - 1, j, i, q
    cdef double ones[LSTMC_KBLOCK]
    cdef lstmc_tile tile
    cdef lstmc_outer a
    memset(&a, 0, sizeof(a))
    for i in range(LSTMC_KBLOCK):
        if r.es == 4:
            (<float *>ones)[i] = 1
        else:
            ones[i] = 1
    tile.row, tile.mr = 0, 1
    a.m_tiles, a.n_tiles, a.a, a.bs, a.ldc, a.first = &tile, 1, ones, rs, rs, not begun
    while b >= 0:
        j = 0
        while j < r.s.B:
            a.n = a.a_rows = min(r.s.B - j, LSTMC_KBLOCK)
            for q in range(groups_of(LSTMC_NORM_SUMS)):
                i = q * LSTMC_SLOTS
                a.nb = min(LSTMC_NORM_SUMS - i, LSTMC_SLOTS)
                a.b = r.normed.sums + (p * r.normed.sums_ps + (b * r.s.B + j) * rs + i * r.nu) * r.es
                a.c = total + (p * rs + i * r.nu) * r.es
                r.k.outer(&a)
            a.first = False
            j += LSTMC_KBLOCK
        b -= 1
