// Graph text in, text out: what the tests of the passes compare.
#pragma once

#include <string>
#include <string_view>

#include "fusion/passes.h"
#include "fusion/plan_text.h"
#include "fusion/planner.h"
#include "kernels/cuda/attention.h"
#include "loader/graph_text.h"

namespace torchweld::testing {

/// The graph after one pass or several.
template <class Passes>
std::string after(std::string_view text, const Passes& passes) {
  Graph graph = parse_graph(text);
  passes(&graph);
  return to_text(graph);
}

/// A machine with every kernel, by default.
inline Target target(Rounding rounding = Rounding::kDefault) {
  Target all;
  all.rounding = rounding;
  all.hand_kernels = true;
  return all;
}

/// A host with LibTorch's oneDNN operators for convolutions alone.
inline Target packs() {
  Target on;
  on.packed_convolutions = true;
  return on;
}

/// Attention as CUDA devices run it, for plans that nobody runs.
class PlannedAttention : public AttentionKernels {
 public:
  bool accepts(const AttentionShape& shape, std::string* why) const override {
    return cuda::accepts_attention(shape, why);
  }
  int64_t scratch_bytes(const AttentionShape&) const override { return 0; }
  void prepare(const AttentionShape&) override {}
  void launch(const AttentionShape&, const AttentionPointers&, const LaunchSite&) override {}
};

inline const PlannedAttention kPlannedAttention;

/// The plan of a graph.
inline std::string planned(std::string_view text, const Target& on = target()) {
  return to_text(plan(parse_graph(text), on));
}

/// A device whose kernels take rows, gathers and scatters, with a library for products.
inline Target rows() {
  Target on;
  on.rows = true;
  on.blas = true;
  on.blas_workspace_bytes = 64;
  return on;
}

/// The steps of a plan for such a device: kernels as specs, others by name.
inline std::string steps(std::string_view text) {
  std::string specs;
  for (const Step& step : plan(parse_graph(text), rows()).steps)
    specs += step.kind == Step::Kind::kFused ? to_text(step.spec) : step.name + "\n";
  return specs;
}

/// The steps of a plan by name, one a line; kernels by that of their spec.
inline std::string names(std::string_view text, const Target& on) {
  std::string all;
  for (const Step& step : plan(parse_graph(text), on).steps) {
    const bool fused = step.kind == Step::Kind::kFused, eager = step.kind == Step::Kind::kEager;
    all += (fused ? step.spec.name : (eager ? "eager " : "") + step.name) + "\n";
  }
  return all;
}

/// A host that takes rows of floats.
inline Target float_rows(bool hand_kernels = false) {
  Target host;
  host.float_rows = true;
  host.hand_kernels = hand_kernels;
  return host;
}

}  // namespace torchweld::testing
