#include "cli/float64.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cli/compare.h"
#include "cli/inputs_file.h"

namespace torchweld::cli {
namespace {

// Two equally good roundings of a tensor differ in their root mean square by chance.
constexpr double kClearlyFarther = 1.1;

struct Distance {
  double largest = 0, root_mean_square = 0;
};

Distance distance(const at::Tensor& exact, const at::Tensor& answer) {
  if (!exact.is_floating_point() || exact.numel() == 0) return {};
  const at::Tensor a = exact.to(at::kDouble), b = answer.to(exact.device(), at::kDouble);
  const at::Tensor same = (a == b) | (a.isnan() & b.isnan());
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const at::Tensor apart =
      at::where(same, at::zeros_like(a), (a - b).abs().nan_to_num(kInfinity, kInfinity));
  return {apart.max().item<double>(), std::sqrt(apart.square().mean().item<double>())};
}

bool same_shapes(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.defined() && y.defined() && x.sizes() == y.sizes();
  });
}

}  // namespace

std::optional<c10::ScalarType> type_of(Precision precision) {
  if (precision == Precision::kArchive) return std::nullopt;
  return precision == Precision::kBFloat16 ? at::kBFloat16 : at::kHalf;
}

const std::optional<c10::IValue>& Float64Judge::replay(Replay* replay, c10::ScalarType type,
                                                       int run) const {
  if (!replay->module)
    replay->module.emplace(arguments_.archive, arguments_.method, call_.engine.options().device);
  for (; replay->runs <= run; ++replay->runs) {
    at::manual_seed(arguments_.seed + static_cast<uint64_t>(replay->runs));
    try {
      replay->answer = replay->module->run_in(type, copied(call_.inputs));
    } catch (const std::exception&) {  // an operator that doesn't take the type
      replay->answer.reset();
    }
  }
  return replay->answer;
}

std::optional<Distances> distances(const c10::IValue& exact_answer, const c10::IValue& libtorch,
                                   const c10::IValue& torchweld,
                                   std::optional<c10::ScalarType> narrow_type,
                                   const std::optional<c10::IValue>& narrow_answer) {
  const auto exact = tensors_in(exact_answer), theirs = tensors_in(libtorch),
             ours = tensors_in(torchweld);
  if (!same_shapes(exact, theirs) || !same_shapes(exact, ours)) return std::nullopt;
  std::vector<at::Tensor> narrow;
  if (narrow_answer) narrow = tensors_in(*narrow_answer);
  if (!same_shapes(exact, narrow)) narrow.clear();
  const auto tolerance =
      narrow_type ? std::optional(default_tolerance(*narrow_type)) : std::nullopt;
  Distances found;
  found.no_farther = !compare(libtorch, torchweld, tolerance).differs_in_structure;
  for (size_t i = 0; i < exact.size(); ++i) {
    const Distance by_libtorch = distance(exact[i], theirs[i]), by_us = distance(exact[i], ours[i]);
    found.libtorch = std::max(found.libtorch, by_libtorch.largest);
    found.torchweld = std::max(found.torchweld, by_us.largest);
    double yardstick = narrow_type ? 0 : by_libtorch.root_mean_square;
    if (!narrow.empty()) {
      const Distance narrowed = distance(exact[i], narrow[i]);
      found.narrowed_libtorch = std::max(found.narrowed_libtorch.value_or(0), narrowed.largest);
      yardstick = narrowed.root_mean_square;
    }
    if (!compare(theirs[i], ours[i], tolerance).mismatch) continue;
    found.no_farther &= by_us.root_mean_square <= kClearlyFarther * yardstick;
    found.in_halves &= narrow_type || c10::isReducedFloatingType(theirs[i].scalar_type());
  }
  return found;
}

std::optional<Distances> Float64Judge::judge(int run, const c10::IValue& libtorch,
                                             const c10::IValue& torchweld) {
  const auto& wide = replay(&wide_, at::kDouble, run);
  if (!wide) return std::nullopt;
  const auto narrow_type = type_of(arguments_.precision);
  const auto narrow = narrow_type ? replay(&narrow_, *narrow_type, run) : std::nullopt;
  return distances(*wide, libtorch, torchweld, narrow_type, narrow);
}

}  // namespace torchweld::cli
