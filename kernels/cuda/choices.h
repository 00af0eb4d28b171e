// When each skeleton is the one, and with what numbers; schedule.cpp's table is the reader's way
// in.
#pragma once

#include "kernels/cuda/schedule.h"

namespace torchweld::cuda {

Fit choose_pointwise(const Problem& problem, Schedule* schedule);
Fit choose_transpose(const Problem& problem, Schedule* schedule);
Fit choose_row_thread(const Problem& problem, Schedule* schedule);
Fit choose_row_columns(const Problem& problem, Schedule* schedule);
Fit choose_row_split(const Problem& problem, Schedule* schedule);
Fit choose_row_warp(const Problem& problem, Schedule* schedule);
Fit choose_row_block(const Problem& problem, Schedule* schedule);

}  // namespace torchweld::cuda
