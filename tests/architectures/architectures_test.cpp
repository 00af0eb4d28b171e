// Every kernel of the suite compiles for the architectures of data centres, without a warning or a
// spill: a few thousand, three times.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/architectures/assembly.h"
#include "tests/architectures/sources.h"

namespace torchweld::testing {
namespace {

const std::vector<cuda::Source>& every_kernel() {
  static const std::vector<cuda::Source> all = [] {
    std::vector<cuda::Source> sources = sources_of_tables();
    const size_t of_tables = sources.size();
    for (const PlanKernel& kernel : kernels_of_plans()) sources.push_back(kernel.source);
    std::vector<cuda::Source> some = distinct(std::move(sources));
    fmt::print("{} kernels: {} of plans and {} of tables, without those that are alike\n",
               some.size(), kernels_of_plans().size(), of_tables);
    std::fflush(stdout);
    return some;
  }();
  return all;
}

class Architectures : public ::testing::TestWithParam<Architecture> {};

TEST_P(Architectures, CompileCleanly) {
  ASSERT_GT(every_kernel().size(), 2000u);
  for (const std::string& complaint : complaints(every_kernel(), GetParam()))
    ADD_FAILURE() << complaint;
}

INSTANTIATE_TEST_SUITE_P(All, Architectures,
                         ::testing::Values(Architecture{80}, Architecture{90, true},
                                           Architecture{100}),
                         [](const auto& info) {
                           return fmt::format("sm_{}{}", info.param.capability,
                                              info.param.for_it_alone ? "a" : "");
                         });

// As they are compiled for the virtual GPU, each by itself.
TEST(PlanKernels, SpillNothing) {
  ASSERT_GT(kernels_of_plans().size(), 1000u);
  for (const PlanKernel& kernel : kernels_of_plans()) {
    EXPECT_FALSE(kernel.entries.empty()) << kernel.source.text;
    for (const auto& [entry, resources] : kernel.entries) {
      EXPECT_GT(resources.registers, 0) << kernel.source.text;
      EXPECT_EQ(resources.spill_bytes, 0) << kernel.source.text;
    }
  }
}

}  // namespace
}  // namespace torchweld::testing
