// Compilation and the cache of kernels.
#include "kernels/x86/backend.h"

#include <chrono>
#include <mutex>
#include <unordered_map>

#include "kernels/phases.h"
#include "kernels/x86/crosswise.h"
#include "kernels/x86/generator.h"
#include "kernels/x86/launch.h"
#include "kernels/x86/places.h"
#include "kernels/x86/row_order.h"
#include "kernels/x86/row_reductions.h"
#include "kernels/x86/walk.h"

namespace torchweld::x86 {
namespace {

constexpr size_t kMaxKernels = 4096;
constexpr int64_t kShortestCascade = 32;  // elements; below, sums in order cost too much

/// What of a spec and the geometry at hand shapes the code.
struct Key {
  KernelSpec spec;
  ForLength length;     // of rows
  Crosswise crosswise;  // operands that are turned
};

/// Operands of floats whose lanes are every second element are moved by vectors.
void find_pairs(const Crosswise& crosswise, const Geometry& geometry, Isa isa, KernelSpec* spec) {
  constexpr int64_t kLeastLanes = 8;
  if (geometry.sizes.empty() || spec->rank == 0 || spec->reduced > 0 || crosswise.lane != 0 ||
      has_places(*spec) || geometry.sizes.back() < kLeastLanes)
    return;
  const auto find = [&](size_t i, OperandSpec* operand) {
    StrideClass& lane = operand->strides[static_cast<size_t>(spec->rank - 1)];
    if (lane == StrideClass::kAny && !crosswise.has(i) && geometry.strides[i].back() == 2 &&
        size_of(operand->dtype) == 4)
      lane = StrideClass::kTwo;
  };
  for (size_t i = 0; i < spec->loads.size(); ++i) find(i, &spec->loads[i]);
  // AVX2's masked stores are as slow as elements one by one.
  for (size_t i = 0; i < spec->stores.size() && isa == Isa::kAvx512; ++i)
    find(spec->loads.size() + i, &spec->stores[i].operand);
}

// Dims that only count rows are data, unless their coordinates are read. One kernel then serves all
// ranks.
Key key_of(const KernelSpec& spec, const Geometry& geometry, Isa isa) {
  const Crosswise crosswise = crosswise_of(spec, geometry);
  Key key{for_short_rows(with_turned(with_inverse_sums(spec), crosswise), geometry), {}, crosswise};
  const Walk walk = walk_of(key.spec);
  const int first = has_places(spec) ? 0 : walk.outer;
  key.spec.rank -= first;
  const auto drop = [&](OperandSpec* operand) {
    for (int d = 0; d < kMaxRank; ++d) {
      const auto from = static_cast<size_t>(d + first);
      operand->strides[static_cast<size_t>(d)] =
          d < key.spec.rank ? operand->strides[from] : StrideClass::kZero;
    }
  };
  for (OperandSpec& load : key.spec.loads) drop(&load);
  for (StoreSpec& store : key.spec.stores) drop(&store.operand);
  find_pairs(crosswise, geometry, isa, &key.spec);
  if (spec.reduced == 1 && !walk.across)
    key.length = {geometry.sizes.back() <= kMostKept, geometry.sizes.back() >= kShortestCascade};
  return key;
}

struct Hash {
  size_t operator()(const Key& key) const {
    return key.spec.hash() ^ (key.length.keeps ? 1 : 0) ^ (key.length.cascades ? 2 : 0) ^
           (size_t{key.crosswise.operands} << 8) ^ (static_cast<size_t>(key.crosswise.dim) << 4);
  }
};
struct Same {
  bool operator()(const Key& a, const Key& b) const {
    return a.length == b.length && a.crosswise == b.crosswise && a.spec.same_kernel(b.spec);
  }
};

class X86Kernel final : public Kernel {
 public:
  X86Kernel(std::shared_ptr<asmjit::JitRuntime> runtime, const KernelSpec& spec,
            const Generated& code, const Crosswise& crosswise, double compile_us)
      : runtime_(std::move(runtime)),
        name_(spec.name),
        code_(code),
        compile_us_(compile_us),
        launcher_(spec, code, crosswise) {}
  ~X86Kernel() override { runtime_->release(code_.entry); }
  X86Kernel(const X86Kernel&) = delete;
  X86Kernel& operator=(const X86Kernel&) = delete;

  void launch(const Geometry& geometry, void* const* pointers,
              const LaunchSite& site) const override {
    launcher_.launch(geometry, pointers, site.parallel);
  }
  void launch_part(const Geometry& geometry, void* const* pointers, int64_t begin,
                   int64_t end) const override {
    launcher_.launch_part(geometry, pointers, begin, end);
  }
  const std::string& name() const override { return name_; }
  int64_t code_bytes() const override { return code_.code_bytes; }
  double compile_us() const override { return compile_us_; }

 private:
  std::shared_ptr<asmjit::JitRuntime> runtime_;
  std::string name_;
  Generated code_;
  double compile_us_;
  Launcher launcher_;
};

/// Why no code is made for a spec; null when it is.
const char* limit_of(const KernelSpec& spec, const Geometry& geometry) {
  if (is_plain(spec)) return nullptr;
  if (spec.reduced > 0 && geometry.elements == 0) return "rows without elements";
  for (const Inst& inst : spec.body) {
    if (needs_row(inst.prim) && !RowReductions::has(inst.prim, inst.type))
      return "a reduction that has no x86 code generator";
  }
  if (has_places(spec) && !with_short_places(spec))
    return "places that follow from data have no x86 code generator";
  if (has_places(spec) && !places_are_short(geometry)) return "its places take more than 32 bits";
  const Phases phases = phases_of(spec);
  for (const StoreSpec& store : spec.stores) {
    if (store.per_row && !phases.per_row[static_cast<size_t>(store.value)])
      return "rows of one element are not told from their elements";
    if (store.offset >= 0 || store.predicate >= 0 || store.accumulates)
      return "scatters have no x86 code generator";
  }
  return nullptr;
}

class X86Backend final : public Backend {
 public:
  explicit X86Backend(Isa isa) : isa_(isa), runtime_(std::make_shared<asmjit::JitRuntime>()) {}

  bool accepts(const KernelSpec& spec, const Geometry& geometry, std::string* why) override {
    return compile(spec, geometry, why) != nullptr;
  }

  std::shared_ptr<const Kernel> compile(const KernelSpec& spec, const Geometry& geometry,
                                        std::string* why) override {
    if (const char* const limit = limit_of(spec, geometry)) {
      *why = limit;
      return nullptr;
    }
    if (spec.loads.size() + spec.stores.size() > static_cast<size_t>(kMaxOperands)) {
      *why = "a kernel has at most " + std::to_string(kMaxOperands) + " operands";
      return nullptr;
    }
    const Key key = key_of(spec, geometry, isa_);
    {
      const std::scoped_lock lock(mutex_);
      if (const auto it = kernels_.find(key); it != kernels_.end()) return it->second;
    }
    const auto start = std::chrono::steady_clock::now();
    const Generated code = generate(key.spec, key.length, isa_, runtime_.get(), why);
    if (code.entry == nullptr) return nullptr;
    const double us =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
    auto kernel = std::make_shared<X86Kernel>(runtime_, key.spec, code, key.crosswise, us);
    const std::scoped_lock lock(mutex_);
    if (kernels_.size() >= kMaxKernels) kernels_.erase(kernels_.begin());
    return kernels_.emplace(key, std::move(kernel)).first->second;
  }

  bool takes_float_rows() const override { return true; }

  std::string description() const override {
    return isa_ == Isa::kAvx512 ? "x86 (AVX-512)" : "x86 (AVX2)";
  }

 private:
  Isa isa_;
  std::shared_ptr<asmjit::JitRuntime> runtime_;
  std::mutex mutex_;
  std::unordered_map<Key, std::shared_ptr<const Kernel>, Hash, Same> kernels_;
};

}  // namespace

std::shared_ptr<Backend> make_backend(Isa isa) {
  const std::optional<Isa> host = host_isa();
  if (!host || (isa == Isa::kAvx512 && *host != Isa::kAvx512)) return nullptr;
  return std::make_shared<X86Backend>(isa);
}

std::shared_ptr<Backend> make_backend() {
  const std::optional<Isa> host = host_isa();
  return host ? make_backend(*host) : nullptr;
}

}  // namespace torchweld::x86
