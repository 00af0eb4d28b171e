// Rows of a table, copied.
#include "kernels/gather_rows.h"

#include <gtest/gtest.h>

#include <vector>

namespace torchweld {
namespace {

class GatherRowsTest : public ::testing::Test {
 protected:
  /// Three rows of two bytes that lie three apart.
  const std::vector<char> table_{0, 1, -1, 10, 11, -1, 20, 21};
  std::vector<char> out_ = std::vector<char>(8, 99);

  template <class Index>
  int64_t gather(const std::vector<Index>& index, bool wraps) {
    return gather_rows({table_.data(), 3, 2, 3, index.data(), sizeof(Index) == 4, wraps,
                        static_cast<int64_t>(index.size()), out_.data()});
  }
};

TEST_F(GatherRowsTest, CopiesRowsInTheOrderOfTheIndex) {
  EXPECT_EQ(gather<int64_t>({2, 0, 2}, false), 3);
  EXPECT_EQ(out_, (std::vector<char>{20, 21, 0, 1, 20, 21, 99, 99}));
}

TEST_F(GatherRowsTest, CountsFromTheEndWhereItIsAsked) {
  EXPECT_EQ(gather<int32_t>({-1, -3}, true), 2);
  EXPECT_EQ(out_, (std::vector<char>{20, 21, 0, 1, 99, 99, 99, 99}));
}

TEST_F(GatherRowsTest, StopsAtWhatIsNoRow) {
  EXPECT_EQ(gather<int64_t>({1, 3, 0}, true), 1);
  EXPECT_EQ(gather<int64_t>({-1}, false), 0);
  EXPECT_EQ(gather<int32_t>({0, -4}, true), 1);
  EXPECT_EQ(out_, (std::vector<char>{0, 1, 99, 99, 99, 99, 99, 99}));
}

}  // namespace
}  // namespace torchweld
