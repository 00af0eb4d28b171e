#include "cli/input_spec.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <vector>

#include "loader/dtypes.h"
#include "torchweld/error.h"

namespace torchweld::cli {
namespace {

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw Error(ErrorCode::kBadText, fmt::format("--input \"{}\": {}; write for example "
                                               "f32[1,3,224,224], i64[1,12]:0..30000, f32[4]:0..1, "
                                               "bool:true, int:16000, float:0.5, str:text or none",
                                               text, why));
}

/// The whole of `text` as a number, or nothing.
template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// What fills a tensor.
struct Fill {
  std::optional<double> low,
      high;  ///< both: a range; low alone: a constant; neither: the type's default
};

Fill parse_fill(const std::string& text, std::string_view fill) {
  const size_t dots = fill.find("..");
  Fill result;
  if (dots == std::string_view::npos) {
    result.low = number<double>(fill);
    if (!result.low)
      refuse(text, fmt::format("\"{}\" is neither a number nor a range LOW..HIGH", fill));
    return result;
  }
  result.low = number<double>(fill.substr(0, dots));
  result.high = number<double>(fill.substr(dots + 2));
  if (!result.low || !result.high)
    refuse(text, fmt::format("the range \"{}\" is not LOW..HIGH", fill));
  if (*result.low >= *result.high) refuse(text, fmt::format("the range \"{}\" is empty", fill));
  return result;
}

std::vector<int64_t> parse_shape(const std::string& text, std::string_view inside) {
  std::vector<int64_t> shape;
  while (!inside.empty()) {
    const size_t comma = std::min(inside.find(','), inside.size());
    std::string_view size = inside.substr(0, comma);
    while (size.starts_with(' ')) size.remove_prefix(1);
    while (size.ends_with(' ')) size.remove_suffix(1);
    const auto value = number<int64_t>(size);
    if (!value || *value < 0) refuse(text, fmt::format("\"{}\" is not a size", size));
    shape.push_back(*value);
    if (comma + 1 == inside.size()) refuse(text, "a size is missing after the last comma");
    inside.remove_prefix(std::min(comma + 1, inside.size()));
  }
  return shape;
}

at::Tensor filled(const std::string& text, DType dtype, const std::vector<int64_t>& shape,
                  const Fill& fill) {
  const auto options = at::TensorOptions().dtype(scalar_type_of(dtype));
  if (fill.low && !fill.high) return at::full(shape, *fill.low, options);
  at::Tensor tensor = at::empty(shape, options);
  if (dtype == DType::kBool) {
    if (fill.low) refuse(text, "a bool tensor takes no range");
    return tensor.random_(0, 2);
  }
  if (is_floating(dtype))
    return fill.low ? tensor.uniform_(*fill.low, *fill.high) : tensor.normal_();
  const auto low = static_cast<int64_t>(fill.low.value_or(0)),
             high = static_cast<int64_t>(fill.high.value_or(10));
  return tensor.random_(low, high);
}

at::Tensor parse_tensor(const std::string& text, size_t bracket) {
  const std::string name = text.substr(0, bracket);
  const auto dtype = parse_dtype(name);
  if (!dtype || !is_computed_on(*dtype)) {
    refuse(text, fmt::format(
                     "\"{}\" is no element type; they are f32 f64 f16 bf16 i64 i32 i16 i8 u8 bool",
                     name));
  }
  const size_t end = text.find(']', bracket);
  if (end == std::string::npos) refuse(text, "the closing ] is missing");
  const auto shape =
      parse_shape(text, std::string_view(text).substr(bracket + 1, end - bracket - 1));
  const std::string_view rest = std::string_view(text).substr(end + 1);
  if (rest.empty()) return filled(text, *dtype, shape, {});
  if (rest[0] != ':')
    refuse(text,
           fmt::format("\"{}\" after the shape; expected a colon and a number or range", rest));
  return filled(text, *dtype, shape, parse_fill(text, rest.substr(1)));
}

c10::IValue parse_scalar(const std::string& text, std::string_view kind, const std::string& value) {
  if (kind == "str") return value;
  if (kind == "bool") {
    if (value == "true" || value == "1") return true;
    if (value == "false" || value == "0") return false;
    refuse(text, "a bool is true or false");
  }
  if (kind == "int") {
    if (const auto parsed = number<int64_t>(value)) return *parsed;
    refuse(text, fmt::format("\"{}\" is not an integer", value));
  }
  if (kind == "float") {
    if (const auto parsed = number<double>(value)) return *parsed;
    refuse(text, fmt::format("\"{}\" is not a number", value));
  }
  refuse(text, fmt::format("\"{}\" is no kind of value", kind));
}

}  // namespace

const char* const kInputSpecHelp =
    "one input, in order; repeat for more. f32[1,3,8,8] (normal), f32[4]:0..1 (uniform), "
    "i64[1,12]:0..30000, "
    "f32[2]:1.5 (constant), bool:true, int:16000, float:0.5, str:text, none";

c10::IValue parse_input(const std::string& text) {
  if (text == "none") return {};
  const size_t bracket = text.find('['), colon = text.find(':');
  if (bracket != std::string::npos && bracket < colon) return parse_tensor(text, bracket);
  if (colon == std::string::npos) refuse(text, "neither TYPE[SIZES] nor KIND:VALUE");
  return parse_scalar(text, std::string_view(text).substr(0, colon), text.substr(colon + 1));
}

}  // namespace torchweld::cli
