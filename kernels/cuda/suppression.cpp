#include "kernels/cuda/suppression.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/expression.h"

namespace torchweld::cuda {
namespace {

constexpr uint32_t kSweepThreads = 512;

/// As skeletons/suppression.cuh lays it out.
struct Arguments {
  const void* boxes;
  uint64_t *mask, *dropped;
  bool* kept;
  double threshold;
  int64_t count, words, first, strip;
};

}  // namespace

Source Suppression::source_of(DType dtype) {
  Source source;
  source.entries = {fmt::format("nms_overlaps_{}", name_of(dtype)),
                    fmt::format("nms_sweep_{}", name_of(dtype))};
  source.text = fmt::format(
      R"(// {0}
#include "suppression.cuh"

extern "C" __global__ void __launch_bounds__(kWordBoxes) {0}(const __grid_constant__ SuppressionArguments a) {{
  nms_overlaps<{3}>(a);
}}
extern "C" __global__ void __launch_bounds__({2}) {1}(const __grid_constant__ SuppressionArguments a) {{
  nms_sweep(a);
}}
)",
      source.entries[0], source.entries[1], kSweepThreads, element_type(dtype));
  return source;
}

const LoadedPrograms::Loaded& Suppression::loaded(DType dtype) {
  return programs_.find_or_load(std::string(name_of(dtype)), [&] { return source_of(dtype); });
}

KernelListing Suppression::listing(DType dtype) { return loaded(dtype).listing; }

void Suppression::launch(const SuppressionShape& shape, const SuppressionPointers& pointers,
                         Stream stream) {
  const LoadedPrograms::Loaded& kernels = loaded(shape.dtype);
  const int64_t words = shape.words();
  uint64_t* const dropped = pointers.scratch + shape.scratch_words() - words;
  for (int64_t first = 0; first < shape.count; first += shape.strip) {
    const int64_t strip = std::min(shape.strip, shape.count - first);
    Arguments arguments{pointers.boxes,
                        pointers.scratch,
                        dropped,
                        pointers.kept,
                        shape.threshold,
                        shape.count,
                        words,
                        first,
                        strip};
    void* parameters[] = {&arguments};
    Launch launch;
    launch.stream = stream;
    launch.arguments = parameters;
    launch.function = kernels.functions[0];
    launch.grid = {
        static_cast<uint32_t>(words - first / SuppressionShape::kWord),
        static_cast<uint32_t>((strip + SuppressionShape::kWord - 1) / SuppressionShape::kWord)};
    launch.block = {static_cast<uint32_t>(SuppressionShape::kWord)};
    programs_.device().launch(launch);
    launch.function = kernels.functions[1];
    launch.grid = {1};
    launch.block = {kSweepThreads};
    programs_.device().launch(launch);
  }
}

}  // namespace torchweld::cuda
