// The host as a device.
#pragma once

#include <memory>

#include "engine/runtime.h"

namespace torchweld {

std::shared_ptr<const Runtime> cpu_runtime();

}  // namespace torchweld
