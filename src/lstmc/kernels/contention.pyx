"""Whether all threads pay at present, by the clock.

A call waits at its end for all its threads. Where other processes, or other pools of this one, have the cores, a thread may come
milliseconds late, and the call takes longer than it would on one. So every parallel region is timed by its first thread:
it has waited for the others in vain if it waited longer than it worked, since half as many threads would have been as fast. What
regions lose that way and what they win is added up; once more is lost than won, half as many threads are used for twenty times as long
as the loss, and for twice that time whenever the next attempt loses as well. So attempts cost a twentieth of the time at first and
less and less after that, whatever else runs on the machine, and on a quiet machine a late thread costs nothing:
what was won covers it. No bit of a result depends on the number of threads.
"""

cdef extern from *:
    """
    /* Calls of several Python threads use these at the same time; a lost addition does no harm, half a value would. */
    #if defined(__GNUC__) || defined(__clang__)
    #define lstmc_read(p) __atomic_load_n(p, __ATOMIC_RELAXED)
    #define lstmc_write(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
    #else
    #define lstmc_read(p) (*(volatile long long *)(p))
    #define lstmc_write(p, v) (*(volatile long long *)(p) = (v))
    #endif
    """
    long long lstmc_read(long long *p) noexcept nogil
    void lstmc_write(long long *p, long long v) noexcept nogil

# What is won counts up to this, seconds: a thread that loses its core for a moment on an otherwise quiet machine costs less.
CREDIT = 5e-3
# Fewer threads are used for so many times what was lost, twice that at each loss that follows; so often doubled and so many seconds at most.
PAUSE = 20
DOUBLINGS = 6
LONGEST = 1.0

cdef enum: UNLIMITED = 1 << 30

cdef double longest = LONGEST
cdef long long pause = PAUSE, most_doublings = DOUBLINGS
# Nanoseconds: losses less wins, what wins count at most, and the time until which `most` threads at most are used.
cdef long long balance = 0, credit = <long long>(CREDIT * 1e9), until = 0, most = UNLIMITED, losses = 0


cdef long long ns(double seconds) noexcept nogil:
    return <long long>(seconds * 1e9)


cdef Py_ssize_t at_most() noexcept nogil:
    """Threads that a call may use now."""
    if lstmc_read(&most) == UNLIMITED:
        return UNLIMITED
    return limit_at(lstmc_clock())


cdef Py_ssize_t limit_at(double now) noexcept nogil:
    cdef long long n = lstmc_read(&most)
    if ns(now) < lstmc_read(&until):
        return n
    lstmc_write(&most, UNLIMITED)
    return UNLIMITED


cdef void judge(const Region *r, double waited, bint gave_up, double usual=0) noexcept nogil:
    """After a region. waited: seconds that its first thread waited inside for others; gave_up: then it went on alone, so what it waited
    was in vain; usual: what its work takes at most while it keeps its core, if that is known: all beyond was lost."""
    cdef double end, lost, worked = r.worked - waited, late = 0
    if r.threads < 2:
        return
    end = lstmc_clock()
    if 0 < usual < worked:
        late = worked - usual
    lost = waited if gave_up else waited + late + (end - r.finished) - (worked - late)
    settle(r.threads, lost, end)


cdef void settle(Py_ssize_t threads, double lost, double now) noexcept nogil:
    """A region of so many threads lost so many seconds, or won them."""
    cdef long long sum = lstmc_read(&balance) + ns(lost), doublings = lstmc_read(&losses)
    if sum <= 0:
        if sum <= -lstmc_read(&credit):
            sum = -lstmc_read(&credit)
            lstmc_write(&losses, 0)
        lstmc_write(&balance, sum)
        return
    lstmc_write(&balance, 0)
    lstmc_write(&losses, min(doublings + 1, most_doublings))
    lstmc_write(&until, ns(now) + min((pause * sum) << doublings, ns(longest)))
    lstmc_write(&most, max(threads // 2, 1))


# For tests and `explain` -----------------------------------------------------------------------------------

def limit(now=None):
    """Threads that calls may use at present, or at that time of the clock; None: as many as they like."""
    cdef Py_ssize_t n = at_most() if now is None else limit_at(now)
    return None if n == UNLIMITED else n


def report(threads, double lost, now=None):
    """As if a region of so many threads had lost so many seconds, at present or at that time of the clock."""
    settle(threads, lost, lstmc_clock() if now is None else now)


def won():
    """Seconds that regions have won and not lost again, as far as they count."""
    return -1e-9 * lstmc_read(&balance)


def start_with(double seconds):
    """Begin anew, with so many seconds won, up to which wins count from now on."""
    lstmc_write(&credit, ns(seconds))
    lstmc_write(&balance, -ns(seconds))
    lstmc_write(&losses, 0)
    lstmc_write(&most, UNLIMITED)
