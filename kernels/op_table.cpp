// Look-up in the table and the frame around each row's definition.
#include "kernels/op_table.h"

#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/op_call.h"

namespace torchweld {
namespace {

struct Definition {
  Types types;
  unsigned promoting;  // bit i: argument i takes part in promotion
  Expr (*define)(OpCall&);
};

struct Table {
  std::vector<OpRow> rows;
  std::vector<Definition> definitions;
  std::unordered_map<std::string_view, const OpRow*> by_schema;
};

// Abbreviations for the rows of ops.def.
constexpr Tolerance ulp(double n) { return {n, 0}; }
constexpr Tolerance ulp_or(double n, double absolute) { return {n, absolute}; }
constexpr Tolerance kExactly = {0, 0};

Table make_table() {
  Table table;
  const auto add = [&table](const char* name, const char* schemas, Types types, unsigned promoting,
                            Tolerance tolerance, const char* source, Expr (*define)(OpCall&)) {
    const int index = static_cast<int>(table.rows.size());
    table.rows.push_back({name, schemas, tolerance, source, index});
    table.definitions.push_back({types, promoting, define});
  };
#define OP(name, schemas, types, promoting, tolerance, source, ...) \
  add(name, schemas, Types::types, promoting, tolerance, source,    \
      [](OpCall& op) -> Expr { __VA_ARGS__; });
#include "kernels/ops.def"
#undef OP
  for (const OpRow& row : table.rows) {
    for (std::string_view rest = row.schemas; !rest.empty();) {
      const size_t blank = rest.find(' ');
      table.by_schema.emplace(rest.substr(0, blank), &row);
      rest = blank == std::string_view::npos ? std::string_view() : rest.substr(blank + 1);
    }
  }
  return table;
}

const Table& table() {
  static const Table instance = make_table();
  return instance;
}

}  // namespace

std::span<const OpRow> all_ops() { return table().rows; }

std::string functional_name(const std::string& op) {
  // The overloads of these are named otherwise.
  if (op == "aten::pow_.Scalar") return "aten::pow.Tensor_Scalar";
  if (op == "aten::pow_.Tensor") return "aten::pow.Tensor_Tensor";
  if (op == "aten::floor_divide_.Tensor") return "aten::floor_divide";
  const size_t dot = op.find('.');
  const std::string base = op.substr(0, dot);
  if (base.size() < 2 || base.back() != '_' || base[base.size() - 2] == '_') return op;
  return base.substr(0, base.size() - 1) + (dot == std::string::npos ? "" : op.substr(dot));
}

const OpRow* find_op(std::string_view schema) {
  constexpr std::string_view kPrefix = "aten::";
  if (!schema.starts_with(kPrefix)) return nullptr;
  const auto& by_schema = table().by_schema;
  const auto known = by_schema.find(schema.substr(kPrefix.size()));
  if (known != by_schema.end()) return known->second;
  const std::string functional = functional_name(std::string(schema));
  const auto it = by_schema.find(std::string_view(functional).substr(kPrefix.size()));
  return it == by_schema.end() ? nullptr : it->second;
}

std::optional<int16_t> emit_op(BodyBuilder& body, const OpRow& row, std::span<const OpArg> args,
                               DType out_dtype, std::string* why) {
  for (const OpArg& arg : args) {
    if (arg.kind == OpArg::Kind::kTensor && !is_computed_on(arg.dtype)) {
      *why = "an argument has a dtype that kernels do not compute on";
      return std::nullopt;
    }
  }
  const Definition& definition = table().definitions[static_cast<size_t>(row.index)];
  OpCall call(body, args, out_dtype, definition.types, definition.promoting);
  if (!is_computed_on(out_dtype) || !is_computed_on(call.dtype())) {
    *why = "the result has a dtype that kernels do not compute on";
    return std::nullopt;
  }
  body.begin_op();
  const Expr result = definition.define(call);
  if (!call.failure().empty()) {
    *why = call.failure();
    return std::nullopt;
  }
  // Rounds to the type of the computation first: an in-place op may store to a narrower one.
  int16_t value = result.value;
  if (body.type_of(value) != DType::kBool && call.dtype() != DType::kBool) {
    value = body.settle(value, call.dtype());
  }
  return body.settle(value, out_dtype);
}

}  // namespace torchweld
