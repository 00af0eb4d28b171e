#include "fusion/padding_names.h"

#include <fmt/format.h>

#include <optional>

#include "fusion/node_args.h"

namespace torchweld {
namespace {

bool names_padding(const Node& node) {
  return node.op == "aten::_convolution_mode" || node.op == "aten::conv1d.padding" ||
         node.op == "aten::conv2d.padding" || node.op == "aten::conv3d.padding";
}

/// The elements on either side of each dim; nullopt when the sides differ.
std::optional<Arg::Ints> padding_of(const Node& node, const std::vector<int64_t>& weight) {
  const auto* name = std::get_if<std::string>(&node.args[4].value);
  const Arg::Ints* dilation = ints_arg(node, 5);
  if (name == nullptr || dilation == nullptr || dilation->empty()) return std::nullopt;
  Arg::Ints padding(weight.size() - 2, 0);
  if (*name == "valid") return padding;
  if (*name != "same") return std::nullopt;
  for (size_t d = 0; d < padding.size(); ++d) {
    const int64_t step = d < dilation->size() ? (*dilation)[d] : dilation->front();
    const int64_t both = step * (weight[d + 2] - 1);
    if (both % 2 != 0) return std::nullopt;
    padding[d] = both / 2;
  }
  return padding;
}

}  // namespace

void number_paddings(Graph* graph) {
  for (Node& node : graph->nodes) {
    const ValueId id = names_padding(node) ? tensor_arg(node, 1) : kNone;
    if (id == kNone) continue;
    const std::vector<int64_t>& weight = graph->value(id).sizes;
    if (weight.size() < 3 || weight.size() > 5) continue;
    auto padding = padding_of(node, weight);
    if (!padding) continue;
    node.op = fmt::format("aten::conv{}d", weight.size() - 2);
    node.args[4] = {std::move(*padding)};
  }
}

}  // namespace torchweld
