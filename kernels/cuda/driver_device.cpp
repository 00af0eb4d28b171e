#include "kernels/cuda/driver_device.h"

#include <fmt/format.h>

#include <atomic>
#include <map>
#include <mutex>

#include "kernels/cuda/driver.h"
#include "torchweld/error.h"

namespace torchweld::cuda {
namespace {

/// Kernels above this ask for it by an attribute of their function.
constexpr int64_t kSharedWithoutAsking = 48 * 1024;

/// The device's context, current on this thread while the object lives.
class Current {
 public:
  explicit Current(CUcontext context) {
    const Driver& driver = Driver::get();
    driver.check(driver.CtxPushCurrent(context), "use the device's context");
  }
  ~Current() {
    CUcontext popped = nullptr;
    Driver::get().CtxPopCurrent(&popped);
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;
};

CUdeviceptr address(const void* memory) { return reinterpret_cast<CUdeviceptr>(memory); }
CUstream native(Stream stream) { return reinterpret_cast<CUstream>(stream); }
CUevent native(Event event) { return reinterpret_cast<CUevent>(event); }

class DriverFunction final : public Function {
 public:
  explicit DriverFunction(CUfunction handle) : handle(handle) {}
  CUfunction handle;
  mutable std::atomic<int64_t> shared_allowed{kSharedWithoutAsking};
};

class DriverModule final : public Module {
 public:
  DriverModule(CUcontext context, CUmodule module) : context_(context), module_(module) {}
  ~DriverModule() override {
    try {
      const Current current(context_);
      Driver::get().ModuleUnload(module_);
    } catch (const Error&) {  // the context went first, and the module with it
    }
  }
  DriverModule(const DriverModule&) = delete;
  DriverModule& operator=(const DriverModule&) = delete;

  const Function& function(const std::string& name) override {
    const std::scoped_lock lock(mutex_);
    if (const auto it = functions_.find(name); it != functions_.end()) return *it->second;
    const Current current(context_);
    const Driver& driver = Driver::get();
    CUfunction handle = nullptr;
    if (driver.ModuleGetFunction(&handle, module_, name.c_str()) != CUDA_SUCCESS)
      throw Error(ErrorCode::kInternal, fmt::format("a compiled module has no kernel {}", name));
    return *functions_.emplace(name, std::make_unique<DriverFunction>(handle)).first->second;
  }

 private:
  CUcontext context_;
  CUmodule module_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<DriverFunction>> functions_;
};

class DriverDevice final : public Device {
 public:
  explicit DriverDevice(int ordinal) : driver_(Driver::get()) {
    if (ordinal < 0 || ordinal >= driver_.devices)
      throw Error(ErrorCode::kDevice, fmt::format("there is no CUDA device {}; the driver has {}",
                                                  ordinal, driver_.devices));
    driver_.check(driver_.DeviceGet(&device_, ordinal), "open the device");
    driver_.check(driver_.DevicePrimaryCtxRetain(&context_, device_), "open the device's context");
    char name[256] = {};
    driver_.check(driver_.DeviceGetName(name, sizeof name, device_), "name the device");
    info_.name = name;
    info_.capability = 10 * attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) +
                       attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    info_.multiprocessors = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    info_.shared_opt_in = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    info_.l2_bytes = attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  }

  const DeviceInfo& info() const override { return info_; }

  void* allocate(int64_t bytes) override {
    const Current current(context_);
    CUdeviceptr memory = 0;
    driver_.check(driver_.MemAlloc(&memory, static_cast<size_t>(bytes)), "allocate memory");
    return reinterpret_cast<void*>(memory);
  }
  void release(void* memory) override {
    const Current current(context_);
    driver_.check(driver_.MemFree(address(memory)), "free memory");
  }
  void copy(void* to, const void* from, int64_t bytes, Stream stream) override {
    const Current current(context_);
    driver_.check(
        driver_.MemcpyAsync(address(to), address(from), static_cast<size_t>(bytes), native(stream)),
        "copy memory");
  }
  void fill(void* to, uint8_t value, int64_t bytes, Stream stream) override {
    const Current current(context_);
    driver_.check(
        driver_.MemsetD8Async(address(to), value, static_cast<size_t>(bytes), native(stream)),
        "fill memory");
  }

  std::shared_ptr<Module> load(const Image& image) override {
    const Current current(context_);
    CUmodule module = nullptr;
    const std::string& code = image.cubin.empty() ? image.ptx : image.cubin;
    driver_.check(driver_.ModuleLoadData(&module, code.c_str()), "load a module");
    return std::make_shared<DriverModule>(context_, module);
  }

  void launch(const Launch& launch) override {
    const Current current(context_);
    const auto& function = static_cast<const DriverFunction&>(*launch.function);
    if (launch.shared_bytes > function.shared_allowed.load(std::memory_order_relaxed)) {
      driver_.check(
          driver_.FuncSetAttribute(function.handle, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                   static_cast<int>(launch.shared_bytes)),
          "give a kernel its shared memory");
      function.shared_allowed.store(launch.shared_bytes, std::memory_order_relaxed);
    }
    driver_.check(driver_.LaunchKernel(
                      function.handle, launch.grid.x, launch.grid.y, launch.grid.z, launch.block.x,
                      launch.block.y, launch.block.z, static_cast<unsigned>(launch.shared_bytes),
                      native(launch.stream), const_cast<void**>(launch.arguments), nullptr),
                  "launch a kernel");
  }

  Stream make_stream() override {
    const Current current(context_);
    CUstream stream = nullptr;
    driver_.check(driver_.StreamCreate(&stream, CU_STREAM_NON_BLOCKING), "make a stream");
    return reinterpret_cast<Stream>(stream);
  }
  void drop(Stream stream) override {
    const Current current(context_);
    driver_.check(driver_.StreamDestroy(native(stream)), "drop a stream");
  }
  void synchronize(Stream stream) override {
    const Current current(context_);
    driver_.check(driver_.StreamSynchronize(native(stream)), "finish a stream's work");
  }

  Event make_event() override {
    const Current current(context_);
    CUevent event = nullptr;
    driver_.check(driver_.EventCreate(&event, CU_EVENT_DEFAULT), "make an event");
    return reinterpret_cast<Event>(event);
  }
  void drop(Event event) override {
    const Current current(context_);
    driver_.check(driver_.EventDestroy(native(event)), "drop an event");
  }
  void record(Event event, Stream stream) override {
    const Current current(context_);
    driver_.check(driver_.EventRecord(native(event), native(stream)), "record an event");
  }
  void wait(Stream stream, Event event) override {
    const Current current(context_);
    driver_.check(driver_.StreamWaitEvent(native(stream), native(event), 0), "wait for an event");
  }
  void synchronize(Event event) override {
    const Current current(context_);
    driver_.check(driver_.EventSynchronize(native(event)), "finish the work before an event");
  }
  double elapsed_us(Event from, Event to) override {
    const Current current(context_);
    float ms = 0;
    driver_.check(driver_.EventElapsedTime(&ms, native(from), native(to)), "time two events");
    return 1000.0 * ms;
  }

 private:
  int attribute(CUdevice_attribute which) const {
    int value = 0;
    driver_.check(driver_.DeviceGetAttribute(&value, which, device_), "describe the device");
    return value;
  }

  const Driver& driver_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  DeviceInfo info_;
};

}  // namespace

std::shared_ptr<Device> driver_device(int ordinal) {
  static std::mutex mutex;
  static std::map<int, std::shared_ptr<Device>> devices;
  const std::scoped_lock lock(mutex);
  std::shared_ptr<Device>& device = devices[ordinal];
  if (device == nullptr) device = std::make_shared<DriverDevice>(ordinal);
  return device;
}

}  // namespace torchweld::cuda
