#include "tests/support/reference_runtime.h"

#include "engine/cpu_runtime.h"
#include "kernels/reference.h"
#include "tests/virtual_gpu/host_blas.h"

namespace torchweld::testing {
namespace {

class ReferenceRuntime final : public Runtime {
 public:
  Backend* backend() const override { return &backend_; }
  bool has_hand_kernels() const override { return false; }
  cuda::Blas* blas() const override { return &blas_; }
  LaunchSite site() const override { return cpu_runtime()->site(); }
  at::Tensor allocate(c10::IntArrayRef sizes, c10::IntArrayRef strides,
                      c10::ScalarType type) const override {
    return cpu_runtime()->allocate(sizes, strides, type);
  }

 private:
  mutable ReferenceBackend backend_;
  mutable virtual_gpu::HostBlas blas_;
};

}  // namespace

std::shared_ptr<const Runtime> reference_runtime() {
  static const auto runtime = std::make_shared<const ReferenceRuntime>();
  return runtime;
}

}  // namespace torchweld::testing
