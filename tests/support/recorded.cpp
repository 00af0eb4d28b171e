#include "tests/support/recorded.h"

#include <gtest/gtest.h>

#include "cli/compare.h"
#include "cli/libtorch_module.h"
#include "tests/support/archives.h"

namespace torchweld::testing {

void expect_as_recorded(const std::string& archive) {
  const cli::InputsFile file = archive_inputs(archive);
  cli::LibTorchModule module(archive_path(archive));
  const auto tensors =
      cli::tensors_in(module.run_eager(cli::coerced(file.inputs, module.arguments())));
  ASSERT_EQ(tensors.size(), file.outputs->size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const cli::Comparison comparison = cli::compare((*file.outputs)[i], tensors[i]);
    EXPECT_FALSE(comparison.mismatch) << "tensor " << i << ": " << *comparison.mismatch;
  }
}

}  // namespace torchweld::testing
