// Walks a method's code node by node, every operator by ATen. Frames are explicit, so that a walk
// can be picked up in the middle with the values that are live there: that is how a call goes on
// after a block whose end depends on data.
#pragma once

#include <ATen/core/ivalue.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loader/code.h"

namespace torchweld {

class OpenNumbers;
class Recorder;
struct Openness;

/// A block being walked.
struct Frame {
  const CodeBlock* block = nullptr;
  int next = 0;          ///< index of the next node
  bool join = false;     ///< a branch chosen by tensor data: what follows it is a block of its own
  bool counted = false;  ///< a loop whose trip count or maximum matters
  int64_t trip = 0, max_trips = 0;  ///< loops
};

/// The part of a walk's position that is the same for all signatures.
struct Place {
  struct Level {
    int block = 0, next = 0;
    bool join = false, counted = false;
    auto operator<=>(const Level&) const = default;
  };
  std::vector<Level> levels;    ///< outermost first
  std::vector<int> live;        ///< registers that the rest of the walk reads
  std::vector<int> data_hosts;  ///< those of them that hold host values read from tensor data
  auto operator<=>(const Place&) const = default;
};

/// One walk.
class Machine {
 public:
  enum class Stop { kReturned, kBlockEnded };

  /// `state` outlives the machine and is written by SetAttr.
  Machine(const Code& code, const StateSlots& slots, std::vector<c10::IValue>* state);

  /// Starts at the method's first node.
  void start(const std::vector<c10::IValue>& arguments);

  /// Takes up the walk at a place, with the values that environment() gave.
  void resume(const Place& place, const std::vector<c10::IValue>& environment);

  /// Walks to the end of the method or, with a recorder, of its block.
  /// Throws  Error kModelRaised, kOperatorFailed, kOutOfMemory.
  Stop run(Recorder* recorder);

  /// Tells where the open numbers of a recording are as the block begins: `positions` among what
  /// start() or resume() at `place` was given, without the module, then the state.
  void open_numbers(OpenNumbers* numbers, const Place* place) const;

  Place place() const;

  /// The values that resume() needs: live registers, then trip and maximum of each counted loop.
  std::vector<c10::IValue> environment(const Place& place) const;

  std::vector<c10::IValue> results() const;

  /// The node that ended the block.
  const CodeNode* last() const { return last_; }

 private:
  enum class Next { kGoOn, kBlockEnded };

  Next step(const CodeNode& node, Recorder* recorder);
  Stop walk(Recorder* recorder);
  Next run_operator(const CodeNode& node, Recorder* recorder);
  void enter_if(const CodeNode& node, Recorder* recorder);
  bool try_select(const CodeNode& node, Recorder* recorder);
  void run_branch(const CodeBlock& block, Recorder* recorder);
  void enter_loop(const CodeNode& node);
  Next leave_block(Recorder* recorder);
  Next leave_loop(Frame& frame);
  void get_attribute(const CodeNode& node);
  void set_attribute(const CodeNode& node);

  const c10::IValue& get(int index) const {
    return index < 0 ? code_.constants[static_cast<size_t>(-1 - index)]
                     : registers_[static_cast<size_t>(index)];
  }
  void set(int index, c10::IValue value, bool from_data);
  bool from_data(const CodeNode& node) const;
  std::vector<Openness> openness_of(const std::vector<int>& regs, size_t from) const;

  const Code& code_;
  const StateSlots& slots_;
  std::vector<c10::IValue>* state_;
  std::vector<c10::IValue> registers_;
  std::vector<char> from_data_;  // host registers read from tensor data
  std::vector<char> defined_;    // registers set so far: of two branches only one defines its own
  std::vector<Frame> frames_;
  torch::jit::Stack stack_;
  OpenNumbers* numbers_ = nullptr;  // of the recorder at hand
  const CodeNode* last_ = nullptr;
};

}  // namespace torchweld
