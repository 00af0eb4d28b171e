#include "loader/source_line.h"

#include <fmt/format.h>

#include <optional>

namespace torchweld {
namespace {

namespace jit = torch::jit;

constexpr std::string_view kToList = ".tolist(";

std::string line_of(const jit::SourceRange& range) {
  const auto position = range.file_line_col();
  if (!position) return "";
  const auto& [file, line, column] = *position;
  return fmt::format("{}:{}", file, line);
}

/// Constants are moved to the front of a graph, so their places tell nothing.
bool is_of_function(const jit::Node* node, const jit::Node* other) {
  const auto a = node->callstack(), b = other->callstack();
  if (node->kind() == c10::prim::Constant || a.has_value() != b.has_value()) return false;
  return !a.has_value() || a->get() == b->get();
}

/// The neighbour of `node` that has a place, and how many lists are made on the way there.
const jit::Node* neighbour(const jit::Node* node, bool after, int* lists) {
  const jit::Node* at = after ? node->next() : node->prev();
  // A block's nodes are a ring, closed by the node of its results.
  for (; at != node->owningBlock()->return_node() && at->kind() != c10::prim::Param;
       at = after ? at->next() : at->prev()) {
    if (!is_of_function(at, node)) continue;
    if (at->sourceRange().file_line_col()) return at;
    *lists += at->kind() == c10::prim::tolist;
  }
  return nullptr;
}

std::string place_of_list(const jit::Node* node) {
  for (const bool after : {true, false}) {
    int lists = 0;
    const jit::Node* const near = neighbour(node, after, &lists);
    if (near == nullptr) continue;
    const jit::SourceRange range = near->sourceRange();
    const std::string text = range.source()->text_str().str();
    // An operand of the next node is written inside that.
    size_t at = after ? text.rfind(kToList, range.end()) : text.find(kToList, range.end());
    for (; lists > 0 && at != std::string::npos && at > 0; --lists)
      at = after ? text.rfind(kToList, at - 1) : text.find(kToList, at + 1);
    if (at != std::string::npos)
      return line_of(jit::SourceRange(range.source(), at, at + kToList.size()));
  }
  return "";
}

}  // namespace

std::string source_of(const jit::Node* node) {
  std::string line = line_of(node->sourceRange());
  if (line.empty() && node->kind() == c10::prim::tolist) line = place_of_list(node);
  return line;
}

}  // namespace torchweld
