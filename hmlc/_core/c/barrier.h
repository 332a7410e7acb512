/* A barrier for threads that share one long call of a kernel.
 *
 * It spins for about as long as the others may be behind, then lets other threads run at each look:
 * on a busy machine the thread that is waited for may have no processor.
 */
#ifndef HMLC_BARRIER_H
#define HMLC_BARRIER_H

#include <stddef.h>
#include <time.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
typedef volatile long barrier_count;
#define BARRIER_READ(count) _InterlockedOr(count, 0)
#define BARRIER_ADD(count, n) _InterlockedExchangeAdd(count, n)
#else
#include <stdatomic.h>
typedef atomic_long barrier_count;
#define BARRIER_READ(count) atomic_load_explicit(count, memory_order_acquire)
#define BARRIER_ADD(count, n) atomic_fetch_add_explicit(count, n, memory_order_acq_rel)
#endif

#if defined(_WIN32)
__declspec(dllimport) int __stdcall SwitchToThread(void);
#define BARRIER_YIELD() SwitchToThread()
#else
#include <sched.h>
#define BARRIER_YIELD() sched_yield()
#endif

#if defined(_M_X64) || defined(__SSE2__)
#include <emmintrin.h>
#define BARRIER_PAUSE() _mm_pause()
#elif defined(__aarch64__) && defined(__GNUC__)
#define BARRIER_PAUSE() __asm__ __volatile__("yield")
#else
#define BARRIER_PAUSE() ((void)0)
#endif

enum { BARRIER_SPINS = 200 };

/* All 0 at first. `rounds` is read by the waiting, so it has a cache line of its own. `late` counts
 * waits of over a millisecond: somebody had no processor. `is_dissolved` is the callers' own. */
typedef struct {
    barrier_count arrived, late;
    ptrdiff_t is_dissolved;
    char apart[128 - 2 * sizeof(barrier_count) - sizeof(ptrdiff_t)];
    barrier_count rounds;
    char apart_too[128 - sizeof(barrier_count)];
} barrier;

static inline double barrier_seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Returns when `threads` threads have called it; what each wrote before, all see after. */
static inline void barrier_wait(barrier *b, ptrdiff_t threads) {
    if (threads == 1)
        return;
    const long round = BARRIER_READ(&b->rounds);
    if (BARRIER_ADD(&b->arrived, 1) + 1 == threads) {
        BARRIER_ADD(&b->arrived, -(long)threads);
        BARRIER_ADD(&b->rounds, 1);
        return;
    }
    for (int spins = 0; spins < BARRIER_SPINS; spins++) {
        if (BARRIER_READ(&b->rounds) != round)
            return;
        BARRIER_PAUSE();
    }
    const double start = barrier_seconds();
    while (BARRIER_READ(&b->rounds) == round)
        BARRIER_YIELD();
    if (barrier_seconds() - start > 1e-3)
        BARRIER_ADD(&b->late, 1);
}

/* The threads that share a call, and which of them this is. */
typedef struct {
    ptrdiff_t thread, threads;
    barrier *meeting;
} team;

/* The first of `count` things that fall to a thread; they end where the next thread's begin. */
static inline ptrdiff_t share(ptrdiff_t count, ptrdiff_t thread, ptrdiff_t threads) {
    return count * thread / threads;
}

#endif
