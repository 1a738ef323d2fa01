# plan.pxd -- what the cost model is asked, and what it answers; the constants and reasons are in plan.pyx.


cdef struct Load:
    Py_ssize_t T, B              # steps, sequences
    Py_ssize_t D, bands          # directions, and bands of rows in each (schedule.pyx)
    double pairs                 # live (t, b) pairs
    Py_ssize_t I, H, P           # inputs, units, projection (0: none) of one layer
    Py_ssize_t slots             # that W feeds
    Py_ssize_t weights, recurrent    # numbers in all matrices of a direction, in those that read h
    Py_ssize_t parts             # groups of units that could be dealt to threads
    Py_ssize_t itemsize, mr      # bytes of a value, rows of a register tile
    bint ragged
    Py_ssize_t stages            # walks of a step, each of which needs all of the one before
    bint undivided               # threads never divide units
    bint x_apart                 # W x is never fused with U h


cdef struct Plan:
    Py_ssize_t at_once           # directions and bands that run at the same time
    Py_ssize_t threads           # of each of them
    bint shared                  # threads have all rows and a part of the units each, and wait for each other's part of h
    bint eager                   # they begin a step with those parts that are there
    bint one_by_one              # ... though they take one part at a time (for tests)
    long alone_from              # the step after which the first goes on alone, 0: if it waits long (for tests)
    Py_ssize_t z_steps           # steps for which W x is computed in one go; 0: fused with U h, step by step


cdef double work_of(const Load *load) noexcept nogil
cdef Py_ssize_t threads_for(double work, Py_ssize_t items, object threads=*) except -1
cdef Py_ssize_t can_start(Py_ssize_t n) noexcept nogil
cdef Py_ssize_t step_threads(double flops, double weight_bytes, Py_ssize_t parts, bint awake, object threads, Py_ssize_t most) except -1
cdef Py_ssize_t side_by_side(Py_ssize_t threads, Py_ssize_t jobs) noexcept nogil
cdef Plan plan_of(const Load *load, object threads, Py_ssize_t most) except *
