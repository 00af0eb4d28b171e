#include "kernels/recurrent_gates.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/op_table.h"

namespace torchweld {
namespace {

/// A body of whole operators, so that no product and sum of two of them contract.
class Cell {
 public:
  int16_t load() { return body_.load(loads_++, DType::kF32); }

  int16_t op(std::string_view schema, std::initializer_list<int16_t> operands) {
    std::vector<OpArg> args;
    for (const int16_t value : operands)
      args.push_back({.kind = OpArg::Kind::kTensor, .value = value, .dtype = DType::kF32});
    std::string why;  // never: the table has these in float32
    return *emit_op(body_, *find_op(schema), args, DType::kF32, &why);
  }
  int16_t add(int16_t a, int16_t b) { return op("aten::add.Tensor", {a, b}); }
  int16_t mul(int16_t a, int16_t b) { return op("aten::mul.Tensor", {a, b}); }
  int16_t sigmoid(int16_t a) { return op("aten::sigmoid", {a}); }
  int16_t tanh(int16_t a) { return op("aten::tanh", {a}); }

  KernelSpec storing(std::string name, std::vector<int16_t> values) {
    OperandSpec operand;
    operand.strides = {StrideClass::kAny, StrideClass::kOne};
    KernelSpec spec;
    spec.name = std::move(name);
    spec.rank = 2;
    spec.loads.assign(static_cast<size_t>(loads_), operand);
    spec.body = body_.finish(&values);
    for (const int16_t value : values) spec.stores.push_back({.operand = operand, .value = value});
    return spec;
  }

 private:
  BodyBuilder body_;
  int loads_ = 0;
};

KernelSpec lstm() {
  Cell cell;
  const int16_t i = cell.load(), f = cell.load(), g = cell.load(), o = cell.load();
  const int16_t before = cell.load();
  const int16_t kept = cell.mul(cell.sigmoid(f), before);
  const int16_t c = cell.add(kept, cell.mul(cell.sigmoid(i), cell.tanh(g)));
  return cell.storing("lstm_gates_f32", {c, cell.mul(cell.sigmoid(o), cell.tanh(c))});
}

/// Reset scales what the state adds to the candidate, bias and all.
KernelSpec gru() {
  Cell cell;
  const int16_t reset_x = cell.load(), update_x = cell.load(), candidate_x = cell.load();
  const int16_t reset_h = cell.load(), update_h = cell.load(), candidate_h = cell.load();
  const int16_t h = cell.load();
  const int16_t reset = cell.sigmoid(cell.add(reset_x, reset_h));
  const int16_t update = cell.sigmoid(cell.add(update_x, update_h));
  const int16_t candidate = cell.tanh(cell.add(candidate_x, cell.mul(candidate_h, reset)));
  const int16_t change = cell.op("aten::sub.Tensor", {h, candidate});
  return cell.storing("gru_gates_f32", {cell.add(cell.mul(change, update), candidate)});
}

KernelSpec rnn(const char* name, const char* activation) {
  Cell cell;
  return cell.storing(name, {cell.op(activation, {cell.load()})});
}

}  // namespace

KernelSpec recurrent_gates(Gates gates) {
  switch (gates) {
    case Gates::kLstm:
      return lstm();
    case Gates::kGru:
      return gru();
    case Gates::kTanh:
      return rnn("rnn_tanh_f32", "aten::tanh");
    case Gates::kRelu:
      break;
  }
  return rnn("rnn_relu_f32", "aten::relu");
}

Geometry recurrent_geometry(Gates gates, int64_t rows, int64_t width) {
  const bool is_lstm = gates == Gates::kLstm, is_gru = gates == Gates::kGru;
  const int64_t sums = count_of(gates);
  Geometry geometry{{rows, width}, {}, rows * width};
  const auto add = [&](int64_t operands, int64_t row_stride) {
    geometry.strides.insert(geometry.strides.end(), static_cast<size_t>(operands), {row_stride, 1});
  };
  add(is_gru ? 2 * sums : sums, sums * width);
  add(is_lstm ? 3 : is_gru ? 2 : 1, width);
  return geometry;
}

}  // namespace torchweld
