#include "fusion/attention.h"

#include <fmt/format.h>

#include <limits>
#include <map>
#include <set>

#include "fusion/attention_pattern.h"
#include "fusion/passes.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

/// Whether LibTorch's operator beats our kernel: its flash attention multiplies halves on tensor
/// cores, ours in f32. Flash takes no mask, and what is written out never gets there.
bool is_better_in_libtorch(const AttentionParts& parts) {
  return !parts.empty_is_nan && is_half(parts.q.dtype) && parts.added.empty() && !parts.chosen;
}

/// The value [batch.., rows, columns] of a stack, with at least two batch dims.
ValueId value_of(Graph* graph, MatrixStack stack) {
  while (stack.batch.size() < 2) {
    stack.batch.insert(stack.batch.begin(), 1);
    stack.batch_strides.insert(stack.batch_strides.begin(), 0);
  }
  Value v;
  v.dtype = stack.dtype;
  v.storage = stack.storage;
  v.offset = stack.offset;
  v.sizes = std::move(stack.batch);
  v.strides = std::move(stack.batch_strides);
  v.sizes.insert(v.sizes.end(), {stack.rows, stack.columns});
  v.strides.insert(v.strides.end(), {stack.row_stride, stack.column_stride});
  return graph->add(std::move(v));
}

/// Heads that share keys: the last two batch dims become one where keys and values don't move over
/// the last, for which the kernel has an argument.
void share_keys(const std::vector<MatrixStack*>& all, MatrixStack* k, MatrixStack* v) {
  const size_t n = k->batch.size();
  if (n < 2 || k->batch_strides.back() != 0 || v->batch_strides.back() != 0) return;
  for (const MatrixStack* s : all) {
    if (s != k && s != v && s->batch_strides[n - 2] != s->batch_strides[n - 1] * s->batch[n - 1])
      return;
  }
  for (MatrixStack* s : all) {
    const int64_t repeats = s->batch.back(), stride = s->batch_strides.back();
    s->batch.pop_back();
    s->batch_strides.pop_back();
    if (s == k || s == v) continue;
    s->batch.back() *= repeats;
    s->batch_strides.back() = stride;
  }
}

class Recogniser {
 public:
  Recogniser(Graph* graph, const Target& target) : graph_(*graph), target_(target), uses_(*graph) {}

  void run() {
    const size_t count = graph_.nodes.size();
    std::vector<std::vector<Node>> replaced(count);
    const std::vector<Node> before = graph_.nodes;
    for (NodeId n = 0; n < static_cast<NodeId>(count); ++n) {
      NodeId place = n;
      auto parts = sdpa_parts(graph_, graph_.nodes[static_cast<size_t>(n)]);
      if (!parts) parts = written_out_parts(graph_, uses_, n, &place);
      if (parts && !is_better_in_libtorch(*parts))
        replaced[static_cast<size_t>(place)] = nodes_for(std::move(*parts), place);
    }
    std::vector<Node> nodes;
    for (size_t n = 0; n < count; ++n) {
      if (gone_.contains(static_cast<NodeId>(n))) continue;
      if (replaced[n].empty()) replaced[n].push_back(std::move(graph_.nodes[n]));
      for (Node& node : replaced[n]) nodes.push_back(std::move(node));
    }
    graph_.nodes = std::move(nodes);
    drop_dead(&graph_);
    cover(before);
  }

 private:
  /// What went away because of an attention, its products and softmax, it stands for too.
  void cover(const std::vector<Node>& before) {
    std::map<NodeId, size_t> made;  // by what they stand for
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      for (const NodeId id : graph_.nodes[n].recorded) made[id] = n;
    }
    const auto maker = [&](const Node& node) {
      return node.recorded.empty() ? made.end() : made.find(node.recorded[0]);
    };
    for (auto node = before.rbegin(); node != before.rend(); ++node) {
      if (node->outputs.empty() || node->outputs[0] == kNone || maker(*node) != made.end())
        continue;
      const NodeId reader = uses_.only_reader(node->outputs[0]);
      if (reader == kNone) continue;
      const auto owner = maker(before[static_cast<size_t>(reader)]);
      if (owner == made.end() || graph_.nodes[owner->second].op != kAttentionOp) continue;
      for (const NodeId id : node->recorded) {
        graph_.nodes[owner->second].recorded.push_back(id);
        made[id] = owner->second;
      }
    }
  }

  /// Empty when the kernel doesn't take it.
  std::vector<Node> nodes_for(AttentionParts parts, NodeId place) {
    const size_t values = graph_.values.size(), storages = graph_.storages.size();
    const Node& original = graph_.nodes[static_cast<size_t>(place)];
    Rewriter r(&graph_, original);
    ValueId result = original.outputs[0];
    const NodeId copy = store_as_copied(&parts.out, &result);
    if (copy != kNone) r.covers(graph_.nodes[static_cast<size_t>(copy)]);
    auto mask = mask_of(parts, &r);
    AttentionCall call;
    std::string why;
    if (mask && parts.out.column_stride == 1 && in_kernel_dims(&parts, &*mask)) {
      r.call(kAttentionOp, arguments(parts, *mask), result);
      std::vector<Node> nodes = r.take();
      nodes.back().part_of = original.op;
      if (make_attention(graph_, nodes.back(), target_, &call, &why)) {
        if (copy != kNone) gone_.insert(copy);
        return nodes;
      }
    }
    graph_.values.resize(values);
    graph_.storages.resize(storages);
    return {};
  }

  /// One mask, as scores [.., queries, keys] broadcast it; of dtype kOther when there is none.
  /// nullopt for masks that the kernel has no form for.
  std::optional<MatrixStack> mask_of(const AttentionParts& parts, Rewriter* r) {
    if (parts.chosen && !parts.added.empty()) return std::nullopt;
    MatrixStack none;
    none.batch = parts.q.batch;
    none.batch_strides.assign(parts.q.batch.size(), 0);
    if (parts.chosen) return stack_of(graph_.value(parts.chosen->id), parts.chosen->sizes);
    if (parts.added.empty()) return none;
    ScoreMask sum = parts.added.back();  // the innermost, whose dims the others broadcast to
    for (size_t i = parts.added.size() - 1; i-- > 0;) {
      const auto together = added(sum, parts.added[i], r);
      if (!together) return std::nullopt;
      sum = *together;
    }
    return stack_of(graph_.value(sum.id), sum.sizes);
  }

  /// Two masks as one, which is smaller than the scores or read instead of them.
  std::optional<ScoreMask> added(const ScoreMask& a, const ScoreMask& b, Rewriter* r) {
    const auto refined = common_refinement({batch_of(a), batch_of(b)});
    auto x = stack_of(graph_.value(a.id), a.sizes), y = stack_of(graph_.value(b.id), b.sizes);
    if (!refined || !x || !y || x->dtype != y->dtype || x->rows != y->rows ||
        x->columns != y->columns)
      return std::nullopt;
    refine(&*x, *refined);
    refine(&*y, *refined);
    const ValueId left = value_of(&graph_, *x), right = value_of(&graph_, *y);
    Sizes sizes = graph_.value(left).sizes, all = sizes;
    for (size_t d = 0; d < sizes.size(); ++d) {
      if (graph_.value(left).strides[d] != 0 || graph_.value(right).strides[d] != 0) continue;
      sizes[d] = graph_.value(left).sizes[d] = graph_.value(right).sizes[d] = 1;
    }
    const ValueId sum = r->call("aten::add.Tensor", {tensor(left), tensor(right), {int64_t{1}}},
                                r->fresh(x->dtype, sizes));
    return ScoreMask{sum, std::move(all)};
  }

  static Sizes batch_of(const ScoreMask& mask) {
    return {mask.sizes.begin(), mask.sizes.end() - 2};
  }

  /// Splits and merges batch dims into at most [repeats, batch, heads].
  static bool in_kernel_dims(AttentionParts* parts, MatrixStack* mask) {
    const std::vector<MatrixStack*> all{&parts->q, &parts->k, &parts->v, &parts->out, mask};
    std::vector<Sizes> lists;
    for (const MatrixStack* s : all) lists.push_back(s->batch);
    const auto refined = common_refinement(lists);
    if (!refined) return false;
    for (MatrixStack* s : all) refine(s, *refined);
    merge_batch(all);
    share_keys(all, &parts->k, &parts->v);
    return parts->q.batch.size() <= 3;
  }

  std::vector<Arg> arguments(const AttentionParts& parts, const MatrixStack& mask) {
    return {tensor(value_of(&graph_, parts.q)),
            tensor(value_of(&graph_, parts.k)),
            tensor(value_of(&graph_, parts.v)),
            mask.dtype == DType::kOther ? Arg{} : tensor(value_of(&graph_, mask)),
            {parts.scale},
            {parts.causal},
            {parts.chosen_keeps},
            {parts.masked_score},
            {parts.empty_is_nan},
            {out_strides(parts.out)}};
  }

  /// Batch strides, as many as the operands have, and the stride of a row.
  static Arg::Ints out_strides(const MatrixStack& out) {
    Arg::Ints strides = out.batch_strides;
    if (strides.size() < 2) strides.insert(strides.begin(), 2 - strides.size(), 0);
    strides.push_back(out.row_stride);
    return strides;
  }

  /// When a copy with other strides is all that reads the result, the kernel stores there. That
  /// node, or kNone.
  NodeId store_as_copied(MatrixStack* out, ValueId* result) {
    const NodeId reader = uses_.only_reader(*result);
    if (reader == kNone) return kNone;
    const Node& node = graph_.nodes[static_cast<size_t>(reader)];
    static const std::set<std::string> copies = {"aten::clone", "aten::contiguous", "aten::reshape",
                                                 "aten::flatten.using_ints"};
    if (!copies.contains(node.op) || node.outputs.size() != 1 || node.outputs[0] == kNone)
      return kNone;
    const Value& read = graph_.value(node.args[0].tensor()->id);
    const Value& copy = graph_.value(node.outputs[0]);
    const Value& made = graph_.value(*result);
    if (copy.strides != contiguous_strides(copy.sizes) || read.offset != made.offset ||
        read.elements() != made.elements() || copy.elements() != made.elements() ||
        graph_.storage_of(node.outputs[0]).kind != Storage::Kind::kLocal)
      return kNone;
    const Sizes copied_strides = contiguous_strides(read.sizes);
    Value moved = made;
    for (size_t d = 0; d < made.sizes.size(); ++d) {
      if (made.sizes[d] == 1) continue;
      size_t from = 0;  // the copy's dim that walks this one
      while (from < read.sizes.size() &&
             (read.sizes[from] != made.sizes[d] || read.strides[from] != made.strides[d]))
        ++from;
      if (from == read.sizes.size()) return kNone;
      moved.strides[d] = copied_strides[from];
    }
    if (moved.strides.back() != 1) return kNone;  // the kernel writes rows
    moved.storage = copy.storage;
    moved.offset = copy.offset;
    *out = *stack_of(moved, moved.sizes);
    *result = node.outputs[0];
    return reader;
  }

  Graph& graph_;
  const Target& target_;
  Uses uses_;
  std::set<NodeId> gone_;
};

double number(const Arg& arg) { return std::get<double>(arg.value); }
bool flag(const Arg& arg) { return std::get<bool>(arg.value); }

template <size_t kCount>
std::array<int64_t, kCount> strides_of(const Value& v) {
  std::array<int64_t, kCount> strides;
  const size_t first = v.sizes.size() - 4;
  for (size_t d = 0; d < kCount; ++d)
    strides[d] = v.sizes[first + d] == 1 ? 0 : v.strides[first + d];
  return strides;
}

/// Elements from one call to the next.
int64_t repeat_stride(const Value& v) { return v.sizes.size() > 4 ? v.strides[0] : 0; }

}  // namespace

void recognise_attention(Graph* graph, const Target& target) {
  if (target.attention != nullptr) Recogniser(graph, target).run();
}

bool make_attention(const Graph& graph, const Node& node, const Target& target, AttentionCall* out,
                    std::string* why) {
  out->q_value = node.args[0].tensor()->id;
  out->k_value = node.args[1].tensor()->id;
  out->v_value = node.args[2].tensor()->id;
  out->mask_value = node.args[3].is_none() ? kNone : node.args[3].tensor()->id;
  out->out_value = node.outputs[0];
  const Value& q = graph.value(out->q_value);
  const Value& k = graph.value(out->k_value);
  const Value& v = graph.value(out->v_value);
  *why = "attention is written for operands of one dtype and head size, whose rows are dense";
  if (graph.value(out->out_value).dtype != q.dtype) return false;
  for (const Value* operand : {&q, &k, &v}) {
    if (operand->dtype != q.dtype || operand->strides.back() != 1) return false;
  }
  if (k.sizes.back() != q.sizes.back()) return false;
  *why = "has no elements";
  if (q.elements() == 0 || k.elements() == 0) return false;
  const size_t first = q.sizes.size() - 4;
  AttentionShape& s = out->shape;
  s.dtype = q.dtype;
  s.batch = q.sizes[first];
  s.heads = q.sizes[first + 1];
  s.kv_heads = k.sizes[first + 1];
  s.queries = q.sizes[first + 2];
  s.keys = k.sizes[first + 2];
  s.head_size = q.sizes.back();
  s.value_size = v.sizes.back();
  s.scale = static_cast<float>(number(node.args[4]));
  s.causal = flag(node.args[5]);
  s.mask_keeps = flag(node.args[6]);
  s.masked_score = static_cast<float>(number(node.args[7]));
  s.empty_row = flag(node.args[8]) ? std::numeric_limits<float>::quiet_NaN() : 0;
  s.q_strides = strides_of<3>(q);
  s.k_strides = strides_of<3>(k);
  s.v_strides = strides_of<3>(v);
  const auto& strides = std::get<Arg::Ints>(node.args[9].value);
  for (size_t d = 0; d < 3; ++d)
    s.out_strides[d] = q.sizes[first + d] == 1 ? 0 : strides[first + d];
  out->repeats = first == 0 ? 1 : q.sizes[0];
  out->repeat_q = repeat_stride(q);
  out->repeat_k = repeat_stride(k);
  out->repeat_v = repeat_stride(v);
  out->repeat_out = first == 0 ? 0 : strides[0];
  if (out->mask_value != kNone) {
    const Value& mask = graph.value(out->mask_value);
    s.mask = mask.dtype;
    s.mask_strides = strides_of<4>(mask);
    out->repeat_mask = repeat_stride(mask);
  }
  return target.attention->accepts(s, why);
}

std::string name_of_step(const AttentionCall& call) {
  const AttentionShape& s = call.shape;
  const std::string values =
      s.value_columns() == s.head_size ? "" : fmt::format("x{}", s.value_columns());
  return fmt::format("attention_{}x{}x{}x{}x{}{}_{}{}{}", call.repeats * s.batch, s.heads,
                     s.queries, s.keys, s.head_size, values, name_of(s.dtype),
                     s.causal ? "_causal" : "", s.mask == DType::kOther ? "" : "_mask");
}

}  // namespace torchweld
