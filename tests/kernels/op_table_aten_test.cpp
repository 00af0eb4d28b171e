// Every row of the op table against ATen, schema by schema: dtypes, layouts and special values, on
// AVX2 and AVX-512. The arguments come from ATen's schemas, so a new row is tested without a line
// here.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>

#include <set>

#include "kernels/x86/backend.h"
#include "loader/dtypes.h"
#include "tests/kernels/op_table_case.h"

namespace torchweld {
namespace {

// Where ATen rounds correctly, exact rounding gives its bits. Not the square root, of which MKL
// rounds one in 150 the other way, and not alpha * other of halves, which some of ATen's loops
// round.
bool is_correctly_rounded(const OpRow& row, const OpCase& c) {
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
          run_layouts(row, *op, {first, others, OpLayout::kFlat, variant});
        }
      }
    }
  }

  void run_layouts(const OpRow& row, const c10::OperatorHandle& op, OpCase c) {
    for (int layout = 0; layout < static_cast<int>(OpLayout::kCount); ++layout) {
      if (c.first != c.others && layout != 0 && layout != static_cast<int>(OpLayout::kZeroDim))
        continue;
      if (c.variant > 0 && layout > 1) continue;
      c.layout = static_cast<OpLayout>(layout);
      run_case(row, op, c);
    }
  }

  void run_case(const OpRow& row, const c10::OperatorHandle& op, const OpCase& c) {
    const c10::Stack stack = arguments_of(op, c);
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

// An operator in place becomes one with the same arguments.
TEST(OpTable, KnowsOperatorsInPlaceByTheirOwnOverloads) {
  c10::Dispatcher& dispatcher = c10::Dispatcher::singleton();
  int known = 0;
  for (const c10::OperatorName& name : dispatcher.getAllOpNames()) {
    const std::string schema =
        name.name + (name.overload_name.empty() ? "" : "." + name.overload_name);
    const std::string functional = functional_name(schema);
    if (functional == schema || find_op(schema) == nullptr) continue;
    ++known;
    const size_t dot = functional.find('.');
    const auto op = dispatcher.findSchema(
        {functional.substr(0, dot), dot == std::string::npos ? "" : functional.substr(dot + 1)});
    ASSERT_TRUE(op) << functional;
    const auto& want = dispatcher.findSchema(name)->schema().arguments();
    const auto& got = op->schema().arguments();
    ASSERT_GE(got.size(), want.size()) << functional;
    for (size_t i = 0; i < want.size(); ++i)
      EXPECT_EQ(*got[i].type(), *want[i].type()) << functional << " argument " << i;
  }
  EXPECT_GT(known, 100);
}

}  // namespace
}  // namespace torchweld
