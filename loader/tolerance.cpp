#include "loader/tolerance.h"

namespace torchweld {

AllowedError default_tolerance(c10::ScalarType type) {
  switch (type) {
    case c10::kHalf:
      return {1e-3, 1e-5};
    case c10::kBFloat16:
      return {1.6e-2, 1e-5};
    case c10::kFloat:
    case c10::kComplexFloat:
    case c10::kComplexHalf:
    case c10::kQUInt8:
    case c10::kQInt8:
    case c10::kQInt32:
      return {1.3e-6, 1e-5};
    case c10::kDouble:
    case c10::kComplexDouble:
      return {1e-7, 1e-7};
    default:
      return {};
  }
}

}  // namespace torchweld
