// Attention as one kernel: softmax(q k' * scale + mask) v. Not a spec: it has two products inside.
#pragma once

#include <array>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kernels/cuda/compiler.h"
#include "kernels/dtype.h"

namespace torchweld::cuda {

/// One call of attention.
///
/// Shapes   q and out [batch, heads, queries, head_size]; k and v [batch, kv_heads, keys,
///          head_size], heads a multiple of kv_heads; mask [batch, heads, queries, keys].
/// Strides  elements: batch, head, row, and for the mask column; the last dim of the others is
///          dense. 0 broadcasts. Any start and any strides are right; rows that start at multiples
///          of four elements are read in vectors.
struct AttentionShape {
  DType dtype = DType::kF32;  ///< of q, k, v and out: f32, f16 or bf16
  int64_t batch = 1, heads = 1, kv_heads = 1, queries = 0, keys = 0;
  int64_t head_size = 64;  ///< 32 to 128, a multiple of 8
  bool causal = false;  ///< query i sees keys 0 to i, as scaled_dot_product_attention's is_causal
  DType mask = DType::kOther;  ///< kOther: none; kBool: chooses keys; a float: added to the score
  float scale = 1;
  std::array<int64_t, 3> q_strides{}, k_strides{}, v_strides{}, out_strides{};
  std::array<int64_t, 4> mask_strides{};
  bool mask_keeps = true;  ///< kBool: which of its values lets a key take part
  float masked_score = -std::numeric_limits<float>::infinity();  ///< kBool: of the other keys
  float empty_row = 0;  ///< of a query whose scores are all -inf; softmax written out gives NaN
};

/// Pointers of one call, on the device; mask may be null where the shape has none.
struct AttentionPointers {
  const void *q = nullptr, *k = nullptr, *v = nullptr, *mask = nullptr;
  void* out = nullptr;
};

/// Compiles and launches; thread-safe.
///
/// Numerics  f32 throughout; out is rounded once. NaN spreads as in softmax.
/// Aliasing  out overlaps none of the inputs.
class Attention {
 public:
  explicit Attention(std::shared_ptr<Compiler> compiler);
  ~Attention();

  /// Whether `shape` is one the kernel is written for; if not, why.
  static bool accepts(const AttentionShape& shape, std::string* why);

  /// Compiles what `shape` needs, so that no launch does.
  void prepare(const AttentionShape& shape);
  /// On `stream`; neither allocates nor waits after prepare.
  void launch(const AttentionShape& shape, const AttentionPointers& pointers, Stream stream);

  /// What ptxas said of the kernel for this shape, compiled if it was not.
  Resources resources(const AttentionShape& shape);

 private:
  struct Compiled;
  const Compiled& compiled(const AttentionShape& shape);

  std::shared_ptr<Compiler> compiler_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Compiled>> kernels_;  // by entry name
};

}  // namespace torchweld::cuda
