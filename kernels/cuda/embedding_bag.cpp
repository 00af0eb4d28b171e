#include "kernels/cuda/embedding_bag.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/expression.h"

namespace torchweld::cuda {
namespace {

constexpr uint32_t kThreads = 128;

/// As skeletons/embedding_bag.cuh lays it out.
struct Arguments {
  const void *table, *indices, *offsets, *weights;
  void* out;
  int64_t rows, row_stride, columns, bags, index_count, padding;
  int32_t offsets_end, aligned;
};

int vector_of(const EmbeddingBagShape& shape) {
  int vector = static_cast<int>(16 / size_of(shape.dtype));
  while (vector > 1 && (shape.columns % vector != 0 || shape.row_stride % vector != 0)) vector /= 2;
  return vector;
}

std::string_view name_of_mode(BagMode mode) {
  return mode == BagMode::kSum ? "Sum" : mode == BagMode::kMean ? "Mean" : "Max";
}

std::string name_of_kernel(const EmbeddingBagShape& shape) {
  return fmt::format("embedding_bag_{}_{}_{}_{}", name_of_mode(shape.mode), name_of(shape.dtype),
                     name_of(shape.index), vector_of(shape));
}

}  // namespace

Source EmbeddingBag::source_of(const EmbeddingBagShape& shape) {
  const std::string name = name_of_kernel(shape);
  Source source;
  source.entries = {name};
  source.text = fmt::format(
      R"(// {0}
#include "embedding_bag.cuh"

extern "C" __global__ void __launch_bounds__({1}) {0}(const __grid_constant__ EmbeddingBagArguments a) {{
  embedding_bag<{2}, {3}, kBag{4}, {5}>(a);
}}
)",
      name, kThreads, element_type(shape.dtype), element_type(shape.index),
      name_of_mode(shape.mode), vector_of(shape));
  return source;
}

bool EmbeddingBag::accepts(const EmbeddingBagShape& shape, std::string* why) {
  const auto refuse = [&](const char* reason) {
    if (why != nullptr) *why = reason;
    return false;
  };
  if (!is_floating(shape.dtype)) return refuse("embedding_bag of a table that is not floating");
  if (shape.index != DType::kI64 && shape.index != DType::kI32)
    return refuse("embedding_bag's indices are int64 or int32");
  if (shape.bags > INT32_MAX) return refuse("embedding_bag of more than 2^31 bags");
  return true;
}

const LoadedPrograms::Loaded& EmbeddingBag::loaded(const EmbeddingBagShape& shape) {
  return programs_.find_or_load(name_of_kernel(shape), [&] { return source_of(shape); });
}

void EmbeddingBag::prepare(const EmbeddingBagShape& shape) { loaded(shape); }

KernelListing EmbeddingBag::listing(const EmbeddingBagShape& shape) {
  return loaded(shape).listing;
}

void EmbeddingBag::launch(const EmbeddingBagShape& shape, const EmbeddingBagPointers& pointers,
                          Stream stream) {
  if (shape.bags == 0 || shape.columns == 0) return;
  const int vector = vector_of(shape);
  const auto bytes = static_cast<uintptr_t>(vector * size_of(shape.dtype));
  const bool aligned = reinterpret_cast<uintptr_t>(pointers.table) % bytes == 0 &&
                       reinterpret_cast<uintptr_t>(pointers.out) % bytes == 0;
  Arguments arguments{pointers.table, pointers.indices,  pointers.offsets, pointers.weights,
                      pointers.out,   shape.rows,        shape.row_stride, shape.columns,
                      shape.bags,     shape.index_count, shape.padding,    shape.offsets_end,
                      aligned};
  void* parameters[] = {&arguments};
  const int64_t vectors = (shape.columns + vector - 1) / vector;
  // Whole warps, as many as the columns fill.
  const auto threads = static_cast<uint32_t>(std::min<int64_t>(kThreads, (vectors + 31) / 32 * 32));
  Launch launch;
  launch.function = loaded(shape).functions[0];
  launch.grid = {static_cast<uint32_t>(shape.bags),
                 static_cast<uint32_t>((vectors + threads - 1) / threads)};
  launch.block = {threads};
  launch.stream = stream;
  launch.arguments = parameters;
  programs_.device().launch(launch);
}

}  // namespace torchweld::cuda
