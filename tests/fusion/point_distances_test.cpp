// Distances of points on the host: as ATen does, by differences or by a product.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

std::string names(const std::string& points, const std::string& mode) {
  const std::string text = "graph(" + points + "):\n  %2: f32[9,7] = aten::cdist(%0, %1, 2.0, " +
                           mode + ")\n  return %2\n";
  std::string all;
  for (const Step& step : plan(parse_graph(text), float_rows(true)).steps)
    all += (step.kind == Step::Kind::kFused ? to_text(step.spec) : "eager " + step.name + "\n");
  return all;
}

TEST(PointDistances, FewPointsAreComparedByDifferences) {
  EXPECT_EQ(names("%0: f32[9,40], %1: f32[7,40]", "none"),
            R"(kernel single_cdist_f32 rank 3 reduced 1
  in0: f32[*01]
  in1: f32[0*1]
  %0 = load f32 in0
  %1 = load f32 in1
  %2 = sub f32 %0 %1
  %3 = mul f32 %2 %2
  %4 = sum f32 %3
  %5 = sqrt f32 %4
  out0: f32[*10] = %5 a row
)");
}

TEST(PointDistances, AProductOfMoreCoordinatesStays) {
  EXPECT_EQ(names("%0: f32[9,4], %1: f32[7,4]", "1"), R"(eager aten::cdist
)");
  EXPECT_EQ(names("%0: f64[9,4], %1: f32[7,4]", "none"), R"(eager aten::cdist
)");
}

TEST(PointDistances, AProductIsOfRowsThatHoldBothSizes) {
  const std::string product = names("%0: f32[9,3], %1: f32[7,3]", "1");
  EXPECT_NE(product.find("product_1x9x5x7"), std::string::npos) << product;
  EXPECT_EQ(product.find("eager aten::cdist"), std::string::npos) << product;
}

}  // namespace
}  // namespace torchweld::testing
