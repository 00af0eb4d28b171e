#include "tests/kernels/op_table_case.h"

#include <cmath>
#include <map>

#include "kernels/geometry.h"
#include "loader/dtypes.h"

namespace torchweld {
namespace {

// Ordinary values between the ones that break things.
at::Tensor values(int64_t n, at::ScalarType dtype, int seed) {
  static const double kSpecial[] = {
      0.0,    -0.0,  1.0,  -1.0, INFINITY, -INFINITY, NAN,     1e-40, -1e-40, 3e38,
      -3e38,  1e-20, 0.5,  -0.5, 2.0,      20.5,      -20.5,   88.5,  -88.5,  -103.0,
      100.0,  1e5,   -1e6, 1e30, 1e-7,     -1e-7,     0.99999, 3.0,   -3.0,   6.0,
      -0.999, 1e10,  1.5,  2.5,  -2.5,     65504.0,   7.0,     9.0,   0.25,   -87.4};
  static const int64_t kWhole[] = {0, 1, 2, 3, -1, -2, 7, 127, -128, 255, 31, 5, 9, 100, 64, -7};
  at::Tensor t = at::empty({n}, at::kDouble);
  double* p = t.data_ptr<double>();
  uint64_t state = 88172645463325252ull + static_cast<uint64_t>(seed) * 7919;
  for (int64_t i = 0; i < n; ++i) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    const double unit = static_cast<double>(state >> 11) * 0x1p-53;
    const auto at = static_cast<size_t>(i + seed * 13);
    if (!at::isFloatingType(dtype)) {
      p[i] = static_cast<double>(kWhole[at % std::size(kWhole)]);
      if (dtype == at::kByte) p[i] = std::abs(p[i]);
    } else {
      p[i] = state % 3 == 0 ? kSpecial[at % std::size(kSpecial)]
                            : (unit * 2 - 1) * (state % 5 == 0 ? 30 : 3);
    }
  }
  at::Tensor result = t.to(dtype);
  if (dtype == at::kLong) result.mul_(1000003);
  return result;
}

at::Tensor make_tensor(OpLayout layout, int arg, at::ScalarType dtype, int seed) {
  switch (layout) {
    case OpLayout::kFlat:
      return values(101, dtype, seed);
    case OpLayout::kOne:
      return values(1, dtype, seed);
    case OpLayout::kEmpty:
      return values(0, dtype, seed);
    case OpLayout::kTail:
      return values(16 + 3, dtype, seed);
    case OpLayout::kLarge:
      return values(2 * 1024 + 5, dtype, seed);
    case OpLayout::kRows:
      return arg == 0 ? values(5 * 37, dtype, seed).view({5, 37}) : values(37, dtype, seed);
    case OpLayout::kColumn:
      return arg == 0 ? values(5 * 21, dtype, seed).view({5, 21})
                      : values(5, dtype, seed).view({5, 1});
    case OpLayout::kTransposed:
      return arg == 1 ? values(19 * 6, dtype, seed).view({19, 6}).t()
                      : values(6 * 19, dtype, seed).view({6, 19});
    case OpLayout::kStrided:
      return values(2 * 43, dtype, seed).slice(0, 0, 2 * 43, 2);
    default:
      return arg == 0 ? values(33, dtype, seed) : values(3, dtype, seed)[seed % 3];
  }
}

// Arguments that a schema leaves open, chosen so that each op accepts them.
c10::IValue number_for(const std::string& name, int variant, bool whole) {
  static const std::map<std::string, double> kByName = {
      {"scale", 0.1},     {"zero_point", 3}, {"quant_min", 0}, {"quant_max", 255}, {"lambd", 0.5},
      {"threshold", 0.5}, {"min_val", -1},   {"max_val", 1},   {"eps", 0.1}};
  if (const auto it = kByName.find(name); it != kByName.end()) {
    return whole ? c10::IValue(static_cast<int64_t>(it->second)) : c10::IValue(it->second);
  }
  static const double kFloats[] = {2.0, 0.75, -1.5, 0.5};
  static const int64_t kWhole[] = {2, 3, 1, 5};
  if (whole || variant % 2 == 0) return kWhole[variant % 4];
  return kFloats[variant % 4];
}

c10::IValue value_for(const c10::Argument& argument, const OpCase& c, int* tensors) {
  std::string type = argument.type()->str();
  const std::string& name = argument.name();
  const bool optional = type.back() == '?';
  if (optional) type.pop_back();
  if (type == "Tensor") {
    if (optional && c.variant == 1 && name == "max") return c10::IValue();
    if (optional && c.variant == 2 && name == "min") return c10::IValue();
    const int index = (*tensors)++;
    const bool truth = name == "condition" || name == "mask";
    const at::ScalarType dtype = truth ? at::kBool : index == 0 ? c.first : c.others;
    if (name == "value") return values(1, dtype, 1)[0];
    return make_tensor(c.layout, index, dtype, index + 1);
  }
  if (name == "approximate") return c10::IValue(c.variant % 2 == 0 ? "none" : "tanh");
  if (name == "rounding_mode") {
    if (c.variant == 0) return c10::IValue();
    return c10::IValue(c.variant % 2 == 0 ? "floor" : "trunc");
  }
  if (name == "dtype" && c.variant != 3)
    return static_cast<int64_t>(kAten[static_cast<size_t>(c.variant) % 3]);
  if (type == "Scalar" || type == "number" || type == "float" || type == "int") {
    if (optional && name == "max" && c.variant == 1) return c10::IValue();
    if (optional && name == "min" && c.variant == 2) return c10::IValue();
    const bool keep = argument.default_value() && (c.variant == 0 || type == "int");
    if (keep && name != "min" && name != "max") return *argument.default_value();
    return number_for(name, c.variant, type == "int");
  }
  if (argument.default_value()) return *argument.default_value();
  if (type == "Device") return c10::Device(at::kCPU);
  return c10::IValue();
}

OpArg arg_of(const c10::IValue& value) {
  OpArg arg;
  if (value.isDouble()) arg.kind = OpArg::Kind::kScalarFloat, arg.f = value.toDouble();
  if (value.isInt()) arg.kind = OpArg::Kind::kScalarInt, arg.i = value.toInt();
  if (value.isBool()) arg.kind = OpArg::Kind::kScalarBool, arg.i = value.toBool();
  if (value.isString()) arg.kind = OpArg::Kind::kString, arg.s = value.toStringRef();
  return arg;
}

double spacing(double value, at::ScalarType dtype) {
  const int digits = dtype == at::kDouble  ? 52
                     : dtype == at::kFloat ? 23
                     : dtype == at::kHalf  ? 10
                                           : 7;
  const int lowest = dtype == at::kDouble ? -1022 : dtype == at::kHalf ? -14 : -126;
  const int exponent = value == 0 ? lowest : std::max(std::ilogb(value), lowest);
  return std::ldexp(1.0, exponent - digits);
}

// Equal to eager's result, or within the row's tolerance of the reference.
bool agrees(double got, double eager, double reference, at::ScalarType dtype, Tolerance tolerance) {
  if (std::isnan(got)) return std::isnan(eager);
  // Where results are rounded, ATen's own vector and scalar loops disagree on the sign of zero
  // (lerp, softshrink).
  const bool exact = tolerance.ulp == 0 && tolerance.absolute == 0;
  if (got == eager) return !exact || got != 0 || std::signbit(got) == std::signbit(eager);
  // Sleef's fmod gives NaN for quotients that are too large; the exact remainder is no mistake.
  if (std::isnan(eager) && std::isnan(reference)) return false;
  if (std::isinf(reference)) return got == reference;
  if (std::isinf(got)) return std::abs(reference) >= (dtype == at::kHalf ? 65504.0 : 3.38e38);
  double bound = std::max(tolerance.ulp * spacing(reference, dtype), tolerance.absolute);
  if (dtype == at::kDouble)
    bound = std::max((tolerance.ulp + 1) * spacing(reference, dtype), tolerance.absolute * 0x1p-29);
  if (dtype == at::kHalf || dtype == at::kBFloat16) {
    bound = std::max({spacing(reference, dtype), tolerance.absolute});
  }
  // No worse than eager is always enough.
  if (std::isfinite(eager)) bound = std::max(bound, std::abs(eager - reference));
  return std::abs(got - reference) <= bound;
}

}  // namespace

c10::Stack arguments_of(const c10::OperatorHandle& op, const OpCase& c) {
  c10::Stack stack;
  int tensors = 0;
  for (const c10::Argument& argument : op.schema().arguments())
    stack.push_back(value_for(argument, c, &tensors));
  return stack;
}

std::optional<at::Tensor> call(const c10::OperatorHandle& op, c10::Stack stack) {
  for (c10::IValue& value : stack) {
    if (value.isTensor()) value = value.toTensor().clone();
  }
  try {
    op.callBoxed(stack);
  } catch (const std::exception&) {
    return std::nullopt;
  }
  if (stack.size() != 1 || !stack[0].isTensor()) return std::nullopt;
  return stack[0].toTensor();
}

c10::Stack widened(const c10::Stack& stack) {
  c10::Stack wide;
  for (const c10::IValue& value : stack) {
    const bool widen = value.isTensor() && at::isFloatingType(value.toTensor().scalar_type());
    wide.push_back(widen ? c10::IValue(value.toTensor().to(at::kDouble)) : value);
  }
  return wide;
}

std::optional<Built> build(const OpRow& row, const c10::Stack& stack, const at::Tensor& out,
                           Rounding rounding, std::string* why) {
  Built built;
  BodyBuilder body(rounding);
  std::vector<OpArg> args;
  std::vector<std::vector<int64_t>> strides;
  for (const c10::IValue& value : stack) {
    OpArg arg = arg_of(value);
    if (value.isTensor()) {
      const at::Tensor& t = value.toTensor();
      arg.kind = OpArg::Kind::kTensor;
      arg.dtype = dtype_of(t.scalar_type());
      arg.dims = static_cast<int>(t.dim());
      arg.value = body.load(static_cast<int>(built.inputs.size()), arg.dtype);
      built.inputs.push_back(t);
      OperandSpec load;
      load.dtype = arg.dtype;
      built.spec.loads.push_back(load);
      try {
        strides.push_back(t.expand(out.sizes()).strides().vec());
      } catch (const std::exception&) {
        // Only its dtype matters (type_as, to.other).
        strides.push_back(std::vector<int64_t>(static_cast<size_t>(out.dim()), 0));
      }
    }
    args.push_back(arg);
  }
  strides.push_back(out.strides().vec());
  const DType out_dtype = dtype_of(out.scalar_type());
  const std::optional<int16_t> value = emit_op(body, row, args, out_dtype, why);
  if (!value) return std::nullopt;
  const auto layout = coalesce(out.sizes(), strides);
  built.geometry = layout->geometry;
  built.spec.name = std::string(row.name);
  built.spec.rank = layout->rank;
  std::vector<int16_t> roots = {*value};
  built.spec.body = body.finish(&roots);
  for (size_t i = 0; i < built.spec.loads.size(); ++i)
    built.spec.loads[i].strides = layout->classes[i];
  OperandSpec store;
  store.dtype = out_dtype;
  store.strides = layout->classes.back();
  built.spec.stores = {{store, roots[0]}};
  return built;
}

std::string compare(const at::Tensor& got, const at::Tensor& eager, const at::Tensor& reference,
                    Tolerance tolerance, bool to_the_bit) {
  const at::ScalarType dtype = eager.scalar_type();
  if (!at::isFloatingType(dtype)) return at::equal(got, eager) ? "" : "integers differ";
  const at::Tensor g = got.to(at::kDouble).contiguous(), e = eager.to(at::kDouble).contiguous();
  const at::Tensor r = reference.to(at::kDouble).contiguous();
  for (int64_t i = 0; i < g.numel(); ++i) {
    const double a = g.data_ptr<double>()[i], b = e.data_ptr<double>()[i],
                 c = r.data_ptr<double>()[i];
    const bool equal = std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
    if (to_the_bit ? equal : agrees(a, b, c, dtype, tolerance)) continue;
    char text[160];
    std::snprintf(text, sizeof(text), "element %ld: %.9g, eager %.9g, reference %.17g",
                  static_cast<long>(i), a, b, c);
    return text;
  }
  return "";
}

}  // namespace torchweld
