// Known causes of a failing load, by the words LibTorch uses for them.
#include "loader/archive_errors.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>

namespace torchweld {
namespace {

std::string text_of(const std::exception& cause) {
  const auto* error = dynamic_cast<const c10::Error*>(&cause);
  return error != nullptr ? error->what_without_backtrace() : cause.what();
}

std::string brief(const std::string& text) { return text.substr(0, text.find('\n')); }

/// The archive's own line that LibTorch quotes below an error, "code/__torch__/model.py:12", if it
/// quotes one.
std::string quoted_source(const std::string& text) {
  static const std::regex pattern("File \"([^\"]+)\", line ([0-9]+)");
  std::smatch m;
  return std::regex_search(text, m, pattern) ? fmt::format(" at {}:{}", m[1].str(), m[2].str())
                                             : "";
}

std::string library_hint(const std::string& space) {
  if (space == "torchvision")
    return "torchweld brings nms, roi_align, roi_pool, ps_roi_align, ps_roi_pool and "
           "deform_conv2d; the others are in torchvision's C++ library";
  if (space == "torchaudio")
    return "torchweld brings _lfilter, _lfilter_core_loop and _overdrive_core_loop; the others are "
           "in "
           "torchaudio's C++ library, which has to be loaded before the archive";
  if (space == "torch_scatter" || space == "torch_sparse" || space == "torch_cluster")
    return "it belongs to PyTorch Geometric's extension of that name";
  if (space == "quantized" || space == "aten" || space == "prim")
    return "this LibTorch doesn't have it: the archive was written by another version, or the "
           "build leaves it out";
  return fmt::format(
      "load the library that registers the operators of \"{}\" (dlopen or link it) before the "
      "archive",
      space);
}

}  // namespace

Error archive_error(const std::string& archive, const std::exception& cause) {
  const std::string text = text_of(cause);
  const auto has = [&](const char* words) { return text.find(words) != std::string::npos; };
  std::smatch m;
  static const std::regex op("Unknown builtin op: ([A-Za-z0-9_]+)::([A-Za-z0-9_]+)");
  if (std::regex_search(text, m, op)) {
    return Error(
        ErrorCode::kUnknownOperator,
        fmt::format("{}: operator {}::{}{} is registered nowhere in this process; {}", archive,
                    m[1].str(), m[2].str(), quoted_source(text), library_hint(m[1].str())));
  }
  static const std::regex type(
      "Unknown type name '([^']+)'|(__torch__\\.torch\\.classes\\.[A-Za-z0-9_.]+)");
  if ((has("Unknown type name") || has("torch.classes")) && std::regex_search(text, m, type)) {
    const std::string name = m[1].matched ? m[1].str() : m[2].str();
    return Error(
        ErrorCode::kUnknownClass,
        fmt::format("{}: class {}{} is registered nowhere in this process; load the library that "
                    "registers it (dlopen or link it) before the archive",
                    archive, name, quoted_source(text)));
  }
  if (has("maximum supported version")) {
    return Error(ErrorCode::kNewerFormat,
                 fmt::format("{}: {}; export it again with a PyTorch no newer than this LibTorch",
                             archive, brief(text)));
  }
  if (has("constants.pkl") || has("locating file") || has("file not found: ") || has("code/")) {
    return Error(
        ErrorCode::kBadArchive,
        fmt::format(
            "{}: a zip without TorchScript code ({}); torch.save writes such files. Write it with "
            "torch.jit.save(torch.jit.trace(...)) or torch.jit.script",
            archive, brief(text)));
  }
  if (has("finding central directory") || has("invalid header") || has("PytorchStreamReader") ||
      has("reading zip")) {
    return Error(
        ErrorCode::kBadArchive,
        fmt::format("{}: the zip archive is truncated or damaged ({}); copy or export it again",
                    archive, brief(text)));
  }
  return Error(ErrorCode::kBadArchive, fmt::format("{}: LibTorch can't read it: {}{}", archive,
                                                   brief(text), quoted_source(text)));
}

void check_is_archive(const std::string& path) {
  if (std::filesystem::is_directory(path))
    throw Error(ErrorCode::kFile, fmt::format("{} is a directory, not an archive", path));
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Error(ErrorCode::kFile, fmt::format("can't open {}: {}", path, std::strerror(errno)));
  char magic[4] = {};
  file.read(magic, sizeof magic);
  if (file.gcount() == sizeof magic && magic[0] == 'P' && magic[1] == 'K') return;
  const bool legacy = file.gcount() > 1 && magic[0] == '\x80';
  throw Error(
      ErrorCode::kBadArchive,
      fmt::format("{} is not a TorchScript archive: it doesn't begin as a zip file does{}", path,
                  legacy ? "; it looks like a pickle, as an old torch.save writes" : ""));
}

}  // namespace torchweld
