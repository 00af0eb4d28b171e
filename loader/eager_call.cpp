#include "loader/eager_call.h"

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/jit_type.h>
#include <c10/core/Device.h>
#include <fmt/format.h>
#include <torch/csrc/jit/runtime/operator.h>

#include "loader/operator_errors.h"
#include "torchweld/error.h"

namespace torchweld {
namespace {

/// A host argument as LibTorch takes it; `type` tells the element type of lists.
struct ToIValue {
  const std::vector<c10::IValue>& opaques;

  c10::IValue operator()(std::monostate) const { return {}; }
  c10::IValue operator()(const Arg::Tensor&) const { return {}; }
  c10::IValue operator()(const Arg::TensorList&) const { return {}; }
  c10::IValue operator()(int64_t v) const { return v; }
  c10::IValue operator()(double v) const { return v; }
  c10::IValue operator()(bool v) const { return v; }
  c10::IValue operator()(const std::string& v) const { return v; }
  c10::IValue operator()(const Arg::Ints& v) const { return c10::List<int64_t>(v); }
  c10::IValue operator()(const Arg::Floats& v) const { return c10::List<double>(v); }
  c10::IValue operator()(const Arg::Bools& v) const {
    c10::List<bool> list;
    for (const bool b : v) list.push_back(b);
    return list;
  }
  c10::IValue operator()(const Arg::Device& v) const { return c10::Device(v.name); }
  c10::IValue operator()(const Arg::Opaque& v) const {
    return opaques[static_cast<size_t>(v.index)];
  }
};

bool holds_optionals(const c10::TypePtr& type) {
  const auto list = type->cast<c10::ListType>();
  return list != nullptr && list->getElementType()->kind() == c10::TypeKind::OptionalType;
}

c10::IValue tensor_list(const Arg::TensorList& list, const c10::TypePtr& type,
                        const std::function<at::Tensor(ValueId)>& tensor_of) {
  if (!holds_optionals(type)) {
    c10::List<at::Tensor> out;
    for (const ValueId id : list.ids) out.push_back(id == kNone ? at::Tensor() : tensor_of(id));
    return out;
  }
  c10::List<std::optional<at::Tensor>> out;
  for (const ValueId id : list.ids)
    out.push_back(id == kNone ? std::nullopt : std::optional(tensor_of(id)));
  return out;
}

c10::IValue optional_numbers(const Arg::Floats& numbers) {
  c10::List<std::optional<at::Scalar>> list;
  for (const double number : numbers) list.push_back(at::Scalar(number));
  return list;
}

}  // namespace

EagerCall::EagerCall(const Graph&, const Node& node, const std::vector<c10::IValue>& opaques)
    : op_(node.op), source_(node.source), args_(node.args) {
  const size_t dot = op_.find('.');
  const c10::OperatorName name(op_.substr(0, dot),
                               dot == std::string::npos ? "" : op_.substr(dot + 1));
  const auto op = torch::jit::findOperatorFor(name);
  if (op == nullptr)
    throw Error(ErrorCode::kInternal, fmt::format("operator {} is registered no more", op_));
  operation_ = op->getOperation();
  for (const c10::Argument& a : op->schema().arguments()) types_.push_back(a.type());
  for (size_t i = 0; i < args_.size(); ++i) {
    const auto* numbers = std::get_if<Arg::Floats>(&args_[i].value);
    values_.push_back(numbers != nullptr && holds_optionals(types_[i])
                          ? optional_numbers(*numbers)
                          : std::visit(ToIValue{opaques}, args_[i].value));
  }
}

void EagerCall::run(torch::jit::Stack* stack,
                    const std::function<at::Tensor(ValueId)>& tensor_of) const {
  const auto push = [&] {
    stack->clear();
    for (size_t i = 0; i < args_.size(); ++i) {
      if (const auto* t = args_[i].tensor()) {
        stack->emplace_back(t->id == kNone ? at::Tensor() : tensor_of(t->id));
      } else if (const auto* list = args_[i].tensor_list()) {
        stack->push_back(tensor_list(*list, types_[i], tensor_of));
      } else {
        stack->push_back(values_[i]);
      }
    }
  };
  push();
  const auto operands = [&] {
    push();
    return *stack;
  };
  run_reporting(op_, source_, operands, [&] { operation_(*stack); });
}

}  // namespace torchweld
