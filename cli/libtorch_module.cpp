#include "cli/libtorch_module.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <utility>

#include "loader/number_constants.h"
#include "loader/torchvision_ops.h"

namespace torchweld::cli {
namespace {

/// Switches the executor's optimisations of this thread off while it lives.
class EagerExecutor {
 public:
  EagerExecutor() : before_(torch::jit::getGraphExecutorOptimize()) {
    torch::jit::setGraphExecutorOptimize(false);
  }
  ~EagerExecutor() { torch::jit::setGraphExecutorOptimize(before_); }

 private:
  bool before_;
};

}  // namespace

LibTorchModule::LibTorchModule(const std::string& archive, std::string method, c10::Device device)
    : method_(std::move(method)) {
  register_torchvision_operators();
  module_ = torch::jit::load(archive, device);
  module_.eval();
}

c10::IValue LibTorchModule::run_eager(std::vector<c10::IValue> inputs) {
  const EagerExecutor eager;
  if (!std::exchange(reads_numbers_, true)) restore_numbers(module_);
  return run(std::move(inputs));
}

c10::IValue LibTorchModule::run_float64(std::vector<c10::IValue> inputs) {
  const auto widen = [](const at::Tensor& t) {
    return t.is_floating_point() ? t.to(at::kDouble) : t;
  };
  for (at::Tensor t : module_.parameters()) t.set_data(widen(t));
  for (at::Tensor t : module_.buffers()) t.set_data(widen(t));
  for (c10::IValue& input : inputs) {
    if (input.isTensor()) input = widen(input.toTensor());
  }
  return run_eager(std::move(inputs));
}

c10::IValue LibTorchModule::run(std::vector<c10::IValue> inputs) {
  const c10::AutoGradMode no_grad(false);
  return module_.get_method(method_)(std::move(inputs));
}

std::vector<Argument> LibTorchModule::arguments() const {
  std::vector<Argument> result;
  const auto& declared = module_.get_method(method_).function().getSchema().arguments();
  for (size_t i = 1; i < declared.size(); ++i) {
    result.push_back(
        {declared[i].name(), declared[i].type()->annotation_str(), declared[i].default_value()});
  }
  return result;
}

c10::IValue copied(const c10::IValue& value) {
  if (value.isTensor()) {
    const at::Tensor& tensor = value.toTensor();
    return tensor.defined() ? c10::IValue(tensor.detach().clone(at::MemoryFormat::Preserve))
                            : value;
  }
  return value.deepcopy();
}

std::vector<c10::IValue> copied(const std::vector<c10::IValue>& values) {
  std::vector<c10::IValue> result;
  for (const c10::IValue& value : values) result.push_back(copied(value));
  return result;
}

}  // namespace torchweld::cli
