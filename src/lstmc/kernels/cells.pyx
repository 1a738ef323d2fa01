"""Sizes and counts that follow from a cell: the one place where numbers of weights are counted."""

from lstmc.kernels.core cimport LSTMC_BLOCK_BYTES, lstmc_kernels, table


cdef int cell_number(str name) except -1:
    """Where the table has the cell of this name."""
    cdef const lstmc_kernels *k = table(4)
    cdef int i
    for i in range(4):
        if (<bytes>k.cells[i].name).decode() == name:
            return i
    raise ValueError(f"cell: expected lstm, gru, rnn or gru_before, received {name!r}")


cdef Sizes sizes_of(str cell, Py_ssize_t I, Py_ssize_t H, Py_ssize_t P, Py_ssize_t itemsize) except *:
    """What a layer of this cell has in one direction."""
    cdef const lstmc_cell *c = &table(itemsize).cells[cell_number(cell)]
    return count(c, I, H, P or H, P, round_up(H * itemsize, LSTMC_BLOCK_BYTES) // LSTMC_BLOCK_BYTES)


def gate_count(str cell):
    """Gates of PyTorch's matrices of a cell."""
    return table(4).cells[cell_number(cell)].gates


def weight_counts(str cell, I, H, P=0, itemsize=4):
    """(numbers in all matrices of a direction, in those that read h)."""
    cdef Sizes s = sizes_of(cell, I, H, P, itemsize)
    return s.weights, s.recurrent
