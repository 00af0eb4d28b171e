// AsmJit's three debugging functions, in place of the library's own.
// Debian ships AsmJit as a static library without -fPIC; of all its members only the one with these
// functions has a relocation (stderr) that a shared library can't hold. Defining them here leaves
// that member out of the link.
#include <asmjit/core/globals.h>

#include <cstdlib>

ASMJIT_BEGIN_NAMESPACE

const char* DebugUtils::errorAsString(Error) noexcept { return "AsmJit error"; }

void DebugUtils::debugOutput(const char*) noexcept {}

void DebugUtils::assertionFailed(const char*, int, const char*) noexcept { std::abort(); }

ASMJIT_END_NAMESPACE
