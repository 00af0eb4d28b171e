// Convolutions of few filters, few planes and few channels, on both instruction sets.
#include "kernels/x86/matmul_isa.h"
#include "tests/kernels/image_case.h"

namespace torchweld::x86 {
namespace {

TEST(FewChannels, FewFiltersMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const Window& window : kWindows) {
    for (const int64_t channels : {8, 13, 16, 37, 64}) {
      for (const int64_t filters : {1, 2, 3, 4, 5, 12}) {
        const ConvShape s =
            shape_of(ImageOp::kFewFilters, 1 + i % 2, 8, 4 + i % 14, channels, filters, window);
        Case c(s, {i % 2 == 0, i % 3 == 0, kClamps[i % 3], i % 4 < 2});
        expect_both(&c);
        if (HasFatalFailure()) return;
        ++i;
      }
    }
  }
}

TEST(FewChannels, FewFiltersOfFewPlanesMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const Window& window : kWindows) {
    for (const int64_t width : {16, 23, 70, 150}) {
      for (int64_t channels = 1; channels <= 4; ++channels) {
        for (int64_t filters = 1; filters <= kMostFewColumns; ++filters) {
          ConvShape s = shape_of(ImageOp::kPlanes, 1 + i % 2, 6, width, channels, filters, window);
          s.stride_width = 1;
          s.out_width = width + 2 * s.pad_width - (s.kernel_width - 1) * s.dilation_width;
          Case c(s, {i % 2 == 0, i % 3 == 0, kClamps[i % 3], i % 4 < 2}, true);
          expect_both(&c);
          if (HasFatalFailure()) return;
          if (s.pad_width == 0) {
            for (const bool wide : {false, true}) {
              if (wide && host_isa() != Isa::kAvx512) continue;
              (wide ? by_plane_avx512 : by_plane_avx2)(c.call(), 0, s.batch * s.out_height);
              c.expect_plain(wide ? "AVX-512" : "AVX2");
              if (HasFatalFailure()) return;
            }
          }
          ++i;
        }
      }
    }
  }
}

TEST(FewChannels, FiltersOfTwoToFourChannelsMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const Window& window : kWindows) {
    for (const int64_t width : {12, 24, 37, 100}) {
      for (int64_t channels = 1; channels <= 5; ++channels) {
        ConvShape s =
            shape_of(ImageOp::kDepthwise, 1 + i % 2, 6, width, channels, channels, window);
        s.stride_width = 1;
        s.out_width = width + 2 * s.pad_width - (s.kernel_width - 1) * s.dilation_width;
        Case c(s, {i % 2 == 0, i % 3 == 0, kClamps[i % 3], i % 4 < 2});
        expect_both(&c);
        if (HasFatalFailure()) return;
        ++i;
      }
    }
  }
}

}  // namespace
}  // namespace torchweld::x86
