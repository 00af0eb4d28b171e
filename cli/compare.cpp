// The walk over two IValues side by side. Tensors are compared in float64 (or exactly, when they
// aren't floating).
#include "cli/compare.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/view_as_real.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace torchweld::cli {
namespace {

class Walk {
 public:
  explicit Walk(const std::optional<Tolerance>& tolerance) : tolerance_(tolerance) {}

  void values(const c10::IValue& expected, const c10::IValue& actual, const std::string& where);
  Comparison result;

 private:
  void tensors(const at::Tensor& expected, const at::Tensor& actual, const std::string& where);
  void elements(const at::Tensor& expected, const at::Tensor& actual, const std::string& where);
  void dicts(const c10::IValue& expected, const c10::IValue& actual, const std::string& where);
  void sequences(c10::ArrayRef<c10::IValue> expected, c10::ArrayRef<c10::IValue> actual,
                 const std::string& where);
  void numbers(double expected, double actual, const std::string& where);

  void differ(const std::string& where, const std::string& how, bool in_structure = true) {
    result.differs_in_structure |= in_structure;
    if (!result.mismatch) result.mismatch = fmt::format("{}: {}", where, how);
  }
  Tolerance tolerance_for(c10::ScalarType type) const {
    return tolerance_ ? *tolerance_ : default_tolerance(type);
  }

  std::optional<Tolerance> tolerance_;
};

std::string text_of(const c10::IValue& value) {
  std::ostringstream out;
  out << value;
  return out.str().substr(0, 80);
}

void Walk::numbers(double expected, double actual, const std::string& where) {
  if (expected == actual || (std::isnan(expected) && std::isnan(actual))) return;
  const Tolerance allowed = tolerance_for(c10::kDouble);
  const double error = std::abs(expected - actual);
  if (std::isfinite(error)) result.largest_error = std::max(result.largest_error, error);
  if (!(error <= allowed.absolute + allowed.relative * std::abs(expected))) {
    differ(where, fmt::format("expected {}, got {}", expected, actual));
  }
}

void Walk::elements(const at::Tensor& expected, const at::Tensor& actual,
                    const std::string& where) {
  if (expected.is_complex()) {
    return elements(at::view_as_real(expected.resolve_conj()),
                    at::view_as_real(actual.resolve_conj()), where);
  }
  const at::Tensor a = expected.to(at::kDouble), b = actual.to(at::kDouble);
  const at::Tensor error = (a - b).abs();
  const at::Tensor finite_error = at::where(error.isfinite(), error, at::zeros_like(error));
  const double largest = finite_error.max().item<double>();
  result.largest_error = std::max(result.largest_error, largest);
  const Tolerance allowed = tolerance_for(expected.scalar_type());
  const at::Tensor same =
      (a == b) | (a.isnan() & b.isnan()) |
      ((error <= a.abs() * allowed.relative + allowed.absolute) & error.isfinite());
  const int64_t wrong = same.logical_not().sum().item<int64_t>();
  if (wrong == 0) return;
  const int64_t first = same.logical_not().reshape({-1}).to(at::kInt).argmax().item<int64_t>();
  differ(where,
         fmt::format("{} of {} elements differ by more than {} + {} * |expected|, the largest by "
                     "{}; first: element {}, "
                     "expected {}, got {}",
                     wrong, a.numel(), allowed.absolute, allowed.relative, largest, first,
                     a.reshape({-1})[first].item<double>(), b.reshape({-1})[first].item<double>()),
         false);
}

void Walk::tensors(const at::Tensor& expected, const at::Tensor& actual, const std::string& where) {
  if (expected.defined() != actual.defined()) return differ(where, "only one tensor is defined");
  if (!expected.defined()) return;
  if (expected.scalar_type() != actual.scalar_type()) {
    return differ(where, fmt::format("expected element type {}, got {}",
                                     c10::toString(expected.scalar_type()),
                                     c10::toString(actual.scalar_type())));
  }
  if (expected.device() != actual.device() || expected.layout() != actual.layout()) {
    return differ(where, "device or layout differ");
  }
  if (expected.sizes() != actual.sizes()) {
    return differ(where,
                  fmt::format("expected shape [{}], got [{}]", fmt::join(expected.sizes(), ","),
                              fmt::join(actual.sizes(), ",")));
  }
  if (expected.is_sparse()) return elements(expected.to_dense(), actual.to_dense(), where);
  if (expected.is_quantized()) return elements(expected.dequantize(), actual.dequantize(), where);
  if (expected.numel() == 0) return;
  // float64 would round large integers.
  if (c10::isIntegralType(expected.scalar_type(), true) && at::equal(expected, actual)) return;
  elements(expected, actual, where);
}

void Walk::sequences(c10::ArrayRef<c10::IValue> expected, c10::ArrayRef<c10::IValue> actual,
                     const std::string& where) {
  if (expected.size() != actual.size()) {
    return differ(where, fmt::format("expected {} values, got {}", expected.size(), actual.size()));
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    values(expected[i], actual[i], fmt::format("{}[{}]", where, i));
  }
}

void Walk::dicts(const c10::IValue& expected, const c10::IValue& actual, const std::string& where) {
  const auto first = expected.toGenericDict(), second = actual.toGenericDict();
  if (first.size() != second.size()) {
    return differ(where, fmt::format("expected {} keys, got {}", first.size(), second.size()));
  }
  auto other = second.begin();
  for (const auto& entry : first) {
    // Dicts keep the order of insertion, which is part of the answer.
    const std::string key = text_of(entry.key());
    values(entry.key(), other->key(), fmt::format("{} key {}", where, key));
    values(entry.value(), other->value(), fmt::format("{}[{}]", where, key));
    ++other;
  }
}

void Walk::values(const c10::IValue& expected, const c10::IValue& actual,
                  const std::string& where) {
  if (expected.tagKind() != actual.tagKind()) {
    return differ(where, fmt::format("expected {}, got {}", expected.tagKind(), actual.tagKind()));
  }
  if (expected.isTensor()) return tensors(expected.toTensor(), actual.toTensor(), where);
  if (expected.isTuple()) {
    const auto a = expected.toTuple(), b = actual.toTuple();
    if (a->type()->annotation_str() != b->type()->annotation_str()) {
      return differ(where, fmt::format("expected {}, got {}", a->type()->annotation_str(),
                                       b->type()->annotation_str()));
    }
    return sequences(a->elements(), b->elements(), where);
  }
  if (expected.isList()) return sequences(expected.toListRef(), actual.toListRef(), where);
  if (expected.isGenericDict()) return dicts(expected, actual, where);
  if (expected.isDouble()) return numbers(expected.toDouble(), actual.toDouble(), where);
  if (expected.isObject()) {
    const auto a = expected.toObject(), b = actual.toObject();
    return sequences(a->slots(), b->slots(), where);
  }
  if (expected.isNone()) return;
  if (text_of(expected) != text_of(actual)) {
    differ(where, fmt::format("expected {}, got {}", text_of(expected), text_of(actual)));
  }
}

}  // namespace

Comparison compare(const c10::IValue& expected, const c10::IValue& actual,
                   const std::optional<Tolerance>& tolerance) {
  Walk walk(tolerance);
  walk.values(expected, actual, "output");
  return walk.result;
}

}  // namespace torchweld::cli
