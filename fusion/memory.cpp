// Buffers for storages, and the arena: offsets by liveness, largest first.
#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "fusion/passes.h"
#include "kernels/x86/image_conv.h"
#include "kernels/x86/small_conv.h"

namespace torchweld {
namespace {

struct Life {
  int first = std::numeric_limits<int>::max(), last = -1;
  bool overlaps(const Life& other) const { return first <= other.last && other.first <= last; }
};

std::vector<Life> lives(const Plan& plan) {
  std::vector<Life> out(plan.graph.storages.size());
  for (int s = 0; s < static_cast<int>(plan.steps.size()); ++s) {
    const auto touch = [&](ValueId id) {
      Life& life = out[static_cast<size_t>(plan.graph.value(id).storage)];
      life.first = std::min(life.first, s);
      life.last = std::max(life.last, s);
    };
    for (const ValueId id : plan.steps[static_cast<size_t>(s)].reads) touch(id);
    for (const ValueId id : plan.steps[static_cast<size_t>(s)].makes) touch(id);
    if (plan.steps[static_cast<size_t>(s)].scratch != kNone)
      touch(plan.steps[static_cast<size_t>(s)].scratch);
  }
  return out;
}

/// Whether an eager step writes in place what it makes: then the memory has to be there before,
/// though nobody has written it yet.
bool writes(const Graph& graph, const Step& step, StorageId s) {
  const auto& ids = graph.nodes[static_cast<size_t>(step.nodes[0])].writes;
  return std::any_of(ids.begin(), ids.end(),
                     [&](ValueId id) { return graph.value(id).storage == s; });
}

void choose_kinds(Plan* plan) {
  const Graph& graph = plan->graph;
  std::set<StorageId> leaving, eager;
  for (const ValueId id : graph.outputs) leaving.insert(graph.value(id).storage);
  std::set<StorageId> made;
  for (const Step& step : plan->steps) {
    for (const ValueId id : step.makes) {
      const StorageId s = graph.value(id).storage;
      if (made.insert(s).second && step.kind == Step::Kind::kEager && !writes(graph, step, s))
        eager.insert(s);
    }
  }
  plan->buffers.resize(graph.storages.size());
  for (StorageId s = 0; s < static_cast<StorageId>(graph.storages.size()); ++s) {
    const Storage& storage = graph.storages[static_cast<size_t>(s)];
    Buffer& b = plan->buffers[static_cast<size_t>(s)];
    b.index = storage.index;
    b.bytes = storage.bytes;
    if (storage.kind == Storage::Kind::kInput) {
      b.kind = Buffer::Kind::kInput;
    } else if (storage.kind == Storage::Kind::kConstant) {
      b.kind = Buffer::Kind::kConstant;
    } else {
      b.kind = eager.contains(s)     ? Buffer::Kind::kEager
               : leaving.contains(s) ? Buffer::Kind::kOutput
                                     : Buffer::Kind::kArena;
    }
  }
}

/// First fit by size: the largest buffers take the lowest offsets that nothing alive at the same
/// time holds.
void lay_out_arena(Plan* plan, const std::vector<Life>& life, int64_t alignment) {
  std::vector<StorageId> order;
  for (StorageId s = 0; s < static_cast<StorageId>(plan->buffers.size()); ++s) {
    if (plan->buffers[static_cast<size_t>(s)].kind == Buffer::Kind::kArena &&
        life[static_cast<size_t>(s)].last >= 0)
      order.push_back(s);
  }
  const auto bytes = [&](StorageId s) {
    const int64_t exact = plan->buffers[static_cast<size_t>(s)].bytes;
    return (exact + alignment - 1) / alignment * alignment;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](StorageId a, StorageId b) { return bytes(a) > bytes(b); });
  std::vector<int64_t> alive(plan->steps.size());
  for (const StorageId s : order) {
    for (int i = life[static_cast<size_t>(s)].first; i <= life[static_cast<size_t>(s)].last; ++i)
      alive[static_cast<size_t>(i)] += bytes(s);
  }
  if (!alive.empty()) plan->live_bytes = *std::max_element(alive.begin(), alive.end());
  std::vector<StorageId> placed;  // by offset
  for (const StorageId s : order) {
    int64_t offset = 0;
    for (const StorageId other : placed) {
      if (!life[static_cast<size_t>(s)].overlaps(life[static_cast<size_t>(other)])) continue;
      const Buffer& b = plan->buffers[static_cast<size_t>(other)];
      if (offset + bytes(s) <= b.offset) break;
      offset = std::max(offset, b.offset + bytes(other));
    }
    plan->buffers[static_cast<size_t>(s)].offset = offset;
    plan->arena_bytes = std::max(plan->arena_bytes, offset + bytes(s));
    plan->unplanned_bytes += bytes(s);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), offset,
                                   [&](int64_t o, StorageId p) {
                                     return o < plan->buffers[static_cast<size_t>(p)].offset;
                                   }),
                  s);
  }
}

int64_t scratch_bytes(const Step& step, const Target& target) {
  if (step.kind == Step::Kind::kSmallConv)
    return x86::small_conv_scratch_floats(step.conv.shape) * size_of(DType::kF32);
  if (step.kind == Step::Kind::kImageConv)
    return x86::image_conv_scratch_floats(step.image_conv.shape) * size_of(DType::kF32);
  if (step.kind == Step::Kind::kRecurrence)
    return step.recurrence.shape.scratch_floats() * size_of(DType::kF32);
  if (step.kind == Step::Kind::kAttention)
    return target.attention->scratch_bytes(step.attention.shape);
  if (step.kind == Step::Kind::kMatmul) return target.blas_workspace_bytes;
  if (step.kind == Step::Kind::kFused && target.scratch_bytes)
    return target.scratch_bytes(step.spec, step.geometry);
  return 0;
}

void add_scratch(Plan* plan, const Target& target) {
  for (Step& step : plan->steps) {
    const int64_t bytes = scratch_bytes(step, target);
    if (bytes == 0) continue;
    Value v;
    v.dtype = DType::kU8;
    v.sizes = {bytes};
    v.strides = {1};
    v.storage = plan->graph.add(Storage{});
    plan->graph.storages.back().bytes = bytes;
    step.scratch = plan->graph.add(std::move(v));
  }
}

}  // namespace

void place_buffers(Plan* plan, const Target& target) {
  add_scratch(plan, target);
  choose_kinds(plan);
  const std::vector<Life> life = lives(*plan);
  lay_out_arena(plan, life, target.arena_alignment);
  std::set<StorageId> leaving;
  for (const ValueId id : plan->graph.outputs) leaving.insert(plan->graph.value(id).storage);
  plan->releases.resize(plan->steps.size());
  for (StorageId s = 0; s < static_cast<StorageId>(plan->buffers.size()); ++s) {
    if (plan->buffers[static_cast<size_t>(s)].kind != Buffer::Kind::kEager || leaving.contains(s))
      continue;
    plan->releases[static_cast<size_t>(life[static_cast<size_t>(s)].last)].push_back(s);
  }
}

void locate_operands(Plan* plan) {
  const auto locate = [&](ValueId id) {
    const Value& v = plan->graph.value(id);
    return Location{v.storage, v.offset * size_of(v.dtype)};
  };
  const auto locate_by_hand = [&](auto* call) {
    call->x = locate(call->x_value);
    call->out = locate(call->out_value);
    if (call->bias_value != kNone) call->bias = locate(call->bias_value);
    if (call->summand_value != kNone) call->summand = locate(call->summand_value);
  };
  for (Step& step : plan->steps) {
    const Node& node = plan->graph.nodes[static_cast<size_t>(step.nodes[0])];
    if (step.scratch != kNone) step.scratch_at = locate(step.scratch);
    if (step.kind == Step::Kind::kFused || step.has_tail()) {
      for (const ValueId id : step.has_tail() ? step.tail_reads : step.reads)
        step.operands.push_back(locate(id));
      for (const ValueId id : step.makes) step.operands.push_back(locate(id));
    }
    if (step.kind == Step::Kind::kHostMatmul) {
      locate_by_hand(&step.host_matmul);
    } else if (step.kind == Step::Kind::kImageConv) {
      locate_by_hand(&step.image_conv);
    } else if (step.kind == Step::Kind::kMatmul) {
      Matmul& m = step.matmul;
      m.a = locate(m.a_value);
      m.b = locate(m.b_value);
      m.out = locate(m.out_value);
      if (m.c_value != kNone) m.c = locate(m.c_value);
      if (m.bias_value != kNone) m.bias = locate(m.bias_value);
    } else if (step.kind == Step::Kind::kEmbeddingBag) {
      EmbeddingBagCall& b = step.bag;
      b.table = locate(b.table_value);
      b.indices = locate(b.indices_value);
      b.offsets = locate(b.offsets_value);
      b.out = locate(b.out_value);
      if (b.weights_value != kNone) b.weights = locate(b.weights_value);
    } else if (step.kind == Step::Kind::kAttention) {
      AttentionCall& a = step.attention;
      a.q = locate(a.q_value);
      a.k = locate(a.k_value);
      a.v = locate(a.v_value);
      a.out = locate(a.out_value);
      if (a.mask_value != kNone) a.mask = locate(a.mask_value);
    } else if (step.kind == Step::Kind::kSmallConv) {
      step.conv.x = locate(node.args[0].tensor()->id);
      step.conv.out = locate(node.outputs[0]);
      if (step.conv.has_bias) step.conv.bias = locate(node.args[2].tensor()->id);
    } else if (step.kind == Step::Kind::kRecurrence) {
      RecurrenceCall& r = step.recurrence;
      r.x = locate(r.x_value);
      r.h = locate(r.h_value);
      r.y = locate(r.y_value);
      r.h_out = locate(r.h_out_value);
      if (r.c_value == kNone) continue;
      r.c = locate(r.c_value);
      r.c_out = locate(r.c_out_value);
    } else if (step.kind == Step::Kind::kRowSum) {
      step.row_sum.x = locate(node.args[0].tensor()->id);
      step.row_sum.out = locate(node.outputs[0]);
    } else if (step.kind == Step::Kind::kRowGather) {
      RowGather& g = step.row_gather;
      g.table = locate(g.table_value);
      g.index = locate(g.index_value);
      g.out = locate(g.out_value);
    }
  }
}

}  // namespace torchweld
