#include "fusion/einsum_equation.h"

#include <algorithm>

namespace torchweld {
namespace {

constexpr std::string_view kDots = "...";

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

/// Letters that the equation doesn't use.
std::string free_letters(const std::string& equation) {
  std::string letters;
  for (const char first : {'A', 'a'}) {
    for (char c = first; c < first + 26; ++c) {
      if (equation.find(c) == std::string::npos) letters += c;
    }
  }
  return letters;
}

/// How many dims "..." stands for in a tensor of this rank; 0 without dots, -1 where the rest
/// doesn't fit.
int64_t dotted(const std::string& labels, size_t rank) {
  const bool dots = labels.find(kDots) != std::string::npos;
  const int64_t rest = static_cast<int64_t>(labels.size() - (dots ? kDots.size() : 0));
  const int64_t left = static_cast<int64_t>(rank) - rest;
  return dots || left == 0 ? left : -1;
}

void replace_dots(std::string* labels, const std::string& letters) {
  if (const size_t at = labels->find(kDots); at != std::string::npos)
    labels->replace(at, kDots.size(), letters);
}

bool are_letters(const std::string& labels) {
  return std::all_of(labels.begin(), labels.end(), [](char c) { return std::isalpha(c) != 0; });
}

/// The letters that stand once in all operands together, in ATen's order: capitals first.
std::string implied_result(const std::vector<std::string>& operands, const std::string& dims) {
  std::string all, once;
  for (const std::string& labels : operands) all += labels;
  for (const char c : all) {
    if (std::count(all.begin(), all.end(), c) == 1 && dims.find(c) == std::string::npos) once += c;
  }
  std::sort(once.begin(), once.end());
  return dims + once;
}

}  // namespace

std::string EinsumEquation::text() const {
  std::string text;
  for (const std::string& labels : operands) text += (text.empty() ? "" : ",") + labels;
  return text + "->" + result;
}

std::optional<EinsumEquation> equation_of(const Graph& graph, const Node& node) {
  if (node.op != "aten::einsum" || node.outputs.size() != 1 || node.args.size() < 2)
    return std::nullopt;
  const auto* given = std::get_if<std::string>(&node.args[0].value);
  const auto* list = node.args[1].tensor_list();
  if (given == nullptr || list == nullptr) return std::nullopt;
  std::string text = *given;
  std::erase(text, ' ');
  const size_t arrow = text.find("->");
  EinsumEquation e{split(text.substr(0, arrow)), ""};
  if (e.operands.size() != list->ids.size()) return std::nullopt;
  const auto rank = [&](ValueId id) { return graph.value(id).sizes.size(); };

  std::vector<int64_t> counts;
  for (size_t i = 0; i < list->ids.size(); ++i)
    counts.push_back(dotted(e.operands[i], rank(list->ids[i])));
  const auto [fewest, most] = std::minmax_element(counts.begin(), counts.end());
  const std::string spare = free_letters(text);
  if (*fewest < 0 || static_cast<size_t>(*most) > spare.size()) return std::nullopt;
  // The dims behind the dots are aligned at their last one.
  const std::string dims = spare.substr(0, static_cast<size_t>(*most));
  for (size_t i = 0; i < counts.size(); ++i)
    replace_dots(&e.operands[i], dims.substr(dims.size() - static_cast<size_t>(counts[i])));
  if (arrow == std::string::npos) {
    e.result = implied_result(e.operands, dims);
  } else {
    e.result = text.substr(arrow + 2);
    replace_dots(&e.result, dims);
  }

  std::string sorted = e.result;
  std::sort(sorted.begin(), sorted.end());
  const bool fits = e.result.size() == rank(node.outputs[0]) && are_letters(e.result) &&
                    std::all_of(e.operands.begin(), e.operands.end(), are_letters) &&
                    std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
  return fits ? std::optional(std::move(e)) : std::nullopt;
}

}  // namespace torchweld
