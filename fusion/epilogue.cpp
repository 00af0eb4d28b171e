#include "fusion/epilogue.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <string>

#include "fusion/dependencies.h"
#include "fusion/host_matmul.h"
#include "fusion/host_resize.h"
#include "fusion/image_conv.h"
#include "fusion/matmul.h"
#include "fusion/node_args.h"
#include "fusion/uses.h"
#include "kernels/geometry.h"

namespace torchweld {
namespace {

using cuda::BlasShape;
using cuda::Epilogue;

bool is_dense_from_start(const Value& v) { return v.strides == contiguous_strides(v.sizes); }

/// Whether operand `i` is the product's result, and the node's result lies in memory as it does.
bool follows(const Graph& graph, const Node& node, size_t i, ValueId made_id) {
  const ValueId id = tensor_arg(node, i);
  if (id == kNone || !node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone)
    return false;
  const Value& made = graph.value(made_id);
  const Value& seen = graph.value(id);
  const Value& out = graph.value(node.outputs[0]);
  const bool sees_all =
      seen.same_layout(made) || (seen.storage == made.storage && seen.offset == made.offset &&
                                 seen.dtype == made.dtype && seen.elements() == made.elements() &&
                                 is_dense_from_start(seen) && is_dense_from_start(made));
  return sees_all && !out.opaque && out.dtype == made.dtype && out.sizes == seen.sizes &&
         out.strides == seen.strides &&
         graph.storage_of(node.outputs[0]).kind == Storage::Kind::kLocal;
}

bool add_factor(const Graph& graph, const Node& node, BlasShape* s) {
  const bool divides = node.op == "aten::div.Scalar" || node.op == "aten::div.Tensor";
  if (!divides && node.op != "aten::mul.Scalar" && node.op != "aten::mul.Tensor") return false;
  const auto factor = scalar_arg(graph, node, 1);
  if (!factor || s->has_bias || s->beta != 0) return false;
  const double alpha = divides ? s->alpha / *factor : s->alpha * *factor;
  if (!std::isnormal(static_cast<float>(alpha))) return false;  // 0 would hide a NaN
  s->alpha = alpha;
  return true;
}

/// What a walk over `out` by this stride is in `c`, which has the same sizes; kNone: no stride.
int64_t stride_in(const Value& c, const Value& out, int64_t count, int64_t stride) {
  if (count == 1) return 0;
  const auto layout = coalesce(out.sizes, {c.strides, out.strides});
  if (!layout) return kNone;
  const Geometry& g = layout->geometry;
  for (size_t d = 0; d < g.sizes.size(); ++d) {
    const int64_t step = g.strides[1][d];
    if (step == 0 || stride % step != 0) continue;
    if (stride / step * (count - 1) < g.sizes[d]) return stride / step * g.strides[0][d];
  }
  return kNone;
}

bool add_matrix(const Graph& graph, ValueId id, const Value& out, double beta, Matmul* m) {
  const Value& c = graph.value(id);
  BlasShape& s = m->shape;
  if (s.beta != 0 || c.sizes != out.sizes || !std::isnormal(static_cast<float>(beta))) return false;
  const int64_t column = stride_in(c, out, s.m, 1),
                row = s.n == 1 ? s.m : stride_in(c, out, s.n, s.ldd),
                batch = stride_in(c, out, s.batch, s.batch_d),
                repeat = stride_in(c, out, m->repeats, m->repeat_out);
  if ((s.m != 1 && column != 1) || row < s.m || batch < 0 || repeat < 0) return false;
  m->c_value = id;
  s.beta = beta;
  s.ldc = row;
  s.batch_c = batch;
  m->repeat_c = repeat;
  return true;
}

bool add_row(const Graph& graph, ValueId id, const Value& out, Matmul* m) {
  const Value& bias = graph.value(id);
  if (m->shape.has_bias || bias.sizes.empty() || bias.elements() != m->shape.m ||
      bias.sizes.back() != m->shape.m || bias.strides.back() != 1 ||
      out.sizes.back() != m->shape.m || out.strides.back() != 1)
    return false;
  m->shape.has_bias = true;
  m->bias_value = id;
  return true;
}

bool add_summand(const Graph& graph, const Node& node, Matmul* m) {
  if (node.op != "aten::add.Tensor") return false;
  const bool product_first = follows(graph, node, 0, m->out_value);
  const ValueId id = tensor_arg(node, product_first ? 1 : 0);
  const auto factor = number_arg(node, 2);
  const Value& out = graph.value(node.outputs[0]);
  if (id == kNone || !factor || (!product_first && *factor != 1)) return false;
  const Value& summand = graph.value(id);
  if (summand.opaque || summand.dtype != out.dtype ||
      summand.storage == graph.value(m->out_value).storage)
    return false;
  return (*factor == 1 && add_row(graph, id, out, m)) || add_matrix(graph, id, out, *factor, m);
}

}  // namespace

bool add_epilogue(const Graph& graph, const Node& node, Matmul* m) {
  BlasShape& s = m->shape;
  const bool is_first = follows(graph, node, 0, m->out_value);
  if (s.epilogue != Epilogue::kNone || (!is_first && !follows(graph, node, 1, m->out_value)))
    return false;
  if (is_first && node.op == "aten::relu") {
    s.epilogue = Epilogue::kRelu;
  } else if (is_half(s.dtype)) {
    return false;
  } else if (is_first && node.op == "aten::gelu" && s.dtype == DType::kF32 &&
             node.args[1] == Arg{std::string("tanh")}) {
    s.epilogue = Epilogue::kGelu;
  } else if (!(is_first && add_factor(graph, node, &s)) && !add_summand(graph, node, m)) {
    return false;
  }
  m->out_value = node.outputs[0];
  return true;
}

namespace {

/// Of products of one kind; `make` fills in one and its epilogue from their nodes, where it can.
template <class Product>
class Attacher {
 public:
  using Make = std::function<bool(const std::vector<NodeId>& nodes, Product* product)>;

  Attacher(const Graph& graph, Make make, std::vector<Group>* groups)
      : graph_(graph),
        make_(std::move(make)),
        groups_(*groups),
        uses_(graph),
        before_(dependencies(graph)) {}

  /// A product that took a node is looked at again, at its new place.
  void run() {
    for (size_t g = 0; g < groups_.size();) {
      if (!attach(g)) ++g;
    }
  }

 private:
  const Node& node(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }

  static bool has(const std::vector<NodeId>& nodes, NodeId n) {
    return std::find(nodes.begin(), nodes.end(), n) != nodes.end();
  }

  size_t group_of(NodeId n) const {
    const auto holds = [n](const Group& group) { return has(group.nodes, n); };
    return static_cast<size_t>(std::find_if(groups_.begin(), groups_.end(), holds) -
                               groups_.begin());
  }

  bool attach(size_t g) {
    Product product;
    if (groups_[g].fuses || !make_(groups_[g].nodes, &product)) return false;
    const NodeId reader = uses_.only_reader(product.out_value);
    if (reader == kNone) return false;
    const size_t h = group_of(reader);
    const std::vector<NodeId> taken = chain(product, reader, groups_[h].nodes);
    if (taken.empty() || !may_join(g, h, taken)) return false;
    for (const NodeId n : taken) {
      groups_[g].nodes.push_back(n);
      std::erase(groups_[h].nodes, n);
    }
    const auto first = groups_.begin() + static_cast<std::ptrdiff_t>(g),
               last = groups_.begin() + static_cast<std::ptrdiff_t>(h);
    if (last->nodes.empty()) groups_.erase(last);
    std::rotate(first, first + 1, last);
    return true;
  }

  /// What the product takes of the nodes that follow it: all of their kernel, or as much as spares
  /// it a read.
  std::vector<NodeId> chain(Product product, NodeId n, const std::vector<NodeId>& kernel) const {
    std::vector<NodeId> taken;
    size_t worth = 0;
    while (n != kNone && has(kernel, n) && add_epilogue(graph_, node(n), &product)) {
      taken.push_back(n);
      if (node(n).op == "aten::add.Tensor") worth = taken.size();
      n = uses_.only_reader(product.out_value);
    }
    if (taken.size() != kernel.size()) taken.resize(worth);
    return taken;
  }

  /// Whether the product may run right before the group `h`, with `taken` as part of it: nothing in
  /// between waits for the product, and `taken` for nothing else of `h`.
  bool may_join(size_t g, size_t h, const std::vector<NodeId>& taken) const {
    const auto waits_for = [this](NodeId n, const std::vector<NodeId>& nodes) {
      const auto& before = before_[static_cast<size_t>(n)];
      return std::any_of(before.begin(), before.end(), [&](NodeId d) { return has(nodes, d); });
    };
    for (size_t i = g + 1; i < h; ++i) {
      for (const NodeId n : groups_[i].nodes) {
        if (waits_for(n, groups_[g].nodes)) return false;
      }
    }
    std::vector<NodeId> rest = groups_[h].nodes;
    std::erase_if(rest, [&](NodeId n) { return has(taken, n); });
    return std::none_of(taken.begin(), taken.end(), [&](NodeId n) { return waits_for(n, rest); });
  }

  const Graph& graph_;
  Make make_;
  std::vector<Group>& groups_;
  Uses uses_;
  std::vector<std::vector<NodeId>> before_;
};

}  // namespace

void attach_epilogues(const Graph& graph, const Target& target, std::vector<Group>* groups) {
  if (target.rounding != Rounding::kDefault) return;
  if (target.blas) {
    const auto make = [&](const std::vector<NodeId>& nodes, Matmul* product) {
      std::string why;
      return make_product(graph, nodes, product, &why);
    };
    Attacher<Matmul>(graph, make, groups).run();
  }
  if (target.hand_kernels) {
    const auto make = [&](const std::vector<NodeId>& nodes, HostMatmul* product) {
      return make_host_matmul(graph, nodes, target, product);
    };
    Attacher<HostMatmul>(graph, make, groups).run();
    const auto make_conv = [&](const std::vector<NodeId>& nodes, ImageConv* conv) {
      return make_image_conv(graph, nodes, target, conv);
    };
    Attacher<ImageConv>(graph, make_conv, groups).run();
    const auto make_resized = [&](const std::vector<NodeId>& nodes, ResizeCall* resize) {
      return make_resize(graph, nodes, target, resize);
    };
    Attacher<ResizeCall>(graph, make_resized, groups).run();
  }
}

}  // namespace torchweld
