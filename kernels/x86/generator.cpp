// The loops around a body: rows, the passes over a row, whole vectors several at a time, and the
// rest of a row.
#include "kernels/x86/generator.h"

#include <cstddef>

#include "kernels/x86/body.h"
#include "kernels/x86/memory.h"
#include "kernels/x86/row_reductions.h"

namespace torchweld::x86 {
namespace {

class Generator {
 public:
  Generator(aj::Compiler& cc, const KernelSpec& spec, const Program& program, const Lanes& lanes)
      : cc_(cc),
        spec_(spec),
        lanes_(lanes),
        memory_(lanes),
        body_(lanes, program),
        reductions_(lanes, program),
        program_(program) {
    for (const OperandSpec& load : spec.loads)
      operands_.push_back({load.dtype,
                           load.strides[static_cast<size_t>(spec.rank - 1)],
                           false,
                           false,
                           {},
                           {},
                           {},
                           {}});
    for (const StoreSpec& store : spec.stores) {
      StrideClass inner = store.operand.strides[static_cast<size_t>(spec.rank - 1)];
      // A store of one element over and over has a walk of stride 0.
      if (inner == StrideClass::kZero) inner = StrideClass::kAny;
      operands_.push_back({store.operand.dtype, inner, true, store.per_row, {}, {}, {}, {}});
    }
  }

  bool can_stream() const {
    if (unroll() == 1 || spec_.reduced > 0) return false;
    for (const Operand& operand : operands_) {
      const int64_t bytes = size_of(operand.dtype) * lanes_.count;
      if (operand.is_store && (operand.inner != StrideClass::kOne || bytes < 16)) return false;
    }
    return true;
  }

  void run(asmjit::FuncNode* function) {
    args_ = cc_.newIntPtr();
    function->setArg(0, args_);
    for (size_t i = 0; i < operands_.size(); ++i) {
      operands_[i].base = cc_.newIntPtr();
      cc_.mov(operands_[i].base, field(offsetof(LaunchArgs, pointers), i));
    }
    rows_ = cc_.newInt64();
    cc_.mov(rows_, field(offsetof(LaunchArgs, outer), 0));
    body_.hoist_constants();
    const asmjit::Label next_row = cc_.newLabel();
    cc_.bind(next_row);
    row();
    for (size_t i = 0; i < operands_.size(); ++i) {
      cc_.add(operands_[i].base, field(offsetof(LaunchArgs, outer_bytes), i));
    }
    cc_.dec(rows_);
    cc_.jnz(next_row);
    cc_.ret();
  }

 private:
  struct Operand {
    DType dtype;
    StrideClass inner;
    bool is_store;
    bool per_row;   // a store of one element a row
    aj::Gp base;    // of the row
    aj::Gp cursor;  // kAny: the next element
    aj::Gp stride;  // kAny
    Reg broadcast;  // kZero: the row's value
  };

  enum class Rest : uint8_t { kNone, kMasked, kLanewise };

  aj::Mem field(size_t offset, size_t index) const {
    return aj::qword_ptr(args_, static_cast<int32_t>(offset + 8 * index));
  }

  // Light bodies are bound by loop overhead. Heavy ones are bound by latency where two vectors fit
  // the registers.
  int unroll() const {
    if (operands_.size() > 8) return 1;
    for (const Operand& operand : operands_) {
      if (operand.inner == StrideClass::kAny && !operand.per_row) return 1;
    }
    if (program_.weight <= 24) return 4;
    return program_.weight <= (lanes_.wide() ? 200 : 48) ? 2 : 1;
  }

  void row() {
    for (size_t i = 0; i < operands_.size(); ++i) {
      Operand& operand = operands_[i];
      if (operand.inner == StrideClass::kZero) {
        operand.broadcast = memory_.broadcast(operand.dtype, aj::ptr(operand.base));
      } else if (operand.inner == StrideClass::kAny) {
        operand.cursor = cc_.newIntPtr();
        operand.stride = cc_.newInt64();
        cc_.mov(operand.cursor, operand.base);
        cc_.mov(operand.stride, field(offsetof(LaunchArgs, inner_bytes), i));
      }
    }
    for (size_t p = 0; p + 1 < program_.phases.size(); ++p) {
      phase_ = &program_.phases[p];
      is_last_ = p + 2 == program_.phases.size();
      body_.emit_row(phase_->row, around(Rest::kNone));
      reductions_.start(phase_->reductions, unroll());
      pass();
      for (const int step : phase_->reductions) body_.set_row(step, reductions_.finish(step));
    }
    body_.emit_row(program_.phases.back().row, around(Rest::kNone));
    store_row();
  }

  /// One pass over the row.
  void pass() {
    index_ = cc_.newInt64();
    left_ = cc_.newInt64();
    cc_.xor_(index_.r32(), index_.r32());
    cc_.mov(left_, field(offsetof(LaunchArgs, inner), 0));
    const int times = unroll();
    if (times > 1) {
      const asmjit::Label plain = cc_.newLabel();
      if (can_stream()) {
        cc_.cmp(field(offsetof(LaunchArgs, stream), 0), 0);
        cc_.jz(plain);
        whole_vectors(times, true);
      }
      cc_.bind(plain);
      whole_vectors(times, false);
    }
    // With masks the rest of the row is a loop of partial vectors, the last one shorter.
    if (lanes_.wide()) {
      masked_vectors();
    } else {
      whole_vectors(1, false);
      lanewise_rest();
    }
  }

  /// Values that are stored once a row.
  void store_row() {
    for (size_t i = 0; i < program_.stores.size(); ++i) {
      const Operand& operand = operands_[spec_.loads.size() + i];
      if (!operand.per_row) continue;
      Place at;
      at.dtype = operand.dtype;
      at.lanewise = true;
      at.pointer = cc_.newIntPtr();
      at.stride_bytes = cc_.newInt64();
      at.lanes = cc_.newInt64();
      cc_.mov(at.pointer, operand.base);
      cc_.xor_(at.stride_bytes.r32(), at.stride_bytes.r32());
      cc_.mov(at.lanes, 1);
      memory_.store(at, body_.value(0, program_.stores[i]));
    }
  }

  void whole_vectors(int times, bool stream) {
    const int step = times * lanes_.count;
    const asmjit::Label next = cc_.newLabel(), done = cc_.newLabel();
    cc_.cmp(left_, step);
    cc_.jl(done);
    cc_.bind(next);
    vectors(times, Rest::kNone, stream);
    cc_.add(index_, step);
    cc_.sub(left_, step);
    cc_.cmp(left_, step);
    cc_.jge(next);
    cc_.bind(done);
  }

  void masked_vectors() {
    const asmjit::Label next = cc_.newLabel(), done = cc_.newLabel();
    const aj::Gp bits = cc_.newInt64();
    cc_.test(left_, left_);
    cc_.jz(done);
    cc_.bind(next);
    count_ = cc_.newInt64();
    cc_.mov(count_, lanes_.count);
    cc_.cmp(left_, count_);
    cc_.cmovl(count_, left_);
    cc_.mov(bits.r32(), -1);
    cc_.bzhi(bits.r32(), bits.r32(), count_.r32());
    mask_ = cc_.newKw();
    cc_.kmovw(mask_, bits.r32());
    vectors(1, Rest::kMasked, false);
    cc_.add(index_, lanes_.count);
    cc_.sub(left_, lanes_.count);
    cc_.jg(next);
    cc_.bind(done);
  }

  void lanewise_rest() {
    const asmjit::Label done = cc_.newLabel();
    cc_.test(left_, left_);
    cc_.jz(done);
    count_ = left_;
    static constexpr uint32_t kIota[] = {0, 1, 2, 3, 4, 5, 6, 7};
    lane_mask_ = lanes_.vec(4);
    cc_.emit(ins::kIdVmovd, lane_mask_.xmm(), left_.r32());
    cc_.emit(ins::kIdVpbroadcastd, lane_mask_, lane_mask_.xmm());
    cc_.emit(
        ins::kIdVpcmpgtd, lane_mask_, lane_mask_,
        cc_.newConst(asmjit::ConstPoolScope::kLocal, kIota, static_cast<size_t>(4 * lanes_.count)));
    vectors(1, Rest::kLanewise, false);
    cc_.bind(done);
  }

  Place place(size_t i, int vector_in_step, Rest rest, bool stream) {
    const Operand& operand = operands_[i];
    const int64_t bytes = size_of(operand.dtype);
    Place at;
    at.dtype = operand.dtype;
    at.stream = stream;
    const uint32_t shift = bytes == 8 ? 3 : bytes == 4 ? 2 : bytes == 2 ? 1 : 0;
    if (operand.inner == StrideClass::kOne) {
      at.address = aj::ptr(operand.base, index_, shift,
                           static_cast<int32_t>(vector_in_step * lanes_.count * bytes));
    }
    // AVX2 has masked moves for elements of 4 and 8 bytes only.
    const bool maskable = operand.inner == StrideClass::kOne && bytes >= 4;
    if (rest == Rest::kLanewise && maskable) at.lane_mask = &lane_mask_;
    at.lanewise = operand.inner == StrideClass::kAny || (rest == Rest::kLanewise && !maskable);
    if (rest == Rest::kMasked) at.mask = &mask_;
    if (!at.lanewise) return at;
    at.lanes = rest == Rest::kNone ? cc_.newInt64() : count_;
    if (rest == Rest::kNone) cc_.mov(at.lanes, lanes_.count);
    if (operand.inner == StrideClass::kAny) {
      at.pointer = operand.cursor;
      at.stride_bytes = operand.stride;
    } else {
      at.pointer = cc_.newIntPtr();
      at.stride_bytes = cc_.newInt64();
      cc_.lea(at.pointer, at.address);
      cc_.mov(at.stride_bytes, bytes);
    }
    return at;
  }

  Body::Environment around(Rest rest) {
    return {[this, rest](int vector, int i) {
              const auto operand = static_cast<size_t>(i);
              if (operands_[operand].inner == StrideClass::kZero)
                return operands_[operand].broadcast;
              return memory_.load(place(operand, vector, rest, false));
            },
            [this, rest](int vector, int step, const Reg& value) {
              reductions_.add(step, vector, value, rest == Rest::kNone ? nullptr : &lane_mask_);
            }};
  }

  void vectors(int times, Rest rest, bool stream) {
    body_.emit(times, phase_->element, around(rest));
    if (!is_last_) return;
    for (int vector = 0; vector < times; ++vector) {
      for (size_t i = 0; i < program_.stores.size(); ++i) {
        const size_t operand = spec_.loads.size() + i;
        if (operands_[operand].per_row) continue;
        memory_.store(place(operand, vector, rest, stream),
                      body_.value(vector, program_.stores[i]));
      }
    }
  }

  aj::Compiler& cc_;
  const KernelSpec& spec_;
  const Lanes& lanes_;
  Memory memory_;
  Body body_;
  RowReductions reductions_;
  const Program& program_;
  const Phase* phase_ = nullptr;  // the one that is being emitted
  bool is_last_ = true;           // and whether elements are stored in it
  std::vector<Operand> operands_;
  aj::Gp args_, rows_, index_, left_, count_;
  aj::KReg mask_;
  aj::Vec lane_mask_;
};

// 64-bit elements halve the lanes of the whole kernel, so that every value has as many.
int lane_count(const KernelSpec& spec, const Program& program, Isa isa) {
  bool has_64bit = program.has_64bit;
  for (const OperandSpec& load : spec.loads) has_64bit = has_64bit || size_of(load.dtype) == 8;
  return (isa == Isa::kAvx512 ? 16 : 8) / (has_64bit ? 2 : 1);
}

}  // namespace

Generated generate(const KernelSpec& spec, Isa isa, asmjit::JitRuntime* runtime, std::string* why) {
  Generated result;
  const Program program = lower(spec);
  asmjit::CodeHolder code;
  code.init(runtime->environment());
  aj::Compiler cc(&code);
  asmjit::FuncNode* function =
      cc.addFunc(asmjit::FuncSignatureT<void, LaunchArgs*>(asmjit::CallConvId::kHost));
  function->frame().setAvxEnabled();
  function->frame().setAvxCleanup();
  if (isa == Isa::kAvx512) function->frame().setAvx512Enabled();

  const Lanes lanes(cc, isa, lane_count(spec, program, isa));
  Generator generator(cc, spec, program, lanes);
  generator.run(function);
  cc.endFunc();
  asmjit::Error error = cc.finalize();
  if (error == asmjit::kErrorOk) error = runtime->add(&result.entry, &code);
  if (error != asmjit::kErrorOk) {
    *why = std::string("code generation failed: ") + asmjit::DebugUtils::errorAsString(error);
    result.entry = nullptr;
    return result;
  }
  result.code_bytes = static_cast<int64_t>(code.codeSize());
  result.lanes = lanes.count;
  result.can_stream = generator.can_stream();
  const double operands = static_cast<double>(spec.loads.size() + spec.stores.size());
  result.cycles_per_element = (program.weight + 2 * operands) / lanes.count;
  return result;
}

}  // namespace torchweld::x86
