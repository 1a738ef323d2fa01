# inputs.pxd -- the products of a step forward, and W x of several steps ahead of them.
from lstmc.kernels.core cimport lstmc_walk
from lstmc.kernels.team cimport Member
from lstmc.kernels.workspace cimport Forward

cdef inline Py_ssize_t z_blocks(const Forward *f) noexcept nogil:
    """Blocks of z in a row: of both stages, if there are two."""
    return f.r.w.blocks + f.r.w.then.blocks


cdef inline Py_ssize_t z_of_whom(const Forward *f, Py_ssize_t i) noexcept nogil:
    """In whose buffer thread i's z is: where threads share rows that are normalised whole, in one."""
    return 0 if f.team.shared and f.r.w.norm != NULL else i


cdef void set_products(const Forward *f, lstmc_walk *a, const void **xrow) noexcept nogil
cdef int spread_masks(Forward *f, list scratch) except -1
cdef void mask_h(const Forward *f, const char *h, Py_ssize_t j0, Py_ssize_t j1) noexcept nogil
cdef void walk_slots(const Forward *f, const lstmc_walk *first) noexcept nogil
cdef void set_then(const Forward *f, lstmc_walk *a, const lstmc_walk *first) noexcept nogil
cdef void fill_z(const Forward *f, const Member *m, Py_ssize_t t0) noexcept nogil
cdef const void *z_of(const Forward *f, Py_ssize_t i, Py_ssize_t step, Py_ssize_t stage, Py_ssize_t row) noexcept nogil
