// Compilation and the cache of kernels.
#include "kernels/x86/backend.h"

#include <chrono>
#include <mutex>
#include <unordered_map>

#include "kernels/x86/generator.h"
#include "kernels/x86/launch.h"
#include "kernels/x86/row_reductions.h"

namespace torchweld::x86 {
namespace {

constexpr size_t kMaxKernels = 4096;

// Only the innermost stride shapes the code; the rest is data. One kernel then serves all ranks.
KernelSpec key_of(const KernelSpec& spec) {
  KernelSpec key = spec;
  key.rank = 1;
  const auto inner = static_cast<size_t>(spec.rank - 1);
  for (OperandSpec& load : key.loads) load.strides[0] = load.strides[inner];
  for (StoreSpec& store : key.stores) store.operand.strides[0] = store.operand.strides[inner];
  return key;
}

struct Hash {
  size_t operator()(const KernelSpec& spec) const { return spec.hash(); }
};
struct Same {
  bool operator()(const KernelSpec& a, const KernelSpec& b) const { return a.same_kernel(b); }
};

class X86Kernel final : public Kernel {
 public:
  X86Kernel(std::shared_ptr<asmjit::JitRuntime> runtime, const KernelSpec& spec,
            const Generated& code, double compile_us)
      : runtime_(std::move(runtime)),
        name_(spec.name),
        code_(code),
        compile_us_(compile_us),
        launcher_(spec, code) {}
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
  if (spec.reduced > 1) return "rows that are not one stretch of memory have no x86 code generator";
  if (spec.reduced == 1 && geometry.elements == 0) return "rows without elements";
  const auto inner = static_cast<size_t>(spec.rank - 1);
  for (const Inst& inst : spec.body) {
    const bool gathers = inst.prim == Prim::kLoad && (inst.args[0] >= 0 || inst.args[1] >= 0);
    if (gathers || inst.prim == Prim::kCoord || inst.prim == Prim::kParam)
      return "gathers and places have no x86 code generator";
    if (needs_row(inst.prim) && !RowReductions::has(inst.prim, inst.type))
      return "a reduction that has no x86 code generator";
  }
  const auto along = [&](const OperandSpec& operand) {
    return operand.strides[inner] != StrideClass::kAny;
  };
  for (const OperandSpec& load : spec.loads) {
    if (!along(load)) return "a row that is read across memory has no x86 code generator";
  }
  for (const StoreSpec& store : spec.stores) {
    if (store.offset >= 0 || store.predicate >= 0 || store.accumulates)
      return "scatters have no x86 code generator";
    if (!store.per_row && !along(store.operand))
      return "a row that is written across memory has no x86 code generator";
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
    const KernelSpec key = key_of(spec);
    {
      const std::scoped_lock lock(mutex_);
      if (const auto it = kernels_.find(key); it != kernels_.end()) return it->second;
    }
    const auto start = std::chrono::steady_clock::now();
    // row_reductions.h says why rows take AVX2 everywhere.
    const Isa isa = spec.reduced > 0 ? Isa::kAvx2 : isa_;
    const Generated code = generate(key, isa, runtime_.get(), why);
    if (code.entry == nullptr) return nullptr;
    const double us =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
    auto kernel = std::make_shared<X86Kernel>(runtime_, key, code, us);
    const std::scoped_lock lock(mutex_);
    if (kernels_.size() >= kMaxKernels) kernels_.erase(kernels_.begin());
    return kernels_.emplace(key, std::move(kernel)).first->second;
  }

  bool takes_dense_rows() const override { return true; }

  std::string description() const override {
    return isa_ == Isa::kAvx512 ? "x86 (AVX-512)" : "x86 (AVX2)";
  }

 private:
  Isa isa_;
  std::shared_ptr<asmjit::JitRuntime> runtime_;
  std::mutex mutex_;
  std::unordered_map<KernelSpec, std::shared_ptr<const Kernel>, Hash, Same> kernels_;
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
