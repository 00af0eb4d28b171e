// A CUDA device as Torchweld uses it: memory, modules, launches, streams, events. The driver is one
// implementation (driver_device.h), the virtual GPU of the tests the other.
// What it is not: LibTorch's view of the device; tensors come from the engine's runtime.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace torchweld::cuda {

/// What is known of a device without asking it again. Sizes in bytes.
struct DeviceInfo {
  std::string name;     ///< "NVIDIA H100 80GB HBM3", "virtual GPU"
  int capability = 90;  ///< ten times the major plus the minor compute capability
  int multiprocessors = 132;
  int64_t shared_opt_in = 227 * 1024;  ///< dynamic shared memory that one block may ask for
  int64_t l2_bytes = 0;
};

/// What a compile gave: machine code for one architecture, and the PTX of the same compile.
struct Image {
  std::string cubin;  ///< empty when only PTX was asked for, as for devices newer than the compiler
  std::string ptx;
};

/// Resources of one kernel, as the assembler reported them.
struct Resources {
  int registers = 0;
  int64_t shared_bytes = 0;  ///< static
  int64_t local_bytes = 0;   ///< stack a thread
  int64_t spill_bytes = 0;   ///< stores plus loads
};

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
};

/// The driver's handles; null is the default stream.
using Stream = struct StreamHandle*;
using Event = struct EventHandle*;

/// An entry of a loaded module. Valid while the module lives.
class Function {
 public:
  virtual ~Function() = default;
};

/// Loaded code. Unloaded when the last owner lets go.
class Module {
 public:
  virtual ~Module() = default;

  /// The entry of this name. Throws Error kInternal when there is none.
  virtual const Function& function(const std::string& name) = 0;
};

/// One launch. `arguments` point at the kernel's parameters, in order, as cuLaunchKernel takes
/// them.
struct Launch {
  const Function* function = nullptr;
  Dim3 grid, block;
  int64_t shared_bytes = 0;  ///< dynamic; above 48 KiB the device is told so first
  Stream stream = nullptr;
  void* const* arguments = nullptr;
};

/// Thread-safe. Every call is checked.
///
/// Throws  Error: kOutOfMemory; kDevice with the driver's own words otherwise.
class Device {
 public:
  virtual ~Device() = default;
  virtual const DeviceInfo& info() const = 0;

  /// Memory aligned to 256 bytes.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void release(void* memory) = 0;

  /// Between any two of host and device, in the stream's order. Host memory has to stay until then.
  virtual void copy(void* to, const void* from, int64_t bytes, Stream stream) = 0;
  virtual void fill(void* to, uint8_t value, int64_t bytes, Stream stream) = 0;

  virtual std::shared_ptr<Module> load(const Image& image) = 0;
  virtual void launch(const Launch& launch) = 0;

  virtual Stream make_stream() = 0;
  virtual void drop(Stream stream) = 0;
  /// Waits on the host for all work given to the stream so far.
  virtual void synchronize(Stream stream) = 0;

  virtual Event make_event() = 0;
  virtual void drop(Event event) = 0;
  virtual void record(Event event, Stream stream) = 0;
  /// Work given to `stream` from now on starts after the event.
  virtual void wait(Stream stream, Event event) = 0;
  virtual void synchronize(Event event) = 0;
  /// Microseconds between two events that are over.
  virtual double elapsed_us(Event from, Event to) = 0;
};

}  // namespace torchweld::cuda
