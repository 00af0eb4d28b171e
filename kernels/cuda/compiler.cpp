#include "kernels/cuda/compiler.h"

#include <fmt/format.h>

#include "kernels/cuda/nvrtc.h"
#include "kernels/cuda/skeleton_headers.h"

namespace torchweld::cuda {
namespace {

std::string text_of_headers() {
  std::string text;
  for (const Header& header : skeleton_headers())
    text.append(header.name).append("\n").append(header.text);
  return text;
}

}  // namespace

Compiler::Compiler(std::shared_ptr<Device> device, const CacheOptions& options)
    : device_(std::move(device)), cache_(options), line_numbers_(options.line_numbers) {}

Program Compiler::program_of(const Source& source) {
  if (watcher_) watcher_(source);
  static const std::string headers = text_of_headers();
  CompileRequest request;
  request.name = source.entries.front() + ".cu";
  request.source = source.text;
  request.headers = skeleton_headers();
  request.capability = device_->info().capability;
  request.line_numbers = line_numbers_;
  const std::string key =
      DiskCache::key_of(fmt::format("{}\n{}\nNVRTC {} {}", source.text, headers, nvrtc_version(),
                                    fmt::join(options_of(request), " ")));
  if (const std::optional<std::string> bytes = cache_.find(key)) {
    if (std::optional<Program> known = unpacked(*bytes)) {
      ++from_disk_;
      return *std::move(known);
    }
  }
  Compiled compiled = compile(request);
  ++compiled_;
  Program program{std::move(compiled.image), std::move(compiled.kernels), compiled.compile_us};
  cache_.keep(key, packed(program));
  return program;
}

}  // namespace torchweld::cuda
