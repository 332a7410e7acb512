/* A thread that is awake takes a share of a call that is too short to wait for one to wake.
 *
 * The helper waits without Python's lock and without sleep, for a moment. A caller offers it the
 * call, goes through the rows itself, and takes the offer back at the end: it waits for nobody but
 * a helper that has begun. While there is no offer the helper lets other threads run.
 */
#ifndef HMLC_HELPER_H
#define HMLC_HELPER_H

#include "barrier.h"

/* Rows 0 ... n - 1 of a call, in pieces of `size`, so many of which are taken. */
typedef struct {
    void (*run)(void *job, ptrdiff_t first, ptrdiff_t last);
    void *job;
    ptrdiff_t n, size;
    barrier_count taken;
} shared_call;

/* `room` is 0 while a caller has the helper, else 1; `offers` is 1 while its call may be taken. */
static struct {
    barrier_count room, offers, finished;
    shared_call *call;
} helper = {.room = 1};

/* Takes the 1 that a count holds, if it does; of many who try, one succeeds. */
static inline int take_one(barrier_count *count) {
    if (BARRIER_READ(count) != 1)
        return 0;
    if (BARRIER_ADD(count, -1) == 1)
        return 1;
    BARRIER_ADD(count, 1);
    return 0;
}

/* Runs pieces that nobody has: the caller from the first on, the helper from the last on, so that
 * of rows that come again each finds its own in the caches next to it. */
static inline void run_pieces(shared_call *call, int is_helper) {
    const ptrdiff_t n = call->n, size = call->size, pieces = (n + size - 1) / size;
    for (ptrdiff_t i = 0; BARRIER_ADD(&call->taken, 1) < pieces; i++) {
        const ptrdiff_t first = (is_helper ? pieces - 1 - i : i) * size;
        call->run(call->job, first, n - first < size ? n : first + size);
    }
}

/* Helps with calls until there was none for so many seconds. */
static inline void help_calls(double seconds) {
    double start = barrier_seconds(), waited = 0;
    while (waited >= 0 && waited <= seconds) {
        if (take_one(&helper.offers)) {
            run_pieces(helper.call, 1);
            BARRIER_ADD(&helper.finished, 1);
            start = barrier_seconds();
        }
        BARRIER_YIELD();
        waited = barrier_seconds() - start;
    }
}

/* Runs run(job, first, last) over n rows in pieces of `size`, with the helper's help if it may. */
static inline void share_rows(void (*run)(void *job, ptrdiff_t first, ptrdiff_t last), void *job,
                              ptrdiff_t n, ptrdiff_t size, int may_help) {
    shared_call call = {.run = run, .job = job, .n = n, .size = size};
    if (!may_help || !take_one(&helper.room)) {
        run_pieces(&call, 0);
        return;
    }
    const long finished = BARRIER_READ(&helper.finished);
    helper.call = &call;
    BARRIER_ADD(&helper.offers, 1);
    run_pieces(&call, 0);
    for (int spins = 0; BARRIER_READ(&helper.finished) == finished; spins++) {
        if (take_one(&helper.offers))
            break;
        if (spins < BARRIER_SPINS)
            BARRIER_PAUSE();
        else
            BARRIER_YIELD();
    }
    BARRIER_ADD(&helper.room, 1);
}

/* In a forked child there is neither helper nor caller. */
static inline void forget_helper(void) {
    BARRIER_ADD(&helper.offers, -BARRIER_READ(&helper.offers));
    BARRIER_ADD(&helper.room, 1 - BARRIER_READ(&helper.room));
}

#endif
