/* An allocator for tests, loaded before the C library: the n-th allocation of one thread fails, once, as if memory had run out.
 *
 * lstmc_fail(n) begins to count this thread's allocations and lets number n fail (0: none); lstmc_count() ends that and says how many there were,
 * lstmc_failed() whether one failed. libgomp's do not count: it ends the process when one fails. lstmc_ours(): allocations by the package's own
 * compiled modules since the start, and how many of these blocks are not free yet.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void __libc_free(void *);

enum { MOST = 4096 };

static _Thread_local long counted, fail_at, failed;
static _Thread_local int counting;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *ours[MOST];
static long n_ours, n_all;

static const char *caller(void *address)
{
    Dl_info info;
    return dladdr(address, &info) && info.dli_fname ? info.dli_fname : "";
}

/* Whether this allocation is to fail. */
static int fails(void *from)
{
    int found = 0;
    if (counting) {
        counting = 0;           /* dladdr must not count itself */
        if (!strstr(caller(from), "libgomp")) {
            found = ++counted == fail_at;
            failed |= found;
        }
        counting = 1;
    }
    if (found)
        errno = ENOMEM;
    return found;
}

static void *kept(void *p, void *from)
{
    if (p && counting && strstr(caller(from), "lstmc/kernels/")) {
        pthread_mutex_lock(&lock);
        n_all++;
        if (n_ours < MOST)
            ours[n_ours++] = p;
        pthread_mutex_unlock(&lock);
    }
    return p;
}

static void dropped(void *p)
{
    long i;
    if (!p || !n_ours)
        return;
    pthread_mutex_lock(&lock);
    for (i = n_ours - 1; i >= 0 && ours[i] != p; i--)
        ;
    if (i >= 0)
        ours[i] = ours[--n_ours];
    pthread_mutex_unlock(&lock);
}

void *malloc(size_t n)
{
    void *from = __builtin_return_address(0);
    return fails(from) ? NULL : kept(__libc_malloc(n), from);
}

void *calloc(size_t n, size_t size)
{
    void *from = __builtin_return_address(0);
    return fails(from) ? NULL : kept(__libc_calloc(n, size), from);
}

void *realloc(void *p, size_t n)
{
    if (fails(__builtin_return_address(0)))
        return NULL;
    dropped(p);         /* of a list, for the kernels never do */
    return __libc_realloc(p, n);
}

void free(void *p)
{
    dropped(p);
    __libc_free(p);
}

void lstmc_fail(long n)
{
    counted = failed = 0;
    fail_at = n;
    counting = 1;
}

long lstmc_count(void)
{
    counting = 0;
    return counted;
}

int lstmc_failed(void) { return failed != 0; }

void lstmc_ours(long *all, long *left) { *all = n_all, *left = n_ours; }
