// Addresses, loads and stores of a Body.
#include <fmt/format.h>

#include "kernels/cuda/body_source.h"
#include "kernels/cuda/expression.h"
#include "kernels/cuda/needs.h"

namespace torchweld::cuda {
namespace {

std::string name_of_load(size_t i) { return fmt::format("in{}", i); }
std::string name_of_store(size_t i) { return fmt::format("out{}", i); }

// Where an operand's element stands, from its coordinates: "at[0] * a.strides[2][0] + at[1]".
std::string offset_text(const OperandSpec& operand, size_t index, int rank) {
  std::string text;
  for (int d = 0; d < rank; ++d) {
    const StrideClass stride = operand.strides[static_cast<size_t>(d)];
    if (stride == StrideClass::kZero) continue;
    if (!text.empty()) text += " + ";
    text += fmt::format("at[{}]", d);
    if (stride == StrideClass::kAny) text += fmt::format(" * a.strides[{}][{}]", index, d);
  }
  return text.empty() ? "0" : text;
}

}  // namespace

bool BodySource::is_transposed(size_t load) const {
  if (schedule_.across < 0 || phases_of_load(spec_, phases_, load) == 0) return false;
  const auto& strides = spec_.loads[load].strides;
  return strides[last_] == StrideClass::kAny &&
         strides[static_cast<size_t>(schedule_.across)] == StrideClass::kOne;
}

std::string BodySource::offsets_text() const {
  std::string members, lines;
  const auto add = [&](const std::string& name, const OperandSpec& operand, size_t index) {
    members += (members.empty() ? " " : ", ") + name;
    lines += fmt::format("    o.{} = {};\n", name, offset_text(operand, index, spec_.rank));
  };
  for (size_t i = 0; i < spec_.loads.size(); ++i) add(name_of_load(i), spec_.loads[i], i);
  for (size_t i = 0; i < spec_.stores.size(); ++i)
    add(name_of_store(i), spec_.stores[i].operand, spec_.loads.size() + i);
  return fmt::format(R"(
  struct Offsets {{
    Index{};
  }};
  static INLINE Offsets offsets(const Args& a, const Index (&at)[{}]) {{
    Offsets o;
{}    return o;
  }}
)",
                     members, spec_.rank, lines);
}

std::string BodySource::loaded_text() const {
  std::string loaded, stored;
  for (size_t i = 0; i < spec_.loads.size(); ++i) {
    if (phases_of_load(spec_, phases_, i) == 0) continue;
    loaded += fmt::format("    {} in{}[kVector];\n", value_type(spec_.loads[i].dtype), i);
  }
  for (size_t i = 0; i < spec_.stores.size(); ++i) {
    if (!is_plain_store(spec_.stores[i])) continue;
    stored += fmt::format("    {} out{}[kVector];\n", value_type(spec_.stores[i].operand.dtype), i);
  }
  return fmt::format(R"(
  template <int kVector>
  struct Loaded {{
{}  }};
  template <int kVector>
  struct Stored {{
{}  }};
)",
                     loaded, stored);
}

std::string BodySource::load_call(size_t operand) const {
  const OperandSpec& spec = spec_.loads[operand];
  const std::string head =
      fmt::format("<{}>(a.pointers[{}], o.in{}, ", element_type(spec.dtype), operand, operand);
  switch (spec.strides[last_]) {
    case StrideClass::kZero:
      return fmt::format("load_same{}valid, x.in{});", head, operand);
    case StrideClass::kOne:
      return fmt::format("load_unit{}valid, whole, x.in{});", head, operand);
    default:
      return fmt::format("load_strided{}a.strides[{}][{}], valid, x.in{});", head, operand, last_,
                         operand);
  }
}

std::string BodySource::load_text() const {
  std::string lines;
  for (size_t i = 0; i < spec_.loads.size(); ++i) {
    const unsigned phases = phases_of_load(spec_, phases_, i);
    if (phases == 0 || is_transposed(i)) continue;
    const std::string when =
        has_rows() ? fmt::format("if constexpr (loads_now({}, kPhase, kKeeps)) ", phases) : "";
    lines += fmt::format("    {}{}\n", when, load_call(i));
  }
  return fmt::format(R"(
  template <{}int kVector>
  static INLINE void load(const Args& a, const Offsets& o, int valid, bool whole,
                          Loaded<kVector>& x) {{
{}  }}
)",
                     has_rows() ? "int kPhase, bool kKeeps, " : "", lines);
}

std::string BodySource::store_text() const {
  std::string lines;
  for (size_t i = 0; i < spec_.stores.size(); ++i) {
    if (!is_plain_store(spec_.stores[i])) continue;
    const OperandSpec& operand = spec_.stores[i].operand;
    const size_t index = spec_.loads.size() + i;
    const std::string head =
        fmt::format("<{}>(a.pointers[{}], o.out{}, ", element_type(operand.dtype), index, i);
    if (operand.strides[last_] == StrideClass::kOne) {
      lines += fmt::format("    store_unit{}valid, whole, y.out{});\n", head, i);
    } else {
      lines += fmt::format("    store_strided{}a.strides[{}][{}], valid, y.out{});\n", head, index,
                           last_, i);
    }
  }
  return fmt::format(R"(
  template <int kVector>
  static INLINE void store(const Args& a, const Offsets& o, int valid, bool whole,
                           const Stored<kVector>& y) {{
{}  }}
)",
                     lines);
}

std::string BodySource::tiles_text() const {
  std::string members, fill, take;
  for (size_t i = 0; i < spec_.loads.size(); ++i) {
    if (!is_transposed(i)) continue;
    const std::string_view type = element_type(spec_.loads[i].dtype);
    members += fmt::format("    {} in{}[kTile][kTileLine<{}>];\n", type, i, type);
    fill += fmt::format(
        "    tiles.in{}[line][column] = static_cast<const {}*>(a.pointers[{}])[o.in{}];\n", i, type,
        i, i);
    take += fmt::format("    x.in{}[0] = widen(tiles.in{}[line][column]);\n", i, i);
  }
  return fmt::format(R"(
  struct Tiles {{
{}  }};
  static INLINE void fill(const Args& a, const Offsets& o, int line, int column, Tiles& tiles) {{
{}  }}
  static INLINE void take(const Tiles& tiles, int line, int column, Loaded<1>& x) {{
{}  }}
)",
                     members, fill, take);
}

}  // namespace torchweld::cuda
