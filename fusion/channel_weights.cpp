#include "fusion/channel_weights.h"

#include <utility>

#include "fusion/node_args.h"

namespace torchweld {

void spread_channel_weights(Graph* graph) {
  for (Node& node : graph->nodes) {
    if (node.op != "aten::prelu" && node.op != "aten::_prelu_kernel") continue;
    const ValueId x = tensor_arg(node, 0), weight = tensor_arg(node, 1);
    if (x == kNone || weight == kNone || graph->value(weight).opaque) continue;
    const size_t rank = graph->value(x).sizes.size();
    Value view = graph->value(weight);
    if (view.sizes.size() != 1 || view.sizes[0] == 1 || rank < 3) continue;
    view.sizes.resize(rank - 1, 1);
    view.strides.resize(rank - 1, 1);
    node.args[1] = {Arg::Tensor{graph->add(std::move(view))}};
  }
}

}  // namespace torchweld
