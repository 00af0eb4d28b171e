// Rows of tables on the host.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

Target host() {
  Target on;
  on.hand_kernels = true;
  return on;
}

std::string step(const std::string& node) {
  const std::string text = planned(
      "graph(%0: f16[9,4], %1: i64[2,3], %2: f16[4,9]{1,4}, %3: i64[2,3]{1,2}, %4: "
      "f16[90000,8]):\n  " +
          node + "\n  return %5\n",
      host());
  return text.substr(0, text.find('\n'));
}

TEST(RowGather, EmbeddingsAndIndicesAreCopiesOfRows) {
  EXPECT_EQ(step("%5: f16[2,3,4] = aten::embedding(%0, %1, -1, false, false)"),
            "step 0: row_gather_6x8B");
  EXPECT_EQ(step("%5: f16[2,3,4] = aten::index.Tensor(%0, [%1])"), "step 0: row_gather_6x8B");
}

TEST(RowGather, OtherRowsAndIndicesStay) {
  const std::string columns = step("%5: f16[2,3,9] = aten::embedding(%2, %1, -1, false, false)");
  EXPECT_EQ(columns, "step 0: eager aten::embedding, since not a pointwise operator");
  const std::string strided = step("%5: f16[2,3,4] = aten::embedding(%0, %3, -1, false, false)");
  EXPECT_EQ(strided, "step 0: eager aten::embedding, since not a pointwise operator");
}

}  // namespace
}  // namespace torchweld::testing
