#include "loader/number_program.h"

#include <ATen/ops/empty.h>

#include <array>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>

namespace torchweld {
namespace {

/// What the thread's last program made. Tensors are kept from call to call, by type.
struct Made {
  std::vector<c10::IValue> numbers;
  torch::jit::Stack stack;
  std::array<std::deque<at::Tensor>, 3> tensors;

  const at::Tensor& tensor(c10::ScalarType type, size_t index) {
    std::deque<at::Tensor>& kept = tensors[type == c10::ScalarType::Long    ? 0
                                           : type == c10::ScalarType::Float ? 1
                                                                            : 2];
    while (kept.size() <= index) kept.push_back(at::empty({}, type));
    return kept[index];
  }
};

Made& made() {
  thread_local Made of_thread;
  return of_thread;
}

bool same_number(const c10::IValue& a, const c10::IValue& b) {
  if (a.isInt()) return b.isInt() && a.toInt() == b.toInt();
  if (a.isBool()) return b.isBool() && a.toBool() == b.toBool();
  if (!a.isDouble() || !b.isDouble()) return false;
  const double x = a.toDouble(), y = b.toDouble();
  return std::memcmp(&x, &y, sizeof x) == 0;
}

}  // namespace

bool is_number(const c10::IValue& value) {
  return value.isInt() || value.isDouble() || value.isBool();
}

bool write_number(const c10::IValue& value, const at::Tensor& tensor) {
  void* const to = tensor.mutable_data_ptr();
  if (tensor.scalar_type() == c10::ScalarType::Long) {
    if (!value.isInt()) return false;
    *static_cast<int64_t*>(to) = value.toInt();
    return true;
  }
  const double x = value.isInt() ? static_cast<double>(value.toInt()) : value.toDouble();
  if (tensor.scalar_type() == c10::ScalarType::Double) {
    *static_cast<double*>(to) = x;
    return true;
  }
  if (std::isfinite(x) && std::abs(x) > std::numeric_limits<float>::max()) return false;
  *static_cast<float*>(to) =
      value.isInt() ? static_cast<float>(value.toInt()) : static_cast<float>(x);
  return true;
}

void NumberProgram::add_step(Operation operation, std::vector<Operand> operands, int results) {
  steps_.push_back({std::move(operation), std::move(operands), results});
}

void NumberProgram::add_guard(int number, c10::IValue expected) {
  guards_.push_back({number, std::move(expected)});
}

void NumberProgram::add_input(int number, c10::ScalarType type) {
  inputs_.push_back({number, type});
}

int NumberProgram::add_leaving(int number) {
  leaving_.push_back(number);
  return static_cast<int>(leaving_.size()) - 1;
}

bool NumberProgram::run(const std::vector<c10::IValue>& values,
                        std::vector<const at::Tensor*>* leaves) const {
  Made& m = made();
  m.numbers.clear();
  for (const int position : positions_) m.numbers.push_back(values[static_cast<size_t>(position)]);
  size_t guard = 0;
  const auto holds = [&] {  // as soon as a number is there: what follows may be undefined without
    for (; guard < guards_.size(); ++guard) {
      const size_t number = static_cast<size_t>(guards_[guard].number);
      if (number >= m.numbers.size()) return true;
      if (!same_number(m.numbers[number], guards_[guard].expected)) return false;
    }
    return true;
  };
  for (const Step& step : steps_) {
    if (!holds()) return false;
    m.stack.clear();
    for (const Operand& operand : step.operands) {
      m.stack.push_back(operand.number < 0 ? operand.constant
                                           : m.numbers[static_cast<size_t>(operand.number)]);
    }
    try {
      step.operation(m.stack);
    } catch (const std::exception&) {  // the interpreter says what is wrong, and where
      return false;
    }
    for (size_t i = m.stack.size() - static_cast<size_t>(step.results); i < m.stack.size(); ++i)
      m.numbers.push_back(std::move(m.stack[i]));
  }
  if (!holds()) return false;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const at::Tensor& tensor = m.tensor(inputs_[i].type, i);
    if (!write_number(m.numbers[static_cast<size_t>(inputs_[i].number)], tensor)) return false;
    leaves->push_back(&tensor);
  }
  return true;
}

void NumberProgram::take_leaving(std::vector<c10::IValue>* holes) const {
  for (const int number : leaving_) holes->push_back(made().numbers[static_cast<size_t>(number)]);
}

}  // namespace torchweld
