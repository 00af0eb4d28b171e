#include "fusion/small_matmul.h"

#include <optional>

namespace torchweld {
namespace {

constexpr int64_t kMostRows = 8;  // past it, the library's blocking wins
constexpr int64_t kMostMultiplies =
    1 << 17;  // ... unless all of it is over before the library has started

/// Rows of a value whose leading dimensions are one walk: their count and stride.
std::optional<std::pair<int64_t, int64_t>> rows_of(const Value& v) {
  if (v.sizes.empty() || (v.strides.back() != 1 && v.sizes.back() != 1)) return std::nullopt;
  int64_t rows = 1, stride = v.sizes.back();
  bool first = true;
  for (size_t d = v.sizes.size() - 1; d-- > 0;) {
    if (v.sizes[d] == 1) continue;
    if (first) stride = v.strides[d];
    if (!first && v.strides[d] != rows * stride) return std::nullopt;
    first = false;
    rows *= v.sizes[d];
  }
  return std::pair(rows, stride);
}

bool is_one(const Arg& arg) {
  const auto* i = std::get_if<int64_t>(&arg.value);
  const auto* d = std::get_if<double>(&arg.value);
  return (i != nullptr && *i == 1) || (d != nullptr && *d == 1.0);
}

}  // namespace

SmallMatmulValues values_of(const Node& node) {
  SmallMatmulValues v;
  const bool addmm = node.op == "aten::addmm";
  v.x = node.args[addmm ? 1 : 0].tensor()->id;
  v.out = node.outputs[0];
  if (addmm) v.bias = node.args[0].tensor()->id;
  if (node.op == "aten::linear" && node.args[2].tensor() != nullptr)
    v.bias = node.args[2].tensor()->id;
  return v;
}

bool make_small_matmul(const Graph& graph, const Node& node, SmallMatmul* out) {
  const bool linear = node.op == "aten::linear", addmm = node.op == "aten::addmm";
  if (!linear && !addmm && node.op != "aten::mm" && node.op != "aten::matmul") return false;
  if (addmm && !(is_one(node.args[3]) && is_one(node.args[4]))) return false;
  const auto* w = node.args[addmm ? 2 : 1].tensor();
  const SmallMatmulValues values = values_of(node);
  const Value& weight = graph.value(w->id);
  const Value& x = graph.value(values.x);
  const Value& y = graph.value(values.out);
  if (graph.storage_of(w->id).kind != Storage::Kind::kConstant || weight.sizes.size() != 2)
    return false;
  if (weight.dtype != DType::kF32 || x.dtype != DType::kF32 || y.dtype != DType::kF32) return false;
  const auto x_rows = rows_of(x), y_rows = rows_of(y);
  if (!x_rows || !y_rows || x.elements() == 0) return false;
  out->m = x_rows->first;
  out->k = x.sizes.back();
  out->n = y.sizes.back();
  if (out->m > kMostRows && out->m * out->k * out->n > kMostMultiplies) return false;
  if (values.bias != kNone) {
    const Value& bias = graph.value(values.bias);
    if (bias.sizes != std::vector<int64_t>{out->n} || bias.dtype != DType::kF32 ||
        (bias.strides[0] != 1 && out->n != 1))
      return false;
  }
  out->x_row_stride = x_rows->second;
  out->out_row_stride = y_rows->second;
  out->weight = w->id;
  out->weight_k_stride = weight.strides[linear ? 1 : 0];
  out->weight_n_stride = weight.strides[linear ? 0 : 1];
  return true;
}

}  // namespace torchweld
