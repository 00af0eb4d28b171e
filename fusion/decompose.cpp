// Composite operators as those that the planner knows.
#include <algorithm>
#include <set>

#include "fusion/affine_grid.h"
#include "fusion/batch_norm.h"
#include "fusion/by_index_nodes.h"
#include "fusion/class_losses.h"
#include "fusion/composite.h"
#include "fusion/diagonals.h"
#include "fusion/einsum.h"
#include "fusion/gated_unit.h"
#include "fusion/group_norm.h"
#include "fusion/host_matmul.h"
#include "fusion/host_resize.h"
#include "fusion/indexed.h"
#include "fusion/member.h"
#include "fusion/move_nodes.h"
#include "fusion/passes.h"
#include "fusion/point_distances.h"
#include "fusion/pooling.h"
#include "fusion/recurrence.h"
#include "fusion/reduction.h"
#include "fusion/rewriter.h"
#include "fusion/row_ops.h"
#include "fusion/scatter.h"
#include "fusion/shuffles.h"
#include "fusion/window_pool.h"

namespace torchweld {
namespace {

/// cat passes over a tensor of one dim without elements, whatever the rank of the others.
bool is_no_piece(const Graph& graph, const Node& node, ValueId id) {
  return node.op == "aten::cat" && graph.value(id).sizes == std::vector<int64_t>{0};
}

/// cat or stack of a few tensors, each of which gets its own copy into the result.
bool is_plain_concatenation(const Graph& graph, const Node& node, const Target& target) {
  if (node.op != "aten::cat" && node.op != "aten::stack") return false;
  const auto* list = node.args[0].tensor_list();
  const size_t most = target.hand_kernels ? kMostPiecesOnHost : kMostCopiedPieces;
  if (list == nullptr || list->ids.size() > most || node.outputs.size() != 1) return false;
  const Value& out = graph.value(node.outputs[0]);
  const size_t rank = out.sizes.size() - (node.op == "aten::stack" ? 1 : 0);
  return !out.opaque && graph.storage_of(node.outputs[0]).kind == Storage::Kind::kLocal &&
         std::all_of(list->ids.begin(), list->ids.end(), [&](ValueId id) {
           return id != kNone && !graph.value(id).opaque &&
                  (graph.value(id).sizes.size() == rank || is_no_piece(graph, node, id));
         });
}

/// Whether no kernel of the nodes `before` makes a piece: then one kernel that reads all of them
/// beats a copy of each, which would otherwise be part of the kernel that makes it.
bool reads_only_memory(const Graph& graph, const std::vector<Node>& before, const Node& node,
                       const Target& target) {
  std::set<StorageId> pieces;
  for (const ValueId id : node.args[0].tensor_list()->ids) pieces.insert(graph.value(id).storage);
  return std::none_of(before.begin(), before.end(), [&](const Node& maker) {
    std::string why;
    return !maker.outputs.empty() && maker.outputs[0] != kNone &&
           pieces.contains(graph.value(maker.outputs[0]).storage) &&
           member_of(graph, maker, target, &why);
  });
}

std::vector<Node> concatenation(Graph* graph, const Node& node) {
  Rewriter r(graph, node);
  const bool stack = node.op == "aten::stack";
  const auto rank = static_cast<int64_t>(graph->value(node.outputs[0]).sizes.size());
  const int64_t named = std::get<int64_t>(node.args[1].value);
  const auto dim = static_cast<size_t>(named < 0 ? named + rank : named);
  int64_t begin = 0;
  for (const ValueId id : node.args[0].tensor_list()->ids) {
    if (is_no_piece(*graph, node, id)) continue;
    Value piece = graph->value(node.outputs[0]);
    const int64_t extent = stack ? 1 : graph->value(id).sizes[dim];
    piece.offset += begin * piece.strides[dim];
    begin += extent;
    if (stack) {
      piece.sizes.erase(piece.sizes.begin() + static_cast<std::ptrdiff_t>(dim));
      piece.strides.erase(piece.strides.begin() + static_cast<std::ptrdiff_t>(dim));
    } else {
      piece.sizes[dim] = extent;
    }
    if (piece.elements() == 0) continue;
    r.store(id, graph->add(std::move(piece)));
  }
  return r.take();
}

/// reshape, flatten and the like of a tensor whose elements have to move: a copy that a kernel
/// makes, seen with other sizes.
bool is_copying_reshape(const Graph& graph, const Node& node) {
  static const std::set<std::string> names = {"aten::reshape", "aten::flatten.using_ints"};
  if (!names.contains(node.op) || !node.pure || node.outputs.size() != 1) return false;
  const auto* x = node.args[0].tensor();
  if (x == nullptr || x->id == kNone || node.outputs[0] == kNone) return false;
  const Value& from = graph.value(x->id);
  const Value& out = graph.value(node.outputs[0]);
  return !from.opaque && !out.opaque && from.dtype == out.dtype && from.dtype != DType::kOther &&
         from.storage != out.storage && out.elements() > 0 &&
         graph.storage_of(node.outputs[0]).kind == Storage::Kind::kLocal && out.offset == 0 &&
         out.strides == contiguous_strides(out.sizes);
}

std::vector<Node> copying_reshape(Graph* graph, const Node& node) {
  const ValueId x = node.args[0].tensor()->id;
  Value moved = graph->value(node.outputs[0]);
  moved.sizes = graph->value(x).sizes;
  moved.strides = contiguous_strides(moved.sizes);
  Node copy;
  copy.op = "aten::clone";
  copy.args = {tensor(x), {int64_t{0}}};  // contiguous
  copy.outputs = {graph->add(std::move(moved))};
  copy.source = node.source;
  copy.recorded = node.recorded;
  return {std::move(copy)};
}

/// Storages that a node reads or that leave the block.
std::set<StorageId> read_storages(const Graph& graph) {
  std::set<StorageId> read;
  const auto add = [&](ValueId id) {
    if (id != kNone) read.insert(graph.value(id).storage);
  };
  for (const Node& node : graph.nodes) for_each_input(node, add);
  for (const ValueId id : graph.outputs) add(id);
  return read;
}

/// Whether an operator of several results has but one that is read.
bool has_one_result(const Graph& graph, const Node& node, const std::set<StorageId>& read) {
  return std::count_if(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
           return id != kNone && read.contains(graph.value(id).storage);
         }) <= 1;
}

/// A maximum's place that nobody reads isn't made.
void drop_unread_place(const Graph& graph, const std::set<StorageId>& read, Node* node) {
  if (node->outputs.size() != 2 || node->outputs[1] == kNone) return;
  if (!read.contains(graph.value(node->outputs[1]).storage)) node->outputs[1] = kNone;
}

/// What a node is made of, if the target takes all reductions among it: one that is left over
/// would cost more than the whole operator.
std::optional<std::vector<Node>> nodes_for_rows(const Target& target, Graph* graph,
                                                const std::set<StorageId>& read, const Node& node) {
  if (target.rows) {
    for (const auto rewrite :
         {row_nodes, composite_nodes, move_nodes, scatter_nodes, maxima_and_places}) {
      if (auto nodes = rewrite(graph, node)) return nodes;
    }
    if (auto nodes = class_loss_nodes(graph, node, target)) return nodes;
    if (auto nodes = diagonal_nodes(graph, node, target)) return nodes;
    if (!target.blas) return std::nullopt;
    auto nodes = einsum_nodes(graph, node, true);
    return nodes ? std::move(nodes) : product_of_copied_rows(graph, node, true);
  }
  if (target.hand_kernels) {
    for (const auto rewrite :
         {by_index_nodes, affine_grid_nodes, repeat_nodes, pooling_and_copy, resize_and_copy}) {
      if (auto nodes = rewrite(graph, node)) return nodes;
    }
    if (auto nodes = einsum_nodes(graph, node, false)) return nodes;
    if (auto nodes = product_of_copied_rows(graph, node, false)) return nodes;
    if (auto nodes = product_of_vectors(graph, node)) return nodes;
  }
  if (!target.float_rows) return std::nullopt;
  if (auto nodes = diagonal_nodes(graph, node, target)) return nodes;
  auto nodes = group_norm_by_channel(graph, node);
  if (!nodes) nodes = row_nodes(graph, node);
  if (!nodes) nodes = composite_nodes(graph, node);
  if (!nodes) nodes = class_loss_nodes(graph, node, target);
  if (!nodes) nodes = maximum_of_image(graph, node);
  if (!nodes) nodes = point_distances(graph, node);
  if (!nodes) return move_nodes(graph, node);
  if (target.hand_kernels && node.outputs.size() == 2 && has_one_result(*graph, node, read))
    return nodes;  // an extreme or its place: drop_dead takes the other
  for (const Node& part : *nodes) {
    const auto reduction = as_reduction(*graph, part);
    if (reduction && !is_of_floats(*graph, *reduction)) return std::nullopt;
  }
  return nodes;
}

}  // namespace

void decompose(Graph* graph, const Target& target) {
  const std::set<StorageId> read = read_storages(*graph);
  std::vector<Node> nodes;
  for (Node& node : graph->nodes) {
    if (target.hand_kernels && node.op.find("max_pool") != std::string::npos)
      drop_unread_place(*graph, read, &node);
    std::vector<Node> parts;
    const std::string op = node.op;
    auto rows = nodes_for_rows(target, graph, read, node);
    if (!rows) rows = recurrence_nodes(graph, node, target);
    if (!rows) rows = gated_unit_nodes(graph, node);
    if (!rows) rows = shuffle_nodes(graph, node);
    if (rows) {
      parts = std::move(*rows);
    } else if (is_copying_reshape(*graph, node)) {
      parts = copying_reshape(graph, node);
    } else if (is_plain_batch_norm(*graph, node)) {
      parts = batch_norm(graph, node);
    } else if (is_plain_concatenation(*graph, node, target) &&
               !(target.rows && reads_only_memory(*graph, nodes, node, target) &&
                 indexed_domain(*graph, node))) {
      parts = concatenation(graph, node);
    } else {
      parts.push_back(std::move(node));
    }
    for (Node& part : parts) {
      // A cell's products are told only now how their operands lie.
      const bool is_new = part.op != op && target.hand_kernels;
      auto copied = is_new ? product_of_copied_rows(graph, part, false) : std::nullopt;
      if (!copied) copied = std::vector<Node>{std::move(part)};
      for (Node& one : *copied) {
        if (one.op != op) one.part_of = op;
        nodes.push_back(std::move(one));
      }
    }
  }
  graph->nodes = std::move(nodes);
}

}  // namespace torchweld
