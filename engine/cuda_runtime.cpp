#include "engine/cuda_runtime.h"

#include <ATen/Context.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <map>
#include <mutex>

#include "kernels/cuda/attention.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/driver_device.h"
#include "kernels/cuda/regions.h"
#include "kernels/cuda/shared_library.h"
#include "loader/torchvision_ops.h"
#include "torchweld/error.h"

namespace torchweld {
namespace {

/// Registers LibTorch's CUDA operators and allocator, which a service on the CPU never loads.
void open_libtorch_cuda() {
  static const cuda::SharedLibrary library({"libtorch_cuda.so"});
  if (!c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA))
    throw Error(ErrorCode::kDevice,
                "libtorch_cuda.so is of another LibTorch than the one in this process");
}

/// The library's handle belongs to one device's context, which need not be the calling thread's.
class BlasOnDevice final : public cuda::Blas {
 public:
  BlasOnDevice(c10::Device device, std::shared_ptr<cuda::Device> driver) : device_(device) {
    const c10::DeviceGuard on_device(device_);
    blas_ = cuda::make_cublaslt(std::move(driver));
  }
  int64_t workspace_bytes() const override { return blas_->workspace_bytes(); }
  void prepare(const cuda::BlasRequest& request, bool measure) override {
    const c10::DeviceGuard on_device(device_);
    blas_->prepare(request, measure);
  }
  void run(const cuda::BlasShape& shape, const cuda::BlasOperands& operands, bool allow_tf32,
           cuda::Stream stream) override {
    const c10::DeviceGuard on_device(device_);
    blas_->run(shape, operands, allow_tf32, stream);
  }
  std::string description() const override { return blas_->description(); }

 private:
  c10::Device device_;
  std::shared_ptr<cuda::Blas> blas_;
};

/// torchvision's operators as the interpreter and eager steps call them.
class DetectionOnDevice final : public DetectionKernels {
 public:
  DetectionOnDevice(c10::Device device, std::shared_ptr<cuda::Regions> regions,
                    std::shared_ptr<cuda::Suppression> suppression)
      : device_(device), regions_(std::move(regions)), suppression_(std::move(suppression)) {}

  bool accepts(const RegionShape& shape, std::string* why) const override {
    return cuda::Regions::accepts(shape, why);
  }
  void run(const RegionShape& shape, const RegionPointers& pointers) const override {
    regions_->launch(shape, pointers, stream());
  }
  void run(const SuppressionShape& shape, const SuppressionPointers& pointers) const override {
    suppression_->launch(shape, pointers, stream());
  }

 private:
  cuda::Stream stream() const {
    return static_cast<cuda::Stream>(guard_.getStream(device_).native_handle());
  }

  c10::Device device_;
  c10::impl::VirtualGuardImpl guard_{c10::DeviceType::CUDA};
  std::shared_ptr<cuda::Regions> regions_;
  std::shared_ptr<cuda::Suppression> suppression_;
};

class CudaRuntime final : public Runtime {
 public:
  explicit CudaRuntime(c10::Device device)
      : device_(device),
        driver_(cuda::driver_device(device.index())),
        backend_(cuda::make_backend(driver_)),
        embedding_bag_(std::make_unique<cuda::EmbeddingBag>(backend_->compiler())),
        regions_(std::make_shared<cuda::Regions>(backend_->compiler())),
        suppression_(std::make_shared<cuda::Suppression>(backend_->compiler())),
        attention_(std::make_unique<cuda::Attention>(backend_->compiler())) {
    open_libtorch_cuda();
    guard_.emplace(c10::DeviceType::CUDA);
    blas_ = std::make_shared<BlasOnDevice>(device_, driver_);
    set_detection_kernels(device_,
                          std::make_shared<DetectionOnDevice>(device_, regions_, suppression_));
  }

  Backend* backend() const override { return backend_.get(); }
  bool has_hand_kernels() const override { return false; }
  cuda::Blas* blas() const override { return blas_.get(); }
  cuda::EmbeddingBag* embedding_bag() const override { return embedding_bag_.get(); }
  cuda::Regions* regions() const override { return regions_.get(); }
  cuda::Suppression* suppression() const override { return suppression_.get(); }
  bool has_cudnn() const override {
    return at::Context::hasCuDNN() && at::globalContext().userEnabledCuDNN();
  }
  bool convolves_in_tf32() const override {
    return at::globalContext().allowTF32CuDNN(at::Float32Op::CONV);
  }
  AttentionKernels* attention() const override { return attention_.get(); }
  bool multiplies(DType type) const override { return type != DType::kF64; }
  bool allows_tf32() const override { return at::globalContext().allowTF32CuBLAS(); }

  LaunchSite site() const override { return {nullptr, guard_->getStream(device_).native_handle()}; }

  void finish(const LaunchSite& site) const override {
    driver_->synchronize(static_cast<cuda::Stream>(site.stream));
  }

  at::Tensor allocate(c10::IntArrayRef sizes, c10::IntArrayRef strides,
                      c10::ScalarType type) const override {
    return at::empty_strided(sizes, strides, at::TensorOptions().dtype(type).device(device_));
  }

 private:
  c10::Device device_;
  std::shared_ptr<cuda::Device> driver_;
  std::shared_ptr<cuda::CudaBackend> backend_;
  std::unique_ptr<cuda::EmbeddingBag> embedding_bag_;
  std::shared_ptr<cuda::Regions> regions_;
  std::shared_ptr<cuda::Suppression> suppression_;
  std::unique_ptr<cuda::Attention> attention_;
  std::shared_ptr<cuda::Blas> blas_;
  std::optional<c10::impl::VirtualGuardImpl> guard_;
};

}  // namespace

std::shared_ptr<const Runtime> cuda_runtime(c10::Device device) {
  static std::mutex mutex;
  static std::map<int, std::shared_ptr<const Runtime>> runtimes;
  const int ordinal = device.has_index() ? device.index() : 0;
  const std::scoped_lock lock(mutex);
  std::shared_ptr<const Runtime>& runtime = runtimes[ordinal];
  if (runtime == nullptr)
    runtime = std::make_shared<CudaRuntime>(
        c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(ordinal)));
  return runtime;
}

}  // namespace torchweld
