#include "engine/tensors.h"

#include <ATen/ops/clone.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/TensorImpl.h>
#include <fmt/format.h>

#include <utility>

#include "loader/dtypes.h"
#include "torchweld/error.h"

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

at::Tensor view_over(const at::Tensor& base, const Value& v, int64_t bytes) {
  const int64_t size = size_of(v.dtype);
  if (bytes % size != 0)
    throw Error(
        ErrorCode::kOperatorFailed,
        fmt::format("{} can't be seen {} bytes into a tensor's memory, between two elements",
                    name_of(v.dtype), bytes));
  constexpr c10::DispatchKeySet kReadOtherwise(
      {c10::DispatchKey::Conjugate, c10::DispatchKey::Negative});
  at::Tensor out = at::detail::make_tensor<c10::TensorImpl>(
      c10::Storage(base.storage()), base.key_set() - kReadOtherwise,
      c10::scalarTypeToTypeMeta(scalar_type_of(v.dtype)));
  const int64_t offset = v.elements() == 0 ? 0 : bytes / size + v.offset;
  out.unsafeGetTensorImpl()->set_sizes_and_strides(v.sizes, v.strides, offset);
  return out;
}

}  // namespace torchweld
