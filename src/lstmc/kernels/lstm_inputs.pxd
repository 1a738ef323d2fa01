# lstm_inputs.pxd -- W x of several steps in one go.
from lstmc.kernels.lstm_fwd cimport Forward

cdef void fill_z(const Forward *f, Py_ssize_t i, Py_ssize_t p0, Py_ssize_t p1, Py_ssize_t t0) noexcept nogil
cdef const void *z_of(const Forward *f, Py_ssize_t i, Py_ssize_t step, Py_ssize_t row) noexcept nogil
