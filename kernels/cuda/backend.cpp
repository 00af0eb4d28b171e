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
#include "kernels/cuda/skeleton_headers.h"
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

std::string text_of_headers() {
  std::string text;
  for (const Header& header : skeleton_headers())
    text.append(header.name).append("\n").append(header.text);
  return text;
}

}  // namespace

struct CudaBackend::State {
  State(std::shared_ptr<Device> on, const CacheOptions& options)
      : device(std::move(on)), cache(options) {}

  Program program_of(const Source& source);

  std::shared_ptr<Device> device;
  KernelCache cache;
  std::atomic<int64_t> compiled{0}, from_disk{0};
  std::mutex mutex;
  std::unordered_map<Key, std::shared_ptr<const CudaKernel>, Hash, Same> kernels;
};

Program CudaBackend::State::program_of(const Source& source) {
  static const std::string headers = text_of_headers();
  const int capability = device->info().capability;
  const std::string key = KernelCache::key_of(
      fmt::format("{}\n{}\nNVRTC {} {}", source.text, headers, nvrtc_version(), capability));
  if (std::optional<Program> known = cache.find(key)) {
    ++from_disk;
    return *std::move(known);
  }
  CompileRequest request;
  request.name = source.entries.front() + ".cu";
  request.source = source.text;
  request.headers = skeleton_headers();
  request.capability = capability;
  Compiled compiled_now = torchweld::cuda::compile(request);
  ++compiled;
  Program program{std::move(compiled_now.image), std::move(compiled_now.kernels),
                  compiled_now.compile_us};
  cache.keep(key, program);
  return program;
}

CudaBackend::CudaBackend(std::shared_ptr<Device> device, const CacheOptions& options)
    : state_(std::make_unique<State>(std::move(device), options)) {}
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
  Program program = state_->program_of(source);
  auto kernel = std::make_shared<const CudaKernel>(state_->device, spec, schedule,
                                                   std::move(source), std::move(program));
  const std::scoped_lock lock(state_->mutex);
  return state_->kernels.emplace(key, std::move(kernel)).first->second;
}

std::shared_ptr<const Kernel> CudaBackend::compile(const KernelSpec& spec, const Geometry& geometry,
                                                   std::string* why) {
  if (!accepts(spec, geometry, why)) return nullptr;
  return compile_as(spec, schedule_of(spec, geometry));
}

std::vector<std::shared_ptr<const Kernel>> CudaBackend::compile_all(
    std::span<const KernelRequest> requests) {
  // Equal requests are one compile.
  std::unordered_map<Key, size_t, Hash, Same> first;
  std::vector<size_t> same_as(requests.size()), distinct;
  for (size_t i = 0; i < requests.size(); ++i) {
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
  return fmt::format("CUDA (sm_{}, NVRTC {})", state_->device->info().capability, nvrtc_version());
}

BackendCounts CudaBackend::counts() const { return {state_->compiled, state_->from_disk}; }

std::shared_ptr<Backend> make_backend(std::shared_ptr<Device> device, const CacheOptions& options) {
  return std::make_shared<CudaBackend>(std::move(device), options);
}

}  // namespace torchweld::cuda
