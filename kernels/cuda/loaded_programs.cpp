#include "kernels/cuda/loaded_programs.h"

namespace torchweld::cuda {

const LoadedPrograms::Loaded& LoadedPrograms::find_or_load(const std::string& name,
                                                           const std::function<Source()>& source) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto it = loaded_.find(name); it != loaded_.end()) return *it->second;
  }
  const Source text = source();
  const Program program = compiler_->program_of(text);
  auto fresh = std::make_unique<Loaded>();
  fresh->module = device().load(program.image);
  for (const std::string& entry : text.entries)
    fresh->functions.push_back(&fresh->module->function(entry));
  fresh->listing = listing_of(text.text, program);
  const std::scoped_lock lock(mutex_);
  return *loaded_.emplace(name, std::move(fresh)).first->second;
}

}  // namespace torchweld::cuda
