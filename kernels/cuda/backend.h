// The CUDA back end: specs become CUDA C++ around hand-written skeletons, compiled by NVRTC.
#pragma once

#include <memory>

#include "kernels/cuda/compiler.h"
#include "kernels/cuda/cuda_kernel.h"
#include "kernels/cuda/device.h"
#include "kernels/kernel.h"

namespace torchweld::cuda {

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
  int64_t scratch_bytes(const KernelSpec& spec, const Geometry& geometry) override;
  /// Side by side, on as many threads as the machine has cores.
  std::vector<std::shared_ptr<const Kernel>> compile_all(
      std::span<const KernelRequest> requests) override;
  bool takes_rows() const override { return true; }
  std::string description() const override;

  /// As compile, with a schedule of the caller's choice; for tests and measurements.
  std::shared_ptr<const CudaKernel> compile_as(const KernelSpec& spec, const Schedule& schedule);
  /// Shared with the kernels that are not specs: attention.h, embedding_bag.h.
  const std::shared_ptr<Compiler>& compiler() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Throws  Error kDevice when NVRTC is missing.
std::shared_ptr<CudaBackend> make_backend(std::shared_ptr<Device> device,
                                          const CacheOptions& options = {});

}  // namespace torchweld::cuda
