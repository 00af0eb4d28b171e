#include "kernels/cuda/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "torchweld/error.h"

namespace torchweld::cuda {

SharedLibrary::SharedLibrary(const std::vector<std::string>& names, const std::string& way_out) {
  std::string reason;
  for (const std::string& name : names) {
    for (const std::string& path : {name, std::string(TORCHWELD_CUDA_LIBRARIES "/") + name}) {
      handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
      name_ = path;
      if (handle_ != nullptr) return;
      if (reason.empty()) reason = dlerror();
    }
  }
  throw Error(ErrorCode::kDevice,
              fmt::format("{} can't be opened: {}; {}", names.front(), reason, way_out));
}

void* SharedLibrary::find(const char* symbol) const {
  void* address = dlsym(handle_, symbol);
  if (address == nullptr)
    throw Error(ErrorCode::kDevice,
                fmt::format("{} has no {}: it is older than Torchweld needs", name_, symbol));
  return address;
}

}  // namespace torchweld::cuda
