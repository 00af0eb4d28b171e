// One kernel a function of the device's mathematics: what libdevice makes of it is the vocabulary
// that the interpreter has to know.

#define UNARY(name, T, expression)                           \
  extern "C" __global__ void name(const T* x, T* y, int n) { \
    const int i = blockIdx.x * blockDim.x + threadIdx.x;     \
    if (i >= n) return;                                      \
    const T a = x[i];                                        \
    y[i] = expression;                                       \
  }
#define BOTH(name, f32, f64)    \
  UNARY(name##_f32, float, f32) \
  UNARY(name##_f64, double, f64)

BOTH(exp, expf(a), exp(a))
BOTH(exp2, exp2f(a), exp2(a))
BOTH(expm1, expm1f(a), expm1(a))
BOTH(log, logf(a), log(a))
BOTH(log1p, log1pf(a), log1p(a))
BOTH(log2, log2f(a), log2(a))
BOTH(tanh, tanhf(a), tanh(a))
BOTH(erf, erff(a), erf(a))
BOTH(erfc, erfcf(a), erfc(a))
BOTH(sin, sinf(a), sin(a))
BOTH(cos, cosf(a), cos(a))
BOTH(atan, atanf(a), atan(a))
BOTH(sqrt, sqrtf(a), sqrt(a))
BOTH(rsqrt, rsqrtf(a), rsqrt(a))
BOTH(reciprocal, 1.0f / a, 1.0 / a)
BOTH(pow, powf(fabsf(a), 1.7f), pow(fabs(a), 1.7))
BOTH(fmod, fmodf(a, 0.7f), fmod(a, 0.7))
BOTH(floor, floorf(a), floor(a))
BOTH(ceil, ceilf(a), ceil(a))
BOTH(rint, rintf(a), rint(a))
BOTH(trunc, truncf(a), trunc(a))

// Integer division and remainder of 64 bits are subroutines too.
extern "C" __global__ void divide_i64(const long long* x, long long* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] / (i * 37 - 11) + x[i] % (i + 3);
}
extern "C" __global__ void divide_i32(const int* x, int* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] / (i - 7 == 0 ? 5 : i - 7) + x[i] % (i + 3) + __clz(x[i]) + __popc(x[i]);
}

// A warp's sum by shuffles, a block's by shared memory, a grid's by an atomic.
extern "C" __global__ void sum_all(const float* x, float* total, int n) {
  __shared__ float parts[32];
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    sum += x[i];
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  sum = threadIdx.x < blockDim.x / 32 ? parts[threadIdx.x] : 0;
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x == 0) atomicAdd(total, sum);
}
