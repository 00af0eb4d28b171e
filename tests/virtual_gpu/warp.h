// The state of a running block: its warps, their lanes, its shared memory.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/cuda/device.h"
#include "tests/virtual_gpu/ptx.h"

namespace torchweld::virtual_gpu {

class Launcher;
struct Warp;

inline constexpr int kLanes = 32;

/// A copy that cp.async began and no wait has ended.
struct PendingCopy {
  char* to = nullptr;
  const char* from = nullptr;
  int bytes = 0,
      read = 0;  ///< what is written, and how much of it comes from memory; the rest is 0
  int group = 0;
};

struct Block {
  const Kernel* kernel = nullptr;
  Launcher* launcher = nullptr;
  std::vector<char> shared, parameters;
  std::vector<Warp> warps;
  uint32_t number = 0;         ///< in the grid, x fastest
  uint16_t barrier_epoch = 0;  ///< barriers that all threads have passed
};

struct Warp {
  Block* block = nullptr;
  uint32_t id = 0;
  uint32_t alive = 0, waiting = 0,
           parked = 0;  ///< lanes: not exited; at a barrier; at a collective
  bool converged = true;
  int pc = 0;                                    ///< of all lanes, while converged
  std::array<int, kLanes> pcs{};                 ///< else
  std::array<std::vector<int>, kLanes> returns;  ///< call stacks
  std::array<uint16_t, kLanes> epochs{};         ///< __syncwarp()s passed
  std::vector<uint64_t> registers;
  std::vector<char> local;
  std::array<std::array<uint64_t, kLanes>, static_cast<size_t>(Special::kCount)> specials{};
  std::array<std::vector<PendingCopy>, kLanes> copies;
  std::array<int, kLanes> groups{};
  std::array<uint32_t, kLanes> carry{};

  uint64_t* reg(int r) { return &registers[static_cast<size_t>(r) * kLanes]; }
  uint32_t thread(int lane) const { return id * kLanes + static_cast<uint32_t>(lane); }
};

/// Stops the launch: what went wrong, at which instruction and source line.
[[noreturn]] void fail(const Warp& warp, const Instruction& at, const std::string& what);

}  // namespace torchweld::virtual_gpu
