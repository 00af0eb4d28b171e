// What `Engine::explain` tells: how one call is executed and why. Plain data, no LibTorch.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace torchweld {

/// How a step is executed.
enum class StepKind {
  kFused,    ///< one generated kernel for a group of nodes
  kLibrary,  ///< a matmul or convolution by a tuned library or a hand-written kernel
  kEager,    ///< an operator run by LibTorch as it is; `reason` says why
};

const char* name_of(StepKind kind);

/// One node of the recorded graph as a member of a step.
struct ExplainedNode {
  std::string op;  ///< "aten::add.Tensor"
  std::string
      source;  ///< archive source line, "code/__torch__/model.py:12", empty if the archive has none
  std::string text;  ///< the node as the graph text shows it
};

/// What a kernel was compiled from and takes, where its back end knows; the source is empty
/// otherwise.
struct ExplainedCode {
  std::string source, assembly;              ///< CUDA C++ and PTX
  int registers = 0;                         ///< a thread
  int64_t shared_bytes = 0;                  ///< a block, static
  int64_t local_bytes = 0, spill_bytes = 0;  ///< a thread
};

/// One step of a plan.
struct ExplainedStep {
  StepKind kind = StepKind::kEager;
  std::string name;    ///< kernel or operator name
  std::string reason;  ///< why eager; empty otherwise
  std::vector<ExplainedNode> nodes;
  std::vector<std::string> inputs;  ///< "%3 f32[4,4]"
  std::vector<std::string> outputs;
  std::vector<int> depends_on;  ///< steps of the same block whose results this one reads
  std::string kernel;           ///< the spec of a generated kernel as text, also of one that
                                ///< follows a product in its step; else empty
  ExplainedCode code;
  double median_us = 0;  ///< measured while explaining
};

/// Steps that stand for the same recorded nodes, timed beside LibTorch's own steps for those nodes
/// when the plan was made (Options::measure_plans).
struct ExplainedStretch {
  std::string name;  ///< of its first step
  double planned_us = 0, eager_us = 0;
  bool stays_eager = false;   ///< LibTorch's own run: they were faster,
  bool for_rounding = false;  ///< or the call's results depend on how they round
};

/// One block: a straight stretch of the call with one signature.
struct ExplainedBlock {
  std::string title;   ///< "forward", "after aten::item at code/...:12"
  std::string ending;  ///< how it ends: "returns", or which value it reads before it goes on
  std::string reason;  ///< why the block has no plan and is interpreted; empty if it has one
  std::vector<std::string> inputs;  ///< name, dtype, shape
  std::vector<std::string> outputs;
  std::vector<ExplainedStep> steps;
  std::vector<ExplainedStretch> measured;  ///< empty where nothing was
  std::string graph;                       ///< the recorded graph as text
  int recorded_nodes = 0;                  ///< nodes recorded, before simplification
  int64_t arena_bytes = 0;                 ///< memory for intermediates
  int64_t live_bytes = 0;                  ///< of them, what is alive at once at most
  int64_t unplanned_bytes = 0;             ///< what the same intermediates take without reuse
  int64_t constant_bytes = 0;
};

/// Nodes and time by kind of step, over all blocks.
struct Coverage {
  int nodes = 0;
  double us = 0;
};

/// How a call with the given inputs runs.
struct Explanation {
  std::string archive, method, device, backend;
  std::string precision;               ///< of float32 products; why it isn't what was asked for
  std::vector<ExplainedBlock> blocks;  ///< in the order in which the call ran them
  Coverage fused, library, eager;
  std::map<std::string, std::string>
      headers;  ///< what the sources of kernels include, by file name

  /// Where the call waits for tensor data on the host, with archive source lines; nothing else
  /// makes a call on a device wait.
  std::vector<std::string> host_reads;
};

}  // namespace torchweld
