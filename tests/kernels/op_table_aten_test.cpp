// Every row of the op table against ATen, schema by schema: dtypes, layouts and special values, on
// AVX2 and AVX-512. The arguments come from ATen's schemas, so a new row is tested without a line
// here.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "kernels/geometry.h"
#include "kernels/op_table.h"
#include "kernels/x86/backend.h"
#include "loader/dtypes.h"

namespace torchweld {
namespace {

constexpr at::ScalarType kAten[] = {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kLong,
                                    at::kInt,   at::kShort,  at::kChar, at::kByte,     at::kBool};

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

// Layouts of the tensor arguments; `arg` counts them.
enum class Layout {
  kFlat,
  kOne,
  kEmpty,
  kTail,
  kRows,
  kColumn,
  kTransposed,
  kStrided,
  kZeroDim,
  kCount
};

at::Tensor make_tensor(Layout layout, int arg, at::ScalarType dtype, int seed) {
  switch (layout) {
    case Layout::kFlat:
      return values(101, dtype, seed);
    case Layout::kOne:
      return values(1, dtype, seed);
    case Layout::kEmpty:
      return values(0, dtype, seed);
    case Layout::kTail:
      return values(16 + 3, dtype, seed);
    case Layout::kRows:
      return arg == 0 ? values(5 * 37, dtype, seed).view({5, 37}) : values(37, dtype, seed);
    case Layout::kColumn:
      return arg == 0 ? values(5 * 21, dtype, seed).view({5, 21})
                      : values(5, dtype, seed).view({5, 1});
    case Layout::kTransposed:
      return arg == 1 ? values(19 * 6, dtype, seed).view({19, 6}).t()
                      : values(6 * 19, dtype, seed).view({6, 19});
    case Layout::kStrided:
      return values(2 * 43, dtype, seed).slice(0, 0, 2 * 43, 2);
    default:
      return arg == 0 ? values(33, dtype, seed) : values(3, dtype, seed)[seed % 3];
  }
}

struct Case {
  at::ScalarType first = at::kFloat, others = at::kFloat;
  Layout layout = Layout::kFlat;
  int variant = 0;
};

constexpr int kVariants = 4;

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

c10::IValue value_for(const c10::Argument& argument, const Case& c, int* tensors) {
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

// On copies: some schemas write to their first argument.
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

// The same call on float64, as the reference of the floating results.
c10::Stack widened(const c10::Stack& stack) {
  c10::Stack wide;
  for (const c10::IValue& value : stack) {
    const bool widen = value.isTensor() && at::isFloatingType(value.toTensor().scalar_type());
    wide.push_back(widen ? c10::IValue(value.toTensor().to(at::kDouble)) : value);
  }
  return wide;
}

struct Built {
  KernelSpec spec;
  Geometry geometry;
  std::vector<at::Tensor> inputs;
};

OpArg arg_of(const c10::IValue& value) {
  OpArg arg;
  if (value.isDouble()) arg.kind = OpArg::Kind::kScalarFloat, arg.f = value.toDouble();
  if (value.isInt()) arg.kind = OpArg::Kind::kScalarInt, arg.i = value.toInt();
  if (value.isBool()) arg.kind = OpArg::Kind::kScalarBool, arg.i = value.toBool();
  if (value.isString()) arg.kind = OpArg::Kind::kString, arg.s = value.toStringRef();
  return arg;
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

// Where ATen rounds correctly, exact rounding gives its bits. Not the square root, of which MKL
// rounds one in 150 the other way, and not alpha * other of halves, which some of ATen's loops
// round.
bool is_correctly_rounded(const OpRow& row, const Case& c) {
  static const std::set<std::string_view> kAlpha = {"add", "sub", "rsub"};
  static const std::set<std::string_view> kPlain = {"mul", "div", "reciprocal",
                                                    "neg", "abs", "relu"};
  return kPlain.contains(row.name) || (kAlpha.contains(row.name) && c.variant == 0);
}

class OpTableAten : public testing::TestWithParam<int> {
 protected:
  void run_schema(const OpRow& row, const std::string& schema) {
    const size_t dot = schema.find('.');
    const std::string base = "aten::" + schema.substr(0, dot);
    const std::string overload = dot == std::string::npos ? "" : schema.substr(dot + 1);
    const auto op = c10::Dispatcher::singleton().findSchema({base, overload});
    // These are registered with the interpreter, not with the dispatcher.
    if (schema.starts_with("to.prim_")) return;
    ASSERT_TRUE(op.has_value()) << schema << " is not an operator of this LibTorch";
    for (const at::ScalarType first : kAten) {
      for (const at::ScalarType others : std::set<at::ScalarType>{first, at::kFloat, at::kLong}) {
        for (int variant = 0; variant < kVariants; ++variant) {
          run_layouts(row, *op, {first, others, Layout::kFlat, variant});
        }
      }
    }
  }

  void run_layouts(const OpRow& row, const c10::OperatorHandle& op, Case c) {
    for (int layout = 0; layout < static_cast<int>(Layout::kCount); ++layout) {
      if (c.first != c.others && layout != 0 && layout != static_cast<int>(Layout::kZeroDim))
        continue;
      if (c.variant > 0 && layout > 1) continue;
      c.layout = static_cast<Layout>(layout);
      run_case(row, op, c);
    }
  }

  void run_case(const OpRow& row, const c10::OperatorHandle& op, const Case& c) {
    c10::Stack stack;
    int tensors = 0;
    for (const c10::Argument& argument : op.schema().arguments())
      stack.push_back(value_for(argument, c, &tensors));
    const auto result = call(op, stack);
    if (!result || dtype_of(result->scalar_type()) == DType::kOther) return;
    const at::Tensor eager = result->clone();
    const auto wide = call(op, widened(stack));
    const at::Tensor reference = wide && at::isFloatingType(eager.scalar_type()) ? *wide : eager;
    for (const Rounding rounding : {Rounding::kDefault, Rounding::kExact}) {
      std::string why;
      const auto built = build(row, stack, eager, rounding, &why);
      if (!built) return;
      const bool exact = rounding == Rounding::kExact;
      for (const auto& backend : backends_) {
        const at::Tensor got = launched(*built, *backend, eager);
        const bool to_the_bit = exact && is_correctly_rounded(row, c);
        const std::string difference = compare(got, eager, reference, row.tolerance, to_the_bit);
        if (difference.empty()) continue;
        // One report a cause is enough.
        const std::string cause = std::string(row.name) + at::toString(c.first) +
                                  at::toString(c.others) + (exact ? " exact" : "");
        if (!reported_.insert(cause).second) continue;
        ADD_FAILURE() << row.name << " (" << op.operator_name() << ") " << at::toString(c.first)
                      << "/" << at::toString(c.others) << " layout " << static_cast<int>(c.layout)
                      << " variant " << c.variant << (exact ? " exact" : "") << " on "
                      << backend->description() << ": " << difference;
      }
    }
  }

  at::Tensor launched(const Built& built, Backend& backend, const at::Tensor& like) {
    std::string why;
    const auto kernel = backend.compile(built.spec, built.geometry, &why);
    at::Tensor got = at::zeros_like(like);
    EXPECT_NE(kernel, nullptr) << why;
    if (kernel == nullptr) return got;
    std::vector<void*> pointers;
    for (const at::Tensor& input : built.inputs) pointers.push_back(input.data_ptr());
    pointers.push_back(got.data_ptr());
    kernel->launch(built.geometry, pointers.data(), {});
    ++runs_;
    return got;
  }

  std::vector<std::shared_ptr<Backend>> backends_ = [] {
    std::vector<std::shared_ptr<Backend>> all;
    for (const x86::Isa isa : {x86::Isa::kAvx2, x86::Isa::kAvx512}) {
      if (auto backend = x86::make_backend(isa)) all.push_back(std::move(backend));
    }
    return all;
  }();
  int64_t runs_ = 0;
  std::set<std::string> reported_;
};

TEST_P(OpTableAten, Matches) {
  if (backends_.empty()) GTEST_SKIP() << "no AVX2";
  const OpRow& row = all_ops()[static_cast<size_t>(GetParam())];
  for (std::string_view rest = row.schemas; !rest.empty();) {
    const size_t blank = rest.find(' ');
    run_schema(row, std::string(rest.substr(0, blank)));
    rest = blank == std::string_view::npos ? std::string_view() : rest.substr(blank + 1);
  }
  EXPECT_GT(runs_, 0) << row.name << " was never run";
  RecordProperty("runs", std::to_string(runs_));
}

INSTANTIATE_TEST_SUITE_P(Rows, OpTableAten, testing::Range(0, static_cast<int>(all_ops().size())),
                         [](const auto& param) {
                           return std::string(all_ops()[static_cast<size_t>(param.param)].name);
                         });

}  // namespace
}  // namespace torchweld
