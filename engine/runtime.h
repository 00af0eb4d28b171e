// What the engine asks of a device: memory for tensors, threads or a stream, a code generator. One
// object a device.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <string>

#include "kernels/attention.h"
#include "kernels/cuda/blas.h"
#include "kernels/cuda/embedding_bag.h"
#include "kernels/cuda/regions.h"
#include "kernels/cuda/suppression.h"
#include "kernels/kernel.h"

namespace torchweld {

/// Immutable; shared by every engine on the device.
class Runtime {
 public:
  virtual ~Runtime() = default;

  /// Null when the device has no code generator: then every step is eager.
  virtual Backend* backend() const = 0;

  /// Whether the hand-written x86 kernels for products, convolutions and sums run here.
  virtual bool has_hand_kernels() const = 0;

  /// Whether LibTorch's oneDNN operators for convolutions with packed weights run here.
  virtual bool has_packed_convolutions() const { return false; }

  /// The device's library for matrix products; null where LibTorch's operators run them.
  virtual cuda::Blas* blas() const { return nullptr; }
  /// The device's kernel for embedding_bag; null on the host.
  virtual cuda::EmbeddingBag* embedding_bag() const { return nullptr; }
  /// The device's kernel for roi_align and roi_pool; null on the host.
  virtual cuda::Regions* regions() const { return nullptr; }
  /// The device's kernels for nms; null on the host.
  virtual cuda::Suppression* suppression() const { return nullptr; }
  /// Whether LibTorch's cuDNN operators for convolutions run here.
  virtual bool has_cudnn() const { return false; }
  /// Whether LibTorch's settings let their float32 convolutions run in TF32 now.
  virtual bool convolves_in_tf32() const { return false; }
  /// The kernels for attention; null where LibTorch's operators run it.
  virtual AttentionKernels* attention() const { return nullptr; }
  /// Whether LibTorch's settings let float32 products run in TF32 now.
  virtual bool allows_tf32() const { return false; }

  /// Whether products of this floating type are fast here: those of float32 are narrowed to it on
  /// request.
  virtual bool multiplies(DType type) const { return type == DType::kF32; }

  /// Whether times of steps run here mean anything to a plan's choice.
  virtual bool can_be_timed() const { return false; }

  /// Whether a step's work is over when it returns; otherwise what it uses has to live on.
  virtual bool finishes_steps() const { return false; }

  /// Where the calling thread's launches go now: its threads, or its current stream.
  virtual LaunchSite site() const = 0;
  /// The site's stream alone.
  virtual void* stream() const { return site().stream; }

  /// A new tensor with these strides; the fast way round LibTorch's dispatcher.
  virtual at::Tensor allocate(c10::IntArrayRef sizes, c10::IntArrayRef strides,
                              c10::ScalarType type) const = 0;

  /// For devices whose queue LibTorch doesn't know: kernels given to `site` have to be over before
  /// LibTorch's operators read what they wrote, and before a call's results are handed out.
  virtual void drain(const LaunchSite&) const {}
  /// Waits on the host for all work given to `site`.
  virtual void finish(const LaunchSite&) const {}
  /// An operator of LibTorch wrote into memory that allocate() gave.
  virtual void wrote(const at::Tensor&) const {}
};

/// The runtime of a device. Throws Error: kDevice where CUDA's driver or libraries are missing,
/// kBadInput for a kind of device that Torchweld doesn't know.
std::shared_ptr<const Runtime> runtime_for(c10::Device device);

}  // namespace torchweld
