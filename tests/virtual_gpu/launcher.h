// Runs one launch: blocks one after the other, warps of a block in turn, lanes of a warp together.
#pragma once

#include <string>
#include <vector>

#include "kernels/cuda/device.h"
#include "tests/virtual_gpu/access.h"
#include "tests/virtual_gpu/memory_map.h"
#include "tests/virtual_gpu/shadow.h"
#include "tests/virtual_gpu/statistics.h"
#include "tests/virtual_gpu/warp.h"

namespace torchweld::virtual_gpu {

struct LaunchOptions {
  uint64_t seed = 1;   ///< of the order of blocks and warps, and of jitter
  bool jitter = true;  ///< approximate instructions are up to two ulps off
  int64_t most_instructions = int64_t{4} << 30;  ///< of warps; past it the kernel probably hangs
  std::vector<std::string>* reports =
      nullptr;  ///< where the checker's findings go; null: they throw
};

class Launcher {
 public:
  /// `number` tells launches apart; it grows from launch to launch.
  Launcher(const Kernel& kernel, MemoryMap* memory, Statistics* statistics,
           const LaunchOptions& options, uint32_t number);

  /// Throws  Error kDevice: the checker's findings, memory that is nobody's, divergent barriers,
  /// deadlocks, with the source lines.
  void run(const cuda::Dim3& grid, const cuda::Dim3& block, int64_t shared_bytes,
           std::vector<char> parameters);

  // What instructions ask for.
  char* touch(Warp& w, const Instruction& i, Space space, uint64_t address, int bytes, Touch how,
              int lane);
  Statistics& statistics() { return *statistics_; }
  /// What an approximate instruction gives: a value within `ulps`, at most two, of the exact one.
  /// Which one follows from `operands`, a number made of the instruction and what it is given: as
  /// on a device, equal operands have equal results, in whatever order threads come.
  float jittered(double exact, double ulps, uint64_t operands) const;
  double jittered(long double exact, double ulps, uint64_t operands) const;
  void forget_shared(const char* at, int bytes);
  void arrive_shared(Warp& w, const Instruction& i, const char* at, int bytes, int lane);

  /// A finding of the checker: thrown, or kept once in the list of reports.
  void report(const Warp& w, const Instruction& i, int lane, const std::string& what);

 private:
  void start_block(uint32_t number, const cuda::Dim3& grid, const cuda::Dim3& block);
  void start_warp(Warp* w, const cuda::Dim3& grid, const cuda::Dim3& block);
  void run_block();
  bool pass_barrier();
  void run_warp(Warp& w);
  void step(Warp& w, uint32_t lanes, int pc);
  void jump(Warp& w, const Instruction& i, uint32_t lanes, uint32_t taken, int pc);
  void meet(Warp& w, const Instruction& i, uint32_t lanes, uint32_t arriving, int pc);
  void advance(Warp& w, uint32_t lanes, int to);
  void diverge(Warp& w);
  void converge(Warp& w);
  Toucher toucher(const Warp& w, const Instruction& i, int lane, Touch how) const;
  void check(const std::optional<Conflict>& conflict, Warp& w, const Instruction& i, int lane,
             const std::string& where);
  char* touch_shared(Warp& w, const Instruction& i, uint64_t offset, int bytes, Touch how,
                     int lane);
  char* touch_global(Warp& w, const Instruction& i, uint64_t address, int bytes, Touch how,
                     int lane);
  Allocation* allocation_at(const Instruction& i, uint64_t address, int bytes);
  uint64_t random();
  template <class T, class Wide>
  T drawn_within(Wide exact, double ulps, uint64_t operands) const;

  const Kernel& kernel_;
  MemoryMap* memory_;
  Statistics* statistics_;
  LaunchOptions options_;
  uint32_t number_;
  uint64_t random_;
  int64_t instructions_ = 0;
  uint32_t threads_ = 0;
  Block block_;
  Shadow shared_shadow_;
  std::vector<Allocation*> last_;  // by instruction: the allocation that it touched last
  char nowhere_[64] = {};          // where accesses go that were reported
};

}  // namespace torchweld::virtual_gpu
