// Products of few rows with weights that are stored as bytes: rows of a kernel that widens them.
// What it is not: products of more rows, where a kernel widens the weights in front of the
// library's product; that such weights stay bytes at all is the recorder's (loader/byte_weights.h).
#pragma once

#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// x w' + b, of w = some pointwise nodes that read a tensor of int8 or uint8 and otherwise nothing
/// near its size, becomes those nodes, products and sums over [..., n, k]: one kernel, which what
/// follows joins.
///
/// Rows      at most 4 of x. Each is a pass over the bytes, so at worst 4 bytes of memory a weight
///           where widening to halves first writes and reads 1 + 2 + 2; of a cache that holds the
///           bytes they are read once. With more rows tensor cores gain, too.
/// Numerics  w rounds as LibTorch's operators do; products and sums are in float32, or float64, not
///           in TF32. Exact numerics leave products to LibTorch.
void widen_bytes_in_products(Graph* graph, const Target& target);

}  // namespace torchweld
