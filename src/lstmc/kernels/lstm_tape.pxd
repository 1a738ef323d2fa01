# lstm_tape.pxd -- the tape of one layer in one direction.
from lstmc.kernels.core cimport lstmc_runs
from lstmc.kernels.lstm_fwd cimport Forward
from lstmc.kernels.plan cimport Load
from lstmc.kernels.schedule cimport MAX_BANDS, Rows, Schedule
from lstmc.kernels.weights cimport Weights


cdef class Tape:
    cdef Schedule schedule
    cdef Weights w
    cdef object x
    cdef list keep
    cdef Forward f[MAX_BANDS]
    cdef Py_ssize_t bands
    cdef bint spent


cdef Load load_of(const Forward *f, const Rows *s, Py_ssize_t D, Py_ssize_t bands, Py_ssize_t parts) noexcept nogil
cdef lstmc_runs gate_rows(const Forward *f) noexcept nogil
