// How far answers may be apart that count as equal.
#pragma once

#include <c10/core/ScalarType.h>

namespace torchweld {

/// Of two values of one element type: |a - b| <= absolute + relative * |b|.
struct AllowedError {
  double relative = 0, absolute = 0;
};

/// torch.testing.assert_close's default for an element type; zero for integers and bool.
AllowedError default_tolerance(c10::ScalarType type);

}  // namespace torchweld
