#include "cli/input_spec.h"

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "torchweld/error.h"

namespace torchweld::cli {
namespace {

at::Tensor tensor(const std::string& text) { return parse_input(text).toTensor(); }

/// The message with which the text is refused.
std::string refused(const std::string& text) {
  try {
    parse_input(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadText);
    return error.what();
  }
  ADD_FAILURE() << text << " was accepted";
  return "";
}

TEST(InputSpec, ReadsShapesAndElementTypes) {
  EXPECT_EQ(tensor("f32[1,3,8,8]").sizes().vec(), (std::vector<int64_t>{1, 3, 8, 8}));
  EXPECT_EQ(tensor("f32[ 2 , 3 ]").sizes().vec(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(tensor("f32[]").dim(), 0);
  EXPECT_EQ(tensor("f32[0,4]").numel(), 0);
  EXPECT_EQ(tensor("bf16[2]").scalar_type(), at::kBFloat16);
  EXPECT_EQ(tensor("i64[2]").scalar_type(), at::kLong);
  EXPECT_EQ(tensor("u8[2]").scalar_type(), at::kByte);
  EXPECT_EQ(tensor("bool[2]").scalar_type(), at::kBool);
}

TEST(InputSpec, RangesBoundWhatIsDrawn) {
  const at::Tensor integers = tensor("i64[1000]:3..7");
  EXPECT_EQ(integers.min().item<int64_t>(), 3);
  EXPECT_EQ(integers.max().item<int64_t>(), 6);
  const at::Tensor floats = tensor("f32[1000]:-1..1.5");
  EXPECT_GE(floats.min().item<float>(), -1);
  EXPECT_LT(floats.max().item<float>(), 1.5);
  EXPECT_EQ(tensor("f32[3]:2.5").sum().item<float>(), 7.5);
}

TEST(InputSpec, SameSeedSameNumbers) {
  at::manual_seed(3);
  const at::Tensor first = tensor("f32[10]");
  at::manual_seed(3);
  EXPECT_TRUE(first.equal(tensor("f32[10]")));
}

TEST(InputSpec, ReadsScalars) {
  EXPECT_TRUE(parse_input("bool:true").toBool());
  EXPECT_EQ(parse_input("int:16000").toInt(), 16000);
  EXPECT_EQ(parse_input("int:-3").toInt(), -3);
  EXPECT_EQ(parse_input("float:0.5").toDouble(), 0.5);
  EXPECT_EQ(parse_input("str:a:b[1]").toStringRef(), "a:b[1]");
  EXPECT_EQ(parse_input("str:").toStringRef(), "");
  EXPECT_TRUE(parse_input("none").isNone());
}

TEST(InputSpec, RefusalsSayWhatIsWrong) {
  EXPECT_NE(refused("f32[1,2").find("closing ]"), std::string::npos);
  EXPECT_NE(refused("f99[2]").find("no element type"), std::string::npos);
  EXPECT_NE(refused("f32[2,x]").find("\"x\" is not a size"), std::string::npos);
  EXPECT_NE(refused("f32[2,]").find("last comma"), std::string::npos);
  EXPECT_NE(refused("f32[-1]").find("not a size"), std::string::npos);
  EXPECT_NE(refused("i64[2]:5..5").find("empty"), std::string::npos);
  EXPECT_NE(refused("f32[2]x").find("after the shape"), std::string::npos);
  EXPECT_NE(refused("bool:maybe").find("true or false"), std::string::npos);
  EXPECT_NE(refused("int:1.5").find("not an integer"), std::string::npos);
  EXPECT_NE(refused("thing:1").find("no kind"), std::string::npos);
  EXPECT_NE(refused("hello").find("neither"), std::string::npos);
}

}  // namespace
}  // namespace torchweld::cli
