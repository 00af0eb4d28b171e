// Calls of the device that fail, one after the other, in a whole plan: each is an error that says
// where, and the engine goes on as if nothing had been.
#include <gtest/gtest.h>

#include "tests/support/archives.h"
#include "tests/virtual_gpu/virtual_runtime.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

constexpr const char* kArchive = "layers/norm_softmax_gelu";

TEST(DeviceFailures, NameTheStepAndLeaveTheEngineUsable) {
  Options options;
  options.planning = Planning::kBlocking;
  options.runtime = virtual_gpu::virtual_runtime({.folder = TORCHWELD_KERNEL_CACHE});
  virtual_gpu::VirtualDevice& device = virtual_gpu::virtual_device();
  const std::vector<c10::IValue> inputs = archive_inputs(kArchive).inputs;
  const Engine engine = load(archive_path(kArchive), options);
  engine.run(inputs);
  const at::Tensor expected = engine.run(inputs).toTensor().clone();

  int failed = 0, named = 0;
  for (int calls = 0; calls < 100; ++calls) {
    device.fail_after(calls);
    try {
      const at::Tensor got = engine.run(inputs).toTensor();
      device.fail_after(-1);
      EXPECT_TRUE(got.equal(expected));
      break;
    } catch (const Error& error) {
      device.fail_after(-1);
      ++failed;
      EXPECT_EQ(error.code(), ErrorCode::kDevice);
      const std::string text = error.what();
      EXPECT_NE(text.find("as it was told to"), std::string::npos) << text;
      if (text.find("in step ") != std::string::npos) {
        ++named;
        EXPECT_NE(text.find("norm"), std::string::npos) << text;  // the kernel
        EXPECT_NE(text.find(": f32["), std::string::npos) << text;
        EXPECT_NE(text.find("aten::"), std::string::npos) << text;
      }
    }
    EXPECT_TRUE(engine.run(inputs).toTensor().equal(expected)) << "after call " << calls;
  }
  EXPECT_GE(failed, 2);  // the result's memory, and the launches
  EXPECT_GE(named, 1);
}

}  // namespace
}  // namespace torchweld::testing
