// Bags of rows of a table as one kernel. Not a spec: a bag's length is data.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kernels/cuda/compiler.h"
#include "kernels/dtype.h"

namespace torchweld::cuda {

enum class BagMode : uint8_t { kSum, kMean, kMax };

/// One call of embedding_bag.
///
/// Shapes  table [rows, columns] with rows `row_stride` elements apart and dense columns; indices
///         [index_count]; offsets [bags], or [bags + 1] with `offsets_end`; weights [index_count],
///         sums only; out [bags, columns], dense.
struct EmbeddingBagShape {
  DType dtype = DType::kF32;  ///< of table, weights and out: floating
  DType index = DType::kI64;  ///< of indices and offsets: i64 or i32
  BagMode mode = BagMode::kSum;
  int64_t rows = 0, columns = 0, row_stride = 0, bags = 0, index_count = 0;
  int64_t padding = -1;      ///< an index that is left out; -1: none
  bool offsets_end = false;  ///< the last offset is where the last bag ends
};

/// On the device; weights may be null.
struct EmbeddingBagPointers {
  const void *table = nullptr, *indices = nullptr, *offsets = nullptr, *weights = nullptr;
  void* out = nullptr;
};

/// Compiles and launches; thread-safe.
///
/// Numerics  f32 for halves; out is rounded once. Of maxima a NaN stays only where it comes first,
///           as in LibTorch. Indices out of range are left out.
class EmbeddingBag {
 public:
  explicit EmbeddingBag(std::shared_ptr<Compiler> compiler);
  ~EmbeddingBag();

  static bool accepts(const EmbeddingBagShape& shape, std::string* why);
  void prepare(const EmbeddingBagShape& shape);
  /// Neither allocates nor waits after prepare.
  void launch(const EmbeddingBagShape& shape, const EmbeddingBagPointers& pointers, Stream stream);

 private:
  struct Compiled;
  const Compiled& compiled(const EmbeddingBagShape& shape);

  std::shared_ptr<Compiler> compiler_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Compiled>> kernels_;  // by entry name
};

}  // namespace torchweld::cuda
