#include "kernels/cuda/attention.h"

#include <fmt/format.h>

#include <limits>

#include "kernels/cuda/expression.h"

namespace torchweld::cuda {
namespace {

constexpr uint32_t kThreads = 128;
// Without it the assembler spills a few words to fit a fourth block, which shared memory rules out.
constexpr int kBlocksAtOnce = 3;

/// As skeletons/attention.cuh lays it out.
struct Arguments {
  const void *q, *k, *v, *mask;
  void* out;
  std::array<int64_t, 3> q_strides, k_strides, v_strides, out_strides;
  std::array<int64_t, 4> mask_strides;
  int32_t heads, heads_per_kv, queries, keys, query_tiles, aligned, mask_keeps;
  float scale, masked_score, empty_row;
};

/// Queries a thread: as many as let the tiles of q, k and the scores fit 48 KB.
int rows_a_thread(const AttentionShape& shape) { return shape.head_size <= 80 ? 4 : 2; }
int64_t queries_a_block(const AttentionShape& shape) { return 16 * rows_a_thread(shape); }

std::string name_of_kernel(const AttentionShape& shape) {
  std::string name = fmt::format("attention_{}_{}", name_of(shape.dtype), shape.head_size);
  if (shape.causal) name += "_causal";
  if (shape.mask != DType::kOther) name += fmt::format("_mask_{}", name_of(shape.mask));
  return name;
}

bool rows_are_aligned(const AttentionShape& shape, const AttentionPointers& pointers) {
  const auto bytes = static_cast<uintptr_t>(4 * size_of(shape.dtype));
  for (const void* p : {pointers.q, pointers.k, pointers.v, static_cast<const void*>(pointers.out)})
    if (reinterpret_cast<uintptr_t>(p) % bytes != 0) return false;
  for (const auto* strides :
       {&shape.q_strides, &shape.k_strides, &shape.v_strides, &shape.out_strides}) {
    for (const int64_t stride : *strides) {
      if (stride % 4 != 0) return false;
    }
  }
  return true;
}

}  // namespace

Source Attention::source_of(const AttentionShape& shape) {
  const std::string name = name_of_kernel(shape);
  const bool has_mask = shape.mask != DType::kOther;
  Source source;
  source.entries = {name};
  source.text = fmt::format(
      R"(// {0}
#include "attention.cuh"

extern "C" __global__ void __launch_bounds__({1}, {8}) {0}(const __grid_constant__ AttentionArguments a) {{
  attention<{2}, {3}, {4}, {5}, {6}, {7}>(a);
}}
)",
      name, kThreads, element_type(shape.dtype),
      has_mask ? element_type(shape.mask) : std::string_view("f32"),
      !has_mask                    ? "kNoMask"
      : shape.mask == DType::kBool ? "kBoolMask"
                                   : "kAddedMask",
      shape.causal, shape.head_size, rows_a_thread(shape), kBlocksAtOnce);
  return source;
}

bool accepts_attention(const AttentionShape& shape, std::string* why) {
  const auto refuse = [&](const char* reason) {
    if (why != nullptr) *why = reason;
    return false;
  };
  if (!is_half(shape.dtype) && shape.dtype != DType::kF32)
    return refuse("attention is written for float32, float16 and bfloat16");
  if (shape.head_size < 32 || shape.head_size > 128 || shape.head_size % 8 != 0)
    return refuse("attention is written for head sizes of 32 to 128, multiples of 8");
  if (shape.value_columns() != shape.head_size)
    return refuse("attention is written for values as wide as keys");
  if (shape.mask != DType::kOther && shape.mask != DType::kBool &&
      !(is_floating(shape.mask) && shape.mask != DType::kF64))
    return refuse("an attention mask is boolean, or a float that is added");
  if (shape.kv_heads < 1 || shape.heads % shape.kv_heads != 0)
    return refuse("the heads of attention are a multiple of those of its keys");
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  const int64_t tiles = shape.queries / queries_a_block(shape) + 1;
  if (shape.queries > kMost - 1024 || shape.keys > kMost - 1024 ||
      tiles * shape.batch * shape.heads > kMost)
    return refuse("attention over more than 2^31 rows");
  return true;
}

const LoadedPrograms::Loaded& Attention::loaded(const AttentionShape& shape) {
  return programs_.find_or_load(name_of_kernel(shape), [&] { return source_of(shape); });
}

void Attention::prepare(const AttentionShape& shape) { loaded(shape); }

KernelListing Attention::listing(const AttentionShape& shape) { return loaded(shape).listing; }

void Attention::launch(const AttentionShape& shape, const AttentionPointers& pointers,
                       const LaunchSite& site) {
  const int64_t tiles = (shape.queries + queries_a_block(shape) - 1) / queries_a_block(shape);
  const int64_t blocks = tiles * shape.batch * shape.heads;
  if (blocks == 0) return;
  Arguments arguments{pointers.q,
                      pointers.k,
                      pointers.v,
                      pointers.mask,
                      pointers.out,
                      shape.q_strides,
                      shape.k_strides,
                      shape.v_strides,
                      shape.out_strides,
                      shape.mask_strides,
                      static_cast<int32_t>(shape.heads),
                      static_cast<int32_t>(shape.heads / shape.kv_heads),
                      static_cast<int32_t>(shape.queries),
                      static_cast<int32_t>(shape.keys),
                      static_cast<int32_t>(tiles),
                      rows_are_aligned(shape, pointers),
                      shape.mask_keeps,
                      shape.scale,
                      shape.masked_score,
                      shape.empty_row};
  void* parameters[] = {&arguments};
  Launch launch;
  launch.function = loaded(shape).functions[0];
  launch.grid = {static_cast<uint32_t>(blocks)};
  launch.block = {kThreads};
  launch.stream = static_cast<Stream>(site.stream);
  launch.arguments = parameters;
  programs_.device().launch(launch);
}

}  // namespace torchweld::cuda
