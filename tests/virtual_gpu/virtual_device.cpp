#include "tests/virtual_gpu/virtual_device.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tests/virtual_gpu/ptx.h"
#include "torchweld/error.h"

namespace torchweld::virtual_gpu {

/// A piece of work and what has to be over before it.
struct Operation {
  std::function<void()> work;
  std::vector<std::shared_ptr<Operation>> after;
  bool done = false;

  bool is_ready() const {
    return std::all_of(after.begin(), after.end(), [](const auto& o) { return o->done; });
  }
};

struct VirtualDevice::StreamState {
  std::shared_ptr<Operation> last;
};

struct VirtualDevice::EventState {
  std::shared_ptr<Operation> after;
  int64_t instructions = 0;  // that the device had run when the event was reached
};

namespace {

constexpr int kMostThreads = 1024;

class VirtualFunction final : public cuda::Function {
 public:
  explicit VirtualFunction(const Kernel* kernel) : kernel(kernel) {}
  const Kernel* kernel;
};

class VirtualModule final : public cuda::Module {
 public:
  VirtualModule(Ptx ptx, MemoryMap* memory) : ptx_(std::move(ptx)), memory_(memory) {
    for (const auto& [name, bytes] : ptx_.globals)
      memory_->adopt(bytes->data(), static_cast<int64_t>(bytes->size()));
    for (const auto& [name, kernel] : ptx_.kernels) functions_.try_emplace(name, &kernel);
  }
  ~VirtualModule() override {
    for (const auto& [name, bytes] : ptx_.globals) memory_->disown(bytes->data());
  }
  VirtualModule(const VirtualModule&) = delete;
  VirtualModule& operator=(const VirtualModule&) = delete;

  const cuda::Function& function(const std::string& name) override {
    const auto it = functions_.find(name);
    if (it == functions_.end())
      throw Error(ErrorCode::kInternal, "the module has no kernel " + name);
    return it->second;
  }

 private:
  Ptx ptx_;
  MemoryMap* memory_;
  std::map<std::string, VirtualFunction> functions_;
};

void expect(bool condition, const Kernel& kernel, const std::string& what) {
  if (!condition)
    throw Error(ErrorCode::kDevice, "the launch of " + kernel.name + " is refused: " + what);
}

/// What hardware refuses.
void check_launch(const cuda::Launch& l, const Kernel& kernel, const cuda::DeviceInfo& info) {
  const int64_t threads = int64_t{l.block.x} * l.block.y * l.block.z;
  expect(l.grid.x > 0 && l.grid.y > 0 && l.grid.z > 0, kernel, "an empty grid");
  expect(l.grid.x <= 0x7fffffffu && l.grid.y <= 65535 && l.grid.z <= 65535, kernel,
         "the grid is larger than 2^31-1 x 65535 x 65535");
  expect(threads > 0 && threads <= kMostThreads && l.block.z <= 64, kernel,
         std::to_string(threads) + " threads a block");
  expect(threads <= kernel.most_threads, kernel,
         std::to_string(threads) + " threads where it was compiled for " +
             std::to_string(kernel.most_threads));
  expect(l.shared_bytes >= 0 && kernel.shared_bytes + l.shared_bytes <= info.shared_opt_in + 2048,
         kernel, std::to_string(l.shared_bytes) + " bytes of dynamic shared memory");
}

}  // namespace

VirtualDevice::VirtualDevice(uint64_t seed, int capability) : random_(seed * 2654435761u + 1) {
  info_.capability = capability;
  info_.name = "virtual GPU";
  info_.l2_bytes = 50 << 20;
  options_.seed = seed;
}

VirtualDevice::~VirtualDevice() = default;

/// Every call begins here.
void VirtualDevice::enter() {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  if (calls_until_failure_ < 0) return;
  if (calls_until_failure_-- == 0)
    throw Error(ErrorCode::kDevice, "the virtual GPU fails, as it was told to");
}

void VirtualDevice::fail_after(int calls) {
  const std::scoped_lock lock(mutex_);
  calls_until_failure_ = calls;
}

void* VirtualDevice::allocate(int64_t bytes) {
  const std::scoped_lock lock(mutex_);
  enter();
  return memory_.allocate(bytes);
}

void VirtualDevice::release(void* memory) {
  const std::scoped_lock lock(mutex_);
  drain();
  memory_.release(memory);
}

VirtualDevice::StreamState& VirtualDevice::state_of(cuda::Stream stream) {
  auto& state = streams_[stream];
  if (state == nullptr) {
    if (stream != nullptr) throw Error(ErrorCode::kDevice, "a stream that isn't the virtual GPU's");
    state = std::make_unique<StreamState>();
  }
  return *state;
}

void VirtualDevice::enqueue(cuda::Stream stream, std::function<void()> work) {
  StreamState& s = state_of(stream);
  auto operation = std::make_shared<Operation>();
  operation->work = std::move(work);
  if (s.last != nullptr && !s.last->done) operation->after.push_back(s.last);
  s.last = operation;
  pending_.push_back(std::move(operation));
}

/// Runs work in an order drawn by chance until `last` is done; what else runs is chance too.
void VirtualDevice::run_until(const std::shared_ptr<Operation>& last) {
  while (last != nullptr && !last->done) {
    std::vector<size_t> ready;
    for (size_t i = 0; i < pending_.size(); ++i) {
      if (pending_[i]->is_ready()) ready.push_back(i);
    }
    random_ = random_ * 6364136223846793005ull + 1442695040888963407ull;
    const size_t chosen = ready[(random_ >> 33) % ready.size()];
    const std::shared_ptr<Operation> operation = pending_[chosen];
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(chosen));
    operation->done = true;
    operation->after.clear();
    operation->work();
  }
}

/// Called by destructors: what fails is for the next call to say.
void VirtualDevice::drain() {
  while (!pending_.empty()) {
    try {
      run_until(std::shared_ptr<Operation>(pending_.front()));
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
}

void VirtualDevice::copy(void* to, const void* from, int64_t bytes, cuda::Stream stream) {
  const std::scoped_lock lock(mutex_);
  enter();
  enqueue(stream, [this, to, from, bytes] {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    memory_.mark_initialised(to, bytes);
  });
}

void VirtualDevice::fill(void* to, uint8_t value, int64_t bytes, cuda::Stream stream) {
  const std::scoped_lock lock(mutex_);
  enter();
  enqueue(stream, [this, to, value, bytes] {
    std::memset(to, value, static_cast<size_t>(bytes));
    memory_.mark_initialised(to, bytes);
  });
}

void VirtualDevice::host_work(cuda::Stream stream, std::function<void()> work) {
  const std::scoped_lock lock(mutex_);
  enter();
  enqueue(stream, std::move(work));
}

std::shared_ptr<cuda::Module> VirtualDevice::load(const cuda::Image& image) {
  const std::scoped_lock lock(mutex_);
  enter();
  return std::make_shared<VirtualModule>(parse_ptx(image.ptx), &memory_);
}

void VirtualDevice::launch(const cuda::Launch& l) {
  const std::scoped_lock lock(mutex_);
  enter();
  const Kernel& kernel = *static_cast<const VirtualFunction&>(*l.function).kernel;
  check_launch(l, kernel, info_);
  std::vector<char> parameters(static_cast<size_t>(kernel.parameter_bytes));
  for (size_t i = 0; i < kernel.parameter_offsets.size(); ++i)
    std::memcpy(parameters.data() + kernel.parameter_offsets[i], l.arguments[i],
                static_cast<size_t>(kernel.parameter_sizes[i]));
  const uint32_t number = ++launches_;
  enqueue(l.stream, [this, &kernel, number, grid = l.grid, block = l.block, shared = l.shared_bytes,
                     parameters = std::move(parameters)]() mutable {
    Launcher launcher(kernel, &memory_, &statistics_[kernel.name], options_, number);
    launcher.run(grid, block, shared, std::move(parameters));
  });
}

cuda::Stream VirtualDevice::make_stream() {
  const std::scoped_lock lock(mutex_);
  enter();
  auto state = std::make_unique<StreamState>();
  const auto stream = reinterpret_cast<cuda::Stream>(state.get());
  streams_[stream] = std::move(state);
  return stream;
}

void VirtualDevice::drop(cuda::Stream stream) {
  const std::scoped_lock lock(mutex_);
  streams_.erase(stream);
}

void VirtualDevice::synchronize(cuda::Stream stream) {
  const std::scoped_lock lock(mutex_);
  enter();
  run_until(state_of(stream).last);
}

cuda::Event VirtualDevice::make_event() {
  const std::scoped_lock lock(mutex_);
  enter();
  auto state = std::make_unique<EventState>();
  const auto event = reinterpret_cast<cuda::Event>(state.get());
  events_[event] = std::move(state);
  return event;
}

void VirtualDevice::drop(cuda::Event event) {
  const std::scoped_lock lock(mutex_);
  drain();
  events_.erase(event);
}

void VirtualDevice::record(cuda::Event event, cuda::Stream stream) {
  const std::scoped_lock lock(mutex_);
  enter();
  EventState* state = events_.at(event).get();
  enqueue(stream, [this, state] {
    state->instructions = 0;
    for (const auto& [name, s] : statistics_) state->instructions += s.warp_instructions;
  });
  state->after = state_of(stream).last;
}

void VirtualDevice::wait(cuda::Stream stream, cuda::Event event) {
  const std::scoped_lock lock(mutex_);
  enter();
  const std::shared_ptr<Operation> before = events_.at(event)->after;
  enqueue(stream, [] {});
  if (before != nullptr && !before->done) state_of(stream).last->after.push_back(before);
}

void VirtualDevice::synchronize(cuda::Event event) {
  const std::scoped_lock lock(mutex_);
  enter();
  run_until(events_.at(event)->after);
}

double VirtualDevice::elapsed_us(cuda::Event from, cuda::Event to) {
  const std::scoped_lock lock(mutex_);
  return static_cast<double>(events_.at(to)->instructions - events_.at(from)->instructions) / 1000;
}

std::map<std::string, Statistics> VirtualDevice::statistics() const {
  const std::scoped_lock lock(mutex_);
  return statistics_;
}

void VirtualDevice::reset_statistics() {
  const std::scoped_lock lock(mutex_);
  statistics_.clear();
}

}  // namespace torchweld::virtual_gpu
