# norm.pxd -- what a step of an LSTM with layer normalisation does beside its products.
from lstmc.kernels.core cimport lstmc_kernels, lstmc_walk
from lstmc.kernels.tape cimport Record
from lstmc.kernels.team cimport Member
from lstmc.kernels.weights cimport Operands
from lstmc.kernels.workspace cimport Forward

cdef void norm_step(const Operands *w, const lstmc_walk *a, char *sums, Py_ssize_t B, Py_ssize_t nu, Py_ssize_t es,
                    const lstmc_kernels *k) noexcept nogil
cdef int keep_normed(Forward *f, list keep, list scratch) except -1
cdef void end_in_sums(lstmc_walk *a, const Operands *w, char *rows, Py_ssize_t nu) noexcept nogil
cdef char *sums_of_h(const Forward *f, Py_ssize_t i) noexcept nogil
cdef void norm_forward(const Forward *f, const Member *member, const void *z, Py_ssize_t t) noexcept nogil
cdef void end_in_rows(lstmc_walk *cell, const Record *r, char *rows) noexcept nogil
cdef char *take_sums(Record *r, Py_ssize_t steps, list scratch) except NULL
cdef void norm_backward(const Record *r, const Member *member, Py_ssize_t t, const lstmc_walk *cell) noexcept nogil
cdef void sum_norms(const Record *r, char *total, bint begun, Py_ssize_t threads) noexcept nogil
