# workspace.pxd -- what one forward call works with beside the record of its steps.
from lstmc.kernels.core cimport Span, lstmc_options, lstmc_tile
from lstmc.kernels.schedule cimport MAX_BANDS
from lstmc.kernels.tape cimport Record
from lstmc.kernels.team cimport Team, end_row, first_row


cdef enum:
    MAX_JOBS = 2 * MAX_BANDS

# Rows between the states of two threads. What one writes at every step must not come near what the other writes: the
# processor fetches lines ahead, and would fetch its neighbour's.
cdef enum:
    GAP = 16


# A job: one band of the rows in one direction. The jobs of a call know nothing of each other.
cdef struct Forward:
    Record r                 # in inference: for each part of the rows two slots of h and one of c, apart from those of others
    Team team
    Span y
    Span h0, c0, hn, cn      # the states before and after
    bint train
    Py_ssize_t parts
    void **rows              # per thread: x, y and h row pointers, [threads][3][B]
    Py_ssize_t *numbers      # per thread, with random options: sequence and time of each row, [threads][2][B]
    # recurrent dropout: the masks of the slots that U feeds side by side, [B][ldm], and rows of h times them; with two stages masks is
    # NULL, and masked is h times the mask of each slot that U feeds from h, [slots][B][ldh]
    char *masks
    char *masked
    Py_ssize_t ldm
    char *sums               # of threads that share: what waits for the others' part of h
    # z = bias + W x for z_steps steps: per thread a buffer of z_rows rows
    Py_ssize_t z_steps, z_rows, z_rs, z_gs
    char *z
    const void **zx
    char *u                  # layer normalisation: U h of a step, by thread and row as z is
    lstmc_tile *z_tiles
    Py_ssize_t *z_first


# Where the states of some rows are in inference.
cdef struct States:
    Py_ssize_t j0, j1        # sorted rows
    char *h                  # where rows 0 of the two slots would be
    char *other
    char *c
    Py_ssize_t c_ps


cdef inline States states_of(const Forward *f, Py_ssize_t i) noexcept nogil:
    """Those of part i of the rows: with more than one part, of thread i."""
    cdef States a
    cdef const Record *r = &f.r
    a.j0, a.j1, a.h, a.c, a.c_ps = 0, r.s.B, r.h, r.c, r.c_ps
    if f.parts > 1:
        a.j0, a.j1 = first_row(&f.team, i), end_row(&f.team, i)
        a.h = r.h + (a.j0 + i * GAP) * r.ldh * r.es
        if r.c != NULL:
            a.c = r.c + ((r.w.panels - 1) * a.j0 + r.w.panels * i * GAP) * r.nu * r.es
        a.c_ps = (a.j1 - a.j0) * r.nu
    a.other = a.h + (a.j1 - a.j0) * r.ldh * r.es
    return a
