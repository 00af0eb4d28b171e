#include "tests/support/script_module.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <sstream>

namespace torchweld::testing {
namespace {

/// torch.relu is aten::relu, and test.relu an operator that a test registers as test::relu.
class WithTestOperators : public torch::jit::NativeResolver {
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(
      const std::string& name, torch::jit::GraphFunction& function,
      const torch::jit::SourceRange& place) override {
    if (name == "test") return std::make_shared<torch::jit::BuiltinModule>(name);
    return NativeResolver::resolveValue(name, function, place);
  }
};

}  // namespace

ScriptModule::ScriptModule(const std::string& source, const Attributes& attributes) {
  torch::jit::Module module("Written");
  for (const auto& [name, value] : attributes) {
    if (value.isTensor()) {
      module.register_buffer(name, value.toTensor());
    } else {
      module.register_attribute(name, value.type(), value);
    }
  }
  module.define(source, std::make_shared<WithTestOperators>());
  module.eval();
  std::ostringstream out;
  module.save(out);
  archive_ = out.str();
  run_ = [module](std::vector<c10::IValue> inputs) mutable {
    const at::AutoGradMode no_grad(false);
    const bool was = torch::jit::getGraphExecutorOptimize();
    torch::jit::setGraphExecutorOptimize(false);
    const auto restore = [&] { torch::jit::setGraphExecutorOptimize(was); };
    try {
      c10::IValue answer = module.forward(std::move(inputs));
      restore();
      return answer;
    } catch (...) {
      restore();
      throw;
    }
  };
}

Engine ScriptModule::load(const Options& options) const {
  std::istringstream in(archive_);
  return torchweld::load(in, options);
}

Options blocking() {
  Options options;
  options.planning = Planning::kBlocking;
  return options;
}

}  // namespace torchweld::testing
