// A GPU made of host code: runs the PTX of the production compile, checks every access, and is as
// unhelpful about order as the manual allows.
#pragma once

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/cuda/device.h"
#include "tests/virtual_gpu/launcher.h"
#include "tests/virtual_gpu/memory_map.h"
#include "tests/virtual_gpu/statistics.h"

namespace torchweld::virtual_gpu {

struct Operation;

/// Device memory is host memory: a device pointer is a host pointer.
///
/// Order   work of different streams runs in an order drawn by chance from those that streams and
///         events allow, and no earlier than somebody waits for it. The null stream is a stream
///         like the others.
/// Time    elapsed_us counts a microsecond for each thousand instructions of warps.
/// Errors  what a kernel does wrong is thrown by the call that waits for it, or kept in reports().
class VirtualDevice : public cuda::Device {
 public:
  /// `capability` decides for which architecture back ends compile; the PTX runs all the same.
  explicit VirtualDevice(uint64_t seed = 1, int capability = 90);
  ~VirtualDevice() override;

  const cuda::DeviceInfo& info() const override { return info_; }
  void* allocate(int64_t bytes) override;
  void release(void* memory) override;  ///< waits for all work first, as cuMemFree does
  void copy(void* to, const void* from, int64_t bytes, cuda::Stream stream) override;
  void fill(void* to, uint8_t value, int64_t bytes, cuda::Stream stream) override;
  std::shared_ptr<cuda::Module> load(const cuda::Image& image) override;
  void launch(const cuda::Launch& launch) override;
  cuda::Stream make_stream() override;
  void drop(cuda::Stream stream) override;
  void synchronize(cuda::Stream stream) override;
  cuda::Event make_event() override;
  void drop(cuda::Event event) override;
  void record(cuda::Event event, cuda::Stream stream) override;
  void wait(cuda::Stream stream, cuda::Event event) override;
  void synchronize(cuda::Event event) override;
  double elapsed_us(cuda::Event from, cuda::Event to) override;

  /// Memory made elsewhere becomes the device's, as if a copy had filled it.
  void adopt(void* memory, int64_t bytes) { memory_.adopt(memory, bytes); }
  void disown(void* memory) { memory_.disown(memory); }
  void mark_initialised(const void* memory, int64_t bytes) {
    memory_.mark_initialised(memory, bytes);
  }
  /// A host function in the stream's order: what stands for a library's kernel.
  void host_work(cuda::Stream stream, std::function<void()> work);

  /// The n-th call of the device from now fails with Error kDevice.
  void fail_after(int calls);
  /// On at first. Off, approximate instructions are exact: where bits are compared.
  void set_jitter(bool on) { options_.jitter = on; }
  void set_most_instructions(int64_t n) { options_.most_instructions = n; }
  /// Findings are kept instead of thrown from now on.
  void collect_reports() { options_.reports = &reports_; }
  const std::vector<std::string>& reports() const { return reports_; }
  std::map<std::string, Statistics> statistics() const;
  void reset_statistics();

 private:
  struct StreamState;
  struct EventState;

  void enter();
  void enqueue(cuda::Stream stream, std::function<void()> work);
  void run_until(const std::shared_ptr<Operation>& last);
  void drain();
  StreamState& state_of(cuda::Stream stream);

  cuda::DeviceInfo info_;
  MemoryMap memory_;
  LaunchOptions options_;
  std::vector<std::string> reports_;
  mutable std::mutex mutex_;
  std::map<cuda::Stream, std::unique_ptr<StreamState>> streams_;
  std::map<cuda::Event, std::unique_ptr<EventState>> events_;
  std::vector<std::shared_ptr<Operation>> pending_;
  std::map<std::string, Statistics> statistics_;
  uint64_t random_;
  uint32_t launches_ = 0;
  int calls_until_failure_ = -1;
  std::exception_ptr failure_;  ///< in drain()
};

}  // namespace torchweld::virtual_gpu
