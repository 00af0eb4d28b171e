#include "fusion/embedding_bag.h"

#include <fmt/format.h>

#include <algorithm>

#include "fusion/node_args.h"
#include "kernels/cuda/embedding_bag.h"

namespace torchweld {
namespace {

bool is_vector(const Value& v) {
  return v.sizes.size() == 1 && (v.strides[0] == 1 || v.sizes[0] <= 1);
}

/// Whether anybody reads what a node makes beside its first result.
bool uses_the_rest(const Graph& graph, const Node& node) {
  const auto is_rest = [&](ValueId id) {
    return std::any_of(node.outputs.begin() + 1, node.outputs.end(), [&](ValueId made) {
      return made != kNone && graph.value(made).storage == graph.value(id).storage;
    });
  };
  bool used = std::any_of(graph.outputs.begin(), graph.outputs.end(), is_rest);
  for (const Node& other : graph.nodes) {
    if (&other == &node) continue;
    for_each_input(other, [&](ValueId id) { used |= is_rest(id); });
  }
  return used;
}

bool set_values(const Node& node, EmbeddingBagCall* call) {
  call->table_value = tensor_arg(node, 0);
  call->indices_value = tensor_arg(node, 1);
  call->offsets_value = tensor_arg(node, 2);
  call->weights_value = tensor_arg(node, 6);
  call->out_value = node.outputs[0];
  return call->table_value != kNone && call->indices_value != kNone &&
         call->offsets_value != kNone && call->out_value != kNone;
}

bool have_plain_strides(const Graph& graph, const EmbeddingBagCall& call) {
  const Value& table = graph.value(call.table_value);
  const Value& out = graph.value(call.out_value);
  const bool weights = call.weights_value == kNone || is_vector(graph.value(call.weights_value));
  return table.sizes.size() == 2 && (table.strides[1] == 1 || table.sizes[1] == 1) && weights &&
         is_vector(graph.value(call.indices_value)) && is_vector(graph.value(call.offsets_value)) &&
         out.strides == contiguous_strides(out.sizes);
}

bool has_one_dtype(const Graph& graph, const EmbeddingBagCall& call) {
  const DType dtype = graph.value(call.table_value).dtype;
  const bool weights =
      call.weights_value == kNone || graph.value(call.weights_value).dtype == dtype;
  return weights && graph.value(call.out_value).dtype == dtype &&
         graph.value(call.indices_value).dtype == graph.value(call.offsets_value).dtype;
}

}  // namespace

bool make_embedding_bag(const Graph& graph, const Node& node, EmbeddingBagCall* call,
                        std::string* why) {
  if (node.op != "aten::embedding_bag" && node.op != "aten::embedding_bag.padding_idx")
    return false;
  *why = "an operand is no dense tensor of the table's dtype";
  if (!node.pure || !set_values(node, call)) return false;
  bool opaque = graph.value(call->out_value).opaque;
  for_each_input(node, [&](ValueId id) { opaque |= graph.value(id).opaque; });
  if (opaque || !have_plain_strides(graph, *call) || !has_one_dtype(graph, *call)) return false;
  *why = "more than the bags is used";
  if (uses_the_rest(graph, node)) return false;
  const Value& table = graph.value(call->table_value);
  const Value& out = graph.value(call->out_value);
  EmbeddingBagShape& s = call->shape;
  s.dtype = table.dtype;
  s.index = graph.value(call->indices_value).dtype;
  const auto mode = int_arg(node, 4);
  if (!mode || *mode < 0 || *mode > 2) return false;
  s.mode = static_cast<BagMode>(*mode);
  s.rows = table.sizes[0];
  s.columns = table.sizes[1];
  s.row_stride = table.strides[0];
  s.bags = out.sizes[0];
  s.index_count = graph.value(call->indices_value).sizes[0];
  s.offsets_end = flag_arg(node, 7);
  if (const auto padding = int_arg(node, 8))
    s.padding = *padding < 0 ? *padding + s.rows : *padding;
  return cuda::EmbeddingBag::accepts(s, why);  // the host's kernel takes as much
}

std::string name_of_step(const EmbeddingBagCall& call) {
  return fmt::format("embedding_bag_{}x{}_{}", call.shape.bags, call.shape.columns,
                     name_of(call.shape.dtype));
}

}  // namespace torchweld
