// What follows the products of a recurrent step, as a kernel spec. The products: recurrence.h of
// the back end.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"
#include "kernels/spec.h"

namespace torchweld {

enum class Gates : uint8_t { kLstm, kGru, kTanh, kRelu };

/// Blocks of the weights' rows, one a gate.
constexpr int64_t count_of(Gates gates) {
  return gates == Gates::kLstm ? 4 : gates == Gates::kGru ? 3 : 1;
}

/// The new state of each row, float32, from the sums of its gates.
///
/// Operands kLstm: the sums of input, forget, cell and output gate, c; stores c and h.
///          kGru:  what the input adds to reset, update and candidate, what the state adds to the
///          same, h; stores h.
///          kTanh, kRelu: the sum; stores h. The state may be stored where it is loaded.
/// Numerics operator by operator, in the order of ATen's cells
/// Source   ATen/native/RNN.cpp
KernelSpec recurrent_gates(Gates gates);

/// Launches over [rows, width]: sums of one row lie together, gate after gate, the state is dense.
Geometry recurrent_geometry(Gates gates, int64_t rows, int64_t width);

}  // namespace torchweld
