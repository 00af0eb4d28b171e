#include "loader/nested_concatenations.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace torchweld {
namespace {

namespace jit = torch::jit;

bool is_list_of_concatenation(const jit::Node* node) {
  const auto& uses = node->output()->uses();
  return node->kind() == c10::prim::ListConstruct &&
         std::any_of(uses.begin(), uses.end(),
                     [](const jit::Use& use) { return use.user->kind() == c10::aten::cat; });
}

/// A list of pieces, and one of them.
struct Piece {
  jit::Node* list;
  size_t index;
};

struct Pieces {
  std::vector<Piece> that_are_made_so;  ///< by operators of one kind
  bool any_write = false;               ///< of any tensor in the graph
};

void collect(jit::Block* block, c10::Symbol maker, Pieces* out) {
  for (jit::Node* node : block->nodes()) {
    for (jit::Block* inner : node->blocks()) collect(inner, maker, out);
    const c10::FunctionSchema* schema = node->maybeSchema();
    out->any_write |= schema != nullptr && schema->is_mutable();
    if (node->outputs().size() != 1 || !is_list_of_concatenation(node)) continue;
    for (size_t i = 0; i < node->inputs().size(); ++i) {
      if (node->input(i)->node()->kind() == maker) out->that_are_made_so.push_back({node, i});
    }
  }
}

Pieces pieces_of(jit::Graph* graph, c10::Symbol maker) {
  Pieces out;
  collect(graph->block(), maker, &out);
  return out;
}

}  // namespace

jit::Module with_concatenations_apart(const jit::Module& module, const std::string& method) {
  const auto inlined = module.get_method(method).graph()->copy();
  jit::Inline(*inlined);
  const Pieces nested = pieces_of(inlined.get(), c10::aten::cat);
  if (!nested.any_write || nested.that_are_made_so.empty()) return module;
  jit::Module made = module.clone(/*inplace=*/true);
  const auto graph = made.get_method(method).graph();
  jit::Inline(*graph);
  for (const Piece& piece : pieces_of(graph.get(), c10::aten::cat).that_are_made_so) {
    const jit::WithInsertPoint guard(piece.list);
    piece.list->replaceInput(piece.index,
                             graph->insert(c10::aten::alias, {piece.list->input(piece.index)}));
  }
  return made;
}

void join_concatenations(jit::Graph* graph) {
  for (const Piece& piece : pieces_of(graph, c10::aten::alias).that_are_made_so)
    piece.list->replaceInput(piece.index, piece.list->input(piece.index)->node()->input());
}

}  // namespace torchweld
