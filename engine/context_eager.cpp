// What LibTorch's operators make in a plan.
#include <ATen/ops/empty_strided.h>
#include <fmt/format.h>

#include <algorithm>

#include "engine/context.h"
#include "engine/tensors.h"
#include "loader/dtypes.h"
#include "loader/graph_text.h"
#include "loader/pattern.h"

namespace torchweld {
namespace {

/// Whether the elements are where the recording has them: strides of dims of one element say
/// nothing of that.
bool lies_as(const at::Tensor& tensor, const Value& recorded) {
  if (tensor.sizes() != c10::IntArrayRef(recorded.sizes)) return false;
  for (size_t d = 0; d < recorded.sizes.size() && tensor.numel() > 0; ++d) {
    if (recorded.sizes[d] != 1 && tensor.strides()[d] != recorded.strides[d]) return false;
  }
  return true;
}

}  // namespace

/// Whether `id`, made by `node`, is all that its storage holds.
bool Context::is_alone(const Node& node, ValueId id) const {
  const Value& made = plan_.graph.value(id);
  if (plan_.buffers[static_cast<size_t>(made.storage)].kind != Buffer::Kind::kEager) return false;
  return made.offset == 0 && std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId o) {
           return o == kNone || o == id || plan_.graph.value(o).storage != made.storage;
         });
}

void Context::run_eager(size_t index) {
  const Step& step = plan_.steps[index];
  const Node& node = plan_.graph.nodes[static_cast<size_t>(step.nodes[0])];
  bound_.runtime().drain(site_);
  bound_.eager(index)->run(&stack_, [this](ValueId id) { return tensor_of(id); });
  for (const ValueId id : node.writes) bound_.runtime().wrote(tensor_of(id));
  if (node.reads_host) {
    read_.assign(stack_.begin(), stack_.end());
  } else {
    take_results(step, node);
  }
  stack_.clear();
}

/// Binds what an eager step made. Its shapes must be those of the recording, or everything after
/// would read wrongly; a tensor of its own that lies otherwise is copied.
void Context::take_results(const Step& step, const Node& node) {
  size_t at = 0;
  const auto take = [&](at::Tensor tensor) {
    const ValueId id = at < node.outputs.size() ? node.outputs[at] : kNone;
    ++at;
    if (id == kNone || !tensor.defined()) return;
    const Value& v = plan_.graph.value(id);
    const size_t s = static_cast<size_t>(v.storage);
    const bool may_differ =
        plan_.graph.ending.kind == Ending::Kind::kDynamicShape && &step == &plan_.steps.back();
    bool lies = lies_as(tensor, v);
    if (!lies && !may_differ) {
      if (tensor.sizes() != c10::IntArrayRef(v.sizes) || !is_alone(node, id))
        throw ShapeChanged(fmt::format("{} at {} gave {} where the recording has {}", node.op,
                                       node.source, describe(tensor),
                                       torchweld::describe(plan_.graph, id)));
      tensor = at::empty_strided(v.sizes, v.strides, tensor.options()).copy_(tensor);
      lies = true;
    }
    // With the recorded strides of single elements too: operators after it choose layouts by them.
    const int64_t start = (tensor.storage_offset() - v.offset) * size_of(v.dtype);
    const bool restrides =
        lies && tensor.numel() > 0 && tensor.strides() != c10::IntArrayRef(v.strides);
    values_[static_cast<size_t>(id)] = restrides ? view_over(tensor, v, start) : tensor;
    if (plan_.buffers[s].kind != Buffer::Kind::kEager) return;
    holders_[s] = tensor;
    bases_[s] = static_cast<char*>(tensor.storage().mutable_data()) + start;
  };
  for (const c10::IValue& v : stack_) for_each_tensor(v, take);
}

}  // namespace torchweld
