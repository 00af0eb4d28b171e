#include "kernels/x86/row_order.h"

#include <algorithm>

#include "kernels/x86/walk.h"

namespace torchweld::x86 {
namespace {

const Inst& at(const std::vector<Inst>& body, int16_t value) {
  return body[static_cast<size_t>(value)];
}

/// exp(x - max(x)) in f32.
bool is_softmax_weight(const std::vector<Inst>& body, int16_t value) {
  const Inst& exp = at(body, value);
  if (exp.prim != Prim::kExp || exp.type != DType::kF32) return false;
  const Inst& distance = at(body, exp.args[0]);
  if (distance.prim != Prim::kSub) return false;
  const Inst& largest = at(body, distance.args[1]);
  return largest.prim == Prim::kLargest && largest.args[0] == distance.args[0];
}

/// (x - mean of x)^2.
bool is_squared_distance(const std::vector<Inst>& body, const Inst& inst) {
  if (inst.prim != Prim::kMul || inst.args[0] != inst.args[1]) return false;
  const Inst& distance = at(body, inst.args[0]);
  if (distance.prim != Prim::kSub) return false;
  const Inst& mean = at(body, distance.args[1]);
  return mean.prim == Prim::kDiv && at(body, mean.args[0]).prim == Prim::kSum;
}

bool is_share(const std::vector<Inst>& body, const Inst& inst) {
  return inst.prim == Prim::kDiv && is_softmax_weight(body, inst.args[0]) &&
         at(body, inst.args[1]).prim == Prim::kSum &&
         at(body, inst.args[1]).args[0] == inst.args[0];
}

}  // namespace

SumOrder order_of_sum(const std::vector<Inst>& body, int16_t sum) {
  if (at(body, sum).type != DType::kF32) return SumOrder::kBlocks;
  if (is_softmax_weight(body, at(body, sum).args[0])) return SumOrder::kChain;
  const bool has_moments = std::any_of(body.begin(), body.end(), [&body](const Inst& inst) {
    return is_squared_distance(body, inst);
  });
  return has_moments ? SumOrder::kBlocks : SumOrder::kCascade;
}

KernelSpec with_inverse_sums(const KernelSpec& spec) {
  if (spec.reduced != 1 || walk_of(spec).across) return spec;
  KernelSpec out = spec;
  out.body.clear();
  std::vector<int16_t> renumbered;
  const auto push = [&out](const Inst& inst) {
    out.body.push_back(inst);
    return static_cast<int16_t>(out.body.size() - 1);
  };
  const auto renumber = [&renumbered](int16_t* value) {
    if (*value >= 0) *value = renumbered[static_cast<size_t>(*value)];
  };
  for (const Inst& recorded : spec.body) {
    Inst inst = recorded;
    for (int16_t& arg : inst.args) renumber(&arg);
    if (is_share(spec.body, recorded)) {
      Inst one, inverse = inst;
      one.imm = 1;
      inverse.args[0] = push(one);
      inst.prim = Prim::kMul;
      inst.args[1] = push(inverse);
    }
    renumbered.push_back(push(inst));
  }
  for (StoreSpec& store : out.stores) {
    renumber(&store.value);
    renumber(&store.offset);
    renumber(&store.predicate);
  }
  return out;
}

}  // namespace torchweld::x86
