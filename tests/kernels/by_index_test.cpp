// Elements of a table at places that tensors name, read and written.
#include "kernels/by_index.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/half.h"

namespace torchweld {
namespace {

using Shape = ByIndexShape;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// `lines` rows of `columns` at the rows of a table that one index names.
Shape rows_of(ByIndex how, DType dtype, int64_t lines, int64_t columns, int64_t rows) {
  Shape s;
  s.how = how;
  s.dtype = dtype;
  s.rank = 2;
  s.indices = 1;
  s.sizes = {lines, columns};
  s.table_strides = {0, 1};
  s.operand_strides = {columns, 1};
  s.index[0] = {rows, columns, false, false, {1, 0}};
  return s;
}

ParallelFor two_parts() {
  return [](int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& f) {
    const int64_t middle = count > grain ? count / 2 : count;
    if (middle < count) f(middle, count);  // the other order is as good
    f(0, middle);
  };
}

template <class T, class I>
std::optional<NoPlace> run(Shape s, std::vector<T>* table, std::vector<T>* operand,
                           const std::vector<I>& index) {
  simplify(&s);
  for (int k = 0; k < s.indices; ++k) EXPECT_EQ(s.index[0].narrow, sizeof(I) == 4);
  return run_by_index(s,
                      {reinterpret_cast<char*>(table->data()),
                       reinterpret_cast<char*>(operand->data()),
                       {index.data()}},
                      two_parts());
}

TEST(ByIndex, ReadsRowsOfEverySizeOfElementAndRow) {
  for (const DType dtype : {DType::kBool, DType::kF16, DType::kF32, DType::kI64}) {
    for (const int64_t columns : {1, 2, 3, 4, 8, 16, 32, 33, 5000}) {
      const int64_t bytes = columns * size_of(dtype);
      std::vector<uint8_t> table(static_cast<size_t>(5 * bytes)), out(table.size(), 99), expected;
      for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<uint8_t>(i * 7 + i / 256);
      const std::vector<int64_t> index = {4, 0, 4, 2};
      for (const int64_t row : index)
        expected.insert(expected.end(), table.begin() + row * bytes,
                        table.begin() + (row + 1) * bytes);
      expected.resize(out.size(), 99);
      EXPECT_FALSE(run(rows_of(ByIndex::kRead, dtype, 4, columns, 5), &table, &out, index));
      EXPECT_EQ(out, expected) << name_of(dtype) << " " << columns;
    }
  }
}

TEST(ByIndex, AnIndexOfInt32CountsFromTheEndWhereItIsAsked) {
  Shape s = rows_of(ByIndex::kRead, DType::kI16, 2, 2, 3);
  s.index[0].narrow = s.index[0].wraps = true;
  std::vector<int16_t> table{0, 1, 10, 11, 20, 21}, out(4);
  EXPECT_FALSE(run(s, &table, &out, std::vector<int32_t>{-1, -3}));
  EXPECT_EQ(out, (std::vector<int16_t>{20, 21, 0, 1}));
}

TEST(ByIndex, WhatNamesNoPlaceIsFoundBeforeAnythingIsWritten) {
  for (const ByIndex how : {ByIndex::kRead, ByIndex::kWrite, ByIndex::kAdd}) {
    std::vector<float> table{1, 2, 3}, operand{4, 5};
    const std::vector<float> table_before = table, operand_before = operand;
    Shape s = rows_of(how, DType::kF32, 2, 1, 3);
    const auto bad_of = [&](std::vector<int64_t> index) {
      const auto bad = run(s, &table, &operand, index);
      return bad ? bad->value : 77;
    };
    EXPECT_EQ(bad_of({0, 3}), 3);
    EXPECT_EQ(bad_of({-1, 0}), -1);
    EXPECT_EQ(bad_of({0, std::numeric_limits<int64_t>::min()}),
              std::numeric_limits<int64_t>::min());
    s.index[0].wraps = true;
    EXPECT_EQ(bad_of({0, -4}), -4);
    EXPECT_EQ(bad_of({0, std::numeric_limits<int64_t>::max()}),
              std::numeric_limits<int64_t>::max());
    EXPECT_EQ(table, table_before);
    EXPECT_EQ(operand, operand_before);
    EXPECT_EQ(bad_of({2, -1}), 77);
  }
}

TEST(ByIndex, SeveralIndicesNameOnePlaceTogether) {
  // out[i, j, :] = table[rows[i], :, columns[j]] of a table [3, 2, 4].
  std::vector<int32_t> table(24), out(2 * 3 * 2);
  for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<int32_t>(i);
  const std::vector<int64_t> rows{2, 0};
  const std::vector<int32_t> columns{3, -4, 1};
  Shape s;
  s.dtype = DType::kI32;
  s.rank = 3;
  s.indices = 2;
  s.sizes = {2, 3, 2};
  s.table_strides = {0, 0, 4};
  s.operand_strides = {6, 2, 1};
  s.index[0] = {3, 8, false, true, {1, 0, 0}};
  s.index[1] = {4, 1, true, true, {0, 1, 0}};
  simplify(&s);
  ByIndexPointers at{reinterpret_cast<char*>(table.data()),
                     reinterpret_cast<char*>(out.data()),
                     {rows.data(), columns.data()}};
  EXPECT_FALSE(run_by_index(s, at, two_parts()));
  EXPECT_EQ(out, (std::vector<int32_t>{19, 23, 16, 20, 17, 21, 3, 7, 0, 4, 1, 5}));
  const std::vector<int32_t> bad{3, 4, 0};
  at.index[1] = bad.data();
  const auto found = run_by_index(s, at, two_parts());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->index, 1);
  EXPECT_EQ(found->value, 4);
}

TEST(ByIndex, AnIndexAlongTheInnermostDimNamesElements) {
  // out[r, j] = table[r, index[r, j]], both seen transposed.
  std::vector<double> table{0, 1, 2, 10, 11, 12}, out(4);
  Shape s;
  s.dtype = DType::kF64;
  s.rank = 2;
  s.indices = 1;
  s.sizes = {2, 2};
  s.table_strides = {3, 0};
  s.operand_strides = {1, 2};
  s.index[0] = {3, 1, false, false, {2, 1}};
  EXPECT_FALSE(run(s, &table, &out, std::vector<int64_t>{2, 0, 1, 1}));
  EXPECT_EQ(out, (std::vector<double>{2, 11, 0, 11}));
  s.index[0].narrow = true;
  EXPECT_FALSE(run(s, &table, &out, std::vector<int32_t>{0, 2, 0, 2}));
  EXPECT_EQ(out, (std::vector<double>{0, 10, 2, 12}));
}

template <class T>
std::vector<T> combined(ByIndex how, DType dtype, std::vector<T> table, std::vector<T> operand,
                        const std::vector<int64_t>& index) {
  EXPECT_TRUE(takes_by_index(how, dtype));
  const auto rows = static_cast<int64_t>(table.size());
  run(rows_of(how, dtype, static_cast<int64_t>(index.size()), 1, rows), &table, &operand, index);
  return table;
}

TEST(ByIndex, WritesToOnePlaceComeInTheirOrder) {
  const std::vector<int64_t> twice{1, 1, 0};
  EXPECT_EQ(combined<float>(ByIndex::kWrite, DType::kF32, {7, 8}, {1, 2, 3}, twice),
            (std::vector<float>{3, 2}));
  // 1e8 + 1 - 1e8 is 0 in this order only.
  EXPECT_EQ(combined<float>(ByIndex::kAdd, DType::kF32, {0, 1e8f}, {1, -1e8f, 0}, twice),
            (std::vector<float>{0, 0}));
  EXPECT_EQ(combined<double>(ByIndex::kMultiply, DType::kF64, {2, 3}, {4, 5, 6}, twice),
            (std::vector<double>{12, 60}));
}

TEST(ByIndex, IntegersWrapAroundAndBoolsAreLogic) {
  const std::vector<int64_t> twice{1, 1, 0};
  EXPECT_EQ(combined<int8_t>(ByIndex::kAdd, DType::kI8, {100, 100}, {100, 100, 100}, twice),
            (std::vector<int8_t>{-56, 44}));
  EXPECT_EQ(combined<int16_t>(ByIndex::kMultiply, DType::kI16, {1, 256}, {256, 3, 7}, twice),
            (std::vector<int16_t>{7, 0}));
  const int32_t most = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(combined<int32_t>(ByIndex::kAdd, DType::kI32, {most, 0}, {1, 2, 1}, twice),
            (std::vector<int32_t>{std::numeric_limits<int32_t>::min(), 3}));
  EXPECT_EQ(combined<uint8_t>(ByIndex::kMax, DType::kU8, {200, 0}, {3, 9, 255}, twice),
            (std::vector<uint8_t>{255, 9}));
  EXPECT_EQ(combined<uint8_t>(ByIndex::kAdd, DType::kBool, {1, 1}, {1, 1, 0}, twice),
            (std::vector<uint8_t>{1, 1}));
  EXPECT_EQ(combined<uint8_t>(ByIndex::kMultiply, DType::kBool, {1, 1}, {1, 0, 1}, twice),
            (std::vector<uint8_t>{1, 0}));
  EXPECT_FALSE(takes_by_index(ByIndex::kAdd, DType::kF16));
  EXPECT_TRUE(takes_by_index(ByIndex::kWrite, DType::kF16));
}

TEST(ByIndex, NaNWinsAsAnExtremeOnEitherSide) {
  const std::vector<int64_t> index{0, 1, 1, 2};
  for (const auto how : {ByIndex::kMax, ByIndex::kMin}) {
    const auto out = combined<float>(how, DType::kF32, {kNaN, 5, 5}, {1, kNaN, 1, 4}, index);
    EXPECT_TRUE(std::isnan(out[0]));
    EXPECT_TRUE(std::isnan(out[1]));
    EXPECT_EQ(out[2], how == ByIndex::kMax ? 5 : 4);
  }
}

TEST(ByIndex, ThreadsShareColumnsOfASumAndRowsOfARead) {
  constexpr int64_t kLines = 40, kColumns = 3000, kRows = 3;
  std::vector<float> table(kRows * kColumns, 1), operand(kLines * kColumns);
  std::vector<int64_t> index(kLines);
  for (size_t i = 0; i < operand.size(); ++i) operand[i] = static_cast<float>(i % 11);
  for (size_t i = 0; i < index.size(); ++i) index[i] = static_cast<int64_t>(i * i % kRows);
  std::vector<float> expected = table, read = operand;
  for (size_t i = 0; i < operand.size(); ++i)
    expected[static_cast<size_t>(index[i / kColumns]) * kColumns + i % kColumns] += operand[i];
  run(rows_of(ByIndex::kAdd, DType::kF32, kLines, kColumns, kRows), &table, &operand, index);
  EXPECT_EQ(table, expected);
  run(rows_of(ByIndex::kRead, DType::kF32, kLines, kColumns, kRows), &table, &read, index);
  for (size_t i = 0; i < read.size(); ++i)
    ASSERT_EQ(read[i], table[static_cast<size_t>(index[i / kColumns]) * kColumns + i % kColumns]);
}

TEST(ByIndex, NothingIsReadOrWrittenWhereThereIsNothing) {
  std::vector<float> table{1, 2}, operand;
  EXPECT_FALSE(
      run(rows_of(ByIndex::kAdd, DType::kF32, 0, 2, 1), &table, &operand, std::vector<int64_t>{}));
  EXPECT_EQ(table, (std::vector<float>{1, 2}));
}

TEST(ByIndex, SimplifyingJoinsWhatIsOneStretch) {
  Shape s;
  s.rank = 5;
  s.indices = 1;
  s.sizes = {3, 1, 4, 2, 6};
  s.table_strides = {0, 9, 0, 6, 1};
  s.operand_strides = {48, 5, 12, 6, 1};
  s.index[0] = {10, 12, false, false, {4, 0, 1, 0, 0}};
  simplify(&s);
  EXPECT_EQ(s.rank, 2);
  EXPECT_EQ(s.sizes, (Shape::Dims{12, 12}));
  EXPECT_EQ(s.table_strides, (Shape::Dims{0, 1}));
  EXPECT_EQ(s.operand_strides, (Shape::Dims{12, 1}));
  EXPECT_EQ(s.index[0].strides, (Shape::Dims{1, 0}));
}

TEST(ByIndex, TakesTheNextElementWhereAMaskIsTrue) {
  Shape s;
  s.how = ByIndex::kMasked;
  s.dtype = DType::kI32;
  s.rank = 3;
  s.indices = 1;
  s.sizes = {2, 3, 2};
  s.table_strides = {6, 1, 3};  // columns lie across memory
  for (const bool broadcast : {false, true}) {
    s.index[0] = {7, 0, false, false, {}};
    s.index[0].strides = {broadcast ? 0 : 3, 1, 0};
    std::vector<int32_t> table(12, 0), operand = {1, 2, 3, 4, 5, 6, 7};
    std::vector<int32_t> expected = {1, 0, 3, 2, 0, 4, 0, 0, 0, 0, 0, 0};
    std::optional<NoPlace> bad;
    if (!broadcast) {  // eight are asked for
      bad = run(s, &table, &operand, std::vector<int64_t>{0x010100020001});
      ASSERT_TRUE(bad.has_value());
      EXPECT_EQ(bad->value, 8);
      EXPECT_EQ(table, std::vector<int32_t>(12, 0));
      s.index[0].extent = 8;
      operand.push_back(8);
      expected = {1, 0, 3, 2, 0, 4, 0, 5, 7, 0, 6, 8};
    } else {
      s.sizes[0] = 1;
    }
    bad = run(s, &table, &operand, std::vector<int64_t>{0x010100020001});
    EXPECT_FALSE(bad.has_value());
    EXPECT_EQ(table, expected);
  }
}

}  // namespace
}  // namespace torchweld
