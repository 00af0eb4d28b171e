// Containers that a model makes: what holds them is planned, not interpreted.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/archives.h"
#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

int64_t interpreted_in_second_call(const std::string& name) {
  const Engine engine = load(archive_path(name), blocking());
  engine.run(archive_inputs(name).inputs);
  const int64_t first = engine.counters().interpreted_blocks;
  engine.run(archive_inputs(name).inputs);
  return engine.counters().interpreted_blocks - first;
}

TEST(Containers, ArePlanned) {
  for (const char* name : {"dict_of_features", "object_over_blocks", "list_in_two_places",
                           "experts", "nothing_found"}) {
    EXPECT_EQ(interpreted_in_second_call(std::string("containers/") + name), 0) << name;
  }
}

TEST(Containers, AreInterpretedWhereAWrittenTensorIsSeenTwice) {
  EXPECT_GT(interpreted_in_second_call("containers/view_of_what_is_written"), 0);
}

// Two calls whose lists hold equal tensors, once in one list and once in two.
TEST(Containers, OneListAndTwoEqualOnesAreTwoSignatures) {
  const ScriptModule module(
      "def forward(self, a: List[Tensor], b: List[Tensor]):\n"
      "  c = [a, b]\n"
      "  return c, a[0] * 2 + b[0]\n");
  const Engine engine = module.load(blocking());
  const at::Tensor x = at::randn({3});
  const c10::List<at::Tensor> one({x}), other({x});
  const auto same_list = [&](const c10::IValue& result) {
    const auto lists = result.toTupleRef().elements()[0].toListRef();
    return lists[0].is(lists[1]);
  };
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(same_list(engine.run({one, one})));
    EXPECT_FALSE(same_list(engine.run({one, other})));
  }
  EXPECT_EQ(engine.counters().plans_built, 2);
}

}  // namespace
}  // namespace torchweld::testing
