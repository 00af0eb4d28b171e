// Random graphs: pointwise operators with broadcasts, views, whole and partial in-place writes, and
// operators without a kernel between them.
#pragma once

#include <fmt/format.h>

#include <random>
#include <string>
#include <vector>

namespace torchweld::testing {

/// Writes one graph of int64 tensors as text. Equal seeds give equal graphs.
class RandomGraph {
 public:
  RandomGraph(uint32_t seed, int nodes) : random_(seed) {
    std::string inputs;
    for (const Shape shape : {kMatrix, kMatrix, kRow, kColumn}) {
      inputs += fmt::format("{}{}", inputs.empty() ? "" : ", ", make(shape, -1, ""));
    }
    text_ = fmt::format("graph({}):\n", inputs);
    for (int i = 0; i < nodes; ++i) statement();
    std::string outputs;
    for (int i = 0; i < 3; ++i)
      outputs += fmt::format("{}%{}", i == 0 ? "" : ", ", values_[pick()].id);
    text_ += fmt::format("  return {}\n", outputs);
  }

  const std::string& text() const { return text_; }

 private:
  enum Shape { kMatrix, kTransposed, kRow, kColumn };
  struct Known {
    int id, storage;
    Shape shape;
    bool whole;
  };

  size_t pick() {
    return random_() % 4 == 0
               ? random_() % values_.size()
               : values_.size() - 1 - random_() % std::min<size_t>(values_.size(), 6);
  }

  /// A new value as a definition; a new storage when `storage` is -1.
  std::string make(Shape shape, int storage, const std::string& place) {
    static const char* const kTypes[] = {"i64[4,4]", "i64[4,4]{1,4}", "i64[4]", "i64[4,1]"};
    const int id = next_++;
    values_.push_back({id, storage < 0 ? id : storage, shape, storage < 0 || shape == kTransposed});
    return fmt::format("%{}: {}{}", id, kTypes[shape], place);
  }

  void line(const std::string& left, const std::string& call) {
    text_ += fmt::format("  {}{}\n", left, call);
  }
  void define(Shape shape, const std::string& call) { line(make(shape, -1, "") + " = ", call); }

  void statement() {
    const Known a = values_[pick()], b = values_[pick()];
    switch (random_() % 12) {
      case 0:
        return define(dense(a), fmt::format("aten::neg(%{})", a.id));
      case 1:
        return define(dense(a), fmt::format("aten::relu(%{})", a.id));
      case 2:
        return define(dense(a), fmt::format("aten::mul.Scalar(%{}, {})", a.id, random_() % 4));
      case 3:
        return define(dense(a), fmt::format("aten::add.Scalar(%{}, {}, 1)", a.id, random_() % 3));
      case 4:
        return define(joined(a, b),
                      fmt::format("aten::add.Tensor(%{}, %{}, {})", a.id, b.id, 1 + random_() % 2));
      case 5:
        return define(joined(a, b), fmt::format("aten::mul.Tensor(%{}, %{})", a.id, b.id));
      case 6:
        return define(joined(a, b), fmt::format("aten::sub.Tensor(%{}, %{}, 1)", a.id, b.id));
      case 7:
        return define(dense(a), fmt::format("aten::cumsum(%{}, 0, none)", a.id));
      case 8:
        return view(a);
      case 9:
        return line(fmt::format("%{0} = %{0} <- ", a.id), fmt::format("aten::relu_(%{})", a.id));
      case 10:
        return line(fmt::format("%{0} <- ", a.id),
                    fmt::format("aten::add_.Scalar(%{}, 1, 1)", a.id));
      default:
        return write(a, b);
    }
  }

  static Shape dense(const Known& a) { return a.shape; }

  static Shape joined(const Known& a, const Known& b) {
    if (a.shape == b.shape) return a.shape;
    return a.shape == kTransposed && b.shape == kTransposed ? kTransposed : kMatrix;
  }

  /// The transpose or a row of a matrix.
  void view(const Known& a) {
    if (a.shape != kMatrix) return;
    if (random_() % 2 == 0)
      return line(make(kTransposed, a.storage, fmt::format(" @%{}", a.id)) + " = ",
                  fmt::format("aten::t(%{})", a.id));
    const auto row = random_() % 4;
    line(make(kRow, a.storage, fmt::format(" @%{}+{}", a.id, 4 * row)) + " = ",
         fmt::format("aten::select.int(%{}, 0, {})", a.id, row));
  }

  /// b is written into a, or added to it, where they share no memory.
  void write(const Known& a, const Known& b) {
    const bool fits = a.shape == b.shape || a.shape == kMatrix || a.shape == kTransposed;
    if (!fits || a.storage == b.storage) return;
    const char* call =
        random_() % 2 == 0 ? "aten::copy_(%{0}, %{1}, false)" : "aten::add_.Tensor(%{0}, %{1}, 1)";
    line(fmt::format("%{} <- ", a.id), fmt::format(fmt::runtime(call), a.id, b.id));
  }

  std::mt19937 random_;
  std::string text_;
  std::vector<Known> values_;
  int next_ = 0;
};

}  // namespace torchweld::testing
