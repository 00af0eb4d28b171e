// The program's four commands. Each returns the exit status: 0 only on success.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "torchweld/options.h"

namespace torchweld::cli {

/// What every command is told: which call to make.
struct CallArguments {
  std::string archive;
  std::string method = "forward";
  std::string device = "cpu";       ///< "cpu", "cuda", "cuda:1" or "virtual"
  std::vector<std::string> inputs;  ///< each as parse_input reads it
  std::string inputs_file;          ///< used when `inputs` is empty
  uint64_t seed = 0;
  int threads = 0;     ///< 0: as many as LibTorch takes by itself
  bool exact = false;  ///< Numerics::kExact
  Precision precision = Precision::kArchive;
  bool measure_products = false;
  bool no_measure = false;  ///< plans as the planner makes them
  bool json = false;
};

struct RunArguments {
  CallArguments call;
  std::string save;  ///< file for the outputs; empty: none
};

struct CheckArguments {
  CallArguments call;
  int runs = 5;
  bool float64 =
      false;  ///< an answer out of tolerance stands if it is as close to float64 as LibTorch's
  double relative = -1, absolute = -1;  ///< negative: torch.testing's, by element type
};

struct ExplainArguments {
  CallArguments call;
  std::string dot, svg;  ///< files; empty: none
  std::string kernels;   ///< a folder for sources, PTX and resources of CUDA kernels; empty: none
  bool graph = false;    ///< also the recorded graphs as text
};

struct BenchArguments {
  CallArguments call;
  double seconds = 1;  ///< for each contender
};

/// Runs the call and prints what comes out.
int run_command(const RunArguments& arguments);

/// Compares several runs with LibTorch's; on a difference, says which step differs first.
int check_command(const CheckArguments& arguments);

/// Prints how the call is executed, and draws it.
int explain_command(const ExplainArguments& arguments);

/// Times the call against LibTorch's ways to run the archive.
int bench_command(const BenchArguments& arguments);

}  // namespace torchweld::cli
