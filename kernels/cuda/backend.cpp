#include "kernels/cuda/backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "kernels/cuda/acceptance.h"
#include "kernels/cuda/cuda_kernel.h"
#include "kernels/cuda/nvrtc.h"
#include "kernels/cuda/row_split.h"
#include "kernels/cuda/source.h"

namespace torchweld::cuda {
namespace {

struct Key {
  KernelSpec spec;
  Schedule schedule;
};
struct Hash {
  size_t operator()(const Key& key) const {
    const Schedule& s = key.schedule;
    uint64_t word = key.spec.hash();
    for (const int part : {static_cast<int>(s.skeleton), static_cast<int>(s.wide), s.vector,
                           s.threads, s.lanes, s.tiles, s.across})
      word = (word ^ static_cast<uint64_t>(part)) * 0x100000001b3ull;
    return word;
  }
};
struct Same {
  bool operator()(const Key& a, const Key& b) const {
    return a.schedule == b.schedule && a.spec.same_kernel(b.spec);
  }
};

}  // namespace

struct CudaBackend::State {
  std::shared_ptr<Compiler> compiler;
  std::mutex mutex;
  std::unordered_map<Key, std::shared_ptr<const CudaKernel>, Hash, Same> kernels;
};

CudaBackend::CudaBackend(std::shared_ptr<Device> device, const CacheOptions& options)
    : state_(std::make_unique<State>()) {
  state_->compiler = std::make_shared<Compiler>(std::move(device), options);
}
CudaBackend::~CudaBackend() = default;

bool CudaBackend::accepts(const KernelSpec& spec, const Geometry&, std::string* why) {
  return is_accepted(spec, why);
}

std::shared_ptr<const CudaKernel> CudaBackend::compile_as(const KernelSpec& spec,
                                                          const Schedule& schedule) {
  const Key key{spec, schedule};
  {
    const std::scoped_lock lock(state_->mutex);
    if (const auto it = state_->kernels.find(key); it != state_->kernels.end()) return it->second;
  }
  // Unlocked: compiles take long and run side by side. Of two equal ones the first is kept.
  Source source = source_of(spec, schedule);
  Program program = state_->compiler->program_of(source);
  auto kernel = std::make_shared<const CudaKernel>(state_->compiler->shared_device(), spec,
                                                   schedule, std::move(source), std::move(program));
  const std::scoped_lock lock(state_->mutex);
  return state_->kernels.emplace(key, std::move(kernel)).first->second;
}

std::shared_ptr<const Kernel> CudaBackend::compile(const KernelSpec& spec, const Geometry& geometry,
                                                   std::string* why) {
  if (!accepts(spec, geometry, why)) return nullptr;
  return compile_as(spec, schedule_of(spec, geometry));
}

int64_t CudaBackend::scratch_bytes(const KernelSpec& spec, const Geometry& geometry) {
  const Schedule schedule = schedule_of(spec, geometry);
  if (schedule.skeleton != Skeleton::kRowSplit) return 0;
  return split_scratch_bytes(partials_of(spec), spec, geometry, schedule,
                             state_->compiler->device().info().multiprocessors);
}

std::vector<std::shared_ptr<const Kernel>> CudaBackend::compile_all(
    std::span<const KernelRequest> requests) {
  // Equal requests are one compile.
  std::unordered_map<Key, size_t, Hash, Same> first;
  std::vector<size_t> same_as(requests.size()), distinct;
  for (size_t i = 0; i < requests.size(); ++i) {
    same_as[i] = i;
    if (!is_accepted(*requests[i].spec, nullptr)) continue;
    const Key key{*requests[i].spec, schedule_of(*requests[i].spec, *requests[i].geometry)};
    same_as[i] = first.emplace(key, i).first->second;
    if (same_as[i] == i) distinct.push_back(i);
  }
  std::vector<std::shared_ptr<const Kernel>> kernels(requests.size());
  std::vector<std::exception_ptr> errors(requests.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t n = next++; n < distinct.size(); n = next++) {
      const size_t i = distinct[n];
      std::string why;
      try {
        kernels[i] = compile(*requests[i].spec, *requests[i].geometry, &why);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  };
  const size_t count =
      std::min<size_t>(distinct.size(), std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::thread> threads;
  for (size_t i = 1; i < count; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  for (size_t i = 0; i < kernels.size(); ++i) kernels[i] = kernels[same_as[i]];
  return kernels;
}

std::string CudaBackend::description() const {
  return fmt::format("CUDA (sm_{}, NVRTC {})", state_->compiler->device().info().capability,
                     nvrtc_version());
}

const std::shared_ptr<Compiler>& CudaBackend::compiler() const { return state_->compiler; }

std::shared_ptr<CudaBackend> make_backend(std::shared_ptr<Device> device,
                                          const CacheOptions& options) {
  return std::make_shared<CudaBackend>(std::move(device), options);
}

}  // namespace torchweld::cuda
