#include "fusion/recurrent_step.h"

#include <utility>

namespace torchweld {

RecurrentState RecurrentSteps::step(ValueId of_x, const RecurrentState& before,
                                    const RecurrentWeights& w, const RecurrentState& out) {
  const ValueId of_h = product(before.h, w.hidden, w.hidden_bias);
  if (gates_ == Gates::kLstm) return lstm(of_x, of_h, before, w, out);
  if (gates_ == Gates::kGru) return {gru(of_x, of_h, before.h, out.h)};
  const ValueId wide_of_h = wide(of_h), both = sum(wide(of_x), wide_of_h, wide_of_h);
  const char* const activation = gates_ == Gates::kTanh ? "aten::tanh" : "aten::relu";
  return {into(out.h, before.h, both, activation, {tensor(both)}).state};
}

ValueId RecurrentSteps::wide(ValueId id) {
  const Value& v = graph_.value(id);
  const DType type = compute_type(v.dtype);
  return !widens_ || v.dtype == type ? id : r_.cast(id, r_.fresh(type, v.sizes));
}

ValueId RecurrentSteps::product(ValueId x, const Arg& weight, const Arg& bias, ValueId out) {
  std::vector<int64_t> sizes = graph_.value(x).sizes;
  sizes.back() = graph_.value(weight.tensor()->id).sizes[0];
  if (out == kNone) out = r_.fresh(graph_.value(x).dtype, std::move(sizes));
  return r_.call("aten::linear", {tensor(x), weight, bias}, out);
}

RecurrentSteps::Made RecurrentSteps::into(ValueId out, ValueId before, ValueId shape,
                                          const char* op, std::vector<Arg> args) {
  const DType type = graph_.value(out == kNone ? before : out).dtype;
  const bool narrows = type != graph_.value(shape).dtype;
  const ValueId wide = out == kNone || narrows ? r_.like(op, std::move(args), shape)
                                               : r_.call(op, std::move(args), out);
  if (!narrows) return {wide, wide};
  return {wide, r_.cast(wide, out == kNone ? r_.fresh(type, graph_.value(shape).sizes) : out)};
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
  const ValueId a = wide(r_.columns(of_x, index * width, width)),
                b = wide(r_.columns(of_h, index * width, width));
  return r_.like(activation, {tensor(sum(a, b, shape))}, shape);
}

/// Gates in ATen's order: input, forget, cell, output.
RecurrentState RecurrentSteps::lstm(ValueId of_x, ValueId of_h, const RecurrentState& before,
                                    const RecurrentWeights& w, const RecurrentState& out) {
  const ValueId c = wide(before.c);
  const ValueId input = gate(of_x, of_h, 0, "aten::sigmoid", c),
                forget = gate(of_x, of_h, 1, "aten::sigmoid", c),
                cell = gate(of_x, of_h, 2, "aten::tanh", c),
                output = gate(of_x, of_h, 3, "aten::sigmoid", c);
  const ValueId kept = times(forget, c), added = times(input, cell);
  const std::vector<Arg> both = {tensor(kept), tensor(added), {int64_t{1}}};
  RecurrentState after;
  ValueId wide_c = kNone;
  if (out.c == kNone) {
    after.c = wide_c = r_.like("aten::add.Tensor", both, c);
  } else {
    const Made made = into(out.c, before.c, c, "aten::add.Tensor", both);
    after.c = made.state;
    wide_c = made.wide;
  }
  const ValueId squashed = r_.like("aten::tanh", {tensor(wide_c)}, c);
  const bool projects = !w.projection.is_none();
  after.h = into(projects ? kNone : out.h, before.h, c, "aten::mul.Tensor",
                 {tensor(output), tensor(squashed)})
                .state;
  if (projects) after.h = product(after.h, w.projection, {}, out.h);
  return after;
}

/// Gates in ATen's order: reset, update, candidate. Reset scales what the state adds to the
/// candidate, bias and all, so that this product is never one with the input's.
ValueId RecurrentSteps::gru(ValueId of_x, ValueId of_h, ValueId before, ValueId out) {
  const int64_t width = graph_.value(before).sizes[1];
  const ValueId h = wide(before);
  const ValueId reset = gate(of_x, of_h, 0, "aten::sigmoid", h),
                update = gate(of_x, of_h, 1, "aten::sigmoid", h);
  const ValueId kept = r_.like(
      "aten::mul.Tensor", {tensor(wide(r_.columns(of_h, 2 * width, width))), tensor(reset)}, h);
  const ValueId candidate =
      r_.like("aten::tanh", {tensor(sum(wide(r_.columns(of_x, 2 * width, width)), kept, h))}, h);
  const ValueId change =
      r_.like("aten::sub.Tensor", {tensor(h), tensor(candidate), {int64_t{1}}}, h);
  return into(out, before, h, "aten::add.Tensor",
              {tensor(times(change, update)), tensor(candidate), {int64_t{1}}})
      .state;
}

}  // namespace torchweld
