// What the executor sees of a compiled kernel, whatever generator made it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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
};

/// Splits [0, count) over the threads that the engine's LibTorch uses; handed in, since kernels
/// never see LibTorch.
using ParallelFor = std::function<void(int64_t count, int64_t grain,
                                       const std::function<void(int64_t begin, int64_t end)>&)>;

/// A kernel compiled for the machine at hand. Immutable; safe to launch from any thread.
class Kernel {
 public:
  virtual ~Kernel() = default;

  /// Runs over the whole geometry. `pointers` are the operands' first elements, loads first, then
  /// stores. Never allocates when the work is below the parallel grain. Reads and writes stay
  /// inside the operands.
  virtual void launch(const Geometry& geometry, void* const* pointers,
                      const ParallelFor& parallel) const = 0;

  virtual const std::string& name() const = 0;
  virtual int64_t code_bytes() const = 0;
  virtual double compile_us() const = 0;
};

/// One way to turn specs into kernels, for one device.
class Backend {
 public:
  virtual ~Backend() = default;

  /// Compiles, or returns the kernel compiled before for an equal spec. Null when this backend
  /// can't express the spec; `why` then says the reason in words a user understands. Thread-safe.
  virtual std::shared_ptr<const Kernel> compile(const KernelSpec& spec, std::string* why) = 0;

  /// "x86 (AVX-512)", for reports.
  virtual std::string description() const = 0;
};

}  // namespace torchweld
