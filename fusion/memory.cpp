// Buffers for storages, and the arena: offsets by liveness, largest first.
#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "fusion/passes.h"
#include "kernels/x86/image_conv.h"
#include "kernels/x86/small_conv.h"
#include "kernels/x86/winograd.h"

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

/// Buffers of the arena and when they are alive.
class Arena {
 public:
  Arena(const Plan& plan, const std::vector<Life>& life, int64_t alignment) : life_(life) {
    for (StorageId s = 0; s < static_cast<StorageId>(plan.buffers.size()); ++s) {
      const Buffer& b = plan.buffers[static_cast<size_t>(s)];
      bytes_.push_back((b.bytes + alignment - 1) / alignment * alignment);
      if (b.kind == Buffer::Kind::kArena && life_of(s).last >= 0) buffers_.push_back(s);
    }
    alive_.resize(plan.steps.size());
    for (const StorageId s : buffers_) {
      for (int i = life_of(s).first; i <= life_of(s).last; ++i)
        alive_[static_cast<size_t>(i)] += bytes(s);
    }
  }

  int64_t bytes(StorageId s) const { return bytes_[static_cast<size_t>(s)]; }
  const std::vector<StorageId>& buffers() const { return buffers_; }
  int64_t most_alive() const {
    return alive_.empty() ? 0 : *std::max_element(alive_.begin(), alive_.end());
  }

  /// The largest first.
  std::vector<StorageId> by_size() const {
    std::vector<StorageId> order = buffers_;
    std::stable_sort(order.begin(), order.end(),
                     [&](StorageId a, StorageId b) { return bytes(a) > bytes(b); });
    return order;
  }

  /// Those of the steps with most memory alive first, of each step the largest first.
  std::vector<StorageId> by_breadth() const {
    std::vector<int64_t> most(bytes_.size());
    for (const StorageId s : buffers_) {
      const auto from = alive_.begin() + life_of(s).first, to = alive_.begin() + life_of(s).last;
      most[static_cast<size_t>(s)] = *std::max_element(from, to + 1);
    }
    std::vector<StorageId> order = by_size();
    std::stable_sort(order.begin(), order.end(), [&](StorageId a, StorageId b) {
      return most[static_cast<size_t>(a)] > most[static_cast<size_t>(b)];
    });
    return order;
  }

  struct Layout {
    std::vector<int64_t> offsets;  ///< by storage
    int64_t bytes = 0;
  };

  /// One after the other where nothing alive at the same time lies: at the lowest place, or in the
  /// smallest gap that has room.
  Layout placed(const std::vector<StorageId>& order, bool in_smallest_gap) const {
    Layout out;
    out.offsets.resize(bytes_.size());
    const auto offset_of = [&](StorageId s) { return out.offsets[static_cast<size_t>(s)]; };
    std::vector<StorageId> known;  // by offset
    for (const StorageId s : order) {
      int64_t end = 0, best = -1, smallest = std::numeric_limits<int64_t>::max();
      for (const StorageId other : known) {
        if (!life_of(s).overlaps(life_of(other))) continue;
        const int64_t gap = offset_of(other) - end;
        if (gap >= bytes(s) && gap < smallest && (best < 0 || in_smallest_gap)) {
          best = end;
          smallest = gap;
        }
        end = std::max(end, offset_of(other) + bytes(other));
      }
      const int64_t offset = best < 0 ? end : best;
      out.offsets[static_cast<size_t>(s)] = offset;
      out.bytes = std::max(out.bytes, offset + bytes(s));
      known.insert(std::upper_bound(known.begin(), known.end(), offset,
                                    [&](int64_t o, StorageId k) { return o < offset_of(k); }),
                   s);
    }
    return out;
  }

 private:
  const Life& life_of(StorageId s) const { return life_[static_cast<size_t>(s)]; }

  const std::vector<Life>& life_;
  std::vector<int64_t> bytes_;  // aligned, by storage
  std::vector<StorageId> buffers_;
  std::vector<int64_t> alive_;  // by step
};

/// The smallest of some layouts: what ended up on top in one is placed first in the next, as long
/// as memory is wasted.
void lay_out_arena(Plan* plan, const std::vector<Life>& life, int64_t alignment) {
  const Arena arena(*plan, life, alignment);
  constexpr int64_t kMostTries = 64, kMostComparisons = int64_t{1} << 23;
  const auto count = static_cast<int64_t>(arena.buffers().size());
  const int64_t tries =
      std::clamp<int64_t>(kMostComparisons / std::max<int64_t>(1, count * count), 2, kMostTries);
  plan->live_bytes = arena.most_alive();
  Arena::Layout best;
  for (std::vector<StorageId> order : {arena.by_size(), arena.by_breadth()}) {
    for (int64_t i = 0; i < tries; ++i) {
      if (best.bytes > 0 && best.bytes == plan->live_bytes) break;
      Arena::Layout layout = arena.placed(order, i % 2 == 1);
      const auto top = std::find_if(order.begin(), order.end(), [&](StorageId s) {
        return layout.offsets[static_cast<size_t>(s)] + arena.bytes(s) == layout.bytes;
      });
      if (i % 2 == 1 && top != order.end()) std::rotate(order.begin(), top, top + 1);
      if (best.offsets.empty() || layout.bytes < best.bytes) best = std::move(layout);
    }
  }
  plan->arena_bytes = best.bytes;
  for (const StorageId s : arena.buffers()) {
    plan->buffers[static_cast<size_t>(s)].offset = best.offsets[static_cast<size_t>(s)];
    plan->unplanned_bytes += arena.bytes(s);
  }
}

int64_t floats_of_conv(const ImageConv& c) {
  // Of either kernel: weights that aren't finite are image_conv's.
  const int64_t floats = x86::image_conv_scratch_floats(c.shape);
  return c.winograd_pieces == 0
             ? floats
             : std::max(floats, x86::winograd_scratch_floats(c.shape, c.winograd_pieces));
}

int64_t scratch_bytes(const Step& step, const Target& target) {
  if (step.kind == Step::Kind::kSmallConv)
    return x86::small_conv_scratch_floats(step.conv.shape) * size_of(DType::kF32);
  if (step.kind == Step::Kind::kImageConv)
    return floats_of_conv(step.image_conv) * size_of(DType::kF32);
  if (step.kind == Step::Kind::kRecurrence)
    return step.recurrence.shape.scratch_floats() * size_of(DType::kF32);
  if (step.kind == Step::Kind::kBatchedProduct) return step.batched.product.scratch_bytes();
  if (step.kind == Step::Kind::kOrdering) return step.ordering.rows.scratch_bytes();
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
    if (id == kNone) return Location{};
    const Value& v = plan->graph.value(id);
    return Location{v.storage, v.offset * size_of(v.dtype)};
  };
  const auto locate_by_hand = [&](auto* call) {
    call->x = locate(call->x_value);
    call->out = locate(call->out_value);
    call->bias = locate(call->bias_value);
    call->summand = locate(call->summand_value);
  };
  for (Step& step : plan->steps) {
    const Node& node = plan->graph.nodes[static_cast<size_t>(step.nodes[0])];
    step.scratch_at = locate(step.scratch);
    if (step.kind == Step::Kind::kFused || step.has_tail()) {
      for (const ValueId id : step.has_tail() ? step.tail_reads : step.reads)
        step.operands.push_back(locate(id));
      for (const ValueId id : step.makes) step.operands.push_back(locate(id));
    }
    if (step.kind == Step::Kind::kHostMatmul) {
      locate_by_hand(&step.host_matmul);
    } else if (step.kind == Step::Kind::kImageConv) {
      ImageConv& c = step.image_conv;
      locate_by_hand(&c);
      c.scale = locate(c.scale_value);
    } else if (step.kind == Step::Kind::kMatmul) {
      Matmul& m = step.matmul;
      m.a = locate(m.a_value);
      m.b = locate(m.b_value);
      m.out = locate(m.out_value);
      m.c = locate(m.c_value);
      m.bias = locate(m.bias_value);
    } else if (step.kind == Step::Kind::kEmbeddingBag) {
      EmbeddingBagCall& b = step.bag;
      b.table = locate(b.table_value);
      b.indices = locate(b.indices_value);
      b.offsets = locate(b.offsets_value);
      b.out = locate(b.out_value);
      b.weights = locate(b.weights_value);
    } else if (step.kind == Step::Kind::kRegions) {
      RegionsCall& r = step.regions;
      r.images = locate(r.images_value);
      r.regions = locate(r.regions_value);
      r.out = locate(r.out_value);
      r.places = locate(r.places_value);
    } else if (step.kind == Step::Kind::kAttention) {
      AttentionCall& a = step.attention;
      a.q = locate(a.q_value);
      a.k = locate(a.k_value);
      a.v = locate(a.v_value);
      a.out = locate(a.out_value);
      a.mask = locate(a.mask_value);
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
      r.c = locate(r.c_value);
      r.c_out = locate(r.c_out_value);
      r.batch_sizes = locate(r.batch_sizes_value);
    } else if (step.kind == Step::Kind::kRowSum) {
      step.row_sum.x = locate(node.args[0].tensor()->id);
      step.row_sum.out = locate(node.outputs[0]);
    } else if (step.kind == Step::Kind::kByIndex) {
      ByIndexCall& b = step.by_index;
      b.table = locate(b.table_value);
      b.operand = locate(b.operand_value);
      for (size_t k = 0; k < b.index_values.size(); ++k) b.index[k] = locate(b.index_values[k]);
    } else if (step.kind == Step::Kind::kHostRows) {
      HostRowsCall& r = step.host_rows;
      r.x = locate(r.x_value);
      r.values = locate(r.value_value);
      r.places = locate(r.place_value);
    } else if (step.kind == Step::Kind::kOrdering) {
      OrderingCall& o = step.ordering;
      o.x = locate(o.x_value);
      o.values = locate(o.value_value);
      o.places = locate(o.place_value);
    } else if (step.kind == Step::Kind::kSortedSearch) {
      SortedSearchCall& s = step.sorted_search;
      s.bounds = locate(s.bounds_value);
      s.values = locate(s.values_value);
      s.places = locate(s.places_value);
    } else if (step.kind == Step::Kind::kBatchedProduct) {
      BatchedProductCall& b = step.batched;
      b.a = locate(b.a_value);
      b.b = locate(b.b_value);
      b.out = locate(b.out_value);
    } else if (step.kind == Step::Kind::kWindowPool) {
      WindowPoolCall& w = step.window_pool;
      w.x = locate(w.x_value);
      w.out = locate(w.out_value);
      w.places = locate(w.place_value);
    } else if (step.kind == Step::Kind::kGridSample) {
      GridSampleCall& g = step.grid_sample;
      g.x = locate(g.x_value);
      g.grid = locate(g.grid_value);
      g.out = locate(g.out_value);
    } else if (step.kind == Step::Kind::kResize) {
      ResizeCall& r = step.resize;
      r.x = locate(r.x_value);
      r.out = locate(r.out_value);
      r.summand = locate(r.summand_value);
    }
  }
}

}  // namespace torchweld
