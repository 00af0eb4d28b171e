// What two calls' signatures have in common: hashes, and what differs. Only where a call has no
// plan.
#include <ATen/core/Dict.h>
#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "loader/pattern.h"

namespace torchweld {
namespace {

void mix(uint64_t* hash, uint64_t x) {
  // Splitmix64's finaliser: counters differ in their low bits alone, tables are short.
  x += *hash + 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  *hash = x ^ (x >> 31);
}

void mix_tensor(uint64_t* hash, const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.layout() != c10::kStrided || tensor.is_nested()) return;
  mix(hash, static_cast<uint64_t>(tensor.scalar_type()));
  for (const int64_t size : tensor.sizes()) mix(hash, static_cast<uint64_t>(size));
  for (const int64_t stride : tensor.strides()) mix(hash, static_cast<uint64_t>(stride));
}

// Of a long container its length and its ends count: one that grows from call to call would make
// each call take longer.
constexpr size_t kEnd = 16;

void mix_value(uint64_t* hash, const c10::IValue& value);

void mix_list(uint64_t* hash, c10::ArrayRef<c10::IValue> list) {
  mix(hash, list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    if (i == kEnd && list.size() > 2 * kEnd) i = list.size() - kEnd;
    mix_value(hash, list[i]);
  }
}

void mix_dict(uint64_t* hash, const c10::impl::GenericDict& dict) {
  mix(hash, dict.size());
  size_t taken = 0;
  for (const auto& entry : dict) {
    if (++taken > kEnd) break;
    mix_value(hash, entry.key());
    mix_value(hash, entry.value());
  }
}

void mix_value(uint64_t* hash, const c10::IValue& value) {
  mix(hash, 1);
  if (value.isTensor()) {
    mix_tensor(hash, value.toTensor());
  } else if (value.isInt()) {
    mix(hash, static_cast<uint64_t>(value.toInt()));
  } else if (value.isDouble()) {
    mix(hash, std::hash<double>()(value.toDouble()));
  } else if (value.isBool()) {
    mix(hash, value.toBool() ? 3 : 2);
  } else if (value.isString()) {
    mix(hash, std::hash<std::string>()(value.toStringRef()));
  } else if (value.isList()) {
    mix_list(hash, value.toListRef());
  } else if (value.isTuple()) {
    for (const c10::IValue& element : value.toTupleRef().elements()) mix_value(hash, element);
  } else if (value.isGenericDict()) {
    mix_dict(hash, value.toGenericDict());
  }
}

}  // namespace

uint64_t hash_of(const std::vector<c10::IValue>& values) {
  uint64_t hash = 0;
  for (const c10::IValue& value : values) mix_value(&hash, value);
  return hash;
}

void Pattern::open(const std::vector<int>& positions) {
  for (const int position : positions)
    items_[static_cast<size_t>(position)].kind = PatternItem::Kind::kHole;
}

bool Pattern::differs_in_numbers(const std::vector<c10::IValue>& values,
                                 std::vector<int>* places) const {
  if (values.size() != items_.size()) return false;
  Pattern one;
  std::vector<const at::Tensor*> leaves;
  std::vector<int> found;
  for (size_t i = 0; i < items_.size(); ++i) {
    const PatternItem& item = items_[i];
    const c10::IValue& value = values[i];
    const bool number =
        item.host.isInt() ? value.isInt() : item.host.isDouble() && value.isDouble();
    one.items_ = {item};
    const bool same = one.match({value}, &leaves);
    if (same && item.kind != PatternItem::Kind::kHole) continue;
    if (!number) return false;
    found.push_back(static_cast<int>(i));
  }
  places->insert(places->end(), found.begin(), found.end());
  return !found.empty();
}

std::vector<Pattern::Difference> Pattern::differences(
    const std::vector<c10::IValue>& values) const {
  std::vector<Difference> found;
  for (size_t i = 0; i < items_.size() && i < values.size(); ++i) {
    Pattern before;
    before.items_ = {items_[i]};
    std::vector<const at::Tensor*> leaves;
    if (before.match({values[i]}, &leaves)) continue;
    const Pattern now = of({values[i]}, [](const at::Tensor&) { return 0; });
    found.push_back({i, before.describe(), now.describe()});
  }
  return found;
}

}  // namespace torchweld
