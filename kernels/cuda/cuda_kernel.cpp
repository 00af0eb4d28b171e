#include "kernels/cuda/cuda_kernel.h"

#include <algorithm>

#include "kernels/cuda/arguments.h"
#include "kernels/cuda/row_split.h"
#include "kernels/cuda/vector_width.h"

namespace torchweld::cuda {
namespace {

int64_t blocks_for(int64_t count, int64_t each) { return (count + each - 1) / each; }

}  // namespace

CudaKernel::CudaKernel(std::shared_ptr<Device> device, const KernelSpec& spec,
                       const Schedule& schedule, Source source, Program program,
                       std::shared_ptr<Module> module)
    : device_(std::move(device)),
      spec_(spec),
      schedule_(schedule),
      source_(std::move(source)),
      program_(std::move(program)),
      module_(module ? std::move(module) : device_->load(program_.image)),
      vector_operands_(vector_operands(spec)),
      phases_(phases_of(spec).count) {
  partials_ = partials_of(spec);
  for (const std::string& entry : source_.entries) functions_.push_back(&module_->function(entry));
}

void CudaKernel::launch(const Geometry& geometry, void* const* pointers,
                        const LaunchSite& site) const {
  const Run run{geometry, pointers, static_cast<Stream>(site.stream), site.scratch};
  switch (schedule_.skeleton) {
    case Skeleton::kPointwise:
      return launch_pointwise(run);
    case Skeleton::kTranspose:
      return launch_transpose(run);
    default:
      return launch_rows(run);
  }
}

void CudaKernel::launch_pointwise(const Run& run) const {
  if (run.geometry.elements == 0) return;
  // The scalar entry is there for first elements that aren't aligned, as those of slices.
  const bool scalar =
      schedule_.vector > 1 && !is_aligned(vector_operands_, run.pointers, schedule_.vector);
  Extents extents;
  extents.vector = scalar ? 1 : schedule_.vector;
  const int64_t inner = run.geometry.sizes.back();
  extents.length = blocks_for(inner, extents.vector);
  extents.count = run.geometry.elements / inner * extents.length;
  const auto blocks = static_cast<uint32_t>(blocks_for(extents.count, schedule_.threads));
  launch_entry(run, scalar ? 1 : 0, extents, {blocks});
}

void CudaKernel::launch_transpose(const Run& run) const {
  if (run.geometry.elements == 0) return;
  constexpr int64_t kTile = 32;
  const int64_t inner = run.geometry.sizes.back();
  const int64_t across = run.geometry.sizes[static_cast<size_t>(schedule_.across)];
  Extents extents;
  extents.aligned = true;
  extents.length = blocks_for(inner, kTile);
  extents.chunks = blocks_for(across, kTile);
  const int64_t others = run.geometry.elements / (inner * across);
  extents.count = extents.length * extents.chunks * others;
  launch_entry(run, 0, extents, {static_cast<uint32_t>(extents.count)});
}

void CudaKernel::launch_entry(const Run& run, size_t entry, const Extents& extents,
                              Dim3 grid) const {
  ArgumentBuffer arguments(spec_, run.geometry, run.pointers, schedule_, source_.params, extents);
  void* parameters[] = {arguments.data()};
  Launch launch;
  launch.function = functions_[entry];
  launch.grid = grid;
  launch.block = {static_cast<uint32_t>(schedule_.threads)};
  launch.stream = run.stream;
  launch.arguments = parameters;
  device_->launch(launch);
}

}  // namespace torchweld::cuda
