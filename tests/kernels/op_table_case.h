// One call of an operator of the op table: arguments from ATen's schema, the spec that the table
// makes of them, and the comparison with eager and with float64.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/op_table.h"

namespace torchweld {

inline constexpr at::ScalarType kAten[] = {at::kFloat, at::kDouble, at::kHalf,  at::kBFloat16,
                                           at::kLong,  at::kInt,    at::kShort, at::kChar,
                                           at::kByte,  at::kBool};

// Layouts of the tensor arguments; `arg` counts them.
enum class OpLayout {
  kFlat,
  kOne,
  kEmpty,
  kTail,
  kLarge,
  kRows,
  kColumn,
  kTransposed,
  kStrided,
  kZeroDim,
  kCount
};

struct OpCase {
  at::ScalarType first = at::kFloat, others = at::kFloat;
  OpLayout layout = OpLayout::kFlat;
  int variant = 0;
};

inline constexpr int kVariants = 4;

/// The arguments of a case, by the operator's schema.
c10::Stack arguments_of(const c10::OperatorHandle& op, const OpCase& c);

/// The operator on copies, since some schemas write to their first argument; nullopt when it
/// refuses or gives no tensor.
std::optional<at::Tensor> call(const c10::OperatorHandle& op, c10::Stack stack);

/// The same call on float64, as the reference of the floating results.
c10::Stack widened(const c10::Stack& stack);

struct Built {
  KernelSpec spec;
  Geometry geometry;
  std::vector<at::Tensor> inputs;
};

/// The call as a kernel spec whose result is laid out as `out`; nullopt when the row refuses it.
std::optional<Built> build(const OpRow& row, const c10::Stack& stack, const at::Tensor& out,
                           Rounding rounding, std::string* why);

/// Empty when `got` is eager's result or within the row's tolerance of the reference; else the
/// first element that is not.
std::string compare(const at::Tensor& got, const at::Tensor& eager, const at::Tensor& reference,
                    Tolerance tolerance, bool to_the_bit);

}  // namespace torchweld
