#include "kernels/cuda/driver.h"

#include <fmt/format.h>

#include "torchweld/error.h"

namespace torchweld::cuda {

Driver::Driver()
    : library_({"libcuda.so.1"},
               "this machine has no NVIDIA driver: run on the CPU, or install the driver") {
#define X(name, symbol) library_.bind(&name, symbol);
  TORCHWELD_DRIVER_FUNCTIONS(X)
#undef X
  check(Init(0), "start");
  check(DeviceGetCount(&devices), "count devices");
  if (devices == 0) throw Error(ErrorCode::kDevice, "the CUDA driver has no device");
  int number = 0;
  check(DriverGetVersion(&number), "tell its version");
  version = fmt::format("{}.{}", number / 1000, number % 1000 / 10);
}

const Driver& Driver::get() {
  static const Driver driver;
  return driver;
}

void Driver::check(CUresult result, const char* what) const {
  if (result == CUDA_SUCCESS) return;
  const char *name = nullptr, *words = nullptr;
  GetErrorName(result, &name);
  GetErrorString(result, &words);
  throw Error(
      result == CUDA_ERROR_OUT_OF_MEMORY ? ErrorCode::kOutOfMemory : ErrorCode::kDevice,
      fmt::format("the CUDA driver can't {}: {} ({})", what, words == nullptr ? "unknown" : words,
                  name == nullptr ? std::to_string(result) : name));
}

}  // namespace torchweld::cuda
