// Views of images whose channels moved.
#include "fusion/relaid_view.h"

#include <gtest/gtest.h>

#include "fusion/image_conv.h"

namespace torchweld::testing {
namespace {

Value view(std::vector<int64_t> sizes, std::vector<int64_t> strides, int64_t offset = 0) {
  Value v;
  v.dtype = DType::kF32;
  v.sizes = std::move(sizes);
  v.strides = std::move(strides);
  v.offset = offset;
  v.storage = 0;
  return v;
}

const Value kRecorded = view({2, 6, 4, 5}, {120, 20, 5, 1});

Value relaid_image() {
  Value v = view(kRecorded.sizes, channels_last_strides(kRecorded.sizes));
  v.storage = 1;
  return v;
}

/// Where each element of a view lies, in the order of its dims.
std::vector<int64_t> places(const Value& v) {
  std::vector<int64_t> all = {v.offset};
  for (size_t d = 0; d < v.sizes.size(); ++d) {
    std::vector<int64_t> next;
    for (const int64_t at : all) {
      for (int64_t i = 0; i < v.sizes[d]; ++i) next.push_back(at + i * v.strides[d]);
    }
    all = std::move(next);
  }
  return all;
}

/// Where elements of the recorded image lie in the other.
std::vector<int64_t> moved(std::vector<int64_t> at) {
  for (int64_t& place : at) {
    const int64_t n = place / 120, c = place / 20 % 6, pixel = place % 20;
    place = n * 120 + pixel * 6 + c;
  }
  return at;
}

TEST(RelaidView, ShowsTheSameElements) {
  const Value views[] = {
      kRecorded,
      view({2, 4, 5, 6}, {120, 5, 1, 20}),         // channels last
      view({2, 20, 6}, {120, 1, 20}),              // pixels flattened, then turned
      view({2, 2, 3, 4, 5}, {120, 60, 20, 5, 1}),  // channels in groups
      view({2, 3, 4, 5}, {120, 20, 5, 1}, 60),     // half of the channels
      view({6, 2, 3}, {20, 10, 2}, 120 + 1),       // every second row and column of an image
      view({2, 7, 6, 4, 5}, {120, 0, 20, 5, 1}),   // repeated
      view({4}, {26}, 0),                          // a diagonal
      view({}, {}, 239),
  };
  for (const Value& v : views) {
    const auto relaid = relaid_view(v, kRecorded, relaid_image());
    ASSERT_TRUE(relaid.has_value());
    EXPECT_EQ(relaid->storage, 1);
    EXPECT_EQ(relaid->sizes, v.sizes);
    EXPECT_EQ(places(*relaid), moved(places(v)));
  }
}

TEST(RelaidView, FlattenedImagesAndOtherTypesAreNone) {
  const Value views[] = {
      view({2, 120}, {120, 1}),          view({240}, {1}),
      view({12, 20}, {20, 1}),            // images and channels as one
      view({2, 6, 19}, {120, 20, 1}, 2),  // runs into the next channel
      view({2, 20}, {120, 7}),
  };
  for (const Value& v : views)
    EXPECT_FALSE(relaid_view(v, kRecorded, relaid_image()).has_value()) << v.sizes.size();
  Value bytes = kRecorded;
  bytes.dtype = DType::kU8;
  EXPECT_FALSE(relaid_view(bytes, kRecorded, relaid_image()).has_value());
}

}  // namespace
}  // namespace torchweld::testing
