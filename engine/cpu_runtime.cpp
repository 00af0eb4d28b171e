#include "engine/cpu_runtime.h"

#include <ATen/Context.h>
#include <ATen/EmptyTensor.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "engine/block_pool.h"
#include "engine/page_pool.h"
#include "engine/tensors.h"
#include "fusion/packed_conv.h"
#include "kernels/grain.h"
#include "kernels/x86/attention.h"
#include "kernels/x86/backend.h"

namespace torchweld {
namespace {

/// What a recorded tensor's layout spans; LibTorch checked it for overflow when it was recorded.
size_t bytes_of(c10::IntArrayRef sizes, c10::IntArrayRef strides, size_t element_bytes) {
  int64_t last = 0;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 0) return 0;
    last += (sizes[d] - 1) * strides[d];
  }
  return static_cast<size_t>(last + 1) * element_bytes;
}

class CpuRuntime : public Runtime {
 public:
  CpuRuntime() : backend_(x86::make_backend()) {
    parallel_ = watched(
        [](int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& work) {
          at::parallel_for(0, count, grain, work);
        });
  }

  Backend* backend() const override { return backend_.get(); }
  bool has_hand_kernels() const override { return backend_ != nullptr; }  // both need AVX2
  bool has_packed_convolutions() const override {
    static const bool registered =
        c10::Dispatcher::singleton().findSchema({kPackedConv, ""}).has_value();
    return registered && at::globalContext().userEnabledMkldnn();
  }
  AttentionKernels* attention() const override {
    return has_hand_kernels() ? &attention_ : nullptr;
  }
  bool multiplies(DType type) const override { return x86::multiplies(type); }
  bool finishes_steps() const override { return true; }
  bool can_be_timed() const override { return backend_ != nullptr; }
  LaunchSite site() const override { return {parallel_, nullptr}; }
  void* stream() const override { return nullptr; }

  at::Tensor allocate(c10::IntArrayRef sizes, c10::IntArrayRef strides,
                      c10::ScalarType type) const override {
    const size_t bytes = bytes_of(sizes, strides, c10::elementSize(type));
    const bool is_small = bytes > 0 && bytes <= kMostBlockBytes;
    if (!is_small && bytes < kPooledBytes)
      return at::detail::empty_strided_cpu(sizes, strides, type);
    return tensor_over(is_small ? allocate_block(bytes) : allocate_pooled(bytes), bytes, sizes,
                       strides, type);
  }

 private:
  std::shared_ptr<Backend> backend_;
  mutable x86::Attention attention_;
  ParallelFor parallel_;
};

}  // namespace

std::shared_ptr<const Runtime> cpu_runtime() {
  static const std::shared_ptr<const Runtime> cpu = std::make_shared<CpuRuntime>();
  return cpu;
}

}  // namespace torchweld
