#include "engine/setup_results.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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

x86::PackedMatrix SetupResults::find_or_pack(const Weight& w) {
  const std::scoped_lock lock(mutex_);
  if (const auto it = packed_.find(w); it != packed_.end()) {
    if (auto alive = it->second.lock())
      return {std::move(alive), w.k, w.n, x86::PackedMatrix::panel_of(w.n)};
  }
  x86::PackedMatrix made = x86::pack(w.data, w.k, w.n, w.stride_k, w.stride_n);
  std::erase_if(packed_, [](const auto& entry) { return entry.second.expired(); });
  packed_.insert_or_assign(w, made.data);
  return made;
}

}  // namespace torchweld
