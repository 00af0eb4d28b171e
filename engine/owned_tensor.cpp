#include "engine/owned_tensor.h"

#include <ATen/ops/clone.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/TensorImpl.h>

#include <utility>

namespace torchweld {

at::Tensor tensor_over(c10::DataPtr memory, size_t bytes, c10::IntArrayRef sizes,
                       c10::IntArrayRef strides, c10::ScalarType type) {
  c10::Storage storage(c10::Storage::use_byte_size_t(), bytes, std::move(memory),
                       c10::GetCPUAllocator(), /*resizable=*/true);
  at::Tensor out = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::CPU),
      c10::scalarTypeToTypeMeta(type));
  out.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides);
  return out;
}

at::Tensor own_copy(const at::Tensor& tensor) {
  if (tensor.layout() != at::kStrided || tensor.is_quantized() || tensor.numel() == 0 ||
      tensor.is_non_overlapping_and_dense())
    return tensor.clone();
  int64_t span = 1;
  for (int64_t d = 0; d < tensor.dim(); ++d) span += (tensor.size(d) - 1) * tensor.stride(d);
  const at::Tensor memory = tensor.as_strided({span}, {1}).clone();
  return memory.as_strided(tensor.sizes(), tensor.strides(), 0);
}

}  // namespace torchweld
