// A scalar interpreter of kernel specs: the oracle of tests, and the backend of processors without
// a generator.
#pragma once

#include "kernels/kernel.h"

namespace torchweld {

/// Runs any spec element by element, with libm's accuracy and no speed.
class ReferenceBackend final : public Backend {
 public:
  bool accepts(const KernelSpec&, const Geometry&, std::string*) override { return true; }
  std::shared_ptr<const Kernel> compile(const KernelSpec& spec, const Geometry& geometry,
                                        std::string* why) override;
  bool takes_rows() const override { return true; }
  std::string description() const override { return "reference (scalar)"; }
};

}  // namespace torchweld
