# plan.pxd -- what the cost model is asked, and what it answers; the constants and reasons are in plan.pyx.


cdef struct Load:
    Py_ssize_t T, B              # steps, sequences
    Py_ssize_t D, bands          # directions, and bands of rows in each (schedule.pyx)
    double pairs                 # live (t, b) pairs
    Py_ssize_t I, R, H, P        # inputs, recurrent inputs, units, projection (0: none) of one layer
    Py_ssize_t parts             # groups of units that could be dealt to threads
    Py_ssize_t itemsize, mr      # bytes of a value, rows of a register tile
    bint ragged


cdef struct Plan:
    Py_ssize_t abreast           # directions and bands that run at the same time
    Py_ssize_t threads           # of each of them
    bint shared                  # threads have all rows and a part of the units each, and wait for each other's part of h
    bint eager                   # they begin a step with those parts that are there
    Py_ssize_t apart             # threads that divide rows instead, where sharing was planned and is not possible now
    Py_ssize_t z_steps           # steps for which W x is computed in one go; 0: fused with U h, step by step


cdef double work_of(const Load *load) noexcept nogil
cdef Py_ssize_t team(double work, Py_ssize_t items, object threads=*) except -1
cdef Py_ssize_t step_team(double flops, double weight_bytes, Py_ssize_t parts, bint awake, object threads) except -1
cdef Py_ssize_t side_by_side(Py_ssize_t threads, Py_ssize_t strands) noexcept nogil
cdef Plan plan_of(const Load *load, object threads) except *
