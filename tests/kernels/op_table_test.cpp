// The table itself: no name or schema twice, and look-up by ATen's spellings.
#include "kernels/op_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace torchweld {
namespace {

TEST(OpTable, HasNoDuplicates) {
  std::set<std::string_view> names, schemas;
  for (const OpRow& row : all_ops()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.source.empty()) << row.name;
    for (std::string_view rest = row.schemas; !rest.empty();) {
      const size_t blank = rest.find(' ');
      const std::string_view schema = rest.substr(0, blank);
      EXPECT_TRUE(schemas.insert(schema).second) << schema;
      EXPECT_EQ(find_op("aten::" + std::string(schema)), &row) << schema;
      rest = blank == std::string_view::npos ? std::string_view() : rest.substr(blank + 1);
    }
  }
  EXPECT_GE(names.size(), 90u);
}

TEST(OpTable, FindsInPlaceTwins) {
  EXPECT_EQ(find_op("aten::add_.Tensor"), find_op("aten::add.Tensor"));
  EXPECT_EQ(find_op("aten::relu_"), find_op("aten::relu"));
  EXPECT_EQ(find_op("aten::__iand__.Tensor"), find_op("aten::bitwise_and.Tensor"));
  EXPECT_NE(find_op("aten::copy_"), find_op("aten::clone"));
}

TEST(OpTable, DoesNotKnowWhatIsNotPointwise) {
  for (const char* schema :
       {"aten::mm", "aten::add", "aten::", "add.Tensor", "", "prim::add.Tensor", "aten::_"}) {
    EXPECT_EQ(find_op(schema), nullptr) << schema;
  }
}

TEST(OpTable, RefusesIntegerDivisionByTensors) {
  BodyBuilder body;
  OpArg a;
  a.kind = OpArg::Kind::kTensor;
  a.dtype = DType::kI64;
  a.value = body.load(0, DType::kI64);
  OpArg b = a;
  b.value = body.load(1, DType::kI64);
  std::string why;
  EXPECT_FALSE(
      emit_op(body, *find_op("aten::floor_divide"), std::vector<OpArg>{a, b}, DType::kI64, &why));
  EXPECT_NE(why.find("zero"), std::string::npos);
}

}  // namespace
}  // namespace torchweld
