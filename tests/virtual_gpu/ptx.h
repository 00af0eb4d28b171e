// PTX as the interpreter holds it: modules, kernels, instructions decoded once.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace torchweld::virtual_gpu {

struct Warp;
struct Instruction;

enum class Type : uint8_t {
  kNone,
  kU8,
  kS8,
  kB8,
  kU16,
  kS16,
  kB16,
  kU32,
  kS32,
  kB32,
  kU64,
  kS64,
  kB64,
  kF16,
  kBF16,
  kF32,
  kF64,
  kPred,
  kF16x2,
  kBF16x2,
  kB128
};

/// Bytes of a value; 1 for predicates.
int size_of(Type type);
/// "u32", "f16x2", ...; kNone for anything else.
Type type_named(const std::string& name);
constexpr bool is_signed(Type t) {
  return t == Type::kS8 || t == Type::kS16 || t == Type::kS32 || t == Type::kS64;
}
constexpr bool is_real(Type t) { return t >= Type::kF16 && t <= Type::kF64; }

enum class Space : uint8_t { kGeneric, kGlobal, kShared, kLocal, kParam };

/// Special registers, by the order in which a warp keeps them.
enum class Special : uint8_t {
  kTidX,
  kTidY,
  kTidZ,
  kNtidX,
  kNtidY,
  kNtidZ,
  kCtaidX,
  kCtaidY,
  kCtaidZ,
  kNctaidX,
  kNctaidY,
  kNctaidZ,
  kLane,
  kWarp,
  kLaneMaskLt,
  kLaneMaskLe,
  kLaneMaskGt,
  kLaneMaskGe,
  kLaneMaskEq,
  kClock,
  kCount
};

/// Sets `out` to "%tid.x" or its like. False for other names.
bool special_named(const std::string& name, Special* out);

struct Operand {
  enum class Kind : uint8_t { kRegister, kImmediate, kSpecial, kVector, kAddress, kLabel };
  Kind kind = Kind::kImmediate;
  int reg = -1;     ///< kRegister, or the base of an address; -1: none, or the sink "_"
  int second = -1;  ///< the q of "p|q"
  bool negated = false;
  bool dynamic_shared = false;  ///< the immediate counts from the start of dynamic shared memory
  Special special = Special::kTidX;
  uint64_t immediate = 0;
  std::vector<Operand> elements;
  std::string label;
};

/// What an instruction does to the flow of lanes.
enum class Flow : uint8_t {
  kNone,
  kBranch,
  kTable,
  kExit,
  kReturn,
  kCall,
  kBarrier,
  kCollective,
  kTrap
};

/// Runs an instruction for the active lanes of a warp.
using Execute = void (*)(Warp&, const Instruction&, uint32_t active);

struct Instruction {
  std::string op;
  std::vector<std::string> modifiers;
  std::vector<Operand> operands;
  Execute execute = nullptr;
  Flow flow = Flow::kNone;
  Type type = Type::kNone, from = Type::kNone;  ///< the first and the last type modifier
  Space space = Space::kGeneric;
  int vector = 1;
  int guard = -1;
  bool guard_negated = false;
  int line = 0, source = 0;  ///< of the PTX, and of the CUDA source where .loc tells
  int index = 0;             ///< in the kernel's code
  int target = -1;           ///< kBranch, kCall
  std::vector<int> table;    ///< kTable
  int code = 0;              ///< what its Execute wants to know beforehand

  bool has(const char* modifier) const;
};

/// A .shared variable: where it lies in the block's shared memory.
struct SharedVariable {
  std::string name;
  int64_t offset = 0, bytes = 0;
  bool dynamic = false;
};

struct Kernel {
  std::string name;
  std::vector<Instruction> code;
  int registers = 0;
  int64_t shared_bytes = 0;  ///< static, where dynamic shared memory begins
  int64_t local_bytes = 0;   ///< a lane
  int64_t parameter_bytes = 0;
  std::vector<int64_t> parameter_offsets, parameter_sizes;
  std::vector<SharedVariable> shared;
  int most_threads = 1024;
};

struct Ptx {
  std::map<std::string, Kernel> kernels;
  std::map<std::string, std::unique_ptr<std::vector<char>>> globals;
};

/// Throws  Error kInternal with the line for text that the interpreter doesn't know: an unknown
/// instruction is never skipped.
Ptx parse_ptx(const std::string& text);

}  // namespace torchweld::virtual_gpu
