#include "engine/runtime.h"

#include <fmt/format.h>

#include "engine/cpu_runtime.h"
#include "engine/cuda_runtime.h"
#include "torchweld/error.h"

namespace torchweld {

std::shared_ptr<const Runtime> runtime_for(c10::Device device) {
  if (device.is_cpu()) return cpu_runtime();
  if (device.is_cuda()) return cuda_runtime(device);
  throw Error(
      ErrorCode::kBadInput,
      fmt::format("Torchweld runs on cpu and cuda, not on {}; set Options::device", device.str()));
}

}  // namespace torchweld
