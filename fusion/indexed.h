// Operators whose result's elements are elements of their operands at other places: gathers, pads,
// concatenations, pooling windows, and those of the tables in moves.h. In a kernel they are loads
// with offsets and predicates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fusion/domain.h"
#include "kernels/body_builder.h"
#include "loader/graph.h"

namespace torchweld {

/// What the definition of such an operator may ask of the kernel that it becomes part of.
class IndexedKernel {
 public:
  virtual ~IndexedKernel() = default;
  virtual BodyBuilder& body() = 0;

  /// The element's place along a dim of the node's own domain; i64.
  virtual int16_t coord(size_t dim) = 0;
  /// A number that other shapes have otherwise: a launch parameter, so that they share the kernel.
  virtual int16_t number(int64_t value) = 0;
  /// The operand's element at `strides` over the node's domain, `offset` elements further (i64; -1:
  /// none); 0 where `predicate` is false (-1: none). In the operand's compute type.
  virtual int16_t load(ValueId operand, const std::vector<int64_t>& strides, int16_t offset,
                       int16_t predicate) = 0;
  /// The operand, which broadcasts to the result, at the element's own place.
  virtual int16_t here(ValueId operand) = 0;
};

/// One such operator.
struct IndexedRow {
  bool (*takes)(const Graph& graph, const Node& node);
  int16_t (*emit)(const Graph& graph, const Node& node, IndexedKernel* kernel);
  uint32_t in_place = 0;  ///< bit i: argument i is read by here(), so its producer may be a member
};

/// Whether it reads where data says: LibTorch raises an error where that is out of range, kernels
/// don't.
bool places_follow_from_data(const Graph& graph, const Node& node);

/// The domain of a node that is such an operator, in a form that kernels take; nullopt otherwise.
/// Windows are rows: pooling reduces them.
std::optional<Domain> indexed_domain(const Graph& graph, const Node& node);

/// Whether every use that the node makes of this operand is at the element's own place.
bool reads_in_place(const Node& node, ValueId operand);

/// Appends the node's definition. Numerics as ATen; an index out of range reads nothing and gives
/// 0, where LibTorch raises on the host and asserts on a device.
int16_t emit_indexed(const Graph& graph, const Node& node, IndexedKernel* kernel);

}  // namespace torchweld
