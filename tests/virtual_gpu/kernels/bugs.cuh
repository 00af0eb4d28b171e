// Kernels with one bug each, and their good twins: what the checker has to find, and what it may
// not complain of. Compiled with BUG as 0 or 1; the line that BUG changes is the bug.

#ifndef BUG
#error "BUG says whether the bugs are in"
#endif

extern "C" {

// A block reverses its elements through shared memory.
__global__ void missing_barrier(const float* x, float* y) {
  __shared__ float tile[128];
  tile[threadIdx.x] = x[threadIdx.x];
  if (!BUG) __syncthreads();
  y[threadIdx.x] = tile[127 - threadIdx.x];
}

// The second round overwrites what slower threads of the first still read.
__global__ void missing_trailing_barrier(const float* x, float* y) {
  __shared__ float tile[64];
  float sum = 0;
  for (int round = 0; round < 2; ++round) {
    tile[threadIdx.x] = x[round * 64 + threadIdx.x];
    __syncthreads();
    sum += tile[63 - threadIdx.x];
    if (!BUG) __syncthreads();
  }
  y[threadIdx.x] = sum;
}

// A tree over shared memory that counts on the warp running in step.
__global__ void warp_synchronous(const float* x, float* y) {
  __shared__ float part[32];
  part[threadIdx.x] = x[threadIdx.x];
  if (!BUG) __syncwarp();
  for (int offset = 16; offset > 0; offset /= 2) {
    const float other = threadIdx.x < offset ? part[threadIdx.x + offset] : 0;
    if (!BUG) __syncwarp();
    if (threadIdx.x < offset) part[threadIdx.x] += other;
    if (!BUG) __syncwarp();
  }
  if (threadIdx.x == 0) y[0] = part[0];
}

// Two buffers in turn need one barrier a round; without it a round runs into the one before.
__global__ void double_buffer(const float* x, float* y) {
  __shared__ float tile[2][64];
  float sum = 0;
  for (int round = 0; round < 4; ++round) {
    tile[BUG ? 0 : round % 2][threadIdx.x] = x[round * 64 + threadIdx.x];
    __syncthreads();
    sum += tile[BUG ? 0 : round % 2][threadIdx.x ^ 1];
  }
  y[threadIdx.x] = sum;
}

// Block-wide maximum: the value of another warp is read before it is there.
__global__ void missing_barrier_after_partials(const float* x, float* y) {
  __shared__ float part[4];
  float most = x[threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2)
    most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, offset));
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = most;
  if (!BUG) __syncthreads();
  most = part[threadIdx.x % 4];
  y[threadIdx.x] = most;
}

__global__ void past_the_end(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (BUG ? i <= n : i < n) y[BUG && i == n ? 0 : i] = x[i];
}

__global__ void before_the_start(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[BUG ? i - 1 : i];
}

__global__ void store_past_the_end(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[BUG ? i + 1 : i] = x[i];
}

__global__ void vector_past_the_end(const float4* x, float4* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (BUG ? 4 * i < n : 4 * i + 3 < n) y[i] = x[i];
}

__global__ void shared_past_the_end(float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x + BUG];
}

__global__ void shared_before_the_start(float* y) {
  __shared__ float other[64];
  __shared__ float tile[64];
  other[threadIdx.x] = 2;
  tile[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x - BUG] + other[threadIdx.x];
}

// Launched with 64 floats of dynamic shared memory.
__global__ void dynamic_past_the_end(float* y) {
  extern __shared__ float dynamic[];
  dynamic[threadIdx.x + BUG] = 1;
  __syncthreads();
  y[threadIdx.x] = dynamic[threadIdx.x + BUG];
}

__global__ void misaligned_vector(const float* x, float* y) {
  const float4 v = *reinterpret_cast<const float4*>(x + BUG + 4 * threadIdx.x);
  y[threadIdx.x] = v.x + v.y * v.z - v.w;
}

__global__ void shuffle_of_absent_lanes(const float* x, float* y) {
  float v = x[threadIdx.x];
  if (threadIdx.x < 20) v += __shfl_xor_sync(0x000fffffu, v, BUG ? 16 : 1);
  y[threadIdx.x] = v;
}

__global__ void shuffle_in_a_branch(const float* x, float* y) {
  float v = x[threadIdx.x];
  if (!BUG || threadIdx.x < 16) v += __shfl_xor_sync(0xffffffffu, v, 1);
  y[threadIdx.x] = v;
}

__global__ void shuffle_after_exit(const float* x, float* y, int n) {
  if (BUG && threadIdx.x >= n) return;
  float v = threadIdx.x < n ? x[threadIdx.x] : 0;
  v += __shfl_xor_sync(0xffffffffu, v, 16);
  if (threadIdx.x < n) y[threadIdx.x] = v;
}

__global__ void blocks_race(float* y) {
  if (BUG) {
    y[0] += 1;
  } else {
    atomicAdd(y, 1.0f);
  }
}

// Half a word each: neighbours in one word, but bytes of their own.
__global__ void blocks_write_the_same(unsigned short* y) {
  y[BUG ? threadIdx.x : blockIdx.x * blockDim.x + threadIdx.x] = 7;
}

__global__ void strong_store_beside_plain(float* y) {
  if (BUG && threadIdx.x == 0) {
    y[0] = 5;
  } else {
    *static_cast<volatile float*>(y) = 5;
  }
}

__global__ void reads_what_another_block_wrote(float* y) {
  y[blockIdx.x * 32 + threadIdx.x] = 1;
  if (BUG) y[blockIdx.x * 32 + threadIdx.x] = y[(blockIdx.x ^ 1) * 32 + threadIdx.x];
}

__global__ void atomic_beside_plain(float* y) {
  if (BUG && threadIdx.x == 0) {
    y[0] = 5;
  } else {
    atomicAdd(y, 1.0f);
  }
}

__global__ void uninitialised_shared(float* y) {
  __shared__ float tile[64];
  if (threadIdx.x < 64 - BUG) tile[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = fmaxf(tile[threadIdx.x], 0.5f);
}

// `scratch` comes uninitialised.
__global__ void uninitialised_global(float* scratch, float* y) {
  if (!BUG) scratch[threadIdx.x] = 1;
  y[threadIdx.x] = fmaxf(scratch[threadIdx.x], 0.5f);
}

__global__ void barrier_in_a_branch(float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = 1;
  if (BUG && threadIdx.x < 32) {
    __syncthreads();
    tile[threadIdx.x] += 1;
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = tile[threadIdx.x];
}

__global__ void barrier_for_some(float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = 1;
  if (!BUG || threadIdx.x < 48) __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}

__global__ void exit_before_the_barrier(float* y, int n) {
  if (BUG && threadIdx.x >= n) return;
  __shared__ float tile[64];
  tile[threadIdx.x] = 1;
  __syncthreads();
  if (threadIdx.x < n) y[threadIdx.x] = tile[threadIdx.x];
}

__global__ void lanes_that_never_meet(float* y) {
  if (BUG && threadIdx.x >= 32 && threadIdx.x < 63) __syncwarp();
  __syncthreads();
  y[threadIdx.x] = 1;
}

__device__ void copy_async(void* to, const void* from) {
  const unsigned shared = static_cast<unsigned>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(from) : "memory");
}

__global__ void missing_wait(const float* x, float* y) {
  __shared__ __align__(16) float tile[128];
  copy_async(&tile[4 * threadIdx.x], x + 4 * threadIdx.x);
  asm volatile("cp.async.commit_group;" ::: "memory");
  if (!BUG) asm volatile("cp.async.wait_group 0;" ::: "memory");
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}

__global__ void missing_barrier_after_wait(const float* x, float* y) {
  __shared__ __align__(16) float tile[128];
  copy_async(&tile[4 * threadIdx.x], x + 4 * threadIdx.x);
  asm volatile("cp.async.commit_group;" ::: "memory");
  asm volatile("cp.async.wait_group 0;" ::: "memory");
  if (!BUG) __syncthreads();
  y[threadIdx.x] = tile[127 - threadIdx.x];
}

// y has been freed before the launch where the bug is in.
__global__ void use_after_free(float* y) { y[threadIdx.x] = 1; }

__global__ void endless_loop(float* y) {
  while (BUG && y[threadIdx.x] >= 0) y[threadIdx.x] += 1;
  y[threadIdx.x] = 1;
}

// Column sums of a 32 x 32 matrix, by a wrong stride. Nothing to report: the numbers tell.
__global__ void wrong_stride(const float* x, float* y) {
  float sum = 0;
  for (int row = 0; row < 32; ++row) sum += x[row * (BUG ? 31 : 32) + threadIdx.x];
  y[threadIdx.x] = sum;
}

}  // extern "C"
