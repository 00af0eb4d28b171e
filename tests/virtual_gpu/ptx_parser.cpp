// Modules from PTX text.
#include <algorithm>
#include <cstring>

#include "tests/virtual_gpu/ptx.h"
#include "tests/virtual_gpu/ptx_module.h"
#include "tests/virtual_gpu/ptx_reader.h"

namespace torchweld::virtual_gpu {
namespace {

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text), in_(text) {}

  Ptx run() {
    find_functions();
    while (!in_.at_end()) top_level();
    return std::move(ptx_);
  }

 private:
  void top_level() {
    const std::string word = in_.word();
    if (word == ".version" || word == ".target" || word == ".address_size" || word == ".file")
      return in_.skip_line();
    if (word == ".section") return in_.skip_past('}');
    if (word == ".visible" || word == ".extern" || word == ".weak" || word == ".noreturn") return;
    if (word == ".shared")
      return declare_shared(in_, &module_.shared, &module_.shared_bytes, &module_.symbols);
    if (word == ".global" || word == ".const") return declare_global();
    if (word == ".func") return remember_function();
    if (word == ".entry") {
      Kernel kernel = read_kernel(in_, module_);
      ptx_.kernels[kernel.name] = std::move(kernel);
      return;
    }
    in_.fail("the interpreter doesn't know '" + word + "' outside of kernels");
  }

  void declare_global() {
    const Declaration d = read_declaration(in_);
    auto& memory = ptx_.globals[d.name];
    memory = std::make_unique<std::vector<char>>(static_cast<size_t>(d.bytes()) + 16);
    module_.symbols[d.name].value = reinterpret_cast<uint64_t>(memory->data());
    if (in_.accept("=")) {
      char* to = memory->data();
      const auto one = [&] {
        const uint64_t value = in_.number();
        std::memcpy(to, &value, static_cast<size_t>(size_of(d.type)));
        to += size_of(d.type);
      };
      if (in_.accept("{")) {
        do one();
        while (in_.accept(","));
        in_.expect("}");
      } else {
        one();
      }
    }
    in_.expect(";");
  }

  std::vector<FunctionText::Parameter> function_parameters() {
    std::vector<FunctionText::Parameter> list;
    if (!in_.accept("(")) return list;
    while (!in_.accept(")")) {
      in_.accept(",");
      in_.word();  // .param
      const Declaration d = read_declaration(in_);
      list.push_back({d.name, d.bytes()});
    }
    return list;
  }

  /// Kernels call functions that are defined behind them.
  void find_functions() {
    int line = 1;
    size_t from = 0;
    for (size_t at = text_.find(".func"); at != std::string::npos;
         at = text_.find(".func", at + 1)) {
      line += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(from),
                                          text_.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
      from = at;
      in_.go_to(at, line);
      in_.word();
      remember_function();
    }
    in_.go_to(0, 1);
  }

  void remember_function() {
    FunctionText f;
    f.results = function_parameters();
    const std::string name = in_.word();
    f.parameters = function_parameters();
    while (in_.peek() != '{' && in_.peek() != ';') in_.word();
    if (in_.accept(";")) return;  // declared only
    f.body = in_.position();
    f.line = in_.line();
    in_.expect("{");
    for (int depth = 1; depth > 0;) {
      const char c = in_.peek();
      in_.skip_past(c);
      depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    }
    module_.functions[name] = f;
  }

  const std::string& text_;
  PtxReader in_;
  Ptx ptx_;
  ModuleScope module_;
};

}  // namespace

Declaration read_declaration(PtxReader& in) {
  Declaration d;
  for (;;) {
    const std::string word = in.word();
    if (word == ".align") {
      d.align = static_cast<int64_t>(in.number());
    } else if (!word.empty() && word[0] == '.') {
      if (const Type t = type_named(word.substr(1)); t != Type::kNone) d.type = t;
    } else {
      d.name = word;
      break;
    }
  }
  d.align = std::max<int64_t>(d.align, size_of(d.type));
  while (in.accept("[")) {
    d.is_array = true;
    if (in.accept("]")) {
      d.has_count = false;
      d.count = 0;
      continue;
    }
    d.count *= static_cast<int64_t>(in.number());
    in.expect("]");
  }
  return d;
}

void declare_shared(PtxReader& in, std::vector<SharedVariable>* list, int64_t* top,
                    std::map<std::string, Symbol>* symbols) {
  const Declaration d = read_declaration(in);
  if (!d.has_count) {
    list->push_back({d.name, 0, 0, true});
    (*symbols)[d.name] = {0, true};
  } else {
    *top = aligned(*top + kSharedRedzone, std::max<int64_t>(d.align, 16));
    list->push_back({d.name, *top, d.bytes(), false});
    (*symbols)[d.name] = {static_cast<uint64_t>(*top), false};
    *top += d.bytes();
  }
  in.expect(";");
}

Ptx parse_ptx(const std::string& text) { return Parser(text).run(); }

}  // namespace torchweld::virtual_gpu
