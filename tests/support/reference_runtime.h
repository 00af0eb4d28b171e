// The host with the scalar reference evaluator as its code generator: every plan that a device with
// rows and a library for products would get, executed by the plainest code there is.
#pragma once

#include <memory>

#include "engine/runtime.h"

namespace torchweld::testing {

std::shared_ptr<const Runtime> reference_runtime();

}  // namespace torchweld::testing
