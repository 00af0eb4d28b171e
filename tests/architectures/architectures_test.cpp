// Every kernel of the suite compiles for the architectures of data centres, without a warning or a
// spill: a few thousand, three times. What the suite made, the tests on the virtual GPU have kept.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/architectures/assembly.h"
#include "tests/architectures/sources.h"
#include "tests/virtual_gpu/kept_sources.h"

namespace torchweld::testing {
namespace {

const std::vector<cuda::Source>& every_kernel() {
  static const std::vector<cuda::Source> all = [] {
    std::vector<cuda::Source> sources = virtual_gpu::kept_sources(TORCHWELD_KEPT_SOURCES);
    const size_t kept = sources.size();
    const std::vector<cuda::Source> of_tables = sources_of_tables();
    sources.insert(sources.end(), of_tables.begin(), of_tables.end());
    std::vector<cuda::Source> some = distinct(std::move(sources));
    fmt::print("{} kernels: {} of other tests and {} of tables, without those that are alike\n",
               some.size(), kept, of_tables.size());
    std::fflush(stdout);
    return some;
  }();
  return all;
}

class Architectures : public ::testing::TestWithParam<Architecture> {};

TEST_P(Architectures, CompileCleanly) {
  ASSERT_GT(virtual_gpu::kept_sources(TORCHWELD_KEPT_SOURCES).size(), 3000u)
      << "the tests cuda_kernels and cuda_plans keep them in " << TORCHWELD_KEPT_SOURCES;
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

}  // namespace
}  // namespace torchweld::testing
