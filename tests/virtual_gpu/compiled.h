// Kernels of tests/virtual_gpu/kernels, compiled and loaded.
#pragma once

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/cuda/nvrtc.h"
#include "tests/virtual_gpu/virtual_device.h"

namespace torchweld::virtual_gpu {

inline std::string kernel_text(const std::string& file) {
  std::ifstream in(std::string(TORCHWELD_SEEDED_KERNELS) + "/" + file);
  if (!in) throw std::runtime_error("no file " + file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline cuda::Image compiled(const std::string& file) {
  cuda::CompileRequest request;
  request.name = file;
  request.source = kernel_text(file);
  request.line_numbers = true;
  return cuda::compile(request).image;
}

/// A vector in device memory.
template <class T>
class OnDevice {
 public:
  OnDevice(VirtualDevice* device, const std::vector<T>& values)
      : device_(device), size_(values.size()), memory_(device->allocate(bytes())) {
    device_->copy(memory_, values.data(), bytes(), nullptr);
    device_->synchronize(cuda::Stream{});
  }
  OnDevice(VirtualDevice* device, size_t size)
      : device_(device), size_(size), memory_(device->allocate(bytes())) {}
  ~OnDevice() {
    if (!freed_) device_->release(memory_);
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  void* get() const { return memory_; }
  /// The pointer stays, to be misused.
  void free() {
    device_->release(memory_);
    freed_ = true;
  }
  std::vector<T> values() const {
    const T* from = static_cast<const T*>(memory_);
    return std::vector<T>(from, from + size_);
  }

 private:
  int64_t bytes() const { return static_cast<int64_t>(size_ * sizeof(T)); }

  VirtualDevice* device_;
  size_t size_;
  void* memory_;
  bool freed_ = false;
};

/// Launches with any arguments: pointers as void*, numbers as they are.
template <class... Args>
void launch(VirtualDevice* device, cuda::Module* module, const std::string& name, cuda::Dim3 grid,
            cuda::Dim3 block, int64_t shared_bytes, Args... arguments) {
  const void* pointers[] = {&arguments...};
  cuda::Launch l;
  l.function = &module->function(name);
  l.grid = grid;
  l.block = block;
  l.shared_bytes = shared_bytes;
  l.arguments = const_cast<void* const*>(pointers);
  device->launch(l);
}

}  // namespace torchweld::virtual_gpu
