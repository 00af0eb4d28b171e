// Loads an archive of one input, runs it twice and prints the answer.
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <torchweld/torchweld.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc != 2) throw std::runtime_error("usage: minimal ARCHIVE");
  const torchweld::Engine engine = torchweld::load(argv[1]);
  const at::Tensor input = at::ones({1, 2});
  engine.prepare({input});
  std::cout << engine.run({input}) << "\n";
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
