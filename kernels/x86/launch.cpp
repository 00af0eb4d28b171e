// The driver of generated code.
#include "kernels/x86/launch.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>

#include "kernels/x86/share_out.h"
#include "kernels/x86/turn.h"
#include "kernels/x86/walk.h"

namespace torchweld::x86 {
namespace {

constexpr int64_t kAlign = 64;  // elements; keeps pieces of a row on cache lines of their own

// Virtual machines report the whole socket's cache, of which one guest gets a part.
int64_t last_level_cache_bytes() {
  static const int64_t bytes = [] {
    const int64_t reported = sysconf(_SC_LEVEL3_CACHE_SIZE);
    return std::clamp<int64_t>(reported, int64_t{8} << 20, int64_t{64} << 20);
  }();
  return bytes;
}

}  // namespace

struct Launcher::Run {
  const Launcher& launcher;
  const Geometry& geometry;
  void* const* pointers;
  bool stream;

  size_t outer() const { return launcher.outer_dims(geometry); }
  size_t lane() const { return launcher.across_ ? outer() : geometry.sizes.size() - 1; }
  int64_t columns() const { return geometry.sizes[lane()]; }
  int64_t count_of_rows() const {
    int64_t rows = 1;
    for (size_t d = 0; d < outer(); ++d) rows *= geometry.sizes[d];
    return rows;
  }

  // Points `args` at element (row, column), and gives the rows left in the innermost dim of rows.
  int64_t locate(int64_t row, int64_t column, LaunchArgs* args) const {
    const size_t operands = launcher.element_bytes_.size();
    for (size_t i = 0; i < operands; ++i) {
      const int64_t offset = column * geometry.strides[i][lane()] * launcher.element_bytes_[i];
      args->pointers[i] = static_cast<char*>(pointers[i]) + offset;
    }
    int64_t run = 1;
    args->coords[lane()] = column;
    for (size_t d = outer(); d-- > 0;) {
      const int64_t at = row % geometry.sizes[d];
      args->coords[d] = at;
      row /= geometry.sizes[d];
      if (d + 1 == outer()) run = geometry.sizes[d] - at;
      if (at == 0) continue;
      for (size_t i = 0; i < operands; ++i) {
        args->pointers[i] += at * geometry.strides[i][d] * launcher.element_bytes_[i];
      }
    }
    return run;
  }

  void rows(int64_t begin, int64_t end, int64_t column, int64_t columns) const {
    if (!launcher.code_.keeps) return rows(begin, end, column, columns, nullptr);
    alignas(64) char kept[8 * kMostKept + 64];
    rows(begin, end, column, columns, kept);
  }

  void rows(int64_t begin, int64_t end, int64_t column, int64_t columns, char* kept) const {
    const size_t operands = launcher.element_bytes_.size();
    LaunchArgs args;
    for (size_t i = 0; i < operands; ++i) {
      args.inner_bytes[i] = geometry.strides[i][lane()] * launcher.element_bytes_[i];
      args.outer_bytes[i] =
          outer() == 0 ? 0 : geometry.strides[i][outer() - 1] * launcher.element_bytes_[i];
    }
    set_nest(&args);
    args.inner = columns;
    args.stream = stream;
    args.kept = kept;
    args.params = geometry.params.data();
    while (begin < end) {
      args.outer = std::min(locate(begin, column, &args), end - begin);
      begin += args.outer;
      launcher.code_.entry(&args);
    }
    // Streamed stores are weakly ordered; whoever is told that the launch is over must see them.
    if (stream) __builtin_ia32_sfence();
  }

  void set_nest(LaunchArgs* args) const {
    size_t level = 0;
    for (size_t d = outer(); d < geometry.sizes.size(); ++d) {
      if (d == lane()) continue;
      args->nest[level] = geometry.sizes[d];
      for (size_t i = 0; i < launcher.element_bytes_.size(); ++i)
        args->nest_bytes[level][i] = geometry.strides[i][d] * launcher.element_bytes_[i];
      ++level;
    }
  }
};

/// A launch in tiles: crosswise operands are turned on the way in or out.
struct Launcher::Tiles {
  Tiles(const Launcher& launcher, const Geometry& geometry, void* const* pointers, int64_t begin,
        int64_t end)
      : launcher(launcher),
        geometry(geometry),
        pointers(pointers),
        tile(Tile::of(launcher.crosswise_, geometry)),
        lane(launcher.crosswise_.lane_of(geometry)),
        dim(launcher.crosswise_.dim_of(geometry)),
        first(begin),
        outermost(end - begin) {
    for (size_t d = 0; d < geometry.sizes.size(); ++d) {
      if (d != dim && d != lane) around *= size(d);
    }
  }

  const Launcher& launcher;
  const Geometry& geometry;
  void* const* pointers;
  const Tile tile;
  const size_t lane, dim;
  const int64_t first, outermost;  ///< of the outermost dim: where the launch begins, how much
  int64_t around = 1;              ///< times that rows and columns are walked

  int64_t size(size_t d) const { return d == 0 ? outermost : geometry.sizes[d]; }
  static int64_t pieces(int64_t n, int64_t piece) { return (n + piece - 1) / piece; }
  int64_t count() const {
    return around * pieces(size(dim), tile.rows) * pieces(size(lane), tile.columns);
  }
  int64_t stride_bytes(size_t i, size_t d) const {
    return geometry.strides[i][d] * launcher.element_bytes_[i];
  }

  void run(int64_t begin, int64_t end) const {
    if (!launcher.code_.keeps) return run(begin, end, nullptr);
    alignas(64) char kept[8 * kMostKept + 64];
    run(begin, end, kept);
  }

  void run(int64_t begin, int64_t end, char* kept) const {
    alignas(64) char turned[kTileRoom];
    LaunchArgs args;
    args.stream = 0;
    args.kept = kept;
    args.params = geometry.params.data();
    for (Position at = position(begin); begin < end; ++begin, next(&at)) one(at, turned, &args);
  }

  /// A tile's first element, by dim; the outermost one counts from where the launch begins.
  using Position = std::array<int64_t, kMaxRank>;

  int64_t step(size_t d) const { return d == lane ? tile.columns : d == dim ? tile.rows : 1; }

  /// Dims in the order in which tiles are walked, the fastest first.
  template <class Visit>
  void each_dim(const Visit& visit) const {
    if (!visit(lane) || !visit(dim)) return;
    for (size_t d = geometry.sizes.size(); d-- > 0;) {
      if (d != dim && d != lane && !visit(d)) return;
    }
  }

  Position position(int64_t index) const {
    Position at{};
    each_dim([&](size_t d) {
      const int64_t count = pieces(size(d), step(d));
      at[d] = index % count * step(d);
      index /= count;
      return true;
    });
    return at;
  }

  void next(Position* at) const {
    each_dim([&](size_t d) {
      (*at)[d] += step(d);
      if ((*at)[d] < size(d)) return false;
      (*at)[d] = 0;
      return true;
    });
  }

  void one(const Position& at, char* turned, LaunchArgs* args) const {
    const size_t operands = launcher.element_bytes_.size();
    args->inner = std::min(tile.columns, size(lane) - at[lane]);
    args->outer = std::min(tile.rows, size(dim) - at[dim]);
    std::array<char*, kMaxOperands> memory;
    for (size_t i = 0; i < operands; ++i) {
      const int64_t bytes = launcher.element_bytes_[i];
      int64_t offset = first * geometry.strides[i][0];
      for (size_t d = 0; d < geometry.sizes.size(); ++d) offset += at[d] * geometry.strides[i][d];
      memory[i] = static_cast<char*>(pointers[i]) + offset * bytes;
      args->pointers[i] = memory[i];
      args->inner_bytes[i] = stride_bytes(i, lane);
      args->outer_bytes[i] = stride_bytes(i, dim);
      if (!launcher.crosswise_.has(i)) continue;
      args->pointers[i] = turned;
      args->inner_bytes[i] = bytes;
      args->outer_bytes[i] = tile.pitch * bytes;
      turned += tile.rows * tile.pitch * bytes;
      if (i < launcher.loads_)
        turn(bytes, memory[i], stride_bytes(i, lane), args->inner, args->outer, args->pointers[i],
             tile.pitch * bytes);
    }
    launcher.code_.entry(args);
    for (size_t i = launcher.loads_; i < operands; ++i) {
      if (!launcher.crosswise_.has(i)) continue;
      turn(launcher.element_bytes_[i], args->pointers[i], args->outer_bytes[i], args->outer,
           args->inner, memory[i], stride_bytes(i, lane));
    }
  }
};

Launcher::Launcher(const KernelSpec& spec, const Generated& code, const Crosswise& crosswise)
    : code_(code),
      crosswise_(crosswise),
      loads_(spec.loads.size()),
      reduced_(spec.reduced),
      across_(walk_of(spec).across),
      splits_lanes_(spec.reduced == 0 || across_) {
  for (const OperandSpec& load : spec.loads) element_bytes_.push_back(size_of(load.dtype));
  for (const StoreSpec& store : spec.stores) element_bytes_.push_back(size_of(store.operand.dtype));
  least_ = elements_of(kLeastGrainCycles);
}

int64_t Launcher::elements_of(int64_t cycles) const {
  const auto count = static_cast<int64_t>(static_cast<double>(cycles) / code_.cycles_per_element);
  return std::clamp<int64_t>(count / kAlign * kAlign, 1024, int64_t{1} << 17);
}

/// Dims that count rows; the others are the lanes' and loops within a row.
size_t Launcher::outer_dims(const Geometry& geometry) const {
  if (reduced_ == 0) return geometry.sizes.size() - 1;
  return geometry.sizes.size() - static_cast<size_t>(reduced_) - (across_ ? 1 : 0);
}

bool Launcher::should_stream(const Geometry& geometry, void* const* pointers) const {
  if (!code_.can_stream) return false;
  int64_t bytes = 0;
  for (const int64_t size : element_bytes_) bytes += size * geometry.elements;
  if (bytes < last_level_cache_bytes()) return false;
  for (size_t i = loads_; i < element_bytes_.size(); ++i) {
    if (reinterpret_cast<uintptr_t>(pointers[i]) % 64 != 0) return false;
    for (size_t d = 0; d + 1 < geometry.sizes.size(); ++d) {
      if (geometry.strides[i][d] * element_bytes_[i] % 64 != 0) return false;
    }
  }
  return true;
}

void Launcher::launch_part(const Geometry& geometry, void* const* pointers, int64_t begin,
                           int64_t end) const {
  if (crosswise_.any()) {
    const Tiles tiles(*this, geometry, pointers, begin, end);
    return tiles.run(0, tiles.count());
  }
  const Run run{*this, geometry, pointers, false};
  if (run.outer() == 0) return run.rows(0, 1, begin, end - begin);
  const int64_t rows = run.count_of_rows() / geometry.sizes.front();
  run.rows(begin * rows, end * rows, 0, run.columns());
}

void Launcher::launch(const Geometry& geometry, void* const* pointers,
                      const ParallelFor& parallel) const {
  if (geometry.elements == 0) return;
  const int64_t grain =
      geometry.elements < 2 * least_ || !parallel ? 0 : elements_of(grain_cycles());
  const bool is_alone = grain == 0 || geometry.elements < 2 * grain;
  if (crosswise_.any()) {
    const Tiles tiles(*this, geometry, pointers, 0, geometry.sizes.front());
    if (is_alone) return tiles.run(0, tiles.count());
    const auto work = [&](int64_t begin, int64_t end) { tiles.run(begin, end); };
    const int64_t elements = tiles.tile.rows * tiles.tile.columns;
    return parallel(tiles.count(), std::max<int64_t>(1, grain / elements), std::ref(work));
  }
  const Run run{*this, geometry, pointers, should_stream(geometry, pointers)};
  const int64_t columns = run.columns(), rows = run.count_of_rows();
  if (is_alone) {
    run.rows(0, rows, 0, columns);
  } else {
    // A unit is a row, or a piece of one where rows are long.
    const int64_t elements = geometry.elements / (rows * columns);  // behind one lane
    const int64_t lanes = std::max<int64_t>(kAlign, grain / elements / kAlign * kAlign);
    const int64_t piece = splits_lanes_ ? std::min(columns, lanes) : columns;
    const int64_t pieces = (columns + piece - 1) / piece;
    const auto work = [&](int64_t begin, int64_t end) {
      if (pieces == 1) return run.rows(begin, end, 0, columns);
      while (begin < end) {
        const int64_t row = begin / pieces, first = begin % pieces;
        const int64_t last = std::min(pieces, first + end - begin);
        const int64_t from = first * piece;
        run.rows(row, row + 1, from, std::min(last * piece, columns) - from);
        begin += last - first;
      }
    };
    // By reference, since a std::function of its own would allocate.
    parallel(rows * pieces, std::max<int64_t>(1, grain / (piece * elements)), std::ref(work));
  }
}

}  // namespace torchweld::x86
