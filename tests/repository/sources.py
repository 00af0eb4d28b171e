"""Rules of the tree that a compiler does not check: python sources.py layers|sizes|format|words"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("kernels", "loader", "fusion", "engine", "cli", "bench", "tests", "examples")
ORDER = ("kernels", "loader", "fusion", "engine")
OUTER = ("cli", "bench", "tests", "examples")
LIBTORCH = re.compile(r"^(ATen|c10|torch|caffe2)/")
# Plain data that folders without LibTorch read.
WITHOUT_LIBTORCH = re.compile(r"^(kernels|fusion)/|^loader/graph[a-z_]*\.(h|cpp)$")
EVERYONE_MAY = {"engine/include/torchweld/error.h"}
# The program offers the virtual GPU as a device.
PROGRAM_MAY = {"tests/virtual_gpu/virtual_runtime.h"}
MOST_LINES = 400
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.MULTILINE)


def tracked(*suffixes):
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\n")  # fmt: skip
    return [ROOT / name for name in listed if name.endswith(suffixes) and (ROOT / name).is_file()]


def resolved(name):
    """The repository path that an include means, or None for someone else's header."""
    if name.startswith("torchweld/"):
        return f"engine/include/{name}"
    return name if name.split("/")[0] in FOLDERS else None


def may_include(source, target):
    source_folder, target_folder = source.split("/")[0], target.split("/")[0]
    if target in EVERYONE_MAY or source_folder == target_folder:
        return True
    if source_folder == "cli" and target in PROGRAM_MAY:
        return True
    if source_folder in OUTER:
        # The program's comparison and timing serve tests, benchmarks and examples too.
        return target_folder in ORDER or (target_folder == "cli" and source_folder != "cli")
    if target_folder in OUTER:
        return False
    return ORDER.index(target_folder) < ORDER.index(source_folder)


def layers():
    for path in tracked(".h", ".cpp", ".cuh"):
        source = path.relative_to(ROOT).as_posix()
        if source.split("/")[0] not in FOLDERS:
            continue
        for name in INCLUDE.findall(path.read_text()):
            if LIBTORCH.match(name) and WITHOUT_LIBTORCH.match(source):
                yield f"{source}: includes LibTorch's {name}"
            target = resolved(name)
            if target and not may_include(source, target):
                yield f"{source}: may not include {target}; the order is {' <- '.join(ORDER)}"


def sizes():
    for path in tracked(".h", ".cpp", ".cuh", ".py", ".sh", ".cmake", "CMakeLists.txt"):
        lines = len(path.read_text().splitlines())
        if lines > MOST_LINES:
            yield f"{path.relative_to(ROOT)}: {lines} lines; {MOST_LINES} at most"


def format():
    paths = [str(path) for path in tracked(".h", ".cpp", ".cuh")]
    for first in range(0, len(paths), 50):
        result = subprocess.run(
            ["clang-format", "--dry-run", "-Werror", *paths[first : first + 50]], capture_output=True, text=True
        )
        for name in sorted(set(re.findall(r"^(\S+?):\d+:", result.stderr, re.MULTILINE))):
            yield f"{pathlib.Path(name).relative_to(ROOT)}: run make format"


def words():
    """Names that say nothing about what a file holds."""
    for path in tracked(".h", ".cpp", ".cuh"):
        if re.search(r"(^|_)(util|utils|helper|helpers|common|misc|manager|base)(_|$)", path.stem):
            yield f"{path.relative_to(ROOT)}: name it after what it is"


def main():
    rule = {"layers": layers, "sizes": sizes, "format": format, "words": words}[sys.argv[1]]
    problems = list(rule())
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
