// shfl, vote, match, redux, activemask. The launcher brings the lanes of the member mask together
// first; a lane that is read but takes no part is an error.
#include <algorithm>

#include "tests/virtual_gpu/decode.h"
#include "tests/virtual_gpu/lanes.h"

namespace torchweld::virtual_gpu {
namespace {

/// Where a lane reads from, and whether that lies within its segment.
struct Partner {
  int lane;
  bool inside;
};

Partner partner(const std::string& mode, int lane, int b, int c) {
  const int segment = c >> 8 & 31, clamp = c & 31;
  const int first = lane & segment, last = first | (clamp & ~segment);
  if (mode == "up") return {lane - b, lane - b >= last};
  const int other = mode == "down"   ? lane + b
                    : mode == "bfly" ? lane ^ b
                                     : first | (b & ~segment & 31);
  return {other, other <= last};
}

void shuffle(Warp& w, const Instruction& i, uint32_t active) {
  uint64_t in[kLanes], r[kLanes] = {}, ok[kLanes] = {};
  fetch(w, i.operands[1], in);
  each_lane(active, [&](int l) {
    Partner p = partner(i.modifiers[1], l, static_cast<int>(value_of(w, i.operands[2], l)),
                        static_cast<int>(value_of(w, i.operands[3], l)));
    ok[l] = p.inside;
    if (!p.inside) p.lane = l;
    if ((active >> (p.lane & 31) & 1) == 0)
      fail(w, i,
           "lane " + std::to_string(l) + " reads lane " + std::to_string(p.lane) +
               ", which takes no part");
    r[l] = in[p.lane & 31];
  });
  put(w, i.operands[0], active, r);
  if (i.operands[0].second < 0) return;
  Operand second = i.operands[0];
  second.reg = second.second;
  put(w, second, active, ok);
}

uint32_t voters(Warp& w, const Operand& o, uint32_t active) {
  uint32_t yes = 0;
  each_lane(active, [&](int l) { yes |= value_of(w, o, l) != 0 ? 1u << l : 0; });
  return yes;
}

void vote(Warp& w, const Instruction& i, uint32_t active) {
  const uint32_t yes = voters(w, i.operands[1], active);
  uint64_t r[kLanes];
  const uint64_t result = i.has("ballot") ? yes
                          : i.has("any")  ? yes != 0
                          : i.has("uni")  ? yes == 0 || yes == active
                                          : yes == active;
  std::fill(r, r + kLanes, result);
  put(w, i.operands[0], active, r);
}

/// match.any: the lanes with the same value.
void match(Warp& w, const Instruction& i, uint32_t active) {
  uint64_t r[kLanes] = {};
  each_lane(active, [&](int l) {
    each_lane(active, [&](int other) {
      if (value_of(w, i.operands[1], l) == value_of(w, i.operands[1], other)) r[l] |= 1ull << other;
    });
  });
  put(w, i.operands[0], active, r);
}

void reduce(Warp& w, const Instruction& i, uint32_t active) {
  bool first = true;
  int64_t total = 0;
  each_lane(active, [&](int l) {
    const uint64_t bits = value_of(w, i.operands[1], l);
    const int64_t x = i.type == Type::kS32 ? static_cast<int32_t>(bits)
                                           : static_cast<int64_t>(static_cast<uint32_t>(bits));
    total = first          ? x
            : i.has("add") ? total + x
            : i.has("min") ? std::min(total, x)
            : i.has("max") ? std::max(total, x)
            : i.has("and") ? total & x
            : i.has("or")  ? total | x
                           : total ^ x;
    first = false;
  });
  uint64_t r[kLanes];
  std::fill(r, r + kLanes, static_cast<uint32_t>(total));
  put(w, i.operands[0], active, r);
}

}  // namespace

Execute collective(Instruction* i) {
  if (!i->has("sync")) return nullptr;
  if (i->op == "shfl") {
    i->type = Type::kB32;
    return shuffle;
  }
  if (i->op == "vote") return vote;
  if (i->op == "match" && i->has("any")) return match;
  return i->op == "redux" && !is_real(i->type) ? reduce : nullptr;
}

}  // namespace torchweld::virtual_gpu
