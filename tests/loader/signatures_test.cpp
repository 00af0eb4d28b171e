// Hashes of signatures: what tells two calls apart where neither has a plan.
#include <ATen/core/Dict.h>
#include <ATen/core/List.h>
#include <gtest/gtest.h>

#include "loader/pattern.h"

namespace torchweld::testing {
namespace {

uint64_t hash_of_list(const std::vector<double>& numbers) {
  return hash_of({c10::IValue(c10::List<double>(numbers))});
}

TEST(SignatureHashes, AreOfContent) {
  const std::vector<double> few = {1, 2, 3}, others = {1, 2, 4};
  EXPECT_EQ(hash_of_list(few), hash_of_list(few));
  EXPECT_NE(hash_of_list(few), hash_of_list(others));
  EXPECT_NE(hash_of({c10::IValue(int64_t{1})}), hash_of({c10::IValue(int64_t{2})}));
  EXPECT_NE(hash_of({c10::IValue("a")}), hash_of({c10::IValue("b")}));
}

TEST(SignatureHashes, OfLongListsAreOfLengthAndBothEnds) {
  const std::vector<double> history(1000, 0.5);
  const auto changed = [&](size_t at) {
    std::vector<double> other = history;
    other[at] = 7;
    return hash_of_list(other);
  };
  EXPECT_EQ(hash_of_list(history), hash_of_list(std::vector<double>(1000, 0.5)));
  EXPECT_NE(hash_of_list(history), hash_of_list(std::vector<double>(1001, 0.5)));
  for (const size_t end : {0, 15, 984, 999}) EXPECT_NE(hash_of_list(history), changed(end)) << end;
  EXPECT_EQ(hash_of_list(history), changed(500)) << "nobody walks through all of it";
}

TEST(SignatureHashes, OfListsOfTwoEndsAreOfAllElements) {
  for (const size_t size : {1, 16, 17, 31, 32}) {
    const std::vector<double> list(size, 0.5);
    for (size_t at = 0; at < size; ++at) {
      std::vector<double> other = list;
      other[at] = 7;
      EXPECT_NE(hash_of_list(list), hash_of_list(other)) << at << " of " << size;
    }
  }
}

TEST(SignatureHashes, OfDictsAreOfLengthAndFirstEntries) {
  const auto hash_of_dict = [](int64_t size, int64_t first) {
    c10::Dict<int64_t, int64_t> dict;
    for (int64_t key = 0; key < size; ++key) dict.insert(key, key == 0 ? first : 5);
    return hash_of({c10::IValue(dict)});
  };
  EXPECT_EQ(hash_of_dict(300, 1), hash_of_dict(300, 1));
  EXPECT_NE(hash_of_dict(300, 1), hash_of_dict(301, 1));
  EXPECT_NE(hash_of_dict(300, 1), hash_of_dict(300, 2));
}

}  // namespace
}  // namespace torchweld::testing
