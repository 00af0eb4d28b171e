// Kernels for tests of the device itself: order, limits, counts.

extern "C" {

__global__ void add_one(float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += 1;
}

__global__ void copy_strided(const float* x, float* y, int stride) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = x[i * stride];
}

// Each thread reads its own row of a matrix in shared memory, `pitch` words wide.
__global__ void read_columns(float* y, int pitch) {
  __shared__ float tile[32 * 33];
  for (int i = threadIdx.x; i < 32 * 33; i += 32) tile[i] = static_cast<float>(i);
  __syncthreads();
  float sum = 0;
  for (int k = 0; k < 32; ++k) sum += tile[threadIdx.x * pitch + k];
  y[threadIdx.x] = sum;
}

__global__ void __launch_bounds__(64) at_most_64(float* y) { y[threadIdx.x] = 1; }

// Packed as a host compiler packs them: a byte, a double, a short, a struct.
struct Triple {
  char a;
  int b;
  double c;
};
__global__ void packed(signed char a, double b, short c, Triple t, float* y) {
  y[0] = static_cast<float>(a + b + c + t.a + t.b + t.c);
}

}  // extern "C"
