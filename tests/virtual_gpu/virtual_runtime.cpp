#include "tests/virtual_gpu/virtual_runtime.h"

#include <ATen/Context.h>
#include <ATen/EmptyTensor.h>
#include <c10/core/CPUAllocator.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <set>

#include "engine/tensors.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/backend.h"
#include "tests/virtual_gpu/host_blas.h"
#include "tests/virtual_gpu/host_cudnn.h"
#include "tests/virtual_gpu/kept_sources.h"
#include "torchweld/error.h"

namespace torchweld::virtual_gpu {
namespace {

/// Host memory for LibTorch, which kernels may touch while it lives.
class AdoptingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* memory = nullptr;
    if (bytes > 0) {
      memory = std::aligned_alloc(kAlign, (bytes + kAlign - 1) / kAlign * kAlign);
      if (memory == nullptr) throw std::bad_alloc();
      virtual_device().adopt(memory, static_cast<int64_t>(bytes));
    }
    return {memory, memory, &AdoptingAllocator::free, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &AdoptingAllocator::free; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  static constexpr size_t kAlign = 64;

  static void free(void* memory) {
    if (memory == nullptr) return;
    virtual_device().disown(memory);
    std::free(memory);
  }
};

/// The host twin in the queue of the device. A product that nobody prepared is an error: on a
/// device a call would have to choose its algorithm.
class QueuedBlas final : public cuda::Blas {
 public:
  explicit QueuedBlas(VirtualDevice* device) : device_(device) {}
  int64_t workspace_bytes() const override { return blas_.workspace_bytes(); }
  void prepare(const cuda::BlasRequest& request, bool) override {
    const std::scoped_lock lock(mutex_);
    prepared_.insert(describe(cuda::BlasRequest{request.shape, request.allow_tf32}));
  }
  void run(const cuda::BlasShape& shape, const cuda::BlasOperands& operands, bool allow_tf32,
           cuda::Stream stream) override {
    {
      const std::scoped_lock lock(mutex_);
      if (!prepared_.contains(describe(cuda::BlasRequest{shape, allow_tf32})))
        throw Error(ErrorCode::kInternal, "not prepared: " + describe(shape));
    }
    device_->host_work(stream, [this, shape, operands, allow_tf32, stream] {
      blas_.run(shape, operands, allow_tf32, stream);
      const int64_t last = (shape.batch - 1) * shape.batch_d + (shape.n - 1) * shape.ldd;
      const int64_t bytes = torchweld::size_of(shape.dtype);
      // Column by column: between columns lies somebody else's memory.
      for (int64_t at = 0; at <= last; at += shape.ldd)
        device_->mark_initialised(static_cast<char*>(operands.d) + at * bytes, shape.m * bytes);
    });
  }
  std::string description() const override { return blas_.description(); }

 private:
  VirtualDevice* device_;
  HostBlas blas_;
  std::mutex mutex_;
  std::set<std::string> prepared_;
};

class VirtualRuntime final : public Runtime {
 public:
  VirtualRuntime(VirtualDevice* device, const cuda::CacheOptions& cache)
      : device_(device),
        backend_(with_kept_sources(cuda::make_backend(
            std::shared_ptr<cuda::Device>(device, [](cuda::Device*) {}), cache))),
        embedding_bag_(backend_->compiler()),
        regions_(backend_->compiler()),
        suppression_(backend_->compiler()),
        attention_(backend_->compiler()),
        blas_(device) {}

  Backend* backend() const override { return backend_.get(); }
  bool has_hand_kernels() const override { return false; }
  bool multiplies(DType type) const override { return type != DType::kF64; }
  cuda::Blas* blas() const override { return &blas_; }
  cuda::EmbeddingBag* embedding_bag() const override { return &embedding_bag_; }
  cuda::Regions* regions() const override { return &regions_; }
  cuda::Suppression* suppression() const override { return &suppression_; }
  bool has_cudnn() const override { return true; }
  bool convolves_in_tf32() const override {
    return at::globalContext().allowTF32CuDNN(at::Float32Op::CONV);
  }
  AttentionKernels* attention() const override { return &attention_; }
  LaunchSite site() const override { return {}; }

  at::Tensor allocate(c10::IntArrayRef sizes, c10::IntArrayRef strides,
                      c10::ScalarType type) const override {
    const size_t bytes = at::detail::computeStorageNbytes(sizes, strides, c10::elementSize(type));
    void* memory = device_->allocate(static_cast<int64_t>(bytes));
    c10::DataPtr owned(
        memory, memory, [](void* m) { virtual_device().release(m); }, c10::Device(c10::kCPU));
    return tensor_over(std::move(owned), bytes, sizes, strides, type);
  }

  void drain(const LaunchSite&) const override { device_->synchronize(cuda::Stream{}); }

  void finish(const LaunchSite& site) const override { drain(site); }

  void wrote(const at::Tensor& tensor) const override {
    if (!tensor.defined() || tensor.numel() == 0) return;
    int64_t elements = 1;
    for (int64_t d = 0; d < tensor.dim(); ++d) elements += (tensor.size(d) - 1) * tensor.stride(d);
    device_->mark_initialised(tensor.const_data_ptr(),
                              elements * static_cast<int64_t>(tensor.element_size()));
  }

 private:
  VirtualDevice* device_;
  std::shared_ptr<cuda::CudaBackend> backend_;
  mutable cuda::EmbeddingBag embedding_bag_;
  mutable cuda::Regions regions_;
  mutable cuda::Suppression suppression_;
  mutable cuda::Attention attention_;
  mutable QueuedBlas blas_;
};

}  // namespace

VirtualDevice& virtual_device() {
  // Never destroyed: tensors of other statics may outlive everything here.
  static VirtualDevice* const device = [] {
    register_host_cudnn();
    c10::SetCPUAllocator(new AdoptingAllocator, /*priority=*/1);
    return new VirtualDevice;
  }();
  return *device;
}

std::shared_ptr<const Runtime> virtual_runtime(const cuda::CacheOptions& cache) {
  static const auto runtime = std::make_shared<const VirtualRuntime>(&virtual_device(), cache);
  return runtime;
}

}  // namespace torchweld::virtual_gpu
