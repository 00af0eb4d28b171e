#include "fusion/window_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "fusion/image_conv.h"
#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

using x86::Window;

struct Kind {
  size_t dims;
  bool averages, adaptive;
};

const Kind* kind_of(const std::string& op) {
  static const std::unordered_map<std::string, Kind> kinds = {
      {"aten::avg_pool1d", {1, true, false}},
      {"aten::avg_pool2d", {2, true, false}},
      {"aten::adaptive_avg_pool1d", {1, true, true}},
      {"aten::adaptive_avg_pool2d", {2, true, true}},
      {"aten::_adaptive_avg_pool2d", {2, true, true}},
      {"aten::max_pool1d", {1, false, false}},
      {"aten::max_pool2d", {2, false, false}},
      {"aten::max_pool2d_with_indices", {2, false, false}},
      {"aten::adaptive_max_pool1d", {1, false, true}},
      {"aten::adaptive_max_pool2d", {2, false, true}},
      {"aten::avg_pool3d", {3, true, false}},
      {"aten::adaptive_avg_pool3d", {3, true, true}},
      {"aten::_adaptive_avg_pool3d", {3, true, true}},
      {"aten::max_pool3d", {3, false, false}},
      {"aten::max_pool3d_with_indices", {3, false, false}},
      {"aten::adaptive_max_pool3d", {3, false, true}},
  };
  const auto it = kinds.find(op);
  return it == kinds.end() ? nullptr : &it->second;
}

/// Entry `d` of a list argument: one entry stands for all dims, none for `missing`.
int64_t entry(const Node& node, size_t i, size_t d, int64_t missing) {
  const auto* list = ints_arg(node, i);
  if (list == nullptr || list->empty()) return missing;
  return (*list)[std::min(d, list->size() - 1)];
}

/// One dim of a pooling.
struct Dim {
  std::vector<Window> windows;
  int64_t step = 0, before = 0, wide = 0;
  int64_t dilation = 1;
};

Dim adaptive_dim(int64_t in, int64_t out) {
  Dim dim;
  for (int64_t o = 0; o < out; ++o) {
    const int64_t begin = o * in / out, end = ((o + 1) * in + out - 1) / out;
    dim.windows.push_back({static_cast<int32_t>(begin), static_cast<int32_t>(end),
                           static_cast<int32_t>(end - begin)});
  }
  if (in % out == 0) dim.step = dim.wide = in / out;
  return dim;
}

Dim plain_dim(const Node& node, bool averages, size_t d, int64_t in, int64_t out) {
  Dim dim;
  dim.wide = entry(node, 1, d, 1);
  dim.step = entry(node, 2, d, dim.wide);
  dim.before = entry(node, 3, d, 0);
  if (!averages) dim.dilation = entry(node, 4, d, 1);
  const bool counts_padding = averages && flag_arg(node, 5);
  for (int64_t o = 0; o < out; ++o) {
    const int64_t first = o * dim.step - dim.before;
    const int64_t last = std::min(first + dim.wide, in + dim.before);
    const int64_t begin = std::max<int64_t>(first, 0), end = std::min(last, in);
    dim.windows.push_back({static_cast<int32_t>(begin), static_cast<int32_t>(end),
                           static_cast<int32_t>(counts_padding ? last - first : end - begin)});
  }
  return dim;
}

x86::WindowPool::Strides strides_of(const Value& v, size_t dims) {
  const auto from_end = [&](size_t d) { return v.strides[v.strides.size() - d]; };
  x86::WindowPool::Strides s;
  s.columns = from_end(1);
  s.rows = dims >= 2 ? from_end(2) : 0;
  s.planes = dims >= 3 ? from_end(3) : 0;
  s.channels = from_end(dims + 1);
  s.images = v.sizes.size() == dims + 2 ? v.strides[0] : 0;
  return s;
}

/// Pixels innermost in both, or channels in both.
bool lie_alike(const x86::WindowPool& pool) {
  const auto pixels = [&](const x86::WindowPool::Strides& s) { return s.columns == 1; };
  return pool.has_channels_innermost() ? pool.out.channels == 1
                                       : pixels(pool.x) && pixels(pool.out);
}

bool is_plain(const Graph& graph, const Node& node, const Kind& kind) {
  if (!node.pure || node.outputs.empty() || node.outputs[0] == kNone || node.args.empty() ||
      tensor_arg(node, 0) == kNone)
    return false;
  const Value& x = graph.value(tensor_arg(node, 0));
  const Value& out = graph.value(node.outputs[0]);
  return !x.opaque && !out.opaque && x.dtype == DType::kF32 && out.dtype == DType::kF32 &&
         x.elements() > 0 && out.elements() > 0 && out.sizes.size() == x.sizes.size() &&
         (x.sizes.size() == kind.dims + 1 || x.sizes.size() == kind.dims + 2);
}

bool fill(const Graph& graph, const Node& node, const Kind& kind, x86::WindowPool* pool) {
  const Value& x = graph.value(tensor_arg(node, 0));
  const Value& out = graph.value(node.outputs[0]);
  std::vector<Dim> dims;
  for (size_t d = 0; d < kind.dims; ++d) {
    const size_t at = x.sizes.size() - kind.dims + d;
    dims.push_back(kind.adaptive ? adaptive_dim(x.sizes[at], out.sizes[at])
                                 : plain_dim(node, kind.averages, d, x.sizes[at], out.sizes[at]));
  }
  if (std::any_of(dims.begin(), dims.end(), [](const Dim& dim) {
        return dim.dilation != 1 ||
               std::any_of(dim.windows.begin(), dim.windows.end(),
                           [](const Window& w) { return w.begin >= w.end || w.divisor <= 0; });
      }))
    return false;
  dims.insert(dims.begin(), 3 - kind.dims, Dim{{{0, 1, 1}}, 0, 0, 0, 1});
  if (const auto divisor = kind.averages && !kind.adaptive ? int_arg(node, 6) : std::nullopt) {
    if (*divisor < 1 || *divisor > 1 << 24) return false;
    for (Dim& dim : dims) {
      for (Window& w : dim.windows) w.divisor = 1;
    }
    for (Window& w : dims[0].windows) w.divisor = static_cast<int32_t>(*divisor);
  }
  const auto extent = [&](size_t d) {
    return d < 3 - kind.dims ? 1 : x.sizes[x.sizes.size() - 3 + d];
  };
  pool->averages = kind.averages;
  pool->divides_by_dim = kind.adaptive;
  pool->depth = extent(0);
  pool->height = extent(1);
  pool->width = extent(2);
  pool->channels = x.sizes[x.sizes.size() - kind.dims - 1];
  pool->images = x.elements() / (pool->channels * pool->depth * pool->height * pool->width);
  pool->x = strides_of(x, kind.dims);
  pool->out = strides_of(out, kind.dims);
  pool->planes = std::move(dims[0].windows);
  pool->rows = std::move(dims[1].windows);
  pool->columns = std::move(dims[2].windows);
  pool->step = dims[2].step;
  pool->before = dims[2].before;
  pool->wide = dims[2].wide;
  for (const Window& w : pool->columns)
    pool->column_divisors.push_back(static_cast<float>(w.divisor));
  pool->column_divisors.resize(pool->columns.size() + 7, 1.0f);
  return true;
}

// Places are counted in 32 bits.
constexpr int64_t kMostPixels = std::numeric_limits<int32_t>::max();

/// Where LibTorch's place of a window of nothing but -inf is its first element: with channels
/// innermost it is that of the first plane for channels that fill none of its vectors, which are of
/// 8 or 16 (ATen/native/cpu/MaxPoolKernel.cpp).
bool numbers_places_alike(const x86::WindowPool& pool, const Kind& kind) {
  return kind.dims < 3 || kind.adaptive || !pool.has_channels_innermost() ||
         pool.channels % 16 == 0;
}

bool sees_all(const x86::WindowPool& pool) {
  const auto whole = [](const std::vector<Window>& windows, int64_t size) {
    return windows.size() == 1 && windows[0].begin == 0 && windows[0].end == size;
  };
  return whole(pool.planes, pool.depth) && whole(pool.rows, pool.height) &&
         whole(pool.columns, pool.width);
}

}  // namespace

bool make_window_pool(const Graph& graph, const Node& node, WindowPoolCall* out) {
  const Kind* kind = kind_of(node.op);
  if (kind == nullptr || !is_plain(graph, node, *kind)) return false;
  WindowPoolCall call;
  call.x_value = tensor_arg(node, 0);
  call.out_value = node.outputs[0];
  call.place_value = node.outputs.size() == 2 ? node.outputs[1] : kNone;
  if (!fill(graph, node, *kind, &call.pool) || !lie_alike(call.pool)) return false;
  if (call.place_value == kNone && sees_all(call.pool)) return false;
  if (call.place_value != kNone &&
      (!numbers_places_alike(call.pool, *kind) ||
       call.pool.depth * call.pool.height * call.pool.width > kMostPixels ||
       graph.value(call.place_value).strides != graph.value(call.out_value).strides))
    return false;
  *out = std::move(call);
  return true;
}

std::string name_of_step(const WindowPoolCall& call) {
  const x86::WindowPool& p = call.pool;
  return fmt::format("{}_pool_{}x{}{}x{}", p.averages ? "avg" : "max", p.images * p.channels,
                     p.depth > 1 ? fmt::format("{}x", p.planes.size()) : "", p.rows.size(),
                     p.columns.size());
}

std::optional<std::vector<Node>> pooling_and_copy(Graph* graph, const Node& node) {
  const Kind* kind = kind_of(node.op);
  if (kind == nullptr || !is_plain(*graph, node, *kind)) return std::nullopt;
  WindowPoolCall call;
  if (!fill(*graph, node, *kind, &call.pool) || lie_alike(call.pool)) return std::nullopt;
  Rewriter r(graph, node);
  Node pooling = node;
  for (ValueId& made : pooling.outputs) {
    if (made == kNone) continue;
    const Value out = graph->value(made);
    made = r.fresh(out.dtype, out.sizes);
    if (!call.pool.has_channels_innermost()) continue;
    std::vector<int64_t> sizes = out.sizes;
    if (sizes.size() == kind->dims + 1) sizes.insert(sizes.begin(), 1);
    const std::vector<int64_t> strides = channels_last_strides(sizes);
    graph->value(made).strides.assign(strides.end() - std::ssize(out.sizes), strides.end());
  }
  if (!make_window_pool(*graph, pooling, &call)) return std::nullopt;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNone)
      r.call("aten::clone", {tensor(pooling.outputs[i]), Arg{}}, node.outputs[i]);
  }
  std::vector<Node> nodes = r.take();
  nodes.insert(nodes.begin(), std::move(pooling));
  return nodes;
}

std::optional<std::vector<Node>> maximum_of_image(Graph* graph, const Node& node) {
  if (node.op != "aten::adaptive_max_pool2d" && node.op != "aten::adaptive_max_pool3d")
    return std::nullopt;
  const Kind& kind = *kind_of(node.op);
  if (!is_plain(*graph, node, kind) || node.outputs.size() != 2 || node.outputs[1] != kNone)
    return std::nullopt;
  const std::vector<int64_t>& sizes = graph->value(node.outputs[0]).sizes;
  Arg::Ints dims;
  for (size_t d = 1; d <= kind.dims; ++d) {
    if (sizes[sizes.size() - d] != 1) return std::nullopt;
    dims.insert(dims.begin(), -static_cast<int64_t>(d));
  }
  Rewriter r(graph, node);
  r.call("aten::amax", {node.args[0], {std::move(dims)}, {true}}, node.outputs[0]);
  return r.take();
}

}  // namespace torchweld
