// Groups as steps.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "fusion/attention.h"
#include "fusion/batched_product.h"
#include "fusion/by_index.h"
#include "fusion/embedding_bag.h"
#include "fusion/fuse.h"
#include "fusion/grid_sample.h"
#include "fusion/host_matmul.h"
#include "fusion/host_resize.h"
#include "fusion/host_rows.h"
#include "fusion/image_conv.h"
#include "fusion/library_ops.h"
#include "fusion/matmul.h"
#include "fusion/member.h"
#include "fusion/ordering.h"
#include "fusion/passes.h"
#include "fusion/pointwise.h"
#include "fusion/recurrence.h"
#include "fusion/recurrent_layers.h"
#include "fusion/reduction.h"
#include "fusion/regions.h"
#include "fusion/row_ops.h"
#include "fusion/row_sum.h"
#include "fusion/scatter.h"
#include "fusion/short_rows.h"
#include "fusion/small_conv.h"
#include "fusion/sorted_search.h"
#include "fusion/window_pool.h"
#include "kernels/op_table.h"
#include "kernels/x86/crosswise.h"

namespace torchweld {
namespace {

/// Operators that have no kernels for one reason.
struct Reason {
  std::vector<std::string_view> names;
  std::string_view reason;
};

constexpr std::string_view kShapeFromData = "the shape of its result follows from data";

const std::vector<Reason> kReasons = {
    {{"aten::topk", "aten::sort", "aten::argsort", "aten::kthvalue", "aten::median", "aten::mode",
      "aten::quantile", "aten::searchsorted", "aten::bucketize"},
     "sorts or searches, which no kernel does"},
    {{"aten::grid_sampler", "aten::grid_sampler_2d", "aten::grid_sampler_3d"},
     "reads where a grid says, for which only the host has a kernel, of float32 and float64"},
    {{"aten::_upsample_bilinear2d_aa", "aten::_upsample_bicubic2d_aa"},
     "sees all pixels that a place covers, for which only the host has a kernel, of float32"},
    {{"aten::index_put", "aten::index_add", "aten::index_copy", "aten::scatter",
      "aten::scatter_add", "aten::scatter_reduce"},
     "writes where data says, and LibTorch checks that it is in range"},
    {{"aten::nonzero", "aten::where", "aten::masked_select", "aten::unique_consecutive",
      "aten::_unique2", "aten::unique_dim", "aten::argwhere", "aten::bincount",
      "aten::repeat_interleave"},
     kShapeFromData},
    {{"aten::_pack_padded_sequence", "aten::_pad_packed_sequence"},
     "its rows follow from lengths that are data"},
};

class Emitter {
 public:
  Emitter(Graph* graph, const Target& target)
      : graph_(*graph), target_(target), fuser_(*graph, target) {}

  void emit(const Group& group, std::vector<Step>* steps) {
    std::string why = group.reason;
    if (group.fuses) {
      Step fused;
      if (fuser_.fuse(group, &fused, &why)) {
        unroll_short_rows(&graph_, target_, &fused);
        const auto first = target_.rows ? group.nodes.begin() : first_reduction(group);
        if (first != group.nodes.begin() && lies_both_ways(fused) && !is_turned(fused))
          return emit_in_two(group, first, steps);
        steps->push_back(std::move(fused));
        return;
      }
      if (group.nodes.size() > 1) return emit_halves(group, steps);
    }
    Step with_epilogue;
    if (group.nodes.size() > 1 &&
        (by_hand(group.nodes, &with_epilogue) || product(group.nodes, &with_epilogue))) {
      steps->push_back(std::move(with_epilogue));
      return;
    }
    for (const NodeId n : group.nodes) steps->push_back(single(n, why));
  }

 private:
  const Node& node(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }

  /// A group that is too much for one kernel, as two: members are in recorded order, so the first
  /// waits for nothing in the second.
  void emit_halves(const Group& group, std::vector<Step>* steps) {
    emit_in_two(group, group.nodes.begin() + static_cast<std::ptrdiff_t>(group.nodes.size() / 2),
                steps);
  }

  using Place = std::vector<NodeId>::const_iterator;

  void emit_in_two(const Group& group, Place middle, std::vector<Step>* steps) {
    emit(part_of(group, group.nodes.begin(), middle), steps);
    emit(part_of(group, middle, group.nodes.end()), steps);
  }

  /// A node that is left alone has nobody's rows.
  Group part_of(const Group& group, Place begin, Place end) const {
    Group part = group;
    part.nodes.assign(begin, end);
    std::string why;
    if (part.nodes.size() == 1) {
      if (const auto member = member_of(graph_, node(part.nodes[0]), target_, &why))
        part.domain = member->domain;
    }
    return part;
  }

  /// Where a group's pointwise nodes before its reductions end; its begin when it has none of them.
  Place first_reduction(const Group& group) const {
    const auto first = std::find_if(group.nodes.begin(), group.nodes.end(), [&](NodeId n) {
      return as_reduction(graph_, node(n)).has_value();
    });
    return first == group.nodes.end() ? group.nodes.begin() : first;
  }

  /// Whether rows lie along memory in one operand and across it in another: then a kernel of its
  /// own does better to put what is reduced in one order, since rows are read in several passes.
  static bool lies_both_ways(const Step& fused) {
    const KernelSpec& spec = fused.spec;
    const auto along = static_cast<size_t>(spec.rank - 1);
    const auto across = static_cast<size_t>(spec.rank - spec.reduced - 1);
    bool all_along = true, all_across = true;
    const auto look_at = [&](const OperandSpec& operand) {
      all_along &= operand.strides[along] != StrideClass::kAny;
      all_across &= operand.strides[across] != StrideClass::kAny;
    };
    for (const OperandSpec& load : spec.loads) look_at(load);
    for (const StoreSpec& store : spec.stores) look_at(store.operand);
    return spec.reduced > 0 && spec.rank > spec.reduced && !all_along && !all_across;
  }

  /// Whether the kernel turns all that lies across its rows, once for all passes.
  bool is_turned(const Step& fused) const {
    if (!target_.hand_kernels || fused.spec.reduced != 1) return false;
    const KernelSpec turned =
        x86::with_turned(fused.spec, x86::crosswise_of(fused.spec, fused.geometry));
    const auto along = static_cast<size_t>(turned.rank - 1);
    const auto lies_along = [along](const OperandSpec& operand) {
      return operand.strides[along] != StrideClass::kAny;
    };
    return std::all_of(turned.loads.begin(), turned.loads.end(), lies_along) &&
           std::all_of(turned.stores.begin(), turned.stores.end(),
                       [&](const StoreSpec& store) { return lies_along(store.operand); });
  }

  Step single(NodeId n, const std::string& why) {
    Step step;
    step.nodes = {n};
    step.name = node(n).op;
    collect(&step);
    if (node(n).stays_whole != Whole::kNo) {
      step.kind = Step::Kind::kEager;
      step.library = is_library_op(node(n).op);
      step.reason = node(n).stays_whole == Whole::kFaster
                        ? "LibTorch's own is faster here"
                        : "the results depend on LibTorch's rounding here";
      return step;
    }
    std::string why_not;
    if (by_hand({n}, &step) || small_sums(n, &step) || by_index(n, &step) ||
        recurrence(n, &step, &why_not))
      return step;
    if (target_.embedding_bag && make_embedding_bag(graph_, node(n), &step.bag, &why_not)) {
      step.kind = Step::Kind::kEmbeddingBag;
      step.name = name_of_step(step.bag);
      step.makes = {step.bag.out_value};
      return step;
    }
    if (target_.regions && make_regions(graph_, node(n), &step.regions, &why_not)) {
      step.kind = Step::Kind::kRegions;
      step.name = name_of_step(step.regions);
      return step;
    }
    if (node(n).op == kAttentionOp &&
        make_attention(graph_, node(n), target_, &step.attention, &why_not)) {
      step.kind = Step::Kind::kAttention;
      step.name = name_of_step(step.attention);
      return step;
    }
    if (product({n}, &step)) return step;
    step.kind = Step::Kind::kEager;
    step.reason = why_not.empty() ? why_not_unrolled(graph_, node(n), target_) : why_not;
    step.library = step.reason.empty() && is_library_op(node(n).op);
    if (!step.library && step.reason.empty() && target_.float_rows && !target_.rows)
      step.reason = why_no_float_rows(graph_, node(n));
    if (!step.library && step.reason.empty()) step.reason = why_eager(node(n), why);
    return step;
  }

  /// A product of the device's library and its epilogue.
  bool product(const std::vector<NodeId>& nodes, Step* step) const {
    std::string why;
    if (!target_.blas || !make_product(graph_, nodes, &step->matmul, &why)) return false;
    const Matmul& m = step->matmul;
    step->kind = Step::Kind::kMatmul;
    step->name =
        fmt::format("matmul_{}x{}x{}_{}", m.shape.n, m.shape.k, m.shape.m, name_of(m.shape.dtype));
    for (size_t i = 1; i < nodes.size(); ++i)
      step->name += fmt::format("_{}", find_op(node(nodes[i]).op)->name);
    step->nodes = nodes;
    step->reads.clear();
    for (const ValueId id : {m.a_value, m.b_value, m.c_value, m.bias_value}) {
      if (id != kNone) step->reads.push_back(id);
    }
    step->makes = {m.out_value};
    return true;
  }

  bool recurrence(NodeId n, Step* step, std::string* why) const {
    RecurrenceCall call;
    if (!target_.hand_kernels || !make_recurrence(graph_, node(n), &call, why)) return false;
    step->kind = Step::Kind::kRecurrence;
    step->name = name_of_step(call);
    step->spec = recurrent_gates(call.shape.gates);
    step->geometry = recurrent_geometry(call.shape.gates, call.shape.batch, call.shape.width);
    step->recurrence = std::move(call);
    return true;
  }

  /// A product, a convolution or a resize of a hand-written kernel and its epilogue.
  bool by_hand(const std::vector<NodeId>& nodes, Step* step) const {
    HostMatmul m;
    ImageConv c;
    ResizeCall r;
    if (make_host_matmul(graph_, nodes, target_, &m)) {
      step->kind = Step::Kind::kHostMatmul;
      step->name = fmt::format("matmul_{}x{}x{}", m.m, m.k, m.n);
      step->makes = {m.out_value};
    } else if (make_image_conv(graph_, nodes, target_, &c)) {
      step->kind = Step::Kind::kImageConv;
      static constexpr const char* kNames[] = {
          "conv", "depthwise_conv", "max_pool", "avg_pool", "conv", "conv", "conv_transpose"};
      step->name = fmt::format("{}{}_{}x{}x{}", c.winograd_pieces > 0 ? "winograd_" : "",
                               kNames[static_cast<size_t>(c.shape.op)], c.shape.positions(),
                               c.shape.taps(), c.shape.out_channels);
      step->makes = {c.out_value};
    } else if (make_resize(graph_, nodes, target_, &r)) {
      step->kind = Step::Kind::kResize;
      step->name = name_of_step(r);
      step->makes = {r.out_value};
    } else {
      return false;
    }
    for (size_t i = 1; i < nodes.size(); ++i)
      step->name += fmt::format("_{}", find_op(node(nodes[i]).op)->name);
    step->host_matmul = m;
    step->image_conv = c;
    step->resize = std::move(r);
    step->nodes = nodes;
    const std::vector<ValueId> makes = step->makes;
    step->reads.clear();
    collect(step);
    step->makes = makes;
    return true;
  }

  std::string why_eager(const Node& node, const std::string& why) const {
    if (node.reads_host) return "gives the host a value that depends on tensor data";
    if (node.draws) return "draws random numbers, which have to come in LibTorch's order";
    if (!why.empty() && why != kNoKernel) return why;
    if (target_.rows) {
      if (std::string reason = why_no_scatter(graph_, node); !reason.empty()) return reason;
    }
    if (indexes_by_truth(node)) return std::string(kShapeFromData);
    const std::string base = node.op.substr(0, node.op.find('.'));
    for (const auto& [names, reason] : kReasons) {
      for (const std::string_view name : names) {
        if (base == name || base == std::string(name) + "_") return std::string(reason);
      }
    }
    return why.empty() ? kNoKernel : why;
  }

  bool indexes_by_truth(const Node& node) const {
    if (node.op != "aten::index.Tensor" || node.args.size() < 2) return false;
    const auto* indices = std::get_if<Arg::TensorList>(&node.args[1].value);
    return indices != nullptr &&
           std::any_of(indices->ids.begin(), indices->ids.end(), [&](ValueId id) {
             return id != kNone && graph_.value(id).dtype == DType::kBool;
           });
  }

  bool small_sums(NodeId n, Step* step) const {
    if (!target_.hand_kernels || !node(n).pure) return false;
    if (make_host_rows(graph_, node(n), &step->host_rows)) {
      step->kind = Step::Kind::kHostRows;
      step->name = name_of_step(step->host_rows);
      return true;
    }
    if (make_ordering(graph_, node(n), &step->ordering)) {
      step->kind = Step::Kind::kOrdering;
      step->name = name_of_step(step->ordering);
      return true;
    }
    if (make_sorted_search(graph_, node(n), &step->sorted_search)) {
      step->kind = Step::Kind::kSortedSearch;
      step->name = name_of_step(step->sorted_search);
      return true;
    }
    if (make_batched_product(graph_, node(n), &step->batched)) {
      step->kind = Step::Kind::kBatchedProduct;
      step->name = name_of_step(step->batched);
      return true;
    }
    if (make_window_pool(graph_, node(n), &step->window_pool)) {
      step->kind = Step::Kind::kWindowPool;
      step->name = name_of_step(step->window_pool);
      return true;
    }
    if (make_grid_sample(graph_, node(n), &step->grid_sample)) {
      step->kind = Step::Kind::kGridSample;
      step->name = name_of_step(step->grid_sample);
      return true;
    }
    if (node(n).outputs.size() != 1 || node(n).outputs[0] == kNone) return false;
    if (make_small_conv(graph_, node(n), &step->conv)) {
      const x86::ConvShape& s = step->conv.shape;
      step->kind = Step::Kind::kSmallConv;
      step->name = fmt::format("small_conv_{}x{}x{}", s.positions(), s.taps(), s.out_channels);
    } else if (make_row_sum(graph_, node(n), &step->row_sum)) {
      step->kind = Step::Kind::kRowSum;
      step->name = fmt::format("row_sum_{}x{}", step->row_sum.rows, step->row_sum.columns);
    } else {
      return false;
    }
    return true;
  }

  bool by_index(NodeId n, Step* step) const {
    if (!target_.hand_kernels || !make_by_index(graph_, node(n), &step->by_index)) return false;
    step->kind = Step::Kind::kByIndex;
    step->name = name_of_step(step->by_index);
    step->makes = {step->by_index.out_value};
    return true;
  }

  void collect(Step* step) const {
    std::set<ValueId> made;
    for (const NodeId n : step->nodes) {
      for_each_input(node(n), [&](ValueId id) {
        const bool seen =
            std::find(step->reads.begin(), step->reads.end(), id) != step->reads.end();
        if (!made.contains(id) && !seen) step->reads.push_back(id);
      });
      for (const ValueId id : node(n).outputs) {
        if (id != kNone) made.insert(id);
      }
    }
    step->makes.assign(made.begin(), made.end());
  }

  Graph& graph_;
  const Target& target_;
  Fuser fuser_;
};

}  // namespace

void emit_steps(Graph* graph, const std::vector<Group>& groups, const Target& target, Plan* plan) {
  Emitter emitter(graph, target);
  for (const Group& g : groups) emitter.emit(g, &plan->steps);
}

}  // namespace torchweld
