// A plan bound to this process: kernels compiled, constants held, eager operators found.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/runtime.h"
#include "engine/setup_results.h"
#include "fusion/plan.h"
#include "fusion/planner.h"
#include "kernels/x86/matmul.h"
#include "kernels/x86/recurrence.h"
#include "kernels/x86/winograd.h"
#include "loader/eager_call.h"
#include "loader/recording.h"
#include "torchweld/options.h"

namespace torchweld {

class Context;

/// An eager step gave another shape than the recording's: its shape depends on data, though nothing
/// said so.
class ShapeChanged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Steps of a plan that stand for the same recorded nodes, timed beside LibTorch's steps for them.
struct Stretch {
  std::string name;           ///< of its first step
  std::set<NodeId> nodes;     ///< of the recording
  std::vector<size_t> steps;  ///< those of the plan that was measured; not kept on disk
  double planned_us = 0, eager_us = 0;
  Whole whole = Whole::kNo;  ///< whether LibTorch's run, and why
};

/// Immutable but for the pool of contexts; runs from any thread.
class BoundPlan {
 public:
  /// Compiles what the plan needs. `target` decides what may be fused; with `measure_products`
  /// their algorithms are timed first. What setup nodes make is shared through `setup_results`.
  BoundPlan(Recording recording, const Target& target, std::shared_ptr<const Runtime> runtime,
            SetupResults* setup_results, bool measure_products = false);
  ~BoundPlan();

  /// A context of the pool, or a new one; give it back with release().
  std::unique_ptr<Context> acquire() const;
  void release(std::unique_ptr<Context> context) const;

  const Plan& plan() const { return plan_; }
  const Recording& recording() const { return recording_; }
  const Runtime& runtime() const { return *runtime_; }
  const Kernel* kernel(size_t step) const { return kernels_[step].get(); }
  /// Of the step's kernel, whatever made it; empty where none of ours runs, or its back end makes
  /// no source. For nms: of the kernels that torchvision's operator, where it is ours, runs.
  KernelListing listing(size_t step) const;
  const EagerCall* eager(size_t step) const { return eager_[step] ? &*eager_[step] : nullptr; }
  const x86::PackedMatrix& packed(size_t step) const { return packed_[step]; }
  /// Of a convolution by tiles; without transformed ones it is image_conv's.
  const x86::WinogradWeights& winograd(size_t step) const { return winograd_[step]; }
  const x86::Recurrence& recurrence(size_t step) const { return *recurrences_[step]; }
  /// A product's call, but for the operands of its own.
  const x86::MatmulCall& matmul_call(size_t step) const { return matmul_calls_[step]; }
  /// Whether a call meets none of LibTorch's operators: then the thread's state (autograd, dispatch
  /// keys) need not be set for it.
  bool is_own_code() const { return own_code_; }
  /// Whether float32 products may run in TF32 now.
  bool allows_tf32() const { return tf32_ || runtime_->allows_tf32(); }
  int64_t constant_bytes() const;

  /// What the gate measured; empty where it didn't. Set before anyone else sees the plan.
  const std::vector<Stretch>& measured() const { return measured_; }
  void set_measured(std::vector<Stretch> stretches) { measured_ = std::move(stretches); }

 private:
  void compile_kernels();
  void prepare_products(bool measure) const;
  void run_setup(SetupResults* results);
  const float* constant_floats(ValueId id) const;
  void bind_recurrences(SetupResults* results);
  x86::PackedMatrix pack_weight(const Step& step, SetupResults* results) const;
  x86::WinogradWeights transform_weight(const ImageConv& conv, SetupResults* results) const;
  x86::MatmulCall call_of(const HostMatmul& m, const x86::PackedMatrix& packed) const;

  static constexpr size_t kPooled =
      16;  // concurrent callers whose contexts are kept; more get fresh ones

  Recording recording_;
  std::shared_ptr<const Runtime> runtime_;
  Plan plan_;
  std::vector<std::shared_ptr<const Kernel>> kernels_;
  std::vector<std::optional<EagerCall>> eager_;
  std::vector<x86::PackedMatrix> packed_;
  std::vector<x86::MatmulCall> matmul_calls_;
  std::vector<x86::WinogradWeights> winograd_;
  std::vector<std::optional<x86::Recurrence>> recurrences_;
  bool own_code_ = false;
  bool tf32_ = false;
  std::vector<Stretch> measured_;
  mutable std::array<std::atomic<Context*>, kPooled> pool_{};
};

/// The target that plans for a runtime are made for.
Target target_for(const Runtime& runtime, const Options& options);

/// Why float32 products stay float32 though another precision was asked for; empty if they don't.
std::string why_no_precision(const Runtime& runtime, Precision asked);

}  // namespace torchweld
