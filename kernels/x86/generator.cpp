// The loops around a body: rows, passes over one, loops within it, vectors, and the rest of a row.
#include "kernels/x86/generator.h"

#include <array>
#include <cstddef>
#include <functional>
#include <optional>

#include "kernels/x86/body.h"
#include "kernels/x86/operands.h"
#include "kernels/x86/places.h"
#include "kernels/x86/row_reductions.h"

namespace torchweld::x86 {
namespace {

class Generator {
 public:
  Generator(aj::Compiler& cc, const KernelSpec& spec, const Program& program, const Lanes& lanes,
            bool cascades)
      : cc_(cc),
        spec_(spec),
        lanes_(lanes),
        walk_(walk_of(spec)),
        body_(lanes, program),
        reductions_(lanes, program, walk_.across),
        program_(program),
        cascades_(cascades),
        args_(cc.newIntPtr()),
        operands_(lanes, spec, walk_, args_) {}

  // Heavy bodies don't wait for memory, and each copy of one costs time to generate.
  bool can_stream() const {
    return unroll() > 1 && program_.weight <= 48 && spec_.reduced == 0 && operands_.can_stream();
  }

  /// After run: whether the code computes all that it uses.
  bool is_complete() const { return body_.is_complete(); }

  void run(asmjit::FuncNode* function) {
    function->setArg(0, args_);
    operands_.begin();
    rows_ = cc_.newInt64();
    cc_.mov(rows_, operands_.field(offsetof(LaunchArgs, outer)));
    body_.hoist_constants();
    if (passes() == 1) body_.begin_pass(unroll());
    const asmjit::Label next_row = cc_.newLabel();
    cc_.bind(next_row);
    operands_.begin_row();
    if (walk_.across) {
      lane_loop([this](int times) { rows_in_lanes(times); });
    } else {
      row();
    }
    operands_.next_row();
    cc_.dec(rows_);
    cc_.jnz(next_row);
    cc_.ret();
  }

 private:
  using Vectors = std::function<void(int times)>;

  // Light bodies are bound by the loop's overhead, heavy ones by latency: vectors side by side help
  // both, as far as what is alive of them fits the registers beside constants and a step's own, and
  // as the code takes less than a millisecond to generate.
  int unroll() const {
    if (!operands_.steps_by_vectors()) return 1;
    const int room = lanes_.wide() ? 24 : 7, weight = program_.weight;
    if (weight <= 24 || (weight <= 128 && 4 * program_.most_alive <= room)) return 4;
    if (weight > 256) return 1;
    return weight <= (lanes_.wide() ? 200 : 48) || 2 * program_.most_alive <= room ? 2 : 1;
  }

  aj::Mem columns() const { return operands_.field(offsetof(LaunchArgs, inner)); }
  std::optional<aj::Mem> columns_of_cascades() const {
    if (cascades_ && lanes_.wide() && lanes_.count == 16 && unroll() > 1) return columns();
    return std::nullopt;
  }

  size_t passes() const { return program_.phases.size() - 1; }
  void begin_phase(size_t p) {
    phase_ = &program_.phases[p];
    is_last_ = p + 1 == passes();
  }

  /// A row whose elements are in the lanes, or one that is not reduced.
  void row() {
    for (size_t p = 0; p < passes(); ++p) {
      begin_phase(p);
      body_.emit_row(phase_->row, around());
      reductions_.start(phase_->reductions, unroll(), columns_of_cascades());
      if (passes() > 1) body_.begin_pass(unroll());
      nest(0, [this] {
        operands_.begin_lanes();
        lane_loop([this](int times) { vectors(times); });
      });
      for (const int step : phase_->reductions)
        body_.set_row(step, reductions_.finish(step, columns()));
    }
    body_.emit_row(program_.phases.back().row, around());
    for (size_t i = 0; i < program_.stores.size(); ++i) {
      if (spec_.stores[i].per_row)
        operands_.store_first_lane(spec_.loads.size() + i, body_.value(0, program_.stores[i]));
    }
  }

  /// As many rows as there are lanes in `times` vectors.
  void rows_in_lanes(int times) {
    for (size_t p = 0; p < passes(); ++p) {
      begin_phase(p);
      body_.emit(times, phase_->row, around());
      reductions_.start(phase_->reductions, times, std::nullopt);
      nest(0, [this, times] { vectors(times); });
      for (const int step : phase_->reductions) {
        for (int vector = 0; vector < times; ++vector)
          body_.set_row(step, vector, reductions_.lanes_of(step, vector));
      }
    }
    body_.emit(times, program_.phases.back().row, around());
    store(times, true);
  }

  /// The loops of a row from `level` on. Sums across memory are long chains: they come in blocks.
  void nest(int level, const std::function<void()>& inside) {
    if (level == walk_.nest()) return inside();
    const bool in_blocks = walk_.across && level + 1 == walk_.nest() && reductions_.has_blocks();
    const bool is_part = in_blocks && level > 0;
    const aj::Gp left = cc_.newInt64(), block = cc_.newInt64();
    const asmjit::Label next_block = cc_.newLabel(), next = cc_.newLabel();
    loops_[static_cast<size_t>(level)] = cc_.newInt64();
    const aj::Gp at = loops_[static_cast<size_t>(level)];
    cc_.xor_(at.r32(), at.r32());
    cc_.mov(left, operands_.field(offsetof(LaunchArgs, nest), static_cast<size_t>(level)));
    if (in_blocks) {
      cc_.bind(next_block);
      cc_.mov(block, RowReductions::kSumBlock);
      cc_.cmp(left, block);
      cc_.cmovl(block, left);
      cc_.sub(left, block);
    } else {
      cc_.mov(block, left);
    }
    if (is_part) reductions_.begin_part(block);
    cc_.bind(next);
    nest(level + 1, inside);
    operands_.next(level);
    cc_.inc(at);
    cc_.dec(block);
    cc_.jnz(next);
    if (in_blocks) end_block(left, next_block, is_part);
    operands_.rewind(level);
  }

  /// Once along the lane dim; a row's sums in blocks.
  void lane_loop(const Vectors& vectors) {
    spot_.index = cc_.newInt64();
    left_ = cc_.newInt64();
    cc_.xor_(spot_.index.r32(), spot_.index.r32());
    cc_.mov(left_, operands_.field(offsetof(LaunchArgs, inner)));
    if (walk_.across || !reductions_.has_blocks()) return block_of_lanes(vectors);
    const aj::Gp behind = cc_.newInt64();
    const asmjit::Label next = cc_.newLabel();
    const bool cascades = reductions_.has_cascades(), is_part = walk_.nest() > 0 && !cascades;
    cc_.mov(behind, left_);
    cc_.bind(next);
    cc_.mov(left_, cascades ? EmittedCascade::kBlock : RowReductions::kLaneBlock);
    cc_.cmp(behind, left_);
    cc_.cmovl(left_, behind);
    cc_.sub(behind, left_);
    if (is_part) reductions_.begin_part(left_);
    block_of_lanes(vectors);
    end_block(behind, next, is_part);
  }

  void end_block(const aj::Gp& behind, const asmjit::Label& next, bool is_part) {
    const asmjit::Label done = cc_.newLabel();
    if (is_part) reductions_.end_part(spot_.index);
    cc_.test(behind, behind);
    cc_.jz(done);
    if (!is_part) reductions_.end_block(spot_.index);
    cc_.jmp(next);
    cc_.bind(done);
  }

  /// Whole vectors several at a time, then one by one, then the rest.
  void block_of_lanes(const Vectors& vectors) {
    const int times = unroll();
    const asmjit::Label plain = cc_.newLabel();
    if (can_stream()) {
      cc_.cmp(operands_.field(offsetof(LaunchArgs, stream)), 0);
      cc_.jz(plain);
      spot_.stream = true;
      whole_vectors(times, vectors);
      spot_.stream = false;
    }
    cc_.bind(plain);
    if (times > 1) whole_vectors(times, vectors);
    // With masks the rest of the row is a loop of partial vectors, the last one shorter.
    if (lanes_.wide()) {
      if (times > 2 && reductions_.has_cascades()) whole_vectors(2, vectors);
      masked_vectors(vectors);
    } else {
      whole_vectors(1, vectors);
      lanewise_rest(vectors);
    }
    spot_.rest = Rest::kNone;
  }

  void whole_vectors(int times, const Vectors& vectors) {
    spot_.rest = Rest::kNone;
    const int step = times * lanes_.count;
    const asmjit::Label next = cc_.newLabel(), done = cc_.newLabel();
    cc_.cmp(left_, step);
    cc_.jl(done);
    cc_.bind(next);
    vectors(times);
    cc_.add(spot_.index, step);
    cc_.sub(left_, step);
    cc_.cmp(left_, step);
    cc_.jge(next);
    cc_.bind(done);
  }

  void masked_vectors(const Vectors& vectors) {
    const asmjit::Label next = cc_.newLabel(), done = cc_.newLabel();
    const aj::Gp bits = cc_.newInt64();
    cc_.test(left_, left_);
    cc_.jz(done);
    cc_.bind(next);
    spot_.rest = Rest::kMasked;
    spot_.count = cc_.newInt64();
    cc_.mov(spot_.count, lanes_.count);
    cc_.cmp(left_, spot_.count);
    cc_.cmovl(spot_.count, left_);
    cc_.mov(bits.r32(), -1);
    cc_.bzhi(bits.r32(), bits.r32(), spot_.count.r32());
    spot_.mask = cc_.newKw();
    cc_.kmovw(spot_.mask, bits.r32());
    vectors(1);
    cc_.add(spot_.index, lanes_.count);
    cc_.sub(left_, lanes_.count);
    cc_.jg(next);
    cc_.bind(done);
  }

  void lanewise_rest(const Vectors& vectors) {
    const asmjit::Label done = cc_.newLabel();
    cc_.test(left_, left_);
    cc_.jz(done);
    spot_.rest = Rest::kLanewise;
    spot_.count = left_;
    static constexpr uint32_t kIota[] = {0, 1, 2, 3, 4, 5, 6, 7};
    spot_.lane_mask = lanes_.vec(4);
    cc_.emit(ins::kIdVmovd, spot_.lane_mask.xmm(), left_.r32());
    cc_.emit(ins::kIdVpbroadcastd, spot_.lane_mask, spot_.lane_mask.xmm());
    cc_.emit(
        ins::kIdVpcmpgtd, spot_.lane_mask, spot_.lane_mask,
        cc_.newConst(asmjit::ConstPoolScope::kLocal, kIota, static_cast<size_t>(4 * lanes_.count)));
    vectors(1);
    cc_.bind(done);
  }

  Body::Environment around() {
    return {[this](int vector, const Inst& inst) { return load(vector, inst); },
            [this](int vector, int step, const Reg& value) {
              reductions_.add(step, vector, value, walk_.across ? nullptr : spot_.lanes(),
                              spot_.index);
            },
            [this](int vector, int step) { return kept(vector, step); },
            [this](int vector, int step, const Reg& value) { keep(vector, step, value); }};
  }

  Reg load(int vector, const Inst& inst) {
    if (inst.prim == Prim::kCoord) return coord(vector, static_cast<int>(inst.imm_int));
    if (inst.prim == Prim::kParam) return param(inst.imm_int);
    const auto operand = static_cast<size_t>(inst.operand);
    if (inst.args[0] < 0 && inst.args[1] < 0) return operands_.load(spot_, vector, operand);
    Shift shift;
    if (inst.args[0] >= 0) {
      shift.offset = body_.value(vector, inst.args[0]).as<aj::Vec>();
      shift.is_uniform = program_.uniform[static_cast<size_t>(inst.args[0])];
    }
    if (inst.args[1] >= 0) shift.inside = body_.value(vector, inst.args[1]);
    return operands_.load_at(spot_, vector, operand, shift);
  }

  aj::Vec param(int64_t index) {
    const aj::Gp params = cc_.newIntPtr();
    cc_.mov(params, operands_.field(offsetof(LaunchArgs, params)));
    cc_.mov(params, aj::qword_ptr(params, static_cast<int32_t>(8 * index)));
    return lanes_.splat(params);
  }

  aj::Vec coord(int vector, int dim) {
    const aj::Gp at = cc_.newInt64();
    if (dim >= walk_.nest_begin && dim < walk_.nest_end)
      return lanes_.splat(loops_[static_cast<size_t>(dim - walk_.nest_begin)]);
    cc_.mov(at, operands_.field(offsetof(LaunchArgs, coords), static_cast<size_t>(dim)));
    if (dim == walk_.lane) {
      cc_.add(at, spot_.index);
      return lanes_.counted(at, vector * lanes_.count);
    }
    if (dim + 1 == walk_.outer) {
      cc_.add(at, operands_.field(offsetof(LaunchArgs, outer)));
      cc_.sub(at, rows_);
    }
    return lanes_.splat(at);
  }

  aj::Mem room(int vector) {
    const aj::Gp room = cc_.newIntPtr();
    const int bytes = program_.kept_bytes();
    cc_.mov(room, operands_.field(offsetof(LaunchArgs, kept)));
    return aj::ptr(room, spot_.index, bytes == 8 ? 3 : 2, bytes * vector * lanes_.count);
  }

  /// The value of an earlier pass, which put it aside.
  std::optional<Reg> kept(int vector, int step) {
    if (step != program_.kept || !phase_->takes_kept) return std::nullopt;
    const aj::Vec value = lanes_.vec(program_.kept_bytes());
    cc_.emit(ins::kIdVmovups, value, room(vector));
    return value;
  }

  // Lanes beyond the row are kept as well, since the room is a vector longer.
  void keep(int vector, int step, const Reg& value) {
    if (step == program_.kept && phase_->keeps)
      cc_.emit(ins::kIdVmovups, room(vector), value.as<aj::Vec>());
  }

  void vectors(int times) {
    body_.emit(times, phase_->element, around());
    if (is_last_) store(times, false);
  }

  void store(int times, bool per_row) {
    for (int vector = 0; vector < times; ++vector) {
      for (size_t i = 0; i < program_.stores.size(); ++i) {
        if (spec_.stores[i].per_row != per_row) continue;
        operands_.store(spot_, vector, spec_.loads.size() + i,
                        body_.value(vector, program_.stores[i]));
      }
    }
  }

  aj::Compiler& cc_;
  const KernelSpec& spec_;
  const Lanes& lanes_;
  const Walk walk_;
  Body body_;
  RowReductions reductions_;
  const Program& program_;
  const bool cascades_;
  const Phase* phase_ = nullptr;  // the one that is being emitted
  bool is_last_ = true;           // and whether elements are stored in it
  aj::Gp args_, rows_, left_;
  Operands operands_;
  std::array<aj::Gp, kMaxRank> loops_;  // within a row: at which element
  Spot spot_;                           // of the vectors that are being emitted
};

}  // namespace

Generated generate(const KernelSpec& recorded, ForLength length, Isa isa,
                   asmjit::JitRuntime* runtime, std::string* why) {
  Generated result;
  const KernelSpec spec = has_places(recorded) ? *with_short_places(recorded) : recorded;
  const Program program = lower(spec, length.keeps);
  asmjit::CodeHolder code;
  code.init(runtime->environment());
  aj::Compiler cc(&code);
  asmjit::FuncNode* function =
      cc.addFunc(asmjit::FuncSignatureT<void, LaunchArgs*>(asmjit::CallConvId::kHost));
  function->frame().setAvxEnabled();
  function->frame().setAvxCleanup();
  if (isa == Isa::kAvx512) function->frame().setAvx512Enabled();

  const Lanes lanes(cc, isa, lane_count(spec, program, isa));
  Generator generator(cc, spec, program, lanes, length.cascades);
  generator.run(function);
  cc.endFunc();
  asmjit::Error error = asmjit::kErrorInvalidState;
  if (generator.is_complete()) error = cc.finalize();
  if (error == asmjit::kErrorOk) error = runtime->add(&result.entry, &code);
  if (error != asmjit::kErrorOk) {
    *why = std::string("code generation failed: ") + asmjit::DebugUtils::errorAsString(error);
    result.entry = nullptr;
    return result;
  }
  result.code_bytes = static_cast<int64_t>(code.codeSize());
  result.lanes = lanes.count;
  result.can_stream = generator.can_stream();
  result.keeps = program.kept >= 0;
  const double operands = static_cast<double>(spec.loads.size() + spec.stores.size());
  result.cycles_per_element = (program.weight + 2 * operands) / lanes.count;
  return result;
}

}  // namespace torchweld::x86
