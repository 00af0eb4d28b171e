#!/bin/sh
# Runs the benchmarks on one thread and keeps their figures: bench/run.sh BUILD
set -eu
build=$1
"$build/bench/calls" --archives "$build/archives" --silero "$(cat "$build/examples/silero_path")" \
  --json "$build/bench/calls.json"
echo
"$build/bench/kernels" --benchmark_out="$build/bench/kernels.json" --benchmark_out_format=json \
  --benchmark_min_time=0.05
