// What the bodies of kernels may name: a module's variables and functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/virtual_gpu/ptx.h"
#include "tests/virtual_gpu/ptx_reader.h"

namespace torchweld::virtual_gpu {

inline constexpr int64_t kSharedRedzone = 64;  ///< bytes between shared variables: nobody's

inline int64_t aligned(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

/// A variable's place, by its space.
struct Symbol {
  uint64_t value = 0;
  bool dynamic_shared = false;
};

struct Declaration {
  std::string name;
  Type type = Type::kB8;
  int64_t align = 1, count = 1;
  bool is_array = false, has_count = true;
  int64_t bytes() const { return count * size_of(type); }
};

/// ".align 16 .b8 name[64]", from behind the space to before what follows.
Declaration read_declaration(PtxReader& in);

/// A .func as its text: where its body begins, and its parameters in order, the result first.
struct FunctionText {
  struct Parameter {
    std::string name;
    int64_t bytes;
  };
  std::vector<Parameter> results, parameters;
  size_t body = 0;
  int line = 0;
};

struct ModuleScope {
  std::map<std::string, Symbol> symbols;
  std::vector<SharedVariable> shared;
  int64_t shared_bytes = 0;
  std::map<std::string, FunctionText> functions;
};

/// Adds a .shared variable to a list, and its name to the symbols.
void declare_shared(PtxReader& in, std::vector<SharedVariable>* list, int64_t* top,
                    std::map<std::string, Symbol>* symbols);

/// Reads the rest of a kernel behind ".entry": its name, parameters and body.
Kernel read_kernel(PtxReader& in, const ModuleScope& module);

}  // namespace torchweld::virtual_gpu
