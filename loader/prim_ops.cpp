// Tuples, lists, dicts, objects and type tests.
#include "loader/prim_ops.h"

#include <ATen/core/Dict.h>
#include <ATen/core/List.h>
#include <ATen/core/class_type.h>
#include <ATen/core/jit_type.h>
#include <fmt/format.h>

#include <algorithm>

#include "torchweld/error.h"

namespace torchweld {
namespace {

using Kind = CodeNode::Kind;
using Values = std::vector<c10::IValue>;

[[noreturn]] void fail(const CodeNode& node, const std::string& what) {
  throw Error(ErrorCode::kOperatorFailed,
              fmt::format("{} at {}: {}", node.name, node.source, what));
}

c10::IValue make_list(const CodeNode& node, Values inputs) {
  c10::impl::GenericList list(node.type->expect<c10::ListType>()->getElementType());
  list.reserve(inputs.size());
  for (c10::IValue& v : inputs) list.push_back(std::move(v));
  return list;
}

c10::IValue make_dict(const CodeNode& node, const Values& inputs) {
  const auto type = node.type->expect<c10::DictType>();
  c10::impl::GenericDict dict(type->getKeyType(), type->getValueType());
  for (size_t i = 0; i + 1 < inputs.size(); i += 2) dict.insert_or_assign(inputs[i], inputs[i + 1]);
  return dict;
}

Values unpack_list(const CodeNode& node, const c10::IValue& value) {
  const auto elements = value.toListRef();
  if (elements.size() != node.outputs.size()) {
    fail(node, fmt::format("expected {} elements in a list, found {}", node.outputs.size(),
                           elements.size()));
  }
  return elements.vec();
}

c10::IValue index_tuple(const CodeNode& node, const Values& inputs) {
  const auto& elements = inputs[0].toTupleRef().elements();
  const int64_t count = static_cast<int64_t>(elements.size());
  int64_t i = inputs[1].toInt();
  if (i < 0) i += count;
  if (i < 0 || i >= count)
    fail(node,
         fmt::format("tuple index {} is out of range for {} elements", inputs[1].toInt(), count));
  return elements[static_cast<size_t>(i)];
}

c10::IValue slice_tuple(const CodeNode& node, const c10::IValue& value) {
  const auto& elements = value.toTupleRef().elements();
  Values part;
  for (int64_t i = node.begin; i < node.end; ++i) part.push_back(elements[static_cast<size_t>(i)]);
  return c10::ivalue::Tuple::create(std::move(part));
}

bool is_instance(const CodeNode& node, const c10::IValue& value) {
  const c10::TypePtr type = value.type();
  return std::any_of(node.types.begin(), node.types.end(),
                     [&](const c10::TypePtr& t) { return type->isSubtypeOf(*t); });
}

c10::IValue create_object(const CodeNode& node) {
  const auto type = node.type->expect<c10::ClassType>();
  return c10::ivalue::Object::create(c10::StrongTypePtr(type->compilation_unit(), type),
                                     type->numAttributes());
}

}  // namespace

Values run_prim(const CodeNode& node, Values inputs) {
  switch (node.kind) {
    case Kind::kTuple: {
      const auto type = node.type->expect<c10::TupleType>();
      return {type->name() ? c10::ivalue::Tuple::createNamed(std::move(inputs), type)
                           : c10::ivalue::Tuple::create(std::move(inputs))};
    }
    case Kind::kList:
      return {make_list(node, std::move(inputs))};
    case Kind::kDict:
      return {make_dict(node, inputs)};
    case Kind::kTupleUnpack: {
      const auto& elements = inputs[0].toTupleRef().elements();
      return Values(elements.begin(), elements.end());
    }
    case Kind::kListUnpack:
      return unpack_list(node, inputs[0]);
    case Kind::kTupleIndex:
      return {index_tuple(node, inputs)};
    case Kind::kTupleSlice:
      return {slice_tuple(node, inputs[0])};
    case Kind::kCast:
      return {std::move(inputs[0])};
    case Kind::kUninitialized:
      return {c10::IValue::uninitialized()};
    case Kind::kIsInstance:
      return {is_instance(node, inputs[0])};
    case Kind::kCreateObject:
      return {create_object(node)};
    default:
      return {};
  }
}

}  // namespace torchweld
