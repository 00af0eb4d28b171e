#include "engine/setup_results.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kernels/x86/winograd.h"

namespace torchweld {

at::Tensor SetupResults::find_or_make(const std::string& call,
                                      const std::vector<at::Tensor>& operands,
                                      const std::function<at::Tensor()>& make) {
  std::string key = call;
  for (const at::Tensor& t : operands)
    key += fmt::format("; {} {} [{}] [{}]", t.const_data_ptr(), static_cast<int>(t.scalar_type()),
                       fmt::join(t.sizes(), ","), fmt::join(t.strides(), ","));
  const std::scoped_lock lock(mutex_);
  if (const auto it = known_.find(key); it != known_.end()) {
    if (auto alive = it->second.lock()) return at::Tensor(std::move(alive));
  }
  at::Tensor made = make();
  std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
  known_.insert_or_assign(key, Weak(made.getIntrusivePtr()));
  return made;
}

x86::PackedMatrix SetupResults::find_or_pack(const float* weight, const x86::MatrixLayout& layout) {
  const std::scoped_lock lock(mutex_);
  const auto key = std::pair(weight, layout);
  if (const auto it = packed_.find(key); it != packed_.end()) {
    if (auto alive = it->second.lock())
      return {std::move(alive), layout.k, layout.n, layout.columns_of_panel()};
  }
  x86::PackedMatrix made = x86::pack(weight, layout);
  std::erase_if(packed_, [](const auto& entry) { return entry.second.expired(); });
  packed_.insert_or_assign(key, made.data);
  return made;
}

std::shared_ptr<const float> SetupResults::find_or_transform(const float* weight,
                                                             const x86::MatrixLayout& layout) {
  const std::scoped_lock lock(mutex_);
  const auto key = std::pair(weight, layout);
  if (const auto it = transformed_.find(key); it != transformed_.end()) {
    if (auto alive = it->second.lock()) return alive;
  }
  auto made = x86::transform_weights(weight, layout);
  std::erase_if(transformed_, [](const auto& entry) { return entry.second.expired(); });
  if (made != nullptr) transformed_.insert_or_assign(key, made);
  return made;
}

}  // namespace torchweld
