// Runs kernels of a device on the processor: blocks one after the other, the threads of a block as fibers that wait for
// each other where they synchronise.
#include <csetjmp>
#include <cstring>
#include <ucontext.h>

#include "standin.h"

Three threadIdx, blockIdx, blockDim, gridDim;
int outside;

typedef void (*Call)(void (*)(), const void *); // a kernel with its table, whose size only the kernel's own source knows

enum { MOST = 256, ROOM = 1 << 16 };
static jmp_buf back, places[MOST]; // without signals' masks, which cost a call of the system each time
static char stacks[MOST][ROOM];
static bool begun[MOST], done[MOST];
static bool alone; // whether a thread runs by itself, because the first one waited for none
static Call call;
static void (*kernel)();
static const void *table;

void __syncthreads() {
    const unsigned own = threadIdx.x;
    if (alone) {
        outside = 2;
        return;
    }
    if (!_setjmp(places[own]))
        _longjmp(back, 1);
    threadIdx.x = own;
}

static void fiber() {
    for (;;) { // for one block after the other
        const unsigned own = threadIdx.x;
        call(kernel, table);
        done[own] = true;
        if (!_setjmp(places[own]))
            _longjmp(back, 1);
    }
}

static void resume(unsigned own) {
    threadIdx.x = own;
    if (_setjmp(back))
        return;
    if (begun[own])
        _longjmp(places[own], 1);
    begun[own] = true;
    ucontext_t start;
    getcontext(&start);
    start.uc_stack.ss_sp = stacks[own];
    start.uc_stack.ss_size = ROOM;
    makecontext(&start, fiber, 0);
    setcontext(&start);
}

// Run a block; `backwards` lets its threads run in the other order, which must make no difference.
static void block(bool backwards) {
    const unsigned threads = blockDim.x;
    unsigned left = threads;
    std::memset(done, 0, sizeof done);
    for (bool first = true; left; first = false) {
        unsigned ended = 0;
        for (unsigned k = 0; k < threads; k++) {
            const unsigned own = backwards ? threads - 1 - k : k;
            if (done[own])
                continue;
            if (first && ended == k && k) { // those before waited for none
                alone = true;
                threadIdx.x = own;
                call(kernel, table);
                alone = false;
                done[own] = true;
            } else
                resume(own);
            ended += done[own];
        }
        if (ended && ended != left)
            outside = 2; // some threads wait for others that are gone
        left -= ended;
    }
}

extern "C" int launch(Call how, void (*which)(), const unsigned *shape, const void *operands, int backwards) {
    gridDim = {shape[0], shape[1], shape[2]};
    blockDim = {shape[3], 1, 1};
    call = how, kernel = which, table = operands, outside = 0;
    const unsigned plane = shape[0] * shape[1], blocks = plane * shape[2];
    for (unsigned k = 0; k < blocks; k++) {
        const unsigned b = backwards ? blocks - 1 - k : k;
        blockIdx = {b % shape[0], b % plane / shape[0], b / plane};
        block(backwards);
    }
    return outside;
}
