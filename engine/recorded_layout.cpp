#include "engine/recorded_layout.h"

#include <ATen/ops/as_strided.h>

namespace torchweld {

std::optional<at::Tensor> as_recorded(const at::Tensor& tensor, const Value& recorded) {
  if (tensor.sizes() != c10::IntArrayRef(recorded.sizes)) return std::nullopt;
  if (tensor.numel() == 0 || tensor.strides() == c10::IntArrayRef(recorded.strides)) return tensor;
  for (size_t d = 0; d < recorded.sizes.size(); ++d) {
    if (recorded.sizes[d] != 1 && tensor.stride(static_cast<int64_t>(d)) != recorded.strides[d])
      return std::nullopt;
  }
  return at::as_strided(tensor, recorded.sizes, recorded.strides, tensor.storage_offset());
}

}  // namespace torchweld
