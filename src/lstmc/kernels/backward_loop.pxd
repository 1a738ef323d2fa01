# backward_loop.pxd -- the time loop of backward, one thread's, and what a job works with there.
from lstmc.kernels.core cimport Span
from lstmc.kernels.tape cimport Record
from lstmc.kernels.team cimport Stop, Team


# A job: one band of the rows in one direction, as of forward.
cdef struct Backward:
    Team team
    const Record *r
    Span dy
    Span dhn, dcn            # gradients of the final state: p NULL, zeros
    Span dh0, dc0            # and of the initial one: p NULL, not wanted
    Span dx                  # of the job that clears what no step writes there; p NULL: another does, or it is not wanted
    bint has_dy, has_dh
    bint passes              # some of dh reaches the step before beside the products
    char *dc                 # [p][B][NU]
    char *dh                 # gradient of the final h, then what passes, of sorted rows, [B][ldh]
    Py_ssize_t dc_ps, groups # column groups of dh ...
    Py_ssize_t cell_groups   # ... and of the cell's, where a projection comes before it
    char *dp                 # projection: dh of every live pair, [N][ldh]
    char *products           # of peepholes: laid out like gates
    char *sums               # of threads that share: what waits for the others' part of dG
    char *normed             # layer normalisation: dh of all rows at one step, and scratch
    void **rows              # per thread: dy and dp row pointers, [threads][2][B]
    Py_ssize_t *numbers      # per thread, with random options: sequence and time of each row, [threads][2][B]


cdef void final_gradient(const Backward *g, Py_ssize_t i) noexcept nogil
cdef void c0_gradient(const Backward *g, Py_ssize_t i) noexcept nogil
cdef void run_thread(const Backward *g, Py_ssize_t jobs, Py_ssize_t i, Py_ssize_t n, Stop *stop) noexcept nogil
