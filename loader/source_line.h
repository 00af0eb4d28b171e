// Where in the archive's code a node comes from.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <string>

namespace torchweld {

/// "code/__torch__/model.py:12"; empty where nothing says so.
///
/// LibTorch gives `prim::tolist` no place. It is looked for in the text, before the next node of
/// the same function that has one, or else after the last.
std::string source_of(const torch::jit::Node* node);

}  // namespace torchweld
