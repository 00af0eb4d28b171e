// Bags of rows of a table as one kernel of the device.
#pragma once

#include <memory>
#include <string>

#include "kernels/cuda/loaded_programs.h"
#include "kernels/embedding_bag.h"

namespace torchweld::cuda {

/// Compiles and launches; thread-safe.
///
/// Numerics  f32 for halves; out is rounded once. Of maxima a NaN stays only where it comes first,
///           as in LibTorch. Indices out of range are left out.
class EmbeddingBag {
 public:
  explicit EmbeddingBag(std::shared_ptr<Compiler> compiler) : programs_(std::move(compiler)) {}

  static bool accepts(const EmbeddingBagShape& shape, std::string* why);
  static Source source_of(const EmbeddingBagShape& shape);
  void prepare(const EmbeddingBagShape& shape);
  /// Of the kernel for `shape`, compiled if it was not.
  KernelListing listing(const EmbeddingBagShape& shape);
  /// Neither allocates nor waits after prepare.
  void launch(const EmbeddingBagShape& shape, const EmbeddingBagPointers& pointers, Stream stream);

 private:
  const LoadedPrograms::Loaded& loaded(const EmbeddingBagShape& shape);

  LoadedPrograms programs_;
};

}  // namespace torchweld::cuda
