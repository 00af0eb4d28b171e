// The text of `struct Body`: everything about a spec that a skeleton is a template over.
// What it is not: the skeletons (skeletons/*.cuh), which say what each member is called with.
#pragma once

#include <string>

#include "kernels/cuda/schedule.h"

namespace torchweld::cuda {

/// Writes the members of Body for one spec and schedule.
class BodySource {
 public:
  BodySource(const KernelSpec& spec, const Schedule& schedule);

  /// "struct Body { ... };"
  std::string text() const;

  /// Most parameters that the body reads plus one; a launch hands over as many.
  int params() const;

 private:
  // body_operands.cpp: addresses, loads and stores.
  std::string offsets_text() const;
  std::string loaded_text() const;
  std::string load_text() const;
  std::string store_text() const;
  std::string tiles_text() const;
  std::string load_call(size_t operand) const;

  // body_arithmetic.cpp: the instructions.
  std::string element_text() const;
  std::string row_types_text() const;
  std::string row_steps_text() const;
  std::string phase_text(int phase) const;
  std::string instruction_text(size_t inst, bool of_row) const;
  std::string running_sum_text(size_t inst) const;
  std::string odd_store_text(size_t store, bool of_row) const;
  std::string value(int16_t inst) const;
  std::string stored_value(const StoreSpec& store) const;
  std::string offset_of_element(size_t operand, bool is_store) const;

  bool has_rows() const { return spec_.reduced > 0; }
  bool is_per_row(int16_t inst) const { return phases_.per_row[static_cast<size_t>(inst)]; }
  bool is_row_value(size_t inst) const;
  bool is_transposed(size_t load) const;

  const KernelSpec& spec_;
  const Schedule& schedule_;
  Phases phases_;
  size_t last_;  // the innermost dim
};

}  // namespace torchweld::cuda
