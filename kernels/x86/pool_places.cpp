// Poolings by hand that say where each maximum is: element by element, as LibTorch does.
#include "kernels/x86/windows.h"

namespace torchweld::x86 {
namespace {

/// The maximum that a window sees, and where.
struct Maximum {
  float value;
  int64_t place;
};

Maximum maximum_in(const WindowPool& p, const float* x, const Window& planes, const Window& rows,
                   const Window& columns) {
  Maximum m{-__builtin_inff(), (planes.begin * p.height + rows.begin) * p.width + columns.begin};
  for (int64_t d = planes.begin; d < planes.end; ++d) {
    for (int64_t i = rows.begin; i < rows.end; ++i) {
      for (int64_t j = columns.begin; j < columns.end; ++j) {
        const float value = x[d * p.x.planes + i * p.x.rows + j * p.x.columns];
        if (!(value > m.value || value != value)) continue;
        m = {value, (d * p.height + i) * p.width + j};
      }
    }
  }
  return m;
}

/// Maxima and where they are.
void find_in_volume(const WindowPool& p, const float* x, float* out, int64_t* places, int64_t image,
                    int64_t channel) {
  x += image * p.x.images + channel * p.x.channels;
  const int64_t to = image * p.out.images + channel * p.out.channels;
  const auto planes = static_cast<int64_t>(p.planes.size()),
             rows = static_cast<int64_t>(p.rows.size()),
             columns = static_cast<int64_t>(p.columns.size());
  for (int64_t plane = 0; plane < planes; ++plane) {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < columns; ++column) {
        const Maximum m =
            maximum_in(p, x, p.planes.data()[plane], p.rows.data()[row], p.columns.data()[column]);
        const int64_t at = to + plane * p.out.planes + row * p.out.rows + column * p.out.columns;
        out[at] = m.value;
        places[at] = m.place;
      }
    }
  }
}

}  // namespace

void find_places(const WindowPool& pool, const float* x, float* out, int64_t* places, int64_t begin,
                 int64_t end) {
  // Volumes, not tasks, since there may be fewer tasks: the share of each is that of its place.
  const int64_t volumes = pool.images * pool.channels, tasks = pool.tasks();
  for (int64_t i = begin * volumes / tasks; i < end * volumes / tasks; ++i)
    find_in_volume(pool, x, out, places, i / pool.channels, i % pool.channels);
}

}  // namespace torchweld::x86
