// Words and numbers of PTX text.
#pragma once

#include <cstdint>
#include <string>

namespace torchweld::virtual_gpu {

class PtxReader {
 public:
  explicit PtxReader(const std::string& text) : text_(text) {}

  bool at_end();
  char peek();
  /// Skips `token` if it comes next.
  bool accept(const char* token);
  void expect(const char* token);
  /// Letters, digits and "_.$%", and "::" within.
  std::string word();
  /// An integer, 0f or 0d number as bits.
  uint64_t number();
  void skip_line();
  void skip_past(char c);
  int line() const { return line_; }

  size_t position() const { return at_; }
  void go_to(size_t position, int line) {
    at_ = position;
    line_ = line;
  }

  [[noreturn]] void fail(const std::string& what) const;

 private:
  void skip_blanks();

  const std::string& text_;
  size_t at_ = 0;
  int line_ = 1;
};

}  // namespace torchweld::virtual_gpu
