#include "kernels/kernel.h"

namespace torchweld {

std::vector<std::shared_ptr<const Kernel>> Backend::compile_all(
    std::span<const KernelRequest> requests) {
  std::vector<std::shared_ptr<const Kernel>> kernels;
  std::string why;
  for (const KernelRequest& r : requests) kernels.push_back(compile(*r.spec, *r.geometry, &why));
  return kernels;
}

}  // namespace torchweld
