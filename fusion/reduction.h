// Which nodes reduce a tensor, or sum along it, and their definitions as kernel bodies.
#pragma once

#include <optional>
#include <string>

#include "fusion/domain.h"
#include "kernels/body_builder.h"
#include "loader/graph.h"

namespace torchweld {

/// A node that is one reduction of one tensor, or a running sum.
///
/// Types   `in` is what elements become before they are reduced (sums of integers and bools are
/// i64), `out` the type of the kernel's value.
struct Reduction {
  Prim prim = Prim::kSum;
  ValueId operand = kNone;
  Domain domain;
  DType in = DType::kF32, out = DType::kF32;
};

/// sum, prod, amax, amin, max, min, any, all, argmax, argmin, cumsum; nullopt for other nodes.
/// Numerics as ATen: NaN passes, halves are summed in f32, integers in i64.
std::optional<Reduction> as_reduction(const Graph& graph, const Node& node);

inline constexpr int64_t kMostRowElements = 1 << 20;

/// Whether its rows are what Target::float_rows speaks of, wherever their elements lie. Of at most
/// kMostRowElements: sums are of blocks, but those of one level, where LibTorch's cascade has
/// several; and a row is never split over threads.
bool is_of_floats(const Graph& graph, const Reduction& reduction);

/// The reduction of `value`, of the operand's compute type.
int16_t emit_reduction(BodyBuilder& body, const Reduction& reduction, int16_t value);

}  // namespace torchweld
