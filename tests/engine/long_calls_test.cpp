// Which way calls of many blocks go.
#include "engine/long_calls.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

/// Calls that take as long as told, up to the first after a comparison.
LongCalls::Turn after_comparison(LongCalls* calls, double by_plans_us, double in_one_piece_us) {
  LongCalls::Turn turn = calls->next();
  for (int i = 0; i < 100000 && !turn.timed; ++i) turn = calls->next();
  while (turn.timed) {
    calls->took(turn, turn.whole ? in_one_piece_us : by_plans_us);
    turn = calls->next();
  }
  return turn;
}

TEST(LongCalls, ShortCallsAreNeverCompared) {
  LongCalls calls;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(calls.next().timed);
    calls.saw(LongCalls::kBlocks - 1, true);
  }
}

TEST(LongCalls, TheClearlyFasterWayHasTheCallsUntilTheNextComparison) {
  LongCalls calls;
  calls.saw(LongCalls::kBlocks, true);
  LongCalls::Turn turn = after_comparison(&calls, 100, 50);
  EXPECT_TRUE(turn.whole);
  EXPECT_TRUE(turn.changed);
  EXPECT_TRUE(calls.next().whole);
  EXPECT_FALSE(calls.next().changed);
  EXPECT_TRUE(after_comparison(&calls, 95, 100).whole) << "not clearly";
  EXPECT_FALSE(after_comparison(&calls, 50, 100).whole);
  EXPECT_FALSE(after_comparison(&calls, 100, 95).whole) << "not clearly";
}

TEST(LongCalls, CallsThatThrowEndAComparisonAllTheSame) {
  LongCalls calls;
  calls.saw(LongCalls::kBlocks, true);
  for (int i = 0; i < LongCalls::kTurns; ++i) EXPECT_TRUE(calls.next().timed);
  EXPECT_FALSE(calls.next().whole);
}

TEST(LongCalls, PlansThatAreStillBeingMadeAreWaitedForAWhile) {
  LongCalls calls;
  for (int i = 0; i + 1 < LongCalls::kUnsettled; ++i) calls.saw(LongCalls::kBlocks, false);
  EXPECT_FALSE(calls.begun());
  calls.saw(LongCalls::kBlocks, false);
  EXPECT_TRUE(calls.begun());
}

/// What the call of twelve equal ids says: the reason, and where.
void expect_error(const Engine& engine, int64_t id, ErrorCode code, const std::string& says) {
  try {
    engine.run({at::full({12}, id, at::kLong)});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_EQ(error.code(), code) << what;
    EXPECT_NE(what.find(says), std::string::npos) << what;
    EXPECT_NE(what.find("code/__torch__"), std::string::npos) << what;
  }
}

class ReadsEachElement : public ::testing::TestWithParam<Planning> {};

TEST_P(ReadsEachElement, AnswersAndRaisesAsBeforeWhicheverWay) {
  const ScriptModule module(
      "def forward(self, ids):\n"
      "  kept: List[int] = []\n"
      "  last = -1\n"
      "  for row in ids:\n"
      "    now = int(row.item())\n"
      "    assert now >= 0, 'negative id'\n"
      "    if now == 9:\n"
      "      ids = ids.reshape(5, 7)\n"
      "    if now != last and now != 0:\n"
      "      kept.append(now)\n"
      "    last = now\n"
      "  ids.add_(1)\n"
      "  return kept, ids * 2\n");
  Options options;
  options.planning = GetParam();
  const Engine engine = module.load(options);
  for (int i = 0; i < 150; ++i) {
    const at::Tensor ids = at::randint(0, 4, {12}, at::kLong), copy = ids.clone();
    const auto got = engine.run({ids}).toTuple(), expected = module.run({copy}).toTuple();
    EXPECT_EQ(got->elements()[0].toIntVector(), expected->elements()[0].toIntVector());
    EXPECT_TRUE(at::equal(got->elements()[1].toTensor(), expected->elements()[1].toTensor()));
    EXPECT_TRUE(at::equal(ids, copy));
    if (i % 5 != 0) continue;
    expect_error(engine, -1, ErrorCode::kModelRaised, "negative id");
    expect_error(engine, 9, ErrorCode::kOperatorFailed, "shape '[5, 7]' is invalid");
  }
}

INSTANTIATE_TEST_SUITE_P(All, ReadsEachElement,
                         ::testing::Values(Planning::kBlocking, Planning::kBackground),
                         [](const auto& info) {
                           return info.param == Planning::kBlocking ? "Blocking" : "Background";
                         });

}  // namespace
}  // namespace torchweld::testing
