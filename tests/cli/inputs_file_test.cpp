#include "cli/inputs_file.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "tests/support/archives.h"

namespace torchweld::cli {
namespace {

TEST(InputsFile, ReadsWhatTorchSaved) {
  const InputsFile file = testing::archive_inputs("structures/dict_input");
  ASSERT_EQ(file.inputs.size(), 1u);
  EXPECT_TRUE(file.inputs[0].isGenericDict());
  ASSERT_TRUE(file.outputs);
  EXPECT_EQ(file.outputs->size(), 1u);
}

TEST(InputsFile, CoercesContainersToTheDeclaredTypes) {
  const InputsFile file = testing::archive_inputs("structures/list_of_lists");
  const auto typed = coerced(file.inputs, {{"xs", "List[List[Tensor]]", {}}});
  EXPECT_EQ(typed[0].type()->annotation_str(), "List[List[Tensor]]");
}

TEST(InputsFile, LeavesWhatDoesNotFit) {
  const auto kept = coerced({c10::IValue("text"), at::ones({2})},
                            {{"a", "List[int]", {}}, {"b", "__torch__.Custom", {}}});
  EXPECT_TRUE(kept[0].isString());
  EXPECT_TRUE(kept[1].isTensor());
}

TEST(InputsFile, RefusesOtherFiles) {
  EXPECT_THROW(read_inputs_file("/nowhere/inputs.pt"), Error);
  const std::string path = ::testing::TempDir() + "not_inputs.pt";
  std::ofstream(path) << "no pickle";
  EXPECT_THROW(read_inputs_file(path), Error);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace torchweld::cli
