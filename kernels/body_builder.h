// Builds the body of a kernel spec, one primitive at a time, and keeps it small.
// What it is not: the op table; this knows primitives only.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/spec.h"

namespace torchweld {

/// How results are rounded between the ops of a group.
enum class Rounding : uint8_t {
  kDefault,  ///< halves stay f32 inside a group
  kExact,    ///< every op rounds as ATen's eager mode does
};

/// Appends instructions to a body; equal ones are shared and constant ones are folded.
class BodyBuilder {
 public:
  explicit BodyBuilder(Rounding rounding = Rounding::kDefault) : rounding_(rounding) {}

  /// The value of operand `operand` at the current element, in its compute type.
  int16_t load(int operand, DType dtype);
  /// The same, `offset` elements further (an i64 value), and 0 where `predicate` (a bool value) is
  /// false; -1: none.
  int16_t load_at(int operand, DType dtype, int16_t offset, int16_t predicate);
  /// The element's place along a dimension of the domain, and a launch parameter; both i64.
  int16_t coord(int dimension) { return host_number(Prim::kCoord, dimension); }
  int16_t param(int index) { return host_number(Prim::kParam, index); }
  int16_t constant(DType type, double value);
  int16_t constant_int(DType type, int64_t value);

  /// Any primitive but kConst and kLoad. Operands must have the types that spec.h asks for.
  int16_t emit(Prim prim, DType type, int16_t a, int16_t b = -1, int16_t c = -1,
               DType to = DType::kOther);

  /// What follows is the definition of one operator, up to the next call.
  void begin_op() { op_begin_ = static_cast<int16_t>(body_.size()); }

  /// `value` converted to compute type `type`.
  int16_t cast(int16_t value, DType type);

  /// `value` as it reads back from memory of `dtype`: small integers wrap, halves round when
  /// rounding is exact.
  int16_t settle(int16_t value, DType dtype);

  DType type_of(int16_t value) const { return body_[static_cast<size_t>(value)].type; }
  const Inst& at(int16_t value) const { return body_[static_cast<size_t>(value)]; }
  Rounding rounding() const { return rounding_; }
  int size() const { return static_cast<int>(body_.size()); }

  /// The body without instructions that no value in `roots` needs; `roots` are renumbered in place.
  std::vector<Inst> finish(std::vector<int16_t>* roots) const;

 private:
  int16_t append(const Inst& inst, DType range);
  int16_t host_number(Prim prim, int which);
  int16_t fold(const Inst& inst);
  int16_t contract(Prim prim, DType type, int16_t a, int16_t b);

  Rounding rounding_;
  int16_t op_begin_ = std::numeric_limits<int16_t>::max();  // no contraction outside of operators
  std::vector<Inst> body_;
  std::vector<DType>
      range_;  // the narrow type that a value is known to fit exactly; kOther when unknown
};

}  // namespace torchweld
