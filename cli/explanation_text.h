// An Explanation as text, as JSON and as a Graphviz drawing.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "torchweld/explanation.h"

namespace torchweld::cli {

/// What a person reads; `with_graph` adds the recorded graphs.
std::string explanation_text(const Explanation& explanation, bool with_graph);

/// Every member of the explanation under its own name.
nlohmann::ordered_json explanation_json(const Explanation& explanation);

/// The steps as boxes coloured by kind, one cluster a block, in Graphviz's language.
std::string explanation_dot(const Explanation& explanation);

/// Draws Graphviz text to an SVG file.
///
/// Throws  Error: kFile when the file can't be written, kInternal when Graphviz refuses the text.
void write_svg(const std::string& dot, const std::string& path);

}  // namespace torchweld::cli
