// What is known of a matrix product before it runs: its alignment, its key, memory to time it in.
#include <gtest/gtest.h>

#include <set>

#include "kernels/cuda/blas.h"
#include "kernels/cuda/product_memory.h"
#include "tests/kernels/cuda/device.h"
#include "tests/virtual_gpu/host_blas.h"

namespace torchweld {
namespace {

cuda::BlasShape product(int64_t m, int64_t n, int64_t k) {
  cuda::BlasShape s;
  s.m = m, s.n = n, s.k = k;
  s.lda = m, s.ldb = k, s.ldc = m, s.ldd = m;
  return s;
}

TEST(CudaProducts, AlignmentIsThatOfTheLeastAlignedOperand) {
  alignas(512) static char memory[2048];
  const cuda::BlasOperands aligned{memory, memory + 256, nullptr, nullptr, memory + 512};
  EXPECT_EQ(cuda::common_alignment(aligned), 256);
  const cuda::BlasOperands sliced{memory, memory + 24, memory + 512, nullptr, memory + 256};
  EXPECT_EQ(cuda::common_alignment(sliced), 8);
  const cuda::BlasOperands half{memory, memory, memory, nullptr, memory + 2};
  EXPECT_EQ(cuda::common_alignment(half), 2);
}

TEST(CudaProducts, EveryPartOfARequestIsInItsText) {
  const cuda::BlasRequest first{product(4, 5, 6)};
  std::set<std::string> texts{describe(first)};
  const auto changed = [&](const std::function<void(cuda::BlasRequest*)>& change) {
    cuda::BlasRequest request = first;
    change(&request);
    EXPECT_FALSE(request == first);
    EXPECT_TRUE(texts.insert(describe(request)).second) << describe(request);
  };
  changed([](auto* r) { r->alignment = 16; });
  changed([](auto* r) { r->allow_tf32 = true; });
  changed([](auto* r) { r->shape.dtype = DType::kF16; });
  changed([](auto* r) { r->shape.k = 7; });
  changed([](auto* r) { r->shape.lda = 9; });
  changed([](auto* r) { r->shape.ldb = 10; });
  changed([](auto* r) { r->shape.ldc = 11; });
  changed([](auto* r) { r->shape.ldd = 12; });
  changed([](auto* r) { r->shape.batch = 2; });
  changed([](auto* r) { r->shape.batch_a = 24; });
  changed([](auto* r) { r->shape.batch_d = 25; });
  changed([](auto* r) { r->shape.transpose_a = true; });
  changed([](auto* r) { r->shape.transpose_b = true; });
  changed([](auto* r) { r->shape.alpha = 0.5; });
  changed([](auto* r) { r->shape.beta = 1; });
  changed([](auto* r) { r->shape.has_bias = true; });
  changed([](auto* r) { r->shape.epilogue = cuda::Epilogue::kRelu; });
  changed([](auto* r) { r->shape.epilogue = cuda::Epilogue::kGelu; });
}

// The host twin reads and writes as cuBLASLt does; the virtual GPU's host memory ends in redzones
// that its release checks.
TEST(CudaProducts, MemoryForTimingHoldsTheWholeProduct) {
  const auto device = make_virtual_device();
  cuda::BlasShape shape = product(5, 7, 3);
  shape.transpose_a = true;
  shape.lda = 4, shape.ldb = 8, shape.ldd = 9, shape.ldc = 6;
  shape.batch = 3, shape.batch_a = 40, shape.batch_b = 70, shape.batch_c = 60, shape.batch_d = 90;
  shape.beta = 1;
  shape.has_bias = true;
  virtual_gpu::HostBlas blas;
  const cuda::ProductMemory memory(*device, shape, blas.workspace_bytes());
  int runs = 0;
  const double us = memory.time_us(4, [&](const cuda::BlasOperands& o, cuda::Stream stream) {
    device->synchronize(stream);  // the zeros are there
    blas.run(shape, o, false, stream);
    ++runs;
    EXPECT_EQ(static_cast<const float*>(o.d)[2 * 90 + 6 * 9 + 4], 0);
  });
  EXPECT_EQ(runs, 6);  // two are not timed
  EXPECT_GE(us, 0);
}

}  // namespace
}  // namespace torchweld
