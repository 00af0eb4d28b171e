#include "fusion/by_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fusion/gather.h"
#include "fusion/node_args.h"
#include "fusion/scatter.h"
#include "kernels/half.h"

namespace torchweld {
namespace {

using Strides = std::vector<int64_t>;

void copy_dims(const Strides& from, ByIndexShape::Dims* to) {
  std::copy(from.begin(), from.end(), to->begin());
}

/// The walk; false where it has more dims or indices than the kernel takes.
bool set_walk(const Graph& graph, const Value& table, const Strides& sizes,
              const Strides& table_strides, const Strides& operand_strides,
              const std::vector<NamedDim>& named, bool wraps, ByIndexCall* call) {
  ByIndexShape& s = call->shape;
  if (sizes.size() >= static_cast<size_t>(ByIndexShape::kMostDims)) return false;
  if (named.size() > static_cast<size_t>(ByIndexShape::kMostIndices)) return false;
  s.dtype = table.dtype;
  s.rank = static_cast<int>(sizes.size());
  s.indices = static_cast<int>(named.size());
  copy_dims(sizes, &s.sizes);
  copy_dims(table_strides, &s.table_strides);
  copy_dims(operand_strides, &s.operand_strides);
  for (size_t k = 0; k < named.size(); ++k) {
    ByIndexShape::Index& index = s.index[k];
    index.extent = table.sizes[named[k].dim];
    index.table_stride = table.strides[named[k].dim];
    index.narrow = graph.value(named[k].index).dtype == DType::kI32;
    index.wraps = wraps;
    copy_dims(named[k].strides, &index.strides);
    call->index_values.push_back(named[k].index);
  }
  simplify(&s);
  return takes_by_index(s.how, s.dtype);
}

template <class T>
void put(double number, std::array<char, 8>* bytes) {
  const T value = static_cast<T>(number);
  std::memcpy(bytes->data(), &value, sizeof(T));
}

/// A number as an element.
void put_number(double number, DType dtype, std::array<char, 8>* bytes) {
  switch (dtype) {
    case DType::kF32:
      return put<float>(number, bytes);
    case DType::kF64:
      return put<double>(number, bytes);
    case DType::kF16:
      return put<uint16_t>(f16_of_f32(static_cast<float>(number)), bytes);
    case DType::kBF16:
      return put<uint16_t>(bf16_of_f32(static_cast<float>(number)), bytes);
    case DType::kI64:
      return put<int64_t>(number, bytes);
    case DType::kI32:
      return put<int32_t>(number, bytes);
    case DType::kI16:
      return put<int16_t>(number, bytes);
    case DType::kI8:
      return put<int8_t>(number, bytes);
    default:
      return put<uint8_t>(number, bytes);
  }
}

/// Whether a number is an element of this type, or rounds to one.
bool fits(double number, DType dtype) {
  if (is_floating(dtype)) return true;
  if (dtype == DType::kBool) return true;
  const int bits = static_cast<int>(size_of(dtype)) * 8;
  const double most = std::ldexp(1.0, dtype == DType::kU8 ? 8 : bits - 1);
  return number >= (dtype == DType::kU8 ? 0 : -most) && number < most;
}

bool make_gather(const Graph& graph, const Node& node, ByIndexCall* call) {
  const auto g = gather_of(graph, node);
  if (!g || !node.pure) return false;
  const Value& table = graph.value(g->source);
  const Value& out = graph.value(node.outputs[0]);
  if (table.opaque || out.opaque || table.dtype != out.dtype || table.storage == out.storage)
    return false;
  call->shape.how = ByIndex::kRead;
  call->table_value = g->source;
  call->operand_value = call->out_value = node.outputs[0];
  return set_walk(graph, table, out.sizes, g->source_strides, out.strides, g->named, g->wraps,
                  call);
}

bool make_scatter(const Graph& graph, const Node& node, ByIndexCall* call) {
  const auto s = scatter_of(graph, node);
  if (!s || s->factor != 1) return false;
  const Value& table = graph.value(s->target);
  Strides source_strides = s->source_strides;
  if (s->source == kNone) {
    if (!fits(s->number, table.dtype)) return false;
    put_number(s->number, table.dtype, &call->number);
    source_strides.assign(s->sizes.size(), 0);
  }
  call->shape.how = s->how;
  call->table_value = call->out_value = s->target;
  call->operand_value = s->source;
  return set_walk(graph, table, s->sizes, s->target_strides, source_strides, s->named, s->wraps,
                  call);
}

/// The walk is the target's own, and so are the mask's strides in it.
bool make_masked(const Graph& graph, const Node& node, ByIndexCall* call) {
  const ValueId x = tensor_arg(node, 0), mask_id = tensor_arg(node, 1), from = tensor_arg(node, 2);
  if (node.op != "aten::masked_scatter_" || x == kNone || mask_id == kNone || from == kNone ||
      node.writes != std::vector<ValueId>{x})
    return false;
  const Value &table = graph.value(x), &mask = graph.value(mask_id), &source = graph.value(from);
  if (table.opaque || mask.opaque || source.opaque || mask.dtype != DType::kBool ||
      source.dtype != table.dtype || source.strides != contiguous_strides(source.sizes) ||
      mask.storage == table.storage || source.storage == table.storage || table.sizes.empty() ||
      mask.sizes.size() > table.sizes.size())
    return false;
  call->shape.how = ByIndex::kMasked;
  call->table_value = call->out_value = x;
  call->operand_value = from;
  const Strides zeros(table.sizes.size(), 0);
  const NamedDim named{mask_id, 0, strides_in({table.sizes, {}}, table.sizes, mask)};
  if (!set_walk(graph, table, table.sizes, table.strides, zeros, {named}, false, call))
    return false;
  call->shape.index[0].extent = source.elements();
  return true;
}

/// Zeros, and ones where the index says.
bool make_one_hot(const Graph& graph, const Node& node, ByIndexCall* call) {
  const ValueId x = node.op == "aten::one_hot" ? tensor_arg(node, 0) : kNone;
  if (x == kNone || node.outputs.size() != 1 || node.outputs[0] == kNone) return false;
  const Value& index = graph.value(x);
  const Value& out = graph.value(node.outputs[0]);
  if (index.opaque || index.dtype != DType::kI64 || out.opaque || out.dtype != DType::kI64 ||
      out.elements() == 0 || out.strides != contiguous_strides(out.sizes))
    return false;
  put_number(1, out.dtype, &call->number);
  call->shape.how = ByIndex::kWrite;
  call->table_value = call->out_value = node.outputs[0];
  call->zeroed_bytes = out.elements() * size_of(out.dtype);
  const size_t rank = index.sizes.size();
  const Strides strides(out.strides.begin(), out.strides.end() - 1);
  return set_walk(graph, out, index.sizes, strides, Strides(rank, 0), {{x, rank, index.strides}},
                  false, call);
}

}  // namespace

bool make_by_index(const Graph& graph, const Node& node, ByIndexCall* call) {
  for (const auto make : {make_gather, make_scatter, make_masked, make_one_hot}) {
    *call = {};
    if (make(graph, node, call)) return true;
  }
  return false;
}

std::string name_of_step(const ByIndexCall& call) {
  static constexpr const char* kNames[] = {"gather",        "scatter",     "scatter_add",
                                           "scatter_mul",   "scatter_max", "scatter_min",
                                           "masked_scatter"};
  const ByIndexShape& s = call.shape;
  const auto last = static_cast<size_t>(s.rank - 1);
  const bool named = std::any_of(s.index.begin(), s.index.begin() + s.indices,
                                 [&](const auto& index) { return index.strides[last] != 0; });
  const int64_t line = named ? 1 : s.sizes[last];
  return fmt::format("{}_{}x{}B",
                     call.zeroed_bytes > 0 ? "one_hot" : kNames[static_cast<size_t>(s.how)],
                     line == 0 ? 0 : s.elements() / line, line * size_of(s.dtype));
}

}  // namespace torchweld
