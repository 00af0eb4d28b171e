#include "kernels/cuda/program.h"

#include <algorithm>
#include <cstring>

namespace torchweld::cuda {
namespace {

class Writer {
 public:
  void add(std::string_view text) {
    number(static_cast<int64_t>(text.size()));
    bytes_.append(text);
  }
  void number(int64_t value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads what Writer wrote; `good` turns false where the bytes end too soon.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  int64_t number() {
    int64_t value = 0;
    if (const std::string_view part = take(sizeof(value)); good)
      std::memcpy(&value, part.data(), sizeof(value));
    return value;
  }
  std::string text() { return std::string(take(static_cast<size_t>(number()))); }
  bool good = true;
  bool done() const { return good && bytes_.empty(); }

 private:
  std::string_view take(size_t count) {
    good = good && count <= bytes_.size();
    if (!good) return {};
    const std::string_view part = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return part;
  }
  std::string_view bytes_;
};

}  // namespace

KernelListing listing_of(const std::string& source, const Program& program) {
  KernelListing listing{source, program.image.ptx};
  for (const auto& [entry, resources] : program.kernels) {
    listing.registers = std::max(listing.registers, resources.registers);
    listing.shared_bytes = std::max(listing.shared_bytes, resources.shared_bytes);
    listing.local_bytes = std::max(listing.local_bytes, resources.local_bytes);
    listing.spill_bytes = std::max(listing.spill_bytes, resources.spill_bytes);
  }
  return listing;
}

std::string packed(const Program& program) {
  Writer writer;
  writer.add(program.image.cubin);
  writer.add(program.image.ptx);
  writer.number(static_cast<int64_t>(program.kernels.size()));
  for (const auto& [name, resources] : program.kernels) {
    writer.add(name);
    writer.number(resources.registers);
    writer.number(resources.shared_bytes);
    writer.number(resources.local_bytes);
    writer.number(resources.spill_bytes);
  }
  return writer.take();
}

std::optional<Program> unpacked(std::string_view payload) {
  Reader reader(payload);
  Program program;
  program.image.cubin = reader.text();
  program.image.ptx = reader.text();
  for (int64_t left = reader.number(); left > 0 && reader.good; --left) {
    std::string name = reader.text();
    Resources resources;
    resources.registers = static_cast<int>(reader.number());
    resources.shared_bytes = reader.number();
    resources.local_bytes = reader.number();
    resources.spill_bytes = reader.number();
    program.kernels.emplace_back(std::move(name), resources);
  }
  if (!reader.done()) return std::nullopt;
  return program;
}

}  // namespace torchweld::cuda
