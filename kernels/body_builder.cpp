// Sharing, folding and contraction of primitives.
#include "kernels/body_builder.h"

#include <bit>
#include <utility>

#include "kernels/scalar.h"

namespace torchweld {
namespace {

bool commutes(Prim prim) {
  switch (prim) {
    case Prim::kAdd:
    case Prim::kMul:
    case Prim::kEq:
    case Prim::kNe:
    case Prim::kAnd:
    case Prim::kOr:
    case Prim::kXor:
      return true;
    default:
      return false;
  }
}

bool same(const Inst& a, const Inst& b) {
  return a.prim == b.prim && a.type == b.type && a.args == b.args && a.operand == b.operand &&
         a.to == b.to && a.imm_int == b.imm_int &&
         std::bit_cast<uint64_t>(a.imm) == std::bit_cast<uint64_t>(b.imm);
}

bool fits(DType dtype, int64_t value) {
  if (dtype == DType::kI8) return value >= -128 && value < 128;
  if (dtype == DType::kU8) return value >= 0 && value < 256;
  return dtype == DType::kI16 && value >= -32768 && value < 32768;
}

}  // namespace

int16_t BodyBuilder::append(const Inst& inst, DType range) {
  for (size_t i = 0; i < body_.size(); ++i) {
    if (same(body_[i], inst) && range_[i] == range) return static_cast<int16_t>(i);
  }
  body_.push_back(inst);
  range_.push_back(range);
  return static_cast<int16_t>(body_.size() - 1);
}

int16_t BodyBuilder::load(int operand, DType dtype) { return load_at(operand, dtype, -1, -1); }

int16_t BodyBuilder::load_at(int operand, DType dtype, int16_t offset, int16_t predicate) {
  Inst inst;
  inst.prim = Prim::kLoad;
  inst.args = {offset, predicate, -1};
  inst.type = compute_type(dtype);
  inst.operand = static_cast<int16_t>(operand);
  return append(inst, inst.type == dtype ? DType::kOther : dtype);
}

int16_t BodyBuilder::host_number(Prim prim, int which) {
  Inst inst;
  inst.prim = prim;
  inst.type = DType::kI64;
  inst.imm_int = which;
  return append(inst, DType::kOther);
}

int16_t BodyBuilder::constant(DType type, double value) {
  if (!is_floating(type)) return constant_int(type, static_cast<int64_t>(value));
  Inst inst;
  inst.type = type;
  inst.imm = type == DType::kF32 ? static_cast<double>(static_cast<float>(value)) : value;
  return append(inst, DType::kOther);
}

int16_t BodyBuilder::constant_int(DType type, int64_t value) {
  if (is_floating(type)) return constant(type, static_cast<double>(value));
  Inst inst;
  inst.type = type;
  inst.imm_int = type == DType::kBool  ? value != 0
                 : type == DType::kI32 ? static_cast<int32_t>(value)
                                       : value;
  return append(inst, DType::kOther);
}

// The constant that `inst` evaluates to, or -1.
int16_t BodyBuilder::fold(const Inst& inst) {
  const int arity = arity_of(inst.prim);
  if (needs_row(inst.prim)) return -1;
  if (inst.prim == Prim::kSelect && at(inst.args[0]).prim == Prim::kConst) {
    return at(inst.args[0]).imm_int != 0 ? inst.args[1] : inst.args[2];
  }
  Scalar values[3] = {};
  for (int i = 0; i < arity; ++i) {
    const Inst& arg = at(inst.args[i]);
    if (arg.prim != Prim::kConst) return -1;
    values[i] = eval_scalar(arg, arg.type, {}, {}, {});
  }
  const DType arg_type = type_of(inst.args[arity > 1 ? 1 : 0]);
  const Scalar result = eval_scalar(inst, arg_type, values[0], values[1], values[2]);
  switch (inst.type) {
    case DType::kF32:
      return constant(inst.type, result.f32);
    case DType::kF64:
      return constant(inst.type, result.f64);
    case DType::kI64:
      return constant_int(inst.type, result.i64);
    case DType::kI32:
      return constant_int(inst.type, result.i32);
    default:
      return constant_int(inst.type, result.b);
  }
}

// a*b + c in one rounding is closer to the exact value, and the multiplication comes free. Never
// when both sides are the same product: x*y - x*y is 0, and must stay so.
/// A product and the sum that takes it, both of one operator, round once: so do ATen's kernels,
/// whose compiler contracts within a loop body. Across operators nothing is contracted
/// (docs/decisions/no-contraction.md).
int16_t BodyBuilder::contract(Prim prim, DType type, int16_t a, int16_t b) {
  if (a == b || !is_floating(type) || (prim != Prim::kAdd && prim != Prim::kSub)) return -1;
  const auto is_own_product = [&](int16_t v) { return v >= op_begin_ && at(v).prim == Prim::kMul; };
  if (is_own_product(a)) {
    const Inst product = at(a);
    const int16_t addend = prim == Prim::kSub ? emit(Prim::kNeg, type, b) : b;
    return emit(Prim::kFma, type, product.args[0], product.args[1], addend);
  }
  if (is_own_product(b)) {
    const Inst product = at(b);
    const int16_t factor =
        prim == Prim::kSub ? emit(Prim::kNeg, type, product.args[0]) : product.args[0];
    return emit(Prim::kFma, type, factor, product.args[1], a);
  }
  return -1;
}

int16_t BodyBuilder::emit(Prim prim, DType type, int16_t a, int16_t b, int16_t c, DType to) {
  Inst inst;
  inst.prim = prim;
  inst.type = type;
  inst.to = to;
  if (commutes(prim) && b < a) std::swap(a, b);
  inst.args = {a, b, c};
  if (const int16_t constant = fold(inst); constant >= 0) return constant;
  if (const int16_t fused = contract(prim, type, a, b); fused >= 0) return fused;
  DType range = to;
  if (prim == Prim::kMin || prim == Prim::kMax) {
    const DType ra = range_[static_cast<size_t>(a)], rb = range_[static_cast<size_t>(b)];
    range = ra == rb ? ra : DType::kOther;
  } else if (prim == Prim::kSelect) {
    const DType rb = range_[static_cast<size_t>(b)], rc = range_[static_cast<size_t>(c)];
    range = rb == rc ? rb : DType::kOther;
  }
  return append(inst, range);
}

int16_t BodyBuilder::cast(int16_t value, DType type) {
  if (type_of(value) == type) return value;
  return emit(Prim::kCast, type, value);
}

int16_t BodyBuilder::settle(int16_t value, DType dtype) {
  const DType type = compute_type(dtype);
  value = cast(value, type);
  if (type == dtype || range_[static_cast<size_t>(value)] == dtype) return value;
  if (is_half(dtype)) {
    return rounding_ == Rounding::kExact ? emit(Prim::kRound, type, value, -1, -1, dtype) : value;
  }
  if (at(value).prim == Prim::kConst && fits(dtype, at(value).imm_int)) return value;
  return emit(Prim::kWrap, type, value, -1, -1, dtype);
}

std::vector<Inst> BodyBuilder::finish(std::vector<int16_t>* roots) const {
  std::vector<char> live(body_.size(), 0);
  for (const int16_t root : *roots) live[static_cast<size_t>(root)] = 1;
  for (size_t i = body_.size(); i-- > 0;) {
    if (!live[i]) continue;
    for (const int16_t arg : body_[i].args) {
      if (arg >= 0) live[static_cast<size_t>(arg)] = 1;
    }
  }
  std::vector<int16_t> renumbered(body_.size(), -1);
  std::vector<Inst> kept;
  for (size_t i = 0; i < body_.size(); ++i) {
    if (!live[i]) continue;
    Inst inst = body_[i];
    for (int16_t& arg : inst.args) {
      if (arg >= 0) arg = renumbered[static_cast<size_t>(arg)];
    }
    renumbered[i] = static_cast<int16_t>(kept.size());
    kept.push_back(inst);
  }
  for (int16_t& root : *roots) root = renumbered[static_cast<size_t>(root)];
  return kept;
}

}  // namespace torchweld
