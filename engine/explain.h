// How a call runs, told: Engine::explain and Engine::diverges.
#pragma once

#include <optional>
#include <vector>

#include "engine/engine_state.h"
#include "torchweld/engine.h"

namespace torchweld {

Explanation explain(EngineState* engine, const std::vector<c10::IValue>& inputs);

std::optional<Divergence> diverges(EngineState* engine, const std::vector<c10::IValue>& inputs,
                                   double rtol, double atol);

}  // namespace torchweld
