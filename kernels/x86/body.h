// Emits one vector's worth of a program.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "kernels/x86/lanes.h"
#include "kernels/x86/lower.h"
#include "kernels/x86/math.h"
#include "kernels/x86/math64.h"

namespace torchweld::x86 {

class Body {
 public:
  Body(const Lanes& lanes, const Program& program);

  /// Loads constants into registers, as many as are worth one. Before the loops.
  void hoist_constants();
  /// Here begin the loops of a pass, or of a body that has but one, of `times` vectors side by
  /// side: what registers are left hold constants of functions.
  void begin_pass(int times);

  /// Where a body meets memory and the row.
  struct Environment {
    /// A load, a coordinate or a parameter.
    std::function<Reg(int vector, const Inst& inst)> load;
    /// A reduction takes its operand in.
    std::function<void(int vector, int step, const Reg& value)> reduce;
    /// What an earlier pass computed of the step, if it put that aside.
    std::function<std::optional<Reg>(int vector, int step)> kept;
    /// Told of each value, to put it aside.
    std::function<void(int vector, int step, const Reg& value)> keep;
  };

  /// Emits `steps` for `times` independent vectors, step by step: their latencies overlap. Values
  /// of stores are read with `value`.
  void emit(int times, const std::vector<int>& steps, const Environment& around);
  /// The same for values of the row, which all vectors share.
  void emit_row(const std::vector<int>& steps, const Environment& around);
  /// A value of the row from elsewhere.
  void set_row(int step, const Reg& value);
  /// And one that is another row's in each vector.
  void set_row(int step, int vector, const Reg& value) {
    values_[static_cast<size_t>(vector)][static_cast<size_t>(step)] = value;
  }
  /// Whether every value that was asked for had been computed. What is emitted otherwise is no
  /// code.
  bool is_complete() const { return complete_; }
  Reg value(int vector, int16_t step) {
    vector_ = vector;
    return reg(step);
  }

 private:
  Reg step(int index);
  Reg binary(const Inst& inst);
  Reg min_max(const Inst& inst);
  Reg fma(int index, const Step& step);
  Reg unary(const Inst& inst);
  /// By an approximation; none where the function has none of its type.
  std::optional<Reg> approximate(const Inst& inst);
  Reg cast(const Inst& inst);
  Reg trig(const Inst& inst);
  Reg bool_prim(const Inst& inst);
  /// The primitive lane by lane in C++; correct for everything, fast for nothing.
  Reg scalar_loop(const Inst& inst);

  const Inst& at(int16_t value) const { return program_.steps[static_cast<size_t>(value)].inst; }
  bool in_memory(int16_t value) const;
  asmjit::Operand operand(int16_t value);
  Reg reg(int16_t value);
  aj::Vec vec(int16_t value) { return reg(value).as<aj::Vec>(); }
  bool dies(int16_t value, int index) const;

  const Lanes& v_;
  aj::Compiler& cc_;
  HeldConstants held_;
  Math math_;
  Math64 math64_;
  const Program& program_;
  static constexpr size_t kMaxTimes = 4;
  std::array<std::vector<Reg>, kMaxTimes> values_;
  int vector_ = 0;  // the one that is being emitted
  std::vector<char> hoisted_;
  aj::Mem frame_;  // of scalar loops
  bool has_frame_ = false;
  bool complete_ = true;
};

}  // namespace torchweld::x86
