#include "cli/value_text.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "loader/dtypes.h"

namespace torchweld::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kShownElements = 8;

struct Summary {
  double smallest, largest, mean;
};

/// Nothing for tensors without elements or whose elements have no order.
std::optional<Summary> summary(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.numel() == 0 || tensor.is_complex()) return std::nullopt;
  at::Tensor dense = tensor.layout() == at::kStrided ? tensor : tensor.to_dense();
  if (dense.is_quantized()) dense = dense.dequantize();
  dense = dense.to(at::kDouble);
  return Summary{dense.min().item<double>(), dense.max().item<double>(),
                 dense.mean().item<double>()};
}

std::string dtype_text(const at::Tensor& tensor) {
  const DType dtype = dtype_of(tensor.scalar_type());
  return std::string(dtype == DType::kOther ? c10::toString(tensor.scalar_type()) : name_of(dtype));
}

std::string scalar_text(const c10::IValue& value) {
  if (value.isString()) return '"' + value.toStringRef() + '"';
  std::ostringstream out;
  out << value;
  return out.str();
}

std::string tensor_text(const at::Tensor& tensor) {
  if (!tensor.defined()) return "undefined tensor";
  const auto s = summary(tensor);
  if (!s) return type_text(tensor);
  if (tensor.numel() == 1) return fmt::format("{}  {:.6g}", type_text(tensor), s->mean);
  return fmt::format("{}  min {:.6g}  max {:.6g}  mean {:.6g}", type_text(tensor), s->smallest,
                     s->largest, s->mean);
}

void append(std::string& text, const c10::IValue& value, const std::string& label, int depth) {
  const std::string indent(2 * depth, ' ');
  const auto open = [&](const char* kind, size_t count) {
    text += fmt::format("{}{}{} of {}\n", indent, label, kind, count);
  };
  if (value.isTensor()) {
    text += fmt::format("{}{}{}\n", indent, label, tensor_text(value.toTensor()));
  } else if (value.isTuple() || value.isList()) {
    const auto items =
        value.isTuple() ? value.toTupleRef().elements().vec() : value.toListRef().vec();
    open(value.isTuple() ? "tuple" : "list", items.size());
    for (size_t i = 0; i < items.size(); ++i)
      append(text, items[i], fmt::format("[{}] ", i), depth + 1);
  } else if (value.isGenericDict()) {
    open("dict", value.toGenericDict().size());
    for (const auto& entry : value.toGenericDict()) {
      append(text, entry.value(), fmt::format("[{}] ", scalar_text(entry.key())), depth + 1);
    }
  } else {
    text += fmt::format("{}{}{} {}\n", indent, label, value.tagKind(), scalar_text(value));
  }
}

/// JSON has no NaN and no infinities: they become strings.
Json number_json(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

Json tensor_json(const at::Tensor& tensor) {
  if (!tensor.defined()) return nullptr;
  Json json{{"tensor", dtype_text(tensor)}, {"shape", tensor.sizes().vec()}};
  const auto s = summary(tensor);
  if (!s) return json;
  json["min"] = number_json(s->smallest);
  json["max"] = number_json(s->largest);
  json["mean"] = number_json(s->mean);
  if (tensor.layout() != at::kStrided || tensor.is_quantized()) return json;
  const at::Tensor first =
      tensor.reshape({-1}).narrow(0, 0, std::min(tensor.numel(), kShownElements)).to(at::kDouble);
  for (int64_t i = 0; i < first.numel(); ++i)
    json["first"].push_back(number_json(first[i].item<double>()));
  return json;
}

}  // namespace

std::string type_text(const at::Tensor& tensor) {
  return fmt::format("{}[{}]", dtype_text(tensor), fmt::join(tensor.sizes(), ","));
}

std::string value_text(const c10::IValue& value) {
  std::string text;
  append(text, value, "", 0);
  return text;
}

nlohmann::ordered_json value_json(const c10::IValue& value) {
  if (value.isTensor()) return tensor_json(value.toTensor());
  if (value.isInt()) return value.toInt();
  if (value.isBool()) return value.toBool();
  if (value.isDouble()) return number_json(value.toDouble());
  if (value.isString()) return value.toStringRef();
  if (value.isNone()) return nullptr;
  if (value.isTuple() || value.isList()) {
    Json json = Json::array();
    const auto items =
        value.isTuple() ? value.toTupleRef().elements().vec() : value.toListRef().vec();
    for (const c10::IValue& item : items) json.push_back(value_json(item));
    return json;
  }
  if (value.isGenericDict()) {
    Json json = Json::object();
    for (const auto& entry : value.toGenericDict()) {
      const std::string key =
          entry.key().isString() ? entry.key().toStringRef() : scalar_text(entry.key());
      json[key] = value_json(entry.value());
    }
    return json;
  }
  return scalar_text(value);
}

}  // namespace torchweld::cli
