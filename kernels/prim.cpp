// Names and arities of the primitives.
#include "kernels/prim.h"

#include <array>

namespace torchweld {
namespace {

struct Row {
  std::string_view name;
  int arity;
};

constexpr Row kRows[] = {
#define X(name, text, arity) {text, arity},
    TORCHWELD_PRIMS(X)
#undef X
};

}  // namespace

std::string_view name_of(Prim prim) { return kRows[static_cast<size_t>(prim)].name; }

int arity_of(Prim prim) { return kRows[static_cast<size_t>(prim)].arity; }

}  // namespace torchweld
