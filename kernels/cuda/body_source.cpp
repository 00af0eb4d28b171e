#include "kernels/cuda/body_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/expression.h"

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

}  // namespace

// What a row knows: its values, its reductions under way, and what happens between phases.
std::string BodySource::rows_text() const {
  std::string row, running, reductions;
  int reductions_count = 0;
  std::vector<std::string> values(static_cast<size_t>(phases_.count) + 1), each(values.size()),
      finish(values.size());
  for (size_t i = 0; i < spec_.body.size(); ++i) {
    const Inst& inst = spec_.body[i];
    const auto ready = static_cast<size_t>(phases_.ready[i]);
    if (inst.prim == Prim::kRunningSum)
      running += fmt::format("    {} v{} = 0;\n", value_type(inst.type), i);
    if (!phases_.per_row[i] || inst.prim == Prim::kConst || inst.prim == Prim::kParam) continue;
    row += fmt::format("    {} v{};\n", value_type(inst.type), i);
    if (is_reduction(inst.prim)) {
      const DType of = spec_.body[static_cast<size_t>(inst.args[0])].type;
      reductions += fmt::format("    {}<{}> v{};\n", reduction_type(inst.prim), value_type(of), i);
      each[ready - 1] += fmt::format("      visit(r.v{});\n", i);
      ++reductions_count;
      finish[ready - 1] += fmt::format("      row.v{} = acc.v{}.result();\n", i, i);
    } else {
      values[ready] += "      " + instruction_text(i, true) + "\n";
    }
  }
  const auto by_phase = [](const std::vector<std::string>& parts) {
    std::string text;
    for (size_t p = 0; p < parts.size(); ++p) {
      if (!parts[p].empty())
        text += fmt::format("    if constexpr (kPhase == {}) {{\n{}    }}\n", p, parts[p]);
    }
    return text;
  };
  std::string stores;
  for (size_t i = 0; i < spec_.stores.size(); ++i) {
    if (spec_.stores[i].per_row) stores += "    " + odd_store_text(i, true) + "\n";
  }
  return fmt::format(R"(
  static constexpr int kReduced = {}, kPhases = {}, kReductions = {};
  static constexpr bool kStoresRow = {};
  struct Row {{
{}  }};
  struct Running {{
{}  }};
  struct Reductions {{
{}  }};
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
                     spec_.reduced, phases_.count, std::max(reductions_count, 1),
                     stores.empty() ? "false" : "true", row, running, reductions, spec_.rank,
                     by_phase(values), by_phase(each), by_phase(finish), stores);
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
  if (has_rows()) text += rows_text();
  if (schedule_.across >= 0) text += tiles_text();
  text += load_text();
  text += element_text();
  text += store_text();
  return text + "};\n";
}

}  // namespace torchweld::cuda
