// What the executor sees of a compiled kernel, whatever generator made it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/spec.h"

namespace torchweld {

/// The sizes and strides of one launch; made once, when a plan is built.
///
/// Shapes   `sizes` holds spec.rank extents, outermost first; `strides[i]` as many element strides
/// for operand i,
///          loads first, then stores.
struct Geometry {
  std::vector<int64_t> sizes;
  std::vector<std::vector<int64_t>> strides;
  int64_t elements = 0;
  std::vector<int64_t> params = {};  ///< what kParam reads
};

/// Splits [0, count) over the threads that the engine's LibTorch uses; handed in, since kernels
/// never see LibTorch.
using ParallelFor = std::function<void(int64_t count, int64_t grain,
                                       const std::function<void(int64_t begin, int64_t end)>&)>;

/// Where a launch runs: the host's threads, or a stream of the device.
struct LaunchSite {
  ParallelFor parallel;    ///< null: on the calling thread alone
  void* stream = nullptr;  ///< a device's stream, as its driver knows it
  /// The launch's own memory: as many bytes as the kernel's scratch_bytes() says, aligned to 16.
  void* scratch = nullptr;
};

/// What a kernel was made of and what it takes, where its back end knows.
struct KernelListing {
  std::string source, assembly;  ///< CUDA C++ and PTX
  int registers = 0;
  int64_t shared_bytes = 0, local_bytes = 0, spill_bytes = 0;
};

/// A kernel compiled for the machine at hand. Immutable; safe to launch from any thread.
class Kernel {
 public:
  virtual ~Kernel() = default;

  /// Runs over the whole geometry. `pointers` are the operands' first elements, loads first, then
  /// stores. Never allocates when the work is below the parallel grain. Reads and writes stay
  /// inside the operands.
  virtual void launch(const Geometry& geometry, void* const* pointers,
                      const LaunchSite& site) const = 0;

  /// As launch for [begin, end) of the outermost dim alone, on the calling thread. Kernels of the
  /// host have it.
  virtual void launch_part(const Geometry& geometry, void* const* pointers, int64_t begin,
                           int64_t end) const {
    (void)geometry, (void)pointers, (void)begin, (void)end;
    throw std::logic_error("a kernel of a device in part");
  }

  /// Memory that a launch over `geometry` needs besides its operands; LaunchSite::scratch.
  virtual int64_t scratch_bytes(const Geometry&) const { return 0; }

  virtual const std::string& name() const = 0;
  virtual int64_t code_bytes() const = 0;
  virtual double compile_us() const = 0;
  virtual KernelListing listing() const { return {}; }
};

/// One kernel of several that are wanted at once.
struct KernelRequest {
  const KernelSpec* spec = nullptr;
  const Geometry* geometry = nullptr;
};

/// One way to turn specs into kernels, for one device.
class Backend {
 public:
  virtual ~Backend() = default;

  /// Whether this back end can express the spec; if not, `why` says the reason in words a user
  /// understands. Compiles nothing that takes long.
  virtual bool accepts(const KernelSpec& spec, const Geometry& geometry, std::string* why) = 0;

  /// Compiles, or returns the kernel compiled before for an equal spec. It is made for launches
  /// like `geometry`: as aligned, as long in the same dims. Null when the spec is not accepted.
  /// Thread-safe.
  virtual std::shared_ptr<const Kernel> compile(const KernelSpec& spec, const Geometry& geometry,
                                                std::string* why) = 0;

  /// What the kernel that compile would give says as its scratch_bytes, before it is compiled.
  virtual int64_t scratch_bytes(const KernelSpec&, const Geometry&) { return 0; }

  /// As compile for each request; a back end whose compiles take long runs them side by side.
  virtual std::vector<std::shared_ptr<const Kernel>> compile_all(
      std::span<const KernelRequest> requests);

  /// Whether specs with rows, gathers and scatters are worth making for it.
  virtual bool takes_rows() const { return false; }
  /// Or rows of floats, reduced to sums, products and extremes, and reads at places by coordinates.
  virtual bool takes_float_rows() const { return false; }

  /// "x86 (AVX-512)", for reports.
  virtual std::string description() const = 0;
};

}  // namespace torchweld
