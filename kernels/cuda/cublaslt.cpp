#include "kernels/cuda/cublaslt.h"

#include <cstring>
#include <limits>
#include <mutex>
#include <unordered_map>

#include "kernels/cuda/cublaslt_product.h"
#include "kernels/cuda/product_memory.h"

namespace torchweld::cuda {
namespace {

using cublaslt::kWorkspaceBytes;
using cublaslt::library;

constexpr int kCandidates = 8;  // that a measurement tries
constexpr int kTimedRuns = 10;  // of each, after two that aren't timed

/// A request with its algorithm.
struct Chosen {
  cublaslt::Product product;
  cublasLtMatmulAlgo_t algorithm;
  bool measured = false;
};

struct Hash {
  size_t operator()(const BlasRequest& r) const {
    uint64_t word = 0xcbf29ce484222325ull;
    for (const int64_t part : {r.shape.m, r.shape.n, r.shape.k, r.shape.batch, r.shape.ldb,
                               int64_t{r.alignment}, int64_t{r.shape.has_bias}})
      word = (word ^ static_cast<uint64_t>(part)) * 0x100000001b3ull;
    return word;
  }
};

class CublasLt final : public Blas {
 public:
  CublasLt(std::shared_ptr<Device> device, const CacheOptions& cache)
      : device_(std::move(device)), cache_(cache) {
    library().check(library().Create(&handle_), "start");
  }

  int64_t workspace_bytes() const override { return kWorkspaceBytes; }

  void prepare(const BlasRequest& request, bool measure) override {
    (void)chosen_for(request, measure);
  }

  void run(const BlasShape& shape, const BlasOperands& operands, bool allow_tf32,
           Stream stream) override {
    const BlasRequest request{shape, allow_tf32, common_alignment(operands)};
    const std::shared_ptr<const Chosen> chosen = chosen_for(request, false);
    chosen->product.run(handle_, chosen->algorithm, operands, stream);
  }

  std::string description() const override {
    const size_t version = library().GetVersion();
    return fmt::format("cuBLASLt {}.{}", version / 10000, version % 10000 / 100);
  }

 private:
  /// What is known of the request, unless it is to be measured and never was. Two threads may
  /// choose at once; what one of them measured stays.
  std::shared_ptr<const Chosen> chosen_for(const BlasRequest& request, bool measure) {
    const auto suffices = [&](const std::shared_ptr<const Chosen>& known) {
      return known != nullptr && (known->measured || !measure);
    };
    {
      const std::scoped_lock lock(mutex_);
      const auto known = chosen_.find(request);
      if (known != chosen_.end() && suffices(known->second)) return known->second;
    }
    auto chosen = std::make_shared<const Chosen>(choose(request, measure));
    const std::scoped_lock lock(mutex_);
    std::shared_ptr<const Chosen>& kept = chosen_[request];
    if (!suffices(kept)) kept = std::move(chosen);
    return kept;
  }

  Chosen choose(const BlasRequest& request, bool measure) {
    cublaslt::Product product(request);
    if (measure) {
      const cublasLtMatmulAlgo_t algorithm = measured(request, product);
      return {std::move(product), algorithm, true};
    }
    const cublasLtMatmulAlgo_t algorithm = product.candidates(handle_, 1)[0];
    return {std::move(product), algorithm, false};
  }

  /// The fastest of the candidates, now or when this machine measured them before.
  cublasLtMatmulAlgo_t measured(const BlasRequest& request, const cublaslt::Product& product) {
    const std::string key = DiskCache::key_of(
        fmt::format("{} on {}: {}", description(), device_->info().name, describe(request)));
    cublasLtMatmulAlgo_t best{};
    if (const auto bytes = cache_.find(key); bytes && bytes->size() == sizeof best) {
      std::memcpy(&best, bytes->data(), sizeof best);
      if (product.takes(handle_, best)) return best;
    }
    const ProductMemory memory(*device_, request.shape, kWorkspaceBytes);
    double best_us = std::numeric_limits<double>::infinity();
    for (const cublasLtMatmulAlgo_t& candidate : product.candidates(handle_, kCandidates)) {
      const double us = memory.time_us(kTimedRuns, [&](const BlasOperands& o, Stream stream) {
        product.run(handle_, candidate, o, stream);
      });
      if (us >= best_us) continue;
      best_us = us;
      best = candidate;
    }
    cache_.keep(key, {reinterpret_cast<const char*>(&best), sizeof best});
    return best;
  }

  std::shared_ptr<Device> device_;
  DiskCache cache_;
  cublasLtHandle_t handle_ = nullptr;
  std::mutex mutex_;
  std::unordered_map<BlasRequest, std::shared_ptr<const Chosen>, Hash> chosen_;
};

}  // namespace

std::shared_ptr<Blas> make_cublaslt(std::shared_ptr<Device> device, const CacheOptions& cache) {
  return std::make_shared<CublasLt>(std::move(device), cache);
}

}  // namespace torchweld::cuda
