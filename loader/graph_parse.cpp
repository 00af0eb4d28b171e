// Parsing of graph text. The grammar: graph_text.h.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "loader/graph_text.h"
#include "torchweld/error.h"

namespace torchweld {
namespace {

/// Reads one graph; every member either consumes what it names or throws.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Graph parse() {
    expect("graph(");
    while (!accept(")")) {
      const ValueId id = definition();
      set_kind(id, Storage::Kind::kInput, static_cast<int>(graph_.inputs.size()));
      graph_.inputs.push_back(id);
      accept(",");
    }
    expect(":");
    while (!ending()) statement();
    skip_space();
    if (at_ < text_.size()) fail("the end of the text");
    return std::move(graph_);
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    const auto line =
        std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n') + 1;
    throw Error(ErrorCode::kBadText,
                fmt::format("graph text, line {}: expected {} before \"{}\"", line, expected,
                            text_.substr(at_, text_.find('\n', at_) - at_)));
  }

  void skip_space(bool newlines = true) {
    while (at_ < text_.size() && (text_[at_] == ' ' || (newlines && text_[at_] == '\n'))) ++at_;
  }

  bool accept(std::string_view token) {
    skip_space();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }

  void expect(std::string_view token) {
    if (!accept(token)) fail(fmt::format("\"{}\"", token));
  }

  int64_t integer() {
    skip_space();
    if (at_ < text_.size() && text_[at_] == '+') ++at_;
    int64_t v = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), v);
    if (error != std::errc()) fail("an integer");
    at_ = static_cast<size_t>(end - text_.data());
    return v;
  }

  double real() {
    skip_space();
    double v = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), v);
    if (error != std::errc()) fail("a number");
    at_ = static_cast<size_t>(end - text_.data());
    return v;
  }

  std::string word(std::string_view extra) {
    skip_space();
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
                                  extra.find(text_[at_]) != std::string_view::npos))
      ++at_;
    if (begin == at_) fail("a name");
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::vector<int64_t> integers(char close) {
    std::vector<int64_t> out;
    while (!accept(std::string_view(&close, 1))) {
      out.push_back(integer());
      accept(",");
    }
    return out;
  }

  ValueId reference() {
    if (accept("undefined")) return kNone;
    expect("%");
    const int64_t number = integer();
    const auto it = ids_.find(number);
    if (it == ids_.end()) fail(fmt::format("a value defined earlier than %{}", number));
    return it->second;
  }

  ValueId definition() {
    expect("%");
    const int64_t number = integer();
    expect(":");
    Value v;
    const std::string dtype = word("");
    const auto parsed = parse_dtype(dtype);
    if (!parsed) fail(fmt::format("a dtype instead of {}", dtype));
    v.dtype = *parsed;
    expect("[");
    v.sizes = integers(']');
    v.strides = accept("{") ? integers('}') : contiguous_strides(v.sizes);
    v.opaque = accept("opaque");
    place(&v);
    if (accept("is ")) {
      v.has_scalar = true;
      v.scalar = real();
    }
    const ValueId id = graph_.add(std::move(v));
    ids_[number] = id;
    return id;
  }

  void place(Value* v) {
    if (accept("@")) {
      const ValueId base = reference();
      v->storage = graph_.value(base).storage;
      v->offset = graph_.value(base).offset;
    } else {
      v->storage = graph_.add(Storage{.kind = Storage::Kind::kLocal,
                                      .index = kNone,
                                      .bytes = extent_bytes(*v),
                                      .derived = false});
    }
    skip_space();
    if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) v->offset += integer();
  }

  void set_kind(ValueId id, Storage::Kind kind, int index) {
    Storage& storage = graph_.storages[static_cast<size_t>(graph_.value(id).storage)];
    storage.kind = kind;
    storage.index = index;
  }

  bool ending() {
    const std::pair<std::string_view, Ending::Kind> kinds[] = {
        {"return", Ending::Kind::kReturn},
        {"continue_on_value", Ending::Kind::kHostRead},
        {"continue_on_shape", Ending::Kind::kDynamicShape},
        {"continue_joined", Ending::Kind::kJoin}};
    for (const auto& [token, kind] : kinds) {
      if (!accept(token)) continue;
      graph_.ending.kind = kind;
      skip_space(false);
      while (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '#') {
        graph_.outputs.push_back(reference());
        if (text_.substr(at_, 1) == ",") ++at_;
        skip_space(false);
      }
      graph_.ending.source = comment();
      return true;
    }
    return false;
  }

  std::string comment() {
    skip_space(false);
    if (text_.substr(at_, 2) != "# ") return "";
    const size_t end = std::min(text_.find('\n', at_), text_.size());
    std::string out(text_.substr(at_ + 2, end - at_ - 2));
    at_ = end;
    return out;
  }

  void statement() {
    Node node;
    const bool setup = accept("setup ");
    const std::vector<ValueId> left = left_side(&node);
    if (accept("constant(") || accept("derived(")) {
      const bool derived = text_.substr(at_ - 8, 8) == "derived(";
      if (left.size() != 1) fail("one value for a constant");
      set_kind(left[0], Storage::Kind::kConstant, static_cast<int>(integer()));
      graph_.storages[static_cast<size_t>(graph_.value(left[0]).storage)].derived = derived;
      graph_.constants.push_back(left[0]);
      expect(")");
      return;
    }
    const size_t mark = at_;
    skip_space();
    if (text_.substr(at_, 1) == "%") {
      at_ = mark;
      do {
        node.writes.push_back(reference());
      } while (accept(","));
      expect("<-");
    }
    node.op = word(":_.");
    expect("(");
    while (!accept(")")) {
      node.args.push_back(argument());
      accept(",");
    }
    node.draws = accept("draws");
    node.pure = !node.draws && node.writes.empty();
    node.reads_host = accept("reads_host");
    node.source = comment();
    if (!setup) return graph_.nodes.push_back(std::move(node));
    set_kind(node.outputs[0], Storage::Kind::kConstant, static_cast<int>(graph_.constants.size()));
    graph_.constants.push_back(node.outputs[0]);
    graph_.setup.push_back(std::move(node));
  }

  /// The values before an equals sign: definitions, or values known already; none when the
  /// statement has no results.
  std::vector<ValueId> left_side(Node* node) {
    skip_space();
    const size_t end = std::min(text_.find('\n', at_), text_.size());
    const size_t equals = text_.substr(0, end).find(" = ", at_);
    const size_t open = text_.substr(0, end).find('(', at_);
    if (equals == std::string_view::npos || open < equals) return {};
    while (!accept("= ")) {
      if (accept("_")) {
        node->outputs.push_back(kNone);
      } else {
        const size_t mark = at_;
        expect("%");
        integer();
        const bool is_new = text_.substr(at_, 1) == ":";
        at_ = mark;
        node->outputs.push_back(is_new ? definition() : reference());
      }
      accept(",");
    }
    return node->outputs;
  }

  Arg argument() {
    skip_space();
    if (accept("none")) return {};
    if (accept("true")) return {true};
    if (accept("false")) return {false};
    if (accept("tensors[]")) return {Arg::TensorList{}};
    if (accept("floats[")) return {floats()};
    if (accept("bools[")) return {bools()};
    if (accept("device:")) return {Arg::Device{word(":")}};
    if (accept("opaque(")) {
      const Arg::Opaque opaque{static_cast<int>(integer())};
      expect(")");
      return {opaque};
    }
    if (accept("\"")) return {string()};
    if (text_.substr(at_, 1) == "%" || text_.substr(at_, 9) == "undefined")
      return {Arg::Tensor{reference()}};
    if (accept("[")) return list();
    return number();
  }

  Arg number() {
    const size_t begin = at_;
    const double v = real();
    const std::string_view token = text_.substr(begin, at_ - begin);
    if (token.find_first_of(".einf") != std::string_view::npos) return {v};
    at_ = begin;
    return {integer()};
  }

  Arg list() {
    skip_space();
    if (text_.substr(at_, 1) != "%" && text_.substr(at_, 9) != "undefined") return {integers(']')};
    Arg::TensorList out;
    while (!accept("]")) {
      out.ids.push_back(reference());
      accept(",");
    }
    return {out};
  }

  Arg::Floats floats() {
    Arg::Floats out;
    while (!accept("]")) {
      out.push_back(real());
      accept(",");
    }
    return out;
  }

  Arg::Bools bools() {
    Arg::Bools out;
    while (!accept("]")) {
      out.push_back(accept("true"));
      if (!out.back()) expect("false");
      accept(",");
    }
    return out;
  }

  std::string string() {
    std::string out;
    while (at_ < text_.size() && text_[at_] != '"') {
      const bool escaped = text_[at_] == '\\' && at_ + 1 < text_.size();
      if (escaped) ++at_;
      out += escaped && text_[at_] == 'n' ? '\n' : text_[at_];
      ++at_;
    }
    expect("\"");
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
  Graph graph_;
  std::map<int64_t, ValueId> ids_;
};

}  // namespace

Graph parse_graph(std::string_view text) { return Parser(text).parse(); }

}  // namespace torchweld
