// Arguments of a node, read as what its schema says that they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "loader/graph.h"

namespace torchweld {

inline const Arg* arg_at(const Node& node, size_t i) {
  return i < node.args.size() ? &node.args[i] : nullptr;
}

/// None, or not given.
inline bool is_none(const Node& node, size_t i) {
  const Arg* arg = arg_at(node, i);
  return arg == nullptr || arg->is_none();
}

/// kNone where the argument is no tensor.
inline ValueId tensor_arg(const Node& node, size_t i) {
  const Arg* arg = arg_at(node, i);
  const auto* t = arg == nullptr ? nullptr : arg->tensor();
  return t == nullptr ? kNone : t->id;
}

inline const Arg::Ints* ints_arg(const Node& node, size_t i) {
  const Arg* arg = arg_at(node, i);
  return arg == nullptr ? nullptr : std::get_if<Arg::Ints>(&arg->value);
}

inline std::optional<int64_t> int_arg(const Node& node, size_t i) {
  const Arg* arg = arg_at(node, i);
  const auto* n = arg == nullptr ? nullptr : std::get_if<int64_t>(&arg->value);
  return n == nullptr ? std::nullopt : std::optional(*n);
}

/// An int, a float or a bool, as Python's numbers convert.
inline std::optional<double> number_arg(const Node& node, size_t i) {
  const Arg* arg = arg_at(node, i);
  if (arg == nullptr) return std::nullopt;
  if (const auto* d = std::get_if<double>(&arg->value)) return *d;
  if (const auto* n = std::get_if<int64_t>(&arg->value)) return static_cast<double>(*n);
  if (const auto* b = std::get_if<bool>(&arg->value)) return *b ? 1.0 : 0.0;
  return std::nullopt;
}

/// A number, or a tensor of no dims whose value the recording knows.
inline std::optional<double> scalar_arg(const Graph& graph, const Node& node, size_t i) {
  const ValueId id = tensor_arg(node, i);
  if (id == kNone) return number_arg(node, i);
  const Value& v = graph.value(id);
  return v.has_scalar && v.sizes.empty() ? std::optional(v.scalar) : std::nullopt;
}

inline std::optional<bool> bool_arg(const Node& node, size_t i) {
  const Arg* arg = arg_at(node, i);
  const auto* b = arg == nullptr ? nullptr : std::get_if<bool>(&arg->value);
  return b == nullptr ? std::nullopt : std::optional(*b);
}

/// False where it isn't given.
inline bool flag_arg(const Node& node, size_t i) { return bool_arg(node, i).value_or(false); }

/// A dim, perhaps counted from the end, of a tensor of this rank.
inline size_t whole_dim(int64_t dim, size_t rank) {
  return static_cast<size_t>(dim < 0 ? dim + static_cast<int64_t>(rank) : dim);
}

/// An int argument as a dim of a tensor of this rank.
inline std::optional<size_t> dim_arg(const Node& node, size_t i, size_t rank) {
  const auto dim = int_arg(node, i);
  return dim && rank > 0 ? std::optional(whole_dim(*dim, rank)) : std::nullopt;
}

}  // namespace torchweld
