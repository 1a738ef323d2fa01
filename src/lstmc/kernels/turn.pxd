# turn.pxd -- a flag that one thread at a time may raise: who finds it raised does not wait.
cdef extern from *:
    """
    static inline int lstmc_enter(long *taken) { return !__atomic_exchange_n(taken, 1, __ATOMIC_ACQUIRE); }
    static inline void lstmc_leave(long *taken) { __atomic_store_n(taken, 0, __ATOMIC_RELEASE); }
    """
    bint lstmc_enter(long *taken) noexcept nogil     # whether nobody was in
    void lstmc_leave(long *taken) noexcept nogil
