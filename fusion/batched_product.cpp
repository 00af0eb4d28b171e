#include "fusion/batched_product.h"

#include <fmt/format.h>

#include "fusion/merged_dims.h"
#include "fusion/node_args.h"

namespace torchweld {
namespace {

using x86::BatchedProduct;

/// Which arguments are what; false for other operators.
bool fill(const Graph& graph, const Node& node, BatchedProductCall* call, bool* turned) {
  *turned = node.op == "aten::linear";
  if (!*turned && node.op != "aten::matmul" && node.op != "aten::bmm" && node.op != "aten::mm")
    return false;
  if (*turned && tensor_arg(node, 2) != kNone) return false;
  if (!node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone) return false;
  call->a_value = tensor_arg(node, 0);
  call->b_value = tensor_arg(node, 1);
  call->out_value = node.outputs[0];
  for (const ValueId id : {call->a_value, call->b_value, call->out_value}) {
    if (id == kNone) return false;
    const Value& v = graph.value(id);
    if (v.opaque || v.dtype != DType::kF32 || v.sizes.size() < 2 || v.elements() == 0) return false;
  }
  return true;
}

/// The stride of a dim of the batch, counted from the innermost dim; 0 where it broadcasts.
int64_t batch_stride(const Value& v, size_t from_end) {
  if (from_end >= v.sizes.size()) return 0;
  const size_t d = v.sizes.size() - 1 - from_end;
  return v.sizes[d] == 1 ? 0 : v.strides[d];
}

/// The batch, and rows of a: dims of it in which b stands still are more of these.
bool lay_out(const Graph& graph, bool turned, BatchedProductCall* call) {
  const Value& a = graph.value(call->a_value);
  const Value& b = graph.value(call->b_value);
  const Value& out = graph.value(call->out_value);
  BatchedProduct& p = call->product;
  const size_t rank = out.sizes.size();
  p.k = a.sizes.back();
  p.n = out.sizes.back();
  p.a_column = p.k == 1 ? 1 : a.strides.back();
  const size_t last = b.sizes.size() - 1;
  p.b_row = p.k == 1 ? p.n : b.strides[turned ? last : last - 1];
  p.b_column = p.n == 1 ? 1 : b.strides[turned ? last - 1 : last];
  if (p.n != 1 && out.strides.back() != 1) return false;
  MergedDims<3> merged;
  for (size_t d = 0; d + 2 < rank; ++d) {
    const size_t from_end = rank - 1 - d;
    merged.add(out.sizes[d],
               {batch_stride(a, from_end), batch_stride(b, from_end), out.strides[d]});
  }
  merged.add(out.sizes[rank - 2], {a.strides[a.sizes.size() - 2], 0, out.strides[rank - 2]});
  auto dims = merged.dims();
  p.m = 1;
  p.a_row = p.k;
  p.out_row = p.n;
  if (!dims.empty() && dims.back().strides[1] == 0) {
    p.m = dims.back().size;
    p.a_row = dims.back().strides[0];
    p.out_row = dims.back().strides[2];
    dims.pop_back();
  }
  if (dims.size() > BatchedProduct::kMostDims) return false;
  for (const auto& dim : dims) {
    p.sizes[p.dims] = dim.size;
    p.a[p.dims] = dim.strides[0];
    p.b[p.dims] = dim.strides[1];
    p.out[p.dims++] = dim.strides[2];
  }
  return true;
}

/// A matrix that has contiguous rows or columns, none of which the next one begins within.
bool is_matrix(int64_t rows, int64_t columns, int64_t row, int64_t column) {
  const bool by_rows = column == 1 && (rows == 1 || row >= columns);
  const bool by_columns = row == 1 && (columns == 1 || column >= rows);
  return by_rows || by_columns;
}

}  // namespace

bool make_batched_product(const Graph& graph, const Node& node, BatchedProductCall* out) {
  constexpr int64_t kMostPacked = int64_t{1} << 20;  // floats
  BatchedProductCall call;
  bool turned = false;
  if (!fill(graph, node, &call, &turned) || !lay_out(graph, turned, &call)) return false;
  const BatchedProduct& p = call.product;
  if (!is_matrix(p.m, p.k, p.a_row, p.a_column) || !is_matrix(p.k, p.n, p.b_row, p.b_column))
    return false;
  const bool packs = p.way() == BatchedProduct::Way::kPacked;
  if ((packs && p.k * p.n > kMostPacked) || (p.turns() && p.m * p.k > kMostPacked)) return false;
  *out = call;
  return true;
}

std::string name_of_step(const BatchedProductCall& call) {
  const BatchedProduct& p = call.product;
  return fmt::format("product_{}x{}x{}x{}", p.matrices(), p.m, p.k, p.n);
}

}  // namespace torchweld
