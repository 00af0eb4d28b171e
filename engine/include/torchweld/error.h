// The one exception type of Torchweld. Includes nothing of ours, so every folder may include it.
#pragma once

#include <stdexcept>
#include <string>

namespace torchweld {

/// What kind of thing went wrong; the message says what, where and the way out.
enum class ErrorCode {
  kFile,             ///< a file can't be opened, read or written
  kBadArchive,       ///< not a TorchScript archive, or a damaged one
  kNewerFormat,      ///< written by a later PyTorch than this LibTorch reads
  kUnknownOperator,  ///< an operator of the archive is registered nowhere in this process
  kUnknownClass,     ///< a custom class of the archive is registered nowhere in this process
  kTrainingMode,     ///< the module was saved in training mode
  kNoSuchMethod,     ///< the archive has no method of the name asked for
  kBadInput,         ///< the inputs of a call don't fit the method's schema
  kModelRaised,      ///< the archive's own code raised an exception
  kOutOfMemory,      ///< host or device memory is exhausted
  kOperatorFailed,   ///< an operator of LibTorch refused its arguments
  kDevice,           ///< the GPU, its driver or one of CUDA's libraries is missing or failed
  kBadText,          ///< a graph, shape or option written as text doesn't parse
  kInternal,         ///< a bug of Torchweld; please report it with the message
};

/// The name of a code as it appears in messages, such as "bad archive".
const char* name_of(ErrorCode code);

/// Thrown by every entry point of the library; nothing else escapes it.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace torchweld
