// Programs that are not made from kernel specs, loaded once a device.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/cuda/compiler.h"
#include "kernels/kernel.h"

namespace torchweld::cuda {

/// Thread-safe; programs of several names are compiled side by side.
class LoadedPrograms {
 public:
  struct Loaded {
    std::shared_ptr<Module> module;
    std::vector<const Function*> functions;  ///< as the source's entries
    KernelListing listing;
  };

  explicit LoadedPrograms(std::shared_ptr<Compiler> compiler) : compiler_(std::move(compiler)) {}

  /// The program of a name, whose source is asked for and compiled where it isn't there. Stays
  /// valid.
  const Loaded& find_or_load(const std::string& name, const std::function<Source()>& source);

  Device& device() const { return compiler_->device(); }

 private:
  std::shared_ptr<Compiler> compiler_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Loaded>> loaded_;
};

}  // namespace torchweld::cuda
