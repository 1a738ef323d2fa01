"""Whether all threads pay at present, by the clock.

A call waits at its end for all its threads. Where other processes, or other pools of this one, have the cores, a thread may come
milliseconds late, and the call takes longer than it would on one. So every parallel region is timed by its first thread:
it has waited for the others in vain if it waited longer than it worked, since half as many threads would have been as fast. What
regions lose that way and what they win is added up; once more is lost than won, half as many threads are used for twenty times as long
as the loss, and for twice that time whenever the next attempt loses as well. So attempts cost a twentieth of the time at first and
less and less after that, whatever else runs on the machine, and on a quiet machine a late thread costs nothing:
what was won covers it. The first loss after that may be a moment's, however long: a process of its own that starts, a machine that slept. It
counts as what an attempt may lose, the next decides. An attempt may lose a little before it wins, for a core is lost for milliseconds at a
time. No bit of a result depends on the number of threads.

A share is timed from where it begins inside the region: before that the first thread may spin until the others are back from the region before.
A thread that has lost its core seems to work, by the clock on the wall. What it worked is what the processor's clock of the thread says.
Some systems count that time in ticks longer than whole calls: there, and in regions too short for a system call, a share of work takes little
more than the quickest of its kind did, and what goes beyond was lost.

Half as many threads would have lost their cores, too. How much longer than its work a region takes there is measured while no more are used:
that is what the next attempt is compared with. So a first thread that loses its core to the others of its own team is seen as a loss.
One thread's work is the quickest of its kind there, for Linux notices at each look at a processor's clock whether a thread has used up its
turn, and so gives a tenth less of the core to one that looks at every call.
Where nothing was measured, one thread is thought to keep its core, and the first of several to lose it as much as now.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memset

cdef extern from *:
    """
    /* Calls of several Python threads use these at the same time; a lost addition does no harm, half a value would. */
    #define lstmc_read(p) __atomic_load_n(p, __ATOMIC_RELAXED)
    #define lstmc_write(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
    """
    long long lstmc_read(long long *p) noexcept nogil
    void lstmc_write(long long *p, long long v) noexcept nogil

# What is won counts up to this, seconds: a thread that loses its core for a moment on an otherwise quiet machine costs less. And what an
# attempt may lose before it ends, and the first loss counts at most: about as long as a scheduler takes a core away.
CREDIT = 16e-3
RETRY = 8e-3
# Fewer threads are used for so many times what was lost, twice that at each loss that follows; so often doubled and so many seconds at most.
PAUSE = 20
DOUBLINGS = 6
LONGEST = 1.0

# A processor's clock that once moves by less than so many seconds between two readings tells what a thread works; where it does not, a share
# takes so many times the quickest of its kind at most, which is slowly forgotten: caches and frequencies change, too.
TELLING = 20e-6
USUAL = 1.5
FORGET = 64

# Regions on fewer threads are looked back at over so many seconds of them, and so many seconds after the last.
LOOK_BACK = 0.1
FRESH = 0.25

cdef enum:
    UNLIMITED = 1 << 30
    READS = 64
    KINDS = 64
    TIME_BITS = 39          # of nanoseconds, below what is left of the number of a kind
    TEAMS = 64              # numbers of threads that are told apart

cdef double longest = LONGEST
cdef long long pause = PAUSE, most_doublings = DOUBLINGS
# Nanoseconds: losses less wins, what wins count at most, and the time until which `most` threads at most are used.
cdef long long balance = 0, credit = <long long>(CREDIT * 1e9), until = 0, most = UNLIMITED, losses = 0
cdef long long retry = <long long>(RETRY * 1e9)
cdef long long records[KINDS]           # of a kind: part of its number, and the nanoseconds of its quickest share
cdef double usual = USUAL, telling_seconds = TELLING
# Of regions on so many threads while no more were used: nanoseconds that they took, and those of their first thread's work; and until when they count.
cdef long long took[TEAMS]
cdef long long worked[TEAMS]
cdef long long fresh_until[TEAMS]
cdef long long look_back = <long long>(LOOK_BACK * 1e9), fresh = <long long>(FRESH * 1e9)
cdef Py_ssize_t forget = FORGET


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


cdef Py_ssize_t limit_in_force() noexcept nogil:
    """Threads to which calls were limited when the last of them was planned; 0 if they were not."""
    cdef long long n = lstmc_read(&most)
    return 0 if n == UNLIMITED else n


cdef void judge(Region *r) noexcept nogil:
    """After a region."""
    cdef double end, work
    if r.threads == 1 and not r.limited:
        return
    end = lstmc_clock()
    work = quickest(r.kind, end - r.start) if r.threads == 1 else work_of(r, cpu_clock_tells)
    if r.limited:
        look_at_fewer(r.threads, end - r.start, work, end)
    if r.threads > 1:
        settle(r.threads, lost_by(r, end, work), end)


cdef double busy_of(const Region *r) noexcept nogil:
    """Seconds that the first thread seems to have worked on its share."""
    return max(r.finished - r.began - r.waited, 0)


cdef double work_of(const Region *r, bint telling) noexcept nogil:
    """Seconds that it did; telling: as `cpu_clock_tells`."""
    cdef double busy = busy_of(r)
    if r.usual > 0:
        return min(busy, r.usual)
    if r.kind and telling:
        return min(busy, max(r.cpu - r.spun, 0))
    if r.kind:
        return min(busy, usual * quickest(r.kind, busy))
    return busy


cdef double lost_by(const Region *r, double end, double work) noexcept nogil:
    """Seconds that a region lost, which ended then, less what it won: what it took beyond half as many threads, which have twice the work."""
    cdef Py_ssize_t half = r.threads // 2, i = min(half, TEAMS - 1)
    cdef long long cpu = lstmc_read(&worked[i])     # once, for another thread may write 0
    if r.gave_up:
        return r.waited
    if ns(end) <= lstmc_read(&fresh_until[i]) and cpu > 0:
        return end - r.start - 2 * work * max(<double>lstmc_read(&took[i]) / <double>cpu, 1)
    return end - r.start - 2 * work - (0 if half == 1 else busy_of(r) - work)


cdef void look_at_fewer(Py_ssize_t threads, double seconds, double work, double now) noexcept nogil:
    """A region took so many seconds on as many threads as were allowed, for so much work of the first."""
    cdef Py_ssize_t i = min(threads, TEAMS - 1)
    cdef long long wall = lstmc_read(&took[i]), cpu = lstmc_read(&worked[i])
    if ns(now) > lstmc_read(&fresh_until[i]):
        wall = cpu = 0
    elif wall > look_back:
        wall, cpu = wall // 2, cpu // 2
    lstmc_write(&took[i], wall + ns(seconds))
    lstmc_write(&worked[i], cpu + ns(work))
    lstmc_write(&fresh_until[i], ns(now) + fresh)


cdef double quickest(uint64_t kind, double busy) noexcept nogil:
    """Seconds of the quickest share of that kind, of which one has just taken `busy`."""
    cdef long long *record = &records[kind % KINDS]
    cdef long long known = lstmc_read(record), mask = (<long long>1 << TIME_BITS) - 1, best = min(ns(busy), mask)
    cdef long long name = <long long>(kind >> TIME_BITS + 1) | 1
    if known >> TIME_BITS == name:
        best = min(best, (known & mask) + (known & mask) // forget)
    lstmc_write(record, name << TIME_BITS | best)
    return 1e-9 * best


cdef bint tells(const double *reading, Py_ssize_t n) noexcept nogil:
    """Whether a clock tells a thread's work that was read so often in a row: it moves, and not in ticks."""
    cdef Py_ssize_t i
    for i in range(1, n):
        if 0 < reading[i] - reading[i - 1] < telling_seconds:
            return True
    return False


cdef void settle(Py_ssize_t threads, double lost, double now) noexcept nogil:
    """A region of so many threads lost so many seconds, or won them."""
    cdef long long sum = lstmc_read(&balance) + ns(lost), doublings = lstmc_read(&losses)
    if sum <= 0:
        if sum <= -lstmc_read(&credit):
            sum = -lstmc_read(&credit)
            lstmc_write(&losses, 0)
        lstmc_write(&balance, sum)
        return
    sum = sum + min(retry, lstmc_read(&credit)) if doublings else min(sum, retry)       # an attempt was lent that
    lstmc_write(&balance, -min(retry, lstmc_read(&credit)))
    lstmc_write(&losses, min(doublings + 1, most_doublings))
    lstmc_write(&until, ns(now) + min((pause * sum) << doublings, ns(longest)))
    lstmc_write(&most, max(threads // 2, 1))


cdef bint cpu_clock_read_often() noexcept:
    cdef double reading[READS]
    cdef Py_ssize_t i
    for i in range(READS):
        reading[i] = lstmc_cpu_clock()
    return tells(reading, READS)


cdef bint cpu_clock_tells = cpu_clock_read_often()


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
    memset(took, 0, sizeof(took))
    memset(worked, 0, sizeof(worked))
    memset(fresh_until, 0, sizeof(fresh_until))
    memset(records, 0, sizeof(records))


def telling(readings):
    """Whether a processor's clock with these readings in a row would be believed."""
    cdef double reading[READS]
    cdef Py_ssize_t i
    for i in range(READS):
        reading[i] = readings[i]
    return bool(tells(reading, READS))


def lost(double end, double finished, telling, **more):
    """Seconds that a region lost, or won if negative, that started at 0 and whose first thread had then done its share.

    more: fields of Region; kind is 1 unless given, and threads 2."""
    cdef Region r
    r.threads, r.start, r.finished = more.get("threads", 2), 0, finished
    r.kind, r.gave_up = more.get("kind", 1), more.get("gave_up", False)
    r.began, r.cpu, r.waited, r.spun, r.usual = [more.get(name, 0.0) for name in ("began", "cpu", "waited", "spun", "usual")]
    return lost_by(&r, end, work_of(&r, telling))


def took_on_fewer(threads, double seconds, double work, double now):
    """As if a region had taken so many seconds on as many threads as are allowed, for so much work, at that time of the clock."""
    look_at_fewer(threads, seconds, work, now)


def on_fewer(Py_ssize_t threads):
    """Seconds that regions took on so many threads while no more were allowed, and those of their first thread's work, as far as they count."""
    cdef Py_ssize_t i = min(threads, TEAMS - 1)
    return (1e-9 * took[i], 1e-9 * worked[i]) if fresh_until[i] else (0.0, 0.0)
