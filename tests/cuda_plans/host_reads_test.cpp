// Calls on the CUDA path say where they wait for tensor data, with the archive's source line, and
// nowhere else.
#include <gtest/gtest.h>

#include <regex>

#include "tests/support/archives.h"
#include "tests/virtual_gpu/virtual_runtime.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

std::vector<std::string> reads_of(const std::string& archive) {
  Options options;
  options.planning = Planning::kBlocking;
  options.runtime = virtual_gpu::virtual_runtime();
  const Explanation how =
      load(archive_path(archive), options).explain(archive_inputs(archive).inputs);
  for (const ExplainedBlock& block : how.blocks) EXPECT_EQ(block.reason, "") << block.title;
  return how.host_reads;
}

/// An archive, and the operator that its first read is for.
struct Read {
  const char *archive, *op;
};

class HostReads : public ::testing::TestWithParam<Read> {};

TEST_P(HostReads, AreListedWithTheirLines) {
  const std::vector<std::string> reads =
      reads_of(std::string("data_dependent/") + GetParam().archive);
  ASSERT_FALSE(reads.empty());
  static const std::regex kLine(" at code/__torch__/data_dependent\\.py:[1-9][0-9]*$");
  for (const std::string& read : reads) EXPECT_TRUE(std::regex_search(read, kLine)) << read;
  EXPECT_NE(reads[0].find(GetParam().op), std::string::npos) << reads[0];
}

INSTANTIATE_TEST_SUITE_P(All, HostReads,
                         ::testing::Values(Read{"item_as_scalar", "aten::item"},
                                           Read{"convergence_loop", "aten::Bool.Tensor"},
                                           Read{"nonzero_rows", "aten::nonzero"},
                                           Read{"greedy_decoding", "aten::item"},
                                           Read{"to_list", "prim::tolist"}),
                         [](const auto& info) { return std::string(info.param.archive); });

// The archive's code has the lists in lines 9 and 10.
TEST(HostReadsOfLists, AreListedWithTheLineOfEach) {
  const std::vector<std::string> reads = reads_of("data_dependent/lists_line_by_line");
  ASSERT_EQ(reads.size(), 2u);
  EXPECT_TRUE(reads[0].ends_with("prim::tolist at code/__torch__/data_dependent.py:9")) << reads[0];
  EXPECT_TRUE(reads[1].ends_with("prim::tolist at code/__torch__/data_dependent.py:10"))
      << reads[1];
}

// Each turn of the loop asks whether to go on; the branch's end has nothing to read.
TEST(HostReadsOfLoops, LeaveOutWhereBranchesJoin) {
  const std::vector<std::string> reads = reads_of("data_dependent/convergence_loop");
  ASSERT_GT(reads.size(), 1u);
  for (const std::string& read : reads)
    EXPECT_NE(read.find("aten::Bool.Tensor"), std::string::npos) << read;
}

TEST(HostReadsOfOthers, AreNone) {
  for (const char* archive : {"layers/linear_relu_traced", "attention/encoder_layers"})
    EXPECT_EQ(reads_of(archive), std::vector<std::string>{}) << archive;
}

}  // namespace
}  // namespace torchweld::testing
