// The x86 back end's functions of f64 against libm's of long double, which has 11 bits more.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/body_builder.h"
#include "kernels/op_table.h"
#include "tests/kernels/x86_backends.h"

namespace torchweld {
namespace {

struct Function {
  Prim prim;
  long double (*exact)(long double);
};

constexpr Function kFunctions[] = {{Prim::kExp, [](long double x) { return std::exp(x); }},
                                   {Prim::kExpm1, [](long double x) { return std::expm1(x); }},
                                   {Prim::kLog, [](long double x) { return std::log(x); }},
                                   {Prim::kLog1p, [](long double x) { return std::log1p(x); }},
                                   {Prim::kTanh, [](long double x) { return std::tanh(x); }},
                                   {Prim::kErf, [](long double x) { return std::erf(x); }},
                                   {Prim::kErfc, [](long double x) { return std::erfc(x); }},
                                   {Prim::kSin, [](long double x) { return std::sin(x); }},
                                   {Prim::kCos, [](long double x) { return std::cos(x); }},
                                   {Prim::kAtan, [](long double x) { return std::atan(x); }}};

// All exponents and signs with many mantissas, where functions are steep or change their form, what
// is beside limits, and the doubles closest to multiples of pi / 2, whose sines and cosines are
// what reductions lose first.
std::vector<double> everywhere() {
  std::vector<double> x = {NAN, -NAN};
  const auto both = [&](double value) {
    x.push_back(value);
    x.push_back(-value);
  };
  constexpr uint64_t kInfinity = std::bit_cast<uint64_t>(HUGE_VAL);
  for (uint64_t bits = 0; bits <= kInfinity; bits += 46116860184273)
    both(std::bit_cast<double>(bits));
  for (int i = 0; i < 120000; ++i) both(i * 0.00033333331);
  for (int i = 0; i < 50000; ++i) both(0.5 + i * 0.0000213);
  for (int i = 0; i < 20000; ++i) both(690 + i * 0.0031);
  for (const double edge : {0.0,
                            0x1p-1022,
                            0x1p-1074,
                            0x1p-54,
                            0.34657359027997264,
                            0.625,
                            0.70710678118654757,
                            1.0,
                            1.4142135623730951,
                            6.0,
                            8.0,
                            22.0,
                            26.5433,
                            28.0,
                            37.43,
                            709.78271289338397,
                            745.13321910194122,
                            708.39641853226408,
                            0x1p30,
                            0x1p52,
                            0x1p53,
                            HUGE_VAL}) {
    double below = edge, above = edge;
    for (int i = 0; i < 40; ++i) {
      both(below);
      both(above);
      below = std::nextafter(below, 0);
      above = std::nextafter(above, HUGE_VAL);
    }
  }
  constexpr double kHalfPi = 1.57079632679489661923;
  for (double n = 1; n < 0x1p60; n = n < 20000 ? n + 1 : std::floor(n * 1.0007)) both(n * kHalfPi);
  return x;
}

KernelSpec spec_of(Prim prim) {
  KernelSpec spec;
  spec.name = std::string(name_of(prim));
  BodyBuilder body;
  std::vector<int16_t> roots = {body.emit(prim, DType::kF64, body.load(0, DType::kF64))};
  spec.body = body.finish(&roots);
  spec.loads = {operand(DType::kF64, StrideClass::kOne)};
  spec.stores = {{operand(DType::kF64, StrideClass::kOne), roots[0]}};
  return spec;
}

std::vector<double> run(Backend& backend, const KernelSpec& spec, std::vector<double> x) {
  const auto n = static_cast<int64_t>(x.size());
  const Geometry geometry{{n}, {{1}, {1}}, n};
  std::vector<double> y(x.size());
  std::string why;
  const auto kernel = backend.compile(spec, geometry, &why);
  EXPECT_NE(kernel, nullptr) << why;
  void* pointers[] = {x.data(), y.data()};
  if (kernel != nullptr) kernel->launch(geometry, pointers, {});
  return y;
}

/// Distance in last bits, infinite where one is no number or another zero.
double error_of(double got, long double exact) {
  const auto rounded = static_cast<double>(exact);
  if (std::isnan(rounded)) return std::isnan(got) ? 0 : HUGE_VAL;
  if (std::isinf(rounded)) return got == rounded ? 0 : HUGE_VAL;
  if (rounded == 0 && std::signbit(got) != std::signbit(rounded)) return HUGE_VAL;
  const int exponent = exact == 0 ? -1022 : std::max(std::ilogb(exact), -1022);
  const double error = static_cast<double>(std::abs(got - exact) / std::ldexp(1.0L, exponent - 52));
  return std::isnan(error) ? HUGE_VAL : error;
}

TEST(X86Math64, FunctionsAreAccurateEverywhere) {
  const std::vector<double> x = everywhere();
  for (const Function& f : kFunctions) {
    const OpRow* row = find_op("aten::" + std::string(name_of(f.prim)));
    ASSERT_NE(row, nullptr);
    std::vector<long double> exact;
    for (const double value : x) exact.push_back(f.exact(value));
    for (const auto& backend : backends()) {
      const std::vector<double> y = run(*backend, spec_of(f.prim), x);
      double worst = 0, at = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double error = error_of(y[i], exact[i]);
        if (error > worst) worst = error, at = x[i];
      }
      EXPECT_LE(worst, row->tolerance.ulp)
          << name_of(f.prim) << " on " << backend->description() << " at " << at;
      const bool wide = backend->description().find("512") != std::string::npos;
      RecordProperty(std::string(name_of(f.prim)) + (wide ? "_avx512" : "_avx2"),
                     std::to_string(worst) + " at " + std::to_string(at));
    }
  }
}

}  // namespace
}  // namespace torchweld
