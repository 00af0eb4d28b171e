#include "tests/virtual_gpu/launcher.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "tests/virtual_gpu/lanes.h"
#include "torchweld/error.h"

namespace torchweld::virtual_gpu {
namespace {

std::string place(const Instruction& i) {
  return "line " + std::to_string(i.source) + " (PTX line " + std::to_string(i.line) + ")";
}

uint32_t first_lanes(uint32_t count) { return count >= 32 ? ~0u : (1u << count) - 1; }

}  // namespace

void fail(const Warp& w, const Instruction& at, const std::string& what) {
  throw Error(ErrorCode::kDevice,
              "kernel " + w.block->kernel->name + ", " + place(at) + ": " + what);
}

Launcher::Launcher(const Kernel& kernel, MemoryMap* memory, Statistics* statistics,
                   const LaunchOptions& options, uint32_t number)
    : kernel_(kernel),
      memory_(memory),
      statistics_(statistics),
      options_(options),
      number_(number),
      random_(options.seed * 0x9e3779b97f4a7c15ull + number) {
  last_.resize(kernel.code.size(), nullptr);
}

uint64_t Launcher::random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_ = random_ == 0 ? 1 : random_;
}

template <class T, class Wide>
T Launcher::drawn_within(Wide exact, double ulps, uint64_t operands) const {
  const auto nearest = static_cast<T>(exact);
  if (!options_.jitter || !std::isfinite(nearest) || nearest == 0) return nearest;
  uint64_t drawn = operands ^ options_.seed * 0x9e3779b97f4a7c15ull;
  for (int k = 0; k < 2; ++k) drawn = (drawn ^ drawn >> 32) * 0xd6e8feb86659fd93ull;
  const int steps = static_cast<int>((drawn >> 33) % 5) - 2;
  const T away = steps > 0 ? T(INFINITY) : T(-INFINITY);
  const Wide most = ulps * std::fabs(Wide{std::nextafter(nearest, away)} - Wide{nearest});
  T value = nearest;
  for (int k = 0; k < std::abs(steps); ++k) {
    const T next = std::nextafter(value, away);
    if (std::isfinite(next) && std::fabs(Wide{next} - exact) <= most) value = next;
  }
  return value;
}

float Launcher::jittered(double exact, double ulps, uint64_t operands) const {
  return drawn_within<float>(exact, ulps, operands);
}
double Launcher::jittered(long double exact, double ulps, uint64_t operands) const {
  return drawn_within<double>(exact, ulps, operands);
}

void Launcher::run(const cuda::Dim3& grid, const cuda::Dim3& block, int64_t shared_bytes,
                   std::vector<char> parameters) {
  ++statistics_->launches;
  threads_ = block.x * block.y * block.z;
  block_.kernel = &kernel_;
  block_.launcher = this;
  block_.parameters = std::move(parameters);
  block_.shared.resize(static_cast<size_t>(kernel_.shared_bytes + shared_bytes));
  block_.warps.resize((threads_ + 31) / 32);
  // A walk through all blocks in an order that nobody relies on.
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  uint64_t stride = random() % blocks + 1;
  while (std::gcd(stride, blocks) != 1) ++stride;
  uint64_t at = random() % blocks;
  for (uint64_t k = 0; k < blocks; ++k, at = (at + stride) % blocks) {
    start_block(static_cast<uint32_t>(at), grid, block);
    run_block();
  }
}

void Launcher::start_block(uint32_t number, const cuda::Dim3& grid, const cuda::Dim3& block) {
  block_.number = number;
  block_.barrier_epoch = 0;
  std::fill(block_.shared.begin(), block_.shared.end(), static_cast<char>(0xff));
  shared_shadow_.clear();
  for (uint32_t w = 0; w < block_.warps.size(); ++w) {
    block_.warps[w].id = w;
    start_warp(&block_.warps[w], grid, block);
  }
}

void Launcher::start_warp(Warp* w, const cuda::Dim3& grid, const cuda::Dim3& block) {
  w->block = &block_;
  w->alive = first_lanes(threads_ - w->id * 32);
  w->waiting = w->parked = 0;
  w->converged = true;
  w->pc = 0;
  w->registers.resize(static_cast<size_t>(kernel_.registers) * kLanes);
  w->local.resize(static_cast<size_t>(kernel_.local_bytes) * kLanes);
  w->pcs.fill(0);
  w->epochs.fill(0);
  w->groups.fill(0);
  const uint32_t x = block_.number % grid.x, y = block_.number / grid.x % grid.y,
                 z = block_.number / grid.x / grid.y;
  for (size_t l = 0; l < kLanes; ++l) {
    w->copies[l].clear();
    w->returns[l].clear();
    const uint32_t t = w->id * 32 + static_cast<uint32_t>(l), lane = static_cast<uint32_t>(l);
    const uint64_t values[] = {t % block.x,
                               t / block.x % block.y,
                               t / block.x / block.y,
                               block.x,
                               block.y,
                               block.z,
                               x,
                               y,
                               z,
                               grid.x,
                               grid.y,
                               grid.z,
                               lane,
                               w->id,
                               (1u << lane) - 1,
                               (2u << lane) - 1,
                               ~((2u << lane) - 1) & 0xffffffffu,
                               ~((1u << lane) - 1) & 0xffffffffu,
                               1u << lane,
                               0};
    for (size_t s = 0; s < std::size(values); ++s) w->specials[s][l] = values[s];
  }
}

void Launcher::run_block() {
  std::vector<size_t> order(block_.warps.size());
  std::iota(order.begin(), order.end(), size_t{0});
  do {
    for (size_t k = order.size(); k > 1; --k) std::swap(order[k - 1], order[random() % k]);
    for (const size_t w : order) run_warp(block_.warps[w]);
  } while (pass_barrier());
}

/// Lets the threads that wait at a barrier go on. False when all have exited.
bool Launcher::pass_barrier() {
  const Warp* first = nullptr;
  int at = -1;
  uint32_t waiting = 0;
  for (Warp& w : block_.warps) {
    each_lane(w.alive, [&](int l) {
      ++waiting;
      const int pc = w.pcs[static_cast<size_t>(l)];
      if (at < 0) {
        at = pc;
        first = &w;
      } else if (pc != at) {
        fail(w, kernel_.code[static_cast<size_t>(pc - 1)],
             "divergent barrier: thread " + std::to_string(w.thread(l)) + " waits here, thread " +
                 std::to_string(first->thread(std::countr_zero(first->alive))) + " at " +
                 place(kernel_.code[static_cast<size_t>(at - 1)]));
      }
    });
  }
  if (waiting == 0) return false;
  if (waiting != threads_)
    fail(*first, kernel_.code[static_cast<size_t>(at - 1)],
         std::to_string(threads_ - waiting) + " threads of the block exited before this barrier");
  ++block_.barrier_epoch;
  for (Warp& w : block_.warps) {
    w.waiting = 0;
    w.converged = true;
    w.pc = at;
  }
  return true;
}

/// Until every lane waits at a barrier or has exited. The lanes with the lowest program counter go
/// first, so that those that took a branch meet the others behind it.
void Launcher::run_warp(Warp& w) {
  for (;;) {
    const uint32_t runnable = w.alive & ~w.waiting;
    if (runnable == 0) return;
    if (w.converged && runnable == w.alive) {
      step(w, runnable, w.pc);
      continue;
    }
    diverge(w);
    int pc = -1;
    uint32_t lanes = 0;
    each_lane(runnable & ~w.parked, [&](int l) {
      const int mine = w.pcs[static_cast<size_t>(l)];
      if (pc >= 0 && mine > pc) return;
      lanes = mine == pc ? lanes | 1u << l : 1u << l;
      pc = mine;
    });
    if (pc < 0) {
      const int at = w.pcs[static_cast<size_t>(std::countr_zero(runnable))];
      fail(w, kernel_.code[static_cast<size_t>(at)],
           "deadlock: lanes wait for others of their mask that never come");
    }
    step(w, lanes, pc);
    converge(w);
  }
}

void Launcher::step(Warp& w, uint32_t lanes, int pc) {
  const Instruction& i = kernel_.code[static_cast<size_t>(pc)];
  uint32_t active = lanes;
  if (i.guard >= 0) {
    const uint64_t* guard = w.reg(i.guard);
    each_lane(lanes, [&](int l) {
      if ((guard[l] != 0) == i.guard_negated) active &= ~(1u << l);
    });
  }
  ++statistics_->warp_instructions;
  statistics_->thread_instructions += std::popcount(active);
  if (++instructions_ > options_.most_instructions)
    fail(w, i, "probably hangs: " + std::to_string(instructions_) + " instructions so far");
  switch (i.flow) {
    case Flow::kNone:
      if (active != 0) i.execute(w, i, active);
      return advance(w, lanes, pc + 1);
    case Flow::kCollective:
      return meet(w, i, lanes, active, pc);
    case Flow::kBarrier:
      diverge(w);
      w.waiting |= active;
      return advance(w, lanes, pc + 1);
    case Flow::kExit:
      diverge(w);
      advance(w, lanes, pc + 1);
      w.alive &= ~active;
      return converge(w);
    case Flow::kTrap:
      if (active != 0) fail(w, i, "trap");
      return advance(w, lanes, pc + 1);
    default:
      return jump(w, i, lanes, active, pc);
  }
}

void Launcher::jump(Warp& w, const Instruction& i, uint32_t lanes, uint32_t taken, int pc) {
  if (i.flow == Flow::kBranch && w.converged && (taken == lanes || taken == 0)) {
    w.pc = taken != 0 ? i.target : pc + 1;
    return;
  }
  diverge(w);
  advance(w, lanes, pc + 1);
  each_lane(taken, [&](int l) {
    int& at = w.pcs[static_cast<size_t>(l)];
    auto& returns = w.returns[static_cast<size_t>(l)];
    if (i.flow == Flow::kBranch) {
      at = i.target;
    } else if (i.flow == Flow::kCall) {
      returns.push_back(at);
      at = i.target;
    } else if (i.flow == Flow::kReturn) {
      at = returns.back();
      returns.pop_back();
    } else {
      at = i.table[static_cast<size_t>(value_of(w, i.operands[0], l))];
    }
  });
  converge(w);
}

/// Lanes wait for all others of their member mask. Nothing but the mask orders them.
void Launcher::meet(Warp& w, const Instruction& i, uint32_t lanes, uint32_t arriving, int pc) {
  if (arriving == 0) return advance(w, lanes, pc + 1);
  const bool needs_all = i.op == "mma" || i.op == "ldmatrix";
  const auto mask =
      needs_all ? ~0u
                : static_cast<uint32_t>(value_of(w, i.operands.back(), std::countr_zero(arriving)));
  if ((mask & ~w.alive) != 0) fail(w, i, "names lanes that don't exist or have exited");
  if ((arriving & ~mask) != 0) fail(w, i, "a lane takes part that its mask doesn't name");
  uint32_t here = arriving;
  each_lane(w.parked, [&](int l) {
    if (w.pcs[static_cast<size_t>(l)] == pc) here |= 1u << l;
  });
  if ((mask & ~here) != 0) {
    diverge(w);
    advance(w, lanes & ~arriving, pc + 1);
    w.parked |= arriving;
    return;
  }
  w.parked &= ~mask;
  if (i.op == "bar") {
    uint16_t latest = 0;
    each_lane(mask, [&](int l) { latest = std::max(latest, w.epochs[static_cast<size_t>(l)]); });
    each_lane(mask, [&](int l) { w.epochs[static_cast<size_t>(l)] = latest + 1; });
  } else {
    i.execute(w, i, mask);
  }
  advance(w, lanes | mask, pc + 1);
}

void Launcher::advance(Warp& w, uint32_t lanes, int to) {
  if (w.converged) {
    w.pc = to;
    return;
  }
  each_lane(lanes, [&](int l) { w.pcs[static_cast<size_t>(l)] = to; });
}

void Launcher::diverge(Warp& w) {
  if (!w.converged) return;
  w.converged = false;
  w.pcs.fill(w.pc);
}

void Launcher::converge(Warp& w) {
  if (w.converged || w.waiting != 0 || w.parked != 0 || w.alive == 0) return;
  const int pc = w.pcs[static_cast<size_t>(std::countr_zero(w.alive))];
  bool same = true;
  each_lane(w.alive, [&](int l) { same &= w.pcs[static_cast<size_t>(l)] == pc; });
  w.converged = same;
  if (same) w.pc = pc;
}

}  // namespace torchweld::virtual_gpu
