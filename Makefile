# What a developer types. CMake's presets are behind it; see CMakePresets.json.
BUILD ?= build
PRESET ?= release
JOBS ?= $(shell nproc)

.PHONY: help build demo test bench bench-peers gpu-bundle format clean dependencies

help:
	@echo "make build    the program, at $(BUILD)/torchweld"
	@echo "make demo     speech detection, ResNet-18 and a gated RNN, each against LibTorch"
	@echo "make test     everything that proves it works"
	@echo "make bench    times against LibTorch, written to $(BUILD)/bench/*.json"
	@echo "make bench-peers  times against ONNX Runtime, OpenVINO, AOTInductor and others, which it installs; takes an hour"
	@echo "make gpu-bundle  a folder of tests and benchmarks for another machine with a GPU, at $(BUILD)/gpu-bundle"
	@echo "make format   clang-format over all sources"
	@echo "make clean    remove $(BUILD)"
	@echo "PRESET=debug or PRESET=asan with BUILD=build-debug or build-asan builds those"

dependencies:
	@cmake/dependencies.sh

$(BUILD)/build.ninja: CMakePresets.json | dependencies
	@cmake --preset $(PRESET) -B $(BUILD)

build: dependencies $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS) --target torchweld_program

demo: dependencies $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS) --target demo
	@examples/demo.sh $(BUILD)

test: dependencies $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure --no-tests=error --parallel $(JOBS)

bench: dependencies $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS) --target benchmarks
	@bench/run.sh $(BUILD)

bench-peers: dependencies $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS) --target bench_peers
	@python=$$(cmake/dependencies.sh --peers) && $$python bench/peers.py --build $(BUILD) $(PEERS)

gpu-bundle: dependencies $(BUILD)/build.ninja
	@cmake --build $(BUILD) --parallel $(JOBS)
	@cmake/gpu_bundle.sh $(BUILD) $(BUILD)/gpu-bundle

format:
	@git ls-files -co --exclude-standard '*.h' '*.cpp' '*.cuh' '*.cu' | xargs clang-format -i

clean:
	@cmake -E rm -rf $(BUILD)
