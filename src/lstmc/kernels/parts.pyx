"""The parts of the weight gradients: which features meet which slots, where both are, and which of PyTorch's arrays they become.

Weight gradients are sums over all pairs (t, b) of features, x | h | 1, times factors, mostly the gradients of slots. Features that meet
the same slots make a part, whose sums lie together; sums.pyx adds to them and need not know what they mean. What depends on the
cell and its options is here, at both ends: where parts are laid out, and where their sums are written.
"""

from cython.parallel cimport prange
from libc.string cimport memcpy, memset

from lstmc.kernels.arena cimport block
from lstmc.kernels.cells cimport across, groups_of, merged
from lstmc.kernels.core cimport LSTMC_NORM_SUMS, Span, balanced, lstmc_matrix, span, span_or_null
from lstmc.kernels.plan cimport threads_for
from lstmc.kernels.tape cimport fed_by_h, fed_by_x, slot_at
from lstmc.kernels.weights cimport Operands

# Gammas and betas of layer normalisation, at most.
cdef enum: NORM_ROWS = 6


cdef void add_part(Sums *g, Py_ssize_t first, Py_ssize_t features, Py_ssize_t slot, Py_ssize_t blocks, int factor) noexcept nogil:
    cdef Part *p = &g.part[g.n_parts]
    g.n_parts += 1
    p.first, p.features, p.slot, p.blocks, p.factor = first, features, slot, blocks, factor
    p.mask, p.tile0 = 0, g.n_tiles
    p.tiles = balanced(g.tiles + g.n_tiles, first, features, g.r.k.mr)
    g.n_tiles += p.tiles


cdef Py_ssize_t sums_of(const Record *r) noexcept nogil:
    """Sums of a band: one, or one for each stage, or one for each slot where h is masked before a stage."""
    if not r.w.cell.first:
        return 1
    return 2 if r.mask == NULL else r.w.cell.slots


cdef bint as_one(const Record *r) noexcept nogil:
    """Whether all features of a band's sums meet the same gradients, and all gradients the same h."""
    return merged(r.w.cell) and r.w.norm == NULL and (r.mask == NULL or r.w.cell.first)


cdef void set_sources(Sums *g, const Record *r, char *products, char *dp) noexcept nogil:
    """Where the factors are in a chunk of time."""
    cdef Source *s = g.source
    cdef Py_ssize_t i
    for i in range(FACTORS):
        s[i].ps, s[i].rs = r.gates_ps, r.gates_rs
    g.r, g.dp = r, dp
    s[SLOTS].p, s[FED_BY_X].p, s[FED_BY_H].p, s[PRODUCTS].p = r.gates, fed_by_x(r), fed_by_h(r), products
    s[FULL_H].p, s[FULL_H].ps, s[FULL_H].rs = r.hf, r.nu, r.ldf


cdef int lay_out(Sums *g, const Record *r, bint projection, Py_ssize_t number, bint peephole, list keep) except -1:
    """The parts of a band's gradients, or of its projection's, and their sums; number: which of a band's sums."""
    cdef Py_ssize_t I = r.w.I, R = r.w.R, i, at = 0, nu = r.nu
    cdef bint wide = across(r.w.cell) or projection
    cdef Part *p
    g.r, g.projection = r, projection
    g.slot, g.slots = 0, r.w.cell.slots
    if r.w.cell.first and r.mask != NULL:
        g.slot, g.slots = number, 1
    elif r.w.cell.first:
        g.slot = r.w.cell.first if number else 0
        g.slots = r.w.cell.slots - r.w.cell.first if number else r.w.cell.first
    g.all_blocks = r.w.panels * (g.slots if r.w.cell.first else 1)
    g.groups = groups_of(g.all_blocks) if wide else r.w.panels
    g.tiles = <lstmc_tile *>block(keep, (I + LSTMC_SLOTS * R + r.w.P + 4) * sizeof(lstmc_tile))
    g.before = <Py_ssize_t *>block(keep, (I + LSTMC_SLOTS * R + r.w.P + 4) * sizeof(Py_ssize_t))
    if projection:
        add_part(g, 0, r.w.P, 0, LSTMC_SLOTS, FULL_H)
    elif as_one(r):
        add_part(g, 0, I + R + 1, slot_at(r, g.slot) // nu, LSTMC_SLOTS, SLOTS)
        if r.mask != NULL and g.slot < r.w.cell.first:
            g.part[0].mask = 1 + g.slot
    else:
        add_part(g, 0, I, r.w.cell.x_slot, r.w.cell.x_slots, FED_BY_X)
        if r.mask == NULL:
            add_part(g, I, R, r.w.cell.h_slot, r.w.cell.h_slots, FED_BY_H)
        for i in range(r.w.cell.h_slots if r.mask != NULL else 0):
            add_part(g, I, R, r.w.cell.h_slot + i, 1, FED_BY_H)
            g.part[g.n_parts - 1].mask = 1 + i
        g.biases = g.n_parts
        if r.w.norm == NULL:
            add_part(g, I + R, 1, 0, r.w.cell.slots, SLOTS)
        else:                           # gradients of biases are among its sums
            add_part(g, I + R, 1, 0, LSTMC_NORM_SUMS, NORMS)
            g.n_tiles -= 1
            g.part[g.n_parts - 1].tiles = 0
        for i in range(g.n_parts if wide else 0):
            g.part[i].blocks = LSTMC_SLOTS
    if peephole:
        add_part(g, I + R, 1, 0, LSTMC_SLOTS, PRODUCTS)
    for i in range(g.n_tiles):
        g.before[i] = at
        at += g.tiles[i].mr
    for i in range(g.n_parts):
        p = &g.part[i]
        p.ld = g.all_blocks * nu if wide else p.blocks * nu
        p.group_stride = LSTMC_SLOTS * nu if wide else p.features * p.ld
        p.sums = block(keep, (p.features * p.ld if wide else g.groups * p.features * p.ld) * r.es)
    return 0


# Gates of a gradient in PyTorch's order, and the first of their slots in its part.
cdef struct Gates:
    const int *of
    Py_ssize_t n, slot


cdef lstmc_matrix matrix_of(const Sums *g, Py_ssize_t part, Span w, Gates gates, Py_ssize_t feature, Py_ssize_t K) noexcept nogil:
    """The gradient w, whose K values are features from `feature` of a part on."""
    cdef lstmc_matrix m
    cdef const Part *p = &g.part[part]
    m.w, m.rs, m.H, m.K = w.p, w.stride[0], g.r.w.H, K
    m.gate, m.G = gates.of, gates.n
    m.k_stride, m.panel_stride = p.ld, g.r.nu if across(g.r.w.cell) else p.group_stride
    m.panels = p.sums + ((feature - p.first) * p.ld + gates.slot * g.r.nu) * g.r.es
    return m


cdef lstmc_matrix vector_of(const Sums *g, Py_ssize_t part, Span w, Gates gates) noexcept nogil:
    """The gradient of a vector, whose only feature is the constant 1."""
    w.stride[0] = 1
    return matrix_of(g, part, w, gates, g.r.w.I + g.r.w.R, 1)


cdef int norm_matrices(const Sums *g, lstmc_matrix *m, Py_ssize_t *of, list grads) except -1:
    """The rows of d_norm_ih, d_norm_hh and d_norm_c, of which the first is gamma and the second beta; returns their number."""
    cdef Py_ssize_t n = 0, i, j, slot
    cdef Span s
    for i, array in enumerate(grads):
        if array is None:
            continue
        s = span(array.reshape(-1, array.shape[array.ndim - 1]), True)
        for j in range(s.shape[0]):
            of[n] = g.biases
            slot = 3 * LSTMC_SLOTS + j if i == 2 else 2 * LSTMC_SLOTS if j else i * LSTMC_SLOTS     # a beta of a product is a bias
            m[n] = vector_of(g, g.biases, s, Gates(&g.r.w.cell.x_gate[0], 1 if i == 2 else LSTMC_SLOTS, slot))
            m[n].w = s.p + j * s.stride[0] * g.r.es
            n += 1
    return n


cdef void write_some(const Sums *g, const Sums *second, const Py_ssize_t *of, const lstmc_matrix *m, Py_ssize_t n, Py_ssize_t p0,
                     Py_ssize_t p1) noexcept nogil:
    """Panels p0 .. p1-1 of n matrices, matrix i from part of[i], summed over bands."""
    cdef Py_ssize_t i
    for i in range(n):
        if m[i].w != NULL:
            g.r.k.unpack_panels(&m[i], NULL if second == NULL else second.part[of[i]].sums + (<char *>m[i].panels - g.part[of[i]].sums), p0, p1)


cdef void write_panels(const Sums *g, const Sums *second, const Py_ssize_t *of, const lstmc_matrix *m, Py_ssize_t n, Py_ssize_t threads) noexcept:
    """All panels of n matrices."""
    cdef Py_ssize_t p
    if threads == 1:
        with nogil:
            write_some(g, second, of, m, n, 0, g.r.w.panels)
    else:
        for p in prange(g.r.w.panels, nogil=True, schedule="static", num_threads=threads):
            write_some(g, second, of, m, n, p, p + 1)


cdef int write_sums(const Sums *g, Py_ssize_t bands, list grads, object threads) except -1:
    """The sums of all bands as d_ih (G*H, I), d_hh (G*H, R), d_b_ih, d_b_hh (G*H,), d_hr (P, H), d_peephole, d_norm_ih, d_norm_hh, d_norm_c, each or
    None, in PyTorch's layout."""
    cdef const Sums *second = g + 1 if bands > 1 else NULL
    cdef const Operands *w = g.r.w
    cdef Span gi = span_or_null(grads[0], True), gh = span_or_null(grads[1], True), bi = span_or_null(grads[2], True), bh = span_or_null(grads[3], True)
    cdef lstmc_matrix m[5 + LSTMC_SLOTS + NORM_ROWS]
    cdef Py_ssize_t of[5 + LSTMC_SLOTS + NORM_ROWS]
    cdef int row[LSTMC_SLOTS]
    cdef Py_ssize_t I = w.I, R = w.R, i, p, n, nt = threads_for(8.0 * w.panels * g.r.nu * (I + R), w.panels, threads)
    cdef Py_ssize_t last, slot = 0 if w.norm == NULL else 2 * LSTMC_SLOTS      # of a bias in its part
    cdef Span gp
    if w.cell.first:
        write_stages(g, bands, gi, gh, bi, bh, nt)
        return 0
    of[0] = 0
    of[1] = of[2] = g.biases
    m[0] = matrix_of(g, 0, gi, Gates(&w.cell.x_gate[0], w.cell.x_slots, 0), 0, I)
    m[1] = vector_of(g, g.biases, bi, Gates(&w.cell.x_gate[0], w.cell.x_slots, w.cell.x_slot + slot))
    m[2] = vector_of(g, g.biases, bh, Gates(&w.cell.h_gate[0], w.cell.h_slots, w.cell.h_slot + slot))
    n = 3
    if g.part[1].mask:
        for i in range(w.cell.h_slots):
            of[n] = 1 + i
            m[n] = matrix_of(g, of[n], gh, Gates(&w.cell.h_gate[i], 1, 0), I, R)
            n += 1
    else:
        of[n] = 0 if as_one(g.r) else 1
        m[n] = matrix_of(g, of[n], gh, Gates(&w.cell.h_gate[0], w.cell.h_slots, 0), I, R)
        n += 1
    if grads[5] is not None:        # like a matrix with one column: rows i, f (and g), and o, whose slot is the last
        gp = span(grads[5], True)
        last = gp.shape[0] - 1
        for i in range(LSTMC_SLOTS):
            row[i] = i
        of[n] = of[n + 1] = g.n_parts - 1
        m[n] = vector_of(g, of[n], gp, Gates(&row[0], last, 0))
        m[n + 1] = vector_of(g, of[n], gp, Gates(&row[last], 1, LSTMC_SLOTS - 1))
        n += 2
    if w.norm != NULL:
        n += norm_matrices(g, &m[n], &of[n], grads[6:9])
    write_panels(g, second, of, m, n, nt)
    if w.P and grads[4] is not None:
        gp = span(grads[4], True)
        for i in range(w.P):
            memcpy(gp.p + i * gp.stride[0] * g.r.es, g[bands].part[0].sums + i * g[bands].part[0].ld * g.r.es, w.H * g.r.es)
    return 0


cdef int write_stages(const Sums *first, Py_ssize_t bands, Span d_ih, Span d_hh, Span d_b_ih, Span d_b_hh, Py_ssize_t threads) except -1:
    """The same for a cell of two stages, whose slots are in PyTorch's order and have blocks of their own."""
    cdef const Sums *g
    cdef const Sums *second
    cdef const Operands *w = first.r.w
    cdef lstmc_matrix m[4 * LSTMC_SLOTS]
    cdef Py_ssize_t of[4 * LSTMC_SLOTS]
    cdef Py_ssize_t n, p, slot, at, i
    memset(of, 0, sizeof(of))
    for i in range(sums_of(first.r)):
        g, n = first + i * bands, 0
        second = g + 1 if bands > 1 else NULL
        for slot in range(g.slot, g.slot + g.slots):
            at = (slot - g.slot) * w.panels
            m[n] = matrix_of(g, 0, d_ih, Gates(&w.cell.x_gate[slot], 1, at), 0, w.I)
            m[n + 1] = matrix_of(g, 0, d_hh, Gates(&w.cell.h_gate[slot], 1, at), w.I, w.R)
            m[n + 2] = vector_of(g, 0, d_b_ih, Gates(&w.cell.x_gate[slot], 1, at))
            m[n + 3] = vector_of(g, 0, d_b_hh, Gates(&w.cell.h_gate[slot], 1, at))
            n += 4
        write_panels(g, second, of, m, n, threads)
    return 0
