// Selection of instructions for each primitive.
#include "kernels/x86/body.h"

#include <algorithm>
#include <cmath>

#include "kernels/scalar.h"

namespace torchweld::x86 {

using aj::Vec;
using asmjit::Imm;
using asmjit::Operand;

namespace {

constexpr int kSlot = 64;  // bytes of a value in the frame of a scalar loop

// Called by generated code: result at 0, operands after it, one slot each.
__attribute__((target("avx"))) void run_scalar_loop(uint64_t code, char* frame) {
  // Upper halves left in use make every SSE instruction of libm wait for them, ten times slower
  // overall.
  __builtin_ia32_vzeroupper();
  Inst inst;
  inst.prim = static_cast<Prim>(code & 0xff);
  inst.type = static_cast<DType>(code >> 8 & 0xff);
  inst.to = static_cast<DType>(code >> 16 & 0xff);
  const auto arg_type = static_cast<DType>(code >> 24 & 0xff);
  const auto count = static_cast<int64_t>(code >> 32);
  const int64_t step = size_of(arg_type), out_step = size_of(inst.type);
  for (int64_t i = 0; i < count; ++i) {
    Scalar args[3];
    for (int64_t k = 0; k < 3; ++k)
      args[k] = load_scalar(arg_type, frame + kSlot * (k + 1) + i * step);
    store_scalar(inst.type, eval_scalar(inst, arg_type, args[0], args[1], args[2]),
                 frame + i * out_step);
  }
}

bool is_test(Prim prim) {
  return prim == Prim::kEq || prim == Prim::kNe || prim == Prim::kLt || prim == Prim::kLe;
}

bool commutes(Prim prim) {
  return prim == Prim::kAdd || prim == Prim::kMul || prim == Prim::kAnd || prim == Prim::kOr ||
         prim == Prim::kXor;
}

}  // namespace

Body::Body(const Lanes& lanes, const Program& program)
    : v_(lanes),
      cc_(lanes.cc),
      held_(lanes),
      math_(lanes, &held_),
      math64_(lanes, &held_),
      program_(program),
      hoisted_(program.steps.size(), 0) {
  for (std::vector<Reg>& values : values_) values.resize(program.steps.size());
}

// The rest is read from memory where it is used, which costs a load port and no register.
void Body::hoist_constants() {
  int left = v_.wide() ? 12 : 4;
  for (size_t i = 0; i < program_.steps.size() && left > 0; ++i) {
    const Step& step = program_.steps[i];
    if (!step.live || step.inst.prim != Prim::kConst || step.inst.type == DType::kBool) continue;
    const Reg constant = v_.constant(step.inst);
    for (std::vector<Reg>& values : values_) values[i] = constant;
    hoisted_[i] = 1;
    --left;
  }
}

void Body::begin_pass(int times) {
  constexpr int kOfSteps = 5, kOfReductions = 2;
  const auto hoisted = static_cast<int>(std::count(hoisted_.begin(), hoisted_.end(), 1));
  held_.begin(32 - kOfSteps - kOfReductions - hoisted - times * program_.most_alive);
}

void Body::emit(int times, const std::vector<int>& steps, const Environment& around) {
  for (const int i : steps) {
    const Inst& inst = program_.steps[static_cast<size_t>(i)].inst;
    for (vector_ = 0; vector_ < times; ++vector_) {
      if (is_reduction(inst.prim)) {
        around.reduce(vector_, i, reg(inst.args[0]));
        continue;
      }
      Reg& value = values_[static_cast<size_t>(vector_)][static_cast<size_t>(i)];
      if (const auto kept = around.kept(vector_, i)) {
        value = *kept;
        continue;
      }
      const bool from_around =
          inst.prim == Prim::kLoad || inst.prim == Prim::kCoord || inst.prim == Prim::kParam;
      value = from_around ? around.load(vector_, inst) : step(i);
      around.keep(vector_, i, value);
    }
  }
}

void Body::emit_row(const std::vector<int>& steps, const Environment& around) {
  for (const int i : steps) {
    emit(1, {i}, around);
    set_row(i, values_[0][static_cast<size_t>(i)]);
  }
}

void Body::set_row(int step, const Reg& value) {
  for (std::vector<Reg>& values : values_) values[static_cast<size_t>(step)] = value;
}

bool Body::in_memory(int16_t value) const {
  return at(value).prim == Prim::kConst && hoisted_[static_cast<size_t>(value)] == 0 &&
         at(value).type != DType::kBool;
}

Operand Body::operand(int16_t value) {
  if (in_memory(value)) return v_.constant_operand(at(value));
  return reg(value);
}

Reg Body::reg(int16_t value) {
  const auto i = static_cast<size_t>(value);
  if (at(value).prim == Prim::kConst && hoisted_[i] == 0) return v_.constant(at(value));
  const Reg& known = values_[static_cast<size_t>(vector_)][i];
  complete_ = complete_ && known.isReg();
  return known;
}

// A loaded value may be a broadcast that outlives this vector, so only results of steps may be
// overwritten.
bool Body::dies(int16_t value, int index) const {
  const Step& step = program_.steps[static_cast<size_t>(value)];
  const bool result = step.inst.prim != Prim::kConst && step.inst.prim != Prim::kLoad &&
                      step.inst.prim != Prim::kCast && step.inst.prim != Prim::kCoord;
  // A value of the row outlives the pass that reads it.
  return result && step.last_use == index && !program_.per_row[static_cast<size_t>(value)];
}

Reg Body::step(int index) {
  const Step& step = program_.steps[static_cast<size_t>(index)];
  const Inst& inst = step.inst;
  const DType arg_type = inst.args[0] >= 0 ? at(inst.args[0]).type : inst.type;
  if (is_test(inst.prim))
    return v_.compare(inst.prim, arg_type, reg(inst.args[0]), operand(inst.args[1]));
  if (inst.prim == Prim::kCast) return cast(inst);
  if (inst.type == DType::kBool) return bool_prim(inst);
  switch (inst.prim) {
    case Prim::kSelect:
      return v_.select(inst.type, reg(inst.args[0]), vec(inst.args[1]), vec(inst.args[2]));
    case Prim::kFma:
      return fma(index, step);
    case Prim::kMin:
    case Prim::kMax:
      return min_max(inst);
    case Prim::kCopysign:
      return v_.copysign(inst.type, vec(inst.args[0]), vec(inst.args[1]));
    case Prim::kDiv:
      if (step.large_divisor)
        return math_.divide_by_large(
            vec(inst.args[0]), vec(inst.args[1]),
            at(inst.args[0]).prim == Prim::kConst && at(inst.args[0]).imm == 1);
      return binary(inst);
    case Prim::kSin:
    case Prim::kCos:
      return trig(inst);
    case Prim::kErf:
      return step.gelu ? Reg(math_.gelu(vec(inst.args[0]))) : unary(inst);
    case Prim::kExp:
      if (step.not_positive && inst.type == DType::kF32)
        return math_.exp_below_zero(vec(inst.args[0]));
      return unary(inst);
    default:
      return arity_of(inst.prim) == 1 ? unary(inst) : binary(inst);
  }
}

Reg Body::binary(const Inst& inst) {
  const InstId id = v_.instruction(inst.prim, inst.type);
  if (id == 0) return scalar_loop(inst);
  int16_t a = inst.args[0], b = inst.args[1];
  const int bytes = static_cast<int>(size_of(inst.type));
  if (commutes(inst.prim) && at(a).prim == Prim::kConst) std::swap(a, b);
  return v_.op(id, vec(a), operand(b), bytes);
}

Reg Body::min_max(const Inst& inst) {
  const InstId id = v_.instruction(inst.prim, inst.type);
  if (id == 0) return scalar_loop(inst);
  // With a number as first source, the instruction's own rule passes a NaN of the other.
  for (int i = 0; i < 2; ++i) {
    const Inst& arg = at(inst.args[i]);
    if (arg.prim != Prim::kConst || std::isnan(arg.imm)) continue;
    return v_.op(id, vec(inst.args[i]), vec(inst.args[1 - i]),
                 static_cast<int>(size_of(inst.type)));
  }
  return v_.min_max(inst.prim, inst.type, vec(inst.args[0]), vec(inst.args[1]));
}

Reg Body::fma(int index, const Step& step) {
  // [negated product][negated addend][form 132, 213, 231]
  static constexpr InstId kF32[2][2][3] = {
      {{ins::kIdVfmadd132ps, ins::kIdVfmadd213ps, ins::kIdVfmadd231ps},
       {ins::kIdVfmsub132ps, ins::kIdVfmsub213ps, ins::kIdVfmsub231ps}},
      {{ins::kIdVfnmadd132ps, ins::kIdVfnmadd213ps, ins::kIdVfnmadd231ps},
       {ins::kIdVfnmsub132ps, ins::kIdVfnmsub213ps, ins::kIdVfnmsub231ps}}};
  static constexpr InstId kF64[2][2][3] = {
      {{ins::kIdVfmadd132pd, ins::kIdVfmadd213pd, ins::kIdVfmadd231pd},
       {ins::kIdVfmsub132pd, ins::kIdVfmsub213pd, ins::kIdVfmsub231pd}},
      {{ins::kIdVfnmadd132pd, ins::kIdVfnmadd213pd, ins::kIdVfnmadd231pd},
       {ins::kIdVfnmsub132pd, ins::kIdVfnmsub213pd, ins::kIdVfnmsub231pd}}};
  const Inst& inst = step.inst;
  const auto& forms =
      (inst.type == DType::kF32 ? kF32 : kF64)[step.negate_product][step.negate_addend];
  int16_t a = inst.args[0], b = inst.args[1];
  const int16_t c = inst.args[2];
  if (in_memory(a)) std::swap(a, b);
  if (!in_memory(c) && dies(c, index) && c != a && c != b) {
    const Vec to = vec(c);
    cc_.emit(forms[2], to, vec(a), operand(b));
    return to;
  }
  if (dies(b, index) && !dies(a, index)) std::swap(a, b);
  const bool reuse = dies(a, index) && a != b && a != c;
  const Vec to = reuse ? vec(a) : v_.copy(inst.type, vec(a)).as<Vec>();
  if (in_memory(b) && !in_memory(c)) {
    cc_.emit(forms[0], to, vec(c), operand(b));
  } else {
    cc_.emit(forms[1], to, vec(b), operand(c));
  }
  return to;
}

Reg Body::unary(const Inst& inst) {
  const Vec a = vec(inst.args[0]);
  const int bytes = static_cast<int>(size_of(inst.type));
  const bool floating = is_floating(inst.type);
  switch (inst.prim) {
    case Prim::kNeg:
      if (!floating)
        return v_.op(v_.instruction(Prim::kSub, inst.type),
                     v_.splat(bytes == 8 ? v_.bits64(0) : v_.bits32(0), bytes), a, bytes);
      return v_.op(bytes == 8 ? ins::kIdVxorpd : ins::kIdVxorps, a,
                   bytes == 8 ? v_.bits64(uint64_t{1} << 63) : v_.bits32(0x80000000u), bytes);
    case Prim::kAbs:
      if (v_.instruction(Prim::kAbs, inst.type) == 0) return scalar_loop(inst);
      if (floating) {
        return v_.op(v_.instruction(Prim::kAbs, inst.type), a,
                     bytes == 8 ? v_.bits64(~(uint64_t{1} << 63)) : v_.bits32(0x7fffffffu), bytes);
      }
      break;
    case Prim::kNot:
      return v_.op(v_.instruction(Prim::kXor, inst.type), a,
                   bytes == 8 ? v_.bits64(~uint64_t{0}) : v_.bits32(~0u), bytes);
    case Prim::kRsqrt: {
      const Vec root = vec(inst.args[0]), to = v_.vec(bytes);
      cc_.emit(v_.instruction(Prim::kSqrt, inst.type), to, root);
      return v_.op(v_.instruction(Prim::kDiv, inst.type), v_.splat(v_.number(inst.type, 1), bytes),
                   to, bytes);
    }
    case Prim::kFloor:
    case Prim::kCeil:
    case Prim::kTrunc:
    case Prim::kRint:
      if (!floating) return a;
      return v_.round_whole(inst.type, a,
                            inst.prim == Prim::kRint    ? 0
                            : inst.prim == Prim::kFloor ? 1
                            : inst.prim == Prim::kCeil  ? 2
                                                        : 3);
    case Prim::kRound:
      return v_.round_half(inst.to, a);
    case Prim::kWrap:
      return v_.wrap(inst.to, a);
    default:
      break;
  }
  if (const auto value = approximate(inst)) return *value;
  const InstId id = v_.instruction(inst.prim, inst.type);
  if (id == 0) return scalar_loop(inst);
  const Vec to = v_.vec(bytes);
  cc_.emit(id, to, a);
  return to;
}

Reg Body::cast(const Inst& inst) {
  bool done = false;
  const Reg result = v_.cast(at(inst.args[0]).type, inst.type, reg(inst.args[0]), &done);
  return done ? result : scalar_loop(inst);
}

Reg Body::bool_prim(const Inst& inst) {
  const Reg a = reg(inst.args[0]);
  if (inst.prim == Prim::kSelect) return v_.select_bool(a, reg(inst.args[1]), reg(inst.args[2]));
  return v_.logic(inst.prim, a, inst.args[1] >= 0 ? reg(inst.args[1]) : a);
}

std::optional<Reg> Body::approximate(const Inst& inst) {
  const Vec x = vec(inst.args[0]);
  if (inst.type == DType::kF32 && Math::covers(inst.prim)) return math_.apply(inst.prim, x);
  if (inst.type == DType::kF64 && Math64::covers(inst.prim)) return math64_.apply(inst.prim, x);
  return std::nullopt;
}

// Arguments too large for the reduction take the scalar loop, all lanes together; they are rare.
Reg Body::trig(const Inst& inst) {
  const bool is64 = inst.type == DType::kF64;
  const int bytes = is64 ? 8 : 4;
  const Vec x = vec(inst.args[0]), to = v_.vec(bytes);
  const Vec size = is64 ? v_.op(ins::kIdVandpd, x, v_.bits64(~uint64_t{0} >> 1), bytes)
                        : v_.op(ins::kIdVandps, x, v_.bits32(0x7fffffffu), bytes);
  const double limit = is64 ? Math64::kTrigLimit : Math::kTrigLimit;
  const Reg huge =
      v_.compare(Prim::kLt, inst.type, v_.splat(v_.number(inst.type, limit), bytes), size);
  const asmjit::Label fast = cc_.newLabel(), done = cc_.newLabel();
  if (v_.wide()) {
    cc_.kortestw(huge.as<aj::KReg>(), huge.as<aj::KReg>());
  } else {
    const aj::Gp any = cc_.newInt32();
    cc_.emit(ins::kIdVmovmskps, any, huge);
    cc_.test(any, any);
  }
  cc_.jz(fast);
  cc_.vmovaps(to, scalar_loop(inst).as<Vec>());
  cc_.jmp(done);
  cc_.bind(fast);
  cc_.vmovaps(to, approximate(inst)->as<Vec>());
  cc_.bind(done);
  return to;
}

Reg Body::scalar_loop(const Inst& inst) {
  if (!has_frame_) frame_ = cc_.newStack(4 * kSlot, kSlot);
  has_frame_ = true;
  const DType arg_type = at(inst.args[0]).type;
  for (int i = 0; i < arity_of(inst.prim); ++i) {
    cc_.emit(ins::kIdVmovups, frame_.cloneAdjusted(kSlot * (i + 1)), vec(inst.args[i]));
  }
  const uint64_t code = static_cast<uint64_t>(inst.prim) | static_cast<uint64_t>(inst.type) << 8 |
                        static_cast<uint64_t>(inst.to) << 16 |
                        static_cast<uint64_t>(arg_type) << 24 |
                        static_cast<uint64_t>(v_.count) << 32;
  const aj::Gp code_reg = cc_.newUInt64(), frame = cc_.newIntPtr();
  cc_.mov(code_reg, code);
  cc_.lea(frame, frame_);
  asmjit::InvokeNode* call = nullptr;
  cc_.invoke(&call, reinterpret_cast<uint64_t>(&run_scalar_loop),
             asmjit::FuncSignatureT<void, uint64_t, char*>(asmjit::CallConvId::kHost));
  call->setArg(0, code_reg);
  call->setArg(1, frame);
  const Vec to = v_.vec(inst.type);
  cc_.emit(ins::kIdVmovups, to, frame_);
  return to;
}

}  // namespace torchweld::x86
