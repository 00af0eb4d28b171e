#include "fusion/point_distances.h"

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

constexpr int64_t kFewPoints = 25;      // ATen's choice between the two ways
constexpr int64_t kFewCoordinates = 3;  // ATen sums no more of them than so one by one

class Distances {
 public:
  Distances(Graph* graph, const Node& node) : graph_(*graph), node_(node), r_(graph, node) {}

  /// sqrt(sum((a - b)^2)) for each pair.
  std::vector<Node> by_differences() {
    const ValueId a = tensor_arg(node_, 0), b = tensor_arg(node_, 1);
    const DType type = graph_.value(node_.outputs[0]).dtype;
    std::vector<int64_t> sizes = graph_.value(node_.outputs[0]).sizes;
    sizes.push_back(graph_.value(a).sizes.back());
    const auto rank = static_cast<int64_t>(sizes.size());
    const ValueId difference =
        r_.call("aten::sub.Tensor", {tensor(with_dim(a, 1)), tensor(with_dim(b, 2)), {int64_t{1}}},
                r_.fresh(type, sizes));
    const ValueId square =
        r_.like("aten::mul.Tensor", {tensor(difference), tensor(difference)}, difference);
    const ValueId total =
        r_.call("aten::sum.dim_IntList", {tensor(square), {Arg::Ints{rank - 1}}, {false}, Arg{}},
                r_.fresh(type, graph_.value(node_.outputs[0]).sizes));
    r_.call("aten::sqrt", {tensor(total)}, node_.outputs[0]);
    return r_.take();
  }

  /// |a - b|^2 = -2ab + |a|^2 + |b|^2, a product of rows that hold all three.
  std::vector<Node> by_product() {
    const ValueId a = tensor_arg(node_, 0), b = tensor_arg(node_, 1);
    const ValueId twice = r_.like("aten::mul.Scalar", {tensor(a), {-2.0}}, a);
    const ValueId a_size = squares(a), b_size = squares(b);
    const ValueId left = joined({twice, a_size, ones(a_size)});
    const ValueId right = joined({b, ones(b_size), b_size});
    const size_t rank = graph_.value(right).sizes.size();
    const ValueId product =
        r_.like("aten::matmul", {tensor(left), tensor(r_.transposed(right, rank - 2, rank - 1))},
                node_.outputs[0]);
    const ValueId positive = r_.like("aten::clamp_min", {tensor(product), {int64_t{0}}}, product);
    r_.call("aten::sqrt", {tensor(positive)}, node_.outputs[0]);
    return r_.take();
  }

 private:
  static Arg tensor(ValueId id) { return {Arg::Tensor{id}}; }

  /// The points with a dim of size 1 that many dims from the end.
  ValueId with_dim(ValueId points, std::ptrdiff_t from_end) {
    Value v = graph_.value(points);
    v.sizes.insert(v.sizes.end() - from_end, 1);
    v.strides.insert(v.strides.end() - from_end, 0);
    return graph_.add(std::move(v));
  }

  ValueId squares(ValueId points) {
    const ValueId square = r_.like("aten::mul.Tensor", {tensor(points), tensor(points)}, points);
    std::vector<int64_t> sizes = graph_.value(points).sizes;
    sizes.back() = 1;
    const auto last = static_cast<int64_t>(sizes.size()) - 1;
    return r_.call("aten::sum.dim_IntList", {tensor(square), {Arg::Ints{last}}, {true}, Arg{}},
                   r_.fresh(graph_.value(points).dtype, std::move(sizes)));
  }

  ValueId ones(ValueId like) {
    return r_.like("aten::ones_like", {tensor(like), Arg{}, Arg{}, Arg{}, Arg{}, Arg{}}, like);
  }

  ValueId joined(std::vector<ValueId> pieces) {
    std::vector<int64_t> sizes = graph_.value(pieces[0]).sizes;
    sizes.back() += 2;
    const DType dtype = graph_.value(pieces[0]).dtype;
    return r_.call("aten::cat", {{Arg::TensorList{std::move(pieces)}}, {int64_t{-1}}},
                   r_.fresh(dtype, std::move(sizes)));
  }

  Graph& graph_;
  const Node& node_;
  Rewriter r_;
};

/// The same number of dims, two or three, and the same batch.
bool is_plain(const Graph& graph, const Node& node) {
  if (node.op != "aten::cdist" || !node.pure || node.outputs.size() != 1 ||
      node.outputs[0] == kNone || number_arg(node, 2) != 2.0)
    return false;
  const ValueId a = tensor_arg(node, 0), b = tensor_arg(node, 1);
  if (a == kNone || b == kNone) return false;
  const Value &x = graph.value(a), &y = graph.value(b), &out = graph.value(node.outputs[0]);
  const size_t rank = x.sizes.size();
  return !x.opaque && !y.opaque && !out.opaque && x.dtype == y.dtype && out.dtype == x.dtype &&
         (x.dtype == DType::kF32 || x.dtype == DType::kF64) && out.elements() > 0 &&
         x.elements() > 0 && y.sizes.size() == rank && (rank == 2 || rank == 3) &&
         (rank == 2 || x.sizes[0] == y.sizes[0]) && out.strides == contiguous_strides(out.sizes);
}

}  // namespace

std::optional<std::vector<Node>> point_distances(Graph* graph, const Node& node) {
  if (!is_plain(*graph, node)) return std::nullopt;
  const Value& out = graph->value(node.outputs[0]);
  const int64_t mode = int_arg(node, 3).value_or(0);
  const bool many = out.sizes.back() > kFewPoints || out.sizes[out.sizes.size() - 2] > kFewPoints;
  const bool multiplies = mode == 1 || (mode == 0 && many);
  if (!multiplies) return Distances(graph, node).by_differences();
  if (graph->value(tensor_arg(node, 0)).sizes.back() > kFewCoordinates) return std::nullopt;
  return Distances(graph, node).by_product();
}

}  // namespace torchweld
