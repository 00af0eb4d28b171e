#include "fusion/transposed_conv.h"

#include "fusion/image_conv.h"
#include "fusion/node_args.h"

namespace torchweld {

std::optional<ConvArgs> transposed_args(const Graph& graph, const Node& node) {
  const bool general = node.op == "aten::_convolution" || node.op == "aten::convolution";
  const bool named = node.op == "aten::conv_transpose1d" || node.op == kTransposedConv ||
                     node.op == "aten::conv_transpose2d.input" ||
                     node.op == "aten::conv_transpose3d.input";
  const ValueId x = tensor_arg(node, 0);
  if (!(general && flag_arg(node, 6)) && !named) return std::nullopt;
  if (x == kNone || graph.value(x).sizes.size() < 3) return std::nullopt;
  const size_t dims = graph.value(x).sizes.size() - 2;
  const auto groups = int_arg(node, general ? 8 : 6);
  ConvArgs args;
  if (!groups || !read_ints(node, 3, dims, &args.stride) ||
      !read_ints(node, 4, dims, &args.padding) ||
      !read_ints(node, general ? 5 : 7, dims, &args.dilation))
    return std::nullopt;
  args.groups = *groups;
  return args;
}

namespace {

// Phases of unequal size are taken out of the weight one by one.
constexpr int64_t kMostUnequalPhases = 64;

bool divides_evenly(const Value& weight, const ConvArgs& args) {
  for (size_t d = 0; d < args.stride.size(); ++d) {
    if (weight.sizes[d + 2] % args.stride[d] != 0) return false;
  }
  return true;
}

int64_t phases_of(const ConvArgs& args) {
  int64_t phases = 1;
  for (const int64_t stride : args.stride) phases *= stride;
  return phases;
}

/// [pixels..., in_channels, out_channels] of a filter that was turned around, phase by phase.
ValueId unequal_phases(ValueId flipped, const ConvArgs& args, const Graph& graph, Rewriter* r) {
  const Value filter = graph.value(flipped);
  const size_t dims = args.stride.size();
  Arg::Ints order, sizes;
  for (size_t d = 0; d < dims; ++d) order.push_back(static_cast<int64_t>(d) + 2);
  order.insert(order.end(), {0, 1});
  for (const int64_t d : order) sizes.push_back(filter.sizes[static_cast<size_t>(d)]);
  const ValueId moved = r->setup("aten::permute", {tensor(flipped), {order}}, filter.dtype, sizes);
  Arg::TensorList phases;
  for (int64_t p = 0; p < phases_of(args); ++p) {
    ValueId phase = moved;
    Arg::Ints left = sizes;
    int64_t rest = p;
    for (size_t d = dims; d-- > 0;) {
      const int64_t stride = args.stride[d], taps = sizes[d];
      // Phases count as if taps before the first made the filter a multiple of its stride.
      const int64_t first = (rest % stride + taps) % stride;
      rest /= stride;
      left[d] = (taps - first + stride - 1) / stride;
      phase = r->setup("aten::slice.Tensor",
                       {tensor(phase), {static_cast<int64_t>(d)}, {first}, {taps}, {stride}},
                       filter.dtype, left);
    }
    int64_t pixels = 1;
    for (size_t d = 0; d < dims; ++d) pixels *= left[d];
    const Arg::Ints flat = {pixels, sizes[dims], sizes[dims + 1]};
    phases.ids.push_back(r->setup("aten::reshape", {tensor(phase), {flat}}, filter.dtype, flat));
  }
  Arg::Ints result(dims, 1);
  result.insert(result.end(), sizes.begin(), sizes.end());
  const Arg::Ints flat = {filter.elements() / (sizes[dims] * sizes[dims + 1]), sizes[dims],
                          sizes[dims + 1]};
  const ValueId all =
      r->setup("aten::cat", {{std::move(phases)}, {int64_t{0}}}, filter.dtype, flat);
  return r->setup("aten::view", {tensor(all), {result}}, filter.dtype, result);
}

}  // namespace

bool takes_transposed_conv(const Value& weight, const ConvArgs& args) {
  if (args.groups != 1 || weight.strides != contiguous_strides(weight.sizes)) return false;
  for (size_t d = 0; d < args.stride.size(); ++d) {
    const int64_t taps = weight.sizes[d + 2];
    if (args.dilation[d] != 1 || taps < args.stride[d] || args.padding[d] < 0 ||
        args.padding[d] >= taps)
      return false;
  }
  return divides_evenly(weight, args) || phases_of(args) <= kMostUnequalPhases;
}

ValueId ordered_by_phase(ValueId weight, const ConvArgs& args, Graph* graph, Rewriter* r) {
  const std::vector<int64_t> sizes = graph->value(weight).sizes;
  const auto dims = static_cast<int64_t>(args.stride.size());
  const DType dtype = graph->value(weight).dtype;
  Arg::Ints turned, split = {sizes[0], sizes[1]}, order, result;
  for (int64_t d = 0; d < dims; ++d) {
    const int64_t stride = args.stride[static_cast<size_t>(d)];
    turned.push_back(d + 2);
    split.push_back(sizes[static_cast<size_t>(d) + 2] / stride);
    split.push_back(stride);
  }
  for (const int64_t first : {3, 2}) {  // phases, then their taps
    for (int64_t d = 0; d < dims; ++d) order.push_back(first + 2 * d);
  }
  order.insert(order.end(), {0, 1});
  for (const int64_t d : order) result.push_back(split[static_cast<size_t>(d)]);
  const ValueId flipped = r->setup("aten::flip", {tensor(weight), {turned}}, dtype, sizes);
  if (!divides_evenly(graph->value(weight), args)) return unequal_phases(flipped, args, *graph, r);
  const ValueId taps = r->setup("aten::view", {tensor(flipped), {split}}, dtype, split);
  const ValueId moved = r->setup("aten::permute", {tensor(taps), {order}}, dtype, result);
  return r->setup("aten::clone", {tensor(moved), {int64_t{0}}}, dtype, result);
}

Value filter_of(const Graph& graph, const Node& node) {
  const std::vector<int64_t>& sizes = graph.value(tensor_arg(node, 1)).sizes;
  const size_t dims = sizes.size() / 2 - 1;
  Value filter;
  filter.sizes = {sizes[2 * dims], sizes[2 * dims + 1]};
  for (size_t d = 0; d < dims; ++d) filter.sizes.push_back(sizes[d] * sizes[dims + d]);
  return filter;
}

}  // namespace torchweld
