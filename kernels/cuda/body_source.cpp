#include "kernels/cuda/body_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/expression.h"
#include "kernels/cuda/needs.h"

namespace torchweld::cuda {
namespace {

std::string_view reduction_type(Prim prim) {
  switch (prim) {
    case Prim::kSum:
      return "Sum";
    case Prim::kProduct:
      return "Product";
    case Prim::kLargest:
      return "Largest";
    case Prim::kSmallest:
      return "Smallest";
    case Prim::kArgLargest:
      return "ArgLargest";
    default:
      return "ArgSmallest";
  }
}

// Statements by the phase that they belong to, as branches on kPhase.
class ByPhase {
 public:
  explicit ByPhase(int phases) : statements_(static_cast<size_t>(phases)) {}
  void add(int phase, const std::string& statement) {
    statements_[static_cast<size_t>(phase)] += "      " + statement + "\n";
  }
  std::string text() const {
    std::string text;
    for (size_t p = 0; p < statements_.size(); ++p) {
      if (!statements_[p].empty())
        text += fmt::format("    if constexpr (kPhase == {}) {{\n{}    }}\n", p, statements_[p]);
    }
    return text;
  }

 private:
  std::vector<std::string> statements_;
};

}  // namespace

// What a row knows: its values, its reductions under way, its running sums.
std::string BodySource::row_types_text() const {
  std::string row, running, reductions;
  int count = 0;
  for (size_t i = 0; i < spec_.body.size(); ++i) {
    const Inst& inst = spec_.body[i];
    if (inst.prim == Prim::kRunningSum)
      running += fmt::format("    {} v{} = 0;\n", value_type(inst.type), i);
    if (is_row_value(i)) row += fmt::format("    {} v{};\n", value_type(inst.type), i);
    if (!is_reduction(inst.prim)) continue;
    const DType of = spec_.body[static_cast<size_t>(inst.args[0])].type;
    reductions += fmt::format("    {}<{}> v{};\n", reduction_type(inst.prim), value_type(of), i);
    ++count;
  }
  const bool stores_row = std::any_of(spec_.stores.begin(), spec_.stores.end(),
                                      [](const StoreSpec& store) { return store.per_row; });
  return fmt::format(R"(
  static constexpr int kReduced = {}, kPhases = {}, kReductions = {};
  static constexpr bool kStoresRow = {};
  struct Row {{
{}  }};
  struct Running {{
{}  }};
  struct Reductions {{
{}  }};
)",
                     spec_.reduced, phases_.count, std::max(count, 1), stores_row, row, running,
                     reductions);
}

// What happens to a row between phases and after the last.
std::string BodySource::row_steps_text() const {
  ByPhase values(phases_.count + 1), each(phases_.count), finish(phases_.count);
  const std::vector<int> due = due_in(spec_, phases_);
  for (size_t i = 0; i < spec_.body.size(); ++i) {
    const int ready = phases_.ready[i];
    if (is_reduction(spec_.body[i].prim)) {
      each.add(ready - 1, fmt::format("visit(r.v{});", i));
      finish.add(ready - 1, fmt::format("row.v{} = acc.v{}.result();", i, i));
    } else if (is_row_value(i)) {
      values.add(due[i], instruction_text(i, true));
    }
  }
  std::string stores;
  for (size_t i = 0; i < spec_.stores.size(); ++i) {
    if (spec_.stores[i].per_row) stores += "    " + odd_store_text(i, true) + "\n";
  }
  return fmt::format(R"(
  template <int kPhase>
  static INLINE void row_values(const Args& a, const Index (&at)[{}], const Offsets& o, Row& row) {{
{}  }}
  template <int kPhase, class Visit>
  static INLINE void each_reduction(Reductions& r, Visit visit) {{
{}  }}
  template <int kPhase>
  static INLINE void finish(const Reductions& acc, Row& row) {{
{}  }}
  static INLINE void store_row(const Args& a, const Offsets& o, const Row& row) {{
{}  }}
)",
                     spec_.rank, values.text(), each.text(), finish.text(), stores);
}

bool BodySource::is_row_value(size_t inst) const {
  const Prim prim = spec_.body[inst].prim;
  return phases_.per_row[inst] && prim != Prim::kConst && prim != Prim::kParam;
}

std::string BodySource::text() const {
  std::string text = fmt::format(R"(struct Body {{
  using Args = Arguments<{}, {}, {}, {}>;
  using Index = Args::Index;
)",
                                 schedule_.wide ? "i64" : "i32", spec_.rank,
                                 spec_.loads.size() + spec_.stores.size(), params());
  text += offsets_text();
  text += loaded_text();
  if (has_rows()) text += row_types_text() + row_steps_text();
  if (schedule_.across >= 0) text += tiles_text();
  text += load_text();
  text += element_text();
  text += store_text();
  return text + "};\n";
}

}  // namespace torchweld::cuda
