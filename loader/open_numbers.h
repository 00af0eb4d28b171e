// Follows the numbers that a recording leaves open through a walk: which registers hold what
// follows from them. Whatever would make one a constant of the recording (a branch, a shape, an
// operator that nothing here knows) guards it instead, so that nothing is ever wrong, only less
// open. Decision: docs/decisions/open-numbers.md
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>

#include <memory>
#include <unordered_map>
#include <vector>

#include "loader/code.h"
#include "loader/number_program.h"

namespace torchweld {

/// What of a value follows from open numbers.
struct Openness {
  int number = -1;                 ///< the value itself
  std::vector<Openness> elements;  ///< of a tuple, or of a list that one operator reads
  bool any() const { return number >= 0 || !elements.empty(); }
};

/// Of one recording.
class OpenNumbers {
 public:
  /// Leaves the call's value at this position open.
  void open(int position, const c10::IValue& value);
  const std::vector<int>& positions() const { return positions_; }

  /// The walk tells where its values are.
  Openness of(int reg) const;
  std::vector<Openness> of(const std::vector<int>& regs) const;
  void mark(int reg, Openness openness);
  void mark(const std::vector<int>& regs, const std::vector<Openness>& openness);
  Openness of_slot(int slot) const;
  void mark_slot(int slot, Openness openness) { slots_[slot] = std::move(openness); }
  void return_from(const std::vector<int>& regs) { returned_ = of(regs); }
  const std::vector<Openness>& returned() const { return returned_; }

  /// Guards all that is open in a value, or in a register.
  void pin(const Openness& openness);
  void pin(int reg) { pin(of(reg)); }

  /// What results of a node that only moves values around follow from.
  std::vector<Openness> moved(const CodeNode& node);

  /// An operator on numbers of the host's that gave numbers: a step. Its results go to the
  /// registers by mark_results().
  bool compute(const CodeNode& node, const std::vector<Openness>& operands,
               const torch::jit::Stack& arguments, const torch::jit::Stack& results);
  void mark_results(const CodeNode& node);

  /// A step of the recorder's own on two numbers, each open or not; its number.
  int combine(NumberProgram::Operation operation, const Openness& a, const c10::IValue& a_now,
              const Openness& b, const c10::IValue& b_now);

  /// A tensor of no dimensions with the number, which becomes an input of the graph; undefined
  /// where the type can't hold it.
  at::Tensor tensor_of(int number, c10::ScalarType type);

  const c10::IValue& now(int number) const { return now_[static_cast<size_t>(number)]; }
  NumberProgram& program() { return *program_; }
  std::shared_ptr<const NumberProgram> take() { return std::move(program_); }

 private:
  void guard(int number);

  std::shared_ptr<NumberProgram> program_ = std::make_shared<NumberProgram>();
  std::vector<int> positions_;
  std::vector<c10::IValue> now_;  // by number: in the recorded call
  std::vector<char> pinned_;      // by number
  std::unordered_map<int, Openness> registers_, slots_;
  std::vector<Openness> results_, returned_;  // of the last step; of the method
};

}  // namespace torchweld
