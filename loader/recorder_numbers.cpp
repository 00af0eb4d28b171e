// How operators that take open numbers are recorded: their number becomes a tensor that the graph
// reads. What is not here guards the number. Decision: docs/decisions/open-numbers.md
#include <ATen/native/TypeProperties.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/result_type.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "loader/recorder.h"

namespace torchweld {

/// The operand of an operator that may be a number or a tensor of no dimensions, to one effect.
struct Twin {
  size_t operand = 1;
  const char* name = "";     ///< of the operator that takes a tensor
  bool of_own_type = false;  ///< the number takes the first operand's type, whatever it was
};

namespace {

const Twin* twin_of(std::string_view name) {
  static const std::unordered_map<std::string_view, Twin> twins = {
      {"aten::add.Scalar", {1, "aten::add.Tensor"}},
      {"aten::add_.Scalar", {1, "aten::add_.Tensor"}},
      {"aten::sub.Scalar", {1, "aten::sub.Tensor"}},
      {"aten::sub_.Scalar", {1, "aten::sub_.Tensor"}},
      {"aten::rsub.Scalar", {1, "aten::rsub.Tensor"}},
      {"aten::mul.Scalar", {1, "aten::mul.Tensor"}},
      {"aten::mul_.Scalar", {1, "aten::mul_.Tensor"}},
      {"aten::div.Scalar", {1, "aten::div.Tensor"}},
      {"aten::div_.Scalar", {1, "aten::div_.Tensor"}},
      {"aten::div.Scalar_mode", {1, "aten::div.Tensor_mode"}},
      {"aten::eq.Scalar", {1, "aten::eq.Tensor"}},
      {"aten::ne.Scalar", {1, "aten::ne.Tensor"}},
      {"aten::lt.Scalar", {1, "aten::lt.Tensor"}},
      {"aten::le.Scalar", {1, "aten::le.Tensor"}},
      {"aten::gt.Scalar", {1, "aten::gt.Tensor"}},
      {"aten::ge.Scalar", {1, "aten::ge.Tensor"}},
      {"aten::remainder.Scalar", {1, "aten::remainder.Tensor"}},
      {"aten::floor_divide.Scalar", {1, "aten::floor_divide"}},
      {"aten::fmod.Scalar", {1, "aten::fmod.Tensor"}},
      {"aten::fill_.Scalar", {1, "aten::fill_.Tensor", true}},
      {"aten::masked_fill.Scalar", {2, "aten::masked_fill.Tensor", true}},
      {"aten::masked_fill_.Scalar", {2, "aten::masked_fill_.Tensor", true}},
      {"aten::lerp.Scalar", {2, "aten::lerp.Tensor", true}},
      {"aten::lerp_.Scalar", {2, "aten::lerp_.Tensor", true}},
  };
  const auto it = twins.find(name);
  return it == twins.end() ? nullptr : &it->second;
}

/// What number_program.h writes. Halves are left out: LibTorch rounds a number beside them later
/// than it would a tensor.
bool can_be_written(c10::ScalarType type) {
  return type == at::kFloat || type == at::kDouble || type == at::kLong;
}

void difference(torch::jit::Stack& stack) {
  const int64_t b = stack.back().toInt();
  stack.pop_back();
  stack.back() = stack.back().toInt() - b;
}

}  // namespace

/// Called when an operator has run whose operands are in open_operands_.
void Recorder::take_numbers(const CodeNode& node, const torch::jit::Stack& stack) {
  source_ = node.source;
  const bool any = std::any_of(open_operands_.begin(), open_operands_.end(),
                               [](const Openness& o) { return o.any(); });
  if (!any || numbers_->compute(node, open_operands_, pending_, stack) || express(node, stack))
    return;
  for (const Openness& operand : open_operands_) numbers_->pin(operand);
}

bool Recorder::express(const CodeNode& node, const torch::jit::Stack& stack) {
  if (stack.size() != 1 || !stack[0].isTensor()) return false;
  const at::Tensor& result = stack[0].toTensor();
  for (const Openness& operand : open_operands_) {
    if (operand.number >= 0 && numbers_->now(operand.number).isBool()) return false;
  }
  const auto only = [&](size_t at) {
    for (size_t i = 0; i < open_operands_.size(); ++i) {
      if (i != at && open_operands_[i].any()) return false;
    }
    return open_operands_[at].any();
  };
  if (const Twin* twin = twin_of(node.name)) {
    return only(twin->operand) && pending_[0].isTensor() && express_operand(*twin);
  }
  if (ids_.contains(result.unsafeGetTensorImpl()) || !result.is_cpu()) return false;
  if (node.name == "aten::arange.start") return express_range(result);
  if (node.name == "aten::full") return only(1) && express_fill(open_operands_[1].number, result);
  if (node.name == "aten::scalar_tensor" || node.name == "aten::tensor.int" ||
      node.name == "aten::tensor.float")
    return only(0) && express_fill(open_operands_[0].number, result);
  if (node.name != "aten::tensor" || !only(0) || open_operands_[0].elements.size() != 1)
    return false;
  return express_fill(open_operands_[0].elements[0].number, result);
}

/// The number is a tensor of the type that LibTorch computes in.
bool Recorder::express_operand(const Twin& twin) {
  const at::Tensor& self = pending_[0].toTensor();
  const int number = open_operands_[twin.operand].number;
  if (number < 0 || !self.is_cpu()) return false;
  const c10::Scalar scalar = numbers_->now(number).toScalar();
  const c10::ScalarType type =
      twin.of_own_type ? self.scalar_type() : at::result_type(self, scalar);
  if (!can_be_written(type)) return false;
  const at::Tensor tensor = numbers_->tensor_of(number, type);
  if (!tensor.defined()) return false;
  add_number(tensor);
  pending_[twin.operand] = tensor;
  expressed_as_ = twin.name;
  return true;
}

/// A range as long as it was, from where the number says.
bool Recorder::express_range(const at::Tensor& result) {
  const auto other = std::find_if(open_operands_.begin() + 2, open_operands_.end(),
                                  [](const Openness& o) { return o.any(); });
  if (open_operands_[0].number < 0 || other != open_operands_.end() || !pending_[0].isInt() ||
      !pending_[1].isInt() || result.scalar_type() != at::kLong)
    return false;
  const int length =
      numbers_->combine(difference, open_operands_[1], pending_[1], open_operands_[0], pending_[0]);
  numbers_->pin(Openness{.number = length, .elements = {}});
  const at::Tensor start = numbers_->tensor_of(open_operands_[0].number, at::kLong);
  add_number(start);
  const at::Tensor places = at::arange(numbers_->now(length).toInt(), at::kLong);
  add_made("aten::add.Tensor", {places, start, int64_t{1}}, result);
  expressed_ = true;
  return true;
}

bool Recorder::express_fill(int number, const at::Tensor& result) {
  if (number < 0 || numbers_->now(number).isBool() || !can_be_written(result.scalar_type()) ||
      result.requires_grad())
    return false;
  if (result.scalar_type() == at::kLong && !numbers_->now(number).isInt()) return false;
  const at::Tensor value = numbers_->tensor_of(number, result.scalar_type());
  if (!value.defined()) return false;
  add_number(value);
  const at::Tensor wide = value.expand(result.sizes());
  if (result.dim() > 0) add_made("aten::expand", {value, result.sizes(), false}, wide);
  add_made("aten::clone",
           {result.dim() > 0 ? wide : value, static_cast<int64_t>(c10::MemoryFormat::Contiguous)},
           result);
  expressed_ = true;
  return true;
}

/// A number's tensor is an input of the graph like those of the signature.
void Recorder::add_number(const at::Tensor& tensor) {
  storages_.emplace(tensor.storage().unsafeGetStorageImpl(),
                    static_cast<StorageId>(graph_.storages.size()));
  const StorageId storage = graph_.add(Storage{.kind = Storage::Kind::kInput,
                                               .index = static_cast<int>(graph_.inputs.size()),
                                               .bytes = 0,
                                               .derived = false});
  base_bytes_.push_back(0);
  tainted_.push_back(1);
  const ValueId id = add_value(tensor, storage);
  ids_.emplace(tensor.unsafeGetTensorImpl(), id);
  graph_.inputs.push_back(id);
}

void Recorder::add_made(const char* op, std::vector<c10::IValue> arguments,
                        const at::Tensor& result) {
  CodeNode made;
  made.name = op;
  made.source = source_;
  pending_ = std::move(arguments);
  add_node(made, {result}, true, false);
}

}  // namespace torchweld
