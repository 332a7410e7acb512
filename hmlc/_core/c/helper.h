/* A thread that is awake takes a share of a call that is too short to wait for one to wake.
 *
 * The helper waits without Python's lock and without sleep, for a moment. A caller offers it the
 * call, goes through the rows itself, and takes the offer back at the end: it waits for nobody but
 * a helper that has begun. While there is no offer the helper lets other threads run.
 */
#ifndef HMLC_HELPER_H
#define HMLC_HELPER_H

#include "barrier.h"

/* Rows [first, end), in pieces, so many of which are taken. Each thread has its own, so that it
 * meets rows in their order, for the next are asked for ahead, and counts where nobody else does.
 */
typedef struct {
    barrier_count taken;
    ptrdiff_t first, end;
    char apart[128 - sizeof(barrier_count) - 2 * sizeof(ptrdiff_t)];
} half_call;

/* The rows of a call, in pieces of `size`; `run` returns whether its piece is as it should be. */
typedef int run_piece(void *job, ptrdiff_t first, ptrdiff_t last);
typedef struct {
    half_call halves[2];
    run_piece *run;
    void *job;
    ptrdiff_t size;
    barrier_count wrong;
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

/* Runs pieces that nobody has, of one's own half first: of rows that come again each finds its own
 * in the caches next to it. */
static inline void run_pieces(shared_call *call, int is_helper) {
    for (int turn = 0; turn < 2; turn++) {
        half_call *half = &call->halves[turn ^ is_helper];
        for (;;) {
            const ptrdiff_t first = half->first + BARRIER_ADD(&half->taken, 1) * call->size;
            if (first >= half->end)
                break;
            const ptrdiff_t left = half->end - first;
            if (!call->run(call->job, first, first + (left < call->size ? left : call->size)))
                BARRIER_ADD(&call->wrong, 1);
        }
    }
}

/* Helps with calls until there was none for so many seconds. */
static inline void help_calls(double seconds) {
    double start = barrier_seconds();
    for (;;) {
        if (take_one(&helper.offers)) {
            run_pieces(helper.call, 1);
            BARRIER_ADD(&helper.finished, 1);
            start = barrier_seconds();
        } else {
            const double waited = barrier_seconds() - start;
            if (waited < 0 || waited > seconds)
                return;
        }
        for (int spins = 0; spins < BARRIER_SPINS && BARRIER_READ(&helper.offers) != 1; spins++)
            BARRIER_PAUSE();
        if (BARRIER_READ(&helper.offers) != 1)
            BARRIER_YIELD();
    }
}

/* Runs run(job, first, last) over n rows in pieces of `size`, with the helper's help if it may;
 * returns whether all pieces are as they should be. */
static inline int share_rows(run_piece *run, void *job, ptrdiff_t n, ptrdiff_t size, int may_help) {
    const ptrdiff_t middle = n / size / 2 * size;
    shared_call call = {
        .halves = {{.end = middle}, {.first = middle, .end = n}},
        .run = run,
        .job = job,
        .size = size,
    };
    if (!may_help || !take_one(&helper.room)) {
        run_pieces(&call, 0);
        return BARRIER_READ(&call.wrong) == 0;
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
    return BARRIER_READ(&call.wrong) == 0;
}

/* In a forked child there is neither helper nor caller. */
static inline void forget_helper(void) {
    BARRIER_ADD(&helper.offers, -BARRIER_READ(&helper.offers));
    BARRIER_ADD(&helper.room, 1 - BARRIER_READ(&helper.room));
}

#endif
