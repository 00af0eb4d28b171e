#include "fusion/move_nodes.h"

#include <set>

#include "fusion/fold.h"
#include "fusion/gather.h"
#include "fusion/moves.h"
#include "fusion/node_args.h"
#include "fusion/resize.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

/// The tensor as one dim: itself where it is contiguous, else a copy.
ValueId flat(Graph* graph, Rewriter* r, ValueId x) {
  const Value from = graph->value(x);
  if (from.strides != contiguous_strides(from.sizes))
    x = r->call("aten::clone", {tensor(x), {int64_t{0}}}, r->fresh(from.dtype, from.sizes));
  Value v = graph->value(x);
  v.sizes = {from.elements()};
  v.strides = {1};
  v.has_scalar = false;
  return graph->add(std::move(v));
}

/// The same elements of the result with other dims; made by the node instead of it.
ValueId seen_as(Graph* graph, ValueId out, std::vector<int64_t> sizes,
                std::vector<int64_t> strides) {
  Value v = graph->value(out);
  v.sizes = std::move(sizes);
  v.strides = std::move(strides);
  return graph->add(std::move(v));
}

bool is_contiguous(const Value& v) { return v.strides == contiguous_strides(v.sizes); }

std::optional<std::vector<Node>> flat_roll(Graph* graph, const Node& node) {
  const auto *shifts = ints_arg(node, 1), *dims = ints_arg(node, 2);
  const Value out = graph->value(node.outputs[0]);
  if (shifts == nullptr || dims == nullptr || !dims->empty() || shifts->size() != 1 ||
      !is_contiguous(out))
    return std::nullopt;
  Rewriter r(graph, node);
  const ValueId x = flat(graph, &r, tensor_arg(node, 0));
  const ValueId y = seen_as(graph, node.outputs[0], {out.elements()}, {1});
  r.call("aten::roll", {tensor(x), node.args[1], {Arg::Ints{0}}}, y);
  return r.take();
}

std::optional<std::vector<Node>> flat_repeat_interleave(Graph* graph, const Node& node) {
  if (!node.args[2].is_none() || graph->value(tensor_arg(node, 0)).sizes.size() == 1)
    return std::nullopt;
  Rewriter r(graph, node);
  const ValueId x = flat(graph, &r, tensor_arg(node, 0));
  r.call(node.op.c_str(), {tensor(x), node.args[1], {int64_t{0}}, Arg{}}, node.outputs[0]);
  return r.take();
}

/// Elements of the flat tensor, unless the copy that makes it flat is larger than they are.
std::optional<std::vector<Node>> take(Graph* graph, const Node& node) {
  const ValueId index = tensor_arg(node, 1);
  if (index == kNone) return std::nullopt;
  const Value &from = graph->value(tensor_arg(node, 0)), &out = graph->value(node.outputs[0]);
  if (out.elements() == 0) return std::vector<Node>{};
  if (!is_contiguous(from) && from.elements() > out.elements()) return std::nullopt;
  Rewriter r(graph, node);
  const ValueId x = flat(graph, &r, tensor_arg(node, 0));
  r.call("aten::index.Tensor", {tensor(x), {Arg::TensorList{{index}}}}, node.outputs[0]);
  return r.take();
}

/// A quarter turn is one flip, seen with the two dims exchanged; half a turn is two.
std::optional<std::vector<Node>> rot90(Graph* graph, const Node& node) {
  const auto turns = int_arg(node, 1);
  const auto* dims = ints_arg(node, 2);
  if (!turns || dims == nullptr || dims->size() != 2) return std::nullopt;
  const Value out = graph->value(node.outputs[0]);
  const size_t a = whole_dim((*dims)[0], out.sizes.size()),
               b = whole_dim((*dims)[1], out.sizes.size());
  const int64_t quarter = (*turns % 4 + 4) % 4;
  if (quarter == 0) return std::nullopt;
  Rewriter r(graph, node);
  Arg::Ints flipped = *dims;
  if (quarter != 2) flipped = {(*dims)[quarter == 1 ? 1 : 0]};
  ValueId y = node.outputs[0];
  if (quarter != 2) {
    std::vector<int64_t> sizes = out.sizes, strides = out.strides;
    std::swap(sizes[a], sizes[b]);
    std::swap(strides[a], strides[b]);
    y = seen_as(graph, y, std::move(sizes), std::move(strides));
  }
  r.call("aten::flip", {node.args[0], {std::move(flipped)}}, y);
  return r.take();
}

std::optional<std::vector<Node>> flip_of(Graph* graph, const Node& node, int64_t dim) {
  Rewriter r(graph, node);
  r.call("aten::flip", {node.args[0], {Arg::Ints{dim}}}, node.outputs[0]);
  return r.take();
}

/// im2col: windows of an image, perhaps with zeros around it, are views, and their copy the result.
std::optional<std::vector<Node>> windows_as_columns(Graph* graph, const Node& node) {
  const ValueId image = tensor_arg(node, 0);
  const Value out = graph->value(node.outputs[0]);
  const auto *kernel = ints_arg(node, 1), *dilation = ints_arg(node, 2),
             *padding = ints_arg(node, 3), *step = ints_arg(node, 4);
  for (const auto* list : {kernel, dilation, padding, step}) {
    if (list == nullptr || list->size() != 2) return std::nullopt;
  }
  const size_t rank = graph->value(image).sizes.size();
  if (!is_contiguous(out) || out.elements() == 0 || (rank != 3 && rank != 4)) return std::nullopt;
  Rewriter r(graph, node);
  ValueId padded = image;
  if ((*padding)[0] != 0 || (*padding)[1] != 0) {
    std::vector<int64_t> sizes = graph->value(image).sizes;
    sizes[rank - 2] += 2 * (*padding)[0];
    sizes[rank - 1] += 2 * (*padding)[1];
    const Arg::Ints around = {(*padding)[1], (*padding)[1], (*padding)[0], (*padding)[0]};
    padded = r.call("aten::constant_pad_nd", {tensor(image), {around}, {0.0}},
                    r.fresh(out.dtype, std::move(sizes)));
  }
  Value v = graph->value(padded);
  const int64_t height = v.sizes[rank - 2], width = v.sizes[rank - 1];
  const int64_t down = v.strides[rank - 2], right = v.strides[rank - 1];
  const auto steps = [&](int64_t size, size_t d) {
    return (size - (*dilation)[d] * ((*kernel)[d] - 1) - 1) / (*step)[d] + 1;
  };
  v.sizes.resize(rank - 2);
  v.strides.resize(rank - 2);
  v.sizes.insert(v.sizes.end(), {(*kernel)[0], (*kernel)[1], steps(height, 0), steps(width, 1)});
  v.strides.insert(v.strides.end(), {(*dilation)[0] * down, (*dilation)[1] * right,
                                     (*step)[0] * down, (*step)[1] * right});
  if (v.elements() != out.elements()) return std::nullopt;
  const ValueId y = seen_as(graph, node.outputs[0], v.sizes, contiguous_strides(v.sizes));
  const ValueId windows = graph->add(std::move(v));
  r.call("aten::clone", {tensor(windows), {int64_t{0}}}, y);
  return r.take();
}

/// Memory that nobody has written: the plan places it, and no step makes it.
bool makes_no_values(const std::string& op) {
  static const std::set<std::string> names = {"aten::empty.memory_format", "aten::empty_like",
                                              "aten::new_empty", "aten::empty_strided",
                                              "aten::new_empty_strided"};
  return names.contains(op);
}

}  // namespace

std::optional<std::vector<Node>> move_nodes(Graph* graph, const Node& node) {
  if (!node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone) return std::nullopt;
  const Value& out = graph->value(node.outputs[0]);
  if (out.opaque) return std::nullopt;
  const bool moves = find_move(node.op) != nullptr || find_resize(node.op) != nullptr ||
                     gather_of(*graph, node).has_value();
  if ((moves && out.elements() == 0) || makes_no_values(node.op)) return std::vector<Node>{};
  const ValueId x = tensor_arg(node, 0);
  if (x == kNone || graph->value(x).opaque) return std::nullopt;
  if (node.op == "aten::roll") return flat_roll(graph, node);
  if (node.op == "aten::repeat_interleave.self_int") return flat_repeat_interleave(graph, node);
  if (node.op == "aten::take") return take(graph, node);
  if (node.op == "aten::im2col") return windows_as_columns(graph, node);
  if (node.op == "aten::col2im") return fold_nodes(graph, node);
  if (node.op == "aten::rot90") return rot90(graph, node);
  if (node.op == "aten::flipud") return flip_of(graph, node, 0);
  if (node.op == "aten::fliplr") return flip_of(graph, node, 1);
  return std::nullopt;
}

}  // namespace torchweld
