// A library that is opened when it is first needed, so that a process without a GPU never pays for
// it.
#pragma once

#include <string>
#include <vector>

namespace torchweld::cuda {

/// Stays open until the process ends: CUDA's libraries don't take being closed.
class SharedLibrary {
 public:
  /// Opens the first name that the loader finds, by its own path or in CUDA's folder as the build
  /// found it. Throws  Error kDevice: what was looked for, and the loader's words.
  explicit SharedLibrary(
      const std::vector<std::string>& names,
      const std::string& way_out = "set LD_LIBRARY_PATH to the folder that has it");

  /// The address of a symbol. Throws Error kDevice when the library has none of that name.
  template <class F>
  void bind(F** function, const char* symbol) const {
    *function = reinterpret_cast<F*>(find(symbol));
  }

 private:
  void* find(const char* symbol) const;

  void* handle_ = nullptr;
  std::string name_;
};

}  // namespace torchweld::cuda
