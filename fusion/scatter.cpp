#include "fusion/scatter.h"

#include <fmt/format.h>

#include <unordered_map>

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

/// How an operator's arguments are laid out.
enum class Form : uint8_t {
  kElements,  ///< dim, index of the target's rank, source or number
  kSlices,    ///< dim, index of one dim, source or number
  kList,      ///< a list with one index, values that broadcast, accumulate
};

struct Row {
  Form form;
  ByIndex how;
};

const Row* row_of(const std::string& op) {
  static const std::unordered_map<std::string, Row> rows = {
      {"aten::scatter_.src", {Form::kElements, ByIndex::kWrite}},
      {"aten::scatter_.value", {Form::kElements, ByIndex::kWrite}},
      {"aten::scatter_.value_reduce", {Form::kElements, ByIndex::kAdd}},
      {"aten::scatter_.reduce", {Form::kElements, ByIndex::kAdd}},
      {"aten::scatter_add_", {Form::kElements, ByIndex::kAdd}},
      {"aten::scatter_reduce_.two", {Form::kElements, ByIndex::kAdd}},
      {"aten::index_add_", {Form::kSlices, ByIndex::kAdd}},
      {"aten::index_copy_", {Form::kSlices, ByIndex::kWrite}},
      {"aten::index_fill_.int_Scalar", {Form::kSlices, ByIndex::kWrite}},
      {"aten::index_put_", {Form::kList, ByIndex::kWrite}},
      {"aten::index_put_.hacked_twin", {Form::kList, ByIndex::kWrite}},
  };
  const auto it = rows.find(op);
  return it == rows.end() ? nullptr : &it->second;
}

/// What argument 3 gives: a tensor of the target's dtype, or a number.
bool set_source(const Graph& graph, const Node& node, Scatter* s) {
  s->source = tensor_arg(node, 3);
  if (s->source != kNone) return true;
  const auto number = number_arg(node, 3);
  const auto whole = int_arg(node, 3);
  if (!number || (whole && static_cast<int64_t>(*number) != *whole)) return false;
  s->number = graph.value(s->target).dtype == DType::kBool ? (*number != 0 ? 1 : 0) : *number;
  return true;
}

/// What a scatter that says so does with elements; nullopt for what no kernel does.
std::optional<ByIndex> reduction_of(const Node& node) {
  static const std::unordered_map<std::string, ByIndex> names = {
      {"sum", ByIndex::kAdd},       {"add", ByIndex::kAdd},  {"multiply", ByIndex::kMultiply},
      {"prod", ByIndex::kMultiply}, {"amax", ByIndex::kMax}, {"amin", ByIndex::kMin}};
  const Arg* how = arg_at(node, 4);
  const auto* name = how == nullptr ? nullptr : std::get_if<std::string>(&how->value);
  const auto it = name == nullptr ? names.end() : names.find(*name);
  const bool alone = node.op == "aten::scatter_reduce_.two" && !flag_arg(node, 5);
  return it == names.end() || alone ? std::nullopt : std::optional(it->second);
}

bool set_elements(const Graph& graph, const Node& node, size_t dim, Scatter* s) {
  const Value& target = graph.value(s->target);
  const ValueId id = tensor_arg(node, 2);
  if (!set_source(graph, node, s) || id == kNone) return false;
  if (node.op.ends_with("reduce") || node.op == "aten::scatter_reduce_.two") {
    const auto how = reduction_of(node);
    if (!how) return false;
    s->how = *how;
  }
  const Value& index = graph.value(id);
  if (index.sizes.size() != target.sizes.size()) return false;
  s->sizes = index.sizes;
  s->named = {{id, dim, index.strides}};
  s->target_strides = target.strides;
  s->target_strides[dim] = 0;
  if (s->source != kNone) s->source_strides = graph.value(s->source).strides;
  return s->source == kNone || s->source_strides.size() == s->sizes.size();
}

bool set_slices(const Graph& graph, const Node& node, size_t dim, Scatter* s) {
  const Value& target = graph.value(s->target);
  const ValueId id = tensor_arg(node, 2);
  if (!set_source(graph, node, s) || id == kNone) return false;
  const Value& index = graph.value(id);
  if (index.sizes.size() != 1) return false;
  s->sizes = target.sizes;
  s->sizes[dim] = index.sizes[0];
  s->named = {{id, dim, std::vector<int64_t>(s->sizes.size(), 0)}};
  s->named[0].strides[dim] = index.strides[0];
  s->target_strides = target.strides;
  s->target_strides[dim] = 0;
  s->wraps = node.op.starts_with("aten::index_fill_");
  if (node.op == "aten::index_add_") s->factor = number_arg(node, 4).value_or(1);
  if (s->source == kNone) return true;
  s->source_strides = graph.value(s->source).strides;
  return graph.value(s->source).sizes == s->sizes;
}

bool set_list(const Graph& graph, const Node& node, Scatter* s) {
  const auto* list = node.args[1].tensor_list();
  s->source = tensor_arg(node, 2);
  if (list == nullptr || s->source == kNone) return false;
  auto named = named_by_list(graph, graph.value(s->target), *list, &s->sizes, &s->target_strides);
  if (!named) return false;
  s->named = std::move(*named);
  const Value& source = graph.value(s->source);
  if (source.sizes.size() > s->sizes.size()) return false;
  s->source_strides = strides_in({s->sizes, {}}, s->sizes, source);
  s->wraps = true;
  s->how = flag_arg(node, 3) ? ByIndex::kAdd : ByIndex::kWrite;
  return true;
}

/// Whether bytes can be added to: that exchanges the word around them, which must be all of it in
/// the memory that is known to be there. Bools cannot.
bool adds_bytes(const Graph& graph, const Value& target) {
  const Storage& storage = graph.storages[static_cast<size_t>(target.storage)];
  return target.dtype != DType::kBool && storage.kind == Storage::Kind::kLocal &&
         storage.bytes % 4 == 0;
}

/// Indices that are numbers, and no operand that shares the memory which is written.
bool is_sound(const Graph& graph, const Scatter& s) {
  const Value& target = graph.value(s.target);
  if (target.opaque || target.dtype == DType::kOther) return false;
  for (const NamedDim& n : s.named) {
    const Value& index = graph.value(n.index);
    if (index.opaque || index.storage == target.storage) return false;
    if (index.dtype != DType::kI64 && index.dtype != DType::kI32) return false;
  }
  if (s.source == kNone) return true;
  const Value& source = graph.value(s.source);
  return source.dtype == target.dtype && !source.opaque && source.storage != target.storage;
}

/// "aten::scatter_.src" of "aten::scatter.src".
std::string in_place_name(const std::string& op) {
  const size_t dot = std::min(op.find('.'), op.size());
  return op.substr(0, dot) + "_" + op.substr(dot);
}

}  // namespace

std::optional<Scatter> scatter_of(const Graph& graph, const Node& node) {
  const Row* row = row_of(node.op);
  Scatter s;
  s.target = tensor_arg(node, 0);
  if (row == nullptr || s.target == kNone || node.writes.size() != 1 || node.writes[0] != s.target)
    return std::nullopt;
  const size_t rank = graph.value(s.target).sizes.size();
  if (rank == 0) return std::nullopt;
  const size_t dim = row->form == Form::kList ? 0 : dim_arg(node, 1, rank).value_or(0);
  s.how = row->how;
  const bool known = row->form == Form::kElements ? set_elements(graph, node, dim, &s)
                     : row->form == Form::kSlices ? set_slices(graph, node, dim, &s)
                                                  : set_list(graph, node, &s);
  return known && is_sound(graph, s) ? std::optional(std::move(s)) : std::nullopt;
}

std::optional<Scatter> kernel_scatter(const Graph& graph, const Node& node) {
  auto s = scatter_of(graph, node);
  if (!s) return std::nullopt;
  if (s->how != ByIndex::kWrite && s->how != ByIndex::kAdd) return std::nullopt;
  const Value& target = graph.value(s->target);
  const bool bytes = s->accumulates() && size_of(target.dtype) == 1;
  return bytes && !adds_bytes(graph, target) ? std::nullopt : std::move(s);
}

std::string why_no_scatter(const Graph& graph, const Node& node) {
  Node write = node;
  if (row_of(node.op) == nullptr) write.op = in_place_name(node.op);
  const Row* row = row_of(write.op);
  if (row == nullptr) return "";
  const Arg* how = row->form == Form::kElements ? arg_at(node, 4) : nullptr;
  const auto* name = how == nullptr ? nullptr : std::get_if<std::string>(&how->value);
  if (name != nullptr && reduction_of(write) != ByIndex::kAdd) {
    const bool alone = write.op == "aten::scatter_reduce_.two" && !flag_arg(node, 5);
    return fmt::format("keeps {} where data says{}; kernels add there, or write", *name,
                       alone ? ", without what was there" : "");
  }
  const ValueId target = tensor_arg(node, 0);
  if (target != kNone && size_of(graph.value(target).dtype) == 1 && row->how == ByIndex::kAdd)
    return "adds where data says to bytes whose words its kernel may not exchange";
  return "writes where data says, with operands that no kernel takes: shared memory, two dtypes, a "
         "mask";
}

ScatteredValue emit_scatter(const Graph& graph, const Scatter& s, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const Value& target = graph.value(s.target);
  const DType type = compute_type(target.dtype);
  const int16_t zero = b.constant_int(DType::kI64, 0);
  ScatteredValue out;
  for (const auto& [index, dim, index_strides] : s.named) {
    const int16_t extent = kernel->number(target.sizes[dim]);
    int16_t at = b.cast(kernel->load(index, index_strides, -1, -1), DType::kI64);
    if (s.wraps) {
      const int16_t negative = b.emit(Prim::kLt, DType::kBool, at, zero);
      at = b.emit(Prim::kSelect, DType::kI64, negative, b.emit(Prim::kAdd, DType::kI64, at, extent),
                  at);
    }
    const int16_t inside =
        b.emit(Prim::kAnd, DType::kBool, b.emit(Prim::kLe, DType::kBool, zero, at),
               b.emit(Prim::kLt, DType::kBool, at, extent));
    const int16_t moved = b.emit(Prim::kMul, DType::kI64, at, kernel->number(target.strides[dim]));
    out.predicate =
        out.predicate < 0 ? inside : b.emit(Prim::kAnd, DType::kBool, out.predicate, inside);
    out.offset = out.offset < 0 ? moved : b.emit(Prim::kAdd, DType::kI64, out.offset, moved);
  }
  out.value = s.source == kNone ? b.constant(type, s.number)
                                : kernel->load(s.source, s.source_strides, -1, -1);
  if (s.factor != 1) out.value = b.emit(Prim::kMul, type, out.value, b.constant(type, s.factor));
  out.value = b.settle(out.value, target.dtype);
  return out;
}

std::optional<std::vector<Node>> copy_and_write(Graph* graph, const Node& node) {
  if (!node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone) return std::nullopt;
  const ValueId self = tensor_arg(node, 0), out = node.outputs[0];
  if (self == kNone || graph->storage_of(out).kind != Storage::Kind::kLocal ||
      graph->value(self).opaque || graph->value(self).dtype != graph->value(out).dtype)
    return std::nullopt;
  Node write = node;
  write.op = in_place_name(node.op);
  write.args[0] = tensor(out);
  write.outputs.clear();
  write.writes = {out};
  write.pure = false;
  const Value& v = graph->value(out);
  Rewriter r(graph, node);
  const bool contiguous = v.strides == contiguous_strides(v.sizes);
  r.call("aten::clone", {tensor(self), contiguous ? Arg{int64_t{0}} : Arg{}}, out);
  std::vector<Node> nodes = r.take();
  nodes.push_back(std::move(write));
  return nodes;
}

std::optional<std::vector<Node>> written_copy(Graph* graph, const Node& node) {
  if (row_of(in_place_name(node.op)) == nullptr) return std::nullopt;
  auto nodes = copy_and_write(graph, node);
  return nodes && scatter_of(*graph, nodes->back()) ? std::move(nodes) : std::nullopt;
}

std::optional<std::vector<Node>> scatter_nodes(Graph* graph, const Node& node) {
  auto nodes = written_copy(graph, node);
  return nodes && kernel_scatter(*graph, nodes->back()) ? std::move(nodes) : std::nullopt;
}

}  // namespace torchweld
