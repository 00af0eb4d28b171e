// From a recorded graph to a plan: pure, no LibTorch, no device.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "fusion/plan.h"
#include "kernels/body_builder.h"
#include "loader/graph.h"

namespace torchweld {

/// What a plan may use on the machine at hand.
struct Target {
  Rounding rounding = Rounding::kDefault;
  bool hand_kernels = false;  ///< hand-written kernels for products, convolutions, sums are there
  int threads = 1;            ///< LibTorch's, which decide in what order it sums
  /// Sums by hand may be transformed, where that is faster, so that they round otherwise than those
  /// of LibTorch's libraries (kernels/x86/winograd.h): for plans whose results are compared.
  bool reassociates = false;
  bool fuses = true;  ///< a code generator is there; otherwise every node is an eager step

  bool rows = false;  ///< the code generator takes rows, gathers and scatters
  /// It takes rows of floats, reduced to sums, products and extremes (is_of_floats() in
  /// reduction.h), and reads at places that follow from coordinates, not from data.
  bool float_rows = false;

  /// What matrix products, convolutions and attention over float32 are computed in: kF32, kBF16 or
  /// kF16.
  DType products = DType::kF32;
  /// Whether that holds for operators so small that a call of the library costs more than it saves.
  bool narrows_small_products = true;
  /// Products over halves are computed in float32, for which there are kernels.
  bool widens_halves = false;

  bool blas = false;  ///< the device's library for matrix products is there
  int64_t blas_workspace_bytes = 0;
  bool tf32 = false;  ///< its float32 products may be TF32 whatever LibTorch's settings say

  /// Of each buffer, in bytes: a cache line and the widest vector on the host.
  int64_t arena_alignment = 64;
  bool embedding_bag = false;  ///< a kernel for embedding_bag is there
  bool regions = false;        ///< a kernel for roi_align and roi_pool is there
  /// LibTorch's cuDNN operators are there, and batch norm may be folded into their weights.
  bool cudnn = false;
  bool cudnn_tf32 = false;  ///< LibTorch's settings let its float32 convolutions run in TF32
  /// LibTorch's oneDNN operators are there, and batch norm may be folded into their weights.
  bool packed_convolutions = false;
  const AttentionKernels* attention = nullptr;  ///< null where LibTorch's operators run it

  /// Nodes of the recording that stay LibTorch's own steps, whatever the passes could make of them.
  std::map<NodeId, Whole> whole;

  /// Whether the code generator takes a spec; if not, `why` says the reason. Null: it takes all.
  std::function<bool(const KernelSpec& spec, const Geometry& geometry, std::string* why)>
      can_compile;
  /// Memory that the kernel of a spec needs besides its operands; null: none does.
  std::function<int64_t(const KernelSpec& spec, const Geometry& geometry)> scratch_bytes;
};

/// Plans a graph. Never fails: what can't be fused is an eager step with its reason.
Plan plan(Graph graph, const Target& target);

}  // namespace torchweld
