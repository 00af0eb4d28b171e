// The instructions of a Body: what is done to an element, and to a row between two phases.
#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/body_source.h"
#include "kernels/cuda/expression.h"
#include "kernels/cuda/needs.h"

namespace torchweld::cuda {

BodySource::BodySource(const KernelSpec& spec, const Schedule& schedule)
    : spec_(spec),
      schedule_(schedule),
      phases_(phases_of(spec)),
      last_(static_cast<size_t>(spec.rank - 1)) {}

int BodySource::params() const {
  int64_t count = 0;
  for (const Inst& inst : spec_.body) {
    if (inst.prim == Prim::kParam) count = std::max(count, inst.imm_int + 1);
  }
  return static_cast<int>(count);
}

// What an instruction's value is called where it is used.
std::string BodySource::value(int16_t inst) const {
  const Inst& made = spec_.body[static_cast<size_t>(inst)];
  if (made.prim == Prim::kConst) return literal(made);
  if (made.prim == Prim::kParam) return fmt::format("a.params[{}]", made.imm_int);
  if (has_rows() && is_per_row(inst)) return fmt::format("row.v{}", inst);
  return fmt::format("v{}", inst);
}

// The offset of element k of a vector, or of the row's first element.
std::string BodySource::offset_of_element(size_t operand, bool is_store) const {
  const OperandSpec& spec = is_store ? spec_.stores[operand].operand : spec_.loads[operand];
  const size_t index = is_store ? spec_.loads.size() + operand : operand;
  const std::string base = fmt::format("o.{}{}", is_store ? "out" : "in", operand);
  switch (spec.strides[last_]) {
    case StrideClass::kZero:
      return base;
    case StrideClass::kOne:
      return base + " + k";
    default:
      return fmt::format("{} + i64(k) * a.strides[{}][{}]", base, index, last_);
  }
}

std::string BodySource::running_sum_text(size_t inst) const {
  const std::string a = value(spec_.body[inst].args[0]);
  const std::string_view type = value_type(spec_.body[inst].type);
  return fmt::format("const {} v{} = group.running_sum(active ? {} : {}(0), running.v{});", type,
                     inst, a, type, inst);
}

// One instruction; empty where its value needs no statement.
std::string BodySource::instruction_text(size_t i, bool of_row) const {
  const Inst& inst = spec_.body[i];
  if (inst.prim == Prim::kConst || inst.prim == Prim::kParam || is_reduction(inst.prim)) return "";
  if (inst.prim == Prim::kRunningSum) return running_sum_text(i);
  std::string right;
  if (inst.prim == Prim::kCoord) {
    const bool inner = static_cast<size_t>(inst.imm_int) == last_ && !of_row;
    right = fmt::format("static_cast<i64>(at[{}]{})", inst.imm_int, inner ? " + k" : "");
  } else if (inst.prim == Prim::kLoad && !of_row && is_vector_load(spec_, phases_, i)) {
    right = fmt::format("x.in{}[k]", inst.operand);
  } else if (inst.prim == Prim::kLoad) {
    const auto operand = static_cast<size_t>(inst.operand);
    std::string offset =
        of_row ? fmt::format("o.in{}", operand) : offset_of_element(operand, false);
    if (inst.args[0] >= 0) offset += " + " + value(inst.args[0]);
    std::string reads = of_row ? "true" : "active";
    if (inst.args[1] >= 0) reads += " && " + value(inst.args[1]);
    right = fmt::format("gather<{}>(a.pointers[{}], {}, {})",
                        element_type(spec_.loads[operand].dtype), operand, offset, reads);
  } else {
    right = expression(spec_, inst, [&](int16_t v) { return value(v); });
  }
  if (of_row) return fmt::format("row.v{} = {};", i, right);
  return fmt::format("const {} v{} = {};", value_type(inst.type), i, right);
}

std::string BodySource::stored_value(const StoreSpec& store) const {
  const std::string v = value(store.value);
  const DType to = compute_type(store.operand.dtype);
  if (spec_.body[static_cast<size_t>(store.value)].type == to) return v;
  return fmt::format("prim::cast<{}>({})", value_type(to), v);
}

// A store whose address or existence follows from data, or that adds.
std::string BodySource::odd_store_text(size_t i, bool of_row) const {
  const StoreSpec& store = spec_.stores[i];
  std::string offset = of_row ? fmt::format("o.out{}", i) : offset_of_element(i, true);
  if (store.offset >= 0) offset += " + " + value(store.offset);
  std::string writes = of_row ? "true" : "active";
  if (store.predicate >= 0) writes += " && " + value(store.predicate);
  return fmt::format("{}<{}>(a.pointers[{}], {}, {}, {});",
                     store.accumulates ? "accumulate" : "scatter",
                     element_type(store.operand.dtype), spec_.loads.size() + i, offset, writes,
                     stored_value(store));
}

// The statements of one phase for element k of a vector.
std::string BodySource::phase_text(int phase) const {
  std::string text;
  const std::vector<bool> needed = needed_in(spec_, phases_, phase);
  const auto line = [&](const std::string& statement) {
    if (!statement.empty()) text += "      " + statement + "\n";
  };
  for (size_t i = 0; i < spec_.body.size(); ++i) {
    const Inst& inst = spec_.body[i];
    if (is_reduction(inst.prim) && phases_.ready[i] == phase + 1) {
      line(fmt::format("if (active) acc.v{}.add({}, place);", i, value(inst.args[0])));
    } else if (needed[i] && !(has_rows() && phases_.per_row[i])) {
      line(instruction_text(i, false));
    }
  }
  if (phase + 1 < phases_.count) return text;
  for (size_t i = 0; i < spec_.stores.size(); ++i) {
    const StoreSpec& store = spec_.stores[i];
    if (store.per_row) continue;
    line(is_plain_store(store) ? fmt::format("y.out{}[k] = {};", i, stored_value(store))
                               : odd_store_text(i, false));
  }
  return text;
}

std::string BodySource::element_text() const {
  if (!has_rows()) {
    return fmt::format(R"(
  template <int kVector>
  static INLINE void element(const Args& a, const Index (&at)[{}], const Offsets& o, int k,
                             bool active, const Loaded<kVector>& x, Stored<kVector>& y) {{
{}  }}
)",
                       spec_.rank, phase_text(0));
  }
  std::string phases;
  for (int phase = 0; phase < phases_.count; ++phase)
    phases +=
        fmt::format("    if constexpr (kPhase == {}) {{\n{}    }}\n", phase, phase_text(phase));
  return fmt::format(R"(
  template <int kPhase, int kVector, class Group>
  static INLINE void element(const Args& a, const Index (&at)[{}], const Offsets& o, int k,
                             bool active, i64 place, const Loaded<kVector>& x, const Row& row,
                             Group& group, Running& running, Reductions& acc,
                             Stored<kVector>& y) {{
{}  }}
)",
                     spec_.rank, phases);
}

}  // namespace torchweld::cuda
