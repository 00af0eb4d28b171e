#include "cli/libtorch_module.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <utility>

#include "loader/number_constants.h"
#include "loader/torchaudio_ops.h"
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

/// Whether run_in() gives tensors of this type another.
bool is_replaced(c10::ScalarType type) {
  return type == at::kFloat || type == at::kHalf || type == at::kBFloat16;
}

at::Tensor in_type(const at::Tensor& t, c10::ScalarType type) {
  return t.defined() && is_replaced(t.scalar_type()) ? t.to(type) : t;
}

c10::IValue in_type(const c10::IValue& value, c10::ScalarType type) {
  if (value.isTensor()) return in_type(value.toTensor(), type);
  if (value.isTuple()) {
    std::vector<c10::IValue> elements = value.toTupleRef().elements().vec();
    for (c10::IValue& element : elements) element = in_type(element, type);
    return c10::ivalue::Tuple::createNamed(std::move(elements),
                                           value.toTuple()->type<c10::TupleType>());
  }
  if (value.isList()) {
    c10::impl::GenericList list = value.toList().copy();
    for (size_t i = 0; i < list.size(); ++i) list.set(i, in_type(list.get(i), type));
    return list;
  }
  if (value.isGenericDict()) {
    const c10::impl::GenericDict dict = value.toGenericDict().copy();
    for (const auto& entry : dict) entry.setValue(in_type(entry.value(), type));
    return dict;
  }
  return value;
}

/// Constants of the code, and the numbers of dtypes among them.
void rename_types(torch::jit::Block* block, c10::ScalarType type) {
  const auto is_dtype = [](const c10::Argument& argument) {
    const auto& declared = argument.real_type();
    const auto* optional = declared->castRaw<c10::OptionalType>();
    return (optional == nullptr ? declared : optional->getElementType())->kind() ==
           c10::TypeKind::ScalarTypeType;
  };
  for (torch::jit::Node* node : block->nodes()) {
    for (torch::jit::Block* inner : node->blocks()) rename_types(inner, type);
    if (node->kind() == c10::prim::Constant) {
      const auto value = torch::jit::toIValue(node->output());
      if (value && value->isTensor() && value->toTensor().defined() &&
          is_replaced(value->toTensor().scalar_type()))
        node->t_(c10::attr::value, value->toTensor().to(type));
    }
    const c10::FunctionSchema* schema = node->maybeSchema();
    if (schema == nullptr) continue;
    for (size_t i = 0; i < schema->arguments().size() && i < node->inputs().size(); ++i) {
      const auto value = torch::jit::toIValue(node->input(i));
      if (!value || !value->isInt() || !is_dtype(schema->arguments()[i]) ||
          !is_replaced(static_cast<c10::ScalarType>(value->toInt())))
        continue;
      const torch::jit::WithInsertPoint guard(node);
      node->replaceInput(i, node->owningGraph()->insertConstant(static_cast<int64_t>(type)));
    }
  }
}

}  // namespace

LibTorchModule::LibTorchModule(const std::string& archive, std::string method, c10::Device device)
    : method_(std::move(method)) {
  register_torchvision_operators();
  register_torchaudio_operators();
  module_ = torch::jit::load(archive, device);
  module_.eval();
}

c10::IValue LibTorchModule::run_eager(std::vector<c10::IValue> inputs) {
  const EagerExecutor eager;
  if (!std::exchange(reads_numbers_, true)) restore_numbers(module_);
  return run(std::move(inputs));
}

c10::IValue LibTorchModule::run_in(c10::ScalarType type, std::vector<c10::IValue> inputs) {
  if (!std::exchange(has_other_type_, true)) {
    for (at::Tensor t : module_.parameters()) t.set_data(in_type(t, type));
    for (at::Tensor t : module_.buffers()) t.set_data(in_type(t, type));
    for (torch::jit::Function* function : module_._ivalue()->compilation_unit()->get_functions()) {
      function->ensure_defined();
      if (auto* with_graph = torch::jit::tryToGraphFunction(*function))
        rename_types(with_graph->graph()->block(), type);
    }
  }
  for (c10::IValue& input : inputs) input = in_type(input, type);
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
