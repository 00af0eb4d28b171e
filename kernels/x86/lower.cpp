// Analysis of a body: divisors known to be large, liveness, passes and cost.
#include "kernels/x86/lower.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/phases.h"
#include "kernels/x86/arithmetic.h"
#include "kernels/x86/math.h"
#include "kernels/x86/math64.h"
#include "kernels/x86/places.h"
#include "kernels/x86/walk.h"

namespace torchweld::x86 {
namespace {

bool is_test(Prim prim) {
  return prim == Prim::kEq || prim == Prim::kNe || prim == Prim::kLt || prim == Prim::kLe;
}

class Lowering {
 public:
  Lowering(const KernelSpec& spec, bool keeps) : spec_(spec), keeps_(keeps) {}

  Program run() {
    one_ = push_one();
    for (const Inst& inst : spec_.body) renumbered_.push_back(add(inst));
    for (const StoreSpec& store : spec_.stores) {
      const int16_t value = renumbered_[static_cast<size_t>(store.value)];
      program_.stores.push_back(cast(value, compute_type(store.operand.dtype)));
    }
    Arithmetic arithmetic(&program_);
    arithmetic.fuse_exact_products();
    arithmetic.absorb_signs();
    arithmetic.find_gelus();
    find_uses();
    arithmetic.share_adders(one_);
    for (const Step& step : program_.steps) {
      if (!step.live) continue;
      if (size_of(step.inst.type) == 8) program_.has_64bit = true;
    }
    split_into_phases();
    return std::move(program_);
  }

 private:
  const Inst& at(int16_t value) const { return program_.steps[static_cast<size_t>(value)].inst; }

  int16_t push(const Inst& inst) {
    Step step;
    step.inst = inst;
    program_.steps.push_back(step);
    return static_cast<int16_t>(program_.steps.size() - 1);
  }

  int16_t push_one() {
    Inst inst;
    inst.prim = Prim::kConst;
    inst.type = DType::kF32;
    inst.imm = 1;
    return push(inst);
  }

  int16_t cast(int16_t value, DType type) {
    if (at(value).type == type) return value;
    Inst inst;
    inst.prim = Prim::kCast;
    inst.type = type;
    inst.args[0] = value;
    return push(inst);
  }

  int16_t add(Inst inst) {
    for (int16_t& arg : inst.args) {
      if (arg >= 0) arg = renumbered_[static_cast<size_t>(arg)];
    }
    // There is no comparison of masks.
    if (is_test(inst.prim) && at(inst.args[0]).type == DType::kBool) {
      for (int i = 0; i < 2; ++i) inst.args[i] = cast(inst.args[i], DType::kI32);
    }
    const int16_t value = push(inst);
    if (inst.prim == Prim::kSum)
      program_.steps.back().order =
          order_of_sum(spec_.body, static_cast<int16_t>(renumbered_.size()));
    if (inst.prim == Prim::kExp)
      program_.steps.back().not_positive = is_below_largest(inst.args[0]);
    if (inst.prim == Prim::kDiv && inst.type == DType::kF32) {
      program_.steps.back().large_divisor = at_least_one(inst.args[1]);
    }
    return value;
  }

  bool is_constant_from(int16_t value, double low) const {
    return at(value).prim == Prim::kConst && is_floating(at(value).type) && at(value).imm >= low;
  }

  // x - max(x).
  bool is_below_largest(int16_t value) const {
    const Inst& distance = at(value);
    if (distance.prim != Prim::kSub) return false;
    const Inst& largest = at(distance.args[1]);
    return largest.prim == Prim::kLargest && largest.args[0] == distance.args[0];
  }

  // Zero or more, infinity or NaN; -0 counts as zero.
  bool not_negative(int16_t value) const {
    const Inst& inst = at(value);
    switch (inst.prim) {
      case Prim::kConst:
        return is_constant_from(value, 0);
      case Prim::kExp:
      case Prim::kAbs:
        return is_floating(inst.type);
      case Prim::kAdd:
        return not_negative(inst.args[0]) && not_negative(inst.args[1]);
      case Prim::kMul:
        return inst.args[0] == inst.args[1] ||
               (not_negative(inst.args[0]) && not_negative(inst.args[1]));
      case Prim::kFma:
        return (inst.args[0] == inst.args[1] ||
                (not_negative(inst.args[0]) && not_negative(inst.args[1]))) &&
               not_negative(inst.args[2]);
      default:
        return false;
    }
  }

  bool at_least_one(int16_t value) const {
    const Inst& inst = at(value);
    if (inst.prim == Prim::kAdd) {
      return (is_constant_from(inst.args[0], 1) && not_negative(inst.args[1])) ||
             (is_constant_from(inst.args[1], 1) && not_negative(inst.args[0]));
    }
    if (inst.prim == Prim::kFma) {
      const bool product = inst.args[0] == inst.args[1] ||
                           (not_negative(inst.args[0]) && not_negative(inst.args[1]));
      return product && is_constant_from(inst.args[2], 1);
    }
    return false;
  }

  void find_uses() {
    const int end = static_cast<int>(program_.steps.size());
    for (const int16_t value : program_.stores)
      program_.steps[static_cast<size_t>(value)].last_use = end;
    for (int i = end; i-- > 0;) {
      Step& step = program_.steps[static_cast<size_t>(i)];
      step.live = step.last_use >= 0;
      if (!step.live) continue;
      for (const int16_t arg : step.inst.args) {
        if (arg < 0) continue;
        int& last = program_.steps[static_cast<size_t>(arg)].last_use;
        last = std::max(last, i);
      }
      program_.weight += weight_of(step);
    }
  }

  void split_into_phases() {
    KernelSpec steps = spec_;
    steps.body.clear();
    for (const Step& step : program_.steps) steps.body.push_back(step.inst);
    for (size_t i = 0; i < program_.stores.size(); ++i) steps.stores[i].value = program_.stores[i];
    Phases phases = phases_of(steps);
    find_uniform();
    // What a pointwise kernel computes of a row's coordinates is computed once a row.
    if (spec_.reduced == 0 && has_places(spec_)) phases.per_row = program_.uniform;
    program_.per_row = phases.per_row;
    program_.phases.resize(static_cast<size_t>(phases.count) + 1);
    const auto fill = [&] {
      bool is_kept = false;
      for (int p = 0; p <= phases.count; ++p) {
        Phase& phase = program_.phases[static_cast<size_t>(p)];
        phase = {};
        fill_phase(phases, p, is_kept, &phase);
        is_kept = is_kept || phase.keeps;
      }
    };
    fill();
    program_.kept = keeps_ ? costly_and_repeated() : -1;
    if (program_.kept >= 0) fill();
    for (int p = 0; p < phases.count; ++p)
      program_.most_alive = std::max(program_.most_alive, alive_in(p, p + 1 == phases.count));
  }

  /// The most values of a pass that are still needed after one of its steps.
  int alive_in(int p, bool stores) const {
    const std::vector<int>& steps = program_.phases[static_cast<size_t>(p)].element;
    std::vector<int> last(program_.steps.size(), -1);
    const auto use = [&](int16_t value, int at) {
      if (value >= 0) last[static_cast<size_t>(value)] = at;
    };
    const int end = static_cast<int>(steps.size());
    for (int i = 0; i < end; ++i) {
      for (const int16_t arg :
           program_.steps[static_cast<size_t>(steps[static_cast<size_t>(i)])].inst.args)
        use(arg, i);
    }
    for (const int16_t value : program_.stores) {
      if (stores) use(value, end);
    }
    int most = 0;
    for (int i = 0; i < end; ++i) {
      const auto lives = [&](int step) { return last[static_cast<size_t>(step)] > i; };
      most = std::max(most,
                      static_cast<int>(std::count_if(steps.begin(), steps.begin() + i + 1, lives)));
    }
    return most;
  }

  void find_uniform() {
    const auto lane = static_cast<size_t>(walk_of(spec_).lane);
    for (const Step& step : program_.steps) {
      const Inst& inst = step.inst;
      bool uniform = !needs_row(inst.prim);
      if (inst.prim == Prim::kCoord) uniform = static_cast<size_t>(inst.imm_int) != lane;
      if (inst.prim == Prim::kLoad)
        uniform =
            spec_.loads[static_cast<size_t>(inst.operand)].strides[lane] == StrideClass::kZero;
      for (const int16_t arg : inst.args)
        uniform = uniform && (arg < 0 || program_.uniform[static_cast<size_t>(arg)]);
      program_.uniform.push_back(uniform);
    }
  }

  /// The last step that costs more than memory and is computed in two passes; -1: none.
  int costly_and_repeated() const {
    constexpr int kCostly = 20;
    std::vector<int> passes(program_.steps.size());
    for (const Phase& phase : program_.phases) {
      for (const int step : phase.element) ++passes[static_cast<size_t>(step)];
    }
    for (size_t i = passes.size(); i-- > 0;) {
      const Step& step = program_.steps[i];
      if (passes[i] > 1 && is_floating(step.inst.type) && weight_of(step) >= kCostly)
        return static_cast<int>(i);
    }
    return -1;
  }

  /// `is_kept`: an earlier pass put Program::kept aside.
  void fill_phase(const Phases& phases, int p, bool is_kept, Phase* out) const {
    std::vector<bool> needed(program_.steps.size(), false);
    for (size_t i = 0; i < program_.stores.size(); ++i) {
      if (p + 1 == phases.count && !spec_.stores[i].per_row)
        needed[static_cast<size_t>(program_.stores[i])] = true;
    }
    for (size_t i = program_.steps.size(); i-- > 0;) {
      const Step& step = program_.steps[i];
      if (!step.live || step.inst.prim == Prim::kConst) continue;
      const bool reduces = is_reduction(step.inst.prim);
      if (phases.per_row[i] && !reduces) {
        if (phases.ready[i] == p) out->row.push_back(static_cast<int>(i));
        continue;
      }
      const bool now = reduces ? phases.ready[i] == p + 1 : needed[i];
      if (!now) continue;
      out->element.push_back(static_cast<int>(i));
      if (reduces) out->reductions.push_back(static_cast<int>(i));
      if (static_cast<int>(i) == program_.kept) {
        out->takes_kept = is_kept;
        out->keeps = !is_kept;
        if (is_kept) continue;
      }
      for (const int16_t arg : step.inst.args) {
        if (arg >= 0) needed[static_cast<size_t>(arg)] = true;
      }
    }
    for (std::vector<int>* list : {&out->row, &out->element, &out->reductions})
      std::reverse(list->begin(), list->end());
  }

  int weight_of(const Step& step) const {
    const Inst& inst = step.inst;
    if (inst.prim == Prim::kConst) return 0;
    if (inst.prim == Prim::kLoad) return inst.args[0] < 0 && inst.args[1] < 0 ? 2 : 12;
    const bool periodic = inst.prim == Prim::kSin || inst.prim == Prim::kCos;
    if (inst.type == DType::kF32 && Math::covers(inst.prim)) return periodic ? 40 : 20;
    if (inst.type == DType::kF64 && Math64::covers(inst.prim)) return Math64::weight_of(inst.prim);
    if (inst.prim == Prim::kSqrt || inst.prim == Prim::kDiv) return step.large_divisor ? 4 : 16;
    if (inst.prim == Prim::kRsqrt) return 32;
    return Math::covers(inst.prim) || inst.prim == Prim::kPow || inst.prim == Prim::kErfc ? 300 : 1;
  }

  const KernelSpec& spec_;
  bool keeps_;
  Program program_;
  std::vector<int16_t> renumbered_;
  int16_t one_ = -1;  ///< the constant 1; dead where nothing needs it
};

}  // namespace

int lane_count(const KernelSpec& spec, const Program& program, Isa isa) {
  bool has_64bit = program.has_64bit;
  for (const OperandSpec& load : spec.loads) has_64bit = has_64bit || size_of(load.dtype) == 8;
  return (isa == Isa::kAvx512 ? 16 : 8) / (has_64bit ? 2 : 1);
}

Program lower(const KernelSpec& spec, bool keeps) { return Lowering(spec, keeps).run(); }

}  // namespace torchweld::x86
