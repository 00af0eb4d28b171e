// Turns what LibTorch says of an archive that it can't load into an Error a user can act on.
#pragma once

#include <exception>
#include <string>

#include "torchweld/error.h"

namespace torchweld {

Error archive_error(const std::string& archive, const std::exception& cause);

/// Throws kFile or kBadArchive when the file can't be opened or doesn't begin as a zip archive
/// does.
void check_is_archive(const std::string& path);

}  // namespace torchweld
