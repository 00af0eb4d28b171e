// The CUDA back end: specs become CUDA C++ around hand-written skeletons, compiled by NVRTC.
#pragma once

#include <memory>

#include "kernels/cuda/device.h"
#include "kernels/cuda/kernel_cache.h"
#include "kernels/kernel.h"

namespace torchweld::cuda {

/// How many kernels came from where, since the back end was made.
struct BackendCounts {
  int64_t compiled = 0;   ///< by NVRTC
  int64_t from_disk = 0;  ///< compiled by this or another process before
};

/// Kernels for one device.
///
/// Keys     equal specs with equal schedules share a kernel; sizes enter only where they change the
///          schedule (schedule.h).
/// Memory   every kernel stays as long as the back end or a user of it.
/// Numerics f32 within the op table's tolerance; halves are computed in f32.
/// Threads  all members may be called from any thread.
class CudaBackend final : public Backend {
 public:
  CudaBackend(std::shared_ptr<Device> device, const CacheOptions& options);
  ~CudaBackend() override;

  bool accepts(const KernelSpec& spec, const Geometry& geometry, std::string* why) override;
  std::shared_ptr<const Kernel> compile(const KernelSpec& spec, const Geometry& geometry,
                                        std::string* why) override;
  /// Side by side, on as many threads as the machine has cores.
  std::vector<std::shared_ptr<const Kernel>> compile_all(
      std::span<const KernelRequest> requests) override;
  std::string description() const override;

  /// As compile, with a schedule of the caller's choice; for tests and measurements.
  std::shared_ptr<const CudaKernel> compile_as(const KernelSpec& spec, const Schedule& schedule);
  BackendCounts counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Throws  Error kDevice when NVRTC is missing.
std::shared_ptr<Backend> make_backend(std::shared_ptr<Device> device,
                                      const CacheOptions& options = {});

}  // namespace torchweld::cuda
