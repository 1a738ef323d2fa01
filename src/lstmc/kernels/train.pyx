"""What a training step needs beside the layers: softmax, losses, the squared norm, optimizer updates, CTC.

All arrays are C-contiguous and of one float type. Rows of a softmax and of losses, elements of an update and sequences of CTC are independent
and may be split between threads anywhere; the squared norm is split at its fixed blocks, whose sums are added
in index order. The equations are in csrc/train.h, csrc/loss.h and csrc/ctc.h. A step of an optimizer is one call for all weights: of a small model it is worth no more
than a few microseconds, so arrays are lent (Py_buffer) and checked each time, and nothing is kept from step to step.
"""

from cpython.buffer cimport PyBuffer_Release
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cython.parallel cimport prange
from libc.math cimport INFINITY, NAN, isfinite, sqrt
from libc.stdint cimport int64_t

from lstmc.kernels.arena cimport block, give_back
from lstmc.kernels.cells cimport round_up
from lstmc.kernels.contention cimport CTC, UPDATE, Region, begin_share, end_share, enter, judge, kind_of
from lstmc.kernels.core cimport (LSTMC_ADADELTA, LSTMC_ADAM, LSTMC_ADAMAX, LSTMC_CTC_BLOCK, LSTMC_CTC_PAD, LSTMC_LION, LSTMC_NADAM, LSTMC_RMSPROP, LSTMC_SGD,
                                 Span, lstmc_kernels, lstmc_update, row_major, span, span_or_null, table)
from lstmc.kernels.ctc cimport Sequences, some, work_of
from lstmc.kernels.loss cimport flat, multiply, size, some_rows, sum_of
from lstmc.kernels.plan cimport threads_for
from lstmc.kernels.update cimport SLOTS, Job, lend, lend_rows, share

import numpy as np

# Elements per block of `sumsq`: SUM_BLOCK of train.h.
cdef enum: SUM_BLOCK = 4096
# Operations that the update of an element is worth, by which the cost model measures: with a root and a division, and without.
cdef enum:
    ROOT_WORK = 80
    PLAIN_WORK = 10


cdef object in_order(object array):
    """A C-contiguous array of the same elements, of as many axes as a Span has."""
    return array if array.ndim <= 4 and array.flags.c_contiguous else np.ascontiguousarray(array).reshape(-1)


# Softmax ---------------------------------------------------------------------------------------------------

def softmax(x, y, threads=None):
    """y = exp(x) / sum exp(x) along the last axis of (rows, n) arrays; x is not y."""
    cdef Span sx = flat("x", x, -1, 0, False), sy = flat("y", y, size(sx), sx.itemsize, True)
    cdef const lstmc_kernels *k = table(sx.itemsize)
    cdef Py_ssize_t es = sx.itemsize, rows = sx.shape[0], n = sx.shape[1], nt = threads_for(40.0 * rows * n, rows, threads), i
    for i in prange(nt, nogil=True, num_threads=nt, schedule="static", chunksize=1):
        k.softmax(sy.p + i * rows // nt * n * es, sx.p + i * rows // nt * n * es, (i + 1) * rows // nt - i * rows // nt, n)


def softmax_bwd(y, dy, dx, threads=None):
    """dx = y (dy - sum y dy) along the last axis of (rows, n) arrays; no two are the same."""
    cdef Span sy = flat("y", y, -1, 0, False), sdy = flat("dy", dy, size(sy), sy.itemsize, False)
    cdef Span sdx = flat("dx", dx, size(sy), sy.itemsize, True)
    cdef const lstmc_kernels *k = table(sy.itemsize)
    cdef Py_ssize_t es = sy.itemsize, rows = sy.shape[0], n = sy.shape[1], nt = threads_for(5.0 * rows * n, rows, threads), i, at
    for i in prange(nt, nogil=True, num_threads=nt, schedule="static", chunksize=1):
        at = i * rows // nt * n * es
        k.softmax_bwd(sdx.p + at, sy.p + at, sdy.p + at, (i + 1) * rows // nt - i * rows // nt, n)


# Losses ----------------------------------------------------------------------------------------------------

def squared_error(y, p, bint values=True, bint gradient=True, threads=None):
    """(the mean of (p - y)^2 along the last axis, in float64, its gradient like p), each None if it is not wanted. Arrays of any layout."""
    return loss_rows(False, y, p, values, gradient, threads)


def crossentropy(y, p, bint values=True, bint gradient=True, threads=None):
    """As `squared_error`: cross-entropy of probabilities p, and its gradient with respect to the input of the softmax that gave them. y is like
    p, or labels of int64 without the last axis, of which those below 0 do not count."""
    return loss_rows(True, y, p, values, gradient, threads)


cdef tuple loss_rows(bint crossed, y, p, bint values, bint gradient, threads):
    cdef tuple shape = p.shape
    cdef Py_ssize_t n = shape[len(shape) - 1], rows = p.size // n if n else 0, nt, i, es
    cdef bint labelled = crossed and y.ndim < len(shape)
    cdef Span sp, sy, sv, sd
    cdef const lstmc_kernels *k
    cdef char *labels = NULL
    found, d = np.empty(shape[:len(shape) - 1]) if values else None, np.empty(shape, p.dtype) if gradient else None
    if not labelled and y.dtype is not p.dtype:
        y = y.astype(p.dtype)
    p, y = in_order(p), in_order(y)
    sp = flat("p", p, -1, 0, False)
    es, k = sp.itemsize, table(sp.itemsize)
    sy = flat("y", y, rows if labelled else rows * n, 8 if labelled else es, False)
    sv.p = sd.p = NULL
    if values:
        sv = flat("values", in_order(found), rows, 8, True)
    if gradient:
        sd = flat("d", in_order(d), rows * n, es, True)
    if labelled:
        labels = sy.p
        for i in range(rows):
            if (<const int64_t *>labels)[i] >= n:
                raise ValueError(f"y: expected labels below {n}, received {(<const int64_t *>labels)[i]}")
    nt = threads_for(20.0 * rows * n, rows, threads)
    if nt == 1:
        with nogil:
            some_rows(crossed, k, sv.p, sd.p, sp.p, sy.p, labels, 0, rows, n)
    else:
        for i in prange(nt, nogil=True, num_threads=nt, schedule="static", chunksize=1):
            some_rows(crossed, k, sv.p, sd.p, sp.p, sy.p, labels, i * rows // nt, (i + 1) * rows // nt, n)
    return found, d


def times(a, b):
    """a b, as a new array; b is an array or a number of NumPy's."""
    cdef Span sa, sb, sy
    cdef const lstmc_kernels *k
    cdef bint number = b.shape == ()
    if type(a) is not np.ndarray or a.dtype is not b.dtype or a.dtype.char not in "fd" or a.ndim > 4 or not (number or a.shape == b.shape):
        return a * b
    y = np.empty(a.shape, a.dtype)
    sa, sb, sy = span(a), span(b), span(y, True)
    if not row_major(&sa) or not row_major(&sb) or size(sa) != size(sy) or size(sb) != (1 if number else size(sy)):
        return a * b
    k = table(sy.itemsize)
    with nogil:
        multiply(k, sy.p, sa.p, sb.p, size(sy), number)
    return y


def total(values, double count):
    """The sum of the values (float64), each times `count`: a float."""
    cdef Span s
    if type(values) is np.ndarray and values.dtype.char == "d" and values.ndim <= 4:
        s = span(values)
        if row_major(&s):
            return sum_of(<const double *>s.p, size(s), count)
    return float(np.add.reduce(values * count, None))


# Squared norm ----------------------------------------------------------------------------------------------

def sumsq(array, threads=None):
    """Sum of squares of all elements, as a float64 number.

    A block of 4096 elements is summed in the array's precision, the blocks in float64.
    """
    cdef Span s = flat("array", array, -1, 0, False)
    return squares(table(s.itemsize), s.p, size(s), threads)


cdef double squares(const lstmc_kernels *k, const char *p, Py_ssize_t n, object threads) except? -1:
    cdef Py_ssize_t blocks = (n + SUM_BLOCK - 1) // SUM_BLOCK, nt = threads_for(2.0 * n, blocks, threads), i
    cdef double total = 0
    cdef double *sums
    if nt == 1:
        with nogil:
            total = k.sumsq(p, n)
        return total
    parts = np.empty(blocks)
    sums = <double *>span(parts, True).p
    for i in prange(blocks, nogil=True, num_threads=nt, schedule="static"):
        sums[i] = k.sumsq(p + i * SUM_BLOCK * k.itemsize, min(<Py_ssize_t>SUM_BLOCK, n - i * SUM_BLOCK))
    for i in range(blocks):
        total += sums[i]
    return total


# Updates ---------------------------------------------------------------------------------------------------

RULES = {"sgd": LSTMC_SGD, "rmsprop": LSTMC_RMSPROP, "adam": LSTMC_ADAM, "nadam": LSTMC_NADAM, "adamax": LSTMC_ADAMAX,
         "adadelta": LSTMC_ADADELTA, "lion": LSTMC_LION}


cdef int set_numbers(lstmc_update *u, dict numbers) except -1:
    """The numbers of a rule by name; those that it has not are 0, or change nothing."""
    u.lr, u.beta1, u.beta2, u.eps = numbers["lr"], numbers.get("beta1", 0), numbers.get("beta2", 0), numbers.get("eps", 0)
    u.momentum, u.nesterov, u.decay, u.gain = numbers.get("momentum", 0), numbers.get("nesterov", False), numbers.get("decay", 0), numbers.get("gain", 0)
    u.of_m, u.of_g, u.of_v, u.scale, u.clip = numbers.get("of_m", 0), numbers.get("of_g", 0), numbers.get("of_v", 1), 1, numbers.get("clipvalue", INFINITY)
    return 0


def apply(int rule, list grads, list weights, list state, tuple names, dict numbers not None, threads=None):
    """One step of an optimizer in place on all weights and on their slots; nothing is written unless all arrays fit.

    Parameters
    ----------
    rule : int
        One of `RULES`; its equation is in csrc/train.h.
    grads : list
        Arrays like the weights. (numbers, values, shape) for a table of which only rows with these numbers, ascending, have a gradient.
    weights : list of arrays
    state : list of dict
        For each weight its slots by name.
    names : tuple of str or None
        The slots that the rule's s0, s1, s2 are.
    numbers : dict
        Those of csrc/train.h by name, of which lr must be there, and clipnorm, global_clipnorm, clipvalue: largest norm of a gradient, of all
        together (0: any), largest absolute value.
    """
    cdef Py_ssize_t count = len(weights), i, j, nt, total = 0
    cdef double work = 0, norm = 0, clipnorm = numbers.get("clipnorm", 0), global_clipnorm = numbers.get("global_clipnorm", 0)
    cdef bint still
    cdef lstmc_update u
    cdef Region region
    cdef Job *job
    cdef Job *jobs
    set_numbers(&u, numbers)
    still = not u.decay and isfinite(u.lr) and (rule == LSTMC_SGD or rule == LSTMC_RMSPROP and u.beta2 == 1 and u.eps > 0)
    if not 0 <= rule < len(RULES) or len(grads) != count or len(state) != count or len(names) > SLOTS:
        raise ValueError(f"expected a known rule, a gradient and slots for each of {count} weights, received rule {rule}, {len(grads)} and {len(state)}")
    if rule != LSTMC_SGD and (not names or names[0] is None) or rule in (LSTMC_ADAM, LSTMC_NADAM, LSTMC_ADAMAX, LSTMC_ADADELTA) and (
            len(names) < 2 or names[1] is None):
        raise ValueError(f"expected names of the slots that the rule has, received {names}")
    jobs = <Job *>PyMem_Calloc(max(count, 1), sizeof(Job))
    if jobs == NULL:
        raise MemoryError
    try:
        for i in range(count):
            job = &jobs[i]
            lend(&job.w, weights[i], True, "weights", i, NULL)
            if isinstance(grads[i], tuple):
                lend_rows(job, grads[i], i)
            else:
                lend(&job.g, grads[i], False, "grads", i, &job.w)
            slots = state[i]
            for j in range(len(names)):
                if names[j] is not None:
                    lend(&job.slots[j], slots[names[j]], True, names[j], i, &job.w)
            job.k, job.n, job.scale = table(job.w.itemsize), job.w.len // job.w.itemsize, 1
            if clipnorm or global_clipnorm:
                norm = squares(job.k, <const char *>job.g.buf, job.g.len // job.g.itemsize, threads) + (0 if clipnorm else norm)
                if clipnorm:
                    job.scale = clipnorm / bounded(sqrt(norm), clipnorm)
        if global_clipnorm:
            # As in Keras, a gradient that is not finite makes every update NaN instead of hiding behind a factor of 0.
            norm = sqrt(norm)
            norm = global_clipnorm / bounded(norm, global_clipnorm) if isfinite(norm) else NAN
        for i in range(count):
            job = &jobs[i]
            if global_clipnorm:
                job.scale = norm
            job.only_rows = still and isfinite(job.scale) and (rule == LSTMC_RMSPROP or not job.slots[0].buf) and not job.slots[1].buf and (
                not job.slots[2].buf)
            total += job.n
            work += (PLAIN_WORK if rule in (LSTMC_SGD, LSTMC_LION) else ROOT_WORK) * <double>(job.rows * job.width if job.only_rows and job.numbers.buf else job.n)
        nt = threads_for(work, (total + 1023) // 1024, threads)
        if nt == 1:
            with nogil:
                share(jobs, count, rule, 0, total, &u)
            return
        enter(&region, nt, kind_of(UPDATE, rule, total, jobs[0].w.itemsize))
        for i in prange(nt, nogil=True, num_threads=nt, schedule="static", chunksize=1):
            begin_share(&region, i)
            share(jobs, count, rule, i * total // nt, (i + 1) * total // nt, &u)
            end_share(&region, i)
        judge(&region)
    finally:
        for i in range(count):
            job = &jobs[i]
            PyBuffer_Release(&job.w)
            PyBuffer_Release(&job.g)
            PyBuffer_Release(&job.numbers)
            for j in range(SLOTS):
                PyBuffer_Release(&job.slots[j])
        PyMem_Free(jobs)


cdef double bounded(double norm, double least) noexcept nogil:
    """The larger, or NaN if the norm is NaN."""
    return least if norm < least else norm


# CTC -------------------------------------------------------------------------------------------------------

def ctc(x, labels, lengths, frames, Py_ssize_t blank, loss, dx, threads=None):
    """Losses of all sequences and, if dx is given, their gradients.

    Parameters
    ----------
    x : (B, T, C) array
        Logits, any strides.
    labels : (B, L) array of int64
        Classes other than `blank`; what comes after the labels of a sequence is not read.
    lengths, frames : (B,) array of int64
        Labels and frames of every sequence.
    blank : int
    loss : (B,) array of float64, written
    dx : (B, T, C) array like x, written, or None
    threads : int, optional
        Overrides the rule that decides by the amount of work.
    """
    cdef Sequences a
    cdef Span sl = span(labels), sn = span(lengths), sf = span(frames), so = span(loss, True)
    cdef Py_ssize_t B, nt, i, b = 0, each
    cdef Region region
    cdef double total = 0, done = 0
    cdef double *work
    cdef Py_ssize_t *start
    cdef list keep = []
    a.x, a.dx = span(x), span_or_null(dx, True)
    a.k, B = table(a.x.itemsize), a.x.shape[0]
    for array, ndim in ((labels, 2), (lengths, 1), (frames, 1), (loss, 1)):
        if array.ndim != ndim or len(array) != B or array.itemsize != 8 or not array.flags.c_contiguous:
            raise ValueError(f"labels, lengths, frames, loss: expected {B} C-contiguous rows of 8-byte items, received shape {array.shape}")
    if a.x.ndim != 3 or not 0 <= blank < a.x.shape[2] or (dx is not None and (a.dx.itemsize != a.x.itemsize or dx.shape != x.shape)):
        raise ValueError(f"x, blank, dx: expected (B,T,C) twice and one of C, received {x.shape}, {blank}")
    if B == 0:
        return
    a.labels, a.lengths, a.frames, a.loss = <int64_t *>sl.p, <int64_t *>sn.p, <int64_t *>sf.p, <double *>so.p
    a.L, a.blank = sl.shape[1], blank
    a.ld = round_up(a.x.shape[2], LSTMC_CTC_BLOCK)
    a.lds = round_up(2 * a.L + 2, LSTMC_CTC_PAD) + 2 * LSTMC_CTC_PAD
    for i in range(B):
        total += work_of(&a, i)
    nt = threads_for(total, B, threads)
    each = (a.x.shape[1] + 1) * a.ld + (4 + (a.x.shape[1] if a.dx.p != NULL else 1)) * a.lds
    work = <double *>block(keep, nt * each * sizeof(double))
    start = <Py_ssize_t *>block(keep, (nt + 1) * sizeof(Py_ssize_t))
    for i in range(nt):     # consecutive sequences, about as much work for every thread
        while b < B and done < total * i / nt:
            done += work_of(&a, b)
            b += 1
        start[i] = b
    start[nt] = B
    with nogil:
        enter(&region, nt, kind_of(CTC, total, B, a.x.itemsize))
        for i in prange(nt, num_threads=nt, schedule="static", chunksize=1):
            begin_share(&region, i)
            some(&a, start[i], start[i + 1], work + i * each)
            end_share(&region, i)
        judge(&region)
    give_back(keep)
