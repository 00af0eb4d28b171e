#include "fusion/indexed.h"

#include <algorithm>
#include <limits>

#include "fusion/borders.h"
#include "fusion/gather.h"
#include "fusion/moves.h"
#include "fusion/node_args.h"
#include "fusion/pooling.h"
#include "fusion/resize.h"

namespace torchweld {
namespace {

std::vector<int64_t> zeros(size_t n) { return std::vector<int64_t>(n, 0); }

int16_t emit_gather(const Graph& graph, const Node& node, const Gather& g, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const Value& source = graph.value(g.source);
  const int16_t zero = b.constant_int(DType::kI64, 0);
  int16_t offset = -1, all = -1;
  for (const auto& [index, dim, index_strides] : g.named) {
    const int16_t named = reads_in_place(node, index) ? kernel->here(index)
                                                      : kernel->load(index, index_strides, -1, -1);
    const int16_t raw = b.cast(named, DType::kI64);
    const int16_t extent = kernel->number(source.sizes[dim]);
    const int16_t negative = b.emit(Prim::kLt, DType::kBool, raw, zero);
    const int16_t at = b.emit(Prim::kSelect, DType::kI64, negative,
                              b.emit(Prim::kAdd, DType::kI64, raw, extent), raw);
    const int16_t inside =
        b.emit(Prim::kAnd, DType::kBool, b.emit(Prim::kLe, DType::kBool, zero, at),
               b.emit(Prim::kLt, DType::kBool, at, extent));
    const int16_t moved = b.emit(Prim::kMul, DType::kI64, at, kernel->number(source.strides[dim]));
    offset = offset < 0 ? moved : b.emit(Prim::kAdd, DType::kI64, offset, moved);
    all = all < 0 ? inside : b.emit(Prim::kAnd, DType::kBool, all, inside);
  }
  return kernel->load(g.source, g.source_strides, offset, all);
}

/// Constant pads: the source's place is the result's minus what stands before it.
struct Pad {
  ValueId source = kNone;
  double value = 0;
  std::vector<int64_t> before;  ///< by dim
};

std::optional<Pad> pad_of(const Graph& graph, const Node& node) {
  const bool general = node.op == "aten::pad";
  if (!general && node.op != "aten::constant_pad_nd") return std::nullopt;
  const ValueId source = tensor_arg(node, 0);
  const auto* amounts = ints_arg(node, 1);
  if (source == kNone || amounts == nullptr) return std::nullopt;
  if (general) {
    const auto* mode = std::get_if<std::string>(&node.args[2].value);
    if (mode == nullptr || *mode != "constant") return std::nullopt;
  }
  Pad pad{source, 0, zeros(graph.value(source).sizes.size())};
  const Arg& value = node.args[general ? 3 : 2];
  if (const auto* d = std::get_if<double>(&value.value)) pad.value = *d;
  if (const auto* i = std::get_if<int64_t>(&value.value)) pad.value = static_cast<double>(*i);
  for (size_t k = 0; k + 1 < amounts->size(); k += 2)
    pad.before[pad.before.size() - 1 - k / 2] = (*amounts)[k];
  return pad;
}

/// Whether a coordinate, moved by -before, lies in [0, extent).
int16_t inside(IndexedKernel* kernel, size_t dim, int64_t before, int64_t extent) {
  BodyBuilder& b = kernel->body();
  const int16_t at = b.emit(Prim::kSub, DType::kI64, kernel->coord(dim), kernel->number(before));
  return b.emit(Prim::kAnd, DType::kBool,
                b.emit(Prim::kLe, DType::kBool, b.constant_int(DType::kI64, 0), at),
                b.emit(Prim::kLt, DType::kBool, at, kernel->number(extent)));
}

int16_t emit_pad(const Graph& graph, const Node& node, const Pad& pad, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const Value& source = graph.value(pad.source);
  const Value& out = graph.value(node.outputs[0]);
  int16_t all = -1;
  int64_t moved = 0;
  for (size_t d = 0; d < pad.before.size(); ++d) {
    if (out.sizes[d] == source.sizes[d] && pad.before[d] == 0) continue;
    const int16_t here = inside(kernel, d, pad.before[d], source.sizes[d]);
    all = all < 0 ? here : b.emit(Prim::kAnd, DType::kBool, all, here);
    moved -= pad.before[d] * source.strides[d];
  }
  const int16_t offset = moved == 0 ? int16_t{-1} : kernel->number(moved);
  const int16_t value = kernel->load(pad.source, source.strides, offset, all);
  if (all < 0 || pad.value == 0) return value;
  return b.emit(Prim::kSelect, b.type_of(value), all, value,
                b.constant(b.type_of(value), pad.value));
}

/// Concatenation along a dim: each piece is read where the coordinate lies within it.
struct Concatenation {
  std::vector<ValueId> pieces;
  size_t dim = 0;
  bool stacks = false;
};

std::optional<Concatenation> concatenation_of(const Graph& graph, const Node& node) {
  constexpr size_t kMostPieces = 8;  // of one kernel; longer lists are copied piece by piece
  const bool stacks = node.op == "aten::stack";
  if (!stacks && node.op != "aten::cat") return std::nullopt;
  const auto* list = node.args[0].tensor_list();
  const Value& out = graph.value(node.outputs[0]);
  const auto dim = dim_arg(node, 1, out.sizes.size());
  if (list == nullptr || !dim || list->ids.empty() || list->ids.size() > kMostPieces)
    return std::nullopt;
  for (const ValueId id : list->ids) {
    if (id == kNone || graph.value(id).dtype != out.dtype || graph.value(id).opaque ||
        graph.value(id).sizes.size() + (stacks ? 1 : 0) != out.sizes.size())
      return std::nullopt;
  }
  return Concatenation{list->ids, *dim, stacks};
}

int16_t emit_concatenation(const Graph& graph, const Concatenation& c, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  int16_t result = -1;
  int64_t begin = 0;
  for (const ValueId id : c.pieces) {
    const Value& v = graph.value(id);
    std::vector<int64_t> strides = v.strides;
    const auto at = static_cast<std::ptrdiff_t>(c.dim);
    if (c.stacks) strides.insert(strides.begin() + at, 0);
    const int64_t extent = c.stacks ? 1 : v.sizes[c.dim];
    const int16_t here = inside(kernel, c.dim, begin, extent);
    const int64_t moved = -begin * strides[c.dim];
    begin += extent;
    const int16_t value =
        kernel->load(id, strides, moved == 0 ? int16_t{-1} : kernel->number(moved), here);
    result = result < 0 ? value : b.emit(Prim::kSelect, b.type_of(value), here, value, result);
  }
  return result;
}

/// The row of an operator that the tables have; null for the rest of this file's.
const IndexedRow* find_row(const Graph& graph, const Node& node) {
  const IndexedRow* row = find_border(node.op);
  if (row != nullptr && row->takes(graph, node)) return row;
  row = find_move(node.op);
  return row != nullptr ? row : find_resize(node.op);
}

bool is_plain(const Graph& graph, const Node& node) {
  if (!node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone) return false;
  bool plain = !graph.value(node.outputs[0]).opaque;
  for_each_input(node, [&](ValueId id) { plain &= !graph.value(id).opaque; });
  return plain && graph.value(node.outputs[0]).dtype != DType::kOther &&
         graph.value(node.outputs[0]).elements() > 0;
}

}  // namespace

std::optional<Domain> indexed_domain(const Graph& graph, const Node& node) {
  if (!is_plain(graph, node)) return std::nullopt;
  if (const auto pool = pooling_of(graph, node)) return pool->domain;
  const Domain domain{graph.value(node.outputs[0]).sizes, {}};
  const IndexedRow* row = find_row(graph, node);
  const bool known = (row != nullptr && row->takes(graph, node)) || gather_of(graph, node) ||
                     pad_of(graph, node) || concatenation_of(graph, node);
  return known ? std::optional(domain) : std::nullopt;
}

bool places_follow_from_data(const Graph& graph, const Node& node) {
  return node.op == "aten::one_hot" || gather_of(graph, node).has_value();
}

bool reads_in_place(const Node& node, ValueId operand) {
  if (const auto maxima = argument_of_maxima(node))
    return tensor_arg(node, *maxima) == operand && tensor_arg(node, 0) != operand;
  const IndexedRow* row = find_move(node.op);
  const uint32_t in_place = row != nullptr              ? row->in_place
                            : node.op == "aten::gather" ? uint32_t{1} << 2
                                                        : 0;
  bool all = in_place != 0;
  for (size_t i = 0; i < node.args.size(); ++i)
    all &= tensor_arg(node, i) != operand || (in_place >> i & 1) != 0;
  return all;
}

int16_t emit_indexed(const Graph& graph, const Node& node, IndexedKernel* kernel) {
  if (const IndexedRow* row = find_row(graph, node)) return row->emit(graph, node, kernel);
  if (const auto pool = pooling_of(graph, node)) return emit_pooling(graph, *pool, kernel);
  if (const auto g = gather_of(graph, node)) return emit_gather(graph, node, *g, kernel);
  if (const auto pad = pad_of(graph, node)) return emit_pad(graph, node, *pad, kernel);
  return emit_concatenation(graph, *concatenation_of(graph, node), kernel);
}

}  // namespace torchweld
