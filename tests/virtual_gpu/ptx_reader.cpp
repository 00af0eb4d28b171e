#include "tests/virtual_gpu/ptx_reader.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "torchweld/error.h"

namespace torchweld::virtual_gpu {

void PtxReader::fail(const std::string& what) const {
  throw Error(ErrorCode::kInternal, "PTX line " + std::to_string(line_) + ": " + what);
}

void PtxReader::skip_blanks() {
  for (;;) {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])))
      line_ += text_[at_++] == '\n' ? 1 : 0;
    if (text_.compare(at_, 2, "//") != 0) return;
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }
}

bool PtxReader::at_end() {
  skip_blanks();
  return at_ >= text_.size() || text_[at_] == '\0';
}

char PtxReader::peek() {
  skip_blanks();
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool PtxReader::accept(const char* token) {
  skip_blanks();
  const size_t size = std::strlen(token);
  if (text_.compare(at_, size, token) != 0) return false;
  at_ += size;
  return true;
}

void PtxReader::expect(const char* token) {
  if (!accept(token))
    fail(std::string("expected '") + token + "' before '" + text_.substr(at_, 20) + "'");
}

std::string PtxReader::word() {
  skip_blanks();
  const size_t begin = at_;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == ':' && text_.compare(at_, 2, "::") == 0) {
      at_ += 2;
      continue;
    }
    if (!std::isalnum(static_cast<unsigned char>(c)) && std::strchr("_.$%", c) == nullptr) break;
    ++at_;
  }
  return text_.substr(begin, at_ - begin);
}

uint64_t PtxReader::number() {
  const bool negative = accept("-");
  skip_blanks();
  const auto bits = [&](size_t digits) {
    const uint64_t value = std::stoull(text_.substr(at_ + 2, digits), nullptr, 16);
    at_ += 2 + digits;
    return value;
  };
  if (text_.compare(at_, 2, "0f") == 0 || text_.compare(at_, 2, "0F") == 0) return bits(8);
  if (text_.compare(at_, 2, "0d") == 0 || text_.compare(at_, 2, "0D") == 0) return bits(16);
  const size_t begin = at_;
  while (at_ < text_.size() && std::isalnum(static_cast<unsigned char>(text_[at_]))) ++at_;
  std::string digits = text_.substr(begin, at_ - begin);
  while (!digits.empty() && (digits.back() == 'U' || digits.back() == 'u')) digits.pop_back();
  if (digits.empty()) fail("expected a number before '" + text_.substr(at_, 20) + "'");
  const uint64_t value = std::stoull(digits, nullptr, 0);
  return negative ? 0 - value : value;
}

void PtxReader::skip_line() {
  while (at_ < text_.size() && text_[at_] != '\n') ++at_;
}

void PtxReader::skip_past(char c) {
  while (at_ < text_.size() && text_[at_] != c) line_ += text_[at_++] == '\n' ? 1 : 0;
  ++at_;
}

}  // namespace torchweld::virtual_gpu
