#include "fusion/diagonals.h"

#include <algorithm>

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

constexpr int64_t kLongestTrace = 256;  // on the host, where LibTorch is faster with a longer one

/// Elements whose place in dim `columns` is `offset` more than in dim `rows`.
struct Diagonal {
  ValueId source = kNone;  ///< its last dim runs along the diagonal
  int64_t offset = 0;
  size_t rows = 0, columns = 1;
};

std::optional<Diagonal> diagonal_of(const Graph& graph, const Node& node) {
  const bool scatters = node.op == "aten::diagonal_scatter", embeds = node.op == "aten::diag_embed";
  if (!scatters && !embeds && node.op != "aten::diag" && node.op != "aten::diagflat")
    return std::nullopt;
  Diagonal d;
  const size_t first = scatters ? 2 : 1;
  d.source = tensor_arg(node, scatters ? 1 : 0);
  const auto offset = int_arg(node, first);
  const size_t rank = graph.value(node.outputs[0]).sizes.size();
  if (d.source == kNone || !offset || graph.value(d.source).sizes.size() + 1 != rank)
    return std::nullopt;
  d.offset = *offset;
  if (!scatters && !embeds) return d;
  const auto rows = dim_arg(node, first + 1, rank), columns = dim_arg(node, first + 2, rank);
  if (!rows || !columns) return std::nullopt;
  d.rows = *rows;
  d.columns = *columns;
  return d;
}

/// The diagonal of all dims; nullopt for a tensor without elements.
std::optional<Value> main_diagonal(const Value& x) {
  if (x.opaque || x.elements() == 0 || x.sizes.size() < 2) return std::nullopt;
  Value v = x;
  int64_t stride = 0;
  for (const int64_t s : x.strides) stride += s;
  v.sizes = {*std::min_element(x.sizes.begin(), x.sizes.end())};
  v.strides = {stride};
  v.has_scalar = false;
  return v;
}

std::optional<std::vector<Node>> copy_of_diagonal(Graph* graph, const Node& node) {
  const auto offset = int_arg(node, 1);
  Value v = graph->value(tensor_arg(node, 0));
  const Value& out = graph->value(node.outputs[0]);
  if (!offset || v.sizes.size() != 2 || out.sizes.size() != 1 || out.elements() == 0 ||
      v.dtype != out.dtype)
    return std::nullopt;
  v.offset += *offset > 0 ? *offset * v.strides[1] : -*offset * v.strides[0];
  v.sizes = out.sizes;
  v.strides = {v.strides[0] + v.strides[1]};
  v.has_scalar = false;
  Rewriter r(graph, node);
  r.call("aten::clone", {tensor(graph->add(std::move(v))), {int64_t{0}}}, node.outputs[0]);
  return r.take();
}

/// Zeros, or the first argument's elements, then a copy into the diagonal.
std::optional<std::vector<Node>> written_diagonal(Graph* graph, const Node& node) {
  const auto d = diagonal_of(*graph, node);
  const ValueId made = node.outputs[0];
  const Value out = graph->value(made);
  if (!d || out.strides != contiguous_strides(out.sizes) || out.elements() == 0 ||
      graph->storage_of(made).kind != Storage::Kind::kLocal)
    return std::nullopt;
  Rewriter r(graph, node);
  if (node.op == "aten::diagonal_scatter") {
    r.call("aten::clone", {node.args[0], {int64_t{0}}}, made);
  } else {
    const auto number = scalar_type_number(out.dtype);
    r.call("aten::zeros", {{out.sizes}, {number}, Arg{}, Arg{}, Arg{}}, made);
  }
  const Value& source = graph->value(d->source);
  if (source.elements() == 0) return r.take();
  Value v = out;
  v.offset +=
      d->offset >= 0 ? d->offset * out.strides[d->columns] : -d->offset * out.strides[d->rows];
  v.strides.push_back(out.strides[d->rows] + out.strides[d->columns]);
  for (const size_t dim : {std::max(d->rows, d->columns), std::min(d->rows, d->columns)})
    v.strides.erase(v.strides.begin() + static_cast<std::ptrdiff_t>(dim));
  v.sizes = source.sizes;
  r.store(d->source, graph->add(std::move(v)));
  return r.take();
}

std::optional<std::vector<Node>> trace(Graph* graph, const Node& node, const Target& target) {
  auto diagonal = main_diagonal(graph->value(tensor_arg(node, 0)));
  const Value& out = graph->value(node.outputs[0]);
  if (!diagonal || diagonal->dtype != out.dtype ||
      (!target.rows && diagonal->sizes[0] > kLongestTrace) ||
      (out.dtype != DType::kF32 && out.dtype != DType::kF64))
    return std::nullopt;
  Rewriter r(graph, node);
  r.call("aten::sum.dim_IntList",
         {tensor(graph->add(std::move(*diagonal))), {Arg::Ints{0}}, {false}, Arg{}},
         node.outputs[0]);
  return r.take();
}

}  // namespace

bool takes_diagonal(const Graph& graph, const Node& node) {
  const auto d = diagonal_of(graph, node);
  return d && graph.value(d->source).dtype != DType::kC64 &&
         graph.value(d->source).dtype == graph.value(node.outputs[0]).dtype &&
         graph.value(tensor_arg(node, 0)).dtype == graph.value(d->source).dtype;
}

int16_t emit_diagonal(const Graph& graph, const Node& node, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const Diagonal d = *diagonal_of(graph, node);
  const Value& source = graph.value(d.source);
  const size_t rank = source.sizes.size() + 1;
  std::vector<int64_t> strides(rank, 0);
  size_t next = 0;
  for (size_t dim = 0; dim < rank; ++dim) {
    if (dim != d.rows && dim != d.columns) strides[dim] = source.strides[next++];
  }
  // Of the two coordinates that which begins at 0 on the diagonal.
  strides[d.offset >= 0 ? d.rows : d.columns] = source.strides.back();
  const int16_t beyond =
      b.emit(Prim::kSub, DType::kI64, kernel->coord(d.columns), kernel->coord(d.rows));
  const int16_t inside = b.emit(Prim::kEq, DType::kBool, beyond, kernel->number(d.offset));
  const int16_t value = kernel->load(d.source, strides, -1, inside);
  if (node.op != "aten::diagonal_scatter") return value;
  return b.emit(Prim::kSelect, b.type_of(value), inside, value, kernel->here(tensor_arg(node, 0)));
}

std::optional<std::vector<Node>> diagonal_nodes(Graph* graph, const Node& node,
                                                const Target& target) {
  if (!node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone) return std::nullopt;
  const ValueId x = tensor_arg(node, 0);
  if (x == kNone || graph->value(x).opaque || graph->value(node.outputs[0]).opaque)
    return std::nullopt;
  if (node.op == "aten::trace") return trace(graph, node, target);
  if (node.op == "aten::diag" && graph->value(x).sizes.size() == 2)
    return copy_of_diagonal(graph, node);
  return !target.rows && takes_diagonal(*graph, node) ? written_diagonal(graph, node)
                                                      : std::nullopt;
}

void name_diagonal_fills(Graph* graph) {
  for (Node& node : graph->nodes) {
    if (node.op != "aten::fill_diagonal_") continue;
    const ValueId x = tensor_arg(node, 0);
    if (x == kNone || !number_arg(node, 1) || node.writes != std::vector<ValueId>{x}) continue;
    const Value& v = graph->value(x);
    const auto diagonal = main_diagonal(v);
    const bool goes_on = flag_arg(node, 2) && v.sizes.size() == 2 && v.sizes[0] > v.sizes[1] + 1;
    if (!diagonal || goes_on) continue;
    const ValueId written = graph->add(*diagonal);
    node.op = "aten::fill_.Scalar";
    node.args = {tensor(written), node.args[1]};
    node.writes = {written};
    node.outputs.clear();
  }
}

}  // namespace torchweld
