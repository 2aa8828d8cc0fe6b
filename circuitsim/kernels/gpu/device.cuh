// What all kernels for the device share: how they are called, and loops over replicas, rows and columns.
// REAL (float or double), THREADS (of a block, a power of two) and WORDS (of a table) are given by who compiles.

typedef long long word;

#ifndef CHECKED
#define CHECKED(held)
#endif

// An array (replica, row, column): where it begins, its shape, and its strides in elements. What all replicas share has
// a stride of zero.
template <class A> struct View {
    A *first;
    word shape[3], strides[3];
    __device__ A &at(word r, word x, word y) const {
        CHECKED((r < shape[0] || strides[0] == 0) && x < shape[1] && y < shape[2]);
        return first[r * strides[0] + x * strides[1] + y * strides[2]];
    }
};

// All kernels are called alike: with a table of their operands, seven words each.
struct Table {
    word words[WORDS];
};

#define KERNEL(name) extern "C" __global__ void name(const Table t)
#define SLOT 7

template <class A> __device__ View<A> array(const Table &t, int k) {
    const word *w = t.words + SLOT * k;
    return {(A *)w[0], {w[1], w[2], w[3]}, {w[4], w[5], w[6]}};
}

__device__ inline double number(const Table &t, int k) { return __longlong_as_double(t.words[SLOT * k]); }

// What changes what is kept does nothing while a guard has halted what is under way: the operand says whether.
#define KEEPS(k)                                                                                                       \
    if (*array<const word>(t, k).first != 0)                                                                           \
    return

#define READS(name, k) const View<const REAL> name = array<const REAL>(t, k)
#define WRITES(name, k) const View<REAL> name = array<REAL>(t, k)

// Every element (r, x, y) of an array once: blocks share out replicas by y, and what a replica has by x.
#define EACH(view)                                                                                                     \
    for (word r = blockIdx.y; r < (view).shape[0]; r += gridDim.y)                                                     \
        for (unsigned e = blockIdx.x * blockDim.x + threadIdx.x, x = 0, y = 0;                                         \
             e < (unsigned)((view).shape[1] * (view).shape[2]) &&                                                      \
             (x = e / (unsigned)(view).shape[2], y = e % (unsigned)(view).shape[2], true);                             \
             e += gridDim.x * blockDim.x)

// Every row (r, x) of an array once, a block for each.
#define EACH_ROW(view)                                                                                                 \
    for (word r = blockIdx.y; r < (view).shape[0]; r += gridDim.y)                                                     \
        for (word x = blockIdx.x; x < (view).shape[1]; x += gridDim.x)

// What a block's threads have, put together in an order that depends on nothing but their number.
template <class A, class Join> __device__ A together(A own, Join join) {
    __shared__ A held[THREADS];
    held[threadIdx.x] = own;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half)
            held[threadIdx.x] = join(held[threadIdx.x], held[threadIdx.x + half]);
        __syncthreads();
    }
    const A all = held[0];
    __syncthreads(); // before anyone writes for the next time
    return all;
}

struct Sum {
    template <class A> __device__ A operator()(A a, A b) const { return a + b; }
};
struct Largest {
    template <class A> __device__ A operator()(A a, A b) const { return a < b ? b : a; }
};

// As NumPy's: what is not a number stays so.
__device__ inline REAL larger(REAL a, REAL b) { return a > b || a != a ? a : b; }
__device__ inline REAL smaller(REAL a, REAL b) { return a < b || a != a ? a : b; }
__device__ inline REAL modulo(REAL a, REAL b) { // of the divisor's sign
    const REAL rest = fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
__device__ inline REAL sign(REAL a) { return a > 0 ? REAL(1) : a < 0 ? REAL(-1) : a * 0; }
