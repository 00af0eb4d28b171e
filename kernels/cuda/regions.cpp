#include "kernels/cuda/regions.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "kernels/cuda/expression.h"

namespace torchweld::cuda {
namespace {

constexpr uint32_t kThreads = 128;
// Without it the assembler spills a few words of float64 to fit more blocks.
constexpr int kBlocksAtOnce = 6;
constexpr int64_t kMostBlocksAcross = 65535;  // of a grid's second dim

/// As skeletons/regions.cuh lays it out.
struct Arguments {
  const void *images, *regions;
  void* out;
  int32_t* places;
  std::array<int64_t, 4> image_strides;
  std::array<int64_t, 2> region_strides;
  int64_t region_count;
  double scale;
  int32_t image_count, height, width, out_height, out_width, cells, sampling, aligned;
};

std::string name_of_kernel(const RegionShape& shape) {
  return fmt::format("roi_{}_{}", shape.mode == RegionMode::kAlign ? "align" : "pool",
                     name_of(shape.dtype));
}

}  // namespace

Source Regions::source_of(const RegionShape& shape) {
  const std::string name = name_of_kernel(shape);
  Source source;
  source.entries = {name};
  source.text = fmt::format(
      R"(// {0}
#include "regions.cuh"

extern "C" __global__ void __launch_bounds__({1}, {4}) {0}(const __grid_constant__ RegionArguments a) {{
  {2}<{3}>(a);
}}
)",
      name, kThreads, shape.mode == RegionMode::kAlign ? "roi_align" : "roi_pool",
      element_type(shape.dtype), kBlocksAtOnce);
  return source;
}

bool Regions::accepts(const RegionShape& shape, std::string* why) {
  const auto refuse = [&](const char* reason) {
    if (why != nullptr) *why = reason;
    return false;
  };
  if (shape.sensitive()) return refuse("no kernel for CUDA; load torchvision's own library for it");
  if (shape.dtype != DType::kF32 && shape.dtype != DType::kF64 && shape.dtype != DType::kF16)
    return refuse("regions are of float32, float64 or float16");
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max() / 4;
  // Each factor first, so that no product overflows.
  if (std::max({shape.images, shape.height, shape.width, shape.channels, shape.out_height,
                shape.out_width, shape.sampling}) > kMost ||
      shape.height * shape.width > kMost || shape.out_height * shape.out_width > kMost ||
      shape.out_height * shape.out_width * shape.channels > kMost)
    return refuse("regions of images of more than 2^29 pixels, or cells");
  return true;
}

const LoadedPrograms::Loaded& Regions::loaded(const RegionShape& shape) {
  return programs_.find_or_load(name_of_kernel(shape), [&] { return source_of(shape); });
}

void Regions::prepare(const RegionShape& shape) { loaded(shape); }

KernelListing Regions::listing(const RegionShape& shape) { return loaded(shape).listing; }

void Regions::launch(const RegionShape& shape, const RegionPointers& pointers, Stream stream) {
  const int64_t cells = shape.cells();
  if (shape.regions == 0 || cells == 0) return;
  const auto narrow = [](int64_t x) { return static_cast<int32_t>(x); };
  Arguments arguments{pointers.images,
                      pointers.regions,
                      pointers.out,
                      pointers.places,
                      shape.image_strides,
                      shape.region_strides,
                      shape.regions,
                      shape.scale,
                      narrow(shape.images),
                      narrow(shape.height),
                      narrow(shape.width),
                      narrow(shape.out_height),
                      narrow(shape.out_width),
                      narrow(cells),
                      narrow(std::max<int64_t>(shape.sampling, 0)),
                      shape.aligned};
  void* parameters[] = {&arguments};
  Launch launch;
  launch.function = loaded(shape).functions[0];
  launch.grid = {static_cast<uint32_t>((cells + kThreads - 1) / kThreads),
                 static_cast<uint32_t>(std::min(shape.regions, kMostBlocksAcross))};
  launch.block = {kThreads};
  launch.stream = stream;
  launch.arguments = parameters;
  programs_.device().launch(launch);
}

}  // namespace torchweld::cuda
