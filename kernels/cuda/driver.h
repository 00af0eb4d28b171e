// The CUDA driver's functions, from libcuda.so.1 opened at run time.
#pragma once

#include <cuda.h>

#include <string>

#include "kernels/cuda/shared_library.h"

namespace torchweld::cuda {

/// Every driver function that Torchweld calls, once.
#define TORCHWELD_DRIVER_FUNCTIONS(X)                   \
  X(Init, "cuInit")                                     \
  X(DriverGetVersion, "cuDriverGetVersion")             \
  X(DeviceGetCount, "cuDeviceGetCount")                 \
  X(DeviceGet, "cuDeviceGet")                           \
  X(DeviceGetName, "cuDeviceGetName")                   \
  X(DeviceGetAttribute, "cuDeviceGetAttribute")         \
  X(DevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain") \
  X(CtxPushCurrent, "cuCtxPushCurrent_v2")              \
  X(CtxPopCurrent, "cuCtxPopCurrent_v2")                \
  X(GetErrorName, "cuGetErrorName")                     \
  X(GetErrorString, "cuGetErrorString")                 \
  X(MemAlloc, "cuMemAlloc_v2")                          \
  X(MemFree, "cuMemFree_v2")                            \
  X(MemcpyAsync, "cuMemcpyAsync")                       \
  X(MemsetD8Async, "cuMemsetD8Async")                   \
  X(ModuleLoadData, "cuModuleLoadData")                 \
  X(ModuleUnload, "cuModuleUnload")                     \
  X(ModuleGetFunction, "cuModuleGetFunction")           \
  X(FuncSetAttribute, "cuFuncSetAttribute")             \
  X(LaunchKernel, "cuLaunchKernel")                     \
  X(StreamCreate, "cuStreamCreate")                     \
  X(StreamDestroy, "cuStreamDestroy_v2")                \
  X(StreamSynchronize, "cuStreamSynchronize")           \
  X(StreamWaitEvent, "cuStreamWaitEvent")               \
  X(EventCreate, "cuEventCreate")                       \
  X(EventDestroy, "cuEventDestroy_v2")                  \
  X(EventRecord, "cuEventRecord")                       \
  X(EventSynchronize, "cuEventSynchronize")             \
  X(EventElapsedTime, "cuEventElapsedTime")

/// The table. Loaded once a process.
struct Driver {
  /// Throws  Error kDevice when there is no driver, or it has no device.
  static const Driver& get();

  /// Throws  Error with the driver's words: kOutOfMemory where memory is exhausted, else kDevice.
  void check(CUresult result, const char* what) const;

#define X(name, symbol) decltype(::cu##name)* name = nullptr;
  TORCHWELD_DRIVER_FUNCTIONS(X)
#undef X
  int devices = 0;
  std::string version;  ///< of CUDA that the driver supports: "13.0"

 private:
  Driver();
  SharedLibrary library_;
};

}  // namespace torchweld::cuda
