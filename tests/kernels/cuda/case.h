// A kernel spec with operands in memory: what the CUDA tests run on a device and on the reference.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/body_builder.h"
#include "kernels/kernel.h"

namespace torchweld {

/// One operand: its elements as they lie in memory, and where its first one stands.
struct CaseOperand {
  DType dtype = DType::kF32;
  std::vector<uint8_t> bytes;
  int64_t first = 0;  ///< elements before the operand's own
};

struct Case {
  std::string name;
  KernelSpec spec;
  Geometry geometry;
  std::vector<CaseOperand> operands;  ///< loads, then stores
  double ulp = 4;                     ///< of the result's dtype
  double absolute = 0;      ///< where results are sums, so that errors follow the summands
  bool may_differ = false;  ///< atomics: the order of additions is not fixed
};

/// Builds a case over a domain of any rank; sizes and strides are coalesced as the planner does.
class CaseBuilder {
 public:
  CaseBuilder(std::string name, std::vector<int64_t> domain, std::vector<bool> reduced = {});

  /// Strides of a dense tensor over the domain.
  std::vector<int64_t> dense() const;
  /// The same with 0 where the domain is reduced, or where `kept` says no.
  std::vector<int64_t> dense(const std::vector<bool>& kept) const;

  /// An operand and its value. Empty strides: dense. Values by `seed`; specials among them when it
  /// is odd.
  int16_t load(DType dtype, std::vector<int64_t> strides = {}, int seed = 2);
  /// An operand alone, read with load_at; `elements` of memory.
  int operand(DType dtype, std::vector<int64_t> strides, int64_t elements, int seed = 2);
  void store(int16_t value, DType dtype, std::vector<int64_t> strides = {});
  void store(StoreSpec store, std::vector<int64_t> strides, int64_t elements);
  void store_row(int16_t value, DType dtype);
  /// Keeps a dim apart, since its coordinate is read; -> its coordinate.
  int16_t coord(int dim);

  BodyBuilder& body() { return body_; }
  /// Moves an operand's first element off its alignment.
  void misalign(int operand_index) { misaligned_.push_back(operand_index); }
  /// Fills an operand with values of the caller's.
  void fill(int operand_index, const std::function<double(int64_t)>& value);
  Case finish();

 private:
  int64_t extent(const std::vector<int64_t>& strides) const;
  void add(DType dtype, const std::vector<int64_t>& strides, int64_t elements, int seed,
           bool is_store);

  Case case_;
  std::vector<int64_t> domain_;
  std::vector<bool> reduced_, pinned_;
  BodyBuilder body_;
  std::vector<CaseOperand> loads_, stores_;
  std::vector<std::vector<int64_t>> load_strides_, store_strides_;
  std::vector<StoreSpec> store_specs_;
  std::vector<int> misaligned_;
};

/// Values of a dtype; between them, when `special`, what breaks things: infinities, NaN, denormals,
/// -0.
std::vector<uint8_t> case_values(DType dtype, int64_t elements, int seed, bool special);

/// What a kernel left in the operands' memory, against the reference; empty when they agree, else
/// the first difference.
std::string difference_from_reference(const Case& c, const std::vector<std::vector<uint8_t>>& got);

}  // namespace torchweld
