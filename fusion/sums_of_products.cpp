#include "fusion/sums_of_products.h"

#include <optional>
#include <string>

#include "fusion/einsum.h"
#include "fusion/node_args.h"
#include "fusion/rewriter.h"
#include "fusion/uses.h"

namespace torchweld {
namespace {

// Of fewer rows or columns a kernel that reads and adds is as fast.
constexpr int64_t kFewest = 4;

/// Dims that an operand repeats are of size 1.
Value once(Value v) {
  for (size_t d = 0; d < v.sizes.size(); ++d) {
    if (v.strides[d] == 0) v.sizes[d] = 1;
  }
  v.has_scalar = false;
  return v;
}

class Finder {
 public:
  explicit Finder(Graph* graph) : graph_(*graph), uses_(*graph) {}

  void run() {
    std::vector<Node> nodes;
    for (const Node& node : graph_.nodes) {
      auto made = product(node);
      if (!made) made = std::vector<Node>{node};
      for (Node& one : *made) nodes.push_back(std::move(one));
    }
    graph_.nodes = std::move(nodes);
  }

 private:
  std::optional<std::vector<Node>> product(const Node& sum) {
    const Node* mul = multiplied(sum);
    if (mul == nullptr) return std::nullopt;
    const Value whole = graph_.value(mul->outputs[0]);
    if (whole.sizes.size() < 3) return std::nullopt;  // a row, a column and what is summed
    const Value a = once(graph_.value(tensor_arg(*mul, 0))),
                b = once(graph_.value(tensor_arg(*mul, 1)));
    std::string labels;
    for (size_t d = 0; d < whole.sizes.size(); ++d) labels += static_cast<char>('a' + d);
    std::string left = labels;
    for (const int64_t dim : *ints_arg(sum, 1)) {
      const size_t d = whole_dim(dim, labels.size());
      if (size_of_dim(a, d, labels) != whole.sizes[d] ||
          size_of_dim(b, d, labels) != whole.sizes[d])
        return std::nullopt;
      std::erase(left, labels[d]);
    }
    int64_t rows = 1, columns = 1;
    for (const char c : left) {
      const size_t d = labels.find(c);
      const int64_t in_a = size_of_dim(a, d, labels), in_b = size_of_dim(b, d, labels);
      if (in_b == 1) rows *= in_a;
      if (in_a == 1) columns *= in_b;
    }
    if (rows < kFewest || columns < kFewest) return std::nullopt;

    ValueId out = sum.outputs[0];
    if (flag_arg(sum, 2)) {
      Value result = graph_.value(out);
      for (size_t d = labels.size(); d-- > 0;) {
        if (left.find(labels[d]) != std::string::npos) continue;
        result.sizes.erase(result.sizes.begin() + static_cast<std::ptrdiff_t>(d));
        result.strides.erase(result.strides.begin() + static_cast<std::ptrdiff_t>(d));
      }
      out = graph_.add(std::move(result));
    }
    const auto tail = [&](const Value& v) { return labels.substr(labels.size() - v.sizes.size()); };
    Node einsum = sum;
    einsum.op = "aten::einsum";
    einsum.recorded.insert(einsum.recorded.end(), mul->recorded.begin(), mul->recorded.end());
    einsum.args = {{tail(a) + "," + tail(b) + "->" + left},
                   {Arg::TensorList{{graph_.add(a), graph_.add(b)}}},
                   {}};
    einsum.outputs = {out};
    auto nodes = einsum_nodes(&graph_, einsum, false);
    if (!nodes) return std::nullopt;
    for (Node& node : *nodes) node.part_of = sum.op;
    return nodes;
  }

  /// What makes the tensor that `sum` alone reads, if that is a product of two.
  const Node* multiplied(const Node& sum) const {
    if (sum.op != "aten::sum.dim_IntList" || !sum.pure || tensor_arg(sum, 0) == kNone ||
        sum.outputs.size() != 1 || sum.outputs[0] == kNone)
      return nullptr;
    const ValueId x = tensor_arg(sum, 0);
    const Arg::Ints* dims = ints_arg(sum, 1);
    const NodeId maker = uses_.maker(x);
    if (dims == nullptr || dims->empty() || maker == kNone || uses_.only_reader(x) == kNone)
      return nullptr;  // somebody else reads the products
    const Node& mul = graph_.nodes[static_cast<size_t>(maker)];
    if (mul.op != "aten::mul.Tensor" || !mul.pure || mul.outputs[0] != x) return nullptr;
    for (const ValueId id : {tensor_arg(mul, 0), tensor_arg(mul, 1), x, sum.outputs[0]}) {
      if (id == kNone || graph_.value(id).dtype != DType::kF32 || graph_.value(id).opaque)
        return nullptr;
    }
    const bool moves =
        !uses_.is_written(tensor_arg(mul, 0)) && !uses_.is_written(tensor_arg(mul, 1));
    return moves ? &mul : nullptr;
  }

  /// Of a dim of the product, 1 where the operand lacks it.
  static int64_t size_of_dim(const Value& v, size_t d, const std::string& labels) {
    const size_t missing = labels.size() - v.sizes.size();
    return d < missing ? 1 : v.sizes[d - missing];
  }

  Graph& graph_;
  Uses uses_;
};

}  // namespace

void products_of_sums(Graph* graph, const Target& target) {
  if (target.rounding != Rounding::kExact && target.hand_kernels) Finder(graph).run();
}

}  // namespace torchweld
