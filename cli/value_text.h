// Values as a person and as a program reads them.
#pragma once

#include <ATen/core/ivalue.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace torchweld::cli {

/// "f32[1,1000]"; a type that kernels don't know by LibTorch's name.
std::string type_text(const at::Tensor& tensor);

/// One line for each tensor or scalar, indented as the structure nests: type, smallest, largest and
/// mean element.
std::string value_text(const c10::IValue& value);

/// The same as JSON: {"tensor": "f32", "shape": [...], "min": ..., ...}, arrays, objects and
/// scalars.
nlohmann::ordered_json value_json(const c10::IValue& value);

}  // namespace torchweld::cli
