// Every read and write of a lane goes through here: bounds, alignment, races, initialisation, and
// the count of sectors and banks.
#pragma once

#include "tests/virtual_gpu/warp.h"

namespace torchweld::virtual_gpu {

/// kStrongWrite: a volatile or relaxed store, which PTX orders with its like as it does atomics.
enum class Touch : uint8_t { kRead, kWrite, kStrongWrite, kAtomic };

/// The host address behind an address of the instruction's space, checked and noted. `bytes` is the
/// whole access of the lane, which has to be aligned to it.
char* touch(Warp& w, const Instruction& i, Space space, uint64_t address, int bytes, Touch how,
            int lane);

/// Counts one request of a warp to global or shared memory.
void count_request(Warp& w, Space space, uint32_t active, const uint64_t* addresses, int bytes);

/// Base plus offset of an address operand.
uint64_t address_of(Warp& w, const Operand& o, int lane);

}  // namespace torchweld::virtual_gpu
