// Patterns: build, match, fill, describe.
#include "loader/pattern.h"

#include <ATen/core/Dict.h>
#include <ATen/core/List.h>
#include <ATen/core/class_type.h>
#include <ATen/core/jit_type.h>
#include <ATen/ops/clone.h>
#include <c10/util/SmallVector.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "kernels/dtype.h"
#include "loader/dtypes.h"

namespace torchweld {
namespace {

using Kind = PatternItem::Kind;

/// Takes values apart.
class Taker {
 public:
  Taker(const Pattern::NumberTensor& number, Pattern::Containers* containers)
      : number_(number), containers_(*containers) {}

  PatternItem item_of(const c10::IValue& value) {
    PatternItem item;
    if (value.isTensor() && value.toTensor().defined()) {
      item.kind = Kind::kTensor;
      item.leaf = number_(value.toTensor());
      item.meta = TensorMeta(value.toTensor());
    } else if (value.isTuple()) {
      item.kind = Kind::kTuple;
      const auto& tuple = value.toTupleRef();
      item.type = tuple.type();
      for (const c10::IValue& element : tuple.elements()) take(element, &item);
    } else if (value.isList() || value.isGenericDict() || is_plain_object(value)) {
      const auto [known, is_new] =
          containers_.try_emplace(value.internalToPointer(), static_cast<int>(containers_.size()));
      item.leaf = known->second;
      item.kind = Kind::kSame;
      if (is_new) take_container(value, &item);
    } else {
      item.host = value;
    }
    return item;
  }

 private:
  void take(const c10::IValue& child, PatternItem* item) {
    item->children.push_back(item_of(child));
  }

  void take_container(const c10::IValue& value, PatternItem* item) {
    if (value.isList()) {
      item->kind = Kind::kList;
      const auto list = value.toList();
      item->type = list.elementType();
      for (const c10::IValue& element : list) take(element, item);
    } else if (value.isGenericDict()) {
      item->kind = Kind::kDict;
      const auto dict = value.toGenericDict();
      item->type = c10::DictType::create(dict.keyType(), dict.valueType());
      for (const auto& entry : dict) {
        take(entry.key(), item);
        take(entry.value(), item);
      }
    } else {
      item->kind = Kind::kObject;
      const auto& object = value.toObjectRef();
      item->type = object.type();
      for (const c10::IValue& attribute : object.slots()) take(attribute, item);
    }
  }

  const Pattern::NumberTensor& number_;
  Pattern::Containers& containers_;
};

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

/// Compares values with items.
class Matcher {
 public:
  explicit Matcher(std::vector<const at::Tensor*>* leaves) : leaves_(*leaves) {}

  bool match(const PatternItem& item, const c10::IValue& value) {
    switch (item.kind) {
      case Kind::kTensor:
        if (!value.isTensor() || !item.meta.matches(value.toTensor())) return false;
        leaves_.push_back(&value.toTensor());
        return true;
      case Kind::kList:
        return value.isList() && is_first(item, value) && match_all(item, value.toListRef());
      case Kind::kTuple:
        return value.isTuple() && match_all(item, value.toTupleRef().elements());
      case Kind::kDict:
        return value.isGenericDict() && is_first(item, value) &&
               match_entries(item, value.toGenericDict());
      case Kind::kObject:
        return value.isObject() && value.toObjectRef().type() == item.type &&
               is_first(item, value) && match_all(item, value.toObjectRef().slots());
      case Kind::kSame:
        return static_cast<size_t>(item.leaf) < seen_.size() && value.isPtrType() &&
               seen_[static_cast<size_t>(item.leaf)] == value.internalToPointer();
      case Kind::kHost:
        return same_host(item.host, value);
      case Kind::kHole:
        return item.host.isInt() ? value.isInt() : item.host.isDouble() && value.isDouble();
    }
    return false;
  }

 private:
  // A container that stands in two places where two were would be changed in both.
  bool is_first(const PatternItem& item, const c10::IValue& value) {
    const void* const container = value.internalToPointer();
    if (std::find(seen_.begin(), seen_.end(), container) != seen_.end()) return false;
    seen_.resize(std::max(seen_.size(), static_cast<size_t>(item.leaf) + 1));
    seen_[static_cast<size_t>(item.leaf)] = container;
    return true;
  }

  template <typename Values>
  bool match_all(const PatternItem& item, const Values& values) {
    if (values.size() != item.children.size()) return false;
    size_t i = 0;
    for (const c10::IValue& value : values) {
      if (!match(item.children[i++], value)) return false;
    }
    return true;
  }

  bool match_entries(const PatternItem& item, const c10::impl::GenericDict& dict) {
    if (dict.size() * 2 != item.children.size()) return false;
    size_t i = 0;
    for (const auto& entry : dict) {
      if (!match(item.children[i++], entry.key())) return false;
      if (!match(item.children[i++], entry.value())) return false;
    }
    return true;
  }

  std::vector<const at::Tensor*>& leaves_;
  c10::SmallVector<const void*, 8> seen_;  // by number of the container
};

/// Makes values again.
class Filler {
 public:
  Filler(const std::vector<at::Tensor>& tensors, const std::vector<c10::IValue>& holes,
         std::vector<c10::IValue>* containers)
      : tensors_(tensors), holes_(holes), containers_(*containers) {}

  c10::IValue make(const PatternItem& item) {
    const auto leaf = static_cast<size_t>(item.leaf);
    switch (item.kind) {
      case Kind::kTensor:
        return tensors_[leaf];
      case Kind::kHole:
        return holes_[leaf];
      case Kind::kHost:
        return item.host;
      case Kind::kSame:
        return containers_[leaf];
      case Kind::kTuple: {
        std::vector<c10::IValue> elements;
        elements.reserve(item.children.size());
        for (const PatternItem& child : item.children) elements.push_back(make(child));
        return c10::ivalue::Tuple::createNamed(std::move(elements),
                                               item.type->cast<c10::TupleType>());
      }
      case Kind::kList: {
        c10::impl::GenericList list(item.type);
        put(leaf, list);
        list.reserve(item.children.size());
        for (const PatternItem& child : item.children) list.push_back(make(child));
        return list;
      }
      case Kind::kDict: {
        const auto type = item.type->expect<c10::DictType>();
        c10::impl::GenericDict dict(type->getKeyType(), type->getValueType());
        put(leaf, dict);
        for (size_t i = 0; i < item.children.size(); i += 2)
          dict.insert(make(item.children[i]), make(item.children[i + 1]));
        return dict;
      }
      case Kind::kObject: {
        const auto type = item.type->expect<c10::ClassType>();
        auto object = c10::ivalue::Object::create(
            c10::StrongTypePtr(type->compilation_unit(), type), item.children.size());
        put(leaf, object);
        for (size_t i = 0; i < item.children.size(); ++i)
          object->setSlot(i, make(item.children[i]));
        return object;
      }
    }
    return {};
  }

 private:
  // Before its elements are made: it may hold itself.
  void put(size_t number, const c10::IValue& container) {
    if (containers_.size() <= number) containers_.resize(number + 1);
    containers_[number] = container;
  }

  const std::vector<at::Tensor>& tensors_;
  const std::vector<c10::IValue>& holes_;
  std::vector<c10::IValue>& containers_;
};

// An object may hold itself.
constexpr int kMostNested = 16;

void visit_tensors(const c10::IValue& value, const std::function<void(const at::Tensor&)>& f,
                   int objects) {
  const auto visit = [&](const c10::IValue& inner) { visit_tensors(inner, f, objects); };
  if (value.isTensor()) {
    f(value.toTensor());
  } else if (value.isTensorList()) {
    for (const at::Tensor& t : value.toTensorVector()) f(t);
  } else if (value.isList()) {
    for (const c10::IValue& element : value.toListRef()) visit(element);
  } else if (value.isTuple()) {
    for (const c10::IValue& element : value.toTupleRef().elements()) visit(element);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      visit(entry.key());
      visit(entry.value());
    }
  } else if (is_plain_object(value) && ++objects <= kMostNested) {
    for (const c10::IValue& attribute : value.toObjectRef().slots()) visit(attribute);
  }
}

void list_containers_of(const PatternItem& item, std::vector<int>* made, std::vector<int>* taken) {
  if (item.kind == Kind::kSame) taken->push_back(item.leaf);
  if (item.kind == Kind::kList || item.kind == Kind::kDict || item.kind == Kind::kObject)
    made->push_back(item.leaf);
  for (const PatternItem& child : item.children) list_containers_of(child, made, taken);
}

std::string describe_item(const PatternItem& item) {
  if (item.kind == Kind::kTensor) {
    return fmt::format("{}[{}]", name_of(dtype_of(item.meta.scalar_type)),
                       fmt::join(item.meta.sizes, ","));
  }
  if (item.kind == Kind::kSame) return "the same again";
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
  if (item.kind == Kind::kObject) {
    return fmt::format("{}({})", item.type->expect<c10::ClassType>()->name()->name(),
                       fmt::join(parts, ", "));
  }
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

bool is_plain_object(const c10::IValue& value) {
  if (!value.isObject()) return false;
  const auto& object = value.toObjectRef();
  const auto is_capsule = [](const c10::IValue& attribute) { return attribute.isCapsule(); };
  return !object.type()->is_module() &&
         std::none_of(object.slots().begin(), object.slots().end(), is_capsule);
}

bool is_reference(const c10::IValue& value) {
  return (value.isObject() && !is_plain_object(value)) || value.isCapsule() ||
         value.isGenerator() || value.isFuture() || value.isPyObject() || value.isBlob() ||
         value.isStream() || value.isStorage() || value.isRRef() || value.isAwait();
}

Pattern Pattern::of(const std::vector<c10::IValue>& values, const NumberTensor& number_tensor,
                    Containers* containers) {
  Pattern pattern;
  Containers own;
  Taker taker(number_tensor, containers == nullptr ? &own : containers);
  for (const c10::IValue& value : values) pattern.items_.push_back(taker.item_of(value));
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
  Matcher matcher(leaves);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!matcher.match(items_[i], values[i])) return false;
  }
  return true;
}

void Pattern::fill(const std::vector<at::Tensor>& tensors, const std::vector<c10::IValue>& holes,
                   std::vector<c10::IValue>* containers, std::vector<c10::IValue>* values) const {
  Filler filler(tensors, holes, containers);
  for (const PatternItem& item : items_) values->push_back(filler.make(item));
}

void Pattern::list_containers(std::vector<int>* made, std::vector<int>* taken) const {
  for (const PatternItem& item : items_) list_containers_of(item, made, taken);
}

std::string Pattern::describe() const {
  std::vector<std::string> parts;
  for (const PatternItem& item : items_) parts.push_back(describe_item(item));
  return fmt::format("{}", fmt::join(parts, ", "));
}

void for_each_tensor(const c10::IValue& value, const std::function<void(const at::Tensor&)>& f) {
  visit_tensors(value, f, 0);
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
