// Bags of rows of a table as one kernel of the device.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kernels/cuda/compiler.h"
#include "kernels/embedding_bag.h"

namespace torchweld::cuda {

/// Compiles and launches; thread-safe.
///
/// Numerics  f32 for halves; out is rounded once. Of maxima a NaN stays only where it comes first,
///           as in LibTorch. Indices out of range are left out.
class EmbeddingBag {
 public:
  explicit EmbeddingBag(std::shared_ptr<Compiler> compiler);
  ~EmbeddingBag();

  static bool accepts(const EmbeddingBagShape& shape, std::string* why);
  static Source source_of(const EmbeddingBagShape& shape);
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
