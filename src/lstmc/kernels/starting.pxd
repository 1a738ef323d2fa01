# starting.pxd -- whether threads can be started at all: an OpenMP library that cannot start one ends the process.
cdef extern from *:
    """
    #if defined(_OPENMP) && !defined(_WIN32)
    #include <pthread.h>
    /* Threads that the calling thread's last parallel region had. The library keeps them until a region has fewer, so a region must have as many as
     * were last asked for here; one thread changes nothing. */
    static __thread Py_ssize_t lstmc_had = 1;
    #define LSTMC_TRIAL 64          /* threads tried at a time */
    static void *lstmc_trial(void *gate)
    {
        pthread_mutex_lock((pthread_mutex_t *)gate);
        pthread_mutex_unlock((pthread_mutex_t *)gate);
        return NULL;
    }
    /* How many of n threads a region of the calling thread may have: new ones are started once by ourselves, all at the same time. */
    static Py_ssize_t lstmc_can_start(Py_ssize_t n)
    {
        pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
        pthread_t thread[LSTMC_TRIAL];
        Py_ssize_t wanted = n - lstmc_had, started = 0;
        if (n < 2) return n;
        if (wanted > LSTMC_TRIAL) wanted = LSTMC_TRIAL;
        if (wanted > 0) {
            pthread_mutex_lock(&gate);
            while (started < wanted && pthread_create(&thread[started], NULL, lstmc_trial, &gate) == 0) started++;
            pthread_mutex_unlock(&gate);
            for (Py_ssize_t i = 0; i < started; i++) pthread_join(thread[i], NULL);
            if (n > lstmc_had + started) n = lstmc_had + started;
        }
        if (n > 1) lstmc_had = n;
        return n;
    }
    #else
    static Py_ssize_t lstmc_can_start(Py_ssize_t n) { return n; }
    #endif
    """
    Py_ssize_t lstmc_can_start(Py_ssize_t n) noexcept nogil
