// Sizes and names of element types.
#include "kernels/dtype.h"

#include <array>

namespace torchweld {
namespace {

struct Row {
  std::string_view name;
  int64_t bytes;
};

constexpr std::array<Row, kDTypeCount> kRows = {{{"f32", 4},
                                                 {"f64", 8},
                                                 {"f16", 2},
                                                 {"bf16", 2},
                                                 {"i64", 8},
                                                 {"i32", 4},
                                                 {"i16", 2},
                                                 {"i8", 1},
                                                 {"u8", 1},
                                                 {"bool", 1},
                                                 {"c64", 8},
                                                 {"other", 0}}};

}  // namespace

int64_t size_of(DType dtype) { return kRows[static_cast<size_t>(dtype)].bytes; }

std::string_view name_of(DType dtype) { return kRows[static_cast<size_t>(dtype)].name; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace torchweld
