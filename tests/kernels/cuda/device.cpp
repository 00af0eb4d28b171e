#include "tests/kernels/cuda/device.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/virtual_gpu/kept_sources.h"
#include "tests/virtual_gpu/virtual_device.h"

namespace torchweld {

std::shared_ptr<cuda::Device> make_virtual_device(int capability, bool jitter) {
  auto device = std::make_shared<virtual_gpu::VirtualDevice>(1, capability);
  device->set_jitter(jitter);
  return device;
}

Traffic take_traffic(cuda::Device& device) {
  auto& virtual_device = dynamic_cast<virtual_gpu::VirtualDevice&>(device);
  Traffic t;
  for (const auto& [name, statistics] : virtual_device.statistics()) {
    t.sectors += statistics.sectors;
    t.ideal_sectors += statistics.ideal_sectors;
    t.wavefronts += statistics.wavefronts;
    t.ideal_wavefronts += statistics.ideal_wavefronts;
  }
  virtual_device.reset_statistics();
  return t;
}

cuda::CudaBackend& shared_backend() {
  static const std::shared_ptr<cuda::CudaBackend> backend = [] {
    cuda::CacheOptions options;
    options.on_disk = false;
    return virtual_gpu::with_kept_sources(cuda::make_backend(make_virtual_device(), options));
  }();
  return *backend;
}

cuda::Device& shared_device() { return shared_backend().compiler()->device(); }

void launch_and_wait(const Kernel& kernel, const Geometry& geometry, void* const* pointers,
                     cuda::Device& device) {
  LaunchSite site;
  const int64_t bytes = kernel.scratch_bytes(geometry);
  if (bytes > 0) site.scratch = device.allocate(bytes);
  kernel.launch(geometry, pointers, site);
  device.synchronize(cuda::Stream{});
  if (bytes > 0) device.release(site.scratch);
}

std::string difference(const Case& c, const Kernel& kernel, cuda::Device& device) {
  std::vector<void*> first, memory;
  std::vector<std::vector<uint8_t>> got;
  for (const CaseOperand& operand : c.operands) {
    const auto bytes = static_cast<int64_t>(operand.bytes.size());
    // To whole words, as allocators of device memory do.
    memory.push_back(device.allocate((std::max<int64_t>(bytes, 1) + 3) / 4 * 4));
    device.copy(memory.back(), operand.bytes.data(), bytes, nullptr);
    first.push_back(static_cast<uint8_t*>(memory.back()) + operand.first * size_of(operand.dtype));
  }
  launch_and_wait(kernel, c.geometry, first.data(), device);
  for (size_t i = 0; i < c.operands.size(); ++i) {
    got.emplace_back(c.operands[i].bytes.size());
    device.copy(got.back().data(), memory[i], static_cast<int64_t>(got.back().size()), nullptr);
  }
  device.synchronize(cuda::Stream{});
  for (void* m : memory) device.release(m);
  return difference_from_reference(c, got);
}

std::vector<ScheduledCase> on_every_skeleton(const Case& c) {
  std::vector<ScheduledCase> cases;
  for (const cuda::SkeletonRow& row : cuda::all_skeletons()) {
    cuda::Schedule schedule;
    const cuda::Fit fit = cuda::schedule_as(row.skeleton, c.spec, c.geometry, &schedule);
    if (fit != cuda::Fit::kNone) cases.push_back({c, schedule, fit});
  }
  return cases;
}

std::vector<std::string> differences(const std::vector<ScheduledCase>& cases) {
  std::vector<std::string> errors(cases.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < cases.size(); i = next++) {
      const ScheduledCase& s = cases[i];
      try {
        const auto kernel = shared_backend().compile_as(s.c.spec, s.schedule);
        errors[i] = difference(s.c, *kernel, shared_device());
      } catch (const std::exception& error) {
        errors[i] = s.c.name + ": " + error.what();
      }
      if (!errors[i].empty())
        errors[i] +=
            fmt::format(" ({}, {} at once, {} lanes, {} tiles, sizes {})",
                        cuda::row_of(s.schedule.skeleton).name, s.schedule.vector, s.schedule.lanes,
                        s.schedule.tiles, fmt::join(s.c.geometry.sizes, "x"));
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::max(1u, std::thread::hardware_concurrency()); ++i)
    threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  std::erase(errors, "");
  return errors;
}

TemporaryFolder::TemporaryFolder() {
  static std::atomic<int> counter{0};
  path_ =
      std::filesystem::temp_directory_path() / fmt::format("torchweld-{}-{}", getpid(), counter++);
  std::filesystem::create_directories(path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace torchweld
