// What the recorder is told of operators before they run.
#include "loader/op_traits.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/frontend/function_schema_parser.h>

namespace torchweld {
namespace {

OpTraits traits(const char* name, const char* overload = "") {
  return traits_of(c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).schema());
}

TEST(OpTraits, PureOperators) {
  const OpTraits add = traits("aten::add", "Tensor");
  EXPECT_EQ(add.writes, (std::vector<bool>{false, false, false}));
  EXPECT_FALSE(add.random || add.reads_data || add.dynamic_shape);
  EXPECT_TRUE(add.has_tensor_result);
}

TEST(OpTraits, Writes) {
  EXPECT_TRUE(traits("aten::add_", "Tensor").writes[0]);
  EXPECT_FALSE(traits("aten::add_", "Tensor").writes[1]);
  EXPECT_TRUE(traits("aten::add", "out").writes[3]);
}

TEST(OpTraits, AContainerThatChangesWritesNoTensor) {
  const auto writes_first = [](const char* schema) -> bool {
    return traits_of(torch::jit::parseSchema(schema)).writes[0];
  };
  EXPECT_FALSE(writes_first("aten::append.t(t[](a!) self, t(c -> *) el) -> t[](a!)"));
  EXPECT_FALSE(
      writes_first("aten::_set_item.str(Dict(str, t)(a!) l, str(b -> *) idx, t(c -> *) v) -> ()"));
  EXPECT_TRUE(writes_first("aten::_foreach_add_.Scalar(Tensor(a!)[] self, Scalar scalar) -> ()"));
}

TEST(OpTraits, Random) {
  EXPECT_TRUE(traits("aten::rand_like").random);
  EXPECT_TRUE(traits("aten::multinomial").random);
  EXPECT_TRUE(traits("aten::normal_").random);
  EXPECT_FALSE(traits("aten::ones_like").random);
}

TEST(OpTraits, DropoutOfNothingDrawsNothing) {
  const OpTraits dropout = traits("aten::dropout");
  const std::vector<c10::IValue> in_training{at::Tensor(), 0.5, true},
      out{at::Tensor(), 0.5, false};
  EXPECT_TRUE(draws(dropout, in_training));
  EXPECT_FALSE(draws(dropout, out));
  const OpTraits attention = traits("aten::scaled_dot_product_attention");
  EXPECT_TRUE(draws(attention, {at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), 0.1}));
  EXPECT_FALSE(draws(attention, {at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), 0.0}));
  EXPECT_TRUE(draws(traits("aten::normal_"), {at::Tensor(), 0.0, 1.0}));
}

TEST(OpTraits, ReadsOfData) {
  EXPECT_TRUE(traits("aten::item").reads_data);
  EXPECT_TRUE(traits("aten::equal").reads_data);
  EXPECT_TRUE(traits("aten::_local_scalar_dense").reads_data);
  EXPECT_FALSE(traits("aten::size", "int").reads_data);
}

TEST(OpTraits, ShapesThatDependOnData) {
  EXPECT_TRUE(traits("aten::nonzero").dynamic_shape);
  EXPECT_TRUE(traits("aten::masked_select").dynamic_shape);
  EXPECT_TRUE(traits("aten::_unique2").dynamic_shape);
  EXPECT_FALSE(traits("aten::relu").dynamic_shape);
  EXPECT_TRUE(traits("aten::index", "Tensor").bool_index);
}

}  // namespace
}  // namespace torchweld
