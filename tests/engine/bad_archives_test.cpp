// Files that are no good archives: each is refused with its own code, naming the file, without a
// crash.
#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "tests/support/archives.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

struct BadFile {
  std::string name;
  ErrorCode code;
  std::string says;  ///< has to be in the message
};

void PrintTo(const BadFile& file, std::ostream* out) { *out << file.name; }

class BadArchives : public ::testing::TestWithParam<BadFile> {
 protected:
  std::string path() const { return archive_path("bad/" + GetParam().name); }
};

void expect_error(const std::function<void()>& action, ErrorCode code, const std::string& says) {
  try {
    action();
    ADD_FAILURE() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << name_of(error.code()) << ": " << error.what();
    EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find("frame #"), std::string::npos) << error.what();
  }
}

TEST_P(BadArchives, AreRefusedByTheirPath) {
  expect_error([&] { load(path()); }, GetParam().code, GetParam().says);
}

TEST_P(BadArchives, AreRefusedAsStreams) {
  if (GetParam().code == ErrorCode::kFile) return;  // a stream has no path
  std::ifstream file(path(), std::ios::binary);
  expect_error([&] { load(file); }, GetParam().code, "");
}

INSTANTIATE_TEST_SUITE_P(
    All, BadArchives,
    ::testing::Values(BadFile{"no_such_file", ErrorCode::kFile, "no_such_file"},
                      BadFile{"not_a_zip", ErrorCode::kBadArchive, "not_a_zip"},
                      BadFile{"empty", ErrorCode::kBadArchive, "empty"},
                      BadFile{"truncated", ErrorCode::kBadArchive, "truncated"},
                      BadFile{"garbled_pickle", ErrorCode::kBadArchive, "garbled_pickle"},
                      BadFile{"without_code", ErrorCode::kBadArchive, "without_code"},
                      BadFile{"state_dict", ErrorCode::kBadArchive, "state_dict"},
                      BadFile{"old_pickle", ErrorCode::kBadArchive, "old_pickle"},
                      BadFile{"syntax_error", ErrorCode::kBadArchive, "syntax_error"},
                      BadFile{"packed_for_inference", ErrorCode::kBadArchive,
                              "packed_for_inference"},
                      BadFile{"unknown_operator", ErrorCode::kUnknownOperator, "acme"},
                      BadFile{"unknown_class", ErrorCode::kUnknownClass, "acme"},
                      BadFile{"newer_format", ErrorCode::kNewerFormat, "newer"},
                      BadFile{"training_mode", ErrorCode::kTrainingMode, "eval()"},
                      BadFile{"without_forward", ErrorCode::kNoSuchMethod, "encode"}),
    [](const auto& info) { return info.param.name; });

TEST(Load, TellsTheMethodsThereAre) {
  Options options;
  options.method = "decipher";
  expect_error([&] { load(archive_path("control_flow/exported_method"), options); },
               ErrorCode::kNoSuchMethod, "decode");
}

TEST(Load, ReadsStreams) {
  std::ifstream file(archive_path("layers/linear_relu_traced"), std::ios::binary);
  const auto inputs = archive_inputs("layers/linear_relu_traced").inputs;
  EXPECT_EQ(load(file).run(inputs).toTensor().numel(), 2);
}

TEST(Load, RunsOtherMethods) {
  Options options;
  options.method = "encode";
  const Engine engine = load(archive_path("control_flow/exported_method"), options);
  EXPECT_EQ(engine.run(archive_inputs("control_flow/exported_method").inputs).toTensor().size(1),
            2);
}

}  // namespace
}  // namespace torchweld::testing
