// What a launch does on the host: which entry it takes, and that it allocates nothing.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "tests/kernels/cuda/cases.h"
#include "tests/kernels/cuda/device.h"
#include "tests/virtual_gpu/kept_sources.h"
#include "torchweld/error.h"

namespace {
thread_local int64_t allocations = 0;
}  // namespace

void* operator new(size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace torchweld {
namespace {

struct NamedFunction final : cuda::Function {
  std::string name;
};

class NamedModule final : public cuda::Module {
 public:
  const cuda::Function& function(const std::string& name) override {
    auto& slot = functions_[name];
    if (!slot) slot = std::make_unique<NamedFunction>();
    slot->name = name;
    return *slot;
  }

 private:
  std::map<std::string, std::unique_ptr<NamedFunction>> functions_;
};

/// Remembers the last launch and runs nothing.
class IdleDevice final : public cuda::Device {
 public:
  const cuda::DeviceInfo& info() const override { return info_; }
  void* allocate(int64_t bytes) override {
    return std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  }
  void release(void* memory) override { std::free(memory); }
  void copy(void*, const void*, int64_t, cuda::Stream) override {}
  void fill(void*, uint8_t, int64_t, cuda::Stream) override {}
  std::shared_ptr<cuda::Module> load(const cuda::Image&) override {
    return std::make_shared<NamedModule>();
  }
  void launch(const cuda::Launch& launch) override {
    last = launch;
    ++launches;
  }
  cuda::Stream make_stream() override { return nullptr; }
  void drop(cuda::Stream) override {}
  void synchronize(cuda::Stream) override { ++waits; }
  cuda::Event make_event() override { return nullptr; }
  void drop(cuda::Event) override {}
  void record(cuda::Event, cuda::Stream) override {}
  void wait(cuda::Stream, cuda::Event) override {}
  void synchronize(cuda::Event) override { ++waits; }
  double elapsed_us(cuda::Event, cuda::Event) override { return 0; }

  std::string last_entry() const { return static_cast<const NamedFunction*>(last.function)->name; }

  cuda::Launch last;
  int launches = 0, waits = 0;

 private:
  cuda::DeviceInfo info_;
};

struct Idle {
  std::shared_ptr<IdleDevice> device = std::make_shared<IdleDevice>();
  std::shared_ptr<cuda::CudaBackend> backend = [this] {
    cuda::CacheOptions options;
    options.on_disk = false;
    return virtual_gpu::with_kept_sources(cuda::make_backend(device, options));
  }();

  std::shared_ptr<const Kernel> compile(const Case& c) {
    std::string why;
    return backend->compile(c.spec, c.geometry, &why);
  }
};

TEST(CudaLaunch, AllocatesNothingAndWaitsForNothing) {
  Idle idle;
  for (const Case& c :
       {pointwise_cases(DType::kF32)[4], pointwise_cases(DType::kF32)[12],
        softmax_case(DType::kF32, 9, 500), softmax_case(DType::kF32, 9, 5000),
        softmax_case(DType::kF32, 2, 70000), softmax_case(DType::kF32, 500, 90, true)}) {
    const auto kernel = idle.compile(c);
    std::vector<void*> pointers(c.operands.size(), nullptr);
    std::vector<char> scratch(static_cast<size_t>(kernel->scratch_bytes(c.geometry)) + 1);
    EXPECT_EQ(idle.backend->scratch_bytes(c.spec, c.geometry), kernel->scratch_bytes(c.geometry));
    const int64_t before = allocations;
    const int launches = idle.device->launches;
    kernel->launch(c.geometry, pointers.data(), {nullptr, nullptr, scratch.data()});
    EXPECT_EQ(allocations, before) << c.name;
    EXPECT_GT(idle.device->launches, launches) << c.name;
  }
  EXPECT_EQ(idle.device->waits, 0);
}

TEST(CudaLaunch, OnlySplitRowsWantScratchAndSayWhenItIsMissing) {
  Idle idle;
  const Case short_rows = softmax_case(DType::kF32, 9, 500),
             c = softmax_case(DType::kF32, 2, 70000);
  EXPECT_EQ(idle.compile(short_rows)->scratch_bytes(short_rows.geometry), 0);
  const auto kernel = idle.compile(c);
  EXPECT_GT(kernel->scratch_bytes(c.geometry), 0);
  void* pointers[2] = {};
  EXPECT_THROW(kernel->launch(c.geometry, pointers, {}), Error);
}

TEST(CudaLaunch, TakesTheScalarEntryWhereAddressesAreNotAligned) {
  Idle idle;
  CaseBuilder b("aligned", {1000});
  b.store(b.load(DType::kF16), DType::kF16);
  const Case c = b.finish();
  const auto kernel = idle.compile(c);
  alignas(16) static uint16_t memory[1008];
  void* pointers[] = {memory, memory};
  kernel->launch(c.geometry, pointers, {});
  EXPECT_EQ(idle.device->last_entry(), "aligned_kernel");
  EXPECT_EQ(idle.device->last.grid.x, 1u);
  pointers[1] = memory + 1;
  kernel->launch(c.geometry, pointers, {});
  EXPECT_EQ(idle.device->last_entry(), "aligned_kernel_scalar");
  EXPECT_EQ(idle.device->last.grid.x, 4u);
}

TEST(CudaLaunch, NothingIsLaunchedForNothing) {
  Idle idle;
  const Case empty = pointwise_cases(DType::kF32)[0];
  void* pointers[3] = {};
  idle.compile(empty)->launch(empty.geometry, pointers, {});
  EXPECT_EQ(idle.device->launches, 0);
}

TEST(CudaAcceptance, SaysWhatItCannotDo) {
  Idle idle;
  Case c = pointwise_cases(DType::kF32)[1];
  std::string why;
  EXPECT_TRUE(idle.backend->accepts(c.spec, c.geometry, &why));
  EXPECT_EQ(why, "");
  c.spec.loads.resize(30);
  EXPECT_FALSE(idle.backend->accepts(c.spec, c.geometry, &why));
  EXPECT_EQ(idle.backend->compile(c.spec, c.geometry, &why), nullptr);
  EXPECT_NE(why.find("24 operands"), std::string::npos);
  EXPECT_EQ(idle.backend->compiler()->counts().compiled, 0);
}

TEST(CudaBackend, SaysWhatItIs) {
  EXPECT_TRUE(Idle().backend->description().starts_with("CUDA (sm_90, NVRTC 1"));
}

}  // namespace
}  // namespace torchweld
