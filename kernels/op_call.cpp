// Conversion of a call's arguments.
#include "kernels/op_call.h"

#include <utility>
#include <vector>

namespace torchweld {

OpCall::OpCall(BodyBuilder& body, std::span<const OpArg> args, DType out, Types types,
               unsigned promoting)
    : body_(body), args_(args), types_(types) {
  std::vector<OpArg> voters;
  for (size_t i = 0; i < args.size(); ++i) {
    if (promoting >> i & 1) voters.push_back(args[i]);
  }
  set_dtype(types == Types::kCopy ? out : result_type(voters));
  if (types == Types::kFloat) use_float();
}

void OpCall::set_dtype(DType dtype) {
  dtype_ = dtype;
  // Arithmetic on bools is that of 0 and 1; the result turns back into `!= 0`.
  const bool keeps_bool = types_ == Types::kBits || types_ == Types::kCopy;
  compute_ = dtype == DType::kBool && !keeps_bool ? DType::kI32 : compute_type(dtype);
}

void OpCall::use_float() {
  if (!is_floating(dtype_) && dtype_ != DType::kOther) set_dtype(DType::kF32);
}

bool OpCall::is_number(size_t i) const {
  return has(i) && args_[i].kind != OpArg::Kind::kTensor && args_[i].kind != OpArg::Kind::kString;
}

double OpCall::host(size_t i, double missing) const {
  if (!is_number(i)) return missing;
  const OpArg& arg = args_[i];
  return arg.kind == OpArg::Kind::kScalarFloat ? arg.f : static_cast<double>(arg.i);
}

Expr OpCall::in(size_t i, DType type) const {
  const OpArg& arg = args_[i];
  if (arg.kind == OpArg::Kind::kTensor) {
    int16_t value = body_.cast(arg.value, type);
    if (type != compute_ || arg.dtype == dtype_ || types_ == Types::kCopy) return {&body_, value};
    // An integer overflows or loses digits on its way to a half; ATen spares 0-dim operands of
    // arithmetic that.
    const bool whole = !is_floating(arg.dtype) && arg.dims > 0;
    const bool visible = is_half(dtype_) && (whole || types_ == Types::kCompare);
    if (visible) return {&body_, body_.emit(Prim::kRound, type, value, -1, -1, dtype_)};
    return {&body_, dtype_ == DType::kBool ? value : body_.settle(value, dtype_)};
  }
  int16_t value = -1;
  if (arg.kind == OpArg::Kind::kScalarFloat) {
    value =
        type == DType::kBool ? body_.constant_int(type, arg.f != 0) : body_.constant(type, arg.f);
  } else {
    value = body_.constant_int(type, arg.i);
  }
  if (types_ == Types::kCompare && is_half(dtype_)) {
    value = body_.emit(Prim::kRound, type, value, -1, -1, dtype_);
  }
  return {&body_, value};
}

Expr OpCall::factor(size_t i) const {
  const OpArg& arg = args_[i];
  const bool keeps = arg.kind == OpArg::Kind::kTensor && arg.dims == 0 && is_half(dtype_);
  return keeps ? Expr{&body_, body_.cast(arg.value, compute_)} : in(i, compute_);
}

Expr OpCall::fail(std::string why) {
  failure_ = std::move(why);
  return number(0);
}

bool OpCall::divides_safely(size_t divisor) {
  if (floating()) return true;
  if (is_number(divisor) && host(divisor) != 0) return true;
  fail("integer division by a tensor can fail on zero");
  return false;
}

}  // namespace torchweld
