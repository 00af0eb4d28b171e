// What one running call needs for itself: arena, pointers, the tensors of eager steps. The executor
// is here.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>

#include <functional>
#include <vector>

#include "engine/bound_plan.h"
#include "kernels/x86/share_out.h"

namespace torchweld {

/// Runs one plan, one call at a time. Kept in the plan's pool between calls, with its arena.
class Context {
 public:
  /// Called after each step, for timing and comparing.
  using AfterStep = std::function<void(size_t step, const Context&)>;

  explicit Context(const BoundPlan& plan);

  /// Executes the plan. `leaves`: the tensors of the signature, alive until the call ends.
  /// Throws  Error from eager steps; ShapeChanged.
  void run(const std::vector<const at::Tensor*>& leaves, const AfterStep* after_step = nullptr);

  /// The block's tensors, by output leaf; valid after run().
  const std::vector<at::Tensor>& outputs();

  /// The only tensor that leaves, where it is a whole buffer of its own; undefined otherwise.
  at::Tensor take_only_output();

  /// The host values that a read at the block's end gave.
  const std::vector<c10::IValue>& read() const { return read_; }

  /// A value as a tensor; only while its buffer is alive.
  at::Tensor tensor_of(ValueId id) const;

  /// Waits on the host for the work given to the device so far; only for measurements.
  void finish() const { bound_.runtime().finish(site_); }

  /// Lets go of everything but the arena.
  void clear();

 private:
  void bind(const std::vector<const at::Tensor*>& leaves);
  void take_site();
  void make_arena();
  void list_fleeting();
  void allocate_outputs();
  void run_step(size_t step);
  void run_fused(size_t index);
  void point_at_operands(const Step& step) {
    pointers_.clear();
    for (const Location& where : step.operands) pointers_.push_back(address(where));
  }
  x86::AfterRows tail_of(size_t index);
  void run_matmul(const Step& step);
  void run_embedding_bag(const Step& step);
  void run_regions(const Step& step);
  void run_attention(const Step& step);
  void run_host_matmul(size_t index);
  void run_small_conv(size_t index);
  void run_image_conv(size_t index);
  void run_recurrence(size_t index);
  void run_row_sum(const RowSum& sum);
  void run_by_index(const Step& step);
  [[noreturn]] void fail(const Step& step, const std::string& what) const;
  void run_host_rows(const HostRowsCall& r) {
    x86::run_host_rows(r.rows, floats(r.x), floats(r.values),
                       reinterpret_cast<int64_t*>(floats(r.places)), site_.parallel);
  }
  void run_ordering(const Step& step) {
    const OrderingCall& o = step.ordering;
    x86::run_ordering(o.rows, floats(o.x), floats(o.values),
                      reinterpret_cast<int64_t*>(floats(o.places)), scratch_of(step),
                      site_.parallel);
  }
  void run_sorted_search(const SortedSearchCall& s) {
    x86::run_sorted_search(s.search, address(s.bounds), address(s.values), address(s.places),
                           site_.parallel);
  }
  void run_batched_product(const Step& step) {
    const BatchedProductCall& b = step.batched;
    x86::run_batched_product(b.product, floats(b.a), floats(b.b), floats(b.out),
                             reinterpret_cast<float*>(scratch_of(step)), site_.parallel);
  }
  void run_window_pool(const WindowPoolCall& w) {
    x86::run_window_pool(w.pool, floats(w.x), floats(w.out),
                         reinterpret_cast<int64_t*>(floats(w.places)), site_.parallel);
  }
  void run_grid_sample(const GridSampleCall& g) {
    x86::run_grid_sample(g.sample, address(g.x), address(g.grid), address(g.out), site_.parallel);
  }
  void run_resize(const ResizeCall& r) {
    const x86::ResizeOperands operands{floats(r.x), floats(r.summand), r.clamps, r.clamp,
                                       floats(r.out)};
    x86::run_resize(r.resize, operands, site_.parallel);
  }
  void run_eager(size_t index);
  void take_results(const Step& step, const Node& node);
  bool is_alone(const Node& node, ValueId id) const;
  at::Tensor holder(StorageId storage) const;
  char* address(const Location& where) const {
    return bases_[static_cast<size_t>(where.buffer)] + where.byte_offset;
  }

  char* scratch_of(const Step& step) const {
    return step.scratch_at.buffer == kNone ? nullptr : address(step.scratch_at);
  }
  float* floats(const Location& where) const {  // null for an operand that isn't there
    return where.buffer == kNone ? nullptr : reinterpret_cast<float*>(address(where));
  }

  const BoundPlan& bound_;
  const Plan& plan_;
  at::Tensor arena_;
  std::vector<char*> bases_;  // by storage: where offset 0 lies
  std::vector<at::Tensor>
      holders_;  // by storage: a tensor that keeps it alive (outputs, eager results)
  std::vector<at::Tensor> values_;  // by value: the very tensor, where identity or speed wants it
  std::vector<StorageId> fleeting_storages_;  // whose holders live for one call
  std::vector<ValueId> fleeting_values_;
  std::vector<std::vector<ValueId>> released_values_;  // by step: those of Plan::releases
  std::vector<StorageId> output_storages_;
  std::vector<ValueId> output_values_;  // by output storage: a value that is all of it, or kNone
  std::vector<ValueId> wholes_;         // the same by storage
  const std::vector<const at::Tensor*>* leaves_ = nullptr;
  LaunchSite site_;
  std::vector<void*> pointers_;
  torch::jit::Stack stack_;
  std::vector<c10::IValue> read_;
  std::vector<at::Tensor> outputs_;
};

}  // namespace torchweld
