#include "fusion/affine_grid.h"

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

/// Coordinates of `count` pixels: of their centres, or from corner to corner.
ValueId coordinates(Rewriter* r, DType dtype, int64_t count, bool from_corners) {
  const double n = static_cast<double>(count);
  const double last = count <= 1 ? 0 : from_corners ? 1 : (n - 1) / n;
  return r->setup("aten::linspace",
                  {{-last}, {last}, {count}, {scalar_type_number(dtype)}, {}, {}, {}}, dtype,
                  {count});
}

}  // namespace

std::optional<std::vector<Node>> affine_grid_nodes(Graph* graph, const Node& node) {
  if (node.op != "aten::affine_grid_generator" || !node.pure) return std::nullopt;
  const ValueId theta = tensor_arg(node, 0), out = node.outputs[0];
  if (theta == kNone || out == kNone) return std::nullopt;
  const Value t = graph->value(theta), grid = graph->value(out);
  const bool floats = t.dtype == DType::kF32 || t.dtype == DType::kF64;
  if (t.opaque || grid.opaque || !floats || grid.dtype != t.dtype || grid.sizes.size() != 4 ||
      t.sizes.size() != 3 || grid.elements() == 0)
    return std::nullopt;
  Rewriter r(graph, node);
  const bool from_corners = flag_arg(node, 2);
  const auto seen = [&](ValueId id, std::vector<int64_t> strides, int64_t offset) {
    Value v = graph->value(id);
    v.sizes = grid.sizes;
    v.strides = std::move(strides);
    v.offset += offset;
    v.has_scalar = false;
    return tensor(graph->add(std::move(v)));
  };
  const auto column = [&](int64_t k) {
    return seen(theta, {t.strides[0], 0, 0, t.strides[1]}, k * t.strides[2]);
  };
  const ValueId xs = coordinates(&r, t.dtype, grid.sizes[2], from_corners);
  const ValueId ys = coordinates(&r, t.dtype, grid.sizes[1], from_corners);
  const ValueId x = r.like("aten::mul.Tensor", {seen(xs, {0, 0, 1, 0}, 0), column(0)}, out);
  const ValueId y = r.like("aten::mul.Tensor", {seen(ys, {0, 1, 0, 0}, 0), column(1)}, out);
  const ValueId both = r.like("aten::add.Tensor", {tensor(x), tensor(y), {int64_t{1}}}, out);
  r.call("aten::add.Tensor", {tensor(both), column(2), {int64_t{1}}}, out);
  return r.take();
}

}  // namespace torchweld
