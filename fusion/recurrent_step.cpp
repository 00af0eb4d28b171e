#include "fusion/recurrent_step.h"

#include <utility>

namespace torchweld {

RecurrentState RecurrentSteps::step(ValueId of_x, const RecurrentState& before,
                                    const RecurrentWeights& w, const RecurrentState& out) {
  const ValueId of_h = product(before.h, w.hidden, w.hidden_bias);
  if (gates_ == Gates::kLstm) return lstm(of_x, of_h, before, w, out);
  if (gates_ == Gates::kGru) return {gru(of_x, of_h, before.h, out.h)};
  return {into(out.h, before.h, gates_ == Gates::kTanh ? "aten::tanh" : "aten::relu",
               {tensor(sum(of_x, of_h, before.h))})};
}

ValueId RecurrentSteps::product(ValueId x, const Arg& weight, const Arg& bias, ValueId out) {
  std::vector<int64_t> sizes = graph_.value(x).sizes;
  sizes.back() = graph_.value(weight.tensor()->id).sizes[0];
  if (out == kNone) out = r_.fresh(graph_.value(x).dtype, std::move(sizes));
  return r_.call("aten::linear", {tensor(x), weight, bias}, out);
}

ValueId RecurrentSteps::into(ValueId out, ValueId shape, const char* op, std::vector<Arg> args) {
  return out == kNone ? r_.like(op, std::move(args), shape) : r_.call(op, std::move(args), out);
}

ValueId RecurrentSteps::sum(ValueId a, ValueId b, ValueId shape) {
  return r_.like("aten::add.Tensor", {tensor(a), tensor(b), {int64_t{1}}}, shape);
}

ValueId RecurrentSteps::times(ValueId a, ValueId b) {
  return r_.like("aten::mul.Tensor", {tensor(a), tensor(b)}, a);
}

ValueId RecurrentSteps::gate(ValueId of_x, ValueId of_h, int64_t index, const char* activation,
                             ValueId shape) {
  const int64_t width = graph_.value(shape).sizes[1];
  const ValueId a = r_.columns(of_x, index * width, width),
                b = r_.columns(of_h, index * width, width);
  return r_.like(activation, {tensor(sum(a, b, shape))}, shape);
}

/// Gates in ATen's order: input, forget, cell, output.
RecurrentState RecurrentSteps::lstm(ValueId of_x, ValueId of_h, const RecurrentState& before,
                                    const RecurrentWeights& w, const RecurrentState& out) {
  const ValueId input = gate(of_x, of_h, 0, "aten::sigmoid", before.c),
                forget = gate(of_x, of_h, 1, "aten::sigmoid", before.c),
                cell = gate(of_x, of_h, 2, "aten::tanh", before.c),
                output = gate(of_x, of_h, 3, "aten::sigmoid", before.c);
  const ValueId kept = times(forget, before.c), added = times(input, cell);
  RecurrentState after;
  after.c = into(out.c, before.c, "aten::add.Tensor", {tensor(kept), tensor(added), {int64_t{1}}});
  const ValueId squashed = r_.like("aten::tanh", {tensor(after.c)}, before.c);
  const bool projects = !w.projection.is_none();
  after.h = into(projects ? kNone : out.h, before.c, "aten::mul.Tensor",
                 {tensor(output), tensor(squashed)});
  if (projects) after.h = product(after.h, w.projection, {}, out.h);
  return after;
}

/// Gates in ATen's order: reset, update, candidate. Reset scales what the state adds to the
/// candidate, bias and all, so that this product is never one with the input's.
ValueId RecurrentSteps::gru(ValueId of_x, ValueId of_h, ValueId h, ValueId out) {
  const int64_t width = graph_.value(h).sizes[1];
  const ValueId reset = gate(of_x, of_h, 0, "aten::sigmoid", h),
                update = gate(of_x, of_h, 1, "aten::sigmoid", h);
  const ValueId kept =
      r_.like("aten::mul.Tensor", {tensor(r_.columns(of_h, 2 * width, width)), tensor(reset)}, h);
  const ValueId candidate =
      r_.like("aten::tanh", {tensor(sum(r_.columns(of_x, 2 * width, width), kept, h))}, h);
  const ValueId change =
      r_.like("aten::sub.Tensor", {tensor(h), tensor(candidate), {int64_t{1}}}, h);
  return into(out, h, "aten::add.Tensor",
              {tensor(times(change, update)), tensor(candidate), {int64_t{1}}});
}

}  // namespace torchweld
