#include "fusion/host_resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "fusion/host_epilogue.h"
#include "fusion/image_conv.h"
#include "fusion/node_args.h"
#include "fusion/resize_nodes.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

using x86::Resize;
using x86::ResizeFilter;

/// Dims before an image's own: images and channels.
constexpr size_t kOuter = 2;

bool is_plain(const Graph& graph, const Node& node, const ResizeNode& resize) {
  if (!node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone ||
      tensor_arg(node, 0) == kNone)
    return false;
  const Value& x = graph.value(tensor_arg(node, 0));
  const Value& out = graph.value(node.outputs[0]);
  bool fits = !x.opaque && !out.opaque && x.dtype == DType::kF32 && out.dtype == DType::kF32 &&
              x.sizes.size() == resize.dims + kOuter && out.sizes.size() == x.sizes.size() &&
              x.elements() > 0 && out.elements() > 0;
  int64_t pixels = 1;
  for (size_t d = kOuter; fits && d < x.sizes.size(); ++d) pixels *= x.sizes[d];
  return fits && pixels <= INT32_MAX;
}

/// The stride of rows, those of all layers; nullopt where they are not equally far apart.
std::optional<int64_t> row_stride(const Value& v) {
  if (v.sizes.size() == kOuter + 1) return 0;
  const size_t rows = v.sizes.size() - 2;
  if (rows == kOuter) return v.strides[rows];
  if (v.sizes[rows] == 1) return v.strides[kOuter];
  const bool even = v.sizes[kOuter] == 1 || v.strides[kOuter] == v.sizes[rows] * v.strides[rows];
  return even ? std::optional(v.strides[rows]) : std::nullopt;
}

std::optional<Resize::Plane> plane_of(const Value& v) {
  const auto rows = row_stride(v);
  return rows ? std::optional(Resize::Plane{v.strides[0], v.strides[1], *rows}) : std::nullopt;
}

bool has_columns_innermost(const Value& v) { return v.sizes.back() == 1 || v.strides.back() == 1; }

bool has_channels_innermost(const Value& v) {
  return v.strides[1] == 1 && (v.sizes.back() == 1 || v.strides.back() == v.sizes[1]);
}

/// As they lie; the tables are left to fill_tables().
bool fill_layout(const Value& x, const Value& out, Resize* r) {
  const auto in_plane = plane_of(x), out_plane = plane_of(out);
  if (!in_plane || !out_plane) return false;
  r->images = x.sizes[0];
  r->channels = x.sizes[1];
  r->in_columns = x.sizes.back();
  r->x = *in_plane;
  r->out = *out_plane;
  r->channels_innermost =
      r->channels > 1 && has_channels_innermost(x) && has_channels_innermost(out);
  return r->channels_innermost || (has_columns_innermost(x) && has_columns_innermost(out));
}

bool fill_tables(const Value& x, const Value& out, const ResizeNode& node, Resize* r) {
  std::vector<x86::ResizeTaps> dims;
  for (size_t d = 0; d < node.dims; ++d) {
    const x86::ResizeDim dim{node.filter,    node.antialiases,    node.aligns,
                             node.scales[d], x.sizes[kOuter + d], out.sizes[kOuter + d]};
    dims.push_back(x86::resize_taps(dim));
  }
  r->columns = std::move(dims.back());
  const x86::ResizeTaps one{1, {1}, {0}, {1}};
  r->rows = node.dims == 1   ? one
            : node.dims == 2 ? std::move(dims[0])
                             : merged(dims[0], dims[1], x.sizes[x.sizes.size() - 2]);
  return lay_out(r);
}

bool fill(const Graph& graph, const Node& node, ResizeCall* call) {
  const auto resize = resize_of(node);
  if (!resize || !is_plain(graph, node, *resize)) return false;
  call->x_value = tensor_arg(node, 0);
  call->out_value = node.outputs[0];
  const Value& x = graph.value(call->x_value);
  const Value& out = graph.value(call->out_value);
  call->filter = resize->filter;
  return fill_layout(x, out, &call->resize) && fill_tables(x, out, *resize, &call->resize);
}

}  // namespace

bool is_resize_by_hand(const Graph& graph, const Node& node, const Target& target) {
  ResizeCall call;
  return target.hand_kernels && fill(graph, node, &call);
}

bool resizes_channels_last(const Graph& graph, const Node& node) {
  const auto resize = resize_of(node);
  if (!resize || !is_plain(graph, node, *resize)) return false;
  Value x = graph.value(tensor_arg(node, 0)), out = graph.value(node.outputs[0]);
  x.strides = channels_last_strides(x.sizes);
  out.strides = channels_last_strides(out.sizes);
  Resize r;
  return fill_layout(x, out, &r) && fill_tables(x, out, *resize, &r);
}

bool make_resize(const Graph& graph, const std::vector<NodeId>& nodes, const Target& target,
                 ResizeCall* out) {
  const auto at = [&](NodeId n) -> const Node& { return graph.nodes[static_cast<size_t>(n)]; };
  if (!target.hand_kernels || !fill(graph, at(nodes[0]), out)) return false;
  return std::all_of(nodes.begin() + 1, nodes.end(),
                     [&](NodeId n) { return add_epilogue(graph, at(n), out); });
}

bool add_epilogue(const Graph& graph, const Node& node, ResizeCall* resize) {
  const auto takes = [&](ValueId summand) {
    return graph.value(summand).strides == graph.value(resize->out_value).strides;
  };
  return add_host_epilogue(graph, node, takes, resize);
}

std::optional<std::vector<Node>> resize_and_copy(Graph* graph, const Node& node) {
  const auto resize = resize_of(node);
  if (!resize || !is_plain(*graph, node, *resize)) return std::nullopt;
  const ValueId x = tensor_arg(node, 0), out = node.outputs[0];
  const bool mixed = has_channels_innermost(graph->value(x)) &&
                     has_columns_innermost(graph->value(out)) && graph->value(out).sizes[1] > 1;
  ResizeCall call;
  if (!mixed || fill(*graph, node, &call)) return std::nullopt;
  const Value from = graph->value(x), to = graph->value(out);
  Rewriter r(graph, node);
  Node alike = node;
  if (from.elements() <= to.elements()) {
    const ValueId copy = r.fresh(from.dtype, from.sizes);
    r.call("aten::clone", {tensor(x), {int64_t{0}}}, copy);
    alike.args[0] = tensor(copy);
  } else {
    alike.outputs[0] = r.fresh(to.dtype, to.sizes);
    graph->value(alike.outputs[0]).strides = channels_last_strides(to.sizes);
    r.call("aten::clone", {tensor(alike.outputs[0]), {int64_t{0}}}, out);
  }
  if (!fill(*graph, alike, &call)) return std::nullopt;
  std::vector<Node> nodes = r.take();
  nodes.insert(from.elements() <= to.elements() ? nodes.end() : nodes.begin(), std::move(alike));
  return nodes;
}

std::string name_of_step(const ResizeCall& call) {
  static constexpr const char* kFilters[] = {"nearest", "nearest_exact", "linear", "cubic"};
  const Resize& r = call.resize;
  return fmt::format("{}_resize_{}x{}x{}", kFilters[static_cast<size_t>(call.filter)],
                     r.images * r.channels * r.joined, r.rows.places(),
                     r.columns.places() / r.joined);
}

}  // namespace torchweld
