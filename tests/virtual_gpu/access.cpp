#include "tests/virtual_gpu/access.h"

#include <algorithm>

#include "tests/virtual_gpu/lanes.h"
#include "tests/virtual_gpu/launcher.h"
#include "torchweld/error.h"

namespace torchweld::virtual_gpu {

uint64_t address_of(Warp& w, const Operand& o, int lane) {
  return (o.reg >= 0 ? w.reg(o.reg)[lane] : 0) + o.immediate;
}

char* touch(Warp& w, const Instruction& i, Space space, uint64_t address, int bytes, Touch how,
            int lane) {
  return w.block->launcher->touch(w, i, space, address, bytes, how, lane);
}

void count_request(Warp& w, Space space, uint32_t active, const uint64_t* addresses, int bytes) {
  Statistics& s = w.block->launcher->statistics();
  if (space == Space::kShared) s.count_shared(active, addresses, bytes);
  if (space == Space::kGlobal) s.count_global(active, addresses, bytes);
}

char* Launcher::touch(Warp& w, const Instruction& i, Space space, uint64_t address, int bytes,
                      Touch how, int lane) {
  if (address % static_cast<uint64_t>(bytes) != 0)
    fail(w, i,
         "misaligned access of " + std::to_string(bytes) + " bytes by thread " +
             std::to_string(w.thread(lane)));
  const auto shared = reinterpret_cast<uint64_t>(block_.shared.data());
  const auto local = reinterpret_cast<uint64_t>(w.local.data());
  if (space == Space::kGeneric && address - shared < block_.shared.size())
    return touch_shared(w, i, address - shared, bytes, how, lane);
  if (space == Space::kGeneric && address - local < w.local.size())
    return reinterpret_cast<char*>(address);
  const auto end = address + static_cast<uint64_t>(bytes);
  switch (space) {
    case Space::kShared:
      return touch_shared(w, i, address, bytes, how, lane);
    case Space::kParam:
      if (end > block_.parameters.size()) fail(w, i, "reads past its parameters");
      return block_.parameters.data() + address;
    case Space::kLocal:
      if (end > static_cast<uint64_t>(kernel_.local_bytes)) fail(w, i, "leaves its local memory");
      return w.local.data() + lane * kernel_.local_bytes + address;
    default:
      return touch_global(w, i, address, bytes, how, lane);
  }
}

Toucher Launcher::toucher(const Warp& w, const Instruction& i, int lane, Touch how) const {
  Toucher who;
  who.launch = number_;
  who.block = block_.number;
  who.thread = static_cast<uint16_t>(w.thread(lane));
  who.barrier = block_.barrier_epoch;
  who.warp_epoch = w.epochs[static_cast<size_t>(lane)];
  who.updates = how == Touch::kAtomic;
  who.atomic = who.updates || how == Touch::kStrongWrite;
  who.instruction = i.index;
  return who;
}

void Launcher::report(const Warp& w, const Instruction& i, int lane, const std::string& what) {
  const std::string text = "kernel " + kernel_.name + ": " + what + " by thread " +
                           std::to_string(w.thread(lane)) + " of block " +
                           std::to_string(block_.number) + " at line " + std::to_string(i.source) +
                           " (PTX line " + std::to_string(i.line) + ")";
  if (options_.reports == nullptr) throw Error(ErrorCode::kDevice, text);
  const std::string head = text.substr(0, text.find(" by thread"));
  for (const std::string& known : *options_.reports) {
    if (known.starts_with(head)) return;
  }
  options_.reports->push_back(text);
}

void Launcher::check(const std::optional<Conflict>& conflict, Warp& w, const Instruction& i,
                     int lane, const std::string& where) {
  if (!conflict) return;
  std::string what = std::string(conflict->kind) + " of " + where;
  if (conflict->has_other) {
    const Instruction& other = kernel_.code[static_cast<size_t>(conflict->other.instruction)];
    what += ", after thread " + std::to_string(conflict->other.thread) + " of block " +
            std::to_string(conflict->other.block) + " at line " + std::to_string(other.source) +
            ",";
  }
  report(w, i, lane, what);
}

char* Launcher::touch_shared(Warp& w, const Instruction& i, uint64_t offset, int bytes, Touch how,
                             int lane) {
  const auto at = static_cast<int64_t>(offset);
  const auto total = static_cast<int64_t>(block_.shared.size());
  for (const SharedVariable& v : kernel_.shared) {
    const int64_t size = v.dynamic ? total - v.offset : v.bytes;
    if (at < v.offset || at + bytes > v.offset + size) continue;
    const Toucher who = toucher(w, i, lane, how);
    const auto conflict = how == Touch::kRead ? shared_shadow_.read(at, bytes, total, who)
                                              : shared_shadow_.write(at, bytes, total, who);
    if (conflict)
      check(conflict, w, i, lane, "shared " + v.name + "+" + std::to_string(at - v.offset));
    return block_.shared.data() + at;
  }
  report(w, i, lane, "out of bounds of shared memory, at offset " + std::to_string(at));
  return nowhere_;
}

Allocation* Launcher::allocation_at(const Instruction& i, uint64_t address, int bytes) {
  Allocation*& last = last_[static_cast<size_t>(i.index)];
  if (last == nullptr || !last->holds(address, bytes)) last = memory_->find(address);
  return last;
}

char* Launcher::touch_global(Warp& w, const Instruction& i, uint64_t address, int bytes, Touch how,
                             int lane) {
  Allocation* a = allocation_at(i, address, bytes);
  if (a == nullptr) {
    report(w, i, lane, "out of bounds: an address that is nobody's");
    return nowhere_;
  }
  const int64_t offset =
      static_cast<int64_t>(address) - static_cast<int64_t>(reinterpret_cast<uint64_t>(a->begin));
  const auto where = [&] {
    return "global memory +" + std::to_string(offset) + " of " + std::to_string(a->bytes) +
           " bytes";
  };
  if (a->freed) {
    report(w, i, lane, "use after free of " + where());
    return nowhere_;
  }
  if (!a->holds(address, bytes)) {
    report(w, i, lane, "out of bounds: " + where());
    return nowhere_;
  }
  const Toucher who = toucher(w, i, lane, how);
  const auto conflict = how == Touch::kRead ? a->shadow.read(offset, bytes, a->bytes, who)
                                            : a->shadow.write(offset, bytes, a->bytes, who);
  if (conflict) check(conflict, w, i, lane, where());
  return reinterpret_cast<char*>(address);
}

void Launcher::forget_shared(const char* at, int bytes) {
  shared_shadow_.forget(at - block_.shared.data(), bytes,
                        static_cast<int64_t>(block_.shared.size()));
}

void Launcher::arrive_shared(Warp& w, const Instruction& i, const char* at, int bytes, int lane) {
  touch_shared(w, i, static_cast<uint64_t>(at - block_.shared.data()), bytes, Touch::kWrite, lane);
}

}  // namespace torchweld::virtual_gpu
