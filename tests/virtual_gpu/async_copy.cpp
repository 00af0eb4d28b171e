// cp.async: the bytes arrive when a wait says so. Until then the destination holds NaN, so that a
// missing wait shows in results as well as in the report of an uninitialised read.
#include <algorithm>

#include "tests/virtual_gpu/access.h"
#include "tests/virtual_gpu/decode.h"
#include "tests/virtual_gpu/lanes.h"
#include "tests/virtual_gpu/launcher.h"

namespace torchweld::virtual_gpu {
namespace {

void begin_copy(Warp& w, const Instruction& i, uint32_t active) {
  const int bytes = static_cast<int>(i.operands[2].immediate);
  uint64_t to[kLanes], from[kLanes];
  each_lane(active, [&](int l) {
    to[l] = address_of(w, i.operands[0], l);
    from[l] = address_of(w, i.operands[1], l);
    const int read = i.operands.size() > 3
                         ? std::min<int>(bytes, static_cast<int>(value_of(w, i.operands[3], l)))
                         : bytes;
    PendingCopy copy;
    copy.to = touch(w, i, Space::kShared, to[l], bytes, Touch::kWrite, l);
    if (read > 0) copy.from = touch(w, i, Space::kGlobal, from[l], bytes, Touch::kRead, l);
    copy.bytes = bytes;
    copy.read = read;
    copy.group = w.groups[static_cast<size_t>(l)];
    std::memset(copy.to, 0xff, static_cast<size_t>(bytes));
    w.block->launcher->forget_shared(copy.to, bytes);
    w.copies[static_cast<size_t>(l)].push_back(copy);
  });
  count_request(w, Space::kShared, active, to, bytes);
  count_request(w, Space::kGlobal, active, from, bytes);
}

void commit(Warp& w, const Instruction&, uint32_t active) {
  each_lane(active, [&](int l) { ++w.groups[static_cast<size_t>(l)]; });
}

/// Ends all groups but the newest `operand`; all copies without one.
void wait(Warp& w, const Instruction& i, uint32_t active) {
  const bool all = i.has("wait_all");
  const int left = all ? 0 : static_cast<int>(i.operands[0].immediate);
  each_lane(active, [&](int l) {
    auto& pending = w.copies[static_cast<size_t>(l)];
    const int newest = w.groups[static_cast<size_t>(l)] - left;
    std::erase_if(pending, [&](const PendingCopy& c) {
      if (!all && c.group >= newest) return false;
      if (c.read > 0) std::memcpy(c.to, c.from, static_cast<size_t>(c.read));
      std::memset(c.to + c.read, 0, static_cast<size_t>(c.bytes - c.read));
      w.block->launcher->arrive_shared(w, i, c.to, c.bytes, l);
      return true;
    });
  });
}

}  // namespace

Execute async_copy(Instruction* i) {
  if (i->op != "cp" || !i->has("async")) return nullptr;
  if (i->has("commit_group")) return commit;
  if (i->has("wait_group") || i->has("wait_all")) return wait;
  return i->has("shared") || i->has("shared::cta") ? begin_copy : nullptr;
}

}  // namespace torchweld::virtual_gpu
