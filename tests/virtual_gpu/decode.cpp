#include "tests/virtual_gpu/decode.h"

#include <algorithm>

#include "torchweld/error.h"

namespace torchweld::virtual_gpu {
namespace {

bool decode_flow(Instruction* i) {
  if (i->op == "bra") {
    i->flow = Flow::kBranch;
  } else if (i->op == "brx") {
    i->flow = Flow::kTable;
  } else if (i->op == "ret" || i->op == "exit") {
    i->flow = Flow::kExit;
  } else if (i->op == "trap") {
    i->flow = Flow::kTrap;
  } else if (i->op == "bar" && i->has("warp")) {
    i->flow = Flow::kCollective;
  } else if (i->op == "bar" || i->op == "barrier") {
    if (!i->has("sync") || i->operands.size() != 1) return false;  // no partial barriers
    i->flow = Flow::kBarrier;
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool Instruction::has(const char* modifier) const {
  return std::find(modifiers.begin(), modifiers.end(), modifier) != modifiers.end();
}

void decode(Instruction* i) {
  if (decode_flow(i)) return;
  for (const auto family : {memory_operation, real_arithmetic, half_arithmetic, integer_arithmetic,
                            bit_operation, conversion, comparison, atomic_operation, async_copy}) {
    i->execute = family(i);
    if (i->execute != nullptr) return;
  }
  for (const auto family : {collective, matrix_operation}) {
    i->execute = family(i);
    if (i->execute == nullptr) continue;
    i->flow = Flow::kCollective;
    return;
  }
  std::string name = i->op;
  for (const std::string& m : i->modifiers) name += "." + m;
  throw Error(ErrorCode::kInternal, "PTX line " + std::to_string(i->line) + ", source line " +
                                        std::to_string(i->source) +
                                        ": the virtual GPU has no instruction " + name);
}

void read_modifiers(Instruction* i) {
  for (const std::string& m : i->modifiers) {
    const Type t = type_named(m);
    if (t != Type::kNone) {
      if (i->type == Type::kNone) i->type = t;
      i->from = t;
    }
    if (m == "v2") i->vector = 2;
    if (m == "v4") i->vector = 4;
    if (m == "v8") i->vector = 8;
    if (m == "param" || m == "param::entry") i->space = Space::kParam;
    if (m == "shared" || m == "shared::cta") i->space = Space::kShared;
    if (m == "global" || m == "const") i->space = Space::kGlobal;
    if (m == "local") i->space = Space::kLocal;
  }
}

int size_of(Type type) {
  static constexpr int kSizes[] = {0, 1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8, 2, 2, 4, 8, 1, 4, 4, 16};
  return kSizes[static_cast<size_t>(type)];
}

Type type_named(const std::string& name) {
  static const char* const kNames[] = {"",     "u8",  "s8",  "b8",   "u16",   "s16",    "b16",
                                       "u32",  "s32", "b32", "u64",  "s64",   "b64",    "f16",
                                       "bf16", "f32", "f64", "pred", "f16x2", "bf16x2", "b128"};
  for (size_t t = 1; t < std::size(kNames); ++t) {
    if (name == kNames[t]) return static_cast<Type>(t);
  }
  return Type::kNone;
}

bool special_named(const std::string& name, Special* out) {
  static const char* const kNames[] = {
      "%tid.x",       "%tid.y",       "%tid.z",       "%ntid.x",      "%ntid.y",
      "%ntid.z",      "%ctaid.x",     "%ctaid.y",     "%ctaid.z",     "%nctaid.x",
      "%nctaid.y",    "%nctaid.z",    "%laneid",      "%warpid",      "%lanemask_lt",
      "%lanemask_le", "%lanemask_gt", "%lanemask_ge", "%lanemask_eq", "%clock"};
  for (size_t s = 0; s < std::size(kNames); ++s) {
    if (name != kNames[s]) continue;
    *out = static_cast<Special>(s);
    return true;
  }
  return false;
}

}  // namespace torchweld::virtual_gpu
