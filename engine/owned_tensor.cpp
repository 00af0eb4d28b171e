#include "engine/owned_tensor.h"

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

}  // namespace torchweld
