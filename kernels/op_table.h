// The table of elementwise operators: how an ATen op becomes primitives. Its rows are in ops.def,
// one an operator.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/body_builder.h"

namespace torchweld {

/// One argument of an op call. Every argument of the schema is present, in its order, defaults
/// filled in.
struct OpArg {
  enum class Kind : uint8_t { kTensor, kScalarInt, kScalarFloat, kScalarBool, kString, kNone };
  Kind kind = Kind::kNone;
  int16_t value = -1;           ///< kTensor: its value in the body, already loaded
  DType dtype = DType::kOther;  ///< kTensor: its dtype in ATen
  int dims = 1;                 ///< kTensor: its rank; 0-dim tensors promote like scalars
  double f = 0;                 ///< kScalarFloat
  int64_t i = 0;       ///< kScalarInt, kScalarBool; also dtypes, memory formats and the like
  std::string_view s;  ///< kString
};

/// How far a result may be from the float64 reference: within either bound.
struct Tolerance {
  double ulp = 0;       ///< units in the last place of the result's dtype
  double absolute = 0;  ///< f32 only; scaled by the ratio of epsilons for other dtypes
};

/// One operator; what it computes is known to op_table.cpp alone.
struct OpRow {
  std::string_view name;  ///< unique
  std::string_view
      schemas;  ///< names without "aten::", separated by blanks; in-place twins are implied
  Tolerance tolerance;
  std::string_view source;  ///< ATen file or formula
  int index = -1;
};

/// All rows, for tests, benchmarks and the coverage table.
std::span<const OpRow> all_ops();

/// "aten::relu_" -> "aten::relu", "aten::add_.Tensor" -> "aten::add.Tensor"; the name itself when
/// not in place.
std::string functional_name(const std::string& op);

/// The row of "aten::add.Tensor", "aten::relu_", ...; null when the operator is not pointwise.
const OpRow* find_op(std::string_view schema);

/// Appends an op's definition to `body` and returns its value, of type compute_type(out_dtype).
///
/// Types    promotion as in ATen; `out_dtype` is the dtype that the result has there (recorded, so
/// trusted). Failure  nullopt, and `why` says the reason in the user's words; `body` may then hold
/// unused instructions.
std::optional<int16_t> emit_op(BodyBuilder& body, const OpRow& row, std::span<const OpArg> args,
                               DType out_dtype, std::string* why);

}  // namespace torchweld
