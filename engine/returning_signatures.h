// Which signatures came before, where recording each at its first sight was in vain.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace torchweld {

/// A table of hashes of fixed size, made at the first question. What has the place of another is
/// forgotten, and two signatures of one hash are one: both cost a recording too few or too many,
/// never an answer.
class ReturningSignatures {
 public:
  /// Whether this one came before; it has now.
  bool came_back(uint64_t hash) {
    if (hashes_.empty()) hashes_.resize(kPlaces);
    uint64_t& place = hashes_[hash % kPlaces];
    const bool known = place == hash;
    place = hash;
    return known;
  }

 private:
  static constexpr size_t kPlaces = 1024;

  std::vector<uint64_t> hashes_;
};

}  // namespace torchweld
