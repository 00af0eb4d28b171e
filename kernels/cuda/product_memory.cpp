#include "kernels/cuda/product_memory.h"

#include <algorithm>

namespace torchweld::cuda {
namespace {

/// Elements from the first to the last of a batch of matrices with `columns` columns.
int64_t reach(int64_t rows, int64_t columns, int64_t ld, int64_t batch, int64_t batch_stride) {
  return (batch - 1) * batch_stride + (columns - 1) * ld + rows;
}

}  // namespace

ProductMemory::ProductMemory(Device& device, const BlasShape& s, int64_t workspace_bytes)
    : device_(device), stream_(device.make_stream()) {
  const int64_t each = size_of(s.dtype);
  const int64_t a_rows = s.transpose_a ? s.k : s.m, b_rows = s.transpose_b ? s.n : s.k;
  operands_.a = zeros(reach(a_rows, s.m + s.k - a_rows, s.lda, s.batch, s.batch_a) * each);
  operands_.b = zeros(reach(b_rows, s.k + s.n - b_rows, s.ldb, s.batch, s.batch_b) * each);
  operands_.d = zeros(reach(s.m, s.n, s.ldd, s.batch, s.batch_d) * each);
  if (s.beta != 0) operands_.c = zeros(reach(s.m, s.n, s.ldc, s.batch, s.batch_c) * each);
  if (s.has_bias) operands_.bias = zeros(s.m * each);
  operands_.workspace = zeros(workspace_bytes);
}

ProductMemory::~ProductMemory() {
  for (void* memory : memory_) device_.release(memory);
  device_.drop(stream_);
}

void* ProductMemory::zeros(int64_t bytes) {
  memory_.push_back(device_.allocate(std::max<int64_t>(bytes, 1)));
  device_.fill(memory_.back(), 0, bytes, stream_);
  return memory_.back();
}

double ProductMemory::time_us(int runs,
                              const std::function<void(const BlasOperands&, Stream)>& run) const {
  for (int i = 0; i < 2; ++i) run(operands_, stream_);
  const Event from = device_.make_event(), to = device_.make_event();
  device_.record(from, stream_);
  for (int i = 0; i < runs; ++i) run(operands_, stream_);
  device_.record(to, stream_);
  device_.synchronize(to);
  const double us = device_.elapsed_us(from, to);
  device_.drop(from);
  device_.drop(to);
  return us / runs;
}

}  // namespace torchweld::cuda
