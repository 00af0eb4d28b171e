#include "fusion/resize_nodes.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "fusion/node_args.h"

namespace torchweld {
namespace {

using x86::ResizeFilter;

/// "aten::upsample_nearest2d.vec" with the prefix "aten::upsample_nearest": 2; 0 for other names.
size_t dims_of(const std::string& op, std::string_view prefix, std::string_view suffix) {
  std::string_view base = std::string_view(op).substr(0, op.find('.'));
  if (!base.starts_with(prefix) || !base.ends_with(suffix)) return 0;
  base.remove_prefix(prefix.size());
  base.remove_suffix(suffix.size());
  if (base.size() != 2 || base.back() != 'd') return 0;
  const char digit = base[0];
  return digit >= '1' && digit <= '3' ? static_cast<size_t>(digit - '0') : 0;
}

/// Scale factors: one list at the end of a ".vec", else an argument a dim.
std::vector<double> scales_of(const Node& node, size_t first, size_t dims) {
  std::vector<double> scales(dims, 0);
  for (size_t k = 0; k < dims; ++k) {
    const Arg* arg = arg_at(node, first + k);
    if (node.op.ends_with(".vec")) {
      arg = arg_at(node, first);
      const auto* list = arg == nullptr ? nullptr : std::get_if<Arg::Floats>(&arg->value);
      if (list != nullptr && k < list->size()) scales[k] = (*list)[k];
    } else {
      scales[k] = number_arg(node, first + k).value_or(0);
    }
    scales[k] = std::max(scales[k], 0.0);
  }
  return scales;
}

}  // namespace

std::optional<ResizeNode> resize_of(const Node& node) {
  struct Name {
    std::string_view prefix;
    ResizeFilter filter;
    bool antialiases = false;
  };
  constexpr Name kNames[] = {
      {"aten::upsample_nearest", ResizeFilter::kNearest},
      {"aten::_upsample_nearest_exact", ResizeFilter::kNearestExact},
      {"aten::upsample_linear", ResizeFilter::kLinear},
      {"aten::upsample_bilinear", ResizeFilter::kLinear},
      {"aten::upsample_trilinear", ResizeFilter::kLinear},
      {"aten::upsample_bicubic", ResizeFilter::kCubic},
      {"aten::_upsample_bilinear", ResizeFilter::kLinear, true},
      {"aten::_upsample_bicubic", ResizeFilter::kCubic, true},
  };
  for (const Name& name : kNames) {
    ResizeNode r;
    r.filter = name.filter;
    r.antialiases = name.antialiases;
    r.dims = dims_of(node.op, name.prefix, name.antialiases ? "_aa" : "");
    if (r.dims == 0) continue;
    const bool has_corners = r.interpolates();
    r.aligns = has_corners && flag_arg(node, 2);
    r.scales = scales_of(node, has_corners ? 3 : 2, r.dims);
    return r;
  }
  return std::nullopt;
}

}  // namespace torchweld
