// The x86 back end against the scalar reference: bodies of many ops, guarded memory, threads,
// accuracy.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <thread>

#include "kernels/body_builder.h"
#include "kernels/geometry.h"
#include "kernels/op_table.h"
#include "kernels/reference.h"
#include "tests/kernels/guarded.h"
#include "tests/kernels/x86_backends.h"

namespace torchweld {
namespace {

using testing::Guarded;

// One store that copies one load.
KernelSpec copy_spec(DType dtype, StrideClass in, StrideClass out) {
  KernelSpec spec;
  spec.name = "copy";
  BodyBuilder body;
  std::vector<int16_t> roots = {body.load(0, dtype)};
  spec.body = body.finish(&roots);
  spec.loads = {operand(dtype, in)};
  spec.stores = {{operand(dtype, out), roots[0]}};
  return spec;
}

// A kernel that is compiled for no geometry serves every one; null is a failure that names its
// reason.
std::shared_ptr<const Kernel> compile(Backend& backend, const KernelSpec& spec,
                                      const Geometry& geometry = {}) {
  std::string why;
  auto kernel = backend.compile(spec, geometry, &why);
  EXPECT_NE(kernel, nullptr) << why;
  return kernel;
}

TEST(X86Backend, StaysInsideItsOperands) {
  for (const auto& backend : backends()) {
    for (const DType dtype : {DType::kF32, DType::kF64, DType::kBF16, DType::kF16, DType::kU8,
                              DType::kBool, DType::kI16}) {
      const auto bytes = static_cast<size_t>(size_of(dtype));
      for (const int64_t stride : {1, 0, 3}) {
        for (int64_t n = 1; n < 70; n += n < 20 ? 1 : 7) {
          const StrideClass in = stride == 0   ? StrideClass::kZero
                                 : stride == 1 ? StrideClass::kOne
                                               : StrideClass::kAny;
          std::string why;
          const auto kernel = compile(*backend, copy_spec(dtype, in, StrideClass::kOne));
          ASSERT_NE(kernel, nullptr) << why;
          const Guarded from(bytes * static_cast<size_t>((n - 1) * stride + 1)),
              to(bytes * static_cast<size_t>(n));
          std::memset(from.data(), 1, bytes * static_cast<size_t>((n - 1) * stride + 1));
          Geometry geometry{{n}, {{stride}, {1}}, n};
          void* pointers[] = {from.data(), to.data()};
          kernel->launch(geometry, pointers, {});
          for (int64_t i = 0; i < n; ++i) {
            ASSERT_EQ(std::memcmp(to.data() + static_cast<size_t>(i) * bytes, from.data(), bytes),
                      0);
          }
        }
      }
    }
  }
}

TEST(X86Backend, WritesStridedOutputsOnly) {
  for (const auto& backend : backends()) {
    std::string why;
    const auto kernel =
        compile(*backend, copy_spec(DType::kF32, StrideClass::kOne, StrideClass::kAny));
    ASSERT_NE(kernel, nullptr) << why;
    std::vector<float> from(37), to(37 * 2, -1);
    for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
    void* pointers[] = {from.data(), to.data()};
    kernel->launch(Geometry{{37}, {{1}, {2}}, 37}, pointers, {});
    for (size_t i = 0; i < from.size(); ++i) {
      EXPECT_EQ(to[2 * i], from[i]);
      EXPECT_EQ(to[2 * i + 1], -1);
    }
  }
}

TEST(X86Backend, OuterDimsAndThreadsGiveTheSame) {
  const std::vector<int64_t> domain = {3, 40, 2, 211, 9};
  const std::vector<std::vector<int64_t>> strides = {
      {40 * 2 * 211 * 9, 2 * 211 * 9, 211 * 9, 9, 1},
      {0, 9, 360, 0, 1},
      {40 * 2 * 211 * 9, 2 * 211 * 9, 211 * 9, 9, 1}};
  const auto layout = coalesce(domain, strides);
  ASSERT_TRUE(layout);
  KernelSpec spec;
  spec.name = "add";
  BodyBuilder body;
  std::vector<int16_t> roots = {
      body.emit(Prim::kAdd, DType::kF32, body.load(0, DType::kF32), body.load(1, DType::kF32))};
  spec.body = body.finish(&roots);
  spec.rank = layout->rank;
  spec.loads = {{DType::kF32, layout->classes[0]}, {DType::kF32, layout->classes[1]}};
  spec.stores = {{{DType::kF32, layout->classes[2]}, roots[0]}};
  const auto n = static_cast<size_t>(layout->geometry.elements);
  std::vector<float> a(n), b(720), want(n), got(n);
  for (size_t i = 0; i < n; ++i) a[i] = static_cast<float>(i % 1001);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i);
  std::string why;
  void* reference[] = {a.data(), b.data(), want.data()};
  ReferenceBackend().compile(spec, layout->geometry, &why)->launch(layout->geometry, reference, {});
  const ParallelFor pieces = [](int64_t count, int64_t grain, const auto& run) {
    for (int64_t i = 0; i < count; i += grain) run(i, std::min(count, i + grain));
  };
  for (const auto& backend : backends()) {
    for (const ParallelFor& parallel : {ParallelFor(), pieces}) {
      std::fill(got.begin(), got.end(), -1.0f);
      void* pointers[] = {a.data(), b.data(), got.data()};
      backend->compile(spec, layout->geometry, &why)
          ->launch(layout->geometry, pointers, {parallel});
      EXPECT_EQ(got, want) << backend->description();
    }
  }
}

// Past the last-level cache stores go around it; the values must be the same, up to the last piece.
TEST(X86Backend, StreamedStoresAreComplete) {
  const int64_t n = (int64_t{9} << 20) + 5;
  std::vector<float> from(static_cast<size_t>(n));
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i % 4093);
  const Guarded memory(static_cast<size_t>(n) * 4 + 64);
  auto* to = reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64);
  for (const auto& backend : backends()) {
    std::string why;
    std::memset(static_cast<void*>(to), 0, static_cast<size_t>(n) * 4);
    void* pointers[] = {from.data(), to};
    const auto kernel =
        compile(*backend, copy_spec(DType::kF32, StrideClass::kOne, StrideClass::kOne));
    kernel->launch(Geometry{{n}, {{1}, {1}}, n}, pointers, {});
    EXPECT_EQ(std::memcmp(to, from.data(), static_cast<size_t>(n) * 4), 0)
        << backend->description();
  }
}

TEST(X86Backend, SharesKernelsOverRanksAndThreads) {
  for (const auto& backend : backends()) {
    std::string why;
    const KernelSpec flat = copy_spec(DType::kF32, StrideClass::kOne, StrideClass::kOne);
    KernelSpec deep = flat;
    deep.rank = 2;
    for (OperandSpec* o : {&deep.loads[0], &deep.stores[0].operand})
      o->strides = {StrideClass::kAny, StrideClass::kOne};
    const auto first = compile(*backend, flat);
    EXPECT_EQ(first, compile(*backend, deep));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        std::string reason;
        EXPECT_NE(compile(*backend, copy_spec(DType::kI64, StrideClass::kOne, StrideClass::kOne)),
                  nullptr);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

// A product by a power of two and the sum after it may be one instruction, so long as the bits are
// those of two: over all exponents, where the product overflows or underflows too, and zeros.
TEST(X86Backend, ScaledSumsAreRoundedAsTwoOperations) {
  std::vector<float> x = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, -0.5f, 0.5f, 2.0f, -2.0f};
  for (uint32_t bits = 0; bits < 0x7f800000u; bits += 99991) {
    x.push_back(std::bit_cast<float>(bits));
    x.push_back(std::bit_cast<float>(bits | 0x80000000u));
  }
  const auto n = static_cast<int64_t>(x.size());
  for (const double factor : {2.0, 0.5, -4.0, 0x1p-63, 0x1p63, 3.0}) {
    for (const double addend : {1.0, -0.25, 0.3, 0x1p-64, 0x1p64, 0.0, 1e-30, -0x1p127}) {
      for (int form = 0; form < 3; ++form) {
        BodyBuilder body;
        const int16_t product = body.emit(Prim::kMul, DType::kF32, body.load(0, DType::kF32),
                                          body.constant(DType::kF32, factor));
        const int16_t c = body.constant(DType::kF32, addend);
        std::vector<int16_t> roots = {body.emit(form == 0 ? Prim::kAdd : Prim::kSub, DType::kF32,
                                                form == 2 ? c : product, form == 2 ? product : c)};
        KernelSpec spec = copy_spec(DType::kF32, StrideClass::kOne, StrideClass::kOne);
        spec.body = body.finish(&roots);
        spec.stores[0].value = roots[0];
        for (const auto& backend : backends()) {
          std::vector<float> y(x.size());
          void* pointers[] = {x.data(), y.data()};
          compile(*backend, spec)->launch(Geometry{{n}, {{1}, {1}}, n}, pointers, {});
          for (size_t i = 0; i < x.size(); ++i) {
            const volatile float p = x[i] * static_cast<float>(factor);
            const auto a = static_cast<float>(addend);
            const float want = form == 0 ? p + a : form == 1 ? p - a : a - p;
            ASSERT_TRUE(std::isnan(want)
                            ? std::isnan(y[i])
                            : std::bit_cast<uint32_t>(want) == std::bit_cast<uint32_t>(y[i]))
                << x[i] << " * " << factor << ", " << addend << ", form " << form << ": " << y[i]
                << " for " << want;
          }
        }
      }
    }
  }
}

// Where a kernel has more sums than products, some sums may go as products by one; the bits are the
// sums', of zeros of either sign and at the ends of the exponents too.
TEST(X86Backend, ManySumsAreRoundedAsSums) {
  std::vector<float> x = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, -0.5f, 0.5f, 2.0f, -2.0f};
  for (uint32_t bits = 0; bits < 0x7f800000u; bits += 99991) {
    x.push_back(std::bit_cast<float>(bits));
    x.push_back(std::bit_cast<float>(bits | 0x80000000u));
  }
  std::vector<float> y(x.rbegin(), x.rend());
  const auto n = static_cast<int64_t>(x.size());
  BodyBuilder body;
  const int16_t a = body.load(0, DType::kF32), b = body.load(1, DType::kF32);
  const int16_t c = body.constant(DType::kF32, 0.3), zero = body.constant(DType::kF32, -0.0);
  const auto emit = [&](Prim prim, int16_t left, int16_t right) {
    return body.emit(prim, DType::kF32, left, right);
  };
  std::vector<int16_t> roots = {
      emit(Prim::kAdd, a, b), emit(Prim::kSub, emit(Prim::kMax, a, zero), b),
      emit(Prim::kSub, c, emit(Prim::kAdd, b, zero)), emit(Prim::kAdd, emit(Prim::kSub, a, c), a)};
  KernelSpec spec = copy_spec(DType::kF32, StrideClass::kOne, StrideClass::kOne);
  spec.body = body.finish(&roots);
  spec.loads.push_back(spec.loads[0]);
  spec.stores.clear();
  for (const int16_t root : roots)
    spec.stores.push_back({operand(DType::kF32, StrideClass::kOne), root});
  const float third = 0.3f;
  for (const auto& backend : backends()) {
    std::vector<std::vector<float>> out(roots.size(), std::vector<float>(x.size()));
    std::vector<void*> pointers = {x.data(), y.data()};
    for (std::vector<float>& values : out) pointers.push_back(values.data());
    Geometry geometry{{n}, std::vector<std::vector<int64_t>>(pointers.size(), {1}), n};
    compile(*backend, spec)->launch(geometry, pointers.data(), {});
    for (size_t i = 0; i < x.size(); ++i) {
      const volatile float positive = std::isnan(x[i]) ? x[i] : std::max(x[i], -0.0f);
      const volatile float sum = y[i] + -0.0f, difference = x[i] - third;
      const float want[] = {x[i] + y[i], positive - y[i], third - sum, difference + x[i]};
      for (size_t k = 0; k < roots.size(); ++k) {
        ASSERT_TRUE(std::isnan(want[k])
                        ? std::isnan(out[k][i])
                        : std::bit_cast<uint32_t>(want[k]) == std::bit_cast<uint32_t>(out[k][i]))
            << x[i] << ", " << y[i] << ", result " << k << ": " << out[k][i] << " for " << want[k];
      }
    }
  }
}

struct Function {
  Prim prim;
  double (*exact)(double);
};

// All exponents and signs with many mantissas, against libm in double.
TEST(X86Backend, MathIsAccurateEverywhere) {
  const Function functions[] = {{Prim::kExp, [](double x) { return std::exp(x); }},
                                {Prim::kExpm1, [](double x) { return std::expm1(x); }},
                                {Prim::kLog, [](double x) { return std::log(x); }},
                                {Prim::kLog1p, [](double x) { return std::log1p(x); }},
                                {Prim::kTanh, [](double x) { return std::tanh(x); }},
                                {Prim::kErf, [](double x) { return std::erf(x); }},
                                {Prim::kErfc, [](double x) { return std::erfc(x); }},
                                {Prim::kSin, [](double x) { return std::sin(x); }},
                                {Prim::kCos, [](double x) { return std::cos(x); }},
                                {Prim::kAtan, [](double x) { return std::atan(x); }}};
  std::vector<float> x;
  for (uint32_t bits = 0; bits < 0x7f800000u; bits += 9973) {
    x.push_back(std::bit_cast<float>(bits));
    x.push_back(std::bit_cast<float>(bits | 0x80000000u));
  }
  const auto n = static_cast<int64_t>(x.size());
  for (const auto& backend : backends()) {
    for (const Function& f : functions) {
      KernelSpec spec = copy_spec(DType::kF32, StrideClass::kOne, StrideClass::kOne);
      BodyBuilder body;
      std::vector<int16_t> roots = {body.emit(f.prim, DType::kF32, body.load(0, DType::kF32))};
      spec.body = body.finish(&roots);
      spec.stores[0].value = roots[0];
      std::string why;
      std::vector<float> y(x.size());
      void* pointers[] = {x.data(), y.data()};
      compile(*backend, spec)->launch(Geometry{{n}, {{1}, {1}}, n}, pointers, {});
      double worst = 0;
      float at = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double exact = f.exact(x[i]);
        const auto rounded = static_cast<float>(exact);
        if (std::isnan(rounded) || std::isinf(rounded)) {
          ASSERT_EQ(std::isnan(rounded), std::isnan(y[i]))
              << name_of(f.prim) << " at " << x[i] << ": " << y[i];
          ASSERT_TRUE(std::isnan(rounded) || rounded == y[i])
              << name_of(f.prim) << " at " << x[i] << ": " << y[i];
          continue;
        }
        if (rounded == 0) {
          ASSERT_EQ(std::signbit(rounded), std::signbit(y[i]))
              << name_of(f.prim) << " at " << x[i] << ": " << y[i];
        }
        const int exponent = exact == 0 ? -126 : std::max(std::ilogb(exact), -126);
        const double error = std::abs(y[i] - exact) / std::ldexp(1.0, exponent - 23);
        if (!(error <= worst)) worst = error, at = x[i];
      }
      const OpRow* row = find_op("aten::" + std::string(name_of(f.prim)));
      ASSERT_NE(row, nullptr);
      EXPECT_LE(worst, row->tolerance.ulp)
          << name_of(f.prim) << " on " << backend->description() << " at " << at;
      const bool wide = backend->description().find("512") != std::string::npos;
      RecordProperty(std::string(name_of(f.prim)) + (wide ? "_avx512" : "_avx2"),
                     std::to_string(worst));
    }
  }
}

}  // namespace
}  // namespace torchweld
