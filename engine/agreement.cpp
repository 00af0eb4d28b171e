#include "engine/agreement.h"

#include <ATen/ops/view_as_real.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "engine/context.h"
#include "loader/tolerance.h"

namespace torchweld {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Other inputs round otherwise: with half of the tolerance left, they are within it, too.
constexpr double kMargin = 0.5;

// Memory for LibTorch's intermediate values; the steps behind those that find no room are judged by
// the next one.
constexpr size_t kMostBytes = size_t{2} << 30;

double number_distance(double expected, double actual, AllowedError allowed) {
  if (expected == actual || (std::isnan(expected) && std::isnan(actual))) return 0;
  const double by =
      std::abs(expected - actual) / (allowed.absolute + allowed.relative * std::abs(expected));
  return std::isnan(by) ? kInfinity : by;
}

double value_distance(const c10::IValue& expected, const c10::IValue& actual) {
  if (expected.isDouble() && actual.isDouble())
    return number_distance(expected.toDouble(), actual.toDouble(), default_tolerance(c10::kDouble));
  return expected == actual ? 0 : kInfinity;
}

}  // namespace

bool has_tight_tolerances(const Graph& recorded, const Target& target) {
  const auto is_half = [](const Value& v) {
    return v.dtype == DType::kF16 || v.dtype == DType::kBF16;
  };
  return target.products == DType::kF32 && !target.tf32 &&
         std::none_of(recorded.values.begin(), recorded.values.end(), is_half);
}

double distance(const at::Tensor& expected, const at::Tensor& actual) {
  if (expected.defined() != actual.defined()) return kInfinity;
  if (!expected.defined() || expected.numel() == 0) return 0;
  if (expected.sizes() != actual.sizes() || expected.scalar_type() != actual.scalar_type())
    return kInfinity;
  if (expected.equal(actual)) return 0;
  if (expected.is_complex())
    return distance(at::view_as_real(expected.resolve_conj()),
                    at::view_as_real(actual.resolve_conj()));
  const AllowedError allowed = default_tolerance(expected.scalar_type());
  if (allowed.absolute == 0) return kInfinity;
  const at::Tensor a = expected.to(c10::kDouble).contiguous(),
                   b = actual.to(c10::kDouble).contiguous();
  const auto *first = a.const_data_ptr<double>(), *second = b.const_data_ptr<double>();
  double largest = 0;
  for (int64_t i = 0; i < a.numel(); ++i)
    largest = std::max(largest, number_distance(first[i], second[i], allowed));
  return largest;
}

std::map<ValueId, at::Tensor> values_of(const BoundPlan& eager,
                                        const std::vector<const at::Tensor*>& leaves,
                                        size_t most_bytes) {
  std::map<ValueId, at::Tensor> values;
  size_t bytes = 0;
  const Context::AfterStep keep = [&](size_t step, const Context& context) {
    context.finish();
    for (const ValueId id : eager.plan().steps[step].makes) {
      if (id >= eager.plan().recorded_values || eager.plan().graph.value(id).opaque) continue;
      const at::Tensor value = context.tensor_of(id);
      bytes += value.nbytes();
      if (bytes <= most_bytes) values[id] = value.clone();
    }
  };
  Context context(eager);
  context.run(leaves, &keep);
  return values;
}

ValueId recorded_value(const Plan& plan, ValueId id) {
  if (id < plan.recorded_values) return id;
  const auto relaid = plan.graph.relaid.find(id);
  return relaid == plan.graph.relaid.end() ? kNone : recorded_value(plan, relaid->second);
}

Agreement::Agreement(const BoundPlan& eager, const std::vector<const at::Tensor*>& leaves)
    : eager_(eager), leaves_(leaves), expected_(results_of(eager)) {}

Agreement::Results Agreement::results_of(const BoundPlan& plan) const {
  Context context(plan);
  context.run(leaves_);
  context.finish();
  return {context.outputs(), context.read()};
}

double Agreement::distance_to(const Results& actual) const {
  double largest = 0;
  for (size_t i = 0; i < expected_.tensors.size(); ++i)
    largest = std::max(largest, distance(expected_.tensors[i], actual.tensors[i]));
  if (expected_.numbers.size() != actual.numbers.size()) return kInfinity;
  for (size_t i = 0; i < expected_.numbers.size(); ++i)
    largest = std::max(largest, value_distance(expected_.numbers[i], actual.numbers[i]));
  return largest;
}

bool Agreement::holds(const BoundPlan& plan) const {
  if (distance_to(results_of(plan)) <= kMargin) return true;
  if (!reproducible_) reproducible_ = distance_to(results_of(eager_)) == 0;
  return !*reproducible_;
}

std::vector<double> Agreement::step_distances(const BoundPlan& plan) const {
  const auto expected = values_of(eager_, leaves_, kMostBytes);
  std::vector<std::optional<double>> found(plan.plan().steps.size());
  const Context::AfterStep compare = [&](size_t step, const Context& context) {
    context.finish();
    for (const ValueId id : plan.plan().steps[step].makes) {
      const auto libtorchs = expected.find(recorded_value(plan.plan(), id));
      if (libtorchs == expected.end()) continue;
      at::Tensor value = context.tensor_of(id);
      const double by = distance(libtorchs->second, value);
      found[step] = std::max(found[step].value_or(0), by);
      if (by > 0) value.copy_(libtorchs->second);  // the next step starts from LibTorch's
    }
  };
  Context context(plan);
  context.run(leaves_, &compare);
  std::vector<double> distances(found.size());
  double next = 0;
  for (size_t step = found.size(); step-- > 0;) {
    next = found[step].value_or(next);
    distances[step] = next;
  }
  return distances;
}

}  // namespace torchweld
