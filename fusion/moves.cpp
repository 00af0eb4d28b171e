#include "fusion/moves.h"

#include <algorithm>
#include <unordered_map>

#include "fusion/diagonals.h"
#include "fusion/node_args.h"

namespace torchweld {
namespace {

const Value& result(const Graph& graph, const Node& node) { return graph.value(node.outputs[0]); }
const Value& operand(const Graph& graph, const Node& node) {
  return graph.value(tensor_arg(node, 0));
}

bool keeps_dtype(const Graph& graph, const Node& node) {
  return tensor_arg(node, 0) != kNone && operand(graph, node).dtype == result(graph, node).dtype;
}

int16_t sum(BodyBuilder& b, int16_t x, int16_t y) {
  if (x < 0 || y < 0) return x < 0 ? y : x;
  return b.emit(Prim::kAdd, DType::kI64, x, y);
}

/// Each flipped dim is walked from its last element.
int16_t emit_flip(const Graph& graph, const Node& node, IndexedKernel* kernel) {
  const Value& x = operand(graph, node);
  std::vector<int64_t> strides = x.strides;
  int64_t moved = 0;
  for (const int64_t named : *ints_arg(node, 1)) {
    const size_t d = whole_dim(named, x.sizes.size());
    moved += (x.sizes[d] - 1) * x.strides[d];
    strides[d] = -x.strides[d];
  }
  return kernel->load(tensor_arg(node, 0), strides,
                      moved == 0 ? int16_t{-1} : kernel->number(moved), -1);
}

/// Dims or repeats are a list.
bool takes_list(const Graph& graph, const Node& node) {
  return keeps_dtype(graph, node) && ints_arg(node, 1) != nullptr;
}

/// The source stands `shift` places before, or size - shift after it, where that falls off.
int16_t emit_roll(const Graph& graph, const Node& node, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const Value& x = operand(graph, node);
  std::vector<int64_t> shifts(x.sizes.size(), 0);
  for (size_t i = 0; i < ints_arg(node, 2)->size(); ++i)
    shifts[whole_dim((*ints_arg(node, 2))[i], shifts.size())] += (*ints_arg(node, 1))[i];
  int16_t offset = -1;
  for (size_t d = 0; d < shifts.size(); ++d) {
    const int64_t size = x.sizes[d], shift = (shifts[d] % size + size) % size;
    if (shift == 0) continue;
    const int16_t wraps = b.emit(Prim::kLt, DType::kBool, kernel->coord(d), kernel->number(shift));
    const int16_t moved =
        b.emit(Prim::kSelect, DType::kI64, wraps, kernel->number((size - shift) * x.strides[d]),
               kernel->number(-shift * x.strides[d]));
    offset = sum(b, offset, moved);
  }
  return kernel->load(tensor_arg(node, 0), x.strides, offset, -1);
}

/// Without dims it is a roll of the flat tensor, which decompose makes of it.
bool takes_roll(const Graph& graph, const Node& node) {
  const auto *shifts = ints_arg(node, 1), *dims = ints_arg(node, 2);
  return keeps_dtype(graph, node) && shifts != nullptr && dims != nullptr && !dims->empty() &&
         dims->size() == shifts->size();
}

/// repeat and tile: places wrap in each dim of the source; new dims stand in front.
int16_t emit_repeat(const Graph& graph, const Node& node, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const Value& x = operand(graph, node);
  const Value& out = result(graph, node);
  const size_t skip = out.sizes.size() - x.sizes.size();
  std::vector<int64_t> strides(out.sizes.size(), 0);
  int16_t offset = -1;
  for (size_t d = 0; d < x.sizes.size(); ++d) {
    if (x.sizes[d] == 1) continue;
    if (x.sizes[d] == out.sizes[skip + d]) {
      strides[skip + d] = x.strides[d];
      continue;
    }
    const int16_t at =
        b.emit(Prim::kRemainder, DType::kI64, kernel->coord(skip + d), kernel->number(x.sizes[d]));
    offset = sum(b, offset, b.emit(Prim::kMul, DType::kI64, at, kernel->number(x.strides[d])));
  }
  return kernel->load(tensor_arg(node, 0), strides, offset, -1);
}

/// Every element of a dim, `repeats` times; without a dim it is of a tensor with one.
int16_t emit_repeat_interleave(const Graph& graph, const Node& node, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const Value& x = operand(graph, node);
  const size_t d = dim_arg(node, 2, x.sizes.size()).value_or(0);
  std::vector<int64_t> strides = x.strides;
  strides[d] = 0;
  const int16_t at = b.emit(Prim::kDiv, DType::kI64, kernel->coord(d),
                            kernel->number(result(graph, node).sizes[d] / x.sizes[d]));
  const int16_t offset = b.emit(Prim::kMul, DType::kI64, at, kernel->number(x.strides[d]));
  return kernel->load(tensor_arg(node, 0), strides, offset, -1);
}

bool takes_repeat_interleave(const Graph& graph, const Node& node) {
  const size_t rank = keeps_dtype(graph, node) ? operand(graph, node).sizes.size() : 0;
  return rank > 0 && (rank == 1 || int_arg(node, 2));
}

/// 1 where the class is the last coordinate. Classes out of range are in no place, so they give
/// zeros.
int16_t emit_one_hot(const Graph& graph, const Node& node, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  std::vector<int64_t> strides = operand(graph, node).strides;
  strides.push_back(0);
  const int16_t at = kernel->load(tensor_arg(node, 0), strides, -1, -1);
  const int16_t equal = b.emit(Prim::kEq, DType::kBool, at, kernel->coord(strides.size() - 1));
  return b.cast(equal, DType::kI64);
}

bool takes_one_hot(const Graph& graph, const Node& node) {
  return keeps_dtype(graph, node) && operand(graph, node).dtype == DType::kI64;
}

/// One slice of a dim: places begin, begin + step, ..., `count` of them.
struct Slice {
  size_t dim = 0;
  int64_t begin = 0, step = 1, count = 1;
  bool drops_dim = false;  ///< the source has no such dim
};

std::optional<Slice> slice_of(const Graph& graph, const Node& node) {
  const ValueId self = tensor_arg(node, 0), source = tensor_arg(node, 1);
  if (self == kNone || source == kNone) return std::nullopt;
  const Value& x = graph.value(self);
  const Value& y = graph.value(source);
  const auto dim = dim_arg(node, 2, x.sizes.size());
  if (!dim || x.dtype != y.dtype || x.dtype != result(graph, node).dtype) return std::nullopt;
  Slice s;
  s.dim = *dim;
  s.begin = int_arg(node, 3).value_or(0);
  if (s.begin < 0) s.begin = std::max<int64_t>(s.begin + x.sizes[*dim], 0);
  s.drops_dim = node.op == "aten::select_scatter";
  if (s.drops_dim) return s;
  s.step = int_arg(node, 5).value_or(1);
  s.count = y.sizes[*dim];
  return y.elements() > 0 ? std::optional(s) : std::nullopt;
}

/// Whether the coordinate is one of the slice's; -1 where each is. `at` counts from its begin.
int16_t lies_in_slice(const Slice& s, int64_t size, int16_t at, BodyBuilder& b,
                      IndexedKernel* kernel) {
  const int16_t zero = b.constant_int(DType::kI64, 0);
  int16_t inside = -1;
  const auto also = [&](int16_t condition) {
    inside = inside < 0 ? condition : b.emit(Prim::kAnd, DType::kBool, inside, condition);
  };
  if (s.begin > 0) also(b.emit(Prim::kLe, DType::kBool, zero, at));
  if (s.begin + s.count * s.step < size)
    also(b.emit(Prim::kLt, DType::kBool, at, kernel->number(s.count * s.step)));
  if (s.step > 1) {
    const int16_t rest = b.emit(Prim::kRemainder, DType::kI64, at, kernel->number(s.step));
    also(b.emit(Prim::kEq, DType::kBool, rest, zero));
  }
  return inside;
}

int16_t emit_slice(const Graph& graph, const Node& node, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const Slice s = *slice_of(graph, node);
  const Value& y = graph.value(tensor_arg(node, 1));
  std::vector<int64_t> strides = y.strides;
  if (s.drops_dim) strides.insert(strides.begin() + static_cast<std::ptrdiff_t>(s.dim), 0);
  const int64_t stride = strides[s.dim];
  const int16_t begin = kernel->number(s.begin);
  const int16_t at = s.begin == 0 ? kernel->coord(s.dim)
                                  : b.emit(Prim::kSub, DType::kI64, kernel->coord(s.dim), begin);
  const int16_t inside = lies_in_slice(s, result(graph, node).sizes[s.dim], at, b, kernel);
  int16_t offset = s.begin * stride == 0 ? int16_t{-1} : kernel->number(-s.begin * stride);
  if (s.step > 1) {
    strides[s.dim] = 0;
    const int16_t nth = b.emit(Prim::kDiv, DType::kI64, at, kernel->number(s.step));
    offset = b.emit(Prim::kMul, DType::kI64, nth, kernel->number(stride));
  }
  const int16_t value = kernel->load(tensor_arg(node, 1), strides, offset, inside);
  if (inside < 0) return value;
  return b.emit(Prim::kSelect, b.type_of(value), inside, value, kernel->here(tensor_arg(node, 0)));
}

bool takes_slice(const Graph& graph, const Node& node) { return slice_of(graph, node).has_value(); }

/// Keeps what is on one side of a diagonal; the rest is 0, whatever it was.
int16_t emit_triangle(const Graph& graph, const Node& node, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const size_t rank = operand(graph, node).sizes.size();
  const int16_t beyond =
      b.emit(Prim::kSub, DType::kI64, kernel->coord(rank - 1), kernel->coord(rank - 2));
  const int16_t diagonal = kernel->number(int_arg(node, 1).value_or(0));
  const int16_t keeps = node.op == "aten::triu" ? b.emit(Prim::kLe, DType::kBool, diagonal, beyond)
                                                : b.emit(Prim::kLe, DType::kBool, beyond, diagonal);
  const int16_t x = kernel->here(tensor_arg(node, 0));
  return b.emit(Prim::kSelect, b.type_of(x), keeps, x, b.constant(b.type_of(x), 0));
}

bool takes_triangle(const Graph& graph, const Node& node) {
  return keeps_dtype(graph, node) && operand(graph, node).sizes.size() >= 2;
}

/// Which argument a fill's value is; nullopt where the name says it.
std::optional<size_t> value_argument(const std::string& op) {
  if (op == "aten::new_full") return 2;
  return op.starts_with("aten::full") ? std::optional<size_t>(1) : std::nullopt;
}

int16_t emit_fill(const Graph& graph, const Node& node, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const DType type = compute_type(result(graph, node).dtype);
  const auto argument = value_argument(node.op);
  if (!argument) return b.constant_int(type, node.op.find("ones") != std::string::npos ? 1 : 0);
  if (type == DType::kBool) return b.constant_int(type, *number_arg(node, *argument) != 0 ? 1 : 0);
  const auto whole = int_arg(node, *argument);  // beyond 2^53 no double holds it
  return whole ? b.constant_int(type, *whole) : b.constant(type, *number_arg(node, *argument));
}

bool takes_fill(const Graph&, const Node& node) {
  const auto argument = value_argument(node.op);
  return !argument || number_arg(node, *argument);
}

}  // namespace

const IndexedRow* find_move(const std::string& op) {
  constexpr uint32_t kFirst = 1;  // the first argument is read at the element's own place
  static const std::unordered_map<std::string, IndexedRow> rows = {
      {"aten::flip", {takes_list, emit_flip}},
      {"aten::roll", {takes_roll, emit_roll}},
      {"aten::repeat", {takes_list, emit_repeat}},
      {"aten::tile", {takes_list, emit_repeat}},
      {"aten::repeat_interleave.self_int", {takes_repeat_interleave, emit_repeat_interleave}},
      {"aten::one_hot", {takes_one_hot, emit_one_hot}},
      {"aten::select_scatter", {takes_slice, emit_slice, kFirst}},
      {"aten::slice_scatter", {takes_slice, emit_slice, kFirst}},
      {"aten::diag", {takes_diagonal, emit_diagonal}},
      {"aten::diagflat", {takes_diagonal, emit_diagonal}},
      {"aten::diag_embed", {takes_diagonal, emit_diagonal}},
      {"aten::diagonal_scatter", {takes_diagonal, emit_diagonal, kFirst}},
      {"aten::triu", {takes_triangle, emit_triangle, kFirst}},
      {"aten::tril", {takes_triangle, emit_triangle, kFirst}},
      {"aten::zeros", {takes_fill, emit_fill}},
      {"aten::ones", {takes_fill, emit_fill}},
      {"aten::full", {takes_fill, emit_fill}},
      {"aten::zeros_like", {takes_fill, emit_fill, kFirst}},
      {"aten::ones_like", {takes_fill, emit_fill, kFirst}},
      {"aten::full_like", {takes_fill, emit_fill, kFirst}},
      {"aten::new_zeros", {takes_fill, emit_fill}},
      {"aten::new_ones", {takes_fill, emit_fill}},
      {"aten::new_full", {takes_fill, emit_fill}},
  };
  const auto it = rows.find(op);
  return it == rows.end() ? nullptr : &it->second;
}

}  // namespace torchweld
