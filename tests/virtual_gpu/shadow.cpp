#include "tests/virtual_gpu/shadow.h"

namespace torchweld::virtual_gpu {

/// Makes the cells, as fine as this access needs.
void Shadow::ready(int64_t offset, int64_t bytes, int64_t total) {
  int64_t wanted = granule_;
  while (wanted > 1 && (offset % wanted != 0 || bytes % wanted != 0)) wanted /= 2;
  const auto count = static_cast<size_t>((total + wanted - 1) / wanted);
  if (cells_.empty()) {
    granule_ = wanted;
    cells_.resize(count);
    if (all_initialised_) {
      for (Cell& c : cells_) c.initialised = true;
    }
  } else if (wanted < granule_) {
    std::vector<Cell> finer(count);
    for (size_t i = 0; i < count; ++i)
      finer[i] = cells_[i * static_cast<size_t>(wanted) / static_cast<size_t>(granule_)];
    cells_ = std::move(finer);
    granule_ = wanted;
  }
}

bool Shadow::unordered(const Toucher& before, const Toucher& now) {
  if (before.launch != now.launch) return false;
  if (before.atomic && now.atomic) return false;
  if (before.block != now.block) return true;
  if (before.thread == now.thread || before.barrier != now.barrier) return false;
  return before.warp() != now.warp() || before.warp_epoch == now.warp_epoch;
}

bool Shadow::readers_race(const Cell& cell, const Toucher& now) {
  const Toucher& r = cell.reader;
  if (r.launch != now.launch || (r.atomic && now.atomic)) return false;
  if (cell.many_blocks || r.block != now.block) return true;
  if (r.barrier != now.barrier) return false;
  if (cell.many_warps || r.warp() != now.warp()) return true;
  return r.warp_epoch == now.warp_epoch && (cell.many_lanes || r.thread != now.thread);
}

void Shadow::note_reader(Cell* cell, const Toucher& who) {
  const Toucher& r = cell->reader;
  if (r.launch != who.launch) {
    cell->many_blocks = cell->many_warps = cell->many_lanes = false;
  } else if (r.block != who.block) {
    cell->many_blocks = true;
  } else if (r.barrier != who.barrier) {
    cell->many_warps = cell->many_lanes = false;
  } else if (r.warp() != who.warp()) {
    cell->many_warps = true;
  } else if (r.warp_epoch != who.warp_epoch) {
    cell->many_lanes = false;
  } else if (r.thread != who.thread) {
    cell->many_lanes = true;
  }
  cell->reader = who;
}

std::optional<Conflict> Shadow::read(int64_t offset, int64_t bytes, int64_t total,
                                     const Toucher& who) {
  ready(offset, bytes, total);
  for (Cell* c = begin(offset); c != end(offset, bytes); ++c) {
    if (!c->initialised) return Conflict{"uninitialised read", {}, false};
    if (unordered(c->writer, who)) return Conflict{"race write/read", c->writer, true};
    note_reader(c, who);
  }
  return std::nullopt;
}

std::optional<Conflict> Shadow::write(int64_t offset, int64_t bytes, int64_t total,
                                      const Toucher& who) {
  ready(offset, bytes, total);
  for (Cell* c = begin(offset); c != end(offset, bytes); ++c) {
    if (who.updates && !c->initialised) return Conflict{"uninitialised read", {}, false};
    if (unordered(c->writer, who)) return Conflict{"race write/write", c->writer, true};
    if (readers_race(*c, who)) return Conflict{"race read/write", c->reader, true};
    c->initialised = true;
    c->writer = who;
    if (who.updates) note_reader(c, who);
  }
  return std::nullopt;
}

void Shadow::set_initialised(int64_t offset, int64_t bytes, int64_t total) {
  if (bytes == 0) return;
  ready(offset, bytes, total);
  for (Cell* c = begin(offset); c != end(offset, bytes); ++c) {
    *c = {};
    c->initialised = true;
  }
}

void Shadow::forget(int64_t offset, int64_t bytes, int64_t total) {
  ready(offset, bytes, total);
  for (Cell* c = begin(offset); c != end(offset, bytes); ++c) c->initialised = false;
}

}  // namespace torchweld::virtual_gpu
