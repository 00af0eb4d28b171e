// Appends nodes that stand for one composite node.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// A dtype as c10::ScalarType numbers it.
inline int64_t scalar_type_number(DType dtype) {
  switch (dtype) {
    case DType::kU8:
      return 0;
    case DType::kI8:
      return 1;
    case DType::kI16:
      return 2;
    case DType::kI32:
      return 3;
    case DType::kI64:
      return 4;
    case DType::kF16:
      return 5;
    case DType::kF64:
      return 7;
    case DType::kC64:
      return 9;
    case DType::kBool:
      return 11;
    case DType::kBF16:
      return 15;
    default:
      return 6;
  }
}

/// New values are dense; new nodes carry the composite's source line and stand for what it stands
/// for.
class Rewriter {
 public:
  Rewriter(Graph* graph, const Node& composite)
      : graph_(*graph), source_(composite.source), recorded_(composite.recorded) {}

  /// New nodes stand for this one too.
  void covers(const Node& node) {
    recorded_.insert(recorded_.end(), node.recorded.begin(), node.recorded.end());
  }

  ValueId fresh(DType dtype, std::vector<int64_t> sizes) {
    Value v;
    v.dtype = dtype;
    v.strides = contiguous_strides(sizes);
    v.sizes = std::move(sizes);
    v.storage = graph_.add(Storage{});
    graph_.storages.back().bytes = v.elements() * size_of(dtype);
    return graph_.add(std::move(v));
  }

  /// Columns [begin, begin + count) of a matrix; a view, so no node.
  ValueId columns(ValueId of, int64_t begin, int64_t count) {
    Value v = graph_.value(of);
    v.offset += begin * v.strides[1];
    v.sizes[1] = count;
    return graph_.add(std::move(v));
  }

  /// The tensor at this index of its first dim; a view.
  ValueId select(ValueId of, int64_t index) {
    Value v = graph_.value(of);
    v.offset += index * v.strides[0];
    v.sizes.erase(v.sizes.begin());
    v.strides.erase(v.strides.begin());
    return graph_.add(std::move(v));
  }

  /// With two dims exchanged; a view.
  ValueId transposed(ValueId of, size_t a, size_t b) {
    Value v = graph_.value(of);
    std::swap(v.sizes[a], v.sizes[b]);
    std::swap(v.strides[a], v.strides[b]);
    return graph_.add(std::move(v));
  }

  ValueId call(const char* op, std::vector<Arg> args, ValueId out) {
    Node node;
    node.op = op;
    node.args = std::move(args);
    node.outputs = {out};
    node.source = source_;
    node.recorded = recorded_;
    nodes_.push_back(std::move(node));
    return out;
  }

  ValueId like(const char* op, std::vector<Arg> args, ValueId shape) {
    return call(op, std::move(args), fresh(graph_.value(shape).dtype, graph_.value(shape).sizes));
  }

  /// `from` in the dtype of `out`. Its layout is kept, which for gaps or repeats is row-major.
  ValueId cast(ValueId from, ValueId out) {
    return call("aten::to.dtype", cast_arguments(from, graph_.value(out).dtype), out);
  }

  /// Copies `from` into a view of what the composite makes.
  void store(ValueId from, ValueId target) {
    Node node;
    node.op = "aten::copy_";
    node.args = {{Arg::Tensor{target}}, {Arg::Tensor{from}}, {false}};
    node.writes = {target};
    node.pure = false;
    node.source = source_;
    node.recorded = recorded_;
    nodes_.push_back(std::move(node));
  }

  /// A node that runs once: its result is one more constant.
  ValueId setup(const char* op, std::vector<Arg> args, DType dtype, std::vector<int64_t> sizes) {
    const ValueId out = fresh(dtype, std::move(sizes));
    Storage& storage = graph_.storages[static_cast<size_t>(graph_.value(out).storage)];
    storage.kind = Storage::Kind::kConstant;
    storage.index = static_cast<int>(graph_.constants.size());
    graph_.constants.push_back(out);
    Node node;
    node.op = op;
    node.args = std::move(args);
    node.outputs = {out};
    node.source = source_;
    graph_.setup.push_back(std::move(node));
    return out;
  }

  ValueId setup(const char* op, std::vector<Arg> args, ValueId shape) {
    return setup(op, std::move(args), graph_.value(shape).dtype, graph_.value(shape).sizes);
  }

  /// What a value shows of a constant, as one that setup nodes take: itself, or a copy. kNone where
  /// it shows none, or in another type.
  ValueId setup_view(ValueId id) {
    const Storage& s = graph_.storage_of(id);
    if (s.kind != Storage::Kind::kConstant) return kNone;
    const ValueId whole = graph_.constants[static_cast<size_t>(s.index)];
    const Value v = graph_.value(id), all = graph_.value(whole);
    if (v.dtype != all.dtype) return kNone;
    if (v.offset == all.offset && v.sizes == all.sizes && v.strides == all.strides) return whole;
    return setup("aten::as_strided_copy",
                 {{Arg::Tensor{whole}}, {v.sizes}, {v.strides}, {v.offset}}, v.dtype, v.sizes);
  }

  std::vector<Node> take() { return std::move(nodes_); }

  /// A constant in another dtype, laid out as it is.
  ValueId setup_cast(ValueId constant, DType dtype) {
    const Value& v = graph_.value(constant);
    std::vector<int64_t> strides = is_dense(v) ? v.strides : contiguous_strides(v.sizes);
    const ValueId out = setup("aten::to.dtype", cast_arguments(constant, dtype), dtype, v.sizes);
    graph_.value(out).strides = std::move(strides);
    return out;
  }

 private:
  std::vector<Arg> cast_arguments(ValueId from, DType dtype) const {
    constexpr int64_t kContiguousFormat = 0;  // c10::MemoryFormat
    Arg format;
    if (!is_dense(graph_.value(from))) format.value = kContiguousFormat;
    return {{Arg::Tensor{from}}, {scalar_type_number(dtype)}, {false}, {false}, format};
  }

  Graph& graph_;
  std::string source_;
  std::vector<NodeId> recorded_;
  std::vector<Node> nodes_;
};

inline Arg tensor(ValueId id) { return {Arg::Tensor{id}}; }

}  // namespace torchweld
