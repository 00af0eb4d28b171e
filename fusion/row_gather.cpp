#include "fusion/row_gather.h"

#include "fusion/node_args.h"

namespace torchweld {
namespace {

/// The one tensor that names rows; kNone for other nodes and other dims.
ValueId index_of(const Graph& graph, const Node& node) {
  if (node.op == "aten::embedding") return tensor_arg(node, 1);
  if (node.op == "aten::index_select") {
    const auto dim = int_arg(node, 1);
    const size_t rank = graph.value(tensor_arg(node, 0)).sizes.size();
    return dim && rank > 0 && whole_dim(*dim, rank) == 0 ? tensor_arg(node, 2) : kNone;
  }
  const auto* list = node.op == "aten::index.Tensor" ? node.args[1].tensor_list() : nullptr;
  return list != nullptr && list->ids.size() == 1 ? list->ids[0] : kNone;
}

bool is_contiguous(const Value& v, size_t from) {
  int64_t stride = 1;
  for (size_t d = v.sizes.size(); d-- > from;) {
    if (v.sizes[d] != 1 && v.strides[d] != stride) return false;
    stride *= v.sizes[d];
  }
  return true;
}

}  // namespace

bool make_row_gather(const Graph& graph, const Node& node, RowGather* out) {
  const ValueId table = node.args.empty() ? kNone : tensor_arg(node, 0);
  const ValueId index = table == kNone ? kNone : index_of(graph, node);
  if (index == kNone) return false;
  const Value& t = graph.value(table);
  const Value& i = graph.value(index);
  const Value& o = graph.value(node.outputs[0]);
  if (t.opaque || o.opaque || t.dtype != o.dtype || t.sizes.empty() || t.elements() == 0)
    return false;
  if ((i.dtype != DType::kI64 && i.dtype != DType::kI32) || i.opaque) return false;
  if (!is_contiguous(t, 1) || !is_contiguous(i, 0) || !is_contiguous(o, 0)) return false;
  const int64_t element = size_of(t.dtype);
  *out = {.rows = t.sizes[0],
          .row_bytes = t.elements() / t.sizes[0] * element,
          .row_stride = t.strides[0] * element,
          .count = i.elements(),
          .narrow = i.dtype == DType::kI32,
          .wraps = node.op == "aten::index.Tensor",
          .table_value = table,
          .index_value = index,
          .out_value = node.outputs[0],
          .table = {},
          .index = {},
          .out = {}};
  return o.elements() * element == out->count * out->row_bytes &&
         out->count * out->row_bytes <= RowGather::kMostBytes;
}

}  // namespace torchweld
