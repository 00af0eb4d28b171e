// The arena: reuse, alignment and what never lies in it.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(Memory, BuffersThatDoNotMeetShareTheirPlace) {
  EXPECT_EQ(planned(R"(graph(%0: f32[64]):
  %1: f32[64] = aten::relu(%0)
  %2: f32[64] = aten::logcumsumexp(%1, 0)
  %3: f32[64] = aten::relu(%2)
  %4: f32[64] = aten::logcumsumexp(%3, 0)
  return %4
)"),
            R"(step 0: fused single_relu_f32 over [64]
  %1: f32[64] = aten::relu(%0)
  load  %0 in input 0 {1}
  store %1 in arena 0..256 {1}
step 1: eager aten::logcumsumexp, since no kernel is written for it
  %2: f32[64] = aten::logcumsumexp(%1, 0)
step 2: fused single_relu_f32 over [64]
  %3: f32[64] = aten::relu(%2)
  load  %2 in eager {1}
  store %3 in arena 0..256 {1}
  release %2
step 3: eager aten::logcumsumexp, since no kernel is written for it
  %4: f32[64] = aten::logcumsumexp(%3, 0)
return %4 in eager
arena 256 of 512 bytes
)");
}

TEST(Memory, BuffersBeginOnCacheLines) {
  const Plan made = plan(parse_graph(R"(graph(%0: f32[3], %1: f32[5]):
  %2: f32[3] = aten::relu(%0)
  %3: f32[5] = aten::relu(%1)
  %4: f32[8] = my::join(%2, %3)
  return %4
)"),
                         target());
  EXPECT_EQ(made.arena_bytes, 128);
  for (const Buffer& b : made.buffers) EXPECT_EQ(b.offset % 64, 0);
}

TEST(Memory, WhatLeavesOrIsGivenIsNeverInTheArena) {
  const Plan made = plan(parse_graph(R"(graph(%0: f32[4,4]):
  %1: f32[4,4] = constant(0)
  %2: f32[4,4] = aten::mul.Tensor(%0, %1)
  %3: f32[4] @%2+4 = aten::select.int(%2, 0, 1)
  %4: f32[4,4] = aten::exp(%2)
  return %3
)"),
                         target());
  EXPECT_EQ(made.arena_bytes, 0);
  EXPECT_EQ(made.buffers[static_cast<size_t>(made.graph.value(made.graph.outputs[0]).storage)].kind,
            Buffer::Kind::kOutput);
}

TEST(Memory, ResultsOfEagerStepsAreReleasedAfterTheirLastReader) {
  const Plan made = plan(parse_graph(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::logcumsumexp(%0, 0)
  %2: f32[4] = aten::logcumsumexp(%1, 0)
  %3: f32[4] = aten::logcumsumexp(%1, 0)
  %4: f32[4] = aten::logcumsumexp(%2, 0)
  return %4
)"),
                         target());
  ASSERT_EQ(made.steps.size(), 3u) << "equal calls are shared, dead ones dropped";
  EXPECT_EQ(made.releases[1].size(), 1u);
  EXPECT_EQ(made.releases[2].size(), 1u);
}

}  // namespace
}  // namespace torchweld::testing
