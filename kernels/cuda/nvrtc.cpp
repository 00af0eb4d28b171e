#include "kernels/cuda/nvrtc.h"

#include <fmt/format.h>
#include <nvrtc.h>

#include <algorithm>
#include <chrono>
#include <regex>

#include "kernels/cuda/shared_library.h"
#include "torchweld/error.h"

namespace torchweld::cuda {
namespace {

struct Nvrtc {
  Nvrtc() : library({"libnvrtc.so.13", "libnvrtc.so"}) {
#define TORCHWELD_BIND(name) library.bind(&name, "nvrtc" #name)
    TORCHWELD_BIND(Version);
    TORCHWELD_BIND(GetErrorString);
    TORCHWELD_BIND(GetNumSupportedArchs);
    TORCHWELD_BIND(GetSupportedArchs);
    TORCHWELD_BIND(CreateProgram);
    TORCHWELD_BIND(DestroyProgram);
    TORCHWELD_BIND(CompileProgram);
    TORCHWELD_BIND(GetProgramLogSize);
    TORCHWELD_BIND(GetProgramLog);
    TORCHWELD_BIND(GetCUBINSize);
    TORCHWELD_BIND(GetCUBIN);
    TORCHWELD_BIND(GetPTXSize);
    TORCHWELD_BIND(GetPTX);
#undef TORCHWELD_BIND
    int major = 0, minor = 0;
    Version(&major, &minor);
    version = fmt::format("{}.{}", major, minor);
    int count = 0;
    GetNumSupportedArchs(&count);
    architectures.resize(static_cast<size_t>(count));
    GetSupportedArchs(architectures.data());
  }

  SharedLibrary library;
  decltype(nvrtcVersion)* Version = nullptr;
  decltype(nvrtcGetErrorString)* GetErrorString = nullptr;
  decltype(nvrtcGetNumSupportedArchs)* GetNumSupportedArchs = nullptr;
  decltype(nvrtcGetSupportedArchs)* GetSupportedArchs = nullptr;
  decltype(nvrtcCreateProgram)* CreateProgram = nullptr;
  decltype(nvrtcDestroyProgram)* DestroyProgram = nullptr;
  decltype(nvrtcCompileProgram)* CompileProgram = nullptr;
  decltype(nvrtcGetProgramLogSize)* GetProgramLogSize = nullptr;
  decltype(nvrtcGetProgramLog)* GetProgramLog = nullptr;
  decltype(nvrtcGetCUBINSize)* GetCUBINSize = nullptr;
  decltype(nvrtcGetCUBIN)* GetCUBIN = nullptr;
  decltype(nvrtcGetPTXSize)* GetPTXSize = nullptr;
  decltype(nvrtcGetPTX)* GetPTX = nullptr;
  std::string version;
  std::vector<int> architectures;
};

const Nvrtc& nvrtc() {
  static const Nvrtc library;
  return library;
}

/// A program that is destroyed whatever happens to its compile.
class Program {
 public:
  explicit Program(const CompileRequest& request) {
    std::vector<std::string> texts, names;
    for (const Header& h : request.headers) {
      texts.emplace_back(h.text);
      names.emplace_back(h.name);
    }
    std::vector<const char*> text_pointers, name_pointers;
    for (const std::string& t : texts) text_pointers.push_back(t.c_str());
    for (const std::string& n : names) name_pointers.push_back(n.c_str());
    check(nvrtc().CreateProgram(&program_, request.source.c_str(), request.name.c_str(),
                                static_cast<int>(texts.size()), text_pointers.data(),
                                name_pointers.data()));
  }
  ~Program() { nvrtc().DestroyProgram(&program_); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  bool compile(const std::vector<std::string>& options) {
    std::vector<const char*> pointers;
    for (const std::string& o : options) pointers.push_back(o.c_str());
    const nvrtcResult result =
        nvrtc().CompileProgram(program_, static_cast<int>(pointers.size()), pointers.data());
    if (result != NVRTC_ERROR_COMPILATION) check(result);
    return result == NVRTC_SUCCESS;
  }

  /// As result, for texts: NVRTC counts their terminating zero.
  template <class Size, class Get>
  std::string text(Size size_of_result, Get get) {
    std::string text = result(size_of_result, get);
    while (!text.empty() && text.back() == '\0') text.pop_back();
    return text;
  }

  /// A text or binary that NVRTC hands out by size and content.
  template <class Size, class Get>
  std::string result(Size size_of_result, Get get) {
    size_t size = 0;
    check(size_of_result(program_, &size));
    std::string text(size, '\0');
    if (size > 0) check(get(program_, text.data()));
    return text;
  }

 private:
  static void check(nvrtcResult result) {
    if (result == NVRTC_SUCCESS) return;
    throw Error(ErrorCode::kDevice, fmt::format("NVRTC: {}", nvrtc().GetErrorString(result)));
  }

  nvrtcProgram program_ = nullptr;
};

int number(const std::smatch& match, size_t group) {
  return match[group].matched ? std::stoi(match[group].str()) : 0;
}

/// What ptxas says of each entry, for instance
///   ptxas info    : Compiling entry function 'k' for 'sm_90'
///   ptxas info    : Function properties for k
///       0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
///   ptxas info    : Used 10 registers, used 1 barriers, 132 bytes smem
std::vector<std::pair<std::string, Resources>> parse_report(const std::string& log) {
  static const std::regex entry("Compiling entry function '([^']+)'");
  static const std::regex frame(
      "(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill loads");
  static const std::regex used("Used (\\d+) registers(?:.*?(\\d+) bytes smem)?");
  std::vector<std::pair<std::string, Resources>> kernels;
  size_t begin = 0;
  while (begin < log.size()) {
    const size_t end = std::min(log.find('\n', begin), log.size());
    const std::string line = log.substr(begin, end - begin);
    begin = end + 1;
    std::smatch match;
    if (std::regex_search(line, match, entry)) {
      kernels.emplace_back(match[1].str(), Resources{});
    } else if (!kernels.empty() && std::regex_search(line, match, frame)) {
      kernels.back().second.local_bytes = number(match, 1);
      kernels.back().second.spill_bytes = number(match, 2) + number(match, 3);
    } else if (!kernels.empty() && std::regex_search(line, match, used)) {
      kernels.back().second.registers = number(match, 1);
      kernels.back().second.shared_bytes = number(match, 2);
    }
  }
  return kernels;
}

}  // namespace

std::vector<std::string> options_of(const CompileRequest& request) {
  const int newest = nvrtc().architectures.back();
  const bool newer = request.capability > newest;
  std::vector<std::string> options = {
      fmt::format("--gpu-architecture={}_{}{}", newer || request.ptx_alone ? "compute" : "sm",
                  newer ? newest : request.capability, request.for_it_alone ? "a" : ""),
      "--std=c++17",
      "--fmad=false",
      "--minimal",  // no declarations of textures, surfaces and the runtime: nothing here uses them
      "--ptxas-options=-v",
  };
  if (request.line_numbers) options.emplace_back("--generate-line-info");
  return options;
}

Compiled compile(const CompileRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  Program program(request);
  const bool good = program.compile(options_of(request));
  Compiled out;
  out.log = program.text(nvrtc().GetProgramLogSize, nvrtc().GetProgramLog);
  if (!good) {
    throw Error(ErrorCode::kInternal,
                fmt::format("NVRTC {} refuses {}:\n{}", nvrtc().version, request.name, out.log));
  }
  // Devices newer than this NVRTC get PTX, which their driver compiles.
  if (request.capability <= nvrtc().architectures.back() && !request.ptx_alone)
    out.image.cubin = program.result(nvrtc().GetCUBINSize, nvrtc().GetCUBIN);
  out.image.ptx = program.text(nvrtc().GetPTXSize, nvrtc().GetPTX);
  out.kernels = parse_report(out.log);
  out.compile_us =
      std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
  return out;
}

std::string nvrtc_version() { return nvrtc().version; }

std::span<const int> supported_architectures() { return nvrtc().architectures; }

}  // namespace torchweld::cuda
