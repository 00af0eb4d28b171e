// Results of plans' setup nodes, shared by the plans of one engine: another shape needs the same
// weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "kernels/x86/matmul.h"

namespace torchweld {

/// Thread-safe. Holds no memory: a result lives as long as a plan that has it, and so do the
/// tensors it was made of, whose addresses are part of its key.
class SetupResults {
 public:
  /// The result of `call` on these operands, made now or by a plan that still lives.
  at::Tensor find_or_make(const std::string& call, const std::vector<at::Tensor>& operands,
                          const std::function<at::Tensor()>& make);

  /// The weight packed, now or by a plan that still lives.
  x86::PackedMatrix find_or_pack(const float* weight, const x86::MatrixLayout& layout);

  /// A convolution's weight transformed by transform_weights(), which may give null.
  std::shared_ptr<const float> find_or_transform(const float* weight,
                                                 const x86::MatrixLayout& layout);

 private:
  using Weak = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;
  using Packed = std::map<std::pair<const float*, x86::MatrixLayout>, std::weak_ptr<const float>>;

  std::mutex mutex_;
  std::map<std::string, Weak> known_;
  Packed packed_, transformed_;
};

}  // namespace torchweld
