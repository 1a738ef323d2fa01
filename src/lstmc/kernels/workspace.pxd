# workspace.pxd -- what one forward call works with beside the record of its steps.
from lstmc.kernels.core cimport Span, lstmc_options, lstmc_tile
from lstmc.kernels.schedule cimport MAX_BANDS
from lstmc.kernels.tape cimport Record
from lstmc.kernels.team cimport Team


cdef enum:
    MAX_JOBS = 2 * MAX_BANDS


# A job: one band of the rows in one direction. The jobs of a call know nothing of each other.
cdef struct Forward:
    Record r                 # in inference: for each part of the rows two slots of h and one of c, apart from those of others
    Team team
    Span y
    bint train
    Py_ssize_t parts
    void **rows              # per thread: x, y and h row pointers, [threads][3][B]
    Py_ssize_t *numbers      # per thread, with random options: sequence and time of each row, [threads][2][B]
    char *masked             # recurrent dropout: rows of h times the mask of each slot that U feeds from h, [slots][B][ldh]
    char *sums               # of threads that share: what waits for the others' part of h
    # z = bias + W x for z_steps steps: per thread a buffer of z_rows rows
    Py_ssize_t z_steps, z_rows, z_rs, z_gs
    char *z
    const void **zx
    char *u                  # layer normalisation: U h of a step, by thread and row as z is
    lstmc_tile *z_tiles
    Py_ssize_t *z_first
