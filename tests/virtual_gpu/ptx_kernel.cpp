// Kernels from PTX text. A function that a kernel calls becomes part of the kernel's code: PTX has
// no recursion here, so its registers and parameters have fixed places.
#include <algorithm>

#include "tests/virtual_gpu/decode.h"
#include "tests/virtual_gpu/ptx_module.h"

namespace torchweld::virtual_gpu {
namespace {

constexpr int64_t kDynamicAlign = 1024;  // what the strictest extern declaration asks for

/// A function that the kernel calls, in the kernel's code.
struct Callee {
  int entry = -1;
  std::vector<uint64_t> results, parameters;  // offsets in local memory
};

class KernelReader {
 public:
  KernelReader(PtxReader& in, const ModuleScope& module, Kernel* kernel)
      : in_(in), module_(module), kernel_(kernel), symbols_(module.symbols) {}

  void run() {
    kernel_->name = in_.word();
    kernel_->shared_bytes = module_.shared_bytes;
    kernel_->shared = module_.shared;
    if (in_.accept("(")) {
      while (!in_.accept(")")) {
        in_.accept(",");
        in_.word();  // .param
        parameter(read_declaration(in_));
      }
    }
    while (in_.peek() != '{') {
      if (in_.word() == ".maxntid") {
        kernel_->most_threads = static_cast<int>(in_.number());
        while (in_.accept(",")) kernel_->most_threads *= static_cast<int>(in_.number());
      } else {
        in_.skip_line();
      }
    }
    body();
    instantiate_callees();
    kernel_->shared_bytes = aligned(kernel_->shared_bytes + kSharedRedzone, kDynamicAlign);
    place_dynamic_shared();
  }

 private:
  void parameter(const Declaration& d) {
    int64_t& top = kernel_->parameter_bytes;
    top = aligned(top, d.align);
    symbols_[d.name] = {static_cast<uint64_t>(top)};
    kernel_->parameter_offsets.push_back(top);
    kernel_->parameter_sizes.push_back(d.bytes());
    top += d.bytes();
  }

  uint64_t local_memory(const Declaration& d) {
    int64_t& top = kernel_->local_bytes;
    top = aligned(top, std::max<int64_t>(d.align, 16));
    const auto at = static_cast<uint64_t>(top);
    top += d.bytes();
    return at;
  }

  /// Statements between braces. Scopes nest, but NVRTC gives every name once.
  void body() {
    in_.expect("{");
    registers_.assign(1, {});
    labels_.clear();
    const size_t first = kernel_->code.size();
    for (int depth = 1; depth > 0;) {
      if (in_.accept("{")) {
        ++depth;
        registers_.emplace_back();
      } else if (in_.accept("}")) {
        --depth;
        registers_.pop_back();
      } else {
        statement();
      }
    }
    for (size_t i = first; i < kernel_->code.size(); ++i) resolve(&kernel_->code[i]);
  }

  void statement() {
    const int line = in_.line();
    Instruction instruction;
    if (in_.accept("@")) {
      instruction.guard_negated = in_.accept("!");
      instruction.guard = operand().reg;
    }
    const std::string word = in_.word();
    if (in_.peek() == ':') {
      in_.expect(":");
      if (in_.peek() == '.' && branch_table(word)) return;
      labels_[word] = static_cast<int>(kernel_->code.size());
      return;
    }
    if (word == ".pragma") return in_.skip_past(';');
    if (word == ".reg") return declare_registers();
    if (word == ".loc") {
      in_.number();
      source_ = static_cast<int>(in_.number());
      return in_.skip_line();
    }
    if (word == ".shared")
      return declare_shared(in_, &kernel_->shared, &kernel_->shared_bytes, &symbols_);
    if (word == ".local" || word == ".param") {
      const Declaration d = read_declaration(in_);
      symbols_[d.name] = {local_memory(d)};
      if (word == ".param") call_slots_[d.name] = true;
      return in_.expect(";");
    }
    instruction.line = line;
    instruction.source = source_;
    finish(word, &instruction);
  }

  /// Registers of the whole body need no declaration here; those of an inner scope hide others of
  /// their name.
  void declare_registers() {
    in_.word();  // the type
    do {
      const std::string name = in_.word();
      if (in_.accept("<")) {
        in_.number();
        in_.expect(">");
      } else {
        registers_.back()[name] = kernel_->registers++;
      }
    } while (in_.accept(","));
    in_.expect(";");
  }

  int register_named(const std::string& name) {
    for (auto scope = registers_.rbegin(); scope != registers_.rend(); ++scope) {
      if (const auto it = scope->find(name); it != scope->end()) return it->second;
    }
    return registers_.front()[name] = kernel_->registers++;
  }

  bool is_register(const std::string& name) const {
    return name[0] == '%' || std::any_of(registers_.begin(), registers_.end(),
                                         [&](const auto& scope) { return scope.contains(name); });
  }

  /// "name: .branchtargets a, b;" false when it is something else.
  bool branch_table(const std::string& name) {
    if (!in_.accept(".branchtargets")) return false;
    do tables_[name].push_back(in_.word());
    while (in_.accept(","));
    in_.expect(";");
    return true;
  }

  void finish(const std::string& word, Instruction* i) {
    size_t begin = 0;
    while (begin <= word.size()) {
      const size_t end = std::min(word.find('.', begin), word.size());
      const std::string part = word.substr(begin, end - begin);
      if (begin == 0) {
        i->op = part;
      } else {
        i->modifiers.push_back(part);
      }
      begin = end + 1;
    }
    read_modifiers(i);
    if (i->op == "call") return call(i);
    if (!in_.accept(";")) {
      do i->operands.push_back(operand());
      while (in_.accept(","));
      in_.expect(";");
    }
    use_call_slots(i);
    decode(i);
    append(std::move(*i));
  }

  void append(Instruction i) {
    i.index = static_cast<int>(kernel_->code.size());
    kernel_->code.push_back(std::move(i));
  }

  /// Parameters of calls lie in local memory.
  void use_call_slots(Instruction* i) {
    if (i->space != Space::kParam) return;
    for (const Operand& o : i->operands) {
      if (o.kind == Operand::Kind::kAddress && call_slots_.contains(o.label))
        i->space = Space::kLocal;
    }
  }

  /// "call.uni (result), function, (arguments);" as copies between slots around a jump.
  void call(Instruction* i) {
    std::vector<uint64_t> results, arguments;
    const auto slots = [&](std::vector<uint64_t>* list) {
      while (!in_.accept(")")) {
        in_.accept(",");
        list->push_back(symbols_[in_.word()].value);
      }
    };
    if (in_.accept("(")) {
      slots(&results);
      in_.expect(",");
    }
    const std::string name = in_.word();
    if (in_.accept(",")) {
      in_.expect("(");
      slots(&arguments);
    }
    in_.expect(";");
    const auto text = module_.functions.find(name);
    if (text == module_.functions.end()) in_.fail("there is no function " + name);
    Callee& callee = callees_[name];
    if (callee.entry < 0 && callee.parameters.empty() && callee.results.empty())
      give_slots(text->second, &callee);
    copy_slots(*i, arguments, callee.parameters, text->second.parameters);
    i->flow = Flow::kCall;
    i->operands.resize(1);
    i->operands[0].label = name;
    append(*i);
    copy_slots(*i, callee.results, results, text->second.results);
  }

  void give_slots(const FunctionText& text, Callee* callee) {
    const auto give = [&](const std::vector<FunctionText::Parameter>& list,
                          std::vector<uint64_t>* slots) {
      for (const auto& p : list)
        slots->push_back(local_memory({p.name, Type::kB8, 8, p.bytes, true, true}));
    };
    give(text.results, &callee->results);
    give(text.parameters, &callee->parameters);
  }

  void copy_slots(const Instruction& at, const std::vector<uint64_t>& from,
                  const std::vector<uint64_t>& to,
                  const std::vector<FunctionText::Parameter>& parameters) {
    for (size_t k = 0; k < from.size() && k < to.size(); ++k) {
      Instruction copy;
      copy.op = "copy_slot";
      copy.line = at.line;
      copy.source = at.source;
      copy.operands.resize(2);
      copy.operands[0].immediate = to[k];
      copy.operands[1].immediate = from[k];
      copy.code = static_cast<int>(parameters[k].bytes);
      copy.guard = at.guard;
      copy.guard_negated = at.guard_negated;
      decode(&copy);
      append(std::move(copy));
    }
  }

  void instantiate_callees() {
    for (bool again = true; again;) {
      again = false;
      for (auto& [name, callee] : callees_) {
        if (callee.entry >= 0) continue;
        const FunctionText& text = module_.functions.at(name);
        callee.entry = static_cast<int>(kernel_->code.size());
        for (size_t k = 0; k < text.results.size(); ++k)
          bind_slot(text.results[k].name, callee.results[k]);
        for (size_t k = 0; k < text.parameters.size(); ++k)
          bind_slot(text.parameters[k].name, callee.parameters[k]);
        const size_t position = in_.position();
        const int line = in_.line();
        in_.go_to(text.body, text.line);
        inside_function_ = true;
        body();
        inside_function_ = false;
        in_.go_to(position, line);
        again = true;  // the body may have called another; the map changed
        break;
      }
    }
    for (Instruction& i : kernel_->code) {
      if (i.flow == Flow::kCall) i.target = callees_.at(i.operands[0].label).entry;
    }
  }

  void bind_slot(const std::string& name, uint64_t slot) {
    symbols_[name] = {slot};
    call_slots_[name] = true;
  }

  void resolve(Instruction* i) {
    const auto label = [&](const std::string& name) {
      const auto it = labels_.find(name);
      if (it == labels_.end()) in_.fail("there is no label " + name);
      return it->second;
    };
    if (i->flow == Flow::kBranch) i->target = label(i->operands[0].label);
    if (i->flow == Flow::kTable) {
      for (const std::string& name : tables_[i->operands[1].label]) i->table.push_back(label(name));
    }
    if (i->flow == Flow::kExit && i->op == "ret" && inside_function_) i->flow = Flow::kReturn;
  }

  void place_dynamic_shared() {
    const auto place = [this](auto&& self, Operand* o) -> void {
      if (o->dynamic_shared) o->immediate += static_cast<uint64_t>(kernel_->shared_bytes);
      o->dynamic_shared = false;
      for (Operand& e : o->elements) self(self, &e);
    };
    for (Instruction& i : kernel_->code) {
      for (Operand& o : i.operands) place(place, &o);
    }
    for (SharedVariable& v : kernel_->shared) {
      if (v.dynamic) v.offset = kernel_->shared_bytes;
    }
  }

  Operand operand() {
    Operand o;
    const char c = in_.peek();
    if (in_.accept("{")) {
      o.kind = Operand::Kind::kVector;
      do o.elements.push_back(operand());
      while (in_.accept(","));
      in_.expect("}");
    } else if (in_.accept("[")) {
      o = operand();
      if (o.kind != Operand::Kind::kRegister) o.reg = -1;
      o.kind = Operand::Kind::kAddress;
      if (in_.accept("+")) o.immediate += in_.number();
      if (in_.peek() == '-') o.immediate += in_.number();
      in_.expect("]");
    } else if (in_.accept("!")) {
      o = operand();
      o.negated = true;
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      o.immediate = in_.number();
    } else {
      o = named(in_.word());
    }
    return o;
  }

  Operand named(const std::string& word) {
    Operand o;
    if (word.empty()) in_.fail("expected an operand");
    if (word == "_") {
      o.kind = Operand::Kind::kRegister;
    } else if (special_named(word, &o.special)) {
      o.kind = Operand::Kind::kSpecial;
    } else if (is_register(word)) {
      o.kind = Operand::Kind::kRegister;
      o.reg = register_named(word);
      if (in_.accept("|")) o.second = operand().reg;
    } else if (const auto it = symbols_.find(word); it != symbols_.end()) {
      o.immediate = it->second.value;
      o.dynamic_shared = it->second.dynamic_shared;
      o.label = word;
    } else if (word == "WARP_SZ") {
      o.immediate = 32;
    } else {
      o.kind = Operand::Kind::kLabel;
      o.label = word;
    }
    return o;
  }

  PtxReader& in_;
  const ModuleScope& module_;
  Kernel* kernel_;
  std::map<std::string, Symbol> symbols_;
  std::map<std::string, Callee> callees_;
  std::map<std::string, bool> call_slots_;
  bool inside_function_ = false;
  std::vector<std::map<std::string, int>> registers_;  // by scope, the innermost last
  std::map<std::string, int> labels_;
  std::map<std::string, std::vector<std::string>> tables_;
  int source_ = 0;
};

}  // namespace

Kernel read_kernel(PtxReader& in, const ModuleScope& module) {
  Kernel kernel;
  KernelReader(in, module, &kernel).run();
  return kernel;
}

}  // namespace torchweld::virtual_gpu
