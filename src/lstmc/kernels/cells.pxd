# cells.pxd -- what follows from a cell's row in the table: sizes, layouts, counts.
from lstmc.kernels.core cimport LSTMC_SLOTS, lstmc_cell


# The one place where numbers of weights are counted.
cdef struct Sizes:
    Py_ssize_t slots                     # that W feeds
    Py_ssize_t weights, recurrent        # numbers in all matrices of a direction, in those that read h
    Py_ssize_t parts                     # groups of units that could be dealt to threads
    bint staged                          # the cell has two stages a step


cdef int cell_number(str name) except -1
cdef Sizes sizes_of(str cell, Py_ssize_t I, Py_ssize_t H, Py_ssize_t P, Py_ssize_t itemsize) except *


cdef inline Sizes count(const lstmc_cell *c, Py_ssize_t I, Py_ssize_t H, Py_ssize_t R, Py_ssize_t P, Py_ssize_t panels) noexcept nogil:
    """What a layer of this cell has in one direction."""
    cdef Sizes s
    s.slots = c.x_slots
    s.recurrent = c.h_slots * H * R
    s.weights = c.x_slots * H * I + s.recurrent + P * H
    s.parts = groups_of(panels) if across(c) else panels
    s.staged = c.first > 0
    return s


cdef inline Py_ssize_t blocks_of(Py_ssize_t n, Py_ssize_t nu) noexcept nogil:
    """Blocks that n units, or columns, take."""
    return (n + nu - 1) // nu


cdef inline Py_ssize_t groups_of(Py_ssize_t blocks) noexcept nogil:
    """Groups of so many blocks of one slot each."""
    return (blocks + LSTMC_SLOTS - 1) // LSTMC_SLOTS


cdef inline Py_ssize_t stages_of(bint staged, Py_ssize_t P, bint normed) noexcept nogil:
    """Stages of a step, each of which needs all of the one before: of a cell that has two or not, a projection, layer normalisation."""
    return 1 + (staged or P > 0) + normed


cdef inline Py_ssize_t round_up(Py_ssize_t n, Py_ssize_t to) noexcept nogil:
    return (n + to - 1) // to * to


cdef inline Py_ssize_t row_stride(Py_ssize_t n, Py_ssize_t nu, Py_ssize_t itemsize) noexcept nogil:
    """Whole blocks, and never a multiple of 1 KiB: rows of a tile must not fall into the same cache sets."""
    n = round_up(max(n, 1), nu)
    return n + nu if n * itemsize % 1024 == 0 else n


cdef inline bint across(const lstmc_cell *cell) noexcept nogil:
    """Whether a group is several blocks of units, of one slot each."""
    return cell.slots == 1 or cell.first > 0


cdef inline Py_ssize_t slots_of_h(const lstmc_cell *cell) noexcept nogil:
    """Slots that U feeds from h itself; a second stage reads what the first leaves."""
    return cell.first if cell.first else cell.h_slots


cdef inline bint merged(const lstmc_cell *cell) noexcept nogil:
    """Whether W and U feed the same slots, so that their products are one."""
    return cell.x_slot == cell.h_slot and cell.x_slots == cell.h_slots
