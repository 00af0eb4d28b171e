#include "cli/inputs_file.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/jit_type.h>
#include <fmt/format.h>
#include <torch/csrc/jit/frontend/script_type_parser.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <fstream>
#include <iterator>

namespace torchweld::cli {
namespace {

c10::IValue unpickled(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw Error(ErrorCode::kFile, fmt::format("can't read the inputs file {}", path));
  try {
    return torch::jit::pickle_load(bytes);
  } catch (const std::exception& error) {
    const std::string text = error.what();
    throw Error(
        ErrorCode::kBadInput,
        fmt::format(
            "{} was not written by torch.save, or holds more than tensors, numbers, strings, "
            "tuples, lists and dicts: {}",
            path, text.substr(0, text.find('\n'))));
  }
}

std::vector<c10::IValue> as_vector(const c10::IValue& value, const std::string& path) {
  if (value.isTuple()) return value.toTuple()->elements().vec();
  if (value.isList()) return value.toListRef().vec();
  if (value.isTensor()) return {value};
  throw Error(
      ErrorCode::kBadInput,
      fmt::format("{} holds {}; write the inputs with torch.save((first, second, ...), FILE) or "
                  "torch.save({{\"inputs\": (first, ...), \"outputs\": [tensor, ...]}}, FILE)",
                  path, value.tagKind()));
}

c10::IValue coerced(const c10::IValue& value, const c10::TypePtr& type);

c10::IValue coerced_list(const c10::IValue& value, const c10::TypePtr& element) {
  c10::impl::GenericList list(element);
  for (const c10::IValue& item : value.toListRef()) list.push_back(coerced(item, element));
  return list;
}

c10::IValue coerced_dict(const c10::IValue& value, const c10::DictType& type) {
  c10::impl::GenericDict dict(type.getKeyType(), type.getValueType());
  for (const auto& entry : value.toGenericDict()) {
    dict.insert(coerced(entry.key(), type.getKeyType()),
                coerced(entry.value(), type.getValueType()));
  }
  return dict;
}

c10::IValue coerced(const c10::IValue& value, const c10::TypePtr& type) {
  if (value.isNone()) return value;
  if (const auto optional = type->cast<c10::OptionalType>()) {
    return coerced(value, optional->getElementType());
  }
  if (const auto list = type->cast<c10::ListType>(); list && value.isList()) {
    return coerced_list(value, list->getElementType());
  }
  if (const auto dict = type->cast<c10::DictType>(); dict && value.isGenericDict()) {
    return coerced_dict(value, *dict);
  }
  const auto tuple = type->cast<c10::TupleType>();
  if (tuple && value.isTuple() && value.toTupleRef().size() == tuple->elements().size()) {
    std::vector<c10::IValue> elements = value.toTuple()->elements().vec();
    for (size_t i = 0; i < elements.size(); ++i) {
      elements[i] = coerced(elements[i], tuple->elements()[i]);
    }
    return c10::ivalue::Tuple::create(std::move(elements));
  }
  if (type->kind() == c10::TypeKind::FloatType && value.isInt()) {
    return static_cast<double>(value.toInt());
  }
  return value;
}

void collect(const c10::IValue& value, std::vector<at::Tensor>& tensors) {
  if (value.isTensor()) {
    tensors.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const c10::IValue& item : value.toTupleRef().elements()) collect(item, tensors);
  } else if (value.isList()) {
    for (const c10::IValue& item : value.toListRef()) collect(item, tensors);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) collect(entry.value(), tensors);
  }
}

}  // namespace

InputsFile read_inputs_file(const std::string& path) {
  const c10::IValue value = unpickled(path);
  if (!value.isGenericDict()) return {as_vector(value, path), std::nullopt};
  const auto dict = value.toGenericDict();
  if (!dict.contains("inputs")) {
    throw Error(ErrorCode::kBadInput,
                fmt::format("{} holds a dict without the key \"inputs\"", path));
  }
  InputsFile result{as_vector(dict.at("inputs"), path), std::nullopt};
  if (dict.contains("outputs")) result.outputs = tensors_in(dict.at("outputs"));
  return result;
}

std::vector<c10::IValue> coerced(std::vector<c10::IValue> inputs,
                                 const std::vector<Argument>& arguments) {
  for (size_t i = 0; i < inputs.size() && i < arguments.size(); ++i) {
    try {
      inputs[i] = coerced(inputs[i], torch::jit::ScriptTypeParser().parseType(arguments[i].type));
    } catch (const std::exception&) {
      // A type of the archive's own, or a union: nothing to coerce to.
    }
  }
  return inputs;
}

std::vector<at::Tensor> tensors_in(const c10::IValue& value) {
  std::vector<at::Tensor> tensors;
  collect(value, tensors);
  return tensors;
}

}  // namespace torchweld::cli
