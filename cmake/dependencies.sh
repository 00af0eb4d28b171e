#!/bin/sh
# The one place where Torchweld's dependencies are declared and installed.
#
#   cmake/dependencies.sh           install what is missing, quick when nothing is
#   cmake/dependencies.sh --check   only say what is missing; exit status 1 if something is
#   cmake/dependencies.sh --peers   also what `make bench-peers` measures against; says on stdout where their Python is
#
# Debian packages come by apt (as root or through sudo). LibTorch comes from PyPI into a virtual environment under
# $TORCHWELD_CACHE, else $XDG_CACHE_HOME/torchweld, else ~/.cache/torchweld. A LibTorch of your own, named by
# CMAKE_PREFIX_PATH, is what the build then uses; the environment is still made, because its Python writes the archives
# that the tests and the demo run.
set -eu

LIBTORCH_VERSION=2.11.0

DEBIAN_BUILD="g++ make cmake ninja-build ccache"
DEBIAN_LIBRARIES="libasmjit-dev libfmt-dev libcli11-dev nlohmann-json3-dev libgraphviz-dev"
DEBIAN_TESTS="libgtest-dev libbenchmark-dev clang-format"
DEBIAN_RUNTIME="python3 python3-venv ca-certificates espeak-ng"

# LibTorch with its CUDA 13 libraries is the `torch` wheel.
PYPI="torch==$LIBTORCH_VERSION torchvision==0.26.0 numpy==2.4.6 expecttest==0.3.0"
# silero-vad asks for torchaudio, which only its own recording helpers use: its files are wanted, not its dependencies.
PYPI_WITHOUT_DEPENDENCIES="silero-vad==6.2.3"
# Only for `make bench-peers`, each by itself: one that can't be installed is a line in its table. torch.onnx.export writes
# the models of ONNX Runtime with onnx.
PYPI_PEERS="onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1"

CACHE="${TORCHWELD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/torchweld}"
VENV="$CACHE/venv-$LIBTORCH_VERSION"
STAMP="$VENV/torchweld-pins"
PINS="$PYPI $PYPI_WITHOUT_DEPENDENCIES"
PEERS="$CACHE/peers-$LIBTORCH_VERSION"

say() { echo "torchweld set-up: $*" >&2; }

missing_debian_packages() {
  command -v dpkg-query >/dev/null || return 0
  for package in $DEBIAN_BUILD $DEBIAN_LIBRARIES $DEBIAN_TESTS $DEBIAN_RUNTIME; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || printf '%s ' "$package"
  done
}

install_debian_packages() {
  packages=$1
  line="apt-get install --yes --no-install-recommends $packages"
  if [ "$(id -u)" = 0 ]; then
    sudo=""
  elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    sudo="sudo"
  else
    say "these Debian packages are missing and only root can install them. Type, as root, and try again:"
    say "  apt-get update && $line"
    exit 1
  fi
  say "installing Debian packages: $packages"
  $sudo apt-get update --quiet=2 || say "apt-get update failed; going on with the package lists at hand"
  $sudo env DEBIAN_FRONTEND=noninteractive $line >&2
}

install_python_packages() {
  mkdir -p "$CACHE"
  exec 9>"$CACHE/lock"
  flock 9 # a second build on this machine waits instead of writing into the same folder
  if [ "$(cat "$STAMP" 2>/dev/null)" = "$PINS" ]; then return; fi
  say "installing LibTorch $LIBTORCH_VERSION into $VENV (about 3 GB to download the first time)"
  [ -x "$VENV/bin/python3" ] || python3 -m venv "$VENV"
  pip="$VENV/bin/python3 -m pip --disable-pip-version-check install --progress-bar off"
  # shellcheck disable=SC2086
  $pip --quiet $PYPI >&2
  # shellcheck disable=SC2086
  $pip --quiet --no-deps $PYPI_WITHOUT_DEPENDENCIES >&2
  echo "$PINS" >"$STAMP"
}

# An environment of its own that sees LibTorch's through a .pth file, so that torch is not downloaded twice.
install_peers() {
  exec 9>"$CACHE/lock"
  flock 9
  if [ "$(cat "$PEERS/torchweld-pins" 2>/dev/null)" = "$PINS $PYPI_PEERS" ]; then return; fi
  say "installing into $PEERS: $PYPI_PEERS"
  [ -x "$PEERS/bin/python3" ] || python3 -m venv "$PEERS"
  find "$VENV/lib" -maxdepth 2 -name site-packages >"$(find "$PEERS/lib" -maxdepth 2 -name site-packages)/libtorch.pth"
  failed=""
  for package in $PYPI_PEERS; do
    "$PEERS/bin/python3" -m pip --disable-pip-version-check --quiet install --progress-bar off "$package" >&2 ||
      failed="$failed $package"
  done
  if [ -z "$failed" ]; then
    echo "$PINS $PYPI_PEERS" >"$PEERS/torchweld-pins"
  else # without the stamp, the next run tries again
    say "going on without what could not be installed:$failed"
  fi
}

missing=$(missing_debian_packages)
if [ "${1:-}" = --check ]; then
  [ -z "$missing" ] || say "missing Debian packages: $missing"
  [ "$(cat "$STAMP" 2>/dev/null)" = "$PINS" ] || { say "missing or out of date: $VENV"; exit 1; }
  [ -z "$missing" ]
  exit
fi
[ -z "$missing" ] || install_debian_packages "$missing"
[ "$(cat "$STAMP" 2>/dev/null)" = "$PINS" ] || install_python_packages
if [ "${1:-}" = --peers ]; then
  install_peers
  echo "$PEERS/bin/python3"
fi
