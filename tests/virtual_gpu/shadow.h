// Who touched each piece of memory last: the record behind the checks for races and for reads of
// what nobody wrote.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace torchweld::virtual_gpu {

/// One lane at one instruction of one launch.
struct Toucher {
  uint32_t launch = 0, block = 0;
  uint16_t thread = 0;
  uint16_t barrier = 0;  ///< barriers that its block has passed
  uint16_t warp_epoch = 0;
  bool atomic = false;   ///< or a strong store
  bool updates = false;  ///< reads what it replaces
  int instruction = 0;

  uint32_t warp() const { return thread / 32u; }
};

/// What is wrong with an access.
struct Conflict {
  const char* kind = "";  ///< "race write/write", "race read/write", "uninitialised read"
  Toucher other;
  bool has_other = false;
};

/// The record of one range of memory, kept in granules of 4 bytes until something smaller is
/// touched.
///
/// Rules   accesses of one launch by different blocks are never ordered; of one block, only by a
/// barrier between; of one warp, only by a __syncwarp() between, whatever order the interpreter
/// has; atomics and strong stores don't race with each other. Launches are ordered. Cost    48
/// bytes a granule, allocated at the first access.
class Shadow {
 public:
  std::optional<Conflict> read(int64_t offset, int64_t bytes, int64_t total, const Toucher& who);
  std::optional<Conflict> write(int64_t offset, int64_t bytes, int64_t total, const Toucher& who);

  void set_initialised(int64_t offset, int64_t bytes, int64_t total);
  void set_all_initialised() { all_initialised_ = true; }
  /// What is there counts as never written, as while an asynchronous copy is under way.
  void forget(int64_t offset, int64_t bytes, int64_t total);
  /// A new block's shared memory: nothing written, nobody was here.
  void clear() { cells_.clear(); }

 private:
  struct Cell {
    Toucher writer, reader;
    bool initialised = false;
    bool many_lanes = false, many_warps = false, many_blocks = false;  // readers since
  };

  void ready(int64_t offset, int64_t bytes, int64_t total);
  Cell* begin(int64_t offset) { return &cells_[static_cast<size_t>(offset / granule_)]; }
  Cell* end(int64_t offset, int64_t bytes) {
    return cells_.data() + (offset + bytes + granule_ - 1) / granule_;
  }
  static bool unordered(const Toucher& before, const Toucher& now);
  static bool readers_race(const Cell& cell, const Toucher& now);
  static void note_reader(Cell* cell, const Toucher& who);

  std::vector<Cell> cells_;
  int64_t granule_ = 4;
  bool all_initialised_ = false;
};

}  // namespace torchweld::virtual_gpu
