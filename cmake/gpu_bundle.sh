#!/bin/sh
# A folder that runs the GPU tests and benchmarks on another x86-64 Linux machine, which needs a GPU, its driver, and
# LibTorch 2.11.0 with CUDA 13 in Python's site-packages; no network, no compiler, nothing of this project.
#
#   cmake/gpu_bundle.sh BUILD FOLDER
set -eu
build=$1
bundle=$2
most_mib=60

rm -rf "$bundle"
mkdir -p "$bundle/bin" "$bundle/lib" "$bundle/archives"

for program in torchweld tests/gpu_test tests/cuda_plans_test bench/calls; do
  cp "$build/$program" "$bundle/bin/"
done
cp "$build"/libtorchweld.so.*.*.* "$bundle/lib/"
soname=$(objdump -p "$build"/libtorchweld.so | sed -n 's/ *SONAME *//p')
mv "$bundle"/lib/libtorchweld.so.* "$bundle/lib/$soname"

# Libraries beyond LibTorch's, CUDA's and what every Linux has.
ldd "$build/torchweld" | sed -n 's/.*=> \([^ ]*\) .*/\1/p' |
  grep -Ev '/(torch|nvidia)/|/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|ld-linux[^/]*)\.so|/libtorchweld' |
  while read -r library; do cp -L "$library" "$bundle/lib/"; done
strip "$bundle"/bin/* "$bundle"/lib/*

# Every archive of at most half a MiB, with its inputs.
(cd "$build/archives" && find . -name '*.pt' -size -1024 ! -path './bad/*') | while read -r file; do
  mkdir -p "$bundle/archives/$(dirname "$file")"
  cp "$build/archives/$file" "$bundle/archives/$file"
done
# Inputs without their archive are of no use.
find "$bundle/archives" -name '*.inputs.pt' | while read -r inputs; do
  [ -e "${inputs%.inputs.pt}.pt" ] || rm "$inputs"
done

cat >"$bundle/environment" <<'END'
# Sourced by the scripts beside it: where things are on this machine.
here=$(cd "$(dirname "$0")" && pwd)
torch=$(python3 -c '
import importlib.util
found = importlib.util.find_spec("torch")
if found is None:
    raise SystemExit("LibTorch is missing: this python3 has no package torch; 2.11.0 with CUDA 13 is needed")
print(found.submodule_search_locations[0])') || exit 1
libraries="$here/lib:$torch/lib"
for folder in "$torch"/../nvidia/*/lib /usr/local/cuda/lib64; do
  [ -d "$folder" ] && libraries="$libraries:$folder"
done
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export TORCHWELD_ARCHIVES="$here/archives"
export TORCHWELD_CACHE="${TORCHWELD_CACHE:-$here/cache}"
results=${1:-$here/results}
mkdir -p "$results"
TORCHWELD_VERSION=$("$here/bin/torchweld" --version) python3 - "$results/machine.json" <<'PY'
import importlib.metadata, json, os, subprocess, sys, time

query = ["name", "driver_version", "memory.total", "compute_cap"]
try:
    gpus = subprocess.run(
        ["nvidia-smi", "--query-gpu=" + ",".join(query), "--format=csv,noheader"],
        capture_output=True, text=True, check=True).stdout.strip().splitlines()
except (OSError, subprocess.CalledProcessError) as error:
    raise SystemExit(f"no GPU, or no driver for it: {error}")
packages = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()
            if (d.metadata["Name"] or "").startswith(("torch", "nvidia-"))}
with open(sys.argv[1], "w") as file:
    json.dump({"gpus": [dict(zip(query, gpu.split(", "))) for gpu in gpus],
               "torchweld": os.environ["TORCHWELD_VERSION"], "packages": packages,
               "date": time.strftime("%Y-%m-%d", time.gmtime())}, file, indent=1)
PY
END
cat >"$bundle/run-tests" <<'END'
#!/bin/sh
# run-tests [FOLDER FOR RESULTS]: the tests that need a device. The exit status is theirs.
set -eu
. "$(dirname "$0")/environment"
# Without a device the tests would skip themselves, which is no success.
"$here/bin/torchweld" run "$here/archives/layers/linear_relu_traced.pt" --input "f32[1,2]" --device cuda
exec "$here/bin/gpu_test" --gtest_brief=1 --gtest_output="json:$results/tests.json"
END
cat >"$bundle/run-bench" <<'END'
#!/bin/sh
# run-bench [FOLDER FOR RESULTS]: calls on the device against LibTorch's, one JSON file an archive.
set -eu
. "$(dirname "$0")/environment"
for inputs in "$here"/archives/layers/*.inputs.pt "$here"/archives/language/*.inputs.pt \
  "$here"/archives/pointwise/*.inputs.pt "$here"/archives/recurrent/*.inputs.pt; do
  archive=${inputs%.inputs.pt}
  name=$(basename "$(dirname "$archive")")_$(basename "$archive")
  echo "$name"
  "$here/bin/torchweld" bench "$archive.pt" --inputs "$inputs" --device cuda --seconds 0.3 --json \
    >"$results/$name.json" || echo "$name failed" >&2
done
END
chmod +x "$bundle/run-tests" "$bundle/run-bench"

size=$(du -sm "$bundle" | cut -f1)
echo "$bundle: $size MiB"
[ "$size" -le "$most_mib" ] || { echo "larger than $most_mib MiB" >&2; exit 1; }
