// What kernels of a device need to be compiled for the processor; included before their own source, and short, since
// there are many. `standin.cpp` runs them.

#define __global__
#define __device__
#define __shared__ static
#define CHECKED(held) ((held) ? (void)0 : (void)(outside = 1))

struct Three {
    unsigned x, y, z;
};
extern Three threadIdx, blockIdx, blockDim, gridDim;
extern int outside; // 1: an index was beyond its array; 2: threads of a block did not wait for each other
void __syncthreads();

#define BOTH(function)                                                                                                 \
    extern "C" double function(double) noexcept;                                                                       \
    extern "C" float function##f(float) noexcept;                                                                      \
    inline float function(float x) { return function##f(x); }
BOTH(exp)
BOTH(expm1)
BOTH(fabs)
BOTH(floor)
BOTH(ceil)
BOTH(log)
BOTH(sqrt)
BOTH(tanh)
extern "C" double pow(double, double) noexcept;
extern "C" float powf(float, float) noexcept;
inline float pow(float x, float y) { return powf(x, y); }
extern "C" double fmod(double, double) noexcept;
extern "C" float fmodf(float, float) noexcept;
inline float fmod(float x, float y) { return fmodf(x, y); }

inline double __longlong_as_double(long long bits) {
    double number;
    __builtin_memcpy(&number, &bits, sizeof number);
    return number;
}
