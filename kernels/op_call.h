// One call of an op, as its definition in ops.def sees it.
#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <string>

#include "kernels/expr.h"
#include "kernels/op_table.h"
#include "kernels/promotion.h"

namespace torchweld {

/// How an op chooses the type in which it computes.
enum class Types : uint8_t {
  kPromote,  ///< the promoted type of the arguments that take part
  kFloat,    ///< as kPromote, but integers and bools become f32
  kCompare,  ///< as kPromote; numbers are first rounded to it, so that x == 0.1 means what it does
             ///< in ATen
  kBits,     ///< as kPromote; bools stay bools
  kCopy,     ///< no arithmetic: the dtype of the result
};

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kPi = 3.14159265358979323846;

/// The arguments of a call, converted to the type in which the op computes.
class OpCall {
 public:
  OpCall(BodyBuilder& body, std::span<const OpArg> args, DType out, Types types,
         unsigned promoting);

  /// Argument i in the type in which the op computes.
  Expr operator[](size_t i) const { return in(i, compute_); }
  /// As op[i], but a 0-dim tensor isn't rounded to a half first: so ATen reads factors and
  /// divisors.
  Expr factor(size_t i) const;
  /// Argument i as a truth value.
  Expr truth(size_t i) const { return in(i, DType::kBool); }
  /// A constant of the type in which the op computes.
  Expr number(double value) const { return {&body_, body_.constant(compute_, value)}; }

  bool has(size_t i) const { return i < args_.size() && args_[i].kind != OpArg::Kind::kNone; }
  bool is_number(size_t i) const;
  /// Argument i as a number known now; `missing` when it is none.
  double host(size_t i, double missing = 0) const;
  std::string_view text(size_t i) const { return has(i) ? args_[i].s : std::string_view(); }

  DType dtype() const { return dtype_; }
  bool floating() const { return is_floating(dtype_); }
  /// Continues as an op of class kFloat.
  void use_float();

  /// Abandons the definition; the call stays with ATen for this reason.
  Expr fail(std::string why);
  /// Integer division by zero is an error in ATen and kernels have none, so the divisor has to be a
  /// number.
  bool divides_safely(size_t divisor);
  const std::string& failure() const { return failure_; }

 private:
  Expr in(size_t i, DType type) const;
  void set_dtype(DType dtype);

  BodyBuilder& body_;
  std::span<const OpArg> args_;
  Types types_;
  DType dtype_ = DType::kOther;    // the promoted type
  DType compute_ = DType::kOther;  // and the one to compute in
  std::string failure_;
};

}  // namespace torchweld
