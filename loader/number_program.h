// What a plan computes of the numbers that its recording left open, before its steps run: an
// attribute that counts calls, an argument that says how far a decoder is. How it is recorded:
// open_numbers.h. Decision: docs/decisions/open-numbers.md
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>

#include <functional>
#include <vector>

namespace torchweld {

/// Straight-line arithmetic on a call's integers, floats and truth values. Immutable once recorded.
class NumberProgram {
 public:
  using Operation = std::function<void(torch::jit::Stack&)>;

  /// What a step takes: a number made before, or a constant.
  struct Operand {
    int number = -1;
    c10::IValue constant;
  };

  /// Numbers are counted from 0: first those that are open, by their positions among the values of
  /// a call, then the results of steps.
  void add_open(int position) { positions_.push_back(position); }
  void add_step(Operation operation, std::vector<Operand> operands, int results);
  /// The plan holds only where the number is this one.
  void add_guard(int number, c10::IValue expected);
  /// A tensor of no dimensions after the signature's own, for the graph to read.
  void add_input(int number, c10::ScalarType type);
  /// A number that leaves the block; counted from 0.
  int add_leaving(int number);

  /// Computes all numbers of a call and appends the tensors of add_input. False where a guard or
  /// an operation fails. What it made is the thread's until it runs a program again.
  bool run(const std::vector<c10::IValue>& values, std::vector<const at::Tensor*>* leaves) const;

  /// Appends the numbers that leave, as the thread's last run made them.
  void take_leaving(std::vector<c10::IValue>* holes) const;
  bool has_leaving() const { return !leaving_.empty(); }

 private:
  struct Step {
    Operation operation;
    std::vector<Operand> operands;
    int results = 1;
  };
  struct Guard {
    int number = 0;
    c10::IValue expected;
  };
  struct Input {
    int number = 0;
    c10::ScalarType type = c10::ScalarType::Long;
  };

  std::vector<int> positions_;
  std::vector<Step> steps_;
  std::vector<Guard> guards_;
  std::vector<Input> inputs_;
  std::vector<int> leaving_;
};

/// Whether a value is a number or a truth value of the host's.
bool is_number(const c10::IValue& value);

/// Writes a number to a tensor of one float32, float64 or int64, rounded as LibTorch rounds a
/// scalar operand. False where the type can't hold it.
bool write_number(const c10::IValue& value, const at::Tensor& tensor);

}  // namespace torchweld
