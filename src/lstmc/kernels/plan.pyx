"""The cost model: how many threads a call gets, what they divide, and when W x is computed ahead of the steps.

Every constant that decides such a thing is here, and nothing decides outside of here. `nn.LSTM.explain` asks the
same functions. None of this changes a bit of a result. (How weights are cut for caches is a matter of the
arithmetic: LSTMC_STRIP_K and its neighbours in lstmc.h. Which batches are trained in bands does change bits, so it
follows from shapes alone: schedule.pyx.)
"""

from lstmc.kernels.cells cimport Sizes, sizes_of, stages_of
from lstmc.kernels.contention cimport at_most
from lstmc.kernels.core cimport alone, max_threads, most_threads
from lstmc.kernels.schedule cimport Rows, bands_of
from lstmc.kernels.starting cimport lstmc_can_start

from lstmc.kernels.core import MAX_THREADS

# A parallel region costs 1 to 3 microseconds, far more where other processes use the cores: every thread must find
# ten microseconds of work.
FLOPS_PER_THREAD = 3e6
# Operations that a core could do while a byte of weights arrives from beyond its own cache ...
FLOPS_PER_FAR_BYTE = 2.3
# ... and what that cache holds, safely.
NEAR_BYTES = 768 * 1024
# Threads share rows, and divide units, if each would have fewer rows than this ...
SHARE_BELOW_ROWS = 4
# ... and the recurrent weights are larger than this: waiting for other threads at each step must be worth it.
SHARE_ABOVE_BYTES = 80 * 1024
# ... or fewer than this, where all weights of a direction are more than this and each step reads them from afar.
SHARE_FAR_BELOW_ROWS = 25
SHARE_FAR_ABOVE_BYTES = 3 * 1024 * 1024
# With several stages a step, threads that divide units meet after each. For one row that pays from this much of all matrices but W on, for B rows
# from sqrt(B) NEAR_BYTES on, up to SHARE_FAR_BELOW_ROWS / stages rows a thread. On two cores, over what rows divided take, a GRU with reset before
# the product: 1.09 (1 row, 192 KiB), 0.88 (1, 300), 1.0 (2, 768), 0.92 (2, 1200), 1.1 (7, 1200), 0.89 (5, 1728), 1.15 (12, 1728), 0.9 (12, 2352),
# 0.95 (24, 3072); with layer normalisation or a projection less.
SHARE_STAGED_ABOVE_BYTES = 256 * 1024
# Those with fewer rows than SHARE_BELOW_ROWS begin a step with the parts of h that are there if their part of the recurrent
# weights fits NEAR_BYTES: to read part of each panel now and the rest later costs nothing there, and more than waiting beyond.
# Rows of a thread, in register tiles, below which W x of several steps is computed in one go: weights then meet full tiles.
Z_BELOW_TILES = 2
# The same where `far` weights, as above, are read at each step: 3 to 10 % of forward at H = 384 to 1024, 13 to 20 rows; from 24 on none.
Z_FAR_BELOW_TILES = 4
# But tiles of so many rows, and the multipliers, are quicker than that where a core's own cache holds all weights: 3 to 15 % of forward.
Z_BELOW_ROWS = 3
# Bytes of W x computed in one go: what a core's own cache holds beside weights, or this part of W where W is larger
# than that, because it is read once each time.
Z_BYTES = 384 * 1024
Z_PART = 8
Z_STEPS = 4, 256
# Seconds after a session's step in which the threads of the last one are probably still awake: then this part of the
# work is enough for each, later it takes so many times the work to wake them.
AWAKE_SECONDS = 300e-6
AWAKE_PART = 0.3
WAKING_FACTOR = 8

cdef double flops_per_thread = FLOPS_PER_THREAD, flops_per_far_byte = FLOPS_PER_FAR_BYTE, awake_part = AWAKE_PART
cdef double waking_factor = WAKING_FACTOR
cdef Py_ssize_t near_bytes = NEAR_BYTES, share_below_rows = SHARE_BELOW_ROWS, share_above_bytes = SHARE_ABOVE_BYTES
cdef Py_ssize_t share_far_below_rows = SHARE_FAR_BELOW_ROWS, share_far_above_bytes = SHARE_FAR_ABOVE_BYTES
cdef Py_ssize_t share_staged_above_bytes = SHARE_STAGED_ABOVE_BYTES
cdef Py_ssize_t z_below_tiles = Z_BELOW_TILES, z_far_below_tiles = Z_FAR_BELOW_TILES, z_below_rows = Z_BELOW_ROWS, z_bytes = Z_BYTES, z_part = Z_PART, z_least = Z_STEPS[0], z_most = Z_STEPS[1]


cdef double work_of(const Load *load) noexcept nogil:
    """Floating-point operations of a forward pass in one direction; reading weights counts where it takes longer."""
    cdef double flops = 2.0 * load.pairs * load.weights, u = <double>load.recurrent * load.itemsize
    return max(flops, flops_per_far_byte * load.T * u) if u > near_bytes else flops


cdef Py_ssize_t threads_for(double work, Py_ssize_t items, object threads=None) except -1:
    """Threads for a call of `work` operations in `items` indivisible parts, as far as there are cores for them at present; `threads`
    overrides the rule of work."""
    return can_start(fewest(work, items, threads, at_most()))


cdef Py_ssize_t can_start(Py_ssize_t n) noexcept nogil:
    """How many of n threads the host lets the calling thread have."""
    return lstmc_can_start(n)


cdef Py_ssize_t fewest(double work, Py_ssize_t items, object threads, Py_ssize_t most) except -1:
    cdef Py_ssize_t n = min(max_threads() if threads is None else min(<Py_ssize_t>threads, <Py_ssize_t>MAX_THREADS), most)
    if n == 1 or alone():
        return 1
    n = min(n, items, most_threads())
    if threads is None and work < flops_per_thread * n:
        n = <Py_ssize_t>(work / flops_per_thread)
    return max(n, 1)


cdef Py_ssize_t step_threads(double flops, double weight_bytes, Py_ssize_t parts, bint awake, object threads, Py_ssize_t most) except -1:
    """Threads for one step of a session that reads that many bytes of weights; awake: another step has just been."""
    cdef double work = max(flops, flops_per_far_byte * weight_bytes) if weight_bytes > near_bytes else flops
    return fewest(work / (awake_part if awake else waking_factor), parts, threads, most)


cdef Py_ssize_t side_by_side(Py_ssize_t threads, Py_ssize_t jobs) noexcept nogil:
    """How many of 1, 2 or 4 jobs, which need nothing of each other, run at the same time: each with as many threads."""
    while threads % jobs:
        jobs //= 2
    return jobs


cdef Plan plan_of(const Load *load, object threads, Py_ssize_t most) except *:
    """How a whole sequence of one layer runs, on `most` threads at most."""
    cdef Plan plan
    cdef double work = work_of(load)
    cdef Py_ssize_t all_threads = fewest(work * load.D, max(load.B, 1) * load.parts * load.D, threads, most), n, rows, tiles, wide
    cdef Py_ssize_t B = load.B // load.bands, u_bytes = (load.recurrent + load.P * load.H) * load.itemsize
    cdef bint staged = load.stages > 1
    cdef bint far = <double>load.weights * load.itemsize > share_far_above_bytes
    cdef bint can_share = load.parts > 1 and not load.undivided and load.T > 0 and u_bytes >= (share_staged_above_bytes if staged else share_above_bytes)
    cdef bint few_rows = can_share and B < share_below_rows * all_threads
    plan.one_by_one, plan.alone_from = False, 0
    # Directions and bands need not meet, so each gets its own threads, unless the weights of one are more than a core's
    # own cache holds and half of them are not; with two stages a step they get them even so, which is 2 to 45 % faster
    plan.at_once = side_by_side(all_threads, load.D * load.bands)
    if few_rows and not staged and near_bytes < u_bytes <= 2 * near_bytes:
        plan.at_once = 1
    n = all_threads // plan.at_once
    plan.shared = can_share and n > 1 and B < (share_far_below_rows * n // load.stages if far or staged else share_below_rows * n)
    if staged and B > 1:
        plan.shared &= <double>near_bytes * near_bytes * B <= <double>u_bytes * u_bytes
    plan.eager = plan.shared and few_rows and u_bytes <= near_bytes * n
    plan.threads = min(n, load.parts) if plan.shared else max(min(n, B), 1)
    rows = B if plan.shared else (B + plan.threads - 1) // plan.threads
    if load.ragged and load.T:          # how many are live, most of the time
        rows = max(<Py_ssize_t>(rows * load.pairs / (<double>load.T * load.B)), 1)
    plan.z_steps = 0
    tiles = (rows + load.mr - 1) // load.mr
    if load.T > 1 and 0 < rows < (z_far_below_tiles if far else z_below_tiles) * load.mr and (plan.shared or rows // tiles < z_below_rows or load.weights * load.itemsize > near_bytes):
        wide = load.slots * load.H * load.itemsize
        plan.z_steps = max(z_bytes, wide * load.I // z_part) // (rows * wide)
        plan.z_steps = min(min(max(plan.z_steps, z_least), z_most), load.T)
    if load.x_apart:                    # W x is normalised by itself, or the walks of U h have other groups
        plan.z_steps = max(plan.z_steps, 1)
    return plan


def choose(cell, T, B, I, H, P=0, D=1, itemsize=4, mr=6, threads=None, ragged=False, train=False, normed=False, dropped=False):
    """The plan of a sequence, as a dict: for `explain` and for tests.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn", "gru_before"}
    T, B, I, H, P, D : int
        Steps, sequences, inputs, units, projection (0: none), directions.
    itemsize, mr : int
        Bytes of a value, rows of a register tile.
    threads : int, optional
    ragged, train, normed, dropped : bool
        Of sequences of several lengths; for training; layer normalisation; recurrent dropout.
    """
    cdef Load load
    cdef Plan plan
    cdef Rows rows
    cdef Sizes z = sizes_of(cell, I, H, P, itemsize)
    load.T, load.B, load.D, load.pairs = T, B, D, T * B
    load.I, load.H, load.P, load.slots, load.weights, load.recurrent = I, H, P, z.slots, z.weights, z.recurrent
    load.parts, load.itemsize, load.mr, load.ragged = z.parts, itemsize, mr, ragged
    load.stages, load.undivided = stages_of(z.staged, P, normed), dropped
    load.x_apart = normed or dropped and z.staged
    rows.T, rows.B, rows.N, rows.ragged = T, B, T * B, ragged
    load.bands = bands_of(&rows, z.weights * itemsize, P) if train else 1
    plan = plan_of(&load, threads, MAX_THREADS)
    return {"stages": load.stages, "bands": load.bands, "at_once": plan.at_once, "threads": plan.threads, "shared": bool(plan.shared),
            "eager": bool(plan.eager), "z_steps": plan.z_steps}


def choose_step(double flops, double weight_bytes, parts, awake=True, threads=None):
    """Threads of a session's step."""
    return step_threads(flops, weight_bytes, parts, awake, threads, MAX_THREADS)
