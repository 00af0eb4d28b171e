// Patterns: build, match, fill, describe.
#include "loader/pattern.h"

#include <ATen/core/Dict.h>
#include <ATen/core/List.h>
#include <ATen/core/jit_type.h>
#include <ATen/ops/clone.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

#include "kernels/dtype.h"
#include "loader/dtypes.h"

namespace torchweld {
namespace {

using Kind = PatternItem::Kind;

PatternItem item_of(const c10::IValue& value, const Pattern::NumberTensor& number) {
  PatternItem item;
  if (value.isTensor() && value.toTensor().defined()) {
    item.kind = Kind::kTensor;
    item.leaf = number(value.toTensor());
    item.meta = TensorMeta(value.toTensor());
  } else if (value.isList()) {
    item.kind = Kind::kList;
    const auto list = value.toList();
    item.type = list.elementType();
    for (const c10::IValue& element : list) item.children.push_back(item_of(element, number));
  } else if (value.isTuple()) {
    item.kind = Kind::kTuple;
    const auto& tuple = value.toTupleRef();
    item.type = tuple.type();
    for (const c10::IValue& element : tuple.elements())
      item.children.push_back(item_of(element, number));
  } else if (value.isGenericDict()) {
    item.kind = Kind::kDict;
    const auto dict = value.toGenericDict();
    item.type = c10::DictType::create(dict.keyType(), dict.valueType());
    for (const auto& entry : dict) {
      item.children.push_back(item_of(entry.key(), number));
      item.children.push_back(item_of(entry.value(), number));
    }
  } else {
    item.host = value;
  }
  return item;
}

bool same_host(const c10::IValue& a, const c10::IValue& b) {
  if (a.isInt()) return b.isInt() && a.toInt() == b.toInt();
  if (a.isBool()) return b.isBool() && a.toBool() == b.toBool();
  if (a.isNone()) return b.isNone();
  if (a.isDouble()) {  // by bits: NaN equals itself, 0.0 differs from -0.0
    if (!b.isDouble()) return false;
    const double x = a.toDouble(), y = b.toDouble();
    return std::memcmp(&x, &y, sizeof x) == 0;
  }
  if (a.isString()) return b.isString() && a.toStringRef() == b.toStringRef();
  if (is_reference(a)) return a.is(b);
  if (a.isTensor()) return b.isTensor() && !b.toTensor().defined();
  if (a.tagKind() != b.tagKind()) return false;  // makes strings: only for kinds that are rare
  return a.tagKind() == "Uninitialized" || a == b;
}

bool match_item(const PatternItem& item, const c10::IValue& value,
                std::vector<const at::Tensor*>* leaves);

bool match_list(const PatternItem& item, const c10::IValue& value,
                std::vector<const at::Tensor*>* leaves) {
  if (!value.isList()) return false;
  const c10::ArrayRef<c10::IValue> elements = value.toListRef();
  if (elements.size() != item.children.size()) return false;
  for (size_t i = 0; i < elements.size(); ++i) {
    if (!match_item(item.children[i], elements[i], leaves)) return false;
  }
  return true;
}

bool match_tuple(const PatternItem& item, const c10::IValue& value,
                 std::vector<const at::Tensor*>* leaves) {
  if (!value.isTuple()) return false;
  const auto& elements = value.toTupleRef().elements();
  if (elements.size() != item.children.size()) return false;
  for (size_t i = 0; i < elements.size(); ++i) {
    if (!match_item(item.children[i], elements[i], leaves)) return false;
  }
  return true;
}

bool match_dict(const PatternItem& item, const c10::IValue& value,
                std::vector<const at::Tensor*>* leaves) {
  if (!value.isGenericDict()) return false;
  const auto dict = value.toGenericDict();
  if (dict.size() * 2 != item.children.size()) return false;
  size_t i = 0;
  for (const auto& entry : dict) {
    if (!match_item(item.children[i++], entry.key(), leaves)) return false;
    if (!match_item(item.children[i++], entry.value(), leaves)) return false;
  }
  return true;
}

bool match_item(const PatternItem& item, const c10::IValue& value,
                std::vector<const at::Tensor*>* leaves) {
  switch (item.kind) {
    case Kind::kTensor:
      if (!value.isTensor() || !item.meta.matches(value.toTensor())) return false;
      leaves->push_back(&value.toTensor());
      return true;
    case Kind::kList:
      return match_list(item, value, leaves);
    case Kind::kTuple:
      return match_tuple(item, value, leaves);
    case Kind::kDict:
      return match_dict(item, value, leaves);
    case Kind::kHost:
      return same_host(item.host, value);
    case Kind::kHole:
      return item.host.isInt() ? value.isInt() : item.host.isDouble() && value.isDouble();
  }
  return false;
}

c10::IValue fill_item(const PatternItem& item, const std::vector<at::Tensor>& tensors,
                      const std::vector<c10::IValue>& holes) {
  const auto child = [&](size_t i) { return fill_item(item.children[i], tensors, holes); };
  switch (item.kind) {
    case Kind::kTensor:
      return tensors[static_cast<size_t>(item.leaf)];
    case Kind::kHole:
      return holes[static_cast<size_t>(item.leaf)];
    case Kind::kHost:
      return item.host;
    case Kind::kList: {
      c10::impl::GenericList list(item.type);
      list.reserve(item.children.size());
      for (size_t i = 0; i < item.children.size(); ++i) list.push_back(child(i));
      return list;
    }
    case Kind::kTuple: {
      std::vector<c10::IValue> elements;
      elements.reserve(item.children.size());
      for (size_t i = 0; i < item.children.size(); ++i) elements.push_back(child(i));
      return c10::ivalue::Tuple::createNamed(std::move(elements),
                                             item.type->cast<c10::TupleType>());
    }
    case Kind::kDict: {
      const auto type = item.type->expect<c10::DictType>();
      c10::impl::GenericDict dict(type->getKeyType(), type->getValueType());
      for (size_t i = 0; i < item.children.size(); i += 2) dict.insert(child(i), child(i + 1));
      return dict;
    }
  }
  return {};
}

std::string describe_item(const PatternItem& item) {
  if (item.kind == Kind::kTensor) {
    return fmt::format("{}[{}]", name_of(dtype_of(item.meta.scalar_type)),
                       fmt::join(item.meta.sizes, ","));
  }
  if (item.kind == Kind::kHole) {
    return item.host.isNone()  ? "value read from data"
           : item.host.isInt() ? "any int"
                               : "any float";
  }
  if (item.kind == Kind::kHost) {
    if (item.host.isString())
      return fmt::format("str \"{}\"", item.host.toStringRef().substr(0, 40));
    if (item.host.isInt()) return fmt::format("int {}", item.host.toInt());
    if (item.host.isBool()) return item.host.toBool() ? "bool true" : "bool false";
    if (item.host.isDouble()) return fmt::format("float {}", item.host.toDouble());
    return item.host.isNone() ? "none" : item.host.tagKind();
  }
  std::vector<std::string> parts;
  for (const PatternItem& c : item.children) parts.push_back(describe_item(c));
  const char* open = item.kind == Kind::kList ? "[" : item.kind == Kind::kTuple ? "(" : "{";
  const char* close = item.kind == Kind::kList ? "]" : item.kind == Kind::kTuple ? ")" : "}";
  return fmt::format("{}{}{}", open, fmt::join(parts, ", "), close);
}

}  // namespace

TensorMeta::TensorMeta(const at::Tensor& tensor)
    : scalar_type(tensor.scalar_type()),
      key_set(tensor.key_set().raw_repr()),
      device(tensor.device()) {
  if (tensor.layout() != c10::kStrided || tensor.is_nested()) return;
  sizes = tensor.sizes().vec();
  strides = tensor.strides().vec();
}

bool TensorMeta::matches(const at::Tensor& tensor) const {
  if (!tensor.defined() || tensor.scalar_type() != scalar_type ||
      tensor.key_set().raw_repr() != key_set)
    return false;
  if (tensor.device() != device || tensor.layout() != c10::kStrided) return false;
  return tensor.sizes() == c10::IntArrayRef(sizes) && tensor.strides() == c10::IntArrayRef(strides);
}

bool is_reference(const c10::IValue& value) {
  return value.isObject() || value.isCapsule() || value.isGenerator() || value.isFuture() ||
         value.isPyObject() || value.isBlob() || value.isStream() || value.isStorage() ||
         value.isRRef() || value.isAwait();
}

Pattern Pattern::of(const std::vector<c10::IValue>& values, const NumberTensor& number_tensor) {
  Pattern pattern;
  for (const c10::IValue& value : values) pattern.items_.push_back(item_of(value, number_tensor));
  return pattern;
}

bool Pattern::match(const std::vector<c10::IValue>& values,
                    std::vector<const at::Tensor*>* leaves) const {
  return values.size() == items_.size() && match_prefix(values, leaves) &&
         (numbers_ == nullptr || numbers_->run(values, leaves));
}

bool Pattern::match_prefix(const std::vector<c10::IValue>& values,
                           std::vector<const at::Tensor*>* leaves) const {
  leaves->clear();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!match_item(items_[i], values[i], leaves)) return false;
  }
  return true;
}

void Pattern::fill(const std::vector<at::Tensor>& tensors, const std::vector<c10::IValue>& holes,
                   std::vector<c10::IValue>* values) const {
  for (const PatternItem& item : items_) values->push_back(fill_item(item, tensors, holes));
}

std::string Pattern::describe() const {
  std::vector<std::string> parts;
  for (const PatternItem& item : items_) parts.push_back(describe_item(item));
  return fmt::format("{}", fmt::join(parts, ", "));
}

void for_each_tensor(const c10::IValue& value, const std::function<void(const at::Tensor&)>& f) {
  if (value.isTensor()) {
    f(value.toTensor());
  } else if (value.isTensorList()) {
    for (const at::Tensor& t : value.toTensorVector()) f(t);
  } else if (value.isList()) {
    for (const c10::IValue& element : value.toListRef()) for_each_tensor(element, f);
  } else if (value.isTuple()) {
    for (const c10::IValue& element : value.toTupleRef().elements()) for_each_tensor(element, f);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      for_each_tensor(entry.key(), f);
      for_each_tensor(entry.value(), f);
    }
  }
}

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  if (tensor.layout() != c10::kStrided) return "sparse tensor";
  return fmt::format("{}[{}]", name_of(dtype_of(tensor.scalar_type())),
                     fmt::join(tensor.sizes(), ","));
}

c10::IValue deep_copy(const c10::IValue& value) {
  if (value.isObject()) return value;
  return value.deepcopy();
}

}  // namespace torchweld
